//! Memory: what is kept about one person and about everyone, as of any moment.
//!
//! Time is law: whatever [`Memory::read`] returns for `t` is built from interactions strictly before `t`. Knows nothing
//! of the mediator, of models or of terminals.

pub mod column;
pub mod community;
pub mod embed;
pub mod entry;
pub mod fusion;
pub mod global;
pub mod guard;
pub mod lexical;
pub mod local;
pub mod novelty;
pub mod period;
pub mod population;
pub mod profile;
pub mod store;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use community::Communities;
use embed::{Embedder, HashEmbedder};
use entry::IndexError;
use global::{GlobalRead, PeriodView, Snapshot};
use local::{LocalRead, Probe};
use novelty::Nearness;
use period::Calendar;
use population::{Late, Population};

use crate::data::dataset::{Dataset, Manifest};
use crate::data::interaction::{Interaction, Timestamp, UserId};

/// Seed of every grouping; a constant, so that memory is a function of the data.
const SEED: u64 = 0x1060;

/// Both memories' answers to one query.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryRead {
    /// About the person.
    pub local: LocalRead,
    /// About everyone else.
    pub global: GlobalRead,
}

/// Local and global memory of a dataset.
pub struct Memory {
    /// The dataset's settings.
    pub manifest: Manifest,
    /// The interactions.
    pub population: Population,
    embedder: Box<dyn Embedder>,
    nearness: OnceLock<Nearness>,
    calendar: Calendar,
    /// Per period, grouped on first use.
    communities: Vec<OnceLock<Communities>>,
    /// Formed on first use: most reads need one or two of them.
    snapshots: Vec<Mutex<Option<Arc<Snapshot>>>>,
}

impl Memory {
    /// Reads the dataset into columns.
    pub fn build(dataset: &Dataset) -> Self {
        let embedder: Box<dyn Embedder> = Box::new(HashEmbedder::default());
        let population = Population::new(dataset, embedder.as_ref());
        Self::over(dataset.manifest.clone(), population, embedder)
    }

    /// Memory over columns.
    fn over(manifest: Manifest, population: Population, embedder: Box<dyn Embedder>) -> Self {
        let calendar = calendar(&population, &manifest);
        let communities = (0..calendar.count).map(|_| OnceLock::new()).collect();
        let snapshots = (0..calendar.count).map(|_| Mutex::new(None)).collect();
        Self { manifest, population, embedder, nearness: OnceLock::new(), calendar, communities, snapshots }
    }

    /// Adds interactions that follow all others, ascending by `(at, id)`: from now on this reads as if it had been built
    /// with them. Their ids have to be new and their responses labels, as in a [`Dataset`].
    ///
    /// # Errors
    ///
    /// [`Late`] and no change where one of them does not follow: then memory has to be built anew.
    pub fn remember(&mut self, interactions: &[&Interaction]) -> Result<(), Late> {
        let Some(first) = interactions.first() else { return Ok(()) };
        let moved = self.population.extend(interactions, self.embedder.as_ref())?;
        let calendar = calendar(&self.population, &self.manifest);
        // What was closed before the first of them stays as it is, unless periods were cut anew.
        let untouched = |period: usize| calendar.agrees_with(&self.calendar) && calendar.end(period) <= first.at;
        let kept = (0..self.calendar.count).take_while(|period| untouched(*period)).count();
        self.communities.truncate(kept);
        self.communities.resize_with(calendar.count, OnceLock::new);
        self.snapshots.truncate(kept);
        if let Some(places) = moved {
            let count = self.population.users.len();
            self.communities.iter_mut().filter_map(OnceLock::get_mut).for_each(|c| c.renumber(&places, count));
            self.snapshots.clear();
        }
        self.snapshots.resize_with(calendar.count, || Mutex::new(None));
        if let Some(nearness) = self.nearness.get_mut() {
            nearness.extend(&self.population);
        }
        self.calendar = calendar;
        Ok(())
    }

    /// How many periods the data spans.
    pub fn periods(&self) -> usize {
        self.calendar.count
    }

    /// The second after the last interaction: the moment at which all of the data is past.
    pub fn end(&self) -> Timestamp {
        self.population.at.last().map_or(Timestamp(0), |last| Timestamp(last.0.saturating_add(1)))
    }

    /// The embedder's identity.
    pub fn embedder(&self) -> String {
        self.embedder.id()
    }

    /// Reads both memories for `user` asking `query` at `t`. A user unknown to the data has an empty local memory.
    pub fn read(&self, user: &UserId, query: &str, t: Timestamp) -> Result<MemoryRead, IndexError> {
        let population = &self.population;
        let asking = population.user_ix(user);
        let probe = Probe::new(query, population, self.embedder.as_ref());
        let mut local = local::read(population, &self.manifest.retrieval, asking, &probe, t);
        let nearness = self.nearness.get_or_init(|| Nearness::of(population));
        local.novelty = nearness.novelty(population, &self.manifest.retrieval, asking, &local, t);
        let mut own = vec![0.0; population.labels.len()];
        local.hits.iter().for_each(|hit| own[hit.label] += 1.0);
        let snapshot = self.snapshot_at(t)?;
        let reader = global::Reader {
            population,
            retrieval: &self.manifest.retrieval,
            periods: &self.manifest.periods,
            calibration: &self.manifest.calibration,
        };
        let view = snapshot.as_deref().map(|s| (s, PeriodView { number: s.period + 1, end: s.end }));
        let global = reader.read(view, asking, &own, &probe, t)?;
        Ok(MemoryRead { local, global })
    }

    /// The last snapshot closed at or before `t`, formed if this is its first use.
    fn snapshot_at(&self, t: Timestamp) -> Result<Option<Arc<Snapshot>>, IndexError> {
        let Some(newest) = self.population.before(t).checked_sub(1) else { return Ok(None) };
        let Some(period) = self.calendar.closed_at(t, self.population.at[newest]) else { return Ok(None) };
        let mut slot = self.snapshots[period].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = slot.as_ref() {
            return Ok(Some(Arc::clone(snapshot)));
        }
        let formed = Arc::new(Snapshot::close(
            &self.population,
            &self.manifest.periods,
            self.manifest.retrieval.guard,
            self.communities_at(period),
            period,
            self.calendar.end(period),
            SEED + period as u64,
        )?);
        *slot = Some(Arc::clone(&formed));
        Ok(Some(formed))
    }

    /// Who belonged where at the end of `period`.
    fn communities_at(&self, period: usize) -> &Communities {
        // Each period starts from the one before: from the newest that is known on.
        let known = (0..period).rev().find(|earlier| self.communities[*earlier].get().is_some());
        for next in known.map_or(0, |known| known + 1)..period {
            self.group(next);
        }
        self.group(period)
    }

    /// Groups users at the end of `period`, the one before being grouped.
    fn group(&self, period: usize) -> &Communities {
        self.communities[period].get_or_init(|| {
            let before = self.population.before(self.calendar.end(period));
            let start =
                period.checked_sub(1).and_then(|last| self.communities[last].get()).cloned().unwrap_or_default();
            Communities::next(&self.population, before, &start, SEED + period as u64)
        })
    }
}

fn calendar(population: &Population, manifest: &Manifest) -> Calendar {
    let first = population.at.first().copied().unwrap_or(Timestamp(0));
    let last = population.at.last().copied().unwrap_or(first);
    Calendar::new(first, last, manifest.periods.days)
}
