//! Numbers typed for a weight, and tries: settings saved under a name, set again, kept on disk.

use std::sync::Arc;

use logoscope::app::board::{Board, Page};
use logoscope::app::effect::Effect;
use logoscope::app::keeper::{Change, Unkept};
use logoscope::app::message::Message;
use logoscope::app::overlay::{Choice, Overlay};
use logoscope::app::state::{Data, Exit, ModelState, Pane, State};
use logoscope::app::update::update;
use logoscope::engine::fit::{Trained, Training};
use logoscope::engine::host::HostEvent;
use logoscope::mediator::{Policy, Weight};
use logoscope::session::Try;

use crate::replaying::replaying;
use crate::screens::{answered, caps, dataset, drawn, press, speak, started, text_of};

/// Types letters one by one.
fn type_text(state: &mut State, text: &str) {
    for letter in text.chars() {
        press(state, &[letter.to_string().as_str()]);
    }
}

/// What a line says against what was typed.
fn complaint(state: &State) -> Option<&str> {
    match &state.overlay {
        Some(Overlay::Edit(edit)) => edit.complaint.as_deref(),
        _ => None,
    }
}

/// Saves the present setting under `name`, as the keeper would.
fn save(state: &mut State, name: &str) -> Vec<Effect> {
    press(state, &["s", "ctrl-u"]);
    type_text(state, name);
    let effects = press(state, &["enter"]);
    kept(state, &effects);
    effects
}

/// Answers the change among `effects` as a keeper whose file holds what is on the screen.
fn kept(state: &mut State, effects: &[Effect]) {
    let [Effect::Tries { dataset, change }] = effects else { panic!("{effects:?}") };
    let tries = state.tries.clone();
    update(state, Message::Tries { dataset: dataset.clone(), change: change.clone(), kept: Ok(tries.into()) });
}

/// The state with two tries, turned away from the second.
fn with_tries() -> State {
    let mut state = answered();
    press(&mut state, &["L", "L"]);
    save(&mut state, "cautious");
    press(&mut state, &["J", "h", "h", "m", "l"]);
    save(&mut state, "sharp eyes");
    press(&mut state, &["L"]);
    state
}

#[test]
fn a_number_typed_is_one_step() {
    let mut state = answered();
    for (weight, text, expected) in [
        (Weight::LocalTrust, ".25", 0.25),
        (Weight::PriorStrength, "1e-2", 0.01),
        (Weight::HalfLife, "inf", f64::INFINITY),
        (Weight::HalfLife, " default ", 180.0),
    ] {
        state.weight = weight;
        let before = state.setting;
        press(&mut state, &["="]);
        type_text(&mut state, text);
        press(&mut state, &["enter"]);
        assert_eq!((state.setting.weights.get(weight), &state.overlay), (expected, &None), "{text}");
        press(&mut state, &["u"]);
        assert_eq!(state.setting, before, "one step back");
        press(&mut state, &["ctrl-r"]);
    }
    let before = state.setting;
    press(&mut state, &["=", "enter"]);
    assert_eq!((state.setting, &state.overlay), (before, &None), "nothing typed, nothing changed");
}

#[test]
fn what_is_no_value_is_told_and_changes_nothing() {
    let mut state = answered();
    let before = state.setting;
    press(&mut state, &["="]);
    type_text(&mut state, "500");
    press(&mut state, &["enter"]);
    assert_eq!(complaint(&state), Some("prior-strength is 500; its range is 0.01 to 100"));
    press(&mut state, &["backspace", "backspace", "backspace"]);
    assert_eq!(complaint(&state), None);
    type_text(&mut state, "much");
    press(&mut state, &["enter"]);
    assert_eq!(complaint(&state), Some("prior-strength is 'much'; give a number from 0.01 to 100, or default"));
    assert_eq!((state.setting, state.undo.can_undo()), (before, false));
    press(&mut state, &["esc", "4", "enter"]);
    assert!(
        !matches!(state.overlay, Some(Overlay::Edit(_))) && state.focus == Pane::Answers,
        "a value is typed in the weights"
    );
    press(&mut state, &["esc"]);
    press(&mut state, &["5", "enter"]);
    assert!(matches!(state.overlay, Some(Overlay::Edit(_))));
    press(&mut state, &["esc", "m"]);
    state.weight = Weight::LocalTrust;
    press(&mut state, &["="]);
    assert!(state.overlay.is_none() && state.notice.as_ref().unwrap().text.contains("does nothing now"));
}

