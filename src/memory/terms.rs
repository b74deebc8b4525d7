//! Collective terms: which responses others gave to texts with the words of this one, by period and community.
//!
//! Decayed naive Bayes with background smoothing, counted in tf-idf mass:
//! E_T(y) = Σ_w v_w · ln p(w|y)/π(w), p(w|y) = (N(w,y) + μ π(w))/(N(y) + μ), where N(w,y) is the decayed mass of w in
//! others' texts answered y, N(y) = Σ_w N(w,y), π(w) the share of w in everything. A word that nobody used is neutral;
//! smoothing by a constant would have it vote for or against rare labels. A community's p_c(w|y) is shrunk toward the
//! population's by the mass of a few texts.
//!
//! Invariants: sums are in forward-decay form, an item of time t_j adding v_w · 2^((t_j − end)/h), so that adding is all
//! that time does to them and decay at a read is one factor. A read at t uses the block of everything before the
//! period's end and the tail from there to t, both weighed with the idf of the block, and subtracts what the asking
//! person put into either. The tail keeps running sums (see [`super::running`]), so that a read late in a long period
//! costs no more than an early one.

use std::collections::HashMap;

use super::community::{Communities, CommunityIx};
use super::features::{Features, Sought, Weighting};
use super::population::{ItemIx, Population, UserIx};
use super::running::{self, Posting, Running, STRIDE};
use crate::data::interaction::Timestamp;

/// μ_c: how many texts of the population's are mixed into a community's.
const COMMUNITY_TEXTS: f64 = 25.0;
/// Less mass than this, in texts, is what rounding leaves of a subtraction.
const DUST: f64 = 1e-9;

/// Sums as of a period's end, with what is needed to add the next period's items to them.
pub struct Terms {
    /// Weights of features as of the end.
    pub weighting: Weighting,
    end: Timestamp,
    half_life: f64,
    labels: usize,
    /// Items before the end: the block is `0..items`.
    items: ItemIx,
    communities: usize,
    /// Per feature, `(community · K + label, mass)`, ascending; the number of communities stands for all of them.
    ends: Vec<usize>,
    cells: Vec<(u32, f64)>,
    /// N(y) per community · K + label; all communities last.
    totals: Vec<f64>,
    /// The items of the tail, as postings of everything they hold.
    late: Vec<Posting>,
    /// Running sums of the tail: of all features together, and of those that many of its items hold.
    tail: Running,
    tails: HashMap<u32, Running>,
    /// Mean mass of one text.
    text_mass: f64,
    /// 2^((t_j − end)/h) of every item of block and tail.
    growth: Vec<f64>,
    /// Decayed mass of every item of block and tail.
    masses: Vec<f64>,
}

/// Who asks, when, and whom to read.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The text.
    pub sought: &'a Sought,
    /// Whose items are left out.
    pub asking: Option<UserIx>,
    /// The moment.
    pub t: Timestamp,
    /// Communities to read beside the population.
    pub communities: &'a [CommunityIx],
    /// μ in texts.
    pub smoothing: f64,
}

/// What the terms of a text speak for.
#[derive(Clone, Debug, PartialEq)]
pub struct TermRead {
    /// E_T(y) of the population, in nats.
    pub population: Vec<f64>,
    /// The same of each community asked for.
    pub communities: Vec<Vec<f64>>,
}

