//! Chat templates: which file of a folder holds one that the library can use, and a prompt as tokens in it.
//!
//! Invariants: a folder loads with or without a template; a file over which the library would stumble is not shown to it;
//! the template itself writes the tokens that begin and end a turn, none is added to them, and what a person says writes none.

use std::fs;
use std::path::{Path, PathBuf};

use mistralrs::Request;
use mistralrs::core::{ChatTemplate, TokenizationRequest};
use serde_json::json;
use tokenizers::Tokenizer;
use tokio::sync::mpsc;
use tracing::warn;

use super::Core;
use super::answer::gone;
use crate::engine::error::{EngineError, first_line};

/// The file that holds names of tokens, and often the template.
const SETTINGS: &str = "tokenizer_config.json";
/// The file that holds a template alone.
const TEMPLATE: &str = "chat_template.jinja";
/// Tokens at which the library ends a reply where a template writes them.
const TURN_ENDS: [&str; 5] = ["<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<|end_of_text|>"];
/// What a template of several channels writes: there the reply is not what the model says first.
const CHANNEL: &str = "<|channel|>";

/// A template that the library can be shown.
pub(super) struct Template {
    /// The file, as the library wants to be given it.
    pub path: PathBuf,
    /// Tokens that end a turn in it.
    pub ends: Vec<u32>,
}

impl Template {
    /// The template in the folder `dir`; `None` where there is none, or none that can be used, which the log explains.
    pub(super) fn find(dir: &Path, tokenizer: &Tokenizer) -> Option<Self> {
        let alone = fs::read_to_string(dir.join(TEMPLATE)).ok();
        let settings = fs::read_to_string(dir.join(SETTINGS)).ok();
        let (name, text) = match (&alone, &settings) {
            (Some(text), _) => (TEMPLATE, text),
            (None, Some(text)) if text.contains("\"chat_template\"") => (SETTINGS, text),
            _ => return None,
        };
        let unusable = |why: String| {
            warn!("{}: {why}; the model is asked without a chat template", dir.join(name).display());
            None
        };
        if let Some(settings) = &settings {
            let read: ChatTemplate = match serde_json::from_str(settings) {
                Ok(read) => read,
                Err(error) => return unusable(format!("{SETTINGS} cannot be read: {error}")),
            };
            if name == SETTINGS && !read.has_chat_template() {
                return None;
            }
            // The library takes for granted that the end named there is a token.
            if let Some(end) = read.eos_tok().filter(|end| tokenizer.token_to_id(end).is_none()) {
                return unusable(format!("{SETTINGS} names {end:?} as the end, which is no token"));
            }
        }
        if text.contains(CHANNEL) {
            return unusable("replies in channels are not supported".to_owned());
        }
        let ends = TURN_ENDS.iter().filter(|end| text.contains(**end)).filter_map(|end| tokenizer.token_to_id(end));
        Some(Self { path: dir.join(name), ends: ends.collect() })
    }
}

/// What the control tokens of a tokenizer are spelled as, the longest first.
pub(super) fn controls(tokenizer: &Tokenizer) -> Vec<String> {
    let added = tokenizer.get_added_tokens_decoder();
    let special = added.values().filter(|token| token.special).map(|token| token.content.clone());
    // A space parts nothing else; no model has such a one.
    let parted = |text: &String| text.chars().count() > 1 && !text.chars().take(2).any(char::is_whitespace);
    let mut controls: Vec<String> = special.filter(parted).collect();
    controls.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    controls
}

/// `text` with a space behind the first character of every one of `controls` that it spells.
fn broken(text: &str, controls: &[String]) -> String {
    let mut text = text.to_owned();
    for control in controls {
        let first = control.chars().next().map_or(0, char::len_utf8);
        let (head, tail) = control.split_at(first);
        let parted = format!("{head} {tail}");
        // More than once where one begins within another; each time there are fewer places that a space can part.
        while text.contains(control) {
            text = text.replace(control, &parted);
        }
    }
    text
}

impl Core {
    /// The tokens of what a person says, with all that the template puts around it and what asks for the reply.
    pub(super) fn encode_said(&self, prompt: &str) -> Result<Vec<u32>, EngineError> {
        let failed = |reason: String| EngineError::Inference {
            reason: format!("its chat template cannot be used: {}", first_line(&reason)),
        };
        let (sender, mut replies) = mpsc::channel(1);
        // The library's own form of messages, without naming the crates that it is made of.
        let said = json!({
            "text": {"Left": [{"role": {"Left": "user"}, "content": {"Left": broken(prompt, &self.controls)}}]},
            "tools": null,
            "add_generation_prompt": true,
            "add_special_tokens": false,
            "enable_thinking": false,
            "reasoning_effort": null,
        });
        let mut request: TokenizationRequest =
            serde_json::from_value(said).map_err(|error| failed(error.to_string()))?;
        request.response = sender;
        let requests = self.model.inner().get_sender(None).map_err(|error| gone(&error))?;
        requests.try_send(Request::Tokenize(request)).map_err(|error| gone(&error))?;
        match replies.blocking_recv() {
            Some(tokens) => tokens.map_err(|error| failed(format!("{error:#}"))),
            None => Err(EngineError::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spells_a_control_token_is_broken_wherever_it_stands() {
        let controls = ["[/INST]", "[INST]", "</s>", "||"].map(str::to_owned);
        let told = |text: &str| broken(text, &controls);
        assert_eq!(told("a</s>[INST]b[/INST]"), "a< /s>[ INST]b[ /INST]");
        assert_eq!(told("|||"), "| | |", "each begins within the one before");
        assert_eq!(told("</ s> [ INST] and é"), "</ s> [ INST] and é");
    }
}
