//! Where commands write sessions and pages of them.
//!
//! Invariant: nothing that exists is replaced unless that is asked for, and a recording never by what is made of it.

use std::path::Path;

use super::CliError;

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
