//! What of live use goes into the journal, in the words of a session.

use std::sync::Arc;

use super::super::effect::Effect;
use super::super::journal::{Journal, Recording};
use super::super::message::Heard;
use super::super::scribe::Beginning;
use super::super::state::{ModelState, Phase, Setting, State};
use super::super::visit::Visit;
use super::visit;
use crate::data::interaction::Interaction;
use crate::engine::engine::{Answer, Caps};
use crate::engine::prompt::Arm;
use crate::session::event::{Answered, Asked, DatasetId, Event, FORMAT, Header, HeldItem, LIVE, ModelId, Resolution};

/// Memory has answered a question: a turn begins. `held` says what of the person's own it held, where that is not all.
pub(super) fn heard(state: &mut State, heard: Option<Box<Heard>>, held: Option<Vec<HeldItem>>) {
    if !state.journal.listens() {
        return;
    }
    let (Some(heard), Some(question), Some(data)) = (heard, &state.question, &state.data) else { return };
    let query = state.judged.filter(|_| !data.is_asked_again()).and_then(|ix| data.queries.get(ix));
    let asked = Asked {
        user: question.user.clone(),
        at: question.at,
        query: question.query.clone(),
        gold: state.truth().map(str::to_owned),
        form: state.truth().and_then(|truth| data.dataset.manifest.form_of(truth)),
        source: query.map(|query| query.id.clone()),
        held,
    };
    let journal = &mut state.journal;
    journal.start.get_or_insert(state.setting);
    journal.data.get_or_insert_with(|| Arc::clone(data));
    journal.turned = false;
    journal.embedder = heard.embedder;
    journal.waiting.extend([Event::Asked(asked), Event::Evidence(heard.evidence)]);
    mediated(state);
}

/// The mediator has decided; where no model will speak, the arms have answered with it.
fn mediated(state: &mut State) {
    let Some(data) = state.data.clone() else { return };
    let Some(reading) = &state.reading else { return };
    let resolution = Resolution::of(&data.labels, &reading.resolution, &reading.ledger);
    state.journal.waiting.push(Event::Mediated { resolution });
    let spoken = |arm: &Arm| {
        let answer = &state.answers.arms[*arm as usize];
        state.model.unable().is_some() || (matches!(answer.phase, Phase::Done(_)) && !state.outdated(*arm))
    };
    let arms: Vec<Arm> = Arm::ALL.into_iter().filter(spoken).collect();
    arms.into_iter().for_each(|arm| answered(state, arm));
}

/// An arm has answered: the model's word, or memory alone where there is no model.
pub(super) fn answered(state: &mut State, arm: Arm) {
    if !state.journal.listens() || state.journal.start.is_none() {
        return;
    }
    let (Some(data), Some(reading)) = (&state.data, &state.reading) else { return };
    let answer = &state.answers.arms[arm as usize];
    let said = match (&answer.phase, &answer.scores) {
        // A text is not scored, nor is anything by a server that reports no probabilities.
        (Phase::Done(stats), scores) => {
            let scores = scores.clone().unwrap_or_default();
            Some(Answer { scores, text: answer.text.clone(), stats: *stats })
        }
        _ => None,
    };
    let prompt = &reading.requests[arm as usize].prompt;
    let trust = state.setting.weights.model_trust;
    let labels = &data.labels;
    let event = Answered::of(labels, arm, prompt, &reading.resolution, trust, said.as_ref());
    let visible = reading.read.local.visible();
    let event = event.knowing(state.prose().filter(|_| visible > 0));
    let read = arm == Arm::Mediated && state.setting.policy.writes();
    let event = match (state.answers.written.written().filter(|_| read), &said) {
        (Some(written), Some(said)) if !said.scores.is_empty() || state.writes() => {
            event.having_read(&written, &reading.resolution, said)
        }
        _ => event,
    };
    state.journal.waiting.push(Event::Answered(event));
}

/// The model will not speak after all: memory answers alone.
pub(super) fn answered_alone(state: &mut State) {
    Arm::ALL.into_iter().for_each(|arm| answered(state, arm));
}

/// Memory is given something new. It is part of the session once memory knows it.
pub(super) fn given(state: &mut State, interaction: Interaction) {
    settle(state);
    state.journal.given.push(interaction);
}

/// Memory knows what it was given first, if it was given anything; whether it was.
pub(super) fn remembered(journal: &mut Journal) -> bool {
    let Some(interaction) = refused(journal) else { return false };
    // Between two sessions as well: the next one begins with it.
    if journal.listens() && (journal.start.is_some() || journal.data.is_some()) {
        journal.waiting.push(Event::Remembered { interaction: interaction.clone() });
    }
    journal.remembered.push(interaction);
    true
}

