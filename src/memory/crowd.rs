//! The crowd's opinion of a thing: what others gave the very film, product or place that is asked about.
//!
//! m_G(x) = μ + Σ_j (y_j − μ)/(n_x + [`PSEUDO`]) over others' ratings strictly before t, and p_G(y|x) = (n_x(y) +
//! [`PSEUDO`]·b(y))/(n_x + [`PSEUDO`]), whose mean is m_G where b's is μ. Whoever rates a thing again replaces their
//! rating, so that nobody counts twice and n_x is the number of distinct raters. With fewer of them than the guard the
//! crowd has no opinion, and what is said of everything is said of it.
//!
//! Running sums per thing make a read cost the logarithm of its ratings. They are columns: a base that never changes, in
//! memory or mapped, and a copy of each thing that was rated since. Invariant: the sum at a rating depends on it and earlier
//! ones only, and the asking person's own rating is subtracted before the guard.

use std::collections::HashMap;

use super::column::{Column, Lists, Names, Sink, Source};
use super::population::{ItemIx, LabelIx, Population, UserIx};

/// Ratings of no opinion mixed into a thing's own.
pub const PSEUDO: f64 = 5.0;

/// Index of a thing.
pub type ThingIx = usize;

/// A thing's ratings in time order.
#[derive(Clone, Copy)]
struct Rated<'a> {
    items: &'a [u32],
    /// After each rating: how many people have rated so far.
    raters: &'a [u32],
    /// After each rating: what those gave together.
    sums: &'a [f64],
}

/// How many people stand at a score, after each item that changed it.
#[derive(Clone, Copy)]
struct Standing<'a> {
    score: LabelIx,
    items: &'a [u32],
    counts: &'a [u32],
}

/// A thing that has been rated since the columns were made, with all of its ratings.
#[derive(Default)]
struct Thing {
    items: Vec<u32>,
    raters: Vec<u32>,
    sums: Vec<f64>,
    /// Per score that occurs, ascending.
    scores: Vec<(LabelIx, Vec<u32>, Vec<u32>)>,
}

impl Thing {
    fn count(&mut self, score: LabelIx, item: ItemIx, by: i32) {
        let place = match self.scores.binary_search_by_key(&score, |(score, ..)| *score) {
            Ok(place) => place,
            Err(place) => {
                self.scores.insert(place, (score, Vec::new(), Vec::new()));
                place
            }
        };
        let (_, items, counts) = &mut self.scores[place];
        let last = counts.last().copied().unwrap_or_default();
        items.push(item as u32);
        counts.push(last.saturating_add_signed(by));
    }

    /// Adds a rating of somebody who gave this thing `before` until now.
    fn rate(&mut self, item: ItemIx, score: LabelIx, before: Option<LabelIx>, steps: &[f64]) {
        let mut raters = self.raters.last().copied().unwrap_or_default() + 1;
        let mut sum = self.sums.last().copied().unwrap_or_default() + steps[score];
        if let Some(before) = before {
            raters -= 1;
            sum -= steps[before];
            self.count(before, item, -1);
        }
        self.count(score, item, 1);
        self.items.push(item as u32);
        self.raters.push(raters);
        self.sums.push(sum);
    }
}

/// Everyone's ratings by thing.
pub struct Crowd {
    steps: Vec<f64>,
    /// What things are called, in order of their first ratings.
    names: Names,
    /// What each item is about.
    of: Column<u32>,
    /// By thing.
    items: Lists<u32>,
    raters: Column<u32>,
    sums: Column<f64>,
    /// By thing the scores that occur, ascending; the number of such a score among all is its place in `standing`.
    scores: Lists<u32>,
    standing: Lists<u32>,
    counts: Column<u32>,
    /// Things that have been rated since.
    grown: HashMap<ThingIx, Thing>,
}

