//! Which embedder makes vectors of texts: `hash`, `static:DIR`, a table in a folder, or `model:DIR`, an embedding model in a
//! folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sanitize::visible;
use super::table::{StaticTable, TableError};

/// How a table's folder is told from a name.
const STATIC: &str = "static:";
/// The same of a model's.
const MODEL: &str = "model:";

/// Vectors of texts that somebody else makes: this layer knows no model.
pub trait TextVectors: Send + Sync {
    /// Names the model by its content, and its width.
    fn id(&self) -> &str;

    /// Width of a vector.
    fn dimensions(&self) -> usize;

    /// Has the vector of `text` at hand. Fails with what went wrong and what to do.
    fn ready(&self, text: &str) -> Result<(), String>;

    /// Has the vectors of all `texts` at hand, and keeps those that are made now. `go_on` hears how many of how many have
    /// been made before each batch; where it says no, the answer is `false`, and what was made till then is kept. Fails
    /// with what went wrong and what to do.
    fn ready_all(
        &self,
        texts: &mut dyn Iterator<Item = &str>,
        go_on: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<bool, String>;

    /// Writes the vector of `text`, of unit length, into `out`. `false` where it is not at hand, and `out` is zero.
    fn write(&self, text: &str, out: &mut [f32]) -> bool;
}

/// A setting's own vectors; two are the same where their models are.
#[derive(Clone)]
pub struct Vectors(pub Arc<dyn TextVectors>);

impl fmt::Debug for Vectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vectors").field(&self.0.id()).finish()
    }
}

impl PartialEq for Vectors {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

/// The setting `retrieval.embedder`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Embedding {
    /// Hashed words and character n-grams; nothing is fitted.
    #[default]
    Hash,
    /// A table of token vectors.
    Static {
        /// Its folder, as the setting writes it.
        folder: String,
        /// What the folder holds; `None` until [`Embedding::load`]. Memory refuses to answer without.
        table: Option<Arc<StaticTable>>,
    },
    /// An embedding model.
    Model {
        /// Its folder, as the setting writes it.
        folder: String,
        /// The same relative to where this program runs, once [`Embedding::load`] knows where the dataset is.
        path: PathBuf,
        /// What it makes; `None` until whoever runs models has opened it. Memory refuses to answer without.
        vectors: Option<Vectors>,
    },
}

impl Embedding {
    /// Reads the table, if there is one; its folder, like a model's, is relative to `home`.
    pub fn load(&mut self, home: &Path) -> Result<(), TableError> {
        match self {
            Self::Hash => {}
            Self::Static { folder, table } => *table = Some(Arc::new(StaticTable::read(&home.join(folder))?)),
            Self::Model { folder, path, .. } => *path = home.join(folder),
        }
        Ok(())
    }

    /// Does without a model that was not opened: who only looks for a person needs no vectors.
    pub fn without_model(&mut self) {
        if matches!(self, Self::Model { vectors: None, .. }) {
            *self = Self::Hash;
        }
    }
}

impl std::str::FromStr for Embedding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let folder = |prefix: &str| text.strip_prefix(prefix).filter(|folder| !folder.trim().is_empty());
        match (folder(STATIC), folder(MODEL)) {
            _ if text == "hash" => Ok(Self::Hash),
            (Some(folder), _) => Ok(Self::Static { folder: folder.to_owned(), table: None }),
            (_, Some(folder)) => Ok(Self::Model { folder: folder.to_owned(), path: folder.into(), vectors: None }),
            (None, None) => Err(format!(
                "'{}' is no embedder; give hash, static:DIR with the folder of a table, or model:DIR with that of an \
                 embedding model",
                visible(text)
            )),
        }
    }
}

impl TryFrom<String> for Embedding {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Embedding> for String {
    fn from(embedding: Embedding) -> Self {
        match embedding {
            Embedding::Hash => "hash".to_owned(),
            Embedding::Static { folder, .. } => format!("{STATIC}{folder}"),
            Embedding::Model { folder, .. } => format!("{MODEL}{folder}"),
        }
    }
}
