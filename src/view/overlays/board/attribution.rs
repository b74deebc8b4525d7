//! The attribution: an answer token by token with what each memory adds to it, the labels without them, and every line of
//! the prompt by what the answer loses without it.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::super::panes::arm_look;
use super::super::super::{bars, span, symbols, text};
use super::Shown;
use super::prompts::arms;
use crate::app::attribution::{Effect, Found, Progress};
use crate::app::state::State;
use crate::engine::attribution::{Attribution, Target, Turn};
use crate::engine::prompt::{Arm, Left};
use crate::memory::why_not::Side;
use crate::theme::Theme;

/// Nats below which something makes no difference to speak of, and from which on it makes a great one: a factor of e.
const SCALE: [f64; 2] = [0.1, 1.0];
/// Columns of the names on the left.
const NAME: usize = 10;
/// Columns of a number of nats, with the space behind it.
const NATS: usize = 7;
/// Columns of the longest token worth showing.
const TOKEN: usize = 18;
/// Labels told.
const LABELS: usize = 5;
/// What is left out, in the order of the rows.
const WITHOUT: [Left; 3] = [Left::Memory(Side::Local), Left::Memory(Side::Global), Left::Both];

pub(super) fn shown(state: &State, (arm, token): (Arm, usize), theme: &Theme, width: usize) -> Shown {
    let words = |told: &str, style: Style| -> Vec<Line<'static>> {
        text::wrap(told, width).into_iter().map(|line| Line::from(span(line, style))).collect()
    };
    let mut head = vec![arms(arm, theme)];
    let Some(found) = state.attribution.found.as_ref().filter(|_| state.unattributable(arm).is_none()) else {
        let reason = state.unattributable(arm).unwrap_or_default();
        return Shown { head, body: words(&reason, theme.busy) };
    };
    let attribution = &found.attribution;
    let passes = attribution.plan.passes();
    let asked = text::plural(passes, "prompt", "prompts");
    head.push(match &found.progress {
        Progress::Asking => {
            let told = format!("{} {} of {asked}", bars::spinner(state), attribution.done() + 1);
            Line::from(span(told, theme.busy))
        }
        _ => Line::from(span(format!("{} of {asked}", attribution.done()), theme.dim)),
    });
    head.push(legend(theme));
    let mut body = Vec::new();
    if let Progress::Failed(reason) = &found.progress {
        body.extend(words(reason, theme.error));
    }
    match attribution.answer() {
        None => {}
        Some(answer) if answer.tokens.is_empty() => {
            body.extend(words("The model wrote nothing, so there is nothing to attribute.", theme.dim));
        }
        Some(_) => {
            body.push(Line::default());
            body.extend(tokens(attribution, token, theme, width));
            body.push(selected(attribution, token, theme, width));
            body.extend(labels(state, attribution, theme, width));
            body.extend(lines(state, found, theme, width));
            body.push(Line::default());
            body.extend(words(&note(state, attribution), theme.dim));
        }
    }
    Shown { head, body }
}

/// What signs, colours and weights of letters mean.
fn legend(theme: &Theme) -> Line<'static> {
    let [some, much] = SCALE;
    let mut parts = vec![span("adds nats: ", theme.dim)];
    for (bound, word) in [(much, "much"), (some, "for"), (0.0, "none"), (-some, "against"), (-much, "much")] {
        parts.push(span(nats(bound), look(bound, theme)));
        parts.push(span(format!(" {word}  "), theme.dim));
    }
    Line::from(parts)
}

/// The style of so many nats.
fn look(delta: f64, theme: &Theme) -> Style {
    let [some, much] = SCALE;
    match delta {
        d if d >= much => theme.raises_much,
        d if d >= some => theme.raises,
        d if d <= -much => theme.lowers_much,
        d if d <= -some => theme.lowers,
        _ => theme.dim,
    }
}

/// `+1.20`, `-0.05`, `0.00`.
fn nats(delta: f64) -> String {
    if delta.abs() < 0.005 { "0.00".to_owned() } else { format!("{delta:+.2}") }
}

/// The name of what is left out, with its glyph.
fn named(left: Left, theme: &Theme) -> Span<'static> {
    let (name, style) = match left {
        Left::Memory(Side::Local) => (format!("{} local", symbols::LOCAL), theme.local),
        Left::Memory(Side::Global) => (format!("{} global", symbols::GLOBAL), theme.global),
        _ => ("  both".to_owned(), theme.text),
    };
    span(text::pad(&name, NAME), style)
}

