//! Failure signatures: each on a course that shows it and on one that must not.

use logoscope::data::interaction::UserId;
use logoscope::mediator::counterfactual::counterfactuals;
use logoscope::mediator::evidence::{Evidence, Vote};
use logoscope::mediator::signature::{Signature, calming, of_session, of_session_under, too_local};
use logoscope::mediator::{Course, Facet, Policy, Resolution, Weight, Weights, mediate};
use proptest::prelude::*;

fn evidence(votes: &[(usize, f64)], crowd: f64) -> Evidence {
    let vote =
        |(item, (label, similarity)): (usize, &(usize, f64))| Vote::plain(*label, *similarity, 1.0).of_item(item);
    Evidence {
        facet: Facet::Label,
        base: vec![0.5, 0.5],
        votes: votes.iter().enumerate().map(vote).collect(),
        population: vec![1.0 - crowd, crowd],
        community: vec![1.0 - crowd, crowd],
        support: 20,
        suppressed: 0,
        guard: 5,
        local_calibration: 1.0,
        novelty: 0.0,
        written: None,
    }
}

fn weights() -> Weights {
    Weights { prior_strength: 1.0, similarity_sharpness: 1.0, community_focus: 0.0, ..Weights::default() }
}

fn decided(evidence: &Evidence, weights: &Weights) -> Resolution {
    mediate(evidence, weights, Policy::Product)
}

#[test]
fn too_local_is_an_answer_that_hangs_on_one_memory() {
    let sign = |votes: &[(usize, f64)], crowd: f64| {
        let (e, w) = (evidence(votes, crowd), weights());
        too_local(&decided(&e, &w), &counterfactuals(&e, &w, Policy::Product, &[]))
    };
    // Two votes outweigh the crowd, one does not.
    let brittle = sign(&[(0, 0.5), (0, 0.5)], 0.8);
    assert!(matches!(brittle, Some(Signature::TooLocal { becomes: 1, .. })), "{brittle:?}");
    assert_eq!(sign(&[(0, 0.5); 6], 0.8), None, "six can spare one");
    assert_eq!(sign(&[(0, 0.5)], 0.6), None, "with one memory there is nothing else to hang on");
    assert_eq!(sign(&[(1, 0.5), (1, 0.5)], 0.8), None, "what the others prefer hangs on nobody's memory");
}

#[test]
fn too_global_is_answering_different_people_alike() {
    let ask = |own: [usize; 2], trust: f64| -> Vec<(UserId, Resolution)> {
        let w = weights().with(Weight::GlobalTrust, trust);
        (0..8)
            .map(|turn| {
                // Both people differ from the crowd, and from each other.
                let label = own[turn % 2];
                let mut e = evidence(&[(label, 0.5), (label, 0.5), (label, 0.5)], 0.5);
                let crowd = vec![0.2, 0.2, 0.6];
                (e.base, e.population, e.community) = (vec![1.0 / 3.0; 3], crowd.clone(), crowd);
                (UserId::new(["anna", "ben"][turn % 2]), decided(&e, &w))
            })
            .collect()
    };
    let all_global = of_session(&ask([0, 1], 4.0), 0.0);
    assert_eq!(all_global, [Signature::TooGlobal { contested: 8, collective: 8, people: 2 }]);
    assert_eq!(of_session(&ask([0, 1], 0.5), 0.0), [], "each gets their own");
    assert_eq!(of_session(&ask([0, 0], 4.0), 0.0), [], "people alike may be answered alike");
    assert_eq!(of_session(&ask([0, 1], 4.0)[..4], 0.0), [], "four questions show nothing");
}

/// Anna asks again and again, while the balance sways around the point where the sides are equal.
fn swaying(crowds: &[f64]) -> Vec<(UserId, Resolution)> {
    let turn = |crowd: &f64| (UserId::new("anna"), decided(&evidence(&[(0, 0.5), (0, 0.5)], *crowd), &weights()));
    crowds.iter().map(turn).collect()
}

