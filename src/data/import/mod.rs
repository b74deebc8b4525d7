//! Importers: foreign files become dataset folders.
//!
//! A format is a [`Mapping`] from one record to one interaction; reading lines, counting and writing are shared here, so
//! that every format keeps the same promises:
//!
//! * every row read is kept or counted under exactly one [`Reason`], so `read = kept + Σ rejected`;
//! * a bad row never stops an import;
//! * the folder appears whole or not at all, and never in the place of somebody's files;
//! * nothing is fitted: `dataset.toml` holds a format's defaults, never numbers learned from the rows.

mod draft;
pub mod huffpost;
pub mod jsonl;
mod lines;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Serialize, Serializer};

use self::draft::Draft;
use self::lines::Lines;
use super::dataset::{
    Calibration, DatasetError, FORMAT, Manifest, Periods, Retrieval, TaskKind, WeightDefaults, Wording,
};
use super::interaction::{Extra, Interaction, Timestamp, UserId};
use super::sanitize::visible;

/// Rows between two calls of the progress callback.
const PROGRESS_ROWS: u64 = 4096;
/// Characters of a line that a report quotes.
const EXCERPT: usize = 80;
/// Fields of an interaction: an extra field may not bear their names.
const OWN_FIELDS: [&str; 6] = ["id", "user", "at", "query", "response", "item"];

/// Why an import came to nothing. No row is a reason: rows are counted in the [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input is missing or stops being readable.
    #[error("{path}: cannot be read ({source}); name a readable file, or - for standard input")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The input holds no row at all.
    #[error("the input holds no row; an import needs one JSON object a line")]
    NoRow,
    /// Every row was rejected.
    #[error("none of {read} rows could be kept: {why}; check that the file is in this format")]
    NothingKept {
        /// Rows read.
        read: u64,
        /// The reasons, with counts and places.
        why: String,
    },
    /// A mapped field stands in no record.
    #[error("--map {role}={field}: no record has the field '{field}'; {known}")]
    UnknownField {
        /// What the field was to be.
        role: jsonl::Role,
        /// The field as written in the map.
        field: String,
        /// The fields there are, in words.
        known: String,
    },
    /// The responses make no label set.
    #[error(
        "--map response={field}: {found} distinct responses; a labels task has 2 to {}: map a field with few values",
        jsonl::MOST_LABELS
    )]
    Labels {
        /// The field as written in the map.
        field: String,
        /// Distinct responses.
        found: usize,
    },
    /// Somebody asked to stop.
    #[error("the import was interrupted; nothing was written")]
    Interrupted,
    /// The folder could not be written.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// Why a row was rejected. The order is the order of checking: a row with several faults is counted under the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The line exceeds 4 MiB.
    LineTooLong,
    /// The line holds bytes that are no UTF-8.
    NotUtf8,
    /// The line holds nothing but white space.
    BlankLine,
    /// The line is no JSON object.
    NotAnObject,
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
    /// The field mapped to the user is missing, blank, or neither text nor number.
    NoUser,
    /// The field mapped to the time is missing or null.
    NoTime,
    /// The field mapped to the time cannot be read as one.
    BadTime,
    /// The field mapped to the query is missing, blank, or neither text nor number.
    NoQuery,
    /// The field mapped to the response is missing, blank, or neither text nor number.
    NoResponse,
    /// The field mapped to the id is missing, blank, or neither text nor number.
    NoId,
    /// An earlier kept row has the same id.
    DuplicateId,
}

impl Reason {
    /// The reason in words and, in machine-read reports, in kebab-case.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Reason::LineTooLong => ("line longer than 4 MiB", "line-too-long"),
            Reason::NotUtf8 => ("line is not UTF-8", "not-utf8"),
            Reason::BlankLine => ("blank line", "blank-line"),
            Reason::NotAnObject => ("line is no JSON object", "not-an-object"),
            Reason::NoAuthors => ("no authors", "no-authors"),
            Reason::NoShortDescription => ("no short description", "no-short-description"),
            Reason::OtherCategory => ("category outside the 15 labels", "other-category"),
            Reason::BadDate => ("unreadable date", "bad-date"),
            Reason::DuplicateArticle => ("duplicate headline and date", "duplicate-article"),
            Reason::NoUser => ("no user", "no-user"),
            Reason::NoTime => ("no time", "no-time"),
            Reason::BadTime => ("unreadable time", "bad-time"),
            Reason::NoQuery => ("no query", "no-query"),
            Reason::NoResponse => ("no response", "no-response"),
            Reason::NoId => ("no id", "no-id"),
            Reason::DuplicateId => ("duplicate id", "duplicate-id"),
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
    /// 1-based.
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

/// What became of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows read: lines, blank ones included.
    pub read: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Rows that became interactions.
    pub kept: u64,
    /// The other rows, by reason in order of checking.
    pub rejected: BTreeMap<Reason, Rejected>,
    /// People among the kept rows.
    pub users: usize,
    /// Kept rows by response.
    pub labels: BTreeMap<String, u64>,
    /// First and last moment of the kept rows.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Report {
    fn reject(&mut self, rejection: Rejection, place: (&Path, u64), line: &str) {
        let rejected = self.rejected.entry(rejection.reason).or_insert_with(|| {
            let text = excerpt(rejection.value.as_deref().unwrap_or(line));
            let path = visible(&place.0.to_string_lossy()).into_owned();
            Rejected { count: 0, first: Example { path, line: place.1, text } }
        });
        rejected.count += 1;
    }

