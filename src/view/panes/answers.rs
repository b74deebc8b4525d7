//! The answers: what each arm decides, from its memory and from the model, and what the model wrote.

use ratatui::text::{Line, Span};

use super::{arm_look, label_columns, verdict};
use crate::app::state::{ArmAnswer, ModelState, Pane, Phase, Reading, State};
use crate::engine::answer::memory_length;
use crate::engine::engine::ScoreKind;
use crate::engine::prompt::Arm;
use crate::mediator::style;
use crate::theme::Theme;
use crate::view::{bars, span, symbols, text};

/// Columns of an arm's name with its glyph.
const NAME: usize = 11;
/// Columns of tokens and time.
const COST: usize = 16;
/// Columns of the model's own words worth showing.
const WORDS: usize = 10;

pub(super) fn lines(state: &State, theme: &Theme, width: usize, height: usize) -> Vec<Line<'static>> {
    // Names give way, so that what memory says and what the model says stand side by side.
    let of_arm = |(ix, arm)| text::width(&mean(state, arm, &state.answers.arms[ix]));
    let mean = Arm::ALL.into_iter().enumerate().map(of_arm).max().unwrap_or_default();
    let named = NAME + mean + 2;
    let labels = (width.saturating_sub(named) / 3).saturating_sub(6).clamp(8, label_columns(state).max(8));
    let asked = state.model.unable().is_none();
    let zoomed = state.zoom && state.focus == Pane::Answers;
    let room = width.saturating_sub(NAME);
    let beside = |answer: &ArmAnswer| text::width(&with_cost(answer, true)) <= room;
    let table = Table {
        labels,
        mean,
        memory: width >= named + 2 * (labels + 6),
        model: asked && width >= named + 3 * (labels + 6),
        cost: asked && width >= named + 3 * (labels + 6) + COST,
        words: asked && width >= named + 3 * (labels + 6) + COST + WORDS,
        below: asked && (zoomed || height >= 9),
        whole: zoomed || state.answers.arms.iter().all(beside),
        zoomed,
        width,
    };
    let mut lines = Vec::new();
    if height >= 5 {
        lines.push(table.heading(score(state) == Some(ScoreKind::Approximate), theme));
    }
    for (ix, arm) in Arm::ALL.into_iter().enumerate() {
        let answer = &state.answers.arms[ix];
        lines.push(table.row(state, arm, answer, theme));
        if table.below {
            lines.extend(table.rows_below(state, arm, answer, theme));
        }
    }
    lines.extend(said(state, theme, width));
    let unable = match &state.model {
        ModelState::Failed(reason) | ModelState::Unfit(reason) => Some(reason.as_str()),
        ModelState::Absent(reason) => Some(*reason),
        ModelState::Loading(_) | ModelState::Ready(_) => None,
    };
    if let Some(truth) = state.truth().filter(|_| state.writes()) {
        let told = text::fit(truth, width.saturating_sub(NAME));
        lines.push(Line::from(vec![span(text::pad("really", NAME), theme.dim), span(told, theme.text)]));
    }
    if let (Some(_), true) = (unable, state.writes()) {
        lines.push(Line::default());
        let told = "memory alone decides a form and about how many words; it writes no text";
        lines.extend(text::wrap(told, width).into_iter().map(|line| Line::from(span(line, theme.dim))));
    }
    if let Some(reason) = unable {
        lines.push(Line::default());
        lines.extend(text::wrap(reason, width).into_iter().map(|line| Line::from(span(line, theme.dim))));
    }
    lines
}

/// What the analyst said of these answers.
fn said(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let word = |(answer, right): &(String, bool)| format!("{answer} {}", if *right { "right" } else { "wrong" });
    let mut told: Vec<String> = state.words().iter().map(word).collect();
    told.extend(state.notes().into_iter().map(|note| format!("“{note}”")));
    if told.is_empty() {
        return Vec::new();
    }
    let told = format!("{} {}", symbols::SAID, told.join(&format!(" {} ", symbols::DOT)));
    text::wrap(&told, width).into_iter().map(|line| Line::from(span(line, theme.key))).collect()
}

