//! Distinct texts with numbers: a base that never changes, in memory or mapped, and what was named since.
//!
//! Invariant: numbers are given in order of first appearance, so what was named first has the same number whatever
//! follows.

use std::collections::HashMap;

use super::{Sink, Slots, Source, Strings};
use crate::memory::embed::hash;

/// Distinct texts by number, found by their spelling.
#[derive(Default)]
pub struct Names {
    texts: Strings,
    /// Texts of the base by spelling.
    spelt: Slots,
    added: HashMap<String, u32>,
}

impl Names {
    /// The number of `text`, which is given one if it is new.
    pub fn number(&mut self, text: &str) -> u32 {
        self.find(text).unwrap_or_else(|| {
            let next = self.texts.len() as u32;
            self.texts.push(text);
            self.added.insert(text.to_owned(), next);
            next
        })
    }

    /// The number of a known text.
    pub fn find(&self, text: &str) -> Option<u32> {
        let written = self.spelt.find(hash(text), |number| self.texts[number as usize] == *text);
        written.or_else(|| self.added.get(text).copied())
    }

    /// The text behind a number.
    pub fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes all of them the base, if there is none yet.
    pub fn settle(&mut self) {
        self.texts.settle();
        self.spelt = Slots::of((0..self.texts.len()).map(|number| hash(&self.texts[number])));
        self.added = HashMap::new();
    }

    /// Writes the base as the columns `name`.
    pub fn write<S: Sink>(&self, sink: &mut S, name: &str) -> Result<(), S::Error> {
        sink.lists(name, self.texts.base())?;
        sink.column(&format!("{name}-slots"), self.spelt.base())
    }

    /// Names as they were written.
    pub fn read<S: Source>(source: &S, name: &str) -> Result<Self, S::Error> {
        let texts = source.strings(name)?;
        Ok(Self { texts, spelt: Slots::new(source.column(&format!("{name}-slots"))?), added: HashMap::new() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_follow_the_first_appearance(first in proptest::collection::vec("[ab]{0,3}", 0..12), later in proptest::collection::vec("[abc]{0,3}", 0..12)) {
            let mut names = Names::default();
            for text in &first {
                names.number(text);
            }
            names.settle();
            let mut expected: Vec<&str> = Vec::new();
            for text in first.iter().chain(&later) {
                if !expected.contains(&text.as_str()) {
                    prop_assert_eq!(later.contains(text) && !first.contains(text), names.find(text).is_none());
                    expected.push(text);
                }
                let number = names.number(text);
                prop_assert_eq!(expected.get(number as usize), Some(&text.as_str()));
                prop_assert_eq!((names.find(text), names.text(number)), (Some(number), text.as_str()));
            }
            prop_assert_eq!(names.len(), expected.len());
        }
    }
}
