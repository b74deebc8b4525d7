//! The state: everything the screen is a function of. Changed by `update` alone.
//!
//! Invariants: what the mediator makes of the evidence is computed when a weight or the evidence changes, never while
//! drawing; answers belong to the question shown unless they are marked stale.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
use super::replay::{Replaying, Standing};
use super::rungs::Climbing;
pub use super::setting::Held;
use super::stock::Offer;
use super::study::Study;
use super::undo::History;
use super::visit::Visit;
use super::worker::evidence_of;
use crate::data::dataset::{Manifest, TaskKind};
use crate::data::interaction::UserId;
use crate::engine::answer::{final_decision, memory_distribution, request, request_written};
use crate::engine::engine::{Caps, GenRequest, LoadStage};
use crate::engine::fit::Training;
use crate::engine::model::{LoadOptions, Origin};
use crate::engine::prompt::{Arm, Blocks, Question};
use crate::engine::reconcile;
use crate::engine::room::Need;
use crate::mediator::conflict::Conflict;
use crate::mediator::counterfactual::{Without, counterfactuals};
use crate::mediator::flip::{Band, Flip, bands, flips};
use crate::mediator::fusion::fuse;
use crate::mediator::ledger::ledger;
use crate::mediator::policy::Disagreement;
use crate::mediator::signature::{Signature, of_session, too_local};
use crate::mediator::weights::{STOPS, Scope};
use crate::mediator::{Course, Evidence, Policy, Resolution, Weight, Weights, mediate};
use crate::memory::MemoryRead;
use crate::memory::portrait::Portrait;
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

/// Questions that are watched for signs of failure, of live work and of a replay under a turned weight.
pub const WATCHED: usize = 256;

/// What marks changes as one gesture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// Turning one weight.
    Turn(Weight),
    /// Everything else is a step of its own.
    Step(u64),
}

/// What memory said to the question, with what the mediator makes of it under the present setting.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Who asked.
    pub user: UserId,
    /// Both memories.
    pub read: MemoryRead,
    /// What there is to put into prompts; `None` in a replay, where no model is asked.
    pub blocks: Option<Blocks>,
    /// What each arm asks the model under the present setting.
    pub requests: [GenRequest; 4],
    /// What asks for the memory that the mediated arm reads, under a policy that has it written.
    pub writing: Option<GenRequest>,
    /// What the mediator weighs.
    pub evidence: Evidence,
    /// What it decides.
    pub resolution: Resolution,
    /// Where the two sides, or the person's own memories, disagree.
    pub ledger: Vec<Conflict>,
    /// What would be decided without a memory, the most influential first.
    pub without: Vec<Without>,
    /// What is wrong with this answer, or with those to the questions up to it.
    pub signatures: Vec<Signature>,
    /// What would change the decision, nearest first.
    pub flips: Vec<Flip>,
    /// Who wins where, for each weight in order of [`Weight::ALL`].
    pub bands: Vec<Vec<Band>>,
    /// Whether the session that it belongs to is over: what is asked next stands on nothing.
    pub over: bool,
}

impl Reading {
    /// What `setting` makes of the evidence by itself; what follows from it comes with [`State::mediate`].
    pub fn new(user: UserId, read: MemoryRead, evidence: Evidence, setting: &Setting, blocks: Option<Blocks>) -> Self {
        let resolution = mediate(&evidence, &setting.weights, setting.policy);
        let (ledger, without, signatures, flips, bands) = Default::default();
        let (requests, writing, over) = Default::default();
        Self {
            user,
            read,
            blocks,
            requests,
            writing,
            evidence,
            resolution,
            ledger,
            without,
            signatures,
            flips,
            bands,
            over,
        }
    }
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

    /// Whether the model answered `arm`, or is about to, from a prompt that has changed since.
    pub fn outdated(&self, arm: Arm) -> bool {
        let answer = &self.answers.arms[arm as usize];
        let asked = !answer.prompt.is_empty() && !matches!(answer.phase, Phase::Unasked);
        let rewritten = arm == Arm::Mediated && self.memory_outdated();
        let differs = |reading: &Reading| reading.requests[arm as usize].prompt != answer.prompt;
        asked && (rewritten || self.reading.as_ref().is_some_and(differs))
    }

