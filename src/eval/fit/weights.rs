//! The fit of what a try holds: the mediator's weights alone, with memory's constants as they are.
//!
//! [`super::fit`] finds constants of memory and mediator together and writes them into `dataset.toml`; a try cannot hold
//! those. Here one weight after another goes over its slider, twice around, on evidence gathered once. A value is taken
//! only if it betters the loss by more than one standard error by person, as there: unchecked, a fit takes small gains
//! that do not last.

use std::sync::atomic::AtomicBool;

use super::{DECISIVE, LEAST_QUERIES, ROUNDS, gain};
use crate::data::interaction::UserId;
use crate::eval::experiment::spread;
use crate::eval::metrics::{Metric, TaskMeasures};
use crate::eval::numbers::Paired;
use crate::eval::sweep::{By, Case, Grid, answer};
use crate::eval::{EVEN, EvalError};
use crate::mediator::Weight;
use crate::mediator::weights::Scope;
use crate::session::event::Setting;

/// Values of a weight that are tried.
const POINTS: usize = 21;

/// What a fit is judged by: log-loss of labels, squared error of ratings.
pub fn by(measures: &TaskMeasures) -> By {
    match measures {
        TaskMeasures::Labels(_) | TaskMeasures::Text(_) => By(Metric::LogLoss),
        TaskMeasures::Rating(_) => By(Metric::RootMeanSquareError),
    }
}

/// How a setting does on some queries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The mean loss: −ln p(gold) in nats, or for ratings the root of the mean squared error.
    pub loss: f64,
    /// Share of right answers; for ratings the mean absolute error.
    pub headline: f64,
}

/// Two settings on the same queries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Queries.
    pub n: usize,
    /// The setting that was there before.
    pub before: Score,
    /// The fitted one.
    pub after: Score,
    /// The fitted one's answers against the others: queries on which just one of them is better.
    pub paired: Paired,
}

/// Judges two settings on `cases`, of which there is at least one.
pub fn judge(cases: &[Case], settings: [&Setting; 2], measures: &TaskMeasures) -> Judged {
    let by = by(measures);
    let lower_is_better = measures.headline().is_error();
    let (mut sums, mut paired) = ([(0.0, 0.0); 2], Paired::default());
    for case in cases {
        let answers = settings.map(|setting| answer(case, setting));
        let headlines = answers.each_ref().map(|answer| measures.headline_of(case.gold, answer));
        for ((loss, headline), (answer, own)) in sums.iter_mut().zip(answers.iter().zip(headlines)) {
            *loss += by.part(measures, case.gold, answer).unwrap_or_default();
            *headline += own;
        }
        let better = if lower_is_better { headlines[0] - headlines[1] } else { headlines[1] - headlines[0] };
        paired.n += 1;
        paired.won += usize::from(better > EVEN);
        paired.lost += usize::from(better < -EVEN);
    }
    let n = cases.len().max(1) as f64;
    let score = |(loss, headline): (f64, f64)| {
        let mean: f64 = loss / n;
        Score { loss: if lower_is_better { mean.sqrt() } else { mean }, headline: headline / n }
    };
    let [before, after] = sums.map(score);
    Judged { n: cases.len(), before, after, paired }
}

