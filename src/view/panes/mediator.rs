//! The mediator: what both sides say, where they conflict, what it decides and what would flip that.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{label_columns, ranked};
use crate::app::state::{Reading, State};
use crate::data::dataset::TaskKind;
use crate::engine::prompt::Arm;
use crate::mediator::Weight;
use crate::mediator::conflict::{Conflict, ConflictKind, Side};
use crate::mediator::policy::damped_trust;
use crate::mediator::resolution::Resolution;
use crate::mediator::signature::Signature;
use crate::mediator::{style, words};
use crate::theme::Theme;
use crate::view::widgets::bar;
use crate::view::{span, symbols, text};

/// Flips shown.
const FLIPS: usize = 5;
/// Labels compared at most.
const COMPARED: usize = 10;
/// Columns of a name, and those that a name keeps where room is short.
const NAME: usize = 20;
const SHORT_NAME: usize = 4;
/// Columns at which a name still tells more than what stands elsewhere on the screen.
const TELLING: usize = 6;

pub(super) fn lines(
    state: &State,
    reading: &Reading,
    theme: &Theme,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let columns = label_columns(state).min((width / 4).max(8));
    let mut lines = sides(state, reading, theme, columns);
    let conflicts = &reading.ledger;
    if conflicts.is_empty() {
        lines.push(Line::from(span(text::fit(&quiet(reading), width), theme.dim)));
    }
    lines.extend(words::together(conflicts).into_iter().map(|told| tell(state, told, theme, width)));
    lines.extend(reading.signatures.iter().map(|signature| warn(state, reading, *signature, theme, width)));
    lines.extend(verdict(state, reading, theme, width));
    lines.extend(overruled(state, reading, theme, width));
    lines.extend(written(reading, theme, width));
    lines.extend(super::written::lines(state, reading, theme, width));
    lines.push(Line::default());
    lines.extend(flips(state, reading, theme, width));
    let left = height.saturating_sub(lines.len() + 2);
    let rows = if left >= 4 { left.min(COMPARED) } else { COMPARED };
    lines.push(Line::default());
    lines.extend(comparison(state, reading, theme, (width, columns), rows));
    let rule = reading.resolution.policy.rule();
    let mut formula = format!("{} {} prior-strength counts {}", rule.formula(), symbols::DOT, rule.prior());
    if state.setting.policy.writes() {
        formula = format!("the rules: {}, {formula}", rule.name());
    }
    if state.manifest().is_some_and(|manifest| manifest.task == TaskKind::Rating) {
        let moved = "each vote is moved by what the crowd makes of what was rated then and now";
        formula = format!("{formula} {} {moved}", symbols::DOT);
    }
    lines.push(Line::default());
    lines.extend(text::wrap(&formula, width).into_iter().map(|line| Line::from(span(line, theme.dim))));
    lines
}

/// Why no conflict is told: the sides may differ on the screen and be too little to say so.
fn quiet(reading: &Reading) -> String {
    let r = &reading.resolution;
    match r.decide(&r.local) == r.decide(&r.global) || reading.read.local.visible() == 0 {
        true => "  no conflict above the threshold".to_owned(),
        false => "  no conflict above the threshold at local's worth".to_owned(),
    }
}

fn name(state: &State, label: usize) -> String {
    name_within(state, label, NAME)
}

fn name_within(state: &State, label: usize, columns: usize) -> String {
    state.data.as_ref().map_or_else(String::new, |data| text::fit(data.label(label), columns))
}

/// What is told in `room`: the first of `forms` that has it, else `named` with names of as many columns as leave it.
fn yielding(room: usize, forms: &[&str], named: impl Fn(usize) -> String) -> String {
    let fits = |told: &str| text::width(told) <= room;
    if let Some(told) = forms.iter().find(|told| fits(told)) {
        return (*told).to_owned();
    }
    let told = (SHORT_NAME..=NAME).rev().map(&named).find(|told| fits(told));
    told.unwrap_or_else(|| text::fit(&named(SHORT_NAME), room))
}

