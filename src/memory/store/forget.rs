//! Taking a person out of stores: of the dataset's own, and of those that were made when its content was another.
//!
//! Every content of a dataset has a store of its own, so one that lost a line begins a new one, and the old one, which
//! nobody looks for any more, still holds everything. Invariants: what other people recorded is in the new store's log
//! before the old one goes; a store is gone as a whole, base, log and whatever was moved aside, or its log stays without
//! the person; a store that nothing ties to the dataset loses bases that nobody can read, which are made again, and not a
//! byte of its logs; all of it is done under the writer's lock, and again without harm.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use super::base::{self, BaseManifest};
use super::error::StoreError;
use super::lock::{WriterLock, remove};
use super::log::{LogContent, Rest, replace};
use super::{Memory, Opened, Store, Verified, number};
use crate::data::interaction::{Interaction, UserId};
use crate::memory::column::Source;

/// What a store holds of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// The store's folder.
    pub folder: PathBuf,
    /// Whether it is the store of the dataset as it is.
    pub current: bool,
    /// Whether anything readable ties it to the dataset. Where nothing does, bases that cannot be read go, and its logs stay.
    pub tied: bool,
    /// Bases that go, whole or in the making.
    pub bases: Vec<PathBuf>,
    /// Logs that go and were moved aside because of damage.
    pub aside: usize,
    /// Their recorded interactions.
    pub recorded: Vec<Interaction>,
    /// Recorded interactions of others.
    pub others: usize,
    /// What is wrong with the log: what stands behind it cannot be told apart, and goes.
    pub damage: Option<String>,
}

/// What stores hold of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remains {
    /// To be removed.
    pub holdings: Vec<Holding>,
    /// Logs with records of somebody of this name that nothing ties to the dataset, and how many.
    pub unrelated: Vec<(PathBuf, usize)>,
}

/// A store that a person leaves; nobody else writes to it meanwhile.
pub struct Forgetting {
    folder: PathBuf,
    lock: WriterLock,
    /// Whether it is the dataset's, now or once; else its logs are none of its business.
    tied: bool,
    /// The bases that were found.
    bases: Vec<PathBuf>,
    /// What others recorded.
    others: Vec<Interaction>,
}

/// What stands in a store's folder.
#[derive(Default)]
struct Folder {
    bases: Vec<PathBuf>,
    /// Logs moved aside, with what can be read of them.
    aside: Vec<(PathBuf, Vec<Interaction>)>,
    log: LogContent,
}

