//! Text files as people save them: UTF-8, with or without a byte order mark, lines ended as any system ends them.
//!
//! Invariant: what is wrong with a text is told by its line, and never by a parser's own idea of one.

use std::borrow::Cow;

use super::sanitize::visible;

/// Bytes that are no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {byte} of the line is not UTF-8; save the file as UTF-8")]
pub struct NotUtf8 {
    /// 1-based.
    pub line: usize,
    /// Where in the line the first of them stands, 1-based.
    pub byte: usize,
}

/// The text in `bytes`, a byte order mark aside.
pub fn decode(bytes: &[u8]) -> Result<&str, NotUtf8> {
    let bytes = without_mark(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let start = good.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        NotUtf8 { line: line_of(bytes, good.len()), byte: good.len() - start + 1 }
    })
}

/// `bytes` without the byte order mark that some editors put before a text.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// The 1-based line in which the byte `offset` of a text stands.
pub fn line_of(text: &[u8], offset: usize) -> usize {
    text.iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// What is wrong with a line of JSON, on one line. The parser counts lines within the one it was given, so only its
/// column is news.
pub fn json_fault(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let reason = told.rsplit_once(" at line ").map_or(told.as_str(), |(reason, _)| reason);
    // The parser takes the first letter of a word for that of true, false or null.
    let reason = if reason == "expected ident" { "expected JSON" } else { reason };
    let reason = visible(reason);
    if error.column() > 0 { format!("{reason} (column {})", error.column()) } else { reason.into_owned() }
}

/// `text` with its middle left out where it has more than `most` characters: the beginning says what failed, the end
/// what to do.
pub fn brief(text: &str, most: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= most {
        return Cow::Borrowed(text);
    }
    let head = most * 2 / 3;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - (most - head - 1)).collect();
    Cow::Owned(format!("{start}…{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_told_by_line_and_place() {
        assert_eq!(decode("\u{feff}ä\r\nb".as_bytes()), Ok("ä\r\nb"));
        for (bytes, line, byte) in [(&b"\xff"[..], 1, 1), (b"a\nb\xffc\n", 2, 2), (b"\xEF\xBB\xBFa\n\n\xc3", 3, 1)] {
            assert_eq!(decode(bytes), Err(NotUtf8 { line, byte }), "{bytes:?}");
        }
    }

    #[test]
    fn a_long_text_keeps_both_ends() {
        assert_eq!(brief("short", 5), "short");
        assert_eq!(brief("ä0123456789z", 9), "ä01234…9z");
        assert_eq!(brief("ä0123456789z", 9).chars().count(), 9);
    }

    #[test]
    fn a_fault_of_json_names_its_column_and_no_line() {
        let fault =
            |text: &str| json_fault(&serde_json::from_str::<std::collections::BTreeMap<String, u8>>(text).unwrap_err());
        assert_eq!(fault("{\"a\": 300}"), "invalid value: integer `300`, expected u8 (column 9)");
        assert!(fault("{\"a\":").starts_with("EOF while parsing"), "{}", fault("{\"a\":"));
    }
}
