//! The engine host: one thread that owns the current engine, loads the next one, and lets answers run one after
//! another.
//!
//! Invariants:
//! * The caller never waits: every call leaves a message and returns.
//! * Answers run in the order they were asked for, one at a time; on a processor that is faster than side by side. Traces
//!   run one at a time among them, behind all answers that wait, and have epochs of their own.
//! * After a call that supersedes (a higher epoch, or [`EngineHost::cancel`]) has returned, no event of an older epoch
//!   is sent.
//! * The engine in use keeps serving while another loads, and stays when that load fails or is cancelled.
//! * Every call about models is answered with [`HostEvent::Heeded`], before anything that follows from it is told.
//! * An engine that dies or panics makes its answer fail, once; the same model is loaded again, and what waits waits
//!   for that. Nothing more is asked of the dead one, whose locks may have been left in the middle of something. Where it
//!   died in an answer that was cancelled, which the next one finds out, that one is asked again.

mod thread;

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use thread::{Host, Message};

use super::engine::{Caps, Engine, GenRequest, GenStats, LoadStage, Outage};
use super::error::EngineError;
use super::model::{self, ModelSource, ModelSpec, Origin};
use super::stdio::{ENGINE_THREAD_PREFIX, quiet_engine_panics};
use super::trace::{Trace, TraceRequest};

/// Names one answer among those asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The batch it belongs to. A higher epoch supersedes all lower ones.
    pub epoch: u64,
    /// The caller's own number within the batch.
    pub id: u64,
}

/// What the host tells its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum HostEvent {
    /// So many calls about models have been taken in: loads, cancelled loads, models let go. What is said of a model from
    /// here on is said knowing them; what was said before may be about one that is not wanted any more.
    Heeded(u64),
    /// A model is on its way.
    Loading {
        /// How far it is.
        stage: LoadStage,
        /// Since the load was asked for.
        elapsed: Duration,
    },
    /// Bytes of this process in memory, while a model is on its way.
    Resident(u64),
    /// Where the model came from that is ready with the next event, and what it takes.
    Origin(Origin),
    /// This model answers from now on.
    Ready(Caps),
    /// It does not; the one before it, if any, stays.
    LoadFailed(EngineError),
    /// Natural logs of the probabilities of the labels asked for.
    Scores {
        /// Whose.
        ticket: Ticket,
        /// In the order of the labels.
        scores: Vec<f64>,
    },
    /// The next piece of an answer.
    Token {
        /// Whose.
        ticket: Ticket,
        /// Never empty.
        text: String,
    },
    /// An answer begins anew: all that was heard of it is void.
    Again {
        /// Whose.
        ticket: Ticket,
        /// What happened, and what follows.
        outage: Outage,
    },
    /// An answer is complete.
    Done {
        /// Whose.
        ticket: Ticket,
        /// What it cost.
        stats: GenStats,
    },
    /// An answer ended before its time.
    Failed {
        /// Whose.
        ticket: Ticket,
        /// Why.
        error: EngineError,
    },
    /// A given answer has been traced, or why not. Its ticket is of [`EngineHost::trace`].
    Traced {
        /// Whose.
        ticket: Ticket,
        /// What was found.
        traced: Result<Trace, EngineError>,
    },
}

/// Makes an engine of a [`ModelSpec`]; runs on a thread of its own.
///
/// It tells how far it is, and gives up when that is answered with an error.
pub type Loader = dyn Fn(&ModelSpec, &dyn Fn(LoadStage) -> Result<(), EngineError>) -> Result<Arc<dyn Engine>, EngineError>
    + Send
    + Sync;

/// The owner's handle. Dropping it ends the host; an answer still running ends at its next token.
pub struct EngineHost {
    inbox: Sender<Message>,
    /// The lowest epoch whose events may still be sent.
    floor: Arc<Mutex<u64>>,
    /// The same of traces.
    trace_floor: Arc<Mutex<u64>>,
    thread: Option<JoinHandle<()>>,
}

impl EngineHost {
    /// Starts a host without a model. `events` is called from the host's thread; it must be quick (send to a channel)
    /// and must not call the host.
    pub fn start(events: Box<dyn Fn(HostEvent) + Send>) -> Result<Self, EngineError> {
        Self::with_loader(Arc::new(load_model), events)
    }

