//! Unit vectors, one a row, as small as they go without loss.
//!
//! A vector of counts over their own length is kept as the counts, a quarter of its size; any other vector as it is.
//! Which of the two a row is follows from the vector alone, so that memory in RAM and a store hold the same.
//!
//! Invariant: what comes out is bit for bit what was put in.

use super::{Column, Plain, Slab};
use crate::memory::embed::dot;
use crate::memory::wide::wide;

/// The sum of squares that says that a row is kept as it is. Counts never reach it: a row would need 260,000 of them.
const EXACT: u32 = u32::MAX;

/// Where a row is, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Place {
    /// Its number among the rows of its kind.
    number: u32,
    /// Sum of the squares of its counts; [`EXACT`] of other rows.
    squares: u32,
}

/// A unit vector, or zero.
#[derive(Clone, Copy, Debug)]
pub enum Unit<'a> {
    /// Counts over their length.
    Counts {
        /// Whole numbers, from −127 to 127.
        counts: &'a [i8],
        /// The sum of their squares.
        squares: u32,
    },
    /// Any other vector.
    Exact(&'a [f32]),
}

impl Unit<'_> {
    /// Cosine with a unit vector of the same width, bit for bit the [`dot`] of both.
    pub fn cosine(self, other: &[f32]) -> f64 {
        f64::from(match self {
            Self::Counts { counts, squares } => counted_dot(other, counts, length(squares)),
            Self::Exact(exact) => dot(other, exact),
        })
    }

    /// Writes it to `out`, which has its width.
    pub fn write(self, out: &mut [f32]) {
        match self {
            Self::Counts { counts, squares } => {
                let length = length(squares);
                out.iter_mut().zip(counts).for_each(|(out, count)| *out = entry(*count, length));
            }
            Self::Exact(exact) => out.copy_from_slice(exact),
        }
    }

    /// Adds it to `sum`, which has its width.
    pub fn add_to(self, sum: &mut [f32]) {
        match self {
            Self::Counts { counts, squares } => {
                let length = length(squares);
                sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += entry(*count, length));
            }
            Self::Exact(exact) => sum.iter_mut().zip(exact).for_each(|(sum, x)| *sum += x),
        }
    }

    /// Its entries.
    pub fn to_vec(self) -> Vec<f32> {
        match self {
            Self::Counts { counts, squares } => {
                let length = length(squares);
                counts.iter().map(|count| entry(*count, length)).collect()
            }
            Self::Exact(exact) => exact.to_vec(),
        }
    }
}

/// Length of counts with this sum of squares; 1 of zero, which stays zero.
fn length(squares: u32) -> f32 {
    if squares == 0 { 1.0 } else { (squares as f32).sqrt() }
}

#[inline(always)]
fn entry(count: i8, length: f32) -> f32 {
    f32::from(count) / length
}

/// [`dot`] with counts over their length, sums in the same order.
fn counted_dot(vector: &[f32], counts: &[i8], length: f32) -> f32 {
    wide(|| counted_sum(vector, counts, length))
}

#[inline(always)]
fn counted_sum(vector: &[f32], counts: &[i8], length: f32) -> f32 {
    let mut sums = [0.0f32; 8];
    let (blocks, rest) = vector.as_chunks::<8>();
    let (counted, counted_rest) = counts.as_chunks::<8>();
    for (x, y) in blocks.iter().zip(counted) {
        for lane in 0..8 {
            sums[lane] += x[lane] * entry(y[lane], length);
        }
    }
    let rest: f32 = rest.iter().zip(counted_rest).map(|(x, y)| x * entry(*y, length)).sum();
    sums.iter().sum::<f32>() + rest
}

/// Finds the smallest counts that `vector` is, puts them into `counts` and says the sum of their squares. `None` where
/// there are none: then `counts` holds nothing of use.
fn count(vector: &[f32], counts: &mut [i8]) -> Option<u32> {
    let sizes = || vector.iter().map(|x| x.abs());
    let (least, most) = (sizes().filter(|x| *x > 0.0).fold(f32::INFINITY, f32::min), sizes().fold(0.0, f32::max));
    // The least entry is one of the counts 1, 2, …, as long as the greatest one fits.
    let steps = if most > 0.0 { (127.5 * least / most) as u32 } else { 1 };
    (1..=steps.min(127)).find_map(|step| {
        let unit = if most > 0.0 { step as f32 / least } else { 1.0 };
        let mut squares = 0u32;
        for (x, count) in vector.iter().zip(counts.iter_mut()) {
            *count = (x * unit).round() as i8;
            squares = squares.checked_add(i32::from(*count).unsigned_abs().pow(2))?;
        }
        let length = length(squares);
        let same = counts.iter().zip(vector).all(|(count, x)| entry(*count, length).to_bits() == x.to_bits());
        (same && squares != EXACT).then_some(squares)
    })
}

/// Rows as they are made.
#[derive(Default)]
pub struct Rows {
    /// A row each.
    pub places: Vec<Place>,
    /// Rows of counts.
    pub counts: Vec<i8>,
    /// The others.
    pub exact: Vec<f32>,
}

impl Rows {
    /// Adds a vector.
    pub fn push(&mut self, vector: &[f32]) {
        let width = vector.len();
        let start = self.counts.len();
        self.counts.resize(start + width, 0);
        let place = match count(vector, &mut self.counts[start..]) {
            Some(squares) => Place { number: (start / width.max(1)) as u32, squares },
            None => {
                self.counts.truncate(start);
                let number = self.exact.len() / width.max(1);
                self.exact.extend_from_slice(vector);
                Place { number: number as u32, squares: EXACT }
            }
        };
        self.places.push(place);
    }

