//! How much of a store's files stays resident: what was read of a map counts as memory of the process until somebody gives
//! it back.
//!
//! Invariant: it changes no answer. Pages that are given back are mapped again, from where the system has them, when they are
//! read next.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::column::give_back;

/// Reads between two looks.
const EVERY: usize = 16;
/// So much of files may become resident, in bytes, before it is given back.
const ROOM: usize = 320 << 20;

/// What reads leave resident.
#[derive(Default)]
pub struct Resident {
    reads: AtomicUsize,
    /// What was resident of files when pages were given back last: the program itself, and a model's weights.
    floor: AtomicUsize,
}

impl Resident {
    /// Counts a read of mapped memory and, once in a while, gives back what has become too much.
    pub fn count(&self) {
        if self.reads.fetch_add(1, Ordering::Relaxed) % EVERY != EVERY - 1 {
            return;
        }
        let floor = self.floor.load(Ordering::Relaxed);
        if of_files().is_some_and(|now| now > floor + ROOM) {
            give_back();
            self.floor.store(of_files().unwrap_or(floor), Ordering::Relaxed);
        }
    }
}

/// Bytes of files that are resident; `None` where the system does not say.
fn of_files() -> Option<usize> {
    let told = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = told.lines().find_map(|line| line.strip_prefix("RssFile:"))?;
    Some(size.trim().trim_end_matches("kB").trim().parse::<usize>().ok()? << 10)
}
