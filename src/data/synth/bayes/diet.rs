//! How likely what somebody watched is, whatever they made of it.

use super::normalised;

/// ln ∫ Π p(theme | diet) N(diet), for diets around `diet` with so much deviation, by Laplace's method: the log posterior of
/// a person's diet is concave.
pub(super) fn log_diet_evidence(diet: &[f64], deviation: f64, watched: &[f64]) -> f64 {
    let precision = deviation.powi(-2);
    let total: f64 = watched.iter().sum();
    // x = what the person departs by; the mode by Newton's method, the Hessian being diagonal but for one outer product.
    let value = |x: &[f64], shares: &mut Vec<f64>| {
        let weights: Vec<f64> = diet.iter().zip(x).map(|(diet, x)| diet + x).collect();
        *shares = normalised(&weights);
        let told: f64 = watched.iter().zip(&*shares).filter(|(n, _)| **n > 0.0).map(|(n, p)| n * p.ln()).sum();
        told - x.iter().map(|x| x * x).sum::<f64>() * precision / 2.0
    };
    let mut x = vec![0.0; diet.len()];
    let mut shares = Vec::new();
    let mut height = value(&x, &mut shares);
    let steepness = |shares: &[f64]| shares.iter().map(|p| precision + total * p).collect::<Vec<f64>>();
    for _ in 0..40 {
        let steep = steepness(&shares);
        let slope: Vec<f64> = (0..x.len()).map(|i| watched[i] - total * shares[i] - precision * x[i]).collect();
        let across: f64 = (0..x.len()).map(|i| shares[i] * slope[i] / steep[i]).sum();
        let along: f64 = (0..x.len()).map(|i| shares[i] * shares[i] / steep[i]).sum();
        let factor = total * across / (1.0 - total * along);
        let step: Vec<f64> = (0..x.len()).map(|i| (slope[i] + factor * shares[i]) / steep[i]).collect();
        let (mut length, before) = (1.0, height);
        loop {
            let tried: Vec<f64> = x.iter().zip(&step).map(|(x, step)| x + length * step).collect();
            let reached = value(&tried, &mut shares);
            if reached >= height || length < 1e-6 {
                (x, height) = (tried, reached);
                break;
            }
            length /= 2.0;
        }
        if height - before < 1e-9 {
            break;
        }
    }
    let steep = steepness(&shares);
    let along: f64 = shares.iter().zip(&steep).map(|(p, steep)| p * p / steep).sum();
    height - (steep.iter().map(|d| (d / precision).ln()).sum::<f64>() + (1.0 - total * along).ln()) / 2.0
}