    /// How many rows of each kind there are, of vectors this wide.
    fn kinds(&self, width: usize) -> Kinds {
        Kinds { counts: (self.counts.len() / width.max(1)) as u32, exact: (self.exact.len() / width.max(1)) as u32 }
    }
}

/// How many rows of each kind lie before others.
#[derive(Clone, Copy, Default)]
pub struct Kinds {
    counts: u32,
    exact: u32,
}

impl Kinds {
    /// Makes `rows` follow those that were counted here, and counts them.
    pub fn shift(&mut self, rows: &mut Rows, width: usize) {
        let own = rows.kinds(width);
        for place in &mut rows.places {
            place.number += if place.squares == EXACT { self.exact } else { self.counts };
        }
        self.counts += own.counts;
        self.exact += own.exact;
    }
}

/// One vector a row.
pub struct Vectors {
    width: usize,
    kinds: Kinds,
    places: Column<Place>,
    counts: Column<i8>,
    exact: Column<f32>,
}

impl Vectors {
    /// Vectors of `width` entries, as [`Rows`] hold them.
    pub fn new(width: usize, places: Slab<Place>, counts: Slab<i8>, exact: Slab<f32>) -> Self {
        let of = |length: usize| (length / width.max(1)) as u32;
        let kinds = Kinds { counts: of(counts.len()), exact: of(exact.len()) };
        Self { width, kinds, places: places.into(), counts: counts.into(), exact: exact.into() }
    }

    /// Adds a vector.
    pub fn push(&mut self, vector: &[f32]) {
        let mut rows = Rows::default();
        rows.push(vector);
        self.kinds.shift(&mut rows, self.width);
        extend(&mut self.places, &rows.places);
        extend(&mut self.counts, &rows.counts);
        extend(&mut self.exact, &rows.exact);
    }

    /// The vector of a row.
    pub fn row(&self, row: usize) -> Unit<'_> {
        let Place { number, squares } = self.places[row];
        let range = number as usize * self.width..(number as usize + 1) * self.width;
        match squares {
            EXACT => Unit::Exact(self.exact.within(range)),
            squares => Unit::Counts { counts: self.counts.within(range), squares },
        }
    }

    /// Entries of a vector.
    pub fn width(&self) -> usize {
        self.width
    }
}

fn extend<T: Plain>(column: &mut Column<T>, values: &[T]) {
    values.iter().for_each(|value| column.push(*value));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::embed::{Embedder, HashEmbedder, normalise};

    fn bits(vector: &[f32]) -> Vec<u32> {
        vector.iter().map(|x| x.to_bits()).collect()
    }

    fn is_small(vector: &[f32]) -> bool {
        count(vector, &mut vec![0; vector.len()]).is_some()
    }

    proptest! {
        #[test]
        fn any_vector_comes_out_as_it_went_in(
            rows in proptest::collection::vec((proptest::collection::vec(-140i32..140, 11), 0..3u8), 1..12),
            before in 0..12usize,
        ) {
            // Counts that fit, counts that do not, fractions, zeros.
            let made = |(counts, kind): &(Vec<i32>, u8)| {
                let mut vector: Vec<f32> = counts.iter().map(|c| match kind {
                    0 => *c as f32 * 0.25,
                    1 => (*c % 5) as f32,
                    _ => (*c as f32).sin(),
                }).collect();
                normalise(&mut vector);
                vector
            };
            let vectors: Vec<Vec<f32>> = rows.iter().map(made).collect();
            let (first, later) = vectors.split_at(before.min(vectors.len()));
            let mut rows = Rows::default();
            first.iter().for_each(|vector| rows.push(vector));
            let mut held = Vectors::new(11, rows.places.into(), rows.counts.into(), rows.exact.into());
            later.iter().for_each(|vector| held.push(vector));
            let mut out = [7.0; 11];
            for (row, vector) in vectors.iter().enumerate() {
                prop_assert_eq!(bits(&held.row(row).to_vec()), bits(vector));
                held.row(row).write(&mut out);
                prop_assert_eq!(bits(&out), bits(vector));
                let mut sum = [1.5; 11];
                held.row(row).add_to(&mut sum);
                prop_assert_eq!(bits(&sum), bits(&vector.iter().map(|x| 1.5 + x).collect::<Vec<_>>()));
                for other in &vectors {
                    prop_assert_eq!(held.row(row).cosine(other).to_bits(), f64::from(dot(other, vector)).to_bits());
                }
            }
        }
    }

    #[test]
    fn hashed_texts_are_counts_and_others_are_kept_as_they_are() {
        let embedder = HashEmbedder::default();
        let mut vector = vec![0.0; embedder.dimensions()];
        for text in [
            "the last dragon hatches",
            "a",
            "",
            "Łódź at night, once more at night: seventy-one bakers and their cakes",
        ] {
            embedder.embed(text, &mut vector);
            assert!(is_small(&vector), "{text}");
        }
        // More of one word than a count holds.
        embedder.embed(&"tide ".repeat(200), &mut vector);
        assert!(is_small(&vector), "a word alone has the counts of one");
        embedder.embed(&format!("{} harbour", "tide ".repeat(200)), &mut vector);
        assert!(!is_small(&vector));
        assert!(!is_small(&[0.6, 0.8001, f32::EPSILON]));
        assert!(is_small(&[0.0, 0.0]) && !is_small(&[0.0, -0.0]));
    }
}
