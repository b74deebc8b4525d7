//! A dataset folder: `dataset.toml`, `interactions.jsonl`, `queries.jsonl`. Plain files, the user's truth.
//!
//! Invariants of a [`Dataset`]: interactions are sorted by `(at, id)`, ids are unique, and every response and gold fits
//! the task: one of [`Manifest::responses`] for `labels` and `rating`, not blank for `text`. A score is held as its
//! scale writes it, so `4.0` in a file is `4` here. A file that breaks them is refused with its line; nothing is dropped.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::interaction::{Interaction, JudgedQuery, Timestamp, UserId};
use super::sanitize::visible;
use super::scale::Scale;
use super::text;

/// The newest folder format this program reads.
pub const FORMAT: u32 = 1;

/// More hits than this are no list that anybody reads, and no prompt.
const MOST_HITS: usize = 1000;
/// Tokens; no model reads more.
const MOST_ROOM: f64 = 1e6;
/// A greater exponent of evidence leaves one label and rounding errors.
const MOST_CALIBRATION: f64 = 10.0;

/// Why a dataset folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file is missing or unreadable.
    #[error(
        "{path}: cannot be read ({source}); a dataset folder holds dataset.toml, interactions.jsonl and queries.jsonl"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("{path}: cannot be written ({source}); choose another folder or free some room")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder to be written holds something already.
    #[error("{path}: exists and is not an empty folder; name a new folder with --out, or move this one away")]
    Taken {
        /// The folder asked for.
        path: PathBuf,
    },
    /// `dataset.toml` does not parse.
    #[error("{path}: {reason}; see docs/data-formats.md for its fields")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where the parser knows it.
        reason: String,
    },
    /// A line of a JSON Lines file does not parse or breaks an invariant.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong and what to do.
        reason: String,
    },
    /// There is nothing to remember.
    #[error(
        "{path}: holds no interaction; a memory needs at least one line {{\"id\", \"user\", \"at\", \"query\", \"response\"}}"
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A task that can be kept and imported, but not yet asked about.
    #[error(
        "dataset '{name}' is a {task} task; this version answers labels and rating tasks only: open another dataset with --data"
    )]
    Unanswerable {
        /// The dataset.
        name: String,
        /// Its task.
        task: TaskKind,
    },
}

/// What kind of answer a task wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// One of a fixed set of labels.
    Labels,
    /// A score on an ordinal scale.
    Rating,
    /// Free text.
    Text,
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TaskKind::Labels => "labels",
            TaskKind::Rating => "rating",
            TaskKind::Text => "text",
        })
    }
}

/// How prompts name things; one skeleton serves all four arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wording {
    /// What a query is: `film`.
    pub query: String,
    /// What a response is: `tag`.
    pub response: String,
}

impl Default for Wording {
    fn default() -> Self {
        Self { query: "query".into(), response: "answer".into() }
    }
}

/// How the likeness of a person's own item to a query is put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fusion {
    /// A convex combination of the normalised lexical score and the cosine, by `lexical-share`.
    #[default]
    Convex,
    /// Reciprocal ranks by words and by cosine, added.
    Rrf,
    /// Words alone.
    Lexical,
    /// Vectors alone.
    Dense,
    /// Newest first, whatever the query.
    Recency,
}

impl Fusion {
    /// Whether a similarity says how near an item is, and not only in which order items stand.
    pub fn tells_nearness(self) -> bool {
        matches!(self, Fusion::Convex | Fusion::Lexical | Fusion::Dense)
    }
}

/// Which BM25 scores words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bm25 {
    /// idf of the person's own texts, shrunk toward everybody else's by `idf-prior`.
    #[default]
    Shrunk,
    /// As `rank_bm25` scores one person's profile, which is what LaMP's code does.
    Lamp,
}

/// Whether a setting stands at its default: then it is not written, so that older folders keep their content hash.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

