//! Taking a person out of a dataset folder: what is theirs there, and the folder without it.
//!
//! Invariants: a line that stays is byte for byte what it was, in its order; files are read line by line, so their length
//! does not matter. The new files are written and synced in `forget.part`, which is a dataset folder itself, before the
//! first of them takes an old one's place. Interactions go last: as long as a run can be interrupted, the next one
//! finds the person there.

mod stage;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use stage::STAGE;
pub use stage::Stage;

use super::dataset::{DatasetError, TaskKind};
use super::interaction::{Interaction, JudgedQuery, UserId};
use super::text::{self, without_mark};

/// What people did.
pub const INTERACTIONS: &str = "interactions.jsonl";
/// What they are asked.
pub const QUERIES: &str = "queries.jsonl";
/// What `synth` writes beside its data.
const TRUTH: &str = "truth.json";
/// Where sessions of the dataset lie in its folder.
pub const SESSIONS: &str = "sessions";
/// What a dataset folder consists of.
const OWN_FILES: [&str; 4] = ["dataset.toml", INTERACTIONS, QUERIES, TRUTH];
/// Files that have to be unpacked to be looked into.
const PACKED: [&str; 7] = ["gz", "zip", "zst", "xz", "bz2", "7z", "tar"];
/// Characters of a text that is told from chance in a file of any kind.
const TELLING: usize = 12;

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
    /// Somebody wrote to a file meanwhile.
    #[error("{}: changed while it was read, so nothing of it was replaced; run the command again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// Everything that a dataset says of one person, in file order.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// What they did.
    pub interactions: Vec<Interaction>,
    /// What they are asked about.
    pub queries: Vec<JudgedQuery>,
    /// Their texts that nobody else in the data has.
    pub alone: HashSet<String>,
}

/// What a file loses and keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name in the dataset folder.
    pub file: &'static str,
    /// Lines, or records of `truth.json`, that are theirs.
    pub theirs: usize,
    /// Those that stay.
    pub others: usize,
}

/// A place that the program does not write, where something of a person stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// 1-based; the first of them.
    pub line: usize,
    /// How many lines.
    pub lines: usize,
}

/// What a dataset folder holds of a person.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Their records.
    pub person: Person,
    /// By file.
    pub shares: Vec<Share>,
    /// Lines of other people that name them.
    pub named: Vec<Place>,
    /// Other files in the folder with something of theirs.
    pub elsewhere: Vec<Place>,
    /// Other files in the folder that would have to be unpacked.
    pub packed: Vec<PathBuf>,
    /// What earlier, interrupted writes have left.
    pub leftovers: Vec<PathBuf>,
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

/// Whether `word` stands in `text` as a word of its own.
fn names(text: &str, word: &str) -> bool {
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(word)
        .any(|(at, _)| apart(text[..at].chars().next_back()) && apart(text[at + word.len()..].chars().next()))
}

/// Whether an identity can be told from a number that stands for something else.
fn is_name(user: &UserId) -> bool {
    user.as_str().chars().any(char::is_alphabetic)
}

/// Whether a text is told from chance in a file of any kind.
pub fn is_telling(text: &str) -> bool {
    text.chars().count() >= TELLING
}

/// Whether any text in `value`, keys included, satisfies `holds`.
pub fn any_text(value: &Value, holds: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => holds(text),
        Value::Array(values) => values.iter().any(|value| any_text(value, holds)),
        Value::Object(map) => map.iter().any(|(key, value)| holds(key) || any_text(value, holds)),
        _ => false,
    }
}

impl Person {
    /// Whether nothing is known of them.
    pub fn is_unknown(&self) -> bool {
        self.interactions.is_empty() && self.queries.is_empty()
    }

    /// Takes in what they said. Of most tasks a response says nothing of anybody.
    fn say(&mut self, query: String, response: String, task: TaskKind) {
        if task == TaskKind::Text && !response.is_empty() {
            self.alone.insert(response);
        }
        self.alone.insert(query);
    }

    /// What others recorded too is not theirs alone.
    pub fn share(&mut self, recorded: &[Interaction]) {
        for record in recorded.iter().filter(|record| record.user != self.user) {
            self.alone.remove(&record.query);
            self.alone.remove(&record.response);
        }
    }

    /// Whether a text that only they have, and that is told from chance, stands in `line`, which is no JSON; as JSON writes
    /// it, too, since half a line of JSON is none.
    pub fn speaks_in(&self, line: &str) -> bool {
        let escapes = |c: char| matches!(c, '"' | '\\') || c.is_control();
        let stands = |text: &str| {
            let written = || Value::from(text).to_string();
            line.contains(text) || (text.contains(escapes) && line.contains(written().trim_matches('"')))
        };
        self.alone.iter().any(|text| is_telling(text) && stands(text))
    }

    /// Their texts, interactions first, as a question to memory each: text and, of an interaction, its identity.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let did = self.interactions.iter().map(|i| (i.query.as_str(), Some(i.id.as_str())));
        did.chain(self.queries.iter().map(|q| (q.query.as_str(), None)))
    }
}

