//! The assessment: answers judged, compared and put into buckets. Plain numbers that serialise to the contract of
//! `eval --format json`; nothing here draws.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::bucket::{Bucket, FINE, GAIN, POOLED};
use super::experiment::Answer;
use super::metrics::{Addend, LabelMeasures, Measures, Metric};
use super::split::{Question, Range, Split};
use super::stats::{Interval, Plan, Table, Tail, detectable, holm, intervals, mcnemar, sign_flip, standard_error};
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;
use crate::mediator::distribution::normalised_entropy;
use crate::mediator::{Policy, Weights};

/// Version of the JSON object.
pub const SCHEMA: &str = "logoscope.eval/1";
/// What accuracy may be lost to a side and still count as not worse.
pub const MARGIN: f64 = 0.02;
/// The level of every test.
pub const LEVEL: f64 = 0.05;

/// A predictor with its answers to all questions.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// An arm's name, or a peer's.
    pub name: &'static str,
    /// In order of the questions.
    pub answers: Vec<Answer>,
}

/// Everything that is judged.
pub struct Material<'a> {
    /// The questions.
    pub questions: &'a [Question<'a>],
    /// The asking person's visible items, one number a question.
    pub visible: &'a [usize],
    /// Arms asked for.
    pub arms: &'a [Contestant],
    /// Peers, if any.
    pub peers: &'a [Contestant],
    /// How labels are judged.
    pub measures: LabelMeasures,
}

/// How it came about.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The dataset's name.
    pub dataset: String,
    /// Fingerprint of its content.
    pub dataset_hash: String,
    /// What answered.
    pub predictor: &'static str,
    /// Which queries.
    pub split: SplitReport,
    /// The mediator's rule.
    pub policy: Policy,
    /// Its weights.
    pub weights: Weights,
    /// What resampling did.
    pub plan: Plan,
}

/// The split with the times it used.
#[derive(Clone, Debug, Serialize)]
pub struct SplitReport {
    /// How queries were chosen.
    #[serde(flatten)]
    pub split: Split,
    /// What lay before all queries.
    pub history: Option<Range>,
    /// The queries.
    pub queries: Range,
    /// Queries left out because nobody knows the right answer.
    pub without_gold: usize,
    /// On what weights were fitted: nothing, they are the dataset's.
    pub fitted_on: Option<Range>,
}

/// The metrics of one set of rows, in the task's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores(pub Vec<(Metric, f64)>);

impl Scores {
    fn of(measures: LabelMeasures, sums: &[f64]) -> Self {
        let of = |metric: &Metric| Some((*metric, measures.value(*metric, sums)?));
        Self(measures.metrics().iter().filter_map(of).collect())
    }

    /// One metric, where it applies.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0.iter().find(|(of, _)| *of == metric).map(|(_, value)| *value)
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        as_map(&self.0, serializer)
    }
}

/// Intervals by metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervals(pub Vec<(Metric, Interval)>);

impl Intervals {
    /// One metric's, where it has one.
    pub fn get(&self, metric: Metric) -> Option<Interval> {
        self.0.iter().find(|(of, _)| *of == metric).map(|(_, interval)| *interval)
    }
}

impl Serialize for Intervals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        as_map(&self.0, serializer)
    }
}

