//! LaMP imports on hand-made files of the benchmark's exact shapes; no text of the benchmark is in them.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use logoscope::data::dataset::{Dataset, TaskKind};
use logoscope::data::import::lamp::{Request, import_files};
use logoscope::data::import::{ImportError, Reason, Report, Source, Watch};
use logoscope::data::scale::Scale;
use proptest::prelude::*;
use serde_json::{Value, json};

const TAGS: &str = "Which tag does this movie relate to among the following tags? Just answer with the tag name without \
                    further explanation. tags: [";
const SCORE: &str = "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4, or 5 \
                     without further explanation. review: ";
const TWEET: &str = "Paraphrase the following tweet without any explanation before or after it: ";

fn film(labels: &str, description: &str) -> String {
    format!("{TAGS}{labels}] description: {description}")
}

fn source(name: &str, value: &Value) -> Source {
    Source::new(name, Cursor::new(value.to_string().into_bytes()))
}

fn run(sources: Vec<Source>, request: Request, out: Option<&Path>) -> Result<Report, ImportError> {
    import_files(sources, request, out, Watch { cancel: &AtomicBool::new(false), progress: &mut |_| () })
}

/// Imports questions with their outputs and opens the result.
fn imported(questions: &Value, outputs: &Value) -> (Report, Dataset) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let sources = vec![source("train_questions.json", questions), source("train_outputs.json", outputs)];
    let report = run(sources, Request::default(), Some(&out)).unwrap();
    (report, Dataset::open(&out).unwrap())
}

fn counts(report: &Report) -> Vec<(Reason, u64)> {
    report.rejected.iter().map(|(reason, rejected)| (*reason, rejected.count)).collect()
}

