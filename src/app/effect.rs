//! Effects: what `update` asks of the world, as data; and the runner, the only place that does it.

use std::path::PathBuf;
use std::sync::Arc;

use super::answers::WRITING;
use super::datasets::Place;
use super::fitter::{FitRequest, Fitter};
use super::inquiry::InquiryRequest;
use super::keeper::{Change, Keeper};
use super::memories::Memories;
use super::order::Order;
use super::profile::PROFILE;
use super::profiler::{ProfileRequest, Profiler};
use super::rungs::ClimbRequest;
use super::scribe::{Beginning, Scribe};
use super::shelf::{Shelf, Source};
use super::surveyor::{SurveyRequest, Surveyor};
use super::visit::World;
use super::worker::ReadRequest;
use crate::data::interaction::Interaction;
use crate::engine::engine::GenRequest;
use crate::engine::host::{EngineHost, Ticket};
use crate::engine::model::{LoadOptions, Located, ModelSpec};
use crate::engine::prompt::Arm;
use crate::engine::trace::TraceRequest;
use crate::session::Session;
use crate::session::event::Event;
use crate::session::tries::Book;

/// Something to be done outside of the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read both memories; a newer request supersedes an older one.
    Read(ReadRequest),
    /// Ask memory about an answer it has given.
    Inquire(Box<InquiryRequest>),
    /// Ask the memory of a moment from here on; with none, the one that was built at the start.
    Visit(Option<Arc<World>>),
    /// Read memory on every rung of a ladder or dial; supersedes every such request before.
    Climb(Box<ClimbRequest>),
    /// Stop that; the number is above that of every such request before.
    ClimbDown(u64),
    /// Let memory know a new interaction.
    Remember(Box<Interaction>),
    /// Ask the model on some arms; supersedes everything asked before.
    Ask {
        /// The batch.
        epoch: u64,
        /// Each arm with its request.
        requests: Vec<(Arm, GenRequest)>,
    },
    /// Have the model write a memory, after what was asked before in the same batch.
    Write {
        /// The batch.
        epoch: u64,
        /// The request.
        request: Box<GenRequest>,
    },
    /// Have the model write a profile, after what was asked before in the same batch.
    WriteProfile {
        /// The batch.
        epoch: u64,
        /// The request.
        request: Box<GenRequest>,
    },
    /// Change the profiles of a person, if a change is given, and read them.
    Profiles(Box<ProfileRequest>),
    /// Stop the model. Raises the host's floor by one, so the state counts its epoch up by one as well.
    Cancel,
    /// Ask how probable the model finds a given answer; supersedes every such request before.
    Trace {
        /// Above that of every one before.
        epoch: u64,
        /// The request.
        request: Box<TraceRequest>,
    },
    /// Stop that; the number is above that of every such request before.
    CancelTrace(u64),
    /// Load a model.
    Load(Box<ModelSpec>),
    /// End the load under way; the model that answers goes on.
    CancelLoad,
    /// Let the model go.
    Unload,
    /// Look what models there are.
    FindModels(Box<LoadOptions>),
    /// Look what recordings there are.
    FindRecordings,
    /// Look which model lies there.
    Identify(Located),
    /// Keep in mind that a model was used.
    NoteModel {
        /// As it was named.
        name: String,
        /// Where that is kept.
        options: Box<LoadOptions>,
    },
    /// Look what datasets there are.
    FindDatasets(Box<LoadOptions>),
    /// Open another dataset, beside the one that is asked; supersedes every such request before.
    OpenData {
        /// The number of its worker.
        worker: u64,
        /// Where it is.
        place: Place,
    },
    /// Open no other dataset after all.
    CloseData,
    /// Ask the dataset that was opened from here on.
    TurnToData,
    /// Keep in mind that a dataset was opened.
    NoteDataset {
        /// Where it is.
        folder: PathBuf,
        /// Where that is kept.
        options: Box<LoadOptions>,
    },
    /// Begin to record live use.
    Begin(Box<Beginning>),
    /// Record what happened.
    Record(Vec<Event>),
    /// Record what happens in a fork of this session from here on, in a file of its own.
    Fork(Box<Session>),
    /// Go on with the file before it.
    EndFork,
    /// Write this session into a file of its own.
    Keep {
        /// The number under which it is told of.
        number: u64,
        /// The session.
        session: Box<Session>,
    },
    /// Open a session for replay.
    Open(Source),
    /// Make a session of the dataset.
    Make(Box<Order>),
    /// Make none after all: the order under way ends before its next question.
    MakeNone,
    /// Put a text into the clipboard of whoever sits at the terminal.
    Copy(String),
    /// Give the terminal back and stop until the program is told to go on.
    Suspend,
    /// Write tries to a file.
    Export {
        /// The file.
        path: PathBuf,
        /// The dataset they are on.
        dataset: String,
        /// The tries.
        book: Box<Book>,
    },
    /// Read tries from a file.
    Import(PathBuf),
    /// Fit the weights; supersedes every fit before.
    Fit(Box<FitRequest>),
    /// Stop the fit; the number is above that of every fit before.
    StopFit(u64),
    /// Survey the session; supersedes every survey before.
    Survey(Box<SurveyRequest>),
    /// Stop surveying; the number is above that of every survey before.
    Cease(u64),
    /// Change the tries on a dataset, if a change is given, and read them.
    Tries {
        /// Which.
        dataset: String,
        /// What is to be changed.
        change: Option<Change>,
    },
}

