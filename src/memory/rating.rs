//! Memory of a rating task: how a person departs from the crowd, and what the crowd thinks of the thing asked about.
//!
//! Local memory is the person's own ratings, each with the crowd's mean of its thing as of the query's moment: the
//! residual r = y − m_G says how they departed there. Global memory is the crowd's opinion of the very thing, see
//! [`super::crowd`]; communities and entries of similar texts are not read.
//!
//! Invariants: everything is as of the query's moment and without the asking person; below the guard an opinion backs off
//! to what is given to everything. Ratings that were written and read back, and those that were added later, read like
//! those made of all interactions at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::attributes::{Attributes, Part, Traits};
use super::base::BaseRates;
use super::collective::Parts;
use super::column::{Column, Sink, Slots, Source};
use super::crowd::{Crowd, Hearing, Opinion, ThingIx};
use super::embed::hash;
use super::fusion::{EntryTerms, Similarity};
use super::global::{GlobalHit, GlobalRead};
use super::local::LocalRead;
use super::population::{ItemIx, Population, UserIx};
use crate::data::dataset::{ATTRIBUTE_WIDTH, Dataset, Manifest};
use crate::data::interaction::{Extra, Interaction, JudgedQuery, Timestamp};
use crate::data::sanitize::visible;

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

impl Subject {
    /// The thing that it is, among those that somebody rated.
    pub(super) fn thing(&self) -> Option<ThingIx> {
        self.thing
    }
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
    texts: Texts,
    /// What judged queries are about, by their text: they hold nobody's rating, so they are known at any time.
    asked: HashMap<String, Record>,
}

/// The texts of items, each once.
#[derive(Default)]
struct Texts {
    /// The first item of each.
    firsts: Column<u32>,
    /// Texts of the base by spelling.
    spelt: Slots,
    added: HashMap<String, ItemIx>,
}

impl Texts {
    /// The first item with this text.
    fn first(&self, population: &Population, text: &str) -> Option<ItemIx> {
        let is = |number: u32| population.text[self.firsts[number as usize] as ItemIx] == *text;
        let written = self.spelt.find(hash(text), is).map(|number| self.firsts[number as usize] as ItemIx);
        written.or_else(|| self.added.get(text).copied())
    }

    /// Takes in the items of `population` from `known` on.
    fn extend(&mut self, population: &Population, known: ItemIx) {
        for item in known..population.len() {
            let text = &population.text[item];
            if self.first(population, text).is_none() {
                self.firsts.push(item as u32);
                self.added.insert(text.to_owned(), item);
            }
        }
    }

    /// Makes all texts the base, if there is none yet.
    fn settle(&mut self, population: &Population) {
        self.firsts.settle();
        let texts = self.firsts.base().iter().map(|item| hash(&population.text[*item as ItemIx]));
        self.spelt = Slots::of(texts);
        self.added = HashMap::new();
    }
}

/// What the record of a judged query says about its subject.
struct Record {
    item: Option<String>,
    extra: Extra,
}

impl Ratings {
    /// Reads a rating task; `None` for any other.
    pub fn of(dataset: &Dataset, population: &Population) -> Option<Self> {
        let steps = dataset.manifest.scale?.values();
        let attributes = Attributes::of(dataset.interactions.iter().map(|i| &i.extra));
        let crowd = Crowd::of(population, steps.clone(), dataset.interactions.iter().map(thing));
        let mut texts = Texts::default();
        texts.extend(population, 0);
        texts.settle(population);
        Some(Self { attributes, crowd, steps: steps.into(), texts, asked: asked(&dataset.queries) })
    }

    /// Takes in `interactions`, the last items of `population`, which follow those that are known here.
    pub(super) fn extend(&mut self, population: &Population, interactions: &[&Interaction]) {
        self.attributes.extend(interactions.iter().map(|i| &i.extra));
        self.crowd.extend(population, interactions.iter().map(|i| thing(i)));
        self.texts.extend(population, population.len() - interactions.len());
    }

