//! The schema of session files: what it allows is what the program reads, for every field of every event.

use std::path::Path;

use logoscope::mediator::policy::Disagreement;
use logoscope::session::event::{Changed, Event, Feedback, Judgement, Origin, Prose, Written};
use logoscope::session::{Header, Session};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::population::{datasets, interaction};
use crate::session::{parse, recorded, small, steps};

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/session.schema.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Whether `value` is what `node` describes. Knows the keywords that our schema uses, and no other.
fn allows(root: &Value, node: &Value, value: &Value) -> bool {
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let all = |list: &Value| list.as_array().unwrap().clone();
    let under = |node: &Value, value: &Value| allows(root, node, value);
    node.as_object().unwrap().iter().all(|(keyword, says)| match keyword.as_str() {
        "$schema" | "$defs" | "title" | "description" | "then" => true,
        "$ref" => under(root.pointer(says.as_str().unwrap().strip_prefix('#').unwrap()).unwrap(), value),
        "type" => match says {
            Value::String(kind) => is(kind),
            kinds => texts(kinds).iter().any(|kind| is(kind)),
        },
        "const" => value == says,
        "enum" => all(says).contains(value),
        "required" => value.as_object().is_none_or(|map| texts(says).iter().all(|key| map.contains_key(key))),
        "properties" => value.as_object().is_none_or(|map| {
            says.as_object().unwrap().iter().all(|(key, node)| map.get(key).is_none_or(|value| under(node, value)))
        }),
        "additionalProperties" => {
            assert!(node.get("properties").is_none(), "these say the same of every property");
            value.as_object().is_none_or(|map| map.values().all(|value| under(says, value)))
        }
        "items" => value.as_array().is_none_or(|values| values.iter().all(|value| under(says, value))),
        "anyOf" => all(says).iter().any(|node| under(node, value)),
        "allOf" => all(says).iter().all(|node| under(node, value)),
        "if" => !under(says, value) || under(&node["then"], value),
        "minimum" => value.as_f64().is_none_or(|number| number >= says.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= says.as_f64().unwrap()),
        other => panic!("unknown keyword {other}"),
    })
}

fn lines(session: &Session) -> Vec<Value> {
    let bytes = session.to_bytes().unwrap();
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect()
}

#[test]
fn every_line_of_the_shipped_sessions_is_allowed() {
    let schema = schema();
    for (name, bytes) in logoscope::data::sample::sessions() {
        for (number, line) in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            assert!(allows(&schema, &schema, &serde_json::from_slice(line).unwrap()), "{name}:{}", number + 1);
        }
    }
    let known = schema["allOf"].as_array().unwrap();
    let tags: Vec<&str> = known.iter().map(|k| k["if"]["properties"]["event"]["const"].as_str().unwrap()).collect();
    assert_eq!(tags, [&["session"][..], &Event::TAGS].concat(), "every event has its place");
    assert!(allows(&schema, &schema, &json!({"event": "applause", "loudness": [1]})), "of a newer program");
}

/// Every place in `value`: its way there.
fn places(value: &Value, way: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut below = |key: String, value: &Value| {
        way.push(key);
        found.push(way.clone());
        places(value, way, found);
        way.pop();
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key.clone(), value)),
        Value::Array(items) => {
            items.iter().take(2).enumerate().for_each(|(place, value)| below(place.to_string(), value));
        }
        _ => {}
    }
}

/// `value` with something else, or nothing, at the end of `way`.
fn with(value: &Value, way: &[String], else_there: Option<&Value>) -> Value {
    let mut changed = value.clone();
    let (last, parents) = way.split_last().unwrap();
    let parent = parents.iter().fold(&mut changed, |value, key| match value {
        Value::Array(items) => &mut items[key.parse::<usize>().unwrap()],
        value => &mut value[key],
    });
    match (parent, else_there) {
        (Value::Array(items), Some(other)) => items[last.parse::<usize>().unwrap()] = other.clone(),
        (Value::Array(items), None) => drop(items.remove(last.parse().unwrap())),
        (parent, Some(other)) => parent[last] = other.clone(),
        (parent, None) => drop(parent.as_object_mut().unwrap().shift_remove(last)),
    }
    changed
}

/// A session with every kind of event, every optional field somewhere.
fn rich() -> Session {
    let (_, mut session) = small();
    let changed = vec![Changed { what: "policy".into(), from: "product".into(), to: "linear".into() }];
    session.header.picked = true;
    session.header.origin = Some(Origin::Fork { of: "0".repeat(64), turn: 2, changed });
    session.push(Event::Remembered { interaction: interaction(7, 1, 5, &[1], 2) });
    for arm in [None, Some(logoscope::engine::prompt::Arm::Local)] {
        session.push(Event::Feedback(Feedback { answer: "y1".into(), judgement: Judgement::Wrong, arm }));
    }
    let mut events: Vec<Event> = session.events.iter().map(|event| event.as_ref().clone()).collect();
    let answered = events.iter_mut().find_map(|event| match event {
        Event::Answered(answered) => Some(answered),
        _ => None,
    });
    let answered = answered.unwrap();
    answered.profile = Some(Prose { prose: "They like noir.".into(), from: 2, of: 3, edited: true });
    let (text, tokens) = ("Noir.".to_owned(), 3);
    let (seal, disagreement) = (Written::seal_of(&text, tokens), Disagreement { same: true, divergence: 0.5 });
    answered.written = Some(Written { text, tokens, prompt: "0".repeat(64), seal, disagreement });
    Session::new(session.header, events)
}

/// For every field of every event: whatever stands there instead, schema and program agree on it.
#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let schema = schema();
    let cold = Session::parse(Path::new("cold"), logoscope::data::sample::sessions()[1].1).unwrap();
    let mut all = lines(&rich());
    // One of a long history, with conflicts of several types.
    all.extend(lines(&cold).into_iter().skip(150).take(10));
    let header: Header = serde_json::from_value(all[0].clone()).unwrap();
    let header = serde_json::to_string(&header).unwrap() + "\n";
    let instead = [json!(null), json!(true), json!("x"), json!({}), json!([]), json!(-1), json!(1.5)];
    let (mut refused, mut accepted) = (0, 0);
    for line in &all {
        let mut found = Vec::new();
        places(line, &mut Vec::new(), &mut found);
        for way in found.iter().filter(|way| way[0] != "event") {
            let moment = ["at", "end", "last_seen"].contains(&way.last().unwrap().as_str());
            for other in instead.iter().map(Some).chain([None]) {
                // Which texts are moments is not for a schema to say.
                if moment && other == Some(&json!("x")) {
                    continue;
                }
                let changed = with(line, way, other);
                let text = changed.to_string() + "\n";
                let read = match changed["event"].as_str() {
                    Some("session") => parse(text.as_bytes()),
                    _ => parse((header.clone() + &text).as_bytes()),
                };
                let allowed = allows(&schema, &schema, &changed);
                assert_eq!(allowed, read.is_ok(), "{way:?} {other:?}: {:?}", read.err());
                *(if allowed { &mut accepted } else { &mut refused }) += 1;
            }
        }
    }
    assert!(refused > 2000 && accepted > 200, "{refused} refused, {accepted} accepted");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_recorded_is_allowed(dataset in datasets(40), steps in steps(), with_model in any::<bool>()) {
        let schema = schema();
        for line in lines(&recorded(&dataset, &steps, with_model)) {
            prop_assert!(allows(&schema, &schema, &line), "{}", line);
        }
    }
}
