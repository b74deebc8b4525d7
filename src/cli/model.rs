//! The model of a command: where it is, what it was made for, and loading it.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{CliError, complain};
use crate::data::sanitize::visible;
use crate::engine::engine::{Engine, LoadStage};
use crate::engine::error::EngineError;
use crate::engine::fit::Training;
use crate::engine::model::{LoadOptions, ModelSource, ModelSpec, locate};
use crate::engine::room::Bytes;

/// Between two words about a download.
const PAUSE: Duration = Duration::from_millis(200);

/// The path of a model; one of a hub is downloaded, and standard error tells how far that is.
pub(super) fn located(spec: &ModelSpec) -> Result<PathBuf, CliError> {
    let watched = std::io::stderr().is_terminal();
    let last = std::cell::Cell::new(None::<Instant>);
    let name = visible(&spec.name);
    let tell = |stage: LoadStage| {
        let LoadStage::Downloading { total: 1.., .. } = stage else { return Ok(()) };
        if !watched && last.replace(Some(Instant::now())).is_none() {
            complain(&format!("{stage}: {name}"));
        }
        if watched && last.get().is_none_or(|at| at.elapsed() >= PAUSE) {
            last.set(Some(Instant::now()));
            eprint!("\r\x1b[Klogoscope: {stage}: {name}");
            let _ = std::io::stderr().flush();
        }
        Ok::<(), EngineError>(())
    };
    let path = locate(spec, &tell);
    if watched && last.get().is_some() {
        eprint!("\r\x1b[K");
    }
    Ok(path?)
}

/// What a model was made for, as far as that is known before it is downloaded.
pub(super) fn training(spec: &ModelSpec) -> Result<Training, EngineError> {
    let source = ModelSource::of(&spec.name);
    let path = match &source {
        ModelSource::Hub(id) => spec.options.hub.here(id),
        _ => Some(locate(spec, &|_| Ok(()))?),
    };
    path.map_or_else(|| Ok(Training::default()), |path| Training::read(&path, source == ModelSource::Shipped))
}

/// The model at `path`, run as `options` say; `None` for memory alone.
#[cfg(feature = "local")]
pub(super) fn engine(options: &LoadOptions, path: Option<&Path>) -> Result<Option<Box<dyn Engine>>, CliError> {
    let Some(path) = path else { return Ok(None) };
    let engine = crate::engine::local::LocalEngine::load_with(path, options, &|_| Ok(()))?;
    Ok(Some(Box::new(engine)))
}

/// There is none in this build.
#[cfg(not(feature = "local"))]
pub(super) fn engine(_: &LoadOptions, path: Option<&Path>) -> Result<Option<Box<dyn Engine>>, CliError> {
    if path.is_none() {
        return Ok(None);
    }
    Err(CliError::Usage(
        "this build has no model engine; pass --model none, or build with the feature 'local'".to_owned(),
    ))
}

/// What a model is, in a line: its size, where it runs, its context and what it takes.
pub(super) fn described(engine: &dyn Engine) -> String {
    let caps = engine.caps();
    let millions = caps.parameters as f64 / 1e6;
    let need = engine.origin().map_or(String::new(), |origin| {
        format!(", {} of weights, {} for keys and values", Bytes(origin.need.weights), Bytes(origin.need.cache))
    });
    let (name, device, dtype, context) = (&caps.name, &caps.device, &caps.dtype, caps.max_context);
    format!("{name}: {millions:.1} M parameters, {device} {dtype}, context {context}{need}")
}
