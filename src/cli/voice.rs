//! The model that a session was recorded with, found again by the fingerprint of its files.

use std::path::{Path, PathBuf};

use super::{CliError, Common, file_error};
use crate::engine::engine::Engine;
use crate::engine::error::EngineError;
use crate::engine::model::LoadOptions;
use crate::session::event::ModelId;
use crate::session::log::fingerprint;

/// Characters of a hash that tell two models of one name apart.
const TELLING: usize = 8;

/// Loads the model in `folder`, to be run as `options` say.
#[cfg(feature = "local")]
pub(super) fn load(folder: &Path, options: &LoadOptions) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(crate::engine::local::LocalEngine::load_with(folder, options, &|_| Ok(()))?))
}

#[cfg(not(feature = "local"))]
pub(super) fn load(folder: &Path, _: &LoadOptions) -> Result<Box<dyn Engine>, EngineError> {
    let reason = "this build has no model engine".to_owned();
    Err(EngineError::Load { path: folder.to_owned(), reason, remedy: "build with the feature 'local'".to_owned() })
}

/// The folder of `model`, if it is the one at hand; else why it is not.
pub(super) fn at_hand(common: &Common, model: &ModelId) -> Result<Result<PathBuf, String>, CliError> {
    if cfg!(not(feature = "local")) {
        return Ok(Err("this build has no model engine".to_owned()));
    }
    let Some(folder) = common.model_folder()? else { return Ok(Err("--model none".to_owned())) };
    let hash = fingerprint(&folder).map_err(|source| file_error(&folder, source))?;
    if hash == model.hash {
        return Ok(Ok(folder));
    }
    let short = |hash: &str| hash.chars().take(TELLING).collect::<String>();
    let (name, recorded, found) = (&model.name, short(&model.hash), short(&hash));
    let at_hand = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Err(format!(
        "recorded with {name} ({recorded}), and the model at hand is another one, {at_hand} ({found}); pass its folder \
         with --model"
    )))
}
