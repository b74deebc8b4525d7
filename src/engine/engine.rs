//! What every engine can do, whatever runs behind it: answer a prompt token by token, and say how probable it finds
//! each label.
//!
//! Invariants:
//! * A [`Generation`] is `Scores?`, `Token*`, then exactly one of `Done` or `Failed`; after [`Cancel::cancel`] it just
//!   ends. An `Again` between makes all before it void: the answer begins anew, and no text is joined to that of another
//!   attempt.
//! * Dropping a generation cancels it: the engine stops at its next token.
//! * Scores are natural logarithms of the model's own probabilities, not normalised over the labels.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::EngineError;
use super::model::Origin;
use super::room::Bytes;
use super::trace::{self, Trace, TraceRequest};

/// How an engine comes by the probabilities of labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScoreKind {
    /// From the whole distribution over the vocabulary.
    #[default]
    Exact,
    /// From the few most probable tokens that a remote server reports.
    Approximate,
    /// Not at all.
    None,
}

impl ScoreKind {
    /// Whether nothing has to be said of the scores.
    pub fn is_exact(&self) -> bool {
        *self == Self::Exact
    }

    /// The name of a model that scores like this, with what has to be said of its scores.
    pub fn of(self, name: &str) -> String {
        self.caveat().map_or_else(|| name.to_owned(), |caveat| format!("{name} ({caveat})"))
    }

    /// What has to be said of the scores wherever they are shown; nothing of exact ones.
    pub fn caveat(self) -> Option<&'static str> {
        match self {
            Self::Exact => None,
            Self::Approximate => Some("approximate scores"),
            Self::None => Some("no label scores"),
        }
    }
}

/// What an engine is and can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Caps {
    /// The model's short name.
    pub name: String,
    /// Where it runs: "cpu", "cuda", or a host.
    pub device: String,
    /// Number format of the computation: "f32". Of a model on a server, what its prompts are sent to: "completions", or
    /// "chat" where the server continues no text and a prompt goes as a message.
    pub dtype: String,
    /// Number of weights; 0 where unknown.
    pub parameters: u64,
    /// Tokens of prompt and answer together.
    pub max_context: usize,
    /// How labels are scored.
    pub score: ScoreKind,
    /// Whether the model brings a chat template, and so can be told what to do, see [`Form::Chat`].
    pub chat: bool,
}

impl Caps {
    /// Whether the model can write what it is told to.
    pub fn writes(&self) -> bool {
        self.chat
    }
}

/// How a prompt reaches a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// As it is: the model continues it.
    #[default]
    Plain,
    /// As what a person says in a conversation, in the model's own chat template: the model replies. An engine without
    /// a template fails.
    Chat,
}

/// One question to a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenRequest {
    /// The whole prompt; no special token is added to it but those of its form and, where a general model continues it, those
    /// that its tokenizer puts in front of a text.
    pub prompt: String,
    /// Labels to score at the first position of the answer, each encoded by itself. They cost nothing where each is
    /// one token, and one further pass over the prompt for each that is not.
    pub labels: Vec<String>,
    /// Whether labels are words of an answer: behind a prompt that ends in no white space a general model says them with a
    /// space before, and a model that was made for such prompts as it has learned to.
    pub words: bool,
    /// The most tokens to generate, clamped to the context. 0 scores the labels and generates no text.
    pub max_tokens: usize,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// How the prompt reaches the model.
    pub form: Form,
}

/// What a generation cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GenStats {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens computed, the one that ended the answer among them; 1 where labels alone were scored.
    pub tokens: usize,
    /// From the request to its first token; of an answer that was begun anew, from the last beginning.
    pub ttft: Duration,
    /// From the request to its last token.
    pub elapsed: Duration,
}

/// What a generation says while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum GenEvent {
    /// Natural log of the probability of each label, in the order they were asked for.
    Scores(Vec<f64>),
    /// The next piece of the answer, never empty.
    Token(String),
    /// What was said so far is void: the connection was lost, and the answer begins anew after a while.
    Again(Outage),
    /// The answer is complete.
    Done(GenStats),
    /// There will be no more of it.
    Failed(EngineError),
}

/// A server that could not be asked, and is asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Which server: its host.
    pub server: String,
    /// What happened.
    pub reason: String,
    /// Until the next attempt.
    pub wait: Duration,
    /// The next attempt, from 2.
    pub attempt: u32,
    /// How many there are at most.
    pub of: u32,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, reason, wait, attempt, of } = self;
        write!(f, "{server}: {reason}; trying again in {:.1} s, {attempt} of {of}", wait.as_secs_f64())
    }
}

/// Ends a generation from another thread.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the generation to end at its next token, without a `Done`.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A running answer: an iterator of events that blocks until the next one. Dropping it cancels the answer.
pub struct Generation {
    events: Box<dyn Iterator<Item = GenEvent> + Send>,
    cancel: Cancel,
    ended: bool,
}

impl Generation {
    /// The answer whose events come from `events`. Whatever computes them may look at `cancel` to end early.
    pub fn new(cancel: Cancel, events: impl Iterator<Item = GenEvent> + Send + 'static) -> Self {
        Self { events: Box::new(events), cancel, ended: false }
    }

