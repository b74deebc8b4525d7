//! Laws of what is kept of periods beside a store's base: it answers as what is formed, whatever becomes of its files, its
//! writers and its disk.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use logoscope::data::dataset::{Dataset, PeriodLength};
use logoscope::data::interaction::{Interaction, Timestamp, UserId};
use logoscope::data::synth::{Parameters, population};
use logoscope::memory::Memory;
use logoscope::memory::sizes::Sizes;
use logoscope::memory::store::{MOST_GROUPINGS, MOST_SEALED, Notice, Store, checksum};
use proptest::prelude::*;

use crate::population::{as_texts, datasets};
use crate::store::{Place, go_on, kill, names, records, sampled, told, with};

/// All ways of large data, with little of it.
const LITTLE: Sizes = Sizes { scanned: 0, kept: 1 };

fn people(users: usize, seed: u64) -> Dataset {
    population(&Parameters { seed, users, ..Parameters::default() }).0
}

/// Some questions of the last third, in several periods.
fn questions(dataset: &Dataset) -> Vec<Interaction> {
    let step = dataset.interactions.len() / 16;
    dataset.interactions.iter().rev().step_by(step).take(5).cloned().collect()
}

/// The same, asked when all of it is past.
fn at_the_end(dataset: &Dataset) -> Vec<Interaction> {
    questions(dataset).into_iter().map(|asked| Interaction { at: dataset.end(), ..asked }).collect()
}

fn open(place: &Place, sizes: Sizes) -> Memory {
    place.store().sized(sizes).open(None, &mut go_on).unwrap().memory
}

fn answers(memory: &Memory, asked: &[Interaction]) -> String {
    asked.iter().map(|i| format!("{:?}\n", memory.read(&i.user, &i.query, i.at).unwrap())).collect()
}

/// The folders of a base in which a period is sealed.
fn sealed(place: &Place) -> Vec<PathBuf> {
    let folders = names(&place.base()).into_iter().filter(|name| name.starts_with("sealed-") && !name.contains('.'));
    folders.map(|name| place.base().join(name)).collect()
}

/// The groupings that a base keeps.
fn groupings(place: &Place) -> Vec<PathBuf> {
    let files = names(&place.base()).into_iter().filter(|name| name.starts_with("kept-") && !name.contains('.'));
    files.map(|name| place.base().join(name)).collect()
}

fn forget_what_is_kept(place: &Place) {
    sealed(place).into_iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
    groupings(place).into_iter().for_each(|file| fs::remove_file(file).unwrap());
}

/// When each folder was put in its place.
fn written(folders: &[PathBuf]) -> Vec<std::time::SystemTime> {
    folders.iter().map(|folder| fs::metadata(folder).unwrap().modified().unwrap()).collect()
}

/// What is kept of a period's entries is used as it was written, or found again.
#[test]
fn kept_groupings_answer_as_found_ones() {
    let dataset = people(60, 1);
    let asked = questions(&dataset);
    let place = Place::of(&dataset);
    // Without what is sealed, which would answer first.
    let told = |place: &Place| {
        sealed(place).into_iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
        answers(&open(place, LITTLE), &asked)
    };
    let right = answers(&Memory::build(&dataset).sized(LITTLE), &asked);
    open(&place, LITTLE);
    assert_eq!(told(&place), right);
    let path = groupings(&place).pop().expect("a period of this size is kept");
    let good = fs::read(&path).unwrap();
    // It is used: an entry of another grouping would tell.
    assert_eq!(told(&place), right);
    assert_eq!(fs::read(&path).unwrap(), good);
    assert!(place.store().verify().unwrap().faults.is_empty());
    let ends = [0, 31, 32, 40, good.len() / 2, good.len() - 1];
    for (at, flip) in ends.into_iter().flat_map(|at| [(at, true), (at, false)]) {
        let mut bad = good.clone();
        if flip {
            bad[at] ^= 4
        } else {
            bad.truncate(at)
        }
        fs::write(&path, &bad).unwrap();
        let faults = place.store().verify().unwrap().faults;
        assert!(faults.len() == 1 && faults[0].contains(&*path.to_string_lossy()), "{faults:?}");
        assert_eq!(told(&place), right, "at {at}, flipped: {flip}");
        assert_eq!(fs::read(&path).unwrap(), good, "kept again");
    }
    // Another guard has a grouping of its own, and one that belongs elsewhere is not taken for it.
    let mut other = dataset.clone();
    other.manifest.retrieval.guard = 3;
    other.write(&place.data()).unwrap();
    let of_other = answers(&Memory::build(&other).sized(LITTLE), &asked);
    assert_eq!(told(&place), of_other);
    assert!(groupings(&place).len() >= 2, "{:?}", groupings(&place));
    let name = path.file_name().unwrap().to_str().unwrap().replace("-g5", "-g3");
    fs::copy(&path, place.base().join(name)).unwrap();
    assert_eq!(told(&place), of_other);
}

