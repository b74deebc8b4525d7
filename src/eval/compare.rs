//! Two results of `eval --format json --rows` on the same questions, compared by person.
//!
//! Invariant: results whose questions, people, moments or right answers differ are refused, never joined on what they
//! share: a difference over other rows says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::EVEN;
use super::assessment::{self, Difference};
use super::metrics::{Addend, LabelMeasures, Measures, Metric, RatingMeasures};
use super::row::{Row, RowAnswer};
use super::stats::{Plan, Table, Tail, Unit, detectable, intervals, mcnemar, sign_flip, standard_error};
use crate::data::interaction::UserId;
use crate::data::text;

/// Version of the JSON object.
pub const SCHEMA: &str = "logoscope.compare/1";
/// Characters of a fingerprint that are told.
const HASH: usize = 8;

/// Why two results were not compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file that cannot be read.
    #[error("{}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is no result.
    #[error("{}: {reason}; give a file that `logoscope eval --format json --rows` wrote", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A predictor that is not in the file.
    #[error("{}: has no predictor '{wanted}'; it has {}", path.display(), known.join(", "))]
    Predictor {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        wanted: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Other rows.
    #[error("the two results are not over the same rows: {0}; make both with the same --data, --split and --limit")]
    Rows(String),
    /// Other data.
    #[error("the two results are not over the same data: {0}; make both with the same --data")]
    Data(String),
}

/// A result read from a file.
#[derive(Clone, Debug)]
pub struct Outcome {
    path: PathBuf,
    head: Head,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Deserialize)]
struct Head {
    schema: String,
    dataset: String,
    dataset_hash: String,
    /// Results of earlier programs tell neither this nor the embedder nor settings.
    #[serde(default)]
    records_hash: Option<String>,
    predictor: String,
    policy: String,
    #[serde(default)]
    embedder: Option<String>,
    #[serde(default)]
    model: Value,
    #[serde(default)]
    weights: Value,
    #[serde(default)]
    gap_days: f64,
    #[serde(default)]
    guard: Value,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    split: Value,
    #[serde(default)]
    rows: Vec<Row>,
}

/// A setting in which two results differ, by its path; null where one does not have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differing {
    /// Which.
    pub setting: String,
    /// In A.
    pub a: Value,
    /// In B.
    pub b: Value,
}

impl Outcome {
    /// Reads the result in the file at `path`.
    pub fn read(path: &Path) -> Result<Self, CompareError> {
        let bytes = std::fs::read(path).map_err(|source| CompareError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &bytes)
    }

    /// The result whose file at `path` holds `bytes`.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CompareError> {
        let form = |reason: String| CompareError::Form { path: path.to_owned(), reason };
        let mut head: Head = serde_json::from_slice(bytes)
            .map_err(|error| form(format!("is no result: {}", text::json_fault(&error))))?;
        if head.schema != assessment::SCHEMA {
            return Err(form(format!("its schema is '{}', not '{}'", head.schema, assessment::SCHEMA)));
        }
        let mut rows = std::mem::take(&mut head.rows);
        if rows.is_empty() {
            return Err(form("holds no rows, only figures".to_owned()));
        }
        rows.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(Self { path: path.to_owned(), head, rows })
    }

    fn answers<'a>(&'a self, wanted: &str) -> Result<Vec<&'a RowAnswer>, CompareError> {
        let missing = |row: &Row| CompareError::Predictor {
            path: self.path.clone(),
            wanted: wanted.to_owned(),
            known: row.answers.keys().cloned().collect(),
        };
        self.rows.iter().map(|row| row.answers.get(wanted).ok_or_else(|| missing(row))).collect()
    }

    /// Every setting by its path.
    fn settings(&self) -> BTreeMap<String, Value> {
        let Head { predictor, policy, embedder, model, weights, gap_days, guard, settings, split, .. } = &self.head;
        let told = json!({
            "predictor": predictor, "policy": policy, "embedder": embedder, "model": model, "weights": weights,
            "gap_days": gap_days, "guard": guard, "settings": settings, "fitted_on": split.get("fitted_on"),
        });
        let mut flat = BTreeMap::new();
        flatten(String::new(), told, &mut flat);
        flat
    }

    fn side(&self, arm: &str) -> Side {
        let Head { dataset, dataset_hash, records_hash, predictor, policy, embedder, .. } = self.head.clone();
        let (file, arm) = (self.path.display().to_string(), arm.to_owned());
        Side { file, dataset, dataset_hash, records_hash, predictor, policy, embedder, arm }
    }
}

/// Takes `value` apart into what is no object.
fn flatten(path: String, value: Value, flat: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => fields.into_iter().for_each(|(name, value)| {
            let path = if path.is_empty() { name } else { format!("{path}.{name}") };
            flatten(path, value, flat);
        }),
        Value::Null => {}
        value => drop(flat.insert(path, value)),
    }
}

