//! Logoscope: a terminal workbench for LLM personalisation memory.
//!
//! Dependencies point one way: `data` ← `memory` ← `mediator` ← `engine` ← `session` ← `eval` ← `app` ← `view` ←
//! `bench` and `cli`; `config` stands between `app` and `cli`. What answers a query never knows a terminal; only
//! `engine::local` knows the model library.

// A closed pipe must not end a command with a panic: see `print_line!`.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod app;
pub mod bench;
pub mod cli;
pub mod config;
pub mod data;
pub mod engine;
pub mod eval;
pub mod forget;
pub mod logging;
pub mod mediator;
pub mod memory;
pub mod session;
pub mod term;
pub mod theme;
pub mod view;
