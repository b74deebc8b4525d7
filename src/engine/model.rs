//! Which model is wanted, and how it is to run: what a person types, made into values.
//!
//! Invariants: a name that is a path of this machine is never looked up elsewhere; parsing touches no network and, but
//! for asking whether a path exists, no file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::address::{self, Address};
use super::download::Hub;
use super::engine::{Engine, LoadStage};
use super::error::EngineError;
use super::fit::Training;
use super::room::{Allowance, Need};

/// The name of the model that came with the program.
pub const SHIPPED: &str = crate::data::sample::MODEL;

/// Tokens of prompt and answer together that a model is given room for, unless told otherwise.
pub const CONTEXT: usize = 4096;

/// A model as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelSpec {
    /// As it was typed: `nano`, a folder, a GGUF file, `owner/name[:file.gguf]`, or the address of a server.
    pub name: String,
    /// How it is to run.
    pub options: LoadOptions,
}

impl ModelSpec {
    /// The model of this name, run as [`LoadOptions::default`] says.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), options: LoadOptions::default() }
    }
}

/// How a model is to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// On what.
    pub device: DeviceChoice,
    /// Weights are made this small while they are read; `None` keeps them as they are.
    pub quantize: Option<Quantisation>,
    /// Tokens of prompt and answer together, clamped to what the model was trained for; `None` for [`CONTEXT`].
    pub context: Option<usize>,
    /// How much memory it may take.
    pub memory: Allowance,
    /// Where models are downloaded from and kept.
    pub hub: Hub,
    /// Where a person keeps models, for the list of those that there are.
    pub models: Option<PathBuf>,
}

/// What a model's name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// The model that came with the program.
    Shipped,
    /// A folder of safetensors files.
    Folder(PathBuf),
    /// A file in GGUF.
    Gguf(PathBuf),
    /// A model on a hub.
    Hub(HubId),
    /// A model on a server, by what was typed: an [`Address`], if it is a good one.
    Server(String),
}

impl ModelSource {
    /// What `name` stands for: the shipped model, else whatever is at that path, else a model on a hub if it is written
    /// like one. A path to nothing stays a path, for a message that names it, and so does the name of a file in GGUF: on a
    /// hub such a file is one of a model, which stands before it.
    pub fn of(name: &str) -> Self {
        // Where no shell has read it.
        let home = || Some(directories::BaseDirs::new()?.home_dir().join(name.strip_prefix("~/")?));
        let path = &home().unwrap_or_else(|| PathBuf::from(name));
        let gguf = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        match name.parse() {
            _ if name == SHIPPED => Self::Shipped,
            _ if Address::is_meant(name) => Self::Server(name.to_owned()),
            Ok(id @ HubId { file: Some(_), .. }) if !path.exists() => Self::Hub(id),
            Ok(id) if !path.exists() && !gguf => Self::Hub(id),
            _ if path.is_file() || gguf => Self::Gguf(path.to_owned()),
            _ => Self::Folder(path.to_owned()),
        }
    }
}

/// A model on a hub: `owner/name`, or one GGUF file of it, `owner/name:file.gguf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubId {
    /// Who published it.
    pub owner: String,
    /// What it is called.
    pub name: String,
    /// The GGUF file wanted of it, by its path in the repository; `None` for its safetensors.
    pub file: Option<String>,
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        self.file.as_ref().map_or(Ok(()), |file| write!(f, ":{file}"))
    }
}

impl FromStr for HubId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{text:?} is no name of a model on a hub; write it as owner/name or owner/name:file.gguf");
        let (id, file) = text.split_once(':').map_or((text, None), |(id, file)| (id, Some(file)));
        let (owner, name) = id.split_once('/').ok_or_else(refused)?;
        if !is_name(owner) || !is_name(name) || !file.is_none_or(is_gguf_path) {
            return Err(refused());
        }
        Ok(Self { owner: owner.to_owned(), name: name.to_owned(), file: file.map(str::to_owned) })
    }
}

/// Whether `text` can be one part of a hub's path, and of a path on disk that stays where it is put.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.len() <= 200 && !text.starts_with('.') && text.chars().all(allowed)
}

fn is_gguf_path(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".gguf") && path.split('/').all(is_name)
}

