//! The keeper: a thread that keeps tries on disk, one file a dataset.
//!
//! Invariants: a file is written whole or not at all, and never while it cannot be read; every change is made to what the
//! file holds at that moment, by one at a time, so that two workbenches do not undo each other's; a change that failed is
//! tried again with the next one and at the end; every request is answered by one message.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::message::Message;
use super::scribe::plain;
use super::shelf::at_home;
use crate::data::dataset::write_whole;
use crate::data::lock::FolderLock;
use crate::session::tries::{self, Book, Try};

/// A change of the tries on a dataset.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new one.
    Save(Try),
    /// One less.
    Delete(Try),
    /// Another note on the one of this number and name.
    Note(Try),
    /// Held-out queries have been looked at once more.
    Look,
}

impl Change {
    /// The try it is about.
    pub fn of(&self) -> Option<&Try> {
        match self {
            Change::Save(it) | Change::Delete(it) | Change::Note(it) => Some(it),
            Change::Look => None,
        }
    }

    /// What it is about, in words.
    pub fn title(&self) -> String {
        self.of().map_or("a look at the hold-out".to_owned(), Try::title)
    }

    /// Makes the change. A number that another workbench has given away meanwhile becomes the next free one.
    fn make(&self, book: &mut Book) {
        let tries = &mut book.tries;
        match self {
            Change::Save(new) => {
                let taken = tries.iter().any(|other| other.number == new.number);
                let number = if taken { tries::next_number(tries) } else { new.number };
                tries.push(Try { number, ..new.clone() });
                tries.sort_by_key(|saved| saved.number);
            }
            Change::Delete(old) => tries.retain(|saved| !same(saved, old)),
            Change::Note(noted) => {
                let place = tries.iter_mut().find(|saved| same(saved, noted));
                place.into_iter().for_each(|saved| saved.note.clone_from(&noted.note));
            }
            Change::Look => book.looks = book.looks.saturating_add(1),
        }
    }
}

fn same(a: &Try, b: &Try) -> bool {
    (a.number, &a.name) == (b.number, &b.name)
}

/// Why changes are not on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Unkept {
    /// What failed, with the file and the remedy.
    pub reason: String,
    /// All that are in no file; none where reading alone failed.
    pub changes: Vec<Change>,
}

impl Unkept {
    /// What is in no file, and why, in a line.
    pub fn told(&self) -> String {
        match &self.changes[..] {
            [] => self.reason.clone(),
            changes => {
                let titles: Vec<String> = changes.iter().map(Change::title).collect();
                format!("{} not kept on disk: {}", titles.join(", "), self.reason)
            }
        }
    }
}

/// What the file of a dataset holds, or why that is not known.
pub type Kept = Result<Book, Unkept>;

enum Request {
    Change { dataset: String, change: Option<Change> },
    Export { path: PathBuf, dataset: String, book: Box<Book> },
    Import(PathBuf),
}

/// The handle to the keeper.
#[derive(Debug)]
pub struct Keeper {
    requests: Sender<Request>,
    work: JoinHandle<Vec<String>>,
}

impl Keeper {
    /// Starts it. Files are in `folder`, which is made when the first one is.
    pub fn start(folder: PathBuf, out: Sender<Message>) -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel();
        let work = thread::Builder::new().name("keeper".to_owned()).spawn(move || keep(&folder, &inbox, &out))?;
        Ok(Self { requests, work })
    }

    /// Makes a change, if one is given, and reads the tries on a dataset; the answer comes as a message.
    pub fn ask(&self, dataset: String, change: Option<Change>) {
        // One that has ended can only have been ended by us.
        let _ = self.requests.send(Request::Change { dataset, change });
    }

    /// Writes tries to a file of the analyst's own, which must not exist; how that went comes as a message.
    pub fn export(&self, path: PathBuf, dataset: String, book: Book) {
        let _ = self.requests.send(Request::Export { path, dataset, book: Box::new(book) });
    }

    /// Reads tries from a file; they come as a message.
    pub fn import(&self, path: PathBuf) {
        let _ = self.requests.send(Request::Import(path));
    }

    /// Waits until all changes are made, or have been tried once more; says which are in no file.
    pub fn finish(self) -> Vec<String> {
        drop(self.requests);
        self.work.join().unwrap_or_else(|_| vec!["the thread that keeps tries has died".to_owned()])
    }
}

