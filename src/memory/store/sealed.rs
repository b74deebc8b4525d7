//! The last closed period of a base, sealed: what reads need of it as columns, so that they are mapped and not formed.
//!
//! A folder `sealed-<what>-p<period>-<of>` of the base holds the columns and a manifest with their checksums and with what
//! they are of, whose fingerprint is in the name. Invariants: it appears whole or not at all and is never changed; every
//! byte is verified before it is mapped, and what does not agree with what is asked for, or with its checksum, is made
//! anew. It is a function of the base and of settings that its name and manifest state, so that of several writers it does
//! not matter who wins, and a folder that takes the place of a damaged one between a look and the next holds the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::base::{FileEntry, FolderWriter, Verified, read_manifest, verify, version};
use super::checksum;
use super::error::{Fault, StoreError};

/// How folders begin.
const SEALED: &str = "sealed-";

/// The folder of what is `asked` for.
pub fn folder(base: &Path, what: &str, asked: &[u64]) -> PathBuf {
    let bytes: Vec<u8> = asked.iter().flat_map(|number| number.to_le_bytes()).collect();
    base.join(format!("{SEALED}{what}-{}", &checksum(&bytes)[..16]))
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: String,
    /// What the columns are of.
    of: Vec<u64>,
    files: Vec<FileEntry>,
}

/// What `read` makes of the verified columns in `folder`; `None` if they are of something else than is asked for.
pub fn open<T>(
    folder: &Path,
    asked: &[u64],
    read: impl Fn(&Verified) -> Result<T, StoreError>,
) -> Result<Option<T>, Fault> {
    let manifest: Manifest = read_manifest(folder)?;
    if manifest.of != asked {
        return Ok(None);
    }
    if let Some(fault) = verify(folder, &manifest.files).into_iter().next() {
        return Err(fault);
    }
    let unreadable = |error: StoreError| Fault::Damaged { file: folder.display().to_string(), what: error.to_string() };
    read(&Verified(folder)).map(Some).map_err(unreadable)
}

/// Writes columns beside `folder` and puts them in its place.
pub fn write(
    folder: &Path,
    asked: &[u64],
    columns: impl FnOnce(&mut FolderWriter) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let beside = |what: &str| {
        let number = WRITES.fetch_add(1, Ordering::Relaxed);
        folder.with_extension(format!("{}-{number}.{what}", std::process::id()))
    };
    let mut writer = FolderWriter::begin(beside("part"))?;
    columns(&mut writer)?;
    if folder.exists() {
        // A folder cannot be put in another one's place: the old one goes first, and who has mapped it keeps it.
        let old = beside("old.part");
        fs::rename(folder, &old).map_err(StoreError::io(folder))?;
        fs::remove_dir_all(&old).map_err(StoreError::io(&old))?;
    }
    writer.place(folder, |files| Manifest { version: version(), of: asked.to_vec(), files })?;
    remove_others(folder);
    Ok(())
}

/// Removes what was sealed of the same period under other settings, and what a writer left that was ended. A process that
/// has mapped one of them keeps it, and one that is about to makes it anew.
fn remove_others(folder: &Path) {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((of, _)) = name.rsplit_once('-') else { return };
    for other in folder.parent().and_then(|base| fs::read_dir(base).ok()).into_iter().flatten().flatten() {
        let other = other.path();
        let alike = other.file_name().and_then(|name| name.to_str()).and_then(|name| name.rsplit_once('-'));
        let alike = alike.is_some_and(|(prefix, _)| prefix == of || prefix.starts_with(&format!("{of}-")));
        if alike && other != folder {
            // The next writer tries again.
            let _ = fs::remove_dir_all(other);
        }
    }
}

/// What is wrong with the sealed folders of a base, each with its path.
pub fn damaged(base: &Path) -> Vec<(PathBuf, Fault)> {
    let found = fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
    let name = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let mut folders: Vec<PathBuf> =
        found.filter(|path| path.extension().is_none() && name(path).starts_with(SEALED)).collect();
    folders.sort();
    let faults = |folder: PathBuf| {
        let faults = match read_manifest::<Manifest>(&folder) {
            Ok(manifest) => verify(&folder, &manifest.files),
            Err(fault) => vec![fault],
        };
        faults.into_iter().map(move |fault| (folder.clone(), fault))
    };
    folders.into_iter().flat_map(faults).collect()
}
