//! The fit of ratings: γ, τ and κ of policy shrinkage by the squared error of the mean on past queries.
//!
//! The tuning set is that of labels: the second half of the history, each query answered from what lay before it. Every
//! query is read once and all points of the grid are tried on it, so nothing has to be kept.

use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::{LEAST_QUERIES, candidates, tuning};
use crate::data::dataset::{AgeUnit, Manifest};
use crate::data::interaction::Interaction;
use crate::eval::EvalError;
use crate::eval::experiment::spread;
use crate::eval::split::{Question, Range};
use crate::mediator::kernel::{Kernel, collective};
use crate::mediator::{Evidence, Facet, Policy, Weights};
use crate::memory::{Apart, Memory};

/// γ.
const SHARPNESS: [f64; 7] = [0.0, 1.0, 2.0, 4.0, 7.0, 10.0, 14.0];
/// τ in days.
const DAYS: [f64; 8] = [1.0, 7.0, 30.0, 90.0, 180.0, 365.0, 730.0, f64::INFINITY];
/// τ in own items.
pub(super) const ITEMS: [f64; 8] = [5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, f64::INFINITY];
/// κ.
const PRIORS: [f64; 6] = [0.25, 0.5, 1.0, 1.5, 2.0, 4.0];

/// What a fit found.
#[derive(Clone, Debug)]
pub struct RatingFit {
    /// The dataset's settings with the fitted constants.
    pub manifest: Manifest,
    /// What memory was warmed up with.
    pub warm_up: Range,
    /// The tuning queries.
    pub tuning: Range,
    /// Root of the mean squared error of the dataset's own constants.
    pub before: f64,
    /// The same of the fitted ones.
    pub after: f64,
    /// Each τ with the best γ and κ beside it.
    pub ridge: Vec<Point>,
}

/// A point of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// τ.
    #[serde(serialize_with = "endless")]
    pub half_life: f64,
    /// γ.
    pub similarity_sharpness: f64,
    /// κ.
    pub prior_strength: f64,
    /// Root of the mean squared error on the tuning set.
    pub rmse: f64,
}

/// JSON has no infinity.
fn endless<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_str("inf") }
}

/// Fits constants on `history`, which is the beginning of `memory`'s interactions, reading memory as `apart` says.
/// `memory` is left with the fitted settings.
pub fn fit(
    memory: &mut Memory,
    history: &[Interaction],
    apart: Apart,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<RatingFit, EvalError> {
    let questions = tuning(&memory.manifest, history);
    let warm_up = Range::of_moments(history[..history.len() / 2].iter().map(|i| i.at));
    let ranges = warm_up.zip(Range::of_moments(questions.iter().map(|q| q.at)));
    let Some((warm_up, tuning)) = ranges.filter(|_| questions.len() >= LEAST_QUERIES) else {
        return Err(EvalError::TooFewToFit { found: questions.len(), least: LEAST_QUERIES });
    };
    memory.allow(tuning.from)?;
    let present = Weights::defaults(Policy::Shrinkage, &memory.manifest);
    let half_lives: &[f64] = match memory.manifest.age_unit() {
        AgeUnit::Days => &DAYS,
        AgeUnit::Items => &ITEMS,
    };
    let mut kernels = Vec::new();
    for half_life in candidates(half_lives, present.half_life) {
        for sharpness in candidates(&SHARPNESS, present.similarity_sharpness) {
            kernels.push(Weights { half_life, similarity_sharpness: sharpness, ..present });
        }
    }
    let priors = candidates(&PRIORS, present.prior_strength);
    progress("nearness, recency and prior on past queries …");
    let squares = |ix: usize| errors(memory, &questions[ix], apart, &kernels, &priors);
    let rows = spread(questions.len(), squares, cancel, &mut |_| ())?;
    let mut sums = vec![0.0; kernels.len() * priors.len()];
    for row in &rows {
        sums.iter_mut().zip(row).for_each(|(sum, square)| *sum += square);
    }
    let point = |ix: usize| {
        let weights = &kernels[ix / priors.len()];
        Point {
            half_life: weights.half_life,
            similarity_sharpness: weights.similarity_sharpness,
            prior_strength: priors[ix % priors.len()],
            rmse: (sums[ix] / questions.len() as f64).sqrt(),
        }
    };
    let mut ridge: Vec<Point> = Vec::new();
    for point in (0..sums.len()).map(point) {
        match ridge.last_mut() {
            Some(best) if best.half_life == point.half_life => {
                if point.rmse < best.rmse {
                    *best = point;
                }
            }
            _ => ridge.push(point),
        }
    }
    let here = |point: &Point| {
        point.half_life == present.half_life
            && point.similarity_sharpness == present.similarity_sharpness
            && point.prior_strength == present.prior_strength
    };
    let before = (0..sums.len()).map(point).find(here).map_or(f64::NAN, |point| point.rmse);
    let mut manifest = memory.manifest.clone();
    let mut after = before;
    if let Some(best) = ridge.iter().min_by(|a, b| a.rmse.total_cmp(&b.rmse)) {
        manifest.weights.half_life = Some(best.half_life);
        manifest.weights.similarity_sharpness = Some(best.similarity_sharpness);
        manifest.weights.prior_strength_shrinkage = Some(best.prior_strength);
        after = best.rmse;
    }
    memory.retune(manifest.clone());
    Ok(RatingFit { manifest, warm_up, tuning, before, after, ridge })
}

/// The squared error of the mean at every point: kernels by priors.
fn errors(
    memory: &Memory,
    question: &Question,
    apart: Apart,
    kernels: &[Weights],
    priors: &[f64],
) -> Result<Vec<f64>, EvalError> {
    let read = memory.read_apart(question.user, question.text, question.about, question.at, apart)?;
    let evidence = Evidence::of(&read, memory.manifest.retrieval.guard, memory.manifest.calibration.local);
    let Facet::Score(steps) = &evidence.facet else { return Ok(Vec::new()) };
    let gold = steps[question.gold];
    let mut found = Vec::with_capacity(kernels.len() * priors.len());
    for weights in kernels {
        let crowd = evidence.facet.mean(&collective(&evidence, weights.community_focus)).unwrap_or_default();
        let kernel = Kernel::of(&evidence, weights);
        let own: f64 = kernel.counts.iter().zip(steps.iter()).map(|(c, y)| c * y).sum();
        // The mean of (c + κ p_G)/(m + κ).
        found.extend(priors.iter().map(|kappa| ((own + kappa * crowd) / (kernel.mass + kappa) - gold).powi(2)));
    }
    Ok(found)
}
