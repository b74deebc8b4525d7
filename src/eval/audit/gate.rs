//! Gates: bounds that an audit has to keep, for continuous integration.
//!
//! A gate is judged on the interval and not on the estimate: it fails only where even the lower end exceeds the bound, and
//! a gap only where the test that is corrected for all pairs of groups tells it from none, so that chance alone seldom breaks
//! a build, however many groups there are. A gate with nothing to judge by does not fail, and says so.

use serde::Serialize;

use super::guard::GuardReport;
use super::measure::{Dimension, Figure};
use super::overrule::Overruled;
use crate::engine::prompt::Arm;
use crate::eval::assessment::LEVEL;

/// The gate that nobody has to ask for.
pub const GUARD: &str = "guard";

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Largest allowed gap of the mediated arm between a group and the best one, in the headline metric.
    pub gap: Option<f64>,
    /// Largest allowed share of right local answers that the mediator gives up, of people who differ from the others.
    pub suppression: Option<f64>,
}

/// How a gate was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing exceeds the bound beyond doubt.
    Held,
    /// Something does.
    Failed,
    /// There is nothing to judge by.
    Unjudged,
}

/// One gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateReport {
    /// The option that asks for it, or [`GUARD`].
    pub gate: &'static str,
    /// The bound.
    pub bound: f64,
    /// How it was judged.
    pub verdict: Verdict,
    /// What decided, in words.
    pub told: String,
}

impl GateReport {
    /// Whether there was anything to judge it by.
    pub fn judged(&self) -> bool {
        self.verdict != Verdict::Unjudged
    }

    /// Whether it failed.
    pub fn failed(&self) -> bool {
        self.verdict == Verdict::Failed
    }
}

/// Judges what was asked for, and the guard.
pub fn judge(
    bounds: Bounds,
    dimensions: &[Dimension],
    overruled: &[Overruled],
    guarded: &GuardReport,
) -> Vec<GateReport> {
    let gaps = || {
        let of = |dimension: &Dimension| {
            let mediated = dimension.arms.iter().filter(|arm| arm.arm == Arm::Mediated).flat_map(|arm| &arm.groups);
            let gap = |group: &super::measure::Measured| {
                let gap = group.gap.as_ref()?;
                let what = format!("{} against {} by {}", group.group, gap.best, dimension.by);
                Some(Candidate { what, figure: Figure { value: gap.value, ci: gap.ci }, p: Some(gap.p_holm) })
            };
            mediated.filter_map(gap).collect::<Vec<_>>()
        };
        dimensions.iter().flat_map(of).collect::<Vec<_>>()
    };
    let suppressions = || {
        let of = |overruled: &Overruled| {
            let what = match &overruled.by {
                Some(by) => format!("people who differ, {} by {by}", overruled.whose),
                None => overruled.whose.clone(),
            };
            Some(Candidate { what, figure: overruled.suppressed.figure()?, p: None })
        };
        overruled.iter().filter(|overruled| overruled.minority).filter_map(of).collect::<Vec<_>>()
    };
    let mut gates = vec![of_guard(guarded)];
    gates.extend(bounds.gap.map(|bound| bounded("--max-gap", bound, &gaps())));
    gates.extend(bounds.suppression.map(|bound| bounded("--max-suppression", bound, &suppressions())));
    gates
}

/// Whether all held that could be judged. `None` where none could of those that were asked for: that nobody was shown too
/// few contributors does not answer for them.
pub fn passed(gates: &[GateReport]) -> Option<bool> {
    if gates.iter().any(GateReport::failed) {
        return Some(false);
    }
    let asked_for = |gate: &&GateReport| gate.gate != GUARD;
    let judged = match gates.iter().any(|gate| asked_for(&gate)) {
        true => gates.iter().filter(asked_for).any(GateReport::judged),
        false => gates.iter().any(GateReport::judged),
    };
    judged.then_some(true)
}

/// What a bound is held against.
struct Candidate {
    what: String,
    figure: Figure,
    /// After correction, that it is nothing; `None` where that is not tested.
    p: Option<f64>,
}

impl Candidate {
    fn low(&self) -> f64 {
        self.figure.ci.map_or(f64::NEG_INFINITY, |ci| ci.low)
    }

    fn exceeds(&self, bound: f64) -> bool {
        self.p.is_none_or(|p| p < LEVEL) && self.low() > bound
    }
}

/// Nothing in `found` may exceed `bound` beyond doubt.
fn bounded(gate: &'static str, bound: f64, found: &[Candidate]) -> GateReport {
    let judged = found.iter().filter(|candidate| candidate.figure.ci.is_some());
    let order = |a: &&Candidate, b: &&Candidate| {
        a.exceeds(bound).cmp(&b.exceeds(bound)).then_with(|| a.low().total_cmp(&b.low()))
    };
    let Some(worst) = judged.max_by(order) else {
        let told = "no group is left to judge it by".to_owned();
        return GateReport { gate, bound, verdict: Verdict::Unjudged, told };
    };
    let interval = worst.figure.ci.map_or(String::new(), |ci| format!(" [{:.3}, {:.3}]", ci.low, ci.high));
    let p = worst.p.map_or(String::new(), |p| if p < 0.001 { ", p < .001".to_owned() } else { format!(", p {p:.3}") });
    let told = format!("{}: {:.3}{interval}{p}", worst.what, worst.figure.value);
    GateReport { gate, bound, verdict: if worst.exceeds(bound) { Verdict::Failed } else { Verdict::Held }, told }
}

fn of_guard(guarded: &GuardReport) -> GateReport {
    let GuardReport { guard, entries, below, .. } = *guarded;
    let verdict = match (below, entries) {
        (1.., _) => Verdict::Failed,
        (0, 0) => Verdict::Unjudged,
        (0, _) => Verdict::Held,
    };
    let told = match verdict {
        Verdict::Unjudged => "no prompt held a collective entry".to_owned(),
        _ => format!("{below} of {entries} entries in prompts with fewer than {guard} contributors"),
    };
    GateReport { gate: GUARD, bound: guard as f64, verdict, told }
}
