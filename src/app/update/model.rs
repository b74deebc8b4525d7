//! Models come and go: choosing one, the load on its way, and what follows when it is ready.
//!
//! Invariants: the model that answers goes on until the next one is ready, and stays where that fails or is cancelled;
//! what is recorded in one session was said by one model. What the host says of a model may cross what it is told; a model
//! that was ready before it heard of a cancel or of another choice answers all the same, and is shown as what answers.

use super::super::effect::Effect;
use super::super::journal::{Journal, Recording};
use super::super::overlay::{List, Overlay};
use super::super::state::{Incoming, ModelState, Phase, State};
use super::arms::{self, stop};
use super::question::read;
use super::{profile, record, study, tell};
use crate::data::interaction::Interaction;
use crate::engine::address;
use crate::engine::engine::{Caps, LoadStage};
use crate::engine::error::EngineError;
use crate::engine::model::{ModelSpec, SHIPPED};
use crate::mediator::{Course, Weight};
use crate::session::event::Event;

/// What is typed, or chosen, for memory alone.
pub(super) const NONE: &str = "none";

/// Opens the list of models and looks what there are.
pub(super) fn list(state: &mut State) -> Vec<Effect> {
    state.overlay = Some(Overlay::List(List::models(state)));
    vec![Effect::FindModels(Box::new(state.load.clone()))]
}

/// A model is wanted from the start.
pub(super) fn named(state: &mut State, name: String) -> Vec<Effect> {
    state.model = ModelState::Loading(None);
    state.model_since = state.now;
    state.model_named.clone_from(&name);
    load(state, name)
}

fn load(state: &mut State, name: String) -> Vec<Effect> {
    state.calls.make();
    vec![Effect::Load(Box::new(ModelSpec { name, options: state.load.clone() }))]
}

/// A model has been chosen.
pub(super) fn choose(state: &mut State, name: String) -> Vec<Effect> {
    match name.as_str() {
        "" => Vec::new(),
        NONE => go_without(state, "no model is loaded; ctrl-o chooses one"),
        _ => {
            state.reviving = None;
            state.incoming = Some(Incoming { name: name.clone(), stage: None, since: state.now });
            load(state, name)
        }
    }
}

/// Ends the load under way.
pub(super) fn cancel(state: &mut State) -> Vec<Effect> {
    match state.incoming.take() {
        Some(incoming) if !matches!(state.model, ModelState::Loading(_)) => {
            state.resident = None;
            state.calls.make();
            tell(state, format!("{} is not loaded", address::told(&incoming.name)), false);
            vec![Effect::CancelLoad]
        }
        _ => go_without(state, "the load was cancelled; ctrl-o chooses a model"),
    }
}

/// Goes on with memory alone.
fn go_without(state: &mut State, why: &'static str) -> Vec<Effect> {
    let mut effects = turn_page(state);
    effects.extend(stop(state));
    state.calls.release();
    effects.push(Effect::Unload);
    (state.incoming, state.arriving, state.need, state.resident) = (None, None, None, None);
    state.reviving = None;
    state.journal.model = None;
    with_defaults(state, |state| {
        state.model = ModelState::Absent(why);
        state.model_name.clear();
        state.model_named.clear();
    });
    state.answers.arms.iter_mut().for_each(|arm| arm.phase = Phase::Unasked);
    state.answers.written = Default::default();
    effects.extend(read(state));
    effects
}

/// Changes what the model is. A share in the decision that stood at its default moves to the new default, also where live
/// work goes on after a visit.
fn with_defaults(state: &mut State, change: impl FnOnce(&mut State)) {
    let before = state.defaults().get(Weight::ModelTrust);
    change(state);
    let after = state.defaults().get(Weight::ModelTrust);
    if state.manifest().is_none() {
        return;
    }
    let home = state.visit.as_mut().and_then(|visit| visit.home.setting.as_mut());
    for setting in std::iter::once(&mut state.setting).chain(home) {
        if setting.weights.get(Weight::ModelTrust) == before {
            setting.weights = setting.weights.with(Weight::ModelTrust, after);
        }
    }
}

