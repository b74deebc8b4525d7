//! Fork: a session that shares another one's beginning and goes on by itself. The other one is never rewritten.
//!
//! Invariants: the shared events are the other one's own, so a fork's first lines but for its header are byte for byte
//! those of the parent; what a model says in a fork is said by the one that its header names, and what memory says is read
//! from the data that it names.

use super::check::{remember, without};
use super::error::SessionError;
use super::event::{Changed, DatasetId, Event, Header, ModelId, Origin, Setting};
use super::log::Session;
use super::replay::State;
use super::rerun::hash;
use crate::data::dataset::Dataset;
use crate::mediator::{self, Course, mediate};
use crate::memory::embed;

/// A session that shares the first `position` events of `parent`, all of them if there are fewer, and from there on has
/// `setting` in force, where one is given.
///
/// # Errors
///
/// [`SessionError::ReRun`] where the parent's texts are pseudonyms, which a fork would pass on as words, or where it cannot
/// be written, and so not named.
pub fn fork(parent: &Session, position: usize, setting: Option<Setting>) -> Result<Session, SessionError> {
    parent.require_words()?;
    let shared = &parent.events[..position.min(parent.events.len())];
    let mut state = State::start(&parent.header);
    shared.iter().for_each(|event| state.apply(event));
    let setting = setting.filter(|setting| *setting != state.setting);
    let changed = setting.map(|setting| setting.changed_from(&state.setting)).unwrap_or_default();
    let origin = Origin::Fork { of: hash(parent)?, turn: state.outcomes.len(), changed };
    let header = Header { origin: Some(origin), ..parent.header.clone() };
    let mut forked = Session::new(header, Vec::new());
    shared.iter().for_each(|event| forked.push_shared(event));
    setting.into_iter().for_each(|setting| forked.push(Event::WeightsChanged(setting)));
    Ok(forked)
}

/// Has `voice`, a model and where it runs, answer what comes behind the events that `forked` shares; with none, memory
/// alone. Where no model has answered those, the header names the new one.
///
/// # Errors
///
/// [`SessionError::ReRun`] where another model has: a session has one. What memory alone says stands beside any.
pub fn said_by(forked: &mut Session, voice: Option<(ModelId, String)>) -> Result<(), SessionError> {
    let spoke = |event: &Event| matches!(event, Event::Answered(answered) if answered.log_probabilities.is_some());
    let shared = forked.events.iter().any(|event| spoke(event));
    let header = &forked.header;
    match (&header.model, &voice) {
        (Some(was), Some((now, _))) if was.hash == now.hash => return Ok(()),
        (Some(was), Some((now, _))) if shared => {
            let (was, now) = (was.apart(), now.apart());
            let what = format!("what the fork shares is answered by {was}, and {now} answers here");
            return Err(SessionError::ReRun {
                what,
                remedy: "load the first, or have all of it answered again (rerun)",
            });
        }
        _ if shared => return Ok(()),
        _ => {}
    }
    let (model, device) = voice.unzip();
    let header = Header { model, device, ..header.clone() };
    retitle(forked, header);
    Ok(())
}

/// Says of `forked` that memory alone answers behind what it shares, which a model answered: the header goes on naming that one.
pub fn silenced(forked: &mut Session) {
    let header = &mut forked.header;
    if let (Some(was), Some(Origin::Fork { changed, .. })) = (&header.model, &mut header.origin) {
        changed.insert(0, Changed { what: "model".to_owned(), from: was.apart(), to: "none".to_owned() });
    }
}

/// Has memory of `dataset` be read for what comes behind the events that `forked` shares. Where none was read for those, the
/// header names it.
///
/// # Errors
///
/// [`SessionError::ReRun`] where memory of other data was, or with another embedder: a session is of one dataset.
pub fn read_from(forked: &mut Session, dataset: &Dataset) -> Result<(), SessionError> {
    let was = &forked.header;
    let id = DatasetId {
        name: dataset.manifest.name.clone(),
        hash: dataset.content_hash(),
        without: was.dataset.without.clone(),
    };
    let embedder = embed::of(&dataset.manifest.retrieval.embedder).id();
    if was.dataset.hash == id.hash && was.embedder == embedder {
        return Ok(());
    }
    let of_data = |event: &Event| matches!(event, Event::Evidence(_) | Event::Remembered { .. });
    if forked.events.iter().any(|event| of_data(event)) {
        let data = |id: &DatasetId, embedder: &str| format!("{}, embedder {embedder}", id.apart());
        let (was, now) = (data(&was.dataset, &was.embedder), data(&id, &embedder));
        let what = format!("what the fork shares is of the dataset {was}, and the rest would be of {now}");
        return Err(SessionError::ReRun {
            what,
            remedy: "give the first with --data, or have all of it computed again (rerun)",
        });
    }
    let labels = dataset.manifest.responses();
    let header = Header { dataset: id, embedder, labels, ..was.clone() };
    retitle(forked, header);
    Ok(())
}

/// Gives `forked` another header, which says what it has otherwise.
fn retitle(forked: &mut Session, header: Header) {
    let other = header.changed_from(&forked.header);
    forked.header = header;
    if let Some(Origin::Fork { changed, .. }) = &mut forked.header.origin {
        changed.splice(0..0, other);
    }
}

/// The dataset as memory knew it at the end of `session`: without those whom the header leaves out, with all that was
/// remembered.
pub fn known(session: &Session, dataset: &Dataset) -> Dataset {
    let mut known = without(dataset, &session.header.dataset.without);
    let remembered = session.events.iter().filter_map(|event| match event.as_ref() {
        Event::Remembered { interaction } => Some(interaction.clone()),
        _ => None,
    });
    remember(&mut known, remembered);
    known
}

/// Where the last question among the first `position` events of `session` leaves the mediator.
pub fn course(session: &Session, position: usize) -> Course {
    let labels = &session.header.labels;
    let mut state = State::start(&session.header);
    let mut course = Course::default();
    for event in &session.events[..position.min(session.events.len())] {
        state.apply(event);
        if !matches!(event.as_ref(), Event::Mediated { .. }) {
            continue;
        }
        let Some(turn) = &state.turn else { continue };
        let (Some(asked), Some(evidence), Some(decided)) = (turn.asked(), turn.evidence(), turn.resolution()) else {
            continue;
        };
        let place = labels.iter().position(|label| *label == decided.decision);
        let (Ok(weighed), Some(decision)) = (evidence.weighed(labels), place) else { continue };
        // The decision may have been held; its distributions are those of the evidence alone.
        let alone = mediate(&weighed, &state.setting.weights, state.setting.policy);
        course = Course::after(&asked.user, &mediator::Resolution { decision, ..alone });
    }
    course
}
