//! The account of an import: what was read, what was kept, and why the rest was not.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::ImportError;
use super::mapped::MOST_LABELS;
use crate::data::dataset::TaskKind;
use crate::data::interaction::{Interaction, Timestamp};
use crate::data::sanitize::visible;

/// Characters of a line that a report quotes.
const EXCERPT: usize = 80;

/// Why a row was rejected. The order is the order of checking: a row with several faults is counted under the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The line exceeds 4 MiB.
    LineTooLong,
    /// A quote in the CSV row is not closed within 4 MiB, or text stands behind its end.
    StrayQuote,
    /// The line holds bytes that are no UTF-8.
    NotUtf8,
    /// The line holds nothing but white space.
    BlankLine,
    /// The line is no JSON object.
    NotAnObject,
    /// The CSV row has more or fewer fields than the first one.
    FieldCount,
    /// The element of a LaMP file is neither a question nor an output.
    NoQuestion,
    /// `authors` is missing, blank or no text.
    NoAuthors,
    /// `short_description` is missing, blank or no text.
    NoShortDescription,
    /// `category` is missing or none of those that make the 15 labels.
    OtherCategory,
    /// `date` is missing or no `YYYY-MM-DD`.
    BadDate,
    /// An earlier kept row has the same headline and date.
    DuplicateArticle,
    /// The question's prompt is not worded as its task's prompts are.
    BadPrompt,
    /// The field that names the user is missing, blank, or neither text nor an exact number.
    NoUser,
    /// The field that names the time is missing or null.
    NoTime,
    /// The field that names the time cannot be read as one.
    BadTime,
    /// The field that holds the query is missing, blank, or neither text nor an exact number.
    NoQuery,
    /// The rated film is not among the films.
    UnknownFilm,
    /// The field that holds the response is missing, blank, or neither text nor an exact number.
    NoResponse,
    /// The response is none of the labels that the prompts name.
    OtherLabel,
    /// The response is no score on the scale.
    OffScale,
    /// The field that holds the id is missing, blank, or neither text nor an exact number.
    NoId,
    /// An earlier kept row has the same id.
    DuplicateId,
    /// An earlier kept row has the same user, time, query and response.
    DuplicateRow,
}

impl Reason {
    /// The reason in words and, in machine-read reports, in kebab-case.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Reason::LineTooLong => ("line longer than 4 MiB", "line-too-long"),
            Reason::StrayQuote => ("a quote that is never closed, or text behind its end", "stray-quote"),
            Reason::NotUtf8 => ("line is not UTF-8", "not-utf8"),
            Reason::BlankLine => ("blank line", "blank-line"),
            Reason::NotAnObject => ("line is no JSON object", "not-an-object"),
            Reason::FieldCount => ("more or fewer fields than the first row", "field-count"),
            Reason::NoQuestion => ("neither question nor output", "no-question"),
            Reason::NoAuthors => ("no authors", "no-authors"),
            Reason::NoShortDescription => ("no short description", "no-short-description"),
            Reason::OtherCategory => ("category outside the 15 labels", "other-category"),
            Reason::BadDate => ("unreadable date", "bad-date"),
            Reason::DuplicateArticle => ("duplicate headline and date", "duplicate-article"),
            Reason::BadPrompt => ("prompt is not its task's", "bad-prompt"),
            Reason::NoUser => ("no user", "no-user"),
            Reason::NoTime => ("no time", "no-time"),
            Reason::BadTime => ("unreadable time", "bad-time"),
            Reason::NoQuery => ("no query", "no-query"),
            Reason::UnknownFilm => ("film not in movies.csv", "unknown-film"),
            Reason::NoResponse => ("no response", "no-response"),
            Reason::OtherLabel => ("response outside the prompts' labels", "other-label"),
            Reason::OffScale => ("response off the scale", "off-scale"),
            Reason::NoId => ("no id", "no-id"),
            Reason::DuplicateId => ("duplicate id", "duplicate-id"),
            Reason::DuplicateRow => ("duplicate row", "duplicate-row"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.names().0)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.names().1)
    }
}

/// A row that is not kept: the reason, and the value that shows it where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    reason: Reason,
    value: Option<String>,
}

impl Rejection {
    /// Rejects for `reason`, shown by `value`.
    pub fn of(reason: Reason, value: impl Into<String>) -> Self {
        Self { reason, value: Some(value.into()) }
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self { reason, value: None }
    }
}

