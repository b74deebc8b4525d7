//! The crowd's opinion of a thing: what others gave the very film, product or place that is asked about.
//!
//! m_G(x) = μ + Σ_j (y_j − μ)/(n_x + [`PSEUDO`]) over others' ratings strictly before t, and p_G(y|x) = (n_x(y) +
//! [`PSEUDO`]·b(y))/(n_x + [`PSEUDO`]), whose mean is m_G where b's is μ. Whoever rates a thing again replaces their
//! rating, so that nobody counts twice and n_x is the number of distinct raters. With fewer of them than the guard the
//! crowd has no opinion, and what is said of everything is said of it.
//!
//! Running sums per thing make a read cost the logarithm of its ratings. Invariant: the sum at a rating depends on it and
//! earlier ones only, and the asking person's own rating is subtracted before the guard.

use std::collections::HashMap;

use super::population::{ItemIx, LabelIx, Population, UserIx};

/// Ratings of no opinion mixed into a thing's own.
pub const PSEUDO: f64 = 5.0;

/// Index of a thing.
pub type ThingIx = usize;

/// After a rating: who has rated so far, and what they gave together.
struct Standing {
    item: ItemIx,
    raters: usize,
    sum: f64,
}

/// A thing's ratings in time order.
struct Thing {
    name: String,
    standings: Vec<Standing>,
    /// Per score that occurs, ascending: how many stand at it after an item.
    scores: Vec<(LabelIx, Vec<(ItemIx, usize)>)>,
}

impl Thing {
    fn count(&mut self, label: LabelIx, item: ItemIx, by: isize) {
        let place = match self.scores.binary_search_by_key(&label, |(label, _)| *label) {
            Ok(place) => place,
            Err(place) => {
                self.scores.insert(place, (label, Vec::new()));
                place
            }
        };
        let counts = &mut self.scores[place].1;
        let last = counts.last().map_or(0, |(_, count)| *count);
        counts.push((item, last.saturating_add_signed(by)));
    }
}

/// Everyone's ratings by thing.
pub struct Crowd {
    steps: Vec<f64>,
    names: HashMap<String, ThingIx>,
    of: Vec<ThingIx>,
    things: Vec<Thing>,
}

impl Crowd {
    /// Reads all ratings; `steps` are the scores behind the labels, `names` says what each item is about.
    pub fn of<'a>(population: &Population, steps: Vec<f64>, names: impl Iterator<Item = &'a str>) -> Self {
        let mut crowd = Self { steps, names: HashMap::new(), of: Vec::new(), things: Vec::new() };
        let mut last: HashMap<(ThingIx, UserIx), LabelIx> = HashMap::new();
        for (item, name) in names.enumerate() {
            let next = crowd.things.len();
            let ix = match crowd.names.get(name) {
                Some(ix) => *ix,
                None => {
                    crowd.names.insert(name.to_owned(), next);
                    crowd.things.push(Thing { name: name.to_owned(), standings: Vec::new(), scores: Vec::new() });
                    next
                }
            };
            crowd.of.push(ix);
            let (label, thing) = (population.label[item], &mut crowd.things[ix]);
            let (mut raters, mut sum) = thing.standings.last().map_or((0, 0.0), |last| (last.raters, last.sum));
            raters += 1;
            sum += crowd.steps[label];
            if let Some(before) = last.insert((ix, population.user[item]), label) {
                raters -= 1;
                sum -= crowd.steps[before];
                thing.count(before, item, -1);
            }
            thing.count(label, item, 1);
            thing.standings.push(Standing { item, raters, sum });
        }
        crowd
    }

    /// What an item is about.
    pub fn thing_of(&self, item: ItemIx) -> ThingIx {
        self.of[item]
    }

    /// What a thing is called in the data.
    pub fn name(&self, thing: ThingIx) -> &str {
        &self.things[thing].name
    }

    /// The first item about a thing.
    pub fn first_of(&self, thing: ThingIx) -> Option<ItemIx> {
        self.things[thing].standings.first().map(|rating| rating.item)
    }

    /// The thing of this name, if anyone ever rated it.
    pub fn named(&self, name: &str) -> Option<ThingIx> {
        self.names.get(name).copied()
    }

    /// The scores behind the labels, ascending.
    pub fn steps(&self) -> &[f64] {
        &self.steps
    }

    /// How many people have ever rated a thing.
    pub(super) fn raters(&self, thing: ThingIx) -> usize {
        self.things[thing].standings.last().map_or(0, |standing| standing.raters)
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
    /// Raters besides the asking person and the sum of what they gave.
    fn others(&self, thing: ThingIx) -> (usize, f64) {
        let standings = &self.crowd.things[thing].standings;
        let Some(last) = standings.partition_point(|rating| rating.item < self.before).checked_sub(1) else {
            return (0, 0.0);
        };
        let Standing { raters, sum, .. } = standings[last];
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
        let thing_ix = thing;
        let thing = &self.crowd.things[thing];
        for (label, standings) in &thing.scores {
            let last = standings.partition_point(|(item, _)| *item < self.before).checked_sub(1);
            counts[*label] = last.map_or(0.0, |last| standings[last].1 as f64);
        }
        if let Some(own) = self.own.get(&thing_ix) {
            counts[*own] -= 1.0;
        }
        let heard = thing.standings.iter().rev().skip_while(|rating| rating.item >= self.before);
        let mut others = heard.filter(|rating| Some(population.user[rating.item]) != asking);
        Ok(Opinion { raters, counts, last: others.next().map(|rating| rating.item) })
    }

    /// p_G(y|x) of what others gave a thing.
    pub fn shrunk(&self, opinion: &Opinion) -> Vec<f64> {
        let n = opinion.raters as f64;
        let share = |(count, b): (&f64, &f64)| (count + PSEUDO * b) / (n + PSEUDO);
        opinion.counts.iter().zip(self.base).map(share).collect()
    }
}
