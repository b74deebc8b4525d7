//! Keys: a chord as the terminal reports it, and the command it stands for in a context.
//!
//! Invariant: the command table is the only place where a key is bound; a [`Keymap`] holds what somebody chose instead, and
//! never a choice that makes a command unreachable.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::command::{Command, Context, Entry, TABLE};

/// One key with the modifiers that are not already in its character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    /// The key; a letter carries its case, so that `q` and `Q` differ.
    pub code: KeyCode,
    /// Whether Ctrl was held.
    pub ctrl: bool,
}

impl Chord {
    /// What a terminal's event stands for; `None` for a release, which means nothing here.
    pub fn of(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release || event.modifiers.contains(KeyModifiers::ALT) {
            return None;
        }
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let code = match event.code {
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            // Terminals disagree about the case of a letter under Ctrl.
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        Some(Self { code, ctrl })
    }

    /// The character it types, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.ctrl && !c.is_control() => Some(c),
            _ => None,
        }
    }
}

const NAMED: [(KeyCode, &str); 14] = [
    (KeyCode::Enter, "enter"),
    (KeyCode::Esc, "esc"),
    (KeyCode::Tab, "tab"),
    (KeyCode::BackTab, "shift-tab"),
    (KeyCode::Backspace, "backspace"),
    (KeyCode::Delete, "delete"),
    (KeyCode::Left, "left"),
    (KeyCode::Right, "right"),
    (KeyCode::Up, "up"),
    (KeyCode::Down, "down"),
    (KeyCode::Home, "home"),
    (KeyCode::End, "end"),
    (KeyCode::PageUp, "pageup"),
    (KeyCode::PageDown, "pagedown"),
];

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        match (self.code, NAMED.iter().find(|(code, _)| *code == self.code)) {
            (_, Some((_, name))) => f.write_str(name),
            (KeyCode::Char(c), None) => write!(f, "{c}"),
            (KeyCode::F(n), None) => write!(f, "f{n}"),
            (code, None) => write!(f, "{code:?}"),
        }
    }
}

/// A key name that means nothing.
#[derive(Debug, thiserror::Error)]
pub enum BadChord {
    /// No key is called that.
    #[error("'{0}' is no key; write it as q, ctrl-r, shift-tab, f1, enter, space or left")]
    Unknown(String),
    /// A key that no terminal tells from another.
    #[error("a terminal reports '{written}' as {read}; choose another key, or write {read}")]
    Same {
        /// As written.
        written: String,
        /// As it arrives.
        read: &'static str,
    },
}

impl FromStr for Chord {
    type Err = BadChord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || BadChord::Unknown(text.to_owned());
        let same = |read| BadChord::Same { written: text.to_owned(), read };
        let (ctrl, name) = text.strip_prefix("ctrl-").map_or((false, text), |rest| (true, rest));
        let mut chars = name.chars();
        let code = match (NAMED.iter().find(|(_, known)| *known == name), chars.next(), chars.as_str()) {
            (Some((code, _)), ..) => *code,
            (None, Some(c), "") if !c.is_control() => KeyCode::Char(if ctrl { c.to_ascii_lowercase() } else { c }),
            (None, Some('f'), number) => match number.parse() {
                Ok(number @ 1..=24) => KeyCode::F(number),
                _ => return Err(unknown()),
            },
            (None, Some(_), _) if name == SPACE => KeyCode::Char(' '),
            _ => return Err(unknown()),
        };
        match code {
            KeyCode::Char('i') if ctrl => Err(same("tab")),
            KeyCode::Char('m') if ctrl => Err(same("enter")),
            KeyCode::Char('[') if ctrl => Err(same("esc")),
            code => Ok(Self { code, ctrl }),
        }
    }
}

/// What the space bar is called where a blank would not be seen.
const SPACE: &str = "space";

/// A key as people read it.
pub(super) fn read(key: &str) -> &str {
    if key == " " { SPACE } else { key }
}

/// A choice of keys that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    /// One key for two commands where both are read.
    #[error("'{key}' runs {other} already; choose another key, or another one for {other}")]
    Twice {
        /// The command that was given the key.
        command: &'static str,
        /// The key.
        key: String,
        /// The command that has it.
        other: &'static str,
    },
    /// A key that types a character where characters are typed.
    #[error("'{key}' types itself where {command} is read; choose one such as ctrl-r, f2 or enter")]
    Typed {
        /// The command that was given the key.
        command: &'static str,
        /// The key.
        key: String,
    },
    /// In a replay other commands have all keys of a command.
    #[error(
        "{hidden} would have no key left in a replay, where '{key}' runs {by}; choose another key, or another one for {}",
        if command == hidden { by } else { hidden }
    )]
    Hidden {
        /// The command that was given the key.
        command: &'static str,
        /// The command that cannot be reached.
        hidden: &'static str,
        /// A key of it.
        key: String,
        /// The command that has the key in a replay.
        by: &'static str,
    },
}

