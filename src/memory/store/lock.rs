//! One writer a store. The lock is that of the file which stands at its path: a store is removed under it, that file last,
//! and whoever had opened it before looks again.
//!
//! Readers need no lock, not even where they keep what they formed beside a base's columns: that appears whole under its
//! name, and the lock of those who do it is there for who tidies up behind them.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::data::lock::stands_at;

/// Held while something writes to a store; given back when dropped or when the process ends, however it ends.
pub struct WriterLock {
    path: PathBuf,
    file: File,
}

impl WriterLock {
    /// Takes the lock file `path`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] with the holder's process number while somebody has it.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        loop {
            let mut file = Self::locked(path)?;
            if stands_at(&file, path).map_err(StoreError::io(path))? {
                let id = std::process::id();
                let told = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{id}"));
                told.map_err(StoreError::io(path))?;
                return Ok(Self { path: path.to_owned(), file });
            }
        }
    }

    /// The file at `path`, locked; by now another one may stand there.
    fn locked(path: &Path) -> Result<File, StoreError> {
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(StoreError::io(path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whoever has just taken it may not have written its number yet.
                let known = file.read_to_string(&mut holder).is_ok() && holder.bytes().all(|b| b.is_ascii_digit());
                let holder = if known && !holder.is_empty() { holder } else { "unknown".to_owned() };
                Err(StoreError::Locked { path: path.to_owned(), holder })
            }
            Err(TryLockError::Error(source)) => Err(StoreError::Io { path: path.to_owned(), source }),
        }
    }

    /// Removes the folder that is locked, and everything in it. Until its file is gone nobody else can write there; a folder
    /// in which somebody writes anew from then on stays.
    pub fn remove_folder(self) -> Result<(), StoreError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let entries: io::Result<Vec<PathBuf>> =
            fs::read_dir(folder).and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
        let entries = entries.map_err(StoreError::io(folder))?;
        remove(entries.iter().filter(|path| **path != self.path))?;
        remove([&self.path])?;
        match fs::remove_dir(folder) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => {
                Err(StoreError::Io { path: folder.to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // Said, not left to closing: a process being started at this moment holds a copy of the descriptor. Where it
        // fails, closing does it.
        let _ = self.file.unlock();
    }
}

/// Removes files and folders; one that is gone already is no failure.
pub(super) fn remove<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), StoreError> {
    for path in paths {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Io { path: path.clone(), source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Held while something is written beside a base's columns, by any number of readers at once; or by one alone who looks
/// for what was left behind.
pub struct KeepingLock {
    file: File,
}

impl KeepingLock {
    /// Its file in a base.
    const NAME: &str = "keeping";

    /// Waits for who tidies up, if somebody does.
    pub fn shared(base: &Path) -> io::Result<Self> {
        let file = Self::file(base)?;
        file.lock_shared()?;
        Ok(Self { file })
    }

    /// `None` while somebody writes there, and where nobody may.
    pub fn alone(base: &Path) -> Option<Self> {
        let file = Self::file(base).ok()?;
        file.try_lock().ok()?;
        Some(Self { file })
    }

    fn file(base: &Path) -> io::Result<File> {
        file(base, Self::NAME)
    }
}

impl Drop for KeepingLock {
    fn drop(&mut self) {
        // As above.
        let _ = self.file.unlock();
    }
}

/// Held by one at a time for as long as what was written beside a base's columns takes its place or is taken away.
pub struct PlacingLock {
    file: File,
}

impl PlacingLock {
    /// Its file in a base.
    const NAME: &str = "placing";

    /// Waits for who has it.
    pub fn take(base: &Path) -> io::Result<Self> {
        let file = file(base, Self::NAME)?;
        file.lock()?;
        Ok(Self { file })
    }
}

impl Drop for PlacingLock {
    fn drop(&mut self) {
        // As above.
        let _ = self.file.unlock();
    }
}

fn file(base: &Path, name: &str) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(base.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_lock_is_that_of_the_file_at_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let former = WriterLock::take(&path).unwrap();
        assert!(stands_at(&former.file, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!stands_at(&former.file, &path).unwrap());
        let held = WriterLock::take(&path).unwrap();
        assert!(stands_at(&held.file, &path).unwrap() && !stands_at(&former.file, &path).unwrap());
        assert!(matches!(WriterLock::take(&path), Err(StoreError::Locked { .. })));
    }

    #[test]
    fn a_folder_goes_with_all_that_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("store");
        fs::create_dir_all(folder.join("base-1")).unwrap();
        fs::write(folder.join("base-1").join("users"), "ann").unwrap();
        fs::write(folder.join("log"), "ann").unwrap();
        WriterLock::take(&folder.join("lock")).unwrap().remove_folder().unwrap();
        assert!(!folder.exists());
    }

    /// What is written under the lock stays while it is held, however often somebody else removes the store.
    #[cfg(unix)]
    #[test]
    fn who_removes_a_store_takes_nothing_from_the_next_writer() {
        const ROUNDS: usize = 400;
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("store");
        let (lock, log) = (folder.join("lock"), folder.join("log"));
        // The folder may go between two steps, and the other one may hold the lock: then the next round.
        let taken = || {
            fs::create_dir_all(&folder).ok()?;
            WriterLock::take(&lock).ok()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| (0..ROUNDS).filter_map(|_| taken()).for_each(|held| held.remove_folder().unwrap()));
            for held in (0..ROUNDS).filter_map(|_| taken()) {
                fs::write(&log, "acknowledged").unwrap();
                std::thread::yield_now();
                assert!(log.exists(), "removed while it was written");
                drop(held);
            }
        });
    }
}
