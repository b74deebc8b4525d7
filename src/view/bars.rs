//! The lines around the panes: header, question, tabs, answers in a line, hints.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};
use unicode_width::UnicodeWidthChar;

use super::{put, put_both, span, symbols, text};
use crate::app::back::Back;
use crate::app::command::{Command, Entry};
use crate::app::journal::Recording;
use crate::app::overlay::{Edit, EditKind, Overlay};
use crate::app::state::{MemoryState, ModelState, Pane, State};
use crate::engine::engine::LoadStage;
use crate::engine::model::short;
use crate::engine::prompt::Arm;
use crate::engine::room::Bytes;
use crate::theme::Theme;

/// A frame of the spinner.
pub fn spinner(state: &State) -> &'static str {
    symbols::SPINNER[(state.now.as_millis() / 100) as usize % symbols::SPINNER.len()]
}

/// Time since `since`, to a tenth of a second.
fn elapsed(state: &State, since: std::time::Duration) -> String {
    format!("{:.1} s", state.now.saturating_sub(since).as_secs_f64())
}

/// What memory is busy with, and for how long.
pub fn memory_news(state: &State) -> Option<String> {
    news_of(state, &state.memory, state.memory_since)
}

fn news_of(state: &State, memory: &MemoryState, since: std::time::Duration) -> Option<String> {
    let since = elapsed(state, since);
    match memory {
        MemoryState::Building(stage) => Some(format!("{stage} {} {since}", symbols::DOT)),
        MemoryState::Embedding { done, of } => {
            Some(format!("making vectors, {done} of {of} texts {} {since}", symbols::DOT))
        }
        MemoryState::Failed(reason) => Some(format!("memory could not be built: {reason}")),
        MemoryState::Ready => None,
    }
}

/// Program, dataset, model.
pub fn header(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let dot = format!(" {} ", symbols::DOT);
    let mut parts = vec![span(" logoscope  ", theme.header)];
    // In front, so that it stays where there is little room.
    if matches!(state.journal.recording, Recording::Failed(_)) {
        parts.push(span(format!("not recorded{dot}"), theme.error));
    }
    let least = parts.len();
    parts.push(span(text::fit(&state.dataset_name, 32), theme.text));
    if state.replay.is_some() {
        let model = if state.model_name.is_empty() { "memory only" } else { state.model_name.as_str() };
        parts.push(span(format!("{dot}{}", text::fit(model, 24)), theme.dim));
    } else if let Some(data) = &state.data {
        let users = text::plural(data.users.len(), "user", "users");
        let interactions = text::plural(data.interactions(), "interaction", "interactions");
        parts.push(span(format!("{dot}{users}{dot}{interactions}"), theme.dim));
    }
    let model = match &state.replay {
        Some(replaying) => super::session::header(replaying, theme),
        None => match &state.visit {
            Some(visit) => super::session::visited(visit, &state.keys, theme),
            None => model(state, theme),
        },
    };
    while parts.len() > least && width_of(&parts) + model.width() + 3 > usize::from(area.width) {
        parts.pop();
    }
    let area = Rect { width: area.width.saturating_sub(1), ..area };
    let room = usize::from(area.width).saturating_sub(width_of(&parts) + 2);
    put_both(&Line::from(parts), &ending(model, room), area, buffer);
}

