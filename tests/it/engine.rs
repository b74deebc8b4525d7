//! The engine: the model library behind its wall, and the host that runs answers one after another.

#[cfg(feature = "local")]
#[path = "tiny_llama.rs"]
pub mod tiny_llama;

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use logoscope::engine::engine::{
    Cancel, Caps, Engine, GenEvent, GenRequest, GenStats, Generation, LoadStage, ScoreKind,
};
use logoscope::engine::error::EngineError;
use logoscope::engine::host::{EngineHost, HostEvent, Ticket};
use logoscope::engine::model::ModelSpec;
use logoscope::engine::stdio::is_engine_thread;

/// What a puppet falls over instead of saying it.
const PANIC: &str = "\u{1F4A3}";

/// An engine whose every event is handed to it by the test.
struct Puppet {
    caps: Caps,
    /// Prompts in the order in which they arrived.
    asked: Sender<String>,
    /// One script for each answer; an answer says what its script says until that is hung up.
    scripts: Mutex<Receiver<Receiver<GenEvent>>>,
}

/// The strings of a [`Puppet`].
struct Strings {
    asked: Receiver<String>,
    scripts: Sender<Receiver<GenEvent>>,
}

impl Strings {
    /// The script of the next answer.
    fn next_answer(&self) -> Sender<GenEvent> {
        let (script, events) = mpsc::channel();
        self.scripts.send(events).unwrap();
        script
    }
}

fn puppet(name: &str) -> (Arc<dyn Engine>, Strings) {
    let (asked, prompts) = mpsc::channel();
    let (scripts, queue) = mpsc::channel();
    let caps = Caps {
        name: name.into(),
        device: "cpu".into(),
        dtype: "f32".into(),
        parameters: 1,
        max_context: 512,
        score: ScoreKind::Exact,
        chat: false,
    };
    let engine = Puppet { caps, asked, scripts: Mutex::new(queue) };
    (Arc::new(engine), Strings { asked: prompts, scripts })
}

impl Engine for Puppet {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn generate(&self, req: GenRequest) -> Generation {
        let script = self.scripts.lock().unwrap().recv().unwrap();
        self.asked.send(req.prompt.clone()).unwrap();
        assert_ne!(req.prompt, "panic", "the puppet was told to");
        let events = script.into_iter().inspect(|event| assert_ne!(*event, token(PANIC), "the puppet was told to"));
        Generation::new(Cancel::default(), events)
    }

    fn embed(&self, _texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Err(EngineError::Unsupported { engine: "puppet".into(), what: "embed text" })
    }
}

fn no_such_model() -> EngineError {
    EngineError::Load {
        path: "nowhere".into(),
        reason: "there is no such folder".into(),
        remedy: "check the path".into(),
    }
}

/// A host that loads these engines, by the names of their folders, and what it says.
fn host_of(engines: Vec<Arc<dyn Engine>>) -> (EngineHost, Receiver<HostEvent>) {
    let (events, heard) = mpsc::channel();
    let loader = move |spec: &ModelSpec, observe: &dyn Fn(LoadStage) -> Result<(), EngineError>| {
        observe(LoadStage::Weights)?;
        let wanted = spec.name.as_str();
        assert_ne!(wanted, "panic", "the loader was told to");
        engines.iter().find(|engine| engine.caps().name == wanted).cloned().ok_or_else(no_such_model)
    };
    let host = EngineHost::with_loader(Arc::new(loader), Box::new(move |event| drop(events.send(event)))).unwrap();
    (host, heard)
}

fn spec(name: &str) -> ModelSpec {
    ModelSpec::named(name)
}

/// The next event that is not about loading.
fn next(heard: &Receiver<HostEvent>) -> HostEvent {
    let aside = |event: &HostEvent| {
        use HostEvent::{Heeded, Loading, Origin, Resident};
        matches!(event, Heeded(_) | Loading { .. } | Resident(_) | Origin(_))
    };
    heard.iter().find(|event| !aside(event)).unwrap()
}

fn ask(prompt: &str) -> GenRequest {
    GenRequest { prompt: prompt.into(), max_tokens: 8, ..GenRequest::default() }
}

fn ticket(epoch: u64, id: u64) -> Ticket {
    Ticket { epoch, id }
}

fn token(text: &str) -> GenEvent {
    GenEvent::Token(text.into())
}

fn done() -> GenEvent {
    GenEvent::Done(GenStats::default())
}

