//! What is kept of some texts, in the folders of all models, and how it is removed when a person leaves.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file::{keys, read, written};
use super::{EXTENSION, HALF, Key, VectorsError, ends, if_there, key};
use crate::data::dataset::write_whole;
use crate::data::lock::FolderLock;

/// What is kept of some texts, whatever model made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfTexts {
    /// Their vectors.
    pub vectors: usize,
    /// Files that cannot be read, halves of interrupted writes among them, which may hold some.
    pub unreadable: usize,
}

impl OfTexts {
    /// Whether there is nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is kept of `texts` in all files below `folder`. Changes nothing.
pub fn of_texts<'a>(folder: &Path, texts: impl Iterator<Item = &'a str>) -> Result<OfTexts, VectorsError> {
    each_file_of(folder, texts, |_, _| Ok(()))
}

/// Removes what is kept of `texts` from all files below `folder`, and says what that was. A file that cannot be read holds
/// nobody any more once it is gone.
pub fn forget<'a>(folder: &Path, texts: impl Iterator<Item = &'a str>) -> Result<OfTexts, VectorsError> {
    // Whoever is writing ends first: what is left half then stays half.
    let _alone: Vec<_> = models(folder)?.iter().map(|model| FolderLock::take(model)).collect();
    each_file_of(folder, texts, |path, stays| match stays {
        [] => if_there(fs::remove_file(path)).map(|_| ()).map_err(unreached(path)),
        stays => write_whole(path, stays)
            .map_err(|error| VectorsError::Unreached { path: path.to_owned(), reason: error.to_string() }),
    })
}

/// Hands over every file below `folder` that holds something of `texts`, or cannot be read, with what it would be without
/// that: nothing, where nothing else is in it.
fn each_file_of<'a>(
    folder: &Path,
    texts: impl Iterator<Item = &'a str>,
    mut visit: impl FnMut(&Path, &[u8]) -> Result<(), VectorsError>,
) -> Result<OfTexts, VectorsError> {
    let gone: HashSet<Key> = texts.map(key).collect();
    let mut found = OfTexts::default();
    for model in models(folder)? {
        for path in entries(&model)? {
            if ends(&path, HALF) {
                // Not read: its writer may be about to end it.
                found.unreadable += 1;
                visit(&path, &[])?;
            }
            if !ends(&path, EXTENSION) {
                continue;
            }
            let Some(bytes) = if_there(fs::read(&path)).map_err(unreached(&path))? else { continue };
            let width = bytes.get(8..16).and_then(|width| width.try_into().ok()).map_or(0, u64::from_le_bytes) as usize;
            let Ok(keys) = keys(&bytes, width) else {
                found.unreadable += 1;
                visit(&path, &[])?;
                continue;
            };
            let theirs = keys.iter().filter(|key| gone.contains(*key)).count();
            found.vectors += theirs;
            if theirs > 0 {
                let mut stays = read(&bytes, width).unwrap_or_default();
                stays.retain(|(key, _)| !gone.contains(key));
                visit(&path, &if stays.is_empty() { Vec::new() } else { written(&stays, width) })?;
            }
        }
    }
    Ok(found)
}

/// The folders of models in `folder`.
fn models(folder: &Path) -> Result<Vec<PathBuf>, VectorsError> {
    let mut found = entries(folder)?;
    found.retain(|path| path.is_dir());
    Ok(found)
}

/// What is in `folder`; no folder holds nothing.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, VectorsError> {
    let listed = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    Ok(if_there(listed).map_err(unreached(folder))?.unwrap_or_default())
}

fn unreached(path: &Path) -> impl FnOnce(io::Error) -> VectorsError {
    let path = path.to_owned();
    |error| VectorsError::Unreached { path, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::data::embedding::TextVectors;
    use crate::memory::embed::kept::tests::{open, prepare};

    #[test]
    fn a_persons_texts_leave_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["one".to_owned(), "two".to_owned()];
        let (kept, ..) = open(&folder.path().join("m"));
        prepare(&kept, &texts).unwrap();
        let theirs = || ["two", "three"].into_iter();
        let one = OfTexts { vectors: 1, unreadable: 0 };
        assert_eq!(of_texts(folder.path(), theirs()), Ok(one));
        assert_eq!(forget(folder.path(), theirs()), Ok(one));
        assert_eq!(of_texts(folder.path(), theirs()), Ok(OfTexts::default()));
        let (kept, notices, made) = open(&folder.path().join("m"));
        assert!(notices.is_empty() && !kept.write("two", &mut [0.0; 4]));
        prepare(&kept, &texts).unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_eq!(forget(&folder.path().join("none"), ["one"].into_iter()), Ok(OfTexts::default()));
    }

    #[test]
    fn what_cannot_be_searched_is_told_and_what_cannot_be_read_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, ..) = open(&folder.path().join("m"));
        prepare(&kept, &["one".to_owned()]).unwrap();
        fs::write(folder.path().join("m/damaged.vectors"), "half").unwrap();
        fs::write(folder.path().join("read-me"), "no folder of a model").unwrap();
        let damaged = OfTexts { vectors: 0, unreadable: 1 };
        assert_eq!(of_texts(folder.path(), ["two"].into_iter()), Ok(damaged));
        assert_eq!(forget(folder.path(), ["two"].into_iter()), Ok(damaged));
        assert_eq!(of_texts(folder.path(), ["one"].into_iter()), Ok(OfTexts { vectors: 1, unreadable: 0 }));
        // A file where the folder should be cannot be listed, whoever asks.
        let file = folder.path().join("read-me");
        for outcome in [of_texts(&file, ["one"].into_iter()), forget(&file, ["one"].into_iter())] {
            let told = outcome.unwrap_err().to_string();
            assert!(told.contains("read-me: kept vectors cannot be searched") && !told.contains('\n'), "{told}");
        }
    }
}
