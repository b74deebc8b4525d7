//! An embedding model as a dataset's embedder: a tiny random Qwen3-Embedding in a folder, its vectors, where they are kept,
//! and what goes wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use logoscope::app::message::Message;
use logoscope::app::worker::{MemoryWorker, Source};
use logoscope::data::dataset::Dataset;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::engine::embedding::{attach, folder};
use logoscope::engine::error::EngineError;
use logoscope::engine::local::EmbeddingModel;
use logoscope::engine::model::LoadOptions;
use logoscope::engine::room::Allowance;
use logoscope::memory::Memory;
use logoscope::memory::embed::{Maker, dot};
use logoscope::memory::store::{ASKING_MODEL, Notice, Store, StoreError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engine::tiny_llama;
use crate::population::{interaction, manifest, query};

const END: Timestamp = Timestamp(6_000_000);

fn model() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    tiny_llama::write_embedder(dir.path());
    dir
}

fn vectors(dir: &Path, texts: &[&str]) -> Vec<Vec<f32>> {
    EmbeddingModel::open(dir, &LoadOptions::default()).unwrap().make(texts).unwrap()
}

fn near(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
}

#[test]
fn a_text_has_one_vector_whatever_stands_beside_it() {
    let dir = model();
    let model = EmbeddingModel::open(dir.path(), &LoadOptions::default()).unwrap();
    assert_eq!(model.dimensions(), tiny_llama::WIDTH);
    assert!(model.id().starts_with("model-") && model.id().ends_with("-64"), "{}", model.id());
    let long = "a tale of twenty-one harbours ".repeat(40);
    let texts = ["the tide turns", "x", "a map of the sea", "the tide turns", &long, "the tide burns"];
    let made = model.make(&texts).unwrap();
    assert!(made.iter().all(|vector| vector.len() == 64 && (dot(vector, vector) - 1.0).abs() < 1e-4));
    assert!(near(&made[0], &made[3]) && !near(&made[0], &made[5]) && !near(&made[0], &made[1]));
    let backwards: Vec<&str> = texts.iter().rev().copied().collect();
    for (vector, again) in made.iter().zip(model.make(&backwards).unwrap().iter().rev()) {
        assert!(near(vector, again));
    }
    for (text, vector) in texts.iter().zip(&made) {
        assert!(near(&model.make(&[text]).unwrap()[0], vector), "alone: {text}");
    }
    assert!(near(&vectors(dir.path(), &texts[..1])[0], &made[0]), "after another load");
}

/// A small population whose manifest names the model in `dir`.
fn dataset(dir: &Path) -> Dataset {
    let interactions = (0..40).map(|n| interaction(n, n % 4, 100 * n as i64, &[n % 7, n % 5], n % 4)).collect();
    let mut dataset = Dataset { manifest: manifest(4, 1), interactions, queries: Vec::new() };
    dataset.manifest.retrieval.embedder = format!("model:{}", dir.display()).parse().unwrap();
    dataset
}

fn options(cache: &Path, memory: Allowance) -> LoadOptions {
    let mut options = LoadOptions { memory, ..LoadOptions::default() };
    options.hub.cache = cache.to_owned();
    options
}

/// Files of vectors below `cache`.
fn kept(cache: &Path) -> Vec<PathBuf> {
    let entries = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_kept = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "vectors");
    entries(folder(cache)).flat_map(entries).filter(is_kept).collect()
}

