//! Memory: what is kept about one person and about everyone, as of any moment.
//!
//! Time is law: whatever [`Memory::read`] returns for `t` is built from interactions strictly before `t`. Knows nothing
//! of the mediator, of models or of terminals.

pub mod attributes;
pub mod base;
pub mod candidates;
pub mod choice;
pub mod collective;
pub mod column;
pub mod community;
pub mod crowd;
pub mod embed;
pub mod entry;
pub mod explain;
pub mod features;
pub mod finder;
pub mod fixed;
mod formed;
pub mod fusion;
mod givers;
pub mod global;
pub mod grouping;
mod growth;
pub mod guard;
pub mod habits;
pub mod held;
pub mod history;
pub mod leaning;
pub mod lexical;
pub mod lineage;
pub mod local;
pub mod matching;
pub mod neighbours;
pub mod novelty;
pub mod okapi;
pub mod period;
pub mod population;
pub mod portrait;
pub mod profile;
pub mod rating;
pub mod resident;
pub mod running;
pub mod sizes;
pub mod store;
pub mod terms;
pub mod topics;
pub mod trace;
pub mod why_not;
pub mod wide;
pub mod writing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use base::BaseRates;
use community::Communities;
use embed::{Embedder, Forbidden};
use entry::IndexError;
use features::{Features, Sought, Weighting};
use global::{GlobalRead, PeriodView, Snapshot};
use held::{Held, Own};
use local::{Compared, LocalHit, LocalRead, Probe};
use neighbours::Likenesses;
use novelty::Nearness;
use period::Calendar;
use population::{ItemIx, Population, UserIx};
use rating::{About, Ratings, Scored};
use resident::Resident;
use sizes::Sizes;
use store::{Kept, Notice};
use terms::Terms;
use topics::Topics;
use writing::{Writing, Written};

use crate::data::dataset::{Dataset, Likeness, Manifest};
use crate::data::interaction::{Timestamp, UserId};

/// Seed of every grouping; a constant, so that memory is a function of the data.
const SEED: u64 = 0x1060;

/// Both memories' answers to one query.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryRead {
    /// About the person.
    pub local: LocalRead,
    /// About everyone else.
    pub global: GlobalRead,
    /// The scale, of ratings.
    pub scored: Option<Scored>,
    /// How responses are written, of texts; their forms stand in the place of labels.
    pub written: Option<Written>,
}

/// How a read departs from the usual one; only an evaluation asks for that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Apart {
    /// The asking person's own items stay among everyone's: for measuring what leaving them out is worth.
    pub left_in: bool,
    /// Days before the query within which the person's own items are hidden from local memory.
    pub gap_days: f64,
}

/// What is made of all interactions at once. Nothing that writes or opens a store needs it.
struct Digest {
    base: BaseRates,
    /// Each person's first item, ascending.
    arrivals: Vec<ItemIx>,
}

impl Digest {
    fn of(population: &Population, base_half_life: f64) -> Self {
        let mut arrivals: Vec<ItemIx> = population.items_of.iter().filter_map(|items| items.first().copied()).collect();
        arrivals.sort_unstable();
        Self { base: BaseRates::of(population, base_half_life), arrivals }
    }

    /// Takes in the last `added` items.
    fn extend(&mut self, population: &Population, added: usize) {
        let new = population.len() - added..population.len();
        let first = |item: &ItemIx| population.items_of[population.user[*item]].first() == Some(item);
        self.arrivals.extend(new.filter(first));
        self.base.extend(population);
    }
}

