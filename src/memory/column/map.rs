//! Fixed-width values that lie in memory or in a mapped file. The one place of memory that needs `unsafe`.
//!
//! Invariants, on which the `unsafe` here rests:
//! * Every [`Plain`] type is valid for any bytes and has no padding.
//! * A map begins at a page, so it is aligned for every [`Plain`] type; a [`Slab`] holds whole values only.
//! * Mapped files are never written again: a store's files are replaced by renaming folders, and removing a file leaves
//!   its maps alone. Who shortens such a file in place while a program has it open ends that program.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::ops::Deref;
use std::slice;

use memmap2::Mmap;
#[cfg(target_os = "linux")]
use memmap2::MmapOptions;

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

/// Some bytes of a file with all of their pages at hand, for who only looks through them. `None` where the system does not
/// say beforehand whether they can be had: a page that cannot be read would end the program, and has to be an error.
#[cfg(target_os = "linux")]
pub fn at_hand(file: &File, start: u64, length: usize) -> Option<Mmap> {
    // SAFETY: as in [`Slab::map`].
    let map = unsafe { MmapOptions::new().offset(start).len(length).map(file) }.ok()?;
    map.advise(memmap2::Advice::PopulateRead).ok()?;
    Some(map)
}

/// The same of other systems.
#[cfg(not(target_os = "linux"))]
pub fn at_hand(_file: &File, _start: u64, _length: usize) -> Option<Mmap> {
    None
}

/// Values that do not change any more.
pub struct Slab<T: Plain>(Held<T>);

enum Held<T> {
    Owned(Vec<T>),
    Mapped(Mmap),
}

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
        Ok(Self(Held::Mapped(map)))
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
            Held::Mapped(map) => unsafe { slice::from_raw_parts(map.as_ptr().cast(), map.len() / size_of::<T>()) },
        }
    }
}
