//! A table of word vectors from a dataset's own past: latent semantic analysis.
//!
//! Texts are rows of a matrix of words, tf·idf with idf = ln((1 + N)/(1 + df)) + 1, each of unit length. Its leading right
//! singular vectors span the space in which texts that use the same company of words lie close (Deerwester et al. 1990).
//! The projection of a text is linear in its words, so a table of rows idf·v says it all: the mean of a text's rows is
//! its vector.
//!
//! Invariants: nothing but interactions before the moment of the plan has any influence, not even on one bit; a word
//! stands in the table only if enough different people used it; the same input and seed give the same table, whatever
//! the number of cores.

mod spectrum;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use self::spectrum::{Matrix, Spectrum};
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::memory::lexical::words;

/// Between two looks at whether to stop.
const TEXTS: usize = 1 << 14;

/// What is wanted of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Interactions from this moment on are not looked at.
    pub until: Timestamp,
    /// Width of a vector. ≥ 1.
    pub dimensions: usize,
    /// Most words; those of most texts are taken. ≥ `dimensions`.
    pub vocabulary: usize,
    /// Fewest different people who used a word of the table. ≥ 1.
    pub contributors: usize,
    /// Seed of the decomposition.
    pub seed: u64,
}

/// A fitted table.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Its words, those of most texts first.
    pub words: Vec<String>,
    /// The words' vectors, one after another.
    pub rows: Vec<f32>,
    /// Texts that were seen.
    pub texts: usize,
    /// BLAKE3 of who wrote them when.
    pub fingerprint: String,
    /// Share of the matrix's squares that the dimensions hold. 0–1.
    pub energy: f64,
}

/// Why no table was fitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LsaError {
    /// Fewer words are wanted than numbers in a vector, whatever the texts say.
    #[error(
        "--vocabulary {vocabulary} allows fewer words than --dimensions {dimensions} needs; give a vocabulary of at least \
         {dimensions}, or fewer dimensions"
    )]
    SmallVocabulary {
        /// Most words.
        vocabulary: usize,
        /// Width that was asked for.
        dimensions: usize,
    },
    /// Nothing is known yet at that moment.
    #[error("no interaction lies before {0}; name a later moment with --until")]
    NoText(Timestamp),
    /// Fewer words than numbers in a vector.
    #[error(
        "only {words} words were used by {contributors} people or more before {until}, too few for {dimensions} dimensions; \
         give fewer with --dimensions, or a later --until"
    )]
    FewWords {
        /// Words there are.
        words: usize,
        /// How many people had to use each.
        contributors: usize,
        /// The moment.
        until: Timestamp,
        /// Width that was asked for.
        dimensions: usize,
    },
    /// Somebody asked to stop.
    #[error("the fit was interrupted; nothing was written")]
    Interrupted,
}

/// Told the stage, how much of it is done, and of how much.
pub type Progress<'a> = dyn FnMut(&'static str, usize, usize) + 'a;

/// Fits a table on `interactions`, which ascend in time as those of a dataset do.
pub fn fit(
    interactions: &[Interaction],
    plan: Plan,
    cancel: &AtomicBool,
    progress: &mut Progress,
) -> Result<Fitted, LsaError> {
    let Plan { vocabulary, contributors, until, dimensions, .. } = plan;
    if vocabulary < dimensions {
        return Err(LsaError::SmallVocabulary { vocabulary, dimensions });
    }
    let seen = &interactions[..interactions.partition_point(|i| i.at < until)];
    if seen.is_empty() {
        return Err(LsaError::NoText(until));
    }
    let Vocabulary { words, idf } = Vocabulary::of(seen, plan, cancel, progress)?;
    if words.len() < dimensions {
        return Err(LsaError::FewWords { words: words.len(), contributors, until, dimensions });
    }
    let matrix = matrix(seen, &words, &idf, cancel, progress)?;
    let mut told = |pass, of| progress("decomposing", pass, of);
    let Spectrum { values, vectors } = spectrum::leading(&matrix, dimensions, plan.seed, cancel, &mut told)?;
    let mut rows = vec![0.0f32; words.len() * dimensions];
    for (dimension, vector) in vectors.iter().enumerate() {
        for ((row, x), idf) in rows.chunks_exact_mut(dimensions).zip(vector).zip(&idf) {
            row[dimension] = (x * idf) as f32;
        }
    }
    let energy = values.iter().sum::<f64>() / matrix.squares().max(f64::MIN_POSITIVE);
    Ok(Fitted { words, rows, texts: seen.len(), fingerprint: fingerprint(seen), energy })
}