/// Which columns there is room for.
struct Table {
    labels: usize,
    /// Columns of what [`mean`] says.
    mean: usize,
    memory: bool,
    model: bool,
    cost: bool,
    words: bool,
    /// Words and cost go into a second line.
    below: bool,
    /// There the whole cost is told: of every arm, or of none.
    whole: bool,
    /// The pane has the whole screen: what has no room beside the words gets a line of its own.
    zoomed: bool,
    width: usize,
}

impl Table {
    fn heading(&self, estimated: bool, theme: &Theme) -> Line<'static> {
        let column = |name: &str| text::pad(name, self.labels + 6);
        let mut line = text::pad("", NAME) + &text::pad("answer", self.labels + self.mean + 8);
        if self.memory {
            line += &column("memory says");
        }
        if self.model {
            line += &column(if estimated { "model says ~" } else { "model says" });
        }
        if self.words && !self.below {
            line += "it wrote";
        }
        Line::from(span(text::fit(&line, self.width), theme.dim))
    }

    fn row(&self, state: &State, arm: Arm, answer: &ArmAnswer, theme: &Theme) -> Line<'static> {
        let (glyph, look) = arm_look(arm, theme);
        let style = if state.answers.stale || state.outdated(arm) { theme.stale } else { look };
        let label = state.data.as_ref().map_or("", |data| data.label(answer.decision));
        let mut parts = vec![
            span(text::pad(&format!("{glyph} {}", arm.name()), NAME), look),
            span(text::pad(&text::fit(label, self.labels), self.labels + 1), style),
            span(text::pad_left(&text::share(answer.probability()), 3), theme.score),
            verdict(state, label, theme),
            span(text::pad(&mean(state, arm, answer), self.mean + 2), theme.text),
        ];
        if self.memory {
            let decide = |reading: &Reading| reading.resolution.decide(&answer.memory);
            let best = state.reading.as_ref().map_or(0, decide);
            let top = (!answer.memory.is_empty()).then(|| (best, answer.memory[best]));
            parts.extend(self.says(state, top, theme));
        }
        if self.model {
            match answer.model_decision() {
                Some(top) => parts.extend(self.says(state, Some(top), theme)),
                None => parts.push(span(text::pad(&phase(state, answer), self.labels + 6), theme.busy)),
            }
        }
        if !self.below {
            let used: usize = parts.iter().map(Span::width).sum();
            let room = self.width.saturating_sub(used);
            if self.words {
                let (told, style) = wrote(state, arm, answer, theme);
                parts.push(span(text::pad(&told, room.saturating_sub(COST)), style));
            }
            if self.cost {
                parts.push(span(text::pad_left(&cost(answer, false), COST), theme.dim));
            }
        }
        Line::from(parts)
    }

    fn says(&self, state: &State, top: Option<(usize, f64)>, theme: &Theme) -> [Span<'static>; 2] {
        let (name, share) = match (top, &state.data) {
            (Some((label, share)), Some(data)) => (data.label(label).to_owned(), text::share(share)),
            _ => Default::default(),
        };
        [
            span(text::pad(&text::fit(&name, self.labels), self.labels + 1), theme.text),
            span(text::pad(&format!("{share:>3}"), 5), theme.dim),
        ]
    }

    /// What the model wrote and what it cost.
    fn rows_below(&self, state: &State, arm: Arm, answer: &ArmAnswer, theme: &Theme) -> Vec<Line<'static>> {
        let room = self.width.saturating_sub(NAME);
        let line = |told: &str, style| {
            Line::from(vec![span(" ".repeat(NAME), theme.text), span(text::fit(told, room), style)])
        };
        let (told, style) = match &answer.phase {
            Phase::Failed(reason) => (reason.clone(), theme.error),
            Phase::Lost(outage) => (outage.to_string(), theme.error),
            Phase::Waiting | Phase::Stopped => (phase(state, answer), theme.busy),
            Phase::Unasked => (String::new(), theme.dim),
            Phase::Speaking | Phase::Done(_) if state.outdated(arm) => wrote(state, arm, answer, theme),
            Phase::Speaking => (words(answer), theme.text),
            Phase::Done(_) => {
                let told = with_cost(answer, self.whole);
                if self.zoomed && text::width(&told) > room {
                    return [words(answer), cost(answer, true)].iter().map(|told| line(told, theme.dim)).collect();
                }
                (told, theme.dim)
            }
        };
        vec![line(&told, style)]
    }
}

