//! The view: a function of the state. It reads, places and writes; it computes nothing about memory.
//!
//! Invariants: any state can be drawn at any size; all text of data or model passes [`text::fit`] or [`text::wrap`], so
//! that nothing hostile reaches the terminal; no colour is named here, only roles of the theme.

pub mod bars;
pub mod cast;
pub mod charts;
pub mod layout;
pub mod overlays;
pub mod panes;
pub mod session;
pub mod svg;
pub mod symbols;
pub mod text;
pub mod widgets;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::app::message::Limits;
use crate::app::state::{Pane, State};
use crate::theme::Theme;
use layout::{Places, Shape, Strip};

/// Draws `state` into `area` of `buffer` and says how far each thing can scroll.
pub fn render(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> Limits {
    let area = area.intersection(buffer.area);
    buffer.set_style(area, theme.text);
    let mut limits = Limits::default();
    let shape = Shape::of(area);
    if shape == Shape::TooSmall {
        too_small(theme, area, buffer);
    } else {
        let fork = state.visit.as_ref().and_then(|visit| visit.fork.as_ref()).map(|_| Strip::Fork);
        let strip = state.replay.as_ref().map(|replay| Strip::Session(replay.charts)).or(fork);
        let places = Places::of(area, shape, state.focus, state.zoom, strip);
        bars::header(state, theme, places.header, buffer);
        bars::question(state, theme, places.question, buffer);
        if let Some(tabs) = places.tabs {
            bars::tabs(state, theme, tabs, buffer);
        }
        for pane in Pane::ALL {
            if let Some(place) = places.panes[pane.index()] {
                limits.panes[pane.index()] = panes::draw(pane, state, theme, place, buffer);
            }
        }
        if let Some(strip) = places.strip {
            bars::strip(state, theme, strip, buffer);
        }
        if let Some(place) = places.session {
            session::draw(state, theme, place, buffer);
        }
        bars::status(state, theme, places.status, buffer);
        limits.help = overlays::draw(state, theme, area, buffer);
        bars::news(state, theme, places.status, buffer);
    }
    if state.ascii {
        symbols::to_ascii(buffer);
    }
    limits
}

fn too_small(theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let (width, height) = layout::LEAST;
    let (is, needed) = (format!("terminal {}×{},", area.width, area.height), format!("need {width}×{height}"));
    let line = format!("{is} {needed}");
    let lines = if text::width(&line) <= usize::from(area.width) { vec![line] } else { vec![is, needed] };
    let top = area.y + area.height.saturating_sub(lines.len() as u16) / 2;
    for (row, line) in lines.iter().take(usize::from(area.height)).enumerate() {
        let left = area.x + area.width.saturating_sub(text::width(line) as u16) / 2;
        let y = top + row as u16;
        if y < area.bottom() {
            buffer.set_stringn(left, y, line, usize::from(area.right().saturating_sub(left)), theme.text);
        }
    }
}

/// A piece of a line.
fn span(text: impl Into<String>, style: ratatui::style::Style) -> Span<'static> {
    Span::styled(text.into(), style)
}

/// Writes `line` into the first row of `area`, with an ellipsis where it is cut.
fn put(line: &Line, area: Rect, buffer: &mut Buffer) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    buffer.set_line(area.x, area.y, line, area.width);
    if line.width() > usize::from(area.width)
        && let Some(last) = buffer.cell_mut((area.right() - 1, area.y))
    {
        last.set_symbol(symbols::ELLIPSIS);
    }
}

/// Writes `left` and, if it still fits behind it, `right` at the right edge.
fn put_both(left: &Line, right: &Line, area: Rect, buffer: &mut Buffer) {
    put(left, area, buffer);
    let (used, wanted) = (left.width() as u16, right.width() as u16);
    if wanted > 0 && used + 2 + wanted <= area.width {
        put(right, Rect { x: area.right() - wanted, width: wanted, ..area }, buffer);
    }
}
