//! Signs of failure over the questions of an evaluation, counted by arm: [`crate::mediator::signature`] without a session.
//!
//! *Too local* is of the rules alone, since a model would have to be asked again without each item. *Too global* and
//! *oscillating* are of what an arm finally answered. An evaluation asks everybody's questions in turn, so a change of side
//! is looked for between one question of a person and their next one, which may lie in a later window.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::experiment::{Answer, Answered};
use super::split::Question;
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;
use crate::mediator::conflict::COVERED;
use crate::mediator::distribution::jensen_shannon;
use crate::mediator::hysteresis::MOVED;
use crate::mediator::signature::{CHANGES, COLLECTIVE, CONTESTED};

/// The signs of all questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Signs {
    /// Mediated answers, by the rules, that hang on one of several own items, against what the others prefer.
    pub too_local: usize,
    /// Questions on which the sides' first choices differ, the person's being worth half an example at least.
    pub contested: usize,
    /// Who asked those.
    pub people: usize,
    /// By arm, in the order of display; `none` hears neither side.
    #[serde(serialize_with = "by_name")]
    pub arms: Vec<ArmSigns>,
}

/// The signs of one arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ArmSigns {
    /// Which.
    #[serde(skip)]
    pub arm: Arm,
    /// Contested questions that it answers as the others would.
    pub collective: usize,
    /// Whether those are so many that people who differ are answered alike.
    pub too_global: bool,
    /// Changes of side between two questions of a person, the evidence hardly moving.
    pub changes: usize,
    /// People for whom it went there and back.
    pub oscillating: usize,
}

fn by_name<S: Serializer>(arms: &[ArmSigns], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(arms.iter().map(|signs| (signs.arm.name(), signs)))
}

/// What has been seen so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sightings {
    too_local: usize,
    contested: usize,
    people: BTreeSet<UserId>,
    preferred: BTreeSet<usize>,
    arms: Vec<Seen>,
    /// Each person's first question and their last one so far: what lies before and after it may be in another window.
    ends: BTreeMap<UserId, [Glance; 2]>,
}

/// What of a question is held against the person's next one.
#[derive(Clone, Debug, PartialEq)]
struct Glance {
    /// What each side says by itself, where it says how probable.
    sides: [Option<Vec<f64>>; 2],
    /// What [`side`] each arm took, in the order of [`Arm::ALL`].
    taken: [Option<bool>; 4],
}

impl Glance {
    fn of(answered: &Answered) -> Self {
        let sides = sides(answered).map(|side| side.distribution.clone());
        Self { sides, taken: Arm::ALL.map(|arm| side(answered, arm)) }
    }

    /// Whether an arm took one side at `before` and takes the other here, what both sides say having hardly moved.
    fn turns(&self, before: &Self, arm: Arm) -> bool {
        let taken = before.taken[arm as usize].zip(self.taken[arm as usize]);
        taken.is_some_and(|(then, now)| then != now) && self.is_calm(before)
    }

    fn is_calm(&self, before: &Self) -> bool {
        before.sides.iter().zip(&self.sides).all(|sides| match sides {
            (Some(before), Some(now)) => jensen_shannon(before, now) < MOVED,
            _ => false,
        })
    }
}

/// The same of one arm.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    arm: Arm,
    collective: usize,
    changes: BTreeMap<UserId, usize>,
}

impl Sightings {
    /// Looks at `questions` with what was `answered` to them, on those of the `wanted` arms that hear a side.
    pub fn of(questions: &[Question], answered: &[Answered], wanted: &[Arm]) -> Self {
        let arms = Arm::ALL.into_iter().filter(|arm| *arm != Arm::None && wanted.contains(arm));
        let arms = arms.map(|arm| Seen { arm, collective: 0, changes: BTreeMap::new() }).collect();
        let mut seen = Self { arms, ..Self::default() };
        for (question, answered) in questions.iter().zip(answered) {
            let [local, global] = sides(answered).map(|side| side.decision);
            seen.too_local += usize::from(answered.hangs);
            let contested = answered.mass >= COVERED && local != global;
            if contested {
                seen.contested += 1;
                seen.people.insert(question.user.clone());
                seen.preferred.insert(local);
            }
            for arm in &mut seen.arms {
                arm.collective += usize::from(contested && said(answered, arm.arm) == global);
            }
            let glance = Glance::of(answered);
            seen.follow(question.user, [glance.clone(), glance]);
        }
        seen
    }

    /// Goes on to a stretch of a person's questions, of which these are the first and the last: a change of side from the
    /// last one so far to the first of these counts.
    fn follow(&mut self, user: &UserId, [first, last]: [Glance; 2]) {
        let Some([_, before]) = self.ends.get_mut(user) else {
            self.ends.insert(user.clone(), [first, last]);
            return;
        };
        for arm in self.arms.iter_mut().filter(|seen| first.turns(before, seen.arm)) {
            *arm.changes.entry(user.clone()).or_default() += 1;
        }
        *before = last;
    }

