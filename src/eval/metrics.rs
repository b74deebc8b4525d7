//! Metrics as functions of sums over rows.
//!
//! A row (one query, one answer) adds a few numbers to a vector of sums; every metric is a function of that vector. So
//! a resample of people is a sum of their vectors, whatever the metric, and nothing is counted twice. A kind of task
//! is one implementation of [`Measures`] plus a method that turns a row into its numbers.
//!
//! Conventions, because each has several: logarithms of log-loss are natural and probabilities below [`FLOOR`] count as
//! [`FLOOR`]; macro-F1 averages over the labels that occur in gold or in answers (scikit-learn's default), a label never
//! answered or never right scoring 0; balanced accuracy averages recall over the labels that occur in gold; the Brier
//! score is the multi-class sum, 0 to 2; the calibration error has [`BINS`] bins of equal width; entropy is that of the
//! answered labels, over the logarithm of the number of labels.

use serde::{Serialize, Serializer};

use super::experiment::Answer;
use crate::data::dataset::{Manifest, TaskKind};
use crate::mediator::distribution::normalised_entropy;

/// The least probability that log-loss tells apart from 0.
pub const FLOOR: f64 = 1e-15;
/// Bins of the calibration error: (0, .1], (.1, .2] … by the probability of the answer.
pub const BINS: usize = 10;

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

    /// Whether a resample of people estimates it without a bias that dwarfs its spread, so that a percentile interval
    /// means something. Resampling adds noise to every bin of the calibration error and takes labels from entropy.
    pub fn has_interval(self) -> bool {
        !matches!(self, Metric::CalibrationError | Metric::Entropy)
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
}

/// Adds a row to sums.
pub fn add(sums: &mut [f64], row: &[Addend]) {
    row.iter().for_each(|(at, x)| sums[*at] += x);
}

/// Rows.
const ROWS: usize = 0;
/// Right answers.
const RIGHT: usize = 1;
/// Rows that came with probabilities.
const JUDGED: usize = 2;
/// −ln p(gold).
const LOSS: usize = 3;
/// Brier.
const BRIER: usize = 4;
/// From here on per label: right, gold, answered; then per bin: rows, confidence, right.
const PER_LABEL: usize = 5;

/// Metrics of a `labels` task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelMeasures {
    /// How many labels the task has.
    pub labels: usize,
}

impl LabelMeasures {
    /// What one answer adds. `distribution` is absent for a predictor that only names a label.
    pub fn row(&self, gold: usize, answer: usize, distribution: Option<&[f64]>) -> Vec<Addend> {
        let right = if answer == gold { 1.0 } else { 0.0 };
        let mut row = self.row_of_gold(gold, answer, distribution.map(|p| p[gold]));
        if let Some(p) = distribution {
            let squares = p.iter().enumerate().map(|(y, p)| (p - if y == gold { 1.0 } else { 0.0 }).powi(2));
            let bin = ((p[answer] * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            let bins = PER_LABEL + 3 * self.labels;
            row.push((BRIER, squares.sum()));
            row.extend([(bins + bin, 1.0), (bins + BINS + bin, p[answer]), (bins + 2 * BINS + bin, right)]);
        }
        row
    }

    /// The same where only the probability of the right label is known: enough for everything but Brier and calibration
    /// error, which must not be read from such sums.
    pub fn row_of_gold(&self, gold: usize, answer: usize, p_gold: Option<f64>) -> Vec<Addend> {
        let k = self.labels;
        let mut row = vec![(ROWS, 1.0), (PER_LABEL + k + gold, 1.0), (PER_LABEL + 2 * k + answer, 1.0)];
        if answer == gold {
            row.extend([(RIGHT, 1.0), (PER_LABEL + gold, 1.0)]);
        }
        row.extend(p_gold.iter().flat_map(|p| [(JUDGED, 1.0), (LOSS, -p.max(FLOOR).ln())]));
        row
    }

    fn calibration_error(&self, sums: &[f64]) -> f64 {
        let bins = &sums[PER_LABEL + 3 * self.labels..];
        let gap = |bin: usize| (bins[2 * BINS + bin] - bins[BINS + bin]).abs();
        (0..BINS).map(gap).sum::<f64>() / sums[JUDGED]
    }
}

impl Measures for LabelMeasures {
    fn metrics(&self) -> &'static [Metric] {
        use Metric::*;
        &[Accuracy, BalancedAccuracy, MacroF1, LogLoss, Brier, CalibrationError, Entropy]
    }

    fn width(&self) -> usize {
        PER_LABEL + 3 * self.labels + 3 * BINS
    }

    fn value(&self, metric: Metric, sums: &[f64]) -> Option<f64> {
        let k = self.labels;
        let (rows, judged) = (sums[ROWS], sums[JUDGED]);
        let of = |kind: usize, y: usize| sums[PER_LABEL + kind * k + y];
        let (right, gold, answered) = (|y| of(0, y), |y| of(1, y), |y| of(2, y));
        let with_probabilities = |x: f64| (judged > 0.0).then(|| x / judged);
        if rows <= 0.0 {
            return None;
        }
        match metric {
            Metric::Accuracy => Some(sums[RIGHT] / rows),
            Metric::BalancedAccuracy => mean((0..k).filter(|y| gold(*y) > 0.0).map(|y| right(y) / gold(y))),
            Metric::MacroF1 => {
                let occurs = (0..k).filter(|y| gold(*y) + answered(*y) > 0.0);
                mean(occurs.map(|y| 2.0 * right(y) / (gold(y) + answered(y))))
            }
            Metric::LogLoss => with_probabilities(sums[LOSS]),
            Metric::Brier => with_probabilities(sums[BRIER]),
            Metric::CalibrationError => (judged > 0.0).then(|| self.calibration_error(sums)),
            Metric::Entropy => {
                let shares: Vec<f64> = (0..k).map(|y| answered(y) / rows).collect();
                // Adding 0 takes the sign from the −0 of a certain answer.
                Some(normalised_entropy(&shares) + 0.0)
            }
            Metric::MeanAbsoluteError
            | Metric::RootMeanSquareError
            | Metric::LengthError
            | Metric::Rouge1
            | Metric::RougeL => None,
        }
    }
}

/// Metrics of a `rating` task: the median is judged by absolute error, the mean by squared error, each the estimate
/// that its metric rewards.
#[derive(Clone, Copy, Debug)]
pub struct RatingMeasures;

impl RatingMeasures {
    /// What one answer adds.
    pub fn row(self, gold: f64, median: f64, mean: f64) -> Vec<Addend> {
        vec![(0, 1.0), (1, (median - gold).abs()), (2, (mean - gold).powi(2))]
    }
}

impl Measures for RatingMeasures {
    fn metrics(&self) -> &'static [Metric] {
        &[Metric::MeanAbsoluteError, Metric::RootMeanSquareError]
    }