fn part_of(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

/// The settings in which `a` and `b` differ. Of a part that only one of them tells at all nothing is said.
fn differing(a: &Outcome, b: &Outcome) -> Vec<Differing> {
    let (a, b) = (a.settings(), b.settings());
    let tells = |all: &BTreeMap<String, Value>, part: &str| all.keys().any(|path| part_of(path) == part);
    let untold = |path: &str| {
        let part = part_of(path);
        // A model or a fit that only one of them has is a difference.
        let both = tells(&a, part) && tells(&b, part);
        !both && !["model", "fitted_on"].contains(&part)
    };
    let paths: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let paths = paths.into_iter().filter(|path| a.get(*path) != b.get(*path) && !untold(path));
    let of = |all: &BTreeMap<String, Value>, path: &String| all.get(path).cloned().unwrap_or_default();
    paths.map(|path| Differing { setting: path.clone(), a: of(&a, path), b: of(&b, path) }).collect()
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its file.
    pub file: String,
    /// The dataset's name.
    pub dataset: String,
    /// Fingerprint of its content and settings.
    pub dataset_hash: String,
    /// Fingerprint of its records alone, where the result names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_hash: Option<String>,
    /// What answered: `memory` or `model`.
    pub predictor: String,
    /// The mediator's rule.
    pub policy: String,
    /// What made the vectors, where the result names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
    /// The arm or peer whose answers are compared.
    pub arm: String,
}

/// One metric of both.
#[derive(Clone, Debug, Serialize)]
pub struct Both {
    /// Of A.
    pub a: f64,
    /// Of B.
    pub b: f64,
    /// A minus B, by person.
    #[serde(flatten)]
    pub difference: Difference,
}

/// What a comparison found out; differences are A minus B.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The first result.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Settings in which they differ, by path.
    pub differing: Vec<Differing>,
    /// Questions.
    pub n: usize,
    /// Who asked them.
    pub users: usize,
    /// What intervals resample and the test flips.
    pub resampled: Unit,
    /// The metric that is tested.
    pub headline: Metric,
    /// Every metric that rows can give.
    pub metrics: Vec<Both>,
    /// Questions only A has right, or nearer.
    pub wins: usize,
    /// Questions only B has right, or nearer.
    pub losses: usize,
    /// Sign-flip permutation of the headline metric.
    pub p: f64,
    /// Exact McNemar, rows taken as independent; of ratings the sign test.
    pub p_mcnemar: f64,
    /// What difference a test at 5 % would find with 80 % power.
    pub detectable: Option<f64>,
    /// What resampling did.
    pub plan: Plan,
}

/// A predictor's rows, ready to be summed.
struct Judged {
    rows: Vec<Vec<Addend>>,
    /// Each row's part in the headline metric, more being better.
    merit: Vec<f64>,
}

