//! Redaction: a session whose texts and identities are pseudonyms, so that it can be shown to somebody who must not read
//! them. It still replays and is mediated again: what the mediator weighs is numbers and labels.
//!
//! Kept: labels, numbers, times (all shifted alike where that is asked for), the length of every list, which texts are
//! equal, and whether the questions were picked. Gone: every other text and identity, titles, notes, the dataset's name, fields that this program does not know.
//! A text becomes one pseudonym as a whole, not word by word, so that nothing can be counted in it.
//!
//! Invariants: what is not known to be harmless is replaced, so that a field of tomorrow is safe before anybody thinks of
//! it; a pseudonym is a keyed hash, so that guesses cannot be tried without the key; a seal that fits still fits, and one
//! that does not still does not.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use serde_json::{Map, Value};

use super::error::SessionError;
use super::event::{Answered, ByLabel, DatasetId, Event, Header, ModelId, Origin};
use super::log::Session;
use crate::data::interaction::{Timestamp, UserId};
use crate::engine::model::DeviceChoice;

/// Keeps keys made for this from being those made for anything else of the same words.
const CONTEXT: &str = "logoscope session redaction 1";
/// What a redacted session is called.
const TITLE: &str = "redacted session";
/// Fields that hold one of a few words of the program.
const VOCABULARY: [&str; 11] =
    ["event", "policy", "arm", "type", "party", "silent", "winner", "held", "age_unit", "judgement", "kind"];
/// Names of facets.
const FACETS: [&str; 5] = ["label", "score", "form", "length", "terms"];
/// Fields that hold a label, if the header has it.
const LABELS: [&str; 10] =
    ["gold", "form", "response", "decision", "runner_up", "answer", "local", "global", "label", "text"];
/// Fields that hold numbers by label, where all that they hold is numbers.
const BY_LABEL: [&str; 8] =
    ["profile", "distribution", "base", "population", "community", "local", "global", "log_probabilities"];
/// Fields that hold a moment.
const MOMENTS: [&str; 3] = ["at", "last_seen", "end"];
/// Numbers that JSON has no number for.
const NUMBERS: [&str; 3] = ["inf", "-inf", "NaN"];
/// What an interaction has; everything else in it is its author's own.
const INTERACTION: [&str; 6] = ["id", "user", "at", "query", "response", "item"];

/// How a session is redacted.
#[derive(Clone)]
pub struct Redaction {
    key: [u8; blake3::KEY_LEN],
    /// Seconds.
    shift: i64,
}

impl Redaction {
    /// Pseudonyms that the same `words` give again, in this session and in others.
    pub fn keyed(words: &str) -> Self {
        Self { key: blake3::derive_key(CONTEXT, words.as_bytes()), shift: 0 }
    }

    /// Pseudonyms that nobody can make again: the key is drawn and not kept.
    pub fn random() -> Self {
        // The standard library seeds its hash maps from the system's randomness.
        let drawn: Vec<u8> = (0..4u8).flat_map(|n| RandomState::new().hash_one(n).to_le_bytes()).collect();
        Self { key: blake3::derive_key(CONTEXT, &drawn), shift: 0 }
    }

    /// The same with every moment `days` later, or earlier where that is negative.
    #[must_use]
    pub fn shifted(mut self, days: i32) -> Self {
        self.shift = i64::from(days) * 86_400;
        self
    }

    /// `session` with pseudonyms.
    ///
    /// # Errors
    ///
    /// [`SessionError::Redact`] where a moment leaves the calendar.
    pub fn of(&self, session: &Session) -> Result<Session, SessionError> {
        let labels = &session.header.labels;
        let redacted = |(index, event): (usize, &Event)| {
            let value = serde_json::to_value(event);
            let value = value.map(|value| Walk { redaction: self, labels, event: event.tag() }.value("", value));
            let failed =
                |error: serde_json::Error| SessionError::Redact { event: index + 1, reason: error.to_string() };
            value.and_then(serde_json::from_value::<Event>).map_err(failed)
        };
        let events = session.events.iter().map(AsRef::as_ref).enumerate().map(redacted).collect::<Result<_, _>>()?;
        Ok(Session::new(self.header(&session.header), events))
    }

