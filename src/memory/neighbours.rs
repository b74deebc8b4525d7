//! Collective neighbours: what others answered to the most similar texts.
//!
//! V(y) = Σ over the k most similar items of others of s_j · 2^(−age_j/h) \[y_j = y\], each contributor cut to a tenth of
//! the uncut ΣV; with fewer contributors than the guard that have some part in it V = 0. A collective entry formed at query time: only the label distribution
//! leaves this module, no person's text.
//!
//! A community has neighbours of its own: the nearest texts of its members, however near those of others are. They say what
//! its people answer to this query where its entries, formed before anybody asked, only say what they answer to their like.
//!
//! Exact: s_j is the cosine over all features, summed along their postings and divided by the text's length once.

use std::cmp::Ordering;

use super::base::decay;
use super::community::{Communities, CommunityIx};
use super::features::{Features, Sought, Weighting};
use super::guard::{self, Contribution, Guarded};
use super::population::{ItemIx, Population, UserIx};
use crate::data::interaction::Timestamp;

/// More items than this are not scanned at a read; collective entries take the neighbours' place.
pub const MOST_ITEMS: usize = 100_000;

/// How fast neighbours' votes age, and how many people they have to be.
#[derive(Clone, Copy, Debug)]
pub struct Vicinity {
    /// h in days.
    pub half_life: f64,
    /// Fewest distinct contributors.
    pub guard: usize,
}

/// How many texts of a community are its nearest.
const OF_COMMUNITY: usize = 30;

/// How like the query every item is, before it is divided by its text's length.
pub struct Likenesses<'a> {
    population: &'a Population,
    weighting: &'a Weighting,
    sums: Vec<f64>,
}

impl<'a> Likenesses<'a> {
    /// Of the items before `before`, of which there are [`MOST_ITEMS`] at most, those of `asking` aside.
    pub fn of(
        population: &'a Population,
        features: &Features,
        weighting: &'a Weighting,
        sought: &Sought,
        asking: Option<UserIx>,
        before: ItemIx,
    ) -> Self {
        let mut sums = vec![0.0f64; before];
        for (feature, weight) in &sought.vector {
            let weight = weight * weighting.idf(*feature);
            for (item, tf) in features.holders(*feature, before) {
                sums[item as usize] += weight * f64::from(tf);
            }
        }
        let own = asking.map_or(&[][..], |user| &population.items_of[user]);
        own.iter().take_while(|item| **item < before).for_each(|item| sums[*item] = 0.0);
        Self { population, weighting, sums }
    }

    /// The `count` most similar items, each with its cosine > 0; among equals the newer one.
    pub fn nearest(&self, count: usize) -> Vec<(ItemIx, f64)> {
        let mut nearest = Nearest::new(count.min(self.sums.len()));
        for (item, sum) in self.alike() {
            nearest.offer(item, sum, self.weighting);
        }
        nearest.ranked()
    }

    /// The nearest items of each of `communities` by itself, in their order.
    pub fn nearest_of(&self, communities: &[CommunityIx], belonging: &Communities) -> Vec<Vec<(ItemIx, f64)>> {
        let mut place = vec![None; belonging.count];
        communities.iter().enumerate().for_each(|(at, community)| place[*community] = Some(at));
        let mut nearest: Vec<Nearest> = communities.iter().map(|_| Nearest::new(OF_COMMUNITY)).collect();
        for (item, sum) in self.alike() {
            // Who came after the period closed is in no community yet.
            let home = belonging.of.get(self.population.user[item]).copied().flatten();
            if let Some(at) = home.and_then(|community| place[community]) {
                nearest[at].offer(item, sum, self.weighting);
            }
        }
        nearest.into_iter().map(Nearest::ranked).collect()
    }

    fn alike(&self) -> impl Iterator<Item = (ItemIx, f64)> {
        self.sums.iter().copied().enumerate().filter(|(_, sum)| *sum > 0.0)
    }
}

/// The items with the largest cosines among those that were offered.
struct Nearest {
    count: usize,
    found: Vec<(ItemIx, f64)>,
    /// What a cosine must reach.
    least: f64,
}

impl Nearest {
    fn new(count: usize) -> Self {
        Self { count, found: Vec::with_capacity(2 * count), least: 0.0 }
    }

    fn offer(&mut self, item: ItemIx, sum: f64, weighting: &Weighting) {
        let length = weighting.length_of(item);
        // Dividing takes longest, and most are so far away that rounding cannot matter.
        if self.count == 0 || sum < 0.999 * self.least * length {
            return;
        }
        let cosine = sum / length;
        if cosine >= self.least {
            self.found.push((item, cosine));
            // Twice as many as are wanted are kept before the farther half goes; what is farther than all kept never
            // enters.
            if self.found.len() == 2 * self.count {
                let (_, last, _) = self.found.select_nth_unstable_by(self.count - 1, nearer);
                self.least = last.1;
                self.found.truncate(self.count);
            }
        }
    }

    fn ranked(mut self) -> Vec<(ItemIx, f64)> {
        self.found.sort_unstable_by(nearer);
        self.found.truncate(self.count);
        self.found
    }
}

fn nearer(a: &(ItemIx, f64), b: &(ItemIx, f64)) -> Ordering {
    b.1.total_cmp(&a.1).then(b.0.cmp(&a.0))
}

/// V and its contributors; `None` if somebody is near, but fewer people than the guard have some part in it.
pub fn vote(
    population: &Population,
    neighbours: &[(ItemIx, f64)],
    vicinity: Vicinity,
    t: Timestamp,
) -> Option<Guarded> {
    let labels = population.labels.len();
    let votes = neighbours.iter().map(|(item, cosine)| Contribution {
        user: population.user[*item],
        label: population.label[*item],
        weight: cosine * decay(population.at[*item], t, vicinity.half_life),
    });
    match neighbours {
        [] => Some(Guarded { counts: vec![0.0; labels], contributors: 0 }),
        _ => guard::sum(votes, labels, None, vicinity.guard, 0.0),
    }
}
