//! What can go wrong with a session, in words a person can act on.

use std::path::PathBuf;

use crate::data::dataset::DatasetError;
use crate::data::interaction::UserId;
use crate::engine::error::EngineError;
use crate::memory::entry::IndexError;

/// How a bad line is mended: the header can be restored only.
fn mending(line: usize) -> &'static str {
    match line {
        1 => "restore the line from a copy",
        _ => "restore the line from a copy, or remove it to replay the rest",
    }
}

/// Why a session could not be read, written or made.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The dataset could not be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The file is missing or unreadable.
    #[error("{}: cannot be read ({source}); check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be written.
    #[error("{}: cannot be written ({source}); choose another place with --out or free some room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Live use could not be recorded.
    #[error(
        "{}: cannot be written ({source}); free some room, or set XDG_STATE_HOME to another folder and start again",
        path.display()
    )]
    Record {
        /// The file, or the folder of recorded sessions.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be removed.
    #[error("{}: cannot be removed ({source}); make its folder writable", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error(
        "{}: is not a session: {reason}; a session is JSON Lines that begin with {{\"event\":\"session\", …}}, as \
         `logoscope scenario` writes it",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What stands there instead.
        reason: String,
    },
    /// The session was written by a newer program.
    #[error("{}: session format {found} is newer than this program's {known}; update logoscope", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
    /// A line is no event.
    #[error("{}:{line}: {reason}; {}", path.display(), mending(*line))]
    Line {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong with which value.
        reason: String,
    },
    /// A scenario asked for somebody who does not fit it.
    #[error("user '{user}' {reason}; leave out --user to have a fitting one chosen")]
    Unfit {
        /// Who.
        user: UserId,
        /// Why not.
        reason: String,
    },
    /// A question says that something is held which the person cannot remember.
    #[error("a question's \"held\" cannot be remembered: {reason}; restore the line from a copy")]
    Unheld {
        /// Why not.
        reason: String,
    },
    /// A session that nobody waits for any more.
    #[error("the session was stopped; nothing of it is kept")]
    Unwanted,
    /// A scenario that a task has none of.
    #[error(
        "the scenario {scenario} {reason}, and '{dataset}' is no task of labels; take another scenario, or other data"
    )]
    OtherTask {
        /// Name of the dataset.
        dataset: String,
        /// Which scenario.
        scenario: &'static str,
        /// What it needs labels for.
        reason: &'static str,
    },
    /// Nobody in the data fits a scenario.
    #[error(
        "nobody in '{dataset}' fits the scenario {scenario}: {reason}; name somebody with --user, or use other data"
    )]
    Nobody {
        /// Name of the dataset.
        dataset: String,
        /// Which scenario.
        scenario: &'static str,
        /// What was looked for.
        reason: String,
    },
    /// A session that cannot be computed again, or gone on with.
    #[error("{what}; {remedy}")]
    ReRun {
        /// What is in the way.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An event that is none any more once its texts are pseudonyms.
    #[error("event {event} cannot be redacted ({reason}); take it out of the file, or shift times by less")]
    Redact {
        /// Which event, from 1.
        event: usize,
        /// What is wrong with what it would become.
        reason: String,
    },
    /// Memory.
    #[error(transparent)]
    Memory(#[from] IndexError),
    /// The model.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
