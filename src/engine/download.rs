//! Models from a hub: finds what is already on this machine, downloads the rest, and goes on where it was interrupted.
//!
//! Invariants:
//! * A file bears its name only when it is whole and its checksum is right; until then it is a `.part` beside it, named
//!   after the checksum it is to have, so that what was downloaded of one version never becomes part of another.
//! * What is complete is used as it is, without a network. An update is asked for by removing its folder.
//! * Names that come from the network stay within the model's folder.
//! * The token is sent to the hub alone, never to where the hub redirects, and never printed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::engine::LoadStage;
use super::error::EngineError;
use super::model::{HubId, is_name};
use super::room::Bytes;

/// Where models are, unless `HF_ENDPOINT` says otherwise.
const ENDPOINT: &str = "https://huggingface.co";
/// What is taken along with weights, where the repository has it.
const BESIDE: [&str; 7] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "logoscope.json",
];
/// What a folder of safetensors cannot do without.
const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];
/// Bytes between two words about progress.
const STRIDE: u64 = 1 << 20;

/// Where models are downloaded from, and kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Hub {
    /// Its address, without a slash at the end.
    pub endpoint: String,
    /// What proves who is asking.
    pub token: Option<String>,
    /// Whether nothing may be asked of it.
    pub offline: bool,
    /// This program's cache: downloaded models are in its folder `hub`.
    pub cache: PathBuf,
    /// The cache that other programs share, which is read and never written.
    pub shared: Option<PathBuf>,
}

impl Default for Hub {
    /// A hub that is never asked and keeps nothing.
    fn default() -> Self {
        let cache = std::env::temp_dir().join("logoscope");
        Self { endpoint: ENDPOINT.to_owned(), token: None, offline: true, cache, shared: None }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, token, offline, cache, shared } = self;
        let token = token.as_ref().map(|_| "…");
        write!(f, "Hub {{ {endpoint}, token: {token:?}, offline: {offline}, {cache:?}, {shared:?} }}")
    }
}

