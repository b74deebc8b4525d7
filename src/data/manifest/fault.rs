//! What makes a manifest unusable: the first number out of its range, and whatever does not fit the task.

use std::collections::HashSet;

use super::{ATTRIBUTE_WIDTH, FORMAT, MOST_PERIODS, Manifest, PeriodLength, TaskKind, default_metric};
use crate::data::interaction::Timestamp;
use crate::data::sanitize::visible;

/// More hits than this are no list that anybody reads, and no prompt.
const MOST_HITS: usize = 1000;
/// Tokens; no model reads more.
const MOST_ROOM: f64 = 1e6;
/// Topics at most: the number of one fits a byte.
const MOST_TOPICS: f64 = 256.0;
/// A greater exponent of evidence leaves one label and rounding errors.
const MOST_CALIBRATION: f64 = 10.0;

impl Manifest {
    /// What is wrong with the length of a period for interactions at these times, by their ids. The periods of a shorter
    /// population must not depend on how long it will grow, so they cannot be lengthened as it does.
    pub(in crate::data) fn period_fault<'a>(
        &self,
        interactions: impl ExactSizeIterator<Item = (Timestamp, &'a str)> + Clone,
    ) -> Option<String> {
        let count = interactions.len();
        let least = count.div_ceil(MOST_PERIODS);
        let (first, earliest) = interactions.clone().min()?;
        let (last, latest) = interactions.max()?;
        let span = last.days_since(first);
        match self.periods.length {
            PeriodLength::Interactions(every) if every < least => Some(format!(
                "'periods.interactions' is {every}, which would cut {count} interactions into more than \
                 {MOST_PERIODS} periods; give {least} or more"
            )),
            PeriodLength::Days(days) if span / days >= MOST_PERIODS as f64 => Some(format!(
                "'periods.days' is {days}, which would cut {span:.1} days into more than {MOST_PERIODS} periods; give {} \
                 or more, unless the time of the earliest interaction '{earliest}', {first}, or of the latest '{latest}', \
                 {last}, is wrong",
                // Rounded up to what is easily typed.
                (100.0 * span / (MOST_PERIODS - 1) as f64).ceil() / 100.0
            )),
            PeriodLength::Interactions(_) | PeriodLength::Days(_) => None,
        }
    }

