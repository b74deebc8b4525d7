//! A replay on the screen: where its playhead stands, what happened on the way, how well the arms have done so far, and
//! what the present setting would make of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::charts::{multiples, number, spark};
use super::panes::arm_look;
use super::widgets::Panel;
use super::{put, put_both, span, symbols, text};
use crate::app::command::Command;
use crate::app::keymap::Keymap;
use crate::app::replay::{Charts, Mark, Replaying, SPEEDS, Standing};
use crate::app::state::State;
use crate::app::visit::Visit;
use crate::engine::prompt::Arm;
use crate::eval::pulse::Measure;
use crate::mediator::signature::Signature;
use crate::session::replay::Tally;
use crate::theme::Theme;

/// Columns of what stands before a row of the timeline.
const NAMES: usize = 12;
/// Columns of an arm's name with its glyph.
const ARM: usize = 11;
/// Columns of a number with its counts.
const NUMBER: usize = 13;
/// The longest line of small bars.
const LINE: usize = 40;
/// Columns of a further measure's small bars, and of it all.
const SMALL: (usize, usize) = (10, 18);
/// Columns from which on further measures stand beside the first.
const BROAD: u16 = 170;
/// Columns of the timeline beside them.
const BESIDE: u16 = 64;
/// Rows of the timeline and the table, without their frame.
const ROWS: u16 = 8;

/// `REPLAY cold-start 7/24 ×2 ▶ playing`.
pub fn header(replaying: &Replaying, theme: &Theme) -> Line<'static> {
    let (glyph, word) = standing(replaying.standing);
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

/// `◉ LIVE at cold-start 7/24 · a goes back`.
pub fn visited(visit: &Visit, keys: &Keymap, theme: &Theme) -> Line<'static> {
    let (glyph, live) = standing(Standing::Live);
    let word = if visit.fork.is_some() { "FORK" } else { live };
    let (name, turn, turns) = visit.told();
    let key = keys.first(Command::BackToReplay).to_owned();
    Line::from(vec![
        span(format!("{glyph} {word} "), theme.busy),
        span("at ", theme.dim),
        span(text::fit(&name, 24), theme.title),
        span(format!(" {turn}/{turns}"), theme.text),
        span(format!(" {} ", symbols::DOT), theme.dim),
        span(key, theme.key),
        span(" goes back", theme.dim),
    ])
}

/// Glyph and word of what goes on.
fn standing(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Live => (symbols::LIVE, "LIVE"),
        Standing::Playing { .. } => (symbols::PLAYING, "playing"),
        Standing::Paused => (symbols::PAUSED, "paused"),
        Standing::Seeking { .. } => (symbols::SEEKING, "seeking"),
        Standing::AtEnd => (symbols::STOPPED, "at end"),
    }
}

/// Glyph and style of a mark.
fn look(mark: Mark, theme: &Theme) -> (&'static str, Style) {
    match mark {
        Mark::Conflict => (symbols::CONFLICT, theme.conflict),
        Mark::Override => (symbols::MEDIATED, theme.mediated),
        Mark::Flip => (symbols::FLIP, theme.key),
        Mark::Wrong => (symbols::WRONG, theme.bad),
        Mark::Said => (symbols::SAID, theme.good),
    }
}

/// The key that jumps to the next turn with a mark.
fn key(mark: Mark, keys: &Keymap) -> &str {
    let command = match mark {
        Mark::Conflict => Command::NextConflict,
        Mark::Override => Command::NextOverride,
        Mark::Flip => Command::NextFlip,
        Mark::Wrong => Command::NextWrong,
        Mark::Said => Command::NextSaid,
    };
    keys.first(command)
}

