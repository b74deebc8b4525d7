//! `logoscope eval`: every arm on the same queries, with intervals, paired tests and buckets.

pub(super) mod progress;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use serde_json::json;

use self::progress::{Clock, Progress};
use super::ask::parse_weight;
use super::import::interrupted;
use super::output::legible;
use super::target::Target;
use super::{CliError, Common, model};
use crate::data::dataset::{Dataset, Manifest, TaskKind};
use crate::data::embedding::Embedding;
use crate::engine::engine::Engine;
use crate::engine::fit::Fit;
use crate::engine::prompt::Arm;
use crate::eval::assessment::{
    Assessment, GAIN_SCHEMA, GainReport, ModelReport, Provenance, SCHEMA, Settings, SplitReport,
};
use crate::eval::contest::Contest;
use crate::eval::experiment::{Setting, run as by_memory, run_with_model};
use crate::eval::fit::{fit, rating, tuning};
use crate::eval::judge::correct_over_windows;
use crate::eval::metrics::{LabelMeasures, TaskMeasures};
use crate::eval::report::{self, Section};
use crate::eval::row::Row;
use crate::eval::signs::Sightings;
use crate::eval::split::{Asked, Question, Range, Split};
use crate::eval::stats::{Plan, Unit};
use crate::eval::{EvalError, ablate, counted, peer};
use crate::mediator::{Policy, Weight, Weights};
use crate::memory::{Apart, Memory};

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// What answers
    #[arg(long, default_value = "memory")]
    predictor: Predictor,
    /// Ask the later part of the interactions: the first FRACTION by (at, id) is history [default: the dataset's judged
    /// queries]
    #[arg(long, value_name = "FRACTION")]
    split: Option<f64>,
    /// Cut the queries after --split into N windows of time, and fit weights and peers anew at the start of each on
    /// everything before it: a rolling origin
    #[arg(long, value_name = "N", requires = "split", conflicts_with_all = ["ablate", "limit"])]
    origins: Option<usize>,
    /// Ask only N of the queries, drawn by lot from --seed
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<std::num::NonZeroUsize>,
    /// Arms to report
    #[arg(long, value_delimiter = ',', value_name = "A,B", default_value = "none,local,global,mediated")]
    arms: Vec<Arm>,
    /// The mediator's rule [default: product for labels, shrinkage for ratings]
    #[arg(long)]
    policy: Option<Policy>,
    /// Set a weight, `prior-strength=4`; may be repeated
    #[arg(long = "weight", value_name = "NAME=VALUE", value_parser = parse_weight)]
    weights: Vec<(Weight, f64)>,
    /// Also judge plain predictors on the same queries. Labels: majority label, own mode, TF-IDF logistic regression
    /// without and with the user, fitted on the history of --split. Ratings: global mean, user bias, item bias, both
    #[arg(long, requires = "split")]
    peers: bool,
    /// Fit the constants of memory and mediator first, on the history alone
    #[arg(long)]
    fit: bool,
    /// Print instead what each ingredient is worth: the same queries with one after another left out
    #[arg(long)]
    ablate: bool,
    /// Print instead the gain over local at 0, 1–5 and 0–5 visible items, with both figures and the ceiling
    #[arg(long, conflicts_with = "ablate")]
    gain: bool,
    /// With --format json: every query with every answer, as `logoscope compare` reads it
    #[arg(long)]
    rows: bool,
    /// Hide the person's own items of the last DAYS before each query, from them alone
    #[arg(long, value_name = "DAYS", default_value_t = 0.0, value_parser = parse_days)]
    gap: f64,
    /// Fewest distinct contributors of anything collective [default: the dataset's]
    #[arg(long, value_name = "K", value_parser = parse_guard)]
    guard: Option<usize>,
    /// What makes vectors of texts: hash, static:DIR with the folder of a table, or model:DIR with that of an embedding model [default: the dataset's]
    #[arg(long, value_name = "EMBEDDER")]
    embedder: Option<Embedding>,
    /// Seed of bootstrap, permutations and --limit
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Form,
    #[command(flatten)]
    target: Target,
}

fn parse_days(text: &str) -> Result<f64, String> {
    let days = text.parse().ok().filter(|days: &f64| *days >= 0.0 && days.is_finite());
    days.ok_or_else(|| format!("'{text}' is no number of days; give one from 0 up"))
}

