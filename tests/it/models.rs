//! Any model: GGUF beside safetensors, hubs that break off, devices and memory that are not there; and many loads, cancels
//! and swaps in a row.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;

use logoscope::engine::download::{Body, Checksum, Hub, Stopped, Token, Unheard, Wanted};
use logoscope::engine::engine::{Cancel, Engine, Form, GenEvent, GenRequest, LoadStage};
use logoscope::engine::error::EngineError;
use logoscope::engine::host::{EngineHost, HostEvent, Ticket};
use logoscope::engine::local::LocalEngine;
use logoscope::engine::model::{DeviceChoice, HubId, LoadOptions, Located, ModelSpec, Quantisation};
use logoscope::engine::room::{self, Allowance};
use logoscope::engine::trace::{Continuation, TraceRequest};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::engine::tiny_llama::{self, Gguf, LABELS};

fn folder(write: impl FnOnce(&Path)) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    dir
}

fn llama() -> TempDir {
    folder(tiny_llama::write)
}

/// A GGUF file of the same weights as [`llama`], with keys changed.
fn gguf(dir: &Path, change: impl FnOnce(&mut Vec<(String, Gguf)>)) -> PathBuf {
    let mut keys = tiny_llama::gguf_keys();
    change(&mut keys);
    let file = dir.join("tiny.gguf");
    fs::write(&file, tiny_llama::gguf(&keys, &tiny_llama::tensors(1, false))).unwrap();
    file
}

fn request(prompt: &str, max_tokens: usize) -> GenRequest {
    GenRequest { prompt: prompt.into(), max_tokens, ..GenRequest::default() }
}

fn answer(engine: &dyn Engine, prompt: &str) -> String {
    engine.generate(request(prompt, 12)).finish().unwrap().text
}

fn scores(engine: &dyn Engine) -> Vec<f64> {
    engine.score("genre:", &LABELS.map(String::from)).unwrap()
}

fn loaded(path: &Path, options: &LoadOptions) -> LocalEngine {
    LocalEngine::load_with(path, options, &|_| Ok(())).unwrap()
}

fn refusal(path: &Path, options: &LoadOptions) -> String {
    let error = LocalEngine::load_with(path, options, &|_| Ok(())).err().expect("it must not load").to_string();
    assert!(!error.contains('\n') && !error.contains("panick") && !error.contains("unwrap"), "{error}");
    error
}

/// Behind a colon a model says a space and the word, unless it was made for prompts of this form.
#[test]
fn a_general_model_is_asked_for_words_as_it_says_them() {
    let words = |engine: &dyn Engine, prompt: &str, words: bool| {
        let labels = LABELS.map(String::from).to_vec();
        engine.generate(GenRequest { labels, words, ..request(prompt, 0) }).finish().unwrap().scores
    };
    let spaced = LABELS.map(|label| format!(" {label}"));
    let dir = llama();
    let general = LocalEngine::load(dir.path()).unwrap();
    assert_eq!(words(&general, "film\ngenre:", true), general.score("film\ngenre:", &spaced).unwrap());
    assert_eq!(words(&general, "genre:", false), scores(&general), "a text is what it is");
    assert_eq!(words(&general, "genre: ", true), general.score("genre: ", &LABELS.map(String::from)).unwrap());
    fs::write(dir.path().join("logoscope.json"), format!("{{\"labels\": {:?}}}", LABELS)).unwrap();
    let trained = LocalEngine::load(dir.path()).unwrap();
    assert_eq!(words(&trained, "genre:", true), scores(&trained));
}

