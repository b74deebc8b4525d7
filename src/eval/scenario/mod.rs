//! Scenarios as studies: the same questions over a whole dataset with another history, each figure with an interval.
//!
//! A study says how often an effect occurs; a [session](crate::session::scenario) shows it on one person. Both read memory
//! the same way, so a rung of a study is the rung of a session. Intervals resample people, never questions, which stand on
//! many rungs; where people are too few for that there is none.
//!
//! * [`ladder`]: less of a history. * [`dial`]: a history skewed toward one label. * [`drift`]: a taste that changes.
//! * [`arrival`]: a community that memory has not seen.

pub mod arrival;
pub mod dial;
pub mod drift;
pub mod ladder;
mod report;

pub use report::long_csv;

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::EvalError;
use super::experiment::spread;
use super::metrics::Addend;
use super::split::Question;
use super::stats::{Interval, Plan, Table, intervals};
use crate::data::interaction::UserId;
use crate::engine::answer::memory_distribution;
use crate::engine::engine::Engine;
use crate::engine::error::EngineError;
use crate::engine::prompt::{Arm, Blocks};
use crate::mediator::fusion::fuse;
use crate::mediator::{Evidence, Facet, mediate};
use crate::memory::held::Held;
use crate::memory::{Apart, Memory};
use crate::session::event::Setting;

/// A side is as good as another within this: two points of accuracy.
pub const WITHIN: f64 = 0.02;

/// What an answer is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// 1 for a right label, 0 for a wrong one: more is better.
    Accuracy,
    /// |median − gold| of a rating: less is better.
    AbsoluteError,
}

impl By {
    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            By::Accuracy => "accuracy",
            By::AbsoluteError => "MAE",
        }
    }

    /// By how much `a` is better than `b`.
    pub fn lead(self, a: f64, b: f64) -> f64 {
        match self {
            By::Accuracy => a - b,
            By::AbsoluteError => b - a,
        }
    }

    fn better(self, a: f64, b: f64) -> f64 {
        match self {
            By::Accuracy => a.max(b),
            By::AbsoluteError => a.min(b),
        }
    }
}

/// Everything that stays the same from question to question.
pub struct Asking<'a> {
    /// What is read.
    pub memory: &'a Memory,
    /// Who answers besides memory; `None` for memory alone.
    pub engine: Option<&'a dyn Engine>,
    /// Weights and rule.
    pub setting: Setting,
    /// Set to stop.
    pub cancel: &'a AtomicBool,
}

/// A question, and what of their own its asker remembers.
#[derive(Clone, Debug)]
pub struct Job {
    /// Index of the question.
    pub question: usize,
    /// `None`: all that lies before it.
    pub held: Option<Held>,
}

/// How the arms answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// Decision of each arm, in the order of [`Arm::ALL`].
    pub decisions: [usize; 4],
    /// How each is judged.
    pub scores: [f64; 4],
    /// The person's items that memory held.
    pub visible: usize,
}

impl Asking<'_> {
    /// What answers of this task are judged by.
    pub fn by(&self) -> By {
        if self.memory.manifest.scale.is_some() { By::AbsoluteError } else { By::Accuracy }
    }

    /// Asks everything, in order; `progress` hears how much is done.
    ///
    /// # Errors
    ///
    /// A failure of memory or the model, or [`EvalError::Interrupted`].
    pub fn all(
        &self,
        questions: &[Question],
        jobs: &[Job],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Told>, EvalError> {
        let one = |ix: usize| self.ask(&questions[jobs[ix].question], jobs[ix].held.as_ref());
        if self.engine.is_none() {
            return spread(jobs.len(), one, self.cancel, progress);
        }
        // An engine runs one sequence at a time.
        let mut told = Vec::with_capacity(jobs.len());
        for ix in 0..jobs.len() {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(EvalError::Interrupted);
            }
            told.push(one(ix)?);
            progress(told.len());
        }
        Ok(told)
    }

    /// Asks one question on all arms.
    pub fn ask(&self, question: &Question, held: Option<&Held>) -> Result<Told, EvalError> {
        let Question { user, text, about, at, gold, .. } = *question;
        let (memory, Setting { weights, policy }) = (self.memory, self.setting);
        let read = match held {
            Some(held) => memory.read_held(user, text, about, at, held)?,
            None => memory.read_apart(user, text, about, at, Apart::default())?,
        };
        let manifest = &memory.manifest;
        let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
        let resolution = mediate(&evidence, &weights, policy);
        let mut decisions = Arm::ALL.map(|arm| resolution.decide(memory_distribution(&resolution, arm)));
        if let Some(engine) = self.engine {
            let (blocks, labels) = (Blocks::of(memory, text, &read), &memory.population.labels);
            if memory.scored_labels().is_empty() {
                let engine = engine.caps().name.clone();
                return Err(EngineError::Unsupported { engine, what: "score the form of a text" }.into());
            }
            for (arm, decision) in Arm::ALL.into_iter().zip(&mut decisions) {
                let scores = engine.score(&blocks.prompt(arm, &weights), labels)?;
                if scores.len() != labels.len() {
                    let engine = engine.caps().name.clone();
                    return Err(EngineError::Unsupported { engine, what: "score labels" }.into());
                }
                let fused = fuse(&scores, memory_distribution(&resolution, arm), weights.model_trust);
                *decision = resolution.decide(&fused);
            }
        }
        let score = |decision: usize| match &resolution.facet {
            Facet::Label | Facet::Form => f64::from(u8::from(decision == gold)),
            Facet::Score(steps) => (steps[decision] - steps[gold]).abs(),
        };
        Ok(Told { decisions, scores: decisions.map(score), visible: read.local.visible() })
    }
}