    fn header(&self, header: &Header) -> Header {
        let DatasetId { name, hash, without } = &header.dataset;
        let user = |user: &UserId| UserId::new(self.pseudonym("user", user.as_str()));
        // A model that runs elsewhere is told by its address.
        let elsewhere = header.device.as_deref().filter(|device| device.parse::<DeviceChoice>().is_err());
        let model = header.model.as_ref().map(|model| match elsewhere {
            Some(_) => ModelId { hash: self.hash(&model.hash).to_hex().to_string(), ..model.clone() },
            None => model.clone(),
        });
        Header {
            title: TITLE.to_owned(),
            dataset: DatasetId {
                name: self.pseudonym("dataset", name),
                hash: self.hash(hash).to_hex().to_string(),
                without: without.iter().map(user).collect(),
            },
            model,
            device: elsewhere.map(|host| self.pseudonym("host", host)).or_else(|| header.device.clone()),
            // The title no longer tells it.
            picked: header.is_picked(),
            origin: Some(Origin::Redaction),
            ..header.clone()
        }
    }

    fn hash(&self, text: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.key, text.as_bytes())
    }

    /// `u-042918374650321`: digits, in which nobody reads a word.
    fn pseudonym(&self, field: &str, text: &str) -> String {
        let kind = match field {
            "user" => 'u',
            "id" | "source" | "item" => 'i',
            "dataset" => 'd',
            "note" => 'n',
            _ => 't',
        };
        let hash = self.hash(text);
        let number = hash.as_bytes()[..8].iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        format!("{kind}-{:015}", number % 1_000_000_000_000_000)
    }
}

/// A way through one event.
struct Walk<'a> {
    redaction: &'a Redaction,
    labels: &'a [String],
    event: &'static str,
}

impl Walk<'_> {
    fn is_label(&self, text: &str) -> bool {
        self.labels.iter().any(|label| label == text)
    }

    /// The value of `field`; a list's values are those of its field.
    fn value(&self, field: &str, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(field, text)),
            Value::Array(values) => values.into_iter().map(|value| self.value(field, value)).collect(),
            Value::Object(map) => self.object(field, map),
            other => other,
        }
    }

    fn text(&self, field: &str, text: String) -> String {
        let says_label = LABELS.contains(&field) && self.is_label(text.trim());
        // What somebody asked or noted may be a label's name and is theirs all the same.
        let theirs = field == "text" && self.event != "answered";
        match field {
            _ if VOCABULARY.contains(&field) || NUMBERS.contains(&text.as_str()) => text,
            "facet" if FACETS.contains(&text.as_str()) => text,
            _ if says_label && !theirs => text,
            _ if MOMENTS.contains(&field) => match text.parse::<Timestamp>() {
                Ok(at) => Timestamp(at.0.saturating_add(self.redaction.shift)).to_string(),
                Err(_) => self.redaction.pseudonym(field, &text),
            },
            "prompt" | "seal" => self.redaction.hash(&text).to_hex().to_string(),
            // Nothing was said, and that is no secret.
            "text" if text.is_empty() => text,
            "text" if self.event == "note" => self.redaction.pseudonym("note", &text),
            _ => self.redaction.pseudonym(field, &text),
        }
    }

    fn object(&self, field: &str, mut map: Map<String, Value>) -> Value {
        if field == "interaction" {
            map.retain(|key, _| INTERACTION.contains(&key.as_str()));
        }
        let fits = seal(&map).is_some_and(|seal| map.get("seal").and_then(Value::as_str) == Some(&seal));
        // A label may be called as a field is, so names alone do not tell. A stranger among labels is a text of somebody.
        let by_label = BY_LABEL.contains(&field) && map.values().all(is_number);
        let mut redacted: Map<String, Value> = map
            .into_iter()
            .map(|(key, value)| {
                let value = self.value(&key, value);
                let stranger = by_label && !self.is_label(&key);
                (if stranger { self.redaction.pseudonym("", &key) } else { key }, value)
            })
            .collect();
        if let Some(seal) = seal(&redacted).filter(|_| fits) {
            redacted.insert("seal".to_owned(), seal.into());
        }
        Value::Object(redacted)
    }
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| NUMBERS.contains(&text))
}

/// The seal that what a model said should have, if this is that.
fn seal(map: &Map<String, Value>) -> Option<String> {
    let (text, tokens) = (map.get("text")?.as_str()?, map.get("tokens")?.as_u64()?);
    let scores = match map.get("log_probabilities") {
        Some(scores) => serde_json::from_value(scores.clone()).ok()?,
        None => ByLabel::default(),
    };
    map.get("seal")?;
    Some(Answered::seal_of(&scores, text, usize::try_from(tokens).ok()?))
}
