//! Recorded sessions that hold something of a person.
//!
//! A session is about everyone who asks in it, is remembered in it or was taken out of its dataset: their own texts stand
//! in every turn. Of other people it holds collective entries, whose words enough people used; only a question, which an
//! analyst may have taken from anybody, and a note can hold somebody else's text.
//!
//! Invariant: what cannot be read as a session is searched all the same: a damaged recording still holds its people.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::SessionError;
use crate::data::forget::{Person, any_text};
use crate::data::text::without_mark;

/// Bytes of a first line that are read to see whether a session begins with it: labels make it long.
const FIRST_LINE: u64 = 1 << 20;

/// A recorded session with something of a person in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    /// Questions in it.
    pub turns: usize,
    /// Those that they ask.
    pub theirs: usize,
}

/// The sessions in `folder` that hold something of `person`, those of other datasets aside where `dataset` names one. No
/// folder holds none.
pub fn about(folder: &Path, person: &Person, dataset: Option<&str>) -> Result<Vec<Recording>, SessionError> {
    search(folder, person, dataset, |_| Ok(true))
}

/// The same of a folder that holds other files, too: of those that begin as a session does.
pub fn among(folder: &Path, person: &Person) -> Result<Vec<Recording>, SessionError> {
    let begins = |path: &Path| -> io::Result<bool> {
        let mut first = Vec::new();
        BufReader::new(File::open(path)?.take(FIRST_LINE)).read_until(b'\n', &mut first)?;
        Ok(serde_json::from_slice::<Value>(without_mark(&first)).is_ok_and(|value| value["event"] == "session"))
    };
    search(folder, person, None, begins)
}

fn search(
    folder: &Path,
    person: &Person,
    dataset: Option<&str>,
    wanted: impl Fn(&Path) -> io::Result<bool>,
) -> Result<Vec<Recording>, SessionError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| SessionError::Read { path, source }
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed(folder))?.path();
        if path.is_file() && wanted(&path).map_err(failed(&path))? {
            let bytes = fs::read(&path).map_err(failed(&path))?;
            found.extend(read(&bytes, person, dataset).map(|(turns, theirs)| Recording { path, turns, theirs }));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Questions, and those of `person`, in a session that holds something of theirs.
fn read(bytes: &[u8], person: &Person, dataset: Option<&str>) -> Option<(usize, usize)> {
    let user = person.user.as_str();
    let quoted = Value::from(user).to_string();
    let (mut turns, mut theirs, mut holds) = (0, 0, false);
    for line in without_mark(bytes).split(|byte| *byte == b'\n') {
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            holds |= String::from_utf8_lossy(line).contains(&quoted);
            continue;
        };
        match value["event"].as_str() {
            Some("session") => {
                let name = value["dataset"]["name"].as_str();
                if dataset.is_some_and(|dataset| name.is_some_and(|name| name != dataset)) {
                    return None;
                }
                holds |= value["dataset"]["without"].as_array().is_some_and(|w| w.iter().any(|u| u == user));
            }
            Some("asked") => {
                turns += 1;
                let asks = value["user"] == user;
                theirs += usize::from(asks);
                holds |= asks;
            }
            Some("remembered") => holds |= value["interaction"]["user"] == user,
            _ => {}
        }
        holds |= any_text(&value, &|text| person.alone.contains(text));
    }
    holds.then_some((turns, theirs))
}

/// Removes a recording.
pub fn remove(recording: &Recording) -> Result<(), SessionError> {
    let path = &recording.path;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SessionError::Write { path: path.clone(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::data::interaction::UserId;

    const HEADER: &str = "{\"event\":\"session\",\"dataset\":{\"name\":\"films\",\"hash\":\"\"}}\n";

    #[test]
    fn a_session_is_about_whoever_asks_or_is_remembered_in_it() {
        let person = Person {
            user: UserId::new("ann"),
            interactions: Vec::new(),
            queries: Vec::new(),
            alone: HashSet::from(["a text of hers".to_owned()]),
        };
        let asked =
            |user: &str, query: &str| format!("{{\"event\":\"asked\",\"user\":\"{user}\",\"query\":\"{query}\"}}\n");
        for (events, expected) in [
            (asked("bo", "x") + &asked("ann", "y"), Some((2, 1))),
            (asked("bo", "x") + "{\"event\":\"note\",\"text\":\"ann\"}\n", None),
            (asked("bo", "a text of hers"), Some((1, 0))),
            ("{\"event\":\"remembered\",\"interaction\":{\"user\":\"ann\"}}\n".to_owned(), Some((0, 0))),
            (asked("anna", "x"), None),
            (asked("bo", "x") + "{\"event\":\"asked\",\"user\":\"ann\",\"que", Some((1, 0))),
        ] {
            let bytes = HEADER.to_owned() + &events;
            assert_eq!(read(bytes.as_bytes(), &person, Some("films")), expected, "{events}");
            assert_eq!(read(bytes.as_bytes(), &person, Some("news")), None, "another dataset's ann");
            assert_eq!(read(bytes.as_bytes(), &person, None), expected);
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.jsonl"), HEADER.to_owned() + &asked("ann", "x")).unwrap();
        fs::write(dir.path().join("b.jsonl"), HEADER.to_owned() + &asked("bo", "x")).unwrap();
        fs::write(dir.path().join("notes.txt"), "\"ann\" called\n").unwrap();
        fs::write(dir.path().join("empty"), "").unwrap();
        let named = |found: Vec<Recording>| -> Vec<String> {
            let name = |found: &Recording| found.path.file_name().unwrap().to_str().unwrap().to_owned();
            found.iter().map(name).collect()
        };
        assert_eq!(named(among(dir.path(), &person).unwrap()), ["a.jsonl"], "told by how they begin");
        assert_eq!(named(about(dir.path(), &person, None).unwrap()), ["a.jsonl", "notes.txt"]);
        let without = HEADER.replace("\"hash\"", "\"without\":[\"ann\"],\"hash\"");
        assert_eq!(read(without.as_bytes(), &person, None), Some((0, 0)));
    }
}
