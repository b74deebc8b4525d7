//! Re-run: a session's questions asked again, with other weights, another policy, model or dataset. Everything but the
//! questions is computed again; the recording stays what it is.
//!
//! Invariants: turns of a re-run stand to those of the recording one to one, in order; what was remembered, noted or
//! judged between them happens again at its place; a question is asked under the setting in which the recording decided it
//! last, with what is to be otherwise put on top. With nothing otherwise, a re-run says what the recording says.

use super::check::{remember, stretch};
use super::error::SessionError;
use super::event::{DatasetId, Event, Evidence, Header, ModelId, Origin, Prose, Setting};
use super::fork::{course, known, read_from, said_by, silenced};
use super::log::Session;
use super::record::turn_knowing;
use crate::data::dataset::{Dataset, TaskKind};
use crate::engine::engine::Engine;
use crate::mediator::{Policy, Weight};
use crate::memory::Memory;

/// With what a session is computed again.
pub struct Anew<'a> {
    /// The data that memory is built from.
    pub dataset: &'a Dataset,
    /// The model, and what it is; `None` for memory alone.
    pub voice: Option<(&'a dyn Engine, ModelId)>,
    /// Weights that are set, whatever the recording says of them.
    pub weights: Vec<(Weight, f64)>,
    /// The rule, whatever the recording says of it.
    pub policy: Option<Policy>,
}

impl Anew<'_> {
    /// A setting of the recording with what is to be otherwise.
    pub fn setting(&self, recorded: &Setting) -> Setting {
        let weights = self.weights.iter().fold(recorded.weights, |weights, (weight, to)| weights.with(*weight, *to));
        Setting { weights, policy: self.policy.unwrap_or(recorded.policy) }
    }

    /// All of `parent` again.
    pub fn rerun(&self, parent: &Session) -> Result<Session, SessionError> {
        let dataset = DatasetId {
            name: self.dataset.manifest.name.clone(),
            hash: self.dataset.content_hash(),
            without: parent.header.dataset.without.clone(),
        };
        let (device, model) = match &self.voice {
            Some((engine, model)) => (Some(engine.caps().device.clone()), Some(model.clone())),
            None => (None, None),
        };
        let mut header = Header {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            dataset,
            model,
            device,
            setting: self.setting(&parent.header.setting),
            labels: self.dataset.manifest.responses(),
            ..parent.header.clone()
        };
        header.origin = None;
        let mut again = Session::new(header, Vec::new());
        let embedder = self.continued(parent, 0, &mut again)?;
        again.header.embedder = embedder.unwrap_or(again.header.embedder);
        let changed = again.header.changed_from(&parent.header);
        again.header.origin = Some(Origin::ReRun { of: hash(parent)?, changed });
        Ok(again)
    }

    /// The rest of `parent` from event `position`, where a turn begins, asked again at the end of `forked`, which shares
    /// what lies before it. Refused where that is answered by another model, or from other data.
    pub fn rest(&self, parent: &Session, position: usize, forked: &mut Session) -> Result<(), SessionError> {
        let voice = self.voice.as_ref().map(|(engine, model)| (model.clone(), engine.caps().device.clone()));
        let silent = voice.is_none();
        said_by(forked, voice)?;
        // Still named, that model answered what is shared.
        if silent {
            silenced(forked);
        }
        read_from(forked, self.dataset)?;
        self.continued(parent, position, forked).map(drop)
    }

    /// Appends the events from `position` on, computed again. The embedder that memory read with, if anything was read.
    fn continued(&self, parent: &Session, position: usize, out: &mut Session) -> Result<Option<String>, SessionError> {
        parent.require_words()?;
        self.require_task(parent)?;
        let position = position.min(parent.events.len());
        let mut memory_of = known(out, self.dataset);
        let mut course = course(out, out.events.len());
        let mut current = in_force(out, out.events.len());
        let mut embedder = None;
        let mut start = position;
        while start < parent.events.len() {
            let end = start + stretch(&parent.events[start..]);
            for index in start..end {
                let Event::Remembered { interaction } = parent.events[index].as_ref() else { continue };
                self.require_known(interaction.response.as_str(), parent.lines[index])?;
                remember(&mut memory_of, [interaction.clone()]);
            }
            let memory = Memory::build(&memory_of);
            embedder.get_or_insert_with(|| memory.embedder());
            for index in start..end {
                let event = &parent.events[index];
                match event.as_ref() {
                    Event::Asked(asked) => {
                        let setting = self.setting(&decided_under(parent, index));
                        if setting != current {
                            current = setting;
                            out.push(Event::WeightsChanged(setting));
                        }
                        let engine = self.voice.as_ref().map(|(engine, _)| *engine);
                        let events =
                            turn_knowing(&memory, engine, setting, &mut course, asked.clone(), profile(parent, index))?;
                        events.into_iter().for_each(|event| out.push(event));
                    }
                    Event::Remembered { .. } | Event::Note { .. } | Event::Feedback(_) => out.push_shared(event),
                    Event::Evidence(_) | Event::Mediated { .. } | Event::Answered(_) | Event::WeightsChanged(_) => {}
                }
            }
            start = end;
        }
        Ok(embedder)
    }

    /// A text task takes whatever was answered for a text, and every answer of another task for a wrong one.
    fn require_task(&self, parent: &Session) -> Result<(), SessionError> {
        let manifest = &self.dataset.manifest;
        match task(parent).filter(|task| *task != manifest.task) {
            None => Ok(()),
            Some(task) => {
                let what =
                    format!("the recording is of a {task} task, and '{}' of a {} task", manifest.name, manifest.task);
                Err(SessionError::ReRun { what, remedy: "re-run on data of the same task" })
            }
        }
    }

    /// Memory holds labels or scores of the dataset, or of a text task whatever was written.
    fn require_known(&self, response: &str, line: usize) -> Result<(), SessionError> {
        if self.dataset.manifest.places().of(response).is_some() {
            return Ok(());
        }
        let name = &self.dataset.manifest.name;
        let what = format!("line {line} remembers the response '{response}', which is no label of '{name}'");
        Err(SessionError::ReRun { what, remedy: "re-run on data with the session's labels" })
    }
}