impl Crowd {
    /// Reads all ratings; `steps` are the scores behind the labels, `names` says what each item is about.
    pub fn of<'a>(population: &Population, steps: Vec<f64>, names: impl Iterator<Item = &'a str>) -> Self {
        let mut crowd = Self {
            steps,
            names: Names::default(),
            of: Column::default(),
            items: Lists::default(),
            raters: Column::default(),
            sums: Column::default(),
            scores: Lists::default(),
            standing: Lists::default(),
            counts: Column::default(),
            grown: HashMap::new(),
        };
        crowd.extend(population, names);
        crowd.settle();
        crowd
    }

    /// Takes in the last items of `population`, which follow those that are known here.
    pub(super) fn extend<'a>(&mut self, population: &Population, names: impl Iterator<Item = &'a str>) {
        let known = self.of.len();
        let mut last: HashMap<(ThingIx, UserIx), LabelIx> = HashMap::new();
        for name in names {
            let (item, number) = (self.of.len(), self.names.number(name));
            let (thing, user, score) = (number as ThingIx, population.user[item], population.label[item]);
            self.of.push(number);
            let before = last.insert((thing, user), score).or_else(|| {
                let own = &population.items_of[user];
                let mut earlier = own[..own.partition_point(|item| *item < known)].iter().rev();
                earlier.find(|item| self.thing_of(**item) == thing).map(|item| population.label[*item])
            });
            let mut grown = self.grown.remove(&thing).unwrap_or_else(|| self.copied(thing));
            grown.rate(item, score, before, &self.steps);
            self.grown.insert(thing, grown);
        }
    }

    /// A thing as it is in the columns.
    fn copied(&self, thing: ThingIx) -> Thing {
        if thing >= self.items.len() {
            return Thing::default();
        }
        let Rated { items, raters, sums } = self.rated(thing);
        let scores = self.standing(thing).into_iter().map(|s| (s.score, s.items.to_vec(), s.counts.to_vec()));
        Thing { items: items.to_vec(), raters: raters.to_vec(), sums: sums.to_vec(), scores: scores.collect() }
    }

    /// Makes all ratings the columns, if there are none yet.
    fn settle(&mut self) {
        for thing in 0..self.names.len() {
            let Thing { items, raters, sums, scores } = self.grown.remove(&thing).unwrap_or_default();
            self.items.push(&items);
            raters.into_iter().for_each(|count| self.raters.push(count));
            sums.into_iter().for_each(|sum| self.sums.push(sum));
            self.scores.push(&scores.iter().map(|(score, ..)| *score as u32).collect::<Vec<u32>>());
            for (_, items, counts) in scores {
                self.standing.push(&items);
                counts.into_iter().for_each(|count| self.counts.push(count));
            }
        }
        self.names.settle();
        self.of.settle();
        self.items.settle();
        self.raters.settle();
        self.sums.settle();
        self.scores.settle();
        self.standing.settle();
        self.counts.settle();
    }

    /// Writes the columns.
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        self.names.write(sink, "thing-names")?;
        sink.column("thing-of", self.of.base())?;
        sink.lists("thing-items", self.items.base())?;
        sink.column("thing-raters", self.raters.base())?;
        sink.column("thing-sums", self.sums.base())?;
        sink.lists("thing-scores", self.scores.base())?;
        sink.lists("thing-standing", self.standing.base())?;
        sink.column("thing-counts", self.counts.base())
    }

    /// Ratings as they were written; `steps` are the scores behind the labels.
    pub(super) fn read<S: Source>(source: &S, steps: Vec<f64>) -> Result<Self, S::Error> {
        Ok(Self {
            steps,
            names: Names::read(source, "thing-names")?,
            of: source.column::<u32>("thing-of")?.into(),
            items: source.lists("thing-items")?,
            raters: source.column::<u32>("thing-raters")?.into(),
            sums: source.column::<f64>("thing-sums")?.into(),
            scores: source.lists("thing-scores")?,
            standing: source.lists("thing-standing")?,
            counts: source.column::<u32>("thing-counts")?.into(),
            grown: HashMap::new(),
        })
    }

    fn rated(&self, thing: ThingIx) -> Rated<'_> {
        if let Some(grown) = self.grown.get(&thing) {
            return Rated { items: &grown.items, raters: &grown.raters, sums: &grown.sums };
        }
        let range = self.items.range(thing);
        Rated { items: &self.items[thing], raters: self.raters.within(range.clone()), sums: self.sums.within(range) }
    }

    fn standing(&self, thing: ThingIx) -> Vec<Standing<'_>> {
        if let Some(grown) = self.grown.get(&thing) {
            let scores = grown.scores.iter();
            return scores.map(|(score, items, counts)| Standing { score: *score, items, counts }).collect();
        }
        let places = self.scores.range(thing);
        let one = |(score, place): (&u32, usize)| {
            let counts = self.counts.within(self.standing.range(place));
            Standing { score: *score as LabelIx, items: &self.standing[place], counts }
        };
        self.scores[thing].iter().zip(places).map(one).collect()
    }

    /// What an item is about.
    pub fn thing_of(&self, item: ItemIx) -> ThingIx {
        self.of[item] as ThingIx
    }

    /// What a thing is called in the data.
    pub fn name(&self, thing: ThingIx) -> &str {
        self.names.text(thing as u32)
    }

    /// The first item about a thing.
    pub fn first_of(&self, thing: ThingIx) -> Option<ItemIx> {
        self.rated(thing).items.first().map(|item| *item as ItemIx)
    }

    /// The thing of this name, if anyone ever rated it.
    pub fn named(&self, name: &str) -> Option<ThingIx> {
        self.names.find(name).map(|number| number as ThingIx)
    }

    /// The scores behind the labels, ascending.
    pub fn steps(&self) -> &[f64] {
        &self.steps
    }

    /// The ratings of a thing, ascending.
    pub(super) fn items_of(&self, thing: ThingIx) -> impl Iterator<Item = ItemIx> {
        self.rated(thing).items.iter().map(|item| *item as ItemIx)
    }

    /// How many people have ever rated a thing.
    pub(super) fn raters(&self, thing: ThingIx) -> usize {
        self.rated(thing).raters.last().map_or(0, |raters| *raters as usize)
    }
}

