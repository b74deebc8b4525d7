//! Recorded sessions that hold something of a person.
//!
//! A session is about everyone who asks in it, is remembered in it or was taken out of its dataset: their own texts stand
//! in every turn. Of other people it holds collective entries, whose words enough people used; only a question, which an
//! analyst may have taken from anybody, and a note can hold somebody else's text.
//!
//! Recordings of live use lie together, whatever they were made on, and neither a name nor a hash tells whose they are: two
//! datasets may bear one name, and an edited line makes another hash. What a session took from its data does, the identities
//! and texts of items and judged queries.
//!
//! Invariants: what cannot be read as a session is searched all the same: a damaged recording still holds its people; and a
//! recording of other data is told and never removed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::SessionError;
use crate::data::forget::{Person, any_text, is_telling};
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

/// What recordings of a dataset are told by.
#[derive(Clone, Copy)]
pub struct Mark<'a> {
    /// The dataset's name.
    pub name: &'a str,
    /// Whether it has an item or a judged query of this identity and text.
    pub knows: &'a dyn Fn(&str, &str) -> bool,
}

/// Recordings of live use with something of a person in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recordings {
    /// Those of the dataset.
    pub ours: Vec<Recording>,
    /// Those with somebody of this name, or with a text of the person's, that are of other data.
    pub unrelated: Vec<PathBuf>,
}

/// The sessions in `folder`, which is of one dataset alone, that hold something of `person`. No folder holds none.
pub fn within(folder: &Path, person: &Person) -> Result<Vec<Recording>, SessionError> {
    search(folder, person, |_| Ok(true))
}

/// The same of a folder that holds other files, too: of those that begin as a session does.
pub fn among(folder: &Path, person: &Person) -> Result<Vec<Recording>, SessionError> {
    let begins = |path: &Path| -> io::Result<bool> {
        let mut first = Vec::new();
        BufReader::new(File::open(path)?.take(FIRST_LINE)).read_until(b'\n', &mut first)?;
        Ok(serde_json::from_slice::<Value>(without_mark(&first)).is_ok_and(|value| value["event"] == "session"))
    };
    search(folder, person, begins)
}

fn search(
    folder: &Path,
    person: &Person,
    wanted: impl Fn(&Path) -> io::Result<bool>,
) -> Result<Vec<Recording>, SessionError> {
    let mut found = Vec::new();
    each_file(folder, wanted, |path, bytes| {
        let reading = Reading::of(bytes, person, &|_, _| true);
        found.extend(reading.holds().then(|| reading.recording(path)));
    })?;
    Ok(found)
}

/// The sessions in `folder`, which may be of any data, that hold something of `person`, by whether they are of the dataset
/// of this `mark`. No folder holds none.
pub fn about(folder: &Path, person: &Person, mark: Mark) -> Result<Recordings, SessionError> {
    let mut found = Recordings::default();
    each_file(
        folder,
        |_| Ok(true),
        |path, bytes| {
            let reading = Reading::of(bytes, person, mark.knows);
            if reading.is_ours(mark.name) {
                found.ours.push(reading.recording(path));
            } else if reading.named || reading.tells {
                found.unrelated.push(path);
            }
        },
    )?;
    Ok(found)
}

/// Hands over the files of `folder` that are wanted, in order.
fn each_file(
    folder: &Path,
    wanted: impl Fn(&Path) -> io::Result<bool>,
    mut visit: impl FnMut(PathBuf, &[u8]),
) -> Result<(), SessionError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| SessionError::Read { path, source }
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(failed(folder))?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_file() && wanted(&path).map_err(failed(&path))? {
            let bytes = fs::read(&path).map_err(failed(&path))?;
            visit(path, &bytes);
        }
    }
    Ok(())
}

/// What a recording says of a person, and of the data that it was made on.
#[derive(Default)]
struct Reading {
    turns: usize,
    theirs: usize,
    /// Whether somebody of this name asks, is remembered or was taken out.
    named: bool,
    /// Whether a text stands in it that only they have.
    speaks: bool,
    /// Whether such a text is told from chance.
    tells: bool,
    /// The name of its dataset; `None` where no line says it.
    dataset: Option<String>,
    /// How often it names an item or a judged query of the dataset.
    known: usize,
    /// How often one that the dataset does not have.
    foreign: usize,
}

