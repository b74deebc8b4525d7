//! Which queries are asked, and from when on: judged queries of the dataset, or the later part of its interactions.
//!
//! Either way a query is answered from interactions strictly before its own moment (prequential): the split decides
//! what is asked and what may be fitted, never what is remembered.
//!
//! A rolling origin cuts the queries into windows of time and fits at the start of each on everything before it: the
//! order in which a program in use would meet them.

use serde::Serialize;

use super::EvalError;
use crate::data::dataset::Dataset;
use crate::data::draw::Draw;
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::memory::rating::About;

/// How queries are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Split {
    /// `queries.jsonl`, those with a gold answer.
    Judged,
    /// The first `share` of the interactions by (at, id) is history, but for those of the first query's moment; what comes
    /// after the share are the queries.
    Share {
        /// In (0, 1).
        share: f64,
    },
    /// The same queries in windows of time: what is fitted is fitted anew at the start of each, on everything before it.
    Rolling {
        /// Where the first window begins, in (0, 1).
        share: f64,
        /// How many windows there are.
        origins: usize,
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
    /// Index of the right label; of texts of its form.
    pub gold: usize,
    /// The right answer as the data writes it.
    pub answer: &'a str,
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
    /// What may be fitted on: interactions strictly before every query.
    pub history: &'a [Interaction],
    /// In order of (at, id).
    pub questions: Vec<Question<'a>>,
    /// The time of the history.
    pub history_range: Option<Range>,
    /// The time of the queries.
    pub query_range: Range,
    /// Queries without a gold answer, left out.
    pub without_gold: usize,
    /// What the queries were drawn from, where not all are asked.
    pub sampled: Option<Sampled>,
}

/// Queries were drawn by lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sampled {
    /// From how many.
    pub of: usize,
    /// The seed of the lot.
    pub seed: u64,
}

impl<'a> Asked<'a> {
    /// The queries of `dataset`, in windows: one, except where the origin rolls. A window's history is everything before
    /// its first moment, so later windows may be fitted on earlier ones; together they ask what a share asks.
    pub fn windows(dataset: &'a Dataset, split: Split) -> Result<Vec<Self>, EvalError> {
        let Split::Rolling { share, origins } = split else { return Ok(vec![Self::of(dataset, split)?]) };
        let start = cut(dataset, share)?;
        let n = dataset.interactions.len() - start;
        if origins == 0 || origins > n {
            return Err(EvalError::Origins { origins, queries: n });
        }
        let edge = |window: usize| start + n * window / origins;
        (0..origins).map(|window| Self::between(dataset, split, edge(window)..edge(window + 1))).collect()
    }

    /// Takes the queries of `dataset`.
    pub fn of(dataset: &'a Dataset, split: Split) -> Result<Self, EvalError> {
        match split {
            Split::Share { share } | Split::Rolling { share, .. } => {
                Self::between(dataset, split, cut(dataset, share)?..dataset.interactions.len())
            }
            Split::Judged => {
                let label = labels(dataset);
                let asked = dataset.queries.iter().filter_map(|q| {
                    let answer = q.gold.as_deref()?;
                    let gold = label(answer)?;
                    let about = Some(About { item: q.item.as_deref(), extra: &q.extra });
                    Some(Question { id: &q.id, user: &q.user, at: q.at, text: &q.query, about, gold, answer })
                });
                let asked: Vec<Question> = asked.collect();
                let history = before(dataset, asked.iter().map(|q| q.at).min());
                let left_out = dataset.queries.len() - asked.len();
                Self::in_order(dataset, split, asked, history, left_out)
            }
        }
    }

    /// Asks the interactions of `window`, whose history is all before its first moment: what shares that with a query may
    /// be fitted on no more than it may be remembered.
    fn between(dataset: &'a Dataset, split: Split, window: std::ops::Range<usize>) -> Result<Self, EvalError> {
        let label = labels(dataset);
        let first = dataset.interactions[window.clone()].first().map(|i| i.at);
        let asked = dataset.interactions[window].iter().filter_map(|i| {
            let gold = label(&i.response)?;
            let about = Some(About { item: i.item.as_deref(), extra: &i.extra });
            Some(Question { id: &i.id, user: &i.user, at: i.at, text: &i.query, about, gold, answer: &i.response })
        });
        Self::in_order(dataset, split, asked.collect(), before(dataset, first), 0)
    }

