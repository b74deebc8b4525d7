//! Predictions against quadrature, enumeration and sampling.

use std::iter;

use super::super::COMMUNITY_LEANING;
use super::learned::Guessing;
use super::*;

const LONG: Effort = Effort { runs: 8, guesses: 500, further: 0, settling: 6 };
const STEADY: Kinds = Kinds { steady: 1.0, biased: 0.0, drifting: 0.0 };
const BIASED: Kinds = Kinds { steady: 0.0, biased: 1.0, drifting: 0.0 };
const ANY: Kinds = Kinds { steady: 0.4, biased: 0.25, drifting: 0.35 };

impl World {
    /// From a person's memories, all habits being told.
    fn predict_both(&self, asked: &Asked, history: History, draw: &mut Draw) -> Prediction {
        self.predict(asked, history, Crowd::Known, self.effort, draw)
    }

    fn predict_membership(&self, asked: &Asked, history: History, membership: &[f64], draw: &mut Draw) -> Prediction {
        self.predict_member(asked, history, membership, self.effort, draw)
    }
}

/// One theme, two tags, communities that like the first one with probability `p`.
fn tiny(p: &[f64], effort: Effort) -> World {
    let shape = Shape::new(2, vec![vec![0, 1]]);
    let habits: Vec<Vec<Vec<f64>>> = p.iter().map(|p| vec![vec![*p, 1.0 - p]]).collect();
    World::new(shape, &habits, &vec![vec![1.0]; p.len()], effort)
}

fn asked(kinds: Kinds, judged: bool) -> Asked {
    Asked { theme: 0, judged, at: 0.9, kinds }
}

/// So many of each tag, at one moment.
fn seen(first: usize, second: usize) -> Vec<Seen> {
    let tags = iter::repeat_n(0, first).chain(iter::repeat_n(1, second));
    tags.map(|tag| Seen { theme: 0, tag, at: 0.3 }).collect()
}

/// Before, during and after the time of moves, in no order.
fn mixed() -> Vec<Seen> {
    let said = [(0.8, 1), (0.3, 0), (0.4, 0), (0.2, 0), (0.65, 1), (0.5, 0), (0.6, 1), (0.85, 1), (0.71, 1)];
    said.map(|(at, tag)| Seen { theme: 0, tag, at }).to_vec()
}

/// How often each tag was answered before a moment, and how often from then on.
fn split(seen: &[Seen], at: f64) -> [(i32, i32); 2] {
    let count = |late: bool, tag: usize| seen.iter().filter(|s| (s.at >= at) == late && s.tag == tag).count() as i32;
    [false, true].map(|late| (count(late, 0), count(late, 1)))
}

