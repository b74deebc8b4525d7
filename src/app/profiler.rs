//! The profiler: a thread that keeps prose profiles on disk.
//!
//! Invariants: requests are served in order; every one is answered by one message, which says what is kept then, and why not
//! all of it is on disk; a change that failed is tried again with the next request for the person, and at the end; the
//! caller never waits.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
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

/// What is kept of somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Profiles on disk, and those that are still to come there; `None` where the disk cannot be read.
    pub profiles: Option<Vec<Profile>>,
    /// Why something is not read or not on disk.
    pub failed: Option<String>,
}

/// The handle to the profiler.
#[derive(Debug)]
pub struct Profiler {
    requests: Sender<ProfileRequest>,
    work: thread::JoinHandle<Vec<String>>,
}

impl Profiler {
    /// Starts it. Files are in `folder`, which is made when the first one is.
    pub fn start(folder: PathBuf, out: Sender<Message>) -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel::<ProfileRequest>();
        let work = move || {
            let mut waiting: BTreeMap<(String, UserId), Vec<Change>> = BTreeMap::new();
            for request in inbox {
                let whose = (request.dataset.clone(), request.user.clone());
                let changes = waiting.entry(whose.clone()).or_default();
                changes.extend(request.change.clone());
                let known = attempt(&folder, &whose, changes);
                if changes.is_empty() {
                    waiting.remove(&whose);
                }
                let _ = out.send(Message::Profiles { request, known });
            }
            let last = |(whose, mut changes)| attempt(&folder, &whose, &mut changes).failed;
            waiting.into_iter().filter_map(last).collect()
        };
        Ok(Self { requests, work: thread::Builder::new().name("profiler".to_owned()).spawn(work)? })
    }

    /// Makes a change, if one is given, and reads what is kept; the answer comes as a message.
    pub fn ask(&self, request: ProfileRequest) {
        // One that has ended can only have been ended by us.
        let _ = self.requests.send(request);
    }

    /// Waits until everything asked for is done, or has been tried once more; why some of it is not on disk.
    pub fn finish(self) -> Vec<String> {
        drop(self.requests);
        // A panic there has told itself; nothing is left to wait for.
        self.work.join().unwrap_or_default()
    }
}

/// Makes the `changes` and forgets those that are made; what is kept then, and what of them is still to come.
fn attempt(folder: &Path, (dataset, user): &(String, UserId), changes: &mut Vec<Change>) -> Known {
    let mut failed = None;
    while let Some(change) = changes.first() {
        if let Err(error) = kept::change(folder, dataset, user, change) {
            failed = Some(error.to_string());
            break;
        }
        changes.remove(0);
    }
    match kept::read(folder, dataset, user) {
        Ok(mut profiles) => {
            changes.iter().for_each(|change| change.make(&mut profiles));
            Known { profiles: Some(profiles), failed }
        }
        Err(error) => Known { profiles: None, failed: failed.or(Some(error.to_string())) },
    }
}
