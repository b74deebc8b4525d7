//! Writing: a folder that is new, a file that appears whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::DatasetError;

/// Whether a new folder may be written at `dir`: nothing is there, or an empty folder.
pub fn require_vacant(dir: &Path) -> Result<(), DatasetError> {
    // A link that leads nowhere is something too: a rename would not follow it.
    let exists = fs::symlink_metadata(dir).is_ok();
    if exists && !fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none()) {
        return Err(DatasetError::Taken { path: dir.to_owned() });
    }
    Ok(())
}

/// Writes beside the target, syncs, then renames: a reader sees the old file or the new one, never half of it, and of
/// several writers one wins. What is no file, a device or a pipe, is written into as it is.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DatasetError> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let wrap = |source| DatasetError::Write { path: path.to_owned(), source };
    // A device or a pipe holds nothing that a reader could see a half of, and no file may take its place.
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return fs::write(path, bytes).map_err(wrap);
    }
    // Of this write alone: two that shared a file beside the target would rename each other's half.
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}.part", std::process::id()));
    let written = fs::File::create(&beside).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&beside, path)).map_err(|source| {
        // What could not take its place is of no use.
        let _ = fs::remove_file(&beside);
        wrap(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As root a report written to `/dev/null` made a file of it, for the whole machine.
    #[cfg(unix)]
    #[test]
    fn no_file_takes_the_place_of_a_device() {
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("device");
        std::os::unix::fs::symlink("/dev/null", &device).unwrap();
        write_whole(&device, b"a report").unwrap();
        assert!(fs::symlink_metadata(&device).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// Two programs started at once in a new home both unpacked the model through one file beside it, and one failed.
    #[test]
    fn of_several_writers_one_wins_and_none_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.bin");
        let texts: Vec<Vec<u8>> = (0..8u8).map(|writer| vec![b'a' + writer; 200_000]).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..5).for_each(|_| write_whole(&path, text).unwrap()));
            }
        });
        assert!(texts.contains(&fs::read(&path).unwrap()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
