//! Keeping the study up to date: a judged question is heard, the model speaks, a weight is turned.

use std::sync::Arc;

use super::super::board::Page;
use super::super::effect::Effect;
use super::super::overlay::Overlay;
use super::super::state::{Setting, State};
use super::super::surveyor::{Found, Survey, SurveyRequest};
use crate::engine::prompt::Arm;
use crate::eval::metrics::TaskMeasures;
use crate::eval::sweep::By;
use crate::session::steps::Step;

/// The judged question on the screen, where it is asked as it is judged: at another moment memory may know its answer.
pub(super) fn as_judged(state: &State) -> Option<usize> {
    state.judged.filter(|_| !state.is_moved())
}

/// The same where it counts in the study: what a replayed moment's memory says is no part of the study of this one.
pub(super) fn studied(state: &State) -> Option<usize> {
    as_judged(state).filter(|_| state.visit.is_none())
}

/// Memory has answered: a judged question is studied from now on, as it was asked last.
pub(super) fn heard(state: &mut State) {
    let (Some(turn), Some(data), Some(reading)) = (studied(state), &state.data, &state.reading) else { return };
    let gold = state.gold().and_then(|gold| data.labels.iter().position(|label| label == gold));
    if gold.is_none() {
        return;
    }
    let (user, evidence) = (reading.user.clone(), reading.evidence.clone());
    let (arms, said) = Default::default();
    let step = Step { turn, user, evidence, gold, on_habit: None, judged: true, arms, said };
    Arc::make_mut(&mut state.study.steps).put(step);
    recount(state);
}

/// The model has answered on `arm`; what it said counts from now on.
pub(super) fn spoke(state: &mut State, arm: Arm) {
    let Some(scores) = state.answers.arms[arm as usize].scores.clone() else { return };
    let Some(turn) = studied(state) else { return };
    let Some(step) = Arc::make_mut(&mut state.study.steps).of_turn(turn) else { return };
    step.arms[arm as usize] = Some(Some(scores));
    recount(state);
}

/// Counts anew after the questions have changed.
pub(super) fn recount(state: &mut State) {
    if state.model.unable().is_some() || state.writes() {
        // Where no model will speak, or speaks in texts without scores, memory answers alone.
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

/// What has to be surveyed for the board on the screen, if that has changed; or that nothing has to be any more.
pub(super) fn drain(state: &mut State) -> Vec<Effect> {
    let page = state.overlay.as_ref().and_then(Overlay::board).map(|board| &board.page);
    let wanted = match page {
        Some(Page::Flips) => Some((Survey::Flips, state.setting)),
        Some(Page::Sweep { by }) => sweep(state, *by),
        _ => None,
    };
    let survey = &mut state.study.survey;
    let Some((what, setting)) = wanted else {
        if survey.wanted.take().is_none() {
            return Vec::new();
        }
        survey.ticket += 1;
        survey.found = None;
        return vec![Effect::Cease(survey.ticket)];
    };
    let steps = Arc::clone(&state.study.steps);
    let same = survey.wanted.as_ref().is_some_and(|(old_steps, old_setting, old)| {
        Arc::ptr_eq(old_steps, &steps) && (old_setting, old) == (&setting, &what)
    });
    if same {
        return Vec::new();
    }
    if survey.wanted.as_ref().is_none_or(|(.., old)| *old != what) {
        survey.found = None;
    }
    survey.ticket += 1;
    survey.done = (0, 1);
    survey.wanted = Some((Arc::clone(&steps), setting, what.clone()));
    vec![Effect::Survey(Box::new(SurveyRequest { ticket: survey.ticket, steps, setting, survey: what }))]
}

/// The metrics of the task; none where it has none.
pub(super) fn metrics(state: &State) -> Vec<By> {
    let measures = state.manifest().and_then(|manifest| TaskMeasures::of(manifest).ok());
    measures.map(|measures| By::all(&measures)).unwrap_or_default()
}

/// The sweep of the selected weight, by the metric in this place.
fn sweep(state: &State, by: usize) -> Option<(Survey, Setting)> {
    let measures = TaskMeasures::of(state.manifest()?).ok()?;
    let by = *metrics(state).get(by)?;
    Some((Survey::Sweep { weight: state.weight, measures, by }, state.setting))
}

/// Takes in what a survey tells, unless it has been superseded.
pub(super) fn surveyed(state: &mut State, ticket: u64, done: (usize, usize), found: Option<Found>) {
    let survey = &mut state.study.survey;
    if ticket != survey.ticket {
        state.dirty = false;
        return;
    }
    survey.done = done;
    if found.is_some() {
        survey.found = found;
    }
}
