//! Typed disagreement: what kinds there are, and what the ledger keeps of each.
//!
//! Found by [`super::ledger`]. Invariant: a conflict holds both claims with what stands behind them, so whoever lost can
//! be read beside whoever won.

use serde::{Deserialize, Serialize};

use super::distribution::jensen_shannon;
use super::resolution::Resolution;

/// Pseudo-examples by which votes are shrunk before they are compared.
pub const PSEUDO: f64 = 2.0;
/// Below this many effective examples the local side does not cover a query.
pub const COVERED: f64 = 0.5;

/// What kind of disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// Both sides speak and prefer different values.
    Value,
    /// One side raises a value that the other lowers.
    Polarity,
    /// The person used to say something else, and time explains it.
    Temporal,
    /// The person contradicts themselves, and time does not explain it.
    IntraLocal,
    /// The general and the specific prefer different values.
    Scope,
    /// At least one side has too little to say.
    Coverage,
}

impl ConflictKind {
    /// All, in the order in which a ledger lists them.
    pub const ALL: [ConflictKind; 6] = [
        ConflictKind::Value,
        ConflictKind::Polarity,
        ConflictKind::Temporal,
        ConflictKind::IntraLocal,
        ConflictKind::Scope,
        ConflictKind::Coverage,
    ];

    /// Name in UI, CLI, files and docs.
    pub fn name(self) -> &'static str {
        match self {
            ConflictKind::Value => "value",
            ConflictKind::Polarity => "polarity",
            ConflictKind::Temporal => "temporal",
            ConflictKind::IntraLocal => "intra-local",
            ConflictKind::Scope => "scope",
            ConflictKind::Coverage => "coverage",
        }
    }
}

/// Which side of the mediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The person's own memory.
    Local,
    /// Everyone else's.
    Global,
    /// Both of them.
    Both,
}

/// Who claims something in a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// The person's own memory, weighed.
    Local,
    /// Everyone else's.
    Global,
    /// The person's newer memories near the query.
    Newer,
    /// The older ones.
    Older,
    /// Most of the person's memories near the query.
    Most,
    /// The others among them.
    Rest,
    /// The person's memories near the query.
    Near,
    /// The person's whole history.
    History,
    /// The person's communities.
    Community,
    /// The whole population.
    Population,
}

impl Party {
    /// Name in UI, CLI and files.
    pub fn name(self) -> &'static str {
        match self {
            Party::Local => "local",
            Party::Global => "global",
            Party::Newer => "newer",
            Party::Older => "older",
            Party::Most => "most",
            Party::Rest => "rest",
            Party::Near => "near",
            Party::History => "history",
            Party::Community => "community",
            Party::Population => "population",
        }
    }
}

/// One side of a conflict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Whose.
    pub party: Party,
    /// The value it prefers; in a polarity conflict of labels, the value that it raises or lowers.
    pub label: usize,
    /// The probability it gives that value, or to its end of the scale in a conflict of scores about two ends.
    pub p: f64,
    /// What that is worth against the base rate, in nats: ln p/b; the change of log-odds in a polarity conflict.
    pub nats: f64,
    /// What stands behind it: examples of a person, contributors of a collective.
    pub n: f64,
}

/// A disagreement, with what decided it and what was not decided for.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// What kind.
    pub kind: ConflictKind,
    /// The personal, newer or more specific claim first.
    pub claims: [Claim; 2],
    /// By how much the two differ, in bits, 0–1.
    pub divergence: f64,
    /// By how much the rule's bound is passed: bits above the threshold; of coverage, the examples that the person
    /// lacks, or the contributors where only those are lacking.
    pub margin: f64,
    /// Log Bayes factor of there being a conflict, in nats, where votes can tell.
    pub strength: Option<f64>,
    /// For coverage, the side that is silent.
    pub silent: Option<Side>,
    /// Whose claim was decided for; `None` for neither.
    pub winner: Option<Party>,
    /// What the mediated distribution still gives to the claim that lost; the better one where both did. `None` where
    /// nothing was lost.
    pub kept: Option<f64>,
}

impl Conflict {
    /// The claim that was not decided for; `None` where nothing was lost or neither claim won.
    pub fn loser(&self) -> Option<&Claim> {
        self.kept?;
        let winner = self.winner?;
        self.claims.iter().find(|claim| claim.party != winner)
    }

