//! The immutable base: one file a column, and a manifest that says what each of them has to be. Beside what every task has
//! it holds ratings by thing and attributes of a rating task, which has no communities, and of a text task what people wrote.
//!
//! Invariants: a base appears under its name whole or not at all, and its files are never written again; every byte of a file is
//! compared with the manifest's checksums before any of it can reach an answer, and the manifest with its own.

use std::fs::{self, File};
use std::io;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checksum;
use super::error::{Fault, StoreError};
use super::kept::Kept;
use super::log::sync_folder;
use super::stretch::{Checksum, STRETCH, Sum, stretches};
use crate::data::dataset::{Dataset, Manifest as Settings, TaskKind};
use crate::data::interaction::{Interaction, UserId};
use crate::memory::column::{LAYOUT, Plain, Sink, Slab, Source, Strings, Vectors, bytes};
use crate::memory::community::Communities;
use crate::memory::embed::{self, Embedder};
use crate::memory::features::{Dictionary, FeatureIx, Features, early_postings};
use crate::memory::lexical::Lexicon;
use crate::memory::neighbours::MOST_ITEMS;
use crate::memory::population::{Ids, ItemIx, Parts, Population, Report, embed_rows};
use crate::memory::rating::Ratings;
use crate::memory::sizes::Sizes;
use crate::memory::topics::{self, Topics};
use crate::memory::writing::Writing;
use crate::memory::{Memory, calendar};

/// Version of the files and of what memory puts into them. Raise it when columns, words, communities, periods or the
/// grouping of entries change their meaning.
const VERSION: u32 = 5;

/// The version that this program writes on this machine.
pub fn version() -> String {
    format!("{VERSION}-{LAYOUT}")
}

/// The stage at which an embedding model makes vectors that are not kept yet; it can take much longer than all others.
pub const ASKING_MODEL: &str = "asking the embedding model";
/// What says what a folder of columns has to be.
pub const MANIFEST: &str = "manifest";
/// A community of nobody, as a file holds it.
const NOWHERE: u32 = u32::MAX;
/// Vectors: where each row is, the rows that are counts, the others.
const VECTORS: &str = "vectors";
const COUNTS: &str = "vectors-counts";
const EXACT: &str = "vectors-exact";

/// What a base was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Fingerprint of the dataset, as far as a base depends on it.
    pub data: String,
    /// Identity of the embedder.
    pub embedder: String,
}

/// How much of the log a base holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// Records.
    pub records: usize,
    /// Where they end in the log, in bytes.
    pub end: u64,
    /// Their bytes' fingerprint.
    pub fingerprint: String,
}

/// A file of columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    name: String,
    length: u64,
    /// Checksum of every stretch.
    stretches: Vec<String>,
}

/// What a base is and what it consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseManifest {
    version: String,
    origin: Origin,
    /// How much of the log is in it.
    pub folded: Folded,
    /// Items.
    pub items: usize,
    files: Vec<FileEntry>,
}

/// What a manifest of any version has.
#[derive(Deserialize)]
struct Versioned {
    version: String,
}

/// Writes what a folder of columns is, behind its checksum.
pub fn write_manifest(dir: &Path, manifest: &impl Serialize) -> Result<(), StoreError> {
    let path = dir.join(MANIFEST);
    let json = serde_json::to_string_pretty(manifest).map_err(io::Error::from).map_err(StoreError::io(&path))?;
    let mut file = File::create(&path).map_err(StoreError::io(&path))?;
    let written = write!(file, "{}\n{json}\n", checksum(json.as_bytes()));
    written.and_then(|()| file.sync_all()).map_err(StoreError::io(&path))
}

/// Reads what the folder `dir` is and compares it with its checksum.
pub fn read_manifest<M: DeserializeOwned>(dir: &Path) -> Result<M, Fault> {
    let damaged = |what: String| Fault::Damaged { file: MANIFEST.to_owned(), what };
    let text = match fs::read(dir.join(MANIFEST)) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| damaged("it is not UTF-8".to_owned()))?,
        Err(error) => return Err(damaged(error.to_string())),
    };
    let checked = text.split_once('\n').and_then(|(check, json)| Some((check, json.strip_suffix('\n')?)));
    let Some((check, json)) = checked else { return Err(damaged("it is cut".to_owned())) };
    if checksum(json.as_bytes()) != check {
        return Err(damaged("its checksum differs".to_owned()));
    }
    let unreadable = |error: serde_json::Error| damaged(error.to_string());
    let Versioned { version } = serde_json::from_str(json).map_err(unreadable)?;
    if version != self::version() {
        return Err(Fault::OtherVersion { found: version, known: self::version() });
    }
    serde_json::from_str(json).map_err(unreadable)
}

