//! Interactions that stay in their file: of each only what is asked of all of them at once, and where its record stands.
//!
//! A million [`Interaction`]s take most of a gigabyte. An archive keeps some forty bytes of each, and reads a record when
//! somebody looks at it.
//!
//! Invariants: interactions are numbered as in a [`Dataset`], by `(at, id)`; the file is held open, so that one which takes
//! its place changes nothing here; a record that is not what it was when the archive was made is an error and never shown.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::dataset::{Content, Dataset, DatasetError, Responses};
use super::form::Places;
use super::interaction::{Interaction, Timestamp, UserId};
use super::manifest::TaskKind;
use super::text;
use serde::Deserialize;

/// Bytes of the file that are read at a time.
const READ: usize = 1 << 20;
/// Bytes that nearly every record fits into.
const RECORD: usize = 4 << 10;

/// Where a record is: a place in the file, or one among those that came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Whereabouts(u64);

impl Whereabouts {
    /// Marks what is not in the file.
    const ADDED: u64 = 1 << 63;

    /// The number among those that came later.
    fn added(self) -> Option<usize> {
        (self.0 & Self::ADDED != 0).then_some((self.0 & !Self::ADDED) as usize)
    }
}

/// What is kept of an interaction.
#[derive(Clone, Copy, Debug)]
struct Kept {
    at: Timestamp,
    whereabouts: Whereabouts,
    /// Of the record as it stood in the file; 0 for what is not there.
    hash: u64,
    user: u32,
    label: u32,
}

/// As much of a record as is looked at when the archive is made.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    at: Timestamp,
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow)]
    response: Cow<'a, str>,
}

/// The interactions of a dataset folder.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
    file: Arc<Mutex<File>>,
    /// By `(at, id)`.
    kept: Vec<Kept>,
    users: Vec<UserId>,
    /// Hashes of all ids, ascending.
    ids: Vec<u64>,
    /// Of ratings, the first interaction that asks this, by the query's hash.
    asked: HashMap<u64, usize>,
    /// What came later than the file, in no order.
    added: Vec<Interaction>,
}

fn hash(bytes: impl AsRef<[u8]>) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(bytes.as_ref()).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

