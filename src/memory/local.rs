//! Local memory: what is kept about one person. Exact: every visible item is scored.
//!
//! Invariant: a read at `t` depends on interactions strictly before `t` only, document frequencies included.

use std::cmp::Ordering;

use super::choice::choose;
use super::embed::Embedder;
use super::features::{FeatureIx, Features, Sought, Weighting};
use super::fusion::{LocalTerms, Similarity, age_factor, similarities};
use super::held::Own;
use super::lexical::Bag;
use super::matching::Matching;
use super::population::{ItemIx, LabelIx, Population};
use super::profile::Profile;
use crate::data::dataset::{AgeUnit, Fusion, Lexical, Retrieval};
use crate::data::interaction::Timestamp;

/// A query's words and vector, made once and used by both memories.
pub struct Probe {
    /// The query itself.
    pub text: String,
    /// Known words of the query with their frequencies.
    pub bag: Bag,
    /// Distinct query words that no visible or future text holds; they match nothing but count in the ideal score.
    pub unknown: usize,
    /// Unit vector.
    pub vector: Vec<f32>,
    /// Known words and word pairs with their tf.
    pub features: Vec<(FeatureIx, f32)>,
}

impl Probe {
    /// A remembered text, asked again.
    pub fn of_item(population: &Population, features: &Features, item: ItemIx) -> Self {
        Self {
            text: population.text[item].to_owned(),
            bag: population.bag(item).into(),
            unknown: 0,
            vector: population.vector(item).to_vec(),
            features: features.of_item(item).collect(),
        }
    }

    /// Reads `text` with the population's words.
    pub fn new(text: &str, population: &Population, features: &Features, embedder: &dyn Embedder) -> Self {
        let mut vector = vec![0.0; embedder.dimensions()];
        embedder.embed(text, &mut vector);
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for word in super::lexical::words(text) {
            match population.lexicon.id(&word) {
                Some(term) => known.push(term),
                None => unknown.push(word),
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        Self {
            text: text.to_owned(),
            bag: Bag::of(known),
            unknown: unknown.len(),
            vector,
            features: features.find(text),
        }
    }
}

/// A remembered item with its likeness to the query.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalHit {
    /// Which interaction.
    pub item: ItemIx,
    /// What the person answered.
    pub label: LabelIx,
    /// The score's parts.
    pub terms: LocalTerms,
    /// Raw cosine of query and item.
    pub cosine: f64,
    /// Days before the query.
    pub age_days: f64,
    /// Place among the person's own items, 0 the newest.
    pub recency_rank: usize,
    /// What others think of the same thing, m_G as of the query: only of ratings.
    pub crowd: Option<f64>,
    /// ln words of what the person wrote: only of texts.
    pub length: Option<f64>,
}

impl LocalHit {
    /// r = y − m_G: how far the person departed from the crowd there; `steps` are the scores behind the labels.
    pub fn residual(&self, steps: &[f64]) -> Option<f64> {
        Some(steps.get(self.label)? - self.crowd?)
    }
}

impl LocalHit {
    /// Best first; among equals the newer one, so that the order is total.
    pub fn order(&self, other: &Self) -> Ordering {
        other.terms.score().total_cmp(&self.terms.score()).then(other.item.cmp(&self.item))
    }

    /// Whether this one stands before the other by score.
    pub fn is_before(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Less
    }
}

/// What local memory says about a query.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalRead {
    /// All visible items. The first `shown` are displayed and put into a prompt, in the order of their choice (see
    /// [`super::choice`]); the others follow, best first. All of them vote.
    pub hits: Vec<LocalHit>,
    /// How many of the hits are displayed.
    pub shown: usize,
    /// The person's response habits.
    pub profile: Profile,
    /// ν in [0, 1]: how unlike all these the query is, see [`super::novelty`].
    pub novelty: f64,
    /// What a memory's age is counted in.
    pub age_unit: AgeUnit,
}

impl LocalRead {
    /// s_max: likeness of the nearest item to the query, in [0, 1]; `None` without items.
    pub fn nearest(&self) -> Option<f64> {
        self.hits.iter().map(|hit| hit.terms.similarity()).max_by(f64::total_cmp)
    }

    /// The displayed hits.
    pub fn shown(&self) -> &[LocalHit] {
        &self.hits[..self.shown]
    }

    /// How many items the person has before the query.
    pub fn visible(&self) -> usize {
        self.hits.len()
    }
}

/// The query's tf-idf vector as of a moment, with what it is compared with.
#[derive(Clone, Copy)]
pub struct Compared<'a> {
    /// The features of all texts.
    pub features: &'a Features,
    /// Their weights.
    pub weighting: &'a Weighting,
    /// The query's.
    pub sought: &'a Sought,
}

/// How like the query each visible item is, by words and by raw cosine, before they are fused.
pub(super) fn likeness(
    population: &Population,
    settings: &Retrieval,
    visible: &[ItemIx],
    probe: &Probe,
    compared: Compared,
    t: Timestamp,
) -> Vec<(f64, f64)> {
    let cosine = |item: &ItemIx| population.vector(*item).cosine(&probe.vector);
    match settings.lexical {
        Lexical::Bm25 => {
            let matching = Matching::new(population, settings, visible, probe, t);
            visible.iter().enumerate().map(|(place, item)| (matching.score(place), cosine(item))).collect()
        }
        Lexical::Cosine => {
            let words = |item| compared.sought.cosine(compared.features, compared.weighting, item);
            visible.iter().map(|item| (words(*item), cosine(item))).collect()
        }
    }
}

/// Scores each of one person's `own` items against the query's text.
pub fn read(
    population: &Population,
    settings: &Retrieval,
    own: Own,
    probe: &Probe,
    compared: Compared,
    t: Timestamp,
) -> LocalRead {
    let found = likeness(population, settings, own.items, probe, compared, t);
    let fused = similarities(settings, &found).into_iter().zip(found.iter().map(|(_, cosine)| *cosine)).collect();
    gather(population, settings, own, t, fused)
}

/// Makes hits of `own` items from the likeness of each to the query, and its raw cosine where there is one.
pub fn gather(
    population: &Population,
    settings: &Retrieval,
    own: Own,
    t: Timestamp,
    likeness: Vec<(Similarity, f64)>,
) -> LocalRead {
    let hit = |(place, (similarity, cosine)): (usize, (Similarity, f64))| {
        let item = own.items[place];
        let age_days = t.days_since(own.at(population, place));
        let factor = age_factor(age_days, settings.recency_half_life, settings.recency_floor);
        let terms = match settings.fusion {
            Fusion::Recency => LocalTerms::of_age(factor),
            _ => LocalTerms::new(similarity, factor),
        };
        let recency_rank = own.items.len() - 1 - place;
        LocalHit {
            item,
            label: population.label[item],
            terms,
            cosine,
            age_days,
            recency_rank,
            crowd: None,
            length: None,
        }
    };
    let mut hits: Vec<LocalHit> = likeness.into_iter().enumerate().map(hit).collect();
    hits.sort_by(LocalHit::order);
    let profile = Profile::of(population.labels.len(), hits.iter().map(|hit| (hit.label, hit.age_days)));
    let shown = choose(population, settings, &mut hits);
    LocalRead { shown, hits, profile, novelty: 0.0, age_unit: AgeUnit::Days }
}