#[test]
fn memory_is_built_of_vectors_that_are_kept_and_the_model_is_not_asked_again() {
    let (dir, cache) = (model(), tempfile::tempdir().unwrap());
    let mut first = dataset(dir.path());
    let attached = attach(&mut first, &options(cache.path(), Allowance::Any)).unwrap().unwrap();
    let mut told = Vec::new();
    let mut report = |done, of| {
        told.push((done, of));
        Ok(())
    };
    attached.prepare(&first, &mut report).unwrap();
    let texts: std::collections::BTreeSet<&str> = first.interactions.iter().map(|said| said.query.as_str()).collect();
    assert_eq!(told[..2], [(0, texts.len()), (32, texts.len())]);
    let read = |dataset: &Dataset, words: &[usize]| {
        let memory = Memory::build(dataset);
        assert!(memory.embedder().starts_with("model-"), "{}", memory.embedder());
        memory.read(&UserId::new("u1"), &query(words), END).map(|read| format!("{:?}", read.local.hits))
    };
    let typed = read(&first, &[9, 10, 11]).unwrap();
    assert_eq!(read(&first, &[9, 10, 11]).unwrap(), typed);
    let known = read(&first, &[1, 1]).unwrap();

    // A model for which there is no room: what is kept needs none, and what is not says so.
    let mut second = dataset(dir.path());
    let attached = attach(&mut second, &options(cache.path(), Allowance::Bytes(1))).unwrap().unwrap();
    assert_eq!(attached.notices, [""; 0]);
    attached.prepare(&second, &mut |_, _| panic!("nothing is left to make")).unwrap();
    assert_eq!(read(&second, &[1, 1]).unwrap(), known);
    let refused = read(&second, &[9, 10, 11]).unwrap_err().to_string();
    assert!(refused.starts_with("the question cannot be embedded: ") && refused.contains("--memory any"), "{refused}");

    // Damage is told, and made good.
    let file = kept(cache.path()).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 4;
    fs::write(&file, bytes).unwrap();
    let mut third = dataset(dir.path());
    let attached = attach(&mut third, &options(cache.path(), Allowance::Any)).unwrap().unwrap();
    assert!(
        matches!(&attached.notices[..], [one] if one.contains("is damaged; it is removed")),
        "{:?}",
        attached.notices
    );
    attached.prepare(&third, &mut |_, _| Ok(())).unwrap();
    assert_eq!(read(&third, &[1, 1]).unwrap(), known);

    // A dataset whose model nobody opened is not read as if it had none.
    let unopened = read(&Dataset { interactions: first.interactions.clone(), ..dataset(dir.path()) }, &[1, 1]);
    assert!(unopened.is_err_and(|error| error.to_string().contains("was not opened")));
}

#[test]
fn what_is_stopped_leaves_nothing_half_written() {
    let (dir, cache) = (model(), tempfile::tempdir().unwrap());
    let mut dataset = dataset(dir.path());
    let attached = attach(&mut dataset, &options(cache.path(), Allowance::Any)).unwrap().unwrap();
    let stop = attached.prepare(&dataset, &mut |_, _| Err(EngineError::Cancelled));
    assert_eq!((stop, kept(cache.path()).len()), (Err(EngineError::Cancelled), 0));
    let stop = attached.prepare(&dataset, &mut |done, _| if done > 0 { Err(EngineError::Cancelled) } else { Ok(()) });
    assert_eq!((stop, kept(cache.path()).len()), (Err(EngineError::Cancelled), 1));
    let again = attach(&mut dataset, &options(cache.path(), Allowance::Any)).unwrap().unwrap();
    assert_eq!(again.notices, [""; 0]);
    let mut left = None;
    let mut report = |_, of| {
        left.get_or_insert(of);
        Ok(())
    };
    again.prepare(&dataset, &mut report).unwrap();
    assert_eq!(left, Some(35 - 32), "words repeat every 35 items");
}

#[test]
fn a_folder_that_is_no_embedding_model_is_one_message() {
    let told = |spoil: &dyn Fn(&Path)| {
        let dir = model();
        spoil(dir.path());
        let error =
            EmbeddingModel::open(dir.path(), &LoadOptions::default()).err().expect("it must not open").to_string();
        assert!(error.starts_with("cannot load the model in ") && !error.contains('\n'), "{error}");
        error
    };
    let edit = |name: &'static str, change: fn(&mut Value)| {
        move |dir: &Path| {
            let mut value: Value = serde_json::from_slice(&fs::read(dir.join(name)).unwrap()).unwrap();
            change(&mut value);
            fs::write(dir.join(name), value.to_string()).unwrap();
        }
    };
    for (error, wanted) in [
        (told(&|dir| fs::remove_file(dir.join("modules.json")).unwrap()), "modules.json is missing"),
        (told(&|dir| fs::remove_file(dir.join("tokenizer.json")).unwrap()), "tokenizer.json is missing"),
        (told(&|dir| fs::remove_file(dir.join("1_Pooling/config.json")).unwrap()), "1_Pooling/config.json is missing"),
        (told(&edit("config.json", |c| c["architectures"] = json!(["BertModel"]))), "BertModel"),
        (told(&edit("modules.json", |m| *m = json!([m[1]]))), "does not begin with a transformer"),
        (told(&edit("modules.json", |m| *m = json!([m[0]]))), "names no pooling"),
        (told(&edit("modules.json", |m| m[1]["type"] = json!("x.LSTM"))), "\"lstm\""),
        (told(&edit("1_Pooling/config.json", |c| c["pooling_mode_lasttoken"] = json!(false))), "pools neither"),
        (told(&edit("1_Pooling/config.json", |c| c["pooling_mode_cls_token"] = json!(true))), "pools neither"),
        (told(&edit("1_Pooling/config.json", |c| c["word_embedding_dimension"] = json!(7))), "width 64"),
        (
            told(&|dir| {
                let path = dir.join("model.safetensors");
                let whole = fs::read(&path).unwrap();
                fs::write(path, &whole[..whole.len() - 100]).unwrap();
            }),
            "model.safetensors is damaged",
        ),
    ] {
        assert!(error.contains(wanted), "{error}");
    }
    let missing = EmbeddingModel::open(Path::new("/no/such"), &LoadOptions::default()).err().unwrap().to_string();
    assert!(missing.contains("/no/such") && missing.contains("no such folder"), "{missing}");
    // What only the library finds wrong is a message, too, and the model is read again where it is asked again.
    let dir = model();
    edit("config.json", |c| c["num_hidden_layers"] = json!(9))(dir.path());
    let model = EmbeddingModel::open(dir.path(), &LoadOptions::default()).unwrap();
    for _ in 0..2 {
        let error = model.make(&["tide"]).unwrap_err();
        assert!(error.starts_with("cannot load the model in ") && !error.contains('\n'), "{error}");
    }
}

