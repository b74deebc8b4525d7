//! Importers: foreign files become dataset folders.
//!
//! A line-based format is a [`Mapping`] from one record to one interaction; LaMP's files, one JSON value each, have a
//! reader of their own. Counting and writing are shared here, so that every format keeps the same promises:
//!
//! * every row read is kept or counted under exactly one [`Reason`], so `read = kept + queries + Σ rejected`;
//! * a bad row never stops an import;
//! * the folder appears whole or not at all, and never in the place of somebody's files;
//! * rows go to the folder as they come and none is held, so that memory does not grow with the input; what has to be
//!   remembered of each row (its id, its user) takes some bytes;
//! * nothing is fitted: `dataset.toml` holds a format's defaults, never numbers learned from the rows. One default yields:
//!   where the rows span less than a few periods, a period is shorter, since none would close and nobody hear of others.

mod csv;
mod draft;
pub mod huffpost;
pub mod lamp;
mod lines;
pub mod mapped;
pub mod movielens;
mod records;
mod report;
mod seen;
mod source;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

pub use self::csv::Delimiter;
use self::draft::Draft;
use self::records::Records;
pub use self::records::Syntax;
pub use self::report::{Example, Reason, Rejected, Rejection, Report};
use self::seen::Seen;
pub use self::source::{Meter, Source};
use super::dataset::{
    Calibration, DatasetError, FORMAT, Manifest, PeriodLength, Periods, Retrieval, TaskKind, WeightDefaults, Wording,
};
use super::interaction::{Extra, Interaction, JudgedQuery, Timestamp};
use super::scale::Scale;

/// Rows between two calls of the progress callback.
const PROGRESS_ROWS: u64 = 1024;
/// From here on neighbouring whole numbers are one in floating point.
const INEXACT: f64 = (1u64 << 53) as f64;
/// Rows that span less than so many periods get shorter ones, and so many of them.
const FEW_PERIODS: f64 = 4.0;
const SHORT_PERIODS: u64 = 8;
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
    /// The input is one JSON value and that is broken: unlike a line, it cannot be skipped.
    #[error("{path}: {reason}; LaMP's files are one JSON array of questions, or one object {{\"task\", \"golds\"}}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// The questions are of another task than was asked for, or of none.
    #[error("{0}")]
    Task(String),
    /// The input holds no row at all.
    #[error("the input holds no row; an import needs at least one")]
    NoRow,
    /// The times lie further apart than memory can be cut into periods: one of them is wrong.
    #[error("{0}")]
    Span(String),
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
        role: mapped::Role,
        /// The field as written in the map.
        field: String,
        /// The fields there are, in words.
        known: String,
    },
    /// A mapped name stands over several columns.
    #[error("--map {role}={field}: more than one column is called '{field}'; name the one that is meant by its number")]
    TwoColumns {
        /// What the field was to be.
        role: mapped::Role,
        /// The name.
        field: String,
    },
    /// A header of one column holds what may part several.
    #[error("--map {role}={field}: the first row is only one column: is --delimiter {delimiter} meant?")]
    OneColumn {
        /// What the field was to be that is not there.
        role: mapped::Role,
        /// The field as written in the map.
        field: String,
        /// What may part its columns, as it is typed.
        delimiter: &'static str,
    },
    /// The responses make no label set.
    #[error(
        "--map response={field}: {found} distinct response{}; a labels task has 2 to {}: map a field with few values, \
         or name another task: --task rating or --task text",
        if found == "1" { "" } else { "s" },
        mapped::MOST_LABELS
    )]
    Labels {
        /// The field as written in the map.
        field: String,
        /// Distinct responses, `201 or more` where they are too many.
        found: String,
    },
    /// Somebody asked to stop.
    #[error("the import was interrupted; nothing was written")]
    Interrupted,
    /// The folder could not be written.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

impl ImportError {
    /// What wraps a failure to read the input called `path`.
    fn reading(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |source| Self::Read { path: path.to_owned(), source }
    }
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows read.
    pub rows: u64,
    /// Bytes read, unpacked.
    pub bytes: u64,
    /// Bytes taken of the inputs as they lie.
    pub taken: u64,
    /// Bytes of all inputs as they lie, where every one's is known.
    pub total: Option<u64>,
}

/// Who watches an import and may stop it.
pub struct Watch<'a> {
    /// Once set, the import ends with [`ImportError::Interrupted`].
    pub cancel: &'a AtomicBool,
    /// Hears how far the import is, every so many rows and at the end.
    pub progress: &'a mut dyn FnMut(Progress),
}

/// A line-based format: how one record becomes one interaction, and what the folder says about itself.
pub trait Mapping {
    /// How records are written.
    fn syntax(&self) -> Syntax {
        Syntax::JsonLines
    }

    /// Kind of the task.
    fn task(&self) -> TaskKind {
        TaskKind::Labels
    }

    /// Hears the names in an input's header before its records, and those that more than one column bears; not called
    /// where there is no header.
    ///
    /// # Errors
    ///
    /// Where a name does not say which column is meant.
    fn header(&mut self, names: &[String], repeated: &[String]) -> Result<(), ImportError> {
        let _ = (names, repeated);
        Ok(())
    }

