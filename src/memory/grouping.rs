//! Which items stand together in collective entries: the part of a period's snapshot that takes long to find.
//!
//! Invariant: everything else of a snapshot follows from it, the items before the period's end and the settings.

use super::community::{Communities, k_means};
use super::embed::{dot, normalise};
use super::entry::{Forming, on_all_cores, users_of};
use super::population::{ItemIx, Population};

/// Mean number of interactions in an entry.
const MEAN_SIZE: usize = 20;
/// So many items are grouped at once at most. More are parted into like ones first: to compare each with every group takes
/// the square of their number.
const AT_ONCE: usize = 4096;

/// The entry of an item that no entry holds.
pub const NOWHERE: u32 = u32::MAX;

/// The items of a period, grouped. Entries are numbered by community, those of the population last.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// The entry of each item before the period's end, or [`NOWHERE`].
    pub of_item: Vec<u32>,
    /// How many entries each community has; the population's last.
    pub sizes: Vec<u32>,
    /// The entries' unit vectors, end to end.
    pub centroids: Vec<f32>,
}

impl Grouping {
    /// Groups items by community, on all cores. Groups with fewer than the guard's people join the nearest larger one; a
    /// community too small for even one such group gives its items to the population.
    pub fn of(population: &Population, communities: &Communities, forming: &Forming) -> Self {
        let Forming { before, guard, seed, .. } = *forming;
        let mut of_community: Vec<Vec<ItemIx>> = vec![Vec::new(); communities.count];
        for item in 0..before {
            if let Some(community) = communities.of[population.user[item]] {
                of_community[community].push(item);
            }
        }
        let mut found = on_all_cores(communities.count, |community| {
            groups(population, &of_community[community], guard, seed ^ (community as u64 + 1))
        });
        let lost = of_community.into_iter().zip(&found).filter(|(_, groups)| groups.is_empty());
        let mut orphans: Vec<ItemIx> = lost.flat_map(|(items, _)| items).collect();
        orphans.sort_unstable();
        found.push(groups(population, &orphans, guard, seed));

        let mut grouping = Self { of_item: vec![NOWHERE; before], sizes: Vec::new(), centroids: Vec::new() };
        let mut number = 0;
        for groups in found {
            grouping.sizes.push(groups.len() as u32);
            for (items, centroid) in groups {
                items.into_iter().for_each(|item| grouping.of_item[item] = number);
                grouping.centroids.extend(centroid);
                number += 1;
            }
        }
        grouping
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.sizes.iter().map(|size| *size as usize).sum()
    }

    /// The items of each entry, ascending.
    pub fn members(&self) -> Vec<Vec<ItemIx>> {
        let mut members = vec![Vec::new(); self.entries()];
        for (item, entry) in self.of_item.iter().enumerate().filter(|(_, entry)| **entry != NOWHERE) {
            members[*entry as usize].push(item);
        }
        members
    }
}

/// Similar items, ascending, and their unit vector.
type Group = (Vec<ItemIx>, Vec<f32>);

/// Groups similar items; every group has at least `guard` people. Empty when all items together have fewer.
fn groups(population: &Population, items: &[ItemIx], guard: usize, seed: u64) -> Vec<Group> {
    if users_of(population, items).len() < guard {
        return Vec::new();
    }
    if items.len() <= AT_ONCE {
        return gathered(population, items, (items.len() / MEAN_SIZE).max(1), guard, seed);
    }
    let mut parts = gathered(population, items, items.len().div_ceil(AT_ONCE / 2), guard, seed);
    parts.retain(|(items, _)| !items.is_empty());
    match parts.len() {
        // They cannot be told apart.
        1 => parts,
        _ => {
            let within = |(part, (items, _)): (u64, Group)| {
                groups(population, &items, guard, seed.wrapping_add((part + 1).wrapping_mul(PART)))
            };
            (0..).zip(parts).flat_map(within).collect()
        }
    }
}

/// What the seeds of neighbouring parts differ by: any large odd number.
const PART: u64 = 0x9e37_79b9_7f4a_7c15;

