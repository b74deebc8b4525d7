//! Laws of embedders: a table is read as its format says, damage is told and never answers, a fit knows no future, and
//! nobody reads earlier than the fit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::AtomicBool;

use logoscope::data::dataset::Dataset;
use logoscope::data::embedding::Embedding;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::data::table::{FitNote, StaticTable, write};
use logoscope::memory::Memory;
use logoscope::memory::embed::lsa::{Fitted, Plan, fit};
use logoscope::memory::embed::{self, Embedder};
use logoscope::memory::lexical;
use logoscope::memory::store::{Fault, Notice, Store};
use logoscope::session::check::check;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::population::{datasets, interaction, manifest, query};
use crate::session::small;

/// A file of tensors: name, type, shape, bytes.
fn tensors(of: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, kind, shape, bytes) in of {
        let start = data.len();
        data.extend(bytes);
        header.insert((*name).to_owned(), json!({"dtype": kind, "shape": shape, "data_offsets": [start, data.len()]}));
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

fn f32s(of: &[f32]) -> Vec<u8> {
    of.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Rows of [UNK], tide, oven and bread; that of what is unknown would be seen anywhere.
const ROWS: [f32; 8] = [9.0, 9.0, 3.0, 0.0, 0.0, 4.0, 1.0, 1.0];

fn tokenizer() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "tide": 1, "oven": 2, "bread": 3}, "unk_token": "[UNK]"}
    })
}

/// A folder in model2vec's format, made by hand.
fn folder(model: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), "{\"normalize\": true, \"hidden_dim\": 2}").unwrap();
    fs::write(dir.path().join("tokenizer.json"), tokenizer().to_string()).unwrap();
    fs::write(dir.path().join("model.safetensors"), model).unwrap();
    dir
}

fn plain() -> TempDir {
    folder(&tensors(&[("embeddings", "F32", &[4, 2], f32s(&ROWS))]))
}

/// The embedder over a folder, as a dataset's setting makes it.
fn embedder(dir: &Path) -> Box<dyn Embedder> {
    embed::of(&setting(dir))
}

fn setting(dir: &Path) -> Embedding {
    let mut embedding: Embedding = format!("static:{}", dir.display()).parse().unwrap();
    embedding.load(Path::new("")).unwrap();
    embedding
}

fn vector(embedder: &dyn Embedder, text: &str) -> Vec<f32> {
    let mut out = vec![7.0; embedder.dimensions()];
    embedder.embed(text, &mut out);
    out
}

fn near(found: &[f32], wanted: &[f32]) -> bool {
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6)
}

#[test]
fn a_table_gives_the_mean_of_known_rows_at_unit_length() {
    let dir = plain();
    let embedder = embedder(dir.path());
    assert_eq!(embedder.dimensions(), 2);
    for (text, wanted) in [
        ("tide", [1.0, 0.0]),
        // (3, 0) and (0, 4): a mean of (1.5, 2).
        ("Tide  OVEN", [0.6, 0.8]),
        ("tide oven unheard of", [0.6, 0.8]),
        // (3, 0) twice and (0, 4).
        ("tide oven tide", [6.0 / 52f32.sqrt(), 4.0 / 52f32.sqrt()]),
        ("unheard of", [0.0, 0.0]),
        ("", [0.0, 0.0]),
    ] {
        let found = vector(embedder.as_ref(), text);
        assert!(near(&found, &wanted), "{text}: {found:?}");
    }
}

