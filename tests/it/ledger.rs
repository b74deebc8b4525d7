//! The conflict ledger: each rule on a case that it must find and on a twin that it must not; how well the rules find what
//! is really there; and the worked example of docs/mediator.md.

use std::fmt::Write as _;

use logoscope::data::draw::Draw;
use logoscope::mediator::conflict::{Conflict, ConflictKind, Party, Side};
use logoscope::mediator::evidence::{Evidence, Vote};
use logoscope::mediator::ledger::{LEAN, ODDS, ledger};
use logoscope::mediator::{Facet, Policy, Weight, Weights, mediate};
use proptest::prelude::*;

use crate::latent::{self, FINDS};
use crate::mediator::{evidence, policies, scores, weights};

/// Votes `(label, likeness, age)`, an item each.
fn votes(votes: &[(usize, f64, f64)]) -> Vec<Vote> {
    let vote = |(item, (label, similarity, age)): (usize, &(usize, f64, f64))| {
        Vote::plain(*label, *similarity, *age).of_item(item)
    };
    votes.iter().enumerate().map(vote).collect()
}

/// Three labels, a crowd that prefers the second, and a person who remembers `own`.
fn asked(own: &[(usize, f64, f64)]) -> Evidence {
    Evidence {
        facet: Facet::Label,
        base: vec![0.4, 0.4, 0.2],
        votes: votes(own),
        population: vec![0.25, 0.6, 0.15],
        community: vec![0.25, 0.6, 0.15],
        support: 20,
        suppressed: 0,
        guard: 5,
        local_calibration: 1.0,
        novelty: 0.0,
        written: None,
    }
}

fn found(evidence: &Evidence, weights: &Weights) -> Vec<Conflict> {
    ledger(evidence, weights, &mediate(evidence, weights, Policy::Product))
}

fn kinds(evidence: &Evidence) -> Vec<ConflictKind> {
    found(evidence, &latent::weights()).iter().map(|conflict| conflict.kind).collect()
}

/// `n` votes for a label, all as near and as old.
fn times(n: usize, label: usize, age: f64) -> Vec<(usize, f64, f64)> {
    vec![(label, 0.7, age); n]
}

