//! The model that a session was recorded with, found again by the fingerprint of its files.

use super::{CliError, Common, model};
use crate::engine::model::{Located, ModelSource};
use crate::session::event::ModelId;

/// Characters of a hash that tell two models of one name apart.
const TELLING: usize = 8;

/// Where the model of a session is, if it is the one at hand; else why it is not.
pub(super) fn at_hand(common: &Common, recorded: &ModelId) -> Result<Result<Located, String>, CliError> {
    let Some(spec) = common.model_spec() else { return Ok(Err("--model none".to_owned())) };
    if cfg!(not(feature = "local")) && !matches!(ModelSource::of(&spec.name), ModelSource::Server(_)) {
        return Ok(Err("this build has no model engine".to_owned()));
    }
    let place = model::located(&spec)?;
    let hash = model::identity(&place)?;
    if hash == recorded.hash {
        return Ok(Ok(place));
    }
    let short = |hash: &str| hash.chars().take(TELLING).collect::<String>();
    let (name, was, found) = (&recorded.name, short(&recorded.hash), short(&hash));
    let at_hand = place.told();
    Ok(Err(format!(
        "recorded with {name} ({was}), and the model at hand is another one, {at_hand} ({found}); pass its folder \
         or address with --model"
    )))
}
