//! Predictions for LaMP's evaluation: one arm's answer to every question of a file, under the question's own id.
//!
//! The evaluation wants exactly the ids of its golds and the task's name, so a file without ids, an id that comes twice
//! and a dataset that bears no task's name are refused.

use std::collections::HashSet;
use std::process::ExitCode;

use super::questions::Named;
use super::{AskArgs, Setting, ask};
use crate::cli::{CliError, profiles_folder};
use crate::data::dataset::TaskKind;
use crate::data::import::lamp::Task;
use crate::data::lamp_output::{Output, Outputs};
use crate::engine::answer::ArmAnswer;
use crate::engine::engine::Engine;
use crate::engine::prompt::Arm;
use crate::mediator::{Policy, Weights};
use crate::memory::Memory;

/// Answers all of `questions` and prints them at the end: half a file is of no use to the evaluation.
pub(super) fn run(
    memory: &Memory,
    engine: Option<&dyn Engine>,
    (weights, policy): (Weights, Policy),
    args: &AskArgs,
    questions: &[Named],
) -> Result<ExitCode, CliError> {
    let usage = |told: String| Err(CliError::Usage(told));
    let task = &memory.manifest.name;
    if !Task::ALL.iter().any(|known| known.name() == task) {
        let known = Task::ALL.map(Task::name).join(", ");
        return usage(format!("--format lamp: '{task}' is no task of LaMP ({known}); import it without --name"));
    }
    let arms = match args.arms.as_slice() {
        [] => [Arm::Mediated],
        [arm] => [*arm],
        _ => return usage("--format lamp holds the answers of one arm; give --arms one of them".to_owned()),
    };
    if args.explain || args.attribution.is_some() {
        return usage("--format lamp holds answers alone; leave out --explain and --attribution".to_owned());
    }
    let Some(path) = &args.queries else {
        return usage(
            "--format lamp answers a file of questions; give --queries the dataset's queries.jsonl".to_owned(),
        );
    };
    if memory.manifest.task == TaskKind::Text && engine.is_none() {
        return usage(format!(
            "--format lamp: '{task}' wants texts and memory alone writes none; give --model a model"
        ));
    }
    let profiles = profiles_folder();
    let setting = Setting { weights, policy, arms: &arms, profile: (&args.profile, &profiles) };
    let mut seen = HashSet::new();
    let mut golds = Vec::with_capacity(questions.len());
    for Named { id, question } in questions {
        let Some(id) = id.as_deref().filter(|id| seen.insert(*id)) else {
            let (path, user) = (path.display(), &question.user);
            let why = if id.is_some() { "comes twice" } else { "is missing" };
            let id = id.as_deref().unwrap_or_default();
            return usage(format!("{path}: the \"id\" '{id}' of a question of '{user}' {why}; give each its own"));
        };
        let asked = ask(memory, engine, &setting, question)?;
        let output = |a: &ArmAnswer| match memory.manifest.task {
            TaskKind::Text => a.text.trim().to_owned(),
            TaskKind::Labels | TaskKind::Rating => memory.population.labels[a.decision].clone(),
        };
        golds.extend(asked.arms.values().map(|a| Output { id: id.to_owned(), output: output(a) }));
    }
    Outputs { task: task.clone(), golds }.write(&mut std::io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