/// Both sides' top answers with what they are worth.
fn sides(state: &State, reading: &Reading, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let r = &reading.resolution;
    let side = |glyph: &str, who: &str, p: &[f64], style: Style, worth: String| {
        let top = r.decide(p);
        Line::from(vec![
            span(format!("{glyph} {who:<8}"), style),
            span(text::pad(&text::fit(&name(state, top), columns), columns + 1), style),
            span(text::share(p[top]), theme.score),
            span(mean(r, p), theme.text),
            span(format!("  {worth}"), theme.dim),
        ])
    };
    let worth = format!("worth {:.1} examples", r.mass);
    let support = format!("support {}", text::plural(r.support, "user", "users"));
    let mut lines = vec![
        side(symbols::LOCAL, "local", &r.local, theme.local, worth),
        side(symbols::GLOBAL, "global", &r.global, theme.global, support),
    ];
    let weights = &state.setting.weights;
    if weights.skew_damping > 0.0 && r.policy.ignores(Weight::SkewDamping, r.facet.task()).is_none() {
        let (one_sided, unlike) = (reading.evidence.one_sidedness(), reading.evidence.novelty);
        let trust = text::value(damped_trust(&reading.evidence, weights));
        let why = format!("one-sided {} {} unlike {}", text::share(one_sided), "×", text::share(unlike));
        lines.push(Line::from(vec![
            span(format!("  local-trust {} ", text::value(weights.local_trust)), theme.dim),
            span(format!("damped to {trust}"), theme.score),
            span(format!("  {why}"), theme.dim),
        ]));
    }
    lines
}

/// `  mean 3.6` of scores, whose name is the median; nothing of labels.
fn mean(r: &Resolution, p: &[f64]) -> String {
    r.facet.mean(p).map_or_else(String::new, |mean| format!("  mean {mean:.1}"))
}

/// Conflicts that are told together, in a line; all of them stand in the ledger. Where it is too long words yield first,
/// then names, and how far the sides are apart never.
fn tell(state: &State, conflicts: &[Conflict], theme: &Theme, width: usize) -> Line<'static> {
    let bits = match conflicts {
        [] | [Conflict { kind: ConflictKind::Coverage, .. }] => String::new(),
        [conflict, ..] => format!(" {} JSD {}", symbols::DOT, text::share(conflict.divergence)),
    };
    let whole = words::headlines(conflicts, &|label| name(state, label));
    let short = whole.split_once("; ").map_or(whole.as_str(), |(short, _)| short);
    let brief = words::brief(conflicts, &|label| name(state, label), " against ");
    let told = yielding(width.saturating_sub(2 + text::width(&bits)), &[&whole, short, &brief], |columns| {
        words::brief(conflicts, &|label| name_within(state, label, columns), " / ")
    });
    Line::from(vec![span(format!("{} ", symbols::CONFLICT), theme.conflict), span(told + &bits, theme.conflict)])
}

/// A sign of failure in a line.
fn warn(state: &State, reading: &Reading, signature: Signature, theme: &Theme, width: usize) -> Line<'static> {
    let item = |place: usize| item_name(state, reading, place);
    let whole = words::signature(signature, &|label| name(state, label), &item);
    let told = yielding(width.saturating_sub(2), &[&whole], |columns| {
        let item = |place: usize| text::fit(&item(place), columns);
        words::brief_signature(signature, &|label| name_within(state, label, columns), &item)
    });
    Line::from(vec![span(format!("{} ", symbols::CONFLICT), theme.bad), span(told, theme.bad)])
}

/// The identity of one of the person's items, by its place among the hits.
pub fn item_name(state: &State, reading: &Reading, place: usize) -> String {
    let item = reading.read.local.hits.get(place).map(|hit| hit.item);
    let found = item.and_then(|item| state.data.as_ref()?.interaction(item));
    found.map_or_else(|| format!("memory {}", place + 1), |found| text::fit(&found.id, 24))
}

