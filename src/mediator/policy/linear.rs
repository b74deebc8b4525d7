//! `linear`: p = λ·p_L + (1 − λ)·p_G with λ = ℓ/(ℓ + g). A fixed share, whatever the history is worth.

use super::{Rule, Sides};
use crate::mediator::weights::Weight;

pub(super) struct Linear;

impl Rule for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn formula(&self) -> &'static str {
        "p = λ⋅p_L + (1 − λ)⋅p_G, λ = ℓ/(ℓ + g)"
    }

    fn prior(&self) -> &'static str {
        "examples of the base rate mixed into the local side"
    }

    fn ignores(&self, weight: Weight) -> Option<&'static str> {
        (weight == Weight::SkewDamping).then_some("linear trusts a history by a fixed share")
    }

    fn log_weights(&self, sides: &Sides) -> Vec<f64> {
        let (trust, crowd) = (sides.weights.local_trust, sides.weights.global_trust);
        if trust + crowd <= 0.0 {
            return sides.base_logs().to_vec();
        }
        // Without history the local side is the base rate; pooling it in would blur what the others know.
        let share = if sides.kernel.mass > 0.0 { trust / (trust + crowd) } else { 0.0 };
        let pool = |(own, all): (&f64, &f64)| (share * own + (1.0 - share) * all).ln();
        sides.local().iter().zip(sides.global).map(pool).collect()
    }
}