    /// An answer that failed before it began.
    pub fn failed(error: EngineError) -> Self {
        Self::new(Cancel::default(), std::iter::once(GenEvent::Failed(error)))
    }

    /// A handle that ends this answer from another thread.
    pub fn cancel_handle(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Waits for the whole answer.
    pub fn finish(self) -> Result<Answer, EngineError> {
        let mut answer = Answer::default();
        for event in self {
            match event {
                GenEvent::Scores(scores) => answer.scores = scores,
                GenEvent::Token(text) => answer.text.push_str(&text),
                GenEvent::Again(_) => answer = Answer::default(),
                GenEvent::Done(stats) => {
                    answer.stats = stats;
                    return Ok(answer);
                }
                GenEvent::Failed(error) => return Err(error),
            }
        }
        Err(EngineError::Gone)
    }
}

impl Iterator for Generation {
    type Item = GenEvent;

    fn next(&mut self) -> Option<GenEvent> {
        if self.ended || self.cancel.is_cancelled() {
            return None;
        }
        // An engine that dies leaves its answer without an end: that is a failure too, and must not look like silence.
        let event = self.events.next().unwrap_or(GenEvent::Failed(EngineError::Gone));
        if self.cancel.is_cancelled() {
            return None;
        }
        self.ended = matches!(event, GenEvent::Done(_) | GenEvent::Failed(_));
        Some(event)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Natural log of the probability of each label asked for.
    pub scores: Vec<f64>,
    /// The generated text.
    pub text: String,
    /// What it cost.
    pub stats: GenStats,
}

/// What an answer cost without the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bare {
    /// Tokens computed, the one that ended the answer among them.
    pub tokens: usize,
    /// From the text of the prompt to the whole answer.
    pub elapsed: Duration,
}

/// How far a model has been loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadStage {
    /// Its files are on their way from a hub.
    Downloading {
        /// Bytes that are here.
        done: u64,
        /// All of them; 0 before that is known.
        total: u64,
    },
    /// The server it is on is being asked.
    Asking {
        /// Which attempt it is, from 1.
        attempt: u32,
        /// How many there are at most.
        of: u32,
    },
    /// Its files are being checked.
    Checking,
    /// Its weights are being read.
    Weights,
    /// What answers with them is being set up.
    Building,
    /// It computes a first token, which proves that the weights hold numbers.
    FirstToken,
}

impl fmt::Display for LoadStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Downloading { total: 0, .. } => f.write_str("asking the hub"),
            Self::Downloading { done, total } => write!(f, "downloading {} of {}", Bytes(*done), Bytes(*total)),
            Self::Asking { attempt: 0 | 1, .. } => f.write_str("asking the server"),
            Self::Asking { attempt, of } => write!(f, "asking the server again, {attempt} of {of}"),
            Self::Checking => f.write_str("checking files"),
            Self::Weights => f.write_str("reading weights"),
            Self::Building => f.write_str("building"),
            Self::FirstToken => f.write_str("first token"),
        }
    }
}

/// A model that answers. Its methods block and are for plain threads, not for tasks of an asynchronous runtime.
pub trait Engine: Send + Sync {
    /// What this engine is and can do.
    fn caps(&self) -> &Caps;

    /// Where it came from and what it takes; `None` for an engine that holds no model of its own.
    fn origin(&self) -> Option<&Origin> {
        None
    }

    /// Starts an answer at once and returns it. Every problem, also of the request itself, comes as `Failed`.
    fn generate(&self, req: GenRequest) -> Generation;

    /// Natural log of the probability of each label as the continuation of `prompt`, in the order given.
    fn score(&self, prompt: &str, labels: &[String]) -> Result<Vec<f64>, EngineError> {
        if labels.is_empty() {
            return Ok(Vec::new());
        }
        let req = GenRequest { prompt: prompt.to_owned(), labels: labels.to_vec(), ..GenRequest::default() };
        Ok(self.generate(req).finish()?.scores)
    }

    /// Natural log of the probability that an answer ends right behind `prompt`: of the most probable token that ends one.
    /// `None` where the engine cannot tell.
    fn score_end(&self, prompt: &str) -> Result<Option<f64>, EngineError> {
        let _ = prompt;
        Ok(None)
    }

    /// How probable this engine finds a given answer, token by token. It ends at its next token with
    /// [`EngineError::Cancelled`] once `cancel` is; an engine that cannot do this at all says so.
    fn trace(&self, _req: &TraceRequest, _cancel: &Cancel) -> Result<Trace, EngineError> {
        Err(trace::unsupported(&self.caps().name))
    }

    /// A vector for each text.
    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError>;

    /// Tokens of `text`: exact where the engine has the tokenizer, an estimate (four bytes a token) where it has not.
    fn count_tokens(&self, text: &str) -> usize {
        text.len().div_ceil(4)
    }

    /// Puts the prompt of `req` to what runs behind the engine, past everything that this program adds: no labels are
    /// scored and no stop text ends it. For measuring what the engine costs; `None` where there is nothing behind it.
    fn bare(&self, req: &GenRequest) -> Option<Result<Bare, EngineError>> {
        let _ = req;
        None
    }
}