/// Compares every byte of `files` of the folder `dir` with its checksum, on all cores; one fault a damaged stretch.
pub fn verify(dir: &Path, files: &[FileEntry]) -> Vec<Fault> {
    let faults: Vec<Fault> = files.iter().filter_map(|file| file.check_length(dir)).collect();
    if !faults.is_empty() {
        return faults;
    }
    let known = |file: &FileEntry| (0..file.stretches.len()).map(|n| (dir.join(&file.name), n)).collect::<Vec<_>>();
    let checks = stretches::<Checksum>(&files.iter().flat_map(known).collect::<Vec<_>>());
    let expected = files.iter().flat_map(|file| file.stretches.iter().enumerate().map(move |(n, b)| (file, n, b)));
    let compare = |((file, number, expected), found): ((&FileEntry, usize, &String), io::Result<String>)| {
        let start = (number * STRETCH) as u64;
        let end = file.length.min(start + STRETCH as u64);
        match found {
            Ok(found) if found == *expected => None,
            Ok(_) => Some(file.damaged(format!("bytes {start} to {end} differ from their checksum"))),
            Err(error) => Some(file.damaged(error.to_string())),
        }
    };
    expected.zip(checks).filter_map(compare).collect()
}

impl BaseManifest {
    /// Reads the manifest of the base `dir` and compares it with its checksum.
    pub fn read(dir: &Path) -> Result<Self, Fault> {
        read_manifest(dir)
    }

    /// Identity of the embedder whose vectors it holds.
    pub fn embedder(&self) -> &String {
        &self.origin.embedder
    }

    /// Whether it was made from this.
    pub fn check(&self, origin: &Origin) -> Result<(), Fault> {
        if self.origin.embedder != origin.embedder {
            let (found, known) = (self.origin.embedder.clone(), origin.embedder.clone());
            return Err(Fault::OtherEmbedder { found, known });
        }
        if self.origin != *origin {
            return Err(Fault::OtherData { what: "the dataset differs" });
        }
        Ok(())
    }

    /// Compares every byte of every file with its checksum, on all cores; one fault a damaged stretch.
    pub fn verify(&self, dir: &Path) -> Vec<Fault> {
        verify(dir, &self.files)
    }
}

impl FileEntry {
    fn damaged(&self, what: String) -> Fault {
        Fault::Damaged { file: self.name.clone(), what }
    }

    fn check_length(&self, dir: &Path) -> Option<Fault> {
        match fs::metadata(dir.join(&self.name)) {
            Ok(found) if found.len() == self.length => None,
            Ok(found) => Some(self.damaged(format!("it has {} bytes instead of {}", found.len(), self.length))),
            Err(error) => Some(self.damaged(error.to_string())),
        }
    }
}

/// Writes columns into a folder beside its place; removes them when it is dropped unfinished.
pub struct FolderWriter {
    dir: PathBuf,
    files: Vec<FileEntry>,
    finished: bool,
}

