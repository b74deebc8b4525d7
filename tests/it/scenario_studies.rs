//! Scenarios as studies and as sessions, through the library and the real binary.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use logoscope::data::dataset::Dataset;
use logoscope::data::sample;
use logoscope::engine::prompt::Arm;
use logoscope::eval::scenario::ladder::{Ladder, Shape};
use logoscope::eval::scenario::{Asking, By, Job, Subject, dial};
use logoscope::eval::split::{Asked, Question, Split};
use logoscope::eval::stats::Plan;
use logoscope::mediator::Policy;
use logoscope::memory::Memory;
use logoscope::memory::held::Held;
use logoscope::session::event::{Event, Setting};
use logoscope::session::{Session, scenario};
use serde_json::Value;

use crate::session::defaults;

fn logoscope(args: &[&str]) -> Output {
    crate::program().args(args).output().unwrap()
}

fn told(args: &[&str]) -> String {
    let output = logoscope(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn subject(dataset: &Dataset, setting: Setting) -> Subject {
    Subject {
        schema: "test",
        dataset: dataset.manifest.name.clone(),
        dataset_hash: String::new(),
        model: None,
        queries: String::new(),
        by: By::Accuracy,
        setting,
        plan: Plan { resamples: 200, permutations: 0, seed: 1 },
    }
}

/// The rungs ask the same questions; at 0 local answers with the base rate; hand-over is the first sure lead.
#[test]
fn a_ladder_asks_the_same_questions_on_every_rung() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let setting = defaults(&dataset, Policy::Product);
    let mut asked = Asked::of(&dataset, Split::Judged).unwrap();
    asked.sample(120, 1);
    let cancel = AtomicBool::new(false);
    let asking = Asking { memory: &memory, engine: None, setting, cancel: &cancel };
    for oldest in [false, true] {
        let shape = Shape { most: 8, oldest, gap_days: 0.0 };
        let subject = subject(&dataset, setting);
        let found = Ladder::of(&asking, &asked.questions, shape, subject, &mut |_, _| {}).unwrap();
        assert_eq!(found.rungs.iter().map(|rung| rung.held).collect::<Vec<_>>(), [0, 1, 2, 4, 8]);
        let first = &found.rungs[0].cell;
        assert_eq!(first.arms[Arm::None as usize], first.arms[Arm::Local as usize]);
        for rung in &found.rungs {
            assert_eq!((rung.cell.n, rung.cell.people), (first.n, first.people));
            assert_eq!(rung.cell.arms[Arm::None as usize], first.arms[Arm::None as usize]);
            let [_, local, global, _] = rung.cell.arms;
            assert!(rung.cell.ceiling.value >= local.value.max(global.value));
            assert!((rung.cell.local_over_global.value - (local.value - global.value)).abs() < 1e-12);
        }
        let sure = found.rungs.iter().find(|rung| rung.cell.local_over_global.interval.unwrap().low > 0.0);
        assert_eq!(found.hand_over, sure.map(|rung| rung.held));
        let natural: usize = found.natural.iter().map(|natural| natural.cell.n).sum();
        assert_eq!(natural, 120, "natural buckets hold every query once");
        // A rung of the study is the read of that many items.
        let question = asked
            .questions
            .iter()
            .position(|q| memory.population.visible(memory.population.user_ix(q.user), q.at).len() >= 8);
        let question = question.unwrap();
        let q = asked.questions[question];
        let user = memory.population.user_ix(q.user);
        let cut = if oldest { Held::oldest } else { Held::newest };
        let held = Some(cut(&memory.population, user, q.at, 4));
        let jobs = [Job { question, held }];
        assert_eq!(asking.all(&asked.questions, &jobs, &mut |_| {}).unwrap()[0].visible, 4);
    }
}

/// Resamples of one person are that person again: an interval without width lay above 0, and hand-over was certain.
#[test]
fn one_person_makes_no_interval() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let setting = defaults(&dataset, Policy::Product);
    let mut asked = Asked::of(&dataset, Split::Judged).unwrap();
    let visible = |q: &Question| memory.population.visible(memory.population.user_ix(q.user), q.at).len();
    let whose = asked.questions.iter().find(|question| visible(question) >= 4).unwrap().user;
    asked.questions.retain(|question| question.user == whose);
    let cancel = AtomicBool::new(false);
    let asking = Asking { memory: &memory, engine: None, setting, cancel: &cancel };
    let shape = Shape { most: 4, oldest: false, gap_days: 0.0 };
    let found = Ladder::of(&asking, &asked.questions, shape, subject(&dataset, setting), &mut |_, _| {}).unwrap();
    assert!(found.rungs.iter().all(|rung| rung.cell.people == 1 && rung.cell.local_over_global.interval.is_none()));
    assert_eq!(found.hand_over, None);
    let sections = found.sections();
    let mut notes = sections.iter().flat_map(|section| &section.notes);
    assert!(notes.any(|note| note == "hand-over not told: below 5 people there is no interval"));
}

