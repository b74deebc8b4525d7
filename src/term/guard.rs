//! Takes the terminal over and gives it back: once, whatever ends the program, and as often as it is suspended.
//!
//! Invariant: [`restore`] undoes exactly what [`TerminalGuard::enter`] did, the first time it is called after it, from
//! whichever of drop, panic hook or signal comes first. Worker threads that panic leave the screen alone.

use std::fs::File;
use std::io::{self, Write};
use std::panic;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::ResetColor;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{execute, queue};

use crate::engine::stdio::release_stdio;

/// The terminal to give back; `None` when there is nothing to undo.
static TAKEN: Mutex<Option<File>> = Mutex::new(None);
/// The thread that draws.
static DRAWING: OnceLock<ThreadId> = OnceLock::new();

/// The terminal is ours as long as this lives.
#[derive(Debug)]
pub struct TerminalGuard(());

impl TerminalGuard {
    /// Switches `terminal` to raw mode, the alternate screen, bracketed paste and a hidden cursor. Must be called from
    /// the thread that draws.
    pub fn enter(terminal: &File) -> io::Result<Self> {
        let _ = DRAWING.set(thread::current().id());
        restore_on_panic();
        enable_raw_mode()?;
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(terminal.try_clone()?);
        let guard = Self(());
        cover(terminal)?;
        Ok(guard)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, and standard output and error with it. Does nothing the second time.
pub fn restore() {
    let Some(out) = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    give_back(&out);
    release_stdio();
}

/// Gives the terminal back, stops this process until it is told to go on, and takes the terminal again.
#[cfg(unix)]
pub fn suspend() -> io::Result<()> {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(out) = taken.as_ref() else { return Ok(()) };
    give_back(out);
    signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
    enable_raw_mode()?;
    cover(out)
}

/// There is no such thing here.
#[cfg(not(unix))]
pub fn suspend() -> io::Result<()> {
    Ok(())
}

fn cover(mut terminal: &File) -> io::Result<()> {
    execute!(terminal, EnterAlternateScreen, EnableBracketedPaste, Hide)
}

fn give_back(mut terminal: &File) {
    // A terminal that is gone cannot be restored; there is nobody left to tell.
    let mut bytes = Vec::new();
    let _ = queue!(bytes, ResetColor, DisableBracketedPaste, LeaveAlternateScreen, Show);
    // First: one that nobody reads takes no bytes.
    let _ = disable_raw_mode();
    let _ = terminal.write_all(&bytes);
}

/// Puts a hook before the present one: a panic of the drawing thread first gives the terminal back; a panic of a worker
/// goes to the log only, since it is caught and told on the screen.
fn restore_on_panic() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if DRAWING.get().is_some_and(|drawing| *drawing != thread::current().id()) {
                tracing::error!(target: "logoscope::worker", "{info}");
                return;
            }
            restore();
            next(info);
        }));
    });
}