/// Draws the session at the bottom of the screen: framed where there is room, in three lines or one where there is not.
pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if let (None, Some(visit)) = (&state.replay, &state.visit) {
        return forked(visit, theme, area, buffer);
    }
    let Some(replaying) = &state.replay else { return };
    let row = |place: Rect, row: u16| Rect { y: place.y + row, height: 1, ..place }.intersection(place);
    let tall = |place: Rect, from: u16, buffer: &mut Buffer| {
        if replaying.charts == Charts::Tall && place.height > from {
            let area = Rect { y: place.y + from, height: place.height - from, ..place };
            multiples(replaying.moments(), replaying.turns(), replaying.measure, theme, area, buffer);
        }
    };
    if area.width < 100 || area.height < ROWS + 2 {
        let width = usize::from(area.width.saturating_sub(2));
        let inside = Rect { x: area.x + 1.min(area.width), width: area.width.saturating_sub(2), ..area };
        put(&merged(replaying, theme, width), row(inside, 0), buffer);
        if area.height >= 3 {
            put_both(&in_a_line(replaying, theme), &legend(&state.keys, theme), row(inside, 1), buffer);
            put(&brief(state, replaying, theme), row(inside, 2), buffer);
        }
        return tall(inside, 3, buffer);
    }
    let title = text::fit(&replaying.opened.replay.session().header.title, usize::from(area.width / 2));
    let mut named = vec![span(" Session", theme.title), span(format!(" {} {title} ", symbols::DOT), theme.dim)];
    let sign = |signature: &Signature| span(format!("{} {} ", symbols::CONFLICT, signature.name()), theme.bad);
    named.extend(replaying.signatures.iter().map(sign));
    let key = |command| state.keys.first(command);
    let note = format!(
        " {} play   {} {} step   {} turn   {} chart   {} live   {} leave ",
        key(Command::PlayPause),
        key(Command::StepBack),
        key(Command::StepOn),
        key(Command::GoToTurn),
        key(Command::NextChart),
        key(Command::LiveHere),
        key(Command::LeaveReplay),
    );
    let panel = Panel { title: Line::from(named), note: Line::from(span(note, theme.dim)), focused: false };
    let inside = panel.draw(theme, area, buffer);
    let (left, first, others) = columns(inside);
    let timeline = usize::from(left.width).saturating_sub(NAMES);
    put(&track(replaying, theme, timeline), row(left, 0), buffer);
    for (ix, mark) in Mark::ALL.into_iter().enumerate() {
        put(&marks(replaying, mark, &state.keys, theme, timeline), row(left, 1 + ix as u16), buffer);
    }
    put(&counts(replaying, theme), row(left, 6), buffer);
    put(&decided(state, replaying, theme), row(left, 7), buffer);
    let width = usize::from(first.width);
    put(&heading(replaying, theme, width), row(first, 0), buffer);
    for arm in Arm::ALL {
        put(&measured(replaying, arm, theme, width), row(first, 1 + arm as u16), buffer);
    }
    put(&changed(replaying, theme), row(first, 5), buffer);
    put(&Line::from(span(text::fit(replaying.measure.told(), width), theme.dim)), row(first, 6), buffer);
    put(&called(&replaying.sums.recorded, theme), row(first, 7), buffer);
    let mut measure = replaying.measure;
    for place in others {
        measure = measure.next();
        put(&Line::from(span(measure.name(), theme.dim)), row(place, 0), buffer);
        for line in measure.lines() {
            put(&small(replaying, measure, *line, theme), row(place, 1 + *line as u16), buffer);
        }
    }
    tall(inside, ROWS, buffer);
}

/// A recording and the fork of it, one above the other: the fork's own turns go on where it left the recording.
fn forked(visit: &Visit, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let (Some(replaying), Some(fork)) = (&visit.screen.replay, &visit.fork) else { return };
    let width = usize::from(area.width.saturating_sub(2));
    let inside = Rect { x: area.x + 1.min(area.width), width: area.width.saturating_sub(2), ..area };
    let columns = width.saturating_sub(NAMES);
    let mut parent = vec![span(text::pad(&replaying.opened.name, NAMES), theme.dim)];
    parent.extend(merged(replaying, theme, columns).spans);
    if area.height > 1 {
        put(&Line::from(parent), Rect { height: 1, ..inside }, buffer);
    }
    let from = cell(replaying.turn, replaying.turns(), room(replaying.turns(), columns));
    let own = fork.own();
    let tally = Tally::of(own);
    let (answers, right) = tally.arms[Arm::Mediated as usize];
    let told = format!("{} of its own {} {right}/{answers} right", own.len(), symbols::DOT);
    let (behind, most) = label_place(from, own.len(), text::width(&told), columns);
    let lead = if behind { " ".repeat(from) } else { text::pad_left(&format!("{told} "), from) };
    let mut parts = vec![
        span(text::pad("fork", NAMES), theme.title),
        span(format!(" {lead}"), theme.score),
        span(symbols::TRACK_ENDS[0], theme.band_won),
    ];
    // Where they do not all fit, the newest are shown.
    for outcome in &own[own.len().saturating_sub(most)..] {
        let mark = match (outcome.arms[Arm::Mediated as usize], outcome.overridden, outcome.conflict) {
            (Some(false), ..) => Some(Mark::Wrong),
            (_, true, _) => Some(Mark::Override),
            (_, _, true) => Some(Mark::Conflict),
            _ => None,
        };
        let (glyph, style) = mark.map_or((symbols::TRACK, theme.band_won), |mark| look(mark, theme));
        parts.push(span(glyph, style));
    }
    if behind {
        parts.push(span(format!(" {told}"), theme.score));
    }
    put(&Line::from(parts), Rect { y: area.bottom().saturating_sub(1), height: 1, ..inside }, buffer);
}

