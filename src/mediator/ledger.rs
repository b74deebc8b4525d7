//! The conflict ledger: every disagreement about a question, typed by rule, with both sides' evidence.
//!
//! Pure, and computed for what is shown or recorded alone: nothing here is on the way of a decision. Divergence is
//! always shrunken, and always at least `conflict-threshold`, so that one slider hides or shows all of it. Whether the
//! person's own memories contradict each other, and whether time explains it, is asked of likelihoods, since two answers
//! that differ once prove nothing.
//!
//! Near votes are those at least half as near as the nearest, weighed by nearness and *not* by age: what somebody used
//! to say must not have faded before it can be compared.

use super::conflict::{
    COVERED, Claim, Conflict, ConflictKind, PSEUDO, Party, Side, both_speak, clash, divergence, shrunk,
};
use super::distribution::{jensen_shannon, normalise};
use super::evidence::Evidence;
use super::facet::Facet;
use super::resolution::Resolution;
use super::urn;
use super::weights::Weights;

/// Least weight of evidence in nats by which a side raises or lowers a value: odds at least doubled, or halved.
pub const LEAN: f64 = std::f64::consts::LN_2;
/// Least log Bayes factor of a contradiction and of its explanation by time: three to one.
pub const ODDS: f64 = 1.098_612_288_668_109_8;
/// Least nearness, of the nearest memory's, at which a memory counts as near the query: what is about something else
/// contradicts nothing.
const NEARBY: f64 = 0.5;
/// Fewest examples on either side of a change.
const HALF: f64 = 1.0;
/// Pseudo-votes of a person who slips: one answer in ten is not what they mean.
const SLIPS: [f64; 2] = [1.0, 9.0];
/// Pseudo-votes of a person who is torn: about half and half.
const TORN: [f64; 2] = [4.0, 4.0];
/// Standard deviations of the base rate around its mean that are neither end of a scale.
const NEUTRAL: f64 = 0.5;
/// Pseudo-examples of b in a whole history, as in its one-sidedness.
const HISTORY_PRIOR: f64 = 0.5;

/// All conflicts of a question, in order of [`ConflictKind::ALL`]. `resolution` is what was decided, held or not, under
/// `weights`.
pub fn ledger(evidence: &Evidence, weights: &Weights, resolution: &Resolution) -> Vec<Conflict> {
    let question = Question { evidence, weights, resolution, poles: Poles::of(evidence) };
    let near = Near::of(&question);
    let own = near.as_ref().and_then(|near| question.temporal(near).or_else(|| question.intra_local(near)));
    let found = [question.value(), question.polarity(), own, near.as_ref().and_then(|near| question.habit(near))];
    found.into_iter().chain([question.community(), question.coverage()]).flatten().collect()
}

/// What can be contradicted: a label by another, of scores one end of the scale by the other.
enum Poles {
    /// As many as labels.
    Labels,
    /// Whether a step is of the lower (0) or the upper end (1); none of what is neutral.
    Ends(Vec<Option<usize>>),
}

impl Poles {
    /// The neutral point of a scale is what people give on average, not its middle: evidence is measured against the
    /// base rate. Half a standard deviation around it is neutral.
    fn of(evidence: &Evidence) -> Self {
        let Facet::Score(steps) = &evidence.facet else { return Poles::Labels };
        let mean = evidence.facet.mean(&evidence.base).unwrap_or_default();
        let variance: f64 = steps.iter().zip(&evidence.base).map(|(y, b)| b * (y - mean) * (y - mean)).sum();
        let band = NEUTRAL * variance.sqrt();
        Poles::Ends(steps.iter().map(|y| ((y - mean).abs() > band).then_some(usize::from(*y > mean))).collect())
    }

    /// The pole of a vote.
    fn of_label(&self, label: usize) -> Option<usize> {
        match self {
            Poles::Labels => Some(label),
            Poles::Ends(ends) => ends[label],
        }
    }