/// How hits are gathered. These belong to the dataset, never to the mediator's weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Retrieval {
    /// How words are compared.
    pub lexical: Lexical,
    /// Share of the lexical term in a similarity; the rest is dense. 0–1.
    pub lexical_share: f64,
    /// Pseudo-documents of the collective's document frequencies in a person's idf. ≥ 0.
    pub idf_prior: f64,
    /// Half-life of the recency term in days; `inf` turns recency off.
    pub recency_half_life: f64,
    /// What an endlessly old hit keeps of its score. 0–1.
    pub recency_floor: f64,
    /// Local hits shown and put into a prompt.
    pub local_hits: usize,
    /// Collective entries shown and put into a prompt.
    pub global_hits: usize,
    /// Tokens of a prompt that memories may fill, at [`crate::engine::prompt::CHARACTERS_A_TOKEN`].
    pub prompt_room: usize,
    /// Entries whose votes are counted.
    pub entry_votes: usize,
    /// k: the most similar items of others whose responses are counted.
    pub neighbours: usize,
    /// How much of an entry's score depends on the person's membership in its community. 0–1.
    pub community_share: f64,
    /// Fewest distinct contributors of anything collective that is shown or used.
    pub guard: usize,
    /// How the likeness of own items is put together.
    #[serde(skip_serializing_if = "is_default")]
    pub fusion: Fusion,
    /// Which BM25 scores the words of own items.
    #[serde(skip_serializing_if = "is_default")]
    pub bm25: Bm25,
    /// k of fusion `rrf`: how slowly a rank's worth falls. ≥ 0.
    #[serde(skip_serializing_if = "is_one")]
    pub rrf_k: f64,
    /// λ of maximal marginal relevance among the shown local hits: 1 counts their scores alone, 0 only how unlike each
    /// other they are. 0–1.
    #[serde(skip_serializing_if = "is_one")]
    pub diversity: f64,
    /// Most shown local hits with one response; as many as there are where absent. ≥ 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_cap: Option<usize>,
    /// What makes a person's item like a query; absent, see [`Manifest::similarity`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<Likeness>,
    /// By how much a numeric attribute differs where its likeness has halved; absent, it is [`ATTRIBUTE_WIDTH`]. > 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute_width: Option<f64>,
}

/// By how much a numeric attribute differs where its likeness has halved, unless the dataset says otherwise: a decade,
/// for years.
pub const ATTRIBUTE_WIDTH: f64 = 10.0;

/// What makes a person's item like a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likeness {
    /// Words and vectors of the texts.
    Text,
    /// The attributes of the things asked about, such as genres and a year.
    Attributes,
}

/// What a memory's age is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgeUnit {
    /// Days before the query.
    #[default]
    Days,
    /// Newer items of the same person: 0 for the newest. For histories of few long sittings.
    Items,
}

/// How the words of a query are compared with those of the person's own items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lexical {
    /// BM25 over its least upper bound, with idf shrunk toward other people's.
    #[default]
    Bm25,
    /// Cosine of tf-idf vectors of words and word pairs.
    Cosine,
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            lexical: Lexical::default(),
            lexical_share: 0.5,
            idf_prior: 20.0,
            recency_half_life: 365.0,
            recency_floor: 0.8,
            local_hits: 4,
            global_hits: 3,
            prompt_room: 1024,
            entry_votes: 15,
            neighbours: 400,
            community_share: 0.7,
            guard: 5,
            fusion: Fusion::Convex,
            bm25: Bm25::Shrunk,
            rrf_k: 1.0,
            diversity: 1.0,
            label_cap: None,
            similarity: None,
            attribute_width: None,
        }
    }
}

/// How collective knowledge is cut into time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Periods {
    /// Days in a period.
    pub days: f64,
    /// Half-life, in days, of an interaction's weight in collective entries.
    pub half_life: f64,
    /// Half-life, in days, of an interaction's weight in the base rate.
    pub base_half_life: f64,
    /// Half-life, in days, of an interaction's weight in collective terms.
    pub term_half_life: f64,
    /// h_N: half-life, in days, of a neighbour's vote.
    pub neighbour_half_life: f64,
}

impl Default for Periods {
    fn default() -> Self {
        Self { days: 90.0, half_life: 365.0, base_half_life: 180.0, term_half_life: 730.0, neighbour_half_life: 365.0 }
    }
}

