//! The pulse of a session: how the arms and the mediator fare, turn by turn.
//!
//! Invariants: what is told of a turn depends on nothing behind it, so that a chart may grow with a playhead and be the
//! same at every seek; a further turn costs the same whatever went before, and one [`Moment`] of it is kept.
//!
//! Source of the correction of [`drift`]: Miller 1955, by whom the entropy of n observed decisions falls short by about
//! (k − 1)/2n nats, k being the labels among them.

use crate::engine::prompt::Arm;
use crate::mediator::distribution::{jensen_shannon, normalise, normalised_entropy};
use crate::mediator::resolution::Follows;
use crate::session::event::ByLabel;
use crate::session::replay::State;

/// Decisions that an entropy, either side of a drift and the mediator's side look back on, at most.
pub const WINDOW: usize = 64;
/// Fewest decisions on either side of a drift.
pub const LEAST: usize = 4;

/// One turn, as far as the pulse goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Beat {
    /// What each arm decided, by the label's place; `None` where it did not answer.
    pub decisions: [Option<usize>; 4],
    /// Whether it was right; `None` also where the true answer is not known.
    pub right: [Option<bool>; 4],
    /// Whom the mediator followed.
    pub follows: Follows,
    /// m: what the person's votes were worth in examples.
    pub mass: Option<f64>,
}

impl Beat {
    /// The turn at hand in `state`; what was changed by hand so that it cannot be read is left out.
    pub fn of(state: &State, labels: &[String]) -> Option<Self> {
        let (turn, outcome) = (state.turn.as_ref()?, state.outcomes.last()?);
        let place = |name: &String| labels.iter().position(|label| label == name);
        let follows = || {
            let (evidence, resolution) = (turn.evidence()?, turn.resolution()?);
            let facet = evidence.facet(labels).ok()?;
            let base = evidence.global.base.values(labels, "").ok()?;
            let decide = |p: &ByLabel| Some(facet.decide(&p.values(labels, "").ok()?, &base));
            Some(Follows::of(place(&resolution.decision)?, decide(&resolution.local)?, decide(&resolution.global)?))
        };
        Some(Self {
            decisions: Arm::ALL.map(|arm| turn.answered(arm).and_then(|answered| place(&answered.answer))),
            right: outcome.arms,
            follows: follows().unwrap_or_default(),
            mass: turn.resolution().map(|resolution| resolution.mass).filter(|mass| mass.is_finite()),
        })
    }
}

/// How things stand at a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Each arm's share of right answers among its judged ones so far.
    pub accuracy: [Option<f64>; 4],
    /// Entropy of each arm's last [`WINDOW`] decisions over ln K: 0 for always the same one, 1 for all labels alike.
    pub diversity: [Option<f64>; 4],
    /// [`drift`] of each arm.
    pub drift: [Option<f64>; 4],
    /// Of the last [`WINDOW`] turns those where the sides differed and the mediator followed local,
    pub local: usize,
    /// global,
    pub global: usize,
    /// or neither.
    pub neither: usize,
    /// m of this turn.
    pub mass: Option<f64>,
}

/// Each arm's answers so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Answers {
    given: [usize; 4],
    judged: [usize; 4],
    right: [usize; 4],
}

impl Answers {
    fn count(&mut self, beat: &Beat) {
        for arm in 0..Arm::ALL.len() {
            self.given[arm] += usize::from(beat.decisions[arm].is_some());
            self.judged[arm] += usize::from(beat.right[arm].is_some());
            self.right[arm] += usize::from(beat.right[arm] == Some(true));
        }
    }
}

impl Moment {
    /// The moment of the last of `beats` on a task of so many labels.
    pub fn of(labels: usize, beats: &[Beat]) -> Self {
        let mut answers = Answers::default();
        beats.iter().for_each(|beat| answers.count(beat));
        Self::after(labels, beats, &answers)
    }

