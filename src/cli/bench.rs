//! `logoscope bench`: figures of this machine.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{CliError, Common, Format, file_error, model, output};
use crate::bench::{self, Measured};

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Size of the generated population; with --data, the dataset is measured instead, read from its store
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1000..=10_000_000))]
    interactions: u64,
    /// Rank the given work instead, one JSON object a line: to be compared with other programs on the same
    #[arg(long, value_name = "FILE", conflicts_with = "interactions")]
    work: Option<PathBuf>,
    /// Texts named for each query of --work
    #[arg(long, value_name = "N", default_value_t = 10, requires = "work", value_parser = clap::value_parser!(u64).range(1..=1000))]
    top: u64,
    /// Times that each query of --work is timed; its median counts
    #[arg(long, value_name = "N", default_value_t = 5, requires = "work", value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Format,
    /// Draw the first frame off the screen and end; with --data, once memory is opened from its store
    #[arg(long, hide = true)]
    first_frame: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &BenchArgs) -> Result<ExitCode, CliError> {
    if args.first_frame {
        let stores = common.stores();
        bench::first_frame(common.data.as_deref().map(|data| (stores.as_path(), data)))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.work {
        let file = File::open(path).map_err(|source| file_error(path, source))?;
        let report = bench::work(path, BufReader::new(file), args.top as usize, args.rounds as usize)?;
        let subject = format!("{} queries, the best {} texts of each", report.answers.len(), report.top);
        print(args.format, &report, || bench::table(&report.machine, &subject, &report.figures))?;
        return Ok(ExitCode::SUCCESS);
    }
    let engine = model::engine(&common.load_options(), common.model_place()?.as_ref())?;
    let stores = common.stores();
    let measured = match &common.data {
        Some(data) => Measured::Folder { stores: &stores, data },
        None => Measured::Generated(args.interactions as usize),
    };
    let report = bench::run(measured, engine.as_deref(), &mut |what| tell_line!("{what} …"))?;
    let subject = format!("{} interactions of {} people", report.interactions, report.users);
    print(args.format, &report, || bench::table(&report.machine, &subject, &report.figures))?;
    Ok(ExitCode::SUCCESS)
}

fn print(format: Format, report: &impl Serialize, told: impl FnOnce() -> String) -> Result<(), CliError> {
    match format {
        Format::Text => output::out().write_all(told().as_bytes())?,
        Format::Json => {
            let mut out = std::io::stdout().lock();
            serde_json::to_writer(&mut out, report).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}