/// ∫ f(x) N(x; 0, deviation²) dx by the midpoint rule.
fn gauss(deviation: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (steps, reach) = (600, 7.0);
    let width = 2.0 * reach / steps as f64;
    let at = |i: usize| -reach + (i as f64 + 0.5) * width;
    (0..steps).map(|i| f(at(i) * deviation) * (-at(i) * at(i) / 2.0).exp() * width).sum::<f64>()
        / std::f64::consts::TAU.sqrt()
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The probability of what was answered, and of that together with the first tag at the question.
type Joint = (f64, f64);

fn sum(of: impl IntoIterator<Item = (f64, Joint)>) -> Joint {
    of.into_iter().fold((0.0, 0.0), |sum, (w, joint)| (sum.0 + w * joint.0, sum.1 + w * joint.1))
}

/// An own habit integrated out, in a community that likes the first tag with probability `p`.
fn over_own(p: f64, (a, b): (i32, i32)) -> Joint {
    let leaning = TAKEN_OVER.0 * (p.max(TAKEN_OVER.1) / (1.0 - p).max(TAKEN_OVER.1)).ln();
    let deviation = 2f64.sqrt() * OWN_LEANING.0.hypot(OWN_LEANING.1);
    let first = |x: f64| 0.52 * logistic(leaning + x) + 0.40 * p + 0.04;
    let told = |x: f64| first(x).powi(a) * (1.0 - first(x)).powi(b);
    (gauss(deviation, told), gauss(deviation, |x| told(x) * first(x)))
}

/// A fixation summed over; with one theme that both tags fit, nine tenths of interactions are fixed.
fn over_fixation(p: f64, (a, b): (i32, i32)) -> Joint {
    let fixed = |own: f64| {
        let usual = 0.52 * own + 0.40 * p + 0.04;
        let told = 0.9 * (0.97 * own + 0.03 * p) + 0.1 * usual;
        let evidence = told.powi(a) * (1.0 - told).powi(b);
        (0.5, (evidence, evidence * usual))
    };
    sum([fixed(1.0), fixed(0.0)])
}

/// A community's habit integrated out as well.
fn over_community(joint: impl Fn(f64) -> Joint) -> Joint {
    let deviation = 2f64.sqrt() * COMMUNITY_LEANING.0.hypot(COMMUNITY_LEANING.1);
    (gauss(deviation, |x| joint(logistic(x)).0), gauss(deviation, |x| joint(logistic(x)).1))
}

/// The generator's moves, as [`mixed`] can be split by them: their probability and a moment.
const MOMENTS: [(f64, f64); 3] = [(1.0 / 3.0, 0.56), (1.0 / 3.0, 0.64), (1.0 / 3.0, 0.68)];

fn check(found: &Prediction, [steady, biased, drifting]: [Joint; 3]) {
    let of = [ANY.steady, ANY.biased, ANY.drifting];
    let all = sum(of.into_iter().zip([steady, biased, drifting]));
    let exact = all.1 / all.0;
    assert!((found.p[0] - exact).abs() < 0.012, "{} for {exact}", found.p[0]);
    assert!(found.error < 0.012, "{}", found.error);
    let kinds = [found.kinds.steady, found.kinds.biased, found.kinds.drifting];
    for (kind, (prior, joint)) in kinds.into_iter().zip(of.into_iter().zip([steady, biased, drifting])) {
        assert!((kind - prior * joint.0 / all.0).abs() < 0.015, "{kinds:?}: {kind} for {}", prior * joint.0 / all.0);
    }
    // Far from what a steady person would answer, else nothing is tested.
    assert!((steady.1 / steady.0 - exact).abs() > 0.03);
}

#[test]
fn an_unknown_community_agrees_with_quadrature() {
    let world = tiny(&[0.5], LONG);
    for (a, b) in [(0, 0), (1, 0), (3, 1), (2, 6)] {
        let (evidence, first) = over_community(|p| over_own(p, (a, b)));
        let exact = first / evidence;
        let seen = seen(a as usize, b as usize);
        let found = world.from_own(&asked(STEADY, true), History { seen: &seen, whole: true }, &mut Draw::seeded(7));
        assert!((found.p[0] - exact).abs() < 0.012, "{a} of one, {b} of the other: {} for {exact}", found.p[0]);
        assert!(found.error < 0.01 && (found.p[0] + found.p[1] - 1.0).abs() < 1e-12);
    }
}

/// What a habit is taken to be after some people's responses, some of them fixed on a tag, and what a newcomer answers.
#[test]
fn a_learned_habit_agrees_with_quadrature() {
    let world = tiny(&[0.5, 0.5], LONG);
    let counts = [(4, 1), (0, 3), (2, 0), (1, 1), (5, 0)];
    let stretch = |community, fixation, seen| Stretch { community, fixation, seen };
    let mut people: Vec<Stretch> =
        counts.map(|(a, b)| stretch(0, None, seen(a as usize, b as usize))).into_iter().collect();
    people.push(stretch(0, Some(1), seen(1, 3)));
    // Of the other community, and too late: neither tells anything.
    people.push(stretch(1, None, seen(0, 9)));
    people.push(stretch(0, None, (0..9).map(|_| Seen { theme: 0, tag: 1, at: 0.5 }).collect()));
    let fixed = |p: f64| {
        let second = 0.9 * (0.97 + 0.03 * (1.0 - p)) + 0.1 * (0.52 + 0.40 * (1.0 - p) + 0.04);
        (1.0 - second) * second.powi(3)
    };
    let told = |p: f64| counts.iter().map(|said| over_own(p, *said).0).product::<f64>() * fixed(p);
    let (evidence, first) = over_community(|p| (told(p), told(p) * over_own(p, (0, 0)).1));
    let (_, habit) = over_community(|p| (told(p), told(p) * p));
    let guessing = Guessing { guesses: 120, moves: (60, 0), averaged: 200 };
    let learned = Learned::with(&world, &people, &[0.4], guessing, &mut Draw::seeded(3));
    let habits: Vec<f64> = learned.as_of(0.4).iter().map(|world| world.customs[0][0].habit[0]).collect();
    let mean = habits.iter().sum::<f64>() / 120.0;
    assert!((mean - habit / evidence).abs() < 0.06, "{mean} for {}", habit / evidence);
    let found = learned.from_crowd(&asked(STEADY, true), &[1.0, 0.0]);
    assert!((found.p[0] - first / evidence).abs() < 0.05, "{} for {}", found.p[0], first / evidence);
    assert!(found.error > 0.0 && found.error < 0.04, "{}", found.error);
    // Far from knowing nothing, and from being told of one person alone.
    assert!(found.p[0] > 0.6, "{}", found.p[0]);
}

/// Somebody's own responses are among what was learned, and count once.
#[test]
fn a_learned_crowd_and_the_own_responses_agree_with_quadrature() {
    let world = tiny(&[0.5], LONG);
    let others = [(4, 1), (3, 0), (0, 2)];
    let own = (0, 4);
    let stretch = |(a, b): (i32, i32)| Stretch { community: 0, fixation: None, seen: seen(a as usize, b as usize) };
    let people: Vec<Stretch> = others.into_iter().chain([own]).map(stretch).collect();
    let told = |p: f64| others.iter().map(|said| over_own(p, *said).0).product::<f64>();
    let (evidence, first) = over_community(|p| {
        let (said, also) = over_own(p, own);
        (told(p) * said, told(p) * also)
    });
    let guessing = Guessing { guesses: 120, moves: (60, 0), averaged: 200 };
    let learned = Learned::with(&world, &people, &[0.4], guessing, &mut Draw::seeded(5));
    let history = seen(0, 4);
    let history = History { seen: &history, whole: true };
    let found = learned.from_both(&asked(STEADY, true), history, &mut Draw::seeded(5));
    assert!((found.p[0] - first / evidence).abs() < 0.04, "{} for {}", found.p[0], first / evidence);
    let member = learned.from_member(&asked(STEADY, true), history, &[1.0], &mut Draw::seeded(6));
    assert!((member.p[0] - first / evidence).abs() < 0.04, "{} for {}", member.p[0], first / evidence);
}

#[test]
fn membership_agrees_with_quadrature() {
    let p = [0.9, 0.2, 0.02];
    let world = tiny(&p, LONG);
    for (a, b) in [(1, 0), (1, 4), (12, 1)] {
        let each = p.map(|p| over_own(p, (a, b)));
        let evidence: f64 = each.iter().map(|each| each.0).sum();
        let exact = each.iter().map(|each| each.1).sum::<f64>() / evidence;
        let seen = seen(a as usize, b as usize);
        let history = History { seen: &seen, whole: true };
        let found = world.predict_both(&asked(STEADY, true), history, &mut Draw::seeded(8));
        assert!((found.p[0] - exact).abs() < 0.012, "{a}, {b}: {} for {exact}", found.p[0]);
        for (share, each) in found.membership.iter().zip(each) {
            assert!((share - each.0 / evidence).abs() < 0.015, "{a}, {b}: {share} for {}", each.0 / evidence);
        }
    }
}

#[test]
fn a_settled_membership_learns_nothing_from_memories_but_the_own_habit() {
    let world = tiny(&[0.9, 0.2], LONG);
    let each = [0.9, 0.2].map(|p| over_own(p, (0, 3)));
    let exact: f64 = each.iter().zip([0.3, 0.7]).map(|(joint, w)| w * joint.1 / joint.0).sum();
    let history = History { seen: &seen(0, 3), whole: false };
    let found = world.predict_membership(&asked(STEADY, true), history, &[0.3, 0.7], &mut Draw::seeded(9));
    assert!((found.p[0] - exact).abs() < 0.01, "{} for {exact}", found.p[0]);
}

#[test]
fn a_fixation_agrees_with_enumeration() {
    let world = tiny(&[0.7], LONG);
    let (a, b) = (3, 1);
    let told = |own: f64| 0.9 * (0.97 * own + 0.03 * 0.7) + 0.1 * (0.52 * own + 0.40 * 0.7 + 0.04);
    let weight = |own: f64| told(own).powi(a) * (1.0 - told(own)).powi(b);
    let on_first = weight(1.0) / (weight(1.0) + weight(0.0));
    let judged = 0.52 * on_first + 0.40 * 0.7 + 0.04;
    let again = on_first * told(1.0) + (1.0 - on_first) * told(0.0);
    for (is_judged, exact) in [(true, judged), (false, again)] {
        let history = History { seen: &seen(a as usize, b as usize), whole: true };
        let found = world.predict_both(&asked(BIASED, is_judged), history, &mut Draw::seeded(10));
        assert!((found.p[0] - exact).abs() < 0.01, "{} for {exact}", found.p[0]);
    }
}

#[test]
fn an_unknown_kind_agrees_with_quadrature_where_nobody_else_is_known() {
    let world = tiny(&[0.5], LONG);
    let seen = mixed();
    let [all, _] = split(&seen, 1.0);
    let moved = |at: f64| {
        let [before, after] = split(&seen, at);
        let (one, two) = (over_community(|p| over_own(p, before)), over_community(|p| over_own(p, after)));
        (one.0 * two.0, one.0 * two.1)
    };
    let drifting = sum(MOMENTS.map(|(share, at)| (share, moved(at))));
    let steady = over_community(|p| over_own(p, all));
    let biased = over_community(|p| over_fixation(p, all));
    let found = world.from_own(&asked(ANY, true), History { seen: &seen, whole: true }, &mut Draw::seeded(21));
    check(&found, [steady, biased, drifting]);
}

#[test]
fn an_unknown_kind_agrees_with_quadrature_where_communities_are_known() {
    let p = [0.9, 0.3, 0.1];
    let world = tiny(&p, LONG);
    let seen = mixed();
    let [all, _] = split(&seen, 1.0);
    // Of each community that a drifting person is in at last.
    let into = |to: usize| {
        let from = |at: f64| {
            let [before, after] = split(&seen, at);
            let others = (0..p.len()).filter(|from| *from != to).map(|from| over_own(p[from], before).0).sum::<f64>();
            let now = over_own(p[to], after);
            (others / 6.0 * now.0, others / 6.0 * now.1)
        };
        sum(MOMENTS.map(|(share, at)| (share, from(at))))
    };
    let each = [0, 1, 2].map(|community| {
        let third = |joint: Joint| (joint.0 / 3.0, joint.1 / 3.0);
        [third(over_own(p[community], all)), third(over_fixation(p[community], all)), into(community)]
    });
    let kinds = [0, 1, 2].map(|kind| sum(each.map(|each| (1.0, each[kind]))));
    let found = world.predict_both(&asked(ANY, true), History { seen: &seen, whole: true }, &mut Draw::seeded(22));
    check(&found, kinds);
    let of = |[steady, biased, drifting]: [Joint; 3]| {
        ANY.steady * steady.0 + ANY.biased * biased.0 + ANY.drifting * drifting.0
    };
    let total: f64 = each.iter().map(|each| of(*each)).sum();
    for (share, each) in found.membership.iter().zip(each) {
        assert!((share - of(each) / total).abs() < 0.015, "{share} for {}", of(each) / total);
    }
    // The same with the last community settled, for one of them.
    let settled = world.predict_membership(
        &asked(ANY, true),
        History { seen: &seen, whole: false },
        &world.certain(2),
        &mut Draw::seeded(23),
    );
    check(&settled, each[2]);
}

#[test]
fn a_move_lies_between_responses_as_time_does() {
    let at = |at: &[f64]| at.iter().map(|at| Seen { theme: 0, tag: 0, at: *at }).collect::<Vec<Seen>>();
    assert_eq!(moves(&[], 0.9), [(0, 1.0)]);
    let found = moves(&at(&[0.1, 0.54, 0.58, 0.58, 0.6, 0.8]), 0.9);
    let exact = [(2, 0.2), (4, 2.0 / 15.0), (5, 2.0 / 3.0)];
    assert!(found.iter().zip(exact).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-9), "{found:?}");
    assert_eq!(found.len(), 3);
    let cut = moves(&at(&[0.58]), 0.6);
    assert!(cut.len() == 2 && (cut[0].1 - 0.6).abs() < 1e-9 && (cut[1].1 - 0.4).abs() < 1e-9, "{cut:?}");
}