/// Says of which texts, whose and when, something was made.
fn fingerprint(seen: &[Interaction]) -> String {
    let mut hasher = blake3::Hasher::new();
    for interaction in seen {
        hasher.update(&interaction.at.0.to_le_bytes());
        for text in [interaction.user.as_str(), &interaction.query] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

fn go_on(cancel: &AtomicBool) -> Result<(), LsaError> {
    if cancel.load(Ordering::Relaxed) { Err(LsaError::Interrupted) } else { Ok(()) }
}

/// The words of a table.
struct Vocabulary {
    /// Those of most texts first, equals by spelling.
    words: Vec<String>,
    /// How much each of them tells.
    idf: Vec<f64>,
}

/// Where a word was met.
#[derive(Default)]
struct Met {
    texts: usize,
    last: Option<usize>,
    /// Whose, as far as that has to be counted.
    people: Vec<usize>,
}

impl Vocabulary {
    fn of(seen: &[Interaction], plan: Plan, cancel: &AtomicBool, progress: &mut Progress) -> Result<Self, LsaError> {
        let mut people: HashMap<&UserId, usize> = HashMap::new();
        let mut met: HashMap<String, Met> = HashMap::new();
        for (text, interaction) in seen.iter().enumerate() {
            if text % TEXTS == 0 {
                go_on(cancel)?;
                progress("counting words", text, seen.len());
            }
            let next = people.len();
            let person = *people.entry(&interaction.user).or_insert(next);
            for word in words(&interaction.query) {
                let met = met.entry(word).or_default();
                if met.last != Some(text) {
                    met.last = Some(text);
                    met.texts += 1;
                }
                if met.people.len() < plan.contributors && !met.people.contains(&person) {
                    met.people.push(person);
                }
            }
        }
        let mut shared: Vec<(String, usize)> = met
            .into_iter()
            .filter(|(_, met)| met.people.len() >= plan.contributors)
            .map(|(word, met)| (word, met.texts))
            .collect();
        shared.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        shared.truncate(plan.vocabulary);
        let idf = shared.iter().map(|(_, texts)| ((1 + seen.len()) as f64 / (1 + texts) as f64).ln() + 1.0).collect();
        Ok(Self { words: shared.into_iter().map(|(word, _)| word).collect(), idf })
    }
}

/// The texts as rows of unit length.
fn matrix(
    seen: &[Interaction],
    vocabulary: &[String],
    idf: &[f64],
    cancel: &AtomicBool,
    progress: &mut Progress,
) -> Result<Matrix, LsaError> {
    let numbers: HashMap<&str, u32> = vocabulary.iter().map(String::as_str).zip(0..).collect();
    let mut matrix = Matrix::new(vocabulary.len());
    let (mut terms, mut row) = (Vec::new(), Vec::new());
    for (text, interaction) in seen.iter().enumerate() {
        if text % TEXTS == 0 {
            go_on(cancel)?;
            progress("weighing words", text, seen.len());
        }
        terms.clear();
        terms.extend(words(&interaction.query).filter_map(|word| numbers.get(word.as_str()).copied()));
        terms.sort_unstable();
        row.clear();
        row.extend(terms.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64 * idf[same[0] as usize])));
        let length = row.iter().map(|(_, x)| x * x).sum::<f64>().sqrt();
        matrix.push(row.iter().map(|(term, x)| (*term, (x / length) as f32)));
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::interaction::Extra;

    fn said(user: usize, at: i64, query: &str) -> Interaction {
        Interaction {
            id: format!("i{at:04}"),
            user: UserId::new(format!("u{user}")),
            at: Timestamp(at),
            query: query.to_owned(),
            response: "y".to_owned(),
            item: None,
            extra: Extra::new(),
        }
    }

    fn fitted(interactions: &[Interaction], plan: Plan) -> Result<Fitted, LsaError> {
        fit(interactions, plan, &AtomicBool::new(false), &mut |_, _, _| ())
    }

    const PLAN: Plan = Plan { until: Timestamp(1000), dimensions: 2, vocabulary: 100, contributors: 1, seed: 7 };

    /// "harbour" and "compass" never meet, but "tide" meets both.
    fn two_topics() -> Vec<Interaction> {
        let texts =
            ["tide harbour", "tide compass", "tide harbour", "tide compass", "oven bread", "oven cake", "cake bread"];
        texts.iter().enumerate().map(|(n, text)| said(n, n as i64, text)).collect()
    }

    #[test]
    fn words_of_one_topic_lie_together_though_they_never_meet() {
        let fitted = fitted(&two_topics(), PLAN).unwrap();
        let row = |word: &str| {
            let at = fitted.words.iter().position(|known| known == word).unwrap();
            let row = &fitted.rows[2 * at..2 * at + 2];
            let length = (row[0] * row[0] + row[1] * row[1]).sqrt();
            [row[0] / length, row[1] / length]
        };
        let cosine = |a: &str, b: &str| row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum::<f32>();
        assert!(cosine("harbour", "compass") > 0.99, "{fitted:?}");
        assert!(cosine("harbour", "bread").abs() < 0.01, "{fitted:?}");
        assert!(fitted.energy > 0.5 && fitted.energy < 1.0, "{}", fitted.energy);
        assert_eq!(fitted.words[0], "tide", "of most texts first");
    }

    #[test]
    fn a_word_of_too_few_people_is_in_no_table() {
        let mut texts = two_topics();
        texts.extend((10..20).map(|at| said(3, at, "tide secret")));
        let few = fitted(&texts, Plan { contributors: 2, ..PLAN }).unwrap();
        assert!(!few.words.iter().any(|word| word == "secret"), "one person's word: {:?}", few.words);
        assert!(few.words.iter().any(|word| word == "harbour"));
    }

    #[test]
    fn what_cannot_be_fitted_says_why() {
        let told = |plan| fitted(&two_topics(), plan).unwrap_err().to_string();
        assert!(told(Plan { until: Timestamp(0), ..PLAN }).contains("no interaction lies before 1970-01-01T00:00:00Z"));
        let few = told(Plan { dimensions: 50, ..PLAN });
        assert!(few.contains("only 6 words") && few.contains("--dimensions"), "{few}");
        let small = told(Plan { vocabulary: 3, dimensions: 6, ..PLAN });
        assert!(small.contains("--vocabulary 3") && small.contains("--dimensions 6"), "{small}");
        let stopped = fit(&two_topics(), PLAN, &AtomicBool::new(true), &mut |_, _, _| ());
        assert_eq!(stopped, Err(LsaError::Interrupted));
    }
}
