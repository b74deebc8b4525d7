//! The words of a session file: a header line, then one event a line, each `{"event": tag, …}` with the tag first.
//!
//! Invariants: a number reads back as the very number written; labels stand by name, so a line can be read by itself;
//! an [`Evidence`] holds all that the mediator weighs and all that the panes show.

mod evidence;
mod number;

use serde::{Deserialize, Serialize};

pub use evidence::{Entry, Evidence, GlobalEvidence, LocalEvidence, Period, Vote};
pub use number::ByLabel;

use super::scenario::Scenario;
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::engine::engine::ScoreKind;
use crate::engine::prompt::Arm;
use crate::mediator::conflict::{ConflictKind, Party, Side};
use crate::mediator::policy::Disagreement;
use crate::mediator::style::Style;
use crate::mediator::{Policy, Weight, Weights};

/// The newest session format this program reads.
pub const FORMAT: u32 = 1;
/// The rules by which conflicts are found, see [`Resolution::ledger`].
pub const LEDGER: u32 = 1;

/// How the mediator is set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The weights.
    pub weights: Weights,
    /// The rule.
    pub policy: Policy,
}

/// The dataset that memory was read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetId {
    /// Its name.
    pub name: String,
    /// [`Dataset::content_hash`](crate::data::dataset::Dataset::content_hash) of all of it.
    pub hash: String,
    /// People whose interactions were taken out of it before the first question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<UserId>,
}

impl DatasetId {
    /// `news (0f3a91c2)`: told from others of its name.
    pub fn apart(&self) -> String {
        told(&self.name, &self.hash)
    }
}

/// The model that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelId {
    /// Its short name.
    pub name: String,
    /// [`fingerprint`](super::log::identity) of its files, or of its address.
    pub hash: String,
    /// How it scores labels; not said where that is exact.
    #[serde(default, skip_serializing_if = "ScoreKind::is_exact")]
    pub scores: ScoreKind,
}

impl ModelId {
    /// Its name, with what has to be said of its scores.
    pub fn told(&self) -> String {
        self.scores.of(&self.name)
    }

    /// `nano (0f3a91c2)`: told from others of its name.
    pub fn apart(&self) -> String {
        told(&self.name, &self.hash)
    }
}

/// The title of what is recorded as somebody works.
pub const LIVE: &str = "live use";

impl Header {
    /// Whether it was recorded as somebody worked, who may leave a question before it is answered.
    pub fn is_of_live_use(&self) -> bool {
        self.title == LIVE
    }

    /// Whether its questions were picked for what they show, so that chance explains nothing of how they come out.
    pub fn is_picked(&self) -> bool {
        // Files from before the field say it in their title alone.
        self.picked || self.title.starts_with(Scenario::Gallery.name())
    }
}

/// Something that a session does otherwise than the one it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// `dataset`, `model`, `policy`, `embedder` or a weight.
    pub what: String,
    /// There.
    pub from: String,
    /// Here.
    pub to: String,
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} → {}", self.what, self.from, self.to)
    }
}

/// Where a session comes from that was made from another one. `of` is the other one's
/// [`hash`](super::log::Session::hash).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Origin {
    /// It shares the other one's beginning, event for event, and goes on by itself.
    Fork {
        /// The other one.
        of: String,
        /// How many turns are shared, the last of them perhaps in part.
        turn: usize,
        /// What is set otherwise from there on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed: Vec<Changed>,
    },
    /// It asks the other one's questions, and everything else is computed again.
    ReRun {
        /// The other one.
        of: String,
        /// With what; nothing where it merely should come out the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed: Vec<Changed>,
    },
    /// Its texts and identities are pseudonyms.
    Redaction,
    /// Something that a newer program does.
    #[serde(other)]
    Unknown,
}

/// The first line: what a session was recorded with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "session")]
pub struct Header {
    /// Version of the format, see [`FORMAT`].
    pub format: u32,
    /// Version of the program that recorded it.
    pub program: String,
    /// What it shows, in a few words.
    pub title: String,
    /// The dataset.
    pub dataset: DatasetId,
    /// The model; `None` for memory alone.
    pub model: Option<ModelId>,
    /// Where the model ran.
    pub device: Option<String>,
    /// The setting at the start.
    #[serde(flatten)]
    pub setting: Setting,
    /// [`Memory::embedder`](crate::memory::Memory::embedder).
    pub embedder: String,
    /// Seed of whatever was drawn; 0 where nothing was.
    pub seed: u64,
    /// The task's labels, in display order.
    pub labels: Vec<String>,
    /// Whether the questions were picked for what they show; see [`Header::is_picked`] for files that do not say it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub picked: bool,
    /// The session it was made from; absent for a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl Header {
    /// Whether texts and identities are pseudonyms, so that no memory and no model can be asked about them.
    pub fn is_redacted(&self) -> bool {
        self.origin == Some(Origin::Redaction)
    }

