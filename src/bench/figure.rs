//! A figure with its quantiles, and the machine it belongs to.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::data::sanitize::visible;

/// What was measured, in one unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// `mediate.query`.
    pub name: &'static str,
    /// `ns`, `us`, `ms`, `s`, `interactions/s`, `tokens/s`, `MB`.
    pub unit: &'static str,
    /// Half of the measured values are at most this.
    pub p50: f64,
    /// 95 of 100 are at most this; of a rate, at least this.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// How many were measured.
    pub n: usize,
}

impl Figure {
    /// Quantiles of durations, told in `unit` (`ns`, `us`, `ms` or `s`).
    pub fn of(name: &'static str, unit: &'static str, taken: Vec<Duration>) -> Self {
        let scale = match unit {
            "ns" => 1e9,
            "us" => 1e6,
            "ms" => 1e3,
            _ => 1.0,
        };
        Self::of_values(name, unit, taken.into_iter().map(|time| time.as_secs_f64() * scale).collect())
    }

    /// Quantiles of values of which less is better.
    pub(super) fn of_values(name: &'static str, unit: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * values.len() as f64).ceil() as usize;
            values.get(rank.clamp(1, values.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
        };
        Self { name, unit, p50: at(0.5), p95: at(0.95), p99: at(0.99), n: values.len() }
    }

    /// Quantiles of rates, of which more is better: the slow ones stand in the tail.
    pub(super) fn of_rates(name: &'static str, unit: &'static str, rates: Vec<f64>) -> Self {
        let turned = Self::of_values(name, unit, rates.into_iter().map(|rate| -rate).collect());
        Self { p50: -turned.p50, p95: -turned.p95, p99: -turned.p99, ..turned }
    }
}

/// Runs `step` once to warm up and `n` times for the figure.
pub(super) fn timed(n: usize, mut step: impl FnMut(usize)) -> Vec<Duration> {
    step(0);
    let one = |ix| {
        let start = Instant::now();
        step(ix);
        start.elapsed()
    };
    (0..n).map(one).collect()
}

/// What the figures were measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Operating system and processor family.
    pub system: String,
    /// The processor's own name, where the system tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// Threads that may run at once.
    pub threads: usize,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            processor: name.map(|(_, name)| name.trim().to_owned()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The machine, what was measured there, and the figures in a table.
pub fn table(machine: &Machine, subject: &str, figures: &[Figure]) -> String {
    let processor = machine.processor.as_deref().unwrap_or("processor unknown");
    let mut text = format!(
        "{}, {}, {} threads\n{subject}\n\n{:<26}{:>12}{:>12}{:>12}  {:<15}{:>6}\n",
        machine.system,
        visible(processor),
        machine.threads,
        "figure",
        "p50",
        "p95",
        "p99",
        "unit",
        "n"
    );
    for figure in figures {
        let [p50, p95, p99] = [figure.p50, figure.p95, figure.p99].map(number);
        let _ = writeln!(text, "{:<26}{p50:>12}{p95:>12}{p99:>12}  {:<15}{:>6}", figure.name, figure.unit, figure.n);
    }
    text
}

/// Three digits that mean something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Everything measured in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// `logoscope.bench/1`.
    pub schema: &'static str,
    /// Where.
    pub machine: Machine,
    /// Size of the population.
    pub interactions: usize,
    /// People in it.
    pub users: usize,
    /// In the order in which they were measured.
    pub figures: Vec<Figure>,
}

/// Memory of this process in MB, where the system tells it: all that is resident, and of that what lies in no file and so
/// cannot be dropped and read again.
pub(super) fn resident() -> Vec<Figure> {
    let told = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = |field: &str| {
        let kilobytes = told.lines().find_map(|line| line.strip_prefix(field))?;
        Some(kilobytes.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? / 1024.0)
    };
    let figure = |(name, field)| Some(Figure::of_values(name, "MB", vec![size(field)?]));
    [("rss", "VmRSS:"), ("rss.anonymous", "RssAnon:")].into_iter().filter_map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_values() {
        let figure = Figure::of("x", "us", (1..=200).map(Duration::from_micros).collect());
        assert_eq!((figure.p50.round(), figure.p95.round(), figure.p99.round(), figure.n), (100.0, 190.0, 198.0, 200));
        let rates = Figure::of_rates("x", "tokens/s", vec![10.0, 30.0, 20.0]);
        assert_eq!((rates.p50, rates.p99), (20.0, 10.0));
        let one = Figure::of_values("x", "MB", vec![7.0]);
        assert_eq!((one.p50, one.p95, one.p99), (7.0, 7.0, 7.0));
    }
}
