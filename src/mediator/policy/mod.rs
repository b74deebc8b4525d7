//! Policies: rules that turn both sides' evidence into one distribution. One file each.

mod linear;
mod product;
mod prompt;
mod shrinkage;
mod single;

use std::cell::OnceCell;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::conflict::Side;
use super::evidence::Evidence;
use super::facet::Facet;
use super::kernel::{Kernel, logs, tilt};
use super::weights::{Weight, Weights};
use crate::data::dataset::TaskKind;
pub use prompt::Disagreement;

/// What a policy works from: evidence and the parts of it that the weights have already shaped.
pub struct Sides<'a> {
    /// Both sides' evidence.
    pub evidence: &'a Evidence,
    /// The setting.
    pub weights: &'a Weights,
    /// The person's weighted votes.
    pub kernel: &'a Kernel,
    /// p_G.
    pub global: &'a [f64],
    /// ℓ′, see [`damped_trust`].
    pub trust: f64,
    /// ln b, once it is asked for: several formulas need it, and logarithms are most of a mediation.
    base_logs: OnceCell<Vec<f64>>,
    /// e_L.
    worth: OnceCell<Vec<f64>>,
}

impl<'a> Sides<'a> {
    /// Both sides of `evidence` as `weights` have shaped them.
    pub fn new(
        evidence: &'a Evidence,
        weights: &'a Weights,
        kernel: &'a Kernel,
        global: &'a [f64],
        trust: f64,
    ) -> Self {
        Self { evidence, weights, kernel, global, trust, base_logs: OnceCell::new(), worth: OnceCell::new() }
    }

    /// ln b.
    pub fn base_logs(&self) -> &[f64] {
        self.base_logs.get_or_init(|| logs(&self.evidence.base))
    }

    /// e_L, see [`Kernel::evidence`].
    pub fn worth(&self) -> &[f64] {
        self.worth.get_or_init(|| self.kernel.evidence(self.evidence, self.weights.prior_strength))
    }

    /// p_L.
    pub fn local(&self) -> Vec<f64> {
        tilt(self.base_logs().to_vec(), self.worth())
    }

    /// p_L, of sides that nothing else is asked of.
    pub fn into_local(self) -> Vec<f64> {
        self.base_logs();
        self.worth();
        tilt(self.base_logs.into_inner().unwrap_or_default(), &self.worth.into_inner().unwrap_or_default())
    }
}

/// ℓ′ = ℓ (1 − β σ ν), see [`Evidence::one_sidedness`] and [`Evidence::novelty`].
pub fn damped_trust(evidence: &Evidence, weights: &Weights) -> f64 {
    if weights.skew_damping == 0.0 {
        return weights.local_trust;
    }
    damped(weights, evidence.one_sidedness(), evidence.novelty)
}

/// The same of a known σ and ν.
pub(super) fn damped(weights: &Weights, one_sidedness: f64, novelty: f64) -> f64 {
    weights.local_trust * (1.0 - weights.skew_damping * one_sidedness * novelty)
}

/// One rule of mediation.
pub trait Rule: Sync {
    /// Name in UI, CLI, files and docs.
    fn name(&self) -> &'static str;
    /// The formula, for explanations.
    fn formula(&self) -> &'static str;
    /// What `prior-strength` counts under this rule.
    fn prior(&self) -> &'static str;
    /// Why `weight` does nothing under this rule; `None` if it acts. What a task leaves of it [`Policy::ignores`] knows.
    fn ignores(&self, weight: Weight) -> Option<&'static str>;
    /// Whose length and words a text follows, see [`super::style`]; weights that act on them are κ, γ and τ.
    fn hears(&self) -> Side {
        Side::Both
    }
    /// The rule that decides a task of this kind in the place of this one, which lets a model write the memory that it
    /// reads; `None` for a rule that decides by itself.
    fn stand_in(&self, _task: TaskKind) -> Option<Policy> {
        None
    }
    /// The natural logarithm of the mediated distribution, up to a constant.
    fn log_weights(&self, sides: &Sides) -> Vec<f64>;
}

