//! `dataset.toml`: what a dataset is about, how its memory is retrieved, and what its weights begin with.
//!
//! Invariant: a manifest without a fault has every number within its range, so that whatever reads it need not look.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::embedding::Embedding;
use super::form::{Form, Places};
use super::interaction::Timestamp;
use super::sanitize::visible;
use super::scale::Scale;

/// The newest folder format this program reads.
pub const FORMAT: u32 = 1;

/// More periods than this would be a mistake in `dataset.toml`, not a calendar.
pub const MOST_PERIODS: usize = 1000;

/// More hits than this are no list that anybody reads, and no prompt.
const MOST_HITS: usize = 1000;
/// Tokens; no model reads more.
const MOST_ROOM: f64 = 1e6;
/// Topics at most: the number of one fits a byte.
const MOST_TOPICS: f64 = 256.0;
/// A greater exponent of evidence leaves one label and rounding errors.
const MOST_CALIBRATION: f64 = 10.0;

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

impl TaskKind {
    /// Names of the metrics that say how well it is done. They are computed by a module that this one may not know; a test
    /// there holds the two together.
    pub fn metrics(self) -> &'static [&'static str] {
        const OF_TEXTS: [&str; 10] = [
            "accuracy",
            "balanced_accuracy",
            "macro_f1",
            "log_loss",
            "brier",
            "calibration_error",
            "entropy",
            "length_error",
            "rouge1",
            "rougeL",
        ];
        match self {
            // Of texts the form is judged as a label is.
            TaskKind::Labels => &OF_TEXTS[..7],
            TaskKind::Rating => &["mae", "rmse"],
            TaskKind::Text => &OF_TEXTS,
        }
    }
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What makes vectors of texts.
    #[serde(skip_serializing_if = "is_default")]
    pub embedder: Embedding,
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
            embedder: Embedding::Hash,
            bm25: Bm25::Shrunk,
            rrf_k: 1.0,
            diversity: 1.0,
            label_cap: None,
            similarity: None,
            attribute_width: None,
        }
    }
}

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PeriodLength {
    /// So many days. > 0; `inf` closes none.
    Days(f64),
    /// So many interactions of the population, and whatever else happens in the second of the last one. ≥ 1.
    Interactions(usize),
}

/// How collective knowledge is cut into time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PeriodsTable", into = "PeriodsTable")]
pub struct Periods {
    /// How long a period is.
    pub length: PeriodLength,
    /// Half-life, in days, of an interaction's weight in collective entries.
    pub half_life: f64,
    /// Half-life, in days, of an interaction's weight in the base rate.
    pub base_half_life: f64,
    /// Half-life, in days, of an interaction's weight in collective terms.
    pub term_half_life: f64,
    /// h_N: half-life, in days, of a neighbour's vote.
    pub neighbour_half_life: f64,
    /// Half-life, in days, of the person's own responses where their community is told from them; `inf` forgets none.
    pub membership_half_life: f64,
    /// Topics that communities are told apart by, at most 256; 0 tells none apart.
    pub topics: usize,
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            length: PeriodLength::Days(90.0),
            half_life: 365.0,
            base_half_life: 180.0,
            term_half_life: 730.0,
            neighbour_half_life: 365.0,
            membership_half_life: f64::INFINITY,
            topics: 0,
        }
    }
}

/// `[periods]` as it is written: the length under the name of its unit.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct PeriodsTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interactions: Option<usize>,
    half_life: f64,
    base_half_life: f64,
    term_half_life: f64,
    neighbour_half_life: f64,
    /// Absent where nothing is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    membership_half_life: Option<f64>,
    #[serde(skip_serializing_if = "is_default")]
    topics: usize,
}

impl Default for PeriodsTable {
    /// A table without a line: its length is yet to be filled in.
    fn default() -> Self {
        Self { days: None, interactions: None, ..Periods::default().into() }
    }
}

impl From<Periods> for PeriodsTable {
    fn from(periods: Periods) -> Self {
        let Periods { length, half_life, base_half_life, term_half_life, neighbour_half_life, topics, .. } = periods;
        let membership_half_life = periods.membership_half_life;
        let membership_half_life = membership_half_life.is_finite().then_some(membership_half_life);
        let (days, interactions) = match length {
            PeriodLength::Days(days) => (Some(days), None),
            PeriodLength::Interactions(count) => (None, Some(count)),
        };
        Self {
            days,
            interactions,
            half_life,
            base_half_life,
            term_half_life,
            neighbour_half_life,
            membership_half_life,
            topics,
        }
    }
}

impl TryFrom<PeriodsTable> for Periods {
    type Error = &'static str;

