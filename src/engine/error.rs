//! What can go wrong with a model, in words a person can act on.
//!
//! Invariant: every message names what failed and the value at fault; where something can be done about it, it says
//! what. None carries a back trace.

use std::any::Any;
use std::path::PathBuf;

use thiserror::Error;

/// Why a model could not be loaded or could not answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The model's folder or file does not hold a model that this program can run here.
    #[error("cannot load the model in {}: {reason}; {remedy}", path.display())]
    Load {
        /// The folder or file asked for.
        path: PathBuf,
        /// What is wrong with it, naming the file.
        reason: String,
        /// What to do next.
        remedy: String,
    },

    /// A model that is not on this machine could not be brought here.
    #[error("cannot download {model}: {reason}; {remedy}")]
    Download {
        /// The model, as it was named.
        model: String,
        /// What went wrong.
        reason: String,
        /// What to do next.
        remedy: String,
    },

    /// A device that this build or this machine does not have.
    #[error("cannot run on {device}: {reason}; {remedy}")]
    Device {
        /// The device asked for.
        device: String,
        /// What is missing.
        reason: String,
        /// What to do next.
        remedy: String,
    },

    /// Nobody wanted the model any more while it was loaded.
    #[error("the load was cancelled")]
    Cancelled,

    /// The prompt leaves no room for an answer.
    #[error(
        "the prompt has {tokens} tokens, but at most {limit} fit this model; shorten it or give the memories less room"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// The most it may have with what was asked for: one token of answer, or the longest label.
        limit: usize,
    },

    /// There is nothing to continue.
    #[error("the prompt is empty; a model needs at least one token to start from")]
    EmptyPrompt,

    /// A label that this model cannot score.
    #[error("the label {label:?} cannot be scored: {reason}")]
    Label {
        /// The label as it was asked for.
        label: String,
        /// Why its tokens are of no use.
        reason: String,
    },

    /// The engine does not do this at all.
    #[error("{engine} cannot {what}")]
    Unsupported {
        /// Name of the engine.
        engine: String,
        /// What was asked, as a verb phrase: "embed text".
        what: &'static str,
    },

    /// A policy wants a model to write, and this one was not made to do what it is told.
    #[error(
        "policy prompt has a model write, and {}; pass --model with the folder of a model that has a chat template, or choose another policy",
        model.as_ref().map_or_else(|| "there is none".to_owned(), |name| format!("{name} has no chat template"))
    )]
    CannotWrite {
        /// The model; `None` without one.
        model: Option<String>,
    },

    /// Something was asked before any model was there.
    #[error("no model is loaded; choose one, or read the memory-only answers")]
    NotLoaded,

    /// The model started to answer and failed.
    #[error("the model failed: {reason}")]
    Inference {
        /// The library's own words, first line only.
        reason: String,
    },

    /// The engine stopped without finishing an answer.
    #[error("the model stopped without finishing its answer; ask again, or load the model again")]
    Gone,

    /// The embedding model of a dataset made no vectors, or they could not be kept.
    #[error("{reason}")]
    Embedding {
        /// What went wrong, and what to do.
        reason: String,
    },

    /// The system refused a thread.
    #[error("cannot start a thread for the model: {reason}")]
    Thread {
        /// The system's own words.
        reason: String,
    },
}

/// A library's message without the back trace that may follow its first line.
pub(crate) fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given").to_owned()
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
    first_line(text.unwrap_or_default())
}
