//! Scenarios: sessions made from a dataset to show one thing, deterministically; times are the data's own.
//!
//! * **Cold start**: all that one person did is taken out of the data; then each of their first [`COLD_TURNS`]
//!   interactions is asked *before* it is remembered, so that their history grows from nothing.
//! * **Biased user** (method: at least [`BIASED_ITEMS`] items, [`BIASED_SHARE`] of them with one response): questions
//!   from the time when their history is that skewed already, as many off-habit ones (they answered something else) as
//!   on-habit ones, at most [`HABIT_PAIRS`] of each: the newest off-habit ones, each with the on-habit one nearest in
//!   time. Questions are the person's own interactions and judged queries; memory is read strictly before each.
//!
//! Who is shown, unless named: everyone who fits is tried with memory alone under the setting given, and
//!
//! * for a cold start, somebody for whom global is right more often than local in the first third and local more often
//!   than global in the last, and mediated in all at least as often as either: the largest lesser lead of the two, then the largest sum, then the most right answers of
//!   arm *mediated*;
//! * for a biased user, somebody for whom mediated is right more often than local off-habit, by more than it loses
//!   on-habit: the largest gain less that loss, then the largest gain.
//!
//! The first in order of identity wins ties. Where a model has a say in the final decisions, the [`SHORTLIST`] best are
//! tried once more with its answers, and the best of those is taken. This picks an *illustration*; it says nothing
//! about how often the effect occurs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::check::{remember, without};
use super::error::SessionError;
use super::event::{Asked, DatasetId, Event, FORMAT, Header, ModelId, Setting};
use super::log::Session;
use super::record::turn;
use super::replay::{Outcome, State};
use crate::data::dataset::Dataset;
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::engine::engine::Engine;
use crate::engine::prompt::Arm;
use crate::mediator::Course;
use crate::memory::Memory;

/// Questions of a cold start.
pub const COLD_TURNS: usize = 24;
/// Off-habit questions of a biased user, and on-habit ones, at most.
pub const HABIT_PAIRS: usize = 8;
/// Off-habit questions that somebody who is picked must have.
const LEAST_PAIRS: usize = 4;
/// How many candidates are tried with a model.
pub const SHORTLIST: usize = 5;
/// Fewest items of a biased user.
pub const BIASED_ITEMS: usize = 10;
/// Least share of a biased user's top response.
pub const BIASED_SHARE: f64 = 0.8;

/// What a session is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A history that grows from nothing.
    ColdStart,
    /// A long but one-sided history.
    Biased,
}

impl Scenario {
    /// All.
    pub const ALL: [Scenario; 2] = [Scenario::ColdStart, Scenario::Biased];

    /// Name in CLI, files and docs.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::ColdStart => "cold-start",
            Scenario::Biased => "biased",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.map(Self::name).join(" or ");
        Self::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(|| format!("'{name}' is no scenario; use {}", known()))
    }
}

/// Whoever answers besides memory.
pub struct Voice<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// What it runs.
    pub model: ModelId,
}

/// A question, and whether it is remembered afterwards.
#[derive(Clone, Debug, PartialEq)]
struct Planned {
    asked: Asked,
    then: Option<Interaction>,
}

/// Who is asked what.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// To show what.
    pub scenario: Scenario,
    /// About whom.
    pub user: UserId,
    /// Why them, in a sentence.
    pub why: String,
    turns: Vec<Planned>,
}

impl Plan {
    /// A plan about `user`, or about whoever shows it best.
    pub fn of(
        scenario: Scenario,
        dataset: &Dataset,
        user: Option<&UserId>,
        setting: &Setting,
        voice: Option<&Voice>,
    ) -> Result<Self, SessionError> {
        match user {
            Some(user) => {
                let unfit = |reason| SessionError::Unfit { user: user.clone(), reason };
                let turns = turns(scenario, dataset, user).map_err(unfit)?;
                Ok(Self { scenario, user: user.clone(), why: "named by whoever recorded this".to_owned(), turns })
            }
            None => Self::picked(scenario, dataset, setting, voice),
        }
    }

