//! What memory forms of a period once, when it is first asked for: communities, topics, term sums, entries.
//!
//! Invariant: each of these is a function of what lies before its period's end; where a store keeps it, what is read back is
//! bit for bit what would be formed.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};

use super::community::Communities;
use super::entry::{Fading, Forming, IndexError};
use super::features::Weighting;
use super::global::Snapshot;
use super::grouping::Grouping;
use super::population::ItemIx;
use super::terms::{Closing, Terms};
use super::topics::Topics;
use super::{Memory, SEED, store};
use crate::data::interaction::Timestamp;

impl Memory {
    /// The last period closed at or before `t` with something new in it.
    pub(super) fn period_at(&self, t: Timestamp) -> Option<usize> {
        let newest = self.population.before(t).checked_sub(1)?;
        self.calendar.closed_at(t, self.population.at[newest])
    }

    /// Whether others can be heard at `t`: a period closed before, or there is none to wait for, as of ratings.
    pub fn hears_others(&self, t: Timestamp) -> bool {
        self.ratings.is_some() || self.period_at(t).is_some()
    }

    /// What words weigh since that period closed. Novelty looks at questions of many periods, and the sums of terms, which
    /// take far longer to form and far more room, are for those that people ask about.
    pub(super) fn weighting_at(&self, t: Timestamp) -> &Weighting {
        let closed = self.period_at(t);
        let place = closed.map_or(0, |period| period + 1);
        let kept = self.kept.as_ref().is_some_and(|kept| kept.last() == closed && closed.is_some());
        match self.terms[place].get() {
            Some(terms) => &terms.weighting,
            // What is mapped is at hand.
            None if kept => &self.terms_at(t).weighting,
            None => self.weightings[place].get_or_init(|| {
                let (closing, until) = self.closing_of(closed);
                Weighting::of(self.features(), closing.items, until)
            }),
        }
    }

    /// What the sums of a period's end are made of, and the items that may be read with them: those before the end of the
    /// next period.
    pub(super) fn closing_of(&self, closed: Option<usize>) -> (Closing, ItemIx) {
        let population = &self.population;
        let start = population.at.first().copied().unwrap_or(Timestamp(0));
        let end = closed.map_or(start, |period| self.calendar.end(period));
        let half_life = self.manifest.periods.term_half_life;
        let until = population.before(self.calendar.end(closed.map_or(0, |period| period + 1)));
        (Closing { end, items: population.before(end), half_life }, until)
    }

    /// Term sums of that period, formed if this is their first use, and kept beside a store's base.
    pub(super) fn terms_at(&self, t: Timestamp) -> &Terms {
        let closed = self.period_at(t);
        self.terms[closed.map_or(0, |period| period + 1)].get_or_init(|| {
            let nobody = Communities::default();
            // Ratings are read by thing, not by community.
            let grouped = closed.filter(|_| self.ratings.is_none());
            let communities = grouped.map_or(&nobody, |period| self.communities_at(period));
            let (population, features) = (&self.population, self.features());
            let (closing, until) = self.closing_of(closed);
            let Closing { end, half_life, .. } = closing;
            let form = |until: ItemIx| Terms::close(population, features, communities, closing, until);
            let (Some(kept), Some(period)) = (&self.kept, grouped) else { return form(until) };
            // What was recorded since the base was written is added to what is sealed.
            let base = until.min(kept.items()).max(closing.items);
            let (labels, count) = (population.labels.len(), communities.count);
            let asked = [closing.items, base, count, labels]
                .map(|n| n as u64)
                .into_iter()
                .chain([end.0 as u64, half_life.to_bits()]);
            let asked: Vec<u64> = asked.chain([communities.fingerprint()]).collect();
            let write = |terms: &Terms, sink: &mut store::FolderWriter| terms.write(sink);
            let write = Some(write);
            let read = |source: &store::Verified| Terms::read_from(source, closing, labels, count);
            let form = || Ok::<Terms, Infallible>(form(base));
            let Ok(mut terms) = kept.sealed("terms", (period, closing.items), &asked, write, read, form);
            terms.extend(population, features, communities, until);
            terms
        })
    }