/// Whether a fork's label of `told` columns stands behind its `own` marks, which begin at `from`, or before them, where they
/// leave it no room there; and how many of them have room.
fn label_place(from: usize, own: usize, told: usize, columns: usize) -> (bool, usize) {
    let (room, told) = (columns.saturating_sub(from + 2), told + 1);
    let behind = own + told <= room || told > from;
    (behind, if behind { room.saturating_sub(told) } else { room })
}

/// Where the timeline, the first measure and the further ones stand.
fn columns(inside: Rect) -> (Rect, Rect, Vec<Rect>) {
    if inside.width < BROAD {
        let right = (ARM + 2 * NUMBER + LINE).min(usize::from(inside.width) / 2) as u16;
        let left = Rect { width: inside.width.saturating_sub(right + 2), ..inside };
        return (left, Rect { x: inside.right() - right, width: right, ..inside }, Vec::new());
    }
    let left = Rect { width: BESIDE, ..inside };
    let (small, further) = (SMALL.1 as u16, Measure::ALL.len() as u16 - 1);
    let least = (ARM + 2 * NUMBER + SMALL.0) as u16;
    let room = inside.width - BESIDE - 2;
    let further = (room.saturating_sub(least) / small).min(further);
    let first = Rect { x: left.right() + 2, width: room - further * small - 2, ..inside };
    let other = |place: u16| Rect { x: first.right() + 2 + place * small, width: small - 2, ..inside };
    (left, first, (0..further).map(other).collect())
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

/// Columns that a timeline of `turns` may take of `columns`: its ends, and the number of the turn behind them, are there as
/// well.
fn room(turns: usize, columns: usize) -> usize {
    columns.saturating_sub(2 + format!(" {turns}/{turns}").len())
}

/// Where the playhead stands.
fn track(replaying: &Replaying, theme: &Theme, columns: usize) -> Line<'static> {
    let (turn, turns) = (replaying.turn, replaying.turns());
    let count = format!(" {}/{turns}", turn + 1);
    let room = room(turns, columns);
    let (at, length) = (cell(turn, turns, room), length(turns, room));
    let [open, close] = symbols::TRACK_ENDS;
    Line::from(vec![
        span(text::pad("# turn", NAMES.saturating_sub(1)), theme.dim),
        span(open, theme.band),
        span(symbols::TRACK.repeat(at), theme.band_won),
        span(symbols::HANDLE, theme.handle),
        span(symbols::TRACK.repeat(length.saturating_sub(at + 1)), theme.band),
        span(close, theme.band),
        span(count, theme.score),
    ])
}

/// Which turns are marked; those to come are faint.
fn marks(replaying: &Replaying, mark: Mark, keys: &Keymap, theme: &Theme, columns: usize) -> Line<'static> {
    let (glyph, style) = look(mark, theme);
    let turns = replaying.turns();
    let room = room(turns, columns);
    let now = cell(replaying.turn, turns, room);
    let (key, name) = (key(mark, keys), mark.names().1);
    let mut parts = vec![span(format!("{key} "), theme.key), span(text::pad(name, NAMES.saturating_sub(2)), theme.dim)];
    let mut cells = vec![false; length(turns, room)];
    for turn in (0..turns).filter(|turn| replaying.bears(*turn, mark)) {
        cells.get_mut(cell(turn, turns, room)).into_iter().for_each(|cell| *cell = true);
    }
    for (at, marked) in cells.into_iter().enumerate() {
        let style = if at > now { theme.stale } else { style };
        parts.push(span(if marked { glyph } else { " " }, style));
    }
    Line::from(parts)
}

