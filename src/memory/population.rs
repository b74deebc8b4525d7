//! The interactions of a dataset as columns: interned users, labels and words, one vector a text.
//!
//! Invariant: items are in `(at, id)` order, so "strictly before t" is a prefix; every number here is an index into
//! that order.

use std::collections::HashMap;

use super::embed::Embedder;
use super::lexical::{Bag, DocumentCounts, Lexicon, TermId, words};
use crate::data::dataset::Dataset;
use crate::data::interaction::{Timestamp, UserId};

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
    pub at: Vec<Timestamp>,
    /// Who.
    pub user: Vec<UserIx>,
    /// What was answered.
    pub label: Vec<LabelIx>,
    /// Identity.
    pub id: Vec<String>,
    /// What was asked.
    pub text: Vec<String>,
    /// Words of each text.
    pub bags: Vec<Bag>,
    /// All words.
    pub lexicon: Lexicon,
    /// Items of each user, ascending.
    pub items_of: Vec<Vec<ItemIx>>,
    by_name: HashMap<UserId, UserIx>,
    by_id: HashMap<String, ItemIx>,
    postings: Vec<Vec<ItemIx>>,
    vectors: Vec<f32>,
    dimensions: usize,
}

impl Population {
    /// Reads the columns of `dataset`.
    pub fn new(dataset: &Dataset, embedder: &dyn Embedder) -> Self {
        let labels = dataset.manifest.responses();
        let label_ix: HashMap<&str, LabelIx> =
            labels.iter().enumerate().map(|(ix, label)| (label.as_str(), ix)).collect();
        let users: Vec<UserId> = dataset.users().into_iter().collect();
        let by_name: HashMap<UserId, UserIx> = users.iter().cloned().enumerate().map(|(ix, user)| (user, ix)).collect();
        let n = dataset.interactions.len();
        let dimensions = embedder.dimensions();
        let mut population = Self {
            users,
            at: Vec::with_capacity(n),
            user: Vec::with_capacity(n),
            label: Vec::with_capacity(n),
            id: Vec::with_capacity(n),
            text: Vec::with_capacity(n),
            bags: Vec::with_capacity(n),
            lexicon: Lexicon::default(),
            items_of: vec![Vec::new(); by_name.len()],
            by_id: HashMap::with_capacity(n),
            postings: Vec::new(),
            vectors: vec![0.0; n * dimensions],
            dimensions,
            by_name,
            labels: Vec::new(),
        };
        for (item, interaction) in dataset.interactions.iter().enumerate() {
            // A dataset holds only responses that are labels, and only users that it lists.
            let label = label_ix.get(interaction.response.as_str()).copied().unwrap_or_default();
            let user = population.by_name.get(&interaction.user).copied().unwrap_or_default();
            let terms = words(&interaction.query).map(|word| population.lexicon.intern(word)).collect();
            let bag = Bag::of(terms);
            population.postings.resize(population.lexicon.len(), Vec::new());
            for term in bag.distinct() {
                population.postings[term as usize].push(item);
            }
            embedder.embed(&interaction.query, &mut population.vectors[item * dimensions..(item + 1) * dimensions]);
            population.items_of[user].push(item);
            population.by_id.insert(interaction.id.clone(), item);
            population.at.push(interaction.at);
            population.user.push(user);
            population.label.push(label);
            population.id.push(interaction.id.clone());
            population.text.push(interaction.query.clone());
            population.bags.push(bag);
        }
        population.labels = labels;
        population
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
        self.by_name.get(user).copied()
    }

    /// The item with this identity.
    pub fn item_ix(&self, id: &str) -> Option<ItemIx> {
        self.by_id.get(id).copied()
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

    /// The unit vector of an item's text.
    pub fn vector(&self, item: ItemIx) -> &[f32] {
        &self.vectors[item * self.dimensions..(item + 1) * self.dimensions]
    }

    /// Width of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// How many of the first `before` items hold `term`.
    pub fn document_counts(&self, term: TermId, before: usize) -> DocumentCounts {
        let with_term =
            self.postings.get(term as usize).map_or(0, |items| items.partition_point(|item| *item < before));
        DocumentCounts { with_term, total: before }
    }
}
