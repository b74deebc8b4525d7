//! What is made from a session: a fork, a re-run, a difference, a redaction; and the model asked again by a check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use logoscope::data::dataset::{Dataset, TaskKind};
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::data::sample;
use logoscope::engine::engine::{Caps, Engine, GenEvent, GenRequest, Generation};
use logoscope::engine::error::EngineError;
use logoscope::engine::familiar::FamiliarEngine;
use logoscope::engine::prompt::Arm;
use logoscope::eval::timelines::{By, Timelines};
use logoscope::mediator::{Policy, Weight};
use logoscope::session::check::answers::NEAR;
use logoscope::session::check::{Model, Verdict, check, check_with};
use logoscope::session::diff::{Diff, Kind, Pair};
use logoscope::session::event::{Answered, Asked, ByLabel, Feedback, Judgement, ModelId, Origin};
use logoscope::session::fork::{fork, known, said_by};
use logoscope::session::redact::Redaction;
use logoscope::session::replay::Tally;
use logoscope::session::rerun::Anew;
use logoscope::session::{Event, Recorder, Replay, Session, SessionError, Setting};
use proptest::prelude::*;
use serde_json::Value;

use crate::population::{datasets, interaction};
use crate::session::{Echo, Step, differences, fold, numbers, parse, recorded, small, steps, with_a_changed_number};

/// The shipped sessions, by name.
fn shipped() -> [Session; 2] {
    let sessions = sample::sessions();
    [0, 1].map(|place| parse(sessions[place].1).unwrap())
}

fn logoscope(args: &[&str]) -> (String, String, i32) {
    let Output { status, stdout, stderr } = crate::program().args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().unwrap())
}

// Redaction

/// The texts of a session by the field they stand in, a map's keys among them as texts of no field.
fn texts(value: &Value, field: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((field.to_owned(), text.clone())),
        Value::Array(items) => items.iter().for_each(|value| texts(value, field, found)),
        Value::Object(map) => map.iter().for_each(|(key, value)| texts(value, key, found)),
        _ => {}
    }
}

fn texts_of(session: &Session) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let bytes = session.to_bytes().unwrap();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.for_each(|line| texts(&serde_json::from_slice(line).unwrap(), "", &mut found));
    found
}

