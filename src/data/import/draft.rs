//! A dataset folder in the making: a hidden folder beside its place, renamed when it is whole.
//!
//! Rows are written in the order in which they come: a dataset is sorted when it is opened, so an import holds none.
//!
//! Invariants: the target appears complete or not at all; a draft that is not published leaves nothing behind; files
//! that were there before are never touched.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ImportError;
use crate::data::dataset::{DatasetError, Manifest, require_vacant, write_whole};
use crate::data::interaction::{Interaction, JudgedQuery};

/// A folder being written.
pub struct Draft {
    target: PathBuf,
    // Before the folder: the files have to be closed when the folder is removed.
    interactions: BufWriter<File>,
    queries: BufWriter<File>,
    folder: Hidden,
}

/// A folder that is removed with its value. After a rename nothing is left at its path.
struct Hidden(PathBuf);

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Hidden {
    /// A new folder in the nearest existing folder above `target`: on the same file system, so that a rename is enough.
    fn beside(target: &Path) -> Result<Self, DatasetError> {
        let home = target.ancestors().skip(1).find(|above| above.is_dir()).unwrap_or(Path::new("."));
        let mut number = 0;
        loop {
            let path = home.join(format!(".logoscope-import-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(write_error(target, source)),
            }
        }
    }
}

impl Draft {
    /// Begins the folder `target`, which must not exist or be empty.
    pub fn of(target: &Path) -> Result<Self, ImportError> {
        let target = std::path::absolute(target).map_err(|source| write_error(target, source))?;
        require_vacant(&target)?;
        let folder = Hidden::beside(&target)?;
        let create = |name: &str| {
            let path = folder.0.join(name);
            File::create(&path).map(BufWriter::new).map_err(|source| write_error(&path, source))
        };
        let (interactions, queries) = (create("interactions.jsonl")?, create("queries.jsonl")?);
        Ok(Self { target, interactions, queries, folder })
    }

    /// Adds an interaction.
    pub fn add(&mut self, interaction: &Interaction) -> Result<(), DatasetError> {
        write_line(&mut self.interactions, interaction)
            .map_err(|source| write_error(&self.target.join("interactions.jsonl"), source))
    }

    /// Adds a judged query.
    pub fn ask(&mut self, query: &JudgedQuery) -> Result<(), DatasetError> {
        write_line(&mut self.queries, query).map_err(|source| write_error(&self.target.join("queries.jsonl"), source))
    }

    /// Completes the folder and puts it in its place.
    pub fn publish(mut self, manifest: &Manifest) -> Result<(), DatasetError> {
        let wrap = |source| write_error(&self.target, source);
        for file in [&mut self.interactions, &mut self.queries] {
            file.flush().and_then(|()| file.get_ref().sync_all()).map_err(wrap)?;
        }
        let path = self.folder.0.join("dataset.toml");
        let toml = toml::to_string(manifest)
            .map_err(|error| DatasetError::Manifest { path: path.clone(), reason: error.to_string() })?;
        write_whole(&path, toml.as_bytes())?;
        if let Some(above) = self.target.parent() {
            fs::create_dir_all(above).map_err(wrap)?;
        }
        // Only an empty folder can be removed so: if files arrived meanwhile, this fails and they stay.
        if self.target.is_dir() {
            fs::remove_dir(&self.target).map_err(wrap)?;
        }
        fs::rename(&self.folder.0, &self.target).map_err(wrap)
    }
}

fn write_line(file: &mut BufWriter<File>, record: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *file, record)?;
    file.write_all(b"\n")
}

fn write_error(path: &Path, source: std::io::Error) -> DatasetError {
    DatasetError::Write { path: path.to_owned(), source }
}
