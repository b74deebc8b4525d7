//! Boards: sheets that stay true while weights are turned, since the keys of the weights go on working beneath them.
//!
//! Invariant: a board holds what is looked at and how, never a copy of what it shows; that is drawn from the state.

use std::sync::Arc;

use super::rungs::Kind;
use super::state::{Setting, State};
use crate::engine::prompt::Arm;
use crate::eval::numbers::{Numbers, Paired};
use crate::session::steps::{Remediated, Steps};

/// A board over the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Board {
    /// What it shows.
    pub page: Page,
    /// First line shown.
    pub scroll: u16,
}

impl Board {
    /// A board at its top.
    pub fn of(page: Page) -> Self {
        Self { page, scroll: 0 }
    }
}

/// What a board shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// The prompt of an arm, by itself or against another text.
    Prompts {
        /// Whose.
        arm: Arm,
        /// What it is compared with.
        against: Option<Against>,
    },
    /// The numbers of the session.
    Numbers,
    /// Two settings beside each other.
    Compared(Box<Comparison>),
    /// A fit of the weights.
    Fit,
    /// How far the session's decisions stand from flipping.
    Flips,
    /// What the selected weight's values make of the session.
    Sweep {
        /// Which of the task's metrics.
        by: usize,
    },
    /// The prose profile of who asks.
    Profile,
    /// The question with less of a history, or with a skewed one.
    Rungs(Kind),
    /// What each memory adds to the answer of an arm.
    Attribution {
        /// Whose.
        arm: Arm,
        /// The token whose numbers are told, from 0.
        token: usize,
    },
}

impl Page {
    /// Its title.
    pub fn title(&self) -> &'static str {
        match self {
            Page::Prompts { .. } => "prompt room",
            Page::Numbers => "numbers of the session",
            Page::Compared(_) => "two settings",
            Page::Fit => "fit",
            Page::Flips => "flip distances",
            Page::Sweep { .. } => "sweep",
            Page::Profile => "profile",
            Page::Rungs(Kind::Ladder) => "cold-start ladder",
            Page::Rungs(Kind::Dial) => "bias dial",
            Page::Attribution { .. } => "attribution",
        }
    }

    /// The arm that it is about, if it is about one.
    pub fn arm(&self) -> Option<Arm> {
        match self {
            Page::Prompts { arm, .. } | Page::Attribution { arm, .. } => Some(*arm),
            _ => None,
        }
    }
}

/// Two settings and what they make of the session. Kept up to date in `update`: mediating a session twice is no work for
/// a drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What they are called.
    pub titles: [String; 2],
    /// What they are.
    pub settings: [Setting; 2],
    /// What each makes of the session; `None` where nothing judged has been asked.
    pub numbers: Option<[Numbers; 2]>,
    /// The second's mediated answers against the first's.
    pub paired: Paired,
    /// Whether the second is the present setting, whatever that becomes.
    pub follows: bool,
    /// The questions that were counted.
    steps: Arc<Steps>,
}

impl Comparison {
    /// Mediates the session under both.
    pub fn of(state: &State, titles: [String; 2], settings: [Setting; 2], follows: bool) -> Self {
        let [first, second] = settings.map(|setting| state.study.steps.remediate(&setting));
        let mediated = |rows: &[Remediated], ix: usize| rows[ix].outcome.arms[Arm::Mediated as usize];
        let mut paired = Paired::default();
        for ix in 0..first.len() {
            let (Some(old), Some(new)) = (mediated(&first, ix), mediated(&second, ix)) else { continue };
            paired.n += 1;
            paired.won += usize::from(new && !old);
            paired.lost += usize::from(old && !new);
        }
        let labels = state.data.as_ref().map_or(0, |data| data.labels.len());
        let numbers = (paired.n > 0).then(|| [first, second].map(|rows| state.study.count(labels, &rows)));
        Self { titles, settings, numbers, paired, follows, steps: Arc::clone(&state.study.steps) }
    }

    /// The same as things stand now; `None` where nothing has changed.
    pub fn anew(&self, state: &State) -> Option<Self> {
        let [first, second] = self.settings;
        let settings = [first, if self.follows { state.setting } else { second }];
        let same = settings == self.settings && Arc::ptr_eq(&self.steps, &state.study.steps);
        (!same).then(|| Self::of(state, self.titles.clone(), settings, self.follows))
    }
}

/// What a prompt is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The prompt of another arm.
    Arm(Arm),
    /// What the model was asked, where the prompt has changed since.
    Asked,
}

impl Against {
    /// The next thing to compare the prompt of `arm` with: the other arms, what was `asked` if that differs, nothing.
    pub fn after(current: Option<Self>, arm: Arm, asked: bool) -> Option<Self> {
        let others = Arm::ALL.into_iter().filter(|other| *other != arm).map(Against::Arm);
        let all: Vec<Self> = others.chain(asked.then_some(Against::Asked)).collect();
        match current {
            None => all.first().copied(),
            Some(current) => all.iter().skip_while(|other| **other != current).nth(1).copied(),
        }
    }
}
