//! Which value of a weight changes the decision.
//!
//! For a pair of labels the sign of ln p(y) − ln p(z) is linear in ℓ, g, β and in κ, α after one rearrangement (policies
//! product and shrinkage; ℓ and g of linear): one root each, in closed form. In γ and τ it is a sum of exponentials
//! with several roots; those, and what has no closed form here, are isolated on a grid of [`GRID`] slider positions and
//! bisected. The median of scores leaves a step where half of the probability lies up to it: linear in κ and α of
//! shrinkage and in ℓ and g of linear, isolated elsewhere. Every shown value is rounded away from the present setting and
//! re-mediated: what is shown does flip.

use super::evidence::Evidence;
use super::facet::Facet;
use super::kernel::{Kernel, collective, logs, tilt};
use super::policy::{Policy, damped_trust};
use super::resolution::mediate;
use super::weights::{STOPS, Scope, Weight, Weights};

/// Positions on which roots in γ and τ are isolated; two flips closer than this go unseen.
pub const GRID: usize = 128;
/// A weight below this is off: a flip there is a tie, which goes to the first label.
const OFF: f64 = 1e-9;
/// Halvings of a bracket: a slider position then is exact to double precision.
const HALVINGS: usize = 60;

/// The nearest change of the decision when one weight is turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flip {
    /// Which weight.
    pub weight: Weight,
    /// Its present value.
    pub now: f64,
    /// The nearest value, rounded to be read, at which the decision is `becomes`.
    pub at: f64,
    /// The new decision.
    pub becomes: usize,
}

/// A stretch of a slider on which one label wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// First slider stop, 0..=100.
    pub from: usize,
    /// Last slider stop, inclusive.
    pub to: usize,
    /// The winner there.
    pub label: usize,
}

/// The nearest flip of every weight that acts under `policy`, nearest on its slider first.
pub fn flips(evidence: &Evidence, weights: &Weights, policy: Policy) -> Vec<Flip> {
    let mut found: Vec<Flip> =
        Weight::ALL.into_iter().filter_map(|weight| flip(evidence, weights, policy, weight)).collect();
    let distance = |flip: &Flip| (flip.weight.position(flip.at) - flip.weight.position(flip.now)).abs();
    found.sort_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.weight.cmp(&b.weight)));
    found
}

/// The nearest value of `weight` that changes the decision, if its range holds one.
pub fn flip(evidence: &Evidence, weights: &Weights, policy: Policy, weight: Weight) -> Option<Flip> {
    let policy = policy.ruling(&evidence.facet);
    if policy.rule().ignores(weight).is_some() {
        return None;
    }
    let now = weights.get(weight);
    let winner = mediate(evidence, weights, policy).decision;
    let (low, high) = weight.range();
    let mut roots: Vec<f64> = match (policy, weight) {
        _ if weight.scope() != Scope::Mediate => Vec::new(),
        (Policy::Shrinkage, Weight::PriorStrength | Weight::CommunityFocus)
        | (Policy::Linear, Weight::LocalTrust | Weight::GlobalTrust)
            if matches!(evidence.facet, Facet::Score(_)) =>
        {
            median_roots(evidence, weights, policy, weight)
        }
        _ if matches!(evidence.facet, Facet::Score(_)) => isolated_roots(evidence, weights, policy, weight, winner),
        (_, Weight::LocalTrust | Weight::GlobalTrust | Weight::SkewDamping)
        | (Policy::Product | Policy::Shrinkage, Weight::PriorStrength | Weight::CommunityFocus) => {
            closed_roots(evidence, weights, policy, weight, winner)
        }
        _ => isolated_roots(evidence, weights, policy, weight, winner),
    };
    roots.retain(|root| (low..=high).contains(root) && !root.is_nan());
    let place = weight.position(now);
    roots.sort_by(|a, b| (weight.position(*a) - place).abs().total_cmp(&(weight.position(*b) - place).abs()));
    roots.into_iter().find_map(|root| {
        let at = rounded_away(root, now, low, high);
        let becomes = mediate(evidence, &weights.with(weight, at), policy).decision;
        // A root against one rival need not be a flip: another label may win on both sides of it.
        (becomes != winner && at >= OFF).then_some(Flip { weight, now, at, becomes })
    })
}

