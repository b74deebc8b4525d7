//! Vectors in a usearch index, by number.
//!
//! A store keeps the index's bytes as a column. They are loaded, not mapped: the index is over cells of entries, some two
//! hundred where there are fifty thousand entries.

use std::sync::{Mutex, PoisonError};

use usearch::ffi::{IndexOptions, MetricKind, ScalarKind};

use super::IndexError;
use crate::memory::column::{Sink, Slab, Source};

/// The column.
const COLUMN: &str = "vector-index";

/// Vectors of one width.
pub struct VectorIndex(Mutex<usearch::Index>);

fn fault(error: impl std::fmt::Display) -> IndexError {
    IndexError::Vector(error.to_string())
}

fn empty(dimensions: usize) -> Result<usearch::Index, IndexError> {
    let options =
        IndexOptions { dimensions, metric: MetricKind::IP, quantization: ScalarKind::F32, ..IndexOptions::default() };
    usearch::Index::new(&options).map_err(fault)
}

impl VectorIndex {
    /// Indexes `vectors`, laid end to end.
    pub fn build(vectors: &[f32], dimensions: usize) -> Result<Self, IndexError> {
        let index = empty(dimensions)?;
        // One context: the graph is then a function of the vectors alone, not of the number of cores.
        index.reset().map_err(fault)?;
        index.reserve_capacity_and_threads((vectors.len() / dimensions.max(1)).max(1), 1).map_err(fault)?;
        for (number, vector) in vectors.chunks_exact(dimensions.max(1)).enumerate() {
            index.add(number as u64, vector).map_err(fault)?;
        }
        Ok(Self(Mutex::new(index)))
    }

    /// Writes the index.
    pub fn write<S: Sink<Error: From<IndexError>>>(&self, sink: &mut S) -> Result<(), S::Error> {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = vec![0u8; index.serialized_length()];
        index.save_to_buffer(&mut bytes).map_err(fault)?;
        sink.column(COLUMN, &bytes)
    }

    /// The index of `count` vectors as it was written.
    pub fn read<S: Source<Error: From<IndexError>>>(
        source: &S,
        count: usize,
        dimensions: usize,
    ) -> Result<Self, S::Error> {
        let bytes: Slab<u8> = source.column(COLUMN)?;
        let index = empty(dimensions)?;
        index.load_from_buffer(&bytes).map_err(fault)?;
        if (index.size(), index.dimensions()) != (count, dimensions) {
            let found = format!(
                "{} vectors of {} numbers instead of {count} of {dimensions}",
                index.size(),
                index.dimensions()
            );
            return Err(fault(found).into());
        }
        Ok(Self(Mutex::new(index)))
    }

    /// The numbers of the `count` vectors nearest to `vector`, nearest first.
    pub fn nearest(&self, vector: &[f32], count: usize) -> Result<Vec<u64>, IndexError> {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(index.search(vector, count).map_err(fault)?.keys)
    }
}
