//! Memory: what is kept about one person and about everyone, as of any moment.
//!
//! Time is law: whatever [`Memory::read`] returns for `t` is built from interactions strictly before `t`. Knows nothing
//! of the mediator, of models or of terminals.

pub mod choice;
pub mod community;
pub mod embed;
pub mod entry;
pub mod explain;
pub mod fusion;
pub mod global;
pub mod guard;
pub mod history;
pub mod lexical;
pub mod local;
pub mod matching;
pub mod novelty;
pub mod okapi;
pub mod period;
pub mod population;
pub mod portrait;
pub mod profile;
pub mod why_not;

use std::sync::{Arc, Mutex, PoisonError};

use community::Communities;
use embed::{Embedder, HashEmbedder};
use entry::IndexError;
use global::{GlobalRead, PeriodView, Snapshot};
use local::{LocalRead, Probe};
use novelty::Nearness;
use period::Calendar;
use population::Population;

use crate::data::dataset::{Dataset, Manifest};
use crate::data::interaction::{Timestamp, UserId};

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
    nearness: Nearness,
    calendar: Calendar,
    /// Per closed period.
    communities: Vec<Communities>,
    /// Formed on first use: most reads need one or two of them.
    snapshots: Vec<Mutex<Option<Arc<Snapshot>>>>,
}

impl Memory {
    /// Reads the dataset into columns and groups users period by period.
    pub fn build(dataset: &Dataset) -> Self {
        let embedder: Box<dyn Embedder> = Box::new(HashEmbedder::default());
        let population = Population::new(dataset, embedder.as_ref());
        let first = population.at.first().copied().unwrap_or(Timestamp(0));
        let last = population.at.last().copied().unwrap_or(first);
        let calendar = Calendar::new(first, last, dataset.manifest.periods.days);
        let mut communities: Vec<Communities> = Vec::with_capacity(calendar.count);
        for period in 0..calendar.count {
            let before = population.before(calendar.end(period));
            let start = communities.last().cloned().unwrap_or_default();
            communities.push(Communities::next(&population, before, &start, SEED + period as u64));
        }
        let snapshots = (0..calendar.count).map(|_| Mutex::new(None)).collect();
        let nearness = Nearness::of(&population);
        let manifest = dataset.manifest.clone();
        Self { manifest, population, embedder, nearness, calendar, communities, snapshots }
    }

    /// How many periods the data spans.
    pub fn periods(&self) -> usize {
        self.calendar.count
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
        local.novelty = self.nearness.novelty(population, &self.manifest.retrieval, asking, &local, t);
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
            &self.communities[period],
            period,
            self.calendar.end(period),
            SEED + period as u64,
        )?);
        *slot = Some(Arc::clone(&formed));
        Ok(Some(formed))
    }
}
