//! Collective entries: groups of similar interactions within a community, formed at a period's end.
//!
//! Invariant: what an entry holds is summed once, from all of its members; whoever is one of them is left out again, and
//! the guard applied, before anything is read of it. The result does not depend on how many threads formed it.

mod columns;
mod forming;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use columns::Columns;
pub use forming::Forming;
pub(super) use forming::{on_all_cores, users_of};

use super::column::{Sink, Source};
use super::community::CommunityIx;
use super::embed::dot;
use super::finder::Finder;
pub use super::finder::IndexError;
use super::fusion::Similarity;
use super::grouping::NOWHERE;
use super::guard::{self, COUNTED_SHARE, Contribution, Guarded};
use super::lexical::{DocumentCounts, TermId, shrunk_idf};
use super::local::Probe;
use super::population::{ItemIx, Population, UserIx};
use crate::data::dataset::Retrieval;
use crate::data::interaction::Timestamp;

/// A group of similar interactions: one of [`Entries`].
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    entries: &'a Entries,
    number: usize,
}

impl<'a> Entry<'a> {
    /// Its place among all entries.
    pub fn number(self) -> usize {
        self.number
    }

    /// `p<period, from 1>-c<community>-<number>`; `c*` for the population.
    pub fn id(self) -> String {
        let (community, range) = &self.entries.groups[self.group()];
        let whose = community.map_or("*".to_owned(), |community| community.to_string());
        format!("p{}-c{whose}-{}", self.entries.period + 1, self.number - range.start)
    }

    /// The order of identities, as texts.
    pub fn by_id(self, other: Self) -> Ordering {
        let place = |entry: Self| {
            let (community, range) = &entry.entries.groups[entry.group()];
            (*community, entry.number - range.start)
        };
        let ((whose, number), (others, other)) = (place(self), place(other));
        // `*` comes before digits, as does the `-` that ends a shorter number.
        let whose = match (whose, others) {
            (Some(whose), Some(others)) => as_text(whose, others),
            (whose, others) => whose.cmp(&others),
        };
        whose.then_with(|| as_text(number, other))
    }

    fn group(self) -> usize {
        self.entries.groups.partition_point(|(_, range)| range.end <= self.number)
    }

    /// Whose; `None` for entries of the whole population.
    pub fn community(self) -> Option<CommunityIx> {
        self.entries.groups[self.group()].0
    }

    /// Members, ascending.
    pub fn items(self) -> impl DoubleEndedIterator<Item = ItemIx> + use<'a> {
        self.entries.columns.items[self.number].iter().map(|item| *item as ItemIx)
    }

    /// Distinct contributors, ascending, as numbered when the entries were formed, see [`Entries::known_as`].
    pub fn users(self) -> &'a [u32] {
        &self.entries.columns.users[self.number]
    }

    /// Unit vector.
    pub fn centroid(self) -> &'a [f32] {
        let width = self.entries.width;
        &self.entries.columns.centroids[self.number * width..(self.number + 1) * width]
    }

    /// Frequent words, most users first.
    pub fn words(self) -> &'a [TermId] {
        &self.entries.columns.words[self.number]
    }

    /// The same, ascending.
    pub fn terms(self) -> &'a [TermId] {
        &self.entries.columns.terms[self.number]
    }

    /// Everyone who used the word `at` of [`Self::words`], ascending, numbered like [`Self::users`].
    pub fn users_of(self, at: usize) -> &'a [u32] {
        &self.entries.columns.word_users[self.entries.columns.words.range(self.number).start + at]
    }

    /// Newest member.
    pub fn last_seen(self) -> Timestamp {
        self.entries.columns.last_seen[self.number]
    }

    /// What all contributors gave together; nothing if they are too few.
    pub fn counts(self) -> &'a [f64] {
        let labels = self.entries.labels;
        &self.entries.columns.counts[self.number * labels..(self.number + 1) * labels]
    }

    /// Contributors behind [`Self::counts`].
    pub fn counted(self) -> usize {
        self.entries.columns.counted[self.number] as usize
    }

    /// People with an item here, the asking one aside.
    pub fn contributors(self, asking: Option<UserIx>) -> usize {
        others(self.users(), self.entries.known_as(asking))
    }

    /// People besides the asking one who used the word `at` of [`Self::words`].
    pub fn users_besides(self, at: usize, asking: Option<UserIx>) -> usize {
        others(self.users_of(at), self.entries.known_as(asking))
    }

    /// What everybody but the asking person gave; nothing if they are too few.
    pub fn guarded(self, population: &Population, asking: Option<UserIx>, guard: usize) -> Option<Guarded> {
        given(population, self.items(), self.entries.fading, asking, guard)
    }
}

