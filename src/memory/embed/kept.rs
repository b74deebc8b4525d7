//! Vectors that a model makes, kept on the disk: a text is embedded once.
//!
//! Invariants:
//! * a vector is found by the model's identity and the BLAKE3 of the text, never by where the text stands;
//! * a file of vectors appears whole or not at all; one whose checksum does not hold is removed, told, and made again;
//! * the half that an interrupted write leaves is nobody's once the folder's lock is free, and goes when files are opened;
//! * every vector has the model's own width and unit length, or is all zero where a text has nothing to embed;
//! * where all texts are kept, the model is not asked;
//! * files are verified when they are opened and mapped then: what is resident is what was looked at.

mod file;
mod known;
mod of_texts;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use file::written;
use known::Known;
pub use of_texts::{OfTexts, forget, of_texts};

use super::normalise;
use crate::data::dataset::write_whole;
use crate::data::embedding::TextVectors;
use crate::data::lock::FolderLock;
use crate::data::text::brief;

/// How a file's name ends.
const EXTENSION: &str = "vectors";
/// The same before it is whole.
const HALF: &str = "part";
/// Texts that are given to a model at once, and after which work can be stopped.
const BATCH: usize = 32;
/// Vectors after which a file is written.
const SEGMENT: usize = 1024;

/// The beginning of a text's BLAKE3.
type Key = [u8; 16];

/// Makes vectors of texts: a model, and whatever it takes to have it at hand.
pub trait Maker: Send + Sync {
    /// A vector for each text, in their order. None of them is empty. Fails as a whole, with what went wrong and what to do.
    fn make(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String>;
}

/// Why there are no vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorsError {
    /// The model made none, or none that can be used.
    #[error("{0}")]
    Unmade(String),
    /// They could not be kept.
    #[error("{}: vectors cannot be kept there: {reason}; make room, or set XDG_CACHE_HOME to another place", path.display())]
    Unkept {
        /// The folder or file.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// Those that are kept cannot be looked through or removed.
    #[error(
        "{}: kept vectors cannot be searched or removed there: {reason}; check the permissions, or delete the folder: they \
         are made again",
        path.display()
    )]
    Unreached {
        /// The folder or file.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
}

/// Vectors of one model: those kept, and those it makes.
pub struct KeptVectors {
    id: String,
    dimensions: usize,
    folder: PathBuf,
    maker: Box<dyn Maker>,
    known: RwLock<Known>,
}

impl KeptVectors {
    /// The vectors of model `id` that `folder` keeps, and what was wrong there, a line each. `maker` is asked for others.
    pub fn open(
        id: String,
        dimensions: usize,
        folder: PathBuf,
        maker: Box<dyn Maker>,
    ) -> Result<(Self, Vec<String>), VectorsError> {
        let unkept = |error: io::Error| VectorsError::Unkept { path: folder.clone(), reason: error.to_string() };
        fs::create_dir_all(&folder).map_err(unkept)?;
        let listed = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unkept)?;
        let mut files: Vec<PathBuf> = listed.into_iter().map(|entry| entry.path()).collect();
        sweep(&folder, &files);
        files.retain(|path| ends(path, EXTENSION));
        files.sort();
        let (mut known, mut notices) = (Known::default(), Vec::new());
        for path in files {
            // One that another process found damaged first is no longer there.
            let Some(opened) = if_there(known.open(&path, dimensions)).map_err(unkept)? else { continue };
            if let Err(reason) = opened {
                if_there(fs::remove_file(&path)).map_err(unkept)?;
                let path = path.display();
                notices.push(format!("{path} {reason}; it is removed, and its texts are embedded again"));
            }
        }
        Ok((Self { id, dimensions, folder, maker, known: RwLock::new(known) }, notices))
    }

    /// Has the vectors of all `texts` at hand, and keeps those that are made now. `report` hears how many of how many have
    /// been made before each batch, and stops the work with an error; what was made till then is kept.
    pub fn prepare<'a, E: From<VectorsError>>(
        &self,
        texts: impl Iterator<Item = &'a str>,
        report: &mut dyn FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut missing: HashMap<Key, &str> = HashMap::new();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let unknown = |text: &&str| !is_blank(text) && !known.rows.contains_key(&key(text));
            missing.extend(texts.filter(unknown).map(|text| (key(text), text)));
        }
        // A batch of texts of a length costs least; the order is the same on every run.
        let mut missing: Vec<(Key, &str)> = missing.into_iter().collect();
        missing.sort_unstable_by_key(|(key, text)| (text.len(), *key));
        let of = missing.len();
        let mut made: Vec<(Key, Vec<f32>)> = Vec::new();
        let mut outcome = Ok(());
        for (nth, batch) in missing.chunks(BATCH).enumerate() {
            outcome = report(nth * BATCH, of).and_then(|()| {
                let texts: Vec<&str> = batch.iter().map(|(_, text)| *text).collect();
                let vectors = self.make(&texts).map_err(VectorsError::Unmade)?;
                made.extend(batch.iter().map(|(key, _)| *key).zip(vectors));
                Ok(())
            });
            if outcome.is_err() {
                break;
            }
            if made.len() >= SEGMENT {
                self.keep(&mut made)?;
            }
        }
        self.keep(&mut made)?;
        outcome
    }

    /// Vectors of unit length, as wide as they have to be.
    fn make(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let mut vectors = self.maker.make(texts)?;
        if vectors.len() != texts.len() {
            return Err(format!("the embedding model made {} vectors of {} texts", vectors.len(), texts.len()));
        }
        for (vector, text) in vectors.iter_mut().zip(texts) {
            if vector.len() != self.dimensions {
                let (found, wanted) = (vector.len(), self.dimensions);
                return Err(format!(
                    "the embedding model makes vectors of {found} numbers, its files say {wanted}; copy its folder again"
                ));
            }
            normalise(vector);
            if vector.iter().all(|number| *number == 0.0) {
                return Err(format!(
                    "the embedding model gives no usable numbers for {:?}; copy its folder again",
                    brief(text, 60)
                ));
            }
        }
        Ok(vectors)
    }

    /// Writes what was made to a file of its own, and has it at hand.
    fn keep(&self, made: &mut Vec<(Key, Vec<f32>)>) -> Result<(), VectorsError> {
        if made.is_empty() {
            return Ok(());
        }
        let bytes = written(made, self.dimensions);
        let name = blake3::hash(&bytes).to_hex();
        let path = self.folder.join(format!("{}.{EXTENSION}", &name[..16]));
        let unkept = |reason: String| VectorsError::Unkept { path: path.clone(), reason };
        // Held until the file is whole. Where nothing can be locked nobody sweeps, either.
        let writing = FolderLock::take(&self.folder);
        write_whole(&path, &bytes).map_err(|error| unkept(error.to_string()))?;
        drop(writing);
        made.clear();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.open(&path, self.dimensions).map_err(|error| unkept(error.to_string()))?.map_err(unkept)
    }
}

