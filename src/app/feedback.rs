//! What the analyst says of the answers on the screen: an answer called right or wrong, the true answer to a question
//! that has none, a note.
//!
//! Invariants: it is said of live answers alone, since a recording is not rewritten; what is counted of it is counted
//! apart from what the dataset knows.

use super::state::State;
use crate::engine::prompt::Arm;
use crate::session::event::{Event, Feedback};
use crate::session::replay::Verdicts;

/// What was said of one question, each time it is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// The read that it was said of.
    pub ticket: u64,
    /// Of its answers, in order.
    pub words: Vec<Feedback>,
    /// Beside them.
    pub notes: Vec<String>,
    /// Whether each arm's answer is called right, as of the end of its question.
    pub called: [Option<bool>; 4],
}

/// Answers that the analyst judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// Questions with at least one.
    pub questions: usize,
    /// Per arm: judged answers, and those called right among them.
    pub arms: [(usize, usize); 4],
}

impl State {
    /// What was said of the question at hand in live work.
    pub fn said(&self) -> Option<&Said> {
        self.said.last().filter(|said| said.ticket == self.heard)
    }

    /// What the analyst holds of the answers on the screen.
    pub fn verdicts(&self) -> Verdicts {
        match &self.replay {
            Some(replaying) => replaying.opened.replay.state().turn.as_ref().map(|turn| turn.verdicts()),
            None => self.said().map(|said| Verdicts::of(&said.words)),
        }
        .unwrap_or_default()
    }

    /// What the analyst says of the answers on the screen, as far as it holds.
    pub fn words(&self) -> Vec<(String, bool)> {
        let labels = self.data.as_ref().map_or(&[][..], |data| &data.labels);
        self.verdicts().held(|answer| labels.iter().any(|label| label == answer)).cloned().collect()
    }

    /// What the analyst noted beside the question on the screen.
    pub fn notes(&self) -> Vec<&str> {
        match &self.replay {
            Some(replaying) => replaying.notes(),
            None => self.said().into_iter().flat_map(|said| &said.notes).map(String::as_str).collect(),
        }
    }

    /// Whether the analyst calls each arm's present answer right.
    pub fn called(&self) -> [Option<bool>; 4] {
        let (verdicts, Some(data)) = (self.verdicts(), &self.data) else { return [None; 4] };
        let is_label = |answer: &str| data.labels.iter().any(|label| label == answer);
        Arm::ALL.map(|arm| verdicts.on(data.label(self.answers.arms[arm as usize].decision), is_label))
    }

    /// All that was said: of the recording up to its end, or in live work so far.
    pub fn all_called(&self) -> Called {
        if self.replay.is_some() {
            let tally = self.study.present().map(|numbers| numbers.tally).unwrap_or_default();
            return Called { questions: tally.said, arms: tally.by_analyst };
        }
        let now = self.said().map(|said| said.ticket);
        let mut sum = Called::default();
        for said in &self.said {
            let called = if Some(said.ticket) == now { self.called() } else { said.called };
            sum.questions += usize::from(called.iter().any(Option::is_some));
            for ((answers, right), called) in sum.arms.iter_mut().zip(called) {
                *answers += usize::from(called.is_some());
                *right += usize::from(called == Some(true));
            }
        }
        sum
    }
}

/// Notes among events.
pub fn notes_in<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<&'a str> {
    let note = |event: &'a Event| match event {
        Event::Note { text } => Some(text.as_str()),
        _ => None,
    };
    events.into_iter().filter_map(note).collect()
}
