//! `logoscope import`: foreign data as a dataset folder, with an account of every row.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{CliError, Format};
use crate::data::import::huffpost::{self, HuffPost};
use crate::data::import::jsonl::{FieldMap, JsonLines};
use crate::data::import::{ImportError, Mapping, Report, Source, import};

/// Version of the JSON object that `import` prints.
const SCHEMA: &str = "logoscope.import/1";

/// Options of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What the files are
    #[arg(value_name = "FORMAT")]
    kind: Kind,
    /// Files, read one after another; - is standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Folder to write; it must not exist or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// jsonl: which field is what; fields inside objects by dots: user=author.name,at=date,query=text,response=tag
    /// and optionally id=…,item=…
    #[arg(long, value_name = "NAME=FIELD,…")]
    map: Option<FieldMap>,
    /// Name of the dataset [default: huffpost, or the first file's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Report, but write nothing
    #[arg(long)]
    dry_run: bool,
    /// How to print the report
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Formats that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// HuffPost News Category, JSON Lines
    #[value(name = "huffpost")]
    HuffPost,
    /// Any JSON Lines, with --map
    #[value(name = "jsonl")]
    #[serde(rename = "jsonl")]
    JsonLines,
}

/// Runs the command.
pub fn run(args: &ImportArgs) -> Result<ExitCode, CliError> {
    let name = args.name.clone().unwrap_or_else(|| default_name(args));
    let mut mapping: Box<dyn Mapping> = match (args.kind, &args.map) {
        (Kind::HuffPost, None) => Box::new(HuffPost::named(&name)),
        (Kind::HuffPost, Some(_)) => {
            return Err(CliError::Usage("--map is for jsonl; huffpost has its own fields: leave it out".to_owned()));
        }
        (Kind::JsonLines, Some(map)) => Box::new(JsonLines::new(&name, &file_names(&args.paths), map.clone())),
        (Kind::JsonLines, None) => {
            let told = "--map is missing: name the file's fields, --map user=…,at=…,query=…,response=…";
            return Err(CliError::Usage(told.to_owned()));
        }
    };
    let sources: Vec<Source> = args
        .paths
        .iter()
        .map(|path| if path == Path::new("-") { Ok(Source::stdin()) } else { Source::file(path) })
        .collect::<Result<_, _>>()?;
    let out = args.out.as_deref().filter(|_| !args.dry_run);

    let told = std::io::stderr().is_terminal();
    let mut progress = |rows: u64, bytes: u64| {
        if told {
            eprint!("\r{rows:>12} rows {:>10.1} MB ", bytes as f64 / 1e6);
        }
    };
    let report = import(sources, mapping.as_mut(), out, &interrupted(), &mut progress);
    if told {
        eprint!("\r{:32}\r", "");
    }
    let report = match report {
        Err(error @ ImportError::Interrupted) => {
            eprintln!("logoscope: {error}");
            return Ok(ExitCode::from(130));
        }
        report => report?,
    };

    let mut stdout = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            let out = out.map(|out| out.to_string_lossy().into_owned());
            let told = Told { schema: SCHEMA, format: args.kind, name: &name, out, report: &report };
            serde_json::to_writer(&mut stdout, &told).map_err(std::io::Error::from)?;
            writeln!(stdout)?;
        }
        Format::Text => {
            print_report(&mut stdout, &report)?;
            match out {
                Some(out) => writeln!(stdout, "written to {0}; open it with --data {0}", out.display())?,
                None => writeln!(stdout, "dry run: nothing was written")?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The report as JSON.
#[derive(Serialize)]
struct Told<'a> {
    schema: &'static str,
    format: Kind,
    name: &'a str,
    out: Option<String>,
    #[serde(flatten)]
    report: &'a Report,
}

fn print_report(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let rejected: u64 = report.rejected.values().map(|rejected| rejected.count).sum();
    writeln!(out, "{} rows read, {} kept, {rejected} rejected", report.read, report.kept)?;
    for (reason, rejected) in &report.rejected {
        let first = &rejected.first;
        writeln!(out, "{:>10}  {reason}; first {}:{}: {}", rejected.count, first.path, first.line, first.text)?;
    }
    if let Some((first, last)) = report.span {
        let (users, labels) = (report.users, report.labels.len());
        writeln!(out, "{users} users, {labels} labels, {} to {}", first.date(), last.date())?;
    }
    Ok(())
}

fn default_name(args: &ImportArgs) -> String {
    let stem = args.paths.first().and_then(|path| path.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
    match args.kind {
        Kind::HuffPost => huffpost::NAME.to_owned(),
        Kind::JsonLines => stem.filter(|stem| stem != "-").unwrap_or_else(|| "imported".to_owned()),
    }
}

/// The files' names without their folders: where they lay on this machine says nothing about the data.
fn file_names(paths: &[PathBuf]) -> String {
    let name = |path: &PathBuf| match path.file_name() {
        Some(name) if name != "-" => name.to_string_lossy().into_owned(),
        _ => "standard input".to_owned(),
    };
    paths.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A flag that the first interrupt sets, so that nothing half-written stays behind; a second one ends the program even
/// where it waits for input.
pub(super) fn interrupted() -> Arc<AtomicBool> {
    use signal_hook::consts::SIGINT;
    let flag = Arc::new(AtomicBool::new(false));
    // The order matters: the second signal finds the flag that the first one set. Where no handler can be set, an
    // interrupt ends the program at once, as it does everywhere.
    let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&flag))
        .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&flag)));
    flag
}