/// A figure with its interval by person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// 95 %, by person; `None` where it does not apply, and where fewer than [`FEW`](super::stats::FEW) people were asked.
    pub interval: Option<Interval>,
}

/// Intervals by person of `figures`, none of fewer than [`FEW`](super::stats::FEW) people.
fn around<F>(tables: &[Table], plan: Plan, figures: F) -> Vec<Option<Interval>>
where
    F: Fn(&[Vec<f64>]) -> Vec<Option<f64>> + Sync,
{
    let people = tables.first().map_or(0, Table::observations);
    intervals(tables, plan.among(people), figures)
}

/// What the arms make of some questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Questions.
    pub n: usize,
    /// People who asked them.
    pub people: usize,
    /// Of each arm, in the order of [`Arm::ALL`].
    pub arms: [Estimate; 4],
    /// By how much local is better than global.
    pub local_over_global: Estimate,
    /// By how much mediated is better than local.
    pub mediated_over_local: Estimate,
    /// By how much mediated is better than global.
    pub mediated_over_global: Estimate,
    /// The better of local and global, question by question: what no choice between the two can beat.
    pub ceiling: Estimate,
    /// [`Cell::mediated_over_local`] as a share of what local reaches (of accuracy), or of its error (of ratings).
    pub relative_gain: Option<f64>,
}

impl Cell {
    /// Of answers with who asked; `None` without any.
    pub fn of<'a>(rows: impl IntoIterator<Item = (&'a UserId, Told)>, by: By, plan: Plan) -> Option<Self> {
        let row = |(user, told): (&'a UserId, Told)| {
            let [none, local, global, mediated] = told.scores;
            let best = by.better(local, global);
            let sums: [Addend; 6] = [(0, 1.0), (1, none), (2, local), (3, global), (4, mediated), (5, best)];
            (user, sums)
        };
        let table = Table::of(6, rows.into_iter().map(row));
        let n = table.total()[0];
        if n == 0.0 {
            return None;
        }
        let people = table.observations();
        let figures = |sums: &[Vec<f64>]| -> Vec<Option<f64>> {
            let sums = &sums[0];
            let mean = |at: usize| (sums[0] > 0.0).then(|| sums[at] / sums[0]);
            let lead = |a: usize, b: usize| Some(by.lead(mean(a)?, mean(b)?));
            vec![mean(1), mean(2), mean(3), mean(4), lead(2, 3), lead(4, 2), lead(4, 3), mean(5)]
        };
        let tables = [table];
        let values = figures(&[tables[0].total()]);
        let around = around(&tables, plan, figures);
        let estimate = |ix: usize| Estimate { value: values[ix].unwrap_or_default(), interval: around[ix] };
        let (local, gain) = (estimate(1), estimate(5));
        Some(Self {
            n: n as usize,
            people,
            arms: [estimate(0), local, estimate(2), estimate(3)],
            local_over_global: estimate(4),
            mediated_over_local: gain,
            mediated_over_global: estimate(6),
            ceiling: estimate(7),
            relative_gain: (local.value > 0.0).then(|| gain.value / local.value),
        })
    }
}

/// What a study was made on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// Version of the JSON object.
    pub schema: &'static str,
    /// Name of the dataset.
    pub dataset: String,
    /// Its content.
    pub dataset_hash: String,
    /// Name of the model; `None` for memory alone.
    pub model: Option<String>,
    /// Which queries, in words.
    pub queries: String,
    /// What answers are judged by.
    pub by: By,
    /// Weights and rule.
    #[serde(flatten)]
    pub setting: Setting,
    /// Resamples and seed.
    pub plan: Plan,
}
