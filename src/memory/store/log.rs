//! The append log: interactions recorded since the dataset was written, in order of recording.
//!
//! A file is a head of 32 bytes and records behind it. The head says how many records have been acknowledged, and where
//! the last of them ends:
//!
//! ```text
//! "LOGOLOG1" | records u64 | end u64 | check u64          little-endian; a check is the first 8 bytes of a BLAKE3 hash
//! length u32 | head check u32 | payload check u64 | payload, one interaction as JSON
//! ```
//!
//! Invariants: a record is on the disk before the head counts it, and counted there before it is acknowledged. So an end
//! in the middle of a record that was not counted is a record never finished, and everything else that does not fit is
//! damage: the log never loses an acknowledged record silently.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::{Notice, StoreError};
use crate::data::interaction::Interaction;

const MAGIC: &[u8; 8] = b"LOGOLOG1";
/// Bytes before the first record.
pub const HEAD: u64 = 32;
const RECORD_HEAD: usize = 16;

/// What a log's file holds.
#[derive(Debug, Default)]
pub struct LogContent {
    /// The records before any damage.
    pub records: Vec<Interaction>,
    /// Where each of them ends, in bytes.
    pub ends: Vec<u64>,
    /// What the head says of acknowledged records.
    pub acknowledged: Option<u64>,
    /// The bytes of the good records, head aside.
    pub good: Vec<u8>,
    /// What comes after them.
    pub rest: Rest,
}

/// What stands behind the last good record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    #[default]
    Nothing,
    /// The beginning of a record that was never acknowledged.
    Unfinished {
        /// Its length.
        bytes: u64,
    },
    /// Something else.
    Damage {
        /// Where and what.
        what: String,
    },
}

impl LogContent {
    /// Reads the log `path`; a missing one is empty.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        let damage = |what: String| Rest::Damage { what };
        if bytes.len() < HEAD as usize {
            // A log is made beside its place and moved there whole.
            content.rest = damage(format!("it ends within its head, after {} bytes", bytes.len()));
            return content;
        }
        let (head, mut rest) = bytes.split_at(HEAD as usize);
        let counted = read_head(head);
        content.acknowledged = counted.map(|(records, _)| records);
        let mut end = HEAD;
        while !rest.is_empty() {
            match record(rest, end) {
                Found::Record { interaction, length } => {
                    end += length as u64;
                    rest = &rest[length..];
                    content.records.push(*interaction);
                    content.ends.push(end);
                }
                Found::Cut => {
                    content.rest = Rest::Unfinished { bytes: rest.len() as u64 };
                    break;
                }
                Found::Damage(what) => {
                    content.rest = damage(format!("at byte {end}: {what}"));
                    break;
                }
            }
        }
        content.good = bytes[HEAD as usize..end as usize].to_vec();
        let records = content.records.len() as u64;
        match counted {
            None => content.rest = damage("its head is not as it was written".to_owned()),
            Some((counted, counted_end)) if records < counted || end < counted_end => {
                if !matches!(content.rest, Rest::Damage { .. }) {
                    content.rest = damage(format!("it ends at byte {} of {counted_end}", bytes.len()));
                }
            }
            Some(_) => {}
        }
        content
    }

    /// What to say about it when nobody repairs it.
    pub fn notice(&self) -> Option<Notice> {
        let Rest::Damage { what } = &self.rest else { return None };
        let (kept, acknowledged) = (self.records.len(), self.acknowledged);
        Some(Notice::LogDamaged { what: what.clone(), kept, acknowledged, aside: None })
    }

    /// Whether nothing in it would be missed.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.rest == Rest::Nothing
    }

    /// Length of the good part of the file.
    pub fn end(&self) -> u64 {
        HEAD + self.good.len() as u64
    }
}

enum Found {
    Record { interaction: Box<Interaction>, length: usize },
    Cut,
    Damage(String),
}

/// Reads the record at the start of `bytes`, which stands at byte `at` of its file.
fn record(bytes: &[u8], at: u64) -> Found {
    let Some((head, rest)) = bytes.split_at_checked(RECORD_HEAD) else { return Found::Cut };
    let (length, check) = (&head[..4], &head[8..]);
    if head[4..8] != head_check(length, check, at) {
        return Found::Damage("the head of a record is not as it was written".to_owned());
    }
    let length = length.iter().rev().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    let Some(payload) = rest.get(..length) else { return Found::Cut };
    if *check != check_of(payload) {
        return Found::Damage("a record is not as it was written".to_owned());
    }
    match serde_json::from_slice(payload) {
        Ok(interaction) => Found::Record { interaction: Box::new(interaction), length: RECORD_HEAD + length },
        Err(error) => Found::Damage(format!("a record is no interaction ({error})")),
    }
}

fn check_of(bytes: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    check.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    check
}

fn head_check(length: &[u8], payload_check: &[u8], at: u64) -> [u8; 4] {
    let mut hasher = blake3::Hasher::new();
    // The place belongs to it: a record must not count where it was not written.
    hasher.update(length).update(payload_check).update(&at.to_le_bytes());
    let mut check = [0; 4];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..4]);
    check
}

fn head(records: u64, end: u64) -> [u8; HEAD as usize] {
    let mut head = [0; HEAD as usize];
    head[..8].copy_from_slice(MAGIC);
    head[8..16].copy_from_slice(&records.to_le_bytes());
    head[16..24].copy_from_slice(&end.to_le_bytes());
    let check = check_of(&head[..24]);
    head[24..].copy_from_slice(&check);
    head
}

