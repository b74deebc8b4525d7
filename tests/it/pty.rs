//! The real binary on a real pseudo-terminal. No waits but for conditions, each with a deadline.

#![cfg(unix)]

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);

/// What the terminal has seen.
struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

/// The workbench on a pseudo-terminal.
pub struct Session {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
    home: tempfile::TempDir,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn nonzero(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

impl Session {
    pub fn start(columns: u16, rows: u16, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::started(columns, rows, arguments, environment, None)
    }

    /// As [`start`](Self::start), with standard error in a file of its own where there is one.
    fn started(
        columns: u16,
        rows: u16,
        arguments: &[&str],
        environment: &[(&str, &str)],
        errors: Option<&std::path::Path>,
    ) -> Self {
        let pty = native_pty_system().openpty(size(columns, rows)).unwrap();
        let home = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_logoscope");
        let mut command = CommandBuilder::new(if errors.is_some() { "/bin/sh" } else { program });
        if let Some(errors) = errors {
            command.args(["-c", "errors=$1; shift; exec \"$@\" 2>\"$errors\"", "sh"]);
            command.arg(errors);
            command.arg(program);
        }
        command.args(arguments);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("HOME", home.path());
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut output = pty.master.try_clone_reader().unwrap();
        let keyboard = pty.master.take_writer().unwrap();
        let parser = vt100::Parser::new(nonzero(rows), nonzero(columns), 0);
        let seen = Arc::new(Mutex::new(Seen { parser, raw: Vec::new(), closed: false }));
        let watched = Arc::clone(&seen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = output.read(&mut bytes);
                let mut seen = watched.lock().unwrap();
                match read {
                    Ok(n) if n > 0 => {
                        seen.raw.extend_from_slice(&bytes[..n]);
                        seen.parser.process(&bytes[..n]);
                    }
                    _ => {
                        seen.closed = true;
                        return;
                    }
                }
            }
        });
        Self { master: pty.master, keyboard, child, seen, home }
    }

