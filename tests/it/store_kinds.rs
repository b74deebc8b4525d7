//! The laws of the store for ratings and texts: what things are about, what the crowd gave them and what people wrote are
//! columns like all others.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use logoscope::data::dataset::{Dataset, Likeness, TaskKind};
use logoscope::data::interaction::{Extra, Interaction, JudgedQuery, Timestamp, UserId};
use logoscope::data::scale::Scale;
use logoscope::memory::rating::About;
use logoscope::memory::{Apart, Memory};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::population::{as_texts, datasets, interaction, length, manifest, query};
use crate::store::{
    Place, go_on, in_order, names, no_damage_becomes_an_answer, reads_like_memory, records, small, told, with,
};

/// A rating of a thing. Two things each have the same text, every sixth has no other identity, and each of four kinds other
/// attributes.
fn rating(id: usize, user: usize, at: i64, thing: usize, score: usize, kind: usize) -> Interaction {
    let mut made = interaction(id, user, at, &[2 * thing, 2 * thing + 1], 0);
    made.response = (score % 5 + 1).to_string();
    made.item = (thing % 6 != 5).then(|| format!("t{thing}"));
    let attributes = match kind % 4 {
        0 => json!({"by": [format!("writer {}", thing % 3), "all"]}),
        1 => json!({"by": "all", "year": 1990 + thing, "pages": 10.5 * thing as f64}),
        2 => return made,
        _ => json!({"year": 2000 - thing, "odd": [["nested"]], "seen": true}),
    };
    made.extra.insert("attributes".to_owned(), attributes);
    made
}

/// A judged query about a thing.
fn judged(id: usize, text: String, item: Option<&str>, attributes: Value) -> JudgedQuery {
    JudgedQuery {
        id: format!("q{id}"),
        user: UserId::new(format!("u{}", 3 + 10 * id)),
        at: Timestamp(4_000_000),
        query: text,
        gold: None,
        item: item.map(str::to_owned),
        extra: Extra::from_iter([("attributes".to_owned(), attributes)]),
    }
}

/// These ratings, with questions about something known, about a text, and about what nobody rated yet.
fn rated(interactions: Vec<Interaction>, guard: usize) -> Dataset {
    let mut manifest = manifest(2, guard);
    (manifest.task, manifest.labels, manifest.metric) = (TaskKind::Rating, Vec::new(), "mae".into());
    manifest.scale = Some(Scale { low: 1.0, high: 5.0, step: 1.0 });
    let queries = vec![
        judged(0, "asked one".to_owned(), Some("t1"), json!({"by": "all", "year": 1995})),
        judged(1, query(&[0, 1]), None, json!({})),
        judged(2, "asked two".to_owned(), Some("t8"), json!({"by": ["writer 9", "all"], "pages": 3})),
    ];
    let mut dataset = Dataset { manifest, interactions, queries };
    dataset.interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    dataset
}

/// Everything that some questions about things are answered from, as bits.
fn told_of_things(memory: &Memory) -> String {
    let mut all = told(memory);
    let extra = Extra::from_iter([("attributes".to_owned(), json!({"by": ["all", "writer 9"], "year": 1993}))]);
    let texts = ["t0", "t4", "t8", "asked one", "asked two", "never", &query(&[10, 11])].map(str::to_owned);
    for (user, text) in (0..6).flat_map(|user| texts.iter().map(move |text| (user, text))) {
        let (user, about) = (UserId::new(format!("u{user}")), About { item: Some(text), extra: &extra });
        for (about, t) in [(None, 2_000_000), (None, 9_000_000), (Some(about), 9_000_000)] {
            let read = memory.read_apart(&user, text, about, Timestamp(t), Apart::default()).unwrap();
            let hits: Vec<_> = read.local.hits.iter().map(|hit| (hit.item, hit.terms, hit.crowd)).collect();
            all += &format!("{hits:?} {:?} {:?}\n", read.global, read.scored);
        }
    }
    all
}

fn ratings() -> impl Strategy<Value = Dataset> {
    let one = (0..12usize, 0..5_000_000i64, 0..7usize, 0..5usize, 0..4usize);
    let likeness = prop_oneof![Just(None), Just(Some(Likeness::Text))];
    (proptest::collection::vec(one, 1..60), 1..4usize, length(), likeness).prop_map(
        |(rows, guard, length, likeness)| {
            let one = |(id, (user, at, thing, score, kind))| rating(id, user, at, thing, score, kind);
            let mut dataset = rated(rows.into_iter().enumerate().map(one).collect(), guard);
            dataset.manifest.periods.length = length;
            dataset.manifest.retrieval.similarity = likeness;
            dataset
        },
    )
}

