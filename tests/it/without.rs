//! Counterfactual memory: taking something out of the sums is the same as never having had it.

use logoscope::mediator::conflict::Side;
use logoscope::mediator::counterfactual::{Removed, counterfactuals};
use logoscope::mediator::evidence::{Evidence, Vote};
use logoscope::mediator::kernel::Kernel;
use logoscope::mediator::{Policy, Weight, Weights, mediate};
use logoscope::memory::collective::Voice;
use proptest::prelude::*;

use crate::mediator::{evidence, policies, scores, weights};

/// Every vote of an item of its own, parts of a translated one staying together.
fn itemised(mut evidence: Evidence) -> Evidence {
    let (mut item, mut whole) = (0, 0.0);
    for vote in &mut evidence.votes {
        vote.item = item;
        whole += vote.share;
        if whole > 1.0 - 1e-9 {
            (item, whole) = (item + 1, 0.0);
        }
    }
    evidence
}

/// What `removed` leaves, built from nothing.
fn left(evidence: &Evidence, removed: Removed) -> Evidence {
    let mut left = evidence.clone();
    match removed {
        Removed::Item(item) => left.votes.retain(|vote| vote.item != item),
        Removed::Side(Side::Local) => left.votes.clear(),
        Removed::Side(_) => (left.population, left.community) = (left.base.clone(), left.base.clone()),
        Removed::Community(_) => {}
    }
    left
}

proptest! {
    #[test]
    fn without_a_memory_is_never_having_had_it(
        e in evidence(), s in scores(), w in weights(), policy in policies(), beta in prop_oneof![Just(0.0), 0.0..1.0f64],
    ) {
        for e in [itemised(e), itemised(s)] {
            let w = w.with(Weight::SkewDamping, beta);
            let whole = mediate(&e, &w, policy);
            let all = counterfactuals(&e, &w, policy, &[]);
            let items = e.votes.last().map_or(0, |vote| vote.item + 1);
            prop_assert_eq!(all.len(), items + 1 + usize::from(items > 0));
            for without in &all {
                let again = mediate(&left(&e, without.removed), &w, policy);
                let nats = (again.distribution[whole.decision] / whole.distribution[whole.decision]).ln();
                prop_assert!((without.nats - nats).abs() < 1e-6, "{:?}: {} {}", without, nats, policy);
                prop_assert!((without.margin - again.margin).abs() < 1e-6, "{:?}: {}", without, again.margin);
                if again.margin > 1e-6 {
                    prop_assert_eq!(without.decision, again.decision);
                }
                prop_assert_eq!(without.changes, without.decision != whole.decision);
            }
            let order = |pair: &[logoscope::mediator::counterfactual::Without]| {
                (pair[0].changes, pair[0].nats.abs()) >= (pair[1].changes, pair[1].nats.abs())
            };
            prop_assert!(all.windows(2).all(order), "the most influential first");
        }
    }

    #[test]
    fn evidence_in_is_evidence_accounted_for(e in evidence(), s in scores(), w in weights()) {
        for e in [e, s] {
            let kernel = Kernel::of(&e, &w);
            let nearest = e.votes.iter().map(|vote| vote.similarity).fold(0.0, f64::max);
            let weight = |vote: &Vote| {
                vote.share * (w.similarity_sharpness * (vote.similarity - nearest)).exp() * 0.5f64.powf(vote.age / w.half_life)
            };
            let sum: f64 = e.votes.iter().map(weight).sum();
            let r = mediate(&e, &w, Policy::Shrinkage);
            for mass in [kernel.mass, kernel.counts.iter().sum(), kernel.own.iter().sum(), r.mass, r.counts.iter().sum()] {
                prop_assert!((mass - sum).abs() < 1e-9, "{} {}", mass, sum);
            }
            // Without all of them there is nothing: everyone else decides.
            let none = counterfactuals(&e, &w, Policy::Shrinkage, &[]).into_iter().find(|x| x.removed == Removed::Side(Side::Local));
            prop_assert!(none.is_none_or(|none| none.decision == r.decide(&r.global)));
        }
    }

    #[test]
    fn without_a_community_the_others_speak(e in evidence(), w in weights(), policy in policies(), shares in (0.1..1.0f64, 0.1..1.0f64, 0.1..1.0f64)) {
        let distributions = [e.base.clone(), e.population.clone(), e.community.clone()];
        let voices: Vec<Voice> = [shares.0, shares.1, shares.2].into_iter().zip(distributions).enumerate()
            .map(|(community, (share, distribution))| Voice { community, share, distribution }).collect();
        let blend = |voices: &[&Voice]| -> Vec<f64> {
            let sum: f64 = voices.iter().map(|voice| voice.share).sum();
            (0..e.labels()).map(|y| voices.iter().map(|voice| voice.share / sum * voice.distribution[y]).sum()).collect()
        };
        let e = Evidence { community: blend(&voices.iter().collect::<Vec<_>>()), ..e.clone() };
        let all = counterfactuals(&e, &w, policy, &voices);
        for place in 0..voices.len() {
            let others: Vec<&Voice> = voices.iter().filter(|voice| voice.community != place).collect();
            let again = mediate(&Evidence { community: blend(&others), ..e.clone() }, &w, policy);
            let without = all.iter().find(|x| x.removed == Removed::Community(place)).unwrap();
            prop_assert!((without.margin - again.margin).abs() < 1e-9);
        }
        // A single community is the collective side itself.
        let alone = counterfactuals(&e, &w, policy, &voices[..1]);
        prop_assert!(!alone.iter().any(|x| matches!(x.removed, Removed::Community(_))));
    }
}

/// On the shipped data what the read says of its communities adds up to what the mediator weighs.
#[test]
fn communities_of_a_read_add_up() {
    let dataset = logoscope::data::sample::dataset().unwrap();
    let memory = logoscope::memory::Memory::build(&dataset);
    let (weights, manifest) = (Weights::defaults(Policy::Product, &dataset.manifest), &dataset.manifest);
    let mut told = 0;
    for query in dataset.queries.iter().step_by(20) {
        let read = memory.read(&query.user, &query.query, query.at).unwrap();
        let voices = read.global.parts.voices(&read.global.base, &manifest.calibration);
        let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
        let belonging: f64 = voices.iter().map(|voice| voice.share).sum();
        for y in (0..evidence.labels()).filter(|_| !voices.is_empty()) {
            let sum: f64 = voices.iter().map(|voice| voice.share / belonging * voice.distribution[y]).sum();
            assert!((sum - evidence.community[y]).abs() < 1e-12);
        }
        let all = counterfactuals(&evidence, &weights, Policy::Product, &voices);
        told += all.iter().filter(|x| matches!(x.removed, Removed::Community(_))).count();
        let ids: std::collections::BTreeSet<usize> = evidence.votes.iter().map(|vote| vote.item).collect();
        assert_eq!(ids.len(), read.local.visible(), "an item for every hit");
    }
    assert!(told > 0, "some people belong to several communities");
}
