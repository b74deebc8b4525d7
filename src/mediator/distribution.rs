//! Small operations on distributions over a label set.

/// Values that differ by less than this share of the greater one are equal: what sums lose in binary decides nothing.
const SLACK: f64 = 1e-12;

/// Scales non-negative `weights` to sum to 1; uniform if they sum to nothing.
pub fn normalise(mut weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 && sum.is_finite() {
        weights.iter_mut().for_each(|w| *w /= sum);
    } else {
        let uniform = 1.0 / weights.len().max(1) as f64;
        weights.fill(uniform);
    }
    weights
}

/// The distribution proportional to `exp(log_weights)`, without overflow. −∞ is probability 0.
pub fn from_logs(mut log_weights: Vec<f64>) -> Vec<f64> {
    let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top.is_finite() {
        log_weights.iter_mut().for_each(|log| *log = (*log - top).exp());
    } else {
        log_weights.fill(0.0);
    }
    normalise(log_weights)
}

/// Index of the decision: the highest probability; among equals the higher base rate, then the earlier label.
pub fn decision(p: &[f64], base: &[f64]) -> usize {
    let mut best = 0;
    for y in 1..p.len() {
        if surpasses((p[y], base[y]), (p[best], base[best])) {
            best = y;
        }
    }
    best
}

/// The best label but `winner`, by the same order.
pub fn runner_up(p: &[f64], base: &[f64], winner: usize) -> Option<usize> {
    let mut best: Option<usize> = None;
    for y in (0..p.len()).filter(|y| *y != winner) {
        if best.is_none_or(|best| surpasses((p[y], base[y]), (p[best], base[best]))) {
            best = Some(y);
        }
    }
    best
}

/// Whether a label of probability p and base rate b goes before another one. Asked some hundred times a mediation.
fn surpasses((p, b): (f64, f64), (other, b_other): (f64, f64)) -> bool {
    exceeds(p, other) || (b > b_other && !exceeds(other, p) && exceeds(b, b_other))
}

/// Whether `a` is more than `b`, neither of them negative, by more than rounding.
pub fn exceeds(a: f64, b: f64) -> bool {
    a > b && a - b > SLACK * a
}

/// Jensen–Shannon divergence in bits: 0 for equal distributions, 1 for disjoint ones.
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let half = |a: f64, b: f64| if a > 0.0 { 0.5 * a * (2.0 * a / (a + b)).log2() } else { 0.0 };
    p.iter().zip(q).map(|(p, q)| half(*p, *q) + half(*q, *p)).sum::<f64>().clamp(0.0, 1.0)
}

/// The Brier score of a distribution over labels of which `gold` is right: Σ (p(y) − [y = gold])², 0 to 2 (Brier 1950).
pub fn brier(p: &[f64], gold: usize) -> f64 {
    p.iter().enumerate().map(|(y, p)| (p - if y == gold { 1.0 } else { 0.0 }).powi(2)).sum()
}

/// Shannon entropy over the logarithm of the number of labels: 0 for a certain answer, 1 for none at all.
pub fn normalised_entropy(p: &[f64]) -> f64 {
    let nats: f64 = p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
    // A certain answer comes to -0, or to a hair below it.
    if p.len() > 1 && nats > 0.0 { nats / (p.len() as f64).ln() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certain_answer_has_no_entropy_and_no_sign() {
        for certain in [&[1.0, 0.0][..], &[0.0, 1.0 + f64::EPSILON], &[0.0, 0.0], &[1.0], &[]] {
            assert_eq!(format!("{:?}", normalised_entropy(certain)), "0.0", "{certain:?}");
        }
        assert_eq!(normalised_entropy(&[0.5, 0.5]), 1.0);
    }

    #[test]
    fn divergence_is_symmetric_and_bounded() {
        assert_eq!(jensen_shannon(&[1.0, 0.0], &[0.0, 1.0]), 1.0);
        assert_eq!(jensen_shannon(&[0.3, 0.7], &[0.3, 0.7]), 0.0);
        assert_eq!(jensen_shannon(&[0.9, 0.1], &[0.2, 0.8]), jensen_shannon(&[0.2, 0.8], &[0.9, 0.1]));
    }

    #[test]
    fn ties_go_to_the_base_rate_then_to_label_order() {
        assert_eq!(decision(&[0.4, 0.4, 0.2], &[0.1, 0.2, 0.7]), 1);
        assert_eq!(decision(&[0.4, 0.4, 0.2], &[0.1, 0.1, 0.8]), 0);
        assert_eq!(runner_up(&[0.4, 0.4, 0.2], &[0.1, 0.1, 0.8], 0), Some(1));
        let dust = 0.4 + 2.0 * f64::EPSILON;
        assert_eq!(decision(&[0.4, dust, 0.2], &[0.1, 0.1 + f64::EPSILON, 0.8]), 0, "rounding decides nothing");
        assert_eq!(decision(&[0.4, dust, 0.2], &[0.2, 0.1, 0.7]), 0);
        assert_eq!(decision(&[0.0, 1e-300], &[0.5, 0.5]), 1, "little is not nothing");
        assert_eq!(runner_up(&[1.0], &[1.0], 0), None);
    }
}
