//! Laws of forgetting: nothing of a person is left, nothing of anybody else is lost, and an interrupted run can be ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use logoscope::data::dataset::{Dataset, Likeness, TaskKind};
use logoscope::data::forget::Person;
use logoscope::data::interaction::{Extra, Interaction, JudgedQuery, Timestamp, UserId};
use logoscope::data::scale::Scale;
use logoscope::engine::profile::kept::{self, Change};
use logoscope::engine::profile::{History, Profile};
use logoscope::forget::{ForgetError, Receipt, Request, forget, look_for};
use logoscope::memory::Memory;
use logoscope::memory::embed::lsa::Plan;
use logoscope::memory::embed::{KeptVectors, Maker, OfTexts, VectorsError, of_texts};
use logoscope::memory::store::{Store, StoreError};
use logoscope::memory::trace::Way;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::embed::{plan, table};
use crate::population::{datasets, interaction, manifest, query};

/// A dataset folder, its stores and the recordings of its users.
struct Place {
    dir: TempDir,
}

impl Place {
    fn of(dataset: &Dataset) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        dataset.write(&place.data()).unwrap();
        place
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn stores(&self) -> PathBuf {
        self.dir.path().join("stores")
    }

    fn recordings(&self) -> PathBuf {
        self.dir.path().join("home/.local/state/logoscope/sessions")
    }

    fn profiles(&self) -> PathBuf {
        self.dir.path().join("home/.cache/logoscope/profiles")
    }

    fn vectors(&self) -> PathBuf {
        self.dir.path().join("home/.cache/logoscope/vectors")
    }

    fn store(&self) -> Store {
        Store::of(&self.stores(), &self.data()).unwrap()
    }

    fn forget(&self, user: &UserId) -> Result<Receipt, ForgetError> {
        self.asked(user, |request| forget(request, &mut go_on, &mut || ()))
    }

    fn asked<T>(&self, user: &UserId, ask: impl FnOnce(Request) -> T) -> T {
        let (data, stores, recordings) = (self.data(), self.stores(), self.recordings());
        let (profiles, vectors) = (self.profiles(), self.vectors());
        ask(Request {
            data: &data,
            user,
            stores: &stores,
            recordings: &recordings,
            profiles: &profiles,
            vectors: &vectors,
        })
    }

    /// Every file by its path from here, with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.strip_prefix(self.dir.path()).unwrap().to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    /// Files that hold any of `words`.
    fn holding(&self, words: &[String]) -> Vec<PathBuf> {
        let holds =
            |bytes: &[u8]| words.iter().any(|word| bytes.windows(word.len()).any(|window| window == word.as_bytes()));
        self.files().into_iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect()
    }

    /// `logoscope forget` here.
    fn run(&self, arguments: &[&str], abort_at: Option<usize>) -> Output {
        let mut command = crate::program();
        command.arg("forget").args(arguments).arg("--store").arg(self.stores());
        command.current_dir(self.dir.path()).stdin(Stdio::null()).env("HOME", self.dir.path().join("home"));
        for name in ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"] {
            command.env_remove(name);
        }
        if let Some(step) = abort_at {
            command.env("LOGOSCOPE_TEST_ABORT", step.to_string());
        }
        command.output().unwrap()
    }
}

fn go_on(_: &'static str, _: usize, _: usize) -> Result<(), StoreError> {
    Ok(())
}

/// A name that stands nowhere by chance.
fn name(user: usize) -> UserId {
    UserId::new(format!("person-{user:02}-name"))
}

/// A word that only this person has.
fn word(user: usize) -> String {
    format!("secret{user:02}word")
}

/// `i` of a person whose every text holds a word of their own.
fn private(mut i: Interaction) -> Interaction {
    let user: usize = i.user.as_str()[1..].parse().unwrap();
    i.query = format!("{} {}", i.query, word(user));
    i.user = name(user);
    i
}

fn judged(id: usize, user: usize) -> JudgedQuery {
    JudgedQuery {
        id: format!("q{id}"),
        user: name(user),
        at: Timestamp(6_000_000),
        query: format!("tide question {}", word(user)),
        gold: Some("y1".to_owned()),
        item: None,
        extra: Extra::new(),
    }
}

fn without(dataset: &Dataset, user: &UserId) -> Dataset {
    let mut left = dataset.clone();
    left.interactions.retain(|i| i.user != *user);
    left.queries.retain(|q| q.user != *user);
    left
}

fn with(dataset: &Dataset, more: &[Interaction]) -> Dataset {
    let mut whole = dataset.clone();
    whole.interactions.extend(more.iter().cloned());
    whole.interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    whole
}

/// Everything that some questions of everybody are answered from, as bits.
fn told(memory: &Memory) -> String {
    let mut told = format!("{:?} {:?}", memory.population.users, memory.periods());
    for user in 0..12 {
        for (words, t) in [([0, 1], 2_000_000), ([2, 3], 4_100_000), ([4, 5], 9_000_000)] {
            let asked = format!("{} {}", query(&words), word(user));
            let read = memory.read(&name(user), &asked, Timestamp(t)).unwrap();
            told += &format!("{:?} {:?}\n", read.local, read.global);
        }
    }
    told
}

