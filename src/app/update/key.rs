//! A key: the command that it stands for where it is read, a letter of the line being typed, or nothing, which is said.

use super::line::edited;
use super::{command, tell};
use crate::app::command::Context;
use crate::app::effect::Effect;
use crate::app::keymap::{self, Chord};
use crate::app::state::State;

/// Takes in a key.
pub(super) fn key(state: &mut State, chord: Chord) -> Vec<Effect> {
    let context = state.context();
    if let Some(command) = state.keys.command(context, chord) {
        return command::run(state, command);
    }
    if state.input_mut().is_none() {
        unread(state, context, chord);
        return Vec::new();
    }
    let Some(typed) = chord.typed() else { return Vec::new() };
    (state.interrupted, state.leaving) = (false, None);
    state.input_mut().into_iter().for_each(|input| input.insert(typed.encode_utf8(&mut [0; 4])));
    edited(state);
    Vec::new()
}

/// Says where a key is read that is not read here: in silence, what somebody believes to type would go on as commands.
fn unread(state: &mut State, context: Context, chord: Chord) {
    let Some(entry) = state.keys.elsewhere(state.screen(), chord) else {
        state.dirty = false;
        return;
    };
    (state.interrupted, state.leaving) = (false, None);
    let (key, name) = (chord.to_string(), entry.name);
    let key = keymap::read(&key);
    let told = match context.left_by() {
        Some(leaving) => {
            format!("{key}: no {name} {}; {} leaves it", context.place(), state.keys.first(leaving))
        }
        None => format!("{key}: {name} works {} only", entry.context.place()),
    };
    tell(state, told, false);
}
