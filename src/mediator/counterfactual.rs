//! Counterfactual memory: what would have been decided without one remembered item, one community, one side.
//!
//! Of the question by itself, without hysteresis, as flips are. An item's votes are subtracted from the kernel's sums, so
//! that each costs O(K); only where the one nearest item goes, to which all nearness is relative, is the kernel weighed
//! anew. Base rate, likeness and novelty stay as they were read: it is the memory that goes, not the time at which it was
//! kept.

use std::collections::BTreeMap;

use super::conflict::Side;
use super::evidence::{Evidence, Vote, one_sided};
use super::kernel::{Kernel, collective};
use super::policy::{Policy, Sides, damped, damped_trust};
use super::resolution::weigh;
use super::weights::{Weight, Weights};
use crate::memory::collective::Voice;

/// Where less than this share of the mass is left, subtraction leaves rounding alone.
const DUST: f64 = 1e-6;

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Removed {
    /// One of the person's items, by its place in [`crate::memory::local::LocalRead::hits`].
    Item(usize),
    /// What one community says.
    Community(usize),
    /// A whole side: all own items, or all that others say beyond the base rate.
    Side(Side),
}

/// The decision without something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Without {
    /// Without what.
    pub removed: Removed,
    /// What would be decided.
    pub decision: usize,
    /// How clear that would be, see [`super::facet::Verdict`].
    pub margin: f64,
    /// ln p′(y)/p(y) of what is decided with it, in nats: negative where it spoke for the decision.
    pub nats: f64,
    /// Whether the decision would be another.
    pub changes: bool,
}

/// The decision without each item, each of `voices`, and each side; what changes the decision first, then by falling
/// influence. `voices` are the person's communities, empty where the read does not tell them apart.
pub fn counterfactuals(evidence: &Evidence, weights: &Weights, policy: Policy, voices: &[Voice]) -> Vec<Without> {
    let whole = Whole::of(evidence, weights, policy);
    let items = Items::of(evidence);
    let mut all: Vec<Without> = items.votes.keys().map(|item| whole.without_item(&items, *item)).collect();
    if voices.len() > 1 {
        all.extend((0..voices.len()).map(|place| whole.without_voice(voices, place)));
    }
    if !evidence.votes.is_empty() {
        all.push(whole.without_local());
    }
    all.push(whole.without_global());
    let place = |removed: Removed| match removed {
        Removed::Side(side) => (0, side as usize),
        Removed::Community(community) => (1, community),
        Removed::Item(item) => (2, item),
    };
    all.sort_by(|a, b| {
        let size = b.nats.abs().total_cmp(&a.nats.abs());
        b.changes.cmp(&a.changes).then(size).then(place(a.removed).cmp(&place(b.removed)))
    });
    all
}

/// The votes of each item.
struct Items<'a> {
    votes: BTreeMap<usize, Vec<&'a Vote>>,
    /// Likeness of the nearest item, and whether no other is as near.
    nearest: f64,
    alone: bool,
    habits: Vec<f64>,
}

impl<'a> Items<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut votes: BTreeMap<usize, Vec<&Vote>> = BTreeMap::new();
        evidence.votes.iter().for_each(|vote| votes.entry(vote.item).or_default().push(vote));
        let likeness = |votes: &Vec<&Vote>| votes.iter().map(|vote| vote.similarity).fold(f64::NEG_INFINITY, f64::max);
        let nearest = votes.values().map(likeness).fold(f64::NEG_INFINITY, f64::max);
        let alone = votes.values().filter(|votes| likeness(votes) == nearest).count() == 1;
        Self { votes, nearest, alone, habits: evidence.habits() }
    }
}

/// What is decided with everything.
struct Whole<'a> {
    evidence: &'a Evidence,
    weights: &'a Weights,
    policy: Policy,
    kernel: Kernel,
    global: Vec<f64>,
    trust: f64,
    decision: usize,
    p: f64,
}

impl<'a> Whole<'a> {
    fn of(evidence: &'a Evidence, weights: &'a Weights, policy: Policy) -> Self {
        let kernel = Kernel::of(evidence, weights);
        let global = collective(evidence, weights.community_focus);
        let trust = damped_trust(evidence, weights);
        let mut whole = Self { evidence, weights, policy, kernel, global, trust, decision: 0, p: 1.0 };
        let p = whole.weigh(&whole.kernel, &whole.global, trust);
        whole.decision = evidence.facet.decide(&p, &evidence.base);
        whole.p = p[whole.decision];
        whole
    }

    fn weigh(&self, kernel: &Kernel, global: &[f64], trust: f64) -> Vec<f64> {
        let Self { evidence, weights, policy, .. } = *self;
        weigh(&Sides::new(evidence, weights, kernel, global, trust), policy)
    }

    fn told(&self, removed: Removed, p: &[f64]) -> Without {
        let verdict = self.evidence.facet.verdict(p, &self.evidence.base);
        Without {
            removed,
            decision: verdict.decision,
            margin: verdict.margin,
            nats: (p[self.decision] / self.p).ln(),
            changes: verdict.decision != self.decision,
        }
    }

    fn without_item(&self, items: &Items, item: usize) -> Without {
        let gone = items.votes.get(&item).map_or(&[][..], Vec::as_slice);
        let moves = items.alone && gone.iter().any(|vote| vote.similarity == items.nearest);
        let mut kernel = self.kernel.without(gone.iter().copied(), items.nearest, self.weights);
        if moves || kernel.mass < DUST * self.kernel.mass {
            let left = self.evidence.votes.iter().filter(|vote| vote.item != item);
            kernel = Kernel::of_votes(left, self.evidence.labels(), self.weights);
        }
        let trust = match self.weights.get(Weight::SkewDamping) {
            0.0 => self.trust,
            _ => {
                let mut habits = items.habits.clone();
                gone.iter().for_each(|vote| habits[vote.own] -= vote.share);
                habits.iter_mut().for_each(|count| *count = count.max(0.0));
                damped(self.weights, one_sided(habits), self.evidence.novelty)
            }
        };
        self.told(Removed::Item(item), &self.weigh(&kernel, &self.global, trust))
    }

    fn without_voice(&self, voices: &[Voice], place: usize) -> Without {
        let heard = || voices.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, voice)| voice);
        let belonging: f64 = heard().map(|voice| voice.share).sum();
        let focus = self.weights.community_focus;
        let mut global: Vec<f64> = self.evidence.population.iter().map(|p| (1.0 - focus) * p).collect();
        for voice in heard() {
            let share = if belonging > 0.0 { focus * voice.share / belonging } else { 0.0 };
            global.iter_mut().zip(&voice.distribution).for_each(|(sum, p)| *sum += share * p);
        }
        self.told(Removed::Community(voices[place].community), &self.weigh(&self.kernel, &global, self.trust))
    }

    fn without_local(&self) -> Without {
        let none = Kernel::of_votes([].iter(), self.evidence.labels(), self.weights);
        self.told(Removed::Side(Side::Local), &self.weigh(&none, &self.global, self.trust))
    }

    fn without_global(&self) -> Without {
        self.told(Removed::Side(Side::Global), &self.weigh(&self.kernel, &self.evidence.base, self.trust))
    }
}
