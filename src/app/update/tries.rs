//! Numbers typed for a weight, and tries: save, choose, delete, and what the keeper says of them.

use super::super::board::{Comparison, Page};
use super::super::effect::Effect;
use super::super::keeper::{Change, Kept};
use super::super::overlay::{Choice, EditKind, List, Overlay};
use super::super::state::{Setting, State};
use super::line::edit;
use super::setting::step;
use super::{replay, tell};
use crate::mediator::Weight;
use crate::mediator::weights::Scope;
use crate::session::tries::{Book, LONGEST_NAME, LONGEST_NOTE, Try, next_number};

/// The value that `text` means for `weight`, or why it means none.
fn value_of(weight: Weight, text: &str, default: f64) -> Result<f64, String> {
    if text == "default" {
        return Ok(default);
    }
    let (low, high) = weight.range();
    match text.parse::<f64>() {
        Ok(value) if (low..=high).contains(&value) => Ok(value),
        Ok(value) if !value.is_nan() => Err(format!("{weight} is {value}; its range is {low} to {high}")),
        _ => Err(format!("{weight} is '{text}'; give a number from {low} to {high}, or default")),
    }
}

/// Opens the line for the selected weight's value.
pub(super) fn type_value(state: &mut State) {
    let weight = state.weight;
    match state.ignored(weight) {
        Some(reason) => tell(state, format!("{weight} does nothing now: {reason}"), false),
        None => edit(state, EditKind::Value(weight), ""),
    }
}

/// Takes the value typed for `weight`; `Err` is why it is none.
pub(super) fn take_value(state: &mut State, weight: Weight, text: &str) -> Result<(), String> {
    if !text.is_empty() {
        let value = value_of(weight, text, state.defaults().get(weight))?;
        let weights = state.setting.weights.with(weight, value);
        step(state, Setting { weights, ..state.setting });
    }
    Ok(())
}

/// Opens the line for the name of a try.
pub(super) fn type_name(state: &mut State) {
    let name = format!("try {}", next_number(&state.tries));
    edit(state, EditKind::TryName, &name);
}

/// Saves the present setting under `name`; `Err` is why that is no name.
pub(super) fn save(state: &mut State, name: &str) -> Result<Vec<Effect>, String> {
    if name.is_empty() {
        return Err("a try needs a name".to_owned());
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(format!("a name has {LONGEST_NAME} characters at most"));
    }
    if let Some(other) = state.tries.iter().find(|saved| saved.name == name) {
        return Err(format!("try {} has this name; choose another", other.number));
    }
    let mut new = Try::of(next_number(&state.tries), name.to_owned(), &state.setting);
    if state.model.unable().is_some() {
        // What nothing was asked with is no part of what was tried: another model keeps its own share.
        new.stated.retain(|(weight, _)| weight.scope() != Scope::Model);
    }
    state.at_try = new.number;
    state.tries.push(new.clone());
    Ok(vec![change(state, Change::Save(new))])
}

/// Keeps `setting` under `name`, with a number behind it where that is taken; the new try's title.
pub(super) fn keep(state: &mut State, name: &str, setting: &Setting) -> (String, Effect) {
    let taken = |name: &String| state.tries.iter().any(|saved| saved.name == *name);
    let numbered = (2..).map(|n| format!("{name} {n}"));
    let name = std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
    let mut new = Try::of(next_number(&state.tries), name, setting);
    new.stated.retain(|(weight, _)| weight.scope() != Scope::Model);
    state.tries.push(new.clone());
    (new.title(), change(state, Change::Save(new)))
}

/// Sets the try of this number, 0 for the default, as one step.
pub(super) fn apply(state: &mut State, number: u32) {
    let Some(setting) = state.setting_of(number) else { return };
    if let Some(reason) = state.barred(setting.policy) {
        return tell(state, format!("policy {} cannot be chosen: {reason}", setting.policy), false);
    }
    // Noted with the step, so that undo knows which try was in force before.
    step(state, setting);
    state.at_try = number;
}

