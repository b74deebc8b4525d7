//! Scenarios made in the workbench, of the dataset on the screen.

use std::sync::mpsc;
use std::time::Duration;

use logoscope::app::effect::Effect;
use logoscope::app::message::Message;
use logoscope::app::order::Order;
use logoscope::app::recordings::recordings;
use logoscope::app::replay::Opened;
use logoscope::app::scribe::{Ending, Scribe};
use logoscope::app::shelf::Shelf;
use logoscope::app::state::State;
use logoscope::app::update::update;
use logoscope::data::dataset::Dataset;
use logoscope::session::Session;
use logoscope::session::scenario::Scenario;

use crate::screens::{answered, drawn, press, text_of};

/// Orders what the words typed into the list find.
fn ordered(state: &mut State, words: &str) -> Order {
    press(state, &["O"]);
    words.chars().for_each(|letter| drop(press(state, &[&letter.to_string()])));
    let effects = press(state, &["enter"]);
    let [Effect::Make(order)] = &effects[..] else { panic!("{effects:?}") };
    (**order).clone()
}

fn answer_to(order: Order) -> Message {
    let (out, inbox) = mpsc::channel();
    Shelf::new(out).make(order);
    inbox.recv_timeout(Duration::from_secs(120)).unwrap()
}

#[test]
fn a_scenario_is_made_and_replayed() {
    let mut state = answered();
    let order = ordered(&mut state, "from nothing");
    assert_eq!(order.scenario, Scenario::ColdStart);
    assert!(state.busy() && text_of(&drawn(&state, 160, 40)).contains("making cold-start"));
    let stops = |state: &State| text_of(&drawn(state, 160, 40)).lines().next().unwrap().contains("esc stops");
    assert!(stops(&state));
    press(&mut state, &["i"]);
    assert!(!stops(&state), "here it closes the line");
    press(&mut state, &["esc"]);
    let Message::Made { ticket, made } = answer_to(order.clone()) else { panic!("it is answered") };
    // Whether somebody's history grows among nine people or not, nothing is under way any more.
    update(&mut state, Message::Made { ticket, made });
    assert!(!state.busy() && state.orders.under_way.is_none());

    let dataset: Dataset = logoscope::data::sample::dataset().unwrap();
    let data = std::sync::Arc::new(logoscope::app::state::Data::of(dataset));
    let order = Order { data, scenario: Scenario::Drift, ..ordered(&mut state, "drift") };
    let Message::Made { ticket, made: Ok(made) } = answer_to(order) else { panic!("somebody drifts in the sample") };
    update(&mut state, Message::Made { ticket, made: Ok(made) });
    let replay = state.replay.as_ref().expect("it is replayed");
    assert_eq!(replay.opened.name, "drift");
    assert!(replay.opened.answers.len() > 10);
    // It can be kept, once, where recording is not turned off.
    press(&mut state, &["ctrl-s"]);
    assert!(state.notice.as_ref().unwrap().text.contains("recording is turned off"));
    let mut recording = crate::replaying::recording();
    state.replay.as_mut().unwrap().live.as_mut().unwrap().journal = std::mem::take(&mut recording.journal);
    let effects = press(&mut state, &["ctrl-s"]);
    let [Effect::Keep { number, session }] = &effects[..] else { panic!("{effects:?}") };
    // Once more before it is there: it was written twice.
    assert_eq!(press(&mut state, &["ctrl-s"]), []);
    assert!(state.notice.as_ref().unwrap().text.contains("it is being written"));
    let folder = tempfile::tempdir().unwrap();
    let (out, inbox) = mpsc::channel();
    let scribe = Scribe::start(folder.path().to_owned(), out).unwrap();
    scribe.keep(*number, (**session).clone());
    let message = inbox.recv_timeout(Duration::from_secs(60)).unwrap();
    let Message::SessionKept { kept: Ok(path), .. } = &message else { panic!("{message:?}") };
    let kept = Session::open(path).unwrap();
    assert_eq!((&kept.header, &kept.events), (&session.header, &session.events));
    let listed: Vec<_> = recordings(folder.path()).into_iter().map(|found| found.path).collect();
    assert_eq!(listed, std::slice::from_ref(path));
    update(&mut state, message);
    assert!(state.notice.as_ref().unwrap().text.starts_with("kept in "));
    assert_eq!(press(&mut state, &["ctrl-s"]), []);
    assert!(state.notice.as_ref().unwrap().text.contains("it is in a file already"));
    assert_eq!(scribe.finish(), Ending::Nothing);
    // Made of the dataset, not of a recording.
    press(&mut state, &["O"]);
    assert!(text_of(&drawn(&state, 160, 40)).contains("leave the replay first"));
}

