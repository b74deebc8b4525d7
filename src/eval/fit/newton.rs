//! Exponents by maximum likelihood: ln p(y) = offset(y) + Σ_k θ_k x_k(y) + const, θ ≥ 0. Convex, so Newton's method with a
//! projection on the non-negative finds the optimum.

/// Exponents that are fitted together.
pub const WIDTH: usize = 7;

/// Newton steps at most; ten are plenty.
const STEPS: usize = 60;
/// The loss has settled when a step improves it by less.
const SETTLED: f64 = 1e-12;
/// Keeps the system solvable where two columns say the same.
const JITTER: f64 = 1e-9;

/// Rows of a conditional logit: one choice among labels each.
#[derive(Clone, Debug)]
pub struct Choices {
    labels: usize,
    gold: Vec<usize>,
    /// Row · K + label.
    offset: Vec<f64>,
    /// (Row · K + label) · WIDTH + column.
    columns: Vec<f64>,
}

impl Choices {
    /// No row yet, among so many labels.
    pub fn new(labels: usize) -> Self {
        Self { labels, gold: Vec::new(), offset: Vec::new(), columns: Vec::new() }
    }

    /// Adds a row; every slice has an entry a label.
    pub fn push(&mut self, gold: usize, offset: &[f64], columns: [&[f64]; WIDTH]) {
        self.gold.push(gold);
        self.offset.extend(offset);
        for y in 0..self.labels {
            self.columns.extend(columns.map(|column| column[y]));
        }
    }

    /// Mean −ln p(gold).
    pub fn loss(&self, theta: &[f64; WIDTH]) -> f64 {
        self.evaluate(theta, &mut |_, _| ())
    }

    /// Mean loss; `row` hears each row's p and where its columns start.
    fn evaluate(&self, theta: &[f64; WIDTH], row: &mut dyn FnMut(usize, &[f64])) -> f64 {
        let mut p = vec![0.0; self.labels];
        let mut loss = 0.0;
        for (ix, gold) in self.gold.iter().enumerate() {
            let start = ix * self.labels;
            for (y, log) in p.iter_mut().enumerate() {
                let columns = &self.columns[(start + y) * WIDTH..(start + y + 1) * WIDTH];
                *log = self.offset[start + y] + columns.iter().zip(theta).map(|(x, t)| x * t).sum::<f64>();
            }
            let top = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let right = p[*gold] - top;
            p.iter_mut().for_each(|log| *log = (*log - top).exp());
            let sum: f64 = p.iter().sum();
            p.iter_mut().for_each(|p| *p /= sum);
            loss += sum.ln() - right;
            row(ix, &p);
        }
        loss / self.gold.len().max(1) as f64
    }

    /// Gradient and Hessian of the mean loss.
    fn slopes(&self, theta: &[f64; WIDTH]) -> (f64, [f64; WIDTH], [[f64; WIDTH]; WIDTH]) {
        let (mut gradient, mut hessian) = ([0.0; WIDTH], [[0.0; WIDTH]; WIDTH]);
        let loss = self.evaluate(theta, &mut |ix, p| {
            let columns = |y: usize| {
                let at = (ix * self.labels + y) * WIDTH;
                &self.columns[at..at + WIDTH]
            };
            let (mut mean, mut squares) = ([0.0; WIDTH], [[0.0; WIDTH]; WIDTH]);
            for (y, p) in p.iter().enumerate() {
                let x = columns(y);
                for i in 0..WIDTH {
                    mean[i] += p * x[i];
                    for j in 0..WIDTH {
                        squares[i][j] += p * x[i] * x[j];
                    }
                }
            }
            let right = columns(self.gold[ix]);
            for i in 0..WIDTH {
                gradient[i] += mean[i] - right[i];
                for j in 0..WIDTH {
                    hessian[i][j] += squares[i][j] - mean[i] * mean[j];
                }
            }
        });
        let n = self.gold.len().max(1) as f64;
        gradient.iter_mut().chain(hessian.iter_mut().flatten()).for_each(|sum| *sum /= n);
        (loss, gradient, hessian)
    }

