//! The prompt room: an arm's exact prompt, what each memory got of it, and how it differs from another one.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::super::panes::arm_look;
use super::super::super::panes::written::standing;
use super::super::super::{span, symbols, text};
use super::Shown;
use crate::app::board::Against;
use crate::app::state::{Phase, Reading, State};
use crate::data::diff::{self, Side};
use crate::engine::engine::GenRequest;
use crate::engine::profile::told as told_of;
use crate::engine::prompt::{Account, Arm, Share};
use crate::session::event::Prose;
use crate::theme::Theme;

/// Lines named that had no room.
const NAMED: usize = 4;

pub(super) fn shown(state: &State, arm: Arm, against: Option<Against>, theme: &Theme, width: usize) -> Shown {
    let mut head = vec![arms(arm, theme)];
    if state.replay.is_some() {
        return Shown { head, body: recorded(state, arm, theme, width) };
    }
    let Some(reading) = &state.reading else { return Shown { head, body: Vec::new() } };
    let writing = reading.writing.as_ref().filter(|_| arm == Arm::Mediated);
    if let Some(blocks) = &reading.blocks {
        let weights = &state.setting.weights;
        let account = match writing {
            Some(_) => blocks.account_of_instruction(weights),
            None => blocks.account(arm, weights),
        };
        head.extend(accounted(state, &account, arm, theme, width));
    }
    let prompt = &reading.requests[arm as usize].prompt;
    let other = against.map(|against| (named(against), other(state, reading, arm, against)));
    let body = match other {
        None if writing.is_some() => written(state, writing, Some(prompt), theme, width),
        None => plain(prompt, theme, width),
        Some((name, other)) => {
            let told = diff::lines(&other, prompt);
            let count = |side| told.iter().filter(|(s, _)| *s == side).count();
            let (more, less) = (count(Side::Second), count(Side::First));
            head.push(Line::from(vec![
                span("against ", theme.dim),
                span(name, theme.title),
                span(format!(": + {} only here", text::plural(more, "line", "lines")), theme.good),
                span(format!(" {} - {} only there", symbols::DOT, text::plural(less, "line", "lines")), theme.bad),
            ]));
            told.into_iter().flat_map(|(side, line)| changed(side, line, theme, width)).collect()
        }
    };
    head.push(Line::default());
    Shown { head, body }
}

/// All arms, the shown one marked.
pub(super) fn arms(shown: Arm, theme: &Theme) -> Line<'static> {
    let mut parts: Vec<Span<'static>> = Vec::new();
    for arm in Arm::ALL {
        let (glyph, style) = arm_look(arm, theme);
        let told = format!(" {glyph} {} ", arm.name());
        parts.push(if arm == shown { span(told, theme.selection) } else { span(told, style) });
    }
    Line::from(parts)
}

fn named(against: Against) -> String {
    match against {
        Against::Arm(arm) => arm.name().to_owned(),
        Against::Asked => "what the model was asked before the weights were turned".to_owned(),
    }
}

fn other(state: &State, reading: &Reading, arm: Arm, against: Against) -> String {
    match against {
        Against::Arm(other) => reading.requests[other as usize].prompt.clone(),
        Against::Asked => state.answers.arms[arm as usize].prompt.clone(),
    }
}

