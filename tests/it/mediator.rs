//! Laws of the mediator: limits, monotonicity, sums, and flips that flip exactly where they are shown.

use logoscope::mediator::conflict::clash;
use logoscope::mediator::distribution::decision;
use logoscope::mediator::evidence::{Evidence, Vote};
use logoscope::mediator::flip::{bands, flip, flips};
use logoscope::mediator::policy::damped_trust;
use logoscope::mediator::weights::{STOPS, Scope};
use logoscope::mediator::{Facet, Policy, Weight, Weights, mediate};
use proptest::prelude::*;

fn distributions(labels: usize) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(0.02..1.0f64, labels).prop_map(|raw| {
        let sum: f64 = raw.iter().sum();
        raw.iter().map(|p| p / sum).collect()
    })
}

pub fn evidence() -> impl Strategy<Value = Evidence> {
    let votes = proptest::collection::vec((0..5usize, 0.0..1.0f64, 0.0..900.0f64), 0..12);
    (distributions(5), distributions(5), distributions(5), votes, 0..40usize, 0.0..1.0f64).prop_map(
        |(base, population, community, votes, support, novelty)| Evidence {
            facet: Facet::Label,
            base,
            population,
            community,
            votes: votes.into_iter().map(|(label, similarity, age)| Vote::plain(label, similarity, age)).collect(),
            support,
            suppressed: 0,
            guard: 5,
            local_calibration: 1.0,
            novelty,
            written: None,
        },
    )
}

pub fn weights() -> impl Strategy<Value = Weights> {
    let damping = prop_oneof![Just(0.0), 0.0..1.0f64];
    (0.0..4.0f64, 0.0..4.0f64, 0.01..100.0f64, 0.0..20.0f64, 1.0..4000.0f64, 0.0..1.0f64, damping).prop_map(
        |(local_trust, global_trust, prior_strength, similarity_sharpness, half_life, community_focus, skew)| Weights {
            local_trust,
            global_trust,
            prior_strength,
            similarity_sharpness,
            half_life,
            community_focus,
            skew_damping: skew,
            conflict_threshold: 0.1,
            hysteresis: 0.0,
            local_room: 1.0,
            global_room: 1.0,
            model_trust: 0.0,
        },
    )
}

pub fn policies() -> impl Strategy<Value = Policy> {
    (0..Policy::ALL.len()).prop_map(|ix| Policy::ALL[ix])
}

/// Policies that hear both sides.
fn pooling() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(Policy::Product), Just(Policy::Shrinkage), Just(Policy::Linear)]
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