fn keep(folder: &Path, inbox: &Receiver<Request>, out: &Sender<Message>) -> Vec<String> {
    let mut waiting: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for request in inbox {
        let (dataset, change) = match request {
            Request::Change { dataset, change } => (dataset, change),
            Request::Export { path, dataset, book } => {
                let exported = export(&path, &dataset, &book).map(|()| path);
                let _ = out.send(Message::Exported(exported));
                continue;
            }
            Request::Import(path) => {
                let _ = out.send(Message::Imported(import(&path)));
                continue;
            }
        };
        let changes = waiting.entry(dataset.clone()).or_default();
        changes.extend(change.clone());
        let kept = attempt(folder, &dataset, changes);
        let _ = out.send(Message::Tries { dataset, change, kept });
    }
    let last = |(dataset, mut changes): (String, Vec<Change>)| {
        if changes.is_empty() {
            return None;
        }
        attempt(folder, &dataset, &mut changes).err().map(|unkept| unkept.told())
    };
    waiting.into_iter().filter_map(last).collect()
}

fn export(path: &Path, dataset: &str, book: &Book) -> Result<(), String> {
    let path = &at_home(path);
    if path.exists() {
        return Err(format!("{}: exists already; give another name", path.display()));
    }
    write_whole(path, tries::write(dataset, book).as_bytes()).map_err(|error| error.to_string())
}

fn import(path: &Path) -> Result<Vec<Try>, String> {
    let path = &at_home(path);
    let place = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| format!("{place}: cannot be read ({error}); check the path"))?;
    let book = tries::parse(&text).map_err(|bad| format!("{place}:{}: {}; correct it", bad.line, bad.reason))?;
    match book.tries.is_empty() {
        true => Err(format!("{place}: holds no [[try]]")),
        false => Ok(book.tries),
    }
}

/// Makes the `changes` of the file of a dataset and forgets them; all of them, or none.
fn attempt(folder: &Path, dataset: &str, changes: &mut Vec<Change>) -> Kept {
    let path = folder.join(file_name(dataset));
    let make = |changes: &mut Vec<Change>| -> Result<Book, String> {
        if changes.is_empty() {
            return read(&path);
        }
        let unchanged = |error| format!("{}: cannot be changed ({error}); check its permissions", folder.display());
        let _alone = FolderLock::take(folder).map_err(unchanged)?;
        let mut book = read(&path)?;
        changes.iter().for_each(|change| change.make(&mut book));
        write_whole(&path, tries::write(dataset, &book).as_bytes()).map_err(|error| error.to_string())?;
        changes.clear();
        Ok(book)
    };
    make(changes).map_err(|reason| Unkept { reason, changes: changes.clone() })
}

