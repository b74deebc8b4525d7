//! Profiles on disk: one file a person and dataset, whose name says neither.
//!
//! Invariants: a file is written whole or not at all; one that cannot be read is told and never written over; a person's
//! file is found by what stands in it, also where it is damaged. Two datasets of one name that have somebody of the same
//! name share a file: profiles are told apart by the history that they are made from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Profile;
use crate::data::dataset::{DatasetError, write_whole};
use crate::data::interaction::UserId;
use crate::data::lock::FolderLock;

/// The newest form of file that is read.
const FORMAT: u32 = 1;
/// Profiles kept of one person; those of the shortest histories go first.
const MOST: usize = 32;

/// Why profiles could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A file or folder that cannot be read.
    #[error("{}: cannot be read ({source}); check its permissions", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that holds no profiles.
    #[error("{}: holds no profiles that this program reads ({reason}); move it away to begin a new one", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A folder that cannot be made, or a file that does not go.
    #[error("{}: cannot be changed ({source}); check its permissions", path.display())]
    Change {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that cannot be written.
    #[error(transparent)]
    Write(#[from] DatasetError),
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    dataset: String,
    user: UserId,
    profiles: Vec<Profile>,
}

/// A change of what is kept of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A profile comes, in the place of the one under the same key.
    Keep(Profile),
    /// The one under its key goes.
    Drop(Profile),
}

impl Change {
    /// Makes the change.
    pub fn make(&self, profiles: &mut Vec<Profile>) {
        let (Self::Keep(of) | Self::Drop(of)) = self;
        profiles.retain(|other| other.key() != of.key());
        if let Self::Keep(of) = self {
            profiles.push(of.clone());
        }
        profiles.sort_by_key(|profile| profile.from);
        let surplus = profiles.len().saturating_sub(MOST);
        profiles.drain(..surplus);
    }
}

/// The profiles of `user` on the dataset of this name; none where there is no file.
pub fn read(folder: &Path, dataset: &str, user: &UserId) -> Result<Vec<Profile>, ProfileError> {
    let path = path_of(folder, dataset, user);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ProfileError::Read { path, source }),
    };
    let form = |reason: String| ProfileError::Form { path: path.clone(), reason };
    let file: File = serde_json::from_slice(&bytes).map_err(|error| form(error.to_string()))?;
    match file.format {
        FORMAT => Ok(file.profiles),
        format => Err(form(format!("format {format}"))),
    }
}

/// Held from reading a file to writing it: what somebody else writes between the two would be undone.
fn alone(folder: &Path) -> Result<FolderLock, ProfileError> {
    FolderLock::take(folder).map_err(|source| ProfileError::Change { path: folder.to_owned(), source })
}

/// Makes a change, and says what is kept then.
pub fn change(folder: &Path, dataset: &str, user: &UserId, change: &Change) -> Result<Vec<Profile>, ProfileError> {
    let _alone = alone(folder)?;
    let mut profiles = read(folder, dataset, user)?;
    change.make(&mut profiles);
    let path = path_of(folder, dataset, user);
    if profiles.is_empty() {
        remove(&path)?;
        return Ok(profiles);
    }
    let file = File { format: FORMAT, dataset: dataset.to_owned(), user: user.clone(), profiles };
    write(&path, &file)?;
    Ok(file.profiles)
}

/// Files with profiles of somebody of a person's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Those with something of the person.
    pub theirs: Vec<PathBuf>,
    /// Those with profiles that nothing ties to them, which stay; one may be among the others, too.
    pub unrelated: Vec<PathBuf>,
}

/// Tells the profiles of a person from those of somebody else of the same name.
#[derive(Clone, Copy)]
pub struct Whose<'a> {
    /// The name of the dataset.
    pub dataset: &'a str,
    /// The name of the person.
    pub user: &'a UserId,
    /// Whether a profile is made from what the person did, or says it.
    pub theirs: &'a dyn Fn(&Profile) -> bool,
}

impl Whose<'_> {
    /// What stays of a file without the person; `None` where nothing of theirs is in it.
    fn without(&self, file: &File) -> Option<Vec<Profile>> {
        let named = file.user == *self.user && file.dataset == self.dataset;
        // Of no interactions a profile can be typed: that is theirs by name, or nobody's.
        let goes = |profile: &Profile| (self.theirs)(profile) || (named && profile.from == 0);
        let stays: Vec<Profile> = file.profiles.iter().filter(|profile| !goes(profile)).cloned().collect();
        let theirs = stays.len() < file.profiles.len() || (named && stays.is_empty());
        theirs.then_some(stays)
    }
}

/// What `bytes` hold, if this program reads it.
fn parse(bytes: &[u8]) -> Option<File> {
    serde_json::from_slice::<File>(bytes).ok().filter(|file| file.format == FORMAT)
}

