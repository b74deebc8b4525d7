//! The model library by itself, past everything that this program adds: what the engine is measured against.

use std::time::Instant;

use mistralrs::Response;

use super::Core;
use super::answer::Delivery;
use crate::engine::engine::Bare;
use crate::engine::error::{EngineError, first_line};

impl Core {
    /// The whole answer at once, by the library's own greedy sampler and its own text.
    pub(super) fn bare(&self, prompt: &str, general: bool, max_tokens: usize) -> Result<Bare, EngineError> {
        let started = Instant::now();
        let prompt = self.encode_prompt(prompt, general);
        if prompt.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        let room = self.max_context.saturating_sub(prompt.len());
        if room == 0 {
            return Err(EngineError::PromptTooLong { tokens: prompt.len(), limit: self.max_context - 1 });
        }
        // Nothing of ours sits in the sampler to hold the turn.
        let _turn = self.turns.wait();
        let mut responses = self.send(&prompt, Vec::new(), max_tokens.clamp(1, room), Delivery::Whole)?;
        let reason = match responses.blocking_recv() {
            Some(Response::CompletionDone(done)) => {
                return Ok(Bare { tokens: done.usage.completion_tokens, elapsed: started.elapsed() });
            }
            None => return Err(EngineError::Gone),
            Some(Response::InternalError(error) | Response::ValidationError(error)) => error.to_string(),
            Some(Response::CompletionModelError(reason, _) | Response::ModelError(reason, _)) => reason,
            Some(_) => "it answered in an unexpected form".into(),
        };
        Err(EngineError::Inference { reason: first_line(&reason) })
    }
}
