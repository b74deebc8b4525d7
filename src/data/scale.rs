//! The scale of a rating: numbers at equal steps, written in one way.
//!
//! Invariant of a [`Scale`] that [`Scale::fault`] finds nothing wrong with: it has 2 to [`MOST_STEPS`] steps, all of them
//! different finite numbers, and [`Scale::steps`] and [`Scale::position`] agree.

use serde::{Deserialize, Serialize};

/// Steps of the longest scale: each of them is a column of memory.
pub const MOST_STEPS: usize = 200;
/// How far from a step, in steps, a number may lie and still be it: what decimal fractions lose in binary.
const SLACK: f64 = 1e-6;

/// An ordinal scale: `low`, `low + step`, … up to `high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The lowest score.
    pub low: f64,
    /// The highest score.
    pub high: f64,
    /// What lies between neighbours; above 0.
    pub step: f64,
}

impl Scale {
    /// What makes the scale unusable, with the value and the remedy.
    pub fn fault(&self) -> Option<String> {
        let Scale { low, high, step } = *self;
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Some(format!("'scale' runs from {low} to {high}; give numbers, the lower one first"));
        }
        if !(step.is_finite() && step > 0.0) {
            return Some(format!("'scale.step' is {step}; give a number above 0"));
        }
        let steps = (high - low) / step;
        if steps > (MOST_STEPS - 1) as f64 + SLACK {
            return Some(format!("'scale' has more than {MOST_STEPS} steps of {step}; give a larger step"));
        }
        let whole = (steps - steps.round()).abs() < SLACK;
        if !whole {
            return Some(format!(
                "'scale' does not reach {high} from {low} by steps of {step}; give a step that divides"
            ));
        }
        // Written, a score has to be itself still: neither another one nor between two, nor beyond all numbers.
        let kept = self.steps().iter().enumerate().all(|(place, score)| self.position(score) == Some(place));
        (!kept).then(|| {
            format!(
                "'scale' from {self} has scores that six decimals cannot hold; give rounder numbers, or larger steps"
            )
        })
    }

    /// The scores as text, ascending: `0.5`, `1`, `1.5` ….
    pub fn steps(&self) -> Vec<String> {
        (0..=self.last()).map(|at| self.at(at)).collect()
    }

    /// The place of a written score among the steps; `None` if it is no number or lies on none of them.
    pub fn position(&self, text: &str) -> Option<usize> {
        let place = (text.trim().parse::<f64>().ok()? - self.low) / self.step;
        let on_step =
            (place - place.round()).abs() < SLACK && place.round() >= 0.0 && place.round() <= self.last() as f64;
        on_step.then(|| place.round() as usize)
    }

    /// A written score in the one way that [`Scale::steps`] writes it: `4.0` as `4`.
    pub fn score(&self, text: &str) -> Option<String> {
        self.position(text).map(|place| self.at(place))
    }

    /// The scores as numbers, ascending.
    pub fn values(&self) -> Vec<f64> {
        (0..=self.last()).map(|at| self.value(at)).collect()
    }

    fn last(&self) -> usize {
        ((self.high - self.low) / self.step).round() as usize
    }

    fn at(&self, place: usize) -> String {
        self.value(place).to_string()
    }

    fn value(&self, place: usize) -> f64 {
        // Rounded, so that 0.1 + 2 × 0.1 is written as 0.3; adding 0 turns −0 into 0.
        ((self.low + place as f64 * self.step) * 1e6).round() / 1e6 + 0.0
    }
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {} by {}", self.low, self.high, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_in_any_spelling_and_written_in_one() {
        let stars = Scale { low: 0.5, high: 5.0, step: 0.5 };
        assert_eq!(stars.fault(), None);
        assert_eq!(stars.steps().join(" "), "0.5 1 1.5 2 2.5 3 3.5 4 4.5 5");
        for (text, score) in [("4.0", Some("4")), (" 4 ", Some("4")), ("0.5", Some("0.5")), ("5e0", Some("5"))] {
            assert_eq!(stars.score(text).as_deref(), score, "{text}");
        }
        for text in ["", "0", "5.5", "4.2", "four", "NaN", "inf", "-0.5", "1e300"] {
            assert_eq!(stars.position(text), None, "{text}");
        }
        let tenths = Scale { low: -0.3, high: 0.3, step: 0.1 };
        assert_eq!(tenths.fault(), None);
        assert_eq!(tenths.steps().join(" "), "-0.3 -0.2 -0.1 0 0.1 0.2 0.3");
        for (place, step) in tenths.steps().iter().enumerate() {
            assert_eq!(tenths.position(step), Some(place), "{step}");
        }
    }

    #[test]
    fn a_scale_without_sense_says_so() {
        for ((low, high, step), expected) in [
            ((5.0, 1.0, 1.0), "from 5 to 1"),
            ((1.0, f64::INFINITY, 1.0), "to inf"),
            ((1.0, 5.0, 0.0), "'scale.step' is 0"),
            ((1.0, 5.0, f64::NAN), "'scale.step' is NaN"),
            ((1.0, 5.0, 3.0), "does not reach 5 from 1"),
            ((0.0, 1.0, 0.001), "more than 200 steps"),
            ((0.0, 1e-6, 1e-7), "'scale' from 0 to 0.000001 by 0.0000001 has scores that six decimals cannot hold"),
            ((0.0, 3e-6, 1.5e-6), "six decimals cannot hold"),
            ((1e305, 2e305, 1e305), "six decimals cannot hold"),
        ] {
            let fault = Scale { low, high, step }.fault().unwrap_or_default();
            assert!(fault.contains(expected), "{fault}");
        }
        assert_eq!(Scale { low: 1.0, high: 200.0, step: 1.0 }.fault(), None);
        assert_eq!(Scale { low: 0.0, high: 0.0001, step: 1e-6 }.fault(), None);
        assert!(Scale { low: 0.0, high: 200.0, step: 1.0 }.fault().is_some());
    }
}
