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
//! costs no more than an early one. So many half-lives after the end that such a sum would outgrow its number, the block is
//! nothing, and so is most of the tail: what is left of it is added up item by item as of t.

use super::column::{Column, Lists, Sink, Slab, Source};
use super::community::{Communities, CommunityIx};
use super::features::{Features, Sought, Weighting};
use super::population::{ItemIx, Population, UserIx};
use super::running::{Lanes, Posting, Running};
use crate::data::interaction::Timestamp;

/// μ_c: how many texts of the population's are mixed into a community's.
const COMMUNITY_TEXTS: f64 = 25.0;
/// Less mass than this, in texts, is what rounding leaves of a subtraction.
const DUST: f64 = 1e-9;
/// Running sums are read as long as an item of the moment adds no more than this: some thousand half-lives from the
/// period's end on, with room for the sum of any number of items.
const MOST_GROWTH: f64 = 1e290;
/// Postings of as many features are sorted at once when a period closes: what that takes in memory.
const SORTED_AT_ONCE: usize = 8 << 20;
/// Where there are very many, the items are gone through so many times at most.
const PASSES: usize = 8;

/// Sums as of a period's end, and those of what came later.
pub struct Terms {
    /// Weights of features as of the end.
    pub weighting: Weighting,
    closing: Closing,
    labels: usize,
    communities: usize,
    /// Per feature community · K + label, ascending; those of all communities together first, the number of communities
    /// standing for them.
    cells: Lists<u32>,
    /// The mass of each cell.
    masses: Slab<f64>,
    /// N(y) per community · K + label; all communities last.
    totals: Slab<f64>,
    /// Mean mass of one text.
    text_mass: f64,
    /// Decayed mass of every item of block and tail.
    item_masses: Column<f64>,
    /// Running sums of the tail, by feature; of all features together last.
    tail: Running,
}

/// Of what sums are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closing {
    /// The period's end.
    pub end: Timestamp,
    /// Items before it: the block is `0..items`, and the tail begins there.
    pub items: ItemIx,
    /// Half-life of a weight in days.
    pub half_life: f64,
}

impl Closing {
    /// 2^((t_j − end)/h), of what comes later than running sums are read no more than they hold.
    fn growth(&self, population: &Population, item: ItemIx) -> f64 {
        super::base::decay(population.at[item], self.end, self.half_life).min(MOST_GROWTH)
    }

    /// Whether running sums are of no use at `t`: nothing from before the end is left then.
    fn is_outgrown(&self, t: Timestamp) -> bool {
        super::base::decay(t, self.end, self.half_life) > MOST_GROWTH
    }
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
    /// Sums the items before the end; those from there up to `until` may be read as its tail.
    pub fn close(
        population: &Population,
        features: &Features,
        communities: &Communities,
        closing: Closing,
        until: ItemIx,
    ) -> Self {
        let items = closing.items;
        let mut terms = Self {
            weighting: Weighting::of(features, items, until),
            closing,
            labels: population.labels.len(),
            communities: communities.count,
            cells: Lists::default(),
            masses: Slab::default(),
            totals: Slab::default(),
            text_mass: 0.0,
            item_masses: Column::default(),
            tail: Running::default(),
        };
        let mut mass = 0.0;
        for item in 0..until {
            let own = terms.weighting.mass(features, item);
            mass += if item < items { own } else { 0.0 };
            terms.item_masses.push(own * closing.growth(population, item));
        }
        terms.item_masses.settle();
        terms.text_mass = mass / items.max(1) as f64;
        terms.sum_block(population, features, communities);
        if items > 0 {
            let (weighting, masses) = (&terms.weighting, &terms.item_masses);
            let all = features.before(items);
            terms.tail = Running::of(all + 1, terms.labels, communities.count, |take| {
                for item in items..until {
                    let late = Late { population, communities, closing, item };
                    late.postings(features, weighting, masses[item], all, &mut *take);
                }
            });
        }
        terms
    }

