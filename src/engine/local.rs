//! The in-process engine: mistral.rs, on the processor in 32-bit floats or on a GPU in 16-bit ones. The one place that
//! knows the library's types.
//!
//! Invariants:
//! * No network: the library is given the paths of files that exist, never a name it could look up.
//! * One model is read at a time, so that two loads never need the memory of both.
//! * Every request streams, so that dropping its receiver cancels it instead of killing the library's thread, and its
//!   channel holds the whole answer, so that the library never waits for a slow reader.
//! * Token ids come from our own step in the sampler, not from the text the library streams: that text loses leading
//!   spaces, special tokens and unfinished characters.
//! * The library holds one sequence at a time.
//! * Text is text: no control token is read out of it, whatever it spells. Those of a chat template are read in the library,
//!   whose tokenizer parses them, and are broken before that where a person's words spell them.
//! * Answers are greedy and equal from run to run; scores are taken from the model's whole distribution, in the same
//!   pass as the answer's first token.

mod answer;
mod bare;
mod chat;
mod device;
mod embed;
mod files;
mod folder;
mod gguf;
mod labels;
mod scratch;
mod text;
mod trace;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use mistralrs::core::{
    AdapterPaths, AddModelConfig, EngineConfig, GGUFLoaderBuilder, GGUFSpecificConfig, Loader, LocalModelPaths,
    ModelPaths, NormalLoaderBuilder, NormalSpecificConfig, Pipeline,
};
use mistralrs::model_builder_trait::build_model_from_pipeline;
use mistralrs::{DefaultSchedulerMethod, DeviceMapSetting, Model, SchedulerConfig, parse_isq_value};
use tokenizers::Tokenizer;

use super::engine::{Bare, Cancel, Caps, Engine, Form, GenRequest, Generation, LoadStage, ScoreKind};
use super::error::{EngineError, first_line, panic_text};
use super::fit::Training;
use super::model::{DeviceChoice, LoadOptions, Located, ModelSource, ModelSpec, Origin, Quantisation, locate};
use super::room::Allowance;
use super::stdio::{ENGINE_THREAD_PREFIX, quiet_engine_panics};
use super::trace::{Trace, TraceRequest};
use answer::{Answering, Turns};
use chat::Template;
use device::Place;
pub use embed::EmbeddingModel;
use files::{Check, ModelFiles, Stored};
use scratch::Scratch;

/// Requests the library may hold at once: see [`Turns`].
const REQUESTS_AT_ONCE: NonZero<usize> = NonZero::<usize>::MIN;

/// Held while a model is read.
static READING: Mutex<()> = Mutex::new(());

/// A model that runs in this process.
pub struct LocalEngine {
    caps: Caps,
    origin: Origin,
    core: Arc<Core>,
}

/// What a running answer needs of the engine; it keeps the model alive until the answer has ended.
struct Core {
    model: Model,
    tokenizer: Tokenizer,
    /// What the tokenizer puts in front of a text.
    opening: Vec<u32>,
    /// What control tokens are spelled as.
    controls: Vec<String>,
    /// Ids below this have a text; the model's own vocabulary may be padded beyond it.
    vocabulary: usize,
    ends: Vec<u32>,
    max_context: usize,
    turns: Arc<Turns>,
}

/// Hears how far a load is, and ends it with an error.
pub type Observer<'a> = &'a dyn Fn(LoadStage) -> Result<(), EngineError>;

impl LocalEngine {
    /// Loads the model at `path`, a folder of safetensors files or a GGUF file, as [`LoadOptions::default`] says.
    pub fn load(path: &Path) -> Result<Self, EngineError> {
        Self::load_with(path, &LoadOptions::default(), &|_| Ok(()))
    }

    /// Loads a model by its name, downloading it where it is not on this machine.
    pub fn load_named(spec: &ModelSpec, observe: Observer) -> Result<Self, EngineError> {
        let path = locate(spec, observe)?;
        let mut engine = Self::load_with(&path, &spec.options, observe)?;
        match ModelSource::of(&spec.name) {
            ModelSource::Shipped => engine.origin.training = Training::read(&path, true)?,
            ModelSource::Hub(id) if id.file.is_none() => engine.caps.name = id.name,
            ModelSource::Hub(_) | ModelSource::Folder(_) | ModelSource::Gguf(_) | ModelSource::Server(_) => {}
        }
        Ok(engine)
    }

