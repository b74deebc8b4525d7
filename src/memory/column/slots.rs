//! Numbers found by a hash of what they stand for: a table that never changes, in memory or in a mapped file.
//!
//! Open addressing over a power of two, at most half full, so that a look-up mostly touches one place.

use super::Slab;

/// A place that holds no number.
const FREE: u32 = u32::MAX;

/// Numbers by hash.
#[derive(Default)]
pub struct Slots(Slab<u32>);

impl Slots {
    /// A table as it was made.
    pub fn new(places: Slab<u32>) -> Self {
        Self(places)
    }

    /// Makes a table of the numbers 0, 1, …, whose hashes these are.
    pub fn of(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        if hashes.len() == 0 {
            return Self::default();
        }
        let mut places = vec![FREE; (2 * hashes.len()).next_power_of_two()];
        let last = places.len() - 1;
        for (number, hash) in hashes.enumerate() {
            let mut at = place(hash, places.len());
            while places[at] != FREE {
                at = (at + 1) & last;
            }
            places[at] = number as u32;
        }
        Self(places.into())
    }

    /// The number with this hash that `is` the one looked for.
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let places = &self.0;
        let last = places.len().checked_sub(1)?;
        let mut at = place(hash, places.len());
        while places[at] != FREE {
            if is(places[at]) {
                return Some(places[at]);
            }
            at = (at + 1) & last;
        }
        None
    }

    /// The table.
    pub fn base(&self) -> &[u32] {
        &self.0
    }
}

/// Where a hash's number is looked for first in a table of `size` places, a power of two ≥ 2.
fn place(hash: u64, size: usize) -> usize {
    // The golden ratio spreads hashes that differ in few bits; its product's upper bits are the mixed ones.
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - size.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few hashes for many names, so that they meet.
        #[test]
        fn every_number_is_found_and_nothing_else(names in proptest::collection::btree_set(0..500u64, 0..60), alike in 1..9u64) {
            let names: Vec<u64> = names.into_iter().collect();
            let slots = Slots::of(names.iter().map(|name| name % alike));
            for name in 0..500 {
                let found = slots.find(name % alike, |number| names[number as usize] == name);
                prop_assert_eq!(found.map(|number| number as usize), names.iter().position(|other| *other == name));
            }
        }
    }
}
