//! The vectors of a dataset with an embedding model, made before a command needs them.

use std::sync::atomic::Ordering;

use super::fit_embedder::Line;
use super::import::interrupted;
use super::{CliError, Common, complain};
use crate::data::dataset::Dataset;
use crate::engine::embedding::attach;
use crate::engine::error::EngineError;

impl Common {
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
