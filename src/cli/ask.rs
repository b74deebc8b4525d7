//! `logoscope ask`: one question, or a file of them, on the four arms; text for reading, JSON by contract, and one arm's
//! answers as LaMP's evaluation reads them.

mod attribution;
mod json;
mod lamp;
mod profile;
mod questions;
mod text;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use self::attribution::Attributed;
use self::profile::{Standing, Wanted};
use self::questions::{Named, questions};
use super::store::tell;
use super::{CliError, Common, model, output, profiles_folder};
use crate::data::sanitize::visible;
use crate::engine::answer::{self, ArmAnswer};
use crate::engine::engine::{Caps, Engine};
use crate::engine::prompt::{Arm, Blocks, Question};
use crate::engine::reconcile::{self, Written};
use crate::mediator::conflict::Conflict;
use crate::mediator::counterfactual::{Removed, Without, counterfactuals};
use crate::mediator::flip::{Flip, flips};
use crate::mediator::ledger::ledger;
use crate::mediator::policy::Disagreement;
use crate::mediator::signature::{Signature, too_local};
use crate::mediator::{Evidence, Policy, Resolution, Weight, Weights, mediate};
use crate::memory::explain::Node;
use crate::memory::local::LocalHit;
use crate::memory::portrait::Portrait;
use crate::memory::{Memory, MemoryRead};

/// Version of the JSON object that `ask` prints.
const SCHEMA: &str = "logoscope.ask/1";
/// Items left out that are told of.
const ITEMS: usize = 10;

/// Options of `ask`.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// Who asks
    #[arg(long, value_name = "U", required_unless_present = "queries")]
    user: Option<String>,
    /// Accept a user without history
    #[arg(long)]
    new_user: bool,
    /// What is asked
    #[arg(long, value_name = "Q", required_unless_present = "queries")]
    query: Option<String>,
    /// Ask every line {"user", "query", "at"?} of this file, or - for standard input; one result a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "query"])]
    queries: Option<PathBuf>,
    /// When: a date, RFC 3339 or whole seconds; memory is read strictly before [default: just after the last interaction]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    at: Option<String>,
    /// Arms to ask the model on [default: none,local,global,mediated; of --format lamp: mediated]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    arms: Vec<Arm>,
    /// The mediator's rule [default: product for labels, shrinkage for ratings]
    #[arg(long)]
    policy: Option<Policy>,
    /// Set a weight, `prior-strength=4`; may be repeated
    #[arg(long = "weight", value_name = "NAME=VALUE", value_parser = parse_weight)]
    weights: Vec<(Weight, f64)>,
    /// The person's prose profile in the prompts: off, on (the kept one, else the model writes it), or its text
    #[arg(long, value_name = "off|on|TEXT", default_value = "off")]
    profile: Wanted,
    /// Show how every score adds up, the rules of conflicts, the decision without each memory, and what is characteristic
    /// of the person
    #[arg(long)]
    explain: bool,
    /// Show what each memory, and each line of it, adds to the answer of an arm: the model is asked without them
    #[arg(long, value_name = "ARM", num_args = 0..=1, require_equals = true, default_missing_value = "mediated")]
    attribution: Option<Arm>,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Form,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For reading
    Text,
    /// One object a question
    Json,
    /// One object for all of --queries, as LaMP's evaluation reads predictions: the answers of one arm by id
    Lamp,
}

pub(super) fn parse_weight(text: &str) -> Result<(Weight, f64), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is not NAME=VALUE"))?;
    let weight: Weight = name.trim().parse()?;
    let number: f64 = value.trim().parse().map_err(|_| format!("'{value}' is no number"))?;
    Ok((weight, weight.checked(number).map_err(|error| error.to_string())?))
}

