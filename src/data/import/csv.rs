//! CSV records: RFC 4180 with a free choice of delimiter, line ends with or without a carriage return, and an optional
//! byte order mark. A quote inside a field that does not begin with one is text.
//!
//! A stray quote, which is not closed within [`LONGEST`] bytes or has text behind its end, costs the row that opened it:
//! reading goes on at the next line, for what it swallowed were rows. One that happens to be closed before a delimiter
//! or a line end cannot be told from a good one.
//!
//! Invariant: a row takes a bounded piece of memory, and no byte is read as part of more than two rows. Lines behind a
//! stray quote are held and read again, and a quote that one of them leaves open is where the stray one was there, so it
//! is stray as well without another look.

use std::collections::HashSet;
use std::fmt;
use std::io::{BufRead, Cursor, Error, ErrorKind, Read, Result};
use std::str::FromStr;

use csv::ByteRecord;
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
    input: Box<dyn BufRead>,
    /// What was read of the input and is not done with: the row, and lines that a stray quote took for its own.
    held: Vec<u8>,
    /// Where in it the row begins.
    begin: usize,
    /// Lines before the row.
    line: u64,
    fields: Fields,
    header: Vec<String>,
    /// Names that stand in the header more than once.
    repeated: Vec<String>,
    /// Names of the fields: of the header, or numbers.
    names: Vec<String>,
}

impl CsvRecords {
    /// The records of `input`. With a `header` the first of them names the fields.
    pub fn of(input: Box<dyn BufRead>, delimiter: Delimiter, header: bool) -> Result<Self> {
        let mut records = Self {
            input: without_mark(input)?,
            held: Vec::new(),
            begin: 0,
            line: 0,
            fields: Fields::parted_by(delimiter),
            header: Vec::new(),
            repeated: Vec::new(),
            names: Vec::new(),
        };
        if header && let Some(Row { line, fault }) = records.advance()? {
            // Without its names no row of the file can be read.
            if let Some((reason, _)) = fault {
                return Err(Error::new(ErrorKind::InvalidData, format!("line {line} names the columns: {reason}")));
            }
            if records.fields.record.iter().any(|field| std::str::from_utf8(field).is_err()) {
                let told = format!("line {line} names the columns: it is not UTF-8; save the file as UTF-8");
                return Err(Error::new(ErrorKind::InvalidData, told));
            }
            // Excel's Unicode text is UTF-16: of Western letters every other byte is 0, which is UTF-8 as well.
            if records.fields.record.iter().any(|field| field.contains(&0)) {
                let told = format!(
                    "line {line} names the columns: it holds zero bytes, as UTF-16 does; save the file as UTF-8"
                );
                return Err(Error::new(ErrorKind::InvalidData, told));
            }
            (records.header, records.repeated) = names_of(&records.fields.record);
            records.names.clone_from(&records.header);
        }
        Ok(records)
    }

    /// The names in the header, in order. In the place of one that is blank, or stood before, is its number, or where another
    /// column is called by that, `column` and its number.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Names that more than one column bears: only the first of them goes by it.
    pub fn repeated(&self) -> &[String] {
        &self.repeated
    }

