//! What a person's memory is made to hold, for looking at what a history of another size or make would have said.
//!
//! Invariants: everything held is the person's own and lies strictly before the question, in time order, each item at a
//! moment before the question; nothing is borrowed from others. Only the person's side changes: others leave out *all*
//! that the person did, also what is hidden here, exactly as in a read of everything. Which communities there are and how
//! texts are weighed was found from all items and is held fixed.

use super::population::{ItemIx, LabelIx, Population, UserIx};
use crate::data::draw::Draw;
use crate::data::interaction::Timestamp;

/// One person's items in time order, as local memory reads them.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// Which.
    pub items: &'a [ItemIx],
    /// When each of them is taken to have happened; `None`: when it did.
    pub moments: Option<&'a [Timestamp]>,
}

impl<'a> Own<'a> {
    /// Items as they were.
    pub fn as_they_were(items: &'a [ItemIx]) -> Self {
        Self { items, moments: None }
    }

    /// When the item in this place happened.
    pub fn at(&self, population: &Population, place: usize) -> Timestamp {
        self.moments.map_or_else(|| population.at[self.items[place]], |moments| moments[place])
    }
}

/// Some of a person's items, each at a moment before the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    items: Vec<ItemIx>,
    moments: Vec<Timestamp>,
}

/// A history of one length with a share of one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// The label.
    pub label: LabelIx,
    /// Items held.
    pub length: usize,
    /// Those of the label among them, at most `length`.
    pub alike: usize,
    /// Seed of the draw.
    pub seed: u64,
}

impl Held {
    /// The newest `m` items before `t`; all of them where there are no more.
    pub fn newest(population: &Population, user: Option<UserIx>, t: Timestamp, m: usize) -> Self {
        let visible = population.visible(user, t);
        Self::as_they_were(population, visible[visible.len().saturating_sub(m)..].to_vec())
    }

    /// The oldest `m` items before `t`: smaller histories are older ones too.
    pub fn oldest(population: &Population, user: Option<UserIx>, t: Timestamp, m: usize) -> Self {
        let visible = population.visible(user, t);
        Self::as_they_were(population, visible[..m.min(visible.len())].to_vec())
    }

    /// `skew.length` of the items before `t`, drawn without replacement, `skew.alike` of them with the label. They fill the
    /// time slots of the newest `skew.length` items in their own order, so that a history's length and ages are the same
    /// at every share. `None` for somebody with fewer than `skew.length` items of the label or of others.
    ///
    /// Draws of one seed are nested: a greater share keeps the label's items of a lesser one.
    pub fn skewed(population: &Population, user: Option<UserIx>, t: Timestamp, skew: Skew) -> Option<Self> {
        let visible = population.visible(user, t);
        let (mut of_label, mut others): (Vec<ItemIx>, Vec<ItemIx>) =
            visible.iter().partition(|item| population.label[**item] == skew.label);
        if of_label.len() < skew.length || others.len() < skew.length {
            return None;
        }
        let name = user.map_or("", |user| population.users[user].as_str());
        let mut draw = Draw::seeded(super::embed::hash(&format!("{} {} {name}", skew.seed, t.0)));
        draw.shuffle(&mut of_label);
        draw.shuffle(&mut others);
        let alike = skew.alike.min(skew.length);
        let mut items = of_label;
        items.truncate(alike);
        items.extend(&others[..skew.length - alike]);
        items.sort_unstable();
        let slots = &visible[visible.len() - skew.length..];
        Some(Self { items, moments: slots.iter().map(|item| population.at[*item]).collect() })
    }

    /// What was written down as `(identity, moment)`, oldest first; the moment is left out where it is the item's own.
    ///
    /// # Errors
    ///
    /// Why it cannot be held: an unknown item, one of somebody else, one that is not before `t`, or moments out of order.
    pub fn of<'a>(
        population: &Population,
        user: Option<UserIx>,
        t: Timestamp,
        entries: impl IntoIterator<Item = (&'a str, Option<Timestamp>)>,
    ) -> Result<Self, String> {
        let (mut items, mut moments) = (Vec::new(), Vec::new());
        let visible = population.visible(user, t);
        for (id, at) in entries {
            let item = population.item_ix(id).filter(|item| visible.binary_search(item).is_ok());
            let item = item.ok_or_else(|| format!("'{id}' is nothing that this person did before the question"))?;
            let at = at.unwrap_or(population.at[item]);
            if at >= t || moments.last().is_some_and(|last| at < *last) {
                return Err(format!("'{id}' is held at a moment that is out of order or not before the question"));
            }
            items.push(item);
            moments.push(at);
        }
        Ok(Self { items, moments })
    }

    fn as_they_were(population: &Population, items: Vec<ItemIx>) -> Self {
        let moments = items.iter().map(|item| population.at[*item]).collect();
        Self { items, moments }
    }

