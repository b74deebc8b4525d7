//! Periods: stretches of time, equal in days or in what happened; at each one's end global memory takes a snapshot.
//!
//! Invariants: the snapshot of period p holds nothing from its end or later, and a read at `t` uses the last snapshot
//! that closed at or before `t` and has something new in it. Data from `t` on changes neither: the end of a period that
//! is counted in interactions is the second after the last one that it takes, and depends on those alone. A dataset that
//! would have more than [`MOST_PERIODS`] is not opened; where one has grown that long since, the last of them stays open.

use super::column::Column;
use crate::data::dataset::{MOST_PERIODS, PeriodLength};
use crate::data::interaction::{DAY, Timestamp};

/// The calendar of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    cut: Cut,
    /// How many periods cover the data.
    pub count: usize,
}

/// Where time is cut.
#[derive(Clone, Debug, PartialEq)]
enum Cut {
    /// Each time the same number of seconds later.
    Days { start: Timestamp, seconds: i64 },
    /// Behind the second in which the `every`-th interaction since the last end happened.
    Interactions { every: usize, ends: Vec<Timestamp> },
}

impl Calendar {
    /// Cuts the time of interactions that happened `at`, ascending, into periods of this length.
    pub fn new(at: &Column<Timestamp>, length: PeriodLength) -> Self {
        match length {
            PeriodLength::Days(days) => {
                let first = at.first().copied().unwrap_or(Timestamp(0));
                Self::of_days(first, at.last().copied().unwrap_or(first), days)
            }
            PeriodLength::Interactions(every) => Self::of_interactions(at, every.max(1)),
        }
    }

    fn of_days(start: Timestamp, last: Timestamp, days: f64) -> Self {
        let seconds = ((days * DAY) as i64).max(1);
        let count = (last.0.saturating_sub(start.0).max(0) / seconds).saturating_add(1);
        Self { cut: Cut::Days { start, seconds }, count: count.min(MOST_PERIODS as i64) as usize }
    }

    fn of_interactions(at: &Column<Timestamp>, every: usize) -> Self {
        let mut ends = Vec::new();
        let mut start = 0;
        // The last period that there may be never closes.
        while ends.len() < MOST_PERIODS - 1 && at.len() - start >= every {
            // Whoever acts in the same second belongs to the same period: time has no finer moments.
            let end = Timestamp(at[start + every - 1].0.saturating_add(1));
            start = at.partition_point(|other| *other < end);
            ends.push(end);
        }
        let open = usize::from(start < at.len());
        let count = (ends.len() + open).max(1);
        Self { cut: Cut::Interactions { every, ends }, count }
    }

    /// How many interactions close a period; `None` where days do.
    pub fn counts(&self) -> Option<usize> {
        match self.cut {
            Cut::Days { .. } => None,
            Cut::Interactions { every, .. } => Some(every),
        }
    }

    /// Whether it cuts time where `other` does, as far as both reach.
    pub fn agrees_with(&self, other: &Calendar) -> bool {
        match (&self.cut, &other.cut) {
            (Cut::Interactions { every, ends }, Cut::Interactions { every: as_many, ends: others }) => {
                every == as_many && ends.iter().zip(others).all(|(end, other)| end == other)
            }
            (own, other) => own == other,
        }
    }

    /// The first moment after period `index`; a moment that never comes for one that is open when the data ends, where
    /// interactions are counted.
    pub fn end(&self, index: usize) -> Timestamp {
        match &self.cut {
            // The last one that there may be never closes, nor does an endless one.
            Cut::Days { .. } if index + 1 >= MOST_PERIODS => Timestamp(i64::MAX),
            Cut::Days { start, seconds } => Timestamp(start.0.saturating_add(seconds.saturating_mul(index as i64 + 1))),
            Cut::Interactions { ends, .. } => ends.get(index).copied().unwrap_or(Timestamp(i64::MAX)),
        }
    }

    /// Whether period `index` stays open whatever happens.
    pub fn is_endless(&self, index: usize) -> bool {
        match self.cut {
            Cut::Days { .. } => self.end(index) == Timestamp(i64::MAX),
            Cut::Interactions { .. } => index + 1 >= MOST_PERIODS,
        }
    }

    /// The period that holds a moment of the data.
    pub fn holding(&self, at: Timestamp) -> usize {
        let period = match &self.cut {
            Cut::Days { start, seconds } => usize::try_from((at.0 - start.0).div_euclid(*seconds)).unwrap_or_default(),
            Cut::Interactions { ends, .. } => ends.partition_point(|end| *end <= at),
        };
        period.min(self.count - 1)
    }

