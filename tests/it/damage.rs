//! Damage of any kind, in process: a file with its bytes or numbers changed opens or is refused, and nothing panics.

use std::path::Path;

use logoscope::app::message::Message;
use logoscope::app::replay::Opened;
use logoscope::app::update::update;
use logoscope::data::dataset::Dataset;
use logoscope::data::interaction::UserId;
use logoscope::data::sanitize::visible;
use logoscope::eval::timelines::Timelines;
use logoscope::mediator::flip::flips;
use logoscope::mediator::{Evidence, Policy, Weight, Weights, mediate};
use logoscope::memory::Memory;
use logoscope::session::check::{Model, check, check_with};
use logoscope::session::diff::Diff;
use logoscope::session::fork::fork;
use logoscope::session::redact::Redaction;
use logoscope::session::rerun::Anew;
use logoscope::session::{Replay, Session, Setting};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::screens::{answered, drawn, press};
use crate::session::{Echo, small};

/// What happens to a byte.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Become(u8),
    Vanish,
    FollowedBy(u8),
    EndHere,
}

fn blows() -> impl Strategy<Value = Vec<(Index, Blow)>> {
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:\n\r\x1b-+.eE0189\xff "[..])];
    let blow = prop_oneof![
        6 => byte().prop_map(Blow::Become),
        2 => Just(Blow::Vanish),
        2 => byte().prop_map(Blow::FollowedBy),
        1 => Just(Blow::EndHere),
    ];
    proptest::collection::vec((any::<Index>(), blow), 1..4)
}

fn struck(text: &str, blows: &[(Index, Blow)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (index, blow) in blows {
        if bytes.is_empty() {
            break;
        }
        let at = index.index(bytes.len());
        match blow {
            Blow::Become(byte) => bytes[at] = *byte,
            Blow::Vanish => drop(bytes.remove(at)),
            Blow::FollowedBy(byte) => bytes.insert(at + 1, *byte),
            Blow::EndHere => bytes.truncate(at),
        }
    }
    bytes
}

/// A refusal names a file and a remedy, and can be shown on a line.
fn assert_refusal(told: &str) {
    assert!(told.contains(".jsonl") || told.contains("dataset.toml"), "{told}");
    assert!(told.contains([';', ':']), "{told}");
    assert!(!visible(told).contains(char::is_control), "{told}");
    assert!(!told.contains("Some(") && !told.contains("Error {"), "{told}");
}

/// Does everything with a session that the program does.
fn use_session(bytes: &[u8]) {
    let (dataset, _) = small();
    let session = match Session::parse(Path::new("a.jsonl"), bytes) {
        Ok(session) => session,
        Err(error) => return assert_refusal(&error.to_string()),
    };
    check(&session, &dataset).unwrap();
    session.engine();
    session.warnings();
    make_of(&session, &dataset);
    let mut replay = Replay::new(session.clone());
    for end in replay.turn_ends() {
        replay.seek(end);
    }
    for policy in [Policy::Product, Policy::Shrinkage, Policy::Linear, Policy::Local, Policy::Global] {
        let weights = Weights::defaults(policy, &dataset.manifest).with(Weight::Hysteresis, 0.5);
        replay.remediate(&Setting { weights, policy });
    }
    let Some(opened) = Opened::of("a".to_owned(), session) else { return };
    let mut state = answered();
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    drawn(&state, 120, 40);
    press(&mut state, &["."]);
    drawn(&state, 200, 60);
    press(&mut state, &["l", "m"]);
    drawn(&state, 80, 24);
}

/// Makes of a session what can be made of one; each is a session, or is refused.
fn make_of(session: &Session, dataset: &Dataset) {
    let echo = Echo::new();
    check_with(session, dataset, Model::AtHand(&echo)).unwrap();
    let (_, whole) = small();
    for (a, b) in [(session, &whole), (&whole, session), (session, session)] {
        Timelines::of(&Diff::of(a, b), 1);
    }
    let middle = session.events.len() / 2;
    let mut made = vec![fork(session, middle, None).unwrap()];
    made.extend(Redaction::keyed("k").of(session));
    let anew = Anew { dataset, voice: None, weights: vec![(Weight::LocalTrust, 2.0)], policy: Some(Policy::Linear) };
    made.extend(anew.rerun(session));
    for made in made {
        let back = Session::parse(Path::new("made"), &made.to_bytes().unwrap()).unwrap();
        assert_eq!(back.events.len(), made.events.len());
    }
}

/// Every number and every list in `value`.
fn places(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Object(map) => map.values_mut().flat_map(places).collect(),
        Value::Array(items) if items.iter().all(Value::is_number) => vec![value],
        Value::Array(items) => items.iter_mut().flat_map(places).collect(),
        Value::Number(_) => vec![value],
        _ => Vec::new(),
    }
}

/// Reads a dataset and, if that succeeds, asks it a question.
fn use_dataset(texts: [&str; 3]) {
    let names = ["dataset.toml", "interactions.jsonl", "queries.jsonl"].map(Path::new);
    let dataset = match Dataset::parse(names, texts) {
        Ok(dataset) => dataset,
        Err(error) => return assert_refusal(&error.to_string()),
    };
    let (memory, manifest) = (Memory::build(&dataset), &dataset.manifest);
    let read = memory.read(&UserId::new("u1"), "tide robot", dataset.end()).unwrap();
    let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
    let weights = Weights::defaults(Policy::Product, manifest);
    let p = mediate(&evidence, &weights, Policy::Product).distribution;
    assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{p:?}");
    flips(&evidence, &weights, Policy::Product);
}

fn lines<T: serde::Serialize>(records: &[T]) -> String {
    records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_session_with_bytes_changed_opens_or_is_refused(blows in blows()) {
        let (_, session) = small();
        let text = String::from_utf8(session.to_bytes().unwrap()).unwrap();
        use_session(&struck(&text, &blows));
    }

    #[test]
    fn a_session_with_absurd_numbers_opens_or_is_refused(
        changes in proptest::collection::vec((any::<Index>(), 0..10usize), 1..4)
    ) {
        let (_, session) = small();
        let mut values: Vec<Value> =
            session.to_bytes().unwrap().split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect();
        let mut places: Vec<&mut Value> = values.iter_mut().flat_map(places).collect();
        for (index, change) in changes {
            let absurd = [
                json!(0), json!(-1), json!(1), json!(1e300), json!(-1e300), json!(1e-310), json!(u64::MAX), json!("inf"),
                json!("NaN"), json!(0.5),
            ];
            let at = index.index(places.len());
            let listed = places[at].is_array();
            *places[at] = match change {
                // A list too short, or with something absurd in it.
                0 if listed => json!([]),
                n if listed => json!([absurd[n]]),
                n => absurd[n].clone(),
            };
        }
        use_session(lines(&values).as_bytes());
    }

    #[test]
    fn a_dataset_with_bytes_changed_opens_or_is_refused(blows in blows(), which in 0..3usize) {
        let (dataset, _) = small();
        let mut texts = [
            toml::to_string(&dataset.manifest).unwrap(),
            lines(&dataset.interactions),
            "{\"id\":\"q\",\"user\":\"u1\",\"at\":5,\"query\":\"tide\",\"gold\":\"y1\"}\n".to_owned(),
        ];
        texts[which] = String::from_utf8_lossy(&struck(&texts[which], &blows)).into_owned();
        use_dataset(texts.each_ref().map(String::as_str));
    }
}
