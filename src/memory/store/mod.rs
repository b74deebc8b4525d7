//! The store: memory on disk, a cache that is made from a dataset folder and found again by its content.
//!
//! A store is a folder `<root>/<data>/`:
//!
//! ```text
//! base-<n>/   columns, vectors, postings, words and word pairs, communities, of ratings and texts what they add, and a
//!             manifest with checksums; the largest n counts. Groupings of periods that were read, see `kept`, and what
//!             reads need of some of them, see `sealed`; `keeping` is locked by those who write them
//! log         what was recorded since the dataset was written, see `log`
//! lock        held by the one writer
//! ```
//!
//! Invariants:
//! * A base is a function of the dataset and of the log's first records, so it can always be made again; the log is the
//!   only thing here that is not a cache.
//! * Every byte of a base is verified before memory is opened over it. What fails is rebuilt, saying why.
//! * [`Memory`] over a store reads bit for bit like [`Memory::build`] of the dataset with the log's records in it.
//! * Bases are swapped by renaming: who reads an old one keeps it.

mod base;
mod error;
mod forget;
mod kept;
mod lock;
mod log;
mod recorder;
mod sealed;
mod stretch;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

pub use self::base::ASKING_MODEL;
use self::base::{BaseManifest, Folded, Origin};
pub(super) use self::base::{FolderWriter, Verified};
pub use self::error::{Fault, Notice, StoreError};
pub use self::forget::{Forgetting, Holding, Remains};
pub(super) use self::kept::Kept;
pub use self::kept::{MOST_GROUPINGS, MOST_SEALED};
use self::lock::WriterLock;
use self::log::{LogContent, LogWriter, fingerprint, sync_folder};
pub use self::recorder::Recorder;
pub use self::stretch::Unwritten;
use self::stretch::{Content, stretch_count, stretches};
use super::Memory;
use super::embed::{self, Forbidden};
pub use super::population::Report;
use super::sizes::Sizes;
use crate::data::dataset::{Dataset, DatasetError, Manifest, PeriodLength, TaskKind};
use crate::data::embedding::Embedding;
use crate::data::interaction::Interaction;

/// A file of interactions from this size on is worth a store: below, memory is built sooner than a person notices, and
/// nothing is left on the disk.
pub const WORTH_BYTES: u64 = 8 << 20;

/// A memory and what happened on the way to it.
pub struct Opened {
    /// The memory.
    pub memory: Memory,
    /// In order.
    pub notices: Vec<Notice>,
}

/// The store of a dataset folder.
pub struct Store {
    dataset: PathBuf,
    /// The dataset but for its interactions.
    head: Dataset,
    origin: Origin,
    folder: PathBuf,
    sizes: Sizes,
}

/// What [`Store::verify`] found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The base, if there is one.
    pub base: Option<PathBuf>,
    /// Items in it.
    pub items: usize,
    /// Records in the log.
    pub records: usize,
    /// Everything that is not as it was written, one line a file.
    pub faults: Vec<String>,
}

/// What [`Store::remove`] leaves, because it is nowhere else.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Recorded interactions that can be read.
    pub recorded: usize,
    /// Logs that were moved aside because of damage, which may hold more.
    pub aside: Vec<PathBuf>,
}

impl Store {
    /// The store of the dataset folder `dataset` under `root`; reads the dataset once, to find it by its content.
    pub fn of(root: &Path, dataset: &Path) -> Result<Self, StoreError> {
        // Judged queries are read on this thread, while the others sum the files.
        let (head, sums) = thread::scope(|scope| {
            let sums = scope.spawn(|| sums(dataset));
            let head = Dataset::head(dataset);
            (head, sums.join().unwrap_or_else(|payload| resume_unwind(payload)))
        });
        Self::with_head(root, dataset, head?, &sums?)
    }

    /// The same of a dataset that has been read from there.
    pub fn of_read(root: &Path, folder: &Path, dataset: &Dataset) -> Result<Self, StoreError> {
        let (manifest, queries) = (dataset.manifest.clone(), dataset.queries.clone());
        let head = Dataset { manifest, queries, interactions: Vec::new() };
        Self::with_head(root, folder, head, &sums(folder)?)
    }

