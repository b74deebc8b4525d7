//! A session under the playhead: what was recorded, and what the present setting would make of it.
//!
//! Invariants: everything shown comes from the events, without dataset or model; as long as no weight has been turned
//! the setting follows the recording, and what is shown is the recording itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::answers::{ArmAnswer, Phase, Writing};
use super::feedback::notes_in;
use super::state::{Data, Setting, State, WATCHED};
use crate::data::dataset::{Dataset, Manifest, TaskKind};
use crate::data::interaction::{Interaction, JudgedQuery};
use crate::engine::engine::{Caps, GenStats};
use crate::engine::prompt::Arm;
use crate::eval::numbers::{Counted, Numbers};
use crate::eval::pulse::{Beat, Measure, Moment, Pulse};
use crate::mediator::conflict::Conflict;
use crate::mediator::kernel::Kernel;
use crate::mediator::signature::Signature;
use crate::mediator::{Policy, Resolution};
use crate::session::event::{self, Event, Header};
use crate::session::replay::{Outcome, Remediated, Sure, Tally};
use crate::session::{Replay, Session, State as Folded};

/// How fast a replay plays, in the words of the screen, with the time between two turns.
pub const SPEEDS: [(&str, Duration); 6] = [
    ("1/2", Duration::from_millis(4000)),
    ("1", Duration::from_millis(2000)),
    ("2", Duration::from_millis(1000)),
    ("4", Duration::from_millis(500)),
    ("8", Duration::from_millis(250)),
    ("16", Duration::from_millis(125)),
];
/// The speed it begins with.
const NORMAL: usize = 1;

/// A session read from its file, ready for a playhead.
#[derive(Debug)]
pub struct Opened {
    /// Its name.
    pub name: String,
    /// The recording.
    pub replay: Replay,
    /// What the panes look up: labels, items and questions, from the events alone.
    pub data: Arc<Data>,
    /// The mediated arm's recorded answer to every turn.
    pub answers: Vec<Option<String>>,
    /// How things stood at every turn.
    pub pulse: Pulse,
    /// Whether the model wrote a memory in it.
    pub written: bool,
    /// Whether it was made just now and is in no file.
    pub made: bool,
    /// Whether a test over its questions says something of others.
    pub testable: bool,
    /// How sure each arm was on every turn.
    sure: Vec<[Option<Sure>; 4]>,
    /// On which turns the mediator told of a conflict.
    conflicts: Vec<bool>,
    /// The setting under which every turn was mediated last.
    settings: Vec<Setting>,
    /// What is wrong with the recording.
    signatures: Vec<Signature>,
}

impl Opened {
    /// Takes in a session; `None` if nothing was asked in it.
    pub fn of(name: String, session: Session) -> Option<Self> {
        let mut folded = Folded::start(&session.header);
        let mut answers: Vec<Option<String>> = Vec::new();
        let mut sure: Vec<[Option<Sure>; 4]> = Vec::new();
        let mut conflicts: Vec<bool> = Vec::new();
        let mut pulse = Pulse::new(session.header.labels.len());
        let mut written = false;
        for event in &session.events {
            if matches!(event.as_ref(), Event::Asked(_)) {
                Beat::of(&folded, &session.header.labels).into_iter().for_each(|beat| pulse.push(beat));
                answers.push(None);
                sure.push([None; 4]);
                conflicts.push(false);
            }
            folded.apply(event);
            written |= matches!(event.as_ref(), Event::Answered(answered) if answered.written.is_some());
            if let (Some(last), Some(turn), Event::Answered(_)) = (sure.last_mut(), &folded.turn, event.as_ref()) {
                *last = turn.sure();
            }
            if let (Some(last), Event::Mediated { resolution }) = (conflicts.last_mut(), event.as_ref()) {
                *last = resolution.has_conflict();
            }
            if let (Some(last), Some(turn)) = (answers.last_mut(), &folded.turn) {
                let answered = turn.answered(Arm::Mediated).map(|answered| &answered.answer);
                *last = answered.or(turn.resolution().map(|resolution| &resolution.decision)).cloned();
            }
        }
        Beat::of(&folded, &session.header.labels).into_iter().for_each(|beat| pulse.push(beat));
        if answers.is_empty() {
            return None;
        }
        let data = Arc::new(Data::of(data_of(&session)));
        let testable = session.is_testable();
        let replay = Replay::new(session);
        let settings = replay.settings();
        let signatures = replay.signatures(usize::MAX, |turn| settings[turn]);
        Some(Self {
            name,
            replay,
            data,
            answers,
            sure,
            conflicts,
            pulse,
            written,
            made: false,
            testable,
            settings,
            signatures,
        })
    }