/// A dataset folder with the model beside it: forgetting looks through all files of the dataset's own folder.
fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("data")).unwrap();
    dataset(Path::new("../words")).write(&home.path().join("data")).unwrap();
    fs::create_dir(home.path().join("words")).unwrap();
    tiny_llama::write_embedder(&home.path().join("words"));
    home
}

/// Memory over a store reads like memory in RAM, where a model makes the vectors, too; what a base holds the model is not
/// asked for, and what is recorded it is.
#[test]
fn a_store_holds_the_vectors_of_a_model() {
    let home = home();
    let (data, stores, cache) = (home.path().join("data"), home.path().join("stores"), home.path().join("cache"));
    let options = |memory| options(&cache, memory);
    let opened = |memory| {
        let open = |head: &mut Dataset| attach(head, &options(memory)).map(drop);
        Store::of(&stores, &data).unwrap().embedded(open).unwrap()
    };
    let told = |memory: &Memory| {
        let read = memory.read(&UserId::new("u1"), &query(&[1, 1]), END).unwrap();
        format!("{:?} {:?}", read.local.hits, read.global)
    };
    // Whoever has not opened the model has no memory, and no vectors of nothing.
    let unopened = Store::of(&stores, &data).unwrap();
    assert!(!unopened.worthwhile());
    let refused = unopened.open(None, &mut |_, _, _| Ok(())).err().unwrap().to_string();
    assert!(refused.contains("was not opened"), "{refused}");
    // The base is made once, and says how far it is; stopping it leaves none.
    let stopped = opened(Allowance::Any).open(None, &mut |stage, done, _| match (stage, done) {
        (ASKING_MODEL, 1..) => Err(StoreError::Cancelled),
        _ => Ok(()),
    });
    assert!(matches!(stopped, Err(StoreError::Cancelled)));
    let (store, mut asked) = (opened(Allowance::Any), Vec::new());
    assert_eq!(store.verify().unwrap().base, None);
    let mut report = |stage, done, of| {
        asked.extend((stage == ASKING_MODEL).then_some((done, of)));
        Ok(())
    };
    let built = store.open(None, &mut report).unwrap();
    assert_eq!((built.notices, asked), (vec![Notice::Built], vec![(0, 3)]), "32 of 35 texts were kept");
    let mut dataset = Dataset::open(&data).unwrap();
    attach(&mut dataset, &options(Allowance::Any)).unwrap();
    assert_eq!(told(&built.memory), told(&Memory::build(&dataset)));
    // It opens without the model, even with no vector left in the cache: that is asked for a question's vector alone.
    fs::remove_dir_all(folder(&cache)).unwrap();
    let again = opened(Allowance::Bytes(1)).open(None, &mut |_, _, _| Ok(())).unwrap();
    assert_eq!(again.notices, []);
    assert!(again.memory.read(&UserId::new("u1"), &query(&[1, 1]), END).is_err());
    let again = opened(Allowance::Any).open(None, &mut |_, _, _| Ok(())).unwrap();
    assert_eq!(told(&again.memory), told(&built.memory));
    // What is recorded is embedded before it is acknowledged.
    let new = interaction(77, 1, 4_100, &[9, 10], 2);
    let without = opened(Allowance::Bytes(1));
    let refused = without.record(&mut |_, _, _| Ok(())).unwrap().append(&new).unwrap_err().to_string();
    assert!(refused.starts_with("the dataset cannot be embedded: ") && refused.contains("--memory any"), "{refused}");
    assert_eq!(without.recorded().unwrap().0, []);
    let store = opened(Allowance::Any);
    store.record(&mut |_, _, _| Ok(())).unwrap().append(&new).unwrap();
    let with = store.open(None, &mut |_, _, _| Ok(())).unwrap();
    assert_eq!(with.notices, []);
    dataset.interactions.push(new);
    attach(&mut dataset, &options(Allowance::Any)).unwrap().unwrap().prepare(&dataset, &mut |_, _| Ok(())).unwrap();
    assert_eq!(told(&with.memory), told(&Memory::build(&dataset)));
    assert_eq!(Store::of(&stores, &data).unwrap().verify().unwrap().faults, [""; 0]);
}

