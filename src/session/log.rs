//! The session file: one line an event, appended and synced as it happens.
//!
//! Invariants: a recorder never rewrites a whole line; a file cut anywhere (a crash, a full disk) opens with every
//! whole event before the cut and says where it ends; events of a newer program are skipped and counted, never guessed
//! at.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::SessionError;
use super::event::{Event, FORMAT, Header, Setting};
use crate::data::dataset::{DatasetError, write_whole};
use crate::data::sanitize::visible;
use crate::data::text::{json_fault, without_mark};
use crate::engine::engine::{Answer, GenStats};
use crate::engine::model::Located;
use crate::engine::recorded::RecordedEngine;

/// The tag of the first line.
const HEADER_TAG: &str = "session";
/// Characters of a foreign value told in a message.
const TOLD: usize = 40;

/// What a session is written on.
pub trait Tape: Write {
    /// Brings what was written to the disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Forgets everything behind the first `length` bytes, and goes on from there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Tape for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length).and_then(|()| self.seek(SeekFrom::Start(length)).map(drop))
    }
}

/// Appends events to a new file. A write that fails leaves nothing behind, and may be tried again.
#[derive(Debug)]
pub struct Recorder<T = File> {
    file: T,
    path: PathBuf,
    /// Bytes of whole lines.
    length: u64,
    /// Half a line may stand behind them.
    torn: bool,
}

impl Recorder {
    /// Starts a session. A file that exists is never overwritten.
    pub fn create(path: &Path, header: &Header) -> Result<Self, SessionError> {
        Self::after(path, &Session::new(header.clone(), Vec::new()))
    }

    /// Goes on with `begun`, a [fork](super::fork::fork) perhaps, in a new file: what it holds so far is written and
    /// synced at once, or the file is not there. A file that exists is never overwritten.
    pub fn after(path: &Path, begun: &Session) -> Result<Self, SessionError> {
        let bytes = begun.to_bytes().map_err(|source| SessionError::Record { path: path.to_owned(), source })?;
        Self::holding(path, &bytes)
    }

    /// The same of a session's [bytes](Session::to_bytes): who looks for a free name makes them once.
    pub(crate) fn holding(path: &Path, bytes: &[u8]) -> Result<Self, SessionError> {
        let wrap = |source| SessionError::Record { path: path.to_owned(), source };
        let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(wrap)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // Ours, and a half of no use to anybody.
            let _ = fs::remove_file(path);
            return Err(wrap(error));
        }
        Ok(Self { file, path: path.to_owned(), length: bytes.len() as u64, torn: false })
    }
}

impl<T: Tape> Recorder<T> {
    /// Starts a session on an empty `tape`; `path` names it in messages.
    pub fn on(tape: T, path: &Path, header: &Header) -> Result<Self, SessionError> {
        let mut recorder = Self { file: tape, path: path.to_owned(), length: 0, torn: false };
        recorder.line(header)?;
        Ok(recorder)
    }

    /// Appends one event; when this returns, it is on the disk.
    pub fn append(&mut self, event: &Event) -> Result<(), SessionError> {
        self.line(event)
    }

    /// Where the session is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn line(&mut self, record: &impl Serialize) -> Result<(), SessionError> {
        let path = self.path.clone();
        let wrap = |source| SessionError::Record { path: path.clone(), source };
        let mut line = Vec::new();
        push_line(&mut line, record).map_err(wrap)?;
        // What is appended must not continue a half of an earlier line.
        self.mend().map_err(wrap)?;
        // One write a line: a crash leaves a cut last line at worst.
        let written = self.file.write_all(&line).and_then(|()| self.file.sync());
        if written.is_err() {
            // A full disk may have taken half of it. Where it cannot be taken back now, it is before the next line.
            self.torn = true;
            let _ = self.mend();
        }
        written.map_err(wrap)?;
        self.length += line.len() as u64;
        Ok(())
    }

    /// Takes back what stands behind the last whole line.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.cut(self.length)?;
            self.torn = false;
        }
        Ok(())
    }
}

