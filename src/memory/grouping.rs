//! Which items stand together in collective entries: the part of a period's snapshot that takes long to find.
//!
//! Invariant: everything else of a snapshot follows from it, the items before the period's end and the settings.

use super::community::Communities;
use super::entry::{Forming, groups, on_all_cores};
use super::population::{ItemIx, Population};

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
