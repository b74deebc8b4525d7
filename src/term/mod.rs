//! The terminal: taken over whole, drawn in one write a frame, always given back.

pub mod clipboard;
pub mod guard;
pub mod input;
pub mod signals;
pub mod writer;
