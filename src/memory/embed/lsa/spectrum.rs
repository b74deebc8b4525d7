//! The leading right singular vectors of a sparse matrix, by subspace iteration from a random start (Halko, Martinsson
//! and Tropp 2011) on its Gram matrix, which is never formed.
//!
//! Columns do not meet until they are made orthogonal, so cores share them out and results do not depend on how many
//! cores there are. Memory is the matrix and two panels of words × columns, however many rows there are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{LsaError, go_on};
use crate::data::draw::Draw;

/// Columns beyond those wanted: they take up what would otherwise blur the last ones.
const SPARE: usize = 16;
/// Applications of the Gram matrix. Each narrows what is left of a direction beyond the subspace by its ratio of squared
/// singular values.
const PASSES: usize = 8;
/// Columns that go through the matrix together.
const LANES: usize = 8;
/// Rounds of rotations; each squares what is off the diagonal.
const SWEEPS: usize = 30;

/// Columns side by side, a word after another.
type Panel = Vec<[f64; LANES]>;

/// A sparse matrix by rows.
pub struct Matrix {
    columns: usize,
    ends: Vec<usize>,
    cells: Vec<(u32, f32)>,
}

impl Matrix {
    /// Without rows yet.
    pub fn new(columns: usize) -> Self {
        Self { columns, ends: Vec::new(), cells: Vec::new() }
    }

    /// Adds a row by its non-zero cells.
    pub fn push(&mut self, cells: impl Iterator<Item = (u32, f32)>) {
        self.cells.extend(cells);
        self.ends.push(self.cells.len());
    }

    /// The sum of all squares.
    pub fn squares(&self) -> f64 {
        self.cells.iter().map(|(_, x)| f64::from(*x).powi(2)).sum()
    }

    /// AᵀA times some columns.
    fn gram(&self, panel: &Panel) -> Panel {
        let mut out = vec![[0.0; LANES]; self.columns];
        let mut start = 0;
        for end in &self.ends {
            let row = &self.cells[start..*end];
            let mut sum = [0.0; LANES];
            for (column, x) in row {
                let (x, from) = (f64::from(*x), &panel[*column as usize]);
                sum.iter_mut().zip(from).for_each(|(sum, from)| *sum += x * from);
            }
            for (column, x) in row {
                let (x, to) = (f64::from(*x), &mut out[*column as usize]);
                to.iter_mut().zip(sum).for_each(|(to, sum)| *to += x * sum);
            }
            start = *end;
        }
        out
    }
}

/// The leading part of a matrix.
pub struct Spectrum {
    /// Squared singular values, largest first.
    pub values: Vec<f64>,
    /// The right singular vectors in that order; the largest number of each is positive.
    pub vectors: Vec<Vec<f64>>,
}

/// The `count` leading right singular vectors of `matrix`, which has as many columns at least. `progress` hears of
/// passes.
pub fn leading(
    matrix: &Matrix,
    count: usize,
    seed: u64,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Spectrum, LsaError> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut draw = Draw::seeded(seed);
    let width = (count + SPARE).min(matrix.columns);
    let random = |_| (0..matrix.columns).map(|_| draw.normal()).collect();
    let mut basis: Vec<Vec<f64>> = (0..width).map(random).collect();
    for pass in 0..PASSES {
        progress(pass, PASSES + 1);
        orthonormalise(&mut basis);
        basis = apply(matrix, &basis, cores, cancel)?;
    }
    progress(PASSES, PASSES + 1);
    // Twice: once leaves what rounding made of nearly parallel columns.
    orthonormalise(&mut basis);
    orthonormalise(&mut basis);
    let image = apply(matrix, &basis, cores, cancel)?;
    // The matrix as the subspace sees it, Rayleigh and Ritz.
    let mut inner = vec![vec![0.0; width]; width];
    for i in 0..width {
        for j in 0..=i {
            inner[i][j] = dot(&basis[i], &image[j]);
            inner[j][i] = inner[i][j];
        }
    }
    go_on(cancel)?;
    let (values, rotations) = eigen(inner);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.truncate(count);
    let vector = |of: &usize| {
        let mut vector = vec![0.0; matrix.columns];
        for (column, rotation) in basis.iter().zip(&rotations) {
            add(&mut vector, rotation[*of], column);
        }
        let largest = vector.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            vector.iter_mut().for_each(|x| *x = -*x);
        }
        vector
    };
    let vectors = order.iter().map(vector).collect();
    Ok(Spectrum { values: order.iter().map(|of| values[*of].max(0.0)).collect(), vectors })
}

/// AᵀA times all columns, shared out among so many threads.
fn apply(matrix: &Matrix, columns: &[Vec<f64>], cores: usize, cancel: &AtomicBool) -> Result<Vec<Vec<f64>>, LsaError> {
    let panels: Vec<&[Vec<f64>]> = columns.chunks(LANES).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while !cancel.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(columns) = panels.get(index) else { break };
            let lane = |word: usize, lane: usize| columns.get(lane).map_or(0.0, |column| column[word]);
            let panel: Panel = (0..matrix.columns).map(|word| std::array::from_fn(|l| lane(word, l))).collect();
            let image = matrix.gram(&panel);
            let column = |lane: usize| image.iter().map(|word| word[lane]).collect();
            done.push((index, (0..columns.len()).map(column).collect::<Vec<Vec<f64>>>()));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(panels.len())).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        // A panic of another goes on here.
        others.into_iter().for_each(|other| {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        });
        done
    });
    go_on(cancel)?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().flat_map(|(_, columns)| columns).collect())
}

