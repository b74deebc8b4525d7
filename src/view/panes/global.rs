//! Global memory: what everyone else says, by community and period, behind the guard.

use ratatui::text::Line;

use super::{fade, habits, ranked, shares, terms};
use crate::app::state::{Reading, State};
use crate::memory::global::GlobalHit;
use crate::theme::Theme;
use crate::view::{span, symbols, text};

/// Shares below this are not named.
const LEAST_SHARE: f64 = 0.05;
/// Columns of the names on the left.
const NAMES: usize = 10;

pub(super) fn lines(state: &State, reading: &Reading, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let global = &reading.read.global;
    let guard = reading.evidence.guard;
    let named = |name: &str, distribution: &[f64]| {
        let mut parts = vec![span(text::pad(name, NAMES), theme.dim)];
        parts.extend(shares(state, &ranked(distribution), theme.global, theme, width.saturating_sub(NAMES)));
        Line::from(parts)
    };
    if let Some(scored) = &reading.read.scored {
        let told = match (global.support, global.suppressed, &state.unnamed) {
            (0, 0, Some(unnamed)) => unnamed.clone(),
            (0, 0, None) => "nobody else has rated this yet; it is read as what others give to everything".to_owned(),
            (0, ..) => format!(
                "suppressed: fewer than {guard} others have rated this; it is read as what they give to \
                               everything"
            ),
            (raters, ..) => format!("{} besides this person rated this", text::plural(raters, "user", "users")),
        };
        let mean = format!("{:<NAMES$}{:.1}", "mean", scored.crowd);
        let mut lines: Vec<Line> = text::wrap(&told, width)
            .into_iter()
            .map(|line| Line::from(span(line, fade(state, theme.text, theme))))
            .collect();
        lines.extend([
            Line::from(span(mean, theme.score)),
            named("this", &global.population),
            named("elsewhere", &global.base),
        ]);
        if let Some(hit) = global.hits.first() {
            lines.push(Line::default());
            lines.push(Line::from(span(text::fit("as they gave it, before it is shrunk", width), theme.dim)));
            let mut raw = vec![span(text::pad("", NAMES), theme.dim)];
            raw.extend(shares(state, &hit.ranked(LEAST_SHARE), theme.global, theme, width.saturating_sub(NAMES)));
            lines.push(Line::from(raw));
            let seen = format!("{} {} last {}", hit.id, symbols::DOT, hit.last_seen.date());
            lines.push(Line::from(span(text::fit(&seen, width), theme.dim)));
        }
        return lines;
    }
    if global.period.is_none() {
        let mut message =
            "No period has closed before this moment, so nothing collective is known yet; the base rate is \
                           all there is."
                .to_owned();
        // The data has no other, which a session would not tell.
        if state.periods == 1 && state.replay.is_none() {
            message += " None does before the data ends: [periods] in dataset.toml says how long one is.";
        }
        let mut lines: Vec<Line> =
            text::wrap(&message, width).into_iter().map(|line| Line::from(span(line, theme.dim))).collect();
        lines.extend([Line::default(), named("base rate", &global.base)]);
        return lines;
    }
    let belongs = match global.leading() {
        Some((community, share)) => {
            let members = text::plural(global.members.get(community).copied().unwrap_or_default(), "user", "users");
            format!(
                "community {community} {} {members} {} membership {}",
                symbols::DOT,
                symbols::DOT,
                text::share(share)
            )
        }
        None => format!("no community stands out among {}", global.membership.len()),
    };
    let mut lines = vec![
        Line::from(span(text::fit(&belongs, width), fade(state, theme.text, theme))),
        named(if global.leading().is_some() { "community" } else { "mixture" }, &global.community),
        named("everyone", &global.population),
        Line::default(),
    ];
    if let Some(written) = &reading.read.written {
        let told = match &written.crowd {
            Some(crowd) => habits(Some(crowd.near), &written.terms),
            None => format!("suppressed: fewer than {guard} others have written"),
        };
        let told = text::fit(&told, width.saturating_sub(NAMES));
        let line = vec![span(text::pad("writes", NAMES), theme.dim), span(told, theme.text)];
        lines.insert(lines.len() - 1, Line::from(line));
    }
    let leading = global.leading().map(|(community, _)| community);
    for hit in &global.hits {
        lines.extend(entry(state, hit, leading, theme, width));
    }
    if global.hits.is_empty() {
        lines.push(Line::from(span(text::fit("no entry of enough users is like this query", width), theme.dim)));
    }
    if global.suppressed > 0 {
        let count = text::plural(global.suppressed, "entry", "entries");
        let told = format!("{count} suppressed (fewer than {guard} users)");
        lines.push(Line::from(span(text::fit(&told, width), theme.dim)));
    }
    lines
}

/// A collective entry in three lines: what it answers, its words, its score's terms.
fn entry(state: &State, hit: &GlobalHit, leading: Option<usize>, theme: &Theme, width: usize) -> [Line<'static>; 3] {
    let (score, parts) = text::sum_of(hit.terms.score(), [hit.terms.lexical, hit.terms.dense, hit.terms.community]);
    let users = text::plural(hit.users, "user", "users");
    let room = width.saturating_sub(4 + text::width(&users) + 2);
    let mut first = vec![span(format!("{score:>3} "), theme.score)];
    first.extend(shares(state, &hit.ranked(LEAST_SHARE), theme.global, theme, room));
    let used: usize = first.iter().map(ratatui::text::Span::width).sum();
    let gap = width.saturating_sub(used + text::width(&users));
    first.push(span(format!("{}{users}", " ".repeat(gap)), theme.dim));
    // Said only where it is news: most entries are of the person's own community.
    let whose = match hit.community {
        own if own.is_some() && own == leading => String::new(),
        Some(other) => format!(" {} of community {other}", symbols::DOT),
        None => format!(" {} of everyone", symbols::DOT),
    };
    let words = hit.top_terms.join(&format!(" {} ", symbols::DOT));
    let sum = terms(["lexical", "dense", "community"], &parts);
    let mut line = format!("    {sum}");
    if text::width(&line) + text::width(&whose) <= width {
        line += &whose;
    }
    [
        Line::from(first),
        Line::from(span(format!("    {}", text::fit(&words, width.saturating_sub(4))), theme.text)),
        Line::from(span(text::fit(&line, width), theme.dim)),
    ]
}
