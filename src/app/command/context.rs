//! Where a key is read: on the screen, in a replay, while typing, in what lies over the screen.

use super::{Command, Entry, TABLE};

/// Where a key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere, also while typing.
    Always,
    /// The screen itself, nothing open above it.
    Main,
    /// The screen while a session is replayed.
    Replay,
    /// Both of these, where they do not say otherwise.
    Screen,
    /// A line being typed: a query or a date.
    Edit,
    /// A list with a filter: users, queries, commands.
    List,
    /// The help.
    Help,
    /// An explanation.
    Sheet,
    /// A board: something that stays true while weights are turned.
    Board,
    /// The board of the ladder or the dial, beside what all boards share.
    Rungs,
    /// The board of an answer's attribution, beside what all boards share.
    Attribution,
    /// The board of the profile, beside what all boards share.
    Profile,
}

impl Context {
    /// All, in order of documentation.
    pub const ALL: [Context; 12] = [
        Context::Main,
        Context::Screen,
        Context::Replay,
        Context::Edit,
        Context::List,
        Context::Sheet,
        Context::Board,
        Context::Rungs,
        Context::Attribution,
        Context::Profile,
        Context::Help,
        Context::Always,
    ];

    /// Heading in help and docs.
    pub fn title(self) -> &'static str {
        match self {
            Context::Always => "Everywhere",
            Context::Main => "Workbench",
            Context::Replay => "In a replay",
            Context::Screen => "Workbench and replay",
            Context::Edit => "While typing",
            Context::List => "In a list",
            Context::Help => "In the help",
            Context::Sheet => "In an explanation",
            Context::Board => "On a board",
            Context::Rungs => "On the ladder and the dial",
            Context::Attribution => "On an attribution",
            Context::Profile => "On the profile",
        }
    }

    /// Where its keys are looked up, first to last. A replay's own keys come before those it shares with the workbench.
    pub fn layers(self) -> &'static [Context] {
        match self {
            Context::Main => &[Context::Main, Context::Screen, Context::Always],
            Context::Replay => &[Context::Replay, Context::Screen, Context::Always],
            Context::Screen => &[Context::Screen, Context::Always],
            Context::Edit => &[Context::Edit, Context::Always],
            Context::List => &[Context::List, Context::Always],
            Context::Help => &[Context::Help, Context::Always],
            Context::Sheet => &[Context::Sheet, Context::Always],
            Context::Board => &[Context::Board, Context::Screen, Context::Always],
            Context::Rungs => &[Context::Rungs, Context::Board, Context::Screen, Context::Always],
            Context::Attribution => &[Context::Attribution, Context::Board, Context::Screen, Context::Always],
            Context::Profile => &[Context::Profile, Context::Board, Context::Screen, Context::Always],
            Context::Always => &[Context::Always],
        }
    }

    /// What leads away from it to what lies beneath.
    pub fn left_by(self) -> Option<Command> {
        match self {
            Context::Replay => Some(Command::LeaveReplay),
            Context::Help => Some(Command::HelpClose),
            Context::Sheet => Some(Command::SheetClose),
            _ => self.layers().contains(&Context::Board).then_some(Command::BoardClose),
        }
    }

    /// Where it is, in a sentence; all boards are alike there.
    pub fn place(self) -> String {
        let of = if self.layers().contains(&Context::Board) { Context::Board } else { self };
        of.title().to_lowercase()
    }

    /// The rows read here, its own first.
    pub fn entries(self) -> impl Iterator<Item = &'static Entry> {
        self.layers().iter().flat_map(|layer| TABLE.iter().filter(move |entry| entry.context == *layer))
    }
}
