//! The prose profile of who asks, as the workbench holds it.
//!
//! Invariant: what stands in a prompt is made from interactions that the question at hand may know; everything else that is
//! kept of the person is passed over.

use std::sync::Arc;

use super::answers::{Phase, WRITING};
use super::state::{ModelState, State};
use crate::data::interaction::UserId;
use crate::engine::profile::{self, History, Profile};
use crate::session::event::Prose;

/// The number of a profile among what the model is asked.
pub const PROFILE: u64 = WRITING + 1;

/// What is known of the profile of who asks.
#[derive(Clone, Debug, Default)]
pub struct Profiling {
    /// Whether profiles are kept on disk.
    pub kept: bool,
    /// Whether they are left out of prompts.
    pub off: bool,
    /// The dataset and the person whose profiles are known, or on their way.
    pub whose: Option<(String, UserId)>,
    /// All of them.
    pub known: Vec<Profile>,
    /// What the person did before the question at hand; `None` before memory has answered it.
    pub history: Option<Arc<History>>,
    /// The one of them that fits that.
    pub fitting: Option<Profile>,
    /// One that is being written.
    pub draft: Draft,
    /// Why the last change is not on disk.
    pub unkept: Option<String>,
}

/// A profile that the model writes.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// How far it is.
    pub phase: Phase,
    /// What the model has said so far.
    pub text: String,
    /// Pieces of that.
    pub pieces: usize,
    /// What it is made from.
    pub history: Option<Arc<History>>,
}

impl Profiling {
    /// How many interactions the question at hand knows of the person.
    pub fn visible(&self) -> usize {
        self.history.as_ref().map_or(0, |history| history.len())
    }

    /// How the fitting profile stands to them, in words.
    pub fn told(&self) -> Option<String> {
        let fitting = self.fitting.as_ref()?;
        Some(fitting.told(self.visible()))
    }

    /// Whether the fitting profile misses some of them.
    pub fn stale(&self) -> bool {
        self.fitting.as_ref().is_some_and(|fitting| fitting.from < self.visible())
    }
}

impl State {
    /// The profile that stands in prompts now. With another history than their own, a person is asked without it.
    pub fn profile_in_prompts(&self) -> Option<&Profile> {
        let used = !self.profile.off && !self.holds_another_history();
        self.profile.fitting.as_ref().filter(|_| used)
    }

    /// The same as a session records it.
    pub fn prose(&self) -> Option<Prose> {
        let profile = self.profile_in_prompts()?;
        let (of, edited) = (self.profile.visible(), profile.edited.is_some());
        Some(Prose { prose: profile.text().to_owned(), from: profile.from, of, edited })
    }

    /// What the model that answers is told apart by; empty while there is none.
    pub fn model_identity(&self) -> String {
        match &self.model {
            ModelState::Ready(caps) => profile::identity(caps),
            _ => String::new(),
        }
    }

    /// Why the model cannot be told to write a profile now; `None` if it can.
    pub fn cannot_profile(&self) -> Option<&'static str> {
        match &self.model {
            ModelState::Ready(caps) if caps.writes() => None,
            ModelState::Ready(_) => Some("the model has no chat template, so it cannot be told to write"),
            ModelState::Loading(_) => Some("the model is still being loaded"),
            model => model.unable(),
        }
    }
}