    fn picked(
        scenario: Scenario,
        dataset: &Dataset,
        setting: &Setting,
        voice: Option<&Voice>,
    ) -> Result<Self, SessionError> {
        // One memory serves every trial: what somebody does later is not there when they are asked.
        let memory = Memory::build(dataset);
        let mut tried = 0;
        let mut showing: Vec<(Merit, UserId, Vec<Planned>)> = Vec::new();
        for user in dataset.users() {
            let Ok(turns) = turns(scenario, dataset, &user) else { continue };
            if turns.len() >= least_turns(scenario) {
                tried += 1;
                let merit = merit(scenario, &trial(&memory, None, setting, &turns)?);
                showing.extend(merit.map(|merit| (merit, user, turns)));
            }
        }
        // Stable: among equals the first in order of identity stays first.
        showing.sort_by_key(|(merit, ..)| std::cmp::Reverse(*merit));
        // A model without weight in the decision cannot change who shows it.
        if let Some(voice) = voice.filter(|_| setting.weights.model_trust > 0.0) {
            let mut heard = Vec::new();
            for (_, user, turns) in showing.into_iter().take(SHORTLIST) {
                let merit = merit(scenario, &trial(&memory, Some(voice.engine), setting, &turns)?);
                heard.extend(merit.map(|merit| (merit, user, turns)));
            }
            heard.sort_by_key(|(merit, ..)| std::cmp::Reverse(*merit));
            showing = heard;
        }
        match showing.into_iter().next() {
            Some((_, user, turns)) => {
                let why = format!("picked among {tried} who fit: {}", rule(scenario));
                Ok(Self { scenario, user, why, turns })
            }
            None => {
                let reason = format!("of {tried} people tried, nobody shows it ({})", rule(scenario));
                Err(SessionError::Nobody { dataset: dataset.manifest.name.clone(), scenario: scenario.name(), reason })
            }
        }
    }

    /// How many questions are asked.
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Asks everything on all arms and records it. Without a voice memory alone answers.
    pub fn record(&self, dataset: &Dataset, setting: Setting, voice: Option<&Voice>) -> Result<Session, SessionError> {
        let removed = match self.scenario {
            Scenario::ColdStart => vec![self.user.clone()],
            Scenario::Biased => Vec::new(),
        };
        let mut known = without(dataset, &removed);
        // All at once gives the same reads as one after another: no question looks back on what comes after it.
        remember(&mut known, self.turns.iter().filter_map(|turn| turn.then.clone()));
        let memory = Memory::build(&known);
        let header = Header {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            title: format!("{} {}", self.scenario, self.user),
            dataset: DatasetId { name: dataset.manifest.name.clone(), hash: dataset.content_hash(), without: removed },
            model: voice.map(|voice| voice.model.clone()),
            device: voice.map(|voice| voice.engine.caps().device.clone()),
            setting,
            embedder: memory.embedder(),
            seed: 0,
            labels: dataset.manifest.responses(),
            origin: None,
        };
        let mut course = Course::default();
        let mut events = vec![Event::Note { text: format!("{}: {}", header.title, self.why) }];
        for planned in &self.turns {
            let engine = voice.map(|voice| voice.engine);
            events.extend(turn(&memory, engine, setting, &mut course, planned.asked.clone())?);
            events.extend(planned.then.clone().map(|interaction| Event::Remembered { interaction }));
        }
        Ok(Session::new(header, events))
    }
}

/// How a candidate is ranked, greatest first.
type Merit = [i64; 3];

/// The rule by which somebody is picked, in words.
fn rule(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::ColdStart => {
            "global is right more often than local in the first third, local more often in the last, mediated as often as \
             either"
        }
        Scenario::Biased => "mediated gains most over local off-habit, less what it loses on-habit",
    }
}

fn least_turns(scenario: Scenario) -> usize {
    match scenario {
        Scenario::ColdStart => COLD_TURNS,
        Scenario::Biased => 2 * LEAST_PAIRS,
    }
}

/// How clearly `outcomes` show the scenario; `None` if they do not.
fn merit(scenario: Scenario, outcomes: &[Outcome]) -> Option<Merit> {
    let right = |outcomes: &mut dyn Iterator<Item = &Outcome>, arm: Arm| -> i64 {
        outcomes.filter(|outcome| outcome.arms[arm as usize] == Some(true)).count() as i64
    };
    let lead = |part: &[&Outcome], ahead: Arm, behind: Arm| {
        right(&mut part.iter().copied(), ahead) - right(&mut part.iter().copied(), behind)
    };
    match scenario {
        Scenario::ColdStart => {
            let all: Vec<&Outcome> = outcomes.iter().collect();
            let third = all.len() / 3;
            let opening = lead(&all[..third], Arm::Global, Arm::Local);
            let closing = lead(&all[all.len() - third..], Arm::Local, Arm::Global);
            let [local, global, mediated] =
                [Arm::Local, Arm::Global, Arm::Mediated].map(|arm| right(&mut outcomes.iter(), arm));
            let shown = opening > 0 && closing > 0 && mediated >= local.max(global);
            shown.then(|| [opening.min(closing), opening + closing, mediated])
        }
        Scenario::Biased => {
            let part = |on: bool| outcomes.iter().filter(|o| o.on_habit == Some(on)).collect::<Vec<_>>();
            let gain = lead(&part(false), Arm::Mediated, Arm::Local);
            let loss = lead(&part(true), Arm::Local, Arm::Mediated);
            (gain > loss.max(0)).then_some([gain - loss, gain, 0])
        }
    }
}

