//! A person as the data has them: what they did, what they are asked about, and the texts that nobody else has; and whether
//! a line of any file speaks of them.

use std::collections::HashSet;

use serde_json::Value;

use crate::data::dataset::TaskKind;
use crate::data::interaction::{Interaction, JudgedQuery, UserId};

/// Characters of a text that is told from chance in a file of any kind.
const TELLING: usize = 12;

/// Everything that a dataset says of one person, in file order.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// What they did.
    pub interactions: Vec<Interaction>,
    /// What they are asked about.
    pub queries: Vec<JudgedQuery>,
    /// Their texts that nobody else in the data has.
    pub alone: HashSet<String>,
}

impl Person {
    /// Whether nothing is known of them.
    pub fn is_unknown(&self) -> bool {
        self.interactions.is_empty() && self.queries.is_empty()
    }

    /// Takes in what they said. Of most tasks a response says nothing of anybody.
    pub(super) fn say(&mut self, query: String, response: String, task: TaskKind) {
        if task == TaskKind::Text && !response.is_empty() {
            self.alone.insert(response);
        }
        self.alone.insert(query);
    }

    /// What others recorded too is not theirs alone.
    pub fn share(&mut self, recorded: &[Interaction]) {
        for record in recorded.iter().filter(|record| record.user != self.user) {
            self.alone.remove(&record.query);
            self.alone.remove(&record.response);
        }
    }

    /// Whether a text that only they have, and that is told from chance, stands in `line`, which is no JSON; as JSON writes
    /// it, too, since half a line of JSON is none.
    pub fn speaks_in(&self, line: &str) -> bool {
        let escapes = |c: char| matches!(c, '"' | '\\') || c.is_control();
        let stands = |text: &str| {
            let written = || Value::from(text).to_string();
            line.contains(text) || (text.contains(escapes) && line.contains(written().trim_matches('"')))
        };
        self.alone.iter().any(|text| is_telling(text) && stands(text))
    }

    /// Their texts, interactions first, as a question to memory each: text and, of an interaction, its identity.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let did = self.interactions.iter().map(|i| (i.query.as_str(), Some(i.id.as_str())));
        did.chain(self.queries.iter().map(|q| (q.query.as_str(), None)))
    }
}

/// Whether a line of any file holds something of theirs.
pub(super) fn speaks_of(line: &[u8], person: &Person) -> bool {
    let user = person.user.as_str();
    if let Ok(value) = serde_json::from_slice::<Value>(line) {
        return any_text(&value, &|text| text == user || person.alone.contains(text));
    }
    let line = String::from_utf8_lossy(line);
    let quoted = line.contains(&format!("\"{user}\""));
    let named = is_name(&person.user) && names(&line, user);
    quoted || named || person.speaks_in(&line)
}

/// Whether `word` stands in `text` as a word of its own.
pub(super) fn names(text: &str, word: &str) -> bool {
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(word)
        .any(|(at, _)| apart(text[..at].chars().next_back()) && apart(text[at + word.len()..].chars().next()))
}

/// Whether an identity can be told from a number that stands for something else.
pub(super) fn is_name(user: &UserId) -> bool {
    user.as_str().chars().any(char::is_alphabetic)
}

/// Whether a text is told from chance in a file of any kind.
pub fn is_telling(text: &str) -> bool {
    text.chars().count() >= TELLING
}

/// Whether any text in `value`, keys included, satisfies `holds`.
pub fn any_text(value: &Value, holds: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => holds(text),
        Value::Array(values) => values.iter().any(|value| any_text(value, holds)),
        Value::Object(map) => map.iter().any(|(key, value)| holds(key) || any_text(value, holds)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_half_a_line_of_json() {
        let text = "she said \"no\" twice\n";
        let alone = HashSet::from([text.to_owned(), "short".to_owned()]);
        let person = Person { user: UserId::new("ann"), interactions: Vec::new(), queries: Vec::new(), alone };
        for (line, expected) in [
            (format!("{{\"query\":{}", Value::from(text)), true),
            (format!("{{\"query\":{}", Value::from("she said \"yes\" twice\n")), false),
            ("a short line".to_owned(), false),
        ] {
            assert_eq!(person.speaks_in(&line), expected, "{line}");
        }
    }
}
