//! `logoscope import`: foreign data as a dataset folder, with an account of every row.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;
#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::{CliError, Format, output};
use crate::data::dataset::TaskKind;
use crate::data::import::huffpost::{self, HuffPost};
use crate::data::import::lamp::{self, Wanted};
use crate::data::import::mapped::{Answers, FieldMap, Mapped};
use crate::data::import::{Delimiter, ImportError, Progress, Report, Source, Syntax, Watch, import, movielens};
use crate::data::sanitize::visible;
use crate::data::scale::Scale;
use crate::eval::counted;
#[cfg(unix)]
use crate::term::signals;

/// Labels of an import that are told with their counts.
const LABELS_TOLD: usize = 24;
/// Version of the JSON object that `import` prints.
const SCHEMA: &str = "logoscope.import/1";
/// Between two updates of the progress line: faster than this nobody reads.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Options of `import`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ImportArgs {
    /// What the files are
    #[arg(value_name = "FORMAT")]
    kind: Kind,
    /// Files, plain or gzip, read one after another; - is standard input. movielens: the folder that holds ratings.csv
    /// and movies.csv. lamp: questions and outputs in any order, or folders of them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Folder to write; it must not exist or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// jsonl, csv: which field is what: user=author.name,at=date,query=text,response=tag and optionally id=…,item=…;
    /// fields inside objects by dots, columns of csv also by number from 1
    #[arg(long, value_name = "NAME=FIELD,…")]
    map: Option<FieldMap>,
    /// jsonl, csv: what the responses are: labels, rating or text [default: labels]. lamp: the task, 1 to 7, 2M or 2N
    /// [default: by the first prompt]
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// With --task rating: lowest and highest score and the step between: 1:5:1
    #[arg(long, value_name = "LOW:HIGH:STEP", value_parser = scale, allow_hyphen_values = true)]
    scale: Option<Scale>,
    /// csv: what separates fields: one character, or tab [default: ,]
    #[arg(long, value_name = "CHAR")]
    delimiter: Option<Delimiter>,
    /// csv: the first row is data; its columns are called 1, 2, …
    #[arg(long)]
    no_header: bool,
    /// Name of the dataset [default: the format's, the task's, or the first file's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Report, but write nothing
    #[arg(long)]
    dry_run: bool,
    /// How to print the report
    #[arg(long, default_value = "text")]
    format: Format,
}

const AFTER_HELP: &str = "\
Examples:
  logoscope import huffpost news_category.jsonl.gz --out news
  logoscope import lamp train_questions.json train_outputs.json --out film-tags-of-lamp
  logoscope import movielens ml-latest-small --out stars
  logoscope import csv notes.csv --map user=1,at=4,query=title,response=mood --delimiter ';' --out moods
  zcat votes.jsonl.gz | logoscope import jsonl - --map user=by,at=t,query=q,response=y --dry-run";

/// Formats that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// LaMP 1 to 7, user and time splits: questions and outputs
    Lamp,
    /// HuffPost News Category, JSON Lines
    #[value(name = "huffpost")]
    HuffPost,
    /// A MovieLens folder
    #[value(name = "movielens")]
    MovieLens,
    /// Any JSON Lines, with --map
    #[value(name = "jsonl")]
    #[serde(rename = "jsonl")]
    JsonLines,
    /// Any CSV, with --map
    Csv,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Lamp => "lamp",
            Kind::HuffPost => "huffpost",
            Kind::MovieLens => "movielens",
            Kind::JsonLines => "jsonl",
            Kind::Csv => "csv",
        }
    }
}

