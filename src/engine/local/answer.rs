//! One answer: a request to the library, our step in its sampler, and what both say made into events.
//!
//! Invariants: the token ids come from the sampler's step, never from the library's text; each position's token is
//! decided there, so an answer is the same on every run; scores are read from the whole distribution.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use mistralrs::{
    Constraint, CustomLogitsProcessor, NormalRequest, Request, RequestMessage, Response, SamplingParams, Tensor,
};
use tokio::sync::mpsc;

use super::Core;
use super::labels::longest;
use super::text::TextStream;
use crate::engine::engine::{Cancel, GenEvent, GenStats};
use crate::engine::error::{EngineError, first_line};
use crate::engine::stop::StopFilter;

/// What the sampler saw at one position.
pub(super) struct Step {
    pub token: u32,
    /// Natural log of the probability: of the labels at the first position; behind them of the token itself, where it is
    /// forced or traced.
    pub scores: Vec<f64>,
    at: Instant,
}

/// Sits in the library's sampler: reads the whole distribution, and decides the next token, the most probable one or
/// a given one.
struct Probe {
    /// Tokens to force, one position after another; then greedy.
    forced: Vec<u32>,
    /// Tokens to score at the first position.
    labels: Vec<u32>,
    /// Whether tokens that are not forced are scored, too.
    traced: bool,
    vocabulary: usize,
    position: AtomicUsize,
    steps: std_mpsc::Sender<Step>,
    /// Held as long as the library holds the sequence that this sits in.
    _turn: Turn,
}

impl CustomLogitsProcessor for Probe {
    fn apply(&self, logits: &Tensor, _context: &[u32]) -> mistralrs::Result<Tensor> {
        let at = Instant::now();
        let position = self.position.fetch_add(1, Ordering::Relaxed);
        let logits_by_token: Vec<f32> = logits.to_vec1()?;
        if !logits_by_token.iter().all(|logit| logit.is_finite()) {
            return Err(io::Error::other("the model computes numbers that are not finite").into());
        }
        let forced = self.forced.get(position).copied();
        let token = forced.unwrap_or_else(|| most_probable(&logits_by_token, self.vocabulary));
        let mut wanted = if position == 0 { self.labels.clone() } else { Vec::new() };
        wanted.extend((forced.is_some() || self.traced).then_some(token));
        let scores = log_probabilities(&logits_by_token, &wanted);
        // Nobody listens any more once the answer is cancelled; the library finds out by itself.
        let _ = self.steps.send(Step { token, scores, at });
        // Only the chosen token is left to sample, so that the library and this step can never disagree.
        let mut only = vec![f32::NEG_INFINITY; logits_by_token.len()];
        if let Some(chosen) = only.get_mut(token as usize) {
            *chosen = 0.0;
        }
        let length = only.len();
        Tensor::from_vec(only, length, logits.device())
    }
}

/// The first of the most probable tokens that have a text.
fn most_probable(logits: &[f32], vocabulary: usize) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, &logit) in (0u32..).zip(logits.iter().take(vocabulary)) {
        if logit > best.1 {
            best = (token, logit);
        }
    }
    best.0
}

/// Whether the library holds a sequence. It may hold several, but where a new one meets one that nobody listens to any
/// more, which it notices a token later, it has been seen to go on with the wrong one's context. So each waits until the
/// library has let go of the one before.
#[derive(Default)]
pub(super) struct Turns {
    taken: Mutex<bool>,
    free: Condvar,
}

/// The right to the library, until dropped.
pub(super) struct Turn(Arc<Turns>);

