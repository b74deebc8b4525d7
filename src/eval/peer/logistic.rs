//! Multinomial logistic regression with an L2 penalty: minimise C · Σ −ln p(y_i | x_i) + ½‖W‖² over weights and
//! intercepts, the intercepts unpenalised, by L-BFGS (Nocedal & Wright, algorithm 7.4, strong Wolfe replaced by
//! backtracking, which suffices where the function is convex and curvature is checked). Deterministic: starts at 0.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use super::tfidf::Row;
use crate::eval::EvalError;
use crate::mediator::distribution::from_logs;

/// Inverse strength of the penalty.
const C: f64 = 10.0;
/// Largest entry of the gradient of the mean loss at which the fit has settled.
const TOLERANCE: f64 = 1e-6;
/// Steps after which a fit has failed.
const MOST_STEPS: usize = 2_000;
/// Steps remembered.
const MEMORY: usize = 10;

/// A fitted regression: weights by feature, then intercepts; `labels` numbers each.
pub struct Logistic {
    parameters: Vec<f64>,
    labels: usize,
    features: usize,
}

impl Logistic {
    /// Fits `rows` of at most `features` features to `golds`.
    pub fn fit(
        rows: &[Row],
        golds: &[usize],
        labels: usize,
        features: usize,
        cancel: &AtomicBool,
    ) -> Result<Self, EvalError> {
        let mut model = Self { parameters: vec![0.0; (features + 1) * labels], labels, features };
        let objective = |x: &[f64], gradient: &mut [f64]| objective(rows, golds, labels, features, x, gradient);
        let settled = TOLERANCE * C * rows.len() as f64;
        minimise(&mut model.parameters, objective, settled, cancel)?;
        Ok(model)
    }

    /// p(y | row). Sums to 1.
    pub fn probabilities(&self, row: &Row) -> Vec<f64> {
        from_logs(logits(&self.parameters, row, self.labels, self.features))
    }
}

fn logits(parameters: &[f64], row: &Row, labels: usize, features: usize) -> Vec<f64> {
    let of = |feature: usize| &parameters[feature * labels..(feature + 1) * labels];
    let mut z = of(features).to_vec();
    for (feature, value) in row {
        z.iter_mut().zip(of(*feature as usize)).for_each(|(z, w)| *z += value * w);
    }
    z
}

/// The objective at `x`; its gradient goes to `gradient`.
fn objective(rows: &[Row], golds: &[usize], labels: usize, features: usize, x: &[f64], gradient: &mut [f64]) -> f64 {
    let weights = features * labels;
    gradient[..weights].copy_from_slice(&x[..weights]);
    gradient[weights..].fill(0.0);
    let mut loss = 0.5 * dot(&x[..weights], &x[..weights]);
    for (row, gold) in rows.iter().zip(golds) {
        let mut residual = from_logs(logits(x, row, labels, features));
        loss -= C * residual[*gold].max(f64::MIN_POSITIVE).ln();
        residual[*gold] -= 1.0;
        let mut add = |feature: usize, value: f64| {
            let slots = &mut gradient[feature * labels..(feature + 1) * labels];
            slots.iter_mut().zip(&residual).for_each(|(slot, r)| *slot += C * value * r);
        };
        add(features, 1.0);
        row.iter().for_each(|(feature, value)| add(*feature as usize, *value));
    }
    loss
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn largest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |most, g| most.max(g.abs()))
}