/// Constants that calibrate evidence; a fit writes them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Calibration {
    /// A_L: exponent of local evidence.
    pub local: f64,
    /// A_T: exponent of collective terms' evidence.
    pub terms: f64,
    /// A_N: exponent of collective neighbours' evidence.
    pub neighbours: f64,
    /// A_V: exponent of collective entries' evidence; absent, it is 1 where entries take the place of neighbours and 0
    /// where neighbours are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<f64>,
    /// μ: how many texts of background are mixed into collective terms.
    pub smoothing: f64,
    /// ω fitted for the shipped model: the model's share in the final decision, 0–1.
    pub model_trust: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { local: 0.88, terms: 0.7, neighbours: 0.91, entries: None, smoothing: 70.0, model_trust: 0.0 }
    }
}

/// Defaults of the mediator's weights that the dataset overrides; absent ones follow the policy's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WeightDefaults {
    /// κ of policy product.
    pub prior_strength_product: Option<f64>,
    /// κ of policy shrinkage.
    pub prior_strength_shrinkage: Option<f64>,
    /// γ.
    pub similarity_sharpness: Option<f64>,
    /// τ, in the unit below.
    pub half_life: Option<f64>,
    /// What τ counts; absent, see [`Manifest::age_unit`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_life_unit: Option<AgeUnit>,
    /// α.
    pub community_focus: Option<f64>,
}

/// `dataset.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Folder format, see [`FORMAT`].
    pub format: u32,
    /// Short name, shown in the header.
    pub name: String,
    /// Kind of answer.
    pub task: TaskKind,
    /// The label set of a `labels` task, in display order.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The scale of a `rating` task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Main metric.
    #[serde(default = "default_metric")]
    pub metric: String,
    /// Terms of use of the data.
    #[serde(default)]
    pub licence: String,
    /// Where the data comes from.
    #[serde(default)]
    pub source: String,
    /// Prompt wording.
    #[serde(default)]
    pub prompt: Wording,
    /// Retrieval settings.
    #[serde(default)]
    pub retrieval: Retrieval,
    /// Periods.
    #[serde(default)]
    pub periods: Periods,
    /// Calibration constants.
    #[serde(default)]
    pub calibration: Calibration,
    /// Weight defaults.
    #[serde(default)]
    pub weights: WeightDefaults,
}

fn default_metric() -> String {
    "accuracy".into()
}

impl Manifest {
    /// All responses there can be, in display order: the labels, or the steps of the scale. Empty for a `text` task,
    /// whose responses cannot be listed.
    pub fn responses(&self) -> Vec<String> {
        match (self.task, &self.scale) {
            (TaskKind::Labels, _) => self.labels.clone(),
            (TaskKind::Rating, Some(scale)) => scale.steps(),
            (TaskKind::Rating, None) | (TaskKind::Text, _) => Vec::new(),
        }
    }

    /// What makes a person's item like a query: what the dataset says, else attributes for ratings and text otherwise.
    pub fn similarity(&self) -> Likeness {
        self.retrieval.similarity.unwrap_or(match self.task {
            TaskKind::Rating => Likeness::Attributes,
            TaskKind::Labels | TaskKind::Text => Likeness::Text,
        })
    }

    /// What the half-life of a memory counts: what the dataset says, else the person's own items for ratings and days
    /// otherwise.
    pub fn age_unit(&self) -> AgeUnit {
        self.weights.half_life_unit.unwrap_or(match self.task {
            TaskKind::Rating => AgeUnit::Items,
            TaskKind::Labels | TaskKind::Text => AgeUnit::Days,
        })
    }

    /// Fails where this version has no answer to the task's questions: for whoever is about to ask some.
    pub fn answerable(&self) -> Result<(), DatasetError> {
        match self.task {
            TaskKind::Labels | TaskKind::Rating => Ok(()),
            task @ TaskKind::Text => Err(DatasetError::Unanswerable { name: visible(&self.name).into_owned(), task }),
        }
    }

