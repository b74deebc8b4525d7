//! The columns that entries are, one behind another, as they are written and read.

use crate::data::interaction::Timestamp;
use crate::memory::column::{Lists, Sink, Slab, Source};
use crate::memory::lexical::TermId;

/// What entries hold, in order of community, those of the population last, then number.
#[derive(Default)]
pub(super) struct Columns {
    /// How many entries each community has; the population's last.
    pub(super) sizes: Slab<u32>,
    /// The entry of each item, or [`NOWHERE`].
    pub(super) of_item: Slab<u32>,
    pub(super) centroids: Slab<f32>,
    /// How many of the items before the period's end hold each word.
    pub(super) texts_with: Slab<u32>,
    pub(super) items: Lists<u32>,
    pub(super) users: Lists<u32>,
    /// Words of each entry, most users first.
    pub(super) words: Lists<TermId>,
    /// The same, ascending.
    pub(super) terms: Lists<TermId>,
    /// The people behind each word, in the order of `words`.
    pub(super) word_users: Lists<u32>,
    pub(super) last_seen: Slab<Timestamp>,
    /// By entry and label.
    pub(super) counts: Slab<f64>,
    pub(super) counted: Slab<u32>,
    /// Whether anything is left of an entry with all of its contributors.
    pub(super) alive: Slab<u8>,
}

impl Columns {
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.column("sizes", &self.sizes)?;
        sink.column("of-item", &self.of_item)?;
        sink.column("centroids", &self.centroids)?;
        sink.column("texts-with", &self.texts_with)?;
        sink.lists("items", self.items.base())?;
        sink.lists("users", self.users.base())?;
        sink.lists("words", self.words.base())?;
        sink.lists("terms", self.terms.base())?;
        sink.lists("word-users", self.word_users.base())?;
        sink.column("last-seen", &self.last_seen)?;
        sink.column("counts", &self.counts)?;
        sink.column("counted", &self.counted)?;
        sink.column("alive", &self.alive)
    }

    pub(super) fn read<S: Source>(source: &S) -> Result<Self, S::Error> {
        Ok(Self {
            sizes: source.column("sizes")?,
            of_item: source.column("of-item")?,
            centroids: source.column("centroids")?,
            texts_with: source.column("texts-with")?,
            items: source.lists("items")?,
            users: source.lists("users")?,
            words: source.lists("words")?,
            terms: source.lists("terms")?,
            word_users: source.lists("word-users")?,
            last_seen: source.column("last-seen")?,
            counts: source.column("counts")?,
            counted: source.column("counted")?,
            alive: source.column("alive")?,
        })
    }
}
