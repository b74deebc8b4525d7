//! Models on a server: the engine against a scripted one, which is good, slow, cut, broken or silent as a test wants it.
//!
//! No test waits for time to pass: back-off has a clock of the test's, and servers wait for conditions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use logoscope::app;
use logoscope::app::effect::Runner;
use logoscope::app::message::{Limits, Message};
use logoscope::app::shelf::Shelf;
use logoscope::app::state::{Exit, ModelState, Phase};
use logoscope::app::worker::{MemoryWorker, Source};
use logoscope::engine::address::Address;
use logoscope::engine::engine::{Caps, Engine, GenEvent, GenRequest, LoadStage, Outage, ScoreKind};
use logoscope::engine::error::EngineError;
use logoscope::engine::host::{EngineHost, Loader};
use logoscope::engine::model::{LoadOptions, Located};
use logoscope::engine::remote::{Clock, Patience, RemoteEngine, Server};
use serde_json::{Value, json};

use crate::screens::{dataset, drawn, started, text_of};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the engine asks when it connects.
const PROBE: &str = "Once";

/// A request as the server got it.
#[derive(Clone, Debug, Default)]
struct Asked {
    path: String,
    authorization: Option<String>,
    body: Value,
}

impl Asked {
    /// Whether it only wants to see how the server answers.
    fn is_probe(&self) -> bool {
        self.body["prompt"] == PROBE || self.body["messages"][0]["content"] == PROBE
    }

    fn tops(&self) -> bool {
        self.body.get("logprobs").is_some()
    }
}

/// Reads one request; `None` where the other side has gone, or where it only wakes the server up.
fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
        }
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let header = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[head..].to_vec();
    while body.len() < length {
        let mut piece = vec![0; length - body.len()];
        let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
        body.extend_from_slice(&piece[..n]);
    }
    Some(Asked {
        path: text.split_whitespace().nth(1).unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

/// A server that does what a script says with each request, on a thread of its own.
struct Scripted {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    ended: Arc<AtomicBool>,
    /// So many connections are closed before all of the request has been read, which resets them.
    resets: Arc<AtomicUsize>,
}

type Script = dyn Fn(&Asked, &mut TcpStream) + Send + Sync;

impl Scripted {
    fn start(script: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, ended) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicBool>::default());
        let (kept, over, script) =
            (Arc::clone(&asked), Arc::clone(&ended), Arc::<Script>::from(Box::new(script) as Box<Script>));
        let resets = Arc::<AtomicUsize>::default();
        let spoiled = Arc::clone(&resets);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                if spoiled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                    let _ = stream.unwrap().read(&mut [0; 8]);
                    continue;
                }
                let (mut stream, kept, script) = (stream.unwrap(), Arc::clone(&kept), Arc::clone(&script));
                thread::spawn(move || {
                    if let Some(request) = read_request(&mut stream) {
                        kept.lock().unwrap().push(request.clone());
                        script(&request, &mut stream);
                    }
                });
            }
        });
        Self { port, asked, ended, resets }
    }

    /// One that has a model and answers probes as usual; `play` answers what is asked, from the first on.
    fn playing(play: impl Fn(usize, &Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let played = AtomicUsize::new(0);
        Self::start(move |asked, stream| {
            if !usual(asked, stream) {
                play(played.fetch_add(1, Ordering::Relaxed), asked, stream);
            }
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    fn address(&self) -> Address {
        self.url().parse().unwrap()
    }

    /// Everything asked so far but for what the engine asks when it connects.
    fn questions(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| !asked.path.ends_with("/models") && !asked.is_probe()).cloned().collect()
    }

    fn connect(&self, patience: Patience) -> RemoteEngine {
        self.try_connect(None, patience).unwrap()
    }

    fn try_connect(&self, key: Option<&str>, patience: Patience) -> Result<RemoteEngine, EngineError> {
        RemoteEngine::connect(Server::with(&self.address(), key, patience)?, &LoadOptions::default(), &|_| Ok(()))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn send(stream: &mut TcpStream, bytes: &[u8]) {
    // Whoever has gone does not listen.
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
}

fn reply(stream: &mut TcpStream, status: &str, kind: &str, extra: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n{extra}content-length: {length}\r\n\r\n"
    );
    send(stream, format!("{head}{body}").as_bytes());
}

fn json_reply(stream: &mut TcpStream, status: &str, body: &Value) {
    reply(stream, status, "application/json", "", &body.to_string());
}

fn refuse(stream: &mut TcpStream, status: &str, message: &str) {
    json_reply(stream, status, &json!({"error": {"message": message, "code": 7}}));
}

/// Begins a stream of events. A connection serves one answer, and says so: a client that kept it would find it closed.
fn open(stream: &mut TcpStream) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";
    send(stream, format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes());
}

fn chunk(stream: &mut TcpStream, text: &str) {
    send(stream, format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
}

fn event(stream: &mut TcpStream, event: &Value) {
    chunk(stream, &format!("data: {event}\n\n"));
}

fn close(stream: &mut TcpStream) {
    chunk(stream, "data: [DONE]\n\n");
    send(stream, b"0\r\n\r\n");
}

/// A piece of an answer, with the tokens reported at its place.
fn piece(text: &str, tops: &[(&str, f64)], finish: Option<&str>) -> Value {
    let map: serde_json::Map<String, Value> =
        tops.iter().map(|(token, p)| ((*token).to_owned(), p.ln().into())).collect();
    let logprobs = if tops.is_empty() { Value::Null } else { json!({"top_logprobs": [map]}) };
    json!({"id": "1", "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": logprobs}]})
}

/// A whole answer of one event a piece, and the count of its tokens.
fn answer(stream: &mut TcpStream, pieces: &[&str], tops: &[(&str, f64)]) {
    open(stream);
    for (ix, text) in pieces.iter().enumerate() {
        event(stream, &piece(text, if ix == 0 { tops } else { &[] }, (ix + 1 == pieces.len()).then_some("stop")));
    }
    event(stream, &json!({"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": pieces.len()}}));
    close(stream);
}

/// Answers what the engine asks when it connects; `false` for anything else.
fn usual(asked: &Asked, stream: &mut TcpStream) -> bool {
    if asked.path.ends_with("/models") {
        json_reply(stream, "200 OK", &json!({"object": "list", "data": [{"id": "tiny", "max_model_len": 2048}]}));
    } else if asked.is_probe() {
        let tops: &[(&str, f64)] = if asked.tops() { &[(" upon", 0.7), (" in", 0.1)] } else { &[] };
        match asked.path.ends_with("/chat/completions") {
            true => refuse(stream, "500 Internal Server Error", "this model has no chat template"),
            false => answer(stream, &[" upon"], tops),
        }
    } else {
        return false;
    }
    true
}

