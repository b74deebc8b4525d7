//! The prose profile of who asks: the text, where it comes from, and what can be done with it.

use ratatui::style::Style;
use ratatui::text::Line;

use super::super::super::panes::profile::{look, standing};
use super::super::super::{span, symbols, text};
use super::Shown;
use crate::app::state::State;
use crate::theme::Theme;

pub(super) fn shown(state: &State, theme: &Theme, width: usize) -> Shown {
    let words = |told: &str, style: Style| -> Vec<Line<'static>> {
        text::wrap(told, width).into_iter().map(|line| Line::from(span(line, style))).collect()
    };
    let profile = &state.profile;
    let user = state.question.as_ref().map_or("", |question| question.user.as_str());
    let visible = text::plural(profile.visible(), "interaction", "interactions");
    let head = format!("{} {} {visible} before the question", text::fit(user, 32), symbols::DOT);
    let mut head = vec![Line::from(span(text::fit(&head, width), theme.title))];
    head.extend(standing(state, theme).map(|(told, style)| Line::from(span(text::fit(&told, width), style))));
    head.push(Line::default());

    let mut body = Vec::new();
    if profile.draft.phase.is_open() && !profile.draft.text.is_empty() {
        body.extend(words(&profile.draft.text, theme.busy));
        body.push(Line::default());
    }
    match &profile.fitting {
        Some(fitting) => {
            body.extend(words(fitting.text(), look(state, theme)));
            if fitting.edited.is_some() && !fitting.written.is_empty() {
                body.push(Line::default());
                body.extend(words("the model had written", theme.title));
                body.extend(words(&fitting.written, theme.stale));
            }
            if !fitting.model.is_empty() {
                body.push(Line::default());
                body.extend(words(&format!("by {}, {} tokens", fitting.model, fitting.tokens), theme.dim));
            }
        }
        None if !profile.draft.phase.is_open() => {
            let can = match state.cannot_profile() {
                Some(reason) => format!("e types one; {reason}"),
                None => "w has the model write one, e types one".to_owned(),
            };
            let told = if profile.visible() == 0 {
                "Nothing is remembered about this person before this moment, so there is nothing to write from."
            } else {
                "There is no profile that this question may know."
            };
            body.extend(words(told, theme.text));
            let can = if profile.visible() == 0 { String::new() } else { can };
            body.extend(words(&can, theme.key));
        }
        None => {}
    }
    body.extend(profile.unkept.iter().flat_map(|reason| words(&format!("not kept on disk: {reason}"), theme.error)));
    body.push(Line::default());
    let about = "Stands among the person's own memories in the prompts of local and mediated, where it has its part of the \
                 room. It is made from what they did before the question and nothing later; where more has happened \
                 since, it says so until it is written again. Weights do not act on it, and the rules do not read it.";
    body.extend(words(about, theme.dim));
    Shown { head, body }
}
