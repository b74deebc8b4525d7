//! The model of a command: where it is, what it was made for, and loading it.
//!
//! Invariant: an outage of a server is told on standard error while a command waits for it.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::{CliError, complain, file_error};
use crate::data::sanitize::visible;
use crate::engine::engine::{Caps, Engine, GenEvent, GenRequest, Generation, LoadStage};
use crate::engine::error::EngineError;
use crate::engine::fit::Training;
use crate::engine::model::{LoadOptions, Located, ModelSource, ModelSpec, Origin, find};
use crate::engine::room::Bytes;
use crate::engine::{address, model};

/// Between two words about a download.
const PAUSE: Duration = Duration::from_millis(200);

/// Where a model is; one of a hub is downloaded, and standard error tells how far that is.
pub(super) fn located(spec: &ModelSpec) -> Result<Located, CliError> {
    let watched = std::io::stderr().is_terminal();
    let (last, attempts) = (Cell::new(None::<Instant>), Cell::new(0));
    let shown = address::told(&spec.name);
    let name = visible(&shown);
    let tell = |stage: LoadStage| {
        told_of_attempts(stage, &name, &attempts);
        let LoadStage::Downloading { total: 1.., .. } = stage else { return Ok(()) };
        if !watched && last.replace(Some(Instant::now())).is_none() {
            complain(&format!("{stage}: {name}"));
        }
        if watched && last.get().is_none_or(|at| at.elapsed() >= PAUSE) {
            last.set(Some(Instant::now()));
            tell_part!("\r\x1b[Klogoscope: {stage}: {name}");
            let _ = std::io::stderr().flush();
        }
        Ok::<(), EngineError>(())
    };
    let found = find(spec, &tell);
    if watched && last.get().is_some() {
        tell_part!("\r\x1b[K");
    }
    Ok(found?)
}

/// Tells that a server is asked again, once an attempt: a stage is heard of as long as it lasts. `told` is the attempt that
/// was told last.
fn told_of_attempts(stage: LoadStage, name: &str, told: &Cell<u32>) {
    if let LoadStage::Asking { attempt: attempt @ 2.., .. } = stage
        && told.replace(attempt) != attempt
    {
        complain(&format!("{stage}: {name}"));
    }
}

/// What a model was made for, as far as that is known before it is downloaded.
pub(super) fn training(spec: &ModelSpec) -> Result<Training, EngineError> {
    let source = ModelSource::of(&spec.name);
    let path = match &source {
        // A wrong address is told before the screen is taken over.
        ModelSource::Server(name) => return name.parse::<address::Address>().map(|_| Training::default()),
        ModelSource::Hub(id) => spec.options.hub.here(id),
        _ => Some(model::locate(spec, &|_| Ok(()))?),
    };
    path.map_or_else(|| Ok(Training::default()), |path| Training::read(&path, source == ModelSource::Shipped))
}

/// The model at `place`, run as `options` say; `None` for memory alone.
pub(super) fn engine(options: &LoadOptions, place: Option<&Located>) -> Result<Option<Box<dyn Engine>>, CliError> {
    match place {
        None => Ok(None),
        Some(Located::Files(_)) if cfg!(not(feature = "local")) => Err(CliError::Usage(
            "this build has no model engine; pass --model none, or build with the feature 'local'".to_owned(),
        )),
        Some(place) => Ok(Some(load(place, options)?)),
    }
}

/// Loads the model at `place`, to be run as `options` say.
pub(super) fn load(place: &Located, options: &LoadOptions) -> Result<Box<dyn Engine>, EngineError> {
    match place {
        Located::Files(path) => load_files(path, options),
        Located::Server(address) => {
            let attempts = Cell::new(0);
            let tell = |stage| {
                told_of_attempts(stage, address.host(), &attempts);
                Ok(())
            };
            Ok(Box::new(Telling(model::server(address, options, &tell)?)))
        }
    }
}

#[cfg(feature = "local")]
fn load_files(path: &std::path::Path, options: &LoadOptions) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(crate::engine::local::LocalEngine::load_with(path, options, &|_| Ok(()))?))
}

#[cfg(not(feature = "local"))]
fn load_files(path: &std::path::Path, _: &LoadOptions) -> Result<Box<dyn Engine>, EngineError> {
    let reason = "this build has no model engine".to_owned();
    Err(EngineError::Load { path: path.to_owned(), reason, remedy: "build with the feature 'local'".to_owned() })
}

/// An engine whose outages are told on standard error.
struct Telling(Box<dyn Engine>);

impl Engine for Telling {
    fn caps(&self) -> &Caps {
        self.0.caps()
    }

    fn origin(&self) -> Option<&Origin> {
        self.0.origin()
    }

    fn generate(&self, req: GenRequest) -> Generation {
        let generation = self.0.generate(req);
        let told = |event: &GenEvent| {
            if let GenEvent::Again(outage) = event {
                complain(&outage.to_string());
            }
        };
        Generation::new(generation.cancel_handle(), generation.inspect(told))
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.0.embed(texts)
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.0.count_tokens(text)
    }
}

/// What a model is, in a line: its size, where it runs, its context and what it takes.
pub(super) fn described(engine: &dyn Engine) -> String {
    let caps = engine.caps();
    let millions = caps.parameters as f64 / 1e6;
    let need = engine.origin().filter(|origin| origin.need.total() > 0).map_or(String::new(), |origin| {
        format!(", {} of weights, {} for keys and values", Bytes(origin.need.weights), Bytes(origin.need.cache))
    });
    let (name, device, dtype, context) = (&caps.name, &caps.device, &caps.dtype, caps.max_context);
    let size = if caps.parameters > 0 { format!("{millions:.1} M parameters, ") } else { String::new() };
    let scores = caps.score.caveat().map_or(String::new(), |caveat| format!(", {caveat}"));
    format!("{name}: {size}{device} {dtype}, context {context}{need}{scores}")
}

/// The fingerprint of the model at `place`: of its files, or of its address.
pub(super) fn identity(place: &Located) -> Result<String, CliError> {
    crate::session::log::identity(place).map_err(|source| file_error(std::path::Path::new(&place.told()), source))
}
