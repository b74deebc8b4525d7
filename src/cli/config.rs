//! `logoscope config`: where the configuration is, what holds now, and a template; and the reading of the command line with
//! it.
//!
//! Invariant: the command line is read twice by one grammar, the second time with what environment and configuration file
//! say in place of its defaults, so that one parser judges all three.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Subcommand};

use super::{Cli, CliError, Command, Common, complain, is_given, models_folder};
use crate::config::{ConfigError, File, Settled, template};
use crate::data::sanitize::visible;

/// The file in the platform's configuration folder.
const FILE: &str = "config.toml";

/// Options of `config`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = false)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print where the configuration file is looked for
    Path,
    /// Print every setting and key with its value now and where that comes from, as a configuration file
    Print,
    /// Print a configuration file with every setting, all of them comments
    Template,
}

/// Why the command line cannot be followed.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is wrong, or asks for help.
    Usage(clap::Error),
    /// The configuration is wrong.
    Config(ConfigError),
}

impl From<clap::Error> for Refused {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

/// Reads the command line, and for what it leaves open environment and configuration file.
pub(super) fn parsed(arguments: Vec<OsString>) -> Result<(Cli, Settled), Refused> {
    let grammar = values_may_be_negative(Cli::command());
    let given = grammar.clone().try_get_matches_from(&arguments)?;
    let said = Cli::from_arg_matches(&given)?;
    let (path, named) = place(&said.common);
    let file = match path {
        Some(path) if reads_file(said.command.as_ref()) => {
            File::read(&path, named, &grammar).map_err(Refused::Config)?
        }
        _ => None,
    };
    let settled = Settled::new(&grammar, &given, |name| std::env::var(name).ok(), file);
    let matches = settled.applied(grammar).try_get_matches_from(arguments)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.common.model_given = is_given(&given, "model");
    Ok((cli, settled))
}

/// The grammar in which `-1` behind an option is its value: what is wrong with it is said of it, and not that it were an
/// option that nobody knows.
fn values_may_be_negative(grammar: clap::Command) -> clap::Command {
    let may_be = |arg: clap::Arg| match arg.get_action().takes_values() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    };
    grammar.mut_args(may_be).mut_subcommands(values_may_be_negative)
}

/// Whether a command follows the configuration: what helps to mend a damaged one does not read it.
fn reads_file(command: Option<&Command>) -> bool {
    match command {
        Some(Command::Config(args)) => matches!(args.action, Action::Print),
        Some(Command::Generate(_)) => false,
        _ => true,
    }
}

/// Where the configuration file is looked for, `None` where there is no home; and whether the command line says so.
fn place(common: &Common) -> (Option<PathBuf>, bool) {
    let usual = || Some(directories::ProjectDirs::from("", "", "logoscope")?.config_dir().join(FILE));
    let path = common.config.clone().or_else(usual);
    // Where the program is started from may mean nothing to whoever reads a message or a path.
    let whole = path.map(|path| std::path::absolute(&path).unwrap_or(path));
    (whole, common.config.is_some())
}

/// Runs the command.
pub fn run(common: &Common, args: &ConfigArgs, settled: &Settled) -> Result<ExitCode, CliError> {
    let text = match args.action {
        Action::Path => {
            let no_home = || CliError::Usage("there is no home folder; name a file with --config FILE".to_owned());
            let path = place(common).0.ok_or_else(no_home)?;
            if !path.exists() {
                complain("there is no file at that path; `logoscope config template` prints one to begin with");
            }
            format!("{}\n", visible(&path.to_string_lossy()))
        }
        Action::Print => settled.print(&Cli::command(), |name| match name {
            "models" => Some(models_folder()),
            "store" => Some(common.stores()),
            _ => None,
        }),
        Action::Template => template(&Cli::command()),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
