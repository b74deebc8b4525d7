//! From a key on a slider to the whole frame on a terminal, with a session of ten thousand questions loaded: the program
//! itself on a pseudo-terminal, `cargo bench --bench keys`.
//!
//! The clock runs from the key that is written to the last byte of the frame that is read. That each frame shows the
//! value its key gives is looked at afterwards; one that does not makes the figure void.

#[cfg(unix)]
mod long;

#[cfg(unix)]
fn main() {
    terminal::measure();
}

#[cfg(not(unix))]
fn main() {
    println!("the pseudo-terminals of this system are not measured");
}

#[cfg(unix)]
mod terminal {
    use std::io::{Read, Write};
    use std::num::NonZeroU16;
    use std::sync::{Arc, Condvar, Mutex};
    use std::thread;
    use std::time::{Duration, Instant};

    use logoscope::bench::{Figure, Machine, table};
    use logoscope::mediator::Weight;
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::long;

    const TURNS: usize = 10_000;
    const KEYS: usize = 300;
    const COLUMNS: u16 = 200;
    const ROWS: u16 = 60;
    /// Ends a frame.
    const END: &[u8] = b"\x1b[?2026l";
    /// How long anything may take.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// What the program has written.
    #[derive(Default)]
    struct Written {
        bytes: Vec<u8>,
        /// Where each frame ends, and when its end was read.
        frames: Vec<(usize, Instant)>,
        closed: bool,
    }

    #[derive(Default)]
    struct Terminal {
        written: Mutex<Written>,
        more: Condvar,
    }

    impl Terminal {
        fn listen(&self, mut output: impl Read) {
            let mut chunk = [0; 65_536];
            loop {
                let read = output.read(&mut chunk).unwrap_or(0);
                let now = Instant::now();
                let mut written = self.written.lock().expect("nobody panics with it");
                // An end may lie across two reads.
                let seen = (written.bytes.len() + 1).saturating_sub(END.len());
                written.bytes.extend_from_slice(&chunk[..read]);
                let ends = written.bytes[seen..].windows(END.len()).enumerate().filter(|(_, bytes)| *bytes == END);
                let ends: Vec<usize> = ends.map(|(at, _)| seen + at + END.len()).collect();
                written.frames.extend(ends.into_iter().map(|end| (end, now)));
                written.closed = read == 0;
                let closed = written.closed;
                drop(written);
                self.more.notify_all();
                if closed {
                    return;
                }
            }
        }

        /// When the first frame behind the first `frames` was read, and how many there are then.
        fn frame_after(&self, frames: usize) -> (Instant, usize) {
            let waiting = self.written.lock().expect("nobody panics with it");
            let few = |written: &mut Written| written.frames.len() <= frames && !written.closed;
            let (written, late) = self.more.wait_timeout_while(waiting, PATIENCE, few).expect("nobody panics with it");
            assert!(!late.timed_out() && !written.closed, "the program draws a frame for every key");
            (written.frames[frames].1, written.frames.len())
        }

        /// Waits until some frame holds `text`.
        fn until(&self, text: &str) {
            let (mut frames, begun) = (0, Instant::now());
            let mut parser = parser();
            let mut done = 0;
            while begun.elapsed() < PATIENCE {
                frames = self.frame_after(frames).1;
                let written = self.written.lock().expect("nobody panics with it");
                parser.process(&written.bytes[done..]);
                done = written.bytes.len();
                if parser.screen().contents().contains(text) {
                    return;
                }
            }
            panic!("{text} did not come:\n{}", parser.screen().contents());
        }
    }

    fn parser() -> vt100::Parser {
        let size = |n| NonZeroU16::new(n).expect("a screen has a size");
        vt100::Parser::new(size(ROWS), size(COLUMNS), 0)
    }

    pub fn measure() {
        let recorded = long::session(TURNS, usize::MAX);
        let folder = tempfile::tempdir().expect("there is a place for it");
        let file = folder.path().join("long.jsonl");
        recorded.write(&file).expect("it can be written");
        let (start, labels) = (recorded.header.setting.weights, recorded.header.labels.len());
        drop(recorded);

        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("there is a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_logoscope"));
        command.args(["--model", "none", "--no-record", "--session"]);
        command.arg(&file);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("HOME", folder.path());
        let mut child = pty.slave.spawn_command(command).expect("the program starts");
        drop(pty.slave);
        let (terminal, output) = (Arc::new(Terminal::default()), pty.master.try_clone_reader().expect("it is read"));
        let listening = Arc::clone(&terminal);
        let listener = thread::spawn(move || listening.listen(output));
        let mut keyboard = pty.master.take_writer().expect("it is written to");
        let mut press = |key: &str| {
            keyboard.write_all(key.as_bytes()).expect("the program reads keys");
            keyboard.flush().expect("the program reads keys");
        };
        terminal.until(&format!("1/{TURNS}"));
        terminal.until("margin");
        let mut value = start.get(Weight::PriorStrength);
        let mut turned = |key: &str| {
            value = Weight::PriorStrength.nudged(value, if key == "l" { 1.0 } else { -1.0 });
            value
        };
        let (mut taken, mut shown) = (Vec::with_capacity(KEYS), Vec::with_capacity(KEYS));
        // The memory of live work is built beneath the replay and draws nothing; it is given time to end.
        thread::sleep(Duration::from_secs(2));
        // The first key is not timed: it leaves the recorded setting.
        for ix in 0..=KEYS {
            let key = if ix / 20 % 2 == 0 { "l" } else { "h" };
            let before = terminal.written.lock().expect("nobody panics with it").frames.len();
            let pressed = Instant::now();
            press(key);
            let (drawn, _) = terminal.frame_after(before);
            if ix > 0 {
                taken.push(drawn - pressed);
            }
            shown.push((before, turned(key)));
        }
        press("q");
        child.wait().expect("it ends");
        listener.join().expect("nothing is left to read");

        let written = terminal.written.lock().expect("nobody panics with it");
        let (mut parser, mut done) = (parser(), 0);
        let mut expected = shown.iter().peekable();
        for (ix, (end, _)) in written.frames.iter().enumerate() {
            parser.process(&written.bytes[done..*end]);
            done = *end;
            if let Some((_, value)) = expected.next_if(|(frame, _)| *frame == ix) {
                let (screen, told) = (parser.screen().contents(), format!("{}*", logoscope::view::text::value(*value)));
                let row = screen.lines().find(|line| line.contains("prior-strength   ")).unwrap_or_default();
                assert!(row.contains(&told) || *value == start.prior_strength, "frame {ix} shows {told}:\n{screen}");
            }
        }
        assert!(expected.next().is_none(), "every key has its frame");
        let subject =
            format!("a session of {TURNS} questions and {labels} labels, {COLUMNS}×{ROWS}, a pseudo-terminal");
        print!("{}", table(&Machine::here(), &subject, &[Figure::of("key.frame.session-10k", "ms", taken)]));
    }
}