fn parse_guard(text: &str) -> Result<usize, String> {
    let guard = text.parse().ok().filter(|guard| *guard > 0);
    guard.ok_or_else(|| format!("'{text}' is no number of contributors; give one from 1 up"))
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For reading
    Text,
    /// One object, by contract
    Json,
    /// For a repository or an issue
    Md,
    /// One page that loads nothing
    Html,
    /// eval: one row a query; audit: one row a figure; compare has none
    Csv,
}

/// What answers the queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Predictor {
    /// Memory and mediator alone
    Memory,
    /// --model on every arm, fused with that arm's memory; what each says by itself is judged beside it
    Model,
}

impl Predictor {
    pub(super) fn name(self) -> &'static str {
        match self {
            Predictor::Memory => "memory",
            Predictor::Model => "model",
        }
    }
}

/// Runs the command.
pub fn run(common: &Common, args: &EvalArgs) -> Result<ExitCode, CliError> {
    args.target.check()?;
    let report = match evaluate(common, args, &interrupted()) {
        Err(CliError::Eval(EvalError::Interrupted)) => return Ok(super::given_up("evaluation")),
        report => report?,
    };
    args.target.put(&report)?;
    Ok(ExitCode::SUCCESS)
}

/// A number that is not 0.
pub(super) fn at_least_one(text: &str) -> Result<std::num::NonZeroUsize, String> {
    text.parse().map_err(|_| "give a whole number from 1 on".to_owned())
}