/// A clock that passes no time: it keeps what waits are asked for, and lets each through at once, or when a test says so.
#[derive(Default)]
struct Hands {
    waits: Mutex<Vec<Duration>>,
    /// Whether every limit is over.
    struck: AtomicBool,
    held: Mutex<bool>,
    moved: Condvar,
}

impl Hands {
    fn held() -> Arc<Self> {
        Arc::new(Self { held: Mutex::new(true), ..Self::default() })
    }

    fn release(&self) {
        *self.held.lock().unwrap() = false;
        self.moved.notify_all();
    }

    fn waits(&self) -> Vec<f64> {
        self.waits.lock().unwrap().iter().map(Duration::as_secs_f64).collect()
    }
}

impl Clock for Hands {
    fn wait(&self, time: Duration, wanted: &dyn Fn() -> bool) {
        self.waits.lock().unwrap().push(time);
        let mut held = self.held.lock().unwrap();
        while *held && wanted() {
            held = self.moved.wait_timeout(held, Duration::from_millis(5)).unwrap().0;
        }
    }

    fn chance(&self) -> f64 {
        1.0
    }

    fn is_over(&self, _: Instant, _: Duration) -> bool {
        self.struck.load(Ordering::Relaxed)
    }
}

fn patience(hands: &Arc<Hands>) -> Patience {
    Patience { clock: Arc::clone(hands) as Arc<dyn Clock>, ..Patience::default() }
}

fn quick() -> Patience {
    patience(&Arc::default())
}

fn request(labels: &[&str]) -> GenRequest {
    GenRequest {
        prompt: "film: tide\ntag:".to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        max_tokens: 8,
        stop: vec!["\n".to_owned()],
        ..GenRequest::default()
    }
}

/// What an answer says, with `finish`ed answers' times left out.
fn heard(engine: &dyn Engine, request: GenRequest) -> Vec<GenEvent> {
    engine.generate(request).collect()
}

fn told(error: &EngineError) -> String {
    error.to_string()
}

fn again(event: &GenEvent) -> &Outage {
    let GenEvent::Again(outage) = event else { panic!("{event:?}") };
    outage
}

#[test]
fn a_good_server_is_asked_as_the_protocol_has_it_and_its_scores_are_estimates() {
    let server = Scripted::playing(|_, _, stream| {
        answer(stream, &[" no", "ir\n", "more"], &[(" noir", 0.5), (" com", 0.25), ("drama", 0.05)]);
    });
    let engine = server.try_connect(Some("secret"), quick()).unwrap();
    let caps = Caps {
        name: "tiny".into(),
        device: format!("127.0.0.1:{}", server.port),
        dtype: "completions".into(),
        parameters: 0,
        max_context: 2048,
        score: ScoreKind::Approximate,
        chat: false,
    };
    assert_eq!(engine.caps(), &caps);
    assert_eq!(engine.origin().unwrap().place, Located::Server(server.address().with_model("tiny")));
    let answer = engine.generate(request(&["noir", "drama", "western"])).finish().unwrap();
    let p: Vec<f64> = answer.scores.iter().map(|score| (score.exp() * 1e6).round() / 1e6).collect();
    assert_eq!(p, [0.5, 0.05, 0.05], "what is not reported has the most that it can have");
    assert_eq!(
        (answer.text.as_str(), answer.stats.tokens, answer.stats.prompt_tokens),
        (" noir", 2, 4),
        "cut at its stop"
    );
    let [question] = &server.questions()[..] else { panic!("{:?}", server.questions()) };
    assert_eq!((question.path.as_str(), question.authorization.as_deref()), ("/v1/completions", Some("Bearer secret")));
    let expected = json!({
        "model": "tiny", "prompt": "film: tide\ntag:", "max_tokens": 8, "temperature": 0.0, "stream": true,
        "stop": ["\n"], "stream_options": {"include_usage": true}, "logprobs": 20,
    });
    assert_eq!(question.body, expected);
    // Without a key none is sent.
    let engine = server.connect(quick());
    engine.generate(request(&[])).finish().unwrap();
    assert_eq!(server.questions()[1].authorization, None);
    let error = engine.embed(&["x".into()]).unwrap_err();
    assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
}

#[test]
fn the_servers_count_of_tokens_counts() {
    let server = Scripted::playing(|_, _, stream| answer(stream, &["two words", " more"], &[]));
    let stats = server.connect(quick()).generate(request(&[])).finish().unwrap().stats;
    assert_eq!((stats.tokens, stats.prompt_tokens), (2, 40));
    assert!(stats.ttft <= stats.elapsed && !stats.elapsed.is_zero());
}

#[test]
fn labels_of_several_tokens_are_followed() {
    let server = Scripted::playing(|_, asked, stream| match asked.body["prompt"].as_str().unwrap() {
        "film: tide\ntag:" => answer(stream, &[" dark"], &[(" dark", 0.5), (" d", 0.3), ("noir", 0.1)]),
        "film: tide\ntag: dark" => answer(stream, &[" comedy"], &[(" comedy", 0.8), (" age", 0.1)]),
        "film: tide\ntag: d" => answer(stream, &["rama"], &[("rama", 0.9)]),
        other => panic!("{other}"),
    });
    let scores =
        server.connect(quick()).score(&request(&[]).prompt, &["dark comedy".into(), "drama".into(), "noir".into()]);
    let p: Vec<f64> = scores.unwrap().iter().map(|score| (score.exp() * 1e6).round() / 1e6).collect();
    assert_eq!(p, [0.4, 0.27, 0.1]);
    let asked = server.questions();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.body["max_tokens"] == 1 && asked.body["temperature"] == 1.0), "{asked:?}");
}

/// A server takes long over labels, in the middle of an answer or before it: that is no time of the answer.
#[test]
fn labels_are_not_counted_into_the_time_of_an_answer() {
    for greedy in [0.0, 10.0] {
        let (begun, labels) = (Instant::now(), Arc::<Mutex<Duration>>::default());
        let spent = Arc::clone(&labels);
        let server = Scripted::start(move |asked, stream| {
            // Beside greedy answers these are no probabilities, if something is added.
            let added = if asked.body["temperature"] == 0.0 { greedy } else { 0.0 };
            let tops = [(" dark", (0.5f64.ln() + added).exp()), ("noir", (0.1f64.ln() + added).exp())];
            let tops = if asked.tops() { &tops[..] } else { &[] };
            match asked.path.as_str() {
                "/v1/completions" if asked.is_probe() => answer(stream, &[" upon"], tops),
                "/v1/completions" => {
                    if asked.body["temperature"] == 1.0 {
                        // Twice as long as everything before it has.
                        let (came, before) = (Instant::now(), begun.elapsed());
                        while came.elapsed() < 2 * before {
                            thread::yield_now();
                        }
                        *spent.lock().unwrap() += came.elapsed();
                    }
                    answer(stream, &[" dark", " comedy"], tops);
                }
                _ => assert!(usual(asked, stream), "{}", asked.path),
            }
        });
        let engine = server.connect(quick());
        let asked = Instant::now();
        let answer = engine.generate(request(&["dark comedy", "noir"])).finish().unwrap();
        let (whole, labels) = (asked.elapsed(), *labels.lock().unwrap());
        assert!(answer.scores.len() == 2 && !labels.is_zero());
        let stats = answer.stats;
        assert!(stats.ttft <= stats.elapsed && !stats.ttft.is_zero());
        assert!(stats.elapsed + labels <= whole, "{:?} of {whole:?}, {labels:?} for labels", stats.elapsed);
    }
}

