//! A replay on the screen: where its playhead stands, what happened on the way, how well the arms have done so far, and
//! what the present setting would make of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::panes::arm_look;
use super::widgets::Panel;
use super::{put, span, symbols, text};
use crate::app::replay::{Replaying, SPEEDS, Standing};
use crate::app::state::State;
use crate::engine::prompt::Arm;
use crate::mediator::signature::Signature;
use crate::session::replay::{Outcome, Tally};
use crate::theme::Theme;

/// Columns of what stands before a row of the timeline.
const NAMES: usize = 10;
/// Columns of an arm's name with its glyph.
const ARM: usize = 11;
/// Columns of an accuracy with its counts.
const ACCURACY: usize = 13;
/// The longest line of accuracies.
const LINE: usize = 40;

/// `REPLAY cold-start 7/24 ×2 ▶ playing`.
pub fn header(replaying: &Replaying, theme: &Theme) -> Line<'static> {
    let (glyph, word) = match replaying.standing() {
        Standing::Playing => (symbols::PLAYING, "playing"),
        Standing::Paused => (symbols::PAUSED, "paused"),
        Standing::AtEnd => (symbols::STOPPED, "at end"),
    };
    let name = text::fit(&replaying.opened.name, 24);
    let (turn, turns) = (replaying.turn + 1, replaying.turns());
    let speed = SPEEDS.get(replaying.speed).map_or("", |(speed, _)| speed);
    Line::from(vec![
        span("REPLAY ", theme.busy),
        span(name, theme.title),
        span(format!(" {turn}/{turns} ×{speed} "), theme.text),
        span(format!("{glyph} {word}"), theme.busy),
    ])
}

/// What kinds of turns are marked on the timeline.
#[derive(Clone, Copy)]
enum Mark {
    Override,
    Wrong,
    Conflict,
}

impl Mark {
    const ALL: [Mark; 3] = [Mark::Override, Mark::Wrong, Mark::Conflict];

    fn look(self, theme: &Theme) -> (&'static str, &'static str, Style) {
        match self {
            Mark::Override => ("overrides", symbols::MEDIATED, theme.mediated),
            Mark::Wrong => ("wrong", symbols::WRONG, theme.bad),
            Mark::Conflict => ("conflicts", symbols::CONFLICT, theme.conflict),
        }
    }

    fn fits(self, outcome: &Outcome) -> bool {
        match self {
            Mark::Override => outcome.overridden,
            Mark::Wrong => outcome.arms[Arm::Mediated as usize] == Some(false),
            Mark::Conflict => outcome.conflict,
        }
    }
}

/// Draws the session at the bottom of the screen: framed where there is room, in three lines or one where there is not.
pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(replaying) = &state.replay else { return };
    let row = |place: Rect, row: u16| Rect { y: place.y + row, height: 1, ..place }.intersection(place);
    if area.height < 8 {
        let width = usize::from(area.width.saturating_sub(2));
        let inside = Rect { x: area.x + 1.min(area.width), width: area.width.saturating_sub(2), ..area };
        put(&merged(replaying, theme, width), row(inside, 0), buffer);
        if area.height >= 3 {
            put(&accuracies(replaying, theme), row(inside, 1), buffer);
            put(&brief(state, replaying, theme), row(inside, 2), buffer);
        }
        return;
    }
    let title = text::fit(&replaying.opened.replay.session().header.title, usize::from(area.width / 2));
    let mut named = vec![span(" Session", theme.title), span(format!(" {} {title} ", symbols::DOT), theme.dim)];
    let sign = |signature: &Signature| span(format!("{} {} ", symbols::CONFLICT, signature.name()), theme.bad);
    named.extend(replaying.signatures.iter().map(sign));
    let panel = Panel {
        title: Line::from(named),
        note: Line::from(span(" space play   , . step   # turn   x leave ", theme.dim)),
        focused: false,
    };
    let inside = panel.draw(theme, area, buffer);
    let right = (ARM + 2 * ACCURACY + LINE).min(usize::from(inside.width) / 2) as u16;
    let left = Rect { width: inside.width.saturating_sub(right + 2), ..inside };
    let right = Rect { x: inside.right() - right, width: right, ..inside };
    let columns = usize::from(left.width).saturating_sub(NAMES);
    put(&track(replaying, theme, columns), row(left, 0), buffer);
    for (ix, mark) in Mark::ALL.into_iter().enumerate() {
        put(&marks(replaying, mark, theme, columns), row(left, 1 + ix as u16), buffer);
    }
    put(&counts(&replaying.sums.recorded, theme), row(left, 4), buffer);
    put(&decided(state, replaying, theme), row(left, 5), buffer);
    put(&heading(replaying, theme, usize::from(right.width)), row(right, 0), buffer);
    for (ix, arm) in Arm::ALL.into_iter().enumerate() {
        put(&accuracy(replaying, arm, theme, usize::from(right.width)), row(right, 1 + ix as u16), buffer);
    }
    put(&changed(replaying, theme), row(right, 5), buffer);
}