/// What is sealed is mapped as it was written, with few entries, which are all compared, and with many, which indexes find.
#[test]
fn a_sealed_period_answers_as_a_formed_one() {
    let indexed = Sizes { scanned: 0, ..Sizes::default() };
    for (users, sizes) in [(420, indexed), (60, LITTLE), (60, Sizes { scanned: usize::MAX, ..LITTLE })] {
        let dataset = people(users, 1);
        let asked = questions(&dataset);
        let place = Place::of(&dataset);
        let formed = |dataset: &Dataset, asked: &[Interaction]| answers(&Memory::build(dataset).sized(sizes), asked);
        let told = |asked: &[Interaction]| {
            let memory = open(&place, sizes);
            let told = answers(&memory, asked);
            assert_eq!(memory.notices(), []);
            told
        };
        let right = formed(&dataset, &asked);
        assert_eq!(told(&asked), right, "formed");
        let folders = sealed(&place);
        assert!(folders.len() > 2, "{folders:?}");
        let (before, there) = (written(&folders), entries(&place.base()));
        assert_eq!(told(&asked), right, "mapped");
        assert_eq!((written(&folders), entries(&place.base())), (before, there), "reading writes nothing");
        assert!(place.store().verify().unwrap().faults.is_empty());
        fs::remove_file(folders[0].join("manifest")).unwrap();
        let memory = open(&place, sizes);
        assert_eq!(answers(&memory, &asked), right, "without a manifest");
        assert!(matches!(&memory.notices()[..], [Notice::Formed { folder, .. }] if *folder == folders[0]));
        // Of other settings it is another one, and what was sealed under the old ones is not taken for it.
        let mut other = dataset.clone();
        other.manifest.periods.half_life = 90.0;
        other.manifest.periods.term_half_life = 100.0;
        other.write(&place.data()).unwrap();
        let of_other = formed(&other, &asked);
        assert_ne!(of_other, right);
        assert_eq!((told(&asked), told(&asked)), (of_other.clone(), of_other));
        assert_eq!(sealed(&place).len(), folders.len());
        assert!(folders.iter().all(|folder| !folder.exists()), "what was sealed before is gone");
        // What is recorded later changes nothing of it, and moves the numbers of people in it.
        let mut later: Vec<Interaction> = dataset.interactions[..3].to_vec();
        let users = ["a0", "u2x", later[2].user.as_str()].map(UserId::new);
        for (n, (record, user)) in later.iter_mut().zip(users).enumerate() {
            (record.id, record.user, record.at) = (format!("later{n}"), user, Timestamp(dataset.end().0 + n as i64));
            record.query += " unheard tide";
            let store = place.store().sized(sizes);
            let mut recorder = store.record(&mut go_on).unwrap();
            answers(recorder.memory(&mut go_on).unwrap(), &asked[..1]);
            recorder.append(record).unwrap();
            let whole = with(&other, &store.recorded().unwrap().0);
            let mut again = asked.clone();
            again.push(Interaction { at: Timestamp(dataset.end().0 + 10), ..record.clone() });
            again.push(Interaction { at: Timestamp(dataset.end().0 + 10), ..asked[0].clone() });
            let right = formed(&whole, &again);
            assert_eq!(answers(recorder.memory(&mut go_on).unwrap(), &again), right, "remembered");
            drop(recorder);
            assert_eq!(told(&again), right, "opened with its log");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The same of any small dataset of labels or texts, with and without indexes, and with what is recorded behind its end.
    #[test]
    fn sealed_is_formed(
        dataset in datasets(160),
        scanned in prop_oneof![2 => Just(0), 1 => Just(2), 1 => Just(usize::MAX)],
        records in records(),
        texts in any::<bool>(),
    ) {
        let [dataset, recorded] = [dataset.clone(), Dataset { interactions: records, ..dataset }]
            .map(|dataset| if texts { as_texts(dataset) } else { dataset });
        let records = recorded.interactions;
        let sizes = Sizes { scanned, ..LITTLE };
        let place = Place::of(&dataset);
        let right = told(&Memory::build(&dataset).sized(sizes));
        prop_assert_eq!(&told(&open(&place, sizes)), &right, "formed");
        let folders = sealed(&place);
        let before = written(&folders);
        prop_assert_eq!(&told(&open(&place, sizes)), &right, "mapped");
        prop_assert_eq!((sealed(&place), written(&folders)), (folders.clone(), before), "not made again");
        let store = place.store().sized(sizes);
        let mut recorder = store.record(&mut go_on).unwrap();
        records.iter().for_each(|record| recorder.append(record).unwrap());
        let right = told(&Memory::build(&with(&dataset, &records)).sized(sizes));
        prop_assert_eq!(&told(recorder.memory(&mut go_on).unwrap()), &right, "remembered");
        drop(recorder);
        prop_assert_eq!(&told(&open(&place, sizes)), &right, "opened with its log");
        prop_assert!(store.verify().unwrap().faults.is_empty());
    }
}

/// Any damage to what is sealed means that it is made anew, and said.
#[test]
fn no_damage_to_a_sealed_period_becomes_an_answer() {
    let dataset = people(60, 1);
    let asked = at_the_end(&dataset);
    let place = Place::of(&dataset);
    let right = answers(&Memory::build(&dataset).sized(LITTLE), &asked);
    assert_eq!(answers(&open(&place, LITTLE), &asked), right);
    let folders = sealed(&place);
    assert_eq!(folders.len(), 2, "{folders:?}");
    let all: Vec<String> = folders.iter().flat_map(|folder| names(folder)).collect();
    for file in ["cells", "centroids", "cell-rows", "vector-index", "word-index.term", "word-index.json"] {
        assert!(all.iter().any(|name| name == file), "{file} of {all:?}");
    }
    for folder in &folders {
        let files = names(folder);
        for name in files {
            let path = folder.join(&name);
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
            let some: Vec<usize> = sampled(good.len()).collect();
            let Some(middle) = some.get(some.len() / 2) else { continue };
            for (at, flip) in some.iter().step_by(some.len() / 8 + 1).flat_map(|at| [(*at, true), (*at, false)]) {
                damage(at, flip);
                let faults = place.store().verify().unwrap().faults;
                assert!(faults.len() == 1 && faults[0].contains(&*path.to_string_lossy()), "{faults:?}");
            }
            for flip in [true, false] {
                damage(*middle, flip);
                // What damage is found in is not opened: reading alone makes it good again.
                let memory = open(&place, LITTLE);
                assert_eq!(answers(&memory, &asked), right, "{name}, flipped: {flip}");
                let notices = memory.notices();
                let [Notice::Formed { folder: told, reason }] = &notices[..] else { panic!("{name}: {notices:?}") };
                assert!(told == folder && reason.to_string().contains(&name), "{notices:?}");
                assert!(fs::read(&path).unwrap() == good, "{name} is written as it was");
            }
        }
    }
    assert_eq!(sealed(&place), folders);
    assert!(place.store().verify().unwrap().faults.is_empty());
}

/// Where the store is of a process that runs [`alone_sealing`].
const ALONE: &str = "LOGOSCOPE_TEST_ALONE";

/// The arguments of a process that opens a store and asks it, in this program.
fn arguments() -> [&'static str; 5] {
    ["--exact", "sealing::alone_sealing", "--ignored", "--nocapture", "--test-threads=1"]
}

/// Opens the store that the surrounding process named, asks it and says what it was told.
#[test]
#[ignore = "needs a process of its own"]
fn alone_sealing() {
    let Ok(dir) = std::env::var(ALONE) else { return };
    let (stores, data) = (Path::new(&dir).join("stores"), Path::new(&dir).join("data"));
    let memory = Store::of(&stores, &data).unwrap().sized(LITTLE).open(None, &mut go_on).unwrap().memory;
    let asked = questions(&Dataset::open(&data).unwrap());
    println!("answers {}", checksum(answers(&memory, &asked).as_bytes()));
    memory.notices().iter().for_each(|notice| println!("notice {notice}"));
}

/// A place with a base and a log, in which nothing is sealed; what it holds, and what it should answer.
fn unsealed() -> (Place, Vec<Interaction>, Vec<Interaction>, String) {
    let dataset = people(60, 3);
    let place = Place::of(&dataset);
    let store = place.store();
    let mut recorder = store.record(&mut go_on).unwrap();
    let mut recorded = dataset.interactions[..3].to_vec();
    for (n, record) in recorded.iter_mut().enumerate() {
        (record.id, record.at) = (format!("later{n}"), Timestamp(dataset.end().0 + n as i64));
        recorder.append(record).unwrap();
    }
    let asked = questions(&dataset);
    let right = answers(&Memory::build(&with(&dataset, &recorded)).sized(LITTLE), &asked);
    assert_eq!(sealed(&place), [] as [PathBuf; 0]);
    drop(recorder);
    (place, recorded, asked, right)
}

/// What lies in a base, two levels deep.
fn entries(base: &Path) -> BTreeSet<PathBuf> {
    let inside = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let outer: Vec<PathBuf> = inside(base).collect();
    outer.iter().flat_map(|path| inside(path)).chain(outer.iter().cloned()).collect()
}

fn left(place: &Place) -> Vec<String> {
    names(&place.base()).into_iter().filter(|name| name.ends_with(".part")).collect()
}

#[test]
fn a_sealing_that_is_killed_leaves_no_half_period() {
    let (place, recorded, asked, right) = unsealed();
    let base = place.base();
    let mut halves = 0;
    for (round, changes) in [1, 2, 3, 5, 8, 13, 21, 34, 60, 90, 120, 150].into_iter().enumerate() {
        let before = entries(&base);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments()).env(ALONE, place.dir.path()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        // On a condition, not after a time: once so much has changed. It may be over by then.
        while entries(&base).difference(&before).count() < changes && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        kill(child);
        halves += left(&place).len();
        let verdict = place.store().verify().unwrap();
        assert_eq!(verdict.faults, [] as [String; 0], "killed after {changes} changes: what has its name is whole");
        assert_eq!(place.store().recorded().unwrap(), (recorded.clone(), None));
        if round % 3 == 2 {
            // What was left is there when the next one begins.
            continue;
        }
        for opened in ["after the kill", "again"] {
            let memory = open(&place, LITTLE);
            assert_eq!(left(&place), [] as [String; 0], "{opened}");
            assert_eq!(answers(&memory, &asked), right, "{opened}");
            assert_eq!(memory.notices(), [], "{opened}");
        }
        assert!(!sealed(&place).is_empty());
        forget_what_is_kept(&place);
    }
    assert!(halves > 0, "nobody was killed on the way");
}

/// Everything that a writer may leave that was ended, while another one writes and when nobody does.
#[test]
fn what_an_ended_writer_left_goes_unless_somebody_writes() {
    let (place, _, asked, right) = unsealed();
    assert_eq!(answers(&open(&place, LITTLE), &asked), right);
    let (folders, kept) = (sealed(&place), groupings(&place));
    let before = written(&folders);
    for folder in &folders {
        let files = names(folder);
        for (n, count) in [0, 1, files.len() / 2, files.len()].into_iter().enumerate() {
            let part = PathBuf::from(format!("{}.1-{n}.part", folder.display()));
            fs::create_dir(&part).unwrap();
            for name in &files[..count] {
                let bytes = fs::read(folder.join(name)).unwrap();
                fs::write(part.join(name), &bytes[..bytes.len() / 2]).unwrap();
            }
        }
        fs::create_dir(format!("{}.1-9.old.part", folder.display())).unwrap();
    }
    fs::write(format!("{}.1-8.part", kept[0].display()), "half").unwrap();
    let halves = left(&place);
    assert_eq!(halves.len(), folders.len() * 5 + 1);
    assert!(place.store().verify().unwrap().faults.is_empty(), "nothing is read of it");
    let writer = File::options().read(true).write(true).open(place.base().join("keeping")).unwrap();
    writer.lock_shared().unwrap();
    assert_eq!(answers(&open(&place, LITTLE), &asked), right);
    assert_eq!(left(&place), halves, "somebody writes");
    writer.unlock().unwrap();
    assert_eq!(answers(&open(&place, LITTLE), &asked), right);
    assert_eq!(left(&place), [] as [String; 0]);
    assert_eq!((sealed(&place), written(&folders)), (folders.clone(), before));
}

#[cfg(unix)]
#[test]
fn a_period_that_cannot_be_kept_is_answered_and_said() {
    let (place, _, asked, right) = unsealed();
    // A disk without room: no file grows beyond a few kilobytes.
    let limited = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited]).arg(std::env::current_exe().unwrap()).args(arguments());
    let output = command.env(ALONE, place.dir.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("answers {}", checksum(right.as_bytes()))), "{said}");
    let notices: Vec<&str> = said.lines().filter(|line| line.starts_with("notice ")).collect();
    assert!(notices.len() >= 2, "{said}");
    for notice in notices {
        let expected = "notice what was formed of a period is not kept, and the next start forms it again: ";
        assert!(notice.starts_with(expected) && notice.contains("check the folder's permissions and room"), "{notice}");
    }
    assert_eq!((left(&place), sealed(&place)), (Vec::new(), Vec::new()), "nothing half is left");
    // Who may not write there at all.
    forget_what_is_kept(&place);
    let lock = place.base().join("keeping");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let memory = open(&place, LITTLE);
    assert_eq!(answers(&memory, &asked), right);
    assert!(matches!(memory.notices()[..], [Notice::Unkept { .. }]), "once");
    assert_eq!((sealed(&place), groupings(&place)), (Vec::new(), Vec::new()));
    // With room again it is kept.
    fs::remove_dir(&lock).unwrap();
    let memory = open(&place, LITTLE);
    assert_eq!((answers(&memory, &asked), memory.notices()), (right, Vec::new()));
    assert!(!sealed(&place).is_empty());
}