impl Hub {
    /// The hub as the environment describes it, the way every program of the ecosystem reads it: `HF_ENDPOINT`,
    /// `HF_TOKEN`, `HF_HUB_CACHE`, `HF_HOME`. Whoever decides about `offline` has asked `HF_HUB_OFFLINE`.
    pub fn from_environment(cache: PathBuf, offline: bool) -> Self {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        // The same on every system, whatever its own cache folder is.
        let cached = || Some(directories::BaseDirs::new()?.home_dir().join(".cache"));
        let cached = of("XDG_CACHE_HOME").map(PathBuf::from).or_else(cached).map(|cache| cache.join("huggingface"));
        let home = of("HF_HOME").map(PathBuf::from).or(cached);
        let token = of("HF_TOKEN").or_else(|| of("HUGGING_FACE_HUB_TOKEN"));
        let token = token.or_else(|| fs::read_to_string(home.as_ref()?.join("token")).ok());
        Self {
            endpoint: of("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()).trim_end_matches('/').to_owned(),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            offline,
            cache,
            shared: of("HF_HUB_CACHE").map(PathBuf::from).or_else(|| Some(home?.join("hub"))),
        }
    }

    /// The folder of all models of ours.
    pub fn folder(&self) -> PathBuf {
        self.cache.join("hub")
    }

    /// The path of a model: its folder, or its GGUF file. Downloads what is not on this machine; `told` hears how far it
    /// is and may end it with an error, after which the next call goes on from there.
    pub fn fetch(
        &self,
        id: &HubId,
        told: &dyn Fn(LoadStage) -> Result<(), EngineError>,
    ) -> Result<PathBuf, EngineError> {
        let home = self.folder().join(format!("{}--{}", id.owner, id.name));
        if let Some(path) = self.here(id) {
            return Ok(path);
        }
        let failed =
            |(reason, remedy): (String, String)| EngineError::Download { model: id.to_string(), reason, remedy };
        if self.offline {
            let remedy = "leave out --offline (and HF_HUB_OFFLINE), or give the path of a copy";
            return Err(failed((
                "it is not on this machine, and nothing may be asked of a network".into(),
                remedy.into(),
            )));
        }
        let _alone = lock(&home).map_err(failed)?;
        let told = |done, total| told(LoadStage::Downloading { done, total });
        told(0, 0)?;
        let plan = Plan::of(&self.list(id).map_err(failed)?, id).map_err(failed)?;
        let total = plan.files.iter().map(|file| file.size).sum();
        let mut before = 0;
        for file in &plan.files {
            let url = format!("{}/{}/{}/resolve/{}/{}", self.endpoint, id.owner, id.name, plan.commit, file.path);
            let progress = |done: u64| told(before + done, total);
            file.download(&home, &progress, &mut |offset| self.get(&url, offset)).map_err(|stopped| match stopped {
                Stopped::Failed(reason, remedy) => failed((reason, remedy)),
                Stopped::Told(error) => error,
            })?;
            // Noted one by one: what is whole is not downloaded twice, whatever becomes of the rest.
            plan.note(&home, file).map_err(failed)?;
            before += file.size;
        }
        plan.note_whole(&home).map_err(failed)?;
        Ok(plan.result(&home))
    }

    /// The path of a model that is whole on this machine: in our cache, else in the shared one.
    pub fn here(&self, id: &HubId) -> Option<PathBuf> {
        let home = self.folder().join(format!("{}--{}", id.owner, id.name));
        self.ours(&home, id).or_else(|| self.theirs(id))
    }

    fn ours(&self, home: &Path, id: &HubId) -> Option<PathBuf> {
        let record = Record::read(home)?;
        let whole = |name: &str| {
            let known = record.files.get(name)?;
            let size = fs::metadata(home.join(name)).ok()?.len();
            (size == known.size).then_some(())
        };
        match &id.file {
            Some(file) => {
                let parts = parts_of(flat(file));
                parts.iter().try_for_each(|part| whole(part))?;
                Some(home.join(flat(file)))
            }
            None => {
                record.folder.then_some(())?;
                record.files.keys().filter(|name| !name.ends_with(".gguf")).try_for_each(|name| whole(name))?;
                Some(home.to_owned())
            }
        }
    }

    /// The newest snapshot that other programs have downloaded, if it has all that is needed.
    fn theirs(&self, id: &HubId) -> Option<PathBuf> {
        let home = self.shared.as_ref()?.join(format!("models--{}--{}", id.owner, id.name));
        let commit = fs::read_to_string(home.join("refs").join("main")).ok()?;
        let commit = commit.trim();
        if !is_name(commit) {
            return None;
        }
        let snapshot = home.join("snapshots").join(commit);
        match &id.file {
            Some(file) => {
                let folder = Path::new(file).parent().map_or(snapshot.clone(), |inner| snapshot.join(inner));
                let whole = parts_of(flat(file)).iter().all(|part| folder.join(part).is_file());
                whole.then(|| snapshot.join(file))
            }
            None => {
                let weights =
                    fs::read_dir(&snapshot).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                let weights: Vec<String> = weights.filter(|name| name.ends_with(".safetensors")).collect();
                // A file that is still on its way is no link yet.
                let promised = weights.iter().filter_map(|name| shard(name)).map(|(_, of)| of).max();
                let whole = !weights.is_empty() && promised.is_none_or(|of| weights.len() >= of);
                let readable = weights.iter().all(|name| snapshot.join(name).is_file());
                let needed = NEEDED.iter().all(|name| snapshot.join(name).is_file());
                (whole && readable && needed).then_some(snapshot)
            }
        }
    }
}

/// A file about a model's folder: beside it, so that the folder holds the model alone.
fn beside(home: &Path, extension: &str) -> PathBuf {
    let name = home.file_name().unwrap_or_default().to_string_lossy();
    home.with_file_name(format!("{name}.{extension}"))
}

/// The file name of a path in a repository: everything is kept side by side.
fn flat(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The number and the count of `model-00001-of-00003.safetensors`.
fn shard(name: &str) -> Option<(usize, usize)> {
    let (stem, _) = name.rsplit_once('.')?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (_, number) = rest.rsplit_once('-')?;
    Some((number.parse().ok()?, count.parse().ok()?))
}

/// All parts of a file that may be split, in order.
pub fn parts_of(name: &str) -> Vec<String> {
    let whole = || vec![name.to_owned()];
    let Some((_, count)) = shard(name).filter(|(_, count)| (1..1000).contains(count)) else { return whole() };
    let Some((stem, extension)) = name.rsplit_once('.') else { return whole() };
    let Some((rest, total)) = stem.rsplit_once("-of-") else { return whole() };
    let Some((base, digits)) = rest.rsplit_once('-') else { return whole() };
    let width = digits.len();
    (1..=count).map(|number| format!("{base}-{number:0width$}-of-{total}.{extension}")).collect()
}

/// A refusal: the reason and the remedy.
type Refusal = (String, String);

fn refuse<T>(reason: impl Into<String>, remedy: impl Into<String>) -> Result<T, Refusal> {
    Err((reason.into(), remedy.into()))
}

/// What a repository holds, as the hub lists it.
#[derive(Debug, Deserialize)]
struct Listing {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(rename = "blobId", default)]
    blob: Option<String>,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

/// What is to be downloaded, all of one commit.
#[derive(Debug)]
struct Plan {
    commit: String,
    files: Vec<Wanted>,
    /// The GGUF file asked for; `None` for a folder.
    file: Option<String>,
}

/// A file to be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its path in the repository.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// What it must come to.
    pub checksum: Checksum,
}

/// What a file's bytes must come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// SHA-256 of the bytes, in hexadecimal: of large files.
    Sha256(String),
    /// The name that git gives the bytes, in hexadecimal: of small files.
    Git(String),
}

