//! Taking a person out of a dataset folder: what is theirs there, and the folder without it.
//!
//! Invariants: a line that stays is byte for byte what it was, in its order; files are read line by line, so their length
//! does not matter. The new files are written and synced in `forget.part`, which is a dataset folder itself, before the
//! first of them takes an old one's place. Interactions go last: as long as a run can be interrupted, the next one
//! finds the person there. One run at a time has the folder, by `forget.lock` in it, which goes with the run.

mod person;
mod stage;
mod survey;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

pub use person::{Person, any_text, is_telling};
pub use stage::{Stage, alone};
pub use survey::{Place, Share, Survey, survey};

use super::dataset::DatasetError;
use super::interaction::UserId;
use super::text::{self, without_mark};

/// What people did.
pub const INTERACTIONS: &str = "interactions.jsonl";
/// What they are asked.
pub const QUERIES: &str = "queries.jsonl";
/// What `synth` writes beside its data.
const TRUTH: &str = "truth.json";
/// Where sessions of the dataset lie in its folder.
pub const SESSIONS: &str = "sessions";

/// Why a person could not be taken out of a dataset folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder cannot be read or written.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Something is a link: taking its place would leave what it leads to.
    #[error("{}: is a link, and what it leads to would keep the person; put that in the link's place", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Another run takes somebody out.
    #[error(
        "{}: another run of `forget` is taking somebody out of this dataset; wait for it to end, then try again",
        path.display()
    )]
    Busy {
        /// The dataset folder.
        path: PathBuf,
    },
    /// Somebody wrote to a file meanwhile.
    #[error("{}: changed while it was read, so nothing of it was replaced; run the command again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// What says whose a line is.
#[derive(Deserialize)]
struct Whose {
    user: UserId,
    query: String,
    #[serde(default)]
    response: String,
}

fn read_error(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    |source| DatasetError::Read { path, source }.into()
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    |source| DatasetError::Write { path, source }.into()
}

/// Hands over every line of `path` with its number and its line end, a byte order mark in front included.
fn each_line(path: &Path, mut visit: impl FnMut(usize, &[u8]) -> Result<(), FolderError>) -> Result<(), FolderError> {
    let mut file = match File::open(path) {
        // A folder without judged queries needs no file of them.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.ends_with(QUERIES) => return Ok(()),
        file => BufReader::new(file.map_err(read_error(path))?),
    };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(read_error(path))? == 0 {
            break;
        }
        visit(number, &line)?;
    }
    Ok(())
}

/// Hands over every line of `file` in the dataset folder `dir`, and what of it stays where `user` is taken out.
pub fn each_rest(
    dir: &Path,
    file: &str,
    user: &UserId,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), FolderError>,
) -> Result<(), FolderError> {
    let path = dir.join(file);
    each_line(&path, |number, line| {
        let whose = record::<Whose>(&path, number, line)?;
        let stays = whose.is_none_or(|whose| whose.user != *user);
        // A mark in front of the text belongs to the file, not to whoever comes first.
        let mark = line.len() - without_mark(line).len();
        visit(line, if stays { line } else { &line[..if number == 1 { mark } else { 0 }] })
    })
}

/// The record on a line; `None` on a blank one.
fn record<'a, T: Deserialize<'a>>(path: &Path, number: usize, line: &'a [u8]) -> Result<Option<T>, FolderError> {
    let line = if number == 1 { without_mark(line) } else { line };
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let fault = |reason: String| DatasetError::Line { path: path.to_owned(), line: number, reason };
    let decoded = std::str::from_utf8(line).map_err(|error| {
        let fault = text::NotUtf8 { line: number, byte: error.valid_up_to() + 1 };
        DatasetError::Line { path: path.to_owned(), line: number, reason: fault.to_string() }
    })?;
    match serde_json::from_str(decoded) {
        Ok(record) => Ok(Some(record)),
        Err(error) => Err(fault(format!("{}; correct or remove the line", text::json_fault(&error))).into()),
    }
}

