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
mod common;
mod compare;
mod config;
mod diff;
mod doctor;
mod error;
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

use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Parser, Subcommand, ValueEnum};

pub use common::{Common, cache_folder};
use common::{models_folder, profiles_folder, sessions_folder, tries_folder};
pub use error::CliError;
use error::file_error;

use crate::config::{Settled, numbers};
use crate::data::interaction::Timestamp;
use crate::data::sanitize::visible;
use crate::data::text::brief;
use crate::mediator::Policy;
use crate::memory::Memory;
use crate::theme::Theme;

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

/// Tells something on standard error, on one line. Whatever it quotes, a path, a value, a label, is made visible here,
/// and cut where it is longer than anybody reads.
fn complain(text: &str) {
    tell_line!("logoscope: {}", brief(&visible(text), LONGEST_MESSAGE));
}

/// Says that `what` was interrupted and left nothing, and with which exit code that ends.
fn given_up(what: &str) -> ExitCode {
    complain(&format!("the {what} was interrupted; nothing was written"));
    ExitCode::from(130)
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
            ExitCode::from(match error {
                CliError::Interrupted => 130,
                CliError::Unwritten => import::ended_code(),
                _ => 2,
            })
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
        Some(text) => Timestamp::typed(text).map_err(|error| CliError::Usage(format!("--at: {error}"))),
        None => Ok(memory.end()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, CommandFactory};

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
