//! The base rate: how often others gave each response of late, whatever the query.
//!
//! b(y) = (N(y) + ½)/(ΣN + ½K), N(y) = Σ over others' items strictly before t of 2^(−age/h) \[y_j = y\].
//!
//! Running sums make a read cost the logarithm of the history: after an item the sum of its label is 1 + what the sum
//! before it has decayed to. Invariant: the sum at an item depends on it and earlier ones only.

use super::population::{ItemIx, Population, UserIx};
use crate::data::interaction::Timestamp;

/// Pseudo-count of a label.
const PSEUDO: f64 = 0.5;

/// Running sums per label.
pub struct BaseRates {
    half_life: f64,
    /// Items that are counted.
    known: ItemIx,
    /// Per label `(item, decayed count up to and with it)`, ascending.
    labels: Vec<Vec<(ItemIx, f64)>>,
}

impl BaseRates {
    /// Sums with a half-life in days, `inf` for none.
    pub fn of(population: &Population, half_life: f64) -> Self {
        let mut rates = Self { half_life, known: 0, labels: vec![Vec::new(); population.labels.len()] };
        rates.extend(population);
        rates
    }

    /// Takes in the items that `population` has beyond those that are known here.
    pub fn extend(&mut self, population: &Population) {
        for item in self.known..population.len() {
            let sums = &mut self.labels[population.label[item]];
            let now = population.at[item];
            let kept = sums.last().map_or(0.0, |(last, sum)| sum * decay(population.at[*last], now, self.half_life));
            sums.push((item, kept + 1.0));
        }
        self.known = population.len();
    }

    /// b at `t` without what `asking` answered. Sums to 1, every entry > 0.
    pub fn read(&self, population: &Population, asking: Option<UserIx>, t: Timestamp) -> Vec<f64> {
        let mut counts = self.counts(population, t);
        let before = population.before(t);
        let mut others: Vec<usize> = self.labels.iter().map(|sums| given(sums, before)).collect();
        for item in population.visible(asking, t) {
            counts[population.label[*item]] -= decay(population.at[*item], t, self.half_life);
            others[population.label[*item]] = others[population.label[*item]].saturating_sub(1);
        }
        // Subtraction leaves rounding dust where nobody else gave a label, and dust must not decide a query.
        for (count, others) in counts.iter_mut().zip(others) {
            *count = PSEUDO + if others > 0 { count.max(0.0) } else { 0.0 };
        }
        let sum: f64 = counts.iter().sum();
        counts.iter_mut().for_each(|count| *count /= sum);
        counts
    }

    /// N at `t`, everybody's.
    pub(super) fn counts(&self, population: &Population, t: Timestamp) -> Vec<f64> {
        let before = population.before(t);
        let count = |sums: &Vec<(ItemIx, f64)>| {
            let last = given(sums, before).checked_sub(1);
            last.map_or(0.0, |last| sums[last].1 * decay(population.at[sums[last].0], t, self.half_life))
        };
        self.labels.iter().map(count).collect()
    }
}

/// How many items before `before` have the label of `sums`.
fn given(sums: &[(ItemIx, f64)], before: ItemIx) -> usize {
    sums.partition_point(|(item, _)| *item < before)
}

/// 2^(−age/h).
pub fn decay(then: Timestamp, now: Timestamp, half_life: f64) -> f64 {
    (-now.days_since(then) / half_life).exp2()
}
