//! The sweep: one or two weights over a grid, every point mediated from the same evidence, with intervals by person and
//! an honest word on whether the best point is any better than the present setting.
//!
//! The best of many points looks better than it is, so its p-value against the present setting is how often, by chance,
//! any point would stand out as much. Where fewer than [`FEW`](super::stats::FEW) people ask, questions are resampled instead of people, and the
//! result says so.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use serde::{Serialize, Serializer};

use super::EvalError;
use super::experiment::{Answer, Score, spread};
use super::metrics::{FLOOR, Measures, Metric, TaskMeasures};
use super::numbers::PICKED;
use super::stats::{Interval, Plan, Table, Unit, intervals_of_many, sign_flip_most};
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;
use crate::mediator::weights::STOPS;
use crate::mediator::{Evidence, Facet, Weight, mediate};
use crate::session::event::Setting;
use crate::session::record::finally;
use crate::session::steps::Step;

/// Points of a grid that names none.
const POINTS: usize = 21;
/// Points of one weight at most.
const MOST: usize = 201;
/// Points of two weights at most: 51 by 51, as fine as a picture shows.
pub const MOST_OF_TWO: usize = 2_601;
/// A p-value above this is no news.
const LEVEL: f64 = 0.05;

/// Values of a weight to be tried, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Which.
    pub weight: Weight,
    /// Its values, at least one.
    pub values: Vec<f64>,
}

impl Grid {
    /// So many values from `low` to `high`, spaced as the weight's slider is.
    pub fn between(weight: Weight, low: f64, high: f64, points: usize) -> Self {
        let (from, to) = (weight.position(low), weight.position(high));
        let last = points.saturating_sub(1).max(1) as f64;
        let at = |n: usize| match n {
            0 => low,
            n if n as f64 == last => high,
            n => rounded(weight.at(from + (to - from) * n as f64 / last)),
        };
        let mut values: Vec<f64> = (0..points.max(1)).map(at).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        Self { weight, values }
    }

    /// Its whole slider.
    pub fn whole(weight: Weight, points: usize) -> Self {
        Self::between(weight, weight.at(0.0), weight.at(STOPS), points)
    }

    /// The grid with `value` in it.
    fn with(mut self, value: f64) -> Self {
        self.values.push(value);
        self.values.sort_by(f64::total_cmp);
        self.values.dedup();
        self
    }
}

/// Three digits, so that a value reads well and can be typed again.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 10f64.powi(2 - value.abs().log10().floor() as i32);
    (value * digits).round() / digits
}

impl FromStr for Grid {
    type Err = String;

    /// `half-life`, `local-trust=0..4:21`, `half-life=30..inf`, `prior-strength=.5,1,2,4`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, range) = text.split_once('=').map_or((text, None), |(name, range)| (name, Some(range)));
        let weight: Weight = name.trim().parse()?;
        let value = |text: &str| -> Result<f64, String> {
            let number = text.trim().parse().map_err(|_| format!("'{}' is no number", text.trim()))?;
            weight.checked(number).map_err(|error| error.to_string())
        };
        let Some(range) = range else { return Ok(Self::whole(weight, POINTS)) };
        let Some((low, rest)) = range.split_once("..") else {
            let mut values = range.split(',').map(value).collect::<Result<Vec<_>, _>>()?;
            values.sort_by(f64::total_cmp);
            values.dedup();
            return Ok(Self { weight, values });
        };
        let (high, points) = match rest.split_once(':') {
            None => (rest, POINTS),
            Some((high, points)) => {
                let n = points.trim().parse().ok().filter(|n| (2..=MOST).contains(n));
                (high, n.ok_or_else(|| format!("'{points}' is no number of points; give one from 2 to {MOST}"))?)
            }
        };
        let (low, high) = (value(low)?, value(high)?);
        if low >= high {
            return Err(format!("{weight} runs from {low} to {high}; put the smaller number first"));
        }
        Ok(Self::between(weight, low, high, points))
    }
}

/// What a sweep is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By(pub Metric);