    /// What makes the manifest unusable, with the value and the remedy. The ranges of weight defaults are those of the
    /// mediator's weights, which this module may not know; a test holds the two together.
    pub(in crate::data) fn fault(&self) -> Option<String> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            // Not-a-number is within nothing.
            let told = || format!("'{name}' is {value}; give a number from {low} to {high}");
            (!(low..=high).contains(&value)).then(told)
        };
        let unit = |name: &str, value: f64| within(name, value, 0.0, 1.0);
        let positive = |name: &str, value: f64| {
            (value <= 0.0 || value.is_nan()).then(|| format!("'{name}' is {value}; give a number above 0"))
        };
        let default_of = |name: &str, value: Option<f64>, low: f64, high: f64| within(name, value?, low, high);
        if self.format > FORMAT {
            return Some(format!("format {} is newer than this program's {FORMAT}; update logoscope", self.format));
        }
        let labels = self.labels.len();
        match (self.task, self.scale) {
            (TaskKind::Labels, _) if labels < 2 => {
                return Some(format!("'labels' has {labels} entries; a labels task needs at least two"));
            }
            (TaskKind::Rating | TaskKind::Text, _) if labels > 0 => {
                return Some(format!("'labels' belongs to a labels task, this one is {}; remove it", self.task));
            }
            (TaskKind::Labels | TaskKind::Text, Some(_)) => {
                return Some(format!("'scale' belongs to a rating task, this one is {}; remove it", self.task));
            }
            (TaskKind::Rating, None) => {
                let example = "scale = { low = 1.0, high = 5.0, step = 1.0 }";
                return Some(format!("'scale' is missing; a rating task needs one, such as {example}"));
            }
            (TaskKind::Rating, Some(scale)) => {
                if let Some(fault) = scale.fault() {
                    return Some(fault);
                }
            }
            (TaskKind::Labels | TaskKind::Text, None) => {}
        }
        let known = self.task.metrics();
        // Left out it is accuracy, whatever the task.
        if self.metric != default_metric() && !known.contains(&self.metric.as_str()) {
            let (metric, task) = (visible(&self.metric), self.task);
            return Some(format!("'metric' is '{metric}'; a {task} task is judged by one of {}", known.join(", ")));
        }
        let shown = [&self.name, &self.prompt.query, &self.prompt.response];
        if let Some(text) = shown.into_iter().find(|text| visible(text) != text.as_str()) {
            return Some(format!("'{}' holds a control character; remove it", visible(text)));
        }
        if self.labels.iter().any(|label| label.trim().is_empty()) {
            return Some("'labels' holds an empty label; give it a name or remove it".to_owned());
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.labels.iter().find(|label| !seen.insert(label.as_str())) {
            return Some(format!("'labels' names '{twice}' twice; remove one"));
        }
        let (r, w) = (&self.retrieval, &self.weights);
        let counts = [("local-hits", r.local_hits), ("global-hits", r.global_hits), ("entry-votes", r.entry_votes)];
        let (most, room) = (MOST_HITS as f64, r.prompt_room as f64);
        unit("retrieval.lexical-share", r.lexical_share)
            .or_else(|| unit("retrieval.recency-floor", r.recency_floor))
            .or_else(|| unit("retrieval.community-share", r.community_share))
            .or_else(|| within("retrieval.idf-prior", r.idf_prior, 0.0, 1e6))
            .or_else(|| {
                counts.iter().find_map(|(n, count)| within(&format!("retrieval.{n}"), *count as f64, 0.0, most))
            })
            .or_else(|| within("retrieval.prompt-room", room, 0.0, MOST_ROOM))
            .or_else(|| within("calibration.local", self.calibration.local, 0.0, MOST_CALIBRATION))
            .or_else(|| unit("calibration.model-trust", self.calibration.model_trust))
            .or_else(|| default_of("weights.prior-strength-product", w.prior_strength_product, 0.01, 100.0))
            .or_else(|| default_of("weights.prior-strength-shrinkage", w.prior_strength_shrinkage, 0.01, 100.0))
            .or_else(|| default_of("weights.similarity-sharpness", w.similarity_sharpness, 0.0, 20.0))
            .or_else(|| default_of("weights.half-life", w.half_life, 1.0, f64::INFINITY))
            .or_else(|| default_of("weights.community-focus", w.community_focus, 0.0, 1.0))
            .or_else(|| positive("retrieval.recency-half-life", r.recency_half_life))
            .or_else(|| positive("retrieval.attribute-width", r.attribute_width.unwrap_or(ATTRIBUTE_WIDTH)))
            .or_else(|| match self.periods.length {
                PeriodLength::Days(days) => positive("periods.days", days),
                PeriodLength::Interactions(0) => Some("'periods.interactions' is 0; give 1 or more".to_owned()),
                PeriodLength::Interactions(_) => None,
            })
            .or_else(|| positive("periods.half-life", self.periods.half_life))
            .or_else(|| positive("periods.base-half-life", self.periods.base_half_life))
            .or_else(|| positive("periods.term-half-life", self.periods.term_half_life))
            .or_else(|| positive("periods.neighbour-half-life", self.periods.neighbour_half_life))
            .or_else(|| positive("periods.membership-half-life", self.periods.membership_half_life))
            .or_else(|| within("calibration.smoothing", self.calibration.smoothing, 1e-3, 1e6))
            .or_else(|| within("calibration.terms", self.calibration.terms, 0.0, MOST_CALIBRATION))
            .or_else(|| within("calibration.neighbours", self.calibration.neighbours, 0.0, MOST_CALIBRATION))
            .or_else(|| within("periods.topics", self.periods.topics as f64, 0.0, MOST_TOPICS))
            .or_else(|| {
                let exponent = self.calibration.community_leaning;
                within("calibration.community-leaning", exponent, 0.0, MOST_CALIBRATION)
            })
            .or_else(|| {
                let exponent = self.calibration.community_habit;
                within("calibration.community-habit", exponent, 0.0, MOST_CALIBRATION)
            })
            .or_else(|| {
                let exponent = self.calibration.community_neighbours;
                within("calibration.community-neighbours", exponent, 0.0, MOST_CALIBRATION)
            })
            .or_else(|| {
                within("calibration.entries", self.calibration.entries.unwrap_or_default(), 0.0, MOST_CALIBRATION)
            })
            .or_else(|| unit("retrieval.diversity", r.diversity))
            .or_else(|| {
                let unfit = !(r.rrf_k >= 0.0 && r.rrf_k.is_finite());
                unfit.then(|| format!("'retrieval.rrf-k' is {}; give a number of 0 or more", r.rrf_k))
            })
            .or_else(|| {
                let none =
                    "'retrieval.label-cap' is 0; give 1 or more, or remove it to show any number of one response";
                (r.label_cap == Some(0)).then(|| none.to_owned())
            })
            .or_else(|| {
                (r.guard == 0).then(|| "'retrieval.guard' is 0; the guard needs at least 1 contributor".to_owned())
            })
    }
}
