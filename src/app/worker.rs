//! The memory worker: a thread that reads the dataset, builds memory and answers reads.
//!
//! Invariants: the newest read request wins, older ones that wait are dropped; once memory is built, a panic becomes a
//! message and ends only the request it happened in; the caller never waits. A worker whose handle is dropped stops what
//! takes long, and ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::inquiry::{self, InquiryRequest};
use super::message::{Heard, Message};
use super::rungs::{self, ClimbRequest, News};
use super::state::{Data, question_of};
use super::visit::World;
use crate::data::archive::Archive;
use crate::data::dataset::{Dataset, DatasetError, TaskKind};
use crate::data::interaction::Interaction;
use crate::data::sample;
use crate::data::sanitize::visible;
use crate::data::text::brief;
use crate::engine::embedding::{self, Attached, EmbeddedError};
use crate::engine::engine::Cancel;
use crate::engine::error::EngineError;
use crate::engine::model::LoadOptions;
use crate::engine::prompt::{Blocks, Question};
use crate::mediator::conflict::{COVERED, clash};
use crate::mediator::{Evidence, Policy, Weights, mediate};
use crate::memory::rating::unnamed;
use crate::memory::store::{ASKING_MODEL, Store, StoreError};
use crate::memory::{Memory, MemoryRead};
use crate::session::event::{self, HeldItem};
use crate::session::{check, record};

/// Judged queries looked at, from the last one back, for one worth opening with: a conflict …
const OPENING_CANDIDATES: usize = 32;
/// … of at least this many bits …
const OPENING_DIVERGENCE: f64 = 0.2;
/// … decided by no more than this margin, so that the sliders have something to show …
const OPENING_MARGIN: f64 = 0.4;
/// … with a memory on the local side that is at least this like the query.
const OPENING_NEARNESS: f64 = 0.15;
/// Characters of a question that names no thing, where that is told.
const LONGEST_TITLE: usize = 60;

/// A question to memory.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadRequest {
    /// Names the answer.
    pub ticket: u64,
    /// Who asks what, when.
    pub question: Question,
    /// What of their own is held, where that is not all of it.
    pub held: Option<Vec<HeldItem>>,
}

/// Where a dataset comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// One that came with the program.
    Shipped(&'static str),
    /// A dataset folder.
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Where its store is looked for if it is large.
        stores: PathBuf,
        /// How an embedding model runs that it names, and where its vectors are kept.
        load: Box<LoadOptions>,
    },
    /// One that is in memory already.
    Given(Box<Dataset>),
}

impl Source {
    /// The dataset, with what was recorded in its store, and the store if it has one that pays: interactions stay in
    /// their file then.
    fn open(self) -> Result<Opened, EmbeddedError> {
        let (dir, stores, load) = match self {
            Source::Shipped(name) => {
                return Ok(Opened::in_memory(sample::named(name).map_err(StoreError::from)?, None));
            }
            Source::Given(dataset) => return Ok(Opened::in_memory(*dataset, None)),
            Source::Folder { dir, stores, load } => (dir, stores, load),
        };
        let (store, attached) = embedding::store(&stores, &dir, &load)?;
        if !store.worthwhile() {
            let mut dataset = Dataset::open(&dir).map_err(StoreError::from)?;
            let attached = embedding::attach(&mut dataset, &load)?;
            return Ok(Opened::in_memory(dataset, attached));
        }
        let dataset = store.head().clone();
        let archive = || -> Result<Archive, StoreError> {
            let mut archive = Archive::open(&dir, &dataset)?;
            store.recorded()?.0.into_iter().try_for_each(|recorded| archive.add(recorded, &dataset).map(drop))?;
            Ok(archive)
        };
        let archive = archive()?;
        Ok(Opened { dataset, attached, stored: Some((store, archive)) })
    }
}

/// A dataset as it was found; without its interactions where it has a store.
struct Opened {
    dataset: Dataset,
    attached: Option<Attached>,
    stored: Option<(Store, Archive)>,
}

impl Opened {
    fn in_memory(dataset: Dataset, attached: Option<Attached>) -> Self {
        Self { dataset, attached, stored: None }
    }
}

/// What the worker is asked for.
enum Request {
    Read(ReadRequest),
    Inquire(Box<InquiryRequest>),
    Visit(Option<Arc<World>>),
    Climb(Box<ClimbRequest>),
    Remember(Box<Interaction>),
}

/// The handle to the worker.
pub struct MemoryWorker {
    requests: Sender<Request>,
    /// The climb that is wanted; another one stops.
    climbing: Arc<AtomicU64>,
    /// Asks it to stop opening its dataset.
    stop: Cancel,
}