#[test]
fn answers_run_one_after_another_in_order() {
    let (engine, strings) = puppet("a");
    let (host, heard) = host_of(vec![engine]);
    let (first, second) = (strings.next_answer(), strings.next_answer());
    host.load(spec("a"));
    // Asked while the model loads: they wait for it.
    host.generate(ticket(1, 1), ask("one"));
    host.generate(ticket(1, 2), ask("two"));
    assert!(matches!(next(&heard), HostEvent::Ready(caps) if caps.name == "a"));
    assert_eq!(strings.asked.recv().unwrap(), "one");
    first.send(GenEvent::Scores(vec![-0.5])).unwrap();
    first.send(token("x")).unwrap();
    assert_eq!(next(&heard), HostEvent::Scores { ticket: ticket(1, 1), scores: vec![-0.5] });
    assert_eq!(next(&heard), HostEvent::Token { ticket: ticket(1, 1), text: "x".into() });
    assert!(strings.asked.try_recv().is_err(), "the second must wait for the first");
    first.send(done()).unwrap();
    assert_eq!(next(&heard), HostEvent::Done { ticket: ticket(1, 1), stats: GenStats::default() });
    assert_eq!(strings.asked.recv().unwrap(), "two");
    second.send(done()).unwrap();
    assert_eq!(next(&heard), HostEvent::Done { ticket: ticket(1, 2), stats: GenStats::default() });
}

#[test]
fn a_superseded_epoch_says_nothing_more() {
    let (engine, strings) = puppet("a");
    let (host, heard) = host_of(vec![engine]);
    let (old, new) = (strings.next_answer(), strings.next_answer());
    host.load(spec("a"));
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    host.generate(ticket(1, 1), ask("old"));
    host.generate(ticket(1, 2), ask("never asked"));
    old.send(token("heard")).unwrap();
    assert_eq!(next(&heard), HostEvent::Token { ticket: ticket(1, 1), text: "heard".into() });
    host.generate(ticket(2, 1), ask("new"));
    // The old answer goes on talking, and then fails; neither may be heard. It ends at its next token.
    let _ = old.send(token("late"));
    let _ = old.send(GenEvent::Failed(EngineError::Gone));
    drop(old);
    // Too late as well: nothing comes of a ticket that is superseded already.
    host.generate(ticket(1, 3), ask("stale"));
    new.send(token("fresh")).unwrap();
    new.send(done()).unwrap();
    assert_eq!(next(&heard), HostEvent::Token { ticket: ticket(2, 1), text: "fresh".into() });
    assert_eq!(next(&heard), HostEvent::Done { ticket: ticket(2, 1), stats: GenStats::default() });
    assert_eq!(strings.asked.try_iter().collect::<Vec<_>>(), ["old", "new"]);
    drop(host);
    assert_eq!(heard.iter().count(), 0);
}

#[test]
fn cancel_names_the_epoch_that_is_heard_next() {
    let (engine, strings) = puppet("a");
    let (host, heard) = host_of(vec![engine]);
    let (old, new) = (strings.next_answer(), strings.next_answer());
    host.load(spec("a"));
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    host.generate(ticket(7, 1), ask("old"));
    assert_eq!(strings.asked.recv().unwrap(), "old");
    let epoch = host.cancel();
    assert_eq!(epoch, 8);
    let _ = old.send(token("late"));
    drop(old);
    host.generate(ticket(epoch, 1), ask("new"));
    new.send(done()).unwrap();
    assert_eq!(next(&heard), HostEvent::Done { ticket: ticket(8, 1), stats: GenStats::default() });
}

#[test]
fn a_failed_load_keeps_the_engine_and_a_good_one_replaces_it() {
    let ((first, a), (second, b)) = (puppet("a"), puppet("b"));
    let (host, heard) = host_of(vec![first, second]);
    host.generate(ticket(1, 0), ask("too early"));
    assert_eq!(next(&heard), HostEvent::Failed { ticket: ticket(1, 0), error: EngineError::NotLoaded });
    host.load(spec("a"));
    assert!(matches!(next(&heard), HostEvent::Ready(caps) if caps.name == "a"));
    host.load(spec("missing"));
    assert_eq!(next(&heard), HostEvent::LoadFailed(no_such_model()));
    host.load(spec("panic"));
    assert!(
        matches!(next(&heard), HostEvent::LoadFailed(EngineError::Inference { reason }) if reason.contains("told to"))
    );
    a.next_answer().send(done()).unwrap();
    host.generate(ticket(1, 1), ask("still here"));
    assert_eq!(a.asked.recv().unwrap(), "still here");
    assert!(matches!(next(&heard), HostEvent::Done { .. }));
    host.load(spec("b"));
    assert!(matches!(next(&heard), HostEvent::Ready(caps) if caps.name == "b"));
    b.next_answer().send(done()).unwrap();
    host.generate(ticket(1, 2), ask("new engine"));
    assert_eq!(b.asked.recv().unwrap(), "new engine");
    assert!(matches!(next(&heard), HostEvent::Done { .. }));
}