impl Folder {
    fn read(folder: &Path) -> Result<Self, StoreError> {
        let mut found = Self { log: LogContent::read(&folder.join("log"))?, ..Self::default() };
        for entry in fs::read_dir(folder).map_err(StoreError::io(folder))? {
            let path = entry.map_err(StoreError::io(folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("base-") {
                found.bases.push(path);
            } else if name.starts_with("log.") {
                let records = LogContent::read(&path)?.records;
                found.aside.push((path, records));
            }
        }
        Ok(found)
    }

    fn theirs(&self, user: &UserId) -> Vec<Interaction> {
        self.log.records.iter().filter(|record| record.user == *user).cloned().collect()
    }

    /// What the dataset's store, or one of an earlier content, holds of them.
    fn holding(self, folder: &Path, current: bool, user: &UserId) -> Holding {
        let recorded = self.theirs(user);
        let damage = match self.log.rest {
            Rest::Damage { what } => Some(what),
            Rest::Nothing | Rest::Unfinished { .. } => None,
        };
        let (others, aside) = (self.log.records.len() - recorded.len(), self.aside.len());
        let folder = folder.to_owned();
        Holding { folder, current, tied: true, bases: self.bases, aside, recorded, others, damage }
    }

    /// The same of a store that nothing ties to the dataset, but that has `bases` which may name them.
    fn doubt(self, folder: &Path, bases: Vec<PathBuf>) -> Holding {
        let (folder, others) = (folder.to_owned(), self.log.records.len());
        Holding { folder, current: false, tied: false, bases, aside: 0, recorded: Vec::new(), others, damage: None }
    }

    /// Whether the folder is nothing but its lock.
    fn is_bare(&self) -> bool {
        self.bases.is_empty() && self.aside.is_empty() && self.log.is_empty()
    }
}

/// What a base has to do with a person of a dataset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bond {
    /// Nothing.
    None,
    /// It was made from the same data and does not hold them.
    Related,
    /// It holds them.
    Holds,
    /// It cannot be read, and may hold them.
    Unreadable,
}

/// Looks into a base of any dataset; `known` says whether the dataset has an item of this identity and text.
fn bond(dir: &Path, user: &UserId, known: &dyn Fn(&str, &str) -> bool) -> Bond {
    let whole = number(dir).is_some() && BaseManifest::read(dir).is_ok_and(|manifest| manifest.verify(dir).is_empty());
    let columns = || base::people_and_texts(dir).ok();
    let Some((people, ids, texts)) = whole.then(columns).flatten() else {
        // What cannot be read answers nothing and is made again: no reason to keep what may name them.
        return if may_name(dir, user) { Bond::Unreadable } else { Bond::None };
    };
    let related = ids.iter().zip(texts.iter()).any(|(id, text)| known(id, text));
    match (related, people.iter().any(|person| person == user.as_str())) {
        (true, true) => Bond::Holds,
        (true, false) => Bond::Related,
        _ => Bond::None,
    }
}

/// Whether somebody stands in the list of people of a base that was not verified, or would if there were a whole one.
fn may_name(dir: &Path, user: &UserId) -> bool {
    let source = Verified(dir);
    let (Ok(ends), Ok(people)) = (source.column::<usize>("users-ends"), source.column::<u8>("users")) else {
        return true;
    };
    let starts = iter::once(0).chain(ends.iter().copied());
    // Nothing has been compared with a checksum: an end may lie anywhere.
    let people_of = starts.zip(ends.iter()).map(|(start, end)| people.get(start..*end));
    let whole = ends.last().copied().unwrap_or(0) == people.len();
    match people_of.collect::<Option<Vec<&[u8]>>>().filter(|_| whole) {
        Some(people) => people.contains(&user.as_str().as_bytes()),
        None => true,
    }
}

impl Store {
    /// The memory as it is, without writing anything: over the base if that serves, else built in memory.
    pub fn peek(&self) -> Result<Opened, StoreError> {
        let content = LogContent::read(&self.log())?;
        if self.openable().is_ok()
            && let Ok(mut memory) = self.try_base(&content)
        {
            memory.kept = None;
            return Ok(Opened { memory, notices: content.notice().into_iter().collect() });
        }
        let mut whole = self.whole(&content, None)?;
        whole.manifest.retrieval.embedder.without_model();
        let memory = Memory::build(&whole);
        Ok(Opened { memory, notices: content.notice().into_iter().collect() })
    }