/// Files in `folder` with profiles of a person, damaged ones and halves of interrupted writes among them.
pub fn about(folder: &Path, whose: Whose) -> Result<Files, ProfileError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| ProfileError::Read { path, source }
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Files::default()),
        Err(error) => return Err(failed(folder)(error)),
    };
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (user, dataset) = (quoted(whose.user.as_str()), quoted(whose.dataset));
    let mut found = Files::default();
    for entry in entries {
        let path = entry.map_err(failed(folder))?.path();
        if !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path).map_err(failed(&path))?;
        let (theirs, unrelated) = match parse(&bytes) {
            Some(file) if file.user == *whose.user => {
                let stays = whose.without(&file);
                (stays.is_some(), stays.is_none_or(|stays| !stays.is_empty()))
            }
            Some(_) => (false, false),
            // Whose a damaged one is can only be guessed; by its name, or by both names in it.
            None => {
                let text = String::from_utf8_lossy(&bytes);
                let named = text.contains(&user);
                let theirs = path == path_of(folder, whose.dataset, whose.user) || (named && text.contains(&dataset));
                (theirs, named && !theirs)
            }
        };
        found.theirs.extend(theirs.then(|| path.clone()));
        found.unrelated.extend(unrelated.then_some(path));
    }
    found.theirs.sort();
    found.unrelated.sort();
    Ok(found)
}

/// Takes a person's profiles out of a file that [`about`] found: all of it goes that is not somebody else's.
pub fn forget(path: &Path, whose: Whose) -> Result<(), ProfileError> {
    let _alone = path.parent().map(alone).transpose()?;
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ProfileError::Read { path: path.to_owned(), source }),
    };
    match parse(&bytes).map(|file| (whose.without(&file), file)) {
        // It was read since, and there is nothing of theirs in it any more.
        Some((None, _)) => Ok(()),
        Some((Some(profiles), file)) if !profiles.is_empty() => write(path, &File { profiles, ..file }),
        _ => remove(path),
    }
}

fn write(path: &Path, file: &File) -> Result<(), ProfileError> {
    let bytes = serde_json::to_vec_pretty(file)
        .map_err(|error| ProfileError::Change { path: path.to_owned(), source: io::Error::other(error) })?;
    Ok(write_whole(path, &bytes)?)
}

