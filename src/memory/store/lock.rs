//! One writer a store. Readers need no lock, not even where they keep what they formed beside a base's columns: that
//! appears whole under its name, and the lock of those who do it is there for who tidies up behind them.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::error::StoreError;

/// Held while something writes to a store; given back when dropped or when the process ends, however it ends.
pub struct WriterLock {
    file: File,
}

impl WriterLock {
    /// Takes the lock file `path`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] with the holder's process number while somebody has it.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(StoreError::io(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whoever has just taken it may not have written its number yet.
                let known = file.read_to_string(&mut holder).is_ok() && holder.bytes().all(|b| b.is_ascii_digit());
                let holder = if known && !holder.is_empty() { holder } else { "unknown".to_owned() };
                return Err(StoreError::Locked { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::Io { path: path.to_owned(), source }),
        }
        let told = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        told.map_err(StoreError::io(path))?;
        Ok(Self { file })
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // Said, not left to closing: a process being started at this moment holds a copy of the descriptor. Where it
        // fails, closing does it.
        let _ = self.file.unlock();
    }
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