    fn sum_block(&mut self, population: &Population, features: &Features, communities: &Communities) {
        let (items, labels) = (self.closing.items, self.labels);
        let everyone = communities.count * labels;
        let cell_of = |item: ItemIx| Some(group(communities, population, item)? * labels + population.label[item]);
        let mut totals = vec![0.0; everyone + labels];
        for item in 0..items {
            if let Some(cell) = cell_of(item) {
                totals[cell] += self.item_masses[item];
            }
        }
        (0..everyone).for_each(|cell| totals[everyone + cell % labels] += totals[cell]);
        self.totals = totals.into();

        let count = features.before(items);
        let mut held = vec![0usize; count];
        for item in 0..items {
            features.of_item(item).for_each(|(feature, _)| held[feature as usize] += 1);
        }
        let at_once = SORTED_AT_ONCE.max(held.iter().sum::<usize>() / PASSES);
        let (mut ends, mut cells, mut masses) = (Vec::with_capacity(count), Vec::new(), Vec::new());
        let mut sums = vec![0.0; everyone];
        let mut touched: Vec<usize> = Vec::new();
        let mut first = 0;
        while first < count {
            // Some features at a time: their postings, each list ascending by item.
            let mut starts = vec![0usize];
            while first + starts.len() - 1 < count && starts[starts.len() - 1] < at_once {
                starts.push(starts[starts.len() - 1] + held[first + starts.len() - 1]);
            }
            let some = first..first + starts.len() - 1;
            let mut postings = vec![(0u32, 0f32); starts[some.len()]];
            let mut next = starts.clone();
            for item in 0..items {
                for (feature, tf) in features.of_item(item).filter(|(feature, _)| some.contains(&(*feature as usize))) {
                    let slot = &mut next[feature as usize - some.start];
                    postings[*slot] = (item as u32, tf);
                    *slot += 1;
                }
            }
            for feature in some.clone() {
                let number = feature - some.start;
                let holders = &postings[starts[number]..starts[number + 1]];
                let holders = if self.weighting.counts(feature as u32) { holders } else { &[] };
                for (item, tf) in holders {
                    let item = *item as ItemIx;
                    if let Some(cell) = cell_of(item) {
                        if sums[cell] == 0.0 {
                            touched.push(cell);
                        }
                        let growth = self.closing.growth(population, item);
                        sums[cell] += self.weighting.weight(feature as u32, *tf, item) * growth;
                    }
                }
                touched.sort_unstable();
                touched.dedup();
                let mut all = vec![0.0; labels];
                touched.iter().for_each(|cell| all[cell % labels] += sums[*cell]);
                for label in (0..labels).filter(|label| all[*label] != 0.0) {
                    cells.push((everyone + label) as u32);
                    masses.push(all[label]);
                }
                for cell in touched.drain(..) {
                    cells.push(cell as u32);
                    masses.push(std::mem::take(&mut sums[cell]));
                }
                ends.push(cells.len());
            }
            first = some.end;
        }
        self.cells = Lists::new(ends.into(), cells.into());
        self.masses = masses.into();
    }

    /// Adds what `features` knows beyond the items that are known here, up to `until`, to the tail.
    pub(super) fn extend(
        &mut self,
        population: &Population,
        features: &Features,
        communities: &Communities,
        until: ItemIx,
    ) {
        let known = self.item_masses.len();
        self.weighting.extend(features, until);
        for item in known..until {
            let late = Late { population, communities, closing: self.closing, item };
            let mass = self.weighting.mass(features, item) * self.closing.growth(population, item);
            self.item_masses.push(mass);
            if self.closing.items > 0 {
                let (all, tail) = (features.before(self.closing.items), &mut self.tail);
                late.postings(features, &self.weighting, mass, all, |list, posting| tail.push(list, posting));
            }
        }
    }

