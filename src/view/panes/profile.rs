//! The prose profile of who asks: how it stands, in a few words.

use ratatui::style::Style;

use super::super::{bars, symbols, text};
use crate::app::state::{ModelState, Phase, State};
use crate::theme::Theme;

/// How the profile stands: what is being written, else from how much of the history the one at hand is, and whether it
/// stands in prompts. `None` where there is nothing to say.
pub fn standing(state: &State, theme: &Theme) -> Option<(String, Style)> {
    let profile = &state.profile;
    let waits = matches!(state.model, ModelState::Loading(_)) || state.answers.open();
    let of = profile.draft.history.as_ref().map_or(0, |history| history.len());
    let spinner = bars::spinner(state);
    let told = match &profile.draft.phase {
        Phase::Waiting if waits => Some((format!("{spinner} waits for the answers; c stops it"), theme.busy)),
        Phase::Waiting => {
            let read = text::plural(of, "interaction", "interactions");
            Some((format!("{spinner} the model reads {read}; c stops it"), theme.busy))
        }
        Phase::Speaking => {
            let pieces = text::plural(profile.draft.pieces, "token", "tokens");
            Some((format!("{spinner} being written, {pieces}; c stops it"), theme.busy))
        }
        Phase::Lost(outage) => Some((outage.to_string(), theme.error)),
        Phase::Stopped => Some(("stopped; w writes it".to_owned(), theme.busy)),
        Phase::Failed(reason) => Some((reason.clone(), theme.error)),
        Phase::Unasked | Phase::Done(_) => None,
    };
    told.or_else(|| {
        let told = profile.told()?;
        let dot = symbols::DOT;
        Some(match (profile.off, state.holds_another_history()) {
            (true, _) => (format!("{told} {dot} left out of prompts"), theme.stale),
            (_, true) => (format!("{told} {dot} not with another history"), theme.stale),
            _ if profile.stale() => (format!("{told} {dot} stale"), theme.stale),
            _ => (told, theme.dim),
        })
    })
}

/// That there is a profile, in a word or two for the pane's frame.
pub fn note(state: &State) -> Option<String> {
    let profile = &state.profile;
    if profile.draft.phase.is_open() {
        return Some(format!("profile {}", bars::spinner(state)));
    }
    let fitting = profile.fitting.as_ref().filter(|_| state.profile_in_prompts().is_some())?;
    Some(if profile.stale() { format!("profile of {}", fitting.from) } else { "profile".to_owned() })
}

/// How its words look: faded where they do not stand in prompts.
pub fn look(state: &State, theme: &Theme) -> Style {
    if state.profile_in_prompts().is_none() { theme.stale } else { theme.text }
}
