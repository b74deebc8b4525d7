//! Statistics for answers that come in clusters: one person's queries are not independent, so people are resampled, and
//! questions only where people are too few, see [`Unit`].
//!
//! Everything is a pure function of its arguments and a seed, and the same on any number of threads: each resample has
//! a stream of its own. Sources: percentile bootstrap (Efron), cluster-robust standard errors and power as in Miller
//! 2024 (arXiv 2411.00640), McNemar 1947 in its exact form, Holm 1979.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::thread;

use serde::{Serialize, Serializer};

use super::EvalError;
use super::experiment::spread;
use super::metrics::Addend;
use crate::data::draw::Draw;

/// Two-sided confidence of intervals.
pub const CONFIDENCE: f64 = 0.95;
/// Standard normal quantiles of 97.5 % and 80 %: a two-sided test at 5 % finds a difference of their sum times the
/// standard error four times out of five.
const DETECTABLE: f64 = 1.959_963_985 + 0.841_621_234;
/// Up to this many people all sign patterns are tried instead of drawn ones.
const ENUMERABLE: usize = 12;

/// Fewer people than this cannot be resampled.
pub const FEW: usize = 5;

/// What intervals and tests take for one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A person with all their questions.
    People,
    /// A question by itself: fewer than [`FEW`] people ask.
    Questions,
}

impl Unit {
    /// That of questions of so many people.
    pub fn of(people: usize) -> Self {
        if people < FEW { Unit::Questions } else { Unit::People }
    }

    /// That of the questions that these people asked.
    pub fn of_askers<P: Ord>(asked: &[P]) -> Self {
        Self::of(asked.iter().collect::<BTreeSet<_>>().len())
    }

    /// The observation of each question, by who asked it.
    pub fn observations<P: Ord>(self, asked: &[P]) -> Vec<usize> {
        let mut people: Vec<&P> = asked.iter().collect();
        people.sort_unstable();
        people.dedup();
        let place = |(ix, who)| match (self, people.binary_search(&who)) {
            (Unit::People, Ok(person)) => person,
            _ => ix,
        };
        asked.iter().enumerate().map(place).collect()
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Unit::People => "people",
            Unit::Questions => "questions",
        }
    }

    /// What is resampled, for reading.
    pub fn resampled(self) -> &'static str {
        match self {
            Unit::People => "people",
            Unit::Questions => "questions, people being few",
        }
    }

    /// What signs are flipped by.
    pub fn singular(self) -> &'static str {
        match self {
            Unit::People => "person",
            Unit::Questions => "question",
        }
    }
}

/// How often something random is repeated, and from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Bootstrap resamples of people.
    pub resamples: usize,
    /// Sign patterns of a permutation test.
    pub permutations: usize,
    /// Seed of both.
    pub seed: u64,
}

impl Plan {
    /// The usual numbers: 2,000 resamples, 10,000 permutations.
    pub fn seeded(seed: u64) -> Self {
        Self { resamples: 2_000, permutations: 10_000, seed }
    }

    /// The same for so many observations, without resamples of fewer than [`FEW`] and so without an interval: one person
    /// drawn again is no other one.
    pub fn among(self, observations: usize) -> Self {
        if observations < FEW { Self { resamples: 0, ..self } } else { self }
    }
}

/// An interval of confidence [`CONFIDENCE`], written as `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.low, self.high).serialize(serializer)
    }
}

/// Sums of metrics per person: only numbers that are not 0 are kept, so a person with few queries costs little.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    width: usize,
    /// One a person, in order of the person.
    people: Vec<Vec<Addend>>,
}

impl Table {
    /// Sums `rows` by person. The order of rows does not matter; that of people is theirs.
    pub fn of<P: Ord, R: AsRef<[Addend]>>(width: usize, rows: impl IntoIterator<Item = (P, R)>) -> Self {
        let mut people: BTreeMap<P, BTreeMap<usize, f64>> = BTreeMap::new();
        for (person, row) in rows {
            let sums = people.entry(person).or_default();
            row.as_ref().iter().for_each(|(at, x)| *sums.entry(*at).or_default() += x);
        }
        Self { width, people: people.into_values().map(|sums| sums.into_iter().collect()).collect() }
    }

