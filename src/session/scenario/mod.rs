//! Scenarios: sessions made from a dataset to show one thing, deterministically; times are the data's own.
//!
//! * **Cold start**: all that one person did is taken out of the data; then each of their first [`COLD_TURNS`]
//!   interactions is asked *before* it is remembered, so that their history grows from nothing.
//! * **Biased user** (method: at least [`biased::ITEMS`] items, [`biased::SHARE`] of them with one response): questions
//!   from the time when their history is that skewed already, as many off-habit ones (they answered something else) as
//!   on-habit ones, at most [`biased::PAIRS`] of each: the newest off-habit ones, each with the on-habit one nearest in
//!   time. Questions are the person's own interactions and judged queries; memory is read strictly before each.
//! * **[Ladder](rungs)** and **[dial](rungs)**: the same questions with less of the person's history, and with a skewed one.
//! * **[Drift](drift)**: somebody whose taste changed, around the change.
//! * **[New community](arrival)**: people whom memory has not seen before a moment, period by period.
//! * **[Gallery](gallery)**: the strongest conflict of each type.
//!
//! Who is shown, unless named: everyone who fits is tried with memory alone under the setting given, and
//!
//! * for a cold start, somebody for whom global is right more often than local in the first third and local more often
//!   than global in the last, and mediated in all at least as often as either: the most right answers of arm *mediated*,
//!   then the largest lesser lead of the two, then the largest sum; for a ladder the same of its lower and upper rungs;
//! * for a biased user, somebody for whom mediated is right more often than local off-habit, by more than it loses
//!   on-habit: the largest gain less that loss, then the largest gain; for a dial the same of its rungs above one half;
//! * for a drift, whose responses changed the most clearly.
//!
//! The first in order of identity wins ties. Where a model has a say in the final decisions, the [`SHORTLIST`] best are
//! tried once more with its answers, and the best of those is taken; where none of them shows it then, the others are
//! tried until somebody does. Whoever does not show it with memory alone is ranked by the same numbers behind those who
//! do. This picks an *illustration*; it says nothing about how often the effect occurs.

pub mod arrival;
pub mod biased;
pub mod drift;
pub mod gallery;
mod merit;
mod plan;
pub mod rungs;

use std::fmt;

pub use plan::Plan;

use super::event::ModelId;
use crate::data::dataset::TaskKind;
use crate::engine::engine::Engine;

/// Questions of a cold start.
pub const COLD_TURNS: usize = 24;
/// How many candidates are tried with a model where one of them shows it.
pub const SHORTLIST: usize = 5;

/// What a session is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A history that grows from nothing.
    ColdStart,
    /// A long but one-sided history.
    Biased,
    /// The same questions with less of a history.
    Ladder,
    /// The same questions with a history skewed toward one label.
    Dial,
    /// A taste that changes.
    Drift,
    /// People whom memory has not seen.
    NewCommunity,
    /// The strongest conflicts.
    Gallery,
}

impl Scenario {
    /// All.
    pub const ALL: [Scenario; 7] = [
        Scenario::ColdStart,
        Scenario::Biased,
        Scenario::Ladder,
        Scenario::Dial,
        Scenario::Drift,
        Scenario::NewCommunity,
        Scenario::Gallery,
    ];

    /// Name in CLI, files and docs.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::ColdStart => "cold-start",
            Scenario::Biased => "biased",
            Scenario::Ladder => "ladder",
            Scenario::Dial => "dial",
            Scenario::Drift => "drift",
            Scenario::NewCommunity => "new-community",
            Scenario::Gallery => "gallery",
        }
    }

    /// What it needs labels for; `None` where a dataset of `task` can show it.
    pub fn needs_labels(self, task: TaskKind) -> Option<&'static str> {
        match self {
            _ if task == TaskKind::Labels => None,
            Scenario::Dial => Some("skews a history toward one label"),
            Scenario::Drift => Some("looks for a change of taste in labels"),
            Scenario::NewCommunity => Some("needs communities, which are found by labels"),
            Scenario::ColdStart | Scenario::Biased | Scenario::Ladder | Scenario::Gallery => None,
        }
    }

    /// What it shows, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Scenario::ColdStart => "a history that grows from nothing",
            Scenario::Biased => "a one-sided history, asked on-habit and off-habit",
            Scenario::Ladder => "the same questions with 0, 1, 2, 4, 8 … memories",
            Scenario::Dial => "the same questions with 0 to 100 % of one label",
            Scenario::Drift => "a taste that changes",
            Scenario::NewCommunity => "a community that memory has not met before",
            Scenario::Gallery => "the strongest conflict of every type",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(|| format!("'{name}' is no scenario; use one of {}", known()))
    }
}

/// What may be chosen of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The greatest rung of a ladder: its people have at least as many items.
    pub most: usize,
    /// The oldest items are held instead of the newest.
    pub oldest: bool,
    /// Items of a history on the dial.
    pub length: usize,
    /// Percent from one rung of the dial to the next.
    pub step: usize,
    /// The label of the dial, as an index; `None`: each person's commonest.
    pub label: Option<usize>,
    /// The person who changes is made of two.
    pub made: bool,
    /// The community that arrives; `None`: the one whose answers are least like everyone else's.
    pub community: Option<usize>,
    /// Seed of whatever is drawn.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { most: 32, oldest: false, length: 10, step: 10, label: None, made: false, community: None, seed: 1 }
    }
}

/// Whoever answers besides memory.
pub struct Voice<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// What it runs.
    pub model: ModelId,
}
