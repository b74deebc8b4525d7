//! What the scenarios show, and the commands `scenario` and `replay` through the real binary.

use std::path::Path;
use std::process::Output;

use logoscope::data::interaction::UserId;
use logoscope::data::sample;
use logoscope::engine::prompt::Arm;
use logoscope::mediator::{Policy, Weight};
use logoscope::memory::Memory;
use logoscope::session::check::{remember, without};
use logoscope::session::event::Evidence;
use logoscope::session::replay::Outcome;
use logoscope::session::scenario::{Plan, Scenario, Voice};
use logoscope::session::{Event, Session};
use serde_json::Value;

use crate::session::{Echo, defaults, fold, small};

/// Each read of a cold start is what memory says that was built, at that moment, without the person's later items.
#[test]
fn a_cold_start_knows_nothing_of_the_person_but_what_it_remembered() {
    let dataset = sample::dataset().unwrap();
    let setting = defaults(&dataset, Policy::Product);
    let plan = Plan::of(Scenario::ColdStart, &dataset, Some(&UserId::new("u017")), &setting, None).unwrap();
    let session = plan.record(&dataset, setting, None).unwrap();
    let mut known = without(&dataset, &session.header.dataset.without);
    let mut turn_number = 0;
    let mut asked = None;
    for event in &session.events {
        match event.as_ref() {
            Event::Asked(question) => {
                assert_eq!(known.interactions.iter().filter(|i| i.user == question.user).count(), turn_number);
                asked = Some(question);
                turn_number += 1;
            }
            // Building memory takes a while: a few moments stand for all.
            Event::Evidence(evidence) if [1, 2, 9, 20].contains(&turn_number) => {
                let question = asked.unwrap();
                let memory = Memory::build(&known);
                let read = memory.read(&question.user, &question.query, question.at).unwrap();
                assert_eq!(evidence, &Evidence::of(&memory, &read), "turn {turn_number}");
            }
            Event::Remembered { interaction } => remember(&mut known, [interaction.clone()]),
            _ => {}
        }
    }
    assert_eq!(turn_number, plan.turns());
}

/// Right answers of `arm` among `outcomes`.
fn right(outcomes: &[Outcome], arm: Arm) -> usize {
    outcomes.iter().filter(|outcome| outcome.arms[arm as usize] == Some(true)).count()
}

/// What the cold start is for.
fn global_hands_over_to_local(session: &Session) {
    let state = fold(session, session.events.len());
    let outcomes = &state.outcomes;
    assert_eq!(outcomes.len(), 24);
    let (opening, closing) = (&outcomes[..8], &outcomes[16..]);
    assert!(right(opening, Arm::Global) > right(opening, Arm::Local), "global carries the first answers: {opening:?}");
    assert!(right(closing, Arm::Local) > right(closing, Arm::Global), "local takes over: {closing:?}");
}

/// What the biased user is for.
fn local_fails_where_mediated_holds(session: &Session) {
    let state = fold(session, session.events.len());
    let part = |on: bool| state.outcomes.iter().filter(|o| o.on_habit == Some(on)).copied().collect::<Vec<_>>();
    let (on, off) = (part(true), part(false));
    assert!(on.len() >= 4 && on.len() == off.len(), "as many questions on-habit as off-habit");
    assert!(
        right(&off, Arm::Mediated) > right(&off, Arm::Local),
        "local fails off-habit where mediated holds: {off:?}"
    );
    assert!(right(&state.outcomes, Arm::Mediated) > right(&state.outcomes, Arm::Local), "and gains on the whole");
    assert!(state.tally().rescues > state.tally().suppressions);
}

/// With a model that has a say, whoever is picked shows the effect in the model's answers too.
#[test]
fn who_is_picked_shows_it_with_the_model_as_well() {
    let dataset = sample::dataset().unwrap();
    let mut setting = defaults(&dataset, Policy::Product);
    setting.weights = setting.weights.with(Weight::ModelTrust, 0.1);
    let echo = Echo::new();
    let voice = Voice { engine: &echo, model: Echo::id() };
    for (scenario, shows) in [
        (Scenario::ColdStart, global_hands_over_to_local as fn(&Session)),
        (Scenario::Biased, local_fails_where_mediated_holds),
    ] {
        let plan = Plan::of(scenario, &dataset, None, &setting, Some(&voice)).unwrap();
        shows(&plan.record(&dataset, setting, Some(&voice)).unwrap());
    }
}

/// The two files that are shipped: they fit the shipped dataset exactly, and show what they are for.
#[test]
fn the_shipped_sessions_check_and_show_what_they_are_for() {
    for (name, shows) in
        [("cold-start", global_hands_over_to_local as fn(&Session)), ("biased-user", local_fails_where_mediated_holds)]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("sample-data/sessions/{name}.jsonl"));
        let session = Session::open(&path).unwrap();
        assert_eq!(session.header.model.as_ref().map(|model| model.name.as_str()), Some("nano"));
        shows(&session);
        let output = logoscope(&["replay", path.to_str().unwrap(), "--check"]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{told}");
    }
}

