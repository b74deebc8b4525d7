//! A session as it is opened: what its events tell of every turn, gathered once.
//!
//! Invariant: all of it comes from the events and the header, without dataset or model.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::state::{Data, Setting};
use crate::data::dataset::{Dataset, Manifest, TaskKind};
use crate::data::interaction::{Interaction, JudgedQuery};
use crate::engine::engine::Caps;
use crate::engine::prompt::Arm;
use crate::eval::numbers::{Counted, Numbers};
use crate::eval::pulse::{Beat, Pulse};
use crate::mediator::Policy;
use crate::mediator::signature::Signature;
use crate::session::event::{Event, Header};
use crate::session::replay::{Outcome, Sure};
use crate::session::{Replay, Session, State as Folded};

/// A session read from its file, ready for a playhead.
#[derive(Debug)]
pub struct Opened {
    /// Its name.
    pub name: String,
    /// The recording.
    pub replay: Replay,
    /// What the panes look up: labels, items and questions, from the events alone.
    pub data: Arc<Data>,
    /// The mediated arm's recorded answer to every turn.
    pub answers: Vec<Option<String>>,
    /// What the rules decided on every turn, before a model had its say.
    pub(super) ruled: Vec<Option<String>>,
    /// How things stood at every turn.
    pub pulse: Pulse,
    /// Whether the model wrote a memory in it.
    pub written: bool,
    /// Whether it was made just now and is in no file.
    pub made: bool,
    /// The number under which it is being written into one.
    pub keeping: Option<u64>,
    /// Whether a test over its questions says something of others.
    pub testable: bool,
    /// How sure each arm was on every turn.
    sure: Vec<[Option<Sure>; 4]>,
    /// On which turns the mediator told of a conflict.
    pub(super) conflicts: Vec<bool>,
    /// The setting under which every turn was mediated last.
    pub(super) settings: Vec<Setting>,
    /// What is wrong with the recording.
    pub(super) signatures: Vec<Signature>,
}

impl Opened {
    /// Takes in a session; `None` if nothing was asked in it.
    pub fn of(name: String, session: Session) -> Option<Self> {
        let mut folded = Folded::start(&session.header);
        let mut answers: Vec<Option<String>> = Vec::new();
        let mut ruled: Vec<Option<String>> = Vec::new();
        let mut sure: Vec<[Option<Sure>; 4]> = Vec::new();
        let mut conflicts: Vec<bool> = Vec::new();
        let mut pulse = Pulse::new(session.header.labels.len());
        let mut written = false;
        for event in &session.events {
            if matches!(event.as_ref(), Event::Asked(_)) {
                Beat::of(&folded, &session.header.labels).into_iter().for_each(|beat| pulse.push(beat));
                answers.push(None);
                ruled.push(None);
                sure.push([None; 4]);
                conflicts.push(false);
            }
            folded.apply(event);
            written |= matches!(event.as_ref(), Event::Answered(answered) if answered.written.is_some());
            if let (Some(last), Some(turn), Event::Answered(_)) = (sure.last_mut(), &folded.turn, event.as_ref()) {
                *last = turn.sure();
            }
            if let (Some(last), Event::Mediated { resolution }) = (conflicts.last_mut(), event.as_ref()) {
                *last = resolution.has_conflict();
            }
            if let (Some(last), Event::Mediated { resolution }) = (ruled.last_mut(), event.as_ref()) {
                *last = Some(resolution.decision.clone());
            }
            if let (Some(last), Some(turn)) = (answers.last_mut(), &folded.turn) {
                let answered = turn.answered(Arm::Mediated).map(|answered| &answered.answer);
                *last = answered.or(turn.resolution().map(|resolution| &resolution.decision)).cloned();
            }
        }
        Beat::of(&folded, &session.header.labels).into_iter().for_each(|beat| pulse.push(beat));
        if answers.is_empty() {
            return None;
        }
        let data = Arc::new(Data::of(data_of(&session)));
        let testable = session.is_testable();
        let replay = Replay::new(session);
        let settings = replay.settings();
        let signatures = replay.signatures(usize::MAX, |turn| settings[turn]);
        Some(Self {
            name,
            replay,
            data,
            answers,
            ruled,
            sure,
            conflicts,
            pulse,
            written,
            made: false,
            keeping: None,
            testable,
            settings,
            signatures,
        })
    }

