//! Why not, to the end: what memory shows may still be cut from the mediated prompt, for want of room.

use super::prompt::{Blocks, Question};
use crate::mediator::Weights;
use crate::memory::entry::IndexError;
use crate::memory::why_not::Reason;
use crate::memory::{Memory, MemoryRead};

/// The first reason that keeps `id` from being shown and put into the mediated prompt. `read` is what memory said to
/// `question`, `prose` the person's profile that stands in the prompt.
pub fn why_not(
    memory: &Memory,
    question: &Question,
    read: &MemoryRead,
    weights: &Weights,
    prose: Option<&str>,
    id: &str,
) -> Result<Reason, IndexError> {
    let reason = memory.why_not(&question.user, &question.query, question.at, read, id)?;
    Ok(within_room(reason, &Blocks::of(memory, &question.query, read).with_profile(prose), weights))
}

fn within_room(reason: Reason, blocks: &Blocks, weights: &Weights) -> Reason {
    match reason {
        Reason::Shown { side, place } => match blocks.cut(side, place - 1, weights) {
            Some(cut) => Reason::Cut { side, place, needs: cut.needs, room: cut.room },
            None => Reason::Shown { side, place },
        },
        Reason::Another { entry, fate } => {
            Reason::Another { entry, fate: Box::new(within_room(*fate, blocks, weights)) }
        }
        other => other,
    }
}