    /// How every turn came out.
    pub fn outcomes(&self) -> &[Outcome] {
        self.replay.outcomes()
    }

    /// The numbers of the whole recording.
    pub fn numbers(&self) -> Numbers {
        let labels = &self.data.labels;
        let place = |name: Option<&str>| labels.iter().position(|label| Some(label.as_str()) == name);
        let turns = self.data.queries.iter().zip(self.outcomes()).zip(&self.answers);
        let counted = turns.zip(&self.sure).map(|(((query, outcome), answer), sure)| Counted {
            user: &query.user,
            outcome: *outcome,
            sure: *sure,
            decision: place(answer.as_deref()),
            gold: query.gold.as_deref().and_then(|gold| place(self.data.label_of(gold))),
        });
        Numbers::of(labels.len(), counted)
    }

    /// The model that answered, as the header of the screen tells of one.
    pub fn caps(&self) -> Option<Caps> {
        let header = &self.replay.session().header;
        let model = header.model.as_ref()?;
        Some(Caps {
            name: model.name.clone(),
            device: header.device.clone().unwrap_or_default(),
            dtype: "recorded".to_owned(),
            parameters: 0,
            max_context: usize::MAX,
            score: model.scores,
            chat: false,
        })
    }
}

/// What the events themselves hold of a dataset: the items that voted and the questions, in order of the turns.
fn data_of(session: &Session) -> Dataset {
    let mut items: BTreeMap<&str, Interaction> = BTreeMap::new();
    let mut queries = Vec::new();
    for event in &session.events {
        match event.as_ref() {
            Event::Asked(asked) => queries.push(JudgedQuery {
                id: asked.source.clone().unwrap_or_else(|| format!("turn {}", queries.len() + 1)),
                user: asked.user.clone(),
                at: asked.at,
                query: asked.query.clone(),
                gold: asked.gold.clone(),
                item: None,
                extra: Default::default(),
            }),
            Event::Evidence(evidence) => {
                let Some(asked) = queries.last() else { continue };
                for vote in &evidence.local.votes {
                    items.entry(&vote.id).or_insert_with(|| Interaction {
                        id: vote.id.clone(),
                        user: asked.user.clone(),
                        at: vote.at,
                        query: vote.text.clone(),
                        response: vote.response.clone(),
                        item: None,
                        extra: Default::default(),
                    });
                }
            }
            _ => {}
        }
    }
    // By identity: that is how a vote finds its item.
    let mut manifest = manifest_of(&session.header);
    if session.events.iter().any(|event| matches!(event.as_ref(), Event::Evidence(found) if found.written.is_some())) {
        (manifest.task, manifest.labels) = (TaskKind::Text, Vec::new());
    }
    Dataset { manifest, interactions: items.into_values().collect(), queries }
}

/// The recorded setting as a dataset's defaults.
fn manifest_of(header: &Header) -> Manifest {
    let Setting { weights, policy } = header.setting;
    let mut manifest = Manifest {
        format: crate::data::dataset::FORMAT,
        name: header.dataset.name.clone(),
        task: TaskKind::Labels,
        labels: header.labels.clone(),
        scale: None,
        metric: "accuracy".to_owned(),
        licence: String::new(),
        source: String::new(),
        prompt: Default::default(),
        retrieval: Default::default(),
        periods: Default::default(),
        calibration: Default::default(),
        weights: Default::default(),
    };
    manifest.calibration.model_trust = weights.model_trust;
    manifest.weights.similarity_sharpness = Some(weights.similarity_sharpness);
    manifest.weights.half_life = Some(weights.half_life);
    manifest.weights.community_focus = Some(weights.community_focus);
    let own = &mut manifest.weights;
    let prior =
        if policy == Policy::Shrinkage { &mut own.prior_strength_shrinkage } else { &mut own.prior_strength_product };
    *prior = Some(weights.prior_strength);
    manifest
}

