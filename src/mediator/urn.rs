//! Pólya's urn: how probable weighted votes are for somebody whose habit is not known beforehand.
//!
//! ln P(c | α) = ln B(c + α) − ln B(α) with B the multivariate beta function: the marginal likelihood of votes whose
//! label probabilities are drawn from a Dirichlet distribution with pseudo-examples α. Votes may be fractional. Ratios of
//! such likelihoods are the Bayes factors of the [`super::ledger`]; nothing here knows what is compared.

use std::f64::consts::PI;

/// Coefficients of Lanczos' approximation with g = 7, exact to about 15 digits (Numerical Recipes 3, section 6.1).
const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// ln Γ(x) for x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        // Euler's reflection.
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let shifted = x + 7.5;
    let series =
        LANCZOS.iter().enumerate().skip(1).fold(LANCZOS[0], |sum, (place, term)| sum + term / (x + place as f64));
    0.5 * (2.0 * PI).ln() + (x + 0.5) * shifted.ln() - shifted + series.ln()
}

/// ln \[Γ(count + prior)/Γ(prior)\]: one label's part of [`marginal`], and with totals its denominator.
pub fn rising(count: f64, prior: f64) -> f64 {
    if count > 0.0 { ln_gamma(count + prior) - ln_gamma(prior) } else { 0.0 }
}

/// ln P(c | α): natural logarithm; 0 without votes. `prior` has an entry > 0 for every label voted for.
pub fn marginal(counts: &[f64], prior: &[f64]) -> f64 {
    let parts: f64 = counts.iter().zip(prior).map(|(count, prior)| rising(*count, *prior)).sum();
    parts - rising(counts.iter().sum(), prior.iter().sum())
}

/// [`rising`], straight between whole counts: a part of a vote is that part of the step to the next whole one. The
/// gamma function bends there, so that many small parts of votes would look like evidence against a habit.
fn stepwise(count: f64, prior: f64) -> f64 {
    let (whole, part) = (count.floor(), count.fract());
    rising(whole, prior) + part * (whole + prior).ln()
}

/// ln \[B(c + κp)/B(κp)\] − Σ c ln p: by how much votes speak for a habit of their own, spread around `p` by `mass`
/// pseudo-examples κ, against plain draws from `p`. In nats; 0 for a single vote or less, as it should be. Counts
/// between whole numbers lie straight between these.
pub fn own_habit(counts: &[f64], p: &[f64], mass: f64) -> f64 {
    let voted = || counts.iter().zip(p).filter(|(count, _)| **count > 0.0);
    let own: f64 = voted().map(|(count, p)| stepwise(*count, mass * p)).sum();
    let plain: f64 = voted().map(|(count, p)| count * p.ln()).sum();
    own - stepwise(counts.iter().sum(), mass) - plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factorials_and_half_a_vote() {
        for (x, expected) in [(1.0, 0.0), (5.0, 24f64.ln()), (11.0, 3_628_800f64.ln()), (0.5, PI.sqrt().ln())] {
            assert!((ln_gamma(x) - expected).abs() < 1e-12, "{x}");
        }
        assert!((ln_gamma(0.01) - 4.599_479_878_042_022).abs() < 1e-11);
    }

    #[test]
    fn hand_computed_urns() {
        // Two equal votes of two labels under one pseudo-example each: 1/2 · 2/3.
        assert!((marginal(&[2.0, 0.0], &[1.0, 1.0]) - (1.0f64 / 3.0).ln()).abs() < 1e-12);
        assert_eq!(marginal(&[0.0, 0.0], &[1.0, 1.0]), 0.0);
        let p = [0.2, 0.3, 0.5];
        assert!(own_habit(&[0.0, 1.0, 0.0], &p, 2.0).abs() < 1e-12, "one vote says nothing of a habit");
        assert!(own_habit(&[0.0, 0.4, 0.0], &p, 2.0).abs() < 1e-12, "nor does less than one");
        let steps = own_habit(&[2.0, 0.0, 0.0], &p, 2.0)..own_habit(&[3.0, 0.0, 0.0], &p, 2.0);
        assert!(steps.contains(&own_habit(&[2.5, 0.0, 0.0], &p, 2.0)));
        // Three for the first: (.2 · 1.4/3.. ) each urn step (κp + i)/(κ + i) against p.
        let expected = ((0.4 / 2.0) * (1.4 / 3.0) * (2.4 / 4.0) / 0.2f64.powi(3)).ln();
        assert!((own_habit(&[3.0, 0.0, 0.0], &p, 2.0) - expected).abs() < 1e-12);
    }
}