    /// The next record; `None` at the end. Blank lines are no records.
    pub fn read(&mut self) -> Result<Option<Record<'_>>> {
        let Some(Row { line, fault }) = self.advance()? else { return Ok(None) };
        if let Some((reason, text)) = fault {
            return Ok(Some(Record { line, raw: Raw::Line(text.into()), fields: Err(reason) }));
        }
        let Fields { delimiter, record, .. } = &self.fields;
        if self.names.is_empty() {
            self.names = (1..=record.len()).map(|number| number.to_string()).collect();
        }
        let fields = if record.len() != self.names.len() {
            Err(Reason::FieldCount)
        } else {
            let values = record.iter().map(|field| std::str::from_utf8(field).map(Value::from));
            let fields = self.names.iter().zip(values).map(|(name, value)| value.map(|value| (name.clone(), value)));
            fields.collect::<std::result::Result<Extra, _>>().map_err(|_| Reason::NotUtf8)
        };
        Ok(Some(Record { line, raw: Raw::Fields(record, *delimiter), fields }))
    }

    /// Reads a row into `fields`.
    fn advance(&mut self) -> Result<Option<Row>> {
        loop {
            // What is done with goes once it outweighs the rest, so that no byte is moved more than once on average.
            if self.begin > self.held.len() / 2 {
                self.held.drain(..self.begin);
                self.begin = 0;
            }
            let line = self.line + 1;
            let Some(first) = self.line_end(self.begin)? else {
                let fault = Some((Reason::LineTooLong, text(&self.held[self.begin..])));
                self.input.skip_until(b'\n')?;
                self.held.clear();
                (self.begin, self.line) = (0, line);
                return Ok(Some(Row { line, fault }));
            };
            if first == self.begin {
                return Ok(None);
            }
            let row = self.row(first)?;
            let fault = row.is_none().then(|| (Reason::StrayQuote, text(&self.held[self.begin..first])));
            let (end, lines) = row.unwrap_or((first, 1));
            self.begin = end;
            self.line += lines;
            if fault.is_some() || !self.fields.is_blank() {
                return Ok(Some(Row { line, fault }));
            }
        }
    }

    /// Reads the row whose first line ends at `end` into `fields`: where it ends, and of how many lines it is; `None` if its
    /// quote is stray.
    fn row(&mut self, mut end: usize) -> Result<Option<(usize, u64)>> {
        self.fields.clear();
        let (mut begin, mut lines) = (self.begin, 1);
        loop {
            match self.fields.take(&self.held[begin..end]) {
                Taken::Whole => return Ok(Some((end, lines))),
                Taken::Open if end == self.held.len() => {}
                // Lines are held behind this one for a quote that was as open here, and proved stray.
                Taken::Open | Taken::Stray => return Ok(None),
            }
            begin = end;
            match self.line_end(begin)? {
                Some(next) if next > begin => end = next,
                _ => return Ok(None),
            }
            lines += 1;
        }
    }

    /// The end of the line that begins at `begin` of what is held, behind its line feed: `begin` itself where the input ends;
    /// `None` where the row would grow too long.
    fn line_end(&mut self, begin: usize) -> Result<Option<usize>> {
        if let Some(feed) = self.held[begin..].iter().position(|byte| *byte == b'\n') {
            return Ok(Some(begin + feed + 1));
        }
        let room = LONGEST - (self.held.len() - self.begin);
        let read = self.input.by_ref().take(room as u64).read_until(b'\n', &mut self.held)?;
        let cut = read == room && !self.held.ends_with(b"\n");
        Ok((!cut).then_some(self.held.len()))
    }
}

struct Row {
    line: u64,
    /// Why it has no fields, and what stands there instead.
    fault: Option<(Reason, String)>,
}

/// A line as a report quotes it.
fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned()
}

/// The fields of a row, as far as it was read.
struct Fields {
    delimiter: Delimiter,
    record: ByteRecord,
    /// The field behind them, which is being read.
    field: Vec<u8>,
    place: Place,
}

/// Where in a field reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before its first byte.
    Start,
    /// In one without quotes.
    Bare,
    /// Between its quotes.
    Quoted,
    /// Behind a quote between them: it closes the field unless another one follows and makes it text.
    Closed,
}

/// What a line did to a row.
enum Taken {
    /// It ends it.
    Whole,
    /// It leaves a quote open.
    Open,
    /// It has text behind a closed quote.
    Stray,
}

impl Fields {
    fn parted_by(delimiter: Delimiter) -> Self {
        Self { delimiter, record: ByteRecord::new(), field: Vec::new(), place: Place::Start }
    }

    fn clear(&mut self) {
        self.record.clear();
        self.field.clear();
        self.place = Place::Start;
    }

    /// Whether the row is a blank line.
    fn is_blank(&self) -> bool {
        self.place == Place::Start && self.record.len() == 1
    }

    /// Goes on with a line, its end included.
    fn take(&mut self, line: &[u8]) -> Taken {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        for &byte in bare {
            self.place = match (self.place, byte) {
                (Place::Start, b'"') => Place::Quoted,
                (Place::Quoted, b'"') => Place::Closed,
                (Place::Quoted, _) | (Place::Closed, b'"') => {
                    self.field.push(byte);
                    Place::Quoted
                }
                _ if byte == self.delimiter.0 => {
                    self.end_field();
                    Place::Start
                }
                (Place::Start | Place::Bare, _) => {
                    self.field.push(byte);
                    Place::Bare
                }
                (Place::Closed, _) => return Taken::Stray,
            };
        }
        if self.place == Place::Quoted {
            self.field.extend_from_slice(&line[bare.len()..]);
            return Taken::Open;
        }
        self.end_field();
        Taken::Whole
    }

    fn end_field(&mut self) {
        self.record.push_field(&self.field);
        self.field.clear();
    }
}

/// `input` behind its byte order mark, of which a pipe may bring less than all in the first read.
fn without_mark(mut input: Box<dyn BufRead>) -> Result<Box<dyn BufRead>> {
    let mut begin = Vec::with_capacity(MARK.len());
    input.by_ref().take(MARK.len() as u64).read_to_end(&mut begin)?;
    Ok(if begin == MARK { input } else { Box::new(Cursor::new(begin).chain(input)) })
}

