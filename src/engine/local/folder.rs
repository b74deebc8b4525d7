//! Looks at a model's folder before the library does, because the library answers a bad one with a panic or, where the
//! folder is missing, with a download.
//!
//! Invariant: what passes here can be loaded without a network, and its weight files are as long as their headers say.
//! Every refusal names the file at fault and what to do.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::Tokenizer;

use super::files::{CONTEXT_BLOCK, COPY_AGAIN, Check, ModelFiles, Shape, Stored, check_positions, refuse};
use crate::engine::weights::{WeightSet, weight_set};

/// The architectures that the library can load as text models.
const ARCHITECTURES: [&str; 21] = [
    "MistralForCausalLM",
    "MixtralForCausalLM",
    "GemmaForCausalLM",
    "Gemma2ForCausalLM",
    "PhiForCausalLM",
    "Phi3ForCausalLM",
    "LlamaForCausalLM",
    "Qwen2ForCausalLM",
    "Starcoder2ForCausalLM",
    "PhiMoEForCausalLM",
    "DeepseekV2ForCausalLM",
    "DeepseekV3ForCausalLM",
    "Qwen3ForCausalLM",
    "Glm4ForCausalLM",
    "Glm4MoeLiteForCausalLM",
    "Glm4MoeForCausalLM",
    "Qwen3MoeForCausalLM",
    "SmolLM3ForCausalLM",
    "GraniteMoeHybridForCausalLM",
    "GptOssForCausalLM",
    "Qwen3NextForCausalLM",
];

/// What a Llama's configuration must hold beside the keys that every model needs.
const LLAMA_KEYS: [&str; 5] = ["hidden_act", "intermediate_size", "num_key_value_heads", "rms_norm_eps", "rope_theta"];

/// No header of a weight file is larger; a greater length is read from bytes that are no header.
const LARGEST_HEADER: u64 = 100 << 20;

/// Tokens that end a text by convention, for a folder that names none.
pub(super) const USUAL_ENDS: [&str; 5] = ["<|endoftext|>", "</s>", "<eos>", "<|end_of_text|>", "<|im_end|>"];

impl ModelFiles {
    /// Checks the folder `dir` and reads everything but the weights.
    pub(super) fn of_folder(dir: &Path) -> Check<Self> {
        // An absolute path that exists: anything else the library would look up on a model hub.
        let dir = match dir.canonicalize() {
            Ok(dir) if dir.is_dir() => dir,
            Ok(_) => return refuse("it is a file, not a folder", "give the folder that holds config.json"),
            Err(error) => return refuse(format!("there is no such folder ({error})"), "check the path"),
        };
        let config = object(&dir, "config.json")?;
        let architecture = architecture(&config)?;
        let vocabulary = check_config(&config, architecture)?;
        let tokenizer = tokenizer(&dir, vocabulary)?;
        let weights = weight_files(&dir)?;
        let mut parameters = 0;
        for path in &weights {
            parameters += check_weights(path)?;
        }
        let ends = ends(&dir, &config, &tokenizer);
        let max_context = positions(&config)? as usize;
        let (width, heads) = (positive(&config, "hidden_size")?, positive(&config, "num_attention_heads")?);
        let size = |key: &str, otherwise: u64| config.get(key).and_then(Value::as_u64).unwrap_or(otherwise);
        let head = head_width(&config)?;
        let keys = size("num_key_value_heads", heads).saturating_mul(head);
        let shape = Shape {
            table: vocabulary.saturating_mul(width),
            cached: positive(&config, "num_hidden_layers")?.saturating_mul(keys).saturating_mul(2),
            turned: head.div_ceil(2),
        };
        Ok(Self {
            path: dir,
            stored: Stored::Safetensors,
            weights,
            tokenizer,
            ends,
            parameters,
            max_context,
            chat: None,
            shape,
        })
    }
}

/// Reads a JSON object that has to be there.
pub(super) fn object(dir: &Path, name: &str) -> Check<Map<String, Value>> {
    let text = match fs::read(dir.join(name)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refuse(format!("{name} is missing"), COPY_AGAIN);
        }
        Err(error) => return refuse(format!("{name} cannot be read: {error}"), "check its permissions"),
    };
    match serde_json::from_slice(&text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => refuse(format!("{name} is not a JSON object"), COPY_AGAIN),
        Err(error) => refuse(format!("{name} is not JSON: {error}"), COPY_AGAIN),
    }
}

/// A file the model can do without: what cannot be read is as good as absent.
fn optional_object(dir: &Path, name: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&fs::read(dir.join(name)).ok()?).ok()
}

fn architecture(config: &Map<String, Value>) -> Check<&str> {
    let names: Vec<&str> =
        config.get("architectures").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    match names[..] {
        [name] if ARCHITECTURES.contains(&name) => Ok(name),
        [name] => refuse(
            format!("config.json asks for the architecture {name:?}, which this program does not know"),
            "use a model of the Llama, Mistral, Qwen, Gemma, Phi or SmolLM families",
        ),
        _ => refuse(
            format!("config.json must name one architecture in \"architectures\", it names {}", names.len()),
            COPY_AGAIN,
        ),
    }
}

