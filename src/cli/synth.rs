//! `logoscope synth`: a seeded population as a dataset folder, its latent truth beside it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::import::ended;
use super::prompts::{self, Export};
use super::{CliError, file_error};
use crate::data::dataset::{Dataset, DatasetError, require_vacant, write_whole};
use crate::data::hidden::Hidden;
use crate::data::sanitize::visible;
use crate::data::synth::{Parameters, headlines, population, products};

/// Options of `synth`.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// Folder to write; it must not exist or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "export_prompts")]
    out: Option<PathBuf>,
    /// Seed: 1 is the shipped population, 9001–9003 are for tests, training uses 100000 and up
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What people answer
    #[arg(long, default_value = "labels")]
    task: Task,
    /// People [default: 240; of texts 120, of ratings 160]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    users: Option<u64>,
    /// Latent communities [default: 8; of texts 4; ratings have none]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64))]
    communities: Option<u64>,
    /// Periods of 90 days [default: 8; of texts and ratings 6]
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=80))]
    periods: Option<u64>,
    /// Write rendered prompts with their answers (JSON Lines) to this file instead
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    export_prompts: Option<PathBuf>,
    /// With --export-prompts: replace a file that exists
    #[arg(long, requires = "export_prompts", conflicts_with = "out")]
    force: bool,
    /// With --export-prompts: how many populations, from --seed on
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), requires = "export_prompts")]
    populations: u64,
    /// With --export-prompts: interactions per population that are asked again
    #[arg(long, default_value_t = 2500, requires = "export_prompts")]
    rows: usize,
    /// With --export-prompts: those and every judged query on all arms and with swapped blocks, for testing
    #[arg(long, requires = "export_prompts")]
    evaluation: bool,
}

/// What a generated population answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Tags of films
    Labels,
    /// Ratings of products, which are worth something and meet people of some generosity
    Rating,
    /// Headlines of articles, whose form, length and words are habits
    Text,
}

impl Task {
    /// The size of its usual population.
    fn usual(self) -> Parameters {
        match self {
            Task::Labels => Parameters::default(),
            Task::Rating => Parameters::of_products(),
            Task::Text => Parameters::of_headlines(),
        }
    }

    /// A population's data without its latent truth.
    pub fn dataset(self, parameters: &Parameters) -> Dataset {
        match self {
            Task::Labels => population(parameters).0,
            Task::Rating => products(parameters).0,
            Task::Text => headlines(parameters).0,
        }
    }
}

/// Runs the command.
pub fn run(args: &SynthArgs) -> Result<ExitCode, CliError> {
    let usual = args.task.usual();
    let or = |wanted: Option<u64>, usual: usize| wanted.map_or(usual, |wanted| wanted as usize);
    let parameters = Parameters {
        seed: args.seed,
        users: or(args.users, usual.users),
        communities: or(args.communities, usual.communities),
        periods: or(args.periods, usual.periods),
        ..usual
    };
    if let Some(path) = &args.export_prompts {
        let (task, populations, rows, evaluation) = (args.task, args.populations, args.rows, args.evaluation);
        prompts::run(&Export { path, force: args.force, task, populations, rows, evaluation }, &parameters)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(out) = &args.out else {
        return Err(CliError::Usage("--out DIR is missing: name the folder to write".to_owned()));
    };
    require_vacant(out)?;
    match args.task {
        Task::Labels => write(out, &parameters, population(&parameters)),
        Task::Rating => write(out, &parameters, products(&parameters)),
        Task::Text => write(out, &parameters, headlines(&parameters)),
    }
}

/// Writes a population with its latent truth beside it: the whole folder or nothing.
fn write(out: &Path, parameters: &Parameters, made: (Dataset, impl Serialize)) -> Result<ExitCode, CliError> {
    let (mut dataset, truth) = made;
    // From here on there is something to clear away: until now Ctrl-C ends the program at once.
    let cancel = ended();
    // Sessions and what is forgotten from them go by the name, so two populations should not share one.
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned());
    dataset.manifest.name = name.filter(|name| !name.trim().is_empty()).unwrap_or(dataset.manifest.name);
    let folder = Hidden::beside(out)?;
    // Where it is written meanwhile is nobody's business.
    let of_target = |error| match error {
        DatasetError::Write { source, .. } => DatasetError::Write { path: out.to_owned(), source },
        other => other,
    };
    dataset.write(folder.path()).map_err(of_target)?;
    let json = serde_json::to_vec(&truth).map_err(|error| file_error(&out.join("truth.json"), error.into()))?;
    write_whole(&folder.path().join("truth.json"), &json).map_err(of_target)?;
    if cancel.load(Ordering::Relaxed) {
        return Err(CliError::Unwritten);
    }
    folder.publish()?;
    print_line!(
        "{}: {} users, {} interactions, {} judged queries, seed {}",
        visible(&out.to_string_lossy()),
        dataset.users().len(),
        dataset.interactions.len(),
        dataset.queries.len(),
        parameters.seed
    )?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A truth that cannot be written, as on a disk that is full by then.
    struct Unwritable;

    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no room"))
        }
    }

    #[test]
    fn a_population_that_cannot_be_written_whole_leaves_nothing() {
        let parameters = Parameters { users: 12, communities: 2, periods: 2, ..Parameters::default() };
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("made");
        let (dataset, truth) = population(&parameters);
        assert!(write(&out, &parameters, (dataset.clone(), Unwritable)).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "neither half a folder nor a hidden one");
        write(&out, &parameters, (dataset, truth)).unwrap();
        assert!(out.join("truth.json").is_file() && Dataset::open(&out).is_ok(), "the same command succeeds then");
    }
}