/// Sums up to the playhead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Over the recording.
    pub recorded: Tally,
    /// Over the same turns under the present setting; `None` while it follows the recording.
    pub now: Option<Tally>,
    /// How things stand at the playhead under the present setting; `None` while it follows the recording.
    pub moment: Option<Moment>,
    /// Turns of the whole session whose final decision the present setting changes.
    pub changed: usize,
}

/// What marks a turn as worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The mediator told of a conflict, of whatever type.
    Conflict,
    /// The mediator chose against local.
    Override,
    /// The present setting changes the decision.
    Flip,
    /// The mediated arm was wrong.
    Wrong,
    /// The analyst called an answer right or wrong.
    Said,
}

impl Mark {
    /// All, in order of display.
    pub const ALL: [Mark; 5] = [Mark::Conflict, Mark::Override, Mark::Flip, Mark::Wrong, Mark::Said];

    /// What it marks, in words: one, and many.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Mark::Conflict => ("conflict", "conflicts"),
            Mark::Override => ("override", "overrides"),
            Mark::Flip => ("flip", "flips"),
            Mark::Wrong => ("wrong answer", "wrong"),
            Mark::Said => ("answer judged by the analyst", "judged"),
        }
    }
}

/// What goes on with a playhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none: what is shown is being asked now.
    Live,
    /// It plays.
    Playing {
        /// When the next turn is due.
        due: Duration,
    },
    /// It rests at a turn.
    Paused,
    /// A turn to go to is being typed.
    Seeking {
        /// Whether it plays on afterwards.
        plays: bool,
    },
    /// There is no further turn.
    AtEnd,
}

/// How much of the screen the charts have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charts {
    /// A row an arm.
    #[default]
    Rows,
    /// Each measure drawn as lines, beside one another.
    Tall,
}

/// A replay on the screen.
#[derive(Debug)]
pub struct Replaying {
    /// The session.
    pub opened: Opened,
    /// Where each turn ends among the events.
    ends: Vec<usize>,
    /// The turn under the playhead, 0-based.
    pub turn: usize,
    /// What goes on with the playhead; never [`Standing::Live`].
    pub standing: Standing,
    /// Index into [`SPEEDS`].
    pub speed: usize,
    /// Every turn under the present setting; empty while that follows the recording.
    pub now: Vec<Remediated>,
    /// Which turns the present setting decides otherwise; empty while it follows the recording.
    flips: Vec<bool>,
    /// Sums up to the playhead.
    pub sums: Sums,
    /// What is wrong with the whole session as it is shown.
    pub signatures: Vec<Signature>,
    /// The measure that is shown first.
    pub measure: Measure,
    /// How much of the screen the charts have.
    pub charts: Charts,
    /// The turn to be forked once it is known which model answers.
    pub forking: Option<usize>,
    /// The workbench that goes on beneath; `None` while it is the one on the screen.
    pub live: Option<Box<State>>,
}

impl Replaying {
    /// A replay at its first turn, over `live`.
    pub fn new(opened: Opened, live: Box<State>) -> Self {
        let mut replaying = Self {
            ends: opened.replay.turn_ends(),
            turn: 0,
            standing: Standing::Paused,
            speed: NORMAL,
            now: Vec::new(),
            flips: Vec::new(),
            sums: Sums::default(),
            signatures: opened.signatures.clone(),
            measure: Measure::default(),
            charts: Charts::default(),
            forking: None,
            live: Some(live),
            opened,
        };
        replaying.go_to(0);
        replaying.rest();
        replaying
    }

    /// How many turns there are.
    pub fn turns(&self) -> usize {
        self.opened.answers.len()
    }

    /// Whether the playhead is at the last turn.
    pub fn at_end(&self) -> bool {
        self.turn + 1 >= self.turns()
    }

    /// Stands still.
    pub fn rest(&mut self) {
        self.standing = if self.at_end() { Standing::AtEnd } else { Standing::Paused };
    }

