//! What may lie over the screen: a line being typed, a list with a filter, an explanation, the help.

mod list;

pub use list::{List, Row};

use super::board::{Board, Page};
use super::command::{Command, Context, TABLE};
use super::fuzzy::{UNBROKEN, fuzzy};
use super::input::Input;
use super::inquiry::Told;
use super::keymap::Keymap;
use crate::engine::prompt::Arm;
use crate::mediator::{Policy, Weight};
use crate::session::scenario::Scenario;

/// What lies over the screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// A line being typed.
    Edit(Edit),
    /// A list to choose from.
    List(List),
    /// The help.
    Help(Help),
    /// An explanation.
    Sheet(Sheet),
    /// Something that stays true while weights are turned.
    Board(Board),
}

impl Overlay {
    /// Where keys are read.
    pub fn context(&self) -> Context {
        match self {
            Overlay::Edit(_) => Context::Edit,
            Overlay::List(_) => Context::List,
            Overlay::Help(help) if help.filtering => Context::List,
            Overlay::Help(_) => Context::Help,
            Overlay::Sheet(_) => Context::Sheet,
            Overlay::Board(Board { page: Page::Rungs(_), .. }) => Context::Rungs,
            Overlay::Board(Board { page: Page::Attribution { .. }, .. }) => Context::Attribution,
            Overlay::Board(Board { page: Page::Profile, .. }) => Context::Profile,
            Overlay::Board(_) => Context::Board,
        }
    }

    /// The line that letters go to, if any.
    pub fn input_mut(&mut self) -> Option<&mut Input> {
        match self {
            Overlay::Edit(edit) => Some(&mut edit.input),
            Overlay::List(list) => Some(&mut list.filter),
            Overlay::Help(help) => help.filtering.then_some(&mut help.filter),
            Overlay::Sheet(_) | Overlay::Board(_) => None,
        }
    }

    /// The board on the screen, also where a line is being typed over it or something of it is chosen.
    pub fn board(&self) -> Option<&Board> {
        match self {
            Overlay::Board(board) => Some(board),
            Overlay::Edit(edit) => edit.behind.as_ref(),
            Overlay::List(list) => list.behind.as_ref(),
            Overlay::Sheet(_) | Overlay::Help(_) => None,
        }
    }

    /// What lies over the screen once this is closed.
    pub fn closed(self) -> Option<Overlay> {
        match self {
            Overlay::Edit(edit) => edit.behind.map(Overlay::Board).or(edit.list.map(Overlay::List)),
            Overlay::Sheet(sheet) => sheet.behind.map(Overlay::List),
            Overlay::List(list) => list.behind.map(Overlay::Board),
            Overlay::Help(_) | Overlay::Board(_) => None,
        }
    }

    /// Brings what is shown up to date with the filter.
    pub fn refilter(&mut self) {
        match self {
            Overlay::List(list) => list.refilter(),
            Overlay::Help(help) => help.scroll = 0,
            Overlay::Edit(_) | Overlay::Sheet(_) | Overlay::Board(_) => {}
        }
    }
}

/// What is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditKind {
    /// A query.
    Query,
    /// A moment.
    Date,
    /// The number of a turn.
    Turn,
    /// A note beside the question.
    Note,
    /// Where a session file is.
    Path,
    /// The value of a weight.
    Value(Weight),
    /// The name of a try.
    TryName,
    /// The note on the try of this number.
    TryNote(u32),
    /// The profile of who asks.
    Profile,
    /// A model: a path, or its name on a hub.
    Model,
    /// Where a dataset is.
    Folder,
    /// Where tries are to be written.
    ExportPath,
    /// Where tries are to be read.
    ImportPath,
    /// The id of an interaction or an entry, to ask why it is not shown.
    Id,
}

/// A line being typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// What for.
    pub kind: EditKind,
    /// The line.
    pub input: Input,
    /// Why it was not taken.
    pub complaint: Option<String>,
    /// The board that it is typed over, which stays on the screen.
    pub behind: Option<Board>,
    /// The list of tries that a note was begun in, to which closing leads back.
    pub list: Option<List>,
}

impl Edit {
    /// A line that begins with `text`, over what lay there before.
    pub fn over(kind: EditKind, text: &str, before: Option<Overlay>) -> Self {
        let (behind, list) = match before {
            Some(Overlay::Board(board)) => (Some(board), None),
            Some(Overlay::Edit(edit)) => (edit.behind, edit.list),
            Some(Overlay::List(list)) if matches!(kind, EditKind::TryNote(_)) => (None, Some(list)),
            _ => (None, None),
        };
        // A profile, a note and a question left half typed are gone on with; anything else is as often another one.
        let input = match kind {
            EditKind::Query | EditKind::Profile | EditKind::Note | EditKind::TryNote(_) => Input::of(text),
            _ => Input::offering(text),
        };
        Self { kind, input, complaint: None, behind, list }
    }
}