    /// Adds what was seen in a later window.
    pub fn join(&mut self, later: Self) {
        self.too_local += later.too_local;
        self.contested += later.contested;
        self.people.extend(later.people);
        self.preferred.extend(later.preferred);
        for (seen, later) in self.arms.iter_mut().zip(later.arms) {
            seen.collective += later.collective;
            later.changes.into_iter().for_each(|(user, n)| *seen.changes.entry(user).or_default() += n);
        }
        later.ends.into_iter().for_each(|(user, ends)| self.follow(&user, ends));
    }

    /// What it comes to, by the bounds of a session's signs.
    pub fn signs(&self) -> Signs {
        let differ = self.contested >= CONTESTED && self.people.len() >= 2 && self.preferred.len() >= 2;
        let of = |seen: &Seen| ArmSigns {
            arm: seen.arm,
            collective: seen.collective,
            too_global: differ && seen.collective as f64 >= COLLECTIVE * self.contested as f64,
            changes: seen.changes.values().sum(),
            oscillating: seen.changes.values().filter(|n| **n >= CHANGES).count(),
        };
        let (too_local, contested, people) = (self.too_local, self.contested, self.people.len());
        Signs { too_local, contested, people, arms: self.arms.iter().map(of).collect() }
    }
}

/// What each side says by itself.
fn sides(answered: &Answered) -> [&Answer; 2] {
    [Arm::Local, Arm::Global].map(|arm| &answered.arms[arm as usize])
}

/// What an arm finally answered.
fn said(answered: &Answered, arm: Arm) -> usize {
    let ix = arm as usize;
    answered.spoken[ix].as_ref().map_or(answered.arms[ix].decision, |spoken| spoken.fused.decision)
}

/// The one side whose first choice an arm answered: whether it is the person's.
fn side(answered: &Answered, arm: Arm) -> Option<bool> {
    let decision = said(answered, arm);
    match sides(answered).map(|side| side.decision == decision) {
        [true, false] => Some(true),
        [false, true] => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::interaction::Timestamp;
    use crate::eval::experiment::Heard;

    /// Two labels; who prefers which, and what is decided.
    fn answered(local: usize, global: usize, mediated: usize, hangs: bool) -> Answered {
        let answer = |decision: usize| {
            let mut p = vec![0.2; 2];
            p[decision] = 0.8;
            Answer { decision, distribution: Some(p), score: None, written: None }
        };
        let arms = [answer(0), answer(local), answer(global), answer(mediated)];
        Answered { visible: 3, mass: 2.0, hangs, heard: Heard::default(), arms, spoken: [const { None }; 4] }
    }

    #[test]
    fn signs_are_counted_by_arm_and_person() {
        let users = ["u1", "u2"].map(UserId::new);
        // Person one goes there and back while nothing moves; person two prefers another value.
        let cases =
            [(0, 0, 1, 0, true), (1, 1, 0, 0, false), (0, 0, 1, 1, false), (0, 0, 1, 0, false), (1, 1, 0, 0, false)];
        let question = |user: usize| Question {
            id: "q",
            user: &users[user],
            at: Timestamp(0),
            text: "a diver",
            about: None,
            gold: 0,
            answer: "noir",
        };
        let questions: Vec<Question> = cases.iter().map(|case| question(case.0)).collect();
        let found: Vec<Answered> = cases.iter().map(|(_, l, g, m, hangs)| answered(*l, *g, *m, *hangs)).collect();
        let seen = Sightings::of(&questions, &found, &Arm::ALL);
        let signs = seen.signs();
        assert_eq!((signs.too_local, signs.contested, signs.people), (1, 5, 2));
        let of = |arm| *signs.arms.iter().find(|signs| signs.arm == arm).unwrap();
        let quiet = ArmSigns { arm: Arm::Local, collective: 0, too_global: false, changes: 0, oscillating: 0 };
        assert_eq!(of(Arm::Local), quiet);
        assert_eq!(of(Arm::Global), ArmSigns { arm: Arm::Global, collective: 5, too_global: true, ..quiet });
        let mediated = ArmSigns { arm: Arm::Mediated, collective: 3, too_global: false, changes: 2, oscillating: 1 };
        assert_eq!(of(Arm::Mediated), mediated);
        // A window later more of the same; a person's changes add up.
        let mut twice = seen.clone();
        twice.join(seen.clone());
        assert_eq!((twice.signs().contested, twice.signs().arms[2].changes, twice.signs().people), (10, 4, 2));
        // Wherever it is cut into windows, one of them empty or not: a change at an edge is one as well.
        for cut in 0..=questions.len() {
            let of = |rows: std::ops::Range<usize>| Sightings::of(&questions[rows.clone()], &found[rows], &Arm::ALL);
            let mut cut_in_two = of(0..cut);
            cut_in_two.join(of(cut..questions.len()));
            assert_eq!(cut_in_two, seen, "cut at {cut}");
        }
    }
}
