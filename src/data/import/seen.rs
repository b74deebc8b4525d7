//! Which texts an import has met, in a few bytes each: millions of ids must fit where their texts would not.
//!
//! Invariant: a text that was met is never taken for new. The reverse rests on an 80-bit hash: among 20 million texts a
//! new one is taken for a met one with a probability below 10⁻⁹ in the whole import.

/// Shelves: the first 16 bits of a hash are the number of its shelf, so none of them is stored.
const SHELVES: usize = 1 << 16;

/// A set of hashes: sorted shelves of 64 bits each, which takes 8 bytes a text plus at most a quarter of room to grow.
pub struct Seen {
    shelves: Vec<Vec<u64>>,
    len: usize,
}

impl Seen {
    /// Nothing met yet.
    pub fn new() -> Self {
        Self { shelves: vec![Vec::new(); SHELVES], len: 0 }
    }

    /// Notes the text made of `parts`; whether it is new. `["ab", "c"]` and `["a", "bc"]` are different texts.
    pub fn insert(&mut self, parts: &[&str]) -> bool {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let hash = hasher.finalize();
        let hash = hash.as_bytes();
        let shelf = &mut self.shelves[usize::from(u16::from_le_bytes([hash[0], hash[1]]))];
        let mut key = [0; 8];
        key.copy_from_slice(&hash[2..10]);
        let key = u64::from_le_bytes(key);
        let Err(place) = shelf.binary_search(&key) else { return false };
        if shelf.len() == shelf.capacity() {
            shelf.reserve_exact(shelf.len() / 4 + 4);
        }
        shelf.insert(place, key);
        self.len += 1;
        true
    }

    /// Distinct texts met.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes that the hashes take.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.capacity() * size_of::<u64>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_new_once() {
        let mut seen = Seen::new();
        assert!(seen.insert(&["ab", "c"]));
        assert!(!seen.insert(&["ab", "c"]));
        assert!(seen.insert(&["a", "bc"]) && seen.insert(&["abc"]) && seen.insert(&[""]) && seen.insert(&[]));
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn a_million_long_ids_take_less_than_16_megabytes() {
        let mut seen = Seen::new();
        let id = |n: u32| format!("{n}-{}", "long ".repeat(20));
        assert!((0..1_000_000).all(|n| seen.insert(&[&id(n)])));
        assert!((0..1_000_000).step_by(997).all(|n| !seen.insert(&[&id(n)])));
        assert!(seen.bytes() < 16_000_000, "{} bytes", seen.bytes());
    }
}