/// On what a model is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU if this build can use one and there is one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
    /// The GPU of an Apple computer.
    Metal,
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("'{text}' is no device; write auto, cpu, cuda, cuda:1 or metal");
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            _ => {
                let number = text.strip_prefix("cuda:").ok_or_else(refused)?;
                number.parse().map(Self::Cuda).map_err(|_| refused())
            }
        }
    }
}

/// How weights are made smaller while they are read. Tables of embeddings, and what does not divide into blocks, keep
/// their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the formats are llama.cpp's, by their own names")]
pub enum Quantisation {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

impl Quantisation {
    /// All of them: what the library makes on a processor and on a GPU alike.
    pub const ALL: [Self; 10] = [
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q8_0 => "q8_0",
            Self::Q2K => "q2k",
            Self::Q3K => "q3k",
            Self::Q4K => "q4k",
            Self::Q5K => "q5k",
            Self::Q6K => "q6k",
        }
    }

    /// Bytes that so many weights take.
    pub fn bytes(self, weights: u64) -> u64 {
        let (block, bytes) = match self {
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q2K => (256, 84),
            Self::Q3K => (256, 110),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        };
        weights.div_ceil(block).saturating_mul(bytes)
    }
}

impl FromStr for Quantisation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text));
        let names = || Self::ALL.map(Self::name).join(", ");
        found.ok_or_else(|| format!("'{text}' is no quantisation; choose one of {}", names()))
    }
}

/// Where a loaded model came from, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Where it is.
    pub place: Located,
    /// What it was made for.
    pub training: Training,
    /// The memory that was reckoned for it.
    pub need: Need,
}

/// Where a model is that can be loaded now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// A folder of this machine, or a GGUF file.
    Files(PathBuf),
    /// A server, with the name of one of its models.
    Server(Address),
}

impl Located {
    /// What the model was made for, as far as that is stated; a server states nothing.
    pub fn training(&self, shipped: bool) -> Result<Training, EngineError> {
        match self {
            Self::Files(path) => Training::read(path, shipped),
            Self::Server(_) => Ok(Training::default()),
        }
    }