impl Turns {
    pub(super) fn wait(self: &Arc<Self>) -> Turn {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self.free.wait_while(taken, |taken| *taken).unwrap_or_else(PoisonError::into_inner);
        *taken = true;
        Turn(Arc::clone(self))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}

/// Natural log of the probability of each of `tokens`; -∞ for one outside the vocabulary.
fn log_probabilities(logits: &[f32], tokens: &[u32]) -> Vec<f64> {
    if tokens.is_empty() {
        return Vec::new();
    }
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let total: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    let normaliser = highest + total.ln();
    let score = |&token: &u32| logits.get(token as usize).map_or(f64::NEG_INFINITY, |&l| f64::from(l) - normaliser);
    tokens.iter().map(score).collect()
}

/// Receivers of a running request: the library's words, and what our step in its sampler saw.
type Run = (mpsc::Receiver<Response>, std_mpsc::Receiver<Step>);

/// What a request is to make of its prompt, beside the answer.
#[derive(Default)]
pub(super) struct Probing {
    /// Tokens to force, one position after another.
    pub forced: Vec<u32>,
    /// Tokens to score at the first position.
    pub labels: Vec<u32>,
    /// Whether the answer's own tokens are scored.
    pub traced: bool,
    /// Tokens to compute, at least 1.
    pub max_tokens: usize,
}

impl Core {
    /// Sends one request to the library, once it has let go of the one before; `None` where nobody wants it any more by
    /// then, since the library reads a whole prompt before it notices.
    pub(super) fn begin(&self, prompt: &[u32], probing: Probing, cancel: &Cancel) -> Result<Option<Run>, EngineError> {
        let Probing { forced, labels, traced, max_tokens } = probing;
        let (steps, seen) = std_mpsc::channel();
        let _turn = self.turns.wait();
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let position = AtomicUsize::new(0);
        let probe = Probe { forced, labels, traced, vocabulary: self.vocabulary, position, steps, _turn };
        let responses = self.send(prompt, vec![Arc::new(probe)], max_tokens, Delivery::Pieces)?;
        Ok(Some((responses, seen)))
    }

    /// Hands one request to the library's thread. One that is delivered whole must be waited for: its receiver, dropped,
    /// would kill that thread.
    pub(super) fn send(
        &self,
        prompt: &[u32],
        processors: Vec<Arc<dyn CustomLogitsProcessor>>,
        max_tokens: usize,
        delivery: Delivery,
    ) -> Result<mpsc::Receiver<Response>, EngineError> {
        // Room for the whole answer, so that the library's thread never waits for a reader.
        let (sender, responses) = mpsc::channel(max_tokens + 8);
        let runner = self.model.inner();
        let request = NormalRequest {
            messages: RequestMessage::CompletionTokens(prompt.to_vec()),
            sampling_params: SamplingParams { max_len: Some(max_tokens), ..SamplingParams::deterministic() },
            response: sender,
            return_logprobs: false,
            is_streaming: delivery == Delivery::Pieces,
            id: runner.next_request_id(),
            constraint: Constraint::None,
            suffix: None,
            tools: None,
            tool_choice: None,
            logits_processors: (!processors.is_empty()).then_some(processors),
            return_raw_logits: false,
            web_search_options: None,
            model_id: None,
            truncate_sequence: false,
        };
        // Starts the library's thread again where it has died. Where that fails, or a lock of the library's was left by
        // a panic, the model has to be loaded again.
        let requests = runner.get_sender(None).map_err(|error| gone(&error))?;
        // `try_send` because the blocking form panics inside a runtime; the queue holds thousands.
        requests.try_send(Request::Normal(Box::new(request))).map_err(|error| gone(&error))?;
        Ok(responses)
    }

    /// Forces `tokens` after the prompt: what was seen at each; `None` once it is cancelled.
    pub(super) fn force(
        &self,
        prompt: &[u32],
        tokens: &[u32],
        labels: Vec<u32>,
        cancel: &Cancel,
    ) -> Result<Option<Vec<Step>>, EngineError> {
        let probing = Probing { forced: tokens.to_vec(), labels, traced: true, max_tokens: tokens.len() };
        let Some((mut responses, steps)) = self.begin(prompt, probing, cancel)? else { return Ok(None) };
        while wait(&mut responses)? {
            if cancel.is_cancelled() {
                return Ok(None);
            }
        }
        // The library computes one token more where the first one ends the sequence, sometimes before its last word is heard.
        let seen: Vec<Step> = steps.try_iter().take(tokens.len()).collect();
        if seen.len() == tokens.len() { Ok(Some(seen)) } else { Err(EngineError::Gone) }
    }

    /// Refuses a prompt that leaves no room for `tokens` behind it.
    pub(super) fn fits(&self, prompt: &[u32], tokens: usize) -> Result<(), EngineError> {
        if prompt.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if prompt.len() + tokens > self.max_context {
            let limit = self.max_context.saturating_sub(tokens);
            return Err(EngineError::PromptTooLong { tokens: prompt.len(), limit });
        }
        Ok(())
    }
}

/// How the library is to answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Piece by piece: may be dropped at any time.
    Pieces,
    /// At once.
    Whole,
}