    /// Whether a claim of it is for anything but its label: of one label a side may claim the opposite.
    pub fn denies(&self, claim: &Claim) -> bool {
        let [a, b] = &self.claims;
        self.kind == ConflictKind::Polarity && a.label == b.label && claim.nats < 0.0
    }

    /// The rule in a sentence, with its numbers.
    pub fn rule(&self) -> String {
        let [a, b] = &self.claims;
        let bound = self.divergence - self.margin;
        let differ = format!("{:.2} bit apart, threshold {bound:.2}", self.divergence);
        let odds = self.strength.unwrap_or_default();
        match self.kind {
            ConflictKind::Value => format!("first choices differ, {differ}"),
            ConflictKind::Polarity => {
                let way = |claim: &Claim| if claim.nats > 0.0 { "raises" } else { "lowers" };
                let told =
                    |claim: &Claim| format!("{} {} it by {:.2} nats", claim.party.name(), way(claim), claim.nats.abs());
                format!("{}, {}, at least .69 each; {differ}", told(a), told(b))
            }
            ConflictKind::Temporal => {
                format!("time order explains the change by {odds:.1} nats, at least 1.1; the halves are {differ}")
            }
            ConflictKind::IntraLocal => {
                let share = b.n / (a.n + b.n);
                format!(
                    "{share:.2} of the near memories contradict: torn, not a slip, by {odds:.1} nats, at least 1.1; {differ}"
                )
            }
            ConflictKind::Scope => {
                format!("{} and {} prefer different values, {differ}", a.party.name(), b.party.name())
            }
            ConflictKind::Coverage => match self.silent {
                Some(Side::Global) => {
                    format!("{:.0} contributors stand behind global, {:.0} fewer than the guard", b.n, self.margin)
                }
                Some(Side::Local) => format!("local is worth {:.2} examples, less than {COVERED}", a.n),
                _ => format!(
                    "local is worth {:.2} examples, less than {COVERED}, and {:.0} contributors stand behind global, fewer than the guard",
                    a.n, b.n
                ),
            },
        }
    }
}

/// A log Bayes factor of a conflict in words, in the steps of Kass and Raftery (1995), section 3.2: 3, 20 and 150 to one.
pub fn in_words(nats: f64) -> &'static str {
    match nats {
        ..-1.1 => "the votes by themselves speak against one",
        ..1.1 => "the votes are too few to call",
        ..3.0 => "positive evidence of one",
        ..5.0 => "strong evidence of one",
        _ => "very strong evidence of one",
    }
}

/// D = JSD₂((c + 2p)/(m + 2), p), in bits. Raw divergence is mostly noise for short histories, since one vote is a point
/// mass; here the votes are first shrunk by two pseudo-examples of what they are compared with.
pub fn divergence(counts: &[f64], mass: f64, p: &[f64]) -> f64 {
    jensen_shannon(&shrunk(counts, mass, p), p)
}

/// (c + 2p)/(m + 2).
pub fn shrunk(counts: &[f64], mass: f64, p: &[f64]) -> Vec<f64> {
    counts.iter().zip(p).map(|(count, p)| (count + PSEUDO * p) / (mass + PSEUDO)).collect()
}

/// Whether there is somebody behind either side, who could contradict the other: where no contributor stands behind the
/// collective side, it may do no more than repeat the base rate. Who is too few is [coverage](ConflictKind::Coverage)'s to say.
pub fn both_speak(resolution: &Resolution) -> bool {
    resolution.mass > 0.0 && resolution.support > 0
}

/// Both first choices and D if both sides speak and prefer different values at `threshold` bits or more: the one
/// conflict that a whole session is searched for at every turn of a weight.
pub fn clash(resolution: &Resolution, threshold: f64) -> Option<(usize, usize, f64)> {
    let Resolution { counts, mass, global, .. } = resolution;
    let (local, crowd) = (resolution.decide(counts), resolution.decide(global));
    if !both_speak(resolution) || local == crowd {
        return None;
    }
    let bits = divergence(counts, *mass, global);
    (bits >= threshold).then_some((local, crowd, bits))
}