fn push_line(out: &mut Vec<u8>, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.push(b'\n');
    Ok(())
}

/// A last line that ends in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// 1-based.
    pub line: usize,
    /// What is left of it.
    pub bytes: usize,
}

/// A recorded session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// What it was recorded with.
    pub header: Header,
    /// What happened, in order.
    pub events: Vec<Arc<Event>>,
    /// The 1-based line of each event.
    pub lines: Vec<usize>,
    /// Events of a newer program, skipped.
    pub unknown: usize,
    /// Fields of a newer program, passed over.
    pub unknown_fields: usize,
    /// Set when the file ends in the middle of a line.
    pub cut: Option<Cut>,
}

impl Session {
    /// A session that was not read from a file.
    pub fn new(header: Header, events: Vec<Event>) -> Self {
        let lines = (2..events.len() + 2).collect();
        Self {
            header,
            events: events.into_iter().map(Arc::new).collect(),
            lines,
            unknown: 0,
            unknown_fields: 0,
            cut: None,
        }
    }

    /// Whether a test over its questions says something of others: not where they were picked for what they show, nor where
    /// the same ones are asked again with other histories, whose answers hang together.
    pub fn is_testable(&self) -> bool {
        let mut held = self.events.iter().filter_map(|event| match event.as_ref() {
            Event::Asked(asked) => asked.held.as_ref().map(|_| (&asked.user, &asked.source, &asked.query)),
            _ => None,
        });
        let mut known = HashSet::new();
        !self.header.is_picked() && held.all(|question| known.insert(question))
    }

    /// Adds what happened next.
    pub fn push(&mut self, event: Event) {
        self.push_shared(&Arc::new(event));
    }

    /// Adds an event of another session.
    pub fn push_shared(&mut self, event: &Arc<Event>) {
        let line = self.lines.last().map_or(1, |line| *line) + 1;
        self.events.push(Arc::clone(event));
        self.lines.push(line);
    }

    /// Reads the file `path`.
    pub fn open(path: &Path) -> Result<Self, SessionError> {
        let bytes = fs::read(path).map_err(|source| SessionError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &bytes)
    }