#[test]
fn each_rule_finds_its_case_and_leaves_the_twin_alone() {
    use ConflictKind::{Coverage, IntraLocal, Polarity, Scope, Temporal, Value};
    // Ages a little apart, so that there is an order.
    let spread = |n: usize, label: usize, from: f64| -> Vec<(usize, f64, f64)> {
        (0..n).map(|ix| (label, 0.7, from + ix as f64)).collect()
    };
    let mixed = |n: usize| -> Vec<(usize, f64, f64)> { (0..n).map(|ix| (ix % 2, 0.7, ix as f64)).collect() };
    let far = |label: usize| -> Vec<(usize, f64, f64)> { (0..9).map(|ix| (label, 0.1, ix as f64)).collect() };
    let opposed =
        || Evidence { population: vec![0.1, 0.8, 0.1], community: vec![0.1, 0.8, 0.1], ..asked(&times(6, 0, 1.0)) };
    let cases: Vec<(&str, Evidence, Evidence, ConflictKind)> = vec![
        ("first choices differ", asked(&times(3, 0, 1.0)), asked(&times(3, 1, 1.0)), Value),
        ("one vote is noise", asked(&times(2, 2, 1.0)), asked(&times(1, 0, 200.0)), Value),
        (
            "a single contributor speaks, and where there is none nobody does",
            Evidence { support: 1, ..asked(&times(3, 0, 1.0)) },
            Evidence { support: 0, ..asked(&times(3, 0, 1.0)) },
            Value,
        ),
        (
            "the same of what is raised and lowered",
            Evidence { support: 1, ..opposed() },
            Evidence { support: 0, ..opposed() },
            Polarity,
        ),
        (
            "the person raises what the crowd lowers, and not only something rare",
            opposed(),
            Evidence { population: vec![0.3, 0.5, 0.2], community: vec![0.3, 0.5, 0.2], ..asked(&times(6, 0, 1.0)) },
            Polarity,
        ),
        (
            "newer memories against older ones, and the same votes in no order",
            asked(&[spread(5, 0, 1.0), spread(5, 1, 100.0)].concat()),
            asked(&mixed(10)),
            Temporal,
        ),
        (
            "four after four, and three after three",
            asked(&[spread(4, 0, 1.0), spread(4, 1, 100.0)].concat()),
            asked(&[spread(3, 0, 1.0), spread(3, 1, 100.0)].concat()),
            Temporal,
        ),
        (
            "the same votes in no order, and in an order",
            asked(&mixed(10)),
            asked(&[spread(5, 0, 1.0), spread(5, 1, 100.0)].concat()),
            IntraLocal,
        ),
        (
            "torn, and a slip in ten",
            asked(&mixed(4)),
            asked(&[spread(9, 0, 1.0), spread(1, 1, 4.0)].concat()),
            IntraLocal,
        ),
        (
            "near against the whole history, and the same answer everywhere",
            asked(&[times(3, 0, 1.0), far(2)].concat()),
            asked(&[times(3, 0, 1.0), far(0)].concat()),
            Scope,
        ),
        (
            "community against population, and a community of one mind with it",
            Evidence { community: vec![0.8, 0.1, 0.1], ..asked(&times(3, 1, 1.0)) },
            Evidence { community: vec![0.1, 0.8, 0.1], ..asked(&times(3, 1, 1.0)) },
            Scope,
        ),
        (
            "a community below the guard is not heard",
            Evidence { community: vec![0.8, 0.1, 0.1], ..asked(&times(3, 1, 1.0)) },
            Evidence { community: vec![0.8, 0.1, 0.1], support: 4, ..asked(&times(3, 1, 1.0)) },
            Scope,
        ),
        ("nothing remembered", asked(&[]), asked(&times(1, 1, 1.0)), Coverage),
        ("all of it faded", asked(&times(1, 1, 400.0)), asked(&times(1, 1, 100.0)), Coverage),
        (
            "too few contributors",
            Evidence { support: 4, ..asked(&times(3, 1, 1.0)) },
            Evidence { support: 5, ..asked(&times(3, 1, 1.0)) },
            Coverage,
        ),
    ];
    for (case, yes, no, kind) in cases {
        assert!(kinds(&yes).contains(&kind), "{case}: {kind:?} not among {:?}", kinds(&yes));
        assert!(!kinds(&no).contains(&kind), "the twin of {case}: {kind:?} among {:?}", kinds(&no));
    }
    assert_eq!(kinds(&asked(&times(2, 1, 1.0))), [], "agreement is no conflict");
}

/// Somebody who gave other things the lowest score, which here is worth `scores`, and a crowd.
fn rated(scores: &[f64], crowd: [f64; 5]) -> Evidence {
    let steps = [1.0, 2.0, 3.0, 4.0, 5.0];
    let vote = |(item, score): (usize, &f64)| {
        let plain = Vote::plain(0, 0.5, item as f64).of_item(item);
        Vote::translated(plain, &steps, *score, 0.0).collect::<Vec<_>>()
    };
    Evidence {
        facet: Facet::Score(steps.into()),
        base: vec![0.05, 0.1, 0.25, 0.35, 0.25],
        votes: scores.iter().enumerate().flat_map(vote).collect(),
        population: crowd.to_vec(),
        community: crowd.to_vec(),
        ..asked(&[])
    }
}

#[test]
fn a_side_claims_the_same_in_every_conflict_about_first_choices() {
    let dislikes = Evidence { support: 4, ..rated(&[2.0, 2.0, 2.0, 2.0], [0.01, 0.02, 0.07, 0.3, 0.6]) };
    let all = found(&dislikes, &Weights { half_life: 15.0, ..latent::weights() });
    let of = |kind| all.iter().find(|conflict: &&Conflict| conflict.kind == kind).unwrap();
    let coverage = of(ConflictKind::Coverage);
    assert_eq!(coverage.claims, of(ConflictKind::Value).claims);
    // Four votes for the second step with two examples of a base rate of .1: what they are worth, not what was given.
    let local = coverage.claims[0];
    assert!(local.label == 1 && local.p > 0.5 && local.nats > 1.0, "{local:?}");
}

