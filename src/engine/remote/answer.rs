//! One answer of a server, with as many attempts at it as patience allows.
//!
//! Invariants: an attempt begins with nothing of the one before; what is told of an attempt that was lost is taken back by
//! one [`GenEvent::Again`]; the last event is `Done` or `Failed`, unless it was cancelled; the time of a text is its own,
//! without what is asked about labels besides.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::labels::{Scoring, Tops};
use super::reply::Chunk;
use super::wire::{Endpoint, Fault, Question, Reply};
use super::{CUT, Core, Manner};
use crate::engine::engine::{Cancel, GenEvent, GenRequest, GenStats, Outage};
use crate::engine::error::EngineError;
use crate::engine::stop::StopFilter;

/// How long the rest of a finished answer is waited for: it holds nothing but the count of its tokens.
const AFTERWORD: Duration = Duration::from_secs(1);

/// Where an answer stands.
enum Stand {
    /// The next attempt begins.
    Begins,
    /// It comes.
    Comes(Box<Reply>),
    /// Its last token is here, its count perhaps not.
    Finished(Box<Reply>),
    /// It was lost, and begins anew after this.
    Waits(Duration),
    /// There is no more of it.
    Ended,
}

/// What a piece of an answer says of what follows it.
enum Taken {
    /// More of it.
    More,
    /// Nothing but the count of its tokens.
    Last,
    /// Nothing that is wanted.
    Enough,
}

/// An answer in the making: an iterator whose every step waits for the server's next word.
pub(super) struct Answering {
    core: Arc<Core>,
    cancel: Cancel,
    endpoint: Endpoint,
    manner: Manner,
    req: GenRequest,
    stand: Stand,
    attempt: u32,
    stop: StopFilter,
    /// Whether labels are still to be scored with what the answer's first token reports.
    scores: bool,
    /// Tokens, as far as the pieces of the answer show them.
    pieces: usize,
    stats: GenStats,
    /// When the text was asked for, put off by as much as labels have taken since.
    started: Instant,
    ready: VecDeque<GenEvent>,
}

impl Answering {
    pub(super) fn new(core: Arc<Core>, cancel: Cancel, endpoint: Endpoint, manner: Manner, req: GenRequest) -> Self {
        Self {
            core,
            cancel,
            endpoint,
            manner,
            req,
            stand: Stand::Begins,
            attempt: 1,
            stop: StopFilter::default(),
            scores: false,
            pieces: 0,
            stats: GenStats::default(),
            started: Instant::now(),
            ready: VecDeque::new(),
        }
    }

