//! The default embedder: hashed words and character 3–5-grams. Nothing is fitted, so nothing can leak from the future.

use super::{Embedder, normalise};
use crate::memory::lexical;

/// Weight of a character n-gram against a whole word's 1: enough to join "dragon" and "dragons".
const GRAM_WEIGHT: f32 = 0.25;

/// Hashes words and character 3–5-grams into signed buckets.
#[derive(Clone, Copy, Debug)]
pub struct HashEmbedder {
    dimensions: usize,
}

impl Default for HashEmbedder {
    fn default() -> Self {
        Self { dimensions: 256 }
    }
}

impl Embedder for HashEmbedder {
    fn id(&self) -> String {
        format!("hash-v1-{}", self.dimensions)
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn embed(&self, text: &str, out: &mut [f32]) {
        out.fill(0.0);
        let mut framed = String::new();
        let mut starts = Vec::new();
        for word in lexical::words(text) {
            self.add(word.as_bytes(), b'w', 1.0, out);
            framed.clear();
            framed.extend(["<", &word, ">"]);
            starts.clear();
            starts.extend(framed.char_indices().map(|(start, _)| start).chain([framed.len()]));
            for width in 3..=5 {
                for gram in starts.windows(width + 1) {
                    self.add(&framed.as_bytes()[gram[0]..gram[width]], b'g', GRAM_WEIGHT, out);
                }
            }
        }
        normalise(out);
    }
}

impl HashEmbedder {
    fn add(&self, feature: &[u8], kind: u8, weight: f32, out: &mut [f32]) {
        let hash = fnv1a(kind, feature);
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        out[(hash % self.dimensions as u64) as usize] += sign * weight;
    }
}

/// FNV-1a with a final mix, since its low bits alone are weak. Written out: vectors must not change with a library.
pub(super) fn fnv1a(kind: u8, bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in std::iter::once(&kind).chain(bytes) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::super::dot;
    use super::*;

    fn vector(text: &str) -> Vec<f32> {
        let embedder = HashEmbedder::default();
        let mut out = vec![0.0; embedder.dimensions()];
        embedder.embed(text, &mut out);
        out
    }

    #[test]
    fn vectors_have_unit_length_and_near_texts_are_near() {
        let dragon = vector("the last dragon hatches");
        assert!((dot(&dragon, &dragon) - 1.0).abs() < 1e-5);
        assert!(dot(&dragon, &vector("dragons hatch at last")) > dot(&dragon, &vector("two bakers swap a cake")) + 0.2);
        assert!(vector("the of and").iter().all(|x| *x == 0.0), "nothing to embed gives the zero vector");
    }
}