fn evaluate(common: &Common, args: &EvalArgs, cancel: &AtomicBool) -> Result<String, CliError> {
    args.policy.map_or(Ok(()), super::by_rules)?;
    let mut dataset = common.dataset()?;
    heed(cancel)?;
    if let Some(guard) = args.guard {
        dataset.manifest.retrieval.guard = guard;
    }
    if let Some(embedder) = &args.embedder {
        dataset.manifest.retrieval.embedder = embedder.clone();
        dataset.manifest.retrieval.embedder.load(Path::new(""))?;
        common.embed(&mut dataset)?;
    }
    let measures = TaskMeasures::of(&dataset.manifest)?;
    refuse(args, &measures)?;
    let split = match (args.split, args.origins) {
        (Some(share), Some(origins)) => Split::Rolling { share, origins },
        (Some(share), None) => Split::Share { share },
        (None, _) => Split::Judged,
    };
    let mut windows = Asked::windows(&dataset, split)?;
    if let Some(limit) = args.limit {
        windows.iter_mut().for_each(|asked| asked.sample(limit.get(), args.seed));
    }
    let policy = args.policy.unwrap_or(Policy::of(dataset.manifest.task));
    tell_idle(common, args.predictor, policy, dataset.manifest.task, &args.weights);
    let mut progress = Progress::start();
    windows.iter().for_each(|asked| progress.say(&ranges(asked)));
    let mut clock = Clock::start();
    let speaker = match args.predictor {
        Predictor::Memory => None,
        Predictor::Model => {
            progress.show("loading the model …");
            Some(Speaker::load(common, &dataset.manifest)?)
        }
    };
    heed(cancel)?;
    let mut run = Run { args, dataset: &dataset, measures, speaker, cancel, memory: Memory::build(&dataset) };
    heed(cancel)?;
    clock.lap("building memory");
    let latest = windows.iter().flat_map(|asked| &asked.questions).map(|question| question.at).max();
    let people = run.memory.population.users.len();
    if people > dataset.manifest.retrieval.guard && latest.is_some_and(|latest| !run.memory.hears_others(latest)) {
        progress.clear();
        let remedy = dataset.manifest.periods.length.remedy();
        super::complain(&format!(
            "no period closes before any query, so that arm global answers as none does: {remedy}"
        ));
    }
    let earliest = windows.iter().map(|asked| asked.query_range.from).min();
    earliest.map_or(Ok(()), |earliest| run.memory.allow(earliest)).map_err(EvalError::from)?;
    if args.ablate {
        let asked = &windows[0];
        let fitted_on = run.fit(asked, &progress)?;
        progress.clear();
        return match run.measures {
            TaskMeasures::Labels(labels) => run.ablations(asked, fitted_on, labels),
            TaskMeasures::Text(texts) => run.ablations(asked, fitted_on, texts.forms),
            TaskMeasures::Rating(_) => Err(EvalError::Task(dataset.manifest.task).into()),
        };
    }
    let mut stages = VecDeque::new();
    for asked in &windows {
        stages.push_back(run.stage(asked, &mut progress, &mut clock)?);
    }
    progress.show("resampling people …");
    let plan = Plan::seeded(args.seed);
    let rolling = matches!(split, Split::Rolling { .. });
    let unit = Unit::of_askers(&windows.iter().flat_map(|asked| &asked.questions).map(|q| q.user).collect::<Vec<_>>());
    let mut origins = Vec::new();
    for (asked, stage) in windows.iter().zip(&stages).filter(|_| rolling) {
        let material = stage.contest.material(&asked.questions, unit, run.measures.clone());
        origins.push(material.window(asked, stage.weights, stage.fitted_on, plan));
    }
    correct_over_windows(&mut origins);

    let of_its_own = rolling && args.fit;
    let Some(Stage { mut contest, weights, fitted_on, mut seen }) = stages.pop_front() else {
        return Err(EvalError::NoQuery(dataset.manifest.name.clone()).into());
    };
    for later in stages {
        contest.join(later.contest);
        seen.join(later.seen);
    }
    let questions: Vec<Question> = windows.iter().flat_map(|asked| asked.questions.iter().copied()).collect();
    let first = &windows[0];
    let material = contest.material(&questions, unit, run.measures.clone());
    let mut assessment = material.assess(Provenance {
        schema: SCHEMA,
        dataset: dataset.manifest.name.clone(),
        task: dataset.manifest.task,
        dataset_hash: dataset.content_hash(),
        records_hash: dataset.records_hash(),
        predictor: args.predictor.name(),
        model: run.speaker.map(|speaker| speaker.report),
        split: SplitReport {
            split,
            history: first.history_range,
            queries: Range::of_moments(questions.iter().map(|q| q.at)).unwrap_or(first.query_range),
            without_gold: first.without_gold,
            sampled: first.sampled,
            fitted_on: fitted_on.filter(|_| !rolling),
        },
        policy,
        weights: (!of_its_own).then_some(weights),
        gap_days: args.gap,
        guard: dataset.manifest.retrieval.guard,
        settings: (!of_its_own).then(|| Settings::of(&run.memory.manifest)),
        embedder: run.memory.embedder(),
        plan,
    });
    assessment.origins = origins;
    assessment.signs = Some(seen.signs());
    if args.rows {
        assessment.rows = Row::all(&material, &dataset.manifest.responses());
    }
    progress.clear();
    clock.lap("judging");
    heed(cancel)?;
    match args.format {
        Form::Csv => Ok(report::csv(&material, &dataset.manifest.responses(), &assessment.provenance.embedder)),
        _ if args.gain => gain(args.format, assessment),
        form => {
            let title = format!("Evaluation of {}", dataset.manifest.name);
            printed(form, &title, &report::sections(&assessment), &assessment)
        }
    }
}

/// Ends what somebody asked to stop. Reading data and building memory do not listen, so this is asked between them.
pub(super) fn heed(cancel: &AtomicBool) -> Result<(), EvalError> {
    if cancel.load(Ordering::Relaxed) { Err(EvalError::Interrupted) } else { Ok(()) }
}

/// Tells which of what the command line names changes nothing: a weight, or a model that is not asked. A model that the
/// configuration names is meant for other commands as well.
pub(super) fn tell_idle(
    common: &Common,
    predictor: Predictor,
    policy: Policy,
    task: TaskKind,
    weights: &[(Weight, f64)],
) {
    let asks = predictor == Predictor::Model;
    if !asks && common.model_given && common.model != "none" {
        let model = &common.model;
        super::complain(&format!("--model {model} is not asked here: memory answers; add --predictor model to ask it"));
    }
    for (weight, _) in weights {
        if let Some(reason) = super::sweep::idle(*weight, policy, task, asks) {
            super::complain(&format!("--weight {weight} changes nothing here: {reason}"));
        }
    }
}

