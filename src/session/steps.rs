//! Steps: the questions of a session in the form the mediator weighs, decoded once, and all of them mediated again.
//!
//! Invariants: a step holds everything a setting acts on, so that mediating again reads no dataset and asks no model; the
//! result does not depend on the number of threads.

use std::thread;

use super::event::{Event, Setting};
use super::log::Session;
use super::record::finally;
use super::replay::{Outcome, State, Sure};
use crate::data::dataset::TaskKind;
use crate::data::interaction::UserId;
use crate::engine::answer::memory_distribution;
use crate::engine::prompt::Arm;
use crate::mediator::conflict::clash;
use crate::mediator::facet::Facet;
use crate::mediator::resolution::Follows;
use crate::mediator::{self, Course, mediate};

/// Steps from which on a thread pays.
const MANY: usize = 512;

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which turn of its session, 0-based.
    pub turn: usize,
    /// Who asked.
    pub user: UserId,
    /// What both memories said.
    pub evidence: mediator::Evidence,
    /// The right label, where it is known and is one.
    pub gold: Option<usize>,
    /// Whether the right answer is the one the person gives most often.
    pub on_habit: Option<bool>,
    /// Whether the right answer is known.
    pub judged: bool,
    /// Per arm: not asked, memory alone, or the model's log-probabilities.
    pub arms: [Option<Option<Vec<f64>>>; 4],
    /// Labels that the analyst called right or wrong; one called right makes the others wrong.
    pub said: Vec<(usize, bool)>,
}

/// A step as it would have gone under another setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remediated {
    /// Which turn, 0-based.
    pub turn: usize,
    /// What the mediator decides on the recorded evidence.
    pub mediated: usize,
    /// The decision of each arm that answered in the recording, with the model's recorded words: it is not asked again,
    /// so the room of each memory in its prompts stays as it was.
    pub arms: [Option<usize>; 4],
    /// How the turn comes out.
    pub outcome: Outcome,
    /// How sure each arm was, where it answered and the right label is known.
    pub sure: [Option<Sure>; 4],
    /// Whom the mediator follows.
    pub follows: Follows,
    /// m: what the person's votes are worth in examples.
    pub mass: f64,
}

impl Remediated {
    /// The final decision of the mediated arm; the mediator's own where that arm was not asked.
    pub fn decision(&self) -> usize {
        self.arms[Arm::Mediated as usize].unwrap_or(self.mediated)
    }
}

/// The questions of a session, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps {
    steps: Vec<Step>,
}

impl Steps {
    /// Every turn of a session that can be mediated.
    pub fn of(session: &Session) -> Self {
        let labels = &session.header.labels;
        let mut state = State::start(&session.header);
        let mut steps = Vec::new();
        let mut close = |state: &State| {
            let Some(turn) = &state.turn else { return };
            let (Some(asked), Some(evidence)) = (turn.asked(), turn.evidence()) else { return };
            let Ok(weighed) = evidence.weighed(labels) else { return };
            let arms = Arm::ALL.map(|arm| {
                let scores = turn.answered(arm)?.log_probabilities.as_ref();
                // Without any, as of texts, memory alone decides.
                let scores = scores.filter(|scores| !scores.0.is_empty());
                Some(scores.and_then(|scores| scores.values(labels, "log_probabilities").ok()))
            });
            let gold = asked.right().and_then(|gold| labels.iter().position(|label| label == gold));
            let Outcome { on_habit, judged, .. } = turn.outcome();
            let said = turn.verdicts().of_labels(labels);
            let (turn, user) = (state.outcomes.len() - 1, asked.user.clone());
            steps.push(Step { turn, user, evidence: weighed, gold, on_habit, judged, arms, said });
        };
        for event in &session.events {
            if matches!(event.as_ref(), Event::Asked(_)) {
                close(&state);
            }
            state.apply(event);
        }
        close(&state);
        Self { steps }
    }

    /// Steps given one by one.
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// The kind of task that the questions are of; that of labels where there is none.
    pub fn task(&self) -> TaskKind {
        self.steps.first().map_or(TaskKind::Labels, |step| step.evidence.facet.task())
    }

    /// All, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Step> {
        self.steps.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds a step, or puts it in the place of the one that asked for the same turn.
    pub fn put(&mut self, step: Step) {
        match self.steps.iter_mut().find(|other| other.turn == step.turn) {
            Some(other) => *other = step,
            None => self.steps.push(step),
        }
    }

