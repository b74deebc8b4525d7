//! Attribution: what each memory, and each line of it, adds to the answer of an arm, token by token.
//!
//! Δ = ln p(answer | prompt) − ln p(answer | prompt without something), in nats: above 0 it spoke for the answer, below 0
//! against it. The answer stays as it was given (teacher forcing); what is left out leaves everything else in its place, see
//! [`Laid`].
//!
//! Invariants: prompts that are equal are asked once, so what an arm does not hold adds exactly 0; a line that is not in the
//! prompt has no Δ; the Δ of an answer is the sum over its tokens.

use super::answer::final_decision;
use super::engine::{Cancel, Engine};
use super::error::EngineError;
use super::prompt::{Arm, Laid, Left, MAX_TEXT_TOKENS, STOP};
use super::trace::{Continuation, Trace, TraceRequest};
use crate::mediator::Resolution;
use crate::mediator::distribution::from_logs;
use crate::mediator::fusion::fuse;
use crate::memory::why_not::Side;

/// What is to be attributed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A label, in the tokens that it is scored in.
    Label(String),
    /// The text that the model wrote.
    Written(String),
}

impl Target {
    /// What an arm answered: its final decision where the model scores `labels`, else what it wrote.
    pub fn of(labels: &[String], decision: usize, written: &str) -> Self {
        match labels.get(decision) {
            Some(label) => Self::Label(label.clone()),
            None => Self::Written(written.to_owned()),
        }
    }
}

/// Prompts to be asked for an attribution, each once.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Whose answer.
    pub arm: Arm,
    /// What it answered.
    pub target: Target,
    labels: Vec<String>,
    prompts: Vec<String>,
    /// What is left out, with the place of its prompt.
    ways: Vec<(Left, usize)>,
    /// Lines of either memory as they stand in the prompt.
    lines: Vec<(Left, String)>,
}

impl Plan {
    /// The prompt itself, the prompt without either memory and without both, and without every line of them.
    pub fn of(laid: &Laid, arm: Arm, labels: &[String], target: Target) -> Self {
        let mut plan =
            Self { arm, target, labels: labels.to_vec(), prompts: Vec::new(), ways: Vec::new(), lines: Vec::new() };
        for left in [Left::Nothing, Left::Memory(Side::Local), Left::Memory(Side::Global), Left::Both] {
            plan.add(laid, left);
        }
        for side in [Side::Local, Side::Global] {
            for (place, line) in laid.lines(side).enumerate() {
                plan.add(laid, Left::Line(side, place));
                plan.lines.push((Left::Line(side, place), line.to_owned()));
            }
        }
        plan
    }

    fn add(&mut self, laid: &Laid, left: Left) {
        let prompt = laid.prompt(left);
        let place = self.prompts.iter().position(|known| *known == prompt).unwrap_or_else(|| {
            self.prompts.push(prompt);
            self.prompts.len() - 1
        });
        self.ways.push((left, place));
    }

    /// How many prompts are asked: the lines and 4 at most.
    pub fn passes(&self) -> usize {
        self.prompts.len()
    }

    /// How many lines of both memories stand in the prompt.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// The prompt as the arm reads it.
    pub fn prompt(&self) -> &str {
        self.prompts.first().map_or("", String::as_str)
    }
}

/// What an attribution has found so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// What it asks.
    pub plan: Plan,
    /// In the order of the plan's prompts.
    traces: Vec<Trace>,
}

/// What one line of a memory does for the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct LineEffect {
    /// Whose memory.
    pub side: Side,
    /// Its place there from 0: that of its hit, or entry, among those that were read.
    pub place: usize,
    /// The line as it stands in the prompt.
    pub text: String,
    /// Its Δ over the whole answer, in nats.
    pub delta: f64,
    /// What the model itself would prefer without it; `None` where it scores no labels.
    pub model: Option<Turn>,
    /// What the arm would answer without it, the word of its own memory being what it is; `None` as above.
    pub answer: Option<Turn>,
}

/// A decision without something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The label.
    pub decision: usize,
    /// Whether it is another one than with everything.
    pub changes: bool,
}

/// How an arm's answer follows from what the model says of the labels.
#[derive(Clone, Copy, Debug)]
pub struct Deciding<'a> {
    /// What the rules decide.
    pub resolution: &'a Resolution,
    /// What the arm's memory says by itself.
    pub memory: &'a [f64],
    /// ω.
    pub model_trust: f64,
}

impl Attribution {
    /// One that has asked nothing yet.
    pub fn new(plan: Plan) -> Self {
        Self { plan, traces: Vec::new() }
    }