/// Local and global memory of a dataset.
pub struct Memory {
    /// The dataset's settings.
    pub manifest: Manifest,
    /// The interactions.
    pub population: Population,
    embedder: Box<dyn Embedder>,
    nearness: OnceLock<Nearness>,
    /// Words and word pairs: of memory over a store mapped, else made on first use.
    features: OnceLock<Features>,
    digest: OnceLock<Digest>,
    calendar: Calendar,
    /// What items are about, found on first use; `None` where too little has happened yet, or nobody wants to know.
    topics: OnceLock<Option<Topics>>,
    /// Per period, grouped on first use.
    communities: Vec<OnceLock<Communities>>,
    /// Formed on first use: most reads need one or two of them.
    snapshots: Vec<Mutex<Option<Arc<Snapshot>>>>,
    /// Where what takes long to form is kept, of memory over a store.
    kept: Option<Kept>,
    resident: Resident,
    sizes: Sizes,
    /// New numbers of the people of the store's base, ascending, once others have come between them.
    moved: Option<Arc<Vec<UserIx>>>,
    /// The same of terms; the first one stands before the first period's end.
    terms: Vec<OnceLock<Terms>>,
    /// The same of what words weigh, where nobody has asked for the sums of terms.
    weightings: Vec<OnceLock<Weighting>>,
    /// Of a rating task.
    ratings: Option<Ratings>,
    /// Of a text task.
    writing: Option<Writing>,
}

impl Memory {
    /// Reads the dataset into columns.
    pub fn build(dataset: &Dataset) -> Self {
        let embedder = embed::of(&dataset.manifest.retrieval.embedder);
        let population = Population::new(dataset, embedder.as_ref());
        let ratings = Ratings::of(dataset, &population);
        let writing = Writing::of(dataset, &population);
        Self { ratings, writing, ..Self::over(dataset.manifest.clone(), population, embedder) }
    }

    /// Memory over the columns of any task.
    fn over(manifest: Manifest, population: Population, embedder: Box<dyn Embedder>) -> Self {
        let calendar = calendar(&population, &manifest);
        let communities = (0..calendar.count).map(|_| OnceLock::new()).collect();
        let snapshots = (0..calendar.count).map(|_| Mutex::new(None)).collect();
        let terms = (0..=calendar.count).map(|_| OnceLock::new()).collect();
        let weightings = (0..=calendar.count).map(|_| OnceLock::new()).collect();
        Self {
            manifest,
            population,
            embedder,
            nearness: OnceLock::new(),
            features: OnceLock::new(),
            digest: OnceLock::new(),
            calendar,
            topics: OnceLock::new(),
            communities,
            snapshots,
            kept: None,
            resident: Resident::default(),
            sizes: Sizes::default(),
            moved: None,
            terms,
            weightings,
            ratings: None,
            writing: None,
        }
    }

    /// What is made of all interactions, formed if this is its first use.
    fn digest(&self) -> &Digest {
        self.digest.get_or_init(|| Digest::of(&self.population, self.manifest.periods.base_half_life))
    }

    /// Words and word pairs of all texts, made if this is their first use.
    fn features(&self) -> &Features {
        self.features.get_or_init(|| Features::of(self.population.text.iter()))
    }

    /// Goes the ways of large data from other sizes on; to be said before anything is read.
    pub fn sized(self, sizes: Sizes) -> Self {
        Self { sizes, ..self }
    }

    /// What became since the last call of what is kept beside a store's base: of a period that was formed anew because
    /// its columns were damaged, or that could not be kept.
    pub fn notices(&self) -> Vec<Notice> {
        self.kept.as_ref().map(Kept::notices).unwrap_or_default()
    }

    /// How many periods the data spans.
    pub fn periods(&self) -> usize {
        self.calendar.count
    }

    /// The first moment after a period; one that never comes for a period that is open when the data ends, where
    /// interactions are counted.
    pub fn period_end(&self, period: usize) -> Timestamp {
        self.calendar.end(period)
    }

    /// Who belonged where when the last period before `t` closed; `None` before any did, and of ratings.
    pub fn communities(&self, t: Timestamp) -> Option<&Communities> {
        let closed = self.period_at(t).filter(|_| self.ratings.is_none())?;
        Some(self.communities_at(closed))
    }