/// Track and marks in one line, for narrow screens: the playhead over wrong over flip over override over conflict.
fn merged(replaying: &Replaying, theme: &Theme, columns: usize) -> Line<'static> {
    let (turn, turns) = (replaying.turn, replaying.turns());
    let count = format!(" {}/{turns}", turn + 1);
    let room = room(turns, columns);
    let now = cell(turn, turns, room);
    let mut cells: Vec<Span<'static>> = (0..length(turns, room))
        .map(|at| span(symbols::TRACK, if at <= now { theme.band_won } else { theme.band }))
        .collect();
    for mark in [Mark::Said, Mark::Conflict, Mark::Override, Mark::Flip, Mark::Wrong] {
        let (glyph, style) = look(mark, theme);
        for turn in (0..turns).filter(|turn| replaying.bears(*turn, mark)) {
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

/// How often local was overridden, as recorded: said where something else stands beside it.
fn counts(replaying: &Replaying, theme: &Theme) -> Line<'static> {
    let tally = &replaying.sums.recorded;
    let lead = if replaying.sums.now.is_some() { "recorded " } else { "" };
    let dot = symbols::DOT;
    let overrides = text::plural(tally.overrides, "override", "overrides");
    let (rescued, suppressed) = (tally.rescues, tally.suppressions);
    let told = format!("{overrides} {dot} {rescued} rescued {dot} {suppressed} suppressed");
    Line::from(vec![span(lead, theme.dim), span(told, theme.text)])
}

/// What the analyst called right, up to the playhead: apart from what the dataset knows.
fn called(tally: &Tally, theme: &Theme) -> Line<'static> {
    if tally.said == 0 {
        return Line::default();
    }
    let mut parts = vec![span(format!("{} called right ", symbols::SAID), theme.dim)];
    for arm in Arm::ALL {
        let (glyph, style) = arm_look(arm, theme);
        let (answers, right) = tally.by_analyst[arm as usize];
        parts.extend([span(format!(" {glyph}"), style), span(format!("{right}/{answers} "), theme.score)]);
    }
    Line::from(parts)
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

/// Each mark behind the key that jumps to it, for where they have no rows of their own.
fn legend(keys: &Keymap, theme: &Theme) -> Line<'static> {
    let told = Mark::ALL.into_iter().flat_map(|mark| {
        let (glyph, style) = look(mark, theme);
        [span(format!(" {}", key(mark, keys)), theme.key), span(glyph, style)]
    });
    Line::from(told.collect::<Vec<_>>())
}

/// Columns of the line that the first measure draws in `width`.
fn line_columns(replaying: &Replaying, width: usize) -> usize {
    let columns = ARM + NUMBER + if replaying.sums.now.is_some() { NUMBER } else { 0 };
    width.saturating_sub(columns).min(LINE)
}

fn heading(replaying: &Replaying, theme: &Theme, width: usize) -> Line<'static> {
    let lead = text::pad(replaying.measure.name(), ARM + line_columns(replaying, width));
    let now = if replaying.sums.now.is_some() { text::pad_left("now", NUMBER) } else { String::new() };
    Line::from(span(format!("{lead}{}{now}", text::pad_left("recorded", NUMBER)), theme.dim))
}

/// The shown measure of an arm: its line, what was recorded, and what the present setting gives.
fn measured(replaying: &Replaying, arm: Arm, theme: &Theme, width: usize) -> Line<'static> {
    let measure = replaying.measure;
    if !measure.lines().contains(&arm) {
        return Line::default();
    }
    let (glyph, style) = arm_look(arm, theme);
    let columns = line_columns(replaying, width);
    let line = spark(measure, arm, replaying.moments(), columns);
    let sums = &replaying.sums;
    let told = |value: Option<f64>, tally: &Tally| {
        let (answers, right) = tally.arms[arm as usize];
        let counted = if measure == Measure::Accuracy { format!("{right}/{answers}") } else { String::new() };
        text::pad_left(&format!("{} {counted:>6}", number(measure, value)), NUMBER)
    };
    let recorded = replaying.moments().last().and_then(|moment| measure.at(moment, arm));
    let mut parts = vec![
        span(text::pad(&format!("{glyph} {}", arm.name()), ARM), style),
        span(text::pad(&line, columns), style),
        span(told(recorded, &sums.recorded), theme.score),
    ];
    if let (Some(now), Some(moment)) = (&sums.now, &sums.moment) {
        let value = measure.at(moment, arm);
        let differs = number(measure, value) != number(measure, recorded)
            || (measure == Measure::Accuracy && now.arms[arm as usize] != sums.recorded.arms[arm as usize]);
        parts.push(span(told(value, now), if differs { theme.conflict } else { theme.score }));
    }
    Line::from(parts)
}

