//! Texts as words and pairs of neighbouring words: what collective terms and neighbours are counted in.
//!
//! Invariants: features are numbered in order of first appearance in time, so what lies before `t` has the same numbers
//! whatever follows; postings are ascending by item, so "strictly before t" is a prefix of each.

use std::collections::HashMap;

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

/// Sparse rows in one piece of memory.
#[derive(Default)]
struct Rows<T> {
    ends: Vec<usize>,
    cells: Vec<T>,
}

impl<T> Rows<T> {
    fn push(&mut self, row: impl IntoIterator<Item = T>) {
        self.cells.extend(row);
        self.ends.push(self.cells.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn row(&self, ix: usize) -> &[T] {
        let start = if ix == 0 { 0 } else { self.ends[ix - 1] };
        &self.cells[start..self.ends[ix]]
    }
}

/// The features of every text.
#[derive(Default)]
pub struct Features {
    words: HashMap<String, u32>,
    word_features: Vec<FeatureIx>,
    pairs: HashMap<(u32, u32), FeatureIx>,
    count: usize,
    /// Per item `(feature, tf)`, ascending; tf = 1 + ln(occurrences).
    items: Rows<(FeatureIx, f32)>,
    /// Per feature `(item, tf)`, ascending.
    postings: Rows<(u32, f32)>,
}

impl Features {
    /// Reads `texts` in time order.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut features = Self::default();
        for text in texts {
            let row = features.learn(text);
            features.items.push(row);
        }
        let mut starts = vec![0usize; features.count + 1];
        features.items.cells.iter().for_each(|(feature, _)| starts[*feature as usize + 1] += 1);
        (0..features.count).for_each(|f| starts[f + 1] += starts[f]);
        let mut cells = vec![(0u32, 0f32); features.items.cells.len()];
        let mut next = starts.clone();
        for item in 0..features.items.len() {
            for (feature, tf) in features.items.row(item) {
                let slot = &mut next[*feature as usize];
                cells[*slot] = (item as u32, *tf);
                *slot += 1;
            }
        }
        features.postings = Rows { ends: starts.split_off(1), cells };
        features
    }

    fn learn(&mut self, text: &str) -> Vec<(FeatureIx, f32)> {
        let mut found = Vec::new();
        let mut last = None;
        for word in words(text) {
            let word = match self.words.get(&word) {
                Some(word) => *word,
                None => {
                    let next = self.word_features.len() as u32;
                    self.words.insert(word, next);
                    self.word_features.push(self.count as FeatureIx);
                    self.count += 1;
                    next
                }
            };
            found.push(self.word_features[word as usize]);
            if let Some(last) = last {
                let next = self.count;
                let pair = *self.pairs.entry((last, word)).or_insert(next as FeatureIx);
                self.count = next.max(pair as usize + 1);
                found.push(pair);
            }
            last = Some(word);
        }
        counted(found)
    }

    /// The known features of a text with their tf, ascending; text that may be new.
    pub fn find(&self, text: &str) -> Vec<(FeatureIx, f32)> {
        let mut found = Vec::new();
        let mut last = None;
        for word in words(text) {
            let word = self.words.get(&word).copied();
            found.extend(word.map(|word| self.word_features[word as usize]));
            found.extend(last.zip(word).and_then(|pair| self.pairs.get(&pair)));
            last = word;
        }
        counted(found)
    }

    /// How many features there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no text has any.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// An item's `(feature, tf)`, ascending.
    pub fn of_item(&self, item: ItemIx) -> &[(FeatureIx, f32)] {
        self.items.row(item)
    }

    /// The items among `from..before` that hold `feature`, ascending, with its tf.
    pub fn holders(&self, feature: FeatureIx, from: ItemIx, before: ItemIx) -> &[(u32, f32)] {
        let all = self.postings.row(feature as usize);
        let start = if from == 0 { 0 } else { all.partition_point(|(item, _)| (*item as usize) < from) };
        &all[start..all.partition_point(|(item, _)| (*item as usize) < before)]
    }
}

fn counted(mut found: Vec<FeatureIx>) -> Vec<(FeatureIx, f32)> {
    found.sort_unstable();
    let same = found.chunk_by(|a, b| a == b);
    same.map(|run| (run[0], 1.0 + (run.len() as f32).ln())).collect()
}

/// Weights of features as of a moment: tf · idf over the length of the text, idf = ln((1 + n)/(1 + df)) + 1 of the
/// first n items, 0 for a feature that fewer than two of them hold.
pub struct Weighting {
    /// Whether there is nothing to tell frequent features from rare ones by.
    flat: bool,
    idf: Vec<f64>,
    /// Length of each item's tf · idf vector.
    lengths: Vec<f64>,
}

impl Weighting {
    /// idf of the items `0..before`, lengths of the items `0..until`. With nothing before, every feature weighs 1.
    pub fn of(features: &Features, before: ItemIx, until: ItemIx) -> Self {
        let mut texts_with = vec![0usize; features.len()];
        for item in 0..before {
            features.of_item(item).iter().for_each(|(feature, _)| texts_with[*feature as usize] += 1);
        }
        let idf = |df: usize| match df {
            _ if before == 0 => 1.0,
            0..LEAST_TEXTS => 0.0,
            df => ((1 + before) as f64 / (1 + df) as f64).ln() + 1.0,
        };
        let mut weighting =
            Self { flat: before == 0, idf: texts_with.into_iter().map(idf).collect(), lengths: Vec::new() };
        weighting.lengths = (0..until).map(|item| weighting.length(features.of_item(item))).collect();
        weighting
    }