/// A server that says `noir` to everything, and not how probable that is.
fn without_probabilities() -> Scripted {
    Scripted::start(|asked, stream| match asked.is_probe() && asked.tops() {
        true => refuse(stream, "400 Bad Request", "logprobs are not supported"),
        false if asked.path.ends_with("/completions") && !asked.path.contains("chat") => answer(stream, &["noir"], &[]),
        false => {
            usual(asked, stream);
        }
    })
}

#[test]
fn a_server_without_probabilities_answers_and_scores_nothing() {
    let server = without_probabilities();
    let engine = server.connect(quick());
    assert_eq!(engine.caps().score, ScoreKind::None);
    let events = heard(&engine, request(&["noir", "drama"]));
    assert!(matches!(&events[..], [GenEvent::Token(text), GenEvent::Done(_)] if text == "noir"), "{events:?}");
    let error = engine.score("film:", &["noir".into()]).unwrap_err();
    assert!(told(&error).contains("cannot score labels: its server reports no probabilities"), "{error}");
}

#[test]
fn a_server_that_only_chats_is_asked_in_messages_and_says_so() {
    let server = Scripted::start(|asked, stream| match asked.path.as_str() {
        "/v1/models" => {
            usual(asked, stream);
        }
        "/v1/chat/completions" => {
            let token = |token: &str, p: f64| json!({"token": token, "logprob": p.ln(), "bytes": token.as_bytes()});
            let tops = json!({"content": [{"token": "noir", "top_logprobs": [token("noir", 0.6), token("no", 0.2)]}]});
            let logprobs = if asked.tops() { tops } else { Value::Null };
            open(stream);
            let role = json!({"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": null}]});
            event(stream, &role);
            event(
                stream,
                &json!({"choices": [{"delta": {"content": "noir"}, "finish_reason": null, "logprobs": logprobs}]}),
            );
            event(stream, &json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}));
            close(stream);
        }
        _ => refuse(stream, "404 Not Found", "no such route"),
    });
    let engine = server.connect(quick());
    let caps = engine.caps();
    assert_eq!((caps.dtype.as_str(), caps.score, caps.chat), ("chat", ScoreKind::Approximate, true));
    let answer = engine.generate(request(&["noir", "nordic"])).finish().unwrap();
    assert_eq!((answer.text.as_str(), answer.stats.tokens), ("noir", 1));
    let p: Vec<f64> = answer.scores.iter().map(|score| (score.exp() * 1e6).round() / 1e6).collect();
    assert_eq!(p, [0.6, 0.2], "a beginning that cannot be followed is that of the label that nothing else names");
    let asked = &server.questions()[0].body;
    assert_eq!(asked["messages"], json!([{"role": "user", "content": "film: tide\ntag:"}]));
    assert_eq!((&asked["logprobs"], &asked["top_logprobs"]), (&json!(true), &json!(20)));
}

/// Replies to a message.
fn chat(stream: &mut TcpStream) {
    open(stream);
    event(stream, &json!({"choices": [{"delta": {"content": "noir"}, "finish_reason": "stop"}]}));
    close(stream);
}

/// Servers that only chat say so in many ways, few of which mean that there is no such endpoint.
#[test]
fn a_server_that_refuses_completions_in_its_own_way_is_chatted_with() {
    let connect = |status: &'static str, chats: bool| {
        let server = Scripted::start(move |asked, stream| match asked.path.as_str() {
            "/v1/completions" => refuse(stream, status, "no completions with this model"),
            "/v1/chat/completions" if chats => chat(stream),
            "/v1/chat/completions" => refuse(stream, status, "no chat either"),
            _ => assert!(usual(asked, stream), "{}", asked.path),
        });
        let hands = Arc::<Hands>::default();
        let engine = server.try_connect(None, patience(&hands));
        let asked = server.asked.lock().unwrap().clone();
        let chats = asked.iter().filter(|asked| asked.path.contains("chat")).count();
        (engine, hands.waits().len(), chats, server)
    };
    // How often it is waited for, and how often chat is asked where it is refused, too.
    for (status, [waits, waits_without], asked) in [
        ("400 Bad Request", [0, 0], 4),
        ("403 Forbidden", [0, 0], 1),
        ("500 Internal Server Error", [0, 4], 1),
        ("503 Service Unavailable", [4, 4], 1),
    ] {
        let (engine, waited, _, _server) = connect(status, true);
        let engine = engine.unwrap();
        assert_eq!((engine.caps().dtype.as_str(), engine.caps().chat, waited), ("chat", true, waits), "{status}");
        assert_eq!(engine.generate(request(&[])).finish().unwrap().text, "noir");
        let (engine, waited, chats, _) = connect(status, false);
        let error = told(&engine.err().unwrap());
        assert!(error.contains("no completions with this model"), "the first fault is the server's: {error}");
        assert_eq!((waited, chats), (waits_without, asked), "{status}");
    }
    // A key that is not taken is taken nowhere.
    let (engine, _, chats, _) = connect("401 Unauthorized", true);
    assert!(told(&engine.err().unwrap()).contains("it wants a key") && chats == 0);
}

#[test]
fn an_outage_at_loading_that_passes_makes_no_chat_of_a_server() {
    let asked_before = AtomicUsize::new(0);
    let server = Scripted::start(move |asked, stream| {
        if !asked.path.ends_with("/models") && asked_before.fetch_add(1, Ordering::Relaxed) < 3 {
            refuse(stream, "500 Internal Server Error", "starting");
        } else {
            assert!(usual(asked, stream), "{}", asked.path);
        }
    });
    let hands = Arc::<Hands>::default();
    let engine = server.connect(patience(&hands));
    assert_eq!((engine.caps().dtype.as_str(), hands.waits()), ("completions", vec![1.0]));
}

