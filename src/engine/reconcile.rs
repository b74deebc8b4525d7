//! A memory that a model writes from both: asked once for a question, under policy `prompt`, it reconciles them, and the
//! mediated arm reads what it wrote in their place.
//!
//! Invariants: what is asked states no decision and no distribution of the mediator's; what the model wrote is untrusted
//! text, and stands in a prompt on one line.

use super::engine::{Caps, Engine, Form, GenRequest, GenStats};
use super::error::EngineError;
use super::prompt::Blocks;
use crate::mediator::{Policy, Weights};

/// Tokens that a written memory may take.
pub const MAX_WRITTEN_TOKENS: usize = 96;
/// What ends it: a second paragraph.
pub const STOP: &str = "\n\n";
/// What models that think aloud put around that.
const THOUGHT: [&str; 2] = ["<think>", "</think>"];

/// What a model is told to do, before it is shown the question and both memories.
pub(super) const INSTRUCTION: &str = "\
Two memories speak to the question below: own, what this person answered before, and others, what other people did.
A line holds an answer, how near it is to the question (0 to 10), how old it is or how many people it is from, and words.
Write one memory in place of both, in two or three plain sentences, for somebody who is to answer the question next.
Keep what both agree on. Say where they differ, which of them fits this question better, and why.
Add nothing that does not stand there, and do not answer the question.";

/// What a model wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// The memory, on one line.
    pub text: String,
    /// What was asked for it.
    pub prompt: String,
    /// What it cost.
    pub stats: GenStats,
}

/// The request for a memory, with room divided as `weights` say.
pub fn request(blocks: &Blocks, weights: &Weights) -> GenRequest {
    GenRequest {
        prompt: blocks.instruction(weights),
        max_tokens: MAX_WRITTEN_TOKENS,
        stop: vec![STOP.to_owned()],
        form: Form::Chat,
        ..GenRequest::default()
    }
}

/// What a model said, on one line, without what it thought before. `None` if that is nothing.
pub fn one_line(said: &str) -> Option<String> {
    let [opens, closes] = THOUGHT;
    let said = said.rsplit_once(closes).map_or(said, |(_, after)| after);
    let said = said.split_once(opens).map_or(said, |(before, _)| before);
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then_some(line)
}

/// Why there is no memory in what the model called `name` said.
pub fn nothing_written() -> EngineError {
    EngineError::Inference {
        reason: format!(
            "it wrote no memory within {MAX_WRITTEN_TOKENS} tokens; choose another policy or another model"
        ),
    }
}

/// Has the model write the memory, and waits for it.
pub fn write(engine: &dyn Engine, blocks: &Blocks, weights: &Weights) -> Result<Written, EngineError> {
    let request = request(blocks, weights);
    let prompt = request.prompt.clone();
    let answer = engine.generate(request).finish()?;
    let text = one_line(&answer.text).ok_or_else(nothing_written)?;
    Ok(Written { text, prompt, stats: answer.stats })
}

/// Refuses a policy that has a model write where none can: with `None`, where there is no model.
pub fn check(policy: Policy, model: Option<&Caps>) -> Result<(), EngineError> {
    match model {
        _ if !policy.writes() => Ok(()),
        Some(caps) if caps.writes() => Ok(()),
        model => Err(EngineError::CannotWrite { model: model.map(|caps| caps.name.clone()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_one_line_without_thoughts() {
        for (said, memory) in [
            (" They like noir.\nOthers do not. ", Some("They like noir. Others do not.")),
            ("<think>hm</think>\nThey like noir.", Some("They like noir.")),
            ("hm</think> They like noir.", Some("They like noir.")),
            ("<think>without an end", None),
            (" \n\t", None),
            ("", None),
        ] {
            assert_eq!(one_line(said).as_deref(), memory, "{said:?}");
        }
    }
}