impl Checksum {
    fn text(&self) -> &str {
        match self {
            Self::Sha256(text) | Self::Git(text) => text,
        }
    }
}

/// Bytes summed as they come.
enum Summer {
    Sha256(Sha256),
    Git(Sha1),
}

impl Summer {
    fn new(checksum: &Checksum, size: u64) -> Self {
        match checksum {
            Checksum::Sha256(_) => Self::Sha256(Sha256::new()),
            Checksum::Git(_) => Self::Git(Sha1::new().chain_update(format!("blob {size}\0"))),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sum) => sum.update(bytes),
            Self::Git(sum) => sum.update(bytes),
        }
    }

    fn finish(self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sha256(sum) => hex(&sum.finalize()),
            Self::Git(sum) => hex(&sum.finalize()),
        }
    }
}

impl Plan {
    fn of(listing: &Listing, id: &HubId) -> Result<Self, Refusal> {
        const ODD: &str = "check HF_ENDPOINT, or give the path of a copy";
        if !is_name(&listing.sha) {
            return refuse("the hub names no version of it", ODD);
        }
        let named = |path: &str| listing.siblings.iter().find(|sibling| sibling.rfilename == path);
        let mut wanted: Vec<&Sibling> = Vec::new();
        match &id.file {
            Some(file) => {
                let folder = &file[..file.len() - flat(file).len()];
                for part in parts_of(flat(file)) {
                    let path = format!("{folder}{part}");
                    match named(&path) {
                        Some(sibling) => wanted.push(sibling),
                        None => return refuse(format!("it has no file {path}"), gguf_files(listing)),
                    }
                }
                // Small files first: what is wrong with a repository shows before its weights are here.
                wanted.splice(0..0, named("tokenizer.json"));
            }
            None => {
                let is_weights = |name: &str| is_name(name) && name.ends_with(".safetensors");
                let all = listing.siblings.iter().filter(|sibling| is_weights(&sibling.rfilename));
                // One set of weights: the whole ones or the shards, never both.
                let (shards, single): (Vec<_>, Vec<_>) = all.partition(|sibling| shard(&sibling.rfilename).is_some());
                let model = |sibling: &&&Sibling| sibling.rfilename == "model.safetensors";
                match single.iter().find(model).or(single.first()) {
                    Some(whole) if shards.is_empty() || model(&whole) => wanted.push(whole),
                    _ => wanted.extend(shards.iter().filter(|shard| shard.rfilename.starts_with("model-"))),
                }
                if wanted.is_empty() {
                    return refuse("it has no safetensors files", gguf_files(listing));
                }
                if let Some(missing) = NEEDED.iter().find(|name| named(name).is_none()) {
                    return refuse(format!("it has no {missing}"), "choose a model that brings it");
                }
                wanted.splice(0..0, BESIDE.iter().filter_map(|name| named(name)));
            }
        }
        let file = |sibling: &Sibling| -> Result<Wanted, Refusal> {
            let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
            let path = sibling.rfilename.clone();
            let (size, checksum) = match (&sibling.lfs, sibling.size, &sibling.blob) {
                (Some(lfs), ..) if hex(&lfs.sha256, 64) => (lfs.size, Checksum::Sha256(lfs.sha256.to_lowercase())),
                (None, Some(size), Some(blob)) if hex(blob, 40) => (size, Checksum::Git(blob.to_lowercase())),
                _ => return refuse(format!("the hub states no size and checksum of {path}"), ODD),
            };
            Ok(Wanted { path, size, checksum })
        };
        let files = wanted.into_iter().map(file).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { commit: listing.sha.clone(), files, file: id.file.clone() })
    }

    /// Writes down that a file is complete.
    fn note(&self, home: &Path, Wanted { path, size, checksum }: &Wanted) -> Result<(), Refusal> {
        let mut record = Record::read(home).unwrap_or_default();
        record.commit.clone_from(&self.commit);
        record.files.insert(flat(path).to_owned(), Known { size: *size, checksum: checksum.clone() });
        record.write(home)
    }

    /// Writes down that all files are.
    fn note_whole(&self, home: &Path) -> Result<(), Refusal> {
        let mut record = Record::read(home).unwrap_or_default();
        record.folder |= self.file.is_none();
        record.write(home)
    }

    fn result(&self, home: &Path) -> PathBuf {
        self.file.as_ref().map_or_else(|| home.to_owned(), |file| home.join(flat(file)))
    }
}

