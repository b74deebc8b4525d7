//! The memory that the model writes: the text as far as it is there, and how the model's decision on it stands to the rules'.

use ratatui::text::Line;

use super::super::{bars, span, symbols, text};
use crate::app::state::{ModelState, Phase, Reading, State};
use crate::engine::prompt::Arm;
use crate::theme::Theme;

/// Lines of the text that a pane has room for.
const LINES: usize = 4;

/// The written memory, in a few lines; none under a policy that writes none.
pub(super) fn lines(state: &State, reading: &Reading, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    if !state.setting.policy.writes() {
        return Vec::new();
    }
    let mut lines = vec![Line::default()];
    let (told, style) = standing(state, theme);
    lines.push(Line::from(vec![
        span(format!("{} the model's memory  ", symbols::MEDIATED), theme.mediated),
        span(text::fit(&told, width.saturating_sub(21)), style),
    ]));
    let faded = if state.memory_outdated() { theme.stale } else { theme.text };
    let words = text::wrap(&state.answers.written.text, width.saturating_sub(2));
    let more = words.len() > LINES;
    for (ix, line) in words.into_iter().take(LINES).enumerate() {
        let line =
            if more && ix + 1 == LINES { text::fit(&format!("{line} {}", symbols::ELLIPSIS), width) } else { line };
        lines.push(Line::from(span(format!("  {line}"), faded)));
    }
    lines.extend(against_the_rules(state, reading, theme, width).into_iter().flatten());
    lines
}

/// How far the memory is, in a few words.
pub fn standing(state: &State, theme: &Theme) -> (String, ratatui::style::Style) {
    let written = &state.answers.written;
    let waits = matches!(state.model, ModelState::Loading(_));
    match &written.phase {
        _ if state.memory_outdated() => ("stale, to be written anew".to_owned(), theme.stale),
        Phase::Unasked if state.replay.is_some() => ("none was written in this turn".to_owned(), theme.dim),
        Phase::Unasked => ("not written yet".to_owned(), theme.dim),
        Phase::Waiting if waits => (format!("{} waits for the model", bars::spinner(state)), theme.busy),
        Phase::Waiting => (format!("{} next; esc stops it", bars::spinner(state)), theme.busy),
        Phase::Speaking => (format!("{} is being written; esc stops it", bars::spinner(state)), theme.busy),
        Phase::Lost(outage) => (outage.to_string(), theme.error),
        Phase::Done(stats) => {
            let tokens = text::plural(stats.tokens, "token", "tokens");
            let took = (!stats.elapsed.is_zero()).then(|| format!(" in {}", text::duration(stats.elapsed)));
            (format!("written, {tokens}{}", took.unwrap_or_default()), theme.dim)
        }
        Phase::Stopped => ("stopped; r asks again".to_owned(), theme.busy),
        Phase::Failed(reason) => (reason.clone(), theme.error),
    }
}

/// What the model decides, having read it, against what the rules decide.
fn against_the_rules(state: &State, reading: &Reading, theme: &Theme, width: usize) -> Option<Vec<Line<'static>>> {
    let disagreement = state.answers.written.disagreement?;
    let (model, share) = state.answers.arms[Arm::Mediated as usize].model_decision()?;
    let r = &reading.resolution;
    let name = |label: usize| state.data.as_ref().map_or("", |data| data.label(label)).to_owned();
    let decided = |label: usize, share: f64| format!("{} {}", text::fit(&name(label), 18), text::share(share));
    let dot = symbols::DOT;
    let told = format!(
        "the model on it {} {dot} the rules, {}, {} {dot} {}, {} bit apart",
        decided(model, share),
        r.policy,
        decided(r.decision, r.distribution[r.decision]),
        if disagreement.same { "the same" } else { "not the same" },
        text::share(disagreement.divergence),
    );
    let style = if disagreement.same { theme.dim } else { theme.conflict };
    let lines = text::wrap(&told, width.saturating_sub(2)).into_iter();
    Some(lines.map(|line| Line::from(span(format!("  {line}"), style))).collect())
}
