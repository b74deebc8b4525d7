//! What memory said to the question, and what the mediator makes of it under the present setting.
//!
//! Invariant: that is computed when a weight or the evidence changes, never while drawing.

use super::{Phase, Setting, State};
use crate::app::worker::evidence_of;
use crate::data::interaction::UserId;
use crate::engine::answer::{final_decision, memory_distribution, request, request_written};
use crate::engine::engine::GenRequest;
use crate::engine::prompt::{Arm, Blocks};
use crate::engine::reconcile;
use crate::mediator::conflict::Conflict;
use crate::mediator::counterfactual::{Without, counterfactuals};
use crate::mediator::flip::{Band, Flip, bands, flips};
use crate::mediator::fusion::fuse;
use crate::mediator::ledger::ledger;
use crate::mediator::policy::Disagreement;
use crate::mediator::signature::{Signature, of_session, too_local};
use crate::mediator::weights::{STOPS, Scope};
use crate::mediator::{Course, Evidence, Resolution, Weight, mediate};
use crate::memory::MemoryRead;

/// Questions that are watched for signs of failure, of live work and of a replay under a turned weight.
pub const WATCHED: usize = 256;

/// What memory said to the question, with what the mediator makes of it under the present setting.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Who asked.
    pub user: UserId,
    /// Both memories.
    pub read: MemoryRead,
    /// What there is to put into prompts; `None` in a replay, where no model is asked.
    pub blocks: Option<Blocks>,
    /// What each arm asks the model under the present setting.
    pub requests: [GenRequest; 4],
    /// What asks for the memory that the mediated arm reads, under a policy that has it written.
    pub writing: Option<GenRequest>,
    /// What the mediator weighs.
    pub evidence: Evidence,
    /// What it decides.
    pub resolution: Resolution,
    /// Where the two sides, or the person's own memories, disagree.
    pub ledger: Vec<Conflict>,
    /// What would be decided without a memory, the most influential first.
    pub without: Vec<Without>,
    /// What is wrong with this answer, or with those to the questions up to it.
    pub signatures: Vec<Signature>,
    /// What would change the decision, nearest first.
    pub flips: Vec<Flip>,
    /// Who wins where, for each weight in order of [`Weight::ALL`].
    pub bands: Vec<Vec<Band>>,
    /// Whether the session that it belongs to is over: what is asked next stands on nothing.
    pub over: bool,
}

impl Reading {
    /// What `setting` makes of the evidence by itself; what follows from it comes with [`State::mediate`].
    pub fn new(user: UserId, read: MemoryRead, evidence: Evidence, setting: &Setting, blocks: Option<Blocks>) -> Self {
        let resolution = mediate(&evidence, &setting.weights, setting.policy);
        let (ledger, without, signatures, flips, bands) = Default::default();
        let (requests, writing, over) = Default::default();
        Self {
            user,
            read,
            blocks,
            requests,
            writing,
            evidence,
            resolution,
            ledger,
            without,
            signatures,
            flips,
            bands,
            over,
        }
    }
}

impl State {
    /// Takes in what memory said, and mediates.
    pub fn take_reading(&mut self, read: MemoryRead, blocks: Blocks) {
        let (Some(data), Some(question)) = (self.data.clone(), &self.question) else { return };
        let evidence = evidence_of(&read, &data.dataset.manifest);
        let reading = Reading::new(question.user.clone(), read, evidence, &self.setting, Some(blocks));
        self.leave_reading();
        if let Some(before) = self.reading.replace(reading) {
            self.answered.push((before.user, before.resolution));
            let surplus = self.answered.len().saturating_sub(WATCHED);
            self.answered.drain(..surplus);
        }
        self.mediate();
    }

    /// Takes in what memory says to the same question with another history. It is recorded as a turn, and so stands on the
    /// one before it like any other; signs of failure do not count it.
    pub fn retake_reading(&mut self, read: MemoryRead, blocks: Blocks) {
        let (Some(data), Some(question)) = (self.data.clone(), &self.question) else { return };
        let evidence = evidence_of(&read, &data.dataset.manifest);
        let reading = Reading::new(question.user.clone(), read, evidence, &self.setting, Some(blocks));
        self.leave_reading();
        self.reading = Some(reading);
        self.mediate();
    }

    /// What is asked next stands on what the reading at hand came to, as in the file of the session.
    pub fn leave_reading(&mut self) {
        if let Some(before) = self.reading.as_ref().filter(|reading| !reading.over) {
            self.course = Course::after(&before.user, &before.resolution);
        }
    }