    /// The last period that closed at or before `t` and is not after `newest`, the last item before `t`: an empty
    /// period says nothing new, and how many of them follow depends on data that is yet to come.
    pub fn closed_at(&self, t: Timestamp, newest: Timestamp) -> Option<usize> {
        match &self.cut {
            Cut::Days { start, seconds } => {
                let closed = (t.0 - start.0).div_euclid(*seconds) - 1;
                let last = closed.min((newest.0 - start.0).div_euclid(*seconds));
                usize::try_from(last.min(MOST_PERIODS as i64 - 2)).ok()
            }
            // None of them is empty.
            Cut::Interactions { ends, .. } => ends.partition_point(|end| *end <= t).checked_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(first: i64, last: i64, length: f64) -> Calendar {
        Calendar::of_days(Timestamp(first * 86_400), Timestamp(last * 86_400), length)
    }

    #[test]
    fn a_period_is_read_only_once_closed() {
        let day = |d: i64| Timestamp(d * 86_400);
        let calendar = days(0, 25, 10.0);
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
        assert_eq!([0, 9, 10, 25].map(|d| calendar.holding(day(d))), [0, 0, 1, 2]);
        // However far it grows, what is cut at its beginning stays, and the last period stays open.
        let (short, long) = (days(0, 40, 0.05), days(0, 1_000_000, 0.05));
        assert_eq!((short.count, long.count), (801, MOST_PERIODS));
        assert!((0..800).all(|index| short.end(index) == long.end(index)));
        assert_eq!(long.closed_at(day(900_000), day(800_000)), Some(MOST_PERIODS - 2));
        assert_eq!((long.end(MOST_PERIODS - 1), long.holding(day(900_000))), (Timestamp(i64::MAX), MOST_PERIODS - 1));
        let endless = days(5, 25, f64::INFINITY);
        assert_eq!((endless.count, endless.closed_at(day(900), day(25))), (1, None));
        assert!(endless.end(0) > day(1_000_000), "the end of an endless period lies in no past");
        assert!(endless.is_endless(0) && long.is_endless(MOST_PERIODS - 1) && !long.is_endless(MOST_PERIODS - 2));
    }

    /// Ends, number of periods, and the period read at the moment of each interaction and of the second after the last.
    fn counted(at: &[i64], every: usize) -> (Vec<i64>, usize, Vec<Option<usize>>) {
        let column: Column<Timestamp> = at.iter().copied().map(Timestamp).collect::<Vec<_>>().into();
        let calendar = Calendar::new(&column, PeriodLength::Interactions(every));
        let moments = at.iter().copied().chain(at.last().map(|last| last + 1));
        let read = moments.map(|t| calendar.closed_at(Timestamp(t), Timestamp(t - 1))).collect();
        let Cut::Interactions { ends, .. } = &calendar.cut else { panic!("counted") };
        (ends.iter().map(|end| end.0).collect(), calendar.count, read)
    }

    #[test]
    fn interactions_close_a_period_with_the_second_of_the_last_one() {
        assert_eq!(
            counted(&[10, 20, 30, 40, 50], 2),
            (vec![21, 41], 3, vec![None, None, Some(0), Some(0), Some(1), Some(1)])
        );
        assert_eq!(counted(&[10, 20], 2), (vec![21], 1, vec![None, None, Some(0)]));
        // Four at once belong together, and the next period begins behind them.
        assert_eq!(
            counted(&[5, 7, 7, 7, 7, 8, 9], 2),
            (vec![8, 10], 2, vec![None, None, None, None, None, Some(0), Some(0), Some(1)])
        );
        assert_eq!(counted(&[7, 7, 7], 1), (vec![8], 1, vec![None, None, None, Some(0)]));
        assert_eq!(counted(&[1, 2], 9), (vec![], 1, vec![None, None, None]));
        assert_eq!(counted(&[], 3), (vec![], 1, vec![]));
    }

    #[test]
    fn counted_periods_are_as_many_as_any_and_the_last_one_stays_open() {
        let at: Vec<i64> = (0..2 * MOST_PERIODS as i64 + 500).collect();
        let (ends, count, read) = counted(&at, 2);
        assert_eq!((ends.len(), count), (MOST_PERIODS - 1, MOST_PERIODS));
        assert_eq!(ends.last(), Some(&(2 * MOST_PERIODS as i64 - 2)));
        assert_eq!(read.last(), Some(&Some(MOST_PERIODS - 2)), "the last one is never read");
        let whole =
            Calendar::new(&at.into_iter().map(Timestamp).collect::<Vec<_>>().into(), PeriodLength::Interactions(2));
        assert_eq!(whole.end(MOST_PERIODS - 1), Timestamp(i64::MAX));
        assert!(whole.is_endless(MOST_PERIODS - 1) && !whole.is_endless(MOST_PERIODS - 2));
    }

    #[test]
    fn calendars_agree_as_far_as_both_reach() {
        let of = |at: std::ops::Range<i64>, every: usize| {
            let column: Column<Timestamp> = at.map(Timestamp).collect::<Vec<_>>().into();
            Calendar::new(&column, PeriodLength::Interactions(every))
        };
        assert!(of(0..9, 3).agrees_with(&of(0..20, 3)) && of(0..20, 3).agrees_with(&of(0..9, 3)));
        assert!(!of(0..9, 3).agrees_with(&of(0..9, 4)) && !of(0..9, 3).agrees_with(&of(1..9, 3)));
        assert!(!of(0..9, 3).agrees_with(&days(0, 1, 3.0)));
        let last = of(0..9, 2);
        assert_eq!((last.holding(Timestamp(8)), last.end(4)), (4, Timestamp(i64::MAX)), "the last one is open");
    }
}
