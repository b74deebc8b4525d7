//! `local` and `global`: one side alone, for comparison.

use super::{Rule, Sides};
use crate::mediator::conflict::Side;
use crate::mediator::weights::Weight;

pub(super) struct Local;

impl Rule for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn formula(&self) -> &'static str {
        "p = p_L"
    }

    fn prior(&self) -> &'static str {
        "examples of the base rate mixed into the local side"
    }

    fn ignores(&self, weight: Weight) -> Option<&'static str> {
        let idle = matches!(
            weight,
            Weight::LocalTrust
                | Weight::GlobalTrust
                | Weight::CommunityFocus
                | Weight::SkewDamping
                | Weight::Hysteresis
        );
        idle.then_some("policy local hears the person's own memory alone")
    }

    fn hears(&self) -> Side {
        Side::Local
    }

    fn log_weights(&self, sides: &Sides) -> Vec<f64> {
        sides.local().iter().map(|p| p.ln()).collect()
    }
}

pub(super) struct Global;

impl Rule for Global {
    fn name(&self) -> &'static str {
        "global"
    }

    fn formula(&self) -> &'static str {
        "p = p_G"
    }

    fn prior(&self) -> &'static str {
        "nothing: the person's own memory is not heard"
    }

    fn ignores(&self, weight: Weight) -> Option<&'static str> {
        let acts = matches!(
            weight,
            Weight::CommunityFocus
                | Weight::ConflictThreshold
                | Weight::LocalRoom
                | Weight::GlobalRoom
                | Weight::ModelTrust
        );
        (!acts).then_some("policy global hears the collective memory alone")
    }

    fn hears(&self) -> Side {
        Side::Global
    }

    fn log_weights(&self, sides: &Sides) -> Vec<f64> {
        sides.global.iter().map(|p| p.ln()).collect()
    }
}