#[test]
fn oscillating_is_changing_sides_while_nothing_moves() {
    let course = swaying(&[0.80, 0.86, 0.80, 0.86, 0.80]);
    let sides: Vec<usize> = course.iter().map(|(_, resolution)| resolution.decision).collect();
    assert_eq!(sides, [0, 1, 0, 1, 0]);
    let signs = of_session(&course, 0.0);
    let [Signature::Oscillating { changes: 4, calming: Some(h) }] = signs[..] else { panic!("{signs:?}") };
    assert_eq!(of_session(&course, h), [], "what is suggested calms it");
    assert!(!of_session(&course, h - 0.01).is_empty(), "and a hundredth less does not");
    assert_eq!(of_session_under(&course, |turn| if turn == 0 { 0.0 } else { h }), [], "each turn has its own");
    assert_eq!(of_session_under(&course, |turn| if turn == 0 { h } else { 0.0 }), signs);

    assert_eq!(of_session(&swaying(&[0.80, 0.86, 0.86, 0.86]), 0.0), [], "once there is no back and forth");
    assert_eq!(of_session(&swaying(&[0.60, 0.95, 0.60, 0.95, 0.60]), 0.0), [], "the evidence moved");
    let mut others = swaying(&[0.80, 0.86, 0.80, 0.86, 0.80]);
    for (turn, (user, _)) in others.iter_mut().enumerate() {
        *user = UserId::new(format!("user {turn}"));
    }
    assert_eq!(of_session(&others, 0.0), [], "nobody's side changes");
}

proptest! {
    #[test]
    fn a_calming_hysteresis_calms(crowds in proptest::collection::vec(0.7..0.92f64, 2..30)) {
        let course = swaying(&crowds);
        let Some(h) = calming(&course) else { return Ok(()) };
        let mut before = Course::default();
        let mut last: Option<(usize, Resolution)> = None;
        for (user, alone) in &course {
            let settled = before.settle(user, alone.clone(), h);
            if let Some((decision, earlier)) = &last {
                let moved = |a: &[f64], b: &[f64]| logoscope::mediator::distribution::jensen_shannon(a, b) >= 0.02;
                let calm = !moved(&earlier.local, &settled.local) && !moved(&earlier.global, &settled.global);
                prop_assert!(settled.decision == *decision || !calm, "h {}", h);
            }
            before = Course::after(user, &settled);
            last = Some((settled.decision, settled));
        }
    }
}

/// A side is held below h alone, so a margin of whole hundredths needs one more, however binary writes it.
#[test]
fn a_margin_of_whole_hundredths_is_calmed_by_one_more() {
    for hundredths in 0..=99 {
        let mut course = swaying(&[0.80, 0.86, 0.80, 0.86, 0.80]);
        course.iter_mut().for_each(|(_, resolution)| resolution.margin = f64::from(hundredths) / 100.0);
        assert_eq!(calming(&course), Some(f64::from(hundredths + 1) / 100.0), "{hundredths}");
    }
}

/// What docs/mediator.md says an instructor may turn to see the first two signs on the sample.
#[test]
fn the_sample_shows_its_signs_when_weights_are_turned() {
    let dataset = logoscope::data::sample::dataset().unwrap();
    let memory = logoscope::memory::Memory::build(&dataset);
    let manifest = &dataset.manifest;
    let weights = Weights::defaults(Policy::Product, manifest);
    // The last judged questions, one after another, as the workbench asks them.
    let asked = |weights: Weights| -> Vec<(UserId, Resolution)> {
        let last = dataset.queries.iter().rev().take(40);
        last.map(|query| {
            let read = memory.read(&query.user, &query.query, query.at).unwrap();
            let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
            (query.user.clone(), mediate(&evidence, &weights, Policy::Product))
        })
        .collect()
    };
    let too_global = |signs: Vec<Signature>| signs.iter().any(|sign| matches!(sign, Signature::TooGlobal { .. }));
    assert!(!too_global(of_session(&asked(weights), 0.0)));
    assert!(too_global(of_session(&asked(weights.with(Weight::LocalTrust, 0.0)), 0.0)));

    let sharp = weights.with(Weight::SimilaritySharpness, 20.0).with(Weight::PriorStrength, 0.01);
    let [usual, brittle] = [weights, sharp].map(|weights| {
        let hangs = |query: &&logoscope::data::interaction::JudgedQuery| {
            let read = memory.read(&query.user, &query.query, query.at).unwrap();
            let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
            let left = counterfactuals(&evidence, &weights, Policy::Product, &[]);
            too_local(&mediate(&evidence, &weights, Policy::Product), &left).is_some()
        };
        dataset.queries.iter().step_by(4).filter(hangs).count()
    });
    assert!(brittle >= 2 * usual.max(1), "{usual} usually, {brittle} with a sharp kernel");
}
