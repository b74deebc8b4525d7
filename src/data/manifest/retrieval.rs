//! `[retrieval]`: how hits are gathered, and what makes two texts or things alike.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::data::embedding::Embedding;

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
    /// What makes a person's item like a query; absent, see [`Manifest::similarity`](super::Manifest::similarity).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<Likeness>,
    /// By how much a numeric attribute differs where its likeness has halved; absent, it is [`ATTRIBUTE_WIDTH`]. > 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute_width: Option<f64>,
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

/// What makes a person's item like a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likeness {
    /// Words and vectors of the texts.
    Text,
    /// The attributes of the things asked about, such as genres and a year.
    Attributes,
}

/// By how much a numeric attribute differs where its likeness has halved, unless the dataset says otherwise: a decade,
/// for years.
pub const ATTRIBUTE_WIDTH: f64 = 10.0;

fn is_one(value: &f64) -> bool {
    *value == 1.0
}