    /// Everything that was written to the terminal.
    pub fn written(&self) -> Vec<u8> {
        self.seen().raw.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// Waits until `condition` holds of the screen.
    pub fn until(&self, what: &str, condition: impl Fn(&vt100::Screen, &str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            {
                let seen = self.seen();
                let text = seen.parser.screen().contents();
                if condition(seen.parser.screen(), &text) {
                    return;
                }
                assert!(Instant::now() < deadline, "{what} did not come; the screen:\n{text}");
            }
            thread::sleep(LOOK);
        }
    }

    pub fn until_shown(&self, expected: &str) {
        self.until(expected, |_, text| text.contains(expected));
    }

    pub fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.seen().parser.screen_mut().set_size(nonzero(rows), nonzero(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits for the end of the program and of its output.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap()
                && self.seen().closed
            {
                return status;
            }
            assert!(Instant::now() < deadline, "the program did not end; the screen:\n{}", self.text());
            thread::sleep(LOOK);
        }
    }

    /// The terminal is as it was before.
    fn assert_restored(&self) {
        let seen = self.seen();
        let screen = seen.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "bracketed paste is off");
        let count = |wanted: &[u8]| seen.raw.windows(wanted.len()).filter(|window| *window == wanted).count();
        assert_eq!(count(b"\x1b[?2026h"), count(b"\x1b[?2026l"), "every frame was closed");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn memory_only(columns: u16, rows: u16, environment: &[(&str, &str)]) -> Session {
    let session = Session::start(columns, rows, &["--model", "none"], environment);
    session.until_shown("margin");
    session
}

#[test]
fn the_first_screen_is_full_and_nothing_covers_it() {
    let session = memory_only(200, 60, &[]);
    for expected in
        ["logoscope", "film-tags · 240 users", "Local", "Mediator", "Global", "Answers", "Weights", "q quit"]
    {
        session.until_shown(expected);
    }
    assert!(session.seen().parser.screen().alternate_screen());
}

#[test]
fn help_opens_and_closes() {
    let mut session = memory_only(120, 40, &[]);
    session.keys("?");
    session.until_shown("Type a query; Enter asks");
    session.keys("\x1b");
    session.until("the help closes", |_, text| !text.contains("Type a query; Enter asks"));
}

#[cfg(feature = "local")]
#[test]
fn a_typed_query_is_answered_on_four_arms() {
    let mut session = Session::start(200, 60, &[], &[]);
    session.until_shown("tok/s");
    session.keys("iA retired diver maps the drowned streets\r");
    session.until_shown("not judged");
    session.until("four answers", |_, text| text.matches(" · ").count() > 4 && text.matches("token").count() == 4);
    session.until_shown("tok/s");
    let text = session.text();
    for arm in ["none", "local", "global", "mediated"] {
        assert!(text.contains(arm), "{text}");
    }
    assert!(text.contains("A retired diver maps the drowned streets"));
}

#[test]
fn a_weight_key_changes_the_shown_value() {
    let mut session = memory_only(120, 40, &[]);
    let value = |text: &str| {
        let row = text.lines().find(|line| line.contains("prior-strength   "))?;
        row.rsplit('┤').next().map(|rest| rest.trim_end_matches(['│', '┃', ' ']).trim().to_owned())
    };
    let before = value(&session.text()).unwrap();
    session.keys("l");
    session.until("another value", |_, text| value(text).is_some_and(|now| now != before && now.ends_with('*')));
    session.keys("u");
    session.until("the old value", |_, text| value(text).is_some_and(|now| now == before));
}

#[test]
fn the_screen_follows_the_size_down_and_up() {
    let session = memory_only(120, 40, &[]);
    session.resize(80, 24);
    session.until_shown("5 Weights");
    session.resize(20, 5);
    session.until_shown("need 40×12");
    session.resize(120, 40);
    session.until("all panes", |_, text| {
        text.contains("Answers") && text.contains("prior-strength") && !text.contains("5 Weights")
    });
}

#[test]
fn quit_gives_the_terminal_back() {
    let mut session = memory_only(80, 24, &[]);
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
}

#[test]
fn ctrl_c_twice_quits() {
    let mut session = memory_only(80, 24, &[]);
    session.keys("\x03");
    session.until_shown("Ctrl-C again quits");
    session.keys("\x03");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told() {
    let mut session = Session::start(80, 24, &["--model", "none"], &[("LOGOSCOPE_TEST_PANIC", "ui")]);
    assert_eq!(session.end().exit_code(), 101);
    session.assert_restored();
    session.until_shown("asked to panic");
}

#[test]
fn a_worker_that_panics_leaves_the_screen_alone() {
    let mut session = Session::start(80, 24, &["--model", "none"], &[("LOGOSCOPE_TEST_PANIC", "memory")]);
    session.until_shown("memory could not be built: asked to panic");
    session.keys("?");
    session.until_shown("━ keys ━");
    session.keys("\x1b");
    session.until("the help closes", |_, text| !text.contains("━ keys ━"));
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
    assert!(!String::from_utf8_lossy(&session.seen().raw).contains("panicked at"));
}

#[test]
fn signals_give_the_terminal_back() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130), ("-HUP", 129)] {
        let mut session = memory_only(80, 24, &[]);
        session.signal(signal);
        let status = session.end();
        assert_eq!(status.exit_code(), code, "{signal}: {status:?}");
        session.assert_restored();
    }
}

#[test]
fn a_suspended_workbench_gives_the_terminal_back_and_takes_it_again() {
    let mut session = memory_only(80, 24, &[]);
    let pid = session.child.process_id().unwrap().to_string();
    let stopped = || {
        let asked = std::process::Command::new("ps").args(["-o", "stat=", "-p", &pid]).output().unwrap();
        String::from_utf8_lossy(&asked.stdout).starts_with('T')
    };
    for by_key in [true, false] {
        if by_key {
            session.keys("\x1a");
        } else {
            session.signal("-TSTP");
        }
        session.until("the stop", |screen, _| !screen.alternate_screen() && stopped());
        session.assert_restored();
        session.signal("-CONT");
        session.until("the whole screen", |screen, text| {
            screen.alternate_screen() && screen.hide_cursor() && text.contains("logoscope") && text.contains("margin")
        });
    }
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
}