/// mistral.rs 0.8.1 says that a model has no chat template in an event that is no JSON, after a good beginning.
#[test]
fn a_server_that_says_in_bare_words_that_it_does_not_chat_is_asked_for_completions() {
    let server = Scripted::start(|asked, stream| match asked.path.as_str() {
        "/v1/chat/completions" => {
            open(stream);
            chunk(stream, "data: Received messages for a model which does not have a chat template.\n\n");
            close(stream);
        }
        _ => assert!(usual(asked, stream), "{}", asked.path),
    });
    let engine = server.connect(quick());
    let caps = engine.caps();
    assert_eq!((caps.dtype.as_str(), caps.score, caps.chat), ("completions", ScoreKind::Approximate, false));
}

/// A server that reports raw scores beside greedy answers, and logarithms to base 10 beside others.
#[test]
fn numbers_that_are_no_probabilities_are_never_taken_for_them() {
    let server = Scripted::start(|asked, stream| {
        if asked.path.contains("chat") || asked.path.ends_with("/models") {
            usual(asked, stream);
            return;
        }
        let greedy = asked.body["temperature"] == 0.0;
        let log = |p: f64| if greedy { (p * 20.0).log10() } else { p.log10() };
        let token = |token: &str, p: f64| json!({"token": 9, "logprob": log(p), "bytes": token});
        let tops = json!([token("noir", 0.6), token("drama", 0.3), {"token": 4, "logprob": null, "bytes": "x"}]);
        open(stream);
        let logprobs =
            if asked.tops() { json!({"token": "noir", "logprob": -1, "top_logprobs": tops}) } else { Value::Null };
        event(stream, &json!({"choices": [{"text": "noir", "finish_reason": "stop", "logprobs": logprobs}]}));
        close(stream);
    });
    let engine = server.connect(quick());
    assert_eq!(engine.caps().score, ScoreKind::Approximate);
    let answer = engine.generate(request(&["noir", "drama"])).finish().unwrap();
    assert!((answer.scores[0].exp() - 0.6).abs() < 1e-9 && (answer.scores[1].exp() - 0.3).abs() < 1e-9);
    assert_eq!(answer.text, "noir");
    let temperatures: Vec<Value> = server.questions().iter().map(|asked| asked.body["temperature"].clone()).collect();
    assert_eq!(temperatures, [json!(1.0), json!(0.0)], "labels apart, then the text");
}

/// A server that reports what temperature 0 leaves of probabilities beside greedy answers: all of it on one token.
#[test]
fn what_temperature_leaves_of_probabilities_is_not_taken_for_the_models_own() {
    let server = Scripted::start(|asked, stream| {
        if asked.path.contains("chat") || asked.path.ends_with("/models") {
            usual(asked, stream);
            return;
        }
        let tops = match asked.body["temperature"] == 0.0 {
            true => json!({"noir": 0.0, "drama": -9999.0, "western": -9999.0}),
            false => json!({"noir": 0.6f64.ln(), "drama": 0.3f64.ln(), "western": 0.05f64.ln()}),
        };
        let logprobs = if asked.tops() { json!({"top_logprobs": [tops]}) } else { Value::Null };
        open(stream);
        event(stream, &json!({"choices": [{"text": "noir", "finish_reason": "stop", "logprobs": logprobs}]}));
        close(stream);
    });
    let engine = server.connect(quick());
    let answer = engine.generate(request(&["noir", "drama"])).finish().unwrap();
    let p: Vec<f64> = answer.scores.iter().map(|score| (score.exp() * 1e6).round() / 1e6).collect();
    assert_eq!((answer.text.as_str(), p), ("noir", vec![0.6, 0.3]));
    let alone = engine.score("film: tide\ntag:", &["noir".into(), "drama".into()]).unwrap();
    assert_eq!(alone, answer.scores, "one distribution, however labels are asked for");
}

/// Probabilities that sum to 1.03 once say nothing of what comes after them: its logarithms are what they were.
#[test]
fn one_odd_answer_changes_no_other() {
    let server = Scripted::playing(|time, _, stream| {
        let odd = if time == 0 { 0.53 } else { 0.3 };
        answer(stream, &["noir"], &[("noir", 0.5), ("drama", odd)]);
    });
    let engine = server.connect(quick());
    let labels = ["noir", "drama"];
    let odd = engine.generate(request(&labels)).finish().unwrap();
    assert_eq!((odd.text.as_str(), odd.scores.len()), ("noir", 0), "no probabilities sum to more than 1");
    let scores = engine.generate(request(&labels)).finish().unwrap().scores;
    let p: Vec<f64> = scores.iter().map(|score| (score.exp() * 1e6).round() / 1e6).collect();
    assert_eq!(p, [0.5, 0.3]);
}

#[test]
fn an_answer_that_does_not_come_is_cancelled_and_the_server_notices() {
    let (gone, noticed) = mpsc::channel();
    let gone = Mutex::new(gone);
    let server = Scripted::playing(move |_, _, stream| {
        open(stream);
        event(stream, &piece("no", &[], None));
        // Nothing more, until the other side goes.
        while stream.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
        let _ = gone.lock().unwrap().send(());
    });
    let engine = server.connect(quick());
    let mut generation = engine.generate(request(&[]));
    assert_eq!(generation.next(), Some(GenEvent::Token("no".into())));
    let cancel = generation.cancel_handle();
    let waiting = thread::spawn(move || generation.next());
    cancel.cancel();
    assert_eq!(waiting.join().unwrap(), None);
    noticed.recv_timeout(PATIENCE).expect("the connection is closed");
}

#[test]
fn tokens_come_as_the_server_lets_them_go() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let server = Scripted::playing(move |_, _, stream| {
        open(stream);
        for (text, finish) in [("one", None), (" two", None), (" three", Some("length"))] {
            gate.lock().unwrap().recv().unwrap();
            event(stream, &piece(text, &[], finish));
        }
        close(stream);
    });
    let engine = server.connect(quick());
    let mut generation = engine.generate(request(&[]));
    for text in ["one", " two", " three"] {
        release.send(()).unwrap();
        assert_eq!(generation.next(), Some(GenEvent::Token(text.into())));
    }
    assert!(matches!(generation.next(), Some(GenEvent::Done(stats)) if stats.tokens == 3));
    assert_eq!(generation.next(), None);
}