    /// Plays on from `now`, or stands at the end.
    pub fn play(&mut self, now: Duration) {
        let due = now + SPEEDS[self.speed].1;
        self.standing = if self.at_end() { Standing::AtEnd } else { Standing::Playing { due } };
    }

    /// Moves the playhead behind all that followed a question.
    pub fn go_to(&mut self, turn: usize) {
        self.turn = turn.min(self.turns().saturating_sub(1));
        let end = self.ends.get(self.turn).copied().unwrap_or_default();
        self.opened.replay.seek(end);
        self.add_up();
    }

    /// Whether a turn bears a mark. All but flips are those of the recording.
    pub fn bears(&self, turn: usize, mark: Mark) -> bool {
        let outcome = self.opened.outcomes().get(turn).copied().unwrap_or_default();
        match mark {
            Mark::Conflict => self.opened.conflicts.get(turn).copied().unwrap_or_default(),
            Mark::Override => outcome.overridden,
            Mark::Wrong => outcome.arms[Arm::Mediated as usize] == Some(false),
            Mark::Said => outcome.said.iter().any(Option::is_some),
            Mark::Flip => self.flips.get(turn).copied().unwrap_or_default(),
        }
    }

    /// The nearest turn with `mark` behind the playhead, or before it.
    pub fn nearest(&self, mark: Mark, on: bool) -> Option<usize> {
        if on {
            (self.turn + 1..self.turns()).find(|turn| self.bears(*turn, mark))
        } else {
            (0..self.turn).rev().find(|turn| self.bears(*turn, mark))
        }
    }

    /// Events before the shown turn's question.
    pub fn start(&self) -> usize {
        let before = self.turn.checked_sub(1).and_then(|turn| self.ends.get(turn));
        let first = || self.opened.replay.session().events.iter().position(|event| event.tag() == "asked");
        before.copied().or_else(first).unwrap_or_default()
    }

    /// What was noted during the shown turn.
    pub fn notes(&self) -> Vec<&str> {
        let end = self.ends.get(self.turn).copied().unwrap_or_default();
        let events = self.opened.replay.session().events.get(self.start()..end).unwrap_or_default();
        notes_in(events.iter().map(|event| event.as_ref()))
    }

    /// How things stood in the recording, up to the playhead.
    pub fn moments(&self) -> &[Moment] {
        self.opened.pulse.moments().get(..=self.turn).unwrap_or_default()
    }

    /// Whether all of the session was recorded under `setting`.
    pub fn is_recorded_under(&self, setting: &Setting) -> bool {
        let session = self.opened.replay.session();
        let mut changes = session.events.iter().filter_map(|event| match event.as_ref() {
            Event::WeightsChanged(setting) => Some(setting),
            _ => None,
        });
        session.header.setting == *setting && changes.all(|changed| changed == setting)
    }

    /// Mediates every turn under `setting`; `None` follows the recording.
    pub fn remediate(&mut self, setting: Option<&Setting>) {
        self.now = setting.map(|setting| self.opened.replay.remediate(setting)).unwrap_or_default();
        self.signatures = self.signs(setting);
        let labels = &self.opened.replay.session().header.labels;
        self.flips.clear();
        if setting.is_some() {
            self.flips.resize(self.opened.answers.len(), false);
        }
        for now in &self.now {
            let recorded = self.opened.answers.get(now.turn).and_then(Option::as_ref);
            if let Some(flip) = self.flips.get_mut(now.turn) {
                *flip = recorded != labels.get(now.decision());
            }
        }
        self.sums.changed = self.flips.iter().filter(|flip| **flip).count();
        self.add_up();
    }

    fn signs(&self, setting: Option<&Setting>) -> Vec<Signature> {
        let Some(setting) = setting else { return self.opened.signatures.clone() };
        self.opened.replay.signatures(WATCHED, |_| *setting)
    }

