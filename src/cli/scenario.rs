//! `logoscope scenario`: a scenario as a session of one person (`--out`), or as a study over the dataset (without).
//! Same arguments, same bytes.

mod study;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::ask::parse_weight;
use super::replay::summary;
use super::target::require_free;
use super::{CliError, Common, model, output};
use crate::data::dataset::Dataset;
use crate::data::interaction::UserId;
use crate::data::sanitize::visible;
use crate::engine::fit::Fit;
use crate::engine::model::Located;
use crate::mediator::{Policy, Weight};
use crate::session::event::{ModelId, Setting};
use crate::session::scenario::{Options, Plan, Scenario, Voice};
use crate::session::{Replay, SessionError};

/// Options of `scenario`.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    /// What to show: cold-start (a history that grows from nothing), biased (a long, one-sided history), ladder (the same
    /// questions with less of a history), dial (with a skewed one), drift (a taste that changes), new-community (people
    /// whom memory has not seen), gallery (the strongest conflicts)
    #[arg(value_name = "SCENARIO")]
    scenario: Scenario,
    /// Session file to write [default: none; ladder, dial, drift and new-community print a study over the dataset]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// With --out: replace a file that exists
    #[arg(long, requires = "out")]
    force: bool,
    /// About whom the session is [default: whoever shows it best, by the rule in docs/sessions.md]
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// The mediator's rule [default: product for labels, shrinkage for ratings]
    #[arg(long)]
    policy: Option<Policy>,
    /// Set a weight, `prior-strength=4`; may be repeated
    #[arg(long = "weight", value_name = "NAME=VALUE", value_parser = parse_weight)]
    weights: Vec<(Weight, f64)>,
    /// How a study is printed [default: text]
    #[arg(long)]
    format: Option<Form>,
    /// Queries of a ladder or dial: all interactions but the first FRACTION [default: judged queries; 0.8 without any]
    #[arg(long, value_name = "FRACTION")]
    split: Option<f64>,
    /// Ask no more than N queries of a study, drawn by lot
    #[arg(long, value_name = "N")]
    queries: Option<usize>,
    /// The ladder's greatest rung: its people have at least as many items [default: 32]
    #[arg(long, value_name = "M")]
    most: Option<usize>,
    /// The ladder holds the oldest items instead of the newest, which mixes size with age
    #[arg(long)]
    oldest: bool,
    /// Days before a query within which a ladder's study hides the person's own items: what was done in one sitting is alike
    #[arg(long, value_name = "DAYS")]
    gap: Option<f64>,
    /// Items of every history on the dial [default: 10]
    #[arg(long, value_name = "L")]
    length: Option<usize>,
    /// Percent from one share of the dial to the next [default: 10]
    #[arg(long, value_name = "P")]
    step: Option<usize>,
    /// Draws of every history in a dial's study [default: 5]
    #[arg(long, value_name = "N")]
    draws: Option<usize>,
    /// The dial's label [default: each person's commonest]
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Drift: people made of two, the past of one and the future of another, instead of observed changes
    #[arg(long)]
    made: bool,
    /// New community: which one, by number [default: the one whose answers are least like everyone else's]
    #[arg(long, value_name = "N")]
    community: Option<usize>,
    /// Seed of what is drawn and of resamples [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// How a study is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For reading
    Text,
    /// One object
    Json,
    /// One line a figure: table, row, column, value
    Csv,
    /// For a repository or an issue
    Md,
}

/// Runs the command.
pub fn run(common: &Common, args: &ScenarioArgs) -> Result<ExitCode, CliError> {
    refuse(args)?;
    args.out.iter().try_for_each(|out| require_free(out, None, args.force))?;
    let dataset = common.dataset()?;
    let options = options(&dataset, args)?;
    let (place, fit) = common.fitting_model(&dataset.manifest)?;
    let setting = setting(&dataset, args, &fit);
    match &args.out {
        Some(out) => session(common, &dataset, args, &options, setting, place, out),
        None => study::run(common, &dataset, args, &options, setting, place),
    }
}

fn setting(dataset: &Dataset, args: &ScenarioArgs, fit: &Fit) -> Setting {
    let policy = args.policy.unwrap_or(Policy::of(dataset.manifest.task));
    let defaults = fit.defaults(policy, &dataset.manifest);
    let weights = args.weights.iter().fold(defaults, |weights, (weight, value)| weights.with(*weight, *value));
    Setting { weights, policy }
}

