//! Closed periods of a base, sealed: what reads need of one as columns, so that they are mapped and not formed.
//!
//! A folder `sealed-<what>-p<period>-<of>` of the base holds the columns and a manifest with their checksums and with what
//! they are of, whose fingerprint is in the name. Invariants: it appears and goes whole or not at all and is never changed,
//! so that who is ended on the way leaves a folder `….part` at most, which no name leads to (see [`super::kept::sweep`]); every
//! byte is verified before it is mapped, and what does not agree with what is asked for, or with its checksum, is made
//! anew. It is a function of the base and of settings that its name and manifest state, so that of several writers it does
//! not matter who wins, and a folder that takes the place of a damaged one between a look and the next holds the same.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::base::{FileEntry, FolderWriter, MANIFEST, Verified, read_manifest, verify, version};
use super::checksum;
use super::error::{Fault, StoreError};
use super::lock::{KeepingLock, PlacingLock};

/// How folders begin.
const SEALED: &str = "sealed-";

/// The folder of what is `asked` for of a period.
pub fn folder(base: &Path, what: &str, period: usize, asked: &[u64]) -> PathBuf {
    let bytes: Vec<u8> = asked.iter().flat_map(|number| number.to_le_bytes()).collect();
    base.join(format!("{SEALED}{what}-p{}-{}", period + 1, &checksum(&bytes)[..16]))
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: String,
    /// What the columns are of.
    of: Vec<u64>,
    files: Vec<FileEntry>,
}

/// What `read` makes of the verified columns in `folder`; `None` if there are none, or of something else than is asked
/// for.
pub fn open<T>(
    folder: &Path,
    asked: &[u64],
    read: impl Fn(&Verified) -> Result<T, StoreError>,
) -> Result<Option<T>, Fault> {
    let opened = || {
        if !folder.exists() {
            return Ok(None);
        }
        let manifest: Manifest = read_manifest(folder)?;
        if manifest.of != asked {
            return Ok(None);
        }
        if let Some(fault) = verify(folder, &manifest.files).into_iter().next() {
            return Err(fault);
        }
        let damaged =
            |error: StoreError| Fault::Damaged { file: folder.display().to_string(), what: error.to_string() };
        read(&Verified(folder)).map(Some).map_err(damaged)
    };
    // Others may take it away, or put it in a damaged one's place, between two looks; damage is there at the second, too.
    opened().or_else(|_| opened()).or_else(|fault| if folder.exists() { Err(fault) } else { Ok(None) })
}

/// Notes that `folder` was asked for now.
pub fn mark(folder: &Path) {
    mark_file(&folder.join(MANIFEST));
}

/// The same of a file.
pub fn mark_file(path: &Path) {
    let file = File::options().append(true).open(path);
    // Who may not write here takes nothing away either.
    let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
}

/// Takes away what was sealed as `what`, but for the period `last` and the `most` others that were asked for latest. A process
/// that has mapped it keeps it.
pub fn trim(base: &Path, what: &str, last: Option<usize>, most: usize) {
    let mut others: Vec<(SystemTime, PathBuf)> = whole(base)
        .filter(|folder| period(folder, what).is_some_and(|period| Some(period) != last))
        .filter_map(|folder| Some((fs::metadata(folder.join(MANIFEST)).ok()?.modified().ok()?, folder)))
        .collect();
    others.sort();
    for (_, folder) in others.iter().rev().skip(most) {
        // The next one tries again.
        let _ = discard(folder);
    }
}

/// The period that was sealed as `what` in `folder`.
fn period(folder: &Path, what: &str) -> Option<usize> {
    let name = folder.file_name()?.to_str()?.strip_prefix(SEALED)?.strip_prefix(what)?.strip_prefix("-p")?;
    name.split_once('-')?.0.parse::<usize>().ok()?.checked_sub(1)
}

/// Writes columns beside `folder`, puts them in its place and reads them there.
pub fn write<T>(
    folder: &Path,
    asked: &[u64],
    columns: impl FnOnce(&mut FolderWriter) -> Result<(), StoreError>,
    read: impl Fn(&Verified) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let base = folder.parent().unwrap_or(Path::new("."));
    let _keeping = KeepingLock::shared(base).map_err(StoreError::io(base))?;
    let mut writer = FolderWriter::begin(beside(folder, "part"))?;
    columns(&mut writer)?;
    // From the look at what is there until what was placed is mapped, nobody else places or takes away.
    let _placing = PlacingLock::take(base).map_err(StoreError::io(base))?;
    match open(folder, asked, &read) {
        // Another process has put the same there meanwhile.
        Ok(Some(found)) => return Ok(found),
        // A folder cannot be put in another one's place: what is damaged goes first.
        Ok(None) | Err(_) if folder.exists() => discard(folder).map_err(StoreError::io(folder))?,
        Ok(None) | Err(_) => {}
    }
    writer.place(folder, |files| Manifest { version: version(), of: asked.to_vec(), files })?;
    remove_others(folder);
    read(&Verified(folder))
}

/// A name beside that of `folder` that nobody else uses.
fn beside(folder: &Path, what: &str) -> PathBuf {
    static NAMES: AtomicU64 = AtomicU64::new(0);
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    folder.with_extension(format!("{}-{number}.{what}", std::process::id()))
}

/// Takes a folder away: at no moment does a half of it stand under its name.
fn discard(folder: &Path) -> io::Result<()> {
    let old = beside(folder, "old.part");
    fs::rename(folder, &old)?;
    fs::remove_dir_all(&old)
}

/// Removes what was sealed of the same period under other settings. A process that has mapped it keeps it, and one that is
/// about to makes it anew.
fn remove_others(folder: &Path) {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((of, _)) = name.rsplit_once('-') else { return };
    for other in whole(folder.parent().unwrap_or(Path::new("."))) {
        let alike = other.file_name().and_then(|name| name.to_str()).and_then(|name| name.rsplit_once('-'));
        if alike.is_some_and(|(prefix, _)| prefix == of) && other != folder {
            // The next writer tries again.
            let _ = discard(&other);
        }
    }
}

/// The sealed folders of a base that took their place.
fn whole(base: &Path) -> impl Iterator<Item = PathBuf> {
    let found = fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
    found.filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        path.extension().is_none() && name.is_some_and(|name| name.starts_with(SEALED))
    })
}

/// What is wrong with the sealed folders of a base, each with its path.
pub fn damaged(base: &Path) -> Vec<(PathBuf, Fault)> {
    let mut folders: Vec<PathBuf> = whole(base).collect();
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
