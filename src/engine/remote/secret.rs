//! A server's own words, as they may be told.
//!
//! Invariant: the key is in none of them, though a server may repeat what it was sent.

use serde_json::Value;

use crate::data::sanitize::visible;
use crate::data::text::brief;
use crate::engine::error::first_line;

/// Characters of a server's own words that are told.
const TOLD: usize = 160;
/// What stands for the key.
const HIDDEN: &str = "(the key)";
/// Characters that a key has at least. What is shorter keeps no secret: it is made up for a server that asks for none, and
/// part of many a word.
const SHORTEST: usize = 4;

/// The key, in every form in which it may come back.
#[derive(Clone, Default)]
pub(super) struct Secret(Vec<String>);

impl Secret {
    /// The secret that `key` is.
    pub(super) fn new(key: Option<&str>) -> Self {
        let Some(key) = key.map(str::trim).filter(|key| key.len() >= SHORTEST) else { return Self::default() };
        let quoted = Value::from(key).to_string();
        let escaped = quoted[1..quoted.len() - 1].to_owned();
        Self(vec![escaped.replace('/', "\\/"), escaped, key.to_owned()])
    }

    /// Words of a server that may be told: one line, visible, short, and without the key.
    pub(super) fn told(&self, words: &str) -> String {
        // Before they are cut: half of a key is still one.
        let hidden = self.0.iter().fold(words.to_owned(), |words, form| words.replace(form, HIDDEN));
        brief(&visible(&first_line(&hidden)), TOLD).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hidden_in_whatever_form_it_comes_back() {
        let secret = Secret::new(Some(" a/b\"c\n"));
        for words in ["a/b\"c", r#"a/b\"c"#, r#"a\/b\"c"#] {
            assert_eq!(secret.told(&format!("no {words}, no a/b\nand more")), "no (the key), no a/b", "{words}");
        }
        let long = format!("{}{}", "x".repeat(TOLD * 2 / 3 - 3), "a/b\"c".repeat(40));
        assert!(!secret.told(&long).contains("a/b"), "nor is half of it told");
        assert_eq!(Secret::new(Some("x")).told("text"), "text", "what is no secret is not looked for");
        assert_eq!(Secret::new(None).told("text"), "text");
    }
}
