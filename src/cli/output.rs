//! What commands print for people, and the one place where `--ascii` acts on it.
//!
//! Invariant: what people read passes through here. What programs read, JSON, tables, pages, predictions, a path alone, is
//! written as it is.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::data::sanitize::visible;
use crate::data::text::brief;
use crate::view::symbols::in_ascii;

/// Whether people are told in ASCII: said once, before a command runs, since messages come from everywhere.
static ASCII: AtomicBool = AtomicBool::new(false);

/// From here on people are told in ASCII.
pub(super) fn keep_to_ascii() {
    ASCII.store(true, Ordering::Relaxed);
}

/// `text` as people are to read it.
pub(super) fn legible(text: &str) -> Cow<'_, str> {
    if ASCII.load(Ordering::Relaxed) { in_ascii(text) } else { Cow::Borrowed(text) }
}

/// Characters of a text of the data, or of one that was typed.
const LONGEST_TEXT: usize = 400;

/// A text that may have any length, made visible and without its middle where nobody would read all of it. JSON has it
/// whole.
pub(super) fn shown(text: &str) -> String {
    brief(&visible(text), LONGEST_TEXT).into_owned()
}

/// Standard output, for people.
pub(super) fn out() -> Legible<io::StdoutLock<'static>> {
    Legible(io::stdout().lock())
}

/// Standard error, for people.
pub(super) fn err() -> Legible<io::StderrLock<'static>> {
    Legible(io::stderr().lock())
}

/// Where text is written for people.
pub(super) struct Legible<W>(W);

impl<W: Write> Write for Legible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is formatted comes in whole characters.
        self.0.write_all(legible(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
