//! The clipboard of whoever sits at the terminal, also across a connection: OSC 52, which the terminal obeys or ignores
//! without an answer.
//!
//! Invariant: what is copied travels as base64, so nothing in it can reach the terminal as a command.

use std::fs::File;
use std::io::{self, Write};

/// Bytes of a text at most: above, terminals drop the sequence without a word (xterm reads 100,000 characters of base64).
pub const LONGEST: usize = 74_994;

/// Why a text is not on its way to the clipboard.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Longer than terminals take.
    #[error("{0} bytes are more than terminals take into their clipboard ({LONGEST}); nothing was copied")]
    TooLong(usize),
    /// The terminal could not be written.
    #[error("the terminal cannot be written ({0}); nothing was copied")]
    Write(#[from] io::Error),
}

/// The clipboard behind a terminal.
#[derive(Debug)]
pub struct Clipboard {
    terminal: File,
}

impl Clipboard {
    /// The clipboard behind `terminal`.
    pub fn new(terminal: File) -> Self {
        Self { terminal }
    }

    /// Sends `text` there in one write. Must be called between two frames.
    pub fn copy(&self, text: &str) -> Result<(), CopyError> {
        Ok((&self.terminal).write_all(&sequence(text)?)?)
    }
}

/// What the terminal is told.
fn sequence(text: &str) -> Result<Vec<u8>, CopyError> {
    if text.len() > LONGEST {
        return Err(CopyError::TooLong(text.len()));
    }
    let mut out = b"\x1b]52;c;".to_vec();
    out.extend(base64(text.as_bytes()));
    out.extend(b"\x1b\\");
    Ok(out)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        let letter = |place: u32| ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
        for place in 0..4 {
            out.push(if (place as usize) <= chunk.len() { letter(place) } else { b'=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(String::from_utf8(base64(plain.as_bytes())).unwrap(), coded);
        }
    }

    #[test]
    fn nothing_of_a_text_reaches_the_terminal_as_it_stands_and_a_long_one_does_not_go() {
        let sent = sequence("a\u{1b}]52;c;!\u{7}").unwrap();
        let inside = &sent[7..sent.len() - 2];
        assert!(inside.iter().all(|byte| ALPHABET.contains(byte) || *byte == b'='));
        assert!(sequence(&"x".repeat(LONGEST)).unwrap().len() < 100_010);
        assert!(sequence(&"x".repeat(LONGEST + 1)).unwrap_err().to_string().contains("74995 bytes are more"));
    }
}