impl Drop for MemoryWorker {
    fn drop(&mut self) {
        self.stop.cancel();
        self.climb_down(u64::MAX);
    }
}

impl MemoryWorker {
    /// Starts the worker. `before_build` runs on its thread once the dataset is read; tests let it fail.
    pub fn start(
        source: Source,
        before_build: impl FnOnce() + Send + 'static,
        out: Sender<Message>,
    ) -> std::io::Result<Self> {
        // Whoever listened may have quit.
        Self::telling(source, before_build, move |news| drop(out.send(news)))
    }

    /// The same, whose news goes to `tell`.
    pub fn telling(
        source: Source,
        before_build: impl FnOnce() + Send + 'static,
        tell: impl Fn(Message) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (requests, inbox) = mpsc::channel();
        let (climbing, stop) = (Arc::new(AtomicU64::new(0)), Cancel::default());
        let (watched, stopped) = (Arc::clone(&climbing), stop.clone());
        let work = move || {
            if let Err(reason) = caught(|| work(source, before_build, (&inbox, &watched, &stopped), &tell)) {
                tell(Message::WorkerFailed { worker: "memory", reason });
            }
        };
        thread::Builder::new().name("memory".to_owned()).spawn(work)?;
        Ok(Self { requests, climbing, stop })
    }

    /// Asks for a read; the answer comes as a message.
    pub fn read(&self, request: ReadRequest) {
        // A worker that has ended has told so already.
        let _ = self.requests.send(Request::Read(request));
    }

    /// Asks about an answer that memory has given; what it tells comes as a message.
    pub fn inquire(&self, request: InquiryRequest) {
        let _ = self.requests.send(Request::Inquire(Box::new(request)));
    }

    /// Reads asked for later are of this memory; with none, of the one built at the start.
    pub fn visit(&self, world: Option<Arc<World>>) {
        let _ = self.requests.send(Request::Visit(world));
    }

    /// Reads memory on every rung; what it finds comes as messages, rung by rung.
    pub fn climb(&self, request: ClimbRequest) {
        self.climbing.store(request.ticket, Ordering::Relaxed);
        let _ = self.requests.send(Request::Climb(Box::new(request)));
    }

    /// Stops reading rungs.
    pub fn climb_down(&self, ticket: u64) {
        self.climbing.store(ticket, Ordering::Relaxed);
    }

    /// Adds an interaction to what memory knows; reads asked for later know it.
    pub fn remember(&self, interaction: Interaction) {
        let _ = self.requests.send(Request::Remember(Box::new(interaction)));
    }
}