/// Who wins where on the slider of `weight`, at the slider's own resolution.
pub fn bands(evidence: &Evidence, weights: &Weights, policy: Policy, weight: Weight) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for stop in 0..=STOPS as usize {
        let label = mediate(evidence, &weights.with(weight, weight.at(stop as f64)), policy).decision;
        match bands.last_mut() {
            Some(band) if band.label == label => band.to = stop,
            _ => bands.push(Band { from: stop, to: stop, label }),
        }
    }
    bands
}

/// Roots of the log-odds of the winner against each rival.
fn closed_roots(evidence: &Evidence, weights: &Weights, policy: Policy, weight: Weight, winner: usize) -> Vec<f64> {
    let kernel = Kernel::of(evidence, weights);
    let global = collective(evidence, weights.community_focus);
    let (b, c, kappa) = (&evidence.base, &kernel.counts, weights.prior_strength);
    let local = kernel.evidence(evidence, kappa);
    let own = tilt(logs(b), &local);
    let (plain, crowd) = (weights.local_trust, weights.global_trust);
    let trust = if policy == Policy::Product { damped_trust(evidence, weights) } else { plain };
    let skew = evidence.one_sidedness() * evidence.novelty;
    let e_g = |y: usize| (global[y] / b[y]).ln();
    let root = |z: usize| -> f64 {
        let y = winner;
        match (policy, weight) {
            // ln b + ℓ e_L + g e_G is linear in ℓ and in g.
            (Policy::Product, Weight::LocalTrust) => {
                let kept = 1.0 - weights.skew_damping * skew;
                -((b[y] / b[z]).ln() + crowd * (e_g(y) - e_g(z))) / (kept * (local[y] - local[z]))
            }
            // ℓ (1 − β σ ν) is linear in β.
            (Policy::Product, Weight::SkewDamping) => {
                let others = (b[y] / b[z]).ln() + crowd * (e_g(y) - e_g(z));
                (1.0 + others / (plain * (local[y] - local[z]))) / skew
            }
            (Policy::Product, Weight::GlobalTrust) => {
                -((b[y] / b[z]).ln() + trust * (local[y] - local[z])) / (e_g(y) - e_g(z))
            }
            // (c_y + κ b_y)/b_y · r = (c_z + κ b_z)/b_z where r does not depend on κ.
            (Policy::Product, Weight::PriorStrength) => {
                let odds = (b[y] / b[z]).ln() + crowd * (e_g(y) - e_g(z));
                let r = (odds / (trust * evidence.local_calibration)).exp();
                (c[z] / b[z] - r * c[y] / b[y]) / (r - 1.0)
            }
            // p_G(y) = r · p_G(z), both linear in α.
            (Policy::Product, Weight::CommunityFocus) => {
                let odds = (1.0 - crowd) * (b[y] / b[z]).ln() + trust * (local[y] - local[z]);
                let r = (-odds / crowd).exp();
                focus_root(evidence, y, z, r, 0.0)
            }
            // c_y + κ p_G(y) = c_z + κ p_G(z).
            (Policy::Shrinkage, Weight::PriorStrength) => (c[z] - c[y]) / (global[y] - global[z]),
            (Policy::Shrinkage, Weight::CommunityFocus) => focus_root(evidence, y, z, 1.0, (c[z] - c[y]) / kappa),
            // λ·Δ_L + (1 − λ)·Δ_G = 0 with λ = ℓ/(ℓ + g).
            (Policy::Linear, Weight::LocalTrust) => -crowd * (global[y] - global[z]) / (own[y] - own[z]),
            (Policy::Linear, Weight::GlobalTrust) => -trust * (own[y] - own[z]) / (global[y] - global[z]),
            _ => f64::NAN,
        }
    };
    (0..evidence.labels()).filter(|z| *z != winner).map(root).collect()
}

