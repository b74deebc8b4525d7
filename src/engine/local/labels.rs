//! Labels one of which begins another: "1" and "1.5", "dark" and "dark comedy".
//!
//! The probability that an answer begins with a label's tokens holds that of every longer label behind it, so the shorter
//! one could never lose. An answer is the longest label that it begins with, and that is what is scored: then labels exclude
//! each other, and their probabilities sum to no more than 1.

/// What a label keeps at least of the probability of its tokens: both sides of the difference are rounded.
const LEAST_KEPT: f64 = 1e-9;

/// Natural log of the probability of each label, from those of their tokens one after another.
pub(super) fn longest(labels: &[Vec<u32>], begun: Vec<f64>) -> Vec<f64> {
    let kept = |of: usize| {
        let longer: Vec<usize> = (0..labels.len()).filter(|at| begins(&labels[of], &labels[*at])).collect();
        // What stands behind another longer label is part of that one's.
        let next = longer.iter().filter(|at| !longer.iter().any(|other| begins(&labels[*other], &labels[**at])));
        // Of labels that are the same to the model, one.
        let next = next.filter(|at| !longer.iter().any(|other| other < *at && labels[*other] == labels[**at]));
        let gone: f64 = next.map(|at| (begun[*at] - begun[of]).exp()).filter(|share| share.is_finite()).sum();
        begun[of] + (1.0 - gone).max(LEAST_KEPT).ln()
    };
    (0..labels.len()).map(kept).collect()
}

/// Whether `label` goes on where `beginning` ends.
fn begins(beginning: &[u32], label: &[u32]) -> bool {
    label.len() > beginning.len() && label.starts_with(beginning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_begins_another_keeps_what_is_left() {
        // Answers: 1 with .5, 1 2 with .2, 1 2 3 with .05, 1 4 with .15, 5 with .1.
        let labels = vec![vec![1], vec![1, 2], vec![1, 2, 3], vec![1, 4], vec![5], vec![1, 4]];
        let begun = [0.9f64, 0.25, 0.05, 0.15, 0.1, 0.15].map(f64::ln).to_vec();
        let found: Vec<f64> = longest(&labels, begun).into_iter().map(f64::exp).collect();
        for (found, expected) in found.iter().zip([0.5, 0.2, 0.05, 0.15, 0.1, 0.15]) {
            assert!((found - expected).abs() < 1e-12, "{found} is {expected}");
        }
    }

    #[test]
    fn nothing_left_is_still_a_number() {
        let labels = vec![vec![1], vec![1, 2], vec![7], vec![7, 8]];
        let found = longest(&labels, vec![-0.5, -0.5 + 1e-12, f64::NEG_INFINITY, f64::NEG_INFINITY]);
        assert!(found[0].is_finite() && found[0] < -20.0, "{found:?}");
        assert_eq!(found[2..], [f64::NEG_INFINITY; 2]);
    }
}
