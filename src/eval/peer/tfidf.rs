//! TF-IDF over words and pairs of neighbouring words, as scikit-learn's `TfidfVectorizer` computes it: runs of two or
//! more word characters in lower case, idf = ln((1 + n)/(1 + df)) + 1, tf = 1 + ln(count), unit length.

use std::collections::HashMap;

/// Texts that must hold a term.
const LEAST_TEXTS: usize = 2;

/// A sparse row: terms ascending with their weights.
pub type Row = Vec<(u32, f64)>;

/// The terms of a set of texts.
pub struct Vectorizer {
    terms: HashMap<String, u32>,
    idf: Vec<f64>,
}

impl Vectorizer {
    /// Learns terms and idf of `texts`.
    pub fn fit<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut texts_with: HashMap<String, usize> = HashMap::new();
        let mut n = 0usize;
        for text in texts {
            n += 1;
            counts(text).into_keys().for_each(|term| *texts_with.entry(term).or_default() += 1);
        }
        let mut kept: Vec<(String, usize)> = texts_with.into_iter().filter(|(_, df)| *df >= LEAST_TEXTS).collect();
        // By name, so that sums run in the same order every time.
        kept.sort();
        let idf = kept.iter().map(|(_, df)| ((1 + n) as f64 / (1 + df) as f64).ln() + 1.0).collect();
        let terms = kept.into_iter().zip(0u32..).map(|((term, _), ix)| (term, ix)).collect();
        Self { terms, idf }
    }

    /// How many terms.
    pub fn width(&self) -> usize {
        self.idf.len()
    }

    /// The row of `text`; unknown terms are left out.
    pub fn transform(&self, text: &str) -> Row {
        let weight = |(term, count): (String, usize)| {
            let ix = *self.terms.get(&term)?;
            Some((ix, (1.0 + (count as f64).ln()) * self.idf[ix as usize]))
        };
        let mut row: Row = counts(text).into_iter().filter_map(weight).collect();
        row.sort_by_key(|(ix, _)| *ix);
        let length = row.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
        row.iter_mut().for_each(|(_, w)| *w /= length);
        row
    }
}

/// How often each word and each pair of neighbours stands in `text`.
fn counts(text: &str) -> HashMap<String, usize> {
    let lower = text.to_lowercase();
    let runs = lower.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let words: Vec<&str> = runs.filter(|run| run.chars().nth(1).is_some()).collect();
    let mut counts = HashMap::new();
    words.iter().for_each(|word| *counts.entry((*word).to_owned()).or_default() += 1);
    words.windows(2).for_each(|pair| *counts.entry(pair.join(" ")).or_default() += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_equal_hand_computed_values() {
        let vectorizer = Vectorizer::fit(["Red fox, red hen", "a red fox", "blue hen"].into_iter());
        // In two texts or more: fox, hen, red, "red fox"; "a" is too short and "red hen" stands once.
        assert_eq!(vectorizer.width(), 4);
        let row = vectorizer.transform("red red fox in blue");
        let idf = (4.0f64 / 3.0).ln() + 1.0;
        let (fox, red, pair) = (idf, (1.0 + 2f64.ln()) * idf, idf);
        let length = (fox * fox + red * red + pair * pair).sqrt();
        let expected = [(0, fox / length), (2, red / length), (3, pair / length)];
        assert_eq!(row.len(), expected.len());
        for (found, expected) in row.iter().zip(expected) {
            assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-12, "{row:?}");
        }
        assert!(vectorizer.transform("nothing known").is_empty());
    }
}