    fn width(&self) -> usize {
        3
    }

    fn value(&self, metric: Metric, sums: &[f64]) -> Option<f64> {
        match metric {
            _ if sums[0] <= 0.0 => None,
            Metric::MeanAbsoluteError => Some(sums[1] / sums[0]),
            Metric::RootMeanSquareError => Some((sums[2] / sums[0]).sqrt()),
            _ => None,
        }
    }
}

/// Metrics of a `text` task: those of labels for the form, the error of the length, and ROUGE where a text was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextMeasures {
    /// Of the form.
    pub forms: LabelMeasures,
}

impl TextMeasures {
    /// Behind the sums of forms: rows with a length, their errors; rows with a text, their ROUGE-1 and ROUGE-L.
    const WIDTH: usize = 5;

    /// What one answer adds.
    pub fn row(&self, gold: usize, answer: &Answer) -> Vec<Addend> {
        let mut row = self.forms.row(gold, answer.decision, answer.distribution.as_deref());
        let at = self.forms.width();
        let written = answer.written.unwrap_or_default();
        row.extend(written.length_error.iter().flat_map(|error| [(at, 1.0), (at + 1, *error)]));
        let rouge = written.rouge.iter();
        row.extend(rouge.flat_map(|rouge| [(at + 2, 1.0), (at + 3, rouge.unigrams), (at + 4, rouge.longest)]));
        row
    }
}