/// Asks whether the selected try is to be deleted; asked once more, deletes it.
pub(super) fn delete(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::List(list)) = &mut state.overlay else { return Vec::new() };
    let Some(Choice::Try(number)) = list.current().map(|row| row.choice) else { return Vec::new() };
    if list.doomed != Some(number) {
        list.doomed = Some(number);
        return Vec::new();
    }
    let Some(place) = state.tries.iter().position(|saved| saved.number == number) else { return Vec::new() };
    let old = state.tries.remove(place);
    if state.at_try == number {
        state.at_try = 0;
    }
    relist(state);
    vec![change(state, Change::Delete(old))]
}

/// Opens the line for a note on the selected try.
pub(super) fn type_note(state: &mut State) {
    let Some(number) = selected(state) else { return };
    let Some(saved) = state.tries.iter().find(|saved| saved.number == number) else { return };
    let note = saved.note.clone();
    edit(state, EditKind::TryNote(number), &note);
}

/// Notes something about a try; `Err` is why that is no note.
pub(super) fn note(state: &mut State, number: u32, text: &str) -> Result<Vec<Effect>, String> {
    if text.chars().count() > LONGEST_NOTE {
        return Err(format!("a note has {LONGEST_NOTE} characters at most"));
    }
    let Some(saved) = state.tries.iter_mut().find(|saved| saved.number == number) else { return Ok(Vec::new()) };
    text.clone_into(&mut saved.note);
    let noted = saved.clone();
    Ok(vec![change(state, Change::Note(noted))])
}

fn selected(state: &State) -> Option<u32> {
    let Some(Overlay::List(list)) = &state.overlay else { return None };
    match list.current()?.choice {
        Choice::Try(number) => Some(number),
        _ => None,
    }
}

/// Compares the try named before with the selected one, or with the present setting if it is the same; the first time
/// it only names one.
pub(super) fn compare(state: &mut State) {
    let Some(number) = selected(state) else { return };
    let Some(Overlay::List(list)) = &mut state.overlay else { return };
    let Some(first) = list.compared.replace(number) else { return };
    let side = |number: u32| {
        let saved = state.tries.iter().find(|saved| saved.number == number);
        let title = saved.map_or_else(|| format!("the {}", state.baseline()), Try::title);
        Some((title, state.setting_of(number)?))
    };
    let follows = first == number;
    let second = if follows { Some(("the present setting".to_owned(), state.setting)) } else { side(number) };
    if let Some(((first, old), (second, new))) = side(first).zip(second) {
        let comparison = Comparison::of(state, [first, second], [old, new], follows);
        super::board::open(state, Page::Compared(Box::new(comparison)));
    }
}

/// Saves what was read from a file, under numbers of its own.
pub(super) fn imported(state: &mut State, read: Vec<Try>) -> Vec<Effect> {
    let (mut effects, mut left_out) = (Vec::new(), 0);
    for other in read {
        if state.tries.iter().any(|saved| saved.name == other.name) {
            left_out += 1;
            continue;
        }
        let new = Try { number: next_number(&state.tries), ..other };
        state.tries.push(new.clone());
        effects.push(change(state, Change::Save(new)));
    }
    let taken = effects.len();
    let read = if taken == 1 { "1 try is read".to_owned() } else { format!("{taken} tries are read") };
    let told = if left_out == 0 { String::new() } else { format!("; {left_out} left out, the name being taken") };
    tell(state, format!("{read}{told}"), taken == 0);
    effects
}

fn change(state: &State, change: Change) -> Effect {
    Effect::Tries { dataset: state.dataset_name.clone(), change: Some(change) }
}