/// The nearest of `count` means for every item, groups of fewer than `guard` people joined to the nearest other one.
fn gathered(population: &Population, items: &[ItemIx], count: usize, guard: usize, seed: u64) -> Vec<Group> {
    let people = |items: &[ItemIx]| users_of(population, items).len();
    let clusters = {
        let rows = population.vectors_of(items);
        let points: Vec<&[f32]> = rows.chunks_exact(population.dimensions()).collect();
        k_means(&points, Vec::new(), count, seed)
    };
    let mut grouped: Vec<Group> = clusters.centroids.into_iter().map(|c| (Vec::new(), c)).collect();
    for (item, cluster) in items.iter().zip(clusters.of) {
        grouped[cluster].0.push(*item);
    }
    let mut peopled: Vec<usize> = grouped.iter().map(|(items, _)| people(items)).collect();
    // Smallest first, so that small groups may grow together before they reach a large one.
    while let Some(small) =
        (0..grouped.len()).filter(|ix| peopled[*ix] < guard).min_by_key(|ix| (grouped[*ix].0.len(), *ix))
    {
        if grouped.len() == 1 {
            break;
        }
        let (items, centroid) = grouped.remove(small);
        peopled.remove(small);
        if items.is_empty() {
            continue;
        }
        let likeness = |other: &Vec<f32>| dot(&centroid, other);
        let Some(nearest) = (0..grouped.len())
            .max_by(|a, b| likeness(&grouped[*a].1).total_cmp(&likeness(&grouped[*b].1)).then(b.cmp(a)))
        else {
            break;
        };
        grouped[nearest].0.extend(items);
        grouped[nearest].0.sort_unstable();
        peopled[nearest] = people(&grouped[nearest].0);
        let mut mean = vec![0.0f32; population.dimensions()];
        for item in &grouped[nearest].0 {
            population.vector(*item).add_to(&mut mean);
        }
        normalise(&mut mean);
        grouped[nearest].1 = mean;
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synth::{Parameters, population};
    use crate::memory::embed::HashEmbedder;

    /// More items than are grouped at once: each lies in one group, groups are of enough people and of like texts.
    #[test]
    fn many_items_are_parted_before_they_are_grouped() {
        let (dataset, _) = population(&Parameters { seed: 9001, ..Parameters::default() });
        let population = Population::new(&dataset, &HashEmbedder::default());
        let items: Vec<ItemIx> = (0..population.len()).collect();
        assert!(items.len() > 2 * AT_ONCE, "{}", items.len());
        let groups = groups(&population, &items, 5, 1);
        let mut grouped: Vec<ItemIx> = groups.iter().flat_map(|(items, _)| items.clone()).collect();
        grouped.sort_unstable();
        assert_eq!(grouped, items);
        assert!(groups.iter().all(|(items, _)| users_of(&population, items).len() >= 5 && items.is_sorted()));
        let at_once = gathered(&population, &items, items.len() / MEAN_SIZE, 5, 1);
        let likeness = |groups: &[Group]| {
            let of = |(items, mean): &Group| items.iter().map(|i| population.vector(*i).cosine(mean)).sum::<f64>();
            groups.iter().map(of).sum::<f64>() / items.len() as f64
        };
        assert!(likeness(&groups) > 0.97 * likeness(&at_once), "{} {}", likeness(&groups), likeness(&at_once));
    }

    /// Parting ends where nothing tells items apart.
    #[test]
    fn what_is_alike_is_one_group() {
        let (mut dataset, _) = population(&Parameters { seed: 9001, users: 120, ..Parameters::default() });
        dataset.interactions.truncate(AT_ONCE + 1);
        dataset.interactions.iter_mut().for_each(|i| i.query = "a storm at sea".into());
        let population = Population::new(&dataset, &HashEmbedder::default());
        let items: Vec<ItemIx> = (0..population.len()).collect();
        assert!(items.len() > AT_ONCE, "{}", items.len());
        let groups = groups(&population, &items, 5, 1);
        assert_eq!(groups.iter().map(|(items, _)| items.len()).collect::<Vec<_>>(), [items.len()]);
    }
}
