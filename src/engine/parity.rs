//! Whether two engines say the same: the labels they choose and the tokens they write, and where they differ, by how
//! little.
//!
//! Invariant: a difference is *real* when the reference prefers one of both choices, the end of its text among them, by more
//! than the tolerance; what it holds as good as equal may fall either way in another number format. One that prefers the
//! other's choice by more than that contradicts itself, which is no rounding either. Where it cannot tell how near it was to
//! the other's choice, nothing shows that it was rounding, and the difference is real.

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
    /// Before the token of this number: one ends there, the other goes on.
    End(usize),
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
    /// By how much the reference prefers its own, in nats, below 0 where it prefers the other's; `None` where it cannot tell how probable its end was.
    pub margin: Option<f64>,
}

impl Difference {
    /// Whether it is more than numbers rounded differently.
    pub fn is_real(&self, tolerance: f64) -> bool {
        // A margin of two impossibilities is no number, and within no bounds.
        self.margin.is_none_or(|margin| !(-tolerance..=tolerance).contains(&margin))
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
        if !request.labels.is_empty() && (expected.scores.is_empty() || found.scores.is_empty()) {
            let silent = if expected.scores.is_empty() { self.reference } else { self.other };
            return Err(EngineError::Unsupported {
                engine: silent.caps().name.clone(),
                what: "say how probable labels are",
            });
        }
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
            let prompt = format!("{}{}", request.prompt, expected.pieces[..at].concat());
            let score = |piece: Option<&String>| match piece {
                Some(piece) => Ok(self.reference.score(&prompt, std::slice::from_ref(piece))?.first().copied()),
                None => self.reference.score_end(&prompt),
            };
            let margin = score(right)?.zip(score(wrong)?).map(|(right, wrong)| right - wrong);
            let kind = if right.is_some() && wrong.is_some() { Kind::Token(at) } else { Kind::End(at) };
            let text = |piece: Option<&String>| piece.cloned().unwrap_or_default();
            differences.push(Difference { kind, expected: text(right), found: text(wrong), margin });
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

#[cfg(test)]
mod tests {
    use super::super::engine::{Cancel, Caps, GenStats, Generation, ScoreKind};
    use super::*;

    /// Says what it is made to say, and finds going on and ending as probable as it is told.
    struct Speaker {
        caps: Caps,
        pieces: Vec<&'static str>,
        goes_on: f64,
        ends: Option<f64>,
    }

    fn speaker(pieces: &[&'static str], goes_on: f64, ends: Option<f64>) -> Speaker {
        let caps = Caps {
            name: "speaker".into(),
            device: "cpu".into(),
            dtype: "f32".into(),
            parameters: 1,
            max_context: 512,
            score: ScoreKind::Exact,
            chat: false,
        };
        Speaker { caps, pieces: pieces.to_vec(), goes_on, ends }
    }

    impl Engine for Speaker {
        fn caps(&self) -> &Caps {
            &self.caps
        }

        fn generate(&self, req: GenRequest) -> Generation {
            let mut events = Vec::new();
            if self.goes_on > 0.0 {
                events.push(GenEvent::Scores(vec![self.goes_on.ln(); req.labels.len()]));
            }
            if req.max_tokens > 0 {
                events.extend(self.pieces.iter().map(|piece| GenEvent::Token((*piece).to_owned())));
            }
            events.push(GenEvent::Done(GenStats::default()));
            Generation::new(Cancel::default(), events.into_iter())
        }

        fn score_end(&self, _: &str) -> Result<Option<f64>, EngineError> {
            Ok(self.ends.map(f64::ln))
        }

        fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn an_end_is_a_choice_like_any_other() {
        let (short, long) = (&["a"][..], &["a", "b"][..]);
        let request = GenRequest { prompt: "say".into(), max_tokens: 8, ..GenRequest::default() };
        for (right, wrong, goes_on, ends, real) in [
            (short, long, 0.49, Some(0.51), false),
            (short, long, 0.1, Some(0.9), true),
            (long, short, 0.51, Some(0.49), false),
            (long, short, 0.9, Some(0.1), true),
            // Who cannot tell has not shown that it was rounding.
            (short, long, 0.49, None, true),
        ] {
            let (reference, other) = (speaker(right, goes_on, ends), speaker(wrong, goes_on, ends));
            let found = Parity::of(&reference, &other).ask(&request).unwrap();
            let [difference] = &found[..] else { panic!("{found:?}") };
            assert_eq!((&difference.kind, difference.is_real(0.05)), (&Kind::End(1), real), "{difference:?}");
            assert_eq!(difference.margin.is_some(), ends.is_some());
        }
        let margin = |margin| Difference { kind: Kind::Label, expected: String::new(), found: String::new(), margin };
        assert!(margin(Some(f64::NAN)).is_real(0.05) && !margin(Some(0.01)).is_real(0.05));
        // Who says one thing and finds another so much likelier has not rounded.
        assert!(margin(Some(-2.0)).is_real(0.05) && !margin(Some(-0.01)).is_real(0.05));
        let same = speaker(long, 0.5, None);
        assert_eq!(Parity::of(&same, &same).ask(&request).unwrap(), []);
        // Who says nothing of labels has not shown that they are the same.
        let silent = speaker(long, 0.0, None);
        let labelled = GenRequest { labels: vec!["noir".into()], ..request.clone() };
        let error = Parity::of(&same, &silent).ask(&labelled).unwrap_err().to_string();
        assert!(error.contains("say how probable labels are"), "{error}");
    }
}
