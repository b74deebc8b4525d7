//! The memory that the model writes under a policy that has it written: asked for before the mediated arm, which reads it.
//!
//! Invariant: the mediated arm is asked with a memory written from what stands now; what is written meanwhile from
//! something else is dropped with its epoch, or written anew once the change has rested.

use super::super::answers::{Phase, WRITING, Writing};
use super::super::effect::Effect;
use super::super::state::{ArmAnswer, State};
use crate::engine::engine::GenRequest;
use crate::engine::host::{HostEvent, Ticket};
use crate::engine::prompt::Arm;
use crate::engine::reconcile::{nothing_written, one_line};

/// What has to be asked before the mediated arm, which waits; `None` if it can be asked at once.
pub(super) fn first(state: &mut State) -> Option<GenRequest> {
    if state.answers.written.phase.is_open() {
        // Superseded by what is asked now.
        state.answers.written = Writing::default();
    }
    let request = state.reading.as_ref()?.writing.clone()?;
    if state.answers.written.memory().is_some() && !state.memory_outdated() {
        return None;
    }
    state.answers.written = Writing { phase: Phase::Waiting, prompt: request.prompt.clone(), ..Writing::default() };
    state.answers.arms[Arm::Mediated as usize] = ArmAnswer { phase: Phase::Waiting, ..ArmAnswer::default() };
    Some(request)
}

/// Whether an event is about the written memory.
pub(super) fn is_about(event: &HostEvent) -> bool {
    let (HostEvent::Scores { ticket, .. }
    | HostEvent::Token { ticket, .. }
    | HostEvent::Again { ticket, .. }
    | HostEvent::Done { ticket, .. }
    | HostEvent::Failed { ticket, .. }) = event
    else {
        return false;
    };
    ticket.id == WRITING
}

/// Takes in what the model writes; once it has written, the mediated arm is asked.
pub(super) fn heard(state: &mut State, event: HostEvent) -> Vec<Effect> {
    match event {
        HostEvent::Token { ticket, text } if current(state, ticket) => {
            state.answers.written.phase = Phase::Speaking;
            state.answers.written.text.push_str(&text);
        }
        HostEvent::Again { ticket, outage } if current(state, ticket) => {
            state.answers.written.text.clear();
            state.answers.written.phase = Phase::Lost(outage);
        }
        HostEvent::Done { ticket, stats } if current(state, ticket) => match one_line(&state.answers.written.text) {
            Some(memory) => {
                state.answers.written.text = memory;
                state.answers.written.phase = Phase::Done(stats);
                return read(state);
            }
            None => fail(state, &nothing_written().to_string()),
        },
        HostEvent::Failed { ticket, error } if current(state, ticket) => fail(state, &error.to_string()),
        _ => {}
    }
    Vec::new()
}

/// Asks the mediated arm with the memory, unless that is about to be written anew.
fn read(state: &mut State) -> Vec<Effect> {
    state.word();
    let Some(reading) = state.reading.as_ref().filter(|_| !state.memory_outdated()) else { return Vec::new() };
    let request = reading.requests[Arm::Mediated as usize].clone();
    let prompt = request.prompt.clone();
    state.answers.arms[Arm::Mediated as usize] = ArmAnswer { phase: Phase::Waiting, prompt, ..ArmAnswer::default() };
    state.fuse();
    vec![Effect::Ask { epoch: state.answers.epoch, requests: vec![(Arm::Mediated, request)] }]
}

fn fail(state: &mut State, reason: &str) {
    state.answers.written.phase = Phase::Failed(reason.to_owned());
    state.answers.arms[Arm::Mediated as usize].phase = Phase::Failed("there is no memory to read".to_owned());
}

/// Whether an event speaks of what is being written, and not of what was superseded.
fn current(state: &mut State, ticket: Ticket) -> bool {
    let current = ticket.epoch == state.answers.epoch;
    // Otherwise nothing that is shown has changed.
    state.dirty &= current;
    current
}
