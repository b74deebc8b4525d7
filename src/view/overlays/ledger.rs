//! The ledger: every conflict with both claims, rule and outcome; what would be decided without a memory; signs of failure.

use ratatui::text::Line;

use super::super::panes::mediator::item_name;
use super::super::{span, symbols, text};
use crate::app::state::State;
use crate::mediator::words;
use crate::theme::Theme;

/// Memories left out that are told of.
const SHOWN: usize = 16;

/// The lines of the sheet, from what the mediator made of the question under the present setting.
pub(super) fn lines(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let Some(reading) = &state.reading else {
        return vec![Line::from(span("memory has not been read yet", theme.dim))];
    };
    let label = |ix: usize| state.data.as_ref().map_or(String::new(), |data| text::fit(data.label(ix), 24));
    let item = |place: usize| item_name(state, reading, place);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut say = |words: &str, indent: usize, style| {
        let wrapped = text::wrap(words, width.saturating_sub(indent));
        lines.extend(wrapped.into_iter().map(|line| Line::from(span(format!("{}{line}", " ".repeat(indent)), style))));
    };
    for signature in &reading.signatures {
        say(&format!("{} {}", symbols::CONFLICT, words::signature(*signature, &label, &item)), 0, theme.bad);
    }
    if reading.ledger.is_empty() {
        say("no conflict above the threshold", 0, theme.dim);
    }
    for conflicts in words::together(&reading.ledger) {
        say(&format!("{} {}", symbols::CONFLICT, words::headlines(conflicts, &label)), 0, theme.conflict);
        words::all_details(conflicts, &label).iter().for_each(|line| say(line, 4, theme.text));
    }
    words::reading_aid(&reading.resolution.facet).into_iter().for_each(|aid| say(aid, 0, theme.dim));
    let change = reading.without.iter().filter(|without| without.changes).count();
    let told = match change {
        0 => "what would change without a memory: never the decision".to_owned(),
        1 => "what would change without a memory: once the decision".to_owned(),
        n => format!("what would change without a memory: {n} times the decision"),
    };
    say(&told, 0, theme.title);
    for without in reading.without.iter().take(SHOWN) {
        let style = if without.changes { theme.conflict } else { theme.text };
        say(&words::without(without, &label, &item), 2, style);
    }
    let more = reading.without.len().saturating_sub(SHOWN);
    if more > 0 {
        say(&format!("{more} more that count for less"), 2, theme.dim);
    }
    lines
}