    fn length(&self, row: &[(FeatureIx, f32)]) -> f64 {
        row.iter().map(|(feature, tf)| (f64::from(*tf) * self.idf[*feature as usize]).powi(2)).sum::<f64>().sqrt()
    }

    /// The unit vector of a text: features that count, with their weights. Empty if none does.
    pub fn vector(&self, row: &[(FeatureIx, f32)]) -> Vec<(FeatureIx, f64)> {
        let length = self.length(row);
        let weight =
            |(feature, tf): &(FeatureIx, f32)| (*feature, f64::from(*tf) * self.idf[*feature as usize] / length);
        row.iter().filter(|(feature, _)| self.idf[*feature as usize] > 0.0).map(weight).collect()
    }

    /// Whether enough texts hold `feature`.
    pub fn counts(&self, feature: FeatureIx) -> bool {
        self.idf[feature as usize] > 0.0
    }

    /// idf of a feature; 0 for one that does not count.
    pub fn idf(&self, feature: FeatureIx) -> f64 {
        self.idf[feature as usize]
    }

    /// Length of an item's tf · idf vector.
    pub fn length_of(&self, item: ItemIx) -> f64 {
        self.lengths[item]
    }

    /// Weight of a feature in `item`, where it stands with `tf`.
    pub fn weight(&self, feature: FeatureIx, tf: f32, item: ItemIx) -> f64 {
        f64::from(tf) * self.idf[feature as usize] / self.lengths[item]
    }

    /// Σ_w v_w of an item: what one text adds to sums.
    pub fn mass(&self, features: &Features, item: ItemIx) -> f64 {
        let sum: f64 =
            features.of_item(item).iter().map(|(feature, tf)| f64::from(*tf) * self.idf[*feature as usize]).sum();
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
        if !weighting.flat {
            return Self::of(weighting.vector(row));
        }
        // Without idf, nothing else would drop what only later texts hold.
        let mut held = row.to_vec();
        held.retain(|(feature, _)| !features.holders(*feature, 0, before).is_empty());
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
            let (word, bit) = mark(*feature);
            if self.marks[word] & bit != 0
                && let Ok(place) = self.vector.binary_search_by_key(feature, |(sought, _)| *sought)
            {
                met(place, weighting.weight(*feature, *tf, item));
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
            assert_eq!(past.of_item(item), whole.of_item(item));
            assert_eq!(a.mass(&past, item), b.mass(&whole, item));
        }
        let asked = "the red hen and blue fox";
        assert_eq!(a.vector(&past.find(asked)), b.vector(&whole.find(asked)));
        assert_eq!(whole.holders(0, 1, 3), [(1, 1.0 + 2f32.ln())]);
    }
}
