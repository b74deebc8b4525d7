//! Plans: who is asked what to show a scenario, whoever shows it best, and the session that comes of asking.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::merit::{Merit, counted, least_turns, merit, places, rule, trial};
use super::{COLD_TURNS, Options, SHORTLIST, Scenario, Voice, arrival, biased, drift, gallery, rungs};
use crate::data::dataset::Dataset;
use crate::data::interaction::{Interaction, JudgedQuery, UserId};
use crate::mediator::Course;
use crate::memory::Memory;
use crate::session::check::{remember, without};
use crate::session::error::SessionError;
use crate::session::event::{Asked, DatasetId, Event, FORMAT, Header, Setting};
use crate::session::log::Session;
use crate::session::record::turn;

/// What each person did and was asked, in the order of the dataset: looking for somebody looks at everybody.
struct Records<'a> {
    dataset: &'a Dataset,
    of: BTreeMap<&'a UserId, Person<'a>>,
}

/// What one person did and was asked.
#[derive(Clone, Default)]
pub(super) struct Person<'a> {
    pub(super) interactions: Vec<&'a Interaction>,
    pub(super) queries: Vec<&'a JudgedQuery>,
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
pub(super) struct Planned {
    pub(super) note: Option<String>,
    pub(super) asked: Asked,
    pub(super) then: Vec<Interaction>,
}

impl Planned {
    pub(super) fn plain(asked: Asked) -> Self {
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
    pub(super) removed: Vec<UserId>,
    /// What is remembered before the first question.
    pub(super) first: Vec<Interaction>,
    pub(super) turns: Vec<Planned>,
    /// Seed of what was drawn; 0 where nothing was.
    pub(super) seed: u64,
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
        Self::sought(options, scenario, dataset, user, setting, voice, &|| true)
    }

    /// The same as long as it is `wanted`, which is asked before every question of a trial.
    ///
    /// # Errors
    ///
    /// As of [`Plan::with`], or [`SessionError::Unwanted`].
    pub fn sought(
        options: &Options,
        scenario: Scenario,
        dataset: &Dataset,
        user: Option<&UserId>,
        setting: &Setting,
        voice: Option<&Voice>,
        wanted: &dyn Fn() -> bool,
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
            None => Self::picked(scenario, options, &candidates, dataset, setting, voice, wanted),
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
        wanted: &dyn Fn() -> bool,
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
                let merit = merit(scenario, &trial(memory, None, setting, &turns, wanted)?, &places(&turns));
                fitting.push((merit, user, turns));
            }
        }
        // Stable: among equals the first in order of identity stays first.
        fitting.sort_by_key(|(merit, ..)| Reverse(*merit));
        // A model without weight in the decision cannot change who shows it.
        if let Some(voice) = voice.filter(|_| setting.weights.model_trust > 0.0) {
            let engine = Some(voice.engine);
            let mut heard: Vec<(Merit, UserId, Vec<Planned>)> = Vec::new();
            for (_, user, turns) in fitting {
                // With the model somebody may show it whom the rules alone get right, or wrong.
                if heard.len() >= SHORTLIST && heard.iter().any(|(merit, ..)| merit.shown) {
                    break;
                }
                let merit = merit(scenario, &trial(memory, engine, setting, &turns, wanted)?, &places(&turns));
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
        self.recorded(dataset, setting, voice, &|| true)
    }

    /// The same as long as it is `wanted`, which is asked before every question.
    pub fn recorded(
        &self,
        dataset: &Dataset,
        setting: Setting,
        voice: Option<&Voice>,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Session, SessionError> {
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
            if !wanted() {
                return Err(SessionError::Unwanted);
            }
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

pub(super) fn asked_of(dataset: &Dataset, interaction: &Interaction) -> Asked {
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

pub(super) fn asked_of_query(dataset: &Dataset, query: &JudgedQuery) -> Asked {
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
