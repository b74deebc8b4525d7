//! A community over time: how large it was, what it answered and what became of it, period after period.
//!
//! Invariant: the asking person is left out everywhere; of a period in which fewer than `guard` others belonged to it
//! nothing is told, and no response that fewer than `guard` of them gave.

use std::collections::BTreeSet;

use super::Memory;
use super::community::CommunityIx;
use super::entry::IndexError;
use super::lineage::{Change, changes};
use super::population::{LabelIx, UserIx};
use crate::data::interaction::{Timestamp, UserId};

/// Periods looked back on.
const MOST_PERIODS: usize = 12;
/// Responses named.
const MOST_RESPONSES: usize = 3;

/// A community as others made it at a period's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Members.
    pub members: usize,
    /// Its commonest responses with their decayed shares, of those that enough members gave.
    pub responses: Vec<(LabelIx, f64)>,
}

/// A period's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// The period, from 1.
    pub period: usize,
    /// The first moment after it.
    pub end: Timestamp,
    /// The community then; absent below the guard.
    pub group: Option<Group>,
    /// What became of it since the end of the period before.
    pub changes: Vec<Change>,
}

/// The community that a person most likely belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct CommunityHistory {
    /// Which.
    pub community: CommunityIx,
    /// Of how many.
    pub of: usize,
    /// The person's membership, 0–1.
    pub membership: f64,
    /// Fewest people of whom anything is told.
    pub guard: usize,
    /// Period by period, the newest first.
    pub epochs: Vec<Epoch>,
}

impl Memory {
    /// The history of the community that `user` most likely belongs to at `t`; `None` before a period has closed, and
    /// where every community is below the guard.
    pub fn community_history(&self, user: &UserId, t: Timestamp) -> Result<Option<CommunityHistory>, IndexError> {
        let global = self.read(user, "", t)?.global;
        let likeliest = global.membership.iter().copied().enumerate();
        let likeliest = likeliest.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let (Some(period), Some((community, membership))) = (global.period, likeliest.filter(|(_, m)| *m > 0.0)) else {
            return Ok(None);
        };
        let asking = self.population.user_ix(user);
        let guard = self.manifest.retrieval.guard;
        let epoch = |period: usize| {
            let end = self.calendar.end(period);
            let group = self.members_told(period, community, asking, guard);
            let changes = period.checked_sub(1).map_or_else(Vec::new, |last| {
                let (before, after) = (self.communities_at(last), self.communities_at(period));
                changes(&before.of, &after.of, community, asking, guard)
            });
            Epoch { period: period + 1, end, group, changes }
        };
        let epochs = (0..period.number).rev().take(MOST_PERIODS).map(epoch).collect();
        Ok(Some(CommunityHistory { community, of: global.membership.len(), membership, guard, epochs }))
    }

    /// A community at the end of a period, from 0.
    fn members_told(
        &self,
        period: usize,
        community: CommunityIx,
        asking: Option<UserIx>,
        guard: usize,
    ) -> Option<Group> {
        let population = &self.population;
        let end = self.calendar.end(period);
        let of = &self.communities_at(period).of;
        let belongs = |user: &UserIx| Some(*user) != asking && of[*user] == Some(community);
        let members: Vec<UserIx> = (0..of.len()).filter(belongs).collect();
        if members.len() < guard {
            return None;
        }
        let mut counts = vec![0.0; population.labels.len()];
        let mut givers: Vec<BTreeSet<UserIx>> = vec![BTreeSet::new(); counts.len()];
        for user in &members {
            for item in population.visible(Some(*user), end) {
                let label = population.label[*item];
                let age = end.days_since(population.at[*item]);
                counts[label] += (-age / self.manifest.periods.half_life).exp2();
                givers[label].insert(*user);
            }
        }
        let total: f64 = counts.iter().sum();
        let told = (0..counts.len()).filter(|label| givers[*label].len() >= guard);
        let mut responses: Vec<(LabelIx, f64)> = told.map(|label| (label, counts[label] / total)).collect();
        responses.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        responses.truncate(MOST_RESPONSES);
        Some(Group { members: members.len(), responses })
    }
}