    /// The exponents of least loss from `start` on; those not `free` stay. Returns them with their loss.
    pub fn fit(&self, start: [f64; WIDTH], free: [bool; WIDTH]) -> ([f64; WIDTH], f64) {
        let mut theta = start;
        let mut best = self.loss(&theta);
        for _ in 0..STEPS {
            let (_, gradient, hessian) = self.slopes(&theta);
            // What rests on its bound and would go below it stays out of this step.
            let moving: Vec<usize> =
                (0..WIDTH).filter(|k| free[*k] && (theta[*k] > 0.0 || gradient[*k] < 0.0)).collect();
            let step = solve(&moving, &gradient, &hessian);
            let mut length = 1.0;
            let stepped = loop {
                let mut next = theta;
                moving.iter().zip(&step).for_each(|(k, s)| next[*k] = (theta[*k] - length * s).max(0.0));
                let loss = self.loss(&next);
                if loss < best {
                    break Some((next, loss));
                }
                length *= 0.5;
                if length < 1e-6 {
                    break None;
                }
            };
            let Some((next, loss)) = stepped else { break };
            let gained = best - loss;
            (theta, best) = (next, loss);
            if gained < SETTLED {
                break;
            }
        }
        (theta, best)
    }
}

/// Solves H x = g for the `moving` rows and columns, by Cholesky.
fn solve(moving: &[usize], gradient: &[f64; WIDTH], hessian: &[[f64; WIDTH]; WIDTH]) -> Vec<f64> {
    let n = moving.len();
    let mut lower = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let value = hessian[moving[i]][moving[j]] - known;
            lower[i][j] = if i == j { (value + JITTER).max(JITTER).sqrt() } else { value / lower[j][j] };
        }
    }
    let mut x: Vec<f64> = moving.iter().map(|k| gradient[*k]).collect();
    for i in 0..n {
        x[i] = (x[i] - (0..i).map(|k| lower[i][k] * x[k]).sum::<f64>()) / lower[i][i];
    }
    for i in (0..n).rev() {
        x[i] = (x[i] - (i + 1..n).map(|k| lower[k][i] * x[k]).sum::<f64>()) / lower[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One column says something, the others do not.
    fn alone<'a>(x: &'a [f64], silent: &'a [f64]) -> [&'a [f64]; WIDTH] {
        std::array::from_fn(|k| if k == 0 { x } else { silent })
    }

    /// Two labels, one column of ±½: the optimum is the log-odds of how often it is right.
    #[test]
    fn one_column_gets_the_log_odds_of_being_right() {
        let mut choices = Choices::new(2);
        let zero = [0.0, 0.0];
        for row in 0..100 {
            let x = [0.5, -0.5];
            choices.push(usize::from(row >= 80), &zero, alone(&x, &zero));
        }
        let start = std::array::from_fn(|k| if k == 0 { 1.0 } else { 0.0 });
        let (theta, loss) = choices.fit(start, std::array::from_fn(|k| k < 2));
        assert!((theta[0] - (0.8f64 / 0.2).ln()).abs() < 1e-6, "{theta:?}");
        assert_eq!(theta[1..], [0.0; WIDTH - 1], "a silent column moves nothing");
        assert!((loss + 0.8 * 0.8f64.ln() + 0.2 * 0.2f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn a_column_that_is_wrong_more_often_than_right_is_silenced() {
        let mut choices = Choices::new(2);
        let (zero, x) = ([0.0, 0.0], [0.5, -0.5]);
        for row in 0..10 {
            choices.push(usize::from(row >= 3), &zero, alone(&x, &zero));
        }
        let (theta, _) = choices.fit([1.0; WIDTH], std::array::from_fn(|k| k == 0));
        assert_eq!((theta[0], &theta[1..]), (0.0, &[1.0; WIDTH - 1][..]));
    }

    proptest! {
        #[test]
        fn no_neighbour_of_the_optimum_is_better(
            rows in prop::collection::vec((0..3usize, prop::collection::vec(-1.0..1.0f64, 3 * WIDTH)), 5..40),
            step in prop::collection::vec(-0.2..0.2f64, WIDTH)
        ) {
            let mut choices = Choices::new(3);
            for (gold, x) in &rows {
                choices.push(*gold, &[0.0, 0.3, -0.2], std::array::from_fn(|k| &x[3 * k..3 * k + 3]));
            }
            let (theta, loss) = choices.fit([0.5; WIDTH], [true; WIDTH]);
            prop_assert!(theta.iter().all(|t| *t >= 0.0));
            let mut other = theta;
            other.iter_mut().zip(&step).for_each(|(t, s)| *t = (*t + s).max(0.0));
            prop_assert!(choices.loss(&other) >= loss - 1e-9, "{theta:?} {other:?}");
        }
    }
}
