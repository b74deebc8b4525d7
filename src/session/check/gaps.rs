//! Gaps: lines that a recording would have and a session lacks, since somebody took them out or the file is cut.
//!
//! Every question is followed by evidence and a decision, and every answer by the setting in force has such a decision before
//! it. What was made as a whole, a scenario or a re-run, has every arm answer every question. Live use need not: a question
//! may be left before an arm has answered, and the last one before more than it is written.

use super::{Difference, Place};
use crate::engine::prompt::Arm;
use crate::session::event::{Event, Header, Origin};
use crate::session::log::Session;

/// What of a turn is there.
#[derive(Default)]
struct Kept {
    /// The index of its question.
    asked: usize,
    evidence: bool,
    mediated: bool,
    /// Whether the mediator has decided under the setting in force.
    decided: bool,
    /// The first answer before which it had not.
    undecided: Option<usize>,
    /// The arms that answered.
    arms: [bool; 4],
}

/// The first gap.
pub(super) fn gap(session: &Session) -> Option<Difference> {
    let turns = turns(session);
    let of_turns = turns.iter().enumerate().find_map(|(number, turn)| {
        let missing = |index: usize, recorded: String, computed: &str| {
            Some(Place::of(session, index).difference(format!("turn {}", number + 1), recorded, computed.to_owned()))
        };
        let last = number + 1 == turns.len();
        let none = |tag: &str| format!("no {tag} event");
        if let Some(tag) = headless(turn).filter(|_| !may_break_off(&session.header, number, last)) {
            return missing(turn.asked, none(tag), "one");
        }
        if let Some(index) = turn.undecided {
            return missing(index, "an answer".to_owned(), "a decision by the setting in force before it");
        }
        let silent = Arm::ALL.into_iter().find(|arm| !turn.arms[*arm as usize]);
        let arm = silent.filter(|_| !may_be_silent(&session.header, turn, last))?;
        missing(turn.asked, format!("no answer of {}", arm.name()), "one")
    });
    of_turns.or_else(|| cut(session))
}

/// What of every turn of `session` is there.
fn turns(session: &Session) -> Vec<Kept> {
    let mut turns: Vec<Kept> = Vec::new();
    for (index, event) in session.events.iter().enumerate() {
        if let Event::Asked(_) = event.as_ref() {
            turns.push(Kept { asked: index, ..Kept::default() });
        }
        let Some(turn) = turns.last_mut() else { continue };
        match event.as_ref() {
            Event::Evidence(_) => (turn.evidence, turn.decided) = (true, false),
            Event::WeightsChanged(_) => turn.decided = false,
            Event::Mediated { .. } => (turn.mediated, turn.decided) = (true, true),
            Event::Answered(answered) => {
                turn.arms[answered.arm as usize] = true;
                if !turn.decided {
                    turn.undecided.get_or_insert(index);
                }
            }
            Event::Asked(_) | Event::Remembered { .. } | Event::Note { .. } | Event::Feedback(_) => {}
        }
    }
    turns
}

/// The first event that a turn begins with and this one lacks.
fn headless(turn: &Kept) -> Option<&'static str> {
    match (turn.evidence, turn.mediated) {
        (false, _) => Some("evidence"),
        (true, false) => Some("mediated"),
        (true, true) => None,
    }
}

/// Whether some of it was answered live, so that not every arm need have answered every question. Of a redaction nothing says
/// what it was made from, and a fork goes on live.
fn is_live(header: &Header) -> bool {
    match header.origin {
        Some(Origin::ReRun { .. }) => false,
        Some(Origin::Fork { .. } | Origin::Redaction | Origin::Unknown) => true,
        None => header.is_of_live_use(),
    }
}

/// Whether a turn may have broken off before the mediator decided: the last one of live use, and the one that a fork was
/// taken from.
fn may_break_off(header: &Header, number: usize, last: bool) -> bool {
    let forked = matches!(header.origin, Some(Origin::Fork { turn, .. }) if turn == number + 1);
    forked || (last && is_live(header))
}

/// Whether arms may be silent in a turn. Memory alone answers on all of them or, where a model was still
/// expected, on none.
fn may_be_silent(header: &Header, turn: &Kept, last: bool) -> bool {
    let alone = header.origin.is_none() && header.model.is_none();
    is_live(header) && (last || !alone || turn.arms == [false; 4])
}

/// The half of a line at the end.
fn cut(session: &Session) -> Option<Difference> {
    let cut = session.cut?;
    let place = Place { event: session.events.len() + 1, line: cut.line, tag: "cut" };
    Some(place.difference("event".to_owned(), format!("{} bytes of it", cut.bytes), "a whole line".to_owned()))
}
