//! Reading a configuration file: every line is understood, or the whole file is refused by the first that is not.
//!
//! Invariant: what is returned holds values that the options' own parsers take, and paths that start at a root, the
//! file's folder or the home folder.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Arg, Command as Grammar};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Kind, SETTINGS, Setting, numbers, text};
use crate::app::command::{Command, Entry, TABLE};
use crate::app::keymap::{Chord, Keymap};
use crate::data::text::brief;
use crate::engine::address::Address;
use crate::engine::model::{HubId, SHIPPED};

/// Bytes that a file may have; one with every setting and every key has a tenth of that.
pub(super) const LONGEST: usize = 200_000;
/// Characters of a value that a message repeats.
const SHOWN: usize = 80;
/// The table of keys.
const KEYS: &str = "keys";

/// A configuration file that is right in every line.
#[derive(Debug, Default)]
pub struct File {
    pub(super) path: PathBuf,
    pub(super) values: Vec<Value>,
    pub(super) keys: Keymap,
    /// Where the keys of commands were chosen, 1-based.
    pub(super) key_lines: Vec<(Command, usize)>,
}

/// A setting's value.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) setting: &'static Setting,
    /// As the option's parser takes it.
    pub(super) text: String,
    /// 1-based.
    pub(super) line: usize,
}

/// A row of a table: where it is, what it is called, what it holds.
struct Row<'a> {
    key: &'a Spanned<std::borrow::Cow<'a, str>>,
    value: &'a Spanned<DeValue<'a>>,
}

impl File {
    /// Reads the file at `path` for the options of `grammar`; `None` if there is none and it is not `required`.
    pub fn read(path: &Path, required: bool, grammar: &Grammar) -> Result<Option<Self>, ConfigError> {
        let wrap = |source| {
            let remedy = if required { "name another file with --config" } else { "make it readable, or remove it" };
            ConfigError::Read { path: path.to_owned(), source, remedy }
        };
        let mut bytes = Vec::new();
        match fs::File::open(path).and_then(|file| file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return Ok(None),
            read => read.map_err(wrap)?,
        };
        if bytes.len() > LONGEST {
            return Err(ConfigError::Long { path: path.to_owned() });
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(path, text, grammar).map(Some),
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                let byte = before.len() - start + 1;
                let reason = format!("byte {byte} of the line is not UTF-8; save the file as UTF-8");
                Err(ConfigError::Line { path: path.to_owned(), line, reason })
            }
        }
    }

    /// Understands `text`, the content of the file at `path`.
    pub fn parse(path: &Path, text: &str, grammar: &Grammar) -> Result<Self, ConfigError> {
        let line = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let refuse = |offset, reason| ConfigError::Line { path: path.to_owned(), line: line(offset), reason };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let written = text.lines().nth(line(at) - 1).unwrap_or_default();
            refuse(at, unreadable(written, error.message()))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let folder = &std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let mut file = Self { path: path.to_owned(), ..Self::default() };
        let mut chosen: Vec<(&'static Entry, Vec<Chord>)> = Vec::new();
        let mut places = Vec::new();
        for row in rows(table.get_ref()) {
            let at = row.key.span().start;
            let written = brief(text.get(row.value.span()).unwrap_or_default(), SHOWN);
            if row.key.get_ref() == KEYS {
                let DeValue::Table(keys) = row.value.get_ref() else {
                    return Err(refuse(
                        at,
                        format!("{KEYS} is {written}; write commands and keys below a line [{KEYS}]"),
                    ));
                };
                for row in rows(keys) {
                    let at = row.key.span().start;
                    let written = brief(text.get(row.value.span()).unwrap_or_default(), SHOWN);
                    let (entry, chords) = binding(&row, &written).map_err(|reason| refuse(at, reason))?;
                    chosen.push((entry, chords));
                    places.push((entry.name, at));
                    file.key_lines.push((entry.command, line(at)));
                }
                continue;
            }
            let setting = known(row.key.get_ref()).map_err(|reason| refuse(at, reason))?;
            let value = taken(setting, row.value.get_ref(), &written, folder, grammar);
            let value = value.map_err(|reason| refuse(at, reason))?;
            file.values.push(Value { setting, text: value, line: line(at) });
        }
        file.keys = Keymap::new(&chosen).map_err(|clash| {
            let at = places.iter().find(|(name, _)| *name == clash.command()).map_or(0, |(_, at)| *at);
            refuse(at, format!("the keys of {}: {clash}", clash.command()))
        })?;
        Ok(file)
    }
}