/// Which rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// ln p = ln b + ℓ·e_L + g·e_G.
    #[default]
    Product,
    /// p ∝ c_L + κ·p_G.
    Shrinkage,
    /// p = λ·p_L + (1 − λ)·p_G.
    Linear,
    /// p = p_L.
    Local,
    /// p = p_G.
    Global,
    /// A model writes the memory that it reads.
    Prompt,
}

impl Policy {
    /// All, in display order.
    pub const ALL: [Policy; 6] =
        [Policy::Product, Policy::Shrinkage, Policy::Linear, Policy::Local, Policy::Global, Policy::Prompt];

    /// The rule behind the name.
    pub fn rule(self) -> &'static dyn Rule {
        match self {
            Policy::Product => &product::Product,
            Policy::Shrinkage => &shrinkage::Shrinkage,
            Policy::Linear => &linear::Linear,
            Policy::Local => &single::Local,
            Policy::Global => &single::Global,
            Policy::Prompt => &prompt::Prompt,
        }
    }

    /// Whether a model writes the memory that the mediated arm reads.
    pub fn writes(self) -> bool {
        self.rule().stand_in(TaskKind::Labels).is_some()
    }

    /// The policy whose rule decides a task of this kind: this one, or what stands in for it.
    #[must_use]
    pub fn ruling_in(self, task: TaskKind) -> Policy {
        self.rule().stand_in(task).unwrap_or(self)
    }

    /// The same of what is decided.
    #[must_use]
    pub fn ruling(self, facet: &Facet) -> Policy {
        self.ruling_in(facet.task())
    }

    /// Why `weight` does nothing to what is decided of a task of this kind under this policy; `None` if it acts.
    pub fn ignores(self, weight: Weight, task: TaskKind) -> Option<&'static str> {
        let of_ratings = || match weight {
            Weight::CommunityFocus => Some("ratings are read by thing, not by community"),
            Weight::SkewDamping => Some("nothing tells how unlike a history a rated thing is"),
            _ => None,
        };
        let by_rule = self.ruling_in(task).rule().ignores(weight);
        by_rule.or_else(|| if task == TaskKind::Rating { of_ratings() } else { None })
    }

    /// The rule that a kind of task is decided by unless someone asks for another.
    pub fn of(task: TaskKind) -> Policy {
        match task {
            TaskKind::Labels | TaskKind::Text => Policy::Product,
            TaskKind::Rating => Policy::Shrinkage,
        }
    }

    /// The next policy, around.
    #[must_use]
    pub fn next(self) -> Policy {
        let at = Self::ALL.iter().position(|policy| *policy == self).unwrap_or_default();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.rule().name())
    }
}

impl std::str::FromStr for Policy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|policy| policy.rule().name() == name);
        found.ok_or_else(|| {
            format!("'{name}' is no policy; use one of {}", Self::ALL.map(|p| p.rule().name()).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_ignored_by_the_rule_that_decides_or_by_the_task() {
        let ignored = |policy: Policy, weight| {
            [TaskKind::Labels, TaskKind::Rating].map(|task| policy.ignores(weight, task).is_some())
        };
        for policy in Policy::ALL {
            let local = policy == Policy::Local;
            assert_eq!(ignored(policy, Weight::CommunityFocus), [local, true], "{policy}");
        }
        assert_eq!(ignored(Policy::Product, Weight::SkewDamping), [false, true]);
        // A model writes beside the task's own rule.
        assert_eq!(ignored(Policy::Prompt, Weight::LocalTrust), [false, true]);
        assert_eq!(ignored(Policy::Prompt, Weight::PriorStrength), [false, false]);
        let of_scores = Facet::Score([1.0, 2.0].into());
        assert_eq!(
            [Facet::Label, of_scores, Facet::Form].map(|facet| facet.task()),
            [TaskKind::Labels, TaskKind::Rating, TaskKind::Text]
        );
    }
}