/// Where half of the probability lies up to a step: below and above, the median is another. Linear in each of these
/// weights, so that every step has one root.
fn median_roots(evidence: &Evidence, weights: &Weights, policy: Policy, weight: Weight) -> Vec<f64> {
    let kernel = Kernel::of(evidence, weights);
    let global = collective(evidence, weights.community_focus);
    let own = tilt(logs(&evidence.base), &kernel.evidence(evidence, weights.prior_strength));
    let (m, kappa) = (kernel.mass, weights.prior_strength);
    let (trust, crowd) = (weights.local_trust, weights.global_trust);
    let up_to = |p: &[f64], y: usize| p[..=y].iter().sum::<f64>();
    let root = |y: usize| {
        let (c, g, l) = (up_to(&kernel.counts, y), up_to(&global, y), up_to(&own, y));
        match (policy, weight) {
            // C(y) + κ P_G(y) = (m + κ)/2.
            (Policy::Shrinkage, Weight::PriorStrength) => (0.5 * m - c) / (g - 0.5),
            (Policy::Shrinkage, Weight::CommunityFocus) => {
                let (p, community) = (up_to(&evidence.population, y), up_to(&evidence.community, y));
                (0.5 * (m + kappa) - c - kappa * p) / (kappa * (community - p))
            }
            // ℓ P_L(y) + g P_G(y) = (ℓ + g)/2.
            (Policy::Linear, Weight::LocalTrust) => -crowd * (g - 0.5) / (l - 0.5),
            (Policy::Linear, Weight::GlobalTrust) => -trust * (l - 0.5) / (g - 0.5),
            _ => f64::NAN,
        }
    };
    (0..evidence.labels().saturating_sub(1)).map(root).collect()
}

/// α with p_G(y) = r·p_G(z) + lead, where p_G = (1 − α) p_population + α p_community.
fn focus_root(evidence: &Evidence, y: usize, z: usize, r: f64, lead: f64) -> f64 {
    let (p, c) = (&evidence.population, &evidence.community);
    let at_population = p[y] - r * p[z] - lead;
    let at_community = c[y] - r * c[z] - lead;
    at_population / (at_population - at_community)
}

/// Boundaries of the winner's band on a grid of slider positions, bisected.
fn isolated_roots(evidence: &Evidence, weights: &Weights, policy: Policy, weight: Weight, winner: usize) -> Vec<f64> {
    let wins = |position: f64| mediate(evidence, &weights.with(weight, weight.at(position)), policy).decision == winner;
    let here = weight.position(weights.get(weight));
    // The grid, and every stop of the slider: what an analyst can reach by a key must never flip unannounced.
    let mut places: Vec<f64> = (0..=GRID).map(|step| STOPS * step as f64 / GRID as f64).collect();
    places.extend((0..=STOPS as usize).map(|stop| stop as f64));
    places.push(here);
    places.sort_by(f64::total_cmp);
    let mut roots = Vec::new();
    for pair in places.windows(2) {
        let (mut low, mut high) = (pair[0], pair[1]);
        let at_low = wins(low);
        if at_low == wins(high) {
            continue;
        }
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if wins(middle) == at_low { low = middle } else { high = middle }
        }
        // The end on which the winner has lost.
        roots.push(weight.at(if at_low { high } else { low }));
    }
    roots
}

/// `root` to four significant digits, away from `now`, so that the shown value lies beyond the flip.
fn rounded_away(root: f64, now: f64, low: f64, high: f64) -> f64 {
    // Neither endless values nor those next to nothing have four digits to round to.
    if root.abs() < f64::MIN_POSITIVE * 1e6 || !root.is_finite() {
        return root;
    }
    let unit = 10f64.powi(root.abs().log10().floor() as i32 - 3);
    let steps = if root > now { (root / unit).floor() + 1.0 } else { (root / unit).ceil() - 1.0 };
    // Through text, so that 0.1 is 0.1 and not 0.1 + 1e-17.
    let decimals = (-unit.log10().floor()).max(0.0) as usize;
    let read = format!("{:.decimals$}", steps * unit).parse().unwrap_or(root);
    f64::clamp(read, low, high)
}