    /// The interaction of a record; `row` counts all rows of all inputs from 1.
    fn interaction(&mut self, row: u64, record: Extra) -> Result<Interaction, Rejection>;

    /// What there is to say of the kept rows, in sentences; asked for after the last row.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// `dataset.toml` for the rows of `report`. Called once after the last row, even if none was kept.
    fn manifest(&self, report: &Report) -> Result<Manifest, ImportError>;
}

/// Streams `sources` into the dataset folder `out`; without one the rows are only counted.
///
/// On any error no trace of `out` remains.
pub fn import(
    sources: Vec<Source>,
    mapping: &mut dyn Mapping,
    out: Option<&Path>,
    watch: Watch<'_>,
) -> Result<Report, ImportError> {
    let task = mapping.task();
    let mut intake = Intake::begin(&sources, task, out, watch)?;
    let mut attributed = task != TaskKind::Rating;
    for source in sources {
        let name = source.name().to_owned();
        let wrap = ImportError::reading(&name);
        let mut records = Records::of(source.open().map_err(&wrap)?, mapping.syntax()).map_err(&wrap)?;
        if !records.header().is_empty() {
            mapping.header(records.header(), records.repeated())?;
        }
        let cancel = intake.watch.cancel;
        while let Some(record) = records.next(cancel).map_err(&wrap)? {
            let row = intake.row()?;
            match record.fields.map_err(Rejection::from).and_then(|fields| mapping.interaction(row, fields)) {
                Ok(interaction) => {
                    attributed = attributed || interaction.extra.get("attributes").is_some_and(Value::is_object);
                    intake.keep(&interaction)?;
                }
                Err(rejection) => intake.reject(rejection, (&name, record.line), || record.raw.text()),
            }
        }
    }
    let mut report = intake.finish(|report| mapping.manifest(report))?;
    report.notes.extend(mapping.notes());
    if !attributed {
        report.notes.push(NOTHING_ALIKE.to_owned());
    }
    Ok(report)
}

/// Of ratings without attributes, by which things are like each other unless `dataset.toml` says otherwise.
const NOTHING_ALIKE: &str = "no row has an object 'attributes', so no thing is like another one: give the rows some (jsonl), or \
     write similarity = \"text\" below [retrieval] in dataset.toml, and the queries' words are compared";

/// Where rows go: counted, and written if there is a folder for them.
struct Intake<'a> {
    draft: Option<Draft>,
    report: Report,
    /// The earliest and the latest interaction kept, with their ids.
    ends: Option<[(Timestamp, String); 2]>,
    users: Seen,
    meters: Vec<Meter>,
    watch: Watch<'a>,
}

impl<'a> Intake<'a> {
    /// Ready for the rows of `sources`.
    fn begin(
        sources: &[Source],
        task: TaskKind,
        out: Option<&Path>,
        watch: Watch<'a>,
    ) -> Result<Intake<'a>, ImportError> {
        let draft = out.map(Draft::of).transpose()?;
        let meters = sources.iter().map(Source::meter).collect();
        Ok(Self { draft, report: Report::of(task), ends: None, users: Seen::new(), meters, watch })
    }

    /// Counts a row, whatever is to become of it, and tells its number.
    fn row(&mut self) -> Result<u64, ImportError> {
        if self.watch.cancel.load(Ordering::Relaxed) {
            return Err(ImportError::Interrupted);
        }
        let row = self.report.read + 1;
        self.report.read = row;
        if row.is_multiple_of(PROGRESS_ROWS) {
            self.tell();
        }
        Ok(row)
    }

    fn keep(&mut self, interaction: &Interaction) -> Result<(), ImportError> {
        self.report.keep(interaction);
        let this = || (interaction.at, interaction.id.clone());
        match &mut self.ends {
            Some([first, last]) => {
                if interaction.at < first.0 {
                    *first = this();
                } else if interaction.at > last.0 {
                    *last = this();
                }
            }
            None => self.ends = Some([this(), this()]),
        }
        self.users.insert(&[interaction.user.as_str()]);
        if let Some(draft) = &mut self.draft {
            draft.add(interaction)?;
        }
        Ok(())
    }

    fn ask(&mut self, query: &JudgedQuery) -> Result<(), ImportError> {
        self.report.queries += 1;
        self.users.insert(&[query.user.as_str()]);
        if let Some(draft) = &mut self.draft {
            draft.ask(query)?;
        }
        Ok(())
    }

    fn reject(&mut self, rejection: Rejection, place: (&Path, u64), line: impl FnOnce() -> String) {
        self.report.reject(rejection, place, line);
    }

    fn tell(&mut self) {
        let sizes: Option<u64> = self.meters.iter().map(Meter::size).sum();
        let progress = Progress {
            rows: self.report.read,
            bytes: self.meters.iter().map(Meter::unpacked).sum(),
            taken: self.meters.iter().map(Meter::taken).sum(),
            total: sizes,
        };
        (self.watch.progress)(progress);
    }

    /// Completes the report and puts the folder in its place.
    fn finish(
        mut self,
        manifest: impl FnOnce(&Report) -> Result<Manifest, ImportError>,
    ) -> Result<Report, ImportError> {
        self.tell();
        // Whoever interrupts a pipe ends its other side too, which looks like the end of the input.
        if self.watch.cancel.load(Ordering::Relaxed) {
            return Err(ImportError::Interrupted);
        }
        self.report.bytes = self.meters.iter().map(Meter::unpacked).sum();
        self.report.users = self.users.len();
        let mut manifest = manifest(&self.report)?;
        self.report.name.clone_from(&manifest.name);
        if self.report.kept == 0 {
            return Err(self.report.nothing_kept());
        }
        let ends = self.ends.iter().flatten().map(|(at, id)| (*at, id.as_str())).collect::<Vec<_>>();
        if let Some(fault) = manifest.period_fault(ends.into_iter()) {
            return Err(ImportError::Span(fault));
        }
        self.report.notes.extend(self.report.alike());
        if let Some((length, note)) = shorter_period(&manifest, &self.report) {
            manifest.periods.length = length;
            self.report.notes.push(note);
        }
        if let Some(draft) = self.draft {
            draft.publish(&manifest)?;
        }
        Ok(self.report)
    }
}