/// Runs the command.
pub fn run(common: &Common, args: &AskArgs) -> Result<ExitCode, CliError> {
    let memory = common.memory()?;
    let questions = questions(args, &memory)?;
    let (place, fit) = common.fitting_model(&memory.manifest)?;
    let engine = model::engine(&common.load_options(), place.as_ref())?;
    let policy = args.policy.unwrap_or(Policy::of(memory.manifest.task));
    reconcile::check(policy, engine.as_deref().map(Engine::caps))?;
    let mut weights = fit.defaults(policy, &memory.manifest);
    for (weight, value) in &args.weights {
        weights = weights.with(*weight, *value);
    }
    if args.format == Form::Lamp {
        return lamp::run(&memory, engine.as_deref(), (weights, policy), args, &questions);
    }
    let arms = if args.arms.is_empty() { &Arm::ALL[..] } else { &args.arms };
    let attributed = attribution::wanted(args, engine.as_deref(), policy, arms)?;
    let profiles = profiles_folder();
    let setting = Setting { weights, policy, arms, profile: (&args.profile, &profiles) };
    let mut out = std::io::stdout();
    for Named { question, .. } in &questions {
        let asked = ask(&memory, engine.as_deref(), &setting, question)?;
        tell(&memory.notices());
        let explained = if args.explain { Some(Explained::of(&memory, &asked)?) } else { None };
        let attribution = attributed.map(|(arm, engine)| Attributed::of(&memory, &asked, arm, engine)).transpose()?;
        match args.format {
            Form::Json => {
                let mut printed = asked.to_json(&memory);
                if let Some(explained) = &explained {
                    printed["explain"] = serde_json::to_value(explained).map_err(std::io::Error::from)?;
                }
                if let Some(attribution) = &attribution {
                    printed["attribution"] = attribution.to_json();
                }
                serde_json::to_writer(&mut out, &printed).map_err(std::io::Error::from)?;
                writeln!(out)?;
            }
            Form::Text | Form::Lamp => {
                let explained = explained.as_ref().map(Explained::to_text).unwrap_or_default();
                let attribution = attribution.as_ref().map(Attributed::to_text).unwrap_or_default();
                write!(output::out(), "{}{explained}{attribution}", asked.to_text(&memory, args.explain))?;
            }
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How questions are asked.
struct Setting<'a> {
    weights: Weights,
    policy: Policy,
    arms: &'a [Arm],
    /// Which profile stands in prompts, and where profiles are kept.
    profile: (&'a Wanted, &'a Path),
}

/// A question with everything that was found out about it.
struct Asked<'a> {
    question: &'a Question,
    read: MemoryRead,
    weights: Weights,
    policy: Policy,
    resolution: Resolution,
    ledger: Vec<Conflict>,
    without: Vec<Without>,
    signature: Option<Signature>,
    flips: Vec<Flip>,
    arms: BTreeMap<Arm, ArmAnswer>,
    /// The model that was asked.
    model: Option<Caps>,
    /// The memory that the model wrote for the mediated arm, under a policy that has it written.
    written: Option<(Written, Option<Disagreement>)>,
    /// The person's profile that stood in prompts.
    profile: Option<Standing>,
}

fn ask<'a>(
    memory: &Memory,
    engine: Option<&dyn Engine>,
    setting: &Setting,
    question: &'a Question,
) -> Result<Asked<'a>, CliError> {
    let read = memory.read(&question.user, &question.query, question.at)?;
    let manifest = &memory.manifest;
    let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
    let resolution = mediate(&evidence, &setting.weights, setting.policy);
    let ledger = ledger(&evidence, &setting.weights, &resolution);
    let voices = read.global.parts.voices(&read.global.base, &manifest.calibration);
    let without = counterfactuals(&evidence, &setting.weights, setting.policy, &voices);
    let signature = too_local(&resolution, &without);
    let flips = flips(&evidence, &setting.weights, setting.policy);
    let (mut arms, mut written) = (BTreeMap::new(), None);
    let (weights, policy) = (setting.weights, setting.policy);
    let (wanted, folder) = setting.profile;
    let profile = wanted.standing(memory, engine, question, folder)?;
    let prose = profile.as_ref().map(|standing| standing.profile.text());
    let blocks = Blocks::of(memory, &question.query, &read).with_profile(prose);
    for &arm in setting.arms {
        let answered = match engine {
            Some(engine) if arm == Arm::Mediated && policy.writes() => {
                let wrote = reconcile::write(engine, &blocks, &weights)?;
                let request = answer::request_written(&blocks, memory.scored_labels(), &wrote.text);
                let answered = answer::by_model_asked(engine, request, &resolution, arm, &weights)?;
                // Nothing is scored of texts, nor by a server that reports no probabilities.
                let said = answered.log_probabilities.as_deref().filter(|said| !said.is_empty());
                written = Some((wrote, said.map(|said| Disagreement::of(&resolution, said))));
                answered
            }
            Some(engine) => {
                let request = answer::request(&blocks, memory.scored_labels(), arm, &weights);
                answer::by_model_asked(engine, request, &resolution, arm, &weights)?
            }
            None => answer::by_memory(&resolution, arm),
        };
        arms.insert(arm, answered);
    }
    let model = engine.map(|engine| engine.caps().clone());
    Ok(Asked {
        question,
        read,
        weights,
        policy,
        resolution,
        ledger,
        without,
        signature,
        flips,
        arms,
        model,
        written,
        profile,
    })
}

/// How the scores of the shown hits add up.
#[derive(Serialize)]
struct Explained {
    local: Vec<Node>,
    global: Vec<Node>,
    portrait: Portrait,
}

impl Explained {
    fn of(memory: &Memory, asked: &Asked) -> Result<Self, CliError> {
        let Question { user, query, at } = asked.question;
        let id = |hit: &LocalHit| &memory.population.id[hit.item];
        let read = &asked.read;
        let local = read.local.shown().iter().filter_map(|hit| memory.explain_item(query, *at, read, id(hit)));
        let hits = read.global.hits.iter();
        let global = hits.filter_map(|hit| memory.explain_entry(user, query, *at, read, &hit.id).transpose());
        Ok(Self {
            local: local.collect(),
            global: global.collect::<Result<_, _>>()?,
            portrait: memory.portrait(user, *at),
        })
    }

    /// Indented trees.
    fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::from("how scores add up:\n");
        for (depth, value, node) in self.local.iter().chain(&self.global).flat_map(Node::rounded) {
            let indent = 2 * depth;
            let _ = writeln!(out, "  {:indent$}{value:+.3} {}  {}", "", visible(&node.name), visible(&node.note));
        }
        let words: Vec<String> = self.portrait.words.iter().map(|word| visible(&word.word).into_owned()).collect();
        let words = if words.is_empty() { "none".to_owned() } else { words.join(", ") };
        let _ = writeln!(out, "characteristic words: {words}");
        if let Some(style) = &self.portrait.style {
            let (words, questions, numbers) = (style.words, style.questions, style.numbers);
            let _ = writeln!(out, "style: {words:.1} words a text, questions {questions:.2}, numbers {numbers:.2}");
        }
        out.push('\n');
        out
    }
}
impl Asked<'_> {
    /// Communities and sides left out, and the items that count most.
    fn told(&self) -> impl Iterator<Item = &Without> {
        let mut items = 0;
        self.without.iter().filter(move |without| {
            let item = matches!(without.removed, Removed::Item(_));
            items += usize::from(item);
            !item || items <= ITEMS
        })
    }

    fn residual(&self, hit: &LocalHit) -> Option<f64> {
        hit.residual(&self.read.scored.as_ref()?.steps)
    }
}