#[test]
fn without_colour_the_selection_can_be_seen() {
    let mut session = memory_only(100, 30, &[("NO_COLOR", "1")]);
    session.keys("w");
    session.until("a reversed row", |screen, text| {
        let selected = (0..30).any(|row| {
            (0..100).filter(|column| screen.cell(row, *column).is_some_and(|cell| cell.inverse())).count() > 20
        });
        selected && text.contains("who asks")
    });
    let seen = session.seen();
    let screen = seen.parser.screen();
    for row in 0..30 {
        for column in 0..100 {
            let cell = screen.cell(row, column).unwrap();
            assert_eq!((cell.fgcolor(), cell.bgcolor()), (vt100::Color::Default, vt100::Color::Default));
        }
    }
}

#[test]
fn an_idle_screen_is_not_drawn_again() {
    let mut session = memory_only(120, 40, &[]);
    // A key that changes the screen is the last thing to be drawn …
    session.keys("\t");
    session.until("another focus", |_, text| text.contains("┏━ ◆ Global"));
    let drawn = session.seen().raw.len();
    // … and one that means nothing is read without a frame; the key after it proves that it was read.
    session.keys("~");
    session.keys("q");
    session.end();
    let raw = &session.seen().raw;
    let frames = raw[drawn..].windows(8).filter(|window| *window == b"\x1b[?2026h").count();
    assert!(frames <= 1, "{frames} frames");
}

#[test]
fn a_replay_jumps_to_a_mark_and_an_answer_is_called_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sea.jsonl");
    crate::replaying::session(true).write(&file).unwrap();
    let arguments = ["--model", "none", "--session", file.to_str().unwrap()];
    let mut session = Session::start(120, 40, &arguments, &[]);
    session.until_shown("REPLAY sea 1/7 ×1 ⏸ paused");
    session.keys("c");
    session.until_shown("REPLAY sea 2/7");
    session.keys("CCC");
    session.until_shown("no conflict before turn");
    // A recording is not judged; live work is.
    session.keys("+");
    session.until_shown("a recording is not rewritten");
    session.keys("x");
    // A frame may be in sight in part: nothing of the replay's person is left, and memory has spoken.
    session.until("live work", |_, text| {
        text.contains("memory only") && text.contains("margin") && !text.contains("u017")
    });
    session.keys("+");
    session.until_shown("which answer is right?");
    session.keys("\r");
    session.until_shown("is called right");
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    let sessions = session.home.path().join(".local/state/logoscope/sessions");
    let recorded = std::fs::read_dir(sessions).unwrap().next().unwrap().unwrap();
    let text = std::fs::read_to_string(recorded.path()).unwrap();
    assert!(text.lines().any(|line| line.starts_with("{\"event\":\"feedback\"")), "{text}");
}

#[test]
fn a_session_is_opened_played_to_its_end_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sea.jsonl");
    crate::replaying::session(true).write(&file).unwrap();
    let arguments = ["--model", "none", "--session", file.to_str().unwrap()];
    let mut session = Session::start(120, 40, &arguments, &[]);
    session.until_shown("REPLAY sea 1/7 ×1 ⏸ paused");
    session.keys("]]]] ");
    session.until_shown("▶ playing");
    session.until_shown("REPLAY sea 7/7 ×16 ■ at end");
    // A weight is felt in the whole session, and undone.
    session.keys("m");
    session.until_shown("of 7 final answers changed");
    session.keys("u");
    session.until_shown("weights as recorded");
    // A damaged file is a message, and work goes on.
    std::fs::write(&file, "no session\n").unwrap();
    session.keys("Oanother\r");
    session.until_shown(" open ");
    session.keys(&format!("{}\r", file.display()));
    session.until_shown("is not a session");
    assert!(session.text().contains(" open "), "the path can be corrected");
    session.keys("\x1b");
    session.until("the line closes", |_, text| !text.contains("is not a session"));
    session.keys(",");
    session.until_shown("REPLAY sea 6/7");
    session.keys("x");
    session.until("live work", |_, text| text.contains("film-tags · 240 users") && text.contains("margin"));
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
}