/// The cell of a turn on a timeline of `columns`: one each where they fit, else several share one.
fn cell(turn: usize, turns: usize, columns: usize) -> usize {
    if turns <= columns { turn * stride(turns, columns) } else { turn * columns / turns }
}

/// Columns from one turn to the next.
fn stride(turns: usize, columns: usize) -> usize {
    (columns / turns.max(1)).clamp(1, 3)
}

/// Cells that a timeline of all turns takes.
fn length(turns: usize, columns: usize) -> usize {
    cell(turns.saturating_sub(1), turns, columns) + 1
}

/// Where the playhead stands.
fn track(replaying: &Replaying, theme: &Theme, columns: usize) -> Line<'static> {
    let (turn, turns) = (replaying.turn, replaying.turns());
    let count = format!(" {}/{turns}", turn + 1);
    let room = columns.saturating_sub(2);
    let (at, length) = (cell(turn, turns, room), length(turns, room));
    let [open, close] = symbols::TRACK_ENDS;
    Line::from(vec![
        span(text::pad("turn", NAMES.saturating_sub(1)), theme.dim),
        span(open, theme.band),
        span(symbols::TRACK.repeat(at), theme.band_won),
        span(symbols::HANDLE, theme.handle),
        span(symbols::TRACK.repeat(length.saturating_sub(at + 1)), theme.band),
        span(close, theme.band),
        span(count, theme.score),
    ])
}

/// Which turns are marked; those to come are faint.
fn marks(replaying: &Replaying, mark: Mark, theme: &Theme, columns: usize) -> Line<'static> {
    let (name, glyph, style) = mark.look(theme);
    let turns = replaying.turns();
    let room = columns.saturating_sub(2);
    let now = cell(replaying.turn, turns, room);
    let mut parts = vec![span(text::pad(name, NAMES), theme.dim)];
    let mut cells = vec![false; length(turns, room)];
    for (turn, outcome) in replaying.opened.outcomes.iter().enumerate() {
        if let Some(slot) = cells.get_mut(cell(turn, turns, room)) {
            *slot |= mark.fits(outcome);
        }
    }
    for (at, marked) in cells.into_iter().enumerate() {
        let style = if at > now { theme.stale } else { style };
        parts.push(span(if marked { glyph } else { " " }, style));
    }
    Line::from(parts)
}

/// Track and marks in one line, for narrow screens: the playhead over wrong over override over conflict.
fn merged(replaying: &Replaying, theme: &Theme, columns: usize) -> Line<'static> {
    let (turn, turns) = (replaying.turn, replaying.turns());
    let count = format!(" {}/{turns}", turn + 1);
    let room = columns.saturating_sub(2 + count.len());
    let now = cell(turn, turns, room);
    let mut cells: Vec<Span<'static>> = (0..length(turns, room))
        .map(|at| span(symbols::TRACK, if at <= now { theme.band_won } else { theme.band }))
        .collect();
    for mark in [Mark::Conflict, Mark::Override, Mark::Wrong] {
        let (_, glyph, style) = mark.look(theme);
        for (turn, _) in replaying.opened.outcomes.iter().enumerate().filter(|(_, outcome)| mark.fits(outcome)) {
            let at = cell(turn, turns, room);
            if let Some(slot) = cells.get_mut(at) {
                *slot = span(glyph, if at > now { theme.stale } else { style });
            }
        }
    }
    if let Some(slot) = cells.get_mut(now) {
        *slot = span(symbols::HANDLE, theme.handle);
    }
    let [open, close] = symbols::TRACK_ENDS;
    let mut parts = vec![span(open, theme.band)];
    parts.extend(cells);
    parts.extend([span(close, theme.band), span(count, theme.score)]);
    Line::from(parts)
}

fn counts(tally: &Tally, theme: &Theme) -> Line<'static> {
    let dot = symbols::DOT;
    let overrides = text::plural(tally.overrides, "override", "overrides");
    let (rescued, suppressed) = (tally.rescues, tally.suppressions);
    Line::from(span(format!("{overrides} {dot} {rescued} rescued {dot} {suppressed} suppressed"), theme.text))
}

/// The decision of the shown turn: the recorded one, and beside it the one under the present setting.
fn decided(state: &State, replaying: &Replaying, theme: &Theme) -> Line<'static> {
    let recorded = replaying.opened.answers.get(replaying.turn).and_then(Option::as_deref);
    let Some(recorded) = recorded else { return Line::from(span("no decision was recorded", theme.dim)) };
    let mut parts = vec![
        span("recorded ", theme.dim),
        span(text::fit(recorded, 18), theme.mediated),
        super::panes::verdict(state, recorded, theme),
    ];
    if let Some(now) = replaying.shown_now() {
        let label = state.data.as_ref().map_or("", |data| data.label(now.decision()));
        parts.push(span(format!(" {} now ", symbols::ARROW), theme.dim));
        parts.push(span(text::fit(label, 18), if label == recorded { theme.mediated } else { theme.conflict }));
        parts.push(super::panes::verdict(state, label, theme));
    }
    Line::from(parts)
}