/// Ratings to record: of known people and new ones, of known things and new ones, again and late.
fn more_ratings() -> impl Strategy<Value = Vec<Interaction>> {
    let one = (0..14usize, 0..9_000_000i64, 0..10usize, 0..5usize, 0..4usize, any::<bool>());
    proptest::collection::vec(one, 1..6).prop_map(|rows| {
        let made = rows.into_iter().enumerate().map(|(id, (user, at, thing, score, kind, new))| {
            let mut made = rating(1000 + id, user, at, thing, score, kind);
            if new {
                made.user = UserId::new(["a", "u10x", "z"][id % 3]);
                made.query += " unheard";
            }
            made
        });
        made.collect()
    })
}

fn written(dataset: &Dataset, records: Vec<Interaction>) -> Vec<Interaction> {
    as_texts(Dataset { interactions: records, ..dataset.clone() }).interactions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_store_of_ratings_reads_like_memory(dataset in ratings(), records in more_ratings(), ordered in any::<bool>()) {
        reads_like_memory(&dataset, if ordered { in_order(records) } else { records }, told_of_things)?;
    }

    #[test]
    fn a_store_of_texts_reads_like_memory(dataset in datasets(80), records in records(), ordered in any::<bool>()) {
        let records = written(&dataset, if ordered { in_order(records) } else { records });
        reads_like_memory(&as_texts(dataset), records, told)?;
    }
}

/// What memory says of a dataset of its kind.
type Told = fn(&Memory) -> String;

/// Three hundred ratings, and as many texts, of nine people over about fifty days.
fn many() -> [(Dataset, Told); 2] {
    let at = |id: usize| id as i64 * 15_000;
    let mut ratings: Vec<Interaction> =
        (0..300).map(|id| rating(id, id % 9, at(id), id * 7 % 11, id % 7 + id % 3, id / 2)).collect();
    let mut texts: Vec<Interaction> =
        (0..300).map(|id| interaction(id, id % 9, at(id), &[id, id * 7 + 1, id / 3], id % 4)).collect();
    for interactions in [&mut ratings, &mut texts] {
        // Somebody new between the others, with a word that is new.
        interactions[275].user = UserId::new("u3x");
        interactions[275].query += " unheard";
    }
    let texts = Dataset { manifest: manifest(4, 2), interactions: texts, queries: Vec::new() };
    [(rated(ratings, 2), told_of_things), (as_texts(texts), told)]
}

/// The same in memory, where there is enough for every kind of evidence to speak, and reads stand between.
#[test]
fn ratings_and_texts_are_remembered_as_if_they_had_always_been_there() {
    for (mut dataset, told) in many() {
        let later = dataset.interactions.split_off(260);
        let mut memory = Memory::build(&dataset);
        for some in later.chunks(9) {
            memory.remember(&some.iter().collect::<Vec<_>>()).unwrap();
            dataset.interactions.extend_from_slice(some);
            assert_eq!(told(&memory), told(&Memory::build(&dataset)));
        }
        let mut early = dataset.interactions[0].clone();
        early.id = "early".to_owned();
        assert!(memory.remember(&[&early]).is_err(), "what does not follow is refused");
        assert_eq!(told(&memory), told(&Memory::build(&dataset)), "and nothing of it is there");
        dataset.manifest.periods.base_half_life = 20.0;
        memory.retune(dataset.manifest.clone());
        assert_eq!(told(&memory), told(&Memory::build(&dataset)), "other settings hold for what came later, too");

        let read = memory.read(&UserId::new("u1"), &query(&[2, 3]), Timestamp(9_000_000)).unwrap();
        match read.written {
            Some(written) => {
                let crowd = written.crowd.unwrap();
                assert!(crowd.support > 0 && crowd.near != crowd.mean, "{crowd:?}");
                assert!(!written.own_terms.is_empty() || !written.terms.is_empty(), "{written:?}");
            }
            None => {
                assert!(read.scored.is_some() && read.global.support > 2, "{:?}", read.global);
                assert!(read.local.hits.iter().any(|hit| hit.terms.similarity() > 0.0));
            }
        }
    }
}

#[test]
fn no_damage_to_the_columns_of_ratings_and_texts_becomes_an_answer() {
    let known: BTreeSet<String> = {
        let place = Place::of(&small());
        place.open();
        names(&place.base()).into_iter().collect()
    };
    for (mut dataset, told) in many() {
        dataset.interactions.truncate(60);
        let place = Place::of(&dataset);
        place.open();
        let own: Vec<String> = names(&place.base()).into_iter().filter(|name| !known.contains(name)).collect();
        assert!(own.len() >= 10, "{own:?}");
        no_damage_becomes_an_answer(&place, &own, &told(&Memory::build(&dataset)), told);
    }
}