#[test]
fn scores_conflict_across_what_people_give_on_average() {
    let liked = [0.01, 0.02, 0.07, 0.3, 0.6];
    let dislikes = rated(&[1.0, 2.0, 1.5, 2.0], liked);
    let all = found(&dislikes, &Weights { half_life: 15.0, ..latent::weights() });
    let polarity = all.iter().find(|conflict| conflict.kind == ConflictKind::Polarity).unwrap();
    let [local, global] = &polarity.claims;
    assert!(local.nats <= -LEAN && global.nats >= LEAN, "{polarity:?}");
    assert_eq!((local.label, global.label), (1, 4), "both sides' medians");
    assert!(!kinds(&rated(&[4.0, 5.0, 4.5, 5.0], liked)).contains(&ConflictKind::Polarity));
    // Both ends are near: torn. Steps beside each other are not.
    assert!(kinds(&rated(&[1.0, 5.0, 1.0, 5.0, 1.0, 5.0], liked)).contains(&ConflictKind::IntraLocal));
    assert!(!kinds(&rated(&[4.5, 5.0, 4.5, 5.0, 4.5, 5.0], liked)).contains(&ConflictKind::IntraLocal));
}

#[test]
fn the_ledger_keeps_who_lost() {
    let evidence = asked(&times(2, 0, 1.0));
    for (local_trust, winner, label) in [(2.0, Party::Local, 0), (0.2, Party::Global, 1)] {
        let weights = latent::weights().with(Weight::LocalTrust, local_trust);
        let resolution = mediate(&evidence, &weights, Policy::Product);
        assert_eq!(resolution.decision, label);
        let all = ledger(&evidence, &weights, &resolution);
        let value = all.iter().find(|conflict| conflict.kind == ConflictKind::Value).unwrap();
        assert_eq!(value.winner, Some(winner));
        let loser = value.loser().unwrap();
        assert_ne!(loser.party, winner);
        assert_eq!(loser.label, 1 - label);
        assert_eq!(value.kept, Some(resolution.distribution[loser.label]));
    }
    let silent = found(&asked(&[]), &latent::weights());
    assert_eq!((silent[0].silent, silent[0].winner, silent[0].kept), (Some(Side::Local), Some(Party::Global), None));
}

