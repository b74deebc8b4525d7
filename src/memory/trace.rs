//! Traces of one person in memory, by the way that leads to them.
//!
//! Every structure that a read goes through is asked with the person's own words, and each answer is compared with what
//! all other people's items account for. Nothing is looked up by the person's name alone: an item of theirs counts as a
//! trace whoever it is filed under, and so does a word, a feature or a mass that nobody else's text explains.
//!
//! Invariant: of a memory built without the person no way finds anything; of one with them the ways of what they did do.

use std::collections::{HashMap, HashSet};

use super::base::decay;
use super::embed::Forbidden;
use super::entry::{Entry, EntryQuery};
use super::features::{FeatureIx, Features};
use super::finder::{Found, IndexError, Looking};
use super::lexical::{TermId, words};
use super::neighbours::Likenesses;
use super::population::{ItemIx, UserIx};
use super::rating::About;
use super::{Apart, Memory};
use crate::data::forget::Person;
use crate::data::interaction::{Extra, Timestamp};

/// Own texts that are asked at most.
pub const PROBES: usize = 64;
/// Less than this share of a sum is what rounding leaves.
const DUST: f64 = 1e-9;
/// A period that closes later than so many days from the last item is not waited for.
const NEAR: f64 = 36_500.0;

/// A way to something of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The list of people.
    People,
    /// The index of identities.
    Ids,
    /// The texts.
    Texts,
    /// The lexicon.
    Words,
    /// Words and word pairs of the collective side.
    Pairs,
    /// Their own memory.
    Local,
    /// Entries found by the text index.
    WordIndex,
    /// Entries found by the vector index.
    VectorIndex,
    /// Members of entries.
    Entries,
    /// Nearest texts.
    Neighbours,
    /// Sums of collective terms.
    Terms,
    /// Sums of the base rate.
    Base,
    /// Assignments to communities.
    Communities,
    /// Raters of things.
    Crowd,
    /// Attributes of things.
    Attributes,
    /// Questions known by their text.
    Questions,
    /// Responses of a text task.
    Written,
}

impl Way {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Ids => "ids",
            Self::Texts => "texts",
            Self::Words => "words",
            Self::Pairs => "word pairs",
            Self::Local => "local memory",
            Self::WordIndex => "word index",
            Self::VectorIndex => "vector index",
            Self::Entries => "entries",
            Self::Neighbours => "neighbours",
            Self::Terms => "term sums",
            Self::Base => "base rate",
            Self::Communities => "communities",
            Self::Crowd => "crowd",
            Self::Attributes => "attributes",
            Self::Questions => "questions",
            Self::Written => "written texts",
        }
    }

    /// What is counted.
    pub fn counts(self) -> &'static str {
        match self {
            Self::People => "in the list of people",
            Self::Ids => "of their ids lead to an item",
            Self::Texts => "of the texts that only they have",
            Self::Words => "of their words are known from them alone",
            Self::Pairs => "of their words and pairs are known from them alone",
            Self::Local => "probes, asked as they, find an own item",
            Self::WordIndex => "probes find an entry with an item of theirs",
            Self::VectorIndex => "probes find an entry with an item of theirs",
            Self::Entries => "entries have an item of theirs",
            Self::Neighbours => "probes have an item of theirs among the nearest texts",
            Self::Terms => "mass that nobody else accounts for",
            Self::Base => "answers, decayed, that nobody else accounts for",
            Self::Communities => "periods with an assignment that nobody else accounts for",
            Self::Crowd => "of their things have a rater that nobody else accounts for",
            Self::Attributes => "of their things' traits are known from them alone",
            Self::Questions => "of the texts that only they have are known as questions",
            Self::Written => "of the texts that only they have are known as responses",
        }
    }
}

/// What was found on a way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trace {
    /// Which.
    pub way: Way,
    /// How much is theirs alone, see [`Way::counts`].
    pub found: f64,
    /// Out of how much.
    pub of: f64,
    /// 1-based place of the best find, where the way has an order.
    pub rank: Option<usize>,
}