/// A task's input, profile fields, gold; then the query and response that come of the first profile item, and the query
/// that comes of the input.
struct Case {
    name: &'static str,
    kind: TaskKind,
    input: String,
    item: Value,
    gold: &'static str,
    expected: [&'static str; 3],
}

fn cases() -> Vec<Case> {
    let case = |name, kind, input: &str, item, gold, expected| Case {
        name,
        kind,
        input: input.to_owned(),
        item,
        gold,
        expected,
    };
    vec![
        case(
            "LaMP_1",
            TaskKind::Text,
            "For an author who has written the paper with the title \"Nets\", which reference is related? Just answer \
             with [1] or [2] without explanation. [1]: \"Deep nets\" [2]: \"Fish nets\"",
            json!({"title": "Old nets", "abstract": "We knot."}),
            "[1]",
            ["Old nets", "We knot.", "Nets [1]: Deep nets [2]: Fish nets"],
        ),
        case(
            "LaMP_2M",
            TaskKind::Labels,
            &film("comedy, sci-fi", "A robot laughs."),
            json!({"tag": "sci-fi", "description": "A ship leaves."}),
            "comedy",
            ["A ship leaves.", "sci-fi", "A robot laughs."],
        ),
        case(
            "LaMP_2N",
            TaskKind::Labels,
            "Which category does this article relate to among the following categories? Just answer with the category \
             name without further explanation. categories: [women, food & drink] article: Bread rises.",
            json!({"text": "Cheese ages.", "title": "Cheese", "category": "food & drink"}),
            "food & drink",
            ["Cheese ages.", "food & drink", "Bread rises."],
        ),
        case(
            "LaMP_3",
            TaskKind::Rating,
            &format!("{SCORE}It broke."),
            json!({"text": "It works.", "score": "5"}),
            "1",
            ["It works.", "5", "It broke."],
        ),
        case(
            "LaMP_4",
            TaskKind::Text,
            "Generate a headline for the following article: Rain fell.",
            json!({"text": "Snow fell.", "title": "Snow"}),
            "Rain",
            ["Snow fell.", "Snow", "Rain fell."],
        ),
        case(
            "LaMP_5",
            TaskKind::Text,
            "Generate a title for the following abstract of a paper: We count.",
            json!({"title": "Sums", "abstract": "We add."}),
            "Counts",
            ["We add.", "Sums", "We count."],
        ),
        case(
            "LaMP_6",
            TaskKind::Text,
            "Generate a subject for the following email: See you.",
            json!({"text": "Be there.", "title": "Tonight"}),
            "Tomorrow",
            ["Be there.", "Tonight", "See you."],
        ),
        case(
            "LaMP_7",
            TaskKind::Text,
            &format!("{TWEET}too late"),
            json!({"text": "late agn"}),
            "2 late",
            ["late agn", "late agn", "too late"],
        ),
    ]
}

/// A profile item as files have it.
fn item(fields: &Value, id: &str, date: Option<Value>) -> Value {
    let mut item = fields.clone();
    item["id"] = json!(id);
    if let Some(date) = date {
        item["date"] = date;
    }
    item
}

#[test]
fn every_task_is_read_in_the_time_split() {
    for Case { name, kind, input, item: fields, gold, expected } in cases() {
        let mut later = item(&fields, "6001", Some(json!("2011-07-09")));
        // Another item of the same person, at another time.
        later["note"] = json!("kept");
        let profile = [item(&fields, "6000", Some(json!("2010"))), later];
        let questions = json!([{"id": "600", "user_id": "A17", "input": input, "profile": profile}]);
        let outputs = json!({"task": name, "golds": [{"id": "600", "output": gold}]});
        let (report, dataset) = imported(&questions, &outputs);
        assert_eq!((report.read, report.kept, report.queries, report.users), (3, 2, 1, 1), "{name}");
        assert!(report.rejected.is_empty() && report.notes.is_empty(), "{name}: {report:?}");
        assert_eq!((report.name.as_str(), report.task), (name, kind));
        assert_eq!((dataset.manifest.name.as_str(), dataset.manifest.task), (name, kind));
        assert!(
            dataset.manifest.source.ends_with("time-based split") && dataset.manifest.retrieval.recency_half_life < 1e4
        );

        let [first, second] = dataset.interactions.as_slice() else { panic!("{name}") };
        assert_eq!([first.query.as_str(), first.response.as_str()], expected[..2], "{name}");
        assert_eq!((first.id.as_str(), first.user.as_str()), ("600/6000", "A17"));
        assert_eq!([first.at.date(), second.at.date()], ["2010-01-01", "2011-07-09"], "{name}");
        assert_eq!(second.extra["note"], "kept");
        assert!(!second.extra.contains_key("date") && !second.extra.contains_key("source_id"), "{name}");

        let query = &dataset.queries[0];
        assert_eq!(
            [query.id.as_str(), query.user.as_str(), query.query.as_str()],
            ["600", "A17", expected[2]],
            "{name}"
        );
        assert_eq!((query.gold.as_deref(), query.at.date().as_str()), (Some(gold), "2011-07-10"), "{name}");
    }
}

#[test]
fn every_task_is_read_in_the_user_split() {
    for Case { name, input, item: fields, gold, .. } in cases() {
        let profile = |question: &str| [0, 1].map(|n| item(&fields, &format!("{question}{n}"), None));
        let question = |id: &str| json!({"id": id, "input": input, "profile": profile(id)});
        let outputs = json!({"task": name, "golds": [{"id": "0", "output": gold}, {"id": "9", "output": gold}]});
        let (report, dataset) = imported(&json!([question("0"), question("1")]), &outputs);
        assert_eq!((report.read, report.kept, report.queries, report.users), (6, 4, 2, 2), "{name}");
        assert_eq!(
            report.notes,
            [
                "profile items have no dates: the order in the files stands for time, one day a question",
                "1 questions have no gold",
                "1 golds belong to no question that was kept",
            ]
        );
        assert!(dataset.manifest.source.ends_with("user-based split"));
        assert_eq!(dataset.manifest.retrieval.recency_half_life, f64::INFINITY);
        let order: Vec<(&str, i64)> = dataset.interactions.iter().map(|i| (i.id.as_str(), i.at.0)).collect();
        assert_eq!(order, [("0/00", 0), ("0/01", 1), ("1/10", 86_400), ("1/11", 86_401)], "{name}");
        let asked: Vec<(&str, i64)> = dataset.queries.iter().map(|q| (q.user.as_str(), q.at.0)).collect();
        assert_eq!(asked, [("0", 86_399), ("1", 172_799)], "after the own profile, before the next person's");
    }
}

#[test]
fn labels_are_those_of_the_prompts_in_any_order() {
    let question = |id: &str, labels: &str, tag: &str| {
        let profile = [item(&json!({"tag": tag, "description": "D"}), "1", Some(json!("2020-01-01")))];
        json!({"id": id, "user_id": id, "input": film(labels, "D"), "profile": profile})
    };
    let questions =
        json!([question("a", "action, comedy", "comedy"), question("b", "dystopia, comedy, action", "dystopia")]);
    let outputs =
        json!({"task": "LaMP_2", "golds": [{"id": "a", "output": "action"}, {"id": "b", "output": " comedy "}]});
    let (_, dataset) = imported(&questions, &outputs);
    assert_eq!(dataset.manifest.labels, ["action", "comedy", "dystopia"]);
    assert_eq!(dataset.queries[1].extra["labels"], json!(["dystopia", "comedy", "action"]));
    assert_eq!(dataset.queries[1].gold.as_deref(), Some("comedy"));

    let mut wide = cases().remove(0);
    wide.item = item(&wide.item, "1", Some(json!("2020")));
    let questions = json!([{"id": "1", "user_id": "u", "input": wide.input, "profile": [wide.item]}]);
    let (_, dataset) = imported(&questions, &json!({"task": "LaMP_1", "golds": []}));
    assert_eq!(dataset.queries[0].extra["choices"], json!({"[1]": "Deep nets", "[2]": "Fish nets"}));

    let (_, dataset) = {
        let review = item(&json!({"text": "T", "score": 3}), "1", Some(json!("2020")));
        let questions = json!([{"id": 1, "user_id": 2, "input": format!("{SCORE}R"), "profile": [review]}]);
        imported(&questions, &json!({"task": "LaMP_3", "golds": [{"id": 1, "output": 4.0}]}))
    };
    assert_eq!(dataset.manifest.scale, Some(Scale { low: 1.0, high: 5.0, step: 1.0 }));
    assert_eq!((dataset.interactions[0].response.as_str(), dataset.queries[0].gold.as_deref()), ("3", Some("4")));
}

#[test]
fn every_row_of_a_lamp_file_has_a_fate() {
    let row =
        |id: &str, date: &str, tag: &str| json!({"id": id, "date": date, "tag": tag, "description": format!("D{id}")});
    let ask = |id: Value, user: Value, labels: &str, profile: Value| json!({"id": id, "user_id": user, "input": film(labels, "Q"), "profile": profile});
    let good = row("1", "2020-01-01", "a");
    let questions = json!([
        ask(json!("q1"), json!("u"), "a, b", json!([
            good,
            row("2", "2020-01-02", "c"),
            row("3", "2020-13-02", "a"),
            {"id": "4", "tag": "a", "description": "D"},
            {"id": "5", "date": "2020", "tag": "a", "description": " "},
            {"id": "6", "date": "2020", "description": "D"},
            {"date": "2020", "tag": "a", "description": "no id"},
            "no object",
            row("1", "2020-01-05", "b"),
        ])),
        // The same person asks again: what was told before counts once.
        ask(json!("q2"), json!("u"), "a, b", json!([good, row("9", "2020-02-01", "b")])),
        // Another person did the same.
        ask(json!("q3"), json!("v"), "a, b", json!([good])),
        ask(json!("q3"), json!("w"), "a, b", json!([row("8", "2020", "a")])),
        ask(json!("q4"), json!("w"), "a, b", json!([])),
        ask(json!("q5"), json!("w"), "a, b", json!([row("7", "2020-03-01", "b")])),
        {"id": "q6", "user_id": "w", "input": "Summarise: x", "profile": [row("6", "2020-03-02", "b")]},
        {"user_id": "x", "input": film("a, b", "Q"), "profile": [row("5", "2020-03-02", "b")]},
        {"id": "q7", "profile": []},
        // Whose this is cannot be told, so it is nobody's.
        ask(json!("q9"), json!(1e20), "a, b", json!([row("4", "2020-03-03", "a")])),
        7,
    ]);
    let outputs = json!({"task": "LaMP_2", "golds": [
        {"id": "q1", "output": "a"}, {"id": "q2", "output": "b"}, {"id": "q5", "output": "c"}, {"id": "q8", "output": "a"},
    ]});
    let (report, dataset) = imported(&questions, &outputs);
    assert_eq!(
        counts(&report),
        [
            (Reason::NoQuestion, 3),
            (Reason::BadPrompt, 1),
            (Reason::NoUser, 2),
            (Reason::NoTime, 2),
            (Reason::BadTime, 1),
            (Reason::NoQuery, 1),
            (Reason::NoResponse, 1),
            (Reason::OtherLabel, 2),
            (Reason::NoId, 3),
            (Reason::DuplicateId, 2),
            (Reason::DuplicateRow, 1),
        ]
    );
    let rejected: u64 = counts(&report).iter().map(|(_, count)| count).sum();
    assert_eq!(report.read, report.kept + report.queries + rejected);
    let kept: Vec<&str> = dataset.interactions.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(kept, ["q1/1", "q3/1", "q3/8", "q2/9", "q5/7", "q6/6"]);
    let asked: Vec<&str> = dataset.queries.iter().map(|q| q.id.as_str()).collect();
    assert_eq!(asked, ["q1", "q2", "q3"]);
    assert_eq!(dataset.queries[0].at.date(), "2020-01-06", "an item that was rejected for its id still had its day");
    let first = &report.rejected[&Reason::OtherLabel].first;
    assert_eq!((first.path.as_str(), first.line, first.text.as_str()), ("train_questions.json", 1, "c"));
    assert_eq!(report.notes, ["1 questions have no gold", "1 golds belong to no question that was kept"]);
}

#[test]
fn outputs_may_come_in_any_file() {
    let profile = json!([item(&json!({"text": "t"}), "1", None)]);
    let question = |id: &str| json!({"id": id, "input": format!("{TWEET}x"), "profile": profile});
    let merged = {
        let mut question = question("merged");
        question["output"] = json!("own");
        question
    };
    // Test questions of one task are wrapped as outputs are.
    let wrapped = json!({"task": "LaMP_7", "golds": [question("wrapped")]});
    let outputs =
        json!({"task": "LaMP_7", "golds": [{"id": "plain", "output": "p"}, {"id": "wrapped", "output": "w"}]});
    let mut packed = Vec::new();
    let text = format!("\u{FEFF} {}", json!([question("plain"), merged]));
    flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let sources = vec![
        Source::new("questions.json.gz", Cursor::new(packed)),
        source("outputs.json", &outputs),
        source("test_questions.json", &wrapped),
    ];
    let report = run(sources, Request { name: Some("tweets".into()), wanted: None }, Some(&out)).unwrap();
    assert_eq!((report.kept, report.queries), (3, 3));
    let dataset = Dataset::open(&out).unwrap();
    assert_eq!(dataset.manifest.name, "tweets");
    let mut golds: Vec<(&str, &str)> =
        dataset.queries.iter().map(|q| (q.id.as_str(), q.gold.as_deref().unwrap_or_default())).collect();
    golds.sort();
    assert_eq!(golds, [("merged", "own"), ("plain", "p"), ("wrapped", "w")]);
}

#[test]
fn what_is_no_lamp_file_is_refused_and_leaves_nothing() {
    let tweet = json!([{"id": "1", "input": format!("{TWEET}x"), "profile": [{"id": "1", "text": "t"}]}]).to_string();
    let strange = tweet.replace("Paraphrase", "Improve");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for (text, expected) in [
        ("", "q.json: EOF while parsing a value"),
        ("[", "q.json: EOF while parsing"),
        ("{\"task\": \"LaMP_1\"}", "the object has no 'golds'"),
        ("{\"golds\": {}}", "'golds' is no array"),
        ("7", "expected an array"),
        (&tweet[..tweet.len() - 1], "EOF while parsing"),
        (&format!("{tweet}]"), "trailing characters"),
        ("[]", "the input holds no row"),
        ("[{\"id\": \"1\", \"output\": \"x\"}]", "the input holds no row"),
        (&strange, "none of 2 rows could be kept: 2 × prompt is not its task's (first q.json:1"),
        (&tweet.replace("\"t\"", "\"\""), "none of 2 rows could be kept"),
    ] {
        let outcome = run(vec![Source::new("q.json", Cursor::new(text.to_owned()))], Request::default(), Some(&out));
        let message =
            outcome.map(|report| panic!("{text}: {report:?}")).unwrap_or_else(|error: ImportError| error.to_string());
        assert!(message.contains(expected), "{text}: {message}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{message}");
    }
    let other = Request { name: None, wanted: Some("3".parse().unwrap()) };
    let message = run(vec![Source::new("q.json", Cursor::new(tweet))], other, Some(&out)).unwrap_err().to_string();
    assert!(message.contains("question 1 is worded as LaMP_7's are, not as those of --task 3"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Damaged questions, items and golds in any mixture: nothing is lost and what is written opens.
    #[test]
    fn no_lamp_row_is_lost(
        questions in proptest::collection::vec((
            proptest::collection::vec((0..6usize, 0..6usize, 0..5usize), 0..6),
            0..4usize, 0..4usize, 0..4usize,
        ), 0..8),
        dated in any::<bool>(),
    ) {
        let texts = [json!("a"), json!("b"), json!("z"), json!(""), json!(null), json!(7)];
        let dates = [json!("2020-01-02"), json!("2019"), json!("x"), json!(null), json!(2018), json!("2020-05")];
        let mut rows = 0;
        let all: Vec<Value> = questions.iter().map(|(items, id, user, input)| {
            rows += 1 + items.len() as u64;
            let profile: Vec<Value> = items.iter().map(|(text, date, id)| {
                let mut item = json!({"id": texts[*id], "tag": texts[*text], "description": texts[(text + id) % 6]});
                if dated { item["date"] = dates[*date].clone(); }
                item
            }).collect();
            let mut question = json!({"id": texts[*id + 2], "output": texts[*user], "profile": profile});
            if *user > 1 { question["user_id"] = texts[*user].clone(); }
            question["input"] = [json!(film("a, b", "Q")), json!(film("a, b, z", "Q")), json!("?"), json!(3)][*input].clone();
            question
        }).collect();
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        match run(vec![source("q.json", &json!(all))], Request::default(), Some(&out)) {
            Ok(report) => {
                let rejected: u64 = counts(&report).iter().map(|(_, count)| count).sum();
                prop_assert_eq!(report.read, rows);
                prop_assert_eq!(report.read, report.kept + report.queries + rejected);
                let dataset = Dataset::open(&out).unwrap();
                prop_assert_eq!(dataset.interactions.len() as u64, report.kept);
                prop_assert_eq!(dataset.queries.len() as u64, report.queries);
                prop_assert_eq!(dataset.users().len(), report.users);
            }
            Err(ImportError::NothingKept { read, .. }) => prop_assert_eq!(read, rows),
            Err(ImportError::NoRow) => prop_assert_eq!(rows, 0),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

#[test]
fn the_command_reads_a_folder_of_lamp() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("lamp");
    fs::create_dir(&folder).unwrap();
    for (split, id) in [("dev", "10"), ("train", "00")] {
        let profile = [item(&json!({"text": "T", "title": "H"}), &format!("{id}0"), None)];
        let input = "Generate a headline for the following article: A";
        let questions = json!([{"id": id, "input": input, "profile": profile}]);
        fs::write(folder.join(format!("{split}_questions.json")), questions.to_string()).unwrap();
        let outputs = json!({"task": "LaMP_4", "golds": [{"id": id, "output": "G"}]});
        fs::write(folder.join(format!("{split}_outputs.json")), outputs.to_string()).unwrap();
    }
    fs::write(folder.join("readme.txt"), "not read").unwrap();
    let out = dir.path().join("out");
    let run = |args: &[&str]| crate::program().args(args).output().unwrap();
    let output = run(&["import", "lamp", folder.to_str().unwrap(), "--out", out.to_str().unwrap(), "--task", "4"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        told.starts_with("4 rows read, 2 kept, 2 questions, 0 rejected\nLaMP_4: 2 users, texts, 1970-01-01"),
        "{told}"
    );
    assert!(told.contains("\nnote: profile items have no dates"), "{told}");
    let dataset = Dataset::open(&out).unwrap();
    assert_eq!(dataset.interactions[0].id, "00/000", "training comes first");
    assert!(dataset.queries.iter().all(|query| query.gold.as_deref() == Some("G")));

    let ask = ["ask", "--data", out.to_str().unwrap(), "--user", "00", "--query", "A", "--model", "none"];
    for (args, expected) in [
        (&[&ask[..], &["--format", "lamp"]].concat()[..], "answers a file of questions"),
        (&["import", "lamp", folder.to_str().unwrap(), "--dry-run", "--task", "9"], "'9' is no LaMP task"),
        (&["import", "lamp", folder.to_str().unwrap(), "--dry-run", "--task", "2"], "worded as LaMP_4's are"),
        (&["import", "lamp", folder.to_str().unwrap(), "--dry-run", "--delimiter", ";"], "--delimiter is for csv"),
        (&["import", "lamp", dir.path().to_str().unwrap(), "--dry-run"], "holds no …questions.json"),
    ] {
        let output = run(args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.contains(expected), "{args:?}: {message}");
    }
}
