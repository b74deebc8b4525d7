//! What a replay does to the state: enter, move the playhead, play, weigh anew, leave.

use super::super::effect::Effect;
use super::super::replay::{Opened, Replaying, SPEEDS, Standing};
use super::super::state::{MemoryState, ModelState, Reading, Setting, Start, State};
use super::tell;
use crate::engine::prompt::{Arm, Question};
use crate::mediator::Course;

/// Shows a session at its first turn. Live work goes on beneath it.
pub(super) fn enter(state: &mut State, opened: Opened) -> Vec<Effect> {
    leave(state);
    let header = &opened.replay.session().header;
    let mut shown = State::new(Start {
        dataset_name: header.dataset.name.clone(),
        model_name: header.model.as_ref().map(|model| model.name.clone()),
        mono: state.mono_only,
        ascii: state.ascii,
        ..Start::default()
    });
    carry(state, &mut shown);
    shown.memory = MemoryState::Ready;
    shown.model = match opened.caps() {
        Some(caps) => ModelState::Ready(caps),
        None => ModelState::Absent("no model was asked in this session; its answers come from memory alone"),
    };
    shown.data = Some(opened.data.clone());
    let warnings = opened.replay.session().warnings();
    let live = Box::new(std::mem::replace(state, shown));
    state.study.steps = opened.replay.steps().clone();
    state.study.before = Some(opened.numbers());
    state.replay = Some(Replaying::new(opened, live));
    show(state);
    if !warnings.is_empty() {
        tell(state, warnings.join("; "), true);
    }
    vec![Effect::Tries { dataset: state.dataset_name.clone(), change: None }]
}

/// Goes back to live work.
pub(super) fn leave(state: &mut State) {
    let Some(replaying) = state.replay.take() else { return };
    let mut live = *replaying.live;
    carry(state, &mut live);
    *state = live;
    state.dirty = true;
}

/// What belongs to the screen and not to what is shown on it.
fn carry(from: &State, to: &mut State) {
    to.now = from.now;
    to.focus = from.focus;
    to.zoom = from.zoom;
    to.limits = from.limits;
    to.weight = from.weight;
    to.theme = from.theme;
    to.unkept.clone_from(&from.unkept);
    to.overlay = None;
}

/// Lets the replay follow the clock; whether it moved.
pub(super) fn tick(state: &mut State) -> bool {
    let now = state.now;
    let Some(replaying) = &mut state.replay else { return false };
    replaying.live.now = now;
    if replaying.due.is_none_or(|due| now < due) {
        return false;
    }
    step(state, 1);
    true
}

/// Plays or pauses; at the end it plays from the beginning.
pub(super) fn play_or_pause(state: &mut State) {
    let Some(replaying) = &mut state.replay else { return };
    match replaying.standing() {
        Standing::Playing => replaying.due = None,
        Standing::Paused => replaying.due = Some(state.now + SPEEDS[replaying.speed].1),
        Standing::AtEnd => {
            replaying.due = Some(state.now + SPEEDS[replaying.speed].1);
            go_to(state, 0);
        }
    }
}

/// Moves the playhead by `turns`, to the ends at most.
pub(super) fn step(state: &mut State, turns: isize) {
    let Some(replaying) = &state.replay else { return };
    let last = replaying.turns().saturating_sub(1);
    let to = (replaying.turn as isize).saturating_add(turns).clamp(0, last as isize);
    go_to(state, to as usize);
}

/// Moves the playhead to a turn, 0-based. What plays waits there as long as anywhere, and stops at the end.
pub(super) fn go_to(state: &mut State, turn: usize) {
    let now = state.now;
    let Some(replaying) = &mut state.replay else { return };
    replaying.go_to(turn);
    let at_end = replaying.turn + 1 >= replaying.turns();
    replaying.due = replaying.due.filter(|_| !at_end).map(|_| now + SPEEDS[replaying.speed].1);
    state.scroll = Default::default();
    show(state);
}

