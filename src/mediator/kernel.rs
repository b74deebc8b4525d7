//! The local kernel: votes of the person's own items, weighted by nearness and age, and what follows from them.
//!
//! w_i = exp(γ (s_i − s_max)) · 2^(−a_i/τ); c(y) = Σ w_i [y_i = y]; m = Σ w_i. A translated vote counts for the crowd's
//! mean and the person's departure in c, and for what the person gave in o. Nearness is relative to the nearest hit:
//! with s_i^γ the mass would collapse and sharpness and prior strength would be one slider with two names.

use super::distribution;
use super::evidence::Evidence;
use super::weights::Weights;

/// Weighted votes.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// c(y).
    pub counts: Vec<f64>,
    /// o(y): the same of what the person gave, untranslated.
    pub own: Vec<f64>,
    /// m: "worth m examples".
    pub mass: f64,
    /// Kish's effective sample size (Σw)²/Σw²; scale-free, shown but used in no formula.
    pub kish: f64,
}

impl Kernel {
    /// Weighs the votes of `evidence`.
    pub fn of(evidence: &Evidence, weights: &Weights) -> Self {
        let nearest = evidence.votes.iter().map(|vote| vote.similarity).fold(f64::NEG_INFINITY, f64::max);
        let mut counts = vec![0.0; evidence.labels()];
        let mut own = vec![0.0; evidence.labels()];
        let (mut mass, mut squares) = (0.0, 0.0);
        for vote in &evidence.votes {
            let nearness = (weights.similarity_sharpness * (vote.similarity - nearest)).exp();
            let whole = nearness * (-vote.age / weights.half_life).exp2();
            let w = whole * vote.share;
            counts[vote.label] += w;
            own[vote.own] += w;
            mass += w;
            squares += whole * w;
        }
        let kish = if squares > 0.0 { mass * mass / squares } else { 0.0 };
        Self { counts, own, mass, kish }
    }

    /// e_L(y) = A_L · ln(q_L(y) / b(y)) with q_L = (o + κ b)/(m + κ): exactly 0 when nothing is remembered.
    pub fn evidence(&self, evidence: &Evidence, prior_strength: f64) -> Vec<f64> {
        let worth = |(count, b): (&f64, &f64)| {
            let q = (count + prior_strength * b) / (self.mass + prior_strength);
            evidence.local_calibration * (q / b).ln()
        };
        if self.mass > 0.0 {
            self.own.iter().zip(&evidence.base).map(worth).collect()
        } else {
            vec![0.0; evidence.labels()]
        }
    }
}

/// p = normalise(b · exp(e)).
pub fn tilt(base: &[f64], evidence: &[f64]) -> Vec<f64> {
    distribution::from_logs(&base.iter().zip(evidence).map(|(b, e)| b.ln() + e).collect::<Vec<_>>())
}

/// p_G = (1 − α) p_population + α p_community.
pub fn collective(evidence: &Evidence, community_focus: f64) -> Vec<f64> {
    let blend = |(p, c): (&f64, &f64)| (1.0 - community_focus) * p + community_focus * c;
    evidence.population.iter().zip(&evidence.community).map(blend).collect()
}
