//! The local kernel: votes of the person's own items, weighted by nearness and age, and what follows from them.
//!
//! w_i = exp(γ (s_i − s_max)) · 2^(−a_i/τ); c(y) = Σ w_i [y_i = y]; m = Σ w_i. A translated vote counts for the crowd's
//! mean and the person's departure in c, and for what the person gave in o. Nearness is relative to the nearest hit:
//! with s_i^γ the mass would collapse and sharpness and prior strength would be one slider with two names.

use std::f64::consts::LN_2;

use super::distribution;
use super::evidence::{Evidence, Vote};
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
    /// Σw² over items, for [`Kernel::kish`].
    squares: f64,
}

impl Kernel {
    /// Weighs the votes of `evidence`.
    pub fn of(evidence: &Evidence, weights: &Weights) -> Self {
        Self::of_votes(evidence.votes.iter(), evidence.labels(), weights)
    }

    /// Weighs `votes`, the nearest of which weighs 1 before its age.
    pub fn of_votes<'a>(votes: impl Iterator<Item = &'a Vote> + Clone, labels: usize, weights: &Weights) -> Self {
        let mut nearest = f64::NEG_INFINITY;
        for vote in votes.clone() {
            nearest = if vote.similarity > nearest { vote.similarity } else { nearest };
        }
        let mut kernel = Self { counts: vec![0.0; labels], own: vec![0.0; labels], mass: 0.0, squares: 0.0 };
        let fall = Fall::from(nearest, weights);
        for vote in votes {
            let whole = fall.to(vote);
            let w = whole * vote.share;
            kernel.counts[vote.label] += w;
            kernel.own[vote.own] += w;
            kernel.mass += w;
            kernel.squares += whole * w;
        }
        kernel
    }

    /// Kish's effective sample size (Σw)²/Σw²; scale-free, shown but used in no formula.
    pub fn kish(&self) -> f64 {
        if self.squares > 0.0 { self.mass * self.mass / self.squares } else { 0.0 }
    }

    /// The same without some of its votes, none of them alone nearest: subtracted in O(K).
    pub fn without<'a>(&self, votes: impl Iterator<Item = &'a Vote>, nearest: f64, weights: &Weights) -> Self {
        let mut left = self.clone();
        let fall = Fall::from(nearest, weights);
        for vote in votes {
            let whole = fall.to(vote);
            let w = whole * vote.share;
            left.counts[vote.label] -= w;
            left.own[vote.own] -= w;
            left.mass -= w;
            left.squares -= whole * w;
        }
        // Subtraction leaves rounding dust.
        left.counts.iter_mut().chain(&mut left.own).for_each(|count| *count = count.max(0.0));
        (left.mass, left.squares) = (left.mass.max(0.0), left.squares.max(0.0));
        left
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

/// What items weigh before their votes' shares: falling with distance and age.
pub struct Fall {
    nearest: f64,
    sharpness: f64,
    /// ln 2/τ.
    fading: f64,
}

impl Fall {
    /// From the nearest item on, whose age alone counts.
    pub fn from(nearest: f64, weights: &Weights) -> Self {
        Self { nearest, sharpness: weights.similarity_sharpness, fading: LN_2 / weights.half_life }
    }

    /// w_i of a whole item, nearness and age in one power: half of a session's time goes here.
    pub fn to(&self, vote: &Vote) -> f64 {
        (self.sharpness * (vote.similarity - self.nearest) - self.fading * vote.age).exp()
    }
}

/// p = normalise(b · exp(e)), of the logarithms of b.
pub fn tilt(mut base_logs: Vec<f64>, evidence: &[f64]) -> Vec<f64> {
    base_logs.iter_mut().zip(evidence).for_each(|(b, e)| *b += e);
    distribution::from_logs(base_logs)
}

/// ln of every entry.
pub fn logs(p: &[f64]) -> Vec<f64> {
    p.iter().map(|p| p.ln()).collect()
}

/// p_G = (1 − α) p_population + α p_community.
pub fn collective(evidence: &Evidence, community_focus: f64) -> Vec<f64> {
    let blend = |(p, c): (&f64, &f64)| (1.0 - community_focus) * p + community_focus * c;
    evidence.population.iter().zip(&evidence.community).map(blend).collect()
}
