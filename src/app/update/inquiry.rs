//! Asking memory about what it said, and taking in what it tells.

use super::super::inquiry::{Inquiry, InquiryRequest, Told};
use super::super::overlay::{List, Overlay, Sheet};
use super::super::state::State;
use super::Effect;

/// Opens a sheet and asks memory for what is to stand on it; `behind` is the list it was chosen from.
pub(super) fn ask(state: &mut State, inquiry: Inquiry, behind: Option<List>) -> Vec<Effect> {
    let Some(question) = state.question.clone() else { return Vec::new() };
    state.inquiry += 1;
    state.overlay = Some(Overlay::Sheet(Sheet { title: inquiry.to_string(), told: None, scroll: 0, behind }));
    let prose = state.profile_in_prompts().map(|profile| profile.text().to_owned());
    let (ticket, weights) = (state.inquiry, state.setting.weights);
    let heard = state.heard == state.ticket && !state.answers.stale;
    let read = state.reading.as_ref().filter(|_| heard).map(|reading| reading.read.clone());
    let request = InquiryRequest { ticket, question, read, weights, prose, inquiry };
    vec![Effect::Inquire(Box::new(request))]
}

/// Takes in what memory tells, unless the sheet it was meant for has been closed or has moved on.
pub(super) fn told(state: &mut State, ticket: u64, told: Result<Told, String>) {
    let waits = matches!(&state.overlay, Some(Overlay::Sheet(sheet)) if sheet.told.is_none());
    if !waits || ticket != state.inquiry {
        state.dirty = false;
        return;
    }
    if let Ok(Told::Candidates(candidates)) = told {
        state.overlay = List::why_not(state, candidates).map(Overlay::List);
    } else if let Some(Overlay::Sheet(sheet)) = &mut state.overlay {
        sheet.told = Some(told);
    }
}
