//! A session that goes elsewhere: as a page and as a terminal recording, through the real binary, in a folder where there
//! is neither model nor dataset.

use std::num::NonZeroU16;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use logoscope::app::message::Message;
use logoscope::app::replay::Opened;
use logoscope::app::state::{Start, State};
use logoscope::app::update::update;
use logoscope::session::event::{Feedback, Judgement};
use logoscope::session::{Event, Session};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;

use crate::replaying::session;
use crate::screens::{drawn, press, text_of};

/// Runs the program where nothing but a session is at hand: the dataset and the model it names are nowhere.
fn run(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = crate::program();
    command.args(arguments).current_dir(dir).env_clear().env("HOME", dir);
    command.output().unwrap()
}

fn exported(session: &Session, arguments: &[&str]) -> (tempfile::TempDir, Output) {
    let dir = tempfile::tempdir().unwrap();
    session.write(&dir.path().join("sea.jsonl")).unwrap();
    let output =
        run(dir.path(), &[&["export", "sea.jsonl", "--data", "nowhere", "--model", "gone"], arguments].concat());
    (dir, output)
}

/// A session whose every text is hostile, with a note and the analyst's word.
fn hostile() -> Session {
    let mut session = session(true);
    let hostile = "</script><img src=x onerror=alert(1)>&\"'\u{1b}[31m";
    session.header.title = hostile.to_owned();
    let answer = "noir".to_owned();
    let feedback = Feedback { answer, judgement: Judgement::Right, arm: None };
    let mut events: Vec<Event> = session.events.iter().map(|event| event.as_ref().clone()).collect();
    for event in &mut events {
        match event {
            Event::Asked(asked) => asked.query = hostile.to_owned(),
            Event::Answered(answered) => answered.text = hostile.to_owned(),
            Event::Evidence(evidence) => {
                evidence.local.votes.iter_mut().for_each(|vote| vote.text = hostile.to_owned())
            }
            _ => {}
        }
    }
    events.extend([Event::Feedback(feedback), Event::Note { text: hostile.to_owned() }]);
    Session::new(session.header, events)
}

/// Whether every tag of a page is closed, in order.
fn is_well_formed(page: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.trim_start_matches("<!DOCTYPE html>");
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    open.is_empty()
}