#[test]
fn the_crowd_alone_is_the_prior_of_its_people() {
    let world = tiny(&[0.9, 0.2], LONG);
    for (kinds, steady) in [(STEADY, 1.0), (ANY, ANY.steady + ANY.drifting)] {
        let one = |p: f64| steady * over_own(p, (0, 0)).1 + (1.0 - steady) * over_fixation(p, (0, 0)).1;
        let exact = 0.25 * one(0.9) + 0.75 * one(0.2);
        let found = world.predict_crowd(&asked(kinds, true), &[0.25, 0.75]);
        assert!((found.p[0] - exact).abs() < 0.005, "{} for {exact}", found.p[0]);
    }
}

#[test]
fn what_is_watched_is_as_likely_as_sampling_says() {
    let diets = [[4.0, 1.0, 0.5], [0.3, 1.0, 2.0], [1.0, 1.0, 1.0]];
    let mut draw = Draw::seeded(11);
    for (watched, deviation) in [([0.0, 1.0, 0.0], 0.8), ([2.0, 3.0, 1.0], 0.8), ([6.0, 0.0, 1.0], 1.44)] {
        for diet in &diets {
            let one = |_| {
                let weights: Vec<f64> = diet.iter().map(|w| w * (deviation * draw.normal()).exp()).collect();
                let sum: f64 = weights.iter().sum();
                weights.iter().zip(watched).map(|(w, n)| (w / sum).powf(n)).product::<f64>()
            };
            let exact = ((0..100_000).map(one).sum::<f64>() / 1e5).ln();
            let found = log_diet_evidence(&diet.map(f64::ln), deviation, &watched);
            assert!((found - exact).abs() < 0.12, "{diet:?}, {watched:?}: {found} for {exact}");
        }
    }
}

