//! What a replay does to the state: enter, move the playhead, play, weigh anew, leave.

use std::path::PathBuf;

use super::super::command::Command;
use super::super::effect::Effect;
use super::super::overlay::{Edit, EditKind, List, Overlay};
use super::super::replay::{Charts, Mark, Opened, Replaying, SPEEDS, Standing};
use super::super::state::{MemoryState, ModelState, Reading, Setting, Start, State};
use super::{attribution, rungs, study, tell, visit};
use crate::engine::prompt::{Arm, Question};
use crate::mediator::Course;

/// Opens the list of sessions and looks what recordings there are.
pub(super) fn list(state: &mut State) -> Vec<Effect> {
    state.overlay = Some(Overlay::List(List::sessions(state)));
    vec![Effect::FindRecordings]
}

/// Shows the session that has come, once nothing lies over the screen: nobody who types is interrupted, whose next letters
/// would run as commands. One that was made comes long after it was ordered, and ends nobody's fork either.
pub(super) fn arrive(state: &mut State) -> Vec<Effect> {
    let free = state.overlay.is_none() && state.exit.is_none();
    let away = state.visit.is_some();
    if let Some(waiting) = state.arrived.take_if(|opened| free && (!away || !opened.made)) {
        return enter(state, *waiting);
    }
    Vec::new()
}

/// Shows a session at its first turn. Live work goes on beneath it.
fn enter(state: &mut State, opened: Opened) -> Vec<Effect> {
    // What is found out for the screen stops: beneath a replay nobody sees it.
    let mut effects = study::drain(state);
    effects.extend(rungs::drain(state));
    effects.extend(attribution::drain(state));
    effects.extend(visit::end(state));
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
    let (warnings, made) = (opened.replay.session().warnings(), opened.made);
    let live = Box::new(std::mem::replace(state, shown));
    state.study.steps = opened.replay.steps().clone();
    state.study.before = Some(opened.numbers());
    state.replay = Some(Replaying::new(opened, live));
    show(state);
    if !warnings.is_empty() {
        tell(state, warnings.join("; "), true);
    } else if made {
        let key = state.keys.first(Command::KeepSession).to_owned();
        let policy = state.setting.policy;
        tell(
            state,
            format!("made now, with the weights of the screen, {policy}, by memory alone; {key} keeps it"),
            false,
        );
    }
    effects.push(Effect::Tries { dataset: state.dataset_name.clone(), change: None });
    effects
}

/// Has a session that was made written into a file of its own.
pub(super) fn keep(state: &mut State) -> Vec<Effect> {
    let Some(replaying) = &mut state.replay else { return Vec::new() };
    state.orders.kept += 1;
    let number = state.orders.kept;
    replaying.opened.keeping = Some(number);
    vec![Effect::Keep { number, session: Box::new(replaying.opened.replay.session().clone()) }]
}

/// Says where the session of this number is kept, or why nowhere. Another one may be on the screen by now.
pub(super) fn kept(state: &mut State, number: u64, outcome: Result<PathBuf, String>) {
    let screen = state.visit.as_mut().and_then(|visit| visit.screen.replay.as_mut());
    let shown = state.replay.as_mut().or(screen).map(|replaying| &mut replaying.opened);
    if let Some(opened) = shown.filter(|opened| opened.keeping == Some(number)) {
        opened.keeping = None;
        opened.made = outcome.is_err();
    }
    match outcome {
        Ok(path) => {
            tell(state, format!("kept in {}", path.display()), false);
        }
        Err(reason) => tell(state, format!("this session cannot be kept: {reason}"), true),
    }
}

/// The session that was made now and is in no file, nor on its way into one, on the screen or where a moment of it goes back to.
pub(super) fn unkept(state: &State) -> Option<String> {
    let screen = state.visit.as_ref().map_or(state, |visit| &visit.screen);
    let made = screen
        .replay
        .as_ref()
        .map(|replaying| &replaying.opened)
        .filter(|opened| opened.made && opened.keeping.is_none())?;
    let key = state.keys.first(Command::KeepSession);
    let place = if state.visit.is_some() { ", back in the replay," } else { "" };
    Some(format!("{} was made now and is in no file: {key}{place} keeps it", made.name))
}

/// Goes back to live work.
pub(super) fn leave(state: &mut State) {
    let Some(mut live) = state.replay.take().and_then(|replaying| replaying.live) else { return };
    carry(state, &mut live);
    *state = *live;
    state.dirty = true;
}

/// What belongs to the screen and not to what is shown on it.
pub(super) fn carry(from: &mut State, to: &mut State) {
    to.now = from.now;
    to.focus = from.focus;
    to.zoom = from.zoom;
    to.limits = from.limits;
    to.weight = from.weight;
    to.theme = from.theme;
    to.keys.clone_from(&from.keys);
    to.unkept.clone_from(&from.unkept);
    to.orders = from.orders;
    to.arrived = from.arrived.take();
    // One surveyor serves both: numbers go on, so that what was found about one is not shown of the other.
    to.study.survey.ticket = to.study.survey.ticket.max(from.study.survey.ticket);
    to.overlay = None;
}

