//! Laws of sessions: folds agree, files survive a cut, a check finds any changed number.

use std::path::Path;
use std::sync::Arc;

use logoscope::data::dataset::Dataset;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::data::sample;
use logoscope::engine::engine::{Cancel, Caps, Engine, GenEvent, GenRequest, GenStats, Generation, ScoreKind};
use logoscope::engine::error::EngineError;
use logoscope::engine::prompt::Arm;
use logoscope::mediator::{Course, Evidence, Policy, Weight, Weights, mediate};
use logoscope::memory::collective::Parts;
use logoscope::memory::global::GlobalRead;
use logoscope::memory::{Memory, MemoryRead};
use logoscope::session::check::{Difference, Report, Verdict, check, remember};
use logoscope::session::event::{Asked, ByLabel, DatasetId, FORMAT, Feedback, Judgement, LIVE, ModelId, Origin};
use logoscope::session::record::turn;
use logoscope::session::replay::Outcome;
use logoscope::session::scenario::{Plan, Scenario, Voice};
use logoscope::session::{Event, Header, Recorder, Replay, Session, SessionError, Setting, State};
use proptest::prelude::*;
use serde_json::Value;

use crate::population::{datasets, interaction, query};

/// The dataset's own setting.
pub fn defaults(dataset: &Dataset, policy: Policy) -> Setting {
    Setting { weights: Weights::defaults(policy, &dataset.manifest), policy }
}

/// A model that finds a label the likelier the oftener its prompt names it, and one label impossible.
pub struct Echo(Caps);

impl Echo {
    /// Ready at once.
    pub fn new() -> Self {
        let (name, device, dtype) = ("echo".to_owned(), "cpu".to_owned(), "f32".to_owned());
        Self(Caps { name, device, dtype, parameters: 1, max_context: 4096, score: ScoreKind::Exact, chat: false })
    }

    /// What it calls itself.
    pub fn id() -> ModelId {
        ModelId { name: "echo".to_owned(), hash: "0".repeat(64), scores: ScoreKind::Exact }
    }
}

impl Engine for Echo {
    fn caps(&self) -> &Caps {
        &self.0
    }

    fn generate(&self, req: GenRequest) -> Generation {
        let count = |label: &String| req.prompt.matches(label.as_str()).count() as f64;
        let mut scores: Vec<f64> = req.labels.iter().map(|label| (0.1 + count(label)).ln() - 3.7).collect();
        scores[0] = f64::NEG_INFINITY;
        let stats = GenStats { tokens: 2, ..GenStats::default() };
        let said = vec![GenEvent::Scores(scores), GenEvent::Token(" über\u{1b}".to_owned()), GenEvent::Done(stats)];
        Generation::new(Cancel::default(), said.into_iter())
    }

    fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }
}

/// Something an analyst does.
#[derive(Clone, Debug)]
pub enum Step {
    Ask { user: usize, words: Vec<usize>, at: i64, gold: Option<usize> },
    Turn(Weight, f64),
    Remember { user: usize, words: Vec<usize>, at: i64, label: usize },
    Note(String),
    Judge { label: usize, judgement: Judgement, arm: Option<Arm> },
}

/// What analysts do.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let words = || proptest::collection::vec(0..12usize, 1..4);
    let ask = (0..13usize, words(), 0..6_000_000i64, proptest::option::of(0..4usize));
    let remember = (0..13usize, words(), 0..6_000_000i64, 0..4usize);
    let step = prop_oneof![
        4 => ask.prop_map(|(user, words, at, gold)| Step::Ask { user, words, at, gold }),
        1 => (0..Weight::ALL.len(), 0.0..100.0f64)
            .prop_map(|(ix, at)| Step::Turn(Weight::ALL[ix], Weight::ALL[ix].at(at))),
        1 => remember.prop_map(|(user, words, at, label)| Step::Remember { user, words, at, label }),
        1 => any::<String>().prop_map(Step::Note),
        1 => (0..4usize, 0..3usize, proptest::option::of(0..4usize)).prop_map(|(label, judgement, arm)| Step::Judge {
            label,
            judgement: [Judgement::Right, Judgement::Wrong, Judgement::Withdrawn][judgement],
            arm: arm.map(|arm| Arm::ALL[arm]),
        }),
    ];
    proptest::collection::vec(step, 1..8)
}