proptest! {
    #[test]
    fn distributions_sum_to_one_and_the_decision_is_the_argmax(
        e in evidence(), s in scores(), w in weights(), policy in policies(),
    ) {
        for e in [&e, &s] {
            let r = mediate(e, &w, policy);
            for p in [&r.base, &r.local, &r.global, &r.distribution] {
                prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
            }
            prop_assert!((r.counts.iter().sum::<f64>() - r.mass).abs() < 1e-9, "every vote is counted once");
            prop_assert_eq!(r.decision, e.facet.decide(&r.distribution, &e.base));
            prop_assert!(r.margin >= 0.0);
        }
        let r = mediate(&e, &w, policy);
        prop_assert_eq!(r.decision, decision(&r.distribution, &e.base));
    }

    #[test]
    fn a_silenced_person_leaves_a_power_of_the_collective(e in evidence(), w in weights(), crowd in 0.1..4.0f64) {
        // (ℓ, g) = (0, g): p ∝ b^(1 − g) p_G^g, which is p_G at g = 1 alone.
        let w = w.with(Weight::LocalTrust, 0.0).with(Weight::GlobalTrust, crowd);
        let r = mediate(&e, &w, Policy::Product);
        let raw: Vec<f64> = e.base.iter().zip(&r.global).map(|(b, p)| b.powf(1.0 - crowd) * p.powf(crowd)).collect();
        let sum: f64 = raw.iter().sum();
        prop_assert!(close(&r.distribution, &raw.iter().map(|p| p / sum).collect::<Vec<_>>(), 1e-9));
        let moved = r.distribution.iter().zip(&r.global).any(|(a, b)| (a - b).abs() > 1e-6);
        prop_assert!(moved || (crowd - 1.0).abs() < 1e-3 || close(&r.global, &e.base, 1e-3));
    }

    #[test]
    fn without_a_prior_product_leaves_out_what_was_never_answered(mut e in evidence(), w in weights()) {
        e.votes.retain(|vote| vote.label < 3);
        e.votes.push(Vote::plain(0, 0.5, 1.0));
        let w = w.with(Weight::LocalTrust, 1.0).with(Weight::GlobalTrust, 1.0).with(Weight::SkewDamping, 0.0);
        let r = mediate(&e, &Weights { prior_strength: 1e-12, half_life: f64::INFINITY, ..w }, Policy::Product);
        let never = |y: &usize| e.votes.iter().all(|vote| vote.label != *y);
        prop_assert!((0..5).filter(never).all(|y| r.distribution[y] < 1e-6));
        // What was answered keeps the odds of votes and crowd together: this is not p_L.
        let raw: Vec<f64> = (0..5).map(|y| r.counts[y] / r.mass * r.global[y] / e.base[y]).collect();
        let sum: f64 = raw.iter().sum();
        prop_assert!(close(&r.distribution, &raw.iter().map(|p| p / sum).collect::<Vec<_>>(), 1e-6));
    }

    #[test]
    fn without_history_mediated_is_global(mut e in evidence(), w in weights(), policy in pooling()) {
        e.votes.clear();
        let w = w.with(Weight::LocalTrust, 1.0).with(Weight::GlobalTrust, 1.0);
        let r = mediate(&e, &w, policy);
        prop_assert!(close(&r.distribution, &r.global, 1e-12));
        prop_assert!(close(&r.local, &r.base, 1e-12), "local falls back to the base rate");
    }

    #[test]
    fn with_a_silent_collective_product_is_local(mut e in evidence(), w in weights()) {
        e.population = e.base.clone();
        e.community = e.base.clone();
        let w = w.with(Weight::LocalTrust, 1.0).with(Weight::SkewDamping, 0.0);
        let r = mediate(&e, &w, Policy::Product);
        prop_assert!(close(&r.distribution, &r.local, 1e-12));
    }

    #[test]
    fn corners_of_product(e in evidence(), w in weights()) {
        let w = w.with(Weight::SkewDamping, 0.0);
        let at = |l: f64, g: f64| mediate(&e, &w.with(Weight::LocalTrust, l).with(Weight::GlobalTrust, g), Policy::Product);
        let (both_off, local, global) = (at(0.0, 0.0), at(1.0, 0.0), at(0.0, 1.0));
        prop_assert!(close(&both_off.distribution, &e.base, 1e-12));
        prop_assert!(close(&local.distribution, &local.local, 1e-12));
        prop_assert!(close(&global.distribution, &global.global, 1e-12));
    }

    #[test]
    fn corners_of_linear_and_the_single_sides(mut e in evidence(), w in weights()) {
        e.votes.push(Vote::plain(1, 0.4, 3.0));
        let at = |l: f64, g: f64| mediate(&e, &w.with(Weight::LocalTrust, l).with(Weight::GlobalTrust, g), Policy::Linear);
        let (off, own, all, half) = (at(0.0, 0.0), at(2.0, 0.0), at(0.0, 2.0), at(1.5, 1.5));
        prop_assert!(close(&off.distribution, &e.base, 1e-12));
        prop_assert!(close(&own.distribution, &own.local, 1e-12));
        prop_assert!(close(&all.distribution, &all.global, 1e-12));
        let middle: Vec<f64> = half.local.iter().zip(&half.global).map(|(a, b)| 0.5 * (a + b)).collect();
        prop_assert!(close(&half.distribution, &middle, 1e-12));
        let (local, global) = (mediate(&e, &w, Policy::Local), mediate(&e, &w, Policy::Global));
        prop_assert!(close(&local.distribution, &local.local, 1e-12));
        prop_assert!(close(&global.distribution, &global.global, 1e-12));
    }

    #[test]
    fn an_ignored_weight_changes_nothing(e in evidence(), w in weights(), policy in policies(), stop in 0.0..100.0f64) {
        for weight in Weight::ALL {
            if policy.rule().ignores(weight).is_some() {
                let turned = mediate(&e, &w.with(weight, weight.at(stop)), policy);
                prop_assert_eq!(&turned.distribution, &mediate(&e, &w, policy).distribution, "{}", weight);
            }
        }
    }

    #[test]
    fn a_strong_prior_leaves_the_collective_side(mut e in evidence(), w in weights(), shrinkage in any::<bool>()) {
        let policy = if shrinkage { Policy::Shrinkage } else { Policy::Product };
        // κ on its slider ends at 100; the limit itself is checked with a value far beyond.
        let w = Weights { prior_strength: 1e12, ..w.with(Weight::LocalTrust, 1.0).with(Weight::GlobalTrust, 1.0) };
        let r = mediate(&e, &w, policy);
        prop_assert!(close(&r.distribution, &r.global, 1e-6));
        // κ → 0 under shrinkage: the raw votes.
        if e.votes.is_empty() {
            e.votes.push(Vote::plain(2, 0.5, 1.0));
        }
        let sharp = Weights { prior_strength: 1e-14, half_life: f64::INFINITY, ..w };
        let r = mediate(&e, &sharp, Policy::Shrinkage);
        let mut counts = [0.0; 5];
        let nearest = e.votes.iter().map(|v| v.similarity).fold(0.0, f64::max);
        e.votes.iter().for_each(|v| counts[v.label] += (sharp.similarity_sharpness * (v.similarity - nearest)).exp());
        let mass: f64 = counts.iter().sum();
        prop_assert!(close(&r.distribution, &counts.map(|c| c / mass), 1e-9));
    }

    #[test]
    fn trust_moves_the_odds_one_way(e in evidence(), w in weights(), more in 0.01..2.0f64) {
        let r = mediate(&e, &w, Policy::Product);
        let worth = |p: &[f64]| {
            let e: Vec<f64> = p.iter().zip(&e.base).map(|(p, b)| (p / b).ln()).collect();
            (0..5).max_by(|a, b| e[*a].total_cmp(&e[*b])).unwrap_or_default()
        };
        let (own, crowd) = (worth(&r.local), worth(&r.global));
        let odds = |w: &Weights| {
            let p = mediate(&e, w, Policy::Product).distribution;
            p[own].ln() - p[crowd].ln()
        };
        prop_assert!(odds(&w.with(Weight::LocalTrust, w.local_trust + more)) >= odds(&w) - 1e-9);
        prop_assert!(odds(&w.with(Weight::GlobalTrust, w.global_trust + more)) <= odds(&w) + 1e-9);
    }

    #[test]
    fn damping_takes_trust_from_a_one_sided_history_and_from_nothing_else(
        mut e in evidence(), w in weights(), beta in 0.0..1.0f64, more in 0.0..1.0f64, label in 0..5usize,
    ) {
        let trusted = |e: &Evidence, beta: f64| damped_trust(e, &w.with(Weight::SkewDamping, beta));
        prop_assert!((0.0..=w.local_trust).contains(&trusted(&e, beta)));
        prop_assert!(trusted(&e, (beta + more).min(1.0)) <= trusted(&e, beta));
        // A mediation with damping is the one with that much less trust.
        let less = w.with(Weight::LocalTrust, trusted(&e, beta)).with(Weight::SkewDamping, 0.0);
        let damped = mediate(&e, &w.with(Weight::SkewDamping, beta), Policy::Product);
        prop_assert_eq!(&damped.distribution, &mediate(&e, &less, Policy::Product).distribution);
        // What is not unlike the history is trusted in full; a thousand answers alike are one-sided.
        prop_assert_eq!(trusted(&Evidence { novelty: 0.0, ..e.clone() }, beta), w.local_trust);
        e.votes = vec![Vote::plain(label, 0.5, 1.0); 1000];
        prop_assert!(e.one_sidedness() > 0.99);
        e.votes = (0..1000).map(|ix| Vote::plain(ix % 5, 0.5, 1.0)).collect();
        prop_assert!(e.one_sidedness() < 0.01);
    }

    #[test]
    fn the_order_of_hits_does_not_matter(
        e in evidence(), s in scores(), w in weights(), policy in policies(), at in 0..12usize,
    ) {
        for e in [e, s] {
            let mut turned = e.clone();
            let turn = at.min(turned.votes.len());
            turned.votes.rotate_left(turn);
            turned.votes.reverse();
            let (a, b) = (mediate(&e, &w, policy), mediate(&turned, &w, policy));
            prop_assert!(close(&a.distribution, &b.distribution, 1e-9) && close(&a.local, &b.local, 1e-9));
            prop_assert!((a.kish - b.kish).abs() < 1e-6 * a.kish.max(1.0));
            // Which of two equals wins may hang on the last bit.
            prop_assert!(a.decision == b.decision || a.margin < 1e-9);
        }
    }

    #[test]
    fn shown_flips_flip_and_nothing_before_them_does(e in evidence(), w in weights(), policy in policies()) {
        let here = mediate(&e, &w, policy).decision;
        for shown in flips(&e, &w, policy) {
            let at = |value: f64| mediate(&e, &Weights::with(w, shown.weight, value), policy).decision;
            prop_assert_ne!(shown.becomes, here);
            prop_assert_eq!(at(shown.at), shown.becomes, "{:?}", shown);
            // Shown values have four digits: nearer than that, and no nearer, the old decision stands.
            let (from, to) = (shown.weight.position(shown.now), shown.weight.position(shown.at));
            for step in 0..40 {
                let value = shown.weight.at(from + (to - from) * f64::from(step) / 40.0);
                if (value - shown.at).abs() > 1e-3 * shown.at.abs() {
                    prop_assert_eq!(at(value), here, "{:?} flips earlier, at {}", shown, value);
                }
            }
        }
    }

    #[test]
    fn no_flip_on_the_slider_goes_unseen(e in evidence(), w in weights(), policy in policies()) {
        let here = mediate(&e, &w, policy).decision;
        for weight in Weight::ALL {
            if policy.rule().ignores(weight).is_some() || flip(&e, &w, policy, weight).is_some() {
                continue;
            }
            for stop in 0..=STOPS as usize {
                let value = weight.at(stop as f64);
                prop_assert_eq!(mediate(&e, &w.with(weight, value), policy).decision, here, "{} at {}", weight, value);
            }
        }
    }

    #[test]
    fn bands_cover_the_slider_and_neighbours_differ(e in evidence(), w in weights(), policy in policies()) {
        for weight in Weight::ALL {
            let bands = bands(&e, &w, policy, weight);
            prop_assert_eq!(bands.first().map(|b| b.from), Some(0));
            prop_assert_eq!(bands.last().map(|b| b.to), Some(STOPS as usize));
            prop_assert!(bands.windows(2).all(|pair| pair[0].to + 1 == pair[1].from && pair[0].label != pair[1].label));
            if weight.scope() != Scope::Mediate {
                continue;
            }
            // Whoever wins on a stretch of a grid ten times as fine that is as wide as a stop has a band there.
            let winner = |tenth: usize| {
                mediate(&e, &w.with(weight, weight.at(tenth as f64 / 10.0)), policy).decision
            };
            let fine: Vec<usize> = (0..=10 * STOPS as usize).map(winner).collect();
            for (from, stretch) in fine.windows(11).enumerate() {
                if stretch.iter().all(|label| *label == stretch[0]) {
                    let stop = from.div_ceil(10);
                    let band = bands.iter().find(|band| (band.from..=band.to).contains(&stop)).unwrap();
                    prop_assert_eq!(band.label, stretch[0], "{} at stop {}", weight, stop);
                }
            }
        }
    }
}

