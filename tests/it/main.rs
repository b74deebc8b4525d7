//! The integration tests, one binary: every further one would link the model library again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod anything;
mod ascii;
mod ask;
mod attribution;
mod auditing;
mod bad_input;
mod boards;
mod branching;
#[cfg(feature = "local")]
mod chat;
mod config;
mod damage;
mod datasets;
mod embed;
#[cfg(feature = "local")]
mod embedding;
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
#[path = "../bench/long.rs"]
mod long;
mod long_session;
mod making;
mod mediator;
mod memory;
#[cfg(feature = "local")]
mod models;
mod moments;
#[cfg(feature = "local")]
mod nano;
mod picking;
mod pipe;
mod population;
mod profile;
mod proof;
mod pty;
mod ratings;
#[cfg(feature = "remote")]
mod remote;
mod replaying;
mod rungs;
mod samples;
mod scenario;
mod scenario_studies;
mod schema;
mod screens;
mod sealing;
mod session;
mod sharing;
mod signature;
mod speaking;
mod store;
mod store_kinds;
mod sweep;
mod tables;
mod text;
mod tries;
mod undoing;
mod why;
mod without;
mod workbench;
mod writing;

/// The program as somebody runs it who has no configuration file: that of whoever runs the tests is out of its sight.
fn program() -> std::process::Command {
    let nowhere = concat!(env!("CARGO_TARGET_TMPDIR"), "/no-configuration");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_logoscope"));
    command.env("XDG_CONFIG_HOME", nowhere);
    // Where that variable says nothing the home folder decides.
    if cfg!(target_os = "macos") {
        command.env("HOME", nowhere);
    }
    command
}
