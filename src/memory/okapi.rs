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

/// The words of one person's texts as numbers, given in order of first appearance: those of the first n texts are then
/// the least numbers. Made once a person, since a read that hashed every word anew would do little else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spoken {
    numbers: HashMap<Box<str>, u32>,
    /// Text after text.
    words: Vec<u32>,
    /// Where each text ends among them.
    ends: Vec<usize>,
}

impl Spoken {
    /// Numbers the [`tokens`] of `texts`.
    pub fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        Self::of_tokens(texts.map(tokens))
    }

    /// Numbers texts whose tokens are known.
    pub fn of_tokens<'a>(texts: impl Iterator<Item = impl Iterator<Item = &'a str>>) -> Self {
        let mut spoken = Self::default();
        // Room for the words that a profile of short texts comes to: growing means hashing all of them again.
        spoken.numbers.reserve(8 * texts.size_hint().0);
        for text in texts {
            for token in text {
                let number = spoken.number(token).unwrap_or_else(|| {
                    let next = spoken.numbers.len() as u32;
                    spoken.numbers.insert(token.into(), next);
                    next
                });
                spoken.words.push(number);
            }
            spoken.ends.push(spoken.words.len());
        }
        spoken
    }

    /// The number of a word; `None` for one of no text.
    pub fn number(&self, word: &str) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    /// How many texts there are.
    pub fn texts(&self) -> usize {
        self.ends.len()
    }

    /// The words of a text.
    fn text(&self, place: usize) -> &[u32] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.words[start..self.ends[place]]
    }
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
    end: u32,
    idf: f64,
}

/// One person's texts, counted. Words are the numbers that [`Spoken`] gave them; `None` is a word of no text.
pub struct Okapi {
    /// In order of first appearance: a sum of floating-point numbers depends on it.
    words: Vec<Word>,
    /// Word after word, each in order of place.
    postings: Vec<Posting>,
    lengths: Vec<u32>,
    mean_length: f64,
}

impl Okapi {
    /// Counts the first `texts` texts of a person.
    pub fn of(spoken: &Spoken, texts: usize) -> Self {
        let mut lengths = Vec::with_capacity(texts);
        // Every text of every word, as they come; for each word the last of them.
        let mut found: Vec<(u32, Posting)> = Vec::with_capacity(spoken.words.len());
        let (mut counts, mut last): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for place in 0..texts as u32 {
            let text = spoken.text(place as usize);
            lengths.push(text.len() as u32);
            for number in text {
                let word = *number as usize;
                if word == counts.len() {
                    counts.push(0);
                    last.push(u32::MAX);
                }
                match found.get_mut(last[word] as usize) {
                    Some((_, posting)) if posting.place == place => posting.times += 1,
                    _ => {
                        last[word] = found.len() as u32;
                        counts[word] += 1;
                        found.push((*number, Posting { place, times: 1 }));
                    }
                }
            }
        }
        let mut words = weigh(&counts, lengths.len() as f64);
        let mut start = 0;
        for word in &mut words {
            word.end = start;
            start += word.texts;
        }
        let mut postings = vec![Posting::default(); found.len()];
        for (number, posting) in found {
            let end = &mut words[number as usize].end;
            postings[*end as usize] = posting;
            *end += 1;
        }
        let mean_length = f64::from(lengths.iter().sum::<u32>()) / (lengths.len() as f64).max(1.0);
        Self { words, postings, lengths, mean_length }
    }

    fn postings(&self, word: &Word) -> &[Posting] {
        &self.postings[(word.end - word.texts) as usize..word.end as usize]
    }

    /// A word that only later texts hold is one of no text.
    fn word(&self, number: Option<u32>) -> Option<&Word> {
        self.words.get(number? as usize)
    }

    /// idf of a word after the floor; `None` for a word of no text.
    pub fn idf(&self, word: Option<u32>) -> Option<f64> {
        self.word(word).map(|word| word.idf)
    }

    /// How many of the texts hold a word, and how many texts there are.
    pub fn texts_with(&self, word: Option<u32>) -> (usize, usize) {
        (self.word(word).map_or(0, |word| word.texts as usize), self.lengths.len())
    }

    /// What one occurrence of `word` in the query adds to the score of the text in this place.
    pub fn contribution(&self, word: Option<u32>, place: usize) -> f64 {
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
    pub fn scores(&self, query: &[Option<u32>]) -> Vec<f64> {
        let mut scores = vec![0.0; self.lengths.len()];
        for word in query.iter().filter_map(|word| self.word(*word)) {
            for posting in self.postings(word) {
                scores[posting.place as usize] += self.weight(word, *posting);
            }
        }
        scores
    }

    /// The least and the greatest score that any text could have, and that a wholly perfect one would have if it held
    /// the query's unknown words as well.
    pub fn bounds(&self, query: &[Option<u32>]) -> (f64, f64) {
        let rarest = (self.lengths.len() as f64 + 0.5).ln() - 0.5f64.ln();
        let bound = |word: &Option<u32>| self.idf(*word).unwrap_or(rarest) * (K1 + 1.0);
        let bounds = query.iter().map(bound);
        bounds.fold((0.0, 0.0), |(low, high), bound| (low + bound.min(0.0), high + bound.max(0.0)))
    }
}

/// Words that so many of `total` texts hold each, with their idf; their postings have no place yet.
fn weigh(counts: &[u32], total: f64) -> Vec<Word> {
    // Words of as many texts weigh the same; most stand in a few, and a logarithm takes longer than a look.
    let mut known: Vec<Option<f64>> = vec![None; counts.iter().max().map_or(0, |most| *most as usize + 1)];
    let mut words = Vec::with_capacity(counts.len());
    let mut sum = 0.0;
    for texts in counts {
        let n = f64::from(*texts);
        let idf = *known[*texts as usize].get_or_insert_with(|| (total - n + 0.5).ln() - (n + 0.5).ln());
        sum += idf;
        words.push(Word { texts: *texts, end: 0, idf });
    }
    let floor = EPSILON * sum / words.len().max(1) as f64;
    words.iter_mut().filter(|word| word.idf < 0.0).for_each(|word| word.idf = floor);
    words
}
