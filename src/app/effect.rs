//! Effects: what `update` asks of the world, as data; and the runner, the only place that does it.

use std::path::PathBuf;

use super::worker::{MemoryWorker, ReadRequest};
use crate::engine::engine::GenRequest;
use crate::engine::host::{EngineHost, ModelSpec, Ticket};

/// Something to be done outside of the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read both memories; a newer request supersedes an older one.
    Read(ReadRequest),
    /// Ask the model, one request an arm; supersedes everything asked before.
    Ask {
        /// The batch.
        epoch: u64,
        /// In order of the arms.
        requests: Vec<GenRequest>,
    },
    /// Stop the model. Raises the host's floor by one, so the state counts its epoch up by one as well.
    Cancel,
    /// Load a model.
    Load(PathBuf),
}

/// Runs effects. Never waits: everything is a message to a thread.
pub struct Runner {
    /// Reads memory.
    pub memory: MemoryWorker,
    /// Answers; absent without a model.
    pub host: Option<EngineHost>,
}

impl Runner {
    /// Does what `effect` says.
    pub fn run(&self, effect: Effect) {
        match effect {
            Effect::Read(request) => self.memory.read(request),
            Effect::Ask { epoch, requests } => {
                for (id, request) in requests.into_iter().enumerate() {
                    if let Some(host) = &self.host {
                        host.generate(Ticket { epoch, id: id as u64 }, request);
                    }
                }
            }
            Effect::Cancel => {
                if let Some(host) = &self.host {
                    host.cancel();
                }
            }
            Effect::Load(folder) => {
                if let Some(host) = &self.host {
                    host.load(ModelSpec::Dir(folder));
                }
            }
        }
    }
}