    fn question(&self) -> Question<'_> {
        Question {
            endpoint: self.endpoint,
            model: &self.core.model,
            prompt: &self.req.prompt,
            max_tokens: self.req.max_tokens,
            stop: &self.req.stop,
            temperature: 0.0,
            tops: 0,
            usage: self.manner.usage,
        }
    }

    /// Begins an attempt, with nothing of the one before.
    fn begin(&mut self) -> Result<(), Fault> {
        self.stop = StopFilter::new(self.req.stop.clone());
        self.started = Instant::now();
        self.pieces = 0;
        self.stats = GenStats { prompt_tokens: self.req.prompt.len().div_ceil(4), ..GenStats::default() };
        let scored = !self.req.labels.is_empty() && self.manner.tops > 0;
        let apart = scored && (self.manner.apart || self.req.max_tokens == 0);
        if apart {
            let tops = self.asked_tops("")?.ok_or_else(|| Fault::Garbled("it reports no probabilities".to_owned()))?;
            self.score(&tops)?;
        }
        if self.req.max_tokens == 0 {
            self.stats.tokens = 1;
            (self.stats.ttft, self.stats.elapsed) = (self.started.elapsed(), self.started.elapsed());
            self.ready.push_back(GenEvent::Done(self.stats));
            self.stand = Stand::Ended;
            return Ok(());
        }
        self.started = Instant::now();
        self.scores = scored && !apart;
        let tops = if self.scores { self.manner.tops } else { 0 };
        let reply =
            self.core.server.wire.ask(&Question { tops, ..self.question() }, &|| !self.cancel.is_cancelled())?;
        self.stand = Stand::Comes(Box::new(reply));
        Ok(())
    }

    /// The most probable tokens after the prompt and `said`.
    fn asked_tops(&self, said: &str) -> Result<Option<Tops>, Fault> {
        let prompt = format!("{}{said}", self.req.prompt);
        let tops = self.manner.tops;
        // At this temperature probabilities are the model's own, however a server reports those of a greedy answer.
        let question =
            Question { prompt: &prompt, max_tokens: 1, stop: &[], temperature: 1.0, tops, ..self.question() };
        let reported = self.core.reported(&question, &|| !self.cancel.is_cancelled())?;
        Ok(reported.and_then(|reported| self.manner.base.tops(reported)))
    }

    /// Scores the labels, following their beginnings where a prompt can be added to.
    fn score(&mut self, tops: &Tops) -> Result<(), Fault> {
        let mut scoring = Scoring::new(&self.req.labels, tops, self.endpoint == Endpoint::Completions);
        while let Some(said) = scoring.next().map(str::to_owned) {
            let tops = self.asked_tops(&said)?.unwrap_or_default();
            scoring.follow(&said, &tops);
        }
        let scores = scoring.finish();
        self.ready.push_back(GenEvent::Scores(scores));
        Ok(())
    }

    fn advance(&mut self) -> Result<(), Fault> {
        let cancel = self.cancel.clone();
        let wanted = || !cancel.is_cancelled();
        match std::mem::replace(&mut self.stand, Stand::Ended) {
            Stand::Begins => self.begin()?,
            Stand::Waits(time) => {
                self.core.server.wire.patience.clock.wait(time, &wanted);
                self.stand = Stand::Begins;
            }
            Stand::Comes(mut reply) => {
                let wire = &self.core.server.wire;
                let patience = &wire.patience;
                let limit = if self.pieces == 0 { patience.first } else { patience.between };
                let Some(chunk) = wire.next(&mut reply, limit, &wanted)? else {
                    if self.pieces == 0 || !reply.is_whole() {
                        return Err(Fault::Lost(CUT.to_owned()));
                    }
                    // Not every server says why it ends.
                    self.done();
                    return Ok(());
                };
                match self.take(&chunk)? {
                    Taken::More => self.stand = Stand::Comes(reply),
                    Taken::Last if self.manner.usage && self.stats.tokens == 0 => self.stand = Stand::Finished(reply),
                    Taken::Last | Taken::Enough => self.done(),
                }
            }
            Stand::Finished(mut reply) => {
                match self.core.server.wire.next(&mut reply, AFTERWORD, &wanted) {
                    Err(Fault::Cancelled) => return Err(Fault::Cancelled),
                    // The answer is whole, whatever becomes of what follows it.
                    counted => {
                        counted.ok().flatten().iter().for_each(|chunk| self.count(chunk));
                        self.done();
                    }
                }
            }
            Stand::Ended => {}
        }
        Ok(())
    }

    /// Takes in a piece of the answer.
    fn take(&mut self, chunk: &Chunk) -> Result<Taken, Fault> {
        self.count(chunk);
        let Some(choice) = chunk.choices.iter().flatten().next() else { return Ok(Taken::More) };
        self.stats.elapsed = self.started.elapsed();
        let ends = if choice.finish_reason.is_some() { Taken::Last } else { Taken::More };
        let (text, tops) = (choice.text(), choice.tops());
        if text.is_empty() && tops.is_none() {
            return Ok(ends);
        }
        if self.pieces == 0 {
            self.stats.ttft = self.stats.elapsed;
        }
        // Not every server heeds limits.
        if self.pieces == self.req.max_tokens && self.pieces > 0 {
            return Ok(Taken::Enough);
        }
        self.pieces += 1;
        if std::mem::take(&mut self.scores)
            && let Some(tops) = tops.and_then(|reported| self.manner.base.tops(reported))
        {
            let asked = Instant::now();
            self.score(&tops)?;
            self.started += asked.elapsed();
        }
        let (safe, stopped) = self.stop.push(text);
        if !safe.is_empty() {
            self.ready.push_back(GenEvent::Token(safe));
        }
        // Nor stop texts.
        Ok(if stopped { Taken::Enough } else { ends })
    }

    /// Takes in the server's count of tokens, if it is here.
    fn count(&mut self, chunk: &Chunk) {
        let Some(usage) = chunk.usage else { return };
        if let Some(tokens) = usage.completion_tokens.filter(|tokens| *tokens > 0) {
            self.stats.prompt_tokens = usage.prompt_tokens.unwrap_or(self.stats.prompt_tokens);
            self.stats.tokens = tokens;
        }
    }

    fn done(&mut self) {
        let held = self.stop.finish();
        if !held.is_empty() {
            self.ready.push_back(GenEvent::Token(held));
        }
        if self.stats.tokens == 0 {
            self.stats.tokens = self.pieces.max(1);
        }
        self.ready.push_back(GenEvent::Done(self.stats));
        self.stand = Stand::Ended;
    }

    /// What follows a fault: another attempt, or the end.
    fn failed(&mut self, fault: Fault) {
        self.ready.clear();
        self.stand = Stand::Ended;
        let server = &self.core.server;
        let patience = &server.wire.patience;
        match fault.again(self.attempt, patience) {
            Some(wait) => {
                self.attempt += 1;
                let (server, reason) = (self.core.host(), fault.reason().to_owned());
                let outage = Outage { server, reason, wait, attempt: self.attempt, of: patience.attempts };
                tracing::warn!(target: "logoscope::engine", "{outage}");
                self.ready.push_back(GenEvent::Again(outage));
                self.stand = Stand::Waits(wait);
            }
            None if fault == Fault::Cancelled => {}
            None => self.ready.push_back(GenEvent::Failed(self.error(fault))),
        }
    }

    fn error(&self, fault: Fault) -> EngineError {
        self.core.server.error(fault, self.attempt)
    }
}

impl Iterator for Answering {
    type Item = GenEvent;

    fn next(&mut self) -> Option<GenEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if matches!(self.stand, Stand::Ended) || self.cancel.is_cancelled() {
                return None;
            }
            if let Err(fault) = self.advance() {
                self.failed(fault);
            }
        }
    }
}
