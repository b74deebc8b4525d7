//! What was wrong with a number, said as what to write instead: the parsers' own words speak of digits, literals and ranges
//! of the language.

use std::borrow::Cow;

/// `told` of a parser, its end put as what to give instead where it is about a number.
pub fn instead(told: &str) -> Cow<'_, str> {
    let whole = ["invalid digit found in string", "cannot parse integer from empty string"];
    let any = ["invalid float literal", "cannot parse float from empty string"];
    let ends = |words: &[&str]| words.iter().find_map(|words| told.strip_suffix(words));
    if let Some(told) = ends(&whole) {
        return format!("{told}give a whole number").into();
    }
    if let Some(told) = ends(&any) {
        return format!("{told}give a number").into();
    }
    let Some((before, range)) = told.rsplit_once(" is not in ") else { return told.into() };
    let Some((least, most)) = range.split_once("..") else { return told.into() };
    // The number stands before it a second time.
    let before = before.rsplit_once(": ").map_or(String::new(), |(before, _)| format!("{before}: "));
    match most.strip_prefix('=') {
        Some(most) => format!("{before}give a whole number from {least} to {most}"),
        None => format!("{before}give a whole number from {least} on"),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_give() {
        for (told, expected) in [
            (
                "invalid value 'x' for '--k <N>': invalid digit found in string",
                "invalid value 'x' for '--k <N>': give a whole number",
            ),
            (
                "invalid value 'x' for '--a <A>': invalid float literal",
                "invalid value 'x' for '--a <A>': give a number",
            ),
            (
                "invalid value '0' for '--n <N>': 0 is not in 1..=9",
                "invalid value '0' for '--n <N>': give a whole number from 1 to 9",
            ),
            ("10 is not in 512..=16777216", "give a whole number from 512 to 16777216"),
            ("user 'u1' is not in the dataset", "user 'u1' is not in the dataset"),
        ] {
            assert_eq!(instead(told), expected);
        }
    }
}
