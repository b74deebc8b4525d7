//! Models: one trait, whatever runs behind it, and the prompt that all of them are asked with.
//!
//! Only `local` knows the model library.

pub mod answer;
#[expect(clippy::module_inception, reason = "the trait is what the module is about")]
pub mod engine;
pub mod error;
pub mod familiar;
pub mod fit;
pub mod host;
#[cfg(feature = "local")]
pub mod local;
pub mod prompt;
pub mod recorded;
pub mod stdio;
pub mod why;
