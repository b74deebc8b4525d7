//! `logoscope generate`: the manual and shell completions, both made of the grammar that reads the command line.
//!
//! Invariant: needs neither a terminal nor data nor a model.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command as Grammar, CommandFactory, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, CliError, file_error};
use crate::data::dataset::write_whole;
use crate::data::sanitize::visible;

/// Options of `generate`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = false)]
pub struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the manual page, in roff: `logoscope generate man | man -l -`
    Man {
        /// Write a page for every command to this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}

/// Runs the command.
pub fn run(args: &GenerateArgs) -> Result<ExitCode, CliError> {
    let text = match &args.what {
        What::Man { out: None } => page()?.into_bytes(),
        What::Man { out: Some(folder) } => {
            let pages = write_pages(folder)?;
            format!("{}: {pages} pages\n", visible(&folder.to_string_lossy())).into_bytes()
        }
        What::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "logoscope", &mut text);
            text
        }
    };
    io::stdout().lock().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The whole manual in one page: the program, then every command below a heading of its own.
fn page() -> io::Result<String> {
    let root = Cli::command().disable_help_subcommand(true);
    let man = Man::new(root.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    let mut page = String::from_utf8_lossy(&text).into_owned();
    let mut section = |title: &str, body: String| page.push_str(&format!(".SH {title}\n{body}"));
    section("NAME", body(|out| man.render_name_section(out))?);
    section("SYNOPSIS", body(|out| man.render_synopsis_section(out))?);
    section("DESCRIPTION", body(|out| man.render_description_section(out))?);
    section("OPTIONS", body(|out| man.render_options_section(out))?);
    let mut commands = String::new();
    for command in root.get_subcommands() {
        describe("logoscope", command, &mut commands)?;
    }
    section("COMMANDS", commands);
    section("EXAMPLES", body(|out| man.render_extra_section(out))?);
    section("VERSION", body(|out| man.render_version_section(out))?);
    Ok(page)
}

/// A command and those below it. The options of every command stand once, above.
fn describe(above: &str, command: &Grammar, out: &mut String) -> io::Result<()> {
    let name = format!("{above} {}", command.get_name());
    let own = command.clone().bin_name(&name).disable_help_subcommand(true).disable_help_flag(true);
    let has_options = own.get_arguments().next().is_some();
    let man = Man::new(own);
    out.push_str(&format!(".SS \"{}\"\n", name.replace('-', "\\-")));
    out.push_str(&body(|out| man.render_description_section(out))?);
    out.push_str(".PP\n");
    out.push_str(&body(|out| man.render_synopsis_section(out))?);
    if has_options {
        out.push_str(&body(|out| man.render_options_section(out))?);
    }
    command.get_subcommands().try_for_each(|below| describe(&name, below, out))
}

/// What a section holds below its heading.
fn body(render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<String> {
    let mut text = Vec::new();
    render(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().skip_while(|line| !line.starts_with(".SH ")).skip(1);
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

/// Writes a page for every command to `folder`; how many there are.
fn write_pages(folder: &Path) -> Result<usize, CliError> {
    std::fs::create_dir_all(folder).map_err(|source| file_error(folder, source))?;
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let (mut left, mut pages) = (vec![root], 0);
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        let man = Man::new(command);
        let mut text = Vec::new();
        man.render(&mut text)?;
        write_whole(&folder.join(man.get_filename()), &text)?;
        pages += 1;
    }
    Ok(pages)
}
