//! From which sizes on memory goes the ways of large data.

/// Sizes at which memory goes another way. The defaults are for everybody; others have the ways of large data tested and
/// measured with little of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Up to this many entries, all of them are compared with a query; of more, indexes find candidates.
    pub scanned: usize,
    /// From this many items on, what is formed of a period is kept beside a store's base: fewer are formed sooner than
    /// a person notices. At least 1.
    pub kept: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { scanned: 8192, kept: 10_000 }
    }
}
