//! The command line: one file a command under `cli/`, this one the grammar they share.
//!
//! Contract: exit 0 ok, 1 a check failed, 2 usage or runtime error, 130 interrupted. Errors are one to three lines on
//! standard error that name what failed, the value and the remedy. Output to something that is no terminal holds no
//! escape codes.

/// Tells a line on standard error. That nobody listens any more ends no command.
macro_rules! tell_line {
    ($($told:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut $crate::cli::output::err(), format_args!("{}\n", format_args!($($told)*)));
    }};
}

/// The same of a line that is written over.
macro_rules! tell_part {
    ($($told:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut $crate::cli::output::err(), format_args!($($told)*));
    }};
}

/// A line of what was asked for, for people. Who stops reading ends the command, which is no failure, see [`main`].
macro_rules! print_line {
    ($($told:tt)*) => {
        std::io::Write::write_fmt(&mut $crate::cli::output::out(), format_args!("{}\n", format_args!($($told)*)))
    };
}

mod ask;
mod audit;
mod bench;
mod compare;
mod config;
mod diff;
mod doctor;
mod eval;
mod export;
mod fit;
mod fit_embedder;
mod forget;
mod generate;
mod import;
mod model;
mod output;
mod parity;
mod prompts;
mod replay;
mod rerun;
mod scenario;
mod store;
mod sweep;
mod synth;
mod target;
mod vectors;
mod voice;
mod why_not;
pub mod workbench;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, Parser, Subcommand, ValueEnum};

use crate::config::{ConfigError, Settled, numbers};
use crate::data::dataset::{Dataset, DatasetError, Manifest};
use crate::data::import::ImportError;
use crate::data::interaction::{Timestamp, UserId};
use crate::data::sample;
use crate::data::sanitize::visible;
use crate::data::table::TableError;
use crate::data::text::brief;
use crate::engine::download::Hub;
use crate::engine::error::EngineError;
use crate::engine::fit::{Fit, Training};
use crate::engine::model::{DeviceChoice, LoadOptions, Located, ModelSpec, Quantisation};
use crate::engine::profile::kept::ProfileError;
use crate::engine::room::Allowance;
use crate::eval::EvalError;
use crate::eval::audit::group::AuditError;
use crate::eval::compare::CompareError;
use crate::forget::ForgetError;
use crate::logging::LogError;
use crate::mediator::Policy;
use crate::memory::Memory;
use crate::memory::embed::lsa::LsaError;
use crate::memory::entry::IndexError;
use crate::memory::store::{Store, StoreError};
use crate::session::SessionError;
use crate::theme::Theme;

