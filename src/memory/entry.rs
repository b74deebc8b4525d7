//! Collective entries: groups of similar interactions within a community, formed at a period's end.
//!
//! Invariant: what an entry holds is summed once, from all of its members; whoever is one of them is left out again, and
//! the guard applied, before anything is read of it. The result does not depend on how many threads formed it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::community::{CommunityIx, k_means};
use super::embed::{dot, normalise};
use super::finder::Finder;
pub use super::finder::IndexError;
use super::fusion::Similarity;
use super::grouping::{Grouping, NOWHERE};
use super::guard::{self, Contribution, Guarded};
use super::lexical::{DocumentCounts, TermId, shrunk_idf};
use super::local::Probe;
use super::population::{ItemIx, Population, UserIx};
use crate::data::dataset::Retrieval;
use crate::data::interaction::Timestamp;

/// Mean number of interactions in an entry.
const MEAN_SIZE: usize = 20;
/// Words kept per entry.
const WORDS: usize = 24;

/// A frequent word of an entry.
#[derive(Clone, Debug)]
pub struct Word {
    /// Which.
    pub term: TermId,
    /// Everyone who used it, ascending.
    pub users: Vec<UserIx>,
}

/// A group of similar interactions.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `p<period, from 1>-c<community>-<number>`; `c*` for the population.
    pub id: String,
    /// Whose; `None` for entries of the whole population.
    pub community: Option<CommunityIx>,
    /// Members, ascending.
    pub items: Vec<ItemIx>,
    /// Distinct contributors, ascending.
    pub users: Vec<UserIx>,
    /// Unit vector.
    pub centroid: Vec<f32>,
    /// Frequent words, most users first.
    pub words: Vec<Word>,
    /// Places in `words`, ascending by term.
    places: Vec<(TermId, usize)>,
    /// Newest member.
    pub last_seen: Timestamp,
    /// What all contributors gave together; nothing if they are too few.
    pub whole: Guarded,
}

impl Entry {
    /// People with an item here, the asking one aside.
    pub fn contributors(&self, asking: Option<UserIx>) -> usize {
        others(&self.users, asking)
    }

    /// What everybody but the asking person gave; nothing if they are too few.
    pub fn guarded(
        &self,
        population: &Population,
        fading: Fading,
        asking: Option<UserIx>,
        guard: usize,
    ) -> Option<Guarded> {
        given(population, &self.items, fading, asking, guard)
    }
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
    items: &[ItemIx],
    fading: Fading,
    asking: Option<UserIx>,
    guard: usize,
) -> Option<Guarded> {
    let contribution = |item: &ItemIx| Contribution {
        user: population.user[*item],
        label: population.label[*item],
        weight: fading.weight(population, *item),
    };
    guard::sum(items.iter().map(contribution), population.labels.len(), asking, guard, 1.0)
}

/// How many of `users`, ascending, are not the asking one.
pub fn others(users: &[UserIx], asking: Option<UserIx>) -> usize {
    users.len() - usize::from(asking.is_some_and(|user| users.binary_search(&user).is_ok()))
}

/// The words of a query as entries are matched with them, weighed by how rare they were before a period's end.
pub struct EntryQuery {
    /// Words that somebody used, with their idf.
    pub words: Vec<(TermId, f64)>,
    /// The sum of a perfect match: words that nobody used count as the rarest, whether or not a later text holds them.
    pub ideal: f64,
}

impl EntryQuery {
    /// Weighs the words of `probe` by the first `items` texts.
    pub fn new(population: &Population, probe: &Probe, items: usize) -> Self {
        let mut words = Vec::new();
        let mut unseen = probe.unknown;
        for term in probe.bag.distinct() {
            let counts = population.document_counts(term, items);
            match counts.with_term {
                0 => unseen += 1,
                _ => words.push((term, shrunk_idf(counts, DocumentCounts::default(), 0.0))),
            }
        }
        let nobody = DocumentCounts { with_term: 0, total: items };
        let rarest = shrunk_idf(nobody, DocumentCounts::default(), 0.0);
        let ideal = words.iter().map(|(_, idf)| idf).sum::<f64>() + unseen as f64 * rarest;
        Self { words, ideal }
    }

    /// The query's words that may be matched in `entry`, each with its share of the lexical score.
    pub fn matched(&self, entry: &Entry, asking: Option<UserIx>, guard: usize) -> impl Iterator<Item = (TermId, f64)> {
        self.met(entry, asking, guard).map(|(word, idf)| (word, idf / self.ideal))
    }

