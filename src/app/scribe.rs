//! The scribe: a thread that writes live use into a session file, an event a line, synced as it happens.
//!
//! Invariants: no file is ever overwritten; the caller never waits, except at the end, for what is still to be written;
//! after a failure nothing more is written, and it is told once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::message::Message;
use super::state::Data;
use crate::session::event::{Event, Header};
use crate::session::log::fingerprint;
use crate::session::{Recorder, SessionError};

/// Sessions of one dataset that a folder holds at most.
const MOST: usize = 1_000_000;

/// What a session begins with. Hashes are filled in by the scribe: they take time.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The first line, without hashes.
    pub header: Header,
    /// The dataset.
    pub data: Arc<Data>,
    /// The model's folder.
    pub model: Option<PathBuf>,
}

impl PartialEq for Beginning {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && Arc::ptr_eq(&self.data, &other.data) && self.model == other.model
    }
}

enum Request {
    Begin(Box<Beginning>),
    Write(Vec<Event>),
}

/// The handle to the scribe.
#[derive(Debug)]
pub struct Scribe {
    requests: Sender<Request>,
    work: JoinHandle<Option<PathBuf>>,
}

impl Scribe {
    /// Starts it. Files go to `folder`, which is made when the first one is.
    pub fn start(folder: PathBuf, out: Sender<Message>) -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel();
        let work = thread::Builder::new().name("scribe".to_owned()).spawn(move || write(&folder, &inbox, &out))?;
        Ok(Self { requests, work })
    }

    /// Begins a session.
    pub fn begin(&self, beginning: Beginning) {
        // A scribe that has ended has told so already.
        let _ = self.requests.send(Request::Begin(Box::new(beginning)));
    }

    /// Appends events.
    pub fn write(&self, events: Vec<Event>) {
        let _ = self.requests.send(Request::Write(events));
    }

    /// Waits until everything is written, and says where; `None` if nothing was, or not all of it could be.
    pub fn finish(self) -> Option<PathBuf> {
        drop(self.requests);
        self.work.join().ok().flatten()
    }
}

fn write(folder: &Path, inbox: &Receiver<Request>, out: &Sender<Message>) -> Option<PathBuf> {
    let mut recorder: Option<Recorder> = None;
    for request in inbox {
        let done = match (request, &mut recorder) {
            (Request::Begin(beginning), _) => create(folder, *beginning).map(|created| {
                let _ = out.send(Message::Recording(created.path().to_owned()));
                recorder = Some(created);
            }),
            (Request::Write(events), Some(recorder)) => events.iter().try_for_each(|event| recorder.append(event)),
            (Request::Write(_), None) => Ok(()),
        };
        if let Err(error) = done {
            recorder = None;
            let _ = out.send(Message::RecordFailed(error.to_string()));
        }
    }
    recorder.map(|recorder| recorder.path().to_owned())
}

/// Starts a file under the first free number of its dataset.
fn create(folder: &Path, beginning: Beginning) -> Result<Recorder, SessionError> {
    let Beginning { mut header, data, model } = beginning;
    header.dataset.hash = data.dataset.content_hash();
    if let (Some(id), Some(folder)) = (&mut header.model, model) {
        id.hash = fingerprint(&folder).map_err(|source| SessionError::Read { path: folder, source })?;
    }
    let failed = |source| SessionError::Write { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    // The name of a dataset is anything its author likes; that of a file is not.
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let name: String = header.dataset.name.chars().take(64).map(plain).collect();
    for number in 1..MOST {
        let path = folder.join(format!("{name}-{number:03}.jsonl"));
        match Recorder::create(&path, &header) {
            Err(SessionError::Write { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
    Err(failed(io::Error::other("there are too many sessions in it")))
}
