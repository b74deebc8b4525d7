//! What the memories may disagree about: a label, a score on a scale, or the form of a text.
//!
//! Labels are decided by the most probable one, scores by the median, which absolute error rewards; beside it stands the
//! mean, which squared error rewards.

use std::sync::Arc;

use super::distribution;
use crate::data::dataset::TaskKind;

/// How close to one half a cumulated probability may come and still be it: what sums lose in binary.
const SLACK: f64 = 1e-12;

/// What a distribution is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Facet {
    /// Labels in no order.
    #[default]
    Label,
    /// Scores; these are their values, ascending.
    Score(Arc<[f64]>),
    /// Forms of texts, in no order; beside them stand [length and words](super::style).
    Form,
}

/// How a decision stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// What is decided.
    pub decision: usize,
    /// What would be decided next; `None` where there is nothing else.
    pub runner_up: Option<usize>,
    /// Labels and forms: p(decision) − p(runner-up). Scores: the probability that would have to move for the median to leave.
    pub margin: f64,
}

impl Facet {
    /// The kind of task that it is decided in.
    pub fn task(&self) -> TaskKind {
        match self {
            Facet::Label => TaskKind::Labels,
            Facet::Score(_) => TaskKind::Rating,
            Facet::Form => TaskKind::Text,
        }
    }

    /// Name in files and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Facet::Label => "label",
            Facet::Score(_) => "score",
            Facet::Form => "form",
        }
    }

    /// The decision for `p`, scaled as it may be. Among equal labels the higher base rate wins; of two medians the lower.
    /// Where `p` is nothing, the base rate decides.
    pub fn decide(&self, p: &[f64], base: &[f64]) -> usize {
        match self {
            Facet::Label | Facet::Form => distribution::decision(p, base),
            Facet::Score(_) if p.iter().all(|p| *p == 0.0) => median(base),
            Facet::Score(_) => median(p),
        }
    }

    /// The decision with its rival.
    pub fn verdict(&self, p: &[f64], base: &[f64]) -> Verdict {
        let decision = self.decide(p, base);
        match self {
            Facet::Label | Facet::Form => {
                let runner_up = distribution::runner_up(p, base, decision);
                // Of equals the one that rounding put below may be decided for.
                Verdict { decision, runner_up, margin: (p[decision] - runner_up.map_or(0.0, |y| p[y])).max(0.0) }
            }
            Facet::Score(_) => {
                // Up to here lies less than half, up to and with it at least half.
                let below: f64 = p[..decision].iter().sum();
                let (down, up) = (0.5 - below, below + p[decision] - 0.5);
                let lower = (0..decision).rev().find(|y| p[*y] > 0.0).map(|y| (down, y));
                let upper = (decision + 1..p.len()).find(|y| p[*y] > 0.0).map(|y| (up, y));
                let rival = match (lower, upper) {
                    (Some(lower), Some(upper)) => Some(if upper.0 < lower.0 { upper } else { lower }),
                    (lower, upper) => lower.or(upper),
                };
                let margin = rival.map_or(down.min(up), |(margin, _)| margin).max(0.0);
                Verdict { decision, runner_up: rival.map(|(_, y)| y), margin }
            }
        }
    }

    /// Σ y p(y) of scores; labels and forms have no mean.
    pub fn mean(&self, p: &[f64]) -> Option<f64> {
        match self {
            Facet::Label | Facet::Form => None,
            Facet::Score(steps) => Some(p.iter().zip(steps.iter()).map(|(p, y)| p * y).sum()),
        }
    }

    /// `score` clipped to the scale and split between the two nearest steps so that its mean is kept: `(step, share)`,
    /// shares summing to 1 and none of them 0.
    pub fn split(steps: &[f64], score: f64) -> [Option<(usize, f64)>; 2] {
        let last = steps.len().saturating_sub(1);
        let above = steps.partition_point(|step| *step < score);
        if above == 0 {
            return [Some((0, 1.0)), None];
        }
        if above > last {
            return [Some((last, 1.0)), None];
        }
        let (low, high) = (steps[above - 1], steps[above]);
        let share = (score - low) / (high - low);
        match share < 1.0 {
            true => [Some((above - 1, 1.0 - share)), Some((above, share))],
            false => [Some((above, 1.0)), None],
        }
    }
}

/// The least score up to which at least half of `p` lies.
fn median(p: &[f64]) -> usize {
    let total: f64 = p.iter().sum();
    let mut sum = 0.0;
    let reached = p.iter().position(|p| {
        sum += p;
        sum >= (0.5 - SLACK) * total
    });
    reached.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stars() -> Facet {
        Facet::Score([1.0, 2.0, 3.0, 4.0].into())
    }

    #[test]
    fn what_is_almost_nothing_has_its_median_all_the_same() {
        for scale in [1.0, 1e-15, 1e-300, 1e9] {
            assert_eq!(median(&[0.0, 0.0, 0.0, 0.0, 1.0].map(|p| p * scale)), 4);
            assert_eq!(median(&[0.2, 0.2, 0.1, 0.5, 0.0].map(|p| p * scale)), 2, "half lies up to there");
        }
    }

    #[test]
    fn medians_and_margins_equal_hand_computed_values() {
        let base = [0.25; 4];
        for (p, decision, runner_up, margin) in [
            ([0.1, 0.3, 0.4, 0.2], 2, Some(1), 0.1),
            ([0.1, 0.45, 0.25, 0.2], 1, Some(2), 0.05),
            ([0.5, 0.0, 0.0, 0.5], 0, Some(3), 0.0),
            ([0.0, 0.0, 1.0, 0.0], 2, None, 0.5),
            ([0.0, 0.7, 0.3, 0.0], 1, Some(2), 0.2),
        ] {
            let found = stars().verdict(&p, &base);
            assert_eq!((found.decision, found.runner_up), (decision, runner_up), "{p:?}");
            assert!((found.margin - margin).abs() < 1e-12, "{p:?} {}", found.margin);
        }
        assert!((stars().mean(&[0.1, 0.3, 0.4, 0.2]).unwrap() - 2.7).abs() < 1e-12);
        assert_eq!(Facet::Label.mean(&base), None);
        assert_eq!(Facet::Label.decide(&[0.4, 0.1, 0.4, 0.1], &[0.1, 0.1, 0.3, 0.5]), 2);
    }

    proptest! {
        #[test]
        fn a_split_score_keeps_its_mean(score in -1.0..7.0f64) {
            let steps = [0.5, 1.0, 2.0, 4.5];
            let parts: Vec<(usize, f64)> = Facet::split(&steps, score).into_iter().flatten().collect();
            let mean: f64 = parts.iter().map(|(step, share)| steps[*step] * share).sum();
            prop_assert!((mean - score.clamp(0.5, 4.5)).abs() < 1e-12);
            prop_assert!((parts.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(parts.iter().all(|(_, share)| *share > 0.0));
            prop_assert!(parts.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
        }
    }
}
