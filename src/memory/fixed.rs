//! Unit vectors in fixed point: an approximate cosine of known error, cheap enough to compare one with thousands.
//!
//! Whoever needs the best of many compares these first, and the few that the error leaves in question exactly: the
//! result is then the same as without. Integer sums have no order, so this is also the same on every machine.

use std::ops::{Deref, Range};

use super::wide::wide;

/// What 1 is stored as. Sums of products of unit vectors stay within 2^28, by Cauchy and Schwarz.
const ONE: f32 = 16_384.0;

/// A vector in fixed point.
pub fn fixed(vector: &[f32]) -> Vec<i16> {
    vector.iter().map(|x| (x * ONE).round() as i16).collect()
}

/// Vectors of one width, one after another, in memory or wherever `C` keeps them.
#[derive(Clone, Debug, Default)]
pub struct Rows<C = Vec<i16>> {
    dimensions: usize,
    cells: C,
}

impl Rows {
    /// Stores `vectors`, each of `dimensions` numbers and of length 1 or 0.
    pub fn of<'a>(dimensions: usize, vectors: impl Iterator<Item = &'a [f32]>) -> Self {
        let mut cells = Vec::with_capacity(vectors.size_hint().0 * dimensions);
        vectors.for_each(|vector| cells.extend(vector.iter().map(|x| (x * ONE).round() as i16)));
        Self { dimensions, cells }
    }

    /// Replaces one of them.
    pub fn set(&mut self, ix: usize, vector: &[f32]) {
        let row = &mut self.cells[ix * self.dimensions..(ix + 1) * self.dimensions];
        row.iter_mut().zip(vector).for_each(|(cell, x)| *cell = (x * ONE).round() as i16);
    }

    /// Their numbers.
    pub fn into_cells(self) -> Vec<i16> {
        self.cells
    }
}

impl<C: Deref<Target = [i16]>> Rows<C> {
    /// Vectors of `dimensions` numbers each, as they were stored.
    pub fn over(dimensions: usize, cells: C) -> Self {
        Self { dimensions, cells }
    }

    /// The numbers of all of them.
    pub fn cells(&self) -> &[i16] {
        &self.cells
    }

    /// One of them.
    pub fn row(&self, ix: usize) -> &[i16] {
        &self.cells[ix * self.dimensions..(ix + 1) * self.dimensions]
    }

    /// Puts the approximate cosines of `vector` with each of them into `cosines`, in their order.
    pub fn cosines(&self, vector: &[i16], cosines: &mut Vec<f32>) {
        cosines.clear();
        self.compare(vector, &self.cells, cosines);
    }

    /// Adds those with the ones at `places` to `cosines`.
    pub fn cosines_at(&self, vector: &[i16], places: Range<usize>, cosines: &mut Vec<f32>) {
        let cells = &self.cells[places.start * self.dimensions..places.end * self.dimensions];
        self.compare(vector, cells, cosines);
    }

    fn compare(&self, vector: &[i16], cells: &[i16], cosines: &mut Vec<f32>) {
        let rows = cells.chunks_exact(self.dimensions.max(1));
        wide(|| cosines.extend(rows.map(|row| steps(vector, row) as f32 / (ONE * ONE))));
    }
}

/// Approximate cosine of two vectors, within [`error`] of the exact one.
pub fn cosine(a: &[i16], b: &[i16]) -> f32 {
    wide(|| steps(a, b) as f32 / (ONE * ONE))
}

/// The sum of products.
#[inline(always)]
fn steps(a: &[i16], b: &[i16]) -> i32 {
    // Blocks of this size, with their bounds in sight, become multiply-and-add instructions at their full width.
    let (a_blocks, a_rest) = a.as_chunks::<32>();
    let (b_blocks, b_rest) = b.as_chunks::<32>();
    let mut sum = 0i32;
    let mut block = 0;
    while block < a_blocks.len() && block < b_blocks.len() {
        let (x, y) = (&a_blocks[block], &b_blocks[block]);
        let mut part = 0i32;
        for lane in 0..32 {
            part += i32::from(x[lane]) * i32::from(y[lane]);
        }
        sum += part;
        block += 1;
    }
    let rest: i32 = a_rest.iter().zip(b_rest).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum();
    sum + rest
}

/// The most by which [`cosine`] and the exact dot product of two vectors of this width differ.
///
/// Each number is off by half a step at most, so ‖δ‖ ≤ √d/2 steps, and |a·b − ã·b̃| ≤ ‖δ‖ (‖a‖ + ‖b̃‖) ≤ √d steps. The rest is
/// what single precision rounds away.
pub fn error(dimensions: usize) -> f32 {
    (dimensions as f32).sqrt() / ONE * 1.01 + 1e-5
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::embed::{dot, normalise};
    use super::*;

    proptest! {
        #[test]
        fn the_error_is_a_bound(
            mut a in proptest::collection::vec(-1.0..1.0f32, 257), mut b in proptest::collection::vec(-1.0..1.0f32, 257),
            alike in any::<bool>()
        ) {
            if alike {
                b.clone_from(&a);
            }
            normalise(&mut a);
            normalise(&mut b);
            prop_assert!((cosine(&fixed(&a), &fixed(&b)) - dot(&a, &b)).abs() <= error(257));
            let rows = Rows::of(257, [&b[..], &a].into_iter());
            let mut cosines = vec![9.0];
            rows.cosines(&fixed(&a), &mut cosines);
            prop_assert_eq!(&cosines, &vec![cosine(&fixed(&a), rows.row(0)), cosine(&fixed(&a), rows.row(1))]);
            rows.cosines_at(&fixed(&a), 1..2, &mut cosines);
            prop_assert_eq!(cosines[2], cosines[1]);
        }
    }

    #[test]
    fn the_longest_vectors_do_not_overflow() {
        let mut axis = vec![0.0; 256];
        axis[3] = -1.0;
        assert_eq!(cosine(&fixed(&axis), &fixed(&axis)), 1.0);
    }
}
