//! A session under the playhead: what was recorded, and what the present setting would make of it.
//!
//! Invariants: everything shown comes from the events, without dataset or model; as long as no weight has been turned
//! the setting follows the recording, and what is shown is the recording itself.

mod opened;

use std::time::Duration;

pub use opened::Opened;

use super::answers::{ArmAnswer, Phase, Writing};
use super::feedback::notes_in;
use super::state::{Setting, State, WATCHED};
use crate::engine::engine::GenStats;
use crate::engine::prompt::Arm;
use crate::eval::pulse::{Beat, Measure, Moment};
use crate::mediator::Resolution;
use crate::mediator::conflict::Conflict;
use crate::mediator::kernel::Kernel;
use crate::mediator::signature::Signature;
use crate::session::event::{self, Event};
use crate::session::replay::{Remediated, Tally};

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

/// Sums up to the playhead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Over the recording.
    pub recorded: Tally,
    /// Over the same turns under the present setting; `None` while it follows the recording.
    pub now: Option<Tally>,
    /// How things stand at the playhead under the present setting; `None` while it follows the recording.
    pub moment: Option<Moment>,
    /// Turns of the whole session whose final answer the present setting changes.
    pub changed: usize,
    /// Turns of the whole session for which it changes what the rules decide, whatever a model makes of it.
    pub ruled: usize,
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
        let ruled = |now: &&Remediated| {
            let recorded = self.opened.ruled.get(now.turn).and_then(Option::as_ref);
            recorded != labels.get(now.mediated)
        };
        self.sums.ruled = self.now.iter().filter(ruled).count();
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
