//! The two sides against what the mediator made of them: gain over local, overrides, disagreement, non-inferiority.

use std::collections::BTreeMap;

use super::{Judged, Material};
use crate::eval::EVEN;
use crate::eval::assessment::{CLAIM, Disagreement, Gain, LEVEL, MARGIN, Nearer, NonInferiority, Overrides};
use crate::eval::bucket::{Bucket, GAIN, POOLED, POOLED_RATINGS};
use crate::eval::stats::{Plan, Table, Tail, detectable, holm, intervals, sign_flip, standard_error};

impl Material<'_> {
    pub(super) fn gain(&self, local: &Judged, global: Option<&Judged>, mediated: &Judged, plan: Plan) -> Vec<Gain> {
        let error = self.measures.headline().is_error();
        let of = |bucket: &Bucket| {
            let rows: Vec<usize> = (0..self.visible.len()).filter(|row| bucket.holds(self.visible[*row])).collect();
            let n = rows.len();
            let share = |of: &dyn Fn(usize) -> f64| rows.iter().map(|row| of(*row)).sum::<f64>() / n as f64;
            let (l, m) = (share(&|row| local.headline[row]), share(&|row| mediated.headline[row]));
            let best = |global: &Judged, row: usize| match local.gained(global, row) > 0.0 {
                true => local.headline[row],
                false => global.headline[row],
            };
            let ceiling = global.map(|global| share(&|row| best(global, row)));
            let relative = |x: f64| (l > 0.0).then(|| (x - l) / l);
            let sums =
                rows.iter().map(|row| (self.units[*row], [(0, local.headline[*row]), (1, mediated.headline[*row])]));
            let table = Table::of(2, sums);
            let of_sums = |sums: &[Vec<f64>]| {
                let (l, m) = (sums[0][0], sums[0][1]);
                vec![(l > 0.0).then(|| (m - l) / l)]
            };
            let observed = self.differences(mediated, local, &|visible| bucket.holds(visible));
            (n > 0).then(|| Gain {
                bucket: *bucket,
                n,
                users: self.users(&|visible| bucket.holds(visible)),
                local: l,
                mediated: m,
                relative: relative(m),
                ci: intervals(std::slice::from_ref(&table), plan.among(table.observations()), of_sums)[0],
                p: sign_flip(&observed.iter().map(|(_, d)| *d).collect::<Vec<_>>(), Tail::Both, plan),
                ceiling,
                most: ceiling.and_then(relative),
                needed: if error { l * (1.0 - CLAIM) } else { l * (1.0 + CLAIM) },
            })
        };
        GAIN.iter().filter_map(of).collect()
    }

    pub(super) fn non_inferiority(&self, mediated: &Judged, side: &Judged, plan: Plan) -> Vec<NonInferiority> {
        let test = |bucket: &Bucket| {
            let observed = self.differences(mediated, side, &|visible| bucket.holds(visible));
            let n: f64 = observed.iter().map(|(n, _)| n).sum();
            let table = Table::of(2, observed.iter().enumerate().map(|(who, (n, d))| (who, [(0, *n), (1, *d)])));
            let mean = |sums: &[Vec<f64>]| (sums[0][0] > 0.0).then(|| mediated.sign * sums[0][1] / sums[0][0]);
            let ci = intervals(&[table], plan.among(observed.len()), |sums| vec![mean(sums)]);
            // Under the null hypothesis mediated is worse by the margin: then these differences are around 0.
            let shifted: Vec<f64> = observed.iter().map(|(n, d)| d + MARGIN * n).collect();
            let p = sign_flip(&shifted, Tail::Upper, plan);
            (n > 0.0).then(|| NonInferiority {
                against: side.contestant.name,
                bucket: *bucket,
                n: n as usize,
                users: self.users(&|visible| bucket.holds(visible)),
                headline: self.headline(mediated.sign * observed.iter().map(|(_, d)| d).sum::<f64>() / n),
                ci: ci[0],
                p,
                p_holm: p,
                non_inferior: false,
                detectable: standard_error(&observed).and_then(detectable),
            })
        };
        let buckets = if self.of_scores() { &POOLED_RATINGS[..] } else { &POOLED[..] };
        let mut tests: Vec<NonInferiority> = buckets.iter().filter_map(test).collect();
        let corrected = holm(&tests.iter().map(|test| test.p).collect::<Vec<_>>());
        for (test, p) in tests.iter_mut().zip(corrected) {
            test.p_holm = p;
            test.non_inferior = p < LEVEL;
        }
        tests
    }

    pub(super) fn disagreement<'a>(
        &self,
        local: &Judged,
        global: &Judged,
        everyone: impl Iterator<Item = &'a Judged<'a>>,
    ) -> Disagreement {
        let answers = |judged: &Judged, row: usize| judged.contestant.answers[row].decision;
        let all = local.rows.len();
        let rows: Vec<usize> = (0..all).filter(|row| answers(local, *row) != answers(global, *row)).collect();
        let mean = |judged: &Judged| rows.iter().map(|row| judged.headline[*row]).sum::<f64>() / rows.len() as f64;
        let means =
            everyone.filter(|_| !rows.is_empty()).map(|judged| (judged.contestant.name, mean(judged))).collect();
        let (right, mae) = if self.of_scores() { (BTreeMap::new(), means) } else { (means, BTreeMap::new()) };
        Disagreement { n: rows.len(), share: rows.len() as f64 / all as f64, right, mae }
    }
}

pub(super) fn overrides(local: &Judged, mediated: &Judged) -> Overrides {
    let mut table = Overrides::default();
    for (row, (l, m)) in local.headline.iter().zip(&mediated.headline).enumerate() {
        let overridden = local.contestant.answers[row].decision != mediated.contestant.answers[row].decision;
        table.overridden += usize::from(overridden);
        match (*l > 0.0, *m > 0.0) {
            (true, true) => table.local_right_mediated_right += 1,
            (true, false) => table.local_right_mediated_wrong += 1,
            (false, true) => table.local_wrong_mediated_right += 1,
            (false, false) => table.local_wrong_mediated_wrong += 1,
        }
    }
    // Only one of two different answers can be right, so these two are always overrides.
    table.rescued = table.local_wrong_mediated_right;
    table.suppressed = table.local_right_mediated_wrong;
    table
}

pub(super) fn nearer(local: &Judged, mediated: &Judged) -> Nearer {
    let mut found = Nearer::default();
    for row in 0..local.rows.len() {
        if local.contestant.answers[row].decision == mediated.contestant.answers[row].decision {
            continue;
        }
        found.overridden += 1;
        match mediated.gained(local, row) {
            gained if gained > EVEN => found.rescued += 1,
            gained if gained < -EVEN => found.suppressed += 1,
            _ => found.even += 1,
        }
    }
    found
}
