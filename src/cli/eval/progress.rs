//! What a long evaluation tells while it runs: a line on standard error, times in the log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two lines of progress.
const TICK: Duration = Duration::from_millis(100);
/// Before the first one: the first answers wait for memory to form and say nothing of the rate.
const WARM_UP: Duration = Duration::from_secs(1);

/// Tells the log how long each step took.
pub struct Clock(Instant);

impl Clock {
    /// Starts the first step.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Ends `step` and starts the next one.
    pub fn lap(&mut self, step: &str) {
        tracing::info!(target: "logoscope::eval", "{step}: {:.3} s", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}

/// One line on standard error that is written over, where that is a terminal.
pub struct Progress {
    told: bool,
    total: usize,
    start: Instant,
    last: Option<Instant>,
}

impl Progress {
    /// Before anything is done.
    pub fn start() -> Self {
        Self { told: std::io::stderr().is_terminal(), total: 0, start: Instant::now(), last: None }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        if self.told {
            tell_line!("{line}");
        }
    }

    /// A line that is written over.
    pub fn show(&self, line: &str) {
        if self.told {
            tell_part!("\r{line:<60}");
        }
    }

    /// Nothing.
    pub fn clear(&self) {
        if self.told {
            tell_part!("\r{:60}\r", "");
        }
    }

    /// From now on `total` queries are answered.
    pub fn begin(&mut self, total: usize) {
        (self.total, self.start, self.last) = (total, Instant::now(), None);
    }

    /// `done` queries are answered.
    pub fn tick(&mut self, done: usize) {
        let running = self.start.elapsed();
        if !self.told || running < WARM_UP || self.last.is_some_and(|last| last.elapsed() < TICK) {
            return;
        }
        self.last = Some(Instant::now());
        let rate = done as f64 / running.as_secs_f64();
        let left = (self.total - done) as f64 / rate;
        // A model answers less than one a second where it is large.
        let digits = usize::from(rate < 10.0);
        self.show(&format!("{done:>8} of {} queries  {rate:>6.digits$}/s  {left:>5.0} s left", self.total));
    }
}
