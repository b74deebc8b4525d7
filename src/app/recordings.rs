//! The person's own recordings: what live use and forks left in the folder for sessions.
//!
//! Invariants: looking reads the first line of a file and no more; a folder that cannot be read holds nothing; what is no
//! session is passed over.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::data::interaction::Timestamp;
use crate::session::event::{Header, Origin};

/// Recordings that are offered, the newest ones.
const MOST: usize = 100;
/// Bytes of a first line that are read: labels make it long.
const FIRST_LINE: u64 = 1 << 20;

/// A session to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its file.
    pub path: PathBuf,
    /// What it shows, of which dataset, by which model.
    pub about: String,
    /// When something was last written to it.
    pub at: Timestamp,
}

/// The sessions in `folder`, newest first.
pub fn recordings(folder: &Path) -> Vec<Recording> {
    let listing = fs::read_dir(folder).into_iter().flatten();
    let file = |path: PathBuf| {
        let written = fs::metadata(&path).ok()?.modified().ok()?;
        path.extension().is_some_and(|extension| extension == "jsonl").then_some((written, path))
    };
    let mut files: Vec<(SystemTime, PathBuf)> = listing.filter_map(|entry| file(entry.ok()?.path())).collect();
    files.sort_by(|a, b| b.cmp(a));
    files.into_iter().filter_map(|(written, path)| recording(path, written)).take(MOST).collect()
}

fn recording(path: PathBuf, written: SystemTime) -> Option<Recording> {
    let mut line = String::new();
    BufReader::new(File::open(&path).ok()?.take(FIRST_LINE)).read_line(&mut line).ok()?;
    let header: Header = serde_json::from_str(&line).ok()?;
    let model = header.model.map_or_else(|| "memory alone".to_owned(), |model| model.name);
    let origin = match header.origin {
        Some(Origin::Fork { .. }) => "fork · ",
        Some(Origin::ReRun { .. }) => "computed again · ",
        Some(Origin::Redaction) => "redacted · ",
        Some(Origin::Unknown) | None => "",
    };
    // First what tells it from the session that it comes from: a narrow screen cuts the end.
    let about = format!("{origin}{} · {} · {model}", header.title, header.dataset.name);
    let seconds = written.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Recording { path, about, at: Timestamp(i64::try_from(seconds).ok()?) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::data::sample;

    #[test]
    fn the_newest_come_first_and_what_is_no_session_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(recordings(&folder.path().join("nowhere")), []);
        let (_, session) = sample::sessions()[0];
        for (name, bytes, seconds) in [
            ("old.jsonl", session, 10),
            ("new.jsonl", session, 20),
            ("cut.jsonl", &session[..40], 30),
            ("other.jsonl", b"{\"event\":\"asked\"}\n", 30),
            ("empty.jsonl", b"", 30),
            ("notes.txt", session, 30),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        }
        fs::create_dir(folder.path().join("folder.jsonl")).unwrap();
        let found = recordings(folder.path());
        let names: Vec<_> = found.iter().map(|found| found.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["new.jsonl", "old.jsonl"]);
        assert_eq!((found[0].at, found[1].at), (Timestamp(20), Timestamp(10)));
        assert!(found[0].about.ends_with(" · film-tags · nano"), "{}", found[0].about);
    }
}