/// The real themes with two made-up communities.
fn films(effort: Effort) -> World {
    let parameters = Parameters { users: 1, communities: 2, ..Default::default() };
    let (_, truth) = super::super::population(&parameters);
    World { effort, ..World::of(&truth) }
}

#[test]
fn nothing_known_is_uniform_over_fitting_tags() {
    let world = films(LONG);
    let asked = Asked { theme: 4, ..asked(STEADY, true) };
    let by_definition = world.from_nothing(&asked);
    let nothing = History { seen: &[], whole: true };
    let by_sampling = world.predict(&asked, nothing, Crowd::Unknown, LONG, &mut Draw::seeded(12));
    for (tag, (p, q)) in by_definition.p.iter().zip(&by_sampling.p).enumerate() {
        assert!((p - q).abs() < 0.02, "tag {tag}: {p} and {q}");
        assert_eq!(*p > 0.0, THEMES[4].tags.contains(&tag));
    }
}

#[test]
fn more_of_a_tag_means_more_of_it_whatever_the_tag() {
    let world = films(LONG);
    // Theme 0 and a theme that shares a tag with it: a likeness of habits across themes.
    let asked = asked(STEADY, true);
    let likely = |tag: usize, count: usize, theme: usize| {
        let seen = vec![Seen { theme, tag, at: 0.3 }; count];
        world.from_own(&asked, History { seen: &seen, whole: true }, &mut Draw::seeded(13)).p[tag]
    };
    let other = (1..THEMES.len()).find(|theme| THEMES[*theme].tags.contains(&THEMES[0].tags[0])).unwrap_or(0);
    assert!(likely(THEMES[0].tags[0], 3, other) > likely(THEMES[0].tags[0], 0, other) + 0.03);
    let counts: Vec<f64> = [0, 1, 3, 8].iter().map(|count| likely(THEMES[0].tags[0], *count, 0)).collect();
    assert!(counts.is_sorted_by(|a, b| a + 0.03 < *b), "{counts:?}");
    // Tags are only names.
    let same: Vec<f64> = THEMES[0].tags.iter().map(|tag| likely(*tag, 3, 0)).collect();
    assert!(same.iter().all(|p| (p - same[0]).abs() < 0.03), "{same:?}");
}