    /// How many observations.
    pub fn observations(&self) -> usize {
        self.people.len()
    }

    /// One number of everybody, in order of the person.
    pub fn sums_of(&self, at: usize) -> Vec<f64> {
        let one = |own: &Vec<Addend>| own.iter().find(|(place, _)| *place == at).map_or(0.0, |(_, x)| *x);
        self.people.iter().map(one).collect()
    }

    /// Everybody's sums.
    pub fn total(&self) -> Vec<f64> {
        self.weighted(|_| 1.0)
    }

    fn weighted(&self, weight: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for (person, own) in self.people.iter().enumerate() {
            let times = weight(person);
            if times != 0.0 {
                own.iter().for_each(|(at, x)| sums[*at] += times * x);
            }
        }
        sums
    }
}

/// Bootstrap intervals by person of statistics of `tables`, which must hold the same people.
///
/// `statistics` turns the tables' sums into numbers, always as many; `None` where one does not apply. A statistic has
/// an interval where it applies to the whole.
pub fn intervals<F>(tables: &[Table], plan: Plan, statistics: F) -> Vec<Option<Interval>>
where
    F: Fn(&[Vec<f64>]) -> Vec<Option<f64>> + Sync,
{
    let resampled = in_parallel(plan.resamples, |number| statistics(&resample(tables, plan, number)));
    around(&statistics(&totals(tables)), &resampled)
}

/// The same of so many tables that somebody may have had enough before the end: `progress` hears how many resamples are
/// done, and `cancel` ends it.
pub fn intervals_of_many<F>(
    tables: &[Table],
    plan: Plan,
    statistics: F,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Option<Interval>>, EvalError>
where
    F: Fn(&[Vec<f64>]) -> Vec<Option<f64>> + Sync,
{
    let one = |number| Ok(statistics(&resample(tables, plan, number)));
    let resampled = spread(plan.resamples, one, cancel, progress)?;
    Ok(around(&statistics(&totals(tables)), &resampled))
}

fn totals(tables: &[Table]) -> Vec<Vec<f64>> {
    tables.iter().map(Table::total).collect()
}

/// The tables' sums over people drawn with replacement.
fn resample(tables: &[Table], plan: Plan, number: usize) -> Vec<Vec<f64>> {
    let people = tables.first().map_or(0, Table::observations);
    let mut draw = Draw::numbered(plan.seed, number);
    let mut times = vec![0.0; people];
    (0..people).for_each(|_| times[draw.below(people)] += 1.0);
    tables.iter().map(|table| table.weighted(|person| times[person])).collect()
}

/// The interval of each statistic of the `whole` from what resamples made of it.
fn around(whole: &[Option<f64>], resampled: &[Vec<Option<f64>>]) -> Vec<Option<Interval>> {
    let interval = |statistic: usize| {
        whole[statistic]?;
        let mut values: Vec<f64> = resampled.iter().filter_map(|values| values[statistic]).collect();
        values.sort_by(f64::total_cmp);
        let tail = (1.0 - CONFIDENCE) / 2.0;
        Some(Interval { low: quantile(&values, tail)?, high: quantile(&values, 1.0 - tail)? })
    };
    (0..whole.len()).map(interval).collect()
}

/// `task(0..n)` in order, on all cores.
fn in_parallel<T: Send>(n: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(n.max(1));
    let part = |thread: usize| n * thread / threads..n * (thread + 1) / threads;
    thread::scope(|scope| {
        let task = &task;
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || part(thread).map(task).collect::<Vec<T>>())).collect();
        let joined = running.into_iter().flat_map(|thread| match thread.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    })
}

/// The quantile of ascending `values`, linear between neighbours.
fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = q * last as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

/// What a test asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Is there a difference?
    Both,
    /// Is it above 0?
    Upper,
}