/// Acknowledged records and where they end.
fn read_head(bytes: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let (records, end) = (number(8)?, number(16)?);
    (bytes == head(records, end)).then_some((records, end))
}

/// Adds to a log. Whoever has one holds the store's lock.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    file: File,
    records: u64,
    end: u64,
}

impl LogWriter {
    /// Opens the log `path`, or begins one. A record never finished is cut off; a damaged file is moved aside and what
    /// stands before the damage begins a new one. Says what it did.
    pub fn open(path: &Path) -> Result<(Self, LogContent, Option<Notice>), StoreError> {
        let wrap = || StoreError::io(path);
        let missing = !path.try_exists().map_err(wrap())?;
        let content = LogContent::read(path)?;
        let mut notice = None;
        if let Rest::Damage { what } = &content.rest {
            let aside = put_aside(path)?;
            let (kept, acknowledged) = (content.records.len(), content.acknowledged);
            notice = Some(Notice::LogDamaged { what: what.clone(), kept, acknowledged, aside: Some(aside) });
        }
        let (records, end) = (content.records.len() as u64, content.end());
        if missing || notice.is_some() {
            let beside = path.with_extension("part");
            let mut file = File::create(&beside).map_err(StoreError::io(&beside))?;
            let whole = [&head(records, end)[..], &content.good].concat();
            file.write_all(&whole).and_then(|()| file.sync_all()).map_err(StoreError::io(&beside))?;
            fs::rename(&beside, path).map_err(wrap())?;
            sync_folder(path.parent().unwrap_or(Path::new(".")))?;
        }
        let mut file = File::options().read(true).write(true).open(path).map_err(wrap())?;
        if let Rest::Unfinished { bytes } = content.rest {
            file.set_len(end).map_err(wrap())?;
            notice = Some(Notice::Unfinished { bytes });
        }
        // A record may have reached the disk before the head did: count it.
        if content.acknowledged != Some(records) {
            write_head(&mut file, records, end).map_err(wrap())?;
        }
        Ok((Self { path: path.to_owned(), file, records, end }, content, notice))
    }

    /// Adds an interaction; when this returns, it is on the disk and counted.
    pub fn append(&mut self, interaction: &Interaction) -> Result<(), StoreError> {
        self.write(interaction).map_err(|source| {
            // A full disk may have taken half of it. Where even this fails, the next writer cuts it off; a head that
            // counts what is cut off would be taken for damage.
            let _ = self.file.set_len(self.end);
            let _ = write_head(&mut self.file, self.records, self.end);
            StoreError::Io { path: self.path.clone(), source }
        })
    }

    fn write(&mut self, interaction: &Interaction) -> io::Result<()> {
        let record = encoded(interaction, self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&record)?;
        self.file.sync_data()?;
        let (records, end) = (self.records + 1, self.end + record.len() as u64);
        write_head(&mut self.file, records, end)?;
        (self.records, self.end) = (records, end);
        Ok(())
    }
}

/// The record of an interaction that stands at byte `at` of its file.
fn encoded(interaction: &Interaction, at: u64) -> io::Result<Vec<u8>> {
    let payload = serde_json::to_vec(interaction)?;
    let length = u32::try_from(payload.len()).map_err(|_| io::Error::other("the interaction is too long"))?;
    let (length, check) = (length.to_le_bytes(), check_of(&payload));
    Ok([&length[..], &head_check(&length, &check, at), &check, &payload].concat())
}

/// Writes a log of `records` in place of what is at `path`: the old one is there or the new one, never half of it.
/// Whoever calls this holds the store's lock.
pub fn replace(path: &Path, records: &[Interaction]) -> Result<(), StoreError> {
    let beside = path.with_extension("part");
    let mut file = File::create(&beside).map(io::BufWriter::new).map_err(StoreError::io(&beside))?;
    let mut write = || -> io::Result<()> {
        let mut end = HEAD;
        file.write_all(&head(0, end))?;
        for record in records {
            let record = encoded(record, end)?;
            file.write_all(&record)?;
            end += record.len() as u64;
        }
        file.rewind()?;
        file.write_all(&head(records.len() as u64, end))?;
        file.flush()?;
        file.get_ref().sync_all()
    };
    write().map_err(StoreError::io(&beside))?;
    fs::rename(&beside, path).map_err(StoreError::io(path))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

fn write_head(file: &mut File, records: u64, end: u64) -> io::Result<()> {
    file.rewind()?;
    file.write_all(&head(records, end))?;
    file.sync_data()
}

/// Copies a damaged file to a name of its own.
fn put_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let aside = (1..).map(|n| path.with_extension(format!("damaged-{n}"))).find(|aside| !aside.exists());
    let aside = aside.unwrap_or_else(|| path.with_extension("damaged"));
    let copied = fs::copy(path, &aside).and_then(|_| File::open(&aside)?.sync_all());
    copied.map_err(StoreError::io(&aside))?;
    Ok(aside)
}

/// Makes new names in a folder last.
pub fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io(folder))?;
    }
    Ok(())
}

/// The first `length` bytes of records in a log, as a fingerprint.
pub fn fingerprint(good: &[u8], end: u64) -> Option<String> {
    let length = usize::try_from(end.checked_sub(HEAD)?).ok()?;
    Some(blake3::hash(good.get(..length)?).to_hex().to_string())
}
