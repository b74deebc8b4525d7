//! The shelf: opens sessions for replay and looks what models, datasets and recordings there are, each on a thread of its
//! own, so that a long file or a slow disk keeps nobody waiting.
//!
//! Invariant: every session asked for is answered by one message: it is open, or why it is not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

use directories::BaseDirs;

use super::message::Message;
use super::order::Order;
use super::recordings::recordings;
use super::replay::Opened;
use super::stock;
use super::worker::panic_reason;
use crate::data::sample;
use crate::engine::model::{LoadOptions, Located};
use crate::session::Session;
use crate::session::log::identity;

/// Where a session is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One that came with the program.
    Shipped(&'static str),
    /// A file.
    File(PathBuf),
}

/// The handle to whatever opens sessions.
#[derive(Clone, Debug)]
pub struct Shelf {
    out: Sender<Message>,
    /// Where recordings lie.
    folder: Option<PathBuf>,
    /// The ticket of the order that is wanted; 0 where none is.
    wanted: Arc<AtomicU64>,
}

impl Shelf {
    /// A shelf that answers to `out`.
    pub fn new(out: Sender<Message>) -> Self {
        Self { out, folder: None, wanted: Arc::default() }
    }

    /// The same, which shows the recordings in `folder`.
    pub fn showing(self, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Opens a session; the answer comes as a message.
    pub fn open(&self, source: Source) {
        let out = self.out.clone();
        let work = move || {
            let opened = catch_unwind(AssertUnwindSafe(|| open(&source)));
            let message = match opened.unwrap_or_else(|payload| Err(panic_reason(&*payload))) {
                Ok(opened) => Message::SessionOpened(Box::new(opened)),
                Err(reason) => Message::SessionFailed(reason),
            };
            // Whoever asked may have quit.
            let _ = out.send(message);
        };
        if let Err(error) = thread::Builder::new().name("shelf".to_owned()).spawn(work) {
            let _ = self.out.send(Message::SessionFailed(format!("the session cannot be opened: {error}")));
        }
    }

    /// Makes a session of a dataset; it comes as a message, or why there is none.
    pub fn make(&self, order: Order) {
        let (out, ticket, newest) = (self.out.clone(), order.ticket, Arc::clone(&self.wanted));
        newest.store(ticket, Ordering::Relaxed);
        let work = move || {
            let wanted = || newest.load(Ordering::Relaxed) == ticket;
            let made = catch_unwind(AssertUnwindSafe(|| order.make(&wanted)));
            let made = made.unwrap_or_else(|payload| Err(panic_reason(&*payload))).map(Box::new);
            let _ = out.send(Message::Made { ticket, made });
        };
        if let Err(error) = thread::Builder::new().name("scenario".to_owned()).spawn(work) {
            let made = Err(format!("the session cannot be made: {error}"));
            let _ = self.out.send(Message::Made { ticket, made });
        }
    }

    /// Makes no session after all.
    pub fn make_none(&self) {
        self.wanted.store(0, Ordering::Relaxed);
    }

    /// Looks what models there are; they come as a message.
    pub fn find_models(&self, options: LoadOptions) {
        let out = self.out.clone();
        let work = move || drop(out.send(Message::ModelsFound(stock::offers(&options))));
        self.aside(work);
    }

    /// Looks what recordings there are; they come as a message.
    pub fn find_recordings(&self) {
        let (out, folder) = (self.out.clone(), self.folder.clone());
        self.aside(move || {
            let found = folder.map(|folder| recordings(&folder)).unwrap_or_default();
            let _ = out.send(Message::RecordingsFound(found));
        });
    }

    /// Looks which model lies at `place`: its fingerprint comes as a message.
    pub fn identify(&self, place: Located) {
        let out = self.out.clone();
        self.aside(move || {
            let hash = identity(&place).map_err(|error| error.to_string());
            let _ = out.send(Message::Identified { place, hash });
        });
    }

    /// Keeps in mind that a model was used. Where that cannot be written it is forgotten: a list is a little shorter.
    pub fn note_model(&self, name: String, options: LoadOptions) {
        self.aside(move || {
            if let Err(error) = stock::note(&options, &name) {
                tracing::warn!(target: "logoscope::app", "the list of used models: {error}");
            }
        });
    }

    /// Looks what datasets there are; they come as a message.
    pub fn find_datasets(&self, options: LoadOptions) {
        let out = self.out.clone();
        self.aside(move || drop(out.send(Message::DatasetsFound(stock::datasets(&options)))));
    }

    /// Keeps in mind that a dataset was opened; forgotten where that cannot be written, as with a model.
    pub fn note_dataset(&self, folder: PathBuf, options: LoadOptions) {
        self.aside(move || {
            if let Err(error) = stock::note_dataset(&options, &at_home(&folder)) {
                tracing::warn!(target: "logoscope::app", "the list of opened datasets: {error}");
            }
        });
    }

    fn aside(&self, work: impl FnOnce() + Send + 'static) {
        if let Err(error) = thread::Builder::new().name("shelf".to_owned()).spawn(work) {
            tracing::warn!(target: "logoscope::app", "no thread to look around: {error}");
        }
    }
}

/// `~/…` as a shell reads it: paths are typed here, too.
pub(super) fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), BaseDirs::new()) {
        (Ok(rest), Some(dirs)) => dirs.home_dir().join(rest),
        _ => path.to_owned(),
    }
}

fn open(source: &Source) -> Result<Opened, String> {
    let (name, session) = match source {
        Source::Shipped(name) => {
            let found = sample::sessions().into_iter().find(|(known, _)| known == name);
            let (name, bytes) = found.ok_or_else(|| format!("there is no shipped session '{name}'"))?;
            (name.to_owned(), Session::parse(Path::new(name), bytes))
        }
        Source::File(path) => {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            (name, Session::open(&at_home(path)))
        }
    };
    Opened::of(name.clone(), session.map_err(|error| error.to_string())?)
        .ok_or_else(|| format!("{name}: holds no question; there is nothing to replay"))
}