/// Runs effects. Never waits, unless the program as a whole does: everything else is a message to a thread.
pub struct Runner {
    /// Read memory.
    pub memory: Memories,
    /// Answers; absent without a model.
    pub host: Option<EngineHost>,
    /// Opens sessions.
    pub shelf: Shelf,
    /// Records live use; absent where nothing is to be recorded.
    pub scribe: Option<Scribe>,
    /// Keeps tries; absent where none are kept.
    pub keeper: Option<Keeper>,
    /// Keeps profiles; absent where none are kept.
    pub profiler: Option<Profiler>,
    /// Fits weights; absent where none are fitted.
    pub fitter: Option<Fitter>,
    /// Surveys sessions; absent where none are.
    pub surveyor: Option<Surveyor>,
    /// Puts a text into the clipboard and tells how that went; absent where there is none.
    pub copy: Option<Box<dyn Fn(String)>>,
    /// Gives the terminal back and stops, and takes it again; absent where there is none.
    pub suspend: Option<Box<dyn Fn()>>,
}

impl Runner {
    /// Does what `effect` says.
    pub fn run(&self, effect: Effect) {
        match effect {
            Effect::Read(request) => self.memory.asked().read(request),
            Effect::Inquire(request) => self.memory.asked().inquire(*request),
            Effect::Visit(world) => self.memory.asked().visit(world),
            Effect::Climb(request) => self.memory.asked().climb(*request),
            Effect::ClimbDown(ticket) => self.memory.asked().climb_down(ticket),
            Effect::Remember(interaction) => self.memory.asked().remember(*interaction),
            Effect::OpenData { worker, place } => self.memory.open(worker, place),
            Effect::CloseData => self.memory.close(),
            Effect::TurnToData => self.memory.turn(),
            Effect::Ask { epoch, requests } => {
                for (arm, request) in requests {
                    if let Some(host) = &self.host {
                        host.generate(Ticket { epoch, id: arm as u64 }, request);
                    }
                }
            }
            Effect::Write { epoch, request } => {
                if let Some(host) = &self.host {
                    host.generate(Ticket { epoch, id: WRITING }, *request);
                }
            }
            Effect::WriteProfile { epoch, request } => {
                if let Some(host) = &self.host {
                    host.generate(Ticket { epoch, id: PROFILE }, *request);
                }
            }
            Effect::Profiles(request) => {
                if let Some(profiler) = &self.profiler {
                    profiler.ask(*request);
                }
            }
            Effect::Cancel => {
                if let Some(host) = &self.host {
                    host.cancel();
                }
            }
            Effect::Trace { epoch, request } => {
                if let Some(host) = &self.host {
                    host.trace(Ticket { epoch, id: 0 }, *request);
                }
            }
            Effect::CancelTrace(epoch) => {
                if let Some(host) = &self.host {
                    host.cancel_traces(epoch);
                }
            }
            Effect::Begin(beginning) => {
                if let Some(scribe) = &self.scribe {
                    scribe.begin(*beginning);
                }
            }
            Effect::Record(events) => {
                if let Some(scribe) = &self.scribe {
                    scribe.write(events);
                }
            }
            Effect::Fork(session) => {
                if let Some(scribe) = &self.scribe {
                    scribe.fork(*session);
                }
            }
            Effect::EndFork => {
                if let Some(scribe) = &self.scribe {
                    scribe.end_fork();
                }
            }
            Effect::Keep { number, session } => {
                if let Some(scribe) = &self.scribe {
                    scribe.keep(number, *session);
                }
            }
            Effect::Export { path, dataset, book } => {
                if let Some(keeper) = &self.keeper {
                    keeper.export(path, dataset, *book);
                }
            }
            Effect::Import(path) => {
                if let Some(keeper) = &self.keeper {
                    keeper.import(path);
                }
            }
            Effect::Fit(request) => {
                if let Some(fitter) = &self.fitter {
                    fitter.fit(*request);
                }
            }
            Effect::StopFit(ticket) => {
                if let Some(fitter) = &self.fitter {
                    fitter.stop(ticket);
                }
            }
            Effect::Survey(request) => {
                if let Some(surveyor) = &self.surveyor {
                    surveyor.survey(*request);
                }
            }
            Effect::Cease(ticket) => {
                if let Some(surveyor) = &self.surveyor {
                    surveyor.cease(ticket);
                }
            }
            Effect::Copy(text) => {
                if let Some(copy) = &self.copy {
                    copy(text);
                }
            }
            Effect::Suspend => {
                if let Some(suspend) = &self.suspend {
                    suspend();
                }
            }
            Effect::Open(source) => self.shelf.open(source),
            Effect::Make(order) => self.shelf.make(*order),
            Effect::MakeNone => self.shelf.make_none(),
            Effect::Tries { dataset, change } => {
                if let Some(keeper) = &self.keeper {
                    keeper.ask(dataset, change);
                }
            }
            Effect::Load(spec) => {
                if let Some(host) = &self.host {
                    host.load(*spec);
                }
            }
            Effect::CancelLoad => {
                if let Some(host) = &self.host {
                    host.cancel_load();
                }
            }
            Effect::Unload => {
                if let Some(host) = &self.host {
                    host.unload();
                }
            }
            Effect::FindModels(options) => self.shelf.find_models(*options),
            Effect::FindDatasets(options) => self.shelf.find_datasets(*options),
            Effect::NoteDataset { folder, options } => self.shelf.note_dataset(folder, *options),
            Effect::FindRecordings => self.shelf.find_recordings(),
            Effect::Identify(place) => self.shelf.identify(place),
            Effect::NoteModel { name, options } => self.shelf.note_model(name, *options),
        }
    }
}
