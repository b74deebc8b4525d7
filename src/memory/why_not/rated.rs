//! Why not, of ratings: the crowd speaks of the very thing that is asked about, through one entry, and of nothing else.

use super::{Asked, Reason, Side};
use crate::memory::crowd::ThingIx;
use crate::memory::population::ItemIx;
use crate::memory::rating::{Ratings, entry_id, thing_of_id};

impl Asked<'_> {
    /// A visible rating of somebody else.
    pub(super) fn about_anothers_rating(&self, ratings: &Ratings, item: ItemIx) -> Reason {
        let thing = ratings.crowd().thing_of(item);
        let entry = Some(entry_id(ratings.crowd().name(thing)));
        Reason::Another { entry, fate: Box::new(self.fate_of_thing(ratings, thing)) }
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
        let mut raters = ratings.raters(population, thing, before);
        if let Some(asking) = self.asking {
            raters.remove(&asking);
        }
        Reason::Suppressed { contributors: raters.len(), guard: self.memory.manifest.retrieval.guard }
    }
}