    /// Its name in a message: the last part of its path, or its address.
    pub fn told(&self) -> String {
        match self {
            Self::Files(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Server(address) => address.to_string(),
        }
    }
}

/// A model's name, short enough for a line of the screen: the last part of a path, or a server's host with the model.
pub fn short(name: &str) -> String {
    if !Address::is_meant(name) {
        return std::path::Path::new(name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    }
    match name.parse::<Address>() {
        Ok(address) => address.model.clone().unwrap_or_else(|| address.host().to_owned()),
        Err(_) => address::told(name),
    }
}

/// The model at `address`, asked with the key that the environment holds; `told` hears how far that is.
#[cfg(feature = "remote")]
pub fn server(
    address: &Address,
    options: &LoadOptions,
    told: &dyn Fn(LoadStage) -> Result<(), EngineError>,
) -> Result<Box<dyn Engine>, EngineError> {
    let server = super::remote::Server::of(address, options)?;
    Ok(Box::new(super::remote::RemoteEngine::connect(server, options, told)?))
}

/// There is no client in this build.
#[cfg(not(feature = "remote"))]
pub fn server(
    address: &Address,
    _: &LoadOptions,
    _: &dyn Fn(LoadStage) -> Result<(), EngineError>,
) -> Result<Box<dyn Engine>, EngineError> {
    Err(no_client(address))
}

/// Finds a model: downloads what is not here, unpacks what came with the program into the cache, and asks a server whose
/// model was not named which one it has.
///
/// `told` hears of what takes long and may end it with an error.
pub fn find(spec: &ModelSpec, told: &dyn Fn(LoadStage) -> Result<(), EngineError>) -> Result<Located, EngineError> {
    match ModelSource::of(&spec.name) {
        ModelSource::Server(name) => {
            let address: Address = name.parse()?;
            Ok(Located::Server(if address.model.is_some() { address } else { named(&address, &spec.options, told)? }))
        }
        _ => Ok(Located::Files(locate(spec, told)?)),
    }
}

#[cfg(feature = "remote")]
fn named(
    address: &Address,
    options: &LoadOptions,
    told: &dyn Fn(LoadStage) -> Result<(), EngineError>,
) -> Result<Address, EngineError> {
    super::remote::Server::of(address, options)?.named(told)
}

#[cfg(not(feature = "remote"))]
fn named(
    address: &Address,
    _: &LoadOptions,
    _: &dyn Fn(LoadStage) -> Result<(), EngineError>,
) -> Result<Address, EngineError> {
    Err(no_client(address))
}

#[cfg(not(feature = "remote"))]
fn no_client(address: &Address) -> EngineError {
    EngineError::Server {
        server: address.host().to_owned(),
        reason: "this build has no client of servers".to_owned(),
        remedy: "build with the feature 'remote'".to_owned(),
    }
}

/// The path of a model on this machine: downloads what is not here, and unpacks what came with the program into `cache`.
///
/// `told` hears of a download and may end it with an error.
pub fn locate(spec: &ModelSpec, told: &dyn Fn(LoadStage) -> Result<(), EngineError>) -> Result<PathBuf, EngineError> {
    match ModelSource::of(&spec.name) {
        ModelSource::Server(name) => Err(EngineError::Server {
            server: address::told(&name),
            reason: "a model on a server has no files here".to_owned(),
            remedy: "name a folder, a GGUF file or a model of a hub".to_owned(),
        }),
        ModelSource::Shipped => {
            crate::data::sample::unpack_model(&spec.options.hub.cache).map_err(|error| EngineError::Load {
                path: SHIPPED.into(),
                reason: error.to_string(),
                remedy: "make the cache folder writable, or set XDG_CACHE_HOME to another".into(),
            })
        }
        ModelSource::Folder(path) | ModelSource::Gguf(path) => Ok(std::path::absolute(&path).unwrap_or(path)),
        ModelSource::Hub(id) => spec.options.hub.fetch(&id, told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_where_there_is_one_and_a_hubs_where_it_looks_like_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.bin");
        std::fs::write(&file, "").unwrap();
        assert_eq!(ModelSource::of("nano"), ModelSource::Shipped);
        assert_eq!(ModelSource::of(folder.path().to_str().unwrap()), ModelSource::Folder(folder.path().to_owned()));
        assert_eq!(ModelSource::of(file.to_str().unwrap()), ModelSource::Gguf(file));
        assert_eq!(ModelSource::of("no/such/model"), ModelSource::Folder("no/such/model".into()));
        assert_eq!(ModelSource::of("./no"), ModelSource::Folder("./no".into()));
        assert_eq!(ModelSource::of("/no/model.GGUF"), ModelSource::Gguf("/no/model.GGUF".into()));
        assert_eq!(ModelSource::of("gg/bad.gguf"), ModelSource::Gguf("gg/bad.gguf".into()), "no hub is asked");
        assert_eq!(ModelSource::of("src/engine"), ModelSource::Folder("src/engine".into()), "it exists");
        let hub = |owner: &str, name: &str, file: Option<&str>| {
            ModelSource::Hub(HubId { owner: owner.into(), name: name.into(), file: file.map(str::to_owned) })
        };
        assert_eq!(ModelSource::of("acme/tiny-1.5B"), hub("acme", "tiny-1.5B", None));
        assert_eq!(ModelSource::of("acme/tiny:q4/tiny-Q4.gguf"), hub("acme", "tiny", Some("q4/tiny-Q4.gguf")));
        assert!(
            matches!(ModelSource::of("~/m"), ModelSource::Folder(path) if path.is_absolute() && path.ends_with("m"))
        );
        for odd in ["a/b:c.bin", "a/b:../c.gguf", "a/b/c", "../b", "~/models", "a/", "/b", "a b/c", "a/b:"] {
            assert!(odd.parse::<HubId>().is_err(), "{odd}");
        }
    }

    #[test]
    fn devices_and_quantisations_are_written_as_they_are_read() {
        for device in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(0), DeviceChoice::Cuda(3)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert!("cuda:x".parse::<DeviceChoice>().unwrap_err().contains("cuda:1"));
        assert!("gpu".parse::<DeviceChoice>().is_err());
        for kind in Quantisation::ALL {
            assert_eq!(kind.name().to_uppercase().parse(), Ok(kind));
        }
        assert!("int4".parse::<Quantisation>().unwrap_err().contains("q4k, "));
        assert_eq!(Quantisation::Q8_0.bytes(64), 68);
    }
}
