//! `shrinkage`: p ∝ c_L(y) + κ·p_G(y). The collective side is a prior worth κ personal examples.

use super::{Rule, Sides};
use crate::mediator::weights::Weight;

pub(super) struct Shrinkage;

impl Rule for Shrinkage {
    fn name(&self) -> &'static str {
        "shrinkage"
    }

    fn formula(&self) -> &'static str {
        "p ∝ c_L + κ⋅p_G"
    }

    fn prior(&self) -> &'static str {
        "examples that the collective distribution is worth"
    }

    fn ignores(&self, weight: Weight) -> Option<&'static str> {
        matches!(weight, Weight::LocalTrust | Weight::GlobalTrust | Weight::SkewDamping)
            .then_some("shrinkage balances the sides by prior-strength alone")
    }

    fn log_weights(&self, sides: &Sides) -> Vec<f64> {
        let kappa = sides.weights.prior_strength;
        sides.kernel.counts.iter().zip(sides.global).map(|(count, p)| (count + kappa * p).ln()).collect()
    }
}
