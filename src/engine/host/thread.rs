//! What runs on the host's thread: it handles messages one after another, and waits for nothing else.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{HostEvent, Loader, Ticket, lock, spawn};
use crate::engine::engine::{Cancel, Engine, GenEvent, GenRequest, LoadStage};
use crate::engine::error::{EngineError, panic_text};
use crate::engine::model::ModelSpec;
use crate::engine::trace::{Trace, TraceRequest};
use crate::engine::{heap, room};

/// An engine that dies this often with no whole answer between dies of what it is asked: the rest of that is not tried.
const DEADLY: u32 = 2;
/// Between two looks at memory while that changes.
const TICK: Duration = Duration::from_millis(250);
/// Looks after a model has gone: the library's threads let go of it in their own time.
const SETTLING: u32 = 8;

pub(super) enum Message {
    Load(ModelSpec),
    CancelLoad,
    Unload,
    Generate(Ticket, GenRequest),
    Trace(Ticket, TraceRequest),
    /// The floor has risen.
    Superseded,
    Shutdown,
    /// From a loading thread: its number and what it has to say.
    Loading(u64, LoadStage, Duration),
    Loaded(u64, Result<Arc<dyn Engine>, EngineError>),
    /// From an answering thread: its number and what it has to say.
    Started(u64, Cancel),
    Said(u64, GenEvent),
    Traced(u64, Result<Trace, EngineError>),
    Ended(u64),
}

#[derive(Clone)]
struct Running {
    number: u64,
    ticket: Ticket,
    /// Whether it is a trace, whose epochs are counted apart.
    traces: bool,
    /// Number of the engine that answers.
    engine: u64,
    /// Unknown until the answer has started.
    cancel: Option<Cancel>,
    /// Its `Done` or `Failed` has been seen.
    finished: bool,
    /// What is asked once more should the engine turn out to have died before: there until it says something.
    again: Option<GenRequest>,
}

/// A load under way. Dropping it ends it.
struct Load {
    number: u64,
    spec: ModelSpec,
    cancel: Cancel,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

pub(super) struct Host {
    inbox: Sender<Message>,
    floor: Arc<Mutex<u64>>,
    trace_floor: Arc<Mutex<u64>>,
    events: Box<dyn Fn(HostEvent) + Send>,
    loader: Arc<Loader>,
    engine: Option<Arc<dyn Engine>>,
    /// How many engines there have been: the number of this one.
    engines: u64,
    /// What the engine was made from.
    spec: Option<ModelSpec>,
    /// The load under way.
    loading: Option<Load>,
    /// How often memory is still to be given back, a while after a model has gone.
    settling: u32,
    /// Between two looks at it.
    tick: Duration,
    loads: u64,
    /// Calls about models taken in.
    heeded: u64,
    /// How often an engine of this model has stopped without finishing since its last whole answer.
    deaths: u32,
    /// Whether an answer was cut off since this engine's last whole one: had it died in that, nobody would have told.
    cut_off: bool,
    queue: VecDeque<(Ticket, GenRequest)>,
    traces: VecDeque<(Ticket, TraceRequest)>,
    running: Option<Running>,
    runs: u64,
}

impl Host {
    pub(super) fn new(
        inbox: Sender<Message>,
        floor: Arc<Mutex<u64>>,
        trace_floor: Arc<Mutex<u64>>,
        events: Box<dyn Fn(HostEvent) + Send>,
        loader: Arc<Loader>,
    ) -> Self {
        Self {
            inbox,
            floor,
            trace_floor,
            events,
            loader,
            engine: None,
            engines: 0,
            spec: None,
            loading: None,
            settling: 0,
            tick: TICK,
            loads: 0,
            heeded: 0,
            deaths: 0,
            cut_off: false,
            queue: VecDeque::new(),
            traces: VecDeque::new(),
            running: None,
            runs: 0,
        }
    }

    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let mut looked = Instant::now();
        loop {
            // Waits without end unless something changes by itself: memory, while a model comes or has just gone.
            let received = if self.changes() {
                messages.recv_timeout(self.tick.saturating_sub(looked.elapsed()))
            } else {
                let received = messages.recv().map_err(|_| RecvTimeoutError::Disconnected);
                looked = Instant::now();
                received
            };
            match received {
                Ok(Message::Shutdown) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Also where messages come without a pause, as those of an answer or a download do.
            if self.changes() && looked.elapsed() >= self.tick {
                self.look();
                looked = Instant::now();
            }
        }
        if let Some(cancel) = self.running.and_then(|running| running.cancel) {
            cancel.cancel();
        }
    }

