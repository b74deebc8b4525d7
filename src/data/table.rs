//! A table of token vectors in a folder, in the format of model2vec: `config.json`, `tokenizer.json` and
//! `model.safetensors`.
//!
//! The vector of a text is the mean of its tokens' rows; unknown tokens have none. Which texts a table has seen is known
//! only if this program fitted it: then `config.json` says so under `logoscope`.
//!
//! Invariant: a [`StaticTable`] has been checked whole, so that making a vector cannot fail.

use std::fmt;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use model2vec_rs::model::StaticModel;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::dataset::{DatasetError, write_whole};
use super::hidden::Hidden;
use super::interaction::Timestamp;
use super::text::brief;

/// The folder's files.
const FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];
/// Names that the format has given the tensor of rows.
const ROWS: [&str; 3] = ["embeddings", "0", "embedding.weight"];
/// A wider table is a mistake: nothing in memory needs so much of a text.
const WIDEST: usize = 4096;
/// What unknown words become in a table of our own.
const UNKNOWN: &str = "[UNK]";
/// Characters of another's message that are told.
const QUOTED: usize = 200;

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file is missing or unreadable.
    #[error(
        "{}: cannot be read ({source}); a static embedder is a folder with config.json, tokenizer.json and \
         model.safetensors: correct 'retrieval.embedder', or make one with `logoscope fit-embedder`", path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it has to be, or does not go with another one.
    #[error("{}: {reason}; copy the folder again, or make one with `logoscope fit-embedder`", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// How a table of our own was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FitNote {
    /// What was fitted, `lsa`.
    pub kind: String,
    /// Texts from this moment on were not seen.
    pub fit_until: Timestamp,
    /// Name of the dataset.
    pub dataset: String,
    /// Texts that were seen.
    pub texts: usize,
    /// BLAKE3 of who wrote them when.
    pub fingerprint: String,
    /// Words of the table.
    pub words: usize,
    /// Fewest people who used each of them.
    pub contributors: usize,
    /// Seed of the decomposition.
    pub seed: u64,
    /// Share of the matrix's squares that the dimensions hold. 0–1.
    pub energy: f64,
}

/// What of `config.json` is read here; the rest is model2vec's own.
#[derive(Deserialize)]
struct Config {
    hidden_dim: Option<usize>,
    logoscope: Option<FitNote>,
}

/// A table, ready to make vectors.
#[derive(Clone)]
pub struct StaticTable {
    id: String,
    dimensions: usize,
    fitted: Option<FitNote>,
    model: StaticModel,
}

impl fmt::Debug for StaticTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTable").field("id", &self.id).field("fitted", &self.fitted).finish_non_exhaustive()
    }
}

impl PartialEq for StaticTable {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl StaticTable {
    /// Reads and checks the folder `dir`.
    pub fn read(dir: &Path) -> Result<Self, TableError> {
        let paths = FILES.map(|name| dir.join(name));
        let [config_path, tokenizer_path, model_path] = &paths;
        let read = |path: &Path| fs::read(path).map_err(|source| TableError::Read { path: path.to_owned(), source });
        let [config, tokenizer, model] = [read(config_path)?, read(tokenizer_path)?, read(model_path)?];
        let unfit = |path: &Path, reason: String| TableError::Unfit { path: path.to_owned(), reason };

        let told: Config =
            serde_json::from_slice(&config).map_err(|error| unfit(config_path, format!("is no config ({error})")))?;
        let shape = Shape::of(&model).map_err(|reason| unfit(model_path, reason))?;
        if let Some(width) = told.hidden_dim.filter(|width| *width != shape.columns) {
            let reason = format!("says hidden_dim {width}, but model.safetensors has {} columns", shape.columns);
            return Err(unfit(config_path, reason));
        }
        let (used, tokens) = tokens(&tokenizer).map_err(|reason| unfit(tokenizer_path, reason))?;
        shape.hold(tokens).map_err(|reason| unfit(tokenizer_path, reason))?;
        let loaded = StaticModel::from_bytes(&used, &model, &config, None)
            .map_err(|error| unfit(model_path, quoted("cannot be used", &error)))?;

        let mut hasher = blake3::Hasher::new();
        for bytes in [&config, &tokenizer, &model] {
            hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        }
        let id = format!("static-{}-{}", &hasher.finalize().to_hex()[..16], shape.columns);
        Ok(Self { id, dimensions: shape.columns, fitted: told.logoscope, model: loaded })
    }

    /// Names the table by its content.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Width of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// How it was fitted, if this program fitted it.
    pub fn fitted(&self) -> Option<&FitNote> {
        self.fitted.as_ref()
    }

    /// The mean of the rows of `text`'s first 512 tokens; zero without a known one.
    pub fn mean(&self, text: &str) -> Vec<f32> {
        self.model.encode_single(text)
    }
}

/// What another's message says.
fn quoted(what: &str, error: &dyn fmt::Display) -> String {
    brief(&format!("{what} ({error:#})"), QUOTED).into_owned()
}

/// Rows, columns and what stands beside them in `model.safetensors`.
struct Shape {
    rows: usize,
    columns: usize,
    /// Tokens that have a weight.
    weights: Option<usize>,
    /// Tokens that have a row of their own number or another's.
    mapped: Option<usize>,
}

impl Shape {
    fn of(bytes: &[u8]) -> Result<Self, String> {
        let tensors =
            SafeTensors::deserialize(bytes).map_err(|error| quoted("is cut or no safetensors file", &error))?;
        let Some(table) = ROWS.iter().find_map(|name| tensors.tensor(name).ok()) else {
            return Err("has no tensor 'embeddings'".to_owned());
        };
        let &[rows, columns] = table.shape() else {
            return Err(format!("has a tensor 'embeddings' of {} dimensions instead of 2", table.shape().len()));
        };
        if rows == 0 || columns == 0 || columns > WIDEST {
            return Err(format!("has {rows} rows of {columns} columns; 1 to {WIDEST} columns can be used"));
        }
        if !matches!(table.dtype(), Dtype::F32 | Dtype::F16 | Dtype::I8) {
            return Err(format!("holds numbers of type {:?}; F32, F16 and I8 can be used", table.dtype()));
        }
        let weights = tensors.tensor("weights").ok();
        if let Some(other) = weights.as_ref().filter(|w| !matches!(w.dtype(), Dtype::F64 | Dtype::F32 | Dtype::F16)) {
            return Err(format!("holds weights of type {:?}; F64, F32 and F16 can be used", other.dtype()));
        }
        let mapped = tensors.tensor("mapping").ok().map(|mapping| mapped(&mapping, rows)).transpose()?;
        let weights = weights.map(|weights| weights.shape().iter().product());
        Ok(Self { rows, columns, weights, mapped })
    }

