//! Tables computed by hand, and what holds whatever was answered.

use proptest::prelude::*;

use super::gate::{GUARD, Verdict};
use super::group::{By, Group};
use super::measure::Figure;
use super::overrule::Share;
use super::*;
use crate::data::interaction::{Timestamp, UserId};
use crate::eval::assessment::SplitReport;
use crate::eval::experiment::Heard;
use crate::eval::metrics::LabelMeasures;
use crate::eval::split::{Range, Split};
use crate::eval::stats::Interval;
use crate::mediator::Policy;

const PLAN: Plan = Plan { resamples: 60, permutations: 60, seed: 2 };
/// What others answer.
const OTHERS: [f64; 3] = [0.5, 0.3, 0.2];

fn close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
}

/// Six people, five queries each: the first three prefer 1 and ask in the first group, the others prefer 0.
fn users() -> Vec<UserId> {
    ["u0", "u1", "u2", "u3", "u4", "v's"].map(UserId::new).to_vec()
}

fn question(user: &UserId, gold: usize) -> Question<'_> {
    Question { id: "q", user, at: Timestamp(9), text: "-a film", about: None, gold, answer: "" }
}

/// Of the rows with these right answers, the answer of `none`, `local`, `global`, `mediated`, local being the surer the
/// later the row.
fn answered(row: usize, decisions: [usize; 4]) -> Answered {
    let answer = |ix: usize| {
        let mut p = match ix {
            0 => OTHERS.to_vec(),
            1 => vec![0.25 - 0.01 * row as f64; 3],
            _ => vec![0.1; 3],
        };
        if ix > 0 {
            p[decisions[ix]] = 1.0 - 2.0 * p[decisions[ix]];
        }
        Answer { distribution: Some(p), ..Answer::named(decisions[ix]) }
    };
    let arms = [answer(0), answer(1), answer(2), answer(3)];
    let (spoken, heard) = ([const { None }; 4], Heard::default());
    Answered { visible: 3, mass: 1.0, hangs: false, heard, arms, spoken }
}

fn two_groups(n: usize) -> Grouping {
    let group = |name: &str| Group { name: name.into(), told: String::new(), unfit: None };
    Grouping {
        by: By::Activity,
        groups: vec![group("first"), group("second"), group("nobody")],
        of: (0..n).map(|row| usize::from(row >= n / 2)).collect(),
    }
}

fn provenance() -> Provenance {
    let queries = Range { n: 20, from: Timestamp(9), to: Timestamp(9) };
    Provenance {
        schema: SCHEMA,
        dataset: "t".into(),
        task: crate::data::dataset::TaskKind::Labels,
        dataset_hash: String::new(),
        records_hash: String::new(),
        predictor: "memory",
        model: None,
        split: SplitReport {
            split: Split::Judged,
            history: None,
            queries,
            without_gold: 0,
            sampled: None,
            fitted_on: None,
        },
        policy: Policy::Product,
        weights: None,
        gap_days: 0.0,
        guard: 2,
        settings: None,
        embedder: String::new(),
        plan: PLAN,
    }
}

fn inquiry<'a>(
    questions: &'a [Question],
    answered: &'a [Answered],
    pasts: &'a [Past],
    measures: &'a TaskMeasures,
) -> Inquiry<'a> {
    let asked: Vec<&UserId> = questions.iter().map(|question| question.user).collect();
    Inquiry {
        questions,
        units: Unit::of_askers(&asked).observations(&asked),
        answered,
        pasts,
        measures,
        guard: 2,
        plan: PLAN,
    }
}

fn audited(questions: &[Question], answered: &[Answered], pasts: &[Past], bounds: Bounds) -> Audit {
    let measures = TaskMeasures::Labels(LabelMeasures { labels: 3 });
    let inquiry = inquiry(questions, answered, pasts, &measures);
    let wanted = Wanted {
        provenance: provenance(),
        groupings: &[two_groups(questions.len())],
        bounds,
        cases: 2,
        names: &["a", "b", "c"].map(str::to_owned),
        opening: &["logoscope", "ask", "--data", "my data"].map(str::to_owned),
    };
    audit(&inquiry, GuardReport { guard: 2, entries: 4, least: Some(2), ..GuardReport::default() }, wanted)
}

