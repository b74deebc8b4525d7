//! What servers send, read with tolerance: of one protocol there are several dialects.
//!
//! Invariant: a number that is no probability is never taken for one.

use serde::Deserialize;
use serde_json::Value;

use super::labels::Tops;

/// Rounding that a sum of reported probabilities may show.
const ROUNDING: f64 = 5e-3;
/// What is over beside a token that is certain.
const NOTHING: f64 = 1e-6;
/// Tokens that a vocabulary has at most.
const LARGEST_VOCABULARY: f64 = 1e6;

/// The models a server has.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Models(pub Vec<Model>);

impl TryFrom<Value> for Models {
    type Error = serde_json::Error;

    /// As the protocol has it, or the bare list of them.
    fn try_from(said: Value) -> Result<Self, Self::Error> {
        let list = match said {
            Value::Object(mut fields) => fields.remove("data").unwrap_or_default(),
            bare => bare,
        };
        serde_json::from_value(list).map(Self)
    }
}

/// One of them.
#[derive(Debug, Deserialize)]
pub(super) struct Model {
    pub id: String,
    /// Tokens of its context, where the server says so.
    #[serde(default)]
    pub max_model_len: Option<usize>,
}

/// One event of a stream, of the completions endpoint or of the one for chat.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    pub choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub usage: Option<Usage>,
    /// What went wrong after the answer had begun.
    #[serde(default)]
    pub error: Option<Value>,
}

/// What a choice adds to its answer.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    pub finish_reason: Option<String>,
    #[serde(default)]
    logprobs: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
}

/// Tokens, as the server counts them; some say `null` of what they have not counted yet.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    pub prompt_tokens: Option<usize>,
    #[serde(default)]
    pub completion_tokens: Option<usize>,
}

impl Chunk {
    /// Whether it is no part of an answer: some servers send a sign of life between others.
    pub(super) fn is_silent(&self) -> bool {
        self.choices.is_none() && self.usage.is_none() && self.error.is_none()
    }
}

impl Choice {
    /// The text that it adds.
    pub(super) fn text(&self) -> &str {
        let said = self.text.as_deref().or(self.delta.as_ref().and_then(|delta| delta.content.as_deref()));
        said.unwrap_or_default()
    }

    /// The most probable tokens at the position of its first token, with logarithms of their probabilities to whatever
    /// base; `None` where it reports none.
    pub(super) fn tops(&self) -> Option<Vec<(String, f64)>> {
        let reported = self.logprobs.as_ref()?;
        // Of chat, and of completions of some servers: a list of positions, each with its tokens.
        let position = match reported.get("content") {
            Some(positions) => positions.get(0)?,
            None => reported,
        };
        let tokens = match position.get("top_logprobs")? {
            // Of completions: a map of tokens for each position.
            Value::Array(positions) if positions.first().is_some_and(is_map) => {
                let tokens = positions.first()?.as_object()?.iter();
                tokens.filter_map(|(token, log)| Some((token.clone(), log.as_f64()?))).collect()
            }
            Value::Array(tokens) => {
                tokens.iter().filter_map(|t| Some((text_of(t)?, t.get("logprob")?.as_f64()?))).collect::<Vec<_>>()
            }
            _ => return None,
        };
        (!tokens.is_empty()).then_some(tokens)
    }
}

/// Whether a position is a map of tokens, and no token itself.
fn is_map(position: &Value) -> bool {
    position.as_object().is_some_and(|fields| !fields.contains_key("logprob"))
}

/// The text of a reported token: its bytes where they are text, else its name.
fn text_of(token: &Value) -> Option<String> {
    match token.get("bytes") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(bytes)) => {
            let bytes = bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect::<Option<Vec<u8>>>()?;
            String::from_utf8(bytes).ok()
        }
        _ => token.get("token")?.as_str().map(str::to_owned),
    }
}

/// To which base a server's logarithms are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// To base e, as the protocol has it.
    Natural,
    /// To base 10.
    Ten,
}

impl Base {
    /// The base at which reported logarithms can be those of probabilities; `None` if there is none: then they are
    /// something else. Those to base 10 are nearer 0, and taken for natural ones sum to more than 1 unless there are very
    /// few.
    pub(super) fn of(reported: &[(String, f64)]) -> Option<Self> {
        [Self::Natural, Self::Ten].into_iter().find(|base| base.fits(reported))
    }

    /// Whether these are logarithms of probabilities, which sum to no more than 1. The most probable tokens of a vocabulary
    /// have their part of it at least, which raw scores far below 0 have not.
    fn fits(self, reported: &[(String, f64)]) -> bool {
        let least = reported.len() as f64 / LARGEST_VOCABULARY;
        let sum: f64 = reported.iter().map(|(_, log)| self.probability(*log)).sum();
        (least..=1.0 + ROUNDING).contains(&sum)
    }

    /// The same beside a greedy answer. Some servers report what is left of probabilities at temperature 0: all of it on one
    /// token, which says nothing of what the model would say of another one. The model may be as certain itself; that shows
    /// at temperature 1.
    pub(super) fn of_greedy(reported: &[(String, f64)]) -> Option<Self> {
        Self::of(reported).filter(|base| reported.iter().all(|(_, log)| base.probability(*log) <= 1.0 - NOTHING))
    }