    /// The second after the last interaction: the moment at which all of the data is past.
    pub fn end(&self) -> Timestamp {
        self.population.at.last().map_or(Timestamp(0), |last| Timestamp(last.0.saturating_add(1)))
    }

    /// The embedder's identity.
    pub fn embedder(&self) -> String {
        self.embedder.id()
    }

    /// Forms what the first read at the end of the data would have to wait for.
    pub fn prepare(&self) -> Result<(), IndexError> {
        self.terms_at(self.end());
        self.snapshot_at(self.end()).map(drop)
    }

    /// Whether memory may be read as of `t`: not if its vectors come from a table that has seen texts from `t` or later.
    /// Every read asks this by itself; whoever reads many times can ask before the first.
    pub fn allow(&self, t: Timestamp) -> Result<(), Forbidden> {
        self.embedder.allow(t)
    }

    /// Reads both memories for `user` asking `query` at `t`. A user unknown to the data has an empty local memory.
    pub fn read(&self, user: &UserId, query: &str, t: Timestamp) -> Result<MemoryRead, IndexError> {
        self.read_apart(user, query, None, t, Apart::default())
    }

    /// The same for a question whose record says what it is `about`, and for evaluations that read `apart`.
    pub fn read_apart(
        &self,
        user: &UserId,
        query: &str,
        about: Option<About>,
        t: Timestamp,
        apart: Apart,
    ) -> Result<MemoryRead, IndexError> {
        let population = &self.population;
        let user = population.user_ix(user);
        let visible = population.visible(user, t.min(t.plus_days(-apart.gap_days)));
        self.read_own(user, Own::as_they_were(visible), query, about, t, apart.left_in)
    }

    /// The same for somebody whose memory is made to hold what `held` says. Everyone else leaves out all that this person
    /// did, also what is hidden here; whose company the person is in is told from what is held.
    pub fn read_held(
        &self,
        user: &UserId,
        query: &str,
        about: Option<About>,
        t: Timestamp,
        held: &Held,
    ) -> Result<MemoryRead, IndexError> {
        self.read_own(self.population.user_ix(user), held.own(), query, about, t, false)
    }

    fn read_own(
        &self,
        user: Option<UserIx>,
        own: Own,
        query: &str,
        about: Option<About>,
        t: Timestamp,
        left_in: bool,
    ) -> Result<MemoryRead, IndexError> {
        self.allow(t)?;
        self.embedder.ready(query)?;
        let population = &self.population;
        let asking = user.filter(|_| !left_in);
        if let Some(ratings) = &self.ratings {
            let subject = match about {
                Some(about) => ratings.subject_of(query, about),
                None => ratings.subject(population, query, population.before(t)),
            };
            let asked = rating::Asked { asking, subject: &subject, t };
            return Ok(self.read_ratings(ratings, own, query, asked));
        }
        let probe = self.probe(query);
        let terms = self.terms_at(t);
        let sought = self.sought(&probe, t);
        let compared = self.compared(&sought, t);
        let mut local = local::read(population, &self.manifest.retrieval, own, &probe, compared, t);
        local.age_unit = self.manifest.age_unit();
        if self.manifest.retrieval.fusion.tells_nearness() {
            let nearness = self.nearness.get_or_init(|| Nearness::of(population));
            local.novelty = nearness.novelty(population, user, &local, t, |item| self.nearest_of(item));
        }
        let question = global::Question { asking, probe: &probe, sought: &sought, terms, t };
        let global = self.collective(&question, own)?;
        self.rest();
        let written = self.written(&question, own.items, &mut local);
        Ok(MemoryRead { local, global, scored: None, written })
    }

    /// What the person answered to an item: of a text task what they wrote, otherwise the label.
    pub fn response(&self, item: ItemIx) -> &str {
        match &self.writing {
            Some(writing) => writing.response(item),
            None => &self.population.labels[self.population.label[item]],
        }
    }

    /// The same of a hit, whose label an experiment may have changed.
    pub fn response_of(&self, hit: &LocalHit) -> &str {
        if self.writing.is_some() { self.response(hit.item) } else { &self.population.labels[hit.label] }
    }

