//! Signals that ask the program to end or to stop become messages, so that the terminal is given back first.

use std::io;
use std::sync::mpsc::Sender;
#[cfg(unix)]
use std::time::Duration;

use crate::app::message::Message;

/// How long the second signal to end waits for the terminal.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts the signal thread. A second signal to end does so at once, should the first one not get through.
#[cfg(unix)]
pub fn start(out: Sender<Message>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGTSTP])?;
    let wait = move || {
        let mut seen = false;
        for signal in signals.forever() {
            if signal == SIGTSTP {
                let _ = out.send(Message::Suspend);
                continue;
            }
            if seen || out.send(Message::Signal(signal)).is_err() {
                restore_if_it_is_read();
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            seen = true;
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map(|_| ())
}

/// Gives the terminal back, unless nobody reads it: what is written to such a one is never taken, and would keep the program.
#[cfg(unix)]
fn restore_if_it_is_read() {
    let (out, restored) = std::sync::mpsc::channel();
    let restore = move || {
        super::guard::restore();
        let _ = out.send(());
    };
    if std::thread::Builder::new().name("restore".to_owned()).spawn(restore).is_ok() {
        let _ = restored.recv_timeout(PATIENCE);
    }
}

/// There are no such signals here.
#[cfg(not(unix))]
pub fn start(_out: Sender<Message>) -> io::Result<()> {
    Ok(())
}

/// Whether `signal` was ignored when the program began, as `nohup` has it, or nobody can tell: a handler would take that back.
#[cfg(unix)]
pub fn may_be_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}
