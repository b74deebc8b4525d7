//! Buckets: queries by how many of the person's own items were visible when it was asked.
//!
//! They confound size of history with kind of person; a ladder, which hides items of the same people, does not.

use serde::Serialize;

/// Numbers of visible items, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Fewest.
    pub from: usize,
    /// Most; `None` without limit.
    pub to: Option<usize>,
}

impl Bucket {
    const fn new(from: usize, to: usize) -> Self {
        Self { from, to: Some(to) }
    }

    const fn open(from: usize) -> Self {
        Self { from, to: None }
    }

    /// Whether `visible` items fall into it.
    pub fn holds(&self, visible: usize) -> bool {
        visible >= self.from && self.to.is_none_or(|to| visible <= to)
    }

    /// `0`, `1–2`, `101+`.
    pub fn name(&self) -> String {
        match self.to {
            Some(to) if to == self.from => to.to_string(),
            Some(to) => format!("{}–{to}", self.from),
            None => format!("{}+", self.from),
        }
    }
}

/// Buckets of every report; together they hold every query once.
pub const FINE: [Bucket; 8] = [
    Bucket::new(0, 0),
    Bucket::new(1, 2),
    Bucket::new(3, 5),
    Bucket::new(6, 10),
    Bucket::new(11, 20),
    Bucket::new(21, 50),
    Bucket::new(51, 100),
    Bucket::open(101),
];

/// Buckets large enough to test in; together they hold every query once.
pub const POOLED: [Bucket; 4] = [Bucket::new(0, 0), Bucket::new(1, 5), Bucket::new(6, 20), Bucket::open(21)];

/// The same of ratings, of which there are more.
pub const POOLED_RATINGS: [Bucket; 5] =
    [Bucket::new(0, 0), Bucket::new(1, 5), Bucket::new(6, 20), Bucket::new(21, 100), Bucket::open(101)];

/// Where gain over the local arm is told: newcomers, the cold start, and both.
pub const GAIN: [Bucket; 3] = [Bucket::new(0, 0), Bucket::new(1, 5), Bucket::new(0, 5)];

/// Groups of an audit: a cold start, few items, many; together they hold every query once.
pub const ACTIVITY: [Bucket; 3] = [Bucket::new(0, 5), Bucket::new(6, 20), Bucket::open(21)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_items_falls_into_one_bucket() {
        for visible in (0..300).chain([usize::MAX]) {
            assert_eq!(FINE.iter().filter(|bucket| bucket.holds(visible)).count(), 1, "{visible}");
            assert_eq!(POOLED_RATINGS.iter().filter(|bucket| bucket.holds(visible)).count(), 1, "{visible}");
            assert_eq!(ACTIVITY.iter().filter(|bucket| bucket.holds(visible)).count(), 1, "{visible}");
            assert_eq!(POOLED.iter().filter(|bucket| bucket.holds(visible)).count(), 1, "{visible}");
        }
        assert_eq!(FINE.map(|bucket| bucket.name()).join(" "), "0 1–2 3–5 6–10 11–20 21–50 51–100 101+");
    }
}