/// Brings an open list of tries up to date.
pub(super) fn relist(state: &mut State) {
    let Some(Overlay::List(list)) = &state.overlay else { return };
    let Some(Choice::Try(_)) = list.rows.first().map(|row| row.choice) else { return };
    let (filter, selected, chosen) = (list.filter.clone(), list.selected, list.current().map(|row| row.choice));
    let mut list = List::tries(state);
    list.filter = filter;
    list.refilter();
    let is_same = |ix: &usize| list.rows.get(*ix).map(|row| row.choice) == chosen;
    let place = list.shown.iter().position(is_same).unwrap_or(selected);
    list.selected = place.min(list.shown.len().saturating_sub(1));
    state.overlay = Some(Overlay::List(list));
}

/// What the keeper says of the tries on a dataset.
pub(super) fn kept(state: &mut State, dataset: &str, change: Option<&Change>, kept: Kept) {
    match kept {
        Ok(tries) => {
            let Book { tries, looks } = tries;
            state.unkept.remove(dataset);
            // Another workbench may have given its number away meanwhile.
            let saved = match change {
                Some(Change::Save(new)) => {
                    tries.iter().rev().find(|saved| Try { number: new.number, ..(*saved).clone() } == *new)
                }
                _ => None,
            };
            let renumbered = match (change, saved) {
                (Some(Change::Save(new)), Some(saved)) if saved.number != new.number => {
                    Some((new.number, saved.number))
                }
                _ => None,
            };
            let title = saved.map(Try::title);
            // Live work beneath a replay, and the replay that waits while a moment of it is visited.
            let live = state.replay.as_mut().and_then(|replaying| replaying.live.as_deref_mut());
            let waiting = state.visit.as_mut().map(|visit| &mut visit.screen);
            for other in live.into_iter().chain(waiting).filter(|other| other.dataset_name == dataset) {
                other.tries.clone_from(&tries);
                other.looks = looks;
                other.renumber(renumbered);
            }
            if state.dataset_name == dataset {
                state.tries = tries;
                state.looks = looks;
                state.renumber(renumbered);
                relist(state);
            }
            match change {
                Some(Change::Save(new)) => {
                    tell(state, format!("{} is saved", title.unwrap_or_else(|| new.title())), false)
                }
                Some(Change::Delete(old)) => tell(state, format!("{} is deleted", old.title()), false),
                Some(Change::Note(noted)) => tell(state, format!("the note on {} is saved", noted.title()), false),
                Some(Change::Look) | None => {}
            }
        }
        Err(unkept) => {
            tell(state, unkept.told(), true);
            state.unkept.insert(dataset.to_owned(), unkept);
        }
    }
}

/// What would be lost by quitting now, if anything.
pub(super) fn unsaved(state: &State) -> Option<String> {
    let mut told: Vec<String> =
        state.unkept.values().filter(|unkept| !unkept.changes.is_empty()).map(|unkept| unkept.told()).collect();
    told.extend(state.profile.unkept.clone().filter(|_| !state.profile.known.is_empty()));
    told.extend(replay::unkept(state));
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (weight, text, expected) in [
            (Weight::LocalTrust, "0.25", Some(0.25)),
            (Weight::LocalTrust, ".25", Some(0.25)),
            (Weight::PriorStrength, "1e-2", Some(0.01)),
            (Weight::LocalTrust, "4", Some(4.0)),
            (Weight::LocalTrust, "default", Some(1.5)),
            (Weight::HalfLife, "inf", Some(f64::INFINITY)),
            (Weight::LocalTrust, "inf", None),
            (Weight::LocalTrust, "4.001", None),
            (Weight::LocalTrust, "-1", None),
            (Weight::HalfLife, "nan", None),
            (Weight::LocalTrust, "0,5", None),
        ] {
            let read = value_of(weight, text, 1.5);
            assert_eq!(read.clone().ok(), expected, "{read:?}");
            if let Err(told) = read {
                let (low, high) = weight.range();
                assert!(told.contains(weight.name()) && told.contains(&format!("{low} to {high}")), "{told}");
            }
        }
    }
}