/// Runs the command.
pub fn run(args: &ImportArgs) -> Result<ExitCode, CliError> {
    refuse_misplaced(args)?;
    refuse_hostile_name(args)?;
    let out = args.out.as_deref().filter(|_| !args.dry_run);
    let mut line = ProgressLine::of(std::io::stderr().is_terminal());
    let cancel = ended();
    let report = report(args, out, Watch { cancel: &cancel, progress: &mut |progress| line.update(progress) });
    line.clear();
    let report = match report {
        Err(CliError::Import(error @ ImportError::Interrupted)) => {
            super::complain(&error.to_string());
            return Ok(ExitCode::from(ended_code()));
        }
        report => report?,
    };

    match args.format {
        Format::Json => {
            let mut stdout = std::io::stdout().lock();
            let out = out.map(|out| out.to_string_lossy().into_owned());
            let told = Told { schema: SCHEMA, format: args.kind, out, report: &report };
            serde_json::to_writer(&mut stdout, &told).map_err(std::io::Error::from)?;
            writeln!(stdout)?;
        }
        Format::Text => {
            let mut stdout = output::out();
            print_report(&mut stdout, &report)?;
            match out {
                Some(out) => {
                    let out = out.to_string_lossy();
                    writeln!(stdout, "written to {0}; open it with --data {0}", visible(&out))?;
                }
                None => writeln!(stdout, "dry run: nothing was written")?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports by the format's own way.
fn report(args: &ImportArgs, out: Option<&Path>, watch: Watch<'_>) -> Result<Report, CliError> {
    let name = args.name.clone().unwrap_or_else(|| default_name(args));
    match args.kind {
        Kind::HuffPost => Ok(import(sources(&args.paths)?, &mut HuffPost::named(&name), out, watch)?),
        Kind::JsonLines | Kind::Csv => {
            let mut mapping = mapped(args, &name)?;
            Ok(import(sources(&args.paths)?, &mut mapping, out, watch)?)
        }
        Kind::MovieLens => match args.paths.as_slice() {
            [dir] if dir.is_dir() => Ok(movielens::import_folder(dir, &name, out, watch)?),
            paths => {
                let shown = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
                let told = format!("{shown}: not one folder; name the folder that holds ratings.csv and movies.csv");
                Err(CliError::Usage(told))
            }
        },
        Kind::Lamp => {
            let wanted: Option<Wanted> = args.task.as_deref().map(str::parse).transpose().map_err(in_task)?;
            let request = lamp::Request { name: args.name.clone(), wanted };
            Ok(lamp::import_files(sources(&lamp_files(&args.paths)?)?, request, out, watch)?)
        }
    }
}

fn in_task(reason: String) -> CliError {
    CliError::Usage(format!("--task: {reason}"))
}

/// Refuses a name that `dataset.toml` could not hold.
fn refuse_hostile_name(args: &ImportArgs) -> Result<(), CliError> {
    let name = args.name.clone().unwrap_or_else(|| default_name(args));
    if visible(&name) == name {
        return Ok(());
    }
    let told = "as the dataset's name holds a control character; give another one with --name";
    Err(CliError::Usage(format!("'{name}' {told}")))
}

/// Refuses options of another format: who gives one expects it to act.
fn refuse_misplaced(args: &ImportArgs) -> Result<(), CliError> {
    use Kind::{Csv, JsonLines, Lamp};
    let (kind, mapped) = (args.kind, [JsonLines, Csv].as_slice());
    let options: [(&str, bool, &[Kind]); 5] = [
        ("--map", args.map.is_some(), mapped),
        ("--scale", args.scale.is_some(), mapped),
        ("--task", args.task.is_some(), &[JsonLines, Csv, Lamp]),
        ("--delimiter", args.delimiter.is_some(), &[Csv]),
        ("--no-header", args.no_header, &[Csv]),
    ];
    match options.into_iter().find(|(_, given, kinds)| *given && !kinds.contains(&kind)) {
        None => Ok(()),
        Some((option, _, kinds)) => {
            let kinds = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" and ");
            Err(CliError::Usage(format!("{option} is for {kinds}; {} has its own way: leave it out", kind.name())))
        }
    }
}

/// The mapping of a jsonl or csv import.
fn mapped(args: &ImportArgs, name: &str) -> Result<Mapped, CliError> {
    let Some(map) = args.map.clone() else {
        let told = "--map is missing: name the file's fields, --map user=…,at=…,query=…,response=…";
        return Err(CliError::Usage(told.to_owned()));
    };
    let answers = match (args.task.as_deref().unwrap_or("labels"), args.scale) {
        ("labels", None) => Answers::Labels,
        ("text", None) => Answers::Texts,
        ("rating", Some(scale)) => Answers::Scores(scale),
        ("rating", None) => {
            return Err(CliError::Usage("--task rating needs the scale of its scores: --scale 1:5:1".to_owned()));
        }
        ("labels" | "text", Some(_)) => {
            return Err(CliError::Usage("--scale is for --task rating; add that, or leave it out".to_owned()));
        }
        (other, _) => return Err(in_task(format!("'{other}' is none of labels, rating and text"))),
    };
    let syntax = match args.kind {
        Kind::Csv => Syntax::Csv { delimiter: args.delimiter.unwrap_or(Delimiter::COMMA), header: !args.no_header },
        _ => Syntax::JsonLines,
    };
    Ok(Mapped::new(name, &file_names(&args.paths), syntax, answers, map))
}

/// Reads `LOW:HIGH:STEP`.
fn scale(text: &str) -> Result<Scale, String> {
    let numbers: Vec<f64> = text.split(':').filter_map(|number| number.trim().parse().ok()).collect();
    let &[low, high, step] = numbers.as_slice() else {
        return Err("write LOW:HIGH:STEP, such as 1:5:1".to_owned());
    };
    let scale = Scale { low, high, step };
    scale.fault().map_or(Ok(scale), Err)
}

fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, ImportError> {
    paths.iter().map(|path| if path == Path::new("-") { Ok(Source::stdin()) } else { Source::file(path) }).collect()
}

/// The files themselves; of a folder those that are named as LaMP names questions and outputs, by name.
fn lamp_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let wrap = |source| super::file_error(path, source);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).map_err(wrap)? {
            let file = entry.map_err(wrap)?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let stem = name.strip_suffix(".gz").unwrap_or(&name);
            if stem.ends_with("questions.json") || stem.ends_with("outputs.json") {
                found.push(file);
            }
        }
        if found.is_empty() {
            let told = format!("{}: holds no …questions.json and no …outputs.json; name the files", path.display());
            return Err(CliError::Usage(told));
        }
        found.sort_by_key(|file| lamp_order(file));
        files.append(&mut found);
    }
    Ok(files)
}

