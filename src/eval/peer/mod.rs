//! Peers: plain predictors on the same rows, so that a figure has something to stand beside.
//!
//! What is fitted is fitted on the history of a split alone; what is counted per person is counted strictly before each
//! question, as memory is.

mod logistic;
pub mod rating;
mod tfidf;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use logistic::Logistic;
use tfidf::Vectorizer;

use super::EvalError;
use super::experiment::Answer;
use super::judge::Contestant;
use super::split::Asked;
use crate::data::dataset::Dataset;
use crate::data::interaction::{Timestamp, UserId};
use crate::mediator::distribution::{decision, normalise};

/// The label most frequent in the history.
pub const MAJORITY: &str = "majority";
/// The person's own most frequent label, the most recent among equals; the majority for who has none.
pub const OWN_MODE: &str = "own-mode";
/// TF-IDF of words and word pairs, multinomial logistic regression; knows no person.
pub const TEXT: &str = "text";
/// The same times the person's own label shares over the base rate.
pub const TEXT_AND_USER: &str = "text-and-user";

/// Examples of the base rate mixed into a person's own label shares.
const USER_PRIOR: f64 = 0.5;
/// Pseudo-count a label in the base rate.
const BASE_PRIOR: f64 = 0.5;

/// Every peer's answers to `asked`, the same questions in the same order. What the person did in the last `gap_days`
/// before a question is hidden from what is counted of them.
///
/// # Errors
///
/// [`EvalError::NoHistory`] where there is nothing to fit on.
pub fn contestants(
    dataset: &Dataset,
    asked: &Asked,
    gap_days: f64,
    cancel: &AtomicBool,
) -> Result<Vec<Contestant>, EvalError> {
    if asked.history.is_empty() {
        return Err(EvalError::NoHistory { at: asked.query_range.from });
    }
    let (labels, places) = (dataset.manifest.responses(), dataset.manifest.places());
    // A dataset holds only responses that have a place.
    let label = |response: &str| places.of(response).unwrap_or_default();
    let golds: Vec<usize> = asked.history.iter().map(|i| label(&i.response)).collect();
    let mut counts = vec![BASE_PRIOR; labels.len()];
    golds.iter().for_each(|y| counts[*y] += 1.0);
    let base = normalise(counts);
    let majority = decision(&base, &base);

    let mut own: HashMap<&UserId, Vec<(Timestamp, usize)>> = HashMap::new();
    for i in &dataset.interactions {
        own.entry(&i.user).or_default().push((i.at, label(&i.response)));
    }
    let before = |user: &UserId, at: Timestamp| {
        let items = own.get(user).map_or(&[][..], Vec::as_slice);
        &items[..items.partition_point(|(then, _)| *then < at)]
    };

    let texts = || asked.history.iter().map(|i| i.query.as_str());
    let vectorizer = Vectorizer::fit(texts());
    let rows: Vec<_> = texts().map(|text| vectorizer.transform(text)).collect();
    let logistic = Logistic::fit(&rows, &golds, labels.len(), vectorizer.width(), cancel)?;

    let mut peers = [MAJORITY, OWN_MODE, TEXT, TEXT_AND_USER].map(|name| Contestant { name, answers: Vec::new() });
    for question in &asked.questions {
        let own = before(question.user, question.at.plus_days(-gap_days));
        let text = logistic.probabilities(&vectorizer.transform(question.text));
        let both = with_user(&text, own, &base);
        let named = Answer::named;
        let spread =
            |p: Vec<f64>| Answer { decision: decision(&p, &base), distribution: Some(p), score: None, written: None };
        let answers = [named(majority), named(mode(own, labels.len()).unwrap_or(majority)), spread(text), spread(both)];
        peers.iter_mut().zip(answers).for_each(|(peer, answer)| peer.answers.push(answer));
    }
    Ok(peers.into())
}

/// The most frequent label of items in time order, the most recent among equals.
fn mode(items: &[(Timestamp, usize)], labels: usize) -> Option<usize> {
    let mut counts = vec![(0usize, 0usize); labels];
    items.iter().enumerate().for_each(|(place, (_, y))| counts[*y] = (counts[*y].0 + 1, place));
    (0..labels).filter(|y| counts[*y].0 > 0).max_by_key(|y| counts[*y])
}

/// p ∝ p_text(y) · (n_u(y) + ½ b(y))/(n_u + ½) / b(y): for a person without items, the text alone.
fn with_user(text: &[f64], items: &[(Timestamp, usize)], base: &[f64]) -> Vec<f64> {
    let mut own: Vec<f64> = base.iter().map(|b| USER_PRIOR * b).collect();
    items.iter().for_each(|(_, y)| own[*y] += 1.0);
    normalise(text.iter().zip(&own).zip(base).map(|((p, own), b)| p * own / b).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sample;
    use crate::eval::split::Split;

    #[test]
    fn a_mode_prefers_the_most_recent_among_equals() {
        let items = |labels: &[usize]| labels.iter().map(|y| (Timestamp(0), *y)).collect::<Vec<_>>();
        assert_eq!(mode(&items(&[]), 3), None);
        assert_eq!(mode(&items(&[2, 1, 1, 2, 0]), 3), Some(2));
        assert_eq!(mode(&items(&[0, 0, 1]), 3), Some(0));
    }

    #[test]
    fn a_gap_hides_what_the_person_did_last_from_the_personal_part() {
        let mut dataset = sample::dataset().unwrap();
        dataset.interactions.truncate(1000);
        let asked = Asked::of(&dataset, Split::Share { share: 0.8 }).unwrap();
        let decisions = |gap_days| {
            let peers = contestants(&dataset, &asked, gap_days, &AtomicBool::new(false)).unwrap();
            let of = |peer: &Contestant| peer.answers.iter().map(|answer| answer.decision).collect::<Vec<_>>();
            peers.iter().map(of).collect::<Vec<_>>()
        };
        let [majority, own, text, both] = &decisions(0.0)[..] else { panic!("four peers") };
        assert!(own != majority && both != text);
        let [majority, own, text, both] = &decisions(1e6)[..] else { panic!("four peers") };
        assert!(own == majority && both == text, "nobody remembers anything");
    }

    #[test]
    fn without_a_history_there_is_nothing_to_fit_on() {
        let mut dataset = sample::dataset().unwrap();
        dataset.interactions.truncate(40);
        dataset.interactions.iter_mut().for_each(|i| i.at = Timestamp(0));
        let asked = Asked::of(&dataset, Split::Share { share: 0.5 }).unwrap();
        let refused = contestants(&dataset, &asked, 0.0, &AtomicBool::new(false)).unwrap_err();
        assert!(refused.to_string().contains("1970-01-01"), "{refused}");
    }

    #[test]
    fn own_shares_tilt_the_text() {
        let (text, base) = ([0.5, 0.5], [0.25, 0.75]);
        assert_eq!(with_user(&text, &[], &base), text);
        // (1 + .125)/.25 against .375/.75.
        let tilted = with_user(&text, &[(Timestamp(0), 0)], &base);
        assert!((tilted[0] - 4.5 / 5.0).abs() < 1e-12, "{tilted:?}");
    }
}