#[test]
fn an_answer_that_was_cut_begins_anew_and_is_never_joined() {
    let hands = Arc::<Hands>::default();
    let server = Scripted::playing(|time, _, stream| match time {
        0 => {
            open(stream);
            event(stream, &piece("half an", &[("noir", 0.9)], None));
            // Ends in the middle of a chunk.
            send(stream, b"40\r\ndata: {\"choi");
        }
        _ => answer(stream, &["whole"], &[("noir", 0.5)]),
    });
    let engine = server.connect(patience(&hands));
    let events = heard(&engine, request(&["noir"]));
    let [
        GenEvent::Scores(void),
        GenEvent::Token(half),
        lost,
        GenEvent::Scores(scores),
        GenEvent::Token(whole),
        GenEvent::Done(_),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((half.as_str(), whole.as_str()), ("half an", "whole"));
    assert!(void[0] > scores[0]);
    let outage = again(lost).to_string();
    let expected = format!("127.0.0.1:{}: connection lost (closed", server.port);
    assert!(outage.starts_with(&expected) && outage.ends_with("trying again in 1.0 s, 2 of 5"), "{outage}");
    assert_eq!(hands.waits(), [1.0]);
    // Whoever waits for the whole hears of the second alone.
    let server = Scripted::playing(|time, _, stream| match time {
        0 => event_and_gone(stream),
        _ => answer(stream, &["whole"], &[]),
    });
    assert_eq!(server.connect(quick()).generate(request(&[])).finish().unwrap().text, "whole");
}

/// Says something, and goes in the middle of the answer.
fn event_and_gone(stream: &mut TcpStream) {
    open(stream);
    event(stream, &piece("zebra", &[], None));
    stream.shutdown(Shutdown::Both).unwrap();
}

#[test]
fn a_stream_that_ends_without_an_end_was_cut() {
    let hands = Arc::<Hands>::default();
    let server = Scripted::playing(|_, _, stream| {
        open(stream);
        event(stream, &piece("half", &[], None));
        send(stream, b"0\r\n\r\n");
    });
    let events = heard(&server.connect(patience(&hands)), request(&[]));
    let Some(GenEvent::Failed(error)) = events.last() else { panic!("{events:?}") };
    let expected =
        format!("127.0.0.1:{} gives no answer: connection lost (closed in the middle) (attempts: 5); ", server.port);
    assert!(told(error).starts_with(&expected), "{error}");
    assert_eq!(hands.waits(), [1.0, 2.0, 4.0, 8.0], "each twice as long");
    assert_eq!(events.iter().filter(|event| matches!(event, GenEvent::Again(_))).count(), 4);
}

/// No reason for its end, no count, and signs of life between the pieces: every answer of such a server was refused.
#[test]
fn a_server_of_few_words_is_understood() {
    let play = |stream: &mut TcpStream, tops: &[(&str, f64)]| {
        open(stream);
        event(stream, &json!({"type": "ping"}));
        let mut first = piece("no", tops, None);
        first["usage"] = json!({"prompt_tokens": null, "completion_tokens": null});
        event(stream, &first);
        event(stream, &json!({"type": "ping"}));
        event(stream, &piece("ir", &[], None));
        close(stream);
    };
    let server = Scripted::start(move |asked, stream| match asked.path.as_str() {
        "/v1/completions" => play(stream, if asked.tops() { &[("noir", 0.5), ("drama", 0.3)] } else { &[] }),
        _ => assert!(usual(asked, stream), "{}", asked.path),
    });
    let hands = Arc::<Hands>::default();
    let answer = server.connect(patience(&hands)).generate(request(&["noir", "drama"])).finish().unwrap();
    assert_eq!((answer.text.as_str(), answer.stats.tokens, answer.scores.len()), ("noir", 2, 2));
    assert!(hands.waits().is_empty(), "and nothing was asked again");
    // An end before anything was said is none.
    let server = Scripted::playing(|_, _, stream| {
        open(stream);
        close(stream);
    });
    let error = server.connect(quick()).generate(request(&[])).finish().unwrap_err();
    assert!(told(&error).contains("connection lost (closed in the middle) (attempts: 5)"), "{error}");
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let server = Scripted::playing(|time, _, stream| match time {
        0 => reply(stream, "500 Internal Server Error", "text/html", "", "<html>\u{1b}[31mout of memory\nand more"),
        1 => reply(
            stream,
            "429 Too Many Requests",
            "application/json",
            "retry-after: 7\r\n",
            "{\"error\": {\"message\": \"slow down\"}}",
        ),
        2 => reply(stream, "503 Service Unavailable", "text/plain", "", ""),
        _ => answer(stream, &["noir"], &[]),
    });
    let hands = Arc::<Hands>::default();
    let events = heard(&server.connect(patience(&hands)), request(&[]));
    assert_eq!(events.len(), 5, "{events:?}");
    let reasons: Vec<&str> = events[..3].iter().map(|event| again(event).reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "500 internal server error: <html>␛[31mout of memory",
            "429 too many requests: slow down",
            "503 service unavailable"
        ]
    );
    assert_eq!(hands.waits(), [1.0, 7.0, 4.0], "what the server asks for is heeded");
}

#[test]
fn trouble_without_end_is_told_and_ends() {
    let server = Scripted::playing(|_, _, stream| refuse(stream, "500 Internal Server Error", "no luck"));
    let hands = Arc::<Hands>::default();
    let error = server.connect(patience(&hands)).generate(request(&[])).finish().unwrap_err();
    assert!(told(&error).contains("500 internal server error: no luck (attempts: 5)"), "{error}");
    assert_eq!(hands.waits().len(), 4);
    // Nobody waits an hour.
    let server = Scripted::playing(|_, _, stream| {
        reply(stream, "429 Too Many Requests", "text/plain", "retry-after: 3600\r\n", "come back");
    });
    let hands = Arc::<Hands>::default();
    let error = server.connect(patience(&hands)).generate(request(&[])).finish().unwrap_err();
    assert!(told(&error).contains("come back; it asks to wait 3600 s; ask again then"), "{error}");
    assert!(hands.waits().is_empty());
}

#[test]
fn a_wait_between_attempts_can_be_cancelled() {
    let server = Scripted::playing(|_, _, stream| refuse(stream, "503 Service Unavailable", "loading"));
    let hands = Hands::held();
    let engine = server.connect(patience(&hands));
    let mut generation = engine.generate(request(&[]));
    assert_eq!(again(&generation.next().unwrap()).attempt, 2);
    let cancel = generation.cancel_handle();
    let waiting = thread::spawn(move || generation.next());
    cancel.cancel();
    assert_eq!(waiting.join().unwrap(), None);
    assert_eq!(server.questions().len(), 1, "and nothing is asked after it");
}