/// Of half of the people each. First group: right are 0 0 0 1 1 of each, local knows, mediated says 0. Second group: right
/// are 0 0 2 2 2, local says 1, mediated knows.
fn halves(users: &[UserId], bounds: Bounds) -> Audit {
    let (rows, first) = (0..5 * users.len(), 5 * users.len() / 2);
    let gold = |row: usize| match (row < first, row % 5) {
        (true, 0..3) | (false, 0..2) => 0,
        (true, _) => 1,
        _ => 2,
    };
    let questions: Vec<Question> = rows.clone().map(|row| question(&users[row / 5], gold(row))).collect();
    let decisions = |row: usize| if row < first { [0, gold(row), 0, 0] } else { [0, 1, gold(row), gold(row)] };
    let answers: Vec<Answered> = rows.clone().map(|row| answered(row % 20, decisions(row))).collect();
    let past = |row: usize| Past { counts: if row < first { vec![0.0, 3.0, 0.0] } else { vec![3.0, 0.0, 0.0] } };
    let pasts: Vec<Past> = rows.map(past).collect();
    audited(&questions, &answers, &pasts, bounds)
}

fn by_hand(bounds: Bounds) -> Audit {
    halves(&users(), bounds)
}

#[test]
fn figures_of_groups_equal_hand_computed_values() {
    let found = by_hand(Bounds::default());
    let dimension = &found.dimensions[0];
    let told: Vec<_> = dimension.groups.iter().map(|g| (g.name.as_str(), g.n, g.users, g.often)).collect();
    assert_eq!(told, [("first", 15, 3, 3), ("second", 15, 3, 3)], "an empty group is none");
    let entropy = -(0.6f64 * 0.6f64.ln() + 0.4 * 0.4f64.ln()) / 3f64.ln();
    close(dimension.groups[0].gold_entropy, entropy);
    let of = |arm: Arm| &dimension.arms.iter().find(|groups| groups.arm == arm).unwrap().groups;
    let [first, second] = &of(Arm::Mediated)[..] else { panic!("two groups") };
    // Nine of fifteen right, all of label 0 and none of label 1.
    close(first.score.value, 0.6);
    assert_eq!(first.score.ci, None, "three people drawn again are no others");
    close(first.second.value, 0.5);
    assert_eq!(first.entropy, 0.0);
    close(first.variety.value, -entropy);
    // Answers are as popular as 0, right ones .6 of that and .4 of 1.
    close(first.lift.unwrap().value, 0.5 / (0.6 * 0.5 + 0.4 * 0.3) - 1.0);
    // Each person: .6 and .4 against .996 and .004.
    close(first.miscalibration.unwrap().value, 0.6 * (0.6f64 / 0.996).ln() + 0.4 * 100f64.ln());
    let gap = first.gap.as_ref().unwrap();
    assert_eq!(gap.best, "second");
    close(gap.value, 0.4);
    // Around .8 each of the six adds a fifteenth to it: all signs alike in 2 of 64.
    assert_eq!((gap.p, gap.p_holm, gap.detectable), (0.03125, 0.03125, None));
    assert!(second.gap.is_none());
    close(second.score.value, 1.0);
    close(second.variety.value, 0.0);
    close(second.lift.unwrap().value, 0.0);
    close(second.miscalibration.unwrap().value, 0.0);
    // Local is the better one in the first group.
    assert_eq!(of(Arm::Local)[1].gap.as_ref().unwrap().best, "first");
}

#[test]
fn who_is_overruled_equals_hand_counts() {
    let found = by_hand(Bounds::default());
    let of = |ix: usize| {
        let Overruled { whose, n, suppressed, rescued, .. } = &found.overruled[ix];
        (whose.as_str(), *n, (suppressed.n, suppressed.of), (rescued.n, rescued.of))
    };
    assert_eq!(of(0), ("everybody", 30, (6, 15), (15, 15)));
    // The second three people prefer what others prefer, and local is right for none of them.
    assert_eq!(of(1), ("people who differ", 15, (6, 15), (0, 0)));
    assert_eq!(of(2), ("first", 15, (6, 15), (0, 0)));
    assert_eq!(of(3), ("second", 0, (0, 0), (0, 0)));
    // Always rescued: by the rule of three three people show nothing.
    let always = Share { share: 1.0, ci: Interval { low: 0.0, high: 1.0 } };
    assert_eq!(found.overruled[0].rescued.share, Some(always));
    assert_eq!(found.overruled[1].rescued.left_out.as_deref(), Some("0 people, fewer than the guard of 2"));

    let local = &found.personalised[0];
    assert_eq!((local.arm, local.without), ("local", "none"));
    // None says 0: other answers on the six 1s, and on all of the second group, where 0 was right six times.
    assert_eq!((local.changed.n, local.changed.of), (21, 30));
    assert_eq!((local.worsened.n, local.worsened.of), (6, 15));
    assert_eq!((local.bettered.n, local.bettered.of), (6, 15));
}

