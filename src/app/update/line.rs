//! The line being typed: opened, changed, put aside, taken as what it was asked for, and closed or told why it was not.

use super::command::close;
use super::question::ask;
use super::{dataset, feedback, inquiry, model, profile, replay, tell, tries};
use crate::app::command::Context;
use crate::app::datasets::Place;
use crate::app::effect::Effect;
use crate::app::input::Input;
use crate::app::inquiry::Inquiry;
use crate::app::overlay::{Edit, EditKind, Overlay};
use crate::app::shelf::Source;
use crate::app::state::State;
use crate::data::interaction::Timestamp;

/// Opens a line; a board that it is typed over stays.
pub(super) fn edit(state: &mut State, kind: EditKind, text: &str) {
    let before = state.overlay.take();
    state.overlay = Some(Overlay::Edit(Edit::over(kind, text, before)));
}

/// Keeps a question that is left half typed, for whoever goes on with it.
pub(super) fn put_aside(state: &mut State) {
    if let Some(Overlay::Edit(Edit { kind: EditKind::Query, input, .. })) = &state.overlay {
        state.draft = input.text().to_owned();
    }
}

/// Changes what is typed.
pub(super) fn change(state: &mut State, how: impl FnOnce(&mut Input)) {
    if let Some(input) = state.input_mut() {
        how(input);
        edited(state);
    }
}

/// Takes what was typed, as what it was asked for; a line that is not taken says why.
pub(super) fn accept(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Edit(edit)) = &mut state.overlay else { return Vec::new() };
    let text = edit.input.text().trim().to_owned();
    match edit.kind {
        EditKind::Query if text.is_empty() => {
            close(state);
            state.draft.clear();
            tell(state, "nothing was typed; the question stays".to_owned(), false);
            Vec::new()
        }
        EditKind::Query => {
            close(state);
            state.draft.clear();
            state.typed = Some(text.clone());
            if state.data.is_none() {
                state.wanted = Some(text);
                state.chosen = true;
                tell(state, "asked as soon as the dataset is read".to_owned(), false);
                return Vec::new();
            }
            ask(state, |question| question.query = text)
        }
        EditKind::Date => match Timestamp::typed(&text) {
            Ok(at) => {
                close(state);
                ask(state, |question| question.at = at)
            }
            Err(error) => {
                edit.complaint = Some(error.to_string());
                Vec::new()
            }
        },
        EditKind::Turn => {
            let turns = state.replay.as_ref().map_or(0, |replay| replay.turns());
            match text.parse::<usize>() {
                Ok(number) if (1..=turns).contains(&number) => {
                    close(state);
                    replay::go_to(state, number - 1);
                }
                _ => edit.complaint = Some(format!("give a number from 1 to {turns}")),
            }
            Vec::new()
        }
        EditKind::Note => {
            close(state);
            feedback::note(state, text);
            Vec::new()
        }
        EditKind::Profile => {
            let taken = profile::typed(state, &text);
            taken_or_told(state, taken)
        }
        EditKind::Value(weight) => {
            let taken = tries::take_value(state, weight, &text);
            taken_or_told(state, taken.map(|()| Vec::new()))
        }
        EditKind::TryName => {
            let taken = tries::save(state, &text);
            taken_or_told(state, taken)
        }
        EditKind::TryNote(number) => {
            let taken = tries::note(state, number, &text);
            taken_or_told(state, taken)
        }
        EditKind::ExportPath | EditKind::ImportPath | EditKind::Path | EditKind::Folder if text.is_empty() => {
            close(state);
            Vec::new()
        }
        // The line stays until it is known whether its path leads anywhere.
        EditKind::ExportPath => {
            let book = Box::new(state.tries.clone().into());
            vec![Effect::Export { path: text.into(), dataset: state.dataset_name.clone(), book }]
        }
        EditKind::ImportPath => vec![Effect::Import(text.into())],
        EditKind::Path => vec![Effect::Open(Source::File(text.into()))],
        EditKind::Id => {
            close(state);
            if text.is_empty() { Vec::new() } else { inquiry::ask(state, Inquiry::WhyNot(text), None) }
        }
        EditKind::Folder => {
            close(state);
            dataset::choose(state, Place::Folder(text.into()))
        }
        EditKind::Model => {
            close(state);
            model::choose(state, text)
        }
    }
}

/// Closes the line, or says in it why it was not taken.
fn taken_or_told(state: &mut State, taken: Result<Vec<Effect>, String>) -> Vec<Effect> {
    match (taken, &mut state.overlay) {
        (Ok(effects), _) => {
            close(state);
            return effects;
        }
        (Err(reason), Some(Overlay::Edit(edit))) => edit.complaint = Some(reason),
        (Err(_), _) => {}
    }
    Vec::new()
}

/// Takes in a text that the terminal pastes.
pub(super) fn paste(state: &mut State, text: &str) {
    // Pasted on the bare screen a text can only be meant as a query; its letters must not run as commands.
    if state.context() == Context::Main {
        state.overlay = Some(Overlay::Edit(Edit::over(EditKind::Query, "", None)));
    }
    if let Some(input) = state.input_mut() {
        input.insert(text);
        edited(state);
    }
}

/// What follows from a change of the line being typed.
pub(super) fn edited(state: &mut State) {
    match &mut state.overlay {
        Some(Overlay::Edit(edit)) => edit.complaint = None,
        Some(overlay) => overlay.refilter(),
        None => {}
    }
}

/// A path that was typed has led somewhere: its line closes, if it is still there.
pub(super) fn led(state: &mut State, kind: EditKind) {
    if matches!(&state.overlay, Some(Overlay::Edit(edit)) if edit.kind == kind) {
        close(state);
    }
}

/// A path leads nowhere: its line says why, so that it can be corrected there; without one it is news.
pub(super) fn misled(state: &mut State, kind: EditKind, reason: String) {
    match &mut state.overlay {
        Some(Overlay::Edit(edit)) if edit.kind == kind => edit.complaint = Some(reason),
        _ => tell(state, reason, true),
    }
}
