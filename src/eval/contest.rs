//! A contest: what every predictor answered to the same questions, ready to be judged.

use super::experiment::{Answer, Answered};
use super::judge::{Contestant, Material};
use super::metrics::TaskMeasures;
use super::split::Question;
use super::stats::Unit;
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;

/// The answers to some questions, in their order.
#[derive(Clone, Debug)]
pub struct Contest {
    visible: Vec<usize>,
    arms: Vec<Contestant>,
    peers: Vec<Contestant>,
    parts: Vec<(&'static str, Contestant)>,
}

impl Contest {
    /// Each of the `wanted` arms once, in the order of display, beside `peers`. Where a model answered, an arm is its
    /// fused answer, and what the model and memory say by themselves are its parts.
    pub fn of(wanted: &[Arm], answered: &[Answered], peers: Vec<Contestant>) -> Self {
        let (mut arms, mut parts) = (Vec::new(), Vec::new());
        for (ix, arm) in Arm::ALL.into_iter().enumerate().filter(|(_, arm)| wanted.contains(arm)) {
            let spoken: Option<Vec<_>> = answered.iter().map(|answered| answered.spoken[ix].as_ref()).collect();
            let memory: Vec<Answer> = answered.iter().map(|answered| answered.arms[ix].clone()).collect();
            let Some(spoken) = spoken else {
                arms.push(Contestant { name: arm.name(), answers: memory });
                continue;
            };
            let [by_model, by_memory] = part_names(arm);
            let fused = spoken.iter().map(|spoken| spoken.fused.clone()).collect();
            let alone = spoken.iter().map(|spoken| spoken.alone.clone()).collect();
            arms.push(Contestant { name: arm.name(), answers: fused });
            parts.push((arm.name(), Contestant { name: by_model, answers: alone }));
            parts.push((arm.name(), Contestant { name: by_memory, answers: memory }));
        }
        Self { visible: answered.iter().map(|answered| answered.visible).collect(), arms, peers, parts }
    }

    /// Adds the answers of the same predictors to later questions.
    pub fn join(&mut self, later: Self) {
        self.visible.extend(later.visible);
        let parts = self.parts.iter_mut().map(|(_, part)| part);
        let all = self.arms.iter_mut().chain(&mut self.peers).chain(parts);
        let more = later.arms.into_iter().chain(later.peers).chain(later.parts.into_iter().map(|(_, part)| part));
        all.zip(more).for_each(|(contestant, later)| contestant.answers.extend(later.answers));
    }

    /// What is judged: `questions` are those that were answered, `unit` what is one observation.
    pub fn material<'a>(&'a self, questions: &'a [Question<'a>], unit: Unit, measures: TaskMeasures) -> Material<'a> {
        let Self { visible, arms, peers, parts } = self;
        let asked: Vec<&UserId> = questions.iter().map(|question| question.user).collect();
        Material { questions, units: unit.observations(&asked), visible, arms, peers, parts, measures }
    }
}

/// What the model says by itself on `arm`, and what memory does.
fn part_names(arm: Arm) -> [&'static str; 2] {
    match arm {
        Arm::None => ["none/model", "none/memory"],
        Arm::Local => ["local/model", "local/memory"],
        Arm::Global => ["global/model", "global/memory"],
        Arm::Mediated => ["mediated/model", "mediated/memory"],
    }
}