/// ` mean 3.6` of scores, whose answer is the median; of texts how long memory says they are; nothing of labels.
fn mean(state: &State, arm: Arm, answer: &ArmAnswer) -> String {
    let of = |reading: &Reading| reading.resolution.facet.mean(&answer.distribution);
    let length = state.reading.as_ref().and_then(|reading| memory_length(&reading.resolution, arm));
    if let Some(length) = length {
        return format!(" {:<8}", style::told(length));
    }
    state.reading.as_ref().and_then(of).map_or_else(String::new, |mean| format!(" mean {mean:.1}"))
}

/// How the model scores labels, where there is one.
fn score(state: &State) -> Option<ScoreKind> {
    match &state.model {
        ModelState::Ready(caps) => Some(caps.score),
        _ => None,
    }
}

/// Whether the model answers without a word of how probable it finds each label.
fn unscored(state: &State) -> bool {
    score(state) == Some(ScoreKind::None) && !state.writes()
}

/// How far an answer is, in a word.
fn phase(state: &State, answer: &ArmAnswer) -> String {
    match &answer.phase {
        Phase::Unasked => String::new(),
        Phase::Waiting if matches!(state.model, ModelState::Loading(_)) => {
            format!("{} waits for the model", bars::spinner(state))
        }
        // Every other arm has been asked something already.
        Phase::Waiting if answer.prompt.is_empty() && state.answers.written.phase.is_open() => {
            format!("{} reads what is written", bars::spinner(state))
        }
        Phase::Waiting => format!("{} next", bars::spinner(state)),
        Phase::Lost(_) => format!("{} asked again", bars::spinner(state)),
        Phase::Done(_) if unscored(state) => "no scores".to_owned(),
        Phase::Speaking | Phase::Done(_) => String::new(),
        Phase::Stopped => "stopped".to_owned(),
        Phase::Failed(_) => "failed".to_owned(),
    }
}

/// What the model wrote, or that its prompt has changed since.
fn wrote(state: &State, arm: Arm, answer: &ArmAnswer, theme: &Theme) -> (String, ratatui::style::Style) {
    if state.outdated(arm) {
        let written = arm == Arm::Mediated && state.setting.policy.writes();
        let told = if written { "stale: its memory is written anew" } else { "stale: read with other room" };
        return (told.to_owned(), theme.stale);
    }
    (words(answer), theme.text)
}

fn words(answer: &ArmAnswer) -> String {
    match answer.text.trim() {
        "" if answer.phase.is_open() || answer.phase == Phase::Unasked => String::new(),
        "" => "(nothing)".to_owned(),
        written => format!("“{written}”"),
    }
}

fn with_cost(answer: &ArmAnswer, whole: bool) -> String {
    format!("{}  {}", words(answer), cost(answer, whole))
}

/// How many tokens the model wrote in what time; as a `whole` also how long the prompt was, when the first token came and
/// how fast they came.
fn cost(answer: &ArmAnswer, whole: bool) -> String {
    let Phase::Done(stats) = &answer.phase else { return String::new() };
    let (dot, tokens) = (symbols::DOT, text::plural(stats.tokens, "token", "tokens"));
    let (first, all) = (text::duration(stats.ttft), text::duration(stats.elapsed));
    match answer.speed() {
        // A session does not record how long an answer took.
        None => tokens,
        Some(speed) if whole => {
            let (prompt, speed) = (text::count(stats.prompt_tokens as u64), text::count(speed.round() as u64));
            format!("prompt {prompt} {dot} first {first} {dot} {tokens} in {all} {dot} {speed} tok/s")
        }
        Some(_) => format!("{tokens} {dot} {all}"),
    }
}
