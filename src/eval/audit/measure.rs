//! Figures of groups: how right, how varied, how popular and how much like the person the answers are.
//!
//! Every figure is a function of sums over the queries of a group, so that one bootstrap of people serves all groups and
//! figures of an arm at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::gap::{Scored, compare};
use super::group::Grouping;
use super::{Inquiry, LEAST_OF_PERSON};
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;
use crate::eval::metrics::{Addend, Measures, Metric};
use crate::eval::stats::{FEW, Interval, Table, holm, intervals};
use crate::mediator::distribution::{normalise, normalised_entropy};

/// α of [`miscalibration`]: the share of the right answers' distribution in what it is compared with.
pub const SMOOTHING: f64 = 0.01;

/// A value with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// How much.
    pub value: f64,
    /// By person; absent where resampling says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci: Option<Interval>,
}

impl Figure {
    /// `value` with an interval that holds it. Resamples lose labels, and where that alone moves a figure away from its
    /// value, as it does the entropy of right answers beside answers that are always the same, they do not say how sure
    /// it is.
    fn held(value: f64, ci: Option<Interval>) -> Self {
        let room = 1e-9;
        Self { value, ci: ci.filter(|ci| ci.low - room <= value && value <= ci.high + room) }
    }
}

/// What is told of each arm in each group.
#[derive(Clone, Debug, Serialize)]
pub struct Dimension {
    /// What people are grouped by.
    pub by: String,
    /// Groups of which something is told.
    pub groups: Vec<GroupReport>,
    /// The others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// One an arm, in the order of display.
    #[serde(serialize_with = "by_name")]
    pub arms: Vec<ArmGroups>,
}

fn by_name<S: Serializer>(arms: &[ArmGroups], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(arms.iter().map(|arm| (arm.arm.name(), &arm.groups)))
}

/// A group with its right answers.
#[derive(Clone, Debug, Serialize)]
pub struct GroupReport {
    /// Which.
    pub name: String,
    /// Who is in it.
    pub told: String,
    /// Queries.
    pub n: usize,
    /// Who asked them.
    pub users: usize,
    /// People with at least [`LEAST_OF_PERSON`] of them.
    pub often: usize,
    /// Entropy of the right answers, 0 to 1.
    pub gold_entropy: f64,
    /// Its place in the grouping.
    #[serde(skip)]
    pub place: usize,
}

/// A group of which nothing is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Which.
    pub name: String,
    /// Queries.
    pub n: usize,
    /// Who asked them.
    pub users: usize,
    /// Why.
    pub reason: String,
}

/// One arm in all groups.
#[derive(Clone, Debug)]
pub struct ArmGroups {
    /// Which arm.
    pub arm: Arm,
    /// In the order of [`Dimension::groups`].
    pub groups: Vec<Measured>,
}

/// One arm in one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Which group.
    pub group: String,
    /// Accuracy, mean absolute error or ROUGE-L, as the audit's `headline` says.
    pub score: Figure,
    /// Balanced accuracy, or the root of the mean squared error of ratings.
    pub second: Figure,
    /// Entropy of the answers, 0 to 1.
    pub entropy: f64,
    /// That minus the entropy of the right answers.
    pub variety: Figure,
    /// Popularity of the answers over that of the right ones, minus 1; absent where those have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lift: Option<Figure>,
    /// Mean over people of how far their answers' distribution is from their right ones', in nats; absent with too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miscalibration: Option<Figure>,
    /// How much worse than the best group it is; absent of that one, and where there is no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// How much worse a group fares than the best one of the arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// The best group.
    pub best: String,
    /// In the headline metric, 0 or above.
    pub value: f64,
    /// By person, the best group staying what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci: Option<Interval>,
    /// Of the difference, see [`compare`].
    pub p: f64,
    /// The same after Holm over all pairs of the arm's groups, since the best one is picked on the same queries.
    pub p_holm: f64,
    /// The true gap that such a test would find four times out of five.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detectable: Option<f64>,
}

/// Σ g log(g/q), q = (1 − α) answered + α g, in nats: 0 for equal distributions, at most ln 1/α (Steck 2018, calibrated
/// recommendations). Not how far probabilities hold.
pub fn miscalibration(answered: &[f64], gold: &[f64]) -> f64 {
    let term = |(a, g): (&f64, &f64)| {
        let smoothed = (1.0 - SMOOTHING) * a + SMOOTHING * g;
        if *g > 0.0 { g * (g / smoothed).ln() } else { 0.0 }
    };
    answered.iter().zip(gold).map(term).sum::<f64>().max(0.0)
}

/// The second metric of a task.
pub fn second(headline: Metric) -> Metric {
    if headline == Metric::MeanAbsoluteError { Metric::RootMeanSquareError } else { Metric::BalancedAccuracy }
}