/// The answer over what each memory adds to every token of it, in as many bands as the width needs.
fn tokens(attribution: &Attribution, selected: usize, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let Some(answer) = attribution.answer() else { return Vec::new() };
    let rows: Vec<(Left, Option<Vec<f64>>)> =
        WITHOUT.into_iter().map(|left| (left, attribution.deltas(left))).collect();
    let both = rows.last().and_then(|(_, deltas)| deltas.clone());
    let shown: Vec<String> = answer.tokens.iter().map(|token| cell(&token.text)).collect();
    let columns: Vec<usize> = shown.iter().map(|token| text::width(token).max(NATS - 1) + 1).collect();
    let mut lines = Vec::new();
    let mut first = 0;
    while first < shown.len() {
        // The first band has the whole answer beside it.
        let whole = first == 0 && shown.len() > 1;
        let mut room = width.saturating_sub(NAME + if whole { NATS } else { 0 });
        let mut last = first;
        while last < shown.len() && (last == first || columns[last] <= room) {
            room = room.saturating_sub(columns[last]);
            last += 1;
        }
        let mut line = vec![span(text::pad("answer", NAME), theme.dim)];
        line.extend(whole.then(|| span(text::pad("whole", NATS), theme.dim)));
        for place in first..last {
            let style = both.as_ref().map_or(theme.text, |both| look(both[place], theme));
            let style = if place == selected { style.patch(theme.selection) } else { style };
            line.push(span(shown[place].clone(), style));
            line.push(span(" ".repeat(columns[place] - text::width(&shown[place])), theme.text));
        }
        lines.push(Line::from(line));
        for (left, deltas) in &rows {
            let mut line = vec![named(*left, theme)];
            let known = deltas.as_ref();
            if whole {
                line.extend(number(attribution.delta(*left), NATS, theme));
            }
            line.extend((first..last).flat_map(|p| number(known.map(|known| known[p]), columns[p], theme)));
            lines.push(Line::from(line));
        }
        first = last;
    }
    lines
}

/// A number of nats in so many columns, which it does not fill with its style; an ellipsis before it is known.
fn number(delta: Option<f64>, columns: usize, theme: &Theme) -> [Span<'static>; 2] {
    let (told, style) = match delta {
        Some(delta) => (nats(delta), look(delta, theme)),
        None => (symbols::ELLIPSIS.to_owned(), theme.dim),
    };
    let blank = " ".repeat(columns.saturating_sub(text::width(&told)));
    [span(told, style), span(blank, theme.text)]
}

/// A token as it stands in its cell, without the space that leads it.
fn cell(token: &str) -> String {
    let told = text::fit(token.trim(), TOKEN);
    if told.is_empty() { symbols::ELLIPSIS.to_owned() } else { told }
}

/// The selected token with its probability, with and without.
fn selected(attribution: &Attribution, place: usize, theme: &Theme, width: usize) -> Line<'static> {
    let Some(answer) = attribution.answer() else { return Line::default() };
    let place = place.min(answer.tokens.len().saturating_sub(1));
    let Some(token) = answer.tokens.get(place) else { return Line::default() };
    let dot = symbols::DOT;
    let p = |ln_p: f64| text::share(ln_p.exp());
    let mut told = format!("“{}” {} of {} {dot} p {}", token.text, place + 1, answer.tokens.len(), p(token.ln_p));
    for (left, name) in
        WITHOUT.into_iter().zip([format!(" {dot} without local"), ", global".to_owned(), ", both".to_owned()])
    {
        if let Some(other) = attribution.without(left).and_then(|trace| trace.tokens.get(place)) {
            told += &format!("{name} {}", p(other.ln_p));
        }
    }
    Line::from(span(text::fit(&told, width), theme.text))
}

