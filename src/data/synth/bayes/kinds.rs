//! Of which kind a person may be, as far as it follows from when they were here.
//!
//! Whoever looks at memories is told no kind. But a cold-start person joins late and does little, a biased and a drifting
//! one do much, so how many responses there are, and when the first one was, tells something. The generator's law of that
//! is known: somebody joins at a uniform moment, has one of several equally likely numbers of interactions, and each is at
//! a uniform moment from then on.

use super::super::{
    JOINED_BY, JOINED_LATE, JUDGED, JUDGED_FROM, KINDS_BELOW, LEAST_HISTORY, MOST_COLD, MOVES, Parameters,
};
use super::log_sum;

/// Moments of joining that the integral over them is taken at.
const STEPS: usize = 64;

/// How likely each kind of person is; sums to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kinds {
    /// Regular, cold start (which responds like a regular one) or drifting with the move still to come.
    pub steady: f64,
    /// Fixed on a tag.
    pub biased: f64,
    /// Has moved to another community before the question.
    pub drifting: f64,
}

/// What is known of somebody's presence at a question. Moments are shares of the population's time, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Presence {
    /// The moment of the question.
    pub at: f64,
    /// Whether it is a judged query or else an interaction.
    pub judged: bool,
    /// How many responses came before it.
    pub visible: usize,
    /// The moment of the first one.
    pub first: Option<f64>,
}

/// How a kind of person is here.
struct Custom {
    /// Share of people.
    share: f64,
    /// Joins at this moment at first, and so much later at most.
    joined: (f64, f64),
    /// Numbers of interactions, each as likely.
    histories: Vec<usize>,
    /// Mean number of judged queries.
    judged: f64,
    /// Where they begin, unless it is where the person joins.
    judged_from: f64,
}

impl Kinds {
    /// Bayes' rule over all kinds.
    pub fn of(parameters: &Parameters, presence: &Presence) -> Self {
        let usual = |share: f64, least: usize| Custom {
            share,
            joined: (0.0, JOINED_BY),
            histories: parameters.histories().map(|count| count.max(least)).collect(),
            judged: (JUDGED.1.0 + JUDGED.1.1) as f64 / 2.0,
            judged_from: JUDGED_FROM,
        };
        let [regular, cold, biased] = KINDS_BELOW;
        let cold_start = Custom {
            share: cold - regular,
            joined: JOINED_LATE,
            histories: (0..=MOST_COLD).collect(),
            judged: JUDGED.0 as f64,
            judged_from: 0.0,
        };
        let all = [
            usual(regular, 0),
            cold_start,
            usual(biased - cold, LEAST_HISTORY.0),
            usual(1.0 - biased, LEAST_HISTORY.1),
        ];
        let logs: Vec<f64> = all.iter().map(|kind| kind.share.ln() + kind.log_evidence(presence)).collect();
        let p = super::normalised(&logs);
        // A drifting person who has not moved yet is like any other.
        let still = p[3] * ((MOVES.0 + MOVES.1 - presence.at) / MOVES.1).clamp(0.0, 1.0);
        Self { steady: p[0] + p[1] + still, biased: p[2], drifting: p[3] - still }
    }
}

impl Kinds {
    /// From unnormalised logarithms.
    pub(super) fn weighed(logs: [f64; 3]) -> Self {
        let p = super::normalised(&logs);
        Self { steady: p[0], biased: p[1], drifting: p[2] }
    }

    /// With a share of another one added.
    pub(super) fn plus(&self, share: f64, more: &Self) -> Self {
        Self {
            steady: self.steady + share * more.steady,
            biased: self.biased + share * more.biased,
            drifting: self.drifting + share * more.drifting,
        }
    }

    /// Scaled to a sum of 1.
    pub(super) fn normalised(&self) -> Self {
        let sum = self.steady + self.biased + self.drifting;
        Self { steady: self.steady / sum, biased: self.biased / sum, drifting: self.drifting / sum }
    }
}