    /// Whether memory changes by itself.
    fn changes(&self) -> bool {
        self.loading.is_some() || self.settling > 0
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Load(spec) => {
                self.heed();
                self.load(spec);
            }
            Message::CancelLoad => {
                self.heed();
                self.loading = None;
                self.revive();
            }
            Message::Unload => {
                self.heed();
                (self.loading, self.engine, self.spec) = (None, None, None);
                self.settling = SETTLING;
            }
            Message::Generate(ticket, req) => self.queue.push_back((ticket, req)),
            Message::Trace(ticket, req) => self.traces.push_back((ticket, req)),
            Message::Traced(number, traced) => self.traced(number, traced),
            // The one ends the host before it comes here; the floor is looked at below.
            Message::Shutdown | Message::Superseded => {}
            Message::Loading(number, stage, elapsed) => {
                if self.is_current(number) {
                    (self.events)(HostEvent::Loading { stage, elapsed });
                }
            }
            Message::Loaded(number, result) => self.loaded(number, result),
            Message::Started(number, cancel) => {
                if let Some(running) = self.running.as_mut().filter(|running| running.number == number) {
                    running.cancel = Some(cancel);
                }
            }
            Message::Said(number, event) => self.said(number, event),
            Message::Ended(number) => self.ended(number),
        }
        self.drop_superseded();
        self.answer_next();
    }

    /// Sends an event of an answer unless its epoch is superseded. The lock is held while it is sent: whoever has
    /// raised the floor can rely on it.
    fn emit(&self, ticket: Ticket, event: HostEvent) {
        let floor = match event {
            HostEvent::Traced { .. } => lock(&self.trace_floor),
            _ => lock(&self.floor),
        };
        if ticket.epoch >= *floor {
            (self.events)(event);
        }
    }

    /// What is told of an answer, or a trace, that came to nothing.
    fn fail(&self, ticket: Ticket, traces: bool, error: EngineError) {
        let event = match traces {
            true => HostEvent::Traced { ticket, traced: Err(error) },
            false => HostEvent::Failed { ticket, error },
        };
        self.emit(ticket, event);
    }

    /// Tells that a call about models has been taken in.
    fn heed(&mut self) {
        self.heeded += 1;
        (self.events)(HostEvent::Heeded(self.heeded));
    }

    /// Whether this load is the newest one.
    fn is_current(&self, number: u64) -> bool {
        self.loading.as_ref().is_some_and(|load| load.number == number)
    }

    fn load(&mut self, spec: ModelSpec) {
        self.loads += 1;
        let number = self.loads;
        let (inbox, loader, asked) = (self.inbox.clone(), Arc::clone(&self.loader), Instant::now());
        let cancel = Cancel::default();
        // One that was under way ends at its next stage.
        self.loading = Some(Load { number, spec: spec.clone(), cancel: cancel.clone() });
        let started = spawn("load", move || {
            let observe = |stage| {
                if cancel.is_cancelled() {
                    return Err(EngineError::Cancelled);
                }
                let _ = inbox.send(Message::Loading(number, stage, asked.elapsed()));
                Ok(())
            };
            let result = catch_unwind(AssertUnwindSafe(|| loader(&spec, &observe)))
                .unwrap_or_else(|payload| Err(EngineError::Inference { reason: panic_text(&*payload) }));
            let _ = inbox.send(Message::Loaded(number, result));
        });
        if let Err(error) = started {
            self.loaded(number, Err(error));
        }
    }

    fn loaded(&mut self, number: u64, result: Result<Arc<dyn Engine>, EngineError>) {
        let Some(load) = self.loading.take_if(|load| load.number == number) else {
            // Nobody waits for it any more; what it took goes with it.
            drop(result);
            self.settling = SETTLING;
            return;
        };
        let spec = load.spec.clone();
        match result {
            Ok(engine) => {
                if self.spec.as_ref() != Some(&spec) {
                    self.deaths = 0;
                }
                self.spec = Some(spec);
                self.engines += 1;
                self.cut_off = false;
                let caps = engine.caps().clone();
                if let Some(origin) = engine.origin() {
                    (self.events)(HostEvent::Origin(origin.clone()));
                }
                // An answer still running on the old engine keeps it until it has ended.
                if self.engine.replace(engine).is_some() {
                    self.settling = SETTLING;
                }
                (self.events)(HostEvent::Ready(caps));
            }
            Err(error) => {
                (self.events)(HostEvent::LoadFailed(error));
                // What failed to come back once would again.
                if self.spec.as_ref() != Some(&spec) {
                    self.revive();
                }
            }
        }
    }

