//! How far the session's decisions stand from flipping, weight by weight.

use ratatui::text::Line;

use super::super::super::{bars, span, symbols, text};
use super::Shown;
use crate::app::state::State;
use crate::app::surveyor::Found;
use crate::eval::distances::{BINS, Distances, NEAR, Spread};
use crate::mediator::weights::STOPS;
use crate::theme::Theme;

/// Columns of a weight's name with its symbol.
const NAME: usize = 24;

pub(super) fn shown(state: &State, theme: &Theme, width: usize) -> Shown {
    let Some(Found::Flips(found)) = &state.study.survey.found else {
        return Shown { head: vec![news(state, theme)], body: Vec::new() };
    };
    let each = STOPS / BINS as f64;
    let told = format!("distance to the nearest flip, in hundredths of a slider; a bar is {each:.0} of them");
    let (near, n) = (found.nearest.near, found.n);
    let sentence = format!(
        "{near} of {} would flip within {NEAR:.0} of some slider {} {} flip on none",
        text::plural(n, "decision of the rules", "decisions of the rules"),
        symbols::DOT,
        n - found.nearest.flips
    );
    let mut head: Vec<Line<'static>> =
        text::wrap(&sentence, width).into_iter().map(|line| Line::from(span(line, theme.title))).collect();
    if state.study.survey.under_way() {
        head.push(news(state, theme));
    }
    head.push(Line::default());
    let most = most(found);
    let heading = format!("{:NAME$}{:BINS$}{:>8}{:>8}", "", "0 … 100", format!("to {NEAR:.0}"), "flips");
    let mut body = vec![Line::from(span(text::fit(&heading, width), theme.dim))];
    body.push(row("nearest of all", &found.nearest, most, false, theme));
    for (weight, spread) in &found.weights {
        body.push(row(&format!("{} {weight}", weight.symbol()), spread, most, *weight == state.weight, theme));
    }
    body.push(Line::default());
    body.extend(text::wrap(&told, width).into_iter().map(|line| Line::from(span(line, theme.dim))));
    Shown { head, body }
}

fn most(found: &Distances) -> usize {
    let all = found.weights.iter().map(|(_, spread)| spread).chain([&found.nearest]);
    all.flat_map(|spread| spread.bins).max().unwrap_or_default()
}

fn row(name: &str, spread: &Spread, most: usize, selected: bool, theme: &Theme) -> Line<'static> {
    let bar = |count: &usize| match count {
        0 => symbols::TRACK,
        count => symbols::SPARKS[(count * symbols::SPARKS.len()).div_ceil(most.max(1)).clamp(1, 8) - 1],
    };
    let inside = (NEAR / STOPS * BINS as f64) as usize;
    let cells = |part: &[usize]| part.iter().map(bar).collect::<String>();
    Line::from(vec![
        span(text::pad(name, NAME), if selected { theme.title } else { theme.text }),
        span(cells(&spread.bins[..inside]), theme.conflict),
        span(cells(&spread.bins[inside..]), theme.mediated),
        span(text::pad_left(&spread.near.to_string(), 8), theme.score),
        span(text::pad_left(&spread.flips.to_string(), 8), theme.dim),
    ])
}

/// How far the survey is, or why there is none.
pub(super) fn news(state: &State, theme: &Theme) -> Line<'static> {
    let survey = &state.study.survey;
    match &survey.found {
        Some(Found::Nothing(reason)) => Line::from(span(reason.clone(), theme.error)),
        _ => {
            let (done, of) = survey.done;
            let share = if of == 0 {
                String::new()
            } else {
                format!(" {} of {}", text::count(done as u64), text::count(of as u64))
            };
            Line::from(span(format!("{} surveying{share}", bars::spinner(state)), theme.busy))
        }
    }
}
