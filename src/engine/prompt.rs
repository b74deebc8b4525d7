//! The prompt: one skeleton for four arms, memory that an arm does not see printed as empty.
//!
//! The same code renders what the demonstration model is trained on and what any model is asked, so that the two can
//! never drift apart. Invariants: a block is one line an item, so a newline in data cannot forge one; no line states
//! the mediator's decision or any distribution over the query itself, only memories with how near and how old they are.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::data::dataset::Wording;
use crate::data::interaction::Timestamp;
use crate::data::sanitize;
use crate::memory::global::GlobalRead;
use crate::memory::local::LocalRead;
use crate::memory::{Memory, MemoryRead};

/// Tokens an answer may take.
pub const MAX_ANSWER_TOKENS: usize = 24;
/// What ends an answer.
pub const STOP: &str = "\n";
/// Labels named per profile or entry.
const NAMED: usize = 3;
/// Shares below this are not worth a word.
const LEAST_SHARE: f64 = 0.05;

/// Which memory a prompt holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Neither.
    None,
    /// The person's own.
    Local,
    /// Everyone else's.
    Global,
    /// Both.
    Mediated,
}

impl Arm {
    /// All, in display order.
    pub const ALL: [Arm; 4] = [Arm::None, Arm::Local, Arm::Global, Arm::Mediated];

    /// Name in UI, CLI, files and docs.
    pub fn name(self) -> &'static str {
        match self {
            Arm::None => "none",
            Arm::Local => "local",
            Arm::Global => "global",
            Arm::Mediated => "mediated",
        }
    }

    /// Whether its prompt holds local memory.
    pub fn sees_local(self) -> bool {
        matches!(self, Arm::Local | Arm::Mediated)
    }

    /// Whether its prompt holds global memory.
    pub fn sees_global(self) -> bool {
        matches!(self, Arm::Global | Arm::Mediated)
    }
}

impl std::str::FromStr for Arm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|arm| arm.name() == name)
            .ok_or_else(|| format!("'{name}' is no arm; use some of {}", known()))
    }
}

/// The prompt of `arm` for `query`.
pub fn render(memory: &Memory, query: &str, read: &MemoryRead, arm: Arm) -> String {
    render_blocks(memory, query, arm.sees_local().then_some(&read.local), arm.sees_global().then_some(&read.global))
}

/// The prompt with the given blocks; an experiment may pass another person's.
pub fn render_blocks(memory: &Memory, query: &str, local: Option<&LocalRead>, global: Option<&GlobalRead>) -> String {
    let Wording { query: asked, response } = &memory.manifest.prompt;
    let mut out = format!("{asked}: {}\n", quoted(query));
    match local.filter(|read| read.visible() > 0) {
        Some(read) => local_block(&mut out, memory, read),
        None => out.push_str("own: nothing\n"),
    }
    match global.filter(|read| !read.hits.is_empty()) {
        Some(read) => global_block(&mut out, memory, read),
        None => out.push_str("others: nothing\n"),
    }
    let _ = write!(out, "{response}:");
    out
}

fn local_block(out: &mut String, memory: &Memory, read: &LocalRead) {
    let _ = writeln!(out, "own: {}", shares(memory, &read.profile.ranked()));
    for hit in read.shown() {
        let label = quoted(&memory.population.labels[hit.label]);
        let (near, age) = (tenths(hit.terms.similarity()), age_word(hit.age_days));
        let _ = writeln!(out, "- {label} | near {near} | {age} | {}", quoted(&memory.population.text[hit.item]));
    }
}

fn global_block(out: &mut String, memory: &Memory, read: &GlobalRead) {
    match read.leading() {
        Some((community, _)) => {
            let _ = writeln!(out, "others: community of {}", read.members[community]);
        }
        None => out.push_str("others: everyone\n"),
    }
    for hit in &read.hits {
        let near = tenths(hit.terms.score());
        let words = quoted(&hit.top_terms.join(", "));
        let _ = writeln!(
            out,
            "- {} | near {near} | {} users | {words}",
            shares(memory, &hit.ranked(LEAST_SHARE)),
            hit.users
        );
    }
}

/// `noir 5, comedy 3`: the largest shares in tenths.
fn shares(memory: &Memory, ranked: &[(usize, f64)]) -> String {
    let named = ranked
        .iter()
        .take(NAMED)
        .map(|(label, share)| format!("{} {}", quoted(&memory.population.labels[*label]), tenths(*share).max(1)));
    named.collect::<Vec<_>>().join(", ")
}

/// Text of data as it may stand in a prompt: on one line, and without the brackets that models' own control tokens are
/// spelled with.
fn quoted(text: &str) -> String {
    sanitize::visible(text).replace("<|", "< |")
}

/// A number in [0, 1] as 0–10.
fn tenths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 10.0).round() as u32
}

/// How old a memory is, in a word.
fn age_word(days: f64) -> &'static str {
    match days {
        d if d < 1.0 => "today",
        d if d < 7.0 => "days",
        d if d < 45.0 => "weeks",
        d if d < 365.0 => "months",
        _ => "years",
    }
}

/// The moment a question is asked, with the words it is asked in: what a prompt is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Who asks.
    pub user: crate::data::interaction::UserId,
    /// What.
    pub query: String,
    /// When; memory is read strictly before.
    pub at: Timestamp,
}