    /// What this store and the others beside it hold of `user`. `known` says whether the dataset has an item of this
    /// identity and text: a store that shares one was made from it.
    pub fn remains(&self, user: &UserId, known: &dyn Fn(&str, &str) -> bool) -> Result<Remains, StoreError> {
        let mut remains = Remains::default();
        if self.folder.exists() {
            let folder = Folder::read(&self.folder)?;
            remains.holdings.extend((!folder.is_bare()).then(|| folder.holding(&self.folder, true, user)));
        }
        let root = self.folder.parent().unwrap_or(Path::new("."));
        let entries = match fs::read_dir(root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(remains),
            Err(source) => return Err(StoreError::Io { path: root.to_owned(), source }),
        };
        let mut others = Vec::new();
        for entry in entries {
            let path = entry.map_err(StoreError::io(root))?.path();
            if path.is_dir() && path != self.folder {
                others.push(path);
            }
        }
        others.sort();
        for path in others {
            let folder = Folder::read(&path)?;
            let bonds: Vec<Bond> = folder.bases.iter().map(|base| bond(base, user, known)).collect();
            let unreadable = bonds.contains(&Bond::Unreadable);
            let recorded = iter::once(&folder.log.records).chain(folder.aside.iter().map(|(_, records)| records));
            let tied = recorded.flatten().any(|record| known(&record.id, &record.query))
                || bonds.contains(&Bond::Related)
                || bonds.contains(&Bond::Holds);
            if tied {
                let theirs = folder.log.records.iter().any(|record| record.user == *user);
                let holds = theirs || !folder.aside.is_empty() || bonds.contains(&Bond::Holds);
                remains.holdings.extend((holds || unreadable).then(|| folder.holding(&path, false, user)));
                continue;
            }
            let log = path.join("log");
            let logs = iter::once((&log, &folder.log.records)).chain(folder.aside.iter().map(|(path, r)| (path, r)));
            for (log, records) in logs {
                let theirs = records.iter().filter(|record| record.user == *user).count();
                remains.unrelated.extend((theirs > 0).then(|| (log.clone(), theirs)));
            }
            let doubtful = folder.bases.iter().zip(&bonds).filter(|(_, bond)| **bond == Bond::Unreadable);
            let doubtful: Vec<PathBuf> = doubtful.map(|(base, _)| base.clone()).collect();
            remains.holdings.extend(unreadable.then(|| folder.doubt(&path, doubtful)));
        }
        Ok(remains)
    }

    /// Adds to the log what is not in it. Nobody has opened this store yet.
    fn adopt(&self, records: Vec<Interaction>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut known = LogContent::read(&self.log())?.records;
        let ids: HashSet<String> = known.iter().map(|record| record.id.clone()).collect();
        known.extend(records.into_iter().filter(|record| !ids.contains(&record.id)));
        replace(&self.log(), &known)
    }
}

impl Forgetting {
    /// Begins to take `user` out of the store that `holding` tells of.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] while another process writes to it.
    pub fn begin(holding: &Holding, user: &UserId) -> Result<Self, StoreError> {
        let folder = holding.folder.clone();
        let lock = WriterLock::take(&folder.join("lock"))?;
        let mut others = LogContent::read(&folder.join("log"))?.records;
        others.retain(|record| record.user != *user);
        Ok(Self { folder, lock, tied: holding.tied, bases: holding.bases.clone(), others })
    }

    /// Ends it for the dataset's own store: what others recorded goes to `next`, the store of the dataset without the
    /// person.
    /// `step` is called between both.
    pub fn move_to(mut self, next: &Store, step: &mut dyn FnMut()) -> Result<(), StoreError> {
        if next.folder == self.folder {
            return self.finish(next);
        }
        next.adopt(std::mem::take(&mut self.others))?;
        step();
        self.lock.remove_folder()
    }

    /// Ends it for the store of an earlier content: what others recorded stays where it is, unless it is in the log of
    /// `current` too. Of a store that nothing ties to the dataset only the bases go that were found.
    pub fn finish(mut self, current: &Store) -> Result<(), StoreError> {
        if !self.tied {
            remove(&self.bases)?;
            return if Folder::read(&self.folder)?.is_bare() { self.lock.remove_folder() } else { Ok(()) };
        }
        if current.folder != self.folder {
            let known = LogContent::read(&current.log())?.records;
            self.others.retain(|record| !known.contains(record));
        }
        let found = Folder::read(&self.folder)?;
        let log = self.folder.join("log");
        if !self.others.is_empty() {
            replace(&log, &self.others)?;
        }
        remove(&found.bases)?;
        remove(found.aside.iter().map(|(path, _)| path))?;
        if self.others.is_empty() { self.lock.remove_folder() } else { Ok(()) }
    }
}