#[test]
fn keys_are_asked_for_and_never_told() {
    let server = Scripted::start(|_, stream| refuse(stream, "401 Unauthorized", "Incorrect API key"));
    for (key, expected) in [(None, "it wants a key (401"), (Some("sesame-7"), "it does not take the key (401")] {
        let error = told(&server.try_connect(key, quick()).err().unwrap());
        assert!(error.contains(expected) && error.contains("set OPENAI_API_KEY"), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
    assert_eq!(server.asked.lock().unwrap().len(), 2, "a refusal is final");
    let error = told(&server.try_connect(Some("sesame\n7"), quick()).err().unwrap());
    assert!(error.contains("no request can carry") && !error.contains("sesame"), "{error}");
}

#[test]
fn a_key_that_a_server_repeats_is_told_nowhere() {
    type Play = fn(&str, &mut TcpStream);
    let plays: [Play; 5] = [
        |said, stream| refuse(stream, "401 Unauthorized", said),
        |said, stream| refuse(stream, "500 Internal Server Error", said),
        |said, stream| reply(stream, "200 OK", said, "", ""),
        |said, stream| {
            open(stream);
            chunk(stream, &format!("data: {}\n\n", json!({"choices": said})));
            close(stream);
        },
        |said, stream| {
            open(stream);
            event(stream, &piece("no", &[], None));
            event(stream, &json!({"error": {"message": said}}));
            close(stream);
        },
    ];
    let key = Some("sesame/\"7");
    for play in plays {
        let server =
            Scripted::playing(move |_, asked, stream| play(asked.authorization.as_deref().unwrap_or_default(), stream));
        let events = format!("{:?}", heard(&server.try_connect(key, quick()).unwrap(), request(&[])));
        assert!(events.contains("Bearer (the key)") && !events.contains("sesame"), "{events}");
    }
    let server = Scripted::start(|asked, stream| json_reply(stream, "200 OK", &json!({"data": asked.authorization})));
    let error = told(&server.try_connect(key, quick()).err().unwrap());
    assert!(error.contains("Bearer (the key)") && !error.contains("sesame"), "{error}");
}

#[test]
fn a_model_is_chosen_among_those_that_there_are() {
    let models = |names: &'static [&'static str]| {
        Scripted::start(move |asked, stream| match asked.path.as_str() {
            "/v1/models" => {
                let data: Vec<Value> = names.iter().map(|name| json!({"id": name})).collect();
                json_reply(stream, "200 OK", &json!({"data": data}));
            }
            _ => {
                usual(asked, stream);
            }
        })
    };
    let connect = |server: &Scripted, name: &str| {
        let address: Address = format!("{}{name}", server.url()).parse().unwrap();
        let server = Server::with(&address, None, quick())?;
        RemoteEngine::connect(server, &LoadOptions::default(), &|_| Ok(())).map(|engine| engine.caps().name.clone())
    };
    let several = models(&["a", "b\u{1b}[2J"]);
    let error = told(&connect(&several, "").unwrap_err());
    assert!(error.contains("it has 2 models; name one of its models after '#': a, b␛[2J"), "{error}");
    let error = told(&connect(&several, "#c").unwrap_err());
    assert!(error.contains("it has no model 'c'; name one of its models after '#': a, b␛[2J"), "{error}");
    assert_eq!(connect(&several, "#a").unwrap(), "a");
    assert_eq!(connect(&models(&["default", "/models/nano"]), "").unwrap(), "nano", "one, by two names");
    assert!(told(&connect(&models(&[]), "").unwrap_err()).contains("it has no model; load one"));
    // A server that does not list its models is believed.
    let silent = Scripted::start(|asked, stream| match asked.path.as_str() {
        "/v1/models" => refuse(stream, "404 Not Found", "no such route"),
        _ => {
            usual(asked, stream);
        }
    });
    assert_eq!(connect(&silent, "#anything").unwrap(), "anything");
    assert!(
        told(&connect(&silent, "").unwrap_err()).contains("does not say which models it has; name one: http://127")
    );
    // One that lists them in its own way, or not to everybody, needs not list the one that is named.
    type List = fn(&mut TcpStream);
    let bare: List = |stream| json_reply(stream, "200 OK", &json!([{"id": "b"}]));
    let lists: [(List, &str); 4] = [
        (bare, "b"),
        (|stream| refuse(stream, "403 Forbidden", "not for you"), "anything"),
        (|stream| json_reply(stream, "200 OK", &json!({"models": "many"})), "anything"),
        (|stream| reply(stream, "200 OK", "text/html", "", "<html>"), "anything"),
    ];
    for (list, name) in lists {
        let server = Scripted::start(move |asked, stream| match asked.path.as_str() {
            "/v1/models" => list(stream),
            _ => assert!(usual(asked, stream), "{}", asked.path),
        });
        assert_eq!(connect(&server, &format!("#{name}")).unwrap(), name);
        let unnamed = connect(&server, "");
        assert_eq!(unnamed.is_ok(), name == "b", "what is not named has to be listed: {unnamed:?}");
    }
}

#[test]
fn what_is_no_answer_is_told_once_and_clearly() {
    let garbled = |play: fn(&mut TcpStream)| {
        let server = Scripted::playing(move |_, _, stream| play(stream));
        let hands = Arc::<Hands>::default();
        let error = server.connect(patience(&hands)).generate(request(&[])).finish().unwrap_err();
        assert!(hands.waits().is_empty(), "it is not asked again: {error}");
        told(&error)
    };
    type Play = fn(&mut TcpStream);
    let cases: [(Play, &str); 6] = [
        (
            |stream| {
                open(stream);
                chunk(stream, "data: {\"choices\": [}\u{1b}[2J\n\n");
                close(stream);
            },
            "it sends what is no answer",
        ),
        (
            |stream| {
                open(stream);
                event(stream, &json!({"hello": "world"}));
                close(stream);
            },
            "no event of its answer has choices",
        ),
        (
            |stream| {
                open(stream);
                event(stream, &piece("no", &[], None));
                event(stream, &json!({"error": {"message": "CUDA error"}}));
                close(stream);
            },
            "it gave up in the middle: CUDA error",
        ),
        (
            |stream| reply(stream, "200 OK", "text/html", "", "<html>"),
            "it sends text/html instead of text/event-stream",
        ),
        (|stream| reply(stream, "302 Found", "text/html", "location: http://127.0.0.1:1/\r\n", ""), "302 found"),
        (
            |stream| {
                open(stream);
                let block = format!("data: {}", "x".repeat(64 << 10));
                chunk(stream, &block);
                // Until the other side has had enough.
                while stream.write_all(format!("{:x}\r\n{block}\r\n", block.len()).as_bytes()).is_ok() {}
            },
            "its answer has no end: more than 1 MiB",
        ),
    ];
    for (play, expected) in cases {
        let error = garbled(play);
        assert!(error.contains(expected) && !error.contains('\u{1b}') && error.len() < 500, "{expected}: {error}");
    }
    let server = Scripted::start(|_, stream| reply(stream, "200 OK", "application/json", "", "{\"data\": 7}"));
    let error = told(&server.try_connect(None, quick()).err().unwrap());
    assert!(error.contains("no answer") && error.contains("OpenAI-compatible server"), "{error}");
}

#[test]
fn a_server_that_never_speaks_is_given_up() {
    let hands = Arc::<Hands>::default();
    let clock = Arc::clone(&hands);
    let server = Scripted::playing(move |_, _, stream| {
        clock.struck.store(true, Ordering::Relaxed);
        while stream.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
    });
    let engine = server.connect(Patience { attempts: 2, ..patience(&hands) });
    let events = heard(&engine, request(&[]));
    let [lost, GenEvent::Failed(error)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(again(lost).reason, "no word from it for 120 s");
    assert!(told(error).contains("(attempts: 2)"), "{error}");
}

#[test]
fn a_reset_is_told_as_one() {
    let server = Scripted::playing(|_, _, stream| answer(stream, &["noir"], &[]));
    let engine = server.connect(quick());
    server.resets.store(1, Ordering::Relaxed);
    let events = heard(&engine, request(&[]));
    let [lost, GenEvent::Token(text), GenEvent::Done(_)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((again(lost).reason.as_str(), text.as_str()), ("connection lost (reset by peer)", "noir"));
}

#[test]
fn nobody_there_is_told_at_loading_and_a_load_can_be_cancelled() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address: Address = format!("http://127.0.0.1:{port}").parse().unwrap();
    let hands = Arc::<Hands>::default();
    let stages = Mutex::new(Vec::new());
    let observe = |stage: LoadStage| {
        stages.lock().unwrap().push(stage.to_string());
        Ok(())
    };
    let server = Server::with(&address, None, patience(&hands)).unwrap();
    let error = RemoteEngine::connect(server, &LoadOptions::default(), &observe).err().unwrap();
    assert!(told(&error).contains("gives no answer: connection refused (attempts: 5); see that it runs"), "{error}");
    assert_eq!(hands.waits().len(), 4);
    assert_eq!(stages.lock().unwrap().last().unwrap(), "asking the server again, 5 of 5");
    // Esc while it waits.
    let hands = Hands::held();
    let server = Server::with(&address, None, patience(&hands)).unwrap();
    let begun = Instant::now();
    let observe = |_| if hands.waits().is_empty() { Ok(()) } else { Err(EngineError::Cancelled) };
    let error = RemoteEngine::connect(server, &LoadOptions::default(), &observe).err().unwrap();
    assert_eq!(error, EngineError::Cancelled);
    assert!(begun.elapsed() < PATIENCE);
    let offline = LoadOptions {
        hub: logoscope::engine::download::Hub { offline: true, ..Default::default() },
        ..LoadOptions::default()
    };
    let error = Server::of(&"https://models.example".parse().unwrap(), &offline).err().unwrap();
    assert!(told(&error).contains("--offline"), "{error}");
    assert!(Server::of(&address, &offline).is_ok(), "this machine is no network");
}

#[test]
fn what_no_request_can_go_to_is_refused_and_not_waited_for() {
    for name in ["http://ho%st:80/v1#m", "http://ho|st:80/v1#m", "http://256.1.1.1/v1#m"] {
        let error = told(&Server::with(&name.parse().unwrap(), None, quick()).err().unwrap());
        assert!(error.contains("no request can go there (") && error.contains("see that the address"), "{error}");
    }
}

/// The workbench, with memory, a host and a model on a server: until `look` says which keys to press next.
fn workbench(loader: Arc<Loader>, mut look: impl FnMut(&app::state::State, &dyn Fn(&[&str]))) {
    let (out, inbox): (Sender<Message>, Receiver<Message>) = mpsc::channel();
    let memory = MemoryWorker::start(Source::Given(Box::new(dataset())), || {}, out.clone()).unwrap();
    let (events, shelf) = (out.clone(), Shelf::new(out.clone()));
    let host = EngineHost::with_loader(loader, Box::new(move |event| drop(events.send(Message::Host(event))))).unwrap();
    let host = Some(host);
    let runner = Runner {
        memory: memory.into(),
        host,
        shelf,
        scribe: None,
        keeper: None,
        profiler: None,
        fitter: None,
        surveyor: None,
        copy: None,
        suspend: None,
    };
    out.send(Message::ModelNamed("nano".into())).unwrap();
    let keys = |keys: &[&str]| keys.iter().for_each(|key| out.send(Message::Key(key.parse().unwrap())).unwrap());
    let mut state = started();
    let exit = app::run(&mut state, &runner, &inbox, |state| {
        look(state, &keys);
        Ok(Limits::default())
    });
    assert_eq!(exit.unwrap(), Exit::Done);
}

#[test]
fn the_workbench_shows_what_was_lost_and_goes_on_when_it_is_back() {
    let server = Scripted::playing(|time, _, stream| match time {
        0 => event_and_gone(stream),
        _ => answer(stream, &[" noir"], &[("noir", 0.5), ("drama", 0.3), ("comedy", 0.1), ("dystopia", 0.05)]),
    });
    let (address, hands) = (server.address(), Hands::held());
    let clock = Arc::clone(&hands);
    let loader: Arc<Loader> = Arc::new(move |_, observe| {
        let server = Server::with(&address, None, patience(&clock))?;
        Ok(Arc::new(RemoteEngine::connect(server, &LoadOptions::default(), observe)?))
    });
    let mut step = 0;
    workbench(loader, |state, keys| {
        let screen = text_of(&drawn(state, 200, 60));
        match step {
            0 if state.answers.outage().is_some() => {
                assert!(screen.contains("connection lost (closed") && screen.contains("2 of 5"), "{screen}");
                assert!(!screen.contains("zebra"), "what was said before is void: {screen}");
                step = 1;
                keys(&["?"]);
            }
            1 if state.overlay.is_some() => {
                step = 2;
                keys(&["esc"]);
                hands.release();
            }
            2 if state.answers.arms.iter().all(|arm| matches!(arm.phase, Phase::Done(_))) => {
                assert!(screen.matches("“noir”").count() == 4 && !screen.contains("connection lost"), "{screen}");
                assert!(screen.contains("approximate scores") && screen.contains("model says ~"), "{screen}");
                assert!(state.answers.arms.iter().all(|arm| arm.scores.is_some() && arm.text == " noir"));
                step = 3;
                keys(&["q"]);
            }
            _ => assert!(!matches!(state.model, ModelState::Failed(_)), "{screen}"),
        }
    });
    assert_eq!(step, 3);
}

#[test]
fn the_workbench_says_where_a_model_scores_nothing() {
    let server = Scripted::start(|asked, stream| match asked.path.as_str() {
        "/v1/completions" => answer(stream, &[" noir"], &[]),
        _ => {
            usual(asked, stream);
        }
    });
    let address = server.address();
    let loader: Arc<Loader> = Arc::new(move |_, observe| {
        Ok(Arc::new(RemoteEngine::connect(Server::with(&address, None, quick())?, &LoadOptions::default(), observe)?))
    });
    workbench(loader, |state, keys| {
        if state.answers.arms.iter().all(|arm| matches!(arm.phase, Phase::Done(_))) && state.exit.is_none() {
            let screen = text_of(&drawn(state, 200, 60));
            assert!(screen.contains("no label scores") && screen.matches("no scores").count() == 4, "{screen}");
            keys(&["q"]);
        }
    });
}

fn logoscope(arguments: &[&str], key: &str) -> (String, String, i32) {
    let mut command = crate::program();
    let home = tempfile::tempdir().unwrap();
    command.args(arguments).env("HOME", home.path()).env("OPENAI_API_KEY", key).env_remove("XDG_CACHE_HOME");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// Of texts no labels are compared, so that who scores none can be compared.
#[test]
fn parity_of_texts_compares_texts_alone() {
    use logoscope::data::synth::{Parameters, headlines};

    let data = tempfile::tempdir().unwrap();
    headlines(&Parameters { users: 20, mean_history: 10, ..Parameters::of_headlines() }).0.write(data.path()).unwrap();
    let server = without_probabilities();
    let parity = ["parity", "--data", data.path().to_str().unwrap(), "--model", &server.url(), "--queries", "1"];
    let (out, err, code) = logoscope(&parity, "");
    assert_eq!((err.as_str(), code), ("", 0), "{out}");
    assert!(out.contains("4 answers: 0 labels and 0 texts differ, 0 really"), "{out}");
}

#[test]
fn commands_ask_a_server_and_say_that_its_scores_are_estimates() {
    let server = Scripted::playing(|_, _, stream| answer(stream, &["comedy"], &[("comedy", 0.5), ("sci-fi", 0.3)]));
    let url = server.url();
    let ask = [
        "ask",
        "--user",
        "u017",
        "--query",
        "A curfew in the flooded city",
        "--model",
        &url,
        "--weight",
        "model-trust=1",
    ];
    let (out, err, code) = logoscope(&[&ask[..], &["--format", "json"]].concat(), "sesame-7");
    assert_eq!((err.as_str(), code), ("", 0));
    let asked: Value = serde_json::from_str(&out).unwrap();
    let host = format!("127.0.0.1:{}", server.port);
    assert_eq!(asked["model"], json!({"name": "tiny", "device": host, "scores": "approximate"}));
    assert_eq!(asked["arms"]["none"]["answer"], "comedy");
    assert_eq!(server.questions()[0].authorization.as_deref(), Some("Bearer sesame-7"));
    let (out, _, _) = logoscope(&ask, "");
    assert!(out.contains("answers (the model gives approximate scores):"), "{out}");
    let (out, err, code) = logoscope(&["doctor", "--model", &url], "sesame-7");
    assert!(
        code == 0 && out.contains(&format!("tiny: {host} completions, context 2048, approximate scores")),
        "{out}{err}"
    );
    // The same model is known again, another is not.
    let home = tempfile::tempdir().unwrap();
    let session = home.path().join("s.jsonl");
    let session = session.to_str().unwrap();
    let scenario = ["scenario", "cold-start", "--user", "u017", "--out", session, "--model", &url];
    let (out, err, code) = logoscope(&scenario, "sesame-7");
    assert_eq!((err.as_str(), code), ("", 0), "{out}");
    let recorded = std::fs::read_to_string(session).unwrap();
    assert!(recorded.contains(&host) && !recorded.contains("sesame"), "{recorded}");
    let (out, err, code) = logoscope(&["replay", session, "--check", "--model", &url], "sesame-7");
    assert_eq!((err.as_str(), code), ("", 0), "{out}");
    let other = Scripted::playing(|_, _, stream| answer(stream, &["comedy"], &[]));
    let (out, _, _) = logoscope(&["replay", session, "--check", "--model", &other.url()], "");
    assert!(out.contains("another one"), "{out}");
    for said in [out, err] {
        assert!(!said.contains("sesame"), "{said}");
    }
}

/// What a real server makes of the shipped sample: speed, time to first token, and how often it names the label that the
/// dataset holds right. `LOGOSCOPE_SERVER` is its address: `cargo test --test it a_real_server -- --ignored --nocapture`.
#[test]
#[ignore = "needs a server, named by LOGOSCOPE_SERVER"]
fn a_real_server_answers_the_sample() {
    use logoscope::engine::answer::request;
    use logoscope::engine::prompt::{Arm, Blocks};
    use logoscope::mediator::{Policy, Weights};
    use logoscope::memory::Memory;

    let address: Address =
        std::env::var("LOGOSCOPE_SERVER").expect("LOGOSCOPE_SERVER=http://host:port/v1").parse().unwrap();
    let server = Server::of(&address, &LoadOptions::default()).unwrap();
    let engine = RemoteEngine::connect(server, &LoadOptions::default(), &|_| Ok(())).unwrap();
    println!("{:?}", engine.caps());
    let sample = logoscope::data::sample::dataset().unwrap();
    let memory = Memory::build(&sample);
    let weights = Weights::defaults(Policy::of(sample.manifest.task), &sample.manifest);
    let labels = memory.scored_labels();
    let (mut tokens, mut seconds, mut first, mut right, mut written, mut asked) = (0, 0.0, Vec::new(), 0, 0, 0);
    let mut queries: Vec<_> = sample.queries.iter().filter(|query| query.gold.is_some()).collect();
    queries.truncate(std::env::var("LOGOSCOPE_QUERIES").map_or(50, |n| n.parse().unwrap()));
    for query in queries {
        let read = memory.read(&query.user, &query.query, query.at).unwrap();
        for arm in Arm::ALL {
            let mut request = request(&Blocks::of(&memory, &query.query, &read), labels, arm, &weights);
            request.stop.clear();
            let answer = engine.generate(request).finish().unwrap();
            assert_eq!(answer.scores.len(), labels.len());
            assert!(answer.scores.iter().all(|score| score.is_finite() && *score <= 0.0));
            let best = (0..labels.len()).max_by(|a, b| answer.scores[*a].total_cmp(&answer.scores[*b])).unwrap();
            asked += 1;
            right += usize::from(Some(&labels[best]) == query.gold.as_ref());
            // Greedy text and scores are two views of one distribution.
            written += usize::from(answer.text.trim_start().starts_with(labels[best].trim()));
            tokens += answer.stats.tokens;
            seconds += answer.stats.elapsed.as_secs_f64();
            first.push(answer.stats.ttft);
        }
    }
    first.sort();
    println!("{asked} answers, {tokens} tokens, {:.0} tokens/s", tokens as f64 / seconds);
    println!("first token: p50 {:?}, p95 {:?}", first[first.len() / 2], first[first.len() * 95 / 100]);
    println!("likeliest label right {right}, likeliest label written {written} of {asked}");
    assert!(written * 10 >= asked * 9, "what it finds likeliest is what it writes: {written} of {asked}");
}