fn logoscope(args: &[&str]) -> Output {
    crate::program().args(args).output().unwrap()
}

#[test]
fn scenarios_show_what_they_are_for_and_repeat_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    for (scenario, shows) in
        [("cold-start", global_hands_over_to_local as fn(&Session)), ("biased", local_fails_where_mediated_holds)]
    {
        let paths = ["a", "b"].map(|name| dir.path().join(format!("{scenario}-{name}.jsonl")).display().to_string());
        let output = logoscope(&["scenario", scenario, "--model", "none", "--out", &paths[0]]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("picked among") && told.contains("overrides of local"), "{told}");
        let session = Session::open(Path::new(&paths[0])).unwrap();
        shows(&session);

        let user = session.events.iter().find_map(|event| match event.as_ref() {
            Event::Asked(asked) => Some(asked.user.to_string()),
            _ => None,
        });
        let named = logoscope(&["scenario", scenario, "--model", "none", "--user", &user.unwrap(), "--out", &paths[1]]);
        assert!(named.status.success());
        let again = Session::open(Path::new(&paths[1])).unwrap();
        assert_eq!(again.events[1..], session.events[1..], "all but the note that says why this person");

        let check = logoscope(&["replay", &paths[0], "--check"]);
        let told = String::from_utf8_lossy(&check.stdout).into_owned();
        assert_eq!(check.status.code(), Some(0), "{told}");
        assert_eq!(told.lines().count(), 4, "{told}");
        assert!(told.contains("answers: not checked"), "{told}");

        // A word of the plain view, and the whole of the JSON one.
        let text = logoscope(&["replay", &paths[0]]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert!(text.contains("really ") && text.contains("accuracy") && !text.contains('\u{1b}'), "{text}");
        let json = logoscope(&["replay", &paths[0], "--format", "json"]);
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        let turns = fold(&session, session.events.len()).outcomes.len();
        assert_eq!(
            (json["schema"].as_str(), json["turns"].as_array().unwrap().len()),
            (Some("logoscope.replay/1"), turns)
        );

        // One probability changed by hand.
        let bytes = std::fs::read_to_string(&paths[0]).unwrap();
        let line = bytes.lines().position(|line| line.starts_with("{\"event\":\"mediated\"")).unwrap();
        let mut lines: Vec<String> = bytes.lines().map(str::to_owned).collect();
        let mut value: Value = serde_json::from_str(&lines[line]).unwrap();
        let p = value["resolution"]["distribution"].as_object_mut().unwrap().values_mut().next().unwrap();
        *p = (p.as_f64().unwrap() + 0.01).into();
        lines[line] = value.to_string();
        std::fs::write(&paths[1], lines.join("\n") + "\n").unwrap();
        let check = logoscope(&["replay", &paths[1], "--check"]);
        let told = String::from_utf8_lossy(&check.stdout).into_owned();
        assert_eq!(check.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("mediation: differs at event {line} (line {}, mediated)", line + 1)), "{told}");
    }
    let twice = ["a", "b"].map(|name| {
        let path = dir.path().join(name).display().to_string();
        assert!(logoscope(&["scenario", "biased", "--model", "none", "--out", &path]).status.success());
        std::fs::read(path).unwrap()
    });
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn what_cannot_be_replayed_or_recorded_is_told_in_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.jsonl").display().to_string();
    let foreign = dir.path().join("foreign.jsonl").display().to_string();
    std::fs::write(&foreign, "{\"id\":1}\n").unwrap();
    let cut = dir.path().join("cut.jsonl").display().to_string();
    let (_, session) = small();
    let bytes = session.to_bytes().unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 5]).unwrap();
    let opened = logoscope(&["replay", &cut]);
    assert!(opened.status.success());
    let told = String::from_utf8_lossy(&opened.stderr).into_owned();
    assert!(told.contains("line 17 ends after") && told.lines().count() == 1, "{told}");

    for (args, expected) in [
        (vec!["replay", "/no/such/session"], "/no/such/session: cannot be read"),
        (vec!["replay", &foreign], "is not a session"),
        (vec!["replay", &foreign, "--check"], "is not a session"),
        (
            vec!["scenario", "biased", "--user", "u017", "--model", "none", "--out", &out],
            "a biased user has at least 10",
        ),
        (
            vec!["scenario", "cold-start", "--user", "nobody", "--model", "none", "--out", &out],
            "user 'nobody' has no interaction",
        ),
        (vec!["scenario", "warm-start", "--out", &out], "'warm-start' is no scenario"),
        (vec!["scenario", "biased", "--model", "none", "--out", "/no/such/folder/x.jsonl"], "cannot be written"),
    ] {
        let output = logoscope(&args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(expected), "{args:?}: {told}");
        assert!(!told.contains('\u{1b}') && !told.contains("panicked"), "{told}");
    }
    assert!(!Path::new(&out).exists());
}