/// Ends the recorded session: the next question begins another one, with the model that answers then.
pub(super) fn turn_page(state: &mut State) -> Vec<Effect> {
    if let Some(visit) = &mut state.visit {
        // What is recorded of live use waits at home, and ends on coming back; what is asked here is none of it.
        visit.home.ended = true;
        return Vec::new();
    }
    record::settle(state);
    // The first question of the new file has none before it.
    state.course = Course::default();
    state.reading.iter_mut().for_each(|reading| reading.over = true);
    let journal = &mut state.journal;
    // The dataset is the one without what was remembered, which the new session therefore says first.
    let known = |interaction: &Interaction| Event::Remembered { interaction: interaction.clone() };
    let fresh = Journal {
        recording: Recording::Waiting,
        touched: journal.touched,
        data: journal.data.clone(),
        given: journal.given.clone(),
        remembered: journal.remembered.clone(),
        model: journal.model.clone(),
        waiting: journal.remembered.iter().map(known).collect(),
        ..Journal::default()
    };
    match journal.recording {
        Recording::Off => Vec::new(),
        // What was asked while the first model loaded is a session of memory alone.
        Recording::Waiting => {
            let begun = record::begin_alone(state);
            state.journal = fresh;
            begun
        }
        Recording::Begun | Recording::In(_) | Recording::Failed(_) => {
            let last = std::mem::replace(journal, fresh).waiting;
            if last.is_empty() { Vec::new() } else { vec![Effect::Record(last)] }
        }
    }
}

/// How far the load is.
pub(super) fn loading(state: &mut State, stage: LoadStage) {
    match &mut state.incoming {
        _ if state.calls.cross() => state.dirty = false,
        Some(incoming) => incoming.stage = Some(stage),
        None if matches!(state.model, ModelState::Loading(_)) => state.model = ModelState::Loading(Some(stage)),
        // It has died, and the host loads it again.
        None if matches!(state.model, ModelState::Ready(_)) => {
            let since = state.reviving.map_or(state.now, |(_, since)| since);
            state.reviving = Some((stage, since));
        }
        // One that nobody waits for any more.
        None => state.dirty = false,
    }
}

/// A model answers from now on.
pub(super) fn ready(state: &mut State, caps: Caps) -> Vec<Effect> {
    let origin = state.arriving.take();
    if state.calls.outlive() {
        state.dirty = false;
        return Vec::new();
    }
    let early = state.calls.cross();
    let incoming = state.incoming.take_if(|_| !early);
    (state.resident, state.reviving) = (None, None);
    // One that died is loaded again without a word, and what it died of is not asked of it again.
    let again = matches!(&state.model, ModelState::Ready(before) if *before == caps);
    let first = matches!(state.model, ModelState::Loading(_));
    let swapped = incoming.is_some() || (early && !again && !first);
    let mut effects = Vec::new();
    if swapped {
        effects.extend(turn_page(state));
        effects.extend(stop(state));
    }
    let at_start = Some(state.model_named.clone()).filter(|name| first && !name.is_empty());
    let named = incoming.map(|incoming| incoming.name).or(at_start);
    if let Some(name) = named {
        state.model_named.clone_from(&name);
        if name != SHIPPED {
            effects.push(Effect::NoteModel { name, options: Box::new(state.load.clone()) });
        }
    }
    if swapped && early && state.incoming.is_none() {
        let name = &caps.name;
        let told =
            format!("{name} was ready before its load could be cancelled, and answers now; ctrl-o chooses a model");
        tell(state, told, false);
    }
    with_defaults(state, |state| {
        state.model_name.clone_from(&caps.name);
        state.model = ModelState::Ready(caps);
        if let Some(origin) = origin {
            state.training = origin.training;
            state.need = Some(origin.need);
            state.journal.model = Some(origin.place);
        }
        if let Some(reason) = state.fit().unable(&state.model_name) {
            state.model = ModelState::Unfit(reason);
        }
    });
    // What it has written before is its own; what another one wrote is not.
    profile::fit(state);
    state.word();
    if swapped {
        // Asked anew from the start: whatever is on the screen was said by another model.
        effects.extend(read(state));
    } else if !again && state.reading.is_some() && !state.answers.stale && !state.answers.open() {
        // What was asked while it loaded is waiting with the host; ask only if nothing was.
        effects.extend(arms::ask(state));
    }
    effects
}

/// A model could not be loaded; the one that answers, if any, goes on.
pub(super) fn failed(state: &mut State, error: &EngineError) {
    state.arriving = None;
    if state.calls.cross() {
        // It was cancelled since, or another one was chosen.
        state.dirty = false;
        return;
    }
    (state.resident, state.reviving) = (None, None);
    tell(state, error.to_string(), true);
    let first = matches!(state.model, ModelState::Loading(_));
    if state.incoming.take().is_some() && !first {
        return;
    }
    state.model = ModelState::Failed(error.to_string());
    state.answers.arms.iter_mut().for_each(|arm| arm.phase = Phase::Unasked);
    state.answers.written = Default::default();
    record::answered_alone(state);
    study::recount(state);
}