/// The order of two numbers as they are written.
fn as_text(a: usize, b: usize) -> Ordering {
    let digits = |n: usize| n.checked_ilog10().unwrap_or(0);
    let (short, long) = (digits(a), digits(b));
    // The digits that both have are compared as numbers; of equal ones the shorter number comes first.
    let (head, other) = match short <= long {
        true => (a, b / 10usize.pow(long - short)),
        false => (a / 10usize.pow(short - long), b),
    };
    head.cmp(&other).then(short.cmp(&long))
}

/// How many of `users`, ascending, are not the asking one.
fn others(users: &[u32], asking: Option<u32>) -> usize {
    users.len() - usize::from(asking.is_some_and(|user| users.binary_search(&user).is_ok()))
}

/// How items count less with age, as of a period's end.
#[derive(Clone, Copy, Debug)]
pub struct Fading {
    /// The first moment after the period.
    pub end: Timestamp,
    /// Half-life of a weight in days.
    pub half_life: f64,
}

impl Fading {
    /// Weight of an item before the end.
    pub fn weight(&self, population: &Population, item: ItemIx) -> f64 {
        super::base::decay(population.at[item], self.end, self.half_life)
    }
}

fn given(
    population: &Population,
    items: impl Iterator<Item = ItemIx>,
    fading: Fading,
    asking: Option<UserIx>,
    guard: usize,
) -> Option<Guarded> {
    let contribution = |item: ItemIx| Contribution {
        user: population.user[item],
        label: population.label[item],
        weight: fading.weight(population, item),
    };
    guard::sum(items.map(contribution), population.labels.len(), asking, guard, 1.0)
}

/// The words of a query as entries are matched with them, weighed by how rare they were before a period's end.
pub struct EntryQuery {
    /// Words that somebody used, with their idf.
    pub words: Vec<(TermId, f64)>,
    /// The sum of a perfect match: words that nobody used count as the rarest, whether or not a later text holds them.
    pub ideal: f64,
}

impl EntryQuery {
    /// Weighs the words of `probe` by the texts before the end of the period of `entries`.
    pub fn new(entries: &Entries, probe: &Probe) -> Self {
        let items = entries.columns.of_item.len();
        let mut words = Vec::new();
        let mut unseen = probe.unknown;
        for term in probe.bag.distinct() {
            match entries.columns.texts_with.get(term as usize) {
                None | Some(0) => unseen += 1,
                Some(texts) => {
                    let counts = DocumentCounts { with_term: *texts as usize, total: items };
                    words.push((term, shrunk_idf(counts, DocumentCounts::default(), 0.0)));
                }
            }
        }
        let nobody = DocumentCounts { with_term: 0, total: items };
        let rarest = shrunk_idf(nobody, DocumentCounts::default(), 0.0);
        let ideal = words.iter().map(|(_, idf)| idf).sum::<f64>() + unseen as f64 * rarest;
        Self { words, ideal }
    }

    /// The query's words that may be matched in `entry`, each with its share of the lexical score.
    pub fn matched(&self, entry: Entry, asking: Option<UserIx>, guard: usize) -> impl Iterator<Item = (TermId, f64)> {
        self.met(entry, asking, guard).map(|(word, idf)| (word, idf / self.ideal))
    }

    /// The idf sum of the query's words that may be matched in `entry`.
    pub fn mass(&self, entry: Entry, asking: Option<UserIx>, guard: usize) -> f64 {
        self.met(entry, asking, guard).map(|(_, idf)| idf).sum()
    }

    /// The idf sum of the query's words among `terms`, ascending.
    pub fn mass_of(&self, terms: &[TermId]) -> f64 {
        let (mut mass, mut at) = (0.0, 0);
        for (word, idf) in &self.words {
            while at < terms.len() && terms[at] < *word {
                at += 1;
            }
            if terms.get(at) == Some(word) {
                mass += idf;
            }
        }
        mass
    }

    /// Words of query and entry that enough people besides the asking one used, with their idf, ascending.
    fn met(&self, entry: Entry, asking: Option<UserIx>, guard: usize) -> impl Iterator<Item = (TermId, f64)> {
        let enough = move |at: usize| entry.users_besides(at, asking) >= guard;
        let met = self.words.iter().filter(move |(term, _)| entry.terms().binary_search(term).is_ok());
        met.filter(move |(term, _)| entry.words().iter().position(|word| word == term).is_some_and(enough)).copied()
    }

    /// The lexical score, in [0, 1], of an entry with this idf sum.
    pub fn lexical(&self, mass: f64) -> f64 {
        if self.ideal > 0.0 { mass / self.ideal } else { 0.0 }
    }

    /// How like the query `entry` is.
    pub fn similarity(&self, probe: &Probe, entry: Entry, asking: Option<UserIx>, settings: &Retrieval) -> Similarity {
        let lexical = self.lexical(self.mass(entry, asking, settings.guard));
        Similarity::combine(lexical, f64::from(dot(&probe.vector, entry.centroid())), settings.lexical_share)
    }
}