/// The p-value of a permutation test by person: under the null hypothesis the sign of each person's summed difference
/// is a coin toss. Exact for up to twelve people with a difference; else (1 + hits)/(1 + permutations).
pub fn sign_flip(differences: &[f64], tail: Tail, plan: Plan) -> f64 {
    let apart: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let observed: f64 = apart.iter().sum();
    // Sums in another order differ in their last digits.
    let slack = 1e-9 * apart.iter().map(|d| d.abs()).sum::<f64>();
    let hit = |flipped: f64| match tail {
        Tail::Both => flipped.abs() >= observed.abs() - slack,
        Tail::Upper => flipped >= observed - slack,
    };
    let signed = |bits: &mut dyn FnMut() -> u32| {
        let flipped = apart.chunks(32).map(|chunk| {
            let mut bits = bits();
            let mut sum = 0.0;
            for d in chunk {
                sum += if bits & 1 == 0 { *d } else { -*d };
                bits >>= 1;
            }
            sum
        });
        flipped.sum::<f64>()
    };
    if apart.len() <= ENUMERABLE {
        let patterns = 1u32 << apart.len();
        let hits = (0..patterns).filter(|pattern| hit(signed(&mut || *pattern))).count();
        return hits as f64 / f64::from(patterns);
    }
    let mut draw = Draw::seeded(plan.seed);
    let mut hits = 0;
    for _ in 0..plan.permutations {
        hits += usize::from(hit(signed(&mut || draw.below(1 << 32) as u32)));
    }
    (1 + hits) as f64 / (1 + plan.permutations) as f64
}

/// The p-value of the `one`th of many comparisons of the same people, corrected for having looked at all of them: how often
/// some comparison stands out as much when the sign of each person's differences is a coin toss, in all of them at once.
/// `differences` are each person's, one a comparison. Each comparison is measured by its own spread, so that one with wide
/// differences drowns no other. Two-sided; exact for up to twelve people with a difference, else (1 + hits)/(1 +
/// permutations), whatever the number of comparisons: Westfall and Young 1993. `progress` hears how many patterns are done,
/// and `cancel` ends it.
pub fn sign_flip_most(
    differences: &[Vec<f64>],
    one: usize,
    plan: Plan,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<f64, EvalError> {
    let width = differences.first().map_or(0, Vec::len);
    let squares = |at: usize| differences.iter().map(|own| own[at] * own[at]).sum::<f64>();
    let scales: Vec<f64> = (0..width).map(|at| squares(at).sqrt()).collect();
    let scaled = |own: &Vec<f64>| own.iter().zip(&scales).map(|(d, s)| if *s > 0.0 { d / s } else { 0.0 }).collect();
    let apart: Vec<Vec<f64>> = differences.iter().filter(|own| own.iter().any(|d| *d != 0.0)).map(scaled).collect();
    let observed = apart.iter().map(|own| own[one]).sum::<f64>().abs();
    // Sums in another order differ in their last digits.
    let hit = |flips: &mut dyn FnMut() -> bool| {
        let mut sums = vec![0.0; width];
        for own in &apart {
            let sign = if flips() { -1.0 } else { 1.0 };
            sums.iter_mut().zip(own).for_each(|(sum, d)| *sum += sign * d);
        }
        sums.iter().any(|sum| sum.abs() >= observed * (1.0 - 1e-9))
    };
    if apart.len() <= ENUMERABLE {
        let patterns = 1u32 << apart.len();
        let bit = |pattern: u32| {
            let mut bits = pattern;
            hit(&mut || {
                let flips = bits & 1 == 1;
                bits >>= 1;
                flips
            })
        };
        return Ok((0..patterns).filter(|pattern| bit(*pattern)).count() as f64 / f64::from(patterns));
    }
    let drawn = |number: usize| {
        let mut draw = Draw::numbered(plan.seed, number);
        Ok(hit(&mut || draw.below(2) == 1))
    };
    let hits = spread(plan.permutations, drawn, cancel, progress)?.into_iter().filter(|hit| *hit).count();
    Ok((1 + hits) as f64 / (1 + plan.permutations) as f64)
}

/// The exact McNemar test: the two-sided binomial p-value of `first` against `second` discordant rows. It takes rows as
/// independent, which queries of one person are not; it stands beside the test by person, not in its place.
pub fn mcnemar(first: usize, second: usize) -> f64 {
    let n = (first + second) as f64;
    // ln C(n, k) − n ln 2, from k to k + 1 by (n − k)/(k + 1); logarithms, since 2⁻ⁿ vanishes for large n.
    let mut log_term = -n * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for k in 0..=first.min(second) {
        sum += log_term.exp();
        log_term += ((n - k as f64) / (k as f64 + 1.0)).ln();
    }
    (2.0 * sum).min(1.0)
}

/// Holm's correction: p-values that may be compared with the level of one test, in the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![0.0; p.len()];
    let mut least = 0.0f64;
    for (rank, ix) in order.into_iter().enumerate() {
        least = least.max((p[ix] * (p.len() - rank) as f64).min(1.0));
        corrected[ix] = least;
    }
    corrected
}

