//! The interactions of a dataset as columns: interned users, labels and words, one vector a text.
//!
//! Invariant: items are in `(at, id)` order, so "strictly before t" is a prefix; every number here is an index into
//! that order. Users are numbered in order of identity. What a person's memory is read from lies together: words and
//! vectors are kept in rows by `(user, at, id)`, those of items that were added later behind them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::column::{Column, Grouped, Kinds, Lists, Rows, Slab, Strings, Unit, Vectors};
use super::embed::{self, Embedder};
use super::lexical::{Bag, BagRef, DocumentCounts, Lexicon, TermCount, TermId, words};
use super::okapi::Spoken;
use crate::data::dataset::Dataset;
use crate::data::form::Places;
use crate::data::interaction::{Interaction, Timestamp, UserId};

/// People whose numbered words are kept, some 70 kB each: then all are let go.
const SPEAKERS: usize = 1024;

/// Index of an item in time order.
pub type ItemIx = usize;
/// Index of a user.
pub type UserIx = usize;
/// Index into the task's labels.
pub type LabelIx = usize;

/// Interactions as columns.
pub struct Population {
    /// The task's labels.
    pub labels: Vec<String>,
    /// Users in order of identity.
    pub users: Vec<UserId>,
    /// When, ascending.
    pub at: Column<Timestamp>,
    /// Who.
    pub user: Column<UserIx>,
    /// What was answered.
    pub label: Column<LabelIx>,
    /// Identity.
    pub id: Strings,
    /// What was asked.
    pub text: Strings,
    /// All words.
    pub lexicon: Lexicon,
    /// Items of each user, ascending.
    pub items_of: Grouped,
    /// Row of each item that was there from the start; a later item's row has its number.
    pub(super) rows: Slab<u32>,
    /// By row.
    pub(super) bags: Lists<TermCount>,
    /// By row.
    pub(super) vectors: Vectors,
    /// Items that hold each word, ascending.
    pub(super) postings: Lists<u32>,
    /// The same of items that were added later.
    added_postings: HashMap<TermId, Vec<ItemIx>>,
    /// Items by the hash of their identity.
    pub(super) ids: Ids,
    added_ids: HashMap<String, ItemIx>,
    /// Of people who were read with BM25 as `rank_bm25` has it.
    spoken: Mutex<HashMap<UserIx, Arc<Spoken>>>,
}

/// Items in order of their identities' hashes.
#[derive(Default)]
pub(super) struct Ids {
    pub(super) hashes: Slab<u64>,
    pub(super) items: Slab<u32>,
}

/// An item that cannot be added to what is there, since it does not follow all others in `(at, id)`: memory has to be
/// built anew with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late;

/// Columns as they were written.
pub(super) struct Parts {
    pub users: Vec<UserId>,
    pub at: Slab<Timestamp>,
    pub user: Slab<UserIx>,
    pub label: Slab<LabelIx>,
    pub id: Strings,
    pub text: Strings,
    pub lexicon: Lexicon,
    pub items_of: Lists<ItemIx>,
    pub bags: Lists<TermCount>,
    pub postings: Lists<u32>,
    pub rows: Slab<u32>,
    pub ids: Ids,
}

/// Told the stage, how much of it is done, and of how much; an error stops the work.
pub type Report<'a, E> = dyn FnMut(&'static str, usize, usize) -> Result<(), E> + 'a;

/// Reports after every so many items.
const REPORTED: usize = 1 << 14;

impl Population {
    /// Reads the columns of `dataset`.
    pub fn new(dataset: &Dataset, embedder: &dyn Embedder) -> Self {
        let go_on: &mut Report<Infallible> = &mut |_, _, _| Ok(());
        let Ok(parts) = Parts::of(dataset, go_on);
        let mut all = Rows::default();
        let Ok(()) = embed_rows(dataset, parts.items_of.base().1, embedder, go_on, |mut rows| {
            all.places.append(&mut rows.places);
            all.counts.append(&mut rows.counts);
            all.exact.append(&mut rows.exact);
            Ok(())
        });
        let vectors = Vectors::new(embedder.dimensions(), all.places.into(), all.counts.into(), all.exact.into());
        Self::from_parts(dataset.manifest.responses(), parts, vectors)
    }