    /// As [`start`](Self::start), with another way to make engines.
    pub fn with_loader(loader: Arc<Loader>, events: Box<dyn Fn(HostEvent) + Send>) -> Result<Self, EngineError> {
        quiet_engine_panics();
        let (inbox, messages) = mpsc::channel();
        let (floor, trace_floor) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let host = Host::new(inbox.clone(), Arc::clone(&floor), Arc::clone(&trace_floor), events, loader);
        let thread = spawn("host", move || host.run(&messages))?;
        Ok(Self { inbox, floor, trace_floor, thread: Some(thread) })
    }

    /// Loads a model in the background. The newest of several loads wins.
    pub fn load(&self, spec: ModelSpec) {
        self.send(Message::Load(spec));
    }

    /// Ends the load under way, if any; nothing more is heard of it. The engine in use goes on.
    pub fn cancel_load(&self) {
        self.send(Message::CancelLoad);
    }

    /// Lets the engine go, and ends the load under way.
    pub fn unload(&self) {
        self.send(Message::Unload);
    }

    /// Asks for an answer. Nothing comes of a ticket whose epoch is superseded already. Asked while the first model
    /// still loads, it waits for it.
    pub fn generate(&self, ticket: Ticket, req: GenRequest) {
        {
            let mut floor = lock(&self.floor);
            *floor = ticket.epoch.max(*floor);
        }
        self.send(Message::Generate(ticket, req));
    }

    /// Asks for a trace, which supersedes every one of a lower epoch; epochs of answers have nothing to do with that.
    pub fn trace(&self, ticket: Ticket, req: TraceRequest) {
        self.cancel_traces(ticket.epoch);
        self.send(Message::Trace(ticket, req));
    }

    /// Supersedes every trace of an epoch below `floor`. Answers go on.
    pub fn cancel_traces(&self, floor: u64) {
        {
            let mut lowest = lock(&self.trace_floor);
            *lowest = floor.max(*lowest);
        }
        self.send(Message::Superseded);
    }

    /// Supersedes everything asked for so far and returns the lowest epoch that is heard from now on.
    pub fn cancel(&self) -> u64 {
        let floor = {
            let mut floor = lock(&self.floor);
            *floor += 1;
            *floor
        };
        self.send(Message::Superseded);
        floor
    }

    /// A host that has ended has nobody left to disappoint.
    fn send(&self, message: Message) {
        let _ = self.inbox.send(message);
    }
}

impl Drop for EngineHost {
    fn drop(&mut self) {
        *lock(&self.floor) = u64::MAX;
        *lock(&self.trace_floor) = u64::MAX;
        self.send(Message::Shutdown);
        if let Some(thread) = self.thread.take() {
            // It only handles messages, so this does not wait for a model.
            let _ = thread.join();
        }
    }
}

fn lock(floor: &Mutex<u64>) -> MutexGuard<'_, u64> {
    floor.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: &str, job: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, EngineError> {
    Builder::new()
        .name(format!("{ENGINE_THREAD_PREFIX}{name}"))
        .spawn(job)
        .map_err(|error| EngineError::Thread { reason: error.to_string() })
}

fn load_model(
    spec: &ModelSpec,
    observe: &dyn Fn(LoadStage) -> Result<(), EngineError>,
) -> Result<Arc<dyn Engine>, EngineError> {
    match ModelSource::of(&spec.name) {
        ModelSource::Server(name) => Ok(Arc::from(model::server(&name.parse()?, &spec.options, observe)?)),
        _ => load_files(spec, observe),
    }
}

#[cfg(feature = "local")]
fn load_files(
    spec: &ModelSpec,
    observe: &dyn Fn(LoadStage) -> Result<(), EngineError>,
) -> Result<Arc<dyn Engine>, EngineError> {
    Ok(Arc::new(super::local::LocalEngine::load_named(spec, observe)?))
}

#[cfg(not(feature = "local"))]
fn load_files(
    spec: &ModelSpec,
    _observe: &dyn Fn(LoadStage) -> Result<(), EngineError>,
) -> Result<Arc<dyn Engine>, EngineError> {
    Err(EngineError::Load {
        path: (&spec.name).into(),
        reason: "this build has no model library".into(),
        remedy: "build with the feature \"local\"".into(),
    })
}
