//! The numbers of a session: few questions, looked at while weights are turned, so each comes with how sure it is, in
//! closed form and within a frame.
//!
//! Sources: the score interval of Wilson 1927; the exact binomial interval of Clopper and Pearson 1934 on the questions
//! that just one of two arms got right, which is McNemar's test turned around. Both take questions as independent, which
//! those of one person at least nearly are once the person is given; over many people [`super::stats`] resamples people.

use std::collections::HashSet;

use super::metrics::{LabelMeasures, Measures, Metric, add};
use super::stats::{Interval, mcnemar};
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;
use crate::mediator::distribution::normalised_entropy;
use crate::session::replay::{Outcome, Sure, Tally};

/// Standard normal quantile of 97.5 %.
const Z: f64 = 1.959_963_985;
/// What each end of a 95 % interval leaves out.
const TAIL: f64 = 0.025;
/// A p-value above this is no news.
const LEVEL: f64 = 0.05;
/// What is said instead of a test where questions were picked for what they show.
pub const PICKED: &str = "no test: picked or repeated";
/// Fewest scores that an interval of their errors is told of.
const FEWEST: usize = 5;
/// Halvings that find an end of an exact interval.
const HALVINGS: usize = 50;

/// One question of a session, as far as numbers go.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Who asked.
    pub user: &'a UserId,
    /// How it came out.
    pub outcome: Outcome,
    /// How sure each arm was, where it answered and the right answer is known.
    pub sure: [Option<Sure>; 4],
    /// The mediated arm's decision, where it made one.
    pub decision: Option<usize>,
    /// The right answer, where it is known.
    pub gold: Option<usize>,
}

/// A share with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Right answers.
    pub right: usize,
    /// Judged answers, at least one.
    pub n: usize,
    /// Wilson's interval.
    pub interval: Interval,
}

impl Share {
    /// `right` of `n`; `None` of none.
    pub fn of(right: usize, n: usize) -> Option<Self> {
        (n > 0).then(|| Self { right, n, interval: wilson(right, n) })
    }

    /// The share itself.
    pub fn value(self) -> f64 {
        self.right as f64 / self.n as f64
    }
}

/// Two arms on the questions that both answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paired {
    /// Questions.
    pub n: usize,
    /// The first right, the second wrong.
    pub won: usize,
    /// The other way round.
    pub lost: usize,
}

impl Paired {
    /// Questions won over those lost.
    pub fn difference(self) -> i64 {
        self.won as i64 - self.lost as i64
    }

    /// The exact two-sided p-value of McNemar's test.
    pub fn p(self) -> f64 {
        mcnemar(self.won, self.lost)
    }

    /// Whether chance explains the difference at the 5 % level.
    pub fn is_noise(self) -> bool {
        self.p() > LEVEL
    }

    /// The 95 % interval of the difference in accuracy, given how many questions are won or lost at all; `None` where
    /// none is.
    pub fn interval(self) -> Option<Interval> {
        let apart = self.won + self.lost;
        let scale = apart as f64 / self.n.max(1) as f64;
        (apart > 0).then(|| {
            let Interval { low, high } = clopper_pearson(self.won, apart);
            Interval { low: (2.0 * low - 1.0) * scale, high: (2.0 * high - 1.0) * scale }
        })
    }

    /// What it says of questions that were picked for what they show: counts and no test.
    pub fn told_of_picked(self, names: [&str; 2]) -> String {
        let [first, second] = names;
        let Self { n, won, lost } = self;
        match n {
            0 => self.told(names),
            _ => format!("{first} − {second} {:+} of {n} ({won} won, {lost} lost); {PICKED}", self.difference()),
        }
    }

    /// What it says in plain words, `names` being those of the two arms.
    pub fn told(self, names: [&str; 2]) -> String {
        let [first, second] = names;
        let p = super::p_value(self.p());
        match (self.n, self.won + self.lost) {
            (0, _) => format!("{first} and {second} share no judged question"),
            (n, 0) => format!("{first} and {second} are right or wrong together, {n} of {n}"),
            (n, apart) => {
                let difference = self.difference();
                let lead = format!("{first} − {second} {difference:+} of {n}");
                let verdict = match (self.is_noise(), apart) {
                    (false, _) => "more than chance",
                    // Five tosses of a coin fall alike in one of sixteen cases.
                    (true, ..6) => "too few differ to tell",
                    (true, _) => "could be chance",
                };
                format!("{lead}, {verdict} (p {p}, {} won, {} lost)", self.won, self.lost)
            }
        }
    }
}