    /// The step of a turn.
    pub fn of_turn(&mut self, turn: usize) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.turn == turn)
    }

    /// Lets memory alone answer on every arm that has not.
    pub fn answer_alone(&mut self) {
        let arms = self.steps.iter_mut().flat_map(|step| &mut step.arms);
        arms.filter(|arm| arm.is_none()).for_each(|arm| *arm = Some(None));
    }

    /// Mediates every step under `setting`.
    pub fn remediate(&self, setting: &Setting) -> Vec<Remediated> {
        if setting.weights.hysteresis > 0.0 {
            // A decision that may be held depends on the one before: a fold, in order.
            let mut course = Course::default();
            return self
                .steps
                .iter()
                .map(|step| step.remediated(setting, &step.settled(setting, &mut course)))
                .collect();
        }
        let one = |step: &Step| step.remediated(setting, &mediate(&step.evidence, &setting.weights, setting.policy));
        let threads = thread::available_parallelism().map_or(1, usize::from).min(self.steps.len() / MANY);
        if threads < 2 {
            return self.steps.iter().map(one).collect();
        }
        let parts = self.steps.chunks(self.steps.len().div_ceil(threads));
        thread::scope(|scope| {
            let one = &one;
            let running: Vec<_> =
                parts.map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<_>>())).collect();
            let joined = running.into_iter().flat_map(|thread| match thread.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect()
        })
    }
}

impl Steps {
    /// Where the steps before a turn leave the mediator under `setting`. Without hysteresis nothing is held, and this
    /// says nothing.
    pub fn course(&self, turn: usize, setting: &Setting) -> Course {
        let mut course = Course::default();
        if setting.weights.hysteresis > 0.0 {
            let before = self.steps.iter().filter(|step| step.turn < turn);
            before.for_each(|step| drop(step.settled(setting, &mut course)));
        }
        course
    }
}

impl Step {
    /// The resolution after what `course` says of the step before, which it moves on.
    fn settled(&self, setting: &Setting, course: &mut Course) -> mediator::Resolution {
        let alone = mediate(&self.evidence, &setting.weights, setting.policy);
        let resolution = course.settle(&self.user, alone, setting.weights.hysteresis);
        *course = Course::after(&self.user, &resolution);
        resolution
    }

    /// Whether the analyst holds each arm's decision for right.
    fn said(&self, arms: &[Option<usize>; 4]) -> [Option<bool>; 4] {
        let gold = self.said.iter().rev().find(|(_, right)| *right).map(|(label, _)| *label);
        arms.map(|decision| {
            let decision = decision?;
            let word = || self.said.iter().find(|(label, _)| *label == decision).map(|(_, right)| *right);
            gold.map(|gold| gold == decision).or_else(word)
        })
    }

    fn remediated(&self, setting: &Setting, resolution: &mediator::Resolution) -> Remediated {
        // What memory alone decides on each arm: copies of distributions would cost a long session its frame.
        let decide = |p| resolution.decide(p);
        let alone =
            [decide(&resolution.base), decide(&resolution.local), decide(&resolution.global), resolution.decision];
        let gold = self.gold.filter(|_| self.judged);
        let answered = Arm::ALL.map(|arm| {
            let sure = |p: &[f64], decision| (decision, gold.map(|gold| Sure::of(p, decision, gold)));
            Some(match self.arms[arm as usize].as_ref()? {
                Some(scores) => {
                    let (p, decision) = finally(resolution, arm, setting.weights.model_trust, Some(scores));
                    sure(&p, decision)
                }
                None => sure(memory_distribution(resolution, arm), alone[arm as usize]),
            })
        });
        let (arms, sure) =
            (answered.map(|a| a.map(|(label, _)| label)), answered.map(|a| a.and_then(|(_, sure)| sure)));
        // What is answered in the end; of a turn without answers what the rules decide.
        let (mediated, local) = arms[Arm::Mediated as usize]
            .zip(arms[Arm::Local as usize])
            .unwrap_or((resolution.decision, alone[Arm::Local as usize]));
        let overridden = mediated != local;
        let right = |label: usize| self.gold == Some(label);
        let error = |label: usize| match &self.evidence.facet {
            Facet::Score(steps) => Some((steps.get(label)? - steps.get(gold?)?).abs()),
            Facet::Label | Facet::Form => None,
        };
        let outcome = Outcome {
            judged: self.judged,
            on_habit: self.on_habit,
            arms: arms.map(|label| label.filter(|_| self.judged).map(right)),
            errors: arms.map(|label| label.and_then(error)),
            said: self.said(&arms),
            overridden,
            rescued: overridden && right(mediated),
            suppressed: overridden && right(local),
            conflict: clash(resolution, setting.weights.conflict_threshold).is_some(),
        };
        let (mediated, follows, mass) = (resolution.decision, resolution.follows(), resolution.mass);
        Remediated { turn: self.turn, mediated, arms, outcome, sure, follows, mass }
    }
}
