//! Laws of the store: it reads like memory built in RAM, damage never becomes an answer, and nothing acknowledged is
//! lost.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use logoscope::app::message::Message;
use logoscope::app::worker::{MemoryWorker, ReadRequest, Source};
use logoscope::data::dataset::{Dataset, Lexical, PeriodLength};
use logoscope::data::interaction::{Interaction, Timestamp, UserId};
use logoscope::data::synth::Parameters;
use logoscope::engine::prompt::Question;
use logoscope::memory::Memory;
use logoscope::memory::store::{Fault, Left, Notice, Store, StoreError, checksum};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::population::{datasets, interaction, manifest, query};

/// A dataset folder and a place for its store.
pub struct Place {
    pub dir: TempDir,
}

impl Place {
    pub fn of(dataset: &Dataset) -> Self {
        let dir = tempfile::tempdir().unwrap();
        dataset.write(&dir.path().join("data")).unwrap();
        Self { dir }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("stores")
    }

    pub fn store(&self) -> Store {
        Store::of(&self.root(), &self.data()).unwrap()
    }

    pub fn open(&self) -> (Memory, Vec<Notice>) {
        let opened = self.store().open(None, &mut go_on).unwrap();
        (opened.memory, opened.notices)
    }

    pub fn base(&self) -> PathBuf {
        let mut bases: Vec<PathBuf> = fs::read_dir(self.store().folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("base-"))
            .collect();
        bases.sort();
        bases.pop().unwrap()
    }
}

pub fn go_on(_: &'static str, _: usize, _: usize) -> Result<(), StoreError> {
    Ok(())
}

/// Everything that some questions are answered from, as bits.
pub fn told(memory: &Memory) -> String {
    let mut told = format!("{:?} {:?}", memory.population.users, memory.periods());
    for user in 0..14 {
        for (words, t) in [([0, 1], 2_000_000), ([2, 3], 4_100_000), ([4, 5], 9_000_000)] {
            let read = memory.read(&UserId::new(format!("u{user}")), &query(&words), Timestamp(t)).unwrap();
            let hits: Vec<_> = read
                .local
                .hits
                .iter()
                .map(|hit| {
                    let (id, text) = (&memory.population.id[hit.item], &memory.population.text[hit.item]);
                    let at = memory.population.at[hit.item];
                    let response = (hit.label, memory.response_of(hit), hit.crowd, hit.length);
                    (id, text, at, response, hit.terms, hit.cosine.to_bits(), hit.recency_rank)
                })
                .collect();
            told += &format!("{hits:?} {:?} {:?} {:?}\n", read.local.profile, read.local.novelty, read.global);
            told += &format!("{:?} {:?}\n", read.scored, read.written);
            told +=
                &format!("{:?}\n", memory.community_history(&UserId::new(format!("u{user}")), Timestamp(t)).unwrap());
        }
    }
    told
}

/// `dataset` with more interactions in it.
pub fn with(dataset: &Dataset, more: &[Interaction]) -> Dataset {
    let mut whole = dataset.clone();
    whole.interactions.extend(more.iter().cloned());
    whole.interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    whole
}

