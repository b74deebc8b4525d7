//! `logoscope compare`: two results of `eval` on the same queries, A minus B.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::CliError;
use super::eval::{Form, printed};
use super::target::Target;
use crate::eval::compare::{Outcome, compare};
use crate::eval::report;
use crate::eval::stats::Plan;

/// Options of `compare`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CompareArgs {
    /// A result of `eval --format json --rows`
    #[arg(value_name = "A.json")]
    a: PathBuf,
    /// Another one, on the same queries
    #[arg(value_name = "B.json")]
    b: PathBuf,
    /// Whose answers: an arm, a peer, or a part such as mediated/model
    #[arg(long, value_name = "NAME", default_value = "mediated")]
    arm: String,
    /// Whose answers in B [default: the same]
    #[arg(long, value_name = "NAME")]
    against: Option<String>,
    /// Seed of bootstrap and permutations
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
  logoscope eval --data news --split 0.8 --format json --rows --out a.json
  logoscope eval --data news --split 0.8 --policy linear --format json --rows --out b.json
  logoscope compare a.json b.json
  logoscope compare a.json a.json --arm mediated --against local";

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<ExitCode, CliError> {
    if args.format == Form::Csv {
        return Err(CliError::Usage("compare has no rows a query; use --format text, md, html or json".to_owned()));
    }
    args.target.check()?;
    let (a, b) = (Outcome::read(&args.a)?, Outcome::read(&args.b)?);
    let arms = (args.arm.as_str(), args.against.as_deref().unwrap_or(&args.arm));
    let found = compare(&a, &b, arms, Plan::seeded(args.seed))?;
    let report = printed(args.format, "Comparison", &report::comparison(&found), &found)?;
    args.target.put(&report)?;
    Ok(ExitCode::SUCCESS)
}
