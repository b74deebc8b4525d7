//! Why a dataset folder cannot be read or written.

use std::path::PathBuf;

use crate::data::table::TableError;

/// Why a dataset folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file is missing or unreadable.
    #[error(
        "{path}: cannot be read ({source}); a dataset folder holds dataset.toml, interactions.jsonl and queries.jsonl"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("{path}: cannot be written ({source}); choose another folder or free some room")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder to be written holds something already.
    #[error("{path}: exists and is not an empty folder; name a new folder with --out, or move this one away")]
    Taken {
        /// The folder asked for.
        path: PathBuf,
    },
    /// `dataset.toml` does not parse.
    #[error("{path}: {reason}; see docs/data-formats.md for its fields")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where the parser knows it.
        reason: String,
    },
    /// The table that `retrieval.embedder` names.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A line of a JSON Lines file does not parse or breaks an invariant.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong and what to do.
        reason: String,
    },
    /// There is nothing to remember.
    #[error(
        "{path}: holds no interaction; a memory needs at least one line {{\"id\", \"user\", \"at\", \"query\", \"response\"}}"
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
}
