//! The vectors of a dataset with an embedding model, made before a command needs them.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::fit_embedder::Line;
use super::import::interrupted;
use super::{CliError, Common, complain};
use crate::data::dataset::Dataset;
use crate::engine::embedding::{self, EmbeddedError, attach};
use crate::engine::error::EngineError;
use crate::memory::store::Store;

impl Common {
    /// The store of the dataset folder `data`, its embedding model opened where a store pays.
    pub(super) fn store_of(&self, data: &Path) -> Result<Store, CliError> {
        let (store, attached) = embedding::store(&self.stores(), data, &self.load_options())?;
        attached.iter().flat_map(|attached| &attached.notices).for_each(|notice| complain(notice));
        Ok(store)
    }

    /// Has the embedding model of `dataset`, if it names one, make the vectors that memory will need. An interrupt stops
    /// it; what was made till then is kept.
    pub(super) fn embed(&self, dataset: &mut Dataset) -> Result<(), CliError> {
        let Some(attached) = attach(dataset, &self.load_options())? else { return Ok(()) };
        attached.notices.iter().for_each(|notice| complain(notice));
        let (stopped, mut line) = (interrupted(), Line::begin());
        let made = attached.prepare(dataset, &mut |done, of| {
            line.tell("making vectors", done, of);
            if stopped.load(Ordering::Relaxed) { Err(EngineError::Cancelled) } else { Ok(()) }
        });
        line.clear();
        match made {
            Err(EngineError::Cancelled) => Err(CliError::Interrupted),
            made => Ok(made?),
        }
    }
}

impl From<EmbeddedError> for CliError {
    fn from(error: EmbeddedError) -> Self {
        match error {
            EmbeddedError::Store(error) => error.into(),
            EmbeddedError::Model(error) => error.into(),
        }
    }
}
