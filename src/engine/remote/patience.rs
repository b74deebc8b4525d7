//! How long a server is waited for, and how often it is asked again.
//!
//! Invariants: everything that waits has an end and can be cancelled; waits between attempts grow and are never quite the
//! same, so that many who lost one server do not all return at once.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks whether anybody still waits.
pub(super) const TICK: Duration = Duration::from_millis(40);

/// Limits of waiting.
#[derive(Clone)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// From a request to the first piece of its answer: the server may have others to answer before.
    pub first: Duration,
    /// Between two pieces of an answer.
    pub between: Duration,
    /// Attempts at one answer, the first among them; at least 1.
    pub attempts: u32,
    /// Before the second attempt; each later wait is twice as long.
    pub wait: Duration,
    /// The longest wait, also for a server that asks for more.
    pub longest: Duration,
    /// What waits between attempts.
    pub clock: Arc<dyn Clock>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first: Duration::from_secs(120),
            between: Duration::from_secs(30),
            attempts: 5,
            wait: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

impl Patience {
    /// How long to wait before attempt number `attempt`, from 2: between a half and the whole of the doubled wait, and
    /// what the server asked for if that is more.
    pub(super) fn before(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.wait.saturating_mul(1 << attempt.saturating_sub(2).min(16)).min(self.longest);
        doubled.mul_f64(0.5 + 0.5 * self.clock.chance().clamp(0.0, 1.0)).max(asked.unwrap_or_default())
    }
}

/// What time and chance are for a wait between two attempts.
pub trait Clock: Send + Sync {
    /// Returns after `time`, or as soon as `wanted` says no.
    fn wait(&self, time: Duration, wanted: &dyn Fn() -> bool);

    /// A number from 0 to 1, another one each time.
    fn chance(&self) -> f64;

    /// Whether what `begun` then has taken longer than `limit`.
    fn is_over(&self, begun: Instant, limit: Duration) -> bool {
        begun.elapsed() >= limit
    }
}

/// The machine's own.
struct SystemClock;

impl Clock for SystemClock {
    fn wait(&self, time: Duration, wanted: &dyn Fn() -> bool) {
        let begun = Instant::now();
        while wanted() {
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(TICK));
        }
    }

    fn chance(&self) -> f64 {
        // Every state is seeded otherwise.
        RandomState::new().hash_one(()) as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_heed_the_server() {
        struct Always(f64);
        impl Clock for Always {
            fn wait(&self, _: Duration, _: &dyn Fn() -> bool) {}
            fn chance(&self) -> f64 {
                self.0
            }
        }
        let seconds = |chance, asked: Option<u64>| {
            let patience = Patience { clock: Arc::new(Always(chance)), ..Patience::default() };
            (2..11).map(|attempt| patience.before(attempt, asked.map(Duration::from_secs)).as_secs_f64()).collect()
        };
        let (longest, shortest, asked): (Vec<f64>, Vec<f64>, Vec<f64>) =
            (seconds(1.0, None), seconds(0.0, None), seconds(0.0, Some(3)));
        assert_eq!(longest, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
        assert_eq!(shortest, longest.iter().map(|wait| wait / 2.0).collect::<Vec<_>>());
        assert_eq!(asked[..4], [3.0, 3.0, 3.0, 4.0]);
    }

    #[test]
    fn chance_is_another_one_each_time_and_nobody_waits_for_nobody() {
        let drawn = [SystemClock.chance(), SystemClock.chance(), SystemClock.chance()];
        assert!(drawn.iter().all(|chance| (0.0..=1.0).contains(chance)) && drawn[0] != drawn[1], "{drawn:?}");
        SystemClock.wait(Duration::MAX, &|| false);
    }
}