impl Terms {
    /// Sums the items before `end`; those up to `until` may be read as its tail.
    pub fn close(
        population: &Population,
        features: &Features,
        communities: &Communities,
        end: Timestamp,
        until: Timestamp,
        half_life: f64,
    ) -> Self {
        let (items, until) = (population.before(end), population.before(until));
        let weighting = Weighting::of(features, items, until);
        let labels = population.labels.len();
        let growth: Vec<f64> = (0..until).map(|item| super::base::decay(population.at[item], end, half_life)).collect();
        let mut masses: Vec<f64> = (0..until).map(|item| weighting.mass(features, item)).collect();
        let text_mass = masses[..items].iter().sum::<f64>() / items.max(1) as f64;
        masses.iter_mut().zip(&growth).for_each(|(mass, growth)| *mass *= growth);

        let group = |item: ItemIx| group(communities, population, item);
        let cell = |item: ItemIx| group(item).map(|c| c * labels + population.label[item]);
        let everyone = communities.count * labels;
        let mut totals = vec![0.0; everyone + labels];
        for (item, mass) in masses.iter().enumerate().take(items) {
            if let Some(cell) = cell(item) {
                totals[cell] += mass;
            }
        }
        (0..everyone).for_each(|cell| totals[everyone + cell % labels] += totals[cell]);
        let (mut ends, mut cells) = (Vec::with_capacity(features.len()), Vec::new());
        let mut sums = vec![0.0; everyone];
        let mut all = vec![0.0; labels];
        let mut touched: Vec<usize> = Vec::new();
        let mut tails = HashMap::new();
        for feature in 0..features.len() as u32 {
            if weighting.counts(feature) {
                for (item, tf) in features.holders(feature, 0, items) {
                    let item = *item as ItemIx;
                    if let Some(cell) = cell(item) {
                        if sums[cell] == 0.0 {
                            touched.push(cell);
                        }
                        sums[cell] += weighting.weight(feature, *tf, item) * growth[item];
                    }
                }
                touched.sort_unstable();
                touched.dedup();
                let first = cells.len();
                cells.extend(touched.drain(..).map(|cell| (cell as u32, std::mem::take(&mut sums[cell]))));
                cells[first..].iter().for_each(|(cell, mass)| all[*cell as usize % labels] += mass);
                let held = (0..labels).filter(|label| all[*label] != 0.0);
                cells.extend(held.map(|label| ((everyone + label) as u32, all[label])));
                all.fill(0.0);

                let late = features.holders(feature, items, until);
                if late.len() > STRIDE {
                    let mass = |(item, tf): &Posting| {
                        weighting.weight(feature, *tf, *item as ItemIx) * growth[*item as ItemIx]
                    };
                    tails.insert(feature, Running::of(population, late, group, mass));
                }
            }
            ends.push(cells.len());
        }
        let late: Vec<Posting> = (items..until).map(|item| (item as u32, 1.0)).collect();
        let tail = Running::of(population, &late, group, |(item, _)| masses[*item as ItemIx]);
        let communities = communities.count;
        Self {
            weighting,
            end,
            half_life,
            labels,
            communities,
            items,
            ends,
            cells,
            totals,
            late,
            tail,
            tails,
            text_mass,
            growth,
            masses,
        }
    }

    /// N(w,y) of a feature in the block, by community · K + label: those of everyone, and those of communities.
    fn cells(&self, feature: u32) -> (&[(u32, f64)], &[(u32, f64)]) {
        let feature = feature as usize;
        let start = if feature == 0 { 0 } else { self.ends[feature - 1] };
        let cells = &self.cells[start..self.ends[feature]];
        let everyone = (self.communities * self.labels) as u32;
        let count = cells.iter().rev().take_while(|(cell, _)| *cell >= everyone).count();
        let (communities, everyone) = cells.split_at(cells.len() - count);
        (everyone, communities)
    }

    /// The block's mass of `wanted` features and of all texts, and what the items that are `counted` put into it.
    pub(super) fn mass(
        &self,
        population: &Population,
        features: &Features,
        communities: &Communities,
        wanted: &[u32],
        counted: impl Fn(ItemIx) -> bool,
    ) -> (f64, f64) {
        let counts = |item: ItemIx| counted(item) && group(communities, population, item).is_some();
        let held: f64 = wanted.iter().flat_map(|feature| self.cells(*feature).0).map(|(_, mass)| mass).sum();
        let whole = self.totals[self.communities * self.labels..].iter().sum::<f64>() + held;
        let mut accounted: f64 = (0..self.items).filter(|item| counts(*item)).map(|item| self.masses[item]).sum();
        for feature in wanted.iter().filter(|feature| self.weighting.counts(**feature)) {
            let holders = features.holders(*feature, 0, self.items).iter().map(|(item, tf)| (*item as ItemIx, *tf));
            let mass = |(item, tf): (ItemIx, f32)| self.weighting.weight(*feature, tf, item) * self.growth[item];
            accounted += holders.filter(|(item, _)| counts(*item)).map(mass).sum::<f64>();
        }
        (whole, accounted)
    }