/// A further measure: small bars and the recorded number of the shown turn, and that under the present setting where it
/// differs.
fn small(replaying: &Replaying, measure: Measure, line: Arm, theme: &Theme) -> Line<'static> {
    let (_, style) = arm_look(line, theme);
    let recorded = number(measure, replaying.moments().last().and_then(|moment| measure.at(moment, line)));
    let now = replaying.sums.moment.as_ref().map(|moment| number(measure, measure.at(moment, line)));
    let mut told = vec![span(recorded.clone(), theme.score)];
    if let Some(now) = now.filter(|now| *now != recorded) {
        told.push(span(format!("{}{now}", symbols::ARROW), theme.conflict));
    }
    let (room, used) = (SMALL.1 - 2, told.iter().map(Span::width).sum::<usize>());
    let columns = SMALL.0.min(room.saturating_sub(used + 1));
    let bars = text::pad(&spark(measure, line, replaying.moments(), columns), columns);
    let gap = " ".repeat(room.saturating_sub(columns + used));
    let mut parts = vec![span(bars, style), span(gap, theme.text)];
    parts.extend(told);
    Line::from(parts)
}

/// How much of the recording the present setting changes. Where a model has its say, what is answered in the end and what
/// the rules decide are two things.
fn changed(replaying: &Replaying, theme: &Theme) -> Line<'static> {
    if replaying.sums.now.is_none() {
        return Line::from(span("weights as recorded; turn one to compare", theme.dim));
    }
    let (changed, ruled, turns) = (replaying.sums.changed, replaying.sums.ruled, replaying.turns());
    let told = if replaying.opened.replay.session().header.model.is_some() {
        let turns = text::plural(turns, "final answer", "final answers");
        format!("now {changed} of {turns} changed {} rules {ruled}", symbols::DOT)
    } else {
        format!("now {changed} of {} changed", text::plural(turns, "decision", "decisions"))
    };
    Line::from(vec![span(told, theme.conflict), span(format!(" {} u undoes", symbols::DOT), theme.dim)])
}

/// The shown measure of all arms in a line: recorded, and now where that differs.
fn in_a_line(replaying: &Replaying, theme: &Theme) -> Line<'static> {
    let measure = replaying.measure;
    let mut parts = vec![span(format!("{} ", measure.name()), theme.dim)];
    for arm in measure.lines() {
        let (glyph, style) = arm_look(*arm, theme);
        let recorded = number(measure, replaying.moments().last().and_then(|moment| measure.at(moment, *arm)));
        let now = replaying.sums.moment.as_ref().map(|moment| number(measure, measure.at(moment, *arm)));
        parts.push(span(format!("{glyph} "), style));
        parts.push(span(recorded.clone(), theme.score));
        if let Some(now) = now.filter(|now| *now != recorded) {
            parts.push(span(format!("{}{now}", symbols::ARROW), theme.conflict));
        }
        parts.push(span("  ", theme.text));
    }
    let (_, style) = arm_look(measure.lines().last().copied().unwrap_or(Arm::Mediated), theme);
    let last = measure.lines().last().copied().unwrap_or(Arm::Mediated);
    parts.push(span(spark(measure, last, replaying.moments(), 24), style));
    Line::from(parts)
}

/// Decision and counts in a line.
fn brief(state: &State, replaying: &Replaying, theme: &Theme) -> Line<'static> {
    let mut parts = decided(state, replaying, theme).spans;
    if replaying.sums.now.is_some() {
        parts.push(span(format!(" {} {} changed", symbols::DOT, replaying.sums.changed), theme.conflict));
    }
    parts.push(span(format!(" {} ", symbols::DOT), theme.dim));
    parts.extend(counts(replaying, theme).spans);
    Line::from(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_fork_stands_where_it_fits() {
        for (from, own, told, columns, expected) in [
            (6, 2, 24, 106, (true, 73)),
            // Forked at the last turn: it was cut there, beside half a line of nothing.
            (90, 1, 24, 106, (false, 14)),
            (90, 40, 24, 106, (false, 14)),
            // No room on either side: as much of it as there is.
            (10, 2, 24, 26, (true, 0)),
        ] {
            assert_eq!(label_place(from, own, told, columns), expected, "{from} {own}");
        }
        for from in 0..100 {
            let (behind, most) = label_place(from, 3, 24, 106);
            let taken = from + 2 + 3.min(most) + if behind { 25 } else { 0 };
            assert!(taken <= 106 && most >= 3 && (behind || from > 24), "{from}");
        }
    }

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
}
