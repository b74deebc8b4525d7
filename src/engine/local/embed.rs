//! Embedding models of the library: texts in, vectors out, on an engine of their own.
//!
//! Invariants:
//! * The folder is checked before the library sees it, and its identity is that of all files that make a vector.
//! * The model is read when the first text comes, so that one whose vectors are all kept costs nothing.
//! * The library answers such a request at once or dies of a dropped one, so every request is waited for.
//! * A text is given as it is, without an instruction before it; of a long one the beginning counts.

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mistralrs::core::{EmbeddingLoaderBuilder, EmbeddingSpecificConfig, Loader};
use mistralrs::{
    Constraint, DeviceMapSetting, Model, NormalRequest, Request, RequestMessage, Response, SamplingParams, TokenSource,
};
use serde_json::Value;
use tokenizers::Tokenizer;
use tokio::sync::mpsc;

use super::device::Place;
use super::files::{COPY_AGAIN, Check, position_tables, refuse};
use super::{READING, build, folder, on_fresh_thread, open, refuses};
use crate::engine::error::{EngineError, first_line};
use crate::engine::model::LoadOptions;
use crate::engine::room::{Allowance, Need};
use crate::engine::stdio::quiet_engine_panics;
use crate::memory::embed::Maker;

/// The architectures that the library can load as embedding models.
const ARCHITECTURES: [&str; 2] = ["Qwen3ForCausalLM", "Gemma3TextModel"];
/// Tokens of a text that count.
const LONGEST: usize = 512;
/// The library computes those of equal length together.
const AT_ONCE: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(31);
/// Modes of pooling in `1_Pooling/config.json`; the library knows the first two.
const POOLING: [&str; 6] = [
    "pooling_mode_mean_tokens",
    "pooling_mode_lasttoken",
    "pooling_mode_cls_token",
    "pooling_mode_max_tokens",
    "pooling_mode_mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens",
];

/// An embedding model's folder that has passed the checks, and the engine once a text has come.
pub struct EmbeddingModel {
    path: PathBuf,
    id: String,
    dimensions: usize,
    /// Tokens of a text, the end among them.
    limit: usize,
    /// Stands behind a text that would be one token alone.
    end: u32,
    parameters: u64,
    /// Bytes of the tables of all positions that the model knows.
    positions: u64,
    tokenizer: Tokenizer,
    options: LoadOptions,
    running: Mutex<Option<Model>>,
}

impl EmbeddingModel {
    /// Checks the folder `dir`; no weight is read but for the model's identity.
    pub fn open(dir: &Path, options: &LoadOptions) -> Result<Self, EngineError> {
        let refused = |(reason, remedy)| EngineError::Load { path: dir.to_owned(), reason, remedy };
        Self::checked(dir, options).map_err(refused)
    }