/// The decision with its rival; how clear it is on the same line, or on the next one.
fn verdict(state: &State, reading: &Reading, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let r = &reading.resolution;
    let label = name(state, r.decision);
    let answers = answers(state);
    let overruled = answers.is_some_and(|answers| answers.mediated != r.decision);
    let said = |label: &str, columns: usize| {
        let mut parts = vec![
            span(format!("{} {}", symbols::ARROW, if overruled { "rules: " } else { "" }), theme.mediated),
            span(text::fit(label, columns), theme.mediated),
            span(format!(" {}", text::share(r.distribution[r.decision])), theme.score),
            super::verdict(state, label, theme),
        ];
        if let Some(mean) = r.facet.mean(&r.distribution) {
            let dot = symbols::DOT;
            parts.splice(1..3, [span(format!("mean {mean:.1} {dot} median {label}"), theme.mediated)]);
        }
        if let Some(second) = r.runner_up {
            parts.push(span(" over ", theme.dim));
            parts.push(span(name_within(state, second, columns), theme.text));
            parts.push(span(format!(" {}", text::share(r.distribution[second])), theme.score));
        }
        parts
    };
    let columns = |parts: &[Span]| parts.iter().map(Span::width).sum::<usize>();
    // Names yield before the share of the second.
    let fitting = (SHORT_NAME..=NAME).rev().map(|names| said(&label, names)).find(|parts| columns(parts) <= width);
    let mut parts = fitting.unwrap_or_else(|| said(&label, SHORT_NAME));
    let mut clear = vec![span(format!("  margin {}", text::share(r.margin)), theme.dim)];
    let overrides = answers.and_then(Answers::overrides_local).unwrap_or_else(|| r.overrides_local());
    if overrides && !overruled && reading.read.local.visible() > 0 {
        let told = overriding(state, reading, answers.and_then(|answers| answers.local));
        clear.push(span(format!(" {} {told}", symbols::DOT), theme.conflict));
    }
    if let Some(side) = r.held {
        let side = if side == Side::Local { "local" } else { "global" };
        clear.push(span(format!(" {} held by {side} (hysteresis)", symbols::DOT), theme.conflict));
    }
    if columns(&parts) + columns(&clear) <= width {
        parts.append(&mut clear);
        return vec![Line::from(parts)];
    }
    vec![Line::from(parts), Line::from(clear)]
}

/// Which answer of local's is overridden, where it is not the one that stands above: the model has had its say in it.
fn overriding(state: &State, reading: &Reading, local: Option<usize>) -> String {
    let r = &reading.resolution;
    match local.filter(|local| *local != r.decide(&r.local)) {
        Some(local) => format!("overrides local's {}", name(state, local)),
        None => "overrides local".to_owned(),
    }
}

/// What arms answer in the end, where a model has its say in it.
#[derive(Clone, Copy)]
struct Answers {
    mediated: usize,
    /// `None` until that arm has answered.
    local: Option<usize>,
}

impl Answers {
    /// Whether what is answered is not what local memory answers; `None` until that is known.
    fn overrides_local(self) -> Option<bool> {
        self.local.map(|local| local != self.mediated)
    }
}

fn answers(state: &State) -> Option<Answers> {
    let answer = |arm: Arm| {
        let answer = &state.answers.arms[arm as usize];
        let stale = state.answers.stale || state.outdated(arm);
        (answer.scores.is_some() && !stale).then_some(answer.decision)
    };
    Some(Answers { mediated: answer(Arm::Mediated)?, local: answer(Arm::Local) })
}

/// Who flips. Where a model has a say, another decision of the rules need not be another answer.
pub(super) fn flips_to(state: &State) -> &'static str {
    let speaks = answers(state).is_some() || (state.replay.is_none() && state.model.unable().is_none());
    if speaks && state.setting.weights.model_trust > 0.0 { "rules flip to" } else { "flips to" }
}