/// What the program would have recorded while `steps` were done.
pub fn recorded(dataset: &Dataset, steps: &[Step], with_model: bool) -> Session {
    let mut known = dataset.clone();
    let mut memory = Memory::build(&known);
    let engine = Echo::new();
    let mut setting = defaults(dataset, Policy::Product);
    let header = Header {
        format: FORMAT,
        program: "0".to_owned(),
        title: "a session".to_owned(),
        dataset: DatasetId { name: "small".to_owned(), hash: dataset.content_hash(), without: Vec::new() },
        model: with_model.then(Echo::id),
        device: with_model.then(|| "cpu".to_owned()),
        setting,
        embedder: memory.embedder(),
        seed: 0,
        labels: dataset.manifest.labels.clone(),
        picked: false,
        origin: None,
    };
    let mut course = Course::default();
    let mut events = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Ask { user, words, at, gold } => {
                let asked = Asked {
                    user: UserId::new(format!("u{user}")),
                    at: Timestamp(*at),
                    query: query(words),
                    gold: gold.map(|label| format!("y{label}")),
                    form: None,
                    source: None,
                    held: None,
                };
                let engine = with_model.then_some(&engine as &dyn Engine);
                events.extend(turn(&memory, engine, setting, &mut course, asked).unwrap());
            }
            Step::Turn(weight, value) => {
                setting.weights = setting.weights.with(*weight, *value);
                events.push(Event::WeightsChanged(setting));
            }
            Step::Remember { user, words, at, label } => {
                let interaction = interaction(9000 + number, *user, *at, words, *label);
                remember(&mut known, [interaction.clone()]);
                memory = Memory::build(&known);
                events.push(Event::Remembered { interaction });
            }
            Step::Note(text) => events.push(Event::Note { text: text.clone() }),
            Step::Judge { label, judgement, arm } => {
                let (answer, judgement, arm) = (format!("y{label}"), *judgement, *arm);
                events.push(Event::Feedback(Feedback { answer, judgement, arm }));
            }
        }
    }
    Session::new(header, events)
}

/// Reads a session file's content.
pub fn parse(bytes: &[u8]) -> Result<Session, SessionError> {
    Session::parse(Path::new("a.jsonl"), bytes)
}

/// The state after the first `n` events.
pub fn fold(session: &Session, n: usize) -> State {
    let mut state = State::start(&session.header);
    session.events[..n].iter().for_each(|event| state.apply(event));
    state
}

/// What differs.
pub fn differences(report: &Report) -> Vec<&Difference> {
    let mut found = Vec::new();
    for (_, _, verdict) in report.grades() {
        if let Verdict::Differs { difference } = verdict {
            found.push(difference);
        }
    }
    found
}

/// Every number in `value`, in order.
pub fn numbers(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Object(map) => map.values_mut().flat_map(numbers).collect(),
        Value::Array(items) => items.iter_mut().flat_map(numbers).collect(),
        Value::Number(_) => vec![value],
        _ => Vec::new(),
    }
}

