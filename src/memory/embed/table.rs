//! The embedder `static`: a table of token vectors, and its place before it was read.

use std::sync::Arc;

use super::{Embedder, Forbidden, normalise};
use crate::data::interaction::Timestamp;
use crate::data::table::StaticTable;

/// Means of token vectors.
pub struct Table(pub Arc<StaticTable>);

impl Embedder for Table {
    fn id(&self) -> String {
        self.0.id().to_owned()
    }

    fn dimensions(&self) -> usize {
        self.0.dimensions()
    }

    fn embed(&self, text: &str, out: &mut [f32]) {
        out.copy_from_slice(&self.0.mean(text));
        normalise(out);
    }

    fn allow(&self, t: Timestamp) -> Result<(), Forbidden> {
        match self.0.fitted() {
            Some(note) if note.fit_until > t => Err(Forbidden::Future { fit_until: note.fit_until, asked: t }),
            _ => Ok(()),
        }
    }
}

/// A table that was named and not read: it has nothing to say, and says that to whoever asks.
pub struct Unread {
    pub folder: String,
}

impl Embedder for Unread {
    fn id(&self) -> String {
        "static-unread".to_owned()
    }

    fn dimensions(&self) -> usize {
        1
    }

    fn embed(&self, _: &str, out: &mut [f32]) {
        out.fill(0.0);
    }

    fn allow(&self, _: Timestamp) -> Result<(), Forbidden> {
        Err(Forbidden::Unread { folder: self.folder.clone() })
    }
}