    /// How every turn came out.
    pub fn outcomes(&self) -> &[Outcome] {
        self.replay.outcomes()
    }

    /// The numbers of the whole recording.
    pub fn numbers(&self) -> Numbers {
        let labels = &self.data.labels;
        let place = |name: Option<&str>| labels.iter().position(|label| Some(label.as_str()) == name);
        let turns = self.data.queries.iter().zip(self.outcomes()).zip(&self.answers);
        let counted = turns.zip(&self.sure).map(|(((query, outcome), answer), sure)| Counted {
            user: &query.user,
            outcome: *outcome,
            sure: *sure,
            decision: place(answer.as_deref()),
            gold: query.gold.as_deref().and_then(|gold| place(self.data.label_of(gold))),
        });
        Numbers::of(labels.len(), counted)
    }

    /// The model that answered, as the header of the screen tells of one.
    pub fn caps(&self) -> Option<Caps> {
        let header = &self.replay.session().header;
        let model = header.model.as_ref()?;
        Some(Caps {
            name: model.name.clone(),
            device: header.device.clone().unwrap_or_default(),
            dtype: "recorded".to_owned(),
            parameters: 0,
            max_context: usize::MAX,
            score: model.scores,
            chat: false,
        })
    }
}

/// What the events themselves hold of a dataset: the items that voted and the questions, in order of the turns.
fn data_of(session: &Session) -> Dataset {
    let mut items: BTreeMap<&str, Interaction> = BTreeMap::new();
    let mut queries = Vec::new();
    for event in &session.events {
        match event.as_ref() {
            Event::Asked(asked) => queries.push(JudgedQuery {
                id: asked.source.clone().unwrap_or_else(|| format!("turn {}", queries.len() + 1)),
                user: asked.user.clone(),
                at: asked.at,
                query: asked.query.clone(),
                gold: asked.gold.clone(),
                item: None,
                extra: Default::default(),
            }),
            Event::Evidence(evidence) => {
                let Some(asked) = queries.last() else { continue };
                for vote in &evidence.local.votes {
                    items.entry(&vote.id).or_insert_with(|| Interaction {
                        id: vote.id.clone(),
                        user: asked.user.clone(),
                        at: vote.at,
                        query: vote.text.clone(),
                        response: vote.response.clone(),
                        item: None,
                        extra: Default::default(),
                    });
                }
            }
            _ => {}
        }
    }
    // By identity: that is how a vote finds its item.
    let mut manifest = manifest_of(&session.header);
    if session.events.iter().any(|event| matches!(event.as_ref(), Event::Evidence(found) if found.written.is_some())) {
        (manifest.task, manifest.labels) = (TaskKind::Text, Vec::new());
    }
    Dataset { manifest, interactions: items.into_values().collect(), queries }
}

/// The recorded setting as a dataset's defaults.
fn manifest_of(header: &Header) -> Manifest {
    let Setting { weights, policy } = header.setting;
    let mut manifest = Manifest {
        format: crate::data::dataset::FORMAT,
        name: header.dataset.name.clone(),
        task: TaskKind::Labels,
        labels: header.labels.clone(),
        scale: None,
        metric: "accuracy".to_owned(),
        licence: String::new(),
        source: String::new(),
        prompt: Default::default(),
        retrieval: Default::default(),
        periods: Default::default(),
        calibration: Default::default(),
        weights: Default::default(),
    };
    manifest.calibration.model_trust = weights.model_trust;
    manifest.weights.similarity_sharpness = Some(weights.similarity_sharpness);
    manifest.weights.half_life = Some(weights.half_life);
    manifest.weights.community_focus = Some(weights.community_focus);
    let own = &mut manifest.weights;
    let prior =
        if policy == Policy::Shrinkage { &mut own.prior_strength_shrinkage } else { &mut own.prior_strength_product };
    *prior = Some(weights.prior_strength);
    manifest
}
