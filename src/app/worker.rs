//! The memory worker: a thread that reads the dataset, builds memory and answers reads.
//!
//! Invariants: the newest read request wins, older ones that wait are dropped; a panic becomes a message and ends only
//! the request it happened in; the caller never waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::message::Message;
use super::state::{Data, question_of};
use crate::data::dataset::{Dataset, DatasetError};
use crate::data::sample;
use crate::engine::prompt::{self, Arm, Question};
use crate::mediator::conflict::ConflictKind;
use crate::mediator::{Evidence, Policy, Weights, mediate};
use crate::memory::{Memory, MemoryRead};

/// Judged queries looked at, from the last one back, for one that shows a conflict.
const OPENING_CANDIDATES: usize = 24;
/// A conflict worth opening with has at least this many bits …
const OPENING_DIVERGENCE: f64 = 0.2;
/// … and is decided by no more than this margin: then the sliders have something to show.
const OPENING_MARGIN: f64 = 0.4;

/// A question to memory.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadRequest {
    /// Names the answer.
    pub ticket: u64,
    /// Who asks what, when.
    pub question: Question,
}

/// Where a dataset comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The sample in the binary.
    Sample,
    /// A dataset folder.
    Folder(PathBuf),
    /// One that is in memory already.
    Given(Box<Dataset>),
}

impl Source {
    fn open(self) -> Result<Dataset, DatasetError> {
        match self {
            Source::Sample => sample::dataset(),
            Source::Folder(dir) => Dataset::open(&dir),
            Source::Given(dataset) => Ok(*dataset),
        }
    }
}

/// The handle to the worker.
pub struct MemoryWorker {
    requests: Sender<ReadRequest>,
}

impl MemoryWorker {
    /// Starts the worker. `before_build` runs on its thread once the dataset is read; tests let it fail.
    pub fn start(
        source: Source,
        policy: Policy,
        before_build: impl FnOnce() + Send + 'static,
        out: Sender<Message>,
    ) -> std::io::Result<Self> {
        let (requests, inbox) = mpsc::channel();
        let work = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(source, policy, before_build, &inbox, &out)));
            if let Err(payload) = outcome {
                let _ = out.send(Message::WorkerFailed { worker: "memory", reason: panic_reason(&*payload) });
            }
        };
        thread::Builder::new().name("memory".to_owned()).spawn(work)?;
        Ok(Self { requests })
    }

    /// Asks for a read; the answer comes as a message.
    pub fn read(&self, request: ReadRequest) {
        // A worker that has ended has told so already.
        let _ = self.requests.send(request);
    }
}

fn work(
    source: Source,
    policy: Policy,
    before_build: impl FnOnce(),
    inbox: &Receiver<ReadRequest>,
    out: &Sender<Message>,
) {
    let tell = |message| drop(out.send(message));
    tell(Message::Stage("reading the dataset"));
    let dataset = match source.open() {
        Ok(dataset) => dataset,
        Err(error) => return tell(Message::DataFailed(error.to_string())),
    };
    let data = Arc::new(Data::of(dataset));
    tell(Message::DataRead(Arc::clone(&data)));
    tell(Message::Stage("building memory"));
    before_build();
    let memory = Memory::build(&data.dataset);
    tell(Message::Stage("forming collective entries"));
    let mut waiting = None;
    let opening = opening(&data.dataset, &memory, policy, || {
        waiting = inbox.try_recv().ok();
        waiting.is_some()
    });
    tell(Message::MemoryBuilt { periods: memory.periods(), opening });
    while let Some(request) = waiting.take().or_else(|| inbox.recv().ok()) {
        let newest = inbox.try_iter().last().unwrap_or(request);
        tell(answer(&memory, newest));
    }
}

/// The last judged query on which both sides speak, clearly differ and come close. Gives up when `interrupted`.
fn opening(dataset: &Dataset, memory: &Memory, policy: Policy, mut interrupted: impl FnMut() -> bool) -> Option<usize> {
    let weights = Weights::defaults(policy, &dataset.manifest);
    let candidates = (0..dataset.queries.len()).rev().take(OPENING_CANDIDATES);
    candidates.take_while(|_| !interrupted()).find(|ix| {
        let asked = question_of(&dataset.queries[*ix]);
        let Ok(read) = memory.read(&asked.user, &asked.query, asked.at) else { return false };
        let resolution = mediate(&evidence_of(&read, &memory.manifest), &weights, policy);
        let clear = |kind, divergence| kind == ConflictKind::Value && divergence >= OPENING_DIVERGENCE;
        let covered = resolution.conflicts.iter().all(|conflict| conflict.kind != ConflictKind::Coverage);
        covered
            && resolution.margin <= OPENING_MARGIN
            && resolution.conflicts.iter().any(|conflict| clear(conflict.kind, conflict.divergence))
    })
}

/// What the mediator weighs of a read.
pub fn evidence_of(read: &MemoryRead, manifest: &crate::data::dataset::Manifest) -> Evidence {
    Evidence::of(read, manifest.retrieval.guard, manifest.calibration.local)
}

fn answer(memory: &Memory, request: ReadRequest) -> Message {
    let ReadRequest { ticket, question } = request;
    let read = || -> Result<Message, String> {
        let read = memory.read(&question.user, &question.query, question.at).map_err(|error| error.to_string())?;
        let prompts = prompts(memory, &question, &read);
        Ok(Message::MemoryRead { ticket, read: Box::new(read), prompts: Box::new(prompts) })
    };
    let outcome = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| Err(panic_reason(&*payload)));
    outcome.unwrap_or_else(|reason| Message::ReadFailed { ticket, reason })
}

/// The prompt of each arm.
fn prompts(memory: &Memory, question: &Question, read: &MemoryRead) -> [String; 4] {
    Arm::ALL.map(|arm| prompt::render(memory, &question.query, read, arm))
}

/// What a panic said, in a line.
pub fn panic_reason(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
    text.unwrap_or("no reason given").lines().next().unwrap_or_default().to_owned()
}
