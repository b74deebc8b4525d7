//! How a text is to be written: its length and its words, beside the form that the policy decides.
//!
//! With w_i of the [kernel](super::kernel), m = Σ w and ō = Σ w ln len / m, a text's length is λ ō + (1 − λ) m_G with
//! λ = m/(m + κ): the shrunken mean (Σ w ln len + κ m_G)/(m + κ). The person's side by itself is shrunk to μ instead, what
//! everybody writes to anything. Of [`SLOTS`] words λ are the person's, the rest the others'. So κ, γ and τ act on length
//! and words; exponents of evidence do not, since there is no base rate of a mean.
//!
//! Invariant: without own memories the mediated length is the others' exactly; the order of votes does not matter beyond
//! rounding.

use serde::{Deserialize, Serialize};

use super::conflict::{COVERED, Side};
use super::evidence::Evidence;
use super::kernel::Fall;
use super::policy::Policy;
use super::weights::Weights;
use crate::memory::writing::{Crowd, Term};

/// Words that a resolution takes from both sides together.
pub const SLOTS: usize = 6;
/// Standard errors by which lengths have to differ to be a conflict …
pub const ERRORS: f64 = 2.0;
/// … and by which factor: ln 1.25, a quarter longer.
pub const FACTOR: f64 = 0.223_143_551_314_209_76;
/// Texts of everybody's deviation in the person's own: two texts alone say little about how lengths scatter.
const PSEUDO: f64 = 2.0;
/// More standard errors than these are as many.
const MOST_ERRORS: f64 = 99.0;

/// A length by either side and by both, all in ln words; `None` where nobody has said anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Length {
    /// μ: everybody's mean, whatever the query.
    pub base: Option<f64>,
    /// The person's, shrunk to μ.
    pub local: Option<f64>,
    /// m_G: the others' for this query.
    pub global: Option<f64>,
    /// What is decided.
    pub mediated: Option<f64>,
    /// Standard deviation around what is decided, of both sides' texts in its proportion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// Whether the two sides differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Apart>,
}

/// Two lengths in conflict: at least [`ERRORS`] standard errors and a factor of e^[`FACTOR`] apart, where the person's is
/// worth at least [`COVERED`] examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    /// ō, in ln words.
    pub own: f64,
    /// m_G, in ln words.
    pub others: f64,
    /// |ō − m_G| in standard errors of ō, at most 99.
    pub errors: f64,
}

/// How a text is to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Style {
    /// How long.
    pub length: Length,
    /// λ: the person's share.
    pub local_share: f64,
    /// How many of the person's characteristic words it takes, the first ones.
    pub own_terms: usize,
    /// How many of the others'.
    pub terms: usize,
}

/// Weighted lengths of the person's texts.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    mass: f64,
    mean: f64,
    /// Σ w (ln len − ō)².
    scatter: f64,
}

impl Own {
    fn of(evidence: &Evidence, weights: &Weights) -> Self {
        let nearest = evidence.votes.iter().map(|vote| vote.similarity).fold(f64::NEG_INFINITY, f64::max);
        let fall = Fall::from(nearest, weights);
        let weighed = || evidence.votes.iter().map(|vote| (fall.to(vote), vote.length));
        let mass: f64 = weighed().map(|(w, _)| w).sum();
        if mass <= 0.0 {
            return Self::default();
        }
        let mean = weighed().map(|(w, length)| w * length).sum::<f64>() / mass;
        let scatter = weighed().map(|(w, length)| w * (length - mean).powi(2)).sum();
        Self { mass, mean, scatter }
    }

    /// What differs from `crowd` by rule.
    fn apart(&self, crowd: &Crowd) -> Option<Apart> {
        if self.mass < COVERED {
            return None;
        }
        // One text scatters around itself by nothing: it counts as everybody's do.
        let variance = (self.scatter + PSEUDO * crowd.deviation.powi(2)) / (self.mass - 1.0 + PSEUDO);
        let gap = (self.mean - crowd.near).abs();
        let errors = (gap / (variance / self.mass).sqrt()).min(MOST_ERRORS);
        (errors >= ERRORS && gap >= FACTOR).then_some(Apart { own: self.mean, others: crowd.near, errors })
    }
}

/// What the mediator makes of how both sides write; `None` of tasks without texts.
pub fn settle(evidence: &Evidence, weights: &Weights, policy: Policy) -> Option<Style> {
    let written = evidence.written.as_ref()?;
    let own = Own::of(evidence, weights);
    let kappa = weights.prior_strength;
    let heard = policy.rule().hears();
    let local_share = match heard {
        _ if own.mass <= 0.0 => 0.0,
        Side::Both => own.mass / (own.mass + kappa),
        Side::Local => 1.0,
        Side::Global => 0.0,
    };
    let length = match &written.crowd {
        Some(crowd) => {
            let toward = |prior: f64| match own.mass > 0.0 {
                true => (own.mass * own.mean + kappa * prior) / (own.mass + kappa),
                false => prior,
            };
            let (local, both) = (toward(crowd.mean), toward(crowd.near));
            let mediated = match heard {
                Side::Both => both,
                Side::Local => local,
                Side::Global => crowd.near,
            };
            let own_variance = if own.mass > 0.0 { own.scatter / own.mass } else { 0.0 };
            let around = |mean: f64| (mean - mediated).powi(2);
            let variance = local_share * (own_variance + around(own.mean))
                + (1.0 - local_share) * (crowd.deviation.powi(2) + around(crowd.near));
            Length {
                base: Some(crowd.mean),
                local: Some(local),
                global: Some(crowd.near),
                mediated: Some(mediated),
                spread: Some(variance.sqrt()),
                conflict: own.apart(crowd),
            }
        }
        None if own.mass > 0.0 => {
            let spread = Some((own.scatter / own.mass).sqrt());
            let alone = Some(own.mean);
            Length { local: alone, mediated: alone.filter(|_| heard != Side::Global), spread, ..Length::default() }
        }
        None => Length::default(),
    };
    let wanted = (local_share * SLOTS as f64).round() as usize;
    let (ours, theirs) = match heard {
        Side::Both => (written.own_terms.len(), written.terms.len()),
        Side::Local => (written.own_terms.len(), 0),
        Side::Global => (0, written.terms.len()),
    };
    // What one side lacks the other may fill.
    let terms = theirs.min(SLOTS - wanted.min(ours));
    Some(Style { length, local_share, own_terms: ours.min(SLOTS - terms), terms })
}