    fn after(labels: usize, beats: &[Beat], answers: &Answers) -> Self {
        let recent = &beats[beats.len().saturating_sub(WINDOW)..];
        let followed = |whom| recent.iter().filter(|beat| beat.follows == whom).count();
        let decided = |arm: Arm| beats.iter().filter_map(move |beat| beat.decisions[arm as usize]);
        // An arm that is silent is not looked for: of a long session that would take long at every turn.
        let given = |arm: Arm, least: usize| Some(answers.given[arm as usize]).filter(|given| *given >= least);
        Self {
            accuracy: Arm::ALL.map(|arm| {
                let (judged, right) = (answers.judged[arm as usize], answers.right[arm as usize]);
                (judged > 0).then(|| right as f64 / judged as f64)
            }),
            diversity: Arm::ALL.map(|arm| {
                given(arm, 2)?;
                let counts = counted(labels, decided(arm).rev().take(WINDOW));
                Some(normalised_entropy(&normalise(counts)))
            }),
            drift: Arm::ALL.map(|arm| {
                let n = (given(arm, 2 * LEAST)? / 2).min(WINDOW);
                let first = counted(labels, decided(arm).take(n));
                drift(&first, &counted(labels, decided(arm).rev().take(n)))
            }),
            local: followed(Follows::Local),
            global: followed(Follows::Global),
            neither: followed(Follows::Neither),
            mass: beats.last().and_then(|beat| beat.mass),
        }
    }
}

/// How often each label occurs.
fn counted(labels: usize, decisions: impl Iterator<Item = usize>) -> Vec<f64> {
    let mut counts = vec![0.0; labels];
    decisions.for_each(|label| counts.get_mut(label).into_iter().for_each(|count| *count += 1.0));
    counts
}

/// How far an arm's newest decisions have moved from its first ones: the Jensen–Shannon divergence (base 2) of two windows
/// of as many decisions, 0 to 1, less what two windows drawn from one distribution differ by on average. Each window
/// is half of what there is, [`WINDOW`] at most; `None` below [`LEAST`].
pub fn drift(first: &[f64], last: &[f64]) -> Option<f64> {
    let n: f64 = first.iter().sum();
    if n < LEAST as f64 || last.iter().sum::<f64>() < LEAST as f64 {
        return None;
    }
    let seen = |counts: &[f64]| counts.iter().filter(|count| **count > 0.0).count() as f64;
    let either = first.iter().zip(last).filter(|(a, b)| **a + **b > 0.0).count() as f64;
    let chance = (seen(first) + seen(last) - either - 1.0).max(0.0) / (4.0 * n * std::f64::consts::LN_2);
    let found = jensen_shannon(&normalise(first.to_vec()), &normalise(last.to_vec()));
    Some((found - chance).max(0.0))
}

/// All turns of a session, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pulse {
    labels: usize,
    beats: Vec<Beat>,
    answers: Answers,
    moments: Vec<Moment>,
}

impl Pulse {
    /// Of no turn yet, on a task of so many labels.
    pub fn new(labels: usize) -> Self {
        Self { labels, ..Self::default() }
    }

    /// Adds the next turn.
    pub fn push(&mut self, beat: Beat) {
        self.answers.count(&beat);
        self.beats.push(beat);
        self.moments.push(Moment::after(self.labels, &self.beats, &self.answers));
    }

    /// How things stood at every turn.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }
}

/// What a chart shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Right answers.
    #[default]
    Accuracy,
    /// How varied the decisions are.
    Diversity,
    /// How far they have moved.
    Drift,
    /// Whom the mediator follows where the sides differ.
    Follows,
    /// What the person's memories are worth.
    Mass,
}

