//! The fit on its board: start, stop, what it tells, and a look at what was held out.

use super::super::board::Page;
use super::super::effect::Effect;
use super::super::fitter::{FitNews, FitRequest};
use super::super::keeper::Change;
use super::super::state::State;
use super::super::study::FitState;
use super::{board, tell, tries};

/// Shows how the fit stands.
pub(super) fn open(state: &mut State) {
    board::open(state, Page::Fit);
}

/// Starts a fit from the present setting.
pub(super) fn start(state: &mut State) -> Vec<Effect> {
    let Some(data) = state.data.clone() else { return Vec::new() };
    let fitting = &mut state.study.fitting;
    fitting.ticket += 1;
    fitting.state = FitState::Running("starting".to_owned());
    fitting.revealed = false;
    vec![Effect::Fit(Box::new(FitRequest { ticket: fitting.ticket, data, setting: state.setting }))]
}

/// Stops the fit under way.
pub(super) fn stop(state: &mut State) -> Vec<Effect> {
    let fitting = &mut state.study.fitting;
    fitting.ticket += 1;
    fitting.state = FitState::Idle;
    let ticket = fitting.ticket;
    tell(state, "the fit is stopped; nothing is changed".to_owned(), false);
    vec![Effect::StopFit(ticket)]
}

/// Takes in what a fit tells, unless it was stopped. What it found becomes a try.
pub(super) fn told(state: &mut State, ticket: u64, news: FitNews) -> Vec<Effect> {
    if ticket != state.study.fitting.ticket {
        state.dirty = false;
        return Vec::new();
    }
    match news {
        FitNews::Stage(stage) => {
            state.study.fitting.state = FitState::Running(stage);
            Vec::new()
        }
        FitNews::Failed(reason) => {
            tell(state, reason.clone(), true);
            state.study.fitting.state = FitState::Failed(reason);
            Vec::new()
        }
        FitNews::Done(fitted) => {
            let (saved, effects) = match fitted.after == fitted.before {
                true => (None, Vec::new()),
                false => {
                    let (saved, effect) = tries::keep(state, "fitted", &fitted.after);
                    (Some(saved), vec![effect])
                }
            };
            state.study.fitting.state = FitState::Done { fitted, saved };
            effects
        }
    }
}

/// Shows what the fit does on the queries held out, and counts the look.
pub(super) fn reveal(state: &mut State) -> Vec<Effect> {
    state.study.fitting.revealed = true;
    state.looks = state.looks.saturating_add(1);
    vec![Effect::Tries { dataset: state.dataset_name.clone(), change: Some(Change::Look) }]
}