/// A number that has to be there.
pub(super) fn positive(config: &Map<String, Value>, key: &str) -> Check<u64> {
    match config.get(key) {
        Some(value) => match value.as_u64() {
            Some(number) if number > 0 => Ok(number),
            _ => refuse(format!("config.json: {key:?} must be a positive whole number, it is {value}"), COPY_AGAIN),
        },
        None => refuse(format!("config.json lacks {key:?}"), "add it as the model's card states it"),
    }
}

/// Tokens of prompt and answer together that the model knows positions for.
pub(super) fn positions(config: &Map<String, Value>) -> Check<u64> {
    const KEY: &str = "max_position_embeddings";
    let context = positive(config, KEY)?;
    check_positions(&format!("config.json: {KEY:?}"), context)?;
    Ok(context)
}

/// Numbers of a head.
pub(super) fn head_width(config: &Map<String, Value>) -> Check<u64> {
    let even = positive(config, "hidden_size")? / positive(config, "num_attention_heads")?;
    Ok(config.get("head_dim").and_then(Value::as_u64).unwrap_or(even))
}

/// Checks the numbers the library relies on and returns the size of the vocabulary.
fn check_config(config: &Map<String, Value>, architecture: &str) -> Check<u64> {
    let vocabulary = positive(config, "vocab_size")?;
    let context = positions(config)?;
    let width = positive(config, "hidden_size")?;
    let heads = positive(config, "num_attention_heads")?;
    positive(config, "num_hidden_layers")?;
    if context % CONTEXT_BLOCK != 0 {
        let below = (context / CONTEXT_BLOCK).max(1) * CONTEXT_BLOCK;
        return refuse(
            format!("config.json: \"max_position_embeddings\" is {context}, not a multiple of {CONTEXT_BLOCK}"),
            format!("set it to {below}"),
        );
    }
    if architecture == "LlamaForCausalLM" {
        if let Some(key) = LLAMA_KEYS.into_iter().find(|&key| !config.contains_key(key)) {
            return refuse(
                format!("config.json lacks {key:?} at its top level"),
                "add it as the model's card states it (newer exports nest \"rope_theta\" in \"rope_parameters\")",
            );
        }
        let shared = positive(config, "num_key_value_heads")?;
        if !width.is_multiple_of(heads) || !heads.is_multiple_of(shared) {
            return refuse(
                format!("config.json: width {width}, {heads} heads and {shared} key-value heads do not divide evenly"),
                COPY_AGAIN,
            );
        }
    }
    Ok(vocabulary)
}

/// Reads the folder's `tokenizer.json`, for a model of so many tokens.
pub(super) fn tokenizer(dir: &Path, vocabulary: u64) -> Check<Tokenizer> {
    const NAME: &str = "tokenizer.json";
    let json = object(dir, NAME)?;
    // The library takes these shapes for granted and panics where they are missing.
    let words = json.get("model").and_then(|model| model.get("vocab"));
    if !words.is_some_and(Value::is_object) || !json.get("added_tokens").is_some_and(Value::is_array) {
        return refuse(
            format!("{NAME} is not a BPE or WordLevel tokenizer"),
            "use a model whose tokenizer.json holds its vocabulary as a map",
        );
    }
    let decoder = json.get("decoder").unwrap_or(&Value::Null);
    if !names_decoder(decoder) {
        return refuse(
            format!("{NAME} has neither a ByteLevel nor a ByteFallback decoder"),
            "use a model with a byte-level tokenizer",
        );
    }
    let mut tokenizer = match Tokenizer::from_file(dir.join(NAME)) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return refuse(format!("{NAME} cannot be read: {error}"), COPY_AGAIN),
    };
    // Settings of the training run that would silently shorten or lengthen a prompt.
    tokenizer.with_padding(None);
    if let Err(error) = tokenizer.with_truncation(None) {
        return refuse(format!("{NAME} cannot be used without truncation: {error}"), COPY_AGAIN);
    }
    let tokens = tokenizer.get_vocab(true);
    let highest = tokens.values().copied().max().map_or(0, u64::from);
    // Models pad their vocabulary, so it may be larger than the tokenizer's; never smaller, and never with holes.
    if highest >= vocabulary || highest + 1 != tokens.len() as u64 {
        return refuse(
            format!(
                "{NAME} has {} tokens with ids up to {highest}, but the model has a vocabulary of {vocabulary}",
                tokens.len()
            ),
            "take both from the same model",
        );
    }
    Ok(tokenizer)
}

fn names_decoder(decoder: &Value) -> bool {
    match decoder.get("type").and_then(Value::as_str) {
        Some("ByteLevel" | "ByteFallback") => true,
        Some("Sequence") => decoder["decoders"].as_array().into_iter().flatten().any(names_decoder),
        _ => false,
    }
}

/// Names of the safetensors files in a folder.
fn weight_names(dir: &Path) -> Check<Vec<String>> {
    match fs::read_dir(dir) {
        Ok(listing) => {
            let names = listing.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            Ok(names.filter(|name| name.ends_with(".safetensors")).collect())
        }
        Err(error) => refuse(format!("it cannot be listed: {error}"), "check its permissions"),
    }
}