/// Two arms' absolute errors on the scores that both gave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// Questions.
    pub n: usize,
    /// Of the differences, the first arm's error less the second's,
    sum: f64,
    /// and of their squares.
    squares: f64,
}

impl Errors {
    fn add(&mut self, first: f64, second: f64) {
        let difference = first - second;
        *self = Self { n: self.n + 1, sum: self.sum + difference, squares: self.squares + difference * difference };
    }

    /// The mean difference, below 0 where the first is nearer; `None` of no question.
    pub fn difference(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// Student's 95 % interval of the mean difference; `None` of fewer than [`FEWEST`] questions, or where all differ by the
    /// same.
    pub fn interval(self) -> Option<Interval> {
        let (n, mean) = (self.n as f64, self.difference()?);
        let variance = (self.squares - n * mean * mean) / (n - 1.0);
        (self.n >= FEWEST && variance > 0.0).then(|| {
            let half = student(self.n - 1) * (variance / n).sqrt();
            Interval { low: mean - half, high: mean + half }
        })
    }

    /// Whether chance explains the difference at the 5 % level, or there is too little to tell.
    pub fn is_noise(self) -> bool {
        self.interval().is_none_or(|Interval { low, high }| low <= 0.0 && high >= 0.0)
    }

    /// What it says in plain words, `names` being those of the two arms; of questions that were `picked` without a test.
    pub fn told(self, names: [&str; 2], picked: bool) -> String {
        let [first, second] = names;
        let Some(difference) = self.difference() else {
            return format!("{first} and {second} share no judged question");
        };
        let lead = format!("MAE {first} − {second} {difference:+.3} on {}", self.n);
        match self.interval() {
            _ if self.squares == 0.0 => format!("MAE of {first} and {second} is the same on each of {}", self.n),
            _ if picked => format!("{lead}; {PICKED}"),
            None => format!("{lead}, too few to tell"),
            Some(Interval { low, high }) => {
                let verdict = if self.is_noise() { "could be chance" } else { "more than chance" };
                format!("{lead}, {verdict} [{low:+.3} to {high:+.3}]")
            }
        }
    }
}

/// Everything about a session under one setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Counts.
    pub tally: Tally,
    /// Judged questions that not every arm has answered: arms are counted and compared on the others.
    pub unanswered: usize,
    /// Accuracy of each arm, in order of [`Arm::ALL`].
    pub accuracy: [Option<Share>; 4],
    /// Mediated against local.
    pub over_local: Paired,
    /// Mediated against global.
    pub over_global: Paired,
    /// Of ratings, the absolute errors of mediated against local,
    pub error_over_local: Errors,
    /// and against global.
    pub error_over_global: Errors,
    /// Mean Brier score of each arm's final distribution, in order of [`Arm::ALL`].
    pub brier: [Option<f64>; 4],
    /// The mediated arm's calibration error, and what chance alone would make of right probabilities.
    pub calibration: Option<(f64, f64)>,
    /// Entropy of the mediated decisions over judged questions, over ln K: 0 for always the same label.
    pub diversity: Option<f64>,
    /// The same of the right answers.
    pub gold_diversity: Option<f64>,
    /// People who asked judged questions.
    pub people: usize,
}

