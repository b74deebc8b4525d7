//! Sections: a title, a table, notes that say how to read it, and what a picture of it shows. What a report in text,
//! Markdown and HTML is made of.

use crate::eval::assessment::{ArmReport, Assessment};
use crate::eval::metrics::Metric;
use crate::eval::split::Range;
use crate::eval::stats::{Interval, Plan, Unit};
use crate::eval::steady;

/// One part of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// The header and the rows, all of one length; empty without a table.
    pub rows: Vec<Vec<String>>,
    /// How to read it.
    pub notes: Vec<String>,
    /// What a picture of it shows.
    pub chart: Vec<Bar>,
    /// Whose accuracy is drawn over the probability of their answers.
    pub curves: Vec<Curve>,
}

/// How often answers are right, over how probable they are said to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Whose.
    pub name: String,
    /// Mean probability, accuracy and number of answers of each bin, ascending.
    pub points: Vec<(f64, f64, usize)>,
}

/// A value with its interval, drawn from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Whose.
    pub name: String,
    /// How much.
    pub value: f64,
    /// How sure.
    pub ci: Option<Interval>,
}

impl Section {
    pub(super) fn table(title: impl Into<String>, header: &[&str]) -> Self {
        let rows = vec![header.iter().map(|cell| (*cell).to_owned()).collect()];
        Self { title: title.into(), rows, notes: Vec::new(), chart: Vec::new(), curves: Vec::new() }
    }

    pub(super) fn notes(title: impl Into<String>, notes: Vec<String>) -> Self {
        Self { title: title.into(), rows: Vec::new(), notes, chart: Vec::new(), curves: Vec::new() }
    }
}

pub(super) fn predictors(assessment: &Assessment) -> impl Iterator<Item = &ArmReport> {
    assessment.arms.iter().chain(&assessment.peers)
}

/// What intervals are made of.
pub(super) fn resampling(unit: Unit, plan: Plan) -> String {
    format!("95 %: percentile bootstrap of {}, {} resamples", unit.resampled(), plan.resamples)
}

pub(super) fn number(x: f64) -> String {
    format!("{x:.3}")
}

pub(super) fn optional(x: Option<f64>) -> String {
    x.map_or_else(|| "–".to_owned(), number)
}

pub(super) fn signed(x: f64) -> String {
    format!("{:+.3}", steady(x, 3))
}

pub(super) fn interval(ci: Option<Interval>) -> String {
    ci.map_or_else(String::new, |ci| format!("[{:.3}, {:.3}]", ci.low, ci.high))
}

pub(super) fn signed_interval(ci: Option<Interval>) -> String {
    ci.map_or_else(String::new, |ci| format!("[{}, {}]", signed(ci.low), signed(ci.high)))
}

pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "< .001".to_owned() } else { number(p) }
}

/// A difference of the headline metric in words. Points of accuracy are hundredths.
pub(super) fn points(metric: Metric, x: f64) -> String {
    match metric {
        Metric::Accuracy => format!("{:.1} points", 100.0 * x),
        _ => format!("{x:.3} of a score"),
    }
}

/// The headline metric, as a heading shows it.
pub(super) fn heading(metric: Metric) -> &'static str {
    match metric {
        Metric::MeanAbsoluteError => "MAE",
        metric => metric.name(),
    }
}

/// The same at the beginning of a title.
pub(super) fn title_of(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "Accuracy",
        metric => heading(metric),
    }
}

pub(super) fn range(range: Range) -> String {
    format!("{} from {} to {}", range.n, range.from.date(), range.to.date())
}
