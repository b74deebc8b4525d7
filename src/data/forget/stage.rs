//! A dataset folder without a person: written and synced beside the old one, and put in its place at once.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{
    FolderError, INTERACTIONS, QUERIES, TRUTH, each_line, each_rest, refuse_link, truth_of, without_person, write_error,
};
use crate::data::interaction::UserId;
use crate::data::lock::PassingLock;

/// Where new files wait.
pub(super) const STAGE: &str = "forget.part";
/// What a run holds in the dataset folder.
pub(super) const LOCK: &str = "forget.lock";

/// Has the dataset folder `dir` for one run alone, until this is dropped: another one would take its [`Stage`] away, or put
/// half of it in place.
pub fn alone(dir: &Path) -> Result<PassingLock, FolderError> {
    let path = dir.join(LOCK);
    refuse_link(&path)?;
    let free = PassingLock::take_free(&path).map_err(write_error(&path))?;
    free.ok_or_else(|| FolderError::Busy { path: dir.to_owned() })
}

/// A dataset folder without a person, waiting to take the old one's place.
#[derive(Debug)]
pub struct Stage {
    dir: PathBuf,
    folder: PathBuf,
    /// Files that change, the last one to be replaced last, each with the fingerprint of what it replaces.
    files: Vec<(&'static str, blake3::Hash)>,
}

impl Stage {
    /// Writes everything of the dataset folder `dir` that is not of `user` beside it.
    pub fn write(dir: &Path, user: &UserId) -> Result<Self, FolderError> {
        Self::sweep(dir)?;
        let folder = dir.join(STAGE);
        fs::create_dir(&folder).map_err(write_error(&folder))?;
        let mut stage = Self { dir: dir.to_owned(), folder, files: Vec::new() };
        let written = stage.fill(user);
        if written.is_err() {
            stage.discard();
        }
        written.map(|()| stage)
    }

    /// Takes away what an interrupted run has left in the dataset folder `dir`; nothing of whoever it forgot is in it. Whoever
    /// does so has the folder [`alone`].
    pub fn sweep(dir: &Path) -> Result<(), FolderError> {
        let folder = dir.join(STAGE);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_error(&folder)(error)),
            _ => Ok(()),
        }
    }

    fn fill(&mut self, user: &UserId) -> Result<(), FolderError> {
        let settings = self.folder.join("dataset.toml");
        fs::copy(self.dir.join("dataset.toml"), &settings).map_err(write_error(&settings))?;
        if self.dir.join(QUERIES).exists() {
            self.filter(QUERIES, user)?;
        }
        let path = self.dir.join(TRUTH);
        if let Some(truth) = truth_of(&self.dir)? {
            let (truth, (theirs, _)) = without_person(&truth, user);
            if theirs > 0 {
                let bytes = serde_json::to_vec(&truth).map_err(io::Error::from).map_err(write_error(&path))?;
                self.put(TRUTH, fingerprint(&path)?, |out| out.write_all(&bytes))?;
            }
        }
        self.filter(INTERACTIONS, user)
    }

    /// Writes the lines of `file` that are not theirs.
    fn filter(&mut self, file: &'static str, user: &UserId) -> Result<(), FolderError> {
        let new = self.folder.join(file);
        let mut out = File::create(&new).map(BufWriter::new).map_err(write_error(&new))?;
        let mut hasher = blake3::Hasher::new();
        each_rest(&self.dir, file, user, |line, rest| {
            hasher.update(line);
            out.write_all(rest).map_err(write_error(&new))
        })?;
        let file_of = out.into_inner().map_err(|error| write_error(&new)(error.into_error()))?;
        self.finish(file, hasher.finalize(), &file_of)
    }

    fn put(
        &mut self,
        file: &'static str,
        was: blake3::Hash,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), FolderError> {
        let path = self.folder.join(file);
        let mut out = File::create(&path).map_err(write_error(&path))?;
        fill(&mut out).map_err(write_error(&path))?;
        self.finish(file, was, &out)
    }

    fn finish(&mut self, file: &'static str, was: blake3::Hash, written: &File) -> Result<(), FolderError> {
        let path = self.folder.join(file);
        // Whoever may read the file shall go on reading it.
        let permissions = fs::metadata(self.dir.join(file)).map(|found| found.permissions());
        permissions.and_then(|p| written.set_permissions(p)).map_err(write_error(&path))?;
        written.sync_all().map_err(write_error(&path))?;
        self.files.push((file, was));
        Ok(())
    }

    /// The dataset folder without the person.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts the new files in the old ones' places, interactions last.
    pub fn commit(self, mut step: impl FnMut()) -> Result<(), FolderError> {
        for (file, was) in &self.files {
            let path = self.dir.join(file);
            if fingerprint(&path)? != *was {
                self.discard();
                return Err(FolderError::Changed { path });
            }
        }
        for (file, _) in &self.files {
            let path = self.dir.join(file);
            step();
            fs::rename(self.folder.join(file), &path).map_err(write_error(&path))?;
        }
        step();
        if cfg!(unix) {
            File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(write_error(&self.dir))?;
        }
        fs::remove_dir_all(&self.folder).map_err(write_error(&self.folder))
    }

    /// Takes the new files away.
    pub fn discard(&self) {
        // The next run removes what is left, if anything is; there is nothing of the person in it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn fingerprint(path: &Path) -> Result<blake3::Hash, FolderError> {
    let mut hasher = blake3::Hasher::new();
    each_line(path, |_, line| {
        hasher.update(line);
        Ok(())
    })?;
    Ok(hasher.finalize())
}
