//! Scenarios: sessions made from a dataset to show one thing, deterministically; times are the data's own.
//!
//! * **Cold start**: all that one person did is taken out of the data; then each of their first [`COLD_TURNS`]
//!   interactions is asked *before* it is remembered, so that their history grows from nothing.
//! * **Biased user** (method: at least [`biased::ITEMS`] items, [`biased::SHARE`] of them with one response): questions
//!   from the time when their history is that skewed already, as many off-habit ones (they answered something else) as
//!   on-habit ones, at most [`biased::PAIRS`] of each: the newest off-habit ones, each with the on-habit one nearest in
//!   time. Questions are the person's own interactions and judged queries; memory is read strictly before each.
//! * **[Ladder](rungs)** and **[dial](rungs)**: the same questions with less of the person's history, and with a skewed one.
//! * **[Drift](drift)**: somebody whose taste changed, around the change.
//! * **[New community](arrival)**: people whom memory has not seen before a moment, period by period.
//! * **[Gallery](gallery)**: the strongest conflict of each type.
//!
//! Who is shown, unless named: everyone who fits is tried with memory alone under the setting given, and
//!
//! * for a cold start, somebody for whom global is right more often than local in the first third and local more often
//!   than global in the last, and mediated in all at least as often as either: the most right answers of arm *mediated*,
//!   then the largest lesser lead of the two, then the largest sum; for a ladder the same of its lower and upper rungs;
//! * for a biased user, somebody for whom mediated is right more often than local off-habit, by more than it loses
//!   on-habit: the largest gain less that loss, then the largest gain; for a dial the same of its rungs above one half;
//! * for a drift, whose responses changed the most clearly.
//!
//! The first in order of identity wins ties. Where a model has a say in the final decisions, the [`SHORTLIST`] best are
//! tried once more with its answers, and the best of those is taken; where none of them shows it then, the others are
//! tried until somebody does. Whoever does not show it with memory alone is ranked by the same numbers behind those who
//! do. This picks an *illustration*; it says nothing about how often the effect occurs.

pub mod arrival;
pub mod biased;
pub mod drift;
pub mod gallery;
pub mod rungs;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::check::{remember, without};
use super::error::SessionError;
use super::event::{Asked, DatasetId, Event, FORMAT, Header, ModelId, Setting};
use super::log::Session;
use super::record::turn;
use super::replay::{Outcome, State};
use crate::data::dataset::{Dataset, TaskKind};
use crate::data::interaction::{Interaction, JudgedQuery, UserId};
use crate::engine::engine::Engine;
use crate::engine::prompt::Arm;
use crate::mediator::Course;
use crate::memory::Memory;

/// Questions of a cold start.
pub const COLD_TURNS: usize = 24;
/// How many candidates are tried with a model where one of them shows it.
pub const SHORTLIST: usize = 5;

/// What a session is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A history that grows from nothing.
    ColdStart,
    /// A long but one-sided history.
    Biased,
    /// The same questions with less of a history.
    Ladder,
    /// The same questions with a history skewed toward one label.
    Dial,
    /// A taste that changes.
    Drift,
    /// People whom memory has not seen.
    NewCommunity,
    /// The strongest conflicts.
    Gallery,
}

impl Scenario {
    /// All.
    pub const ALL: [Scenario; 7] = [
        Scenario::ColdStart,
        Scenario::Biased,
        Scenario::Ladder,
        Scenario::Dial,
        Scenario::Drift,
        Scenario::NewCommunity,
        Scenario::Gallery,
    ];

    /// Name in CLI, files and docs.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::ColdStart => "cold-start",
            Scenario::Biased => "biased",
            Scenario::Ladder => "ladder",
            Scenario::Dial => "dial",
            Scenario::Drift => "drift",
            Scenario::NewCommunity => "new-community",
            Scenario::Gallery => "gallery",
        }
    }

    /// What it needs labels for; `None` where a dataset of `task` can show it.
    pub fn needs_labels(self, task: TaskKind) -> Option<&'static str> {
        match self {
            _ if task == TaskKind::Labels => None,
            Scenario::Dial => Some("skews a history toward one label"),
            Scenario::Drift => Some("looks for a change of taste in labels"),
            Scenario::NewCommunity => Some("needs communities, which are found by labels"),
            Scenario::ColdStart | Scenario::Biased | Scenario::Ladder | Scenario::Gallery => None,
        }
    }

    /// What it shows, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Scenario::ColdStart => "a history that grows from nothing",
            Scenario::Biased => "a one-sided history, asked on-habit and off-habit",
            Scenario::Ladder => "the same questions with 0, 1, 2, 4, 8 … memories",
            Scenario::Dial => "the same questions with 0 to 100 % of one label",
            Scenario::Drift => "a taste that changes",
            Scenario::NewCommunity => "a community that memory has not met before",
            Scenario::Gallery => "the strongest conflict of every type",
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
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(|| format!("'{name}' is no scenario; use one of {}", known()))
    }
}