impl TextVectors for KeptVectors {
    fn id(&self) -> &str {
        &self.id
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn ready(&self, text: &str) -> Result<(), String> {
        let key = key(text);
        if is_blank(text) || self.known.read().unwrap_or_else(PoisonError::into_inner).rows.contains_key(&key) {
            return Ok(());
        }
        // What is typed is asked once and not kept.
        let made = self.make(&[text])?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        made.iter().for_each(|vector| known.add_typed(key, vector));
        Ok(())
    }

    fn ready_all(
        &self,
        texts: &mut dyn Iterator<Item = &str>,
        go_on: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<bool, String> {
        let mut report = |done, of| if go_on(done, of) { Ok(()) } else { Err(Unready::Stopped) };
        match self.prepare(texts, &mut report) {
            Ok(()) => Ok(true),
            Err(Unready::Stopped) => Ok(false),
            Err(Unready::Failed(error)) => Err(error.to_string()),
        }
    }

    fn write(&self, text: &str, out: &mut [f32]) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.write(&key(text), out);
        if !found {
            out.fill(0.0);
        }
        found || is_blank(text)
    }
}

/// Why not all vectors are at hand.
enum Unready {
    /// Nobody waits for them.
    Stopped,
    /// They are not to be had.
    Failed(VectorsError),
}

impl From<VectorsError> for Unready {
    fn from(error: VectorsError) -> Self {
        Self::Failed(error)
    }
}

fn key(text: &str) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    key
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn ends(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// Takes away halves among the files `listed` in `folder`, unless somebody is writing there.
fn sweep(folder: &Path, listed: &[PathBuf]) {
    let halves: Vec<&PathBuf> = listed.iter().filter(|path| ends(path, HALF)).collect();
    if halves.is_empty() {
        return;
    }
    let Some(_alone) = FolderLock::take_free(folder) else { return };
    for half in halves {
        // What does not go now may go next time; nobody reads it.
        let _ = fs::remove_file(half);
    }
}

/// What came of reaching for a file; nothing where there is none.
fn if_there<T>(reached: io::Result<T>) -> io::Result<Option<T>> {
    match reached {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        reached => reached.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::dot;
    use super::*;

    /// Makes a vector of a text's bytes, and counts.
    struct Bytes(Arc<AtomicUsize>);

    impl Maker for Bytes {
        fn make(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
            self.0.fetch_add(texts.len(), Ordering::Relaxed);
            if texts.contains(&"bad") {
                return Err("it cannot read that".to_owned());
            }
            Ok(texts.iter().map(|text| (0..4).map(|n| f32::from(text.as_bytes()[n % text.len()])).collect()).collect())
        }
    }

    pub(super) fn open(folder: &Path) -> (KeptVectors, Vec<String>, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let (kept, notices) =
            KeptVectors::open("m".into(), 4, folder.to_owned(), Box::new(Bytes(Arc::clone(&made)))).unwrap();
        (kept, notices, made)
    }

    fn vector(kept: &KeptVectors, text: &str) -> Vec<f32> {
        let mut out = vec![9.0; 4];
        assert!(kept.write(text, &mut out), "{text}");
        out
    }

    pub(super) fn prepare(kept: &KeptVectors, texts: &[String]) -> Result<(), VectorsError> {
        kept.prepare(texts.iter().map(String::as_str), &mut |_, _| Ok(()))
    }

    #[test]
    fn a_text_is_embedded_once_and_found_by_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let texts: Vec<String> = (0..2500).map(|n| format!("text {}", n % 2100)).collect();
        let (kept, notices, made) = open(folder.path());
        assert_eq!(notices, [""; 0]);
        prepare(&kept, &texts).unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 2100);
        let first = vector(&kept, "text 7");
        assert!((dot(&first, &first) - 1.0).abs() < 1e-5);
        let (again, _, made) = open(folder.path());
        let backwards: Vec<String> = texts.iter().rev().cloned().collect();
        prepare(&again, &backwards).unwrap();
        assert_eq!((made.load(Ordering::Relaxed), vector(&again, "text 7")), (0, first));
        // What is typed is made when it is asked, and blank texts never.
        assert!(!again.write("typed", &mut [0.0; 4]));
        again.ready("typed").unwrap();
        again.ready("typed").unwrap();
        again.ready(" \n").unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_eq!(vector(&again, " "), [0.0; 4]);
        assert!(again.ready("bad").is_err());
    }

    #[test]
    fn what_is_stopped_or_fails_leaves_whole_files() {
        let folder = tempfile::tempdir().unwrap();
        let texts: Vec<String> = (0..100).map(|n| format!("text {n:03}")).collect();
        let (kept, ..) = open(folder.path());
        let stop = |done: usize, of: usize| {
            assert_eq!(of, 100);
            if done >= 64 { Err(VectorsError::Unmade("stopped".into())) } else { Ok(()) }
        };
        assert!(kept.prepare(texts.iter().map(String::as_str), &mut { stop }).is_err());
        let (kept, notices, made) = open(folder.path());
        assert_eq!(notices, [""; 0]);
        // The failing text is the shortest and comes first.
        assert!(prepare(&kept, &["bad".to_owned()]).is_err());
        made.store(0, Ordering::Relaxed);
        prepare(&kept, &texts).unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 36, "two batches were kept");
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        assert!(names.into_iter().all(|path| ends(&path, EXTENSION) || path.ends_with("lock")));
    }

