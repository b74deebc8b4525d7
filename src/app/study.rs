//! The study: the judged questions of the session at hand, ready to be mediated again, with their numbers.
//!
//! Live, these are the judged questions asked so far, each as it was asked last; in a replay, all turns of the recording.
//! Invariant: numbers belong to the steps and the setting they stand beside; they are computed in `update`, within a frame.

use std::sync::Arc;

use super::fitter::Fitted;
use super::state::{Setting, State};
use super::surveyor::{Found, Survey};
use crate::eval::numbers::{Counted, Numbers};
use crate::session::steps::{Remediated, Steps};

/// Questions from which on numbers are worth a place on the screen.
pub const TELLING: usize = 2;

/// What can be studied.
#[derive(Clone, Debug, Default)]
pub struct Study {
    /// The questions. Shared with whoever surveys them.
    pub steps: Arc<Steps>,
    /// Under the dataset's default; in a replay, what was recorded. `None` before the first question.
    pub before: Option<Numbers>,
    /// Under the present setting; `None` while a replay follows its recording.
    pub now: Option<Numbers>,
    /// What is found out about them beside, in a thread of its own.
    pub survey: Surveying,
    /// A fit of the weights on the dataset; live work alone has one.
    pub fitting: Fitting,
}

impl Study {
    /// The numbers to look at first: those of the present setting.
    pub fn present(&self) -> Option<&Numbers> {
        self.now.as_ref().or(self.before.as_ref())
    }

    /// Whether there is enough to speak of numbers.
    pub fn telling(&self) -> bool {
        self.present().is_some_and(|numbers| numbers.tally.judged >= TELLING)
    }

    /// The numbers of the steps as `remediated`, of a task of so many labels.
    pub fn count(&self, labels: usize, remediated: &[Remediated]) -> Numbers {
        let counted = self.steps.iter().zip(remediated).map(|(step, row)| Counted {
            user: &step.user,
            outcome: row.outcome,
            sure: row.sure,
            decision: Some(row.decision()),
            gold: step.gold,
        });
        Numbers::of(labels, counted)
    }
}

impl State {
    /// What the numbers of the present setting are held against, in a word.
    pub fn baseline(&self) -> &'static str {
        if self.replay.is_some() { "recorded" } else { "default" }
    }

    /// Whether a test over the questions says something of others.
    pub fn is_testable(&self) -> bool {
        self.replay.as_ref().is_none_or(|replaying| replaying.opened.testable)
    }

    /// The numbers of the study's steps under `setting`; `None` without steps.
    pub fn numbers_under(&self, setting: &Setting) -> Option<Numbers> {
        let labels = self.data.as_ref()?.labels.len();
        let steps = &self.study.steps;
        (!steps.is_empty()).then(|| self.study.count(labels, &steps.remediate(setting)))
    }
}

/// A survey of the study, as far as it has come.
#[derive(Clone, Debug, Default)]
pub struct Surveying {
    /// The number of the last survey, or of what stopped it.
    pub ticket: u64,
    /// What is surveyed, of which steps and under which setting; `None` while nothing is wanted.
    pub wanted: Option<(Arc<Steps>, Setting, Survey)>,
    /// Parts of the work done, and all.
    pub done: (usize, usize),
    /// What it has found; of the survey before until there is news of this one.
    pub found: Option<Found>,
}

impl Surveying {
    /// Whether more is to come.
    pub fn under_way(&self) -> bool {
        self.wanted.is_some() && self.done.0 < self.done.1
    }
}

/// A fit of the weights, as far as it has come.
#[derive(Clone, Debug, Default)]
pub struct Fitting {
    /// The number of the last fit, or of what stopped it.
    pub ticket: u64,
    /// How it stands.
    pub state: FitState,
    /// Whether the queries held out have been looked at since.
    pub revealed: bool,
}

/// How a fit stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum FitState {
    /// None was asked for.
    #[default]
    Idle,
    /// It is at this.
    Running(String),
    /// It is done.
    Done {
        /// What it found.
        fitted: Box<Fitted>,
        /// The try that it was saved as; none where nothing was better.
        saved: Option<String>,
    },
    /// It came to nothing, because.
    Failed(String),
}