impl Measure {
    /// All, in order of display.
    pub const ALL: [Measure; 5] =
        [Measure::Accuracy, Measure::Diversity, Measure::Drift, Measure::Follows, Measure::Mass];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Accuracy => "accuracy",
            Measure::Diversity => "diversity",
            Measure::Drift => "drift",
            Measure::Follows => "follows",
            Measure::Mass => "examples",
        }
    }

    /// What it is, in a line.
    pub fn told(self) -> &'static str {
        match self {
            Measure::Accuracy => "right among judged answers so far",
            Measure::Diversity => "entropy of the last 64 decisions, over that of all labels alike",
            Measure::Drift => "divergence of newest from first decisions in bits, less chance",
            Measure::Follows => "where the sides differ: share decided for each, last 64 turns",
            Measure::Mass => "m: what the person's memories are worth in examples",
        }
    }

    /// The next one, around.
    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    /// The arms, or the sides named like them, that it has a line of.
    pub fn lines(self) -> &'static [Arm] {
        match self {
            Measure::Accuracy | Measure::Diversity | Measure::Drift => &Arm::ALL,
            Measure::Follows => &[Arm::Local, Arm::Global],
            Measure::Mass => &[Arm::Local],
        }
    }

    /// What it is at a moment, of one of its lines.
    pub fn at(self, moment: &Moment, line: Arm) -> Option<f64> {
        let divided = moment.local + moment.global + moment.neither;
        let share = |n: usize| (divided > 0).then(|| n as f64 / divided as f64);
        match (self, line) {
            (Measure::Accuracy, arm) => moment.accuracy[arm as usize],
            (Measure::Diversity, arm) => moment.diversity[arm as usize],
            (Measure::Drift, arm) => moment.drift[arm as usize],
            (Measure::Follows, Arm::Local) => share(moment.local),
            (Measure::Follows, Arm::Global) => share(moment.global),
            (Measure::Mass, Arm::Local) => moment.mass,
            (Measure::Follows | Measure::Mass, _) => None,
        }
    }

    /// The top of its axis, over `moments`; the bottom is 0.
    pub fn top(self, moments: &[Moment]) -> f64 {
        match self {
            Measure::Mass => moments.iter().filter_map(|moment| moment.mass).fold(1.0, f64::max),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn beat(label: usize, right: bool) -> Beat {
        Beat { decisions: [Some(label); 4], right: [Some(right); 4], mass: Some(1.5), ..Beat::default() }
    }

    fn pulse(beats: impl IntoIterator<Item = Beat>) -> Pulse {
        let mut pulse = Pulse::new(4);
        beats.into_iter().for_each(|beat| pulse.push(beat));
        pulse
    }

    #[test]
    fn moments_equal_hand_computed_values() {
        let told = pulse([beat(0, true), beat(0, false), beat(1, true), beat(1, true)]);
        let [first, .., last] = told.moments() else { panic!("four moments") };
        assert_eq!((first.accuracy[3], first.diversity[3], first.drift[3]), (Some(1.0), None, None));
        assert_eq!((last.accuracy[0], last.diversity[0]), (Some(0.75), Some(0.5)), "two labels of four, alike");
        assert_eq!((last.drift[0], last.mass), (None, Some(1.5)), "two decisions a side are too few");
        // Four of one label, then four of another: a whole bit, and nothing that chance would explain.
        let moved = pulse((0..8).map(|turn| beat(turn / 4, true)));
        assert_eq!(moved.moments()[7].drift[3], Some(1.0));
        // The same two labels on both sides: 0 whatever their order.
        let still = pulse((0..8).map(|turn| beat(turn % 2, true)));
        assert_eq!(still.moments()[7].drift[3], Some(0.0));
        // 3:1 against 1:3 differ by .189 bits; (2 + 2 − 2 − 1)/(16 ln 2) = .0902 of that is chance.
        let found = drift(&[3.0, 1.0], &[1.0, 3.0]).unwrap();
        assert!((found - (0.188_722 - 0.090_168)).abs() < 1e-5, "{found}");
    }

    #[test]
    fn whom_the_mediator_follows_is_counted_where_the_sides_differ() {
        let of = |decision, local, global| Beat { follows: Follows::of(decision, local, global), ..beat(0, true) };
        let told = pulse([of(0, 0, 0), of(0, 0, 1), of(1, 0, 1), of(2, 0, 1), of(2, 1, 1)]);
        let last = told.moments()[4];
        assert_eq!((last.local, last.global, last.neither), (1, 1, 1));
        assert_eq!(Measure::Follows.at(&last, Arm::Local), Some(1.0 / 3.0));
        assert_eq!(Measure::Follows.at(&told.moments()[0], Arm::Local), None);
    }

    proptest! {
        #[test]
        fn a_moment_knows_nothing_of_what_comes(
            beats in proptest::collection::vec((0..6usize, any::<bool>(), any::<bool>()), 1..300), cut in 1..300usize
        ) {
            let beats: Vec<Beat> = beats
                .into_iter()
                .map(|(label, right, silent)| if silent { Beat::default() } else { beat(label, right) })
                .collect();
            let cut = cut.min(beats.len());
            let (whole, part) = (pulse(beats.clone()), pulse(beats[..cut].to_vec()));
            prop_assert_eq!(&whole.moments()[..cut], part.moments());
            for moment in whole.moments() {
                for share in [moment.accuracy, moment.diversity, moment.drift].concat().into_iter().flatten() {
                    prop_assert!((0.0..=1.0 + 1e-12).contains(&share), "{}", share);
                }
            }
        }
    }
}
