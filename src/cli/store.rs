//! `logoscope store`: the cache on disk that a large dataset is read from, and the log of what was recorded since.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::{CliError, Common, cache_folder, complain, file_error, output};
use crate::data::interaction::Interaction;
use crate::data::sample;
use crate::data::sanitize::visible;
use crate::engine::embedding::attach;
use crate::memory::Memory;
use crate::memory::store::{Left, Notice, Report, Store, StoreError};
use crate::view::text::plural;

/// How long a piece of work goes on before its progress is told.
const PATIENCE: Duration = Duration::from_millis(500);

/// Options of `store`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = false)]
pub struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print where the dataset's store is
    Path,
    /// Build it if there is none that serves
    Build,
    /// Compare every byte with its checksum; exit 1 naming what is damaged
    Verify,
    /// Record interactions, one JSON object a line; each is acknowledged once it is on the disk
    Record {
        /// File of interactions; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print what was recorded, one JSON object a line
    Log,
    /// Make a new base that holds what was recorded
    Compact,
    /// Remove the store; what was recorded is kept, since it is nowhere else
    Remove {
        /// Remove what was recorded too
        #[arg(long)]
        recorded: bool,
    },
}

/// Runs the command.
pub fn run(common: &Common, args: &StoreArgs) -> Result<ExitCode, CliError> {
    let Some(data) = &common.data else {
        let hint = "the embedded sample needs no store; name a dataset folder with --data DIR";
        return Err(CliError::Usage(hint.to_owned()));
    };
    let store = match &args.action {
        Action::Build | Action::Record { .. } | Action::Compact => opened(common, data)?,
        Action::Path | Action::Verify | Action::Log | Action::Remove { .. } => Store::of(&common.stores(), data)?,
    };
    let mut progress = Progress::begin()?;
    let mut report = |stage: &'static str, done: usize, total: usize| progress.tell(stage, done, total);
    let outcome = match &args.action {
        Action::Path => writeln!(io::stdout(), "{}", store.folder().display()).map_err(CliError::from),
        Action::Verify => return verify(&store),
        Action::Log => return log(&store),
        Action::Build => build(&store, &mut report),
        Action::Compact => compact(&store, &mut report),
        Action::Remove { recorded } => remove(&store, *recorded),
        Action::Record { file } => record(&store, file, &mut report),
    };
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(CliError::Store(StoreError::Cancelled)) => {
            clear();
            tell_line!("logoscope: {}", StoreError::Cancelled);
            Ok(ExitCode::from(130))
        }
        Err(error) => Err(error),
    }
}

fn compact(store: &Store, report: &mut Report<StoreError>) -> Result<(), CliError> {
    let (items, notices) = store.compact(report)?;
    clear();
    tell(&notices);
    print_line!("{}: {items} interactions, none of them in the log alone", store.folder().display())?;
    Ok(())
}

fn remove(store: &Store, recorded: bool) -> Result<(), CliError> {
    let folder = store.folder().display().to_string();
    let Left { recorded, aside } = store.remove(recorded)?;
    let records = (recorded > 0).then(|| format!("{recorded} recorded interactions"));
    let names = aside.iter().filter_map(|path| path.file_name());
    let damaged = names.map(|name| format!("the damaged {}", visible(&name.to_string_lossy())));
    let left: Vec<String> = records.into_iter().chain(damaged).collect();
    match &left[..] {
        [] => print_line!("{folder}: removed")?,
        left => print_line!("{folder}: removed but for {}; --recorded removes all", left.join(", "))?,
    }
    Ok(())
}

/// The store of the dataset folder `data`, with its embedding model at hand however small the dataset is.
fn opened(common: &Common, data: &Path) -> Result<Store, CliError> {
    Store::of(&common.stores(), data)?.embedded(|head| {
        let attached = attach(head, &common.load_options())?;
        attached.iter().flat_map(|attached| &attached.notices).for_each(|notice| complain(notice));
        Ok(())
    })
}

/// Opens the store, and forms what the first read would have to wait for.
fn build(store: &Store, report: &mut Report<StoreError>) -> Result<(), CliError> {
    let opened = store.open(None, report)?;
    // Whoever reads does without one; who asks for it wants to know.
    if let Some(Notice::InMemory { reason }) = opened.notices.iter().find(|it| matches!(it, Notice::InMemory { .. })) {
        clear();
        return Err(CliError::NoStore { reason: reason.clone() });
    }
    report("forming collective entries", 0, 1)?;
    opened.memory.prepare()?;
    clear();
    tell(&opened.notices);
    tell(&opened.memory.notices());
    print_line!("{}: {} interactions", store.folder().display(), opened.memory.population.len())?;
    Ok(())
}

fn verify(store: &Store) -> Result<ExitCode, CliError> {
    let verdict = store.verify()?;
    for fault in &verdict.faults {
        print_line!("damaged  {}", visible(fault))?;
    }
    match &verdict.base {
        Some(base) => print_line!("base     {}: {} interactions", base.display(), verdict.items)?,
        None => print_line!("base     none; it is built when the dataset is opened, or by `logoscope store build`")?,
    }
    print_line!("log      {} recorded interactions", verdict.records)?;
    if verdict.faults.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    print_line!(
        "What is damaged answers nothing: it is rebuilt or left out, and said so, when the dataset is opened."
    )?;
    Ok(ExitCode::from(1))
}