    fn probability(self, log: f64) -> f64 {
        match self {
            Self::Natural => log.exp(),
            Self::Ten => 10f64.powf(log),
        }
    }

    /// Probabilities of what was reported; `None` where it cannot be probabilities.
    pub(super) fn tops(self, reported: Vec<(String, f64)>) -> Option<Tops> {
        let fits = self.fits(&reported);
        let tops = reported.into_iter().map(|(token, log)| (token, self.probability(log).min(1.0)));
        fits.then(|| tops.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tops(choice: Value) -> Option<Vec<(String, f64)>> {
        serde_json::from_value::<Choice>(choice).unwrap().tops()
    }

    #[test]
    fn every_dialect_reports_the_same() {
        let expected = Some(vec![(" noir".to_owned(), -0.5), ("comedy".to_owned(), -1.5)]);
        let tokens = json!([{"token": " noir", "logprob": -0.5, "bytes": null}, {"token": "comedy", "logprob": -1.5}]);
        let by_bytes = json!([
            {"token": 12, "logprob": -0.5, "bytes": " noir"},
            {"token": 99, "logprob": null, "bytes": "-inf has no place in JSON"},
            {"token": "?", "logprob": -1.5, "bytes": b"comedy"},
            {"token": "�", "logprob": -3.0, "bytes": [0xF0]},
        ]);
        for choice in [
            json!({"text": " noir", "logprobs": {"tokens": [" noir"], "top_logprobs": [{" noir": -0.5, "comedy": -1.5}]}}),
            json!({"delta": {"content": " noir"}, "logprobs": {"content": [{"token": " noir", "top_logprobs": tokens}]}}),
            json!({"text": " noir", "logprobs": {"token": " noir", "logprob": -0.5, "top_logprobs": by_bytes}}),
        ] {
            let read: Choice = serde_json::from_value(choice.clone()).unwrap();
            assert_eq!((read.text(), read.tops()), (" noir", expected.clone()), "{choice}");
        }
        for silent in [
            json!({"text": "x"}),
            json!({"text": "x", "logprobs": null}),
            json!({"text": "x", "logprobs": {"content": []}}),
            json!({"text": "x", "logprobs": {"top_logprobs": [{}]}}),
            json!({"text": "x", "logprobs": {"top_logprobs": null, "token_logprobs": [-1]}}),
            json!({"text": "x", "logprobs": 7}),
        ] {
            assert_eq!(tops(silent.clone()), None, "{silent}");
        }
    }

    #[test]
    fn models_are_listed_with_or_without_a_word_around_them() {
        let models = json!([{"id": "a", "object": "model"}, {"id": "b", "max_model_len": 2048}]);
        for said in [json!({"object": "list", "data": models}), models.clone()] {
            let Models(read) = serde_json::from_value(said).unwrap();
            let read: Vec<_> = read.iter().map(|model| (model.id.as_str(), model.max_model_len)).collect();
            assert_eq!(read, [("a", None), ("b", Some(2048))]);
        }
        for said in [json!({"data": 7}), json!({"models": []}), json!("a"), json!(["a"])] {
            assert!(serde_json::from_value::<Models>(said.clone()).is_err(), "{said}");
        }
    }

    #[test]
    fn what_a_server_does_not_say_is_no_reason_to_refuse_the_rest() {
        let read = |event: Value| serde_json::from_value::<Chunk>(event).unwrap();
        let counting = read(json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": null}}));
        let usage = counting.usage.unwrap();
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (Some(7), None));
        assert!(read(json!({"type": "ping"})).is_silent());
        for part in [json!({"choices": []}), json!({"error": "gone"}), json!({"usage": {"completion_tokens": 1}})] {
            assert!(!read(part.clone()).is_silent(), "{part}");
        }
    }

    #[test]
    fn a_base_is_told_by_what_probabilities_sum_to() {
        let of = |p: &[f64], log: fn(f64) -> f64| p.iter().map(|p| (String::new(), log(*p))).collect::<Vec<_>>();
        let p = [0.6, 0.2, 0.1, 0.05];
        assert_eq!(Base::of(&of(&p, f64::ln)), Some(Base::Natural));
        assert_eq!(Base::of(&of(&p, f64::log10)), Some(Base::Ten));
        assert_eq!(Base::of(&of(&[0.01; 20], f64::log10)), Some(Base::Ten), "flat ones, too");
        let raw: Vec<_> = [-31.0, -33.0, -35.0].map(|log| (String::new(), log)).to_vec();
        assert_eq!(Base::of(&raw), None, "raw scores of hardly anything");
        assert_eq!(Base::of(&[(String::new(), 1.1)]), None, "no probability has a positive logarithm");
        let certain = [("noir".to_owned(), 0.0), ("drama".to_owned(), -9999.0)];
        assert_eq!(
            (Base::of_greedy(&certain), Base::of(&certain)),
            (None, Some(Base::Natural)),
            "which may be a model's own"
        );
        assert_eq!(Base::of_greedy(&of(&p, f64::ln)), Some(Base::Natural));
        assert_eq!(Base::Natural.tops(of(&p, f64::log10)), None, "what is known is not guessed anew");
        let read = Base::Ten.tops(of(&p, f64::log10)).unwrap();
        assert!(read.iter().zip(p).all(|((_, read), p)| (read - p).abs() < 1e-12), "{read:?}");
    }
}
