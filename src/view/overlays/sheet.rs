//! An explanation: a score that adds up, why something is not shown, a community over time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::layout::centred;
use super::super::widgets::scrolled;
use super::super::{bars, span, symbols, text};
use super::{ledger, popup};
use crate::app::inquiry::Told;
use crate::app::overlay::Sheet;
use crate::app::state::State;
use crate::data::dataset::TaskKind;
use crate::memory::explain::Node;
use crate::memory::history::{CommunityHistory, Group};
use crate::theme::Theme;

/// The largest sheet, with its frame.
const LARGEST: (u16, u16) = (110, 28);
/// Columns and rows of the frame, with the room beside what stands in it.
const FRAME: (u16, u16) = (4, 2);
/// Columns of a score.
const SCORE: usize = 8;
/// Columns before what became of a community.
const CHANGE: usize = 8;
/// Columns of the longest name in a tree.
const NAME: usize = 26;

/// Draws `sheet`, as high as what it tells, and says how far it can scroll.
pub(super) fn draw(sheet: &Sheet, state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let (columns, rows) = LARGEST;
    let lines = lines(sheet, state, theme, usize::from(centred(area, columns, rows).width.saturating_sub(FRAME.0)));
    let height = u16::try_from(lines.len()).unwrap_or(rows).saturating_add(FRAME.1).min(rows);
    let title = text::fit(&sheet.title, usize::from(area.width).saturating_sub(6).min(70));
    let inside = popup(&title, String::new(), theme, centred(area, columns, height), buffer);
    scrolled(&lines, sheet.scroll, theme, inside, buffer)
}

fn lines(sheet: &Sheet, state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let words = |words: &str, style| -> Vec<Line<'static>> {
        text::wrap(words, width).into_iter().map(|line| Line::from(span(line, style))).collect()
    };
    match &sheet.told {
        None => words(&format!("{} asking memory", bars::spinner(state)), theme.busy),
        Some(Err(reason)) => words(reason, theme.error),
        Some(Ok(Told::Score(node))) => tree(node, theme, width),
        Some(Ok(Told::Reason(reason))) => words(&reason.to_string(), theme.text),
        Some(Ok(Told::Community(Some(history)))) => community(history, state, theme, width),
        Some(Ok(Told::Community(None))) if state.manifest().is_some_and(|m| m.task == TaskKind::Rating) => {
            words("Ratings are read by thing, not by community: nobody is grouped here.", theme.dim)
        }
        Some(Ok(Told::Community(None))) => {
            words("Nothing can be told: no period has closed yet, or every community is below the guard.", theme.dim)
        }
        Some(Ok(Told::Ledger)) => ledger::lines(state, theme, width),
        // Candidates make a list.
        Some(Ok(Told::Candidates(_))) => Vec::new(),
    }
}

/// A node a line; its note beside it, or below where there is no room.
fn tree(node: &Node, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (depth, value, node) in node.rounded() {
        let indent = "  ".repeat(depth);
        let style = if depth == 0 { theme.title } else { theme.text };
        let lead = SCORE + indent.len();
        let name = text::pad(&node.name, NAME.saturating_sub(indent.len()));
        let mut notes = text::wrap(&node.note, width.saturating_sub(SCORE + NAME + 2)).into_iter();
        let mut parts = vec![
            span(text::pad(&format!("{value:+.3}"), SCORE), theme.score),
            span(indent, theme.dim),
            span(text::fit(&name, width.saturating_sub(lead)), style),
        ];
        parts.extend(notes.next().map(|note| span(format!("  {note}"), theme.dim)));
        lines.push(Line::from(parts));
        lines.extend(notes.map(|note| Line::from(span(format!("{}{note}", " ".repeat(SCORE + NAME + 2)), theme.dim))));
    }
    lines
}

fn community(history: &CommunityHistory, state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    // Numbers begin at 0: “1 of 19” would be the second.
    let told = format!(
        "community {} ({} in all) {} membership {}",
        history.community,
        history.of,
        symbols::DOT,
        text::share(history.membership)
    );
    let mut lines = vec![Line::from(span(text::fit(&told, width), theme.title)), Line::default()];
    let heading =
        format!("{:8}{:12}{:>8}  commonest answers, the person asking left out", "period", "closed", "members");
    lines.push(Line::from(span(text::fit(&heading, width), theme.dim)));
    let label = |ix: usize| state.data.as_ref().map_or(String::new(), |data| data.label(ix).to_owned());
    for epoch in &history.epochs {
        let lead = format!("{:<8}{:12}", epoch.period, epoch.end.date());
        let (told, style) = match &epoch.group {
            None => (format!("{:>8}  kept back: fewer than {} others", "", history.guard), theme.dim),
            Some(Group { members, responses }) => {
                let share = |(ix, share): &(usize, f64)| format!("{} {}", label(*ix), text::share(*share));
                let named: Vec<String> = responses.iter().map(share).collect();
                (format!("{members:>8}  {}", named.join(&format!(" {} ", symbols::DOT))), theme.text)
            }
        };
        lines.push(Line::from(span(text::fit(&(lead + &told), width), style)));
        for change in &epoch.changes {
            let told = text::wrap(&change.told(history.community), width.saturating_sub(CHANGE));
            lines.extend(
                told.into_iter().map(|line| Line::from(span(format!("{}{line}", " ".repeat(CHANGE)), theme.dim))),
            );
        }
    }
    lines.push(Line::default());
    let note = "Shares of all that its people answered in the period; the pane says what they answer to this question.";
    lines.extend(text::wrap(note, width).into_iter().map(|line| Line::from(span(line, theme.dim))));
    lines
}
