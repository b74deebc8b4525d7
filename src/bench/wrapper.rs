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
use crate::engine::prompt::{Arm, Blocks, MAX_TEXT_TOKENS};
use crate::mediator::{Policy, Weights};
use crate::memory::Memory;

/// Prompts of each kind.
const PROMPTS: usize = 96;

/// Tokens a second of `engine` over those of the library alone, prompt by prompt, on judged queries of the sample: where
/// one pass scores all labels; of whole answers, which scores them, too, and ends where the model ends; and of text that
/// goes on from the first half of a prompt. Nothing where there is no library behind the engine.
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
    let asked = (0..PROMPTS).map(prompt).collect::<Result<Vec<_>, _>>()?;
    // A label of several tokens takes a pass of its own, to which the library alone has no like.
    let single = dataset.manifest.labels.iter().all(|label| engine.count_tokens(label) == 1);
    let labels = |one: &GenRequest| GenRequest { max_tokens: 0, ..one.clone() };
    let answer = |one: &GenRequest| GenRequest { stop: Vec::new(), ..one.clone() };
    let text = |one: &GenRequest| {
        let half: String = one.prompt.chars().take(one.prompt.chars().count() / 2).collect();
        GenRequest { prompt: half, max_tokens: MAX_TEXT_TOKENS, ..GenRequest::default() }
    };
    let mut figures = Vec::new();
    if single {
        figures.extend(paired("engine.wrapper.labels", engine, asked.iter().map(labels))?);
        figures.extend(paired("engine.wrapper.answer", engine, asked.iter().map(answer))?);
    }
    figures.extend(paired("engine.wrapper.text", engine, asked.iter().map(text))?);
    Ok(figures)
}

/// The figure of what is `asked`. Each is answered once before the clock runs: where the model ends by itself, the
/// library alone is asked for as many tokens.
fn paired(
    name: &'static str,
    engine: &dyn Engine,
    asked: impl Iterator<Item = GenRequest>,
) -> Result<Option<Figure>, BenchError> {
    let mut ratios = Vec::with_capacity(PROMPTS);
    for (nth, request) in asked.enumerate() {
        let tokens = engine.generate(request.clone()).finish()?.stats.tokens;
        let limited = GenRequest { max_tokens: tokens, ..request.clone() };
        let wrapped = || -> Result<Duration, BenchError> {
            let start = Instant::now();
            engine.generate(request.clone()).finish()?;
            Ok(start.elapsed())
        };
        let bare = || engine.bare(&limited).transpose();
        let (ours, library) = if nth % 2 == 0 {
            let ours = wrapped()?;
            (ours, bare()?)
        } else {
            let library = bare()?;
            (wrapped()?, library)
        };
        let Some(library) = library else { return Ok(None) };
        if library.tokens != tokens {
            return Err(BenchError::Unlike { engine: tokens, library: library.tokens });
        }
        ratios.push(library.elapsed.as_secs_f64() / ours.as_secs_f64());
    }
    Ok(Some(Figure::of_rates(name, "of library", ratios)))
}
