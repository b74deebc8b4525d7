//! Keeping the study up to date: a judged question is heard, the model speaks, a weight is turned.

use std::sync::Arc;

use super::super::state::State;
use crate::engine::prompt::Arm;
use crate::session::steps::Step;

/// Memory has answered: a judged question is studied from now on, as it was asked last.
pub(super) fn heard(state: &mut State) {
    let (Some(turn), Some(data), Some(reading)) = (state.judged, &state.data, &state.reading) else { return };
    let gold = state.gold().and_then(|gold| data.labels.iter().position(|label| label == gold));
    if gold.is_none() {
        return;
    }
    let (user, evidence) = (reading.user.clone(), reading.evidence.clone());
    let step = Step { turn, user, evidence, gold, on_habit: None, judged: true, arms: Default::default() };
    Arc::make_mut(&mut state.study.steps).put(step);
    recount(state);
}

/// The model has answered on `arm`; what it said counts from now on.
pub(super) fn spoke(state: &mut State, arm: Arm) {
    let Some(scores) = state.answers.arms[arm as usize].scores.clone() else { return };
    let Some(turn) = state.judged else { return };
    let Some(step) = Arc::make_mut(&mut state.study.steps).of_turn(turn) else { return };
    step.arms[arm as usize] = Some(Some(scores));
    recount(state);
}

/// Counts anew after the questions have changed.
pub(super) fn recount(state: &mut State) {
    if state.model.unable().is_some() {
        // Where no model will speak, memory answers alone.
        let silent = |step: &Step| step.arms.iter().any(Option::is_none);
        if state.study.steps.iter().any(silent) {
            Arc::make_mut(&mut state.study.steps).answer_alone();
        }
    }
    let default = state.setting_of(0);
    state.study.before = default.and_then(|setting| state.numbers_under(&setting));
    weigh(state);
}

/// Counts anew after the setting has changed.
pub(super) fn weigh(state: &mut State) {
    let setting = state.setting;
    state.study.now = state.numbers_under(&setting);
}
