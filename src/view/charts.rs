//! Charts of a session's pulse: lines of small bars, and curves in braille, both up to the playhead.
//!
//! Invariants: the axis is that of the whole session, so that a curve grows and never moves; what is drawn of a turn is
//! the [`Moment`] of it, and the number beside a curve is that of the turn on the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::panes::arm_look;
use super::{put, span, symbols, text};
use crate::engine::prompt::Arm;
use crate::eval::pulse::{Measure, Moment};
use crate::theme::Theme;

/// Columns of the numbers on an axis.
const AXIS: u16 = 4;
/// Columns of a chart that says something.
const NARROWEST: u16 = 32;
/// Rows of a chart that says something: its title and three of curves.
const LOWEST: u16 = 4;

/// A number of a measure in at most five columns; a dash where there is none.
pub fn number(measure: Measure, value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if measure == Measure::Mass => format!("{value:.1}"),
        Some(value) => text::share(value),
    }
}

/// One line of a measure as small bars, the newest last; of more turns than fit, evenly chosen ones.
pub fn spark(measure: Measure, line: Arm, moments: &[Moment], columns: usize) -> String {
    let values: Vec<f64> = moments.iter().filter_map(|moment| measure.at(moment, line)).collect();
    let top = measure.top(moments);
    bars(&values, top, columns)
}

/// Values from 0 to `top` as small bars, the newest last; of more than fit, evenly chosen ones.
fn bars(values: &[f64], top: f64, columns: usize) -> String {
    let n = values.len().min(columns);
    let most = (symbols::SPARKS.len() - 1) as f64;
    let glyph = |ix: usize| symbols::SPARKS[((values[ix] / top).clamp(0.0, 1.0) * most).round() as usize];
    (0..n).map(|place| glyph(((place + 1) * values.len() / n).saturating_sub(1))).collect()
}

/// All measures beside and below one another, `first` first, as many as fit; `turns` is the length of the axis.
pub fn multiples(moments: &[Moment], turns: usize, first: Measure, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let beside = (area.width / NARROWEST).clamp(1, Measure::ALL.len() as u16);
    let rows_of_charts = (area.height / LOWEST).min((Measure::ALL.len() as u16).div_ceil(beside)).max(1);
    let (width, height) = (area.width / beside, area.height / rows_of_charts);
    let mut measure = first;
    for place in 0..(beside * rows_of_charts).min(Measure::ALL.len() as u16) {
        let (column, row) = (place % beside, place / beside);
        let area =
            Rect { x: area.x + column * width, y: area.y + row * height, width: width.saturating_sub(2), height };
        chart(measure, moments, turns, theme, area, buffer);
        measure = measure.next();
    }
}

/// A measure's name and present numbers over its curves.
fn chart(measure: Measure, moments: &[Moment], turns: usize, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.height < 2 || area.width <= AXIS {
        return;
    }
    let mut title = vec![span(format!("{} ", measure.name()), theme.title)];
    let here = moments.last().copied().unwrap_or_default();
    for line in measure.lines() {
        let (glyph, style) = arm_look(*line, theme);
        title.push(span(format!(" {glyph}"), style));
        title.push(span(number(measure, measure.at(&here, *line)), theme.score));
    }
    put(&Line::from(title), Rect { height: 1, ..area }, buffer);
    let top = measure.top(moments);
    let plot = Rect { x: area.x + AXIS, y: area.y + 1, width: area.width - AXIS, height: area.height - 1 };
    let label = |text: String| Line::from(span(text::pad_left(&text, usize::from(AXIS) - 1), theme.dim));
    put(&label(text::value(top.ceil())), Rect { width: AXIS, height: 1, ..plot_axis(area, plot.y) }, buffer);
    if plot.height > 1 {
        put(&label("0".to_owned()), Rect { width: AXIS, height: 1, ..plot_axis(area, plot.bottom() - 1) }, buffer);
    }
    for line in measure.lines() {
        let values: Vec<Option<f64>> =
            moments.iter().map(|moment| measure.at(moment, *line).map(|value| value / top.ceil())).collect();
        curve(&values, turns, arm_look(*line, theme).1, plot, buffer);
    }
}

fn plot_axis(area: Rect, y: u16) -> Rect {
    Rect { y, ..area }
}

/// A curve in dots of an eighth of a cell, from 0 to 1, over `turns` places of which the first have values.
fn curve(values: &[Option<f64>], turns: usize, style: Style, area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    let (wide, high) = (usize::from(area.width) * 2, usize::from(area.height) * 4);
    if wide == 0 || high == 0 || turns == 0 {
        return;
    }
    let level = |value: f64| high - 1 - (value.clamp(0.0, 1.0) * (high - 1) as f64).round() as usize;
    let mut before: Option<usize> = None;
    for x in 0..wide {
        let turn = if turns == 1 { 0 } else { (x * (turns - 1) + (wide - 1) / 2) / (wide - 1) };
        let Some(value) = values.get(turn) else { break };
        let here = value.map(level);
        if let Some(y) = here {
            let from = before.unwrap_or(y);
            (from.min(y)..=from.max(y)).for_each(|y| dot(x, y, style, area, buffer));
        }
        before = here;
    }
}

/// Sets a dot, beside those that are there.
fn dot(x: usize, y: usize, style: Style, area: Rect, buffer: &mut Buffer) {
    let place = (area.x + (x / 2) as u16, area.y + (y / 4) as u16);
    let Some(cell) = buffer.cell_mut(place) else { return };
    let set =
        cell.symbol().chars().next().filter(|c| symbols::is_braille(*c)).map_or(0, |c| c as u32 - symbols::BRAILLE);
    let added = match (x % 2, y % 4) {
        (0, 3) => 0x40,
        (_, 3) => 0x80,
        (side, row) => 1 << (3 * side + row),
    };
    let glyph = char::from_u32(symbols::BRAILLE + (set | added)).unwrap_or(' ');
    cell.set_char(glyph).set_style(style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_the_newest() {
        assert_eq!(bars(&[0.0, 1.0, 0.5], 1.0, 8), "▁█▅");
        assert_eq!(bars(&[0.0, 0.0, 0.0, 10.0], 10.0, 2), "▁█");
        assert_eq!(bars(&[], 1.0, 4), "");
        assert_eq!(bars(&[1.0], 1.0, 0), "");
    }

    #[test]
    fn a_curve_rises_over_what_has_happened() {
        let area = Rect::new(0, 0, 4, 1);
        let drawn = |values: &[Option<f64>], turns| {
            let mut buffer = Buffer::empty(area);
            curve(values, turns, Style::new(), area, &mut buffer);
            buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect::<String>()
        };
        // Eight turns in eight columns of dots: the lower half of the way is drawn, the rest is to come.
        assert_eq!(drawn(&[Some(0.0), Some(0.0), Some(1.0), Some(1.0)], 8), "⣀⡏  ");
        assert_eq!(drawn(&[None, None, Some(0.0), Some(0.0)], 8), " ⣀  ");
        assert_eq!(drawn(&[Some(1.0); 2], 2), "⠉⠉⠉⠉");
        assert_eq!(drawn(&[Some(0.5)], 1), "⠒⠒⠒⠒");
        assert_eq!(drawn(&[], 0), "    ");
    }
}