#[test]
fn every_call_about_models_is_told_before_what_follows_from_it() {
    let (engine, _strings) = puppet("a");
    let (host, heard) = host_of(vec![engine]);
    let next = || heard.iter().find(|event| !matches!(event, HostEvent::Loading { .. } | HostEvent::Resident(_)));
    host.load(spec("a"));
    assert_eq!(next(), Some(HostEvent::Heeded(1)));
    assert!(matches!(next(), Some(HostEvent::Ready(_))));
    host.cancel_load();
    host.unload();
    host.load(spec("missing"));
    assert_eq!([next(), next(), next()], [2, 3, 4].map(|calls| Some(HostEvent::Heeded(calls))));
    assert_eq!(next(), Some(HostEvent::LoadFailed(no_such_model())));
}

#[test]
fn a_dead_engine_fails_its_answer_and_is_loaded_again() {
    let (engine, strings) = puppet("a");
    let (host, heard) = host_of(vec![engine]);
    let failed = |id| HostEvent::Failed { ticket: ticket(id, 1), error: EngineError::Gone };
    host.load(spec("a"));
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    // It hangs up in mid-answer.
    let script = strings.next_answer();
    host.generate(ticket(1, 1), ask("one"));
    script.send(token("x")).unwrap();
    assert_eq!(next(&heard), HostEvent::Token { ticket: ticket(1, 1), text: "x".into() });
    drop(script);
    assert_eq!(next(&heard), failed(1));
    assert!(matches!(next(&heard), HostEvent::Ready(_)), "it is loaded again");
    strings.next_answer().send(done()).unwrap();
    host.generate(ticket(2, 1), ask("two"));
    assert!(matches!(next(&heard), HostEvent::Done { .. }));
    // It panics, before it answers and in the middle; what waits is answered by the one that is loaded then.
    for (id, prompt, said) in [(3, "panic", false), (4, "four", true)] {
        let (script, whole) = (strings.next_answer(), strings.next_answer());
        host.generate(ticket(id, 1), ask(prompt));
        host.generate(ticket(id, 2), ask("waits"));
        if said {
            script.send(token("x")).unwrap();
            assert!(matches!(next(&heard), HostEvent::Token { .. }));
            script.send(token(PANIC)).unwrap();
        }
        assert_eq!(next(&heard), failed(id));
        assert!(matches!(next(&heard), HostEvent::Ready(_)), "it is loaded again");
        whole.send(done()).unwrap();
        assert_eq!(next(&heard), HostEvent::Done { ticket: ticket(id, 2), stats: GenStats::default() });
    }
}

/// Nobody hears of a death in an answer that was cancelled, and the next question failed of it.
#[test]
fn an_engine_that_died_in_a_cancelled_answer_costs_no_other_one() {
    let (engine, strings) = puppet("a");
    let (host, heard) = host_of(vec![engine]);
    host.load(spec("a"));
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    let (old, dead, whole) = (strings.next_answer(), strings.next_answer(), strings.next_answer());
    host.generate(ticket(1, 1), ask("old"));
    old.send(token("x")).unwrap();
    assert!(matches!(next(&heard), HostEvent::Token { .. }));
    let epoch = host.cancel();
    drop((old, dead));
    host.generate(ticket(epoch, 1), ask("new"));
    assert!(matches!(next(&heard), HostEvent::Ready(_)), "it is loaded again");
    whole.send(done()).unwrap();
    assert_eq!(next(&heard), HostEvent::Done { ticket: ticket(epoch, 1), stats: GenStats::default() });
    assert_eq!(strings.asked.try_iter().collect::<Vec<_>>(), ["old", "new", "new"]);
    // A death in an answer of its own is told as ever.
    drop(strings.next_answer());
    host.generate(ticket(epoch, 2), ask("next"));
    assert_eq!(next(&heard), HostEvent::Failed { ticket: ticket(epoch, 2), error: EngineError::Gone });
}

#[test]
fn what_kills_an_engine_twice_is_not_tried_a_third_time() {
    let (engine, strings) = puppet("a");
    let (host, heard) = host_of(vec![engine]);
    let failed = |id| HostEvent::Failed { ticket: ticket(1, id), error: EngineError::Gone };
    host.load(spec("a"));
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    let _scripts = [strings.next_answer(), strings.next_answer()];
    for id in 1..=4 {
        host.generate(ticket(1, id), ask("panic"));
    }
    assert_eq!(next(&heard), failed(1));
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    for id in 2..=4 {
        assert_eq!(next(&heard), failed(id), "two were asked, and two were not");
    }
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    strings.next_answer().send(done()).unwrap();
    host.generate(ticket(2, 1), ask("the next question"));
    assert!(matches!(next(&heard), HostEvent::Done { .. }));
    assert_eq!(strings.asked.try_iter().collect::<Vec<_>>(), ["panic", "panic", "the next question"]);
}