    /// Sums of `p` by pole.
    fn fold(&self, p: &[f64]) -> Vec<f64> {
        match self {
            Poles::Labels => p.to_vec(),
            Poles::Ends(ends) => {
                let mut sums = vec![0.0; 2];
                let held = ends.iter().zip(p).filter_map(|(end, p)| Some((end.as_ref()?, p)));
                held.for_each(|(end, p)| sums[*end] += p);
                sums
            }
        }
    }
}

/// A question with what was made of it.
struct Question<'a> {
    evidence: &'a Evidence,
    weights: &'a Weights,
    resolution: &'a Resolution,
    poles: Poles,
}

/// A stretch of equally old votes.
struct Layer {
    /// Place and mass of each vote.
    votes: Vec<(usize, f64)>,
    mass: f64,
}

/// The person's votes by nearness alone, newest first.
struct Near {
    /// With a pole, by age.
    layers: Vec<Layer>,
    /// By pole.
    counts: Vec<f64>,
    mass: f64,
    /// All of them by label, those without a pole as well.
    labels: Vec<f64>,
    /// Pseudo-examples of the base rate by pole.
    prior: Vec<f64>,
}

impl Near {
    /// `None` without votes, or where a scale has but one end.
    fn of(question: &Question) -> Option<Self> {
        let Question { evidence, weights, poles, .. } = question;
        let nearest = evidence.votes.iter().map(|vote| vote.similarity).max_by(f64::total_cmp)?;
        let base = poles.fold(&evidence.base);
        if base.len() < 2 || base.iter().any(|b| *b <= 0.0) {
            return None;
        }
        let mut order: Vec<usize> = (0..evidence.votes.len()).collect();
        order.sort_by(|a, b| evidence.votes[*a].age.total_cmp(&evidence.votes[*b].age));
        let prior = normalise(base).into_iter().map(|b| PSEUDO * b).collect::<Vec<_>>();
        let (mut layers, mut counts): (Vec<Layer>, _) = (Vec::new(), vec![0.0; prior.len()]);
        let mut labels = vec![0.0; evidence.labels()];
        let mut age = f64::NEG_INFINITY;
        for place in order {
            let vote = &evidence.votes[place];
            let nearness = (weights.similarity_sharpness * (vote.similarity - nearest)).exp();
            if nearness < NEARBY {
                continue;
            }
            let weight = vote.share * nearness;
            labels[vote.label] += weight;
            let Some(pole) = poles.of_label(vote.label) else { continue };
            counts[pole] += weight;
            if vote.age > age || layers.is_empty() {
                layers.push(Layer { votes: Vec::new(), mass: 0.0 });
                age = vote.age;
            }
            if let Some(layer) = layers.last_mut() {
                layer.votes.push((place, weight));
                layer.mass += weight;
            }
        }
        let mass = counts.iter().sum();
        Some(Self { layers, counts, mass, labels, prior })
    }
}

/// The change that divides a person's votes best.
struct Change {
    /// Layers that are newer.
    newer: usize,
    /// ln P(newer) P(older)/P(all), the mean over all changes there could have been.
    odds: f64,
}