    /// Asks everything and waits for it.
    pub fn run(plan: Plan, engine: &dyn Engine) -> Result<Self, EngineError> {
        let mut attribution = Self::new(plan);
        while let Some(request) = attribution.request() {
            attribution.take(engine.trace(&request, &Cancel::default())?)?;
        }
        Ok(attribution)
    }

    /// How many prompts have been asked.
    pub fn done(&self) -> usize {
        self.traces.len()
    }

    /// What is to be asked next; `None` once everything is known.
    pub fn request(&self) -> Option<TraceRequest> {
        let prompt = self.plan.prompts.get(self.traces.len())?.clone();
        let continuation = match (self.answer(), &self.plan.target) {
            // A model that wrote nothing has said nothing that could be attributed.
            (Some(answer), _) if answer.tokens.is_empty() => return None,
            (Some(answer), _) => answer.continuation(),
            (None, Target::Label(label)) => Continuation::Text(label.clone()),
            (None, Target::Written(_)) => {
                Continuation::Own { max_tokens: MAX_TEXT_TOKENS, stop: vec![STOP.to_owned()] }
            }
        };
        Some(TraceRequest { prompt, continuation, labels: self.plan.labels.clone(), words: true })
    }

    /// Takes in what was asked for last. Refuses a text that is not the one that the arm wrote, and a trace of other
    /// tokens than were asked for.
    pub fn take(&mut self, trace: Trace) -> Result<(), EngineError> {
        let another = |reason: &str| Err(EngineError::Inference { reason: reason.to_owned() });
        match (self.answer(), &self.plan.target) {
            (Some(answer), _) if answer.continuation() != trace.continuation() => {
                return another("it scored other tokens than those of the answer");
            }
            (None, Target::Written(written)) if trace.text() != *written => {
                return another("asked again it wrote something else, so the answer shown cannot be attributed");
            }
            _ => self.traces.push(trace),
        }
        Ok(())
    }

    /// The answer under the whole prompt.
    pub fn answer(&self) -> Option<&Trace> {
        self.traces.first()
    }

    /// The answer without something; `None` before that is known, and of a line that is not in the prompt.
    pub fn without(&self, left: Left) -> Option<&Trace> {
        let (_, place) = self.plan.ways.iter().find(|(known, _)| *known == left)?;
        self.traces.get(*place)
    }

    /// Δ of every token, in nats.
    pub fn deltas(&self, left: Left) -> Option<Vec<f64>> {
        let (with, without) = (self.answer()?, self.without(left)?);
        Some(with.tokens.iter().zip(&without.tokens).map(|(with, without)| with.ln_p - without.ln_p).collect())
    }

    /// Δ of the whole answer, in nats.
    pub fn delta(&self, left: Left) -> Option<f64> {
        self.deltas(left).map(|deltas| deltas.iter().sum())
    }

    /// The model's probabilities of the labels, made whole, without something; `None` where it scores none.
    pub fn shares(&self, left: Left) -> Option<Vec<f64>> {
        let scores = &self.without(left)?.scores;
        (!scores.is_empty()).then(|| from_logs(scores.clone()))
    }

    /// What each line does that is known by now, the greatest |Δ| first. `deciding` tells how an answer is made of what
    /// the model says.
    pub fn lines(&self, deciding: Deciding) -> Vec<LineEffect> {
        let (arm, trust) = (self.plan.arm, deciding.model_trust);
        let model = |left: Left| self.shares(left).map(|shares| deciding.resolution.decide(&shares));
        let answer = |left: Left| {
            let fused = fuse(&self.without(left)?.scores, deciding.memory, trust);
            let labels = !self.without(left)?.scores.is_empty();
            labels.then(|| final_decision(deciding.resolution, arm, &fused, trust > 0.0))
        };
        let turn = |with: Option<usize>, without: Option<usize>| {
            without.map(|decision| Turn { decision, changes: with != Some(decision) })
        };
        let (model_now, answer_now) = (model(Left::Nothing), answer(Left::Nothing));
        let effect = |(left, text): &(Left, String)| {
            let Left::Line(side, place) = *left else { return None };
            Some(LineEffect {
                side,
                place,
                text: text.clone(),
                delta: self.delta(*left)?,
                model: turn(model_now, model(*left)),
                answer: turn(answer_now, answer(*left)),
            })
        };
        let mut lines: Vec<LineEffect> = self.plan.lines.iter().filter_map(effect).collect();
        lines.sort_by(|a, b| b.delta.abs().total_cmp(&a.delta.abs()));
        lines
    }
}
