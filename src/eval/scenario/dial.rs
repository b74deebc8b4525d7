//! The bias dial: the same questions of the same people with a history of constant length and a growing share of one label.
//!
//! Histories are drawn without replacement from the person's own items before the question and fill the time slots of the
//! newest ones; nothing is borrowed from others, see [`Held::skewed`]. It models *skewed memory*: the person's taste
//! stays what it was. Questions are those before which the person has at least L items of the label and L of others.
//! *Balanced accuracy* is the mean of accuracy on-habit (the right answer is the label) and off-habit. *Bias tolerance*
//! of an arm is the largest share at which its balanced accuracy is no more than 2 points below that at the person's own
//! share of the label.

use serde::Serialize;

use super::{Asking, Estimate, Job, Subject, Told, WITHIN, around};
use crate::data::draw::numbered;
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;
use crate::eval::EvalError;
use crate::eval::metrics::Addend;
use crate::eval::split::Question;
use crate::eval::stats::{Plan, Table};
use crate::memory::held::{Held, Skew};
use crate::memory::population::LabelIx;
use crate::session::scenario::rungs::{alike, habit_before, shares, split_by};

/// Which share of the label a history has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// Each person's own before the question, as near as the length allows.
    Own,
    /// So many percent.
    Percent(usize),
}

impl Share {
    /// `own` or `40 %`.
    pub fn name(self) -> String {
        match self {
            Share::Own => "own".to_owned(),
            Share::Percent(percent) => format!("{percent} %"),
        }
    }
}

/// One arm at one share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Balance {
    /// Accuracy where the right answer is the label.
    pub on_habit: f64,
    /// Accuracy where it is another.
    pub off_habit: f64,
    /// The mean of both.
    pub balanced: Estimate,
    /// Balanced accuracy less that at the own share.
    pub against_own: Estimate,
    /// Share of answers that name the label.
    pub names_label: f64,
}

/// A share of the dial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rung {
    /// Which.
    pub share: Share,
    /// Each arm, in the order of [`Arm::ALL`].
    pub arms: [Balance; 4],
}

/// A dial over a dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dial {
    /// What it was made on.
    #[serde(flatten)]
    pub subject: Subject,
    /// Items of every history.
    pub length: usize,
    /// Draws of every history, from the plan's seed on.
    pub draws: usize,
    /// The one label; `None`: each person's commonest.
    pub label: Option<String>,
    /// Questions on-habit and off-habit.
    pub questions: (usize, usize),
    /// People who asked them.
    pub people: usize,
    /// Mean share of the label in what was really visible.
    pub own_share: f64,
    /// The own share, then 0 to 100 %.
    pub rungs: Vec<Rung>,
    /// Per arm the largest share it tolerates, in percent; `None`: not even 0.
    pub tolerance: [Option<usize>; 4],
}

/// What a dial is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Items of a history.
    pub length: usize,
    /// Percent between shares.
    pub step: usize,
    /// Draws of every history.
    pub draws: usize,
    /// The one label; `None`: each person's commonest before their first question that fits.
    pub label: Option<LabelIx>,
}

/// A question that can be asked with any share.
struct Fixed {
    question: usize,
    label: LabelIx,
    own: f64,
}

