//! Stretches of files and their sums, found on all cores.
//!
//! What a dataset is gets a BLAKE3 sum, as it names the store. What damage must show in gets XXH3 of 128 bits, which keeps
//! pace with memory; it does not stand up to a person who means to deceive, but who may write a store may write its sums.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use twox_hash::xxhash3_128;

/// A sum over bytes in their order.
pub trait Sum {
    /// Of none.
    fn new() -> Self;
    /// Takes in what follows.
    fn add(&mut self, bytes: &[u8]);
    /// As it is written.
    fn text(&self) -> String;
}

impl Sum for blake3::Hasher {
    fn new() -> Self {
        Self::new()
    }

    fn add(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    fn text(&self) -> String {
        self.finalize().to_hex().to_string()
    }
}

/// What tells whether bytes are as they were written.
pub type Checksum = xxhash3_128::Hasher;

impl Sum for Checksum {
    fn new() -> Self {
        Self::new()
    }

    fn add(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }

    fn text(&self) -> String {
        format!("{:032x}", self.finish_128())
    }
}

/// Checksums are kept for stretches of this many bytes, so that large files are verified on all cores.
pub const STRETCH: usize = 16 << 20;
/// Bytes copied at a time: they are still in the processor's cache when they are hashed.
const READ: usize = 256 << 10;

/// A file's length and the sums of its stretches.
pub type Content = (u64, Vec<String>);

/// The content of a file that is not on the disk, from its bytes in their order.
#[derive(Default)]
pub struct Unwritten {
    length: u64,
    /// Of whole stretches.
    sums: Vec<String>,
    /// Of what stands behind them.
    last: blake3::Hasher,
}

impl Unwritten {
    /// Takes in what follows.
    pub fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = STRETCH - (self.length % STRETCH as u64) as usize;
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.last.add(now);
            self.length += now.len() as u64;
            if self.length.is_multiple_of(STRETCH as u64) {
                self.sums.push(std::mem::take(&mut self.last).text());
            }
            bytes = rest;
        }
    }

    /// What it comes to.
    pub(super) fn content(self) -> Content {
        let Self { length, mut sums, last } = self;
        sums.extend((sums.len() < stretch_count(length)).then(|| last.text()));
        (length, sums)
    }
}

/// The sums of stretches of files, found on all cores.
pub fn stretches<S: Sum>(wanted: &[(PathBuf, usize)]) -> Vec<io::Result<String>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; READ];
        let mut found = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((path, number)) = wanted.get(index) else { return found };
            found.push((index, stretch::<S>(path, *number, &mut buffer)));
        }
    };
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get()).min(wanted.len());
    let mut found = thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
        let mut found = work();
        // A thread that panicked leaves its stretches out, and what is left out is damaged, see below.
        others.into_iter().for_each(|other| found.extend(other.join().unwrap_or_default()));
        found
    });
    found.sort_by_key(|(index, _)| *index);
    let mut found = found.into_iter().peekable();
    let one = |index: usize| match found.next_if(|(found, _)| *found == index) {
        Some((_, outcome)) => outcome,
        None => Err(io::Error::other("it could not be checked")),
    };
    (0..wanted.len()).map(one).collect()
}

/// The sum of one stretch of a file.
fn stretch<S: Sum>(path: &Path, number: usize, buffer: &mut [u8]) -> io::Result<String> {
    let mut file = File::open(path)?;
    let start = (number * STRETCH) as u64;
    let mut sum = S::new();
    file.seek(SeekFrom::Start(start))?;
    let mut left = file.take(STRETCH as u64);
    loop {
        match left.read(buffer)? {
            0 => return Ok(sum.text()),
            read => sum.add(&buffer[..read]),
        };
    }
}

/// How many stretches a file of this length has.
pub fn stretch_count(length: u64) -> usize {
    usize::try_from(length.div_ceil(STRETCH as u64)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn stretches_are_summed_whole_and_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("column");
        let bytes: Vec<u8> = (0..2 * STRETCH + 7).map(|at| (at / 7 % 251) as u8).collect();
        for length in [0, 1, READ - 1, READ, READ + 1, STRETCH - 1, STRETCH, STRETCH + 1, bytes.len()] {
            fs::write(&path, &bytes[..length]).unwrap();
            let wanted: Vec<(PathBuf, usize)> =
                (0..stretch_count(length as u64)).map(|number| (path.clone(), number)).collect();
            let apart = || bytes[..length].chunks(STRETCH);
            let expected: Vec<String> =
                apart().map(|some| format!("{:032x}", xxhash3_128::Hasher::oneshot(some))).collect();
            let found: io::Result<Vec<String>> = stretches::<Checksum>(&wanted).into_iter().collect();
            assert_eq!(found.unwrap(), expected, "{length} bytes");
            let expected: Vec<String> = apart().map(|some| blake3::hash(some).to_hex().to_string()).collect();
            let found: io::Result<Vec<String>> = stretches::<blake3::Hasher>(&wanted).into_iter().collect();
            assert_eq!(found.unwrap(), expected, "{length} bytes");
            let mut unwritten = Unwritten::default();
            bytes[..length].chunks(READ * 3 + 1).for_each(|some| unwritten.add(some));
            assert_eq!(unwritten.content(), (length as u64, expected), "{length} bytes");
        }
    }
}
