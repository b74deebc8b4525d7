//! Why a store cannot be used, and what happened to it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::data::dataset::DatasetError;
use crate::memory::embed::Forbidden;
use crate::memory::entry::IndexError;

/// Why a store could not be opened, written or added to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("{}: {source}; check the folder's permissions and room, or name another one with --store DIR", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else writes.
    #[error(
        "{}: process {holder} is writing to this store; wait for it to end, or end it (reading needs no lock)",
        path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, as the file says.
        holder: String,
    },
    /// The dataset folder.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The dataset's embedder makes no vectors.
    #[error(transparent)]
    Embedder(#[from] Forbidden),
    /// The dataset changed while it was read.
    #[error("{}: changed while it was read; run the command again", path.display())]
    Changed {
        /// The dataset folder.
        path: PathBuf,
    },
    /// An interaction that the dataset would not accept.
    #[error("interaction '{id}' cannot be recorded: {reason}")]
    Unfit {
        /// Its identity, made visible.
        id: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An index over what the store holds could not be made.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The work was stopped.
    #[error("stopped; nothing of the unfinished store is kept")]
    Cancelled,
}

impl StoreError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }
}

/// Why the base of a store does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is none.
    Missing,
    /// A file is not as it was written.
    Damaged {
        /// Its name in the base's folder.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// Written by another version of the program.
    OtherVersion {
        /// What the base says.
        found: String,
        /// What this program writes.
        known: String,
    },
    /// Its vectors are another embedder's.
    OtherEmbedder {
        /// The base's.
        found: String,
        /// The dataset's.
        known: String,
    },
    /// Made from other data.
    OtherData {
        /// What differs.
        what: &'static str,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there was none"),
            Self::Damaged { file, what } => write!(f, "{file} is damaged: {what}"),
            Self::OtherVersion { found, known } => write!(f, "it is of version {found}, this program writes {known}"),
            Self::OtherEmbedder { found, known } => {
                write!(f, "its vectors are of embedder {found}, the dataset's is {known}")
            }
            Self::OtherData { what } => write!(f, "it was made from other data: {what}"),
        }
    }
}

/// What happened on the way to a memory, for the person at the keyboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The base was made for the first time.
    Built,
    /// The base was made again.
    Rebuilt {
        /// What was wrong with the old one.
        reason: Fault,
    },
    /// The base was made again with what had been recorded earlier than others.
    Folded {
        /// How many recorded interactions it holds now.
        records: usize,
    },
    /// Memory was built without a store, which takes longer.
    InMemory {
        /// Why.
        reason: String,
    },
    /// What was kept of a period does not serve; it was formed anew, which takes longer.
    Formed {
        /// Where it is kept.
        folder: PathBuf,
        /// What is wrong with it.
        reason: Fault,
    },
    /// What was formed of a period could not be kept.
    Unkept {
        /// Why, with what to do.
        reason: String,
    },
    /// A record at the end of the log was never finished, so it was never acknowledged.
    Unfinished {
        /// What was left of it.
        bytes: u64,
    },
    /// The log is not as it was written; what stands before the damage is kept.
    LogDamaged {
        /// Where and what.
        what: String,
        /// Records before it.
        kept: usize,
        /// Records that had been acknowledged, where the log still says so.
        acknowledged: Option<u64>,
        /// Where the damaged log was moved; `None` where it still lies in its place.
        aside: Option<PathBuf>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Built => f.write_str("the store was built"),
            Self::Rebuilt { reason } => write!(f, "the store was rebuilt: {reason}"),
            Self::Folded { records } => write!(f, "the store was rebuilt with {records} recorded interactions"),
            Self::InMemory { reason } => write!(f, "memory was built without its store: {reason}"),
            Self::Formed { folder, reason } => {
                write!(f, "what was kept of a period in {} was formed anew: {reason}", folder.display())
            }
            Self::Unkept { reason } => {
                write!(f, "what was formed of a period is not kept, and the next start forms it again: {reason}")
            }
            Self::Unfinished { bytes } => {
                write!(f, "the last record of the log was never finished; its {bytes} bytes were cut off")
            }
            Self::LogDamaged { what, kept, acknowledged, aside } => {
                write!(f, "the log of recorded interactions is damaged: {what}; {kept} ")?;
                if let Some(acknowledged) = acknowledged {
                    write!(f, "of {acknowledged} ")?;
                }
                match aside {
                    Some(aside) => write!(f, "records are kept, the damaged file is {}", aside.display()),
                    None => f.write_str("records are read; `logoscope store verify` says more"),
                }
            }
        }
    }
}