/// Forty interactions of five people over six periods, their private words, and a judged query each.
fn small() -> Dataset {
    let made = |id: usize| private(interaction(id, id % 5, id as i64 * 120_000, &[id, id * 7 + 1, id / 3], id % 4));
    Dataset {
        manifest: manifest(4, 2),
        interactions: (0..40).map(made).collect(),
        queries: (0..5).map(|user| judged(user, user)).collect(),
    }
}

/// The same people's ratings of three things, each with a trait of theirs.
fn rated(similarity: Likeness) -> Dataset {
    let mut dataset = small();
    dataset.manifest.task = TaskKind::Rating;
    dataset.manifest.labels = Vec::new();
    dataset.manifest.scale = Some(Scale { low: 1.0, high: 5.0, step: 1.0 });
    dataset.manifest.metric = "mae".into();
    dataset.manifest.retrieval.similarity = Some(similarity);
    for (n, i) in dataset.interactions.iter_mut().enumerate() {
        i.response = (n % 5 + 1).to_string();
        i.item = Some(format!("thing{}", n % 3));
        let traits = serde_json::json!({ "by": [format!("trait of {}", i.user)] });
        i.extra.insert("attributes".to_owned(), traits);
    }
    dataset.queries.iter_mut().for_each(|q| q.gold = Some("3".to_owned()));
    dataset
}

/// The same people's texts, each of which names its writer.
fn written() -> Dataset {
    let mut dataset = small();
    dataset.manifest.task = TaskKind::Text;
    dataset.manifest.labels = Vec::new();
    dataset.interactions.iter_mut().for_each(|i| i.response = format!("an answer of {}", i.user));
    dataset
}

fn session(users: &[usize], text: &str) -> String {
    let header = "{\"event\":\"session\",\"dataset\":{\"name\":\"small\",\"hash\":\"\"}}\n".to_owned();
    let asked = |user: &usize| format!("{{\"event\":\"asked\",\"user\":\"{}\",\"query\":\"{text}\"}}\n", name(*user));
    header + &users.iter().map(asked).collect::<String>()
}

/// Makes vectors of texts by their lengths.
struct Lengths;

impl Maker for Lengths {
    fn make(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        Ok(texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect())
    }
}

/// Has the vectors of `texts` kept, as an embedding model would.
fn keep_vectors(place: &Place, texts: &[String]) {
    let (kept, _) = KeptVectors::open("m".into(), 2, place.vectors().join("m"), Box::new(Lengths)).unwrap();
    kept.prepare(texts.iter().map(String::as_str), &mut |_, _| Ok::<(), VectorsError>(())).unwrap();
}