/// What went wrong, in words for the person at the keyboard.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Somebody did not want to wait for vectors.
    #[error("interrupted while vectors were made; those that were made are kept")]
    Interrupted,
    /// Somebody did not want to wait for files.
    #[error("interrupted; nothing was written")]
    Unwritten,
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An import.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Memory.
    #[error(transparent)]
    Memory(#[from] IndexError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A store that was asked for, and memory has none.
    #[error("no store was built: {reason}")]
    NoStore {
        /// What was in the way and what to do.
        reason: String,
    },
    /// The model.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// An evaluation.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Forgetting.
    #[error(transparent)]
    Forget(#[from] ForgetError),
    /// Prose profiles.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// An audit.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A comparison.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// An embedder's fit.
    #[error(transparent)]
    Lsa(#[from] LsaError),
    /// A table of an embedder.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A dataset that has nothing to ask.
    #[error(
        "the dataset '{dataset}' has no judged query to ask; write some into its queries.jsonl, or leave out --data"
    )]
    NoQuestion {
        /// Its name.
        dataset: String,
    },
    /// A measurement.
    #[error(transparent)]
    Bench(#[from] crate::bench::BenchError),
    /// Work to be ranked.
    #[error(transparent)]
    Work(#[from] crate::bench::WorkError),
    /// The workbench.
    #[error(transparent)]
    Workbench(#[from] workbench::WorkbenchError),
    /// A user who is not in the data.
    #[error(
        "user '{0}' is not in the dataset; check the spelling, or pass --new-user to ask as somebody without history"
    )]
    UnknownUser(UserId),
    /// A file.
    #[error("{}: {source}; check the path and its permissions", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a file.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A value that fits no option.
    #[error("{0}")]
    Usage(String),
    /// Standard output went away.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading.
    Text,
    /// One JSON object a line.
    Json,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Unless NO_COLOR is set.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No: meaning is carried by weight and glyphs.
    Never,
}

/// A terminal workbench for LLM personalisation memory, after LoGo (arXiv 2509.23767).
#[derive(Debug, Parser)]
#[command(name = "logoscope", version, about, after_help = AFTER_HELP)]
pub struct Cli {
    /// Session file to replay in the workbench
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// Do not record live use of the workbench
    #[arg(long, action = ArgAction::Set, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    no_record: bool,
    /// Theme that the workbench begins with: ansi, night, day or mono
    #[arg(long, value_name = "NAME", default_value = Theme::names()[0], value_parser = export::theme)]
    theme: &'static str,
    // Behind all others, which would stand under its heading.
    #[command(flatten, next_help_heading = EVERY_COMMAND)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the options of every command stand under in help and manual, behind a command's own.
const EVERY_COMMAND: &str = "Options of every command";

/// Characters of a message on standard error.
const LONGEST_MESSAGE: usize = 600;
/// How the parser's messages end.
const MORE: &str = "\nFor more information";

const AFTER_HELP: &str = "\
Without a command the workbench opens, on embedded sample data with the shipped model.

Examples:
  logoscope
  logoscope ask --user u017 --query \"A retired diver maps the drowned streets\"
  logoscope why-not --user u017 --query \"A retired diver maps the drowned streets\" p5-c2-3
  logoscope import huffpost news.jsonl --out news
  logoscope import lamp train_questions.json train_outputs.json --out lamp
  logoscope --data news
  logoscope eval --data news --split 0.8 --peers
  logoscope audit --data news --split 0.8 --max-gap 0.1
  logoscope fit-embedder --data news --share 0.8 --out news/words
  logoscope sweep --data news --weight half-life --split 0.8
  logoscope rerun session.jsonl --weight prior-strength=8 --out again.jsonl
  logoscope diff session.jsonl again.jsonl
  logoscope --session sample-data/sessions/cold-start.jsonl
  logoscope export sample-data/sessions/cold-start.jsonl --html cold-start.html
  logoscope synth --out my-population --seed 7
  logoscope forget --user u017 --data my-population --dry-run
  logoscope config template
  logoscope generate completions bash

Exit codes: 0 ok, 1 a check failed, 2 usage or runtime error, 130 interrupted.";

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Configuration file [default: config.toml in the platform's configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Dataset folder [default: the embedded sample, film-tags]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Model: `nano`, a safetensors folder, a GGUF file, `owner/name[:file.gguf]` of a hub, `http(s)://host:port/v1[#model]`
    /// of an OpenAI-compatible server (its key in OPENAI_API_KEY), or `none` for memory alone
    #[arg(long, global = true, value_name = "NAME|DIR|FILE|ID|URL", default_value = sample::MODEL, value_parser = NonEmptyStringValueParser::new())]
    model: String,
    /// Whether a model was named at all.
    #[arg(skip)]
    model_given: bool,
    /// What the model runs on: auto, cpu, cuda, cuda:N or metal; auto takes a GPU if there is one
    #[arg(long, global = true, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,
    /// Make weights smaller while they are read: q2k, q3k, q4k, q5k, q6k, q4_0, q4_1, q5_0, q5_1 or q8_0
    #[arg(long, global = true, value_name = "KIND")]
    quantize: Option<Quantisation>,
    /// Tokens of prompt and answer together that the model gets room for [default: 4096, or fewer if it knows fewer]
    #[arg(long, global = true, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(512..=16_777_216))]
    context: Option<u32>,
    /// Memory that the model may take: 8G, 800M, or `any` to load it without looking [default: what is available]
    #[arg(long, global = true, value_name = "SIZE")]
    memory: Option<Allowance>,
    /// Ask nothing of a network: a model of a hub must be on this machine
    #[arg(long, global = true, action = ArgAction::Set, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    offline: bool,
    /// Folder whose models the workbench offers [default: in the platform's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Folder for stores of large datasets [default: in the platform's cache folder]
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Write a log to the end of this file
    #[arg(long, global = true, value_name = "FILE")]
    log: Option<PathBuf>,
    /// ASCII instead of Unicode glyphs
    #[arg(long, global = true, action = ArgAction::Set, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    ascii: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask one question, or a file of them, on the four arms
    Ask(ask::AskArgs),
    /// Say why interactions or collective entries are not shown for a question
    WhyNot(why_not::WhyNotArgs),
    /// Turn foreign data into a dataset folder, with an account of every row
    Import(import::ImportArgs),
    /// Replay a recorded session, check it against its data and its model, or redact it
    Replay(replay::ReplayArgs),
    /// Compute a session again, with other weights, policy, model or data, beside its recording
    Rerun(rerun::RerunArgs),
    /// Share a session's beginning up to a turn, and go on from there otherwise
    Fork(rerun::ForkArgs),
    /// Compare two sessions turn by turn
    Diff(diff::DiffArgs),
    /// Write a session as a page or a terminal recording, to be shown anywhere
    Export(export::ExportArgs),
    /// Record a session, or print a study: a cold start, biased users, drift, a new community, the strongest conflicts
    Scenario(scenario::ScenarioArgs),
    /// Generate a seeded sample population
    Synth(synth::SynthArgs),
    /// Look after the cache that a large dataset is read from, and record interactions
    Store(store::StoreArgs),
    /// Remove a person from a dataset and everything derived from it, and prove it with their own words
    Forget(forget::ForgetArgs),
    /// Judge all arms on many queries: metrics, intervals, paired tests
    Eval(eval::EvalArgs),
    /// Compare two results of `eval` on the same queries
    Compare(compare::CompareArgs),
    /// Tell how groups of people fare, whom the collective overrules, and whether gates hold
    Audit(audit::AuditArgs),
    /// Measure this machine: memory, mediation, frames, the model
    Bench(bench::BenchArgs),
    /// Fit the constants of memory and mediator on past queries
    Fit(fit::FitArgs),
    /// Fit a table of word vectors, an embedder, on a dataset's past
    FitEmbedder(fit_embedder::FitEmbedderArgs),
    /// Try one or two weights over a grid: a curve or a heat map with intervals
    Sweep(sweep::SweepArgs),
    /// Compare a model's answers on two devices: labels, tokens, speed
    Parity(parity::ParityArgs),
    /// Check that everything the default run needs is here
    Doctor,
    /// Say where the configuration file is, what holds now, or what could be written there
    Config(config::ConfigArgs),
    /// Print the manual, or completions for a shell
    Generate(generate::GenerateArgs),
}

impl Common {
    /// The dataset named on the command line with what was recorded since, or the embedded one: to ask questions of.
    fn dataset(&self) -> Result<Dataset, CliError> {
        let mut dataset = match &self.data {
            Some(dir) => {
                let dataset = Dataset::open(dir)?;
                let (dataset, notice) = Store::of_read(&self.stores(), dir, &dataset)?.with_recorded(dataset)?;
                store::tell(notice.as_slice());
                dataset
            }
            None => sample::dataset()?,
        };
        self.embed(&mut dataset)?;
        Ok(dataset)
    }

    /// The model asked for and how it is to run; `None` for memory alone.
    fn model_spec(&self) -> Option<ModelSpec> {
        (self.model != "none").then(|| ModelSpec { name: self.model.clone(), options: self.load_options() })
    }

    /// How models are to run.
    fn load_options(&self) -> LoadOptions {
        LoadOptions {
            device: self.device,
            quantize: self.quantize,
            context: self.context.map(|tokens| tokens as usize),
            memory: self.memory.unwrap_or_default(),
            hub: Hub::from_environment(cache_folder(), self.offline),
            models: Some(self.models.clone().unwrap_or_else(models_folder)),
        }
    }

    /// Where the model is; `None` for memory alone. A model of a hub is downloaded first.
    fn model_place(&self) -> Result<Option<Located>, CliError> {
        self.model_spec().map(|spec| model::located(&spec)).transpose()
    }

    /// What the model at `place` was made for.
    fn training(&self, place: &Located) -> Result<Training, EngineError> {
        place.training(self.model == sample::MODEL)
    }

    /// Where the model is to ask about a dataset, `None` for memory alone, and how the model stands to it. A model
    /// that does not fit is not asked, and standard error says why.
    fn fitting_model(&self, manifest: &Manifest) -> Result<(Option<Located>, Fit), CliError> {
        let Some(place) = self.model_place()? else { return Ok((None, Fit::Absent)) };
        let fit = self.training(&place)?.fit(manifest);
        match fit.unable(&self.model) {
            Some(reason) => {
                complain(&reason.to_string());
                Ok((None, fit))
            }
            None => Ok((Some(place), fit)),
        }
    }
}

/// The platform's cache folder for this program; a temporary one where there is no home.
pub fn cache_folder() -> PathBuf {
    directories::ProjectDirs::from("", "", "logoscope")
        .map_or_else(|| std::env::temp_dir().join("logoscope"), |dirs| dirs.cache_dir().to_owned())
}

/// The platform's data folder for this program.
fn data_folder() -> PathBuf {
    let folder = directories::ProjectDirs::from("", "", "logoscope").map(|dirs| dirs.data_local_dir().to_owned());
    folder.unwrap_or_else(|| std::env::temp_dir().join("logoscope"))
}

/// Where models lie that the workbench offers.
fn models_folder() -> PathBuf {
    data_folder().join("models")
}

/// Where tries are kept.
fn tries_folder() -> PathBuf {
    data_folder().join("tries")
}

/// Where prose profiles are kept: in the platform's cache folder for this program.
fn profiles_folder() -> PathBuf {
    cache_folder().join("profiles")
}

/// Where live use is recorded: under the platform's state folder for this program.
fn sessions_folder() -> PathBuf {
    let state = |dirs: directories::ProjectDirs| dirs.state_dir().unwrap_or(dirs.data_local_dir()).to_owned();
    let folder = directories::ProjectDirs::from("", "", "logoscope").map(state);
    folder.unwrap_or_else(|| std::env::temp_dir().join("logoscope")).join("sessions")
}

fn file_error(path: &Path, source: std::io::Error) -> CliError {
    CliError::File { path: path.to_owned(), source }
}

/// Tells something on standard error, on one line. Whatever it quotes, a path, a value, a label, is made visible here,
/// and cut where it is longer than anybody reads.
fn complain(text: &str) {
    tell_line!("logoscope: {}", brief(&visible(text), LONGEST_MESSAGE));
}

/// What is wrong with the command line, how it is used, and where to read more: three lines of the many that the parser
/// would print.
fn complain_about_usage(error: &clap::Error) {
    let told = error.render().to_string();
    let (what, how) = told.split_once("\nUsage:").unwrap_or((&told, ""));
    let (what, _) = what.split_once(MORE).unwrap_or((what, ""));
    let (how, _) = how.split_once(MORE).unwrap_or((how, ""));
    // That an option could be passed as a value helps nobody here.
    let tells = |line: &&str| !line.is_empty() && !line.contains("as a value, use '-- ");
    let words = |text: &str| text.lines().map(str::trim).filter(tells).collect::<Vec<_>>().join(" ");
    let what = words(what).replace(" tip: ", "; ");
    complain(&numbers::instead(what.trim_start_matches("error: ")));
    if !how.is_empty() {
        tell_line!("usage: {}", brief(&visible(&words(how)), LONGEST_MESSAGE));
    }
    tell_line!("see `logoscope --help`, or --help after a command");
}

/// Reads the command line, runs it, and turns failure into a message and an exit code.
pub fn main() -> ExitCode {
    let (cli, settled) = match config::parsed(std::env::args_os().collect()) {
        Ok(parsed) => parsed,
        // Help and version: asked for, so they are no failure.
        Err(config::Refused::Usage(error)) if !error.use_stderr() => error.exit(),
        Err(config::Refused::Usage(error)) => {
            complain_about_usage(&error);
            return ExitCode::from(2);
        }
        Err(config::Refused::Config(error)) => {
            complain(&error.to_string());
            return ExitCode::from(2);
        }
    };
    match run(cli, &settled) {
        Ok(code) => code,
        // Whoever reads our output may stop reading: that is no failure of ours.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let told = error.to_string();
            complain(&format!("{told}{}", settled.behind(&told).unwrap_or_default()));
            ExitCode::from(if matches!(error, CliError::Interrupted | CliError::Unwritten) { 130 } else { 2 })
        }
    }
}

/// Whether an option of every command stands on the command line, before the command or after it.
fn is_given(matches: &ArgMatches, option: &str) -> bool {
    let here = matches.value_source(option) == Some(ValueSource::CommandLine);
    here || matches.subcommand().is_some_and(|(_, below)| is_given(below, option))
}

fn run(cli: Cli, settled: &Settled) -> Result<ExitCode, CliError> {
    if cli.common.ascii {
        output::keep_to_ascii();
    }
    if let (Some(session), Some(_)) = (&cli.session, &cli.command) {
        let told = "opens the workbench and goes with no command; use `logoscope replay FILE`";
        return Err(CliError::Usage(format!("--session {} {told}", session.display())));
    }
    // These tell of the program itself, and there is nothing to log.
    let tells = matches!(cli.command, Some(Command::Config(_) | Command::Generate(_)));
    if let Some(path) = cli.common.log.as_ref().filter(|_| !tells) {
        crate::logging::to_file(path)?;
    }
    match cli.command {
        Some(Command::Ask(args)) => ask::run(&cli.common, &args),
        Some(Command::WhyNot(args)) => why_not::run(&cli.common, &args),
        Some(Command::Import(args)) => import::run(&args),
        Some(Command::Replay(args)) => replay::run(&cli.common, &args),
        Some(Command::Rerun(args)) => rerun::run(&cli.common, &args),
        Some(Command::Fork(args)) => rerun::run_fork(&cli.common, &args),
        Some(Command::Diff(args)) => diff::run(&args),
        Some(Command::Export(args)) => export::run(&cli.common, &args),
        Some(Command::Scenario(args)) => scenario::run(&cli.common, &args),
        Some(Command::Synth(args)) => synth::run(&args),
        Some(Command::Store(args)) => store::run(&cli.common, &args),
        Some(Command::Forget(args)) => forget::run(&cli.common, &args),
        Some(Command::Eval(args)) => eval::run(&cli.common, &args),
        Some(Command::Compare(args)) => compare::run(&args),
        Some(Command::Audit(args)) => audit::run(&cli.common, &args),
        Some(Command::Bench(args)) => bench::run(&cli.common, &args),
        Some(Command::Fit(args)) => fit::run(&cli.common, &args),
        Some(Command::FitEmbedder(args)) => fit_embedder::run(&cli.common, &args),
        Some(Command::Sweep(args)) => sweep::run(&cli.common, &args),
        Some(Command::Parity(args)) => parity::run(&cli.common, &args),
        Some(Command::Doctor) => doctor::run(&cli.common),
        Some(Command::Config(args)) => config::run(&cli.common, &args, settled),
        Some(Command::Generate(args)) => generate::run(&args),
        None => {
            let spec = cli.common.model_spec();
            let training = spec.as_ref().map(model::training).transpose()?.unwrap_or_default();
            let options = workbench::WorkbenchOptions {
                dataset: cli.common.data.clone(),
                stores: cli.common.stores(),
                training,
                model: spec,
                load: cli.common.load_options(),
                session: cli.session.clone(),
                sessions: sessions_folder(),
                record: !cli.no_record,
                tries: tries_folder(),
                profiles: profiles_folder(),
                ascii: cli.common.ascii,
                color: cli.common.color,
                theme: Some(cli.theme),
                keys: settled.keys.clone(),
            };
            Ok(workbench::run(options)?)
        }
    }
}

/// Refuses a policy that has a model write, where rules alone are weighed.
fn by_rules(policy: Policy) -> Result<(), CliError> {
    let told = "has a model write, and only rules are weighed here; `ask`, `scenario` and the workbench can use it";
    if policy.writes() { Err(CliError::Usage(format!("--policy {policy} {told}"))) } else { Ok(()) }
}

/// The moment to ask at: the given one, or just after the last interaction.
fn moment(given: Option<&str>, memory: &Memory) -> Result<Timestamp, CliError> {
    match given {
        Some(text) => text.parse().map_err(|error| CliError::Usage(format!("--at: {error}"))),
        None => Ok(memory.end()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn help_tells_a_commands_own_options_first() {
        let mut grammar = Cli::command();
        grammar.build();
        let common = Common::augment_args(clap::Command::new("common"));
        let shared = |option: &str| common.get_arguments().any(|argument| argument.get_id() == option);
        for command in std::iter::once(&grammar).chain(grammar.get_subcommands()) {
            for option in command.get_arguments() {
                let heading = shared(option.get_id().as_str()).then_some(EVERY_COMMAND);
                assert_eq!(option.get_help_heading(), heading, "{} {}", command.get_name(), option.get_id());
            }
        }
        let eval = grammar.find_subcommand_mut("eval").unwrap().render_help().to_string();
        let place = |what: &str| eval.find(what).unwrap();
        assert!(place("--split <") < place("--help") && place("--help") < place(EVERY_COMMAND), "{eval}");
        assert!(place(EVERY_COMMAND) < place("--data <"), "{eval}");
    }
}