#[test]
fn the_worst_cases_come_first_with_the_command_that_shows_them() {
    let found = by_hand(Bounds::default());
    assert_eq!((found.overridden_right, found.cases.len()), (6, 2));
    let case = &found.cases[0];
    // Rows 3, 4, 8, 9, 13, 14; in row 14 local gives the others .11 each, mediated gives the right one .1.
    close(case.p_local.unwrap(), 1.0 - 2.0 * 0.11);
    close(case.harm.unwrap(), 1.0 - 2.0 * 0.11 - 0.1);
    assert!(case.harm > found.cases[1].harm);
    assert_eq!((case.right.as_str(), case.mediated.as_str(), case.minority, case.as_others), ("b", "a", true, true));
    let open = "logoscope ask --data 'my data' --user u2 --at 1970-01-01T00:00:09Z --query='-a film'";
    assert_eq!(case.open, open);
}

#[test]
fn a_gate_fails_beyond_doubt_alone_and_names_itself() {
    let ten: Vec<UserId> = (0..10).map(|who| UserId::new(format!("u{who}"))).collect();
    let verdicts = |gap: f64, suppression: f64| {
        let found = halves(&ten, Bounds { gap: Some(gap), suppression: Some(suppression) });
        let verdicts: Vec<(&str, Verdict)> = found.gates.iter().map(|gate| (gate.gate, gate.verdict)).collect();
        assert_eq!(found.passed, Some(verdicts.iter().all(|(_, verdict)| *verdict != Verdict::Failed)));
        verdicts
    };
    let (held, failed) = (Verdict::Held, Verdict::Failed);
    let gates = |guard, gap, suppression| [("guard", guard), ("--max-gap", gap), ("--max-suppression", suppression)];
    // The gap is .4 of each person, the share of suppressed answers .4.
    assert_eq!(verdicts(0.41, 0.41), gates(held, held, held));
    assert_eq!(verdicts(0.39, 0.41), gates(held, failed, held));
    assert_eq!(verdicts(0.41, 0.39), gates(held, held, failed));
    let gap = |users: &[UserId]| halves(users, Bounds { gap: Some(0.1), suppression: None }).gates.pop().unwrap();
    // All signs alike: 2 of 1,024.
    assert_eq!(gap(&ten).told, "first against second by activity: 0.400 [0.400, 0.400], p 0.002");
    assert_eq!(gap(&ten).verdict, failed);

    // Eight people are too few for an interval of either half.
    assert_eq!(gap(&ten[..8]).verdict, Verdict::Unjudged);

    let broken = GuardReport { guard: 5, entries: 9, below: 1, ..GuardReport::default() };
    assert_eq!(gate::judge(Bounds::default(), &[], &[], &broken)[0].verdict, failed);
    let bounds = Bounds { gap: Some(0.0), suppression: Some(0.0) };
    let unjudged = gate::judge(bounds, &[], &[], &GuardReport::default());
    assert!(unjudged.iter().all(|gate| gate.verdict == Verdict::Unjudged), "{unjudged:?}");

    // What holds answers for itself, and the guard for nothing else that was asked for.
    let of = |gate, verdict| GateReport { gate, bound: 0.1, verdict, told: String::new() };
    for (guard, asked_for, passed) in [
        (held, &[][..], Some(true)),
        (Verdict::Unjudged, &[], None),
        (failed, &[], Some(false)),
        (held, &[Verdict::Unjudged, Verdict::Unjudged], None),
        (held, &[Verdict::Unjudged, held], Some(true)),
        (Verdict::Unjudged, &[held], Some(true)),
        (held, &[Verdict::Unjudged, failed], Some(false)),
        (failed, &[Verdict::Unjudged], Some(false)),
    ] {
        let asked_for =
            asked_for.iter().zip(["--max-gap", "--max-suppression"]).map(|(verdict, gate)| of(gate, *verdict));
        let gates: Vec<GateReport> = std::iter::once(of(GUARD, guard)).chain(asked_for).collect();
        assert_eq!(gate::passed(&gates), passed, "{gates:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn groups_hold_every_query_once_and_what_is_not_suppressed_is_kept(
        rows in prop::collection::vec((0..6usize, 0..3usize, prop::array::uniform4(0..3usize), 0..40usize, prop::array::uniform3(0..9u8)), 1..70)
    ) {
        let users: Vec<UserId> = (0..6).map(|who| UserId::new(format!("u{who}"))).collect();
        let questions: Vec<Question> = rows.iter().map(|row| question(&users[row.0], row.1)).collect();
        let answers: Vec<Answered> =
            rows.iter().map(|row| Answered { visible: row.3, ..answered(0, row.2) }).collect();
        let pasts: Vec<Past> =
            rows.iter().map(|row| Past { counts: row.4.iter().map(|n| f64::from(*n)).collect() }).collect();
        let measures = TaskMeasures::Labels(LabelMeasures { labels: 3 });
        let inquiry = inquiry(&questions, &answers, &pasts, &measures);
        for (by, (groups, of)) in [
            (By::Activity, group::activity(&inquiry)),
            (By::Taste, group::taste(&inquiry)),
            (By::Skew, group::skew(&inquiry)),
        ] {
            prop_assert_eq!(of.len(), rows.len());
            prop_assert!(of.iter().all(|group| *group < groups.len()));
            let dimension = measure::dimension(&inquiry, &Grouping { by, groups, of });
            let told: usize = dimension.groups.iter().map(|g| g.n).sum();
            let left: usize = dimension.left_out.iter().map(|g| g.n).sum();
            prop_assert_eq!(told + left, rows.len());
            for arm in &dimension.arms {
                for group in &arm.groups {
                    let always = [group.score, group.second, group.variety];
                    for Figure { value, ci } in always.into_iter().chain(group.lift).chain(group.miscalibration) {
                        let holds = ci.is_none_or(|ci| ci.low <= value + 1e-9 && value <= ci.high + 1e-9);
                        prop_assert!(holds, "{} of {}: {:?}", value, group.group, ci);
                    }
                }
                let gaps = arm.groups.iter().filter_map(|group| group.gap.as_ref());
                prop_assert_eq!(gaps.clone().count(), dimension.groups.len().saturating_sub(1));
                for gap in gaps {
                    prop_assert!(gap.value >= 0.0 && gap.p > 0.0 && gap.p <= gap.p_holm, "{:?}", gap);
                }
            }
        }
        let found = audited(&questions, &answers, &pasts, Bounds::default());
        // Who remembers nothing has no local answer that could be given up.
        let remembering = |row: &usize| rows[*row].3 > 0;
        let kept = |row: &usize| inquiry.is_right(*row, Arm::Local) && inquiry.is_right(*row, Arm::Mediated);
        let kept = (0..rows.len()).filter(remembering).filter(kept).count();
        prop_assert_eq!(found.overruled[0].suppressed.n + kept, found.overruled[0].suppressed.of);
        let all = &found.overruled[0];
        prop_assert_eq!(all.suppressed.of + all.rescued.of, (0..rows.len()).filter(remembering).count());
        prop_assert_eq!(found.overridden_right, all.suppressed.n);

        // The same answers on all arms: nobody is overruled, nothing is changed, all arms fare alike.
        let alike: Vec<Answered> = rows.iter().map(|row| answered(0, [row.2[0]; 4])).collect();
        let found = audited(&questions, &alike, &pasts, Bounds { gap: None, suppression: Some(0.0) });
        prop_assert!(found.overruled.iter().all(|o| o.suppressed.n == 0 && o.rescued.n == 0));
        prop_assert!(found.personalised.iter().all(|p| p.changed.n == 0) && found.cases.is_empty());
        prop_assert_eq!(found.passed, found.gates[1].judged().then_some(true));
        let scores: Vec<Vec<f64>> = found.dimensions[0].arms.iter()
            .map(|arm| arm.groups.iter().map(|group| group.score.value).collect()).collect();
        prop_assert!(scores.iter().all(|of| *of == scores[0]));

        // Everybody answered rightly: no group is behind another.
        let right: Vec<Answered> = rows.iter().map(|row| answered(0, [row.1; 4])).collect();
        let found = audited(&questions, &right, &pasts, Bounds { gap: Some(0.0), suppression: None });
        let groups = found.dimensions[0].arms.iter().flat_map(|arm| &arm.groups);
        for gap in groups.filter_map(|group| group.gap.as_ref()) {
            prop_assert_eq!((gap.value, gap.p, gap.detectable), (0.0, 1.0, None));
        }
        prop_assert_eq!(found.passed, found.gates[1].judged().then_some(true));
    }
}
