//! The four arms' answers, as far as they have come.
//!
//! Invariant: an arm always has a decision once memory has spoken; the model's word refines it when it comes.

use std::time::Duration;

use crate::engine::engine::{GenStats, Outage};
use crate::engine::prompt::Arm;
use crate::engine::reconcile;
use crate::mediator::distribution::from_logs;
use crate::mediator::policy::Disagreement;

/// How far the model's answer of one arm is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    /// The model was not asked.
    #[default]
    Unasked,
    /// It will be.
    Waiting,
    /// It speaks.
    Speaking,
    /// The connection to it was lost; it begins anew after a while.
    Lost(Outage),
    /// It has spoken.
    Done(GenStats),
    /// It was stopped by the analyst.
    Stopped,
    /// It failed, because.
    Failed(String),
}

impl Phase {
    /// Whether something is still to come.
    pub fn is_open(&self) -> bool {
        matches!(self, Phase::Waiting | Phase::Speaking | Phase::Lost(_))
    }
}

/// One arm's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmAnswer {
    /// How far the model is.
    pub phase: Phase,
    /// Natural logs of the model's label probabilities.
    pub scores: Option<Vec<f64>>,
    /// What it wrote.
    pub text: String,
    /// What the arm's memory alone says.
    pub memory: Vec<f64>,
    /// Memory fused with the model.
    pub distribution: Vec<f64>,
    /// The final decision.
    pub decision: usize,
    /// What the model was asked.
    pub prompt: String,
}

impl ArmAnswer {
    /// Probability of the final decision.
    pub fn probability(&self) -> f64 {
        self.distribution.get(self.decision).copied().unwrap_or_default()
    }

    /// Tokens a second, once the model has spoken; `None` of a recording, which keeps no times.
    pub fn speed(&self) -> Option<f64> {
        match &self.phase {
            Phase::Done(stats) => speed(stats.tokens, stats.elapsed),
            _ => None,
        }
    }

    /// The model's favourite and its share among the labels.
    pub fn model_decision(&self) -> Option<(usize, f64)> {
        let scores = self.scores.as_ref()?;
        let p = from_logs(scores.clone());
        let best = (0..p.len()).max_by(|a, b| p[*a].total_cmp(&p[*b]).then(b.cmp(a)))?;
        Some((best, p[best]))
    }
}

/// The number of the written memory among what the model is asked; arms have the lower ones.
pub const WRITING: u64 = Arm::ALL.len() as u64;

/// The memory that the model writes for the mediated arm, under a policy that has it written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writing {
    /// How far it is.
    pub phase: Phase,
    /// What the model has said so far; once that is done, the memory.
    pub text: String,
    /// What was asked for it.
    pub prompt: String,
    /// How the model's decision on it stands to the rules' under the present setting; `None` until there is one.
    pub disagreement: Option<Disagreement>,
}

impl Writing {
    /// The memory, once it is written.
    pub fn memory(&self) -> Option<&str> {
        matches!(self.phase, Phase::Done(_)).then_some(self.text.as_str())
    }

    /// The same as a session records it.
    pub fn written(&self) -> Option<reconcile::Written> {
        let Phase::Done(stats) = self.phase else { return None };
        Some(reconcile::Written { text: self.text.clone(), prompt: self.prompt.clone(), stats })
    }
}

/// The four arms' answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Events of a lower epoch belong to an earlier question.
    pub epoch: u64,
    /// In order of [`Arm::ALL`].
    pub arms: [ArmAnswer; 4],
    /// The memory written for the mediated one.
    pub written: Writing,
    /// They answer an earlier question; the new one is being read.
    pub stale: bool,
}

impl Answers {
    /// Whether the model still has something to say.
    pub fn open(&self) -> bool {
        self.written.phase.is_open() || self.arms.iter().any(|arm| arm.phase.is_open())
    }

    /// What keeps an answer from coming, if its connection was lost.
    pub fn outage(&self) -> Option<&Outage> {
        let phases = self.arms.iter().map(|arm| &arm.phase).chain([&self.written.phase]);
        phases.into_iter().find_map(|phase| match phase {
            Phase::Lost(outage) => Some(outage),
            _ => None,
        })
    }

    /// Tokens a second over all arms that have answered.
    pub fn speed(&self) -> Option<f64> {
        let done = self.arms.iter().filter_map(|arm| match &arm.phase {
            Phase::Done(stats) => Some(stats),
            _ => None,
        });
        let (tokens, time) = done.fold((0, Duration::ZERO), |(n, t), stats| (n + stats.tokens, t + stats.elapsed));
        speed(tokens, time)
    }
}

/// Tokens a second, where there were any and the time is known.
fn speed(tokens: usize, time: Duration) -> Option<f64> {
    (tokens > 0 && !time.is_zero()).then(|| tokens as f64 / time.as_secs_f64())
}
