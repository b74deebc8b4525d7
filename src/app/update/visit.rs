//! Asking a moment of a recording live, and coming back to the replay.

use std::sync::Arc;

use super::super::effect::Effect;
use super::super::state::{Data, MemoryState, State};
use super::super::visit::{Home, Visit, World};
use super::{read, record, replay, stop, study, tell};
use crate::data::interaction::Interaction;

/// Asks the shown turn live: its question, weights and history as they were. The replay waits.
pub(super) fn begin(state: &mut State) -> Vec<Effect> {
    let Some(replaying) = &mut state.replay else { return Vec::new() };
    let recorded = &replaying.opened.replay.session().header.dataset.name;
    let here = replaying.live.as_ref().map_or("", |live| live.dataset_name.as_str());
    let unable = match &replaying.live {
        Some(live) if live.data.is_none() || live.memory != MemoryState::Ready => {
            Some("memory is still being built; ask again in a moment".to_owned())
        }
        Some(_) if recorded != here => {
            Some(format!("this was recorded on '{recorded}', and what is loaded is '{here}'; start with --data"))
        }
        _ => None,
    };
    let Some(question) = state.question.clone() else { return Vec::new() };
    if let Some(reason) = unable {
        tell(state, reason, false);
        return Vec::new();
    }
    let Some(mut live) = replaying.live.take() else { return Vec::new() };
    replaying.rest();
    let world = Arc::new(World::of(replaying.opened.replay.session(), replaying.start()));
    let course = replay::course(replaying, &state.setting);
    let gold = state.gold().map(str::to_owned);
    record::settle(&mut live);
    replay::carry(state, &mut live);
    let setting = state.setting;
    let screen = std::mem::replace(state, *live);
    let mut effects = stop(state);
    let epoch = state.answers.epoch;
    let home = Home::take(state);
    state.question = Some(question.clone());
    (state.setting, state.course, state.answers.epoch) = (setting, course, epoch);
    state.visit = Some(Box::new(Visit { screen, world: Arc::clone(&world), question, gold, home }));
    state.journal.away = true;
    state.chosen = true;
    effects.push(Effect::Visit(Some(world)));
    effects.extend(read(state));
    effects
}

/// Comes back to the replay where it was left; live work goes on beneath it where it was.
pub(super) fn end(state: &mut State) -> Vec<Effect> {
    let Some(visit) = state.visit.take() else { return Vec::new() };
    let Visit { mut screen, home, .. } = *visit;
    let mut effects = stop(state);
    let unheard = home.unheard;
    home.restore(state);
    (state.journal.away, state.journal.turned) = (false, false);
    effects.push(Effect::Visit(None));
    if unheard {
        effects.extend(read(state));
    }
    study::weigh(state);
    replay::carry(state, &mut screen);
    let live = Box::new(std::mem::replace(state, screen));
    if let Some(replaying) = &mut state.replay {
        replaying.live = Some(live);
    }
    state.dirty = true;
    effects
}

/// The moment's memory is there.
pub(super) fn arrived(state: &mut State, world: &Arc<World>, data: Arc<Data>, periods: usize) {
    if state.visit.as_ref().is_some_and(|visit| Arc::ptr_eq(&visit.world, world)) {
        (state.data, state.periods) = (Some(data), periods);
        // What memory says comes right behind; the two are drawn together.
        state.dirty = false;
    }
}

/// Lets the moment's memory know one more interaction.
pub(super) fn remember(state: &mut State, interaction: &Interaction) -> Option<Effect> {
    let visit = state.visit.as_mut()?;
    visit.world = Arc::new(visit.world.with(interaction.clone()));
    Some(Effect::Visit(Some(Arc::clone(&visit.world))))
}