    /// Writes what does not change any more.
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        self.weighting.write(sink)?;
        sink.lists("cells", self.cells.base())?;
        sink.column("masses", &self.masses)?;
        sink.column("totals", &self.totals)?;
        sink.column("text-mass", &[self.text_mass])?;
        sink.column("item-masses", self.item_masses.base())?;
        self.tail.write(sink)
    }

    /// Sums of a block that is not empty, as they were written.
    pub(super) fn read_from<S: Source>(
        source: &S,
        closing: Closing,
        labels: usize,
        communities: usize,
    ) -> Result<Self, S::Error> {
        Ok(Self {
            weighting: Weighting::read(source)?,
            closing,
            labels,
            communities,
            cells: source.lists("cells")?,
            masses: source.column("masses")?,
            totals: source.column("totals")?,
            text_mass: source.column::<f64>("text-mass")?.first().copied().unwrap_or_default(),
            item_masses: source.column::<f64>("item-masses")?.into(),
            tail: Running::read_from(source, labels, communities)?,
        })
    }

    /// N(w,y) of a feature in the block, by community · K + label: those of everyone, and those of communities.
    fn cells(&self, feature: u32) -> [(&[u32], &[f64]); 2] {
        let feature = feature as usize;
        if feature >= self.cells.len() {
            return [(&[], &[]); 2];
        }
        let range = self.cells.range(feature);
        let (cells, masses) = (&self.cells[feature], &self.masses[range]);
        let everyone = (self.communities * self.labels) as u32;
        let count = cells.iter().take_while(|cell| **cell >= everyone).count();
        let ((all, others), (all_masses, other_masses)) = (cells.split_at(count), masses.split_at(count));
        [(all, all_masses), (others, other_masses)]
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
        let held: f64 = wanted.iter().flat_map(|feature| self.cells(*feature)[0].1).sum();
        let whole = self.totals[self.communities * self.labels..].iter().sum::<f64>() + held;
        let mut accounted = 0.0;
        for item in (0..self.closing.items).filter(|item| counts(*item)) {
            let growth = self.closing.growth(population, item);
            let theirs = features.of_item(item).filter(|(feature, _)| wanted.binary_search(feature).is_ok());
            let mass = |(feature, tf)| self.weighting.weight(feature, tf, item) * growth;
            accounted += self.item_masses[item] + theirs.map(mass).sum::<f64>();
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
        let Question { sought, asking, t, communities: wanted, .. } = question;
        let labels = self.labels;
        let silent = vec![0.0; labels];
        if self.closing.items == 0 || labels == 0 || sought.vector.is_empty() {
            return TermRead { population: silent.clone(), communities: vec![silent; wanted.len()] };
        }
        if self.closing.is_outgrown(t) {
            return self.read_late(population, features, communities, question);
        }
        let before = population.before(t);
        let lanes = Lanes::new(labels, self.communities, wanted);
        let width = lanes.width();
        let mut late = lanes.sums();
        let add = |sums: &mut [f64], late: &[f64]| sums.iter_mut().zip(late).for_each(|(sum, late)| *sum += late);
        // Sums are as of the period's end; what has passed since is one factor. A subtraction may leave negative dust.
        let decay = super::base::decay(self.closing.end, t, self.closing.half_life);
        let settle = |sums: &mut [f64]| sums.iter_mut().for_each(|sum| *sum = (*sum * decay).max(0.0));
        let mut totals = vec![0.0; width];
        for (lane, community) in totals.chunks_exact_mut(labels).zip(std::iter::once(&self.communities).chain(wanted)) {
            lane.copy_from_slice(&self.totals[community * labels..(community + 1) * labels]);
        }
        self.tail.read(self.weighting.known(), before, &lanes, &mut late);
        add(&mut totals, &late[..width]);
        let home = asking.and_then(|user| communities.of.get(user).copied().flatten());
        let home = wanted.iter().position(|community| home == Some(*community)).map(|lane| (lane + 1) * labels);
        // What the asking person put into each term, in the order of their items.
        let mut own: Vec<(usize, usize, f64)> = Vec::new();
        for &item in population.visible(asking, t) {
            let (label, growth) = (population.label[item], self.closing.growth(population, item));
            totals[label] -= self.item_masses[item];
            home.into_iter().for_each(|lane| totals[lane + label] -= self.item_masses[item]);
            sought.meet(features, &self.weighting, item, |term, weight| own.push((term, label, weight * growth)));
        }
        own.sort_by_key(|(term, _, _)| *term);
        settle(&mut totals);

        let mut own = own.as_slice();
        self.told(question, &totals, |term, feature, sums| {
            self.block(feature, wanted, sums);
            self.tail.read(feature as usize, before, &lanes, &mut late);
            add(sums, &late[..width]);
            let theirs = own.iter().take_while(|(other, _, _)| *other == term).count();
            for (_, label, mass) in &own[..theirs] {
                sums[*label] -= mass;
                home.into_iter().for_each(|lane| sums[lane + label] -= mass);
            }
            own = &own[theirs..];
            settle(sums);
        })
    }

    /// The same where running sums are of no use: others' items of late, as far back as anything is left of them.
    fn read_late(
        &self,
        population: &Population,
        features: &Features,
        communities: &Communities,
        question: Question,
    ) -> TermRead {
        let Question { sought, asking, t, communities: wanted, .. } = question;
        let lanes = Lanes::new(self.labels, self.communities, wanted);
        let mut totals = lanes.sums();
        let mut sums = vec![lanes.sums(); sought.vector.len()];
        let aged = |item: ItemIx| (item, super::base::decay(population.at[item], t, self.closing.half_life));
        let items = (self.closing.items..population.before(t)).rev().map(aged);
        let left = items.take_while(|(_, decay)| *decay > 0.0);
        for (item, decay) in left.filter(|(item, _)| Some(population.user[*item]) != asking) {
            let cell = Late { population, communities, closing: self.closing, item }.cell();
            let posting = |weight: f64| Posting { mass: weight * decay, item: item as u32, cell };
            lanes.add(&posting(self.weighting.mass(features, item)), &mut totals);
            sought.meet(features, &self.weighting, item, |term, weight| lanes.add(&posting(weight), &mut sums[term]));
        }
        let width = lanes.width();
        self.told(question, &totals[..width], |term, _, used| used.copy_from_slice(&sums[term][..width]))
    }

    /// What the terms of a question speak for beside the `totals`; `sum` fills in the masses of one after another.
    fn told(&self, question: Question, totals: &[f64], mut sum: impl FnMut(usize, u32, &mut [f64])) -> TermRead {
        let (labels, width, mass) = (self.labels, totals.len(), self.text_mass);
        let weighing = Weighing::new(labels, totals, question.smoothing * mass, COMMUNITY_TEXTS * mass);
        let (mut read, mut sums) = (vec![0.0; width], vec![0.0; width]);
        let (mut told, mut smooth) = (vec![0.0; labels], vec![0.0; labels]);
        for (term, (feature, weight)) in question.sought.vector.iter().enumerate() {
            sum(term, *feature, &mut sums);
            if sums[..labels].iter().sum::<f64>() > DUST * mass {
                weighing.weigh(*weight, &sums, &mut read, &mut told, &mut smooth);
            }
        }
        let (population, communities) = read.split_at(labels);
        let communities = communities.chunks_exact(labels).map(<[f64]>::to_vec).collect();
        TermRead { population: population.to_vec(), communities }
    }

    /// N(w,y) of a feature in the block, of everyone and of the communities `wanted`.
    fn block(&self, feature: u32, wanted: &[CommunityIx], sums: &mut [f64]) {
        let labels = self.labels;
        let [(everyone, masses), (cells, cell_masses)] = self.cells(feature);
        let first = (self.communities * labels) as u32;
        sums.fill(0.0);
        everyone.iter().zip(masses).for_each(|(cell, mass)| sums[(*cell - first) as usize] = *mass);
        for (community, sums) in wanted.iter().zip(sums[labels..].chunks_exact_mut(labels)) {
            let first = (community * labels) as u32;
            // Where most communities used most labels, a cell lies about where its number says.
            let guess = cells.len() * first as usize / (self.communities * labels);
            let ahead = cells[guess..].iter().take_while(|cell| **cell < first).count();
            let behind = cells[..guess].iter().rev().take_while(|cell| **cell >= first).count();
            let from = guess + ahead - behind;
            let held = cells[from..].iter().take_while(|cell| **cell < first + labels as u32);
            held.zip(&cell_masses[from..]).for_each(|(cell, mass)| sums[(*cell - first) as usize] = *mass);
        }
    }
}

