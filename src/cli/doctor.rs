//! `logoscope doctor`: checks what the default run needs and says what to do about what is missing.

use std::process::ExitCode;

use super::{CliError, Common, cache_folder};
use crate::data::sanitize::visible;
use crate::memory::Memory;

/// Outcome of one check.
struct Check {
    name: &'static str,
    outcome: Result<String, String>,
}

/// Runs the command: exit 1 when something that the default run needs is missing.
pub fn run(common: &Common) -> Result<ExitCode, CliError> {
    let dataset = common.dataset();
    let about_data = match &dataset {
        Ok(dataset) => {
            let memory = Memory::build(dataset);
            let (users, items) = (memory.population.users.len(), memory.population.len());
            Ok(format!("{}: {users} users, {items} interactions, {} periods", dataset.manifest.name, memory.periods()))
        }
        Err(error) => Err(error.to_string()),
    };
    let cache = cache_folder();
    let about_cache = std::fs::create_dir_all(&cache)
        .and_then(|()| {
            let probe = cache.join("doctor.part");
            std::fs::write(&probe, b"")?;
            std::fs::remove_file(&probe)
        })
        .map(|()| cache.display().to_string())
        .map_err(|error| format!("{}: {error}; make it writable or set XDG_CACHE_HOME", cache.display()));
    let about_terminal = {
        use std::io::IsTerminal;
        if std::io::stdout().is_terminal() {
            "standard output is one"
        } else {
            "standard output is none; the workbench needs one"
        }
    };
    let checks = [
        Check { name: "dataset", outcome: about_data },
        Check { name: "cache", outcome: about_cache },
        Check { name: "model", outcome: model(common) },
        Check { name: "terminal", outcome: Ok(about_terminal.to_owned()) },
    ];
    let mut healthy = true;
    for check in checks {
        match check.outcome {
            Ok(found) => println!("ok       {:9} {}", check.name, visible(&found)),
            Err(missing) => {
                healthy = false;
                println!("missing  {:9} {}", check.name, visible(&missing));
            }
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

#[cfg(feature = "local")]
fn model(common: &Common) -> Result<String, String> {
    use crate::engine::engine::Engine;
    let Some(folder) = common.model_folder().map_err(|error| error.to_string())? else {
        return Ok("none asked for: memory alone".to_owned());
    };
    let engine = crate::engine::local::LocalEngine::load(&folder).map_err(|error| error.to_string())?;
    let caps = engine.caps();
    let millions = caps.parameters as f64 / 1e6;
    Ok(format!(
        "{}: {millions:.1} M parameters, {} {}, context {}",
        caps.name, caps.device, caps.dtype, caps.max_context
    ))
}

#[cfg(not(feature = "local"))]
fn model(_: &Common) -> Result<String, String> {
    Ok("this build has no model engine: memory alone".to_owned())
}
