//! `logoscope scenario`: makes a session that shows a cold start or a biased user. Same arguments, same bytes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::replay::summary;
use super::{CliError, Common, file_error, model};
use crate::data::interaction::UserId;
use crate::data::sanitize::visible;
use crate::mediator::Policy;
use crate::session::event::{ModelId, Setting};
use crate::session::log::fingerprint;
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
    let (plan, session) = with_voice(common, folder, |voice| {
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
fn with_voice<T>(
    common: &Common,
    folder: Option<PathBuf>,
    work: impl FnOnce(Option<&Voice>) -> Result<T, SessionError>,
) -> Result<T, CliError> {
    let Some(engine) = model::engine(&common.load_options(), folder.as_deref())? else { return Ok(work(None)?) };
    let folder = folder.unwrap_or_default();
    let hash = fingerprint(&folder).map_err(|source| file_error(&folder, source))?;
    let model = ModelId { name: engine.caps().name.clone(), hash };
    Ok(work(Some(&Voice { engine: &*engine, model }))?)
}