    /// Writes what is known of the items.
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        self.attributes.write(sink)?;
        self.crowd.write(sink)?;
        sink.column("text-firsts", self.texts.firsts.base())?;
        sink.column("text-firsts-slots", self.texts.spelt.base())
    }

    /// Ratings as they were written; `None` where `head`, the dataset but for its interactions, is of another task.
    pub(super) fn read_from<S: Source>(source: &S, head: &Dataset) -> Result<Option<Self>, S::Error> {
        let Some(scale) = head.manifest.scale else { return Ok(None) };
        let texts = Texts {
            firsts: source.column::<u32>("text-firsts")?.into(),
            spelt: Slots::new(source.column("text-firsts-slots")?),
            added: HashMap::new(),
        };
        Ok(Some(Self {
            attributes: Attributes::read(source)?,
            crowd: Crowd::read(source, scale.values())?,
            steps: scale.values().into(),
            texts,
            asked: asked(&head.queries),
        }))
    }

    /// The subject of a question whose record is at hand.
    pub fn subject_of(&self, text: &str, about: About) -> Subject {
        Subject { thing: self.crowd.named(about.item.unwrap_or(text)), traits: self.attributes.find(about.extra) }
    }

    /// The subject of a typed question: the thing that was called so before `before`, by its text or its identity, or in a
    /// judged query.
    pub fn subject(&self, population: &Population, text: &str, before: ItemIx) -> Subject {
        if let Some(Record { item, extra }) = self.asked.get(text) {
            return self.subject_of(text, About { item: item.as_deref(), extra });
        }
        self.called(population, text, before).map_or_else(Subject::default, |item| Subject {
            thing: Some(self.crowd.thing_of(item)),
            traits: self.attributes.of_item(item),
        })
    }

    /// The first item before `before` whose thing is called `text`, by its text or else by its identity.
    fn called(&self, population: &Population, text: &str, before: ItemIx) -> Option<ItemIx> {
        // A later item of this text must not stand before an earlier thing of this identity.
        let known = |item: &ItemIx| *item < before;
        let identified = || self.crowd.first_of(self.crowd.named(text)?).filter(known);
        self.texts.first(population, text).filter(known).or_else(identified)
    }

    /// The attributes of every item.
    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Everyone's ratings by thing.
    pub(super) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// Who rated a thing among the items before `before`, told anew from those items.
    pub(super) fn raters(&self, population: &Population, thing: ThingIx, before: ItemIx) -> BTreeSet<UserIx> {
        self.crowd.items_of(thing).take_while(|item| *item < before).map(|item| population.user[item]).collect()
    }

    /// Whether a question in these very words is known from an item of any time or a judged query.
    pub(super) fn knows(&self, population: &Population, text: &str) -> bool {
        self.texts.first(population, text).is_some() || self.asked.contains_key(text)
    }

    /// Where nothing before `before` is called `text`: the titles before `before` that begin with it, hold it or are held by it, in any
    /// case, `most` of them. `None` where something is.
    pub(super) fn nearest<'a>(
        &self,
        population: &'a Population,
        text: &str,
        before: ItemIx,
        most: usize,
    ) -> Option<Vec<&'a str>> {
        if self.asked.contains_key(text) || self.called(population, text, before).is_some() {
            return None;
        }
        let wanted = text.trim().to_lowercase();
        let rank = |title: &str| {
            let title = title.trim().to_lowercase();
            let ranks = [title.starts_with(&wanted), title.contains(&wanted), wanted.contains(&title)];
            ranks.into_iter().position(|near| near)
        };
        let titles = (0..self.texts.firsts.len())
            .map(|number| self.texts.firsts[number] as ItemIx)
            .filter(|item| *item < before);
        let titles = titles.map(|item| &population.text[item]);
        let mut near: Vec<_> = titles.filter_map(|title| Some((rank(title)?, title))).collect();
        near.sort_unstable();
        Some(near.into_iter().take(most).map(|(_, title)| title).collect())
    }

    /// Likeness of an item to what is asked about.
    pub fn similarity(&self, manifest: &Manifest, subject: &Subject, item: ItemIx) -> Similarity {
        Similarity::of_attributes(self.attributes.likeness(&subject.traits, item, width(manifest)))
    }

    /// Calls `each` with every part of that likeness and how alike they are in it.
    pub(super) fn compare(&self, manifest: &Manifest, subject: &Subject, item: ItemIx, each: impl FnMut(Part, f64)) {
        self.attributes.compare(&subject.traits, item, width(manifest), each);
    }

    /// The traits that an item has in common with what is asked about.
    pub(super) fn in_common<'a>(&'a self, subject: &'a Subject, item: ItemIx) -> impl Iterator<Item = String> + 'a {
        self.attributes.in_common(&subject.traits, item)
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

/// By how much a number differs where its likeness has halved.
pub(super) fn width(manifest: &Manifest) -> f64 {
    manifest.retrieval.attribute_width.unwrap_or(ATTRIBUTE_WIDTH)
}

/// That no thing is called `query`, in words, with the titles that are like it.
pub fn unnamed(query: &str, nearest: &[impl AsRef<str>]) -> String {
    let titles: Vec<String> = nearest.iter().map(|title| format!("'{}'", visible(title.as_ref()))).collect();
    let nearest = if titles.is_empty() { String::new() } else { format!(" nearest: {};", titles.join(", ")) };
    format!("no thing of the dataset is called '{query}';{nearest} what others give to everything is all there is")
}

/// What an interaction is about: a thing without identity is its text.
fn thing(interaction: &Interaction) -> &str {
    interaction.item.as_deref().unwrap_or(&interaction.query)
}

/// What `queries` are about; of equal texts the last one counts.
fn asked(queries: &[JudgedQuery]) -> HashMap<String, Record> {
    let record = |query: &JudgedQuery| Record { item: query.item.clone(), extra: query.extra.clone() };
    queries.iter().map(|query| (query.query.clone(), record(query))).collect()
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

/// What the crowd's opinion of a thing is called as a collective entry.
pub(super) fn entry_id(thing: &str) -> String {
    format!("item-{thing}")
}

/// The thing of a collective entry's id; `None` where that is none of ratings.
pub(super) fn thing_of_id(id: &str) -> Option<&str> {
    id.strip_prefix("item-")
}

/// The crowd's opinion as a collective entry.
fn entry(population: &Population, opinion: &Opinion, thing: &str) -> GlobalHit {
    let n = opinion.raters as f64;
    GlobalHit {
        id: entry_id(thing),
        community: None,
        terms: EntryTerms::new(Similarity::of_attributes(1.0), 1.0),
        distribution: opinion.counts.iter().map(|count| count / n).collect(),
        mass: n,
        users: opinion.raters,
        top_terms: Vec::new(),
        last_seen: opinion.last.map_or(Timestamp(0), |item| population.at[item]),
    }
}