#[test]
fn bad_data_ends_the_workbench_and_the_message_stands_after_it() {
    let folder = "no/such\u{1b}[31m/folder";
    let mut session = Session::start(80, 24, &["--model", "none", "--data", folder], &[]);
    assert_eq!(session.end().exit_code(), 2);
    session.assert_restored();
    let raw = String::from_utf8_lossy(&session.seen().raw).into_owned();
    let (_, told) = raw.rsplit_once("logoscope: ").unwrap();
    assert!(told.starts_with("no/such␛[31m/folder/dataset.toml: cannot be read"), "{told:?}");
    assert!(told.trim_end().ends_with("a dataset folder holds dataset.toml, interactions.jsonl and queries.jsonl"));
    assert!(!told.contains('\u{1b}') && told.lines().count() == 1, "{told:?}");
}

#[test]
fn a_model_and_a_session_that_cannot_be_opened_are_notices_and_work_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.jsonl");
    let (_, recorded) = crate::session::small();
    let text = String::from_utf8(recorded.to_bytes().unwrap()).unwrap();
    std::fs::write(&file, text.replacen("\"prior-strength\":", "\"prior-strength\":-5,\"x\":", 1)).unwrap();
    let mut session = Session::start(200, 40, &["--model", "none", "--session", file.to_str().unwrap()], &[]);
    session.until_shown("prior-strength is -5; its range is 0.01 to 100");
    session.until_shown("margin");
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);

    let mut session = Session::start(200, 40, &["--model", "/no/such\u{1b}[31m"], &[]);
    session.until_shown("cannot load the model in /no/such␛[31m");
    session.until_shown("margin");
    session.keys("iA diver by the sea\r");
    session.until("the answer", |_, text| text.contains("not judged") && !text.contains("stale"));
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
}

#[test]
fn the_shipped_sessions_play_to_their_end() {
    let mut session = memory_only(120, 40, &[]);
    let shipped = logoscope::data::sample::sessions();
    assert_eq!(shipped.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["biased-user", "cold-start"]);
    for (name, content) in shipped {
        let turns = String::from_utf8_lossy(content).matches("{\"event\":\"asked\"").count();
        session.keys(&format!("O{name}"));
        session.until("the session is offered", |_, text| text.contains(name) && text.contains("shipped"));
        session.keys("\r");
        session.until_shown(&format!("REPLAY {name} 1/{turns}"));
        session.keys("]]]] ");
        session.until_shown(&format!("REPLAY {name} {turns}/{turns} ×16 ■ at end"));
    }
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
}

