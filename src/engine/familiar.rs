//! A model whose words to some prompts are on record: those are repeated, everything else is asked of the model itself,
//! which is loaded when the first such prompt comes.
//!
//! Invariants: greedy decoding gives the same words to the same prompt, so a repeated answer is the model's own; what is
//! not on record is asked or fails, and is never guessed.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::engine::{Caps, Engine, GenRequest, Generation};
use super::error::EngineError;
use super::recorded::RecordedEngine;

/// What loads the model.
pub type Load<'a> = Box<dyn Fn() -> Result<Box<dyn Engine>, EngineError> + Send + Sync + 'a>;

/// A recording, and the model that it is of.
pub struct FamiliarEngine<'a> {
    recorded: RecordedEngine,
    load: Load<'a>,
    live: OnceLock<Result<Box<dyn Engine>, EngineError>>,
    repeated: AtomicUsize,
    asked: AtomicUsize,
}

impl<'a> FamiliarEngine<'a> {
    /// An engine that repeats what is `recorded`, and asks what `load` loads for the rest.
    pub fn new(recorded: RecordedEngine, load: Load<'a>) -> Self {
        let (repeated, asked) = Default::default();
        Self { recorded, load, live: OnceLock::new(), repeated, asked }
    }

    /// How many answers were repeated, and how many asked for.
    pub fn counts(&self) -> (usize, usize) {
        (self.repeated.load(Ordering::Relaxed), self.asked.load(Ordering::Relaxed))
    }

    fn live(&self) -> Result<&dyn Engine, EngineError> {
        self.live.get_or_init(|| (self.load)()).as_deref().map_err(Clone::clone)
    }
}

impl fmt::Debug for FamiliarEngine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FamiliarEngine").field("recorded", &self.recorded).finish_non_exhaustive()
    }
}

impl Engine for FamiliarEngine<'_> {
    fn caps(&self) -> &Caps {
        self.recorded.caps()
    }

    fn generate(&self, req: GenRequest) -> Generation {
        if self.recorded.holds(&req.prompt) {
            self.repeated.fetch_add(1, Ordering::Relaxed);
            return self.recorded.generate(req);
        }
        match self.live() {
            Ok(live) => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                live.generate(req)
            }
            Err(error) => Generation::failed(error),
        }
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.live()?.embed(texts)
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.live().map_or_else(|_| self.recorded.count_tokens(text), |live| live.count_tokens(text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::Answer;
    use super::super::recorded::prompt_hash;
    use super::*;

    #[test]
    fn what_is_on_record_loads_no_model_and_what_is_not_does_once() {
        let recording = |prompt: &str, text: &str| {
            let said = Answer { text: text.to_owned(), ..Answer::default() };
            RecordedEngine::new("m", "cpu", Vec::new(), [(prompt_hash(prompt), said)])
        };
        let loads = AtomicUsize::new(0);
        let engine = FamiliarEngine::new(
            recording("known", "recorded"),
            Box::new(|| {
                loads.fetch_add(1, Ordering::Relaxed);
                let live = RecordedEngine::new(
                    "m",
                    "cpu",
                    Vec::new(),
                    ["new", "known"]
                        .map(|prompt| (prompt_hash(prompt), Answer { text: "live".into(), ..Answer::default() })),
                );
                Ok(Box::new(live) as Box<dyn Engine>)
            }),
        );
        let ask = |prompt: &str| {
            engine.generate(GenRequest { prompt: prompt.to_owned(), max_tokens: 4, ..GenRequest::default() }).finish()
        };
        assert_eq!(ask("known").unwrap().text, "recorded");
        assert_eq!(loads.load(Ordering::Relaxed), 0);
        assert_eq!((ask("new").unwrap().text, ask("new").unwrap().text), ("live".to_owned(), "live".to_owned()));
        assert_eq!((loads.load(Ordering::Relaxed), engine.counts()), (1, (1, 2)));
        let none = FamiliarEngine::new(recording("known", "recorded"), Box::new(|| Err(EngineError::NotLoaded)));
        let asked = GenRequest { prompt: "new".to_owned(), ..GenRequest::default() };
        assert_eq!(none.generate(asked).finish().unwrap_err(), EngineError::NotLoaded);
    }
}
