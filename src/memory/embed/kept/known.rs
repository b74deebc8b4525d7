//! Vectors at hand: rows of the files that were opened, and of what was typed.
//!
//! Invariant: a file is verified before any of its rows is at hand.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

use super::Key;
use super::file::{HEAD, damaged, keys};
use crate::memory::column::{Slab, bytes};

/// Vectors at hand.
#[derive(Default)]
pub(super) struct Known {
    /// Where each text's row is.
    pub(super) rows: HashMap<Key, Place>,
    /// The files, verified, as words of four bytes.
    files: Vec<Slab<u32>>,
    /// Rows of what was typed, one behind another.
    typed: Vec<f32>,
}

/// Where a row begins, in numbers.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In this file.
    Kept { file: usize, start: usize },
    /// Among what was typed.
    Typed { start: usize },
}

impl Known {
    /// Takes in the file `path`, whose vectors have to be `dimensions` wide, or says what is wrong with it.
    pub(super) fn open(&mut self, path: &Path, dimensions: usize) -> io::Result<Result<(), String>> {
        let mapped = File::open(path).and_then(|file| Slab::map(&file));
        let words: Slab<u32> = match mapped {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Err(damaged())),
            mapped => mapped?,
        };
        let keys = match keys(bytes(&words), dimensions) {
            Ok(keys) => keys.to_vec(),
            Err(reason) => return Ok(Err(reason)),
        };
        let (file, first) = (self.files.len(), (HEAD + size_of_val(&keys[..])) / size_of::<u32>());
        for (row, key) in keys.into_iter().enumerate() {
            self.rows.entry(key).or_insert(Place::Kept { file, start: first + row * dimensions });
        }
        self.files.push(words);
        Ok(Ok(()))
    }

    pub(super) fn add_typed(&mut self, key: Key, vector: &[f32]) {
        let start = self.typed.len();
        if let std::collections::hash_map::Entry::Vacant(entry) = self.rows.entry(key) {
            entry.insert(Place::Typed { start });
            self.typed.extend_from_slice(vector);
        }
    }

    /// Writes the row of `key` into `out`, if there is one.
    pub(super) fn write(&self, key: &Key, out: &mut [f32]) -> bool {
        let width = out.len();
        match self.rows.get(key) {
            None => false,
            Some(Place::Typed { start }) => {
                out.copy_from_slice(&self.typed[*start..start + width]);
                true
            }
            Some(Place::Kept { file, start }) => {
                let row = &self.files[*file][*start..start + width];
                out.iter_mut().zip(row).for_each(|(out, word)| *out = f32::from_bits(u32::from_le(*word)));
                true
            }
        }
    }
}