/// A period that fits the time which the rows span, and what is said of it, where they span less than a few of the
/// manifest's: a whole number of days, or within a day a number of rows. `None` also where a period means nothing: of
/// ratings, which need none, and where nobody has more others than the guard takes for silence.
fn shorter_period(manifest: &Manifest, report: &Report) -> Option<(PeriodLength, String)> {
    let PeriodLength::Days(usual) = manifest.periods.length else { return None };
    let (first, last) = report.span?;
    let span = last.days_since(first);
    let unread = manifest.task == TaskKind::Rating || report.users <= manifest.retrieval.guard;
    if unread || span >= FEW_PERIODS * usual {
        return None;
    }
    let (length, told) = if span < 1.0 {
        let rows = (report.kept / SHORT_PERIODS).max(1);
        (PeriodLength::Interactions(usize::try_from(rows).ok()?), format!("interactions = {rows}"))
    } else {
        let days = (span / SHORT_PERIODS as f64).floor().max(1.0);
        (PeriodLength::Days(days), format!("days = {days}"))
    };
    let note = format!(
        "the rows span {span:.1} days, few of the usual periods of {usual}: {told} stands below [periods] in dataset.toml, \
         so that periods close and others are heard"
    );
    Some((length, note))
}

/// The id of a row whose data brings none: equal for equal inputs, and sorted as the rows are.
fn row_id(row: u64) -> String {
    format!("r{row:08}")
}

/// Why a field says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NoText {
    /// It is missing, blank, or neither text nor number.
    Missing,
    /// It is this number, but only nearly: another one may be read as the same.
    Inexact(String),
}

impl NoText {
    /// Rejects the row that needed the field, for `reason`.
    fn rejected(&self, reason: Reason) -> Rejection {
        match self {
            Self::Missing => reason.into(),
            Self::Inexact(number) => {
                Rejection::of(reason, format!("{number}: so long a number is read inexactly; write it in quotes"))
            }
        }
    }
}

/// What a field says: a text that is not blank, or a number.
fn text(field: Option<&Value>) -> Result<String, NoText> {
    match field {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        // Whole numbers of 64 bits are held as they are; of longer ones two people would become one.
        Some(Value::Number(number))
            if number.is_f64() && number.as_f64().is_none_or(|value| value.abs() >= INEXACT) =>
        {
            Err(NoText::Inexact(number.to_string()))
        }
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(NoText::Missing),
    }
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
        scale: None,
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

/// A `rating` task with the program's defaults.
fn rating_task(name: &str, scale: Scale) -> Manifest {
    let (task, metric) = (TaskKind::Rating, "mae".to_owned());
    Manifest { task, scale: Some(scale), metric, ..labels_task(name, Vec::new()) }
}

/// A `text` task with the program's defaults.
fn text_task(name: &str) -> Manifest {
    Manifest { task: TaskKind::Text, metric: "rougeL".to_owned(), ..labels_task(name, Vec::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_held_exactly_are_no_text() {
        let read = |json: &str| text(Some(&serde_json::from_str(json).unwrap()));
        for exact in ["7", "-7", "1.5", "18446744073709551615", "-9223372036854775808"] {
            assert_eq!(read(exact).as_deref(), Ok(exact));
        }
        assert!(read("9007199254740991.0").is_ok());
        assert_eq!(read("\"100000000000000000001\"").as_deref(), Ok("100000000000000000001"));
        for long in ["100000000000000000001", "-9223372036854775809", "9007199254740993.0", "1e300"] {
            let why = read(long).unwrap_err();
            let rejected = format!("{:?}", why.rejected(Reason::NoUser));
            assert!(rejected.contains("NoUser") && rejected.contains("in quotes"), "{long}: {rejected}");
        }
        for none in ["\" \"", "null", "true", "[1]", "{}"] {
            assert_eq!(read(none), Err(NoText::Missing), "{none}");
        }
        assert_eq!(text(None), Err(NoText::Missing));
    }
}
