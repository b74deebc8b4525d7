//! Metrics as functions of sums over rows.
//!
//! A row (one query, one answer) adds a few numbers to a vector of sums; every metric is a function of that vector. So
//! a resample of people is a sum of their vectors, whatever the metric, and nothing is counted twice. A kind of task
//! is one implementation of [`Measures`] plus a method that turns a row into its numbers: [labels](LabelMeasures), where
//! the conventions of their metrics stand, [scores](RatingMeasures) and [texts](TextMeasures).

mod labels;
mod rating;
mod text;

use serde::{Serialize, Serializer};

pub use labels::{BINS, FLOOR, LabelMeasures};
pub use rating::RatingMeasures;
pub use text::TextMeasures;

use super::experiment::Answer;
use super::stats::Interval;
use crate::data::dataset::{Manifest, TaskKind};

/// What can be said about a set of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Share of right answers.
    Accuracy,
    /// Mean recall over the labels in gold.
    BalancedAccuracy,
    /// Mean F1 over the labels in gold or answers.
    MacroF1,
    /// Mean −ln p(gold).
    LogLoss,
    /// Mean Σ (p(y) − [y = gold])².
    Brier,
    /// Σ bins n/N · |accuracy − mean confidence|.
    CalibrationError,
    /// Of the answered labels, 0 to 1.
    Entropy,
    /// Mean |median − gold|.
    MeanAbsoluteError,
    /// √ mean (mean − gold)².
    RootMeanSquareError,
    /// Mean |ln words − ln words of gold|, of texts: .1 is about a tenth longer or shorter.
    LengthError,
    /// Mean ROUGE-1 of written texts.
    Rouge1,
    /// Mean ROUGE-L of written texts.
    RougeL,
}

impl Metric {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::BalancedAccuracy => "balanced_accuracy",
            Metric::MacroF1 => "macro_f1",
            Metric::LogLoss => "log_loss",
            Metric::Brier => "brier",
            Metric::CalibrationError => "calibration_error",
            Metric::Entropy => "entropy",
            Metric::MeanAbsoluteError => "mae",
            Metric::RootMeanSquareError => "rmse",
            Metric::LengthError => "length_error",
            Metric::Rouge1 => "rouge1",
            Metric::RougeL => "rougeL",
        }
    }

    /// Whether less of it is better.
    pub fn is_error(self) -> bool {
        use Metric::{Brier, CalibrationError, LengthError, LogLoss, MeanAbsoluteError, RootMeanSquareError};
        matches!(self, LogLoss | Brier | CalibrationError | MeanAbsoluteError | RootMeanSquareError | LengthError)
    }

    /// How an interval of it is made from resamples of people.
    pub fn spread(self) -> Spread {
        match self {
            Metric::CalibrationError => Spread::Reflected,
            // A resample takes labels away and never adds one.
            Metric::Entropy => Spread::Unknown,
            _ => Spread::Percentile,
        }
    }
}

/// How an interval is made from what resamples of people come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Their quantiles.
    Percentile,
    /// Their quantiles, mirrored at the estimate and kept within 0 and 1: the *basic* bootstrap (Davison and Hinkley
    /// 1997, §5.2), for what a resample estimates as much too high as the sample itself does the truth. A bin's gap has
    /// no sign in the sum, so noise adds to the calibration error, and twice as much of it in a resample.
    Reflected,
    /// Not at all: resampling shifts it by more than it spreads.
    Unknown,
}

impl Spread {
    /// The interval of an estimate whose resamples have these quantiles.
    pub fn interval(self, estimate: f64, quantiles: Interval) -> Option<Interval> {
        let mirrored = |end: f64| (2.0 * estimate - end).clamp(0.0, 1.0);
        match self {
            Spread::Percentile => Some(quantiles),
            Spread::Reflected => Some(Interval { low: mirrored(quantiles.high), high: mirrored(quantiles.low) }),
            Spread::Unknown => None,
        }
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One number of a row and where in the sums it goes.
pub type Addend = (usize, f64);

/// The metrics of one kind of task, as functions of sums.
pub trait Measures: Sync {
    /// The metrics, in the order they are shown.
    fn metrics(&self) -> &'static [Metric];
    /// Length of a vector of sums.
    fn width(&self) -> usize;
    /// The metric of the rows behind `sums`; `None` where it does not apply or there is no row.
    fn value(&self, metric: Metric, sums: &[f64]) -> Option<f64>;
    /// How far probabilities of answers hold; `None` where answers come without any.
    fn reliability(&self, _sums: &[f64]) -> Option<Reliability> {
        None
    }
}

/// How far the probabilities of answers hold, by what they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// The calibration error that chance alone makes of so many answers, their probabilities being right and the answers
    /// independent: Σ √(2/π · Σ p(1 − p))/N, the inner sum over a bin (the mean of a half-normal distribution).
    pub by_chance: f64,
    /// The bins that hold an answer, ascending.
    pub bins: Vec<Bin>,
}

/// Answers of about the same probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Their probabilities are above this,
    pub from: f64,
    /// and at most this.
    pub to: f64,
    /// How many.
    pub n: usize,
    /// Their mean probability.
    pub confidence: f64,
    /// Share of right ones.
    pub accuracy: f64,
}

