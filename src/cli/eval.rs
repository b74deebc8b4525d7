//! `logoscope eval`: every arm on the same queries, with intervals, paired tests and buckets.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::ask::parse_weight;
use super::import::interrupted;
use super::{CliError, Common, file_error};
use crate::data::dataset::write_whole;
use crate::data::embedding::Embedding;
use crate::engine::prompt::Arm;
use crate::eval::assessment::{Provenance, SCHEMA, SplitReport};
use crate::eval::experiment::{Answered, Setting, run as experiment};
use crate::eval::fit::{fit, rating, tuning};
use crate::eval::judge::{Contestant, Material};
use crate::eval::metrics::{LabelMeasures, TaskMeasures};
use crate::eval::report;
use crate::eval::split::{Asked, Range, Split};
use crate::eval::stats::Plan;
use crate::eval::{EvalError, ablate, peer};
use crate::mediator::{Policy, Weight, Weights};
use crate::memory::{Apart, Memory};

/// Between two lines of progress.
const TICK: Duration = Duration::from_millis(100);
/// Before the first one: the first answers wait for memory to form and say nothing of the rate.
const WARM_UP: Duration = Duration::from_secs(1);

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
    /// Hide the person's own items of the last DAYS before each query, from them alone
    #[arg(long, value_name = "DAYS", default_value_t = 0.0, value_parser = parse_days)]
    gap: f64,
    /// Fewest distinct contributors of anything collective [default: the dataset's]
    #[arg(long, value_name = "K", value_parser = parse_guard)]
    guard: Option<usize>,
    /// What makes vectors of texts: hash, or static:DIR with the folder of a table [default: the dataset's]
    #[arg(long, value_name = "EMBEDDER")]
    embedder: Option<Embedding>,
    /// Seed of bootstrap and permutations
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Form,
    /// File to write, whole or not at all [default: standard output]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
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
enum Form {
    /// For reading
    Text,
    /// One object, by contract
    Json,
    /// For a repository or an issue
    Md,
    /// One row a query
    Csv,
}

/// What answers the queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Predictor {
    /// Memory and mediator alone
    Memory,
}

impl Predictor {
    fn name(self) -> &'static str {
        match self {
            Predictor::Memory => "memory",
        }
    }
}