    /// Whether each of so many tokens finds its row.
    fn hold(&self, tokens: usize) -> Result<(), String> {
        let told = |what: &str, found: usize| {
            Err(format!(
                "numbers {tokens} tokens, but model.safetensors has {found} {what}: they are of different tables"
            ))
        };
        match (self.mapped, self.weights) {
            (None, _) if self.rows < tokens => told("rows", self.rows),
            (Some(mapped), _) if mapped < tokens => told("mapped tokens", mapped),
            (_, Some(weights)) if weights < tokens => told("weights", weights),
            _ => Ok(()),
        }
    }
}

/// How many tokens `mapping` gives a row, each of which there has to be.
fn mapped(mapping: &TensorView<'_>, rows: usize) -> Result<usize, String> {
    let data = mapping.data();
    let targets: Vec<i64> = match mapping.dtype() {
        Dtype::I64 => data.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
        Dtype::I32 => data.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect(),
        other => return Err(format!("holds a mapping of type {other:?}; I64 and I32 can be used")),
    };
    let outside = |row: &&i64| usize::try_from(**row).is_ok_and(|row| row < rows);
    match targets.iter().find(|row| !outside(row)) {
        Some(row) => Err(format!("maps a token to row {row} of {rows}")),
        None => Ok(targets.len()),
    }
}

/// The tokenizer's file without what only turns tokens back into text or adds some, and one more than the largest
/// number of a token. What is left out cannot be damaged: the library panics at some of that.
fn tokens(bytes: &[u8]) -> Result<(Vec<u8>, usize), String> {
    let no_tokenizer = |error: &dyn fmt::Display| quoted("is no tokenizer", error);
    let mut json: Value = serde_json::from_slice(bytes).map_err(|error| no_tokenizer(&error))?;
    let Some(parts) = json.as_object_mut() else { return Err("is no tokenizer (it holds no object)".to_owned()) };
    for unused in ["decoder", "post_processor", "truncation", "padding"] {
        parts.insert(unused.to_owned(), Value::Null);
    }
    let bytes = json.to_string().into_bytes();
    let read = catch_unwind(|| Tokenizer::from_bytes(&bytes)).unwrap_or_else(|_| Err("it cannot be parsed".into()));
    let tokenizer = read.map_err(|error| no_tokenizer(&error))?;
    // What no vocabulary holds shows whether unknown words can be told at all.
    if let Err(error) = tokenizer.encode_fast("known \u{10fffd}\u{e000}", false) {
        return Err(quoted("cannot read unknown words", &error));
    }
    let largest = tokenizer.get_vocab(true).into_values().max();
    Ok((bytes, largest.map_or(0, |id| id as usize + 1)))
}

/// Writes a folder of that format at `target`, which appears whole or not at all: a row of `dimensions` numbers for each
/// of `words`, which are lower-case and alphanumeric.
pub fn write(
    target: &Path,
    words: &[String],
    rows: &[f32],
    dimensions: usize,
    note: &FitNote,
) -> Result<(), DatasetError> {
    let folder = Hidden::beside(target)?;
    let wrap = |error: &dyn fmt::Display| DatasetError::Write {
        path: target.to_owned(),
        source: std::io::Error::other(error.to_string()),
    };
    let config = json!({
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": dimensions,
        "seq_length": 1_000_000,
        "normalize": true,
        "logoscope": note,
    });
    // The first row is that of unknown words, which nothing reads.
    let table: Vec<u8> = std::iter::repeat_n(&0.0f32, dimensions).chain(rows).flat_map(|x| x.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![words.len() + 1, dimensions], &table).map_err(|error| wrap(&error))?;
    let model = safetensors::serialize([("embeddings", view)], &None).map_err(|error| wrap(&error))?;
    let files = [format!("{config:#}\n").into_bytes(), format!("{:#}\n", tokenizer(words)).into_bytes(), model];
    for (name, bytes) in FILES.iter().zip(files) {
        write_whole(&folder.path().join(name), &bytes)?;
    }
    folder.publish()
}

/// A tokenizer that knows whole words: those that [`crate::memory::lexical::words`] finds, but for a Greek
/// sigma at a word's end and the dotted capital I.
fn tokenizer(words: &[String]) -> Value {
    let mut vocabulary = serde_json::Map::new();
    vocabulary.insert(UNKNOWN.to_owned(), json!(0));
    vocabulary.extend(words.iter().enumerate().map(|(index, word)| (word.clone(), json!(index + 1))));
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": {
            "type": "Split",
            "pattern": { "Regex": r"[^\p{Alphabetic}\p{N}]+" },
            "behavior": "Removed",
            "invert": false,
        },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN },
    })
}