impl Dial {
    /// Asks `questions` at every share.
    ///
    /// # Errors
    ///
    /// [`EvalError::NoDial`] where nobody has enough items, and what [`Asking::all`] says.
    pub fn of(
        asking: &Asking,
        questions: &[Question],
        shape: &Shape,
        subject: Subject,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, EvalError> {
        let population = &asking.memory.population;
        let fixed = fixed(asking, questions, shape);
        let of_habit = |fixed: &&Fixed| questions[fixed.question].gold == fixed.label;
        let on = fixed.iter().filter(of_habit).count();
        if on == 0 || on == fixed.len() {
            return Err(EvalError::NoDial { length: shape.length, on, off: fixed.len() - on });
        }
        let percents = shares(shape.step, shape.length);
        let all: Vec<Share> = std::iter::once(Share::Own).chain(percents.into_iter().map(Share::Percent)).collect();
        let mut jobs = Vec::new();
        for share in &all {
            for draw in 0..shape.draws {
                for Fixed { question, label, own } in &fixed {
                    let Question { user, at, .. } = questions[*question];
                    let percent = match share {
                        Share::Own => 100.0 * own,
                        Share::Percent(percent) => *percent as f64,
                    };
                    let skew = Skew {
                        label: *label,
                        length: shape.length,
                        alike: alike(shape.length, percent),
                        seed: numbered(subject.plan.seed, draw),
                    };
                    let held = Held::skewed(population, population.user_ix(user), at, skew);
                    jobs.push(Job { question: *question, held });
                }
            }
        }
        let total = jobs.len();
        let told = asking.all(questions, &jobs, &mut |done| progress(done, total))?;
        // All draws of a share lie together; every share asks the same questions.
        let tables: Vec<Table> = told
            .chunks(shape.draws * fixed.len())
            .map(|told| {
                let again = fixed.iter().cycle().zip(told);
                Table::of(WIDTH, again.map(|(fixed, told)| row(&questions[fixed.question], fixed.label, told)))
            })
            .collect();
        let plan = subject.plan;
        let found: Vec<Rung> = all
            .iter()
            .zip(&tables)
            .map(|(share, table)| Rung { share: *share, arms: balances(table, &tables[0], plan) })
            .collect();
        let tolerance = Arm::ALL.map(|arm| {
            let tolerated = found.iter().filter_map(|rung| match rung.share {
                Share::Percent(percent) if rung.arms[arm as usize].against_own.value >= -WITHIN - 1e-12 => {
                    Some(percent)
                }
                _ => None,
            });
            tolerated.max()
        });
        let label = shape.label.map(|label| population.labels[label].clone());
        let own_share = fixed.iter().map(|fixed| fixed.own).sum::<f64>() / fixed.len() as f64;
        let (length, draws, people) = (shape.length, shape.draws, tables[0].observations());
        let questions = (on, fixed.len() - on);
        Ok(Self { subject, length, draws, label, questions, people, own_share, rungs: found, tolerance })
    }
}

/// The questions that can be asked with any share, with the label of each.
fn fixed(asking: &Asking, questions: &[Question], shape: &Shape) -> Vec<Fixed> {
    let population = &asking.memory.population;
    let enough = |user, at, label| {
        let (alike, others) = split_by(population, user, at, label);
        (alike >= shape.length && others >= shape.length).then(|| alike as f64 / (alike + others) as f64)
    };
    // One label for all of a person's questions: the habit before the first one it fits.
    let mut habits: std::collections::BTreeMap<&UserId, LabelIx> = Default::default();
    let mut fixed = Vec::new();
    for (ix, question) in questions.iter().enumerate() {
        let (user, at) = (population.user_ix(question.user), question.at);
        let label = shape.label.or_else(|| habits.get(question.user).copied());
        let Some(label) = label.or_else(|| habit_before(population, user, at)) else { continue };
        let Some(own) = enough(user, at, label) else { continue };
        habits.entry(question.user).or_insert(label);
        fixed.push(Fixed { question: ix, label, own });
    }
    fixed
}

/// Sums: on-habit questions, off-habit ones, then for each arm right ones of both and answers that name the label.
const WIDTH: usize = 2 + 3 * 4;

fn row<'a>(question: &Question<'a>, label: LabelIx, told: &Told) -> (&'a UserId, Vec<Addend>) {
    let on = question.gold == label;
    let mut sums = vec![(usize::from(!on), 1.0)];
    for arm in 0..4 {
        let at = 2 + 3 * arm;
        sums.push((at + usize::from(!on), told.scores[arm]));
        sums.push((at + 2, f64::from(u8::from(told.decisions[arm] == label))));
    }
    (question.user, sums)
}

/// Every arm at a share, against the own one.
fn balances(table: &Table, own: &Table, plan: Plan) -> [Balance; 4] {
    let share = |part: f64, of: f64| (of > 0.0).then(|| part / of);
    let balanced = |sums: &[f64], arm: usize| {
        let at = 2 + 3 * arm;
        Some((share(sums[at], sums[0])? + share(sums[at + 1], sums[1])?) / 2.0)
    };
    let figures = |sums: &[Vec<f64>]| -> Vec<Option<f64>> {
        let of = |arm: usize| {
            [balanced(&sums[0], arm), balanced(&sums[0], arm).zip(balanced(&sums[1], arm)).map(|(a, b)| a - b)]
        };
        (0..4).flat_map(of).collect()
    };
    let tables = [table.clone(), own.clone()];
    let totals = [table.total(), own.total()];
    let (values, around) = (figures(&totals), around(&tables, plan, figures));
    let estimate = |ix: usize| Estimate { value: values[ix].unwrap_or_default(), interval: around[ix] };
    let sums = &totals[0];
    [0, 1, 2, 3].map(|arm| {
        let at = 2 + 3 * arm;
        Balance {
            on_habit: share(sums[at], sums[0]).unwrap_or_default(),
            off_habit: share(sums[at + 1], sums[1]).unwrap_or_default(),
            balanced: estimate(2 * arm),
            against_own: estimate(2 * arm + 1),
            names_label: share(sums[at + 2], sums[0] + sums[1]).unwrap_or_default(),
        }
    })
}