/// N(y) of everyone and of communities, as far as it is the same for every term.
struct Weighing {
    labels: usize,
    everything: f64,
    mu: f64,
    mu_c: f64,
    /// 1/(N(y) + μ) of everyone, then 1/(N_c(y) + μ_c) of each community.
    shares: Vec<f64>,
    /// What a term says for a label that nobody gave to a text with it.
    unused: Vec<f64>,
}

impl Weighing {
    fn new(labels: usize, totals: &[f64], mu: f64, mu_c: f64) -> Self {
        let prior = |place: usize| if place < labels { mu } else { mu_c };
        let shares: Vec<f64> = totals.iter().enumerate().map(|(place, n)| 1.0 / (n + prior(place))).collect();
        let unused = shares.iter().enumerate().map(|(place, share)| (prior(place) * share).ln()).collect();
        Self { labels, everything: totals[..labels].iter().sum(), mu, mu_c, shares, unused }
    }

    /// Adds what a term with the masses `used` says to `read`. `told` and `smooth` are room for a number a label.
    fn weigh(&self, weight: f64, used: &[f64], read: &mut [f64], told: &mut [f64], smooth: &mut [f64]) {
        let labels = self.labels;
        let background = used[..labels].iter().sum::<f64>() / self.everything;
        let rarity = 1.0 / background;
        for y in 0..labels {
            let p = (used[y] + self.mu * background) * self.shares[y];
            told[y] = if used[y] == 0.0 { self.unused[y] } else { (p * rarity).ln() };
            smooth[y] = self.mu_c * p;
            read[y] += weight * told[y];
        }
        let lanes =
            self.shares.chunks_exact(labels).zip(self.unused.chunks_exact(labels)).zip(used.chunks_exact(labels));
        for (((shares, unused), used), read) in lanes.zip(read.chunks_exact_mut(labels)).skip(1) {
            for y in 0..labels {
                let told = match used[y] {
                    0.0 => told[y] + unused[y],
                    used => ((used + smooth[y]) * shares[y] * rarity).ln(),
                };
                read[y] += weight * told;
            }
        }
    }
}