impl Reading {
    fn of(bytes: &[u8], person: &Person, knows: &dyn Fn(&str, &str) -> bool) -> Self {
        let user = person.user.as_str();
        let quoted = Value::from(user).to_string();
        let mut reading = Self::default();
        // What somebody did in the session itself is in no data, and says nothing about it.
        let mut made: HashMap<String, String> = HashMap::new();
        for line in without_mark(bytes).split(|byte| *byte == b'\n') {
            let Ok(value) = serde_json::from_slice::<Value>(line) else {
                let line = String::from_utf8_lossy(line);
                reading.named |= line.contains(&quoted);
                if person.speaks_in(&line) {
                    (reading.speaks, reading.tells) = (true, true);
                }
                continue;
            };
            match value["event"].as_str() {
                Some("session") => {
                    reading.dataset = value["dataset"]["name"].as_str().map(str::to_owned);
                    let without = value["dataset"]["without"].as_array();
                    reading.named |= without.is_some_and(|without| without.iter().any(|u| u == user));
                }
                Some("asked") => {
                    let asks = value["user"] == user;
                    reading.turns += 1;
                    reading.theirs += usize::from(asks);
                    reading.named |= asks;
                }
                Some("remembered") => {
                    let interaction = &value["interaction"];
                    reading.named |= interaction["user"] == user;
                    match pair(interaction, "id", "query") {
                        Some((id, text)) if knows(id, text) => reading.known += 1,
                        Some((id, text)) => _ = made.insert(id.to_owned(), text.to_owned()),
                        None => {}
                    }
                }
                _ => {}
            }
            for (id, text) in items(&value) {
                if knows(id, text) {
                    reading.known += 1;
                } else if made.get(id).is_none_or(|made| made != text) {
                    reading.foreign += 1;
                }
            }
            let alone = |text: &str| person.alone.contains(text);
            if any_text(&value, &alone) {
                reading.speaks = true;
                reading.tells |= any_text(&value, &|text| is_telling(text) && alone(text));
            }
        }
        reading
    }

    /// Whether it holds something of theirs, if it is of their dataset.
    fn holds(&self) -> bool {
        self.named || self.speaks
    }

    /// Whether it holds something of theirs and is of the dataset called `name`.
    fn is_ours(&self, name: &str) -> bool {
        let of_dataset = match (self.known, self.foreign) {
            // Of a new user nothing says more than the name; where that was another one then, a text of theirs does.
            (0, 0) => self.tells || self.dataset.as_deref().is_none_or(|dataset| dataset == name),
            // Where identities are numbers of rows, other data has the same text under one of them now and then.
            (known, foreign) => known >= foreign || (self.named && self.tells),
        };
        of_dataset && self.holds()
    }

    fn recording(&self, path: PathBuf) -> Recording {
        Recording { path, turns: self.turns, theirs: self.theirs }
    }
}

/// Identity and text of what an event took from data: where its question is from, and own items that vote.
fn items(event: &Value) -> impl Iterator<Item = (&str, &str)> {
    let votes = event["local"]["votes"].as_array().into_iter().flatten();
    pair(event, "source", "query").into_iter().chain(votes.filter_map(|vote| pair(vote, "id", "text")))
}

fn pair<'a>(value: &'a Value, id: &str, text: &str) -> Option<(&'a str, &'a str)> {
    Some((value[id].as_str()?, value[text].as_str()?))
}