    pub(super) fn from_parts(labels: Vec<String>, parts: Parts, vectors: Vectors) -> Self {
        Self {
            labels,
            users: parts.users,
            at: parts.at.into(),
            user: parts.user.into(),
            label: parts.label.into(),
            id: parts.id,
            text: parts.text,
            lexicon: parts.lexicon,
            items_of: Grouped::new(parts.items_of),
            rows: parts.rows,
            bags: parts.bags,
            vectors,
            postings: parts.postings,
            added_postings: HashMap::new(),
            ids: parts.ids,
            added_ids: HashMap::new(),
            spoken: Mutex::default(),
        }
    }

    /// Adds items that follow all others, ascending by `(at, id)`; `places` says where responses stand among the labels.
    /// Says where each user's number went if new people moved them.
    pub(super) fn extend(
        &mut self,
        interactions: &[&Interaction],
        places: &Places,
        embedder: &dyn Embedder,
    ) -> Result<Option<Vec<UserIx>>, Late> {
        let last = self.at.last().map(|at| (*at, &self.id[self.len() - 1]));
        let keys = last.into_iter().chain(interactions.iter().map(|i| (i.at, i.id.as_str())));
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(Late);
        }
        // Numbers of people may move, and their texts become more.
        self.spoken.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        let moved = self.welcome(interactions.iter().map(|i| &i.user));
        for interaction in interactions {
            let item = self.len();
            // As in [`Parts::of`]: who adds has a response that fits and has just been made known.
            let label = places.of(&interaction.response).unwrap_or_default();
            let user = self.user_ix(&interaction.user).unwrap_or_default();
            let bag = Bag::of(words(&interaction.query).map(|word| self.lexicon.intern(word)).collect());
            for term in bag.distinct() {
                self.added_postings.entry(term).or_default().push(item);
            }
            let mut vector = vec![0.0; self.dimensions()];
            embedder.embed(&interaction.query, &mut vector);
            self.vectors.push(&vector);
            self.items_of.push(user, item);
            self.added_ids.insert(interaction.id.clone(), item);
            self.at.push(interaction.at);
            self.user.push(user);
            self.label.push(label);
            self.id.push(&interaction.id);
            self.text.push(&interaction.query);
            self.bags.push(bag.view().0);
        }
        Ok(moved)
    }

    /// Gives new people their numbers. They may lie between those of others: then says where each old number went.
    fn welcome<'a>(&mut self, people: impl Iterator<Item = &'a UserId>) -> Option<Vec<UserIx>> {
        let new: BTreeSet<&UserId> = people.filter(|user| self.user_ix(user).is_none()).collect();
        if new.is_empty() {
            return None;
        }
        let old = std::mem::take(&mut self.users);
        self.users = old.iter().chain(new).cloned().collect();
        self.users.sort();
        let places: Vec<UserIx> = old.iter().map(|user| self.user_ix(user).unwrap_or_default()).collect();
        self.items_of.spread(&places, self.users.len());
        self.user = self.user.iter().map(|user| places[*user]).collect::<Vec<_>>().into();
        Some(places)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// The index of a user, if known.
    pub fn user_ix(&self, user: &UserId) -> Option<UserIx> {
        self.users.binary_search(user).ok()
    }

    /// The item with this identity.
    pub fn item_ix(&self, id: &str) -> Option<ItemIx> {
        let hash = embed::hash(id);
        let first = self.ids.hashes.partition_point(|other| *other < hash);
        let alike = self.ids.hashes[first..].iter().take_while(|other| **other == hash).count();
        let mut candidates = self.ids.items[first..first + alike].iter().map(|item| *item as ItemIx);
        candidates.find(|item| self.id[*item] == *id).or_else(|| self.added_ids.get(id).copied())
    }

    /// How many items lie strictly before `t`: they are `0..before(t)`.
    pub fn before(&self, t: Timestamp) -> usize {
        self.at.partition_point(|at| *at < t)
    }

    /// A user's items strictly before `t`, ascending.
    pub fn visible(&self, user: Option<UserIx>, t: Timestamp) -> &[ItemIx] {
        let items = user.map_or(&[][..], |user| &self.items_of[user]);
        &items[..items.partition_point(|item| self.at[*item] < t)]
    }

    /// Words whose first texts are those of `visible`, items of one person. Where these are the person's first ones, it is
    /// everything they ever said, numbered when it is read for the first time.
    pub fn spoken(&self, visible: &[ItemIx]) -> Arc<Spoken> {
        let Some(first) = visible.first() else { return Arc::default() };
        let user = self.user[*first];
        if !self.items_of[user].starts_with(visible) {
            return Arc::new(Spoken::new(visible.iter().map(|item| &self.text[*item])));
        }
        let kept = || self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spoken) = kept().get(&user) {
            return Arc::clone(spoken);
        }
        let spoken = Arc::new(Spoken::new(self.items_of[user].iter().map(|item| &self.text[*item])));
        let mut kept = kept();
        if kept.len() >= SPEAKERS {
            kept.clear();
        }
        kept.insert(user, Arc::clone(&spoken));
        spoken
    }

    /// The words of an item's text.
    pub fn bag(&self, item: ItemIx) -> BagRef<'_> {
        BagRef(&self.bags[self.row(item)])
    }

    /// The unit vector of an item's text.
    pub fn vector(&self, item: ItemIx) -> Unit<'_> {
        self.vectors.row(self.row(item))
    }

    /// The unit vectors of items, laid end to end.
    pub fn vectors_of(&self, items: &[ItemIx]) -> Vec<f32> {
        let mut rows = vec![0.0; items.len() * self.dimensions()];
        let each = rows.chunks_exact_mut(self.dimensions());
        items.iter().zip(each).for_each(|(item, row)| self.vector(*item).write(row));
        rows
    }

    /// Width of a vector.
    pub fn dimensions(&self) -> usize {
        self.vectors.width()
    }

    /// How many of the first `before` items hold `term`.
    pub fn document_counts(&self, term: TermId, before: usize) -> DocumentCounts {
        let known = term as usize;
        let first = if known < self.postings.len() {
            self.postings[known].partition_point(|item| (*item as ItemIx) < before)
        } else {
            0
        };
        let added = self.added_postings.get(&term);
        let later = added.map_or(0, |items| items.partition_point(|item| *item < before));
        DocumentCounts { with_term: first + later, total: before }
    }

    /// Whether at least `guard` people besides `except` said `term` among the first `before` items.
    pub fn many_said(&self, term: TermId, before: usize, except: Option<UserIx>, guard: usize) -> bool {
        let known = term as usize;
        let first = if known < self.postings.len() { &self.postings[known] } else { &[] };
        let added = self.added_postings.get(&term).into_iter().flatten().copied();
        let items = first.iter().map(|item| *item as ItemIx).chain(added).take_while(|item| *item < before);
        let mut people = HashSet::new();
        let mut others = items.map(|item| self.user[item]).filter(|user| Some(*user) != except);
        guard == 0 || others.any(|user| people.insert(user) && people.len() == guard)
    }

    fn row(&self, item: ItemIx) -> usize {
        if item < self.rows.len() { self.rows[item] as usize } else { item }
    }
}