/// The standard error of the mean difference over rows, by person: `(rows, summed difference)` of each. `None` for
/// fewer than two people.
pub fn standard_error(people: &[(f64, f64)]) -> Option<f64> {
    let rows: f64 = people.iter().map(|(n, _)| n).sum();
    let mean = people.iter().map(|(_, d)| d).sum::<f64>() / rows;
    let squares: f64 = people.iter().map(|(n, d)| (d - n * mean).powi(2)).sum();
    let m = people.len() as f64;
    (people.len() > 1).then(|| (squares * m / (m - 1.0)).sqrt() / rows)
}

/// The true difference that a two-sided test at 5 % would find with 80 % power: 2.80 standard errors. `None` where there
/// is no error to judge by.
pub fn detectable(standard_error: f64) -> Option<f64> {
    (standard_error > 0.0).then_some(DETECTABLE * standard_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAN: Plan = Plan { resamples: 400, permutations: 400, seed: 7 };

    fn most(differences: &[Vec<f64>], one: usize, plan: Plan) -> f64 {
        sign_flip_most(differences, one, plan, &AtomicBool::new(false), &mut |_| ()).unwrap()
    }

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    /// Rows, right answers: enough for an accuracy.
    fn share(sums: &[Vec<f64>]) -> Vec<Option<f64>> {
        sums.iter().map(|sums| Some(sums[1] / sums[0])).collect()
    }

    fn table(rows: &[(u8, bool)]) -> Table {
        Table::of(2, rows.iter().map(|(person, right)| (person, vec![(0, 1.0), (1, f64::from(u8::from(*right)))])))
    }

    #[test]
    fn a_comparison_among_many_equals_hand_computed_values() {
        let people = |rows: &[[f64; 2]]| rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>();
        // Alone it is the test of one.
        let one: Vec<Vec<f64>> = [1.0, 2.0, 3.0].map(|d| vec![d]).into();
        close(most(&one, 0, PLAN), 2.0 / 8.0);
        // The same comparison twice is looked at once.
        close(most(&people(&[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]), 1, PLAN), 2.0 / 8.0);
        // ++ of the first is as likely as +− of the second: two more of four patterns stand out.
        close(most(&people(&[[1.0, 1.0], [1.0, -1.0]]), 0, PLAN), 1.0);
        // However wide the differences of another, those of the first stand out only where all agree.
        close(most(&people(&[[1.0, 90.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), 0, PLAN), 2.0 / 16.0);
        close(most(&people(&[[0.0, 0.0]]), 0, PLAN), 1.0);
        let many: Vec<Vec<f64>> = (0..40).map(|_| vec![1.0; 600]).collect();
        close(most(&many, 599, PLAN), 1.0 / 401.0);
    }

    #[test]
    fn tests_equal_hand_computed_values() {
        // Three people, all better: one of eight sign patterns reaches 6, two reach |6|.
        close(sign_flip(&[1.0, 2.0, 3.0], Tail::Upper, PLAN), 1.0 / 8.0);
        close(sign_flip(&[1.0, 2.0, 3.0], Tail::Both, PLAN), 2.0 / 8.0);
        // ±1 ±1 ±2: sums of at least 2 in absolute value in 6 of 8.
        close(sign_flip(&[1.0, -1.0, 2.0], Tail::Both, PLAN), 6.0 / 8.0);
        // 2·(1 + 5)/32 and 2·(1 + 10 + 45)/1024.
        close(mcnemar(1, 4), 12.0 / 32.0);
        close(mcnemar(8, 2), 112.0 / 1024.0);
        close(mcnemar(3, 3), 1.0);
        close(mcnemar(0, 0), 1.0);
        assert!(mcnemar(9_000, 11_000) < 1e-40, "no underflow to a lost test");
        assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
        // Differences 1, 0, −1 of one row each around mean 0: √(2 · 3/2)/3.
        close(standard_error(&[(1.0, 1.0), (1.0, 0.0), (1.0, -1.0)]).unwrap(), 3f64.sqrt() / 3.0);
        assert_eq!(standard_error(&[(5.0, 1.0)]), None);
        close(detectable(0.01).unwrap(), 0.028_015_852_19);
        assert_eq!(detectable(0.0), None);
        close(quantile(&[0.0, 1.0, 4.0], 0.75).unwrap(), 2.5);
    }

    #[test]
    fn people_are_resampled_not_rows() {
        // One person's hundred equal rows are one observation: the interval spans everything.
        let rows: Vec<(u8, bool)> = (0..100).map(|_| (0, true)).chain((0..100).map(|_| (1, false))).collect();
        let interval = intervals(&[table(&rows)], PLAN, share)[0].unwrap();
        assert_eq!(interval, Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn questions_of_few_people_stand_for_themselves() {
        let observations = |asked: &[&str]| Unit::of_askers(asked).observations(asked);
        assert_eq!(observations(&["v", "u", "v", "w"]), [0, 1, 2, 3]);
        assert_eq!(observations(&["e", "b", "a", "b", "c", "d"]), [4, 1, 0, 1, 2, 3], "in order of the person");
        assert_eq!([4, 5].map(|people| Unit::of(people).name()), ["questions", "people"]);
    }

    #[test]
    fn a_large_table_of_real_people_is_told_apart_from_chance() {
        let better: Vec<f64> = (0..40).map(|person| if person % 4 == 0 { -1.0 } else { 1.0 }).collect();
        let p = sign_flip(&better, Tail::Both, Plan::seeded(3));
        assert!(p > 0.0005 && p < 0.006, "two-sided binomial of 10 in 40 is .0022: {p}");
    }

    proptest! {
        #[test]
        fn identical_arms_cannot_be_told_apart(n in 0..60usize) {
            prop_assert_eq!(sign_flip(&vec![0.0; n], Tail::Both, PLAN), 1.0);
        }

        #[test]
        fn a_test_ignores_order_and_direction(mut d in prop::collection::vec(-5i8..=5, 1..12)) {
            let as_f64 = |d: &[i8]| d.iter().map(|d| f64::from(*d)).collect::<Vec<_>>();
            let p = sign_flip(&as_f64(&d), Tail::Both, PLAN);
            let turned: Vec<f64> = as_f64(&d).iter().map(|d| -d).collect();
            prop_assert_eq!(sign_flip(&turned, Tail::Both, PLAN), p);
            d.reverse();
            prop_assert_eq!(sign_flip(&as_f64(&d), Tail::Both, PLAN), p);
            prop_assert!(p > 0.0 && p <= 1.0);
        }

        #[test]
        fn holm_never_helps_and_keeps_the_order(p in prop::collection::vec(0.0..=1.0f64, 1..9)) {
            let corrected = holm(&p);
            for (i, raw) in p.iter().enumerate() {
                prop_assert!(corrected[i] >= *raw && corrected[i] <= 1.0);
                for (j, other) in p.iter().enumerate() {
                    prop_assert!(raw > other || corrected[i] <= corrected[j]);
                }
            }
        }

        #[test]
        fn an_interval_holds_its_estimate_and_ignores_the_order_of_rows(
            rows in prop::collection::vec((0..9u8, any::<bool>()), 1..80), seed in any::<u64>()
        ) {
            let plan = Plan { seed, ..PLAN };
            let whole = table(&rows);
            let sums = whole.total();
            let interval = intervals(std::slice::from_ref(&whole), plan, share)[0].unwrap();
            prop_assert!(interval.low <= sums[1] / sums[0] && sums[1] / sums[0] <= interval.high);
            let mut turned = rows.clone();
            turned.reverse();
            prop_assert_eq!(intervals(&[table(&turned)], plan, share)[0], Some(interval));
        }
    }
}
