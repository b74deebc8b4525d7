//! The assessment: what an evaluation found out, as plain numbers that serialise to the contract of
//! `eval --format json`. Nothing here computes or draws.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::bucket::Bucket;
use super::metrics::Metric;
use super::split::{Range, Split};
use super::stats::{Interval, Plan};
use crate::mediator::{Policy, Weights};
use crate::memory::fusion::nothing;

/// Version of the JSON object.
pub const SCHEMA: &str = "logoscope.eval/1";
/// What of the headline metric may be lost to a side and still count as not worse: points of accuracy, or of a score.
pub const MARGIN: f64 = 0.02;
/// The level of every test.
pub const LEVEL: f64 = 0.05;

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
    /// Days before a query within which the person's own items were hidden.
    #[serde(skip_serializing_if = "nothing")]
    pub gap_days: f64,
    /// Fewest distinct contributors of anything collective.
    pub guard: usize,
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

/// One metric's value, written under its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headline {
    /// Accuracy of labels, absolute error of ratings.
    pub metric: Metric,
    /// Its value, or a difference of two.
    pub value: f64,
}

impl Serialize for Headline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        as_map(&[(self.metric, self.value)], serializer)
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
    /// By visible items in coarser buckets, of ratings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pooled: Vec<BucketReport>,
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

/// Local against mediated by absolute error, where they answer differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Nearer {
    /// Questions where the mediator chose against local.
    pub overridden: usize,
    /// Of those, nearer to the right score than local.
    pub rescued: usize,
    /// Of those, farther from it.
    pub suppressed: usize,
    /// Of those, as far on the other side.
    pub even: usize,
}

/// Questions whose two sides choose differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    /// How many.
    pub n: usize,
    /// Of all questions.
    pub share: f64,
    /// How often each predictor is right there, of labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub right: BTreeMap<&'static str, f64>,
    /// Each predictor's mean absolute error there, of ratings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mae: BTreeMap<&'static str, f64>,
}

/// Mediated over local in one bucket, with both absolute figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Which.
    #[serde(flatten)]
    pub bucket: Bucket,
    /// Questions.
    pub n: usize,
    /// Headline metric of local; at 0 items it answers with the base rate.
    pub local: f64,
    /// Headline metric of mediated.
    pub mediated: f64,
    /// (mediated − local)/local; absent where local is 0.
    pub relative: Option<f64>,
    /// Share of questions where local or global is right, or the error of the nearer one: no choice between the two can
    /// do better.
    pub ceiling: Option<f64>,
}

/// Mediated against one other predictor on the same questions.
#[derive(Clone, Debug, Serialize)]
pub struct Paired {
    /// The other one.
    pub against: &'static str,
    /// Headline metric of mediated minus the other's.
    #[serde(flatten)]
    pub headline: Headline,
    /// Of all metrics with an interval: mediated minus other, interval by person.
    pub difference: Vec<Difference>,
    /// Only mediated right, or nearer.
    pub wins: usize,
    /// Only the other right, or nearer.
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
    /// Headline metric of mediated minus the side's.
    #[serde(flatten)]
    pub headline: Headline,
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
    /// The metric of comparisons.
    #[serde(skip)]
    pub headline: Metric,
    /// Entropy of the right answers, to hold the predictors' against.
    pub gold_entropy: f64,
    /// Arms in the order of display.
    #[serde(serialize_with = "by_name")]
    pub arms: Vec<ArmReport>,
    /// Peers.
    #[serde(serialize_with = "by_name", skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<ArmReport>,
    /// With arms local and mediated, of labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
    /// The same of ratings.
    #[serde(rename = "overrides", skip_serializing_if = "Option::is_none")]
    pub nearer: Option<Nearer>,
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