    fn keep(&mut self, interaction: &Interaction) {
        self.kept += 1;
        *self.labels.entry(interaction.response.clone()).or_default() += 1;
        let (first, last) = self.span.unwrap_or((interaction.at, interaction.at));
        self.span = Some((first.min(interaction.at), last.max(interaction.at)));
    }

    /// The error of an import without a single kept row.
    fn nothing_kept(&self) -> ImportError {
        if self.read == 0 {
            return ImportError::NoRow;
        }
        let why: Vec<String> = self
            .rejected
            .iter()
            .map(|(reason, Rejected { count, first })| {
                format!("{count} × {reason} (first {}:{})", first.path, first.line)
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

/// One input with the name that reports give it.
pub struct Source {
    name: PathBuf,
    reader: Box<dyn BufRead>,
}

impl Source {
    /// An input from anywhere.
    pub fn new(name: impl Into<PathBuf>, reader: impl BufRead + 'static) -> Self {
        Self { name: name.into(), reader: Box::new(reader) }
    }

    /// The file at `path`.
    pub fn file(path: &Path) -> Result<Self, ImportError> {
        let wrap = |source| ImportError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(wrap)?;
        // Opening a folder succeeds on some systems; the name is better refused before anything is written.
        if file.metadata().map_err(wrap)?.is_dir() {
            return Err(wrap(std::io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self::new(path, BufReader::with_capacity(1 << 16, file)))
    }

    /// Standard input.
    pub fn stdin() -> Self {
        Self::new("standard input", BufReader::with_capacity(1 << 16, std::io::stdin()))
    }
}

/// A format: how one record becomes one interaction, and what the folder says about itself.
pub trait Mapping {
    /// The interaction of a record; `row` counts all rows of all inputs from 1.
    fn interaction(&mut self, row: u64, record: Extra) -> Result<Interaction, Rejection>;

    /// `dataset.toml` for the rows of `report`. Called once after the last row, even if none was kept.
    fn manifest(&self, report: &Report) -> Result<Manifest, ImportError>;
}

/// Streams `sources`, one JSON object a line, into the dataset folder `out`; without one the rows are only counted.
///
/// `progress` hears of rows and bytes read now and then and at the end. Once `cancel` is set the import ends with
/// [`ImportError::Interrupted`]. On any error no trace of `out` remains.
pub fn import(
    sources: Vec<Source>,
    mapping: &mut dyn Mapping,
    out: Option<&Path>,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ImportError> {
    let mut draft = out.map(Draft::of).transpose()?;
    let mut report = Report::default();
    let mut users: HashSet<UserId> = HashSet::new();
    for Source { name, reader } in sources {
        let mut lines = Lines::of(reader);
        let mut number = 0;
        while let Some(line) = lines.next(cancel).map_err(|source| ImportError::Read { path: name.clone(), source })? {
            if cancel.load(Ordering::Relaxed) {
                return Err(ImportError::Interrupted);
            }
            number += 1;
            report.read += 1;
            report.bytes += line.bytes;
            let record: Result<Extra, Rejection> = match line.fault {
                Some(reason) => Err(reason.into()),
                None => serde_json::from_str(&line.text).map_err(|_| Reason::NotAnObject.into()),
            };
            match record.and_then(|record| mapping.interaction(report.read, record)) {
                Ok(interaction) => {
                    report.keep(&interaction);
                    users.insert(interaction.user.clone());
                    if let Some(draft) = &mut draft {
                        draft.add(&interaction)?;
                    }
                }
                Err(rejection) => report.reject(rejection, (&name, number), &line.text),
            }
            if report.read.is_multiple_of(PROGRESS_ROWS) {
                progress(report.read, report.bytes);
            }
        }
    }
    progress(report.read, report.bytes);
    // Whoever interrupts a pipe ends its other side too, which looks like the end of the input.
    if cancel.load(Ordering::Relaxed) {
        return Err(ImportError::Interrupted);
    }
    report.users = users.len();
    let manifest = mapping.manifest(&report)?;
    if report.kept == 0 {
        return Err(report.nothing_kept());
    }
    if let Some(draft) = draft {
        draft.publish(&manifest)?;
    }
    Ok(report)
}

/// The id of a row whose data brings none: equal for equal inputs, and sorted as the rows are.
fn row_id(row: u64) -> String {
    format!("r{row:08}")
}

/// What a mapping left of a record, as extra fields. One that bears the name of a field of ours is kept as `source_NAME`.
fn extra(mut rest: Extra) -> Extra {
    for own in OWN_FIELDS {
        if let Some(value) = rest.shift_remove(own) {
            let mut name = format!("source_{own}");
            while rest.contains_key(&name) {
                name.insert_str(0, "source_");
            }
            rest.insert(name, value);
        }
    }
    rest
}

/// A `labels` task with the program's defaults, for a format to change.
fn labels_task(name: &str, labels: Vec<String>) -> Manifest {
    Manifest {
        format: FORMAT,
        name: name.to_owned(),
        task: TaskKind::Labels,
        labels,
        metric: "accuracy".to_owned(),
        licence: String::new(),
        source: String::new(),
        prompt: Wording::default(),
        retrieval: Retrieval::default(),
        periods: Periods::default(),
        calibration: Calibration::default(),
        weights: WeightDefaults::default(),
    }
}