/// Compares the answers of `arms.0` in `a` with those of `arms.1` in `b`.
pub fn compare(a: &Outcome, b: &Outcome, arms: (&str, &str), plan: Plan) -> Result<Comparison, CompareError> {
    same_rows(a, b).map_err(|rows| other_data(a, b).map_or(rows, CompareError::Data))?;
    let answers = (a.answers(arms.0)?, b.answers(arms.1)?);
    let of_scores = answers.0.iter().chain(&answers.1).all(|answer| answer.median.is_some() && answer.mean.is_some());
    let names: BTreeSet<&str> = a
        .rows
        .iter()
        .map(|row| row.gold.as_str())
        .chain(answers.0.iter().chain(&answers.1).map(|answer| answer.answer.as_str()))
        .collect();
    let labels: BTreeMap<&str, usize> = names.into_iter().enumerate().map(|(ix, name)| (name, ix)).collect();
    let of_labels = LabelMeasures { labels: labels.len() };
    let with_loss = answers.0.iter().chain(&answers.1).all(|answer| answer.p_gold.is_some());
    let (measures, metrics): (&dyn Measures, &[Metric]) = match (of_scores, with_loss) {
        (true, _) => (&RatingMeasures, &[Metric::MeanAbsoluteError, Metric::RootMeanSquareError]),
        (false, true) => (&of_labels, &[Metric::Accuracy, Metric::BalancedAccuracy, Metric::MacroF1, Metric::LogLoss]),
        (false, false) => (&of_labels, &[Metric::Accuracy, Metric::BalancedAccuracy, Metric::MacroF1]),
    };
    let judge = |of: &Outcome, answers: &[&RowAnswer]| -> Result<Judged, CompareError> {
        let mut judged = Judged { rows: Vec::new(), merit: Vec::new() };
        for (row, answer) in of.rows.iter().zip(answers) {
            if of_scores {
                let gold = row.gold.parse::<f64>().map_err(|_| CompareError::Form {
                    path: of.path.clone(),
                    reason: format!("row '{}' has the right answer '{}', which is no score", row.id, row.gold),
                })?;
                // All of them have scores, or this would be no comparison of scores.
                if let Some((median, mean)) = answer.median.zip(answer.mean) {
                    judged.rows.push(RatingMeasures.row(gold, median, mean));
                    judged.merit.push(-(median - gold).abs());
                }
            } else {
                let (gold, named) = (labels[row.gold.as_str()], labels[answer.answer.as_str()]);
                judged.rows.push(of_labels.row_of_gold(gold, named, answer.p_gold.filter(|_| with_loss)));
                judged.merit.push(f64::from(u8::from(gold == named)));
            }
        }
        Ok(judged)
    };
    let (first, second) = (judge(a, &answers.0)?, judge(b, &answers.1)?);

    let asked: Vec<&UserId> = a.rows.iter().map(|row| &row.user).collect();
    let units = Unit::of_askers(&asked).observations(&asked);
    let users = asked.iter().collect::<BTreeSet<_>>().len();
    let table = |judged: &Judged| Table::of(measures.width(), units.iter().zip(&judged.rows));
    let tables = [table(&first), table(&second)];
    let totals = [tables[0].total(), tables[1].total()];
    let found = intervals(&tables, plan, |sums| {
        metrics.iter().map(|m| Some(measures.value(*m, &sums[0])? - measures.value(*m, &sums[1])?)).collect()
    });
    let both = metrics.iter().zip(found).filter_map(|(metric, ci)| {
        let (a, b) = (measures.value(*metric, &totals[0])?, measures.value(*metric, &totals[1])?);
        Some(Both { a, b, difference: Difference { metric: *metric, value: a - b, ci: ci? } })
    });
    let gained: Vec<f64> = first.merit.iter().zip(&second.merit).map(|(a, b)| a - b).collect();
    let mut observed: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (unit, gained) in units.iter().zip(&gained) {
        let (n, d) = observed.entry(*unit).or_default();
        *n += 1.0;
        *d += gained;
    }
    let observed: Vec<(f64, f64)> = observed.into_values().collect();
    let wins = gained.iter().filter(|gained| **gained > EVEN).count();
    let losses = gained.iter().filter(|gained| **gained < -EVEN).count();
    Ok(Comparison {
        schema: SCHEMA,
        a: a.side(arms.0),
        b: b.side(arms.1),
        differing: differing(a, b),
        n: a.rows.len(),
        users,
        resampled: Unit::of(users),
        headline: metrics[0],
        metrics: both.collect(),
        wins,
        losses,
        p: sign_flip(&observed.iter().map(|(_, d)| *d).collect::<Vec<_>>(), Tail::Both, plan),
        p_mcnemar: mcnemar(wins, losses),
        detectable: standard_error(&observed).and_then(detectable),
        plan,
    })
}

/// How the data of two results differ that have other rows; `None` where nothing in them says that it does.
fn other_data(a: &Outcome, b: &Outcome) -> Option<String> {
    let (name, other) = (&a.head.dataset, &b.head.dataset);
    if name != other {
        return Some(format!("{} is of {name}, {} of {other}", a.path.display(), b.path.display()));
    }
    let (records, others) = (a.head.records_hash.as_ref()?, b.head.records_hash.as_ref()?);
    let short = |hash: &str| hash.chars().take(HASH).collect::<String>();
    (records != others).then(|| {
        format!("both are of {name}, with records {} in one and {} in the other", short(records), short(others))
    })
}

/// Whether both hold the same questions of the same people at the same moments, with the same right answers.
fn same_rows(a: &Outcome, b: &Outcome) -> Result<(), CompareError> {
    let by_id =
        |of: &Outcome| -> BTreeMap<String, Row> { of.rows.iter().map(|row| (row.id.clone(), row.clone())).collect() };
    let (ours, theirs) = (by_id(a), by_id(b));
    let alone = |of: &Outcome, others: &BTreeMap<String, Row>| {
        let mut alone = of.rows.iter().filter(|row| !others.contains_key(&row.id));
        alone.next().map(|first| (first.id.clone(), 1 + alone.count()))
    };
    for (of, others) in [(a, &theirs), (b, &ours)] {
        if let Some((id, n)) = alone(of, others) {
            return Err(CompareError::Rows(format!("{n} are only in {}, the first '{id}'", of.path.display())));
        }
    }
    for row in &a.rows {
        let Some(other) = theirs.get(&row.id) else { continue };
        let differs = [
            ("user", row.user.as_str() != other.user.as_str()),
            ("at", row.at != other.at),
            ("gold", row.gold != other.gold),
        ];
        if let Some((field, _)) = differs.iter().find(|(_, differs)| *differs) {
            return Err(CompareError::Rows(format!("'{}' has another {field} in each", row.id)));
        }
    }
    if a.rows.len() != b.rows.len() {
        return Err(CompareError::Rows(format!("{} in one and {} in the other", a.rows.len(), b.rows.len())));
    }
    Ok(())
}