    /// What makes the manifest unusable, with the value and the remedy. The ranges of weight defaults are those of the
    /// mediator's weights, which this module may not know; a test holds the two together.
    fn fault(&self) -> Option<String> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            // Not-a-number is within nothing.
            let told = || format!("'{name}' is {value}; give a number from {low} to {high}");
            (!(low..=high).contains(&value)).then(told)
        };
        let unit = |name: &str, value: f64| within(name, value, 0.0, 1.0);
        let positive = |name: &str, value: f64| {
            (value <= 0.0 || value.is_nan()).then(|| format!("'{name}' is {value}; give a number above 0"))
        };
        let default_of = |name: &str, value: Option<f64>, low: f64, high: f64| within(name, value?, low, high);
        if self.format > FORMAT {
            return Some(format!("format {} is newer than this program's {FORMAT}; update logoscope", self.format));
        }
        let labels = self.labels.len();
        match (self.task, self.scale) {
            (TaskKind::Labels, _) if labels < 2 => {
                return Some(format!("'labels' has {labels} entries; a labels task needs at least two"));
            }
            (TaskKind::Rating | TaskKind::Text, _) if labels > 0 => {
                return Some(format!("'labels' belongs to a labels task, this one is {}; remove it", self.task));
            }
            (TaskKind::Labels | TaskKind::Text, Some(_)) => {
                return Some(format!("'scale' belongs to a rating task, this one is {}; remove it", self.task));
            }
            (TaskKind::Rating, None) => {
                let example = "scale = { low = 1.0, high = 5.0, step = 1.0 }";
                return Some(format!("'scale' is missing; a rating task needs one, such as {example}"));
            }
            (TaskKind::Rating, Some(scale)) => {
                if let Some(fault) = scale.fault() {
                    return Some(fault);
                }
            }
            (TaskKind::Labels | TaskKind::Text, None) => {}
        }
        let shown = [&self.name, &self.prompt.query, &self.prompt.response];
        if let Some(text) = shown.into_iter().find(|text| visible(text) != text.as_str()) {
            return Some(format!("'{}' holds a control character; remove it", visible(text)));
        }
        if self.labels.iter().any(|label| label.trim().is_empty()) {
            return Some("'labels' holds an empty label; give it a name or remove it".to_owned());
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.labels.iter().find(|label| !seen.insert(label.as_str())) {
            return Some(format!("'labels' names '{twice}' twice; remove one"));
        }
        let (r, w) = (&self.retrieval, &self.weights);
        let counts = [("local-hits", r.local_hits), ("global-hits", r.global_hits), ("entry-votes", r.entry_votes)];
        let (most, room) = (MOST_HITS as f64, r.prompt_room as f64);
        unit("retrieval.lexical-share", r.lexical_share)
            .or_else(|| unit("retrieval.recency-floor", r.recency_floor))
            .or_else(|| unit("retrieval.community-share", r.community_share))
            .or_else(|| within("retrieval.idf-prior", r.idf_prior, 0.0, 1e6))
            .or_else(|| {
                counts.iter().find_map(|(n, count)| within(&format!("retrieval.{n}"), *count as f64, 0.0, most))
            })
            .or_else(|| within("retrieval.prompt-room", room, 0.0, MOST_ROOM))
            .or_else(|| within("calibration.local", self.calibration.local, 0.0, MOST_CALIBRATION))
            .or_else(|| unit("calibration.model-trust", self.calibration.model_trust))
            .or_else(|| default_of("weights.prior-strength-product", w.prior_strength_product, 0.01, 100.0))
            .or_else(|| default_of("weights.prior-strength-shrinkage", w.prior_strength_shrinkage, 0.01, 100.0))
            .or_else(|| default_of("weights.similarity-sharpness", w.similarity_sharpness, 0.0, 20.0))
            .or_else(|| default_of("weights.half-life", w.half_life, 1.0, f64::INFINITY))
            .or_else(|| default_of("weights.community-focus", w.community_focus, 0.0, 1.0))
            .or_else(|| positive("retrieval.recency-half-life", r.recency_half_life))
            .or_else(|| positive("retrieval.attribute-width", r.attribute_width.unwrap_or(ATTRIBUTE_WIDTH)))
            .or_else(|| positive("periods.days", self.periods.days))
            .or_else(|| positive("periods.half-life", self.periods.half_life))
            .or_else(|| positive("periods.base-half-life", self.periods.base_half_life))
            .or_else(|| positive("periods.term-half-life", self.periods.term_half_life))
            .or_else(|| positive("periods.neighbour-half-life", self.periods.neighbour_half_life))
            .or_else(|| within("calibration.smoothing", self.calibration.smoothing, 1e-3, 1e6))
            .or_else(|| within("calibration.terms", self.calibration.terms, 0.0, MOST_CALIBRATION))
            .or_else(|| within("calibration.neighbours", self.calibration.neighbours, 0.0, MOST_CALIBRATION))
            .or_else(|| {
                within("calibration.entries", self.calibration.entries.unwrap_or_default(), 0.0, MOST_CALIBRATION)
            })
            .or_else(|| unit("retrieval.diversity", r.diversity))
            .or_else(|| {
                let unfit = !(r.rrf_k >= 0.0 && r.rrf_k.is_finite());
                unfit.then(|| format!("'retrieval.rrf-k' is {}; give a number of 0 or more", r.rrf_k))
            })
            .or_else(|| {
                let none =
                    "'retrieval.label-cap' is 0; give 1 or more, or remove it to show any number of one response";
                (r.label_cap == Some(0)).then(|| none.to_owned())
            })
            .or_else(|| {
                (r.guard == 0).then(|| "'retrieval.guard' is 0; the guard needs at least 1 contributor".to_owned())
            })
    }
}

