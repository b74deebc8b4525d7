//! An engine that repeats what another one said: it answers from recorded calls, without weights.
//!
//! Invariant: what was not recorded is an error, never a guess.

use std::collections::HashMap;

use super::engine::{Answer, Cancel, Caps, Engine, GenEvent, GenRequest, Generation, ScoreKind};
use super::error::EngineError;

/// The name under which the answer to `prompt` is recorded: its blake3 hash in hexadecimal.
pub fn prompt_hash(prompt: &str) -> String {
    blake3::hash(prompt.as_bytes()).to_hex().to_string()
}

/// An engine that answers from a recording.
#[derive(Clone, Debug)]
pub struct RecordedEngine {
    caps: Caps,
    labels: Vec<String>,
    calls: HashMap<String, Answer>,
}

impl RecordedEngine {
    /// An engine that repeats `calls`: the hash of each prompt with its answer, whose scores are in the order of
    /// `labels`. Of several answers to one prompt the last one stands.
    pub fn new(
        model: &str,
        device: &str,
        labels: Vec<String>,
        calls: impl IntoIterator<Item = (String, Answer)>,
    ) -> Self {
        let caps = Caps {
            name: model.to_owned(),
            device: device.to_owned(),
            dtype: "recorded".to_owned(),
            parameters: 0,
            max_context: usize::MAX,
            score: ScoreKind::Exact,
            chat: false,
        };
        Self { caps, labels, calls: calls.into_iter().collect() }
    }

    /// The same of a model that can write a memory in its own words, which then has to be in the recording.
    #[must_use]
    pub fn writing(mut self) -> Self {
        self.caps.chat = true;
        self
    }

    /// How many prompts it can answer.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether it can answer `prompt`.
    pub fn holds(&self, prompt: &str) -> bool {
        self.calls.contains_key(&prompt_hash(prompt))
    }

    /// Whether it can answer none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn unable(&self, what: &'static str) -> EngineError {
        EngineError::Unsupported { engine: format!("the recording of {}", self.caps.name), what }
    }

    fn events(&self, req: &GenRequest) -> Result<Vec<GenEvent>, EngineError> {
        let call = self
            .calls
            .get(&prompt_hash(&req.prompt))
            .ok_or_else(|| self.unable("answer a prompt that it does not hold; load a model to ask something new"))?;
        let score = |label: &String| {
            let place = self.labels.iter().position(|known| known == label);
            place.and_then(|ix| call.scores.get(ix)).copied().ok_or_else(|| EngineError::Label {
                label: label.clone(),
                reason: "the recording holds no probability of it; load a model to score it".to_owned(),
            })
        };
        let mut events = Vec::new();
        if !req.labels.is_empty() {
            events.push(GenEvent::Scores(req.labels.iter().map(score).collect::<Result<_, _>>()?));
        }
        if req.max_tokens > 0 && !call.text.is_empty() {
            events.push(GenEvent::Token(call.text.clone()));
        }
        events.push(GenEvent::Done(call.stats));
        Ok(events)
    }
}

impl Engine for RecordedEngine {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn generate(&self, req: GenRequest) -> Generation {
        match self.events(&req) {
            Ok(events) => Generation::new(Cancel::default(), events.into_iter()),
            Err(error) => Generation::failed(error),
        }
    }

    fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Err(self.unable("embed text"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::GenStats;
    use super::*;

    fn request(prompt: &str, labels: &[&str]) -> GenRequest {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        GenRequest { prompt: prompt.to_owned(), labels, max_tokens: 8, ..GenRequest::default() }
    }

    #[test]
    fn it_repeats_what_was_said_and_guesses_nothing() {
        let stats = GenStats { tokens: 2, ..GenStats::default() };
        let said = Answer { scores: vec![-0.5, -2.0], text: " noir".into(), stats };
        let engine = RecordedEngine::new(
            "nano",
            "cpu",
            vec!["noir".into(), "comedy".into()],
            [(prompt_hash("film: x"), said.clone())],
        );
        assert_eq!(engine.generate(request("film: x", &["noir", "comedy"])).finish().unwrap(), said);
        assert_eq!(
            engine.score("film: x", &["comedy".into(), "noir".into()]).unwrap(),
            [-2.0, -0.5],
            "by name, not by place"
        );
        for (prompt, label, expected) in
            [("film: y", "noir", "does not hold"), ("film: x", "drama", "\"drama\" cannot be scored")]
        {
            let told = engine.generate(request(prompt, &[label])).finish().unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
        assert!(engine.embed(&[]).is_err());
    }
}