    /// Weighs the evidence anew under the present setting.
    pub fn mediate(&mut self) {
        let Setting { weights, policy } = self.setting;
        let Some(reading) = &mut self.reading else { return };
        let alone = mediate(&reading.evidence, &weights, policy);
        reading.resolution = self.course.settle(&reading.user, alone, weights.hysteresis);
        self.word();
        let Some(reading) = &mut self.reading else { return };
        let voices = self.data.as_ref().map_or(Vec::new(), |data| {
            let (global, calibration) = (&reading.read.global, &data.dataset.manifest.calibration);
            global.parts.voices(&global.base, calibration)
        });
        reading.ledger = ledger(&reading.evidence, &weights, &reading.resolution);
        reading.without = counterfactuals(&reading.evidence, &weights, policy, &voices);
        reading.signatures = too_local(&reading.resolution, &reading.without).into_iter().collect();
        match &self.replay {
            Some(replaying) => reading.signatures.extend(&replaying.signatures),
            None => {
                self.answered.push((reading.user.clone(), reading.resolution.clone()));
                reading.signatures.extend(of_session(&self.answered, 0.0));
                self.answered.pop();
            }
        }
        reading.flips = flips(&reading.evidence, &weights, policy);
        self.fuse();
        let Some(reading) = &mut self.reading else { return };
        let task = reading.evidence.facet.task();
        let acting = |weight: Weight| policy.ignores(weight, task).is_none() && weight.scope() == Scope::Mediate;
        let evidence = &reading.evidence;
        let of = |weight| if acting(weight) { bands(evidence, &weights, policy, weight) } else { Vec::new() };
        reading.bands = Weight::ALL.map(of).into();
        self.refresh_model_bands();
    }

    /// Words what the model is asked under the present setting.
    pub fn word(&mut self) {
        let Setting { weights, policy } = self.setting;
        let prose = self.profile_in_prompts().map(|profile| profile.text().to_owned());
        let (Some(reading), Some(data)) = (&mut self.reading, &self.data) else { return };
        let Some(blocks) = &mut reading.blocks else { return };
        blocks.set_profile(prose.as_deref());
        let blocks = &*blocks;
        reading.requests = Arm::ALL.map(|arm| request(blocks, data.scored_labels(), arm, &weights));
        reading.writing = policy.writes().then(|| reconcile::request(blocks, &weights));
        if reading.writing.is_some() {
            let memory = self.answers.written.memory().unwrap_or_default();
            reading.requests[Arm::Mediated as usize] = request_written(blocks, data.scored_labels(), memory);
        }
    }

    /// Fuses each arm's memory with what the model has said so far.
    pub fn fuse(&mut self) {
        let Some(reading) = &self.reading else { return };
        let r = &reading.resolution;
        let trust = self.setting.weights.model_trust;
        for (arm, answer) in Arm::ALL.into_iter().zip(&mut self.answers.arms) {
            let memory = memory_distribution(r, arm);
            answer.memory = memory.to_vec();
            answer.distribution = match &answer.scores {
                Some(scores) => fuse(scores, memory, trust),
                None => memory.to_vec(),
            };
            answer.decision = final_decision(r, arm, &answer.distribution, answer.scores.is_some() && trust > 0.0);
        }
        let said = &self.answers.arms[Arm::Mediated as usize].scores;
        let read = self.setting.policy.writes() && self.answers.written.memory().is_some();
        let disagreement = said.as_ref().filter(|_| read).map(|scores| Disagreement::of(r, scores));
        self.answers.written.disagreement = disagreement;
    }

    /// Which final decision of the mediated arm holds at which model-trust; none while the model is silent.
    fn model_trust_bands(&self) -> Vec<Band> {
        let mediated = &self.answers.arms[Arm::ALL.len() - 1];
        let (Some(scores), Some(reading)) = (&mediated.scores, &self.reading) else { return Vec::new() };
        let mut bands: Vec<Band> = Vec::new();
        for stop in 0..=STOPS as usize {
            let fused = fuse(scores, &mediated.memory, Weight::ModelTrust.at(stop as f64));
            let label = reading.resolution.decide(&fused);
            match bands.last_mut() {
                Some(band) if band.label == label => band.to = stop,
                _ => bands.push(Band { from: stop, to: stop, label }),
            }
        }
        bands
    }

    /// Brings the model-trust slider up to date with what the model has said.
    pub fn refresh_model_bands(&mut self) {
        let bands = self.model_trust_bands();
        let slots = self.reading.iter_mut().flat_map(|reading| Weight::ALL.iter().zip(&mut reading.bands));
        for (_, slot) in slots.filter(|(weight, _)| **weight == Weight::ModelTrust) {
            slot.clone_from(&bands);
        }
    }

    /// Whether the model answered `arm`, or is about to, from a prompt that has changed since.
    pub fn outdated(&self, arm: Arm) -> bool {
        let answer = &self.answers.arms[arm as usize];
        let asked = !answer.prompt.is_empty() && !matches!(answer.phase, Phase::Unasked);
        let rewritten = arm == Arm::Mediated && self.memory_outdated();
        let differs = |reading: &Reading| reading.requests[arm as usize].prompt != answer.prompt;
        asked && (rewritten || self.reading.as_ref().is_some_and(differs))
    }

    /// Whether the model wrote the memory that the mediated arm reads from something that has changed, or writes one
    /// that is not wanted any more.
    pub fn memory_outdated(&self) -> bool {
        let written = &self.answers.written;
        match self.reading.as_ref().and_then(|reading| reading.writing.as_ref()) {
            Some(request) => !written.prompt.is_empty() && request.prompt != written.prompt,
            None => written.phase.is_open(),
        }
    }
}
