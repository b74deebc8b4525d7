//! What a start is told, and the state that it begins with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Answers, MemoryState, ModelState, Pane, Setting, State};
use crate::app::attribution::Attributing;
use crate::app::calls::Calls;
use crate::app::datasets::Datasets;
use crate::app::journal::Journal;
use crate::app::keymap::Keymap;
use crate::app::message::Limits;
use crate::app::order::Orders;
use crate::app::profile::Profiling;
use crate::app::rungs::Climbing;
use crate::app::study::Study;
use crate::app::undo::History;
use crate::engine::fit::Training;
use crate::engine::model::LoadOptions;
use crate::mediator::{Course, Policy, Weight, Weights};

/// What a start is told.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Name of the dataset until it is read.
    pub dataset_name: String,
    /// Its folder; `None` for one that came with the program.
    pub folder: Option<PathBuf>,
    /// Name of the model; `None` for memory alone.
    pub model_name: Option<String>,
    /// What the model was made for.
    pub training: Training,
    /// How models are to run.
    pub load: LoadOptions,
    /// The theme to begin with; `None` for the default one.
    pub theme: Option<&'static str>,
    /// Which keys run what.
    pub keys: Keymap,
    /// Colours are off.
    pub mono: bool,
    /// Glyphs are replaced by ASCII.
    pub ascii: bool,
    /// Live use is recorded.
    pub record: bool,
    /// Prose profiles are kept.
    pub profiles: bool,
}

impl State {
    /// The state before anything has happened.
    pub fn new(start: Start) -> Self {
        let model = match &start.model_name {
            Some(_) => ModelState::Loading(None),
            None => ModelState::Absent("no model was asked for; answers come from memory alone"),
        };
        let policy = Policy::default();
        let [default, .., mono] = crate::theme::Theme::names();
        Self {
            now: Duration::ZERO,
            dirty: true,
            dataset_name: start.dataset_name,
            model_name: start.model_name.unwrap_or_default(),
            model_named: String::new(),
            data: None,
            datasets: Datasets { folder: start.folder, ..Datasets::default() },
            memory: MemoryState::Building("starting"),
            periods: 0,
            memory_since: Duration::ZERO,
            model,
            training: start.training,
            model_since: Duration::ZERO,
            load: start.load,
            incoming: None,
            reviving: None,
            calls: Calls::default(),
            arriving: None,
            need: None,
            resident: None,
            orders: Orders::default(),
            offers: Vec::new(),
            recordings: Vec::new(),
            setting: Setting { weights: Weights::default(), policy },
            undo: History::default(),
            steps: 0,
            tries: Vec::new(),
            looks: 0,
            at_try: 0,
            study: Study::default(),
            rungs: Climbing::default(),
            unkept: BTreeMap::new(),
            question: None,
            judged: None,
            opened: None,
            wanted: None,
            draft: String::new(),
            typed: None,
            chosen: false,
            ticket: 0,
            heard: 0,
            course: Course::default(),
            answered: Vec::new(),
            reading: None,
            unread: None,
            portrait: None,
            unnamed: None,
            profile: Profiling { kept: start.profiles, ..Profiling::default() },
            inquiry: 0,
            answers: Answers::default(),
            attribution: Attributing::default(),
            said: Vec::new(),
            focus: Pane::Mediator,
            zoom: false,
            scroll: [0; 5],
            limits: Limits::default(),
            ask_at: None,
            weight: Weight::PriorStrength,
            overlay: None,
            replay: None,
            arrived: None,
            visit: None,
            journal: Journal::new(start.record),
            notice: None,
            interrupted: false,
            leaving: None,
            theme: if start.mono { mono } else { start.theme.unwrap_or(default) },
            keys: start.keys,
            mono_only: start.mono,
            ascii: start.ascii,
            exit: None,
        }
    }
}
