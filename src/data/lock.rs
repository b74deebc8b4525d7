//! One change at a time of the small files in a folder, whoever makes it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

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
        let file = Self::file(folder)?;
        file.lock()?;
        Ok(Self { file })
    }

    /// `None` while somebody has it, and where nobody may.
    pub fn take_free(folder: &Path) -> Option<Self> {
        let file = Self::file(folder).ok()?;
        file.try_lock().ok()?;
        Some(Self { file })
    }

    fn file(folder: &Path) -> io::Result<File> {
        File::options().read(true).write(true).create(true).truncate(false).open(folder.join(Self::NAME))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Said, not left to closing: a process being started at this moment holds a copy of the descriptor. Where it
        // fails, closing does it.
        let _ = self.file.unlock();
    }
}
