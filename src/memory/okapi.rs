//! BM25 exactly as the Python package `rank_bm25` 0.2 scores one person's profile, which is what LaMP's reference code
//! ranks a profile with: for comparison with published retrieval results, token for token.
//!
//! Facts that parity rests on: tokens are runs between white space, with their case; k₁ = 1.5, b = .75;
//! idf = ln(N − n + ½) − ln(n + ½), and a negative one becomes ε = .25 times the mean idf of all words (summed in order
//! of first appearance), which in a short profile is itself negative; a word that stands twice in the query counts
//! twice; a word of no text counts nothing. Scores may therefore be negative.

use std::collections::HashMap;

/// Saturation of term frequency.
const K1: f64 = 1.5;
/// Length normalisation.
const B: f64 = 0.75;
/// What a negative idf becomes, as a share of the mean idf.
const EPSILON: f64 = 0.25;

/// The tokens of `text`, as Python's `str.split` makes them.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    // Python counts the four ASCII separators as white space, Unicode's property does not.
    text.split(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)).filter(|token| !token.is_empty())
}

/// A word of the profile.
#[derive(Clone, Copy, Debug)]
struct Word {
    /// Texts that hold it.
    texts: usize,
    idf: f64,
}

/// One person's texts, counted.
pub struct Okapi<'a> {
    words: HashMap<&'a str, Word>,
    frequencies: Vec<HashMap<&'a str, u32>>,
    lengths: Vec<u32>,
    mean_length: f64,
}

impl<'a> Okapi<'a> {
    /// Counts `texts`.
    pub fn new(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut okapi = Self { words: HashMap::new(), frequencies: Vec::new(), lengths: Vec::new(), mean_length: 0.0 };
        // In order of first appearance: a sum of floating-point numbers depends on it.
        let mut order: Vec<&str> = Vec::new();
        for text in texts {
            let mut counted: HashMap<&str, u32> = HashMap::new();
            let mut length = 0;
            for token in tokens(text) {
                length += 1;
                let count = counted.entry(token).or_default();
                *count += 1;
                if *count == 1 {
                    let word = okapi.words.entry(token).or_insert_with(|| {
                        order.push(token);
                        Word { texts: 0, idf: 0.0 }
                    });
                    word.texts += 1;
                }
            }
            okapi.frequencies.push(counted);
            okapi.lengths.push(length);
        }
        let total = okapi.lengths.len() as f64;
        okapi.mean_length = okapi.lengths.iter().sum::<u32>() as f64 / total.max(1.0);
        let mut sum = 0.0;
        for name in &order {
            if let Some(word) = okapi.words.get_mut(name) {
                let n = word.texts as f64;
                word.idf = (total - n + 0.5).ln() - (n + 0.5).ln();
                sum += word.idf;
            }
        }
        let floor = EPSILON * sum / order.len().max(1) as f64;
        okapi.words.values_mut().filter(|word| word.idf < 0.0).for_each(|word| word.idf = floor);
        okapi
    }

    /// idf of a word after the floor; `None` for a word of no text.
    pub fn idf(&self, word: &str) -> Option<f64> {
        self.words.get(word).map(|word| word.idf)
    }

    /// How many of the texts hold a word, and how many texts there are.
    pub fn texts_with(&self, word: &str) -> (usize, usize) {
        (self.words.get(word).map_or(0, |word| word.texts), self.lengths.len())
    }

    /// What one occurrence of `word` in the query adds to the score of the text in this place.
    pub fn contribution(&self, word: &str, place: usize) -> f64 {
        let tf = f64::from(self.frequencies[place].get(word).copied().unwrap_or_default());
        if tf == 0.0 {
            return 0.0;
        }
        let relative = f64::from(self.lengths[place]) / self.mean_length;
        self.idf(word).unwrap_or_default() * (tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * relative)))
    }

    /// The score of the text in this place, as `rank_bm25` gives it.
    pub fn score(&self, query: &[&str], place: usize) -> f64 {
        query.iter().map(|word| self.contribution(word, place)).sum()
    }

    /// The least and the greatest score that any text could have, and that a wholly perfect one would have if it held
    /// the query's unknown words as well.
    pub fn bounds(&self, query: &[&str]) -> (f64, f64) {
        let rarest = (self.lengths.len() as f64 + 0.5).ln() - 0.5f64.ln();
        let bound = |word: &&str| self.idf(word).unwrap_or(rarest) * (K1 + 1.0);
        let bounds = query.iter().map(bound);
        bounds.fold((0.0, 0.0), |(low, high), bound| (low + bound.min(0.0), high + bound.max(0.0)))
    }
}
