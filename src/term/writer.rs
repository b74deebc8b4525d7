//! One write a frame: everything ratatui writes is gathered and leaves in a single synchronised update.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

/// Begins a synchronised update: the terminal shows nothing of it until it ends.
const BEGIN: &[u8] = b"\x1b[?2026h";
/// Ends it.
const END: &[u8] = b"\x1b[?2026l";

/// Gathers what is written; flushing does nothing, since a frame leaves whole.
#[derive(Clone, Debug, Default)]
struct FrameBuffer(Rc<RefCell<Vec<u8>>>);

impl Write for FrameBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A screen on a terminal.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal<CrosstermBackend<FrameBuffer>>,
    gathered: FrameBuffer,
    out: File,
}

impl Screen {
    /// A screen that draws on `out`.
    pub fn new(out: File) -> io::Result<Self> {
        let gathered = FrameBuffer::default();
        let terminal = Terminal::new(CrosstermBackend::new(gathered.clone()))?;
        Ok(Self { terminal, gathered, out })
    }

    /// Forgets what the terminal shows: the next frame is drawn whole.
    pub fn forget(&mut self) -> io::Result<()> {
        *self = Self::new(self.out.try_clone()?)?;
        Ok(())
    }

    /// Draws a frame: what `draw` changes leaves in one write.
    pub fn draw<T>(&mut self, draw: impl FnOnce(&mut Frame) -> T) -> io::Result<T> {
        let mut result = None;
        self.gathered.0.borrow_mut().extend_from_slice(BEGIN);
        let drawn = self.terminal.draw(|frame| result = Some(draw(frame))).map(|_| ());
        let mut bytes = self.gathered.0.take();
        drawn?;
        bytes.extend_from_slice(END);
        self.out.write_all(&bytes)?;
        result.ok_or_else(|| io::Error::other("nothing was drawn"))
    }
}