#[test]
fn live_use_is_recorded_and_checks() {
    let mut session = memory_only(120, 40, &[]);
    session.keys("?");
    session.until_shown("this session is recorded from the first key on");
    session.until_shown("recorded in");
    session.keys("\x1b");
    session.until("the help closes", |_, text| !text.contains("━ keys ━"));
    session.keys("iA diver by the sea\r");
    session.until("the answer", |_, text| text.contains("not judged") && !text.contains("stale"));
    session.keys("lllm");
    session.until_shown("Mediator · shrinkage");
    // Cold start by hand: memory is given an answer, and knows it when it is asked again.
    session.keys("R");
    session.until_shown("what they answer");
    session.keys("\r");
    session.until("the answer is remembered", |_, text| {
        text.contains("A diver by the sea") && text.matches("A diver by").count() > 1 && !text.contains("stale")
    });
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
    let told = String::from_utf8_lossy(&session.seen().raw).into_owned();
    assert!(told.contains("this session is recorded in"), "it is told on the way out");
    let folder = session.home.path().join(".local/state/logoscope/sessions");
    let file = folder.join("film-tags-001.jsonl");
    let recorded = logoscope::session::Session::open(&file).unwrap();
    let tags: Vec<&str> = recorded.events.iter().map(|event| event.tag()).collect();
    let turn = ["asked", "evidence", "mediated", "answered", "answered", "answered", "answered"];
    let changed = ["weights-changed", "mediated", "answered", "answered", "answered", "answered"];
    assert_eq!(tags, [&turn[..], &turn, &changed, &changed, &["remembered"], &turn].concat());
    let mut replay = crate::program();
    let checked = replay.args(["replay", "--check"]).arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// One run of the program, two datasets: each is asked, and each has a recording of its own.
#[test]
fn another_dataset_is_opened_and_asked_without_leaving() {
    let mut session = memory_only(160, 40, &[]);
    session.until_shown("film-tags · 240 users");
    session.keys("iA diver by the sea\r");
    session.until("the answer", |_, text| text.contains("not judged") && !text.contains("stale"));
    session.keys("\x06");
    session.until_shown("another folder");
    session.keys("/no/such/data\r");
    session.until_shown("data is not opened, film-tags stays: /no/such/data/");
    session.until_shown("A diver by the sea");
    session.keys("\x06");
    session.until_shown("another folder");
    session.keys("headlines\r");
    session.until_shown("headlines · 120 users");
    session.until("its first question", |_, text| text.contains("judged query") && text.contains("margin"));
    session.keys("iThe council votes on the bridge\r");
    session.until("the answer", |_, text| text.contains("not judged") && !text.contains("stale"));
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
    let folder = session.home.path().join(".local/state/logoscope/sessions");
    for (name, query) in [("film-tags", "A diver by the sea"), ("headlines", "The council votes on the bridge")] {
        let file = folder.join(format!("{name}-001.jsonl"));
        let header = logoscope::session::Session::open(&file).unwrap().header;
        assert_eq!(header.dataset.name, name);
        assert!(std::fs::read_to_string(&file).unwrap().contains(query));
    }
}

/// Whoever is killed while recording loses at most the event being written: what stood in the file before stands there, and
/// it opens.
#[test]
fn a_kill_while_recording_costs_one_event_at_most() {
    for turned in [0, 3, 11] {
        let mut session = memory_only(120, 40, &[]);
        session.keys("iA diver by the sea\r");
        session.until("the answer", |_, text| text.contains("not judged") && !text.contains("stale"));
        let file = session.home.path().join(".local/state/logoscope/sessions/film-tags-001.jsonl");
        let read = || std::fs::read(&file).unwrap_or_default();
        session.until("the turn is written", |_, _| read().iter().filter(|byte| **byte == b'\n').count() > 14);
        session.keys(&"l".repeat(turned));
        let before = read();
        session.signal("-KILL");
        session.end();
        let after = read();
        assert!(after.starts_with(&before), "nothing that was written is lost");
        let recorded = logoscope::session::Session::open(&file).unwrap();
        let whole = before.iter().filter(|byte| **byte == b'\n').count();
        assert!(recorded.events.len() + 1 >= whole, "{} of {whole}", recorded.events.len());
        assert_eq!(recorded.cut.is_some(), !after.ends_with(b"\n"));
    }
}

#[test]
fn nothing_is_recorded_where_nothing_is_wanted() {
    for (arguments, keys) in [(&["--model", "none", "--no-record"][..], "mq"), (&["--model", "none"], "q")] {
        let mut session = Session::start(80, 24, arguments, &[]);
        session.until_shown("margin");
        session.keys(keys);
        assert_eq!(session.end().exit_code(), 0);
        assert!(!session.home.path().join(".local/state/logoscope/sessions").exists());
    }
}

#[test]
fn what_cannot_be_recorded_is_told_and_work_goes_on() {
    let state = tempfile::NamedTempFile::new().unwrap();
    let mut session = memory_only(120, 40, &[("XDG_STATE_HOME", state.path().to_str().unwrap())]);
    session.keys("m");
    session.until_shown("kept in memory, it cannot be recorded");
    session.until_shown("XDG_STATE_HOME");
    session.until_shown("not recorded");
    session.keys("u");
    session.until_shown("Mediator · product");
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
}

#[test]
fn a_try_is_there_when_the_workbench_is_started_again() {
    let home = tempfile::tempdir().unwrap();
    let environment = [("XDG_DATA_HOME", home.path().to_str().unwrap())];
    let file = home.path().join("logoscope/tries/film-tags.toml");

    let mut session = memory_only(120, 40, &environment);
    session.keys("l=17.35\r");
    session.until("the value is set", |_, text| text.contains("17.35*"));
    session.keys("s\x15stiff\r");
    session.until_shown("try 1 · stiff is saved");
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    session.assert_restored();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("name = \"stiff\"") && text.contains("prior-strength = 17.35"), "{text}");

    let mut session = memory_only(120, 40, &environment);
    session.keys("T");
    session.until("the try is listed", |_, text| text.contains("tries on film-tags") && text.contains("κ 17.35"));
    session.keys("stiff\r");
    session.until_shown("Mediator · product · try 1 · stiff");
    session.keys("u");
    session.until("the default again", |_, text| !text.contains("try 1") && !text.contains("17.35"));
    session.keys("Tstiff\x1b[3~\x1b[3~");
    session.until_shown("try 1 · stiff is deleted");
    session.keys("\x1b");
    session.until("the list closes", |_, text| !text.contains("tries on film-tags"));

    std::fs::write(&file, "[[try]]\nnumber = 0\n").unwrap();
    session.keys("s\r");
    session.until_shown("try 1 not kept on disk: ");
    session.keys("q");
    session.until_shown("q again quits");
    session.keys("q");
    assert_eq!(session.end().exit_code(), 0);
    let told = String::from_utf8_lossy(&session.seen().raw).into_owned();
    assert!(told.contains("film-tags.toml:2: number 0 is the dataset's default"), "it is told on the way out");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[[try]]\nnumber = 0\n", "and the file is as it was");
}

