//! Texts as words and pairs of neighbouring words: what collective terms and neighbours are counted in.
//!
//! Invariants: features are numbered in order of first appearance in time, so what lies before `t` has the same numbers
//! whatever follows; postings are ascending by item, so "strictly before t" is a prefix of each. Both are columns: a base
//! that never changes, in memory or mapped, and what was added since.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::column::{Column, Lists, Sink, Slab, Slots, Source, Strings};
use super::embed::hash;
use super::neighbours::MOST_ITEMS;
use super::population::ItemIx;

/// A word or a pair of neighbouring words.
pub type FeatureIx = u32;

/// Texts that must hold a feature before it counts.
const LEAST_TEXTS: usize = 2;

/// The words of `text`: alphanumeric runs of two or more characters in lower case. Frequent ones stay: idf and the
/// background of [`super::terms`] weigh them, and pairs need their neighbours.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| run.chars().nth(1).is_some()).map(str::to_lowercase)
}

/// What a feature is: two neighbouring words, or a word and [`ALONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Key {
    first: u32,
    second: u32,
}

/// In place of a second word.
const ALONE: u32 = u32::MAX;

impl Key {
    fn hash(self) -> u64 {
        u64::from(self.first) << 32 | u64::from(self.second)
    }
}

/// All features that any text has, by what they are.
#[derive(Default)]
pub(super) struct Dictionary {
    words: Strings,
    /// Words of the base by spelling.
    spelt: Slots,
    added_words: HashMap<String, u32>,
    /// What each feature is.
    keys: Column<Key>,
    /// Features of the base by what they are.
    known: Slots,
    added: HashMap<Key, FeatureIx>,
    /// The first item that holds each feature, ascending.
    firsts: Column<u32>,
}

impl Dictionary {
    fn word(&self, word: &str) -> Option<u32> {
        let written = self.spelt.find(hash(word), |number| self.words[number as usize] == *word);
        written.or_else(|| self.added_words.get(word).copied())
    }

    fn feature(&self, key: Key) -> Option<FeatureIx> {
        let written = self.known.find(key.hash(), |feature| self.keys[feature as usize] == key);
        written.or_else(|| self.added.get(&key).copied())
    }

    fn learned(&mut self, key: Key, item: ItemIx) -> FeatureIx {
        self.feature(key).unwrap_or_else(|| {
            let next = self.keys.len() as FeatureIx;
            self.keys.push(key);
            self.firsts.push(item as u32);
            self.added.insert(key, next);
            next
        })
    }

    /// The features of the text of `item`, which follows all others: ascending, each as often as the text holds it.
    pub fn learn(&mut self, item: ItemIx, text: &str) -> Vec<FeatureIx> {
        let mut found = Vec::new();
        let mut last = None;
        for word in words(text) {
            let word = self.word(&word).unwrap_or_else(|| {
                let next = self.words.len() as u32;
                self.words.push(&word);
                self.added_words.insert(word, next);
                next
            });
            found.push(self.learned(Key { first: word, second: ALONE }, item));
            found.extend(last.map(|last| self.learned(Key { first: last, second: word }, item)));
            last = Some(word);
        }
        found.sort_unstable();
        found
    }

    /// The known features of a text with their tf, ascending.
    fn find(&self, text: &str) -> Vec<(FeatureIx, f32)> {
        let mut found = Vec::new();
        let mut last = None;
        for word in words(text) {
            let word = self.word(&word);
            found.extend(word.and_then(|word| self.feature(Key { first: word, second: ALONE })));
            let pair = last.zip(word).map(|(first, second)| Key { first, second });
            found.extend(pair.and_then(|pair| self.feature(pair)));
            last = word;
        }
        found.sort_unstable();
        counted(&found).collect()
    }

    /// How many features there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many of them some item before `before` holds: they are the first ones.
    fn before(&self, before: ItemIx) -> usize {
        self.firsts.partition_point(|first| (*first as ItemIx) < before)
    }

    /// Makes what was learned the base, if there is none yet.
    fn settle(&mut self) {
        self.words.settle();
        self.keys.settle();
        self.firsts.settle();
        self.spelt = Slots::of((0..self.words.len()).map(|word| hash(&self.words[word])));
        self.known = Slots::of((0..self.keys.len()).map(|feature| self.keys[feature].hash()));
        self.added_words = HashMap::new();
        self.added = HashMap::new();
    }

    /// Writes what was learned.
    pub fn write<S: Sink>(mut self, sink: &mut S) -> Result<(), S::Error> {
        self.settle();
        sink.lists("feature-words", self.words.base())?;
        sink.column("feature-words-slots", self.spelt.base())?;
        sink.column("feature-keys", self.keys.base())?;
        sink.column("feature-keys-slots", self.known.base())?;
        sink.column("feature-firsts", self.firsts.base())
    }

