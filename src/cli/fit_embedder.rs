//! `logoscope fit-embedder`: a table of word vectors from a dataset's own past.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::import::{ended, ended_code};
use super::{CliError, Common, Format, output};
use crate::data::dataset::{Dataset, require_vacant};
use crate::data::interaction::Timestamp;
use crate::data::sample;
use crate::data::sanitize::visible;
use crate::data::table::{self, FitNote};
use crate::memory::embed::lsa::{Fitted, LsaError, Plan, fit};

/// Version of the JSON object that `fit-embedder` prints.
const SCHEMA: &str = "logoscope.fit-embedder/1";
/// What is fitted.
const KIND: &str = "lsa";
/// Between two updates of the progress line.
const TICK: Duration = Duration::from_millis(100);

/// Options of `fit-embedder`.
#[derive(Debug, Args)]
pub struct FitEmbedderArgs {
    /// Folder to write; it must not exist or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Look at interactions before TIME alone [default: what lies before every judged query, or all of them]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::typed, conflicts_with = "share")]
    until: Option<Timestamp>,
    /// Look at what lies before the queries of `eval --split FRACTION`
    #[arg(long, value_name = "FRACTION", value_parser = share)]
    share: Option<f64>,
    /// Width of a vector
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..=1024))]
    dimensions: u64,
    /// Most words; those of most texts are taken
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    vocabulary: u64,
    /// Seed of the decomposition
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How to print the report
    #[arg(long, default_value = "text")]
    format: Format,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| format!("'{}' is no share; give a number between 0 and 1 such as 0.8", visible(text)))
}

/// Runs the command.
pub fn run(common: &Common, args: &FitEmbedderArgs) -> Result<ExitCode, CliError> {
    require_vacant(&args.out)?;
    let dataset = match &common.data {
        Some(dir) => Dataset::open(dir)?,
        None => sample::dataset()?,
    };
    let plan = Plan {
        until: until(args, &dataset),
        dimensions: args.dimensions as usize,
        vocabulary: args.vocabulary as usize,
        contributors: dataset.manifest.retrieval.guard,
        seed: args.seed,
    };
    let begun = Instant::now();
    let mut line = Line::begin();
    let fitted = fit(&dataset.interactions, plan, &ended(), &mut |stage, done, of| line.tell(stage, done, of));
    line.clear();
    let fitted = match fitted {
        Err(error @ LsaError::Interrupted) => {
            super::complain(&error.to_string());
            return Ok(ExitCode::from(ended_code()));
        }
        fitted => fitted?,
    };
    let note = note(&dataset, plan, &fitted);
    table::write(&args.out, &fitted.words, &fitted.rows, plan.dimensions, &note)?;
    let seconds = begun.elapsed().as_secs_f64();
    let out = setting(&args.out, common.data.as_deref());
    match args.format {
        Format::Json => {
            let object = json!({
                "schema": SCHEMA, "out": args.out.to_string_lossy(), "embedder": out, "dimensions": plan.dimensions,
                "seconds": seconds, "fit": note,
            });
            writeln!(std::io::stdout(), "{object}")?;
        }
        Format::Text => {
            let mut stdout = output::out();
            let (words, texts, people) = (note.words, note.texts, note.contributors);
            writeln!(stdout, "{texts} texts before {}", plan.until)?;
            writeln!(stdout, "{words} words that {people} people or more used, {} dimensions", plan.dimensions)?;
            writeln!(stdout, "they hold {:.0} % of what these words tell; {seconds:.1} s", 100.0 * note.energy)?;
            writeln!(stdout, "written to {}", visible(&args.out.to_string_lossy()))?;
            writeln!(stdout, "\nFor dataset.toml\n\n[retrieval]\nembedder = {}", json!(out))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The moment up to which texts are looked at.
fn until(args: &FitEmbedderArgs, dataset: &Dataset) -> Timestamp {
    let asked = dataset.queries.iter().filter(|query| query.gold.is_some()).map(|query| query.at).min();
    match (args.until, args.share) {
        (Some(until), _) => until,
        (None, Some(share)) => {
            let cut = (dataset.interactions.len() as f64 * share).floor() as usize;
            dataset.interactions.get(cut).map_or(dataset.end(), |first| first.at)
        }
        (None, None) => asked.unwrap_or(dataset.end()),
    }
}

fn note(dataset: &Dataset, plan: Plan, fitted: &Fitted) -> FitNote {
    FitNote {
        kind: KIND.to_owned(),
        fit_until: plan.until,
        dataset: dataset.manifest.name.clone(),
        texts: fitted.texts,
        fingerprint: fitted.fingerprint.clone(),
        words: fitted.words.len(),
        contributors: plan.contributors,
        seed: plan.seed,
        energy: fitted.energy,
    }
}

/// The setting that makes the dataset in `data` use the table in `out`: relative where the one lies in the other.
fn setting(out: &Path, data: Option<&Path>) -> String {
    let whole = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let out = whole(out);
    let inside = data.and_then(|data| out.strip_prefix(whole(data)).ok());
    format!("static:{}", inside.unwrap_or(&out).to_string_lossy())
}

/// One line on standard error that is written over, where that is a terminal.
pub(super) struct Line {
    shown: bool,
    last: Option<Instant>,
}

impl Line {
    /// Before anything is told.
    pub(super) fn begin() -> Self {
        Self { shown: std::io::stderr().is_terminal(), last: None }
    }

    /// How much of how much is done.
    pub(super) fn tell(&mut self, stage: &str, done: usize, of: usize) {
        if self.shown && self.last.is_none_or(|last| last.elapsed() >= TICK) {
            self.last = Some(Instant::now());
            tell_part!("\r{:<60}", format!("{stage} {} %", 100 * done / of.max(1)));
        }
    }

    /// Leaves nothing of it.
    pub(super) fn clear(&self) {
        if self.last.is_some() {
            tell_part!("\r{:60}\r", "");
        }
    }
}
