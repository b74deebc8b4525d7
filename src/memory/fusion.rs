//! How a score is put together from terms that add up to it.
//!
//! Convex combination of theoretically normalised scores (Bruch, Gai and Ingber, arXiv 2210.11934): BM25 over its
//! least upper bound for the query, cosine clamped at 0 (below, hashed vectors are noise). Or, by the dataset's choice,
//! reciprocal ranks (Cormack, Clarke and Büttcher, SIGIR 2009), one of the two sides alone, or nothing but age.

use serde::Serialize;

use crate::data::dataset::{Fusion, Retrieval};

/// Whether a part is absent from a score.
pub fn nothing(part: &f64) -> bool {
    *part == 0.0
}

/// A local hit's score in its parts. Each part is a share of the score, which is their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LocalTerms {
    /// From words. ≥ 0.
    pub lexical: f64,
    /// From vectors. ≥ 0.
    pub dense: f64,
    /// From attributes, where these are what is compared; then the two above are 0. ≥ 0.
    #[serde(skip_serializing_if = "nothing")]
    pub attributes: f64,
    /// What age takes away: (factor − 1) · (lexical + dense + attributes), ≤ 0; under fusion `recency` all there is, the
    /// factor.
    pub recency: f64,
}

impl LocalTerms {
    /// Splits a score; `age_factor` in (0, 1].
    pub fn new(similarity: Similarity, age_factor: f64) -> Self {
        let Similarity { lexical, dense, attributes } = similarity;
        Self { lexical, dense, attributes, recency: (age_factor - 1.0) * similarity.total() }
    }

    /// Age and nothing else.
    pub fn of_age(age_factor: f64) -> Self {
        Self { recency: age_factor, ..Self::default() }
    }

    /// The shown score.
    pub fn score(&self) -> f64 {
        self.similarity() + self.recency
    }

    /// Likeness to the query without age, in [0, 1]: what the mediator weighs, since it ages evidence itself.
    pub fn similarity(&self) -> f64 {
        self.lexical + self.dense + self.attributes
    }
}

/// A collective entry's score in its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct EntryTerms {
    /// From words. ≥ 0.
    pub lexical: f64,
    /// From vectors. ≥ 0.
    pub dense: f64,
    /// From being about the very thing asked about; then the two above are 0. ≥ 0.
    #[serde(skip_serializing_if = "nothing")]
    pub attributes: f64,
    /// What foreign community takes away: (factor − 1) · (lexical + dense + attributes). ≤ 0.
    pub community: f64,
}

impl EntryTerms {
    /// Splits a score; `membership_factor` in [0, 1].
    pub fn new(similarity: Similarity, membership_factor: f64) -> Self {
        let Similarity { lexical, dense, attributes } = similarity;
        Self { lexical, dense, attributes, community: (membership_factor - 1.0) * similarity.total() }
    }

    /// The shown score.
    pub fn score(&self) -> f64 {
        self.similarity() + self.community
    }

    /// Likeness to the query whatever the community, in [0, 1].
    pub fn similarity(&self) -> f64 {
        self.lexical + self.dense + self.attributes
    }
}

/// Likeness of a remembered item and a query, in parts that sum to at most 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Similarity {
    /// `lexical_share` · normalised lexical score.
    pub lexical: f64,
    /// (1 − `lexical_share`) · clamped cosine.
    pub dense: f64,
    /// Likeness of attributes, where these are what is compared.
    pub attributes: f64,
}

impl Similarity {
    /// Combines a lexical score in [0, 1] and a cosine.
    pub fn combine(lexical: f64, cosine: f64, lexical_share: f64) -> Self {
        // An empty sum is −0, which would be shown as such; adding 0 makes it 0.
        let positive = |share: f64| share.clamp(0.0, 1.0) + 0.0;
        Self {
            lexical: lexical_share * positive(lexical),
            dense: (1.0 - lexical_share) * positive(cosine),
            attributes: 0.0,
        }
    }

    /// Takes the likeness of attributes, in [0, 1], alone.
    pub fn of_attributes(likeness: f64) -> Self {
        Self { attributes: likeness.clamp(0.0, 1.0), ..Self::default() }
    }

    /// In [0, 1].
    pub fn total(self) -> f64 {
        self.lexical + self.dense + self.attributes
    }
}