/// Moves `x` to the minimum of a convex `f`, which writes its gradient, until no entry of that is above `settled`.
fn minimise(
    x: &mut [f64],
    f: impl Fn(&[f64], &mut [f64]) -> f64,
    settled: f64,
    cancel: &AtomicBool,
) -> Result<(), EvalError> {
    let mut gradient = vec![0.0; x.len()];
    let mut value = f(x, &mut gradient);
    // Steps s, changes of the gradient y, and 1/(s·y), oldest first.
    let mut past: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::with_capacity(MEMORY);
    for step_number in 0..MOST_STEPS {
        if cancel.load(Ordering::Relaxed) {
            return Err(EvalError::Interrupted);
        }
        if largest(&gradient) <= settled {
            tracing::debug!(target: "logoscope::eval", "logistic regression settled after {step_number} steps");
            return Ok(());
        }
        let direction = direction(&gradient, &past);
        let slope = dot(&gradient, &direction);
        let mut step = if past.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let mut next = x.to_vec();
        let mut next_gradient = vec![0.0; x.len()];
        let next_value = loop {
            next.iter_mut().zip(x.iter().zip(&direction)).for_each(|(next, (x, d))| *next = x + step * d);
            let value_there = f(&next, &mut next_gradient);
            if value_there <= value + 1e-4 * step * slope {
                break value_there;
            }
            step /= 2.0;
            // No step is short enough: rounding hides what is left to gain.
            if step < 1e-12 {
                return Err(EvalError::Diverged { iterations: step_number, gradient: largest(&gradient) });
            }
        };
        let s: Vec<f64> = next.iter().zip(x.iter()).map(|(next, x)| next - x).collect();
        let y: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(next, g)| next - g).collect();
        let curvature = dot(&s, &y);
        if curvature > 1e-10 * dot(&y, &y).sqrt() * dot(&s, &s).sqrt() {
            if past.len() == MEMORY {
                past.pop_front();
            }
            past.push_back((s, y, 1.0 / curvature));
        }
        x.copy_from_slice(&next);
        (value, gradient) = (next_value, next_gradient);
    }
    Err(EvalError::Diverged { iterations: MOST_STEPS, gradient: largest(&gradient) })
}

/// −H·gradient by the two-loop recursion.
fn direction(gradient: &[f64], past: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut q = gradient.to_vec();
    let mut shares = Vec::with_capacity(past.len());
    for (s, y, rho) in past.iter().rev() {
        let share = rho * dot(s, &q);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= share * y);
        shares.push(share);
    }
    if let Some((_, y, rho)) = past.back() {
        let scale = 1.0 / (rho * dot(y, y));
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y, rho), share) in past.iter().zip(shares.iter().rev()) {
        let back = rho * dot(y, &q);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (share - back) * s);
    }
    q.iter_mut().for_each(|q| *q = -*q);
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(rows: &[Row], golds: &[usize], labels: usize, features: usize) -> Logistic {
        Logistic::fit(rows, golds, labels, features, &AtomicBool::new(false)).unwrap()
    }

    #[test]
    fn without_features_it_learns_the_shares_of_labels() {
        let model = fit(&vec![Row::new(); 8], &[0, 0, 0, 0, 0, 0, 1, 2], 3, 0);
        for (p, expected) in model.probabilities(&Row::new()).into_iter().zip([0.75, 0.125, 0.125]) {
            assert!((p - expected).abs() < 1e-4, "{p} is not {expected}");
        }
    }

    #[test]
    fn two_balanced_points_have_a_known_solution() {
        // Points ±1 of two labels: by symmetry the weights are ±w with w = C · 2(1 − p), p = 1/(1 + exp(−2w)).
        let model = fit(&[vec![(0, 1.0)], vec![(0, -1.0)]], &[0, 1], 2, 1);
        let p = model.probabilities(&vec![(0, 1.0)])[0];
        let w = 0.5 * (p / (1.0 - p)).ln();
        assert!((w - C * 2.0 * (1.0 - p)).abs() < 1e-2, "w {w}, p {p}");
        assert!((model.probabilities(&vec![(0, -1.0)])[1] - p).abs() < 1e-4);
    }

    #[test]
    fn the_gradient_is_that_of_the_objective() {
        let rows = [vec![(0, 0.6), (1, 0.8)], vec![(1, 1.0)], vec![(0, 1.0)]];
        let at = [0.3, -0.2, 0.1, 0.5, 0.0, -0.4, 0.2, 0.1, -0.3];
        let value = |x: &[f64], gradient: &mut [f64]| objective(&rows, &[0, 2, 1], 3, 2, x, gradient);
        let mut gradient = [0.0; 9];
        value(&at, &mut gradient);
        for (slot, expected) in gradient.into_iter().enumerate() {
            let mut moved = at;
            moved[slot] += 1e-5;
            let above = value(&moved, &mut [0.0; 9]);
            moved[slot] -= 2e-5;
            let below = value(&moved, &mut [0.0; 9]);
            assert!(((above - below) / 2e-5 - expected).abs() < 1e-6, "slot {slot}");
        }
    }

    #[test]
    fn an_interrupt_ends_a_fit() {
        let stopped = Logistic::fit(&[vec![(0, 1.0)]], &[0], 2, 1, &AtomicBool::new(true));
        assert!(matches!(stopped, Err(EvalError::Interrupted)));
    }
}