impl By {
    /// What tasks of these measures can be judged by.
    pub fn all(measures: &TaskMeasures) -> Vec<Self> {
        match measures {
            TaskMeasures::Labels(_) | TaskMeasures::Text(_) => {
                vec![By(Metric::Accuracy), By(Metric::LogLoss), By(Metric::MacroF1)]
            }
            TaskMeasures::Rating(_) => vec![By(Metric::MeanAbsoluteError), By(Metric::RootMeanSquareError)],
        }
    }

    /// Its name with hyphens, as it is typed.
    pub fn name(self) -> String {
        self.0.name().replace('_', "-")
    }

    /// What one answer adds to the mean that stands behind the metric; `None` where there is no such mean.
    pub(super) fn part(self, measures: &TaskMeasures, gold: usize, answer: &Answer) -> Option<f64> {
        match (self.0, measures) {
            (Metric::Accuracy | Metric::MeanAbsoluteError, _) => Some(measures.headline_of(gold, answer)),
            (Metric::LogLoss, _) => answer.distribution.as_ref().map(|p| -p[gold].max(FLOOR).ln()),
            (Metric::RootMeanSquareError, TaskMeasures::Rating(steps)) => {
                answer.score.map(|score| (score.mean - steps[gold]).powi(2))
            }
            _ => None,
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        use Metric::{Accuracy, LogLoss, MacroF1, MeanAbsoluteError, RootMeanSquareError};
        let all = [Accuracy, LogLoss, MacroF1, MeanAbsoluteError, RootMeanSquareError].map(By);
        let names = || all.map(By::name).join(", ");
        all.into_iter()
            .find(|by| by.name() == name)
            .ok_or_else(|| format!("'{name}' is no metric of a sweep; use one of {}", names()))
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl Serialize for By {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A question with its evidence.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// Who asked.
    pub user: &'a UserId,
    /// What both memories said.
    pub evidence: Cow<'a, Evidence>,
    /// The right answer.
    pub gold: usize,
    /// The model's log-probabilities on the mediated arm, where it spoke.
    pub scores: Option<&'a [f64]>,
}

impl<'a> Case<'a> {
    /// A judged question of a session; `None` of one that is not judged.
    pub fn of(step: &'a Step) -> Option<Self> {
        let scores = step.arms[Arm::Mediated as usize].as_ref().and_then(Option::as_deref);
        Some(Self { user: &step.user, evidence: Cow::Borrowed(&step.evidence), gold: step.gold?, scores })
    }
}

/// A point of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The value of each swept weight.
    pub at: Vec<f64>,
    /// The metric there; `None` where it does not apply.
    pub value: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
}

/// The best point against the present setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Metric of the best less that of the present.
    pub difference: f64,
    /// Its 95 % interval, which takes no notice of how many points were tried.
    pub interval: Option<Interval>,
    /// The p-value, corrected for all points that were tried; `None` for a metric that is no mean.
    pub p: Option<f64>,
}

impl Gain {
    /// Whether chance explains it.
    pub fn is_noise(&self) -> bool {
        match (self.p, self.interval) {
            (Some(p), _) => p > LEVEL,
            (None, Some(interval)) => interval.low <= 0.0 && interval.high >= 0.0,
            (None, None) => true,
        }
    }
}

/// What a sweep found.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// What it is judged by.
    pub by: By,
    /// The swept weights with their values, one or two.
    pub grids: Vec<Grid>,
    /// All points, the first weight slowest.
    pub points: Vec<Point>,
    /// The present setting's place among them.
    pub present: usize,
    /// The best one's place; the present one where none is better.
    pub best: usize,
    /// What the best one gains; `None` where it is the present one.
    pub gain: Option<Gain>,
    /// Questions.
    pub n: usize,
    /// People who asked them.
    pub people: usize,
}

impl Sweep {
    /// What was resampled.
    pub fn unit(&self) -> Unit {
        Unit::of(self.people)
    }