    /// The same of a dataset whose files, interactions and judged queries, would hold these bytes.
    pub fn of_unwritten(root: &Path, head: Dataset, files: [Unwritten; 2]) -> Result<Self, StoreError> {
        Self::with_head(root, Path::new(""), head, &files.map(Unwritten::content))
    }

    fn with_head(root: &Path, dataset: &Path, head: Dataset, sums: &[Content]) -> Result<Self, StoreError> {
        let origin = origin(dataset, &head, sums)?;
        let folder = root.join(&origin.data[..16]);
        Ok(Self { dataset: dataset.to_owned(), head, origin, folder, sizes: Sizes::default() })
    }

    /// The same, whose memory goes the ways of large data from other sizes on.
    pub fn sized(self, sizes: Sizes) -> Self {
        Self { sizes, ..self }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same with the dataset's embedding model, if it names one, at hand: `open` is given the dataset but for its
    /// interactions and opens the model there. Memory has vectors only then.
    pub fn embedded<E>(mut self, open: impl FnOnce(&mut Dataset) -> Result<(), E>) -> Result<Self, E> {
        open(&mut self.head)?;
        self.origin.embedder = embed::of(&self.head.manifest.retrieval.embedder).id();
        Ok(self)
    }

    /// The dataset but for its interactions.
    pub fn head(&self) -> &Dataset {
        &self.head
    }

    /// Whether the dataset's embedder is at hand.
    ///
    /// # Errors
    ///
    /// For an embedding model that was not opened, see [`Store::embedded`].
    pub fn openable(&self) -> Result<(), StoreError> {
        match &self.head.manifest.retrieval.embedder {
            Embedding::Model { folder, vectors: None, .. } => {
                Err(Forbidden::Unopened { folder: folder.clone() }.into())
            }
            Embedding::Hash | Embedding::Static { .. } | Embedding::Model { .. } => Ok(()),
        }
    }

    /// Whether memory can be opened, and there is anything to open or the dataset is large enough for a store to pay.
    pub fn worthwhile(&self) -> bool {
        self.openable().is_ok() && self.pays()
    }

    /// The same before an embedding model is opened.
    pub fn pays(&self) -> bool {
        let size = fs::metadata(self.dataset.join("interactions.jsonl")).map_or(0, |found| found.len());
        size >= WORTH_BYTES || self.bases().is_ok_and(|bases| !bases.is_empty()) || self.log().exists()
    }

    /// What has been recorded, in order of recording; damage cuts it short and is told.
    pub fn recorded(&self) -> Result<(Vec<Interaction>, Option<Notice>), StoreError> {
        let content = LogContent::read(&self.log())?;
        let notice = content.notice();
        Ok((content.records, notice))
    }

    /// `dataset`, which is this store's, with what was recorded.
    pub fn with_recorded(&self, mut dataset: Dataset) -> Result<(Dataset, Option<Notice>), StoreError> {
        let content = LogContent::read(&self.log())?;
        merge(&mut dataset, &content.records);
        Ok((dataset, content.notice()))
    }

    /// Opens the memory, building the base if there is none that serves. `dataset` spares reading the folder again
    /// where its content is at hand, with what was recorded or without.
    pub fn open(&self, dataset: Option<&Dataset>, report: &mut Report<StoreError>) -> Result<Opened, StoreError> {
        self.openable()?;
        self.bases()?.iter().for_each(|base| kept::sweep(base));
        let newest = || self.bases().ok().and_then(|mut bases| bases.pop());
        let seen = newest();
        let mut content = LogContent::read(&self.log())?;
        let mut tried = self.try_base(&content);
        if tried.is_err() && newest() != seen {
            // A writer swapped bases while the old one was being read.
            content = LogContent::read(&self.log())?;
            tried = self.try_base(&content);
        }
        let mut notices: Vec<Notice> = content.notice().into_iter().collect();
        if let Ok(memory) = tried {
            return Ok(Opened { memory, notices });
        }
        let memory = match self.lock() {
            // Somebody may have been writing until now: look again.
            Ok(lock) => self.open_locked(&lock, &LogContent::read(&self.log())?, dataset, &mut notices, report)?,
            // Whoever cannot write a store can still read the data.
            Err(error) => self.in_memory(&content, dataset, &error, &mut notices, report)?,
        };
        Ok(Opened { memory, notices })
    }

    /// Makes a new base that holds all that has been recorded. Says how many interactions it holds.
    pub fn compact(&self, report: &mut Report<StoreError>) -> Result<(usize, Vec<Notice>), StoreError> {
        self.openable()?;
        let lock = self.lock()?;
        let (_, content, notice) = LogWriter::open(&self.log())?;
        let base = self.rebuild(&content, None, &lock, report)?;
        let items = BaseManifest::read(&base).map_or(0, |manifest| manifest.items);
        Ok((items, notice.into_iter().collect()))
    }

    /// Compares everything with its checksums.
    pub fn verify(&self) -> Result<Verdict, StoreError> {
        let content = LogContent::read(&self.log())?;
        let mut verdict = Verdict { records: content.records.len(), ..Verdict::default() };
        if let Some(base) = self.bases()?.pop() {
            let place = |fault: Fault| match fault {
                Fault::Damaged { file, what } => format!("{}: {what}", base.join(file).display()),
                other => format!("{}: {other}", base.display()),
            };
            match self.manifest(&base, &content) {
                Ok(manifest) => {
                    verdict.items = manifest.items;
                    verdict.faults.extend(manifest.verify(&base).into_iter().map(place));
                }
                Err(fault) => verdict.faults.push(place(fault)),
            }
            let kept = kept::damaged(&base).into_iter();
            verdict.faults.extend(kept.map(|path| format!("{}: it differs from its checksum", path.display())));
            let place = |(folder, fault): (PathBuf, Fault)| match fault {
                Fault::Damaged { file, what } => format!("{}: {what}", folder.join(file).display()),
                other => format!("{}: {other}", folder.display()),
            };
            verdict.faults.extend(sealed::damaged(&base).into_iter().map(place));
            verdict.base = Some(base);
        }
        if let Some(notice) = content.notice() {
            verdict.faults.push(format!("{}: {notice}", self.log().display()));
        }
        Ok(verdict)
    }

    /// Removes the store. Recorded interactions are nowhere else: they are kept unless `recorded`, and so are logs that
    /// were moved aside because of damage. Says what is left.
    pub fn remove(&self, recorded: bool) -> Result<Left, StoreError> {
        if !self.folder.exists() {
            return Ok(Left::default());
        }
        let lock = self.lock()?;
        let log = LogContent::read(&self.log())?;
        let left = match recorded {
            true => Left::default(),
            false => Left { recorded: log.records.len(), aside: self.aside()? },
        };
        for base in self.bases()? {
            fs::remove_dir_all(&base).map_err(StoreError::io(&base))?;
        }
        if recorded || (log.is_empty() && left.aside.is_empty()) {
            lock.remove_folder()?;
        }
        Ok(left)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn lock(&self) -> Result<WriterLock, StoreError> {
        if !self.folder.exists() {
            fs::create_dir_all(&self.folder).map_err(StoreError::io(&self.folder))?;
            // What is acknowledged later must not go with its folder's name.
            for parent in self.folder.ancestors().skip(1).take(2).filter(|parent| parent.is_dir()) {
                sync_folder(parent)?;
            }
        }
        WriterLock::take(&self.folder.join("lock"))
    }

    /// The bases, oldest first.
    fn bases(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut bases: Vec<_> = self.entries()?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
        bases.sort();
        Ok(bases.into_iter().map(|(_, path)| path).collect())
    }

    /// Logs that were moved aside because of damage, by name.
    fn aside(&self) -> Result<Vec<PathBuf>, StoreError> {
        let is_aside =
            |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "log") && path.extension().is_some();
        let mut aside: Vec<PathBuf> = self.entries()?.into_iter().filter(is_aside).collect();
        aside.sort();
        Ok(aside)
    }

    /// What stands in the folder, if there is one.
    fn entries(&self) -> Result<Vec<PathBuf>, StoreError> {
        let failed = StoreError::io(&self.folder);
        match fs::read_dir(&self.folder) {
            Ok(entries) => {
                entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(error)),
        }
    }

    /// The manifest of `base`, if it was made from this dataset and this log.
    fn manifest(&self, base: &Path, content: &LogContent) -> Result<BaseManifest, Fault> {
        let manifest = BaseManifest::read(base)?;
        let mut origin = self.origin.clone();
        if self.openable().is_err() {
            // Whose vectors these are is known once the model is opened.
            origin.embedder.clone_from(manifest.embedder());
        }
        manifest.check(&origin)?;
        let folded = &manifest.folded;
        if fingerprint(&content.good, folded.end).is_none_or(|found| found != folded.fingerprint) {
            return Err(Fault::OtherData { what: "the log does not begin with what the base holds of it" });
        }
        Ok(manifest)
    }

    /// Memory over the newest base and the log, or what has to be told once the base has been made anew.
    fn try_base(&self, content: &LogContent) -> Result<Memory, Notice> {
        let (mut memory, folded) = self.base(content).map_err(|fault| match fault {
            Fault::Missing => Notice::Built,
            reason => Notice::Rebuilt { reason },
        })?;
        let mut later: Vec<&Interaction> = content.records[folded..].iter().collect();
        later.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let folded = || Notice::Folded { records: content.records.len() };
        // Whoever makes the base anew asks the same model, and tells why it makes no vectors.
        base::make_ready(memory.embedder.as_ref(), later.iter().copied(), &mut |_, _, _| Ok(()))
            .map_err(|_| folded())?;
        memory.remember(&later).map_err(|_| folded())?;
        Ok(memory)
    }

    /// Memory over the newest base if that serves, and how many of the log's records are in it.
    fn base(&self, content: &LogContent) -> Result<(Memory, usize), Fault> {
        let unreadable = |error: StoreError| Fault::Damaged { file: "the store".to_owned(), what: error.to_string() };
        let base = self.bases().map_err(unreadable)?.pop().ok_or(Fault::Missing)?;
        let manifest = self.manifest(&base, content)?;
        if let Some(fault) = manifest.verify(&base).into_iter().next() {
            return Err(fault);
        }
        let memory = base::open(&base, &self.head, self.sizes).map_err(unreadable)?;
        Ok((memory, manifest.folded.records))
    }

    /// Memory of the dataset and of all of the log, by the shortest way there is for whoever may write.
    fn open_locked(
        &self,
        lock: &WriterLock,
        content: &LogContent,
        dataset: Option<&Dataset>,
        notices: &mut Vec<Notice>,
        report: &mut Report<StoreError>,
    ) -> Result<Memory, StoreError> {
        let told = match self.try_base(content) {
            Ok(memory) => return Ok(memory),
            Err(told) => told,
        };
        let rebuilt = self.rebuild(content, dataset, lock, report);
        match rebuilt.and_then(|base| base::open(&base, &self.head, self.sizes)) {
            Ok(memory) => {
                notices.push(told);
                Ok(memory)
            }
            Err(error @ StoreError::Io { .. }) => self.in_memory(content, dataset, &error, notices, report),
            Err(error) => Err(error),
        }
    }

    /// Memory without a store, because of `reason`.
    fn in_memory(
        &self,
        content: &LogContent,
        dataset: Option<&Dataset>,
        reason: &StoreError,
        notices: &mut Vec<Notice>,
        report: &mut Report<StoreError>,
    ) -> Result<Memory, StoreError> {
        notices.push(Notice::InMemory { reason: reason.to_string() });
        let whole = self.whole(content, dataset)?;
        let embedder = embed::of(&whole.manifest.retrieval.embedder);
        base::make_ready(embedder.as_ref(), whole.interactions.iter(), report)?;
        Ok(Memory::build(&whole).sized(self.sizes))
    }

    /// The dataset with the log's records in it; a given one may hold some of them already.
    fn whole(&self, content: &LogContent, dataset: Option<&Dataset>) -> Result<Dataset, StoreError> {
        let mut whole = match dataset {
            Some(dataset) => dataset.clone(),
            None => {
                let read = Dataset::open(&self.dataset)?;
                if origin(&self.dataset, &self.head, &sums(&self.dataset)?)? != self.origin {
                    return Err(StoreError::Changed { path: self.dataset.clone() });
                }
                read
            }
        };
        whole.manifest.retrieval.embedder.clone_from(&self.head.manifest.retrieval.embedder);
        merge(&mut whole, &content.records);
        Ok(whole)
    }

    /// Writes a base with all of the log, puts it in place of the others and says where it is.
    fn rebuild(
        &self,
        content: &LogContent,
        dataset: Option<&Dataset>,
        _lock: &WriterLock,
        report: &mut Report<StoreError>,
    ) -> Result<PathBuf, StoreError> {
        report("reading interactions", 0, 1)?;
        let whole = self.whole(content, dataset)?;
        let old = self.bases()?;
        let next = old.last().and_then(|base| number(base)).map_or(1, |last| last + 1);
        let base = self.folder.join(format!("base-{next}"));
        let end = content.end();
        let folded = Folded {
            records: content.records.len(),
            end,
            fingerprint: fingerprint(&content.good, end).unwrap_or_default(),
        };
        base::write(&base, &whole, &self.origin, folded, report)?;
        for old in old {
            // A reader may hold it where systems do not let go of open files; the next writer tries again.
            let _ = fs::remove_dir_all(old);
        }
        Ok(base)
    }
}

fn number(base: &Path) -> Option<u64> {
    base.file_name()?.to_str()?.strip_prefix("base-")?.parse().ok()
}

/// What the files of a dataset hold.
fn sums(dataset: &Path) -> Result<Vec<Content>, StoreError> {
    let content = |name: &str| -> Result<Content, StoreError> {
        let path = dataset.join(name);
        let read = |source| DatasetError::Read { path: path.clone(), source };
        let length = match fs::metadata(&path) {
            // What may be missing says as little as an empty file, see [`Dataset::open`].
            Err(error) if error.kind() == io::ErrorKind::NotFound && name == "queries.jsonl" => 0,
            found => found.map_err(&read)?.len(),
        };
        let wanted: Vec<(PathBuf, usize)> = (0..stretch_count(length)).map(|n| (path.clone(), n)).collect();
        let found: io::Result<Vec<String>> = stretches::<blake3::Hasher>(&wanted).into_iter().collect();
        Ok((length, found.map_err(read)?))
    };
    ["interactions.jsonl", "queries.jsonl"].into_iter().map(content).collect()
}

/// What a base of this dataset is made from.
fn origin(dataset: &Path, head: &Dataset, sums: &[Content]) -> Result<Origin, StoreError> {
    let mut hasher = blake3::Hasher::new();
    // Settings of retrieval and weights are not in it: no column depends on them.
    let Manifest { task, labels, scale, .. } = &head.manifest;
    let settings = match head.manifest.periods.length {
        PeriodLength::Days(days) => serde_json::to_vec(&(labels, days.to_bits())),
        PeriodLength::Interactions(count) => serde_json::to_vec(&(labels, "interactions", count)),
    };
    hasher.update(&settings.map_err(io::Error::from).map_err(StoreError::io(dataset))?);
    // Who tells no topics apart has the columns of before there were any.
    let topics = head.manifest.periods.topics;
    if topics > 0 {
        hasher.update(b"topics").update(&topics.to_le_bytes());
    }
    // Labels say by themselves that they are some.
    if *task != TaskKind::Labels {
        let settings = serde_json::to_vec(&(task, scale));
        hasher.update(&settings.map_err(io::Error::from).map_err(StoreError::io(dataset))?);
    }
    for (length, stretches) in sums {
        hasher.update(&length.to_le_bytes());
        for sum in stretches {
            hasher.update(sum.as_bytes());
        }
    }
    Ok(Origin {
        data: hasher.finalize().to_hex().to_string(),
        embedder: embed::of(&head.manifest.retrieval.embedder).id(),
    })
}

/// The checksum that a store keeps of `bytes`.
pub fn checksum(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
/// Adds what was recorded, in the place of what has the same id.
fn merge(dataset: &mut Dataset, records: &[Interaction]) {
    if records.is_empty() {
        return;
    }
    let ids: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    dataset.interactions.retain(|interaction| !ids.contains(interaction.id.as_str()));
    dataset.interactions.extend(records.iter().cloned());
    dataset.interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
}