/// What a tokenizer puts in front of a text stands in front of every prompt that a general model continues, and nowhere else.
#[test]
fn a_general_model_reads_the_beginning_that_it_was_trained_with() {
    const FIRST: u32 = tiny_llama::VOCABULARY as u32 - 1;
    let labels = ["<noir>".to_owned(), "true story".to_owned()];
    let reads = |engine: &LocalEngine, first: &[u32]| {
        let behind = |text: &str| [first, &engine.encode(text)].concat();
        let ids = [engine.encode("<noir>"), engine.encode("true story")];
        let scores = engine.score("genre:", &labels).unwrap();
        assert_eq!(scores, engine.score_ids(&behind("genre:"), &ids).unwrap());
        let (continuation, labels) = (Continuation::Text(labels[0].clone()), labels.to_vec());
        let traced = TraceRequest { prompt: "genre:".into(), continuation, labels, words: false };
        assert_eq!(engine.trace(&traced, &Cancel::default()).unwrap().scores, scores);
        let end = engine.score_ids(&behind("Once"), &[vec![FIRST]]).unwrap()[0];
        assert_eq!(engine.score_end("Once").unwrap(), Some(end));
        let answered = engine.generate(request("Once", 3)).finish().unwrap();
        assert_eq!(answered.stats.prompt_tokens, first.len() + 4);
        assert_eq!(engine.generate(request("", 3)).finish(), Err(EngineError::EmptyPrompt));
    };
    let dir = folder(|dir| {
        tiny_llama::write(dir);
        let end = json!({"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}});
        let [text, other] = ["A", "B"].map(|name| json!({"Sequence": {"id": name, "type_id": 0}}));
        let mut tokenizer = tiny_llama::tokenizer();
        tokenizer["post_processor"] = json!({
            "type": "TemplateProcessing", "single": [end, text, end], "pair": [end, text, end, other, end],
            "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [FIRST], "tokens": ["<|endoftext|>"]}},
        });
        fs::write(dir.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        fs::write(dir.join("chat_template.jinja"), "{{ messages[0]['content'] }}").unwrap();
    });
    let general = LocalEngine::load(dir.path()).unwrap();
    reads(&general, &[FIRST]);
    let told = general.generate(GenRequest { form: Form::Chat, ..request("Once", 3) }).finish().unwrap();
    assert_eq!(told.stats.prompt_tokens, 4, "a template writes its own");
    fs::write(dir.path().join("logoscope.json"), "{\"labels\": [\"<noir>\"]}").unwrap();
    reads(&LocalEngine::load(dir.path()).unwrap(), &[]);
    // The same from what a GGUF file says.
    let alone = tempfile::tempdir().unwrap();
    for (cut, add, first) in [
        ("llama-bpe", None, &[FIRST][..]),
        ("llama-bpe", Some(false), &[]),
        ("gpt-2", None, &[]),
        ("gpt-2", Some(true), &[FIRST]),
    ] {
        let file = gguf(alone.path(), |keys| {
            keys.retain(|(key, _)| key != "tokenizer.ggml.pre");
            keys.push(("tokenizer.ggml.pre".into(), Gguf::Text(cut.into())));
            keys.push(("tokenizer.ggml.bos_token_id".into(), Gguf::Number(FIRST)));
            keys.extend(add.map(|add| ("tokenizer.ggml.add_bos_token".into(), Gguf::Bool(add))));
        });
        reads(&LocalEngine::load(&file).unwrap(), first);
    }
}

/// Of a byte-level tokenizer every text begins every longer one: what stands behind it is the longer one's.
#[test]
fn a_label_that_begins_another_has_what_the_other_leaves() {
    let dir = llama();
    let engine = LocalEngine::load(dir.path()).unwrap();
    let alone = |label: &str| engine.score("genre:", &[label.to_owned()]).unwrap()[0].exp();
    let both = engine.score("genre:", &["a".to_owned(), "ab".to_owned()]).unwrap();
    assert!((both[1].exp() - alone("ab")).abs() < 1e-9);
    assert!((both[0].exp() - (alone("a") - alone("ab"))).abs() < 1e-9);
}

/// A template in a GGUF's header is used as one in a folder is, and may name the header's own tokens.
#[test]
fn a_gguf_file_is_told_in_the_form_of_its_own_chat_template() {
    let dir = llama();
    let template = "{% for message in messages %}[{{ message['content'] }}]{{ eos_token }}{% endfor %}";
    let chats = Gguf::Text(template.into());
    let engine = LocalEngine::load(&gguf(dir.path(), |keys| {
        keys.push(("tokenizer.chat_template".into(), chats));
        keys.push(("tokenizer.ggml.bos_token_id".into(), Gguf::Number(1 << 20)));
    }));
    let engine = engine.unwrap();
    assert!(engine.caps().chat);
    let told = |prompt: &str, form| GenRequest { form, ..request(prompt, 6) };
    let by_template = engine.generate(told("say", Form::Chat)).finish().unwrap();
    // What a template writes is a token; the same in a text would be none.
    let by_hand = [engine.encode("[say]"), vec![tiny_llama::VOCABULARY as u32 - 1]].concat();
    assert_eq!(by_template.stats.prompt_tokens, by_hand.len());
    let letters: Vec<Vec<u32>> = (0x20..0x7F).map(|letter| vec![letter]).collect();
    let found = engine.score_ids(&by_hand, &letters).unwrap();
    let likeliest = (0..letters.len()).max_by(|a, b| found[*a].total_cmp(&found[*b])).unwrap();
    assert_eq!(u32::from(by_template.text.as_bytes()[0]), letters[likeliest][0]);

    let silent = LocalEngine::load(&gguf(dir.path(), |_| ())).unwrap();
    assert!(!silent.caps().chat, "without one in the header there is none");
    assert_eq!(answer(&silent, "say"), answer(&engine, "say"), "what is continued is sent as it is");
}

#[test]
fn a_gguf_file_answers_as_the_safetensors_of_the_same_weights() {
    let dir = llama();
    let file = gguf(dir.path(), |_| ());
    let reference = LocalEngine::load(dir.path()).unwrap();
    // Once with the tokenizer.json beside it, once with the tokenizer that its header describes.
    for alone in [false, true] {
        if alone {
            fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
        }
        let engine = LocalEngine::load(&file).unwrap();
        assert_eq!(engine.encode(" a<noir>é"), reference.encode(" a<noir>é"), "alone: {alone}");
        for (found, expected) in scores(&engine).iter().zip(scores(&reference)) {
            assert!((found - expected).abs() < 1e-3, "{found} and {expected}");
        }
        assert_eq!(answer(&engine, "Once"), answer(&reference, "Once"));
        let (caps, expected) = (engine.caps(), reference.caps());
        assert_eq!((caps.name.as_str(), caps.dtype.as_str()), ("tiny", "f32"));
        assert_eq!((caps.parameters, caps.max_context), (expected.parameters, expected.max_context));
        let need = engine.origin().unwrap().need;
        assert_eq!((need.cache, need.context), (2 * 2 * 32 * 512 * 4, 512), "layers, keys and values, width, context");
        assert_eq!(need.positions, 5 * 512 * 16 * 4, "tables, context, half a head");
    }
}

#[test]
fn qwen_loads_streams_and_scores() {
    let dir = folder(tiny_llama::write_qwen);
    let engine = LocalEngine::load(dir.path()).unwrap();
    let pieces: Vec<GenEvent> = engine.generate(request("Once", 12)).collect();
    assert_eq!(pieces.iter().filter(|event| matches!(event, GenEvent::Token(_))).count(), 12, "{pieces:?}");
    assert!(scores(&engine).iter().all(|score| score.is_finite() && *score < 0.0));
    assert_ne!(answer(&engine, "Once"), answer(&LocalEngine::load(llama().path()).unwrap(), "Once"));
}

#[test]
fn shards_are_one_model() {
    let whole = llama();
    let dir = llama();
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let tensors = tiny_llama::tensors(1, false);
    let (first, second) = tensors.split_at(tensors.len() / 2);
    let mut map = serde_json::Map::new();
    for (number, part) in [(1, first), (2, second)] {
        let name = format!("model-0000{number}-of-00002.safetensors");
        fs::write(dir.path().join(&name), tiny_llama::safetensors(part)).unwrap();
        map.extend(part.iter().map(|(tensor, ..)| (tensor.clone(), json!(name))));
    }
    fs::write(dir.path().join("model.safetensors.index.json"), json!({"weight_map": map}).to_string()).unwrap();
    // As some publish them a second time, under names of their own.
    fs::write(dir.path().join("consolidated.safetensors"), "the same in other words").unwrap();
    let (one, two) = (LocalEngine::load(whole.path()).unwrap(), LocalEngine::load(dir.path()).unwrap());
    assert_eq!((answer(&one, "Once"), scores(&one)), (answer(&two, "Once"), scores(&two)));
}

#[test]
fn weights_are_quantised_while_they_are_read() {
    let dir = llama();
    let exact = scores(&LocalEngine::load(dir.path()).unwrap());
    // Weights without any pattern suffer most from few bits.
    for (kind, least, most) in [(Quantisation::Q8_0, 1e-6, 0.3), (Quantisation::Q4K, 0.01, 3.0)] {
        let options = LoadOptions { quantize: Some(kind), ..LoadOptions::default() };
        let engine = loaded(dir.path(), &options);
        assert_eq!(engine.caps().dtype, kind.name());
        let found = scores(&engine);
        let off = found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!((least..most).contains(&off), "{}: {found:?} and {exact:?}", kind.name());
        assert_eq!(answer(&engine, "Once").len(), 12);
    }
    let file = gguf(dir.path(), |_| ());
    let told = refusal(&file, &LoadOptions { quantize: Some(Quantisation::Q4K), ..LoadOptions::default() });
    assert!(told.contains("quantised already"), "{told}");
}

#[test]
fn a_gguf_file_that_cannot_be_used_is_refused_in_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let set = |key: &'static str, value: Gguf| {
        move |keys: &mut Vec<(String, Gguf)>| {
            keys.iter_mut().filter(|(k, _)| k == key).for_each(|(_, v)| *v = value.clone())
        }
    };
    let without = |key: &'static str| move |keys: &mut Vec<(String, Gguf)>| keys.retain(|(k, _)| k != key);
    type Change<'a> = &'a dyn Fn(&mut Vec<(String, Gguf)>);
    let told = |change: Change| refusal(&gguf(dir.path(), change), &LoadOptions::default());
    for (message, wanted) in [
        (told(&set("general.architecture", Gguf::Text("gemma3".into()))), "architecture \"gemma3\""),
        (told(&set("general.architecture", Gguf::Text("gemma3".into()))), "loads llama, mistral3"),
        (told(&without("llama.rope.dimension_count")), "llama.rope.dimension_count"),
        (told(&without("tokenizer.ggml.tokens")), "no tokenizer"),
        (told(&set("tokenizer.ggml.pre", Gguf::Text("hieroglyphs".into()))), "\"hieroglyphs\""),
        (told(&without("tokenizer.ggml.pre")), "does not say how its tokenizer cuts texts"),
        (told(&set("tokenizer.ggml.model", Gguf::Text("t5".into()))), "tokenizer.json beside"),
        (told(&set("llama.context_length", Gguf::Number(100))), "context of 100"),
        // The library's own doubts come as a message as well.
        (told(&set("llama.block_count", Gguf::Number(3))), "blk.2"),
    ] {
        assert!(message.contains(wanted), "{message}");
        assert!(message.starts_with("cannot load the model in /"), "{message}");
    }
    let whole = fs::read(gguf(dir.path(), |_| ())).unwrap();
    let file = dir.path().join("cut.gguf");
    fs::write(&file, &whole[..whole.len() - 1000]).unwrap();
    assert!(refusal(&file, &LoadOptions::default()).contains("promises"));
    fs::write(&file, "not a model").unwrap();
    assert!(refusal(&file, &LoadOptions::default()).contains("no GGUF file"));
    assert!(refusal(Path::new("/no/such.gguf"), &LoadOptions::default()).contains("there is no such file"));
}

#[test]
fn what_does_not_fit_is_refused_and_may_be_loaded_all_the_same() {
    let dir = llama();
    let with = |memory| LoadOptions { memory, ..LoadOptions::default() };
    let told = refusal(dir.path(), &with(Allowance::Bytes(100_000)));
    assert!(
        told.contains("it needs") && told.contains("100 kB may be taken") && told.contains("--memory any"),
        "{told}"
    );
    assert_eq!(answer(&loaded(dir.path(), &with(Allowance::Any)), "Once").len(), 12);
    assert!(refusal(dir.path(), &with(Allowance::Bytes(1))).contains("pass --quantize q4k"));
    // What is as small already is made no smaller by that.
    let small = LoadOptions { quantize: Some(Quantisation::Q4K), ..with(Allowance::Bytes(1)) };
    for told in [refusal(dir.path(), &small), refusal(&gguf(dir.path(), |_| ()), &with(Allowance::Bytes(1)))] {
        assert!(told.contains("choose a smaller model, or pass --memory any") && !told.contains("q4k"), "{told}");
    }
    // With little room for keys and values, fewer tokens are the remedy.
    let long = folder(|dir| tiny_llama::write_other(dir, 1, 6144));
    let options =
        |context| LoadOptions { context: Some(context), memory: Allowance::Bytes(3_000_000), ..LoadOptions::default() };
    assert!(refusal(long.path(), &options(6144)).contains("--context"));
    let engine = loaded(long.path(), &options(600));
    assert_eq!(engine.caps().max_context, 1024, "whole blocks of the cache");
    assert_eq!(loaded(long.path(), &LoadOptions::default()).caps().max_context, 4096);
    // What the library computes for every position that a model knows takes room even where few are asked for.
    let longer = folder(|dir| tiny_llama::write_other(dir, 1, 1 << 20));
    let told = refusal(longer.path(), &options(600));
    assert!(told.contains("336 MB of positions") && !told.contains("--context"), "{told}");
}

/// The library would ask for more room than there is, and the process would end.
#[test]
fn a_context_that_no_model_has_is_refused_whatever_may_be_taken() {
    let any = LoadOptions { memory: Allowance::Any, ..LoadOptions::default() };
    let dir = tempfile::tempdir().unwrap();
    let endless = gguf(dir.path(), |keys| {
        keys.iter_mut().filter(|(key, _)| key == "llama.context_length").for_each(|(_, value)| {
            *value = Gguf::Number(u32::MAX);
        });
    });
    let told = refusal(&endless, &any);
    assert!(told.contains("its llama.context_length is 4294967295") && told.contains("16777216 tokens"), "{told}");
    let long = folder(|dir| tiny_llama::write_other(dir, 1, 1 << 25));
    let told = refusal(long.path(), &any);
    assert!(told.contains("\"max_position_embeddings\" is 33554432"), "{told}");
}

#[test]
fn a_device_that_is_not_there_is_a_message_and_auto_is_the_processor() {
    let dir = llama();
    let on = |device| LoadOptions { device, ..LoadOptions::default() };
    let reference = answer(&loaded(dir.path(), &on(DeviceChoice::Cpu)), "Once");
    if cfg!(not(any(feature = "cuda", feature = "metal"))) {
        for device in [DeviceChoice::Cuda(1), DeviceChoice::Metal] {
            let told = refusal(dir.path(), &on(device));
            assert!(told.starts_with(&format!("cannot run on {device}: ")) && told.contains("build with"), "{told}");
        }
        let engine = loaded(dir.path(), &on(DeviceChoice::Auto));
        assert_eq!((engine.caps().device.as_str(), answer(&engine, "Once")), ("cpu", reference));
    }
}

/// A hub on the loopback interface.
struct Served {
    endpoint: String,
    over: Arc<AtomicBool>,
    /// Requests as they came, headers included.
    asked: Arc<Mutex<Vec<String>>>,
}

/// What a served hub does to the bodies of files.
#[derive(Clone, Default)]
struct Habits {
    /// Bytes after which each connection in turn breaks off; whole bodies afterwards.
    cuts: Vec<usize>,
    /// Whether a part of a file can be asked for.
    deaf: bool,
    /// Whether files are other than stated.
    lying: bool,
    /// Where else its files are: it holds none itself.
    elsewhere: Option<String>,
}

fn serve(files: BTreeMap<String, Vec<u8>>, habits: Habits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let (ended, heard) = (Arc::clone(&over), Arc::clone(&asked));
    thread::spawn(move || {
        let mut cuts = habits.cuts.into_iter();
        for stream in listener.incoming() {
            if ended.load(Ordering::Relaxed) {
                return;
            }
            let Ok(mut stream) = stream else { continue };
            let Some(request) = headers(&stream) else { continue };
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let from =
                request.lines().find_map(|line| line.strip_prefix("Range: bytes=")?.strip_suffix('-')?.parse().ok());
            heard.lock().unwrap().push(request);
            let (status, extra, body) = match path.split_once("/resolve/c0ffee/") {
                Some(_) if habits.elsewhere.is_some() => {
                    let place = format!("Location: {}{path}\r\n", habits.elsewhere.as_deref().unwrap_or_default());
                    ("307 Temporary Redirect", place, Vec::new())
                }
                Some((_, name)) => match files.get(name) {
                    Some(file) => {
                        let mut file = file.clone();
                        if habits.lying {
                            file.iter_mut().for_each(|byte| *byte ^= 1);
                        }
                        match from.filter(|_| !habits.deaf) {
                            Some(from) if from < file.len() => {
                                let range =
                                    format!("Content-Range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len());
                                ("206 Partial Content", range, file.split_off(from))
                            }
                            Some(_) => ("416 Range Not Satisfiable", String::new(), Vec::new()),
                            None => ("200 OK", String::new(), file),
                        }
                    }
                    None => ("404 Not Found", String::new(), Vec::new()),
                },
                None if path.starts_with("/api/models/acme/tiny/revision/main") => {
                    ("200 OK", String::new(), listing(&files).to_string().into_bytes())
                }
                None => ("404 Not Found", String::new(), Vec::new()),
            };
            let head =
                format!("HTTP/1.1 {status}\r\n{extra}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let cut = if path.contains("/resolve/") { cuts.next() } else { None };
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body[..cut.unwrap_or(body.len()).min(body.len())]);
        }
    });
    Served { endpoint, over, asked }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
    }
}

fn headers(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut request = String::new();
    loop {
        let before = request.len();
        if reader.read_line(&mut request).ok()? == 0 || request[before..].trim().is_empty() {
            return (!request.is_empty()).then_some(request);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As a hub lists files: large ones by SHA-256, small ones by git's name for them.
fn listing(files: &BTreeMap<String, Vec<u8>>) -> Value {
    let sibling = |(name, bytes): (&String, &Vec<u8>)| {
        let git = hex(&Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize());
        match name.ends_with(".json") {
            true => json!({"rfilename": name, "size": bytes.len(), "blobId": git}),
            false => json!({"rfilename": name, "size": bytes.len(), "blobId": git,
                            "lfs": {"sha256": hex(&Sha256::digest(bytes)), "size": bytes.len(), "pointerSize": 130}}),
        }
    };
    json!({"id": "acme/tiny", "sha": "c0ffee", "siblings": files.iter().map(sibling).collect::<Vec<_>>()})
}

/// The files of a model, as a repository holds them, with some that nobody wants.
fn repository(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.insert("README.md".into(), b"a card".to_vec());
    files.insert("pytorch_model.bin".into(), vec![7; 1000]);
    files
}

fn hub(cache: &Path, endpoint: &str) -> Hub {
    Hub { endpoint: endpoint.to_owned(), token: None, offline: false, cache: cache.to_owned(), shared: None }
}

fn id(text: &str) -> HubId {
    text.parse().unwrap()
}

fn quiet(_: LoadStage) -> Result<(), EngineError> {
    Ok(())
}

/// Names in a model's folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_model_of_a_hub_is_downloaded_once_and_answers() {
    let dir = llama();
    gguf(dir.path(), |_| ());
    let served = serve(repository(dir.path()), Habits::default());
    let cache = tempfile::tempdir().unwrap();
    let mut options = LoadOptions { hub: hub(cache.path(), &served.endpoint), ..LoadOptions::default() };
    options.hub.token = Token::read("secret", "HF_TOKEN");
    let stages = Mutex::new(Vec::new());
    let observe = |stage| {
        stages.lock().unwrap().push(stage);
        Ok(())
    };
    let spec = |name: &str| ModelSpec { name: name.into(), options: options.clone() };
    let engine = LocalEngine::load_named(&spec("acme/tiny"), &observe).unwrap();
    let reference = answer(&LocalEngine::load(dir.path()).unwrap(), "Once");
    assert_eq!((engine.caps().name.as_str(), answer(&engine, "Once")), ("tiny", reference.clone()));
    let home = cache.path().join("hub/acme--tiny");
    assert_eq!(names(&home), ["config.json", "model.safetensors", "tokenizer.json"], "no card, no pickle, no part");
    assert_eq!(engine.origin().unwrap().place, Located::Files(home.canonicalize().unwrap()));
    let heard = stages.into_inner().unwrap();
    let total: u64 = names(&home).iter().map(|name| fs::metadata(home.join(name)).unwrap().len()).sum();
    assert!(heard.contains(&LoadStage::Downloading { done: total, total }), "{heard:?}");
    assert!(served.asked.lock().unwrap().iter().all(|asked| asked.contains("Authorization: Bearer secret")));
    assert!(!format!("{:?}", options.hub).contains("secret"));
    // One GGUF file of it, by name.
    let engine = LocalEngine::load_named(&spec("acme/tiny:tiny.gguf"), &quiet).unwrap();
    assert_eq!(answer(&engine, "Once"), reference);
    let asked = served.asked.lock().unwrap().len();
    assert_eq!(answer(&LocalEngine::load_named(&spec("acme/tiny"), &quiet).unwrap(), "Once"), reference);
    assert_eq!(served.asked.lock().unwrap().len(), asked, "what is here is not asked for");
    drop(served);
    options.hub.offline = true;
    let spec = |name: &str| ModelSpec { name: name.into(), options: options.clone() };
    assert_eq!(answer(&LocalEngine::load_named(&spec("acme/tiny:tiny.gguf"), &quiet).unwrap(), "Once"), reference);
    let told = LocalEngine::load_named(&spec("acme/other"), &quiet).err().unwrap().to_string();
    assert!(told.starts_with("cannot download acme/other: it is not on this machine"), "{told}");
}

/// Another port of the same machine is somebody else.
#[test]
fn the_token_stays_with_the_hub_when_that_redirects() {
    let dir = llama();
    let store = serve(repository(dir.path()), Habits::default());
    let elsewhere = Some(store.endpoint.clone());
    let served = serve(repository(dir.path()), Habits { elsewhere, ..Habits::default() });
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub { token: Token::read("secret", "HF_TOKEN"), ..hub(cache.path(), &served.endpoint) };
    let home = hub.fetch(&id("acme/tiny"), &quiet).unwrap();
    assert_eq!(names(&home), ["config.json", "model.safetensors", "tokenizer.json"]);
    let (asked, passed) = (served.asked.lock().unwrap(), store.asked.lock().unwrap());
    assert!(asked.len() == 4 && asked.iter().all(|asked| asked.contains("Authorization: Bearer secret")), "{asked:?}");
    assert!(passed.len() == 3 && passed.iter().all(|asked| !asked.contains("Authorization")), "{passed:?}");
}

/// What no request can carry is refused by where it stands, and never told.
#[test]
fn a_token_that_cannot_be_sent_is_not_printed() {
    let dir = llama();
    let served = serve(repository(dir.path()), Habits::default());
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    fs::write(&file, "hf_secret\nhf_secret\n").unwrap();
    for (variable, place) in [("hf_secret\u{200b}", "HF_TOKEN"), ("", file.to_str().unwrap())] {
        let mut program = crate::program();
        let environment = [("HF_TOKEN", variable), ("HF_ENDPOINT", &served.endpoint), ("HUGGING_FACE_HUB_TOKEN", "")];
        program.envs(environment).env("HF_HOME", home.path()).env("XDG_CACHE_HOME", home.path());
        let output = program.args(["parity", "--model", "acme/tiny"]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("the token in {place} holds characters")), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    assert!(served.asked.lock().unwrap().is_empty());
}

/// Files of a repository, by their paths.
fn files(named: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    named.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// What a fetch brings: the path, and what is in the file there or beside it.
fn fetched(cache: &Path, served: &Served, name: &str, file: &str) -> String {
    let path = hub(cache, &served.endpoint).fetch(&id(name), &quiet).unwrap();
    let folder = if path.is_dir() { path } else { path.parent().unwrap().to_owned() };
    fs::read_to_string(folder.join(file)).unwrap()
}

#[test]
fn files_of_one_name_in_two_folders_of_a_repository_are_two_models() {
    let cache = tempfile::tempdir().unwrap();
    let named = [("q4/tiny.gguf", "four"), ("q8/tiny.gguf", "eight"), ("tokenizer.json", "{}")];
    let served = serve(files(&named), Habits::default());
    for _ in 0..2 {
        assert_eq!(fetched(cache.path(), &served, "acme/tiny:q4/tiny.gguf", "tiny.gguf"), "four");
        assert_eq!(fetched(cache.path(), &served, "acme/tiny:q8/tiny.gguf", "tiny.gguf"), "eight");
    }
    let here = |name| hub(cache.path(), &served.endpoint).here(&id(name));
    assert_eq!(here("acme/tiny:tiny.gguf"), None, "neither of the two is at the top");
    let asked = served.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|asked| asked.contains("/q4/tiny.gguf")).count(), 1, "it is brought once");
}

#[test]
fn a_file_of_a_later_commit_leaves_what_was_downloaded_before_as_it_is() {
    let cache = tempfile::tempdir().unwrap();
    let (folder, tokenizer) = ([("config.json", "{}"), ("model.safetensors", "weights")], "tokenizer.json");
    let earlier = serve(files(&[&folder[..], &[(tokenizer, "earlier")]].concat()), Habits::default());
    assert_eq!(fetched(cache.path(), &earlier, "acme/tiny", tokenizer), "earlier");
    let later = serve(files(&[&folder[..], &[(tokenizer, "later"), ("x.gguf", "file")]].concat()), Habits::default());
    assert_eq!(fetched(cache.path(), &later, "acme/tiny:x.gguf", tokenizer), "later");
    assert_eq!(
        fetched(cache.path(), &later, "acme/tiny", tokenizer),
        "earlier",
        "it is whole, and stays of one commit"
    );
}

#[test]
fn an_update_that_was_interrupted_is_not_taken_for_a_model() {
    let cache = tempfile::tempdir().unwrap();
    let both = [("config.json", "{}"), ("tokenizer.json", "{}")];
    let earlier = [
        ("model-00001-of-00002.safetensors", "one"),
        ("model-00002-of-00002.safetensors", "two"),
        ("chat_template.jinja", "{{ it }}"),
    ];
    let served = serve(files(&[&both[..], &earlier].concat()), Habits::default());
    let home = hub(cache.path(), &served.endpoint).fetch(&id("acme/tiny"), &quiet).unwrap();
    fs::remove_file(home.join("config.json")).unwrap();
    fs::write(home.join("logoscope.json"), "mine").unwrap();
    // The configuration comes, of the weights nothing does.
    let later = files(&[&both[..], &[("model.safetensors", "whole")]].concat());
    let cut = serve(later.clone(), Habits { cuts: vec![usize::MAX, 0], ..Habits::default() });
    let hub = |served: &Served| hub(cache.path(), &served.endpoint);
    assert!(hub(&cut).fetch(&id("acme/tiny"), &quiet).unwrap_err().to_string().contains("was cut"));
    assert_eq!(hub(&cut).here(&id("acme/tiny")), None);
    let served = serve(later, Habits::default());
    assert_eq!(hub(&served).fetch(&id("acme/tiny"), &quiet).unwrap(), home);
    assert_eq!(
        names(&home),
        ["config.json", "logoscope.json", "model.safetensors", "tokenizer.json"],
        "what the earlier version had alone is gone, what somebody put there is not"
    );
}

#[test]
fn the_cache_that_programs_share_is_read_and_never_written() {
    let dir = llama();
    let (cache, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = shared.path().join("models--acme--tiny");
    fs::create_dir_all(home.join("refs")).unwrap();
    fs::create_dir_all(home.join("snapshots/abc")).unwrap();
    fs::write(home.join("refs/main"), "abc").unwrap();
    let hub = Hub { offline: true, shared: Some(shared.path().to_owned()), ..hub(cache.path(), "http://127.0.0.1:9") };
    let copy = |name: &str| fs::copy(dir.path().join(name), home.join("snapshots/abc").join(name)).unwrap();
    copy("config.json");
    copy("tokenizer.json");
    assert!(hub.fetch(&id("acme/tiny"), &quiet).is_err(), "its weights are not there yet");
    copy("model.safetensors");
    assert_eq!(hub.fetch(&id("acme/tiny"), &quiet).unwrap(), home.join("snapshots/abc"));
    // The same weights a second time, and shards of which one is still on its way.
    fs::copy(dir.path().join("model.safetensors"), home.join("snapshots/abc/consolidated.safetensors")).unwrap();
    assert_eq!(hub.fetch(&id("acme/tiny"), &quiet).unwrap(), home.join("snapshots/abc"));
    let shard = |number: usize| home.join(format!("snapshots/abc/model-0000{number}-of-00003.safetensors"));
    fs::rename(home.join("snapshots/abc/model.safetensors"), shard(1)).unwrap();
    fs::write(shard(2), "two").unwrap();
    assert_eq!(hub.here(&id("acme/tiny")), None, "three files of weights, but not the three shards");
    fs::write(shard(3), "three").unwrap();
    assert_eq!(hub.here(&id("acme/tiny")), Some(home.join("snapshots/abc")));
    assert_eq!(names(cache.path()), [""; 0]);
}

#[test]
fn what_a_hub_refuses_or_gets_wrong_is_one_message_and_nothing_half_written() {
    let dir = llama();
    let cache = tempfile::tempdir().unwrap();
    let home = cache.path().join("hub/acme--tiny");
    let told = |served: &Served, name: &str| {
        let error = hub(cache.path(), &served.endpoint).fetch(&id(name), &quiet).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot download {name}: ")) && !error.contains('\n'), "{error}");
        error
    };
    let lying = serve(repository(dir.path()), Habits { lying: true, ..Habits::default() });
    let error = told(&lying, "acme/tiny");
    assert!(error.contains("config.json has the checksum") && error.contains("removed"), "{error}");
    assert_eq!(names(&home), [""; 0]);
    assert!(told(&lying, "acme/none").contains("neither such a path here nor such a model"));
    assert!(told(&lying, "acme/tiny:odd.gguf").contains("no file odd.gguf"));
    drop(lying);
    let mut bare = repository(dir.path());
    bare.remove("model.safetensors");
    bare.insert("q4.gguf".into(), vec![1; 10]);
    let error = told(&serve(bare, Habits::default()), "acme/tiny");
    assert!(error.contains("no safetensors") && error.contains("q4.gguf"), "{error}");
    // Cut where nothing more comes: what is there stays, and the next attempt brings the rest alone.
    let size = fs::metadata(dir.path().join("model.safetensors")).unwrap().len();
    let cut =
        serve(repository(dir.path()), Habits { cuts: vec![usize::MAX, usize::MAX, 4000, 0, 0], ..Habits::default() });
    let error = told(&cut, "acme/tiny");
    assert!(error.contains("cut at 4 kB") && error.contains("it goes on from there"), "{error}");
    assert!(names(&home).iter().any(|name| name.ends_with(".part")), "{:?}", names(&home));
    let error = told(&cut, "acme/tiny");
    assert!(error.contains("cut at 4 kB"), "{error}");
    assert_eq!(hub(cache.path(), &cut.endpoint).fetch(&id("acme/tiny"), &quiet).unwrap(), home);
    let asked = cut.asked.lock().unwrap();
    assert!(
        asked.iter().any(|asked| asked.contains("model.safetensors") && asked.contains("Range: bytes=4000-")),
        "{size}"
    );
    assert_eq!(
        asked.iter().filter(|asked| asked.contains("/config.json")).count(),
        1,
        "what is whole is not asked twice"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_message_and_the_rest_comes_later() {
    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n * 7) as u8).collect();
    let wanted = Wanted {
        path: "model.safetensors".into(),
        size: bytes.len() as u64,
        checksum: Checksum::Sha256(hex(&Sha256::digest(&bytes))),
    };
    let home = tempfile::tempdir().unwrap();
    let part = home.path().join(format!("model.safetensors.{}.part", &hex(&Sha256::digest(&bytes))[..16]));
    let mut get = |offset: u64| -> Result<Body, Unheard> {
        Ok(Body { offset, bytes: Box::new(std::io::Cursor::new(bytes[offset as usize..].to_vec())) })
    };
    // A device on which there is never any room.
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let stopped = wanted.download(home.path(), &|_| Ok(()), &mut get).unwrap_err();
    let Stopped::Failed(reason, remedy) = stopped else { panic!("{stopped:?}") };
    assert!(reason.contains("cannot be written") && remedy.contains("make room"), "{reason}; {remedy}");
    assert!(!home.path().join("model.safetensors").exists());
    fs::remove_file(&part).unwrap();
    wanted.download(home.path(), &|_| Ok(()), &mut get).unwrap();
    assert_eq!(fs::read(home.path().join("model.safetensors")).unwrap(), bytes);
}

#[test]
fn what_was_downloaded_before_is_summed_only_as_long_as_it_is_wanted() {
    let bytes = vec![7; 4 << 20];
    let sum = hex(&Sha256::digest(&bytes));
    let size = bytes.len() as u64;
    let wanted = Wanted { path: "model.safetensors".into(), size, checksum: Checksum::Sha256(sum.clone()) };
    let home = tempfile::tempdir().unwrap();
    let part = home.path().join(format!("model.safetensors.{}.part", &sum[..16]));
    fs::write(&part, &bytes[..3 << 20]).unwrap();
    let heard = Mutex::new(Vec::new());
    let progress = |done| {
        heard.lock().unwrap().push(done);
        Err(EngineError::Cancelled)
    };
    let stopped = wanted.download(home.path(), &progress, &mut |_| panic!("nothing is asked for")).unwrap_err();
    assert!(matches!(stopped, Stopped::Told(EngineError::Cancelled)), "{stopped:?}");
    let heard = heard.into_inner().unwrap();
    assert!(heard.len() == 1 && heard[0] <= 1 << 20, "not after all of it: {heard:?}");
    assert_eq!(fs::metadata(&part).unwrap().len(), 3 << 20, "it goes on from there");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_download_cut_anywhere_and_resumed_gives_the_same_files(
        sizes in proptest::collection::vec(0usize..30_000, 3), cuts in proptest::collection::vec(0usize..12_000, 0..12),
        deaf: bool, stops in proptest::collection::vec(0usize..6, 0..3)
    ) {
        let bytes = |seed: usize, size: usize| (0..size).map(|n| (n * 31 + seed * 7 + n / 251) as u8).collect::<Vec<_>>();
        let names = ["config.json", "tokenizer.json", "model.safetensors"];
        let files: BTreeMap<String, Vec<u8>> =
            names.iter().zip(&sizes).enumerate().map(|(seed, (name, size))| ((*name).to_owned(), bytes(seed, *size))).collect();
        // A hub that knows no parts comes to an end only if it is cut in the end no more.
        let attempts = cuts.len() + stops.len() + 1;
        let served = serve(files.clone(), Habits { cuts, deaf, ..Habits::default() });
        let cache = tempfile::tempdir().unwrap();
        let mut stops = stops.into_iter();
        let mut home = None;
        for _ in 0..attempts {
            // Some attempts are ended by whoever watches them.
            let left = std::cell::Cell::new(stops.next());
            let watch = |_: LoadStage| match left.get() {
                Some(0) => Err(EngineError::Cancelled),
                Some(n) => {
                    left.set(Some(n - 1));
                    Ok(())
                }
                None => Ok(()),
            };
            match hub(cache.path(), &served.endpoint).fetch(&id("acme/tiny"), &watch) {
                Ok(path) => {
                    home = Some(path);
                    break;
                }
                Err(error) => prop_assert!(matches!(error, EngineError::Download { .. } | EngineError::Cancelled), "{error}"),
            }
        }
        let home = home.expect("each attempt uses up a cut or a stop");
        let found: BTreeMap<String, Vec<u8>> =
            self::names(&home).into_iter().map(|name| (name.clone(), fs::read(home.join(name)).unwrap())).collect();
        prop_assert_eq!(found, files);
    }
}

/// A real host and what it says.
fn host() -> (EngineHost, Receiver<HostEvent>) {
    let (events, heard) = mpsc::channel();
    (EngineHost::start(Box::new(move |event| drop(events.send(event)))).unwrap(), heard)
}

fn spec(path: &Path) -> ModelSpec {
    ModelSpec::named(path.to_str().unwrap())
}

/// The next event that ends a load.
fn outcome(heard: &Receiver<HostEvent>) -> HostEvent {
    heard.iter().find(|event| matches!(event, HostEvent::Ready(_) | HostEvent::LoadFailed(_))).unwrap()
}

/// What is said on a ticket until its end; nothing of another epoch may come between.
fn said(heard: &Receiver<HostEvent>, wanted: u64) -> String {
    let mut text = String::new();
    for event in heard {
        match event {
            HostEvent::Token { ticket, text: piece } => {
                assert_eq!(ticket.epoch, wanted, "stale text: {piece:?}");
                text += &piece;
            }
            HostEvent::Done { ticket, .. } => {
                assert_eq!(ticket.epoch, wanted);
                return text;
            }
            HostEvent::Failed { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
    panic!("the host has gone");
}

/// A cache in which there is no room for the weights of `acme/tiny`: what of them comes goes to a device that is full.
fn fill(cache: &Path, weights: &[u8]) {
    let home = cache.join("hub/acme--tiny");
    fs::create_dir_all(&home).unwrap();
    let part = home.join(format!("model.safetensors.{}.part", &hex(&Sha256::digest(weights))[..16]));
    #[cfg(unix)]
    std::os::unix::fs::symlink("/dev/full", part).unwrap();
    #[cfg(not(unix))]
    drop(part);
}

#[test]
fn whatever_fails_the_model_before_it_goes_on() {
    let dir = llama();
    let reference = answer(&LocalEngine::load(dir.path()).unwrap(), "Once");
    let lying = serve(repository(dir.path()), Habits { lying: true, ..Habits::default() });
    let cache = tempfile::tempdir().unwrap();
    let bad = tempfile::tempdir().unwrap();
    let unknown = gguf(bad.path(), |keys| keys[0].1 = Gguf::Text("bard".into()));
    let cut = folder(|dir| {
        tiny_llama::write(dir);
        let whole = fs::read(dir.join("model.safetensors")).unwrap();
        fs::write(dir.join("model.safetensors"), &whole[..whole.len() / 2]).unwrap();
    });
    let mute = folder(|dir| {
        tiny_llama::write(dir);
        fs::remove_file(dir.join("tokenizer.json")).unwrap();
    });
    let mut remote = ModelSpec::named("acme/tiny");
    remote.options.hub = hub(cache.path(), &lying.endpoint);
    let honest = serve(repository(dir.path()), Habits::default());
    let full = tempfile::tempdir().unwrap();
    fill(full.path(), &fs::read(dir.path().join("model.safetensors")).unwrap());
    #[cfg_attr(not(target_os = "linux"), allow(unused_variables, unused_mut))]
    let mut without_room = ModelSpec::named("acme/tiny");
    without_room.options.hub = hub(full.path(), &honest.endpoint);
    let (host, heard) = host();
    host.load(spec(dir.path()));
    assert!(matches!(outcome(&heard), HostEvent::Ready(_)));
    let mut epoch = 0;
    for (spec, wanted) in [
        (spec(&unknown), "bard"),
        (spec(cut.path()), "damaged"),
        (spec(mute.path()), "tokenizer.json is missing"),
        (remote, "checksum"),
        #[cfg(target_os = "linux")]
        (without_room, "make room"),
        (
            ModelSpec {
                options: LoadOptions { memory: Allowance::Bytes(1), ..LoadOptions::default() },
                ..spec(dir.path())
            },
            "--memory any",
        ),
    ] {
        host.load(spec);
        let HostEvent::LoadFailed(error) = outcome(&heard) else { panic!("it must fail") };
        assert!(error.to_string().contains(wanted), "{error}");
        epoch += 1;
        host.generate(Ticket { epoch, id: 1 }, request("Once", 12));
        assert_eq!(said(&heard, epoch), reference);
    }
}

/// How often, where more is asked for than the suite has time for.
fn often(usual: usize, thorough: usize) -> usize {
    if std::env::var_os("LOGOSCOPE_THOROUGH").is_some() { thorough } else { usual }
}

#[test]
fn many_cancels_and_swaps_leave_nothing_behind() {
    let (one, two) = (llama(), folder(|dir| tiny_llama::write_other(dir, 9, 512)));
    let expected = [one.path(), two.path()].map(|path| answer(&LocalEngine::load(path).unwrap(), "Once"));
    assert_ne!(expected[0], expected[1]);
    let (host, heard) = host();
    let mut epoch = 0;
    let mut swap = |number: usize, cancels: usize| {
        let path = [one.path(), two.path()][number % 2];
        // Loads that nobody waits for.
        for _ in 0..cancels {
            host.load(spec([two.path(), one.path()][number % 2]));
            host.cancel_load();
        }
        host.load(spec(path));
        assert!(matches!(outcome(&heard), HostEvent::Ready(_)));
        // Answers that nobody hears.
        for _ in 0..cancels {
            epoch += 1;
            host.generate(Ticket { epoch, id: 1 }, request("a long story", 400));
            epoch = host.cancel();
        }
        epoch += 1;
        host.generate(Ticket { epoch, id: 1 }, request("Once", 12));
        assert_eq!(said(&heard, epoch), expected[number % 2]);
    };
    for number in 0..4 {
        swap(number, 2);
    }
    let before = room::resident();
    let (swaps, cancels) = (often(10, 50), often(5, 4));
    for number in 0..swaps {
        swap(number, cancels);
    }
    if let (Some(before), Some(after)) = (before, room::resident()) {
        // Other tests run beside this one; a model that stayed would take its weights and its threads each time.
        let grown = after.saturating_sub(before);
        assert!(grown < 200 << 20, "{} more after {swaps} swaps", room::Bytes(grown));
    }
    host.unload();
    host.generate(Ticket { epoch: epoch + 10, id: 1 }, request("Once", 12));
    let refused = heard.iter().find(|event| matches!(event, HostEvent::Failed { .. })).unwrap();
    assert!(matches!(refused, HostEvent::Failed { error: EngineError::NotLoaded, .. }));
}

#[test]
fn a_load_ends_where_nobody_wants_it_any_more() {
    let dir = llama();
    for last in [LoadStage::Checking, LoadStage::Weights, LoadStage::Building, LoadStage::FirstToken] {
        let observe = |stage| if stage == last { Err(EngineError::Cancelled) } else { Ok(()) };
        let ended = LocalEngine::load_with(dir.path(), &LoadOptions::default(), &observe).err();
        assert_eq!(ended, Some(EngineError::Cancelled), "{last}");
    }
    assert_eq!(answer(&LocalEngine::load(dir.path()).unwrap(), "Once").len(), 12);
}

/// Nothing compared is no agreement.
#[test]
fn parity_asks_something_or_fails() {
    let dir = tempfile::tempdir().unwrap();
    crate::session::small().0.write(dir.path()).unwrap();
    let unjudged = dir.path().to_str().unwrap();
    for (more, told) in [
        (&["--queries", "0"][..], "give a whole number from 1 on"),
        // Nothing would be beyond these.
        (&["--tolerance", "nan"], "'nan' is no tolerance"),
        (&["--tolerance", "inf"], "'inf' is no tolerance"),
        (&["--tolerance", "-1"], "'-1' is no tolerance"),
        (&["--data", unjudged], "'small' has no judged query to ask; write some into its queries.jsonl"),
    ] {
        let output = crate::program().args([&["parity", "--device", "cpu"][..], more].concat()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{error}");
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn parity_finds_no_difference_with_itself_and_every_real_one_with_another() {
    let nano = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/models/nano");
    // The same weights, with positions turned otherwise.
    let other = folder(|dir| {
        for name in names(&nano) {
            fs::copy(nano.join(&name), dir.join(&name)).unwrap();
        }
        let mut config: Value = serde_json::from_slice(&fs::read(dir.join("config.json")).unwrap()).unwrap();
        config["rope_theta"] = json!(50.0);
        fs::write(dir.join("config.json"), config.to_string()).unwrap();
    });
    let parity = |more: &[&str]| {
        let base = ["parity", "--queries", "3", "--device", "cpu", "--format", "json"];
        let output = crate::program().args([&base[..], more].concat()).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert!(output.stderr.is_empty(), "{output:?}");
        (output.status.code(), told)
    };
    let (code, told) = parity(&[]);
    assert_eq!((code, &told["real"], told["differences"].as_array().unwrap().len()), (Some(0), &json!(0), 0));
    assert_eq!((&told["schema"], &told["answers"]), (&json!("logoscope.parity/1"), &json!(12)));
    assert!(told["tokens_per_second"]["other"].as_f64().unwrap() > 0.0);
    let (code, told) = parity(&["--other", other.path().to_str().unwrap()]);
    assert_eq!(code, Some(1), "{told}");
    let differences = told["differences"].as_array().unwrap();
    let first = differences.iter().find(|one| one["difference"]["kind"].get("token").is_some()).unwrap();
    assert!(first["difference"]["margin"].as_f64().unwrap() > 0.0, "the reference prefers what it said: {first}");
    // What is held for rounding is no reason to fail.
    assert_eq!(parity(&["--other", other.path().to_str().unwrap(), "--tolerance", "1000"]).0, Some(0));
}