fn work(
    source: Source,
    before_build: impl FnOnce(),
    (inbox, climbing, stop): (&Receiver<Request>, &AtomicU64, &Cancel),
    tell: &dyn Fn(Message),
) {
    tell(Message::Stage("reading the dataset"));
    let Opened { dataset, attached, stored } = match source.open() {
        Ok(opened) => opened,
        Err(error) => return tell(Message::DataFailed(error.to_string())),
    };
    let (store, archive) = stored.unzip();
    let whole = match archive {
        Some(archive) => Data::archived(dataset, archive),
        None => Data::of(dataset),
    };
    let mut data = Arc::new(whole.asked_again());
    tell(Message::DataRead(Arc::clone(&data)));
    if let Some(attached) = attached {
        attached.notices.iter().for_each(|notice| tell(Message::Stored(notice.clone())));
        let mut report = |done, of| {
            tell(Message::Embedding { done, of });
            if stop.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
        };
        if let Err(error) = attached.prepare(&data.dataset, &mut report) {
            return tell(Message::DataFailed(error.to_string()));
        }
    }
    tell(Message::Stage("building memory"));
    before_build();
    let mut memory = match &store {
        None => Memory::build(&data.dataset),
        Some(store) => {
            let mut report = |stage, done, of| {
                tell(if stage == ASKING_MODEL { Message::Embedding { done, of } } else { Message::Stage(stage) });
                if stop.is_cancelled() { Err(StoreError::Cancelled) } else { Ok(()) }
            };
            match store.open(None, &mut report) {
                Ok(opened) => {
                    opened.notices.iter().for_each(|notice| tell(Message::Stored(notice.to_string())));
                    opened.memory
                }
                Err(error) => return tell(Message::DataFailed(error.to_string())),
            }
        }
    };
    tell(Message::Stage("forming collective entries"));
    let mut waiting = None;
    let policy = Policy::of(data.dataset.manifest.task);
    let opening = opening(&data, &memory, policy, || {
        waiting = inbox.try_recv().ok();
        waiting.is_some()
    });
    let told = |memory: &Memory| memory.notices().iter().for_each(|notice| tell(Message::Stored(notice.to_string())));
    told(&memory);
    tell(Message::MemoryBuilt { periods: memory.periods(), opening });
    // Worlds are made of what was there at the start: what is remembered in live use has not happened in them.
    let origin = Arc::clone(&data);
    let mut hash = None;
    let mut there: Option<Result<Memory, String>> = None;
    while let Some(request) = waiting.take().or_else(|| inbox.recv().ok()) {
        let (mut newest, mut climb) = (None, None);
        for request in std::iter::once(request).chain(inbox.try_iter()) {
            match request {
                Request::Read(request) => newest = Some(request),
                Request::Inquire(request) => match &there {
                    Some(Err(reason)) => {
                        tell(Message::Told { ticket: request.ticket, told: Box::new(Err(reason.clone())) });
                    }
                    Some(Ok(there)) => tell(inquire(there, &request)),
                    None => tell(inquire(&memory, &request)),
                },
                Request::Visit(None) => there = None,
                Request::Visit(Some(world)) => {
                    let hash = hash.get_or_insert_with(|| origin.content_hash().map_err(|error| error.to_string()));
                    let made = caught(|| {
                        let dataset = visited(&origin, hash.as_ref().map_err(String::clone)?, &world)?;
                        Ok((Memory::build(&dataset), Data::of(dataset)))
                    });
                    let made =
                        made.unwrap_or_else(|reason| Err(format!("this moment's memory cannot be built: {reason}")));
                    there = Some(made.map(|(memory, data)| {
                        tell(Message::Visited { world, data: Arc::new(data), periods: memory.periods() });
                        memory
                    }));
                }
                Request::Climb(request) => climb = Some(request),
                Request::Remember(interaction) => {
                    match caught(|| remembered(&mut memory, &data, *interaction, tell)) {
                        Ok(Ok((with, place))) => {
                            data = with;
                            tell(Message::Remembered { data: Arc::clone(&data), place, periods: memory.periods() });
                        }
                        Ok(Err(error)) => tell(Message::NotRemembered(error.to_string())),
                        Err(reason) => {
                            tell(Message::NotRemembered(format!("{reason}; memory is built anew")));
                            // It may know a half of it.
                            match data.whole() {
                                Ok(whole) => memory = Memory::build(whole.as_ref()),
                                Err(error) => {
                                    return tell(Message::WorkerFailed { worker: "memory", reason: error.to_string() });
                                }
                            }
                        }
                    }
                }
            }
        }
        if let Some(request) = newest {
            match &there {
                Some(Err(reason)) => tell(Message::ReadFailed { ticket: request.ticket, reason: reason.clone() }),
                Some(Ok(there)) => both(there, request).into_iter().for_each(tell),
                None => both(&memory, request).into_iter().for_each(tell),
            }
            told(&memory);
        }
        if let Some(request) = climb {
            let ticket = request.ticket;
            let tell = |news: News| tell(Message::Climbed { ticket, news: Box::new(news) });
            let wanted = || climbing.load(Ordering::Relaxed) == ticket;
            let climb = || match &there {
                Some(Err(reason)) => tell(News::Nothing(reason.clone())),
                Some(Ok(there)) => rungs::climb(there, &request, &wanted, &tell),
                None => rungs::climb(&memory, &request, &wanted, &tell),
            };
            if let Err(reason) = caught(climb) {
                tell(News::Nothing(reason));
            }
        }
    }
}

/// The dataset that a moment's memory is built from, or why there is none.
fn visited(origin: &Data, hash: &str, world: &World) -> Result<Dataset, String> {
    if world.dataset.hash != hash {
        return Err(format!(
            "the dataset '{}' is not as it was when this was recorded, so this moment cannot be asked live",
            world.dataset.name
        ));
    }
    let places = origin.dataset.manifest.places();
    let mut remembered = world.remembered.iter();
    if let Some(stranger) = remembered.find(|interaction| places.of(&interaction.response).is_none()) {
        return Err(format!("the recording remembers '{}', which is no label of the dataset", stranger.response));
    }
    let whole = origin.whole().map_err(|error| error.to_string())?;
    let mut dataset = check::without(&whole, world.without());
    check::remember(&mut dataset, world.remembered.iter().cloned());
    Ok(dataset)
}

/// Adds an interaction to memory and to a copy of the data, since the screen still shows the data without it; its place
/// there. Neither knows it where the data cannot be read.
fn remembered(
    memory: &mut Memory,
    data: &Data,
    interaction: Interaction,
    tell: &dyn Fn(Message),
) -> Result<(Arc<Data>, usize), DatasetError> {
    let (with, place) = data.with(interaction.clone())?;
    if memory.remember(&[&interaction]).is_err() {
        if data.is_archived() {
            let news = "others answered after this: memory is built anew in RAM, which takes a while";
            tell(Message::Stored(news.to_owned()));
        }
        *memory = Memory::build(with.whole()?.as_ref());
    }
    Ok((Arc::new(with), place))
}

