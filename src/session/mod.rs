//! Sessions: an append-only log of what was asked, remembered, mediated and answered, and what can be done with one.
//!
//! A session stands alone: the evidence is in its events, so it is replayed and mediated again without dataset or
//! model. Only [`check`] reads memory again. State at n is a fold of the first n events, the same for live use and for
//! replay. Knows nothing of a terminal.

pub mod check;
pub mod diff;
pub mod error;
pub mod event;
pub mod fork;
pub mod log;
pub mod record;
pub mod recordings;
pub mod redact;
pub mod replay;
pub mod rerun;
pub mod scenario;
pub mod steps;
pub mod tries;

pub use error::SessionError;
pub use event::{Event, Header, Setting};
pub use log::{Recorder, Session};
pub use replay::{Replay, State};
pub use tries::Try;