/// The responses that fit a task.
enum Responses<'a> {
    Labels(HashSet<&'a str>),
    Scale(Scale),
    Text,
}

impl<'a> Responses<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        match (manifest.task, manifest.scale) {
            (TaskKind::Rating, Some(scale)) => Self::Scale(scale),
            (TaskKind::Text, _) => Self::Text,
            _ => Self::Labels(manifest.labels.iter().map(String::as_str).collect()),
        }
    }

    /// Brings `response` into the form that the task gives it, or says why it has none.
    fn fit(&self, what: &str, response: &mut String) -> Result<(), String> {
        match self {
            Self::Labels(labels) if labels.contains(response.as_str()) => Ok(()),
            Self::Labels(_) => {
                let response = visible(response);
                Err(format!("{what} '{response}' is not a label of dataset.toml; add it there or correct the line"))
            }
            Self::Scale(scale) => {
                let score = scale.score(response).ok_or_else(|| {
                    let response = visible(response);
                    format!("{what} '{response}' is no score on the scale {scale}; correct the line or the scale")
                })?;
                *response = score;
                Ok(())
            }
            Self::Text if response.trim().is_empty() => {
                Err(format!("{what} is blank; give it a text or remove the line"))
            }
            Self::Text => Ok(()),
        }
    }
}

/// A population, its task and its judged queries.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// `dataset.toml`.
    pub manifest: Manifest,
    /// Sorted by `(at, id)`.
    pub interactions: Vec<Interaction>,
    /// In file order.
    pub queries: Vec<JudgedQuery>,
}

impl Dataset {
    /// Reads the folder `dir`.
    pub fn open(dir: &Path) -> Result<Self, DatasetError> {
        let manifest_path = dir.join("dataset.toml");
        let interactions_path = dir.join("interactions.jsonl");
        let queries_path = dir.join("queries.jsonl");
        let texts = [read(&manifest_path)?, read(&interactions_path)?, read(&queries_path)?];
        Self::parse([&manifest_path, &interactions_path, &queries_path], [&texts[0], &texts[1], &texts[2]])
    }

    /// Reads everything of the folder `dir` but its interactions, which may be many.
    pub fn head(dir: &Path) -> Result<Self, DatasetError> {
        let paths = ["dataset.toml", "interactions.jsonl", "queries.jsonl"].map(|name| dir.join(name));
        let texts = [read(&paths[0])?, String::new(), read(&paths[2])?];
        Self::parse_any(paths.each_ref().map(PathBuf::as_path), texts.each_ref().map(String::as_str))
    }

    /// Reads the three files' texts; `paths` name them in messages.
    pub fn parse(paths: [&Path; 3], texts: [&str; 3]) -> Result<Self, DatasetError> {
        let dataset = Self::parse_any(paths, texts)?;
        if dataset.interactions.is_empty() {
            return Err(DatasetError::Empty { path: paths[1].to_owned() });
        }
        Ok(dataset)
    }

