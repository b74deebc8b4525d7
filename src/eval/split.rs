//! Which queries are asked, and from when on: judged queries of the dataset, or the later part of its interactions.
//!
//! Either way a query is answered from interactions strictly before its own moment (prequential): the split decides
//! what is asked and what may be fitted, never what is remembered.

use serde::Serialize;

use super::EvalError;
use crate::data::dataset::Dataset;
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::memory::rating::About;

/// How queries are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Split {
    /// `queries.jsonl`, those with a gold answer.
    Judged,
    /// The first `share` of the interactions by (at, id) is history, the rest are the queries.
    Share {
        /// In (0, 1).
        share: f64,
    },
}

/// A query with the answer it is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Unique among the questions.
    pub id: &'a str,
    /// Who asks.
    pub user: &'a UserId,
    /// When.
    pub at: Timestamp,
    /// What is asked.
    pub text: &'a str,
    /// What it is about, where its record says so.
    pub about: Option<About<'a>>,
    /// Index of the right label.
    pub gold: usize,
}

/// A stretch of time with the number of records in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Records.
    pub n: usize,
    /// The first one's moment.
    pub from: Timestamp,
    /// The last one's moment.
    pub to: Timestamp,
}

impl Range {
    /// Of records at these moments; `None` without any.
    pub fn of_moments(moments: impl Iterator<Item = Timestamp>) -> Option<Self> {
        moments.fold(None, |range: Option<Range>, at| {
            let Range { n, from, to } = range.unwrap_or(Range { n: 0, from: at, to: at });
            Some(Range { n: n + 1, from: from.min(at), to: to.max(at) })
        })
    }
}

/// The queries of a split, in time order, and the history before them.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// How they were chosen.
    pub split: Split,
    /// What may be fitted on: interactions strictly before every query for judged ones, the first part of a share.
    pub history: &'a [Interaction],
    /// In order of (at, id).
    pub questions: Vec<Question<'a>>,
    /// The time of the history.
    pub history_range: Option<Range>,
    /// The time of the queries.
    pub query_range: Range,
    /// Queries without a gold answer, left out.
    pub without_gold: usize,
}

impl<'a> Asked<'a> {
    /// Takes the queries of `dataset`.
    pub fn of(dataset: &'a Dataset, split: Split) -> Result<Self, EvalError> {
        let labels = dataset.manifest.responses();
        let label = |response: &str| labels.iter().position(|label| label == response);
        let (mut questions, history, without_gold): (Vec<Question>, _, _) = match split {
            Split::Share { share } => {
                let n = dataset.interactions.len();
                let cut = (n as f64 * share).floor() as usize;
                if !(share > 0.0 && share < 1.0) || cut == 0 || cut == n {
                    return Err(EvalError::EmptySplit(share));
                }
                let (history, rest) = dataset.interactions.split_at(cut);
                let asked = rest.iter().filter_map(|i| {
                    let gold = label(&i.response)?;
                    let about = Some(About { item: i.item.as_deref(), extra: &i.extra });
                    Some(Question { id: &i.id, user: &i.user, at: i.at, text: &i.query, about, gold })
                });
                (asked.collect(), history, 0)
            }
            Split::Judged => {
                let asked = dataset.queries.iter().filter_map(|q| {
                    let gold = label(q.gold.as_deref()?)?;
                    let about = Some(About { item: q.item.as_deref(), extra: &q.extra });
                    Some(Question { id: &q.id, user: &q.user, at: q.at, text: &q.query, about, gold })
                });
                let asked: Vec<Question> = asked.collect();
                let first = asked.iter().map(|q| q.at).min();
                let cut = first.map_or(0, |first| dataset.interactions.partition_point(|i| i.at < first));
                let left_out = dataset.queries.len() - asked.len();
                (asked, &dataset.interactions[..cut], left_out)
            }
        };
        questions.sort_by(|a, b| (a.at, a.id).cmp(&(b.at, b.id)));
        let Some(query_range) = Range::of_moments(questions.iter().map(|q| q.at)) else {
            return Err(EvalError::NoQuery(dataset.manifest.name.clone()));
        };
        let history_range = Range::of_moments(history.iter().map(|i| i.at));
        Ok(Self { split, history, questions, history_range, query_range, without_gold })
    }
}
