//! Timelines: how two sessions came out on the turns that both have, arm by arm, with what of the difference is chance.
//!
//! Where at least [`PEOPLE`] people asked what is judged, people are resampled and their signs flipped, as in an evaluation: questions of
//! one person are not independent. Where fewer did, questions are taken as independent given the person, and the interval
//! is the exact one of [`Paired`]. Where questions were picked for what they show, differences are counted and not tested.

use serde::Serialize;

use super::numbers::{PICKED, Paired, Share};
use super::p_value;
use super::stats::{Interval, Plan, Table, Tail, intervals, sign_flip};
use crate::engine::prompt::Arm;
use crate::session::diff::{Diff, Told};
use crate::session::replay::Tally;

/// From so many people on their number, not that of their questions, says how sure a difference is.
pub const PEOPLE: usize = 8;
/// A p-value above this is no news.
const LEVEL: f64 = 0.05;

/// What was resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Turns.
    Turn,
    /// People.
    User,
}

/// One arm in both sessions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// Which.
    pub arm: Arm,
    /// Its accuracy in A, on all that is judged there.
    pub a: Option<Share>,
    /// Its accuracy in B.
    pub b: Option<Share>,
    /// B against A on the turns that both have and judge.
    pub paired: Paired,
    /// The 95 % interval of B − A; `None` where no turn is won or lost, and of picked questions.
    pub interval: Option<Interval>,
    /// The two-sided p-value of there being no difference; `None` of picked questions.
    pub p: Option<f64>,
}

impl Beside {
    /// Whether chance explains the difference at the 5 % level.
    pub fn is_noise(&self) -> bool {
        self.p.is_none_or(|p| p > LEVEL)
    }
}

/// Two sessions in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Timelines {
    /// In order of [`Arm::ALL`].
    pub arms: [Beside; 4],
    /// Sums over the turns of A, and of B.
    pub tallies: [Tally; 2],
    /// Turns of both whose final answer is another one.
    pub decided_otherwise: usize,
    /// Turns of both for which the rules decide otherwise, whatever a model makes of it.
    pub ruled_otherwise: usize,
    /// Turns of both.
    pub turns: usize,
    /// People who asked those of them that are judged.
    pub people: usize,
    /// How sure the differences are was found over these.
    pub by: By,
}

impl Timelines {
    /// The numbers of `diff`; `seed` draws resamples of people.
    pub fn of(diff: &Diff, seed: u64) -> Self {
        let tallies = [&diff.a, &diff.b].map(|turns| Tally::of(turns.iter().map(|told| &told.outcome)));
        let both: Vec<(&Told, &Told)> = diff.both().collect();
        // Somebody of whom nothing is judged says nothing of a difference.
        let judged = |(a, b): &&(&Told, &Told)| {
            a.outcome.arms.iter().zip(&b.outcome.arms).any(|(before, after)| before.is_some() && after.is_some())
        };
        let people: std::collections::BTreeSet<_> =
            both.iter().filter(judged).filter_map(|(a, _)| a.asked().map(|asked| &asked.user)).collect();
        let by = if people.len() < PEOPLE { By::Turn } else { By::User };
        let arms = Arm::ALL.map(|arm| {
            let share = |tally: &Tally| {
                let (n, right) = tally.arms[arm as usize];
                Share::of(right, n)
            };
            let judged = both.iter().filter_map(|(a, b)| {
                let (before, after) = (a.outcome.arms[arm as usize]?, b.outcome.arms[arm as usize]?);
                Some((&a.asked()?.user, before, after))
            });
            let mut paired = Paired::default();
            for (_, before, after) in judged.clone() {
                paired.n += 1;
                paired.won += usize::from(after && !before);
                paired.lost += usize::from(before && !after);
            }
            let (interval, p) = match by {
                _ if diff.picked => (None, None),
                By::Turn => (paired.interval(), Some(paired.p())),
                By::User => {
                    let moved = |before: bool, after: bool| f64::from(i8::from(after) - i8::from(before));
                    let rows = judged.map(|(user, before, after)| (user, [(0, 1.0), (1, moved(before, after))]));
                    let (interval, p) = by_user(&Table::of(2, rows), seed);
                    (interval, Some(p))
                }
            };
            let interval = interval.filter(|_| paired.won + paired.lost > 0);
            Beside { arm, a: share(&tallies[0]), b: share(&tallies[1]), paired, interval, p }
        });
        let decided_otherwise = both.iter().filter(|(a, b)| a.decision != b.decision).count();
        let ruled_otherwise = both.iter().filter(|(a, b)| a.ruled != b.ruled).count();
        Self { arms, tallies, decided_otherwise, ruled_otherwise, turns: both.len(), people: people.len(), by }
    }

    /// What an arm's difference is worth, in a sentence; `names` are those of A and B.
    pub fn told(&self, arm: Arm, names: [&str; 2]) -> String {
        let [a, b] = names;
        let beside = &self.arms[arm as usize];
        let arm = arm.name();
        let Paired { n, won, lost } = beside.paired;
        match (n, won + lost) {
            (0, _) => format!("{arm}: {a} and {b} share no judged turn"),
            (n, 0) => format!("{arm}: right or wrong together, {n} of {n}"),
            (n, apart) => {
                let verdict = match (beside.is_noise(), apart) {
                    (false, _) => "more than chance",
                    (true, ..6) => "noise: too few turns differ to tell",
                    (true, _) => "noise: it could be chance",
                };
                let over = match self.by {
                    By::Turn => "by turn".to_owned(),
                    By::User => format!("by user, {} of them", self.people),
                };
                let lead = format!("{arm}: {b} − {a} {:+} of {n}", beside.paired.difference());
                match beside.p.map(p_value) {
                    Some(p) => format!("{lead}; {verdict} (p {p} {over}, {won} won, {lost} lost)"),
                    None => format!("{lead} ({won} won, {lost} lost); {PICKED}"),
                }
            }
        }
    }
}

/// The interval of the mean difference over people, and how often signs tossed by person reach it.
fn by_user(table: &Table, seed: u64) -> (Option<Interval>, f64) {
    let plan = Plan::seeded(seed);
    let mean = |sums: &[Vec<f64>]| vec![sums.first().filter(|s| s[0] > 0.0).map(|s| s[1] / s[0])];
    let interval = intervals(std::slice::from_ref(table), plan, mean).into_iter().next().flatten();
    (interval, sign_flip(&table.sums_of(1), Tail::Both, plan))
}
