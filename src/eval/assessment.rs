//! The assessment: what an evaluation found out, as plain numbers that serialise to the contract of
//! `eval --format json`. Nothing here computes or draws.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::bucket::Bucket;
use super::metrics::{Metric, Reliability};
use super::row::Row;
use super::signs::Signs;
use super::split::{Range, Sampled, Split};
use super::stats::{Interval, Plan, Unit};
use crate::data::dataset::{Manifest, TaskKind};
use crate::engine::engine::ScoreKind;
use crate::mediator::{Policy, Weights};
use crate::memory::fusion::nothing;

/// Version of the JSON object.
pub const SCHEMA: &str = "logoscope.eval/1";
/// Version of the object of the gain over local alone.
pub const GAIN_SCHEMA: &str = "logoscope.gain/1";
/// What of the headline metric may be lost to a side and still count as not worse: points of accuracy, or of a score.
pub const MARGIN: f64 = 0.02;
/// The relative gain in a cold start that summaries of LoGo tell of. They leave open over what it was measured and on how
/// many items; it stands beside the gain so that a reader sees what it would take.
pub const CLAIM: f64 = 0.1805;
/// The level of every test.
pub const LEVEL: f64 = 0.05;

/// How it came about.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The dataset's name.
    pub dataset: String,
    /// What kind of answer it wants; the metrics tell as much.
    #[serde(skip)]
    pub task: TaskKind,
    /// Fingerprint of its content.
    pub dataset_hash: String,
    /// That of its records alone, whatever is set.
    pub records_hash: String,
    /// What answered.
    pub predictor: &'static str,
    /// The model that was asked, its share being the weight ω.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelReport>,
    /// Which queries.
    pub split: SplitReport,
    /// The mediator's rule.
    pub policy: Policy,
    /// Its weights; absent where each window of a rolling origin has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// Days before a query within which the person's own items were hidden.
    #[serde(skip_serializing_if = "nothing")]
    pub gap_days: f64,
    /// Fewest distinct contributors of anything collective.
    pub guard: usize,
    /// What memory was made and read with, constants as they were fitted; absent where each window has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// What made the vectors, see [`Memory::embedder`](crate::memory::Memory::embedder).
    pub embedder: String,
    /// What resampling did.
    pub plan: Plan,
}

/// Settings of a dataset by their tables, as its `dataset.toml` calls them; what a result tells elsewhere left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<&'static str, BTreeMap<String, Value>>);

impl Settings {
    /// Those of `manifest`.
    pub fn of(manifest: &Manifest) -> Self {
        let tables = toml::Table::try_from(manifest).unwrap_or_default();
        let of = |name: &'static str| {
            let elsewhere = |name: &str| ["guard", "embedder"].contains(&name);
            let settings = tables.get(name)?.as_table()?.iter().filter(|(name, _)| !elsewhere(name));
            Some((name, settings.map(|(name, value)| (name.clone(), plain(value))).collect()))
        };
        Self(["retrieval", "periods", "calibration", "prompt"].into_iter().filter_map(of).collect())
    }
}

/// As JSON, which has no infinity.
fn plain(value: &toml::Value) -> Value {
    match value {
        toml::Value::Float(number) if !number.is_finite() => json!(number.to_string()),
        value => json!(value),
    }
}

