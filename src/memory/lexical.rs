//! Words, and how well a text matches them: BM25 with statistics of one person's visible past.
//!
//! Formulas: Robertson–Spärck Jones idf in its non-negative form, `ln(1 + (N − df + ½)/(df + ½))`, where a person's own
//! counts are shrunk toward everybody else's by a visible number of pseudo-documents; a handful of own items says
//! nothing about how rare a word is.

use std::collections::HashMap;

use serde::Serialize;

/// Saturation of term frequency.
const K1: f64 = 1.2;
/// Length normalisation.
const B: f64 = 0.75;

/// A word of the [`Lexicon`].
pub type TermId = u32;

/// Words too common to tell texts apart.
const STOP_WORDS: [&str; 48] = [
    "a", "about", "after", "all", "an", "and", "are", "as", "at", "be", "been", "by", "for", "from", "had", "has",
    "have", "he", "her", "his", "in", "into", "is", "it", "its", "near", "not", "of", "on", "or", "she", "story",
    "that", "the", "their", "them", "they", "this", "to", "until", "was", "were", "when", "which", "while", "who",
    "will", "with",
];

/// The content words of `text`: lower-case alphanumeric runs without stop words, in order, with repetition.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| STOP_WORDS.binary_search(&word.as_str()).is_err())
}

/// Every word seen, numbered in order of first appearance.
#[derive(Debug, Default)]
pub struct Lexicon {
    ids: HashMap<String, TermId>,
    words: Vec<String>,
}

impl Lexicon {
    /// The number of `word`, which is added if new.
    pub fn intern(&mut self, word: String) -> TermId {
        let next = self.words.len() as TermId;
        let words = &mut self.words;
        *self.ids.entry(word).or_insert_with_key(|word| {
            words.push(word.clone());
            next
        })
    }

    /// The number of a known word.
    pub fn id(&self, word: &str) -> Option<TermId> {
        self.ids.get(word).copied()
    }

    /// The word behind a number.
    pub fn word(&self, id: TermId) -> &str {
        self.words.get(id as usize).map_or("", String::as_str)
    }

    /// How many words are known.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether no word is known.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// A text as sorted `(term, frequency)` pairs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bag {
    /// Sorted by term.
    pub terms: Vec<(TermId, u32)>,
    /// Content words in all.
    pub length: u32,
}

impl Bag {
    /// Counts term numbers.
    pub fn of(mut terms: Vec<TermId>) -> Self {
        let length = terms.len() as u32;
        terms.sort_unstable();
        let mut counted: Vec<(TermId, u32)> = Vec::with_capacity(terms.len());
        for term in terms {
            match counted.last_mut() {
                Some((last, count)) if *last == term => *count += 1,
                _ => counted.push((term, 1)),
            }
        }
        Self { terms: counted, length }
    }

    /// Occurrences of `term`.
    pub fn frequency(&self, term: TermId) -> u32 {
        self.terms.binary_search_by_key(&term, |(id, _)| *id).map_or(0, |at| self.terms[at].1)
    }

    /// Distinct terms.
    pub fn distinct(&self) -> impl Iterator<Item = TermId> + '_ {
        self.terms.iter().map(|(term, _)| *term)
    }
}

/// Document counts of a term: in how many of how many texts it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DocumentCounts {
    /// Texts that hold the term.
    pub with_term: usize,
    /// Texts in all.
    pub total: usize,
}

/// idf of a term from a person's own counts, shrunk toward the counts of others by `prior` pseudo-documents. ≥ 0.
pub fn shrunk_idf(own: DocumentCounts, others: DocumentCounts, prior: f64) -> f64 {
    let share = if others.total == 0 { 0.0 } else { others.with_term as f64 / others.total as f64 };
    let df = own.with_term as f64 + prior * share;
    let n = own.total as f64 + prior;
    (1.0 + (n - df + 0.5).max(0.0) / (df + 0.5)).ln()
}

/// BM25 weight of a term that stands `frequency` times in a text of `length` words, before its idf. In `[0, k1 + 1)`.
pub fn saturation(frequency: u32, length: u32, mean_length: f64) -> f64 {
    let tf = f64::from(frequency);
    let relative = if mean_length > 0.0 { f64::from(length) / mean_length } else { 1.0 };
    tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * relative))
}

/// The least upper bound of [`saturation`]: what a theoretically perfect match would reach.
pub const SATURATION_BOUND: f64 = K1 + 1.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_so_that_binary_search_finds_them() {
        assert!(STOP_WORDS.is_sorted());
        assert_eq!(
            words("The Diver, who maps Łódź's streets").collect::<Vec<_>>(),
            ["diver", "maps", "łódź", "s", "streets"]
        );
    }

    #[test]
    fn idf_moves_from_own_counts_to_the_collective_with_the_prior() {
        let own = DocumentCounts { with_term: 2, total: 2 };
        let others = DocumentCounts { with_term: 1, total: 1000 };
        let alone = shrunk_idf(own, others, 0.0);
        let shrunk = shrunk_idf(own, others, 20.0);
        let collective = shrunk_idf(own, others, 1e9);
        assert!(alone < shrunk && shrunk < collective);
        assert!(alone >= 0.0, "a word in every own text is worth nothing, never less");
    }
}
