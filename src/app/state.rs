//! The state: everything the screen is a function of. Changed by `update` alone.
//!
//! Invariant: answers belong to the question shown unless they are marked stale.

mod reading;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use reading::{Reading, WATCHED};
pub use start::Start;

pub use super::answers::{Answers, ArmAnswer, Phase, WRITING, Writing};
use super::attribution::Attributing;
use super::calls::Calls;
use super::command::{Command, Context};
pub use super::data::{Data, question_of};
use super::datasets::Datasets;
use super::feedback::Said;
use super::input::Input;
use super::journal::Journal;
use super::keeper::Unkept;
use super::keymap::Keymap;
use super::message::Limits;
use super::order::Orders;
use super::overlay::Overlay;
pub use super::pane::Pane;
use super::profile::Profiling;
use super::recordings::Recording;
use super::replay::{Opened, Replaying, Standing};
use super::rungs::Climbing;
pub use super::setting::Held;
use super::stock::Offer;
use super::study::Study;
use super::undo::History;
use super::visit::Visit;
use crate::data::dataset::{Manifest, TaskKind};
use crate::data::interaction::UserId;
use crate::engine::engine::{Caps, LoadStage};
use crate::engine::fit::Training;
use crate::engine::model::{LoadOptions, Origin};
use crate::engine::prompt::Question;
use crate::engine::room::Need;
use crate::mediator::{Course, Policy, Resolution, Weight, Weights};
use crate::memory::portrait::Portrait;
use crate::session::event::HeldItem;
pub use crate::session::event::Setting;
use crate::session::tries::Try;

/// What is known of memory.
#[derive(Clone, Debug, PartialEq)]
pub enum MemoryState {
    /// On its way, with its stage.
    Building(&'static str),
    /// On its way: an embedding model makes vectors.
    Embedding {
        /// Texts that have one.
        done: usize,
        /// Texts that had none.
        of: usize,
    },
    /// It answers.
    Ready,
    /// It does not, because.
    Failed(String),
}

/// What is known of the model.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// None was asked for, because.
    Absent(&'static str),
    /// On its way.
    Loading(Option<LoadStage>),
    /// It answers.
    Ready(Caps),
    /// It could not be loaded, because.
    Failed(String),
    /// It is not asked, because it was trained for something else.
    Unfit(String),
}

impl ModelState {
    /// Why it cannot be asked; `None` if it can, now or soon.
    pub fn unable(&self) -> Option<&'static str> {
        match self {
            ModelState::Absent(reason) => Some(reason),
            ModelState::Failed(_) => Some("the model could not be loaded"),
            ModelState::Unfit(_) => Some("the model was trained for something else; ctrl-o loads another one"),
            ModelState::Loading(_) | ModelState::Ready(_) => None,
        }
    }
}

/// A model that is to take the present one's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// As it was named.
    pub name: String,
    /// How far it is; `None` before that is known.
    pub stage: Option<LoadStage>,
    /// When it was asked for.
    pub since: Duration,
}

/// What marks changes as one gesture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// Turning one weight.
    Turn(Weight),
    /// Everything else is a step of its own.
    Step(u64),
}

/// A line of news in the status bar, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The text.
    pub text: String,
    /// Whether it tells of a failure.
    pub failure: bool,
}

/// How the workbench ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The analyst is done.
    Done,
    /// A signal.
    Signal(i32),
    /// There is nothing to work on, because.
    Failed(String),
}