/// The model that answered.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Its short name.
    pub name: String,
    /// Fingerprint of its files.
    pub hash: String,
    /// Where it ran.
    pub device: String,
    /// Number format of the computation.
    pub dtype: String,
    /// How it scores labels; not said where that is exact.
    #[serde(skip_serializing_if = "ScoreKind::is_exact")]
    pub scores: ScoreKind,
    /// Whether it writes texts, of which nothing is scored or fused.
    #[serde(skip)]
    pub writes: bool,
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
    /// Where not all queries were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled: Option<Sampled>,
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
    /// Intervals by person, see [`Metric::spread`].
    pub ci: Intervals,
    /// How far its probabilities hold; absent where it gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    /// By visible items; absent from windows and parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
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
    /// Intervals by person, see [`Metric::spread`]; none of fewer than [`FEW`](super::stats::FEW) people.
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
    /// Who asked them.
    pub users: usize,
    /// Headline metric of local; at 0 items it answers with the base rate.
    pub local: f64,
    /// Headline metric of mediated.
    pub mediated: f64,
    /// (mediated − local)/local; absent where local is 0.
    pub relative: Option<f64>,
    /// Of that, by person; absent with fewer than [`FEW`](super::stats::FEW) people.
    pub ci: Option<Interval>,
    /// By-person sign-flip permutation of the difference.
    pub p: f64,
    /// Share of questions where local or global is right, or the error of the nearer one: no choice between the two can
    /// do better.
    pub ceiling: Option<f64>,
    /// (ceiling − local)/local.
    pub most: Option<f64>,
    /// What mediated would have to reach for a relative gain of [`CLAIM`].
    pub needed: f64,
}

/// One predictor against another one on the same questions: mediated against each other one, or an arm against its parts.
#[derive(Clone, Debug, Serialize)]
pub struct Paired {
    /// The other one.
    pub against: &'static str,
    /// Headline metric of the first minus the other's.
    #[serde(flatten)]
    pub headline: Headline,
    /// Of all metrics with an interval: first minus other, interval by person.
    pub difference: Vec<Difference>,
    /// Only the first right, or nearer.
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
    /// By person; absent with fewer than [`FEW`](super::stats::FEW) people.
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

/// One window of a rolling origin, fitted on everything before it.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    /// What lay before it.
    pub history: Option<Range>,
    /// Its queries.
    pub queries: Range,
    /// On what weights were fitted.
    pub fitted_on: Option<Range>,
    /// The weights.
    pub weights: Weights,
    /// Questions.
    pub n: usize,
    /// Who asked them.
    pub users: usize,
    /// Arms in the order of display.
    #[serde(serialize_with = "by_name")]
    pub arms: Vec<ArmReport>,
    /// Peers, fitted on the window's history.
    #[serde(serialize_with = "by_name", skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<ArmReport>,
    /// With arm mediated; Holm over the windows of a rival.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paired: Vec<Paired>,
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
    /// What intervals resample and tests flip.
    pub resampled: Unit,
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
    /// Where a model answered: what it and memory say by themselves on each arm, `local/model`, `local/memory` …
    #[serde(serialize_with = "by_name", skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ArmReport>,
    /// Each arm against its parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fused: Vec<Paired>,
    /// The windows of a rolling origin.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Window>,
    /// With arms local and mediated, of labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
    /// The same of ratings.
    #[serde(rename = "overrides", skip_serializing_if = "Option::is_none")]
    pub nearer: Option<Nearer>,
    /// With arms local and global.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<Disagreement>,
    /// Signs of failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signs: Option<Signs>,
    /// With arms local and mediated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gain: Vec<Gain>,
    /// With arm mediated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paired: Vec<Paired>,
    /// With arm mediated and a side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pooled: Vec<NonInferiority>,
    /// Every question with its answers, where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
}

/// The gain over local by itself.
#[derive(Clone, Debug, Serialize)]
pub struct GainReport<'a> {
    /// How it came about.
    #[serde(flatten)]
    pub provenance: &'a Provenance,
    /// What intervals resample.
    pub resampled: Unit,
    /// The metric of both figures.
    pub metric: Metric,
    /// The relative gain that `needed` is computed for: [`CLAIM`].
    pub claim: f64,
    /// By visible items.
    pub gain: &'a [Gain],
}

impl<'a> GainReport<'a> {
    /// That of `assessment`.
    pub fn of(assessment: &'a Assessment) -> Self {
        let Assessment { provenance, resampled, headline, gain, .. } = assessment;
        Self { provenance, resampled: *resampled, metric: *headline, claim: CLAIM, gain }
    }
}

fn by_name<S: Serializer>(arms: &[ArmReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(arms.iter().map(|arm| (arm.name, arm)))
}
