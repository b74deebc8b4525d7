//! The dataset on the screen and the one that is to take its place.
//!
//! Each dataset has a memory worker of its own with a number of its own, and what a worker tells carries that number: that
//! of the dataset on the screen is heard, that of the next one is kept until its memory is built, and everything else is
//! passed over. Invariant: until then the dataset on the screen stays as it is.

use std::path::PathBuf;
use std::time::Duration;

use super::message::Message;
use super::state::MemoryState;
use super::stock::Offer;
use crate::data::sample;

/// Where a dataset is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It came with the program.
    Shipped(&'static str),
    /// A folder.
    Folder(PathBuf),
}

impl Default for Place {
    fn default() -> Self {
        Self::Shipped(sample::DATASET)
    }
}

impl Place {
    /// What the dataset is called until it is read.
    pub fn name(&self) -> String {
        match self {
            Place::Shipped(name) => (*name).to_owned(),
            Place::Folder(folder) => {
                folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into())
            }
        }
    }
}

/// A dataset on its way.
#[derive(Debug)]
pub struct Opening {
    /// Where it is.
    pub place: Place,
    /// When it was asked for.
    pub since: Duration,
    /// How far its memory is; once that is ready, it waits until nothing lies over the screen.
    pub memory: MemoryState,
    /// What its worker has told, for the state that begins with it.
    pub told: Vec<Message>,
}

/// The datasets of this run of the program.
#[derive(Debug, Default)]
pub struct Datasets {
    /// The number of the worker that is heard.
    pub worker: u64,
    /// The number of the newest one.
    pub newest: u64,
    /// The folder of the dataset on the screen; `None` for one that came with the program.
    pub folder: Option<PathBuf>,
    /// The one that the newest worker opens.
    pub opening: Option<Opening>,
    /// Those to choose from, as far as they have been looked for.
    pub offers: Vec<Offer>,
}
