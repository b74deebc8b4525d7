//! The answer of one arm: the model's own probabilities fused with what the arm's memory says.
//!
//! Invariant: every arm is asked with the same skeleton, decoding and ω; only its memory differs.

use crate::engine::engine::{Engine, Form, GenEvent, GenRequest};
use crate::engine::error::EngineError;
use crate::engine::prompt::{Arm, Blocks, MAX_ANSWER_TOKENS, MAX_TEXT_TOKENS, STOP};
use crate::mediator::fusion::fuse;
use crate::mediator::{Resolution, Weights};
use crate::memory::{Memory, MemoryRead};

/// What an arm answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmAnswer {
    /// Final distribution. Sums to 1.
    pub distribution: Vec<f64>,
    /// Its argmax.
    pub decision: usize,
    /// What the model wrote; empty without a model.
    pub text: String,
    /// Tokens generated; 0 without a model, at least 1 with one.
    pub tokens: usize,
    /// The model's natural-log probability of each label; `None` without a model.
    pub log_probabilities: Option<Vec<f64>>,
    /// From asking to the last token.
    pub milliseconds: f64,
    /// From asking to the first token.
    pub first_token_milliseconds: f64,
}

/// What memory alone says on `arm`: m_none = b, m_local = p_L, m_global = p_G, m_mediated = p.
pub fn memory_distribution(resolution: &Resolution, arm: Arm) -> &[f64] {
    match arm {
        Arm::None => &resolution.base,
        Arm::Local => &resolution.local,
        Arm::Global => &resolution.global,
        Arm::Mediated => &resolution.distribution,
    }
}

/// ln words of a text by what memory alone says on `arm`; `None` of other tasks, and where nobody has said anything.
pub fn memory_length(resolution: &Resolution, arm: Arm) -> Option<f64> {
    let length = resolution.style?.length;
    match arm {
        Arm::None => length.base,
        Arm::Local => length.local,
        Arm::Global => length.global,
        Arm::Mediated => length.mediated,
    }
}

/// The final decision of `arm`, whose distribution is `distribution`. Where the model had no say, a decision that
/// [hysteresis](crate::mediator::hysteresis) holds is the mediated arm's; otherwise the most probable label wins.
pub fn final_decision(resolution: &Resolution, arm: Arm, distribution: &[f64], model_spoke: bool) -> usize {
    match (arm, resolution.held) {
        (Arm::Mediated, Some(_)) if !model_spoke => resolution.decision,
        _ => resolution.decide(distribution),
    }
}

/// The request that asks `arm`, with room divided as `weights` say. Without labels to score an answer is a text, which
/// gets more room.
pub fn request(blocks: &Blocks, labels: &[String], arm: Arm, weights: &Weights) -> GenRequest {
    request_of(blocks.prompt(arm, weights), labels)
}

/// The request that asks the mediated arm with a [written](super::reconcile) memory in the place of both.
pub fn request_written(blocks: &Blocks, labels: &[String], memory: &str) -> GenRequest {
    request_of(blocks.reconciled(memory), labels)
}

/// The request that asks a whole prompt, as every arm is asked.
pub fn request_of(prompt: String, labels: &[String]) -> GenRequest {
    let max_tokens = if labels.is_empty() { MAX_TEXT_TOKENS } else { MAX_ANSWER_TOKENS };
    GenRequest {
        prompt,
        labels: labels.to_vec(),
        words: true,
        max_tokens,
        stop: vec![STOP.to_owned()],
        form: Form::Plain,
    }
}

/// The arm's answer without a model.
pub fn by_memory(resolution: &Resolution, arm: Arm) -> ArmAnswer {
    let distribution = memory_distribution(resolution, arm).to_vec();
    ArmAnswer {
        decision: final_decision(resolution, arm, &distribution, false),
        distribution,
        text: String::new(),
        tokens: 0,
        log_probabilities: None,
        milliseconds: 0.0,
        first_token_milliseconds: 0.0,
    }
}

/// Asks the model on `arm` and waits for the whole answer.
pub fn by_model(
    engine: &dyn Engine,
    memory: &Memory,
    query: &str,
    read: &MemoryRead,
    resolution: &Resolution,
    arm: Arm,
    weights: &Weights,
) -> Result<ArmAnswer, EngineError> {
    let request = request(&Blocks::of(memory, query, read), memory.scored_labels(), arm, weights);
    by_model_asked(engine, request, resolution, arm, weights)
}

/// Asks the model what `request` asks of `arm`, and waits for the whole answer.
pub fn by_model_asked(
    engine: &dyn Engine,
    request: GenRequest,
    resolution: &Resolution,
    arm: Arm,
    weights: &Weights,
) -> Result<ArmAnswer, EngineError> {
    let mut answer = by_memory(resolution, arm);
    for event in engine.generate(request) {
        match event {
            GenEvent::Scores(scores) => {
                answer.distribution = fuse(&scores, memory_distribution(resolution, arm), weights.model_trust);
                answer.decision = final_decision(resolution, arm, &answer.distribution, weights.model_trust > 0.0);
                answer.log_probabilities = Some(scores);
            }
            GenEvent::Token(text) => answer.text.push_str(&text),
            GenEvent::Again(_) => answer = by_memory(resolution, arm),
            GenEvent::Done(stats) => {
                answer.tokens = stats.tokens;
                answer.milliseconds = stats.elapsed.as_secs_f64() * 1e3;
                answer.first_token_milliseconds = stats.ttft.as_secs_f64() * 1e3;
            }
            GenEvent::Failed(error) => return Err(error),
        }
    }
    Ok(answer)
}