fn is_pseudonym(text: &str) -> bool {
    let digits = |text: &str| text.len() == 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    let kind = text.split_once('-').is_some_and(|(kind, number)| "uitnd".contains(kind) && digits(number));
    kind || text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Fields in which the program's own words stand.
const OWN: [&str; 17] = [
    "event",
    "program",
    "title",
    "name",
    "hash",
    "device",
    "policy",
    "embedder",
    "labels",
    "kind",
    "arm",
    "type",
    "facet",
    "silent",
    "party",
    "winner",
    "judgement",
];

/// Nothing but labels, moments, pseudonyms and the program's own words.
fn assert_redacted(original: &Session, redacted: &Session) {
    let labels = &original.header.labels;
    for (field, text) in texts_of(redacted) {
        let known = labels.iter().any(|label| *label == text.trim());
        let harmless = text.is_empty() || ["inf", "-inf", "NaN"].contains(&text.as_str());
        let own = OWN.contains(&field.as_str()) || field == "held";
        let told = own || known || harmless || is_pseudonym(&text) || text.parse::<Timestamp>().is_ok();
        assert!(told, "{field}: {text}");
    }
}

/// A session with what has changed and no text of it.
fn numbers_of(session: &Session) -> Vec<String> {
    let of = |event: &Arc<Event>| {
        let mut value = serde_json::to_value(event.as_ref()).unwrap();
        numbers(&mut value).into_iter().map(|number| number.to_string()).collect::<Vec<_>>()
    };
    session.events.iter().flat_map(of).collect()
}

#[test]
fn no_word_and_no_identity_of_a_shipped_session_survives() {
    for session in shipped() {
        let redacted = Redaction::keyed("a key").of(&session).unwrap();
        assert_redacted(&session, &redacted);
        let bytes = redacted.to_bytes().unwrap();
        let whole = String::from_utf8(bytes).unwrap().to_lowercase();
        assert!(!whole.contains(&session.header.dataset.hash));
        // A hash may hold a word by chance: they are left out.
        let hash = |part: &str| part.len() == 64 && part.chars().all(|c| c.is_ascii_hexdigit());
        let parts = whole.split('"').map(|part| if hash(part) { "" } else { part });
        let out = parts.collect::<Vec<_>>().join("\"");
        let words = |text: &str| -> BTreeSet<String> {
            let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() >= 4);
            words.map(str::to_lowercase).collect()
        };
        let labels: BTreeSet<String> = session.header.labels.iter().flat_map(|label| words(label)).collect();
        // Words of the format itself: literals, every key, and what stands in fields of our own.
        let mut ours = BTreeSet::from(["film", "true", "false", "null"].map(str::to_owned));
        for (field, text) in texts_of(&redacted).iter().filter(|(field, _)| OWN.contains(&field.as_str())) {
            ours.extend(words(field).into_iter().chain(words(text)));
        }
        for key in out.split('"').skip(1).step_by(2).filter(|key| out.contains(&format!("\"{key}\":"))) {
            ours.extend(words(key));
        }
        let (mut told, mut identities) = (BTreeSet::new(), BTreeSet::new());
        for event in &session.events {
            let value = serde_json::to_value(event.as_ref()).unwrap();
            let mut found = Vec::new();
            texts(&value, "", &mut found);
            for (field, text) in found {
                match field.as_str() {
                    "query" | "text" | "top_terms" => told.extend(words(&text)),
                    "user" | "id" | "source" => drop(identities.insert(text)),
                    _ => {}
                }
            }
        }
        assert!(told.len() > 100 && identities.len() > 20, "there is something to hide");
        for word in told.iter().filter(|word| !labels.contains(*word) && !ours.iter().any(|ours| ours.contains(*word)))
        {
            assert!(!out.contains(word.as_str()), "{word}");
        }
        for identity in identities {
            assert!(!out.contains(&format!("\"{identity}\"")), "{identity}");
        }
        assert!(!out.contains("film-tags"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_redacted_session_is_the_same_but_for_its_texts(
        dataset in datasets(40), steps in steps(), with_model in any::<bool>(), days in -400..400i32
    ) {
        let session = recorded(&dataset, &steps, with_model);
        let redacted = Redaction::keyed("k").of(&session).unwrap();
        assert_redacted(&session, &redacted);
        prop_assert_eq!(&parse(&redacted.to_bytes().unwrap()).unwrap(), &redacted, "it reads back");
        prop_assert_eq!(numbers_of(&redacted), numbers_of(&session));
        prop_assert_eq!(&Redaction::keyed("k").of(&session).unwrap(), &redacted, "stable");

        // The same outcomes, recorded and under other weights.
        let end = session.events.len();
        prop_assert_eq!(&fold(&redacted, end).outcomes, &fold(&session, end).outcomes);
        let weights = session.header.setting.weights.with(Weight::PriorStrength, 9.0);
        let setting = Setting { weights, policy: Policy::Linear };
        let again = |session: &Session| Replay::new(session.clone()).remediate(&setting);
        prop_assert_eq!(again(&redacted), again(&session));

        // What was equal is equal, and nothing else.
        let of_events = |session: &Session| {
            let mut found = Vec::new();
            session.events.iter().for_each(|e| texts(&serde_json::to_value(e.as_ref()).unwrap(), "", &mut found));
            found
        };
        let pairs = of_events(&session).into_iter().zip(of_events(&redacted));
        let (mut there, mut back) = (BTreeMap::new(), BTreeMap::new());
        for ((field, text), (_, pseudonym)) in pairs.filter(|((field, _), _)| field == "query" || field == "user") {
            prop_assert_eq!(there.entry((field.clone(), text.clone())).or_insert(pseudonym.clone()), &pseudonym);
            prop_assert_eq!(back.entry(pseudonym).or_insert(text.clone()), &text);
        }

        // A check knows what it cannot look at, and looks at the rest.
        let report = check(&redacted, &dataset).unwrap();
        prop_assert!(!report.differs(), "{:?}", report);
        let equal = matches!(report.mediation, Verdict::Equal { .. });
        prop_assert!(equal);
        for verdict in [&report.retrieval, &report.prompts, &report.answers] {
            let told = matches!(verdict, Verdict::Unchecked { reason } if reason.starts_with("redacted"));
            prop_assert!(told, "{:?}", report);
        }

        // All moments move alike.
        let moved = Redaction::keyed("k").shifted(days).of(&session).unwrap();
        for ((field, before), (_, after)) in texts_of(&redacted).into_iter().zip(texts_of(&moved)) {
            if ["at", "end", "last_seen"].contains(&field.as_str()) {
                let [before, after]: [Timestamp; 2] = [before.parse().unwrap(), after.parse().unwrap()];
                prop_assert_eq!(after.0 - before.0, i64::from(days) * 86_400);
            } else {
                prop_assert_eq!(before, after);
            }
        }
    }
}

/// A label may have a name that the format has for something else.
#[test]
fn labels_that_are_called_as_fields_are_pass_a_redaction() {
    for session in shipped() {
        for name in ["local", "global", "user", "text", "score", "lexical", "hash"] {
            let text = String::from_utf8(session.to_bytes().unwrap()).unwrap();
            let named = parse(text.replace("\"comedy\"", &format!("\"{name}\"")).as_bytes()).unwrap();
            let redacted = Redaction::keyed("k").of(&named).unwrap();
            assert_eq!(numbers_of(&redacted), numbers_of(&named), "{name}");
            assert_eq!(parse(&redacted.to_bytes().unwrap()).unwrap(), redacted, "{name}");
        }
    }
}

#[test]
fn the_address_of_a_server_does_not_pass_a_redaction() {
    let [mut session, _] = shipped();
    assert_eq!(Redaction::random().of(&session).unwrap().header.device, session.header.device, "the machine's own");
    session.header.device = Some("models.example.org:8080".to_owned());
    let redacted = Redaction::random().of(&session).unwrap().header;
    assert!(is_pseudonym(redacted.device.as_deref().unwrap()), "{redacted:?}");
    let hash = |header: &logoscope::session::Header| header.model.as_ref().unwrap().hash.clone();
    assert_ne!(hash(&redacted), hash(&session.header), "of an address whoever knows it can try");
}

#[test]
fn what_is_forged_or_unknown_does_not_pass_a_redaction() {
    let (dataset, session) = small();
    let text = String::from_utf8(session.to_bytes().unwrap()).unwrap();
    let forged = text.replacen("\"text\":\" über", "\"text\":\" unter", 1);
    let redacted = Redaction::random().of(&parse(forged.as_bytes()).unwrap()).unwrap();
    let report = check(&redacted, &dataset).unwrap();
    assert!(matches!(report.answers, Verdict::Differs { .. }), "a seal that did not fit does not fit: {report:?}");

    let secret = text.replacen("{\"event\":\"asked\"", "{\"event\":\"asked\",\"secret\":\"of hers\"", 1);
    let mut opened = parse(secret.as_bytes()).unwrap();
    let mut remembered = interaction(1, 1, 5, &[1], 1);
    remembered.extra.insert("diary".to_owned(), "of hers".into());
    opened.push(Event::Remembered { interaction: remembered });
    opened.push(Event::Evidence(with_a_stranger(&opened)));
    let bytes = Redaction::random().of(&opened).unwrap().to_bytes().unwrap();
    let out = String::from_utf8(bytes).unwrap();
    for word in ["of hers", "secret", "diary", "somebody"] {
        assert!(!out.contains(word), "{word}");
    }
    let [one, other] = [(); 2].map(|()| Redaction::random().of(&session).unwrap());
    assert_ne!(one, other, "a drawn key is another one each time");
    let far = Redaction::keyed("k").shifted(i32::MAX).of(&session).unwrap_err().to_string();
    assert!(far.starts_with("event 1 cannot be redacted") && far.contains("shift times by less"), "{far}");
}

/// The first evidence with a person's name among its labels, as somebody may have written it there.
fn with_a_stranger(session: &Session) -> logoscope::session::event::Evidence {
    let evidence = session.events.iter().find_map(|event| match event.as_ref() {
        Event::Evidence(evidence) => Some(evidence.clone()),
        _ => None,
    });
    let mut evidence = evidence.unwrap();
    evidence.global.base.0.push(("somebody".to_owned(), 0.1));
    evidence
}

// Fork

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_fork_shares_its_parents_beginning_and_goes_on_by_itself(
        dataset in datasets(40), steps in steps(), position in 0..60usize, turned in any::<bool>()
    ) {
        let parent = recorded(&dataset, &steps, true);
        let before = parent.clone();
        let shared = position.min(parent.events.len());
        let there = fold(&parent, shared);
        let weights = there.setting.weights.with(Weight::GlobalTrust, 3.25);
        let setting = Setting { weights, ..there.setting };
        let forked = fork(&parent, position, turned.then_some(setting)).unwrap();
        prop_assert_eq!(&parent, &before);
        for (ours, theirs) in forked.events.iter().zip(&parent.events[..shared]) {
            prop_assert!(Arc::ptr_eq(ours, theirs), "shared, not copied");
        }
        prop_assert_eq!(forked.events.len(), shared + usize::from(turned));
        let after_the_header = |session: &Session| {
            let bytes = session.to_bytes().unwrap();
            bytes[bytes.iter().position(|byte| *byte == b'\n').unwrap()..].to_vec()
        };
        let (ours, theirs) = (after_the_header(&forked), after_the_header(&parent));
        let common = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        let lines = ours[..common].iter().filter(|byte| **byte == b'\n').count();
        prop_assert!(lines > shared, "byte for byte: {} of {}", lines, shared);
        prop_assert_eq!(&fold(&forked, shared), &there);
        let Some(Origin::Fork { of, turn, changed }) = &forked.header.origin else { panic!("{:?}", forked.header) };
        prop_assert_eq!(of, &parent.hash().unwrap());
        prop_assert_eq!(*turn, there.outcomes.len());
        prop_assert_eq!(changed.iter().map(ToString::to_string).collect::<Vec<_>>().len(), usize::from(turned));

        // Live from there.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fork.jsonl");
        let mut recorder = Recorder::after(&path, &forked).unwrap();
        let note = Event::Note { text: "on".to_owned() };
        recorder.append(&note).unwrap();
        prop_assert!(Recorder::after(&path, &forked).is_err(), "nothing is overwritten");
        let read = Session::open(&path).unwrap();
        prop_assert_eq!(&read.header, &forked.header);
        prop_assert_eq!(&read.events[..forked.events.len()], &forked.events[..]);
        prop_assert_eq!(read.events.last().unwrap().as_ref(), &note);
        prop_assert!(!check(&forked, &dataset).unwrap().differs(), "a fork checks as its parent does");
        let remembered = forked.events.iter().filter(|event| event.tag() == "remembered").count();
        prop_assert_eq!(known(&forked, &dataset).interactions.len(), dataset.interactions.len() + remembered);
    }

    #[test]
    fn computed_again_with_nothing_otherwise_it_says_the_same(
        dataset in datasets(40), steps in steps(), with_model in any::<bool>(), at in 0..5usize
    ) {
        let parent = recorded(&dataset, &steps, with_model);
        // The recording answers; nobody else is there.
        let nobody = || Err(EngineError::NotLoaded);
        let engine = parent.engine().map(|recorded| FamiliarEngine::new(recorded, Box::new(nobody)));
        let voice = engine.as_ref().map(|engine| (engine as &dyn Engine, Echo::id()));
        let anew = Anew { dataset: &dataset, voice, weights: Vec::new(), policy: None };
        let again = anew.rerun(&parent).unwrap();
        prop_assert!(!Diff::of(&parent, &again).differs());
        prop_assert_eq!(again.header.changed_from(&parent.header), []);
        let Some(Origin::ReRun { of, changed }) = &again.header.origin else { panic!("{:?}", again.header) };
        prop_assert_eq!((of, changed.len()), (&parent.hash().unwrap(), 0));
        prop_assert!(!check(&again, &dataset).unwrap().differs());
        let kept = |session: &Session| {
            let kept = |event: &&Arc<Event>| ["asked", "remembered", "note", "feedback"].contains(&event.tag());
            session.events.iter().filter(kept).cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(kept(&again), kept(&parent), "what happened happens again, in its order");

        // And from the middle on.
        let asked: Vec<usize> = (0..parent.events.len()).filter(|ix| parent.events[*ix].tag() == "asked").collect();
        let position = asked.get(at).copied().unwrap_or(parent.events.len());
        let mut forked = fork(&parent, position, None).unwrap();
        anew.rest(&parent, position, &mut forked).unwrap();
        prop_assert!(!Diff::of(&parent, &forked).differs());
    }

    #[test]
    fn computed_again_with_other_weights_it_decides_what_they_decide(
        dataset in datasets(60), steps in steps(), place in 0.0..100.0f64
    ) {
        let steps: Vec<Step> = steps.into_iter().filter(|step| !matches!(step, Step::Turn(..))).collect();
        let parent = recorded(&dataset, &steps, false);
        let kappa = Weight::PriorStrength.at(place);
        let anew = Anew {
            dataset: &dataset,
            voice: None,
            weights: vec![(Weight::PriorStrength, kappa)],
            policy: Some(Policy::Shrinkage),
        };
        let again = anew.rerun(&parent).unwrap();
        let setting = anew.setting(&parent.header.setting);
        prop_assert_eq!(again.header.setting, setting);
        let by_hand = Replay::new(parent.clone()).remediate(&setting);
        let decided: Vec<&str> = again.events.iter().filter_map(|event| match event.as_ref() {
            Event::Mediated { resolution } => Some(resolution.decision.as_str()),
            _ => None,
        }).collect();
        let labels = &parent.header.labels;
        prop_assert_eq!(decided, by_hand.iter().map(|step| labels[step.mediated].as_str()).collect::<Vec<_>>());
        prop_assert!(!check(&again, &dataset).unwrap().differs());
    }
}

/// What another model said in a fork stood there under the name and the hash of the one that had answered its parent.
#[test]
fn a_fork_is_answered_by_the_model_that_its_header_names() {
    let (dataset, parent) = small();
    let echo = Echo::new();
    let other = ModelId { hash: "1".repeat(64), ..Echo::id() };
    let voice = |model: &ModelId| Some((model.clone(), "cpu".to_owned()));
    let anew = |model: Option<&ModelId>| Anew {
        dataset: &dataset,
        voice: model.map(|model| (&echo as &dyn Engine, model.clone())),
        weights: Vec::new(),
        policy: None,
    };
    let second = (1..parent.events.len()).find(|ix| parent.events[*ix].tag() == "asked").unwrap();

    // Behind answers of a model that model goes on, or memory alone.
    let mut shares = fork(&parent, second, None).unwrap();
    let before = shares.clone();
    said_by(&mut shares, voice(&Echo::id())).unwrap();
    said_by(&mut shares, None).unwrap();
    assert_eq!(shares, before);
    let told = anew(Some(&other)).rest(&parent, second, &mut shares).unwrap_err().to_string();
    assert!(told.contains("answered by echo (00000000), and echo (11111111) answers here; load the first"), "{told}");
    assert_eq!(shares, before);

    // Where no model has answered yet, any may.
    let silent = anew(None).rerun(&parent).unwrap();
    for (parent, position, from) in [(&parent, 0, "echo (00000000)"), (&silent, second, "none")] {
        let mut forked = fork(parent, position, None).unwrap();
        anew(Some(&other)).rest(parent, position, &mut forked).unwrap();
        assert_eq!(forked.header.model.as_ref(), Some(&other));
        let Some(Origin::Fork { changed, .. }) = &forked.header.origin else { panic!("{:?}", forked.header) };
        let changed: Vec<String> = changed.iter().map(ToString::to_string).collect();
        assert_eq!(changed, [format!("model {from} → echo (11111111)")]);
        let report = check_with(&forked, &dataset, Model::AtHand(&echo)).unwrap();
        assert!(!report.differs() && matches!(report.answers, Verdict::Equal { .. }), "{report:?}");
    }
}

/// The rest was read from other data under the name and the hash of the parent's.
#[test]
fn a_fork_is_read_from_the_data_that_its_header_names() {
    let (dataset, parent) = small();
    let mut other = dataset.clone();
    other.interactions.pop();
    let second = (1..parent.events.len()).rfind(|ix| parent.events[*ix].tag() == "asked").unwrap();
    let rest = |position: usize| {
        let mut forked = fork(&parent, position, None).unwrap();
        let anew = Anew { dataset: &other, voice: None, weights: Vec::new(), policy: None };
        anew.rest(&parent, position, &mut forked).map(|()| forked)
    };
    let told = rest(second).unwrap_err().to_string();
    assert!(told.starts_with("what the fork shares is of the dataset small (") && told.contains("--data"), "{told}");

    // Where nothing of memory is shared, the other data answers, and is named.
    let forked = rest(0).unwrap();
    assert_eq!(forked.header.dataset.hash, other.content_hash());
    let Some(Origin::Fork { changed, .. }) = &forked.header.origin else { panic!("{:?}", forked.header) };
    let changed: Vec<&str> = changed.iter().map(|changed| changed.what.as_str()).collect();
    assert_eq!(changed, ["dataset", "model"]);
    assert!(!check(&forked, &other).unwrap().differs());
}

#[test]
fn a_re_run_on_other_data_says_so_and_refuses_what_it_cannot_remember() {
    let (mut dataset, parent) = small();
    dataset.interactions.pop();
    let anew = |dataset: &Dataset, parent: &Session| {
        Anew { dataset, voice: None, weights: Vec::new(), policy: None }.rerun(parent)
    };
    let again = anew(&dataset, &parent).unwrap();
    let changed: Vec<String> = again.header.changed_from(&parent.header).iter().map(|c| c.what.clone()).collect();
    assert_eq!(changed, ["dataset", "model"]);
    assert!(!check(&again, &dataset).unwrap().differs());
    let mut stranger = parent.clone();
    let mut remembered = interaction(70, 1, 5, &[1], 2);
    remembered.response = "opera".to_owned();
    stranger.push(Event::Remembered { interaction: remembered });
    let told = anew(&dataset, &stranger).unwrap_err().to_string();
    assert!(told.contains("line 18 remembers the response 'opera', which is no label of 'small'"), "{told}");
    // A text task knows a form for every answer, and answered with forms what asked for labels.
    for task in ["text", "rating"] {
        let mut other = dataset.clone();
        (other.manifest.task, other.manifest.name) = match task {
            "text" => (TaskKind::Text, "news".to_owned()),
            _ => (TaskKind::Rating, "stars".to_owned()),
        };
        let told = anew(&other, &parent).unwrap_err().to_string();
        let expected = format!("the recording is of a labels task, and '{}' of a {task} task", other.manifest.name);
        assert!(told.contains(&expected) && told.contains("re-run on data of the same task"), "{told}");
        let rest = Anew { dataset: &other, voice: None, weights: Vec::new(), policy: None };
        assert!(rest.rest(&parent, 0, &mut fork(&parent, 0, None).unwrap()).is_err());
    }
    let redacted = Redaction::keyed("k").of(&parent).unwrap();
    assert!(matches!(anew(&dataset, &redacted), Err(SessionError::ReRun { .. })));
    assert!(matches!(fork(&redacted, 0, None), Err(SessionError::ReRun { .. })));
}

// Diff

/// A session of questions alone: who, when, what, and whether the mediated arm is right.
fn asked(turns: &[(&str, i64, &str, bool)]) -> Session {
    let (_, model) = small();
    let mut session = Session::new(model.header, Vec::new());
    for (user, at, query, right) in turns {
        session.push(Event::Asked(Asked {
            user: UserId::new(*user),
            at: Timestamp(*at),
            query: (*query).to_owned(),
            gold: Some("y1".to_owned()),
            form: None,
            source: None,
            held: None,
        }));
        session.push(Event::Answered(Answered {
            arm: Arm::Mediated,
            answer: if *right { "y1" } else { "y2" }.to_owned(),
            distribution: ByLabel::default(),
            text: String::new(),
            tokens: 0,
            prompt: String::new(),
            log_probabilities: None,
            seal: None,
            written: None,
            profile: None,
        }));
    }
    session
}

/// `12=` both, `1-` A alone, `2+` B alone, from 1.
fn aligned(a: &[(&str, i64, &str)], b: &[(&str, i64, &str)]) -> String {
    let [a, b] = [a, b]
        .map(|turns| asked(&turns.iter().map(|(user, at, query)| (*user, *at, *query, true)).collect::<Vec<_>>()));
    let told = Diff::of(&a, &b).pairs.into_iter().map(|pair| match pair {
        Pair::Both { a, b, .. } => format!("{}{}=", a + 1, b + 1),
        Pair::OnlyA(a) => format!("{}-", a + 1),
        Pair::OnlyB(b) => format!("{}+", b + 1),
    });
    told.collect::<Vec<_>>().join(" ")
}

#[test]
fn turns_are_aligned_by_person_question_and_moment() {
    let (p, q, r) = (("u", 1, "p"), ("u", 2, "q"), ("u", 3, "r"));
    for (a, b, expected) in [
        (vec![p, q, r], vec![p, q, r], "11= 22= 33="),
        (vec![p, q, r], vec![p, r], "11= 2- 32="),
        (vec![p, r], vec![p, q, r], "11= 2+ 23="),
        (vec![p, q], vec![q, p], "1- 21= 2+"),
        (vec![p], vec![q], "1- 1+"),
        (vec![], vec![q], "1+"),
        // Asked a second later, by somebody else, and again and again.
        (vec![p, q], vec![p, ("u", 9, "q")], "11= 22="),
        (vec![p, q], vec![p, ("v", 2, "q")], "11= 2- 2+"),
        (vec![p, p, p], vec![p, p], "11= 22= 3-"),
        (vec![("u", 1, "q"), ("u", 2, "q"), ("u", 3, "q")], vec![("u", 1, "q"), ("u", 3, "q")], "11= 2- 32="),
    ] {
        assert_eq!(aligned(&a, &b), expected, "{a:?} {b:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_turn_stands_once_in_its_order(
        a in proptest::collection::vec((0..2usize, 0..3i64, 0..3usize), 0..12),
        b in proptest::collection::vec((0..2usize, 0..3i64, 0..3usize), 0..12)
    ) {
        let session = |turns: &[(usize, i64, usize)]| {
            let texts = ["p", "q", "r"];
            asked(&turns.iter().map(|(user, at, query)| (texts[*user], *at, texts[*query], true)).collect::<Vec<_>>())
        };
        let diff = Diff::of(&session(&a), &session(&b));
        let mut sides = [Vec::new(), Vec::new()];
        for pair in &diff.pairs {
            match pair {
                Pair::Both { a: x, b: y, .. } => {
                    prop_assert_eq!((a[*x].0, a[*x].2), (b[*y].0, b[*y].2), "the same person and question");
                    sides[0].push(*x);
                    sides[1].push(*y);
                }
                Pair::OnlyA(x) => sides[0].push(*x),
                Pair::OnlyB(y) => sides[1].push(*y),
            }
        }
        prop_assert_eq!(sides, [(0..a.len()).collect::<Vec<_>>(), (0..b.len()).collect::<Vec<_>>()]);
        if a == b {
            prop_assert!(!diff.differs());
        }
    }

    #[test]
    fn a_changed_number_is_the_first_difference_of_its_kind(
        dataset in datasets(40), steps in steps(), pick in any::<usize>()
    ) {
        let session = recorded(&dataset, &steps, true);
        if let Some((bytes, event)) = with_a_changed_number(&session, pick) {
            let changed = parse(&bytes).unwrap();
            let kind = match session.events[event - 1].tag() {
                "evidence" => Kind::Evidence,
                "mediated" => Kind::Mediation,
                _ => Kind::Answers,
            };
            let diff = Diff::of(&session, &changed);
            let found: Vec<_> = Kind::ALL.into_iter().filter_map(|kind| diff.first(kind)).collect();
            prop_assert_eq!(found.len(), 1);
            let (first, count) = found[0];
            prop_assert_eq!((first.kind, count), (kind, 1));
            prop_assert_eq!(first.line, [Some(event + 1); 2]);
            let turn = session.events[..event].iter().filter(|event| event.tag() == "asked").count();
            prop_assert_eq!(first.turn, [turn; 2]);
        }
    }
}

#[test]
fn a_difference_in_numbers_says_what_of_it_is_chance() {
    let users: Vec<String> = (0..20).map(|n| format!("u{n:02}")).collect();
    let told = |people: usize, turns: i64, won: i64| {
        let session = |better: bool| {
            let turns: Vec<_> = (0..turns)
                .map(|at| (users[at as usize % people].as_str(), at, "q", at >= 4 && (better || at >= 4 + won)))
                .collect();
            asked(&turns)
        };
        let diff = Diff::of(&session(false), &session(true));
        let lines = Timelines::of(&diff, 1);
        let beside = lines.arms[Arm::Mediated as usize];
        assert_eq!((beside.paired.won, beside.paired.lost), (won as usize, 0));
        if let Some(interval) = beside.interval {
            let value = won as f64 / turns as f64;
            assert!(interval.low <= value && value <= interval.high, "{interval:?} {value}");
        }
        (lines.by, lines.told(Arm::Mediated, ["a", "b"]))
    };
    assert_eq!(
        told(1, 24, 3),
        (
            By::Turn,
            "mediated: b − a +3 of 24; noise: too few turns differ to tell (p .25 by turn, 3 won, 0 lost)".into()
        )
    );
    assert_eq!(told(1, 24, 0).1, "mediated: right or wrong together, 24 of 24");
    assert!(told(1, 40, 12).1.contains("+12 of 40; more than chance"), "{}", told(1, 40, 12).1);
    let (by, many) = told(20, 80, 30);
    assert_eq!(by, By::User);
    assert!(many.contains("more than chance") && many.contains("by user, 20 of them"), "{many}");
    let answers = |right: bool| asked(&(0..12).map(|at| ("u", at, "q", right)).collect::<Vec<_>>());
    let mut picked = answers(false);
    picked.header.picked = true;
    let lines = Timelines::of(&Diff::of(&picked, &answers(true)), 1);
    let counted = "mediated: b − a +12 of 12 (12 won, 0 lost); no test: picked or repeated";
    assert_eq!(lines.told(Arm::Mediated, ["a", "b"]), counted);
    assert_eq!((lines.arms[3].p, lines.arms[3].interval), (None, None));
    // Of nineteen people nothing is known: one person's turns are no sample of people.
    let known = |better: bool| {
        let turns: Vec<_> =
            (0..39).map(|at| (users[(at as usize).saturating_sub(20)].as_str(), at, "q", better)).collect();
        let mut session = asked(&turns);
        let unknown = |event: &mut Arc<Event>| match Arc::make_mut(event) {
            Event::Asked(asked) if asked.user.as_str() != "u00" => asked.gold = None,
            _ => {}
        };
        session.events.iter_mut().for_each(unknown);
        session
    };
    let lines = Timelines::of(&Diff::of(&known(false), &known(true)), 1);
    assert_eq!((lines.by, lines.people, lines.turns), (By::Turn, 1, 39));
    let one = Diff::of(&asked(&[("u", 1, "p", true)]), &asked(&[("u", 2, "q", true)]));
    assert_eq!(Timelines::of(&one, 1).told(Arm::Mediated, ["a", "b"]), "mediated: a and b share no judged turn");
}

// Answers

/// An echo that differs a little.
struct Changed {
    echo: Echo,
    /// Added to the log-probability of the last label.
    nats: f64,
    /// Said instead.
    text: Option<&'static [&'static str]>,
    /// Of the second continuation that is scored over the first.
    margin: f64,
    /// Whether it says nothing of labels.
    silent: bool,
}

impl Changed {
    fn new() -> Self {
        Self { echo: Echo::new(), nats: 0.0, text: None, margin: 0.0, silent: false }
    }
}

impl Engine for Changed {
    fn caps(&self) -> &Caps {
        self.echo.caps()
    }

    fn generate(&self, req: GenRequest) -> Generation {
        let mut events: Vec<GenEvent> = self.echo.generate(req).collect();
        if let GenEvent::Scores(scores) = &mut events[0] {
            *scores.last_mut().unwrap() += self.nats;
        }
        if let Some(pieces) = self.text {
            events.splice(1..2, pieces.iter().map(|piece| GenEvent::Token((*piece).to_owned())));
        }
        if self.silent {
            events.remove(0);
        }
        Generation::new(logoscope::engine::engine::Cancel::default(), events.into_iter())
    }

    fn score(&self, _: &str, labels: &[String]) -> Result<Vec<f64>, EngineError> {
        assert_eq!(labels.len(), 2);
        Ok(vec![-2.0, -2.0 + self.margin])
    }

    fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }
}

#[test]
fn the_model_asked_again_says_the_same_or_the_first_difference_is_told() {
    let (dataset, session) = small();
    let verdict = |engine: &Changed| check_with(&session, &dataset, Model::AtHand(engine)).unwrap();
    let same = verdict(&Changed::new());
    assert_eq!(same.answers, Verdict::Equal { compared: 8 });
    assert!(!same.differs());

    // Another number, within and beyond what is equal.
    let nearly = verdict(&Changed { nats: 0.9 * NEAR, ..Changed::new() });
    assert!(!nearly.differs(), "{nearly:?}");
    let other = verdict(&Changed { nats: -1.5 * NEAR, ..Changed::new() });
    let told = differences(&other)[0].to_string();
    assert!(told.starts_with("event 4 (line 5, answered), log_probabilities.y3: recorded "), "{told}");

    // Another word, clearly and hardly preferred.
    let words = |margin| verdict(&Changed { text: Some(&[" ", "unter", " uns"]), margin, ..Changed::new() });
    let told = differences(&words(0.5))[0].to_string();
    assert!(told.contains("event 4 (line 5, answered), text, token 2: recorded \"über\\u001b\""), "{told:?}");
    assert!(told.ends_with("computed \"unter\", margin 0.5000 nats"), "{told:?}");
    let tied = words(0.5 * NEAR);
    assert!(!tied.differs(), "{tied:?}");
    let Verdict::NearTies { compared, ties, first } = &tied.answers else { panic!("{tied:?}") };
    assert_eq!((*compared, *ties), (8, 8));
    assert!(first.margin.is_some_and(|margin| (margin - 0.5 * NEAR).abs() < 1e-9), "{first}");
    // An answer that stops short of the recorded one has no word to weigh: a difference.
    let short = verdict(&Changed { text: Some(&[" "]), ..Changed::new() });
    assert_eq!(differences(&short)[0].margin, None);

    // The same words without a number beside them: nothing was compared, and nothing is equal.
    let silent = verdict(&Changed { silent: true, ..Changed::new() });
    let told = differences(&silent)[0].to_string();
    let labels = session.header.labels.len();
    let expected = format!("(line 5, answered), log_probabilities: recorded {labels} numbers, computed 0 numbers");
    assert!(told.ends_with(&expected), "{told}");

    // Nobody to ask.
    let left_out = check_with(&session, &dataset, Model::Absent("--no-model")).unwrap();
    assert_eq!(left_out.answers, Verdict::Unchecked { reason: "--no-model".to_owned() });
    let none = recorded(&dataset, &[Step::Ask { user: 1, words: vec![0], at: 2_000_000, gold: None }], false);
    let report = check_with(&none, &dataset, Model::AtHand(&Changed::new())).unwrap();
    assert_eq!(report.answers, Verdict::Unchecked { reason: "memory alone answered".to_owned() });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn with_the_model_an_untouched_session_checks_and_a_changed_number_is_named(
        dataset in datasets(40), steps in steps(), pick in any::<usize>()
    ) {
        let session = recorded(&dataset, &steps, true);
        let echo = Echo::new();
        let report = check_with(&session, &dataset, Model::AtHand(&echo)).unwrap();
        prop_assert!(!report.differs(), "{:?}", report);
        if let Some((bytes, event)) = with_a_changed_number(&session, pick) {
            let report = check_with(&parse(&bytes).unwrap(), &dataset, Model::AtHand(&echo)).unwrap();
            prop_assert!(differences(&report).iter().any(|difference| difference.event == event), "{:?}", report);
        }
    }
}

// Feedback

#[test]
fn the_analysts_word_is_counted_apart() {
    let turn = asked(&[("u", 1, "p", true)]);
    // A question of unknown gold, answered y1 on one arm and y2 on another.
    let mut session = Session::new(turn.header.clone(), Vec::new());
    let Event::Asked(mut question) = turn.events[0].as_ref().clone() else { panic!() };
    question.gold = None;
    session.push(Event::Asked(question));
    session.push(Event::Evidence(with_a_stranger(&small().1)));
    let Event::Answered(answered) = turn.events[1].as_ref() else { panic!() };
    session.push_shared(&turn.events[1]);
    session.push(Event::Answered(Answered { arm: Arm::Local, answer: "y2".to_owned(), ..answered.clone() }));
    let say = |words: &[(&str, Judgement)]| {
        let mut said = session.clone();
        for (answer, judgement) in words {
            let (answer, judgement) = ((*answer).to_owned(), *judgement);
            said.push(Event::Feedback(Feedback { answer, judgement, arm: None }));
        }
        let state = fold(&said, said.events.len());
        let tally: Tally = state.tally();
        assert_eq!((tally.judged, tally.arms), (0, [(0, 0); 4]), "the dataset says nothing");
        (tally.said, state.outcomes[0].said)
    };
    use Judgement::{Right, Withdrawn, Wrong};
    for (words, expected) in [
        (&[][..], (0, [None, None, None, None])),
        // A label called right makes the others wrong, whoever answered it.
        (&[("y1", Right)], (1, [None, Some(false), None, Some(true)])),
        (&[("y0", Right)], (1, [None, Some(false), None, Some(false)])),
        // One called wrong says nothing of the others.
        (&[("y1", Wrong)], (1, [None, None, None, Some(false)])),
        (&[("y3", Wrong)], (0, [None, None, None, None])),
        // The last word stands.
        (&[("y1", Wrong), ("y1", Right)], (1, [None, Some(false), None, Some(true)])),
        (&[("y1", Right), ("y2", Right)], (1, [None, Some(true), None, Some(false)])),
        (&[("y1", Right), ("y1", Withdrawn)], (0, [None, None, None, None])),
        // A text called right leaves other texts open.
        (&[("a poem", Right)], (0, [None, None, None, None])),
    ] {
        assert_eq!(say(words), expected, "{words:?}");
    }
}

// The command line

#[test]
fn sessions_are_computed_again_forked_compared_and_redacted_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let recording = path("recording.jsonl");
    std::fs::write(&recording, sample::sessions()[1].1).unwrap();

    let (out, _, rc) = logoscope(&["replay", &recording, "--check", "--no-model"]);
    assert_eq!(rc, 0, "{out}");
    assert!(out.contains("answers: not checked (--no-model)"), "{out}");

    let again = path("again.jsonl");
    // The rules alone: with the model's say no decision is another one.
    let turned = ["--weight", "prior-strength=2", "--weight", "model-trust=0", "--policy", "shrinkage"];
    let (out, told, rc) = logoscope(&[&["rerun", &recording][..], &turned, &["--out", &again]].concat());
    assert_eq!(rc, 0, "{told}");
    assert!(out.contains("policy product → shrinkage") && out.contains("24 turns in both"), "{out}");
    assert!(out.contains("mediation  24 turns differ, first turns 1 and 1 (lines 5, 5), resolution.policy"), "{out}");
    assert!(out.contains("noise: too few turns differ to tell"), "{out}");
    assert!(told.contains("nano: 96 answers as recorded, 0 asked again"), "{told}");
    let (out, _, rc) = logoscope(&["replay", &again, "--check", "--no-model"]);
    assert_eq!(rc, 0, "{out}");

    // What a model says may keep an answer that the rules no longer give.
    let local = path("local.jsonl");
    let (out, told, rc) = logoscope(&["rerun", &recording, "--policy", "local", "--out", &local]);
    assert_eq!(rc, 0, "{told}");
    assert!(out.contains("\n1 of 24 final answers are other ones, 8 decisions of the rules\n"), "{out}");
    let (out, _, _) = logoscope(&["diff", &recording, &local, "--format", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((json["decided_otherwise"].as_u64(), json["ruled_otherwise"].as_u64()), (Some(1), Some(8)));

    let (out, _, rc) = logoscope(&["diff", &recording, &again, "--format", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((rc, json["schema"].as_str(), json["same"].as_bool()), (0, Some("logoscope.diff/1"), Some(false)));
    assert_eq!(json["turns"].as_array().unwrap().len(), 24);
    assert_eq!(json["first"]["evidence"], Value::Null);
    assert_eq!(json["headers"][1]["origin"]["kind"], "re-run");
    assert_eq!(logoscope(&["diff", &recording, &again, "--exit-code"]).2, 1);
    let (out, _, rc) = logoscope(&["diff", &recording, &recording, "--exit-code", "--ascii"]);
    assert_eq!((rc, out.is_ascii()), (0, true), "{out}");

    let forked = path("fork.jsonl");
    let (out, _, rc) = logoscope(&["fork", &recording, "--at", "7", "--weight", "global-trust=2", "--out", &forked]);
    assert_eq!(rc, 0, "{out}");
    assert!(out.contains("7 turns in both, 17 in recording alone") && out.contains("global-trust 1 → 2"), "{out}");
    let rest = ["fork", &recording, "--at", "7", "--weight", "global-trust=2", "--rest", "--out", &forked];
    let (out, told, rc) = logoscope(&rest);
    assert!(rc == 2 && out.is_empty() && told.contains("exists already; --force replaces it"), "{told}");
    let (out, _, rc) = logoscope(&[&rest[..], &["--force"]].concat());
    assert_eq!(rc, 0, "{out}");
    assert!(out.contains("mediation  17 turns differ, first turns 8 and 8"), "{out}");
    // Memory alone behind what a model answered: the header goes on naming that one, so the origin has to say it.
    let silent = path("silent.jsonl");
    let (_, told, rc) = logoscope(&["fork", &recording, "--at", "7", "--model", "none", "--rest", "--out", &silent]);
    assert_eq!(rc, 0, "{told}");
    let header: Value =
        serde_json::from_str(std::fs::read_to_string(&silent).unwrap().lines().next().unwrap()).unwrap();
    let changed = &header["origin"]["changed"][0];
    assert_eq!(
        (&header["model"]["name"], &changed["what"], &changed["to"]),
        (&"nano".into(), &"model".into(), &"none".into())
    );
    assert!(changed["from"].as_str().unwrap().starts_with("nano ("), "{changed}");
    assert_eq!(std::fs::read(&recording).unwrap(), sample::sessions()[1].1, "never rewritten");

    let redacted = path("redacted.jsonl");
    let (_, told, rc) = logoscope(&["replay", &recording, "--redact", "--shift-days", "-30", "--out", &redacted]);
    assert_eq!(rc, 0, "{told}");
    let (out, _, rc) = logoscope(&["replay", &redacted, "--check"]);
    assert_eq!(rc, 0, "{out}");
    assert!(out.contains("mediation: 120 decisions equal") && out.contains("prompts: not checked (redacted"), "{out}");

    let nowhere = path("nowhere.jsonl");
    for (args, expected) in [
        (vec!["rerun", &recording, "--out", &recording], "is the session itself, which is never rewritten"),
        (vec!["replay", &recording, "--redact", "--out", &recording], "is the session itself"),
        (vec!["rerun", &redacted, "--out", &nowhere], "a redacted session cannot be computed again"),
        (vec!["fork", &redacted, "--at", "7", "--out", &nowhere], "cannot be computed again or forked: its texts are"),
        (vec!["rerun", &recording, "--weight", "prior-strength=0", "--out", &nowhere], "prior-strength is 0"),
        (vec!["rerun", "/no/such/session", "--out", &nowhere], "/no/such/session: cannot be read"),
        (vec!["fork", &recording, "--at", "25", "--out", &nowhere], "the session has 24 turns; give 0 to 24"),
        (vec!["diff", &recording, "/no/such/session"], "/no/such/session: cannot be read"),
        (vec!["replay", &recording, "--redact"], "--out"),
        (vec!["replay", &recording, "--no-model"], "--check"),
    ] {
        let (out, told, rc) = logoscope(&args);
        assert_eq!((rc, out.as_str()), (2, ""), "{args:?}: {told}");
        assert!(told.contains(expected) && told.lines().count() <= 3, "{args:?}: {told}");
    }
    assert!(!Path::new(&nowhere).exists());
}
