//! The prose profile of who asks: read from disk with the question, written by the model when it is told to, changed by
//! hand, and put into the prompts of the arms that see the person's own memory.
//!
//! Invariants: nothing here waits; what the model writes about a history is kept under that history, whatever is asked
//! meanwhile; a question that supersedes the writing stops it, and says so.

use std::sync::Arc;

use super::super::answers::Phase;
use super::super::board::{Board, Page};
use super::super::command::Command;
use super::super::effect::Effect;
use super::super::overlay::{EditKind, Overlay};
use super::super::profile::{Draft, PROFILE};
use super::super::profiler::{Known, ProfileRequest};
use super::super::state::State;
use super::arms::stop;
use super::line::edit;
use super::setting::REST;
use super::tell;
use crate::engine::engine::GenRequest;
use crate::engine::host::{HostEvent, Ticket};
use crate::engine::profile::kept::Change;
use crate::engine::profile::{LIMIT, Profile, best, nothing_written};
use crate::engine::prompt::Arm;

/// A question is about to be asked: profiles of somebody else are read.
pub(super) fn asked(state: &mut State) -> Option<Effect> {
    let user = state.question.as_ref()?.user.clone();
    let whose = (state.dataset_name.clone(), user.clone());
    if state.profile.whose.as_ref() == Some(&whose) {
        return None;
    }
    let dataset = whose.0.clone();
    let profile = &mut state.profile;
    (profile.whose, profile.known, profile.fitting, profile.history) = (Some(whose), Vec::new(), None, None);
    (profile.draft, profile.unkept) = Default::default();
    let request = ProfileRequest { dataset, user, change: None };
    profile.kept.then(|| Effect::Profiles(Box::new(request)))
}

/// What is kept of who asks may have changed elsewhere.
pub(super) fn reread(state: &State) -> Option<Effect> {
    let (dataset, user) = state.profile.whose.clone().filter(|_| state.profile.kept)?;
    Some(Effect::Profiles(Box::new(ProfileRequest { dataset, user, change: None })))
}

/// Memory is about to answer the question: what the person did before it is known from here on.
pub(super) fn heard(state: &mut State) {
    let (Some(data), Some(question)) = (&state.data, &state.question) else { return };
    let history = data.history(&question.user, question.at);
    state.profile.history = Some(Arc::new(history));
    if !state.profile.draft.phase.is_open() {
        state.profile.draft = Draft::default();
    }
    fit(state);
}

/// Finds the profile that the question at hand may know.
pub(super) fn fit(state: &mut State) {
    let model = state.model_identity();
    let profile = &mut state.profile;
    let fitting = profile.history.as_ref().and_then(|history| best(&profile.known, history, &model));
    profile.fitting = fitting.cloned();
}

/// The same where prompts may have been worded already: the model reads them anew once they have rested.
fn refit(state: &mut State) {
    fit(state);
    reword(state);
}

fn reword(state: &mut State) {
    state.word();
    let outdated = state.memory_outdated() || Arm::ALL.into_iter().any(|arm| state.outdated(arm));
    if outdated && state.replay.is_none() {
        state.ask_at = Some(state.now + REST);
    }
}

/// News from the disk.
pub(super) fn known(state: &mut State, request: &ProfileRequest, known: Known) {
    let whose = state.profile.whose.as_ref();
    if whose.is_none_or(|(dataset, user)| *dataset != request.dataset || *user != request.user) {
        return;
    }
    let Known { profiles, failed } = known;
    if let Some(profiles) = profiles {
        state.profile.known = profiles;
        refit(state);
    }
    if let Some(reason) = failed.clone().filter(|_| failed != state.profile.unkept || request.change.is_some()) {
        tell(state, reason, true);
    }
    state.profile.unkept = failed;
}

/// Makes a change here, and on disk.
fn change(state: &mut State, change: Change) -> Vec<Effect> {
    change.make(&mut state.profile.known);
    refit(state);
    let kept = state.profile.kept;
    let Some((dataset, user)) = state.profile.whose.clone().filter(|_| kept) else { return Vec::new() };
    vec![Effect::Profiles(Box::new(ProfileRequest { dataset, user, change: Some(change) }))]
}