/// How like the query each item is, under the dataset's fusion, from `(normalised lexical score, cosine)`.
///
/// Under `rrf` a part is (k + 1)/2 · 1/(k + rank): the reciprocal rank, in a unit that makes the first by both worth 1.
/// Equal items share the better rank; what has nothing in common with the query has none, and so nothing.
pub fn similarities(settings: &Retrieval, found: &[(f64, f64)]) -> Vec<Similarity> {
    let combined =
        |share: f64| found.iter().map(|(words, cosine)| Similarity::combine(*words, *cosine, share)).collect();
    match settings.fusion {
        Fusion::Convex => combined(settings.lexical_share),
        Fusion::Lexical => combined(1.0),
        Fusion::Dense => combined(0.0),
        Fusion::Recency => vec![Similarity::default(); found.len()],
        Fusion::Rrf => {
            let k = settings.rrf_k;
            let worth = |rank: Option<usize>| rank.map_or(0.0, |rank| (k + 1.0) / 2.0 / (k + rank as f64));
            let (by_words, by_cosine) = ranks_of(found);
            let both = by_words.into_iter().zip(by_cosine);
            both.map(|(words, cosine)| Similarity { lexical: worth(words), dense: worth(cosine), attributes: 0.0 })
                .collect()
        }
    }
}

/// Ranks by words and by cosine, from 1; `None` for items with nothing in common with the query.
pub fn ranks_of(found: &[(f64, f64)]) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
    let ranks = |values: Vec<f64>| {
        let mut sorted = values.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let rank = |value: &f64| (*value > 0.0).then(|| sorted.partition_point(|other| other > value) + 1);
        values.iter().map(rank).collect()
    };
    (ranks(found.iter().map(|f| f.0).collect()), ranks(found.iter().map(|f| f.1).collect()))
}

/// What an entry of this community keeps of its score: 1 − share · (1 − membership / the strongest membership); all of it
/// for an entry of everyone, or where no community is read.
pub fn membership_factor(community: Option<usize>, membership: &[f64], share: f64) -> f64 {
    let strongest = membership.iter().copied().fold(0.0, f64::max);
    let relative = community.filter(|_| strongest > 0.0).map_or(1.0, |c| membership[c] / strongest);
    1.0 - share * (1.0 - relative)
}

/// What an item of this age keeps of its score: floor + (1 − floor) · 2^(−age/half-life).
pub fn age_factor(age_days: f64, half_life: f64, floor: f64) -> f64 {
    floor + (1.0 - floor) * (-age_days.max(0.0) / half_life).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_in_common_is_zero_without_a_sign() {
        let none = Similarity::combine(-0.0, -0.3, 0.5);
        assert!(none.lexical.is_sign_positive() && none.dense.is_sign_positive());
    }

    #[test]
    fn reciprocal_ranks_are_shared_by_equals_and_nothing_in_common_has_none() {
        let settings = Retrieval { fusion: Fusion::Rrf, ..Retrieval::default() };
        let found = [(0.9, 0.1), (0.2, 0.8), (0.2, -0.3), (0.0, 0.8)];
        let parts: Vec<(f64, f64)> = similarities(&settings, &found).iter().map(|s| (s.lexical, s.dense)).collect();
        let rank = |r: f64| 1.0 / (1.0 + r);
        assert_eq!(parts, [(rank(1.0), rank(3.0)), (rank(2.0), rank(1.0)), (rank(2.0), 0.0), (0.0, rank(1.0))]);
        let slow = similarities(&Retrieval { rrf_k: 60.0, ..settings }, &[(1.0, 1.0)]);
        assert!((slow[0].total() - 1.0).abs() < 1e-12, "first by both is worth 1 under any k");
    }

    proptest! {
        #[test]
        fn terms_add_up(lexical in 0.0..1.0f64, cosine in -1.0..1.0f64, share in 0.0..1.0f64, age in 0.0..5000.0f64) {
            let similarity = Similarity::combine(lexical, cosine, share);
            let factor = age_factor(age, 180.0, 0.5);
            let local = LocalTerms::new(similarity, factor);
            prop_assert!((0.0..=1.0).contains(&similarity.total()));
            prop_assert!((local.lexical + local.dense + local.recency - local.score()).abs() < 1e-12);
            prop_assert!((local.score() - factor * similarity.total()).abs() < 1e-12);
            prop_assert!(local.recency <= 0.0);
            let entry = EntryTerms::new(similarity, factor);
            prop_assert!((entry.score() - factor * similarity.total()).abs() < 1e-12);
        }
    }
}
