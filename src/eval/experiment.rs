//! The experiment: every question answered by every predictor, from what lay strictly before it.
//!
//! Prequential: memory goes on learning between questions, and no answer depends on another one, so questions are
//! spread over all cores and come back in their order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::EvalError;
use super::split::Question;
use crate::engine::answer::memory_distribution;
use crate::engine::prompt::Arm;
use crate::mediator::{Evidence, Facet, Policy, Weights, mediate};
use crate::memory::{Apart, Memory};

/// Questions a thread takes at a time: few enough that all threads end together.
const CHUNK: usize = 8;

/// How arms are mediated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// The rule.
    pub policy: Policy,
    /// The weights, the same for every question.
    pub weights: Weights,
    /// How memory is read.
    pub apart: Apart,
}

/// A predicted score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// What absolute error judges.
    pub median: f64,
    /// What squared error judges.
    pub mean: f64,
}

/// One predictor's answer to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Index of the label.
    pub decision: usize,
    /// Sums to 1; absent for a predictor that only names a label.
    pub distribution: Option<Vec<f64>>,
    /// Of ratings.
    pub score: Option<Score>,
}

impl Answer {
    /// A label by name alone.
    pub fn named(decision: usize) -> Self {
        Self { decision, distribution: None, score: None }
    }
}

/// What the arms answered to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The person's own items strictly before the question.
    pub visible: usize,
    /// One an arm, in the order of [`Arm::ALL`].
    pub arms: [Answer; 4],
}

/// Answers every question on every arm from memory alone, in order. `progress` hears how many are answered; once
/// `cancel` is set the run ends with [`EvalError::Interrupted`].
pub fn run(
    memory: &Memory,
    questions: &[Question],
    setting: Setting,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Answered>, EvalError> {
    spread(questions.len(), |ix| answer(memory, &questions[ix], setting), cancel, progress)
}

/// Does `work` for `0..n` on all cores; results come back in order. The first failure ends it, and so does `cancel`.
pub(super) fn spread<T: Send>(
    n: usize,
    work: impl Fn(usize) -> Result<T, EvalError> + Sync,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<T>, EvalError> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let run = |out: mpsc::SyncSender<(usize, Result<T, EvalError>)>| {
        loop {
            let start = next.fetch_add(CHUNK, Ordering::Relaxed);
            let chunk = start..n.min(start.saturating_add(CHUNK));
            if chunk.is_empty() {
                return;
            }
            for ix in chunk {
                if failed.load(Ordering::Relaxed) {
                    return;
                }
                let done = match cancel.load(Ordering::Relaxed) {
                    true => Err(EvalError::Interrupted),
                    false => work(ix),
                };
                // The receiver lives until all senders are gone.
                let _ = out.send((ix, done));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut found: Vec<Option<T>> = (0..n).map(|_| None).collect();
    let mut failure = None;
    thread::scope(|scope| {
        // Bounded: whoever answers never runs far ahead of whoever may stop it.
        let (out, results) = mpsc::sync_channel(CHUNK);
        let run = &run;
        for _ in 0..threads {
            let out = out.clone();
            scope.spawn(move || run(out));
        }
        drop(out);
        let mut done = 0;
        for (ix, result) in results {
            match result {
                Ok(result) => found[ix] = Some(result),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    // Of several threads' failures one is told.
                    failure.get_or_insert(error);
                }
            }
            done += 1;
            progress(done);
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(found.into_iter().flatten().collect()),
    }
}

/// What both memories say to every question, in order, for whoever mediates it many times.
pub fn gathered(
    memory: &Memory,
    questions: &[Question],
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Evidence>, EvalError> {
    let manifest = &memory.manifest;
    let read = |ix: usize| {
        let Question { user, text, about, at, .. } = questions[ix];
        let read = memory.read_apart(user, text, about, at, Apart::default())?;
        Ok(Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local))
    };
    spread(questions.len(), read, cancel, progress)
}

fn answer(memory: &Memory, question: &Question, setting: Setting) -> Result<Answered, EvalError> {
    let read = memory.read_apart(question.user, question.text, question.about, question.at, setting.apart)?;
    let manifest = &memory.manifest;
    let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
    let resolution = mediate(&evidence, &setting.weights, setting.policy);
    let arms = Arm::ALL.map(|arm| {
        let distribution = memory_distribution(&resolution, arm).to_vec();
        let decision = resolution.decide(&distribution);
        let score = match &resolution.facet {
            Facet::Label => None,
            Facet::Score(steps) => {
                resolution.facet.mean(&distribution).map(|mean| Score { median: steps[decision], mean })
            }
        };
        Answer { decision, distribution: Some(distribution), score }
    });
    Ok(Answered { visible: read.local.visible(), arms })
}
