//! Matching a typed filter against names, forgiving letters left out.

/// A match of this score is an unbroken one.
pub const UNBROKEN: i64 = 5_000;

/// How well `filter` matches `text`; `None` if it does not. An unbroken match beats a scattered one, a whole word's start
/// the middle of one, an early match a late one.
pub fn fuzzy(filter: &str, text: &str) -> Option<i64> {
    if filter.is_empty() {
        return Some(0);
    }
    let (filter, text) = (filter.to_lowercase(), text.to_lowercase());
    if let Some(at) = text.find(&filter) {
        let begins_word = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        return Some(10_000 - at.min(1000) as i64 + if begins_word { 5_000 } else { 0 });
    }
    let mut rest = text.chars();
    let mut gaps = 0;
    for wanted in filter.chars().filter(|c| !c.is_whitespace()) {
        gaps += rest.by_ref().position(|c| c == wanted)? as i64;
    }
    Some(1_000 - gaps.min(999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_beats_letters_and_letters_beat_nothing() {
        let score = |filter| fuzzy(filter, "switch the policy");
        assert!(score("policy") > score("olic") && score("olic") > score("swpol"));
        assert_eq!(score("zz"), None);
        assert_eq!(score(""), Some(0));
    }
}