/// The first row that met a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The file, safe to print.
    pub path: String,
    /// 1-based; in a LaMP file, whose lines mean nothing, the number of the element.
    pub line: u64,
    /// The value in doubt, or the beginning of the line; safe to print.
    pub text: String,
}

/// The rows that met one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Example,
}

/// What became of the rows: `read = kept + queries + Σ rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The dataset's name.
    pub name: String,
    /// Kind of the task.
    pub task: TaskKind,
    /// Rows read: lines, blank ones included; in LaMP files questions and profile items.
    pub read: u64,
    /// Bytes read, unpacked.
    pub bytes: u64,
    /// Rows that became interactions.
    pub kept: u64,
    /// Rows that became judged queries.
    pub queries: u64,
    /// The other rows, by reason in order of checking.
    pub rejected: BTreeMap<Reason, Rejected>,
    /// People among the kept rows.
    pub users: usize,
    /// Interactions by response, one more response than a label set may have at most; empty for a `text` task.
    pub labels: BTreeMap<String, u64>,
    /// First and last moment of the interactions.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What else there is to know, in sentences; safe to print.
    pub notes: Vec<String>,
}

impl Report {
    /// Nothing read yet.
    pub(super) fn of(task: TaskKind) -> Self {
        Self {
            name: String::new(),
            task,
            read: 0,
            bytes: 0,
            kept: 0,
            queries: 0,
            rejected: BTreeMap::new(),
            users: 0,
            labels: BTreeMap::new(),
            span: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn reject(&mut self, rejection: Rejection, place: (&Path, u64), line: impl FnOnce() -> String) {
        let rejected = self.rejected.entry(rejection.reason).or_insert_with(|| {
            let text = excerpt(&rejection.value.unwrap_or_else(line));
            let path = visible(&place.0.to_string_lossy()).into_owned();
            Rejected { count: 0, first: Example { path, line: place.1, text } }
        });
        rejected.count += 1;
    }

    pub(super) fn keep(&mut self, interaction: &Interaction) {
        self.kept += 1;
        if self.task != TaskKind::Text {
            // A response for every row must not fill the memory: who has so many has no label set.
            let room = self.labels.len() <= MOST_LABELS;
            match self.labels.get_mut(&interaction.response) {
                Some(count) => *count += 1,
                None if room => {
                    self.labels.insert(interaction.response.clone(), 1);
                }
                None => {}
            }
        }
        let (first, last) = self.span.unwrap_or((interaction.at, interaction.at));
        self.span = Some((first.min(interaction.at), last.max(interaction.at)));
    }

    /// Labels that only their case tells apart, a sentence for each such family.
    pub(super) fn alike(&self) -> Vec<String> {
        if self.task != TaskKind::Labels {
            return Vec::new();
        }
        let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (label, count) in &self.labels {
            families.entry(label.to_lowercase()).or_default().push(format!("'{}' ({count})", excerpt(label)));
        }
        let several = families.into_values().filter(|family| family.len() > 1);
        several
            .map(|family| format!("labels of their own: {}; if they are one, spell them alike", family.join(", ")))
            .collect()
    }

    /// Responses, the most frequent first, with their counts.
    pub fn by_count(&self) -> Vec<(&str, u64)> {
        let mut counts: Vec<(&str, u64)> = self.labels.iter().map(|(label, count)| (label.as_str(), *count)).collect();
        counts.sort_by_key(|(_, count)| Reverse(*count));
        counts
    }

    /// The error of an import without a single kept row.
    pub(super) fn nothing_kept(&self) -> ImportError {
        if self.read == 0 {
            return ImportError::NoRow;
        }
        let most = self.rejected.values().map(|rejected| rejected.count).max();
        let why: Vec<String> = self
            .rejected
            .iter()
            .map(|(reason, Rejected { count, first })| {
                // Of many reasons the values would fill the message.
                let value = match (reason, first.text.parse::<Timestamp>()) {
                    _ if first.text.is_empty() || Some(*count) < most => String::new(),
                    (Reason::BadTime, Err(error)) => format!(": {error}"),
                    _ => format!(": '{}'", first.text),
                };
                format!("{count} × {reason} (first {}:{}{value})", first.path, first.line)
            })
            .collect();
        ImportError::NothingKept { read: self.read, why: why.join(", ") }
    }
}

/// The beginning of a foreign text, safe to print.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(EXCERPT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    visible(&short).into_owned()
}