fn read(path: &Path) -> Result<Book, String> {
    let place = path.display();
    match fs::read_to_string(path) {
        Ok(text) => tries::parse(&text).map_err(|bad| {
            format!("{place}:{}: {}; correct it, or move the file away to begin a new one", bad.line, bad.reason)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Book::default()),
        Err(error) => Err(format!("{place}: cannot be read ({error}); check its permissions, or move the file away")),
    }
}

/// The file of a dataset. Names that are no file's are told apart by a fingerprint.
fn file_name(dataset: &str) -> String {
    let name = plain(dataset);
    if name == dataset && !name.is_empty() {
        return format!("{name}.toml");
    }
    format!("{name}-{}.toml", &blake3::hash(dataset.as_bytes()).to_hex()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediator::Policy;

    fn saved(number: u32, name: &str) -> Try {
        Try { number, name: name.to_owned(), note: String::new(), policy: Policy::Product, stated: Vec::new() }
    }

    #[test]
    fn two_workbenches_keep_each_others_tries() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("tries");
        let save = |number, name: &str| attempt(&folder, "films", &mut vec![Change::Save(saved(number, name))]);
        assert_eq!(save(1, "mine").unwrap().tries, [saved(1, "mine")]);
        assert_eq!(save(1, "yours").unwrap().tries, [saved(1, "mine"), saved(2, "yours")]);
        let delete = attempt(&folder, "films", &mut vec![Change::Delete(saved(1, "yours"))]);
        assert_eq!(delete.unwrap().tries.len(), 2, "another one under the number meant is not deleted");
        let delete = attempt(&folder, "films", &mut vec![Change::Delete(saved(1, "mine"))]);
        assert_eq!(delete.unwrap().tries, [saved(2, "yours")]);
        let noted = Try { note: "too bold".into(), ..saved(2, "yours") };
        let both = attempt(&folder, "films", &mut vec![Change::Note(noted.clone()), Change::Look]).unwrap();
        assert_eq!((&both.tries[..], both.looks), (&[noted][..], 1));
        let both = attempt(&folder, "films", &mut vec![Change::Note(saved(1, "yours")), Change::Look]).unwrap();
        assert_eq!((both.tries[0].note.as_str(), both.looks), ("too bold", 2), "another number is another try");
        assert_eq!(
            attempt(&folder, "books", &mut Vec::new()).unwrap(),
            Book::default(),
            "a dataset has a file of its own"
        );
    }

    /// Both read the same file, and the later one wrote over what the earlier one had.
    #[test]
    fn no_try_is_lost_where_two_workbenches_save_at_once() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("tries");
        let save = |name: &str| attempt(&folder, "films", &mut vec![Change::Save(saved(1, name))]).unwrap();
        thread::scope(|scope| {
            for who in ["mine", "yours"] {
                scope.spawn(move || (0..25).for_each(|n| drop(save(&format!("{who} {n}")))));
            }
        });
        let numbers: Vec<u32> = read(&folder.join("films.toml")).unwrap().tries.iter().map(|it| it.number).collect();
        assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_file_is_told_never_overwritten_and_what_waits_is_kept_when_it_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("films.toml");
        fs::write(&path, "[[try]]\nname = 3\n").unwrap();
        let (out, inbox) = mpsc::channel();
        let keeper = Keeper::start(home.path().to_owned(), out).unwrap();
        let ask = |change: Option<Change>| {
            keeper.ask("films".to_owned(), change);
            match inbox.recv().unwrap() {
                Message::Tries { kept, .. } => kept,
                other => panic!("{other:?}"),
            }
        };
        let unkept = ask(None).unwrap_err();
        assert!(unkept.reason.contains("films.toml:2: name is 3") && unkept.reason.contains("move the file away"));
        assert!(unkept.changes.is_empty());
        let unkept = ask(Some(Change::Save(saved(1, "one")))).unwrap_err();
        assert!(unkept.told().starts_with("try 1 · one not kept on disk: "), "{}", unkept.told());
        assert_eq!(fs::read_to_string(&path).unwrap(), "[[try]]\nname = 3\n");
        fs::remove_file(&path).unwrap();
        assert_eq!(ask(Some(Change::Save(saved(2, "two")))).unwrap().tries, [saved(1, "one"), saved(2, "two")]);
        fs::write(&path, "try = 1\n").unwrap();
        assert!(ask(Some(Change::Delete(saved(2, "two")))).is_err());
        let [left] = &keeper.finish()[..] else { panic!("one dataset has something left") };
        assert!(left.starts_with("try 2 · two not kept on disk: "), "{left}");
    }

    #[test]
    fn tries_go_out_to_a_file_and_come_back_and_nothing_is_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mine.toml");
        let book = Book { tries: vec![saved(3, "bold"), saved(7, "shy")], looks: 2 };
        export(&path, "films", &book).unwrap();
        assert_eq!(import(&path).unwrap(), book.tries);
        assert!(export(&path, "films", &Book::default()).unwrap_err().contains("mine.toml: exists already"));
        fs::write(&path, "[[try]]\nname = 3\n").unwrap();
        assert!(import(&path).unwrap_err().contains("mine.toml:2: name is 3"));
        fs::write(&path, "format = 1\n").unwrap();
        assert!(import(&path).unwrap_err().contains("holds no [[try]]"));
        assert!(import(&home.path().join("none.toml")).unwrap_err().contains("cannot be read"));
        // Where no shell has read it.
        let homely = Path::new("~/no such folder/tries.toml");
        let told = [import(homely).map(drop), export(homely, "films", &book)].map(Result::unwrap_err);
        assert!(told.iter().all(|told| !told.contains('~')), "{told:?}");
    }

    #[test]
    fn no_name_of_a_dataset_leaves_the_folder_and_none_takes_anothers_file() {
        let names = ["a b", "a_b", "a/b", "../a", "", "a"].map(file_name);
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|name| !name.contains('/') && !name.starts_with('.')));
    }
}
