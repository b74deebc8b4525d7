//! The sample data embedded in the binary, so that an installed program works offline at once.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::dataset::{Dataset, DatasetError, write_whole};

static SAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sample-data");

/// The default dataset.
pub const DATASET: &str = "film-tags";
/// All of them, each with what is asked in it.
pub const DATASETS: [(&str, &str); 3] = [
    (DATASET, "which tag somebody gives a film"),
    ("product-ratings", "how many stars somebody gives a product"),
    ("headlines", "the headline that somebody writes over an article"),
];
/// The default model.
pub const MODEL: &str = "nano";

/// The text of an embedded file; empty if there is none.
fn text(path: &str) -> &'static str {
    SAMPLE.get_file(path).and_then(|file| file.contents_utf8()).unwrap_or_default()
}

/// Reads the default one of the embedded datasets.
pub fn dataset() -> Result<Dataset, DatasetError> {
    named(DATASET)
}

/// Reads the embedded dataset called `name`.
pub fn named(name: &str) -> Result<Dataset, DatasetError> {
    let names = ["dataset.toml", "interactions.jsonl", "queries.jsonl"].map(|file| format!("{name}/{file}"));
    Dataset::parse(names.each_ref().map(|name| Path::new(name.as_str())), names.each_ref().map(|name| text(name)))
}

/// The embedded sessions: their names and contents, by name.
pub fn sessions() -> Vec<(&'static str, &'static [u8])> {
    let files = SAMPLE.get_dir("sessions").into_iter().flat_map(|dir| dir.files());
    let sessions = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "jsonl"));
    let mut named: Vec<_> =
        sessions.filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents()))).collect();
    named.sort();
    named
}

/// Unpacks the embedded model into `cache` unless the same files are there already, and returns its folder.
///
/// The folder's path carries a fingerprint of the content, so that a newer binary never reads an older model.
pub fn unpack_model(cache: &Path) -> Result<PathBuf, DatasetError> {
    let inside = format!("models/{MODEL}");
    let files: Vec<_> = SAMPLE.get_dir(&inside).into_iter().flat_map(|dir| dir.files()).collect();
    let mut hasher = blake3::Hasher::new();
    for file in &files {
        hasher.update(file.path().as_os_str().as_encoded_bytes());
        hasher.update(file.contents());
    }
    let folder = cache.join("models").join(&hasher.finalize().to_hex()[..16]).join(MODEL);
    std::fs::create_dir_all(&folder).map_err(|source| DatasetError::Write { path: folder.clone(), source })?;
    for file in files {
        let Some(name) = file.path().file_name() else { continue };
        let target = folder.join(name);
        // Compared whole: a damaged copy in the cache must not become a damaged model.
        if std::fs::read(&target).ok().as_deref() != Some(file.contents()) {
            write_whole(&target, file.contents())?;
        }
    }
    Ok(folder)
}
