//! Text from data or a model is untrusted: what could drive a terminal is made visible before it is shown or logged.
//!
//! Invariant: the result of [`visible`] holds no control character, no escape and no bidirectional override, and
//! sanitising twice changes nothing.

use std::borrow::Cow;

/// Whether `c` could move the cursor, change colours or reorder neighbouring text.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

/// The visible stand-in of a hostile character: the control pictures of Unicode, or `�` where there is none.
fn picture(c: char) -> char {
    match c as u32 {
        code @ 0..=0x1F => char::from_u32(0x2400 + code).unwrap_or('\u{FFFD}'),
        0x7F => '\u{2421}',
        _ => '\u{FFFD}',
    }
}

/// `text` on one line with every hostile character replaced by a visible one; white space (tab, line ends) becomes a
/// space.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| match c {
                '\t' | '\n' | '\r' => ' ',
                c if is_hostile(c) => picture(c),
                c => c,
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_and_overrides_are_shown() {
        assert_eq!(visible("plain – ünïcode 🎬"), "plain – ünïcode 🎬");
        assert_eq!(visible("a\u{1b}[31mred\u{7}"), "a␛[31mred␇");
        assert_eq!(visible("x\u{202e}y\u{9b}"), "x�y�");
        assert_eq!(visible("one\ttwo\r\n"), "one two  ");
    }

    proptest! {
        #[test]
        fn nothing_hostile_remains(text in any::<String>()) {
            let once = visible(&text).into_owned();
            prop_assert!(!once.chars().any(is_hostile));
            prop_assert_eq!(visible(&once).into_owned(), once.clone());
        }
    }
}