#[test]
fn an_engine_that_dies_while_a_bad_model_is_loaded_comes_back() {
    let (engine, strings) = puppet("a");
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (events, heard) = mpsc::channel();
    let loader = move |spec: &ModelSpec, _: &dyn Fn(LoadStage) -> Result<(), EngineError>| {
        if spec.name == "a" {
            return Ok(Arc::clone(&engine));
        }
        gate.lock().unwrap().recv().unwrap();
        Err(no_such_model())
    };
    let host = EngineHost::with_loader(Arc::new(loader), Box::new(move |event| drop(events.send(event)))).unwrap();
    host.load(spec("a"));
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    host.load(spec("bad"));
    drop(strings.next_answer());
    host.generate(ticket(1, 1), ask("one"));
    assert_eq!(next(&heard), HostEvent::Failed { ticket: ticket(1, 1), error: EngineError::Gone });
    release.send(()).unwrap();
    assert_eq!(next(&heard), HostEvent::LoadFailed(no_such_model()));
    assert!(matches!(next(&heard), HostEvent::Ready(_)), "the one before is loaded again");
    strings.next_answer().send(done()).unwrap();
    host.generate(ticket(2, 1), ask("two"));
    assert!(matches!(next(&heard), HostEvent::Done { .. }));
}

/// It was gone, and the header said that it was ready.
#[test]
fn an_engine_that_dies_while_a_load_is_cancelled_comes_back() {
    let (engine, strings) = puppet("a");
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (events, heard) = mpsc::channel();
    let loader = move |spec: &ModelSpec, _: &dyn Fn(LoadStage) -> Result<(), EngineError>| {
        if spec.name == "a" {
            return Ok(Arc::clone(&engine));
        }
        let _ = gate.lock().unwrap().recv();
        Err(no_such_model())
    };
    let host = EngineHost::with_loader(Arc::new(loader), Box::new(move |event| drop(events.send(event)))).unwrap();
    host.load(spec("a"));
    assert!(matches!(next(&heard), HostEvent::Ready(_)));
    host.load(spec("slow"));
    drop(strings.next_answer());
    host.generate(ticket(1, 1), ask("one"));
    assert_eq!(next(&heard), HostEvent::Failed { ticket: ticket(1, 1), error: EngineError::Gone });
    host.cancel_load();
    assert!(matches!(next(&heard), HostEvent::Ready(_)), "the one before is loaded again");
    strings.next_answer().send(done()).unwrap();
    host.generate(ticket(2, 1), ask("two"));
    assert!(matches!(next(&heard), HostEvent::Done { .. }));
    drop(release);
}

#[test]
fn threads_of_models_are_known_and_those_of_tests_are_not_among_them() {
    assert!(!is_engine_thread());
    let unnamed = std::thread::spawn(is_engine_thread).join().unwrap();
    assert!(unnamed, "the library leaves its threads unnamed");
}

/// Set in a process that runs one of the tests that need one of their own.
#[cfg(unix)]
const ALONE: &str = "LOGOSCOPE_TEST_ALONE";

/// Runs one of the ignored tests below in a process of its own and returns what it wrote to its standard output and
/// error.
#[cfg(unix)]
fn alone(test: &str) -> (String, String) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("1 passed"), "{out}");
    (out, err)
}

#[cfg(unix)]
#[test]
fn a_capture_takes_everything_and_gives_it_back() {
    let (out, err) = alone("engine::alone_captured");
    assert!(out.contains("before") && out.contains("drawn") && out.contains("after"), "{out}");
    assert!(!out.contains("hidden") && !err.contains("hidden"), "{out}{err}");
    assert_eq!(err, "after\n");
}

#[cfg(unix)]
#[test]
#[ignore = "needs a process of its own"]
fn alone_captured() {
    use std::io::{Read, Seek, Write};

    use logoscope::engine::stdio::{StdioCapture, release_stdio};

    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let mut log = tempfile::tempfile().unwrap();
    println!("before");
    let capture = StdioCapture::begin(&log).unwrap();
    assert!(StdioCapture::begin(&log).is_err(), "there is one only");
    println!("hidden 1");
    eprintln!("hidden 2");
    std::process::Command::new("sh").args(["-c", "echo hidden 3"]).status().unwrap();
    writeln!(capture.terminal().unwrap(), "drawn").unwrap();
    // As a panic hook would, before the guard does the same.
    release_stdio();
    println!("after");
    eprintln!("after");
    drop(capture);
    let mut text = String::new();
    log.rewind().unwrap();
    log.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hidden 1\nhidden 2\nhidden 3\n");
}

