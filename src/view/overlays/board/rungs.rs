//! The ladder and the dial: rung by rung what each arm decides from memory alone, and how often it was right so far.

use ratatui::text::{Line, Span};

use super::super::super::panes::arm_look;
use super::super::super::{bars, span, symbols, text};
use super::Shown;
use crate::app::rungs::{Kind, Scale, Verdict};
use crate::app::state::State;
use crate::engine::prompt::Arm;
use crate::theme::Theme;

/// Columns of a rung's name with its pointer.
const NAME: usize = 12;
/// Columns of an arm's decision, at least.
const DECISION: usize = 14;
/// Columns of the shares so far.
const SO_FAR: usize = 26;

pub(super) fn shown(state: &State, kind: Kind, theme: &Theme, width: usize) -> Shown {
    let rungs = &state.rungs;
    let mut head = Vec::new();
    if let Some(reason) = &rungs.failed {
        let told = text::wrap(reason, width).into_iter().map(|line| Line::from(span(line, theme.error)));
        return Shown { head: told.collect(), body: Vec::new() };
    }
    let Some(scale) = &rungs.scale else {
        let told = format!("{} reading memory", bars::spinner(state));
        return Shown { head: vec![Line::from(span(told, theme.busy))], body: Vec::new() };
    };
    let wide = width >= NAME + 4 * DECISION + SO_FAR;
    let cell = (width.saturating_sub(NAME + if wide { SO_FAR } else { 0 }) / 4).max(1);
    let title = text::wrap(&title(state, kind, scale), width);
    head.extend(title.into_iter().map(|line| Line::from(span(line, theme.title))));
    if rungs.under_way() {
        let told = format!("{} rung {} of {}", bars::spinner(state), rungs.found.len(), scale.rungs.len());
        head.push(Line::from(span(told, theme.busy)));
    }
    if rungs.set.is_some() && state.model.unable().is_none() {
        head.push(answers(state, cell, theme));
    }
    let mut heading = vec![span(text::pad(if kind == Kind::Ladder { "  newest" } else { "  share" }, NAME), theme.dim)];
    for arm in Arm::ALL {
        let (glyph, style) = arm_look(arm, theme);
        heading.push(span(text::pad(&format!("{glyph} {}", arm.name()), cell), style));
    }
    if wide {
        heading.push(span(text::fit("right so far: ● ◆ ▲ of n", SO_FAR), theme.dim));
    }
    head.push(Line::from(heading));
    let body = scale.rungs.iter().enumerate().map(|(place, rung)| {
        let looked_at = place == rungs.at;
        let pointer = if looked_at { symbols::POINTER } else { " " };
        let own = if place == scale.own && kind == Kind::Dial { "own" } else { "" };
        let name = format!("{pointer} {} {own}", rung.name());
        let mut parts = vec![span(text::pad(&name, NAME), if looked_at { theme.title } else { theme.text })];
        if let Some(verdict) = rungs.verdicts.get(place) {
            decisions(&mut parts, state, verdict, cell, theme);
            if wide {
                parts.push(span(so_far(verdict), theme.score));
            }
        }
        Line::from(parts)
    });
    let mut body: Vec<Line<'static>> = body.collect();
    body.push(Line::default());
    for told in told(state, kind) {
        body.extend(text::wrap(&told, width).into_iter().map(|line| Line::from(span(line, theme.text))));
    }
    let note = match kind {
        Kind::Ladder => {
            "Memory alone, on this board; the answers behind it follow the rung. Others leave out all that the person did, \
             also what is hidden. At 0 local answers with the base rate."
        }
        Kind::Dial => {
            "Memory alone, on this board; the answers behind it follow the rung. Histories are drawn from the person's own \
             memories and stand in the time slots of the newest ones: skewed memory, not a skewed taste."
        }
    };
    let narrow = if wide { "" } else { " A wider screen shows how often each arm was right so far, too." };
    body.extend(
        text::wrap(&format!("{note}{narrow}"), width).into_iter().map(|line| Line::from(span(line, theme.dim))),
    );
    Shown { head, body }
}