    /// Looks at memory.
    fn look(&mut self) {
        if self.settling > 0 {
            self.settling -= 1;
            heap::give_back();
        }
        if let Some(bytes) = room::resident().filter(|_| self.loading.is_some()) {
            (self.events)(HostEvent::Resident(bytes));
        }
    }

    fn drop_superseded(&mut self) {
        let (floor, trace_floor) = (*lock(&self.floor), *lock(&self.trace_floor));
        self.queue.retain(|(ticket, _)| ticket.epoch >= floor);
        self.traces.retain(|(ticket, _)| ticket.epoch >= trace_floor);
        let lowest = |running: &Running| if running.traces { trace_floor } else { floor };
        if let Some(running) = self.running.as_ref().filter(|running| running.ticket.epoch < lowest(running)) {
            // Not forgotten: the next answer starts when this one has really ended.
            running.cancel.iter().for_each(Cancel::cancel);
        }
    }

    fn answer_next(&mut self) {
        while self.running.is_none() {
            let Some(engine) = self.engine.clone() else {
                if self.loading.is_none() {
                    for (ticket, _) in std::mem::take(&mut self.queue) {
                        self.fail(ticket, false, EngineError::NotLoaded);
                    }
                    for (ticket, _) in std::mem::take(&mut self.traces) {
                        self.fail(ticket, true, EngineError::NotLoaded);
                    }
                }
                return;
            };
            let (number, inbox) = (self.runs + 1, self.inbox.clone());
            let mut again = None;
            let (ticket, cancel, started) = if let Some((ticket, req)) = self.queue.pop_front() {
                again = self.cut_off.then(|| req.clone());
                (ticket, None, spawn("answer", move || answer(&*engine, req, number, inbox)))
            } else if let Some((ticket, req)) = self.traces.pop_front() {
                let cancel = Cancel::default();
                let handle = cancel.clone();
                (ticket, Some(cancel), spawn("trace", move || trace(&*engine, &req, &handle, number, inbox)))
            } else {
                return;
            };
            self.runs = number;
            let (traces, engine) = (cancel.is_some(), self.engines);
            match started {
                Ok(_) => {
                    self.running = Some(Running { number, ticket, traces, engine, cancel, finished: false, again })
                }
                Err(error) => self.fail(ticket, traces, error),
            }
        }
    }

    fn traced(&mut self, number: u64, traced: Result<Trace, EngineError>) {
        let Some(running) = self.running.as_mut().filter(|running| running.number == number) else { return };
        running.finished = true;
        let running = running.clone();
        let (ticket, died) = (running.ticket, traced == Err(EngineError::Gone));
        if traced.is_ok() {
            self.deaths = 0;
        }
        self.emit(ticket, HostEvent::Traced { ticket, traced });
        if died {
            self.replace_the_dead_engine(&running);
        }
    }

    fn said(&mut self, number: u64, event: GenEvent) {
        let Some(running) = self.running.as_mut().filter(|running| running.number == number) else { return };
        running.finished |= matches!(event, GenEvent::Done(_) | GenEvent::Failed(_));
        let again = running.again.take();
        let running = running.clone();
        let ticket = running.ticket;
        let died = event == GenEvent::Failed(EngineError::Gone);
        // Of an answer that nobody waits for any more an end is no death: should it be one, the next answer tells, and is
        // asked once more.
        let awaited = ticket.epoch >= *lock(&self.floor);
        self.cut_off |= died && !awaited;
        if let Some(req) = again.filter(|_| died && awaited) {
            self.queue.push_front((ticket, req));
            return self.replace_the_dead_engine(&running);
        }
        let event = match event {
            GenEvent::Scores(scores) => HostEvent::Scores { ticket, scores },
            GenEvent::Token(text) => HostEvent::Token { ticket, text },
            GenEvent::Again(outage) => HostEvent::Again { ticket, outage },
            GenEvent::Done(stats) => {
                (self.deaths, self.cut_off) = (0, false);
                HostEvent::Done { ticket, stats }
            }
            GenEvent::Failed(error) => HostEvent::Failed { ticket, error },
        };
        self.emit(ticket, event);
        if died && awaited {
            self.replace_the_dead_engine(&running);
        }
    }

