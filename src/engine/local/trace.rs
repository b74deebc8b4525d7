//! A given answer scored token by token, in a request that forces each in turn: one pass over the prompt, and a step a
//! token, in the very way in which answers are computed.
//!
//! The library can hand out raw logits of a whole text instead; it does so for one request at a time and ends its own thread
//! where that meets another one, so what is forced goes the way of all answers.

use std::sync::Arc;

use super::Core;
use super::answer::{Decode, Probing, Step, wait};
use super::labels::longest;
use super::text::TextStream;
use crate::engine::engine::Cancel;
use crate::engine::error::EngineError;
use crate::engine::trace::{Continuation, Trace, TraceRequest, Traced};

impl Core {
    /// Traces the continuation of `req`, and scores its labels.
    pub(super) fn trace(
        self: &Arc<Self>,
        req: &TraceRequest,
        general: bool,
        cancel: &Cancel,
    ) -> Result<Trace, EngineError> {
        let prompt = self.encode_prompt(&req.prompt, general);
        let labels = match req.words {
            true => self.encode_words(&req.prompt, &req.labels, general)?,
            false => self.encode_labels(&req.labels)?,
        };
        let single = labels.iter().filter(|label| label.len() == 1).map(|label| label[0]).collect();
        let seen = match &req.continuation {
            Continuation::Own { max_tokens, stop } => self.own(&prompt, single, *max_tokens, stop, cancel)?,
            Continuation::Text(text) => {
                let text = std::slice::from_ref(text);
                let tokens = match req.words {
                    true => self.encode_words(&req.prompt, text, general)?,
                    false => self.encode_labels(text)?,
                };
                let tokens = tokens.concat();
                self.given(&prompt, single, &tokens, cancel)?
            }
            Continuation::Tokens(tokens) => self.given(&prompt, single, tokens, cancel)?,
        };
        let mut captured = seen.scores.into_iter();
        let mut begun = Vec::with_capacity(labels.len());
        for label in &labels {
            begun.push(match label[..] {
                [_] => captured.next().unwrap_or(f64::NEG_INFINITY),
                // As where labels are scored: each in a pass of its own.
                _ => {
                    self.fits(&prompt, label.len())?;
                    let steps = self.force(&prompt, label, Vec::new(), cancel)?.ok_or(EngineError::Cancelled)?;
                    steps.iter().flat_map(|step| &step.scores).sum()
                }
            });
        }
        Ok(Trace { tokens: seen.tokens, scores: longest(&labels, begun) })
    }

    /// Given tokens behind the prompt.
    fn given(
        self: &Arc<Self>,
        prompt: &[u32],
        labels: Vec<u32>,
        tokens: &[u32],
        cancel: &Cancel,
    ) -> Result<Seen, EngineError> {
        self.fits(prompt, tokens.len().max(1))?;
        let mut seen = Seen::new(self.text_after(prompt), labels.len());
        if !tokens.is_empty() {
            for step in self.force(prompt, tokens, labels, cancel)?.ok_or(EngineError::Cancelled)? {
                seen.take(&step);
            }
        } else if !labels.is_empty() {
            // The labels alone are wanted: what is computed behind the prompt is no part of the answer.
            let probing = Probing { labels, max_tokens: 1, ..Probing::default() };
            let (mut responses, steps) = self.begin(prompt, probing, cancel)?.ok_or(EngineError::Cancelled)?;
            while wait(&mut responses)? {}
            seen.labels(&steps.try_iter().next().ok_or(EngineError::Gone)?);
        }
        Ok(seen.finished())
    }

    /// The model's own answer behind the prompt. Returning before its end drops the request, which the library notices.
    fn own(
        self: &Arc<Self>,
        prompt: &[u32],
        labels: Vec<u32>,
        max_tokens: usize,
        stop: &[String],
        cancel: &Cancel,
    ) -> Result<Seen, EngineError> {
        self.fits(prompt, 1)?;
        let mut seen = Seen::new(self.text_after(prompt), labels.len());
        let max_tokens = max_tokens.min(self.max_context - prompt.len()).max(1);
        let probing = Probing { labels, traced: true, max_tokens, ..Probing::default() };
        let (mut responses, steps) = self.begin(prompt, probing, cancel)?.ok_or(EngineError::Cancelled)?;
        loop {
            let more = wait(&mut responses)?;
            if cancel.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            for step in steps.try_iter() {
                if self.ends.contains(&step.token) {
                    seen.labels(&step);
                    return Ok(seen.finished());
                }
                seen.take(&step);
                if seen.cut(stop) {
                    return Ok(seen);
                }
                if seen.tokens.len() == max_tokens {
                    return Ok(seen.finished());
                }
            }
            if !more {
                return Err(EngineError::Gone);
            }
        }
    }
}

/// What was seen of an answer so far.
struct Seen {
    text: TextStream<Decode>,
    /// Labels that the first step scores.
    wanted: usize,
    tokens: Vec<Traced>,
    scores: Vec<f64>,
}

impl Seen {
    fn new(text: TextStream<Decode>, wanted: usize) -> Self {
        Self { text, wanted, tokens: Vec::new(), scores: Vec::new() }
    }

    /// Takes the scores of the labels, which the first step has, and returns what else it scored: its own token.
    fn labels(&mut self, step: &Step) -> Option<f64> {
        let (labels, own) = step.scores.split_at(std::mem::take(&mut self.wanted).min(step.scores.len()));
        self.scores.extend_from_slice(labels);
        own.first().copied()
    }

    fn take(&mut self, step: &Step) {
        let ln_p = self.labels(step).unwrap_or(f64::NEG_INFINITY);
        self.tokens.push(Traced { id: step.token, text: self.text.push(step.token), ln_p });
    }

    /// Cuts the answer at the first stop text, if one is there: a token that begins behind that goes.
    fn cut(&mut self, stop: &[String]) -> bool {
        let whole: String = self.tokens.iter().map(|token| token.text.as_str()).collect();
        let found = stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| whole.find(stop)).min();
        let Some(at) = found else { return false };
        let mut left = at;
        self.tokens.retain_mut(|token| {
            let kept = left > 0;
            // A stop text begins where a character does.
            token.text.truncate(left.min(token.text.len()));
            left -= token.text.len();
            kept
        });
        true
    }

    /// With what its last token leaves unfinished, shown as such.
    fn finished(mut self) -> Self {
        let rest = self.text.finish();
        self.tokens.last_mut().into_iter().for_each(|last| last.text.push_str(&rest));
        self
    }
}
