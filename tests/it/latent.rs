//! Evidence with a known truth behind it: a person with a habit that may differ from the crowd's, that may have changed,
//! that may be torn, on this kind of question or on all; a crowd with communities; both sides more or less silent. What a
//! detector ought to find is read off the truth, never off the drawn votes.

use logoscope::data::draw::Draw;
use logoscope::mediator::conflict::{ConflictKind, Party};
use logoscope::mediator::evidence::{Evidence, Vote};
use logoscope::mediator::{Facet, Weights};

/// What a detector may find: scope has two, among the person's own memories and among others.
pub const FINDS: [(&str, ConflictKind, Option<Party>); 7] = [
    ("value", ConflictKind::Value, None),
    ("polarity", ConflictKind::Polarity, None),
    ("temporal", ConflictKind::Temporal, None),
    ("intra-local", ConflictKind::IntraLocal, None),
    ("scope, near against history", ConflictKind::Scope, Some(Party::Near)),
    ("scope, community against population", ConflictKind::Scope, Some(Party::Community)),
    ("coverage", ConflictKind::Coverage, None),
];

/// A question with its truth.
pub struct Case {
    pub evidence: Evidence,
    /// In order of [`FINDS`].
    pub truth: [bool; 7],
    /// Near memories.
    pub near: usize,
}

/// The neutral setting under which cases are looked at.
pub fn weights() -> Weights {
    Weights { similarity_sharpness: 10.0, half_life: 180.0, community_focus: 0.5, ..Weights::default() }
}

fn normalised(raw: Vec<f64>) -> Vec<f64> {
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|p| p / sum).collect()
}

fn favourite(p: &[f64]) -> usize {
    (1..p.len()).fold(0, |best, y| if p[y] > p[best] { y } else { best })
}

/// A habit that gives `label` most of the time and slips to what everyone answers otherwise.
fn habit(base: &[f64], label: usize, firmness: f64) -> Vec<f64> {
    let mut p: Vec<f64> = base.iter().map(|b| (1.0 - firmness) * b).collect();
    p[label] += firmness;
    p
}

/// What others say: the base rate tilted toward a label.
fn opinion(draw: &mut Draw, base: &[f64], label: usize) -> Vec<f64> {
    let tilted = base.iter().enumerate().map(|(y, b)| {
        let nats = if y == label { 1.5 + draw.unit() } else { 0.0 };
        (b.ln() + nats + 0.2 * draw.normal()).exp()
    });
    let mut p = normalised(tilted.collect());
    // The label is what they prefer: that is what this opinion is about.
    let best = favourite(&p);
    p.swap(best, label);
    p
}

fn other(draw: &mut Draw, labels: usize, than: usize) -> usize {
    (than + 1 + draw.below(labels - 1)) % labels
}

/// Draws a case.
pub fn case(draw: &mut Draw) -> Case {
    let labels = draw.between(3, 8);
    let base = normalised((0..labels).map(|_| 0.4 + draw.unit()).collect());
    let crowd = draw.below(labels);
    let population = opinion(draw, &base, crowd);
    let apart = draw.chance(0.25);
    let specific = if apart { other(draw, labels, crowd) } else { crowd };
    let community = if apart { opinion(draw, &base, specific) } else { population.clone() };

    // The person: what they mean now, what they meant before, and what they say elsewhere.
    let firmness = 0.8 + 0.15 * draw.unit();
    let now_label = if draw.chance(0.5) { crowd } else { other(draw, labels, crowd) };
    let (drifted, torn) = match draw.below(5) {
        0 => (true, false),
        1 => (false, true),
        _ => (false, false),
    };
    let second = other(draw, labels, now_label);
    let now = if torn {
        let (a, b) = (habit(&base, now_label, firmness), habit(&base, second, firmness));
        a.iter().zip(&b).map(|(a, b)| 0.5 * (a + b)).collect()
    } else {
        habit(&base, now_label, firmness)
    };
    let before = if drifted { habit(&base, second, firmness) } else { now.clone() };
    let elsewhere_label = if draw.chance(0.3) { other(draw, labels, now_label) } else { now_label };
    let elsewhere = habit(&base, elsewhere_label, firmness);

    let silent = draw.chance(0.15);
    let near = if silent { 0 } else { draw.between(1, 16) };
    let far = if silent { 0 } else { draw.below(25) };
    let changed = 60.0 + 120.0 * draw.unit();
    let mut votes = Vec::new();
    for item in 0..near + far {
        let age = 400.0 * draw.unit();
        let (p, similarity) = match item < near {
            true => (if age < changed { &now } else { &before }, 0.75 + 0.05 * draw.unit()),
            false => (&elsewhere, 0.1 + 0.3 * draw.unit()),
        };
        votes.push(Vote::plain(draw.index(p), similarity, age).of_item(item));
    }
    let guard = 5;
    let support = if draw.chance(0.1) { draw.below(guard) } else { draw.between(guard, 60) };

    // Truth, from what the votes and opinions were drawn from.
    let global: Vec<f64> = population.iter().zip(&community).map(|(p, c)| 0.5 * (p + c)).collect();
    let lean = |p: &[f64], y: usize| (p[y] / (1.0 - p[y])).ln() - (base[y] / (1.0 - base[y])).ln();
    let opposed = |y: &usize| {
        let (own, all) = (lean(&now, *y), lean(&global, *y));
        own * all < 0.0 && own.abs().min(all.abs()) >= std::f64::consts::LN_2
    };
    let halves = |newer: bool| votes[..near].iter().filter(|vote| (vote.age < changed) == newer).count();
    let whole: Vec<f64> = (0..labels)
        .map(|y| {
            let of_near = halves(true) as f64 * now[y] + halves(false) as f64 * before[y];
            of_near + far as f64 * elsewhere[y]
        })
        .collect();
    let near_habit: Vec<f64> =
        (0..labels).map(|y| halves(true) as f64 * now[y] + halves(false) as f64 * before[y]).collect();
    let mass: f64 = votes[..near].iter().map(|vote| (-vote.age / weights().half_life).exp2()).sum();
    let heard = mass >= 0.5;
    let truth = [
        // A torn person has no first choice, and one who changed has one now only if they spoke since. Nobody contradicts
        // whom nobody stands behind.
        near > 0 && support > 0 && favourite(&now) != favourite(&global),
        near > 0 && support > 0 && (0..labels).any(|y| opposed(&y)),
        drifted && halves(true) > 0 && halves(false) > 0,
        torn && near > 1,
        near > 0 && far > 0 && favourite(&near_habit) != favourite(&whole),
        apart && support >= guard,
        !heard || support < guard,
    ];
    let evidence = Evidence {
        facet: Facet::Label,
        base,
        votes,
        population,
        community,
        support,
        suppressed: 0,
        guard,
        local_calibration: 1.0,
        novelty: 0.0,
        written: None,
    };
    Case { evidence, truth, near }
}