/// What each part takes, and what had no room.
fn accounted(state: &State, account: &Account, arm: Arm, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let dot = symbols::DOT;
    let n = |tokens: f64| format!("{tokens:.0}");
    let side = |name: &str, share: &Share, sees: bool, style: Style| {
        let told = match (sees, share.shown) {
            (false, _) => "not seen by this arm".to_owned(),
            (true, 0) => "nothing to show".to_owned(),
            (true, shown) => {
                let (used, room, lines) = (n(share.used), n(share.room), share.lines);
                let more = if lines > shown { ", more than by default" } else { "" };
                format!("{used} of {room} tokens {dot} {lines} of {shown} lines{more}")
            }
        };
        Line::from(vec![span(text::pad(name, 10), style), span(told, theme.text)])
    };
    // As their sum: each is told as a whole number.
    let summed = [account.frame, account.local.used, account.global.used].into_iter().map(f64::round).sum();
    let mut total = format!("about {} tokens, four characters counted as one", n(summed));
    let written = arm == Arm::Mediated && state.setting.policy.writes();
    let phase = if written { &state.answers.written.phase } else { &state.answers.arms[arm as usize].phase };
    if let Phase::Done(stats) = phase
        && !state.outdated(arm)
        && stats.prompt_tokens > 0
    {
        total += &format!(" {dot} the model counted {}", stats.prompt_tokens);
    }
    let asks = if written { "what tells the model to write" } else { "what asks for the answer" };
    let frame = format!("{} tokens: the question, and {asks}", n(account.frame));
    let mut lines = vec![
        Line::from(span(text::fit(&total, width), theme.dim)),
        Line::from(vec![span(text::pad("frame", 10), theme.dim), span(frame, theme.text)]),
        side("local", &account.local, arm.sees_local(), theme.local),
        side("global", &account.global, arm.sees_global(), theme.global),
    ];
    for (name, share) in [("local", &account.local), ("global", &account.global)] {
        if share.cut.is_empty() {
            continue;
        }
        let (n_cut, room) = (share.cut.len(), n(account.size));
        let told = format!(
            "cut from {name}: {} for want of room ({room} tokens for both)",
            text::plural(n_cut, "line", "lines")
        );
        lines.push(Line::from(span(text::fit(&told, width), theme.conflict)));
        for (line, tokens) in share.cut.iter().take(NAMED) {
            let lead = format!("  {:>4} ", n(*tokens));
            let line = text::fit(line, width.saturating_sub(lead.len()));
            lines.push(Line::from(vec![span(lead, theme.score), span(line, theme.stale)]));
        }
        if n_cut > NAMED {
            lines.push(Line::from(span(format!("       and {} more", n_cut - NAMED), theme.stale)));
        }
    }
    lines
}

fn plain(prompt: &str, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    prompt.lines().flat_map(|line| text::fold(line, width)).map(|line| Line::from(span(line, theme.text))).collect()
}

/// What the model is told to write, what it wrote, and the prompt that holds it. A session keeps the text alone.
fn written(
    state: &State,
    asked: Option<&GenRequest>,
    prompt: Option<&str>,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let (standing, style) = standing(state, theme);
    let mut lines = Vec::new();
    if let Some(asked) = asked {
        lines.push(Line::from(span("the model is told", theme.title)));
        lines.extend(plain(&asked.prompt, theme, width));
        lines.push(Line::default());
    }
    lines.push(Line::from(vec![span("it writes  ", theme.title), span(standing, style)]));
    lines.extend(plain(&state.answers.written.text, theme, width));
    if let Some(prompt) = prompt.filter(|_| state.answers.written.memory().is_some()) {
        lines.push(Line::default());
        lines.push(Line::from(span("and is asked", theme.title)));
        lines.extend(plain(prompt, theme, width));
    }
    lines
}

/// A line of a comparison: its mark says what its colour says.
fn changed(side: Side, line: &str, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let (mark, style) = match side {
        Side::Both => (" ", theme.dim),
        Side::First => ("-", theme.bad),
        Side::Second => ("+", theme.good),
    };
    let folded = text::fold(line, width.saturating_sub(4)).into_iter().enumerate();
    // What continues a line keeps its mark and stands further in: it is no line of its own.
    let lead = |row: usize| if row == 0 { format!("{mark} ") } else { format!("{mark}   ") };
    folded.map(|(row, line)| Line::from(vec![span(lead(row), style), span(line, style)])).collect()
}

/// What a session knows of a prompt.
fn recorded(state: &State, arm: Arm, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let turn = state.replay.as_ref().and_then(|replaying| replaying.opened.replay.state().turn.as_ref());
    let hash = turn.and_then(|turn| turn.answered(arm)).map(|answered| answered.prompt.as_str());
    let told = match hash {
        Some(hash) => format!(
            "A session keeps the hash of a prompt, not the prompt: {hash}. `logoscope replay --check` renders it again from \
             the data and compares; live work with the same data shows it."
        ),
        None => "This arm was not asked in the shown turn.".to_owned(),
    };
    let mut lines = vec![Line::default()];
    lines.extend(text::wrap(&told, width).into_iter().map(|line| Line::from(span(line, theme.text))));
    let profile = turn.and_then(|turn| turn.answered(arm)).and_then(|answered| answered.profile.as_ref());
    if let Some(Prose { prose, from, of, edited }) = profile {
        lines.push(Line::default());
        let stood = format!("among the person's own memories stood a profile, {}", told_of(*from, *of, *edited));
        lines.push(Line::from(span(text::fit(&stood, width), theme.title)));
        lines.extend(plain(&format!("profile: {prose}"), theme, width));
    }
    if arm == Arm::Mediated && state.answers.written.memory().is_some() {
        lines.push(Line::default());
        lines.extend(written(state, None, None, theme, width));
    }
    lines
}
