//! Models: one trait, whatever runs behind it, and the prompt that all of them are asked with.
//!
//! Only `local` knows the model library, and only `remote` the client of servers.

pub mod address;
pub mod answer;
pub mod attribution;
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
pub mod profile;
pub mod prompt;
pub mod reconcile;
pub mod recorded;
#[cfg(feature = "remote")]
pub mod remote;
pub mod room;
pub mod stdio;
#[cfg(any(feature = "local", feature = "remote"))]
mod stop;
pub mod trace;
mod weights;
pub mod why;
