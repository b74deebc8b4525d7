//! The application: events come in, `update` changes the state, effects go out, the view is drawn.
//!
//! Invariants: the state is owned by the thread that draws; every queued event is taken in before at most one frame is
//! drawn; no frame is drawn unless something may have changed, so an idle workbench costs nothing.

mod answers;
pub mod attribution;
pub mod back;
pub mod board;
pub mod calls;
pub mod command;
pub mod data;
pub mod datasets;
pub mod effect;
pub mod feedback;
pub mod fitter;
mod fuzzy;
pub mod input;
pub mod inquiry;
pub mod journal;
pub mod keeper;
pub mod keymap;
pub mod memories;
pub mod message;
pub mod order;
pub mod overlay;
mod pane;
pub mod profile;
pub mod profiler;
pub mod recordings;
pub mod replay;
pub mod rungs;
pub mod scribe;
pub mod setting;
pub mod shelf;
pub mod state;
pub mod stock;
pub mod study;
pub mod surveyor;
pub mod undo;
pub mod update;
pub mod visit;
pub mod worker;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use effect::Runner;
use message::{Limits, Message};
use state::{Exit, State};
use update::update;

/// Events taken in before a frame is drawn at the latest.
const BATCH: usize = 256;
/// A frame that only workers ask for comes at least this long after the last one.
const UNHURRIED: Duration = Duration::from_millis(33);
/// How often what moves (a spinner, an elapsed time) moves.
const TICK: Duration = Duration::from_millis(100);

/// Runs until the state says that it is over. `draw` draws a frame and says how far things can scroll.
pub fn run(
    state: &mut State,
    runner: &Runner,
    inbox: &Receiver<Message>,
    mut draw: impl FnMut(&State) -> io::Result<Limits>,
) -> io::Result<Exit> {
    let start = Instant::now();
    let mut drawn_at: Option<Instant> = None;
    let mut hurry = true;
    loop {
        let rested = drawn_at.is_none_or(|at| at.elapsed() >= UNHURRIED);
        if state.dirty && (hurry || rested) {
            state.dirty = false;
            hurry = false;
            let limits = match draw(state) {
                Ok(limits) => limits,
                Err(error) => {
                    let signal = hung_up(inbox).map(Exit::Signal);
                    // A gesture under way is part of what was done.
                    state.exit = Some(Exit::Done);
                    take(state, runner, Message::Clock(start.elapsed()));
                    return signal.ok_or(error);
                }
            };
            drawn_at = Some(Instant::now());
            take(state, runner, Message::Drawn(limits));
        }
        if let Some(exit) = state.exit.take() {
            return Ok(exit);
        }
        let patience = match (state.dirty, state.busy()) {
            (true, _) => Some(UNHURRIED.saturating_sub(drawn_at.map_or(UNHURRIED, |at| at.elapsed()))),
            (false, true) => Some(TICK),
            (false, false) => None,
        };
        // A replay that plays wakes the loop for its next turn; one that is paused does not.
        let next_turn = state.due().map(|due| due.saturating_sub(start.elapsed()));
        let patience = patience.into_iter().chain(next_turn).min();
        let first = match patience {
            Some(patience) => inbox.recv_timeout(patience),
            None => inbox.recv().map_err(RecvTimeoutError::from),
        };
        let first = match first {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
        };
        take(state, runner, Message::Clock(start.elapsed()));
        for message in first.into_iter().chain(inbox.try_iter().take(BATCH)) {
            hurry |= matches!(message, Message::Key(_) | Message::Paste(_) | Message::Resized);
            let message = match message {
                Message::InputLost(reason) => hung_up(inbox).map_or(Message::InputLost(reason), Message::Signal),
                message => message,
            };
            take(state, runner, message);
        }
    }
}

/// The signal that tells of a terminal that is gone, too, and says better why this ends. It may come a moment later.
fn hung_up(inbox: &Receiver<Message>) -> Option<i32> {
    let until = Instant::now() + TICK;
    loop {
        match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Signal(signal)) => return Some(signal),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// Takes in a message. What one message left to be drawn, the next one may not take back.
fn take(state: &mut State, runner: &Runner, message: Message) {
    let dirty = std::mem::take(&mut state.dirty);
    for effect in update(state, message) {
        runner.run(effect);
    }
    state.dirty |= dirty;
}
