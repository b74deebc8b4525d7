//! The cold-start ladder: the same questions of the same people with only the newest 0, 1, 2, 4, 8 … of their items
//! visible.
//!
//! Queries are fixed: those of people with at least M visible items, M the greatest rung. Membership, profile and
//! statistics of the person come from what is held; others leave out all that the person did, also what is hidden.
//! *Hand-over* is the least rung at which the by-person interval of local − global lies above 0; a rung of its own, not
//! the start of a run of such rungs. Natural buckets stand beside it: they confound size of history with kind of person.

use serde::Serialize;

use super::{Asking, Cell, Job, Subject};
use crate::data::interaction::UserId;
use crate::eval::EvalError;
use crate::eval::bucket::{Bucket, FINE, GAIN};
use crate::eval::split::Question;
use crate::memory::held::{Held, rungs};

/// A rung.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rung {
    /// Items held.
    pub held: usize,
    /// What the arms make of it.
    #[serde(flatten)]
    pub cell: Cell,
}

/// Questions by how many items were visible.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Natural {
    /// How many.
    pub bucket: Bucket,
    /// What the arms make of them.
    #[serde(flatten)]
    pub cell: Cell,
}

/// A ladder over a dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ladder {
    /// What it was made on.
    #[serde(flatten)]
    pub subject: Subject,
    /// The greatest rung, and the fewest visible items of the people whose queries are asked.
    pub most: usize,
    /// Whether the oldest items are held: then a small history is an old one as well.
    pub oldest: bool,
    /// Days before a query within which nothing of the person's was visible.
    pub gap_days: f64,
    /// From 0 up.
    pub rungs: Vec<Rung>,
    /// The least rung at which local is better than global for certain; `None`: not reached.
    pub hand_over: Option<usize>,
    /// All queries, whoever asks, with all that was visible.
    pub natural: Vec<Natural>,
    /// The same at 0, 1–5 and 0–5.
    pub gain: Vec<Natural>,
}

/// What a ladder is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// The greatest rung.
    pub most: usize,
    /// The oldest items are held.
    pub oldest: bool,
    /// Days before a query within which nothing of the person's is visible: what was done in one sitting is alike.
    pub gap_days: f64,
}

impl Ladder {
    /// Asks `questions` on every rung.
    ///
    /// # Errors
    ///
    /// [`EvalError::NoRung`] where nobody has enough items, and what [`Asking::all`] says.
    pub fn of(
        asking: &Asking,
        questions: &[Question],
        shape: Shape,
        subject: Subject,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, EvalError> {
        let population = &asking.memory.population;
        let until = |question: &Question| question.at.min(question.at.plus_days(-shape.gap_days));
        let visible =
            |question: &Question| population.visible(population.user_ix(question.user), until(question)).len();
        let fixed: Vec<usize> = (0..questions.len()).filter(|ix| visible(&questions[*ix]) >= shape.most).collect();
        if fixed.is_empty() {
            let most = questions.iter().map(visible).max().unwrap_or_default();
            return Err(EvalError::NoRung { wanted: shape.most, most });
        }
        let cut = if shape.oldest { Held::oldest } else { Held::newest };
        let steps = rungs(shape.most);
        let rung = |m: usize, question: usize| {
            let asked = &questions[question];
            Job { question, held: Some(cut(population, population.user_ix(asked.user), until(asked), m)) }
        };
        let mut jobs: Vec<Job> = (0..questions.len()).map(|question| rung(usize::MAX, question)).collect();
        steps.iter().for_each(|m| jobs.extend(fixed.iter().map(|question| rung(*m, *question))));
        let total = jobs.len();
        let told = asking.all(questions, &jobs, &mut |done| progress(done, total))?;
        let (whole, held) = told.split_at(questions.len());
        let (by, plan) = (subject.by, subject.plan);
        let found: Vec<Rung> = steps
            .iter()
            .zip(held.chunks(fixed.len()))
            .filter_map(|(m, told)| {
                let rows = fixed.iter().zip(told).map(|(question, told)| (questions[*question].user, *told));
                Some(Rung { held: *m, cell: Cell::of(rows, by, plan)? })
            })
            .collect();
        let sure = |rung: &&Rung| rung.cell.local_over_global.interval.is_some_and(|interval| interval.low > 0.0);
        let hand_over = found.iter().find(sure).map(|rung| rung.held);
        let natural = |buckets: &[Bucket]| -> Vec<Natural> {
            let rows = |bucket: &Bucket| {
                let inside = questions.iter().zip(whole).filter(|(_, told)| bucket.holds(told.visible));
                inside.map(|(question, told)| (question.user, *told)).collect::<Vec<(&UserId, _)>>()
            };
            let cell = |bucket: &Bucket| Some(Natural { bucket: *bucket, cell: Cell::of(rows(bucket), by, plan)? });
            buckets.iter().filter_map(cell).collect()
        };
        let (natural, gain) = (natural(&FINE), natural(&GAIN));
        Ok(Self {
            subject,
            most: shape.most,
            oldest: shape.oldest,
            gap_days: shape.gap_days,
            rungs: found,
            hand_over,
            natural,
            gain,
        })
    }
}