    fn parse_any(paths: [&Path; 3], texts: [&str; 3]) -> Result<Self, DatasetError> {
        let manifest: Manifest = toml::from_str(texts[0]).map_err(|error| {
            let line = error.span().map(|span| text::line_of(texts[0].as_bytes(), span.start));
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            DatasetError::Manifest { path: paths[0].to_owned(), reason: format!("{place}{}", error.message()) }
        })?;
        if let Some(reason) = manifest.fault() {
            return Err(DatasetError::Manifest { path: paths[0].to_owned(), reason });
        }
        let responses = Responses::of(&manifest);
        let fitting = |path: &Path, line: usize, what: &str, response: &mut String| {
            responses.fit(what, response).map_err(|reason| DatasetError::Line { path: path.to_owned(), line, reason })
        };

        let mut ids = HashSet::new();
        let mut interactions = Vec::new();
        for (line, mut interaction) in json_lines::<Interaction>(paths[1], texts[1])? {
            fitting(paths[1], line, "response", &mut interaction.response)?;
            unique(&mut ids, paths[1], line, &interaction.id)?;
            interactions.push(interaction);
        }
        interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));

        let mut ids = HashSet::new();
        let mut queries = Vec::new();
        for (line, mut query) in json_lines::<JudgedQuery>(paths[2], texts[2])? {
            if let Some(gold) = &mut query.gold {
                fitting(paths[2], line, "gold", gold)?;
            }
            unique(&mut ids, paths[2], line, &query.id)?;
            queries.push(query);
        }
        Ok(Self { manifest, interactions, queries })
    }

    /// Writes the folder `dir`, which is created. Each file appears whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<(), DatasetError> {
        fs::create_dir_all(dir).map_err(|source| DatasetError::Write { path: dir.to_owned(), source })?;
        let manifest = toml::to_string(&self.manifest)
            .map_err(|error| DatasetError::Manifest { path: dir.join("dataset.toml"), reason: error.to_string() })?;
        write_whole(&dir.join("dataset.toml"), manifest.as_bytes())?;
        write_whole(&dir.join("interactions.jsonl"), &to_json_lines(&self.interactions))?;
        write_whole(&dir.join("queries.jsonl"), &to_json_lines(&self.queries))
    }

    /// A fingerprint of everything the dataset says: equal content, equal value.
    pub fn content_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(toml::to_string(&self.manifest).unwrap_or_default().as_bytes());
        hasher.update(&to_json_lines(&self.interactions));
        hasher.update(&to_json_lines(&self.queries));
        hasher.finalize().to_hex().to_string()
    }

    /// The second after the last interaction: the moment at which all of the data is past.
    pub fn end(&self) -> Timestamp {
        self.interactions.last().map_or(Timestamp(0), |last| Timestamp(last.at.0.saturating_add(1)))
    }

    /// Everyone who acts or asks, sorted.
    pub fn users(&self) -> BTreeSet<UserId> {
        let acting = self.interactions.iter().map(|i| i.user.clone());
        acting.chain(self.queries.iter().map(|q| q.user.clone())).collect()
    }
}

fn read(path: &Path) -> Result<String, DatasetError> {
    let bytes = fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    let text = text::decode(&bytes);
    let fault = |fault: text::NotUtf8| DatasetError::Line {
        path: path.to_owned(),
        line: fault.line,
        reason: fault.to_string(),
    };
    text.map(str::to_owned).map_err(fault)
}

/// The records of a JSON Lines text with their line numbers; blank lines are skipped.
fn json_lines<T: DeserializeOwned>(path: &Path, text: &str) -> Result<Vec<(usize, T)>, DatasetError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| match serde_json::from_str(line) {
            Ok(record) => Ok((index + 1, record)),
            Err(error) => {
                let reason = format!("{}; correct or remove the line", text::json_fault(&error));
                Err(DatasetError::Line { path: path.to_owned(), line: index + 1, reason })
            }
        })
        .collect()
}

fn unique(seen: &mut HashSet<String>, path: &Path, line: usize, id: &str) -> Result<(), DatasetError> {
    if seen.insert(id.to_owned()) {
        return Ok(());
    }
    let reason = format!("id '{id}' stands twice; ids are unique within a file");
    Err(DatasetError::Line { path: path.to_owned(), line, reason })
}

fn to_json_lines<T: Serialize>(records: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        // Records are maps with string keys; writing them to memory cannot fail.
        if serde_json::to_writer(&mut out, record).is_ok() {
            out.push(b'\n');
        }
    }
    out
}

