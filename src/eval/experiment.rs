//! The experiment: every question answered by every predictor, from what lay strictly before it.
//!
//! Prequential: memory goes on learning between questions, and no answer depends on another one, so questions are
//! spread over all cores and come back in their order. A model is asked one question after another.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::EvalError;
use super::rouge::Rouge;
use super::split::Question;
use crate::data::form::{Form, log_words};
use crate::engine::answer::{memory_distribution, memory_length, request};
use crate::engine::engine::Engine;
use crate::engine::error::EngineError;
use crate::engine::prompt::{Arm, Blocks};
use crate::mediator::counterfactual::counterfactuals;
use crate::mediator::fusion::fuse;
use crate::mediator::signature::too_local;
use crate::mediator::{Evidence, Facet, Policy, Resolution, Weights, mediate};
use crate::memory::{Apart, Memory, MemoryRead};

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
    /// Of texts.
    pub written: Option<Compared>,
}

/// How a text compares with the right one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compared {
    /// |ln words − ln words of the right one|, where a length was predicted or a text written.
    pub length_error: Option<f64>,
    /// Where a text was written.
    pub rouge: Option<Rouge>,
}

impl Compared {
    /// A predicted length, in ln words, against that of the `right` text.
    fn of_length(right: &str, length: f64) -> Self {
        Self { length_error: Some((length - log_words(right)).abs()), rouge: None }
    }
}

impl Answer {
    /// A label by name alone.
    pub fn named(decision: usize) -> Self {
        Self { decision, distribution: None, score: None, written: None }
    }
}

/// What a model answered on one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    /// By itself, as if ω were 1.
    pub alone: Answer,
    /// With the arm's memory, by the setting's ω: the arm's answer.
    pub fused: Answer,
}

/// A collective entry that a prompt held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contributed {
    /// Its identity.
    pub id: String,
    /// Distinct people besides the asking one that it says are behind it.
    pub people: usize,
}

/// What global memory gave the prompts of a question, and what it kept back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The entries shown.
    pub entries: Vec<Contributed>,
    /// Collective statements kept back, fewer than k people being behind them.
    pub suppressed: usize,
}

impl Heard {
    fn of(read: &MemoryRead) -> Self {
        let entries = read.global.hits.iter().map(|hit| Contributed { id: hit.id.clone(), people: hit.users });
        Self { entries: entries.collect(), suppressed: read.global.suppressed }
    }
}

/// What the arms answered to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The person's own items strictly before the question.
    pub visible: usize,
    /// What they are worth for the question, in examples.
    pub mass: f64,
    /// Whether the rules' mediated answer hangs on one of them: [`crate::mediator::signature::too_local`].
    pub hangs: bool,
    /// What of others entered its prompts.
    pub heard: Heard,
    /// What memory says by itself, one an arm, in the order of [`Arm::ALL`].
    pub arms: [Answer; 4],
    /// The same of the model, where it was asked.
    pub spoken: [Option<Spoken>; 4],
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

/// Answers every question on every arm from memory, and on the `wanted` arms by the model too, one after another: an
/// engine runs one sequence at a time. The model scores the labels and writes nothing; of a text task it writes, and nothing
/// is scored or fused. `progress` hears how many
/// questions are answered; `cancel` is looked at before each call of the model.
pub fn run_with_model(
    memory: &Memory,
    engine: &dyn Engine,
    questions: &[Question],
    setting: Setting,
    wanted: &[Arm],
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Answered>, EvalError> {
    let labels = memory.scored_labels();
    let mut found = Vec::with_capacity(questions.len());
    for question in questions {
        let (read, evidence, resolution) = mediated(memory, question, setting)?;
        let mut answered = by_memory(question, &read, &evidence, &resolution, setting);
        let blocks = Blocks::of(memory, question.text, &read);
        for (ix, arm) in Arm::ALL.into_iter().enumerate().filter(|(_, arm)| wanted.contains(arm)) {
            if cancel.load(Ordering::Relaxed) {
                return Err(EvalError::Interrupted);
            }
            if labels.is_empty() {
                let request = request(&blocks, labels, arm, &setting.weights);
                let said = written(question, engine.generate(request).finish()?.text.trim());
                answered.spoken[ix] = Some(Spoken { alone: said.clone(), fused: said });
                continue;
            }
            let scores = engine.score(&blocks.prompt(arm, &setting.weights), labels)?;
            if scores.len() != labels.len() {
                let engine = engine.caps().name.clone();
                return Err(EngineError::Unsupported { engine, what: "score labels" }.into());
            }
            let said =
                |model_trust| answer_of(&resolution, fuse(&scores, memory_distribution(&resolution, arm), model_trust));
            answered.spoken[ix] = Some(Spoken { alone: said(1.0), fused: said(setting.weights.model_trust) });
        }
        found.push(answered);
        progress(found.len());
    }
    Ok(found)
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
    let (read, evidence, resolution) = mediated(memory, question, setting)?;
    Ok(by_memory(question, &read, &evidence, &resolution, setting))
}

fn mediated(
    memory: &Memory,
    question: &Question,
    setting: Setting,
) -> Result<(MemoryRead, Evidence, Resolution), EvalError> {
    let read = memory.read_apart(question.user, question.text, question.about, question.at, setting.apart)?;
    let manifest = &memory.manifest;
    let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
    let resolution = mediate(&evidence, &setting.weights, setting.policy);
    Ok((read, evidence, resolution))
}

fn by_memory(
    question: &Question,
    read: &MemoryRead,
    evidence: &Evidence,
    resolution: &Resolution,
    setting: Setting,
) -> Answered {
    let arms = Arm::ALL.map(|arm| {
        let written = memory_length(resolution, arm).map(|length| Compared::of_length(question.answer, length));
        Answer { written, ..answer_of(resolution, memory_distribution(resolution, arm).to_vec()) }
    });
    // What the others prefer as well cannot hang on an own item, and needs no leaving out.
    let own = resolution.decision != resolution.decide(&resolution.global);
    let without = || counterfactuals(evidence, &setting.weights, setting.policy, &[]);
    let hangs = own && too_local(resolution, &without()).is_some();
    let (visible, heard) = (read.local.visible(), Heard::of(read));
    Answered { visible, mass: resolution.mass, hangs, heard, arms, spoken: [const { None }; 4] }
}

/// What a model wrote, as an answer: its form, its length and its words.
fn written(question: &Question, text: &str) -> Answer {
    let rouge = Some(Rouge::of(question.answer, text));
    let written = Compared { rouge, ..Compared::of_length(question.answer, log_words(text)) };
    Answer { written: Some(written), ..Answer::named(Form::of(text).place()) }
}

/// The answer that `distribution` gives.
fn answer_of(resolution: &Resolution, distribution: Vec<f64>) -> Answer {
    let decision = resolution.decide(&distribution);
    let score = match &resolution.facet {
        Facet::Label | Facet::Form => None,
        Facet::Score(steps) => resolution.facet.mean(&distribution).map(|mean| Score { median: steps[decision], mean }),
    };
    Answer { decision, distribution: Some(distribution), score, written: None }
}