/// A place with everything: two contents' stores, a log that was damaged, recordings, vectors. Says what others recorded.
fn full() -> (Place, Vec<Interaction>) {
    let place = Place::of(&with(&small(), &[private(interaction(90, 4, 5_900_000, &[1], 1))]));
    place.store().open(None, &mut go_on).unwrap();
    small().write(&place.data()).unwrap();
    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    let records: Vec<Interaction> =
        (0..6).map(|n| private(interaction(100 + n, n % 3, 6_500_000 + n as i64, &[n], n % 4))).collect();
    records.iter().for_each(|record| recorder.append(record).unwrap());
    drop(recorder);
    store.compact(&mut go_on).unwrap();
    fs::copy(store.folder().join("log"), store.folder().join("log.damaged-1")).unwrap();
    fs::create_dir_all(place.recordings()).unwrap();
    fs::create_dir(place.data().join("sessions")).unwrap();
    fs::write(place.data().join("sessions/a.jsonl"), session(&[1, 2], "tide")).unwrap();
    fs::write(place.recordings().join("small-001.jsonl"), session(&[1], "tide")).unwrap();
    fs::write(place.recordings().join("small-002.jsonl"), session(&[2], "tide")).unwrap();
    for user in [1, 2] {
        let history = History::of_dataset(&small(), &name(user), Timestamp(i64::MAX));
        let profile = Profile::written(&history, "m".into(), &format!("They say {} a lot.", word(user)), 5).unwrap();
        kept::change(&place.profiles(), "small", &name(user), &Change::Keep(profile)).unwrap();
    }
    let said = small().interactions.into_iter().chain(records.iter().cloned()).map(|i| i.query);
    keep_vectors(&place, &said.collect::<Vec<_>>());
    (place, records.into_iter().filter(|record| record.user != name(1)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn forgetting_leaves_no_trace(
        dataset in datasets(60), user in 0..12usize, stored in any::<bool>(), recorded in 0..4usize, compact in any::<bool>()
    ) {
        let mut dataset = dataset;
        dataset.interactions = dataset.interactions.into_iter().map(private).collect();
        dataset.queries = (0..6).map(|n| judged(n, (user + n * 5) % 12)).collect();
        let user_id = name(user);
        let left = without(&dataset, &user_id);
        prop_assume!(!left.interactions.is_empty());
        let place = Place::of(&dataset);
        let mut records = Vec::new();
        if stored {
            place.store().open(None, &mut go_on).unwrap();
            let store = place.store();
            let mut recorder = store.record(&mut go_on).unwrap();
            for n in 0..recorded {
                let record = private(interaction(1000 + n, (user + n) % 12, 6_000_000 + n as i64, &[n, n + 3], n % 4));
                recorder.append(&record).unwrap();
                records.push(record);
            }
            drop(recorder);
            if compact {
                store.compact(&mut go_on).unwrap();
            }
        }
        let receipt = place.forget(&user_id).unwrap();
        let did = dataset.interactions.iter().chain(&records).any(|i| i.user == user_id);
        let found = |way: Way| receipt.before.traces().any(|trace| trace.way == way);
        prop_assert!(found(Way::People));
        for way in [Way::Ids, Way::Texts, Way::Words, Way::Pairs, Way::Local, Way::Base, Way::Communities] {
            prop_assert_eq!(found(way), did, "{:?}", way);
        }
        let after = receipt.after.unwrap();
        prop_assert_eq!(after.left(), 0, "{:?}", after);
        records.retain(|record| record.user != user_id);
        prop_assert_eq!(&Dataset::open(&place.data()).unwrap(), &left);
        let expected = told(&Memory::build(&with(&left, &records)));
        prop_assert_eq!(&told(&place.store().open(None, &mut go_on).unwrap().memory), &expected);
        prop_assert_eq!(place.store().recorded().unwrap().0, records);
        prop_assert_eq!(place.holding(&[user_id.to_string(), word(user)]), Vec::<PathBuf>::new());
    }
}

#[test]
fn everything_that_holds_a_person_lets_go_of_them() {
    let (place, others) = full();
    let receipt = place.forget(&name(1)).unwrap();
    assert_eq!(receipt.before.stores.holdings.len(), 2, "the store, and that of earlier data");
    assert_eq!(receipt.before.recordings.len(), 2);
    assert_eq!(receipt.before.profiles.len(), 1);
    assert_eq!(receipt.before.stores.holdings[0].recorded.len(), 2);
    assert_eq!(receipt.before.vectors, OfTexts { vectors: 10, unreadable: 0 });
    let ways: Vec<Way> = receipt.before.traces().map(|trace| trace.way).collect();
    let told_of = receipt.before.memory.as_ref().unwrap().len();
    assert_eq!(ways.len(), told_of, "a way that finds nobody proves nothing: {ways:?}");
    let local = receipt.before.traces().find(|trace| trace.way == Way::Local).unwrap();
    assert_eq!((local.found, local.rank), (receipt.probes as f64, Some(1)));
    assert_eq!(receipt.after.unwrap().left(), 0);
    assert_eq!(place.holding(&[name(1).to_string(), word(1)]), Vec::<PathBuf>::new());
    assert_eq!(place.store().recorded().unwrap().0, others);
    let vectors =
        |records: &[Interaction]| of_texts(&place.vectors(), records.iter().map(|i| i.query.as_str())).unwrap().vectors;
    assert_eq!((vectors(&others), vectors(&without(&small(), &name(1)).interactions)), (4, 32), "somebody else's");
    assert!(place.recordings().join("small-002.jsonl").exists(), "somebody else's");
    assert_eq!(kept::read(&place.profiles(), "small", &name(2)).unwrap().len(), 1, "somebody else's");
    assert!(matches!(place.forget(&name(1)), Err(ForgetError::Unknown(_))));
}

/// A recording is of the data whose items it names and a profile of the history that it is made from, whatever name stands
/// on them: datasets share names, and get other ones.
#[test]
fn a_name_makes_nothing_theirs() {
    let place = Place::of(&small());
    let who = name(1);
    let mut elsewhere = small();
    elsewhere.interactions.iter_mut().for_each(|i| i.query = format!("of other data {}", i.id));
    fs::create_dir_all(place.recordings()).unwrap();
    let mut made = Vec::new();
    for (file, called, data) in [("a", "small", small()), ("b", "small", elsewhere.clone()), ("c", "renamed", small())]
    {
        let votes: Vec<_> = data.interactions.iter().filter(|i| i.user == who).collect();
        let votes: Vec<_> = votes.iter().map(|i| serde_json::json!({"id": i.id, "text": i.query})).collect();
        let events = [
            serde_json::json!({"event": "session", "dataset": {"name": called, "hash": ""}}),
            serde_json::json!({"event": "asked", "user": who, "query": "tide"}),
            serde_json::json!({"event": "evidence", "local": {"votes": votes}}),
        ];
        made.push(place.recordings().join(format!("{file}.jsonl")));
        fs::write(made.last().unwrap(), events.map(|event| format!("{event}\n")).concat()).unwrap();
    }
    let profile = |data: &Dataset| {
        let history = History::of_dataset(data, &who, Timestamp(i64::MAX));
        Profile::written(&history, "m".into(), "They like the sea.", 5).unwrap()
    };
    let keep = |called: &str, of: Profile| kept::change(&place.profiles(), called, &who, &Change::Keep(of)).unwrap();
    keep("small", profile(&small()));
    keep("small", profile(&elsewhere));
    keep("renamed", profile(&small()));

    let dry = place.run(&["--user", who.as_str(), "--data", "data", "--dry-run"], None);
    let told = String::from_utf8(dry.stdout).unwrap();
    assert!(told.contains("b.jsonl: of somebody of this name"), "{told}");
    let receipt = place.forget(&who).unwrap();
    let paths: Vec<PathBuf> = receipt.before.recordings.iter().map(|recording| recording.path.clone()).collect();
    assert_eq!(paths, [made[0].clone(), made[2].clone()]);
    assert_eq!(receipt.before.profiles.len(), 2, "one of them holds other data's, too");
    let after = receipt.after.unwrap();
    assert_eq!((after.left(), after.unrelated.len()), (0, 2), "{:?}", after.unrelated);
    assert_eq!(made.iter().map(|path| path.exists()).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(kept::read(&place.profiles(), "small", &who).unwrap(), [profile(&elsewhere)]);
    assert_eq!(kept::read(&place.profiles(), "renamed", &who).unwrap(), []);
}

/// A store that nothing ties to the dataset keeps every byte of its logs, whatever is wrong with them. A base that cannot be
/// read goes where its list of people has the very name, not one that begins with it.
#[test]
fn a_store_of_other_data_keeps_its_logs() {
    let place = Place::of(&small());
    let who = name(1);
    let made = |folder: &str, called: UserId, records: usize| -> Store {
        let mut other = small();
        other.queries.clear();
        for i in &mut other.interactions {
            i.query = format!("of other data, {folder} {}", i.id);
            i.user = if i.user == who { called.clone() } else { i.user.clone() };
        }
        let data = place.dir.path().join(folder);
        other.write(&data).unwrap();
        let store = Store::of(&place.stores(), &data).unwrap();
        store.open(None, &mut go_on).unwrap();
        if records > 0 {
            let mut recorder = store.record(&mut go_on).unwrap();
            for n in 0..records {
                let record = interaction(100 + n, 0, 6_500_000 + n as i64, &[n], n % 4);
                recorder.append(&Interaction { user: called.clone(), ..record }).unwrap();
            }
            drop(recorder);
            let log = store.folder().join("log");
            fs::copy(&log, store.folder().join("log.damaged-1")).unwrap();
            fs::write(&log, [&fs::read(&log).unwrap()[..], b"which only somebody else can still mend"].concat())
                .unwrap();
        }
        for entry in fs::read_dir(store.folder()).unwrap() {
            let manifest = entry.unwrap().path().join("manifest");
            if manifest.exists() {
                fs::write(manifest, "of another version").unwrap();
            }
        }
        store
    };
    let same = made("same", who.clone(), 2);
    let longer = made("longer", UserId::new(format!("{who}-too")), 2);
    let bare = made("bare", who.clone(), 0);
    // Whether there is a base, and the logs.
    let kept = |store: &Store| {
        let logs = ["log", "log.damaged-1"].map(|name| fs::read(store.folder().join(name)).unwrap());
        (store.verify().unwrap().base.is_some(), logs)
    };
    let before = [&same, &longer].map(kept);
    let receipt = place.forget(&who).unwrap();
    let holdings = &receipt.before.stores.holdings;
    assert!(holdings.len() == 2 && holdings.iter().all(|held| !held.tied && held.bases.len() == 1), "{holdings:?}");
    assert_eq!(receipt.before.stores.unrelated.len(), 2, "a log and what was moved aside");
    assert_eq!(receipt.after.unwrap().left(), 0);
    assert_eq!(kept(&longer), before[1]);
    assert_eq!(kept(&same), (false, before[0].1.clone()));
    assert!(before[0].0 && !bare.folder().exists(), "where there was nothing else, nothing is left");
}

/// What is theirs is found under whatever name it is kept, and in whatever is left of it.
#[test]
fn a_trace_needs_no_name() {
    let dataset = small();
    let own: Vec<Interaction> = dataset.interactions.iter().filter(|i| i.user == name(1)).cloned().collect();
    let alone = own.iter().map(|i| i.query.clone()).collect();
    let person = Person { user: name(1), interactions: own, queries: Vec::new(), alone };
    let ways = |dataset: &Dataset| -> Vec<Way> {
        let traces = Memory::build(dataset).traces(&person).unwrap();
        traces.into_iter().filter(|trace| !trace.is_none()).map(|trace| trace.way).collect()
    };
    let mut hidden = dataset.clone();
    hidden.queries.clear();
    hidden.manifest.retrieval.guard = 1;
    hidden.interactions.iter_mut().filter(|i| i.user == name(1)).for_each(|i| i.user = name(2));
    let found = ways(&hidden);
    for way in [Way::Ids, Way::Texts, Way::Words, Way::Pairs, Way::Base, Way::Neighbours, Way::Terms, Way::Entries] {
        assert!(found.contains(&way), "{way:?} in {found:?}");
    }
    let mut one = without(&dataset, &name(1));
    one.interactions.push(private(interaction(77, 2, 900_000, &[1], 1)));
    one.interactions.last_mut().unwrap().query += &format!(" {}", word(1));
    assert_eq!(ways(&one), [], "somebody else says their word");
    let mut asks = without(&dataset, &name(1));
    asks.queries.push(judged(9, 1));
    assert_eq!(ways(&asks), [Way::People], "a judged query makes them known, and is in no memory");
}

#[test]
fn raters_are_forgotten_by_things_and_attributes() {
    for similarity in [Likeness::Attributes, Likeness::Text] {
        let place = Place::of(&rated(similarity));
        let receipt = place.forget(&name(1)).unwrap();
        let ways: Vec<Way> = receipt.before.traces().map(|trace| trace.way).collect();
        for way in [Way::Local, Way::Base, Way::Crowd, Way::Attributes, Way::Questions] {
            assert!(ways.contains(&way), "{way:?} in {ways:?}, {similarity:?}");
        }
        assert_eq!(receipt.after.unwrap().left(), 0);
        assert_eq!(place.holding(&[name(1).to_string(), word(1)]), Vec::<PathBuf>::new());
    }
}

/// Ratings and texts leave the store, its log, and the store of earlier data; what others recorded stays.
#[test]
fn raters_and_writers_leave_their_stores() {
    for dataset in [rated(Likeness::Attributes), written()] {
        let mut earlier = dataset.clone();
        earlier.interactions.pop();
        let place = Place::of(&earlier);
        place.store().open(None, &mut go_on).unwrap();
        dataset.write(&place.data()).unwrap();
        let store = place.store();
        let mut recorder = store.record(&mut go_on).unwrap();
        let made = |n: usize| {
            let mut made = dataset.interactions[n].clone();
            (made.id, made.at) = (format!("later{n}"), Timestamp(6_500_000 + n as i64));
            made
        };
        let records: Vec<Interaction> = (0..6).map(made).collect();
        records[..4].iter().for_each(|record| recorder.append(record).unwrap());
        drop(recorder);
        store.compact(&mut go_on).unwrap();
        let mut recorder = store.record(&mut go_on).unwrap();
        records[4..].iter().for_each(|record| recorder.append(record).unwrap());
        drop(recorder);

        let receipt = place.forget(&name(1)).unwrap();
        assert_eq!(receipt.before.stores.holdings.len(), 2, "the store, and that of earlier data");
        assert_eq!(receipt.after.unwrap().left(), 0);
        assert_eq!(place.holding(&[name(1).to_string(), word(1)]), Vec::<PathBuf>::new());
        let others: Vec<Interaction> = records.into_iter().filter(|record| record.user != name(1)).collect();
        assert_eq!(place.store().recorded().unwrap().0, others);
        let left = place.store().open(None, &mut go_on).unwrap();
        assert_eq!(told(&left.memory), told(&Memory::build(&with(&without(&dataset, &name(1)), &others))));
    }
}

/// A table lies relative to the dataset's folder. That of what waits has none; and fitted, as by default, on all before the
/// first judged query it has seen later moments than memory holds.
#[test]
fn people_leave_a_dataset_with_a_table_beside_it() {
    let mut dataset = small();
    dataset.manifest.retrieval.embedder = "static:table".parse().unwrap();
    for stored in [false, true] {
        let place = Place::of(&dataset);
        table(&place.data(), &dataset, Plan { contributors: 2, ..plan(6_000_000) }).unwrap();
        let records: Vec<Interaction> =
            stored.then(|| private(interaction(100, 2, 6_500_000, &[1], 1))).into_iter().collect();
        if stored {
            let store = place.store();
            let mut recorder = store.record(&mut go_on).unwrap();
            records.iter().for_each(|record| recorder.append(record).unwrap());
        }
        let receipt = place.forget(&name(1)).unwrap();
        let after = receipt.after.unwrap();
        assert_eq!(after.left(), 0, "{after:?}");
        assert_eq!(place.holding(&[name(1).to_string(), word(1)]), Vec::<PathBuf>::new());
        assert_eq!(place.store().recorded().unwrap().0, records);
        let left = Dataset::open(&place.data()).unwrap();
        assert_eq!(left.interactions, without(&dataset, &name(1)).interactions);
        assert!(Memory::build(&left).embedder().starts_with("static-"), "its table is where it was");
    }
}

/// A place where somebody recorded a person's very words, with their record and their session.
fn same_words(dataset: &Dataset) -> (Place, Interaction, PathBuf) {
    let said = dataset.interactions[1].clone();
    assert_eq!(said.user, name(1));
    let place = Place::of(dataset);
    let record = Interaction { id: "later".to_owned(), user: name(2), at: Timestamp(6_500_000), ..said.clone() };
    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    recorder.append(&record).unwrap();
    drop(recorder);
    fs::create_dir_all(place.recordings()).unwrap();
    let path = place.recordings().join("small-001.jsonl");
    let note = serde_json::json!({"event": "note", "text": said.response});
    fs::write(&path, format!("{}{note}\n", session(&[2], &said.query))).unwrap();
    (place, record, path)
}

/// Who recorded the same words keeps their record and their session, and is no trace of whoever is forgotten.
#[test]
fn what_others_recorded_is_not_theirs_alone() {
    for dataset in [small(), written()] {
        let (place, record, path) = same_words(&dataset);
        let receipt = place.forget(&name(1)).unwrap();
        assert_eq!(receipt.before.recordings, []);
        let after = receipt.after.unwrap();
        assert_eq!(after.left(), 0, "{after:?}");
        assert!(path.exists(), "somebody else's");
        assert_eq!(place.store().recorded().unwrap().0, [record]);
    }
}

/// A run that ends between the stores and the dataset has moved what others recorded to the store of the dataset to be. The
/// next one did not look there, and took their session for the person's.
#[test]
fn an_interrupted_run_leaves_what_others_recorded_in_sight() {
    let who = name(1);
    let arguments = ["--user", who.as_str(), "--data", "data"];
    let mut moved = 0;
    for step in 0.. {
        let (place, record, path) = same_words(&small());
        let ended = place.run(&arguments, Some(step)).status.success();
        if !ended {
            let found = place.asked(&who, look_for);
            // Once the last file has taken its place there is nobody to be found.
            let found = found.map_or(Vec::new(), |receipt| receipt.before.recordings);
            assert_eq!(found, [], "step {step}");
            let still = Dataset::open(&place.data()).unwrap().interactions.iter().any(|i| i.user == who);
            moved += usize::from(still && place.store().recorded().unwrap().0.is_empty());
            place.run(&arguments, None);
        }
        assert!(path.exists(), "step {step}: somebody else's");
        assert_eq!(place.store().recorded().unwrap().0, [record], "step {step}");
        assert_eq!(place.holding(&[who.to_string()]), Vec::<PathBuf>::new(), "step {step}");
        if ended {
            break;
        }
    }
    assert!(moved >= 2, "{moved} runs ended behind the stores and before the dataset");
}

/// Of a session that is a link only the link would go: nothing is done before the session itself lies there.
#[cfg(unix)]
#[test]
fn a_session_that_is_a_link_is_refused() {
    for file in ["data/sessions/a.jsonl", "home/.local/state/logoscope/sessions/small-001.jsonl"] {
        let (place, _) = full();
        let linked = |path: &Path, real: &str| {
            let real = place.dir.path().join(real);
            fs::rename(path, &real).unwrap();
            std::os::unix::fs::symlink(&real, path).unwrap();
        };
        let path = place.dir.path().join(file);
        linked(&path, "theirs");
        linked(&place.recordings().join("small-002.jsonl"), "somebody-elses");
        let before = place.files();
        let refused = place.forget(&name(1)).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{}: is a link, and ", path.display())), "{refused}");
        assert_eq!(place.files(), before);
        fs::rename(place.dir.path().join("theirs"), &path).unwrap();
        assert_eq!(place.forget(&name(1)).unwrap().after.unwrap().left(), 0);
        assert!(!path.exists() && place.recordings().join("small-002.jsonl").exists());
    }
}

/// The process ends before any of its changes; what it leaves opens, and the same command ends the work.
#[test]
fn an_interrupted_run_is_ended_by_the_next() {
    // A store's lock says who held it last, and its base is made anew.
    let kept = |place: &Place| -> BTreeMap<PathBuf, Vec<u8>> {
        let told = |path: &Path| path.starts_with("data") || path.ends_with("log");
        place.files().into_iter().filter(|(path, _)| told(path)).collect()
    };
    let expected = {
        let (place, _) = full();
        place.forget(&name(1)).unwrap();
        kept(&place)
    };
    let who = name(1);
    let arguments = ["--user", who.as_str(), "--data", "data"];
    let mut step = 0;
    loop {
        let (place, others) = full();
        let old: Vec<Vec<u8>> = ["interactions.jsonl", "queries.jsonl"]
            .iter()
            .map(|file| fs::read(place.data().join(file)).unwrap())
            .collect();
        let output = place.run(&arguments, Some(step));
        if output.status.success() {
            break;
        }
        assert_eq!(output.status.code(), None, "step {step}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty(), "no receipt before the end");
        for (file, old) in ["interactions.jsonl", "queries.jsonl"].iter().zip(&old) {
            let now = fs::read(place.data().join(file)).unwrap();
            assert!(now == *old || now == expected[&Path::new("data").join(file)], "step {step}: half of {file}");
        }
        Dataset::open(&place.data()).unwrap();
        let again = place.run(&arguments, None);
        let (out, error) = (String::from_utf8_lossy(&again.stdout), String::from_utf8_lossy(&again.stderr));
        // Once the last file has taken its place there is nobody to be found, and nothing left to do.
        let ended = again.status.code() == Some(2) && error.contains("is not in the dataset");
        assert!(again.status.success() || ended, "step {step}: {out}{error}");
        assert_eq!(place.store().recorded().unwrap().0, others, "step {step}");
        assert_eq!(place.holding(&[who.to_string(), word(1)]), Vec::<PathBuf>::new(), "step {step}");
        let left = kept(&place);
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert!(left == expected, "step {step}: {:?}, not {:?}", names(&left), names(&expected));
        step += 1;
    }
    assert!(step >= 8, "{step} changes of the disk");
}

#[test]
fn a_dry_run_changes_no_byte() {
    let (place, _) = full();
    let before = place.files();
    let who = name(1);
    let output = place.run(&["--user", who.as_str(), "--data", "data", "--dry-run"], None);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for part in
        ["nothing is changed (--dry-run)", "Would be removed", "interactions.jsonl   8 lines; 32 of others stay"]
    {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(place.files(), before);
    assert!(place.asked(&who, look_for).unwrap().after.is_none());
    let json = place.run(&["--user", who.as_str(), "--data", "data", "--dry-run", "--format", "json"], None);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&value["schema"], &value["dry_run"]), (&"logoscope.forget/1".into(), &true.into()));
    assert_eq!(value["before"]["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(value["before"]["vectors"], 10, "of eight texts in the data, and of two that were recorded");
    assert!(told.contains("10 vectors that embedding models made of their texts"), "{told}");
}

#[test]
fn what_the_program_did_not_write_is_told_and_fails_the_check() {
    let place = Place::of(&small());
    let who = name(1);
    fs::write(place.data().join("interactions.jsonl.bak"), format!("{{\"user\":\"{who}\"}}\n")).unwrap();
    fs::write(place.data().join("rows.csv.gz"), "packed").unwrap();
    fs::create_dir_all(place.data().join("sessions/old")).unwrap();
    fs::write(place.data().join("sessions/old/a.jsonl"), session(&[1], "tide")).unwrap();
    let output = place.run(&["--user", who.as_str(), "--data", "data"], None);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("interactions.jsonl.bak:1: 1 line; a file that this command leaves as it is"), "{told}");
    assert!(told.contains("sessions/old/a.jsonl:2: 1 line; a file that this command leaves as it is"), "{told}");
    assert!(told.contains("rows.csv.gz: packed, and was not looked into"), "{told}");
    assert!(told.ends_with("is left in 2 places, marked above.\n"), "{told}");
    assert!(place.data().join("interactions.jsonl.bak").exists());
}

#[test]
fn the_last_person_leaves_an_empty_dataset() {
    let mut dataset = small();
    dataset.interactions.retain(|i| i.user == name(1));
    dataset.queries.clear();
    let place = Place::of(&dataset);
    let who = name(1);
    let output = place.run(&["--user", who.as_str(), "--data", "data"], None);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("Nobody is left in this dataset"), "{told}");
    assert_eq!(fs::read(place.data().join("interactions.jsonl")).unwrap(), b"");
}

#[test]
fn people_of_a_text_task_are_forgotten() {
    let dataset = written();
    let place = Place::of(&dataset);
    let receipt = place.forget(&name(1)).unwrap();
    assert_eq!(receipt.after.unwrap().left(), 0);
    assert_eq!(Dataset::open(&place.data()).unwrap(), without(&dataset, &name(1)));
}

#[test]
fn what_cannot_be_done_is_told_and_nothing_is_changed() {
    let who = name(1);
    let user = who.as_str();
    type Spoil = Box<dyn Fn(&Place) -> Option<Box<dyn std::any::Any>>>;
    let nothing = || -> Spoil { Box::new(|_| None) };
    let cases: Vec<(Vec<&str>, Spoil, &[&str])> = vec![
        (
            vec!["--user", user],
            nothing(),
            &["the embedded sample is a part of the program", "logoscope synth --out DIR"],
        ),
        (vec!["--data", "data"], nothing(), &["--user <U>"]),
        (
            vec!["--user", "nobody\u{1b}[2J", "--data", "data"],
            nothing(),
            &["user 'nobody␛[2J' is not in the dataset", "check the spelling"],
        ),
        (vec!["--user", user, "--data", "nowhere"], nothing(), &["nowhere/dataset.toml: cannot be read"]),
        (
            vec!["--user", user, "--data", "data"],
            Box::new(|place| {
                let path = place.data().join("interactions.jsonl");
                fs::write(&path, fs::read_to_string(&path).unwrap() + "oops\n").unwrap();
                None
            }),
            &["data/interactions.jsonl:41: ", "correct or remove the line"],
        ),
        (
            vec!["--user", user, "--data", "data"],
            Box::new(|place| {
                let store = Box::leak(Box::new(place.store()));
                Some(Box::new(store.record(&mut go_on).unwrap()))
            }),
            &["is writing to this store", "wait for it to end"],
        ),
    ];
    for (arguments, spoil, expected) in cases {
        let (place, _) = full();
        let held = spoil(&place);
        let before = place.files();
        let output = place.run(&arguments, None);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty() && error.starts_with("logoscope: ") && error.lines().count() <= 3, "{error}");
        assert!(expected.iter().all(|part| error.contains(part)), "{arguments:?}: {error}");
        assert_eq!(place.files(), before, "{arguments:?}");
        drop(held);
    }
}

/// Each took the other's new files away, or put half of them in place.
#[test]
fn a_second_run_on_the_same_folder_is_refused_and_changes_nothing() {
    let place = Place::of(&small());
    let other = name(2);
    let second = || place.run(&["--user", other.as_str(), "--data", "data"], None);
    let mut refused = 0;
    let mut step = || {
        let before = place.files();
        let output = second();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(output.stdout.is_empty() && error.lines().count() == 1, "{error}");
        let told =
            "logoscope: data: another run of `forget` is taking somebody out of this dataset; wait for it to end";
        assert!(error.starts_with(told), "{error}");
        assert!(place.files() == before, "something was changed");
        refused += 1;
    };
    let receipt = place.asked(&name(1), |request| forget(request, &mut go_on, &mut step)).unwrap();
    assert!(refused >= 2, "{refused} changes of the disk");
    let after = receipt.after.unwrap();
    assert_eq!((after.left(), after.leftovers.len()), (0, 0), "{after:?}");
    assert_eq!(Dataset::open(&place.data()).unwrap(), without(&small(), &name(1)));
    assert_eq!(place.data().join("forget.lock").exists(), !cfg!(unix), "it goes with the run");
    assert!(second().status.success(), "after the first it is its turn");
    assert_eq!(Dataset::open(&place.data()).unwrap(), without(&without(&small(), &name(1)), &other));
}

/// A run that was killed leaves its lock's file, which is no trace of anybody and holds nobody up.
#[test]
fn the_lock_of_a_killed_run_is_no_trace() {
    let place = Place::of(&small());
    let lock = place.data().join("forget.lock");
    fs::write(&lock, "").unwrap();
    let found = place.asked(&name(1), look_for).unwrap().before;
    assert!(found.leftovers.is_empty() && found.elsewhere.is_empty() && found.packed.is_empty(), "{found:?}");
    assert!(lock.exists(), "looking changes nothing");
    assert_eq!(place.forget(&name(1)).unwrap().after.unwrap().left(), 0);
    assert_eq!(lock.exists(), !cfg!(unix));
}

/// The receipt for programs panicked on them, after everything was removed.
#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_not_utf8_are_in_the_receipt_too() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let (place, _) = full();
    let who = name(1);
    let odd = |folder: PathBuf, name: &[u8]| folder.join(OsStr::from_bytes(name));
    fs::write(odd(place.data(), b"notes-\xff.txt"), format!("ask {who}\n")).unwrap();
    fs::write(odd(place.data(), b"rows-\xff.gz"), "packed").unwrap();
    fs::write(odd(place.data(), b"queries.\xff.part"), "half").unwrap();
    fs::write(odd(place.recordings(), b"small-\xff.jsonl"), session(&[1], "tide")).unwrap();
    let mut kept = fs::read_dir(place.profiles()).unwrap().map(|entry| entry.unwrap().path());
    let theirs = kept.find(|path| fs::read_to_string(path).unwrap().contains(who.as_str())).unwrap();
    fs::rename(theirs, odd(place.profiles(), b"\xff.json")).unwrap();
    for (dry_run, code) in [(&["--dry-run"][..], 0), (&[], 1)] {
        let output =
            place.run(&[&["--user", who.as_str(), "--data", "data", "--format", "json"], dry_run].concat(), None);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let before = &value["before"];
        for (kind, file) in [
            ("other_files", "notes-\u{fffd}.txt"),
            ("packed", "rows-\u{fffd}.gz"),
            ("unfinished", "queries.\u{fffd}.part"),
            ("sessions", "small-\u{fffd}.jsonl"),
            ("profiles", "\u{fffd}.json"),
        ] {
            assert!(before[kind].to_string().contains(file), "{kind}: {before}");
        }
        assert_eq!(value["left"], if code == 0 { serde_json::Value::Null } else { 1.into() });
    }
}
