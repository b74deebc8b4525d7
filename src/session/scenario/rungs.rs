//! One person's questions on a ladder or a dial: each asked again with another history of theirs.
//!
//! * **Ladder**: memory holds the newest 0, 1, 2, 4, 8 … of what the person did before the question, or the oldest.
//! * **Dial**: memory holds as many items at every rung, a growing share of them with one label. It models *skewed
//!   memory*, not a skewed taste; see [`Held::skewed`].
//!
//! Questions are the person's judged queries and their own interactions; the newest [`QUESTIONS`] that fit, in time order.

use super::Options;
use super::biased::habit;
use super::plan::{Person, Planned, asked_of, asked_of_query};
use crate::data::dataset::Dataset;
use crate::data::interaction::{Timestamp, UserId};
use crate::memory::Memory;
use crate::memory::held::{Held, Skew, rungs};
use crate::memory::population::{LabelIx, Population, UserIx};
use crate::session::event::Asked;
use crate::session::record::told;

/// Questions of a session.
pub const QUESTIONS: usize = 4;

/// Shares of a dial, in percent, that a history of `length` can have: those nearest to every `step` percent, each once.
pub fn shares(step: usize, length: usize) -> Vec<usize> {
    let held = (0..100).step_by(step.max(1)).chain([100]).map(|percent| alike(length, percent as f64));
    let mut shares: Vec<usize> =
        held.map(|alike| (100.0 * alike as f64 / length.max(1) as f64).round() as usize).collect();
    shares.dedup();
    shares
}

/// Items of the label in a history of `length`, for a share in percent.
pub fn alike(length: usize, percent: f64) -> usize {
    ((length as f64 * percent / 100.0).round() as usize).min(length)
}

/// The person's commonest response before `t`; among equals the one given last.
pub fn habit_before(population: &Population, user: Option<UserIx>, t: Timestamp) -> Option<LabelIx> {
    let mut counts = vec![(0usize, 0usize); population.labels.len()];
    for (place, item) in population.visible(user, t).iter().enumerate() {
        let (count, newest) = &mut counts[population.label[*item]];
        (*count, *newest) = (*count + 1, place);
    }
    let best = counts.iter().enumerate().max_by_key(|(_, key)| **key)?;
    (best.1.0 > 0).then_some(best.0)
}

/// How many of a person's items before `t` have the label, and how many have not.
pub fn split_by(population: &Population, user: Option<UserIx>, t: Timestamp, label: LabelIx) -> (usize, usize) {
    let visible = population.visible(user, t);
    let alike = visible.iter().filter(|item| population.label[**item] == label).count();
    (alike, visible.len() - alike)
}

/// What a person may be asked, in time order.
fn questions(dataset: &Dataset, person: &Person) -> Vec<Asked> {
    let judged = person.queries.iter().filter(|query| query.gold.is_some());
    let own = &person.interactions;
    let mut asked: Vec<Asked> = judged
        .map(|query| asked_of_query(dataset, query))
        .chain(own.iter().map(|own| asked_of(dataset, own)))
        .collect();
    asked.sort_by(|a, b| (a.at, &a.source).cmp(&(b.at, &b.source)));
    asked
}

/// Why there is nothing to ask.
fn unasked(dataset: &Dataset, person: &Person, needed: String) -> String {
    let own = &person.interactions;
    match habit(dataset, own) {
        None => format!("has no interaction in '{}'", dataset.manifest.name),
        Some((label, share)) => {
            format!("has {} interactions, {share:.2} of them '{label}', and no question with {needed}", own.len())
        }
    }
}

/// The newest few of the questions that fit.
fn newest(mut asked: Vec<Asked>) -> Vec<Asked> {
    let surplus = asked.len().saturating_sub(QUESTIONS);
    asked.split_off(surplus)
}

pub(super) fn ladder(
    options: &Options,
    dataset: &Dataset,
    person: &Person,
    memory: &Memory,
    user: &UserId,
) -> Result<Vec<Planned>, String> {
    let population = &memory.population;
    let ix = population.user_ix(user);
    let mut asked = questions(dataset, person);
    asked.retain(|asked| population.visible(ix, asked.at).len() >= options.most);
    if asked.is_empty() {
        let needed = format!("{} items before it, the ladder's greatest rung; lower --most", options.most);
        return Err(unasked(dataset, person, needed));
    }
    let side = if options.oldest { "oldest" } else { "newest" };
    let cut = if options.oldest { Held::oldest } else { Held::newest };
    let mut turns = Vec::new();
    for asked in newest(asked) {
        for m in rungs(options.most) {
            let visible = population.visible(ix, asked.at).len();
            let note = format!("ladder: memory holds the {side} {m} of {visible} own items");
            let held = Some(told(memory, &cut(population, ix, asked.at, m)));
            turns.push(Planned { note: Some(note), asked: Asked { held, ..asked.clone() }, then: Vec::new() });
        }
    }
    Ok(turns)
}

pub(super) fn dial(
    options: &Options,
    dataset: &Dataset,
    person: &Person,
    memory: &Memory,
    user: &UserId,
) -> Result<Vec<Planned>, String> {
    let population = &memory.population;
    let ix = population.user_ix(user);
    let mut asked = questions(dataset, person);
    // One label for all of a person's questions: the habit before the first that fits.
    let own_habit = || {
        asked.iter().find_map(|asked| {
            habit_before(population, ix, asked.at).filter(|label| {
                let (alike, others) = split_by(population, ix, asked.at, *label);
                alike >= options.length && others >= options.length
            })
        })
    };
    let Some(label) = options.label.or_else(own_habit) else {
        let needed = format!("{0} items of one label and {0} others before it; lower --length", options.length);
        return Err(unasked(dataset, person, needed));
    };
    let name = &population.labels[label];
    asked.retain(|asked| {
        let (alike, others) = split_by(population, ix, asked.at, label);
        alike >= options.length && others >= options.length
    });
    // Half on-habit, half off-habit, as far as there are.
    let (on, off): (Vec<Asked>, Vec<Asked>) = asked.into_iter().partition(|asked| asked.gold.as_ref() == Some(name));
    let half = QUESTIONS / 2;
    let last = |part: Vec<Asked>, n: usize| part[part.len().saturating_sub(n)..].to_vec();
    let (of_on, of_off) = (QUESTIONS - half.min(off.len()), QUESTIONS - half.min(on.len()));
    let mut asked = last(on, of_on);
    asked.extend(last(off, of_off));
    asked.sort_by(|a, b| (a.at, &a.source).cmp(&(b.at, &b.source)));
    if asked.is_empty() {
        let needed = format!("{0} items of '{name}' and {0} others before it; lower --length", options.length);
        return Err(unasked(dataset, person, needed));
    }
    let mut turns = Vec::new();
    for asked in asked {
        for percent in shares(options.step, options.length) {
            let alike = alike(options.length, percent as f64);
            let skew = Skew { label, length: options.length, alike, seed: options.seed };
            let Some(held) = Held::skewed(population, ix, asked.at, skew) else { continue };
            let note = format!("dial: {percent} % '{name}', {alike} of {} items held", options.length);
            let held = Some(told(memory, &held));
            turns.push(Planned { note: Some(note), asked: Asked { held, ..asked.clone() }, then: Vec::new() });
        }
    }
    Ok(turns)
}