/// The end of a line that is too long: what is under way, and how it is stopped, stands there.
fn ending(line: Line<'static>, columns: usize) -> Line<'static> {
    let mut over = line.width().saturating_sub(columns);
    if over == 0 || columns == 0 {
        return line;
    }
    // A column more, for the sign that something is missing.
    over += 1;
    let mut left = vec![Span::raw(symbols::ELLIPSIS)];
    for part in line.spans {
        let cut: usize = part
            .content
            .chars()
            .take_while(|c| {
                let goes = over > 0;
                over = over.saturating_sub(c.width().unwrap_or_default());
                goes
            })
            .map(char::len_utf8)
            .sum();
        left.push(Span::styled(part.content[cut..].to_owned(), part.style));
    }
    Line::from(left)
}

fn width_of(parts: &[Span]) -> usize {
    parts.iter().map(Span::width).sum()
}

/// What is known of a load: its stage, its time, the memory of this process.
fn on_its_way(state: &State, stage: Option<LoadStage>, since: std::time::Duration) -> String {
    let stage = stage.map_or("loading".to_owned(), |stage| stage.to_string());
    let memory = state.resident.map_or(String::new(), |bytes| format!(" {} {}", symbols::DOT, Bytes(bytes)));
    format!("{} {stage} {}{memory}", spinner(state), elapsed(state, since))
}

/// That Esc stops it, where nothing else comes first.
fn stops(state: &State, what: Back) -> String {
    if state.overlay.is_none() && state.back() == Some(what) {
        format!(" {} esc stops", symbols::DOT)
    } else {
        String::new()
    }
}

fn model(state: &State, theme: &Theme) -> Line<'static> {
    let mut line = present_model(state, theme);
    if let Some((scenario, since)) = state.orders.under_way {
        let (dot, time, stops) = (symbols::DOT, elapsed(state, since), stops(state, Back::Order));
        line.push_span(span(format!(" {dot} {} making {scenario} {time}{stops}", spinner(state)), theme.busy));
    }
    if let Some(opened) = &state.arrived {
        let (dot, name) = (symbols::DOT, text::fit(&opened.name, 24));
        let until = if state.overlay.is_some() { "this is closed" } else { "this moment is left" };
        line.push_span(span(format!(" {dot} {name} is ready, and opens when {until}"), theme.busy));
    }
    if let Some(opening) = &state.datasets.opening {
        let (dot, name) = (symbols::DOT, text::fit(&opening.place.name(), 24));
        let told = match news_of(state, &opening.memory, opening.since) {
            Some(news) => format!(" {dot} {} {name}: {news}{}", spinner(state), stops(state, Back::Dataset)),
            None => format!(" {dot} {name} is ready, and opens when this is closed"),
        };
        line.push_span(span(told, theme.busy));
    }
    if let Some(incoming) = state.incoming.as_ref().filter(|_| state.replay.is_none()) {
        let name = short(&incoming.name);
        let told = on_its_way(state, incoming.stage, incoming.since);
        let stops = stops(state, Back::Load);
        let told = format!(" {} {} {told}{stops}", symbols::DOT, text::fit(&name, 24));
        line.push_span(span(told, theme.busy));
    }
    line
}

fn present_model(state: &State, theme: &Theme) -> Line<'static> {
    let name = text::fit(&state.model_name, 24);
    match &state.model {
        ModelState::Absent(_) => Line::from(span("memory only", theme.dim)),
        ModelState::Unfit(_) => {
            let told = format!(" does not fit {} memory only", symbols::DOT);
            Line::from(vec![span(name, theme.text), span(told, theme.conflict)])
        }
        ModelState::Failed(_) => Line::from(vec![span(symbols::WRONG, theme.bad), span(" no model", theme.error)]),
        ModelState::Loading(stage) => {
            let told = on_its_way(state, *stage, state.model_since);
            Line::from(vec![span(format!("{name} "), theme.text), span(told, theme.busy)])
        }
        ModelState::Ready(caps) => {
            let size =
                if caps.parameters > 0 { format!(" {}", text::magnitude(caps.parameters)) } else { String::new() };
            let mut parts = vec![
                span(name, theme.text),
                span(format!("{size} {} {} ", text::fit(&caps.device, 16), text::fit(&caps.dtype, 11)), theme.dim),
            ];
            if let Some(need) = state.need.filter(|need| need.cache > 0) {
                parts.push(span(format!("kv {} ", Bytes(need.cache)), theme.dim));
            }
            if let Some((stage, since)) = state.reviving {
                let told = on_its_way(state, Some(stage), since);
                parts.push(span(
                    format!("{} stopped, loaded again {} {told}", symbols::WRONG, symbols::DOT),
                    theme.error,
                ));
                return Line::from(parts);
            }
            if let Some(outage) = state.answers.outage() {
                let stops = stops(state, Back::Answers);
                parts.push(span(format!("{} {outage}{stops}", symbols::WRONG), theme.error));
                return Line::from(parts);
            }
            if let Some(caveat) = caps.score.caveat() {
                parts.push(span(format!("{caveat} "), theme.conflict));
            }
            match (state.answers.open(), state.answers.speed()) {
                (true, _) => parts.push(span(format!("{} answering", spinner(state)), theme.busy)),
                (false, Some(speed)) => {
                    parts.push(span(symbols::LOCAL, theme.good));
                    parts.push(span(format!(" {} tok/s", text::count(speed.round() as u64)), theme.dim));
                }
                (false, None) => parts.push(span(format!("{} ready", symbols::LOCAL), theme.good)),
            }
            Line::from(parts)
        }
    }
}

