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
    let Some(Overlay::Board(Board { page, scroll })) = &mut state.overlay else { return };
    let (Page::Prompts { arm, .. } | Page::Attribution { arm, .. }) = page else { return };
    let n = Arm::ALL.len() as isize;
    *arm = Arm::ALL[(*arm as isize + steps).rem_euclid(n) as usize];
    *scroll = 0;
    if let Page::Prompts { against, .. } = page {
        *against = None;
    }
}

/// Compares the prompt with the next thing there is.
pub(super) fn compare(state: &mut State) {
    let Some(Overlay::Board(Board { page: Page::Prompts { arm, against }, .. })) = &state.overlay else { return };
    let (arm, next) = (*arm, Against::after(*against, *arm, state.outdated(*arm)));
    state.overlay = Some(Overlay::Board(Board::of(Page::Prompts { arm, against: next })));
}

/// Brings a comparison of two settings up to date with the session and the present setting.
pub(super) fn follow(state: &mut State) {
    let Some(Page::Compared(comparison)) = state.overlay.as_ref().and_then(Overlay::board).map(|board| &board.page)
    else {
        return;
    };
    let Some(anew) = comparison.anew(state) else { return };
    let board = match &mut state.overlay {
        Some(Overlay::Board(board)) => Some(board),
        Some(Overlay::Edit(edit)) => edit.behind.as_mut(),
        Some(Overlay::List(list)) => list.behind.as_mut(),
        _ => None,
    };
    board.into_iter().for_each(|board| board.page = Page::Compared(Box::new(anew.clone())));
}

/// Copies the prompt.
pub(super) fn copy(state: &State) -> Vec<Effect> {
    let Some(Overlay::Board(Board { page: Page::Prompts { arm, .. }, .. })) = &state.overlay else { return Vec::new() };
    let prompt = state.reading.as_ref().map(|reading| reading.requests[*arm as usize].prompt.clone());
    prompt.map(Effect::Copy).into_iter().collect()
}
