//! What lies over the screen: lists with a filter, explanations, and the help.

mod board;
mod ledger;
mod sheet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use super::layout::centred;
use super::widgets::{Panel, scrolled};
use super::{put, span, symbols, text};
use crate::app::input::Input;
use crate::app::overlay::{Choice, Help, List, ListKind, Overlay};
use crate::app::state::State;
use crate::theme::Theme;

/// Rows down to the end of the question.
const QUESTION: u16 = 3;

/// Draws what lies over the screen, if anything, and says how far the help or an explanation can scroll.
pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    match &state.overlay {
        None => 0,
        Some(Overlay::Edit(edit)) => {
            // What is typed stands where the question stands, and a board leaves that in sight.
            let below =
                Rect { y: area.y + QUESTION.min(area.height), height: area.height.saturating_sub(QUESTION), ..area };
            edit.behind.as_ref().map_or(0, |behind| board::draw(behind, state, theme, below, buffer))
        }
        Some(Overlay::List(shown)) => {
            let most = shown.behind.as_ref().map_or(0, |behind| board::draw(behind, state, theme, area, buffer));
            list(shown, state, theme, area, buffer);
            most
        }
        Some(Overlay::Help(shown)) => help(shown, state, theme, area, buffer),
        Some(Overlay::Sheet(shown)) => sheet::draw(shown, state, theme, area, buffer),
        Some(Overlay::Board(shown)) => board::draw(shown, state, theme, area, buffer),
    }
}

fn popup(title: &str, note: String, theme: &Theme, area: Rect, buffer: &mut Buffer) -> Rect {
    Clear.render(area, buffer);
    buffer.set_style(area, theme.text);
    let title = Line::from(span(format!(" {title} "), theme.title));
    Panel { title, note: Line::from(span(note, theme.dim)), focused: true }.draw(theme, area, buffer)
}

/// The filter with its cursor.
fn filter(input: &Input, active: bool, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let (before, behind) = input.parts();
    let room = usize::from(area.width).saturating_sub(4);
    let mut parts = vec![span(format!("{} ", symbols::FILTER), theme.key)];
    if input.text().is_empty() && !active {
        parts.push(span("filters", theme.dim));
    } else {
        parts.push(span(text::fit(before, room), theme.input));
        if active {
            parts.push(span(" ", theme.selection));
        }
        parts.push(span(text::fit(behind, room.saturating_sub(text::width(before))), theme.input));
    }
    put(&Line::from(parts), area, buffer);
}

fn list(list: &List, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let title = match list.kind {
        ListKind::Users => "who asks".to_owned(),
        ListKind::Queries => "judged queries".to_owned(),
        ListKind::Commands => "commands".to_owned(),
        ListKind::Sessions => "recorded sessions".to_owned(),
        ListKind::Models => "models; the present one answers until another is ready".to_owned(),
        ListKind::Datasets => "datasets; the present one stays until another is ready".to_owned(),
        ListKind::Labels => "what they answer, for memory to keep".to_owned(),
        ListKind::Answers => match list.rows.first().map(|row| row.choice) {
            Some(Choice::Called { right: false, .. }) => "which answer is wrong?".to_owned(),
            _ => "which answer is right?".to_owned(),
        },
        ListKind::Gold => "the true answer, by your word".to_owned(),
        ListKind::Hits => "what local memory found; enter explains".to_owned(),
        ListKind::Entries => "what global memory found; enter explains".to_owned(),
        ListKind::WhyNot => "why not …?".to_owned(),
        ListKind::Policies => "policies of the mediator".to_owned(),
        ListKind::Tries => format!("tries on {}", text::fit(&state.dataset_name, 32)),
    };
    let wanted = if matches!(list.kind, ListKind::Users | ListKind::Labels | ListKind::Answers | ListKind::Gold) {
        64
    } else {
        110
    };
    let place = centred(area, wanted, 28);
    // A frame and the filter lie around the rows. The selection keeps to the middle while there is more on both sides.
    let height = usize::from(place.height.saturating_sub(3));
    let first = list.selected.saturating_sub(height / 2).min(list.shown.len().saturating_sub(height));
    let below = list.shown.len().saturating_sub(first + height);
    let more = if below > 0 { format!("{} {} {below} more ", symbols::DOT, symbols::MORE[1]) } else { String::new() };
    let note = format!(" {} of {} {more}", list.shown.len(), list.rows.len());
    let inside = popup(&title, note, theme, place, buffer);
    filter(&list.filter, true, theme, Rect { height: 1.min(inside.height), ..inside }, buffer);
    let rows = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside }.intersection(inside);
    if list.shown.is_empty() {
        let told = match list.kind.typed() {
            Some(_) => "nothing here is called that: enter takes it as it is typed, ctrl-u clears it",
            None => "nothing matches; ctrl-u clears the filter",
        };
        return put(&Line::from(span(text::fit(told, usize::from(rows.width)), theme.dim)), rows, buffer);
    }
    let columns = columns(list);
    for (place, ix) in list.shown.iter().enumerate().skip(first).take(height) {
        let y = rows.y + (place - first) as u16;
        let selected = place == list.selected;
        let shown = &list.rows[*ix];
        let is = |number: Option<u32>| number.is_some_and(|number| shown.choice == Choice::Try(number));
        let marked = match (is(list.doomed), is(list.compared)) {
            (true, _) => Some(("delete again and it is gone", theme.error)),
            (false, true) => {
                Some(("compared with: ctrl-d on another one, or here for the present setting", theme.busy))
            }
            (false, false) => None,
        };
        let line = row(shown, columns, (selected, marked), theme, usize::from(rows.width));
        put(&line, Rect { y, height: 1, ..rows }, buffer);
        if selected {
            // One bar across, whatever the columns look like.
            buffer.set_style(Rect { y, height: 1, ..rows }, Style::reset().patch(theme.text).patch(theme.selection));
        }
    }
}

