//! The input thread: the one reader of the terminal.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use crossterm::event::{self, Event};

use crate::app::keymap::Chord;
use crate::app::message::Message;

/// Starts it. It ends when nobody listens any more, or when the terminal is gone.
pub fn start(out: Sender<Message>) -> io::Result<()> {
    let read = move || {
        loop {
            let message = match event::read() {
                Ok(Event::Key(key)) => Chord::of(key).map(Message::Key),
                Ok(Event::Paste(text)) => Some(Message::Paste(text)),
                Ok(Event::Resize(..)) => Some(Message::Resized),
                Ok(_) => None,
                Err(error) => {
                    // Reading on would spin: a terminal that is gone stays gone.
                    let _ = out.send(Message::InputLost(error.to_string()));
                    return;
                }
            };
            if message.is_some_and(|message| out.send(message).is_err()) {
                return;
            }
        }
    };
    thread::Builder::new().name("input".to_owned()).spawn(read).map(|_| ())
}