impl Trace {
    /// Whether nothing is there, rounding aside.
    pub fn is_none(&self) -> bool {
        self.found <= DUST * self.of
    }
}

/// How many probes found something, and where.
#[derive(Default)]
struct Tally {
    hits: usize,
    best: Option<usize>,
}

impl Tally {
    fn count(&mut self, place: Option<usize>) {
        self.hits += usize::from(place.is_some());
        self.best = match (self.best, place.map(|place| place + 1)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    fn trace(self, way: Way, probes: usize) -> Trace {
        Trace { way, found: self.hits as f64, of: probes as f64, rank: self.best }
    }
}

/// A question in the person's own words.
struct Asked<'a> {
    text: &'a str,
    /// The interaction that it repeats.
    id: Option<&'a str>,
    item: Option<&'a str>,
    extra: &'a Extra,
}

/// At most [`PROBES`] of the person's texts, spread over all of them.
fn probes(person: &Person) -> Vec<Asked<'_>> {
    let did = person.interactions.iter().map(|i| Asked {
        text: &i.query,
        id: Some(&i.id),
        item: i.item.as_deref(),
        extra: &i.extra,
    });
    let asked =
        person.queries.iter().map(|q| Asked { text: &q.query, id: None, item: q.item.as_deref(), extra: &q.extra });
    let all: Vec<Asked> = did.chain(asked).collect();
    let step = all.len().div_ceil(PROBES).max(1);
    all.into_iter().step_by(step).collect()
}

/// How many probes a person is looked for with.
pub fn probe_count(person: &Person) -> usize {
    probes(person).len()
}

impl Memory {
    /// Looks for `person` on every way that this memory has.
    pub fn traces(&self, person: &Person) -> Result<Vec<Trace>, IndexError> {
        Search::new(self, person).run()
    }

    /// The moment at which all of the data is past and its last period has closed.
    fn closing(&self) -> Timestamp {
        let end = self.end();
        let closed = self.calendar.end(self.calendar.count.saturating_sub(1));
        let t = if closed.days_since(end) < NEAR { closed.max(end) } else { end };
        // A table may have seen later texts than memory holds, those of whoever was forgotten among them.
        match self.allow(t) {
            Err(Forbidden::Future { fit_until, .. }) => fit_until,
            _ => t,
        }
    }
}

struct Search<'a> {
    memory: &'a Memory,
    person: &'a Person,
    user: Option<UserIx>,
    /// Items that are theirs, by whatever name.
    theirs: HashSet<ItemIx>,
    t: Timestamp,
}

fn count(way: Way, found: usize, of: usize) -> Trace {
    Trace { way, found: found as f64, of: of as f64, rank: None }
}

impl<'a> Search<'a> {
    fn new(memory: &'a Memory, person: &'a Person) -> Self {
        let population = &memory.population;
        let user = population.user_ix(&person.user);
        let ids: HashSet<&str> = person.interactions.iter().map(|i| i.id.as_str()).collect();
        let is_theirs = |item: &ItemIx| {
            Some(population.user[*item]) == user
                || ids.contains(&population.id[*item])
                || person.alone.contains(&population.text[*item])
        };
        let theirs = (0..population.len()).filter(is_theirs).collect();
        Self { memory, person, user, theirs, t: memory.closing() }
    }

    fn others(&self) -> impl Iterator<Item = ItemIx> {
        (0..self.memory.population.len()).filter(|item| !self.theirs.contains(item))
    }

    fn run(&self) -> Result<Vec<Trace>, IndexError> {
        let mut traces = vec![self.people(), self.ids(), self.texts(), self.words(), self.pairs()];
        let probes = probes(self.person);
        traces.push(self.local(&probes)?);
        traces.push(self.base());
        match &self.memory.ratings {
            Some(ratings) => {
                traces.push(self.crowd(ratings.crowd()));
                let records = self.person.interactions.iter().map(|i| &i.extra);
                let (alone, all) = ratings.attributes().known_alone(records, self.others());
                traces.push(count(Way::Attributes, alone, all));
                let known =
                    self.person.alone.iter().filter(|text| ratings.knows(&self.memory.population, text)).count();
                traces.push(count(Way::Questions, known, self.person.alone.len()));
            }
            None => {
                traces.extend([self.neighbours(&probes), self.terms(), self.communities()]);
                traces.extend(self.entries(&probes)?);
                if let Some(writing) = &self.memory.writing {
                    let held: HashSet<&str> = writing.responses().collect();
                    let found = self.person.alone.iter().filter(|text| held.contains(text.as_str())).count();
                    traces.push(count(Way::Written, found, self.person.alone.len()));
                }
            }
        }
        Ok(traces)
    }