/// How a plan would come out.
fn trial(
    memory: &Memory,
    engine: Option<&dyn Engine>,
    setting: &Setting,
    turns: &[Planned],
) -> Result<Vec<Outcome>, SessionError> {
    let mut outcomes = Vec::new();
    let mut course = Course::default();
    for planned in turns {
        let mut state = State::new(*setting);
        turn(memory, engine, *setting, &mut course, planned.asked.clone())?
            .into_iter()
            .for_each(|event| state.apply(&Arc::new(event)));
        outcomes.append(&mut state.outcomes);
    }
    Ok(outcomes)
}

/// The questions for `user`, or why there are none.
fn turns(scenario: Scenario, dataset: &Dataset, user: &UserId) -> Result<Vec<Planned>, String> {
    let own: Vec<&Interaction> = dataset.interactions.iter().filter(|interaction| interaction.user == *user).collect();
    if own.is_empty() {
        return Err(format!("has no interaction in '{}'", dataset.manifest.name));
    }
    match scenario {
        Scenario::ColdStart if own.len() < 2 => {
            Err("has 1 interaction; a history that grows needs at least 2".to_owned())
        }
        Scenario::ColdStart => {
            let planned = |interaction: &&Interaction| Planned {
                asked: asked_of(interaction),
                then: Some((*interaction).clone()),
            };
            Ok(own.iter().take(COLD_TURNS).map(planned).collect())
        }
        Scenario::Biased => biased_turns(dataset, user, &own),
    }
}

fn asked_of(interaction: &Interaction) -> Asked {
    Asked {
        user: interaction.user.clone(),
        at: interaction.at,
        query: interaction.query.clone(),
        gold: Some(interaction.response.clone()),
        source: Some(interaction.id.clone()),
    }
}

/// The most frequent response of a history with its share; among equals the first in alphabetical order.
fn habit<'a>(history: &[&'a Interaction]) -> Option<(&'a str, f64)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    history.iter().for_each(|interaction| *counts.entry(&interaction.response).or_default() += 1);
    let top = counts.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    Some((top.0, top.1 as f64 / history.len() as f64))
}

fn biased_turns(dataset: &Dataset, user: &UserId, own: &[&Interaction]) -> Result<Vec<Planned>, String> {
    let skewed =
        |history: &[&Interaction]| history.len() >= BIASED_ITEMS && habit(history).is_some_and(|h| h.1 >= BIASED_SHARE);
    if !skewed(own) {
        let (label, share) = habit(own).unwrap_or_default();
        return Err(format!(
            "has {} interactions, {share:.2} of them '{label}'; a biased user has at least {BIASED_ITEMS}, \
             {BIASED_SHARE:.2} of them alike",
            own.len()
        ));
    }
    let before = |t: Timestamp| &own[..own.partition_point(|interaction| interaction.at < t)];
    let judged =
        dataset.queries.iter().filter(|query| query.user == *user && query.gold.is_some()).map(|query| Asked {
            user: query.user.clone(),
            at: query.at,
            query: query.query.clone(),
            gold: query.gold.clone(),
            source: Some(query.id.clone()),
        });
    let mut all: Vec<Asked> = own.iter().map(|interaction| asked_of(interaction)).chain(judged).collect();
    all.retain(|asked| skewed(before(asked.at)));
    all.sort_by(|a, b| (a.at, &a.source).cmp(&(b.at, &b.source)));
    let is_habit = |asked: &Asked| habit(before(asked.at)).map(|(label, _)| label) == asked.gold.as_deref();
    let (mut on, off): (Vec<Asked>, Vec<Asked>) = all.into_iter().partition(is_habit);
    let mut chosen = Vec::new();
    for asked in off.into_iter().rev().take(HABIT_PAIRS) {
        let distance = |other: &Asked| other.at.0.abs_diff(asked.at.0);
        let Some(nearest) = (0..on.len()).min_by_key(|ix| distance(&on[*ix])) else { break };
        chosen.push(on.remove(nearest));
        chosen.push(asked);
    }
    if chosen.is_empty() {
        return Err("was never asked off-habit while their history was that skewed".to_owned());
    }
    chosen.sort_by(|a, b| (a.at, &a.source).cmp(&(b.at, &b.source)));
    Ok(chosen.into_iter().map(|asked| Planned { asked, then: None }).collect())
}
