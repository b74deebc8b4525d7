//! A folder in the making: hidden beside its place, renamed when it is whole.
//!
//! Invariants: the target appears complete or not at all; what is not published leaves nothing behind; files that were
//! there before are never touched.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::dataset::{DatasetError, require_vacant};

/// A folder that is removed with its value. After a rename nothing is left at its path.
pub struct Hidden {
    path: PathBuf,
    target: PathBuf,
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Hidden {
    /// Begins the folder `target`, which must not exist or be empty. It is written in the nearest existing folder above
    /// it: on the same file system, so that a rename is enough.
    pub fn beside(target: &Path) -> Result<Self, DatasetError> {
        let wrap = |source| DatasetError::Write { path: target.to_owned(), source };
        let target = std::path::absolute(target).map_err(wrap)?;
        require_vacant(&target)?;
        let home = target.ancestors().skip(1).find(|above| above.is_dir()).unwrap_or(Path::new("."));
        let mut number = 0;
        loop {
            let path = home.join(format!(".logoscope-draft-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, target }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(wrap(source)),
            }
        }
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Puts it in its place.
    pub fn publish(self) -> Result<(), DatasetError> {
        let wrap = |source| DatasetError::Write { path: self.target.clone(), source };
        if let Some(above) = self.target.parent() {
            fs::create_dir_all(above).map_err(wrap)?;
        }
        // Only an empty folder can be removed so: if files arrived meanwhile, this fails and they stay.
        if self.target.is_dir() {
            fs::remove_dir(&self.target).map_err(wrap)?;
        }
        fs::rename(&self.path, &self.target).map_err(wrap)
    }
}