#[test]
fn a_command_makes_vectors_first_and_forgetting_takes_them_along() {
    let home = home();
    let run = |arguments: &[&str]| {
        let mut command = crate::program();
        command.env("XDG_CACHE_HOME", home.path().join("cache")).env("HOME", home.path());
        let output = command.args(arguments).arg("--data").arg(home.path().join("data")).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), told)
    };
    let ask = ["ask", "--model", "none", "--user", "u1", "--query", "tide", "--format", "json"];
    let (code, first, told) = run(&ask);
    assert_eq!((code, told.as_str()), (Some(0), ""), "{first}");
    let cache = home.path().join("cache/logoscope");
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let before = kept(&cache);
    assert_eq!(before.len(), 1);
    let whole = size(&before[0]);
    assert_eq!(run(&ask).1, first);
    let (code, out, told) = run(&["store", "build"]);
    assert_eq!((code, out.ends_with(": 40 interactions\n")), (Some(0), true), "{out}{told}");
    assert_eq!(run(&ask), (Some(0), first.clone(), String::new()), "from its store");
    let (code, out, told) = run(&["forget", "--user", "u1"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(out.contains("10 vectors that embedding models made of their texts"), "{out}");
    let (code, out, _) = run(&["store", "verify"]);
    assert_eq!((code, out.starts_with("base     none")), (Some(0), true), "{out}");
    let after = kept(&cache);
    // Ten of the 35 texts are theirs, too; a key and 64 numbers each.
    assert_eq!((after.len(), size(&after[0])), (1, whole - 10 * (16 + 64 * 4)));

    fs::remove_file(home.path().join("words/modules.json")).unwrap();
    let (code, out, told) = run(&ask);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(told.starts_with("logoscope: cannot load the model in ") && told.lines().count() == 1, "{told}");
}

#[test]
fn the_workbench_says_how_far_it_is() {
    let home = home();
    let (data, stores) = (home.path().join("data"), home.path().join("stores"));
    let load = options(&home.path().join("cache"), Allowance::Any);
    let started = || {
        let (out, inbox) = mpsc::channel();
        let source = Source::Folder { dir: data.clone(), stores: stores.clone(), load: Box::new(load.clone()) };
        let worker = MemoryWorker::start(source, || {}, out).unwrap();
        let mut told = Vec::new();
        for message in &inbox {
            match message {
                Message::DataRead(_) => told.push("read".to_owned()),
                Message::Embedding { done, of } => told.push(format!("{done} of {of}")),
                Message::Stage(stage) => told.extend(stage.starts_with("counting").then(|| stage.to_owned())),
                Message::MemoryBuilt { .. } => break,
                Message::DataFailed(reason) => panic!("{reason}"),
                _ => {}
            }
        }
        drop(worker);
        told
    };
    assert_eq!(started(), ["read", "0 of 35", "32 of 35"]);
    // From a store nothing is made but the store.
    fs::create_dir(&stores).unwrap();
    let open = |head: &mut Dataset| attach(head, &load).map(drop);
    Store::of(&stores, &data).unwrap().embedded(open).unwrap().open(None, &mut |_, _, _| Ok(())).unwrap();
    fs::remove_dir_all(folder(&load.hub.cache)).unwrap();
    assert_eq!(started(), ["read"]);
    for base in fs::read_dir(Store::of(&stores, &data).unwrap().folder()).unwrap() {
        let columns = base.unwrap().path().join("vectors");
        if columns.exists() {
            fs::write(columns, b"damaged").unwrap();
        }
    }
    assert_eq!(started()[..3], ["read", "0 of 35", "32 of 35"], "it is made anew");
}
