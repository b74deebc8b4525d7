//! How well the words of a query match a person's own texts, as of a moment: a lexical score in [0, 1] for each text,
//! and the words that make it up.
//!
//! Invariant: the parts of a score add up to it, under either BM25.

use std::sync::Arc;

use super::lexical::{DocumentCounts, SATURATION_BOUND, TermId, saturation, shrunk_idf};
use super::local::Probe;
use super::okapi::{Okapi, Spoken, tokens};
use super::population::{ItemIx, Population};
use crate::data::dataset::{Bm25, Retrieval};
use crate::data::interaction::Timestamp;

/// A word of the query that somebody used before.
struct ShrunkWord {
    term: TermId,
    idf: f64,
    own: DocumentCounts,
    others: DocumentCounts,
}

/// Other people's texts with a word, as far as that may be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Others {
    /// They are not asked.
    Unasked,
    /// Fewer people than the guard said it.
    Few,
    /// So many of so many.
    Counted(DocumentCounts),
}

/// What a word of the query adds to a text's lexical score.
#[derive(Clone, Debug, PartialEq)]
pub struct WordPart {
    /// The word; `None` for what every text gets because the least possible score is below 0.
    pub word: Option<String>,
    /// Its share of the lexical score.
    pub share: f64,
    /// idf that weighs it.
    pub idf: f64,
    /// How often it stands in the text.
    pub times: u32,
    /// The person's texts with it.
    pub own: DocumentCounts,
    /// Other people's.
    pub others: Others,
}

/// The query's words against the person's visible texts.
pub struct Matching<'a> {
    population: &'a Population,
    visible: &'a [ItemIx],
    before: usize,
    guard: usize,
    form: Form<'a>,
}

enum Form<'a> {
    Shrunk {
        words: Vec<ShrunkWord>,
        /// The least upper bound of the sum for this query.
        ideal: f64,
        mean_length: f64,
    },
    Lamp {
        okapi: Okapi,
        spoken: Arc<Spoken>,
        query: Vec<&'a str>,
        /// Of every text.
        scores: Vec<f64>,
        low: f64,
        high: f64,
    },
}

impl<'a> Matching<'a> {
    /// Counts the query's words in the texts `visible` before `t`.
    pub fn new(
        population: &'a Population,
        settings: &Retrieval,
        visible: &'a [ItemIx],
        probe: &'a Probe,
        t: Timestamp,
    ) -> Self {
        let form = match settings.bm25 {
            Bm25::Shrunk => shrunk(population, settings, visible, probe, t),
            Bm25::Lamp => {
                let spoken = population.spoken(visible);
                let okapi = Okapi::of(&spoken, visible.len());
                let query: Vec<&str> = tokens(&probe.text).collect();
                let numbers: Vec<Option<u32>> = query.iter().map(|word| spoken.number(word)).collect();
                let (low, high) = okapi.bounds(&numbers);
                let scores = okapi.scores(&numbers);
                Form::Lamp { okapi, spoken, query, scores, low, high }
            }
        };
        Self { population, visible, before: population.before(t), guard: settings.guard, form }
    }

    /// The lexical score of the text in this place among the visible ones, in [0, 1].
    pub fn score(&self, place: usize) -> f64 {
        match &self.form {
            Form::Shrunk { words, ideal, mean_length } => {
                let bag = self.population.bag(self.visible[place]);
                let length = bag.length();
                let bm25: f64 = words
                    .iter()
                    .map(|word| word.idf * saturation(bag.frequency(word.term), length, *mean_length))
                    .sum();
                if *ideal > 0.0 { bm25 / ideal } else { 0.0 }
            }
            // Between the least and the greatest possible score: the order is that of the scores, negative ones too.
            Form::Lamp { scores, low, high, .. } if high > low => (scores[place] - low) / (high - low),
            Form::Lamp { .. } => 0.0,
        }
    }