/// The one set of weight files, see [`weight_set`].
pub(super) fn weight_files(dir: &Path) -> Check<Vec<PathBuf>> {
    match weight_set(weight_names(dir)?.iter().map(String::as_str)) {
        WeightSet::Chosen(names) => Ok(names.into_iter().map(|name| dir.join(name)).collect()),
        WeightSet::Missing => refuse("it holds no weight file (*.safetensors)", COPY_AGAIN),
        WeightSet::Partial { found, promised } => {
            refuse(format!("it holds {found} of {promised} weight files"), COPY_AGAIN)
        }
        WeightSet::Several(names) => several(&names),
    }
}

/// The one set of weight files of a folder in which there must be no other.
pub(super) fn only_weight_files(dir: &Path) -> Check<Vec<PathBuf>> {
    let (names, chosen) = (weight_names(dir)?, weight_files(dir)?);
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    if names.len() == chosen.len() { Ok(chosen) } else { several(&names) }
}

fn several<T>(names: &[&str]) -> Check<T> {
    refuse(format!("it holds more than one set of weights: {}", names.join(", ")), "keep one set, move the others away")
}

/// Compares a weight file with its own header and returns the number of weights in it.
pub(super) fn check_weights(path: &Path) -> Check<u64> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let damaged = |what: String| (format!("{name} is damaged: {what}"), COPY_AGAIN.to_owned());
    let read = |file: &mut File| -> io::Result<(u64, u64, Vec<u8>)> {
        let length = file.metadata()?.len();
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let size = u64::from_le_bytes(head);
        if size > length.saturating_sub(8).min(LARGEST_HEADER) {
            return Ok((length, size, Vec::new()));
        }
        let mut header = Vec::new();
        file.take(size).read_to_end(&mut header)?;
        Ok((length, size, header))
    };
    let (length, size, header) = match File::open(path).and_then(|mut file| read(&mut file)) {
        Ok(parts) => parts,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(damaged("it is shorter than its header".into()));
        }
        Err(error) => return refuse(format!("{name} cannot be read: {error}"), "check its permissions"),
    };
    if header.len() as u64 != size {
        return Err(damaged(format!("its header would be {size} bytes long, the file has {length}")));
    }
    let Ok(Value::Object(tensors)) = serde_json::from_slice(&header) else {
        return Err(damaged("its header is not readable".into()));
    };
    let (mut weights, mut end) = (0u64, 0u64);
    for (tensor, entry) in tensors.iter().filter(|(tensor, _)| *tensor != "__metadata__") {
        let Some((count, stop)) = tensor_extent(entry) else {
            return Err(damaged(format!("the entry of {tensor:?} in its header is not readable")));
        };
        weights += count;
        end = end.max(stop);
    }
    let promised = 8 + size + end;
    if promised != length {
        return Err(damaged(format!("its header promises {promised} bytes, the file has {length}")));
    }
    if weights == 0 {
        return Err(damaged("it holds no weights".into()));
    }
    Ok(weights)
}

/// Number of weights of a header's entry and the offset after its last byte; `None` where the two disagree.
fn tensor_extent(entry: &Value) -> Option<(u64, u64)> {
    let shape = entry.get("shape")?.as_array()?;
    let count = shape.iter().try_fold(1u64, |count, side| count.checked_mul(side.as_u64()?))?;
    let offsets = entry.get("data_offsets")?.as_array()?;
    let (start, stop) = (offsets.first()?.as_u64()?, offsets.get(1)?.as_u64()?);
    let bytes = stop.checked_sub(start)?;
    let width = match entry.get("dtype")?.as_str()? {
        "F64" | "I64" | "U64" => 8,
        "F32" | "I32" | "U32" => 4,
        "F16" | "BF16" | "I16" | "U16" => 2,
        // Packed formats: their size does not follow from the shape.
        _ => return Some((count, stop)),
    };
    (count.checked_mul(width)? == bytes).then_some((count, stop))
}

/// The tokens that end an answer, from every file that may name them.
pub(super) fn ends(dir: &Path, config: &Map<String, Value>, tokenizer: &Tokenizer) -> Vec<u32> {
    let mut ends = Vec::new();
    let generation = optional_object(dir, "generation_config.json").unwrap_or_default();
    for value in [config.get("eos_token_id"), generation.get("eos_token_id")].into_iter().flatten() {
        let one_or_many = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        ends.extend(one_or_many.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()));
    }
    let text = optional_object(dir, "tokenizer_config.json").unwrap_or_default();
    if let Some(value) = text.get("eos_token") {
        let name = value.as_str().or_else(|| value.get("content")?.as_str());
        ends.extend(name.and_then(|name| tokenizer.token_to_id(name)));
    }
    if ends.is_empty() {
        ends.extend(USUAL_ENDS.into_iter().filter_map(|name| tokenizer.token_to_id(name)));
    }
    ends.sort_unstable();
    ends.dedup();
    ends
}
