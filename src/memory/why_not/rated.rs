//! Why not, of ratings: the crowd speaks of the very thing that is asked about, through one entry, and of nothing else.

use super::{Asked, Reason, Side};
use crate::memory::crowd::ThingIx;
use crate::memory::population::ItemIx;
use crate::memory::rating::{Ratings, entry_id, thing_of_id};

impl Asked<'_> {
    /// A visible rating of somebody else.
    pub(super) fn about_anothers_rating(&self, ratings: &Ratings, item: ItemIx) -> Reason {
        let thing = ratings.crowd().thing_of(item);
        let fate = self.fate_of_thing(ratings, thing);
        // What few rated, and nobody asks about, would tell what this one person did.
        let told = fate != Reason::AnotherThing || self.raters(ratings, thing) >= self.memory.manifest.retrieval.guard;
        Reason::Another { entry: told.then(|| entry_id(ratings.crowd().name(thing))), fate: Box::new(fate) }
    }

    /// An id that no rating has.
    pub(super) fn about_thing(&self, ratings: &Ratings, id: &str) -> Reason {
        let thing = thing_of_id(id).and_then(|name| ratings.crowd().named(name));
        thing.map_or(Reason::Unknown, |thing| self.fate_of_thing(ratings, thing))
    }

    /// What becomes of what others gave `thing`.
    fn fate_of_thing(&self, ratings: &Ratings, thing: ThingIx) -> Reason {
        let population = &self.memory.population;
        let id = entry_id(ratings.crowd().name(thing));
        if let Some(place) = self.read.global.hits.iter().position(|hit| hit.id == id) {
            return Reason::Shown { side: Side::Global, place: place + 1 };
        }
        let before = population.before(self.t);
        if ratings.subject(population, &self.probe.text, before).thing() != Some(thing) {
            return Reason::AnotherThing;
        }
        Reason::Suppressed { contributors: self.raters(ratings, thing), guard: self.memory.manifest.retrieval.guard }
    }

    /// How many people besides the asking one have rated `thing`.
    fn raters(&self, ratings: &Ratings, thing: ThingIx) -> usize {
        let population = &self.memory.population;
        let raters = ratings.raters(population, thing, population.before(self.t));
        raters.iter().filter(|rater| Some(**rater) != self.asking).count()
    }
}