    fn add_up(&mut self) {
        self.sums.recorded = self.opened.replay.state().tally();
        let seen = &self.now[..self.now.partition_point(|now| now.turn <= self.turn)];
        self.sums.now = (!self.now.is_empty()).then(|| Tally::of(seen.iter().map(|now| &now.outcome)));
        let beat = |now: &Remediated| Beat {
            decisions: now.arms,
            right: now.outcome.arms,
            follows: now.follows,
            mass: Some(now.mass).filter(|mass| mass.is_finite()),
        };
        self.sums.moment = (!self.now.is_empty()).then(|| {
            let beats: Vec<Beat> = seen.iter().map(beat).collect();
            Moment::of(self.opened.data.labels.len(), &beats)
        });
    }

    /// The setting under which the shown turn was mediated. A setting changed after that belongs to the next one.
    pub fn setting(&self) -> Setting {
        self.opened.settings.get(self.turn).copied().unwrap_or(self.opened.replay.session().header.setting)
    }

    /// The shown turn under the present setting, unless that follows the recording.
    pub fn shown_now(&self) -> Option<&Remediated> {
        self.now.binary_search_by_key(&self.turn, |now| now.turn).ok().and_then(|place| self.now.get(place))
    }

    /// What an arm answered in the shown turn: what the model said, and the recorded decision.
    pub fn answer(&self, arm: Arm) -> ArmAnswer {
        let labels = &self.opened.replay.session().header.labels;
        let Some(answered) = self.opened.replay.state().turn.as_ref().and_then(|turn| turn.answered(arm)) else {
            return ArmAnswer::default();
        };
        let scores = answered.log_probabilities.as_ref().and_then(|p| p.values(labels, "log_probabilities").ok());
        let stats = GenStats { tokens: answered.tokens, ..GenStats::default() };
        ArmAnswer {
            phase: if answered.log_probabilities.is_some() { Phase::Done(stats) } else { Phase::Unasked },
            scores,
            text: answered.text.clone(),
            memory: Vec::new(),
            distribution: answered.distribution.values(labels, "distribution").unwrap_or_default(),
            decision: labels.iter().position(|label| *label == answered.answer).unwrap_or_default(),
            prompt: String::new(),
        }
    }

    /// The memory that the model wrote in the shown turn.
    pub fn written(&self) -> Writing {
        let turn = self.opened.replay.state().turn.as_ref();
        let Some(written) = turn.and_then(|turn| turn.answered(Arm::Mediated)?.written.as_ref()) else {
            return Writing::default();
        };
        let stats = GenStats { tokens: written.tokens, ..GenStats::default() };
        Writing { phase: Phase::Done(stats), text: written.text.clone(), ..Writing::default() }
    }

    /// The recorded decision of the shown turn, for whoever shows a live one; `None` where it was changed by hand so
    /// that it fits no label.
    pub fn resolution(&self) -> Option<Resolution> {
        let labels = &self.opened.replay.session().header.labels;
        let turn = self.opened.replay.state().turn.as_ref()?;
        resolution_of(labels, turn.evidence()?, turn.resolution()?, &self.setting())
    }

    /// The conflicts that were recorded with it.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let labels = &self.opened.replay.session().header.labels;
        let recorded = self.opened.replay.state().turn.as_ref().and_then(|turn| turn.resolution());
        recorded.map_or(Vec::new(), |r| r.conflicts.iter().filter_map(|found| found.told(labels, r)).collect())
    }
}

fn resolution_of(
    labels: &[String],
    evidence: &event::Evidence,
    recorded: &event::Resolution,
    setting: &Setting,
) -> Option<Resolution> {
    let label = |name: &String| labels.iter().position(|label| label == name);
    let values = |by_label: &event::ByLabel| by_label.values(labels, "").ok();
    Some(Resolution {
        policy: recorded.policy,
        facet: evidence.facet(labels).ok()?,
        base: values(&evidence.global.base)?,
        local: values(&recorded.local)?,
        global: values(&recorded.global)?,
        distribution: values(&recorded.distribution)?,
        decision: label(&recorded.decision)?,
        runner_up: recorded.runner_up.as_ref().and_then(label),
        margin: recorded.margin,
        held: recorded.held,
        mass: recorded.mass,
        kish: recorded.kish,
        // The votes stand in the evidence; what they weigh is not recorded again.
        counts: Kernel::of(&evidence.weighed(labels).ok()?, &setting.weights).counts,
        support: recorded.support,
        style: recorded.style,
    })
}
