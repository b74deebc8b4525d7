//! The configuration: what the options of every command are when nobody gives them on the command line.
//!
//! Invariants: [`SETTINGS`] names every setting once, and a setting is an option of the command line, whose own parser
//! reads its value and whose own help tells what it means: file, [`Settled::print`], [`template`] and [`document`] add
//! nothing to that. A file is refused whole or taken whole.

mod file;
pub mod numbers;
mod text;

use std::path::{PathBuf, is_separator};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command as Grammar};

use crate::app::command::Command;
use crate::app::keymap::Keymap;
use crate::data::sanitize::visible;

pub use file::File;
pub use text::{document, template};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}; {remedy}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The file is longer than anybody writes one.
    #[error("{}: is longer than {} kB; name a configuration file with --config", path.display(), file::LONGEST / 1000)]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// A line of the file.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong, with the value, and what to do.
        reason: String,
    },
}

/// What a setting's value is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A string that is taken as it is.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A string that names a file or a folder.
    Path,
    /// A string that names a model: a path unless it is something else.
    Model,
}

/// A variable of the environment that decides a setting.
#[derive(Debug)]
struct Variable {
    name: &'static str,
    /// What the setting is by the variable's value; `None` if it says nothing.
    says: fn(&str) -> Option<&'static str>,
}

/// A setting: an option of the command line that the file may set.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the file, and its option's without the dashes.
    pub name: &'static str,
    kind: Kind,
    /// A value that somebody might write, in TOML.
    example: &'static str,
    environment: Option<Variable>,
}

const NO_COLOR: Variable =
    Variable { name: "NO_COLOR", says: |value| if value.is_empty() { None } else { Some("never") } };
/// In capitals or not, as every program of the ecosystem reads it.
const HF_HUB_OFFLINE: Variable = Variable {
    name: "HF_HUB_OFFLINE",
    says: |value| {
        let is = |words: [&str; 4]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
        let no = is(["0", "false", "no", "off"]).then_some("false");
        is(["1", "true", "yes", "on"]).then_some("true").or(no)
    },
};

const fn setting(name: &'static str, kind: Kind, example: &'static str) -> Setting {
    Setting { name, kind, example, environment: None }
}

/// Every setting, in order of documentation.
pub static SETTINGS: &[Setting] = &[
    setting("data", Kind::Path, "\"~/datasets/news\""),
    setting("model", Kind::Model, "\"~/models/some-model.gguf\""),
    setting("device", Kind::Text, "\"cpu\""),
    setting("quantize", Kind::Text, "\"q8_0\""),
    setting("context", Kind::Number, "8192"),
    setting("memory", Kind::Text, "\"8G\""),
    Setting { name: "offline", kind: Kind::Flag, example: "true", environment: Some(HF_HUB_OFFLINE) },
    setting("models", Kind::Path, "\"~/models\""),
    setting("store", Kind::Path, "\"~/stores\""),
    setting("log", Kind::Path, "\"logoscope.log\""),
    setting("ascii", Kind::Flag, "true"),
    Setting { name: "color", kind: Kind::Text, example: "\"never\"", environment: Some(NO_COLOR) },
    setting("theme", Kind::Text, "\"night\""),
    setting("no-record", Kind::Flag, "true"),
];

/// What the program looks for in a dataset folder.
const DATA_FILES: [&str; 3] = ["dataset.toml", "interactions.jsonl", "queries.jsonl"];

/// Whether a message has this around what it quotes.
fn is_around(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\'' | '"' | '`' | ':' | ',' | ';' | '(' | ')')
}