    /// The idf sum of the query's words that may be matched in `entry`.
    pub fn mass(&self, entry: &Entry, asking: Option<UserIx>, guard: usize) -> f64 {
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

    /// Words of query and entry that enough people besides the asking one used, with their idf. Both are ascending.
    fn met(&self, entry: &Entry, asking: Option<UserIx>, guard: usize) -> impl Iterator<Item = (TermId, f64)> {
        let mut words = self.words.iter().peekable();
        entry.places.iter().filter_map(move |(term, place)| {
            while words.next_if(|(word, _)| word < term).is_some() {}
            let (word, idf) = words.next_if(|(word, _)| word == term)?;
            (others(&entry.words[*place].users, asking) >= guard).then_some((*word, *idf))
        })
    }

    /// The lexical score, in [0, 1], of an entry with this idf sum.
    pub fn lexical(&self, mass: f64) -> f64 {
        if self.ideal > 0.0 { mass / self.ideal } else { 0.0 }
    }

    /// How like the query `entry` is.
    pub fn similarity(&self, probe: &Probe, entry: &Entry, asking: Option<UserIx>, settings: &Retrieval) -> Similarity {
        let lexical = self.lexical(self.mass(entry, asking, settings.guard));
        Similarity::combine(lexical, f64::from(dot(&probe.vector, &entry.centroid)), settings.lexical_share)
    }
}

/// All entries of a snapshot, and how they are found.
pub struct Entries {
    /// In order of community, those of the population last, then number.
    pub all: Vec<Entry>,
    /// The places in `all` of each community's entries.
    pub groups: Vec<(Option<CommunityIx>, Range<usize>)>,
    /// Whether anything is left of an entry with all of its contributors.
    pub alive: Vec<bool>,
    /// How items fade.
    pub fading: Fading,
    /// How entries near a query are found.
    pub finder: Finder,
    /// The entry of each item.
    of_item: Vec<u32>,
}

/// When and how entries are formed.
#[derive(Clone, Copy, Debug)]
pub struct Forming {
    /// Items before the period's end: `0..before`.
    pub before: usize,
    /// Which period, from 0.
    pub period: usize,
    /// Fewest people in an entry.
    pub guard: usize,
    /// How items fade.
    pub fading: Fading,
    /// Seed of the grouping.
    pub seed: u64,
}

impl Entries {
    /// Sums what was grouped, on all cores.
    pub fn over(population: &Population, grouping: Grouping, forming: Forming) -> Result<Self, IndexError> {
        let mut start = 0;
        let ranges = grouping.sizes.iter().enumerate().map(|(community, size)| {
            let range = start..start + *size as usize;
            start = range.end;
            ((community + 1 < grouping.sizes.len()).then_some(community), range)
        });
        let ranges: Vec<(Option<CommunityIx>, Range<usize>)> = ranges.collect();
        let members = grouping.members();
        let centroid = |entry: usize| {
            let width = population.dimensions();
            grouping.centroids[entry * width..(entry + 1) * width].to_vec()
        };
        let formed = on_all_cores(ranges.len(), |group| {
            let (community, range) = ranges[group].clone();
            let groups = range.map(|entry| (members[entry].clone(), centroid(entry))).collect();
            entries(population, community, groups, forming)
        });
        let all: Vec<Entry> = formed.into_iter().flatten().collect();
        let alive = all.iter().map(|entry| entry.whole.counts.iter().sum::<f64>() > 0.0).collect();
        let finder = Finder::over(population, &all)?;
        Ok(Self { all, groups: ranges, alive, fading: forming.fading, finder, of_item: grouping.of_item })
    }

    /// The entries that hold an item of `user`, ascending.
    pub fn of_user(&self, population: &Population, user: Option<UserIx>) -> Vec<usize> {
        let items = user.map_or(&[][..], |user| &population.items_of[user]);
        let held = items.iter().take_while(|item| **item < self.of_item.len()).map(|item| self.of_item[*item]);
        let mut entries: Vec<usize> = held.filter(|entry| *entry != NOWHERE).map(|entry| entry as usize).collect();
        entries.sort_unstable();
        entries.dedup();
        entries
    }

    /// The entry that holds an item.
    pub fn of_item(&self, item: ItemIx) -> Option<usize> {
        self.of_item.get(item).copied().filter(|entry| *entry != NOWHERE).map(|entry| entry as usize)
    }

