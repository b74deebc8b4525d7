//! A new community over a dataset: how many periods pass until the global side serves people whom it had never seen.
//!
//! The same questions are asked of two memories: one from which the community was hidden until it arrived, and one that
//! knew it all along. The community is *served* from the first period on at and after which the global side of the first is
//! no more than 2 points below that of the second; fewer than [`LEAST`] questions from there on say nothing. Both leave out
//! whoever asks.

use serde::Serialize;

use super::drift::against;
use super::{Asking, Cell, Estimate, Job, Subject, Told, WITHIN};
use crate::data::interaction::{Timestamp, UserId};
use crate::engine::prompt::Arm;
use crate::eval::EvalError;
use crate::eval::split::Question;
use crate::session::scenario::arrival::Arrival;

/// Fewest questions from a period on that can tell that people are served.
pub const LEAST: usize = 30;

/// A period since the arrival.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Period {
    /// From 1.
    pub number: usize,
    /// The first moment after it; `None`: more may come into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// What the arms make of it.
    #[serde(flatten)]
    pub cell: Cell,
    /// What the global arm of a memory that knew the community makes of it.
    pub known: f64,
    /// Global less that.
    pub against_known: Estimate,
}

/// An arrival over a dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arrived {
    /// What it was made on.
    #[serde(flatten)]
    pub subject: Subject,
    /// Which community.
    pub community: usize,
    /// Its people.
    pub members: usize,
    /// When they arrive.
    pub from: Timestamp,
    /// How unlike everyone else's their answers are, in bits.
    pub unlike: f64,
    /// Period by period; one in which none of them acts is left out.
    pub periods: Vec<Period>,
    /// The period from which on they are served; `None`: not within the data.
    pub served: Option<usize>,
}

impl Arrived {
    /// Asks `questions`, those of the members since they arrived, of both memories.
    ///
    /// # Errors
    ///
    /// [`EvalError::NoChange`] without questions, and what [`Asking::all`] says.
    pub fn of(
        hidden: &Asking,
        known: &Asking,
        questions: &[Question],
        arrival: &Arrival,
        subject: Subject,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, EvalError> {
        if questions.is_empty() {
            return Err(EvalError::NoChange);
        }
        let jobs: Vec<Job> = (0..questions.len()).map(|question| Job { question, held: None }).collect();
        let n = jobs.len();
        let told = hidden.all(questions, &jobs, &mut |done| progress(done, 2 * n))?;
        let all_along = known.all(questions, &jobs, &mut |done| progress(n + done, 2 * n))?;
        let (by, plan) = (subject.by, subject.plan);
        let mut periods = Vec::new();
        for (ix, end) in arrival.ends.iter().enumerate() {
            let rows = |told: &[Told]| -> Vec<(&UserId, Told)> {
                let here = questions.iter().zip(told).filter(|(question, _)| arrival.period(question.at) == ix);
                here.map(|(question, told)| (question.user, *told)).collect()
            };
            let (new, old) = (rows(&told), rows(&all_along));
            let Some(cell) = Cell::of(new.iter().copied(), by, plan) else { continue };
            let global = Arm::Global as usize;
            let known = old.iter().map(|(_, told)| told.scores[global]).sum::<f64>() / old.len() as f64;
            let against_known = against(&new, &old, plan)[global];
            let end = Some(*end).filter(|end| *end < Timestamp(i64::MAX));
            periods.push(Period { number: ix + 1, end, cell, known, against_known });
        }
        let behind = |period: &Period| period.against_known.value < -WITHIN - 1e-12;
        let from = periods.iter().rposition(behind).map_or(0, |last| last + 1);
        let asked: usize = periods[from..].iter().map(|period| period.cell.n).sum();
        let served = periods.get(from).filter(|_| asked >= LEAST).map(|period| period.number);
        Ok(Self {
            subject,
            community: arrival.community,
            members: arrival.members.len(),
            from: arrival.from,
            unlike: arrival.unlike,
            periods,
            served,
        })
    }
}
