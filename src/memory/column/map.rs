//! Fixed-width values that lie in memory or in a mapped file. The one place of memory that needs `unsafe`.
//!
//! Invariants, on which the `unsafe` here rests:
//! * Every [`Plain`] type is valid for any bytes and has no padding.
//! * A map begins at a page, so it is aligned for every [`Plain`] type; a [`Slab`] holds whole values only.
//! * Mapped files are never written again: a store's files are replaced by renaming folders, and removing a file leaves
//!   its maps alone. Who shortens such a file in place while a program has it open ends that program.
//! * What stands in [`MAPS`] is mapped: a map is taken out, under the lock, before it goes.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::ops::Deref;
use std::slice;
use std::sync::{Mutex, PoisonError};

use memmap2::Mmap;

use super::vectors::Place;
use crate::data::interaction::Timestamp;
use crate::memory::features::Key;
use crate::memory::lexical::TermCount;
use crate::memory::running::Posting;

/// How this machine lays out numbers, and so the files that it maps: byte order and width of an index.
pub const LAYOUT: &str = match (cfg!(target_endian = "little"), usize::BITS) {
    (true, 64) => "le64",
    (true, _) => "le32",
    (false, 64) => "be64",
    (false, _) => "be32",
};

mod sealed {
    /// A type that any bytes of its size are a value of, without padding.
    ///
    /// # Safety
    ///
    /// Only for numbers and `repr(C)` or `repr(transparent)` structures of them that have no padding.
    pub unsafe trait Plain: Copy + 'static {}
}

pub use sealed::Plain;

// SAFETY: numbers.
unsafe impl Plain for u8 {}
// SAFETY: numbers.
unsafe impl Plain for i8 {}
// SAFETY: numbers.
unsafe impl Plain for i16 {}
// SAFETY: numbers.
unsafe impl Plain for u32 {}
// SAFETY: numbers.
unsafe impl Plain for u64 {}
// SAFETY: numbers.
unsafe impl Plain for usize {}
// SAFETY: numbers.
unsafe impl Plain for f32 {}
// SAFETY: numbers.
unsafe impl Plain for f64 {}
// SAFETY: `repr(transparent)` over an `i64`.
unsafe impl Plain for Timestamp {}
// SAFETY: `repr(C)`, two `u32`.
unsafe impl Plain for TermCount {}
// SAFETY: `repr(C)`, two `u32`.
unsafe impl Plain for Place {}
// SAFETY: `repr(C)`, two `u32`.
unsafe impl Plain for Key {}
// SAFETY: `repr(C)`, an `f64` and two `u32`: 16 bytes, none of them padding.
unsafe impl Plain for Posting {}

/// The bytes of values, as a file holds them.
pub fn bytes<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: plain values have no padding, so all their bytes are initialised; the length is theirs.
    unsafe { slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Values that do not change any more.
pub struct Slab<T: Plain>(Held<T>);

enum Held<T> {
    Owned(Vec<T>),
    Mapped(Mapped),
}

/// Addresses and lengths of the maps of this process.
static MAPS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// A map that stands in [`MAPS`].
struct Mapped(Mmap);

impl Mapped {
    fn new(map: Mmap) -> Self {
        MAPS.lock().unwrap_or_else(PoisonError::into_inner).push((map.as_ptr().expose_provenance(), map.len()));
        Self(map)
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.0.as_ptr().addr();
        maps.retain(|(start, _)| *start != own);
    }
}

/// Gives the pages of all maps back to the system, which keeps what it likes of them: what is read again is mapped again.
#[cfg(target_os = "linux")]
pub fn give_back() {
    let maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    for (start, length) in maps.iter() {
        // SAFETY: it is mapped, as the lock is held, from a file and for reading only, so that every page that goes comes
        // back with the same bytes when it is read next.
        // Where the system refuses, the pages stay.
        let _ = unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(*start), *length, libc::MADV_DONTNEED) };
    }
}

/// The same of other systems, where nothing tells how much there is.
#[cfg(not(target_os = "linux"))]
pub fn give_back() {}

impl<T: Plain> Slab<T> {
    /// Maps the whole of `file`, which has to hold whole values.
    pub fn map(file: &File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        if length % size_of::<T>() as u64 != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it ends within a value"));
        }
        if length == 0 {
            return Ok(Self::from(Vec::new()));
        }
        // SAFETY: the file is not written while it is mapped, see the invariants above.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self(Held::Mapped(Mapped::new(map))))
    }
}

impl<T: Plain> From<Vec<T>> for Slab<T> {
    fn from(owned: Vec<T>) -> Self {
        Self(Held::Owned(owned))
    }
}

impl<T: Plain> Default for Slab<T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<T: Plain> Deref for Slab<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.0 {
            Held::Owned(owned) => owned,
            // SAFETY: the map is aligned, lives as long as `self`, and its length was a multiple of the size.
            Held::Mapped(Mapped(map)) => unsafe {
                slice::from_raw_parts(map.as_ptr().cast(), map.len() / size_of::<T>())
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Kilobytes of the map at `start` that are resident; `None` where the system does not say.
    fn resident(start: usize) -> Option<usize> {
        let told = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let mut lines = told.lines().skip_while(|line| !line.starts_with(&format!("{start:x}-")));
        let line = lines.find_map(|line| line.strip_prefix("Rss:"))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }

    #[test]
    fn pages_given_back_come_again_as_they_were() {
        let mut file = tempfile::tempfile().unwrap();
        let numbers: Vec<u32> = (0..1 << 20).collect();
        file.write_all(bytes(&numbers)).unwrap();
        let slab: Slab<u32> = Slab::map(&file).unwrap();
        assert_eq!(slab[..], numbers);
        let now = || resident(slab.as_ptr().addr());
        assert!(now().is_none_or(|kilobytes| kilobytes == 4096), "{:?}", now());
        give_back();
        assert!(now().is_none_or(|kilobytes| kilobytes == 0), "{:?}", now());
        assert_eq!(slab[..], numbers);
    }
}
