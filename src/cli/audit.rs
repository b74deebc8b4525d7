//! `logoscope audit`: how groups of people fare, whom the collective overrules, whether the guard held, and gates for
//! continuous integration.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::ask::parse_weight;
use super::eval::progress::{Clock, Progress};
use super::eval::{Form, Predictor, Speaker, at_least_one, heed, printed, ranges, tell_idle};
use super::import::interrupted;
use super::output::legible;
use super::target::Target;
use super::{CliError, Common};
use crate::engine::prompt::Arm;
use crate::eval::EvalError;
use crate::eval::assessment::{Provenance, Settings, SplitReport};
use crate::eval::audit::gate::{Bounds, GUARD};
use crate::eval::audit::group::{By, Grouping, grouping, pasts};
use crate::eval::audit::{Audit, Inquiry, SCHEMA, Wanted, audit, guard};
use crate::eval::experiment::{Setting, run as by_memory, run_with_model};
use crate::eval::metrics::TaskMeasures;
use crate::eval::report;
use crate::eval::split::{Asked, Split};
use crate::eval::stats::{Plan, Unit};
use crate::mediator::{Policy, Weight, Weights};
use crate::memory::{Apart, Memory};

/// Options of `audit`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AuditArgs {
    /// Group people by: activity, taste, skew, community, attribute:NAME
    #[arg(long, value_delimiter = ',', value_name = "A,B", default_value = "activity,taste,skew")]
    by: Vec<By>,
    /// What answers
    #[arg(long, default_value = "memory")]
    predictor: Predictor,
    /// Ask the later part of the interactions: the first FRACTION by (at, id) is history [default: the dataset's judged
    /// queries]
    #[arg(long, value_name = "FRACTION")]
    split: Option<f64>,
    /// Ask only N of the queries, drawn by lot from --seed
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<std::num::NonZeroUsize>,
    /// The mediator's rule [default: product for labels, shrinkage for ratings]
    #[arg(long)]
    policy: Option<Policy>,
    /// Set a weight, `prior-strength=4`; may be repeated
    #[arg(long = "weight", value_name = "NAME=VALUE", value_parser = parse_weight)]
    weights: Vec<(Weight, f64)>,
    /// How many queries to list in which the collective overrode a person who was right
    #[arg(long, value_name = "N", default_value_t = 10)]
    cases: usize,
    /// Exit with 1 if a group is answered worse than the best one by more than X: accuracy, ROUGE-L or MAE of the mediated
    /// arm, judged by the lower end of the interval of a gap that is decisive
    #[arg(long, value_name = "X", value_parser = parse_gap, allow_hyphen_values = true)]
    max_gap: Option<f64>,
    /// Exit with 1 if of people who differ from the others a larger share than X of the right answers of their own memory is
    /// overruled, judged by the lower end of the interval
    #[arg(long, value_name = "X", value_parser = parse_share, allow_hyphen_values = true)]
    max_suppression: Option<f64>,
    /// Seed of bootstrap, tests and --limit
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Form,
    #[command(flatten)]
    target: Target,
}

const AFTER_HELP: &str = "\
Examples:
  logoscope audit
  logoscope audit --data news --split 0.8 --by activity,community --format html --out audit.html
  logoscope audit --data news --split 0.8 --max-gap 0.1 --max-suppression 0.15

A gate that no group is left to judge by is named on standard error and does not fail.

Exit codes: 0 ok, 1 a gate failed, 2 usage or runtime error, 130 interrupted.";

fn parse_gap(text: &str) -> Result<f64, String> {
    let gap = text.parse().ok().filter(|gap: &f64| *gap >= 0.0 && gap.is_finite());
    gap.ok_or_else(|| format!("'{text}' is no gap; give a number from 0 up such as 0.1"))
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("'{text}' is no share; give a number from 0 to 1 such as 0.15"))
}

/// Runs the command.
pub fn run(common: &Common, args: &AuditArgs) -> Result<ExitCode, CliError> {
    args.target.check()?;
    let found = match audited(common, args, &interrupted()) {
        Err(CliError::Eval(EvalError::Interrupted)) => return Ok(super::given_up("audit")),
        found => found?,
    };
    let sections = report::audit::sections(&found);
    let told = match args.format {
        Form::Csv => report::audit::csv(&found),
        Form::Text => legible(&report::text_of(&report::audit::folded(sections))).into_owned(),
        form => printed(form, &format!("Audit of {}", found.provenance.dataset), &sections, &found)?,
    };
    args.target.put(&told)?;
    for gate in found.gates.iter().filter(|gate| !gate.judged() && gate.gate != GUARD) {
        super::complain(&format!(
            "gate {} {} was not judged, and so did not fail: {}",
            gate.gate, gate.bound, gate.told
        ));
    }
    let failed = || found.gates.iter().filter(|gate| gate.failed());
    for gate in failed() {
        super::complain(&format!("gate {} {} failed: {}", gate.gate, gate.bound, gate.told));
    }
    Ok(ExitCode::from(u8::from(failed().next().is_some())))
}