/// What someone may hear of the crowd at a moment.
pub struct Hearing<'a> {
    /// Everyone's ratings.
    pub crowd: &'a Crowd,
    /// Items strictly before the moment: `0..before`.
    pub before: ItemIx,
    /// Fewest distinct raters besides the asking person.
    pub guard: usize,
    /// b: the others' scores whatever the thing. Sums to 1.
    pub base: &'a [f64],
    /// μ: its mean.
    pub mean: f64,
    /// The asking person's last rating of each thing they rated.
    pub own: HashMap<ThingIx, LabelIx>,
}

/// What the crowd thinks of a thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// Distinct raters besides the asking person.
    pub raters: usize,
    /// How many of them gave each score.
    pub counts: Vec<f64>,
    /// The newest of their ratings.
    pub last: Option<ItemIx>,
}

impl Hearing<'_> {
    /// How many of `items`, ascending, lie before the moment.
    fn before(&self, items: &[u32]) -> usize {
        items.partition_point(|item| (*item as ItemIx) < self.before)
    }

    /// Raters besides the asking person and the sum of what they gave.
    fn others(&self, thing: ThingIx) -> (usize, f64) {
        let Rated { items, raters, sums } = self.crowd.rated(thing);
        let Some(last) = self.before(items).checked_sub(1) else { return (0, 0.0) };
        let (raters, sum) = (raters[last] as usize, sums[last]);
        match self.own.get(&thing) {
            Some(own) => (raters - 1, sum - self.crowd.steps[*own]),
            None => (raters, sum),
        }
    }

    /// m_G of a thing; μ below the guard.
    pub fn mean_of(&self, thing: ThingIx) -> f64 {
        let (raters, sum) = self.others(thing);
        if raters < self.guard.max(1) {
            return self.mean;
        }
        self.mean + (sum - raters as f64 * self.mean) / (raters as f64 + PSEUDO)
    }

    /// Who gave what to a thing, or how many did where those are too few to be heard.
    pub fn opinion(&self, population: &Population, asking: Option<UserIx>, thing: ThingIx) -> Result<Opinion, usize> {
        let (raters, _) = self.others(thing);
        if raters < self.guard.max(1) {
            return Err(raters);
        }
        let mut counts = vec![0.0; self.crowd.steps.len()];
        for Standing { score, items, counts: standing } in self.crowd.standing(thing) {
            counts[score] = self.before(items).checked_sub(1).map_or(0.0, |last| f64::from(standing[last]));
        }
        if let Some(own) = self.own.get(&thing) {
            counts[*own] -= 1.0;
        }
        let items = self.crowd.rated(thing).items;
        let heard = items[..self.before(items)].iter().rev().map(|item| *item as ItemIx);
        let mut others = heard.filter(|item| Some(population.user[*item]) != asking);
        Ok(Opinion { raters, counts, last: others.next() })
    }

    /// p_G(y|x) of what others gave a thing.
    pub fn shrunk(&self, opinion: &Opinion) -> Vec<f64> {
        let n = opinion.raters as f64;
        let share = |(count, b): (&f64, &f64)| (count + PSEUDO * b) / (n + PSEUDO);
        opinion.counts.iter().zip(self.base).map(share).collect()
    }
}