#[test]
fn a_dial_tolerates_what_costs_no_more_than_two_points() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let setting = defaults(&dataset, Policy::Product);
    let asked = Asked::of(&dataset, Split::Judged).unwrap();
    let cancel = AtomicBool::new(false);
    let asking = Asking { memory: &memory, engine: None, setting, cancel: &cancel };
    let shape = dial::Shape { length: 6, step: 50, draws: 2, label: None };
    let of = || dial::Dial::of(&asking, &asked.questions, &shape, subject(&dataset, setting), &mut |_, _| {}).unwrap();
    let found = of();
    assert_eq!(found, of(), "the same seed, the same figures");
    assert_eq!(found.rungs.len(), 4);
    let whole = found.rungs.last().unwrap();
    let local = &whole.arms[Arm::Local as usize];
    assert_eq!((local.on_habit, local.off_habit, local.names_label), (1.0, 0.0, 1.0), "one label is all it knows");
    for arm in Arm::ALL {
        let balance = |rung: &dial::Rung| rung.arms[arm as usize];
        let own = balance(&found.rungs[0]).balanced.value;
        let mut largest = None;
        for rung in &found.rungs[1..] {
            let dial::Share::Percent(percent) = rung.share else { panic!("the own share stands first") };
            let here = balance(rung);
            assert!((here.balanced.value - (here.on_habit + here.off_habit) / 2.0).abs() < 1e-12);
            assert!((here.against_own.value - (here.balanced.value - own)).abs() < 1e-12);
            if here.balanced.value >= own - 0.02 - 1e-12 {
                largest = Some(percent);
            }
        }
        assert_eq!(found.tolerance[arm as usize], largest, "{arm:?}");
    }
}