/// The library cannot be asked any more; the log says why.
pub(super) fn gone(why: &dyn std::fmt::Display) -> EngineError {
    tracing::error!(target: "logoscope::engine", "the model library takes no request: {why}");
    EngineError::Gone
}

/// Token ids to text.
pub(super) type Decode = Box<dyn Fn(&[u32]) -> String + Send>;

impl Core {
    /// Turns tokens behind `prompt` into text.
    pub(super) fn text_after(self: &Arc<Self>, prompt: &[u32]) -> TextStream<Decode> {
        let decoder = Arc::clone(self);
        let decode = move |ids: &[u32]| decoder.tokenizer.decode(ids, false).unwrap_or_default();
        // A prompt is never empty, see `fits`.
        TextStream::after(prompt.last().copied().unwrap_or_default(), Box::new(decode))
    }
}

/// One answer in the making: an iterator whose every step waits for the library's next word.
pub(super) struct Answering {
    core: Arc<Core>,
    prompt: Vec<u32>,
    labels: Vec<Vec<u32>>,
    /// Scores of the labels of several tokens, in the places of their labels.
    forced: Vec<Option<f64>>,
    /// 0: the labels alone are wanted.
    max_tokens: usize,
    text: TextStream<Decode>,
    stop: StopFilter,
    cancel: Cancel,
    started: Instant,
    stats: GenStats,
    /// `None` before the answer begins and after it has ended.
    run: Option<Run>,
    ready: VecDeque<GenEvent>,
    ended: bool,
}

impl Answering {
    pub(super) fn new(
        core: &Arc<Core>,
        cancel: Cancel,
        prompt: Vec<u32>,
        labels: Vec<Vec<u32>>,
        max_tokens: usize,
        stop: Vec<String>,
    ) -> Result<Self, EngineError> {
        core.fits(&prompt, labels.iter().map(Vec::len).max().unwrap_or(0).max(1))?;
        let mut answering = Self {
            core: Arc::clone(core),
            text: core.text_after(&prompt),
            stop: StopFilter::new(stop),
            cancel,
            stats: GenStats { prompt_tokens: prompt.len(), ..GenStats::default() },
            max_tokens: max_tokens.min(core.max_context - prompt.len()),
            forced: vec![None; labels.len()],
            prompt,
            labels,
            started: Instant::now(),
            run: None,
            ready: VecDeque::new(),
            ended: false,
        };
        // Labels of several tokens need passes of their own first, which wait until somebody listens.
        if answering.labels.iter().all(|label| label.len() == 1) {
            answering.begin()?;
        }
        Ok(answering)
    }

    /// Starts the request that answers, which scores in passing the labels of one token.
    fn begin(&mut self) -> Result<(), EngineError> {
        let labels = self.labels.iter().filter(|label| label.len() == 1).map(|label| label[0]).collect();
        let probing = Probing { labels, max_tokens: self.max_tokens.max(1), ..Probing::default() };
        self.run = self.core.begin(&self.prompt, probing, &self.cancel)?;
        Ok(())
    }