/// Training questions come before those of dev and test: where nothing is dated, order is time.
fn lamp_order(file: &Path) -> (usize, PathBuf) {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parts = ["train", "dev", "test"];
    (parts.iter().position(|part| name.starts_with(part)).unwrap_or(parts.len()), file.to_owned())
}

/// The line that tells how far an import is, where there is a terminal to tell it to.
struct ProgressLine {
    shown: bool,
    begin: Instant,
    told: Option<Instant>,
}

impl ProgressLine {
    fn of(shown: bool) -> Self {
        Self { shown, begin: Instant::now(), told: None }
    }

    fn update(&mut self, progress: Progress) {
        let now = Instant::now();
        if !self.shown || self.told.is_some_and(|told| now - told < PROGRESS_EVERY) {
            return;
        }
        self.told = Some(now);
        tell_part!("\r{:<78}", told(progress, now - self.begin));
    }

    fn clear(&self) {
        if self.told.is_some() {
            tell_part!("\r{:78}\r", "");
        }
    }
}

/// Rows, bytes, rate and, where the size of the input is known, what is left.
fn told(progress: Progress, elapsed: Duration) -> String {
    let Progress { rows, bytes, taken, total } = progress;
    let seconds = elapsed.as_secs_f64().max(1e-3);
    let mut line = format!("{rows} rows, {:.1} MB, {:.0} rows/s", bytes as f64 / 1e6, rows as f64 / seconds);
    if let Some(total) = total.filter(|total| *total > 0 && taken > 0) {
        let left = (seconds * total.saturating_sub(taken) as f64 / taken as f64).round() as u64;
        let share = (taken as f64 / total as f64 * 100.0).min(100.0);
        line += &format!(", {share:.0} %, {}:{:02} left", left / 60, left % 60);
    }
    line
}

/// The report as JSON.
#[derive(Serialize)]
struct Told<'a> {
    schema: &'static str,
    format: Kind,
    out: Option<String>,
    #[serde(flatten)]
    report: &'a Report,
}

fn print_report(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let rejected: u64 = report.rejected.values().map(|rejected| rejected.count).sum();
    let queries = match report.queries {
        0 => String::new(),
        queries => format!("{queries} questions, "),
    };
    writeln!(out, "{} rows read, {} kept, {queries}{rejected} rejected", report.read, report.kept)?;
    for (reason, rejected) in &report.rejected {
        let first = &rejected.first;
        writeln!(out, "{:>10}  {reason}; first {}:{}: {}", rejected.count, first.path, first.line, first.text)?;
    }
    if let Some((first, last)) = report.span {
        let responses = match report.task {
            TaskKind::Labels => counted(report.labels.len(), "label", "labels"),
            TaskKind::Rating => counted(report.labels.len(), "score", "scores"),
            TaskKind::Text => "texts".to_owned(),
        };
        let name = visible(&report.name);
        let users = counted(report.users, "user", "users");
        writeln!(out, "{name}: {users}, {responses}, {} to {}", first.date(), last.date())?;
    }
    if report.task == TaskKind::Labels {
        let counts = report.by_count();
        let told: Vec<String> =
            counts.iter().take(LABELS_TOLD).map(|(label, count)| format!("{} {count}", visible(label))).collect();
        let more = counts.len().saturating_sub(told.len());
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        writeln!(out, "    labels  {}{more}", told.join(", "))?;
    }
    for note in &report.notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}

