//! Records of an input, JSON Lines or CSV, as maps from field names to values.

use std::borrow::Cow;
use std::io::{BufRead, Result};
use std::sync::atomic::AtomicBool;

use super::csv::{CsvRecords, Delimiter};
use super::lines::Lines;
use super::report::Reason;
use crate::data::interaction::Extra;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values, RFC 4180.
    Csv {
        /// What separates fields.
        delimiter: Delimiter,
        /// Whether the first row names the fields; without it they are called `1`, `2`, ….
        header: bool,
    },
}

/// One record.
pub struct Record<'a> {
    /// 1-based line at which it begins.
    pub line: u64,
    /// What stands there, as much of it as is readable.
    pub raw: Raw<'a>,
    /// Its fields, or why they cannot be read.
    pub fields: std::result::Result<Extra, Reason>,
}

/// A record as it is written.
pub enum Raw<'a> {
    /// A line.
    Line(Cow<'a, str>),
    /// Fields, without their quotes.
    Fields(&'a ::csv::ByteRecord, Delimiter),
}

impl Raw<'_> {
    /// As text.
    pub fn text(&self) -> String {
        match self {
            Raw::Line(text) => text.to_string(),
            Raw::Fields(fields, delimiter) => {
                let fields: Vec<Cow<'_, str>> = fields.iter().map(String::from_utf8_lossy).collect();
                fields.join(&delimiter.to_string())
            }
        }
    }
}

/// The records of one input.
pub enum Records {
    /// Of JSON Lines, with the number of the last line.
    Lines(Lines<Box<dyn BufRead>>, u64),
    /// Of CSV.
    Csv(Box<CsvRecords>),
}

impl Records {
    /// The records of `reader`, whose header, if there is one, is read.
    pub fn of(reader: Box<dyn BufRead>, syntax: Syntax) -> Result<Self> {
        Ok(match syntax {
            Syntax::JsonLines => Self::Lines(Lines::of(reader), 0),
            Syntax::Csv { delimiter, header } => Self::Csv(Box::new(CsvRecords::of(reader, delimiter, header)?)),
        })
    }

    /// The names in the header, in order; none where there is no header.
    pub fn header(&self) -> &[String] {
        match self {
            Self::Lines(..) => &[],
            Self::Csv(records) => records.header(),
        }
    }

    /// Names in the header that more than one column bears.
    pub fn repeated(&self) -> &[String] {
        match self {
            Self::Lines(..) => &[],
            Self::Csv(records) => records.repeated(),
        }
    }

    /// The next record; `None` at the end. Once `cancel` is set a record may end early: the caller is to look at it
    /// first.
    pub fn next(&mut self, cancel: &AtomicBool) -> Result<Option<Record<'_>>> {
        match self {
            Self::Csv(records) => records.read(),
            Self::Lines(lines, number) => {
                let Some(line) = lines.next(cancel)? else { return Ok(None) };
                *number += 1;
                let fields = match line.fault {
                    Some(reason) => Err(reason),
                    None => serde_json::from_str(&line.text).map_err(|_| Reason::NotAnObject),
                };
                Ok(Some(Record { line: *number, raw: Raw::Line(line.text), fields }))
            }
        }
    }
}
