//! The fit: constants that make past queries likeliest, each answered from what lay before it.
//!
//! The history of a split warms memory up with its first half; the queries of its second half are the tuning set. Reading
//! constants go by coordinates, κ, γ and τ by a grid, the exponents A_L, A_T, A_N (and A_V where entries vote, A_C and A_S where
//! communities' neighbours and leanings are looked for) together by Newton's method, α by a grid over the blended distributions. ℓ = g = 1 throughout: ℓ and κ lie on a ridge, which is
//! reported instead of fitted twice.
//!
//! Invariant: nothing at or after the history's last moment is read or judged here.

pub mod newton;
pub mod rating;
pub mod rows;
pub mod weights;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use newton::{Choices, WIDTH};
use rows::{Row, gather};
use serde::Serialize;

use super::experiment::spread;
use super::split::{Question, Range};
use super::stats::{Unit, standard_error};
use super::{EVEN, EvalError};
use crate::data::dataset::{AgeUnit, Calibration, Manifest};
use crate::data::interaction::{Interaction, UserId};
use crate::mediator::kernel::Kernel;
use crate::mediator::{Policy, Weights, mediate};
use crate::memory::rating::About;
use crate::memory::{Apart, Memory};

/// Fewer tuning queries than this fit noise.
pub const LEAST_QUERIES: usize = 100;
/// Rounds over all coordinates.
const ROUNDS: usize = 2;
/// κ of policy product.
const PRIORS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
/// κ of policy shrinkage.
const SHRINKAGE_PRIORS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// γ.
const SHARPNESS: [f64; 7] = [0.0, 2.0, 4.0, 7.0, 10.0, 14.0, 20.0];
/// τ in days.
const HALF_LIVES: [f64; 7] = [30.0, 60.0, 90.0, 180.0, 365.0, 730.0, f64::INFINITY];
/// h_b in days.
const BASE_HALF_LIVES: [f64; 6] = [30.0, 60.0, 90.0, 180.0, 365.0, f64::INFINITY];
/// h_N in days.
const NEIGHBOUR_HALF_LIVES: [f64; 4] = [90.0, 180.0, 365.0, 730.0];
/// k.
const NEIGHBOURS: [f64; 3] = [100.0, 200.0, 400.0];
/// μ in texts.
const SMOOTHING: [f64; 4] = [7.0, 20.0, 70.0, 200.0];
/// α.
const FOCUS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
/// A constant changes if that betters the loss by more than this many standard errors, see [`gain`]: what is stated stays
/// unless past queries speak against it.
const DECISIVE: f64 = 1.0;
/// The same for communities, before α leaves 0: elsewhere they bettered the tuning set and nothing after it.
const DECISIVE_COMMUNITIES: f64 = 2.0;
/// Times that blended distributions are made linear around the last exponents.
const LINEARISATIONS: usize = 4;

/// A κ with the exponent that suits it best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RidgePoint {
    /// κ.
    pub prior_strength: f64,
    /// A_L.
    pub local: f64,
    /// Tuning log-loss, in nats.
    pub log_loss: f64,
}

/// How well constants do on the tuning set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Mean −ln p(gold) of the mediated arm, in nats.
    pub log_loss: f64,
    /// Share of right answers.
    pub accuracy: f64,
}

/// What a fit found.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The dataset's settings with the fitted constants.
    pub manifest: Manifest,
    /// What memory was warmed up with.
    pub warm_up: Range,
    /// The tuning queries.
    pub tuning: Range,
    /// How the dataset's own constants do.
    pub before: Standing,
    /// How the fitted ones do.
    pub after: Standing,
    /// κ against A_L at the fitted γ and τ.
    pub ridge: Vec<RidgePoint>,
}

