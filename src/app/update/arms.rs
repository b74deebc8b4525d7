//! The model's part of a question: which arms are asked, and what is heard of them.

use super::{attribution, model, profile, record, study, writing};
use crate::app::effect::Effect;
use crate::app::overlay::Overlay;
use crate::app::state::{ArmAnswer, ModelState, Phase, State};
use crate::engine::host::{HostEvent, Ticket};
use crate::engine::prompt::Arm;

/// Asks the model on all arms.
pub(super) fn ask(state: &mut State) -> Vec<Effect> {
    ask_arms(state, |_, _| true)
}

/// Asks the model on some arms.
fn ask_arms(state: &mut State, wanted: impl Fn(&State, Arm) -> bool) -> Vec<Effect> {
    let Some(reading) = &state.reading else { return Vec::new() };
    state.ask_at = None;
    if state.model.unable().is_some() {
        return Vec::new();
    }
    let arms = in_turn(state).filter(|arm| wanted(state, *arm));
    let mut requests: Vec<_> = arms.map(|arm| (arm, reading.requests[arm as usize].clone())).collect();
    if requests.is_empty() {
        return Vec::new();
    }
    state.answers.epoch += 1;
    let epoch = state.answers.epoch;
    let mediated = requests.iter().any(|(arm, _)| *arm == Arm::Mediated);
    let writing = if mediated { writing::first(state) } else { None };
    requests.retain(|(arm, _)| writing.is_none() || *arm != Arm::Mediated);
    for (arm, request) in &requests {
        let prompt = request.prompt.clone();
        state.answers.arms[*arm as usize] = ArmAnswer { phase: Phase::Waiting, prompt, ..ArmAnswer::default() };
    }
    state.fuse();
    let asked = (!requests.is_empty()).then_some(Effect::Ask { epoch, requests });
    let write = writing.map(|request| Effect::Write { epoch, request: Box::new(request) });
    // The host drops what it was asked before, so that a profile under way begins anew behind the arms.
    let profile = if state.profile.draft.phase.is_open() { profile::again(state) } else { None };
    asked.into_iter().chain(write).chain(profile).collect()
}

/// All arms as they are asked: one after another, the one that is looked at first. Where no board shows one, that is the
/// mediated arm, whose decision the screen turns on.
fn in_turn(state: &State) -> impl Iterator<Item = Arm> {
    let board = state.overlay.as_ref().and_then(Overlay::board);
    let seen = board.and_then(|board| board.page.arm()).unwrap_or(Arm::Mediated);
    std::iter::once(seen).chain(Arm::ALL.into_iter().filter(move |arm| *arm != seen))
}

/// Once a prompt has rested, asks the arm it belongs to again, and with it those that still have to answer: the model
/// drops what it was asked before.
pub(super) fn ask_where_outdated(state: &mut State) -> Vec<Effect> {
    if state.ask_at.is_none_or(|at| state.now < at) {
        return Vec::new();
    }
    let effects = ask_arms(state, |state, arm| state.outdated(arm) || state.answers.arms[arm as usize].phase.is_open());
    state.dirty |= !effects.is_empty();
    effects
}

/// Stops the model.
pub(super) fn stop(state: &mut State) -> Vec<Effect> {
    if !state.answers.open() && !state.profile.draft.phase.is_open() {
        return Vec::new();
    }
    state.answers.epoch += 1;
    let arms = state.answers.arms.iter_mut().map(|arm| &mut arm.phase);
    let others = [&mut state.answers.written.phase, &mut state.profile.draft.phase];
    for phase in arms.chain(others).filter(|phase| phase.is_open()) {
        *phase = Phase::Stopped;
    }
    vec![Effect::Cancel]
}

/// Takes in what the engine's host says.
pub(super) fn host(state: &mut State, event: HostEvent) -> Vec<Effect> {
    if writing::is_about(&event) {
        return writing::heard(state, event);
    }
    if profile::is_about(&event) {
        return profile::said(state, event);
    }
    match event {
        HostEvent::Heeded(calls) => {
            state.calls.heed(calls);
            state.dirty = false;
        }
        // Whatever it says, it is not asked.
        HostEvent::Loading { .. } | HostEvent::Origin(_) | HostEvent::Ready(_) | HostEvent::LoadFailed(_)
            if state.incoming.is_none() && !state.calls.cross() && matches!(state.model, ModelState::Unfit(_)) => {}
        HostEvent::Loading { stage, .. } => model::loading(state, stage),
        HostEvent::Resident(bytes) => state.resident = Some(bytes),
        HostEvent::Origin(origin) => state.arriving = Some(origin),
        HostEvent::Ready(caps) => return model::ready(state, caps),
        HostEvent::LoadFailed(error) => model::failed(state, &error),
        HostEvent::Scores { ticket, scores } => {
            if let Some(arm) = answered(state, ticket) {
                arm.scores = Some(scores);
                arm.phase = Phase::Speaking;
                state.fuse();
                if ticket.id as usize + 1 == Arm::ALL.len() {
                    state.refresh_model_bands();
                }
            }
        }
        HostEvent::Token { ticket, text } => {
            if let Some(arm) = answered(state, ticket) {
                arm.phase = Phase::Speaking;
                arm.text.push_str(&text);
            }
        }
        HostEvent::Again { ticket, outage } => {
            if let Some(arm) = answered(state, ticket) {
                arm.scores = None;
                arm.text.clear();
                arm.phase = Phase::Lost(outage);
                state.fuse();
            }
        }
        HostEvent::Done { ticket, stats } => {
            if answered(state, ticket).is_some() {
                record::settle(state);
            }
            if let Some(arm) = answered(state, ticket) {
                arm.phase = Phase::Done(stats);
                let arm = Arm::ALL.into_iter().find(|arm| *arm as u64 == ticket.id);
                // An answer to a prompt that has changed since belongs to no setting that stands.
                if let Some(arm) = arm.filter(|arm| !state.outdated(*arm)) {
                    // The study holds the question with the whole history.
                    if state.rungs.set.is_none() {
                        study::spoke(state, arm);
                    }
                    record::answered(state, arm);
                }
            }
        }
        HostEvent::Failed { ticket, error } => {
            if let Some(arm) = answered(state, ticket) {
                arm.phase = Phase::Failed(error.to_string());
            }
        }
        HostEvent::Traced { ticket, traced } => return attribution::traced(state, ticket, traced),
    }
    Vec::new()
}

/// The arm that an event speaks of, unless it answers an earlier question.
fn answered(state: &mut State, ticket: Ticket) -> Option<&mut ArmAnswer> {
    if ticket.epoch != state.answers.epoch {
        // Nothing that is shown has changed.
        state.dirty = false;
        return None;
    }
    state.answers.arms.get_mut(ticket.id as usize)
}