    fn read<S: Source>(source: &S) -> Result<Self, S::Error> {
        Ok(Self {
            words: Strings::new(source.column("feature-words-ends")?, source.column("feature-words")?),
            spelt: Slots::new(source.column("feature-words-slots")?),
            added_words: HashMap::new(),
            keys: source.column::<Key>("feature-keys")?.into(),
            known: Slots::new(source.column("feature-keys-slots")?),
            added: HashMap::new(),
            firsts: source.column::<u32>("feature-firsts")?.into(),
        })
    }
}

/// Each of `found`, ascending, once, with its tf = 1 + ln(occurrences).
fn counted<N: Copy + PartialEq>(found: &[N]) -> impl Iterator<Item = (N, f32)> {
    found.chunk_by(|a, b| a == b).map(|run| (run[0], frequency(run.len())))
}

/// tf of what a text holds so many times.
#[inline]
fn frequency(times: usize) -> f32 {
    /// Of the first few, which nearly all are.
    static FEW: LazyLock<[f32; 16]> = LazyLock::new(|| std::array::from_fn(|times| 1.0 + (times as f32).ln()));
    match times {
        1 => 1.0,
        times => FEW.get(times).copied().unwrap_or_else(|| 1.0 + (times as f32).ln()),
    }
}

/// The features of every text.
#[derive(Default)]
pub struct Features {
    dictionary: Dictionary,
    /// Row of each item that was written: what a person's items are read from lies together. Else rows are items.
    rows: Slab<u32>,
    /// By row the features of an item, ascending, each as often as its text holds it.
    items: Lists<FeatureIx>,
    /// Per feature of the base those of the first [`MOST_ITEMS`] items that hold it, as often as they do, ascending.
    early: Lists<u32>,
    /// The same of items that were added later.
    added_early: HashMap<FeatureIx, Vec<u32>>,
}

impl Features {
    /// Reads `texts` in time order.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut features = Self::default();
        for (item, text) in texts.enumerate() {
            let row = features.dictionary.learn(item, text);
            features.items.push(&row);
        }
        features.items.settle();
        features.dictionary.settle();
        let rows = (0..features.items.len().min(MOST_ITEMS)).map(|item| &features.items[item]);
        features.early = early_postings(features.dictionary.len(), rows);
        features
    }

    /// Adds texts that follow all others.
    pub(super) fn extend<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        for text in texts {
            let item = self.items.len();
            let row = self.dictionary.learn(item, text);
            if item < MOST_ITEMS {
                row.iter().for_each(|feature| self.added_early.entry(*feature).or_default().push(item as u32));
            }
            self.items.push(&row);
        }
    }

    /// Features as they were written: a dictionary, `rows`, `feature-items` and `feature-early`.
    pub(super) fn read<S: Source>(source: &S) -> Result<Self, S::Error> {
        Ok(Self {
            dictionary: Dictionary::read(source)?,
            rows: source.column("rows")?,
            items: source.lists("feature-items")?,
            early: source.lists("feature-early")?,
            added_early: HashMap::new(),
        })
    }

    /// The known features of a text with their tf, ascending; text that may be new.
    pub fn find(&self, text: &str) -> Vec<(FeatureIx, f32)> {
        self.dictionary.find(text)
    }

    /// How many features there are.
    pub fn len(&self) -> usize {
        self.dictionary.len()
    }

    /// Whether no text has any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many features some item before `before` holds: they are those with the lowest numbers.
    pub fn before(&self, before: ItemIx) -> usize {
        self.dictionary.before(before)
    }

    /// An item's features with their tf, ascending.
    pub fn of_item(&self, item: ItemIx) -> impl Iterator<Item = (FeatureIx, f32)> {
        counted(&self.items[self.rows.get(item).map_or(item, |row| *row as usize)])
    }

    /// The items before `before`, of which there are [`MOST_ITEMS`] at most, that hold `feature`, ascending, with its tf.
    pub fn holders(&self, feature: FeatureIx, before: ItemIx) -> impl Iterator<Item = (u32, f32)> {
        let known = feature as usize;
        let first = if known < self.early.len() { &self.early[known] } else { &[] };
        let later = self.added_early.get(&feature).map_or(&[][..], Vec::as_slice);
        let visible = |items: &[u32]| items.partition_point(|item| (*item as ItemIx) < before);
        counted(&first[..visible(first)]).chain(counted(&later[..visible(later)]))
    }
}