/// Columns of the line that an accuracy draws in `width`.
fn line_columns(replaying: &Replaying, width: usize) -> usize {
    let columns = ARM + ACCURACY + if replaying.sums.now.is_some() { ACCURACY } else { 0 };
    width.saturating_sub(columns).min(LINE)
}

fn heading(replaying: &Replaying, theme: &Theme, width: usize) -> Line<'static> {
    let lead = text::pad("accuracy", ARM + line_columns(replaying, width));
    let now = if replaying.sums.now.is_some() { text::pad_left("now", ACCURACY) } else { String::new() };
    Line::from(span(format!("{lead}{}{now}", text::pad_left("recorded", ACCURACY)), theme.dim))
}

/// An arm's accuracy: its line, what was recorded, and what the present setting gives.
fn accuracy(replaying: &Replaying, arm: Arm, theme: &Theme, width: usize) -> Line<'static> {
    let (glyph, style) = arm_look(arm, theme);
    let columns = line_columns(replaying, width);
    let line = spark(&replaying.sums.lines[arm as usize], columns);
    let told = |tally: &Tally| {
        let (answers, right) = tally.arms[arm as usize];
        let share = tally.accuracy(arm).map_or("-".to_owned(), text::share);
        text::pad_left(&format!("{share} {:>6}", format!("{right}/{answers}")), ACCURACY)
    };
    let mut parts = vec![
        span(text::pad(&format!("{glyph} {}", arm.name()), ARM), style),
        span(text::pad(&line, columns), style),
        span(told(&replaying.sums.recorded), theme.score),
    ];
    if let Some(now) = &replaying.sums.now {
        let differs = now.arms[arm as usize] != replaying.sums.recorded.arms[arm as usize];
        parts.push(span(told(now), if differs { theme.conflict } else { theme.score }));
    }
    Line::from(parts)
}

/// How much of the recording the present setting changes.
fn changed(replaying: &Replaying, theme: &Theme) -> Line<'static> {
    if replaying.sums.now.is_none() {
        return Line::from(span("weights as recorded; turn one to compare", theme.dim));
    }
    let (changed, turns) = (replaying.sums.changed, text::plural(replaying.turns(), "decision", "decisions"));
    Line::from(vec![
        span(format!("now {changed} of {turns} changed"), theme.conflict),
        span(format!(" {} u undoes", symbols::DOT), theme.dim),
    ])
}

/// All accuracies in a line: recorded, and now where that differs.
fn accuracies(replaying: &Replaying, theme: &Theme) -> Line<'static> {
    let mut parts = vec![span("accuracy ", theme.dim)];
    for arm in Arm::ALL {
        let (glyph, style) = arm_look(arm, theme);
        let told = |tally: &Tally| tally.accuracy(arm).map_or("-".to_owned(), text::share);
        parts.push(span(format!("{glyph} "), style));
        parts.push(span(told(&replaying.sums.recorded), theme.score));
        if let Some(now) = replaying.sums.now.as_ref().filter(|now| now.arms != replaying.sums.recorded.arms) {
            parts.push(span(format!("{}{}", symbols::ARROW, told(now)), theme.conflict));
        }
        parts.push(span("  ", theme.text));
    }
    if replaying.sums.now.is_none() {
        parts.push(span(spark(&replaying.sums.lines[Arm::Mediated as usize], 16), theme.mediated));
    }
    Line::from(parts)
}

/// Decision and counts in a line.
fn brief(state: &State, replaying: &Replaying, theme: &Theme) -> Line<'static> {
    let mut parts = decided(state, replaying, theme).spans;
    if replaying.sums.now.is_some() {
        parts.push(span(format!(" {} {} changed", symbols::DOT, replaying.sums.changed), theme.conflict));
    }
    parts.push(span(format!(" {} ", symbols::DOT), theme.dim));
    parts.extend(counts(&replaying.sums.recorded, theme).spans);
    Line::from(parts)
}

/// Shares as a line of small bars, the newest last; of more than fit, evenly chosen ones.
fn spark(values: &[f64], columns: usize) -> String {
    let n = values.len().min(columns);
    let top = (symbols::SPARKS.len() - 1) as f64;
    let glyph = |ix: usize| symbols::SPARKS[(values[ix].clamp(0.0, 1.0) * top).round() as usize];
    (0..n).map(|place| glyph(((place + 1) * values.len() / n).saturating_sub(1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_keeps_every_turn_inside() {
        for turns in 1..200 {
            for columns in 1..90 {
                let length = length(turns, columns);
                assert!(length <= columns, "{turns} turns in {columns}");
                assert!((0..turns).all(|turn| cell(turn, turns, columns) < length));
            }
        }
    }

    #[test]
    fn a_line_ends_with_the_newest() {
        assert_eq!(spark(&[0.0, 1.0, 0.5], 8), "▁█▅");
        assert_eq!(spark(&[0.0, 0.0, 0.0, 1.0], 2), "▁█");
        assert_eq!(spark(&[], 4), "");
        assert_eq!(spark(&[1.0], 0), "");
    }
}