    /// Names the model by the content of its files, and its width: `model-0123456789abcdef-1024`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Width of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn checked(dir: &Path, options: &LoadOptions) -> Check<Self> {
        let dir = match dir.canonicalize() {
            Ok(dir) if dir.is_dir() => dir,
            Ok(_) => return refuse("it is a file, not a folder", "give the folder of an embedding model"),
            Err(error) => return refuse(format!("there is no such folder ({error})"), "check the path"),
        };
        let config = folder::object(&dir, "config.json")?;
        let names: Vec<&str> = config
            .get("architectures")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !matches!(names[..], [name] if ARCHITECTURES.contains(&name)) {
            return refuse(
                format!(
                    "config.json asks for the architecture {names:?}, which is none of an embedding model known here"
                ),
                "use a model of the Qwen3-Embedding or EmbeddingGemma families, or `logoscope fit-embedder`",
            );
        }
        let vocabulary = folder::positive(&config, "vocab_size")?;
        let width = folder::positive(&config, "hidden_size")? as usize;
        let room = folder::positions(&config)?;
        let (modules, dimensions) = modules(&dir, width)?;
        let tokenizer = folder::tokenizer(&dir, vocabulary)?;
        // The library reads whatever weights there are.
        let weights = folder::only_weight_files(&dir)?;
        let mut parameters = 0;
        for path in weights.iter().chain(modules.iter().filter(|path| path.ends_with("model.safetensors"))) {
            parameters += folder::check_weights(path)?;
        }
        let files = ["config.json", "tokenizer.json"].map(|name| dir.join(name));
        let end = folder::ends(&dir, &config, &tokenizer).first().copied().unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        for path in files.iter().chain(&modules).chain(&weights) {
            let read = File::open(path).and_then(|file| {
                hasher.update(&file.metadata()?.len().to_le_bytes()).update_reader(file)?;
                io::Result::Ok(())
            });
            if let Err(error) = read {
                return refuse(format!("{} cannot be read: {error}", path.display()), "check its permissions");
            }
        }
        Ok(Self {
            id: format!("model-{}-{dimensions}", &hasher.finalize().to_hex()[..16]),
            path: dir,
            dimensions,
            limit: (room as usize).min(LONGEST),
            end,
            parameters,
            positions: position_tables(room, folder::head_width(&config)?.div_ceil(2)),
            tokenizer,
            options: options.clone(),
            running: Mutex::new(None),
        })
    }

    /// The tokens of a text: what the tokenizer puts around it, and of a long one the beginning and the last.
    fn tokens(&self, text: &str) -> Vec<u32> {
        // As for what is continued: a byte-level tokenizer knows all.
        let encoding = self.tokenizer.encode_fast(text, true);
        let mut tokens = encoding.map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default();
        if let Some(&last) = tokens.last().filter(|_| tokens.len() > self.limit) {
            tokens.truncate(self.limit - 1);
            tokens.push(last);
        }
        // The library panics at a single token.
        while tokens.len() < 2 {
            tokens.push(self.end);
        }
        tokens
    }

    fn load(&self) -> Result<Model, EngineError> {
        quiet_engine_panics();
        let refused = |(reason, remedy)| EngineError::Load { path: self.path.clone(), reason, remedy };
        let place = open(self.options.device)?;
        let weights = self.parameters.saturating_mul(place.width);
        let need = Need { weights, positions: self.positions, cache: 0, context: self.limit };
        let reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
        let free = match self.options.memory {
            Allowance::Any => None,
            Allowance::Bytes(bytes) => Some(bytes),
            Allowance::Available => place.available(),
        };
        // It is not quantised.
        if let Some(refusal) = free.and_then(|free| need.exceeds(free, None)) {
            return Err(refused(refusal));
        }
        let library =
            |reason| refused((reason, "check that config.json and modules.json belong to these weights".to_owned()));
        let path = self.path.clone();
        let pipeline = on_fresh_thread(move || read(&path, &place)).and_then(|read| read).map_err(library)?;
        let model = on_fresh_thread(move || build(pipeline, AT_ONCE)).and_then(|built| built).map_err(library)?;
        drop(reading);
        Ok(model)
    }

    fn vectors(&self, model: &Model, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let asked: Result<Vec<_>, EngineError> = texts.iter().map(|text| send(model, self.tokens(text))).collect();
        // All are waited for, also where one fails.
        let heard: Vec<Result<Vec<f32>, EngineError>> = asked?.into_iter().map(|mut reply| hear(&mut reply)).collect();
        heard.into_iter().collect()
    }
}

impl Maker for EmbeddingModel {
    fn make(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let model = match running.take() {
            Some(model) => model,
            None => self.load().map_err(|error| error.to_string())?,
        };
        let vectors = self.vectors(&model, texts);
        // One that failed is read again before it is asked again.
        if vectors.is_ok() {
            *running = Some(model);
        }
        vectors.map_err(|error| format!("the embedding model in {}: {error}", self.path.display()))
    }
}