/// Turns `rows`, the features of items 0, 1, …, into lists of the items that hold each feature.
pub(super) fn early_postings<'r>(features: usize, rows: impl Iterator<Item = &'r [FeatureIx]> + Clone) -> Lists<u32> {
    let mut ends = vec![0usize; features];
    rows.clone().flatten().for_each(|feature| ends[*feature as usize] += 1);
    let mut end = 0;
    for place in &mut ends {
        let start = end;
        end += *place;
        *place = start;
    }
    let mut items = vec![0u32; end];
    for (item, row) in rows.enumerate() {
        for feature in row {
            let next = &mut ends[*feature as usize];
            items[*next] = item as u32;
            *next += 1;
        }
    }
    // Each list has been filled to its end.
    Lists::new(ends.into(), items.into())
}

/// Weights of features as of a moment: tf · idf over the length of the text, idf = ln((1 + n)/(1 + df)) + 1 of the
/// first n items, 0 for a feature that fewer than two of them hold.
pub struct Weighting {
    /// idf of a feature that none of the first items holds: 0, or 1 where there is nothing to tell rare ones by.
    beyond: f64,
    /// Of the features that some of the first items hold.
    idf: Slab<f64>,
    /// Length of each item's tf · idf vector.
    lengths: Column<f64>,
}

impl Weighting {
    /// idf of the items `0..before`, lengths of the items `0..until`. With nothing before, every feature weighs 1.
    pub fn of(features: &Features, before: ItemIx, until: ItemIx) -> Self {
        let mut texts_with = vec![0usize; features.before(before)];
        for item in 0..before {
            features.of_item(item).for_each(|(feature, _)| texts_with[feature as usize] += 1);
        }
        let idf = |df: usize| match df {
            0..LEAST_TEXTS => 0.0,
            df => ((1 + before) as f64 / (1 + df) as f64).ln() + 1.0,
        };
        let idf: Vec<f64> = texts_with.into_iter().map(idf).collect();
        let mut weighting =
            Self { beyond: if before == 0 { 1.0 } else { 0.0 }, idf: idf.into(), lengths: Column::default() };
        weighting.extend(features, until);
        weighting.lengths.settle();
        weighting
    }

    /// Adds the lengths of items up to `until`.
    pub(super) fn extend(&mut self, features: &Features, until: ItemIx) {
        for item in self.lengths.len()..until {
            let length = self.length(features.of_item(item));
            self.lengths.push(length);
        }
    }

    /// Writes what does not change any more.
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.column("idf", &self.idf)?;
        sink.column("lengths", self.lengths.base())
    }

    /// Weights of a moment with something before it, as they were written.
    pub(super) fn read<S: Source>(source: &S) -> Result<Self, S::Error> {
        Ok(Self { beyond: 0.0, idf: source.column("idf")?, lengths: source.column::<f64>("lengths")?.into() })
    }

    fn length(&self, row: impl Iterator<Item = (FeatureIx, f32)>) -> f64 {
        row.map(|(feature, tf)| (f64::from(tf) * self.idf(feature)).powi(2)).sum::<f64>().sqrt()
    }

    /// The unit vector of a text: features that count, with their weights. Empty if none does.
    pub fn vector(&self, row: &[(FeatureIx, f32)]) -> Vec<(FeatureIx, f64)> {
        let length = self.length(row.iter().copied());
        let weight = |(feature, tf): &(FeatureIx, f32)| (*feature, f64::from(*tf) * self.idf(*feature) / length);
        row.iter().filter(|(feature, _)| self.counts(*feature)).map(weight).collect()
    }

    /// How many features some of the first items hold; no other counts, if there are such items.
    pub(super) fn known(&self) -> usize {
        self.idf.len()
    }

    /// Whether enough texts hold `feature`.
    pub fn counts(&self, feature: FeatureIx) -> bool {
        self.idf(feature) > 0.0
    }

    /// idf of a feature; 0 for one that does not count.
    pub fn idf(&self, feature: FeatureIx) -> f64 {
        self.idf.get(feature as usize).copied().unwrap_or(self.beyond)
    }

    /// Length of an item's tf · idf vector.
    pub fn length_of(&self, item: ItemIx) -> f64 {
        self.lengths[item]
    }

    /// Weight of a feature in `item`, where it stands with `tf`.
    pub fn weight(&self, feature: FeatureIx, tf: f32, item: ItemIx) -> f64 {
        f64::from(tf) * self.idf(feature) / self.lengths[item]
    }

    /// Σ_w v_w of an item: what one text adds to sums.
    pub fn mass(&self, features: &Features, item: ItemIx) -> f64 {
        let sum: f64 = features.of_item(item).map(|(feature, tf)| f64::from(tf) * self.idf(feature)).sum();
        if sum > 0.0 { sum / self.lengths[item] } else { 0.0 }
    }
}

/// A query's unit vector, with a way to find a feature's place in it.
pub struct Sought {
    /// `(feature, weight)`, ascending.
    pub vector: Vec<(FeatureIx, f64)>,
    /// A bit per feature's remainder: most features of a text are known not to be sought without a search.
    marks: [u64; MARKS],
}