impl Drop for FolderWriter {
    fn drop(&mut self) {
        if !self.finished {
            // The next writer removes what is left, if anything is.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl FolderWriter {
    pub fn begin(dir: PathBuf) -> Result<Self, StoreError> {
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(StoreError::io(&dir))?;
        }
        // What it would lie in was removed if it is not there, and stays so.
        fs::create_dir(&dir).map_err(StoreError::io(&dir))?;
        Ok(Self { dir, files: Vec::new(), finished: false })
    }

    /// Begins a file; several may be written at once.
    fn begin_file(&self, name: &str) -> Result<FileWriter, StoreError> {
        let path = self.dir.join(name);
        let file = File::create(&path).map_err(StoreError::io(&path))?;
        let entry = FileEntry { name: name.to_owned(), length: 0, stretches: Vec::new() };
        Ok(FileWriter { path, file, entry, sum: Checksum::new(), room: STRETCH })
    }

    fn finish(&mut self, file: FileWriter) -> Result<(), StoreError> {
        self.files.push(file.end()?);
        Ok(())
    }

    /// Gives the folder its place: its manifest is made of the files' checksums, and all of it is on the disk before it
    /// is renamed.
    pub fn place<M: Serialize>(
        mut self,
        target: &Path,
        manifest: impl FnOnce(Vec<FileEntry>) -> M,
    ) -> Result<(), StoreError> {
        let files = std::mem::take(&mut self.files);
        write_manifest(&self.dir, &manifest(files))?;
        sync_folder(&self.dir)?;
        fs::rename(&self.dir, target).map_err(StoreError::io(target))?;
        self.finished = true;
        sync_folder(target.parent().unwrap_or(Path::new(".")))
    }
}

impl Sink for FolderWriter {
    type Error = StoreError;

    fn column<T: Plain>(&mut self, name: &str, values: &[T]) -> Result<(), StoreError> {
        let mut file = self.begin_file(name)?;
        file.write(values)?;
        self.finish(file)
    }
}

/// A folder whose columns have been verified, or just written.
pub struct Verified<'a>(pub &'a Path);

impl Source for Verified<'_> {
    type Error = StoreError;

    fn column<T: Plain>(&self, name: &str) -> Result<Slab<T>, StoreError> {
        let path = self.0.join(name);
        File::open(&path).and_then(|file| Slab::map(&file)).map_err(StoreError::io(&path))
    }

    fn folder(&self) -> &Path {
        self.0
    }
}

/// A file of a base while it is written.
struct FileWriter {
    path: PathBuf,
    file: File,
    entry: FileEntry,
    sum: Checksum,
    /// Bytes left of the stretch that is being hashed.
    room: usize,
}

impl FileWriter {
    fn write<T: Plain>(&mut self, values: &[T]) -> Result<(), StoreError> {
        let mut bytes = bytes(values);
        self.file.write_all(bytes).map_err(StoreError::io(&self.path))?;
        self.entry.length += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room));
            self.sum.add(now);
            self.room -= now.len();
            bytes = later;
            if self.room == 0 {
                self.end_stretch();
            }
        }
        Ok(())
    }

    fn end_stretch(&mut self) {
        self.entry.stretches.push(self.sum.text());
        self.sum = Checksum::new();
        self.room = STRETCH;
    }

    fn end(mut self) -> Result<FileEntry, StoreError> {
        if self.room < STRETCH {
            self.end_stretch();
        }
        self.file.sync_all().map_err(StoreError::io(&self.path))?;
        Ok(self.entry)
    }
}

/// Has the vectors of what was said at hand where a model makes them.
pub fn make_ready<'a>(
    embedder: &dyn Embedder,
    said: impl Iterator<Item = &'a Interaction>,
    report: &mut Report<StoreError>,
) -> Result<(), StoreError> {
    let mut stopped = None;
    let mut go_on = |done, of| match report(ASKING_MODEL, done, of) {
        Ok(()) => true,
        Err(reason) => {
            stopped = Some(reason);
            false
        }
    };
    embedder.ready_all(&mut said.map(|interaction| interaction.query.as_str()), &mut go_on)?;
    stopped.map_or(Ok(()), Err)
}