/// Plays faster or slower from here on.
pub(super) fn change_speed(state: &mut State, steps: isize) {
    let now = state.now;
    let Some(replaying) = &mut state.replay else { return };
    replaying.speed = replaying.speed.saturating_add_signed(steps).min(SPEEDS.len() - 1);
    replaying.due = replaying.due.map(|_| now + SPEEDS[replaying.speed].1);
}

/// Weighs the shown turn and every other one under the present setting. Without a step to undo nothing was turned, and
/// the setting follows the recording.
pub(super) fn weigh(state: &mut State) {
    let turned = state.undo.can_undo().then_some(state.setting);
    let Some(replaying) = &mut state.replay else { return };
    replaying.remediate(turned.as_ref());
    let labels = replaying.opened.data.labels.len();
    state.study.now = turned.map(|_| state.study.count(labels, &replaying.now));
    show(state);
}

/// Puts the turn under the playhead on the screen.
fn show(state: &mut State) {
    let follows = !state.undo.can_undo();
    let Some(replaying) = &state.replay else { return };
    let folded = replaying.opened.replay.state();
    let Some(turn) = &folded.turn else { return };
    if follows {
        state.setting = replaying.setting();
    }
    state.question =
        turn.asked().map(|asked| Question { user: asked.user.clone(), query: asked.query.clone(), at: asked.at });
    state.judged = Some(replaying.turn);
    state.answers.arms = Arm::ALL.map(|arm| replaying.answer(arm));
    state.answers.written = replaying.written();
    let said = state.answers.arms.clone();
    let recorded = replaying.resolution().filter(|_| follows).map(|resolution| (resolution, replaying.conflicts()));
    match reading(state) {
        Ok(reading) => (state.reading, state.unread) = (Some(reading), None),
        Err(reason) => (state.reading, state.unread) = (None, Some(reason)),
    }
    state.course = state.replay.as_ref().map(|replaying| course(replaying, &state.setting)).unwrap_or_default();
    state.mediate();
    if let (Some((recorded, conflicts)), Some(reading)) = (recorded, &mut state.reading) {
        (reading.resolution, reading.ledger) = (recorded, conflicts);
    }
    if follows {
        // The recording itself, whatever this program would make of it.
        for (arm, said) in state.answers.arms.iter_mut().zip(said).filter(|(_, said)| !said.distribution.is_empty()) {
            (arm.distribution, arm.decision) = (said.distribution, said.decision);
        }
    }
}

/// Where the turn before left the mediator under the present setting. What follows the recording needs none: it is shown
/// as it was recorded.
fn course(replaying: &Replaying, setting: &Setting) -> Course {
    if replaying.now.is_empty() {
        Course::default()
    } else {
        replaying.opened.replay.steps().course(replaying.turn, setting)
    }
}

/// What memory said to the shown turn, from its event.
fn reading(state: &State) -> Result<Reading, String> {
    let nothing = || "what memory said to this question was not recorded".to_owned();
    let replaying = state.replay.as_ref().ok_or_else(nothing)?;
    let evidence =
        replaying.opened.replay.state().turn.as_ref().and_then(|turn| turn.evidence()).ok_or_else(nothing)?;
    let labels = &replaying.opened.replay.session().header.labels;
    let items = &replaying.opened.data.dataset.interactions;
    let item = |id: &str| items.binary_search_by(|item| item.id.as_str().cmp(id)).unwrap_or(usize::MAX);
    let read = evidence.read(labels, |vote| item(&vote.id));
    let both = read.and_then(|read| Ok((read, evidence.weighed(labels)?)));
    let (read, weighed) = both.map_err(|fault| {
        format!("the recorded evidence cannot be read: {} is {}, not {}", fault.field, fault.recorded, fault.expected)
    })?;
    let user = state.question.as_ref().map(|question| question.user.clone()).ok_or_else(nothing)?;
    Ok(Reading::new(user, read, weighed, &state.setting, None))
}
