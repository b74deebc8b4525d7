//! Merit: how clearly what somebody would be asked shows a scenario, tried on memory alone or with a model.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::Planned;
use super::{COLD_TURNS, Scenario, biased};
use crate::engine::engine::Engine;
use crate::engine::prompt::Arm;
use crate::mediator::Course;
use crate::memory::Memory;
use crate::session::SessionError;
use crate::session::event::Setting;
use crate::session::record::turn;
use crate::session::replay::{Outcome, State};

/// How a candidate is ranked, greatest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Merit {
    /// Whether they show it at all.
    pub(super) shown: bool,
    /// How well, or how nearly: the first number decides, then the second.
    by: [i64; 3],
}

/// The rule by which somebody is picked, in words.
pub(super) fn rule(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::ColdStart => {
            "global is right more often than local in the first third, local more often in the last, mediated as often as \
             either"
        }
        Scenario::Biased => "mediated gains most over local off-habit, less what it loses on-habit",
        Scenario::Ladder => {
            "global is right more often than local on the lower rungs, local more often on the upper ones, mediated as \
             often as either"
        }
        Scenario::Dial => {
            "on rungs above one half mediated gains most over local off-habit, less what it loses on-habit"
        }
        Scenario::Drift => "the responses before and after differ most clearly",
        Scenario::NewCommunity => "its answers are least like everyone else's",
        Scenario::Gallery => "the strongest of its type",
    }
}

/// What somebody who is picked has to have enough of.
pub(super) fn counted(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::ColdStart => "interactions",
        Scenario::Biased => "questions, half of them off-habit",
        _ => "questions",
    }
}

/// How many questions somebody who is picked has at least; who is named may have fewer.
pub(super) fn least_turns(scenario: Scenario) -> usize {
    match scenario {
        Scenario::ColdStart => COLD_TURNS,
        Scenario::Biased => 2 * biased::LEAST_PAIRS,
        _ => 1,
    }
}

/// How clearly `outcomes` show the scenario. `places` say where each question stands: in the order of asking, or on which
/// rung.
pub(super) fn merit(scenario: Scenario, outcomes: &[Outcome], places: &[usize]) -> Merit {
    let right = |outcomes: &mut dyn Iterator<Item = &Outcome>, arm: Arm| -> i64 {
        outcomes.filter(|outcome| outcome.arms[arm as usize] == Some(true)).count() as i64
    };
    let lead = |part: &[&Outcome], ahead: Arm, behind: Arm| {
        right(&mut part.iter().copied(), ahead) - right(&mut part.iter().copied(), behind)
    };
    match scenario {
        Scenario::ColdStart | Scenario::Ladder => {
            // A ladder asks each question rung by rung; what counts is the place on it.
            let rungs = places.iter().max().map_or(1, |top| top + 1);
            let third = rungs / 3;
            let part = |on: &dyn Fn(usize) -> bool| -> Vec<&Outcome> {
                outcomes.iter().zip(places).filter(|(_, place)| on(**place)).map(|(outcome, _)| outcome).collect()
            };
            let opening = lead(&part(&|place| place < third), Arm::Global, Arm::Local);
            let closing = lead(&part(&|place| place >= rungs - third), Arm::Local, Arm::Global);
            let [local, global, mediated] =
                [Arm::Local, Arm::Global, Arm::Mediated].map(|arm| right(&mut outcomes.iter(), arm));
            let shown = opening > 0 && closing > 0 && mediated >= local.max(global);
            Merit { shown, by: [mediated, opening.min(closing), opening + closing] }
        }
        Scenario::Biased | Scenario::Dial => {
            let rungs = places.iter().max().map_or(1, |top| top + 1);
            let counts = |place: usize| scenario == Scenario::Biased || 2 * place >= rungs;
            let part = |on: bool| {
                let found = outcomes.iter().zip(places).filter(|(o, place)| counts(**place) && o.on_habit == Some(on));
                found.map(|(outcome, _)| outcome).collect::<Vec<_>>()
            };
            let gain = lead(&part(false), Arm::Mediated, Arm::Local);
            let loss = lead(&part(true), Arm::Local, Arm::Mediated);
            Merit { shown: gain > loss.max(0), by: [gain - loss, gain, 0] }
        }
        // Nobody is tried for these.
        Scenario::Drift | Scenario::NewCommunity | Scenario::Gallery => Merit { shown: false, by: [0; 3] },
    }
}

/// Where each question stands: how often the same one was asked before it, or, where none is asked twice, in their order.
pub(super) fn places(turns: &[Planned]) -> Vec<usize> {
    let mut asked: BTreeMap<&Option<String>, usize> = BTreeMap::new();
    let mut again = Vec::with_capacity(turns.len());
    for turn in turns {
        let times = asked.entry(&turn.asked.source).or_default();
        again.push(*times);
        *times += 1;
    }
    if again.iter().all(|place| *place == 0) { (0..turns.len()).collect() } else { again }
}

/// How a plan would come out, if that is `wanted` to the end.
pub(super) fn trial(
    memory: &Memory,
    engine: Option<&dyn Engine>,
    setting: &Setting,
    turns: &[Planned],
    wanted: &dyn Fn() -> bool,
) -> Result<Vec<Outcome>, SessionError> {
    let mut outcomes = Vec::new();
    let mut course = Course::default();
    for planned in turns {
        if !wanted() {
            return Err(SessionError::Unwanted);
        }
        let mut state = State::new(*setting);
        turn(memory, engine, *setting, &mut course, planned.asked.clone())?
            .into_iter()
            .for_each(|event| state.apply(&Arc::new(event)));
        outcomes.append(&mut state.outcomes);
    }
    Ok(outcomes)
}