/// Where the sums of one group stand: first those of the task, then these.
struct Layout {
    task: usize,
    labels: usize,
}

impl Layout {
    /// Queries, their scores, popularity of answers, of right ones, people with enough queries, their miscalibration.
    const OWN: usize = 6;

    fn width(&self) -> usize {
        self.task + 2 * self.labels + Self::OWN
    }

    fn own(&self) -> usize {
        self.task + 2 * self.labels
    }
}

/// The figures of a group, in the order of [`figures`].
const FIGURES: usize = 5;

/// Score, second metric, variety, lift and miscalibration of the sums of a group.
fn figures(inquiry: &Inquiry, layout: &Layout, second: Metric, sums: &[f64]) -> [Option<f64>; FIGURES] {
    let own = &sums[layout.own()..];
    let mean = |of: usize, sum: usize| (own[of] > 0.0).then(|| own[sum] / own[of]);
    let lift = (own[3] > 0.0).then(|| (own[2] - own[3]) / own[3]);
    let variety = (own[0] > 0.0).then(|| entropy(layout, sums, 0) - entropy(layout, sums, 1));
    [mean(0, 1), inquiry.measures.value(second, &sums[..layout.task]), variety, lift, mean(4, 5)]
}

/// Of the answers (0) or the right answers (1).
fn entropy(layout: &Layout, sums: &[f64], which: usize) -> f64 {
    let start = layout.task + which * layout.labels;
    let counts = &sums[start..start + layout.labels];
    if counts.iter().sum::<f64>() > 0.0 { normalised_entropy(&normalise(counts.to_vec())) } else { 0.0 }
}

/// The groups of one grouping on all arms.
pub fn dimension(inquiry: &Inquiry, grouping: &Grouping) -> Dimension {
    let second = second(inquiry.headline());
    let (mut groups, mut left_out, mut members) = (Vec::new(), Vec::new(), Vec::new());
    for (place, group) in grouping.groups.iter().enumerate() {
        let rows: Vec<usize> = (0..grouping.of.len()).filter(|row| grouping.of[*row] == place).collect();
        let mut people: BTreeMap<&UserId, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *people.entry(inquiry.questions[*row].user).or_default() += 1);
        let (name, n, users) = (group.name.clone(), rows.len(), people.len());
        if n == 0 {
            continue;
        }
        if let Some(reason) = group.unfit.clone().or_else(|| inquiry.too_few(n, users)) {
            left_out.push(LeftOut { name, n, users, reason });
            continue;
        }
        let often = people.values().filter(|n| **n >= LEAST_OF_PERSON).count();
        let mut counts = vec![0.0; inquiry.measures.labels()];
        rows.iter().for_each(|row| counts[inquiry.questions[*row].gold] += 1.0);
        let gold_entropy = normalised_entropy(&normalise(counts));
        groups.push(GroupReport { name, told: group.told.clone(), n, users, often, gold_entropy, place });
        members.push(rows);
    }
    let arms = Arm::ALL.into_iter().map(|arm| measured(inquiry, arm, &groups, &members, second)).collect();
    Dimension { by: grouping.by.to_string(), groups, left_out, arms }
}

fn measured(inquiry: &Inquiry, arm: Arm, groups: &[GroupReport], members: &[Vec<usize>], second: Metric) -> ArmGroups {
    let layout = Layout { task: inquiry.measures.width(), labels: inquiry.measures.labels() };
    let (width, error) = (layout.width(), inquiry.headline().is_error());
    let rows = members.iter().enumerate().flat_map(|(place, rows)| addends(inquiry, arm, rows, &layout, place * width));
    let table = Table::of(width * groups.len(), rows);
    let of = |sums: &[f64]| -> Vec<[Option<f64>; FIGURES]> {
        sums.chunks(width.max(1)).map(|sums| figures(inquiry, &layout, second, sums)).collect()
    };
    let total = table.total();
    let values = of(&total);
    let score = |values: &[[Option<f64>; FIGURES]], group: usize| values[group][0].unwrap_or_default();
    let better = |a: f64, b: f64| if error { a < b } else { a > b };
    let best = (0..groups.len()).reduce(
        |best, group| {
            if better(score(&values, group), score(&values, best)) { group } else { best }
        },
    );
    // By how much the best group is ahead.
    let behind = |values: &[[Option<f64>; FIGURES]], group: usize| {
        let ahead = score(values, best.unwrap_or_default()) - score(values, group);
        if error { -ahead } else { ahead }
    };
    let found = intervals(std::slice::from_ref(&table), inquiry.plan, |sums| {
        let values = of(&sums[0]);
        let complete = values.iter().all(|values| values[0].is_some());
        let gaps = (0..values.len()).map(|group| complete.then(|| behind(&values, group)));
        values.iter().flatten().copied().chain(gaps.collect::<Vec<_>>()).collect()
    });
    // One person drawn again is no other one, whoever else is asked about.
    let people = |group: usize| members[group].iter().map(|row| inquiry.units[*row]).collect::<BTreeSet<_>>().len();
    let many: Vec<bool> = (0..groups.len()).map(|group| people(group) >= FEW).collect();
    let interval = |group: usize, at: usize| found[at].filter(|_| many[group]);
    let figure = |group: usize, which: usize| {
        Some(Figure::held(values[group][which]?, interval(group, group * FIGURES + which)))
    };
    let nothing = Figure { value: 0.0, ci: None };
    let gaps = gaps(inquiry, arm, members, best);
    let of_group = |(group, report): (usize, &GroupReport)| Measured {
        group: report.name.clone(),
        score: figure(group, 0).unwrap_or(nothing),
        second: figure(group, 1).unwrap_or(nothing),
        entropy: entropy(&layout, &total[group * width..(group + 1) * width], 0),
        variety: figure(group, 2).unwrap_or(nothing),
        lift: figure(group, 3),
        miscalibration: figure(group, 4).filter(|_| report.often >= inquiry.guard),
        gap: best.as_ref().filter(|best| **best != group).map(|best| Gap {
            best: groups[*best].name.clone(),
            value: behind(&values, group),
            ci: interval(group, groups.len() * FIGURES + group).filter(|_| many[*best]),
            ..gaps[group].clone()
        }),
    };
    ArmGroups { arm, groups: groups.iter().enumerate().map(of_group).collect() }
}

