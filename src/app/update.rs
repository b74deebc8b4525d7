//! `update`: the only function that changes the state. Pure: no clock, no I/O, no thread; what the world has to do is
//! returned as effects.

mod arms;
mod attribution;
mod board;
mod command;
mod dataset;
mod feedback;
mod fit;
mod inquiry;
mod key;
mod line;
mod list;
mod model;
mod moment;
mod profile;
mod question;
mod record;
mod replay;
mod rungs;
mod setting;
mod study;
mod tries;
mod visit;
mod writing;

use super::effect::Effect;
use super::journal::Recording;
use super::message::Message;
use super::overlay::{EditKind, List, ListKind};
use super::shelf::Source;
use super::state::{Exit, MemoryState, ModelState, Notice, Setting, State, question_of};
use super::visit::Home;
use crate::engine::prompt::Question;
use crate::mediator::Policy;

/// Takes in what happened and says what has to be done.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    let mut effects = react(state, message);
    effects.extend(dataset::settle(state));
    effects.extend(replay::arrive(state));
    replay::settle(state);
    board::follow(state);
    effects.extend(if state.exit.is_some() { record::close(state) } else { record::drain(state) });
    effects.extend(study::drain(state));
    effects.extend(rungs::drain(state));
    effects.extend(attribution::drain(state));
    effects
}