fn as_map<T: Serialize, S: Serializer>(entries: &[(Metric, T)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    entries.iter().try_for_each(|(metric, value)| map.serialize_entry(metric.name(), value))?;
    map.end()
}

/// One predictor's scores.
#[derive(Clone, Debug, Serialize)]
pub struct ArmReport {
    /// Whose.
    #[serde(skip)]
    pub name: &'static str,
    /// Questions answered.
    pub n: usize,
    /// Over all questions.
    #[serde(flatten)]
    pub scores: Scores,
    /// Percentile intervals by person.
    pub ci: Intervals,
    /// By visible items.
    pub buckets: Vec<BucketReport>,
}

/// One predictor's scores in one bucket.
#[derive(Clone, Debug, Serialize)]
pub struct BucketReport {
    /// Which.
    #[serde(flatten)]
    pub bucket: Bucket,
    /// Questions in it.
    pub n: usize,
    /// Who asked them.
    pub users: usize,
    /// Absent metrics do not apply, as to an empty bucket.
    #[serde(flatten)]
    pub scores: Scores,
    /// Percentile intervals by person.
    pub ci: Intervals,
}

/// Local right or wrong against mediated right or wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overrides {
    /// Both.
    pub local_right_mediated_right: usize,
    /// Suppressed: the mediator lost what local had.
    pub local_right_mediated_wrong: usize,
    /// Rescued: the mediator found what local had not.
    pub local_wrong_mediated_right: usize,
    /// Neither.
    pub local_wrong_mediated_wrong: usize,
    /// Questions where the mediator chose against local.
    pub overridden: usize,
    /// Of those, right.
    pub rescued: usize,
    /// Of those, wrong where local was right.
    pub suppressed: usize,
}

/// Questions whose two sides choose differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    /// How many.
    pub n: usize,
    /// Of all questions.
    pub share: f64,
    /// How often each predictor is right there.
    pub right: BTreeMap<&'static str, f64>,
}

/// Mediated over local in one bucket, with both absolute figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Which.
    #[serde(flatten)]
    pub bucket: Bucket,
    /// Questions.
    pub n: usize,
    /// Accuracy of local; at 0 items it answers with the base rate.
    pub local: f64,
    /// Accuracy of mediated.
    pub mediated: f64,
    /// (mediated − local)/local; absent where local is never right.
    pub relative: Option<f64>,
    /// Share of questions where local or global is right: no choice between the two can do better.
    pub ceiling: Option<f64>,
}

/// Mediated against one other predictor on the same questions.
#[derive(Clone, Debug, Serialize)]
pub struct Paired {
    /// The other one.
    pub against: &'static str,
    /// Accuracy of mediated minus the other's.
    pub accuracy: f64,
    /// Of all metrics with an interval: mediated minus other, interval by person.
    pub difference: Vec<Difference>,
    /// Only mediated right.
    pub wins: usize,
    /// Only the other right.
    pub losses: usize,
    /// By-person sign-flip permutation of the difference in accuracy.
    pub p: f64,
    /// The same after Holm over all comparisons of the report.
    pub p_holm: f64,
    /// Exact McNemar, rows taken as independent.
    pub p_mcnemar: f64,
    /// What difference in accuracy a test at 5 % would find with 80 % power; absent where nobody's answers differ.
    pub detectable: Option<f64>,
}

/// A difference of one metric.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Which.
    pub metric: Metric,
    /// Mediated minus other.
    pub value: f64,
    /// By person.
    pub ci: Interval,
}

/// Is mediated at most [`MARGIN`] worse than one side, in one pooled bucket?
#[derive(Clone, Debug, Serialize)]
pub struct NonInferiority {
    /// The side.
    pub against: &'static str,
    /// Which.
    #[serde(flatten)]
    pub bucket: Bucket,
    /// Questions.
    pub n: usize,
    /// Who asked them.
    pub users: usize,
    /// Accuracy of mediated minus the side's.
    pub accuracy: f64,
    /// By person.
    pub ci: Option<Interval>,
    /// One-sided by-person sign-flip permutation of the difference plus the margin.
    pub p: f64,
    /// The same after Holm over the side's buckets.
    pub p_holm: f64,
    /// Whether the corrected p is below [`LEVEL`].
    pub non_inferior: bool,
    /// What difference a two-sided test at 5 % would find with 80 % power; absent where nobody's answers differ.
    pub detectable: Option<f64>,
}

