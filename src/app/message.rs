//! Messages: everything that may change the state. Time arrives here too; `update` has no clock.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::fitter::FitNews;
use super::inquiry::Told;
use super::keeper::{Change, Kept};
use super::keymap::Chord;
use super::profiler::{Known, ProfileRequest};
use super::recordings::Recording;
use super::replay::Opened;
use super::state::Data;
use super::stock::Offer;
use super::surveyor::Found;
use super::visit::World;
use crate::engine::host::HostEvent;
use crate::engine::model::Located;
use crate::engine::prompt::Blocks;
use crate::memory::MemoryRead;
use crate::memory::portrait::Portrait;
use crate::session::event::Evidence;
use crate::session::tries::Try;

/// What memory said to a question, as a session records it.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// All of it.
    pub evidence: Evidence,
    /// What memory reads with.
    pub embedder: String,
}

/// Something that happened.
#[derive(Debug)]
pub enum Message {
    /// Time since the start. Sent before the messages that arrived then.
    Clock(Duration),
    /// A key was pressed.
    Key(Chord),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resized,
    /// How far each pane and the open list can scroll, as the last frame showed.
    Drawn(Limits),
    /// The memory worker begins another part of its work.
    Stage(&'static str),
    /// The memory worker has the dataset's embedding model make vectors.
    Embedding {
        /// Texts that have one.
        done: usize,
        /// Texts that had none.
        of: usize,
    },
    /// What happened to the dataset's store while memory was opened, in a line.
    Stored(String),
    /// The dataset has been read.
    DataRead(Arc<Data>),
    /// It could not be.
    DataFailed(String),
    /// Memory can be asked from now on; the judged query worth opening with, if one was found.
    MemoryBuilt {
        /// How many periods the data spans.
        periods: usize,
        /// Index among the judged queries.
        opening: Option<usize>,
    },
    /// What memory says to a question.
    MemoryRead {
        /// Which question.
        ticket: u64,
        /// What both memories say.
        read: Box<MemoryRead>,
        /// What there is to put into the arms' prompts.
        blocks: Box<Blocks>,
        /// The same for a session file; `None` if nothing of it is to be recorded.
        heard: Option<Box<Heard>>,
    },
    /// What is characteristic of who asks a question; comes before what memory says to it.
    Portrayed {
        /// Which question.
        ticket: u64,
        /// The person.
        portrait: Box<Portrait>,
    },
    /// Of ratings, whether a question names a thing; comes before what memory says to it.
    Named {
        /// Which question.
        ticket: u64,
        /// That it names none, in words.
        unnamed: Option<String>,
    },
    /// What memory tells about an answer it has given.
    Told {
        /// Which inquiry.
        ticket: u64,
        /// What, or why nothing.
        told: Box<Result<Told, String>>,
    },
    /// Memory could not answer a question.
    ReadFailed {
        /// Which question.
        ticket: u64,
        /// Why.
        reason: String,
    },
    /// Memory knows the interaction that it was given first from now on.
    Remembered {
        /// The dataset with it.
        data: Arc<Data>,
        /// Its place among the interactions.
        place: usize,
        /// How many periods the data spans now.
        periods: usize,
    },
    /// Memory could not take that interaction, because.
    NotRemembered(String),
    /// The memory of a moment can be asked.
    Visited {
        /// Which.
        world: Arc<World>,
        /// The dataset as it was.
        data: Arc<Data>,
        /// How many periods it spans.
        periods: usize,
    },
    /// What a memory worker tells, of whatever dataset.
    OfWorker {
        /// Its number.
        worker: u64,
        /// What.
        news: Box<Message>,
    },
    /// These datasets there are.
    DatasetsFound(Vec<Offer>),
    /// A model has been named; it is to be loaded.
    ModelNamed(String),
    /// These models there are.
    ModelsFound(Vec<Offer>),
    /// These recordings there are.
    RecordingsFound(Vec<Recording>),
    /// Which model lies there.
    Identified {
        /// Where.
        place: Located,
        /// Its fingerprint, or why there is none.
        hash: Result<String, String>,
    },
    /// A session file has been named; it is to be replayed.
    SessionNamed(PathBuf),
    /// A session has been opened.
    SessionOpened(Box<Opened>),
    /// A session could not be opened.
    SessionFailed(String),
    /// A session that was made is in this file now, or why in none.
    SessionKept {
        /// The number under which it was to be.
        number: u64,
        /// Its file, or why there is none.
        kept: Result<PathBuf, String>,
    },
    /// A session that was ordered has been made, or why not.
    Made {
        /// Of the order.
        ticket: u64,
        /// The session.
        made: Result<Box<Opened>, String>,
    },
    /// Live use is recorded in this file.
    Recording(PathBuf),
    /// Live use cannot be recorded for now.
    RecordFailed(String),
    /// Tries have been written to this file, or why not.
    Exported(Result<PathBuf, String>),
    /// Tries have been read from a file, or why not.
    Imported(Result<Vec<Try>, String>),
    /// News of a fit.
    Fitting {
        /// Which.
        ticket: u64,
        /// What.
        news: FitNews,
    },
    /// News of a survey.
    Surveyed {
        /// Which.
        ticket: u64,
        /// Parts of the work done, and all.
        done: (usize, usize),
        /// What it has found so far, if that can be told.
        found: Option<Box<Found>>,
    },
    /// News of the ladder or the dial.
    Climbed {
        /// Which.
        ticket: u64,
        /// What.
        news: Box<super::rungs::News>,
    },
    /// A text is on its way to the clipboard, or why it is not.
    Copied(Result<usize, String>),
    /// News of the tries on a dataset.
    Tries {
        /// Which.
        dataset: String,
        /// The change that was asked for, if one was.
        change: Option<Change>,
        /// What its file holds now, or why that is not known or not changed.
        kept: Kept,
    },
    /// What is kept of a person's profiles.
    Profiles {
        /// What was asked for.
        request: ProfileRequest,
        /// What is on disk now, or why that is not known or not changed.
        known: Known,
    },
    /// News of the model and its answers.
    Host(HostEvent),
    /// A worker panicked.
    WorkerFailed {
        /// Which.
        worker: &'static str,
        /// What it said.
        reason: String,
    },
    /// The terminal is gone.
    InputLost(String),
    /// The system asks the program to end.
    Signal(i32),
    /// The system asks the program to stop until it is told to go on.
    Suspend,
}

/// How far things can scroll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Per pane, in order of [`super::state::Pane::ALL`].
    pub panes: [u16; 5],
    /// The help.
    pub help: u16,
}
