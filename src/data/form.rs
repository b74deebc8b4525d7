//! The form of a written text: what kind of line it is, whatever it is about, and how long.
//!
//! Memories of a `text` task agree or differ in form as those of a `labels` task do in labels, so a form takes the place
//! of a label there. Forms are told by signs at the beginning and the end, in the order of [`Form::RULES`], the first
//! that fits; every text has exactly one. Only [`Form::Explainer`] looks at words of a language.
//!
//! Invariant: a form is a function of the text alone, and sessions and stores record it: a changed rule is another form,
//! and another version of stores.

use std::collections::HashMap;
use std::fmt;

/// What kind of line a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// None of the others.
    Statement,
    /// Ends with a question mark.
    Question,
    /// Ends with an exclamation mark.
    Exclamation,
    /// Begins with a number of up to three digits: `7 Ways to …`.
    List,
    /// Begins with *how*, *why* or *what* and asks nothing: `How to …`.
    Explainer,
    /// Begins with a quotation mark, or quotes at least two words.
    Quote,
    /// Up to four words and a colon before the rest: `Review: …`.
    Topic,
    /// Speaks to somebody: begins with `@name`.
    Reply,
    /// Breaks off: ends with an ellipsis.
    Trailing,
}

/// Words of the longest heading before a colon.
const HEADING: usize = 4;
/// Digits of the longest number that begins a list; four would be a year.
const DIGITS: usize = 3;
/// Words that open an explanation.
const OPENERS: [&str; 3] = ["how", "why", "what"];
/// Quotation marks in pairs.
const QUOTES: [(char, char); 9] =
    [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('»', '«'), ('「', '」'), ('『', '』'), ('‘', '’'), ('\'', '\'')];

impl Form {
    /// All, in display order.
    pub const ALL: [Form; 9] = [
        Form::Statement,
        Form::Question,
        Form::Exclamation,
        Form::List,
        Form::Explainer,
        Form::Quote,
        Form::Topic,
        Form::Reply,
        Form::Trailing,
    ];

    /// The order in which signs are looked for.
    pub const RULES: [Form; 8] = [
        Form::Reply,
        Form::List,
        Form::Question,
        Form::Exclamation,
        Form::Trailing,
        Form::Explainer,
        Form::Quote,
        Form::Topic,
    ];