/// Everything an evaluation found out.
#[derive(Clone, Debug, Serialize)]
pub struct Assessment {
    /// How it came about.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Questions.
    pub n: usize,
    /// Who asked them.
    pub users: usize,
    /// Entropy of the right answers, to hold the predictors' against.
    pub gold_entropy: f64,
    /// Arms in the order of display.
    #[serde(serialize_with = "by_name")]
    pub arms: Vec<ArmReport>,
    /// Peers.
    #[serde(serialize_with = "by_name", skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<ArmReport>,
    /// With arms local and mediated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
    /// With arms local and global.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<Disagreement>,
    /// With arms local and mediated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gain: Vec<Gain>,
    /// With arm mediated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paired: Vec<Paired>,
    /// With arm mediated and a side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pooled: Vec<NonInferiority>,
}

fn by_name<S: Serializer>(arms: &[ArmReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(arms.iter().map(|arm| (arm.name, arm)))
}

/// A contestant with its rows ready to be summed.
struct Judged<'a> {
    contestant: &'a Contestant,
    rows: Vec<Vec<Addend>>,
    right: Vec<bool>,
}

impl Material<'_> {
    /// Judges everything.
    pub fn assess(&self, provenance: Provenance) -> Assessment {
        let plan = provenance.plan;
        let arms: Vec<Judged> = self.arms.iter().map(|arm| self.judge(arm)).collect();
        let peers: Vec<Judged> = self.peers.iter().map(|peer| self.judge(peer)).collect();
        let arm = |wanted: Arm| arms.iter().find(|judged| judged.contestant.name == wanted.name());
        let (local, global, mediated) = (arm(Arm::Local), arm(Arm::Global), arm(Arm::Mediated));
        let everyone = || arms.iter().chain(&peers);
        let others: Vec<&Judged> = everyone().filter(|judged| judged.contestant.name != Arm::Mediated.name()).collect();

        let mut counts = vec![0.0; self.measures.labels];
        self.questions.iter().for_each(|question| counts[question.gold] += 1.0 / self.questions.len() as f64);
        let both = local.zip(mediated);
        Assessment {
            n: self.questions.len(),
            users: self.users(&|_| true),
            gold_entropy: normalised_entropy(&counts),
            arms: arms.iter().map(|judged| self.report(judged, plan)).collect(),
            peers: peers.iter().map(|judged| self.report(judged, plan)).collect(),
            overrides: both.map(|(local, mediated)| overrides(local, mediated)),
            disagreement: local.zip(global).map(|(local, global)| disagreement(local, global, everyone())),
            gain: both.map(|(local, mediated)| self.gain(local, global, mediated)).unwrap_or_default(),
            paired: mediated.map(|mediated| self.paired(mediated, &others, plan)).unwrap_or_default(),
            pooled: mediated
                .map(|mediated| {
                    let sides = local.into_iter().chain(global);
                    sides.flat_map(|side| self.non_inferiority(mediated, side, plan)).collect()
                })
                .unwrap_or_default(),
            provenance,
        }
    }

    fn judge<'c>(&self, contestant: &'c Contestant) -> Judged<'c> {
        let judged = self.questions.iter().zip(&contestant.answers);
        let row = |(question, answer): (&Question, &Answer)| {
            self.measures.row(question.gold, answer.decision, answer.distribution.as_deref())
        };
        Judged {
            contestant,
            right: judged.clone().map(|(question, answer)| question.gold == answer.decision).collect(),
            rows: judged.map(row).collect(),
        }
    }

    fn users(&self, wanted: &dyn Fn(usize) -> bool) -> usize {
        let asking = self.questions.iter().zip(self.visible).filter(|(_, visible)| wanted(**visible));
        asking.map(|(question, _)| question.user).collect::<std::collections::BTreeSet<&UserId>>().len()
    }

    /// Sums by person of the rows whose number of visible items is `wanted`.
    fn table(&self, judged: &Judged, wanted: &dyn Fn(usize) -> bool) -> Table {
        let rows = self.questions.iter().zip(self.visible).zip(&judged.rows);
        let wanted = rows.filter(|((_, visible), _)| wanted(**visible));
        Table::of(self.measures.width(), wanted.map(|((question, _), row)| (question.user, row)))
    }

    /// Scores and intervals of a table.
    fn scores(&self, table: &Table, plan: Plan) -> (Scores, Intervals) {
        let metrics: Vec<Metric> = self.measures.metrics().iter().copied().filter(|m| m.has_interval()).collect();
        let values = |sums: &[f64]| metrics.iter().map(|m| self.measures.value(*m, sums)).collect();
        let found = intervals(std::slice::from_ref(table), plan, |sums| values(&sums[0]));
        let ci = metrics.iter().zip(found).filter_map(|(metric, interval)| Some((*metric, interval?)));
        (Scores::of(self.measures, &table.total()), Intervals(ci.collect()))
    }

    fn report(&self, judged: &Judged, plan: Plan) -> ArmReport {
        let (scores, ci) = self.scores(&self.table(judged, &|_| true), plan);
        let bucket = |bucket: &Bucket| {
            let holds = |visible| bucket.holds(visible);
            let table = self.table(judged, &holds);
            let (scores, ci) = self.scores(&table, plan);
            let n = self.visible.iter().filter(|visible| bucket.holds(**visible)).count();
            BucketReport { bucket: *bucket, n, users: table.people(), scores, ci }
        };
        let buckets = FINE.iter().map(bucket).collect();
        ArmReport { name: judged.contestant.name, n: judged.rows.len(), scores, ci, buckets }
    }

    fn gain(&self, local: &Judged, global: Option<&Judged>, mediated: &Judged) -> Vec<Gain> {
        let of = |bucket: &Bucket| {
            let rows: Vec<usize> = (0..self.visible.len()).filter(|row| bucket.holds(self.visible[*row])).collect();
            let n = rows.len();
            let share =
                |right: &dyn Fn(usize) -> bool| rows.iter().filter(|row| right(**row)).count() as f64 / n as f64;
            let (l, m) = (share(&|row| local.right[row]), share(&|row| mediated.right[row]));
            let ceiling = global.map(|global| share(&|row| local.right[row] || global.right[row]));
            let relative = (l > 0.0).then(|| (m - l) / l);
            (n > 0).then_some(Gain { bucket: *bucket, n, local: l, mediated: m, relative, ceiling })
        };
        GAIN.iter().filter_map(of).collect()
    }

    /// Per person among `wanted` rows: rows, and how many more `first` has right than `second`.
    fn differences(&self, first: &Judged, second: &Judged, wanted: &dyn Fn(usize) -> bool) -> Vec<(f64, f64)> {
        let mut people: BTreeMap<&UserId, (f64, f64)> = BTreeMap::new();
        for (row, question) in self.questions.iter().enumerate().filter(|(row, _)| wanted(self.visible[*row])) {
            let (n, d) = people.entry(question.user).or_default();
            *n += 1.0;
            *d += f64::from(u8::from(first.right[row])) - f64::from(u8::from(second.right[row]));
        }
        people.into_values().collect()
    }

    fn paired(&self, mediated: &Judged, others: &[&Judged], plan: Plan) -> Vec<Paired> {
        let metrics: Vec<Metric> = self.measures.metrics().iter().copied().filter(|m| m.has_interval()).collect();
        let difference = |sums: &[Vec<f64>]| -> Vec<Option<f64>> {
            let of = |m: &Metric| Some(self.measures.value(*m, &sums[0])? - self.measures.value(*m, &sums[1])?);
            metrics.iter().map(of).collect()
        };
        let own = self.table(mediated, &|_| true);
        let compare = |other: &&Judged| {
            let people = self.differences(mediated, other, &|_| true);
            let tables = [own.clone(), self.table(other, &|_| true)];
            let whole = difference(&[tables[0].total(), tables[1].total()]);
            let found = intervals(&tables, plan, &difference);
            let difference = metrics.iter().zip(whole).zip(found);
            let difference = difference
                .filter_map(|((metric, value), ci)| Some(Difference { metric: *metric, value: value?, ci: ci? }));
            let only = |a: &Judged, b: &Judged| a.right.iter().zip(&b.right).filter(|(a, b)| **a && !**b).count();
            let (wins, losses) = (only(mediated, other), only(other, mediated));
            let p = sign_flip(&people.iter().map(|(_, d)| *d).collect::<Vec<_>>(), Tail::Both, plan);
            Paired {
                against: other.contestant.name,
                accuracy: (wins as f64 - losses as f64) / self.questions.len() as f64,
                difference: difference.collect(),
                wins,
                losses,
                p,
                p_holm: p,
                p_mcnemar: mcnemar(wins, losses),
                detectable: standard_error(&people).and_then(detectable),
            }
        };
        let mut paired: Vec<Paired> = others.iter().map(compare).collect();
        let corrected = holm(&paired.iter().map(|paired| paired.p).collect::<Vec<_>>());
        paired.iter_mut().zip(corrected).for_each(|(paired, p)| paired.p_holm = p);
        paired
    }

    fn non_inferiority(&self, mediated: &Judged, side: &Judged, plan: Plan) -> Vec<NonInferiority> {
        let test = |bucket: &Bucket| {
            let people = self.differences(mediated, side, &|visible| bucket.holds(visible));
            let n: f64 = people.iter().map(|(n, _)| n).sum();
            let table = Table::of(2, people.iter().enumerate().map(|(who, (n, d))| (who, [(0, *n), (1, *d)])));
            let ci = intervals(&[table], plan, |sums| vec![(sums[0][0] > 0.0).then(|| sums[0][1] / sums[0][0])]);
            // Under the null hypothesis mediated is worse by the margin: then these differences are around 0.
            let shifted: Vec<f64> = people.iter().map(|(n, d)| d + MARGIN * n).collect();
            let p = sign_flip(&shifted, Tail::Upper, plan);
            (n > 0.0).then(|| NonInferiority {
                against: side.contestant.name,
                bucket: *bucket,
                n: n as usize,
                users: people.len(),
                accuracy: people.iter().map(|(_, d)| d).sum::<f64>() / n,
                ci: ci[0],
                p,
                p_holm: p,
                non_inferior: false,
                detectable: standard_error(&people).and_then(detectable),
            })
        };
        let mut tests: Vec<NonInferiority> = POOLED.iter().filter_map(test).collect();
        let corrected = holm(&tests.iter().map(|test| test.p).collect::<Vec<_>>());
        for (test, p) in tests.iter_mut().zip(corrected) {
            test.p_holm = p;
            test.non_inferior = p < LEVEL;
        }
        tests
    }
}