/// Makes a base of `dataset` in the folder `target`, which appears when it is whole.
pub fn write(
    target: &Path,
    dataset: &Dataset,
    origin: &Origin,
    folded: Folded,
    report: &mut Report<StoreError>,
) -> Result<(), StoreError> {
    let embedder = embed::of(&dataset.manifest.retrieval.embedder);
    make_ready(embedder.as_ref(), dataset.interactions.iter(), report)?;
    let mut writer = FolderWriter::begin(target.with_extension("part"))?;
    let parts = Parts::of(dataset, report)?;
    let mut vectors = [writer.begin_file(VECTORS)?, writer.begin_file(COUNTS)?, writer.begin_file(EXACT)?];
    embed_rows(dataset, parts.items_of.base().1, embedder.as_ref(), report, |rows| {
        vectors[0].write(&rows.places)?;
        vectors[1].write(&rows.counts)?;
        vectors[2].write(&rows.exact)
    })?;
    vectors.into_iter().try_for_each(|file| writer.finish(file))?;
    report("writing columns", 0, 1)?;
    let users: Strings = parts.users.iter().map(UserId::as_str).collect();
    let words: Strings = parts.lexicon.words().collect();
    writer.lists("users", users.base())?;
    writer.column("at", &parts.at)?;
    writer.column("user", &parts.user)?;
    writer.column("label", &parts.label)?;
    writer.lists("id", parts.id.base())?;
    writer.lists("text", parts.text.base())?;
    writer.lists("words", words.base())?;
    writer.column("words-sorted", &parts.lexicon.sorted())?;
    writer.lists("items-of", parts.items_of.base())?;
    writer.lists("bags", parts.bags.base())?;
    writer.lists("postings", parts.postings.base())?;
    writer.column("rows", &parts.rows)?;
    writer.column("id-hashes", &parts.ids.hashes)?;
    writer.column("id-items", &parts.ids.items)?;
    // Items by row, as words and vectors lie.
    let order = parts.items_of.base().1.to_vec();
    drop(parts);
    write_features(&mut writer, dataset, order, report)?;
    // From here on the files are read back: communities need vectors, which would not fit in memory twice.
    let population = read_columns(&writer.dir, &dataset.manifest, embedder.as_ref())?;
    let items = population.len();
    match dataset.manifest.task {
        TaskKind::Labels => {}
        TaskKind::Rating => {
            report("counting ratings", 0, 1)?;
            Ratings::of(dataset, &population).map_or(Ok(()), |ratings| ratings.write(&mut writer))?;
        }
        TaskKind::Text => {
            report("counting responses", 0, 1)?;
            Writing::of(dataset, &population).map_or(Ok(()), |writing| writing.write(&mut writer))?;
        }
    }
    let memory = Memory::over(dataset.manifest.clone(), population, embedder);
    if is_grouped(&dataset.manifest) {
        write_communities(&mut writer, &memory, report)?;
        memory.topics().map_or(Ok(()), |topics| topics.write(&mut writer))?;
    }
    drop(memory);
    report("finishing", 0, 1)?;
    let manifest = |files| BaseManifest { version: version(), origin: origin.clone(), folded, items, files };
    writer.place(target, manifest)
}

/// Whether people are grouped: ratings are read by thing, not by community.
fn is_grouped(settings: &Settings) -> bool {
    settings.task != TaskKind::Rating
}

