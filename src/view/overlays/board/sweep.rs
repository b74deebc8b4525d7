//! What the values of the selected weight make of the session: a curve with its band.

use ratatui::text::Line;

use super::super::super::{span, symbols, text};
use super::Shown;
use super::flips::news;
use crate::app::state::State;
use crate::app::surveyor::Found;
use crate::eval::sweep::{Point, Sweep};
use crate::theme::Theme;

/// Rows of the curve.
const ROWS: usize = 10;
/// Columns before it: the scale.
const SCALE: usize = 7;
/// Columns of a point at most.
const WIDEST: usize = 2;

pub(super) fn shown(state: &State, theme: &Theme, width: usize) -> Shown {
    let Some(Found::Sweep(found)) = &state.study.survey.found else {
        return Shown { head: vec![news(state, theme)], body: Vec::new() };
    };
    let told = format!(
        "{} of mediated by {} {} {} of {}",
        found.by,
        state.weight,
        symbols::DOT,
        text::plural(found.n, "judged question", "judged questions"),
        text::plural(found.people, "person", "people")
    );
    let mut head = vec![Line::from(span(text::fit(&told, width), theme.title))];
    if state.study.survey.under_way() {
        head.push(news(state, theme));
    }
    let mut body = vec![Line::default()];
    body.extend(curve(found, theme, width));
    body.push(Line::default());
    let (verdict, certain) = match !state.is_testable() {
        true => (found.verdict_of_picked(), false),
        false => (found.verdict(), found.gain.is_some_and(|gain| !gain.is_noise())),
    };
    let style = if certain { theme.good } else { theme.text };
    body.extend(text::wrap(&verdict, width).into_iter().map(|line| Line::from(span(line, style))));
    let unit = found.unit().resampled();
    let notes = format!(
        "The band is the 95 % interval by resampling {unit}. {} present, {} best. A value chosen here has seen these \
         questions: judge it on others.",
        symbols::HANDLE,
        symbols::MEDIATED
    );
    body.push(Line::default());
    body.extend(text::wrap(&notes, width).into_iter().map(|line| Line::from(span(line, theme.dim))));
    Shown { head, body }
}

/// The curve, a row a step of its scale.
fn curve(found: &Sweep, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let ends = |point: &Point| point.interval.map(|span| [span.low, span.high]);
    let all = found.points.iter().flat_map(|point| point.value.into_iter().chain(ends(point).into_iter().flatten()));
    let (low, high) =
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if !low.is_finite() || found.points.is_empty() {
        return vec![Line::from(span("the metric does not apply to these questions", theme.dim))];
    }
    let room = width.saturating_sub(SCALE).max(1);
    let each = (room / found.points.len()).clamp(1, WIDEST);
    // Where not all points have room, evenly chosen ones and the two that are named.
    let shown: Vec<usize> = if found.points.len() <= room {
        (0..found.points.len()).collect()
    } else {
        let mut some: Vec<usize> = (0..room - 2).map(|n| n * found.points.len() / (room - 2)).collect();
        some.extend([found.present, found.best]);
        some.sort_unstable();
        some.dedup();
        some
    };
    let row_of = |value: f64| match high > low {
        true => ((value - low) / (high - low) * (ROWS - 1) as f64).round() as usize,
        false => ROWS / 2,
    };
    let mut lines = Vec::new();
    for row in (0..ROWS).rev() {
        let value = low + (high - low) * row as f64 / (ROWS - 1) as f64;
        // Where all is one value, the scale has one number.
        let told = if high > low { row % 3 == 0 } else { row == ROWS / 2 };
        let scale = if told { format!("{value:.3}") } else { String::new() };
        let mut parts = vec![span(text::pad(&scale, SCALE), theme.dim)];
        for place in &shown {
            let point = &found.points[*place];
            let here = point.value.is_some_and(|value| row_of(value) == row);
            let within = point.interval.is_some_and(|span| (row_of(span.low)..=row_of(span.high)).contains(&row));
            let (glyph, style) = match (here, *place == found.present, *place == found.best) {
                (true, true, _) => (symbols::HANDLE, theme.handle),
                (true, _, true) => (symbols::MEDIATED, theme.good),
                (true, ..) => (symbols::BAR, theme.mediated),
                _ if within => (symbols::DOT, theme.dim),
                _ => (" ", theme.text),
            };
            parts.push(span(text::pad(glyph, each), style));
        }
        lines.push(Line::from(parts));
    }
    let at = |place: Option<&usize>| {
        let value = place.and_then(|place| found.points[*place].at.first()).copied();
        value.map_or(String::new(), text::value)
    };
    let (first, last) = (at(shown.first()), at(shown.last()));
    let columns = (shown.len() * each).saturating_sub(text::width(&first));
    lines.push(Line::from(vec![
        span(text::pad("", SCALE), theme.dim),
        span(first, theme.dim),
        span(text::pad_left(&last, columns), theme.dim),
    ]));
    lines
}