fn log(store: &Store) -> Result<ExitCode, CliError> {
    let (records, notice) = store.recorded()?;
    let mut out = io::stdout().lock();
    for record in records {
        serde_json::to_writer(&mut out, &record).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    tell(notice.as_slice());
    Ok(ExitCode::SUCCESS)
}

/// Records line by line, so that a pipe is acknowledged as it comes.
fn record(store: &Store, file: &Path, report: &mut Report<StoreError>) -> Result<(), CliError> {
    let mut recorder = store.record(report)?;
    clear();
    tell(recorder.notices());
    let input: Box<dyn io::Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(file).map_err(|source| file_error(file, source))?)
    };
    let mut out = output::out();
    let mut recorded = 0;
    for (index, line) in io::BufRead::lines(io::BufReader::new(input)).enumerate() {
        let line = line.map_err(|source| file_error(file, source))?;
        if line.trim().is_empty() {
            continue;
        }
        let place = |reason: String| {
            let reason = match recorded {
                0 => reason,
                n => format!(
                    "{reason}; {}: correct the line and record the file again, which passes over what is recorded",
                    plural(
                        n,
                        "interaction before it was recorded and stays",
                        "interactions before it were recorded and stay"
                    )
                ),
            };
            CliError::Line { path: file.to_owned(), line: index + 1, reason }
        };
        let interaction: Interaction = serde_json::from_str(&line).map_err(|error| {
            place(format!("{error}; a line is {{\"id\", \"user\", \"at\", \"query\", \"response\"}}"))
        })?;
        if let Some(reason) = interaction.fault() {
            return Err(place(reason));
        }
        if recorder.holds(&interaction) {
            writeln!(out, "passed over {}, which is recorded already", visible(&interaction.id))?;
            out.flush()?;
            continue;
        }
        recorder.append(&interaction).map_err(|error| match error {
            unfit @ StoreError::Unfit { .. } => place(unfit.to_string()),
            other => other.into(),
        })?;
        writeln!(out, "recorded {}", visible(&interaction.id))?;
        out.flush()?;
        recorded += 1;
    }
    Ok(())
}

/// Tells what happened on the way to a memory, a line each.
pub(super) fn tell(notices: &[Notice]) {
    notices.iter().for_each(|notice| tell_line!("logoscope: {}", visible(&notice.to_string())));
}

/// Takes the line of progress away.
pub(super) fn clear() {
    if io::stderr().is_terminal() {
        tell_part!("\r\x1b[K");
    }
}

impl Common {
    /// Where stores are.
    pub(super) fn stores(&self) -> PathBuf {
        self.store.clone().unwrap_or_else(|| cache_folder().join("stores"))
    }

    /// Memory of the dataset named on the command line, or of the embedded one: from its store where that pays.
    pub(super) fn memory(&self) -> Result<Memory, CliError> {
        let Some(data) = &self.data else { return Ok(Memory::build(&sample::dataset()?)) };
        let store = self.store_of(data)?;
        if !store.worthwhile() {
            return Ok(Memory::build(&self.dataset()?));
        }
        let mut progress = Progress::begin()?;
        let opened = store.open(None, &mut |stage, done, total| progress.tell(stage, done, total))?;
        clear();
        tell(&opened.notices);
        Ok(opened.memory)
    }
}

/// Shows how far a long piece of work is, where there is a terminal, and hears Ctrl-C.
pub(super) struct Progress {
    begun: Instant,
    stage: Option<(&'static str, Instant)>,
    shown: bool,
    stopped: Arc<AtomicBool>,
}

impl Progress {
    pub(super) fn begin() -> io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        // The second Ctrl-C ends the process at once, should a stage take too long to hear the first.
        signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, 130, Arc::clone(&stopped))?;
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stopped))?;
        Ok(Self { begun: Instant::now(), stage: None, shown: io::stderr().is_terminal(), stopped })
    }

    pub(super) fn tell(&mut self, stage: &'static str, done: usize, total: usize) -> Result<(), StoreError> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(StoreError::Cancelled);
        }
        let since = match self.stage {
            Some((last, since)) if last == stage => since,
            _ => {
                let now = Instant::now();
                self.stage = Some((stage, now));
                now
            }
        };
        if self.shown && self.begun.elapsed() >= PATIENCE {
            let told = told(stage, done, total, since.elapsed());
            tell_part!("\r\x1b[K{told}");
        }
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The work is over: from now on Ctrl-C ends the process again, at once.
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// `making vectors 43 %, 61000 a second, 9 s left`.
fn told(stage: &str, done: usize, total: usize, elapsed: Duration) -> String {
    if done == 0 || total <= 1 {
        return stage.to_owned();
    }
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-3);
    let left = (total - done.min(total)) as f64 / rate;
    format!("{stage} {} %, {rate:.0} a second, {left:.0} s left", done * 100 / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_share_rate_and_time_left() {
        assert_eq!(told("counting words", 0, 900, Duration::ZERO), "counting words");
        assert_eq!(
            told("counting words", 300, 900, Duration::from_secs(3)),
            "counting words 33 %, 100 a second, 6 s left"
        );
    }
}