    fn others(&self, word: &ShrunkWord) -> Others {
        let person = self.visible.first().map(|first| self.population.user[*first]);
        match self.population.many_said(word.term, self.before, person, self.guard) {
            true => Others::Counted(word.others),
            false => Others::Few,
        }
    }

    /// What each word adds to [`Self::score`], greatest first; words that add nothing are left out.
    pub fn parts(&self, place: usize) -> Vec<WordPart> {
        let item = self.visible[place];
        let mut parts: Vec<WordPart> = match &self.form {
            Form::Shrunk { words, ideal, mean_length } => {
                let bag = self.population.bag(item);
                let length = bag.length();
                let part = |word: &ShrunkWord| WordPart {
                    word: Some(self.population.lexicon.word(word.term).to_owned()),
                    share: word.idf * saturation(bag.frequency(word.term), length, *mean_length) / ideal,
                    idf: word.idf,
                    times: bag.frequency(word.term),
                    own: word.own,
                    others: self.others(word),
                };
                if *ideal > 0.0 { words.iter().map(part).collect() } else { Vec::new() }
            }
            Form::Lamp { okapi, spoken, query, low, high, .. } if high > low => {
                let mut distinct: Vec<&str> = query.clone();
                distinct.sort_unstable();
                distinct.dedup();
                let part = |word: &&str| {
                    let asked = query.iter().filter(|other| *other == word).count() as f64;
                    let number = spoken.number(word);
                    let (with_term, total) = okapi.texts_with(number);
                    WordPart {
                        word: Some((*word).to_owned()),
                        share: asked * okapi.contribution(number, place) / (high - low),
                        idf: okapi.idf(number).unwrap_or_default(),
                        times: tokens(&self.population.text[item]).filter(|token| token == word).count() as u32,
                        own: DocumentCounts { with_term, total },
                        others: Others::Unasked,
                    }
                };
                let lift = WordPart {
                    word: None,
                    share: -low / (high - low),
                    idf: 0.0,
                    times: 0,
                    own: DocumentCounts::default(),
                    others: Others::Unasked,
                };
                distinct.iter().map(part).chain([lift]).collect()
            }
            Form::Lamp { .. } => Vec::new(),
        };
        parts.retain(|part| part.share != 0.0);
        parts.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.word.cmp(&b.word)));
        parts
    }
}

fn shrunk<'a>(
    population: &Population,
    settings: &Retrieval,
    visible: &[ItemIx],
    probe: &Probe,
    t: Timestamp,
) -> Form<'a> {
    let before = population.before(t);
    // All that the person did is kept from the others' texts, also what memory is made not to hold.
    let person = visible.first().map(|first| population.user[*first]);
    let did = population.visible(person, t);
    let holding = |items: &[ItemIx], term| items.iter().filter(|i| population.bag(**i).frequency(term) > 0).count();
    let mut words = Vec::new();
    // Words that nobody used before: whether a later text holds them must make no difference.
    let mut unseen = probe.unknown;
    for term in probe.bag.distinct() {
        let all = population.document_counts(term, before);
        if all.with_term == 0 {
            unseen += 1;
            continue;
        }
        let own = DocumentCounts { with_term: holding(visible, term), total: visible.len() };
        let theirs = if did.len() == visible.len() { own.with_term } else { holding(did, term) };
        let others = DocumentCounts { with_term: all.with_term - theirs, total: all.total - did.len() };
        words.push(ShrunkWord { term, idf: shrunk_idf(own, others, settings.idf_prior), own, others });
    }
    // A word nobody used before t is as rare as a word can be.
    let nothing = DocumentCounts { with_term: 0, total: visible.len() };
    let rarest = shrunk_idf(nothing, DocumentCounts::default(), settings.idf_prior);
    let ideal = (words.iter().map(|word| word.idf).sum::<f64>() + unseen as f64 * rarest) * SATURATION_BOUND;
    let total_length: u32 = visible.iter().map(|item| population.bag(*item).length()).sum();
    let mean_length = f64::from(total_length) / visible.len().max(1) as f64;
    Form::Shrunk { words, ideal, mean_length }
}
