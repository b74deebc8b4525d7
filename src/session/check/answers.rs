//! The grade *answers*: the model is asked every recorded prompt again, and must say what it said.
//!
//! Decoding is greedy, so the same weights on the same machine say the same to the bit. On another machine numbers differ
//! in their last digits, and where two words were as good as equal the other one may come out. Hence [`NEAR`]: numbers
//! within it are equal, and a word that a smaller margin decided is a *near tie*, reported and no failure.

use super::{Difference, Grade, Place, Verdict, told};
use crate::engine::answer::request_of;
use crate::engine::engine::{Engine, GenEvent, GenStats};
use crate::engine::error::EngineError;
use crate::session::event::{Answered, ByLabel};

/// Log-probabilities of a model closer than this, in nats, are equal, and a word decided by less is a near tie: ten times
/// what reordered sums of 32-bit numbers come to, a hundredth of what would make a choice clear.
pub const NEAR: f64 = 0.02;

/// Asks a model again.
pub(super) struct Asking<'a> {
    engine: &'a dyn Engine,
    labels: &'a [String],
    trust: f64,
    grade: Grade,
    ties: Vec<Difference>,
}

/// What a model says, piece by piece.
#[derive(Default)]
struct Said {
    scores: Vec<f64>,
    pieces: Vec<String>,
    stats: GenStats,
}

impl<'a> Asking<'a> {
    pub(super) fn new(engine: &'a dyn Engine, labels: &'a [String]) -> Self {
        Self { engine, labels, trust: 0.0, grade: Grade::default(), ties: Vec::new() }
    }

    /// Sets ω, the model's share in final decisions from here on.
    pub(super) fn trust(&mut self, model_trust: f64) {
        self.trust = model_trust;
    }

    /// Asks `prompt`, to which the model answered what is `recorded`.
    pub(super) fn ask(&mut self, place: &Place, recorded: &Answered, prompt: &str) -> Result<(), EngineError> {
        let Some(scores) = &recorded.log_probabilities else { return Ok(()) };
        self.grade.compared += 1;
        if self.grade.difference.is_some() {
            return Ok(());
        }
        // Where a text was asked for, nothing was scored.
        let labels = if scores.0.is_empty() { &[] } else { self.labels };
        let said = self.said(prompt, labels)?;
        let found = silent(place, labels, &said.scores).or_else(|| self.numbers(place, scores, &said.scores));
        let found = match found {
            Some(difference) => Some(difference),
            None => self.words(place, recorded, prompt, &said),
        };
        match found {
            Some(difference) if difference.margin.is_some_and(|margin| margin.abs() < NEAR) => {
                self.ties.push(difference);
            }
            Some(difference) => self.grade.difference = Some(difference),
            None => self.ties.extend(self.decision(place, recorded, scores, &said.scores)),
        }
        Ok(())
    }

    pub(super) fn verdict(self) -> Verdict {
        let ties = self.ties.len();
        match (self.grade.verdict(), self.ties.into_iter().next()) {
            (Verdict::Equal { compared }, Some(first)) => Verdict::NearTies { compared, ties, first },
            (verdict, _) => verdict,
        }
    }

    fn said(&self, prompt: &str, labels: &[String]) -> Result<Said, EngineError> {
        let mut said = Said::default();
        for event in self.engine.generate(request_of(prompt.to_owned(), labels)) {
            match event {
                GenEvent::Scores(scores) => said.scores = scores,
                GenEvent::Token(piece) => said.pieces.push(piece),
                GenEvent::Again(_) => said = Said::default(),
                GenEvent::Done(stats) => {
                    said.stats = stats;
                    return Ok(said);
                }
                GenEvent::Failed(error) => return Err(error),
            }
        }
        Err(EngineError::Gone)
    }