/// Fits constants on `history`, which is the beginning of `memory`'s interactions, reading memory as `apart` says.
/// `progress` hears what is being tried. `memory` is left with the fitted settings.
pub fn fit(
    memory: &mut Memory,
    history: &[Interaction],
    apart: Apart,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<Fitted, EvalError> {
    let warm_up = &history[..history.len() / 2];
    let questions = tuning(&memory.manifest, history);
    let ranges = Range::of_moments(warm_up.iter().map(|i| i.at)).zip(Range::of_moments(questions.iter().map(|q| q.at)));
    let Some((warm_up, tuning)) = ranges.filter(|_| questions.len() >= LEAST_QUERIES) else {
        return Err(EvalError::TooFewToFit { found: questions.len(), least: LEAST_QUERIES });
    };
    memory.allow(tuning.from)?;
    progress("reading memory as of each past query …");
    let mut manifest = explicit(&memory.manifest);
    let stated = manifest.calibration;
    let mut trial = Trial { questions: &questions, rows: Vec::new(), stated, apart, cancel };
    trial.rows = gather(memory, trial.questions, apart, cancel)?;
    let before = standing(&trial.rows, &manifest);
    if memory.manifest.weights.community_focus.is_none() {
        // Nobody has stated that communities are worth anything.
        manifest.weights.community_focus = Some(0.0);
    }

    let mut best = f64::INFINITY;
    for round in 0..ROUNDS {
        progress("memory's constants …");
        trial.reading(memory, &mut manifest)?;
        progress("nearness, recency, prior …");
        trial.kernel(&mut manifest)?;
        progress("communities …");
        trial.focus(&mut manifest);
        let loss = standing(&trial.rows, &manifest).log_loss;
        if round > 0 && best - loss < 1e-4 {
            break;
        }
        best = loss;
    }
    let ridge = trial.ridge(&manifest);
    trial.shrinkage(&mut manifest);
    let after = standing(&trial.rows, &manifest);
    memory.retune(manifest.clone());
    Ok(Fitted { manifest, warm_up, tuning, before, after, ridge })
}

/// The tuning questions of a history: its second half.
pub fn tuning<'a>(manifest: &Manifest, history: &'a [Interaction]) -> Vec<Question<'a>> {
    let places = manifest.places();
    let label = |response: &str| places.of(response);
    let asked = history[history.len() / 2..].iter().filter_map(|i| {
        let gold = label(&i.response)?;
        let about = Some(About { item: i.item.as_deref(), extra: &i.extra });
        Some(Question { id: &i.id, user: &i.user, at: i.at, text: &i.query, about, gold, answer: &i.response })
    });
    asked.collect()
}

/// The manifest with every weight default that a fit may change written out.
fn explicit(manifest: &Manifest) -> Manifest {
    let mut manifest = manifest.clone();
    let weights = Weights::defaults(Policy::Product, &manifest);
    manifest.weights.prior_strength_product = Some(weights.prior_strength);
    manifest.weights.similarity_sharpness = Some(weights.similarity_sharpness);
    manifest.weights.half_life = Some(weights.half_life);
    manifest.weights.community_focus = Some(weights.community_focus);
    manifest.weights.prior_strength_shrinkage = Some(Weights::defaults(Policy::Shrinkage, &manifest).prior_strength);
    manifest
}

/// How the mediated arm under policy product does with the constants of `manifest`.
pub fn standing(rows: &[Row], manifest: &Manifest) -> Standing {
    let losses = losses(rows, manifest, Policy::Product);
    let n = losses.len().max(1) as f64;
    Standing {
        log_loss: losses.iter().map(|(loss, _)| loss).sum::<f64>() / n,
        accuracy: losses.iter().filter(|(_, right)| *right).count() as f64 / n,
    }
}

/// −ln p(gold) of every row, and whether it is right.
fn losses(rows: &[Row], manifest: &Manifest, policy: Policy) -> Vec<(f64, bool)> {
    let weights = Weights::defaults(policy, manifest);
    let judge = |row: &Row| {
        let resolution = mediate(&row.weighed(&manifest.calibration), &weights, policy);
        (-resolution.distribution[row.question.gold].ln(), resolution.decision == row.question.gold)
    };
    rows.iter().map(judge).collect()
}

/// By how much `with` betters the mean loss `without` of questions that these `asked`; 0 unless that is more than `decisive`
/// standard errors, by person, or by question where people are few. Whatever a fit changes has to pass here.
fn gain(asked: &[&UserId], without: &[f64], with: &[f64], decisive: f64) -> f64 {
    let mut observed: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    let units = Unit::of_askers(asked).observations(asked);
    for ((unit, with), without) in units.into_iter().zip(with).zip(without) {
        let (n, gained) = observed.entry(unit).or_default();
        *n += 1.0;
        *gained += without - with;
    }
    let observed: Vec<(f64, f64)> = observed.into_values().collect();
    let gained = observed.iter().map(|(_, gained)| gained).sum::<f64>() / asked.len() as f64;
    let error = standard_error(&observed).unwrap_or(f64::INFINITY);
    if gained > EVEN.max(decisive * error) { gained } else { 0.0 }
}