    /// Scores the labels of several tokens, each in a pass in which its tokens are forced in turn, as long as the answer is
    /// wanted.
    fn score_forced(&mut self) -> Result<(), EngineError> {
        for (label, score) in self.labels.iter().zip(&mut self.forced).filter(|(label, _)| label.len() > 1) {
            if self.cancel.is_cancelled() {
                return Ok(());
            }
            let Some(seen) = self.core.force(&self.prompt, label, Vec::new(), &self.cancel)? else { return Ok(()) };
            *score = Some(seen.iter().flat_map(|step| &step.scores).sum());
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), EngineError> {
        let Some((responses, steps)) = &mut self.run else {
            self.score_forced()?;
            return if self.cancel.is_cancelled() { Ok(()) } else { self.begin() };
        };
        let more = wait(responses)?;
        let seen: Vec<Step> = steps.try_iter().collect();
        for step in seen {
            self.take(step);
            if self.ended {
                return Ok(());
            }
        }
        // The library may swallow its last word, but what it computed up to its limit has been taken above.
        if more { Ok(()) } else { Err(EngineError::Gone) }
    }

    fn take(&mut self, step: Step) {
        self.stats.elapsed = step.at.saturating_duration_since(self.started);
        if self.stats.tokens == 0 {
            self.stats.ttft = self.stats.elapsed;
            if !self.labels.is_empty() {
                let mut captured = step.scores.into_iter();
                let score = |forced: &Option<f64>| forced.or_else(|| captured.next()).unwrap_or(f64::NEG_INFINITY);
                let begun = self.forced.iter().map(score).collect();
                self.ready.push_back(GenEvent::Scores(longest(&self.labels, begun)));
            }
        }
        self.stats.tokens += 1;
        if self.max_tokens == 0 || self.core.ends.contains(&step.token) {
            return self.end();
        }
        let fresh = self.text.push(step.token);
        if self.show(&fresh) {
            self.done();
        } else if self.stats.tokens == self.max_tokens {
            self.end();
        }
    }

    /// Passes on what is no part of a stop text; `true` when a stop text was found.
    fn show(&mut self, text: &str) -> bool {
        let (safe, stopped) = self.stop.push(text);
        if !safe.is_empty() {
            self.ready.push_back(GenEvent::Token(safe));
        }
        stopped
    }

    /// Ends the answer with whatever is still held back.
    fn end(&mut self) {
        let rest = self.text.finish();
        if !self.show(&rest) {
            let held = self.stop.finish();
            if !held.is_empty() {
                self.ready.push_back(GenEvent::Token(held));
            }
        }
        self.done();
    }

    fn done(&mut self) {
        self.run = None;
        self.ended = true;
        self.ready.push_back(GenEvent::Done(self.stats));
    }
}

impl Iterator for Answering {
    type Item = GenEvent;

    fn next(&mut self) -> Option<GenEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended || self.cancel.is_cancelled() {
                return None;
            }
            if let Err(error) = self.advance() {
                self.run = None;
                self.ended = true;
                return Some(GenEvent::Failed(error));
            }
        }
    }
}