    #[test]
    fn a_damaged_file_is_told_and_made_again() {
        let texts = ["one".to_owned(), "two".to_owned()];
        let damages: [fn(&mut Vec<u8>); 4] = [
            |bytes| bytes.truncate(bytes.len() / 2),
            |bytes| bytes.clear(),
            |bytes| bytes[40] ^= 1,
            |bytes| bytes.push(0),
        ];
        for damage in damages {
            let folder = tempfile::tempdir().unwrap();
            let (kept, ..) = open(folder.path());
            prepare(&kept, &texts).unwrap();
            let expected = vector(&kept, "two");
            let mut paths = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
            let path = paths.find(|path| ends(path, EXTENSION)).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes);
            fs::write(&path, bytes).unwrap();
            let (kept, notices, made) = open(folder.path());
            assert!(matches!(&notices[..], [notice] if notice.contains("is damaged; it is removed")), "{notices:?}");
            prepare(&kept, &texts).unwrap();
            assert_eq!((made.load(Ordering::Relaxed), vector(&kept, "two")), (2, expected));
            assert!(open(folder.path()).1.is_empty());
        }
    }

    /// A link that leads nowhere is listed and cannot be opened, as a file that another process removes in between.
    #[cfg(unix)]
    #[test]
    fn a_file_that_went_after_it_was_listed_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m");
        let (kept, ..) = open(&model);
        prepare(&kept, &["one".to_owned()]).unwrap();
        std::os::unix::fs::symlink("nowhere", model.join("gone.vectors")).unwrap();
        let (kept, notices, _) = open(&model);
        assert!(notices.is_empty() && kept.write("one", &mut [0.0; 4]), "{notices:?}");
        assert_eq!(forget(folder.path(), ["two"].into_iter()), Ok(OfTexts::default()));
    }

    /// A half holds whoever was embedded last: it goes with any person, and by itself unless it is just being written.
    #[test]
    fn halves_of_interrupted_writes_go() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m");
        let (kept, ..) = open(&model);
        prepare(&kept, &["one".to_owned()]).unwrap();
        let half = model.join("0123456789abcdef.7-0.part");
        fs::write(&half, "half").unwrap();
        let unfinished = OfTexts { vectors: 0, unreadable: 1 };
        assert_eq!(of_texts(folder.path(), ["two"].into_iter()), Ok(unfinished));
        assert_eq!(forget(folder.path(), ["two"].into_iter()), Ok(unfinished));
        assert!(!half.exists());
        fs::write(&half, "half").unwrap();
        let writing = FolderLock::take(&model).unwrap();
        open(&model);
        assert!(half.exists(), "somebody is writing it");
        drop(writing);
        let (kept, notices, _) = open(&model);
        assert!(!half.exists() && notices.is_empty() && kept.write("one", &mut [0.0; 4]));
    }
}
