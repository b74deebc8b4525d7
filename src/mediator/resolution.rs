//! A resolution: the decision with everything that led to it.

use super::conflict::{Conflict, Side, conflicts};
use super::distribution::{decision, from_logs, runner_up};
use super::evidence::Evidence;
use super::kernel::{Kernel, collective, tilt};
use super::policy::{Policy, Sides};
use super::weights::Weights;

/// What the mediator makes of a query's evidence. Every distribution sums to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// Which rule.
    pub policy: Policy,
    /// b: what answers when nothing is remembered.
    pub base: Vec<f64>,
    /// p_L.
    pub local: Vec<f64>,
    /// p_G.
    pub global: Vec<f64>,
    /// The mediated distribution.
    pub distribution: Vec<f64>,
    /// Index of the decision.
    pub decision: usize,
    /// The best of the losers.
    pub runner_up: Option<usize>,
    /// p(decision) − p(runner-up); below 0 only where the decision is held.
    pub margin: f64,
    /// The side that keeps a decision it had before, see [`super::hysteresis`]; then the runner-up would have won.
    pub held: Option<Side>,
    /// m: what the person's votes are worth in examples.
    pub mass: f64,
    /// Kish's effective sample size, for comparison.
    pub kish: f64,
    /// Distinct contributors behind the collective side.
    pub support: usize,
    /// Typed disagreements.
    pub conflicts: Vec<Conflict>,
}

impl Resolution {
    /// Whether the mediator chose against the local side.
    pub fn overrides_local(&self) -> bool {
        self.decision != decision(&self.local, &self.base)
    }
}

/// Weighs both sides. Pure: the same arguments give the same resolution, bit for bit.
pub fn mediate(evidence: &Evidence, weights: &Weights, policy: Policy) -> Resolution {
    let kernel = Kernel::of(evidence, weights);
    let global = collective(evidence, weights.community_focus);
    let sides = Sides { evidence, weights, kernel: &kernel, global: &global };
    let distribution = from_logs(&policy.rule().log_weights(&sides));
    let local = tilt(&evidence.base, &kernel.evidence(evidence, weights.prior_strength));
    let winner = decision(&distribution, &evidence.base);
    let runner_up = runner_up(&distribution, &evidence.base, winner);
    Resolution {
        policy,
        base: evidence.base.clone(),
        margin: distribution[winner] - runner_up.map_or(0.0, |y| distribution[y]),
        held: None,
        conflicts: conflicts(evidence, &kernel, &global, weights.conflict_threshold),
        local,
        global,
        distribution,
        decision: winner,
        runner_up,
        mass: kernel.mass,
        kish: kernel.kish,
        support: evidence.support,
    }
}