#[test]
fn a_try_is_saved_named_set_again_and_undone() {
    let mut state = answered();
    let start = state.setting;
    press(&mut state, &["L", "m"]);
    let saved = state.setting;
    let effects = save(&mut state, "cautious");
    let [Effect::Tries { dataset, change: Some(Change::Save(sent)) }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((dataset.as_str(), sent), ("films", &Try::of(1, "cautious".into(), &saved)));
    assert_eq!(state.notice.as_ref().unwrap().text, "try 1 · cautious is saved");
    assert_eq!(state.try_title().as_deref(), Some("try 1 · cautious"));
    press(&mut state, &["l"]);
    assert_eq!(state.try_title().as_deref(), Some("try 1 · cautious *"));
    assert!(text_of(&drawn(&state, 120, 40)).contains("Mediator · shrinkage · try 1 · cautious *"));

    press(&mut state, &["T", "home", "d", "e", "f", "a", "u", "l", "t", "enter"]);
    assert_eq!((state.setting, state.try_title()), (start, None), "try 0 is the dataset's default");
    press(&mut state, &["T", "c", "a", "u", "enter"]);
    assert_eq!((state.setting, state.setting.policy), (saved, Policy::Shrinkage));
    press(&mut state, &["u"]);
    assert_eq!((state.setting, state.try_title()), (start, None), "one step back, to the try before");
    press(&mut state, &["u"]);
    assert_eq!(state.try_title().as_deref(), Some("try 1 · cautious *"));

    press(&mut state, &["s"]);
    let Some(Overlay::Edit(edit)) = &state.overlay else { panic!("a name is asked for") };
    assert_eq!(edit.input.text(), "try 2");
    press(&mut state, &["ctrl-u", "enter"]);
    assert_eq!(complaint(&state), Some("a try needs a name"));
    type_text(&mut state, "cautious");
    press(&mut state, &["enter"]);
    assert_eq!(complaint(&state), Some("try 1 has this name; choose another"));
    assert_eq!(state.tries.len(), 1);
}

#[test]
fn a_try_is_deleted_when_asked_twice_and_the_default_never() {
    let mut state = with_tries();
    press(&mut state, &["T", "up", "up", "delete"]);
    let selected = |state: &State| match &state.overlay {
        Some(Overlay::List(list)) => list.current().unwrap().choice,
        other => panic!("{other:?}"),
    };
    assert_eq!(selected(&state), Choice::Try(0));
    assert_eq!(state.notice.as_ref().unwrap().text, "the dataset's default cannot be deleted");
    press(&mut state, &["down", "delete", "down", "up", "delete"]);
    assert_eq!(state.tries.len(), 2, "moving in between asks anew");
    assert!(text_of(&drawn(&state, 80, 24)).contains("delete again and it is gone"));
    let effects = press(&mut state, &["delete"]);
    let [Effect::Tries { change: Some(Change::Delete(old)), .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((old.number, selected(&state)), (1, Choice::Try(2)));
    kept(&mut state, &effects);
    assert_eq!(state.notice.as_ref().unwrap().text, "try 1 · cautious is deleted");
    press(&mut state, &["esc", "w", "delete"]);
    assert_eq!(state.notice.as_ref().unwrap().text, "there is nothing here to delete");
}

#[test]
fn a_try_that_is_not_on_disk_is_told_again_before_quitting() {
    let mut state = answered();
    press(&mut state, &["L", "s"]);
    let effects = press(&mut state, &["enter"]);
    let [Effect::Tries { dataset, change }] = &effects[..] else { panic!("{effects:?}") };
    let changes: Vec<Change> = change.iter().cloned().collect();
    let reason = "/tries/films.toml: cannot be written (no room)".to_owned();
    let kept = Err(Unkept { reason, changes });
    update(&mut state, Message::Tries { dataset: dataset.clone(), change: change.clone(), kept });
    assert!(state.notice.as_ref().is_some_and(|notice| notice.failure && notice.text.contains("no room")));
    assert_eq!(state.try_title().as_deref(), Some("try 1"), "it can be used all the same");
    press(&mut state, &["T"]);
    assert!(text_of(&drawn(&state, 120, 40)).contains("not on disk · now"));
    press(&mut state, &["esc", "q"]);
    assert_eq!(state.exit, None);
    let told = &state.notice.as_ref().unwrap().text;
    assert!(told.starts_with("q again quits; try 1 not kept on disk: /tries/films.toml"), "{told}");
    press(&mut state, &["j", "q"]);
    assert_eq!(state.exit, None, "something else in between asks anew");
    press(&mut state, &["q"]);
    assert_eq!(state.exit, Some(Exit::Done));
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_does_not_hold_anybody_back() {
    let mut state = answered();
    let reason = "/tries/films.toml:2: name is 3; correct it, or move the file away to begin a new one".to_owned();
    let kept = Err(Unkept { reason: reason.clone(), changes: Vec::new() });
    update(&mut state, Message::Tries { dataset: "films".into(), change: None, kept });
    assert_eq!(state.notice.as_ref().unwrap().text, reason);
    press(&mut state, &["l", "q"]);
    assert_eq!(state.exit, Some(Exit::Done));
}

#[test]
fn tries_work_in_a_replay_and_come_back_to_live_work() {
    let mut state = replaying();
    assert_eq!(state.dataset_name, "films");
    let recorded = state.setting;
    press(&mut state, &["=", "1", "2", "enter"]);
    assert_eq!(state.setting.weights.get(state.weight), 12.0);
    let turned = state.setting;
    save(&mut state, "stiff");
    press(&mut state, &["T", "up", "enter"]);
    assert_eq!(state.setting, recorded, "try 0 is what was recorded");
    press(&mut state, &["T", "s", "t", "i", "f", "enter"]);
    assert_eq!((state.setting, state.replay.is_some()), (turned, true));
    press(&mut state, &["x"]);
    assert_eq!(state.tries.len(), 1);
    press(&mut state, &["T", "s", "t", "i", "f", "enter"]);
    assert_eq!(state.setting, turned);
}

/// The replay had the tries of before, gave a number away twice, and listed what was deleted.
/// Another workbench gave the number away meanwhile: the keeper has the next one, and so has the screen.
#[test]
fn a_try_goes_by_the_number_that_the_keeper_gave_it() {
    let mut state = answered();
    press(&mut state, &["L"]);
    let other = Try::of(1, "theirs".into(), &state.setting);
    press(&mut state, &["L", "s", "ctrl-u"]);
    type_text(&mut state, "mine");
    let effects = press(&mut state, &["enter"]);
    let [Effect::Tries { dataset, change: Some(Change::Save(sent)) }] = &effects[..] else { panic!("{effects:?}") };
    let tries = vec![other, Try { number: 2, ..sent.clone() }];
    let change = Some(Change::Save(sent.clone()));
    update(&mut state, Message::Tries { dataset: dataset.clone(), change, kept: Ok(tries.into()) });
    assert_eq!(state.notice.as_ref().unwrap().text, "try 2 · mine is saved");
    assert_eq!((state.at_try, state.try_title().as_deref()), (2, Some("try 2 · mine")));
}

/// The default needs no name, also where a try says the same.
#[test]
fn a_try_that_is_the_default_names_nothing_that_was_not_set() {
    let mut state = answered();
    save(&mut state, "one");
    assert_eq!(state.try_title().as_deref(), Some("try 1 · one"), "it was saved just now");
    press(&mut state, &["L", "l"]);
    state.at_try = 0;
    press(&mut state, &["l"]);
    press(&mut state, &["L"]);
    assert_eq!(state.try_title(), None);
}

#[test]
fn a_try_saved_at_a_moment_of_a_replay_is_there_on_coming_back() {
    let mut state = replaying();
    press(&mut state, &["a"]);
    assert!(state.visit.is_some());
    save(&mut state, "there");
    press(&mut state, &["a"]);
    assert!(state.visit.is_none() && state.replay.is_some());
    assert_eq!(state.tries.iter().map(|saved| saved.name.as_str()).collect::<Vec<_>>(), ["there"]);
}

#[test]
fn screens_of_values_and_tries() {
    for (name, keys) in [
        ("value", &["=", "6", ".", "2"][..]),
        ("value-refused", &["=", "5", "0", "0", "enter"]),
        ("try-name", &["s"]),
        ("tries", &["T"]),
        ("tries-filtered", &["T", "c", "a", "u", "delete"]),
    ] {
        for (width, height) in [(80, 24), (120, 40)] {
            let mut state = with_tries();
            press(&mut state, keys);
            insta::assert_snapshot!(format!("over-{name}-{width}x{height}"), text_of(&drawn(&state, width, height)));
        }
    }
    let mut state = with_tries();
    insta::assert_snapshot!("try-turned-80x24", text_of(&drawn(&state, 80, 24)));
    press(&mut state, &["="]);
    let low = text_of(&drawn(&state, 80, 14));
    assert!(low.contains("γ · 0 to 20 · now 11.8 · default 10"), "{low}");
    state.ascii = true;
    press(&mut state, &["esc", "T"]);
    assert!(text_of(&drawn(&state, 120, 40)).is_ascii());
}

/// A model trained for two of the four labels.
fn unfit() -> State {
    let mut state = started();
    state.training = Training {
        tasks: Some(vec![Trained { wording: None, labels: Some(vec!["noir".into(), "comedy".into()]) }]),
        shipped: true,
    };
    state
}

#[test]
fn a_model_trained_for_other_labels_is_not_asked_and_says_so() {
    let mut state = unfit();
    let ready = |state: &mut State| update(state, Message::Host(HostEvent::Ready(caps())));
    ready(&mut state);
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    assert!(matches!(state.model, ModelState::Unfit(_)));
    assert_eq!(state.setting.weights.model_trust, 0.0);
    assert!(ready(&mut state).is_empty() && matches!(state.model, ModelState::Unfit(_)), "whenever it is ready");
    update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(0) });
    assert!(speak(&mut state).is_empty(), "nothing is asked");
    assert!(state.answers.arms.iter().all(|arm| arm.scores.is_none() && arm.distribution == arm.memory));
    press(&mut state, &["4"]);
    let text = text_of(&drawn(&state, 120, 40));
    assert!(text.contains("nano does not fit · memory only"), "{text}");
    assert!(text.contains("nano was trained for other labels ('dystopia' is"), "{text}");
    state.weight = Weight::ModelTrust;
    press(&mut state, &["l"]);
    assert!(
        state
            .notice
            .as_ref()
            .unwrap()
            .text
            .contains("does nothing now: the model was trained for something else; ctrl-o")
    );
    save(&mut state, "without");
    assert!(state.tries[0].stated.iter().all(|(weight, _)| *weight != Weight::ModelTrust), "no share was tried");
    assert_eq!(state.try_title().as_deref(), Some("try 1 · without"));
    // The dataset first, the model named after it: it is not even loaded.
    let mut state = unfit();
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    assert!(update(&mut state, Message::ModelNamed("nano".into())).is_empty());
}

#[test]
fn a_share_fitted_for_the_shipped_model_is_no_other_models() {
    for (training, expected) in
        [(Training { tasks: None, shipped: true }, 0.25), (Training { tasks: None, shipped: false }, 0.0)]
    {
        let mut state = started();
        state.training = training;
        update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
        assert_eq!(state.setting.weights.model_trust, expected);
        press(&mut state, &["m", "ctrl-x"]);
        assert_eq!(state.setting.weights.model_trust, expected);
    }
}

#[test]
fn a_note_is_typed_kept_and_shown() {
    let mut state = with_tries();
    press(&mut state, &["T", "c", "a", "u", "ctrl-t"]);
    type_text(&mut state, "too bold for cold starts");
    let effects = press(&mut state, &["enter"]);
    let [Effect::Tries { change: Some(Change::Note(noted)), .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((noted.name.as_str(), noted.note.as_str()), ("cautious", "too bold for cold starts"));
    // Back in the list, at the same try, whose row has it.
    assert!(text_of(&drawn(&state, 120, 40)).contains("“too bold for cold starts”"));
    kept(&mut state, &effects);
    assert_eq!(state.notice.as_ref().unwrap().text, "the note on try 1 · cautious is saved");
    assert!(text_of(&drawn(&state, 120, 40)).contains("“too bold for cold starts”"));
    let in_list = |state: &State| match &state.overlay {
        Some(Overlay::List(list)) => (list.filter.text().to_owned(), list.current().map(|row| row.choice)),
        other => panic!("{other:?}"),
    };
    assert_eq!(in_list(&state), ("cau".to_owned(), Some(Choice::Try(1))));
    press(&mut state, &["ctrl-t"]);
    let Some(Overlay::Edit(edit)) = &state.overlay else { panic!("the note is typed again") };
    assert_eq!(edit.input.text(), "too bold for cold starts");
    press(&mut state, &["ctrl-u"]);
    type_text(&mut state, &"x".repeat(201));
    press(&mut state, &["enter"]);
    assert_eq!(complaint(&state), Some("a note has 200 characters at most"));
    press(&mut state, &["esc"]);
    assert_eq!(in_list(&state), ("cau".to_owned(), Some(Choice::Try(1))), "left without it, too");
    press(&mut state, &["ctrl-u", "d", "e", "f", "ctrl-t"]);
    assert_eq!(state.notice.as_ref().unwrap().text, "the dataset's default needs no note");
}

#[test]
fn two_tries_are_compared_weight_by_weight_and_on_the_session() {
    let mut state = with_tries();
    press(&mut state, &["T", "c", "a", "u", "ctrl-d"]);
    assert!(text_of(&drawn(&state, 120, 40)).contains("compared with: ctrl-d on another one"));
    press(&mut state, &["ctrl-u", "s", "h", "a", "ctrl-d"]);
    let Some(Overlay::Board(board)) = &state.overlay else { panic!("{:?}", state.overlay) };
    let Page::Compared(comparison) = &board.page else { panic!("{board:?}") };
    assert_eq!(comparison.titles, ["try 1 · cautious", "try 2 · sharp eyes"]);
    let settings = [1, 2].map(|number| state.setting_of(number).unwrap());
    assert_eq!(comparison.settings, settings);
    let numbers = settings.map(|setting| state.numbers_under(&setting).unwrap());
    assert_eq!(comparison.numbers, Some(numbers));
    let screen = text_of(&drawn(&state, 120, 40));
    for expected in ["policy", "similarity-sharpness", "mediated", "overrides"] {
        assert!(screen.contains(expected), "{expected} is missing in\n{screen}");
    }
    assert!(!screen.contains("g global-trust"), "what is the same is left out: {screen}");
    insta::assert_snapshot!("board-tries-120x40", screen);
    // The same one twice stands beside the present setting.
    press(&mut state, &["esc", "T", "c", "a", "u", "ctrl-d", "ctrl-d"]);
    let Some(Overlay::Board(board)) = &state.overlay else { panic!("{:?}", state.overlay) };
    let Page::Compared(comparison) = &board.page else { panic!("{board:?}") };
    assert_eq!((comparison.titles[1].as_str(), comparison.settings[1]), ("the present setting", state.setting));
    // That follows what is turned over the board, and both follow the questions.
    let (fixed, before) = (comparison.settings[0], comparison.clone());
    state.weight = Weight::PriorStrength;
    press(&mut state, &["=", "3", "enter"]);
    let compared = |state: &State| match &state.overlay {
        Some(Overlay::Board(Board { page: Page::Compared(comparison), .. })) => comparison.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(compared(&state).settings, [fixed, state.setting]);
    let numbers = [fixed, state.setting].map(|setting| state.numbers_under(&setting).unwrap());
    assert_eq!(compared(&state).numbers, Some(numbers));
    assert_ne!(compared(&state).settings[1], before.settings[1]);
    press(&mut state, &["n"]);
    speak(&mut state);
    assert_ne!(compared(&state), before);
    assert_eq!(compared(&state).anew(&state), None, "nothing is left to bring up to date");
}

#[test]
fn tries_are_written_out_and_read_in() {
    let mut state = with_tries();
    press(&mut state, &["T", "ctrl-e"]);
    let Some(Overlay::Edit(edit)) = &state.overlay else { panic!("a path is asked for") };
    assert_eq!(edit.input.text(), "films-tries.toml");
    let effects = press(&mut state, &["enter"]);
    let [Effect::Export { path, dataset, book }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((path.to_str(), dataset.as_str(), &book.tries), (Some("films-tries.toml"), "films", &state.tries));
    update(&mut state, Message::Exported(Err("films-tries.toml exists".into())));
    let Some(Overlay::Edit(edit)) = &state.overlay else { panic!("the path can be corrected") };
    assert_eq!((edit.input.text(), edit.complaint.as_deref()), ("films-tries.toml", Some("films-tries.toml exists")));
    update(&mut state, Message::Exported(Ok(path.clone())));
    assert!(state.overlay.is_none());
    assert_eq!(state.notice.as_ref().unwrap().text, "the tries are written to films-tries.toml");
    press(&mut state, &["T", "ctrl-o"]);
    type_text(&mut state, "mine.toml");
    assert_eq!(press(&mut state, &["enter"]), [Effect::Import("mine.toml".into())]);
    let foreign = |number, name: &str| Try { number, name: name.to_owned(), ..state.tries[0].clone() };
    let read = vec![foreign(1, "cautious"), foreign(2, "other")];
    let effects = update(&mut state, Message::Imported(Ok(read)));
    let [Effect::Tries { change: Some(Change::Save(new)), .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((new.number, new.name.as_str()), (3, "other"), "a number of its own");
    assert_eq!(state.notice.as_ref().unwrap().text, "1 try is read; 1 left out, the name being taken");
    assert!(state.overlay.is_none());
    update(&mut state, Message::Imported(Err("mine.toml: cannot be read".into())));
    assert!(state.notice.as_ref().unwrap().failure);
}
