//! `logoscope doctor`: looks at what the default run needs and says what to do about what is missing or broken.
//!
//! Invariant: it looks. No store is built and no vector made; what a command would build is said.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{CliError, Common, cache_folder, model, sessions_folder};
use crate::data::dataset::{Dataset, Manifest, TaskKind};
use crate::data::interaction::Timestamp;
use crate::data::sample;
use crate::data::sanitize::visible;
use crate::engine::embedding;
use crate::engine::error::EngineError;
use crate::engine::model::ModelSource;
use crate::memory::column::Column;
use crate::memory::period::Calendar;
use crate::memory::store::{Store, WORTH_BYTES};
use crate::view::text::plural;

/// What a look found.
enum Finding {
    /// As it should be.
    Fine(String),
    /// Not there, or not to be reached.
    Missing(String),
    /// There, and not for this dataset, which does without.
    Unfit(String),
    /// There, and of no use.
    Broken(String),
}

impl Finding {
    /// The word for it, and what is told.
    fn told(&self) -> (&'static str, &str) {
        match self {
            Finding::Fine(told) => ("ok", told),
            Finding::Missing(told) => ("missing", told),
            Finding::Unfit(told) => ("unfit", told),
            Finding::Broken(told) => ("broken", told),
        }
    }
}

impl From<CliError> for Finding {
    fn from(error: CliError) -> Self {
        use EngineError::{Device, Download, Load, Server, Unreachable};
        let told = error.to_string();
        let absent = match &error {
            CliError::Engine(Load { path, .. }) => !path.exists(),
            CliError::Engine(Download { .. } | Server { .. } | Unreachable { .. } | Device { .. }) => true,
            other => is_absence(other),
        };
        if absent { Finding::Missing(told) } else { Finding::Broken(told) }
    }
}

/// Whether at the bottom of `error` a file was not found.
fn is_absence(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Runs the command: exit 1 when something that the default run needs is missing or broken.
pub fn run(common: &Common) -> Result<ExitCode, CliError> {
    let about_terminal = {
        use std::io::IsTerminal;
        if std::io::stdout().is_terminal() {
            "standard output is one"
        } else {
            "standard output is not one; the workbench needs one"
        }
    };
    let (data, manifest) = match dataset(common) {
        Ok((told, manifest)) => (Finding::Fine(told), Some(manifest)),
        Err(error) => (Finding::from(error), None),
    };
    let findings = [
        ("dataset", data),
        ("cache", kept_in(cache_folder(), "XDG_CACHE_HOME")),
        ("sessions", kept_in(sessions_folder(), "XDG_STATE_HOME")),
        ("store", store(common).unwrap_or_else(Finding::from)),
        ("model", answering(common, manifest.as_ref()).unwrap_or_else(Finding::from)),
        ("terminal", Finding::Fine(about_terminal.to_owned())),
    ];
    for (name, finding) in &findings {
        let (word, told) = finding.told();
        print_line!("{word:<8} {name:9} {}", visible(told))?;
    }
    let healthy = findings.iter().all(|(_, finding)| matches!(finding, Finding::Fine(_) | Finding::Unfit(_)));
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What the dataset holds, and its manifest.
fn dataset(common: &Common) -> Result<(String, Manifest), CliError> {
    let dataset = match &common.data {
        Some(dir) => {
            let dataset = Dataset::open(dir)?;
            embedding::opens(&dataset, &common.load_options())?;
            Store::of_read(&common.stores(), dir, &dataset)?.with_recorded(dataset)?.0
        }
        None => sample::dataset()?,
    };
    let people = dataset.users().len();
    let users = plural(people, "user", "users");
    let items = plural(dataset.interactions.len(), "interaction", "interactions");
    let at: Column<Timestamp> =
        dataset.interactions.iter().map(|interaction| interaction.at).collect::<Vec<_>>().into();
    let (manifest, end) = (dataset.manifest, at.last().copied().unwrap_or(Timestamp(0)));
    let length = manifest.periods.length;
    let calendar = Calendar::new(&at, length);
    let closes = calendar.closed_at(Timestamp(end.0.saturating_add(1)), end).is_some();
    // Ratings need no period, and with so few people nothing collective is told in any.
    let heard = closes || manifest.task == TaskKind::Rating || people <= manifest.retrieval.guard;
    let silence = match heard {
        true => String::new(),
        false => {
            format!("; none closes before the data ends, so that global memory knows nothing: {}", length.remedy())
        }
    };
    let periods = plural(calendar.count, "period", "periods");
    Ok((format!("{}: {users}, {items}, {periods}{silence}", manifest.name), manifest))
}

/// Whether `folder`, which `variable` has at another place, can be written.
fn kept_in(folder: PathBuf, variable: &str) -> Finding {
    let told = folder.display();
    match writable(&folder) {
        Ok(()) => Finding::Fine(told.to_string()),
        Err(error) => {
            Finding::Missing(format!("{told}: {error}; make it writable or set {variable} to another folder"))
        }
    }
}

fn store(common: &Common) -> Result<Finding, CliError> {
    let Some(data) = &common.data else { return Ok(Finding::Fine("the embedded sample needs none".to_owned())) };
    let store = Store::of(&common.stores(), data)?;
    if !store.pays() {
        let told = format!("none: interactions.jsonl is smaller than {} MiB", WORTH_BYTES >> 20);
        return Ok(Finding::Fine(told));
    }
    let verdict = store.verify()?;
    if let [fault, more @ ..] = &verdict.faults[..] {
        let more = match more.len() {
            0 => String::new(),
            n => format!(" and {n} more, which `logoscope store verify` lists"),
        };
        return Ok(Finding::Broken(format!("{fault}{more}; it is rebuilt when the dataset is opened")));
    }
    let (folder, stores) = (store.folder().display(), common.stores());
    let records = plural(verdict.records, "recorded interaction", "recorded interactions");
    if verdict.base.is_some() {
        return Ok(Finding::Fine(format!("{folder}: {records}")));
    }
    let place = if store.folder().is_dir() { store.folder() } else { &stores };
    if let Err(error) = writable(place) {
        let place = place.display();
        return Ok(Finding::Missing(format!("{place}: {error}; make it writable or name another one with --store")));
    }
    Ok(Finding::Fine(format!(
        "{folder}: not built yet, {records}; it is built when the dataset is opened, or by \
         `logoscope store build`"
    )))
}

/// Makes `folder` and a file in it, which goes again.
fn writable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Of this process alone: another doctor removes its own.
    let probe = folder.join(format!("doctor-{}.part", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}

/// The model, for the dataset of this `manifest` where that can be read.
fn answering(common: &Common, manifest: Option<&Manifest>) -> Result<Finding, CliError> {
    let on_server =
        common.model_spec().is_some_and(|spec| matches!(ModelSource::of(&spec.name), ModelSource::Server(_)));
    if cfg!(not(feature = "local")) && !on_server {
        return Ok(Finding::Fine("this build has no model engine: memory alone".to_owned()));
    }
    let place = common.model_place()?;
    // No command that opens the dataset loads it either.
    if let (Some(place), Some(manifest)) = (&place, manifest)
        && let Some(reason) = common.training(place)?.fit(manifest).unable(&common.model)
    {
        return Ok(Finding::Unfit(reason));
    }
    let engine = model::engine(&common.load_options(), place.as_ref())?;
    let told = engine.map_or("none asked for: memory alone".to_owned(), |engine| model::described(&*engine));
    Ok(Finding::Fine(told))
}
