//! Traces: how probable a model finds a given answer, token by token (teacher forcing).
//!
//! Invariants: the tokens are those that the answer was, or is, generated in, or a label's as it is scored; every number
//! is a natural logarithm of the model's own probability, given the prompt and the tokens before; the same request gives
//! the same trace.

use super::error::EngineError;

/// What follows the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Continuation {
    /// What the model itself answers, greedily: asked anew, so that the tokens are those of the answer however their texts
    /// would be cut by a tokenizer.
    Own {
        /// The most tokens.
        max_tokens: usize,
        /// Texts that end the answer; a token that begins inside of one is no part of it.
        stop: Vec<String>,
    },
    /// A text, encoded by itself: as labels are where they are scored.
    Text(String),
    /// Given tokens: those of an earlier trace by the same model.
    Tokens(Vec<u32>),
}

/// A question to a model that already has its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRequest {
    /// The whole prompt, as in [`super::engine::GenRequest`].
    pub prompt: String,
    /// What follows it.
    pub continuation: Continuation,
    /// Labels to score at the first position, as in [`super::engine::GenRequest`]: in passing where each is one token.
    pub labels: Vec<String>,
    /// Whether these are words of an answer, as in [`super::engine::GenRequest`].
    pub words: bool,
}

/// One token of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// Its number in the model's vocabulary.
    pub id: u32,
    /// The text that it completes; empty in the middle of a character.
    pub text: String,
    /// Natural log of its probability, at most 0.
    pub ln_p: f64,
}

/// An answer, token by token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// Its tokens; what ends it is none of them.
    pub tokens: Vec<Traced>,
    /// Natural log of the probability of each label asked for, in their order.
    pub scores: Vec<f64>,
}

impl Trace {
    /// Natural log of the probability of the whole answer: the sum over its tokens.
    pub fn ln_p(&self) -> f64 {
        self.tokens.iter().map(|token| token.ln_p).sum()
    }

    /// Its text.
    pub fn text(&self) -> String {
        self.tokens.iter().map(|token| token.text.as_str()).collect()
    }

    /// Its tokens as a continuation of another prompt.
    pub fn continuation(&self) -> Continuation {
        Continuation::Tokens(self.tokens.iter().map(|token| token.id).collect())
    }
}

/// What an engine says that cannot trace.
pub(super) fn unsupported(engine: &str) -> EngineError {
    EngineError::Unsupported {
        engine: engine.to_owned(),
        what: "score a given answer token by token; load a model that runs here (ctrl-o, or --model)",
    }
}
