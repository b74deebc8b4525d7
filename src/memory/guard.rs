//! The k-anonymity guard: nothing collective is shown or used with fewer than k distinct contributors, each of whom has some
//! mass in it, and nobody counts for more than a fixed share of what all of them gave before anybody was cut. Of what is
//! left then it can be more: of five who gave the same each one is a fifth.
//!
//! It limits what can be told about one person; it does not make the data anonymous.

use super::population::{LabelIx, UserIx};

/// The largest share of the uncut mass that one contributor may hold.
pub const CONTRIBUTOR_SHARE: f64 = 0.1;

/// With less than this share of the largest contributor's mass nobody is counted: what has decayed to nothing hides nobody,
/// and what is told behind it is the answer of who is left. A thousandth is what ten half-lives leave, and shows in no share.
pub const COUNTED_SHARE: f64 = 1e-3;

/// One contribution to something collective.
#[derive(Clone, Copy, Debug)]
pub struct Contribution {
    /// By whom.
    pub user: UserIx,
    /// What they answered.
    pub label: LabelIx,
    /// Decayed weight, ≥ 0: the oldest come to nothing.
    pub weight: f64,
}

/// What remains of contributions after the guard.
#[derive(Clone, Debug, PartialEq)]
pub struct Guarded {
    /// Mass per label.
    pub counts: Vec<f64>,
    /// Distinct contributors with some mass, see [`counted`].
    pub contributors: usize,
}

/// How many of the contributors with these masses count: all with [`COUNTED_SHARE`] of the largest.
pub fn counted(masses: &[f64]) -> usize {
    let least = COUNTED_SHARE * masses.iter().copied().fold(0.0, f64::max);
    masses.iter().filter(|mass| **mass > 0.0 && **mass >= least).count()
}

/// Sums `contributions` of everybody but `asking`, each contributor cut to [`CONTRIBUTOR_SHARE`] of the mass (or to
/// `least`, if that is more); `None` with fewer than `guard` contributors left that count.
pub fn sum(
    contributions: impl Iterator<Item = Contribution>,
    labels: usize,
    asking: Option<UserIx>,
    guard: usize,
    least: f64,
) -> Option<Guarded> {
    let mut all: Vec<Contribution> = contributions.filter(|c| Some(c.user) != asking).collect();
    // Stable: a person's items stay in their order, so that sums repeat bit for bit.
    all.sort_by_key(|c| c.user);
    let by_user = || all.chunk_by(|a, b| a.user == b.user);
    let masses: Vec<f64> = by_user().map(|votes| votes.iter().map(|c| c.weight).sum()).collect();
    let contributors = counted(&masses);
    if contributors < guard {
        return None;
    }
    let cap = (CONTRIBUTOR_SHARE * masses.iter().sum::<f64>()).max(least);
    let mut counts = vec![0.0; labels];
    for (votes, mass) in by_user().zip(&masses) {
        let factor = (cap / mass).min(1.0);
        votes.iter().for_each(|c| counts[c.label] += c.weight * factor);
    }
    Some(Guarded { counts, contributors })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_has_decayed_to_nothing_hides_nobody() {
        let told = |old: f64| {
            let weights = [old, old, old, old, 1.0].into_iter().enumerate();
            let votes = weights.map(|(user, weight)| Contribution { user, label: 0, weight });
            sum(votes, 1, None, 5, 0.0).map(|guarded| guarded.contributors)
        };
        assert_eq!([0.0, 1e-9, 0.9e-3, 1.1e-3, 0.5].map(told), [None, None, None, Some(5), Some(5)]);
        let nothing = (0..5).map(|user| Contribution { user, label: 0, weight: 0.0 });
        assert_eq!(sum(nothing, 1, None, 5, 1.0), None, "there is nothing to tell");
    }

    /// Of sixty the lightest still weighs a thousandth of all together.
    fn contribution() -> impl Strategy<Value = Contribution> {
        (0..8usize, 0..3usize, 0.1..1.0f64).prop_map(|(user, label, weight)| Contribution { user, label, weight })
    }

    proptest! {
        #[test]
        fn nothing_passes_below_the_guard_and_the_asking_user_never_counts(
            all in proptest::collection::vec(contribution(), 0..60), asking in 0..8usize, guard in 1..7usize
        ) {
            let others: Vec<Contribution> = all.iter().copied().filter(|c| c.user != asking).collect();
            let with = sum(all.iter().copied(), 3, Some(asking), guard, 1.0);
            prop_assert_eq!(&with, &sum(others.iter().copied(), 3, None, guard, 1.0), "as if they had never been");
            let mut users: Vec<_> = others.iter().map(|c| c.user).collect();
            users.sort_unstable();
            users.dedup();
            prop_assert_eq!(with.is_some(), users.len() >= guard);
        }

        #[test]
        fn no_contributor_holds_more_than_the_cap(all in proptest::collection::vec(contribution(), 1..60)) {
            let Some(guarded) = sum(all.iter().copied(), 3, None, 1, 1.0) else { return Ok(()) };
            let raw: f64 = all.iter().map(|c| c.weight).sum();
            let mass: f64 = guarded.counts.iter().sum();
            let cap = (CONTRIBUTOR_SHARE * raw).max(1.0);
            prop_assert!(mass <= guarded.contributors as f64 * cap + 1e-9);
            prop_assert!(mass <= raw + 1e-9);
        }
    }
}