impl Numbers {
    /// The numbers of `questions` on a task of so many labels.
    pub fn of<'a>(labels: usize, questions: impl IntoIterator<Item = Counted<'a>>) -> Self {
        let (mut decided, mut right) = (vec![0.0; labels], vec![0.0; labels]);
        let (mut over_local, mut over_global) = (Paired::default(), Paired::default());
        let (mut error_over_local, mut error_over_global) = (Errors::default(), Errors::default());
        let (mut tally, mut people) = (Tally::default(), HashSet::new());
        let mut squares = [(0.0, 0usize); 4];
        let measures = LabelMeasures { labels };
        let mut bins = vec![0.0; measures.width()];
        let questions: Vec<Counted> = questions.into_iter().collect();
        // An arm that never answers, as in a session without it, is not waited for.
        let answers = Arm::ALL.map(|arm| questions.iter().any(|asked| asked.outcome.arms[arm as usize].is_some()));
        let mut unanswered = 0;
        for Counted { user, mut outcome, sure, decision, gold } in questions {
            let complete = outcome.arms.iter().zip(answers).all(|(right, answers)| right.is_some() || !answers);
            if outcome.judged && !complete {
                unanswered += 1;
                let (arms, errors) = ([None; 4], [None; 4]);
                outcome = Outcome { arms, errors, overridden: false, rescued: false, suppressed: false, ..outcome };
            }
            tally.add(&outcome);
            if !outcome.judged {
                continue;
            }
            people.insert(user);
            if !complete {
                continue;
            }
            for ((sum, n), sure) in squares.iter_mut().zip(&sure) {
                sure.iter().for_each(|sure| (*sum, *n) = (*sum + sure.brier, *n + 1));
            }
            if let (Some(sure), Some(right)) = (sure[Arm::Mediated as usize], outcome.arms[Arm::Mediated as usize]) {
                add(&mut bins, &measures.row_of_answer(sure.of_answer, right));
            }
            let count = |counts: &mut Vec<f64>, label: Option<usize>| {
                label.and_then(|label| counts.get_mut(label)).into_iter().for_each(|count| *count += 1.0);
            };
            count(&mut decided, decision);
            count(&mut right, gold);
            let [_, local, global, mediated] = outcome.arms;
            for (pair, other) in [(&mut over_local, local), (&mut over_global, global)] {
                let (Some(mediated), Some(other)) = (mediated, other) else { continue };
                pair.n += 1;
                pair.won += usize::from(mediated && !other);
                pair.lost += usize::from(other && !mediated);
            }
            let [_, local, global, mediated] = outcome.errors;
            for (pair, other) in [(&mut error_over_local, local), (&mut error_over_global, global)] {
                mediated.zip(other).into_iter().for_each(|(mediated, other)| pair.add(mediated, other));
            }
        }
        let accuracy = Arm::ALL.map(|arm| {
            let (n, right) = tally.arms[arm as usize];
            Share::of(right, n)
        });
        let (diversity, gold_diversity) = (entropy(&decided), entropy(&right));
        let brier = squares.map(|(sum, n)| (n > 0).then(|| sum / n as f64));
        let reliability = measures.reliability(&bins);
        let error = measures.value(Metric::CalibrationError, &bins);
        let calibration = error.zip(reliability).map(|(error, reliability)| (error, reliability.by_chance));
        let people = people.len();
        Self {
            tally,
            unanswered,
            accuracy,
            over_local,
            over_global,
            error_over_local,
            error_over_global,
            brier,
            calibration,
            diversity,
            gold_diversity,
            people,
        }
    }
}

/// Of counts, over the logarithm of how many there are; `None` if all are 0.
fn entropy(counts: &[f64]) -> Option<f64> {
    let sum: f64 = counts.iter().sum();
    (sum > 0.0).then(|| normalised_entropy(&counts.iter().map(|count| count / sum).collect::<Vec<_>>()))
}