#[cfg(feature = "local")]
mod local {
    use std::fs;
    use std::path::Path;

    use logoscope::engine::local::LocalEngine;
    use logoscope::engine::model::{LoadOptions, Quantisation};
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::tiny_llama::{self, CONTEXT, LABELS, VOCABULARY};
    use super::*;

    fn folder() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        tiny_llama::write(dir.path());
        dir
    }

    fn engine() -> LocalEngine {
        LocalEngine::load(folder().path()).unwrap()
    }

    fn answer(engine: &LocalEngine, prompt: &str, max_tokens: usize) -> String {
        let req = GenRequest { prompt: prompt.into(), max_tokens, ..GenRequest::default() };
        engine.generate(req).finish().unwrap().text
    }

    #[test]
    fn it_loads_and_says_what_it_is() {
        let dir = folder();
        let stages = Mutex::new(Vec::new());
        let observe = |stage| {
            stages.lock().unwrap().push(stage);
            Ok(())
        };
        let engine = LocalEngine::load_with(dir.path(), &LoadOptions::default(), &observe).unwrap();
        use LoadStage::{Building, Checking, FirstToken, Weights};
        assert_eq!(*stages.lock().unwrap(), [Checking, Weights, Building, FirstToken]);
        let caps = engine.caps();
        assert_eq!((caps.device.as_str(), caps.dtype.as_str(), caps.max_context), ("cpu", "f32", CONTEXT));
        assert_eq!((caps.score, caps.chat), (ScoreKind::Exact, false));
        let layer = 2 * 64 + 64 * 64 * 2 + 32 * 64 * 2 + 3 * 64 * 128;
        assert_eq!(caps.parameters, (VOCABULARY * 64 + 2 * layer + 64) as u64);
        assert!(matches!(engine.embed(&[]), Err(EngineError::Unsupported { .. })));
    }

    #[test]
    fn it_encodes_as_the_tokenizer_file_says() {
        let engine = engine();
        assert_eq!(engine.encode(" a<noir>é"), [0x20, 0x61, 256, 0xC3, 0xA9]);
        assert_eq!(engine.count_tokens(" a<noir>é"), 5);
        let spelled = "<|endoftext|>";
        assert_eq!(engine.encode(spelled), spelled.bytes().map(u32::from).collect::<Vec<_>>(), "text ends nothing");
    }

    #[test]
    fn it_streams_and_says_the_same_twice() {
        let engine = engine();
        let req = GenRequest { prompt: "The fog".into(), max_tokens: 40, ..GenRequest::default() };
        let events: Vec<GenEvent> = engine.generate(req).collect();
        let (last, tokens) = events.split_last().unwrap();
        let GenEvent::Done(stats) = last else { panic!("{last:?}") };
        assert_eq!((tokens.len(), stats.tokens, stats.prompt_tokens), (40, 40, 7));
        assert!(stats.ttft <= stats.elapsed);
        let text: String = tokens
            .iter()
            .map(|event| match event {
                GenEvent::Token(text) => text.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(text, answer(&engine, "The fog", 40));
        assert_eq!(text, answer(&super::local::engine(), "The fog", 40), "also after another load");
    }

    #[test]
    fn an_answer_is_what_its_beginning_foretells() {
        // Every next character is the answer to the prompt with all characters before it, first and blank ones too.
        let engine = engine();
        let whole = answer(&engine, "Tell:", 12);
        for at in 0..whole.len() {
            let next = answer(&engine, &format!("Tell:{}", &whole[..at]), 1);
            assert_eq!(next, whole[at..=at], "after {:?}", &whole[..at]);
        }
        let letters = || (b'!'..=b'~').map(char::from);
        let mut prompts = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
        let prompt = prompts.find(|prompt| answer(&engine, prompt, 1) == " ").expect("one is continued by a space");
        assert!(answer(&engine, &prompt, 5).starts_with(' '));
    }

    #[test]
    fn a_stop_text_ends_the_answer_and_is_not_shown() {
        let engine = engine();
        let whole = answer(&engine, "Once", 30);
        let stop = whole[10..12].to_owned();
        let before = whole.split(stop.as_str()).next().unwrap();
        let req = GenRequest { prompt: "Once".into(), max_tokens: 30, stop: vec![stop], ..GenRequest::default() };
        assert_eq!(engine.generate(req).finish().unwrap().text, before);
    }

    #[test]
    fn cancelling_leaves_the_engine_in_order() {
        let engine = engine();
        let expected = answer(&engine, "next", 10);
        for _ in 0..50 {
            let mut generation =
                engine.generate(GenRequest { prompt: "a long story".into(), max_tokens: 400, ..GenRequest::default() });
            for _ in 0..3 {
                assert!(matches!(generation.next(), Some(GenEvent::Token(_))));
            }
        }
        assert_eq!(answer(&engine, "next", 10), expected);
        let mut generation = engine.generate(ask("another"));
        generation.cancel_handle().cancel();
        assert_eq!(generation.next(), None);
        assert_eq!(answer(&engine, "next", 10), expected);
    }

    /// The library mixes up two sequences that it holds at once: with one that is no longer listened to, and has not
    /// noticed yet, beside one of the same length, the second went on as if it had been asked something else.
    #[test]
    fn an_answer_does_not_depend_on_the_one_before_it() {
        let engine = engine();
        let prompts: Vec<String> =
            (0..8).map(|longer| format!("a tale of twenty-one {}", &"abcdefgh"[..longer])).collect();
        let expected: Vec<String> = prompts.iter().map(|prompt| answer(&engine, prompt, 12)).collect();
        for round in 0..40 {
            for (prompt, expected) in prompts.iter().zip(&expected) {
                let request = GenRequest { prompt: prompts[0].clone(), max_tokens: 400, ..GenRequest::default() };
                let mut cut_off = engine.generate(request);
                (0..round % 5).for_each(|_| drop(cut_off.next()));
                drop(cut_off);
                assert_eq!(answer(&engine, prompt, 12), *expected, "{prompt:?} in round {round}");
            }
        }
    }

    #[test]
    fn labels_are_scored_in_the_pass_that_answers() {
        let engine = engine();
        let labels = LABELS.map(String::from).to_vec();
        let req =
            GenRequest { prompt: "genre:".into(), labels: labels.clone(), max_tokens: 5, ..GenRequest::default() };
        let events: Vec<GenEvent> = engine.generate(req).collect();
        let GenEvent::Scores(scores) = &events[0] else { panic!("{events:?}") };
        assert_eq!(events.len(), 1 + 5 + 1);
        assert_eq!(*scores, engine.score("genre:", &labels).unwrap());
        assert!(scores.iter().all(|score| *score < 0.0));
        let reversed: Vec<String> = labels.into_iter().rev().collect();
        let backwards: Vec<f64> = scores.iter().rev().copied().collect();
        assert_eq!(engine.score("genre:", &reversed).unwrap(), backwards);
    }

    #[test]
    fn the_probabilities_of_all_tokens_add_up_to_one() {
        let engine = engine();
        let labels: Vec<Vec<u32>> = (0..VOCABULARY as u32).map(|token| vec![token]).collect();
        let scores = engine.score_ids(&engine.encode("genre:"), &labels).unwrap();
        let total: f64 = scores.iter().map(|score| score.exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
    }

    #[test]
    fn labels_of_several_tokens_agree_with_their_parts() {
        let engine = engine();
        let one = |prompt: &str, label: &str| engine.score(prompt, &[label.to_owned()]).unwrap()[0];
        let parts = one("genre:", "w") + one("genre:w", "a") + one("genre:wa", "r");
        let forced = engine.score("genre:", &["war".into(), "<noir>".into(), "w".into()]).unwrap();
        assert!((forced[0] - parts).abs() < 1e-4, "{} against {parts}", forced[0]);
        assert!((forced[1] - one("genre:", "<noir>")).abs() < 1e-9);
        let left = one("genre:", "w").exp() - forced[0].exp();
        assert!((forced[2].exp() - left).abs() < 1e-9, "what goes on to war is war's");
        assert!(matches!(engine.score("genre:", &[String::new()]), Err(EngineError::Label { .. })));
    }

    #[test]
    fn a_prompt_that_does_not_fit_is_refused_with_both_numbers() {
        let engine = engine();
        let error = engine.generate(ask(&"x".repeat(600))).finish().unwrap_err();
        assert_eq!(error, EngineError::PromptTooLong { tokens: 600, limit: CONTEXT - 1 });
        assert!(error.to_string().contains("600") && error.to_string().contains("511"));
        assert_eq!(engine.generate(ask("")).finish().unwrap_err(), EngineError::EmptyPrompt);
        // The longest that fits leaves room for one token, and asking for more is clamped to it.
        let answer = engine.generate(ask(&"x".repeat(CONTEXT - 1))).finish().unwrap();
        assert_eq!(answer.stats.tokens, 1);
        let answer = engine.generate(ask(&"x".repeat(CONTEXT - 4))).finish().unwrap();
        assert_eq!(answer.stats.tokens, 4);
    }

    #[test]
    fn the_end_of_text_ends_the_answer() {
        // A model for which the letter it says third is the end.
        let dir = folder();
        let third = answer(&LocalEngine::load(dir.path()).unwrap(), "Once", 8).as_bytes()[2];
        let mut config = tiny_llama::config();
        config["eos_token_id"] = json!([VOCABULARY - 1, third]);
        fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        let engine = LocalEngine::load(dir.path()).unwrap();
        let req = GenRequest { prompt: "Once".into(), max_tokens: 8, ..GenRequest::default() };
        let answer = engine.generate(req).finish().unwrap();
        let at = answer.text.len();
        assert!(at <= 2 && answer.stats.tokens == at + 1, "{answer:?}");
        // What ended it is as probable as that letter is there.
        let prompt = format!("Once{}", answer.text);
        let letter = engine.score(&prompt, &[char::from(third).to_string()]).unwrap()[0];
        assert_eq!(engine.score_end(&prompt).unwrap(), Some(letter));
    }

    /// What loading says about a folder that `spoil` has changed.
    fn refusal(spoil: impl FnOnce(&Path)) -> String {
        let dir = folder();
        spoil(dir.path());
        let error = LocalEngine::load(dir.path()).err().expect("it must not load");
        assert!(matches!(error, EngineError::Load { .. }), "{error}");
        let text = error.to_string();
        assert!(!text.contains("panick") && !text.contains('\n') && !text.contains("unwrap"), "{text}");
        text
    }

    fn with_config(key: &'static str, value: Value) -> impl FnOnce(&Path) {
        move |dir| {
            let mut config = tiny_llama::config();
            config[key] = value;
            fs::write(dir.join("config.json"), config.to_string()).unwrap();
        }
    }

    #[test]
    fn a_bad_folder_is_refused_in_one_clear_message() {
        let weights = |dir: &Path| dir.join("model.safetensors");
        let cases = [
            (
                "truncated",
                refusal(|dir| {
                    let whole = fs::read(weights(dir)).unwrap();
                    fs::write(weights(dir), &whole[..whole.len() - 1000]).unwrap();
                }),
                "model.safetensors is damaged",
            ),
            (
                "random",
                refusal(|dir| {
                    let noise: Vec<u8> = (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
                    fs::write(weights(dir), noise).unwrap();
                }),
                "model.safetensors is damaged",
            ),
            ("empty", refusal(|dir| fs::write(weights(dir), []).unwrap()), "model.safetensors is damaged"),
            (
                "random numbers",
                refusal(|dir| {
                    let mut whole = fs::read(weights(dir)).unwrap();
                    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
                    for (n, byte) in (0u32..).zip(&mut whole[header..]) {
                        *byte = ((n.wrapping_mul(2_654_435_761)) >> 15) as u8;
                    }
                    fs::write(weights(dir), whole).unwrap();
                }),
                "model.safetensors gives no usable numbers",
            ),
            ("no weights", refusal(|dir| fs::remove_file(weights(dir)).unwrap()), "no weight file"),
            (
                "two sets",
                refusal(|dir| {
                    fs::copy(weights(dir), dir.join("a.safetensors")).unwrap();
                    fs::rename(weights(dir), dir.join("b.safetensors")).unwrap();
                }),
                "more than one set of weights",
            ),
            (
                "half a set",
                refusal(|dir| {
                    fs::copy(weights(dir), dir.join("consolidated.safetensors")).unwrap();
                    fs::rename(weights(dir), dir.join("model-00001-of-00002.safetensors")).unwrap();
                }),
                "1 of 2 weight files",
            ),
            ("other weights", refusal(with_config("num_hidden_layers", json!(3))), "config.json"),
            (
                "no tokenizer",
                refusal(|dir| fs::remove_file(dir.join("tokenizer.json")).unwrap()),
                "tokenizer.json is missing",
            ),
            (
                "odd tokenizer",
                refusal(|dir| {
                    fs::write(
                        dir.join("tokenizer.json"),
                        r#"{"added_tokens":[],"model":{"type":"Unigram","vocab":[]}}"#,
                    )
                    .unwrap();
                }),
                "tokenizer.json is not a BPE",
            ),
            ("no config", refusal(|dir| fs::remove_file(dir.join("config.json")).unwrap()), "config.json is missing"),
            ("no JSON", refusal(|dir| fs::write(dir.join("config.json"), "{").unwrap()), "config.json is not JSON"),
            ("architecture", refusal(with_config("architectures", json!(["OracleForCausalLM"]))), "OracleForCausalLM"),
            ("context", refusal(with_config("max_position_embeddings", json!(600))), "600"),
            (
                "no theta",
                refusal(|dir| {
                    let mut config = tiny_llama::config();
                    config.as_object_mut().unwrap().remove("rope_theta");
                    fs::write(dir.join("config.json"), config.to_string()).unwrap();
                }),
                "rope_theta",
            ),
            ("vocabulary", refusal(with_config("vocab_size", json!(100))), "100"),
            ("activation", refusal(with_config("hidden_act", json!("sine"))), "sine"),
        ];
        for (case, message, wanted) in cases {
            assert!(message.contains(wanted), "{case}: {message}");
            assert!(message.starts_with("cannot load the model in /"), "{case}: {message}");
        }
        let missing = LocalEngine::load(Path::new("no/such/model")).err().unwrap().to_string();
        assert!(missing.contains("no/such/model") && missing.contains("no such folder"), "{missing}");
    }

    #[cfg(unix)]
    #[test]
    fn the_library_writes_nothing() {
        let (out, err) = alone("engine::local::alone_with_a_model");
        assert_eq!(err, "");
        let ours = |line: &&str| line.contains("test ") || line.contains("tests") || line.contains("running 1");
        assert_eq!(out.lines().filter(|line| !line.is_empty() && !ours(line)).collect::<Vec<_>>(), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    #[ignore = "needs a process of its own"]
    fn alone_with_a_model() {
        if std::env::var_os(ALONE).is_none() {
            return;
        }
        let dir = folder();
        let (engine, strings) = puppet("a");
        let (host, heard) = host_of(vec![engine]);
        assert_eq!(answer(&LocalEngine::load(dir.path()).unwrap(), "Once", 5).len(), 5);
        let quantised = LoadOptions { quantize: Some(Quantisation::Q8_0), ..LoadOptions::default() };
        assert_eq!(answer(&LocalEngine::load_with(dir.path(), &quantised, &|_| Ok(())).unwrap(), "Once", 5).len(), 5);
        let file = dir.path().join("tiny.gguf");
        fs::write(&file, tiny_llama::gguf(&tiny_llama::gguf_keys(), &tiny_llama::tensors(1, false))).unwrap();
        assert_eq!(answer(&LocalEngine::load(&file).unwrap(), "Once", 5).len(), 5);
        let nano = LocalEngine::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/models/nano")).unwrap();
        let labels = logoscope::data::sample::dataset().unwrap().manifest.labels;
        let told = GenRequest { labels, ..ask("film: a diver maps drowned streets\ntag:") };
        assert!(nano.generate(told.clone()).finish().unwrap().stats.tokens > 0);
        assert!(nano.bare(&told).unwrap().unwrap().tokens > 0);
        fs::write(&file, "GGUF").unwrap();
        assert!(LocalEngine::load(&file).is_err());
        fs::remove_file(dir.path().join("model.safetensors")).unwrap();
        assert!(LocalEngine::load(dir.path()).is_err());
        host.load(spec("panic"));
        assert!(matches!(next(&heard), HostEvent::LoadFailed(_)));
        host.load(spec("a"));
        assert!(matches!(next(&heard), HostEvent::Ready(_)));
        let _script = strings.next_answer();
        host.generate(ticket(1, 1), ask("panic"));
        assert!(matches!(next(&heard), HostEvent::Failed { .. }));
    }

    #[test]
    fn the_host_runs_a_real_model() {
        let dir = folder();
        let (events, heard) = mpsc::channel();
        let host = EngineHost::start(Box::new(move |event| drop(events.send(event)))).unwrap();
        host.load(spec(dir.path().to_str().unwrap()));
        let req = GenRequest { labels: vec![LABELS[0].into()], ..ask("genre:") };
        host.generate(ticket(1, 1), GenRequest { max_tokens: 400, ..req.clone() });
        assert!(matches!(next(&heard), HostEvent::Ready(_)));
        assert!(matches!(next(&heard), HostEvent::Scores { ticket: Ticket { epoch: 1, id: 1 }, .. }));
        host.generate(ticket(2, 1), req);
        let later: Vec<HostEvent> = heard
            .iter()
            .skip_while(|event| matches!(event, HostEvent::Token { ticket: Ticket { epoch: 1, .. }, .. }))
            .take(1 + 8 + 1)
            .collect();
        assert!(matches!(later[0], HostEvent::Scores { ticket: Ticket { epoch: 2, .. }, .. }), "{:?}", later[0]);
        assert!(matches!(later[9], HostEvent::Done { ticket: Ticket { epoch: 2, .. }, .. }), "{:?}", later[9]);
        // The folder it came from is gone, a new load fails, and it still answers.
        drop(dir);
        host.load(spec("no/such/model"));
        assert!(matches!(next(&heard), HostEvent::LoadFailed(EngineError::Load { .. })));
        host.generate(ticket(3, 1), ask("still"));
        assert!(heard.iter().any(|event| matches!(event, HostEvent::Done { ticket: Ticket { epoch: 3, .. }, .. })));
    }
}