/// Everything.
#[derive(Debug)]
pub struct State {
    /// Since the start.
    pub now: Duration,
    /// Whether the screen may differ from what was drawn last.
    pub dirty: bool,
    /// Name of the dataset until it is read.
    pub dataset_name: String,
    /// Name of the model until it is loaded.
    pub model_name: String,
    /// What it was asked for by, to be loaded again; empty for memory alone.
    pub model_named: String,
    /// The dataset, once read.
    pub data: Option<Arc<Data>>,
    /// Where it is from, and the one that is to take its place.
    pub datasets: Datasets,
    /// Memory.
    pub memory: MemoryState,
    /// How many periods the data spans; 0 until memory is built.
    pub periods: usize,
    /// When memory began to be built.
    pub memory_since: Duration,
    /// The model.
    pub model: ModelState,
    /// What it was made for.
    pub training: Training,
    /// When the model began to load.
    pub model_since: Duration,
    /// How models are to run.
    pub load: LoadOptions,
    /// The model that is to take the present one's place, on its way.
    pub incoming: Option<Incoming>,
    /// How far the model is that answers, where it has died and is loaded again, and since when.
    pub reviving: Option<(LoadStage, Duration)>,
    /// What the engine's host was told of models.
    pub calls: Calls,
    /// Where the model came from that will be ready next.
    pub arriving: Option<Origin>,
    /// The memory that the model takes.
    pub need: Option<Need>,
    /// Bytes of this process in memory while a model loads.
    pub resident: Option<u64>,
    /// Sessions that are made of the dataset.
    pub orders: Orders,
    /// The models to choose from, as far as they have been looked for.
    pub offers: Vec<Offer>,
    /// The person's own recordings, as far as they have been looked for.
    pub recordings: Vec<Recording>,
    /// Weights and policy; meaningless until the dataset is read.
    pub setting: Setting,
    /// Earlier settings.
    pub undo: History<Held, Gesture>,
    /// Numbers the steps that are no turning of a slider.
    pub steps: u64,
    /// The tries on the dataset, by number.
    pub tries: Vec<Try>,
    /// How often held-out queries of the dataset have been looked at.
    pub looks: u32,
    /// The try saved or set last; 0 for the dataset's default.
    pub at_try: u32,
    /// The judged questions of the session at hand, with their numbers.
    pub study: Study,
    /// The ladder or the dial.
    pub rungs: Climbing,
    /// Tries that are not on disk, by dataset.
    pub unkept: BTreeMap<String, Unkept>,
    /// Who asks what, when.
    pub question: Option<Question>,
    /// The judged query it comes from.
    pub judged: Option<usize>,
    /// The judged query that was opened last: where the next one is looked for from.
    pub opened: Option<usize>,
    /// A query typed before the dataset was read.
    pub wanted: Option<String>,
    /// A query left half typed.
    pub draft: String,
    /// The query that was typed and asked last.
    pub typed: Option<String>,
    /// Whether the analyst has chosen a question, so that none is chosen for them.
    pub chosen: bool,
    /// The number of the last read asked for.
    pub ticket: u64,
    /// The number of the last read answered.
    pub heard: u64,
    /// Where the question before left the mediator.
    pub course: Course,
    /// What the questions before came to, the newest last.
    pub answered: Vec<(UserId, Resolution)>,
    /// What memory said to the question.
    pub reading: Option<Reading>,
    /// Why it said nothing.
    pub unread: Option<String>,
    /// What is characteristic of the person asking, once memory has told it.
    pub portrait: Option<Portrait>,
    /// Of ratings, that no thing is called as the question, in words; a recording does not tell.
    pub unnamed: Option<String>,
    /// The prose profile of who asks.
    pub profile: Profiling,
    /// The number of the last inquiry.
    pub inquiry: u64,
    /// What the arms answer.
    pub answers: Answers,
    /// What adds what to an answer, on its board.
    pub attribution: Attributing,
    /// What the analyst said of the answers to questions asked live, the newest last.
    pub said: Vec<Said>,
    /// The pane that scrolls.
    pub focus: Pane,
    /// Whether it has the whole screen.
    pub zoom: bool,
    /// First line shown of each pane.
    pub scroll: [u16; 5],
    /// How far things can scroll.
    pub limits: Limits,
    /// When the model is to be asked again, because a prompt has changed.
    pub ask_at: Option<Duration>,
    /// The slider that keys turn.
    pub weight: Weight,
    /// What lies over the screen.
    pub overlay: Option<Overlay>,
    /// The session being replayed, with the live work that goes on beneath it.
    pub replay: Option<Replaying>,
    /// A session that is ready, and is shown once nobody is interrupted by it.
    pub arrived: Option<Box<Opened>>,
    /// A moment of a recording that is asked live; the replay waits.
    pub visit: Option<Box<Visit>>,
    /// What of live use is to be recorded.
    pub journal: Journal,
    /// News.
    pub notice: Option<Notice>,
    /// Ctrl-C was the last key.
    pub interrupted: bool,
    /// The last command, where it would lose something: done again, it does.
    pub leaving: Option<Command>,
    /// The theme's name.
    pub theme: &'static str,
    /// Which keys run what.
    pub keys: Keymap,
    /// Colours are off.
    pub mono_only: bool,
    /// Glyphs are replaced by ASCII.
    pub ascii: bool,
    /// Set when the workbench is to end.
    pub exit: Option<Exit>,
}

impl State {
    /// Where keys are read now.
    pub fn context(&self) -> Context {
        match &self.overlay {
            None => self.screen(),
            Some(overlay) => overlay.context(),
        }
    }

    /// Where keys are read with nothing open above the screen.
    pub fn screen(&self) -> Context {
        if self.replay.is_some() { Context::Replay } else { Context::Main }
    }

