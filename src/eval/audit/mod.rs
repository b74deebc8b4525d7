//! The audit: how groups of people fare on every arm, whom the collective overrules, and whether the guard held.
//!
//! It judges the answers of an [`experiment`](super::experiment). A [`group`] is made of what was known of a person before
//! each query, never of the right answer, so that nobody is put into a group by how they were answered. Intervals resample
//! people; a group of fewer people than the guard, or of too few queries, is left out with the reason.
//!
//! * [`group`]: who is in which group. * [`measure`]: figures of a group. * [`gap`]: two groups compared.
//! * [`overrule`]: suppression, rescue, personalisation, and single cases. * [`guard`]: contributors counted anew.
//! * [`gate`]: bounds for continuous integration.

pub mod gap;
pub mod gate;
pub mod group;
pub mod guard;
pub mod measure;
pub mod overrule;

use serde::Serialize;

use self::gate::{Bounds, GateReport};
use self::group::{Grouping, Past};
use self::guard::GuardReport;
use self::measure::Dimension;
use self::overrule::{Case, Overruled, Personalised};
use super::assessment::Provenance;
use super::counted;
use super::experiment::{Answer, Answered};
use super::metrics::{Metric, TaskMeasures};
use super::split::Question;
use super::stats::{Plan, Unit};
use crate::engine::prompt::Arm;

/// Version of the JSON object.
pub const SCHEMA: &str = "logoscope.audit/1";
/// Fewest queries of which anything is said.
pub const LEAST_QUERIES: usize = 10;
/// Fewest remembered items of which a share or a departure is told: a share of fewer says little.
pub const LEAST_ITEMS: usize = 10;
/// Fewest queries of a person whose answers are compared with the right ones as distributions.
pub const LEAST_OF_PERSON: usize = 5;

/// What is audited.
pub struct Inquiry<'a> {
    /// The queries.
    pub questions: &'a [Question<'a>],
    /// The observation that each of them is part of.
    pub units: Vec<usize>,
    /// What the arms answered, in the same order.
    pub answered: &'a [Answered],
    /// What was known of each asking person, in the same order.
    pub pasts: &'a [Past],
    /// How answers are judged.
    pub measures: &'a TaskMeasures,
    /// Fewest people of whom anything is said.
    pub guard: usize,
    /// How often is resampled.
    pub plan: Plan,
}

impl Inquiry<'_> {
    /// What an arm finally answered.
    pub fn said(&self, row: usize, arm: Arm) -> &Answer {
        let (answered, ix) = (&self.answered[row], arm as usize);
        answered.spoken[ix].as_ref().map_or(&answered.arms[ix], |spoken| &spoken.fused)
    }

    /// The metric that groups are compared in: ROUGE-L where a model wrote, else that of the task.
    pub fn headline(&self) -> Metric {
        let wrote = self.answered.iter().flat_map(|answered| answered.spoken.iter().flatten());
        let mut wrote = wrote.filter_map(|spoken| spoken.fused.written);
        if wrote.any(|written| written.rouge.is_some()) { Metric::RougeL } else { self.measures.headline() }
    }

    /// What an answer counts in that metric.
    pub fn score(&self, row: usize, arm: Arm) -> f64 {
        let answer = self.said(row, arm);
        match answer.written.and_then(|written| written.rouge) {
            Some(rouge) => rouge.longest,
            None => self.measures.headline_of(self.questions[row].gold, answer),
        }
    }

    /// Whether an answer is the right label, form or very score.
    pub fn is_right(&self, row: usize, arm: Arm) -> bool {
        self.said(row, arm).decision == self.questions[row].gold
    }

    /// How probable each response was among others' at the moment of a query.
    pub fn popularity(&self, row: usize) -> &[f64] {
        self.answered[row].arms[Arm::None as usize].distribution.as_deref().unwrap_or_default()
    }

    /// Whether what the person preferred so far is not what others prefer.
    pub fn is_minority(&self, row: usize) -> bool {
        self.pasts[row].departs(self.popularity(row))
    }

    /// Why nothing is told of so many queries of so many people; `None` where something is.
    pub fn too_few(&self, queries: usize, people: usize) -> Option<String> {
        match (people < self.guard, queries < LEAST_QUERIES) {
            (true, _) => {
                let people = counted(people, "person", "people");
                Some(format!("{people}, fewer than the guard of {}", self.guard))
            }
            (false, true) => Some(format!("{}, fewer than {LEAST_QUERIES}", counted(queries, "query", "queries"))),
            (false, false) => None,
        }
    }
}

/// What of an answer makes it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// The label.
    Label,
    /// The very score.
    Score,
    /// The form of a text, whatever its words.
    Form,
}

impl Right {
    fn of(measures: &TaskMeasures) -> Self {
        match measures {
            TaskMeasures::Labels(_) => Self::Label,
            TaskMeasures::Rating(_) => Self::Score,
            TaskMeasures::Text(_) => Self::Form,
        }
    }
}

/// Everything an audit found out.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// How it came about.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Queries.
    pub n: usize,
    /// Who asked them.
    pub users: usize,
    /// What intervals resample and tests flip.
    pub resampled: Unit,
    /// What groups are compared in.
    pub headline: Metric,
    /// What makes an answer right, wherever right ones are counted.
    pub right_is: Right,
    /// By each grouping asked for.
    pub dimensions: Vec<Dimension>,
    /// Everybody, those who differ from the others, and these by group.
    pub overruled: Vec<Overruled>,
    /// What local memory changes.
    pub personalised: Vec<Personalised>,
    /// The guard over all prompts.
    pub guarded: GuardReport,
    /// How many queries the mediator got wrong where the person's own memory was right.
    pub overridden_right: usize,
    /// The worst of them.
    pub cases: Vec<Case>,
    /// Bounds that were asked for, and the guard.
    pub gates: Vec<GateReport>,
    /// Whether every gate that could be judged held; `None` where none could of those that were asked for, or, where none
    /// was asked for, the guard could not.
    pub passed: Option<bool>,
}

/// What is wanted of an audit.
pub struct Wanted<'a> {
    /// How it came about.
    pub provenance: Provenance,
    /// Who is in which group.
    pub groupings: &'a [Grouping],
    /// Bounds.
    pub bounds: Bounds,
    /// How many cases are told.
    pub cases: usize,
    /// Names of the responses.
    pub names: &'a [String],
    /// The command that asks one of the questions, without person, moment and query.
    pub opening: &'a [String],
}

/// Judges everything; `guarded` is what was found of the prompts.
pub fn audit(inquiry: &Inquiry, guarded: GuardReport, wanted: Wanted) -> Audit {
    let Wanted { provenance, groupings, bounds, cases, names, opening } = wanted;
    let dimensions: Vec<Dimension> = groupings.iter().map(|grouping| measure::dimension(inquiry, grouping)).collect();
    let overruled = overrule::overruled(inquiry, groupings, &dimensions);
    let (overridden_right, cases) = overrule::cases(inquiry, cases, names, opening);
    let headline = inquiry.headline();
    let gates = gate::judge(bounds, &dimensions, &overruled, &guarded);
    let users = measure::askers(inquiry, 0..inquiry.questions.len());
    Audit {
        n: inquiry.questions.len(),
        users,
        resampled: Unit::of(users),
        headline,
        right_is: Right::of(inquiry.measures),
        passed: gate::passed(&gates),
        personalised: overrule::personalised(inquiry),
        provenance,
        dimensions,
        overruled,
        guarded,
        overridden_right,
        cases,
        gates,
    }
}

#[cfg(test)]
mod tests;
