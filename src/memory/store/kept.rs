//! What is kept beside a base's columns because finding it takes a hundred times as long as reading it: groupings of
//! periods, and of those that were asked for latest all that a read needs, see [`super::sealed`].
//!
//! A grouping's file is written when a period's snapshot is first formed, by whoever formed it, and holds
//!
//! ```text
//! BLAKE3 of what follows, 32 bytes | before, period, guard, end, people, width, sizes, entries: u64 each
//! entry of each item: u32 each | sizes: u32 each | vectors: f32 each                            all little-endian
//! ```
//!
//! Invariants: it is compared with its checksum and with what is asked for before any of it is used, and what does not
//! agree is found anew. It is a function of the base alone, so that of several writers it does not matter who wins. It is
//! written to a file beside its place and renamed: a writer that is ended leaves a file `….part` at most.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::base::{FolderWriter, Verified};
use super::error::{Fault, Notice, StoreError};
use super::lock::KeepingLock;
use super::sealed;
use crate::memory::community::Communities;
use crate::memory::entry::Forming;
use crate::memory::grouping::Grouping;

/// Version of what is sealed and of how; stands in front of what it is of. Raise it when columns of a sealed period, but not
/// those of a base, change their meaning.
const SEALED_VERSION: u64 = 4;
/// So many periods are sealed beside the one that was closed last when the base ended. That one is what nearly every question
/// needs and always stays; of the others, which questions of the past need, those stay that were asked for latest.
pub const MOST_SEALED: usize = 4;
/// So many groupings of other periods than that one stay: again those that were asked for latest.
pub const MOST_GROUPINGS: usize = 16;
/// How files of groupings begin.
const PREFIX: &str = "kept-";
/// Numbers before the entries.
const HEAD: usize = ASKED + 2;
/// Those of them that say what a grouping is of.
const ASKED: usize = 6;

/// Where groupings are kept.
pub struct Kept {
    base: PathBuf,
    /// Items in the base: what came later is in no grouping kept here.
    items: usize,
    /// From how many items on anything is kept, see [`Sizes`](crate::memory::sizes::Sizes).
    worth: usize,
    /// The period that was the last closed one when the base ended.
    last: Option<usize>,
    /// What has not been told yet.
    told: Mutex<Vec<Notice>>,
}

impl Kept {
    /// Beside the columns of the base `base`, which holds `items` and ends behind the end of the period `last`; what is of
    /// fewer than `worth` items is not kept.
    pub fn beside(base: &Path, items: usize, last: Option<usize>, worth: usize) -> Self {
        Self { base: base.to_owned(), items, worth, last, told: Mutex::default() }
    }

    /// The period that was the last closed one when the base ended.
    pub fn last(&self) -> Option<usize> {
        self.last
    }

    /// What has happened since this was asked last.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, notice: Notice) {
        tracing::warn!(target: "logoscope::store", "{notice}");
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.contains(&notice) {
            told.push(notice);
        }
    }

    /// Items in the base.
    pub fn items(&self) -> usize {
        self.items
    }

    /// What was made of a closed period and is kept as columns, or made now with `form`, kept and read back. Small ones are
    /// made whenever they are asked for, as are those that end behind the base.
    ///
    /// `asked` says what it has to be of; columns of anything else are replaced, if there is a way to `write`. Where there is
    /// none, what is there is read, and counts as asked for no later than before.
    pub fn sealed<T, E>(
        &self,
        name: &str,
        (period, before): (usize, usize),
        asked: &[u64],
        write: Option<impl FnOnce(&T, &mut FolderWriter) -> Result<(), StoreError>>,
        read: impl Fn(&Verified) -> Result<T, StoreError>,
        form: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        if !(self.worth..=self.items).contains(&before) {
            return form();
        }
        let asked = &[&[SEALED_VERSION], asked].concat()[..];
        let folder = sealed::folder(&self.base, name, period, asked);
        match sealed::open(&folder, asked, &read) {
            Ok(Some(found)) => {
                if write.is_some() {
                    sealed::mark(&folder);
                }
                return Ok(found);
            }
            Ok(None) => {}
            Err(reason) => self.tell(Notice::Formed { folder: folder.clone(), reason }),
        }
        let formed = form()?;
        let Some(write) = write else { return Ok(formed) };
        Ok(match sealed::write(&folder, asked, |sink| write(&formed, sink), read) {
            Ok(found) => {
                sealed::mark(&folder);
                sealed::trim(&self.base, name, self.last, MOST_SEALED);
                found
            }
            Err(error) => {
                // The next one makes it again: without room or permission that is all that is lost.
                self.tell(Notice::Unkept { reason: error.to_string() });
                formed
            }
        })
    }

    /// The grouping of a period, of people in these communities, with vectors this wide: as it was kept, or else as `find`
    /// finds it.
    pub fn grouping(
        &self,
        forming: &Forming,
        communities: &Communities,
        width: usize,
        find: impl FnOnce() -> Grouping,
    ) -> Grouping {
        if !(self.worth..=self.items).contains(&forming.before) {
            return find();
        }
        let Forming { before, period, guard, fading, .. } = forming;
        let people = communities.fingerprint();
        let asked = [*before as u64, *period as u64, *guard as u64, fading.end.0 as u64, people, width as u64];
        let path = self.base.join(format!("{PREFIX}p{}-g{guard}", period + 1));
        if let Ok(bytes) = fs::read(&path) {
            if let Some(kept) = parse(&bytes, asked) {
                sealed::mark_file(&path);
                return kept;
            }
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let reason = Fault::Damaged { file, what: "it is not what its checksum and its name say".to_owned() };
            self.tell(Notice::Formed { folder: self.base.clone(), reason });
        }
        let found = find();
        match self.write(&path, &found, asked) {
            Ok(()) => self.trim(),
            // The next one finds it again: without room or permission that is all that is lost.
            Err(error) => self.tell(Notice::Unkept { reason: error.to_string() }),
        }
        found
    }

    /// Takes away the groupings that were asked for longest ago, where there are more than [`MOST_GROUPINGS`].
    fn trim(&self) {
        let last = self.last.map(|period| format!("{PREFIX}p{}-", period + 1));
        let is_last = |path: &Path| last.as_ref().is_some_and(|last| name(path).starts_with(last));
        let mut others: Vec<(SystemTime, PathBuf)> = files(&self.base)
            .filter(|path| !is_last(path))
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        others.sort();
        for (_, path) in others.iter().rev().skip(MOST_GROUPINGS) {
            // Who reads it has opened it; what does not go now goes next time.
            let _ = fs::remove_file(path);
        }
    }

    /// Writes beside the file's place, then renames.
    fn write(&self, path: &Path, grouping: &Grouping, asked: [u64; ASKED]) -> Result<(), StoreError> {
        let _keeping = KeepingLock::shared(&self.base).map_err(StoreError::io(&self.base))?;
        write(path, grouping, asked).map_err(StoreError::io(path))
    }
}

