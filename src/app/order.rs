//! Scenarios made of the dataset on the screen: what is asked for, and the one under way.
//!
//! Invariants: a session is made on a thread of its own and never on the one that reads memory; the newest order wins, and
//! one that was stopped or superseded ends before its next question, is answered and not heard.

use std::sync::Arc;
use std::time::Duration;

use super::replay::Opened;
use super::state::{Data, Setting};
use crate::session::SessionError;
use crate::session::scenario::{Options, Plan, Scenario};

/// A scenario to be made, memory alone answering.
#[derive(Clone, Debug)]
pub struct Order {
    /// Above that of every order before.
    pub ticket: u64,
    /// Which.
    pub scenario: Scenario,
    /// The dataset that it is made of.
    pub data: Arc<Data>,
    /// Weights and policy of its first question.
    pub setting: Setting,
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        (self.ticket, self.scenario) == (other.ticket, other.scenario) && self.setting == other.setting
    }
}

impl Order {
    /// Picks somebody in whom the scenario shows, asks and records, as long as that is `wanted`; or says why nobody is found.
    pub(super) fn make(&self, wanted: &dyn Fn() -> bool) -> Result<Opened, String> {
        let whole = self.data.whole().map_err(|error| error.to_string())?;
        let (dataset, setting) = (whole.as_ref(), self.setting);
        let made = Plan::sought(&Options::default(), self.scenario, dataset, None, &setting, None, wanted)
            .and_then(|plan| plan.recorded(dataset, setting, None, wanted));
        let name = self.scenario.name().to_owned();
        let session = made.map_err(told)?;
        let mut opened = Opened::of(name.clone(), session).ok_or_else(|| format!("{name}: nothing is asked in it"))?;
        opened.made = true;
        Ok(opened)
    }
}

/// Why nothing is made, with what can be done here: nobody can be named.
fn told(error: SessionError) -> String {
    match error {
        SessionError::Nobody { dataset, scenario, reason } => format!(
            "nobody in '{dataset}' fits the scenario {scenario}: {reason}; choose another one or other data, or name somebody with \
             `logoscope scenario {scenario} --user U`"
        ),
        error => error.to_string(),
    }
}

/// Orders of this run of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Orders {
    /// The ticket of the newest.
    pub newest: u64,
    /// What is being made, since when.
    pub under_way: Option<(Scenario, Duration)>,
    /// The number of the last session that was to be kept.
    pub kept: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_found_cannot_be_named_with_an_option_here() {
        let nobody = SessionError::Nobody { dataset: "news".into(), scenario: "drift", reason: "it is small".into() };
        assert_eq!(
            told(nobody),
            "nobody in 'news' fits the scenario drift: it is small; choose another one or other data, or name somebody with \
             `logoscope scenario drift --user U`"
        );
    }
}