    /// The last snapshot closed at or before `t`, formed if this is its first use. None of ratings, which have no entries.
    pub(super) fn snapshot_at(&self, t: Timestamp) -> Result<Option<Arc<Snapshot>>, IndexError> {
        let Some(period) = self.period_at(t).filter(|_| self.ratings.is_none()) else { return Ok(None) };
        let mut slot = self.snapshots[period].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = slot.as_ref() {
            return Ok(Some(Arc::clone(snapshot)));
        }
        let (population, communities, end) = (&self.population, self.communities_at(period), self.calendar.end(period));
        let forming = Forming {
            before: population.before(end),
            period,
            guard: self.manifest.retrieval.guard,
            fading: Fading { end, half_life: self.manifest.periods.half_life },
            scanned: self.sizes.scanned,
            seed: SEED + period as u64,
        };
        let topics = self.topics().and_then(|topics| topics.known_by(forming.before));
        let close = |grouping| Snapshot::close(population, communities, topics, forming, grouping);
        let find = || Grouping::of(population, communities, &forming);
        let formed = match &self.kept {
            None => close(find())?,
            Some(kept) => {
                let width = population.dimensions();
                let Forming { before, guard, fading, scanned, .. } = forming;
                let told_apart = topics.map_or(1, Topics::count);
                let asked = [before, guard, population.labels.len(), width, scanned, told_apart];
                let asked = asked.map(|n| n as u64).into_iter();
                let asked = asked.chain([end.0 as u64, fading.half_life.to_bits(), communities.fingerprint()]);
                let write = |snapshot: &Snapshot, sink: &mut store::FolderWriter| snapshot.write(sink);
                let read = |source: &store::Verified| {
                    Snapshot::read_from(source, population, communities, forming, self.moved.clone())
                };
                // What was formed of people who have moved does not know their numbers in the base.
                let kept_numbers = self.moved.is_none();
                let form = || close(kept.grouping(&forming, communities, width, find));
                let asked: Vec<u64> = asked.collect();
                kept.sealed("entries", (period, before), &asked, kept_numbers.then_some(write), read, form)?
            }
        };
        let formed = Arc::new(formed);
        *slot = Some(Arc::clone(&formed));
        Ok(Some(formed))
    }

    /// Who belonged where at the end of `period`.
    pub(super) fn communities_at(&self, period: usize) -> &Communities {
        // Each period starts from the one before: from the newest that is known on.
        let known = (0..period).rev().find(|earlier| self.communities[*earlier].get().is_some());
        for next in known.map_or(0, |known| known + 1)..period {
            self.group(next);
        }
        self.group(period)
    }

    /// Groups users at the end of `period`, the one before being grouped.
    pub(super) fn group(&self, period: usize) -> &Communities {
        self.communities[period].get_or_init(|| {
            let before = self.population.before(self.calendar.end(period));
            let start =
                period.checked_sub(1).and_then(|last| self.communities[last].get()).cloned().unwrap_or_default();
            let topics = self.topics().and_then(|topics| topics.known_by(before));
            Communities::next(&self.population, before, &start, topics, SEED + period as u64)
        })
    }

    /// What items are about, found at the end of the first period before which there is enough.
    pub(super) fn topics(&self) -> Option<&Topics> {
        let count = self.manifest.periods.topics;
        let find = || {
            let ends = (0..self.calendar.count).map(|period| self.population.before(self.calendar.end(period)));
            let since = ends.into_iter().find(|before| *before >= Topics::enough(count))?;
            Some(Topics::told_apart(&self.population, since, count, SEED))
        };
        self.topics.get_or_init(|| if count > 0 { find() } else { None }).as_ref()
    }
}
