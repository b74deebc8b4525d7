//! What is expected of somebody of unknown kind: a mixture over kinds, and over moments of a drifting person's move.

use std::iter;

use super::super::MOVES;
use super::cloud::{Outlook, Standing, add};
use super::{Fitting, Kinds, MOST, Seen, log_sum};

/// What is expected of one kind of person.
pub(super) struct Part {
    /// ln probability of all that is known.
    pub(super) weight: f64,
    pub(super) answers: Fitting,
    pub(super) membership: Vec<f64>,
}

/// What is expected of somebody of unknown kind.
pub(super) struct Mixture {
    pub(super) log_evidence: f64,
    pub(super) answers: Fitting,
    pub(super) membership: Vec<f64>,
    pub(super) kinds: Kinds,
}

/// How many responses may have come before a move that came before `at`, and how likely each number is: a move is as likely
/// at any moment.
pub(super) fn moves(seen: &[Seen], at: f64) -> Vec<(usize, f64)> {
    let (from, until) = (MOVES.0, (MOVES.0 + MOVES.1).min(at));
    let early = seen.iter().take_while(|seen| seen.at < from).count();
    let between = seen[early..].iter().map(|seen| seen.at).take_while(|at| *at < until);
    let bounds: Vec<f64> = iter::once(from).chain(between).chain([until]).collect();
    let share = |(place, ends): (usize, &[f64])| (early + place, (ends[1] - ends[0]) / (until - from));
    bounds.windows(2).enumerate().map(share).filter(|(_, share)| *share > 0.0).collect()
}

impl Part {
    pub(super) fn of(weight: f64, outlook: Outlook) -> Self {
        let answers = outlook.overall();
        Self { weight: weight + outlook.standing.log_evidence, answers, membership: outlook.standing.membership }
    }

    /// A drifting person with one move. The second community is any but the first one, where there are two.
    pub(super) fn moved(weight: f64, before: &Standing, mut after: Outlook) -> Self {
        let weight = weight + before.log_evidence + after.standing.log_evidence;
        let count = after.standing.membership.len();
        if count < 2 {
            return Self { weight, answers: after.overall(), membership: after.standing.membership };
        }
        let mut kept = 0.0;
        for (place, first) in before.membership.iter().enumerate() {
            let other = (1.0 - first).max(0.0);
            after.standing.membership[place] *= other;
            after.answers[place].iter_mut().for_each(|p| *p *= other);
            kept += after.standing.membership[place];
        }
        let scale = 1.0 / kept.max(f64::MIN_POSITIVE);
        after.standing.membership.iter_mut().for_each(|p| *p *= scale);
        let answers = after.overall().map(|p| p * scale);
        let chance = count as f64 / (count - 1) as f64;
        Self { weight: weight + (kept * chance).ln(), answers, membership: after.standing.membership }
    }
}

impl Mixture {
    pub(super) fn of(steady: Part, biased: Vec<Part>, drifting: Vec<Part>) -> Self {
        let weigh = |parts: &[Part]| log_sum(&parts.iter().map(|part| part.weight).collect::<Vec<f64>>());
        let weights = [steady.weight, weigh(&biased), weigh(&drifting)];
        let log_evidence = log_sum(&weights);
        let mut answers = [0.0; MOST];
        let mut membership = vec![0.0; steady.membership.len()];
        for part in iter::once(steady).chain(biased).chain(drifting) {
            let share = (part.weight - log_evidence).exp();
            // One that is impossible has no answers.
            if share > 0.0 {
                add(&mut answers, share, &part.answers);
                membership.iter_mut().zip(&part.membership).for_each(|(sum, p)| *sum += share * p);
            }
        }
        Self { log_evidence, answers, membership, kinds: Kinds::weighed(weights) }
    }
}