fn overrides(local: &Judged, mediated: &Judged) -> Overrides {
    let mut table = Overrides::default();
    for (row, (l, m)) in local.right.iter().zip(&mediated.right).enumerate() {
        let overridden = local.contestant.answers[row].decision != mediated.contestant.answers[row].decision;
        table.overridden += usize::from(overridden);
        match (l, m) {
            (true, true) => table.local_right_mediated_right += 1,
            (true, false) => table.local_right_mediated_wrong += 1,
            (false, true) => table.local_wrong_mediated_right += 1,
            (false, false) => table.local_wrong_mediated_wrong += 1,
        }
    }
    // Only one of two different answers can be right, so these two are always overrides.
    table.rescued = table.local_wrong_mediated_right;
    table.suppressed = table.local_right_mediated_wrong;
    table
}

fn disagreement<'a>(local: &Judged, global: &Judged, everyone: impl Iterator<Item = &'a Judged<'a>>) -> Disagreement {
    let answers = |judged: &Judged, row: usize| judged.contestant.answers[row].decision;
    let all = local.rows.len();
    let rows: Vec<usize> = (0..all).filter(|row| answers(local, *row) != answers(global, *row)).collect();
    let share = |judged: &Judged| rows.iter().filter(|row| judged.right[**row]).count() as f64 / rows.len() as f64;
    let right = everyone.filter(|_| !rows.is_empty()).map(|judged| (judged.contestant.name, share(judged))).collect();
    Disagreement { n: rows.len(), share: rows.len() as f64 / all as f64, right }
}
