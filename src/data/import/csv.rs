//! CSV records: RFC 4180 with a free choice of delimiter, line ends with or without a carriage return, and an optional
//! byte order mark.
//!
//! Invariant: a row takes a bounded piece of memory. A quote that is never closed would make the rest of the file one
//! field: such a row is given up after [`LONGEST`] bytes and a buffer, and reading goes on at the next line.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::io::{BufRead, Cursor, ErrorKind, Read, Result};
use std::rc::Rc;
use std::str::FromStr;

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use serde_json::Value;

use super::lines::LONGEST;
use super::records::{Raw, Record};
use super::report::Reason;
use crate::data::interaction::Extra;

/// The byte order mark of UTF-8.
const MARK: &[u8] = "\u{FEFF}".as_bytes();

/// What separates fields: one ASCII character that is no letter, digit, quote or line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    /// The one that gives the format its name.
    pub const COMMA: Self = Self(b',');
}

/// A delimiter that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no delimiter; give one character such as , ; or |, or the word tab")]
pub struct BadDelimiter(String);

impl FromStr for Delimiter {
    type Err = BadDelimiter;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text.as_bytes() {
            b"tab" | b"\\t" | b"\t" => Ok(Self(b'\t')),
            [byte] if byte.is_ascii_punctuation() && *byte != b'"' || *byte == b' ' => Ok(Self(*byte)),
            _ => Err(BadDelimiter(text.to_owned())),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(self.0))
    }
}

/// The records of a CSV input.
pub struct CsvRecords {
    // `None` only while it is replaced.
    reader: Option<Reader<Rationed>>,
    delimiter: Delimiter,
    ration: Rc<Ration>,
    record: ByteRecord,
    header: Vec<String>,
    /// Names that stand in the header more than once.
    repeated: Vec<String>,
    /// Names of the fields: of the header, or numbers.
    names: Vec<String>,
    /// Lines before the first one that `reader` has seen.
    lines_before: u64,
}

impl CsvRecords {
    /// The records of `input`. With a `header` the first of them names the fields.
    pub fn of(input: Box<dyn BufRead>, delimiter: Delimiter, header: bool) -> Result<Self> {
        let input = without_mark(input)?;
        let ration = Rc::new(Ration::default());
        let reader = reader(Rationed { input, ration: Rc::clone(&ration), open: false }, delimiter);
        let record = ByteRecord::new();
        let mut records = Self {
            reader: Some(reader),
            delimiter,
            ration,
            record,
            header: Vec::new(),
            repeated: Vec::new(),
            names: Vec::new(),
            lines_before: 0,
        };
        if header && records.advance()?.is_some() {
            (records.header, records.repeated) = names_of(&records.record);
            records.names.clone_from(&records.header);
        }
        Ok(records)
    }

    /// The names in the header, in order. One that is blank or stands twice is replaced by its number.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Names that more than one column bears: only the first of them goes by it.
    pub fn repeated(&self) -> &[String] {
        &self.repeated
    }

    /// The next record; `None` at the end. Blank lines are no records.
    pub fn read(&mut self) -> Result<Option<Record<'_>>> {
        let Some(Row { line, cut }) = self.advance()? else { return Ok(None) };
        if self.names.is_empty() {
            self.names = (1..=self.record.len()).map(|number| number.to_string()).collect();
        }
        let fields = if cut {
            Err(Reason::LineTooLong)
        } else if self.record.len() != self.names.len() {
            Err(Reason::FieldCount)
        } else {
            let values = self.record.iter().map(|field| std::str::from_utf8(field).map(Value::from));
            let fields = self.names.iter().zip(values).map(|(name, value)| value.map(|value| (name.clone(), value)));
            fields.collect::<std::result::Result<Extra, _>>().map_err(|_| Reason::NotUtf8)
        };
        Ok(Some(Record { line, raw: Raw::Fields(&self.record, self.delimiter), fields }))
    }

    /// Reads a row into `record`.
    fn advance(&mut self) -> Result<Option<Row>> {
        loop {
            self.ration.renew();
            let Some(reader) = &mut self.reader else { return Ok(None) };
            let more = reader.read_byte_record(&mut self.record)?;
            let cut = self.ration.exceeded.get();
            if !more && !cut {
                return Ok(None);
            }
            let end = reader.position().line();
            let line = self.lines_before + first_line(&self.record, end, cut);
            if cut {
                self.lines_before += end;
                self.resume()?;
            } else if trim_line_end(&mut self.record) {
                continue;
            }
            return Ok(Some(Row { line, cut }));
        }
    }

    /// Goes on after a row that was given up, at the next line.
    fn resume(&mut self) -> Result<()> {
        let Some(reader) = self.reader.take() else { return Ok(()) };
        // The reader took the exhausted ration for the end of the input, so it holds nothing back.
        let mut rationed = reader.into_inner();
        skip_line(&mut rationed.input)?;
        self.reader = Some(self::reader(rationed, self.delimiter));
        Ok(())
    }
}

