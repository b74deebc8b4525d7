//! `logoscope scenario`: makes a session that shows a cold start or a biased user. Same arguments, same bytes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::replay::summary;
use super::{CliError, Common};
use crate::data::interaction::UserId;
use crate::data::sanitize::visible;
use crate::mediator::Policy;
use crate::session::event::Setting;
use crate::session::scenario::{Plan, Scenario, Voice};
use crate::session::{Replay, SessionError};

/// Options of `scenario`.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    /// What to show: cold-start (a history that grows from nothing) or biased (a long, one-sided history)
    #[arg(value_name = "cold-start|biased")]
    scenario: Scenario,
    /// About whom [default: whoever shows it best, by the rule in docs/sessions.md]
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// Session file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The mediator's rule [default: product for labels, shrinkage for ratings]
    #[arg(long)]
    policy: Option<Policy>,
}

/// Runs the command.
pub fn run(common: &Common, args: &ScenarioArgs) -> Result<ExitCode, CliError> {
    let dataset = common.dataset()?;
    let user = args.user.as_deref().map(UserId::new);
    let (folder, fit) = common.fitting_model(&dataset.manifest)?;
    let policy = args.policy.unwrap_or(Policy::of(dataset.manifest.task));
    let setting = Setting { weights: fit.defaults(policy, &dataset.manifest), policy };
    let (plan, session) = with_voice(folder, |voice| {
        let plan = Plan::of(args.scenario, &dataset, user.as_ref(), &setting, voice)?;
        let session = plan.record(&dataset, setting, voice)?;
        Ok((plan, session))
    })?;
    session.write(&args.out)?;
    let out = args.out.to_string_lossy();
    println!("{}: {}, {} questions", visible(&out), visible(&session.header.title), plan.turns());
    println!("{}", visible(&plan.why));
    let mut replay = Replay::new(session);
    print!("{}", summary(&replay.seek(usize::MAX).outcomes));
    Ok(ExitCode::SUCCESS)
}

/// Does `work` with the model in `folder`; with none for memory alone.
#[cfg(feature = "local")]
fn with_voice<T>(
    folder: Option<PathBuf>,
    work: impl FnOnce(Option<&Voice>) -> Result<T, SessionError>,
) -> Result<T, CliError> {
    use super::file_error;
    use crate::engine::engine::Engine;
    use crate::engine::local::LocalEngine;
    use crate::session::event::ModelId;
    use crate::session::log::fingerprint;

    let Some(folder) = folder else { return Ok(work(None)?) };
    let engine = LocalEngine::load(&folder)?;
    let hash = fingerprint(&folder).map_err(|source| file_error(&folder, source))?;
    let model = ModelId { name: engine.caps().name.clone(), hash };
    Ok(work(Some(&Voice { engine: &engine, model }))?)
}

#[cfg(not(feature = "local"))]
fn with_voice<T>(
    folder: Option<PathBuf>,
    work: impl FnOnce(Option<&Voice>) -> Result<T, SessionError>,
) -> Result<T, CliError> {
    if folder.is_none() {
        return Ok(work(None)?);
    }
    let told = "this build has no model engine; pass --model none, or build with the feature 'local'";
    Err(CliError::Usage(told.to_owned()))
}