/// Who asked `rows`.
fn askers<'a>(rows: &[Row<'a>]) -> Vec<&'a UserId> {
    rows.iter().map(|row| row.question.user).collect()
}

struct Trial<'q, 'a> {
    questions: &'q [Question<'a>],
    rows: Vec<Row<'a>>,
    /// The dataset's own exponents.
    stated: Calibration,
    apart: Apart,
    cancel: &'q AtomicBool,
}

/// The collective side of a row, linear in the exponents: ln p_G/b = offset + A_T x_T + A_N x_N + A_V x_V + A_C x_C + A_S x_S +
/// A_H x_H. Exact where communities have no part in it, otherwise around the exponents given.
fn linear(row: &Row, calibration: &Calibration, focus: f64) -> [Vec<f64>; WIDTH] {
    let base = &row.evidence.base;
    let parts = &row.parts;
    if focus == 0.0 {
        let silent = || vec![0.0; base.len()];
        let (terms, near, entries) = (parts.terms.clone(), parts.near(base), parts.entry_evidence(base));
        return [silent(), terms, near, entries, silent(), silent(), silent()];
    }
    const STEP: f64 = 1e-4;
    let evidence = |calibration: &Calibration| -> Vec<f64> {
        let (population, community) = parts.distributions(base, calibration);
        let blend = population.iter().zip(&community).map(|(p, c)| (1.0 - focus) * p + focus * c);
        blend.zip(base).map(|(p, b)| (p / b).ln()).collect()
    };
    let exponents = exponents(calibration, parts.entries_exponent(calibration));
    let slope = |k: usize| {
        let moved = |by: f64| {
            let mut theta = exponents;
            theta[k] += by;
            evidence(&calibrated(calibration, theta, true))
        };
        moved(STEP).iter().zip(moved(-STEP)).map(|(up, down)| (up - down) / (2.0 * STEP)).collect::<Vec<f64>>()
    };
    let slopes = [slope(1), slope(2), slope(3), slope(4), slope(5), slope(6)];
    let mut offset = evidence(calibration);
    for (k, slope) in slopes.iter().enumerate() {
        offset.iter_mut().zip(slope).for_each(|(offset, slope)| *offset -= exponents[k + 1] * slope);
    }
    let [terms, near, entries, company, leaning, habit] = slopes;
    [offset, terms, near, entries, company, leaning, habit]
}

/// A_L, A_T, A_N, A_V, A_C, A_S, A_H.
fn exponents(calibration: &Calibration, entries: f64) -> [f64; WIDTH] {
    let Calibration { local, terms, neighbours, .. } = *calibration;
    let Calibration { community_neighbours, community_leaning, community_habit, .. } = *calibration;
    [local, terms, neighbours, entries, community_neighbours, community_leaning, community_habit]
}

fn calibrated(calibration: &Calibration, theta: [f64; WIDTH], entries: bool) -> Calibration {
    let [local, terms, neighbours, votes, community_neighbours, community_leaning, community_habit] = theta;
    let entries = if entries { Some(votes) } else { calibration.entries };
    let collective = Calibration { local, terms, neighbours, entries, ..*calibration };
    Calibration { community_neighbours, community_leaning, community_habit, ..collective }
}

/// e_L per unit of A_L for every row.
fn local_evidence(kernels: &[Kernel], rows: &[Row], prior_strength: f64) -> Vec<Vec<f64>> {
    let unit = |(kernel, row): (&Kernel, &Row)| {
        let (kappa, base) = (prior_strength, &row.evidence.base);
        let worth = |(count, b): (&f64, &f64)| ((count + kappa * b) / (kernel.mass + kappa) / b).ln();
        match row.evidence.votes.is_empty() {
            true => vec![0.0; base.len()],
            false => kernel.counts.iter().zip(base).map(worth).collect(),
        }
    };
    kernels.iter().zip(rows).map(unit).collect()
}

