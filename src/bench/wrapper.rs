//! What the engine costs beside the model library alone.
//!
//! Invariants: both answer the same prompts with the same weights in one run, taking turns at who is first; a ratio
//! stands only where both computed as many tokens.

use std::time::{Duration, Instant};

use super::figure::Figure;
use super::subject::BenchError;
use crate::data::sample;
use crate::engine::answer::request;
use crate::engine::engine::{Engine, GenRequest};
use crate::engine::prompt::{Arm, Blocks};
use crate::mediator::{Policy, Weights};
use crate::memory::Memory;

/// Prompts that are answered to the limit of an answer.
const ANSWERS: usize = 32;
/// Prompts of which the labels alone are scored.
const SCORED: usize = 96;

/// Tokens a second of `engine` over those of the library alone, prompt by prompt, on judged queries of the sample: of free
/// answers, and of one pass that scores all labels. Nothing where there is no library behind the engine.
pub(super) fn wrapper(engine: &dyn Engine) -> Result<Vec<Figure>, BenchError> {
    let dataset = sample::dataset()?;
    let memory = Memory::build(&dataset);
    let weights = Weights::defaults(Policy::of(dataset.manifest.task), &dataset.manifest);
    let prompt = |nth: usize| -> Result<GenRequest, BenchError> {
        let asked = &dataset.queries[nth % dataset.queries.len()];
        let read = memory.read(&asked.user, &asked.query, asked.at)?;
        let blocks = Blocks::of(&memory, &asked.query, &read);
        Ok(request(&blocks, &dataset.manifest.labels, Arm::ALL[nth % Arm::ALL.len()], &weights))
    };
    // A label of several tokens takes a pass of its own, to which the library alone has no like.
    let single = dataset.manifest.labels.iter().all(|label| engine.count_tokens(label) == 1);
    let free = |asked: GenRequest| GenRequest { labels: Vec::new(), stop: Vec::new(), ..asked };
    let scored = |asked: GenRequest| GenRequest { max_tokens: 0, ..asked };
    let mut figures = Vec::new();
    let answers = (0..=ANSWERS).map(|nth| Ok(free(prompt(nth)?))).collect::<Result<Vec<_>, BenchError>>()?;
    figures.extend(paired("engine.wrapper.answer", engine, &answers)?);
    if single {
        let labels = (0..=SCORED).map(|nth| Ok(scored(prompt(nth)?))).collect::<Result<Vec<_>, BenchError>>()?;
        figures.extend(paired("engine.wrapper.labels", engine, &labels)?);
    }
    Ok(figures)
}

/// The figure of all `asked` but the first, which warms up.
fn paired(name: &'static str, engine: &dyn Engine, asked: &[GenRequest]) -> Result<Option<Figure>, BenchError> {
    let mut ratios = Vec::with_capacity(asked.len());
    for (nth, request) in asked.iter().enumerate() {
        let wrapped = || -> Result<(usize, Duration), BenchError> {
            let start = Instant::now();
            let answer = engine.generate(request.clone()).finish()?;
            Ok((answer.stats.tokens, start.elapsed()))
        };
        let mut ours = None;
        if nth % 2 == 0 {
            ours = Some(wrapped()?);
        }
        let Some(bare) = engine.bare(request).transpose()? else { return Ok(None) };
        let (tokens, elapsed) = match ours {
            Some(ours) => ours,
            None => wrapped()?,
        };
        if tokens != bare.tokens {
            return Err(BenchError::Unlike { engine: tokens, library: bare.tokens });
        }
        if nth > 0 {
            ratios.push(bare.elapsed.as_secs_f64() / elapsed.as_secs_f64());
        }
    }
    Ok(Some(Figure::of_rates(name, "of library", ratios)))
}