/// Several processes may form and keep the same period at once.
#[test]
fn who_seals_at_once_seals_the_same() {
    let (place, _, asked, right) = unsealed();
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments()).env(ALONE, place.dir.path()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let damage = || {
        for folder in sealed(&place) {
            let path = folder.join(names(&folder).into_iter().find(|name| name != "manifest").unwrap());
            let mut bytes = fs::read(&path).unwrap();
            bytes[0] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    };
    // Regression: who looked just before another one's folder came took it for damaged, and said so or took it away. That it
    // is damaged is said where it is, and never that it cannot be kept.
    for (round, prepare) in
        [&(|| ()) as &dyn Fn(), &|| forget_what_is_kept(&place), &damage, &damage].iter().enumerate()
    {
        prepare();
        let children = [start(), start(), start()];
        for child in children {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let right = format!("answers {}", checksum(right.as_bytes()));
            assert!(output.status.success() && said.contains(&right), "{round}: {said}");
            let unwanted = if round < 2 { "notice" } else { "not kept" };
            assert!(!said.contains(unwanted), "{round}: {said}");
        }
    }
    assert!(place.store().verify().unwrap().faults.is_empty() && left(&place).is_empty());
    let (folders, before) = (sealed(&place), written(&sealed(&place)));
    assert_eq!(answers(&open(&place, LITTLE), &asked), right);
    assert_eq!((sealed(&place), written(&folders)), (folders.clone(), before));
}

/// Periods of the past are sealed, too, so many of them; those that were asked for longest ago go first.
#[test]
fn the_last_period_and_some_others_stay_sealed() {
    let mut dataset = people(60, 5);
    dataset.manifest.periods.length = PeriodLength::Interactions(dataset.interactions.len() / 9);
    let place = Place::of(&dataset);
    let formed = Memory::build(&dataset).sized(LITTLE);
    let periods = formed.periods();
    assert!(periods > MOST_SEALED + 4, "{periods}");
    // By a program of its own each time, which is told the same.
    let ask = |period: usize| {
        let at = formed.period_end(period).min(dataset.end());
        let asked: Vec<Interaction> = questions(&dataset).into_iter().map(|i| Interaction { at, ..i }).collect();
        assert_eq!(answers(&open(&place, LITTLE), &asked), answers(&formed, &asked), "period {period}");
    };
    let of = |what: &str| -> BTreeSet<usize> {
        let begin = format!("sealed-{what}-p");
        let numbers = names(&place.base()).into_iter().filter_map(|name| {
            Some(name.strip_prefix(&begin)?.split_once('-').unwrap().0.parse::<usize>().unwrap() - 1)
        });
        numbers.collect()
    };
    let there = |periods: &[usize]| {
        let expected: BTreeSet<usize> = periods.iter().copied().collect();
        assert_eq!((of("terms"), of("entries")), (expected.clone(), expected));
    };
    let last = (0..periods).rfind(|period| formed.period_end(*period) <= dataset.end()).unwrap();
    ask(last);
    for period in 0..MOST_SEALED {
        ask(period);
    }
    there(&[last, 0, 1, 2, 3]);
    let folders = sealed(&place);
    let before = written(&folders);
    // Asked for again, the first one is not made anew, and is not the next to go.
    ask(0);
    assert_eq!(written(&folders), before);
    ask(4);
    there(&[last, 0, 2, 3, 4]);
    ask(5);
    there(&[last, 0, 3, 4, 5]);
    ask(last);
    there(&[last, 0, 3, 4, 5]);
    assert!(left(&place).is_empty() && place.store().verify().unwrap().faults.is_empty());
}

/// Groupings of the past do not pile up: those that were asked for longest ago go first, that of the last period never.
#[test]
fn the_last_grouping_and_some_others_are_kept() {
    let mut dataset = people(60, 5);
    dataset.manifest.periods.length = PeriodLength::Interactions(dataset.interactions.len() / 24);
    let place = Place::of(&dataset);
    let formed = Memory::build(&dataset).sized(LITTLE);
    let asked = questions(&dataset)[0].clone();
    let ask = |period: usize| {
        let at = formed.period_end(period).min(dataset.end());
        let asked = [Interaction { at, ..asked.clone() }];
        assert_eq!(answers(&open(&place, LITTLE), &asked), answers(&formed, &asked), "period {period}");
    };
    let of_period = |period: usize| {
        let begin = format!("kept-p{}-", period + 1);
        groupings(&place).iter().any(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&begin))
    };
    let last = (0..formed.periods()).rfind(|period| formed.period_end(*period) <= dataset.end()).unwrap();
    assert!(last > MOST_GROUPINGS + 3, "{last}");
    ask(last);
    (0..MOST_GROUPINGS).for_each(ask);
    assert_eq!(groupings(&place).len(), MOST_GROUPINGS + 1);
    ask(MOST_GROUPINGS);
    ask(MOST_GROUPINGS + 1);
    assert_eq!(groupings(&place).len(), MOST_GROUPINGS + 1);
    assert!(!of_period(0) && !of_period(1) && of_period(2) && of_period(last));
}

/// The program says it, too, and goes on.
#[test]
fn the_command_says_what_is_not_kept() {
    let place = Place::of(&people(420, 1));
    place.open();
    fs::create_dir(place.base().join("keeping")).unwrap();
    let mut command = crate::program();
    command.args(["store", "build", "--data"]).arg(place.data()).arg("--store").arg(place.root());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("logoscope: what was formed of a period is not kept"), "{said}");
}
