//! A dataset folder in the making.
//!
//! Rows are written in the order in which they come: a dataset is sorted when it is opened, so an import holds none.
//!
//! Invariants: the target appears complete or not at all; a draft that is not published leaves nothing behind; files
//! that were there before are never touched.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde::Serialize;

use super::ImportError;
use crate::data::dataset::{DatasetError, Manifest, write_whole};
use crate::data::hidden::Hidden;
use crate::data::interaction::{Interaction, JudgedQuery};

/// A folder being written.
pub struct Draft {
    // Before the folder: the files have to be closed when the folder is removed.
    interactions: BufWriter<File>,
    queries: BufWriter<File>,
    folder: Hidden,
}

impl Draft {
    /// Begins the folder `target`, which must not exist or be empty.
    pub fn of(target: &Path) -> Result<Self, ImportError> {
        let folder = Hidden::beside(target)?;
        let create = |name: &str| {
            let path = folder.path().join(name);
            File::create(&path).map(BufWriter::new).map_err(|source| write_error(&path, source))
        };
        let (interactions, queries) = (create("interactions.jsonl")?, create("queries.jsonl")?);
        Ok(Self { interactions, queries, folder })
    }

    /// Adds an interaction.
    pub fn add(&mut self, interaction: &Interaction) -> Result<(), DatasetError> {
        write_line(&mut self.interactions, interaction)
            .map_err(|source| write_error(&self.folder.target().join("interactions.jsonl"), source))
    }

    /// Adds a judged query.
    pub fn ask(&mut self, query: &JudgedQuery) -> Result<(), DatasetError> {
        write_line(&mut self.queries, query)
            .map_err(|source| write_error(&self.folder.target().join("queries.jsonl"), source))
    }

    /// Completes the folder and puts it in its place.
    pub fn publish(mut self, manifest: &Manifest) -> Result<(), DatasetError> {
        let wrap = |source| write_error(self.folder.target(), source);
        for file in [&mut self.interactions, &mut self.queries] {
            file.flush().and_then(|()| file.get_ref().sync_all()).map_err(wrap)?;
        }
        let path = self.folder.path().join("dataset.toml");
        let toml = toml::to_string(manifest)
            .map_err(|error| DatasetError::Manifest { path: path.clone(), reason: error.to_string() })?;
        write_whole(&path, toml.as_bytes())?;
        self.folder.publish()
    }
}

fn write_line(file: &mut BufWriter<File>, record: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *file, record)?;
    file.write_all(b"\n")
}

fn write_error(path: &Path, source: std::io::Error) -> DatasetError {
    DatasetError::Write { path: path.to_owned(), source }
}
