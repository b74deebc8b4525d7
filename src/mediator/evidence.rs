//! Evidence: what both memories say about one query, in the form the policies weigh.
//!
//! Invariant: built once per query; no weight enters it, so any change of weights re-mediates without retrieval.

use crate::memory::MemoryRead;

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
        }
    }

    /// Number of labels.
    pub fn labels(&self) -> usize {
        self.base.len()
    }
}