/// Wilson's score interval of `right` among `n`, at least one.
fn wilson(right: usize, n: usize) -> Interval {
    let (n, p) = (n as f64, right as f64 / n as f64);
    let (middle, scale) = (p + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Interval { low: ((middle - half) / scale).max(0.0), high: ((middle + half) / scale).min(1.0) }
}

/// Student's quantile of 97.5 %, after Fisher and Cornish 1960; from four degrees of freedom on right within .01.
fn student(degrees: usize) -> f64 {
    let terms = [
        Z,
        (Z.powi(3) + Z) / 4.0,
        (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0,
        (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0,
    ];
    terms.iter().rev().fold(0.0, |sum, term| sum / degrees as f64 + term)
}

/// The exact binomial interval of `hits` among `n`, at least one.
fn clopper_pearson(hits: usize, n: usize) -> Interval {
    // The share at which so many hits or more happen once in forty times.
    let low = |hits: usize| {
        let (mut below, mut above) = (0.0, hits as f64 / n as f64);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (below + above);
            if at_least(hits, n, middle) < TAIL { below = middle } else { above = middle }
        }
        below
    };
    Interval { low: if hits == 0 { 0.0 } else { low(hits) }, high: if hits == n { 1.0 } else { 1.0 - low(n - hits) } }
}

/// The probability of `hits` or more among `n` where each has probability `p`, at most hits/n.
fn at_least(hits: usize, n: usize, p: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    let choose: f64 = (1..=hits).map(|k| ((n - hits + k) as f64 / k as f64).ln()).sum();
    let mut term = (choose + hits as f64 * p.ln() + (n - hits) as f64 * (-p).ln_1p()).exp();
    let mut sum = 0.0;
    for k in hits..=n {
        sum += term;
        // Above the mean terms only fall.
        if term < 1e-17 * sum {
            break;
        }
        term *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: Interval, low: f64, high: f64) {
        assert!((found.low - low).abs() < 5e-4 && (found.high - high).abs() < 5e-4, "{found:?} is not [{low}, {high}]");
    }

    #[test]
    fn intervals_are_those_of_the_books() {
        // Newcombe 1998, table I: 81 of 263 and 15 of 148; Clopper and Pearson for 81 of 263, 1 of 29 and 0 of 20.
        close(wilson(81, 263), 0.2553, 0.3662);
        close(wilson(15, 148), 0.0624, 0.1605);
        close(clopper_pearson(81, 263), 0.2527, 0.3676);
        close(clopper_pearson(1, 29), 0.0009, 0.1776);
        close(clopper_pearson(0, 20), 0.0, 0.1684);
        close(clopper_pearson(20, 20), 0.8316, 1.0);
    }

    #[test]
    fn a_difference_is_told_with_what_it_is_worth() {
        let told = |n, won, lost| Paired { n, won, lost }.told(["mediated", "local"]);
        assert_eq!(told(24, 5, 2), "mediated − local +3 of 24, could be chance (p .45, 5 won, 2 lost)");
        assert_eq!(told(24, 3, 0), "mediated − local +3 of 24, too few differ to tell (p .25, 3 won, 0 lost)");
        assert_eq!(told(90, 12, 1), "mediated − local +11 of 90, more than chance (p .003, 12 won, 1 lost)");
        assert_eq!(told(9, 0, 0), "mediated and local are right or wrong together, 9 of 9");
        assert_eq!(told(0, 0, 0), "mediated and local share no judged question");
        let picked = Paired { n: 18, won: 9, lost: 1 }.told_of_picked(["mediated", "local"]);
        assert_eq!(picked, "mediated − local +8 of 18 (9 won, 1 lost); no test: picked or repeated");
        let all = Paired { n: 24, won: 5, lost: 2 }.interval().unwrap();
        assert!(all.low < 0.0 && all.high > 3.0 / 24.0, "{all:?} holds chance and what was found");
        assert_eq!(Paired { n: 9, won: 0, lost: 0 }.interval(), None);
    }

    #[test]
    fn errors_are_told_with_what_their_difference_is_worth() {
        // Student's table: 4, 10 and 30 degrees of freedom.
        for (degrees, expected) in [(4, 2.776), (10, 2.228), (30, 2.042)] {
            assert!((student(degrees) - expected).abs() < 1e-2, "{degrees}: {}", student(degrees));
        }
        let of = |pairs: &[(f64, f64)]| {
            let mut errors = Errors::default();
            pairs.iter().for_each(|(first, second)| errors.add(*first, *second));
            errors
        };
        let names = ["mediated", "local"];
        // Differences 0, −1, −1, −1, −2: mean −1, variance ½, half an interval 2.776 √.1 = .878.
        let nearer = of(&[(0.0, 0.0), (0.0, 1.0), (0.5, 1.5), (1.0, 2.0), (0.0, 2.0)]);
        close(nearer.interval().unwrap(), -1.876, -0.124);
        assert!(!nearer.is_noise() && nearer.told(names, false).starts_with("MAE mediated − local -1.000 on 5, more"));
        let even = of(&[(0.0, 1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]);
        assert!(even.is_noise() && even.told(names, false).contains("+0.000 on 5, could be chance ["), "{even:?}");
        assert_eq!(of(&[(0.0, 1.0)]).told(names, false), "MAE mediated − local -1.000 on 1, too few to tell");
        assert_eq!(of(&[(1.0, 1.0)]).told(names, false), "MAE of mediated and local is the same on each of 1");
        assert_eq!(nearer.told(names, true), "MAE mediated − local -1.000 on 5; no test: picked or repeated");
        assert_eq!(Errors::default().told(names, false), "mediated and local share no judged question");
    }

    #[test]
    fn numbers_count_judged_questions_only() {
        let (a, b) = (UserId::new("a"), UserId::new("b"));
        let outcome = |judged, arms: [u8; 4]| Outcome {
            judged,
            arms: arms.map(|right| judged.then_some(right == 1)),
            ..Outcome::default()
        };
        let counted = |user, outcome: Outcome, decision, gold| {
            let sure = outcome.arms.map(|right| {
                Some(if right? { Sure { of_answer: 0.75, brier: 0.125 } } else { Sure { of_answer: 0.55, brier: 0.6 } })
            });
            Counted { user, outcome, sure, decision: Some(decision), gold }
        };
        let numbers = Numbers::of(
            4,
            [
                counted(&a, outcome(true, [0, 0, 1, 1]), 1, Some(1)),
                counted(&a, outcome(true, [0, 1, 0, 0]), 1, Some(2)),
                counted(&a, outcome(true, [0, 0, 0, 1]), 1, Some(1)),
                counted(&b, outcome(false, [0, 0, 0, 0]), 3, None),
            ],
        );
        assert_eq!((numbers.tally.turns, numbers.tally.judged, numbers.people), (4, 3, 1));
        assert_eq!(numbers.over_local, Paired { n: 3, won: 2, lost: 1 });
        assert_eq!(numbers.over_global, Paired { n: 3, won: 1, lost: 0 });
        assert_eq!(numbers.diversity, Some(0.0), "always the same label");
        assert!((numbers.gold_diversity.unwrap() - 0.459).abs() < 1e-3, "two of one, one of another, of four");
        assert_eq!(numbers.accuracy[3].map(|share| (share.right, share.n)), Some((2, 3)));
        assert_eq!(numbers.brier[3], Some((0.125 + 0.6 + 0.125) / 3.0));
        // Two of .75 are right, one of .55 is wrong.
        let (error, by_chance) = numbers.calibration.unwrap();
        assert!((error - (0.5 + 0.55) / 3.0).abs() < 1e-12, "{error}");
        let root = |variance: f64| (2.0 / std::f64::consts::PI * variance).sqrt();
        assert!((by_chance - (root(2.0 * 0.1875) + root(0.2475)) / 3.0).abs() < 1e-12, "{by_chance}");
        let nothing = Numbers::of(4, []);
        assert_eq!((nothing.accuracy, nothing.brier, nothing.calibration), ([None; 4], [None; 4], None));
    }

    #[test]
    fn arms_are_counted_on_the_questions_that_all_of_them_answered() {
        let user = UserId::new("a");
        let counted = |arms: [Option<bool>; 4]| {
            let outcome = Outcome { judged: true, arms, overridden: true, ..Outcome::default() };
            Counted { user: &user, outcome, sure: [None; 4], decision: None, gold: None }
        };
        let whole = [Some(false), Some(true), Some(true), Some(true)];
        let left = [Some(true), Some(false), None, None];
        let numbers = Numbers::of(2, [counted(whole), counted(left), counted(whole)]);
        assert_eq!((numbers.tally.judged, numbers.unanswered, numbers.tally.overrides), (3, 1, 2));
        let shares = numbers.accuracy.map(|share| share.map(|share| (share.right, share.n)));
        assert_eq!(shares, [Some((0, 2)), Some((2, 2)), Some((2, 2)), Some((2, 2))]);
        assert_eq!(numbers.over_local.n, 2);
        // Without an arm that never answers nothing is left.
        let alone = [None, None, None, Some(true)];
        let numbers = Numbers::of(2, [counted(alone), counted(alone)]);
        assert_eq!((numbers.unanswered, numbers.accuracy[3].map(|share| share.n)), (0, Some(2)));
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share_and_narrows(right in 0usize..40, more in 0usize..40) {
            let n = right + more.max(1);
            let share = right as f64 / n as f64;
            for (small, large) in [
                (wilson(right, n), wilson(4 * right, 4 * n)),
                (clopper_pearson(right, n), clopper_pearson(4 * right, 4 * n)),
            ] {
                prop_assert!(small.low <= share + 1e-12 && share <= small.high + 1e-12, "{small:?} {share}");
                prop_assert!(large.high - large.low < small.high - small.low);
            }
        }

        #[test]
        fn a_difference_is_noise_just_where_its_interval_holds_none(won in 0usize..40, lost in 0usize..40) {
            let pair = Paired { n: 100, won, lost };
            if let Some(Interval { low, high }) = pair.interval() {
                prop_assert_eq!(pair.is_noise(), low <= 0.0 && high >= 0.0, "{:?} p {}", pair, pair.p());
            }
        }
    }
}