#[test]
fn a_table_may_hold_other_types_weights_and_a_mapping() {
    let halves = |of: &[u16]| of.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    // 9, 3, 0, 4, 1 as halves.
    let (nine, three, zero, four, one) = (0x4880, 0x4200, 0, 0x4400, 0x3c00);
    let f16 = halves(&[nine, nine, three, zero, zero, four, one, one]);
    let i8s: Vec<u8> = ROWS.iter().map(|x| *x as i8 as u8).collect();
    let weights: Vec<u8> = [1.0f64, 4.0, 1.0, 1.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    // Tide and oven change places.
    let mapping: Vec<u8> = [0i64, 2, 1, 3].iter().flat_map(|x| x.to_le_bytes()).collect();
    let rows = || ("embeddings", "F32", &[4usize, 2][..], f32s(&ROWS));
    for (what, of, text, wanted) in [
        ("halves", vec![("embeddings", "F16", &[4usize, 2][..], f16)], "tide oven", [0.6, 0.8]),
        ("bytes", vec![("embeddings", "I8", &[4, 2], i8s)], "tide oven", [0.6, 0.8]),
        (
            "weights",
            vec![rows(), ("weights", "F64", &[4], weights)],
            "tide oven",
            [12.0 / 160f32.sqrt(), 4.0 / 160f32.sqrt()],
        ),
        ("mapping", vec![rows(), ("mapping", "I64", &[4], mapping)], "tide", [0.0, 1.0]),
        ("an older name", vec![("embedding.weight", "F32", &[4, 2], f32s(&ROWS))], "tide oven", [0.6, 0.8]),
    ] {
        let dir = folder(&tensors(&of));
        let found = vector(embedder(dir.path()).as_ref(), text);
        assert!(near(&found, &wanted), "{what}: {found:?}");
    }
}

#[test]
fn a_table_is_known_by_its_content() {
    let (one, same) = (plain(), plain());
    let other = folder(&tensors(&[("embeddings", "F32", &[4, 2], f32s(&ROWS.map(|x| x + 1.0)))]));
    let id = |dir: &TempDir| embedder(dir.path()).id();
    assert_eq!(id(&one), id(&same));
    assert_ne!(id(&one), id(&other));
    assert!(id(&one).starts_with("static-") && id(&one).ends_with("-2"), "{}", id(&one));
}

#[test]
fn a_table_that_does_not_fit_is_refused_with_file_and_remedy() {
    type Change = Box<dyn Fn(&Path)>;
    let replaced = |file: &'static str, from: &'static str, to: &'static str| -> Change {
        Box::new(move |dir| {
            let text = fs::read_to_string(dir.join(file)).unwrap();
            assert!(text.contains(from), "{file} has no {from}");
            fs::write(dir.join(file), text.replacen(from, to, 1)).unwrap();
        })
    };
    let gone = |file: &'static str| -> Change { Box::new(move |dir| fs::remove_file(dir.join(file)).unwrap()) };
    let model =
        |bytes: Vec<u8>| -> Change { Box::new(move |dir| fs::write(dir.join("model.safetensors"), &bytes).unwrap()) };
    let whole = tensors(&[("embeddings", "F32", &[4, 2], f32s(&ROWS))]);
    let rows = || ("embeddings", "F32", &[4usize, 2][..], f32s(&ROWS));
    let cases: Vec<(Change, &str, &str)> = vec![
        (gone("config.json"), "config.json: cannot be read", "logoscope fit-embedder"),
        (gone("tokenizer.json"), "tokenizer.json: cannot be read", "logoscope fit-embedder"),
        (gone("model.safetensors"), "model.safetensors: cannot be read", "logoscope fit-embedder"),
        (replaced("config.json", "{", "["), "config.json: is no config", "copy the folder again"),
        (replaced("config.json", ": 2", ": 3"), "config.json: says hidden_dim 3, but model.safetensors has 2", "copy"),
        (replaced("config.json", "{", "{\"logoscope\": 1, "), "config.json: is no config", "copy"),
        (replaced("tokenizer.json", "WordLevel", "Words"), "tokenizer.json: is no tokenizer", "copy the folder again"),
        (
            replaced("tokenizer.json", "\"bread\":3", "\"bread\":4"),
            "tokenizer.json: numbers 5 tokens, but",
            "has 4 rows",
        ),
        (
            replaced("tokenizer.json", "\"unk_token\":\"[UNK]\"", "\"unk_token\":\"?\""),
            "cannot",
            "copy the folder again",
        ),
        (model(whole[..whole.len() - 1].to_vec()), "model.safetensors: is cut or no safetensors file", "copy"),
        (model(whole[..20].to_vec()), "model.safetensors: is cut or no safetensors file", "copy"),
        (model(Vec::new()), "model.safetensors: is cut or no safetensors file", "copy"),
        (model(tensors(&[("rows", "F32", &[4, 2], f32s(&ROWS))])), "has no tensor 'embeddings'", "copy"),
        (model(tensors(&[("embeddings", "F32", &[8], f32s(&ROWS))])), "of 1 dimensions instead of 2", "copy"),
        (model(tensors(&[("embeddings", "F32", &[4, 0], Vec::new())])), "has 4 rows of 0 columns", "copy"),
        (model(tensors(&[("embeddings", "I64", &[2, 2], f32s(&ROWS))])), "numbers of type I64", "copy"),
        (model(tensors(&[("embeddings", "F32", &[2, 2], f32s(&ROWS[..4]))])), "numbers 4 tokens, but", "has 2 rows"),
        (model(tensors(&[rows(), ("weights", "F32", &[2], f32s(&[1.0, 1.0]))])), "has 2 weights", "copy"),
        (model(tensors(&[rows(), ("weights", "I64", &[1], vec![0; 8])])), "weights of type I64", "copy"),
        (model(tensors(&[rows(), ("mapping", "I64", &[1], 4i64.to_le_bytes().to_vec())])), "to row 4 of 4", "copy"),
        (model(tensors(&[rows(), ("mapping", "I64", &[1], (-1i64).to_le_bytes().to_vec())])), "to row -1 of 4", "copy"),
        (model(tensors(&[rows(), ("mapping", "I32", &[1], vec![0; 4])])), "has 1 mapped tokens", "copy"),
    ];
    for (change, what, remedy) in cases {
        let dir = plain();
        StaticTable::read(dir.path()).unwrap();
        change(dir.path());
        let message = StaticTable::read(dir.path()).unwrap_err().to_string();
        assert!(message.contains(what) && message.contains(remedy), "{message}\nwanted {what}, {remedy}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_damaged_is_refused_or_harmless(
        file in 0..3usize, place in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(), text in ".{0,30}"
    ) {
        let dir = plain();
        let path = dir.path().join(["config.json", "tokenizer.json", "model.safetensors"][file]);
        let mut bytes = fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] = byte;
        }
        fs::write(&path, bytes).unwrap();
        if let Ok(table) = StaticTable::read(dir.path()) {
            let embedding = Embedding::Static { folder: "x".to_owned(), table: Some(table.into()) };
            let embedder = embed::of(&embedding);
            for text in [text.as_str(), "tide oven", "unheard"] {
                let found = vector(embedder.as_ref(), text);
                let length: f32 = found.iter().map(|x| x * x).sum();
                prop_assert!(length == 0.0 || (length - 1.0).abs() < 1e-4, "{found:?}");
            }
        }
    }
}

