//! Failure signatures: three ways in which mediation goes wrong that a single right or wrong answer does not show.
//!
//! *Too local*: one remembered item carries the answer. *Too global*: people whose memories differ are answered alike.
//! *Oscillating*: the side that decides changes while the evidence hardly moves. The first is told of one question, the
//! others are folds over the questions of a session, in their order.

use std::collections::{BTreeMap, BTreeSet};

use super::conflict::COVERED;
use super::counterfactual::{Removed, Without};
use super::hysteresis::{Course, changes_side};
use super::resolution::Resolution;
use crate::data::interaction::UserId;

/// Fewest contested questions that show anything.
pub const CONTESTED: usize = 5;
/// Share of contested questions decided for the collective side from which on answers are too global.
pub const COLLECTIVE: f64 = 0.9;
/// Changes of side by one person, the evidence calm: there and back.
pub const CHANGES: usize = 2;

/// A way to fail, with what shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Signature {
    /// One remembered item carries the answer against the collective side.
    TooLocal {
        /// Its place among the person's items.
        item: usize,
        /// What would be decided without it.
        becomes: usize,
    },
    /// People who differ are answered alike.
    TooGlobal {
        /// Questions on which the sides' first choices differ.
        contested: usize,
        /// Those decided for the collective side.
        collective: usize,
        /// Who asked them.
        people: usize,
    },
    /// Sides change while the evidence hardly moves.
    Oscillating {
        /// How often.
        changes: usize,
        /// The least hysteresis, in hundredths, under which no side changes; `None` where even 1 would not do.
        calming: Option<f64>,
    },
}

impl Signature {
    /// Name in UI, CLI and docs.
    pub fn name(self) -> &'static str {
        match self {
            Signature::TooLocal { .. } => "too local",
            Signature::TooGlobal { .. } => "too global",
            Signature::Oscillating { .. } => "oscillating",
        }
    }
}

/// Whether the answer hangs on one memory: it is not what the collective side prefers, and leaving out one of several own
/// items changes it. `without` are the question's counterfactuals. With a single item that is no failure but a start.
pub fn too_local(resolution: &Resolution, without: &[Without]) -> Option<Signature> {
    let items = || without.iter().filter(|without| matches!(without.removed, Removed::Item(_)));
    if items().count() < 2 || resolution.decision == resolution.decide(&resolution.global) {
        return None;
    }
    let breaking = items().find(|without| without.changes)?;
    match breaking.removed {
        Removed::Item(item) => Some(Signature::TooLocal { item, becomes: breaking.decision }),
        _ => None,
    }
}

/// What a fold over the questions of a session has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    course: Course,
    contested: usize,
    collective: usize,
    people: BTreeSet<UserId>,
    preferred: BTreeSet<usize>,
    changes: BTreeMap<UserId, usize>,
}

impl Watch {
    /// Takes in the next question: `user` was answered with `resolution`.
    pub fn see(&mut self, user: &UserId, resolution: &Resolution) {
        let local = resolution.decide(&resolution.local);
        let global = resolution.decide(&resolution.global);
        if resolution.mass >= COVERED && local != global {
            self.contested += 1;
            self.collective += usize::from(resolution.decision == global);
            if !self.people.contains(user) {
                self.people.insert(user.clone());
            }
            self.preferred.insert(local);
        }
        if changes_side(&self.course, user, resolution) {
            *self.changes.entry(user.clone()).or_default() += 1;
        }
        self.course = Course::after(user, resolution);
    }

    /// At least five questions of at least two people whose memories prefer at least two values are contested, and nine
    /// in ten of them went to the collective side.
    pub fn too_global(&self) -> Option<Signature> {
        let Self { contested, collective, .. } = *self;
        let differ = self.people.len() >= 2 && self.preferred.len() >= 2;
        let alike = collective as f64 >= COLLECTIVE * contested as f64;
        let people = self.people.len();
        (contested >= CONTESTED && differ && alike).then_some(Signature::TooGlobal { contested, collective, people })
    }

    /// How often sides changed, if they went back and forth for somebody.
    pub fn oscillates(&self) -> Option<usize> {
        let back = self.changes.values().any(|changes| *changes >= CHANGES);
        back.then(|| self.changes.values().sum())
    }
}

/// What is wrong with a session: its questions in their order, each as it is decided by itself, and the hysteresis it ran
/// under.
pub fn of_session(turns: &[(UserId, Resolution)], hysteresis: f64) -> Vec<Signature> {
    of_session_under(turns, |_| hysteresis)
}

/// The same where each question, by its place, ran under a hysteresis of its own.
pub fn of_session_under(turns: &[(UserId, Resolution)], hysteresis: impl Fn(usize) -> f64) -> Vec<Signature> {
    let (watch, _) = fold(turns, hysteresis);
    let oscillating = watch.oscillates().map(|changes| Signature::Oscillating { changes, calming: calming(turns) });
    watch.too_global().into_iter().chain(oscillating).collect()
}

/// The least hysteresis in hundredths under which nobody's side changes while the evidence is calm; `None` if even 1 is
/// not enough. Holding one decision can move where the next change falls, so the fold is repeated, each time just above
/// the least margin at which a side changed: whatever lies between holds nothing more and ends the same.
pub fn calming(turns: &[(UserId, Resolution)]) -> Option<f64> {
    let mut hundredths = 0u32;
    loop {
        let hysteresis = f64::from(hundredths) / 100.0;
        let (_, margin) = fold(turns, |_| hysteresis);
        let Some(margin) = margin else { return Some(hysteresis) };
        // What changed under a policy that hears one side alone changes under any.
        if margin < hysteresis {
            return None;
        }
        // Strictly above the margin: a decision is held below h. Compared as it will be, for what is .29 is no 29 hundredths
        // in binary.
        hundredths = (hundredths + 1..=100).find(|more| f64::from(*more) / 100.0 > margin)?;
    }
}

/// Runs the session under the `hysteresis` of each question; with the least margin at which a side changed.
fn fold(turns: &[(UserId, Resolution)], hysteresis: impl Fn(usize) -> f64) -> (Watch, Option<f64>) {
    let (mut watch, mut least) = (Watch::default(), None::<f64>);
    for (place, (user, alone)) in turns.iter().enumerate() {
        let settled = watch.course.settle(user, alone.clone(), hysteresis(place));
        if changes_side(&watch.course, user, &settled) {
            least = Some(least.unwrap_or(f64::INFINITY).min(settled.margin));
        }
        watch.see(user, &settled);
    }
    (watch, least)
}