/// Refuses options that do not go together, each with what to do instead.
fn refuse(args: &EvalArgs, measures: &TaskMeasures) -> Result<(), CliError> {
    let told = if args.ablate && matches!(measures, TaskMeasures::Rating(_)) {
        "--ablate is for labels tasks; set a weight of a rating task instead, such as --weight half-life=inf"
    } else if args.ablate && args.format == Form::Csv {
        "--ablate has no rows a query; use --format text, md, html or json"
    } else if args.gain && args.format == Form::Csv {
        "--gain has no rows a query; use --format text, md, html or json"
    } else if args.ablate && args.predictor == Predictor::Model {
        "--ablate leaves out ingredients of memory; use it with --predictor memory"
    } else if args.gain && ![Arm::Local, Arm::Global, Arm::Mediated].iter().all(|arm| args.arms.contains(arm)) {
        "--gain compares the arms local, global and mediated; name all three in --arms, or leave it out"
    } else if args.rows && (args.format != Form::Json || args.gain || args.ablate) {
        "--rows is part of the whole result as JSON; use --format json without --gain and --ablate"
    } else {
        return Ok(());
    };
    Err(CliError::Usage(told.to_owned()))
}

/// A result in the wanted form; `figures` is what JSON says.
pub(super) fn printed(
    form: Form,
    title: &str,
    sections: &[Section],
    figures: &impl serde::Serialize,
) -> Result<String, CliError> {
    Ok(match form {
        Form::Md => report::markdown_of(title, sections),
        Form::Html => report::page(title, sections, &serde_json::to_value(figures).map_err(std::io::Error::from)?),
        Form::Json => serde_json::to_string(figures).map_err(std::io::Error::from)? + "\n",
        Form::Text | Form::Csv => legible(&report::text_of(sections)).into_owned(),
    })
}

/// The gain over local alone.
fn gain(form: Form, mut assessment: Assessment) -> Result<String, CliError> {
    assessment.provenance.schema = GAIN_SCHEMA;
    let title = format!("Gain over local of {}", assessment.provenance.dataset);
    printed(form, &title, &report::gain(&assessment), &GainReport::of(&assessment))
}

/// The model that answers.
pub(super) struct Speaker {
    /// Asked.
    pub(super) engine: Box<dyn Engine>,
    /// What a report says of it.
    pub(super) report: ModelReport,
    /// How it stands to the dataset.
    pub(super) fit: Fit,
}

impl Speaker {
    pub(super) fn load(common: &Common, manifest: &Manifest) -> Result<Self, CliError> {
        let Some(place) = common.model_place()? else {
            let told = "--predictor model asks a model and --model is none; name one, or use --predictor memory";
            return Err(CliError::Usage(told.to_owned()));
        };
        let fit = common.training(&place)?.fit(manifest);
        if let Fit::Other { what, stranger } = &fit {
            let model = &common.model;
            return Err(CliError::Usage(format!(
                "{model} was trained for other {what} ('{stranger}' is not among them); give --model one that knows \
                 this dataset's, or use --predictor memory"
            )));
        }
        let Some(engine) = model::engine(&common.load_options(), Some(&place))? else {
            return Err(CliError::Engine(crate::engine::error::EngineError::NotLoaded));
        };
        let caps = engine.caps();
        let report = ModelReport {
            name: caps.name.clone(),
            hash: model::identity(&place)?,
            device: caps.device.clone(),
            dtype: caps.dtype.clone(),
            scores: caps.score,
            writes: manifest.task == TaskKind::Text,
        };
        Ok(Self { engine, report, fit })
    }
}

/// Everything that stays the same from window to window.
struct Run<'a> {
    args: &'a EvalArgs,
    dataset: &'a Dataset,
    measures: TaskMeasures,
    speaker: Option<Speaker>,
    cancel: &'a AtomicBool,
    memory: Memory,
}

/// One window's answers with the weights they were made with.
struct Stage {
    contest: Contest,
    weights: Weights,
    fitted_on: Option<Range>,
    seen: Sightings,
}

