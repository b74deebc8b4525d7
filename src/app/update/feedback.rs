//! Taking in what the analyst says of the answers on the screen.

use std::sync::Arc;

use super::super::feedback::Said;
use super::super::overlay::{List, Overlay};
use super::super::state::State;
use super::{record, study, tell};
use crate::engine::prompt::Arm;
use crate::session::event::{Event, Feedback, Judgement};

/// Opens the list of the arms' answers, one of which is right or wrong.
pub(super) fn ask(state: &mut State, right: bool) {
    state.overlay = List::answers(state, right).map(Overlay::List);
}

/// Calls the answer that an arm gave right or wrong; said again, that is taken back.
pub(super) fn call(state: &mut State, arm: Arm, answer: usize, right: bool) {
    let Some(data) = state.data.clone() else { return };
    let answer = data.label(answer).to_owned();
    let same = if right { Judgement::Right } else { Judgement::Wrong };
    // A word that another one has taken back is said anew.
    let judgement = if state.words().contains(&(answer.clone(), right)) { Judgement::Withdrawn } else { same };
    let told = match judgement {
        Judgement::Right => format!("{answer} is called right"),
        Judgement::Wrong => format!("{answer} is called wrong"),
        Judgement::Withdrawn => format!("what was said of {answer} is taken back"),
    };
    say(state, Feedback { answer, judgement, arm: Some(arm) }, told);
}

/// Gives the true answer.
pub(super) fn give_gold(state: &mut State, label: usize) {
    let Some(answer) = state.data.as_ref().and_then(|data| data.labels.get(label)).cloned() else { return };
    let told = format!("{answer} is the true answer, by your word");
    say(state, Feedback { answer, judgement: Judgement::Right, arm: None }, told);
}

/// Adds a note to the question at hand.
pub(super) fn note(state: &mut State, text: String) {
    if text.is_empty() {
        return;
    }
    record::said(state, Event::Note { text: text.clone() });
    here(state).notes.push(text);
    tell(state, format!("noted{}", kept(state)), false);
}

fn say(state: &mut State, feedback: Feedback, told: String) {
    record::said(state, Event::Feedback(feedback.clone()));
    here(state).words.push(feedback);
    let verdicts = state.verdicts();
    if let (Some(data), Some(turn)) = (state.data.clone(), study::studied(state))
        && let Some(step) = Arc::make_mut(&mut state.study.steps).of_turn(turn)
    {
        step.said = verdicts.of_labels(&data.labels);
        study::recount(state);
    }
    tell(state, format!("{told}{}", kept(state)), false);
}

/// A word on where it is not.
fn kept(state: &State) -> &'static str {
    if state.journal.keeps() { "" } else { "; nothing is recorded, so it ends with the workbench" }
}

/// What is said of the question at hand.
fn here(state: &mut State) -> &mut Said {
    let ticket = state.heard;
    if state.said.last().is_none_or(|said| said.ticket != ticket) {
        state.said.push(Said { ticket, ..Said::default() });
    }
    let last = state.said.len() - 1;
    &mut state.said[last]
}

/// Another question comes: what was said of the answers to this one stands.
pub(super) fn settle(state: &mut State) {
    let called = state.called();
    let now = state.heard;
    if let Some(said) = state.said.last_mut().filter(|said| said.ticket == now) {
        said.called = called;
    }
}
