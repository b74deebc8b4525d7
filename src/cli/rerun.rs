//! `logoscope rerun` and `logoscope fork`: a session computed again, whole or from a turn on, beside its recording.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::ask::parse_weight;
use super::target::require_free;
use super::{CliError, Common, Format, diff, model, voice};
use crate::data::dataset::Dataset;
use crate::data::sanitize::visible;
use crate::engine::engine::Engine;
use crate::engine::error::EngineError;
use crate::engine::familiar::FamiliarEngine;
use crate::engine::model::Located;
use crate::mediator::{Policy, Weight};
use crate::session::event::{Event, ModelId};
use crate::session::fork::fork;
use crate::session::rerun::Anew;
use crate::session::{Session, State};

/// Options of `rerun`.
#[derive(Debug, Args)]
#[command(after_help = RERUN_HELP)]
pub struct RerunArgs {
    /// Session file to compute again
    session: PathBuf,
    #[command(flatten)]
    otherwise: Otherwise,
    /// Session file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
    /// How to print both beside each other
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Options of `fork`.
#[derive(Debug, Args)]
#[command(after_help = FORK_HELP)]
pub struct ForkArgs {
    /// Session file to share the beginning of; it is not changed
    session: PathBuf,
    /// The last turn that is shared, from 1; 0 shares none
    #[arg(long, value_name = "TURN")]
    at: usize,
    /// Ask the turns after it again; without this the fork ends there
    #[arg(long)]
    rest: bool,
    #[command(flatten)]
    otherwise: Otherwise,
    /// Session file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
    /// How to print both beside each other
    #[arg(long, default_value = "text")]
    format: Format,
}

/// What is set otherwise than in the recording.
#[derive(Debug, Args)]
struct Otherwise {
    /// Set a weight, `prior-strength=4`; may be repeated
    #[arg(long = "weight", value_name = "NAME=VALUE", value_parser = parse_weight)]
    weights: Vec<(Weight, f64)>,
    /// The mediator's rule [default: the recorded one]
    #[arg(long)]
    policy: Option<Policy>,
}

const RERUN_HELP: &str = "\
Questions are those of the session; memory is read again from its dataset, or from another one with --data. The model is
the session's own, or another one with --model; where it was asked the very prompt before, the recorded answer stands.

Examples:
  logoscope rerun sample-data/sessions/cold-start.jsonl --weight prior-strength=8 --out again.jsonl
  logoscope rerun live.jsonl --data news --model none --out again.jsonl";

const FORK_HELP: &str = "\
Examples:
  logoscope fork sample-data/sessions/cold-start.jsonl --at 7 --weight global-trust=2 --out fork.jsonl
  logoscope fork sample-data/sessions/cold-start.jsonl --at 7 --weight global-trust=2 --rest --out fork.jsonl";

/// Runs `rerun`.
pub fn run(common: &Common, args: &RerunArgs) -> Result<ExitCode, CliError> {
    require_free(&args.out, Some(&args.session), args.force)?;
    let parent = opened(&args.session)?;
    let again = anew(common, &args.session, &parent, &args.otherwise, |anew| Ok(anew.rerun(&parent)?))?;
    again.write(&args.out)?;
    diff::print(&parent, &again, ["recording", "re-run"], args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `fork`.
pub fn run_fork(common: &Common, args: &ForkArgs) -> Result<ExitCode, CliError> {
    require_free(&args.out, Some(&args.session), args.force)?;
    let parent = opened(&args.session)?;
    let asked = |event: &std::sync::Arc<Event>| matches!(event.as_ref(), Event::Asked(_));
    let begins: Vec<usize> =
        parent.events.iter().enumerate().filter(|(_, event)| asked(event)).map(|(place, _)| place).collect();
    if args.at > begins.len() {
        let (at, turns) = (args.at, begins.len());
        return Err(CliError::Usage(format!("--at {at}: the session has {turns} turns; give 0 to {turns}")));
    }
    // What a recording says before its first question belongs to no turn, and is shared with the first.
    let position = match args.at {
        0 => 0,
        at => begins.get(at).copied().unwrap_or(parent.events.len()),
    };
    let mut state = State::start(&parent.header);
    parent.events[..position].iter().for_each(|event| state.apply(event));
    let Otherwise { weights, policy } = &args.otherwise;
    let mut setting = state.setting;
    setting.weights = weights.iter().fold(setting.weights, |set, (weight, value)| set.with(*weight, *value));
    setting.policy = policy.unwrap_or(setting.policy);
    let mut forked = fork(&parent, position, Some(setting))?;
    if args.rest {
        forked = anew(common, &args.session, &parent, &args.otherwise, |anew| {
            let mut forked = forked;
            anew.rest(&parent, position, &mut forked)?;
            Ok(forked)
        })?;
    }
    forked.write(&args.out)?;
    diff::print(&parent, &forked, ["recording", "fork"], args.format)?;
    Ok(ExitCode::SUCCESS)
}

fn opened(path: &Path) -> Result<Session, CliError> {
    let session = Session::open(path)?;
    super::replay::warn(path, &session);
    Ok(session)
}

/// Does `work` with what `parent` is computed again with.
fn anew<T>(
    common: &Common,
    path: &Path,
    parent: &Session,
    otherwise: &Otherwise,
    work: impl FnOnce(&Anew) -> Result<T, CliError>,
) -> Result<T, CliError> {
    // Before anything is said of data that its pseudonyms do not name.
    parent.require_words()?;
    let dataset = common.dataset()?;
    if common.data.is_none() && dataset.content_hash() != parent.header.dataset.hash {
        return Err(CliError::Usage(format!(
            "{} is recorded on '{}', which is not the embedded sample; pass its folder, or other data to compute it \
             again on, with --data",
            path.display(),
            parent.header.dataset.name
        )));
    }
    let named = asked_for(common, &dataset)?;
    // What the recording's own model said to a prompt stands; that model is loaded when another prompt comes.
    let own = parent.header.model.as_ref().filter(|model| match &named {
        Asked::AsRecorded => true,
        Asked::Nobody => false,
        Asked::Model { hash, .. } => *hash == model.hash,
    });
    let (mut other, mut familiar) = (None, None);
    match (&named, own.zip(parent.engine())) {
        (Asked::Model { place, .. }, Some((known, recorded))) => {
            familiar = Some((
                FamiliarEngine::new(recorded, Box::new(|| model::load(place, &common.load_options()))),
                known.clone(),
            ));
        }
        (Asked::AsRecorded, Some((known, recorded))) => {
            let load = move || match voice::at_hand(common, known) {
                Ok(Ok(place)) => model::load(&place, &common.load_options()),
                Ok(Err(reason)) => Err(missing(known, &reason)),
                Err(error) => Err(missing(known, &error.to_string())),
            };
            familiar = Some((FamiliarEngine::new(recorded, Box::new(load)), known.clone()));
        }
        (Asked::Model { place, hash }, None) => {
            let engine = model::load(place, &common.load_options())?;
            let model = ModelId { name: engine.caps().name.clone(), hash: hash.clone(), scores: engine.caps().score };
            other = Some((engine, model));
        }
        (Asked::AsRecorded | Asked::Nobody, _) => {}
    }
    let recorded = familiar.as_ref().map(|(engine, model)| (engine as &dyn Engine, model.clone()));
    let voice = recorded.or(other.as_ref().map(|(engine, model)| (engine.as_ref(), model.clone())));
    let (weights, policy) = (otherwise.weights.clone(), otherwise.policy);
    let done = work(&Anew { dataset: &dataset, voice, weights, policy })?;
    if let Some((engine, model)) = &familiar {
        let (repeated, asked) = engine.counts();
        tell_line!("logoscope: {}: {repeated} answers as recorded, {asked} asked again", visible(&model.name));
    }
    Ok(done)
}

/// A prompt that is not on record, and no model to ask.
fn missing(model: &ModelId, reason: &str) -> EngineError {
    let reason = format!("{reason}, and the session holds no answer to what is asked now");
    let remedy = "pass its folder with --model, or --model none for memory alone".to_owned();
    EngineError::Load { path: PathBuf::from(&model.name), reason, remedy }
}

/// Whom the command line names.
enum Asked {
    AsRecorded,
    Nobody,
    Model { place: Located, hash: String },
}

fn asked_for(common: &Common, dataset: &Dataset) -> Result<Asked, CliError> {
    if !common.model_given {
        return Ok(Asked::AsRecorded);
    }
    Ok(match common.fitting_model(&dataset.manifest)?.0 {
        None => Asked::Nobody,
        Some(place) => {
            let hash = model::identity(&place)?;
            Asked::Model { place, hash }
        }
    })
}