    fn try_from(table: PeriodsTable) -> Result<Self, Self::Error> {
        let length = match (table.days, table.interactions) {
            (Some(_), Some(_)) => {
                return Err("'periods' has both 'days' and 'interactions'; keep one of them: a period has one length");
            }
            (Some(days), None) => PeriodLength::Days(days),
            (None, Some(count)) => PeriodLength::Interactions(count),
            (None, None) => Self::default().length,
        };
        let PeriodsTable { half_life, base_half_life, term_half_life, neighbour_half_life, topics, .. } = table;
        let membership_half_life = table.membership_half_life.unwrap_or(f64::INFINITY);
        Ok(Self {
            length,
            half_life,
            base_half_life,
            term_half_life,
            neighbour_half_life,
            membership_half_life,
            topics,
        })
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
    /// A_S: exponent of how each of the person's communities leans from what everyone answers to the same topics.
    #[serde(skip_serializing_if = "is_default")]
    pub community_leaning: f64,
    /// A_H: exponent of what each of the person's communities answers to the topic of the query.
    #[serde(skip_serializing_if = "is_default")]
    pub community_habit: f64,
    /// A_C: exponent of what the nearest texts of each of the person's communities say; at 0 they are not looked for.
    #[serde(skip_serializing_if = "is_default")]
    pub community_neighbours: f64,
    /// μ: how many texts of background are mixed into collective terms.
    pub smoothing: f64,
    /// ω fitted for the shipped model: the model's share in the final decision, 0–1.
    pub model_trust: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            local: 0.88,
            terms: 0.7,
            neighbours: 0.91,
            entries: None,
            community_leaning: 0.0,
            community_habit: 0.0,
            community_neighbours: 0.0,
            smoothing: 70.0,
            model_trust: 0.0,
        }
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
    /// What memories are about, in display order: the labels, the steps of the scale, or of a `text` task, whose responses
    /// cannot be listed, their forms.
    pub fn responses(&self) -> Vec<String> {
        match (self.task, &self.scale) {
            (TaskKind::Labels, _) => self.labels.clone(),
            (TaskKind::Rating, Some(scale)) => scale.steps(),
            (TaskKind::Rating, None) => Vec::new(),
            (TaskKind::Text, _) => Form::names(),
        }
    }

    /// Where a response stands among [`Manifest::responses`].
    pub fn places(&self) -> Places {
        match self.task {
            TaskKind::Text => Places::Written,
            TaskKind::Labels | TaskKind::Rating => {
                Places::Listed(self.responses().into_iter().enumerate().map(|(place, name)| (name, place)).collect())
            }
        }
    }

    /// The label of a response: of a `text` task its form, of any other the response itself.
    pub fn label_of<'a>(&self, response: &'a str) -> &'a str {
        match self.task {
            TaskKind::Text => Form::of(response).name(),
            TaskKind::Labels | TaskKind::Rating => response,
        }
    }

    /// The form of a response, of a `text` task.
    pub fn form_of(&self, response: &str) -> Option<String> {
        (self.task == TaskKind::Text).then(|| Form::of(response).name().to_owned())
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

    /// What is wrong with the length of a period for interactions at these times, by their ids. The periods of a shorter
    /// population must not depend on how long it will grow, so they cannot be lengthened as it does.
    pub(super) fn period_fault<'a>(
        &self,
        interactions: impl ExactSizeIterator<Item = (Timestamp, &'a str)> + Clone,
    ) -> Option<String> {
        let count = interactions.len();
        let least = count.div_ceil(MOST_PERIODS);
        let (first, earliest) = interactions.clone().min()?;
        let (last, latest) = interactions.max()?;
        let span = last.days_since(first);
        match self.periods.length {
            PeriodLength::Interactions(every) if every < least => Some(format!(
                "'periods.interactions' is {every}, which would cut {count} interactions into more than \
                 {MOST_PERIODS} periods; give {least} or more"
            )),
            PeriodLength::Days(days) if span / days >= MOST_PERIODS as f64 => Some(format!(
                "'periods.days' is {days}, which would cut {span:.1} days into more than {MOST_PERIODS} periods; give {} \
                 or more, unless the time of the earliest interaction '{earliest}', {first}, or of the latest '{latest}', \
                 {last}, is wrong",
                // Rounded up to what is easily typed.
                (100.0 * span / (MOST_PERIODS - 1) as f64).ceil() / 100.0
            )),
            PeriodLength::Interactions(_) | PeriodLength::Days(_) => None,
        }
    }

    /// What makes the manifest unusable, with the value and the remedy. The ranges of weight defaults are those of the
    /// mediator's weights, which this module may not know; a test holds the two together.
    pub(super) fn fault(&self) -> Option<String> {
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
        let known = self.task.metrics();
        // Left out it is accuracy, whatever the task.
        if self.metric != default_metric() && !known.contains(&self.metric.as_str()) {
            let (metric, task) = (visible(&self.metric), self.task);
            return Some(format!("'metric' is '{metric}'; a {task} task is judged by one of {}", known.join(", ")));
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
            .or_else(|| match self.periods.length {
                PeriodLength::Days(days) => positive("periods.days", days),
                PeriodLength::Interactions(0) => Some("'periods.interactions' is 0; give 1 or more".to_owned()),
                PeriodLength::Interactions(_) => None,
            })
            .or_else(|| positive("periods.half-life", self.periods.half_life))
            .or_else(|| positive("periods.base-half-life", self.periods.base_half_life))
            .or_else(|| positive("periods.term-half-life", self.periods.term_half_life))
            .or_else(|| positive("periods.neighbour-half-life", self.periods.neighbour_half_life))
            .or_else(|| positive("periods.membership-half-life", self.periods.membership_half_life))
            .or_else(|| within("calibration.smoothing", self.calibration.smoothing, 1e-3, 1e6))
            .or_else(|| within("calibration.terms", self.calibration.terms, 0.0, MOST_CALIBRATION))
            .or_else(|| within("calibration.neighbours", self.calibration.neighbours, 0.0, MOST_CALIBRATION))
            .or_else(|| within("periods.topics", self.periods.topics as f64, 0.0, MOST_TOPICS))
            .or_else(|| {
                let exponent = self.calibration.community_leaning;
                within("calibration.community-leaning", exponent, 0.0, MOST_CALIBRATION)
            })
            .or_else(|| {
                let exponent = self.calibration.community_habit;
                within("calibration.community-habit", exponent, 0.0, MOST_CALIBRATION)
            })
            .or_else(|| {
                let exponent = self.calibration.community_neighbours;
                within("calibration.community-neighbours", exponent, 0.0, MOST_CALIBRATION)
            })
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
