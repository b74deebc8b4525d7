//! The integration tests, one binary: every further one would link the model library again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod anything;
mod ask;
mod bad_input;
mod boards;
mod damage;
mod embed;
#[cfg(feature = "local")]
mod engine;
mod eval;
mod evaluating;
mod fit;
mod forget;
mod import;
mod lamp;
mod lamp_predictions;
mod latent;
mod ledger;
mod lineage;
mod local;
mod mediator;
mod memory;
#[cfg(feature = "local")]
mod models;
#[cfg(feature = "local")]
mod nano;
mod picking;
mod population;
mod pty;
mod ratings;
mod replaying;
mod scenario;
mod screens;
mod session;
mod signature;
mod speaking;
mod store;
mod sweep;
mod tables;
mod tries;
mod why;
mod without;
mod workbench;
