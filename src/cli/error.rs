//! What can end a command.
//!
//! Invariant: a message says what failed and what to do about it.

use std::path::{Path, PathBuf};

use super::workbench;
use crate::config::ConfigError;
use crate::data::dataset::DatasetError;
use crate::data::import::ImportError;
use crate::data::interaction::UserId;
use crate::data::table::TableError;
use crate::engine::error::EngineError;
use crate::engine::profile::kept::ProfileError;
use crate::eval::EvalError;
use crate::eval::audit::group::AuditError;
use crate::eval::compare::CompareError;
use crate::forget::ForgetError;
use crate::logging::LogError;
use crate::memory::embed::lsa::LsaError;
use crate::memory::entry::IndexError;
use crate::memory::store::StoreError;
use crate::session::SessionError;

/// What went wrong, in words for the person at the keyboard.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Somebody did not want to wait for vectors.
    #[error("interrupted while vectors were made; those that were made are kept")]
    Interrupted,
    /// Somebody did not want to wait for files.
    #[error("interrupted; nothing was written")]
    Unwritten,
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An import.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Memory.
    #[error(transparent)]
    Memory(#[from] IndexError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A store that was asked for, and memory has none.
    #[error("no store was built: {reason}")]
    NoStore {
        /// What was in the way and what to do.
        reason: String,
    },
    /// The model.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// An evaluation.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Forgetting.
    #[error(transparent)]
    Forget(#[from] ForgetError),
    /// Prose profiles.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// An audit.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A comparison.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// An embedder's fit.
    #[error(transparent)]
    Lsa(#[from] LsaError),
    /// A table of an embedder.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A dataset that has nothing to ask.
    #[error(
        "the dataset '{dataset}' has no judged query to ask; write some into its queries.jsonl, or leave out --data"
    )]
    NoQuestion {
        /// Its name.
        dataset: String,
    },
    /// A measurement.
    #[error(transparent)]
    Bench(#[from] crate::bench::BenchError),
    /// Work to be ranked.
    #[error(transparent)]
    Work(#[from] crate::bench::WorkError),
    /// The workbench.
    #[error(transparent)]
    Workbench(#[from] workbench::WorkbenchError),
    /// A user who is not in the data.
    #[error(
        "user '{0}' is not in the dataset; check the spelling, or pass --new-user to ask as somebody without history"
    )]
    UnknownUser(UserId),
    /// A file.
    #[error("{}: {source}; check the path and its permissions", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a file.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A value that fits no option.
    #[error("{0}")]
    Usage(String),
    /// Standard output went away.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

pub(super) fn file_error(path: &Path, source: std::io::Error) -> CliError {
    CliError::File { path: path.to_owned(), source }
}
