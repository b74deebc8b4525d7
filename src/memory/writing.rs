//! Memory of a text task: how long responses are and which words they hold. Their form stands in the place of a label,
//! so everything else about them is remembered as of a labels task.
//!
//! Length is told as ln of the number of words. Of others it is μ, the decayed mean of everybody's, and m_G(x), that mean
//! moved toward what was written to the most similar texts: m_G = μ + Σ v (ln len − μ)/(Σ v + 5), v = s · 2^(−age/h) of a
//! neighbour, each contributor cut to a tenth of Σ v. Words of others are those of the same neighbours.
//!
//! Invariants: everything is as of the query's moment and without the asking person; nothing collective is told with fewer
//! contributors than the guard, each with a part in it that has not come to nothing, and no response of anybody else ever leaves this module, only means and single words.
//! Responses are columns, a base that never changes, in memory or mapped, and what was added since; both read like what is
//! made of all interactions at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::base::decay;
use super::column::{Column, Lists, Sink, Source, Strings};
use super::features::early_postings;
use super::givers::Givers;
use super::guard::{CONTRIBUTOR_SHARE, counted};
use super::lexical::{DocumentCounts, Lexicon, TermId, words};
use super::local::LocalRead;
use super::population::{ItemIx, Population, UserIx};
use super::portrait::z;
use crate::data::dataset::{Dataset, Manifest, TaskKind};
use crate::data::form::log_words;
use crate::data::interaction::{Interaction, Timestamp};

/// Texts that the mean of everybody is worth beside the neighbours'.
const PRIOR: f64 = 5.0;
/// A word used in fewer texts than this characterises nobody.
const LEAST_TEXTS: usize = 2;
/// Standard errors by which a word has to stand out.
const LEAST_Z: f64 = 1.5;
/// Words kept of each side.
const MOST: usize = 6;

/// How long others write, in ln words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crowd {
    /// μ: everybody's mean.
    pub mean: f64,
    /// m_G(x): the mean for this query.
    pub near: f64,
    /// Standard deviation around μ. ≥ 0.
    pub deviation: f64,
    /// Distinct contributors behind what m_G(x) adds to μ; 0 where too few are near.
    pub support: usize,
}

/// A word that one side uses more than everybody does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// The word.
    pub word: String,
    /// Log-odds of a text of theirs holding it against any other text, in standard errors.
    pub z: f64,
    /// In how many of their texts it stands.
    pub texts: usize,
    /// Out of how many.
    pub of: usize,
}

/// What both memories say of how a text is written, beside its form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// Others' lengths; `None` with fewer of them who count than the guard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<Crowd>,
    /// Words characteristic of the person, first those that stand out most.
    pub own_terms: Vec<Term>,
    /// Words characteristic of what others wrote to similar texts, each used by as many people as the guard asks for.
    pub terms: Vec<Term>,
}

/// What people wrote.
pub struct Writing {
    responses: Strings,
    /// ln words, by item.
    lengths: Column<f64>,
    half_life: f64,
    /// Decayed Σ 1, Σ len, Σ len² up to and with each item.
    sums: Vec<[f64; 3]>,
    /// Who is behind them.
    givers: Givers,
    lexicon: Lexicon,
    /// Distinct words of each item, ascending.
    bags: Lists<TermId>,
    /// Items of the base that hold each word, ascending.
    holders: Lists<u32>,
    /// The same of items that were added later.
    added_holders: HashMap<TermId, Vec<ItemIx>>,
}

/// A question to [`Writing`].
pub struct Asked<'a> {
    /// Whose items are left out of everyone's.
    pub asking: Option<UserIx>,
    /// Items that the person remembers.
    pub visible: &'a [ItemIx],
    /// Others' items most like the query, each with its cosine.
    pub neighbours: &'a [(ItemIx, f64)],
    /// Half-life of a neighbour's vote, in days.
    pub half_life: f64,
    /// Fewest distinct contributors.
    pub guard: usize,
    /// The moment.
    pub t: Timestamp,
}

impl Writing {
    /// Of a text task; `None` of any other.
    pub fn of(dataset: &Dataset, population: &Population) -> Option<Self> {
        if dataset.manifest.task != TaskKind::Text {
            return None;
        }
        let mut writing = Self {
            responses: Strings::default(),
            lengths: Column::default(),
            half_life: dataset.manifest.periods.base_half_life,
            sums: Vec::new(),
            givers: Givers::new(dataset.manifest.periods.base_half_life),
            lexicon: Lexicon::default(),
            bags: Lists::default(),
            holders: Lists::default(),
            added_holders: HashMap::new(),
        };
        for interaction in &dataset.interactions {
            writing.learn(&interaction.response);
        }
        let items = (0..writing.bags.len()).map(|item| &writing.bags[item]);
        writing.holders = early_postings(writing.lexicon.len(), items);
        writing.responses.settle();
        writing.lengths.settle();
        writing.bags.settle();
        writing.sum_up(population);
        Some(writing)
    }