impl Custom {
    /// ln density of visible responses at just these moments with just this question after them.
    fn log_evidence(&self, presence: &Presence) -> f64 {
        let Presence { at, judged, visible, first } = *presence;
        let (from, breadth) = self.joined;
        let until = (from + breadth).min(first.unwrap_or(at)).min(at);
        if until <= from || judged && at < self.judged_from {
            return f64::NEG_INFINITY;
        }
        // An interaction that is asked again is one more of those that were.
        let happened = if judged { visible } else { visible + 1 };
        let width = (until - from) / STEPS as f64;
        let orders = |count: &usize| (count - happened + 1..=*count).map(|n| (n as f64).ln()).sum::<f64>();
        let enough = self.histories.iter().filter(|count| **count >= happened);
        let enough: Vec<(f64, f64)> = enough.map(|count| ((count - happened) as f64, orders(count))).collect();
        let mut logs = Vec::with_capacity(STEPS * enough.len());
        for step in 0..STEPS {
            let here = 1.0 - (from + (step as f64 + 0.5) * width);
            let still = ((1.0 - at).max(1e-9) / here).ln();
            let asked = if judged { (self.judged / here.min(1.0 - self.judged_from)).ln() } else { 0.0 };
            let told = asked - happened as f64 * here.ln();
            logs.extend(enough.iter().map(|(later, orders)| orders + told + later * still));
        }
        log_sum(&logs) + (width / breadth / self.histories.len() as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::super::{Kind, population};
    use super::super::World;
    use super::*;

    /// Over questions that look alike, each kind is as frequent as it is held probable.
    #[test]
    fn kinds_are_as_frequent_as_presence_says() {
        let (data, truth) = population(&Parameters { users: 2000, ..Parameters::default() });
        let world = World::of(&truth);
        let mut moments: HashMap<_, Vec<f64>> = HashMap::new();
        for i in &data.interactions {
            moments.entry(&i.user).or_default().push(world.moment(i.at));
        }
        let people: HashMap<_, _> = truth.users.iter().map(|person| (&person.user, person.kind)).collect();
        let judged = data.queries.iter().map(|q| (&q.user, world.moment(q.at), true));
        let late = &data.interactions[data.interactions.len() * 3 / 4..];
        // One in ten, so that few are of one person.
        let again = late.iter().step_by(10).map(|i| (&i.user, world.moment(i.at), false));

        // By whether it is judged and by how much was done: expected and counted people of each kind, and the variance.
        let mut sums = [[[(0.0, 0.0, 0.0); 3]; 4]; 2];
        let mut surprise = (0.0, 0.0);
        for (user, at, judged) in judged.chain(again) {
            let before: Vec<f64> = moments
                .get(user)
                .map(|all| all.iter().copied().filter(|moment| *moment < at).collect())
                .unwrap_or_default();
            let (visible, first) = (before.len(), before.iter().copied().reduce(f64::min));
            let Kinds { steady, biased, drifting } = world.kinds(&Presence { at, judged, visible, first });
            assert!((steady + biased + drifting - 1.0).abs() < 1e-9);
            let is = match people[user] {
                Kind::Regular | Kind::ColdStart => 0,
                Kind::Biased => 1,
                Kind::Drifting => 2,
            };
            let group = [3, 15, 40].iter().filter(|most| visible > **most).count();
            for (kind, p) in [steady, biased, drifting].into_iter().enumerate() {
                let sum = &mut sums[usize::from(judged)][group][kind];
                *sum = (sum.0 + p, sum.1 + if is == kind { 1.0 } else { 0.0 }, sum.2 + p * (1.0 - p));
            }
            surprise.0 -= [steady, biased, drifting][is].ln();
            surprise.1 -= [0.82f64, 0.09, 0.09][is].ln();
        }
        for (expected, counted, variance) in sums.into_iter().flatten().flatten() {
            // Two questions are of one person at times.
            assert!((expected - counted).abs() < 4.5 * variance.sqrt() + 1.0, "{expected} for {counted}: {sums:?}");
        }
        assert!(surprise.0 < 0.97 * surprise.1, "presence tells something: {surprise:?}");
    }
}
