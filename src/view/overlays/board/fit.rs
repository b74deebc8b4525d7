//! The fit: how far it is, what it found on the tuning part, and, once looked at, on the queries held out.

use ratatui::text::Line;

use super::super::super::{bars, span, symbols, text};
use super::Shown;
use crate::app::fitter::Fitted;
use crate::app::state::State;
use crate::app::study::FitState;
use crate::eval::fit::weights::Judged;
use crate::mediator::Weight;
use crate::theme::Theme;

/// Columns of a name.
const NAME: usize = 24;
/// Columns of a number.
const CELL: usize = 12;

pub(super) fn shown(state: &State, theme: &Theme, width: usize) -> Shown {
    let words = |told: &str, style| -> Vec<Line<'static>> {
        text::wrap(told, width).into_iter().map(|line| Line::from(span(line, style))).collect()
    };
    let fitting = &state.study.fitting;
    let policy = state.setting.policy;
    let about = format!(
        "Fits the weights of policy {policy}, which is what a try holds, on past queries of the dataset's tuning part: each \
         answered from what lay before it. What is held out is judged after the fit, and shown by v. What the memories are \
         made of stays; `logoscope fit` fits that, too."
    );
    let body = match &fitting.state {
        FitState::Idle => {
            let mut body = words(&about, theme.text);
            body.push(Line::default());
            body.extend(words("f starts from the present setting", theme.key));
            body
        }
        FitState::Running(stage) => {
            let mut body =
                vec![Line::from(span(format!("{} {}", bars::spinner(state), text::fit(stage, width)), theme.busy))];
            body.push(Line::default());
            body.extend(words("x stops it; work goes on meanwhile, esc closes this board", theme.dim));
            body
        }
        FitState::Failed(reason) => words(reason, theme.error),
        FitState::Done { fitted, saved } => {
            let mut body = done(state, fitted, theme, width);
            body.insert(0, Line::default());
            let told = match saved {
                Some(title) => format!("saved as {}; T sets it", text::fit(title, 40)),
                None => "nothing was better by more than one standard error; no try is saved".to_owned(),
            };
            [words(&told, theme.title), body].concat()
        }
    };
    Shown { head: vec![Line::default()], body }
}

fn done(state: &State, fitted: &Fitted, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let line = |told: String, style| Line::from(span(text::fit(&told, width), style));
    let mut lines = Vec::new();
    for weight in Weight::ALL {
        let [old, new] = [&fitted.before, &fitted.after].map(|setting| setting.weights.get(weight));
        if old != new {
            let name = text::pad(&format!("{} {weight}", weight.symbol()), NAME);
            lines.push(line(format!("{name}{} {} {}", text::value(old), symbols::ARROW, text::value(new)), theme.text));
        }
    }
    lines.push(Line::default());
    let (n, from, to) = (text::count(fitted.tuning.n as u64), fitted.range.from.date(), fitted.range.to.date());
    lines.push(line(format!("tuning part {} {n} queries, {from} to {to}", symbols::DOT), theme.title));
    lines.extend(judged(&fitted.tuning, fitted.ratings, theme));
    lines.push(Line::default());
    let n = text::count(fitted.held_out.n as u64);
    let looks = text::plural(state.looks as usize, "look", "looks");
    if state.study.fitting.revealed {
        lines.push(line(
            format!("hold-out {} {n} queries {} {looks} at it so far", symbols::DOT, symbols::DOT),
            theme.title,
        ));
        lines.extend(judged(&fitted.held_out, fitted.ratings, theme));
        let told = fitted.held_out.paired.told(["fitted", "before"]);
        lines.extend(text::wrap(&told, width).into_iter().map(|told| Line::from(span(told, theme.text))));
    } else {
        lines.push(line(
            format!("hold-out {} {n} queries, not shown {} {looks} at it so far", symbols::DOT, symbols::DOT),
            theme.title,
        ));
        let told =
            "v looks at it, and is counted: a setting chosen after many looks has been tuned on what was held out";
        lines.extend(text::wrap(told, width).into_iter().map(|told| Line::from(span(told, theme.dim))));
    }
    lines
}

fn judged(judged: &Judged, ratings: bool, theme: &Theme) -> Vec<Line<'static>> {
    let names = if ratings { ["RMSE", "MAE"] } else { ["log-loss", "accuracy"] };
    let heading = format!("{:NAME$}{:CELL$}{:CELL$}", "", "before", "fitted");
    let row = |name: &str, before: f64, after: f64| {
        Line::from(vec![
            span(text::pad(name, NAME), theme.text),
            span(text::pad(&format!("{before:.4}"), CELL), theme.score),
            span(text::pad(&format!("{after:.4}"), CELL), theme.score),
        ])
    };
    let (before, after) = (judged.before, judged.after);
    vec![
        Line::from(span(heading, theme.dim)),
        row(names[0], before.loss, after.loss),
        row(names[1], before.headline, after.headline),
    ]
}