    /// The first label whose probability is another one.
    fn numbers(&self, place: &Place, recorded: &ByLabel, computed: &[f64]) -> Option<Difference> {
        self.labels.iter().zip(computed).find_map(|(label, computed)| {
            let recorded = recorded.get(label)?;
            let equal = recorded == *computed || (recorded - computed).abs() < NEAR;
            let field = || format!("log_probabilities.{label}");
            (!equal).then(|| place.difference(field(), recorded.to_string(), computed.to_string()))
        })
    }

    /// The first word that is another one, with how clearly the model prefers its own.
    fn words(&self, place: &Place, recorded: &Answered, prompt: &str, said: &Said) -> Option<Difference> {
        let text = said.pieces.concat();
        if text == recorded.text {
            let same = said.stats.tokens == recorded.tokens;
            let [recorded, computed] = [recorded.tokens, said.stats.tokens].map(|tokens| tokens.to_string());
            return (!same).then(|| place.difference("tokens".to_owned(), recorded, computed));
        }
        // Whole pieces that both have.
        let (mut shared, mut count) = (0, 0);
        for piece in &said.pieces {
            if !recorded.text[shared..].starts_with(piece.as_str()) {
                break;
            }
            shared += piece.len();
            count += 1;
        }
        let [theirs, ours] = [&recorded.text[shared..], &text[shared..]].map(word);
        let mut difference =
            place.difference(format!("text, token {}", count + 1), told(&theirs.into()), told(&ours.into()));
        // An answer that ends has no word to score, and some words an engine cannot: then the margin stays unknown, and
        // what differs is a difference.
        if !theirs.is_empty() && !ours.is_empty() {
            let continued = format!("{prompt}{}", &text[..shared]);
            let scored = self.engine.score(&continued, &[theirs.to_owned(), ours.to_owned()]);
            difference.margin = scored.ok().and_then(|scores| Some(scores.get(1)? - scores.first()?));
        }
        Some(difference)
    }

    /// A decision that the last digits of the model's numbers turn.
    fn decision(&self, place: &Place, recorded: &Answered, before: &ByLabel, now: &[f64]) -> Option<Difference> {
        let first = |p: &[f64]| (1..p.len()).fold(0, |best, y| if p[y] > p[best] { y } else { best });
        let fused: Vec<f64> =
            self.labels.iter().map(|label| recorded.distribution.get(label)).collect::<Option<_>>()?;
        // The final distribution is a product of powers: what the model's numbers moved by, it moves by ω times.
        let moved = |((ln_p, label), now): ((f64, &String), &f64)| match (before.get(label), *now) {
            (Some(before), now) if before.is_finite() && now.is_finite() => ln_p + self.trust * (now - before),
            _ => ln_p,
        };
        let ln: Vec<f64> = fused.iter().map(|p| p.ln()).zip(self.labels).zip(now).map(moved).collect();
        if fused.is_empty() || ln.len() != fused.len() {
            return None;
        }
        let (decided, other) = (first(&fused), first(&ln));
        // Some decisions are no maximum: a median, or one that is held.
        if self.labels[decided] != recorded.answer || other == decided {
            return None;
        }
        let [was, is] = [decided, other].map(|label| self.labels[label].clone());
        let mut difference = place.difference("answer".to_owned(), was, is);
        difference.margin = Some(ln[other] - ln[decided]);
        Some(difference)
    }
}

/// That a model says less of `labels` now than was recorded: what it does not say is equal to nothing.
fn silent(place: &Place, labels: &[String], scores: &[f64]) -> Option<Difference> {
    let [recorded, computed] = [labels.len(), scores.len()].map(|count| format!("{count} numbers"));
    (labels.len() != scores.len()).then(|| place.difference("log_probabilities".to_owned(), recorded, computed))
}

/// The first word of a text with the space before it; all of a text without words.
fn word(text: &str) -> &str {
    let start = text.len() - text.trim_start().len();
    let end = text[start..].find(char::is_whitespace).map_or(text.len(), |end| start + end);
    if start == text.len() { text } else { &text[..end] }
}
