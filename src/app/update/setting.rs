//! The setting: weights turned, policies switched, steps back and on in its history, and what is weighed anew under it.

use std::time::Duration;

use super::{replay, study, tell};
use crate::app::state::{Gesture, Held, Setting, State};
use crate::engine::prompt::Arm;
use crate::mediator::{Policy, Weight};

/// How long a changed prompt rests before the model reads it: long enough to turn a slider without asking at each step.
pub(super) const REST: Duration = Duration::from_millis(700);

/// Turns the selected weight by so many steps of its slider.
pub(super) fn turn(state: &mut State, steps: f64) {
    let weight = state.weight;
    if let Some(reason) = state.ignored(weight) {
        return tell(state, format!("{weight} does nothing now: {reason}"), false);
    }
    let value = weight.nudged(state.setting.weights.get(weight), steps);
    let weights = state.setting.weights.with(weight, value);
    set(state, Gesture::Turn(weight), Setting { weights, ..state.setting });
}

/// Changes the setting as a step of its own.
pub(super) fn step(state: &mut State, setting: Setting) {
    state.steps += 1;
    set(state, Gesture::Step(state.steps), setting);
}

/// Switches to the next policy that can be chosen, and says why one is passed over.
pub(super) fn switch_policy(state: &mut State) {
    let mut policy = state.setting.policy.next();
    while let Some(reason) = state.barred(policy) {
        tell(state, format!("policy {policy} is passed over: {reason}"), false);
        policy = policy.next();
    }
    set_policy(state, policy);
}

/// Chooses a policy. A weight that stands at the old policy's default moves to the new one's: `prior-strength` counts
/// different things under each.
pub(super) fn set_policy(state: &mut State, policy: Policy) {
    if let Some(reason) = state.barred(policy) {
        return tell(state, format!("policy {policy} cannot be chosen: {reason}"), false);
    }
    let (old, new) = (state.defaults(), state.defaults_of(policy));
    let mut weights = state.setting.weights;
    for weight in Weight::ALL {
        if weights.get(weight) == old.get(weight) {
            weights = weights.with(weight, new.get(weight));
        }
    }
    step(state, Setting { weights, policy });
}

/// Goes back or on in the history of settings.
pub(super) fn travel(state: &mut State, to: impl FnOnce(&mut State) -> Option<Held>) {
    if let Some(Held { setting, at_try }) = to(state) {
        (state.setting, state.at_try) = (setting, at_try);
        weigh(state);
    }
}

/// Selects another weight, around.
pub(super) fn select_weight(state: &mut State, steps: isize) {
    let n = Weight::ALL.len() as isize;
    let at = Weight::ALL.iter().position(|weight| *weight == state.weight).unwrap_or_default() as isize;
    state.weight = Weight::ALL[(at + steps).rem_euclid(n) as usize];
    state.undo.close();
}

/// Changes weights or policy as a step of the history, and weighs anew at once.
pub(super) fn set(state: &mut State, gesture: Gesture, setting: Setting) {
    if setting == state.setting {
        return;
    }
    state.undo.record(state.held(), gesture);
    state.setting = setting;
    weigh(state);
}

/// Weighs anew under the present setting: the question, and in a replay the whole session.
pub(super) fn weigh(state: &mut State) {
    match state.replay {
        Some(_) => replay::weigh(state),
        None => {
            state.mediate();
            study::weigh(state);
            state.rungs.weigh(&state.setting);
            state.journal.turned = true;
            let outdated = state.memory_outdated() || Arm::ALL.into_iter().any(|arm| state.outdated(arm));
            state.ask_at = outdated.then_some(state.now + REST);
        }
    }
}
