//! Two groups compared in one mean, where one person may have queries in both.
//!
//! People are the unit, questions where people are few. The difference of the means is a sum of one number a person, and
//! the test flips the signs of these numbers, taken around the mean of both groups: the wild cluster bootstrap of Cameron, Gelbach and Miller 2008 with
//! the null hypothesis imposed and signs as weights. Where nobody has queries in both groups it compares two samples.

use std::collections::BTreeMap;

use crate::eval::stats::{Plan, Tail, detectable, sign_flip};

/// A query of a group: the observation it is part of, and what the answer counted.
pub type Scored = (usize, f64);

/// What two groups' means tell of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// The first one's mean minus the second one's.
    pub difference: f64,
    /// Two-sided p-value of that.
    pub p: f64,
    /// The true difference that such a test would find four times out of five; `None` where nothing varies.
    pub detectable: Option<f64>,
}

/// Compares the means of `first` and `second`, neither of them empty.
pub fn compare(first: &[Scored], second: &[Scored], plan: Plan) -> Compared {
    let mean = |rows: &[Scored]| rows.iter().map(|(_, x)| x).sum::<f64>() / rows.len() as f64;
    let (a, b) = (mean(first), mean(second));
    let both = (first.len() as f64 * a + second.len() as f64 * b) / (first.len() + second.len()) as f64;
    // What each person adds to the difference, around these means.
    let around = |of_first: f64, of_second: f64| {
        let mut people: BTreeMap<usize, f64> = BTreeMap::new();
        first.iter().for_each(|(unit, x)| *people.entry(*unit).or_default() += (x - of_first) / first.len() as f64);
        second.iter().for_each(|(unit, x)| *people.entry(*unit).or_default() -= (x - of_second) / second.len() as f64);
        // What is left of equal numbers by rounding is no difference.
        people.into_values().map(|d| if d.abs() < 1e-12 { 0.0 } else { d }).collect::<Vec<f64>>()
    };
    let people = around(a, b);
    let m = people.len() as f64;
    let error = (people.iter().map(|d| d * d).sum::<f64>() * m / (m - 1.0)).sqrt();
    Compared {
        difference: a - b,
        p: sign_flip(&around(both, both), Tail::Both, plan),
        detectable: if people.len() > 1 { detectable(error) } else { None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { resamples: 10, permutations: 4_000, seed: 3 };

    #[test]
    fn two_small_groups_equal_hand_computed_values() {
        // u0, u1 answered right, u2, u3 wrong: around the common mean ½ everybody adds ¼.
        let first = [(0, 1.0), (1, 1.0)];
        let second = [(2, 0.0), (3, 0.0)];
        let found = compare(&first, &second, PLAN);
        // All four signs equal: 2 of 16 patterns. Within groups nothing varies.
        assert_eq!((found.difference, found.p, found.detectable), (1.0, 2.0 / 16.0, None));
        assert_eq!(compare(&second, &first, PLAN).difference, -1.0);

        // Means ½ and 0: around them u0 adds ¼, u1 −¼, the others 0. Error √(2/16 · 4/3).
        let first = [(0, 1.0), (1, 0.0)];
        let found = compare(&first, &second, PLAN);
        assert_eq!(found.difference, 0.5);
        let error = (2.0f64 / 16.0 * 4.0 / 3.0).sqrt();
        assert!((found.detectable.unwrap() - 2.801_585_219 * error).abs() < 1e-8);
        // Around ¼ they add 3/8, −1/8, 1/8, 1/8: 3/8 with two or three of the eighths reaches ½, 4 of 8 patterns.
        assert_eq!(found.p, 0.5);
    }

    #[test]
    fn a_person_in_both_groups_is_one_person() {
        // The same answers in both: what they add cancels.
        let rows = [(0, 1.0), (0, 0.0)];
        let found = compare(&rows, &rows, PLAN);
        assert_eq!((found.difference, found.p, found.detectable), (0.0, 1.0, None));
    }

    #[test]
    fn the_test_keeps_its_level_and_finds_what_there_is() {
        use crate::data::draw::Draw;
        let found = |lift: f64, seed: u64| {
            let mut draw = Draw::seeded(seed);
            let mut score = |share: f64| if draw.chance(share) { 1.0 } else { 0.0 };
            // Two queries of each in the first group.
            let twice = (0..30).chain(0..30);
            let first: Vec<Scored> = twice.map(|who| (who, score(0.5 + lift))).collect();
            let second: Vec<Scored> = (30..60).map(|who| (who, score(0.5))).collect();
            compare(&first, &second, Plan { resamples: 1, permutations: 300, seed: 1 }).p < 0.05
        };
        let hits = |lift: f64| (0..100).filter(|seed| found(lift, *seed)).count();
        let (none, some) = (hits(0.0), hits(0.45));
        assert!(none <= 12 && some >= 90, "{none} and {some} of 100");
    }
}
