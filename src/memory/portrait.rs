//! What is characteristic of a person: words they use more than others do, and the form of what they write.
//!
//! A description for people, not evidence: nothing is weighed by it and no session records it. Invariant: a portrait at t
//! depends on interactions strictly before t only.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Memory;
use super::lexical::{DocumentCounts, TermId, words};
use super::population::{Population, UserIx};
use crate::data::interaction::{Timestamp, UserId};

/// Texts that the prior is worth.
const PRIOR_TEXTS: f64 = 10.0;
/// A word used in fewer own texts than this characterises nobody.
const LEAST_TEXTS: usize = 2;
/// Standard errors by which a word has to stand out.
const LEAST_Z: f64 = 1.5;
/// Words kept.
const MOST: usize = 6;

/// A word that a person uses more than others do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Characteristic {
    /// The word.
    pub word: String,
    /// Log-odds of a text of theirs holding it against a text of others, in standard errors.
    pub z: f64,
    /// In how many of the person's texts it stands.
    pub own: DocumentCounts,
    /// In how many of other people's; absent where fewer people than the guard said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<DocumentCounts>,
}

/// The form of texts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Style {
    /// How many texts were looked at. ≥ 1.
    pub texts: usize,
    /// Mean number of words, stop words aside.
    pub words: f64,
    /// Share of texts that ask something.
    pub questions: f64,
    /// Share of texts that name a number.
    pub numbers: f64,
}

impl Style {
    /// The form of `texts`; `None` without any.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut n, mut length, mut questions, mut numbers) = (0usize, 0usize, 0usize, 0usize);
        for text in texts {
            n += 1;
            length += words(text).count();
            questions += usize::from(text.contains(['?', '？', '؟']));
            numbers += usize::from(text.chars().any(char::is_numeric));
        }
        let share = |count: usize| count as f64 / n as f64;
        (n > 0).then(|| Self { texts: n, words: share(length), questions: share(questions), numbers: share(numbers) })
    }
}

/// What is characteristic of a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Portrait {
    /// The words that stand out most, first.
    pub words: Vec<Characteristic>,
    /// The form of what they write; absent without history.
    pub style: Option<Style>,
}

impl Memory {
    /// What is characteristic of `user` at `t`.
    pub fn portrait(&self, user: &UserId, t: Timestamp) -> Portrait {
        Portrait::of(&self.population, self.population.user_ix(user), t, self.manifest.retrieval.guard)
    }
}

impl Portrait {
    /// What is characteristic of `user` at `t`; what fewer others than `guard` did is not told.
    pub fn of(population: &Population, user: Option<UserIx>, t: Timestamp, guard: usize) -> Self {
        let (visible, before) = (population.visible(user, t), population.before(t));
        let mut used: BTreeMap<TermId, usize> = BTreeMap::new();
        for item in visible {
            population.bag(*item).distinct().for_each(|term| *used.entry(term).or_default() += 1);
        }
        let mut found: Vec<Characteristic> = used
            .into_iter()
            .filter(|(_, texts)| *texts >= LEAST_TEXTS)
            .map(|(term, with_term)| {
                let all = population.document_counts(term, before);
                let own = DocumentCounts { with_term, total: visible.len() };
                let others = DocumentCounts { with_term: all.with_term - with_term, total: all.total - visible.len() };
                let told = population.many_said(term, before, user, guard).then_some(others);
                let word = population.lexicon.word(term).to_owned();
                Characteristic { word, z: z(own, others), own, others: told }
            })
            .filter(|word| word.z >= LEAST_Z)
            .collect();
        found.sort_by(|a, b| b.z.total_cmp(&a.z).then_with(|| a.word.cmp(&b.word)));
        found.truncate(MOST);
        Self { words: found, style: Style::of(visible.iter().map(|item| &population.text[*item])) }
    }
}

/// Log-odds ratio of a word with an informative prior, over its standard error (Monroe, Colaresi and Quinn, "Fightin'
/// Words", Political Analysis 2008), of texts with and without it. The prior expects the word where everybody uses it.
pub(super) fn z(own: DocumentCounts, others: DocumentCounts) -> f64 {
    let everyone = (own.with_term + others.with_term) as f64 + 0.5;
    let expected = PRIOR_TEXTS * everyone / ((own.total + others.total) as f64 + 1.0);
    let side = |counts: DocumentCounts| {
        let with = counts.with_term as f64 + expected;
        let without = (counts.total - counts.with_term) as f64 + PRIOR_TEXTS - expected;
        ((with / without).ln(), 1.0 / with + 1.0 / without)
    };
    let ((own, own_variance), (others, others_variance)) = (side(own), side(others));
    (own - others) / (own_variance + others_variance).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_out_by_how_much_more_it_is_used_and_how_surely() {
        let counts = |with_term, total| DocumentCounts { with_term, total };
        let rare_elsewhere = z(counts(6, 20), counts(10, 1000));
        assert!(rare_elsewhere > 3.0, "{rare_elsewhere}");
        assert!(z(counts(2, 7), counts(10, 1000)) < rare_elsewhere, "the same share of fewer texts is less sure");
        assert!(z(counts(6, 20), counts(300, 1000)).abs() < 0.3, "what everybody does tells nothing");
        assert!(z(counts(0, 20), counts(500, 1000)) < -2.0);
        assert!(z(counts(3, 3), counts(0, 0)).is_finite());
    }

    #[test]
    fn style_is_measured_on_the_texts() {
        assert_eq!(Style::of(std::iter::empty()), None);
        let style = Style::of(["Who maps the streets?", "Seven of 9 bakers"].into_iter()).unwrap();
        assert_eq!(style, Style { texts: 2, words: 2.5, questions: 0.5, numbers: 0.5 });
    }
}