impl Question<'_> {
    fn threshold(&self) -> f64 {
        self.weights.conflict_threshold
    }

    /// A claim for `label` by a side that gives `p`.
    fn claim(&self, party: Party, label: usize, p: &[f64], n: f64) -> Claim {
        Claim { party, label, p: p[label], nats: (p[label] / self.evidence.base[label]).ln(), n }
    }

    /// A conflict of two values, won by whoever wants what was decided.
    fn between(&self, kind: ConflictKind, claims: [Claim; 2], bits: f64, strength: Option<f64>) -> Conflict {
        let Resolution { decision, distribution, .. } = self.resolution;
        let winner = claims.iter().find(|claim| claim.label == *decision).map(|claim| claim.party);
        let kept = |claim: &&Claim| Some(claim.party) != winner;
        let kept = claims.iter().filter(kept).map(|claim| distribution[claim.label]).max_by(f64::total_cmp);
        let margin = bits - self.threshold();
        Conflict { kind, claims, divergence: bits, margin, strength, silent: None, winner, kept }
    }

    /// argmax c ≠ argmax p_G and D ≥ threshold, somebody being behind either.
    fn value(&self) -> Option<Conflict> {
        let r = self.resolution;
        let (_, _, bits) = clash(r, self.threshold())?;
        let strength = urn::own_habit(&r.counts, &r.global, PSEUDO);
        Some(self.between(ConflictKind::Value, self.first_choices(), bits, Some(strength)))
    }

    /// What each side prefers: argmax c and argmax p_G.
    fn first_choices(&self) -> [Claim; 2] {
        let r = self.resolution;
        // Scores vote translated to the thing that is asked about, and p_L is of what the person gave to others.
        let translated = shrunk(&r.counts, r.mass, &self.evidence.base);
        let own = match self.poles {
            Poles::Labels => &r.local,
            Poles::Ends(_) => &translated,
        };
        [
            self.claim(Party::Local, r.decide(&r.counts), own, r.mass),
            self.claim(Party::Global, r.decide(&r.global), &r.global, r.support as f64),
        ]
    }

    /// One side at least doubles the odds of a value that the other at least halves: of one label against all others, or
    /// of a scale's upper end against its lower one. Both sides are measured against the base rate, the votes shrunk to
    /// it by two pseudo-examples, so that a label is not lowered for never having been asked about.
    fn polarity(&self) -> Option<Conflict> {
        let (r, base) = (self.resolution, &self.evidence.base);
        if !both_speak(r) || base.len() < 2 {
            return None;
        }
        let bits = divergence(&r.counts, r.mass, &r.global);
        let own = shrunk(&r.counts, r.mass, base);
        let folded = [&own, &r.global, base, &r.distribution].map(|p| self.poles.fold(p));
        let values = match self.poles {
            Poles::Labels => 0..base.len(),
            Poles::Ends(_) => 1..2,
        };
        // Leans of both sides and of the decision.
        let leans = values.filter_map(|value| {
            let log_odds = |p: &Vec<f64>| {
                let against: f64 = p.iter().enumerate().filter(|(other, _)| *other != value).map(|(_, p)| p).sum();
                p[value].max(f64::MIN_POSITIVE).ln() - against.max(f64::MIN_POSITIVE).ln()
            };
            let neutral = log_odds(&folded[2]);
            let [local, global, decided] = [0, 1, 3].map(|ix| log_odds(&folded[ix]) - neutral);
            let least = local.abs().min(global.abs());
            (local * global < 0.0 && least >= LEAN).then_some((least, value, local, global, decided))
        });
        let (_, value, local, global, decided) = leans.max_by(|a, b| a.0.total_cmp(&b.0))?;
        if bits < self.threshold() || folded[2].iter().any(|b| *b <= 0.0) {
            return None;
        }
        // What a side claims: the value where it raises it, of scores the other end where it lowers that, of labels
        // anything else.
        let held = |p: &[f64], nats: f64| match (nats > 0.0, &self.poles) {
            (true, _) => p[value],
            (false, Poles::Ends(_)) => p[1 - value],
            (false, Poles::Labels) => 1.0 - p[value],
        };
        let label = |p: &[f64]| match self.poles {
            Poles::Labels => value,
            Poles::Ends(_) => r.decide(p),
        };
        let claims = [
            Claim { party: Party::Local, label: label(&own), p: held(&folded[0], local), nats: local, n: r.mass },
            Claim {
                party: Party::Global,
                label: label(&r.global),
                p: held(&folded[1], global),
                nats: global,
                n: r.support as f64,
            },
        ];
        let winner = claims.iter().find(|claim| claim.nats * decided > 0.0).map(|claim| claim.party);
        let lost = claims.iter().filter(|claim| Some(claim.party) != winner);
        Some(Conflict {
            kind: ConflictKind::Polarity,
            divergence: bits,
            margin: bits - self.threshold(),
            strength: Some(urn::own_habit(&r.counts, &r.global, PSEUDO)),
            silent: None,
            kept: lost.map(|claim| held(&folded[3], claim.nats)).max_by(f64::total_cmp),
            claims,
            winner,
        })
    }

    /// The near votes of a newer and an older time prefer different values, and two habits explain them three times as
    /// well as one.
    fn temporal(&self, near: &Near) -> Option<Conflict> {
        let change = change(self, near)?;
        let mut halves = [vec![0.0; near.prior.len()], vec![0.0; near.prior.len()]];
        let mut labels = [vec![0.0; self.evidence.labels()], vec![0.0; self.evidence.labels()]];
        for (place, layer) in near.layers.iter().enumerate() {
            let half = usize::from(place >= change.newer);
            for (vote, mass) in &layer.votes {
                let label = self.evidence.votes[*vote].label;
                labels[half][label] += mass;
                self.poles.of_label(label).into_iter().for_each(|pole| halves[half][pole] += mass);
            }
        }
        let pole_base: Vec<f64> = near.prior.iter().map(|prior| prior / PSEUDO).collect();
        let first = |half: &Vec<f64>| super::distribution::decision(half, &pole_base);
        if change.odds < ODDS || first(&halves[0]) == first(&halves[1]) {
            return None;
        }
        let all = near.counts.iter().zip(&near.prior).map(|(count, prior)| count + prior).collect();
        let pooled = normalise(all);
        let mass = |half: &Vec<f64>| half.iter().sum::<f64>();
        let [newer, older] = [&halves[0], &halves[1]].map(|half| shrunk(half, mass(half), &pooled));
        let bits = jensen_shannon(&newer, &older);
        if bits < self.threshold() {
            return None;
        }
        let claim = |party, half: usize| {
            let p = shrunk(&labels[half], mass(&halves[half]), &self.evidence.base);
            self.claim(party, self.resolution.decide(&labels[half]), &p, mass(&halves[half]))
        };
        let claims = [claim(Party::Newer, 0), claim(Party::Older, 1)];
        Some(self.between(ConflictKind::Temporal, claims, bits, Some(change.odds)))
    }

    /// The near votes disagree more than slips would make them. Asked only where time does not explain it.
    fn intra_local(&self, near: &Near) -> Option<Conflict> {
        let pole_base: Vec<f64> = near.prior.iter().map(|prior| prior / PSEUDO).collect();
        let most = super::distribution::decision(&near.counts, &pole_base);
        let agreeing = near.counts[most];
        let rest = near.mass - agreeing;
        let odds = urn::marginal(&[rest, agreeing], &TORN) - urn::marginal(&[rest, agreeing], &SLIPS);
        let mut certain = vec![0.0; near.counts.len()];
        certain[most] = 1.0;
        let bits = divergence(&near.counts, near.mass, &certain);
        if odds < ODDS || bits < self.threshold() {
            return None;
        }
        let p = shrunk(&near.labels, near.labels.iter().sum(), &self.evidence.base);
        // The favourite label of either camp.
        let camp = |of_most: bool| {
            let label = |y: &usize| self.poles.of_label(*y).is_some_and(|pole| (pole == most) == of_most);
            (0..p.len()).filter(label).max_by(|a, b| near.labels[*a].total_cmp(&near.labels[*b]).then(b.cmp(a)))
        };
        let claims =
            [self.claim(Party::Most, camp(true)?, &p, agreeing), self.claim(Party::Rest, camp(false)?, &p, rest)];
        Some(self.between(ConflictKind::IntraLocal, claims, bits, Some(odds)))
    }

    /// What the person says near the query is not what they say on the whole: specific against general.
    fn habit(&self, near: &Near) -> Option<Conflict> {
        let base = &self.evidence.base;
        let mut counts = vec![0.0; base.len()];
        self.evidence.votes.iter().for_each(|vote| counts[vote.label] += vote.share);
        let n: f64 = counts.iter().sum();
        let whole: Vec<f64> =
            counts.iter().zip(base).map(|(count, b)| (count + HISTORY_PRIOR * b) / (n + HISTORY_PRIOR)).collect();
        let mass: f64 = near.labels.iter().sum();
        let (specific, general) = (self.resolution.decide(&near.labels), self.resolution.decide(&whole));
        let bits = divergence(&near.labels, mass, &whole);
        if specific == general || bits < self.threshold() {
            return None;
        }
        let p = shrunk(&near.labels, mass, base);
        let claims = [self.claim(Party::Near, specific, &p, mass), self.claim(Party::History, general, &whole, n)];
        Some(self.between(ConflictKind::Scope, claims, bits, Some(urn::own_habit(&near.labels, &whole, PSEUDO))))
    }

    /// The person's communities say something else than the whole population: specific against general among others.
    fn community(&self) -> Option<Conflict> {
        let Evidence { population, community, support, guard, .. } = self.evidence;
        let (specific, general) = (self.resolution.decide(community), self.resolution.decide(population));
        let bits = jensen_shannon(community, population);
        if specific == general || bits < self.threshold() || support < guard {
            return None;
        }
        let n = *support as f64;
        let claims = [
            self.claim(Party::Community, specific, community, n),
            self.claim(Party::Population, general, population, n),
        ];
        Some(self.between(ConflictKind::Scope, claims, bits, None))
    }

    /// m < .5, or fewer contributors than the guard. Whoever is not silent wins by default; nothing is lost.
    fn coverage(&self) -> Option<Conflict> {
        let (r, Evidence { support, guard, .. }) = (self.resolution, self.evidence);
        let (silent, winner, margin) = match (r.mass < COVERED, support < guard) {
            (true, true) => (Side::Both, None, COVERED - r.mass),
            (true, false) => (Side::Local, Some(Party::Global), COVERED - r.mass),
            (false, true) => (Side::Global, Some(Party::Local), (guard - support) as f64),
            (false, false) => return None,
        };
        Some(Conflict {
            kind: ConflictKind::Coverage,
            claims: self.first_choices(),
            divergence: divergence(&r.counts, r.mass, &r.global),
            margin,
            strength: None,
            silent: Some(silent),
            winner,
            kept: None,
        })
    }
}

