//! From a key on a slider to the whole frame on a terminal, with a session of ten thousand questions loaded: the program
//! itself on a pseudo-terminal, `cargo bench --bench keys`.
//!
//! The clock runs from the key that is written to the last byte of the frame that is read. That each frame shows the
//! value its key gives is looked at afterwards; one that does not makes the figure void.
//!
//! Then the same key while the shipped model answers, four arms one after another, asked again as soon as they are done. A
//! token draws a frame, too, so the clock stops at the first one that shows the key's value; a key counts where an arm was
//! still waiting in that frame and in the one before the key.

#[cfg(unix)]
mod long;

#[cfg(unix)]
fn main() {
    terminal::measure();
    #[cfg(feature = "local")]
    terminal::measure_beside_a_model();
}

#[cfg(not(unix))]
fn main() {
    println!("the pseudo-terminals of this system are not measured");
}

#[cfg(unix)]
mod terminal {
    use std::io::{Read, Write};
    use std::num::NonZeroU16;
    use std::path::Path;
    use std::sync::{Arc, Condvar, Mutex};
    use std::thread;
    use std::time::{Duration, Instant};

    use logoscope::bench::{Figure, Machine, table};
    use logoscope::mediator::Weight;
    use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

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

    /// The program on a terminal of its own.
    struct Program {
        terminal: Arc<Terminal>,
        keyboard: Box<dyn Write + Send>,
        child: Box<dyn Child + Send + Sync>,
        listener: thread::JoinHandle<()>,
        _master: Box<dyn MasterPty + Send>,
    }

    impl Program {
        fn start(arguments: &[&str], home: &Path) -> Self {
            let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
            let pty = native_pty_system().openpty(size).expect("there is a pseudo-terminal");
            let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_logoscope"));
            command.args(arguments);
            command.env_clear();
            command.env("TERM", "xterm-256color");
            command.env("HOME", home);
            let child = pty.slave.spawn_command(command).expect("the program starts");
            drop(pty.slave);
            let (terminal, output) =
                (Arc::new(Terminal::default()), pty.master.try_clone_reader().expect("it is read"));
            let listening = Arc::clone(&terminal);
            let listener = thread::spawn(move || listening.listen(output));
            let keyboard = pty.master.take_writer().expect("it is written to");
            Self { terminal, keyboard, child, listener, _master: pty.master }
        }

        fn press(&mut self, key: &str) {
            self.keyboard.write_all(key.as_bytes()).expect("the program reads keys");
            self.keyboard.flush().expect("the program reads keys");
        }

        fn end(mut self) {
            self.press("q");
            self.child.wait().expect("it ends");
            self.listener.join().expect("nothing is left to read");
        }
    }

    /// The frames of a program, drawn as they come.
    #[cfg(feature = "local")]
    struct Watched {
        terminal: Arc<Terminal>,
        parser: vt100::Parser,
        frames: usize,
        bytes: usize,
    }

    #[cfg(feature = "local")]
    impl Watched {
        /// Draws the next frame: when it was read.
        fn next(&mut self) -> Instant {
            let (at, _) = self.terminal.frame_after(self.frames);
            let written = self.terminal.written.lock().expect("nobody panics with it");
            let end = written.frames[self.frames].0;
            self.parser.process(&written.bytes[self.bytes..end]);
            (self.frames, self.bytes) = (self.frames + 1, end);
            at
        }

        /// Draws what has come so far.
        fn catch_up(&mut self) {
            while self.terminal.written.lock().expect("nobody panics with it").frames.len() > self.frames {
                self.next();
            }
        }

        /// Draws until the screen is as wanted: when that frame was read.
        fn until(&mut self, wanted: impl Fn(&str) -> bool) -> Instant {
            let begun = Instant::now();
            loop {
                let at = self.next();
                if wanted(&self.text()) {
                    return at;
                }
                assert!(begun.elapsed() < PATIENCE, "it did not come:\n{}", self.text());
            }
        }

        fn text(&self) -> String {
            self.parser.screen().contents()
        }
    }

    /// Whether an arm has yet to be answered.
    #[cfg(feature = "local")]
    fn speaking(text: &str) -> bool {
        // The last row says how to go to the next query.
        text.lines().any(|line| line.contains(" next") && !line.contains("n/p next"))
    }

    /// Keys beside a model that answers.
    #[cfg(feature = "local")]
    pub fn measure_beside_a_model() {
        let folder = tempfile::tempdir().expect("there is a place for it");
        let mut program = Program::start(&["--no-record"], folder.path());
        let mut watched = Watched { terminal: Arc::clone(&program.terminal), parser: parser(), frames: 0, bytes: 0 };
        watched.until(|text| text.contains("tok/s") && !speaking(text));
        let start = {
            let dataset = logoscope::data::sample::dataset().expect("the sample is part of the program");
            let policy = logoscope::mediator::Policy::of(dataset.manifest.task);
            logoscope::mediator::Weights::defaults(policy, &dataset.manifest)
        };
        let mut value = start.get(Weight::PriorStrength);
        let (mut taken, mut keys) = (Vec::with_capacity(KEYS), 0);
        while taken.len() < KEYS {
            assert!(keys < 40 * KEYS, "{} of {keys} keys fell in the time of an answer", taken.len());
            program.press("r");
            watched.until(speaking);
            // Until the model is done, and it is asked again.
            loop {
                let key = if keys / 20 % 2 == 0 { "l" } else { "h" };
                value = Weight::PriorStrength.nudged(value, if key == "l" { 1.0 } else { -1.0 });
                keys += 1;
                let told = format!("{}*", logoscope::view::text::value(value));
                watched.catch_up();
                let before = speaking(&watched.text());
                let pressed = Instant::now();
                program.press(key);
                let drawn = watched.until(|text| {
                    let row = text.lines().find(|line| line.contains("prior-strength   ")).unwrap_or_default();
                    row.contains(&told) || value == start.prior_strength && !row.contains('*')
                });
                let after = speaking(&watched.text());
                if before && after {
                    taken.push(drawn - pressed);
                }
                if !after {
                    break;
                }
            }
        }
        program.end();
        let subject = format!("the sample, nano answering on four arms, {COLUMNS}×{ROWS}, a pseudo-terminal");
        print!("\n{}", table(&Machine::here(), &subject, &[Figure::of("key.frame.model", "ms", taken)]));
    }

    pub fn measure() {
        let recorded = long::session(TURNS, usize::MAX);
        let folder = tempfile::tempdir().expect("there is a place for it");
        let file = folder.path().join("long.jsonl");
        recorded.write(&file).expect("it can be written");
        let (start, labels) = (recorded.header.setting.weights, recorded.header.labels.len());
        drop(recorded);

        let session = file.to_str().expect("folders for scratch have plain names");
        let mut program = Program::start(&["--model", "none", "--no-record", "--session", session], folder.path());
        let terminal = Arc::clone(&program.terminal);
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
            program.press(key);
            let (drawn, _) = terminal.frame_after(before);
            if ix > 0 {
                taken.push(drawn - pressed);
            }
            shown.push((before, turned(key)));
        }
        program.end();

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