    /// What others' use of the query's terms speaks for. Nothing before the first period's end.
    pub fn read(
        &self,
        population: &Population,
        features: &Features,
        communities: &Communities,
        question: Question,
    ) -> TermRead {
        let Question { sought, asking, t, communities: wanted, smoothing } = question;
        let labels = self.labels;
        let silent = vec![0.0; labels];
        if self.items == 0 || sought.vector.is_empty() {
            return TermRead { population: silent.clone(), communities: vec![silent; wanted.len()] };
        }
        let before = population.before(t);
        let group = |item: ItemIx| group(communities, population, item);
        let mut all = Sums::new(sought.vector.len(), labels);
        let mut groups = vec![all.clone(); wanted.len()];
        let mut late = vec![0.0; labels];
        let add = |sums: &mut [f64], late: &[f64]| sums.iter_mut().zip(late).for_each(|(sum, late)| *sum += late);

        let mass = |(item, _): &Posting| self.masses[*item as ItemIx];
        let block = |community: usize| &self.totals[community * labels..(community + 1) * labels];
        self.tail.everyone.read(population, &self.late[..before - self.items], mass, &mut late);
        all.totals.copy_from_slice(block(self.communities));
        add(&mut all.totals, &late);
        for (community, sums) in wanted.iter().zip(&mut groups) {
            self.tail.read(population, *community, before, mass, &mut late);
            sums.totals.copy_from_slice(block(*community));
            add(&mut sums.totals, &late);
        }
        for (place, (feature, _)) in sought.vector.iter().enumerate() {
            let at = place * labels..(place + 1) * labels;
            let mass = |(item, tf): &Posting| {
                self.weighting.weight(*feature, *tf, *item as ItemIx) * self.growth[*item as ItemIx]
            };
            let (everyone, by_community) = self.cells(*feature);
            everyone.iter().for_each(|(cell, mass)| all.terms[at.start + *cell as usize % labels] = *mass);
            let held = features.holders(*feature, self.items, before);
            let tail = self.tails.get(feature);
            match tail {
                Some(tail) => tail.everyone.read(population, held, mass, &mut late),
                None => {
                    late.fill(0.0);
                    running::add(population, held.iter(), mass, &mut late);
                }
            }
            add(&mut all.terms[at.clone()], &late);
            for (community, sums) in wanted.iter().zip(&mut groups) {
                let first = (community * labels) as u32;
                let from = by_community.partition_point(|(cell, _)| *cell < first);
                for (cell, mass) in by_community[from..].iter().take_while(|(cell, _)| *cell < first + labels as u32) {
                    sums.terms[at.start + (*cell - first) as usize] = *mass;
                }
                match tail {
                    Some(tail) => tail.read(population, *community, before, mass, &mut late),
                    None => {
                        late.fill(0.0);
                        let theirs = held.iter().filter(|(item, _)| group(*item as ItemIx) == Some(*community));
                        running::add(population, theirs, mass, &mut late);
                    }
                }
                add(&mut sums.terms[at.clone()], &late);
            }
        }
        let home = asking.and_then(|user| communities.of.get(user).copied().flatten());
        let own_group = wanted.iter().position(|community| home == Some(*community));
        for &item in population.visible(asking, t) {
            let (label, growth) = (population.label[item], self.growth[item]);
            let subtract = |sums: &mut Sums| {
                sums.totals[label] -= self.masses[item];
                sought.meet(features, &self.weighting, item, |place, weight| {
                    sums.terms[place * labels + label] -= weight * growth;
                });
            };
            subtract(&mut all);
            if let Some(slot) = own_group {
                subtract(&mut groups[slot]);
            }
        }

        // Sums are as of the period's end; what has passed since is one factor.
        let decay = super::base::decay(self.end, t, self.half_life);
        let (mu, mu_c) = (smoothing * self.text_mass, COMMUNITY_TEXTS * self.text_mass);
        all.settle(decay);
        groups.iter_mut().for_each(|sums| sums.settle(decay));
        self.weigh(sought, &all, &groups, mu, mu_c)
    }

    fn weigh(&self, sought: &Sought, all: &Sums, groups: &[Sums], mu: f64, mu_c: f64) -> TermRead {
        let labels = self.labels;
        let everything: f64 = all.totals.iter().sum();
        // What a term says for a label that nobody gave to a text with it: most logarithms, and the same for all terms.
        let unused = |sums: &Sums, mu: f64| -> Vec<f64> { sums.totals.iter().map(|n| (mu / (n + mu)).ln()).collect() };
        let unused_by_all = unused(all, mu);
        let unused_by: Vec<Vec<f64>> = groups.iter().map(|sums| unused(sums, mu_c)).collect();
        let mut read = TermRead { population: vec![0.0; labels], communities: vec![vec![0.0; labels]; groups.len()] };
        for (place, (_, weight)) in sought.vector.iter().enumerate() {
            let used = &all.terms[place * labels..(place + 1) * labels];
            let mass: f64 = used.iter().sum();
            if mass <= DUST * self.text_mass {
                continue;
            }
            let background = mass / everything;
            for y in 0..labels {
                let p = (used[y] + mu * background) / (all.totals[y] + mu);
                let told = if used[y] == 0.0 { unused_by_all[y] } else { (p / background).ln() };
                read.population[y] += weight * told;
                for ((sums, unused), read) in groups.iter().zip(&unused_by).zip(&mut read.communities) {
                    let used = sums.terms[place * labels + y];
                    let told = match used {
                        0.0 => told + unused[y],
                        _ => ((used + mu_c * p) / (sums.totals[y] + mu_c) / background).ln(),
                    };
                    read[y] += weight * told;
                }
            }
        }
        read
    }
}