/// Who asks what, when; or the line being typed.
pub fn question(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let upper = Rect { height: 1, ..area };
    let lower = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    if let Some(Overlay::Edit(edit)) = &state.overlay {
        let hint = hint(state, edit);
        if area.height > 1 {
            let hinted = hint.as_ref().map(|hint| Line::from(span(format!(" {hint}"), theme.dim)));
            put(&hinted.unwrap_or_else(|| asking(state, theme)), upper, buffer);
        }
        return typing(edit, hint.filter(|_| area.height < 2), theme, lower, buffer);
    }
    let Some(question) = &state.question else {
        let news = memory_news(state).unwrap_or_default();
        return put(&Line::from(span(format!(" {} {news}", spinner(state)), theme.busy)), upper, buffer);
    };
    if state.is_choosing() {
        let told = format!(" {} choosing a question", spinner(state));
        return put(&Line::from(span(told, theme.busy)), upper, buffer);
    }
    let query = if question.query.is_empty() {
        span("no query yet: i types one", theme.dim)
    } else {
        span(format!("“{}”", text::fit(&question.query, usize::from(area.width).saturating_sub(5))), theme.title)
    };
    if area.height > 1 {
        let (left, inner) = (asking(state, theme), Rect { width: area.width.saturating_sub(1), ..upper });
        let fits = |told: &Line| left.width() + 2 + told.width() <= usize::from(inner.width);
        let gold = Line::from(judged(state, theme, true).spans.into_iter().take(2).collect::<Vec<_>>());
        let told = [false, true].map(|short| judged(state, theme, short)).into_iter().find(fits);
        put_both(&left, &told.unwrap_or(gold), inner, buffer);
    }
    put(&Line::from(vec![span(" ", theme.text), query]), lower, buffer);
}

fn asking(state: &State, theme: &Theme) -> Line<'static> {
    let Some(question) = &state.question else { return Line::default() };
    let mut parts = vec![
        span(format!(" {} ", symbols::POINTER), theme.dim),
        span(text::fit(question.user.as_str(), 24), theme.title),
        span(format!(" asks on {}", moment(question.at)), theme.dim),
    ];
    if let Some(reading) = state.reading.as_ref().filter(|_| !state.answers.stale) {
        let visible = reading.read.local.visible();
        let told = match state.rungs.scale.as_ref().filter(|_| state.rungs.set.is_some()) {
            Some(scale) => format!("{visible} of {} held", text::plural(scale.visible, "item", "items")),
            None if state.holds().is_some() => format!("{} held", text::plural(visible, "item", "items")),
            None => format!("{} before it", text::plural(visible, "item", "items")),
        };
        parts.push(span(format!(" {} {told}", symbols::DOT), theme.dim));
    } else if state.busy() {
        parts.push(span(format!(" {} {} reading", symbols::DOT, spinner(state)), theme.busy));
    }
    Line::from(parts)
}

