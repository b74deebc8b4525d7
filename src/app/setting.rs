//! How the present setting stands: to the model, to the dataset's defaults and to the tries.

use super::state::{ModelState, Setting, State};
use crate::data::dataset::TaskKind;
use crate::engine::fit::Fit;
use crate::mediator::weights::Scope;
use crate::mediator::{Policy, Weight};
use crate::session::tries::Try;

/// What a step back restores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// The setting.
    pub setting: Setting,
    /// The try it had come from.
    pub at_try: u32,
}

impl State {
    /// Whether a model is on its way, to live work.
    pub fn awaits_model(&self) -> bool {
        self.replay.is_none() && (self.incoming.is_some() || matches!(self.model, ModelState::Loading(_)))
    }

    /// How the model stands to the dataset. What is replayed was recorded with a model that fitted.
    pub fn fit(&self) -> Fit {
        match (&self.model, self.manifest()) {
            _ if self.replay.is_some() => Fit::Fitted,
            (ModelState::Absent(_), _) | (_, None) => Fit::Absent,
            (_, Some(manifest)) => self.training.fit(manifest),
        }
    }

    /// Why `weight` does nothing now; `None` if it acts.
    pub fn ignored(&self, weight: Weight) -> Option<&'static str> {
        let of_reading = self.reading.as_ref().map(|reading| reading.evidence.facet.task());
        let task = of_reading.or(self.manifest().map(|manifest| manifest.task)).unwrap_or(TaskKind::Labels);
        self.setting.policy.ignores(weight, task).or_else(|| match weight.scope() {
            Scope::Model if self.writes() => Some("a model writes texts; nothing of it is weighed"),
            Scope::Prompt if self.replay.is_some() => Some("a replay does not ask the model again"),
            Scope::Prompt | Scope::Model => self.model.unable(),
            Scope::Mediate | Scope::Display | Scope::Session => None,
        })
    }

    /// Why `policy` cannot be chosen now; `None` if it can.
    pub fn barred(&self, policy: Policy) -> Option<&'static str> {
        match (&self.replay, &self.model) {
            _ if !policy.writes() => None,
            (Some(replaying), _) => (!replaying.opened.written).then_some("no memory was written in this session"),
            (None, ModelState::Ready(caps)) if caps.writes() => None,
            (None, ModelState::Ready(_)) => Some("the model has no chat template, so it cannot be told to write"),
            (None, ModelState::Loading(_)) => Some("the model is still being loaded"),
            (None, model) => model.unable(),
        }
    }

    /// The rule that the dataset is decided by unless someone asks for another.
    fn policy(&self) -> Policy {
        self.manifest().map_or(Policy::default(), |manifest| Policy::of(manifest.task))
    }

    /// The setting of the try with this number; 0 is the dataset's default, in a replay the recorded setting.
    pub fn setting_of(&self, number: u32) -> Option<Setting> {
        if number == 0 {
            let policy = self.replay.as_ref().map_or(self.policy(), |replaying| replaying.setting().policy);
            return Some(Setting { weights: self.defaults_of(policy), policy });
        }
        let saved = self.tries.iter().find(|saved| saved.number == number)?;
        Some(saved.setting(&self.defaults_of(saved.policy)))
    }

    /// The try that the present setting is, or, with a star, the one that it was turned away from. The default needs no
    /// name.
    pub fn try_title(&self) -> Option<String> {
        let holds = |saved: &&Try| self.setting_of(saved.number) == Some(self.setting);
        let from = self.tries.iter().find(|saved| saved.number == self.at_try);
        let default = || self.setting_of(0) == Some(self.setting);
        match from.filter(holds).or_else(|| self.tries.iter().find(holds).filter(|_| !default())) {
            Some(saved) => Some(saved.title()),
            None => from.map(|saved| format!("{} *", saved.title())),
        }
    }

    /// Goes by the number that the present try has been given in the place of another.
    pub(super) fn renumber(&mut self, moved: Option<(u32, u32)>) {
        if let Some((_, to)) = moved.filter(|(from, _)| *from == self.at_try) {
            self.at_try = to;
        }
    }

    /// What a step back from here would restore.
    pub fn held(&self) -> Held {
        Held { setting: self.setting, at_try: self.at_try }
    }
}