/// Which exponents are fitted: that of entries only where they vote at all, those of communities' neighbours, leanings and
/// habits where they are looked for.
pub fn free(rows: &[Row], manifest: &Manifest) -> [bool; WIDTH] {
    let unread = rows.iter().any(|row| row.parts.neighbours.is_none());
    let calibration = &manifest.calibration;
    let votes = unread || calibration.entries.is_some_and(|exponent| exponent > 0.0);
    let (company, leaning) = (calibration.community_neighbours > 0.0, calibration.community_leaning > 0.0);
    [true, true, !unread, votes, !unread && company, leaning, calibration.community_habit > 0.0]
}

/// Fits the `free` exponents on `rows` at the manifest's other constants, all together; they are the `stated` ones unless
/// that betters the loss decisively.
pub fn fit_exponents(rows: &[Row], manifest: &mut Manifest, free: [bool; WIDTH], stated: &Calibration) {
    let weights = Weights::defaults(Policy::Product, manifest);
    let local = local_evidence(&kernels(rows, &weights), rows, weights.prior_strength);
    let Calibration { smoothing, model_trust, .. } = manifest.calibration;
    let kept = Manifest { calibration: Calibration { smoothing, model_trust, ..*stated }, ..manifest.clone() };
    for _ in 0..if weights.community_focus == 0.0 { 1 } else { LINEARISATIONS } {
        let (theta, _) = choices(rows, &columns(rows, manifest), &local).fit(start(rows, manifest), free);
        manifest.calibration = calibrated(&manifest.calibration, theta, free[3]);
    }
    if gain(&askers(rows), &product_losses(rows, &kept), &product_losses(rows, manifest), DECISIVE) == 0.0 {
        *manifest = kept;
    }
}

/// −ln p(gold) of every row under policy product.
fn product_losses(rows: &[Row], manifest: &Manifest) -> Vec<f64> {
    losses(rows, manifest, Policy::Product).into_iter().map(|(loss, _)| loss).collect()
}

fn kernels(rows: &[Row], weights: &Weights) -> Vec<Kernel> {
    rows.iter().map(|row| Kernel::of(&row.evidence, weights)).collect()
}

fn start(rows: &[Row], manifest: &Manifest) -> [f64; WIDTH] {
    let entries = rows.first().map_or(0.0, |row| row.parts.entries_exponent(&manifest.calibration));
    exponents(&manifest.calibration, entries)
}

fn columns(rows: &[Row], manifest: &Manifest) -> Vec<[Vec<f64>; WIDTH]> {
    let focus = Weights::defaults(Policy::Product, manifest).community_focus;
    rows.iter().map(|row| linear(row, &manifest.calibration, focus)).collect()
}

fn choices(rows: &[Row], columns: &[[Vec<f64>; WIDTH]], local: &[Vec<f64>]) -> Choices {
    let mut choices = Choices::new(rows.first().map_or(0, |row| row.evidence.base.len()));
    for ((row, columns), local) in rows.iter().zip(columns).zip(local) {
        let [offset, terms, near, entries, company, leaning, habit] = columns;
        let offset: Vec<f64> = row.evidence.base.iter().zip(offset).map(|(b, offset)| b.ln() + offset).collect();
        choices.push(row.question.gold, &offset, [local, terms, near, entries, company, leaning, habit]);
    }
    choices
}

impl Trial<'_, '_> {
    fn exponents(&self, manifest: &mut Manifest) {
        fit_exponents(&self.rows, manifest, free(&self.rows, manifest), &self.stated);
    }

    /// h_b, μ, k and h_N, one after another.
    fn reading(&mut self, memory: &mut Memory, manifest: &mut Manifest) -> Result<(), EvalError> {
        self.exponents(manifest);
        let Manifest { periods, calibration, retrieval, .. } = &*manifest;
        let (base, near) = (periods.base_half_life, periods.neighbour_half_life);
        let (smoothing, k) = (calibration.smoothing, retrieval.neighbours as f64);
        self.read_with(memory, manifest, |m, v| m.periods.base_half_life = v, base, &BASE_HALF_LIVES)?;
        self.read_with(memory, manifest, |m, v| m.calibration.smoothing = v, smoothing, &SMOOTHING)?;
        // What nobody reads has nothing to be fitted to.
        if self.rows.iter().all(|row| row.parts.neighbours.is_some()) {
            self.read_with(memory, manifest, |m, v| m.retrieval.neighbours = v as usize, k, &NEIGHBOURS)?;
            self.read_with(memory, manifest, |m, v| m.periods.neighbour_half_life = v, near, &NEIGHBOUR_HALF_LIVES)?;
        }
        memory.retune(manifest.clone());
        Ok(())
    }