/// Waits for the library's next word. `false`: it has said everything, or died.
pub(super) fn wait(responses: &mut mpsc::Receiver<Response>) -> Result<bool, EngineError> {
    let reason = match responses.blocking_recv() {
        Some(Response::CompletionChunk(chunk)) => {
            return Ok(chunk.choices.iter().all(|choice| choice.finish_reason.is_none()));
        }
        None => return Ok(false),
        Some(Response::InternalError(error) | Response::ValidationError(error)) => error.to_string(),
        Some(Response::CompletionModelError(reason, _) | Response::ModelError(reason, _)) => reason,
        Some(_) => "it answered in an unexpected form".into(),
    };
    Err(EngineError::Inference { reason: first_line(&reason) })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::LocalEngine;
    use super::*;
    use crate::engine::engine::{Caps, Engine, GenRequest, Generation, LoadStage};
    use crate::engine::host::{EngineHost, HostEvent, Ticket};
    use crate::engine::model::ModelSpec;

    /// Panics in the library's own thread, in the middle of an answer.
    struct Bomb(AtomicUsize);

    impl CustomLogitsProcessor for Bomb {
        fn apply(&self, logits: &Tensor, _context: &[u32]) -> mistralrs::Result<Tensor> {
            assert!(self.0.fetch_add(1, Ordering::Relaxed) < 3, "a bomb");
            Ok(logits.clone())
        }
    }

    /// The shipped model, but for a prompt over which its library falls in mid-answer.
    struct Fragile(LocalEngine);

    /// What nano answers at some length.
    const SPEECH: &str = "article: A bank clerk plans one last robbery in a casino basement, a heist story\nown: nothing\n\
                          others: nothing\nheadline:";

    impl Engine for Fragile {
        fn caps(&self) -> &Caps {
            self.0.caps()
        }

        fn generate(&self, req: GenRequest) -> Generation {
            if req.prompt != "bomb" {
                return self.0.generate(req);
            }
            let (core, cancel, prompt) = (&self.0.core, Cancel::default(), self.0.encode(SPEECH));
            let (steps, seen) = std_mpsc::channel();
            let (position, _turn) = (AtomicUsize::new(0), core.turns.wait());
            let (forced, labels) = (Vec::new(), Vec::new());
            let probe = Probe { forced, labels, traced: false, vocabulary: core.vocabulary, position, steps, _turn };
            let processors: Vec<Arc<dyn CustomLogitsProcessor>> = vec![Arc::new(probe), Arc::new(Bomb(0.into()))];
            let responses = core.send(&prompt, processors, 40, Delivery::Pieces).unwrap();
            // A label of two tokens keeps it from asking by itself.
            let mut answering = Answering::new(core, cancel.clone(), prompt, vec![vec![1, 2]], 40, Vec::new()).unwrap();
            (answering.run, answering.labels) = (Some((responses, seen)), Vec::new());
            Generation::new(cancel, answering)
        }

        fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
            self.0.embed(texts)
        }
    }

    #[test]
    fn a_panic_in_mid_answer_is_one_message_and_the_next_question_is_answered() {
        let nano = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/models/nano");
        let whole = GenRequest { prompt: "film: a diver\ntag:".into(), max_tokens: 12, ..GenRequest::default() };
        let expected = LocalEngine::load(&nano).unwrap().generate(whole.clone()).finish().unwrap().text;
        let (events, heard) = std_mpsc::channel();
        let loader = move |_: &ModelSpec, _: &dyn Fn(LoadStage) -> Result<(), EngineError>| {
            Ok(Arc::new(Fragile(LocalEngine::load(&nano)?)) as Arc<dyn Engine>)
        };
        let host = EngineHost::with_loader(Arc::new(loader), Box::new(move |event| drop(events.send(event)))).unwrap();
        host.load(ModelSpec::named("nano"));
        let ticket = |epoch, id| Ticket { epoch, id };
        for epoch in 1..=3 {
            host.generate(ticket(epoch, 0), GenRequest { prompt: "bomb".into(), ..whole.clone() });
            host.generate(ticket(epoch, 1), whole.clone());
            let (mut pieces, mut failures, mut text) = (0, Vec::new(), String::new());
            for event in heard.iter() {
                match event {
                    HostEvent::Token { ticket, .. } if ticket.id == 0 => pieces += 1,
                    HostEvent::Token { text: piece, .. } => text += &piece,
                    HostEvent::Failed { ticket, error } => failures.push((ticket, error)),
                    HostEvent::LoadFailed(error) => panic!("{error}"),
                    HostEvent::Done { .. } => break,
                    _ => {}
                }
            }
            assert!(pieces > 0, "it had begun to answer");
            assert_eq!(failures, [(ticket(epoch, 0), EngineError::Gone)]);
            assert_eq!(text, expected);
        }
    }

    /// A request that was sent holds the turn until the library has read its prompt.
    #[test]
    fn nothing_is_asked_for_an_answer_that_nobody_wants() {
        let nano = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/models/nano");
        let core = LocalEngine::load(&nano).unwrap().core;
        let (cancel, prompt) = (Cancel::default(), core.encode(SPEECH));
        let labels = vec![vec![1, 2], vec![3, 4]];
        let mut answering = Answering::new(&core, cancel.clone(), prompt.clone(), labels, 40, Vec::new()).unwrap();
        cancel.cancel();
        answering.advance().unwrap();
        assert!(answering.run.is_none());
        assert_eq!(answering.next(), None);
        let probing = Probing { max_tokens: 1, ..Probing::default() };
        assert!(core.begin(&prompt, probing, &cancel).unwrap().is_none());
        assert!(!*core.turns.taken.lock().unwrap(), "the next question need not wait");
    }

    #[test]
    fn log_probabilities_add_up_and_survive_large_logits() {
        let scores = log_probabilities(&[1000.0, 1001.0, 998.5], &[0, 1, 2, 7]);
        let total: f64 = scores[..3].iter().map(|score| score.exp()).sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
        assert_eq!(scores[3], f64::NEG_INFINITY);
        assert!((scores[1] - scores[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_most_probable_token_is_the_first_of_equals_and_has_a_text() {
        assert_eq!(most_probable(&[0.5, 2.0, 2.0, 9.0], 3), 1);
    }
}
