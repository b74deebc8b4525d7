//! The panes. Each makes lines of the state; how much of them is in sight is settled here.

mod answers;
mod global;
mod local;
pub mod mediator;
pub mod profile;
mod weights;
pub mod written;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::widgets::{Panel, scrolled};
use super::{bars, span, symbols, text};
use crate::app::state::{MemoryState, Pane, State};
use crate::engine::prompt::Arm;
use crate::mediator::style;
use crate::memory::writing::Term;
use crate::theme::Theme;

/// Draws `pane` and says how far it can scroll.
pub fn draw(pane: Pane, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let panel = Panel {
        title: title(pane, state, theme),
        note: note(pane, state, theme, area.width),
        focused: state.focus == pane,
    };
    let inside = panel.draw(theme, area, buffer);
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let lines = match (pane, &state.reading) {
        (Pane::Weights, _) => weights::lines(state, theme, width, height),
        (_, None) => waiting(state, theme, width),
        (Pane::Local, Some(reading)) => local::lines(state, reading, theme, width, height),
        (Pane::Mediator, Some(reading)) => mediator::lines(state, reading, theme, width, height),
        (Pane::Global, Some(reading)) => global::lines(state, reading, theme, width),
        (Pane::Answers, Some(_)) => answers::lines(state, theme, width, height),
    };
    // The weights follow the selected one.
    let scroll = if pane == Pane::Weights { 0 } else { state.scroll[pane.index()] };
    scrolled(&lines, scroll, theme, inside, buffer)
}

fn title(pane: Pane, state: &State, theme: &Theme) -> Line<'static> {
    let (glyph, style) = match pane {
        Pane::Local => (symbols::LOCAL, theme.local),
        Pane::Global => (symbols::GLOBAL, theme.global),
        Pane::Mediator => (symbols::MEDIATED, theme.mediated),
        Pane::Answers | Pane::Weights => ("", theme.title),
    };
    let mut parts = vec![span(" ", theme.text)];
    if !glyph.is_empty() {
        parts.push(span(format!("{glyph} "), style));
    }
    parts.push(span(pane.title(), style));
    let more = match pane {
        Pane::Local => {
            let shown = state.question.as_ref().filter(|_| !state.is_choosing());
            shown.map(|question| text::fit(question.user.as_str(), 20))
        }
        Pane::Mediator | Pane::Weights if state.data.is_some() => Some(state.setting.policy.to_string()),
        _ => None,
    };
    if let Some(more) = more {
        parts.push(span(format!(" {} {more}", symbols::DOT), theme.dim));
    }
    if let Some(from) = state.try_title().filter(|_| pane == Pane::Mediator) {
        parts.push(span(format!(" {} ", symbols::DOT), theme.dim));
        parts.push(span(text::fit(&from, 32), theme.text));
    }
    parts.push(span(" ", theme.text));
    Line::from(parts)
}

fn note(pane: Pane, state: &State, theme: &Theme, width: u16) -> Line<'static> {
    if pane == Pane::Weights && state.study.telling() {
        return weights::numbers(state, theme, usize::from(width));
    }
    let Some(reading) = &state.reading else { return Line::default() };
    let note = match pane {
        Pane::Local => {
            let told = profile::note(state).map_or(String::new(), |told| format!("{} {told} ", symbols::DOT));
            format!(" {} visible {told}", reading.read.local.visible())
        }
        Pane::Global if reading.read.scored.is_some() => " as of the question ".to_owned(),
        Pane::Global => match reading.read.global.period {
            // A session tells the period that was read, not how many there were.
            Some(period) if state.replay.is_some() => format!(" period {} ", period.number),
            Some(period) => format!(" period {} of {} ", period.number, state.periods.max(period.number)),
            None => " no period yet ".to_owned(),
        },
        Pane::Mediator => String::new(),
        Pane::Answers if state.answers.stale => return Line::from(span(" stale ", theme.stale)),
        Pane::Answers => match state.gold() {
            Some(gold) => format!(" gold {} ", text::fit(gold, 20)),
            None => state
                .verdicts()
                .gold()
                .map_or(String::new(), |gold| format!(" {} {} ", symbols::SAID, text::fit(gold, 20))),
        },
        Pane::Weights => " J/K select   h/l turn   = type   0 default   s save ".to_owned(),
    };
    Line::from(span(note, theme.dim))
}