    /// What this one is recorded with otherwise than `parent`.
    pub fn changed_from(&self, parent: &Header) -> Vec<Changed> {
        let model = |header: &Header| header.model.as_ref().map_or_else(|| "none".to_owned(), ModelId::apart);
        let dataset = |header: &Header| header.dataset.apart();
        let mut changed: Vec<Changed> = [
            ("dataset", dataset(parent), dataset(self)),
            ("model", model(parent), model(self)),
            ("embedder", parent.embedder.clone(), self.embedder.clone()),
        ]
        .into_iter()
        .filter(|(_, from, to)| from != to)
        .map(|(what, from, to)| Changed { what: what.to_owned(), from, to })
        .collect();
        changed.extend(self.setting.changed_from(&parent.setting));
        changed
    }
}

/// A name, and enough of a hash to tell two of that name apart.
fn told(name: &str, hash: &str) -> String {
    format!("{name} ({})", hash.chars().take(8).collect::<String>())
}

impl Setting {
    /// What is set here otherwise than in `other`: the policy, then weights in display order.
    pub fn changed_from(&self, other: &Setting) -> Vec<Changed> {
        let changed = |what: &str, from: String, to: String| Changed { what: what.to_owned(), from, to };
        let policy =
            (self.policy != other.policy).then(|| changed("policy", other.policy.to_string(), self.policy.to_string()));
        let weight = |weight: &Weight| {
            let (from, to) = (other.weights.get(*weight), self.weights.get(*weight));
            (from != to).then(|| changed(weight.name(), from.to_string(), to.to_string()))
        };
        policy.into_iter().chain(Weight::ALL.iter().filter_map(weight)).collect()
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Who asks.
    pub user: UserId,
    /// When; memory is read strictly before.
    pub at: Timestamp,
    /// What is asked.
    pub query: String,
    /// What the person really answered, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold: Option<String>,
    /// The form of that, of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// The judged query or interaction it is taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What of the person's own items memory is made to hold, oldest first; `None`: all that lies before the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Vec<HeldItem>>,
}

/// An own item that memory is made to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldItem {
    /// Identity of the interaction.
    pub id: String,
    /// When it is taken to have happened, where that is not its own moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Asked {
    /// The right label where it is known: of texts the form of what the person wrote.
    pub fn right(&self) -> Option<&str> {
        self.form.as_deref().or(self.gold.as_deref())
    }
}

/// One side of a disagreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Whose.
    pub party: Party,
    /// The value it prefers.
    pub label: String,
    /// The probability it gives that.
    pub p: f64,
    /// What that is worth against the base rate, in nats.
    pub nats: f64,
    /// The examples or contributors behind it.
    pub n: f64,
}

/// A typed disagreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// What kind.
    pub r#type: ConflictKind,
    /// What it is about.
    pub facet: String,
    /// What the local votes prefer, or the newer or more specific side.
    pub local: String,
    /// What the collective side prefers, or the older or more general one.
    pub global: String,
    /// In bits.
    pub divergence: f64,
    /// The side that has too little to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<Side>,
    /// Both claims with what stands behind them; empty in files of ledger 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<Claim>,
    /// By how much the rule's bound is passed; absent in files of ledger 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Log Bayes factor of a conflict, in nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// Whose claim was decided for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<Party>,
    /// What the mediated distribution still gives to the claim that lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<f64>,
}

/// What the mediator made of the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// By which rule.
    pub policy: Policy,
    /// The decision.
    pub decision: String,
    /// The best of the losers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_up: Option<String>,
    /// p(decision) − p(runner-up); below 0 only where the decision is held.
    pub margin: f64,
    /// The side that keeps a decision it had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Side>,
    /// Whether it chose against the local side.
    pub overrides_local: bool,
    /// What the person's votes are worth in examples.
    pub mass: f64,
    /// Kish's effective sample size.
    pub kish: f64,
    /// Distinct contributors behind the collective side.
    pub support: usize,
    /// By which rules conflicts were found: 0 knows value and coverage, without what stands behind them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ledger: u32,
    /// Typed disagreements.
    pub conflicts: Vec<Conflict>,
    /// The mediated distribution.
    pub distribution: ByLabel,
    /// p_L.
    pub local: ByLabel,
    /// p_G.
    pub global: ByLabel,
    /// How long the text is to be and how many of each side's words it takes, of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
}

