//! The question: another one is asked, memory is read for it, and memory is told how the person answers it.

use std::borrow::Cow;

use super::arms::stop;
use super::{profile, record, tell, visit};
use crate::app::effect::Effect;
use crate::app::journal::Journal;
use crate::app::state::{MemoryState, State, question_of};
use crate::app::worker::ReadRequest;
use crate::data::interaction::{Interaction, Timestamp};
use crate::data::text::brief;
use crate::engine::prompt::Question;

/// Changes the question and reads memory for it.
pub(super) fn ask(state: &mut State, change: impl FnOnce(&mut Question)) -> Vec<Effect> {
    let Some(question) = &mut state.question else { return Vec::new() };
    let before = question.clone();
    change(question);
    if question.user != before.user || question.query != before.query {
        state.judged = None;
    }
    state.chosen = true;
    read(state)
}

/// Asks a judged query.
pub(super) fn open_judged(state: &mut State, ix: usize) -> Vec<Effect> {
    let Some(query) = state.data.as_ref().and_then(|data| data.queries.get(ix)) else { return Vec::new() };
    state.question = Some(question_of(query));
    (state.judged, state.opened) = (Some(ix), Some(ix));
    read(state)
}

/// The judged query `steps` further, around.
pub(super) fn neighbour(state: &mut State, steps: isize) -> Vec<Effect> {
    let n = state.data.as_ref().map_or(0, |data| data.queries.len()) as isize;
    if n == 0 {
        return Vec::new();
    }
    // Where none is shown yet, the first one is the next.
    let shown = !state.is_choosing();
    let from = match (state.judged.filter(|_| shown), state.opened.filter(|_| shown)) {
        (Some(ix), _) => ix as isize,
        // A typed query stands behind the one that was opened last,
        (None, Some(ix)) => ix as isize + isize::from(steps < 0),
        // or before all of them.
        (None, None) => -isize::from(steps > 0),
    };
    state.chosen = true;
    open_judged(state, (from + steps).rem_euclid(n) as usize)
}

/// Reads memory for the question; whatever is on its way for an earlier one no longer counts.
pub(super) fn read(state: &mut State) -> Vec<Effect> {
    let Some(question) = state.question.clone() else { return Vec::new() };
    state.scroll = [0; 5];
    state.ticket += 1;
    let mut effects = stop(state);
    effects.extend(profile::asked(state));
    state.answers.stale = state.reading.is_some();
    state.unread = None;
    if state.memory == MemoryState::Ready {
        let held = state.holds().map(<[_]>::to_vec);
        effects.push(Effect::Read(ReadRequest { ticket: state.ticket, question, held }));
    }
    effects
}

/// Lets memory know that the person answers the question so, and asks again a second later.
pub(super) fn remember(state: &mut State, response: String) -> Vec<Effect> {
    let (Some(data), Some(question)) = (state.data.clone(), state.question.clone()) else { return Vec::new() };
    let Journal { given, remembered, .. } = &state.journal;
    let free = |id: &String| data.is_free(id) && given.iter().all(|given| given.id != *id);
    let first = given.len() + remembered.len() + 1;
    let Some(id) = (first..).map(|n| format!("remembered-{n}")).find(free) else { return Vec::new() };
    let Question { user, query, at } = question;
    // A rating is of the thing that its question names.
    let same = data.rated(&query).map(Cow::into_owned);
    let (item, extra) = same.map(|same| (same.item, same.extra)).unwrap_or_default();
    let until = match &state.visit {
        None => "until this program ends",
        Some(visit) if visit.fork.is_none() => "until you go back to the replay",
        Some(_) => "until you go back to the replay, and in the fork's file",
    };
    let told = format!(
        "memory is given that {user} answered '{}', {until}; the question counts no longer",
        brief(&response, 40)
    );
    let interaction = Interaction { id, user, at, query, response, item, extra };
    let mut effects = match visit::remember(state, &interaction) {
        Some(effect) => vec![effect],
        None => vec![Effect::Remember(Box::new(interaction.clone()))],
    };
    record::given(state, interaction);
    effects.extend(ask(state, |question| question.at = Timestamp(question.at.0.saturating_add(1))));
    tell(state, told, false);
    effects
}
