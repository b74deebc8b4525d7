//! The profiler: a thread that keeps prose profiles on disk.
//!
//! Invariants: requests are served in order; every one is answered by one message, which says what is on disk then, or why
//! that is not known; the caller never waits.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread;

use super::message::Message;
use crate::data::interaction::UserId;
use crate::engine::profile::Profile;
use crate::engine::profile::kept::{self, Change};

/// Whose profiles, and what is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRequest {
    /// The dataset's name.
    pub dataset: String,
    /// The person.
    pub user: UserId,
    /// What is to be changed; nothing where they are only read.
    pub change: Option<Change>,
}

/// What is kept of somebody, or why that is not known or not changed.
pub type Known = Result<Vec<Profile>, String>;

/// The handle to the profiler.
#[derive(Debug)]
pub struct Profiler {
    requests: Sender<ProfileRequest>,
    work: thread::JoinHandle<()>,
}

impl Profiler {
    /// Starts it. Files are in `folder`, which is made when the first one is.
    pub fn start(folder: PathBuf, out: Sender<Message>) -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel::<ProfileRequest>();
        let work = move || {
            for request in inbox {
                let ProfileRequest { dataset, user, change } = &request;
                let known = match change {
                    Some(change) => kept::change(&folder, dataset, user, change),
                    None => kept::read(&folder, dataset, user),
                };
                let known = known.map_err(|error| error.to_string());
                let _ = out.send(Message::Profiles { request, known });
            }
        };
        Ok(Self { requests, work: thread::Builder::new().name("profiler".to_owned()).spawn(work)? })
    }

    /// Makes a change, if one is given, and reads what is kept; the answer comes as a message.
    pub fn ask(&self, request: ProfileRequest) {
        // One that has ended can only have been ended by us.
        let _ = self.requests.send(request);
    }

    /// Waits until everything asked for is done.
    pub fn finish(self) {
        drop(self.requests);
        // A panic there has told itself; nothing is left to wait for.
        let _ = self.work.join();
    }
}
