//! Local memory: what is kept about the person who asks, nearest first.

use ratatui::text::Line;

use super::profile;
use super::{fade, habits, item_response, item_text, label_columns, shares, terms};
use crate::app::state::{Reading, State};
use crate::memory::fusion::LocalTerms;
use crate::memory::local::LocalHit;
use crate::memory::portrait::{Characteristic, Portrait};
use crate::theme::Theme;
use crate::view::{span, symbols, text};

/// Columns of the names on the left.
const LEAD: usize = 9;

pub(super) fn lines(
    state: &State,
    reading: &Reading,
    theme: &Theme,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let local = &reading.read.local;
    if local.visible() == 0 {
        let message = "Nothing is remembered about this person before this moment: a cold start. The answer rests on the \
                       others and on the base rate.";
        return text::wrap(message, width).into_iter().map(|line| Line::from(span(line, theme.dim))).collect();
    }
    let style = fade(state, theme.text, theme);
    let mut profile = vec![span("profile  ", theme.dim)];
    profile.extend(shares(state, &local.profile.ranked(), theme.local, theme, width.saturating_sub(9)));
    let mut lines = vec![Line::from(profile), Line::default()];
    if let Some(written) = &reading.read.written {
        let lengths = local.hits.iter().filter_map(|hit| hit.length);
        let mean = lengths.sum::<f64>() / local.visible() as f64;
        let told = text::fit(&habits(Some(mean), &written.own_terms), width.saturating_sub(LEAD));
        lines.insert(1, Line::from(vec![span(text::pad("writes", LEAD), theme.dim), span(told, theme.text)]));
    }
    let labels = label_columns(state);
    for hit in local.shown() {
        let room = width.saturating_sub(4 + labels + 1);
        lines.push(Line::from(vec![
            span(format!("{:>3} ", text::share(hit.terms.score())), theme.score),
            span(text::pad(label(state, hit), labels + 1), theme.local),
            span(text::fit(&answered(state, reading, hit), room), style),
        ]));
        if reading.read.written.is_some() {
            let asked = format!("    to {}", item_text(state, hit.item));
            lines.push(Line::from(span(text::fit(&asked, width), theme.dim)));
        }
        let told = format!("    {}", parts(reading, hit));
        lines.push(Line::from(span(text::fit(&told, width), theme.dim)));
    }
    let rest = &local.hits[local.shown().len()..];
    if !rest.is_empty() {
        let count = text::plural(rest.len(), "more item votes", "more items vote");
        lines.push(Line::default());
        lines.push(Line::from(span(text::fit(&format!("{count}, too far away for the prompt"), width), theme.dim)));
        lines.extend(rest.iter().map(|hit| far(state, reading, hit, theme, labels, width)));
    }
    // A description, not evidence: it stands where it takes no line from any.
    let mut portrait = state.portrait.as_ref().map_or_else(Vec::new, |portrait| portrayed(portrait, theme, width));
    portrait.extend(prose(state, theme, width));
    if lines.len() + portrait.len() <= height {
        lines.splice(1..1, portrait);
    }
    lines
}

/// What is characteristic of the person, in up to two lines.
fn portrayed(portrait: &Portrait, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(LEAD);
    let line = |name: &str, told: &str| {
        Line::from(vec![span(text::pad(name, LEAD), theme.dim), span(text::fit(told, room), theme.text)])
    };
    let dot = format!(" {} ", symbols::DOT);
    let mut lines = Vec::new();
    if !portrait.words.is_empty() {
        let word = |word: &Characteristic| format!("{} {}/{}", word.word, word.own.with_term, word.own.total);
        lines.push(line("words", &portrait.words.iter().map(word).collect::<Vec<_>>().join(&dot)));
    }
    if let Some(style) = &portrait.style {
        let mut told = vec![format!("{:.1} words", style.words)];
        for (what, share) in [("questions", style.questions), ("numbers", style.numbers)] {
            told.push(format!("{what} {}", text::share(share)));
        }
        lines.push(line("style", &told.join(&dot)));
    }
    lines
}

/// The prose profile: how it stands, and the beginning of it; nothing where there is none and none is being written.
fn prose(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(LEAD);
    let line = |name: &str, told: &str, style| {
        Line::from(vec![span(text::pad(name, LEAD), theme.dim), span(text::fit(told, room), style)])
    };
    let Some((told, style)) = profile::standing(state, theme) else { return Vec::new() };
    let words = state.profile.fitting.as_ref().map(|fitting| fitting.text().to_owned());
    let shown = words.into_iter().map(|words| line("", &words, profile::look(state, theme)));
    std::iter::once(line("in prose", &told, style)).chain(shown).collect()
}

/// The score's parts and the age; of ratings first what the crowd gave and how the person departed from it.
fn parts(reading: &Reading, hit: &LocalHit) -> String {
    let LocalTerms { lexical, dense, attributes, recency } = hit.terms;
    let by_text = |score| terms(["lexical", "dense", "recency"], &text::sum_of(score, [lexical, dense, recency]).1);
    let by_attributes = |score| terms(["attributes", "recency"], &text::sum_of(score, [attributes, recency]).1);
    let score = hit.terms.score();
    let age = text::age(hit.age_days);
    let Some(scored) = &reading.read.scored else { return format!("{}  {age}", by_text(score)) };
    let sum = if attributes > 0.0 || lexical + dense == 0.0 { by_attributes(score) } else { by_text(score) };
    match (hit.crowd, hit.residual(&scored.steps)) {
        (Some(crowd), Some(residual)) => {
            // Room for all of it at 120 columns.
            format!("crowd {crowd:.1} {residual:+.1}  {age}  {sum}")
        }
        _ => format!("{sum}  {age}"),
    }
}

/// A hit that votes but is not in the prompt, in one line.
fn far(state: &State, reading: &Reading, hit: &LocalHit, theme: &Theme, labels: usize, width: usize) -> Line<'static> {
    let room = width.saturating_sub(4 + labels + 1 + 7);
    Line::from(vec![
        span(format!("{:>3} ", text::share(hit.terms.score())), theme.dim),
        span(text::pad(label(state, hit), labels + 1), theme.dim),
        span(text::pad(&text::age(hit.age_days), 7), theme.dim),
        span(text::fit(&answered(state, reading, hit), room), theme.dim),
    ])
}

/// What stands beside a hit's label: of texts what the person wrote, otherwise what they were asked.
fn answered(state: &State, reading: &Reading, hit: &LocalHit) -> String {
    match &reading.read.written {
        Some(_) => item_response(state, hit.item),
        None => item_text(state, hit.item),
    }
}

fn label<'a>(state: &'a State, hit: &LocalHit) -> &'a str {
    state.data.as_ref().map_or("", |data| data.label(hit.label))
}
