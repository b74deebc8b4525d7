//! Which embedder makes vectors of texts: `hash`, or `static:DIR`, a table in a folder.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sanitize::visible;
use super::table::{StaticTable, TableError};

/// How a table's folder is told from a name.
const STATIC: &str = "static:";

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
}

impl Embedding {
    /// Reads the table, if there is one; its folder is relative to `home`.
    pub fn load(&mut self, home: &Path) -> Result<(), TableError> {
        if let Self::Static { folder, table } = self {
            *table = Some(Arc::new(StaticTable::read(&home.join(folder))?));
        }
        Ok(())
    }
}

impl std::str::FromStr for Embedding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix(STATIC) {
            _ if text == "hash" => Ok(Self::Hash),
            Some(folder) if !folder.trim().is_empty() => Ok(Self::Static { folder: folder.to_owned(), table: None }),
            _ => {
                Err(format!("'{}' is no embedder; give hash, or static:DIR with the folder of a table", visible(text)))
            }
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
        }
    }
}