/// What `synth` knows of its people, where it is beside the data and is what `synth` writes.
fn truth_of(dir: &Path) -> Result<Option<Value>, FolderError> {
    let path = dir.join(TRUTH);
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice::<Value>(&bytes).ok().filter(|truth| truth["users"].is_array())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(read_error(&path)(error)),
    }
}

/// `truth` without a person, and how many records are theirs and others'.
fn without_person(truth: &Value, user: &UserId) -> (Value, (usize, usize)) {
    let mut truth = truth.clone();
    let Some(people) = truth.get_mut("users").and_then(Value::as_array_mut) else { return (truth, (0, 0)) };
    let all = people.len();
    people.retain(|person| person["user"] != user.as_str());
    let others = people.len();
    (truth, (all - others, others))
}

/// Refuses what is to be replaced or removed and is a link: what it leads to would stay.
pub fn refuse_link(path: &Path) -> Result<(), FolderError> {
    match fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        true => Err(FolderError::Link { path: path.to_owned() }),
        false => Ok(()),
    }
}

/// Removes a file that an interrupted write has left.
pub fn remove_leftover(path: &Path) -> Result<(), FolderError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_error(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::stage::STAGE;
    use super::*;
    use crate::data::dataset::TaskKind;
    use crate::data::interaction::{Extra, Interaction, Timestamp};

    const MANIFEST: &str = "format = 1\nname = \"t\"\ntask = \"labels\"\nlabels = [\"a\", \"b\"]\n";

    fn line(id: &str, user: &str, query: &str) -> String {
        format!(
            "{{\"id\":\"{id}\",\"user\":\"{user}\",\"at\":1,\"query\":\"{query}\",\"response\":\"a\",\"mood\": 1.50}}"
        )
    }

    fn folder(interactions: &str, queries: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("dataset.toml"), MANIFEST).unwrap();
        fs::write(dir.path().join(INTERACTIONS), interactions).unwrap();
        fs::write(dir.path().join(QUERIES), queries).unwrap();
        dir
    }

    fn forget(dir: &Path, user: &str) -> Result<(), FolderError> {
        Stage::write(dir, &UserId::new(user))?.commit(|| ())
    }

    /// Lines that stay keep their bytes, whatever stands between and at the ends of them.
    #[test]
    fn other_lines_stay_byte_for_byte() {
        let (a, b, c) = (line("1", "ann", "x"), line("2", "bo", "y  "), line("3", "\\u0061nn", "z"));
        for (before, after) in [
            (format!("{a}\n{b}\n{c}\n"), format!("{b}\n")),
            (format!("\u{feff}{a}\r\n\r\n {b} \r\n{c}"), format!("\u{feff}\r\n {b} \r\n")),
            (format!("{b}\n{a}"), format!("{b}\n")),
            (format!("{a}\n{b}"), b.clone()),
            (b.clone(), b.clone()),
        ] {
            let dir = folder(&before, "");
            forget(dir.path(), "ann").unwrap();
            assert_eq!(fs::read_to_string(dir.path().join(INTERACTIONS)).unwrap(), after, "{before}");
            assert!(!dir.path().join(STAGE).exists());
        }
    }

    #[test]
    fn what_others_say_too_is_not_theirs_alone() {
        let text =
            [line("1", "ann", "both"), line("2", "bo", "both"), line("3", "ann", "hers"), line("4", "bo", "of ann")];
        let dir = folder(&text.join("\n"), "");
        fs::write(dir.path().join("notes.txt"), "nothing\nask ann about it\n").unwrap();
        fs::write(dir.path().join("old.jsonl.bak"), line("3", "anna", "hers")).unwrap();
        fs::write(dir.path().join("rows.csv.gz"), [1, 2, 3]).unwrap();
        fs::write(dir.path().join("queries.77-0.part"), "half").unwrap();
        let mut found = survey(dir.path(), &UserId::new("ann"), TaskKind::Labels, &[]).unwrap();
        found.look_around(dir.path()).unwrap();
        assert_eq!(found.person.alone, HashSet::from(["hers".to_owned()]));
        assert_eq!(found.shares[0], Share { file: INTERACTIONS, theirs: 2, others: 2 });
        let told = |places: &[Place]| -> Vec<(String, usize, usize)> {
            let name = |place: &Place| place.path.file_name().unwrap().to_string_lossy().into_owned();
            places.iter().map(|place| (name(place), place.line, place.lines)).collect()
        };
        assert_eq!(told(&found.named), [(INTERACTIONS.to_owned(), 4, 1)]);
        assert_eq!(told(&found.elsewhere), [("notes.txt".to_owned(), 2, 1), ("old.jsonl.bak".to_owned(), 1, 1)]);
        assert_eq!((found.packed.len(), found.leftovers.len()), (1, 1));
    }

    #[test]
    fn what_was_recorded_is_said_too() {
        let dir = folder(&[line("1", "ann", "hers"), line("2", "bo", "his")].join("\n"), "");
        let record = |user: &str, query: &str, response: &str| Interaction {
            id: format!("{user} {query}"),
            user: UserId::new(user),
            at: Timestamp(2),
            query: query.to_owned(),
            response: response.to_owned(),
            item: None,
            extra: Extra::new(),
        };
        let recorded = [
            record("ann", "his", "her answer"),
            record("ann", "both", "their answer"),
            record("bo", "both", "his answer"),
            record("cy", "mine", "their answer"),
        ];
        for (task, alone) in [(TaskKind::Labels, vec!["hers"]), (TaskKind::Text, vec!["hers", "her answer"])] {
            let found = survey(dir.path(), &UserId::new("ann"), task, &recorded).unwrap();
            assert_eq!(found.person.alone, alone.into_iter().map(str::to_owned).collect());
            assert_eq!(found.person.interactions.len(), 3);
        }
    }

    /// What is searched as a session is left to that, and nothing else that lies there.
    #[test]
    fn folders_below_sessions_are_looked_into() {
        let dir = folder(&[line("1", "ann", "hers"), line("2", "bo", "his")].join("\n"), "");
        let sessions = dir.path().join(SESSIONS);
        fs::create_dir_all(sessions.join("old/older")).unwrap();
        for name in ["a.jsonl", "old/a.jsonl", "old/older/a.jsonl", "packed.gz"] {
            fs::write(sessions.join(name), "{\"event\":\"asked\",\"user\":\"ann\"}\n").unwrap();
        }
        let mut found = survey(dir.path(), &UserId::new("ann"), TaskKind::Labels, &[]).unwrap();
        found.look_around(dir.path()).unwrap();
        let paths: Vec<&Path> = found.elsewhere.iter().map(|place| place.path.as_path()).collect();
        assert_eq!(paths, [sessions.join("old/a.jsonl"), sessions.join("old/older/a.jsonl")]);
        assert_eq!(found.packed, [sessions.join("packed.gz")]);
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let dir = folder(&format!("{}\n{}\n", line("1", "ann", "x"), line("2", "bo", "y")), "");
        let path = dir.path().join(INTERACTIONS);
        let stage = Stage::write(dir.path(), &UserId::new("ann")).unwrap();
        let longer = fs::read_to_string(&path).unwrap() + &line("3", "cy", "new");
        fs::write(&path, &longer).unwrap();
        assert!(matches!(stage.commit(|| ()), Err(FolderError::Changed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), longer);
        assert!(!dir.path().join(STAGE).exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused() {
        for name in [INTERACTIONS, QUERIES, TRUTH, SESSIONS] {
            let dir = folder("", "");
            let [real, link] = ["real", name].map(|name| dir.path().join(name));
            match name {
                SESSIONS => fs::create_dir(&real).unwrap(),
                _ => fs::write(&real, "").unwrap(),
            }
            // Where there was no such file, nothing goes.
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink("real", &link).unwrap();
            let refused = survey(dir.path(), &UserId::new("ann"), TaskKind::Labels, &[]);
            assert!(matches!(refused, Err(FolderError::Link { path }) if path == link), "{name}");
        }
    }
}