/// Adds a row to sums.
pub fn add(sums: &mut [f64], row: &[Addend]) {
    row.iter().for_each(|(at, x)| sums[*at] += x);
}

/// The measures of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskMeasures {
    /// Of labels.
    Labels(LabelMeasures),
    /// Of scores; their values, ascending.
    Rating(Vec<f64>),
    /// Of texts.
    Text(TextMeasures),
}

impl TaskMeasures {
    /// Those of the task of `manifest`; kinds that cannot be judged are refused by name.
    pub fn of(manifest: &Manifest) -> Result<Self, super::EvalError> {
        match (manifest.task, manifest.scale) {
            (TaskKind::Labels, _) => Ok(Self::Labels(LabelMeasures { labels: manifest.labels.len() })),
            (TaskKind::Rating, Some(scale)) => Ok(Self::Rating(scale.values())),
            (TaskKind::Text, _) => {
                Ok(Self::Text(TextMeasures { forms: LabelMeasures { labels: manifest.responses().len() } }))
            }
            (task @ TaskKind::Rating, None) => Err(super::EvalError::Task(task)),
        }
    }

    fn measures(&self) -> &dyn Measures {
        match self {
            Self::Labels(measures) => measures,
            Self::Rating(_) => &RatingMeasures,
            Self::Text(measures) => measures,
        }
    }

    /// The kind of that task.
    pub fn task(&self) -> TaskKind {
        match self {
            Self::Labels(_) => TaskKind::Labels,
            Self::Rating(_) => TaskKind::Rating,
            Self::Text(_) => TaskKind::Text,
        }
    }

    /// The metric that comparisons are made in.
    pub fn headline(&self) -> Metric {
        match self {
            Self::Labels(_) | Self::Text(_) => Metric::Accuracy,
            Self::Rating(_) => Metric::MeanAbsoluteError,
        }
    }

    /// How many answers there can be.
    pub fn labels(&self) -> usize {
        match self {
            Self::Labels(measures) => measures.labels,
            Self::Rating(steps) => steps.len(),
            Self::Text(measures) => measures.forms.labels,
        }
    }

    /// What one answer adds.
    pub fn row(&self, gold: usize, answer: &Answer) -> Vec<Addend> {
        match self {
            Self::Labels(measures) => measures.row(gold, answer.decision, answer.distribution.as_deref()),
            Self::Rating(steps) => {
                let (median, mean) = answer
                    .score
                    .map_or((steps[answer.decision], steps[answer.decision]), |score| (score.median, score.mean));
                RatingMeasures.row(steps[gold], median, mean)
            }
            Self::Text(measures) => measures.row(gold, answer),
        }
    }

    /// What one answer counts in the headline metric: 1 if right, or how far the median is from the right score.
    pub fn headline_of(&self, gold: usize, answer: &Answer) -> f64 {
        match self {
            Self::Labels(_) | Self::Text(_) => f64::from(u8::from(answer.decision == gold)),
            Self::Rating(steps) => {
                (answer.score.map_or(steps[answer.decision], |score| score.median) - steps[gold]).abs()
            }
        }
    }
}

impl Measures for TaskMeasures {
    fn metrics(&self) -> &'static [Metric] {
        self.measures().metrics()
    }

    fn width(&self) -> usize {
        self.measures().width()
    }

    fn value(&self, metric: Metric, sums: &[f64]) -> Option<f64> {
        self.measures().value(metric, sums)
    }

    fn reliability(&self, sums: &[f64]) -> Option<Reliability> {
        self.measures().reliability(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails unless `value` is what was expected, rounding aside.
    pub(super) fn close(value: Option<f64>, expected: f64) {
        assert!((value.unwrap() - expected).abs() < 1e-12, "{value:?} is not {expected}");
    }

    /// `dataset.toml` is read where nothing is known of metrics.
    #[test]
    fn the_metrics_of_a_manifest_are_those_of_its_task() {
        let forms = LabelMeasures { labels: 2 };
        for (task, measures) in [
            (TaskKind::Labels, TaskMeasures::Labels(forms)),
            (TaskKind::Rating, TaskMeasures::Rating(vec![1.0, 2.0])),
            (TaskKind::Text, TaskMeasures::Text(TextMeasures { forms })),
        ] {
            let names: Vec<&str> = measures.metrics().iter().map(|metric| metric.name()).collect();
            assert_eq!(task.metrics(), names, "{task}");
        }
    }
}