proptest! {
    #[test]
    fn every_conflict_keeps_its_promises(e in evidence(), s in scores(), w in weights(), policy in policies()) {
        for e in [e, s] {
            let resolution = mediate(&e, &w, policy);
            let all = ledger(&e, &w, &resolution);
            let has = |kind| all.iter().any(|conflict| conflict.kind == kind);
            prop_assert!(!(has(ConflictKind::Temporal) && has(ConflictKind::IntraLocal)), "one contradiction, one reason");
            prop_assert!(all.windows(2).all(|pair| pair[0].kind <= pair[1].kind), "in order");
            for conflict in &all {
                let [a, b] = &conflict.claims;
                prop_assert!((0.0..=1.0).contains(&conflict.divergence) && conflict.margin >= 0.0, "{:?}", conflict);
                prop_assert!(a.party != b.party && a.n >= 0.0 && b.n >= 0.0);
                prop_assert!([a.p, b.p].iter().all(|p| (0.0..=1.0 + 1e-9).contains(p)), "{:?}", conflict);
                prop_assert!(conflict.kept.is_none_or(|kept| (0.0..=1.0 + 1e-9).contains(&kept)));
                prop_assert!(conflict.winner.is_none_or(|winner| winner == a.party || winner == b.party));
                prop_assert!(!conflict.rule().is_empty());
                let least = match conflict.kind {
                    ConflictKind::Temporal | ConflictKind::IntraLocal => Some(ODDS),
                    _ => None,
                };
                prop_assert!(least.is_none_or(|least| conflict.strength.unwrap() >= least));
                if conflict.kind != ConflictKind::Coverage {
                    prop_assert!((conflict.divergence - w.conflict_threshold - conflict.margin).abs() < 1e-12);
                }
                if matches!(conflict.kind, ConflictKind::Value | ConflictKind::Polarity) {
                    prop_assert!(a.n > 0.0 && b.n > 0.0, "nobody contradicts: {:?}", conflict);
                }
                if conflict.kind == ConflictKind::Polarity {
                    prop_assert!(a.nats * b.nats < 0.0 && a.nats.abs().min(b.nats.abs()) >= LEAN);
                }
            }
            // What the threshold hides it hides altogether; coverage alone is not a matter of divergence.
            let none = w.with(Weight::ConflictThreshold, 1.0);
            prop_assert!(ledger(&e, &none, &resolution).iter().all(|c| c.kind == ConflictKind::Coverage || c.divergence == 1.0));
        }
    }

    #[test]
    fn the_order_of_hits_does_not_matter_to_the_ledger(e in evidence(), w in weights()) {
        let mut turned = e.clone();
        turned.votes.reverse();
        let (a, b) = (found(&e, &w), found(&turned, &w));
        let close = |a: &Conflict, b: &Conflict| a.kind == b.kind && (a.divergence - b.divergence).abs() < 1e-9;
        // A tie in the last bit may fall either way.
        let near = |c: &Conflict| c.margin < 1e-9 || c.strength.is_some_and(|nats| (nats - ODDS).abs() < 1e-9);
        if !a.iter().chain(&b).any(near) {
            prop_assert!(a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| close(a, b)), "{:?} {:?}", a, b);
        }
    }
}

/// Found, rightly found and really there, of each of [`FINDS`].
#[derive(Clone, Copy, Default)]
struct Score {
    found: usize,
    right: usize,
    there: usize,
}

impl Score {
    fn precision(self) -> f64 {
        self.right as f64 / self.found.max(1) as f64
    }

    fn recall(self) -> f64 {
        self.right as f64 / self.there.max(1) as f64
    }
}

fn detectors(cases: usize) -> [[Score; 8]; 2] {
    let mut draw = Draw::seeded(11);
    let mut scores = [[Score::default(); 8]; 2];
    for _ in 0..cases {
        let case = latent::case(&mut draw);
        let all = found(&case.evidence, &latent::weights());
        let own = |c: &Conflict| matches!(c.kind, ConflictKind::Temporal | ConflictKind::IntraLocal);
        let contradicted = (all.iter().any(own), case.truth[2] || case.truth[3]);
        let each = FINDS.iter().zip(case.truth).map(|((_, kind, party), there)| {
            let fits = |c: &Conflict| c.kind == *kind && party.is_none_or(|party| c.claims[0].party == party);
            (all.iter().any(fits), there)
        });
        for (ix, (found, there)) in each.chain([contradicted]).enumerate() {
            for (bucket, counts) in scores.iter_mut().enumerate() {
                if bucket == 0 || case.near >= 6 {
                    counts[ix].found += usize::from(found);
                    counts[ix].there += usize::from(there);
                    counts[ix].right += usize::from(found && there);
                }
            }
        }
    }
    scores
}

/// Compares the part of docs/mediator.md between two markers with `made`, or writes it with LOGOSCOPE_UPDATE=1.
fn assert_block(name: &str, made: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mediator.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (head, rest) = text.split_once(&open).unwrap();
    let (written, tail) = rest.split_once(&close).unwrap();
    if std::env::var_os("LOGOSCOPE_UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, format!("{head}{open}{made}{close}{tail}")).unwrap();
        return;
    }
    assert_eq!(written, made, "docs/mediator.md, {name}: not what the program makes; run with LOGOSCOPE_UPDATE=1");
}

