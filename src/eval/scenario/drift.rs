//! Drift over a dataset: how the arms fare before a change of taste and after it, and which of them is first to serve the
//! new one.
//!
//! Every person with a change is asked their own interactions around it, each from what lay strictly before. An arm has
//! *recovered* at the first stage after the change whose accuracy is no more than 2 points below what it was before; where
//! that is the first stage of all, it has lost nothing. A later stage has fewer people; it is held against what those same
//! people had before. Observed changes were looked for, in the very answers that are
//! asked here: part of any loss is what made them stand out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Asking, Cell, Estimate, Job, Subject, Told, WITHIN, around};
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;
use crate::eval::EvalError;
use crate::eval::metrics::Addend;
use crate::eval::split::Question;
use crate::eval::stats::Table;
use crate::session::scenario::drift::Change;

/// Interactions before the change that count as before.
pub const BEFORE: usize = 10;
/// Stages after it, in interactions, both ends included.
pub const STAGES: [(usize, usize); 5] = [(1, 2), (3, 5), (6, 10), (11, 20), (21, 40)];

/// A stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// Interactions since the change, both ends included; `None` before it.
    pub since: Option<(usize, usize)>,
    /// What the arms make of it.
    #[serde(flatten)]
    pub cell: Cell,
    /// Per arm: accuracy less that of the same people before the change.
    pub against_before: [Estimate; 4],
}

/// When an arm serves the new taste as well as the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// It never served it less.
    NothingLost,
    /// In the stage of these interactions since the change, both ends included.
    At(usize, usize),
    /// Not within what is asked.
    NotYet,
}

/// A drift over a dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// What it was made on.
    #[serde(flatten)]
    pub subject: Subject,
    /// Whether the changes were made by splicing people.
    pub made: bool,
    /// People with a change.
    pub changes: usize,
    /// The least log Bayes factor of those that were observed.
    pub least_evidence: Option<f64>,
    /// Before, then stage by stage.
    pub stages: Vec<Stage>,
    /// Per arm: when it has recovered.
    pub recovered: [Recovery; 4],
    /// The arms besides *none* that recovered first, among those that lost something.
    pub first: Vec<Arm>,
}

impl Drift {
    /// Asks `questions`, in time order, of everybody in `changes`.
    ///
    /// # Errors
    ///
    /// [`EvalError::NoChange`] without any, and what [`Asking::all`] says.
    pub fn of(
        asking: &Asking,
        questions: &[Question],
        changes: &[Change],
        made: bool,
        subject: Subject,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, EvalError> {
        let at: BTreeMap<&UserId, usize> = changes.iter().map(|change| (&change.user, change.index)).collect();
        let mut seen: BTreeMap<&UserId, usize> = BTreeMap::new();
        let mut staged: Vec<(usize, usize)> = Vec::new();
        for (ix, question) in questions.iter().enumerate() {
            let place = seen.entry(question.user).or_default();
            *place += 1;
            let Some(change) = at.get(question.user) else { continue };
            let stage = match (*place - 1).checked_sub(*change) {
                None if *change - (*place - 1) <= BEFORE => 0,
                None => continue,
                Some(after) => match STAGES.iter().position(|(from, to)| (from - 1..*to).contains(&after)) {
                    Some(stage) => stage + 1,
                    None => continue,
                },
            };
            staged.push((stage, ix));
        }
        if staged.is_empty() {
            return Err(EvalError::NoChange);
        }
        let jobs: Vec<Job> = staged.iter().map(|(_, question)| Job { question: *question, held: None }).collect();
        let total = jobs.len();
        let told = asking.all(questions, &jobs, &mut |done| progress(done, total))?;
        let rows = |stage: usize| {
            let of = staged.iter().zip(&told).filter(move |((at, _), _)| *at == stage);
            of.map(|((_, question), told)| (questions[*question].user, *told)).collect::<Vec<_>>()
        };
        let (by, plan) = (subject.by, subject.plan);
        let before = rows(0);
        let mut stages = Vec::new();
        for stage in 0..=STAGES.len() {
            let here = rows(stage);
            let Some(cell) = Cell::of(here.iter().copied(), by, plan) else { continue };
            let since = stage.checked_sub(1).map(|ix| STAGES[ix]);
            let people: BTreeSet<&UserId> = here.iter().map(|(user, _)| *user).collect();
            let same: Vec<_> = before.iter().filter(|(user, _)| people.contains(user)).copied().collect();
            stages.push(Stage { since, cell, against_before: against(&here, &same, plan) });
        }
        let recovered = Arm::ALL.map(|arm| {
            let back = |stage: &&Stage| stage.against_before[arm as usize].value >= -WITHIN - 1e-12;
            match stages.iter().filter(|stage| stage.since.is_some()).find(back).and_then(|stage| stage.since) {
                Some(since) if since == STAGES[0] => Recovery::NothingLost,
                Some((from, to)) => Recovery::At(from, to),
                None => Recovery::NotYet,
            }
        });
        let when = |arm: &Arm| match recovered[*arm as usize] {
            Recovery::At(from, _) => Some(from),
            _ => None,
        };
        let noticing: Vec<Arm> = Arm::ALL.into_iter().filter(|arm| *arm != Arm::None && when(arm).is_some()).collect();
        let earliest = noticing.iter().filter_map(when).min();
        let first = noticing.into_iter().filter(|arm| when(arm) == earliest).collect();
        let least_evidence = changes.iter().filter_map(|change| change.evidence).reduce(f64::min);
        Ok(Self { subject, made, changes: changes.len(), least_evidence, stages, recovered, first })
    }
}

/// Per arm: the mean of some answers less that of others, people resampled together.
pub(super) fn against(
    here: &[(&UserId, Told)],
    there: &[(&UserId, Told)],
    plan: crate::eval::stats::Plan,
) -> [Estimate; 4] {
    let row = |offset: usize| {
        move |(user, told): &(&UserId, Told)| {
            let mut sums: Vec<Addend> = vec![(offset, 1.0)];
            sums.extend(told.scores.iter().enumerate().map(|(arm, score)| (offset + 1 + arm, *score)));
            ((*user).clone(), sums)
        }
    };
    // Both in one table, so that a person is drawn with both.
    let tables = [Table::of(10, here.iter().map(row(0)).chain(there.iter().map(row(5))))];
    let figures = |sums: &[Vec<f64>]| -> Vec<Option<f64>> {
        let sums = &sums[0];
        let both = sums[0] > 0.0 && sums[5] > 0.0;
        (1..5).map(|arm| both.then(|| sums[arm] / sums[0] - sums[5 + arm] / sums[5])).collect()
    };
    let (values, around) = (figures(&[tables[0].total()]), around(&tables, plan, figures));
    [0, 1, 2, 3].map(|arm| Estimate { value: values[arm].unwrap_or_default(), interval: around[arm] })
}