/// What stands in a pane before memory has spoken.
fn waiting(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let failed = matches!(state.memory, MemoryState::Failed(_)) || state.unread.is_some();
    let told = bars::memory_news(state).or_else(|| state.unread.clone());
    let news = told.unwrap_or_else(|| "reading memory".to_owned());
    let style = if failed { theme.error } else { theme.busy };
    let mut lines = vec![Line::default()];
    for (ix, line) in text::wrap(&news, width.saturating_sub(4)).into_iter().enumerate() {
        let lead = if ix == 0 && !failed { format!("{} ", bars::spinner(state)) } else { "  ".to_owned() };
        lines.push(Line::from(vec![span(lead, style), span(line, style)]));
    }
    lines
}

/// Glyph and style of an arm.
pub fn arm_look(arm: Arm, theme: &Theme) -> (&'static str, Style) {
    match arm {
        Arm::None => (symbols::NONE, theme.none),
        Arm::Local => (symbols::LOCAL, theme.local),
        Arm::Global => (symbols::GLOBAL, theme.global),
        Arm::Mediated => (symbols::MEDIATED, theme.mediated),
    }
}

/// Whether `label` is the judged answer; a space where there is none.
pub fn verdict(state: &State, label: &str, theme: &Theme) -> Span<'static> {
    match state.gold() {
        Some(gold) if gold == label => span(format!(" {}", symbols::RIGHT), theme.good),
        Some(_) => span(format!(" {}", symbols::WRONG), theme.bad),
        None => by_analyst(state, label, theme),
    }
}

/// What the analyst holds of `label`, of a question whose answer the data does not know; a space where that is nothing.
fn by_analyst(state: &State, label: &str, theme: &Theme) -> Span<'static> {
    let labels = state.data.as_ref().map_or(&[][..], |data| &data.labels);
    match state.verdicts().on(label, |answer| labels.iter().any(|label| label == answer)) {
        Some(true) => span(format!(" {}", symbols::RIGHT), theme.key),
        Some(false) => span(format!(" {}", symbols::WRONG), theme.key),
        None => span("  ", theme.text),
    }
}

/// Columns of the longest label, within reason.
fn label_columns(state: &State) -> usize {
    let labels = state.data.as_ref().map_or(&[][..], |data| &data.labels);
    labels.iter().map(|label| text::width(label)).max().unwrap_or(8).clamp(4, 18)
}

/// `noir .52 · comedy .31`: labels with their shares, as many as fit.
fn shares(state: &State, ranked: &[(usize, f64)], style: Style, theme: &Theme, columns: usize) -> Vec<Span<'static>> {
    let Some(data) = &state.data else { return Vec::new() };
    let mut parts: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (label, share) in ranked {
        let dot = if parts.is_empty() { String::new() } else { format!(" {} ", symbols::DOT) };
        let name = text::fit(data.label(*label), 20);
        let share = format!(" {}", text::share(*share));
        let more = text::width(&dot) + text::width(&name) + text::width(&share);
        if used + more > columns && !parts.is_empty() {
            break;
        }
        used += more;
        parts.extend([span(dot, theme.dim), span(name, style), span(share, theme.score)]);
    }
    parts
}

/// Labels by falling probability.
fn ranked(distribution: &[f64]) -> Vec<(usize, f64)> {
    let mut all: Vec<(usize, f64)> = distribution.iter().copied().enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

/// The text of a remembered item.
fn item_text(state: &State, item: usize) -> String {
    // Items are numbered in the dataset's own order.
    let found = state.data.as_ref().and_then(|data| data.interaction(item));
    found.map_or_else(String::new, |interaction| interaction.into_owned().query)
}

/// What the person answered to a remembered item.
fn item_response(state: &State, item: usize) -> String {
    let found = state.data.as_ref().and_then(|data| data.interaction(item));
    found.map_or_else(String::new, |interaction| interaction.into_owned().response)
}

/// `about 9 words · tide · robot`: how texts are written.
fn habits(length: Option<f64>, terms: &[Term]) -> String {
    let length = length.map(|length| format!("about {}", style::told(length)));
    let words = terms.iter().map(|term| term.word.clone());
    length.into_iter().chain(words).collect::<Vec<_>>().join(&format!(" {} ", symbols::DOT))
}

/// `lexical .34 + dense .47 + recency -.02`: what adds up, so that no dot is taken for a minus in ASCII.
fn terms<const N: usize>(names: [&str; N], shown: &[String; N]) -> String {
    let parts: Vec<String> = names.iter().zip(shown).map(|(name, share)| format!("{name} {share}")).collect();
    parts.join(" + ")
}

/// `style`, unless what is shown answers an earlier question.
fn fade(state: &State, style: Style, theme: &Theme) -> Style {
    if state.answers.stale { theme.stale } else { style }
}
