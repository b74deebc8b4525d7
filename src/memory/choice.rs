//! Which of a person's items are shown: the best ones, or by the dataset's choice ones that differ from each other.
//!
//! Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): next is the item with the greatest
//! λ · score − (1 − λ) · likeness to the nearest one chosen before. A cap on one response keeps a one-sided history from
//! filling the prompt. Invariants: no score changes, every item goes on voting, and with λ = 1 and no cap the order is
//! that of the scores.

use super::local::{LocalHit, LocalRead};
use super::population::{ItemIx, Population};
use crate::data::dataset::Retrieval;

/// Moves the items to be shown to the front of `hits`, which stand best first; the others keep their order. Returns how
/// many are shown.
pub fn choose(population: &Population, settings: &Retrieval, hits: &mut Vec<LocalHit>) -> usize {
    let most = settings.local_hits.min(hits.len());
    if settings.diversity >= 1.0 && settings.label_cap.is_none() {
        return most;
    }
    let lambda = settings.diversity;
    let mut chosen: Vec<usize> = Vec::with_capacity(most);
    let mut likeness = vec![0.0f64; hits.len()];
    while chosen.len() < most {
        let shown = |label| chosen.iter().filter(|place| hits[**place].label == label).count();
        let free = |place: &usize| {
            !chosen.contains(place) && settings.label_cap.is_none_or(|cap| shown(hits[*place].label) < cap)
        };
        let worth = |place: usize| lambda * hits[place].terms.score() - (1.0 - lambda) * likeness[place];
        // Among equals the one with the better score, which stands first.
        let next = (0..hits.len()).filter(free).max_by(|a, b| worth(*a).total_cmp(&worth(*b)).then(b.cmp(a)));
        let Some(next) = next else { break };
        for (place, hit) in hits.iter().enumerate().filter(|_| lambda < 1.0) {
            likeness[place] = likeness[place].max(alike(population, hit.item, hits[next].item));
        }
        chosen.push(next);
    }
    let mut left: Vec<Option<LocalHit>> = hits.drain(..).map(Some).collect();
    hits.extend(chosen.iter().filter_map(|place| left[*place].take()));
    hits.extend(left.into_iter().flatten());
    chosen.len()
}

/// Likeness of two remembered texts, in [0, 1].
fn alike(population: &Population, a: ItemIx, b: ItemIx) -> f64 {
    population.vector(a).cosine(&population.vector(b).to_vec()).clamp(0.0, 1.0)
}

/// Why an item is not shown although a worse one is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PassedOver {
    /// Enough items with its response are shown; this is the last of them.
    Capped {
        /// The shown item.
        by: ItemIx,
    },
    /// A shown item is much like it.
    Alike {
        /// The shown item nearest to it.
        by: ItemIx,
        /// How like it is, 0–1.
        likeness: f64,
    },
}

/// Why `hit`, which is not among the shown ones of `read`, was passed over; `None` if its score alone keeps it out.
pub fn passed_over(
    population: &Population,
    settings: &Retrieval,
    read: &LocalRead,
    hit: &LocalHit,
) -> Option<PassedOver> {
    let shown = read.shown();
    let room = shown.len() < settings.local_hits.min(read.visible());
    if !room && !shown.iter().any(|other| hit.is_before(other)) {
        return None;
    }
    let same = || shown.iter().filter(|other| other.label == hit.label);
    if settings.label_cap.is_some_and(|cap| same().count() >= cap) {
        return same().next_back().map(|other| PassedOver::Capped { by: other.item });
    }
    let nearest = shown.iter().map(|other| (other.item, alike(population, hit.item, other.item)));
    nearest.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(by, likeness)| PassedOver::Alike { by, likeness })
}
