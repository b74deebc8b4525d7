//! What memory said to a question, as a session file tells it: all that the mediator weighs and all that the panes show.

use serde::{Deserialize, Serialize};

use super::ByLabel;
use crate::data::dataset::AgeUnit;
use crate::data::interaction::Timestamp;
use crate::memory::fusion::{EntryTerms, LocalTerms, nothing};
use crate::memory::writing;

/// Something the person did, as it votes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Identity of the interaction.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What was asked then.
    pub text: String,
    /// What they answered.
    pub response: String,
    /// The form of that, of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// ln of its words, of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// The score's parts; all but recency are the similarity that the mediator weighs.
    #[serde(with = "LocalTermsFields")]
    pub terms: LocalTerms,
    /// Raw cosine of query and item.
    pub cosine: f64,
    /// Days before the question.
    pub age_days: f64,
    /// Place among the person's own items, 0 the newest.
    pub recency_rank: usize,
    /// What others thought of the same thing, of ratings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<f64>,
}

impl Vote {
    /// The label that it is for: of texts their form.
    pub fn label(&self) -> &str {
        self.form.as_deref().unwrap_or(&self.response)
    }
}

/// What local memory said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalEvidence {
    /// How many votes are displayed and stand in the prompt.
    pub shown: usize,
    /// A_L.
    pub calibration: f64,
    /// ν: how unlike the person's memories the question is, 0–1.
    #[serde(default)]
    pub novelty: f64,
    /// What a memory's age is counted in.
    #[serde(default, skip_serializing_if = "in_days")]
    pub age_unit: AgeUnit,
    /// The person's habits: decayed count per label.
    pub profile: ByLabel,
    /// Every visible item, best first.
    pub votes: Vec<Vote>,
}

fn in_days(unit: &AgeUnit) -> bool {
    *unit == AgeUnit::Days
}

/// The closed period that was read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// 1-based.
    pub number: usize,
    /// The first moment after it.
    pub end: Timestamp,
}

/// A collective entry as the person was shown it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Identity.
    pub id: String,
    /// Whose; absent for the whole population.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community: Option<usize>,
    /// The score's parts.
    #[serde(with = "EntryTermsFields")]
    pub terms: EntryTerms,
    /// Response probabilities.
    pub distribution: ByLabel,
    /// Decayed, capped mass behind them.
    pub mass: f64,
    /// Distinct contributors.
    pub users: usize,
    /// Its words.
    pub top_terms: Vec<String>,
    /// Newest member.
    pub last_seen: Timestamp,
}

/// What global memory said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlobalEvidence {
    /// Base rate b(y) of others.
    pub base: ByLabel,
    /// p(y | x) of the whole population.
    pub population: ByLabel,
    /// p(y | x) of the person's communities.
    pub community: ByLabel,
    /// m_G of the thing asked about, of ratings; then the labels are the scores of a scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<f64>,
    /// Distinct contributors behind the collective side.
    pub support: usize,
    /// Entries kept back by the guard.
    pub suppressed: usize,
    /// Fewest contributors of anything collective.
    pub guard: usize,
    /// The period; absent before the first one closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Probability of each community for the person.
    pub membership: Vec<f64>,
    /// Members of each community, the person aside.
    pub members: Vec<usize>,
    /// Displayed entries, best first.
    pub entries: Vec<Entry>,
}

/// What both memories said to a question, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// About the person.
    pub local: LocalEvidence,
    /// About everyone else.
    pub global: GlobalEvidence,
    /// How both write, of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<writing::Written>,
}

/// The fields of [`LocalTerms`], which memory itself only writes.
#[derive(Serialize, Deserialize)]
#[serde(remote = "LocalTerms")]
struct LocalTermsFields {
    lexical: f64,
    dense: f64,
    #[serde(default, skip_serializing_if = "nothing")]
    attributes: f64,
    recency: f64,
}

/// The fields of [`EntryTerms`], which memory itself only writes.
#[derive(Serialize, Deserialize)]
#[serde(remote = "EntryTerms")]
struct EntryTermsFields {
    lexical: f64,
    dense: f64,
    #[serde(default, skip_serializing_if = "nothing")]
    attributes: f64,
    community: f64,
}