    /// One constant that memory reads by: each value is a reading of its own, since what is read of others stands on it in
    /// more than one place. What was read with the value that is kept is what goes on.
    fn read_with(
        &mut self,
        memory: &mut Memory,
        manifest: &mut Manifest,
        set: fn(&mut Manifest, f64),
        present: f64,
        values: &[f64],
    ) -> Result<(), EvalError> {
        let stated = self.losses(manifest);
        let mut best = (0.0, manifest.clone(), None);
        for value in values.iter().filter(|value| **value != present) {
            let mut tried = manifest.clone();
            set(&mut tried, *value);
            memory.retune(tried.clone());
            let read = gather(memory, self.questions, self.apart, self.cancel)?;
            let last = std::mem::replace(&mut self.rows, read);
            self.exponents(&mut tried);
            let gained = self.gain(&stated, &self.losses(&tried), DECISIVE);
            let read = std::mem::replace(&mut self.rows, last);
            if gained > best.0 {
                best = (gained, tried, Some(read));
            }
        }
        *manifest = best.1;
        if let Some(read) = best.2 {
            self.rows = read;
        }
        Ok(())
    }

    /// κ, γ and τ on a grid, the exponents anew at each point.
    fn kernel(&mut self, manifest: &mut Manifest) -> Result<(), EvalError> {
        self.exponents(manifest);
        let stated = self.losses(manifest);
        let columns = columns(&self.rows, manifest);
        let weights = Weights::defaults(Policy::Product, manifest);
        let mut points = Vec::new();
        for gamma in candidates(&SHARPNESS, weights.similarity_sharpness) {
            for tau in candidates(half_lives(manifest.age_unit()), weights.half_life) {
                points.push(Weights { similarity_sharpness: gamma, half_life: tau, ..weights });
            }
        }
        let (start, free) = (start(&self.rows, manifest), free(&self.rows, manifest));
        let priors = candidates(&PRIORS, weights.prior_strength);
        let at = |ix: usize| {
            let kernels = kernels(&self.rows, &points[ix]);
            let mut theta = start;
            let tried = priors.iter().map(|prior| {
                let local = local_evidence(&kernels, &self.rows, *prior);
                let loss;
                (theta, loss) = choices(&self.rows, &columns, &local).fit(theta, free);
                (loss, *prior, theta)
            });
            Ok(tried.min_by(|a, b| a.0.total_cmp(&b.0)))
        };
        let found = spread(points.len(), at, self.cancel, &mut |_| ())?;
        let best = points.iter().zip(found).filter_map(|(weights, best)| Some((weights, best?)));
        if let Some((weights, (_, prior, theta))) = best.min_by(|a, b| a.1.0.total_cmp(&b.1.0)) {
            let mut tried = manifest.clone();
            tried.weights.similarity_sharpness = Some(weights.similarity_sharpness);
            tried.weights.half_life = Some(weights.half_life);
            tried.weights.prior_strength_product = Some(prior);
            tried.calibration = calibrated(&manifest.calibration, theta, free[3]);
            self.exponents(&mut tried);
            if self.gain(&stated, &self.losses(&tried), DECISIVE) > 0.0 {
                *manifest = tried;
            }
        }
        Ok(())
    }

    /// α.
    fn focus(&self, manifest: &mut Manifest) {
        self.exponents(manifest);
        let stated = self.losses(manifest);
        let present = Weights::defaults(Policy::Product, manifest).community_focus;
        let decisive = if present == 0.0 { DECISIVE_COMMUNITIES } else { DECISIVE };
        let mut best = (0.0, manifest.clone());
        for focus in FOCUS.into_iter().filter(|focus| *focus != present) {
            let mut tried = manifest.clone();
            tried.weights.community_focus = Some(focus);
            self.exponents(&mut tried);
            let gained = self.gain(&stated, &self.losses(&tried), decisive);
            if gained > best.0 {
                best = (gained, tried);
            }
        }
        *manifest = best.1;
    }

