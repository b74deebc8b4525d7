//! One change at a time of the files in a folder, whoever makes it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Held while a file of a folder is read, changed and written; given back when dropped or when the process ends, however
/// it ends. Readers need none: a file appears whole under its name.
pub struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Its file in the folder: empty, and one for all of them, so that it tells nothing of anybody.
    const NAME: &str = "lock";

    /// Makes the folder where there is none, and waits for who has it.
    ///
    /// # Errors
    ///
    /// What the system says of a folder that cannot be made or locked.
    pub fn take(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = opened(&folder.join(Self::NAME))?;
        file.lock()?;
        Ok(Self { file })
    }

    /// `None` while somebody has it, and where nobody may.
    pub fn take_free(folder: &Path) -> Option<Self> {
        let file = opened(&folder.join(Self::NAME)).ok()?;
        file.try_lock().ok()?;
        Some(Self { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Said, not left to closing: a process being started at this moment holds a copy of the descriptor. Where it
        // fails, closing does it.
        let _ = self.file.unlock();
    }
}

/// Held by one run at a time in a folder that is not the program's own: its file, empty too, goes with it. One that a killed
/// process has left holds nobody up and goes with the next run.
#[derive(Debug)]
pub struct PassingLock {
    path: PathBuf,
    file: File,
}

impl PassingLock {
    /// Locks the file `path`, which is made where there is none; `None` while somebody has it.
    ///
    /// # Errors
    ///
    /// What the system says of a file that cannot be made or locked.
    pub fn take_free(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = opened(path)?;
            match file.try_lock() {
                Ok(()) if stands_at(&file, path)? => return Ok(Some(Self { path: path.to_owned(), file })),
                // Whoever had it has taken it away since it was opened.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => return Err(source),
            }
        }
    }
}

impl Drop for PassingLock {
    fn drop(&mut self) {
        // Before it is given back, so that nobody's goes. Where a file is not told from another one it stays.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
        // As above.
        let _ = self.file.unlock();
    }
}

fn opened(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Whether `file` is what stands at `path`: where a lock's file is taken away, who had opened that holds one without a name.
#[cfg(unix)]
pub(crate) fn stands_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => Ok(identity(found?) == identity(file.metadata()?)),
    }
}

/// Elsewhere a file is not told from another one.
#[cfg(not(unix))]
pub(crate) fn stands_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_lock_is_one_alone_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passing");
        let held = PassingLock::take_free(&path).unwrap().unwrap();
        assert!(PassingLock::take_free(&path).unwrap().is_none());
        drop(held);
        assert_eq!(path.exists(), !cfg!(unix));
        // As a killed process leaves it.
        fs::write(&path, "").unwrap();
        drop(PassingLock::take_free(&path).unwrap().unwrap());
        assert_eq!(path.exists(), !cfg!(unix));
    }

    /// However often the file goes, two never have it at once.
    #[cfg(unix)]
    #[test]
    fn who_takes_a_passing_lock_away_lets_nobody_in_beside_the_next() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        const ROUNDS: usize = 400;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passing");
        let holders = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _held in (0..ROUNDS).filter_map(|_| PassingLock::take_free(&path).unwrap()) {
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                        std::thread::yield_now();
                        holders.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(!path.exists());
    }
}