/// Whether a new folder may be written at `dir`: nothing is there, or an empty folder.
pub fn require_vacant(dir: &Path) -> Result<(), DatasetError> {
    // A link that leads nowhere is something too: a rename would not follow it.
    let exists = fs::symlink_metadata(dir).is_ok();
    if exists && !fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none()) {
        return Err(DatasetError::Taken { path: dir.to_owned() });
    }
    Ok(())
}

/// Writes beside the target, syncs, then renames: a reader sees the old file or the new one, never half of it, and of
/// several writers one wins.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DatasetError> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let wrap = |source| DatasetError::Write { path: path.to_owned(), source };
    // Of this write alone: two that shared a file beside the target would rename each other's half.
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}.part", std::process::id()));
    let written = fs::File::create(&beside).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&beside, path)).map_err(|source| {
        // What could not take its place is of no use.
        let _ = fs::remove_file(&beside);
        wrap(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "format = 1\nname = \"t\"\ntask = \"labels\"\nlabels = [\"a\", \"b\"]\n";

    fn parse(manifest: &str, interactions: &str, queries: &str) -> Result<Dataset, String> {
        let paths = [Path::new("dataset.toml"), Path::new("interactions.jsonl"), Path::new("queries.jsonl")];
        Dataset::parse(paths, [manifest, interactions, queries]).map_err(|error| error.to_string())
    }

    fn line(id: &str, at: i64, response: &str) -> String {
        format!("{{\"id\":\"{id}\",\"user\":\"u\",\"at\":{at},\"query\":\"q\",\"response\":\"{response}\"}}\n")
    }

    #[test]
    fn interactions_come_out_in_time_order() {
        let text = line("2", 20, "a") + &line("1", 10, "b");
        let dataset = parse(MANIFEST, &text, "").unwrap();
        assert_eq!(dataset.interactions[0].id, "1");
        assert_eq!(dataset.end(), Timestamp(21));
    }

    #[test]
    fn bad_input_is_refused_with_place_value_and_remedy() {
        let good = line("1", 10, "a");
        for (manifest, interactions, queries, expected) in [
            ("name = 3", good.as_str(), "", "dataset.toml: line 1"),
            (&MANIFEST.replace("\"labels\"", "\"lables\""), &good, "", "dataset.toml: line 3"),
            (&MANIFEST.replace("\"b\"", "\"a\""), &good, "", "names 'a' twice"),
            (&format!("{MANIFEST}[retrieval]\nlexical-share = 2.0\n"), &good, "", "'retrieval.lexical-share' is 2"),
            (&MANIFEST.replace("\"t\"", "\"t\\u001b[2J\""), &good, "", "'t␛[2J' holds a control character"),
            (&MANIFEST.replace("\"b\"", "\" \""), &good, "", "empty label"),
            (&format!("{MANIFEST}colour = 1\n"), &good, "", "unknown field `colour`"),
            (MANIFEST, "", "", "holds no interaction"),
            (MANIFEST, &format!("{good}{good}"), "", "interactions.jsonl:2: id '1' stands twice"),
            (MANIFEST, &line("1", 10, "c"), "", "interactions.jsonl:1: response 'c' is not a label"),
            (MANIFEST, &format!("{good}{{oops"), "", "interactions.jsonl:2:"),
            (MANIFEST, &good, "{\"id\":\"q\",\"user\":\"u\",\"at\":\"soon\",\"query\":\"q\"}", "'soon' is not a time"),
        ] {
            let message = parse(manifest, interactions, queries).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    const RATING: &str = "format = 1\nname = \"t\"\ntask = \"rating\"\nscale = { low = 0.5, high = 5.0, step = 0.5 }\n";
    const TEXT: &str = "format = 1\nname = \"t\"\ntask = \"text\"\n";

    #[test]
    fn scores_and_texts_are_read_and_written_back() {
        let query =
            |gold: &str| format!("{{\"id\":\"q\",\"user\":\"u\",\"at\":9,\"query\":\"q\",\"gold\":\"{gold}\"}}");
        let rated = parse(RATING, &(line("1", 10, "4.0") + &line("2", 11, "0.5")), &query("3.50")).unwrap();
        assert_eq!((rated.interactions[0].response.as_str(), rated.queries[0].gold.as_deref()), ("4", Some("3.5")));
        let responses = rated.manifest.responses();
        assert_eq!((responses.len(), responses[0].as_str(), responses[9].as_str()), (10, "0.5", "5"));
        assert!(rated.interactions.iter().all(|i| responses.contains(&i.response)));
        let written = parse(TEXT, &line("1", 10, " Any headline "), &query("gold")).unwrap();
        assert_eq!(written.interactions[0].response, " Any headline ");
        assert!(written.manifest.responses().is_empty());
        rated.manifest.answerable().unwrap();
        let message = written.manifest.answerable().unwrap_err().to_string();
        assert!(message.contains("this version answers labels and rating tasks only"), "{message}");
        for dataset in [rated, written] {
            let dir = tempfile::tempdir().unwrap();
            dataset.write(dir.path()).unwrap();
            assert_eq!(Dataset::open(dir.path()).unwrap(), dataset);
        }
    }

    #[test]
    fn a_response_that_does_not_fit_its_task_is_refused() {
        let good = line("1", 10, "4");
        for (manifest, interactions, expected) in [
            (
                RATING,
                line("1", 10, "4.2"),
                "interactions.jsonl:1: response '4.2' is no score on the scale 0.5 to 5 by 0.5",
            ),
            (RATING, line("1", 10, "5.5"), "'5.5' is no score"),
            (RATING, line("1", 10, "good"), "'good' is no score"),
            (TEXT, line("1", 10, "  "), "interactions.jsonl:1: response is blank"),
            (&RATING.replace("scale", "#"), good.clone(), "'scale' is missing"),
            (&RATING.replace("0.5 }", "0.4 }"), good.clone(), "does not reach 5 from 0.5"),
            (
                &format!("{RATING}labels = [\"a\"]"),
                good.clone(),
                "'labels' belongs to a labels task, this one is rating",
            ),
            (
                &RATING.replace("\"rating\"", "\"text\""),
                good.clone(),
                "'scale' belongs to a rating task, this one is text",
            ),
        ] {
            let message = parse(manifest, &interactions, "").unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn newer_retrieval_settings_are_written_only_where_they_say_something() {
        let plain = parse(MANIFEST, &line("1", 10, "a"), "").unwrap().manifest;
        let written = toml::to_string(&plain).unwrap();
        for name in ["fusion", "bm25", "rrf-k", "diversity", "label-cap"] {
            assert!(
                !written.contains(&format!("{name} =")),
                "{name} would change the content hash of every older folder"
            );
        }
        let turned = format!(
            "{MANIFEST}[retrieval]\nfusion = \"rrf\"\nbm25 = \"lamp\"\nrrf-k = 10.0\ndiversity = 0.7\nlabel-cap = 2\n"
        );
        let turned = parse(&turned, &line("1", 10, "a"), "").unwrap().manifest;
        assert_eq!(turned.retrieval.fusion, Fusion::Rrf);
        assert_eq!(toml::from_str::<Manifest>(&toml::to_string(&turned).unwrap()).unwrap(), turned);
        for (setting, expected) in [
            ("fusion = \"magic\"", "unknown variant `magic`"),
            ("diversity = 1.5", "'retrieval.diversity' is 1.5; give a number from 0 to 1"),
            ("rrf-k = -1.0", "'retrieval.rrf-k' is -1"),
            ("label-cap = 0", "'retrieval.label-cap' is 0"),
        ] {
            let message = parse(&format!("{MANIFEST}[retrieval]\n{setting}\n"), &line("1", 10, "a"), "").unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    /// Two programs started at once in a new home both unpacked the model through one file beside it, and one failed.
    #[test]
    fn of_several_writers_one_wins_and_none_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.bin");
        let texts: Vec<Vec<u8>> = (0..8u8).map(|writer| vec![b'a' + writer; 200_000]).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..5).for_each(|_| write_whole(&path, text).unwrap()));
            }
        });
        assert!(texts.contains(&fs::read(&path).unwrap()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_written_folder_reads_back_equal() {
        let mut dataset = parse(MANIFEST, &line("1", 10, "a"), "").unwrap();
        dataset.manifest.retrieval.recency_half_life = f64::INFINITY;
        let dir = tempfile::tempdir().unwrap();
        dataset.write(dir.path()).unwrap();
        let back = Dataset::open(dir.path()).unwrap();
        assert_eq!(back, dataset);
        assert_eq!(back.content_hash(), dataset.content_hash());
    }
}