#[test]
fn a_page_stands_alone_and_shows_every_turn() {
    let (dir, output) = exported(&session(true), &["--html", "sea.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(dir.path().join("sea.html")).unwrap();
    assert!(is_well_formed(&page));
    assert_eq!(page.matches("<article class=\"turn\"").count(), 7);
    for expected in [
        "id=\"turn-7\"",
        "A diver maps the drowned city under curfew",
        "really <b>dystopia</b>",
        "value conflict: ",
        "against local",
        "6 with a known answer",
        "prefers-color-scheme:dark",
        "@media print",
        "ArrowRight",
        "set from here on",
        "by the analyst",
        "Intervals are Wilson's.",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert_eq!(page.matches("<figure class=\"chart\">").count(), 5);
    // Nothing is loaded from anywhere, and a policy says so: scripts and styles run by the page's own nonce.
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    let nonce = policy.split("script-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    assert!(
        page.contains(&format!("<script nonce=\"{nonce}\">")) && page.contains(&format!("<style nonce=\"{nonce}\">"))
    );
    for loading in ["http:", "https:", "//", "src=", "@import", "url(", " style=", " onclick"] {
        assert!(!page.contains(loading), "{loading}");
    }
    // Before any script has run, nothing is hidden but the controls of the script.
    assert_eq!(page.matches("hidden=\"hidden\"").count(), 1);
    let (again, _) = exported(&session(true), &["--html", "sea.html"]);
    assert_eq!(std::fs::read_to_string(again.path().join("sea.html")).unwrap(), page, "same session, same bytes");
}

#[test]
fn a_page_and_a_replay_say_first_what_was_noted_before_the_first_question() {
    let mut shipped = Session::parse(Path::new("cold"), logoscope::data::sample::sessions()[1].1).unwrap();
    shipped.push(Event::Note { text: "at the end <b>".to_owned() });
    let picked = "note: cold-start u017: picked among 161 who fit";
    let (dir, output) = exported(&shipped, &["--html", "sea.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(dir.path().join("sea.html")).unwrap();
    let (head, turns) = page.split_once("<article").unwrap();
    assert!(is_well_formed(&page) && head.contains(picked) && !turns.contains(picked));
    assert!(turns.contains("note: at the end &lt;b&gt;"));
    let output = run(dir.path(), &["replay", "sea.jsonl"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.lines().nth(1).is_some_and(|line| line.starts_with(picked)), "{told}");
    assert!(told.contains("\n   note: at the end <b>\n"), "{told}");
    let output = run(dir.path(), &["replay", "sea.jsonl", "--format", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["notes"][0].as_str().is_some_and(|note| note.starts_with("cold-start u017: picked")), "{told}");
    assert_eq!(told["turns"][23]["notes"], serde_json::json!(["at the end <b>"]));
    assert_eq!(told["turns"][0]["notes"], serde_json::json!([]));
}

#[test]
fn questions_that_were_picked_have_no_interval_on_a_page_and_in_a_diff() {
    let mut picked = session(true);
    picked.header.picked = true;
    let (dir, output) = exported(&picked, &["--html", "sea.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(dir.path().join("sea.html")).unwrap();
    assert!(is_well_formed(&page) && page.contains("No intervals: the questions were picked, or repeat."));
    assert!(page.contains("<td class=\"n\">5/6</td><td class=\"n\">–</td>") && !page.contains("Wilson"));
    session(true).write(&dir.path().join("free.jsonl")).unwrap();
    let told = |a, b, format| {
        let output = run(dir.path(), &["diff", a, b, "--format", format]);
        String::from_utf8(output.stdout).unwrap()
    };
    let (free, held) = (told("free.jsonl", "free.jsonl", "text"), told("sea.jsonl", "free.jsonl", "text"));
    assert_eq!(free.matches("0.83 (5/6) 0.44 to 0.97").count(), 4, "{free}");
    // The one that was picked has none, the other one has.
    assert_eq!((held.matches("0.83 (5/6)").count(), held.matches("0.44 to 0.97").count()), (4, 2), "{held}");
    // One turn that differs is told as one.
    let mut other = session(true);
    let answered = |event: &&mut Arc<Event>| matches!(event.as_ref(), Event::Answered(_));
    if let Some(Event::Answered(answered)) = other.events.iter_mut().find(answered).map(Arc::make_mut) {
        answered.text = "another word".to_owned();
    }
    other.write(&dir.path().join("other.jsonl")).unwrap();
    let differs = told("free.jsonl", "other.jsonl", "text");
    assert!(differs.contains("answers    1 turn differs, first turns 1 and 1"), "{differs}");
    let json: Value = serde_json::from_str(&told("sea.jsonl", "free.jsonl", "json")).unwrap();
    let mediated = &json["arms"]["mediated"];
    assert!(mediated["a"]["ci"].is_null() && mediated["b"]["ci"].is_array(), "{mediated}");
}

#[test]
fn hostile_text_stays_text_on_a_page() {
    let (dir, output) = exported(&hostile(), &["--html", "sea.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(dir.path().join("sea.html")).unwrap();
    assert!(is_well_formed(&page) && !page.contains("<img") && !page.contains('\u{1b}'));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&lt;/script&gt;&lt;img src=x") || page.contains("&lt;/script&gt;"));
    assert!(page.contains("the analyst calls noir right") && page.contains("note: "));
}

/// The frames of a recording: their times, and the screen after the last one.
fn played(cast: &str) -> (Value, Vec<f64>, vt100::Parser, Vec<String>) {
    let mut lines = cast.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next().unwrap();
    let size = |name: &str| NonZeroU16::new(header[name].as_u64().unwrap() as u16).unwrap();
    let mut parser = vt100::Parser::new(size("height"), size("width"), 0);
    let (mut times, mut markers) = (Vec::new(), Vec::new());
    for event in lines {
        times.push(event[0].as_f64().unwrap());
        match event[1].as_str().unwrap() {
            "o" => parser.process(event[2].as_str().unwrap().as_bytes()),
            "m" => markers.push(event[2].as_str().unwrap().to_owned()),
            other => panic!("{other} is no event of a recording"),
        }
    }
    (header, times, parser, markers)
}

#[test]
fn a_recording_plays_to_the_screen_that_the_workbench_shows() {
    let arguments = ["--cast", "sea.cast", "--size", "100x36", "--speed", "4", "--theme", "ansi"];
    let (dir, output) = exported(&session(true), &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cast = std::fs::read_to_string(dir.path().join("sea.cast")).unwrap();
    let (header, times, parser, markers) = played(&cast);
    assert_eq!(
        (header["version"].as_u64(), header["width"].as_u64(), header["height"].as_u64()),
        (Some(2), Some(100), Some(36))
    );
    assert!(header.get("timestamp").is_none(), "nothing of the day it was made");
    assert_eq!(markers, (1..=7).map(|turn| format!("turn {turn}")).collect::<Vec<_>>());
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
    assert_eq!(times.last(), Some(&6.0), "six steps of half a second, and three seconds at the end");
    // The same turn in the workbench.
    let mut state = State::new(Start::default());
    let opened = Opened::of("sea".to_owned(), session(true)).unwrap();
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    press(&mut state, &["]", "]", "end"]);
    let shown = text_of(&drawn(&state, 100, 36));
    let rows: Vec<String> = parser.screen().rows(0, 100).map(|row| row.trim_end().to_owned()).collect();
    let expected: Vec<String> = shown.lines().map(|row| row.trim_end().to_owned()).collect();
    assert_eq!(rows, expected);
    let (again, _) = exported(&session(true), &arguments);
    assert_eq!(std::fs::read_to_string(again.path().join("sea.cast")).unwrap(), cast, "same arguments, same bytes");
    let (_, _, parser, _) = {
        let (dir, output) = exported(&hostile(), &["--cast", "sea.cast", "--ascii"]);
        assert!(output.status.success());
        played(&std::fs::read_to_string(dir.path().join("sea.cast")).unwrap())
    };
    assert!(parser.screen().contents().is_ascii());
}

#[test]
fn what_cannot_be_exported_is_told_and_nothing_is_overwritten() {
    for (arguments, told) in [
        (&[][..], "--html"),
        (&["--cast", "a.cast", "--size", "7x7"], "120x40"),
        (&["--cast", "a.cast", "--speed", "3"], "give one of"),
        (&["--cast", "a.cast", "--theme", "pink"], "give one of"),
        (&["--html", "sea.jsonl"], "never rewritten; name another file"),
        (&["--html", "no/such/place.html"], "no/such"),
    ] {
        let (dir, output) = exported(&session(false), arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {message}");
        assert!(message.contains(told) && output.stdout.is_empty(), "{arguments:?} {message}");
        assert_eq!(std::fs::read(dir.path().join("sea.jsonl")).unwrap(), session(false).to_bytes().unwrap());
    }
    let mut empty = session(false);
    empty.events.clear();
    let (_, output) = exported(&empty, &["--html", "a.html"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds no question"));
    let (dir, output) = exported(&session(false), &["--html", "a.html"]);
    assert!(output.status.success());
    let output = run(dir.path(), &["export", "sea.jsonl", "--html", "a.html", "--force"]);
    assert!(output.status.success());
}

#[test]
fn a_replay_needs_neither_model_nor_dataset() {
    let dir = tempfile::tempdir().unwrap();
    session(true).write(&dir.path().join("sea.jsonl")).unwrap();
    let output = run(dir.path(), &["replay", "sea.jsonl", "--data", "nowhere", "--model", "gone"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The screen as well: nothing is read but the events.
    let mut state = State::new(Start { dataset_name: "nowhere".into(), ..Start::default() });
    update(&mut state, Message::SessionOpened(Box::new(Opened::of("sea".to_owned(), session(true)).unwrap())));
    press(&mut state, &["m", "end"]);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 40));
    logoscope::view::render(&state, &logoscope::theme::Theme::named("ansi"), buffer.area, &mut buffer);
    assert!(text_of(&buffer).contains("REPLAY sea 7/7") && text_of(&buffer).contains("final answers changed"));
}