/// The labels that the model finds most probable, with and without each memory.
fn labels(state: &State, attribution: &Attribution, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let Some(now) = attribution.shares(Left::Nothing) else { return Vec::new() };
    let others = WITHOUT.map(|left| attribution.shares(left));
    let most = |label: usize| others.iter().flatten().map(|shares| shares[label]).fold(now[label], f64::max);
    let mut order: Vec<usize> = (0..now.len()).collect();
    order.sort_by(|a, b| most(*b).total_cmp(&most(*a)).then(a.cmp(b)));
    let column = width.saturating_sub(4 * 9).clamp(8, 22);
    let heading = ["", "with all", "-local", "-global", "-both"];
    let mut line = text::pad("the model's label", column);
    heading[1..].iter().for_each(|name| line += &text::pad_left(name, 9));
    let mut lines = vec![Line::default(), Line::from(span(text::fit(&line, width), theme.dim))];
    for label in order.into_iter().take(LABELS) {
        let name = state.data.as_ref().map_or("", |data| data.label(label));
        let decided = matches!(&attribution.plan.target, Target::Label(target) if target == name);
        let style = if decided { theme.title } else { theme.text };
        let mut parts = vec![span(text::pad(name, column), style)];
        parts.push(span(text::pad_left(&text::share(now[label]), 9), theme.score));
        for shares in &others {
            let (told, style) = match shares {
                Some(shares) => {
                    // What the memory adds to this label, as everywhere.
                    let style = look((now[label] / shares[label]).ln(), theme);
                    (text::share(shares[label]), style)
                }
                None => (symbols::ELLIPSIS.to_owned(), theme.dim),
            };
            parts.push(span(" ".repeat(9usize.saturating_sub(text::width(&told))), theme.text));
            parts.push(span(told, style));
        }
        lines.push(Line::from(parts));
    }
    lines
}

/// Every line of the prompt with what the answer loses without it.
fn lines(state: &State, found: &Found, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let effects = state.line_effects(found);
    let all = found.attribution.plan.lines();
    if all == 0 {
        return Vec::new();
    }
    let rules = effects.iter().any(|effect| effect.rules.is_some());
    let to_come = all - effects.len();
    let mut told = text::pad("adds", NATS);
    if rules {
        told += &text::pad("rules", NATS);
    }
    told += "without me";
    if to_come > 0 {
        told += &format!(" {} {to_come} to come", symbols::DOT);
    }
    let mut lines = vec![Line::default(), Line::from(span(text::fit(&told, width), theme.dim))];
    lines.extend(effects.iter().map(|effect| row(state, effect, rules, theme, width)));
    lines
}

fn row(state: &State, effect: &Effect, rules: bool, theme: &Theme, width: usize) -> Line<'static> {
    let line = &effect.line;
    let (glyph, style) = arm_look(if line.side == Side::Local { Arm::Local } else { Arm::Global }, theme);
    let mut parts: Vec<Span<'static>> = number(Some(line.delta), NATS, theme).into();
    match effect.rules {
        Some((delta, _)) if rules => parts.extend(number(Some(delta), NATS, theme)),
        None if rules => parts.push(span(text::pad("-", NATS), theme.dim)),
        _ => {}
    }
    parts.push(span(format!("{glyph} {} ", text::fit(&effect.id, 14)), style));
    let label = |decision: usize| state.data.as_ref().map_or("", |data| data.label(decision)).to_owned();
    let turned = |turn: Option<Turn>| turn.filter(|turn| turn.changes);
    if let Some(turn) = turned(line.answer) {
        let told = format!("[{} {}] ", symbols::ARROW, text::fit(&label(turn.decision), TOKEN));
        parts.push(span(told, theme.conflict));
    } else if let Some(turn) = turned(line.model) {
        let told = format!("[model {} {}] ", symbols::ARROW, text::fit(&label(turn.decision), TOKEN));
        parts.push(span(told, theme.conflict));
    }
    if matches!(effect.rules, Some((_, true))) {
        parts.push(span("[rules turn] ", theme.conflict));
    }
    let used: usize = parts.iter().map(Span::width).sum();
    parts.push(span(text::fit(line.text.trim_start_matches("- "), width.saturating_sub(used)), theme.text));
    Line::from(parts)
}

fn note(state: &State, attribution: &Attribution) -> String {
    let what = match &attribution.plan.target {
        Target::Label(_) => "The answer is the arm's final one, in the tokens that labels are scored in.",
        Target::Written(_) => "The answer is what the model wrote, in its own tokens.",
    };
    let rules = match (attribution.plan.arm, &state.reading) {
        (Arm::Mediated, Some(reading)) => {
            let decision = reading.resolution.decision;
            let label = state.data.as_ref().map_or("", |data| data.label(decision));
            format!(
                " rules: what the item adds to '{label}', which the rules decide without the model; [rules turn]: without it \
                 they would decide otherwise."
            )
        }
        _ => String::new(),
    };
    // Texts have no decision to turn.
    let turns = match &attribution.plan.target {
        Target::Label(_) => format!(
            " {0} what the arm would answer without it; model {0}: what the model alone would prefer.",
            symbols::ARROW
        ),
        Target::Written(_) => String::new(),
    };
    format!(
        "{what} It is held fixed: a number is ln p with something minus ln p without it. What is left out leaves the rest in \
         its place, headings and the other memory's room too; lines that say the same share what they add, so the sum of \
         lines is not that of their memory.{rules}{turns}"
    )
}
