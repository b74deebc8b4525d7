//! Texts as vectors, behind one trait.
//!
//! Invariant: a vector has unit length, or is all zero when the text has nothing to embed; it is always finite.

mod asked;
mod hash;
mod kept;
pub mod lsa;
mod table;

use std::sync::Arc;

pub use hash::HashEmbedder;
pub use kept::{KeptVectors, Maker, OfTexts, VectorsError, forget, of_texts};

use super::wide::wide;
use crate::data::embedding::Embedding;
use crate::data::interaction::Timestamp;

/// A number for a text that stays the same from version to version.
pub fn hash(text: &str) -> u64 {
    hash::fnv1a(b't', text.as_bytes())
}

/// Turns texts into vectors of a fixed width.
pub trait Embedder: Send + Sync {
    /// Names the embedder and everything that changes its vectors.
    fn id(&self) -> String;

    /// Width of a vector.
    fn dimensions(&self) -> usize;

    /// Writes the vector of `text` into `out`, which has [`Embedder::dimensions`] entries.
    fn embed(&self, text: &str, out: &mut [f32]);

    /// Whether its vectors may answer a question asked at `t`: a table that has seen texts from `t` or later may not.
    fn allow(&self, t: Timestamp) -> Result<(), Forbidden> {
        let _ = t;
        Ok(())
    }

    /// Has the vector of a question's text at hand before it is asked for; one that cannot be made is no vector of nothing.
    fn ready(&self, text: &str) -> Result<(), Forbidden> {
        let _ = text;
        Ok(())
    }

    /// The same of all that memory is to be built of. `go_on` hears how many of how many are made; where it says no, the
    /// answer is `false`.
    fn ready_all(
        &self,
        texts: &mut dyn Iterator<Item = &str>,
        go_on: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<bool, Forbidden> {
        let _ = (texts, go_on);
        Ok(true)
    }
}

/// Why an embedder's vectors may not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It has seen what was still to come.
    #[error(
        "the embedder was fitted on texts until {fit_until} and the question is asked at {asked}, which it would leak \
         into; ask later, or fit it anew with `logoscope fit-embedder --until {asked}`"
    )]
    Future {
        /// Texts before this moment were seen.
        fit_until: Timestamp,
        /// The moment of the question.
        asked: Timestamp,
    },
    /// The setting names a table that was not read.
    #[error("the table of embedder 'static:{folder}' was not read; open the dataset from its folder")]
    Unread {
        /// As the setting writes it.
        folder: String,
    },
    /// The setting names a model that was not opened.
    #[error("the embedding model of 'model:{folder}' was not opened; open the dataset from its folder")]
    Unopened {
        /// As the setting writes it.
        folder: String,
    },
    /// The model makes no vector of the question.
    #[error("the question cannot be embedded: {reason}")]
    Unmade {
        /// What went wrong, and what to do.
        reason: String,
    },
    /// The model does not make the vectors that memory is to be built of.
    #[error("the dataset cannot be embedded: {reason}")]
    Unready {
        /// What went wrong, and what to do.
        reason: String,
    },
}

/// The embedder that a dataset's settings ask for.
pub fn of(embedding: &Embedding) -> Box<dyn Embedder> {
    match embedding {
        Embedding::Hash => Box::new(HashEmbedder::default()),
        Embedding::Static { table: Some(table), .. } => Box::new(table::Table(Arc::clone(table))),
        Embedding::Static { folder, table: None } => Box::new(table::Unread { folder: folder.clone() }),
        Embedding::Model { vectors: Some(vectors), .. } => Box::new(asked::Asked(vectors.clone())),
        Embedding::Model { folder, vectors: None, .. } => Box::new(asked::Unopened { folder: folder.clone() }),
    }
}

/// Dot product; for unit vectors, the cosine of their angle.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    wide(|| summed(a, b))
}

#[inline(always)]
fn summed(a: &[f32], b: &[f32]) -> f32 {
    // Eight independent sums let the compiler use vector registers; the order is fixed, so results repeat exactly.
    let mut sums = [0.0f32; 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// Scales to unit length; an all-zero or non-finite vector becomes zero.
pub fn normalise(vector: &mut [f32]) {
    let norm = dot(vector, vector).sqrt();
    if norm.is_finite() && norm > 1e-12 {
        vector.iter_mut().for_each(|x| *x /= norm);
    } else {
        vector.fill(0.0);
    }
}