/// What is answered in the end, where the model has changed the rules' decision.
fn overruled(state: &State, reading: &Reading, theme: &Theme, width: usize) -> Option<Line<'static>> {
    let answers = answers(state).filter(|answers| answers.mediated != reading.resolution.decision)?;
    let answer = &state.answers.arms[Arm::Mediated as usize];
    let label = name(state, answer.decision);
    let trust = text::value(state.setting.weights.model_trust);
    let local = match answers.overrides_local().filter(|_| reading.read.local.visible() > 0) {
        Some(true) => {
            let told = overriding(state, reading, answers.local);
            span(format!(" {} {told}", symbols::DOT), theme.conflict)
        }
        Some(false) => span(format!(" {} as local answers", symbols::DOT), theme.dim),
        None => span("", theme.dim),
    };
    let mut parts = vec![
        span(format!("  with the model (model-trust {trust}) "), theme.dim),
        span(label.clone(), theme.mediated),
        span(format!(" {}", text::share(answer.probability())), theme.score),
        super::verdict(state, &label, theme),
        local,
    ];
    let columns = |parts: &[Span]| parts.iter().map(Span::width).sum::<usize>();
    if columns(&parts) > width {
        parts[0] = span("  with the model ", theme.dim);
    }
    Some(Line::from(parts))
}

/// How long the text is to be and which words it takes, of texts.
fn written(reading: &Reading, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let (Some(style), Some(written)) = (&reading.resolution.style, &reading.read.written) else { return Vec::new() };
    let dot = symbols::DOT;
    let told = |length: Option<f64>| length.map_or("unknown".to_owned(), style::told);
    let sides =
        [(symbols::LOCAL, style.length.local), (symbols::GLOBAL, style.length.global)].map(|(glyph, length)| {
            format!(" {dot} {glyph} {}", length.map_or("-".to_owned(), |l| format!("{:.1}", l.exp())))
        });
    let mut lines = vec![Line::from(vec![
        span("  length ", theme.dim),
        span(told(style.length.mediated), theme.mediated),
        span(text::fit(&sides.concat(), width.saturating_sub(20)), theme.dim),
    ])];
    if let Some(apart) = style.length.conflict {
        let (own, others) = (style::told(apart.own), style::told(apart.others));
        let errors = format!(" {dot} {:.1} standard errors", apart.errors);
        let whole = format!("length: local {own}, global {others}");
        let room = width.saturating_sub(2 + text::width(&errors));
        let told = yielding(room, &[&whole], |_| format!("length: {own} / {others}"));
        lines.push(Line::from(vec![
            span(format!("{} ", symbols::CONFLICT), theme.conflict),
            span(told + &errors, theme.conflict),
        ]));
    }
    let mut parts = vec![span("  words  ", theme.dim)];
    let mut room = width.saturating_sub(9);
    for (ix, (side, word)) in style.words(&written.own_terms, &written.terms).enumerate() {
        let lead = if ix == 0 { String::new() } else { format!(" {dot} ") };
        let used = text::width(&lead) + text::width(word);
        if used > room {
            break;
        }
        room -= used;
        let look = if side == Side::Local { theme.local } else { theme.global };
        parts.extend([span(lead, theme.dim), span(text::fit(word, used), look)]);
    }
    if parts.len() == 1 {
        parts.push(span("none stand out", theme.dim));
    }
    lines.push(Line::from(parts));
    lines
}

/// The nearest values that would change the decision.
fn flips(state: &State, reading: &Reading, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    if reading.flips.is_empty() {
        return vec![Line::from(span(text::fit("no single weight flips this decision", width), theme.dim))];
    }
    let first = format!("{} ", flips_to(state));
    let line = |(ix, flip): (usize, &crate::mediator::flip::Flip)| {
        // The whole value: what is shown does flip.
        let at = if flip.at.is_infinite() { "inf".to_owned() } else { flip.at.to_string() };
        let lead = if ix == 0 { first.clone() } else { text::pad_left("to ", first.len()) };
        let (by, now) = (format!(" at {} ", flip.weight), format!(" (now {})", text::value(flip.now)));
        let becomes = name(state, flip.becomes);
        // The name yields to both values, and what stands among the weights as well goes where that is not enough.
        let left = width.saturating_sub([&lead, &by, &at].map(|part| text::width(part)).iter().sum());
        let columns = left.saturating_sub(text::width(&now));
        let (columns, now) =
            if columns < TELLING.min(text::width(&becomes)) { (left, String::new()) } else { (columns, now) };
        Line::from(vec![
            span(lead, theme.dim),
            span(text::fit(&becomes, columns.max(SHORT_NAME)), theme.title),
            span(by, theme.text),
            span(at, theme.score),
            span(now, theme.dim),
        ])
    };
    let mut lines: Vec<_> = reading.flips.iter().take(FLIPS).enumerate().map(line).collect();
    let more = reading.flips.len().saturating_sub(FLIPS);
    if more > 0 {
        let told =
            format!("{}and by {}", " ".repeat(first.len() - 3), text::plural(more, "other weight", "other weights"));
        lines.push(Line::from(span(text::fit(&told, width), theme.dim)));
    }
    lines
}