impl Style {
    /// The words that it takes of `own` and of `others`, each with whose it is.
    pub fn words<'a>(&self, own: &'a [Term], others: &'a [Term]) -> impl Iterator<Item = (Side, &'a str)> {
        let own = own.iter().take(self.own_terms).map(|term| (Side::Local, term.word.as_str()));
        own.chain(others.iter().take(self.terms).map(|term| (Side::Global, term.word.as_str())))
    }
}

/// A length in whole words, at least one.
pub fn in_words(length: f64) -> usize {
    (length.exp().round() as usize).max(1)
}

/// `1 word`, `9 words`.
pub fn told(length: f64) -> String {
    match in_words(length) {
        1 => "1 word".to_owned(),
        n => format!("{n} words"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediator::evidence::Vote;
    use crate::memory::writing::Written;

    fn evidence(own: &[f64], near: f64) -> Evidence {
        let vote = |(item, words): (usize, &f64)| Vote { length: words.ln(), ..Vote::plain(0, 0.5, 0.0).of_item(item) };
        let crowd = Crowd { mean: 10f64.ln(), near: near.ln(), deviation: 0.4, support: 9 };
        let term = |word: &str| Term { word: word.to_owned(), z: 3.0, texts: 2, of: 9 };
        let written = Written {
            crowd: Some(crowd),
            own_terms: ["a", "b", "c", "d", "e", "f"].map(term).to_vec(),
            terms: ["u", "v"].map(term).to_vec(),
        };
        Evidence { votes: own.iter().enumerate().map(vote).collect(), written: Some(written), ..Evidence::disputed() }
    }

    /// The worked example of docs/mediator.md: two equally near texts of 4 and 9 words, others near write 12.
    #[test]
    fn lengths_equal_hand_computed_values() {
        let weights = Weights { prior_strength: 1.0, ..Weights::default() };
        let found = settle(&evidence(&[4.0, 9.0], 12.0), &weights, Policy::Product).unwrap();
        let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-12, "{a:?} {b}");
        close(found.length.mediated, (4f64.ln() + 9f64.ln() + 12f64.ln()) / 3.0);
        close(found.length.local, (4f64.ln() + 9f64.ln() + 10f64.ln()) / 3.0);
        close(found.length.global, 12f64.ln());
        assert_eq!(in_words(found.length.mediated.unwrap()), 8, "√³(4 · 9 · 12) = 7.6");
        assert!((found.local_share - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((found.own_terms, found.terms), (4, 2));
        // ō = ln 6, s² = (2 · .405² + 2 · .4²)/3, SE = s/√2 = .329, gap ln 2 = .693.
        let apart = found.length.conflict.unwrap();
        assert!((apart.errors - 2.108).abs() < 1e-3, "{}", apart.errors);
        for (policy, expected) in [(Policy::Local, found.length.local), (Policy::Global, found.length.global)] {
            let alone = settle(&evidence(&[4.0, 9.0], 12.0), &weights, policy).unwrap();
            assert_eq!(alone.length.mediated, expected, "{policy}");
        }
    }

    #[test]
    fn lengths_conflict_where_both_bounds_are_passed() {
        let weights = Weights { prior_strength: 1.0, ..Weights::default() };
        for (own, near, expected) in [
            (&[6.0; 8][..], 12.0, true),
            (&[6.0], 12.0, false),
            (&[10.0; 200], 12.0, false),
            (&[9.0; 200], 12.0, true),
            (&[], 12.0, false),
        ] {
            let found = settle(&evidence(own, near), &weights, Policy::Product).unwrap();
            assert_eq!(found.length.conflict.is_some(), expected, "{} texts of {:?}", own.len(), own.first());
        }
    }

    #[test]
    fn words_of_one_side_fill_what_the_other_lacks() {
        let weights = Weights::default();
        let taken = |evidence: &Evidence, policy| {
            let style = settle(evidence, &weights, policy).unwrap();
            (style.own_terms, style.terms)
        };
        let much = evidence(&[5.0; 40], 9.0);
        assert_eq!(taken(&much, Policy::Product), (6, 0));
        assert_eq!(taken(&much, Policy::Global), (0, 2));
        assert_eq!(taken(&evidence(&[], 9.0), Policy::Product), (4, 2), "the others have only two");
        let mut mute = much.clone();
        mute.written.iter_mut().for_each(|written| written.own_terms.clear());
        assert_eq!(taken(&mute, Policy::Product), (0, 2));
    }
}
