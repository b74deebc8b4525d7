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
//! person put into either.

use super::community::{Communities, CommunityIx};
use super::features::{Features, Sought, Weighting};
use super::population::{ItemIx, Population, UserIx};
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
    /// Per feature, `(community · K + label, mass)`, ascending.
    ends: Vec<usize>,
    cells: Vec<(u32, f64)>,
    /// N(y) per community · K + label.
    totals: Vec<f64>,
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

        // Ratings have no communities: nobody is in one.
        let community = |item: ItemIx| communities.of.get(population.user[item]).copied().flatten();
        let cell = |item: ItemIx| community(item).map(|c| c * labels + population.label[item]);
        let mut totals = vec![0.0; communities.count * labels];
        for (item, mass) in masses.iter().enumerate().take(items) {
            if let Some(cell) = cell(item) {
                totals[cell] += mass;
            }
        }
        let (mut ends, mut cells) = (Vec::with_capacity(features.len()), Vec::new());
        let mut sums = vec![0.0; totals.len()];
        let mut touched: Vec<usize> = Vec::new();
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
                cells.extend(touched.drain(..).map(|cell| (cell as u32, std::mem::take(&mut sums[cell]))));
            }
            ends.push(cells.len());
        }
        Self { weighting, end, half_life, labels, items, ends, cells, totals, text_mass, growth, masses }
    }

    fn cells(&self, feature: u32) -> &[(u32, f64)] {
        let feature = feature as usize;
        let start = if feature == 0 { 0 } else { self.ends[feature - 1] };
        &self.cells[start..self.ends[feature]]
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
        let counts = |item: ItemIx| counted(item) && communities.of[population.user[item]].is_some();
        let held: f64 = wanted.iter().flat_map(|feature| self.cells(*feature)).map(|(_, mass)| mass).sum();
        let whole = self.totals.iter().sum::<f64>() + held;
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
        let mut slots: Vec<Option<usize>> = vec![None; communities.count];
        wanted.iter().enumerate().for_each(|(slot, community)| slots[*community] = Some(slot));
        let group = |user: UserIx| communities.of[user].and_then(|community| slots[community]);
        let mut all = Sums::new(sought.vector.len(), labels);
        let mut groups = vec![all.clone(); wanted.len()];

        for (cell, mass) in self.totals.iter().enumerate() {
            all.totals[cell % labels] += mass;
            if let Some(slot) = slots[cell / labels] {
                groups[slot].totals[cell % labels] += mass;
            }
        }
        for item in self.items..before {
            let (label, mass) = (population.label[item], self.masses[item]);
            all.totals[label] += mass;
            if let Some(slot) = group(population.user[item]) {
                groups[slot].totals[label] += mass;
            }
        }
        for (place, (feature, _)) in sought.vector.iter().enumerate() {
            let at = place * labels;
            for (cell, mass) in self.cells(*feature) {
                let (community, label) = (*cell as usize / labels, *cell as usize % labels);
                all.terms[at + label] += mass;
                if let Some(slot) = slots[community] {
                    groups[slot].terms[at + label] += mass;
                }
            }
            for (item, tf) in features.holders(*feature, self.items, before) {
                let item = *item as ItemIx;
                let mass = self.weighting.weight(*feature, *tf, item) * self.growth[item];
                all.terms[at + population.label[item]] += mass;
                if let Some(slot) = group(population.user[item]) {
                    groups[slot].terms[at + population.label[item]] += mass;
                }
            }
        }
        let own_group = asking.and_then(group);
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
                read.population[y] += weight * (p / background).ln();
                for (sums, read) in groups.iter().zip(&mut read.communities) {
                    let p = (sums.terms[place * labels + y] + mu_c * p) / (sums.totals[y] + mu_c);
                    read[y] += weight * (p / background).ln();
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