/// Runs the command.
pub fn run(common: &Common, args: &EvalArgs) -> Result<ExitCode, CliError> {
    if let Some(out) = &args.out {
        writable(out)?;
    }
    let report = match evaluate(common, args, &interrupted()) {
        Err(CliError::Eval(error @ EvalError::Interrupted)) => {
            super::complain(&error.to_string());
            return Ok(ExitCode::from(130));
        }
        report => report?,
    };
    match &args.out {
        Some(path) => write_whole(path, report.as_bytes())?,
        None => std::io::stdout().lock().write_all(report.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds out before a long run that its result could not be written.
pub(super) fn writable(out: &Path) -> Result<(), CliError> {
    use std::io::ErrorKind::{IsADirectory, NotFound};
    if out.is_dir() {
        return Err(file_error(out, IsADirectory.into()));
    }
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(file_error(folder, NotFound.into())),
        _ => Ok(()),
    }
}

fn evaluate(common: &Common, args: &EvalArgs, cancel: &AtomicBool) -> Result<String, CliError> {
    let mut dataset = common.dataset()?;
    if let Some(guard) = args.guard {
        dataset.manifest.retrieval.guard = guard;
    }
    if let Some(embedder) = &args.embedder {
        dataset.manifest.retrieval.embedder = embedder.clone();
        dataset.manifest.retrieval.embedder.load(Path::new(""))?;
    }
    let measures = TaskMeasures::of(&dataset.manifest)?;
    let policy = args.policy.unwrap_or(Policy::of(dataset.manifest.task));
    let apart = Apart { gap_days: args.gap, ..Apart::default() };
    let split = args.split.map_or(Split::Judged, |share| Split::Share { share });
    let asked = Asked::of(&dataset, split)?;
    if args.ablate && matches!(measures, TaskMeasures::Rating(_)) {
        let told =
            "--ablate is for labels tasks; set a weight of a rating task instead, such as --weight half-life=inf";
        return Err(CliError::Usage(told.to_owned()));
    }
    if args.ablate && args.format == Form::Csv {
        return Err(CliError::Usage("--ablate has no rows a query; use --format text, md or json".to_owned()));
    }
    let mut progress = Progress::start(asked.questions.len());
    progress.say(&ranges(&asked));
    let mut clock = Clock::start();
    let mut memory = Memory::build(&dataset);
    clock.lap("building memory");
    memory.allow(asked.query_range.from).map_err(EvalError::from)?;
    let fitted_on = match (args.fit, &measures) {
        (false, _) => None,
        (true, TaskMeasures::Labels(_)) => {
            Some(fit(&mut memory, asked.history, cancel, &mut |step| progress.show(step))?.tuning)
        }
        (true, TaskMeasures::Rating(_)) => {
            let mut tell = |step: &str| progress.show(step);
            Some(rating::fit(&mut memory, asked.history, apart, cancel, &mut tell)?.tuning)
        }
    };
    progress.clear();
    clock.lap("fitting");
    if let (true, TaskMeasures::Labels(labels)) = (args.ablate, &measures) {
        return ablations(args, &memory, &asked, fitted_on, *labels, cancel);
    }
    let manifest = &memory.manifest;
    let weights = Weights::defaults(policy, manifest);
    let weights = args.weights.iter().fold(weights, |weights, (weight, value)| weights.with(*weight, *value));
    let setting = Setting { policy, weights, apart };
    let answered = experiment(&memory, &asked.questions, setting, cancel, &mut |done| progress.tick(done))?;
    progress.clear();
    clock.lap("answering");
    let peers = if args.peers {
        progress.show("fitting peers on the history …");
        match &measures {
            TaskMeasures::Labels(_) => peer::contestants(&dataset, &asked, cancel)?,
            TaskMeasures::Rating(steps) => peer::rating::contestants(&dataset, &asked, steps, args.gap),
        }
    } else {
        Vec::new()
    };
    clock.lap("fitting peers");
    progress.show("resampling people …");
    let visible: Vec<usize> = answered.iter().map(|answered| answered.visible).collect();
    let arms = contestants(&args.arms, &answered);
    let material = Material { questions: &asked.questions, visible: &visible, arms: &arms, peers: &peers, measures };
    let assessment = material.assess(Provenance {
        schema: SCHEMA,
        dataset: manifest.name.clone(),
        dataset_hash: dataset.content_hash(),
        predictor: args.predictor.name(),
        split: SplitReport {
            split,
            history: asked.history_range,
            queries: asked.query_range,
            without_gold: asked.without_gold,
            fitted_on,
        },
        policy,
        weights,
        gap_days: args.gap,
        guard: manifest.retrieval.guard,
        plan: Plan::seeded(args.seed),
    });
    progress.clear();
    clock.lap("judging");
    if cancel.load(Ordering::Relaxed) {
        return Err(EvalError::Interrupted.into());
    }
    Ok(match args.format {
        Form::Text => report::text(&assessment),
        Form::Md => report::markdown(&assessment),
        Form::Json => report::json(&assessment).map_err(std::io::Error::from)?,
        Form::Csv => report::csv(&material, &manifest.responses()),
    })
}

/// One table of what each ingredient is worth.
fn ablations(
    args: &EvalArgs,
    memory: &Memory,
    asked: &Asked,
    fitted_on: Option<Range>,
    measures: LabelMeasures,
    cancel: &AtomicBool,
) -> Result<String, CliError> {
    let tuning = match fitted_on {
        Some(_) => tuning(&memory.manifest, asked.history),
        None => Vec::new(),
    };
    let ablated = ablate::ablate(memory, &asked.questions, &tuning, measures, Plan::seeded(args.seed), cancel)?;
    let name = &memory.manifest.name;
    let section = report::ablation(name, &ablated, asked.query_range, fitted_on);
    Ok(match args.format {
        Form::Json => {
            let object = json!({
                "schema": ablate::SCHEMA,
                "dataset": name,
                "queries": asked.query_range,
                "fitted_on": fitted_on,
                "variants": ablated,
            });
            format!("{object}\n")
        }
        Form::Md => report::markdown_of(name, &[section]),
        Form::Text | Form::Csv => report::text_of(&[section]),
    })
}

/// Each wanted arm once, in the order of display.
fn contestants(wanted: &[Arm], answered: &[Answered]) -> Vec<Contestant> {
    let arms = Arm::ALL.into_iter().enumerate().filter(|(_, arm)| wanted.contains(arm));
    let contestant = |(ix, arm): (usize, Arm)| Contestant {
        name: arm.name(),
        answers: answered.iter().map(|answered| answered.arms[ix].clone()).collect(),
    };
    arms.map(contestant).collect()
}

/// Which stretch of time is used for what.
fn ranges(asked: &Asked) -> String {
    let told = |range: Range| format!("{} to {}", range.from.date(), range.to.date());
    let history = asked.history_range.map_or_else(|| "none".to_owned(), told);
    format!("{} queries, {}; history {history}", asked.questions.len(), told(asked.query_range))
}

/// Tells the log how long each step took.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self, step: &str) {
        tracing::info!(target: "logoscope::eval", "{step}: {:.3} s", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}

/// One line on standard error that is written over, where that is a terminal.
struct Progress {
    told: bool,
    total: usize,
    start: Instant,
    last: Option<Instant>,
}

impl Progress {
    fn start(total: usize) -> Self {
        Self { told: std::io::stderr().is_terminal(), total, start: Instant::now(), last: None }
    }

    fn say(&self, line: &str) {
        if self.told {
            eprintln!("{line}");
        }
    }

    fn show(&self, line: &str) {
        if self.told {
            eprint!("\r{line:<60}");
        }
    }

    fn clear(&self) {
        if self.told {
            eprint!("\r{:60}\r", "");
        }
    }

    /// `done` queries are answered.
    fn tick(&mut self, done: usize) {
        let running = self.start.elapsed();
        if !self.told || running < WARM_UP || self.last.is_some_and(|last| last.elapsed() < TICK) {
            return;
        }
        self.last = Some(Instant::now());
        let rate = done as f64 / running.as_secs_f64();
        let left = (self.total - done) as f64 / rate;
        self.show(&format!("{done:>8} of {} queries  {rate:>6.0}/s  {left:>5.0} s left", self.total));
    }
}