/// On the shipped conflicts: the decision changes at the value shown and not one shown digit before it.
#[test]
fn turning_a_weight_on_a_conflicting_query_changes_the_decision_exactly_where_shown() {
    let dataset = logoscope::data::sample::dataset().unwrap();
    let memory = logoscope::memory::Memory::build(&dataset);
    let (mut conflicting, mut checked) = (0, 0);
    for policy in Policy::ALL {
        let weights = Weights::defaults(policy, &dataset.manifest);
        for query in dataset.queries.iter().step_by(3) {
            let read = memory.read(&query.user, &query.query, query.at).unwrap();
            let evidence = Evidence::of(&read, dataset.manifest.retrieval.guard, dataset.manifest.calibration.local);
            let resolution = mediate(&evidence, &weights, policy);
            if clash(&resolution, weights.conflict_threshold).is_none() {
                continue;
            }
            conflicting += 1;
            for shown in flips(&evidence, &weights, policy) {
                let at = |value: f64| mediate(&evidence, &weights.with(shown.weight, value), policy).decision;
                assert_eq!(at(shown.at), shown.becomes, "{shown:?}");
                if shown.at.is_finite() && shown.at != 0.0 {
                    let digit = 10f64.powi(shown.at.abs().log10().floor() as i32 - 3);
                    let before = shown.at + 1.001 * digit * (shown.now - shown.at).signum();
                    if (before - shown.now) * (shown.at - shown.now) > 0.0 {
                        assert_eq!(at(before), resolution.decision, "{shown:?} is not the nearest: {before}");
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(conflicting > 20 && checked > 40, "{conflicting} conflicts, {checked} flips checked");
}

/// The same evidence about five scores, each vote between two of them.
pub fn scores() -> impl Strategy<Value = Evidence> {
    let steps = [1.0, 2.0, 3.0, 4.5, 5.0];
    (evidence(), proptest::collection::vec(0.0..6.0f64, 12)).prop_map(move |(mut evidence, translated)| {
        let votes = evidence.votes.iter().zip(translated);
        evidence.votes = votes.flat_map(|(vote, score)| Vote::translated(*vote, &steps, score, 0.0)).collect();
        evidence.facet = Facet::Score(steps.into());
        evidence
    })
}

proptest! {
    #[test]
    fn each_policy_leans_where_its_weight_points(e in evidence(), w in weights(), more in 0.01..2.0f64) {
        // linear: every probability is between p_G and p_L, nearer to p_L with more local trust.
        let at = |l: f64| mediate(&e, &w.with(Weight::LocalTrust, l), Policy::Linear);
        let (less, further) = (at(w.local_trust), at(w.local_trust + more));
        if !e.votes.is_empty() {
            for y in 0..5 {
                let way = (less.local[y] - less.global[y]).signum();
                prop_assert!((further.distribution[y] - less.distribution[y]) * way >= -1e-9);
            }
        }
        // shrinkage: every pair's odds go from those of the votes toward those of p_G as κ grows, and never beyond.
        let at = |k: f64| mediate(&e, &w.with(Weight::PriorStrength, k), Policy::Shrinkage).distribution;
        let (weak, strong) = (at(w.prior_strength), at((w.prior_strength * (1.0 + more)).min(100.0)));
        for (y, z) in [(0, 1), (1, 2), (3, 4), (4, 0)] {
            let odds = |p: &[f64]| (p[y] / p[z]).ln();
            let goal = odds(&less.global);
            prop_assert!((odds(&strong) - goal).abs() <= (odds(&weak) - goal).abs() + 1e-9);
            prop_assert!((odds(&strong) - goal) * (odds(&weak) - goal) >= -1e-9);
        }
    }

    #[test]
    fn a_grid_ten_times_as_fine_finds_no_nearer_flip(e in evidence(), w in weights(), policy in policies()) {
        let here = mediate(&e, &w, policy).decision;
        for weight in [
            Weight::LocalTrust, Weight::GlobalTrust, Weight::PriorStrength, Weight::CommunityFocus, Weight::SkewDamping
        ] {
            if policy.rule().ignores(weight).is_some() || (policy == Policy::Linear && weight.scope() == Scope::Mediate
                && matches!(weight, Weight::PriorStrength | Weight::CommunityFocus)) {
                continue; // Without a closed form the grid itself is the promise.
            }
            let place = weight.position(w.get(weight));
            let shown = flip(&e, &w, policy, weight).map(|flip| (weight.position(flip.at) - place).abs());
            for stop in 0..=10 * STOPS as usize {
                let position = stop as f64 / 10.0;
                let distance = (position - place).abs();
                if shown.is_none_or(|shown| distance < shown - 0.05) {
                    let there = mediate(&e, &w.with(weight, weight.at(position)), policy).decision;
                    prop_assert_eq!(there, here, "{} at {}", weight, weight.at(position));
                }
            }
        }
    }

    #[test]
    fn a_median_flips_where_its_bands_end(e in scores(), w in weights(), policy in policies()) {
        let decision = mediate(&e, &w, policy).decision;
        for weight in [
            Weight::PriorStrength, Weight::CommunityFocus, Weight::LocalTrust, Weight::GlobalTrust, Weight::HalfLife
        ] {
            let moves = bands(&e, &w, policy, weight).iter().any(|band| band.label != decision);
            match flip(&e, &w, policy, weight) {
                Some(flip) => {
                    let there = mediate(&e, &w.with(weight, flip.at), policy).decision;
                    prop_assert_eq!(there, flip.becomes);
                    prop_assert_ne!(there, decision);
                }
                None => prop_assert!(!moves || policy.rule().ignores(weight).is_some(), "{} under {}", weight, policy),
            }
        }
    }

    #[test]
    fn whole_votes_of_scores_weigh_like_votes_of_labels(e in evidence(), w in weights(), policy in policies()) {
        // What stands in for a policy may be another rule for scores than for labels.
        let policy = policy.ruling(&e.facet);
        let of_scores = Evidence { facet: Facet::Score([1.0, 2.0, 3.0, 4.0, 5.0].into()), ..e.clone() };
        let (a, b) = (mediate(&e, &w, policy), mediate(&of_scores, &w, policy));
        prop_assert_eq!(a.distribution, b.distribution);
        prop_assert_eq!((a.local, a.global, a.kish), (b.local, b.global, b.kish));
        prop_assert!(b.margin >= 0.0);
    }
}