    /// Adds a response; says which words it holds.
    fn learn(&mut self, response: &str) -> Vec<TermId> {
        let told = words(response).filter(|word| tells(word));
        let bag: BTreeSet<TermId> = told.map(|word| self.lexicon.intern(word)).collect();
        let bag: Vec<TermId> = bag.into_iter().collect();
        self.responses.push(response);
        self.lengths.push(log_words(response));
        self.bags.push(&bag);
        bag
    }

    /// Takes in `interactions`, the last items of `population`, which follow those that are known here.
    pub(super) fn extend(&mut self, population: &Population, interactions: &[&Interaction]) {
        for interaction in interactions {
            let item = self.responses.len();
            for term in self.learn(&interaction.response) {
                self.added_holders.entry(term).or_default().push(item);
            }
        }
        self.sum_up(population);
    }

    /// Writes the responses.
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let words: Strings = self.lexicon.words().collect();
        sink.lists("written", self.responses.base())?;
        sink.column("written-lengths", self.lengths.base())?;
        sink.lists("written-words", words.base())?;
        sink.column("written-words-sorted", &self.lexicon.sorted())?;
        sink.lists("written-bags", self.bags.base())?;
        sink.lists("written-holders", self.holders.base())
    }

    /// Responses as they were written, to the items of `population`; `None` where `manifest` is of another task.
    pub(super) fn read_from<S: Source>(
        source: &S,
        manifest: &Manifest,
        population: &Population,
    ) -> Result<Option<Self>, S::Error> {
        if manifest.task != TaskKind::Text {
            return Ok(None);
        }
        let mut writing = Self {
            responses: source.strings("written")?,
            lengths: source.column::<f64>("written-lengths")?.into(),
            half_life: manifest.periods.base_half_life,
            sums: Vec::new(),
            givers: Givers::new(manifest.periods.base_half_life),
            lexicon: Lexicon::new(source.strings("written-words")?, source.column("written-words-sorted")?),
            bags: source.lists("written-bags")?,
            holders: source.lists("written-holders")?,
            added_holders: HashMap::new(),
        };
        writing.sum_up(population);
        Ok(Some(writing))
    }

    /// Lets lengths lose half their weight in so many days.
    pub(super) fn fade(&mut self, population: &Population, half_life: f64) {
        self.half_life = half_life;
        self.sums.clear();
        self.givers = Givers::new(half_life);
        self.sum_up(population);
    }

    /// Sums up the lengths that are not in the sums yet.
    fn sum_up(&mut self, population: &Population) {
        for item in self.sums.len()..self.lengths.len() {
            let length = self.lengths[item];
            let kept = self.sums.last().map_or([0.0; 3], |sums| {
                let faded = decay(population.at[item - 1], population.at[item], self.half_life);
                sums.map(|sum| sum * faded)
            });
            self.sums.push([kept[0] + 1.0, kept[1] + length, kept[2] + length * length]);
        }
        self.givers.extend(population, self.lengths.len());
    }

    /// What was answered to an item.
    pub fn response(&self, item: ItemIx) -> &str {
        &self.responses[item]
    }

    /// All responses.
    pub(super) fn responses(&self) -> impl Iterator<Item = &str> {
        self.responses.iter()
    }

    /// How many of the first `before` items hold a word.
    fn held(&self, term: TermId, before: ItemIx) -> usize {
        let known = term as usize;
        let first = if known < self.holders.len() { &self.holders[known] } else { &[] };
        let later = self.added_holders.get(&term).map_or(&[][..], Vec::as_slice);
        first.partition_point(|item| (*item as ItemIx) < before) + later.partition_point(|item| *item < before)
    }

    /// Says of each of the person's hits how long its response is.
    pub(super) fn measure(&self, local: &mut LocalRead) {
        local.hits.iter_mut().for_each(|hit| hit.length = Some(self.lengths[hit.item]));
    }

    /// What is known at the moment of the question.
    pub(super) fn read(&self, population: &Population, asked: &Asked) -> Written {
        let own = population.visible(asked.asking, asked.t);
        // Without others there is nothing to stand out from.
        let all = DocumentCounts { with_term: 0, total: population.before(asked.t) };
        let others = |counts: &BTreeMap<TermId, usize>, total: usize, term: TermId| {
            let before = self.held(term, all.total);
            let within = counts.get(&term).copied().unwrap_or_default();
            DocumentCounts { with_term: before.saturating_sub(within), total: all.total.saturating_sub(total) }
        };
        let own_counts = self.counts(own);
        let remembered = self.counts(asked.visible);
        let own_terms =
            self.standing_out(&remembered, asked.visible.len(), |_| true, |term| others(&own_counts, own.len(), term));
        let Some(crowd) = self.crowd(population, asked, own) else {
            return Written { crowd: None, own_terms, terms: Vec::new() };
        };
        if crowd.support == 0 {
            return Written { crowd: Some(crowd), own_terms, terms: Vec::new() };
        }
        let near: Vec<ItemIx> = asked.neighbours.iter().map(|(item, _)| *item).collect();
        let near_counts = self.counts(&near);
        let mut users: BTreeMap<TermId, BTreeSet<UserIx>> = BTreeMap::new();
        for item in &near {
            for term in &self.bags[*item] {
                users.entry(*term).or_default().insert(population.user[*item]);
            }
        }
        // Against everybody else: neither the neighbours themselves nor the person who asks.
        let mut apart = own_counts;
        near_counts.iter().for_each(|(term, count)| *apart.entry(*term).or_default() += count);
        let guarded = |term: TermId| users.get(&term).is_some_and(|users| users.len() >= asked.guard);
        let terms =
            self.standing_out(&near_counts, near.len(), guarded, |term| others(&apart, own.len() + near.len(), term));
        Written { crowd: Some(crowd), own_terms, terms }
    }

    /// In how many of `items` each word stands.
    fn counts(&self, items: &[ItemIx]) -> BTreeMap<TermId, usize> {
        let mut counts = BTreeMap::new();
        for term in items.iter().flat_map(|item| &self.bags[*item]) {
            *counts.entry(*term).or_default() += 1;
        }
        counts
    }

    /// The words of `total` texts that stand out from those of `others`.
    fn standing_out(
        &self,
        counts: &BTreeMap<TermId, usize>,
        total: usize,
        told: impl Fn(TermId) -> bool,
        others: impl Fn(TermId) -> DocumentCounts,
    ) -> Vec<Term> {
        let often = counts.iter().filter(|(term, texts)| **texts >= LEAST_TEXTS && told(**term));
        let term = |(term, texts): (&TermId, &usize)| Term {
            word: self.lexicon.word(*term).to_owned(),
            z: z(DocumentCounts { with_term: *texts, total }, others(*term)),
            texts: *texts,
            of: total,
        };
        let mut found: Vec<Term> = often.map(term).filter(|term| term.z >= LEAST_Z).collect();
        found.sort_by(|a, b| b.z.total_cmp(&a.z).then_with(|| a.word.cmp(&b.word)));
        found.truncate(MOST);
        found
    }

    fn crowd(&self, population: &Population, asked: &Asked, own: &[ItemIx]) -> Option<Crowd> {
        let t = asked.t;
        let told = self.givers.reach(population, asked.asking, asked.guard, t);
        let last = population.before(t).checked_sub(1).filter(|_| told)?;
        let faded = decay(population.at[last], t, self.half_life);
        let all = self.sums[last][0] * faded;
        let mut sums = self.sums[last].map(|sum| sum * faded);
        for item in own {
            let (weight, length) = (decay(population.at[*item], t, self.half_life), self.lengths[*item]);
            sums[0] -= weight;
            sums[1] -= weight * length;
            sums[2] -= weight * length * length;
        }
        let [mass, sum, squares] = sums;
        // What subtraction leaves of nobody is no mean.
        if mass <= 1e-12 * all {
            return None;
        }
        let mean = (sum / mass).max(0.0);
        let deviation = (squares / mass - mean * mean).max(0.0).sqrt();
        let (moved, support) = self.moved(population, asked, mean);
        Some(Crowd { mean, near: (mean + moved).max(0.0), deviation, support })
    }

    /// By how much the neighbours move the mean, and how many people they are.
    fn moved(&self, population: &Population, asked: &Asked, mean: f64) -> (f64, usize) {
        // Mass and Σ v (len − μ) of each contributor.
        let mut by_user: BTreeMap<UserIx, (f64, f64)> = BTreeMap::new();
        for (item, cosine) in asked.neighbours {
            let vote = cosine * decay(population.at[*item], asked.t, asked.half_life);
            let sums = by_user.entry(population.user[*item]).or_default();
            *sums = (sums.0 + vote, sums.1 + vote * (self.lengths[*item] - mean));
        }
        let masses: Vec<f64> = by_user.values().map(|(mass, _)| *mass).collect();
        let support = counted(&masses);
        if support < asked.guard {
            return (0.0, 0);
        }
        let cap = CONTRIBUTOR_SHARE * masses.iter().sum::<f64>();
        let cut = |(mass, sum): &(f64, f64)| {
            let factor = if *mass > cap { cap / mass } else { 1.0 };
            (mass * factor, sum * factor)
        };
        let (mass, sum) = by_user.values().map(cut).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        (sum / (mass + PRIOR), support)
    }
}