/// Makes columns orthogonal and of unit length, by Gram and Schmidt; what depends on others becomes zero.
fn orthonormalise(columns: &mut [Vec<f64>]) {
    for index in 0..columns.len() {
        let (before, rest) = columns.split_at_mut(index);
        let Some(column) = rest.first_mut() else { continue };
        let whole = dot(column, column).sqrt();
        for earlier in before {
            let along = dot(earlier, column);
            add(column, -along, earlier);
        }
        let length = dot(column, column).sqrt();
        if length > 1e-10 * whole && length > 0.0 {
            column.iter_mut().for_each(|x| *x /= length);
        } else {
            column.fill(0.0);
        }
    }
}

/// Dot product with eight sums, so that vector registers are used; the order is fixed, so results repeat exactly.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f64>()
}

fn add(to: &mut [f64], times: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += times * from);
}

/// Eigenvalues of a symmetric matrix and, column by column, its eigenvectors, by Jacobi's rotations.
fn eigen(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = a.len();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let scale: f64 = a.iter().flatten().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..n).map(|i| a[i][..i].iter().map(|x| x * x).sum::<f64>()).sum();
        if off <= 1e-28 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = t.hypot(1.0).recip();
                let s = t * c;
                let turn = |x: &mut f64, y: &mut f64| (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                for row in a.iter_mut().chain(&mut vectors) {
                    let (left, right) = row.split_at_mut(q);
                    turn(&mut left[p], &mut right[0]);
                }
                let (above, below) = a.split_at_mut(q);
                above[p].iter_mut().zip(&mut below[0]).for_each(|(x, y)| turn(x, y));
            }
        }
    }
    ((0..n).map(|i| a[i][i]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[f32]]) -> Matrix {
        let mut matrix = Matrix::new(rows[0].len());
        rows.iter().for_each(|row| matrix.push((0..).zip(row.iter().copied()).filter(|(_, x)| *x != 0.0)));
        matrix
    }

    fn leading_of(matrix: &Matrix, count: usize, seed: u64) -> Spectrum {
        leading(matrix, count, seed, &AtomicBool::new(false), &mut |_, _| ()).unwrap()
    }

    #[test]
    fn a_matrix_of_known_spectrum_gives_it_back() {
        // Singular values 5 and 3 along (1, 1)/√2 and (1, −1)/√2 for A = [[4, 1], [1, 4]].
        let found = leading_of(&of(&[&[4.0, 1.0], &[1.0, 4.0]]), 2, 1);
        assert!((found.values[0] - 25.0).abs() < 1e-9 && (found.values[1] - 9.0).abs() < 1e-9, "{:?}", found.values);
        let half = 0.5f64.sqrt();
        assert!((found.vectors[0][0] - half).abs() < 1e-9 && (found.vectors[0][1] - half).abs() < 1e-9);
        assert!((found.vectors[1][0] + found.vectors[1][1]).abs() < 1e-9);
    }

    #[test]
    fn leading_vectors_are_eigenvectors_of_the_gram_matrix_whatever_the_seed() {
        // 400 × 60 with a decaying spectrum; wanted are 12 of 60, fewer than there are columns in the subspace.
        let mut draw = Draw::seeded(3);
        let factors: Vec<Vec<f64>> = (0..40).map(|_| (0..60).map(|_| draw.normal()).collect()).collect();
        let row = |draw: &mut Draw| -> Vec<f32> {
            let along: Vec<f64> = (0..40).map(|k| draw.normal() * 0.7f64.powi(k)).collect();
            (0..60).map(|j| along.iter().zip(&factors).map(|(a, f)| a * f[j]).sum::<f64>() as f32).collect()
        };
        let rows: Vec<Vec<f32>> = (0..400).map(|_| row(&mut draw)).collect();
        let matrix = of(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let (found, other) = (leading_of(&matrix, 12, 1), leading_of(&matrix, 12, 2));
        let image = apply(&matrix, &found.vectors, 1, &AtomicBool::new(false)).unwrap();
        let shared = apply(&matrix, &found.vectors, 5, &AtomicBool::new(false)).unwrap();
        assert_eq!(image, shared, "bit for bit, whatever the number of threads");
        let found_in_turn = found.values.iter().zip(&found.vectors).zip(&image).zip(&other.vectors);
        for (((value, vector), image), other) in found_in_turn {
            let residual: f64 = image.iter().zip(vector).map(|(y, x)| (y - value * x).powi(2)).sum::<f64>().sqrt();
            assert!(residual < 1e-6 * found.values[0], "{value} misses by {residual}");
            assert!((dot(vector, other) - 1.0).abs() < 1e-6, "another start leads elsewhere");
        }
        assert!(found.values.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn fewer_directions_than_wanted_leave_zeros_and_no_nonsense() {
        let found = leading_of(&of(&[&[1.0, 1.0, 0.0], &[2.0, 2.0, 0.0]]), 3, 1);
        assert!((found.values[0] - 10.0).abs() < 1e-9 && found.values[1].abs() < 1e-9, "{:?}", found.values);
        assert!(found.vectors.iter().flatten().all(|x| x.is_finite()));
    }
}
