//! How far a session's decisions stand from flipping: the nearest flip of every question, weight by weight.
//!
//! Distances are in hundredths of a slider, so that weights of different ranges compare. Hysteresis, which acts from
//! question to question, is left out, as in [`crate::mediator::flip`].

use crate::data::dataset::TaskKind;
use crate::mediator::flip::flips;
use crate::mediator::weights::{STOPS, Scope};
use crate::mediator::{Evidence, Weight};
use crate::session::event::Setting;

/// Bins of a slider's length.
pub const BINS: usize = 20;
/// What counts as near, in hundredths of a slider.
pub const NEAR: f64 = 10.0;

/// The distances of many questions along one weight, or to the nearest flip of any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Questions by the distance of their flip, in equal parts of a slider.
    pub bins: [usize; BINS],
    /// Those whose flip is near.
    pub near: usize,
    /// Those that flip at all.
    pub flips: usize,
}

impl Spread {
    fn add(&mut self, distance: f64) {
        let bin = (distance / STOPS * BINS as f64) as usize;
        self.bins[bin.min(BINS - 1)] += 1;
        self.near += usize::from(distance <= NEAR);
        self.flips += 1;
    }
}

/// The distances of a session's questions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distances {
    /// Along each weight that acts, in display order.
    pub weights: Vec<(Weight, Spread)>,
    /// To the nearest flip along any of them.
    pub nearest: Spread,
    /// Questions looked at.
    pub n: usize,
}

impl Distances {
    /// Of no question yet of a task of this kind, under `setting`.
    pub fn under(setting: &Setting, task: TaskKind) -> Self {
        let acts =
            |weight: &Weight| weight.scope() == Scope::Mediate && setting.policy.ignores(*weight, task).is_none();
        let weights = Weight::ALL.into_iter().filter(acts).map(|weight| (weight, Spread::default())).collect();
        Self { weights, ..Self::default() }
    }

    /// Looks at one more question.
    pub fn add(&mut self, evidence: &Evidence, setting: &Setting) {
        self.n += 1;
        let mut nearest = f64::INFINITY;
        for flip in flips(evidence, &setting.weights, setting.policy) {
            let distance = (flip.weight.position(flip.at) - flip.weight.position(flip.now)).abs();
            nearest = nearest.min(distance);
            let along = self.weights.iter_mut().find(|(weight, _)| *weight == flip.weight);
            along.into_iter().for_each(|(_, spread)| spread.add(distance));
        }
        if nearest.is_finite() {
            self.nearest.add(nearest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediator::evidence::Vote;
    use crate::mediator::{Facet, Policy, Weights, mediate};

    #[test]
    fn what_is_near_flips_when_the_slider_is_turned_that_far() {
        let setting = Setting { weights: Weights::default(), policy: Policy::Product };
        let mut distances = Distances::under(&setting, TaskKind::Labels);
        let mut expected = 0;
        for tenths in 1..10 {
            let p = f64::from(tenths) / 10.0;
            let evidence = Evidence {
                facet: Facet::Label,
                base: vec![0.5, 0.5],
                votes: vec![Vote::plain(0, 0.9, 1.0)],
                population: vec![p, 1.0 - p],
                community: vec![p, 1.0 - p],
                support: 20,
                suppressed: 0,
                guard: 5,
                local_calibration: 1.0,
                novelty: 0.0,
                written: None,
            };
            distances.add(&evidence, &setting);
            // Turned by hand along one weight, stop by stop.
            let decision = |by: f64| {
                let weight = Weight::GlobalTrust;
                let value = weight.at((weight.position(1.0) + by).clamp(0.0, STOPS));
                mediate(&evidence, &setting.weights.with(weight, value), setting.policy).decision
            };
            let moves = (-100..=100).map(|step| f64::from(step) / 10.0).any(|by| decision(by) != decision(0.0));
            expected += usize::from(moves);
        }
        let (_, along) = distances.weights.iter().find(|(weight, _)| *weight == Weight::GlobalTrust).unwrap();
        assert_eq!((along.near, distances.n), (expected, 9));
        assert!(expected > 0 && expected < 9, "some are near, some are not");
        assert!(distances.nearest.near >= along.near && distances.nearest.flips >= along.flips);
        assert_eq!(along.bins.iter().sum::<usize>(), along.flips);
        assert!(distances.weights.iter().all(|(weight, _)| weight.scope() == Scope::Mediate));
    }
    #[test]
    fn what_does_not_act_has_no_distance() {
        let told = |policy, task| -> Vec<Weight> {
            let setting = Setting { weights: Weights::default(), policy };
            Distances::under(&setting, task).weights.into_iter().map(|(weight, _)| weight).collect()
        };
        use Weight::{HalfLife, PriorStrength, SimilaritySharpness};
        assert_eq!(told(Policy::Prompt, TaskKind::Rating), [PriorStrength, SimilaritySharpness, HalfLife]);
        assert_eq!(told(Policy::Prompt, TaskKind::Labels), told(Policy::Product, TaskKind::Labels));
    }
}
