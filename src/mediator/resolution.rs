//! A resolution: the decision with everything that led to it.

use super::conflict::Side;
use super::distribution::from_logs;
use super::evidence::Evidence;
use super::facet::Facet;
use super::kernel::{Kernel, collective};
use super::policy::{Policy, Sides, damped_trust};
use super::style::{self, Style};
use super::weights::Weights;

/// What the mediator makes of a query's evidence. Every distribution sums to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// What is decided.
    pub facet: Facet,
    /// Which rule decided; never one that has another stand in for it.
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
    /// How clear it is, see [`super::facet::Verdict`]; below 0 only where the decision is held.
    pub margin: f64,
    /// The side that keeps a decision it had before, see [`super::hysteresis`]; then the runner-up would have won.
    pub held: Option<Side>,
    /// m: what the person's votes are worth in examples.
    pub mass: f64,
    /// c(y): those examples by label; they sum to m.
    pub counts: Vec<f64>,
    /// Kish's effective sample size, for comparison.
    pub kish: f64,
    /// Distinct contributors behind the collective side.
    pub support: usize,
    /// How the text is to be written, of texts.
    pub style: Option<Style>,
}

impl Resolution {
    /// What would be decided if `p` were all there is.
    pub fn decide(&self, p: &[f64]) -> usize {
        self.facet.decide(p, &self.base)
    }

    /// Whether the mediator chose against the local side.
    pub fn overrides_local(&self) -> bool {
        self.decision != self.decide(&self.local)
    }

    /// Whom the decision follows.
    pub fn follows(&self) -> Follows {
        Follows::of(self.decision, self.decide(&self.local), self.decide(&self.global))
    }
}

/// Whom the mediator's decision follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follows {
    /// Both memories prefer the same answer, or nothing was decided.
    #[default]
    Undivided,
    /// Local memory, against global.
    Local,
    /// Global memory, against local.
    Global,
    /// Neither: an answer that is the first choice of no side.
    Neither,
}

impl Follows {
    /// Of a decision and what either side prefers.
    pub fn of<T: PartialEq>(decision: T, local: T, global: T) -> Self {
        match (decision == local, decision == global) {
            _ if local == global => Follows::Undivided,
            (true, _) => Follows::Local,
            (_, true) => Follows::Global,
            (false, false) => Follows::Neither,
        }
    }
}

/// Weighs both sides. Pure: the same arguments give the same resolution, bit for bit. Under a policy that lets a model
/// write, the rule that stands in for it decides, and the resolution names that rule.
pub fn mediate(evidence: &Evidence, weights: &Weights, policy: Policy) -> Resolution {
    let policy = policy.ruling(&evidence.facet);
    let kernel = Kernel::of(evidence, weights);
    let global = collective(evidence, weights.community_focus);
    let trust = damped_trust(evidence, weights);
    let sides = Sides::new(evidence, weights, &kernel, &global, trust);
    let distribution = weigh(&sides, policy);
    let local = sides.into_local();
    let verdict = evidence.facet.verdict(&distribution, &evidence.base);
    Resolution {
        facet: evidence.facet.clone(),
        policy,
        base: evidence.base.clone(),
        margin: verdict.margin,
        held: None,
        local,
        global,
        distribution,
        decision: verdict.decision,
        runner_up: verdict.runner_up,
        mass: kernel.mass,
        kish: kernel.kish(),
        counts: kernel.counts,
        support: evidence.support,
        style: style::settle(evidence, weights, policy),
    }
}

/// The mediated distribution alone.
pub(super) fn weigh(sides: &Sides, policy: Policy) -> Vec<f64> {
    from_logs(policy.rule().log_weights(sides))
}