#[test]
fn a_model_that_does_not_fit_the_data_is_said_not_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = logoscope::data::sample::dataset().unwrap();
    dataset.manifest.labels.push("politics".to_owned());
    dataset.write(folder.path()).unwrap();
    let data = folder.path().to_str().unwrap();
    let session = Session::start(120, 40, &["--data", data], &[]);
    session.until_shown("nano does not fit · memory only");
    session.until_shown("nano was trained for other labels ('politics'");

    let ask = ["ask", "--data", data, "--user", "u017", "--query", "A diver", "--format", "json"];
    let asked = crate::program().args(ask).output().unwrap();
    let told = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{told}");
    assert!(told.contains("nano was trained for other labels ('politics' is not among them)"), "{told}");
    let answer: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(answer["weights"]["model-trust"], 0.0);
    assert_eq!(answer["arms"]["mediated"]["distribution"], answer["mediation"]["distribution"]);
    assert_eq!(answer["arms"]["mediated"]["tokens"], 0);

    let out = folder.path().join("cold.jsonl");
    let scenario = ["scenario", "cold-start", "--data", data, "--user", "u017", "--out", out.to_str().unwrap()];
    let made = crate::program().args(scenario).output().unwrap();
    let told = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success() && told.contains("nano was trained for other labels"), "{told}");
    let header = logoscope::session::Session::open(&out).unwrap().header;
    assert_eq!((header.model, header.setting.weights.model_trust), (None, 0.0));
}

#[test]
fn ascii_needs_no_other_glyph() {
    let session = Session::start(120, 40, &["--model", "none", "--ascii"], &[]);
    session.until_shown("margin");
    assert!(session.text().is_ascii(), "{}", session.text());
}

/// Wide, combining and joined characters take as many columns in a terminal as on the drawn screen: the frame stays whole.
#[test]
fn text_of_any_script_leaves_the_frame_whole() {
    let folder = tempfile::tempdir().unwrap();
    let text = "日本語 e\u{301}\u{301} \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F466} \u{FE0F}ก็ \u{1b}[31m \u{202e}عربي";
    let line = |id: &str, response: &str| {
        serde_json::json!({"id": id, "user": "ü👩\u{200D}🚀", "at": 1_700_000_000, "query": text, "response": response})
            .to_string()
    };
    std::fs::write(
        folder.path().join("dataset.toml"),
        "format = 1\nname = \"scripts\"\ntask = \"labels\"\nlabels = [\"犬\", \"猫\"]\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("interactions.jsonl"), format!("{}\n{}\n", line("1", "犬"), line("2", "猫")))
        .unwrap();
    let asked =
        serde_json::json!({"id": "q", "user": "ü👩\u{200D}🚀", "at": 1_700_000_001, "query": text, "gold": "猫"});
    std::fs::write(folder.path().join("queries.jsonl"), asked.to_string()).unwrap();
    let data = folder.path().to_str().unwrap();
    let session = Session::start(120, 40, &["--model", "none", "--data", data], &[]);
    session.until("the answers", |_, text| text.contains("margin") && text.contains("犬"));
    session.until("whole frames", |screen, _| {
        let framed =
            |row: u16| screen.cell(row, 0).is_some_and(|cell| "│┃".contains(cell.contents()) && cell.has_contents());
        let closed =
            |row: u16| screen.cell(row, 119).is_some_and(|cell| "│┃".contains(cell.contents()) && cell.has_contents());
        (3..38).filter(|row| framed(*row)).count() > 20 && (3..38).all(|row| !framed(row) || closed(row))
    });
}

#[test]
fn a_prompt_goes_to_the_clipboard_between_two_frames() {
    let mut session = memory_only(120, 40, &[]);
    session.keys("P");
    session.until_shown("prompt room");
    session.keys("y");
    session.until_shown("bytes sent to the terminal's clipboard");
    {
        let seen = session.seen();
        let find = |from: usize, wanted: &[u8]| {
            seen.raw[from..].windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
        };
        let start = find(0, b"\x1b]52;c;").expect("it was sent");
        let end = find(start, b"\x1b\\").expect("it was ended");
        let sent = &seen.raw[start + 7..end];
        assert!(sent.len() > 100 && sent.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)));
        let before = |wanted: &[u8]| seen.raw[..start].windows(wanted.len()).filter(|window| *window == wanted).count();
        assert_eq!(before(b"\x1b[?2026h"), before(b"\x1b[?2026l"), "not inside a frame");
    }
    session.keys("q");
    session.until("the board closes", |_, text| !text.contains("prompt room"));
    session.keys("q");
    assert!(session.end().success());
    session.assert_restored();
}