impl Parts {
    /// The columns of `dataset`.
    pub(super) fn of<E>(dataset: &Dataset, report: &mut Report<E>) -> Result<Self, E> {
        let interactions = &dataset.interactions;
        let n = interactions.len();
        let places = dataset.manifest.places();
        let users: Vec<UserId> = dataset.users().into_iter().collect();
        let user_ix: HashMap<&UserId, UserIx> = users.iter().enumerate().map(|(ix, user)| (user, ix)).collect();
        // A dataset holds only responses that have a place, and only users that it lists.
        let label = interactions.iter().map(|i| places.of(&i.response).unwrap_or_default());
        let user: Vec<UserIx> =
            interactions.iter().map(|i| user_ix.get(&i.user).copied().unwrap_or_default()).collect();
        let items_of = grouped(users.len(), user.iter().copied().enumerate());
        let mut rows = vec![0u32; n];
        for (row, item) in items_of.1.iter().enumerate() {
            rows[*item] = row as u32;
        }

        let mut lexicon = Lexicon::default();
        let (mut counts, mut ends) = (Vec::new(), Vec::with_capacity(n));
        for (item, interaction) in interactions.iter().enumerate() {
            if item % REPORTED == 0 {
                report("counting words", item, n)?;
            }
            let bag = Bag::of(words(&interaction.query).map(|word| lexicon.intern(word)).collect());
            counts.extend_from_slice(bag.view().0);
            ends.push(counts.len());
        }
        let bag = |item: usize| {
            let start = if item == 0 { 0 } else { ends[item - 1] };
            &counts[start..ends[item]]
        };
        let terms = (0..n).flat_map(|item| bag(item).iter().map(move |counted| (item as u32, counted.term as usize)));
        let postings = grouped(lexicon.len(), terms);
        let (mut row_counts, mut row_ends) = (Vec::with_capacity(counts.len()), Vec::with_capacity(n));
        for item in &items_of.1 {
            row_counts.extend_from_slice(bag(*item));
            row_ends.push(row_counts.len());
        }

        let mut ids: Vec<(u64, u32)> =
            interactions.iter().enumerate().map(|(item, i)| (embed::hash(&i.id), item as u32)).collect();
        ids.sort_unstable();
        let (hashes, items): (Vec<u64>, Vec<u32>) = ids.into_iter().unzip();
        Ok(Self {
            at: interactions.iter().map(|i| i.at).collect::<Vec<_>>().into(),
            label: label.collect::<Vec<_>>().into(),
            user: user.into(),
            id: interactions.iter().map(|i| &i.id).collect(),
            text: interactions.iter().map(|i| &i.query).collect(),
            users,
            lexicon,
            items_of: Lists::new(items_of.0.into(), items_of.1.into()),
            bags: Lists::new(row_ends.into(), row_counts.into()),
            postings: Lists::new(postings.0.into(), postings.1.into()),
            rows: rows.into(),
            ids: Ids { hashes: hashes.into(), items: items.into() },
        })
    }
}