/// A moment to the minute; midnight is left out.
fn moment(at: crate::data::interaction::Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((date, time)) if !time.starts_with("00:00:00") => format!("{date} {}", time.get(..5).unwrap_or(time)),
        Some((date, _)) => date.to_owned(),
        None => text,
    }
}

/// The true answer and which query it is of; `short` where little room is left.
fn judged(state: &State, theme: &Theme, short: bool) -> Line<'static> {
    let mut parts = Vec::new();
    let dot = || span(format!(" {} ", symbols::DOT), theme.dim);
    // What the data does not know the analyst may have said.
    let verdicts = state.verdicts();
    let word = verdicts.gold().filter(|_| state.gold().is_none());
    if let Some(gold) = state.gold().or(word) {
        let style = if word.is_some() { theme.key } else { theme.good };
        parts.extend([span("gold ", theme.dim), span(text::fit(gold, 24), style), dot()]);
    }
    let (Some(ix), Some(data)) = (state.judged, &state.data) else {
        let told = match (word, parts.is_empty()) {
            (Some(_), _) => "your word",
            (None, true) => "not judged",
            (None, false) => "as recorded",
        };
        parts.push(span(told, theme.dim));
        return Line::from(parts);
    };
    if word.is_some() {
        parts.extend([span("your word", theme.dim), dot()]);
    }
    let place = format!("{} of {}", ix + 1, data.queries.len());
    let told = match (&state.replay, data.is_asked_again()) {
        (Some(_), _) => format!("turn {place}"),
        _ if state.is_moved() && short => format!("query {place}, not counted"),
        _ if state.is_moved() => format!("query {place}, moved and not counted"),
        _ if short => format!("query {place}"),
        (None, true) => format!("query {place}, asked again"),
        (None, false) => format!("judged query {place}"),
    };
    parts.push(span(told, theme.dim));
    Line::from(parts)
}

/// What may be typed, where the question says nothing of it.
fn hint(state: &State, edit: &Edit) -> Option<String> {
    match edit.kind {
        EditKind::Query | EditKind::Date | EditKind::Turn | EditKind::Path | EditKind::Id => None,
        EditKind::Profile => Some("what stands in prompts about the person".to_owned()),
        EditKind::Note => Some("what is to be remembered of this answer".to_owned()),
        EditKind::Folder => Some("a folder with dataset.toml and interactions.jsonl".to_owned()),
        EditKind::Model => Some("a folder, a GGUF file, or owner/name[:file.gguf] of a hub".to_owned()),
        EditKind::TryNote(_) => Some("what is to be remembered of it; empty takes the note away".to_owned()),
        EditKind::ExportPath => Some("a file that does not exist yet".to_owned()),
        EditKind::ImportPath => Some("a file of tries".to_owned()),
        EditKind::Value(weight) => {
            let (low, high) = weight.range();
            let values = [low, high, state.setting.weights.get(weight), state.defaults().get(weight)];
            let [low, high, now, default] = values.map(text::value);
            let dot = symbols::DOT;
            let high = if weight.range().1.is_infinite() { "inf".to_owned() } else { high };
            Some(format!("{} {dot} {low} to {high} {dot} now {now} {dot} default {default}", weight.symbol()))
        }
        EditKind::TryName => {
            let tries = text::plural(state.tries.len(), "try", "tries");
            let name = text::fit(&state.dataset_name, 32);
            Some(format!("name this setting of {} {} {tries} on {name} so far", state.setting.policy, symbols::DOT))
        }
    }
}

