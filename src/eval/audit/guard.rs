//! The guard over all prompts: what was kept back, and whether anything that was shown stands on too few people.
//!
//! An entry is not believed: who contributed is counted anew from its items.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use crate::data::dataset::TaskKind;
use crate::data::interaction::Timestamp;
use crate::eval::experiment::Answered;
use crate::eval::split::Question;
use crate::memory::Memory;
use crate::memory::entry::IndexError;
use crate::memory::population::UserIx;

/// What the guard did over all queries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GuardReport {
    /// k: fewest distinct contributors of anything collective, the asking person aside.
    pub guard: usize,
    /// Collective statements kept back, counted at every query.
    pub suppressed: usize,
    /// Queries at which at least one was.
    pub queries: usize,
    /// Entries that prompts held, counted at every query.
    pub entries: usize,
    /// Of those, how many were counted anew from their items.
    pub recounted: usize,
    /// Fewest people behind one of them; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<usize>,
    /// Entries with fewer than k people: 0, or the guard is broken.
    pub below: usize,
}

/// Looks at every prompt of `questions`.
///
/// # Errors
///
/// Memory could not be read.
pub fn look(memory: &Memory, questions: &[Question], answered: &[Answered]) -> Result<GuardReport, IndexError> {
    let guard = memory.manifest.retrieval.guard;
    let mut found = GuardReport { guard, ..GuardReport::default() };
    // An identity names its period and stands for the same people at any moment; but of ratings it names a thing, of which
    // there are more with time.
    let mut known: HashMap<(&str, Option<Timestamp>), Option<BTreeSet<UserIx>>> = HashMap::new();
    let rated = memory.manifest.task == TaskKind::Rating;
    for (question, answered) in questions.iter().zip(answered) {
        found.suppressed += answered.heard.suppressed;
        found.queries += usize::from(answered.heard.suppressed > 0);
        let asking = memory.population.user_ix(question.user);
        for entry in &answered.heard.entries {
            let counted = match known.entry((&entry.id, rated.then_some(question.at))) {
                Occupied(counted) => counted.into_mut(),
                Vacant(place) => place.insert(memory.contributors(&entry.id, question.at)?),
            };
            let people = match counted {
                Some(users) => users.len() - usize::from(asking.is_some_and(|asking| users.contains(&asking))),
                None => entry.people,
            };
            found.entries += 1;
            found.recounted += usize::from(counted.is_some());
            found.least = Some(found.least.map_or(people, |least| least.min(people)));
            found.below += usize::from(people < guard);
        }
    }
    Ok(found)
}
