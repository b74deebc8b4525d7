//! Another dataset: choosing it, how far it is, and beginning anew with it.
//!
//! Invariants: the dataset on the screen stays until memory of the next one is built, and where that fails or is stopped;
//! nobody who types or reads something over the screen is interrupted. Of what was, the screen, the model and what is to be
//! written stay; the recorded session ends, since one session is about one dataset.

use std::path::PathBuf;

use super::super::datasets::{Datasets, Opening, Place};
use super::super::effect::Effect;
use super::super::message::Message;
use super::super::overlay::{List, Overlay};
use super::super::state::{MemoryState, ModelState, Start, State};
use super::arms::stop;
use super::{model, react, replay, tell};

/// Opens the list of datasets and looks what there are.
pub(super) fn list(state: &mut State) -> Vec<Effect> {
    state.overlay = Some(Overlay::List(List::datasets(state)));
    vec![Effect::FindDatasets(Box::new(state.load.clone()))]
}

/// A dataset has been chosen.
pub(super) fn choose(state: &mut State, place: Place) -> Vec<Effect> {
    let memory = MemoryState::Building("starting");
    state.datasets.newest += 1;
    state.datasets.opening = Some(Opening { place: place.clone(), since: state.now, memory, told: Vec::new() });
    vec![Effect::OpenData { worker: state.datasets.newest, place }]
}

/// Opens no other dataset after all.
pub(super) fn cancel(state: &mut State) -> Vec<Effect> {
    let Some(opening) = state.datasets.opening.take() else { return Vec::new() };
    tell(state, format!("{} is not opened", opening.place.name()), false);
    vec![Effect::CloseData]
}

/// Takes in what a worker tells, by whether its dataset is on the screen, on its way, or neither.
pub(super) fn heard(state: &mut State, worker: u64, news: Message) -> Vec<Effect> {
    if worker == state.datasets.worker {
        return react(state, news);
    }
    let current = worker == state.datasets.newest;
    let Some(opening) = state.datasets.opening.as_mut().filter(|_| current) else {
        state.dirty = false;
        return Vec::new();
    };
    match news {
        Message::Stage(stage) => opening.memory = MemoryState::Building(stage),
        Message::Embedding { done, of } => opening.memory = MemoryState::Embedding { done, of },
        Message::DataFailed(reason) | Message::WorkerFailed { reason, .. } => {
            let (name, here) = (opening.place.name(), state.dataset_name.clone());
            state.datasets.opening = None;
            tell(state, format!("{name} is not opened, {here} stays: {reason}"), true);
            return vec![Effect::CloseData];
        }
        news => {
            if matches!(news, Message::MemoryBuilt { .. }) {
                opening.memory = MemoryState::Ready;
            }
            opening.told.push(news);
        }
    }
    Vec::new()
}

/// Begins anew with a dataset that is ready, once nothing lies over the screen and nobody is away at a moment of a replay.
pub(super) fn settle(state: &mut State) -> Vec<Effect> {
    let occupied = state.overlay.is_some() || state.visit.is_some() || state.exit.is_some();
    let ready = |opening: &mut Opening| opening.memory == MemoryState::Ready && !occupied;
    match state.datasets.opening.take_if(ready) {
        Some(opening) => begin(state, opening),
        None => Vec::new(),
    }
}

fn begin(state: &mut State, Opening { place, told, .. }: Opening) -> Vec<Effect> {
    let mut effects = model::turn_page(state);
    effects.extend(stop(state));
    effects.extend(leave(state));
    effects.push(Effect::TurnToData);
    // One that did not fit the data may fit these, and is not loaded or was not listened to.
    let unfit = matches!(state.model, ModelState::Unfit(_)) && state.incoming.is_none();
    *state = fresh(state, &place);
    if unfit {
        state.model = ModelState::Loading(None);
    }
    for news in told {
        effects.extend(react(state, news));
    }
    if unfit && matches!(state.model, ModelState::Loading(_)) {
        state.calls.release();
        effects.push(Effect::Unload);
        let name = state.model_named.clone();
        effects.extend(model::named(state, name));
    }
    state.dirty = true;
    effects
}

/// Stops whatever is found out about the dataset on the screen: what it finds belongs to nothing that is shown.
fn leave(state: &mut State) -> [Effect; 4] {
    let study = &mut state.study;
    study.survey.ticket += 1;
    study.fitting.ticket += 1;
    state.attribution.epoch += 1;
    [
        Effect::Cease(study.survey.ticket),
        Effect::StopFit(study.fitting.ticket),
        Effect::CancelTrace(state.attribution.epoch),
        Effect::MakeNone,
    ]
}

/// The state before anything is known of the dataset at `place`, with what has nothing to do with datasets.
fn fresh(state: &mut State, place: &Place) -> State {
    let mut fresh = State::new(Start {
        dataset_name: place.name(),
        folder: folder(place),
        training: std::mem::take(&mut state.training),
        load: state.load.clone(),
        mono: state.mono_only,
        ascii: state.ascii,
        record: state.journal.keeps(),
        profiles: state.profile.kept,
        ..Start::default()
    });
    replay::carry(state, &mut fresh);
    // What was to be made of the dataset before is not shown any more.
    fresh.orders.under_way = None;
    fresh.arrived = None;
    fresh.datasets = Datasets { worker: state.datasets.newest, newest: state.datasets.newest, ..fresh.datasets };
    fresh.model = state.model.clone();
    fresh.model_since = state.model_since;
    fresh.model_name = std::mem::take(&mut state.model_name);
    fresh.model_named = std::mem::take(&mut state.model_named);
    fresh.incoming = state.incoming.take();
    fresh.arriving = state.arriving.take();
    (fresh.calls, fresh.reviving) = (state.calls, state.reviving);
    (fresh.need, fresh.resident) = (state.need, state.resident);
    fresh.journal.model = state.journal.model.take();
    // Numbers go on: what is still on its way under a lower one is not heard.
    fresh.answers.epoch = state.answers.epoch;
    fresh.attribution.epoch = state.attribution.epoch;
    fresh.study.survey.ticket = state.study.survey.ticket;
    fresh.study.fitting.ticket = state.study.fitting.ticket;
    fresh
}

fn folder(place: &Place) -> Option<PathBuf> {
    match place {
        Place::Shipped(_) => None,
        Place::Folder(folder) => Some(folder.clone()),
    }
}

/// Memory is built: the folder is one that was opened.
pub(super) fn opened(state: &State) -> Option<Effect> {
    let folder = state.datasets.folder.clone()?;
    Some(Effect::NoteDataset { folder, options: Box::new(state.load.clone()) })
}
