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

/// A text that holds a word.
#[derive(Clone, Copy, Debug, Default)]
struct Posting {
    place: u32,
    times: u32,
}

/// A word of the profile.
#[derive(Clone, Copy, Debug)]
struct Word {
    /// Texts that hold it.
    texts: u32,
    /// Where its postings end.
    end: usize,
    /// Until all texts are counted: the last text that holds it, and where that is noted.
    last: (u32, usize),
    idf: f64,
}

/// One person's texts, counted.
pub struct Okapi<'a> {
    numbers: HashMap<&'a str, u32>,
    /// In order of first appearance: a sum of floating-point numbers depends on it.
    words: Vec<Word>,
    /// Word after word, each in order of place.
    postings: Vec<Posting>,
    lengths: Vec<u32>,
    mean_length: f64,
}

impl<'a> Okapi<'a> {
    /// Counts `texts`.
    pub fn new(texts: impl Iterator<Item = &'a str>) -> Self {
        Self::of_tokens(texts.map(tokens))
    }

    /// Counts texts whose tokens are known.
    pub fn of_tokens(texts: impl Iterator<Item = impl Iterator<Item = &'a str>>) -> Self {
        // Room for the words that a profile of short texts comes to: growing means hashing all of them again.
        let mut numbers = HashMap::with_capacity(8 * texts.size_hint().0);
        let (mut words, mut lengths) = (Vec::<Word>::new(), Vec::new());
        // Every text of every word, as they come.
        let mut found: Vec<(u32, Posting)> = Vec::new();
        for (place, text) in (0u32..).zip(texts) {
            let mut length = 0;
            for token in text {
                length += 1;
                let number = *numbers.entry(token).or_insert(words.len() as u32);
                if number as usize == words.len() {
                    words.push(Word { texts: 0, end: 0, last: (u32::MAX, 0), idf: 0.0 });
                }
                let word = &mut words[number as usize];
                if word.last.0 == place {
                    found[word.last.1].1.times += 1;
                } else {
                    word.last = (place, found.len());
                    word.texts += 1;
                    found.push((number, Posting { place, times: 1 }));
                }
            }
            lengths.push(length);
        }
        weigh(&mut words, lengths.len() as f64);
        let mut start = 0;
        for word in &mut words {
            word.end = start;
            start += word.texts as usize;
        }
        let mut postings = vec![Posting::default(); found.len()];
        for (number, posting) in found {
            let end = &mut words[number as usize].end;
            postings[*end] = posting;
            *end += 1;
        }
        let mean_length = f64::from(lengths.iter().sum::<u32>()) / (lengths.len() as f64).max(1.0);
        Self { numbers, words, postings, lengths, mean_length }
    }

    fn postings(&self, word: &Word) -> &[Posting] {
        &self.postings[word.end - word.texts as usize..word.end]
    }

    fn word(&self, word: &str) -> Option<&Word> {
        self.numbers.get(word).map(|number| &self.words[*number as usize])
    }

    /// idf of a word after the floor; `None` for a word of no text.
    pub fn idf(&self, word: &str) -> Option<f64> {
        self.word(word).map(|word| word.idf)
    }

    /// How many of the texts hold a word, and how many texts there are.
    pub fn texts_with(&self, word: &str) -> (usize, usize) {
        (self.word(word).map_or(0, |word| word.texts as usize), self.lengths.len())
    }

    /// What one occurrence of `word` in the query adds to the score of the text in this place.
    pub fn contribution(&self, word: &str, place: usize) -> f64 {
        let Some(word) = self.word(word) else { return 0.0 };
        let postings = self.postings(word);
        let found = postings.binary_search_by_key(&place, |posting| posting.place as usize);
        found.map_or(0.0, |at| self.weight(word, postings[at]))
    }

    fn weight(&self, word: &Word, posting: Posting) -> f64 {
        let tf = f64::from(posting.times);
        let relative = f64::from(self.lengths[posting.place as usize]) / self.mean_length;
        word.idf * (tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * relative)))
    }

    /// The score of every text, as `rank_bm25` gives them.
    pub fn scores(&self, query: &[&str]) -> Vec<f64> {
        let mut scores = vec![0.0; self.lengths.len()];
        for word in query.iter().filter_map(|word| self.word(word)) {
            for posting in self.postings(word) {
                scores[posting.place as usize] += self.weight(word, *posting);
            }
        }
        scores
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

/// Sets every idf, of words in `total` texts.
fn weigh(words: &mut [Word], total: f64) {
    // Words of as many texts weigh the same; most stand in a few, and a logarithm takes longer than a look.
    let mut known: Vec<Option<f64>> = Vec::new();
    let mut sum = 0.0;
    for word in words.iter_mut() {
        let texts = word.texts as usize;
        if texts >= known.len() {
            known.resize(texts + 1, None);
        }
        let n = f64::from(word.texts);
        word.idf = *known[texts].get_or_insert_with(|| (total - n + 0.5).ln() - (n + 0.5).ln());
        sum += word.idf;
    }
    let floor = EPSILON * sum / words.len().max(1) as f64;
    words.iter_mut().filter(|word| word.idf < 0.0).for_each(|word| word.idf = floor);
}
