//! Hysteresis: the side that decided the question before keeps the decision while the evidence hardly moves.
//!
//! This cannot live in the pure function of one query; it is a fold over a session's questions, in their order. It acts
//! only between consecutive questions of one person whose evidence is nearly the same: across different evidence a
//! carried side would be an error that depends on the order of asking.

use super::conflict::Side;
use super::distribution::jensen_shannon;
use super::facet::Facet;
use super::resolution::Resolution;
use super::weights::Weight;
use crate::data::interaction::UserId;

/// Both sides' divergence from the question before, in bits, below which the evidence has hardly moved.
pub const MOVED: f64 = 0.02;

/// Where a session's last question left the mediator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    last: Option<Stand>,
}

/// What a question's resolution stood on.
#[derive(Clone, Debug, PartialEq)]
struct Stand {
    user: UserId,
    local: Vec<f64>,
    global: Vec<f64>,
    side: Side,
}

impl Stand {
    /// Whether the evidence of the next question is nearly the same.
    fn is_calm(&self, resolution: &Resolution) -> bool {
        let calm = |before: &[f64], now: &[f64]| before.len() == now.len() && jensen_shannon(before, now) < MOVED;
        calm(&self.local, &resolution.local) && calm(&self.global, &resolution.global)
    }
}

impl Course {
    /// After a question of `user` that came to `resolution`.
    pub fn after(user: &UserId, resolution: &Resolution) -> Self {
        let (local, global) = (resolution.local.clone(), resolution.global.clone());
        let last = side(resolution).map(|side| Stand { user: user.clone(), local, global, side });
        Self { last }
    }

    /// `resolution` of the next question, with the decision held by the side that had it before if `user` asks again
    /// with evidence that hardly moved and the margin is below `hysteresis`. Its distributions stay what they are. Under a
    /// policy that hears one side alone nothing is held.
    pub fn settle(&self, user: &UserId, mut resolution: Resolution, hysteresis: f64) -> Resolution {
        if resolution.policy.rule().ignores(Weight::Hysteresis).is_some() {
            return resolution;
        }
        let Some(stand) = self.last.as_ref().filter(|stand| stand.user == *user) else { return resolution };
        let Some(now) = side(&resolution) else { return resolution };
        let holds = resolution.margin < hysteresis && now != stand.side && stand.is_calm(&resolution);
        if holds {
            let keeper = if stand.side == Side::Local { &resolution.local } else { &resolution.global };
            let kept = resolution.decide(keeper);
            let p = &resolution.distribution;
            resolution.margin = match resolution.facet {
                Facet::Label | Facet::Form => p[kept] - p[resolution.decision],
                Facet::Score(_) => -resolution.margin,
            };
            resolution.runner_up = Some(resolution.decision);
            resolution.decision = kept;
            resolution.held = Some(stand.side);
        }
        resolution
    }
}

/// Whether `resolution` of `user` is decided for the other side than the question before, with evidence that hardly moved.
pub fn changes_side(course: &Course, user: &UserId, resolution: &Resolution) -> bool {
    let Some(stand) = course.last.as_ref().filter(|stand| stand.user == *user) else { return false };
    side(resolution).is_some_and(|now| now != stand.side) && stand.is_calm(resolution)
}

/// The one side whose first choice was decided for; `None` where both or neither made it.
pub fn side(resolution: &Resolution) -> Option<Side> {
    let first = |p: &[f64]| resolution.decide(p) == resolution.decision;
    match (first(&resolution.local), first(&resolution.global)) {
        (true, false) => Some(Side::Local),
        (false, true) => Some(Side::Global),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediator::evidence::Vote;
    use crate::mediator::signature::calming;
    use crate::mediator::{Evidence, Policy, Weights, mediate};

    fn evidence(similar: f64) -> Evidence {
        let vote = |label, similarity| Vote::plain(label, similarity, 1.0);
        Evidence {
            facet: Facet::Label,
            base: vec![0.5, 0.5],
            votes: vec![vote(0, similar), vote(0, similar), vote(1, 0.5)],
            population: vec![0.3, 0.7],
            community: vec![0.3, 0.7],
            support: 20,
            suppressed: 0,
            guard: 5,
            local_calibration: 1.0,
            novelty: 0.0,
            written: None,
        }
    }

    fn weights() -> Weights {
        Weights { prior_strength: 1.0, similarity_sharpness: 1.0, community_focus: 0.0, ..Weights::default() }
    }

    #[test]
    fn a_policy_of_one_side_holds_nothing() {
        let anna = UserId::new("anna");
        let [both, local, global] =
            [Policy::Product, Policy::Local, Policy::Global].map(|policy| mediate(&evidence(0.5), &weights(), policy));
        assert_eq!([&both, &local, &global].map(side), [Some(Side::Global), Some(Side::Local), Some(Side::Global)]);
        for (before, alone) in [(&both, &local), (&local, &global)] {
            assert_eq!(Course::after(&anna, before).settle(&anna, alone.clone(), 1.0), *alone);
        }
        // What a change of policy turned, no hysteresis calms.
        let turns = [&local, &global, &local].map(|resolution| (anna.clone(), resolution.clone()));
        assert_eq!(calming(&turns), None);
    }

    #[test]
    fn a_side_keeps_what_it_had_until_the_margin_or_the_evidence_grows() {
        let (anna, ben) = (UserId::new("anna"), UserId::new("ben"));
        let global = mediate(&evidence(0.5), &weights(), Policy::Product);
        let local = mediate(&evidence(0.5), &Weights { global_trust: 0.5, ..weights() }, Policy::Product);
        assert_eq!((side(&global), side(&local)), (Some(Side::Global), Some(Side::Local)));
        assert!(global.margin < 0.25, "{}", global.margin);

        let before = Course::after(&anna, &local);
        let held = before.settle(&anna, global.clone(), 0.25);
        assert_eq!((held.decision, held.held, held.runner_up), (0, Some(Side::Local), Some(1)));
        assert_eq!(held.distribution, global.distribution);
        assert!((held.margin + global.margin).abs() < 1e-12, "a held decision has a negative margin");

        for (case, course, user, h) in [
            ("nothing came before", Course::default(), &anna, 1.0),
            ("someone else asks", before.clone(), &ben, 1.0),
            ("the margin is enough", before.clone(), &anna, global.margin),
            ("hysteresis is off", before, &anna, 0.0),
        ] {
            assert_eq!(course.settle(user, global.clone(), h), global, "{case}");
        }
        let elsewhere = Weights { community_focus: 1.0, ..weights() };
        let moved = Evidence { community: vec![0.01, 0.99], ..evidence(0.5) };
        let moved = mediate(&moved, &elsewhere, Policy::Product);
        assert_eq!(Course::after(&anna, &local).settle(&anna, moved.clone(), 1.0), moved, "the evidence has moved");
    }
}