    /// Loads the model at `path`, telling `observe` how far it is.
    pub fn load_with(path: &Path, options: &LoadOptions, observe: Observer) -> Result<Self, EngineError> {
        quiet_engine_panics();
        let refused = |(reason, remedy): (String, String)| EngineError::Load { path: path.to_owned(), reason, remedy };
        observe(LoadStage::Checking)?;
        let gguf = path.is_file() || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"));
        let files = if gguf { ModelFiles::of_gguf(path) } else { ModelFiles::of_folder(path) }.map_err(refused)?;
        if let (Stored::Gguf { format, .. }, Some(kind)) = (files.stored, options.quantize) {
            let told =
                format!("it is quantised already ({format}), and --quantize {} would not change it", kind.name());
            return Err(refused((told, "leave --quantize out".into())));
        }
        let training = Training::read(path, false)?;
        let place = open(options.device)?;
        let context = files.context(options.context);
        let need = files.need(context, place.width, options.quantize);
        // Nobody else reads a model from here on, or what was available is not any more.
        let reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
        let free = match options.memory {
            Allowance::Any => None,
            Allowance::Bytes(bytes) => Some(bytes),
            Allowance::Available => place.available(),
        };
        // A GGUF file stays as large as it is, and so does what was to be as small already.
        let quantised = files.need(context, place.width, Some(Quantisation::Q4K));
        if let Some(refusal) = free.and_then(|free| need.exceeds(free, Some(&quantised))) {
            return Err(refused(refusal));
        }
        observe(LoadStage::Weights)?;
        let library = |reason: String| refused((reason, remedy_of(&files).to_owned()));
        let request = Request::of(&files, &place, options).map_err(refused)?;
        let template =
            Template::find(request.scratch.as_ref().map_or(&files.path, |scratch| &scratch.folder), &files.tokenizer);
        let request = Request { template: template.as_ref().map(|template| template.path.clone()), ..request };
        let pipeline = on_fresh_thread(move || read(request)).and_then(|read| read).map_err(library)?;
        observe(LoadStage::Building)?;
        let model =
            on_fresh_thread(move || build(pipeline, REQUESTS_AT_ONCE)).and_then(|built| built).map_err(library)?;
        drop(reading);
        let caps = Caps {
            name: files.name(),
            device: place.name,
            dtype: files.format(place.number, options.quantize),
            parameters: files.parameters,
            max_context: context,
            score: ScoreKind::Exact,
            chat: template.is_some(),
        };
        let origin = Origin { place: Located::Files(files.path), training, need };
        let mut tokenizer = files.tokenizer;
        tokenizer.set_encode_special_tokens(true);
        let core = Core {
            model,
            vocabulary: tokenizer.get_vocab_size(true),
            opening: opening(&tokenizer),
            controls: chat::controls(&tokenizer),
            tokenizer,
            // Where the library stops, an answer has to have ended.
            ends: files.ends.into_iter().chain(template.iter().flat_map(|t| t.ends.iter().copied())).collect(),
            max_context: context,
            turns: Arc::default(),
        };
        let engine = Self { caps, origin, core: Arc::new(core) };
        observe(LoadStage::FirstToken)?;
        engine.score_ids(&[0], &[vec![0]]).map_err(|error| {
            let names: Vec<_> = files.weights.iter().filter_map(|path| path.file_name()?.to_str()).collect();
            refused((
                format!("{} gives no usable numbers: {error}", names.join(", ")),
                "copy or download it again".into(),
            ))
        })?;
        Ok(engine)
    }

    /// The token ids of `text`, without any token added; what spells a control token is text like any other.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.core.encode(text)
    }

    /// Natural log of the probability of each label, all as token ids, after the prompt.
    pub fn score_ids(&self, prompt: &[u32], labels: &[Vec<u32>]) -> Result<Vec<f64>, EngineError> {
        Ok(self.answer(prompt.to_vec(), labels.to_vec(), 0, Vec::new()).finish()?.scores)
    }

    /// Whether it was made for no prompts of ours.
    fn is_general(&self) -> bool {
        self.origin.training.tasks.is_none()
    }

    fn answer(&self, prompt: Vec<u32>, labels: Vec<Vec<u32>>, max_tokens: usize, stop: Vec<String>) -> Generation {
        let cancel = Cancel::default();
        match Answering::new(&self.core, cancel.clone(), prompt, labels, max_tokens, stop) {
            Ok(answering) => Generation::new(cancel, answering),
            Err(error) => Generation::failed(error),
        }
    }
}

impl Engine for LocalEngine {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn origin(&self) -> Option<&Origin> {
        Some(&self.origin)
    }

