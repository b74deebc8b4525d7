//! The attribution of an answer on the screen: what each memory and each line of it adds to it.
//!
//! Invariants: what is shown belongs to the answer and the prompt on the screen; whatever changes one of them ends it and
//! begins it anew. One prompt is asked at a time, behind everything else that the model is asked. What was found stays when
//! the board is closed, until something changes, and then goes on where it was stopped.

use super::answers::Phase;
use super::board::{Board, Page};
use super::overlay::Overlay;
use super::state::State;
use crate::engine::answer::memory_distribution;
use crate::engine::attribution::{Attribution, Deciding, LineEffect, Plan, Target};
use crate::engine::prompt::Arm;
use crate::mediator::counterfactual::Removed;
use crate::memory::why_not::Side;

/// How far an attribution is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A prompt is being asked.
    Asking,
    /// Nobody looks any more; it goes on when somebody does.
    Stopped,
    /// Everything is known.
    Done,
    /// The model failed, or cannot do this, because.
    Failed(String),
}

/// An attribution, as far as it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The batch of answers that holds the one it is of.
    pub batch: u64,
    /// What is known.
    pub attribution: Attribution,
    /// How far it is.
    pub progress: Progress,
}

/// The attribution at hand.
#[derive(Clone, Debug, Default)]
pub struct Attributing {
    /// The epoch of the last request, or of what superseded it.
    pub epoch: u64,
    /// What was found; of the answer on the screen whenever it is shown.
    pub found: Option<Found>,
}

impl Attributing {
    /// Whether the model is being asked.
    pub fn under_way(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.progress == Progress::Asking)
    }
}

/// A line of a memory with what it does, beside what the rules make of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// What it does to the model's answer.
    pub line: LineEffect,
    /// The id of its hit, or entry.
    pub id: String,
    /// What it adds to the rules' own decision, in nats, and whether that is another one without it; `None` of entries, which
    /// the rules do not leave out one by one, and on arms that the rules do not decide.
    pub rules: Option<(f64, bool)>,
}

impl State {
    /// The arm whose attribution is looked at, and the token of its answer.
    pub fn attributed(&self) -> Option<(Arm, usize)> {
        match self.overlay.as_ref().and_then(Overlay::board) {
            Some(Board { page: Page::Attribution { arm, token }, .. }) => Some((*arm, *token)),
            _ => None,
        }
    }

    /// Why the answer of `arm` cannot be attributed now; `None` if it can.
    pub fn unattributable(&self, arm: Arm) -> Option<String> {
        let answer = &self.answers.arms[arm as usize];
        if self.replay.is_some() {
            return Some("a session keeps the hash of a prompt, not the prompt; a asks this moment live".to_owned());
        }
        if let Some(reason) = self.model.unable() {
            return Some(format!("{reason}, and only a model's answer can be traced to lines of its prompt"));
        }
        if self.answers.stale || self.reading.as_ref().is_none_or(|reading| reading.blocks.is_none()) {
            return Some("memory is being read".to_owned());
        }
        if arm == Arm::Mediated && self.setting.policy.writes() {
            let told = "under this policy the mediated arm reads one memory that the model wrote, and no lines; tab shows \
                        another arm";
            return Some(told.to_owned());
        }
        if self.outdated(arm) {
            return Some("the prompt has changed; the model is asked again once it has rested".to_owned());
        }
        match &answer.phase {
            Phase::Done(_) => None,
            Phase::Waiting | Phase::Speaking | Phase::Lost(_) => Some("the model has not answered yet".to_owned()),
            Phase::Unasked | Phase::Stopped => Some("the model was not asked; r asks it".to_owned()),
            Phase::Failed(reason) => Some(format!("the model has not answered: {reason}")),
        }
    }

    /// What is to be asked for the attribution of `arm`, which can be attributed.
    pub(super) fn attribution_plan(&self, arm: Arm) -> Option<Plan> {
        let (reading, data) = (self.reading.as_ref()?, self.data.as_ref()?);
        let answer = &self.answers.arms[arm as usize];
        let target = Target::of(data.scored_labels(), answer.decision, &answer.text);
        let laid = reading.blocks.as_ref()?.laid(arm, &self.setting.weights);
        Some(Plan::of(&laid, arm, data.scored_labels(), target))
    }

    /// What each line adds that is known by now, the greatest first.
    pub fn line_effects(&self, found: &Found) -> Vec<Effect> {
        let (Some(reading), Some(data)) = (&self.reading, &self.data) else { return Vec::new() };
        let arm = found.attribution.plan.arm;
        let (resolution, memory) = (&reading.resolution, memory_distribution(&reading.resolution, arm));
        let deciding = Deciding { resolution, memory, model_trust: self.setting.weights.model_trust };
        let effect = |line: LineEffect| {
            let removed = Removed::Item(line.place);
            let rules = reading.without.iter().find(|without| without.removed == removed);
            let rules = rules.filter(|_| line.side == Side::Local && arm == Arm::Mediated);
            let item = |place: usize| data.interaction(reading.read.local.hits.get(place)?.item);
            let id = match line.side {
                Side::Local => item(line.place).map(|interaction| interaction.id.clone()),
                Side::Global => reading.read.global.hits.get(line.place).map(|hit| hit.id.clone()),
            };
            // The rules tell what is lost without it.
            Effect { id: id.unwrap_or_default(), rules: rules.map(|without| (-without.nats, without.changes)), line }
        };
        found.attribution.lines(deciding).into_iter().map(effect).collect()
    }
}