/// What its keys do.
pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Profile => state.overlay = Some(Overlay::Board(Board::of(Page::Profile))),
        Command::WriteProfile => {
            let history = state.profile.history.clone();
            state.profile.draft = Draft { phase: Phase::Waiting, history, ..Draft::default() };
            return again(state).into_iter().collect();
        }
        Command::StopProfile => return stop(state),
        Command::EditProfile => {
            let text = state.profile.fitting.as_ref().map_or(String::new(), |fitting| fitting.text().to_owned());
            edit(state, EditKind::Profile, &text);
        }
        Command::ResetProfile => {
            let Some(fitting) = state.profile.fitting.clone() else { return Vec::new() };
            let unedited = Profile { edited: None, ..fitting.clone() };
            let back = fitting.edited.is_some() && !unedited.written.is_empty();
            return change(state, if back { Change::Keep(unedited) } else { Change::Drop(fitting) });
        }
        Command::ToggleProfile => {
            state.profile.off = !state.profile.off;
            reword(state);
        }
        _ => {}
    }
    Vec::new()
}

/// Somebody has typed a profile; if it is none, why.
pub(super) fn typed(state: &mut State, text: &str) -> Result<Vec<Effect>, String> {
    if text.chars().count() > LIMIT {
        return Err(format!("{} characters; a profile has {LIMIT} at most", text.chars().count()));
    }
    let made = match (&state.profile.fitting, &state.profile.history) {
        (Some(fitting), _) => fitting.edit(text),
        (None, Some(history)) => Profile::typed(history, text),
        (None, None) => None,
    };
    made.map(|made| change(state, Change::Keep(made))).ok_or_else(|| "type some words; x resets a profile".to_owned())
}

/// Asks the model for what is being written, in the present batch: behind the arms, which answer first.
pub(super) fn again(state: &mut State) -> Option<Effect> {
    let draft = &mut state.profile.draft;
    let request: GenRequest = draft.history.as_ref()?.request();
    (draft.phase, draft.pieces) = (Phase::Waiting, 0);
    draft.text.clear();
    Some(Effect::WriteProfile { epoch: state.answers.epoch, request: Box::new(request) })
}

/// Whether an event is about a profile.
pub(super) fn is_about(event: &HostEvent) -> bool {
    let (HostEvent::Scores { ticket, .. }
    | HostEvent::Token { ticket, .. }
    | HostEvent::Again { ticket, .. }
    | HostEvent::Done { ticket, .. }
    | HostEvent::Failed { ticket, .. }) = event
    else {
        return false;
    };
    ticket.id == PROFILE
}

/// Takes in what the model writes.
pub(super) fn said(state: &mut State, event: HostEvent) -> Vec<Effect> {
    match event {
        HostEvent::Token { ticket, text } if current(state, ticket) => {
            let draft = &mut state.profile.draft;
            draft.phase = Phase::Speaking;
            draft.pieces += 1;
            draft.text.push_str(&text);
        }
        HostEvent::Again { ticket, outage } if current(state, ticket) => {
            let draft = &mut state.profile.draft;
            (draft.pieces, draft.phase) = (0, Phase::Lost(outage));
            draft.text.clear();
        }
        HostEvent::Done { ticket, stats } if current(state, ticket) => {
            let model = state.model_identity();
            let draft = &state.profile.draft;
            let of = draft.history.as_ref();
            match of.and_then(|history| Profile::written(history, model, &draft.text, stats.tokens)) {
                Some(profile) => {
                    state.profile.draft.phase = Phase::Done(stats);
                    return change(state, Change::Keep(profile));
                }
                None => state.profile.draft.phase = Phase::Failed(nothing_written().to_string()),
            }
        }
        HostEvent::Failed { ticket, error } if current(state, ticket) => {
            state.profile.draft.phase = Phase::Failed(error.to_string());
        }
        _ => {}
    }
    Vec::new()
}

/// Whether an event speaks of what is being written, and not of what was superseded.
fn current(state: &mut State, ticket: Ticket) -> bool {
    let current = ticket.epoch == state.answers.epoch && state.profile.draft.phase.is_open();
    // Otherwise nothing that is shown has changed.
    state.dirty &= current;
    current
}