impl Archive {
    /// Goes once through the interactions of the folder `dir`, the rest of which is `head`. Whoever opens it has made sure
    /// that its records are those of a dataset: that ids are unique is not looked at.
    ///
    /// # Errors
    ///
    /// The first line that is no interaction of this task, or what the system says of the file.
    pub fn open(dir: &Path, head: &Dataset) -> Result<Self, DatasetError> {
        let path = dir.join("interactions.jsonl");
        let failed = |source: io::Error| DatasetError::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        let rated = head.manifest.task == TaskKind::Rating;
        let (places, responses) = (head.manifest.places(), Responses::of(&head.manifest));
        let mut numbers: HashMap<UserId, u32> = HashMap::new();
        let mut users = Vec::new();
        let mut asked: Vec<(u64, usize)> = Vec::new();
        let (mut kept, mut names, mut ends) = (Vec::new(), String::new(), Vec::new());
        let mut reader = BufReader::with_capacity(READ, file.try_clone().map_err(failed)?);
        let (mut line, mut start, mut number) = (Vec::new(), 0u64, 0usize);
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(failed)?;
            if length == 0 {
                break;
            }
            number += 1;
            let begins = start;
            start += length as u64;
            let fault = |reason: String| DatasetError::Line { path: path.clone(), line: number, reason };
            let record = if begins == 0 { text::without_mark(&line) } else { &line };
            let record = record.trim_ascii_end();
            let written = std::str::from_utf8(record).map_err(|_| fault("it is not UTF-8".to_owned()))?;
            if written.trim().is_empty() {
                continue;
            }
            let glance: Glance = serde_json::from_str(written)
                .map_err(|error| fault(format!("{}; correct or remove the line", text::json_fault(&error))))?;
            let mut response = glance.response.into_owned();
            responses.fit("response", &mut response).map_err(fault)?;
            let user = *numbers.entry(UserId::new(glance.user.as_ref())).or_insert_with_key(|user| {
                users.push(user.clone());
                users.len() as u32 - 1
            });
            if rated {
                asked.push((hash(glance.query.as_bytes()), kept.len()));
            }
            names.push_str(&glance.id);
            ends.push(names.len());
            let label = label(&places, &response);
            kept.push(Kept { at: glance.at, whereabouts: Whereabouts(begins), hash: hash(record), user, label });
        }
        if kept.is_empty() {
            return Err(DatasetError::Empty { path });
        }
        let id = |ix: usize| &names[if ix == 0 { 0 } else { ends[ix - 1] }..ends[ix]];
        if let Some(reason) = head.manifest.period_fault((0..kept.len()).map(|ix| (kept[ix].at, id(ix)))) {
            return Err(DatasetError::Manifest { path: dir.join("dataset.toml"), reason });
        }
        let mut order: Vec<usize> = (0..kept.len()).collect();
        order.sort_by(|a, b| (kept[*a].at, id(*a)).cmp(&(kept[*b].at, id(*b))));
        let mut ids: Vec<u64> = (0..kept.len()).map(|ix| hash(id(ix))).collect();
        ids.sort_unstable();
        let mut first: HashMap<u64, usize> = HashMap::new();
        if rated {
            for (item, ix) in order.iter().enumerate() {
                first.entry(asked[*ix].0).or_insert(item);
            }
        }
        let kept = order.into_iter().map(|ix| kept[ix]).collect();
        let file = Arc::new(Mutex::new(file));
        Ok(Self { folder: dir.to_owned(), file, kept, users, ids, asked: first, added: Vec::new() })
    }

    /// What came later than the file, in no order.
    pub fn added(&self) -> &[Interaction] {
        &self.added
    }

    /// How many interactions there are.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there is none; one that was opened has some.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// When each of them was.
    pub fn at(&self, item: usize) -> Option<Timestamp> {
        self.kept.get(item).map(|kept| kept.at)
    }

    /// How many lie strictly before `t`.
    pub fn before(&self, t: Timestamp) -> usize {
        self.kept.partition_point(|kept| kept.at < t)
    }

    /// Everyone who acts, sorted.
    pub fn users(&self) -> BTreeSet<UserId> {
        self.users.iter().cloned().collect()
    }

    /// Whether an interaction may be called `id`; in one of many millions of cases the answer is no without need.
    pub fn contains(&self, id: &str) -> bool {
        self.ids.binary_search(&hash(id)).is_ok()
    }

    /// Of ratings, the first interaction about what `query` asks.
    pub fn asked(&self, query: &str) -> Option<usize> {
        self.asked.get(&hash(query)).copied()
    }

    /// `(who, label)` of all that lie strictly before `t`.
    pub fn visible(&self, t: Timestamp) -> impl Iterator<Item = (&UserId, usize)> {
        self.kept[..self.before(t)].iter().map(|kept| (&self.users[kept.user as usize], kept.label as usize))
    }

    /// What `user` did strictly before `t`.
    pub fn of_user(&self, user: &UserId, t: Timestamp) -> impl Iterator<Item = usize> {
        let number = self.users.iter().position(|other| other == user).map(|number| number as u32);
        let before = self.before(t);
        (0..before).filter(move |item| Some(self.kept[*item].user) == number)
    }

    /// A record, as a dataset with the settings of `head` holds it.
    ///
    /// # Errors
    ///
    /// What the system says of the file, or that the record is not what it was.
    pub fn record(&self, item: usize, head: &Dataset) -> Result<Interaction, DatasetError> {
        let path = || self.folder.join("interactions.jsonl");
        let changed = || {
            let source = io::Error::other("it changed while it was in use");
            DatasetError::Read { path: path(), source }
        };
        let kept = self.kept.get(item).ok_or_else(changed)?;
        if let Some(number) = kept.whereabouts.added() {
            return self.added.get(number).cloned().ok_or_else(changed);
        }
        let line = self.line(kept.whereabouts.0).map_err(|source| DatasetError::Read { path: path(), source })?;
        let record = if kept.whereabouts.0 == 0 { text::without_mark(&line) } else { &line };
        let record = record.trim_ascii_end();
        if hash(record) != kept.hash {
            return Err(changed());
        }
        let mut interaction: Interaction = serde_json::from_slice(record).map_err(|_| changed())?;
        head.fit(&mut interaction.response).map_err(|_| changed())?;
        Ok(interaction)
    }

    /// The line of the file that begins at `start`.
    fn line(&self, start: u64) -> io::Result<Vec<u8>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        let (mut line, mut read) = (Vec::with_capacity(RECORD), 0);
        loop {
            let got = (&mut *file).take(RECORD as u64).read_to_end(&mut line)?;
            match line[read..].iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    line.truncate(read + end);
                    return Ok(line);
                }
                None if got == 0 => return Ok(line),
                None => read = line.len(),
            }
        }
    }

    /// Takes in an interaction that is not in the file, and says which it is now.
    ///
    /// # Errors
    ///
    /// As [`Self::record`]; nothing is taken in then.
    pub fn add(&mut self, interaction: Interaction, head: &Dataset) -> Result<usize, DatasetError> {
        let label = label(&head.manifest.places(), &interaction.response);
        // Few have the very second, so few records are read.
        let mut place = self.before(interaction.at);
        while self.at(place) == Some(interaction.at) && self.record(place, head)?.id < interaction.id {
            place += 1;
        }
        let known = self.users.iter().position(|user| *user == interaction.user);
        let user = known.unwrap_or_else(|| {
            self.users.push(interaction.user.clone());
            self.users.len() - 1
        });
        let whereabouts = Whereabouts(Whereabouts::ADDED | self.added.len() as u64);
        self.kept.insert(place, Kept { at: interaction.at, whereabouts, hash: 0, user: user as u32, label });
        self.asked.values_mut().filter(|item| **item >= place).for_each(|item| *item += 1);
        let id = hash(&interaction.id);
        let after = self.ids.partition_point(|other| *other < id);
        self.ids.insert(after, id);
        self.added.push(interaction);
        Ok(place)
    }

    /// All of it as a dataset, with the settings and queries of `head`: a dataset in RAM.
    ///
    /// # Errors
    ///
    /// As [`Self::record`].
    pub fn whole(&self, head: &Dataset) -> Result<Dataset, DatasetError> {
        let interactions = (0..self.len()).map(|item| self.record(item, head)).collect::<Result<_, _>>()?;
        Ok(Dataset { manifest: head.manifest.clone(), interactions, queries: head.queries.clone() })
    }

    /// [`Dataset::content_hash`] of the whole.
    ///
    /// # Errors
    ///
    /// As [`Self::record`].
    pub fn content_hash(&self, head: &Dataset) -> Result<String, DatasetError> {
        let mut content = Content::of(&head.manifest);
        for item in 0..self.len() {
            content.take(&self.record(item, head)?);
        }
        Ok(content.end(&head.queries))
    }
}