/// What a list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Who asks.
    Users,
    /// The judged queries.
    Queries,
    /// The commands.
    Commands,
    /// Recorded sessions.
    Sessions,
    /// Models.
    Models,
    /// Datasets.
    Datasets,
    /// What a person may answer.
    Labels,
    /// What the arms answered, to be called right or wrong.
    Answers,
    /// What the true answer may be.
    Gold,
    /// The mediator's rules.
    Policies,
    /// Saved settings.
    Tries,
    /// What local memory found.
    Hits,
    /// What global memory found.
    Entries,
    /// What might be missed.
    WhyNot,
}

impl ListKind {
    /// As what a text is taken that no row is called; `None` where it means nothing.
    pub fn typed(self) -> Option<EditKind> {
        match self {
            ListKind::Sessions => Some(EditKind::Path),
            ListKind::Models => Some(EditKind::Model),
            ListKind::Datasets => Some(EditKind::Folder),
            ListKind::WhyNot => Some(EditKind::Id),
            ListKind::Users
            | ListKind::Queries
            | ListKind::Commands
            | ListKind::Labels
            | ListKind::Answers
            | ListKind::Gold
            | ListKind::Policies
            | ListKind::Tries
            | ListKind::Hits
            | ListKind::Entries => None,
        }
    }
}

/// What choosing a row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This user asks.
    User(usize),
    /// This judged query is asked.
    Query(usize),
    /// This command is run.
    Run(Command),
    /// This shipped session is replayed.
    Shipped(&'static str),
    /// The recording of this number is replayed.
    Recorded(usize),
    /// A session of this scenario is made.
    Made(Scenario),
    /// This policy is set.
    Policy(Policy),
    /// A path is typed.
    TypePath,
    /// The model that the row names is loaded.
    Model,
    /// The model of this number among the offers is loaded.
    Offer(usize),
    /// A model is typed.
    TypeModel,
    /// This shipped dataset is opened.
    ShippedData(&'static str),
    /// The dataset of this number among the offers is opened.
    OfferedData(usize),
    /// The folder of a dataset is typed.
    TypeFolder,
    /// This label is what the person answers.
    Label(usize),
    /// This answer, which the arm gave, is called right, or wrong.
    Called {
        /// The arm.
        arm: Arm,
        /// Its answer, as an index, while the list is open: another one may come meanwhile.
        answer: usize,
        /// Whether it is right.
        right: bool,
    },
    /// This label is the true answer.
    Gold(usize),
    /// The try with this number is set; 0 is the dataset's default.
    Try(u32),
    /// The score of the own item that the row names is explained.
    Item,
    /// The score of the entry that the row names is explained.
    Entry,
    /// Why what the row names is not shown.
    WhyNot,
    /// An id is typed.
    TypeId,
}

/// An explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// What is explained.
    pub title: String,
    /// What memory told; `None` while it has not.
    pub told: Option<Result<Told, String>>,
    /// First line shown.
    pub scroll: u16,
    /// The list it was chosen from, to which closing leads back.
    pub behind: Option<List>,
}

impl Sheet {
    /// Conflicts, what would be decided without a memory, and signs of failure.
    pub fn ledger() -> Self {
        let title = "why this decision: conflicts, and memories left out".to_owned();
        Self { title, told: Some(Ok(Told::Ledger)), scroll: 0, behind: None }
    }
}

/// The help.
#[derive(Clone, Debug, PartialEq)]
pub struct Help {
    /// The screen it lies over, whose keys come first.
    pub screen: Context,
    /// What rows must hold.
    pub filter: Input,
    /// Whether letters go to the filter.
    pub filtering: bool,
    /// First line shown.
    pub scroll: u16,
}

impl Help {
    /// The whole help over `screen`.
    pub fn over(screen: Context) -> Self {
        Self { screen, filter: Input::default(), filtering: false, scroll: 0 }
    }

    /// The rows that match the filter, those of its screen first, each with the heading it stands under.
    pub fn rows(&self, keys: &Keymap) -> Vec<(String, &'static super::command::Entry)> {
        let filter = self.filter.text().trim();
        let matches = |entry: &&super::command::Entry| {
            [entry.name, entry.doc]
                .iter()
                .any(|text| fuzzy(filter, text).is_some_and(|score| filter.is_empty() || score >= UNBROKEN))
                || keys.keys(entry).any(|key| key == filter)
        };
        let heading = |entry: &super::command::Entry| match entry.context {
            Context::Main | Context::Screen => entry.group.to_owned(),
            context => context.title().to_owned(),
        };
        let here = |context: &Context| *context != Context::Always && self.screen.layers().contains(context);
        let mine = self.screen.layers().iter().copied().filter(here);
        let others = Context::ALL.into_iter().filter(|context| !here(context));
        mine.chain(others)
            .flat_map(|context| TABLE.iter().filter(move |entry| entry.context == context))
            .filter(matches)
            .map(|entry| (heading(entry), entry))
            .collect()
    }
}
