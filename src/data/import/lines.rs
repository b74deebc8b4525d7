//! Lines of an untrusted input: of any length, in any encoding, with or without a byte order mark.
//!
//! Invariant: at most [`LONGEST`] bytes of a line are ever held, and every byte of the input belongs to exactly one line.

use std::borrow::Cow;
use std::io::{BufRead, ErrorKind, Result};
use std::sync::atomic::{AtomicBool, Ordering};

use super::report::Reason;

/// Bytes of the longest line that is read.
pub const LONGEST: usize = 4 << 20;

/// One line without its end.
pub struct Line<'a> {
    /// Its text; where there is a fault, as much of it as is readable.
    pub text: Cow<'a, str>,
    /// Why it cannot be a record.
    pub fault: Option<Reason>,
}

/// The lines of a reader.
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    first: bool,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`.
    pub fn of(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), first: true }
    }

    /// The next line; `None` at the end. Once `cancel` is set a line may end early: the caller is to look at it first.
    pub fn next(&mut self, cancel: &AtomicBool) -> Result<Option<Line<'_>>> {
        self.buffer.clear();
        let (mut empty, mut too_long) = (true, false);
        loop {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() || cancel.load(Ordering::Relaxed) {
                break;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let content = &chunk[..end.unwrap_or(chunk.len())];
            let room = LONGEST - self.buffer.len();
            too_long |= content.len() > room;
            self.buffer.extend_from_slice(&content[..content.len().min(room)]);
            let taken = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(taken);
            empty = false;
            if end.is_some() {
                break;
            }
        }
        if empty {
            return Ok(None);
        }
        let mut content = self.buffer.strip_suffix(b"\r").unwrap_or(&self.buffer);
        if std::mem::take(&mut self.first) {
            content = content.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(content);
        }
        let (text, readable) = match std::str::from_utf8(content) {
            Ok(text) => (Cow::Borrowed(text), true),
            Err(_) => (String::from_utf8_lossy(content), false),
        };
        let fault = if too_long {
            Some(Reason::LineTooLong)
        } else if !readable {
            Some(Reason::NotUtf8)
        } else if text.trim().is_empty() {
            Some(Reason::BlankLine)
        } else {
            None
        };
        Ok(Some(Line { text, fault }))
    }
}