/// An item of the tail.
struct Late<'a> {
    population: &'a Population,
    communities: &'a Communities,
    closing: Closing,
    item: ItemIx,
}

impl Late<'_> {
    /// Where it is added.
    fn cell(&self) -> u32 {
        let Self { population, communities, item, .. } = *self;
        let group = group(communities, population, item).unwrap_or(communities.count);
        (group * population.labels.len() + population.label[item]) as u32
    }

    /// What it adds to the list of each feature that counts, and its `mass` to that of `all`.
    fn postings(
        &self,
        features: &Features,
        weighting: &Weighting,
        mass: f64,
        all: usize,
        mut take: impl FnMut(usize, Posting),
    ) {
        let Self { population, closing, item, .. } = *self;
        let (growth, cell) = (closing.growth(population, item), self.cell());
        for (feature, tf) in features.of_item(item).filter(|(feature, _)| weighting.counts(*feature)) {
            let mass = weighting.weight(feature, tf, item) * growth;
            take(feature as usize, Posting { mass, item: item as u32, cell });
        }
        take(all, Posting { mass, item: item as u32, cell });
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

    /// A read of terms that end at the 600th item, over the items before `until`, each losing half its weight in so many days.
    fn read(
        dataset: &crate::data::dataset::Dataset,
        until: Timestamp,
        asked: usize,
        half_life: f64,
    ) -> (Population, TermRead) {
        let mut dataset = dataset.clone();
        dataset.interactions.retain(|i| i.at < until);
        let population = Population::new(&dataset, &HashEmbedder::default());
        let features = Features::of(population.text.iter());
        let (end, t) = (population.at[600], population.at[asked]);
        let communities = Communities::next(&population, population.before(end), &Communities::default(), None, 7);
        let closing = Closing { end, items: population.before(end), half_life };
        let terms = Terms::close(&population, &features, &communities, closing, population.before(until));
        let before = population.before(t);
        let sought = Sought::new(&features, &terms.weighting, &features.of_item(asked).collect::<Vec<_>>(), before);
        let every: Vec<usize> = (0..communities.count).collect();
        let asking = Some(population.user[asked]);
        let question = Question { sought: &sought, asking, t, communities: &every, smoothing: SMOOTHING };
        let read = terms.read(&population, &features, &communities, question);
        if super::super::base::decay(end, t, half_life) < 1e-30 {
            // Where nothing is left of the block, what came late says all there is to say, of communities as well.
            let late = terms.read_late(&population, &features, &communities, question);
            let all = |read: &TermRead| [&read.population[..], &read.communities.concat()].concat();
            for (told, expected) in all(&read).into_iter().zip(all(&late)) {
                assert!((told - expected).abs() < 1e-9, "{told} is not {expected}");
            }
        }

        // The same, one item after another.
        let labels = population.labels.len();
        let mut totals = vec![0.0; labels];
        let mut used = vec![vec![0.0; labels]; sought.vector.len()];
        for item in (0..before).filter(|item| Some(population.user[*item]) != asking) {
            let decay = super::super::base::decay(population.at[item], t, half_life);
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
                if background * everything > DUST * terms.text_mass {
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
            let (population, whole) = read(&dataset, dataset.end(), asked, 730.0);
            let next = Timestamp(population.at[asked].0 + 1);
            let (_, past) = read(&dataset, next, asked, 730.0);
            assert_eq!(whole.population, past.population);
            for community in 0..whole.communities.len() {
                assert_eq!(whole.communities[community], past.communities[community]);
            }
        }
    }

    /// However many half-lives a period lasts, what came late in it is heard and nothing else is.
    #[test]
    fn a_long_tail_of_short_half_lives_is_read() {
        let (dataset, _) = population(&Parameters { seed: 9001, users: 60, ..Parameters::default() });
        let asked = [900, dataset.interactions.len() - 40];
        for half_lives in [500.0, 950.0, 980.0, 1100.0, 5000.0] {
            let heard = asked.map(|asked| {
                let days = dataset.interactions[asked].at.days_since(dataset.interactions[600].at);
                let (_, read) = read(&dataset, dataset.end(), asked, days / half_lives);
                read.population.iter().map(|e| e.abs()).fold(0.0, f64::max)
            });
            // Of five half-lives an item next to nothing may be left.
            assert!(half_lives > 2000.0 || heard.iter().any(|e| *e > 1e-9), "{half_lives}: {heard:?}");
        }
    }
}