/// What the queries of a group add, and what each person in it adds once.
fn addends(inquiry: &Inquiry, arm: Arm, rows: &[usize], layout: &Layout, start: usize) -> Vec<(usize, Vec<Addend>)> {
    let own = start + layout.own();
    // Answers and right answers of each person, and the observation that the first of them is part of.
    let mut people: BTreeMap<&UserId, (usize, [Vec<f64>; 2])> = BTreeMap::new();
    let mut all = Vec::with_capacity(rows.len());
    for row in rows.iter().copied() {
        let (question, answer, popularity) = (&inquiry.questions[row], inquiry.said(row, arm), inquiry.popularity(row));
        let mut adds: Vec<Addend> =
            inquiry.measures.row(question.gold, answer).into_iter().map(|(at, x)| (start + at, x)).collect();
        let labels = start + layout.task;
        adds.extend([(labels + answer.decision, 1.0), (labels + layout.labels + question.gold, 1.0)]);
        let popular = |y: usize| popularity.get(y).copied().unwrap_or_default();
        adds.extend([
            (own, 1.0),
            (own + 1, inquiry.score(row, arm)),
            (own + 2, popular(answer.decision)),
            (own + 3, popular(question.gold)),
        ]);
        let unit = inquiry.units[row];
        all.push((unit, adds));
        let none = || vec![0.0; layout.labels];
        let (_, [answers, golds]) = people.entry(question.user).or_insert_with(|| (unit, [none(), none()]));
        answers[answer.decision] += 1.0;
        golds[question.gold] += 1.0;
    }
    for (unit, [answers, golds]) in people.into_values() {
        if golds.iter().sum::<f64>() >= LEAST_OF_PERSON as f64 {
            let apart = miscalibration(&normalise(answers), &normalise(golds));
            all.push((unit, vec![(own + 4, 1.0), (own + 5, apart)]));
        }
    }
    all
}

/// The tests of every group against the best one.
fn gaps(inquiry: &Inquiry, arm: Arm, members: &[Vec<usize>], best: Option<usize>) -> Vec<Gap> {
    let scored: Vec<Vec<Scored>> = members
        .iter()
        .map(|rows| rows.iter().map(|row| (inquiry.units[*row], inquiry.score(*row, arm))).collect())
        .collect();
    let pairs: Vec<(usize, usize)> =
        (0..scored.len()).flat_map(|second| (0..second).map(move |first| (first, second))).collect();
    let found: Vec<_> = pairs.iter().map(|(a, b)| compare(&scored[*a], &scored[*b], inquiry.plan)).collect();
    let corrected = holm(&found.iter().map(|found| found.p).collect::<Vec<_>>());
    let of_group = |group: usize| {
        let pair = best.map(|best| (best.min(group), best.max(group)));
        let at = pairs.iter().position(|other| Some(*other) == pair);
        let (p, p_holm, detectable) =
            at.map_or((1.0, 1.0, None), |at| (found[at].p, corrected[at], found[at].detectable));
        Gap { best: String::new(), value: 0.0, ci: None, p, p_holm, detectable }
    };
    (0..scored.len()).map(of_group).collect()
}

/// Distinct people among the askers of `rows`.
pub(super) fn askers(inquiry: &Inquiry, rows: impl IntoIterator<Item = usize>) -> usize {
    rows.into_iter().map(|row| inquiry.questions[row].user).collect::<BTreeSet<&UserId>>().len()
}