impl Clash {
    /// The command whose keys are at fault.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Twice { command, .. } | Self::Typed { command, .. } | Self::Hidden { command, .. } => command,
        }
    }
}

/// The keys of all commands: those of the table, or what somebody chose for a command instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keymap {
    chosen: HashMap<Command, Vec<String>>,
}

impl Keymap {
    /// The table's keys, but for those chosen. Refused where a key would mean two things, or a command have none.
    pub fn new(chosen: &[(&'static Entry, Vec<Chord>)]) -> Result<Self, Clash> {
        let names = |chords: &[Chord]| chords.iter().map(Chord::to_string).collect();
        let map = Self { chosen: chosen.iter().map(|(entry, chords)| (entry.command, names(chords))).collect() };
        for (entry, chords) in chosen {
            let types = matches!(entry.context, Context::Edit | Context::List | Context::Always);
            if let Some(chord) = chords.iter().find(|chord| types && chord.typed().is_some()) {
                return Err(Clash::Typed { command: entry.name, key: read(&chord.to_string()).to_owned() });
            }
            let mine: HashSet<&str> = map.keys(entry).collect();
            let beside = |other: &&Entry| other.command != entry.command && together(entry.context, other.context);
            for other in TABLE.iter().filter(beside) {
                if let Some(key) = map.keys(other).find(|key| mine.contains(key)) {
                    let (command, key) = (entry.name, read(key).to_owned());
                    return Err(Clash::Twice { command, key, other: other.name });
                }
            }
        }
        match map.hidden() {
            None => Ok(map),
            Some(hidden) => {
                // Either its own keys were chosen so, or those of a command that hides it.
                let hides = |(entry, _): &&(&'static Entry, Vec<Chord>)| {
                    let shared = || map.keys(hidden).any(|key| map.keys(entry).any(|other| other == key));
                    entry.command == hidden.command || (entry.context == Context::Replay && shared())
                };
                let command = chosen.iter().find(hides).map_or(hidden.name, |(entry, _)| entry.name);
                let key = map.first(hidden.command).to_owned();
                let has = |other: &&Entry| other.context == Context::Replay && map.keys(other).any(|k| read(k) == key);
                let by = TABLE.iter().find(has).map_or(command, |entry| entry.name);
                Err(Clash::Hidden { command, hidden: hidden.name, key, by })
            }
        }
    }

    /// A command of the whole screen that a replay's own keys leave none.
    fn hidden(&self) -> Option<&'static Entry> {
        let of = |context| TABLE.iter().filter(move |entry| entry.context == context);
        let taken: HashSet<&str> = of(Context::Replay).flat_map(|entry| self.keys(entry)).collect();
        of(Context::Screen).find(|entry| self.keys(entry).all(|key| taken.contains(key)))
    }

    /// The keys of a row, as chords write themselves.
    pub fn keys<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a str> {
        let chosen = self.chosen.get(&entry.command);
        let table = entry.keys.iter().copied().filter(move |_| chosen.is_none());
        chosen.into_iter().flatten().map(String::as_str).chain(table)
    }

    /// The first key of a command, for people.
    pub fn first(&self, command: Command) -> &str {
        command.entry().and_then(|entry| self.keys(entry).next()).map_or("", read)
    }

    /// The keys of a row, for people: `h  left`.
    pub fn shown(&self, entry: &Entry) -> String {
        self.keys(entry).map(read).collect::<Vec<_>>().join("  ")
    }

    /// Whether the first key of `entry` does it in `context`: not where a row that is read earlier has that key.
    pub fn reads(&self, context: Context, entry: &Entry) -> bool {
        self.keys(entry).next().is_some_and(|key| {
            let first = context.entries().find(|other| self.keys(other).any(|other| other == key));
            first.is_some_and(|first| first.command == entry.command)
        })
    }

    /// What `chord` does in `context`.
    pub fn command(&self, context: Context, chord: Chord) -> Option<Command> {
        let name = chord.to_string();
        context.entries().find(|entry| self.keys(entry).any(|key| key == name)).map(|entry| entry.command)
    }
}

impl Keymap {
    /// What `chord` does on another screen or board: on `screen`, which lies beneath, before all others.
    pub fn elsewhere(&self, screen: Context, chord: Chord) -> Option<&'static Entry> {
        let name = chord.to_string();
        let typed = |context: &Context| {
            matches!(context, Context::Edit | Context::List | Context::Help | Context::Sheet | Context::Always)
        };
        let others = Context::ALL.into_iter().filter(|context| !typed(context));
        let rows = others.flat_map(|context| TABLE.iter().filter(move |entry| entry.context == context));
        screen.entries().chain(rows).find(|entry| self.keys(entry).any(|key| key == name))
    }
}