    fn generate(&self, req: GenRequest) -> Generation {
        let prompt = match req.form {
            Form::Plain => Ok(self.core.encode_prompt(&req.prompt, self.is_general())),
            Form::Chat if self.caps.chat => self.core.encode_said(&req.prompt),
            Form::Chat => Err(EngineError::Unsupported { engine: self.caps.name.clone(), what: "be told what to do" }),
        };
        let labels = match req.form {
            Form::Plain if req.words => self.core.encode_words(&req.prompt, &req.labels, self.is_general()),
            Form::Plain | Form::Chat => self.core.encode_labels(&req.labels),
        };
        match prompt.and_then(|prompt| Ok((prompt, labels?))) {
            Ok((prompt, labels)) => self.answer(prompt, labels, req.max_tokens, req.stop),
            Err(error) => Generation::failed(error),
        }
    }

    fn score_end(&self, prompt: &str) -> Result<Option<f64>, EngineError> {
        // Those that an answer can come to.
        let ends = self.core.ends.iter().filter(|end| (**end as usize) < self.core.vocabulary);
        let ends: Vec<Vec<u32>> = ends.map(|end| vec![*end]).collect();
        let prompt = self.core.encode_prompt(prompt, self.is_general());
        Ok(self.score_ids(&prompt, &ends)?.into_iter().reduce(f64::max))
    }

    fn trace(&self, req: &TraceRequest, cancel: &Cancel) -> Result<Trace, EngineError> {
        self.core.trace(req, self.is_general(), cancel)
    }

    fn embed(&self, _texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Err(EngineError::Unsupported { engine: self.caps.name.clone(), what: "embed text" })
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.encode(text).len()
    }

    fn bare(&self, req: &GenRequest) -> Option<Result<Bare, EngineError>> {
        Some(self.core.bare(&req.prompt, self.is_general(), req.max_tokens))
    }
}

/// The device asked for; where the choice is left to us, the processor if a driver gives up.
fn open(choice: DeviceChoice) -> Result<Place, EngineError> {
    match (on_fresh_thread(move || Place::open(choice)), choice) {
        (Ok(opened), _) => opened,
        (Err(reason), DeviceChoice::Auto) => {
            tracing::warn!(target: "logoscope::engine", "no GPU: {reason}");
            Ok(Place::cpu())
        }
        (Err(reason), _) => {
            let remedy = "pass --device cpu, or install the driver".to_owned();
            Err(EngineError::Device { device: choice.to_string(), reason, remedy })
        }
    }
}

/// The tokens that `tokenizer` puts in front of a text, and not those that it puts behind it.
fn opening(tokenizer: &Tokenizer) -> Vec<u32> {
    let Ok(encoding) = tokenizer.encode("a", true) else { return Vec::new() };
    let added = encoding.get_special_tokens_mask().iter().take_while(|added| **added == 1).count();
    let opening = encoding.get_ids().iter().take(added).copied();
    // What no token stands for the model cannot read.
    opening.filter(|id| tokenizer.id_to_token(*id).is_some()).collect()
}

fn remedy_of(files: &ModelFiles) -> &'static str {
    match files.stored {
        Stored::Safetensors => "check that config.json belongs to these weights",
        Stored::Gguf { .. } => "look for another conversion of the model, or its safetensors",
    }
}

/// Runs `job` on a thread of its own, because the library panics where it should fail, and because it keeps settings
/// of a load in the thread that made it.
fn on_fresh_thread<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let thread = thread::Builder::new().name(format!("{ENGINE_THREAD_PREFIX}build")).spawn(job);
    match thread.map(thread::JoinHandle::join) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(payload)) => Err(format!("the model library gave up: {}", panic_text(&*payload))),
        Err(error) => Err(format!("the system refused a thread: {error}")),
    }
}

/// A model as the library holds it.
type Loaded = Arc<tokio::sync::Mutex<dyn Pipeline + Send + Sync>>;

/// What the library is asked to read.
struct Request {
    folder: PathBuf,
    weights: Vec<PathBuf>,
    place: Place,
    quantize: Option<Quantisation>,
    /// For a GGUF file: files that it lacks.
    scratch: Option<Scratch>,
    /// The chat template that the library is shown.
    template: Option<PathBuf>,
}

impl Request {
    fn of(files: &ModelFiles, place: &Place, options: &LoadOptions) -> Check<Self> {
        let (folder, scratch) = match files.stored {
            Stored::Safetensors => (files.path.clone(), None),
            Stored::Gguf { .. } => {
                let folder = files.path.parent().unwrap_or(Path::new("/")).to_owned();
                (folder, Some(Scratch::with(files, &options.hub.cache)?))
            }
        };
        let (weights, place, quantize) = (files.weights.clone(), place.clone(), options.quantize);
        Ok(Self { folder, weights, place, quantize, scratch, template: None })
    }
}

fn refuses(error: impl std::fmt::Display) -> String {
    format!("the model library refuses it: {}", first_line(&format!("{error:#}")))
}

