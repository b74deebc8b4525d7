//! `dataset.toml`: what a dataset is about, how its memory is retrieved, and what its weights begin with.
//!
//! Invariant: a manifest without a fault has every number within its range, so that whatever reads it need not look.

mod fault;
mod periods;
mod retrieval;
mod task;

use serde::{Deserialize, Serialize};

pub use periods::{MOST_PERIODS, PeriodLength, Periods};
pub use retrieval::{ATTRIBUTE_WIDTH, Bm25, Fusion, Lexical, Likeness, Retrieval};
pub use task::TaskKind;

use super::form::{Form, Places};
use super::scale::Scale;

/// The newest folder format this program reads.
pub const FORMAT: u32 = 1;

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

/// Whether a setting stands at its default: then it is not written, so that older folders keep their content hash.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
}