/// The file with one number changed; `pick` chooses among all numbers of evidence, decisions and answers. Also the
/// number of the event, from 1.
pub fn with_a_changed_number(session: &Session, pick: usize) -> Option<(Vec<u8>, usize)> {
    let mut values: Vec<Value> =
        session.events.iter().map(|event| serde_json::to_value(event.as_ref()).unwrap()).collect();
    let judged = ["evidence", "mediated", "answered"];
    let mut places: Vec<(usize, &mut Value)> = Vec::new();
    for (ix, value) in values.iter_mut().enumerate() {
        if judged.contains(&session.events[ix].tag()) {
            places.extend(numbers(value).into_iter().map(|number| (ix, number)));
        }
    }
    if places.is_empty() {
        return None;
    }
    let pick = pick % places.len();
    let (event, number) = &mut places[pick];
    let event = *event;
    **number =
        if number.is_u64() { (number.as_u64().unwrap() + 1).into() } else { (number.as_f64().unwrap() + 1e-6).into() };
    let mut bytes = serde_json::to_vec(&session.header).unwrap();
    for value in &values {
        bytes.push(b'\n');
        bytes.extend(serde_json::to_vec(value).unwrap());
    }
    bytes.push(b'\n');
    Some((bytes, event + 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn seeking_is_folding_from_the_start(
        dataset in datasets(40), steps in steps(), a in 0..60usize, b in 0..60usize
    ) {
        let session = recorded(&dataset, &steps, false);
        let mut replay = Replay::new(session.clone());
        replay.seek(a);
        let by_detour = replay.seek(b).clone();
        prop_assert_eq!(&by_detour, &fold(&session, b.min(session.events.len())));
        let mut fresh = Replay::new(session);
        prop_assert_eq!(&by_detour, fresh.seek(b));
    }

    #[test]
    fn a_file_reads_back_as_written_and_live_is_replay(
        dataset in datasets(40), steps in steps(), with_model in any::<bool>()
    ) {
        let session = recorded(&dataset, &steps, with_model);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.jsonl");
        let mut recorder = Recorder::create(&path, &session.header).unwrap();
        let mut live = State::start(&session.header);
        for event in &session.events {
            recorder.append(event).unwrap();
            live.apply(event);
        }
        let back = Session::open(&path).unwrap();
        prop_assert_eq!(&back, &session);
        prop_assert_eq!(std::fs::read(&path).unwrap(), session.to_bytes().unwrap());
        let mut replay = Replay::new(back);
        prop_assert_eq!(&live, replay.seek(usize::MAX));
        prop_assert!(Recorder::create(&path, &session.header).is_err(), "a session is never overwritten");
    }

    #[test]
    fn numbers_survive_a_file_exactly(
        values in proptest::collection::vec(any::<f64>().prop_filter("NaN", |x| !x.is_nan()), 3)
    ) {
        let labels = ["a", "b", "ü\"\n"].map(str::to_owned);
        let written = ByLabel::of(&labels, &values);
        let read: ByLabel = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        let bits = |p: &ByLabel| p.0.iter().map(|(_, x)| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read), bits(&written));
    }

    #[test]
    fn a_file_cut_anywhere_opens_up_to_the_cut_and_says_so(
        dataset in datasets(40), steps in steps(), at in 0.0..1.0f64
    ) {
        let session = recorded(&dataset, &steps, true);
        let bytes = session.to_bytes().unwrap();
        let at = (at * bytes.len() as f64) as usize;
        let kept = &bytes[..at];
        let header_end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        if at < header_end {
            let told = parse(kept).unwrap_err().to_string();
            prop_assert!(told.contains("is not a session"), "{}", told);
            return Ok(());
        }
        let opened = parse(kept).unwrap();
        let whole = kept.iter().filter(|byte| **byte == b'\n').count();
        let tail = kept.iter().rev().take_while(|byte| **byte != b'\n').count();
        // Only its line end is missing: nothing is lost.
        let complete = bytes.get(at) == Some(&b'\n') && tail > 0;
        let events = (whole + usize::from(complete)).saturating_sub(1);
        prop_assert_eq!(&opened.events[..], &session.events[..events]);
        let expected = (tail > 0 && !complete).then_some((whole + 1, tail));
        prop_assert_eq!(opened.cut.map(|cut| (cut.line, cut.bytes)), expected);
        prop_assert_eq!(opened.warnings().len(), usize::from(expected.is_some()));
        let mut replay = Replay::new(opened);
        prop_assert_eq!(replay.seek(usize::MAX), &fold(&session, events));
    }

    #[test]
    fn an_untouched_session_checks_and_any_changed_number_is_named(
        dataset in datasets(60), steps in steps(), with_model in any::<bool>(), pick in any::<usize>()
    ) {
        let session = parse(&recorded(&dataset, &steps, with_model).to_bytes().unwrap()).unwrap();
        let report = check(&session, &dataset).unwrap();
        prop_assert!(!report.differs(), "{:?}", report);
        if let Some((bytes, event)) = with_a_changed_number(&session, pick) {
            let report = check(&parse(&bytes).unwrap(), &dataset).unwrap();
            let found = differences(&report);
            prop_assert!(found.iter().any(|difference| difference.event == event), "event {}: {:?}", event, report);
        }
    }

    #[test]
    fn mediating_again_needs_nothing_but_the_events(
        dataset in datasets(60), steps in steps(), with_model in any::<bool>(), place in 0.0..100.0f64
    ) {
        let steps: Vec<Step> = steps.into_iter().filter(|step| !matches!(step, Step::Turn(..))).collect();
        let session = recorded(&dataset, &steps, with_model);
        let mut replay = Replay::new(session.clone());
        let outcomes = replay.seek(usize::MAX).outcomes.clone();
        let again: Vec<Outcome> = replay.remediate(&session.header.setting).iter().map(|turn| turn.outcome).collect();
        prop_assert_eq!(again, outcomes, "the recorded setting gives the recording");

        let weights = session.header.setting.weights.with(Weight::PriorStrength, Weight::PriorStrength.at(place));
        let setting = Setting { weights, policy: Policy::Shrinkage };
        let mut known = dataset.clone();
        let mut turned = replay.remediate(&setting).into_iter().zip(replay.steps().iter());
        for event in &session.events {
            match event.as_ref() {
                Event::Remembered { interaction } => remember(&mut known, [interaction.clone()]),
                Event::Asked(asked) => {
                    let read = Memory::build(&known).read(&asked.user, &asked.query, asked.at).unwrap();
                    let manifest = &known.manifest;
                    let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
                    let (now, step) = turned.next().unwrap();
                    prop_assert_eq!(&step.evidence, &evidence);
                    prop_assert_eq!(now.mediated, mediate(&evidence, &weights, Policy::Shrinkage).decision);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn recorded_evidence_is_the_read_itself() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    for judged in dataset.queries.iter().step_by(40) {
        let read = memory.read(&judged.user, &judged.query, judged.at).unwrap();
        let written = serde_json::to_string(&logoscope::session::event::Evidence::of(&memory, &read)).unwrap();
        let back: logoscope::session::event::Evidence = serde_json::from_str(&written).unwrap();
        let labels = &dataset.manifest.labels;
        let weighed = Evidence::of(&read, dataset.manifest.retrieval.guard, dataset.manifest.calibration.local);
        assert_eq!(back.weighed(labels).unwrap(), weighed);
        // What a distribution is made of is not recorded; nothing weighs it after the read.
        let global = GlobalRead { parts: Parts::silent(labels.len()), ..read.global };
        let shown = MemoryRead { global, ..read };
        assert_eq!(back.read(labels, |vote| memory.population.item_ix(&vote.id).unwrap()).unwrap(), shown);
    }
}

/// A small session that is always the same, with its dataset.
pub fn small() -> (Dataset, Session) {
    let interactions = (0..30).map(|n| interaction(n, n % 7, n as i64 * 100_000, &[n % 5, n % 3], n % 3)).collect();
    let dataset = Dataset { manifest: crate::population::manifest(4, 2), interactions, queries: Vec::new() };
    let ask = |user, at| Step::Ask { user, words: vec![0, 1], at, gold: Some(1) };
    let steps = [ask(1, 2_000_000), Step::Turn(Weight::LocalTrust, 3.0), ask(2, 2_900_000), Step::Note("done".into())];
    let session = recorded(&dataset, &steps, true);
    (dataset, session)
}

/// Answers stand in the file as they came, and which arm is asked first is a matter of what is looked at.
#[test]
fn answers_count_alike_in_whatever_order_they_came() {
    let (dataset, session) = small();
    let mut events: Vec<Event> = session.events.iter().map(|event| event.as_ref().clone()).collect();
    for run in events.chunk_by_mut(|a, b| [a, b].iter().all(|event| matches!(event, Event::Answered(_)))) {
        run.reverse();
    }
    let turned = Session::new(session.header.clone(), events);
    assert_ne!(turned, session);
    assert_eq!(fold(&turned, turned.events.len()), fold(&session, session.events.len()));
    assert!(differences(&check(&turned, &dataset).unwrap()).is_empty());
}

/// Two writers shared a file beside the session's, and one of them renamed the other's half or failed.
#[test]
fn a_session_is_written_whole_by_several_and_nothing_is_left_beside_it() {
    let (_, session) = small();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.jsonl");
    std::thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| (0..10).for_each(|_| session.write(&path).unwrap()))));
    });
    assert_eq!(Session::open(&path).unwrap(), session);
    let taken = dir.path().join("taken.jsonl");
    std::fs::create_dir(&taken).unwrap();
    let told = session.write(&taken).unwrap_err().to_string();
    assert!(told.contains("taken.jsonl: cannot be written") && told.contains("choose another place"), "{told}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside them");
}

