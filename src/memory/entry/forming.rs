//! How entries are formed: what the members of each group come to, summed once, on all cores.
//!
//! Invariant: what is formed does not depend on how many threads there are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{self, AtomicUsize};
use std::thread;

use super::columns::Columns;
use super::{Entries, Fading, IndexError, given, groups_of};
use crate::data::interaction::Timestamp;
use crate::memory::column::{Lists, Plain};
use crate::memory::finder::Finder;
use crate::memory::grouping::Grouping;
use crate::memory::guard::Guarded;
use crate::memory::lexical::TermId;
use crate::memory::population::{ItemIx, Population, UserIx};

/// Words kept per entry.
const WORDS: usize = 24;

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
    /// Up to this many entries, all are compared with a query, see [`Sizes`](crate::memory::sizes::Sizes).
    pub scanned: usize,
    /// Seed of the grouping.
    pub seed: u64,
}

/// Some entries, one after another, as they are formed.
#[derive(Default)]
struct Formed {
    items: Lists<u32>,
    users: Lists<u32>,
    words: Lists<TermId>,
    terms: Lists<TermId>,
    word_users: Lists<u32>,
    last_seen: Vec<Timestamp>,
    counts: Vec<f64>,
    counted: Vec<u32>,
}

impl Entries {
    /// Sums what was grouped, on all cores.
    pub fn over(population: &Population, grouping: Grouping, forming: Forming) -> Result<Self, IndexError> {
        let groups = groups_of(&grouping.sizes);
        let members = grouping.members();
        let formed = on_all_cores(groups.len(), |group| formed(population, &members, groups[group].1.clone(), forming));
        let mut all = Formed::default();
        formed.into_iter().for_each(|some| all.append(some));
        let alive = |counts: &[f64]| u8::from(counts.iter().sum::<f64>() > 0.0);
        let texts_with = |term: TermId| population.document_counts(term, forming.before).with_term as u32;
        let labels = population.labels.len();
        let mut columns = Columns {
            sizes: grouping.sizes.into(),
            of_item: grouping.of_item.into(),
            centroids: grouping.centroids.into(),
            texts_with: (0..population.lexicon.len() as TermId).map(texts_with).collect::<Vec<u32>>().into(),
            alive: match labels {
                0 => vec![0; all.counted.len()].into(),
                _ => all.counts.chunks_exact(labels).map(alive).collect::<Vec<u8>>().into(),
            },
            items: all.items,
            users: all.users,
            words: all.words,
            terms: all.terms,
            word_users: all.word_users,
            last_seen: all.last_seen.into(),
            counts: all.counts.into(),
            counted: all.counted.into(),
        };
        columns.items.settle();
        columns.users.settle();
        columns.words.settle();
        columns.terms.settle();
        columns.word_users.settle();
        let mut entries = Self::with(population, columns, forming, None);
        entries.finder = Finder::over(population, &entries, forming.scanned)?;
        Ok(entries)
    }
}

impl Formed {
    fn append(&mut self, other: Self) {
        fn all<T: Plain>(into: &mut Lists<T>, from: &Lists<T>) {
            from.iter().for_each(|list| into.push(list));
        }
        all(&mut self.items, &other.items);
        all(&mut self.users, &other.users);
        all(&mut self.words, &other.words);
        all(&mut self.terms, &other.terms);
        all(&mut self.word_users, &other.word_users);
        self.last_seen.extend(other.last_seen);
        self.counts.extend(other.counts);
        self.counted.extend(other.counted);
    }

    fn push(&mut self, population: &Population, items: &[ItemIx], forming: Forming) {
        let Forming { guard, fading, .. } = forming;
        let mut by_term: BTreeMap<TermId, Vec<UserIx>> = BTreeMap::new();
        for item in items {
            for term in population.bag(*item).distinct() {
                by_term.entry(term).or_default().push(population.user[*item]);
            }
        }
        let mut words: Vec<(TermId, Vec<UserIx>)> = Vec::new();
        for (term, mut users) in by_term {
            users.sort_unstable();
            users.dedup();
            if users.len() >= guard {
                words.push((term, users));
            }
        }
        words.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
        words.truncate(WORDS);
        let numbers = |users: &[usize]| users.iter().map(|user| *user as u32).collect::<Vec<u32>>();
        let mut terms: Vec<TermId> = words.iter().map(|(term, _)| *term).collect();
        self.words.push(&terms);
        terms.sort_unstable();
        self.terms.push(&terms);
        words.iter().for_each(|(_, users)| self.word_users.push(&numbers(users)));
        self.items.push(&numbers(items));
        self.users.push(&numbers(&users_of(population, items)));
        self.last_seen.push(items.iter().map(|item| population.at[*item]).max().unwrap_or(Timestamp(0)));
        let nothing = || Guarded { counts: vec![0.0; population.labels.len()], contributors: 0 };
        let whole = given(population, items.iter().copied(), fading, None, guard).unwrap_or_else(nothing);
        self.counts.extend(whole.counts);
        self.counted.push(whole.contributors as u32);
    }
}

/// The entries `range`, whose items are `members`.
fn formed(population: &Population, members: &[Vec<ItemIx>], range: Range<usize>, forming: Forming) -> Formed {
    let mut formed = Formed::default();
    members[range].iter().for_each(|items| formed.push(population, items, forming));
    formed
}

/// What `work` makes of each of `0..count`, in order.
pub(in crate::memory) fn on_all_cores<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(count);
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let ix = next.fetch_add(1, atomic::Ordering::Relaxed);
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

/// Distinct users of `items`, ascending.
pub(in crate::memory) fn users_of(population: &Population, items: &[ItemIx]) -> Vec<UserIx> {
    let mut users: Vec<UserIx> = items.iter().map(|item| population.user[*item]).collect();
    users.sort_unstable();
    users.dedup();
    users
}
