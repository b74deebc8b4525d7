//! `logoscope synth`: a seeded population as a dataset folder, its latent truth beside it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::prompts::{self, Export};
use super::{CliError, file_error};
use crate::data::dataset::{require_vacant, write_whole};
use crate::data::sanitize::visible;
use crate::data::synth::{Parameters, population};

/// Options of `synth`.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// Folder to write; it must not exist or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "export_prompts")]
    out: Option<PathBuf>,
    /// Seed: 1 is the shipped population, 9001–9003 are for tests, training uses 100000 and up
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// People
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    users: u64,
    /// Latent communities
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=64))]
    communities: u64,
    /// Periods of 90 days
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(2..=80))]
    periods: u64,
    /// Write rendered prompts with their answers (JSON Lines) to this file instead
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    export_prompts: Option<PathBuf>,
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

/// Runs the command.
pub fn run(args: &SynthArgs) -> Result<ExitCode, CliError> {
    let parameters = Parameters {
        seed: args.seed,
        users: args.users as usize,
        communities: args.communities as usize,
        periods: args.periods as usize,
        ..Parameters::default()
    };
    if let Some(path) = &args.export_prompts {
        let (populations, rows, evaluation) = (args.populations, args.rows, args.evaluation);
        prompts::run(&Export { path, populations, rows, evaluation }, &parameters)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(out) = &args.out else {
        return Err(CliError::Usage("--out DIR is missing: name the folder to write".to_owned()));
    };
    require_vacant(out)?;
    let (dataset, truth) = population(&parameters);
    dataset.write(out)?;
    let path = out.join("truth.json");
    let json = serde_json::to_vec(&truth).map_err(|error| file_error(&path, error.into()))?;
    write_whole(&path, &json)?;
    println!(
        "{}: {} users, {} interactions, {} judged queries, seed {}",
        visible(&out.to_string_lossy()),
        dataset.users().len(),
        dataset.interactions.len(),
        dataset.queries.len(),
        parameters.seed
    );
    Ok(ExitCode::SUCCESS)
}
