//! Words of collective entries in a tantivy index: document number = entry number.
//!
//! An index is made in memory. A store keeps its files as columns and maps them: the same bytes, so that the same is found.
//! tantivy names an index's files by a random number; columns go by what they hold, so that equal entries make equal files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tantivy::collector::TopDocs;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, RamDirectory, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, STRING, Schema};
use tantivy::{Index, IndexReader, ReloadPolicy, TantivyError, Term};

use super::IndexError;
use crate::memory::column::{Sink, Source};
use crate::memory::entry::Entries;
use crate::memory::lexical::TermId;
use crate::memory::population::Population;

/// Entries taken from the index.
pub const BY_WORDS: usize = 64;
/// The one field.
const WORD: &str = "word";
/// What tantivy's description of an index is called.
const META: &str = "meta.json";
/// How columns begin.
const COLUMN: &str = "word-index";
/// In place of the random number.
const NUMBER: &str = "00000000-0000-0000-0000-000000000000";

/// Words of entries.
pub struct TextIndex {
    index: Index,
    /// Its files as they are; the index itself leaves out their ends.
    files: Box<dyn Directory>,
    reader: IndexReader,
    field: Field,
}

impl TextIndex {
    /// Indexes the words of `entries`.
    pub fn build(population: &Population, entries: &Entries) -> Result<Self, IndexError> {
        let mut schema = Schema::builder();
        let field = schema.add_text_field(WORD, STRING);
        let files = RamDirectory::create();
        // tantivy's least; an index of entries is far smaller.
        let mut writer =
            Index::builder().schema(schema.build()).single_segment_index_writer(files.clone(), 15_000_000)?;
        for entry in entries.iter() {
            let mut document = tantivy::TantivyDocument::default();
            for word in entry.words() {
                document.add_text(field, population.lexicon.word(*word));
            }
            writer.add_document(document)?;
        }
        Ok(Self::over(writer.finalize()?, Box::new(files))?)
    }

    fn over(index: Index, files: Box<dyn Directory>) -> Result<Self, TantivyError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let field = index.schema().get_field(WORD)?;
        Ok(Self { index, files, reader, field })
    }

    /// Writes the index's files.
    pub fn write<S: Sink<Error: From<IndexError>>>(&self, sink: &mut S) -> Result<(), S::Error> {
        for (name, bytes) in self.columns().map_err(IndexError::from)? {
            sink.column(&name, &bytes)?;
        }
        Ok(())
    }

    fn columns(&self) -> Result<Vec<(String, Vec<u8>)>, TantivyError> {
        let mut columns = Vec::new();
        for path in self.index.load_metas()?.list_segment_files() {
            // Of what an index may have, not everything is there, and what is not needed to read it stays here.
            if let Some(name) = column(&path).filter(|name| !name.ends_with(".temp"))
                && self.files.exists(&path)?
            {
                columns.push((name, self.files.open_read(&path)?.read_bytes()?.as_slice().to_vec()));
            }
        }
        columns.sort();
        let mut meta: Value =
            serde_json::from_slice(&self.files.atomic_read(Path::new(META))?).map_err(io::Error::from)?;
        for segment in meta["segments"].as_array_mut().into_iter().flatten() {
            segment["segment_id"] = NUMBER.into();
        }
        columns.extend(column(Path::new(META)).map(|name| (name, meta.to_string().into_bytes())));
        Ok(columns)
    }

    /// Maps the index as it was written.
    pub fn read<S: Source>(source: &S) -> Result<Self, IndexError> {
        let files = Columns(MmapDirectory::open(source.folder()).map_err(TantivyError::from)?);
        Ok(Self::over(Index::open(files.clone())?, Box::new(files))?)
    }

    /// The entries that hold most of `words`, rare ones counting more.
    pub fn search(
        &self,
        population: &Population,
        words: impl Iterator<Item = TermId>,
    ) -> Result<Vec<usize>, IndexError> {
        // Built from terms, never parsed: typed text must not become query syntax.
        let clause = |term: TermId| -> (Occur, Box<dyn Query>) {
            let term = Term::from_field_text(self.field, population.lexicon.word(term));
            (Occur::Should, Box::new(TermQuery::new(term, IndexRecordOption::Basic)))
        };
        let query = BooleanQuery::new(words.map(clause).collect());
        let top = self.reader.searcher().search(&query, &TopDocs::with_limit(BY_WORDS).order_by_score())?;
        Ok(top.into_iter().map(|(_, address)| address.doc_id as usize).collect())
    }
}

/// The column of an index's file; `None` of what only matters to an index that changes.
fn column(path: &Path) -> Option<String> {
    let name = path.to_str()?;
    let kind = if name == META { "json" } else { path.extension()?.to_str().filter(|kind| *kind != "json")? };
    Some(format!("{COLUMN}.{kind}"))
}

/// The files of an index that are columns: mapped and never changed, so that nobody has to be kept from it.
#[derive(Clone, Debug)]
struct Columns(MmapDirectory);

impl Columns {
    fn place(path: &Path) -> Result<PathBuf, OpenReadError> {
        column(path).map(PathBuf::from).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))
    }

    fn refused() -> Arc<io::Error> {
        Arc::new(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

impl Directory for Columns {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.0.get_file_handle(&Self::place(path)?)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        column(path).map_or(Ok(false), |column| self.0.exists(Path::new(&column)))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.0.atomic_read(&Self::place(path)?)
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Self::refused(), filepath: path.to_owned() })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::IoError { io_error: Self::refused(), filepath: path.to_owned() })
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }
}