/// N(w,y) of the query's terms and N(y).
#[derive(Clone)]
struct Sums {
    /// Place in the query · K + label.
    terms: Vec<f64>,
    totals: Vec<f64>,
}

impl Sums {
    fn new(terms: usize, labels: usize) -> Self {
        Self { terms: vec![0.0; terms * labels], totals: vec![0.0; labels] }
    }

    /// Applies decay, and drops the negative dust of a subtraction.
    fn settle(&mut self, decay: f64) {
        self.terms.iter_mut().chain(&mut self.totals).for_each(|sum| *sum = (*sum * decay).max(0.0));
    }
}

/// Whose community an item belongs to; `None` before anyone was grouped.
fn group(communities: &Communities, population: &Population, item: ItemIx) -> Option<CommunityIx> {
    communities.of.get(population.user[item]).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synth::{Parameters, population};
    use crate::memory::embed::HashEmbedder;

    const SMOOTHING: f64 = 70.0;

    /// A read of terms that end at `end`, over the items before `until`.
    fn read(dataset: &crate::data::dataset::Dataset, until: Timestamp, asked: usize) -> (Population, TermRead) {
        let mut dataset = dataset.clone();
        dataset.interactions.retain(|i| i.at < until);
        let population = Population::new(&dataset, &HashEmbedder::default());
        let features = Features::of(population.text.iter());
        let (end, t) = (population.at[600], population.at[asked]);
        let communities = Communities::next(&population, population.before(end), &Communities::default(), 7);
        let terms = Terms::close(&population, &features, &communities, end, until, 730.0);
        let many = population.before(until) > 1000;
        assert!(!many || !terms.tails.is_empty(), "some words are in more than a stride of the tail");
        let before = population.before(t);
        let sought = Sought::new(&features, &terms.weighting, features.of_item(asked), before);
        let every: Vec<usize> = (0..communities.count).collect();
        let asking = Some(population.user[asked]);
        let question = Question { sought: &sought, asking, t, communities: &every, smoothing: SMOOTHING };
        let read = terms.read(&population, &features, &communities, question);

        // The same, one item after another.
        let labels = population.labels.len();
        let mut totals = vec![0.0; labels];
        let mut used = vec![vec![0.0; labels]; sought.vector.len()];
        for item in (0..before).filter(|item| Some(population.user[*item]) != asking) {
            let decay = super::super::base::decay(population.at[item], t, 730.0);
            totals[population.label[item]] += terms.weighting.mass(&features, item) * decay;
            sought.meet(&features, &terms.weighting, item, |place, weight| {
                used[place][population.label[item]] += weight * decay;
            });
        }
        let mu = SMOOTHING * terms.text_mass;
        let everything: f64 = totals.iter().sum();
        for y in 0..labels {
            let mut expected = 0.0;
            for (used, (_, weight)) in used.iter().zip(&sought.vector) {
                let background = used.iter().sum::<f64>() / everything;
                if background > 1e-12 {
                    expected += weight * ((used[y] + mu * background) / (totals[y] + mu) / background).ln();
                }
            }
            assert!((read.population[y] - expected).abs() < 1e-9, "{} is not {expected}", read.population[y]);
        }
        (population, read)
    }

    /// A tail with marks reads like the items one by one, and marks made of what comes later change no bit of it.
    #[test]
    fn running_sums_are_sums_and_know_no_future() {
        let parameters = Parameters { seed: 9001, users: 60, ..Parameters::default() };
        let (dataset, _) = population(&parameters);
        let all = dataset.interactions.len();
        assert!(all > 1500, "{all}");
        for asked in [650, 900, all - 40] {
            let (population, whole) = read(&dataset, dataset.end(), asked);
            let next = Timestamp(population.at[asked].0 + 1);
            let (_, past) = read(&dataset, next, asked);
            assert_eq!(whole.population, past.population);
            for community in 0..whole.communities.len() {
                assert_eq!(whole.communities[community], past.communities[community]);
            }
        }
    }
}