/// All entries of a snapshot, and how they are found.
pub struct Entries {
    /// The places of each community's entries, those of the population last.
    pub groups: Vec<(Option<CommunityIx>, Range<usize>)>,
    /// How items fade.
    pub fading: Fading,
    /// How entries near a query are found.
    pub finder: Finder,
    period: usize,
    labels: usize,
    width: usize,
    columns: Columns,
    /// New numbers of the people who are numbered here, ascending, if they have moved.
    moved: Option<Arc<Vec<UserIx>>>,
}

impl Entries {
    fn with(population: &Population, columns: Columns, forming: Forming, moved: Option<Arc<Vec<UserIx>>>) -> Self {
        Self {
            groups: groups_of(&columns.sizes),
            fading: forming.fading,
            finder: Finder::default(),
            period: forming.period,
            labels: population.labels.len(),
            width: population.dimensions(),
            columns,
            moved,
        }
    }

    /// Writes all of it, with what it takes to find entries.
    pub(super) fn write<S: Sink<Error: From<IndexError>>>(&self, sink: &mut S) -> Result<(), S::Error> {
        self.columns.write(sink)?;
        self.finder.write(sink)
    }

    /// Entries as they were written. `moved` are new numbers of the people who are numbered there, ascending.
    pub(super) fn read_from<S: Source<Error: From<IndexError>>>(
        source: &S,
        population: &Population,
        forming: Forming,
        moved: Option<Arc<Vec<UserIx>>>,
    ) -> Result<Self, S::Error> {
        let mut entries = Self::with(population, Columns::read(source)?, forming, moved);
        entries.finder = Finder::read_from(source, population, &entries, forming.scanned)?;
        Ok(entries)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.columns.last_seen.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    pub fn get(&self, number: usize) -> Entry<'_> {
        Entry { entries: self, number }
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// The entry with this identity.
    pub fn named(&self, id: &str) -> Option<Entry<'_>> {
        // Which community's it can be follows from the identity, but few ask.
        self.iter().find(|entry| entry.id() == id)
    }

    /// Whether anything is left of an entry with all of its contributors.
    pub fn is_alive(&self, number: usize) -> bool {
        self.columns.alive[number] != 0
    }

    /// The number under which entries know a person; `None` for one who came later.
    pub fn known_as(&self, user: Option<UserIx>) -> Option<u32> {
        let number = match &self.moved {
            None => user,
            Some(moved) => user.and_then(|user| moved.binary_search(&user).ok()),
        };
        number.map(|number| number as u32)
    }

    /// The entries that hold an item of `user`, ascending.
    pub fn of_user(&self, population: &Population, user: Option<UserIx>) -> Vec<usize> {
        let of_item = &self.columns.of_item;
        let items = user.map_or(&[][..], |user| &population.items_of[user]);
        let held = items.iter().take_while(|item| **item < of_item.len()).map(|item| of_item[*item]);
        let mut entries: Vec<usize> = held.filter(|entry| *entry != NOWHERE).map(|entry| entry as usize).collect();
        entries.sort_unstable();
        entries.dedup();
        entries
    }

    /// The entry that holds an item.
    pub fn of_item(&self, item: ItemIx) -> Option<usize> {
        self.columns.of_item.get(item).copied().filter(|entry| *entry != NOWHERE).map(|entry| entry as usize)
    }

    /// Whether the guard lets anything pass of an entry without what the asking person gave.
    pub fn outlives(&self, population: &Population, number: usize, asking: Option<UserIx>, guard: usize) -> bool {
        let entry = self.get(number);
        let mut others = entry.items().filter(|item| Some(population.user[*item]) != asking);
        let Some(oldest) = others.next() else { return false };
        let newest = others.next_back().unwrap_or(oldest);
        let [least, most] = [oldest, newest].map(|item| self.fading.weight(population, item));
        // Where even the oldest item is something beside all of them, everybody counts: no need to sum what each one gave.
        if least > 0.0 && least >= COUNTED_SHARE * most * entry.items().count() as f64 {
            return entry.contributors(asking) >= guard;
        }
        entry.guarded(population, asking, guard).is_some_and(|left| left.contributors > 0)
    }
}

/// The places of the entries of each community, and of the population's, which come last.
fn groups_of(sizes: &[u32]) -> Vec<(Option<CommunityIx>, Range<usize>)> {
    let mut start = 0;
    let group = |(community, size): (usize, &u32)| {
        let range = start..start + *size as usize;
        start = range.end;
        ((community + 1 < sizes.len()).then_some(community), range)
    };
    sizes.iter().enumerate().map(group).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_in_the_order_of_texts(a in 0..3000usize, b in prop_oneof![0..30usize, 0..3000usize]) {
            prop_assert_eq!(as_text(a, b), a.to_string().cmp(&b.to_string()));
        }
    }
}