/// Where the votes change best, and how much better two habits explain them than one. Each of the changes there could
/// have been is as likely as the votes of the layer before it are near.
fn change(question: &Question, near: &Near) -> Option<Change> {
    let total: f64 = near.prior.iter().sum();
    let part = |count: f64, pole: usize| urn::rising(count.max(0.0), near.prior[pole]);
    let whole = |mass: f64| urn::rising(mass.max(0.0), total);
    let (mut newer, mut older) = (vec![0.0; near.prior.len()], near.counts.clone());
    let mut parts = [0.0, older.iter().enumerate().map(|(pole, count)| part(*count, pole)).sum::<f64>()];
    let (mut passed, mut left) = (0.0, near.mass);
    let mut weighed: Vec<(f64, f64, usize)> = Vec::new();
    for (place, layer) in near.layers.iter().enumerate() {
        for (vote, mass) in &layer.votes {
            let Some(pole) = question.poles.of_label(question.evidence.votes[*vote].label) else { continue };
            parts[0] -= part(newer[pole], pole);
            parts[1] -= part(older[pole], pole);
            newer[pole] += mass;
            older[pole] -= mass;
            parts[0] += part(newer[pole], pole);
            parts[1] += part(older[pole], pole);
        }
        (passed, left) = (passed + layer.mass, left - layer.mass);
        if place + 1 < near.layers.len() {
            let log = parts[0] - whole(passed) + parts[1] - whole(left);
            let eligible = passed >= HALF && left >= HALF;
            weighed.push((layer.mass, log, if eligible { place + 1 } else { 0 }));
        }
    }
    let prior: f64 = weighed.iter().map(|(mass, ..)| mass).sum();
    let top = weighed.iter().map(|(_, log, _)| *log).fold(f64::NEG_INFINITY, f64::max);
    let mean = weighed.iter().map(|(mass, log, _)| mass / prior * (log - top).exp()).sum::<f64>().ln() + top;
    let best = weighed.iter().filter(|(mass, _, newer)| *newer > 0 && *mass > 0.0);
    let best = best.max_by(|a, b| (a.0.ln() + a.1).total_cmp(&(b.0.ln() + b.1)))?;
    Some(Change { newer: best.2, odds: mean - urn::marginal(&near.counts, &near.prior) })
}