/// What may be chosen of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The greatest rung of a ladder: its people have at least as many items.
    pub most: usize,
    /// The oldest items are held instead of the newest.
    pub oldest: bool,
    /// Items of a history on the dial.
    pub length: usize,
    /// Percent from one rung of the dial to the next.
    pub step: usize,
    /// The label of the dial, as an index; `None`: each person's commonest.
    pub label: Option<usize>,
    /// The person who changes is made of two.
    pub made: bool,
    /// The community that arrives; `None`: the one whose answers are least like everyone else's.
    pub community: Option<usize>,
    /// Seed of whatever is drawn.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { most: 32, oldest: false, length: 10, step: 10, label: None, made: false, community: None, seed: 1 }
    }
}

/// Whoever answers besides memory.
pub struct Voice<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// What it runs.
    pub model: ModelId,
}

/// What each person did and was asked, in the order of the dataset: looking for somebody looks at everybody.
struct Records<'a> {
    dataset: &'a Dataset,
    of: BTreeMap<&'a UserId, Person<'a>>,
}

/// What one person did and was asked.
#[derive(Clone, Default)]
struct Person<'a> {
    interactions: Vec<&'a Interaction>,
    queries: Vec<&'a JudgedQuery>,
}

impl<'a> Records<'a> {
    fn of(dataset: &'a Dataset) -> Self {
        let mut of: BTreeMap<&UserId, Person> = BTreeMap::new();
        for interaction in &dataset.interactions {
            of.entry(&interaction.user).or_default().interactions.push(interaction);
        }
        for query in &dataset.queries {
            of.entry(&query.user).or_default().queries.push(query);
        }
        Self { dataset, of }
    }

    fn person(&self, user: &UserId) -> Person<'a> {
        self.of.get(user).cloned().unwrap_or_default()
    }
}

/// A question with what is noted before it and what is remembered afterwards.
#[derive(Clone, Debug, PartialEq)]
struct Planned {
    note: Option<String>,
    asked: Asked,
    then: Vec<Interaction>,
}

impl Planned {
    fn plain(asked: Asked) -> Self {
        Self { note: None, asked, then: Vec::new() }
    }
}