/// The setting that suits `cases` best, from `setting` on; that itself where nothing is decisively better. `progress` hears
/// what is being tried.
pub fn fit_weights(
    cases: &[Case],
    setting: Setting,
    measures: &TaskMeasures,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<Setting, EvalError> {
    if cases.len() < LEAST_QUERIES {
        return Err(EvalError::TooFewToFit { found: cases.len(), least: LEAST_QUERIES });
    }
    let by = by(measures);
    let losses = |setting: &Setting| -> Vec<f64> {
        let loss = |case: &Case| by.part(measures, case.gold, &answer(case, setting)).unwrap_or_default();
        cases.iter().map(loss).collect()
    };
    let task = measures.task();
    let acts = |weight: &Weight| weight.scope() == Scope::Mediate && setting.policy.ignores(*weight, task).is_none();
    let asked: Vec<&UserId> = cases.iter().map(|case| case.user).collect();
    let mut best = (setting, losses(&setting));
    for round in 1..=ROUNDS {
        let start = best.0;
        for weight in Weight::ALL.into_iter().filter(acts) {
            let told = format!("{weight}, round {round} of {ROUNDS}");
            progress(&told);
            let values = Grid::whole(weight, POINTS).values;
            let at = |ix: usize| Setting { weights: best.0.weights.with(weight, values[ix]), ..best.0 };
            let tried = spread(values.len(), |ix| Ok(losses(&at(ix))), cancel, &mut |_| progress(&told))?;
            let sum = |losses: &[f64]| losses.iter().sum::<f64>();
            let least = tried.into_iter().enumerate().min_by(|a, b| sum(&a.1).total_cmp(&sum(&b.1)));
            if let Some((ix, losses)) = least.filter(|(_, losses)| gain(&asked, &best.1, losses, DECISIVE) > 0.0) {
                best = (at(ix), losses);
            }
        }
        if best.0 == start {
            break;
        }
    }
    Ok(best.0)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::eval::metrics::LabelMeasures;
    use crate::mediator::{Evidence, Facet, Policy, Weights};

    /// Questions of thirty people whose own memory says 0 and whose crowd says 1.
    fn fitted(gold: impl Fn(usize) -> usize) -> (Setting, Setting, Judged) {
        let evidence = Evidence::disputed();
        let users: Vec<UserId> = (0..30).map(|n| UserId::new(format!("u{n}"))).collect();
        let case =
            |n: usize| Case { user: &users[n % 30], evidence: Cow::Borrowed(&evidence), gold: gold(n), scores: None };
        let cases: Vec<Case> = (0..120).map(case).collect();
        let setting = Setting { weights: Weights::default(), policy: Policy::Product };
        let measures = TaskMeasures::Labels(LabelMeasures { labels: 2 });
        let found = fit_weights(&cases, setting, &measures, &AtomicBool::new(false), &mut |_| ()).unwrap();
        (setting, found, judge(&cases, [&setting, &found], &measures))
    }

    #[test]
    fn a_fit_follows_the_side_that_is_right() {
        let (_, local, judged) = fitted(|_| 0);
        assert!(judged.after.loss < judged.before.loss && judged.after.headline == 1.0, "{judged:?}");
        let (_, global, _) = fitted(|_| 1);
        assert!(
            global.weights.local_trust < local.weights.local_trust
                || global.weights.global_trust > local.weights.global_trust
        );
    }

    #[test]
    fn what_nobody_is_sure_of_stays() {
        let probability = fitted(|_| 0).2.before.loss;
        assert!(probability > 0.0);
        // As often one as the other within everybody: any tilt only costs, and a gain that small is not decisive.
        let (setting, found, judged) = fitted(|n| usize::from(n % 7 < 3));
        assert!(judged.after.loss <= judged.before.loss + 1e-12, "{judged:?}");
        assert_eq!(found.weights.hysteresis, setting.weights.hysteresis, "what does not act stays");
        assert_eq!(found.weights.conflict_threshold, setting.weights.conflict_threshold);
    }

    /// Answers of .1 and .3 to a score of .2, which binary holds no two of equally well.
    #[test]
    fn scores_as_far_on_either_side_are_neither_won_nor_lost() {
        let evidence = Evidence {
            facet: Facet::Score([0.1, 0.2, 0.3].into()),
            base: vec![0.05, 0.05, 0.9],
            votes: Vec::new(),
            population: vec![0.9, 0.05, 0.05],
            community: vec![0.9, 0.05, 0.05],
            ..Evidence::disputed()
        };
        let user = UserId::new("u");
        let cases = [Case { user: &user, evidence: Cow::Borrowed(&evidence), gold: 1, scores: None }];
        let under = |policy| Setting { weights: Weights::default(), policy };
        let [low, high] = [Policy::Global, Policy::Local].map(under);
        let measures = TaskMeasures::Rating(vec![0.1, 0.2, 0.3]);
        let said = [&low, &high].map(|setting| answer(&cases[0], setting).decision);
        assert_eq!(said, [0, 2]);
        for settings in [[&low, &high], [&high, &low]] {
            let paired = judge(&cases, settings, &measures).paired;
            assert_eq!((paired.n, paired.won, paired.lost), (1, 0, 0));
        }
    }

    #[test]
    fn too_few_are_refused() {
        let measures = TaskMeasures::Labels(LabelMeasures { labels: 2 });
        let setting = Setting { weights: Weights::default(), policy: Policy::Product };
        let error = fit_weights(&[], setting, &measures, &AtomicBool::new(false), &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("needs at least 100 queries"), "{error}");
    }
}