    /// The form of `text`.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        Self::RULES.into_iter().find(|form| form.fits(text)).unwrap_or(Form::Statement)
    }

    /// Whether the trimmed `text` bears the form's own sign.
    fn fits(self, text: &str) -> bool {
        // What closes a quotation or a bracket may follow the mark that ends a sentence.
        let body =
            || text.trim_end_matches(|c: char| c.is_whitespace() || is_quote(c) || matches!(c, ')' | ']' | '）'));
        let marks = || body().chars().rev().take_while(|c| is_question(*c) || is_exclamation(*c));
        match self {
            Form::Statement => true,
            Form::Question => marks().any(is_question),
            Form::Exclamation => marks().any(is_exclamation),
            Form::List => begins_with_number(text),
            Form::Explainer => {
                let first = text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty());
                first.is_some_and(|word| OPENERS.contains(&word.to_lowercase().as_str())) && !text.starts_with(is_quote)
            }
            Form::Quote => text.starts_with(is_quote) || quotes(text),
            Form::Topic => has_heading(text),
            Form::Reply => {
                let name = text.trim_start_matches('.').strip_prefix('@');
                name.is_some_and(|name| name.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            }
            Form::Trailing => body().ends_with("...") || body().ends_with('…'),
        }
    }

    /// Name in UI, CLI, files and docs.
    pub fn name(self) -> &'static str {
        match self {
            Form::Statement => "statement",
            Form::Question => "question",
            Form::Exclamation => "exclamation",
            Form::List => "list",
            Form::Explainer => "explainer",
            Form::Quote => "quote",
            Form::Topic => "topic",
            Form::Reply => "reply",
            Form::Trailing => "trailing",
        }
    }

    /// The names of all, in display order: what a text task has in the place of labels.
    pub fn names() -> Vec<String> {
        Self::ALL.map(|form| form.name().to_owned()).to_vec()
    }

    /// Place in [`Form::ALL`].
    pub fn place(self) -> usize {
        Self::ALL.into_iter().position(|form| form == self).unwrap_or_default()
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn is_question(c: char) -> bool {
    matches!(c, '?' | '？' | '؟' | '⁇' | '⁈' | '⁉')
}

fn is_exclamation(c: char) -> bool {
    matches!(c, '!' | '！' | '‼' | '⁉' | '⁈')
}

fn is_quote(c: char) -> bool {
    QUOTES.iter().any(|(open, close)| *open == c || *close == c)
}

fn begins_with_number(text: &str) -> bool {
    let mut parts = text.trim_start_matches(is_quote).split_whitespace();
    let number =
        parts.next().is_some_and(|first| first.chars().count() <= DIGITS && first.chars().all(char::is_numeric));
    number && parts.next().is_some_and(is_word)
}

/// Whether at least two words stand between a pair of marks. A mark inside a word is an apostrophe.
fn quotes(text: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    QUOTES.iter().any(|(open, close)| {
        let opening = text.char_indices().filter(|(at, c)| c == open && !letter(text[..*at].chars().next_back()));
        opening.into_iter().any(|(at, c)| {
            let inside = &text[at + c.len_utf8()..];
            let closing = inside
                .char_indices()
                .find(|(end, c)| c == close && *end > 0 && !letter(inside[end + c.len_utf8()..].chars().next()));
            closing.is_some_and(|(end, _)| words(&inside[..end]) >= 2)
        })
    })
}

fn has_heading(text: &str) -> bool {
    let colon = text.char_indices().find(|(at, c)| match c {
        ':' => text[at + 1..].starts_with(char::is_whitespace),
        '：' => true,
        _ => false,
    });
    colon.is_some_and(|(at, c)| (1..=HEADING).contains(&words(&text[..at])) && words(&text[at + c.len_utf8()..]) > 0)
}

fn is_word(piece: &str) -> bool {
    piece.chars().any(char::is_alphanumeric)
}

/// How many words `text` has: pieces between white space with a letter or a digit in them. A script that writes without
/// spaces has few.
pub fn words(text: &str) -> usize {
    text.split_whitespace().filter(|piece| is_word(piece)).count()
}

/// ln of the number of words, of at least one: lengths differ by factors, not by words.
pub fn log_words(text: &str) -> f64 {
    (words(text).max(1) as f64).ln()
}

/// Where a response stands among those that a task can have.
#[derive(Clone, Debug, PartialEq)]
pub enum Places {
    /// By name.
    Listed(HashMap<String, usize>),
    /// By form.
    Written,
}

impl Places {
    /// The place of `response`; `None` for a name that is not listed.
    pub fn of(&self, response: &str) -> Option<usize> {
        match self {
            Places::Listed(places) => places.get(response).copied(),
            Places::Written => Some(Form::of(response).place()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_is_told_by_its_sign() {
        for (text, expected) in [
            ("Senate passes the budget", Form::Statement),
            ("It's a boy's life", Form::Statement),
            ("2020 was a long year", Form::Statement),
            ("5-year-old finds a fossil", Form::Statement),
            ("Ratio 3:1 agreed", Form::Statement),
            ("He said that this would be the end of it: silence", Form::Statement),
            ("Whatever happens", Form::Statement),
            ("", Form::Statement),
            ("Is this the end?", Form::Question),
            ("Is this “the end?”", Form::Question),
            ("これは終わりですか？", Form::Question),
            ("What?!", Form::Question),
            ("How much is enough? (Really?)", Form::Question),
            ("We won!", Form::Exclamation),
            ("¡Ganamos!", Form::Exclamation),
            ("7 ways to sleep", Form::List),
            ("\"10 things\" returns", Form::List),
            ("7 questions to ask?", Form::List),
            ("100", Form::Statement),
            ("How to sleep", Form::Explainer),
            ("WHY We Wait", Form::Explainer),
            ("What the vote means: a guide", Form::Explainer),
            ("How's that", Form::Explainer),
            ("'I am the one' says chef", Form::Quote),
            ("Chef says 'I am the one'", Form::Quote),
            ("Mayor calls plan «un grand pas»", Form::Quote),
            ("\"Enough\"", Form::Quote),
            ("Review: a quiet film", Form::Topic),
            ("The week in numbers: rain", Form::Topic),
            ("@ann see you there", Form::Reply),
            (".@ann_b is right!", Form::Reply),
            ("@ home today", Form::Statement),
            ("and then it rained...", Form::Trailing),
            ("so tired…", Form::Trailing),
        ] {
            assert_eq!(Form::of(text), expected, "{text}");
            assert_eq!(Form::of(&format!("  {text} ")), expected, "white space around '{text}'");
        }
    }

    #[test]
    fn words_are_pieces_with_a_letter_or_a_digit() {
        for (text, expected) in [("", 0), ("- –", 0), ("one", 1), ("It's 5-year-old 7", 3), ("a\tb\n c", 3)] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(log_words(" - "), 0.0);
    }

    #[test]
    fn names_are_their_own_and_stand_in_their_place() {
        let names = Form::names();
        assert!(Form::ALL.iter().all(|form| names[form.place()] == form.name()));
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), Form::ALL.len());
        assert!(Form::RULES.iter().all(|form| *form != Form::Statement));
    }

    proptest! {
        #[test]
        fn any_text_has_one_form(text in ".{0,60}") {
            let form = Form::of(&text);
            prop_assert_eq!(Places::Written.of(&text), Some(form.place()));
            let earlier = Form::RULES.iter().take_while(|rule| **rule != form);
            prop_assert!(earlier.into_iter().all(|rule| !rule.fits(text.trim())), "an earlier rule fits");
        }
    }
}