/// Writes who belongs where at the end of each period.
fn write_communities(
    writer: &mut FolderWriter,
    memory: &Memory,
    report: &mut Report<StoreError>,
) -> Result<(), StoreError> {
    let (mut of, mut centroids, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for period in 0..memory.periods() {
        report("grouping people", period, memory.periods())?;
        let communities = memory.communities_at(period);
        of.extend(communities.of.iter().map(|community| community.map_or(NOWHERE, |community| community as u32)));
        centroids.extend(communities.centroids().iter().flatten().copied());
        counts.push(communities.count as u32);
    }
    writer.column("community-of", &of)?;
    writer.column("community-centroids", &centroids)?;
    writer.column("community-counts", &counts)
}

/// Items whose features are written at once.
const WRITTEN_AT_ONCE: usize = 1 << 14;

/// Writes words and word pairs of all texts, learned in time order and laid out in `order`.
fn write_features(
    writer: &mut FolderWriter,
    dataset: &Dataset,
    order: Vec<ItemIx>,
    report: &mut Report<StoreError>,
) -> Result<(), StoreError> {
    let mut dictionary = Dictionary::default();
    let (mut learned, mut ends) = (Vec::new(), Vec::with_capacity(order.len()));
    for (item, interaction) in dataset.interactions.iter().enumerate() {
        if item % WRITTEN_AT_ONCE == 0 {
            report("counting word pairs", item, order.len())?;
        }
        learned.append(&mut dictionary.learn(item, &interaction.query));
        ends.push(learned.len());
    }
    let row = |item: ItemIx| &learned[if item == 0 { 0 } else { ends[item - 1] }..ends[item]];
    let mut file = writer.begin_file("feature-items")?;
    let (mut row_ends, mut end) = (Vec::with_capacity(order.len()), 0);
    for some in order.chunks(WRITTEN_AT_ONCE) {
        let rows: Vec<FeatureIx> = some.iter().flat_map(|item| row(*item)).copied().collect();
        file.write(&rows)?;
        row_ends.extend(some.iter().map(|item| {
            end += row(*item).len();
            end
        }));
    }
    writer.finish(file)?;
    writer.column("feature-items-ends", &row_ends)?;
    let postings = early_postings(dictionary.len(), (0..ends.len().min(MOST_ITEMS)).map(row));
    writer.lists("feature-early", postings.base())?;
    dictionary.write(writer)
}

/// Maps the columns of `dir`. They must have been verified, or just written.
fn read_columns(dir: &Path, settings: &Settings, embedder: &dyn Embedder) -> Result<Population, StoreError> {
    let source = Verified(dir);
    let parts = Parts {
        users: source.strings("users")?.iter().map(UserId::new).collect(),
        at: source.column("at")?,
        user: source.column("user")?,
        label: source.column("label")?,
        id: source.strings("id")?,
        text: source.strings("text")?,
        lexicon: Lexicon::new(source.strings("words")?, source.column("words-sorted")?),
        items_of: source.lists("items-of")?,
        bags: source.lists("bags")?,
        postings: source.lists("postings")?,
        rows: source.column("rows")?,
        ids: Ids { hashes: source.column("id-hashes")?, items: source.column("id-items")? },
    };
    let width = embedder.dimensions();
    let vectors = Vectors::new(width, source.column(VECTORS)?, source.column(COUNTS)?, source.column(EXACT)?);
    Ok(Population::from_parts(settings.responses(), parts, vectors))
}

/// The people of a verified base and its items, `(identity, text)`.
pub fn people_and_texts(dir: &Path) -> Result<(Strings, Strings, Strings), StoreError> {
    let source = Verified(dir);
    Ok((source.strings("users")?, source.strings("id")?, source.strings("text")?))
}

/// Maps a verified base of `head`, a dataset but for its interactions.
pub fn open(dir: &Path, head: &Dataset, sizes: Sizes) -> Result<Memory, StoreError> {
    let (source, settings) = (Verified(dir), &head.manifest);
    let embedder = embed::of(&settings.retrieval.embedder);
    let population = read_columns(dir, settings, embedder.as_ref())?;
    let (items, width) = (population.len(), embedder.dimensions());
    let mut memory = Memory::over(settings.clone(), population, embedder).sized(sizes);
    memory.features = Features::read(&source)?.into();
    memory.ratings = Ratings::read_from(&source, head)?;
    memory.writing = Writing::read_from(&source, settings, &memory.population)?;
    let last = memory.period_at(memory.end());
    memory.kept = Some(Kept::beside(dir, items, last, sizes.kept.max(1)));
    if is_grouped(settings) {
        // Without enough to tell topics apart by, none were written.
        if settings.periods.topics > 0 && dir.join(topics::COLUMN).exists() {
            memory.topics = Some(Topics::read_from(&source, width)?).into();
        }
        let communities = read_communities(dir, &memory.population, width)?;
        debug_assert_eq!(calendar(&memory.population, settings).count, communities.len());
        for (slot, communities) in memory.communities.iter_mut().zip(communities) {
            *slot = communities.into();
        }
    }
    Ok(memory)
}

fn read_communities(dir: &Path, population: &Population, dimensions: usize) -> Result<Vec<Communities>, StoreError> {
    let source = Verified(dir);
    let of: Slab<u32> = source.column("community-of")?;
    let centroids: Slab<f32> = source.column("community-centroids")?;
    let counts: Slab<u32> = source.column("community-counts")?;
    let mut centroids = centroids.chunks_exact(population.labels.len() + dimensions).map(<[f32]>::to_vec);
    let communities = of.chunks(population.users.len().max(1)).zip(counts.iter()).map(|(of, count)| {
        let of = of.iter().map(|community| (*community != NOWHERE).then_some(*community as usize)).collect();
        Communities::from_parts(of, centroids.by_ref().take(*count as usize).collect())
    });
    Ok(communities.collect())
}
