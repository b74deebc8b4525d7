//! Models: one trait, whatever runs behind it, and the prompt that all of them are asked with.
//!
//! Only `local` knows the model library.

pub mod answer;
pub mod download;
pub mod embedding;
#[expect(clippy::module_inception, reason = "the trait is what the module is about")]
pub mod engine;
pub mod error;
pub mod familiar;
pub mod fit;
pub mod gguf;
mod heap;
pub mod host;
#[cfg(feature = "local")]
pub mod local;
pub mod model;
pub mod parity;
pub mod prompt;
pub mod recorded;
pub mod room;
pub mod stdio;
pub mod why;
pub mod writing;