/// The last judged query on which both sides have something near to say, clearly differ and come close; failing that, the
/// closest one on which they clearly differ. Gives up when `interrupted`.
fn opening(data: &Data, memory: &Memory, policy: Policy, mut interrupted: impl FnMut() -> bool) -> Option<usize> {
    let weights = Weights::defaults(policy, &data.dataset.manifest);
    let mut second_choice: Option<(f64, usize)> = None;
    for ix in (0..data.queries.len()).rev().take(OPENING_CANDIDATES) {
        if interrupted() {
            break;
        }
        let asked = question_of(&data.queries[ix]);
        let Ok(read) = memory.read(&asked.user, &asked.query, asked.at) else { continue };
        let resolution = mediate(&evidence_of(&read, &memory.manifest), &weights, policy);
        let covered = resolution.mass >= COVERED && resolution.support >= memory.manifest.retrieval.guard;
        let least = OPENING_DIVERGENCE.max(weights.conflict_threshold);
        if !covered || clash(&resolution, least).is_none() {
            continue;
        }
        let near = read.local.hits.first().is_some_and(|hit| hit.terms.score() >= OPENING_NEARNESS);
        if near && resolution.margin <= OPENING_MARGIN {
            return Some(ix);
        }
        if second_choice.is_none_or(|(margin, _)| resolution.margin < margin) {
            second_choice = Some((resolution.margin, ix));
        }
    }
    second_choice.map(|(_, ix)| ix)
}

/// What the mediator weighs of a read.
pub fn evidence_of(read: &MemoryRead, manifest: &crate::data::dataset::Manifest) -> Evidence {
    Evidence::of(read, manifest.retrieval.guard, manifest.calibration.local)
}

fn inquire(memory: &Memory, request: &InquiryRequest) -> Message {
    let told = caught(|| inquiry::answer(memory, request)).unwrap_or_else(Err);
    Message::Told { ticket: request.ticket, told: Box::new(told) }
}

/// Who asks, of ratings whether it is about anything, and what memory says.
fn both(memory: &Memory, request: ReadRequest) -> Vec<Message> {
    let mut told = portray(memory, &request);
    told.extend((memory.manifest.task == TaskKind::Rating).then(|| named(memory, &request)));
    told.push(read(memory, request));
    told
}

/// A description, not evidence: where it fails nobody is described, and memory answers all the same.
fn portray(memory: &Memory, request: &ReadRequest) -> Vec<Message> {
    let portrait = caught(|| memory.portrait(&request.question.user, request.question.at));
    let failed = portrait.as_ref().err().map(|reason| format!("who asks cannot be described: {reason}"));
    let portrait = Box::new(portrait.unwrap_or_default());
    let portrayed = Message::Portrayed { ticket: request.ticket, portrait };
    std::iter::once(portrayed).chain(failed.map(Message::Stored)).collect()
}

/// A word beside the evidence, too: where it fails the pane says that nobody has rated this.
fn named(memory: &Memory, request: &ReadRequest) -> Message {
    let ReadRequest { ticket, question, .. } = request;
    let unnamed = || {
        let nearest = memory.unnamed(&question.query, question.at)?;
        Some(unnamed(&brief(&visible(&question.query), LONGEST_TITLE), &nearest))
    };
    Message::Named { ticket: *ticket, unnamed: caught(unnamed).unwrap_or_default() }
}

fn read(memory: &Memory, request: ReadRequest) -> Message {
    let ReadRequest { ticket, question, held } = request;
    let read = || -> Result<Message, String> {
        let read = record::read_holding(memory, &question, held.as_deref()).map_err(|error| error.to_string())?;
        let blocks = Box::new(Blocks::of(memory, &question.query, &read));
        let heard = Heard { evidence: event::Evidence::of(memory, &read), embedder: memory.embedder() };
        let heard = Some(Box::new(heard));
        Ok(Message::MemoryRead { ticket, read: Box::new(read), blocks, heard })
    };
    let outcome = caught(read).unwrap_or_else(Err);
    outcome.unwrap_or_else(|reason| Message::ReadFailed { ticket, reason })
}

/// What `work` comes to, or what it panicked with.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| panic_reason(&*payload))
}

/// What a panic said, in a line.
pub fn panic_reason(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
    text.unwrap_or("no reason given").lines().next().unwrap_or_default().to_owned()
}