#[test]
fn studies_print_in_every_form_and_repeat_to_the_byte() {
    let small = ["scenario", "ladder", "--model", "none", "--most", "4", "--queries", "60"];
    let with = |form: &str| told(&[&small[..], &["--format", form]].concat());
    let json = with("json");
    assert_eq!(json, with("json"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "logoscope.ladder/1");
    assert_eq!(json["rungs"].as_array().unwrap().len(), 4);
    assert!(json["rungs"][0]["local_over_global"]["interval"].is_array());
    let text = told(&small);
    assert!(
        text.contains("hand-over") && text.contains("Natural buckets") && text.contains("at 0 items the local arm")
    );
    assert!(with("md").contains("| m | n |"));
    let csv = with("csv");
    assert!(csv.starts_with("table,row,column,value\n") && csv.contains(",0,n,"), "{csv}");
    for (scenario, expected) in
        [("dial", "Bias tolerance"), ("drift", "Who notices first"), ("new-community", "global that knew them")]
    {
        let mut args = vec!["scenario", scenario, "--model", "none"];
        if scenario == "dial" {
            args.extend(["--queries", "150", "--length", "4", "--step", "50", "--draws", "1"]);
        }
        assert!(told(&args).contains(expected), "{scenario}");
    }
}

/// Every scenario as a session: recorded twice alike, and what it recorded is what memory says.
#[test]
fn sessions_of_every_scenario_check_and_repeat_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [&[&str]; 7] = [
        &["ladder", "--user", "u216", "--most", "8"],
        &["ladder", "--user", "u216", "--most", "8", "--oldest"],
        &["dial", "--user", "u216", "--length", "6", "--step", "50"],
        &["drift"],
        &["drift", "--made"],
        &["new-community"],
        &["gallery"],
    ];
    for case in cases {
        let make = |name: &str| {
            let path = dir.path().join(name).display().to_string();
            told(&[&["scenario"], case, &["--model", "none", "--force", "--out", &path]].concat());
            std::fs::read(path).unwrap()
        };
        let bytes = make("a");
        // Those that draw; the others have nothing to differ by.
        if case.contains(&"dial") || case.contains(&"--made") {
            assert_eq!(bytes, make("b"), "{case:?}");
        }
        let path = dir.path().join("a");
        let check = told(&["replay", path.to_str().unwrap(), "--check"]);
        assert!(check.contains("reads equal"), "{case:?}: {check}");
        let session = Session::open(&path).unwrap();
        let notes = session.events.iter().filter(|event| matches!(event.as_ref(), Event::Note { .. })).count();
        let asked = session.events.iter().filter(|event| matches!(event.as_ref(), Event::Asked(_))).count();
        assert_eq!(notes, asked + 1, "every turn says why it is there");
        // Before its question it would stand at the end of the turn before, and be read of that.
        let own = |pair: &[Arc<Event>]| matches!((&*pair[0], &*pair[1]), (Event::Asked(_), Event::Note { .. }));
        assert_eq!(session.events.windows(2).filter(|pair| own(pair)).count(), asked, "{case:?}");
    }
    // One held item changed by hand.
    let path = dir.path().join("a");
    let path = path.to_str().unwrap();
    told(&["scenario", "ladder", "--user", "u216", "--most", "4", "--model", "none", "--force", "--out", path]);
    let text = std::fs::read_to_string(path).unwrap();
    let held = text.find("\"held\":[{\"id\":\"").unwrap() + "\"held\":[{\"id\":\"".len();
    std::fs::write(path, format!("{}x{}", &text[..held], &text[held..])).unwrap();
    let check = logoscope(&["replay", path, "--check"]);
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(1), "{said}");
    assert!(said.contains("is nothing that this person did before the question"), "{said}");
}

#[test]
fn nobody_fills_the_gallery() {
    let dataset = sample::dataset().unwrap();
    let setting = defaults(&dataset, Policy::Product);
    let plan = scenario::Plan::of(scenario::Scenario::Gallery, &dataset, None, &setting, None).unwrap();
    let session = plan.record(&dataset, setting, None).unwrap();
    assert!(session.header.picked, "a fact, which outlives the title");
    let mut of: std::collections::BTreeMap<String, usize> = Default::default();
    for event in &session.events {
        if let Event::Asked(asked) = event.as_ref() {
            *of.entry(asked.user.to_string()).or_default() += 1;
        }
    }
    assert!(of.values().all(|n| *n <= scenario::gallery::OF_ONE), "{of:?}");
    assert!(of.len() >= 6);
}

#[test]
fn options_that_say_nothing_are_refused() {
    for (args, expected) in [
        (&["ladder", "--length", "4"][..], "--length is for dial; leave it out of ladder"),
        (&["dial", "--oldest"], "--oldest is for ladder"),
        (&["ladder", "--user", "u017"], "a study is about everyone"),
        (&["gallery"], "gallery is a session and needs --out"),
        (&["dial", "--label", "nonsense"], "--label nonsense is no label of 'film-tags'; use one of"),
        (&["ladder", "--most", "5000"], "no query's user has 5000 items before it"),
        (&["dial", "--length", "5000"], "lower --length"),
        (&["dial", "--step", "0"], "from 1 to 100"),
        (&["new-community", "--community", "99"], "community 99"),
        (&["drift", "--out", "x", "--format", "json"], "--format is of a study"),
    ] {
        let output = logoscope(&[&["scenario"], args, &["--model", "none"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(expected) && said.lines().count() <= 3, "{args:?}: {said}");
    }
}