/// The distributions of both sides and of the mediator beside each other.
fn comparison(
    state: &State,
    reading: &Reading,
    theme: &Theme,
    (width, columns): (usize, usize),
    rows: usize,
) -> Vec<Line<'static>> {
    let r = &reading.resolution;
    // Marks, label, base rate where there is room, then three times a share and a bar.
    let base = width >= columns + 43;
    let lead = columns + if base { 10 } else { 5 };
    let bars = (width.saturating_sub(lead) / 3).saturating_sub(5).min(24);
    let mut order: Vec<usize> = ranked(&r.distribution).into_iter().map(|(label, _)| label).collect();
    // A label that either side ranks among its two best belongs in sight even if the mediator does not think so.
    let loud = |label: &usize| {
        [&r.local, &r.global]
            .iter()
            .any(|p| ranked(p).iter().take(2).any(|(top, share)| top == label && *share >= 0.05))
    };
    order.sort_by_key(|label| !loud(label));
    order.truncate(rows.saturating_sub(1).max(3));
    order.sort_by(|a, b| r.distribution[*b].total_cmp(&r.distribution[*a]).then(a.cmp(b)));
    let head = |arm: Arm, who: &str| {
        let (glyph, style) = super::arm_look(arm, theme);
        span(text::pad(&format!("{glyph} {who}"), bars + 5), style)
    };
    let mut lines = vec![Line::from(vec![
        span(text::pad_left(if base { "base  " } else { "" }, lead), theme.dim),
        head(Arm::Local, "local"),
        head(Arm::Global, "global"),
        head(Arm::Mediated, "mediated"),
    ])];
    let gold = state.data.as_ref().and_then(|data| data.labels.iter().position(|l| state.gold() == Some(l)));
    for label in order {
        let decided = label == r.decision;
        let mark = if decided { symbols::ARROW } else { " " };
        let truth = if gold == Some(label) { symbols::RIGHT } else { " " };
        let cell = |p: &[f64], style: Style| {
            [
                span(format!("{:>3} ", text::share(p[label])), theme.text),
                span(format!("{} ", bar(p[label], bars)), style),
            ]
        };
        let mut parts = vec![
            span(mark, theme.mediated),
            span(format!("{truth} "), theme.good),
            span(
                text::pad(&text::fit(&name(state, label), columns + 1), columns + 2),
                if decided { theme.mediated } else { theme.text },
            ),
        ];
        if base {
            parts.push(span(format!("{:>3}  ", text::share(r.base[label])), theme.dim));
        }
        parts.extend(cell(&r.local, theme.local));
        parts.extend(cell(&r.global, theme.global));
        parts.extend(cell(&r.distribution, theme.mediated));
        lines.push(Line::from(parts));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_yield_before_names() {
        let whole = "value conflict: social commentary against action";
        let name = |label: &str, columns| text::fit(label, columns);
        let named = |columns| format!("value: {} / {}", name("social commentary", columns), name("action", columns));
        for (room, told) in [
            (48, whole),
            (47, "value: social commentary / action"),
            (30, "value: social commen… / action"),
            (18, "value: soc… / act…"),
            (10, "value: so…"),
        ] {
            assert_eq!(yielding(room, &[whole], named), told);
        }
    }
}