/// What comes behind the transformer: the files that say so, and the width of a vector.
fn modules(dir: &Path, width: usize) -> Check<(Vec<PathBuf>, usize)> {
    const NAME: &str = "modules.json";
    let listed: Option<Vec<(String, String)>> = std::fs::read(dir.join(NAME)).ok().and_then(|bytes| {
        let modules: Vec<Value> = serde_json::from_slice(&bytes).ok()?;
        let text = |module: &Value, key: &str| Some(module.get(key)?.as_str()?.to_owned());
        modules.iter().map(|module| Some((text(module, "path")?, text(module, "type")?))).collect()
    });
    let Some(listed) = listed else {
        return refuse(format!("{NAME} is missing or no list of modules"), COPY_AGAIN);
    };
    let kind = |name: &str| name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    if listed.first().is_none_or(|(_, first)| kind(first) != "transformer") {
        return refuse(format!("{NAME} does not begin with a transformer"), COPY_AGAIN);
    }
    let (mut files, mut dimensions, mut pooled) = (vec![dir.join(NAME)], width, false);
    for (path, name) in &listed[1..] {
        let inside = |file: &str| format!("{path}/{file}");
        match kind(name).as_str() {
            "normalize" => {}
            "pooling" => {
                let config = inside("config.json");
                let read = folder::object(dir, &config)?;
                let on = |mode: &str| read.get(mode).and_then(Value::as_bool).unwrap_or(false);
                if !on(POOLING[0]) && !on(POOLING[1]) || POOLING.iter().filter(|mode| on(mode)).count() != 1 {
                    return refuse(
                        format!("{config} pools neither by the mean nor by the last token alone"),
                        "use a model of the Qwen3-Embedding or EmbeddingGemma families",
                    );
                }
                if read.get("word_embedding_dimension").and_then(Value::as_u64) != Some(width as u64) {
                    return refuse(format!("{config} is not of a model of width {width}"), COPY_AGAIN);
                }
                pooled = true;
                files.push(dir.join(config));
            }
            "dense" => {
                let config = inside("config.json");
                dimensions = folder::positive(&folder::object(dir, &config)?, "out_features")? as usize;
                files.extend([dir.join(config), dir.join(inside("model.safetensors"))]);
            }
            other => return refuse(format!("{NAME} names a module {other:?}, which is not known here"), COPY_AGAIN),
        }
    }
    if !pooled {
        return refuse(format!("{NAME} names no pooling"), COPY_AGAIN);
    }
    Ok((files, dimensions))
}

/// Reads the weights of a folder that is there: nothing is looked up anywhere else.
fn read(dir: &Path, place: &Place) -> Result<super::Loaded, String> {
    let name = dir.to_string_lossy().into_owned();
    let loader: Box<dyn Loader> =
        EmbeddingLoaderBuilder::new(EmbeddingSpecificConfig::default(), None, Some(name)).build(None);
    loader
        .load_model_from_hf(
            None,
            TokenSource::None,
            &place.dtype,
            &place.device,
            true,
            DeviceMapSetting::dummy(),
            None,
            None,
        )
        .map_err(refuses)
}

fn send(model: &Model, tokens: Vec<u32>) -> Result<mpsc::Receiver<Response>, EngineError> {
    let (sender, replies) = mpsc::channel(1);
    let runner = model.inner();
    let request = NormalRequest {
        messages: RequestMessage::EmbeddingTokens { prompt: tokens },
        sampling_params: SamplingParams::deterministic(),
        response: sender,
        return_logprobs: false,
        is_streaming: false,
        id: runner.next_request_id(),
        constraint: Constraint::None,
        suffix: None,
        tools: None,
        tool_choice: None,
        logits_processors: None,
        return_raw_logits: false,
        web_search_options: None,
        model_id: None,
        truncate_sequence: false,
    };
    let requests = runner.get_sender(None).map_err(|error| super::answer::gone(&error))?;
    requests.try_send(Request::Normal(Box::new(request))).map_err(|error| super::answer::gone(&error))?;
    Ok(replies)
}

fn hear(replies: &mut mpsc::Receiver<Response>) -> Result<Vec<f32>, EngineError> {
    let reason = match replies.blocking_recv() {
        Some(Response::Embeddings { embeddings, .. }) => return Ok(embeddings),
        None => return Err(EngineError::Gone),
        Some(Response::InternalError(error) | Response::ValidationError(error)) => error.to_string(),
        Some(Response::ModelError(reason, _) | Response::CompletionModelError(reason, _)) => reason,
        Some(_) => "it answered in an unexpected form".into(),
    };
    Err(EngineError::Inference { reason: first_line(&reason) })
}
