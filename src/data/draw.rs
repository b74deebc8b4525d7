//! Seeded random draws whose stream never changes.
//!
//! Shipped populations and community assignments are functions of a seed, so the mapping from generator bits to
//! numbers is written out here instead of following a library's next release.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// An odd number whose multiples stay far apart: 2⁶⁴ over the golden ratio.
const APART: u64 = 0x9E37_79B9_7F4A_7C15;

/// The seed of stream `number` of `seed`; those of seed 1 follow one another from 1 on.
pub fn numbered(seed: u64, number: usize) -> u64 {
    seed.wrapping_sub(1).wrapping_mul(APART).wrapping_add(1).wrapping_add(number as u64)
}

/// A stream of draws, a pure function of its seed.
#[derive(Clone, Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Stream `number` of `seed`, which is none of another seed's first two thousand million.
    pub fn numbered(seed: u64, number: usize) -> Self {
        Self::seeded(numbered(seed, number))
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0..n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// An index drawn in proportion to non-negative `weights`; the last one if they sum to 0.
    pub fn index(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (i, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return i;
            }
        }
        weights.len().saturating_sub(1)
    }

    /// One of `choices`, which must not be empty.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_frozen() {
        let mut draw = Draw::seeded(1);
        let first: Vec<usize> = (0..6).map(|_| draw.below(1000)).collect();
        assert_eq!(first, Draw::seeded(1).take(6), "same seed, same draws");
        assert_ne!(first, Draw::seeded(2).take(6));
        assert_eq!(Draw::seeded(3).index(&[0.0, 5.0, 0.0]), 1);
    }

    #[test]
    fn seeds_share_no_stream() {
        let streams = |seed: u64| (0..10_000).map(move |number| numbered(seed, number));
        let all: std::collections::HashSet<u64> = (0..20).flat_map(streams).collect();
        assert_eq!(all.len(), 20 * 10_000);
        assert_eq!(streams(1).take(3).collect::<Vec<_>>(), [1, 2, 3], "as they always were");
    }

    impl Draw {
        fn take(mut self, n: usize) -> Vec<usize> {
            (0..n).map(|_| self.below(1000)).collect()
        }
    }
}