    /// The best point against the present one, in a sentence.
    pub fn verdict(&self) -> String {
        let Some(gain) = self.gain else { return self.nothing_better() };
        let told = match gain.p {
            Some(p) => format!("p {} with {} points tried", super::p_value(p), self.points.len()),
            None => "judged by its interval".to_owned(),
        };
        let verdict = if gain.is_noise() { "could be chance: keep the present value" } else { "more than chance" };
        format!("{}, {verdict} ({told})", self.lead(gain))
    }

    /// The same of questions that were picked for what they show: no test.
    pub fn verdict_of_picked(&self) -> String {
        self.gain.map_or_else(|| self.nothing_better(), |gain| format!("{}; {PICKED}", self.lead(gain)))
    }

    fn nothing_better(&self) -> String {
        format!("no point has a better {} than the present setting", self.by)
    }

    /// Where the best point lies, and what it gains.
    fn lead(&self, gain: Gain) -> String {
        let named = self.grids.iter().zip(&self.points[self.best].at);
        let best = named.map(|(grid, value)| format!("{} {value}", grid.weight)).collect::<Vec<_>>().join(", ");
        format!("best at {best}: {} {:+.3} against the present", self.by, super::steady(gain.difference, 3))
    }
}

/// Mediates every case at every point and judges the answers. `setting` is the present one; its values join the grids.
/// `progress` hears what is being done, and how much of how much of that; `cancel` ends it whatever is.
pub fn sweep(
    cases: &[Case],
    grids: Vec<Grid>,
    setting: Setting,
    (measures, by): (&TaskMeasures, By),
    plan: Plan,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Sweep, EvalError> {
    let now = |grid: &Grid| setting.weights.get(grid.weight);
    let grids: Vec<Grid> = grids
        .into_iter()
        .map(|grid| {
            let value = now(&grid);
            grid.with(value)
        })
        .collect();
    let mut points: Vec<Vec<f64>> = vec![Vec::new()];
    for grid in &grids {
        let longer =
            |point: &Vec<f64>| grid.values.iter().map(|value| [&point[..], &[*value]].concat()).collect::<Vec<_>>();
        points = points.iter().flat_map(longer).collect();
    }
    let here: Vec<f64> = grids.iter().map(now).collect();
    let present = points.iter().position(|point| *point == here).unwrap_or_default();
    let asked: Vec<&UserId> = cases.iter().map(|case| case.user).collect();
    let people = asked.iter().collect::<BTreeSet<_>>().len();
    let units = Unit::of_askers(&asked).observations(&asked);
    let width = measures.width();
    let at = |ix: usize| {
        let weights =
            grids.iter().zip(&points[ix]).fold(setting.weights, |w, (grid, value)| w.with(grid.weight, *value));
        let setting = Setting { weights, ..setting };
        let (mut rows, mut parts) = (Vec::with_capacity(cases.len()), BTreeMap::new());
        for (case, unit) in cases.iter().zip(&units) {
            let answer = answer(case, &setting);
            if let Some(part) = by.part(measures, case.gold, &answer) {
                *parts.entry(*unit).or_insert(0.0) += part;
            }
            rows.push((*unit, measures.row(case.gold, &answer)));
        }
        Ok((Table::of(width, rows), parts))
    };
    let total = points.len();
    let found = spread(total, at, cancel, &mut |done| progress("mediating, point", done, total))?;
    let (tables, parts): (Vec<Table>, Vec<BTreeMap<usize, f64>>) = found.into_iter().unzip();
    let value = |table: &Table| measures.value(by.0, &table.total());
    let values: Vec<Option<f64>> = tables.iter().map(value).collect();
    // Higher is better from here on.
    let sign = if by.0.is_error() { -1.0 } else { 1.0 };
    let worth = |ix: usize| values[ix].map_or(f64::NEG_INFINITY, |value| sign * value);
    let best = (0..total).fold(present, |best, ix| if worth(ix) > worth(best) { ix } else { best });
    let of_sums = |sums: &[Vec<f64>]| {
        let values: Vec<Option<f64>> = sums.iter().map(|sums| measures.value(by.0, sums)).collect();
        let gain = values[best].zip(values[present]).map(|(best, present)| best - present);
        values.into_iter().chain([gain]).collect()
    };
    let mut drawn = |done| progress("resampling", done, plan.resamples);
    let spans = intervals_of_many(&tables, plan, of_sums, cancel, &mut drawn)?;
    let mut flipped = |done| progress("flipping signs,", done, plan.permutations);
    let mut gained = |(at_best, now): (f64, f64)| -> Result<Gain, EvalError> {
        let against = |(unit, now): (&usize, &f64)| -> Vec<f64> {
            parts.iter().map(|parts| parts.get(unit).copied().unwrap_or_default() - now).collect()
        };
        let apart: Vec<Vec<f64>> = parts[present].iter().map(against).collect();
        let p = match apart.is_empty() {
            true => None,
            false => Some(sign_flip_most(&apart, best, plan, cancel, &mut flipped)?),
        };
        Ok(Gain { difference: at_best - now, interval: spans[total], p })
    };
    let apart = values[best].zip(values[present]).filter(|_| best != present);
    let gain = apart.map(&mut gained).transpose()?;
    let points = points.into_iter().zip(values).zip(&spans);
    let points = points.map(|((at, value), interval)| Point { at, value, interval: *interval }).collect();
    Ok(Sweep { by, grids, points, present, best, gain, n: cases.len(), people })
}

/// What the mediated arm answers to `case` under `setting`.
pub fn answer(case: &Case, setting: &Setting) -> Answer {
    let resolution = mediate(&case.evidence, &setting.weights, setting.policy);
    let (distribution, decision) = finally(&resolution, Arm::Mediated, setting.weights.model_trust, case.scores);
    let score = match &resolution.facet {
        Facet::Label | Facet::Form => None,
        Facet::Score(steps) => resolution.facet.mean(&distribution).map(|mean| Score { median: steps[decision], mean }),
    };
    Answer { decision, distribution: Some(distribution), score, written: None }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::eval::metrics::LabelMeasures;
    use crate::mediator::{Policy, Weights};

    const PLAN: Plan = Plan { resamples: 200, permutations: 500, seed: 3 };

    /// One vote for label 0 against a crowd that is for label 1: trust decides.
    fn evidence() -> Evidence {
        Evidence::disputed()
    }

    fn run(golds: &[(usize, usize)], grid: &str, by: Metric) -> Sweep {
        run_until(golds, grid, by, "").unwrap()
    }

    /// The same, called off as soon as `enough` is being done.
    fn run_until(golds: &[(usize, usize)], grid: &str, by: Metric, enough: &str) -> Result<Sweep, EvalError> {
        let users: Vec<UserId> = (0..60).map(|n| UserId::new(format!("u{n}"))).collect();
        let evidence = evidence();
        let cases: Vec<Case> = golds
            .iter()
            .map(|(user, gold)| Case {
                user: &users[*user],
                evidence: Cow::Borrowed(&evidence),
                gold: *gold,
                scores: None,
            })
            .collect();
        let setting = Setting {
            weights: Weights { global_trust: 1.0, local_trust: 0.0, ..Weights::default() },
            policy: Policy::Product,
        };
        let measures = TaskMeasures::Labels(LabelMeasures { labels: 2 });
        let grids = grid.split(' ').map(|grid| grid.parse().unwrap()).collect();
        let cancel = AtomicBool::new(false);
        let mut progress = |what: &str, done, of| {
            assert!((1..=of).contains(&done), "{what} {done} of {of}");
            cancel.fetch_or(what == enough, Ordering::Relaxed);
        };
        sweep(&cases, grids, setting, (&measures, By(by)), PLAN, &cancel, &mut progress)
    }

    #[test]
    fn a_grid_is_read_as_people_write_it() {
        let values = |text: &str| text.parse::<Grid>().map(|grid| grid.values);
        assert_eq!(values("local-trust=0..4:5").unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(values("prior-strength=4,.5,1").unwrap(), [0.5, 1.0, 4.0]);
        assert_eq!(values("half-life=30..inf:2").unwrap(), [30.0, f64::INFINITY]);
        assert_eq!(values("community-focus").unwrap().len(), POINTS);
        let log = values("prior-strength=0.01..100:5").unwrap();
        assert_eq!(log, [0.01, 0.1, 1.0, 10.0, 100.0], "spaced as the slider is");
        for (text, told) in [
            ("omega=1..2", "'omega' is no weight"),
            ("local-trust=0..5", "local-trust is 5; its range is 0 to 4"),
            ("local-trust=2..1", "put the smaller number first"),
            ("local-trust=0..4:1", "'1' is no number of points"),
            ("local-trust=a..4", "'a' is no number"),
        ] {
            assert!(values(text).unwrap_err().contains(told), "{text}: {:?}", values(text));
        }
    }

    #[test]
    fn a_gain_for_everybody_is_found_and_one_for_few_is_called_chance() {
        let everybody: Vec<(usize, usize)> = (0..40).map(|user| (user, 0)).collect();
        let found = run(&everybody, "local-trust=0..4:9", Metric::Accuracy);
        assert_eq!((found.points.len(), found.people, found.n), (9, 40, 40));
        assert_eq!((found.points[found.present].value, found.points[found.best].value), (Some(0.0), Some(1.0)));
        let gain = found.gain.unwrap();
        assert!(!gain.is_noise() && found.verdict().contains("more than chance"), "{}", found.verdict());
        let picked = found.verdict_of_picked();
        assert!(picked.ends_with("accuracy +1.000 against the present; no test: picked or repeated"), "{picked}");
        // However many points are tried.
        let fine = run(&everybody, "local-trust=0..4:101 prior-strength=0.5..8:11", Metric::Accuracy);
        assert!(fine.points.len() > 1000 && !fine.gain.unwrap().is_noise(), "{}", fine.verdict());
        // Two of forty gain, one loses.
        let mixed: Vec<(usize, usize)> =
            (0..20).map(|user| (user, usize::from(user % 2 == 0))).chain([(20, 0)]).collect();
        let found = run(&mixed, "local-trust=0..4:9", Metric::Accuracy);
        assert!(found.gain.unwrap().is_noise() && found.verdict().contains("could be chance"), "{}", found.verdict());
        let right: Vec<(usize, usize)> = (0..9).map(|user| (user, 1)).collect();
        let found = run(&right, "local-trust=0..4:9", Metric::Accuracy);
        assert_eq!((found.gain, found.best), (None, found.present), "nothing beats what is right already");
    }

    #[test]
    fn a_sweep_is_called_off_whatever_is_being_done() {
        let everybody: Vec<(usize, usize)> = (0..40).map(|user| (user, 0)).collect();
        for enough in ["mediating, point", "resampling", "flipping signs,"] {
            let found = run_until(&everybody, "local-trust=0..4:101", Metric::Accuracy, enough);
            assert!(matches!(found, Err(EvalError::Interrupted)), "{enough}");
        }
        assert!(run_until(&everybody, "local-trust=0..4:101", Metric::Accuracy, "nothing").is_ok());
    }

    #[test]
    fn two_weights_make_a_grid_and_the_present_setting_is_in_it() {
        let cases: Vec<(usize, usize)> = (0..6).map(|user| (user, user % 2)).collect();
        let found = run(&cases, "local-trust=.5,1 prior-strength=.5,2,8", Metric::LogLoss);
        assert_eq!(found.grids[0].values, [0.0, 0.5, 1.0], "the present value joins");
        assert_eq!(found.points.len(), found.grids[0].values.len() * found.grids[1].values.len());
        assert_eq!(found.points[found.present].at[0], 0.0);
        let least = found.points.iter().filter_map(|point| point.value).fold(f64::INFINITY, f64::min);
        assert_eq!(found.points[found.best].value, Some(least), "less loss is better");
        let few = run(&[(0, 0), (0, 0), (1, 1)], "local-trust=0..4:3", Metric::MacroF1);
        assert!(few.unit() == Unit::Questions && few.gain.is_none_or(|gain| gain.p.is_none()));
    }
}
