//! Metrics of scores: how far the estimates are from the right one.

use super::{Addend, Measures, Metric};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::metrics::add;
    use crate::eval::metrics::tests::close;

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
