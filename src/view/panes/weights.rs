//! The weights: a slider each, with the decision that each of its values would give.

use ratatui::text::{Line, Span};

use super::mediator::flips_to;
use crate::app::state::State;
use crate::data::dataset::Manifest;
use crate::engine::prompt::Arm;
use crate::eval::numbers::PICKED;
use crate::eval::p_value;
use crate::mediator::Weight;
use crate::mediator::weights::{Scope, unit_name};
use crate::theme::Theme;
use crate::view::widgets::Slider;
use crate::view::{span, symbols, text};

/// Columns of the longest name.
const NAME: usize = 21;
/// Columns of a value with its unit.
const VALUE: usize = 9;

pub(super) fn lines(state: &State, theme: &Theme, width: usize, height: usize) -> Vec<Line<'static>> {
    let mut rows: Vec<Line<'static>> = Weight::ALL.into_iter().map(|weight| row(state, weight, theme, width)).collect();
    let about = about(state, theme, width);
    if height >= rows.len() + about.len() {
        rows.extend(about);
    } else if height < rows.len() && height > 0 {
        // The selected slider stays in sight without a key of its own; those below are counted on the frame.
        let at = Weight::ALL.iter().position(|weight| *weight == state.weight).unwrap_or_default();
        rows.drain(..(at + 1).saturating_sub(height));
    }
    rows
}

/// What the setting is worth on the judged questions, as much of it as fits on the frame.
pub(super) fn numbers(state: &State, theme: &Theme, width: usize) -> Line<'static> {
    let Some(numbers) = state.study.present() else { return Line::default() };
    let dot = symbols::DOT;
    let mut parts = vec![span(" ", theme.text)];
    if let Some(share) = numbers.accuracy[Arm::Mediated as usize] {
        let [low, high] = [share.interval.low, share.interval.high].map(text::share);
        parts.push(span(format!("{} ", symbols::MEDIATED), theme.mediated));
        parts.push(span(text::share(share.value()), theme.score));
        let interval = if state.is_testable() { format!(" [{low}–{high}]") } else { String::new() };
        parts.push(span(format!(" {}/{}{interval} ", share.right, share.n), theme.dim));
    }
    let pair = numbers.over_local;
    let verdict = match pair.won + pair.lost == 0 || pair.is_noise() {
        _ if !state.is_testable() => PICKED.to_owned(),
        true => format!("could be chance (p {})", p_value(pair.p())),
        false => format!("more than chance (p {})", p_value(pair.p())),
    };
    let tally = &numbers.tally;
    let more = [
        format!("{dot} over local {:+}, {verdict} ", pair.difference()),
        format!("{dot} {} overrides, {} rescued, {} suppressed ", tally.overrides, tally.rescues, tally.suppressions),
        format!("{dot} diversity {} ", numbers.diversity.map_or("-".to_owned(), text::share)),
    ];
    // The pane's own title, and the corners.
    let mut left = width.saturating_sub(26 + parts.iter().map(Span::width).sum::<usize>());
    for told in more {
        if text::width(&told) > left {
            break;
        }
        left -= text::width(&told);
        parts.push(span(told, theme.dim));
    }
    Line::from(parts)
}

fn row(state: &State, weight: Weight, theme: &Theme, width: usize) -> Line<'static> {
    let selected = weight == state.weight;
    let ignored = state.ignored(weight);
    let style = match (ignored, selected) {
        (Some(_), _) => theme.stale,
        (None, true) => theme.title,
        (None, false) => theme.text,
    };
    let pointer = if selected { symbols::POINTER } else { " " };
    let name = if width >= 60 { NAME } else { NAME.min(width / 2) };
    let track = width.saturating_sub(4 + name + VALUE + 1);
    let mut parts = vec![
        span(format!("{pointer} "), theme.key),
        span(format!("{} ", weight.symbol()), style),
        span(text::pad(weight.name(), name), if selected && ignored.is_none() { theme.title } else { style }),
    ];
    match ignored {
        Some(reason) => parts.push(span(text::pad(&format!("ignored: {reason}"), track), theme.stale)),
        None => {
            let place = Weight::ALL.iter().position(|w| *w == weight).unwrap_or_default();
            let bands =
                state.reading.as_ref().and_then(|reading| reading.bands.get(place)).map_or(&[][..], Vec::as_slice);
            let labels = state.data.as_ref().map_or(&[][..], |data| &data.labels);
            let position = weight.position(state.setting.weights.get(weight));
            parts.extend(Slider { position, bands, labels, selected }.spans(theme, track));
        }
    }
    let value = value(state, weight);
    let changed = state.setting.weights.get(weight) != state.defaults().get(weight);
    let mark = if changed { "*" } else { " " };
    parts.push(span(text::pad_left(&value, VALUE), if ignored.is_some() { theme.stale } else { theme.score }));
    parts.push(span(mark, theme.key));
    Line::from(parts)
}

/// A value with its unit.
fn value(state: &State, weight: Weight) -> String {
    let value = state.setting.weights.get(weight);
    let number = text::value(value);
    if weight != Weight::HalfLife || value.is_infinite() {
        return number;
    }
    let read = state.reading.as_ref().map(|reading| reading.read.local.age_unit);
    let unit = read.or_else(|| state.manifest().map(Manifest::age_unit)).unwrap_or_default();
    let told = format!("{number} {}", unit_name(unit));
    if text::width(&told) <= VALUE { told } else { number }
}

/// What the selected weight means, what it stands at by default, and what it would flip.
fn about(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let weight = state.weight;
    let default = text::value(state.defaults().get(weight));
    let meaning = format!("{weight}: {} {} default {default}", weight.reading(), symbols::DOT);
    let flip = state.reading.as_ref().and_then(|reading| reading.flips.iter().find(|flip| flip.weight == weight));
    let consequence = match (flip, &state.data) {
        (Some(flip), Some(data)) => {
            let at = if flip.at.is_infinite() { "inf".to_owned() } else { flip.at.to_string() };
            format!("{} {} at {at}", flips_to(state), text::fit(data.label(flip.becomes), 20))
        }
        _ => match weight.scope() {
            Scope::Mediate => "no value of it flips the mediator's decision",
            Scope::Display => "shows conflicts or hides them; the decision stays",
            Scope::Session => "acts from one question of a person to the next",
            Scope::Prompt => "changes what the model reads on the mediated arm; the mediator's decision stays",
            Scope::Model => "comes after the mediator; its slider shows the mediated arm's final decision",
        }
        .to_owned(),
    };
    [meaning, consequence].map(|line| Line::from(span(text::fit(&line, width), theme.dim))).into()
}