impl Resolution {
    /// Whether anything is told of it as a conflict: of whatever type, and of texts also of their length.
    pub fn has_conflict(&self) -> bool {
        !self.conflicts.is_empty() || self.style.is_some_and(|style| style.length.conflict.is_some())
    }
}

fn is_zero(ledger: &u32) -> bool {
    *ledger == 0
}

/// What an arm answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Which arm.
    pub arm: Arm,
    /// The final decision.
    pub answer: String,
    /// The final distribution: memory, fused with the model where one was asked.
    pub distribution: ByLabel,
    /// What the model wrote; empty for memory alone.
    pub text: String,
    /// Tokens generated; 0 for memory alone.
    pub tokens: usize,
    /// [`prompt_hash`](crate::engine::recorded::prompt_hash) of the arm's prompt.
    pub prompt: String,
    /// The model's natural-log probability of each label; absent for memory alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_probabilities: Option<ByLabel>,
    /// [`Answered::seal_of`] of what the model said; absent for memory alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// The memory that it read in the place of both; absent but for the mediated arm under a policy that has it written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// The person's prose profile that it was given among their own memories, room permitting; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Prose>,
}

/// A person's prose profile as an arm was given it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prose {
    /// The profile, on one line. It is no `text`, which could be the name of a label and then would not be redacted.
    pub prose: String,
    /// How many interactions it was made from, the person's first ones.
    pub from: usize,
    /// How many there were at the question.
    pub of: usize,
    /// Whether somebody changed or typed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
}

/// The memory that a model wrote, and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// The memory, on one line.
    pub text: String,
    /// Tokens generated for it.
    pub tokens: usize,
    /// [`prompt_hash`](crate::engine::recorded::prompt_hash) of what was asked for it, before any chat template.
    pub prompt: String,
    /// [`Answered::seal_of`] of the text and its tokens.
    pub seal: String,
    /// How the model's decision on it stands to the rules'.
    pub disagreement: Disagreement,
}

impl Answered {
    /// A fingerprint of a model's words and probabilities. Nothing but the model could compute them again, so this is
    /// how a change by hand is noticed without it.
    pub fn seal_of(log_probabilities: &ByLabel, text: &str, tokens: usize) -> String {
        let mut hasher = blake3::Hasher::new();
        for (label, value) in &log_probabilities.0 {
            hasher.update(label.as_bytes()).update(&[0]).update(&value.to_bits().to_le_bytes());
        }
        hasher.update(&(tokens as u64).to_le_bytes()).update(text.as_bytes());
        hasher.finalize().to_hex().to_string()
    }
}

/// What an analyst says of an answer to the question at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It is right.
    Right,
    /// It is wrong.
    Wrong,
    /// What was said of it before is taken back.
    Withdrawn,
}

/// The analyst's word on one answer to the question at hand, whoever gave it. An answer called right is the analyst's
/// gold, which a question without one gets in this way; it is counted apart from the dataset's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// The answer that is judged: a label, or a text.
    pub answer: String,
    /// What is said of it; a later word on the same answer stands.
    pub judgement: Judgement,
    /// The arm whose answer the analyst had before them; absent where they gave one of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<Arm>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A question begins a turn.
    Asked(Asked),
    /// Both memories were read.
    Evidence(Evidence),
    /// The analyst set the mediator.
    WeightsChanged(Setting),
    /// The mediator decided.
    Mediated {
        /// What.
        resolution: Resolution,
    },
    /// An arm answered.
    Answered(Answered),
    /// From here on memory knows this interaction as well.
    Remembered {
        /// What.
        interaction: Interaction,
    },
    /// The analyst's own words.
    Note {
        /// The words.
        text: String,
    },
    /// The analyst called an answer right or wrong.
    Feedback(Feedback),
}

impl Event {
    /// The tags of all events, as files write them.
    pub const TAGS: [&str; 8] =
        ["asked", "evidence", "weights-changed", "mediated", "answered", "remembered", "note", "feedback"];

    /// The tag, as files write it.
    pub fn tag(&self) -> &'static str {
        let ix = match self {
            Event::Asked(_) => 0,
            Event::Evidence(_) => 1,
            Event::WeightsChanged(_) => 2,
            Event::Mediated { .. } => 3,
            Event::Answered(_) => 4,
            Event::Remembered { .. } => 5,
            Event::Note { .. } => 6,
            Event::Feedback(_) => 7,
        };
        Self::TAGS[ix]
    }
}