/// The number of a response's label.
fn label(places: &Places, response: &str) -> u32 {
    places.of(response).unwrap_or_default() as u32
}

#[cfg(test)]
mod tests {
    use super::super::interaction::Extra;
    use super::super::synth::{Parameters, population, products};
    use super::*;

    fn opened(dataset: &Dataset) -> (tempfile::TempDir, Dataset, Archive) {
        let folder = tempfile::tempdir().unwrap();
        dataset.write(folder.path()).unwrap();
        let head = Dataset::head(folder.path()).unwrap();
        let archive = Archive::open(folder.path(), &head).unwrap();
        (folder, head, archive)
    }

    fn small() -> Dataset {
        population(&Parameters { users: 12, ..Parameters::default() }).0
    }

    #[test]
    fn an_archive_is_the_dataset_record_by_record() {
        let rated = products(&Parameters { users: 12, ..Parameters::of_products() }).0;
        for mut dataset in [small(), rated] {
            // Files need not be in order.
            let sorted = dataset.interactions.clone();
            dataset.interactions.reverse();
            let (_folder, head, archive) = opened(&dataset);
            dataset.interactions = sorted;
            assert_eq!(archive.whole(&head).unwrap(), dataset);
            assert_eq!(archive.content_hash(&head).unwrap(), dataset.content_hash());
            assert_eq!(archive.users(), dataset.interactions.iter().map(|i| i.user.clone()).collect());
            let t = dataset.interactions[dataset.interactions.len() / 2].at;
            let before = dataset.interactions.iter().take_while(|i| i.at < t).count();
            assert_eq!(archive.before(t), before);
            let user = &dataset.interactions[0].user;
            let own: Vec<usize> = (0..before).filter(|item| dataset.interactions[*item].user == *user).collect();
            assert_eq!(archive.of_user(user, t).collect::<Vec<_>>(), own);
            let labels = dataset.manifest.responses();
            for ((user, label), i) in archive.visible(t).zip(&dataset.interactions) {
                assert_eq!((user, labels[label].as_str()), (&i.user, i.response.as_str()));
            }
            assert!(archive.contains(&dataset.interactions[3].id) && !archive.contains("nobody's"));
            for i in &dataset.interactions {
                let first = dataset.interactions.iter().position(|other| other.query == i.query);
                let rated = dataset.manifest.task == TaskKind::Rating;
                assert_eq!(archive.asked(&i.query), first.filter(|_| rated));
            }
        }
    }