#[test]
fn detectors_find_what_is_there() {
    let [all, more] = detectors(4000);
    let mut table = String::from(
        "| conflict | cases | precision | recall | precision, 6+ near memories | recall, 6+ |\n|---|---:|---:|---:|---:|---:|\n",
    );
    let names = FINDS.iter().map(|(name, ..)| *name).chain(["temporal or intra-local"]);
    for (ix, name) in names.enumerate() {
        let (a, m) = (all[ix], more[ix]);
        let _ = writeln!(
            table,
            "| {name} | {} | {:.2} | {:.2} | {:.2} | {:.2} |",
            a.there,
            a.precision(),
            a.recall(),
            m.precision(),
            m.recall()
        );
    }
    print!("{table}");
    for (ix, (name, kind, _)) in FINDS.iter().enumerate() {
        let (precision, recall) = match kind {
            ConflictKind::Coverage => (0.99, 0.99),
            ConflictKind::Temporal => (0.9, 0.38),
            ConflictKind::IntraLocal => (0.7, 0.65),
            ConflictKind::Scope => (0.9, 0.5),
            _ => (0.85, 0.8),
        };
        assert!(all[ix].there > 150, "{name} is rare: {}", all[ix].there);
        assert!(more[ix].precision() >= precision, "{name}: precision {:.2}\n{table}", more[ix].precision());
        assert!(more[ix].recall() >= recall, "{name}: recall {:.2}\n{table}", more[ix].recall());
    }
    assert_block("detectors", &table);
}