fn audited(common: &Common, args: &AuditArgs, cancel: &AtomicBool) -> Result<Audit, CliError> {
    args.policy.map_or(Ok(()), super::by_rules)?;
    let dataset = common.dataset()?;
    heed(cancel)?;
    let measures = TaskMeasures::of(&dataset.manifest)?;
    refuse(args, &measures)?;
    let split = args.split.map_or(Split::Judged, |share| Split::Share { share });
    let mut asked = Asked::of(&dataset, split)?;
    if let Some(limit) = args.limit {
        asked.sample(limit.get(), args.seed);
    }
    let policy = args.policy.unwrap_or(Policy::of(dataset.manifest.task));
    tell_idle(common, args.predictor, policy, dataset.manifest.task, &args.weights);
    let mut progress = Progress::start();
    progress.say(&ranges(&asked));
    let mut clock = Clock::start();
    let speaker = match args.predictor {
        Predictor::Memory => None,
        Predictor::Model => {
            progress.show("loading the model …");
            Some(Speaker::load(common, &dataset.manifest)?)
        }
    };
    heed(cancel)?;
    let memory = Memory::build(&dataset);
    heed(cancel)?;
    memory.allow(asked.query_range.from).map_err(EvalError::from)?;
    let defaults = match &speaker {
        Some(speaker) => speaker.fit.defaults(policy, &dataset.manifest),
        None => Weights::defaults(policy, &dataset.manifest),
    };
    let weights = args.weights.iter().fold(defaults, |weights, (weight, value)| weights.with(*weight, *value));
    let setting = Setting { policy, weights, apart: Apart::default() };
    progress.clear();
    clock.lap("building memory");
    progress.begin(asked.questions.len());
    let mut tick = |done| progress.tick(done);
    let answered = match &speaker {
        Some(speaker) => {
            run_with_model(&memory, &*speaker.engine, &asked.questions, setting, &Arm::ALL, cancel, &mut tick)?
        }
        None => by_memory(&memory, &asked.questions, setting, cancel, &mut tick)?,
    };
    progress.clear();
    clock.lap("answering");
    let guarded = guard::look(&memory, &asked.questions, &answered)?;
    progress.show("resampling people …");
    let plan = Plan::seeded(args.seed);
    let pasts = pasts(&dataset, &asked.questions);
    let guard = dataset.manifest.retrieval.guard;
    let people: Vec<_> = asked.questions.iter().map(|question| question.user).collect();
    let inquiry = Inquiry {
        questions: &asked.questions,
        units: Unit::of_askers(&people).observations(&people),
        answered: &answered,
        pasts: &pasts,
        measures: &measures,
        guard,
        plan,
    };
    let mut groupings: Vec<Grouping> = Vec::new();
    for by in &args.by {
        if groupings.iter().all(|known| known.by != *by) {
            groupings.push(grouping(by, &inquiry, &dataset, &memory)?);
        }
    }
    let provenance = Provenance {
        schema: SCHEMA,
        dataset: dataset.manifest.name.clone(),
        task: dataset.manifest.task,
        dataset_hash: dataset.content_hash(),
        records_hash: dataset.records_hash(),
        predictor: args.predictor.name(),
        model: speaker.map(|speaker| speaker.report),
        split: SplitReport {
            split,
            history: asked.history_range,
            queries: asked.query_range,
            without_gold: asked.without_gold,
            sampled: asked.sampled,
            fitted_on: None,
        },
        policy,
        weights: Some(weights),
        gap_days: 0.0,
        guard,
        settings: Some(Settings::of(&dataset.manifest)),
        embedder: memory.embedder(),
        plan,
    };
    let found = audit(
        &inquiry,
        guarded,
        Wanted {
            provenance,
            groupings: &groupings,
            bounds: Bounds { gap: args.max_gap, suppression: args.max_suppression },
            cases: args.cases,
            names: &dataset.manifest.responses(),
            opening: &opening(common, args),
        },
    );
    progress.clear();
    clock.lap("judging");
    heed(cancel)?;
    Ok(found)
}

/// Refuses bounds that could never be exceeded: two accuracies differ by 1 at most, two errors by the whole scale.
fn refuse(args: &AuditArgs, measures: &TaskMeasures) -> Result<(), CliError> {
    let (most, what) = match measures {
        TaskMeasures::Rating(steps) => {
            let (low, high) = (steps.first().copied().unwrap_or_default(), steps.last().copied().unwrap_or_default());
            (high - low, format!("an error can differ on a scale from {low} to {high}"))
        }
        TaskMeasures::Labels(_) | TaskMeasures::Text(_) => (1.0, "accuracy can differ".to_owned()),
    };
    match args.max_gap.filter(|gap| *gap > most) {
        Some(gap) => {
            Err(CliError::Usage(format!("--max-gap {gap} is more than {what}; give a number from 0 to {most}")))
        }
        None => Ok(()),
    }
}

/// The command that asks one of the questions in the same setting.
fn opening(common: &Common, args: &AuditArgs) -> Vec<String> {
    let mut words = vec!["logoscope".to_owned(), "ask".to_owned()];
    let mut give = |option: &str, value: String| words.extend([option.to_owned(), value]);
    if let Some(data) = &common.data {
        give("--data", data.display().to_string());
    }
    match args.predictor {
        Predictor::Memory => give("--model", "none".to_owned()),
        Predictor::Model if common.model_given => give("--model", common.model.clone()),
        Predictor::Model => {}
    }
    if let Some(policy) = args.policy {
        give("--policy", policy.to_string());
    }
    for (weight, value) in &args.weights {
        give("--weight", format!("{weight}={value}"));
    }
    words
}
