//! The k-anonymity guard: nothing collective is shown or used with fewer than k distinct contributors, and nobody
//! counts for more than a fixed share of what is.
//!
//! It limits what can be told about one person; it does not make the data anonymous.

use std::collections::BTreeMap;

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

/// Sums `contributions` of everybody but `asking`, each contributor cut to [`CONTRIBUTOR_SHARE`] of the mass (or to the
/// weight of one fresh item, if that is more); `None` with fewer than `guard` contributors left.
pub fn sum(
    contributions: impl Iterator<Item = Contribution>,
    labels: usize,
    asking: Option<UserIx>,
    guard: usize,
) -> Option<Guarded> {
    let mut by_user: BTreeMap<UserIx, Vec<(LabelIx, f64)>> = BTreeMap::new();
    for c in contributions.filter(|c| Some(c.user) != asking) {
        by_user.entry(c.user).or_default().push((c.label, c.weight));
    }
    if by_user.len() < guard {
        return None;
    }
    let mass_of = |votes: &Vec<(LabelIx, f64)>| votes.iter().map(|(_, weight)| weight).sum::<f64>();
    let cap = (CONTRIBUTOR_SHARE * by_user.values().map(mass_of).sum::<f64>()).max(1.0);
    let mut counts = vec![0.0; labels];
    for votes in by_user.values() {
        let factor = (cap / mass_of(votes)).min(1.0);
        for (label, weight) in votes {
            counts[*label] += weight * factor;
        }
    }
    Some(Guarded { counts, contributors: by_user.len() })
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
            let with = sum(all.iter().copied(), 3, Some(asking), guard);
            prop_assert_eq!(&with, &sum(others.iter().copied(), 3, None, guard), "as if they had never been");
            let mut users: Vec<_> = others.iter().map(|c| c.user).collect();
            users.sort_unstable();
            users.dedup();
            prop_assert_eq!(with.is_some(), users.len() >= guard);
        }

        #[test]
        fn no_contributor_holds_more_than_the_cap(all in proptest::collection::vec(contribution(), 1..60)) {
            let Some(guarded) = sum(all.iter().copied(), 3, None, 1) else { return Ok(()) };
            let raw: f64 = all.iter().map(|c| c.weight).sum();
            let mass: f64 = guarded.counts.iter().sum();
            let cap = (CONTRIBUTOR_SHARE * raw).max(1.0);
            prop_assert!(mass <= guarded.contributors as f64 * cap + 1e-9);
            prop_assert!(mass <= raw + 1e-9);
        }
    }
}