/// Sorts `(value, group)` pairs by group, keeping their order within one: ends and values of the lists.
fn grouped<V: Copy + Default>(groups: usize, pairs: impl Iterator<Item = (V, usize)> + Clone) -> (Vec<usize>, Vec<V>) {
    let mut next = vec![0usize; groups];
    pairs.clone().for_each(|(_, group)| next[group] += 1);
    let mut end = 0;
    for place in &mut next {
        let start = end;
        end += *place;
        *place = start;
    }
    let mut values = vec![V::default(); end];
    for (value, group) in pairs {
        values[next[group]] = value;
        next[group] += 1;
    }
    // Each list has been filled to its end.
    (next, values)
}

/// Hands the vectors of `items` in this order to `take`, some rows at a time, made on all cores.
pub(super) fn embed_rows<E>(
    dataset: &Dataset,
    items: &[ItemIx],
    embedder: &dyn Embedder,
    report: &mut Report<E>,
    mut take: impl FnMut(Rows) -> Result<(), E>,
) -> Result<(), E> {
    let width = embedder.dimensions();
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut before = Kinds::default();
    let embed = |items: &[ItemIx]| {
        let (mut rows, mut vector) = (Rows::default(), vec![0.0f32; width]);
        for item in items {
            embedder.embed(&dataset.interactions[*item].query, &mut vector);
            rows.push(&vector);
        }
        rows
    };
    for (batch, items_of_batch) in items.chunks(REPORTED).enumerate() {
        report("making vectors", batch * REPORTED, items.len())?;
        // A thread costs as much as some dozen texts.
        let share = items_of_batch.len().div_ceil(cores).max(256);
        let made: Vec<Rows> = thread::scope(|scope| {
            let mut shares = items_of_batch.chunks(share);
            let own = shares.next();
            let others: Vec<_> = shares.map(|items| scope.spawn(|| embed(items))).collect();
            let own = own.map(embed);
            let others = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            own.into_iter().chain(others).collect()
        });
        for mut rows in made {
            before.shift(&mut rows, width);
            take(rows)?;
        }
    }
    Ok(())
}