/// Takes back what memory was given first.
pub(super) fn refused(journal: &mut Journal) -> Option<Interaction> {
    (!journal.given.is_empty()).then(|| journal.given.remove(0))
}

/// The analyst said something of the answers to the question at hand.
pub(super) fn said(state: &mut State, event: Event) {
    settle(state);
    if state.journal.listens() && state.journal.start.is_some() {
        state.journal.waiting.push(event);
    }
}

/// Ends a gesture: a changed setting, and what it makes of the question.
pub(super) fn settle(state: &mut State) {
    if !std::mem::take(&mut state.journal.turned) || state.journal.start.is_none() || !state.journal.listens() {
        return;
    }
    let Setting { weights, policy } = state.setting;
    state.journal.waiting.push(Event::WeightsChanged(Setting { weights, policy }));
    mediated(state);
}

/// What is left to be written when the workbench ends, also of live work beneath a replay and at home during a visit.
pub(super) fn close(state: &mut State) -> Vec<Effect> {
    let beneath = state.replay.as_mut().and_then(|replaying| replaying.live.as_mut());
    if let Some(live) = beneath {
        return close(live);
    }
    let mut effects = close_page(state);
    let waits = |visit: &Visit| visit.home.journal.touched && !visit.home.journal.waiting.is_empty();
    if let Some(mut visit) = state.visit.take_if(|visit| waits(visit)) {
        if visit.fork.as_ref().is_some_and(|fork| fork.begins.is_none()) {
            effects.push(Effect::EndFork);
            // Whatever is still told of it would go into the file at home.
            state.journal.away = true;
        }
        visit.home.journal.model.clone_from(&state.journal.model);
        std::mem::swap(&mut state.journal, &mut visit.home.journal);
        effects.extend(close_page(state));
        std::mem::swap(&mut state.journal, &mut visit.home.journal);
        state.visit = Some(visit);
    }
    effects
}

/// What is left to be written of the session at hand.
fn close_page(state: &mut State) -> Vec<Effect> {
    settle(state);
    let unspoken = matches!(state.model, ModelState::Loading(_)) && state.journal.recording == Recording::Waiting;
    if unspoken { begin_alone(state) } else { drain(state) }
}

/// What can be written now.
pub(super) fn drain(state: &mut State) -> Vec<Effect> {
    if !state.journal.keeps() {
        state.journal.waiting.clear();
        return Vec::new();
    }
    let waits = state.visit.as_ref().is_some_and(|visit| visit.waits());
    let settled = !matches!(state.model, ModelState::Loading(_)) && !waits;
    if state.journal.waiting.is_empty() || !state.journal.touched || !settled {
        return Vec::new();
    }
    let mut effects = Vec::new();
    if state.journal.recording == Recording::Waiting {
        let Some(beginning) = beginning(state) else { return Vec::new() };
        state.journal.recording = Recording::Begun;
        effects.push(Effect::Begin(Box::new(beginning)));
    }
    let waiting = std::mem::take(&mut state.journal.waiting);
    visit::recorded(state, &waiting);
    effects.push(Effect::Record(waiting));
    effects
}

/// What waits for a first model that never spoke, as a session without one.
pub(super) fn begin_alone(state: &mut State) -> Vec<Effect> {
    let written = state.journal.touched && !state.journal.waiting.is_empty();
    let Some(beginning) = beginning(state).filter(|_| written) else { return Vec::new() };
    vec![Effect::Begin(Box::new(beginning)), Effect::Record(std::mem::take(&mut state.journal.waiting))]
}

/// A model that answers, as a header names it.
pub(super) fn model_id(caps: &Caps, hash: String) -> ModelId {
    ModelId { name: caps.name.clone(), hash, scores: caps.score }
}

fn beginning(state: &State) -> Option<Beginning> {
    let data = state.journal.data.clone()?;
    let caps = match &state.model {
        ModelState::Ready(caps) => Some(caps),
        _ => None,
    };
    let manifest = &data.dataset.manifest;
    let header = Header {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        title: LIVE.to_owned(),
        dataset: DatasetId { name: manifest.name.clone(), hash: String::new(), without: Vec::new() },
        model: caps.map(|caps| model_id(caps, String::new())),
        device: caps.map(|caps| caps.device.clone()),
        setting: state.journal.start?,
        embedder: state.journal.embedder.clone(),
        seed: 0,
        labels: data.labels.clone(),
        picked: false,
        origin: None,
    };
    let model = state.journal.model.clone().filter(|_| caps.is_some());
    Some(Beginning { header, data, model })
}