impl Measures for TextMeasures {
    fn metrics(&self) -> &'static [Metric] {
        use Metric::*;
        &[Accuracy, BalancedAccuracy, MacroF1, LogLoss, Brier, CalibrationError, Entropy, LengthError, Rouge1, RougeL]
    }

    fn width(&self) -> usize {
        self.forms.width() + Self::WIDTH
    }

    fn value(&self, metric: Metric, sums: &[f64]) -> Option<f64> {
        let (forms, own) = sums.split_at(self.forms.width());
        let mean = |of: usize, sum: usize| (own[of] > 0.0).then(|| own[sum] / own[of]);
        match metric {
            Metric::LengthError => mean(0, 1),
            Metric::Rouge1 => mean(2, 3),
            Metric::RougeL => mean(2, 4),
            metric => self.forms.value(metric, forms),
        }
    }
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
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), x| (sum + x, n + 1));
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::experiment::Compared;
    use crate::eval::rouge::Rouge;

    fn close(value: Option<f64>, expected: f64) {
        assert!((value.unwrap() - expected).abs() < 1e-12, "{value:?} is not {expected}");
    }

    /// gold and answer of five rows over three labels with their distributions.
    fn sums() -> (LabelMeasures, Vec<f64>) {
        let measures = LabelMeasures { labels: 4 };
        let mut sums = vec![0.0; measures.width()];
        for (gold, answer, p) in [
            (0, 0, [0.7, 0.1, 0.1, 0.1]),
            (0, 0, [0.65, 0.15, 0.1, 0.1]),
            (0, 1, [0.2, 0.6, 0.1, 0.1]),
            (1, 1, [0.25, 0.55, 0.1, 0.1]),
            (2, 0, [1.0, 0.0, 0.0, 0.0]),
        ] {
            add(&mut sums, &measures.row(gold, answer, Some(&p)));
        }
        (measures, sums)
    }

    #[test]
    fn label_metrics_equal_hand_computed_values() {
        let (measures, sums) = sums();
        let value = |metric| measures.value(metric, &sums);
        close(value(Metric::Accuracy), 3.0 / 5.0);
        // Recalls 2/3, 1/1, 0/1; label 3 never occurs and is left out.
        close(value(Metric::BalancedAccuracy), (2.0 / 3.0 + 1.0 + 0.0) / 3.0);
        // F1: label 0 has 2 right of 3 gold and 3 answered, label 1 has 1 right of 1 and 2, label 2 none.
        close(value(Metric::MacroF1), (4.0 / 6.0 + 2.0 / 3.0 + 0.0) / 3.0);
        let losses = [0.7f64, 0.65, 0.2, 0.55, 1e-15].map(|p| -p.ln());
        close(value(Metric::LogLoss), losses.iter().sum::<f64>() / 5.0);
        let brier =
            [0.09 + 0.03, 0.35 * 0.35 + 0.15 * 0.15 + 0.02, 0.64 + 0.36 + 0.02, 0.0625 + 0.45 * 0.45 + 0.02, 2.0];
        close(value(Metric::Brier), brier.iter().sum::<f64>() / 5.0);
        // Bins by confidence: (.5, .6] holds .6 wrong and .55 right, (.6, .7] holds .7 and .65 right, (.9, 1] 1 wrong.
        let gaps = (1.0f64 - 1.15).abs() + (2.0f64 - 1.35).abs() + 1.0;
        close(value(Metric::CalibrationError), gaps / 5.0);
        // Answers: label 0 three times, label 1 twice.
        let entropy = -(0.6f64 * 0.6f64.ln() + 0.4 * 0.4f64.ln()) / 4.0f64.ln();
        close(value(Metric::Entropy), entropy);
        assert_eq!(value(Metric::MeanAbsoluteError), None);
    }

    #[test]
    fn a_predictor_without_probabilities_has_no_loss_and_nobody_has_a_metric_of_nothing() {
        let measures = LabelMeasures { labels: 2 };
        let mut sums = vec![0.0; measures.width()];
        assert!(measures.metrics().iter().all(|metric| measures.value(*metric, &sums).is_none()));
        add(&mut sums, &measures.row(0, 1, None));
        assert_eq!(measures.value(Metric::Accuracy, &sums), Some(0.0));
        assert_eq!(measures.value(Metric::LogLoss, &sums), None);
        assert_eq!(measures.value(Metric::CalibrationError, &sums), None);
    }

    #[test]
    fn texts_are_judged_by_form_by_length_and_by_words_each_where_there_is_one() {
        let measures = TextMeasures { forms: LabelMeasures { labels: 3 } };
        let mut sums = vec![0.0; measures.width()];
        assert!(measures.metrics().iter().all(|metric| measures.value(*metric, &sums).is_none()));
        let rouge = |unigrams, longest| Some(Rouge { unigrams, longest });
        for (decision, length_error, rouge) in
            [(0, Some(0.2), None), (1, Some(0.6), rouge(0.5, 0.25)), (0, None, rouge(1.0, 0.75))]
        {
            let written = Some(Compared { length_error, rouge });
            add(&mut sums, &measures.row(0, &Answer { written, ..Answer::named(decision) }));
        }
        let value = |metric| measures.value(metric, &sums);
        close(value(Metric::Accuracy), 2.0 / 3.0);
        close(value(Metric::LengthError), 0.4);
        close(value(Metric::Rouge1), 0.75);
        close(value(Metric::RougeL), 0.5);
        assert_eq!(value(Metric::LogLoss), None, "nobody gave probabilities");
    }

    #[test]
    fn ratings_judge_the_median_by_absolute_and_the_mean_by_squared_error() {
        let mut sums = vec![0.0; RatingMeasures.width()];
        for (gold, median, mean) in [(4.0, 3.0, 3.5), (2.0, 2.0, 3.5), (5.0, 4.5, 5.0)] {
            add(&mut sums, &RatingMeasures.row(gold, median, mean));
        }
        close(RatingMeasures.value(Metric::MeanAbsoluteError, &sums), 0.5);
        close(RatingMeasures.value(Metric::RootMeanSquareError, &sums), (2.5f64 / 3.0).sqrt());
        assert_eq!(RatingMeasures.value(Metric::Accuracy, &sums), None);
    }
}