    /// The labels that a model is asked to score: none of a text task, where it writes instead.
    pub fn scored_labels(&self) -> &[String] {
        if self.writing.is_some() { &[] } else { &self.population.labels }
    }

    /// How texts are written, by the person who remembers the items `visible` and by others.
    fn written(&self, question: &global::Question, visible: &[ItemIx], local: &mut LocalRead) -> Option<Written> {
        let writing = self.writing.as_ref()?;
        writing.measure(local);
        let population = &self.population;
        let global::Question { asking, sought, terms, t, .. } = *question;
        let (before, most) = (population.before(t), self.manifest.retrieval.neighbours);
        let neighbours = match before {
            ..=neighbours::MOST_ITEMS => {
                let (features, weighting) = (self.features(), &terms.weighting);
                Likenesses::of(population, features, weighting, sought, asking, before).nearest(most)
            }
            // As for forms: too many to look at each.
            _ => Vec::new(),
        };
        let half_life = self.manifest.periods.neighbour_half_life;
        let guard = self.manifest.retrieval.guard;
        let asked = writing::Asked { asking, visible, neighbours: &neighbours, half_life, guard, t };
        Some(writing.read(population, &asked))
    }

    /// Who gave something to the collective entry `id` as of `t`, told anew from its items, whatever the entry says of
    /// itself; `None` where there is no such entry.
    ///
    /// # Errors
    ///
    /// What a period's snapshot cannot be formed for.
    pub fn contributors(&self, id: &str, t: Timestamp) -> Result<Option<BTreeSet<UserIx>>, IndexError> {
        if let Some(ratings) = &self.ratings {
            let thing = rating::thing_of_id(id).and_then(|name| ratings.crowd().named(name));
            return Ok(thing.map(|thing| ratings.raters(&self.population, thing, self.population.before(t))));
        }
        let Some(snapshot) = self.snapshot_at(t)? else { return Ok(None) };
        let entry = snapshot.entries.named(id);
        Ok(entry.map(|entry| entry.items().map(|item| self.population.user[item]).collect()))
    }

    /// Of ratings, where no thing is called `text`: up to three titles before `t` that are like it. `None` where one is, and
    /// of other tasks.
    pub fn nearest_things(&self, text: &str, t: Timestamp) -> Option<Vec<&str>> {
        self.ratings.as_ref()?.nearest(&self.population, text, self.population.before(t), 3)
    }

    /// The same where no thing of any time is called `text` either: else nobody has rated it yet, which is another matter.
    pub fn unnamed(&self, text: &str, t: Timestamp) -> Option<Vec<&str>> {
        let ratings = self.ratings.as_ref()?;
        if ratings.knows(&self.population, text) { None } else { self.nearest_things(text, t) }
    }

    /// Global memory alone, of a task without ratings.
    pub fn read_global(&self, user: &UserId, query: &str, t: Timestamp) -> Result<GlobalRead, IndexError> {
        self.allow(t)?;
        self.embedder.ready(query)?;
        let asking = self.population.user_ix(user);
        let (probe, terms) = (self.probe(query), self.terms_at(t));
        let sought = self.sought(&probe, t);
        let question = global::Question { asking, probe: &probe, sought: &sought, terms, t };
        let read = self.collective(&question, Own::as_they_were(self.population.visible(asking, t)));
        self.rest();
        read
    }

    /// After a read: what a store's files left resident may be too much.
    fn rest(&self) {
        if self.kept.is_some() {
            self.resident.count();
        }
    }