#[test]
fn every_event_is_a_line_with_its_tag_first() {
    let (_, session) = small();
    let text = String::from_utf8(session.to_bytes().unwrap()).unwrap();
    let tags: Vec<&str> =
        text.lines().map(|line| line.strip_prefix("{\"event\":\"").unwrap().split('"').next().unwrap()).collect();
    let turn = ["asked", "evidence", "mediated", "answered", "answered", "answered", "answered"];
    assert_eq!(tags, [&["session"][..], &turn, &["weights-changed"], &turn, &["note"]].concat());
    let mediated: Value = serde_json::from_str(text.lines().nth(3).unwrap()).unwrap();
    let p: f64 =
        mediated["resolution"]["distribution"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((p - 1.0).abs() < 1e-9);
}

#[test]
fn every_beginning_of_an_event_is_a_cut_and_nothing_else_is() {
    let (_, session) = small();
    let bytes = session.to_bytes().unwrap();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let header = lines.next().unwrap();
    for line in lines {
        for end in 1..line.len() - 1 {
            let opened = parse(&[header, &line[..end]].concat()).unwrap();
            assert_eq!(opened.cut.map(|cut| (cut.line, cut.bytes)), Some((2, end)));
        }
    }
    for tail in ["oops", "{\"event\":\"note\"}", "{\"event\":\"note\",\"text\":1}", "]"] {
        let told = parse(&[header, tail.as_bytes()].concat()).unwrap_err().to_string();
        assert!(told.starts_with("a.jsonl:2: "), "{told}");
    }
}

#[test]
fn events_of_a_newer_program_are_skipped_and_counted() {
    let (dataset, session) = small();
    let text = String::from_utf8(session.to_bytes().unwrap()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(3, "{\"event\":\"applause\",\"loudness\":{\"dB\":[1,2]}}");
    lines.insert(9, "{\"event\":\"applause\"}");
    // Two fields, one of them deep inside; a known one that says nothing is no stranger.
    let asked = lines[1].replacen("{\"event\":\"asked\"", "{\"event\":\"asked\",\"mood\":\"calm\",\"source\":null", 1);
    let evidence = lines[2].replacen("\"terms\":{", "\"terms\":{\"scent\":0.5,", 1);
    assert_ne!(evidence, lines[2]);
    (lines[1], lines[2]) = (&asked, &evidence);
    let opened = parse((lines.join("\n") + "\n").as_bytes()).unwrap();
    assert_eq!((opened.unknown, opened.unknown_fields, opened.cut), (2, 2, None));
    assert_eq!(opened.events, session.events);
    assert_eq!(opened.lines[2], 5, "line numbers are those of the file");
    assert!(opened.warnings()[0].contains("2 events of a kind unknown"));
    assert!(opened.warnings()[1].contains("2 fields unknown to this version are passed over"));
    assert!(!check(&opened, &dataset).unwrap().differs());
}

#[test]
fn foreign_and_damaged_files_are_refused_with_place_and_remedy() {
    let (_, session) = small();
    let good = String::from_utf8(session.to_bytes().unwrap()).unwrap();
    let edited = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
    for (bytes, expected) in [
        (Vec::new(), "a.jsonl: is not a session: it begins with nothing"),
        (b"id,user\n1,2\n".to_vec(), "its first line is 'id,user'"),
        (b"\x7fELF\x02\x01\x1b[31m\n\xff".to_vec(), "is not a session"),
        (b"{\"id\":\"i1\",\"user\":\"u\"}\n".to_vec(), "is not a session"),
        (b"{\"event\":\"asked\"}\n".to_vec(), "its first event is 'asked'"),
        (edited("\"format\":1", "\"format\":2"), "session format 2 is newer than this program's 1; update logoscope"),
        (edited("\"labels\":", "\"label\":"), "a.jsonl:1: missing field `labels`"),
        (edited("{\"event\":\"evidence\"", "{\"event\":\"evidence\" oops"), "a.jsonl:3:"),
        (edited("\"arm\":\"local\"", "\"arm\":\"left\""), "a.jsonl:6: unknown variant `left`"),
        (edited("{\"event\":\"note\"", "{\"evvent\":\"note\""), "a.jsonl:17: missing field `event`"),
    ] {
        let told = parse(&bytes).unwrap_err().to_string();
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(told.lines().count() <= 3 && !told.contains('\u{1b}'), "{told}");
        assert!(told.contains(';'), "a remedy: {told}");
    }
}

#[test]
fn lines_changed_by_hand_are_differences_not_damage() {
    let (dataset, session) = small();
    let good = String::from_utf8(session.to_bytes().unwrap()).unwrap();
    for (from, to, event, grade) in [
        ("\"hash\":\"", "\"hash\":\"f", 0, "retrieval"),
        ("\"labels\":[\"y0\",", "\"labels\":[\"y9\",", 0, "retrieval"),
        ("\"response\":\"y1\"", "\"response\":\"y9\"", 2, "mediation"),
        ("\"response\":\"y1\"", "\"response\":\"y2\"", 2, "retrieval"),
        ("\"base\":{\"y0\"", "\"base\":{\"z0\"", 2, "mediation"),
        ("\"support\":", "\"support\":1", 2, "retrieval"),
        ("\"overrides_local\":false", "\"overrides_local\":true", 3, "mediation"),
        ("\"prompt\":\"", "\"prompt\":\"0", 4, "prompts"),
        ("\"text\":\" über", "\"text\":\" unter", 4, "answers"),
        ("\"log_probabilities\":{\"y0\":\"-inf\"", "\"log_probabilities\":{\"y0\":-9.5", 4, "answers"),
    ] {
        assert!(good.contains(from), "{from}");
        let report = check(&parse(good.replacen(from, to, 1).as_bytes()).unwrap(), &dataset).unwrap();
        let verdict = report.grades().into_iter().find(|(name, _, _)| *name == grade).unwrap().2.clone();
        let Verdict::Differs { difference } = verdict else { panic!("{from}: {report:?}") };
        assert_eq!((difference.event, difference.line), (event, event + 1), "{from}: {difference}");
    }
    // Whole lines taken out.
    let without =
        |tag: &str| good.lines().filter(|line| !line.contains(tag)).map(|line| format!("{line}\n")).collect::<String>();
    let report = check(&parse(without("\"evidence\"").as_bytes()).unwrap(), &dataset).unwrap();
    assert!(differences(&report)[0].to_string().contains("evidence before it"), "{report:?}");
}

/// Whole lines taken out left every grade equal: what is not there was not compared.
#[test]
fn lines_taken_out_and_a_cut_end_are_differences() {
    let (dataset, session) = small();
    let turns = ["asked", "evidence", "mediated", "answered", "answered", "answered", "answered"];
    let places: Vec<usize> =
        (0..session.events.len()).filter(|index| turns[1..].contains(&session.events[*index].tag())).collect();
    assert_eq!(places.len(), 12);
    let without = |session: &Session, index: usize| {
        let mut events = session.events.clone();
        events.remove(index);
        Session::new(session.header.clone(), events.iter().map(|event| event.as_ref().clone()).collect())
    };
    for index in &places {
        let report = check(&without(&session, *index), &dataset).unwrap();
        let told: Vec<String> = differences(&report).iter().map(ToString::to_string).collect();
        let turn = if *index < 8 { "turn 1: " } else { "turn 2: " };
        match session.events[*index].as_ref() {
            Event::Mediated { .. } => {
                assert!(told[0].contains(turn) && told[0].contains("no mediated event, computed one"), "{told:?}");
            }
            Event::Answered(answered) => {
                let silent = format!("{turn}recorded no answer of {}, computed one", answered.arm.name());
                assert!(told[0].contains(&silent), "{told:?}");
            }
            _ => assert!(!told.is_empty(), "{}", session.events[*index].tag()),
        }
        // As a re-run, whatever it is a re-run of.
        let mut again = without(&session, *index);
        again.header.title = LIVE.to_owned();
        again.header.origin = Some(Origin::ReRun { of: String::new(), changed: Vec::new() });
        assert!(check(&again, &dataset).unwrap().differs());
    }
    // A file that ends within a turn, between two lines or within one.
    let bytes = session.to_bytes().unwrap();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for kept in [3, 7, 10, 12, 15] {
        let report = check(&parse(&lines[..kept].concat()).unwrap(), &dataset).unwrap();
        assert!(report.differs(), "{kept} lines: {report:?}");
    }
    let cut = [&lines[..16].concat()[..], &lines[16][..9]].concat();
    let told = differences(&check(&parse(&cut).unwrap(), &dataset).unwrap())[0].to_string();
    assert_eq!(told, "event 16 (line 17, cut), event: recorded 9 bytes of it, computed a whole line");
}

/// Who works live leaves questions before they are answered, and quits in the middle of one.
#[test]
fn what_live_use_leaves_unanswered_is_no_gap() {
    let (dataset, mut session) = small();
    session.header.title = LIVE.to_owned();
    let kept = |keep: &dyn Fn(usize, &Event) -> bool| {
        let events = session.events.iter().enumerate().filter(|(index, event)| keep(*index, event));
        Session::new(session.header.clone(), events.map(|(_, event)| event.as_ref().clone()).collect())
    };
    let differs = |session: &Session| check(session, &dataset).unwrap().differs();
    let answer = |event: &Event| matches!(event, Event::Answered(_));
    for left in [
        kept(&|index, _| index != 4),
        kept(&|_, event| !answer(event)),
        kept(&|index, _| index < 5),
        kept(&|index, _| index < 9),
        kept(&|index, _| index < 10),
    ] {
        assert!(!differs(&left), "{:?}", check(&left, &dataset).unwrap());
    }
    // The decision stands with the question in any case, but at the very end.
    assert!(differs(&kept(&|index, _| index != 2)));
    assert!(differs(&kept(&|index, event| index != 2 && !answer(event))));
    // Memory alone answers on all arms at once, or on none where a model was waited for.
    let steps = [1, 2].map(|user| Step::Ask { user, words: vec![0], at: 2_000_000, gold: None });
    session = recorded(&dataset, &steps, false);
    session.header.title = LIVE.to_owned();
    let kept = |keep: &dyn Fn(usize) -> bool| {
        let events = session.events.iter().enumerate().filter(|(index, _)| keep(*index));
        Session::new(session.header.clone(), events.map(|(_, event)| event.as_ref().clone()).collect())
    };
    assert!(!differs(&kept(&|_| true)) && !differs(&kept(&|index| !(3..7).contains(&index))));
    assert!(differs(&kept(&|index| index != 4)));
    assert!(!differs(&kept(&|index| index < 12)), "the last one may have been cut short");
}

/// A session as the program wrote it before its ledger knew more than value and coverage.
#[test]
fn sessions_of_an_earlier_ledger_open_and_check() {
    let dataset = sample::dataset().unwrap();
    let (mut conflicts, mut lines) = (0, Vec::new());
    for line in String::from_utf8_lossy(sample::sessions()[0].1).lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        if let Some(resolution) = event.get_mut("resolution").and_then(Value::as_object_mut) {
            resolution.shift_remove("ledger");
            let found = resolution["conflicts"].as_array_mut().unwrap();
            found.retain(|conflict| ["value", "coverage"].contains(&conflict["type"].as_str().unwrap()));
            conflicts += found.len();
            for conflict in found {
                let old = ["type", "facet", "local", "global", "divergence", "silent"];
                conflict.as_object_mut().unwrap().retain(|key, _| old.contains(&key.as_str()));
            }
        }
        lines.push(event.to_string() + "\n");
    }
    assert!(conflicts > 0, "there is something to tell");
    let report = check(&parse(lines.concat().as_bytes()).unwrap(), &dataset).unwrap();
    assert!(!report.differs(), "{report:?}");
    let forged = lines.concat().replacen("\"divergence\":", "\"divergence\":1", 1);
    assert!(check(&parse(forged.as_bytes()).unwrap(), &dataset).unwrap().differs());
}

/// What a session keeps of a conflict is all of it.
#[test]
fn a_recorded_conflict_is_the_conflict_itself() {
    use logoscope::mediator::ledger::ledger;
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let (labels, manifest) = (&dataset.manifest.labels, &dataset.manifest);
    let Setting { weights, policy } = defaults(&dataset, Policy::Product);
    let mut told = 0;
    for query in dataset.queries.iter().step_by(10) {
        let read = memory.read(&query.user, &query.query, query.at).unwrap();
        let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
        let resolution = mediate(&evidence, &weights, policy);
        let found = ledger(&evidence, &weights, &resolution);
        let recorded = logoscope::session::event::Resolution::of(labels, &resolution, &found);
        let again: Vec<_> =
            recorded.conflicts.iter().map(|conflict| conflict.told(labels, &recorded).unwrap()).collect();
        assert_eq!(again, found);
        told += found.len();
    }
    assert!(told > 20, "{told}");
}

#[test]
fn any_number_changed_anywhere_is_named_by_its_event() {
    let (dataset, session) = small();
    let judged = session.events.iter().filter(|event| ["evidence", "mediated", "answered"].contains(&event.tag()));
    let count = |event: &Arc<Event>| numbers(&mut serde_json::to_value(event.as_ref()).unwrap()).len();
    let all: usize = judged.map(count).sum();
    assert!(all > 200, "{all}");
    for pick in 0..all {
        let (bytes, event) = with_a_changed_number(&session, pick).unwrap();
        let report = check(&parse(&bytes).unwrap(), &dataset).unwrap();
        assert!(differences(&report).iter().any(|difference| difference.event == event), "event {event}: {report:?}");
    }
}

#[test]
fn the_recording_answers_in_the_models_place() {
    let dataset = sample::dataset().unwrap();
    let setting = Setting {
        weights: defaults(&dataset, Policy::Product).weights.with(Weight::ModelTrust, 0.5),
        policy: Policy::Product,
    };
    let user = UserId::new("u017");
    let plan = Plan::of(Scenario::ColdStart, &dataset, Some(&user), &setting, None).unwrap();
    let session = plan.record(&dataset, setting, Some(&Voice { engine: &Echo::new(), model: Echo::id() })).unwrap();
    let recording = session.engine().unwrap();
    let again = plan.record(&dataset, setting, Some(&Voice { engine: &recording, model: Echo::id() })).unwrap();
    assert_eq!(again.to_bytes().unwrap(), session.to_bytes().unwrap());
    let report = check(&session, &dataset).unwrap();
    assert!(!report.differs(), "{report:?}");
    assert!(plan.record(&dataset, setting, None).unwrap().engine().is_none(), "memory alone said nothing to repeat");
}

/// Other data than the one a session was recorded on is named as such, not compared in vain.
#[test]
fn a_session_is_checked_against_its_own_dataset_only() {
    let (mut dataset, session) = small();
    dataset.interactions.pop();
    let report = check(&session, &dataset).unwrap();
    assert!(differences(&report)[0].to_string().starts_with("event 0 (line 1, session), dataset.hash"), "{report:?}");
    assert!(matches!(report.prompts, Verdict::Unchecked { .. }));
    assert!(matches!(report.mediation, Verdict::Equal { compared: 10 }), "{report:?}");
    assert_eq!(Arc::strong_count(&session.events[0]), 1, "a check keeps nothing");
}