/// A small table of what was said before a moment.
pub fn plan(until: i64) -> Plan {
    Plan { until: Timestamp(until), dimensions: 3, vocabulary: 1000, contributors: 1, seed: 5 }
}

fn fitted(dataset: &Dataset, plan: Plan) -> Option<Fitted> {
    fit(&dataset.interactions, plan, &AtomicBool::new(false), &mut |_, _, _| ()).ok()
}

/// Fits and writes a table, as the program does.
pub fn table(dir: &Path, dataset: &Dataset, plan: Plan) -> Option<PathBuf> {
    let fitted = fitted(dataset, plan)?;
    let note = FitNote {
        kind: "lsa".to_owned(),
        fit_until: plan.until,
        dataset: dataset.manifest.name.clone(),
        texts: fitted.texts,
        fingerprint: fitted.fingerprint.clone(),
        words: fitted.words.len(),
        contributors: plan.contributors,
        seed: plan.seed,
        energy: fitted.energy,
    };
    let target = dir.join("table");
    write(&target, &fitted.words, &fitted.rows, plan.dimensions, &note).unwrap();
    Some(target)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_fit_does_not_change_by_one_byte_with_what_comes_later(dataset in datasets(80), until in 0..6_000_000i64) {
        let past = Dataset {
            interactions: dataset.interactions.iter().filter(|i| i.at < Timestamp(until)).cloned().collect(),
            ..dataset.clone()
        };
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tables = (table(one.path(), &dataset, plan(until)), table(other.path(), &past, plan(until)));
        prop_assert_eq!(tables.0.is_some(), tables.1.is_some());
        if let (Some(whole), Some(past)) = tables {
            for file in ["config.json", "tokenizer.json", "model.safetensors"] {
                prop_assert_eq!(fs::read(whole.join(file)).unwrap(), fs::read(past.join(file)).unwrap(), "{}", file);
            }
        }
    }

    #[test]
    fn reads_over_a_table_know_no_future_and_begin_with_its_fit(
        mut dataset in datasets(80), user in 0..13usize, words in proptest::collection::vec(0..12usize, 1..5),
        until in 2_000_000..5_000_000i64, later in 0..1_500_000i64
    ) {
        let dir = tempfile::tempdir().unwrap();
        let Some(folder) = table(dir.path(), &dataset, plan(until)) else { return Ok(()) };
        dataset.manifest.retrieval.embedder = setting(&folder);
        let (user, text, t) = (UserId::new(format!("u{user}")), query(&words), Timestamp(until + later));
        let past = Dataset {
            interactions: dataset.interactions.iter().filter(|i| i.at < t).cloned().collect(),
            ..dataset.clone()
        };
        let (whole, past) = (Memory::build(&dataset), Memory::build(&past));
        let (a, b) = (whole.read(&user, &text, t).unwrap(), past.read(&user, &text, t).unwrap());
        let cosines = |read: &logoscope::memory::MemoryRead| -> Vec<u64> {
            read.local.hits.iter().map(|hit| hit.cosine.to_bits()).collect()
        };
        prop_assert_eq!(cosines(&a), cosines(&b));
        prop_assert_eq!(format!("{:?}", a.global), format!("{:?}", b.global));
        for early in [Timestamp(until - 1), Timestamp(0)] {
            let message = whole.read(&user, &text, early).unwrap_err().to_string();
            prop_assert!(message.contains("fit-embedder --until") && message.contains(&early.to_string()), "{}", message);
            prop_assert!(whole.read_local(&user, &text, early).is_err());
            prop_assert!(whole.read_global(&user, &text, early).is_err());
        }
    }

    #[test]
    fn a_table_of_ours_reads_the_words_that_memory_reads(
        texts in proptest::collection::vec("[A-Za-zÀ-ÿŁłЖжß€™½ⅧΩनहिन्दी東京0-9 ,.;:!?'\"()/-]{0,40}", 1..6)
    ) {
        let known: Vec<String> = {
            let all: std::collections::BTreeSet<String> = texts.iter().flat_map(|text| lexical::words(text)).collect();
            all.into_iter().step_by(2).collect()
        };
        prop_assume!(!known.is_empty());
        let rows: Vec<f32> = (0..known.len()).flat_map(|n| [1.0, n as f32]).collect();
        let dir = tempfile::tempdir().unwrap();
        let note = FitNote {
            kind: "lsa".to_owned(), fit_until: Timestamp(0), dataset: String::new(), texts: 0, fingerprint: String::new(),
            words: known.len(), contributors: 1, seed: 0, energy: 0.0,
        };
        write(&dir.path().join("table"), &known, &rows, 2, &note).unwrap();
        let embedder = embedder(&dir.path().join("table"));
        for text in &texts {
            let numbers: Vec<f32> = lexical::words(text)
                .filter_map(|word| known.iter().position(|known| *known == word))
                .map(|n| n as f32)
                .collect();
            let (count, sum) = (numbers.len() as f32, numbers.iter().sum::<f32>());
            let length = count.hypot(sum);
            let wanted = if count == 0.0 { [0.0, 0.0] } else { [count / length, sum / length] };
            let found = vector(embedder.as_ref(), text);
            prop_assert!(near(&found, &wanted), "{:?}: {:?} instead of {:?}", text, found, wanted);
        }
    }
}

