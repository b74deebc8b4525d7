//! Undo and redo: one gesture is one step.
//!
//! A gesture is a run of changes with the same mark (turning one slider), ended by anything else; never by a clock.
//! Invariant: `undo` then `redo` restores exactly what was.

/// A history of values; the present one is the caller's.
#[derive(Clone, Debug)]
pub struct History<T, M> {
    past: Vec<T>,
    future: Vec<T>,
    open: Option<M>,
}

impl<T, M> Default for History<T, M> {
    fn default() -> Self {
        Self { past: Vec::new(), future: Vec::new(), open: None }
    }
}

impl<T, M: PartialEq> History<T, M> {
    /// Notes that `before` is about to change by a gesture marked `mark`.
    pub fn record(&mut self, before: T, mark: M) {
        self.future.clear();
        if self.open.as_ref() != Some(&mark) {
            self.past.push(before);
            self.open = Some(mark);
        }
    }

    /// Ends the gesture under way.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Takes a step back from `present`.
    pub fn undo(&mut self, present: T) -> Option<T> {
        self.close();
        let before = self.past.pop()?;
        self.future.push(present);
        Some(before)
    }

    /// Takes a step forward again.
    pub fn redo(&mut self, present: T) -> Option<T> {
        self.close();
        let after = self.future.pop()?;
        self.past.push(present);
        Some(after)
    }

    /// Whether there is a step back.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether there is a step forward.
    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gesture_is_one_step() {
        let mut history = History::default();
        history.record(1, "slider");
        history.record(2, "slider");
        history.record(3, "other");
        assert_eq!(history.undo(4), Some(3));
        assert_eq!(history.undo(3), Some(1));
        assert_eq!(history.undo(1), None);
        assert_eq!(history.redo(1), Some(3));
    }

    proptest! {
        #[test]
        fn redo_restores_what_undo_took(values in proptest::collection::vec(any::<u8>(), 1..20)) {
            let mut history = History::default();
            let mut present = 0;
            for (mark, value) in values.iter().enumerate() {
                history.record(present, mark);
                present = *value;
            }
            let last = present;
            while let Some(before) = history.undo(present) {
                present = before;
            }
            prop_assert_eq!(present, 0);
            while let Some(after) = history.redo(present) {
                present = after;
            }
            prop_assert_eq!(present, last);
        }
    }
}