    /// −ln p(gold) of every row under policy product.
    fn losses(&self, manifest: &Manifest) -> Vec<f64> {
        product_losses(&self.rows, manifest)
    }

    /// See [`gain`].
    fn gain(&self, without: &[f64], with: &[f64], decisive: f64) -> f64 {
        gain(&askers(&self.rows), without, with, decisive)
    }

    /// κ against A_L, the other exponents as fitted.
    fn ridge(&self, manifest: &Manifest) -> Vec<RidgePoint> {
        let weights = Weights::defaults(Policy::Product, manifest);
        let (kernels, columns) = (kernels(&self.rows, &weights), columns(&self.rows, manifest));
        let point = |prior: f64| {
            let local = local_evidence(&kernels, &self.rows, prior);
            let (theta, log_loss) =
                choices(&self.rows, &columns, &local).fit(start(&self.rows, manifest), free(&self.rows, manifest));
            RidgePoint { prior_strength: prior, local: theta[0], log_loss }
        };
        candidates(&PRIORS, weights.prior_strength).into_iter().map(point).collect()
    }

    /// κ of policy shrinkage with what was fitted otherwise.
    fn shrinkage(&self, manifest: &mut Manifest) {
        let losses = |manifest: &Manifest| -> Vec<f64> {
            losses(&self.rows, manifest, Policy::Shrinkage).into_iter().map(|(loss, _)| loss).collect()
        };
        let stated = losses(manifest);
        let present = Weights::defaults(Policy::Shrinkage, manifest).prior_strength;
        let mut best = (0.0, manifest.clone());
        for prior in SHRINKAGE_PRIORS.into_iter().filter(|prior| *prior != present) {
            let mut tried = manifest.clone();
            tried.weights.prior_strength_shrinkage = Some(prior);
            let gained = self.gain(&stated, &losses(&tried), DECISIVE);
            if gained > best.0 {
                best = (gained, tried);
            }
        }
        *manifest = best.1;
    }
}

/// What is tried of τ.
fn half_lives(unit: AgeUnit) -> &'static [f64] {
    match unit {
        AgeUnit::Days => &HALF_LIVES,
        AgeUnit::Items => &rating::ITEMS,
    }
}

