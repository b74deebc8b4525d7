//! Words, and how well a text matches them: BM25 with statistics of one person's visible past.
//!
//! Formulas: Robertson–Spärck Jones idf in its non-negative form, `ln(1 + (N − df + ½)/(df + ½))`, where a person's own
//! counts are shrunk toward everybody else's by a visible number of pseudo-documents; a handful of own items says
//! nothing about how rare a word is.

use std::collections::HashMap;

use serde::Serialize;

use super::column::{Slab, Strings};

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
#[derive(Default)]
pub struct Lexicon {
    words: Strings,
    /// Numbers of the first words by their spelling; those that came later are in `added`.
    sorted: Slab<TermId>,
    added: HashMap<String, TermId>,
}

impl Lexicon {
    /// Words that were written with their order, see [`Self::sorted`].
    pub fn new(words: Strings, sorted: Slab<TermId>) -> Self {
        Self { words, sorted, added: HashMap::new() }
    }

    /// The number of `word`, which is added if new.
    pub fn intern(&mut self, word: String) -> TermId {
        self.id(&word).unwrap_or_else(|| {
            let next = self.words.len() as TermId;
            self.words.push(&word);
            self.added.insert(word, next);
            next
        })
    }

    /// The number of a known word.
    pub fn id(&self, word: &str) -> Option<TermId> {
        let written = || self.sorted.binary_search_by(|id| self.words[*id as usize].cmp(word)).ok();
        self.added.get(word).copied().or_else(|| written().map(|at| self.sorted[at]))
    }

    /// The word behind a number.
    pub fn word(&self, id: TermId) -> &str {
        if (id as usize) < self.words.len() { &self.words[id as usize] } else { "" }
    }

    /// How many words are known.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether no word is known.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// All words by number.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter()
    }

    /// The numbers of all words by their spelling.
    pub fn sorted(&self) -> Vec<TermId> {
        let mut ids: Vec<TermId> = (0..self.len() as TermId).collect();
        ids.sort_unstable_by_key(|id| self.word(*id));
        ids
    }
}

/// A term and how often it stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct TermCount {
    /// Which.
    pub term: TermId,
    /// How often, at least once.
    pub count: u32,
}

/// The words of a text with their counts, sorted by term.
#[derive(Clone, Copy, Debug)]
pub struct BagRef<'a>(pub &'a [TermCount]);

impl<'a> BagRef<'a> {
    /// Content words in all.
    pub fn length(self) -> u32 {
        self.0.iter().map(|counted| counted.count).sum()
    }

    /// Occurrences of `term`.
    pub fn frequency(self, term: TermId) -> u32 {
        self.0.binary_search_by_key(&term, |counted| counted.term).map_or(0, |at| self.0[at].count)
    }

    /// Distinct terms.
    pub fn distinct(self) -> impl Iterator<Item = TermId> + 'a {
        self.0.iter().map(|counted| counted.term)
    }
}

/// The words of a text of its own, such as a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bag(Vec<TermCount>);

impl Bag {
    /// Counts term numbers.
    pub fn of(mut terms: Vec<TermId>) -> Self {
        terms.sort_unstable();
        let mut counted: Vec<TermCount> = Vec::with_capacity(terms.len());
        for term in terms {
            match counted.last_mut() {
                Some(last) if last.term == term => last.count += 1,
                _ => counted.push(TermCount { term, count: 1 }),
            }
        }
        Self(counted)
    }

    /// The words.
    pub fn view(&self) -> BagRef<'_> {
        BagRef(&self.0)
    }

    /// Distinct terms.
    pub fn distinct(&self) -> impl Iterator<Item = TermId> + '_ {
        self.view().distinct()
    }
}

impl From<BagRef<'_>> for Bag {
    fn from(bag: BagRef<'_>) -> Self {
        Self(bag.0.to_vec())
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
