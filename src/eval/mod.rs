//! Evaluation: every arm answers the same queries, each from what lay strictly before it; then metrics, intervals and
//! paired tests that respect that one person's queries are not independent.
//!
//! Knows no terminal. The order of things: a [`split`] names the queries, an [`experiment`] answers them, an
//! [`assessment`] judges the answers, a [`report`] prints the judgement. What is particular to a kind of task lives in
//! [`metrics`], behind [`metrics::Measures`].

pub mod ablate;
pub mod assessment;
pub mod audit;
pub mod bucket;
pub mod compare;
pub mod contest;
pub mod distances;
pub mod experiment;
pub mod fit;
pub mod judge;
pub mod metrics;
pub mod numbers;
pub mod peer;
pub mod pulse;
pub mod report;
pub mod rouge;
pub mod row;
pub mod scenario;
pub mod signs;
pub mod split;
pub mod stats;
pub mod sweep;
pub mod timelines;

use crate::data::dataset::{DatasetError, TaskKind};
use crate::data::interaction::Timestamp;
use crate::engine::error::EngineError;
use crate::memory::embed::Forbidden;
use crate::memory::entry::IndexError;

/// Why an evaluation came to no result.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The dataset could not be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The share of a split is no share, or there is too little to share.
    #[error(
        "the split {share} leaves no history or no queries of {}; {}",
        counted(*interactions, "interaction", "interactions"),
        advice(*share, *interactions)
    )]
    EmptySplit {
        /// The share asked for.
        share: f64,
        /// Interactions there are.
        interactions: usize,
    },
    /// More windows than queries, or none.
    #[error(
        "{} cannot be cut into {}; give --origins from 1 up, or leave more to --split",
        counted(*queries, "query", "queries"),
        counted(*origins, "window", "windows")
    )]
    Origins {
        /// Windows asked for.
        origins: usize,
        /// Queries there are.
        queries: usize,
    },
    /// Nothing to judge.
    #[error(
        "the dataset '{0}' has no judged query: give queries.jsonl a \"gold\", or split the interactions (--split 0.8)"
    )]
    NoQuery(String),
    /// Too little to fit on.
    #[error(
        "a fit needs at least {least} queries in the second half of the history and found {found}; \
         give it a dataset with more, or more of this one as history (a larger --split)"
    )]
    TooFewToFit {
        /// Queries there are.
        found: usize,
        /// Queries there have to be.
        least: usize,
    },
    /// Nothing to fit on.
    #[error(
        "nothing lies before the first query, of {at}: there is no history to fit on; \
         give another --split, or leave out what needs one, such as --peers"
    )]
    NoHistory {
        /// The first query's moment.
        at: Timestamp,
    },
    /// A task without metrics.
    #[error("tasks of kind {0:?} cannot be evaluated yet; this version judges 'labels', 'rating' and 'text'")]
    Task(TaskKind),
    /// Memory could not be read.
    #[error(transparent)]
    Memory(#[from] IndexError),
    /// The model.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Vectors that may not answer the first of the questions.
    #[error(transparent)]
    Vectors(#[from] Forbidden),
    /// Nobody has a history as long as a ladder.
    #[error("no query's user has {wanted} items before it, {most} at most; lower --most")]
    NoRung {
        /// The greatest rung.
        wanted: usize,
        /// The longest history.
        most: usize,
    },
    /// Too few histories can be skewed.
    #[error(
        "a dial of {length} items needs users with as many of one label and of others, and queries on-habit and \
         off-habit; found {on} on-habit and {off} off-habit; lower --length or name another --label"
    )]
    NoDial {
        /// Items of a history.
        length: usize,
        /// Queries on-habit.
        on: usize,
        /// Queries off-habit.
        off: usize,
    },
    /// Nothing changes.
    #[error("nobody changes or arrives in this data; use data with longer histories, or splice people with --made")]
    NoChange,
    /// A peer's fit did not settle.
    #[error(
        "the logistic regression did not converge in {iterations} steps (largest gradient {gradient:.1e}); leave out --peers"
    )]
    Diverged {
        /// Steps taken.
        iterations: usize,
        /// Largest entry of the gradient when it gave up.
        gradient: f64,
    },
    /// Somebody asked to stop.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

/// What to split by instead.
fn advice(share: f64, interactions: usize) -> String {
    if interactions < 2 {
        return "give it a dataset with two or more".to_owned();
    }
    // 80 is meant as a percentage, 1.5 is not.
    let instead = if (10.0..100.0).contains(&share) { share / 100.0 } else { 0.8 };
    format!("give a share between 0 and 1 such as {instead}")
}

/// `n` of something.
pub(crate) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Differences this small between two answers are rounding.
pub(crate) const EVEN: f64 = 1e-9;

/// `x`, or 0 where it is that to so many decimals: what rounds to nothing has no sign.
pub(crate) fn steady(x: f64, decimals: i32) -> f64 {
    if (x * 10f64.powi(decimals)).abs() < 0.5 { 0.0 } else { x }
}

/// A p-value in few digits: `.25`, `.003`, `<.001`.
pub fn p_value(p: f64) -> String {
    let digits = if p < 0.0995 { 3 } else { 2 };
    match p {
        p if p < 0.000_5 => "<.001".to_owned(),
        p if p >= 0.995 => "1".to_owned(),
        p => format!("{p:.digits$}").trim_start_matches('0').to_owned(),
    }
}