/// Whether a word may stand for a style: a single letter is what an apostrophe leaves.
fn tells(word: &str) -> bool {
    word.len() > 1
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::interaction::UserId;
    use crate::memory::Memory;

    /// What is known once everybody has answered, one each second; `u` asks about the tide.
    fn asked(rows: &[(&str, &str, &str)]) -> Written {
        let timed: Vec<_> =
            (0..).zip(rows).map(|(at, (user, query, response))| (at, *user, *query, *response)).collect();
        asked_of(&timed, 180.0)
    }

    /// The same of what was answered when, lengths losing half their weight in so many days.
    fn asked_of(rows: &[(i64, &str, &str, &str)], half_life: f64) -> Written {
        let manifest =
            format!("format = 1\nname = \"t\"\ntask = \"text\"\n[periods]\nbase-half-life = {half_life:.1}\n");
        let line = |(id, (at, user, query, response)): (usize, &(i64, &str, &str, &str))| {
            format!(
                "{{\"id\":\"{id}\",\"user\":\"{user}\",\"at\":{at},\"query\":\"{query}\",\"response\":\"{response}\"}}\n"
            )
        };
        let lines: String = rows.iter().enumerate().map(line).collect();
        let paths = ["dataset.toml", "interactions.jsonl", "queries.jsonl"].map(Path::new);
        let dataset = Dataset::parse(paths, [&manifest, &lines, ""]).unwrap();
        let memory = Memory::build(&dataset);
        memory.read(&UserId::new("u"), "tide robot", dataset.end()).unwrap().written.unwrap()
    }

    #[test]
    fn fewer_others_than_the_guard_say_nothing() {
        let about = |user, response| (user, "tide robot", response);
        let mut rows: Vec<_> = ["a", "b", "c", "d"].map(|user| about(user, "one two")).to_vec();
        rows.push(about("u", "mine own words"));
        let said = asked(&rows);
        assert_eq!((said.crowd, said.terms.len()), (None, 0));
        rows.push(about("e", "one two"));
        let crowd = asked(&rows).crowd.unwrap();
        assert!((crowd.mean - 2.0f64.ln()).abs() < 1e-9 && crowd.deviation < 1e-6, "{crowd:?}");
        assert_eq!(crowd.support, 5, "the asking person's own three words count for nobody");
    }

    #[test]
    fn lengths_that_have_come_to_nothing_hide_nobody_s() {
        let mut rows = ["a", "b", "c", "d"].map(|user| (0, user, "tide robot", "one two")).to_vec();
        rows.push((340 * 86_400, "e", "tide robot", "one two three four five six seven"));
        assert_eq!(asked_of(&rows, 20.0).crowd, None, "seven words is what `e` alone wrote");
        let crowd = asked_of(&rows, 180.0).crowd.unwrap();
        assert!(crowd.mean > 2.0f64.ln() && crowd.mean < 7.0f64.ln() - 0.1, "{crowd:?}");
    }

    #[test]
    fn the_nearest_move_the_mean_and_a_word_needs_as_many_people_as_the_guard() {
        let users: Vec<String> = (0..30).map(|n| format!("p{n:02}")).collect();
        let rows = |with_word: usize| -> Vec<(&str, &str, &str)> {
            let row = |(n, user)| match n {
                n if n < with_word => (user, "tide robot", "hidden vault of this very long tide line"),
                n if n < 8 => (user, "tide robot", "open vault of this very long tide line"),
                _ => (user, "dragon verdict", "short"),
            };
            users.iter().map(String::as_str).enumerate().map(row).collect()
        };
        let [four, five] = [4, 5].map(|with_word| asked(&rows(with_word)));
        let holds = |said: &Written| said.terms.iter().any(|term| term.word == "hidden");
        assert!(!holds(&four) && holds(&five), "{four:?} {five:?}");
        let crowd = five.crowd.unwrap();
        assert!(crowd.near > crowd.mean + 0.2 && crowd.near < 8.0f64.ln(), "{crowd:?}");
        assert_eq!(crowd.support, 8);
    }
}
