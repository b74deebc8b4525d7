//! Where commands write reports, sessions and pages of them.
//!
//! Invariant: nothing that exists is replaced unless that is asked for, and a recording never by what is made of it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{CliError, complain, file_error};
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
            Some(path) => write(path, report)?,
            None => io::stdout().lock().write_all(report.as_bytes())?,
        }
        Ok(())
    }
}

/// Writes `text` to `path`, whole or not at all, and tells that it is there.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CliError> {
    write_whole(path, text.as_bytes())?;
    complain(&format!("written to {}", path.display()));
    Ok(())
}

/// Fails where nothing can be written to `out`, or where something is there and nobody said `force`.
pub(super) fn require_writable(out: &Path, force: bool) -> Result<(), CliError> {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    if out.is_dir() {
        return Err(file_error(out, IsADirectory.into()));
    }
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            // Something on the way may be there, and no folder.
            let file = folder.ancestors().find(|above| above.exists()).filter(|above| !above.is_dir());
            Err(match file {
                Some(file) => file_error(file, io::Error::new(NotADirectory, "this is a file, not a folder")),
                None => file_error(folder, io::Error::new(NotFound, "there is no such folder")),
            })
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

/// A file that is too long to be held: it is written beside its place, takes that when it is whole, and leaves nothing
/// where it never is.
pub(super) struct Unfinished<'a> {
    file: BufWriter<File>,
    target: &'a Path,
    /// Where it is written; `None` of what is written as it comes, and once it is in its place.
    beside: Option<PathBuf>,
}

impl<'a> Unfinished<'a> {
    /// Begins `target`, under the rules of [`require_writable`]. A device, a pipe, or a link to one or to an empty
    /// file, as `/dev/stdout` may be, holds nothing to lose and is written as it comes.
    pub(super) fn begin(target: &'a Path, force: bool) -> Result<Self, CliError> {
        let wrap = |source| file_error(target, source);
        let is_link = fs::symlink_metadata(target).is_ok_and(|there| there.is_symlink());
        let flows = fs::metadata(target)
            .is_ok_and(|there| !there.is_dir() && (!there.is_file() || is_link && there.len() == 0));
        let beside = if flows {
            None
        } else {
            require_writable(target, force)?;
            let mut name = target.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{}.part", std::process::id()));
            Some(target.with_file_name(name))
        };
        let file = File::create(beside.as_deref().unwrap_or(target)).map_err(wrap)?;
        Ok(Self { file: BufWriter::new(file), target, beside })
    }

    /// Puts it in its place.
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        let wrap = |source| file_error(self.target, source);
        self.file.flush().map_err(wrap)?;
        if let Some(beside) = &self.beside {
            self.file.get_ref().sync_all().and_then(|()| fs::rename(beside, self.target)).map_err(wrap)?;
        }
        self.beside = None;
        Ok(())
    }
}

impl Write for Unfinished<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            let _ = fs::remove_file(beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_place_of_a_folder_is_told_as_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("afile"), "").unwrap();
        let told = |path: &str| require_writable(&dir.path().join(path), false).unwrap_err().to_string();
        for path in ["afile/x.txt", "afile/deep/x.txt"] {
            assert!(told(path).contains("afile: ") && told(path).contains("not a folder"), "{}", told(path));
        }
        assert!(told("nowhere/x.txt").contains("nowhere: ") && told("nowhere/x.txt").contains("no such folder"));
    }

    #[test]
    fn a_file_is_there_when_it_is_whole_and_replaced_when_that_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let names = || fs::read_dir(dir.path()).unwrap().count();
        let path = dir.path().join("rows.jsonl");
        let mut given_up = Unfinished::begin(&path, false).unwrap();
        given_up.write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(names(), 0, "what is given up leaves nothing");

        let mut first = Unfinished::begin(&path, false).unwrap();
        first.write_all(b"one").unwrap();
        assert!(!path.exists());
        first.finish().unwrap();
        assert!(Unfinished::begin(&path, false).is_err_and(|error| error.to_string().contains("--force replaces it")));
        let mut second = Unfinished::begin(&path, true).unwrap();
        second.write_all(b"two").unwrap();
        second.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one", "until the second is whole");
        second.finish().unwrap();
        assert_eq!((fs::read(&path).unwrap(), names()), (b"two".to_vec(), 1));
    }
}