    fn people(&self) -> Trace {
        count(Way::People, usize::from(self.user.is_some()), 1)
    }

    fn ids(&self) -> Trace {
        let own = &self.person.interactions;
        let leads = own.iter().filter(|i| self.memory.population.item_ix(&i.id).is_some()).count();
        count(Way::Ids, leads, own.len())
    }

    fn texts(&self) -> Trace {
        let population = &self.memory.population;
        let held: HashSet<&str> = self.theirs.iter().map(|item| &population.text[*item]).collect();
        let found = self.person.alone.iter().filter(|text| held.contains(text.as_str())).count();
        count(Way::Texts, found, self.person.alone.len())
    }

    fn words(&self) -> Trace {
        let population = &self.memory.population;
        let own: HashSet<String> = self.person.texts().flat_map(|(text, _)| words(text)).collect();
        let mut held: HashMap<TermId, usize> = HashMap::new();
        for item in &self.theirs {
            population.bag(*item).distinct().for_each(|term| *held.entry(term).or_default() += 1);
        }
        let alone = |word: &&String| {
            population.lexicon.id(word).is_some_and(|term| {
                let all = population.document_counts(term, population.len()).with_term;
                all <= held.get(&term).copied().unwrap_or_default()
            })
        };
        count(Way::Words, own.iter().filter(alone).count(), own.len())
    }

    /// The features of their texts that are known here.
    fn features(&self) -> (&Features, Vec<FeatureIx>) {
        let features = self.memory.features();
        let known: HashSet<FeatureIx> =
            self.person.texts().flat_map(|(text, _)| features.find(text)).map(|(feature, _)| feature).collect();
        let mut known: Vec<FeatureIx> = known.into_iter().collect();
        known.sort_unstable();
        (features, known)
    }

    fn pairs(&self) -> Trace {
        let (features, known) = self.features();
        let mut alone: HashSet<FeatureIx> = known.iter().copied().collect();
        for (feature, _) in self.others().flat_map(|item| features.of_item(item)) {
            alone.remove(&feature);
        }
        count(Way::Pairs, alone.len(), known.len())
    }

    /// Asked as the person, so that whatever is kept under their name answers.
    fn local(&self, probes: &[Asked]) -> Result<Trace, IndexError> {
        let population = &self.memory.population;
        let mut tally = Tally::default();
        for asked in probes {
            let about = self.memory.ratings.as_ref().map(|_| About { item: asked.item, extra: asked.extra });
            let read = self.memory.read_apart(&self.person.user, asked.text, about, self.t, Apart::default())?;
            let same = |item: ItemIx| asked.id.is_none_or(|id| population.id[item] == *id);
            tally.count(read.local.hits.iter().position(|hit| same(hit.item)));
        }
        Ok(tally.trace(Way::Local, probes.len()))
    }

    fn base(&self) -> Trace {
        let (population, half_life) = (&self.memory.population, self.memory.manifest.periods.base_half_life);
        let whole: f64 = self.memory.digest().base.counts(population, self.t).iter().sum();
        let accounted: f64 = self.others().map(|item| decay(population.at[item], self.t, half_life)).sum();
        Trace { way: Way::Base, found: (whole - accounted).max(0.0), of: whole, rank: None }
    }

    fn terms(&self) -> Trace {
        let memory = self.memory;
        let (features, wanted) = self.features();
        let terms = memory.terms_at(self.t);
        let nobody = super::Communities::default();
        let communities = memory.period_at(self.t).map_or(&nobody, |period| memory.communities_at(period));
        let counted = |item: ItemIx| !self.theirs.contains(&item);
        let (whole, accounted) = terms.mass(&memory.population, features, communities, &wanted, counted);
        Trace { way: Way::Terms, found: (whole - accounted).max(0.0), of: whole, rank: None }
    }

