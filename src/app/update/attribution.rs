//! Keeping the attribution on its board up to date: one prompt is asked after another, and all anew when the answer changes.

use super::super::attribution::{Found, Progress};
use super::super::board::{Board, Page};
use super::super::effect::Effect;
use super::super::overlay::Overlay;
use super::super::state::State;
use super::board;
use crate::engine::attribution::Attribution;
use crate::engine::error::EngineError;
use crate::engine::host::Ticket;
use crate::engine::prompt::Arm;
use crate::engine::trace::Trace;

/// Opens the board; what failed before is tried again.
pub(super) fn open(state: &mut State, arm: Arm) {
    state.attribution.found.take_if(|found| matches!(found.progress, Progress::Failed(_)));
    board::open(state, Page::Attribution { arm, token: 0 });
}

/// Selects another token.
pub(super) fn step(state: &mut State, steps: isize) {
    let answer = state.attribution.found.as_ref().and_then(|found| found.attribution.answer());
    let last = answer.map_or(0, |answer| answer.tokens.len().saturating_sub(1));
    if let Some(Overlay::Board(Board { page: Page::Attribution { token, .. }, .. })) = &mut state.overlay {
        *token = (*token as isize).saturating_add(steps).clamp(0, last as isize) as usize;
    }
}

/// What has to be asked for the board on the screen, and what no longer.
pub(super) fn drain(state: &mut State) -> Vec<Effect> {
    let Some((arm, _)) = state.attributed() else {
        let stopped = state.attribution.found.as_mut().filter(|found| found.progress == Progress::Asking);
        let Some(found) = stopped else { return Vec::new() };
        found.progress = Progress::Stopped;
        return vec![supersede(state)];
    };
    let plan = if state.unattributable(arm).is_none() { state.attribution_plan(arm) } else { None };
    let batch = state.answers.epoch;
    let found = state.attribution.found.as_ref();
    let same = found.is_some_and(|found| found.batch == batch && Some(&found.attribution.plan) == plan.as_ref());
    let mut effects = Vec::new();
    if !same {
        if state.attribution.under_way() {
            effects.push(supersede(state));
        }
        state.attribution.found =
            plan.map(|plan| Found { batch, attribution: Attribution::new(plan), progress: Progress::Stopped });
        select_first(state);
    }
    if let Some(found) = &mut state.attribution.found
        && found.progress == Progress::Stopped
    {
        effects.extend(ask(state));
    }
    effects
}

/// Asks what is to be asked next, if anything is.
fn ask(state: &mut State) -> Option<Effect> {
    let attributing = &mut state.attribution;
    let found = attributing.found.as_mut()?;
    let Some(request) = found.attribution.request() else {
        found.progress = Progress::Done;
        return None;
    };
    found.progress = Progress::Asking;
    attributing.epoch += 1;
    Some(Effect::Trace { epoch: attributing.epoch, request: Box::new(request) })
}

/// Nothing more is heard of what was asked so far.
fn supersede(state: &mut State) -> Effect {
    state.attribution.epoch += 1;
    Effect::CancelTrace(state.attribution.epoch)
}

/// The token that was selected belongs to another answer.
fn select_first(state: &mut State) {
    if let Some(Overlay::Board(Board { page: Page::Attribution { token, .. }, .. })) = &mut state.overlay {
        *token = 0;
    }
}

/// Takes in what the model found, unless it has been superseded.
pub(super) fn traced(state: &mut State, ticket: Ticket, traced: Result<Trace, EngineError>) -> Vec<Effect> {
    let current = ticket.epoch == state.attribution.epoch;
    let Some(found) = state.attribution.found.as_mut().filter(|found| current && found.progress == Progress::Asking)
    else {
        state.dirty = false;
        return Vec::new();
    };
    match traced.and_then(|trace| found.attribution.take(trace)) {
        Ok(()) => ask(state).into_iter().collect(),
        Err(error) => {
            found.progress = Progress::Failed(error.to_string());
            Vec::new()
        }
    }
}