/// Reads weights into memory.
fn read(request: Request) -> Result<Loaded, String> {
    let Request { folder, weights, place, quantize, scratch, template } = request;
    let isq = quantize.map(|kind| parse_isq_value(kind.name(), Some(&place.device))).transpose()?;
    let name = folder.to_string_lossy().into_owned();
    let (tokenizer, config) = match &scratch {
        Some(scratch) => (scratch.tokenizer(), PathBuf::new()),
        None => (folder.join("tokenizer.json"), folder.join("config.json")),
    };
    let loader: Box<dyn Loader> = match &scratch {
        Some(scratch) => {
            let names = weights.iter().map(|path| path.to_string_lossy().into_owned()).collect();
            let silent = scratch.template().to_string_lossy().into_owned();
            GGUFLoaderBuilder::new(Some(silent), None, name, names, GGUFSpecificConfig::default(), false, None).build()
        }
        None => NormalLoaderBuilder::new(NormalSpecificConfig::default(), None, None, Some(name), false, None)
            .build(None)
            .map_err(refuses)?,
    };
    let paths: Box<dyn ModelPaths> = Box::new(LocalModelPaths {
        tokenizer_filename: tokenizer,
        config_filename: config,
        filenames: weights,
        adapter_paths: AdapterPaths::None,
        // Ends are found here and what is continued is sent as it is, so what could only make the library stumble stays out.
        template_filename: template,
        gen_conf: None,
        preprocessor_config: None,
        processor_config: None,
        chat_template_json_filename: None,
    });
    loader
        .load_model_from_path(&paths, &place.dtype, &place.device, true, DeviceMapSetting::dummy(), isq, None)
        .map_err(refuses)
}

/// Starts the library's thread for a model, which holds so many requests at once.
fn build(pipeline: Loaded, at_once: NonZero<usize>) -> Result<Model, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let scheduler = SchedulerConfig::DefaultScheduler { method: DefaultSchedulerMethod::Fixed(at_once) };
    let config = AddModelConfig::new(EngineConfig {
        // On the processor the prefix cache is never emptied.
        no_prefix_cache: true,
        throughput_logging_enabled: false,
        ..EngineConfig::default()
    });
    Ok(runtime.block_on(build_model_from_pipeline(pipeline, scheduler, config)))
}

impl Core {
    fn encode(&self, text: &str) -> Vec<u32> {
        // A tokenizer fails only where it meets an unknown token without a name for it; byte-level ones know all.
        self.tokenizer.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
    }

    /// The tokens of a prompt that is continued. A `general` model was trained on texts with a beginning and answers worse
    /// without; one that was made for such prompts has seen them as they are. Of nothing nothing is made.
    fn encode_prompt(&self, prompt: &str, general: bool) -> Vec<u32> {
        let tokens = self.encode(prompt);
        if general && !tokens.is_empty() { [&self.opening[..], &tokens].concat() } else { tokens }
    }

    /// The tokens with which an answer behind `prompt` begins with each label: a `general` model, asked for a word behind a
    /// colon, says a space and the word.
    fn encode_words(&self, prompt: &str, labels: &[String], general: bool) -> Result<Vec<Vec<u32>>, EngineError> {
        let bare = self.encode_labels(labels)?;
        if !general || prompt.is_empty() || prompt.ends_with(char::is_whitespace) {
            return Ok(bare);
        }
        // Words end at white space for every tokenizer, so that the last line tells.
        let line = prompt.lines().last().unwrap_or_default();
        let before = self.encode(line);
        let spaced = |(label, bare): (&String, Vec<u32>)| {
            let whole = self.encode(&format!("{line} {}", label.trim_start()));
            whole.strip_prefix(&before[..]).filter(|tokens| !tokens.is_empty()).map_or(bare, <[u32]>::to_vec)
        };
        Ok(labels.iter().zip(bare).map(spaced).collect())
    }

    fn encode_labels(&self, labels: &[String]) -> Result<Vec<Vec<u32>>, EngineError> {
        let encode = |label: &String| match self.encode(label) {
            tokens if tokens.is_empty() => {
                Err(EngineError::Label { label: label.clone(), reason: "it has no tokens".into() })
            }
            tokens => Ok(tokens),
        };
        labels.iter().map(encode).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_library_becomes_a_reason() {
        quiet_engine_panics();
        let failed = on_fresh_thread::<()>(|| panic!("no tensor\nwith a second line"));
        assert_eq!(failed.unwrap_err(), "the model library gave up: no tensor");
        assert_eq!(on_fresh_thread(|| 1), Ok(1));
    }
}