/// What is wrong with a line that is no line of the language, whose parser says `message`.
fn unreadable(written: &str, message: &str) -> String {
    let Some((name, value)) = written.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
        return format!("{message}; write every setting as name = value, as `logoscope config template` shows");
    };
    let (name, value) = (name.trim(), brief(value.trim(), SHOWN));
    if message.contains("duplicate key") {
        return format!("{} is written twice; keep one of its lines", brief(name, SHOWN));
    }
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    let entry = TABLE.iter().find(|entry| entry.name == name);
    match (setting, entry) {
        (Some(setting), _) => wanted(setting, &value),
        (None, Some(entry)) => wanted_keys(entry, &value),
        (None, None) => known(name).err().unwrap_or_else(|| message.to_owned()),
    }
}

/// What to write instead of `written`.
fn wanted(setting: &Setting, written: &str) -> String {
    let name = setting.name;
    let wanted = match setting.kind {
        Kind::Text | Kind::Model => "a text in quotes",
        Kind::Path => "a path in quotes",
        Kind::Number => "a whole number",
        Kind::Flag => "true or false",
    };
    format!("{name} is {written}; write {wanted}, such as {name} = {}", setting.example)
}

/// The same of a command's keys.
fn wanted_keys(entry: &Entry, written: &str) -> String {
    let (name, keys) = (entry.name, text::keys(entry.keys.iter().copied()));
    format!("the keys of {name} are {written}; write one key or a list of keys in quotes, such as {name} = {keys}")
}

/// The rows of a table in the order of the file, so that the first mistake is the one that is told.
fn rows<'a>(table: &'a DeTable<'a>) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = table.iter().map(|(key, value)| Row { key, value }).collect();
    rows.sort_by_key(|row| row.key.span().start);
    rows
}

/// The setting of a name.
fn known(name: &str) -> Result<&'static Setting, String> {
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
        return Ok(setting);
    }
    let shown = brief(name, SHOWN);
    if TABLE.iter().any(|entry| entry.name == name) {
        return Err(format!("'{shown}' is a command of the workbench; write its keys below a line [{KEYS}]"));
    }
    let names = SETTINGS.iter().map(|setting| setting.name).chain([KEYS]);
    let meant = nearest(name, names).map_or(String::new(), |name| format!("did you mean {name}? "));
    Err(format!("there is no setting '{shown}'; {meant}`logoscope config template` shows all"))
}

/// The value of a setting, as its option's parser takes it.
fn taken(
    setting: &Setting,
    value: &DeValue<'_>,
    written: &str,
    folder: &Path,
    grammar: &Grammar,
) -> Result<String, String> {
    let name = setting.name;
    let other = || wanted(setting, written);
    let value = match (setting.kind, value) {
        (Kind::Flag, DeValue::Boolean(value)) => value.to_string(),
        (Kind::Number, DeValue::Integer(value)) => {
            i64::from_str_radix(value.as_str(), value.radix()).map_err(|_| other())?.to_string()
        }
        (Kind::Text | Kind::Path | Kind::Model, DeValue::String(value)) if value.contains('\0') => return Err(other()),
        (Kind::Text | Kind::Path | Kind::Model, DeValue::String(value)) if value.trim().is_empty() => {
            return Err(format!("{}, or leave the line out", other()));
        }
        (Kind::Text, DeValue::String(value)) => value.to_string(),
        (Kind::Path, DeValue::String(value)) => place(value, folder)?,
        (Kind::Model, DeValue::String(value)) if is_elsewhere(value, folder) => value.to_string(),
        (Kind::Model, DeValue::String(value)) => place(value, folder)?,
        _ => return Err(other()),
    };
    let Some(option) = setting.option(grammar) else { return Ok(value) };
    parsed(option, &value).map_err(|reason| format!("{name} is {written}: {reason}"))?;
    Ok(value)
}

/// A path of the file: `~/` is the home folder, and what is relative starts at the file's own folder.
fn place(path: &str, folder: &Path) -> Result<String, String> {
    let whole = match path.strip_prefix("~/") {
        Some(rest) => {
            let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
            home.ok_or_else(|| format!("'{path}': there is no home folder; write the whole path"))?.join(rest)
        }
        None if path == "~" => return place("~/", folder),
        None => folder.join(path),
    };
    let told = || format!("'{path}' would start at a folder whose name is not UTF-8; write the whole path");
    whole.into_os_string().into_string().map_err(|_| told())
}

/// Whether a model's name is none of a path: the shipped one, none at all, one of a server or of a hub.
fn is_elsewhere(name: &str, folder: &Path) -> bool {
    let on_hub = name.parse::<HubId>().is_ok() && !folder.join(name).exists();
    name == SHIPPED || name == "none" || Address::is_meant(name) || on_hub
}