impl Setting {
    /// Its option in the grammar of the command line.
    fn option<'a>(&self, grammar: &'a Grammar) -> Option<&'a Arg> {
        grammar.get_arguments().find(|arg| arg.get_long() == Some(self.name))
    }

    /// What it means and what it is by default, both in the words of its option's help.
    fn words(&self, grammar: &Grammar) -> (String, String) {
        let Some(option) = self.option(grammar) else { return Default::default() };
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        let (meaning, told) = help.split_once(" [default: ").unwrap_or((&help, ""));
        let values = option.get_possible_values();
        let names = values.iter().map(|value| format!("`{}`", value.get_name())).collect::<Vec<_>>().join(", ");
        let choice = if names.is_empty() || self.kind == Kind::Flag { String::new() } else { format!(": {names}") };
        let default = match self.default(grammar) {
            Some(value) => value,
            None if told.is_empty() => "not set".to_owned(),
            None => told.trim_end_matches(']').to_owned(),
        };
        (format!("{meaning}{choice}"), default)
    }

    /// The value that its option has by default; `None` if it has none.
    fn default(&self, grammar: &Grammar) -> Option<String> {
        let value = self.option(grammar)?.get_default_values().first()?;
        Some(value.to_string_lossy().into_owned())
    }

    /// Whether it names something that can fail by itself.
    fn is_thing(&self) -> bool {
        matches!(self.kind, Kind::Path | Kind::Model) || self.name == "device"
    }

    /// Whether `failure` quotes `value`, and not something longer that begins or ends with it: who chose what lies below a
    /// folder is not told. Only what the program itself looks for in one is that folder's.
    fn is_quoted(&self, value: &str, failure: &str) -> bool {
        let value = value.trim_end_matches(is_separator);
        !value.is_empty()
            && failure.match_indices(value).any(|(at, _)| {
                let begins = failure[..at].chars().next_back().is_none_or(is_around);
                begins && self.is_whole(&failure[at + value.len()..])
            })
    }

    /// Whether its value ends where `rest` goes on.
    fn is_whole(&self, rest: &str) -> bool {
        let ends = |rest: &str| rest.chars().next().is_none_or(is_around);
        let Some(below) = rest.strip_prefix(is_separator) else { return ends(rest) };
        let own = |file: &str| below.strip_prefix(file).is_some_and(ends);
        match self.name {
            "data" => ends(below) || DATA_FILES.into_iter().any(own),
            // What lies there has names that nobody types.
            "store" => true,
            _ => ends(below),
        }
    }

    /// `value` as the file would have it.
    fn written(&self, value: &str) -> String {
        match self.kind {
            Kind::Number | Kind::Flag => value.to_owned(),
            Kind::Text | Kind::Path | Kind::Model => text::quoted(value),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A line of the configuration file, 1-based.
    File(usize),
    /// A variable of the environment.
    Environment(&'static str),
    /// The command line.
    CommandLine,
}

/// A setting with the value that holds now.
#[derive(Debug)]
pub struct Effective {
    /// Which.
    pub setting: &'static Setting,
    /// Its value as the option's parser takes it; `None` if it has none.
    pub value: Option<String>,
    /// Who says so.
    pub source: Source,
}

/// All settings with the values that hold now: those of the command line before those of the environment, these before
/// the file's, these before the defaults.
#[derive(Debug)]
pub struct Settled {
    effective: Vec<Effective>,
    /// Which keys run what.
    pub keys: Keymap,
    /// Where the keys of commands were chosen.
    key_lines: Vec<(Command, usize)>,
    /// The file that was read.
    file: Option<PathBuf>,
}

impl Settled {
    /// What `given`, a command line read by `grammar`, makes of `file` and the `environment`.
    pub fn new(
        grammar: &Grammar,
        given: &ArgMatches,
        environment: impl Fn(&str) -> Option<String>,
        file: Option<File>,
    ) -> Self {
        let of = |setting: &'static Setting| {
            let said = || on_command_line(setting.option(grammar)?, given).map(|value| (value, Source::CommandLine));
            let around = || {
                let variable = setting.environment.as_ref()?;
                let value = (variable.says)(&environment(variable.name)?)?;
                Some((value.to_owned(), Source::Environment(variable.name)))
            };
            let written = || {
                let value = file.as_ref()?.values.iter().find(|value| value.setting.name == setting.name)?;
                Some((value.text.clone(), Source::File(value.line)))
            };
            let (value, source) = match said().or_else(around).or_else(written) {
                Some((value, source)) => (Some(value), source),
                None => (setting.default(grammar), Source::Default),
            };
            Effective { setting, value, source }
        };
        let effective = SETTINGS.iter().map(of).collect();
        let (keys, key_lines, file) = match file {
            Some(File { path, keys, key_lines, .. }) => (keys, key_lines, Some(path)),
            None => Default::default(),
        };
        Self { effective, keys, key_lines, file }
    }

    /// Every setting.
    pub fn effective(&self) -> &[Effective] {
        &self.effective
    }

    /// Where the file names the thing that `failure` quotes, a path, a model or a device: `; data is set in FILE:3`. Nothing
    /// where no such setting of the file is quoted, or the command line names the same thing.
    pub fn behind(&self, failure: &str) -> Option<String> {
        let quoted = |effective: &&Effective| {
            let value = effective.value.as_ref().map(|value| visible(value));
            effective.setting.is_thing() && value.is_some_and(|value| effective.setting.is_quoted(&value, failure))
        };
        let named = |effective: &&Effective| matches!(effective.source, Source::File(_)) && quoted(effective);
        let effective = self.effective.iter().find(named)?;
        let given = |other: &Effective| other.source == Source::CommandLine && other.value == effective.value;
        if self.effective.iter().any(given) {
            return None;
        }
        let Effective { setting, source, .. } = effective;
        Some(format!("; {} is set in {}", setting.name, told(source, self.file.as_ref())))
    }

    /// `grammar` with what environment and file say in place of the defaults.
    pub fn applied(&self, grammar: Grammar) -> Grammar {
        let said = |effective: &&Effective| matches!(effective.source, Source::File(_) | Source::Environment(_));
        self.effective.iter().filter(said).fold(grammar, |grammar, Effective { setting, value, .. }| {
            let option = setting.option(&grammar).map(|option| option.get_id().clone());
            let (Some(option), Some(value)) = (option, value.clone()) else { return grammar };
            // The parser wants defaults that live as long as the program does, as these have to.
            let value: &'static str = Box::leak(value.into_boxed_str());
            grammar.mut_arg(option, |arg| arg.default_value(value))
        })
    }
}

/// The value of an option, if it was given. An option of every command counts wherever it stands.
fn on_command_line(option: &Arg, given: &ArgMatches) -> Option<String> {
    let id = option.get_id().as_str();
    if given.value_source(id) != Some(ValueSource::CommandLine) {
        return None;
    }
    let last = given.get_raw(id)?.next_back()?;
    Some(last.to_string_lossy().into_owned())
}

/// A source as people read it, and as a comment in TOML may hold it.
fn told(source: &Source, file: Option<&PathBuf>) -> String {
    match (source, file) {
        (Source::Default, _) => "default".to_owned(),
        (Source::File(line), Some(path)) => format!("{}:{line}", visible(&path.to_string_lossy())),
        (Source::File(line), None) => format!("line {line}"),
        (Source::Environment(name), _) => format!("environment, {name}"),
        (Source::CommandLine, _) => "command line".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(values: &[(&str, &str, Source)]) -> Settled {
        let of = |(name, value, source): &(&str, &str, Source)| Effective {
            setting: SETTINGS.iter().find(|setting| setting.name == *name).unwrap(),
            value: Some((*value).to_owned()),
            source: source.clone(),
        };
        let effective = values.iter().map(of).collect();
        Settled { effective, keys: Keymap::default(), key_lines: Vec::new(), file: Some("c.toml".into()) }
    }

    /// What lay below a folder of the file, and what its name began or ended with, was taken for the folder.
    #[test]
    fn a_line_is_told_of_what_is_quoted_whole() {
        let cases = [
            ("models", "/x/models", "cannot load the model in /x/models/typo.gguf: there is no such file", false),
            ("models", "/x/models", "cannot load the model in /x/models-old: there is no such file", false),
            ("models", "/x/models", "cannot load the model in /y/x/models: there is no such file", false),
            ("models", "/x/models", "/x/models: cannot be read", true),
            ("model", "/x/m.gguf", "cannot load the model in /x/m.gguf: there is no such file", true),
            ("model", "a/b", "cannot download a/b: it is not there", true),
            ("model", "a/b", "cannot download a/b-c: it is not there", false),
            ("data", "/d", "/d/dataset.toml: cannot be read", true),
            ("data", "/d/", "/d/queries.jsonl:3: is no object", true),
            ("data", "/d", "/d/sessions/a.jsonl:3: is no event", false),
            ("data", "/d", "/d/queries.jsonl.bak: cannot be read", false),
            ("data", "d", "'d' is no dataset folder", true),
            ("store", "/s", "/s/0a1b/lock: cannot be written", true),
            ("store", "/s", "/s2/0a1b/lock: cannot be written", false),
            ("log", "/l", "the log /l: cannot be written", true),
            ("device", "cuda", "cannot run on cuda: there is none", true),
            ("device", "cpu", "the model has 3 cpus", false),
        ];
        for (name, value, failure, told) in cases {
            let hint = settled(&[(name, value, Source::File(1))]).behind(failure);
            let expected = told.then(|| format!("; {name} is set in c.toml:1"));
            assert_eq!(hint, expected, "{name} = {value}, {failure}");
        }
    }

    #[test]
    fn what_the_command_line_names_is_its_own() {
        let failure = "cannot load the model in /x/models: it holds no model";
        let of_file = ("models", "/x/models", Source::File(1));
        let of_model = |source| ("model", "/x/models", source);
        assert!(settled(&[of_model(Source::Default), of_file.clone()]).behind(failure).is_some());
        assert_eq!(settled(&[of_model(Source::CommandLine), of_file]).behind(failure), None);
    }
}