impl Session {
    /// Refuses a session whose texts are pseudonyms.
    pub fn require_words(&self) -> Result<(), SessionError> {
        let what = || "a redacted session cannot be computed again or forked: its texts are pseudonyms".to_owned();
        let remedy = "use the session it was made from";
        if self.header.is_redacted() { Err(SessionError::ReRun { what: what(), remedy }) } else { Ok(()) }
    }
}

/// The task that `session` is of, as the first evidence tells it; `None` where memory said nothing.
fn task(session: &Session) -> Option<TaskKind> {
    session.events.iter().find_map(|event| match event.as_ref() {
        Event::Evidence(Evidence { written: Some(_), .. }) => Some(TaskKind::Text),
        Event::Evidence(evidence) if evidence.global.crowd.is_some() => Some(TaskKind::Rating),
        Event::Evidence(_) => Some(TaskKind::Labels),
        _ => None,
    })
}

/// The setting in force before event `position`.
fn in_force(session: &Session, position: usize) -> Setting {
    let changes = session.events[..position].iter().rev();
    let last = changes.into_iter().find_map(|event| match event.as_ref() {
        Event::WeightsChanged(setting) => Some(*setting),
        _ => None,
    });
    last.unwrap_or(session.header.setting)
}

/// The setting under which the question at `asked` was decided last.
fn decided_under(session: &Session, asked: usize) -> Setting {
    let rest = &session.events[asked + 1..];
    let turn = rest.iter().position(|event| matches!(event.as_ref(), Event::Asked(_))).unwrap_or(rest.len());
    let decides =
        |event: &&std::sync::Arc<Event>| matches!(event.as_ref(), Event::Mediated { .. } | Event::Answered(_));
    let last = rest[..turn].iter().rposition(|event| decides(&event)).map_or(asked, |place| asked + 1 + place);
    in_force(session, last)
}

/// The profile that the question at `asked` was answered with last. It stays what it was: a recording says what a model
/// once wrote about a person, or an analyst put there, and no re-run writes another one.
fn profile(session: &Session, asked: usize) -> Option<Prose> {
    let turn = session.events[asked + 1..].iter().take_while(|event| !matches!(event.as_ref(), Event::Asked(_)));
    let known = turn.filter_map(|event| match event.as_ref() {
        Event::Answered(answered) if answered.arm.sees_local() => Some(answered.profile.clone()),
        _ => None,
    });
    known.last().flatten()
}

/// What tells the session from every other one.
pub(super) fn hash(session: &Session) -> Result<String, SessionError> {
    let unwritable = |error: std::io::Error| SessionError::ReRun {
        what: format!("the session cannot be told by a hash ({error})"),
        remedy: "restore it from a copy",
    };
    session.hash().map_err(unwritable)
}
