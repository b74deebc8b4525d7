//! Whether two engines say the same: the labels they choose and the tokens they write, and where they differ, by how
//! little.
//!
//! Invariant: a difference is *real* when the reference prefers its own choice by more than the tolerance; what it holds
//! as good as equal may fall either way in another number format.

use std::time::Duration;

use serde::Serialize;

use super::engine::{Engine, GenEvent, GenRequest};
use super::error::EngineError;

/// What one engine said.
struct Said {
    scores: Vec<f64>,
    pieces: Vec<String>,
}

/// Work done and time taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Pace {
    /// Tokens computed.
    pub tokens: usize,
    /// Seconds from request to last token, summed.
    pub seconds: f64,
}

impl Pace {
    /// Tokens a second, prompts included in the time.
    pub fn speed(&self) -> f64 {
        if self.seconds > 0.0 { self.tokens as f64 / self.seconds } else { 0.0 }
    }

    fn add(&mut self, tokens: usize, elapsed: Duration) {
        self.tokens += tokens;
        self.seconds += elapsed.as_secs_f64();
    }
}

/// Where the two part.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// At the label they choose.
    Label,
    /// At a token, the one of this number.
    Token(usize),
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where.
    pub kind: Kind,
    /// What the reference says.
    pub expected: String,
    /// What the other one says.
    pub found: String,
    /// By how much the reference prefers its own, in nats; `None` where one of them says nothing more.
    pub margin: Option<f64>,
}

impl Difference {
    /// Whether it is more than numbers rounded differently.
    pub fn is_real(&self, tolerance: f64) -> bool {
        self.margin.is_none_or(|margin| margin > tolerance)
    }
}

/// Two engines, side by side.
pub struct Parity<'a> {
    /// What is taken as right.
    pub reference: &'a dyn Engine,
    /// What is compared with it.
    pub other: &'a dyn Engine,
    /// The work of both, in that order.
    pub pace: [Pace; 2],
}

impl<'a> Parity<'a> {
    /// Nothing asked yet.
    pub fn of(reference: &'a dyn Engine, other: &'a dyn Engine) -> Self {
        Self { reference, other, pace: Default::default() }
    }

    /// Asks both and says where they part: at most once in the label, and once in the text.
    pub fn ask(&mut self, request: &GenRequest) -> Result<Vec<Difference>, EngineError> {
        let expected = said(self.reference, request, &mut self.pace[0])?;
        let found = said(self.other, request, &mut self.pace[1])?;
        let mut differences = Vec::new();
        if let (Some(right), Some(wrong)) = (best(&expected.scores), best(&found.scores))
            && right != wrong
        {
            let label = |at: usize| request.labels.get(at).cloned().unwrap_or_default();
            differences.push(Difference {
                kind: Kind::Label,
                expected: label(right),
                found: label(wrong),
                margin: Some(expected.scores[right] - expected.scores[wrong]),
            });
        }
        let longest = expected.pieces.len().max(found.pieces.len());
        let parting = (0..longest).find(|&at| expected.pieces.get(at) != found.pieces.get(at));
        if let Some(at) = parting {
            let (right, wrong) = (expected.pieces.get(at), found.pieces.get(at));
            let margin = match (right, wrong) {
                (Some(right), Some(wrong)) => {
                    let prompt = format!("{}{}", request.prompt, expected.pieces[..at].concat());
                    let scores = self.reference.score(&prompt, &[right.clone(), wrong.clone()])?;
                    scores.first().zip(scores.get(1)).map(|(right, wrong)| right - wrong)
                }
                _ => None,
            };
            let text = |piece: Option<&String>| piece.cloned().unwrap_or_default();
            differences.push(Difference { kind: Kind::Token(at), expected: text(right), found: text(wrong), margin });
        }
        Ok(differences)
    }
}

fn said(engine: &dyn Engine, request: &GenRequest, pace: &mut Pace) -> Result<Said, EngineError> {
    let mut said = Said { scores: Vec::new(), pieces: Vec::new() };
    for event in engine.generate(request.clone()) {
        match event {
            GenEvent::Scores(scores) => said.scores = scores,
            GenEvent::Token(piece) => said.pieces.push(piece),
            GenEvent::Again(_) => said = Said { scores: Vec::new(), pieces: Vec::new() },
            GenEvent::Done(stats) => pace.add(stats.tokens, stats.elapsed),
            GenEvent::Failed(error) => return Err(error),
        }
    }
    Ok(said)
}

/// The first of the highest.
fn best(scores: &[f64]) -> Option<usize> {
    let mut best = None;
    for (at, score) in scores.iter().enumerate() {
        if best.is_none_or(|(_, highest)| *score > highest) {
            best = Some((at, *score));
        }
    }
    best.map(|(at, _)| at)
}
