//! `prompt`: a model writes one memory from both, and reads that in place of them; the rules' resolution stands beside it.
//!
//! What a model writes is no function of evidence and weights, so no distribution is computed here: the mediator decides
//! by the rule that the task is decided by otherwise, and [`Disagreement`] says how far the model's own word is from it.

use serde::{Deserialize, Serialize};

use super::{Policy, Rule, Sides};
use crate::data::dataset::TaskKind;
use crate::mediator::distribution::{from_logs, jensen_shannon};
use crate::mediator::resolution::Resolution;
use crate::mediator::weights::Weight;

pub(super) struct Prompt;

impl Rule for Prompt {
    fn name(&self) -> &'static str {
        "prompt"
    }

    fn formula(&self) -> &'static str {
        "the model writes one memory from both and reads it; the task's own rule decides beside it"
    }

    fn prior(&self) -> &'static str {
        "what it counts under that rule"
    }

    fn ignores(&self, _: Weight) -> Option<&'static str> {
        None
    }

    fn stand_in(&self, task: TaskKind) -> Option<Policy> {
        Some(Policy::of(task))
    }

    fn log_weights(&self, sides: &Sides) -> Vec<f64> {
        Policy::Prompt.ruling(&sides.evidence.facet).rule().log_weights(sides)
    }
}

/// How the model's decision, having read the memory that it wrote, stands to the rules'.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Whether both decide the same.
    pub same: bool,
    /// Jensen–Shannon divergence of the two distributions over the labels, in bits, 0–1.
    pub divergence: f64,
}

impl Disagreement {
    /// Between the rules' `resolution` and the model's natural-log probabilities of the labels, by themselves: no memory
    /// is fused with them.
    pub fn of(resolution: &Resolution, log_probabilities: &[f64]) -> Self {
        let model = from_logs(log_probabilities.to_vec());
        Self {
            same: resolution.decide(&model) == resolution.decision,
            divergence: jensen_shannon(&model, &resolution.distribution),
        }
    }
}