/// One key threw it away, where quitting asked twice.
#[test]
fn a_session_in_no_file_is_left_when_asked_twice() {
    let mut opened = Opened::of("drift".to_owned(), crate::replaying::session(true)).unwrap();
    opened.made = true;
    let mut state = answered();
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    for (key, expected) in [
        ("x", "x again leaves it; drift was made now and is in no file: ctrl-s keeps it"),
        ("O", "O again opens another session in its place; drift was made now"),
        ("q", "q again quits; drift was made now"),
        ("x", "x again leaves it"),
    ] {
        press(&mut state, &[key]);
        let told = &state.notice.as_ref().unwrap().text;
        assert!(told.starts_with(expected), "{told}");
        assert!(state.replay.is_some() && state.overlay.is_none() && state.exit.is_none(), "{key}");
    }
    press(&mut state, &["x"]);
    assert!(state.replay.is_none());
}

#[test]
fn what_was_stopped_or_superseded_is_not_heard() {
    let mut state = answered();
    let first = ordered(&mut state, "gallery");
    let second = ordered(&mut state, "drift");
    assert!(first.ticket < second.ticket);
    let failed = |ticket| Message::Made { ticket, made: Err("nobody drifts".to_owned()) };
    update(&mut state, failed(first.ticket));
    assert!(state.orders.under_way.is_some() && state.notice.is_none());
    // It went on computing, unseen.
    assert_eq!(press(&mut state, &["esc"]), [Effect::MakeNone]);
    assert!(state.orders.under_way.is_none());
    assert!(state.notice.as_ref().unwrap().text.contains("no drift session is made"));
    update(&mut state, failed(second.ticket));
    assert!(!state.notice.as_ref().unwrap().text.contains("nobody drifts"));
    let third = ordered(&mut state, "drift");
    update(&mut state, failed(third.ticket));
    assert!(state.notice.as_ref().unwrap().text.contains("nobody drifts"));
}

/// Three orders that were stopped computed side by side.
#[test]
fn a_session_that_nobody_waits_for_ends_before_its_next_question() {
    use std::cell::Cell;

    use logoscope::session::SessionError;
    use logoscope::session::scenario::{Options, Plan};

    let dataset = logoscope::data::sample::dataset().unwrap();
    let setting = crate::session::defaults(&dataset, logoscope::mediator::Policy::Product);
    let asked = Cell::new(0);
    let at_most = |most: usize| {
        asked.set(0);
        let asked = &asked;
        move || {
            asked.set(asked.get() + 1);
            asked.get() <= most
        }
    };
    let options = Options::default();
    let wanted = at_most(7);
    let sought = Plan::sought(&options, Scenario::ColdStart, &dataset, None, &setting, None, &wanted);
    assert!(matches!(sought, Err(SessionError::Unwanted)) && asked.get() == 8, "{}", asked.get());
    let plan = Plan::of(Scenario::Drift, &dataset, None, &setting, None).unwrap();
    let wanted = at_most(3);
    let made = plan.recorded(&dataset, setting, None, &wanted);
    assert!(matches!(made, Err(SessionError::Unwanted)) && asked.get() == 4, "{}", asked.get());
}

