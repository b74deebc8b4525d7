//! A board: the weight that keys turn stands at its top, its head stays, its body scrolls.

mod attribution;
mod compared;
mod fit;
mod flips;
mod numbers;
mod profile;
mod prompts;
mod rungs;
mod sweep;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::layout::centred;
use super::super::widgets::{Slider, scrolled};
use super::super::{put, span, symbols, text};
use super::popup;
use crate::app::board::{Board, Page};
use crate::app::state::State;
use crate::mediator::Weight;
use crate::theme::Theme;

/// What a page consists of.
struct Shown {
    head: Vec<Line<'static>>,
    body: Vec<Line<'static>>,
}

/// Draws `board` and says how far it can scroll.
pub(super) fn draw(board: &Board, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let place = match board.page {
        // What the rung changes stays in sight above.
        Page::Rungs(_) => below(area),
        _ => centred(area, 116, 40),
    };
    let inside = popup(board.page.title(), String::new(), theme, place, buffer);
    let width = usize::from(inside.width);
    let Shown { head, body } = match &board.page {
        Page::Prompts { arm, against } => prompts::shown(state, *arm, *against, theme, width),
        Page::Numbers => numbers::shown(state, theme, width),
        Page::Compared(comparison) => compared::shown(state, comparison, theme, width),
        Page::Fit => fit::shown(state, theme, width),
        Page::Flips => flips::shown(state, theme, width),
        Page::Sweep { .. } => sweep::shown(state, theme, width),
        Page::Profile => profile::shown(state, theme, width),
        Page::Rungs(kind) => rungs::shown(state, *kind, theme, width),
        Page::Attribution { arm, token } => attribution::shown(state, (*arm, *token), theme, width),
    };
    let head: Vec<Line<'static>> = [weight(state, theme, width)].into_iter().chain(head).collect();
    // A head that leaves no room for the body scrolls with it.
    let fixed = if head.len() + 3 <= usize::from(inside.height) { head.len() } else { 0 };
    for (row, line) in head.iter().take(fixed).enumerate() {
        put(line, Rect { y: inside.y + row as u16, height: 1, ..inside }, buffer);
    }
    let rest = Rect { y: inside.y + fixed as u16, height: inside.height - fixed as u16, ..inside };
    let lines: Vec<Line<'static>> = head.into_iter().skip(fixed).chain(body).collect();
    scrolled(&lines, board.scroll, theme, rest, buffer)
}

/// The lower part of the screen, above the status bar: as much as a ladder with its notes takes, and half at most.
fn below(area: Rect) -> Rect {
    let height = (area.height / 2).clamp(14, 22).min(area.height.saturating_sub(1));
    Rect { y: area.y + area.height - 1 - height, height, ..area }
}

/// The selected weight with its slider.
fn weight(state: &State, theme: &Theme, width: usize) -> Line<'static> {
    let weight = state.weight;
    let value = state.setting.weights.get(weight);
    let lead = format!("{} {} {weight} ", symbols::POINTER, weight.symbol());
    let told = format!(" {} {} h/l turn {} J/K select", text::value(value), symbols::DOT, symbols::DOT);
    let style = if state.ignored(weight).is_some() { theme.stale } else { theme.title };
    let mut parts = vec![span(lead.clone(), style)];
    let place = Weight::ALL.iter().position(|other| *other == weight).unwrap_or_default();
    let bands = state.reading.as_ref().and_then(|reading| reading.bands.get(place)).map_or(&[][..], Vec::as_slice);
    let labels = state.data.as_ref().map_or(&[][..], |data| &data.labels);
    let columns = width.saturating_sub(text::width(&lead) + text::width(&told));
    parts.extend(Slider { position: weight.position(value), bands, labels, selected: true }.spans(theme, columns));
    parts.push(span(told, theme.dim));
    Line::from(parts)
}
