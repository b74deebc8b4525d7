//! What the engine's host was told to do about models, and how much of that it knows when it speaks.
//!
//! Invariant: the host takes calls in one after another and says so in between, so that whatever it says of a model was
//! said knowing the calls it has told of, and no later one.

/// Calls about models: loads, cancelled loads, models let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    made: u64,
    heeded: u64,
    /// The number of the last call that let the model go.
    released: u64,
}

impl Calls {
    /// One more.
    pub fn make(&mut self) {
        self.made += 1;
    }

    /// One more, that lets the model go.
    pub fn release(&mut self) {
        self.make();
        self.released = self.made;
    }

    /// The host has taken in this many.
    pub fn heed(&mut self, calls: u64) {
        self.heeded = calls;
    }

    /// Whether what the host says now crosses the last call: it is about a model that was cancelled since, or that
    /// another one was chosen after.
    pub fn cross(&self) -> bool {
        self.heeded < self.made
    }

    /// Whether it is about a model that has been let go since.
    pub fn outlive(&self) -> bool {
        self.heeded < self.released
    }
}