    fn neighbours(&self, probes: &[Asked]) -> Trace {
        let memory = self.memory;
        let (population, features) = (&memory.population, memory.features());
        let weighting = &memory.terms_at(self.t).weighting;
        let (before, most) = (population.before(self.t), memory.manifest.retrieval.neighbours);
        let mut tally = Tally::default();
        for asked in probes {
            let sought = memory.sought(&memory.probe(asked.text), self.t);
            let found = Likenesses::of(population, features, weighting, &sought, None, before).nearest(most);
            tally.count(found.iter().position(|(item, _)| self.theirs.contains(item)));
        }
        tally.trace(Way::Neighbours, probes.len())
    }

    fn communities(&self) -> Trace {
        let (memory, population) = (self.memory, &self.memory.population);
        // Each one's first item that is not of the person.
        let mut first: HashMap<UserIx, ItemIx> = HashMap::new();
        for item in self.others() {
            first.entry(population.user[item]).or_insert(item);
        }
        let beyond = |period: &usize| {
            let before = population.before(memory.calendar.end(*period));
            let assigned = memory.communities_at(*period).of.iter().flatten().count();
            assigned > first.values().filter(|item| **item < before).count()
        };
        // The last one first: it starts from all others, so every one is grouped once.
        let found = (0..memory.periods()).rev().filter(beyond).count();
        count(Way::Communities, found, memory.periods())
    }

    fn entries(&self, probes: &[Asked]) -> Result<[Trace; 3], IndexError> {
        let memory = self.memory;
        let [mut by_words, mut by_vectors] = [Tally::default(), Tally::default()];
        let snapshot = memory.snapshot_at(self.t)?;
        let (mut theirs, mut all) = (HashSet::new(), 0);
        if let Some(snapshot) = &snapshot {
            let entries = &snapshot.entries;
            let number = entries.known_as(self.user);
            let holds = |entry: &Entry| {
                entry.items().any(|item| self.theirs.contains(&item))
                    || number.is_some_and(|user| entry.users().binary_search(&user).is_ok())
            };
            all = entries.len();
            theirs = entries.iter().filter(holds).map(Entry::number).collect::<HashSet<usize>>();
            for asked in probes {
                let probe = memory.probe(asked.text);
                let query = EntryQuery::new(entries, &probe);
                let guard = memory.manifest.retrieval.guard;
                let looking = Looking { probe: &probe, query: &query, asking: None, own: &[], guard };
                let found = entries.finder.look(&memory.population, entries, looking)?;
                let place = |likeness: fn(&Found) -> f64| {
                    let mut near: Vec<&Found> = found.iter().filter(|found| likeness(found) > 0.0).collect();
                    near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
                    near.iter().position(|found| theirs.contains(&(found.number as usize)))
                };
                by_words.count(place(|found| found.mass));
                by_vectors.count(place(|found| f64::from(found.cosine)));
            }
        }
        Ok([
            by_words.trace(Way::WordIndex, probes.len()),
            by_vectors.trace(Way::VectorIndex, probes.len()),
            count(Way::Entries, theirs.len(), all),
        ])
    }

    fn crowd(&self, crowd: &super::crowd::Crowd) -> Trace {
        let population = &self.memory.population;
        let mut raters: HashMap<usize, HashSet<UserIx>> = HashMap::new();
        for item in self.others() {
            raters.entry(crowd.thing_of(item)).or_default().insert(population.user[item]);
        }
        let own: HashSet<&str> =
            self.person.interactions.iter().map(|i| i.item.as_deref().unwrap_or(&i.query)).collect();
        let beyond = |name: &&&str| {
            crowd.named(name).is_some_and(|thing| {
                let others = raters.get(&thing).map_or(0, HashSet::len);
                others == 0 || crowd.raters(thing) > others
            })
        };
        count(Way::Crowd, own.iter().filter(beyond).count(), own.len())
    }
}
