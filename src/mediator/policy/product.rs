//! `product`: ln p = ln b + ℓ′·e_L + g·e_G + const with ℓ′ = ℓ (1 − β σ ν). Bayes' rule when the two sides are independent given the label.

use super::{Rule, Sides};
use crate::mediator::weights::Weight;

pub(super) struct Product;

impl Rule for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn formula(&self) -> &'static str {
        "ln p = ln b + ℓ⋅(1 − βσν)⋅e_L + g⋅e_G"
    }

    fn prior(&self) -> &'static str {
        "examples of the base rate mixed into the local side"
    }

    fn ignores(&self, _: Weight) -> Option<&'static str> {
        None
    }

    fn log_weights(&self, sides: &Sides) -> Vec<f64> {
        let (trust, crowd) = (sides.trust, sides.weights.global_trust);
        // The local side is shrunk to b, never to p_G: else the crowd would count twice.
        let local = sides.base_logs().iter().zip(sides.worth());
        let global = sides.evidence.base.iter().zip(sides.global);
        local.zip(global).map(|((ln_b, e_l), (b, p_g))| ln_b + trust * e_l + crowd * (p_g / b).ln()).collect()
    }
}