/// Half a hundred responses over many themes, of somebody who changes.
fn long_history() -> Vec<Seen> {
    let theme = |number: usize| (number * number + 3 * number) % THEMES.len();
    let tag = |number: usize, theme: usize| {
        let tags = THEMES[theme].tags;
        tags[if number < 32 { 0 } else { tags.len() - 1 }]
    };
    let one =
        |number: usize| Seen { theme: theme(number), tag: tag(number, theme(number)), at: 0.1 + 0.015 * number as f64 };
    (0..50).map(one).collect()
}

#[test]
fn a_usual_effort_comes_to_what_a_long_one_does() {
    let (usual, long) = (films(Effort::USUAL), films(LONG));
    let seen = long_history();
    let history = History { seen: &seen, whole: true };
    let asked = Asked { theme: 2, ..asked(ANY, true) };
    let pairs = [
        (usual.from_own(&asked, history, &mut Draw::seeded(14)), long.from_own(&asked, history, &mut Draw::seeded(15))),
        (
            usual.predict_both(&asked, history, &mut Draw::seeded(14)),
            long.predict_both(&asked, history, &mut Draw::seeded(15)),
        ),
    ];
    for (short, long) in pairs {
        assert!(long.kinds.drifting > 0.8, "{:?}", long.kinds);
        assert!((short.kinds.drifting - long.kinds.drifting).abs() < 0.1, "{:?}, {:?}", short.kinds, long.kinds);
        for (p, q) in short.p.iter().zip(&long.p) {
            // Four runs tell their own error roughly.
            let bound = 4.0 * short.error.hypot(long.error);
            assert!((p - q).abs() < bound, "{p} and {q}, error {} and {}", short.error, long.error);
        }
    }
}

#[test]
fn a_prediction_is_a_function_of_its_draws() {
    let world = films(Effort::USUAL);
    let history = History { seen: &[Seen { theme: 3, tag: THEMES[3].tags[1], at: 0.6 }], whole: true };
    let asked = Asked { theme: 3, ..asked(ANY, false) };
    let predict = |seed| world.predict_both(&asked, history, &mut Draw::seeded(seed));
    assert_eq!(predict(1), predict(1));
    assert_ne!(predict(1), predict(2));
}

#[test]
fn a_custom_is_the_same_from_habits_and_from_tastes() {
    for tastes in [[0.3, -1.0, 2.0, 0.0], [9.0, -4.0, 0.5, 0.0]] {
        let (one, two) = (Custom::new(softmax(&tastes, 3), 3), Custom::leaning_to(&tastes, 3));
        assert_eq!(one.habit, two.habit);
        assert!(one.leaning.iter().zip(two.leaning).all(|(a, b)| (a - b).abs() < 1e-9), "{one:?}, {two:?}");
    }
}
