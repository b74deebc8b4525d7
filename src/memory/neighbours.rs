//! Collective neighbours: what others answered to the most similar texts.
//!
//! V(y) = Σ over the k most similar items of others of s_j · 2^(−age_j/h) \[y_j = y\], each contributor cut to a tenth of
//! ΣV; with fewer contributors than the guard V = 0. A collective entry formed at query time: only the label distribution
//! leaves this module, no person's text.
//!
//! Exact: s_j is the cosine over all features, summed along their postings and divided by the text's length once.

use super::base::decay;
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

/// The `count` items of others before `before`, of which there are [`MOST_ITEMS`] at most, most similar to the query, each with its cosine > 0; among equals the
/// newer one.
pub fn nearest(
    population: &Population,
    features: &Features,
    weighting: &Weighting,
    sought: &Sought,
    asking: Option<UserIx>,
    before: ItemIx,
    count: usize,
) -> Vec<(ItemIx, f64)> {
    let mut cosines = vec![0.0f64; before];
    for (feature, weight) in &sought.vector {
        let weight = weight * weighting.idf(*feature);
        for (item, tf) in features.holders(*feature, before) {
            cosines[item as usize] += weight * f64::from(tf);
        }
    }
    let own = asking.map_or(&[][..], |user| &population.items_of[user]);
    own.iter().take_while(|item| **item < before).for_each(|item| cosines[*item] = 0.0);
    let nearer = |a: &(ItemIx, f64), b: &(ItemIx, f64)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
    // Twice as many as are wanted are kept before the farther half goes; what is farther than all kept never enters.
    let (mut found, mut least) = (Vec::with_capacity(2 * count.min(before)), 0.0);
    for (item, sum) in cosines.into_iter().enumerate().filter(|(_, sum)| *sum > 0.0 && count > 0) {
        let length = weighting.length_of(item);
        // Dividing takes longest, and most are so far away that rounding cannot matter.
        if sum < 0.999 * least * length {
            continue;
        }
        let cosine = sum / length;
        if cosine >= least {
            found.push((item, cosine));
            if found.len() == 2 * count {
                let (_, last, _) = found.select_nth_unstable_by(count - 1, nearer);
                least = last.1;
                found.truncate(count);
            }
        }
    }
    found.sort_unstable_by(nearer);
    found.truncate(count);
    found
}

/// V and its contributors; `None` if somebody is near, but fewer people than the guard.
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