    /// Reads a session file's content; `path` names it in messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SessionError> {
        let mut lines = without_mark(bytes).split_inclusive(|byte| *byte == b'\n').enumerate();
        let first = lines.next().map_or(&[][..], |(_, line)| line);
        let header = header(path, first)?;
        let mut session = Self::new(header, Vec::new());
        session.unknown_fields = strangers(first, &session.header);
        for (index, line) in lines {
            let number = index + 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            match event(line) {
                Ok(Some(event)) => {
                    if let Event::WeightsChanged(setting) = &event {
                        require_ranges(path, number, setting)?;
                    }
                    session.unknown_fields += strangers(line, &event);
                    session.events.push(Arc::new(event));
                    session.lines.push(number);
                }
                Ok(None) => session.unknown += 1,
                Err(error) if is_cut(line, &error) => session.cut = Some(Cut { line: number, bytes: line.len() }),
                Err(error) => {
                    return Err(SessionError::Line { path: path.to_owned(), line: number, reason: json_fault(&error) });
                }
            }
        }
        Ok(session)
    }

    /// The file's content.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        push_line(&mut out, &self.header)?;
        self.events.iter().try_for_each(|event| push_line(&mut out, event.as_ref()))?;
        Ok(out)
    }

    /// A fingerprint of what this program reads of the session: of its whole file, where no line is torn or unknown.
    pub fn hash(&self) -> io::Result<String> {
        Ok(blake3::hash(&self.to_bytes()?).to_hex().to_string())
    }

    /// Writes the whole session at once; the file appears whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), SessionError> {
        let wrap = |source| SessionError::Write { path: path.to_owned(), source };
        let bytes = self.to_bytes().map_err(wrap)?;
        write_whole(path, &bytes).map_err(|error| match error {
            // In a session's words: no folder has to be another one.
            DatasetError::Write { source, .. } => wrap(source),
            other => other.into(),
        })
    }

    /// What is missing from the file, in one line each, for whoever reads the session.
    pub fn warnings(&self) -> Vec<String> {
        let cut = self.cut.map(|cut| {
            let events = self.events.len();
            format!(
                "line {} ends after {} bytes, in the middle of an event; {events} events before it are whole",
                cut.line, cut.bytes
            )
        });
        let unknown = (self.unknown > 0).then(|| {
            format!(
                "{} events of a kind unknown to this version are skipped; a newer logoscope may read them",
                self.unknown
            )
        });
        let fields = (self.unknown_fields > 0).then(|| {
            format!(
                "{} fields unknown to this version are passed over; a newer logoscope may read them",
                self.unknown_fields
            )
        });
        cut.into_iter().chain(unknown).chain(fields).collect()
    }

    /// An engine that answers from what the model said in this session; `None` if none was asked.
    pub fn engine(&self) -> Option<RecordedEngine> {
        let model = self.header.model.as_ref()?;
        let labels = &self.header.labels;
        let answered = self.events.iter().filter_map(|event| match event.as_ref() {
            Event::Answered(answered) => Some(answered),
            _ => None,
        });
        let calls = answered.clone().filter_map(|answered| {
            let said = answered.log_probabilities.as_ref()?;
            // Where a text was asked for, nothing was scored.
            let scores = if said.0.is_empty() { Vec::new() } else { said.values(labels, "log_probabilities").ok()? };
            let stats = GenStats { tokens: answered.tokens, ..GenStats::default() };
            Some((answered.prompt.clone(), Answer { scores, text: answered.text.clone(), stats }))
        });
        let written = answered.filter_map(|answered| answered.written.as_ref());
        let wrote = written.clone().next().is_some();
        let written = written.map(|written| {
            let stats = GenStats { tokens: written.tokens, ..GenStats::default() };
            (written.prompt.clone(), Answer { scores: Vec::new(), text: written.text.clone(), stats })
        });
        let device = self.header.device.as_deref().unwrap_or("recorded");
        let engine = RecordedEngine::new(&model.name, device, labels.clone(), calls.chain(written));
        Some(if wrote { engine.writing() } else { engine })
    }
}

/// What every line has.
#[derive(Deserialize)]
struct Tagged {
    event: String,
}

/// Reads the first line.
fn header(path: &Path, line: &[u8]) -> Result<Header, SessionError> {
    let foreign = |reason: String| SessionError::Foreign { path: path.to_owned(), reason };
    if line.trim_ascii().is_empty() {
        return Err(foreign("it begins with nothing".to_owned()));
    }
    let tagged: Tagged = match serde_json::from_slice(line) {
        Ok(tagged) => tagged,
        Err(error) if is_cut(line, &error) => return Err(foreign("it ends within its first line".to_owned())),
        Err(_) => {
            let start: String = String::from_utf8_lossy(line.trim_ascii()).chars().take(TOLD).collect();
            return Err(foreign(format!("its first line is '{}'", visible(&start))));
        }
    };
    if tagged.event != HEADER_TAG {
        let tag: String = tagged.event.chars().take(TOLD).collect();
        return Err(foreign(format!("its first event is '{}'", visible(&tag))));
    }
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    // The version first: what else a newer header holds is not for this program to judge.
    let line_fault =
        |error: serde_json::Error| SessionError::Line { path: path.to_owned(), line: 1, reason: json_fault(&error) };
    let Versioned { format } = serde_json::from_slice(line).map_err(line_fault)?;
    if format > FORMAT {
        return Err(SessionError::Newer { path: path.to_owned(), found: format, known: FORMAT });
    }
    let header: Header = serde_json::from_slice(line).map_err(line_fault)?;
    require_ranges(path, 1, &header.setting)?;
    Ok(header)
}