    #[test]
    fn what_is_added_stands_where_a_dataset_has_it() {
        let mut dataset = small();
        let (_folder, head, mut archive) = opened(&dataset);
        let middle = dataset.interactions[40].clone();
        for (id, user) in [("zz", "u000"), ("a0", "a stranger"), ("i0", "u003")] {
            let added =
                Interaction { id: id.to_owned(), user: UserId::new(user), extra: Extra::new(), ..middle.clone() };
            let place = archive.add(added.clone(), &head).unwrap();
            dataset.interactions.push(added.clone());
            dataset.interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
            assert_eq!(dataset.interactions[place], added);
            assert!(archive.contains(id));
        }
        assert_eq!(archive.whole(&head).unwrap(), dataset);
        assert_eq!(archive.content_hash(&head).unwrap(), dataset.content_hash());
        assert_eq!(archive.added().len(), 3);
    }

    #[test]
    fn a_record_of_any_length_is_read_whole() {
        let mut dataset = small();
        dataset.interactions[5].query = "tide ".repeat(3 * RECORD);
        let (_folder, head, archive) = opened(&dataset);
        assert_eq!(archive.record(5, &head).unwrap(), dataset.interactions[5]);
        let last = dataset.interactions.len() - 1;
        assert_eq!(archive.record(last, &head).unwrap(), dataset.interactions[last]);
    }

    #[test]
    fn a_file_that_is_replaced_changes_nothing_and_one_that_is_overwritten_is_told() {
        let dataset = small();
        let (folder, head, archive) = opened(&dataset);
        let path = folder.path().join("interactions.jsonl");
        let text = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, b"{}\n").unwrap();
        assert_eq!(archive.record(7, &head).unwrap(), dataset.interactions[7]);

        std::fs::write(&path, &text).unwrap();
        let archive = Archive::open(folder.path(), &head).unwrap();
        // Not even a word of it may be another one.
        let word = dataset.interactions[7].query.split(' ').next_back().unwrap();
        let edited = String::from_utf8(text.clone()).unwrap().replace(word, &"x".repeat(word.len())).into_bytes();
        assert_eq!(edited.len(), text.len());
        for other in [vec![b'x'; text.len()], edited, text[..text.len() / 2].to_vec()] {
            std::fs::write(&path, other).unwrap();
            let item = if std::fs::metadata(&path).unwrap().len() < text.len() as u64 { archive.len() - 1 } else { 7 };
            let told = archive.record(item, &head).unwrap_err().to_string();
            assert!(told.contains("interactions.jsonl") && told.contains("changed while it was in use"), "{told}");
        }
    }

    #[test]
    fn lines_that_are_no_interaction_are_named() {
        let dataset = small();
        let (folder, head, _) = opened(&dataset);
        let path = folder.path().join("interactions.jsonl");
        let good = std::fs::read_to_string(&path).unwrap();
        let strange = good.lines().next().unwrap().replace(&dataset.interactions[0].response, "no such tag");
        for (text, line) in [(format!("{good}{{\n"), dataset.interactions.len() + 1), (format!("\n{strange}\n"), 2)] {
            std::fs::write(&path, text).unwrap();
            let told = Archive::open(folder.path(), &head).unwrap_err().to_string();
            assert!(told.contains(&format!("interactions.jsonl:{line}")), "{told}");
            assert_eq!(told, Dataset::open(folder.path()).unwrap_err().to_string());
        }
    }
}