/// Removes a recording.
pub fn remove(recording: &Recording) -> Result<(), SessionError> {
    let path = &recording.path;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SessionError::Remove { path: path.clone(), source: error })
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

    fn ann() -> Person {
        Person {
            user: UserId::new("ann"),
            interactions: Vec::new(),
            queries: Vec::new(),
            alone: HashSet::from(["hers".to_owned(), "a text of hers".to_owned()]),
        }
    }

    fn asked(user: &str, query: &str) -> String {
        format!("{{\"event\":\"asked\",\"user\":\"{user}\",\"query\":\"{query}\"}}\n")
    }

    /// Evidence with votes of these items.
    fn evidence(votes: &[(&str, &str)]) -> String {
        let vote = |(id, text): &(&str, &str)| format!("{{\"id\":\"{id}\",\"text\":\"{text}\"}}");
        let votes: Vec<String> = votes.iter().map(vote).collect();
        format!("{{\"event\":\"evidence\",\"local\":{{\"votes\":[{}]}}}}\n", votes.join(","))
    }

    fn names(paths: impl Iterator<Item = PathBuf>) -> Vec<String> {
        paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_session_is_about_whoever_asks_or_is_remembered_in_it() {
        for (events, expected) in [
            (asked("bo", "x") + &asked("ann", "y"), Some((2, 1))),
            (asked("bo", "x") + "{\"event\":\"note\",\"text\":\"ann\"}\n", None),
            (asked("bo", "hers"), Some((1, 0))),
            ("{\"event\":\"remembered\",\"interaction\":{\"user\":\"ann\"}}\n".to_owned(), Some((0, 0))),
            (asked("anna", "x"), None),
            (asked("bo", "x") + "{\"event\":\"asked\",\"user\":\"ann\",\"que", Some((1, 0))),
            (asked("bo", "x") + "{\"event\":\"note\",\"text\":\"a text of hers", Some((1, 0))),
            (asked("bo", "x") + "{\"event\":\"note\",\"text\":\"a text of his", None),
        ] {
            let reading = Reading::of((HEADER.to_owned() + &events).as_bytes(), &ann(), &|_, _| true);
            assert_eq!(reading.holds().then_some((reading.turns, reading.theirs)), expected, "{events}");
            assert_eq!(reading.is_ours("films"), expected.is_some(), "{events}");
        }
        let without = HEADER.replace("\"hash\"", "\"without\":[\"ann\"],\"hash\"");
        assert!(Reading::of(without.as_bytes(), &ann(), &|_, _| true).holds());
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.jsonl"), HEADER.to_owned() + &asked("ann", "x")).unwrap();
        fs::write(dir.path().join("b.jsonl"), HEADER.to_owned() + &asked("bo", "x")).unwrap();
        fs::write(dir.path().join("notes.txt"), "\"ann\" called\n").unwrap();
        fs::write(dir.path().join("empty"), "").unwrap();
        let paths = |found: Vec<Recording>| names(found.into_iter().map(|found| found.path));
        assert_eq!(paths(among(dir.path(), &ann()).unwrap()), ["a.jsonl"], "told by how they begin");
        assert_eq!(paths(within(dir.path(), &ann()).unwrap()), ["a.jsonl", "notes.txt"]);
    }

    /// Neither a name makes a recording the dataset's nor another one a stranger's: what it took from its data does.
    #[test]
    fn a_recording_is_of_the_data_that_its_items_are_of() {
        let knows = |id: &str, text: &str| [("1", "tide"), ("2", "oven"), ("q", "vault")].contains(&(id, text));
        let source = "{\"event\":\"asked\",\"user\":\"ann\",\"query\":\"vault\",\"source\":\"q\"}\n";
        let typed = "{\"event\":\"remembered\",\"interaction\":{\"id\":\"live\",\"user\":\"ann\",\"query\":\"x\"}}\n";
        let vote = |id: &str, text: &str| evidence(&[(id, text)]);
        let hers = || asked("ann", "x");
        let [ours, other, nobodys] = ["ours", "other", "nobody's"];
        for (events, same, renamed) in [
            (hers() + &vote("1", "tide"), ours, ours),
            (source.to_owned(), ours, ours),
            (hers() + &vote("1", "another text"), other, other),
            (hers() + &evidence(&[("1", "tide"), ("3", "a"), ("4", "b")]), other, other),
            // Of a new user, and of what they did in the session itself, nothing is known but the name.
            (hers(), ours, other),
            (typed.to_owned() + &hers() + &vote("live", "x"), ours, other),
            // Her words tell her, what two may say by chance does not.
            (asked("ann", "a text of hers") + &vote("7", "y"), ours, ours),
            (asked("bo", "a text of hers"), ours, ours),
            (asked("bo", "a text of hers") + &vote("7", "y"), other, other),
            (asked("ann", "hers") + &vote("7", "y"), other, other),
            (asked("bo", "hers") + &vote("7", "y"), nobodys, nobodys),
            (asked("bo", "hers") + &vote("2", "oven"), ours, ours),
            (asked("bo", "x") + &vote("1", "tide"), nobodys, nobodys),
        ] {
            for (name, expected) in [("films", same), ("news", renamed)] {
                let dir = tempfile::tempdir().unwrap();
                fs::write(dir.path().join("a.jsonl"), HEADER.to_owned() + &events).unwrap();
                let found = about(dir.path(), &ann(), Mark { name, knows: &knows }).unwrap();
                let told = match (found.ours.len(), found.unrelated.len()) {
                    (1, 0) => ours,
                    (0, 1) => other,
                    _ => nobodys,
                };
                assert_eq!(told, expected, "{name}: {events}");
            }
        }
    }
}