fn default_name(args: &ImportArgs) -> String {
    match args.kind {
        Kind::HuffPost => huffpost::NAME.to_owned(),
        Kind::MovieLens => movielens::NAME.to_owned(),
        Kind::Lamp | Kind::JsonLines | Kind::Csv => {
            let file = args.paths.first().and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy();
            let plain = file.strip_suffix(".gz").unwrap_or(&file);
            match Path::new(plain).file_stem() {
                Some(stem) if plain != "-" => stem.to_string_lossy().into_owned(),
                _ => "imported".to_owned(),
            }
        }
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

/// The first signal that [`ended`] heard; 0 before.
static HEARD: AtomicUsize = AtomicUsize::new(0);

/// A flag that the first interrupt sets, so that nothing half-written stays behind; a second one ends the program even
/// where it waits for input.
pub(super) fn interrupted() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    hear(SIGINT, &flag);
    flag
}

/// The same of every signal that asks the program to end, for who has something half-written where others see it. What
/// such a run ends with is [`ended_code`].
pub(super) fn ended() -> Arc<AtomicBool> {
    let flag = interrupted();
    hear(SIGTERM, &flag);
    // Whoever runs it under nohup wants it to outlive the terminal.
    #[cfg(unix)]
    if !signals::may_be_ignored(SIGHUP) {
        hear(SIGHUP, &flag);
    }
    flag
}

/// What a run ends with that a signal stopped.
pub(super) fn ended_code() -> u8 {
    match HEARD.load(Ordering::SeqCst) {
        0 => 130,
        signal => u8::try_from(128 + signal).unwrap_or(130),
    }
}

/// Sets `flag` with the first `signal`, and ends the program with the second.
fn hear(signal: i32, flag: &Arc<AtomicBool>) {
    // The order matters: the second signal finds the flag that the first one set, and who finds the flag set finds the
    // signal. Where no handler can be set, a signal ends the program at once, as it does everywhere.
    let _ = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(flag))
        .and_then(|_| flag::register_usize(signal, &HEARD, signal as usize))
        .and_then(|_| flag::register(signal, Arc::clone(flag)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_what_is_left_where_it_can() {
        let progress = Progress { rows: 5_000, bytes: 2_000_000, taken: 250_000, total: Some(1_000_000) };
        let elapsed = Duration::from_secs(25);
        assert_eq!(told(progress, elapsed), "5000 rows, 2.0 MB, 200 rows/s, 25 %, 1:15 left");
        assert_eq!(told(Progress { total: None, ..progress }, elapsed), "5000 rows, 2.0 MB, 200 rows/s");
        assert_eq!(told(Progress { taken: 0, ..progress }, elapsed), "5000 rows, 2.0 MB, 200 rows/s");
        let grown = told(Progress { taken: 2_000_000, ..progress }, elapsed);
        assert!(grown.ends_with("100 %, 0:00 left"), "{grown}");
    }

    #[test]
    fn a_scale_is_written_in_three_numbers() {
        assert_eq!(scale("0.5:5:0.5"), Ok(Scale { low: 0.5, high: 5.0, step: 0.5 }));
        for text in ["", "1:5", "1:5:x", "1:5:1:1", "5:1:1", "1:5:0"] {
            assert!(scale(text).is_err(), "{text}");
        }
    }

    #[test]
    fn questions_for_training_are_read_first() {
        let names = ["test_questions.json", "dev_outputs.json", "other_questions.json", "train_questions.json.gz"];
        let mut files: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        files.sort_by_key(|file| lamp_order(file));
        let sorted: Vec<&str> = files.iter().filter_map(|file| file.to_str()).collect();
        assert_eq!(sorted, [names[3], names[1], names[0], names[2]]);
    }
}