/// Labels called like scores, scores of two scales, and texts: the same lines of four tasks.
#[test]
fn another_task_or_scale_is_another_store() {
    let scored = rated((0..20).map(|id| rating(id, id % 4, id as i64, id % 5, id, id)).collect(), 2);
    let mut wider = scored.clone();
    wider.manifest.scale = Some(Scale { low: 0.0, high: 5.0, step: 1.0 });
    let mut named = scored.clone();
    (named.manifest.task, named.manifest.scale) = (TaskKind::Labels, None);
    named.manifest.metric = "accuracy".to_owned();
    let mut written = named.clone();
    named.manifest.labels = (1..6).map(|score| score.to_string()).collect();
    written.manifest.task = TaskKind::Text;
    let root = tempfile::tempdir().unwrap();
    let folders: BTreeSet<PathBuf> = [scored, wider, named, written]
        .iter()
        .map(|dataset| {
            let place = Place::of(dataset);
            logoscope::memory::store::Store::of(root.path(), &place.data()).unwrap().folder().to_owned()
        })
        .collect();
    assert_eq!(folders.len(), 4);
}

#[test]
fn what_is_recorded_fits_the_task() {
    let [(scored, _), (written, _)] = many();
    let place = Place::of(&scored);
    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    let mut made = rating(900, 1, 6_000_000, 0, 0, 0);
    for (response, expected) in
        [("4.5", "response '4.5' is no score on the scale 1 to 5 by 1"), ("good", "is no score")]
    {
        made.response = response.to_owned();
        let message = recorder.append(&made).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    made.response = "4.0".to_owned();
    recorder.append(&made).unwrap();
    assert_eq!(store.recorded().unwrap().0[0].response, "4", "as the scale writes it");
    let memory = recorder.memory(&mut go_on).unwrap();
    assert_eq!(memory.response(memory.population.item_ix("i0900").unwrap()), "4");

    let place = Place::of(&written);
    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    let mut made = interaction(900, 1, 6_000_000, &[1], 0);
    made.response = " ".to_owned();
    assert!(recorder.append(&made).unwrap_err().to_string().contains("response is blank"));
    made.response = " Any text at all?".to_owned();
    recorder.append(&made).unwrap();
    let memory = recorder.memory(&mut go_on).unwrap();
    assert_eq!(memory.response(memory.population.item_ix("i0900").unwrap()), made.response);
}

/// A program that reads a store answers as one without, and knows at once what another one recorded.
#[test]
fn the_commands_read_and_record_ratings_and_texts() {
    for (dataset, _) in many() {
        let place = Place::of(&dataset);
        let run = |arguments: &[&str]| {
            let mut command = crate::program();
            command.args(arguments).arg("--data").arg(place.data()).arg("--store").arg(place.root());
            let output = command.stdin(Stdio::null()).output().unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", text(output.stderr));
            (text(output.stdout), text(output.stderr))
        };
        let asked = query(&[0, 1]);
        let at = "1971-01-01";
        let ask = ["ask", "--model", "none", "--user", "u1", "--query", &asked, "--at", at, "--format", "json"];
        let without = run(&ask);
        assert!(!place.root().exists(), "small data leaves nothing on the disk");
        let (built, said) = run(&["store", "build"]);
        assert!(built.ends_with(": 300 interactions\n") && said == "logoscope: the store was built\n", "{built}{said}");
        assert_eq!(run(&ask), without, "read from the store");
        assert!(run(&["store", "verify"]).0.contains(": 300 interactions\nlog      0 recorded"));

        let mut made = dataset.interactions[0].clone();
        (made.id, made.user, made.at) = ("new".to_owned(), UserId::new("somebody"), Timestamp(6_000_000));
        made.query = asked.clone();
        let file = place.dir.path().join("more.jsonl");
        fs::write(&file, serde_json::to_string(&made).unwrap()).unwrap();
        assert_eq!(run(&["store", "record", file.to_str().unwrap()]).0, "recorded new\n");
        let with_it = Place::of(&with(&dataset, &[made.clone()]));
        let mut command = crate::program();
        command.args(ask).arg("--data").arg(with_it.data()).arg("--store").arg(with_it.root());
        let expected = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let recorded = run(&ask).0;
        assert_ne!(recorded, without.0, "visible at once");
        assert_eq!(recorded, expected);
        assert!(run(&["store", "compact"]).0.contains(": 301 interactions"));
        assert_eq!(run(&ask).0, expected);
    }
}
