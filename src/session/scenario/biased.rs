//! A biased user: many items, most of them with one response, asked on-habit and off-habit.

use std::collections::BTreeMap;

use super::plan::{Person, Planned, asked_of, asked_of_query};
use crate::data::dataset::Dataset;
use crate::data::interaction::{Interaction, Timestamp};
use crate::session::event::Asked;

/// Off-habit questions, and on-habit ones, at most.
pub const PAIRS: usize = 8;
/// Off-habit questions that somebody who is picked must have.
pub(super) const LEAST_PAIRS: usize = 4;
/// Fewest items of a biased user.
pub const ITEMS: usize = 10;
/// Least share of a biased user's top response.
pub const SHARE: f64 = 0.8;

/// The most frequent response of a history with its share; among equals the first in alphabetical order.
pub(super) fn habit<'a>(dataset: &Dataset, history: &[&'a Interaction]) -> Option<(&'a str, f64)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let labels = history.iter().map(|interaction| dataset.manifest.label_of(&interaction.response));
    labels.for_each(|label| *counts.entry(label).or_default() += 1);
    let top = counts.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    Some((top.0, top.1 as f64 / history.len() as f64))
}

pub(super) fn turns(dataset: &Dataset, person: &Person) -> Result<Vec<Planned>, String> {
    let own = &person.interactions;
    let skewed =
        |history: &[&Interaction]| history.len() >= ITEMS && habit(dataset, history).is_some_and(|h| h.1 >= SHARE);
    if !skewed(own) {
        let (label, share) = habit(dataset, own).unwrap_or_default();
        return Err(format!(
            "has {} interactions, {share:.2} of them '{label}'; a biased user has at least {ITEMS}, \
             {SHARE:.2} of them alike",
            own.len()
        ));
    }
    let before = |t: Timestamp| &own[..own.partition_point(|interaction| interaction.at < t)];
    let judged = person.queries.iter().filter(|query| query.gold.is_some());
    let judged = judged.map(|query| asked_of_query(dataset, query));
    let mut all: Vec<Asked> = own.iter().map(|interaction| asked_of(dataset, interaction)).chain(judged).collect();
    all.retain(|asked| skewed(before(asked.at)));
    all.sort_by(|a, b| (a.at, &a.source).cmp(&(b.at, &b.source)));
    let is_habit = |asked: &Asked| habit(dataset, before(asked.at)).map(|(label, _)| label) == asked.right();
    let (mut on, off): (Vec<Asked>, Vec<Asked>) = all.into_iter().partition(is_habit);
    let mut chosen = Vec::new();
    for asked in off.into_iter().rev().take(PAIRS) {
        let distance = |other: &Asked| other.at.0.abs_diff(asked.at.0);
        let Some(nearest) = (0..on.len()).min_by_key(|ix| distance(&on[*ix])) else { break };
        chosen.push(on.remove(nearest));
        chosen.push(asked);
    }
    if chosen.is_empty() {
        return Err("was never asked off-habit while their history was that skewed".to_owned());
    }
    chosen.sort_by(|a, b| (a.at, &a.source).cmp(&(b.at, &b.source)));
    Ok(chosen.into_iter().map(Planned::plain).collect())
}
