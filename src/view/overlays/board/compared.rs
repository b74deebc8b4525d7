//! Two settings beside each other: the weights in which they differ, and what each makes of the session.

use ratatui::text::Line;

use super::super::super::{span, text};
use super::Shown;
use super::numbers::share;
use crate::app::board::Comparison;
use crate::app::state::State;
use crate::engine::prompt::Arm;
use crate::mediator::Weight;
use crate::theme::Theme;

/// Columns of what stands before the values.
const NAME: usize = 24;
/// Columns of a setting.
const CELL: usize = 24;

pub(super) fn shown(state: &State, comparison: &Comparison, theme: &Theme, width: usize) -> Shown {
    let cell = CELL.min(width.saturating_sub(NAME) / 2);
    let row = |name: String, values: [String; 2]| {
        let differ = values[0] != values[1];
        let [first, second] = values.map(|value| text::pad(&value, cell));
        Line::from(vec![
            span(text::pad(&name, NAME), theme.text),
            span(first, theme.score),
            span(second, if differ { theme.conflict } else { theme.score }),
        ])
    };
    let [first, second] = &comparison.titles;
    let titles = [first, second].map(|title| text::pad(&text::fit(title, cell.saturating_sub(2)), cell));
    let head = vec![Line::from(span(format!("{}{}{}", " ".repeat(NAME), titles[0], titles[1]), theme.title))];
    let [old, new] = &comparison.settings;
    let mut body = Vec::new();
    if old.policy != new.policy {
        body.push(row("policy".to_owned(), [old.policy.to_string(), new.policy.to_string()]));
    }
    for weight in Weight::ALL {
        let [old, new] = [old, new].map(|setting| setting.weights.get(weight));
        if old != new {
            body.push(row(format!("{} {weight}", weight.symbol()), [old, new].map(text::value)));
        }
    }
    if body.is_empty() {
        body.push(Line::from(span("the two are the same", theme.dim)));
    }
    body.push(Line::default());
    match &comparison.numbers {
        None => {
            let told = "nothing judged has been asked in this session, so nothing tells them apart";
            body.extend(text::wrap(told, width).into_iter().map(|line| Line::from(span(line, theme.dim))));
        }
        Some(numbers) => {
            let of = |number: &dyn Fn(usize) -> String| [number(0), number(1)];
            let mediated = |ix: usize| share(numbers[ix].accuracy[Arm::Mediated as usize], state.is_testable());
            body.push(row("mediated".to_owned(), of(&mediated)));
            body.push(row("overrides".to_owned(), of(&|ix| numbers[ix].tally.overrides.to_string())));
            body.push(row("  rescued".to_owned(), of(&|ix| numbers[ix].tally.rescues.to_string())));
            body.push(row("  suppressed".to_owned(), of(&|ix| numbers[ix].tally.suppressions.to_string())));
            let diversity = |ix: usize| numbers[ix].diversity.map_or("-".to_owned(), text::share);
            body.push(row("diversity".to_owned(), of(&diversity)));
            body.push(Line::default());
            let told = match !state.is_testable() {
                true => comparison.paired.told_of_picked([second, first]),
                false => comparison.paired.told([second, first]),
            };
            body.extend(text::wrap(&told, width).into_iter().map(|line| Line::from(span(line, theme.text))));
        }
    }
    Shown { head, body }
}
