//! Moving the moment of a question, within the time that the data spans.

use super::question::ask;
use super::tell;
use crate::app::effect::Effect;
use crate::app::state::{Data, State};
use crate::data::dataset::PeriodLength;
use crate::data::interaction::Timestamp;

/// Moves the moment of asking, within the time that the data spans.
pub(super) fn by_days(state: &mut State, days: f64) -> Vec<Effect> {
    within(state, |at, _| at.plus_days(days))
}

/// Moves the question by the length of a period, back or on.
pub(super) fn by_period(state: &mut State, on: bool) -> Vec<Effect> {
    let length = state.manifest().map_or(PeriodLength::Days(1.0), |manifest| manifest.periods.length);
    match (length, on) {
        (PeriodLength::Days(days), true) => by_days(state, days),
        (PeriodLength::Days(days), false) => by_days(state, -days),
        // The first moment that knows so many more, or the last one that knows so many fewer: what happens in one second
        // is known at once, and the question moves all the same.
        (PeriodLength::Interactions(count), true) => within(state, |at, data| {
            let known = data.before(at).saturating_add(count).min(data.interactions());
            let last = known.checked_sub(1).and_then(|last| data.moment(last));
            last.map_or(at, |last| at.max(Timestamp(last.0.saturating_add(1))))
        }),
        (PeriodLength::Interactions(count), false) => {
            within(state, |at, data| data.moment(data.before(at).saturating_sub(count)).map_or(at, |next| at.min(next)))
        }
    }
}

/// Moves the question to another moment of the data.
fn within(state: &mut State, to: impl Fn(Timestamp, &Data) -> Timestamp) -> Vec<Effect> {
    let Some(data) = state.data.clone() else { return Vec::new() };
    let first = data.moment(0).unwrap_or(Timestamp(0));
    let last = data.end();
    let Some(now) = state.question.as_ref().map(|question| question.at) else { return Vec::new() };
    // A date typed beyond the data, on either side, is left step by step, too.
    let wanted = to(now, &data);
    let next = wanted.clamp(first.min(now), last.max(now));
    if next == now {
        let told = if now <= first { "the data begins here" } else { "the data ends here" };
        tell(state, told.to_owned(), false);
        return Vec::new();
    }
    let effects = ask(state, |question| question.at = next);
    if wanted != next {
        let end = if wanted > next { "ends" } else { "begins" };
        tell(state, format!("the data {end} here, nearer than a whole step"), false);
    }
    effects
}
