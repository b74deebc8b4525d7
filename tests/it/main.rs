//! The integration tests, one binary: every further one would link the model library again.

mod ask;
#[cfg(feature = "local")]
mod engine;
mod mediator;
mod memory;
#[cfg(feature = "local")]
mod nano;
mod population;
mod pty;
mod screens;
mod workbench;