/// What to write to get one of the GGUF files of a repository.
fn gguf_files(listing: &Listing) -> String {
    let names = listing.siblings.iter().map(|sibling| sibling.rfilename.as_str());
    let some: Vec<&str> = names.filter(|name| name.ends_with(".gguf")).take(5).collect();
    match some.is_empty() {
        true => "choose a model that brings config.json, tokenizer.json and safetensors".to_owned(),
        false => format!("name one of its GGUF files after a colon: {}", some.join(", ")),
    }
}

/// What has been downloaded into a folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    commit: String,
    /// Whether all that a folder of safetensors needs is among it.
    folder: bool,
    files: BTreeMap<String, Known>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    size: u64,
    checksum: Checksum,
}

impl Record {
    fn read(home: &Path) -> Option<Self> {
        let record: Self = serde_json::from_slice(&fs::read(beside(home, "json")).ok()?).ok()?;
        record.files.keys().all(|name| is_name(name)).then_some(record)
    }

    fn write(&self, home: &Path) -> Result<(), Refusal> {
        let (target, part) = (beside(home, "json"), beside(home, "json.part"));
        let write = || -> io::Result<()> {
            fs::write(&part, serde_json::to_vec_pretty(self)?)?;
            fs::rename(&part, &target)
        };
        write().map_err(|error| unwritten(&target, &error))
    }
}

/// Holds a folder for one download at a time, of this process and of others.
fn lock(home: &Path) -> Result<File, Refusal> {
    fs::create_dir_all(home).map_err(|error| unwritten(home, &error))?;
    let path = beside(home, "lock");
    let file = File::create(&path).map_err(|error| unwritten(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            refuse("it is being downloaded already, or a download of it is still ending", "try again in a moment")
        }
        Err(fs::TryLockError::Error(error)) => Err(unwritten(&path, &error)),
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Refusal {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on that disk, or set XDG_CACHE_HOME to another; what is there is kept, and the next attempt goes on"
        }
        _ => "make it writable, or set XDG_CACHE_HOME to another folder",
    };
    (format!("{} cannot be written: {error}", path.display()), remedy.to_owned())
}

/// What a server answers to a request for the bytes of a file.
pub struct Body {
    /// Where in the file the bytes begin: what was asked for, or 0 where the server cannot do that.
    pub offset: u64,
    /// The bytes.
    pub bytes: Box<dyn Read>,
}

/// Why the bytes of a file cannot be had.
#[derive(Debug)]
pub enum Unheard {
    /// The connection failed; another attempt may do better.
    Cut(String),
    /// The part that was asked for is not there: the file is to be asked for from its beginning.
    Range,
    /// The server refuses: the reason and the remedy.
    Refused(String, String),
}

/// What ends the download of a file before its end.
#[derive(Debug)]
pub enum Stopped {
    /// It failed: the reason and the remedy.
    Failed(String, String),
    /// Whoever was told of its progress ended it.
    Told(EngineError),
}

impl From<Refusal> for Stopped {
    fn from((reason, remedy): Refusal) -> Self {
        Self::Failed(reason, remedy)
    }
}

const NEXT_TIME: &str = "what has been downloaded is kept; try again, and it goes on from there";