/// Words of 64 marks.
const MARKS: usize = 32;

/// Where a feature is marked.
fn mark(feature: FeatureIx) -> (usize, u64) {
    (feature as usize / 64 % MARKS, 1 << (feature % 64))
}

impl Sought {
    /// Weighs a text's features as of a moment with `before` items.
    pub fn new(features: &Features, weighting: &Weighting, row: &[(FeatureIx, f32)], before: ItemIx) -> Self {
        if weighting.beyond == 0.0 {
            return Self::of(weighting.vector(row));
        }
        // Without idf, nothing else would drop what only later texts hold.
        let known = features.before(before);
        let held: Vec<_> = row.iter().copied().filter(|(feature, _)| (*feature as usize) < known).collect();
        Self::of(weighting.vector(&held))
    }

    fn of(vector: Vec<(FeatureIx, f64)>) -> Self {
        let mut marks = [0; MARKS];
        for (feature, _) in &vector {
            let (word, bit) = mark(*feature);
            marks[word] |= bit;
        }
        Self { vector, marks }
    }

    /// Calls `met(place in the query, weight in the item)` for every feature that both hold, ascending.
    pub fn meet(&self, features: &Features, weighting: &Weighting, item: ItemIx, mut met: impl FnMut(usize, f64)) {
        for (feature, tf) in features.of_item(item) {
            let (word, bit) = mark(feature);
            if self.marks[word] & bit != 0
                && let Ok(place) = self.vector.binary_search_by_key(&feature, |(sought, _)| *sought)
            {
                met(place, weighting.weight(feature, tf, item));
            }
        }
    }

    /// Cosine of query and item, in [0, 1].
    pub fn cosine(&self, features: &Features, weighting: &Weighting, item: ItemIx) -> f64 {
        let mut sum = 0.0;
        self.meet(features, weighting, item, |place, weight| sum += self.vector[place].1 * weight);
        sum.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(texts: &[&str]) -> Features {
        Features::of(texts.iter().copied())
    }

    #[test]
    fn weights_equal_hand_computed_values() {
        let features = features(&["Red fox, red hen", "a red fox", "blue hen"]);
        let weighting = Weighting::of(&features, 3, 3);
        let row = features.find("red red fox in blue");
        // In two texts or more: fox, hen, red, "red fox"; "a" is too short, and "blue" stands in one text.
        let idf = (4.0f64 / 3.0).ln() + 1.0;
        let (red, fox, pair) = ((1.0 + 2f64.ln()) * idf, idf, idf);
        let length = (red * red + fox * fox + pair * pair).sqrt();
        let vector = weighting.vector(&row);
        let expected = [red / length, fox / length, pair / length];
        assert_eq!(vector.len(), expected.len());
        for ((_, found), expected) in vector.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{vector:?}");
        }
        let sought = Sought::new(&features, &weighting, &row, 3);
        let second = (3.0f64).sqrt() * idf;
        let cosine = (red + fox + pair) * idf / length / second;
        assert!((sought.cosine(&features, &weighting, 1) - cosine).abs() < 1e-6);
        assert!((weighting.mass(&features, 1) - 3f64.sqrt()).abs() < 1e-6);
        assert!(features.find("nothing known").is_empty());
        let once = self::features(&["once"]);
        assert_eq!(Weighting::of(&once, 1, 1).mass(&once, 0), 0.0);
    }

    #[test]
    fn later_texts_change_neither_numbers_nor_weights() {
        let all = ["red fox", "red hen red", "blue hen", "fox and hen"];
        let (past, whole) = (features(&all[..2]), features(&all));
        let (a, b) = (Weighting::of(&past, 2, 2), Weighting::of(&whole, 2, 3));
        for item in 0..2 {
            assert!(past.of_item(item).eq(whole.of_item(item)));
            assert_eq!(a.mass(&past, item), b.mass(&whole, item));
        }
        let asked = "the red hen and blue fox";
        assert_eq!(a.vector(&past.find(asked)), b.vector(&whole.find(asked)));
        assert_eq!(whole.holders(0, 3).collect::<Vec<_>>(), [(0, 1.0), (1, 1.0 + 2f32.ln())]);
        let mut grown = features(&all[..1]);
        grown.extend(all[1..].iter().copied());
        assert_eq!((grown.len(), grown.before(2)), (whole.len(), past.len()));
        for feature in 0..whole.len() as FeatureIx {
            assert!(grown.holders(feature, 4).eq(whole.holders(feature, 4)));
        }
        assert!((0..4).all(|item| grown.of_item(item).eq(whole.of_item(item))));
        assert_eq!(grown.find(asked), whole.find(asked));
    }
}
