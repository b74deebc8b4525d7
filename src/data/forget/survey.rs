//! What a dataset folder holds of a person, and what lies beside the data with something of theirs. Changes nothing.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::person::{Person, is_name, names, speaks_of};
use super::stage::{LOCK, STAGE};
use super::{
    FolderError, INTERACTIONS, QUERIES, SESSIONS, TRUTH, Whose, each_line, read_error, record, refuse_link, truth_of,
    without_person,
};
use crate::data::dataset::TaskKind;
use crate::data::interaction::{Interaction, JudgedQuery, UserId};

/// What a dataset folder consists of.
const OWN_FILES: [&str; 4] = ["dataset.toml", INTERACTIONS, QUERIES, TRUTH];
/// Files that have to be unpacked to be looked into.
const PACKED: [&str; 7] = ["gz", "zip", "zst", "xz", "bz2", "7z", "tar"];

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
        // The lock is the run's own, or an earlier one's; it is empty and goes with the next.
        if top && (OWN_FILES.contains(&name.as_str()) || name == LOCK) {
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
