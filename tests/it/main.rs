//! The integration tests, one binary: every further one would link the model library again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod ask;
mod bad_input;
mod damage;
#[cfg(feature = "local")]
mod engine;
mod eval;
mod fit;
mod import;
mod lamp;
mod latent;
mod ledger;
mod local;
mod mediator;
mod memory;
#[cfg(feature = "local")]
mod nano;
mod population;
mod pty;
mod ratings;
mod replaying;
mod scenario;
mod screens;
mod session;
mod signature;
mod store;
mod tables;
mod tries;
mod why;
mod without;
mod workbench;
