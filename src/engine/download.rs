//! Models from a hub: finds what is already on this machine, downloads the rest, and goes on where it was interrupted.
//!
//! Invariants:
//! * A file bears its name only when it is whole and its checksum is right; until then it is a `.part` beside it, named
//!   after the checksum it is to have, so that what was downloaded of one version never becomes part of another.
//! * What is complete is used as it is, without a network. An update is asked for by removing its folder.
//! * A folder holds one model of one commit: each GGUF file has its own, with its tokenizer, by its whole path. What an
//!   earlier commit left there is gone, or known to be incomplete, before anything of the next one comes.
//! * Names that come from the network stay within the model's folder.
//! * The token is sent to the hub alone, never to where it redirects, be that another port of the same machine, and never
//!   printed.

mod checksum;
mod plan;
mod token;
mod transfer;
#[cfg(feature = "local")]
mod transport;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::engine::LoadStage;
use super::error::EngineError;
use super::model::{HubId, is_name};
use super::weights::{WeightSet, weight_set};

pub use self::checksum::Checksum;
use self::checksum::Summer;
use self::plan::{Listing, Plan};
pub use self::token::Token;
#[cfg(feature = "local")]
use self::transfer::NEXT_TIME;
pub use self::transfer::{Body, Stopped, Unheard, Wanted};

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
/// The folder of GGUF files, beside those of safetensors; no name of a model, for want of an owner.
const GGUFS: &str = "gguf";

/// Where models are downloaded from, and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// Its address, without a slash at the end.
    pub endpoint: String,
    /// What proves who is asking.
    pub token: Option<Token>,
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

impl Hub {
    /// The hub as the environment describes it, the way every program of the ecosystem reads it: `HF_ENDPOINT`,
    /// `HF_TOKEN`, `HF_HUB_CACHE`, `HF_HOME`. Whoever decides about `offline` has asked `HF_HUB_OFFLINE`.
    pub fn from_environment(cache: PathBuf, offline: bool) -> Self {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        // The same on every system, whatever its own cache folder is.
        let cached = || Some(directories::BaseDirs::new()?.home_dir().join(".cache"));
        let cached = of("XDG_CACHE_HOME").map(PathBuf::from).or_else(cached).map(|cache| cache.join("huggingface"));
        let home = of("HF_HOME").map(PathBuf::from).or(cached);
        let stated = |name: &str| Token::read(&of(name)?, name);
        let kept = || {
            let path = home.as_ref()?.join("token");
            Token::read(&fs::read_to_string(&path).ok()?, &path.display().to_string())
        };
        Self {
            endpoint: of("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()).trim_end_matches('/').to_owned(),
            token: stated("HF_TOKEN").or_else(|| stated("HUGGING_FACE_HUB_TOKEN")).or_else(kept),
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
        let home = self.home(id);
        if let Some(path) = self.here(id) {
            return Ok(path);
        }
        let failed =
            |(reason, remedy): (String, String)| EngineError::Download { model: id.to_string(), reason, remedy };
        if self.offline {
            let remedy = "go online with --offline=false (HF_HUB_OFFLINE unset), or give the path of a copy";
            return Err(failed((
                "it is not on this machine, and nothing may be asked of a network".into(),
                remedy.into(),
            )));
        }
        let _alone = lock(&home).map_err(failed)?;
        let told = |done, total| told(LoadStage::Downloading { done, total });
        told(0, 0)?;
        let plan = Plan::of(&self.list(id).map_err(failed)?, id).map_err(failed)?;
        plan.begin(&home).map_err(failed)?;
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

    /// The folder of all GGUF files of ours, each in a folder named after its model and its path in the repository.
    pub fn gguf_folder(&self) -> PathBuf {
        self.folder().join(GGUFS)
    }

    /// The folder of one model of ours: of a GGUF file named after its whole path.
    fn home(&self, id: &HubId) -> PathBuf {
        let name = format!("{}--{}", id.owner, id.name);
        match &id.file {
            Some(file) => self.gguf_folder().join(name).join(file),
            None => self.folder().join(name),
        }
    }

    /// The path of a model that is whole on this machine: in our cache, else in the shared one.
    pub fn here(&self, id: &HubId) -> Option<PathBuf> {
        self.ours(id).or_else(|| self.theirs(id))
    }

    fn ours(&self, id: &HubId) -> Option<PathBuf> {
        let home = self.home(id);
        let record = Record::read(&home)?;
        let whole = record.whole && record.file == id.file;
        let here = |(name, known): (&String, &Known)| {
            fs::metadata(home.join(name)).is_ok_and(|found| found.len() == known.size)
        };
        (whole && record.files.iter().all(here)).then(|| path_in(&home, id.file.as_deref()))
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
                let names =
                    fs::read_dir(&snapshot).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                // A file that is still on its way is no link yet, or one that leads nowhere.
                let names: Vec<String> = names.filter(|name| snapshot.join(name).is_file()).collect();
                let whole = matches!(weight_set(names.iter().map(String::as_str)), WeightSet::Chosen(_));
                let needed = NEEDED.iter().all(|name| snapshot.join(name).is_file());
                (whole && needed).then_some(snapshot)
            }
        }
    }
}

/// A file about a model's folder: beside it, so that the folder holds the model alone.
fn beside(home: &Path, extension: &str) -> PathBuf {
    let name = home.file_name().unwrap_or_default().to_string_lossy();
    home.with_file_name(format!("{name}.{extension}"))
}

/// The path of a model within its folder: the folder itself, or its GGUF file.
fn path_in(home: &Path, file: Option<&str>) -> PathBuf {
    file.map_or_else(|| home.to_owned(), |file| home.join(flat(file)))
}

/// The file name of a path in a repository: all of a model is kept side by side.
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

/// What has been downloaded into a folder, all of one commit.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    commit: String,
    /// The GGUF file that it is of, by its path in the repository: a system may take two paths for the same.
    #[serde(default)]
    file: Option<String>,
    /// Whether that is all that the model needs.
    #[serde(alias = "folder")]
    whole: bool,
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

#[cfg(not(feature = "local"))]
impl Hub {
    fn list(&self, _: &HubId) -> Result<Listing, Refusal> {
        refuse("this build has no model library, and downloads nothing for it", "build with the feature 'local'")
    }

    fn get(&self, _: &str, _: u64) -> Result<Body, Unheard> {
        Err(Unheard::Cut("this build downloads nothing".to_owned()))
    }
}
