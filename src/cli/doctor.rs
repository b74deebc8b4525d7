//! `logoscope doctor`: checks what the default run needs and says what to do about what is missing.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::{CliError, Common, cache_folder, model};
use crate::data::sanitize::visible;
use crate::engine::model::ModelSource;
use crate::memory::store::{Store, WORTH_BYTES};

/// Outcome of one check.
struct Check {
    name: &'static str,
    outcome: Result<String, String>,
}

/// Runs the command: exit 1 when something that the default run needs is missing.
pub fn run(common: &Common) -> Result<ExitCode, CliError> {
    let about_data = common.memory().map_err(|error| error.to_string()).map(|memory| {
        let (users, items) = (memory.population.users.len(), memory.population.len());
        format!("{}: {users} users, {items} interactions, {} periods", memory.manifest.name, memory.periods())
    });
    let cache = cache_folder();
    let about_cache = writable(&cache)
        .map(|()| cache.display().to_string())
        .map_err(|error| format!("{}: {error}; make it writable or set XDG_CACHE_HOME", cache.display()));
    let about_terminal = {
        use std::io::IsTerminal;
        if std::io::stdout().is_terminal() {
            "standard output is one"
        } else {
            "standard output is not one; the workbench needs one"
        }
    };
    let checks = [
        Check { name: "dataset", outcome: about_data },
        Check { name: "cache", outcome: about_cache },
        Check { name: "store", outcome: store(common) },
        Check { name: "model", outcome: answering(common) },
        Check { name: "terminal", outcome: Ok(about_terminal.to_owned()) },
    ];
    let mut healthy = true;
    for check in checks {
        match check.outcome {
            Ok(found) => print_line!("ok       {:9} {}", check.name, visible(&found))?,
            Err(missing) => {
                healthy = false;
                print_line!("missing  {:9} {}", check.name, visible(&missing))?;
            }
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn store(common: &Common) -> Result<String, String> {
    let Some(data) = &common.data else { return Ok("the embedded sample needs none".to_owned()) };
    let store = Store::of(&common.stores(), data).map_err(|error| error.to_string())?;
    if !store.pays() {
        return Ok(format!("none: interactions.jsonl is smaller than {} MiB", WORTH_BYTES >> 20));
    }
    let verdict = store.verify().map_err(|error| error.to_string())?;
    if let Some(fault) = verdict.faults.first() {
        return Err(format!("{fault}; it is rebuilt when the dataset is opened"));
    }
    let (folder, stores) = (store.folder().display(), common.stores());
    if verdict.base.is_some() {
        return Ok(format!("{folder}: {} recorded interactions", verdict.records));
    }
    // Opening the dataset would have built one, but for an embedding model that is not at hand.
    let place = if store.folder().is_dir() { store.folder() } else { &stores };
    writable(place)
        .map_err(|error| format!("{}: {error}; make it writable or name another one with --store", place.display()))?;
    Ok(format!("{folder}: not built yet, {} recorded interactions", verdict.records))
}

/// Makes `folder` and a file in it, which goes again.
fn writable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Of this process alone: another doctor removes its own.
    let probe = folder.join(format!("doctor-{}.part", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}

fn answering(common: &Common) -> Result<String, String> {
    let on_server =
        common.model_spec().is_some_and(|spec| matches!(ModelSource::of(&spec.name), ModelSource::Server(_)));
    if cfg!(not(feature = "local")) && !on_server {
        return Ok("this build has no model engine: memory alone".to_owned());
    }
    let place = common.model_place().map_err(|error| error.to_string())?;
    let engine = model::engine(&common.load_options(), place.as_ref()).map_err(|error| error.to_string())?;
    Ok(engine.map_or("none asked for: memory alone".to_owned(), |engine| model::described(&*engine)))
}
