//! What Esc does on the bare screen: the one thing that it stops or leaves next, which the header offers as well.

use super::state::State;

/// What Esc stops or leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// What the model answers, a memory that it writes before included.
    Answers,
    /// The profile that the model writes.
    Profile,
    /// The pane that has the whole screen.
    Zoom,
    /// The session that is being made.
    Order,
    /// The dataset that is being opened.
    Dataset,
    /// The model that is being loaded.
    Load,
}

impl State {
    /// What Esc does next; `None` if nothing. Answers come first where the screen offers to stop them: while a memory is
    /// written, or a connection is lost. Otherwise they are last, since they end by themselves.
    pub fn back(&self) -> Option<Back> {
        let stuck = self.answers.written.phase.is_open() || self.answers.outage().is_some();
        let found = [
            (stuck, Back::Answers),
            (self.profile.draft.phase.is_open(), Back::Profile),
            (self.zoom, Back::Zoom),
            (self.orders.under_way.is_some(), Back::Order),
            (self.datasets.opening.is_some(), Back::Dataset),
            (self.awaits_model(), Back::Load),
            (self.answers.open(), Back::Answers),
        ];
        found.into_iter().find_map(|(stands, back)| stands.then_some(back))
    }
}