/// Whether two commands are read at the same time, neither before the other.
fn together(a: Context, b: Context) -> bool {
    let screens = |context| matches!(context, Context::Main | Context::Screen);
    a == b || a == Context::Always || b == Context::Always || (screens(a) && screens(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> &'static Entry {
        TABLE.iter().find(|entry| entry.name == name).unwrap()
    }

    fn chosen(rows: &[(&str, &[&str])]) -> Result<Keymap, Clash> {
        let chords = |keys: &[&str]| keys.iter().map(|key| key.parse().unwrap()).collect();
        let rows: Vec<_> = rows.iter().map(|(name, keys)| (entry(name), chords(keys))).collect();
        Keymap::new(&rows)
    }

    #[test]
    fn a_chosen_key_stands_in_place_of_the_tables() {
        let map = chosen(&[("next-query", &["ctrl-N", "f2"]), ("play-pause", &["f5", "space"])]).unwrap();
        let does = |context, key: &str| map.command(context, key.parse().unwrap());
        assert_eq!(does(Context::Main, "ctrl-n"), Some(Command::NextQuery));
        assert_eq!(does(Context::Main, "f2"), Some(Command::NextQuery));
        assert_eq!(does(Context::Main, "n"), None);
        assert_eq!(does(Context::Main, "p"), Some(Command::PreviousQuery));
        assert_eq!(does(Context::Replay, "space"), Some(Command::PlayPause));
        assert_eq!(map.first(Command::NextQuery), "ctrl-n");
        assert_eq!(map.shown(entry("play-pause")), "f5  space");
        // Two commands may change keys with each other.
        let swapped = chosen(&[("next-query", &["p"]), ("previous-query", &["n"])]).unwrap();
        assert_eq!(swapped.command(Context::Main, "p".parse().unwrap()), Some(Command::NextQuery));
    }

    #[test]
    fn choices_that_cannot_be_are_refused() {
        let twice = |command, key: &str, other| Clash::Twice { command, key: key.to_owned(), other };
        let hidden =
            |command, key: &str| Clash::Hidden { command, hidden: "weight-up", key: key.to_owned(), by: "step-on" };
        let refused = |rows| chosen(rows).unwrap_err();
        assert_eq!(refused(&[("next-query", &["p"])]), twice("next-query", "p", "previous-query"));
        // A key of the whole screen, and one that is read everywhere.
        assert_eq!(refused(&[("next-query", &["u"])]), twice("next-query", "u", "undo"));
        assert_eq!(refused(&[("next-query", &["ctrl-c"])]), twice("next-query", "ctrl-c", "interrupt"));
        assert_eq!(refused(&[("accept", &["x"])]), Clash::Typed { command: "accept", key: "x".to_owned() });
        assert_eq!(
            refused(&[("interrupt", &["space"])]),
            Clash::Typed { command: "interrupt", key: "space".to_owned() }
        );
        assert_eq!(refused(&[("weight-up", &["."])]), hidden("weight-up", "."));
        assert_eq!(refused(&[("step-on", &["l", "right"])]), hidden("step-on", "l"));
        // What lies above another screen may use that screen's keys.
        assert!(chosen(&[("rung-on", &["l"])]).is_ok());
    }

    #[test]
    fn the_table_itself_can_be_chosen() {
        let rows: Vec<_> = TABLE.iter().map(|entry| (entry.name, entry.keys)).collect();
        let map = chosen(&rows).unwrap();
        for entry in TABLE {
            assert!(map.keys(entry).eq(entry.keys.iter().copied()), "{}", entry.name);
        }
    }

    #[test]
    fn keys_that_no_terminal_sends_are_refused() {
        for (key, told) in [
            ("ctrl-i", "as tab"),
            ("ctrl-M", "as enter"),
            ("ctrl-[", "as esc"),
            ("f0", "is no key"),
            ("f25", "is no key"),
            ("", "is no key"),
            ("ctrl-", "is no key"),
            ("spaces", "is no key"),
            ("\u{7}", "is no key"),
        ] {
            let error = key.parse::<Chord>().unwrap_err().to_string();
            assert!(error.contains(told), "{key}: {error}");
        }
    }

    #[test]
    fn every_bound_key_is_a_key_and_writes_itself() {
        for key in TABLE.iter().flat_map(|entry| entry.keys) {
            assert_eq!(key.parse::<Chord>().unwrap().to_string(), *key);
        }
        assert!("hyper-q".parse::<Chord>().is_err());
    }

    #[test]
    fn a_release_is_nothing_and_case_counts() {
        let mut event = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(
            Chord::of(event).and_then(|chord| Keymap::default().command(Context::Main, chord)),
            Some(Command::Quit)
        );
        event.kind = KeyEventKind::Release;
        assert_eq!(Chord::of(event), None);
        let capital = Chord { code: KeyCode::Char('Q'), ctrl: false };
        assert_eq!(Keymap::default().command(Context::Main, capital), None);
    }
}
