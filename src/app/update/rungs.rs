//! Keeping the ladder and the dial up to date: a board opens, a rung is read, another one is looked at.

use std::sync::Arc;

use super::super::effect::Effect;
use super::super::overlay::Overlay;
use super::super::rungs::{ClimbRequest, News};
use super::super::state::{MemoryState, State};
use super::question::read;
use super::{arms, record};

/// Rungs that stay in sight above the one that is looked at.
const LEAD: u16 = 4;

/// Looks at another rung.
pub(super) fn step(state: &mut State, steps: isize) {
    let Some(scale) = &state.rungs.scale else { return };
    let last = scale.rungs.len() as isize - 1;
    state.rungs.at = (state.rungs.at as isize).saturating_add(steps).clamp(0, last.max(0)) as usize;
    state.rungs.moved = true;
    let (at, limit) = (state.rungs.at, state.limits.help);
    if let Some(Overlay::Board(board)) = &mut state.overlay {
        // A few rungs above it stay in sight where not all fit.
        board.scroll = (at as u16).saturating_sub(LEAD).min(limit);
    }
}

/// Takes in what a climb tells, unless it has been superseded.
pub(super) fn climbed(state: &mut State, ticket: u64, news: News) {
    if ticket != state.rungs.ticket || state.rungs.wanted.is_none() {
        state.dirty = false;
        return;
    }
    match news {
        News::Begun(scale) => {
            let before = state.rungs.rung();
            state.rungs.begin(scale, before);
        }
        News::Rung(rung) => {
            Arc::make_mut(&mut state.rungs.found).push(*rung);
            count(state);
        }
        News::Nothing(reason) => {
            state.rungs.failed = Some(reason);
            state.rungs.scale = None;
        }
    }
}

/// Counts anew after a rung was read.
fn count(state: &mut State) {
    let gold = state.gold().zip(state.data.as_ref());
    let gold = gold.and_then(|(gold, data)| data.labels.iter().position(|label| label == gold));
    let judged = super::study::as_judged(state).zip(gold);
    state.rungs.complete(judged);
    let setting = state.setting;
    state.rungs.weigh(&setting);
}

/// What has to be read for the board on the screen, and whether the rung looked at is to be shown; the whole history comes
/// back with the board's end.
pub(super) fn drain(state: &mut State) -> Vec<Effect> {
    if state.replay.is_some() {
        return Vec::new();
    }
    let ready = state.memory == MemoryState::Ready;
    let wanted = state.climbs().zip(state.question.clone()).filter(|_| ready);
    let Some((kind, question)) = wanted else {
        if state.rungs.wanted.take().is_none() {
            return Vec::new();
        }
        state.rungs.ticket += 1;
        let shown = state.rungs.set.take().is_some();
        (state.rungs.moved, state.rungs.scale) = (false, None);
        let mut effects = vec![Effect::ClimbDown(state.rungs.ticket)];
        if shown {
            effects.extend(read(state));
        }
        return effects;
    };
    let same = state.rungs.wanted.as_ref().is_some_and(|(of, asked)| *of == kind && *asked == question);
    let mut effects = Vec::new();
    if !same {
        state.rungs.ticket += 1;
        state.rungs.turn_to(kind, question.clone());
        if state.rungs.found.is_empty() {
            let ticket = state.rungs.ticket;
            effects.push(Effect::Climb(Box::new(ClimbRequest { ticket, kind, question })));
        } else {
            count(state);
        }
    }
    effects.extend(show(state));
    effects
}

/// Shows the rung that is looked at, once it and the question itself have been read.
fn show(state: &mut State) -> Vec<Effect> {
    let rungs = &state.rungs;
    let heard = state.heard == state.ticket && !state.answers.stale && state.reading.is_some();
    if !rungs.moved || rungs.set == Some(rungs.at) || !heard {
        return Vec::new();
    }
    let Some(climbed) = rungs.found.get(rungs.at).cloned() else { return Vec::new() };
    record::settle(state);
    state.rungs.set = Some(state.rungs.at);
    state.scroll = [0; 5];
    state.answers.arms = Default::default();
    state.retake_reading(climbed.read, climbed.blocks);
    record::heard(state, Some(Box::new(climbed.heard)), Some(climbed.held));
    state.dirty = true;
    arms::ask(state)
}