/// Who is asked what.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// To show what.
    pub scenario: Scenario,
    /// About whom or what.
    pub about: String,
    /// Why them, in a sentence.
    pub why: String,
    /// Whose interactions are taken out of the data beforehand.
    removed: Vec<UserId>,
    /// What is remembered before the first question.
    first: Vec<Interaction>,
    turns: Vec<Planned>,
    /// Seed of what was drawn; 0 where nothing was.
    seed: u64,
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
        Self::with(&Options::default(), scenario, dataset, user, setting, voice)
    }

    /// The same with `options`.
    ///
    /// # Errors
    ///
    /// A person named who does not fit, nobody who does, or a failure of memory or the model.
    pub fn with(
        options: &Options,
        scenario: Scenario,
        dataset: &Dataset,
        user: Option<&UserId>,
        setting: &Setting,
        voice: Option<&Voice>,
    ) -> Result<Self, SessionError> {
        if let Some(reason) = scenario.needs_labels(dataset.manifest.task) {
            let (dataset, scenario) = (dataset.manifest.name.clone(), scenario.name());
            return Err(SessionError::OtherTask { dataset, scenario, reason });
        }
        let candidates = match scenario {
            Scenario::Drift => return drift::plan(options, dataset, user),
            Scenario::NewCommunity => return arrival::plan(options, dataset),
            Scenario::Gallery => return gallery::plan(dataset, user, setting),
            Scenario::ColdStart | Scenario::Biased => Candidates::Plain,
            Scenario::Ladder | Scenario::Dial => Candidates::Held(options, Box::new(Memory::build(dataset))),
        };
        match user {
            Some(user) => {
                let unfit = |reason| SessionError::Unfit { user: user.clone(), reason };
                let turns = candidates.turns(scenario, &Records::of(dataset), user).map_err(unfit)?;
                let why = "named by whoever recorded this".to_owned();
                Ok(Self::about(scenario, options, user, why, turns))
            }
            None => Self::picked(scenario, options, &candidates, dataset, setting, voice),
        }
    }

    /// A plan about one person that takes nothing out but what a cold start has to.
    fn about(scenario: Scenario, options: &Options, user: &UserId, why: String, turns: Vec<Planned>) -> Self {
        let removed = if scenario == Scenario::ColdStart { vec![user.clone()] } else { Vec::new() };
        let seed = if scenario == Scenario::Dial { options.seed } else { 0 };
        Self { scenario, about: user.to_string(), why, removed, first: Vec::new(), turns, seed }
    }

    fn picked(
        scenario: Scenario,
        options: &Options,
        candidates: &Candidates,
        dataset: &Dataset,
        setting: &Setting,
        voice: Option<&Voice>,
    ) -> Result<Self, SessionError> {
        // One memory serves every trial: what somebody does later is not there when they are asked.
        let built = candidates.memory().is_none().then(|| Memory::build(dataset));
        let records = Records::of(dataset);
        let Some(memory) = candidates.memory().or(built.as_ref()) else {
            return Err(candidates.nobody(scenario, &records, 0));
        };
        let mut tried = 0;
        let mut fitting: Vec<(Merit, UserId, Vec<Planned>)> = Vec::new();
        for user in dataset.users() {
            let Ok(turns) = candidates.turns(scenario, &records, &user) else { continue };
            if turns.len() >= least_turns(scenario) {
                tried += 1;
                let merit = merit(scenario, &trial(memory, None, setting, &turns)?, &places(&turns));
                fitting.push((merit, user, turns));
            }
        }
        // Stable: among equals the first in order of identity stays first.
        fitting.sort_by_key(|(merit, ..)| Reverse(*merit));
        // A model without weight in the decision cannot change who shows it.
        if let Some(voice) = voice.filter(|_| setting.weights.model_trust > 0.0) {
            let mut heard: Vec<(Merit, UserId, Vec<Planned>)> = Vec::new();
            for (_, user, turns) in fitting {
                // With the model somebody may show it whom the rules alone get right, or wrong.
                if heard.len() >= SHORTLIST && heard.iter().any(|(merit, ..)| merit.shown) {
                    break;
                }
                let merit = merit(scenario, &trial(memory, Some(voice.engine), setting, &turns)?, &places(&turns));
                heard.push((merit, user, turns));
            }
            heard.sort_by_key(|(merit, ..)| Reverse(*merit));
            fitting = heard;
        }
        match fitting.into_iter().find(|(merit, ..)| merit.shown) {
            Some((_, user, turns)) => {
                let why = format!("picked among {tried} who fit: {}", rule(scenario));
                Ok(Self::about(scenario, options, &user, why, turns))
            }
            None => Err(candidates.nobody(scenario, &records, tried)),
        }
    }

    /// How many questions are asked.
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Asks everything on all arms and records it. Without a voice memory alone answers.
    pub fn record(&self, dataset: &Dataset, setting: Setting, voice: Option<&Voice>) -> Result<Session, SessionError> {
        let mut known = without(dataset, &self.removed);
        // All at once gives the same reads as one after another: no question looks back on what comes after it.
        remember(&mut known, self.first.iter().chain(self.turns.iter().flat_map(|turn| &turn.then)).cloned());
        let memory = Memory::build(&known);
        let header = Header {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            title: format!("{} {}", self.scenario, self.about),
            dataset: DatasetId {
                name: dataset.manifest.name.clone(),
                hash: dataset.content_hash(),
                without: self.removed.clone(),
            },
            model: voice.map(|voice| voice.model.clone()),
            device: voice.map(|voice| voice.engine.caps().device.clone()),
            setting,
            embedder: memory.embedder(),
            seed: self.seed,
            labels: dataset.manifest.responses(),
            picked: self.scenario == Scenario::Gallery,
            origin: None,
        };
        let mut course = Course::default();
        let mut events = vec![Event::Note { text: format!("{}: {}", header.title, self.why) }];
        let remembered = |interactions: &[Interaction]| -> Vec<Event> {
            interactions.iter().map(|interaction| Event::Remembered { interaction: interaction.clone() }).collect()
        };
        events.extend(remembered(&self.first));
        for planned in &self.turns {
            let engine = voice.map(|voice| voice.engine);
            let mut asked = turn(&memory, engine, setting, &mut course, planned.asked.clone())?;
            // Behind the question that it is about: before it, it would stand at the end of the turn before.
            asked.splice(1..1, planned.note.clone().map(|text| Event::Note { text }));
            events.extend(asked);
            events.extend(remembered(&planned.then));
        }
        Ok(Session::new(header, events))
    }
}

/// Who may be asked what.
enum Candidates<'a> {
    /// Their own interactions and judged queries, as they are.
    Plain,
    /// The same questions again with other histories.
    Held(&'a Options, Box<Memory>),
}

