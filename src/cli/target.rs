//! Where commands write reports, sessions and pages of them.
//!
//! Invariant: nothing that exists is replaced unless that is asked for, and a recording never by what is made of it.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{CliError, file_error};
use crate::data::dataset::write_whole;

/// Where a report goes.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// File to write, whole or not at all [default: standard output]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// With --out: replace a file that exists
    #[arg(long, requires = "out")]
    force: bool,
}

impl Target {
    /// Finds out before a long run that its report could not be written.
    pub(super) fn check(&self) -> Result<(), CliError> {
        self.out.as_deref().map_or(Ok(()), |out| require_writable(out, self.force))
    }

    /// Writes `report` there.
    pub(super) fn put(&self, report: &str) -> Result<(), CliError> {
        match &self.out {
            Some(path) => write_whole(path, report.as_bytes())?,
            None => std::io::stdout().lock().write_all(report.as_bytes())?,
        }
        Ok(())
    }
}

/// Fails where nothing can be written to `out`, or where something is there and nobody said `force`.
pub(super) fn require_writable(out: &Path, force: bool) -> Result<(), CliError> {
    use std::io::ErrorKind::{IsADirectory, NotFound};
    if out.is_dir() {
        return Err(file_error(out, IsADirectory.into()));
    }
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let why = std::io::Error::new(NotFound, "there is no such folder");
            Err(file_error(folder, why))
        }
        _ => require_free(out, None, force),
    }
}

/// Fails where `out` is the session `of` that it is made from, or exists and nobody said `force`.
pub(super) fn require_free(out: &Path, of: Option<&Path>, force: bool) -> Result<(), CliError> {
    let told = |why: &str| Err(CliError::Usage(format!("{} {why}", out.display())));
    let real = out.canonicalize().ok();
    if real.is_some() && of.is_some_and(|of| of.canonicalize().ok() == real) {
        return told("is the session itself, which is never rewritten; name another file");
    }
    // Of a folder whoever writes says that it is none to write into; a device or a pipe holds nothing to lose.
    if !force && out.is_file() {
        return told("exists already; --force replaces it");
    }
    Ok(())
}
