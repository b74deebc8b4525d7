//! The memory workers: that of the dataset on the screen, and beside it that of the next one while it is opened.
//!
//! Invariant: a worker that is not wanted any more is let go of, and ends by itself; nobody waits for it.

use std::cell::{Ref, RefCell};
use std::path::PathBuf;
use std::sync::mpsc::Sender;

use super::datasets::Place;
use super::message::Message;
use super::shelf::at_home;
use super::worker::{MemoryWorker, Source};
use crate::engine::model::LoadOptions;

/// What another dataset is opened with.
#[derive(Clone, Debug)]
pub struct Opener {
    /// Where stores of large datasets are.
    pub stores: PathBuf,
    /// How an embedding model runs that a dataset names, and where its vectors are kept.
    pub load: LoadOptions,
    /// Who hears what its worker tells.
    pub out: Sender<Message>,
}

impl Opener {
    /// Starts a worker that opens the dataset at `place`; what it tells carries its number. `before_build` is that of
    /// [`MemoryWorker::start`].
    pub fn start(
        &self,
        worker: u64,
        place: Place,
        before_build: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<MemoryWorker> {
        let source = match place {
            Place::Shipped(name) => Source::Shipped(name),
            Place::Folder(dir) => {
                let (dir, stores, load) = (at_home(&dir), self.stores.clone(), Box::new(self.load.clone()));
                Source::Folder { dir, stores, load }
            }
        };
        let out = self.out.clone();
        let tell = move |news| drop(out.send(Message::OfWorker { worker, news: Box::new(news) }));
        MemoryWorker::telling(source, before_build, tell)
    }
}

/// The workers.
pub struct Memories {
    asked: RefCell<MemoryWorker>,
    next: RefCell<Option<MemoryWorker>>,
    /// Absent where no other dataset is opened.
    opener: Option<Opener>,
}

impl From<MemoryWorker> for Memories {
    fn from(worker: MemoryWorker) -> Self {
        Self { asked: RefCell::new(worker), next: RefCell::new(None), opener: None }
    }
}

impl Memories {
    /// The worker of the first dataset, at `place`; further ones are opened with the same opener.
    pub fn start(opener: Opener, place: Place, before_build: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let first = opener.start(0, place, before_build)?;
        Ok(Self { opener: Some(opener), ..first.into() })
    }

    /// The worker that is asked.
    pub fn asked(&self) -> Ref<'_, MemoryWorker> {
        self.asked.borrow()
    }

    /// Opens another dataset, in a worker of this number; one that was being opened is not any more.
    pub fn open(&self, worker: u64, place: Place) {
        let Some(opener) = &self.opener else { return };
        let next = opener.start(worker, place, || ());
        if let Err(error) = &next {
            let reason = format!("the dataset cannot be opened: no thread ({error}); end other programs and try again");
            let news = Box::new(Message::DataFailed(reason));
            // Whoever asked may have quit.
            let _ = opener.out.send(Message::OfWorker { worker, news });
        }
        *self.next.borrow_mut() = next.ok();
    }

    /// Opens no other dataset after all.
    pub fn close(&self) {
        *self.next.borrow_mut() = None;
    }

    /// From here on the dataset is asked that was opened.
    pub fn turn(&self) {
        if let Some(next) = self.next.borrow_mut().take() {
            *self.asked.borrow_mut() = next;
        }
    }
}
