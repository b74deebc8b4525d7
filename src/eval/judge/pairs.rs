//! Pairs of predictors on the same questions: differences by person, or by question where people are few.

use std::collections::BTreeMap;

use super::{Judged, Material};
use crate::eval::assessment::{Difference, Paired, Window};
use crate::eval::metrics::{Measures, Metric, Spread};
use crate::eval::stats::{Plan, Tail, detectable, holm, intervals, mcnemar, sign_flip, standard_error};

impl Material<'_> {
    /// Per observation among `wanted` rows: rows, and by how much `first` is better than `second`, summed.
    pub(super) fn differences(
        &self,
        first: &Judged,
        second: &Judged,
        wanted: &dyn Fn(usize) -> bool,
    ) -> Vec<(f64, f64)> {
        let mut units: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for (row, unit) in self.units.iter().enumerate().filter(|(row, _)| wanted(self.visible[*row])) {
            let (n, d) = units.entry(*unit).or_default();
            *n += 1.0;
            *d += first.gained(second, row);
        }
        units.into_values().collect()
    }

    /// The first of each pair against the second; Holm over the pairs.
    pub(super) fn pairs(&self, pairs: &[(&Judged, &Judged)], plan: Plan) -> Vec<Paired> {
        let mut paired: Vec<Paired> = pairs.iter().map(|(first, second)| self.pair(first, second, plan)).collect();
        let corrected = holm(&paired.iter().map(|paired| paired.p).collect::<Vec<_>>());
        paired.iter_mut().zip(corrected).for_each(|(paired, p)| paired.p_holm = p);
        paired
    }

    fn pair(&self, first: &Judged, second: &Judged, plan: Plan) -> Paired {
        // Of a metric that noise shifts, the difference of two predictors would tell which of them is noisier.
        let plain = |metric: &Metric| metric.spread() == Spread::Percentile;
        let metrics: Vec<Metric> = self.measures.metrics().iter().copied().filter(plain).collect();
        let difference = |sums: &[Vec<f64>]| -> Vec<Option<f64>> {
            let of = |m: &Metric| Some(self.measures.value(*m, &sums[0])? - self.measures.value(*m, &sums[1])?);
            metrics.iter().map(of).collect()
        };
        let observed = self.differences(first, second, &|_| true);
        let tables = [self.table(first, &|_| true), self.table(second, &|_| true)];
        let whole = difference(&[tables[0].total(), tables[1].total()]);
        let found = intervals(&tables, plan, difference);
        let difference = metrics.iter().zip(whole).zip(found);
        let difference =
            difference.filter_map(|((metric, value), ci)| Some(Difference { metric: *metric, value: value?, ci: ci? }));
        let (wins, losses) = (first.better(second), second.better(first));
        let gained: f64 = observed.iter().map(|(_, d)| d).sum();
        let p = sign_flip(&observed.iter().map(|(_, d)| *d).collect::<Vec<_>>(), Tail::Both, plan);
        Paired {
            against: second.contestant.name,
            headline: self.headline(first.sign * gained / self.questions.len() as f64),
            difference: difference.collect(),
            wins,
            losses,
            p,
            p_holm: p,
            p_mcnemar: mcnemar(wins, losses),
            detectable: standard_error(&observed).and_then(detectable),
        }
    }
}

/// Corrects the tests of windows anew: Holm over the windows of each rival, since the question is in which of them
/// mediated is better.
pub fn correct_over_windows(windows: &mut [Window]) {
    let rivals = windows.first().map_or(0, |window| window.paired.len());
    for rival in 0..rivals {
        let corrected = holm(&windows.iter().map(|window| window.paired[rival].p).collect::<Vec<_>>());
        windows.iter_mut().zip(corrected).for_each(|(window, p)| window.paired[rival].p_holm = p);
    }
}
