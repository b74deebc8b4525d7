//! What memory said to past questions, gathered once: a fit tries constants on it without reading memory again.

use std::sync::atomic::AtomicBool;

use crate::data::dataset::Calibration;
use crate::eval::EvalError;
use crate::eval::experiment::spread;
use crate::eval::split::Question;
use crate::mediator::Evidence;
use crate::memory::collective::Parts;
use crate::memory::{Apart, Memory};

/// A question with its evidence.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// What was asked, and the right answer.
    pub question: Question<'a>,
    /// The person's visible items.
    pub visible: usize,
    /// Both sides.
    pub evidence: Evidence,
    /// What the collective side is made of.
    pub parts: Parts,
}

impl Row<'_> {
    /// The evidence with the parts of the collective side weighed anew.
    pub fn weighed(&self, calibration: &Calibration) -> Evidence {
        let (population, community) = self.parts.distributions(&self.evidence.base, calibration);
        Evidence { population, community, local_calibration: calibration.local, ..self.evidence.clone() }
    }
}

/// Reads memory as `apart` says for every question, each as of its own moment.
pub fn gather<'a>(
    memory: &Memory,
    questions: &[Question<'a>],
    apart: Apart,
    cancel: &AtomicBool,
) -> Result<Vec<Row<'a>>, EvalError> {
    let manifest = &memory.manifest;
    let row = |ix: usize| {
        let question = questions[ix];
        let read = memory.read_apart(question.user, question.text, question.about, question.at, apart)?;
        let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
        Ok(Row { question, visible: read.local.visible(), evidence, parts: read.global.parts })
    };
    spread(questions.len(), row, cancel, &mut |_| ())
}