    /// What everyone else says to a person who remembers `remembered`.
    fn collective(&self, question: &global::Question, remembered: Own) -> Result<GlobalRead, IndexError> {
        let (population, digest) = (&self.population, self.digest());
        let snapshot = self.snapshot_at(question.t)?;
        let topics = snapshot.as_ref().and_then(|snapshot| self.topics()?.known_by(snapshot.items));
        let mut cells = vec![0.0; topics.map_or(1, Topics::count) * population.labels.len()];
        for (place, item) in remembered.items.iter().enumerate() {
            cells[habits::cell(population, topics, *item)] += self.heard(remembered.at(population, place), question.t);
        }
        let reader = global::Reader {
            population,
            features: self.features(),
            base: &digest.base,
            arrivals: &digest.arrivals,
            retrieval: &self.manifest.retrieval,
            periods: &self.manifest.periods,
            calibration: &self.manifest.calibration,
            topics,
        };
        let view = snapshot.as_deref().map(|s| (s, PeriodView { number: s.period + 1, end: s.end }));
        let own = global::Responses { cells, visible: remembered.items.len() };
        reader.read(view, question, &own)
    }

    /// How much what a person did at `then` still tells of their community at `t`: 1 where nothing is forgotten.
    fn heard(&self, then: Timestamp, t: Timestamp) -> f64 {
        let half_life = self.manifest.periods.membership_half_life;
        if half_life.is_infinite() { 1.0 } else { base::decay(then, t, half_life) }
    }

    fn read_ratings(&self, ratings: &Ratings, own: Own, query: &str, asked: rating::Asked) -> MemoryRead {
        let (population, manifest, t) = (&self.population, &self.manifest, asked.t);
        let mut local = match manifest.similarity() {
            Likeness::Attributes => {
                let likeness = |item: &ItemIx| (ratings.similarity(manifest, asked.subject, *item), 0.0);
                local::gather(population, &manifest.retrieval, own, t, own.items.iter().map(likeness).collect())
            }
            Likeness::Text => {
                let probe = self.probe(query);
                let sought = self.sought(&probe, t);
                local::read(population, &manifest.retrieval, own, &probe, self.compared(&sought, t), t)
            }
        };
        local.age_unit = manifest.age_unit();
        let (global, scored) =
            ratings.read(population, &self.digest().base, manifest.retrieval.guard, asked, &mut local);
        MemoryRead { local, global, scored: Some(scored), written: None }
    }

    /// Local memory alone, without its novelty: what the person's own items say.
    pub fn read_local(&self, user: &UserId, query: &str, t: Timestamp) -> Result<LocalRead, Forbidden> {
        self.allow(t)?;
        self.embedder.ready(query)?;
        Ok(self.local(self.population.user_ix(user), &self.probe(query), t))
    }

    fn local(&self, user: Option<UserIx>, probe: &Probe, t: Timestamp) -> LocalRead {
        let (population, features, weighting) = (&self.population, self.features(), self.weighting_at(t));
        let sought = Sought::new(features, weighting, &probe.features, population.before(t));
        let own = Own::as_they_were(population.visible(user, t));
        let compared = Compared { features, weighting, sought: &sought };
        local::read(population, &self.manifest.retrieval, own, probe, compared, t)
    }

    /// The words of `probe` as they weigh at `t`.
    fn sought(&self, probe: &Probe, t: Timestamp) -> Sought {
        Sought::new(self.features(), &self.terms_at(t).weighting, &probe.features, self.population.before(t))
    }

    fn compared<'a>(&'a self, sought: &'a Sought, t: Timestamp) -> Compared<'a> {
        Compared { features: self.features(), weighting: &self.terms_at(t).weighting, sought }
    }

    /// A question's text with the words and pairs known here.
    fn probe(&self, query: &str) -> Probe {
        Probe::new(query, &self.population, self.features(), self.embedder.as_ref())
    }

    /// s_max that an item met as a question at its own time.
    fn nearest_of(&self, item: ItemIx) -> f64 {
        let population = &self.population;
        let probe = Probe::of_item(population, self.features(), item);
        self.local(Some(population.user[item]), &probe, population.at[item]).nearest().unwrap_or_default()
    }
}

fn calendar(population: &Population, manifest: &Manifest) -> Calendar {
    Calendar::new(&population.at, manifest.periods.length)
}
