//! Local memory: what is kept about one person. Exact: every visible item is scored.
//!
//! Invariant: a read at `t` depends on interactions strictly before `t` only, document frequencies included.

use super::embed::{Embedder, dot};
use super::features::{FeatureIx, Features, Sought, Weighting};
use super::fusion::{LocalTerms, Similarity, age_factor};
use super::lexical::{Bag, DocumentCounts, SATURATION_BOUND, TermId, saturation, shrunk_idf};
use super::population::{ItemIx, LabelIx, Population};
use super::profile::Profile;
use crate::data::dataset::{AgeUnit, Lexical, Retrieval};
use crate::data::interaction::Timestamp;

/// A query's words and vector, made once and used by both memories.
pub struct Probe {
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
            bag: population.bags[item].clone(),
            unknown: 0,
            vector: population.vector(item).to_vec(),
            features: features.of_item(item).to_vec(),
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
        Self { bag: Bag::of(known), unknown: unknown.len(), vector, features: features.find(text) }
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
}

impl LocalHit {
    /// r = y − m_G: how far the person departed from the crowd there; `steps` are the scores behind the labels.
    pub fn residual(&self, steps: &[f64]) -> Option<f64> {
        Some(steps.get(self.label)? - self.crowd?)
    }
}

/// What local memory says about a query.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalRead {
    /// All visible items, best first. The first `shown` are displayed and put into a prompt; all of them vote.
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

/// Scores every item of `visible`, one person's in time order, against the query's text.
pub fn read(
    population: &Population,
    settings: &Retrieval,
    visible: &[ItemIx],
    probe: &Probe,
    compared: Compared,
    t: Timestamp,
) -> LocalRead {
    let QueryWords { words, unseen } = query_words(population, settings, visible, probe, t);
    // A word nobody used before t is as rare as a word can be.
    let nothing = DocumentCounts { with_term: 0, total: visible.len() };
    let rarest = shrunk_idf(nothing, DocumentCounts::default(), settings.idf_prior);
    let ideal = (words.iter().map(|(_, idf)| idf).sum::<f64>() + unseen as f64 * rarest) * SATURATION_BOUND;
    let total_length: u32 = visible.iter().map(|item| population.bags[*item].length).sum();
    let mean_length = f64::from(total_length) / visible.len().max(1) as f64;

    let likeness = |item: ItemIx| {
        let bag = &population.bags[item];
        let bm25 = || -> f64 {
            words.iter().map(|(term, idf)| idf * saturation(bag.frequency(*term), bag.length, mean_length)).sum()
        };
        let lexical = match settings.lexical {
            Lexical::Cosine => compared.sought.cosine(compared.features, compared.weighting, item),
            Lexical::Bm25 if ideal > 0.0 => bm25() / ideal,
            Lexical::Bm25 => 0.0,
        };
        let cosine = f64::from(dot(&probe.vector, population.vector(item)));
        (Similarity::combine(lexical, cosine, settings.lexical_share), cosine)
    };
    gather(population, settings, visible, t, likeness)
}

/// Scores every item of `visible` by its likeness to the query, and its raw cosine where there is one.
pub fn gather(
    population: &Population,
    settings: &Retrieval,
    visible: &[ItemIx],
    t: Timestamp,
    likeness: impl Fn(ItemIx) -> (Similarity, f64),
) -> LocalRead {
    let score = |(place, &item): (usize, &ItemIx)| {
        let (similarity, cosine) = likeness(item);
        let age_days = t.days_since(population.at[item]);
        let factor = age_factor(age_days, settings.recency_half_life, settings.recency_floor);
        LocalHit {
            item,
            label: population.label[item],
            terms: LocalTerms::new(similarity, factor),
            cosine,
            age_days,
            recency_rank: visible.len() - 1 - place,
            crowd: None,
        }
    };
    let mut hits: Vec<LocalHit> = visible.iter().enumerate().map(score).collect();
    // Best first; among equals the newer one, then time order, so that the order is total.
    hits.sort_by(|a, b| b.terms.score().total_cmp(&a.terms.score()).then(b.item.cmp(&a.item)));
    let profile = Profile::of(population.labels.len(), hits.iter().map(|hit| (hit.label, hit.age_days)));
    LocalRead { shown: settings.local_hits.min(hits.len()), hits, profile, novelty: 0.0, age_unit: AgeUnit::Days }
}

/// The query's distinct words as of a moment, for one person.
struct QueryWords {
    /// Words that somebody used before, with their idf.
    words: Vec<(TermId, f64)>,
    /// Words that nobody used before: whether a later text holds them must make no difference.
    unseen: usize,
}

fn query_words(
    population: &Population,
    settings: &Retrieval,
    visible: &[ItemIx],
    probe: &Probe,
    t: Timestamp,
) -> QueryWords {
    let before = population.before(t);
    let mut found = QueryWords { words: Vec::new(), unseen: probe.unknown };
    for term in probe.bag.distinct() {
        let all = population.document_counts(term, before);
        if all.with_term == 0 {
            found.unseen += 1;
            continue;
        }
        let with_term = visible.iter().filter(|item| population.bags[**item].frequency(term) > 0).count();
        let own = DocumentCounts { with_term, total: visible.len() };
        let others = DocumentCounts { with_term: all.with_term - with_term, total: all.total - visible.len() };
        found.words.push((term, shrunk_idf(own, others, settings.idf_prior)));
    }
    found
}