impl Run<'_> {
    fn apart(&self) -> Apart {
        Apart { gap_days: self.args.gap, ..Apart::default() }
    }

    /// Fits memory's constants on the history of `asked` if that is wanted, from the dataset's own; the time they were
    /// fitted on.
    fn fit(&mut self, asked: &Asked, progress: &Progress) -> Result<Option<Range>, CliError> {
        self.memory.retune(self.dataset.manifest.clone());
        if !self.args.fit {
            return Ok(None);
        }
        let apart = self.apart();
        let mut tell = |step: &str| progress.show(step);
        Ok(Some(match &self.measures {
            TaskMeasures::Labels(_) | TaskMeasures::Text(_) => {
                fit(&mut self.memory, asked.history, apart, self.cancel, &mut tell)?.tuning
            }
            TaskMeasures::Rating(_) => {
                rating::fit(&mut self.memory, asked.history, apart, self.cancel, &mut tell)?.tuning
            }
        }))
    }

    fn stage(&mut self, asked: &Asked, progress: &mut Progress, clock: &mut Clock) -> Result<Stage, CliError> {
        let fitted_on = self.fit(asked, progress)?;
        progress.clear();
        clock.lap("fitting");
        let (args, memory, questions) = (self.args, &self.memory, &asked.questions);
        let policy = args.policy.unwrap_or(Policy::of(memory.manifest.task));
        let defaults = match &self.speaker {
            Some(speaker) => speaker.fit.defaults(policy, &memory.manifest),
            None => Weights::defaults(policy, &memory.manifest),
        };
        let weights = args.weights.iter().fold(defaults, |weights, (weight, value)| weights.with(*weight, *value));
        let setting = Setting { policy, weights, apart: self.apart() };
        progress.begin(questions.len());
        let mut tick = |done| progress.tick(done);
        let answered = match &self.speaker {
            Some(speaker) => {
                run_with_model(memory, &*speaker.engine, questions, setting, &args.arms, self.cancel, &mut tick)?
            }
            None => by_memory(memory, questions, setting, self.cancel, &mut tick)?,
        };
        progress.clear();
        clock.lap("answering");
        let peers = match (&self.measures, args.peers) {
            (_, false) => Vec::new(),
            (TaskMeasures::Labels(_) | TaskMeasures::Text(_), true) => {
                progress.show("fitting peers on the history …");
                peer::contestants(self.dataset, asked, args.gap, self.cancel)?
            }
            (TaskMeasures::Rating(steps), true) => peer::rating::contestants(self.dataset, asked, steps, args.gap),
        };
        clock.lap("fitting peers");
        let seen = Sightings::of(questions, &answered, &args.arms);
        Ok(Stage { contest: Contest::of(&args.arms, &answered, peers), weights, fitted_on, seen })
    }

    /// One table of what each ingredient is worth.
    fn ablations(
        &mut self,
        asked: &Asked,
        fitted_on: Option<Range>,
        measures: LabelMeasures,
    ) -> Result<String, CliError> {
        let (apart, args, memory) = (self.apart(), self.args, &mut self.memory);
        let tuning = match fitted_on {
            Some(_) => tuning(&memory.manifest, asked.history),
            None => Vec::new(),
        };
        let plan = Plan::seeded(args.seed);
        let ablated = ablate::ablate(memory, &asked.questions, &tuning, apart, measures, plan, self.cancel)?;
        let name = &memory.manifest.name;
        let embedder = memory.embedder();
        let unit = Unit::of(asked.questions.iter().map(|question| question.user).collect::<BTreeSet<_>>().len());
        let section = report::ablation(name, &embedder, &ablated, unit, asked.query_range, fitted_on);
        let object = json!({
            "schema": ablate::SCHEMA,
            "dataset": name,
            "embedder": embedder,
            "resampled": unit,
            "queries": asked.query_range,
            "fitted_on": fitted_on,
            "variants": ablated,
        });
        printed(args.format, &format!("Evaluation of {name}"), &[section], &object)
    }
}

/// Which stretch of time is used for what.
pub(super) fn ranges(asked: &Asked) -> String {
    let told = |range: Range| format!("{} to {}", range.from.date(), range.to.date());
    let history = asked.history_range.map_or_else(|| "none".to_owned(), told);
    let n = counted(asked.questions.len(), "query", "queries");
    format!("{n}, {}; history {history}", told(asked.query_range))
}
