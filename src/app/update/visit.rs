//! Asking a moment of a recording live, and coming back to the replay.

use std::sync::Arc;

use super::super::effect::Effect;
use super::super::journal::Recording;
use super::super::state::{Data, MemoryState, State};
use super::super::visit::{Fork, Home, Visit, World};
use super::{model, profile, read, record, replay, stop, study, tell};
use crate::data::interaction::Interaction;
use crate::session::Event;
use crate::session::fork::fork;

/// Asks the shown turn live: its question, weights and history as they were. The replay waits. As a fork, what is asked
/// is recorded behind the turns before it, in a file of its own.
pub(super) fn begin(state: &mut State, forks: bool) -> Vec<Effect> {
    let Some(replaying) = &mut state.replay else { return Vec::new() };
    let session = replaying.opened.replay.session();
    let recorded = &session.header.dataset.name;
    let here = replaying.live.as_ref().map_or("", |live| live.dataset_name.as_str());
    let unable = match &replaying.live {
        Some(live) if live.data.is_none() || live.memory != MemoryState::Ready => {
            Some("memory is still being built; ask again in a moment".to_owned())
        }
        Some(_) if session.header.is_redacted() => {
            Some("its texts and identities are pseudonyms; open the session it was made from".to_owned())
        }
        Some(live) if forks && live.incoming.is_some() => Some(
            "another model is being loaded, and one session is answered by one model; fork when it is ready".to_owned(),
        ),
        Some(live) if forks && !live.journal.keeps() => {
            Some("nothing is recorded here (--no-record), so there is no place for a fork".to_owned())
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
    let forked = forks.then(|| fork(session, replaying.start(), Some(state.setting))).transpose();
    let forked = match forked {
        Ok(forked) => forked,
        Err(reason) => {
            tell(state, format!("this session cannot be forked: {reason}"), true);
            return Vec::new();
        }
    };
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
    let journal = &mut state.journal;
    journal.waiting.clear();
    match &forked {
        Some(_) => {
            (journal.touched, journal.start) = (true, Some(setting));
            (journal.turned, journal.remembered) = (false, Vec::new());
        }
        None => journal.away = true,
    }
    let fork = forked.map(Fork::of);
    state.visit = Some(Box::new(Visit { screen, world: Arc::clone(&world), question, gold, home, fork }));
    state.chosen = true;
    effects.push(Effect::Visit(Some(world)));
    effects.extend(read(state));
    effects
}

/// Comes back to the replay where it was left; live work goes on beneath it where it was.
pub(super) fn end(state: &mut State) -> Vec<Effect> {
    let Some(visit) = state.visit.take() else { return Vec::new() };
    let Visit { mut screen, home, fork, .. } = *visit;
    let mut effects = stop(state);
    let (unheard, ended) = (home.unheard, home.ended);
    let begun = fork.is_some_and(|fork| fork.begins.is_none());
    let written = match &state.journal.recording {
        Recording::In(path) if begun => Some(format!("the fork is recorded in {}", path.display())),
        _ => None,
    };
    if begun {
        record::settle(state);
        effects.push(Effect::Record(std::mem::take(&mut state.journal.waiting)));
        effects.push(Effect::EndFork);
    }
    let (recording, place) = (state.journal.recording.clone(), state.journal.model.take());
    home.restore(state);
    // The model is the same here and there.
    state.journal.model = place;
    if !begun {
        // What the scribe has told meanwhile was of this session.
        state.journal.recording = recording;
    }
    if ended {
        effects.extend(model::turn_page(state));
    }
    effects.push(Effect::Visit(None));
    effects.extend(profile::reread(state));
    if unheard || ended {
        effects.extend(read(state));
    }
    study::weigh(state);
    replay::carry(state, &mut screen);
    let live = Box::new(std::mem::replace(state, screen));
    if let Some(replaying) = &mut state.replay {
        replaying.live = Some(live);
    }
    written.into_iter().for_each(|written| tell(state, written, false));
    state.dirty = true;
    effects
}

/// Folds what is recorded of a fork into it.
pub(super) fn recorded(state: &mut State, events: &[Event]) {
    let fork = state.visit.as_mut().and_then(|visit| visit.fork.as_mut());
    fork.into_iter().for_each(|fork| events.iter().for_each(|event| fork.folded.apply(&Arc::new(event.clone()))));
}

/// The moment's memory is there: a fork begins, which would have no turn of its own without.
pub(super) fn arrived(state: &mut State, world: &Arc<World>, data: Arc<Data>, periods: usize) -> Option<Effect> {
    let visit = state.visit.as_mut().filter(|visit| Arc::ptr_eq(&visit.world, world))?;
    (state.data, state.periods) = (Some(data), periods);
    // What memory says comes right behind; the two are drawn together.
    state.dirty = false;
    let begins = visit.fork.as_mut()?.begins.take()?;
    state.journal.recording = Recording::Begun;
    Some(Effect::Fork(begins))
}

/// Lets the moment's memory know one more interaction.
pub(super) fn remember(state: &mut State, interaction: &Interaction) -> Option<Effect> {
    let visit = state.visit.as_mut()?;
    visit.world = Arc::new(visit.world.with(interaction.clone()));
    Some(Effect::Visit(Some(Arc::clone(&visit.world))))
}
