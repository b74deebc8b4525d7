//! The answer of one arm: the model's own probabilities fused with what the arm's memory says.
//!
//! Invariant: every arm is asked with the same skeleton, decoding and ω; only its memory differs.

use crate::engine::engine::{Engine, GenEvent, GenRequest};
use crate::engine::error::EngineError;
use crate::engine::prompt::{Arm, MAX_ANSWER_TOKENS, STOP, render};
use crate::mediator::Resolution;
use crate::mediator::distribution::decision;
use crate::mediator::fusion::fuse;
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

/// The request that asks `arm`.
pub fn request(memory: &Memory, query: &str, read: &MemoryRead, arm: Arm) -> GenRequest {
    GenRequest {
        prompt: render(memory, query, read, arm),
        labels: memory.population.labels.clone(),
        max_tokens: MAX_ANSWER_TOKENS,
        stop: vec![STOP.to_owned()],
    }
}

/// The arm's answer without a model.
pub fn by_memory(_: &Memory, resolution: &Resolution, arm: Arm) -> ArmAnswer {
    let distribution = memory_distribution(resolution, arm).to_vec();
    let decision = decision(&distribution, &resolution.base);
    ArmAnswer {
        distribution,
        decision,
        text: String::new(),
        tokens: 0,
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
    model_trust: f64,
) -> Result<ArmAnswer, EngineError> {
    let mut answer = by_memory(memory, resolution, arm);
    for event in engine.generate(request(memory, query, read, arm)) {
        match event {
            GenEvent::Scores(scores) => {
                answer.distribution = fuse(&scores, memory_distribution(resolution, arm), model_trust);
                answer.decision = decision(&answer.distribution, &resolution.base);
            }
            GenEvent::Token(text) => answer.text.push_str(&text),
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
