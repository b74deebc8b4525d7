//! Asking a moment of a recording live, and coming back to the replay.

use std::sync::Arc;

use super::super::effect::Effect;
use super::super::journal::Recording;
use super::super::replay::Replaying;
use super::super::state::{Data, MemoryState, ModelState, State};
use super::super::visit::{Fork, Home, Visit, World};
use super::arms::stop;
use super::question::read;
use super::{model, profile, record, replay, study, tell};
use crate::data::interaction::Interaction;
use crate::engine::model::Located;
use crate::session::fork::{self, fork, said_by};
use crate::session::{Event, SessionError};

/// Why the shown turn cannot be asked live, or not as a fork; `None` if it can.
fn unable(replaying: &Replaying, forks: bool) -> Option<String> {
    let header = &replaying.opened.replay.session().header;
    let (recorded, live) = (&header.dataset.name, replaying.live.as_ref()?);
    let loading = live.incoming.is_some() || matches!(live.model, ModelState::Loading(_));
    if live.data.is_none() || live.memory != MemoryState::Ready {
        Some("memory is still being built; ask again in a moment".to_owned())
    } else if header.is_redacted() {
        Some("its texts and identities are pseudonyms; open the session it was made from".to_owned())
    } else if forks && loading {
        Some("a model is being loaded, and one session is answered by one model; fork when it is ready".to_owned())
    } else if forks && !live.journal.keeps() {
        Some("nothing is recorded here (--no-record), so there is no place for a fork".to_owned())
    } else if *recorded != live.dataset_name {
        let here = &live.dataset_name;
        let remedy = "leave the replay and open that one with ctrl-f";
        Some(format!("this was recorded on '{recorded}', and what is loaded is '{here}'; {remedy}"))
    } else {
        None
    }
}

/// Forks the shown turn, once it is known which model answers: its file says so.
pub(super) fn fork_here(state: &mut State) -> Vec<Effect> {
    let Some(replaying) = &mut state.replay else { return Vec::new() };
    let able = unable(replaying, true).is_none();
    let answers = replaying.live.as_ref().filter(|live| able && matches!(live.model, ModelState::Ready(_)));
    let Some(place) = answers.and_then(|live| live.journal.model.clone()) else {
        return begin(state, Some(String::new()));
    };
    replaying.rest();
    replaying.forking = Some(replaying.turn);
    tell(state, "looking which model answers".to_owned(), false);
    vec![Effect::Identify(place)]
}

/// It is known which model lies at `place`, or why not: the fork that waits for it begins, if its turn is still shown.
pub(super) fn identified(state: &mut State, place: &Located, hash: Result<String, String>) -> Vec<Effect> {
    let Some(replaying) = &mut state.replay else { return Vec::new() };
    let wanted = replaying.forking.take() == Some(replaying.turn);
    let answers = replaying.live.as_ref().is_some_and(|live| live.journal.model.as_ref() == Some(place));
    if !wanted || !answers {
        return Vec::new();
    }
    state.notice = None;
    match hash {
        Ok(hash) => begin(state, Some(hash)),
        Err(reason) => {
            tell(state, format!("this session cannot be forked: the model cannot be read ({reason})"), true);
            Vec::new()
        }
    }
}

/// Asks the shown turn live: its question, weights and history as they were. The replay waits. As a fork, what is asked
/// is recorded behind the turns before it, in a file of its own that names the model that answers by the fingerprint
/// `forks`.
pub(super) fn begin(state: &mut State, forks: Option<String>) -> Vec<Effect> {
    let Some(replaying) = &mut state.replay else { return Vec::new() };
    let Some(question) = state.question.clone() else { return Vec::new() };
    if let Some(reason) = unable(replaying, forks.is_some()) {
        tell(state, reason, false);
        return Vec::new();
    }
    let session = replaying.opened.replay.session();
    let held = match session.events.get(replaying.start()).map(Arc::as_ref) {
        Some(Event::Asked(asked)) => asked.held.clone(),
        _ => None,
    };
    let caps = replaying.live.as_ref().and_then(|live| match &live.model {
        ModelState::Ready(caps) => Some(caps),
        _ => None,
    });
    let forked = forks.map(|hash| {
        let mut forked = fork(session, replaying.start(), Some(state.setting))?;
        said_by(&mut forked, caps.map(|caps| (record::model_id(caps, hash), caps.device.clone())))?;
        Ok::<_, SessionError>(forked)
    });
    let forked = match forked.transpose() {
        Ok(forked) => forked,
        Err(reason) => {
            tell(state, format!("this session cannot be forked: {reason}"), true);
            return Vec::new();
        }
    };
    let Some(mut live) = replaying.live.take() else { return Vec::new() };
    replaying.rest();
    let world = Arc::new(World::of(replaying.opened.replay.session(), replaying.start()));
    // A fork stands on what it shares, as it was recorded; a visit on what the screen shows of the turn before.
    let course = if forked.is_some() || replaying.now.is_empty() {
        fork::course(replaying.opened.replay.session(), replaying.start())
    } else {
        replay::course(replaying, &state.setting)
    };
    let gold = state.gold().map(str::to_owned);
    record::settle(&mut live);
    // A gesture that ends here is part of what was done there.
    let mut effects = record::drain(&mut live);
    replay::carry(state, &mut live);
    let setting = state.setting;
    let screen = std::mem::replace(state, *live);
    effects.extend(stop(state));
    let epoch = state.answers.epoch;
    let home = Home::take(state);
    state.question = Some(question.clone());
    (state.setting, state.course, state.answers.epoch) = (setting, course, epoch);
    let journal = &mut state.journal;
    journal.waiting.clear();
    journal.given.clear();
    match &forked {
        Some(_) => {
            (journal.touched, journal.start) = (true, Some(setting));
            (journal.turned, journal.remembered) = (false, Vec::new());
        }
        None => journal.away = true,
    }
    let fork = forked.map(Fork::of);
    state.visit =
        Some(Box::new(Visit { screen, world: Arc::clone(&world), question, gold, held, there: false, home, fork }));
    state.chosen = true;
    effects.push(Effect::Visit(Some(world)));
    effects.extend(read(state));
    effects
}

/// Memory has nothing to read: of a moment whose memory cannot be had there is nothing to show, and the replay says why.
pub(super) fn unread(state: &mut State, reason: String) -> Vec<Effect> {
    if state.visit.as_ref().is_some_and(|visit| !visit.there) {
        let effects = end(state);
        tell(state, reason, true);
        return effects;
    }
    state.leave_reading();
    (state.reading, state.unread) = (None, Some(reason));
    Vec::new()
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
    // Both are of one dataset; what was saved there may not be on disk yet.
    screen.tries.clone_from(&state.tries);
    screen.looks = state.looks;
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
    (visit.there, state.data, state.periods) = (true, Some(data), periods);
    state.rungs.forget();
    // What memory says comes right behind; the two are drawn together.
    state.dirty = false;
    // It knows all that this world was given.
    while record::remembered(&mut state.journal) {}
    let begins = visit.fork.as_mut()?.begins.take()?;
    // What the scribe has told so far was of the session at home.
    visit.home.journal.recording = std::mem::replace(&mut state.journal.recording, Recording::Begun);
    Some(Effect::Fork(begins))
}

/// Lets the moment's memory know one more interaction.
pub(super) fn remember(state: &mut State, interaction: &Interaction) -> Option<Effect> {
    let visit = state.visit.as_mut()?;
    visit.world = Arc::new(visit.world.with(interaction.clone()));
    Some(Effect::Visit(Some(Arc::clone(&visit.world))))
}
