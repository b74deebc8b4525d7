//! `product`: ln p = ln b + ℓ′·e_L + g·e_G + const with ℓ′ = ℓ (1 − β σ ν). Bayes' rule when the two sides are independent given the label.

use super::{Rule, Sides};
use crate::mediator::weights::Weight;

pub(super) struct Product;

impl Rule for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn formula(&self) -> &'static str {
        "ln p = ln b + ℓ·(1 − βσν)·e_L + g·e_G"
    }

    fn prior(&self) -> &'static str {
        "examples of the base rate mixed into the local side"
    }

    fn ignores(&self, _: Weight) -> Option<&'static str> {
        None
    }

    fn log_weights(&self, sides: &Sides) -> Vec<f64> {
        let Sides { evidence, weights, kernel, global, trust } = sides;
        // The local side is shrunk to b, never to p_G: else the crowd would count twice.
        let local = kernel.evidence(evidence, weights.prior_strength);
        let sum = |((b, e_l), p_g): ((&f64, &f64), &f64)| b.ln() + trust * e_l + weights.global_trust * (p_g / b).ln();
        evidence.base.iter().zip(&local).zip(*global).map(sum).collect()
    }
}