/// Looks for `user` in the dataset folder `dir`, and in what was `recorded` since it was written. Changes nothing.
pub fn survey(dir: &Path, user: &UserId, task: TaskKind, recorded: &[Interaction]) -> Result<Survey, FolderError> {
    let mut person =
        Person { user: user.clone(), interactions: Vec::new(), queries: Vec::new(), alone: HashSet::new() };
    for name in [INTERACTIONS, QUERIES, TRUTH, SESSIONS] {
        refuse_link(&dir.join(name))?;
    }
    let mut shares = Vec::new();
    for file in [INTERACTIONS, QUERIES] {
        let path = dir.join(file);
        let mut share = Share { file, theirs: 0, others: 0 };
        each_line(&path, |number, line| {
            let Some(whose) = record::<Whose>(&path, number, line)? else { return Ok(()) };
            if whose.user != *user {
                share.others += 1;
                return Ok(());
            }
            share.theirs += 1;
            person.say(whose.query, whose.response, task);
            if file == INTERACTIONS {
                person.interactions.extend(record::<Interaction>(&path, number, line)?);
            } else {
                person.queries.extend(record::<JudgedQuery>(&path, number, line)?);
            }
            Ok(())
        })?;
        shares.push(share);
    }
    for record in recorded.iter().filter(|record| record.user == *user) {
        person.say(record.query.clone(), record.response.clone(), task);
        person.interactions.push(record.clone());
    }
    // What others say too is not theirs alone, and is known only now.
    person.share(recorded);
    let mut named = Vec::new();
    for file in [INTERACTIONS, QUERIES] {
        let path = dir.join(file);
        let mut place = Place { path: path.clone(), line: 0, lines: 0 };
        each_line(&path, |number, line| {
            let Some(whose) = record::<Whose>(&path, number, line)? else { return Ok(()) };
            if whose.user == *user {
                return Ok(());
            }
            person.alone.remove(&whose.query);
            person.alone.remove(&whose.response);
            let may_name = is_name(user) && names(&String::from_utf8_lossy(line), user.as_str());
            if may_name {
                place.line = if place.lines == 0 { number } else { place.line };
                place.lines += 1;
            }
            Ok(())
        })?;
        named.extend((place.lines > 0).then_some(place));
    }
    if let Some(truth) = truth_of(dir)? {
        let (theirs, others) = without_person(&truth, user).1;
        shares.push(Share { file: TRUTH, theirs, others });
    }
    Ok(Survey { person, shares, named, elsewhere: Vec::new(), packed: Vec::new(), leftovers: Vec::new() })
}

impl Survey {
    /// Looks into the files of the folder `dir` that are no dataset's.
    pub fn look_around(&mut self, dir: &Path) -> Result<(), FolderError> {
        files(dir).map_err(read_error(dir))?.into_iter().try_for_each(|path| self.look_into(dir, path))
    }

    /// Lines and records that are theirs.
    pub fn theirs(&self) -> usize {
        self.shares.iter().map(|share| share.theirs).sum()
    }

    /// Sorts a file of the folder `dir` that is no file of a dataset.
    fn look_into(&mut self, dir: &Path, path: PathBuf) -> Result<(), FolderError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inside = path.strip_prefix(dir).unwrap_or(&path);
        let top = inside.components().count() == 1;
        if top && OWN_FILES.contains(&name.as_str()) {
            return Ok(());
        }
        let stem = name.split('.').next().unwrap_or_default();
        let of_dataset = OWN_FILES.iter().any(|file| file.split('.').next() == Some(stem));
        if inside.starts_with(STAGE) || (top && of_dataset && name.ends_with(".part")) {
            self.leftovers.push(path);
            return Ok(());
        }
        if path.extension().is_some_and(|extension| PACKED.iter().any(|packed| extension == *packed)) {
            self.packed.push(path);
            return Ok(());
        }
        // Those are searched as sessions; what lies in folders below is not.
        if inside.parent() == Some(Path::new(SESSIONS)) {
            return Ok(());
        }
        let mut place = Place { path: path.clone(), line: 0, lines: 0 };
        let person = &self.person;
        each_line(&path, |number, line| {
            if speaks_of(line, person) {
                place.line = if place.lines == 0 { number } else { place.line };
                place.lines += 1;
            }
            Ok(())
        })?;
        self.elsewhere.extend((place.lines > 0).then_some(place));
        Ok(())
    }
}

/// Whether a line of any file holds something of theirs.
fn speaks_of(line: &[u8], person: &Person) -> bool {
    let user = person.user.as_str();
    if let Ok(value) = serde_json::from_slice::<Value>(line) {
        return any_text(&value, &|text| text == user || person.alone.contains(text));
    }
    let line = String::from_utf8_lossy(line);
    let quoted = line.contains(&format!("\"{user}\""));
    let named = is_name(&person.user) && names(&line, user);
    quoted || named || person.speaks_in(&line)
}

/// All files under `dir`, links aside, in order.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
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
    use super::*;
    use crate::data::interaction::{Extra, Timestamp};

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
    fn a_text_is_found_in_half_a_line_of_json() {
        let text = "she said \"no\" twice\n";
        let alone = HashSet::from([text.to_owned(), "short".to_owned()]);
        let person = Person { user: UserId::new("ann"), interactions: Vec::new(), queries: Vec::new(), alone };
        for (line, expected) in [
            (format!("{{\"query\":{}", Value::from(text)), true),
            (format!("{{\"query\":{}", Value::from("she said \"yes\" twice\n")), false),
            ("a short line".to_owned(), false),
        ] {
            assert_eq!(person.speaks_in(&line), expected, "{line}");
        }
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
