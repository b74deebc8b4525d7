//! A session of ten thousand questions on a real terminal: a turned slider is one frame, with the numbers of its own
//! value. How long that takes `cargo bench --bench keys` measures.

#![cfg(unix)]

use logoscope::engine::prompt::Arm;
use logoscope::mediator::Weight;
use logoscope::session::{Event, Replay, Session};
use logoscope::view::text;

use crate::long;
use crate::pty::Session as Terminal;

const TURNS: usize = 10_000;
/// Keys pressed one by one, and then in one burst, with the hundredths of the slider that they turn it by.
const PRESSED: [(&str, f64); 5] = [("H", -10.0); 5];
const BURST: [(&str, f64); 3] = [("L", 10.0); 3];
/// What is turned.
const WEIGHT: Weight = Weight::PriorStrength;
const COLUMNS: u16 = 120;
const ROWS: u16 = 40;

/// A value of the slider as it is shown, and what it makes of the whole session.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    value: String,
    /// `now 12 of 10,000 decisions changed`.
    changed: String,
    /// `5012/10000`: judged answers of the mediated arm that are right, on the frame of the weights.
    right: String,
}

/// What one key after another gives, by the library alone.
fn expected(recorded: &Session) -> Vec<Shown> {
    let answer = |event: &Event| match event {
        Event::Answered(answered) if answered.arm == Arm::Mediated => Some(answered.answer.clone()),
        _ => None,
    };
    let answers: Vec<String> = recorded.events.iter().filter_map(|event| answer(event)).collect();
    let (labels, replay) = (&recorded.header.labels, Replay::new(recorded.clone()));
    let mut setting = recorded.header.setting;
    let one = |(_, steps)| {
        let value = WEIGHT.nudged(setting.weights.get(WEIGHT), steps);
        setting.weights = setting.weights.with(WEIGHT, value);
        let now = replay.remediate(&setting);
        let changed = now.iter().zip(&answers).filter(|(now, was)| labels[now.decision()] != **was).count();
        let right = now.iter().filter(|now| now.outcome.arms[Arm::Mediated as usize] == Some(true)).count();
        Shown {
            value: format!("{}*", text::value(value)),
            changed: format!("now {changed} of {} changed", text::plural(TURNS, "decision", "decisions")),
            right: format!("{right}/{TURNS}"),
        }
    };
    PRESSED.into_iter().chain(BURST).map(one).collect()
}

/// What a screen shows of them; `None` before anything is turned.
fn shown(screen: &str) -> Option<Shown> {
    let row = screen.lines().find(|line| line.contains("prior-strength   "))?;
    let value = row.rsplit('┤').next()?.trim_end_matches(['│', '┃', ' ']).trim().to_owned();
    let told = screen.lines().find_map(|line| line.split_once(" changed"))?.0;
    let changed = format!("{} changed", &told[told.rfind("now ")?..]);
    let title = screen.lines().find(|line| line.contains(" Weights · "))?;
    let right = title.split_whitespace().find(|word| word.ends_with(&format!("/{TURNS}")))?.to_owned();
    Some(Shown { value, changed, right })
}

/// The screen after each frame.
fn frames(written: &[u8]) -> Vec<String> {
    const END: &[u8] = b"\x1b[?2026l";
    let size = |n| std::num::NonZeroU16::new(n).unwrap();
    let mut parser = vt100::Parser::new(size(ROWS), size(COLUMNS), 0);
    let ends = written.windows(END.len()).enumerate().filter(|(_, bytes)| *bytes == END).map(|(at, _)| at + END.len());
    let mut from = 0;
    let one = |end| {
        parser.process(&written[from..end]);
        from = end;
        parser.screen().contents()
    };
    ends.map(one).collect()
}

#[test]
fn a_slider_over_ten_thousand_questions_shows_each_value_with_its_own_numbers() {
    // People who remember little, so that the file stays small.
    let recorded = long::session(TURNS, 6);
    let expected = expected(&recorded);
    let numbers = |shown: &Shown| (shown.changed.clone(), shown.right.clone());
    let told_apart = expected.windows(2).filter(|pair| numbers(&pair[0]) != numbers(&pair[1])).count();
    assert!(told_apart > 2, "{expected:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.jsonl");
    recorded.write(&file).unwrap();
    drop(recorded);

    let arguments = ["--model", "none", "--session", file.to_str().unwrap()];
    let mut terminal = Terminal::start(COLUMNS, ROWS, &arguments, &[]);
    terminal.until_shown(&format!("REPLAY long 1/{TURNS}"));
    let until = |terminal: &Terminal, expected: &Shown| {
        let there = |_: &vt100::Screen, text: &str| shown(text).is_some_and(|shown| shown.value == expected.value);
        terminal.until(&format!("{expected:?}"), there);
    };
    for ((key, _), expected) in PRESSED.iter().zip(&expected) {
        terminal.keys(key);
        until(&terminal, expected);
    }
    // A burst ends in what the last of its keys gives.
    terminal.keys(&BURST.map(|(key, _)| key).concat());
    let (pressed, burst) = expected.split_at(PRESSED.len());
    until(&terminal, &burst[BURST.len() - 1]);
    terminal.keys("q");
    assert_eq!(terminal.end().exit_code(), 0);

    let mut seen: Vec<Shown> = frames(&terminal.written()).iter().filter_map(|screen| shown(screen)).collect();
    seen.dedup();
    assert_eq!(seen[..pressed.len()], *pressed, "each value once, in order, none without its numbers");
    assert!(seen[pressed.len()..].iter().all(|seen| burst.contains(seen)), "{seen:?}");
    assert_eq!(seen.last(), burst.last());
}