/// Every number of the worked example, by hand, beside what the program makes of it.
#[test]
fn the_worked_example_adds_up() {
    let base = [0.5, 0.3, 0.2];
    let own = [(0usize, 0.80, 5.0), (0, 0.78, 40.0), (1, 0.65, 10.0)];
    let (population, community) = ([0.20, 0.70, 0.10], [0.10, 0.80, 0.10]);
    let weights = Weights { prior_strength: 0.5, ..latent::weights() };
    let (gamma, tau, kappa, alpha) =
        (weights.similarity_sharpness, weights.half_life, weights.prior_strength, weights.community_focus);

    let w = own.map(|(_, s, a): (usize, f64, f64)| (gamma * (s - 0.80)).exp() * 0.5f64.powf(a / tau));
    let mut c = [0.0; 3];
    own.iter().zip(w).for_each(|((y, ..), w)| c[*y] += w);
    let m: f64 = w.iter().sum();
    let q: [f64; 3] = std::array::from_fn(|y| (c[y] + kappa * base[y]) / (m + kappa));
    let p_g: [f64; 3] = std::array::from_fn(|y| (1.0 - alpha) * population[y] + alpha * community[y]);
    let e_l: [f64; 3] = std::array::from_fn(|y| (q[y] / base[y]).ln());
    let e_g: [f64; 3] = std::array::from_fn(|y| (p_g[y] / base[y]).ln());
    let raw: [f64; 3] = std::array::from_fn(|y| base[y] * (e_l[y] + e_g[y]).exp());
    let p = raw.map(|x| x / raw.iter().sum::<f64>());
    let shrunk: [f64; 3] = std::array::from_fn(|y| (c[y] + 2.0 * p_g[y]) / (m + 2.0));
    let half = |a: f64, b: f64| 0.5 * a * (2.0 * a / (a + b)).log2();
    let d: f64 = shrunk.iter().zip(p_g).map(|(a, b)| half(*a, b) + half(b, *a)).sum();
    // The trust in others at which the first label no longer wins: both log-odds are equal there.
    let odds = |e: &[f64; 3]| e[0] - e[1];
    let flip = -((base[0] / base[1]).ln() + odds(&e_l)) / odds(&e_g);
    let linear: [f64; 3] = std::array::from_fn(|y| 0.5 * q[y] + 0.5 * p_g[y]);
    let shrinkage: [f64; 3] = std::array::from_fn(|y| (c[y] + kappa * p_g[y]) / (m + kappa));

    let evidence =
        Evidence { base: base.to_vec(), population: population.to_vec(), community: community.to_vec(), ..asked(&own) };
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    let r = mediate(&evidence, &weights, Policy::Product);
    assert!(close(&r.counts, &c) && close(&r.local, &q) && close(&r.global, &p_g) && close(&r.distribution, &p));
    assert!(close(&mediate(&evidence, &weights, Policy::Linear).distribution, &linear));
    assert!(close(&mediate(&evidence, &weights, Policy::Shrinkage).distribution, &shrinkage));
    let all = ledger(&evidence, &weights, &r);
    assert_eq!(all.iter().map(|found| found.kind).collect::<Vec<_>>(), [ConflictKind::Value, ConflictKind::Polarity]);
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let leans = [(c[0] + 2.0 * base[0]) / (m + 2.0), p_g[0]].map(|p| logit(p) - logit(base[0]));
    assert!(all[1].claims.iter().zip(leans).all(|(claim, nats)| claim.label == 0 && (claim.nats - nats).abs() < 1e-12));
    let without_first = {
        let w = own.map(|(_, s, a): (usize, f64, f64)| (gamma * (s - 0.78)).exp() * 0.5f64.powf(a / tau));
        let mass = w[1] + w[2] + kappa;
        let q = [(w[1] + kappa * base[0]) / mass, (w[2] + kappa * base[1]) / mass, kappa * base[2] / mass];
        let raw: [f64; 3] = std::array::from_fn(|y| q[y] * p_g[y] / base[y]);
        raw.map(|x| x / raw.iter().sum::<f64>())
    };
    let left = logoscope::mediator::counterfactual::counterfactuals(&evidence, &weights, Policy::Product, &[]);
    let first = left.iter().find(|x| x.removed == logoscope::mediator::counterfactual::Removed::Item(0)).unwrap();
    assert!((first.nats - (without_first[1] / p[1]).ln()).abs() < 1e-12);
    assert!((all[0].divergence - d).abs() < 1e-12);
    let shown = logoscope::mediator::flip::flip(&evidence, &weights, Policy::Product, Weight::GlobalTrust).unwrap();
    assert!((shown.at - flip).abs() < 1e-3 * flip && shown.becomes == 0, "{shown:?} {flip}");

    let row = |name: &str, p: &[f64; 3]| format!("| {name} | {:.3} | {:.3} | {:.3} |\n", p[0], p[1], p[2]);
    let mut block = String::from(
        "| own item | answer | s | age, days | exp(γ(s − s_max)) | 2^(−a/τ) | w |\n|---|---|---:|---:|---:|---:|---:|\n",
    );
    for (ix, ((y, s, a), w)) in own.iter().zip(w).enumerate() {
        let (near, fresh) = ((gamma * (s - 0.80)).exp(), 0.5f64.powf(a / tau));
        let answer = ["noir", "comedy", "drama"][*y];
        let _ = writeln!(block, "| {} | {answer} | {s:.2} | {a:.0} | {near:.3} | {fresh:.3} | {w:.3} |", ix + 1);
    }
    let _ = writeln!(block, "\nMass m = {m:.3} examples.\n\n| | noir | comedy | drama |\n|---|---:|---:|---:|");
    block += &row("b", &base);
    block += &row("c", &c);
    block += &row("p_L = q_L", &q);
    block += &row("e_L, nats", &e_l);
    block += &row("p_population", &population);
    block += &row("p_community", &community);
    block += &row("p_G", &p_g);
    block += &row("e_G, nats", &e_g);
    block += &row("**product** p", &p);
    block += &row("shrinkage p", &shrinkage);
    block += &row("linear p", &linear);
    let _ = writeln!(
        block,
        "\nDecision comedy, margin {:.3}; D = {d:.3} bit ≥ .1: a value conflict, noir against comedy, won by the others; noir keeps\n{:.3}. Polarity: local raises noir by {:+.2} nats, global lowers it by {:.2}. At `global-trust` {flip:.6} the log-odds of\nnoir against comedy are 0; at {} noir wins. Without the first own item comedy has {:.3}, {:+.3} nats.",
        p[1] - p[0],
        p[0],
        leans[0],
        leans[1].abs(),
        shown.at,
        without_first[1],
        first.nats
    );
    assert_block("worked example", &block);
}
