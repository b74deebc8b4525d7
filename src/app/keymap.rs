//! Keys: a chord as the terminal reports it, and the command it stands for in a context.
//!
//! Invariant: the command table is the only place where a key is bound.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::command::{Command, Context};

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
#[error("'{0}' is no key; write it as q, ctrl-r, shift-tab, f1, enter or left")]
pub struct BadChord(String);

impl FromStr for Chord {
    type Err = BadChord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ctrl, name) = text.strip_prefix("ctrl-").map_or((false, text), |rest| (true, rest));
        let mut chars = name.chars();
        let code = match (NAMED.iter().find(|(_, known)| *known == name), chars.next(), chars.as_str()) {
            (Some((code, _)), ..) => *code,
            (None, Some(c), "") => KeyCode::Char(c),
            (None, Some('f'), number) => KeyCode::F(number.parse().map_err(|_| BadChord(text.to_owned()))?),
            _ => return Err(BadChord(text.to_owned())),
        };
        Ok(Self { code, ctrl })
    }
}

/// What `chord` does in `context`.
pub fn command(context: Context, chord: Chord) -> Option<Command> {
    let name = chord.to_string();
    context.entries().find(|entry| entry.keys.contains(&name.as_str())).map(|entry| entry.command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::command::TABLE;

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
        assert_eq!(Chord::of(event).and_then(|chord| command(Context::Main, chord)), Some(Command::Quit));
        event.kind = KeyEventKind::Release;
        assert_eq!(Chord::of(event), None);
        let capital = Chord { code: KeyCode::Char('Q'), ctrl: false };
        assert_eq!(command(Context::Main, capital), None);
    }
}