impl Wanted {
    /// Downloads the file into `home`, going on where an earlier attempt ended. `get` asks for its bytes from an offset
    /// on; `progress` hears how many bytes are there.
    ///
    /// A connection that is cut is opened again as long as it brings something.
    pub fn download(
        &self,
        home: &Path,
        progress: &dyn Fn(u64) -> Result<(), EngineError>,
        get: &mut dyn FnMut(u64) -> Result<Body, Unheard>,
    ) -> Result<(), Stopped> {
        let name = flat(&self.path);
        let target = home.join(name);
        if !is_name(name) {
            return Err(Stopped::Failed(format!("the hub has a file called {name:?}"), "choose another model".into()));
        }
        if fs::metadata(&target).is_ok_and(|found| found.len() == self.size) && self.is_known(home) {
            progress(self.size).map_err(Stopped::Told)?;
            return Ok(());
        }
        let part = home.join(format!("{name}.{}.part", &self.checksum.text()[..16]));
        let mut file = File::options().read(true).append(true).create(true).open(&part);
        let file = file.as_mut().map_err(|error| unwritten(&part, error))?;
        let mut summer = Summer::new(&self.checksum, self.size);
        let mut done = self.resume(file, &mut summer).map_err(|error| unwritten(&part, &error))?;
        progress(done).map_err(Stopped::Told)?;
        while done < self.size {
            let before = done;
            let cut = match get(done) {
                Ok(body) => {
                    if body.offset != done {
                        // It sends everything, whatever was asked for.
                        file.set_len(0).map_err(|error| unwritten(&part, &error))?;
                        (done, summer) = (0, Summer::new(&self.checksum, self.size));
                    }
                    self.take(body.bytes, file, &part, (&mut done, &mut summer), progress)?
                }
                Err(Unheard::Range) if done > 0 => {
                    file.set_len(0).map_err(|error| unwritten(&part, &error))?;
                    (done, summer) = (0, Summer::new(&self.checksum, self.size));
                    continue;
                }
                Err(Unheard::Range) => Some("the server does not send it".to_owned()),
                Err(Unheard::Cut(reason)) => Some(reason),
                Err(Unheard::Refused(reason, remedy)) => return Err(Stopped::Failed(reason, remedy)),
            };
            if done <= before && done < self.size {
                let reason = cut.unwrap_or_else(|| "the server sent nothing more".to_owned());
                let told =
                    format!("the connection was cut at {} of {} of {name}: {reason}", Bytes(done), Bytes(self.size));
                return Err(Stopped::Failed(told, NEXT_TIME.to_owned()));
            }
        }
        let sum = summer.finish();
        if sum != self.checksum.text() {
            let _ = fs::remove_file(&part);
            let told = format!("{name} has the checksum {sum}, and the hub states {}", self.checksum.text());
            return Err(Stopped::Failed(told, "it was removed; try again, or tell whoever published it".to_owned()));
        }
        let finish = || -> io::Result<()> {
            file.sync_all()?;
            fs::rename(&part, &target)
        };
        finish().map_err(|error| unwritten(&target, &error))?;
        progress(self.size).map_err(Stopped::Told)
    }

    /// Whether the folder's record says that this very file is there.
    fn is_known(&self, home: &Path) -> bool {
        Record::read(home).is_some_and(|record| {
            record.files.get(flat(&self.path)).is_some_and(|known| known.checksum == self.checksum)
        })
    }

    /// Sums what an earlier attempt has left, and says how much that is.
    fn resume(&self, file: &mut File, summer: &mut Summer) -> io::Result<u64> {
        let length = file.metadata()?.len();
        if length > self.size {
            file.set_len(0)?;
            return Ok(0);
        }
        file.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; 1 << 16];
        let mut done = 0;
        while done < length {
            match file.read(&mut buffer)? {
                0 => break,
                n => {
                    summer.update(&buffer[..n]);
                    done += n as u64;
                }
            }
        }
        Ok(done)
    }

    /// Takes bytes until there are no more or the file is whole. What went wrong with the connection, if anything.
    fn take(
        &self,
        bytes: Box<dyn Read>,
        file: &mut File,
        part: &Path,
        (done, summer): (&mut u64, &mut Summer),
        progress: &dyn Fn(u64) -> Result<(), EngineError>,
    ) -> Result<Option<String>, Stopped> {
        let mut bytes = bytes.take(self.size - *done);
        let mut buffer = vec![0; 1 << 16];
        let mut told = *done;
        loop {
            let n = match bytes.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Some(error.to_string())),
            };
            file.write_all(&buffer[..n]).map_err(|error| unwritten(part, &error))?;
            summer.update(&buffer[..n]);
            *done += n as u64;
            if *done - told >= STRIDE || *done == self.size {
                told = *done;
                progress(*done).map_err(Stopped::Told)?;
            }
        }
    }
}

#[cfg(feature = "local")]
mod transport {
    use std::io::Read;
    use std::time::Duration;