impl Candidates<'_> {
    fn memory(&self) -> Option<&Memory> {
        match self {
            Candidates::Plain => None,
            Candidates::Held(_, memory) => Some(memory),
        }
    }

    /// The questions for `user`, or why there are none.
    fn turns(&self, scenario: Scenario, records: &Records, user: &UserId) -> Result<Vec<Planned>, String> {
        let (dataset, person) = (records.dataset, records.person(user));
        match (self, scenario) {
            (Candidates::Held(options, memory), Scenario::Ladder) => {
                rungs::ladder(options, dataset, &person, memory, user)
            }
            (Candidates::Held(options, memory), _) => rungs::dial(options, dataset, &person, memory, user),
            (Candidates::Plain, _) => turns(scenario, dataset, &person),
        }
    }

    /// Who did most, and why that person may not be asked.
    fn busiest(&self, scenario: Scenario, records: &Records) -> Option<(UserId, String)> {
        let did = records.of.iter().filter(|(_, person)| !person.interactions.is_empty());
        let (user, _) = did.max_by_key(|(_, person)| person.interactions.len())?;
        Some(((*user).clone(), self.turns(scenario, records, user).err()?))
    }

    /// Who may be asked most, and how many questions that is.
    fn fullest(&self, scenario: Scenario, records: &Records) -> Option<(UserId, usize)> {
        let asked = |user: UserId| self.turns(scenario, records, &user).ok().map(|turns| (user, turns.len()));
        records.dataset.users().into_iter().filter_map(asked).min_by_key(|(_, turns)| Reverse(*turns))
    }

    fn nobody(&self, scenario: Scenario, records: &Records, tried: usize) -> SessionError {
        let reason = if tried > 0 {
            format!("of {tried} people tried, nobody shows it ({})", rule(scenario))
        } else if let Some((user, most)) = self.fullest(scenario, records) {
            let (least, what) = (least_turns(scenario), counted(scenario));
            format!(
                "it takes {least} {what} to be picked, and nobody has more than {most} ('{user}'), which is enough to be \
                 named"
            )
        } else if let Some((user, why_not)) = self.busiest(scenario, records) {
            format!("'{user}', who did most, {why_not}")
        } else {
            "nobody did anything".to_owned()
        };
        SessionError::Nobody { dataset: records.dataset.manifest.name.clone(), scenario: scenario.name(), reason }
    }
}

/// How a candidate is ranked, greatest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    /// Whether they show it at all.
    shown: bool,
    /// How well, or how nearly: the first number decides, then the second.
    by: [i64; 3],
}

/// The rule by which somebody is picked, in words.
fn rule(scenario: Scenario) -> &'static str {
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
fn counted(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::ColdStart => "interactions",
        Scenario::Biased => "questions, half of them off-habit",
        _ => "questions",
    }
}

/// How many questions somebody who is picked has at least; who is named may have fewer.
fn least_turns(scenario: Scenario) -> usize {
    match scenario {
        Scenario::ColdStart => COLD_TURNS,
        Scenario::Biased => 2 * biased::LEAST_PAIRS,
        _ => 1,
    }
}

/// How clearly `outcomes` show the scenario. `places` say where each question stands: in the order of asking, or on which
/// rung.
fn merit(scenario: Scenario, outcomes: &[Outcome], places: &[usize]) -> Merit {
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
fn places(turns: &[Planned]) -> Vec<usize> {
    let mut asked: BTreeMap<&Option<String>, usize> = BTreeMap::new();
    let mut again = Vec::with_capacity(turns.len());
    for turn in turns {
        let times = asked.entry(&turn.asked.source).or_default();
        again.push(*times);
        *times += 1;
    }
    if again.iter().all(|place| *place == 0) { (0..turns.len()).collect() } else { again }
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

/// The questions for a person, or why there are none.
fn turns(scenario: Scenario, dataset: &Dataset, person: &Person) -> Result<Vec<Planned>, String> {
    let own = &person.interactions;
    if own.is_empty() {
        return Err(format!("has no interaction in '{}'", dataset.manifest.name));
    }
    match scenario {
        Scenario::ColdStart if own.len() < 2 => {
            Err("has 1 interaction; a history that grows needs at least 2".to_owned())
        }
        Scenario::ColdStart => {
            let planned = |interaction: &&Interaction| Planned {
                asked: asked_of(dataset, interaction),
                then: vec![(*interaction).clone()],
                note: None,
            };
            Ok(own.iter().take(COLD_TURNS).map(planned).collect())
        }
        _ => biased::turns(dataset, person),
    }
}

fn asked_of(dataset: &Dataset, interaction: &Interaction) -> Asked {
    Asked {
        user: interaction.user.clone(),
        at: interaction.at,
        query: interaction.query.clone(),
        gold: Some(interaction.response.clone()),
        form: dataset.manifest.form_of(&interaction.response),
        source: Some(interaction.id.clone()),
        held: None,
    }
}

fn asked_of_query(dataset: &Dataset, query: &JudgedQuery) -> Asked {
    Asked {
        user: query.user.clone(),
        at: query.at,
        query: query.query.clone(),
        gold: query.gold.clone(),
        form: query.gold.as_deref().and_then(|gold| dataset.manifest.form_of(gold)),
        source: Some(query.id.clone()),
        held: None,
    }
}
