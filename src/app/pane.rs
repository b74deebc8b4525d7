//! The panes of the screen, by name and order.

/// The panes, in reading order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pane {
    /// Local memory.
    Local,
    /// The mediator.
    Mediator,
    /// Global memory.
    Global,
    /// The four arms.
    Answers,
    /// The sliders.
    Weights,
}

impl Pane {
    /// All.
    pub const ALL: [Pane; 5] = [Pane::Local, Pane::Mediator, Pane::Global, Pane::Answers, Pane::Weights];

    /// Its place in [`Pane::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Pane::Local => "Local",
            Pane::Mediator => "Mediator",
            Pane::Global => "Global",
            Pane::Answers => "Answers",
            Pane::Weights => "Weights",
        }
    }
}
