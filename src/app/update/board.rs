//! What keys do on a board.

use super::super::board::{Against, Board, Page};
use super::super::effect::Effect;
use super::super::overlay::Overlay;
use super::super::state::State;
use crate::engine::prompt::Arm;

/// Opens a board, in the place of another one.
pub(super) fn open(state: &mut State, page: Page) {
    state.overlay = Some(Overlay::Board(Board::of(page)));
}

/// Shows the prompt of the arm, or the metric, that is `steps` further, around.
pub(super) fn turn(state: &mut State, steps: isize) {
    let metrics = super::study::metrics(state).len().max(1);
    if let Some(Overlay::Board(Board { page: Page::Sweep { by }, .. })) = &mut state.overlay {
        *by = (*by as isize + steps).rem_euclid(metrics as isize) as usize;
        return;
    }
    let Some(Overlay::Board(Board { page: Page::Prompts { arm, against }, scroll })) = &mut state.overlay else {
        return;
    };
    let n = Arm::ALL.len() as isize;
    *arm = Arm::ALL[(*arm as isize + steps).rem_euclid(n) as usize];
    (*against, *scroll) = (None, 0);
}

/// Compares the prompt with the next thing there is.
pub(super) fn compare(state: &mut State) {
    let Some(Overlay::Board(Board { page: Page::Prompts { arm, against }, .. })) = &state.overlay else { return };
    let (arm, next) = (*arm, Against::after(*against, *arm, state.outdated(*arm)));
    state.overlay = Some(Overlay::Board(Board::of(Page::Prompts { arm, against: next })));
}

/// Copies the prompt.
pub(super) fn copy(state: &State) -> Vec<Effect> {
    let Some(Overlay::Board(Board { page: Page::Prompts { arm, .. }, .. })) = &state.overlay else { return Vec::new() };
    let prompt = state.reading.as_ref().map(|reading| reading.requests[*arm as usize].prompt.clone());
    prompt.map(Effect::Copy).into_iter().collect()
}
