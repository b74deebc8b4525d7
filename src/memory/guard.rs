//! The k-anonymity guard: nothing collective is shown or used with fewer than k distinct contributors, and nobody
//! counts for more than a fixed share of what is.
//!
//! It limits what can be told about one person; it does not make the data anonymous.

use super::population::{LabelIx, UserIx};

/// The largest share of an entry's mass that one contributor may hold.
pub const CONTRIBUTOR_SHARE: f64 = 0.1;

/// One contribution to something collective.
#[derive(Clone, Copy, Debug)]
pub struct Contribution {
    /// By whom.
    pub user: UserIx,
    /// What they answered.
    pub label: LabelIx,
    /// Decayed weight, > 0.
    pub weight: f64,
}

/// What remains of contributions after the guard.
#[derive(Clone, Debug, PartialEq)]
pub struct Guarded {
    /// Mass per label.
    pub counts: Vec<f64>,
    /// Distinct contributors.
    pub contributors: usize,
}

/// Sums `contributions` of everybody but `asking`, each contributor cut to [`CONTRIBUTOR_SHARE`] of the mass (or to
/// `least`, if that is more); `None` with fewer than `guard` contributors left.
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
    let contributors = all.chunk_by(|a, b| a.user == b.user).count();
    if contributors < guard {
        return None;
    }
    let mass_of = |votes: &[Contribution]| votes.iter().map(|c| c.weight).sum::<f64>();
    let cap = (CONTRIBUTOR_SHARE * all.chunk_by(|a, b| a.user == b.user).map(mass_of).sum::<f64>()).max(least);
    let mut counts = vec![0.0; labels];
    for votes in all.chunk_by(|a, b| a.user == b.user) {
        let factor = (cap / mass_of(votes)).min(1.0);
        votes.iter().for_each(|c| counts[c.label] += c.weight * factor);
    }
    Some(Guarded { counts, contributors })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contribution() -> impl Strategy<Value = Contribution> {
        (0..8usize, 0..3usize, 0.01..1.0f64).prop_map(|(user, label, weight)| Contribution { user, label, weight })
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