/// Lets the replay follow the clock; whether it moved.
pub(super) fn tick(state: &mut State) -> bool {
    let now = state.now;
    let Some(replaying) = &mut state.replay else { return false };
    replaying.live.iter_mut().for_each(|live| live.now = now);
    match replaying.standing {
        Standing::Playing { due } if now >= due => step(state, 1),
        _ => return false,
    }
    true
}

/// Plays or pauses; at the end it plays from the beginning.
pub(super) fn play_or_pause(state: &mut State) {
    let now = state.now;
    let Some(replaying) = &mut state.replay else { return };
    match replaying.standing {
        Standing::Playing { .. } => replaying.rest(),
        Standing::AtEnd => {
            go_to(state, 0);
            state.replay.iter_mut().for_each(|replaying| replaying.play(now));
        }
        Standing::Paused | Standing::Seeking { .. } | Standing::Live => replaying.play(now),
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
    match replaying.standing {
        Standing::Playing { .. } | Standing::Seeking { plays: true } => replaying.play(now),
        _ => replaying.rest(),
    }
    state.scroll = Default::default();
    show(state);
}

/// Moves the playhead to the nearest turn with a mark, or says that there is none.
pub(super) fn jump(state: &mut State, mark: Mark, on: bool) {
    let Some(replaying) = &state.replay else { return };
    match replaying.nearest(mark, on) {
        Some(turn) => {
            go_to(state, turn);
            // Who looks for a turn wants to look at it.
            state.replay.iter_mut().for_each(Replaying::rest);
        }
        None => {
            let (name, side) = (mark.names().0, if on { "after" } else { "before" });
            let told = format!("no {name} {side} turn {} of {}", replaying.turn + 1, replaying.turns());
            tell(state, told, false);
        }
    }
}

/// A turn to go to is being typed: what plays waits.
pub(super) fn seek(state: &mut State) {
    let Some(replaying) = &mut state.replay else { return };
    replaying.standing = Standing::Seeking { plays: matches!(replaying.standing, Standing::Playing { .. }) };
}

/// Goes on as before once nothing is typed any more.
pub(super) fn settle(state: &mut State) {
    let typing = matches!(&state.overlay, Some(Overlay::Edit(Edit { kind: EditKind::Turn, .. })));
    let now = state.now;
    match &mut state.replay {
        Some(replaying) if !typing => match replaying.standing {
            Standing::Seeking { plays: true } => replaying.play(now),
            Standing::Seeking { plays: false } => replaying.rest(),
            _ => {}
        },
        _ => {}
    }
}

/// Shows the next measure.
pub(super) fn next_chart(state: &mut State) {
    let Some(replaying) = &mut state.replay else { return };
    replaying.measure = replaying.measure.next();
    // A small screen has no room to show it.
    let told = format!("the chart shows {}", replaying.measure.name());
    tell(state, told, false);
}

/// Gives the charts more room, or takes it back.
pub(super) fn tall_charts(state: &mut State) {
    if let Some(replaying) = &mut state.replay {
        let tall = replaying.charts != Charts::Tall;
        replaying.charts = if tall { Charts::Tall } else { Charts::Rows };
        let told = if tall { "all measures as lines, where there is room" } else { "one measure as a line" };
        tell(state, told.to_owned(), false);
    }
}

/// Plays faster or slower from here on.
pub(super) fn change_speed(state: &mut State, steps: isize) {
    let now = state.now;
    let Some(replaying) = &mut state.replay else { return };
    replaying.speed = replaying.speed.saturating_add_signed(steps).min(SPEEDS.len() - 1);
    if matches!(replaying.standing, Standing::Playing { .. }) {
        replaying.play(now);
    }
}

/// The setting, where something was turned; else it follows the recording.
fn turned(state: &State) -> Option<Setting> {
    let replaying = state.replay.as_ref()?;
    let anew = state.undo.can_undo() && !replaying.is_recorded_under(&state.setting);
    anew.then_some(state.setting)
}

/// Weighs the shown turn and every other one under the present setting.
pub(super) fn weigh(state: &mut State) {
    let turned = turned(state);
    let Some(replaying) = &mut state.replay else { return };
    replaying.remediate(turned.as_ref());
    let labels = replaying.opened.data.labels.len();
    state.study.now = turned.map(|_| state.study.count(labels, &replaying.now));
    show(state);
}

/// Puts the turn under the playhead on the screen.
fn show(state: &mut State) {
    let follows = turned(state).is_none();
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
pub(super) fn course(replaying: &Replaying, setting: &Setting) -> Course {
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