    use super::{Body, Hub, HubId, Listing, NEXT_TIME, Refusal, Unheard};

    /// The longest list of files that is read.
    const LARGEST_LISTING: u64 = 32 << 20;
    const CONNECT: Duration = Duration::from_secs(15);
    /// Silence after which a connection is taken for dead.
    const SILENCE: Duration = Duration::from_secs(20);

    impl Hub {
        /// The files of a repository at its newest commit.
        pub(super) fn list(&self, id: &HubId) -> Result<Listing, Refusal> {
            let url = format!("{}/api/models/{}/{}/revision/main?blobs=true", self.endpoint, id.owner, id.name);
            let body = self.ask(&url, 0).map_err(|unheard| match unheard {
                Unheard::Refused(reason, remedy) => (reason, remedy),
                Unheard::Cut(reason) => {
                    (reason, "check the network, or pass --offline with a model that is here".to_owned())
                }
                Unheard::Range => ("the server misunderstands".to_owned(), "check HF_ENDPOINT".to_owned()),
            })?;
            let listing = serde_json::from_reader(body.bytes.take(LARGEST_LISTING));
            listing.map_err(|error| {
                (format!("{} does not answer as a hub does: {error}", self.endpoint), "check HF_ENDPOINT".to_owned())
            })
        }

        /// The bytes of a file from `offset` on.
        pub(super) fn get(&self, url: &str, offset: u64) -> Result<Body, Unheard> {
            self.ask(url, offset)
        }

        fn ask(&self, url: &str, offset: u64) -> Result<Body, Unheard> {
            let host = self.endpoint.split("://").nth(1).unwrap_or_default();
            let near = ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host.starts_with(name));
            let agent = ureq::AgentBuilder::new()
                .try_proxy_from_env(!near)
                .timeout_connect(CONNECT)
                .timeout_read(SILENCE)
                .redirect_auth_headers(ureq::RedirectAuthHeaders::SameHost)
                .user_agent(concat!("logoscope/", env!("CARGO_PKG_VERSION")))
                .build();
            // Compressed bytes would not be the file's.
            let mut request = agent.get(url).set("Accept-Encoding", "identity");
            if let Some(token) = &self.token {
                request = request.set("Authorization", &format!("Bearer {token}"));
            }
            if offset > 0 {
                request = request.set("Range", &format!("bytes={offset}-"));
            }
            let refused = |reason: &str, remedy: &str| Unheard::Refused(reason.to_owned(), remedy.to_owned());
            match request.call() {
                Ok(response) if response.status() == 206 => {
                    let begins = response
                        .header("Content-Range")
                        .and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse::<u64>().ok());
                    match begins {
                        Some(begins) if begins == offset => Ok(Body { offset, bytes: response.into_reader() }),
                        _ => Err(Unheard::Range),
                    }
                }
                Ok(response) if response.status() == 200 => Ok(Body { offset: 0, bytes: response.into_reader() }),
                Ok(response) => Err(refused(&format!("the server answers {}", response.status()), NEXT_TIME)),
                Err(ureq::Error::Status(status, _)) => Err(match status {
                    416 => Unheard::Range,
                    401 | 403 if self.token.is_none() => refused(
                        &format!("the hub does not give it to anybody ({status})"),
                        "check the name; if it is right, accept the model's terms and set HF_TOKEN",
                    ),
                    401 | 403 => refused(
                        &format!("the hub does not give it to the holder of this token ({status})"),
                        "accept the model's terms, or set HF_TOKEN to a token that may read it",
                    ),
                    404 => refused("there is neither such a path here nor such a model on the hub", "check its name"),
                    429 => refused("the hub asks for patience (429)", "wait a while; what has been downloaded is kept"),
                    _ => refused(&format!("the server answers {status}"), NEXT_TIME),
                }),
                Err(ureq::Error::Transport(transport)) => {
                    let why = transport.message().map_or_else(|| transport.kind().to_string(), str::to_owned);
                    Err(Unheard::Cut(format!("{host} cannot be reached: {why}")))
                }
            }
        }
    }
}

#[cfg(not(feature = "local"))]
impl Hub {
    fn list(&self, _: &HubId) -> Result<Listing, Refusal> {
        refuse("this build has no model library, and downloads nothing for it", "build with the feature 'local'")
    }

    fn get(&self, _: &str, _: u64) -> Result<Body, Unheard> {
        Err(Unheard::Cut("this build downloads nothing".to_owned()))
    }
}