/// A grid with the present value in it, ascending.
fn candidates(grid: &[f64], present: f64) -> Vec<f64> {
    let mut all: Vec<f64> = grid.iter().copied().chain([present]).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::interaction::Timestamp;
    use crate::data::sample;
    use crate::mediator::Evidence;
    use crate::memory::collective::{CommunityPart, Parts};

    /// Three questions of each of forty people without a history. Terms say label 0, which three in four answered; what
    /// `community` says to a question of this number is for its first label, or for the other one.
    fn with_trial(community: impl Fn(usize) -> Option<f64>, run: impl FnOnce(&Trial, Manifest)) {
        let users: Vec<UserId> = (0..40).map(|n| UserId::new(format!("u{n}"))).collect();
        let question = |n: usize| Question {
            id: "q",
            user: &users[n / 3],
            at: Timestamp(0),
            text: "a diver",
            about: None,
            gold: usize::from(n % 4 == 3),
            answer: "noir",
        };
        let questions: Vec<Question> = (0..120).map(question).collect();
        let none = || vec![0.0, 0.0];
        let company = |by: f64| CommunityPart {
            community: 0,
            share: 1.0,
            leaning: none(),
            habit: none(),
            terms: vec![0.5 + by, -0.5 - by],
            entries: none(),
            neighbours: none(),
        };
        let parts = |n: usize| Parts {
            terms: vec![0.5, -0.5],
            communities: community(n).map(company).into_iter().collect(),
            ..Parts::silent(2)
        };
        let evidence = Evidence { votes: Vec::new(), ..Evidence::disputed() };
        let row = |n: usize| Row { question: questions[n], visible: 0, evidence: evidence.clone(), parts: parts(n) };
        let rows = (0..questions.len()).map(row).collect();
        let mut manifest = sample::dataset().unwrap().manifest;
        // ln 3 of A_T suits them best.
        manifest.calibration = Calibration { terms: 1.1, ..Calibration::default() };
        manifest.weights.community_focus = Some(0.43);
        manifest.weights.prior_strength_shrinkage = Some(5.0);
        let (cancel, stated) = (AtomicBool::new(false), manifest.calibration);
        let trial = Trial { questions: &questions, rows, stated, apart: Apart::default(), cancel: &cancel };
        run(&trial, manifest);
    }

    #[test]
    fn what_is_stated_stays_where_nothing_else_is_decisively_better() {
        with_trial(
            |_| None,
            |trial, stated| {
                let mut manifest = stated.clone();
                trial.exponents(&mut manifest);
                assert_eq!(manifest, stated, "1.1 is as good as ln 3");
                // Without communities and without a history any value is as good.
                trial.focus(&mut manifest);
                trial.shrinkage(&mut manifest);
                assert_eq!(manifest, stated);
            },
        );
    }

    #[test]
    fn what_is_decisively_better_takes_the_place_of_what_is_stated() {
        with_trial(
            |_| None,
            |trial, mut manifest| {
                let stated = Calibration { terms: 0.1, ..trial.stated };
                manifest.calibration = stated;
                let heard = free(&trial.rows, &manifest);
                fit_exponents(&trial.rows, &mut manifest, heard, &stated);
                assert!((manifest.calibration.terms - 3f64.ln()).abs() < 1e-3, "{:?}", manifest.calibration);
                // What is fitted goes back to what is stated, and not to where a fit began.
                fit_exponents(&trial.rows, &mut manifest, heard, &trial.stated);
                assert_eq!(manifest.calibration.terms, 1.1);
            },
        );
        // A community that knows better than everyone what is answered to each question.
        let knows = |n: usize| Some(if n % 4 == 3 { -2.0 } else { 1.0 });
        for stated in [0.0, 0.43] {
            with_trial(knows, |trial, mut manifest| {
                manifest.weights.community_focus = Some(stated);
                trial.focus(&mut manifest);
                assert_eq!(manifest.weights.community_focus, Some(1.0), "from {stated}");
            });
        }
    }

    #[test]
    fn questions_of_few_people_stand_for_themselves() {
        let one = UserId::new("u");
        let (without, with) = ([1.0, 1.1, 0.9, 1.0], [0.5, 0.5, 0.5, 0.5]);
        assert!((gain(&[&one; 4], &without, &with, DECISIVE) - 0.5).abs() < 1e-12);
        assert_eq!(gain(&[&one; 4], &with, &without, DECISIVE), 0.0);
    }

    /// Of late one tag is given to every third film, each for forty days, in the sample with its communities.
    #[test]
    fn what_was_read_is_of_the_base_rate_that_is_kept() {
        let mut dataset = sample::dataset().unwrap();
        dataset.interactions.truncate(1_000);
        dataset.queries.clear();
        dataset.manifest.periods.base_half_life = f64::INFINITY;
        let labels = dataset.manifest.labels.clone();
        for i in dataset.interactions.iter_mut().step_by(3) {
            let stretch = i.at.0 / (40 * 86_400);
            i.response = labels[usize::try_from(stretch).unwrap() % labels.len()].clone();
        }
        let mut memory = Memory::build(&dataset);
        let questions = tuning(&dataset.manifest, &dataset.interactions);
        let (cancel, apart) = (AtomicBool::new(false), Apart::default());
        let read = |memory: &Memory| gather(memory, &questions, apart, &cancel).unwrap();
        let stated = dataset.manifest.calibration;
        let mut trial = Trial { questions: &questions, rows: read(&memory), stated, apart, cancel: &cancel };
        let before = trial.rows.clone();
        let mut manifest = explicit(&dataset.manifest);
        let set: fn(&mut Manifest, f64) = |m, v| m.periods.base_half_life = v;
        trial.read_with(&mut memory, &mut manifest, set, f64::INFINITY, &[30.0, 365.0]).unwrap();
        assert_eq!(manifest.periods.base_half_life, 30.0);
        // With the exponents that were stated: one that was fitted to 0 has nothing read for it.
        let mut kept = explicit(&dataset.manifest);
        kept.periods.base_half_life = 30.0;
        memory.retune(kept);
        let parts = |rows: &[Row]| rows.iter().map(|row| row.parts.clone()).collect::<Vec<_>>();
        assert_eq!(parts(&trial.rows), parts(&read(&memory)));
        assert_ne!(parts(&trial.rows), parts(&before), "what communities say stands on the base rate");
    }
}