/// Refuses options that say nothing here, each with what to do instead.
fn refuse(args: &ScenarioArgs) -> Result<(), CliError> {
    use Scenario::{Biased, ColdStart, Dial, Drift, Gallery, Ladder, NewCommunity};
    let of = |scenarios: &[Scenario]| scenarios.contains(&args.scenario);
    let given: [(&str, bool, &[Scenario]); 11] = [
        ("--split", args.split.is_some(), &[Ladder, Dial]),
        ("--queries", args.queries.is_some(), &[Ladder, Dial]),
        ("--most", args.most.is_some(), &[Ladder]),
        ("--oldest", args.oldest, &[Ladder]),
        ("--gap", args.gap.is_some(), &[Ladder]),
        ("--length", args.length.is_some(), &[Dial]),
        ("--step", args.step.is_some(), &[Dial]),
        ("--draws", args.draws.is_some(), &[Dial]),
        ("--label", args.label.is_some(), &[Dial]),
        ("--made", args.made, &[Drift]),
        ("--community", args.community.is_some(), &[NewCommunity]),
    ];
    let scenario = args.scenario;
    if let Some((option, _, fitting)) = given.iter().find(|(_, given, fitting)| *given && !of(fitting)) {
        let fitting = fitting.iter().map(|scenario| scenario.name()).collect::<Vec<_>>().join(" and ");
        return Err(CliError::Usage(format!("{option} is for {fitting}; leave it out of {scenario}")));
    }
    let told = if args.out.is_none() && of(&[ColdStart, Biased, Gallery]) {
        format!("{scenario} is a session and needs --out <FILE>; see `logoscope scenario --help`")
    } else if args.out.is_none() && args.user.is_some() {
        "a study is about everyone; give --out FILE for a session about --user, or leave --user out".to_owned()
    } else if args.user.is_some() && of(&[NewCommunity]) {
        "a community is no --user; name one with --community, or leave both out".to_owned()
    } else if args.out.is_some() && args.format.is_some() {
        "--format is of a study; leave out --out for one, or --format for a session".to_owned()
    } else if args.out.is_some()
        && (args.split.is_some() || args.queries.is_some() || args.draws.is_some() || args.gap.is_some())
    {
        "--split, --queries, --draws and --gap are of a study; leave out --out for one, or them for a session"
            .to_owned()
    } else if args.gap.is_some_and(|gap| !(0.0..=36_500.0).contains(&gap)) {
        "--gap is a number of days from 0 to 36500".to_owned()
    } else if args.most == Some(0) || args.length == Some(0) || args.draws == Some(0) || args.queries == Some(0) {
        "--most, --length, --draws and --queries are at least 1".to_owned()
    } else if args.step.is_some_and(|step| step == 0 || step > 100) {
        "--step is a number of percent from 1 to 100".to_owned()
    } else {
        return Ok(());
    };
    Err(CliError::Usage(told))
}

fn options(dataset: &Dataset, args: &ScenarioArgs) -> Result<Options, CliError> {
    let default = Options::default();
    let label = match &args.label {
        None => None,
        Some(name) => {
            let labels = dataset.manifest.responses();
            let found = labels.iter().position(|label| label == name);
            Some(found.ok_or_else(|| {
                let known = labels.join(", ");
                CliError::Usage(format!(
                    "--label {name} is no label of '{}'; use one of {known}",
                    dataset.manifest.name
                ))
            })?)
        }
    };
    Ok(Options {
        most: args.most.unwrap_or(default.most),
        oldest: args.oldest,
        length: args.length.unwrap_or(default.length),
        step: args.step.unwrap_or(default.step),
        label,
        made: args.made,
        community: args.community,
        seed: args.seed.unwrap_or(default.seed),
    })
}

fn session(
    common: &Common,
    dataset: &Dataset,
    args: &ScenarioArgs,
    options: &Options,
    setting: Setting,
    place: Option<Located>,
    out: &std::path::Path,
) -> Result<ExitCode, CliError> {
    let user = args.user.as_deref().map(UserId::new);
    let (plan, session) = with_voice(common, place, |voice| {
        let plan = Plan::with(options, args.scenario, dataset, user.as_ref(), &setting, voice)?;
        let session = plan.record(dataset, setting, voice)?;
        Ok((plan, session))
    })?;
    session.write(out)?;
    let out = out.to_string_lossy();
    print_line!("{}: {}, {} questions", visible(&out), visible(&session.header.title), plan.turns())?;
    print_line!("{}", visible(&plan.why))?;
    let mut replay = Replay::new(session);
    output::out().write_all(summary(&replay.seek(usize::MAX).outcomes).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Does `work` with the model at `place`; with none for memory alone.
fn with_voice<T>(
    common: &Common,
    place: Option<Located>,
    work: impl FnOnce(Option<&Voice>) -> Result<T, SessionError>,
) -> Result<T, CliError> {
    let Some(engine) = model::engine(&common.load_options(), place.as_ref())? else { return Ok(work(None)?) };
    let hash = place.as_ref().map_or(Ok(String::new()), model::identity)?;
    let model = ModelId { name: engine.caps().name.clone(), hash, scores: engine.caps().score };
    Ok(work(Some(&Voice { engine: &*engine, model }))?)
}