    /// When something is to be done without a key: the next turn of a replay that plays, or asking the model again.
    pub fn due(&self) -> Option<Duration> {
        match self.standing() {
            Standing::Live => self.ask_at,
            Standing::Playing { due } => Some(due),
            Standing::Paused | Standing::Seeking { .. } | Standing::AtEnd => None,
        }
    }

    /// What goes on with the playhead.
    pub fn standing(&self) -> Standing {
        self.replay.as_ref().map_or(Standing::Live, |replay| replay.standing)
    }

    /// The line being typed, if any.
    pub fn input_mut(&mut self) -> Option<&mut Input> {
        self.overlay.as_mut().and_then(Overlay::input_mut)
    }

    /// Why no session can be made of the dataset now.
    pub fn cannot_make(&self) -> Option<&'static str> {
        match &self.data {
            None => Some("the dataset is not read yet"),
            Some(_) if self.replay.is_some() || self.visit.is_some() => Some("leave the replay first"),
            Some(_) if self.setting.policy.writes() => Some("a model writes under this policy; choose another one"),
            Some(_) => None,
        }
    }

    /// Whether something is under way that the screen shows moving.
    pub fn busy(&self) -> bool {
        matches!(self.memory, MemoryState::Building(_) | MemoryState::Embedding { .. })
            || matches!(self.model, ModelState::Loading(_))
            || self.incoming.is_some()
            || self.datasets.opening.as_ref().is_some_and(|opening| opening.memory != MemoryState::Ready)
            || self.reviving.is_some()
            || self.orders.under_way.is_some()
            || self.answers.open()
            || self.profile.draft.phase.is_open()
            || self.reading_under_way()
            || self.rungs.under_way()
            || self.attribution.under_way()
            || matches!(self.study.fitting.state, super::study::FitState::Running(_))
    }

    /// Whether memory has been asked and has not answered.
    pub fn reading_under_way(&self) -> bool {
        self.heard != self.ticket && self.memory == MemoryState::Ready
    }

    /// Whether a question to open with is still being looked for: until then none is shown that would give way to it.
    pub fn is_choosing(&self) -> bool {
        let building = matches!(self.memory, MemoryState::Building(_) | MemoryState::Embedding { .. });
        building && !self.chosen && self.judged.is_some() && self.replay.is_none()
    }

    /// The settings of the dataset.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.data.as_ref().map(|data| &data.dataset.manifest)
    }

    /// The label of the true answer to the question, where that is known: of texts their form.
    pub fn gold(&self) -> Option<&str> {
        self.data.as_ref()?.label_of(self.truth()?)
    }

    /// The true answer itself: from the data, or of a moment from its recording.
    pub fn truth(&self) -> Option<&str> {
        let judged = || self.data.as_ref()?.queries.get(self.judged?)?.gold.as_deref();
        let visited =
            || self.visit.as_ref().filter(|visit| self.question.as_ref() == Some(&visit.question))?.gold.as_deref();
        judged().or_else(visited)
    }

    /// What the asking person's memory is made to hold at a moment of a recording, where that is not all of it: whatever else
    /// they are asked at that very moment.
    pub fn holds(&self) -> Option<&[HeldItem]> {
        let (visit, question) = (self.visit.as_ref()?, self.question.as_ref()?);
        let same = (&question.user, question.at) == (&visit.question.user, visit.question.at);
        visit.held.as_deref().filter(|_| same)
    }

    /// Whether memory was made to hold another history than the person's own.
    pub fn holds_another_history(&self) -> bool {
        self.rungs.set.is_some() || self.holds().is_some()
    }

    /// Whether a judged question is asked at another moment than it is judged at: memory may know its answer there.
    pub fn is_moved(&self) -> bool {
        let query = || self.data.as_ref()?.queries.get(self.judged?);
        query().zip(self.question.as_ref()).is_some_and(|(query, question)| query.at != question.at)
    }

    /// Whether answers are texts.
    pub fn writes(&self) -> bool {
        self.manifest().is_some_and(|manifest| manifest.task == TaskKind::Text)
    }

    /// The default of every weight under the present policy.
    pub fn defaults(&self) -> Weights {
        self.defaults_of(self.setting.policy)
    }

    /// The default of every weight under `policy`: the dataset's, or in a replay what was recorded.
    pub fn defaults_of(&self, policy: Policy) -> Weights {
        let recorded = self.replay.as_ref().map(Replaying::setting).filter(|setting| setting.policy == policy);
        match (recorded, self.manifest()) {
            (Some(setting), _) => setting.weights,
            (None, Some(manifest)) => self.fit().defaults(policy, manifest),
            (None, None) => Weights::default(),
        }
    }
}