fn typing(edit: &Edit, hint: Option<String>, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let label = match edit.kind {
        EditKind::Query => " ask ",
        EditKind::Date => " when ",
        EditKind::Turn => " turn ",
        EditKind::Path => " open ",
        EditKind::Model => " model ",
        EditKind::Folder => " data ",
        EditKind::Id => " why not ",
        EditKind::Value(weight) => weight.name(),
        EditKind::TryName => " save as ",
        EditKind::Profile => " profile ",
        EditKind::Note | EditKind::TryNote(_) => " note ",
        EditKind::ExportPath => " write to ",
        EditKind::ImportPath => " read from ",
    };
    let label = format!(" {} ", label.trim());
    let label = label.as_str();
    let (before, behind) = edit.input.parts();
    let room = usize::from(area.width).saturating_sub(text::width(label) + 4);
    // What is being typed stays in sight: the start gives way.
    let before = tail(&crate::data::sanitize::visible(before), room);
    let behind = crate::data::sanitize::visible(behind).into_owned();
    let mut rest = behind.chars();
    let under = rest.next().map_or(" ".to_owned(), String::from);
    let room = room.saturating_sub(text::width(&before) + text::width(&under));
    let mut parts = vec![
        span(label, theme.key),
        span(format!("{} ", symbols::POINTER), theme.key),
        // What is typed next takes the place of what is offered.
        span(before, if edit.input.is_offered() { theme.selection } else { theme.input }),
        span(under, theme.selection),
        span(text::fit(rest.as_str(), room), theme.input),
    ];
    if let Some(hint) = hint.filter(|_| edit.complaint.is_none()) {
        parts.push(span(format!("  {hint}"), theme.dim));
    }
    put(&Line::from(parts), area, buffer);
}

/// The end of `text` that fits into `columns`.
fn tail(text: &str, columns: usize) -> String {
    use unicode_segmentation::UnicodeSegmentation;
    let mut from = text.len();
    for (at, _) in text.grapheme_indices(true).rev() {
        if text::width(&text[at..]) > columns {
            break;
        }
        from = at;
    }
    text[from..].to_owned()
}

/// Names of the panes, the shown one marked.
pub fn tabs(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let build = |short: bool| {
        let mut parts = vec![span(" ", theme.text)];
        for (ix, pane) in Pane::ALL.into_iter().enumerate() {
            let title =
                if short { text::fit(pane.title(), 4).replace(symbols::ELLIPSIS, "") } else { pane.title().to_owned() };
            let style = if pane == state.focus { theme.selection } else { theme.dim };
            parts.push(span(format!(" {} {title} ", ix + 1), style));
        }
        Line::from(parts)
    };
    let long = build(false);
    put(&if long.width() <= usize::from(area.width) { long } else { build(true) }, area, buffer);
}

/// The decision and the four answers in a line.
pub fn strip(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let (Some(data), Some(_)) = (&state.data, &state.reading) else { return };
    let build = |(labels, shares): (usize, bool)| {
        let mut parts = vec![span(" ", theme.text)];
        for (ix, arm) in Arm::ALL.into_iter().enumerate() {
            let answer = &state.answers.arms[ix];
            let (glyph, style) = super::panes::arm_look(arm, theme);
            let label = data.label(answer.decision);
            parts.push(span(format!("{glyph} "), style));
            let shown = if state.answers.stale { theme.stale } else { style };
            let share = if shares { format!(" {}", text::share(answer.probability())) } else { String::new() };
            let label = text::fit(label, labels);
            parts.push(span(label + &share, shown));
            parts.push(super::panes::verdict(state, data.label(answer.decision), theme));
            parts.push(span(" ", theme.text));
        }
        Line::from(parts)
    };
    let sizes = [(24, true), (12, true), (7, true), (10, false), (7, false), (5, false)];
    let line = sizes.into_iter().map(build).find(|line| line.width() <= usize::from(area.width));
    put(&line.unwrap_or_else(|| build((4, false))), area, buffer);
}

