//! A model's files after they have passed the checks, in whatever format they are.

use std::path::PathBuf;

use tokenizers::Tokenizer;

use crate::engine::model::{CONTEXT, Quantisation};
use crate::engine::room::Need;

/// The library's cache grows in blocks of this many tokens and fails when the last block does not fit.
pub(super) const CONTEXT_BLOCK: u64 = 512;

/// The most positions that a model may know: the library computes tables of all of them, and where there is no room for
/// these the process ends. No model knows as many.
const MOST_POSITIONS: u64 = 1 << 24;

/// Tables of positions that are there at once while they are computed: the angles, the sines and cosines of these, and
/// those of the layer before.
const TABLES: u64 = 5;

pub(super) const COPY_AGAIN: &str = "copy or download the model's folder again";

/// A refusal before it knows its path: the reason and the remedy.
pub(super) type Check<T> = Result<T, (String, String)>;

pub(super) fn refuse<T>(reason: impl Into<String>, remedy: impl Into<String>) -> Check<T> {
    Err((reason.into(), remedy.into()))
}

/// Refuses a context for which nobody has the room. `stated` says where the number is.
pub(super) fn check_positions(stated: &str, context: u64) -> Check<()> {
    if context <= MOST_POSITIONS {
        return Ok(());
    }
    refuse(
        format!("{stated} is {context}, and no model of more than {MOST_POSITIONS} tokens can be loaded"),
        "look for another copy of the model: the number is hardly the one it was published with",
    )
}

/// Bytes of the tables for so many positions, by each of which so many pairs of numbers are turned.
pub(super) fn position_tables(context: u64, turned: u64) -> u64 {
    // They are computed in 32 bits everywhere.
    TABLES.saturating_mul(4).saturating_mul(context).saturating_mul(turned)
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// As numbers of one format; the folder holds all that belongs to them.
    Safetensors,
    /// In blocks, each tensor in a format of its own.
    Gguf {
        /// The format that most weights are in.
        format: &'static str,
        /// Bytes of all tensors.
        bytes: u64,
    },
}

/// What of a model decides about the memory it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Weights in the table of embeddings, which is never quantised.
    pub table: u64,
    /// Numbers that a token leaves in the cache: keys and values of all layers.
    pub cached: u64,
    /// Pairs of numbers that a position turns: half a head's width.
    pub turned: u64,
}

/// A chat template and the tokens it may name.
pub(super) struct Chat {
    pub template: String,
    pub bos: Option<String>,
    pub eos: Option<String>,
}

/// Files that have passed the checks: the library can load them without a network.
pub(super) struct ModelFiles {
    /// The folder, or the GGUF file; absolute.
    pub path: PathBuf,
    /// How the weights are stored.
    pub stored: Stored,
    /// The one set of weight files.
    pub weights: Vec<PathBuf>,
    /// Encodes and decodes exactly as the model was trained.
    pub tokenizer: Tokenizer,
    /// Tokens that end an answer.
    pub ends: Vec<u32>,
    /// Number of weights.
    pub parameters: u64,
    /// Tokens of prompt and answer together that the model was trained for.
    pub max_context: usize,
    /// The chat template that a GGUF file brings in its header; a folder's is a file of its own.
    pub chat: Option<Chat>,
    /// What decides about its memory.
    pub shape: Shape,
}

impl ModelFiles {
    /// The model's short name.
    pub(super) fn name(&self) -> String {
        let name = match self.stored {
            Stored::Safetensors => self.path.file_name(),
            Stored::Gguf { .. } => self.path.file_stem(),
        };
        name.map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned())
    }

    /// Tokens of prompt and answer together, where so many are asked for: as many as fit whole blocks of the cache.
    pub(super) fn context(&self, asked: Option<usize>) -> usize {
        let block = CONTEXT_BLOCK as usize;
        let context = asked.unwrap_or(CONTEXT).min(self.max_context);
        (context.div_ceil(block) * block).min(self.max_context / block * block).max(block)
    }

    /// The memory the model takes in numbers of `width` bytes.
    pub(super) fn need(&self, context: usize, width: u64, quantize: Option<Quantisation>) -> Need {
        let table = self.shape.table.min(self.parameters);
        let weights = match (self.stored, quantize) {
            // The table is unpacked.
            (Stored::Gguf { bytes, .. }, _) => bytes.saturating_add(table.saturating_mul(width)),
            (Stored::Safetensors, None) => self.parameters.saturating_mul(width),
            (Stored::Safetensors, Some(kind)) => {
                kind.bytes(self.parameters - table).saturating_add(table.saturating_mul(width))
            }
        };
        // The library asks for all positions, whatever context is asked for.
        let positions = position_tables(self.max_context as u64, self.shape.turned);
        let cache = self.shape.cached.saturating_mul(width).saturating_mul(context as u64);
        Need { weights, positions, cache, context }
    }

    /// The format it is computed in, as the header shows it.
    pub(super) fn format(&self, number: &str, quantize: Option<Quantisation>) -> String {
        match (self.stored, quantize) {
            (Stored::Gguf { format, .. }, _) => format.to_owned(),
            (Stored::Safetensors, Some(kind)) => kind.name().to_owned(),
            (Stored::Safetensors, None) => number.to_owned(),
        }
    }
}