    /// What is held, oldest first.
    pub fn items(&self) -> &[ItemIx] {
        &self.items
    }

    /// When each of them is taken to have happened.
    pub fn moments(&self) -> &[Timestamp] {
        &self.moments
    }

    /// The same for a read.
    pub fn own(&self) -> Own<'_> {
        Own { items: &self.items, moments: Some(&self.moments) }
    }
}

/// The rungs of a ladder: 0, 1, 2, 4, 8 … and `most`.
pub fn rungs(most: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1usize), |m| m.checked_mul(2)).take_while(|m| *m < most);
    std::iter::once(0).chain(doubled).chain((most > 0).then_some(most)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::data::dataset::{Bm25, Fusion};
    use crate::data::sample;
    use crate::memory::local::LocalHit;
    use crate::memory::{Memory, MemoryRead};

    #[test]
    fn rungs_double_and_end_at_the_most() {
        assert_eq!(rungs(0), [0]);
        assert_eq!(rungs(1), [0, 1]);
        assert_eq!(rungs(2), [0, 1, 2]);
        assert_eq!(rungs(8), [0, 1, 2, 4, 8]);
        assert_eq!(rungs(11), [0, 1, 2, 4, 8, 11]);
    }

    fn sampled() -> &'static Memory {
        static MEMORY: std::sync::OnceLock<Memory> = std::sync::OnceLock::new();
        MEMORY.get_or_init(|| Memory::build(&sample::dataset().unwrap()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Length and slots are those of the newest items, whatever the share; everything is the person's own, held once
        /// and before the question; a seed says all.
        #[test]
        fn the_dial_keeps_length_and_slots_and_borrows_nothing(
            user in 0usize..200, back in 0i64..40, label in 0usize..15, length in 1usize..6, alike in 0usize..6, seed: u64
        ) {
            let memory = sampled();
            let population = &memory.population;
            let user = Some(user % population.users.len());
            let t = memory.end().plus_days(-back as f64);
            let label = label % population.labels.len();
            let skew = Skew { label, length, alike: alike.min(length), seed };
            let visible = population.visible(user, t);
            let n = visible.iter().filter(|item| population.label[**item] == label).count();
            let held = Held::skewed(population, user, t, skew);
            prop_assert_eq!(held.is_some(), n >= length && visible.len() - n >= length);
            if let Some(held) = held {
                let slots: Vec<Timestamp> = visible[visible.len() - length..].iter().map(|i| population.at[*i]).collect();
                prop_assert_eq!(held.moments(), &slots[..]);
                prop_assert_eq!(held.items().len(), length);
                prop_assert!(held.items().is_sorted_by(|a, b| a < b), "each once, in their order");
                prop_assert!(held.items().iter().all(|item| visible.contains(item)));
                let drawn = held.items().iter().filter(|item| population.label[**item] == label).count();
                prop_assert_eq!(drawn, skew.alike);
                let again = Held::skewed(population, user, t, skew);
                prop_assert_eq!(Some(&held), again.as_ref());
                let more = Held::skewed(population, user, t, Skew { alike: length, ..skew }).unwrap();
                let kept = held.items().iter().filter(|item| population.label[**item] == label);
                prop_assert!(kept.clone().all(|item| more.items().contains(item)), "draws are nested");
                let named = held.items().iter().zip(held.moments());
                let named: Vec<_> = named.map(|(item, at)| (population.id[*item].to_owned(), Some(*at))).collect();
                let told = Held::of(population, user, t, named.iter().map(|(id, at)| (id.as_str(), *at)));
                prop_assert_eq!(told.as_ref(), Ok(&held));
            }
        }

        /// A rung sees exactly the newest m, and what others say never holds an item of the person: it is the same
        /// whatever the person remembers, but for whose company they are taken to be.
        #[test]
        fn a_rung_sees_exactly_the_newest(user in 0usize..200, m in 0usize..40, query in 0usize..60) {
            let memory = sampled();
            let population = &memory.population;
            let user = user % population.users.len();
            let asked = population.text[query * 13].to_owned();
            let (t, who) = (memory.end(), population.users[user].clone());
            let visible = population.visible(Some(user), t);
            let held = Held::newest(population, Some(user), t, m);
            let newest = &visible[visible.len() - m.min(visible.len())..];
            prop_assert_eq!(held.items(), newest);
            let read = memory.read_held(&who, &asked, None, t, &held).unwrap();
            let mut seen: Vec<_> = read.local.hits.iter().map(|hit| hit.item).collect();
            seen.sort_unstable();
            prop_assert_eq!(&seen[..], newest);
            let profile: f64 = read.local.profile.counts.iter().sum();
            prop_assert!(profile <= newest.len() as f64 + 1e-9);
            let whole = memory.read(&who, &asked, t).unwrap();
            prop_assert_eq!(&read.global.base, &whole.global.base);
            prop_assert_eq!(&read.global.population, &whole.global.population);
            prop_assert_eq!(&read.global.members, &whole.global.members);
            let all = Held::newest(population, Some(user), t, usize::MAX);
            prop_assert_eq!(&memory.read_held(&who, &asked, None, t, &all).unwrap(), &whole);
            let oldest = Held::oldest(population, Some(user), t, m);
            prop_assert_eq!(oldest.items(), &visible[..m.min(visible.len())]);
        }
    }

    /// The newest items score as they do where the older ones never were, also as `rank_bm25` has it, whose words are
    /// numbered as they come.
    #[test]
    fn held_items_score_like_a_history_of_those_alone() {
        let mut dataset = sample::dataset().unwrap();
        dataset.manifest.retrieval.bm25 = Bm25::Lamp;
        dataset.manifest.retrieval.fusion = Fusion::Lexical;
        let memory = Memory::build(&dataset);
        let population = &memory.population;
        let user = (0..population.users.len()).find(|user| population.items_of[*user].len() > 12).unwrap();
        let (t, who) = (memory.end(), population.users[user].clone());
        let held = Held::newest(population, Some(user), t, 5);
        let asked = population.text[held.items()[2]].to_owned();
        let scores = |memory: &Memory, read: MemoryRead| {
            let hit = |hit: &LocalHit| (memory.population.id[hit.item].to_owned(), hit.terms.lexical);
            let mut scores: Vec<_> = read.local.hits.iter().map(hit).collect();
            scores.sort_by(|a, b| a.0.cmp(&b.0));
            scores
        };
        let found = scores(&memory, memory.read_held(&who, &asked, None, t, &held).unwrap());
        let kept: HashSet<String> = held.items().iter().map(|item| population.id[*item].to_owned()).collect();
        let mut short = dataset.clone();
        short.interactions.retain(|i| i.user != who || kept.contains(&i.id));
        let short = Memory::build(&short);
        let alone = scores(&short, short.read(&who, &asked, t).unwrap());
        assert_eq!(found.len(), 5);
        assert!(found.iter().zip(&alone).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-12), "{found:?} {alone:?}");
        assert!(found.iter().any(|(_, score)| (score - found[0].1).abs() > 1e-6), "all alike would prove nothing");
    }

    /// Whose company somebody is in follows from the moments that items are held at, not from when they were.
    #[test]
    fn membership_forgets_by_the_slots() {
        let mut dataset = sample::dataset().unwrap();
        dataset.manifest.periods.membership_half_life = 5.0;
        let memory = Memory::build(&dataset);
        let population = &memory.population;
        let t = memory.end();
        let user = (0..population.users.len()).max_by_key(|user| population.items_of[*user].len()).unwrap();
        let (who, asked) = (population.users[user].clone(), population.text[0].to_owned());
        let visible = population.visible(Some(user), t);
        // The oldest item held as if it were of now, and as it was.
        let id = &population.id[visible[0]];
        let now = Timestamp(t.0 - 1);
        let [fresh, old] = [Some(now), None].map(|at| Held::of(population, Some(user), t, [(id, at)]).unwrap());
        let members = |held: &Held| memory.read_held(&who, &asked, None, t, held).unwrap().global.membership;
        let nobody = members(&Held::newest(population, Some(user), t, 0));
        let moved = |held: &Held| members(held).iter().zip(&nobody).map(|(a, b)| (a - b).abs()).sum::<f64>();
        assert!(moved(&fresh) > 2.0 * moved(&old), "{} {}", moved(&fresh), moved(&old));
    }

    #[test]
    fn what_is_not_the_persons_own_and_earlier_cannot_be_held() {
        let memory = sampled();
        let population = &memory.population;
        let user = (0..population.users.len()).find(|user| population.items_of[*user].len() > 1).unwrap();
        let own = &population.items_of[user];
        let t = population.at[own[1]];
        let id = |item: ItemIx| population.id[item].to_owned();
        let (first, second, foreign) = (id(own[0]), id(own[1]), id(population.items_of[user + 1][0]));
        let told = |entries: &[(&str, Option<Timestamp>)]| Held::of(population, Some(user), t, entries.iter().copied());
        assert!(told(&[(&first, None)]).is_ok());
        for (entries, expected) in [
            (vec![(second.as_str(), None)], "nothing that this person did before"),
            (vec![(foreign.as_str(), None)], "nothing that this person did before"),
            (vec![("no such", None)], "nothing that this person did before"),
            (vec![(first.as_str(), Some(t))], "not before the question"),
        ] {
            assert!(told(&entries).unwrap_err().contains(expected), "{entries:?}");
        }
    }
}