/// Removes a file; one that is gone already is no failure.
fn remove(path: &Path) -> Result<(), ProfileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ProfileError::Change { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn path_of(folder: &Path, dataset: &str, user: &UserId) -> PathBuf {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(dataset.len() as u64).to_le_bytes()).update(dataset.as_bytes()).update(user.as_str().as_bytes());
    folder.join(format!("{}.json", &hasher.finalize().to_hex()[..32]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(from: usize, text: &str) -> Profile {
        Profile {
            model: "m".into(),
            version: super::super::VERSION,
            from,
            history: format!("h{from}"),
            written: text.into(),
            tokens: 3,
            edited: None,
        }
    }

    /// How many files hold profiles of `user`, all of them theirs, and how many are of somebody else of the name.
    fn found(folder: &Path, dataset: &str, user: &UserId, theirs: bool) -> (usize, usize) {
        let found = about(folder, Whose { dataset, user, theirs: &|_| theirs }).unwrap();
        (found.theirs.len(), found.unrelated.len())
    }

    #[test]
    fn profiles_are_kept_by_person_dataset_and_key() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("profiles");
        let (ann, bo) = (UserId::new("ann"), UserId::new("bo"));
        assert_eq!(read(&folder, "films", &ann).unwrap(), []);
        let keep = |user: &UserId, of: Profile| change(&folder, "films", user, &Change::Keep(of)).unwrap();
        keep(&ann, profile(3, "a"));
        keep(&bo, profile(3, "b"));
        let edited = Profile { edited: Some("by hand".into()), ..profile(3, "a") };
        assert_eq!(
            keep(&ann, edited.clone()),
            std::slice::from_ref(&edited),
            "in the place of the one under the same key"
        );
        assert_eq!(keep(&ann, profile(2, "earlier")), [profile(2, "earlier"), edited.clone()]);
        assert_eq!(read(&folder, "films", &ann).unwrap(), [profile(2, "earlier"), edited.clone()]);
        assert_eq!(read(&folder, "books", &ann).unwrap(), [], "another dataset's ann");
        assert_eq!(found(&folder, "films", &ann, true), (1, 0));
        assert_eq!(found(&folder, "books", &ann, true), (1, 0), "another name, and made from what she did");
        assert_eq!(found(&folder, "films", &ann, false), (0, 1), "another's ann on data of the same name");
        let names: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(names.iter().all(|name| !name.to_string_lossy().contains("ann")), "{names:?}");

        change(&folder, "films", &ann, &Change::Drop(edited)).unwrap();
        change(&folder, "films", &ann, &Change::Drop(profile(2, ""))).unwrap();
        assert_eq!(found(&folder, "films", &ann, true), (0, 0), "a file of nothing goes");
        assert_eq!(found(&folder, "films", &bo, true), (1, 0));
    }

    /// Two datasets of one name share a file of somebody of the same name; a profile of no interactions is theirs by name.
    #[test]
    fn what_is_not_made_from_their_history_stays() {
        let home = tempfile::tempdir().unwrap();
        let (folder, ann) = (home.path(), UserId::new("ann"));
        for of in [profile(0, "typed"), profile(3, "hers"), profile(4, "of another ann")] {
            change(folder, "imported", &ann, &Change::Keep(of)).unwrap();
        }
        let whose = |dataset: &'static str| Whose { dataset, user: &ann, theirs: &|of: &Profile| of.history == "h3" };
        let path = path_of(folder, "imported", &ann);
        let both = Files { theirs: vec![path.clone()], unrelated: vec![path.clone()] };
        assert_eq!(about(folder, whose("renamed")).unwrap(), both);
        forget(&path, whose("renamed")).unwrap();
        assert_eq!(read(folder, "imported", &ann).unwrap(), [profile(0, "typed"), profile(4, "of another ann")]);
        assert_eq!(about(folder, whose("imported")).unwrap(), both);
        forget(&path, whose("imported")).unwrap();
        let stays = Files { theirs: Vec::new(), unrelated: vec![path.clone()] };
        assert_eq!(about(folder, whose("imported")).unwrap(), stays);
        forget(&path, whose("imported")).unwrap();
        assert_eq!(read(folder, "imported", &ann).unwrap(), [profile(4, "of another ann")]);
    }

    /// Both read the same file, and the later one wrote over what the earlier one had.
    #[test]
    fn no_profile_is_lost_where_two_workbenches_keep_one_at_once() {
        let home = tempfile::tempdir().unwrap();
        let (folder, ann) = (home.path().join("profiles"), UserId::new("ann"));
        let keep = |from| change(&folder, "films", &ann, &Change::Keep(profile(from, "a"))).unwrap();
        std::thread::scope(|scope| {
            for first in [0, 1] {
                scope.spawn(move || (first..MOST).step_by(2).for_each(|from| drop(keep(from))));
            }
        });
        let kept: Vec<usize> = read(&folder, "films", &ann).unwrap().iter().map(|profile| profile.from).collect();
        assert_eq!(kept, (0..MOST).collect::<Vec<_>>());
    }

    /// A workbench could keep a profile of somebody else of the name in the same file meanwhile, which was lost then.
    #[test]
    fn nobody_writes_while_a_person_is_taken_out_of_a_file() {
        let home = tempfile::tempdir().unwrap();
        let (folder, ann) = (home.path(), UserId::new("ann"));
        for from in [3, 4] {
            change(folder, "films", &ann, &Change::Keep(profile(from, "a"))).unwrap();
        }
        let asked = std::cell::Cell::new(0);
        let theirs = |of: &Profile| {
            asked.set(asked.get() + 1);
            assert!(FolderLock::take_free(folder).is_none(), "somebody else may write");
            of.from == 3
        };
        forget(&path_of(folder, "films", &ann), Whose { dataset: "films", user: &ann, theirs: &theirs }).unwrap();
        assert_eq!(asked.get(), 2);
        assert_eq!(read(folder, "films", &ann).unwrap(), [profile(4, "a")]);
        assert!(FolderLock::take_free(folder).is_some(), "it is given back");
    }

    #[test]
    fn a_damaged_file_is_told_kept_and_found() {
        let home = tempfile::tempdir().unwrap();
        let (folder, ann) = (home.path(), UserId::new("ann"));
        change(folder, "films", &ann, &Change::Keep(profile(3, "a"))).unwrap();
        let path = path_of(folder, "films", &ann);
        fs::write(&path, "{\"format\": 1, \"user\": \"ann\", ").unwrap();
        let told = change(folder, "films", &ann, &Change::Keep(profile(4, "b"))).unwrap_err().to_string();
        assert!(told.contains(".json") && told.contains("move it away") && !told.contains('\n'), "{told}");
        assert!(fs::read_to_string(&path).unwrap().ends_with("\"ann\", "), "nothing is written over it");
        assert_eq!(found(folder, "films", &ann, false), (1, 0), "by its name");
        fs::write(folder.join("half.part"), "{\"dataset\": \"films\", \"user\": \"ann\"").unwrap();
        assert_eq!(found(folder, "films", &ann, false), (2, 0), "by both names in it");
        assert_eq!(found(folder, "books", &ann, false), (0, 2));
        let whose = Whose { dataset: "films", user: &ann, theirs: &|_| false };
        about(folder, whose).unwrap().theirs.iter().for_each(|path| forget(path, whose).unwrap());
        forget(&path, whose).unwrap();
        assert_eq!(found(folder, "films", &ann, false), (0, 0));
        fs::write(&path, "{\"format\": 9, \"dataset\": \"films\", \"user\": \"ann\", \"profiles\": []}").unwrap();
        assert!(read(folder, "films", &ann).unwrap_err().to_string().contains("format 9"));
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let mut profiles = Vec::new();
        (1..=MOST + 2).for_each(|from| Change::Keep(profile(from, "x")).make(&mut profiles));
        assert_eq!((profiles.len(), profiles[0].from), (MOST, 3));
    }
}
