//! How memory takes in what comes later, and other settings for the same data, without being built anew.
//!
//! Invariant: it reads bit for bit as if it had been built with all of it: what was formed of periods that stay as they were
//! stays, everything else goes and is formed when it is next asked for.

use std::sync::{Arc, Mutex, OnceLock};

use super::base::BaseRates;
use super::community::Communities;
use super::population::Late;
use super::{Memory, calendar};
use crate::data::dataset::Manifest;
use crate::data::interaction::Interaction;

impl Memory {
    /// Adds interactions that follow all others, ascending by `(at, id)`: from now on this reads as if it had been built
    /// with them. Their ids have to be new and their responses fit the task, as in a [`Dataset`].
    ///
    /// # Errors
    ///
    /// [`Late`] and no change where one of them does not follow: then memory has to be built anew.
    pub fn remember(&mut self, interactions: &[&Interaction]) -> Result<(), Late> {
        let Some(first) = interactions.first() else { return Ok(()) };
        let moved = self.population.extend(interactions, &self.manifest.places(), self.embedder.as_ref())?;
        if let Some(ratings) = &mut self.ratings {
            ratings.extend(&self.population, interactions);
        }
        if let Some(writing) = &mut self.writing {
            writing.extend(&self.population, interactions);
        }
        let calendar = calendar(&self.population, &self.manifest);
        // What was closed before the first of them stays as it is, unless periods were cut anew.
        let agrees = calendar.agrees_with(&self.calendar);
        let untouched = |period: usize| agrees && calendar.end(period) <= first.at;
        let kept = (0..self.calendar.count).take_while(|period| untouched(*period)).count();
        self.communities.truncate(kept);
        self.communities.resize_with(calendar.count, OnceLock::new);
        self.snapshots.truncate(kept);
        if let Some(places) = moved {
            let count = self.population.users.len();
            self.communities.iter_mut().filter_map(OnceLock::get_mut).for_each(|c| c.renumber(&places, count));
            self.snapshots.clear();
            let since = self.moved.take().map(|base| base.iter().map(|user| places[*user]).collect());
            self.moved = Some(Arc::new(since.unwrap_or(places)));
        }
        self.snapshots.resize_with(calendar.count, || Mutex::new(None));
        if let Some(digest) = self.digest.get_mut() {
            digest.extend(&self.population, interactions.len());
        }
        // Found at the end of a period that stays as it was, they stay as they were.
        let settled = kept.checked_sub(1).map_or(0, |last| self.population.before(calendar.end(last)));
        match self.topics.get_mut() {
            Some(Some(topics)) if topics.since() <= settled => topics.extend(&self.population),
            _ => self.topics = OnceLock::new(),
        }
        // The first terms stand before the first period's end.
        self.terms.truncate(if agrees { kept + 1 } else { 0 });
        if let Some(features) = self.features.get_mut() {
            features.extend(interactions.iter().map(|interaction| interaction.query.as_str()));
            let nobody = Communities::default();
            for (slot, terms) in self.terms.iter_mut().enumerate() {
                // Ratings are read by thing, not by community.
                let closed = slot.checked_sub(1).filter(|_| self.ratings.is_none());
                let communities = closed.and_then(|period| self.communities[period].get()).unwrap_or(&nobody);
                let until = self.population.before(calendar.end(slot));
                terms.get_mut().into_iter().for_each(|t| t.extend(&self.population, features, communities, until));
            }
        }
        self.terms.resize_with(calendar.count + 1, OnceLock::new);
        self.weightings = (0..=calendar.count).map(|_| OnceLock::new()).collect();
        // What a question met depends on what lay before it, and on where periods were cut.
        match self.nearness.get_mut() {
            Some(nearness) if agrees => nearness.extend(&self.population),
            _ => self.nearness = OnceLock::new(),
        }
        self.calendar = calendar;
        Ok(())
    }

    /// Takes other settings for the same data. What they do not change is kept; periods stay as they were cut.
    pub fn retune(&mut self, manifest: Manifest) {
        let (old, new) = (&self.manifest, &manifest);
        if let Some(digest) = self.digest.get_mut().filter(|_| old.periods.base_half_life != new.periods.base_half_life)
        {
            digest.base = BaseRates::of(&self.population, new.periods.base_half_life);
        }
        if old.retrieval != new.retrieval {
            self.nearness = OnceLock::new();
        }
        if let Some(writing) =
            self.writing.as_mut().filter(|_| old.periods.base_half_life != new.periods.base_half_life)
        {
            writing.fade(&self.population, new.periods.base_half_life);
        }
        if old.periods.term_half_life != new.periods.term_half_life {
            self.terms = self.terms.iter().map(|_| OnceLock::new()).collect();
        }
        if old.periods.topics != new.periods.topics {
            self.topics = OnceLock::new();
            self.communities = self.communities.iter().map(|_| OnceLock::new()).collect();
            self.snapshots = self.snapshots.iter().map(|_| Mutex::new(None)).collect();
            self.terms = self.terms.iter().map(|_| OnceLock::new()).collect();
        }
        if old.periods.half_life != new.periods.half_life || old.retrieval.guard != new.retrieval.guard {
            self.snapshots = self.snapshots.iter().map(|_| Mutex::new(None)).collect();
        }
        self.manifest = manifest;
    }
}