    fn ended(&mut self, number: u64) {
        let Some(running) = self.running.take_if(|running| running.number == number) else { return };
        let cancelled = running.cancel.as_ref().is_some_and(Cancel::is_cancelled);
        self.cut_off |= !running.finished && cancelled;
        if !running.finished && !cancelled {
            // The engine panicked in our own thread.
            self.fail(running.ticket, running.traces, EngineError::Gone);
            self.replace_the_dead_engine(&running);
        }
    }

    /// The engine of `running` has died in it.
    fn replace_the_dead_engine(&mut self, running: &Running) {
        if running.engine != self.engines {
            // Another one answers by now.
            return;
        }
        self.engine = None;
        self.settling = SETTLING;
        self.deaths += 1;
        if self.deaths >= DEADLY {
            let alike = |waiting: &Ticket| waiting.epoch == running.ticket.epoch;
            let doomed: Vec<Ticket> = match running.traces {
                true => self.traces.iter().map(|(waiting, _)| *waiting).filter(alike).collect(),
                false => self.queue.iter().map(|(waiting, _)| *waiting).filter(alike).collect(),
            };
            match running.traces {
                true => self.traces.retain(|(waiting, _)| !alike(waiting)),
                false => self.queue.retain(|(waiting, _)| !alike(waiting)),
            }
            for ticket in doomed {
                self.fail(ticket, running.traces, EngineError::Gone);
            }
        }
        self.revive();
    }

    /// Loads the model again whose engine has died, unless another one is on its way; where that does not come, this is
    /// asked once more.
    fn revive(&mut self) {
        let gone = self.engine.is_none() && self.loading.is_none();
        if let Some(spec) = self.spec.clone().filter(|_| gone) {
            self.load(spec);
        }
    }
}

/// Tells the host that a run has ended, also when the engine panics.
struct Ended(u64, Sender<Message>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.1.send(Message::Ended(self.0));
    }
}

/// Runs one answer to its end and reports it.
fn answer(engine: &dyn Engine, req: GenRequest, number: u64, inbox: Sender<Message>) {
    let ended = Ended(number, inbox);
    let generation = engine.generate(req);
    let _ = ended.1.send(Message::Started(number, generation.cancel_handle()));
    for event in generation {
        if ended.1.send(Message::Said(number, event)).is_err() {
            // The host has ended; dropping the answer cancels it.
            return;
        }
    }
}

/// Runs one trace to its end and reports it.
fn trace(engine: &dyn Engine, req: &TraceRequest, cancel: &Cancel, number: u64, inbox: Sender<Message>) {
    let ended = Ended(number, inbox);
    let traced = engine.trace(req, cancel);
    let _ = ended.1.send(Message::Traced(number, traced));
}

// Elsewhere the system does not say what is in memory.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// All that comes is there before the first of it is heard: there is no pause in which to look at memory.
    #[test]
    fn memory_is_looked_at_where_messages_come_without_a_pause() {
        let (inbox, messages) = mpsc::channel();
        let (events, heard) = mpsc::channel::<HostEvent>();
        let loader = Arc::new(|_: &ModelSpec, _: &dyn Fn(LoadStage) -> Result<(), EngineError>| {
            Err::<Arc<dyn Engine>, _>(EngineError::NotLoaded)
        });
        let events = Box::new(move |event| drop(events.send(event)));
        let mut host = Host::new(inbox.clone(), Arc::default(), Arc::default(), events, loader);
        host.tick = Duration::ZERO;
        inbox.send(Message::Load(ModelSpec::named("a"))).unwrap();
        (0..3).for_each(|_| inbox.send(Message::Superseded).unwrap());
        inbox.send(Message::Shutdown).unwrap();
        host.run(&messages);
        let looks = heard.try_iter().filter(|event| matches!(event, HostEvent::Resident(_))).count();
        assert_eq!(looks, 4, "after each message");
    }
}