struct Row {
    line: u64,
    cut: bool,
}

/// `input` behind its byte order mark. The library knows one only where the first read brings all of it, which of a pipe,
/// or of a file whose beginning was looked at, may be less.
fn without_mark(mut input: Box<dyn BufRead>) -> Result<Box<dyn BufRead>> {
    let mut begin = Vec::with_capacity(MARK.len());
    input.by_ref().take(MARK.len() as u64).read_to_end(&mut begin)?;
    Ok(if begin == MARK { input } else { Box::new(Cursor::new(begin).chain(input)) })
}

fn reader(input: Rationed, delimiter: Delimiter) -> Reader<Rationed> {
    // Headers are ours to read: they have to be counted and checked like rows. A line ends with its line feed alone:
    // taken for an end itself, a carriage return would leave the line feed to the next row and its line number short.
    ReaderBuilder::new()
        .terminator(Terminator::Any(b'\n'))
        .delimiter(delimiter.0)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1 << 16)
        .from_reader(input)
}

/// The line in which a record begins that was read up to line `end`.
fn first_line(record: &ByteRecord, end: u64, cut: bool) -> u64 {
    let start = record.position().map_or(1, ::csv::Position::line);
    let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
    // Blank lines before the record count as its beginning for the reader, so the way leads back from its end. A record
    // that does not end with a line feed begins where it was first looked for.
    if cut || start + inside >= end { start } else { end - inside - 1 }
}

/// Takes a carriage return off the end of the last field; whether that leaves a blank line.
fn trim_line_end(record: &mut ByteRecord) -> bool {
    let Some(last) = record.len().checked_sub(1) else { return true };
    let Some(bare) = record[last].strip_suffix(b"\r") else { return false };
    let bare = bare.to_vec();
    if last == 0 && bare.is_empty() {
        return true;
    }
    record.truncate(last);
    record.push_field(&bare);
    false
}

/// What the columns go by, and the names that do not tell one from another.
fn names_of(record: &ByteRecord) -> (Vec<String>, Vec<String>) {
    let (mut taken, mut repeated) = (HashSet::new(), Vec::new());
    let name = |(place, field): (usize, &[u8])| {
        let name = String::from_utf8_lossy(field).trim().to_owned();
        if !name.is_empty() {
            if taken.insert(name.clone()) {
                return name;
            }
            repeated.push(name);
        }
        (place + 1).to_string()
    };
    (record.iter().enumerate().map(name).collect(), repeated)
}

fn skip_line(input: &mut impl BufRead) -> Result<()> {
    loop {
        let chunk = match input.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            chunk => chunk?,
        };
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let (taken, done) = (end.map_or(chunk.len(), |end| end + 1), end.is_some() || chunk.is_empty());
        input.consume(taken);
        if done {
            return Ok(());
        }
    }
}

/// How many more bytes a row may take.
#[derive(Default)]
struct Ration {
    left: Cell<usize>,
    /// Whether more was wanted.
    exceeded: Cell<bool>,
}

impl Ration {
    fn renew(&self) {
        self.left.set(LONGEST);
        self.exceeded.set(false);
    }
}