#[test]
fn keys_are_read_while_a_fit_runs() {
    let mut session = memory_only(120, 40, &[]);
    session.keys("ff");
    session.until("it runs", |_, text| text.contains("reading memory, tuning part") || text.contains("round"));
    session.keys("?");
    session.until_shown("Type a query; Enter asks");
    // Escape and a letter in one write would be a letter under Alt.
    session.keys("\x1b");
    session.until("the help closes", |_, text| !text.contains("Type a query; Enter asks"));
    session.keys("f");
    session.until_shown("saved as try 1 · fitted");
    assert!(session.text().contains("not shown"), "hidden until asked for");
    session.keys("v");
    session.until_shown("1 look at it so far");
    session.keys("q");
    session.until("the board closes", |_, text| !text.contains("look at it so far"));
    session.keys("q");
    assert!(session.end().success());
    let tries =
        std::fs::read_to_string(session.home.path().join(".local/share/logoscope/tries/film-tags.toml")).unwrap();
    assert!(tries.contains("looks = 1") && tries.contains("name = \"fitted\""), "{tries}");
}

/// Whatever the library does while a model is chosen and loaded, the screen stays ours.
#[cfg(feature = "local")]
#[test]
fn a_model_is_chosen_while_memory_alone_answers() {
    let mut session = memory_only(160, 40, &[]);
    session.keys("\x0f");
    session.until_shown("another model");
    session.keys("\r");
    session.until("the shipped model", |_, text| text.lines().next().is_some_and(|header| header.contains("tok/s")));
    session.until_shown("kv ");
    session.keys("q");
    assert!(session.end().success());
    session.assert_restored();
}

/// While the shipped model is loaded and speaks, nothing is written but frames: nothing to standard error at all, and
/// nothing to the terminal between two frames.
#[cfg(feature = "local")]
#[test]
fn a_model_that_loads_and_speaks_writes_nothing_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let errors = folder.path().join("stderr");
    let mut session = Session::started(120, 40, &["--no-record"], &[], Some(&errors));
    session.until_shown("tok/s");
    for query in ["iA retired diver maps the drowned streets\r", "iTwo bakers swap a cake\r"] {
        session.keys(query);
        session.until("four answers", |_, text| {
            text.contains("not judged") && !text.contains("stale") && text.matches(" tokens").count() == 4
        });
    }
    assert_eq!(std::fs::read_to_string(&errors).unwrap(), "");
    session.keys("q");
    assert!(session.end().success());
    assert_eq!(std::fs::read_to_string(&errors).unwrap(), "");
    let raw = session.written();
    let text = String::from_utf8(raw).unwrap();
    let (first, last) = (text.find("\x1b[?2026h").unwrap(), text.rfind("\x1b[?2026l").unwrap());
    for (at, _) in text[..last].match_indices("\x1b[?2026l") {
        let after = &text[at + "\x1b[?2026l".len()..];
        assert!(after.starts_with("\x1b[?2026h"), "between two frames: {:?}", &after[..after.len().min(80)]);
    }
    assert!(first < last);
}