    /// Whether anything is left of an entry without what the asking person gave.
    pub fn outlives(&self, population: &Population, number: usize, asking: Option<UserIx>) -> bool {
        let items = &self.all[number].items;
        let newest = items.iter().rev().find(|item| Some(population.user[**item]) != asking);
        newest.is_some_and(|item| self.fading.weight(population, *item) > 0.0)
    }
}

/// What `work` makes of each of `0..count`, in order.
pub(super) fn on_all_cores<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(count);
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let ix = next.fetch_add(1, Ordering::Relaxed);
            if ix >= count {
                return done;
            }
            done.push((ix, work(ix)));
        }
    };
    let mut all = thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(some)).collect();
        let mut all = some();
        for other in others {
            // A panic of one is a panic of all, as if there had been one thread.
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    });
    all.sort_by_key(|(ix, _)| *ix);
    all.into_iter().map(|(_, made)| made).collect()
}

/// Groups similar items; every group has at least `guard` people. Empty when all items together have fewer.
pub(super) fn groups(
    population: &Population,
    items: &[ItemIx],
    guard: usize,
    seed: u64,
) -> Vec<(Vec<ItemIx>, Vec<f32>)> {
    let people = |items: &[ItemIx]| users_of(population, items).len();
    if people(items) < guard {
        return Vec::new();
    }
    let rows = population.vectors_of(items);
    let points: Vec<&[f32]> = rows.chunks_exact(population.dimensions()).collect();
    let clusters = k_means(&points, Vec::new(), (items.len() / MEAN_SIZE).max(1), seed);
    let mut grouped: Vec<(Vec<ItemIx>, Vec<f32>)> = clusters.centroids.into_iter().map(|c| (Vec::new(), c)).collect();
    for (item, cluster) in items.iter().zip(clusters.of) {
        grouped[cluster].0.push(*item);
    }
    let mut peopled: Vec<usize> = grouped.iter().map(|(items, _)| people(items)).collect();
    // Smallest first, so that small groups may grow together before they reach a large one.
    while let Some(small) =
        (0..grouped.len()).filter(|ix| peopled[*ix] < guard).min_by_key(|ix| (grouped[*ix].0.len(), *ix))
    {
        if grouped.len() == 1 {
            break;
        }
        let (items, centroid) = grouped.remove(small);
        peopled.remove(small);
        if items.is_empty() {
            continue;
        }
        let likeness = |other: &Vec<f32>| dot(&centroid, other);
        let Some(nearest) = (0..grouped.len())
            .max_by(|a, b| likeness(&grouped[*a].1).total_cmp(&likeness(&grouped[*b].1)).then(b.cmp(a)))
        else {
            break;
        };
        grouped[nearest].0.extend(items);
        grouped[nearest].0.sort_unstable();
        peopled[nearest] = people(&grouped[nearest].0);
        let mut mean = vec![0.0f32; population.dimensions()];
        for item in &grouped[nearest].0 {
            population.vector(*item).add_to(&mut mean);
        }
        normalise(&mut mean);
        grouped[nearest].1 = mean;
    }
    grouped
}

/// Distinct users of `items`, ascending.
fn users_of(population: &Population, items: &[ItemIx]) -> Vec<UserIx> {
    let mut users: Vec<UserIx> = items.iter().map(|item| population.user[*item]).collect();
    users.sort_unstable();
    users.dedup();
    users
}

fn entries(
    population: &Population,
    community: Option<CommunityIx>,
    groups: Vec<(Vec<ItemIx>, Vec<f32>)>,
    forming: Forming,
) -> Vec<Entry> {
    let Forming { period, guard, fading, .. } = forming;
    let whose = community.map_or("*".to_owned(), |community| community.to_string());
    let entry = |(number, (items, centroid)): (usize, (Vec<ItemIx>, Vec<f32>))| {
        let mut by_term: BTreeMap<TermId, Vec<UserIx>> = BTreeMap::new();
        for item in &items {
            for term in population.bag(*item).distinct() {
                by_term.entry(term).or_default().push(population.user[*item]);
            }
        }
        let mut words = Vec::new();
        for (term, mut users) in by_term {
            users.sort_unstable();
            users.dedup();
            if users.len() >= guard {
                words.push(Word { term, users });
            }
        }
        words.sort_by(|a, b| b.users.len().cmp(&a.users.len()).then(a.term.cmp(&b.term)));
        words.truncate(WORDS);
        let mut places: Vec<(TermId, usize)> = words.iter().enumerate().map(|(at, word)| (word.term, at)).collect();
        places.sort_unstable();
        let nothing = || Guarded { counts: vec![0.0; population.labels.len()], contributors: 0 };
        Entry {
            id: format!("p{}-c{whose}-{number}", period + 1),
            community,
            users: users_of(population, &items),
            centroid,
            words,
            places,
            last_seen: items.iter().map(|item| population.at[*item]).max().unwrap_or(Timestamp(0)),
            whole: given(population, &items, fading, None, guard).unwrap_or_else(nothing),
            items,
        }
    };
    groups.into_iter().enumerate().map(entry).collect()
}
