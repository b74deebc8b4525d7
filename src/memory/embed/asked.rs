//! The embedder `model`: vectors that a model makes, and its place before it was opened.

use super::{Embedder, Forbidden};
use crate::data::embedding::Vectors;
use crate::data::interaction::Timestamp;

/// Vectors of a model. A model has seen no text of the dataset: nothing is fitted on it.
pub struct Asked(pub Vectors);

impl Embedder for Asked {
    fn id(&self) -> String {
        self.0.0.id().to_owned()
    }

    fn dimensions(&self) -> usize {
        self.0.0.dimensions()
    }

    fn embed(&self, text: &str, out: &mut [f32]) {
        // Whoever builds or reads memory has it ready.
        if !self.0.0.write(text, out) {
            tracing::error!("a text of {} bytes was not embedded before it was needed", text.len());
        }
    }

    fn ready(&self, text: &str) -> Result<(), Forbidden> {
        self.0.0.ready(text).map_err(|reason| Forbidden::Unmade { reason })
    }

    fn ready_all(
        &self,
        texts: &mut dyn Iterator<Item = &str>,
        go_on: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<bool, Forbidden> {
        self.0.0.ready_all(texts, go_on).map_err(|reason| Forbidden::Unready { reason })
    }
}

/// A model that was named and not opened: it has nothing to say, and says that to whoever asks.
pub struct Unopened {
    pub folder: String,
}

impl Embedder for Unopened {
    fn id(&self) -> String {
        "model-unopened".to_owned()
    }

    fn dimensions(&self) -> usize {
        1
    }

    fn embed(&self, _: &str, out: &mut [f32]) {
        out.fill(0.0);
    }

    fn allow(&self, _: Timestamp) -> Result<(), Forbidden> {
        Err(Forbidden::Unopened { folder: self.folder.clone() })
    }

    fn ready_all(
        &self,
        _: &mut dyn Iterator<Item = &str>,
        _: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<bool, Forbidden> {
        Err(Forbidden::Unopened { folder: self.folder.clone() })
    }
}
