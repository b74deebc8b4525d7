//! How much each person has given of late, so that the guard can count who is behind a decayed sum over everybody.
//!
//! Of each item its person's running sum is kept, and who had most by then. A read goes back from the newest item only
//! until enough people are found, or until nobody who counts is left.
//!
//! Invariants: the asking person is left out as if they had never been; a read depends on what lies before its moment.

use std::collections::BTreeSet;

use super::base::decay;
use super::guard::COUNTED_SHARE;
use super::population::{ItemIx, Population, UserIx};
use crate::data::interaction::Timestamp;

/// Running sums by person.
pub struct Givers {
    half_life: f64,
    /// Decayed Σ 1 over the items of each item's person, up to and with it.
    own: Vec<f64>,
    /// Up to and with each item, the newest items of the two people with the greatest sums, greatest first.
    most: Vec<[Option<u32>; 2]>,
}

impl Givers {
    /// Of nobody yet; an item loses half its weight in so many days.
    pub fn new(half_life: f64) -> Self {
        Self { half_life, own: Vec::new(), most: Vec::new() }
    }

    /// Takes in the items before `until` that are not known here.
    pub fn extend(&mut self, population: &Population, until: ItemIx) {
        for item in self.own.len()..until {
            let (user, now) = (population.user[item], population.at[item]);
            let theirs = &population.items_of[user];
            let last = theirs.partition_point(|other| *other < item).checked_sub(1).map(|place| theirs[place]);
            let own = 1.0 + last.map_or(0.0, |last| self.left(population, last, now));
            self.own.push(own);

            let before = self.most.last().copied().unwrap_or_default();
            let mut rivals = before.into_iter().filter(|rival| rival.is_some_and(|it| !is_of(population, it, user)));
            let (first, second) = (rivals.next().flatten(), rivals.next().flatten());
            let has_more = |rival: Option<u32>| rival.is_some_and(|it| self.left(population, it as ItemIx, now) >= own);
            let item = Some(item as u32);
            let most = match (has_more(first), has_more(second)) {
                (true, true) => [first, second],
                (true, false) => [first, item],
                _ => [item, first],
            };
            self.most.push(most);
        }
    }

    /// Whether at least `guard` people besides the asking one count at `t`, see [`counted`](super::guard::counted).
    pub fn reach(&self, population: &Population, asking: Option<UserIx>, guard: usize, t: Timestamp) -> bool {
        let before = population.before(t);
        let others = |item: u32| asking.is_none_or(|asking| !is_of(population, item, asking));
        let left = |item: u32| self.left(population, item as ItemIx, t);
        let leading = before.checked_sub(1).map_or([None; 2], |last| self.most[last]);
        let Some(greatest) = leading.into_iter().flatten().find(|item| others(*item)).map(left) else { return false };
        let counts = |item: u32| left(item) > 0.0 && left(item) >= COUNTED_SHARE * greatest;
        // Whoever gave nothing after an item has no more than who had most by then.
        let nobody_left = |item: &usize| !self.most[*item][0].is_some_and(counts);
        let mut people = BTreeSet::new();
        for item in (0..before).rev().take_while(|item| !nobody_left(item)) {
            if others(item as u32) && counts(item as u32) {
                people.insert(population.user[item]);
            }
            if people.len() >= guard {
                return true;
            }
        }
        false
    }

    /// What is left at `t` of what the person of `item` gave up to and with it.
    fn left(&self, population: &Population, item: ItemIx, t: Timestamp) -> f64 {
        self.own[item] * decay(population.at[item], t, self.half_life)
    }
}

/// Whether `item` is one of `user`.
fn is_of(population: &Population, item: u32, user: UserIx) -> bool {
    population.user[item as ItemIx] == user
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synth::{Parameters, population};
    use crate::memory::embed::HashEmbedder;
    use crate::memory::guard::counted;

    #[test]
    fn as_many_count_as_their_sums_say() {
        let (dataset, _) = population(&Parameters { seed: 9003, users: 30, ..Parameters::default() });
        let population = Population::new(&dataset, &HashEmbedder::default());
        let all = population.len();
        let mut kept_back = 0;
        for half_life in [0.5, 5.0, 60.0, f64::INFINITY] {
            let mut givers = Givers::new(half_life);
            givers.extend(&population, all / 3);
            givers.extend(&population, all);
            for item in (0..all).step_by(all / 40) {
                let (t, user) = (population.at[item], population.user[item]);
                for asking in [None, Some(user)] {
                    let mut masses = vec![0.0; population.users.len()];
                    for other in (0..population.before(t)).filter(|other| Some(population.user[*other]) != asking) {
                        masses[population.user[other]] += decay(population.at[other], t, half_life);
                    }
                    let enough = counted(&masses);
                    kept_back += usize::from(enough < masses.iter().filter(|mass| **mass > 0.0).count());
                    for guard in 1..30 {
                        let reached = givers.reach(&population, asking, guard, t);
                        assert_eq!(reached, enough >= guard, "{enough} people, {guard} asked for, {half_life} days");
                    }
                }
            }
        }
        assert!(kept_back > 0, "nobody's sum has come to nothing");
    }
}
