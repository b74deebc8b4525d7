//! Typed disagreement of the two sides.
//!
//! Raw Jensen–Shannon divergence is mostly noise for short histories, since one vote is a point mass; here the local
//! side is first shrunk by two pseudo-examples of the collective one: D = JSD₂((c + 2 p_G)/(m + 2), p_G).

use serde::{Deserialize, Serialize};

use super::distribution::jensen_shannon;
use super::evidence::Evidence;
use super::kernel::Kernel;

/// Pseudo-examples of p_G in the divergence.
const PSEUDO: f64 = 2.0;
/// Below this many effective examples the local side does not cover a query.
const COVERED: f64 = 0.5;

/// What kind of disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// Both sides speak and prefer different values.
    Value,
    /// At least one side has too little to say.
    Coverage,
}

/// Which side of the mediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The person's own memory.
    Local,
    /// Everyone else's.
    Global,
    /// Neither.
    Both,
}

/// A conflict on the facet that is decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conflict {
    /// What kind.
    pub kind: ConflictKind,
    /// The label the local votes prefer.
    pub local: usize,
    /// The label the collective side prefers.
    pub global: usize,
    /// D in bits, 0–1.
    pub divergence: f64,
    /// For coverage, the side that is silent.
    pub silent: Option<Side>,
}

/// Finds the conflicts of a query.
pub fn conflicts(evidence: &Evidence, kernel: &Kernel, global: &[f64], threshold: f64) -> Vec<Conflict> {
    let divergence = divergence(kernel, global);
    let local_first = evidence.facet.decide(&kernel.counts, &evidence.base);
    let global_first = evidence.facet.decide(global, &evidence.base);
    let mut found = Vec::new();
    let local_silent = kernel.mass < COVERED;
    let global_silent = evidence.support < evidence.guard;
    if !evidence.votes.is_empty() && local_first != global_first && divergence >= threshold {
        let (local, global) = (local_first, global_first);
        found.push(Conflict { kind: ConflictKind::Value, local, global, divergence, silent: None });
    }
    let silent = match (local_silent, global_silent) {
        (true, true) => Some(Side::Both),
        (true, false) => Some(Side::Local),
        (false, true) => Some(Side::Global),
        (false, false) => None,
    };
    if silent.is_some() {
        let (local, global) = (local_first, global_first);
        found.push(Conflict { kind: ConflictKind::Coverage, local, global, divergence, silent });
    }
    found
}

/// D = JSD₂((c + 2 p_G)/(m + 2), p_G), in bits.
pub fn divergence(kernel: &Kernel, global: &[f64]) -> f64 {
    let shrunk: Vec<f64> =
        kernel.counts.iter().zip(global).map(|(count, p)| (count + PSEUDO * p) / (kernel.mass + PSEUDO)).collect();
    jensen_shannon(&shrunk, global)
}