/// Interactions to record: of known people and new ones, with known words and new ones, late and later.
pub fn records() -> impl Strategy<Value = Vec<Interaction>> {
    let words = proptest::collection::vec(0..12usize, 1..5);
    let one = (0..14usize, 0..9_000_000i64, words, 0..4usize, any::<bool>());
    proptest::collection::vec(one, 1..6).prop_map(|rows| {
        let made = rows.into_iter().enumerate().map(|(id, (user, at, words, label, new))| {
            let mut made = interaction(1000 + id, user, at, &words, label);
            // Names before, between and behind those of the data; a word that the data does not hold.
            if new {
                made.user = UserId::new(["a", "u10x", "z"][id % 3]);
                // Often enough for a vector of another kind.
                made.query += &" unheard".repeat(1 + id % 2 * 150);
            }
            made
        });
        made.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_store_reads_like_memory(
        mut dataset in datasets(80), records in records(), ordered in any::<bool>(), cosine in any::<bool>()
    ) {
        if cosine {
            dataset.manifest.retrieval.lexical = Lexical::Cosine;
        }
        reads_like_memory(&dataset, if ordered { in_order(records) } else { records }, told)?;
    }
}

/// As recording goes: each one after all others.
pub fn in_order(mut records: Vec<Interaction>) -> Vec<Interaction> {
    records.iter_mut().enumerate().for_each(|(n, record)| record.at = Timestamp(5_000_000 + n as i64 * 300_000));
    records
}

/// What is `told` of a store of `dataset` is what memory built in RAM tells, whatever was recorded and however it is opened.
pub fn reads_like_memory(
    dataset: &Dataset,
    records: Vec<Interaction>,
    told: fn(&Memory) -> String,
) -> Result<(), TestCaseError> {
    let newest = dataset.interactions.last().unwrap().at;
    let ordered = records.iter().map(|record| record.at).is_sorted_by(|a, b| a < b) && records[0].at > newest;
    let place = Place::of(dataset);
    prop_assert_eq!(told(&place.open().0), told(&Memory::build(dataset)), "built");
    let (again, notices) = place.open();
    prop_assert_eq!((told(&again), notices), (told(&Memory::build(dataset)), Vec::new()), "opened");

    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    for (n, record) in records.iter().enumerate() {
        recorder.append(record).unwrap();
        let whole = Memory::build(&with(dataset, &records[..=n]));
        prop_assert_eq!(told(recorder.memory(&mut go_on).unwrap()), told(&whole), "visible at once");
    }
    prop_assert!(!ordered || recorder.notices().is_empty(), "nothing was built anew");
    drop(recorder);
    let whole = told(&Memory::build(&with(dataset, &records)));
    prop_assert_eq!(&told(&place.open().0), &whole, "with its log");
    let (items, _) = store.compact(&mut go_on).unwrap();
    prop_assert_eq!(items, dataset.interactions.len() + records.len());
    let (compacted, notices) = place.open();
    prop_assert_eq!((told(&compacted), notices), (whole, Vec::new()), "compacted");
    prop_assert!(store.verify().unwrap().faults.is_empty());
    Ok(())
}

/// The same where there is enough for every kind of evidence to speak, and reads stand between.
#[test]
fn what_is_remembered_reads_as_if_it_had_always_been_there() {
    // Of the shortest periods there would be too many: the last one that there may be stays open. They were lengthened
    // with the data once, so that what was closed then depended on what came later.
    let lengths = [
        (Lexical::Bm25, PeriodLength::Days(10.0)),
        (Lexical::Cosine, PeriodLength::Days(10.0)),
        (Lexical::Cosine, PeriodLength::Days(0.01)),
        (Lexical::Bm25, PeriodLength::Interactions(17)),
        (Lexical::Cosine, PeriodLength::Interactions(130)),
    ];
    for (lexical, length) in lengths {
        let made = |id: usize| {
            let mut made = interaction(id, id % 9, id as i64 * 15_000, &[id, id * 7 + 1, id / 3], id % 4);
            if id == 275 {
                // Somebody new between the others, with a word that is new.
                made.user = UserId::new("u3x");
                made.query += " unheard";
            }
            made
        };
        let mut dataset =
            Dataset { manifest: manifest(4, 2), interactions: (0..300).map(made).collect(), queries: Vec::new() };
        dataset.manifest.retrieval.lexical = lexical;
        dataset.manifest.periods.length = length;
        let later = dataset.interactions.split_off(260);
        let mut memory = Memory::build(&dataset);
        assert_eq!(told(&memory), told(&Memory::build(&dataset)));
        for some in later.chunks(9) {
            memory.remember(&some.iter().collect::<Vec<_>>()).unwrap();
            dataset.interactions.extend_from_slice(some);
            assert_eq!(told(&memory), told(&Memory::build(&dataset)));
        }
        let read = memory.read(&UserId::new("u1"), &query(&[1, 8]), Timestamp(9_000_000)).unwrap();
        let parts = read.global.parts;
        assert!(read.local.novelty > 0.0, "{lexical:?}: nothing to compare with");
        assert!(parts.terms.iter().any(|e| *e != 0.0), "{parts:?}");
        assert!(parts.neighbours.as_ref().is_some_and(|votes| votes.iter().sum::<f64>() > 0.0), "{parts:?}");
        assert!(parts.communities.iter().any(|c| c.terms.iter().any(|e| *e != 0.0)), "{parts:?}");
    }
}

/// A store is found by how its periods are cut.
#[test]
fn another_length_of_period_is_another_store() {
    let lengths = [
        PeriodLength::Days(10.0),
        PeriodLength::Days(20.0),
        PeriodLength::Interactions(10),
        PeriodLength::Interactions(20),
        // The same bits as ten days have.
        PeriodLength::Interactions(10.0f64.to_bits() as usize),
    ];
    let root = tempfile::tempdir().unwrap();
    let folder = |length| {
        let mut dataset = small();
        dataset.manifest.periods.length = length;
        let place = Place::of(&dataset);
        Store::of(root.path(), &place.data()).unwrap().folder().to_owned()
    };
    let folders: std::collections::BTreeSet<PathBuf> = lengths.into_iter().map(folder).collect();
    assert_eq!(folders.len(), lengths.len());
    assert!(folders.contains(&folder(PeriodLength::Interactions(20))), "and by nothing else");
}

/// Forty interactions of five people over six periods.
pub fn small() -> Dataset {
    let made = |id: usize| {
        let mut made = interaction(id, id % 5, id as i64 * 120_000, &[id, id * 7 + 1, id / 3], id % 4);
        if id % 10 == 3 {
            // One word more often than its vector can count.
            made.query += &" again".repeat(150);
        }
        made
    };
    Dataset { manifest: manifest(4, 2), interactions: (0..40).map(made).collect(), queries: Vec::new() }
}

fn record_three(place: &Place) -> Vec<Interaction> {
    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    let made = |id: usize| interaction(100 + id, id, 5_000_000 + id as i64, &[id], id);
    let records: Vec<Interaction> = (0..3).map(made).collect();
    records.iter().for_each(|record| recorder.append(record).unwrap());
    records
}

/// Places to look at in a file of this length: all of a short one, else the ends and every so many.
pub fn sampled(length: usize) -> impl Iterator<Item = usize> {
    let step = (length / 24).max(1);
    (0..length).filter(move |at| length <= 48 || *at < 4 || *at + 4 >= length || at % step == 0)
}

#[test]
fn no_damage_to_a_base_becomes_an_answer() {
    let dataset = small();
    let place = Place::of(&dataset);
    let records = record_three(&place);
    place.store().compact(&mut go_on).unwrap();
    let right = told(&Memory::build(&with(&dataset, &records)));
    let names = names(&place.base());
    assert!(names.len() > 20, "{names:?}");
    no_damage_becomes_an_answer(&place, &names, &right, told);
}

/// Whatever happens to one of the files `names` of the base, what is `told` afterwards is `right`.
pub fn no_damage_becomes_an_answer(place: &Place, names: &[String], right: &str, told: fn(&Memory) -> String) {
    let mut stop = |_: &'static str, _: usize, _: usize| Err(StoreError::Cancelled);
    for name in names {
        let path = place.base().join(name);
        let good = fs::read(&path).unwrap();
        let damage = |at: usize, flip: bool| {
            let mut bad = good.clone();
            if flip {
                bad[at] ^= 1 << (at % 8)
            } else {
                bad.truncate(at)
            }
            fs::write(&path, &bad).unwrap();
        };
        for (at, flip) in sampled(good.len()).flat_map(|at| [(at, true), (at, false)]) {
            damage(at, flip);
            let faults = place.store().verify().unwrap().faults;
            assert!(faults.len() == 1 && faults[0].contains(name.as_str()), "{faults:?}");
            // Nothing is opened over it: the only way on is to build anew, which is stopped here.
            let opened = place.store().open(None, &mut stop);
            assert!(matches!(opened, Err(StoreError::Cancelled)), "{name} at {at}, flipped: {flip}");
        }
        // What is then built is right; the folder goes on with the new base.
        damage(good.len() / 2, true);
        let (memory, notices) = place.open();
        let [Notice::Rebuilt { reason: Fault::Damaged { file, .. } }] = &notices[..] else { panic!("{notices:?}") };
        assert_eq!(file, name);
        assert_eq!(told(&memory), right, "{name}");
        fs::remove_file(place.base().join(name)).unwrap();
        let (memory, notices) = place.open();
        assert!(matches!(notices[..], [Notice::Rebuilt { .. }]), "{notices:?}");
        assert_eq!(told(&memory), right, "{name} removed");
    }
}

#[test]
fn no_damage_to_a_log_goes_unsaid() {
    let dataset = small();
    let place = Place::of(&dataset);
    let records = record_three(&place);
    let right: Vec<String> = (0..=3).map(|n| told(&Memory::build(&with(&dataset, &records[..n])))).collect();
    let log = place.store().folder().join("log");
    let good = fs::read(&log).unwrap();
    let flips = (0..good.len()).step_by(7).map(|at| (at, true));
    let cuts = (0..good.len()).step_by(7).map(|at| (at, false));
    for (at, flip) in flips.chain(cuts) {
        let mut bad = good.clone();
        if flip {
            bad[at] ^= 1 << (at % 8)
        } else {
            bad.truncate(at)
        }
        fs::write(&log, &bad).unwrap();
        // A reader says so and leaves the file alone.
        let (memory, notices) = place.open();
        let Some(Notice::LogDamaged { kept, aside: None, .. }) = notices.first() else {
            panic!("at {at}, flipped: {flip}: {notices:?}");
        };
        assert_eq!(told(&memory), right[*kept], "at {at}, flipped: {flip}");
        assert_eq!(fs::read(&log).unwrap(), bad);
        assert_eq!(place.store().verify().unwrap().faults.len(), 1);
        // A writer moves it aside and goes on.
        let store = place.store();
        let mut recorder = store.record(&mut go_on).unwrap();
        let Some(Notice::LogDamaged { kept, aside: Some(aside), .. }) = recorder.notices().first().cloned() else {
            panic!("at {at}, flipped: {flip}: {:?}", recorder.notices());
        };
        assert_eq!(fs::read(&aside).unwrap(), bad);
        fs::remove_file(&aside).unwrap();
        assert_eq!(told(recorder.memory(&mut go_on).unwrap()), right[kept]);
        drop(recorder);
        assert!(place.store().verify().unwrap().faults.is_empty());
    }
}

#[test]
fn a_log_damaged_behind_its_base_takes_the_base_with_it() {
    let dataset = small();
    let place = Place::of(&dataset);
    let records = record_three(&place);
    place.store().compact(&mut go_on).unwrap();
    let log = place.store().folder().join("log");
    let mut bytes = fs::read(&log).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let (memory, notices) = place.open();
    assert!(matches!(notices[..], [Notice::LogDamaged { kept: 2, .. }, Notice::Rebuilt { .. }]), "{notices:?}");
    assert_eq!(told(&memory), told(&Memory::build(&with(&dataset, &records[..2]))));
}

/// A record that was being written when its process ended: cut off, and said.
#[test]
fn an_unfinished_record_is_cut_off() {
    let dataset = small();
    let place = Place::of(&dataset);
    let records = record_three(&place);
    let log = place.store().folder().join("log");
    let good = fs::read(&log).unwrap();
    // The same log before the last record was written, and a part of that record behind it.
    let other = Place::of(&dataset);
    let store = other.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    records[..2].iter().for_each(|record| recorder.append(record).unwrap());
    let before = fs::read(store.folder().join("log")).unwrap();
    for length in before.len() + 1..good.len() {
        fs::write(&log, [&before[..], &good[before.len()..length]].concat()).unwrap();
        let (memory, notices) = place.open();
        assert_eq!(notices, [], "a reader cannot tell it from a record in the making");
        assert_eq!(memory.population.len(), 42);
        let bytes = (length - before.len()) as u64;
        let store = place.store();
        assert_eq!(store.record(&mut go_on).unwrap().notices(), [Notice::Unfinished { bytes }]);
        assert_eq!(fs::read(&log).unwrap(), before);
    }
    // Written whole, but not counted any more: it is there.
    fs::write(&log, [&before[..], &good[before.len()..]].concat()).unwrap();
    assert_eq!(place.open().0.population.len(), 43);
    drop(place.store().record(&mut go_on).unwrap());
    assert_eq!(fs::read(&log).unwrap(), good, "counted by the next writer");
}

#[test]
fn another_version_another_embedder_and_other_data_are_told() {
    let place = Place::of(&small());
    place.open();
    let path = place.base().join("manifest");
    let text = fs::read_to_string(&path).unwrap();
    let (_, json) = text.split_once('\n').unwrap();
    for (from, to, expected) in [
        ("\"version\": \"", "\"version\": \"7", "it is of version 7"),
        ("hash-v1-256", "hash-v0-64", "its vectors are of embedder hash-v0-64, the dataset's is hash-v1-256"),
        ("\"data\": \"", "\"data\": \"0", "it was made from other data: the dataset differs"),
    ] {
        let other = json.trim_end().replace(from, to);
        assert_ne!(other, json.trim_end());
        fs::write(place.base().join("manifest"), format!("{}\n{other}\n", checksum(other.as_bytes()))).unwrap();
        let (memory, notices) = place.open();
        let [notice] = &notices[..] else { panic!("{notices:?}") };
        let said = notice.to_string();
        assert!(said.starts_with(&format!("the store was rebuilt: {expected}")), "{said}");
        assert_eq!(memory.population.len(), 40);
    }
}

#[test]
fn a_second_writer_is_told_who_writes_and_readers_go_on() {
    let dataset = small();
    let place = Place::of(&dataset);
    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    let message = place.store().record(&mut go_on).err().unwrap().to_string();
    assert!(message.contains(&format!("process {} is writing to this store", std::process::id())), "{message}");
    assert!(place.store().compact(&mut go_on).is_err() && place.store().remove(true).is_err());
    let (reader, notices) = place.open();
    assert_eq!(notices, []);
    let before = told(&reader);
    // The reader keeps what it has, through what is recorded and through a swap of bases.
    recorder.append(&interaction(100, 9, 6_000_000, &[3], 1)).unwrap();
    assert_eq!(place.open().0.population.len(), 41, "a reader that opens now sees it");
    drop(recorder);
    let old = place.base();
    place.store().compact(&mut go_on).unwrap();
    assert!(!old.exists());
    assert_eq!(told(&reader), before);
    assert_eq!(place.open().0.population.len(), 41);
}

#[test]
fn what_does_not_fit_is_not_recorded() {
    let place = Place::of(&small());
    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    for (unfit, expected) in [
        (interaction(3, 0, 6_000_000, &[1], 1), "interaction 'i0003' cannot be recorded: its id stands in the data"),
        (interaction(200, 0, 6_000_000, &[1], 9), "response 'y9' is not a label of dataset.toml"),
        (interaction(200, 0, i64::MAX, &[1], 1), "its time 9223372036854775807 is outside the calendar"),
    ] {
        let message = recorder.append(&unfit).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    // Earlier than all others, and again: known although memory does not hold it yet.
    let early = interaction(300, 0, -5, &[1], 1);
    recorder.append(&early).unwrap();
    assert!(recorder.append(&early).is_err());
    assert_eq!(recorder.memory(&mut go_on).unwrap().population.item_ix("i0300"), Some(0));
}

#[test]
fn a_stopped_build_leaves_nothing_and_the_old_base_serves() {
    let dataset = small();
    let place = Place::of(&dataset);
    let stages = std::cell::RefCell::new(Vec::new());
    let mut all = |stage: &'static str, _, _| {
        if stages.borrow().last() != Some(&stage) {
            stages.borrow_mut().push(stage);
        }
        Ok(())
    };
    place.store().open(None, &mut all).unwrap();
    assert_eq!(
        *stages.borrow(),
        [
            "reading interactions",
            "counting words",
            "making vectors",
            "writing columns",
            "counting word pairs",
            "grouping people",
            "finishing"
        ]
    );
    let base = place.base();
    for last in stages.into_inner() {
        let mut stop = |stage: &'static str, _, _| if stage == last { Err(StoreError::Cancelled) } else { Ok(()) };
        assert!(matches!(place.store().compact(&mut stop), Err(StoreError::Cancelled)));
        assert_eq!(place.base(), base);
        assert_eq!(names(place.store().folder()), ["base-1", "lock", "log"]);
    }
    assert_eq!(place.open().1, []);
}

pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn removing_a_store_keeps_what_is_nowhere_else() {
    let place = Place::of(&small());
    let records = record_three(&place);
    let of = |recorded| Left { recorded, ..Left::default() };
    assert_eq!(place.store().remove(false).unwrap(), of(3));
    assert_eq!(place.store().recorded().unwrap().0, records);
    assert_eq!(place.open().0.population.len(), 43);
    assert_eq!(place.store().remove(true).unwrap(), of(0));
    assert!(!place.store().folder().exists());
    assert_eq!(place.open().0.population.len(), 40);
}

/// Commands that read the dataset itself see what memory sees, or a session made in the workbench would not be theirs.
#[test]
fn what_was_recorded_belongs_to_the_dataset() {
    let place = Place::of(&small());
    let records = record_three(&place);
    let (whole, notice) = place.store().with_recorded(small()).unwrap();
    assert!(notice.is_none() && whole.interactions.len() == 43);
    assert!(whole.interactions.is_sorted_by_key(|interaction| (interaction.at, interaction.id.clone())));
    assert!(records.iter().all(|record| whole.interactions.contains(record)));
    assert_eq!(Memory::build(&whole).population.len(), place.open().0.population.len());
    assert_eq!(place.store().with_recorded(whole.clone()).unwrap().0.content_hash(), whole.content_hash());
}

#[test]
fn removing_a_store_keeps_a_damaged_log_that_was_moved_aside() {
    let place = Place::of(&small());
    record_three(&place);
    // Nothing can be read any more: the new log is empty, and the damaged one is all there is.
    let log = place.store().folder().join("log");
    let aside = place.store().folder().join("log.damaged-1");
    fs::rename(&log, &aside).unwrap();
    assert_eq!(place.store().remove(false).unwrap(), Left { recorded: 0, aside: vec![aside.clone()] });
    assert!(aside.exists());
    assert_eq!(place.store().remove(true).unwrap(), Left::default());
    assert!(!aside.exists());
}

/// `logoscope store` on a place.
fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = crate::program();
    command.args(["store", "--data"]).arg(place.data()).arg("--store").arg(place.root()).args(arguments);
    command
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    let dataset = small();
    for kill_after in [1, 2, 5, 17] {
        let place = Place::of(&dataset);
        let mut acknowledged = 0;
        // Killed, opened again and killed again: the log goes on where it ended.
        for round in 0..3 {
            let mut child =
                command(&place, &["record", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            // More than will be read, from a thread: the writer never waits for this test.
            let feeder = std::thread::spawn(move || {
                for id in 0..200 {
                    let made = interaction(1000 + round * 1000 + id, id % 7, 6_000_000 + id as i64, &[id], id % 4);
                    let line = serde_json::to_string(&made).unwrap() + "\n";
                    if stdin.write_all(line.as_bytes()).is_err() {
                        break;
                    }
                }
            });
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            for (id, line) in lines.by_ref().take(kill_after).enumerate() {
                assert_eq!(line.unwrap(), format!("recorded i{}", 1000 + round * 1000 + id));
            }
            kill(child);
            // What was acknowledged up to the very end counts too.
            let rest = lines.map_while(Result::ok).filter(|line| line.starts_with("recorded")).count();
            acknowledged += kill_after + rest;
            feeder.join().unwrap();
            let (records, damage) = place.store().recorded().unwrap();
            assert_eq!(damage, None);
            assert!(records.len() >= acknowledged, "{} of {acknowledged} after {kill_after}", records.len());
            let (memory, _) = place.open();
            assert_eq!(memory.population.len(), 40 + records.len());
            acknowledged = records.len();
        }
        let records = place.store().recorded().unwrap().0;
        assert_eq!(told(&place.open().0), told(&Memory::build(&with(&dataset, &records))));
    }
}

pub fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_build_that_is_killed_leaves_no_half_store() {
    let (dataset, _) = logoscope::data::synth::population(&Parameters { users: 60, ..Parameters::default() });
    let place = Place::of(&dataset);
    let right = told(&Memory::build(&dataset));
    for (round, file) in ["vectors-counts", "at", "feature-items", "feature-keys-slots", "community-of", "manifest"]
        .into_iter()
        .enumerate()
    {
        let mut child = command(&place, &["build"]).stdout(Stdio::null()).spawn().unwrap();
        let folder = place.store().folder().to_owned();
        // On a condition, not after a time: once the file begins to be written. It may be over by then.
        while !folder.join("base-1.part").join(file).exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        kill(child);
        let verdict = place.store().verify().unwrap();
        assert_eq!(verdict.faults, [] as [String; 0], "killed at {file}: no base, or a whole one");
        if round % 2 == 0 {
            assert_eq!(told(&place.open().0), right);
            assert_eq!(names(&folder), ["base-1", "lock"], "what the killed build left is gone");
        }
        place.store().remove(true).unwrap();
    }
}

#[test]
fn the_command_tells_what_is_damaged() {
    let place = Place::of(&small());
    let run = |arguments: &[&str]| {
        let output = command(&place, arguments).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, built, said) = run(&["build"]);
    assert_eq!((code, said.as_str()), (0, "logoscope: the store was built\n"));
    assert!(built.ends_with(": 40 interactions\n"), "{built}");
    let (code, verdict, _) = run(&["verify"]);
    assert!(code == 0 && verdict.contains(": 40 interactions\nlog      0 recorded"), "{verdict}");

    let file = place.dir.path().join("more.jsonl");
    let good = serde_json::to_string(&interaction(500, 1, 6_000_000, &[1], 1)).unwrap();
    fs::write(&file, format!("{good}\n{{\"id\":1}}\n")).unwrap();
    let (code, recorded, said) = run(&["record", file.to_str().unwrap()]);
    assert_eq!((code, recorded.as_str()), (2, "recorded i0500\n"), "{said}");
    assert!(said.contains("more.jsonl:2:") && said.lines().count() <= 3, "{said}");
    assert!(said.contains("; 1 interaction before it was recorded and stays: correct the line"), "{said}");
    fs::write(&file, format!("{good}\n")).unwrap();
    let again = run(&["record", file.to_str().unwrap()]);
    assert_eq!((again.0, again.1.as_str()), (0, "passed over i0500, which is recorded already\n"), "{}", again.2);
    for (field, blank) in [("id", "i0500"), ("user", "u1")] {
        let nameless = good.replace(&format!("\"{field}\":\"{blank}\""), &format!("\"{field}\":\" \""));
        fs::write(&file, nameless).unwrap();
        let (code, recorded, said) = run(&["record", file.to_str().unwrap()]);
        assert_eq!((code, recorded.as_str()), (2, ""), "{said}");
        assert!(said.contains(&format!("more.jsonl:1: \"{field}\" is blank; give it a text")), "{said}");
    }
    assert_eq!(run(&["log"]).1, good + "\n");
    assert_eq!(run(&["compact"]).0, 0);

    let mut at = fs::read(place.base().join("at")).unwrap();
    at[3] ^= 1;
    fs::write(place.base().join("at"), at).unwrap();
    let (code, verdict, _) = run(&["verify"]);
    assert_eq!(code, 1);
    let path = place.base().join("at");
    assert!(verdict.starts_with(&format!("damaged  {}: bytes 0 to 328 differ", path.display())), "{verdict}");
    let (code, _, said) = run(&["build"]);
    assert_eq!(code, 0);
    assert_eq!(said, "logoscope: the store was rebuilt: at is damaged: bytes 0 to 328 differ from their checksum\n");

    let (code, removed, _) = run(&["remove"]);
    assert!(code == 0 && removed.contains("but for 1 recorded interactions"), "{removed}");
    let output = crate::program().args(["store", "verify"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("name a dataset folder with --data"));
}

/// A link that leads nowhere, where not even root can make a folder.
#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_written_is_neither_built_nor_ok() {
    let place = Place::of(&small());
    std::os::unix::fs::symlink("nowhere/at/all", place.root()).unwrap();
    let built = command(&place, &["build"]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(built.stderr).unwrap();
    assert_eq!((built.status.code(), built.stdout.as_slice()), (Some(2), &b""[..]), "{said}");
    assert!(said.starts_with("logoscope: no store was built: ") && said.lines().count() == 1, "{said}");
    assert!(said.contains("stores") && said.contains("--store DIR"), "{said}");

    // Blanks make the file large enough for a store to pay.
    let rows = place.data().join("interactions.jsonl");
    fs::OpenOptions::new().append(true).open(rows).unwrap().write_all(" ".repeat(9 << 20).as_bytes()).unwrap();
    let doctor = || {
        let mut doctor = crate::program();
        doctor.args(["doctor", "--model", "none", "--data"]).arg(place.data()).arg("--store").arg(place.root());
        let folders = ["XDG_CACHE_HOME", "XDG_STATE_HOME"].map(|name| (name, place.dir.path().join("home")));
        let output = doctor.envs(folders).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = doctor();
    assert!(code == Some(1) && told.contains("missing  store") && told.contains("ok       dataset"), "{told}");
    fs::remove_file(place.root()).unwrap();
    let (code, told) = doctor();
    assert!(code == Some(0) && told.contains("ok       store") && told.contains("not built yet"), "{told}");
    assert_eq!(fs::read_dir(place.root()).unwrap().count(), 0, "it looks and builds nothing");
    // What is there and of no use is not missing.
    let mut rows = fs::OpenOptions::new().append(true).open(place.data().join("interactions.jsonl")).unwrap();
    rows.write_all(b"\nno interaction\n").unwrap();
    let (code, told) = doctor();
    assert!(code == Some(1) && told.contains("broken   dataset") && told.contains("interactions.jsonl:"), "{told}");
    fs::remove_file(place.data().join("interactions.jsonl")).unwrap();
    let (code, told) = doctor();
    assert!(code == Some(1) && told.contains("missing  dataset"), "{told}");
}

#[test]
fn doctor_names_what_is_broken_in_a_store() {
    let place = Place::of(&small());
    place.open();
    let doctor = || {
        let mut doctor = crate::program();
        doctor.args(["doctor", "--model", "none", "--data"]).arg(place.data()).arg("--store").arg(place.root());
        let folders = ["XDG_CACHE_HOME", "XDG_STATE_HOME"].map(|name| (name, place.dir.path().join("home")));
        let output = doctor.envs(folders).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = doctor();
    assert!(code == Some(0) && told.contains("ok       store"), "{told}");
    let base = place.base();
    let mut bytes = fs::read(base.join("at")).unwrap();
    bytes[0] ^= 1;
    fs::write(base.join("at"), bytes).unwrap();
    let (code, told) = doctor();
    assert!(code == Some(1) && told.contains("broken   store") && told.contains("differ from"), "{told}");
    assert!(told.contains("ok       dataset"), "{told}");
}

/// What the workbench remembers over a store: behind all others at once; before others memory is built anew, which the screen
/// says beforehand, and reads like memory built with it.
#[test]
fn the_workbench_remembers_at_any_moment() {
    let (dataset, place) = (small(), Place::of(&small()));
    place.open();
    let (out, inbox) = mpsc::channel();
    let source = Source::Folder { dir: place.data(), stores: place.root(), load: Box::default() };
    let worker = MemoryWorker::start(source, || {}, out).unwrap();
    let end = dataset.end();
    let (late, early) = (interaction(900, 1, end.0 + 5, &[1, 2], 0), interaction(901, 1, 50, &[1, 2], 1));
    let question = Question { user: UserId::new("u1"), query: query(&[1, 2]), at: Timestamp(end.0 + 10) };
    let mut known: Vec<Interaction> = Vec::new();
    for (ticket, new) in [(1, late), (2, early)] {
        worker.remember(new.clone());
        worker.read(ReadRequest { ticket, question: question.clone(), held: None });
        known.push(new);
        let (mut news, mut remembered) = (Vec::new(), false);
        let read = loop {
            match inbox.recv_timeout(Duration::from_secs(60)).expect("memory answers in time") {
                Message::Stored(text) => news.push((text, remembered)),
                Message::Remembered { .. } => remembered = true,
                Message::MemoryRead { read, .. } => break read,
                Message::DataFailed(reason) | Message::ReadFailed { reason, .. } => panic!("{reason}"),
                _ => {}
            }
        };
        assert!(remembered);
        let built = Memory::build(&with(&dataset, &known));
        assert_eq!(*read, built.read(&question.user, &question.query, question.at).unwrap());
        let anew = news.iter().filter(|(text, after)| text.contains("is built anew in RAM") && !after).count();
        assert_eq!(anew, usize::from(ticket == 2), "{news:?}");
    }
}

/// Whoever opens another dataset, or none after all, does not wait for a store that is being built.
#[test]
fn a_worker_that_nobody_asks_any_more_builds_no_store() {
    let place = Place::of(&small());
    place.open();
    // Damaged, so that it is built anew.
    for file in fs::read_dir(place.base()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::write(file, "").unwrap();
    }
    let ((out, inbox), (go_on, wait)) = (mpsc::channel(), mpsc::channel::<()>());
    let source = Source::Folder { dir: place.data(), stores: place.root(), load: Box::default() };
    let worker = MemoryWorker::start(source, move || wait.recv().unwrap(), out).unwrap();
    drop(worker);
    go_on.send(()).unwrap();
    let told: Vec<Message> = inbox.iter().collect();
    let stopped = |message: &Message| matches!(message, Message::DataFailed(reason) if reason.starts_with("stopped"));
    assert!(told.iter().any(stopped) && !told.iter().any(|m| matches!(m, Message::MemoryBuilt { .. })), "{told:?}");
}