/// Columns of the name and of the note.
fn columns(list: &List) -> (usize, usize) {
    let widest = |of: fn(&crate::app::overlay::Row) -> &str, most| {
        list.rows.iter().map(|r| text::width(of(r))).max().unwrap_or(0).min(most)
    };
    (widest(|row| &row.name, 30), widest(|row| &row.note, 28))
}

fn row(
    row: &crate::app::overlay::Row,
    (name, note): (usize, usize),
    (selected, marked): (bool, Option<(&str, Style)>),
    theme: &Theme,
    width: usize,
) -> Line<'static> {
    let (told, text_style) = match (marked, row.disabled) {
        (Some((told, style)), _) => (told.to_owned(), style),
        (None, Some(reason)) => (format!("not now: {reason}"), theme.stale),
        (None, None) => (row.text.clone(), theme.dim),
    };
    let pointer = if selected { symbols::POINTER } else { " " };
    let room = width.saturating_sub(2 + name + 2 + note + 2);
    Line::from(vec![
        span(format!("{pointer} "), theme.key),
        span(
            text::pad(&text::fit(&row.name, name), name + 2),
            if row.disabled.is_some() { theme.stale } else { theme.text },
        ),
        span(text::pad(&text::fit(&row.note, note), note + 2), theme.score),
        span(text::fit(&told, room), text_style),
    ])
}

fn help(help: &Help, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let rows = help.rows(&state.keys);
    let inside = popup(
        "keys",
        format!(" {} ", text::plural(rows.len(), "command", "commands")),
        theme,
        centred(area, 100, 40),
        buffer,
    );
    filter(&help.filter, help.filtering, theme, Rect { height: 1.min(inside.height), ..inside }, buffer);
    // Wrapped: what tells one recording from another is the end of its path.
    let told = state.journal.told().map_or(Vec::new(), |told| text::wrap(&told, usize::from(inside.width)));
    for (y, line) in (inside.y + 1..).zip(&told) {
        let place = Rect { y, height: 1, ..inside }.intersection(inside);
        put(&Line::from(span(line.clone(), theme.dim)), place, buffer);
    }
    let keys = rows.iter().map(|(_, entry)| text::width(&state.keys.shown(entry))).max().unwrap_or(0).min(22);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut heading = String::new();
    for (group, entry) in rows {
        if group != heading {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.push(Line::from(span(group.clone(), theme.title)));
            heading = group;
        }
        let lead = vec![Span::raw("  "), span(text::pad(&state.keys.shown(entry), keys + 2), theme.key)];
        let room = usize::from(inside.width).saturating_sub(keys + 4);
        for (ix, part) in text::wrap(entry.doc, room).into_iter().enumerate() {
            let mut parts = if ix == 0 { lead.clone() } else { vec![Span::raw(" ".repeat(keys + 4))] };
            parts.push(span(part, theme.text));
            lines.push(Line::from(parts));
        }
    }
    let top = u16::try_from(told.len()).map_or(2, |lines| lines.saturating_add(2));
    let body = Rect { y: inside.y + top, height: inside.height.saturating_sub(top), ..inside }.intersection(inside);
    scrolled(&lines, help.scroll, theme, body, buffer)
}
