//! Signals that ask the program to end or to stop become messages, so that the terminal is given back first.

use std::io;
use std::sync::mpsc::Sender;

use crate::app::message::Message;

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
                super::guard::restore();
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            seen = true;
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map(|_| ())
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