#[test]
fn a_fit_repeats_and_does_not_hang_on_its_seed() {
    let made = |n: usize| interaction(n, n % 7, n as i64, &[n, n / 2, n / 3], n % 4);
    let dataset = Dataset { manifest: manifest(4, 1), interactions: (0..60).map(made).collect(), queries: Vec::new() };
    let first = fitted(&dataset, plan(1000)).unwrap();
    assert_eq!(first, fitted(&dataset, plan(1000)).unwrap(), "bit for bit");
    let other = fitted(&dataset, Plan { seed: 6, ..plan(1000) }).unwrap();
    assert!(first.rows.iter().zip(&other.rows).all(|(a, b)| (a - b).abs() < 1e-4), "another one finds the same");
}

/// A dataset of 60 interactions in a folder, with a table fitted on the first 40 beside its files.
fn with_table() -> (TempDir, Dataset) {
    let dir = tempfile::tempdir().unwrap();
    let made = |n: usize| interaction(n, n % 7, 10_000 * n as i64, &[n, n / 2, n / 3], n % 4);
    let mut dataset =
        Dataset { manifest: manifest(4, 1), interactions: (0..60).map(made).collect(), queries: Vec::new() };
    table(dir.path(), &dataset, plan(400_000)).unwrap();
    dataset.manifest.retrieval.embedder = "static:table".parse().unwrap();
    dataset.write(dir.path()).unwrap();
    (dir, dataset)
}