/// An input that claims to end once a row has used up its ration.
struct Rationed {
    input: Box<dyn BufRead>,
    ration: Rc<Ration>,
    /// Whether a line has begun that has not ended: an end is then added, so that the last line is one as others are.
    open: bool,
}

impl Read for Rationed {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = self.ration.left.get();
        if left == 0 {
            self.ration.exceeded.set(true);
            return Ok(0);
        }
        let room = buffer.len().min(left);
        let mut read = loop {
            match self.input.read(&mut buffer[..room]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read > 0 {
            self.open = buffer[read - 1] != b'\n';
        } else if room > 0 && std::mem::take(&mut self.open) {
            buffer[0] = b'\n';
            read = 1;
        }
        self.ration.left.set(left - read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8], header: bool) -> CsvRecords {
        CsvRecords::of(Box::new(Cursor::new(text.to_vec())), Delimiter::COMMA, header).unwrap()
    }

    /// Line and outcome of every record.
    fn all(text: &[u8], header: bool) -> Vec<(u64, std::result::Result<String, Reason>)> {
        let mut records = records(text, header);
        let mut all = Vec::new();
        while let Some(record) = records.read().unwrap() {
            all.push((record.line, record.fields.map(|fields| Value::from(fields).to_string())));
        }
        all
    }

    #[test]
    fn rows_are_read_with_their_lines() {
        for end in ["\n", "\r\n"] {
            let text = ["\u{FEFF}a,b", "1,\"x, \"\"y\"\"", "z\"", "2,5\" disk", "3", "4,5,6", ""].join(end);
            let quoted = format!("{{\"a\":\"1\",\"b\":\"x, \\\"y\\\"{}z\"}}", end.escape_default());
            assert_eq!(
                all(text.as_bytes(), true),
                [
                    (2, Ok(quoted)),
                    (4, Ok(r#"{"a":"2","b":"5\" disk"}"#.to_owned())),
                    (5, Err(Reason::FieldCount)),
                    (6, Err(Reason::FieldCount)),
                ]
            );
        }
        assert_eq!(all(b"a,b\n\xff,1", true), [(2, Err(Reason::NotUtf8))]);
        assert_eq!(all(b"7,8", false), [(1, Ok(r#"{"1":"7","2":"8"}"#.to_owned()))]);
        assert_eq!(all(b"", true), []);
        let rows = [(4, Ok(r#"{"a":"1"}"#.to_owned())), (7, Ok(r#"{"a":"2"}"#.to_owned()))];
        assert_eq!(all(b"\na\n\n1\n\n\n2", true), rows);
        assert_eq!(all(b"\r\na\r\n\r\n1\r\n\r\n\r\n2", true), rows);
        let named = records(b"a,,a,b,", true);
        assert_eq!(
            (named.header(), named.repeated()),
            (&["a", "2", "3", "b", "5"].map(str::to_owned)[..], &["a".to_owned()][..])
        );
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_one_row() {
        let endless = format!("a,b\n1,2\n3,\"{}\n5,6\n7,8\n", "never closed\n".repeat((LONGEST + (1 << 18)) / 13));
        let rows = all(endless.as_bytes(), true);
        let lines = endless.lines().count() as u64;
        assert_eq!(rows[0], (2, Ok(r#"{"a":"1","b":"2"}"#.to_owned())));
        assert!(rows[1] == (3, Err(Reason::LineTooLong)), "{}", rows[1].0);
        assert_eq!(rows.last(), Some(&(lines, Ok(r#"{"a":"7","b":"8"}"#.to_owned()))));
    }

    #[test]
    fn a_delimiter_is_one_character() {
        for (text, byte) in [(",", b','), (";", b';'), ("|", b'|'), ("tab", b'\t'), ("\\t", b'\t'), (" ", b' ')] {
            assert_eq!(text.parse::<Delimiter>().unwrap(), Delimiter(byte), "{text}");
        }
        for text in ["", "\"", "::", "a", "1", "é", "\n"] {
            assert!(text.parse::<Delimiter>().is_err(), "{text:?}");
        }
    }
}