/// Refuses weights that no slider could have given: everything that mediates takes them for granted.
fn require_ranges(path: &Path, line: usize, setting: &Setting) -> Result<(), SessionError> {
    let fault = setting.weights.out_of_range();
    fault.map_or(Ok(()), |fault| Err(SessionError::Line { path: path.to_owned(), line, reason: fault.to_string() }))
}

/// Reads an event line; `None` for an event of a newer program.
fn event(line: &[u8]) -> serde_json::Result<Option<Event>> {
    let tagged: Tagged = serde_json::from_slice(line)?;
    if Event::TAGS.contains(&tagged.event.as_str()) { serde_json::from_slice(line).map(Some) } else { Ok(None) }
}

/// Fields that are left out of a line where they say nothing.
const OPTIONAL: [&str; 30] = [
    "gold",
    "source",
    "novelty",
    "age_unit",
    "crowd",
    "attributes",
    "community",
    "period",
    "silent",
    "sides",
    "margin",
    "strength",
    "winner",
    "kept",
    "runner_up",
    "held",
    "ledger",
    "log_probabilities",
    "seal",
    "arm",
    "item",
    "without",
    "origin",
    "changed",
    "form",
    "length",
    "style",
    "written",
    "model",
    "picked",
];

/// How many fields of a line are not in what was `read` of it.
fn strangers(line: &[u8], read: &impl Serialize) -> usize {
    fn count(line: &Value, read: &Value) -> usize {
        match (line, read) {
            (Value::Object(line), Value::Object(read)) => {
                let one = |(key, value): (&String, &Value)| match read.get(key) {
                    Some(read) => count(value, read),
                    None => usize::from(!OPTIONAL.contains(&key.as_str())),
                };
                line.iter().map(one).sum()
            }
            (Value::Array(line), Value::Array(read)) => {
                line.iter().zip(read).map(|(line, read)| count(line, read)).sum()
            }
            _ => 0,
        }
    }
    let written = serde_json::to_vec(read).unwrap_or_default();
    // What this program wrote itself holds nothing else.
    if written == line.trim_ascii() {
        return 0;
    }
    let line: serde_json::Result<Value> = serde_json::from_slice(line);
    line.and_then(|line| Ok(count(&line, &serde_json::to_value(read)?))).unwrap_or_default()
}

/// Whether a line is the beginning of a good one: nothing ends it, and it stops where more was to come.
fn is_cut(line: &[u8], error: &serde_json::Error) -> bool {
    // A number cut behind its sign, point or exponent is told as a bad one instead of as an end.
    let in_a_number = || error.is_syntax() && matches!(line.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E'));
    !line.ends_with(b"\n") && (error.is_eof() || (error.column() >= line.len() && in_a_number()))
}

/// Files beside a model that say something about it and are not part of it.
const ABOUT: [&str; 3] = ["md", "py", "txt"];

/// A fingerprint of a model that can be loaded: of its files, or, of one on a server, of its address alone. What answers
/// there may have changed since; nothing that a server says of itself would prove the contrary.
pub fn identity(place: &Located) -> io::Result<String> {
    match place {
        Located::Files(path) => fingerprint(path),
        Located::Server(address) => Ok(blake3::hash(address.to_string().as_bytes()).to_hex().to_string()),
    }
}

/// A fingerprint of a model at `path`: the names and contents of its folder's files, but for those that only speak of
/// it, or of its one file.
pub fn fingerprint(path: &Path) -> io::Result<String> {
    let mut paths = match path.is_file() {
        true => vec![path.to_owned()],
        false => fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
    };
    let speaks =
        |path: &Path| path.extension().is_some_and(|e| ABOUT.iter().any(|about| e.eq_ignore_ascii_case(about)));
    paths.retain(|path| path.is_file() && !speaks(path));
    paths.sort();
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes()).update(&[0]);
        let mut file = File::open(&path)?;
        let mut content = blake3::Hasher::new();
        io::copy(&mut file, &mut content)?;
        hasher.update(content.finalize().as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}