fn react(state: &mut State, message: Message) -> Vec<Effect> {
    let beneath = state.replay.as_mut().and_then(|replaying| replaying.live.as_mut());
    if let Some(live) = beneath.filter(|_| is_of_workers(&message)) {
        // Live work goes on beneath a replay, and what it shows is not on the screen.
        return update(live, message);
    }
    match message {
        Message::Clock(now) => {
            state.now = now;
            state.dirty |= state.busy() | replay::tick(state);
            return arms::ask_where_outdated(state);
        }
        Message::Drawn(limits) => {
            state.limits = limits;
            for (scroll, limit) in state.scroll.iter_mut().zip(limits.panes) {
                *scroll = (*scroll).min(limit);
            }
            return Vec::new();
        }
        _ => state.dirty = true,
    }
    match message {
        Message::Clock(_) | Message::Drawn(_) | Message::Resized => Vec::new(),
        Message::Key(chord) => key::key(state, chord),
        Message::Paste(text) => {
            line::paste(state, &text);
            Vec::new()
        }
        Message::Stage(stage) => {
            state.memory = MemoryState::Building(stage);
            Vec::new()
        }
        Message::Embedding { done, of } => {
            state.memory = MemoryState::Embedding { done, of };
            Vec::new()
        }
        Message::Stored(news) => {
            tell(state, news, false);
            Vec::new()
        }
        Message::DataRead(data) => {
            state.dataset_name.clone_from(&data.dataset.manifest.name);
            let task = data.dataset.manifest.task;
            // The newest of interactions that are asked again, the first of judged queries.
            let opening = if data.is_asked_again() { data.queries.len().checked_sub(1) } else { Some(0) };
            state.judged = opening.filter(|ix| *ix < data.queries.len());
            state.opened = state.judged;
            let fallback = || {
                let last = data.interaction(data.interactions().checked_sub(1)?)?.into_owned();
                Some(Question { user: last.user, query: last.query, at: last.at })
            };
            state.question = state.judged.map(|ix| question_of(&data.queries[ix])).or_else(fallback);
            state.data = Some(data);
            if let Some(reason) = state.fit().unable(&state.model_name) {
                state.model = ModelState::Unfit(reason);
            }
            let policy = Policy::of(task);
            state.setting = Setting { weights: state.defaults_of(policy), policy };
            let mut effects = vec![Effect::Tries { dataset: state.dataset_name.clone(), change: None }];
            if let Some(text) = state.wanted.take() {
                effects.extend(question::ask(state, |question| question.query = text));
            }
            effects
        }
        Message::DataFailed(reason) => {
            state.exit = Some(Exit::Failed(reason));
            Vec::new()
        }
        Message::MemoryBuilt { periods, opening } => {
            state.periods = periods;
            state.memory = MemoryState::Ready;
            let mut effects = match opening {
                Some(ix) if !state.chosen => question::open_judged(state, ix),
                _ => question::read(state),
            };
            effects.extend(dataset::opened(state));
            effects
        }
        Message::MemoryRead { ticket, read, blocks, heard } if ticket == state.ticket => {
            // What was turned meanwhile was turned on the question before.
            record::settle(state);
            feedback::settle(state);
            state.heard = ticket;
            state.answers.stale = false;
            (state.answers.arms, state.answers.written) = Default::default();
            state.rungs.set = None;
            profile::heard(state);
            state.take_reading(*read, *blocks);
            study::heard(state);
            let held = state.holds().map(<[_]>::to_vec);
            record::heard(state, heard, held);
            arms::ask(state)
        }
        Message::ReadFailed { ticket, reason } if ticket == state.ticket => {
            state.heard = ticket;
            state.answers.stale = false;
            visit::unread(state, reason)
        }
        Message::Portrayed { ticket, portrait } if ticket == state.ticket => {
            state.portrait = Some(*portrait);
            // What memory says comes right behind; the two are drawn together.
            state.dirty = false;
            Vec::new()
        }
        Message::Named { ticket, unnamed } if ticket == state.ticket => {
            state.unnamed = unnamed;
            state.dirty = false;
            Vec::new()
        }
        Message::Told { ticket, told } => {
            inquiry::told(state, ticket, *told);
            Vec::new()
        }
        Message::Remembered { data, place, periods } => {
            // A visit is to another memory: what this one was given while it lasts is known at home.
            record::remembered(state.journal_at_home());
            let (reading, known, span, rungs) = match &mut state.visit {
                Some(visit) => {
                    let Home { reading, data, periods, rungs, .. } = &mut visit.home;
                    (reading, data, periods, rungs)
                }
                None => (&mut state.reading, &mut state.data, &mut state.periods, &mut state.rungs),
            };
            // Items are numbered in the dataset's order: those behind the new one move on.
            let hits = reading.iter_mut().flat_map(|reading| &mut reading.read.local.hits);
            hits.filter(|hit| hit.item >= place).for_each(|hit| hit.item += 1);
            (*known, *span) = (Some(data), periods);
            rungs.forget();
            Vec::new()
        }
        Message::NotRemembered(reason) => {
            record::refused(state.journal_at_home());
            tell(state, format!("not remembered: {reason}"), true);
            Vec::new()
        }
        Message::Visited { world, data, periods } => visit::arrived(state, &world, data, periods).into_iter().collect(),
        Message::MemoryRead { .. } | Message::ReadFailed { .. } | Message::Portrayed { .. } | Message::Named { .. } => {
            Vec::new()
        }
        // The dataset was read first: there is nothing to ask it.
        Message::ModelNamed(name) if matches!(state.model, ModelState::Unfit(_)) => {
            state.model_named = name;
            Vec::new()
        }
        Message::ModelNamed(name) => model::named(state, name),
        Message::ModelsFound(offers) => {
            state.offers = offers;
            list::grow(state, ListKind::Models, List::models);
            Vec::new()
        }
        Message::OfWorker { worker, news } => dataset::heard(state, worker, *news),
        Message::DatasetsFound(offers) => {
            state.datasets.offers = offers;
            list::grow(state, ListKind::Datasets, List::datasets);
            Vec::new()
        }
        Message::RecordingsFound(recordings) => {
            state.recordings = recordings;
            list::grow(state, ListKind::Sessions, List::sessions);
            Vec::new()
        }
        Message::Identified { place, hash } => visit::identified(state, &place, hash),
        Message::SessionNamed(path) => vec![Effect::Open(Source::File(path))],
        Message::SessionOpened(opened) => {
            line::led(state, EditKind::Path);
            state.arrived = Some(opened);
            Vec::new()
        }
        Message::SessionKept { number, kept } => {
            replay::kept(state, number, kept);
            Vec::new()
        }
        Message::Made { ticket, made } if ticket == state.orders.newest && state.orders.under_way.is_some() => {
            state.orders.under_way = None;
            match made {
                Ok(opened) => state.arrived = Some(opened),
                Err(reason) => tell(state, reason, true),
            }
            Vec::new()
        }
        Message::Made { .. } => Vec::new(),
        Message::SessionFailed(reason) => {
            line::misled(state, EditKind::Path, reason);
            Vec::new()
        }
        // Of a session that is over; the next one has not begun, and must not be taken for written.
        Message::Recording(_) if state.journal.recording == Recording::Waiting => {
            state.dirty = false;
            Vec::new()
        }
        Message::RecordFailed(reason) if state.journal.recording == Recording::Waiting => {
            tell(state, format!("the session before is kept in memory, it cannot be recorded: {reason}"), true);
            Vec::new()
        }
        Message::Recording(path) => {
            if matches!(state.journal.recording, Recording::Failed(_)) {
                tell(state, format!("recorded again, with all that was missing, in {}", path.display()), false);
            } else {
                // Only the help shows where.
                state.dirty = state.overlay.is_some();
            }
            state.journal.recording = Recording::In(path);
            Vec::new()
        }
        Message::RecordFailed(reason) => {
            tell(state, format!("this session is kept in memory, it cannot be recorded: {reason}"), true);
            state.journal.recording = Recording::Failed(reason);
            Vec::new()
        }
        Message::Exported(exported) => {
            match exported {
                Ok(path) => {
                    line::led(state, EditKind::ExportPath);
                    tell(state, format!("the tries are written to {}", path.display()), false);
                }
                Err(reason) => line::misled(state, EditKind::ExportPath, reason),
            }
            Vec::new()
        }
        Message::Imported(Ok(read)) => {
            line::led(state, EditKind::ImportPath);
            tries::imported(state, read)
        }
        Message::Imported(Err(reason)) => {
            line::misled(state, EditKind::ImportPath, reason);
            Vec::new()
        }
        Message::Fitting { ticket, news } => fit::told(state, ticket, news),
        Message::Surveyed { ticket, done, found } => {
            study::surveyed(state, ticket, done, found.map(|found| *found));
            Vec::new()
        }
        Message::Climbed { ticket, news } => {
            rungs::climbed(state, ticket, *news);
            Vec::new()
        }
        Message::Copied(copied) => {
            match copied {
                Ok(bytes) => tell(
                    state,
                    format!("{bytes} bytes sent to the terminal's clipboard (OSC 52), if it takes them"),
                    false,
                ),
                Err(reason) => tell(state, reason, true),
            }
            Vec::new()
        }
        Message::Tries { dataset, change, kept } => {
            tries::kept(state, &dataset, change.as_ref(), kept);
            Vec::new()
        }
        Message::Profiles { request, known } => {
            profile::known(state, &request, known);
            Vec::new()
        }
        Message::Host(event) => arms::host(state, event),
        Message::WorkerFailed { worker, reason } => {
            if worker == "memory" {
                state.memory = MemoryState::Failed(reason.clone());
            }
            tell(state, format!("the {worker} worker failed: {reason}"), true);
            Vec::new()
        }
        Message::InputLost(reason) => {
            state.exit = Some(Exit::Failed(format!("the terminal can no longer be read: {reason}")));
            Vec::new()
        }
        Message::Signal(signal) => {
            state.exit = Some(Exit::Signal(signal));
            Vec::new()
        }
        Message::Suspend => vec![Effect::Suspend],
    }
}

/// Whether a message speaks of live work: of the dataset, memory or the model. Recordings are chosen over a replay, too.
fn is_of_workers(message: &Message) -> bool {
    matches!(
        message,
        Message::Stage(_)
            | Message::Embedding { .. }
            | Message::Stored(_)
            | Message::DataRead(_)
            | Message::DataFailed(_)
            | Message::MemoryBuilt { .. }
            | Message::MemoryRead { .. }
            | Message::ReadFailed { .. }
            | Message::Portrayed { .. }
            | Message::Named { .. }
            | Message::Told { .. }
            | Message::Remembered { .. }
            | Message::NotRemembered(_)
            | Message::Visited { .. }
            | Message::ModelNamed(_)
            | Message::ModelsFound(_)
            | Message::OfWorker { .. }
            | Message::DatasetsFound(_)
            | Message::Recording(_)
            | Message::RecordFailed(_)
            | Message::Fitting { .. }
            | Message::Climbed { .. }
            | Message::Profiles { .. }
            | Message::Host(_)
            | Message::WorkerFailed { .. }
    )
}

fn tell(state: &mut State, text: String, failure: bool) {
    state.notice = Some(Notice { text, failure });
}