#[test]
fn a_folder_of_a_dataset_is_where_its_table_is_looked_for() {
    let (dir, written) = with_table();
    let opened = Dataset::open(dir.path()).unwrap();
    let memory = Memory::build(&opened);
    assert!(memory.embedder().starts_with("static-"), "{}", memory.embedder());
    memory.read(&UserId::new("u1"), "tide", Timestamp(400_000)).unwrap();
    assert_eq!(opened.content_hash(), written.content_hash(), "the setting is written as it was read");
    // Without its folder a table cannot be read, and nothing takes its place.
    let message = Memory::build(&written).read(&UserId::new("u1"), "tide", opened.end()).unwrap_err().to_string();
    assert!(message.contains("'static:table' was not read"), "{message}");
    fs::remove_file(dir.path().join("table/config.json")).unwrap();
    let message = Dataset::open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("table/config.json: cannot be read"), "{message}");
}

#[test]
fn a_store_holds_the_vectors_of_the_datasets_embedder() {
    let (dir, _) = with_table();
    let open = || {
        let store = Store::of(&dir.path().join("stores"), dir.path()).unwrap();
        store.open(None, &mut |_, _, _| Ok(())).unwrap()
    };
    let told = |memory: &Memory| {
        let read = memory.read(&UserId::new("u1"), "tide oven", Timestamp(600_000)).unwrap();
        format!("{:?} {:?}", read.local.hits, read.global)
    };
    let built = told(&Memory::build(&Dataset::open(dir.path()).unwrap()));
    assert_eq!(told(&open().memory), built);
    let again = open();
    assert_eq!((told(&again.memory), again.notices), (built.clone(), Vec::new()));
    let known = again.memory.embedder();
    // Another embedder: the base is made anew, and said so.
    let manifest = fs::read_to_string(dir.path().join("dataset.toml")).unwrap();
    fs::write(dir.path().join("dataset.toml"), manifest.replace("static:table", "hash")).unwrap();
    let hashed = open();
    let reason = Fault::OtherEmbedder { found: known, known: "hash-v1-256".to_owned() };
    assert_eq!(hashed.notices, [Notice::Rebuilt { reason }]);
    assert_ne!(told(&hashed.memory), built, "vectors count in this dataset");
}

#[test]
fn a_check_tells_that_the_table_is_another_one() {
    let (mut dataset, mut session) = small();
    let dir = plain();
    dataset.manifest.retrieval.embedder = setting(dir.path());
    session.header.dataset.hash = dataset.content_hash();
    let report = check(&session, &dataset).unwrap();
    let told: Vec<String> = report.grades().iter().map(|(_, _, verdict)| format!("{verdict:?}")).collect();
    assert!(told.iter().any(|told| told.contains("embedder") && told.contains("static-")), "{told:?}");
}

fn logoscope(dir: &Path, line: &str) -> Output {
    let mut command = crate::program();
    command.args(line.split_whitespace()).current_dir(dir).env("HOME", dir.join("home")).output().unwrap()
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn from_fit_to_evaluation_the_future_stays_out() {
    let dir = tempfile::tempdir().unwrap();
    let (home, run) = (dir.path(), |line: &str| logoscope(dir.path(), line));
    let fit = run("fit-embedder --share 0.5 --dimensions 16 --out table --format json");
    assert!(fit.status.success(), "{}", String::from_utf8_lossy(&fit.stderr));
    let told: Value = serde_json::from_slice(&fit.stdout).unwrap();
    assert_eq!(told["schema"], "logoscope.fit-embedder/1");
    let until = told["fit"]["fit-until"].as_str().unwrap();
    let good = run("eval --split 0.5 --embedder static:table --format json");
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    for line in ["eval --split 0.4 --embedder static:table", "eval --split 0.5 --fit --embedder static:table"] {
        let message = error(&run(line));
        assert!(message.contains(&format!("fitted on texts until {until}")), "{message}");
        assert!(message.contains("fit-embedder --until"), "{message}");
    }
    assert!(error(&run("fit-embedder --out table")).contains("table: exists and is not an empty folder"));
    assert!(
        error(&run("fit-embedder --until 1999-01-01 --out other")).contains("no interaction lies before 1999-01-01")
    );
    assert!(error(&run("fit-embedder --dimensions 1024 --share 0.02 --out other")).contains("fewer with --dimensions"));
    assert!(
        error(&run("eval --embedder magic")).contains("'magic' is no embedder; give hash, static:DIR with the folder")
    );
    assert!(error(&run("eval --embedder static:nowhere")).contains("nowhere/config.json: cannot be read"));
    let left: Vec<_> = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "table" || name == "home"), "{left:?}");
}