    fn in_order(
        dataset: &Dataset,
        split: Split,
        mut questions: Vec<Question<'a>>,
        history: &'a [Interaction],
        without_gold: usize,
    ) -> Result<Self, EvalError> {
        questions.sort_by(|a, b| (a.at, a.id).cmp(&(b.at, b.id)));
        let Some(query_range) = Range::of_moments(questions.iter().map(|q| q.at)) else {
            return Err(EvalError::NoQuery(dataset.manifest.name.clone()));
        };
        let history_range = Range::of_moments(history.iter().map(|i| i.at));
        Ok(Self { split, history, questions, history_range, query_range, without_gold, sampled: None })
    }

    /// Keeps `n` of the queries, drawn by lot from `seed`, still in time order; all of them where there are no more.
    pub fn sample(&mut self, n: usize, seed: u64) {
        let of = self.questions.len();
        if n >= of {
            return;
        }
        let mut drawn: Vec<usize> = (0..of).collect();
        Draw::seeded(seed).shuffle(&mut drawn);
        drawn.truncate(n);
        drawn.sort_unstable();
        self.questions = drawn.into_iter().map(|ix| self.questions[ix]).collect();
        let range = Range::of_moments(self.questions.iter().map(|q| q.at));
        self.query_range = range.unwrap_or(self.query_range);
        self.sampled = Some(Sampled { of, seed });
    }
}

/// Every interaction as a question, in time order.
pub fn every(dataset: &Dataset) -> Vec<Question<'_>> {
    let label = labels(dataset);
    let asked = dataset.interactions.iter().filter_map(|i| {
        let about = Some(About { item: i.item.as_deref(), extra: &i.extra });
        Some(Question {
            id: &i.id,
            user: &i.user,
            at: i.at,
            text: &i.query,
            about,
            gold: label(&i.response)?,
            answer: &i.response,
        })
    });
    asked.collect()
}

/// The interactions strictly before `first`, if there is such a moment.
fn before(dataset: &Dataset, first: Option<Timestamp>) -> &[Interaction] {
    let cut = first.map_or(0, |first| dataset.interactions.partition_point(|i| i.at < first));
    &dataset.interactions[..cut]
}

/// The place of a label among the answers.
fn labels(dataset: &Dataset) -> impl Fn(&str) -> Option<usize> {
    let places = dataset.manifest.places();
    move |response| places.of(response)
}

/// How many interactions the first `share` of them are.
fn cut(dataset: &Dataset, share: f64) -> Result<usize, EvalError> {
    let n = dataset.interactions.len();
    let cut = (n as f64 * share).floor() as usize;
    if !(share > 0.0 && share < 1.0) || cut == 0 || cut == n {
        return Err(EvalError::EmptySplit { share, interactions: n });
    }
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sample;

    #[test]
    fn what_shares_the_moment_of_the_first_query_is_no_history() {
        let mut dataset = sample::dataset().unwrap();
        dataset.interactions.truncate(40);
        // Ten of one moment, thirty of the next.
        dataset.interactions.iter_mut().enumerate().for_each(|(ix, i)| i.at = Timestamp(i64::from(ix >= 10)));
        let asked = Asked::of(&dataset, Split::Share { share: 0.5 }).unwrap();
        assert_eq!((asked.history.len(), asked.questions.len()), (10, 20));
        for window in Asked::windows(&dataset, Split::Rolling { share: 0.5, origins: 2 }).unwrap() {
            assert_eq!((window.history.len(), window.questions.len()), (10, 10));
        }
        dataset.interactions.iter_mut().for_each(|i| i.at = Timestamp(0));
        let asked = Asked::of(&dataset, Split::Share { share: 0.5 }).unwrap();
        assert!(asked.history.is_empty() && asked.history_range.is_none() && asked.questions.len() == 20);
    }
}
