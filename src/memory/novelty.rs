//! How unlike a person's memories a query is, as memories go.
//!
//! A similarity says little by itself: the nearest of three memories is far, the nearest of three hundred is near. ν
//! compares s_max, the likeness of the nearest one, with what past questions met whose askers remembered as much:
//! ν = 1 − the share of those with a smaller s_max (half of the equal ones counted). Every interaction was such a
//! question at its own time, so the comparison is prequential; the asking person's own are left out.
//!
//! Where the dataset's fusion tells an order only (`rrf`, `recency`), nothing is known of nearness and ν is 0.
//!
//! Invariant: ν at t depends on interactions strictly before t only.

use std::sync::OnceLock;

use super::local::LocalRead;
use super::population::{ItemIx, Population, UserIx};
use crate::data::interaction::Timestamp;

/// Least number of remembered items of each class of histories that count as alike in size.
const CLASSES: [usize; 7] = [1, 3, 6, 11, 21, 51, 101];
/// Past questions compared with, the newest ones.
const WINDOW: usize = 200;
/// Fewer than this say nothing: then nothing counts as unlike.
const LEAST: usize = 20;

/// What past questions met, computed on first use and kept.
pub struct Nearness {
    /// Items that had at least one own item before them, by class, ascending.
    items: [Vec<u32>; CLASSES.len()],
    /// Items that are known here.
    known: usize,
    /// s_max of each item as a question, by stretches of [`STRETCH`] items: few of many are ever asked for.
    nearest: Vec<OnceLock<Box<[OnceLock<f64>]>>>,
}

/// Items whose s_max are kept together.
const STRETCH: usize = 256;

/// The class of a history of `items`; `None` for an empty one.
fn class(items: usize) -> Option<usize> {
    CLASSES.partition_point(|least| *least <= items).checked_sub(1)
}

impl Nearness {
    /// Sorts items by how much their askers remembered.
    pub fn of(population: &Population) -> Self {
        let mut nearness = Self { items: Default::default(), known: 0, nearest: Vec::new() };
        nearness.extend(population);
        nearness
    }

    /// Takes in the items that `population` has beyond those that are known here.
    pub fn extend(&mut self, population: &Population) {
        let known = self.known;
        let mut classes: Vec<Option<usize>> = vec![None; population.len() - known];
        for items in population.items_of.iter() {
            let new = items.partition_point(|item| *item < known);
            // How many of the person's items lie strictly before this one; it never falls.
            let mut before = 0;
            for &item in &items[new..] {
                before += items[before..].partition_point(|other| population.at[*other] < population.at[item]);
                classes[item - known] = class(before);
            }
        }
        for (item, class) in (known..).zip(&classes) {
            if let Some(class) = class {
                self.items[*class].push(item as u32);
            }
        }
        self.known = population.len();
        self.nearest.resize_with(population.len().div_ceil(STRETCH), OnceLock::new);
    }

    /// ν of a question at `t` that met `read`; 0 without history, or where too few others were asked. `met_by` gives
    /// the s_max of an item as a question at its own time; it is asked once an item.
    pub fn novelty(
        &self,
        population: &Population,
        asking: Option<UserIx>,
        read: &LocalRead,
        t: Timestamp,
        met_by: impl Fn(ItemIx) -> f64,
    ) -> f64 {
        let (Some(class), Some(met)) = (class(read.visible()), read.nearest()) else { return 0.0 };
        let (items, before) = (&self.items[class], population.before(t));
        let past = &items[..items.partition_point(|item| (*item as ItemIx) < before)];
        let past = past.iter().rev().map(|item| *item as ItemIx);
        let others = past.filter(|item| Some(population.user[*item]) != asking).take(WINDOW);
        let (mut compared, mut below) = (0.0, 0.0);
        for item in others {
            let stretch = self.nearest[item / STRETCH].get_or_init(|| (0..STRETCH).map(|_| OnceLock::new()).collect());
            let nearest = *stretch[item % STRETCH].get_or_init(|| met_by(item));
            compared += 1.0;
            below += if nearest < met { 1.0 } else { 0.5 * f64::from(u8::from(nearest == met)) };
        }
        if compared < LEAST as f64 { 0.0 } else { 1.0 - below / compared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::interaction::UserId;
    use crate::data::sample;
    use crate::memory::Memory;

    #[test]
    fn histories_are_compared_with_their_like() {
        assert_eq!([0, 1, 2, 3, 100, 5000].map(class), [None, Some(0), Some(0), Some(1), Some(5), Some(6)]);
    }

    /// Against their own past, people's questions are as often in the upper half as in the lower one.
    #[test]
    fn it_is_a_quantile() {
        let dataset = sample::dataset().unwrap();
        let memory = Memory::build(&dataset);
        let late = &dataset.interactions[dataset.interactions.len() * 3 / 4..];
        let nu: Vec<f64> =
            late.iter().step_by(7).map(|i| memory.read(&i.user, &i.query, i.at).unwrap().local.novelty).collect();
        let mean = nu.iter().sum::<f64>() / nu.len() as f64;
        assert!((0.4..0.6).contains(&mean), "{mean}");
        assert!(nu.iter().all(|nu| (0.0..=1.0).contains(nu)));
        assert!(nu.iter().any(|nu| *nu > 0.9) && nu.iter().any(|nu| *nu < 0.1));
        let stranger = memory.read(&UserId::new("nobody"), "a diver", dataset.end()).unwrap();
        assert_eq!(stranger.local.novelty, 0.0, "without history there is nothing to be unlike");
    }

    #[test]
    fn the_very_question_again_is_nothing_new_and_gibberish_is() {
        let dataset = sample::dataset().unwrap();
        let memory = Memory::build(&dataset);
        let known = &dataset.interactions[dataset.interactions.len() / 2];
        let novelty = |query: &str| memory.read(&known.user, query, dataset.end()).unwrap().local.novelty;
        let (again, gibberish) = (novelty(&known.query), novelty("qqq zzz xxx"));
        // Texts of one theme share their phrases, so some questions were met as well as one that was asked before.
        assert!(again < 0.1 && gibberish > 0.8, "{again} {gibberish}");
    }
}
