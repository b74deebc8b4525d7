//! Periods: time cut into equal stretches; at each one's end global memory takes a snapshot.
//!
//! Invariant: the snapshot of period p holds nothing from its end or later, and a read at `t` uses the last snapshot
//! that closed at or before `t` and has something new in it. Data from `t` on changes neither.

use crate::data::interaction::{DAY, Timestamp};

/// More periods than this would be a mistake in `dataset.toml`, not a calendar.
const MOST: usize = 1000;

/// The calendar of a dataset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calendar {
    start: Timestamp,
    seconds: i64,
    /// How many periods cover the data.
    pub count: usize,
}

impl Calendar {
    /// Cuts `first..=last` into periods of `days`; longer ones if there would be more than a thousand.
    pub fn new(first: Timestamp, last: Timestamp, days: f64) -> Self {
        let span = (last.0 - first.0).max(0);
        let wanted = ((days * DAY) as i64).max(1);
        let seconds = wanted.max(span / MOST as i64 + 1);
        Self { start: first, seconds, count: (span / seconds + 1) as usize }
    }

    /// The first moment after period `index`.
    pub fn end(&self, index: usize) -> Timestamp {
        // An endless period never closes.
        Timestamp(self.start.0.saturating_add(self.seconds.saturating_mul(index as i64 + 1)))
    }

    /// The last period that closed at or before `t` and is not after `newest`, the last item before `t`: an empty
    /// period says nothing new, and how many of them follow depends on data that is yet to come.
    pub fn closed_at(&self, t: Timestamp, newest: Timestamp) -> Option<usize> {
        let closed = (t.0 - self.start.0).div_euclid(self.seconds) - 1;
        let last = closed.min((newest.0 - self.start.0).div_euclid(self.seconds));
        usize::try_from(last).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_only_once_closed() {
        let day = |d: i64| Timestamp(d * 86_400);
        let calendar = Calendar::new(day(0), day(25), 10.0);
        assert_eq!(calendar.count, 3);
        for (t, expected) in
            [(-5, None), (0, None), (9, None), (10, Some(0)), (29, Some(1)), (30, Some(2)), (900, Some(2))]
        {
            assert_eq!(calendar.closed_at(day(t), day(t.min(25))), expected, "day {t}");
            if let Some(index) = expected {
                assert!(calendar.end(index) <= day(t));
            }
        }
        assert_eq!(calendar.closed_at(day(900), day(5)), Some(0), "empty periods are passed over");
        assert_eq!(Calendar::new(day(0), day(1_000_000), 1e-9).count, MOST);
        let endless = Calendar::new(day(5), day(25), f64::INFINITY);
        assert_eq!((endless.count, endless.closed_at(day(900), day(25))), (1, None));
        assert!(endless.end(0) > day(1_000_000), "the end of an endless period lies in no past");
    }
}
