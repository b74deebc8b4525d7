//! The embedding model that a dataset names as its embedder: opened where it lies, and its vectors made beforehand.
//!
//! Invariant: what memory is built of and judged queries ask is embedded before memory is built, so that a failure is a
//! message and not a vector of nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::EngineError;
use super::model::LoadOptions;
use crate::data::dataset::Dataset;
use crate::data::embedding::{Embedding, TextVectors, Vectors};
use crate::memory::embed::{KeptVectors, Maker, VectorsError};
use crate::memory::store::{Store, StoreError};

/// A dataset's embedding model.
pub struct Attached {
    vectors: Arc<KeptVectors>,
    /// What was wrong with the vectors that were kept, a line each.
    pub notices: Vec<String>,
}

impl From<VectorsError> for EngineError {
    fn from(error: VectorsError) -> Self {
        Self::Embedding { reason: error.to_string() }
    }
}

/// Opens the embedding model that `dataset` names and gives it to the setting; `None` where it names none. Vectors are
/// kept in the cache of `options`, below the model's identity.
pub fn attach(dataset: &mut Dataset, options: &LoadOptions) -> Result<Option<Attached>, EngineError> {
    let Embedding::Model { path, vectors, .. } = &mut dataset.manifest.retrieval.embedder else { return Ok(None) };
    let (id, dimensions, maker) = open(path, options)?;
    let folder = folder(&options.hub.cache).join(&id);
    let (kept, notices) = KeptVectors::open(id, dimensions, folder, maker)?;
    let kept = Arc::new(kept);
    *vectors = Some(Vectors(Arc::clone(&kept) as Arc<dyn TextVectors>));
    Ok(Some(Attached { vectors: kept, notices }))
}

/// Whether the embedding model that `dataset` names, if it names one, can be opened. No vector is made, kept or looked for.
pub fn opens(dataset: &Dataset, options: &LoadOptions) -> Result<(), EngineError> {
    match &dataset.manifest.retrieval.embedder {
        Embedding::Model { path, .. } => open(path, options).map(drop),
        Embedding::Hash | Embedding::Static { .. } => Ok(()),
    }
}

/// The store of the dataset folder `data` under `root`, its embedding model opened where a store pays.
pub fn store(root: &Path, data: &Path, options: &LoadOptions) -> Result<(Store, Option<Attached>), EmbeddedError> {
    let store = Store::of(root, data)?;
    if !store.pays() {
        return Ok((store, None));
    }
    let mut attached = None;
    let store = store.embedded(|head| attach(head, options).map(|found| attached = found))?;
    Ok((store, attached))
}

/// Why a store with vectors could not be had.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The embedding model.
    #[error(transparent)]
    Model(#[from] EngineError),
}

/// Where vectors of all models are kept.
pub fn folder(cache: &Path) -> PathBuf {
    cache.join("vectors")
}

impl Attached {
    /// Makes the vectors of all that `dataset` says and asks; those that are kept are not made again. `report` hears how
    /// many of how many are made, and stops the work with an error; what was made till then is kept.
    pub fn prepare(
        &self,
        dataset: &Dataset,
        report: &mut dyn FnMut(usize, usize) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let said = dataset.interactions.iter().map(|interaction| interaction.query.as_str());
        let asked = dataset.queries.iter().map(|query| query.query.as_str());
        self.vectors.prepare(said.chain(asked), report)
    }
}

#[cfg(feature = "local")]
fn open(path: &Path, options: &LoadOptions) -> Result<(String, usize, Box<dyn Maker>), EngineError> {
    let model = super::local::EmbeddingModel::open(path, options)?;
    Ok((model.id().to_owned(), model.dimensions(), Box::new(model)))
}

#[cfg(not(feature = "local"))]
fn open(path: &Path, _: &LoadOptions) -> Result<(String, usize, Box<dyn Maker>), EngineError> {
    Err(EngineError::Load {
        path: path.to_owned(),
        reason: "this build has no model library".into(),
        remedy: "build with the feature \"local\", or choose another 'retrieval.embedder'".into(),
    })
}