    /// Whether the model wrote the memory that the mediated arm reads from something that has changed, or writes one
    /// that is not wanted any more.
    pub fn memory_outdated(&self) -> bool {
        let written = &self.answers.written;
        match self.reading.as_ref().and_then(|reading| reading.writing.as_ref()) {
            Some(request) => !written.prompt.is_empty() && request.prompt != written.prompt,
            None => written.phase.is_open(),
        }
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

    /// Takes in what memory said, and mediates.
    pub fn take_reading(&mut self, read: MemoryRead, blocks: Blocks) {
        let (Some(data), Some(question)) = (self.data.clone(), &self.question) else { return };
        let evidence = evidence_of(&read, &data.dataset.manifest);
        let reading = Reading::new(question.user.clone(), read, evidence, &self.setting, Some(blocks));
        self.leave_reading();
        if let Some(before) = self.reading.replace(reading) {
            self.answered.push((before.user, before.resolution));
            let surplus = self.answered.len().saturating_sub(WATCHED);
            self.answered.drain(..surplus);
        }
        self.mediate();
    }

    /// Takes in what memory says to the same question with another history. It is recorded as a turn, and so stands on the
    /// one before it like any other; signs of failure do not count it.
    pub fn retake_reading(&mut self, read: MemoryRead, blocks: Blocks) {
        let (Some(data), Some(question)) = (self.data.clone(), &self.question) else { return };
        let evidence = evidence_of(&read, &data.dataset.manifest);
        let reading = Reading::new(question.user.clone(), read, evidence, &self.setting, Some(blocks));
        self.leave_reading();
        self.reading = Some(reading);
        self.mediate();
    }

    /// What is asked next stands on what the reading at hand came to, as in the file of the session.
    pub fn leave_reading(&mut self) {
        if let Some(before) = self.reading.as_ref().filter(|reading| !reading.over) {
            self.course = Course::after(&before.user, &before.resolution);
        }
    }

    /// Weighs the evidence anew under the present setting.
    pub fn mediate(&mut self) {
        let Setting { weights, policy } = self.setting;
        let Some(reading) = &mut self.reading else { return };
        let alone = mediate(&reading.evidence, &weights, policy);
        reading.resolution = self.course.settle(&reading.user, alone, weights.hysteresis);
        self.word();
        let Some(reading) = &mut self.reading else { return };
        let voices = self.data.as_ref().map_or(Vec::new(), |data| {
            let (global, calibration) = (&reading.read.global, &data.dataset.manifest.calibration);
            global.parts.voices(&global.base, calibration)
        });
        reading.ledger = ledger(&reading.evidence, &weights, &reading.resolution);
        reading.without = counterfactuals(&reading.evidence, &weights, policy, &voices);
        reading.signatures = too_local(&reading.resolution, &reading.without).into_iter().collect();
        match &self.replay {
            Some(replaying) => reading.signatures.extend(&replaying.signatures),
            None => {
                self.answered.push((reading.user.clone(), reading.resolution.clone()));
                reading.signatures.extend(of_session(&self.answered, 0.0));
                self.answered.pop();
            }
        }
        reading.flips = flips(&reading.evidence, &weights, policy);
        self.fuse();
        let Some(reading) = &mut self.reading else { return };
        let rule = reading.resolution.policy.rule();
        let acting = |weight: Weight| rule.ignores(weight).is_none() && weight.scope() == Scope::Mediate;
        let evidence = &reading.evidence;
        let of = |weight| if acting(weight) { bands(evidence, &weights, policy, weight) } else { Vec::new() };
        reading.bands = Weight::ALL.map(of).into();
        self.refresh_model_bands();
    }

    /// Words what the model is asked under the present setting.
    pub fn word(&mut self) {
        let Setting { weights, policy } = self.setting;
        let prose = self.profile_in_prompts().map(|profile| profile.text().to_owned());
        let (Some(reading), Some(data)) = (&mut self.reading, &self.data) else { return };
        let Some(blocks) = &mut reading.blocks else { return };
        blocks.set_profile(prose.as_deref());
        let blocks = &*blocks;
        reading.requests = Arm::ALL.map(|arm| request(blocks, data.scored_labels(), arm, &weights));
        reading.writing = policy.writes().then(|| reconcile::request(blocks, &weights));
        if reading.writing.is_some() {
            let memory = self.answers.written.memory().unwrap_or_default();
            reading.requests[Arm::Mediated as usize] = request_written(blocks, data.scored_labels(), memory);
        }
    }

    /// Fuses each arm's memory with what the model has said so far.
    pub fn fuse(&mut self) {
        let Some(reading) = &self.reading else { return };
        let r = &reading.resolution;
        let trust = self.setting.weights.model_trust;
        for (arm, answer) in Arm::ALL.into_iter().zip(&mut self.answers.arms) {
            let memory = memory_distribution(r, arm);
            answer.memory = memory.to_vec();
            answer.distribution = match &answer.scores {
                Some(scores) => fuse(scores, memory, trust),
                None => memory.to_vec(),
            };
            answer.decision = final_decision(r, arm, &answer.distribution, answer.scores.is_some() && trust > 0.0);
        }
        let said = &self.answers.arms[Arm::Mediated as usize].scores;
        let read = self.setting.policy.writes() && self.answers.written.memory().is_some();
        let disagreement = said.as_ref().filter(|_| read).map(|scores| Disagreement::of(r, scores));
        self.answers.written.disagreement = disagreement;
    }

    /// Which final decision of the mediated arm holds at which model-trust; none while the model is silent.
    fn model_trust_bands(&self) -> Vec<Band> {
        let mediated = &self.answers.arms[Arm::ALL.len() - 1];
        let (Some(scores), Some(reading)) = (&mediated.scores, &self.reading) else { return Vec::new() };
        let mut bands: Vec<Band> = Vec::new();
        for stop in 0..=STOPS as usize {
            let fused = fuse(scores, &mediated.memory, Weight::ModelTrust.at(stop as f64));
            let label = reading.resolution.decide(&fused);
            match bands.last_mut() {
                Some(band) if band.label == label => band.to = stop,
                _ => bands.push(Band { from: stop, to: stop, label }),
            }
        }
        bands
    }

    /// Brings the model-trust slider up to date with what the model has said.
    pub fn refresh_model_bands(&mut self) {
        let bands = self.model_trust_bands();
        let slots = self.reading.iter_mut().flat_map(|reading| Weight::ALL.iter().zip(&mut reading.bands));
        for (_, slot) in slots.filter(|(weight, _)| **weight == Weight::ModelTrust) {
            slot.clone_from(&bands);
        }
    }
}
