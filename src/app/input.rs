//! A line being typed.
//!
//! Invariant: the cursor stands on a grapheme boundary; the text holds no control character.

use unicode_segmentation::UnicodeSegmentation;

/// A line with a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    cursor: usize,
    offered: bool,
}

impl Input {
    /// A line that holds `text`, the cursor behind it.
    pub fn of(text: &str) -> Self {
        let mut input = Self::default();
        input.insert(text);
        input
    }

    /// A line that holds `text` for the taking: what is typed first takes its place, any other key edits it.
    pub fn offering(text: &str) -> Self {
        Self { offered: !text.is_empty(), ..Self::of(text) }
    }

    /// Whether what is typed next takes the place of all that stands here.
    pub fn is_offered(&self) -> bool {
        self.offered
    }

    /// What stands in it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor and behind it.
    pub fn parts(&self) -> (&str, &str) {
        self.text.split_at(self.cursor)
    }

    /// Inserts at the cursor; line ends and tabs become spaces, other control characters vanish.
    pub fn insert(&mut self, text: &str) {
        let clean: String = text
            .chars()
            .filter_map(|c| if matches!(c, '\n' | '\r' | '\t') { Some(' ') } else { (!c.is_control()).then_some(c) })
            .collect();
        if std::mem::take(&mut self.offered) {
            self.clear();
        }
        self.text.insert_str(self.cursor, &clean);
        self.cursor += clean.len();
        // A combining character may have joined what stands behind the cursor.
        self.cursor =
            self.text.grapheme_indices(true).map(|(at, _)| at).find(|at| *at >= self.cursor).unwrap_or(self.text.len());
    }

    /// Moves one grapheme to the left.
    pub fn left(&mut self) {
        self.offered = false;
        self.cursor = self.before();
    }

    /// Moves one grapheme to the right.
    pub fn right(&mut self) {
        self.offered = false;
        self.cursor = self.behind();
    }

    /// Moves to the start.
    pub fn start(&mut self) {
        self.offered = false;
        self.cursor = 0;
    }

    /// Moves to the end.
    pub fn end(&mut self) {
        self.offered = false;
        self.cursor = self.text.len();
    }

    /// Deletes the grapheme to the left.
    pub fn delete_back(&mut self) {
        self.offered = false;
        let from = self.before();
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    /// Deletes the grapheme to the right.
    pub fn delete_on(&mut self) {
        self.offered = false;
        let to = self.behind();
        self.text.replace_range(self.cursor..to, "");
    }

    /// Deletes the word to the left and the space before it.
    pub fn delete_word(&mut self) {
        self.offered = false;
        let before = self.text[..self.cursor].trim_end();
        let from = before.rfind(' ').map_or(0, |space| space + 1);
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    /// Deletes everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn behind(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |grapheme| self.cursor + grapheme.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_order_of_strokes_breaks_the_line(strokes in proptest::collection::vec((0..8u8, any::<char>()), 0..60)) {
            let mut input = Input::default();
            for (stroke, c) in strokes {
                match stroke {
                    0..=2 => input.insert(&c.to_string()),
                    3 => input.left(),
                    4 => input.right(),
                    5 => input.delete_back(),
                    6 => input.delete_on(),
                    _ => input.delete_word(),
                }
                let (before, behind) = input.parts();
                prop_assert_eq!(format!("{before}{behind}"), input.text());
                prop_assert!(!input.text().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn what_is_offered_is_replaced_or_edited() {
        let typed = |keys: fn(&mut Input)| {
            let mut input = Input::offering("2024-03-01");
            keys(&mut input);
            input.insert("5");
            assert!(!input.is_offered());
            input.text().to_owned()
        };
        assert_eq!(typed(|_| ()), "5");
        assert_eq!(typed(Input::delete_back), "2024-03-05");
        assert_eq!(typed(Input::end), "2024-03-015");
        assert_eq!(typed(|input| (0..2).for_each(|_| input.left())), "2024-03-501");
    }

    #[test]
    fn words_and_graphemes_go_at_once() {
        let mut input = Input::of("one two e\u{301}");
        input.delete_back();
        assert_eq!(input.text(), "one two ");
        input.delete_word();
        assert_eq!(input.text(), "one ");
        input.insert("a\nb\u{1b}");
        assert_eq!(input.text(), "one a b");
    }
}