/// Has the option's own parser read `value`; what it says against it.
fn parsed(option: &Arg, value: &str) -> Result<(), String> {
    let alone = Grammar::new("value").no_binary_name(true).disable_help_flag(true).arg(option.clone().global(false));
    let given = format!("--{}={value}", option.get_long().unwrap_or_default());
    let Err(error) = alone.try_get_matches_from([given]) else { return Ok(()) };
    let reason = std::error::Error::source(&error).map(|reason| numbers::instead(&reason.to_string()).into_owned());
    Err(reason.unwrap_or_else(|| {
        let values = option.get_possible_values();
        format!("write one of {}", values.iter().map(|value| value.get_name()).collect::<Vec<_>>().join(", "))
    }))
}

/// A command and the keys chosen for it.
fn binding(row: &Row<'_>, written: &str) -> Result<(&'static Entry, Vec<Chord>), String> {
    let name: &str = row.key.get_ref();
    let Some(entry) = TABLE.iter().find(|entry| entry.name == name) else {
        let shown = brief(name, SHOWN);
        if SETTINGS.iter().any(|setting| setting.name == name) {
            return Err(format!("'{shown}' is a setting and no command; write it above the line [{KEYS}]"));
        }
        let meant = nearest(name, TABLE.iter().map(|entry| entry.name));
        let meant = meant.map_or(String::new(), |name| format!("did you mean {name}? "));
        return Err(format!("there is no command '{shown}'; {meant}`logoscope config template` shows all"));
    };
    let other = || wanted_keys(entry, written);
    let chord = |value: &DeValue<'_>| {
        let DeValue::String(key) = value else { return Err(other()) };
        key.parse::<Chord>().map_err(|error| format!("the keys of {name} are {written}: {error}"))
    };
    let mut chords = match row.value.get_ref() {
        DeValue::Array(keys) if keys.is_empty() => return Err(other()),
        DeValue::Array(keys) => keys.iter().map(|key| chord(key.get_ref())).collect::<Result<Vec<_>, _>>()?,
        value => vec![chord(value)?],
    };
    let mut seen = Vec::new();
    chords.retain(|chord| {
        !seen.contains(chord) && {
            seen.push(*chord);
            true
        }
    });
    Ok((entry, chords))
}

/// The name that somebody probably meant: the one that begins with `word`, or that a third of its letters make of it.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().replace('_', "-").chars().take(SHOWN).collect();
    let begins = |name: &str| word.len() > 2 && name.chars().take(word.len()).eq(word.iter().copied());
    let distance = |name: &str| if begins(name) { 0 } else { distance(&word, name) };
    let near = |(distance, name): &(usize, &str)| *distance <= (name.chars().count() / 3).max(1);
    names.map(|name| (distance(name), name)).filter(near).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How many letters have to be put in, taken out, changed or exchanged with their neighbour to make `name` of `word`: the
/// distance of Damerau (1964) in which no stretch is changed twice.
fn distance(word: &[char], name: &str) -> usize {
    let name: Vec<char> = name.chars().collect();
    let mut table = vec![(0..=word.len()).collect::<Vec<usize>>()];
    for row in 1..=name.len() {
        let mut next = vec![row];
        for column in 1..=word.len() {
            let changed = table[row - 1][column - 1] + usize::from(word[column - 1] != name[row - 1]);
            let mut least = changed.min(table[row - 1][column] + 1).min(next[column - 1] + 1);
            if row > 1 && column > 1 && word[column - 1] == name[row - 2] && word[column - 2] == name[row - 1] {
                least = least.min(table[row - 2][column - 2] + 1);
            }
            next.push(least);
        }
        table.push(next);
    }
    table[name.len()][word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant_is_found() {
        let names = || ["model", "models", "memory", "theme", "no-record", "quit"].into_iter();
        for (word, meant) in [
            ("modle", Some("model")),
            ("Memory", Some("memory")),
            ("no_record", Some("no-record")),
            ("norecord", Some("no-record")),
            ("them", Some("theme")),
            ("qiut", Some("quit")),
            ("", None),
            ("frobnicate", None),
        ] {
            assert_eq!(nearest(word, names()), meant, "{word}");
        }
        let letters = |word: &str| word.chars().collect::<Vec<_>>();
        let distances =
            [("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3)];
        for (word, name, wanted) in distances {
            assert_eq!(distance(&letters(word), name), wanted, "{word} {name}");
        }
    }
}
