//! Evidence: what both memories say about one query, in the form the policies weigh.
//!
//! Invariant: built once per query; no weight enters it, so any change of weights re-mediates without retrieval.

use super::distribution::{normalise, normalised_entropy};
use super::facet::Facet;
use crate::data::dataset::AgeUnit;
use crate::memory::MemoryRead;
use crate::memory::local::LocalHit;
use crate::memory::writing::Written;

/// Pseudo-examples of the base rate in a history's one-sidedness.
const HISTORY_PRIOR: f64 = 0.5;

/// The vote of one of the person's own visible items, or a share of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vote {
    /// Index of the label voted for.
    pub label: usize,
    /// Index of what the person answered then: the same, unless the vote was translated.
    pub own: usize,
    /// Which part of the item's vote this is, in (0, 1]: a translated score lies between two steps.
    pub share: f64,
    /// Which of the person's items it is of, by its place in [`crate::memory::local::LocalRead::hits`].
    pub item: usize,
    /// Likeness to the query without age, s_i in [0, 1].
    pub similarity: f64,
    /// How long before the query, ≥ 0, in the unit of the half-life.
    pub age: f64,
    /// ln words of what the person wrote, of texts; 0 otherwise.
    pub length: f64,
}

impl Vote {
    /// A vote for what the person answered, of their first item.
    pub fn plain(label: usize, similarity: f64, age: f64) -> Self {
        Self { label, own: label, share: 1.0, item: 0, similarity, age, length: 0.0 }
    }

    /// The same of another item.
    #[must_use]
    pub fn of_item(self, item: usize) -> Self {
        Self { item, ..self }
    }

    /// The votes of an item that departed from the crowd by `residual`: for the crowd's mean of what is asked about and
    /// that much more, clipped to the scale and split between the two nearest steps.
    pub fn translated(plain: Self, steps: &[f64], crowd: f64, residual: f64) -> impl Iterator<Item = Self> {
        let parts = Facet::split(steps, crowd + residual).into_iter().flatten();
        parts.map(move |(label, share)| Self { label, share, ..plain })
    }
}

/// Evidence of both sides about one facet.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What is decided.
    pub facet: Facet,
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
    /// How both sides write, of texts.
    pub written: Option<Written>,
}

impl Evidence {
    /// Takes what `read` says; `guard` and `local_calibration` are the dataset's.
    ///
    /// Ratings vote translated: a person's departure from the crowd, r_i = y_i − m_G(x_i), votes at m_G(x) + r_i. Their
    /// local side is what they gave by itself; nothing calibrates it.
    pub fn of(read: &MemoryRead, guard: usize, local_calibration: f64) -> Self {
        let plain = |(place, hit): (usize, &LocalHit)| {
            let age = match read.local.age_unit {
                AgeUnit::Days => hit.age_days,
                AgeUnit::Items => hit.recency_rank as f64,
            };
            let vote = Vote::plain(hit.label, hit.terms.similarity(), age).of_item(place);
            Vote { length: hit.length.unwrap_or_default(), ..vote }
        };
        let votes = match &read.scored {
            None => read.local.hits.iter().enumerate().map(plain).collect(),
            Some(scored) => {
                let translate = |(place, hit): (usize, &LocalHit)| {
                    let residual = hit.residual(&scored.steps).unwrap_or_default();
                    Vote::translated(plain((place, hit)), &scored.steps, scored.crowd, residual)
                };
                read.local.hits.iter().enumerate().flat_map(translate).collect()
            }
        };
        Self {
            facet: match (&read.scored, &read.written) {
                (Some(scored), _) => Facet::Score(scored.steps.clone()),
                (None, Some(_)) => Facet::Form,
                (None, None) => Facet::Label,
            },
            base: read.global.base.clone(),
            votes,
            population: read.global.population.clone(),
            community: read.global.community.clone(),
            support: read.global.support,
            suppressed: read.global.suppressed,
            guard,
            local_calibration: if read.scored.is_some() { 1.0 } else { local_calibration },
            novelty: read.local.novelty,
            written: read.written.clone(),
        }
    }

    /// Responses of the whole history with half an example of b.
    pub fn habits(&self) -> Vec<f64> {
        let mut counts: Vec<f64> = self.base.iter().map(|b| HISTORY_PRIOR * b).collect();
        self.votes.iter().for_each(|vote| counts[vote.own] += vote.share);
        counts
    }

    /// σ in [0, 1], how one-sided the person's history is: see [`one_sided`]. Measured against itself, not against p_G,
    /// else the crowd would judge its own opponent.
    pub fn one_sidedness(&self) -> f64 {
        one_sided(self.habits())
    }

    /// Number of labels.
    pub fn labels(&self) -> usize {
        self.base.len()
    }
}

/// σ = 1 − H(q)/ln K in [0, 1] of [`Evidence::habits`].
pub fn one_sided(habits: Vec<f64>) -> f64 {
    1.0 - normalised_entropy(&normalise(habits))
}

#[cfg(test)]
impl Evidence {
    /// One vote of the person for label 0 against a crowd that is for label 1: trust decides.
    pub(crate) fn disputed() -> Self {
        Self {
            facet: Facet::Label,
            base: vec![0.5, 0.5],
            votes: vec![Vote::plain(0, 0.9, 1.0)],
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
}
