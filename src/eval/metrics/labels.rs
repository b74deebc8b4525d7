//! Metrics of labels: of a `labels` task, and of the forms of texts.
//!
//! Conventions, because each has several: logarithms of log-loss are natural and probabilities below [`FLOOR`] count as
//! [`FLOOR`]; macro-F1 averages over the labels that occur in gold or in answers (scikit-learn's default), a label never
//! answered or never right scoring 0; balanced accuracy averages recall over the labels that occur in gold; the Brier
//! score is the multi-class sum, 0 to 2; the calibration error has [`BINS`] bins of equal width, by the probability of
//! the answer: edges that no sample moves, so that it is a function of sums and figures of two samples are of the same
//! bins; entropy is that of the answered labels, over the logarithm of the number of labels.

use std::f64::consts::FRAC_2_PI;

use super::{Addend, Bin, Measures, Metric, Reliability};
use crate::mediator::distribution::{brier, normalised_entropy};

/// The least probability that log-loss tells apart from 0.
pub const FLOOR: f64 = 1e-15;
/// Bins of the calibration error: (0, .1], (.1, .2] … by the probability of the answer.
pub const BINS: usize = 10;

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
/// From here on per label: right, gold, answered; then per bin: rows, confidence, right, p(1 − p).
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
            row.push((BRIER, brier(p, gold)));
            row.extend(self.row_of_bin(p[answer], right));
        }
        row
    }

    /// The same where only the probability of the answer is known, and whether that is right: enough for the calibration
    /// error and the table behind it, and for nothing else.
    pub fn row_of_answer(&self, p: f64, right: bool) -> Vec<Addend> {
        let mut row = vec![(ROWS, 1.0), (JUDGED, 1.0)];
        row.extend(self.row_of_bin(p, if right { 1.0 } else { 0.0 }));
        row
    }

    fn row_of_bin(&self, p: f64, right: f64) -> [Addend; 4] {
        let bin = PER_LABEL + 3 * self.labels + ((p * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        [(bin, 1.0), (bin + BINS, p), (bin + 2 * BINS, right), (bin + 3 * BINS, p * (1.0 - p))]
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
        PER_LABEL + 3 * self.labels + 4 * BINS
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
                Some(normalised_entropy(&shares))
            }
            Metric::MeanAbsoluteError
            | Metric::RootMeanSquareError
            | Metric::LengthError
            | Metric::Rouge1
            | Metric::RougeL => None,
        }
    }

    fn reliability(&self, sums: &[f64]) -> Option<Reliability> {
        let bins = &sums[PER_LABEL + 3 * self.labels..];
        let bin = |bin: usize| {
            let n = bins[bin];
            let edge = |bin: usize| bin as f64 / BINS as f64;
            let (confidence, accuracy) = (bins[BINS + bin] / n, bins[2 * BINS + bin] / n);
            (n > 0.0).then(|| Bin { from: edge(bin), to: edge(bin + 1), n: n as usize, confidence, accuracy })
        };
        let noise = bins[3 * BINS..].iter().map(|variance| (FRAC_2_PI * variance.max(0.0)).sqrt()).sum::<f64>();
        let found: Vec<Bin> = (0..BINS).filter_map(bin).collect();
        (!found.is_empty()).then(|| Reliability { by_chance: noise / sums[JUDGED], bins: found })
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), x| (sum + x, n + 1));
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::draw::Draw;
    use crate::eval::metrics::tests::close;
    use crate::eval::metrics::{RatingMeasures, Spread, add};
    use crate::eval::stats::{Interval, Plan, Table, intervals};

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
        let Reliability { by_chance, bins } = measures.reliability(&sums).unwrap();
        let told: Vec<(f64, f64, usize)> = bins.iter().map(|bin| (bin.from, bin.to, bin.n)).collect();
        assert_eq!(told, [(0.5, 0.6, 2), (0.6, 0.7, 2), (0.9, 1.0, 1)]);
        for (bin, confidence, accuracy) in [(0, 0.575, 0.5), (1, 0.675, 1.0), (2, 1.0, 0.0)] {
            close(Some(bins[bin].confidence), confidence);
            close(Some(bins[bin].accuracy), accuracy);
        }
        // A half-normal of variance Σ p(1 − p) has the mean √(2/π) of its root.
        let variances = [0.6 * 0.4 + 0.55 * 0.45, 0.7 * 0.3 + 0.65 * 0.35, 0.0f64];
        let root = |variance: &f64| (variance * 2.0 / std::f64::consts::PI).sqrt();
        close(Some(by_chance), variances.iter().map(root).sum::<f64>() / 5.0);
    }

    /// `n` answers of each probability in `at`, right as often as `share` says of it: gold, answer and distribution.
    fn answers(at: &[f64], n: usize, share: impl Fn(f64) -> f64) -> Vec<(usize, usize, Vec<f64>)> {
        let one = |p: f64, right: bool| (if right { 0 } else { 2 }, 0, vec![p, 1.0 - p, 0.0]);
        let of = |p: f64| (0..n).map(move |ix| (p, ix));
        at.iter().flat_map(|p| of(*p)).map(|(p, ix)| one(p, (ix as f64) < (share(p) * n as f64).round())).collect()
    }

    #[test]
    fn probabilities_that_hold_have_no_calibration_error_and_others_that_of_their_gap() {
        let measures = LabelMeasures { labels: 3 };
        let error = |share: &dyn Fn(f64) -> f64| {
            let mut sums = vec![0.0; measures.width()];
            for (gold, answer, p) in answers(&[0.52, 0.64, 0.7, 0.88, 1.0], 50, share) {
                add(&mut sums, &measures.row(gold, answer, Some(&p)));
            }
            measures.value(Metric::CalibrationError, &sums)
        };
        close(error(&|p| p), 0.0);
        close(error(&|p| p - 0.1), 0.1);
    }

    #[test]
    fn the_interval_of_a_calibration_error_is_mirrored_and_so_covers_what_quantiles_cannot() {
        let measures = LabelMeasures { labels: 3 };
        let plan = Plan { resamples: 100, permutations: 1, seed: 5 };
        let (mut mirrored, mut plain, runs) = (0, 0, 100);
        for run in 0..runs {
            // Forty people of five answers each, all of probabilities that hold: the true error is 0.
            let mut draw = Draw::seeded(run);
            let mut rows = Vec::new();
            for person in 0..40 {
                for _ in 0..5 {
                    let p = [0.45, 0.65, 0.85][draw.below(3)];
                    let gold = if (draw.below(1_000) as f64) < p * 1_000.0 { 0 } else { 1 };
                    rows.push((person, measures.row(gold, 0, Some(&[p, 1.0 - p, 0.0]))));
                }
            }
            let table = Table::of(measures.width(), rows);
            let of = |sums: &[f64]| measures.value(Metric::CalibrationError, sums);
            let found = intervals(std::slice::from_ref(&table), plan, |sums| vec![of(&sums[0])])[0].unwrap();
            let interval = |spread: Spread| spread.interval(of(&table.total()).unwrap(), found).unwrap();
            mirrored += usize::from(interval(Spread::Reflected).low <= 0.0);
            plain += usize::from(interval(Spread::Percentile).low <= 0.0);
        }
        assert!(mirrored >= 70 && plain == 0, "{mirrored} and {plain} of {runs} intervals hold the true 0");
        assert_eq!(Spread::Unknown.interval(0.5, Interval { low: 0.0, high: 1.0 }), None);
        let high = Spread::Reflected.interval(0.9, Interval { low: 0.5, high: 1.0 });
        assert_eq!(high, Some(Interval { low: 0.8, high: 1.0 }));
    }

    proptest! {
        #[test]
        fn laws_of_scores(rows in prop::collection::vec((0..4usize, prop::array::uniform4(0.0..1.0f64)), 1..40), turn in 1..4usize) {
            let measures = LabelMeasures { labels: 4 };
            let mut sums = [vec![0.0; measures.width()], vec![0.0; measures.width()]];
            for (gold, weights) in &rows {
                let all = weights.iter().sum::<f64>() + 4e-3;
                let p: Vec<f64> = weights.iter().map(|w| (w + 1e-3) / all).collect();
                let answer = (0..4).fold(0, |best, y| if p[y] > p[best] { y } else { best });
                add(&mut sums[0], &measures.row(*gold, answer, Some(&p)));
                // The same under other names.
                let turned: Vec<f64> = (0..4).map(|y| p[(y + 4 - turn) % 4]).collect();
                add(&mut sums[1], &measures.row((gold + turn) % 4, (answer + turn) % 4, Some(&turned)));
            }
            for (metric, most) in [(Metric::Brier, 2.0), (Metric::CalibrationError, 1.0)] {
                let [one, other] = [0, 1].map(|ix| measures.value(metric, &sums[ix]).unwrap());
                prop_assert!((0.0..=most).contains(&one), "{metric:?} {one}");
                prop_assert!((one - other).abs() < 1e-9, "{metric:?} {one} {other}");
            }
            let found = measures.reliability(&sums[0]).unwrap();
            prop_assert_eq!(found.bins.iter().map(|bin| bin.n).sum::<usize>(), rows.len());
            let within = |bin: &Bin| bin.from <= bin.confidence + 1e-9 && bin.confidence <= bin.to + 1e-9;
            prop_assert!(found.bins.iter().all(within), "{:?}", found);
            let gap: f64 = found.bins.iter().map(|bin| bin.n as f64 * (bin.accuracy - bin.confidence).abs()).sum();
            let error = measures.value(Metric::CalibrationError, &sums[0]).unwrap();
            prop_assert!((gap / rows.len() as f64 - error).abs() < 1e-9, "the table is what the error is made of");
            prop_assert!((0.0..=0.4).contains(&found.by_chance));
        }
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
        assert_eq!(measures.reliability(&sums), None);
        assert_eq!(RatingMeasures.reliability(&[1.0; 3]), None);
    }
}