/// Removes what was left beside the columns of `base` by who was ended while writing there. While somebody writes, all of
/// it stays.
pub fn sweep(base: &Path) {
    let found = fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
    let left: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|part| part == "part")).collect();
    if left.is_empty() {
        return;
    }
    let Some(_alone) = KeepingLock::alone(base) else { return };
    for path in left {
        // What does not go now may go next time; no name leads to it.
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

/// The kept files of a base that are not as they were written.
pub fn damaged(base: &Path) -> Vec<PathBuf> {
    let mut damaged: Vec<PathBuf> =
        files(base).filter(|path| !fs::read(path).is_ok_and(|bytes| checked(&bytes).is_some())).collect();
    damaged.sort();
    damaged
}

/// The groupings that are kept beside the columns of `base`.
fn files(base: &Path) -> impl Iterator<Item = PathBuf> {
    let found = fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
    found.filter(|path| path.extension().is_none() && name(path).starts_with(PREFIX))
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// What stands behind the checksum, if that agrees.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (check, rest) = bytes.split_first_chunk::<32>()?;
    (blake3::hash(rest).as_bytes() == check).then_some(rest)
}

/// The grouping in a file, if it is one of what is `asked`.
fn parse(bytes: &[u8], asked: [u64; ASKED]) -> Option<Grouping> {
    let (head, mut rest) = checked(bytes)?.split_at_checked(HEAD * 8)?;
    let head: Vec<u64> = head.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    if head[..ASKED] != asked {
        return None;
    }
    let count = |at: usize| usize::try_from(head[at]).unwrap_or(usize::MAX);
    let (before, width, sizes, entries) = (count(0), count(ASKED - 1), count(ASKED), count(ASKED + 1));
    let mut take = |count: usize| {
        let (now, later) = rest.split_at_checked(count.checked_mul(4)?)?;
        rest = later;
        Some(now.as_chunks::<4>().0)
    };
    let whole = |bytes: &[[u8; 4]]| bytes.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let of_item = whole(take(before)?);
    let sizes = whole(take(sizes)?);
    let centroids = take(entries.checked_mul(width)?)?.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Some(Grouping { of_item, sizes, centroids })
}

fn write(path: &Path, grouping: &Grouping, asked: [u64; ASKED]) -> std::io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let Grouping { of_item, sizes, centroids } = grouping;
    let counts = [sizes.len() as u64, grouping.entries() as u64];
    let mut rest = Vec::with_capacity(HEAD * 8 + 4 * (of_item.len() + sizes.len() + centroids.len()));
    asked.iter().chain(&counts).for_each(|number| rest.extend(number.to_le_bytes()));
    of_item.iter().chain(sizes).for_each(|number| rest.extend(number.to_le_bytes()));
    centroids.iter().for_each(|x| rest.extend(x.to_le_bytes()));
    let beside = path.with_extension(format!("{}-{}.part", std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed)));
    let mut file = File::create(&beside)?;
    let written = file.write_all(blake3::hash(&rest).as_bytes()).and_then(|()| file.write_all(&rest));
    let moved = written.and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if moved.is_err() {
        // What could not take its place is of no use.
        let _ = fs::remove_file(&beside);
    }
    moved
}