/// The two commands that a hint stands for, where a pair of keys says more than one of them.
fn pair(command: Command) -> Option<(Command, Command)> {
    match command {
        Command::WeightUp => Some((Command::WeightDown, command)),
        Command::NextQuery => Some((command, Command::PreviousQuery)),
        Command::StepOn => Some((Command::StepBack, command)),
        Command::RungOn => Some((Command::RungBack, command)),
        Command::Faster => Some((Command::Slower, command)),
        Command::NextConflict => Some((command, Command::PreviousConflict)),
        Command::NextOverride => Some((command, Command::PreviousOverride)),
        Command::NextFlip => Some((command, Command::PreviousFlip)),
        Command::NextWrong => Some((command, Command::PreviousWrong)),
        Command::NextSaid => Some((command, Command::PreviousSaid)),
        _ => None,
    }
}

/// Rows that long news may take.
const NEWS_ROWS: usize = 4;

/// News in the row `area` and as many above it as they need: what to do about something stands at its end.
fn news_in_full(news: &str, style: Style, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width).saturating_sub(2);
    let mut lines = text::wrap(news, columns);
    let rows = NEWS_ROWS.min(usize::from(area.y) + 1);
    if lines.len() > rows {
        let rest = lines.split_off(rows - 1).join(" ");
        lines.push(text::fit(&rest, columns));
    }
    for (above, line) in lines.into_iter().rev().enumerate() {
        let row = Rect { y: area.y - above as u16, height: 1, ..area };
        Clear.render(row, buffer);
        buffer.set_style(row, theme.text);
        put(&Line::from(vec![span(" ", theme.text), span(line, style)]), row, buffer);
    }
}

/// News in full, over whatever they need room of.
pub fn news(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if let Some((news, style)) = told(state, theme) {
        news_in_full(&news, style, theme, area, buffer);
    }
}

/// What there is to tell, if anything.
fn told(state: &State, theme: &Theme) -> Option<(String, Style)> {
    let news = state.notice.clone().map(|notice| (notice.text, if notice.failure { theme.error } else { theme.busy }));
    let memory = || match state.memory {
        MemoryState::Failed(_) => memory_news(state).map(|text| (text, theme.error)),
        _ => None,
    };
    // What is wrong with a line being typed says what to type instead, and may need more than the rest of that line.
    let complaint = match &state.overlay {
        Some(Overlay::Edit(edit)) => edit.complaint.clone().map(|complaint| (complaint, theme.error)),
        _ => None,
    };
    complaint.or(news).or_else(memory)
}

/// Hints for what can be done here, where there is no news.
pub fn status(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if told(state, theme).is_some() {
        return;
    }
    let mut parts = vec![span(" ", theme.text)];
    let context = state.context();
    let hinted = |entry: &&Entry| {
        !entry.hint.is_empty() && entry.command.unavailable(state).is_none() && state.keys.reads(context, entry)
    };
    for entry in context.entries().filter(hinted) {
        let key = match pair(entry.command) {
            Some((one, other)) => format!("{}/{}", state.keys.first(one), state.keys.first(other)),
            None => state.keys.first(entry.command).to_owned(),
        };
        let hint = [span(key, theme.key), span(format!(" {}   ", entry.hint), theme.dim)];
        if width_of(&parts) + width_of(&hint) > usize::from(area.width) + 2 {
            break;
        }
        parts.extend(hint);
    }
    put(&Line::from(parts), area, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_the_header_keeps_its_end() {
        let line = || Line::from(vec![Span::raw("nano 1M ◐ "), Span::raw("reading 3.3 s · esc stops")]);
        let told = |columns| ending(line(), columns).to_string();
        assert_eq!(told(35), "nano 1M ◐ reading 3.3 s · esc stops");
        assert_eq!(told(34), "…no 1M ◐ reading 3.3 s · esc stops");
        assert_eq!(told(10), "…esc stops");
        assert!((1..35).all(|columns| ending(line(), columns).width() <= columns));
    }
}