/// What was made came while somebody typed: the line was gone, and the letters behind it ran as commands.
#[test]
fn what_was_made_waits_until_nobody_types() {
    let mut state = answered();
    let order = ordered(&mut state, "drift");
    press(&mut state, &["\"", "s", "e"]);
    let opened = || Box::new(Opened::of("drift".to_owned(), crate::replaying::session(true)).unwrap());
    update(&mut state, Message::Made { ticket: order.ticket, made: Ok(opened()) });
    press(&mut state, &["a", "b"]);
    assert!(state.replay.is_none());
    assert!(text_of(&drawn(&state, 200, 40)).contains("drift is ready, and opens when this is closed"));
    press(&mut state, &["enter"]);
    assert!(state.replay.is_some() && state.overlay.is_none() && state.arrived.is_none());
    press(&mut state, &["x"]);
    let noted = state.said.last().map(|said| said.notes.clone());
    assert_eq!(noted, Some(vec!["seab".to_owned()]));
    // So does one that was opened, and a question is gone on with.
    press(&mut state, &["i", "s", "e", "a"]);
    update(&mut state, Message::SessionOpened(opened()));
    assert!(state.replay.is_none());
    press(&mut state, &["esc"]);
    assert!(state.replay.is_some());
    press(&mut state, &["x"]);
    assert_eq!(state.draft, "sea");
}

/// Another session on the screen passed for kept when the one before was.
#[test]
fn what_is_kept_is_the_session_that_was_to_be() {
    let mut state = crate::replaying::recording();
    let opened = |made| {
        let mut opened = Opened::of("drift".to_owned(), crate::replaying::session(true)).unwrap();
        opened.made = made;
        Message::SessionOpened(Box::new(opened))
    };
    let made = |state: &logoscope::app::state::State| state.replay.as_ref().unwrap().opened.made;
    update(&mut state, opened(true));
    let effects = press(&mut state, &["ctrl-s"]);
    let [Effect::Keep { number, .. }] = effects[..] else { panic!("{effects:?}") };
    // It is on its way into a file: nothing would be lost.
    press(&mut state, &["x"]);
    assert!(state.replay.is_none());
    update(&mut state, opened(true));
    update(&mut state, Message::SessionKept { number, kept: Ok("kept.jsonl".into()) });
    assert!(made(&state), "this one is in no file");
    let effects = press(&mut state, &["ctrl-s"]);
    let [Effect::Keep { number, .. }] = effects[..] else { panic!("{effects:?}") };
    update(&mut state, Message::SessionKept { number, kept: Err("no room".to_owned()) });
    assert!(made(&state));
    press(&mut state, &["ctrl-c"]);
    let told = state.notice.as_ref().unwrap().text.clone();
    assert!(told.starts_with("Ctrl-C again quits; drift was made now and is in no file: ctrl-s keeps it"), "{told}");
}

/// The recording on the screen had ordered nothing and dropped it, and live work waited for it ever after.
#[test]
fn a_scenario_that_comes_while_a_recording_is_on_the_screen_is_replayed() {
    let opened = |name: &str| Box::new(Opened::of(name.to_owned(), crate::replaying::session(true)).unwrap());
    let mut state = answered();
    for made in [Ok(opened("drift")), Err("nobody drifts".to_owned())] {
        let order = ordered(&mut state, "drift");
        update(&mut state, Message::SessionOpened(opened("by-the-sea")));
        assert!(state.busy() && state.orders.newest == order.ticket, "it is still being made");
        let failed = made.is_err();
        update(&mut state, Message::Made { ticket: order.ticket, made });
        let shown = &state.replay.as_ref().unwrap().opened.name;
        assert_eq!(shown, if failed { "by-the-sea" } else { "drift" });
        let told = |state: &State| state.notice.as_ref().is_some_and(|notice| notice.text.contains("nobody drifts"));
        assert_eq!(told(&state), failed);
        press(&mut state, &["x"]);
        assert!(state.replay.is_none() && !state.busy() && state.orders.under_way.is_none());
    }
    // Stopped over a recording, it is stopped in live work, too.
    let order = ordered(&mut state, "drift");
    update(&mut state, Message::SessionOpened(opened("by-the-sea")));
    press(&mut state, &["esc", "x"]);
    assert!(state.orders.under_way.is_none());
    update(&mut state, Message::Made { ticket: order.ticket, made: Ok(opened("drift")) });
    assert!(state.replay.is_none());
}