/// What the columns go by, and the names that do not tell one from another.
fn names_of(record: &ByteRecord) -> (Vec<String>, Vec<String>) {
    let written: Vec<String> = record.iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect();
    let borne: HashSet<&String> = written.iter().collect();
    let (mut taken, mut repeated) = (HashSet::new(), Vec::new());
    let names = written.iter().enumerate().map(|(place, name)| {
        if !name.is_empty() {
            if taken.insert(name) {
                return name.clone();
            }
            repeated.push(name.clone());
        }
        let mut number = (place + 1).to_string();
        // By the name of another column one of the two would be lost.
        while borne.contains(&number) {
            number.insert_str(0, "column ");
        }
        number
    });
    (names.collect(), repeated)
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
        for header in [&b"r\xe9ponse,b\nx,1"[..], b"a\0,\0b\0\n"] {
            let error = CsvRecords::of(Box::new(Cursor::new(header.to_vec())), Delimiter(b','), true)
                .err()
                .unwrap()
                .to_string();
            assert!(error.contains("line 1 names the columns") && error.contains("save the file as UTF-8"), "{error}");
        }
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
        let row = Ok(r#"{"5":"1","a":"2","column 3":"3","3":"4","column 5":"5"}"#.to_owned());
        assert_eq!(all(b"5,a,,3,a\n1,2,3,4,5", true), [(2, row)], "a name is nobody else's number");
    }

    /// The rows that a stray quote swallowed were merged into one, of several people, or dropped with it.
    #[test]
    fn a_stray_quote_costs_the_row_that_opened_it() {
        let row = |text: &str| Ok(format!("{{\"1\":\"{}\",\"2\":\"{}\"}}", &text[..1], &text[2..]));
        let stray = |line: u64| (line, Err(Reason::StrayQuote));
        // Text behind its end, in a line whose own quotes are good; the next line; the end of the input.
        assert_eq!(
            all(b"1,\"b\n2,c\n\n3,\"d\"\n4,e\n", false),
            [stray(1), (2, row("2,c")), (4, row("3,d")), (5, row("4,e")),]
        );
        assert_eq!(all(b"1,\"b\" \r\n2,\"c\r\n3,\"d\r\n4,e", false), [stray(1), stray(2), stray(3), (4, row("4,e"))]);
        assert_eq!(all(b"1,b\n2,\"c\n3,d\n", false), [(1, row("1,b")), stray(2), (3, row("3,d"))]);
        // A field of several lines right behind them, and what is no stray quote.
        let good = (3, Ok(r#"{"1":"3","2":"d\ne, \"f\""}"#.to_owned()));
        assert_eq!(all(b"1,\"b\n2,c\n3,\"d\ne, \"\"f\"\"\"\n", false), [stray(1), (2, row("2,c")), good]);
        assert_eq!(all(b"1,\"\"\n2,\"\"\"\"\n", false), [(1, row("1,")), (2, row("2,\\\""))]);
        assert_eq!(all(b"\"\"\n", false), [(1, Ok(r#"{"1":""}"#.to_owned()))]);
        let lone = CsvRecords::of(Box::new(&b"a,\"b\n1,2\n"[..]), Delimiter::COMMA, true).map(|_| ()).unwrap_err();
        assert!(lone.to_string().starts_with("line 1 names the columns: a quote"), "{lone}");
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_one_row() {
        let swallowed = format!("5,{}\n", "6".repeat(61)).repeat((LONGEST + (1 << 18)) / 64);
        let rows = all(format!("a,b\n1,2\n3,\"\n{swallowed}7,8\n").as_bytes(), true);
        assert_eq!(rows.len(), swallowed.lines().count() + 3);
        assert_eq!(rows.iter().filter(|(_, fields)| fields.is_err()).count(), 1);
        assert_eq!(rows[1], (3, Err(Reason::StrayQuote)));
        let lines = rows.len() as u64 + 1;
        assert_eq!(rows.last(), Some(&(lines, Ok(r#"{"a":"7","b":"8"}"#.to_owned()))));
        let line = format!("1,\"{}\n2,3", "long".repeat(LONGEST / 4));
        assert_eq!(all(line.as_bytes(), false)[0], (1, Err(Reason::LineTooLong)));
    }

    /// Each of a million lines leaves a quote open, as a row of its own and inside of the one before: with what lies behind
    /// it read again for every one of them, this would not end.
    #[test]
    fn rows_behind_stray_quotes_are_read_once_more_and_no_more() {
        let rows = all("5\",\"\"\",\n".repeat(LONGEST / 4).as_bytes(), false);
        assert_eq!(rows.len(), LONGEST / 4);
        assert!(rows.iter().all(|(_, fields)| *fields == Err(Reason::StrayQuote)));
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