fn title(state: &State, kind: Kind, scale: &Scale) -> String {
    let who = state.question.as_ref().map_or(String::new(), |question| question.user.to_string());
    let shown = match state.rungs.set {
        None => "the whole history is shown".to_owned(),
        Some(place) => format!("shown: {}", scale.rungs.get(place).map_or(String::new(), |rung| rung.name())),
    };
    let what = match (kind, scale.skew, &state.data) {
        (Kind::Dial, Some((label, length, own)), Some(data)) => {
            format!("{length} memories, a share of them '{}'; own share {:.0} %", data.label(label), 100.0 * own)
        }
        _ => format!("the newest of {}", text::plural(scale.visible, "memory", "memories")),
    };
    format!("{who} {dot} {what} {dot} memory alone {dot} {shown}", dot = symbols::DOT)
}

fn decisions(parts: &mut Vec<Span<'static>>, state: &State, verdict: &Verdict, cell: usize, theme: &Theme) {
    let gold = state.gold();
    for (label, p) in verdict.arms {
        let name = state.data.as_ref().map_or("", |data| data.label(label));
        let room = cell.saturating_sub(7);
        let (mark, style) = match gold {
            Some(gold) if gold == name => (symbols::RIGHT, theme.good),
            Some(_) => (symbols::WRONG, theme.text),
            None => (" ", theme.text),
        };
        parts.push(span(text::pad(&format!("{} {} {mark}", text::fit(name, room), text::share(p)), cell), style));
    }
}

fn so_far(verdict: &Verdict) -> String {
    let (n, [_, local, global, mediated]) = verdict.so_far;
    if n == 0 { "-".to_owned() } else { format!("{local} {global} {mediated} of {n}") }
}

/// What the arms answer on the rung that is shown, with the model's word.
fn answers(state: &State, cell: usize, theme: &Theme) -> Line<'static> {
    let mut parts = vec![span(text::pad("  answers", NAME), theme.dim)];
    for arm in &state.answers.arms {
        let told = match &arm.phase {
            phase if phase.is_open() => bars::spinner(state).to_owned(),
            _ => {
                let label = state.data.as_ref().map_or("", |data| data.label(arm.decision));
                let p = arm.distribution.get(arm.decision).copied().unwrap_or_default();
                format!("{} {}", text::fit(label, cell.saturating_sub(7)), text::share(p))
            }
        };
        parts.push(span(text::pad(&told, cell), theme.score));
    }
    Line::from(parts)
}

/// Hand-over and tolerance, of this question and over those so far.
fn told(state: &State, kind: Kind) -> Vec<String> {
    let rungs = &state.rungs;
    let asked = rungs.verdicts.iter().map(|verdict| verdict.so_far.0).max().unwrap_or_default();
    let so_far = text::plural(asked, "judged question", "judged questions");
    let nothing = |what: &str| format!("{what}: nothing judged is there yet");
    let labels = state.data.as_ref().map_or(&[][..], |data| &data.labels);
    let gold = state.gold().and_then(|gold| labels.iter().position(|label| label == gold));
    let arms = [Arm::Local, Arm::Global, Arm::Mediated];
    match kind {
        Kind::Ladder => {
            let mut told = Vec::new();
            if let Some(gold) = gold {
                let each = arms.map(|arm| match rungs.from_on(arm, gold) {
                    Some(rung) => format!("{} from {} on", arm.name(), rung.name()),
                    None => format!("{} not in the end", arm.name()),
                });
                told.push(format!("this question, right: {}", each.join(", ")));
            }
            told.push(match rungs.hand_over() {
                _ if asked == 0 => nothing("hand-over"),
                Some(rung) => {
                    format!("hand-over at {} over {so_far}: local beats global by more than chance", rung.name())
                }
                None => format!(
                    "hand-over not reached over {so_far}: on no rung does local beat global by more than chance"
                ),
            });
            told
        }
        Kind::Dial => {
            let held = |arm: Arm| rungs.holds_to(arm).map_or("-".to_owned(), |rung| rung.name());
            let borne = |arm: Arm| rungs.tolerance[arm as usize].map_or("-".to_owned(), |rung| rung.name());
            let each = |of: &dyn Fn(Arm) -> String| arms.map(|arm| format!("{} {}", arm.name(), of(arm))).join(", ");
            let tolerance = match asked {
                0 => nothing("tolerance"),
                _ => {
                    format!("tolerance over {so_far}, greatest share within 2 points of the own one: {}", each(&borne))
                }
            };
            vec![format!("this question, greatest share that is decided as the own one: {}", each(&held)), tolerance]
        }
    }
}
