//! ROUGE as LaMP's evaluation computes it: F-measures of single words and of the longest common subsequence.
//!
//! Tokens are lower-case runs of `a`–`z` and `0`–`9`, as in the tokenizer of Google's `rouge_score`, on which the
//! evaluation rests; there is no stemming and no stop word. A text in another script has no token and scores 0.
//! Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.

use std::collections::HashMap;

/// F-measures, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rouge {
    /// Of single words.
    pub unigrams: f64,
    /// Of the longest common subsequence of words.
    pub longest: f64,
}

impl Rouge {
    /// How much of `reference` stands in `written`, and of `written` in `reference`.
    pub fn of(reference: &str, written: &str) -> Self {
        let (reference, written) = (tokens(reference), tokens(written));
        let f = |common: usize| {
            if common == 0 {
                return 0.0;
            }
            let (precision, recall) = (common as f64 / written.len() as f64, common as f64 / reference.len() as f64);
            2.0 * precision * recall / (precision + recall)
        };
        Self { unigrams: f(overlap(&reference, &written)), longest: f(subsequence(&reference, &written)) }
    }
}

fn tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let runs = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|run| !run.is_empty());
    runs.map(str::to_owned).collect()
}

/// Words in both, each as often as in the one that has it less often.
fn overlap(a: &[String], b: &[String]) -> usize {
    let mut left: HashMap<&str, usize> = HashMap::new();
    a.iter().for_each(|word| *left.entry(word).or_default() += 1);
    let taken = b.iter().filter(|word| match left.get_mut(word.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    });
    taken.count()
}

/// Length of the longest common subsequence, in the time of the product of both lengths.
fn subsequence(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0usize; b.len() + 1];
    for word in a {
        let mut diagonal = 0;
        for (place, other) in b.iter().enumerate() {
            let above = row[place + 1];
            row[place + 1] = if word == other { diagonal + 1 } else { above.max(row[place]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_equal_hand_computed_values() {
        for (reference, written, unigrams, longest) in [
            ("police killed the gunman", "police kill the gunman", 0.75, 0.75),
            ("police killed the gunman", "the gunman kill police", 0.75, 0.5),
            ("The Cat!", "the cat", 1.0, 1.0),
            ("a b c d e", "a c", 4.0 / 7.0, 4.0 / 7.0),
            ("the the the", "the", 0.5, 0.5),
            ("it's", "it s", 1.0, 1.0),
            ("running", "run", 0.0, 0.0),
            ("", "words", 0.0, 0.0),
            ("words", "", 0.0, 0.0),
            ("これ", "これ", 0.0, 0.0),
        ] {
            let found = Rouge::of(reference, written);
            assert!((found.unigrams - unigrams).abs() < 1e-12, "{reference} / {written}: {found:?}");
            assert!((found.longest - longest).abs() < 1e-12, "{reference} / {written}: {found:?}");
            assert_eq!(found, Rouge::of(written, reference), "an F-measure has no direction");
        }
    }
}
