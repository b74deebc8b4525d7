//! Memory of a rating task: how a person departs from the crowd, and what the crowd thinks of the thing asked about.
//!
//! Local memory is the person's own ratings, each with the crowd's mean of its thing as of the query's moment: the
//! residual r = y − m_G says how they departed there. Global memory is the crowd's opinion of the very thing, see
//! [`super::crowd`]; communities and entries of similar texts are not read.
//!
//! Invariants: everything is as of the query's moment and without the asking person; below the guard an opinion backs off
//! to what is given to everything.

use std::collections::HashMap;
use std::sync::Arc;

use super::attributes::{Attributes, Traits};
use super::base::BaseRates;
use super::collective::Parts;
use super::crowd::{Crowd, Hearing, Opinion, ThingIx};
use super::fusion::{EntryTerms, Similarity};
use super::global::{GlobalHit, GlobalRead};
use super::local::LocalRead;
use super::population::{ItemIx, Population, UserIx};
use crate::data::dataset::{ATTRIBUTE_WIDTH, Dataset, Manifest};
use crate::data::interaction::{Extra, Timestamp};

/// What a question is about, where whoever asks knows more than its text.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The thing's identity.
    pub item: Option<&'a str>,
    /// The record's other fields, attributes among them.
    pub extra: &'a Extra,
}

/// A thing with its attributes.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// `None` for a thing that nobody rated.
    thing: Option<ThingIx>,
    traits: Traits,
}

/// The scale of a read, and the crowd's mean on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The scores behind the labels, ascending.
    pub steps: Arc<[f64]>,
    /// m_G of the thing asked about: the mean of p_G.
    pub crowd: f64,
}

/// Ratings by thing with the things' attributes.
pub struct Ratings {
    attributes: Attributes,
    crowd: Crowd,
    steps: Arc<[f64]>,
    /// The first item of each text.
    texts: HashMap<String, ItemIx>,
    /// What judged queries are about: they hold nobody's rating, so they are known at any time.
    asked: HashMap<String, Subject>,
}

impl Ratings {
    /// Reads a rating task; `None` for any other.
    pub fn of(dataset: &Dataset, population: &Population) -> Option<Self> {
        let steps = dataset.manifest.scale?.values();
        let attributes = Attributes::of(dataset.interactions.iter().map(|i| &i.extra));
        // A thing without identity is its text.
        let names = dataset.interactions.iter().map(|i| i.item.as_deref().unwrap_or(&i.query));
        let crowd = Crowd::of(population, steps.clone(), names);
        let mut texts = HashMap::new();
        for (item, interaction) in dataset.interactions.iter().enumerate() {
            if !texts.contains_key(&interaction.query) {
                texts.insert(interaction.query.clone(), item);
            }
        }
        let mut ratings = Self { attributes, crowd, steps: steps.into(), texts, asked: HashMap::new() };
        for query in &dataset.queries {
            let about = About { item: query.item.as_deref(), extra: &query.extra };
            let subject = ratings.subject_of(&query.query, about);
            ratings.asked.insert(query.query.clone(), subject);
        }
        Some(ratings)
    }

    /// The subject of a question whose record is at hand.
    pub fn subject_of(&self, text: &str, about: About) -> Subject {
        Subject { thing: self.crowd.named(about.item.unwrap_or(text)), traits: self.attributes.find(about.extra) }
    }

    /// The subject of a typed question: the thing that was called so before `before`, by its text or its identity, or in a
    /// judged query.
    pub fn subject(&self, text: &str, before: ItemIx) -> Subject {
        if let Some(subject) = self.asked.get(text) {
            return subject.clone();
        }
        let identified = || self.crowd.first_of(self.crowd.named(text)?);
        match self.texts.get(text).copied().or_else(identified) {
            Some(item) if item < before => {
                Subject { thing: Some(self.crowd.thing_of(item)), traits: self.attributes.of_item(item).clone() }
            }
            _ => Subject::default(),
        }
    }

    /// The attributes of every item.
    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Everyone's ratings by thing.
    pub(super) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// Whether a question in these very words is known from an item or a judged query.
    pub(super) fn knows(&self, text: &str) -> bool {
        self.texts.contains_key(text) || self.asked.contains_key(text)
    }

    /// Likeness of an item to what is asked about.
    pub fn similarity(&self, manifest: &Manifest, subject: &Subject, item: ItemIx) -> Similarity {
        let width = manifest.retrieval.attribute_width.unwrap_or(ATTRIBUTE_WIDTH);
        Similarity::of_attributes(self.attributes.likeness(&subject.traits, item, width))
    }

    /// Hears the crowd about `subject` and about everything in `local`, which learns what it departs from.
    pub fn read(
        &self,
        population: &Population,
        base: &BaseRates,
        guard: usize,
        asked: Asked,
        local: &mut LocalRead,
    ) -> (GlobalRead, Scored) {
        let Asked { asking, subject, t } = asked;
        let base = base.read(population, asking, t);
        let mean = mean(&base, &self.steps);
        let own = population.visible(asking, t).iter();
        let own = own.map(|item| (self.crowd.thing_of(*item), population.label[*item])).collect();
        let hearing = Hearing { crowd: &self.crowd, before: population.before(t), guard, base: &base, mean, own };
        for hit in &mut local.hits {
            hit.crowd = Some(hearing.mean_of(self.crowd.thing_of(hit.item)));
        }
        let heard = subject.thing.map(|thing| hearing.opinion(population, asking, thing));
        let (opinion, suppressed) = match heard {
            Some(Ok(opinion)) => (Some(opinion), 0),
            Some(Err(raters)) => (None, usize::from(raters > 0)),
            None => (None, 0),
        };
        let crowd = opinion.as_ref().map_or_else(|| base.clone(), |opinion| hearing.shrunk(opinion));
        let scored = Scored { steps: Arc::clone(&self.steps), crowd: self::mean(&crowd, &self.steps) };
        let hits = opinion.iter().zip(subject.thing);
        let hits = hits.map(|(opinion, thing)| entry(population, opinion, self.crowd.name(thing)));
        let read = GlobalRead {
            period: None,
            membership: Vec::new(),
            members: Vec::new(),
            hits: hits.collect(),
            population: crowd.clone(),
            community: crowd,
            parts: Parts::silent(base.len()),
            support: opinion.as_ref().map_or(0, |opinion| opinion.raters),
            suppressed,
            base,
        };
        (read, scored)
    }
}

/// A question to the crowd.
pub struct Asked<'a> {
    /// Whose own ratings are left out.
    pub asking: Option<UserIx>,
    /// What it is about.
    pub subject: &'a Subject,
    /// The moment.
    pub t: Timestamp,
}

/// Σ y p(y).
pub fn mean(p: &[f64], steps: &[f64]) -> f64 {
    p.iter().zip(steps).map(|(p, y)| p * y).sum()
}

/// The crowd's opinion as a collective entry.
fn entry(population: &Population, opinion: &Opinion, thing: &str) -> GlobalHit {
    let n = opinion.raters as f64;
    GlobalHit {
        id: format!("item-{thing}"),
        community: None,
        terms: EntryTerms::new(Similarity::of_attributes(1.0), 1.0),
        distribution: opinion.counts.iter().map(|count| count / n).collect(),
        mass: n,
        users: opinion.raters,
        top_terms: Vec::new(),
        last_seen: opinion.last.map_or(Timestamp(0), |item| population.at[item]),
    }
}
