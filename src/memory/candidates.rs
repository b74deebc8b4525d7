//! Which entries a question may be answered by: all that are near enough to vote or to be shown, and no others.
//!
//! Entries are compared in fixed point first. Those that the error of that leaves in question are compared exactly, so
//! that what votes and what is shown is what comparing all of them exactly would give.

use std::cell::OnceCell;

use super::community::CommunityIx;
use super::embed::dot;
use super::entry::{Entry, EntryQuery};
use super::finder::{Found, IndexError, Looking};
use super::fixed;
use super::fusion::{Similarity, membership_factor};
use super::global::Snapshot;
use super::guard::Guarded;
use super::local::Probe;
use super::population::{Population, UserIx};
use crate::data::dataset::Retrieval;

/// An entry that passes the guard.
pub struct Candidate<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// Whose it is.
    pub community: Option<CommunityIx>,
    /// How like the query it is.
    pub similarity: Similarity,
    /// Whether the asking person contributed to it.
    pub own: bool,
    /// What is left without them, once somebody has asked for it.
    left: OnceCell<Guarded>,
}

impl Candidate<'_> {
    /// What everybody but the asking person contributed, and how many they are.
    pub fn given(&self, population: &Population, asking: Option<UserIx>, guard: usize) -> (&[f64], usize) {
        if !self.own {
            return (self.entry.counts(), self.entry.counted());
        }
        let nothing = || Guarded { counts: vec![0.0; population.labels.len()], contributors: 0 };
        let left = self.left.get_or_init(|| self.entry.guarded(population, asking, guard).unwrap_or_else(nothing));
        (&left.counts, left.contributors)
    }
}

/// Entries near a question, nearest first, and how many near ones the guard keeps back.
pub struct Near<'a> {
    /// They hold at least the [`Retrieval::entry_votes`] nearest of everyone and of each community asked for, and the
    /// [`Retrieval::global_hits`] best by membership.
    pub candidates: Vec<Candidate<'a>>,
    /// Entries like the query that hold something of the asking person, kept back since without it too few people count.
    pub suppressed: usize,
}

/// Who asks what.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The text.
    pub probe: &'a Probe,
    /// Who asks.
    pub asking: Option<UserIx>,
    /// The person's membership in each community.
    pub membership: &'a [f64],
    /// Communities whose own entries vote.
    pub counted: &'a [CommunityIx],
}

/// Finds the entries of `snapshot` that may answer.
pub fn near<'s>(
    population: &Population,
    settings: &Retrieval,
    snapshot: &'s Snapshot,
    asked: Asked,
) -> Result<Near<'s>, IndexError> {
    let Asked { probe, asking, membership, counted } = asked;
    let entries = &snapshot.entries;
    let query = EntryQuery::new(entries, probe);
    let own = entries.of_user(population, asking);
    let looking = Looking { probe, query: &query, asking, own: &own, guard: settings.guard };
    let found = entries.finder.look(population, entries, looking)?;
    let similarity = |found: &Found| {
        let cosine = f64::from(dot(&probe.vector, entries.get(found.number as usize).centroid()));
        Similarity::combine(query.lexical(found.mass), cosine, settings.lexical_share)
    };

    // Entries that hold something of the asking person are judged without it.
    let (mut kept_back, mut suppressed) = (Vec::new(), 0);
    for number in &own {
        let Ok(at) = found.binary_search_by_key(number, |found| found.number as usize) else { continue };
        if !entries.outlives(population, *number, asking, settings.guard) {
            kept_back.push(at);
            suppressed += usize::from(similarity(&found[at]).total() > 0.0);
        }
    }

    let share = settings.lexical_share as f32;
    let per_mass = query.lexical(settings.lexical_share) as f32;
    let error = fixed::error(population.dimensions());
    // What the asking person gave keeps nothing back: whether those entries stand has just been judged.
    let stands = |number: usize| entries.is_alive(number) || own.binary_search(&number).is_ok();
    let about = |found: &Found| {
        let likely = found.mass > 0.0 || found.cosine > -error;
        if !likely || !stands(found.number as usize) {
            return f32::NEG_INFINITY;
        }
        (per_mass * found.mass as f32).min(share) + (1.0 - share) * found.cosine.clamp(0.0, 1.0)
    };
    let mut about: Vec<f32> = found.iter().map(about).collect();
    kept_back.into_iter().for_each(|at| about[at] = f32::NEG_INFINITY);

    // What the error and the rounding of sums leave in question.
    let doubt = 2.0 * ((1.0 - share) * error + 1e-5);
    let (mut everyone, mut shown) = (Best::of(settings.entry_votes), Best::of(settings.global_hits));
    let mut groups = Vec::with_capacity(entries.groups.len());
    for (community, range) in &entries.groups {
        let place = |number: usize| match found.len() == entries.len() {
            true => number,
            false => found.partition_point(|found| (found.number as usize) < number),
        };
        let places = place(range.start)..place(range.end);
        let factor = membership_factor(*community, membership, settings.community_share) as f32;
        let mut within = Best::of(settings.entry_votes);
        let votes = community.is_some_and(|community| counted.contains(&community));
        for about in about[places.clone()].iter().filter(|about| **about >= 0.0) {
            everyone.offer(*about);
            shown.offer(factor * about);
            if votes {
                within.offer(*about);
            }
        }
        groups.push((*community, places, factor, if votes { within.least() } else { f32::INFINITY }));
    }
    let (everyone, shown) = (everyone.least(), shown.least());
    let mut candidates = Vec::new();
    for (community, places, factor, within) in groups {
        for at in places {
            let near = about[at] + doubt;
            if about[at] >= 0.0 && (near >= everyone || near >= within || factor * about[at] + doubt >= shown) {
                let similarity = similarity(&found[at]);
                if similarity.total() > 0.0 {
                    let number = found[at].number as usize;
                    let own = own.binary_search(&number).is_ok();
                    candidates.push(Candidate {
                        entry: entries.get(number),
                        community,
                        similarity,
                        own,
                        left: OnceCell::new(),
                    });
                }
            }
        }
    }
    candidates
        .sort_by(|a, b| b.similarity.total().total_cmp(&a.similarity.total()).then_with(|| a.entry.by_id(b.entry)));
    Ok(Near { candidates, suppressed })
}

/// The greatest of many values.
pub struct Best {
    count: usize,
    /// Descending.
    values: Vec<f32>,
}

impl Best {
    /// Of which `count` are asked for.
    pub fn of(count: usize) -> Self {
        Self { count, values: Vec::with_capacity(count.min(1024) + 1) }
    }

    /// Takes a value in.
    pub fn offer(&mut self, value: f32) {
        if self.values.len() < self.count || self.values.last().is_some_and(|least| value > *least) {
            let place = self.values.partition_point(|other| *other >= value);
            self.values.insert(place, value);
            self.values.truncate(self.count);
        }
    }

    /// The least of the greatest: nothing below it is among them. −∞ with fewer than were asked for, ∞ for none.
    pub fn least(&self) -> f32 {
        match self.values.last() {
            _ if self.count == 0 => f32::INFINITY,
            Some(least) if self.values.len() == self.count => *least,
            _ => f32::NEG_INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_the_best() {
        let mut best = Best::of(2);
        best.offer(0.1);
        assert_eq!(best.least(), f32::NEG_INFINITY);
        [0.5, 0.3, 0.5, 0.0].into_iter().for_each(|value| best.offer(value));
        assert_eq!(best.least(), 0.5);
        let mut none = Best::of(0);
        none.offer(1.0);
        assert_eq!(none.least(), f32::INFINITY);
    }
}
