//! The journal: which events of live use are still to be written, and whether they can be.
//!
//! Invariants: nothing is written before the analyst touches a key, nor before it is settled whether a model answers;
//! a gesture on a slider is one change of the weights.

use std::path::PathBuf;
use std::sync::Arc;

use super::state::{Data, Setting};
use crate::data::interaction::Interaction;
use crate::engine::model::Located;
use crate::session::event::Event;

/// How recording stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Recording {
    /// It was not asked for.
    #[default]
    Off,
    /// Nothing has been written yet.
    Waiting,
    /// A file has been asked for.
    Begun,
    /// It is written here.
    In(PathBuf),
    /// The last attempt to write failed, because. What happens is kept in memory, and every later event tries again.
    Failed(String),
}

/// Events on their way to a file.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// How recording stands.
    pub recording: Recording,
    /// Whether the analyst has done anything.
    pub touched: bool,
    /// The setting at the first question; `None` before it.
    pub start: Option<Setting>,
    /// Whether the setting has changed since it was last written.
    pub turned: bool,
    /// Whether another memory is asked than the one the session is about, so that nothing of it may be written.
    pub away: bool,
    /// Identity of the embedder that memory reads with.
    pub embedder: String,
    /// The dataset at the first question, as it was before anything was remembered.
    pub data: Option<Arc<Data>>,
    /// What memory is being given, in order: it may yet fail to take it, so that nothing says it knows.
    pub given: Vec<Interaction>,
    /// What memory has taken of that, in order: a session that begins later begins with it.
    pub remembered: Vec<Interaction>,
    /// Where the model is.
    pub model: Option<Located>,
    /// What is to be written next.
    pub waiting: Vec<Event>,
}

impl Journal {
    /// A journal that records, or one that does not.
    pub fn new(record: bool) -> Self {
        let recording = if record { Recording::Waiting } else { Recording::Off };
        Self { recording, ..Self::default() }
    }

    /// Whether events are kept at all.
    pub fn keeps(&self) -> bool {
        self.recording != Recording::Off
    }

    /// Whether what happens now is part of the session.
    pub fn listens(&self) -> bool {
        self.keeps() && !self.away
    }

    /// Where it is written, or why it is not, in a line for the help.
    pub fn told(&self) -> Option<String> {
        match &self.recording {
            Recording::Off => None,
            Recording::Waiting | Recording::Begun => Some("this session is recorded from the first key on".to_owned()),
            Recording::In(path) => Some(format!("recorded in {}", path.display())),
            Recording::Failed(reason) => Some(format!("not on disk, kept in memory and tried again: {reason}")),
        }
    }
}
