//! Figures of this machine: how long the program's own steps take, on a generated population of any size.
//!
//! Invariants: every figure is measured in this run, on real work through the same functions the workbench uses; a
//! quantile is one of the measured values, never interpolated; what cannot be measured here is left out, not guessed.

mod figure;
mod subject;
mod work;
mod wrapper;

pub use figure::{Figure, Machine, Report, table};
pub use subject::{BenchError, Measured, first_frame, run};
pub use work::{WorkError, WorkReport, work};
