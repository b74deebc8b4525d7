//! Evidence: what both memories say about one query, in the form the policies weigh.
//!
//! Invariant: built once per query; no weight enters it, so any change of weights re-mediates without retrieval.

use super::distribution::{normalise, normalised_entropy};
use crate::memory::MemoryRead;

/// Pseudo-examples of the base rate in a history's one-sidedness.
const HISTORY_PRIOR: f64 = 0.5;

/// The vote of one of the person's own visible items.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vote {
    /// Index of the label voted for.
    pub label: usize,
    /// Likeness to the query without age, s_i in [0, 1].
    pub similarity: f64,
    /// Days before the query, a_i ≥ 0.
    pub age_days: f64,
}

/// Evidence of both sides about the facet `label`.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Base rate b(y) of others. Sums to 1, every entry > 0.
    pub base: Vec<f64>,
    /// Votes of the person's visible items, in any order.
    pub votes: Vec<Vote>,
    /// p(y | x) of the whole population. Sums to 1, every entry > 0.
    pub population: Vec<f64>,
    /// p(y | x) of the person's communities. Sums to 1, every entry > 0.
    pub community: Vec<f64>,
    /// Distinct contributors behind the collective side.
    pub support: usize,
    /// Entries kept back by the guard.
    pub suppressed: usize,
    /// Fewest contributors for which the collective side counts as covered.
    pub guard: usize,
    /// A_L: exponent that calibrates local evidence.
    pub local_calibration: f64,
    /// ν in [0, 1]: how unlike the person's memories the query is, among questions of people who remember as much.
    pub novelty: f64,
}

impl Evidence {
    /// Takes what `read` says; `guard` and `local_calibration` are the dataset's.
    pub fn of(read: &MemoryRead, guard: usize, local_calibration: f64) -> Self {
        let vote = |hit: &crate::memory::local::LocalHit| Vote {
            label: hit.label,
            similarity: hit.terms.similarity(),
            age_days: hit.age_days,
        };
        Self {
            base: read.global.base.clone(),
            votes: read.local.hits.iter().map(vote).collect(),
            population: read.global.population.clone(),
            community: read.global.community.clone(),
            support: read.global.support,
            suppressed: read.global.suppressed,
            guard,
            local_calibration,
            novelty: read.local.novelty,
        }
    }

    /// σ = 1 − H(q_u)/ln K in [0, 1], with q_u the responses of the whole history shrunk by half an example of b: how
    /// one-sided the person's history is. Measured against itself, not against p_G, else the crowd would judge its own
    /// opponent.
    pub fn one_sidedness(&self) -> f64 {
        let mut counts: Vec<f64> = self.base.iter().map(|b| HISTORY_PRIOR * b).collect();
        self.votes.iter().for_each(|vote| counts[vote.label] += 1.0);
        1.0 - normalised_entropy(&normalise(counts))
    }

    /// Number of labels.
    pub fn labels(&self) -> usize {
        self.base.len()
    }
}
