//! Imports: every row is kept or counted under one reason, and a folder appears whole or not at all.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;
#[cfg(unix)]
use std::process::{Child, ChildStdin};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::time::Duration;

use logoscope::data::dataset::{Dataset, DatasetError, PeriodLength};
use logoscope::data::import::huffpost::HuffPost;
use logoscope::data::import::mapped::{Answers, FieldMap, Mapped};
use logoscope::data::import::{ImportError, Mapping, Progress, Reason, Report, Source, Syntax, Watch, import};
use logoscope::data::interaction::Timestamp;
use logoscope::data::scale::Scale;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A map of the plainest names.
const PLAIN: &str = "user=user,at=at,query=query,response=response";

fn source(name: &str, bytes: impl Into<Vec<u8>>) -> Source {
    Source::new(name, Cursor::new(bytes.into()))
}

fn mapped(map: &str) -> Mapped {
    mapped_as(Syntax::JsonLines, Answers::Labels, map)
}

fn mapped_as(syntax: Syntax, answers: Answers, map: &str) -> Mapped {
    Mapped::new("small", "small.jsonl", syntax, answers, map.parse::<FieldMap>().unwrap())
}

/// Nobody watches, nobody stops.
fn unwatched<T>(work: impl FnOnce(Watch<'_>) -> T) -> T {
    work(Watch { cancel: &AtomicBool::new(false), progress: &mut |_| () })
}

/// Imports without being watched or stopped.
fn imported(bytes: &[u8], mapping: &mut dyn Mapping, out: Option<&Path>) -> Result<Report, ImportError> {
    unwatched(|watch| import(vec![source("rows.jsonl", bytes)], mapping, out, watch))
}

/// The reasons with their counts.
fn counts(report: &Report) -> Vec<(Reason, u64)> {
    report.rejected.iter().map(|(reason, rejected)| (*reason, rejected.count)).collect()
}

fn article(authors: &str, description: &str, category: &str, date: &str, headline: &str) -> String {
    json!({
        "link": format!("https://news.test/{headline}"), "headline": headline, "category": category,
        "short_description": description, "authors": authors, "date": date,
    })
    .to_string()
}

/// Everything a folder holds, hidden entries included.
fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_huffpost_row_has_a_fate() {
    let good = article("Ann Writer", "A vote is held.", "POLITICS", "2020-03-01", "Vote");
    let mut rows: Vec<Vec<u8>> = [
        good.clone(),
        article("Ann Writer", "A lab opens.", "TECH", "2020-03-02", "Lab"),
        article("  ", "", "COMEDY", "2020-03-02", "Several faults count once"),
        good.replace("\"authors\":\"Ann Writer\"", "\"authors\":7"),
        article("Bo", " \\t", "POLITICS", "2020-03-02", "Tabs are text").replace("\\\\t", "\\t"),
        article("Bo", "", "POLITICS", "2020-03-02", "Untold"),
        article("Bo", "Funny.", "COMEDY", "2020-03-02", "Laugh"),
        article("Bo", "Lower case is another category.", "politics", "2020-03-02", "Case"),
        json!({"authors": "Bo", "short_description": "No category.", "date": "2020-03-02"}).to_string(),
        article("Bo", "No such day.", "CRIME", "2020-02-30", "Leap"),
        article("Bo", "A number is no date.", "CRIME", "20200302", "Digits"),
        article("Cy", "Another text, the same article.", "CRIME", "2020-03-01", "Vote"),
        article("Bo", "The same headline on another day is another article.", "CRIME", "2020-03-09", "Vote"),
        String::new(),
        "  \t".to_owned(),
        "{\"authors\": \"cut off".to_owned(),
        "[1, 2]".to_owned(),
        "{} trailing".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec();
    rows.push(b"{\"authors\": \"\xff\xfe\"}".to_vec());
    rows.push(article("Bo", &"long ".repeat(1 << 20), "CRIME", "2020-03-02", "Endless").into_bytes());
    rows.push(article("Dee", "After all that, a good one.", "COLLEGE", "2020-03-03", "").into_bytes());
    let bytes = rows.join(&b'\n');

    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("news");
    let report = imported(&bytes, &mut HuffPost::named("news"), Some(&out)).unwrap();
    assert_eq!((report.read, report.kept, report.users), (21, 4, 3));
    assert_eq!(report.bytes, bytes.len() as u64);
    assert_eq!(
        counts(&report),
        [
            (Reason::LineTooLong, 1),
            (Reason::NotUtf8, 1),
            (Reason::BlankLine, 2),
            (Reason::NotAnObject, 3),
            (Reason::NoAuthors, 2),
            (Reason::NoShortDescription, 2),
            (Reason::OtherCategory, 3),
            (Reason::BadDate, 2),
            (Reason::DuplicateArticle, 1),
        ]
    );
    let other = &report.rejected[&Reason::OtherCategory].first;
    assert_eq!((other.path.as_str(), other.line, other.text.as_str()), ("rows.jsonl", 7, "COMEDY"));
    assert_eq!(report.rejected[&Reason::NoAuthors].first.line, 3);

    let dataset = Dataset::open(&out).unwrap();
    assert_eq!(dataset.manifest.name, "news");
    assert_eq!(dataset.manifest.labels.len(), 15);
    assert_eq!(dataset.manifest.licence, "listed as CC BY 4.0; unconfirmed; texts are HuffPost's");
    assert!(dataset.queries.is_empty());
    let first = &dataset.interactions[0];
    assert_eq!((first.id.as_str(), first.user.as_str()), ("r00000001", "Ann Writer"));
    assert_eq!((first.query.as_str(), first.response.as_str()), ("A vote is held.", "politics"));
    assert_eq!(first.at, "2020-03-01T00:00:00Z".parse().unwrap());
    assert_eq!(first.item.as_deref(), Some("Vote"));
    assert_eq!(first.extra["headline"], "Vote");
    assert_eq!(first.extra["link"], "https://news.test/Vote");
    assert_eq!(first.extra["category"], "POLITICS");
    assert_eq!(first.extra.len(), 3, "the fields that were mapped are not kept twice");
    let labels: Vec<&str> = dataset.interactions.iter().map(|i| i.response.as_str()).collect();
    assert_eq!(labels, ["politics", "science & technology", "education", "crime"]);
    assert_eq!(dataset.interactions[2].item, None, "an empty headline names no item");
}

#[test]
fn every_category_of_the_mapping_has_its_label() {
    let expected = [
        ("women", "WOMEN"),
        ("religion", "RELIGION"),
        ("politics", "POLITICS"),
        ("style & beauty", "STYLE & BEAUTY|STYLE"),
        ("entertainment", "ENTERTAINMENT"),
        ("culture & arts", "CULTURE & ARTS|ARTS & CULTURE|ARTS"),
        ("sports", "SPORTS"),
        ("science & technology", "SCIENCE|TECH"),
        ("travel", "TRAVEL"),
        ("business", "BUSINESS|MONEY"),
        ("crime", "CRIME"),
        ("education", "EDUCATION|COLLEGE"),
        ("healthy living", "HEALTHY LIVING|WELLNESS"),
        ("parents", "PARENTS|PARENTING"),
        ("food & drink", "FOOD & DRINK|TASTE"),
    ];
    for (label, categories) in expected {
        for category in categories.split('|') {
            let row = article("Ann", "Text.", category, "2020-03-01", "H");
            let report = imported(row.as_bytes(), &mut HuffPost::named("news"), None).unwrap();
            assert_eq!(report.labels.keys().collect::<Vec<_>>(), [label], "{category}");
        }
    }
}

#[test]
fn every_row_of_a_mapped_file_has_a_fate() {
    let rows = [
        r#"{"key": 1, "who": {"name": "ann"}, "when": "2024-03-01 12:30:00", "text": "one", "tag": "a", "mood": "calm"}"#,
        r#"{"key": "2", "who": {"name": 7}, "when": 1709251200, "text": "two", "tag": 4, "id": "theirs", "thing": "t"}"#,
        r#"{"key": 3, "who": {"name": " "}, "when": "soon", "text": "", "tag": ""}"#,
        r#"{"key": 4, "who": "ann", "when": 1, "text": "q", "tag": "a"}"#,
        r#"{"key": 5, "who": {"name": "ann"}, "text": "q", "tag": "a"}"#,
        r#"{"key": 6, "who": {"name": "ann"}, "when": null, "text": "q", "tag": "a"}"#,
        r#"{"key": 7, "who": {"name": "ann"}, "when": "soon", "text": "q", "tag": "a"}"#,
        r#"{"key": 8, "who": {"name": "ann"}, "when": 99999999999999, "text": "q", "tag": "a"}"#,
        r#"{"key": 9, "who": {"name": "ann"}, "when": 1.5, "text": "q", "tag": "a"}"#,
        r#"{"key": 10, "who": {"name": "ann"}, "when": "9999-12-31T23:59:59-12:00", "text": "q", "tag": "a"}"#,
        r#"{"key": 11, "who": {"name": "ann"}, "when": 1, "text": ["q"], "tag": "a"}"#,
        r#"{"key": 12, "who": {"name": "ann"}, "when": 1, "text": "q", "tag": true}"#,
        r#"{"who": {"name": "ann"}, "when": 1, "text": "q", "tag": "a"}"#,
        r#"{"key": "1", "who": {"name": "ann"}, "when": 1, "text": "q", "tag": "a"}"#,
        r#"{"key": 13, "who": {"name": "bo", "age": 30}, "when": "2024-03-02", "text": "three", "tag": "a", "thing": {}}"#,
        r#"{"key": 14, "who": {"name": "bo"}, "when": 1e999, "text": "q", "tag": "a"}"#,
        r#"{"key": 15, "who": {"name": 100000000000000000001}, "when": 1, "text": "q", "tag": "a"}"#,
    ];
    // A byte order mark, and the line ends of another system.
    let bytes = format!("\u{FEFF}{}\r\n", rows.join("\r\n"));
    let map = "user=who.name, at=when, query=text, response=tag, id=key, item=thing";
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new").join("folder");
    let report = imported(bytes.as_bytes(), &mut mapped(map), Some(&out)).unwrap();
    assert_eq!((report.read, report.kept, report.users), (17, 3, 3));
    assert_eq!(
        counts(&report),
        [
            (Reason::NotAnObject, 1),
            (Reason::NoUser, 3),
            (Reason::NoTime, 2),
            (Reason::BadTime, 4),
            (Reason::NoQuery, 1),
            (Reason::NoResponse, 1),
            (Reason::NoId, 1),
            (Reason::DuplicateId, 1),
        ]
    );
    assert_eq!(report.rejected[&Reason::BadTime].first.text, "soon");
    assert_eq!(report.rejected[&Reason::DuplicateId].first.text, "1");

    let dataset = Dataset::open(&out).unwrap();
    assert_eq!(dataset.manifest.labels, ["a", "4"], "the most frequent first");
    assert_eq!(
        dataset.manifest.source,
        "imported from small.jsonl with user=who.name,at=when,query=text,response=tag,id=key,item=thing"
    );
    let by_id = |id: &str| dataset.interactions.iter().find(|i| i.id == id).unwrap();
    assert_eq!(by_id("1").at, "2024-03-01T12:30:00Z".parse().unwrap());
    assert_eq!(json!(by_id("1").extra), json!({"mood": "calm"}), "an emptied object goes");
    assert_eq!((by_id("2").user.as_str(), by_id("2").item.as_deref()), ("7", Some("t")));
    assert_eq!(json!(by_id("2").extra), json!({"source_id": "theirs"}), "a field of ours keeps its place");
    assert_eq!(json!(by_id("13").extra), json!({"who": {"age": 30}, "thing": {}}));
}

#[test]
fn rows_without_ids_are_numbered_across_files() {
    let row = |at: i64, response: &str| json!({"user": "u", "at": at, "query": "q", "response": response}).to_string();
    let first = format!("{}\n{}\n", row(1, "a"), row(2, "b"));
    let sources = vec![source("one", first), source("two", format!("\u{FEFF}{}\noops", row(3, "b")))];
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut told = Vec::new();
    let watch = Watch { cancel: &AtomicBool::new(false), progress: &mut |progress| told.push(progress) };
    let report = import(sources, &mut mapped(PLAIN), Some(&out), watch).unwrap();
    assert_eq!((report.read, report.kept), (4, 3));
    let end = Progress { rows: 4, bytes: report.bytes, taken: report.bytes, total: None };
    assert_eq!(told, [end], "the end is always told");
    let example = &report.rejected[&Reason::NotAnObject].first;
    assert_eq!((example.path.as_str(), example.line), ("two", 2), "a place is a line of its own file");
    let dataset = Dataset::open(&out).unwrap();
    assert_eq!(
        dataset.interactions.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(),
        ["r00000001", "r00000002", "r00000003"]
    );
    assert_eq!(dataset.manifest.labels, ["b", "a"]);
}

#[test]
fn what_makes_no_dataset_is_refused_and_leaves_nothing() {
    let row =
        |response: &str| json!({"user": "u", "at": 1, "query": "q", "response": response, "n": {"x": 1}}).to_string();
    let few = format!("{}\n{}", row("a"), row("b"));
    let many: Vec<String> = (0..201).map(|n| row(&n.to_string())).collect();
    let most = many[..200].join("\n");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for (bytes, map, expected) in [
        ("", PLAIN, "the input holds no row"),
        ("\n\n", PLAIN, "none of 2 rows could be kept: 2 × blank line (first rows.jsonl:1)"),
        (
            &row("a").replace("\"at\":1,", "\"at\":1700000000000,"),
            PLAIN,
            "1 × unreadable time (first rows.jsonl:1: '1700000000000' is not a time: give a date",
        ),
        ("oops\n{}", PLAIN, "--map user=user: no record has the field 'user'; its records have no field at all"),
        (&row("a"), PLAIN, "--map response=response: 1 distinct response; a labels task has 2 to 200"),
        (&many.join("\n"), PLAIN, "201 or more distinct responses"),
        (
            &few,
            &PLAIN.replace("at=at", "at=time"),
            "--map at=time: no record has the field 'time'; it has at, n.x, query, response, user",
        ),
        (&few, &format!("{PLAIN},item=n.y"), "--map item=n.y: no record has"),
    ] {
        let message = imported(bytes.as_bytes(), &mut mapped(map), Some(&out)).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.lines().count() <= 3, "{message}");
        assert_eq!(entries(dir.path()), [""; 0], "{message}");
    }
    for good in [few.as_str(), most.as_str()] {
        imported(good.as_bytes(), &mut mapped(&format!("{PLAIN},item=n.x")), Some(&out)).unwrap();
        assert_eq!(entries(dir.path()), ["out"]);
        assert_eq!(entries(&out), ["dataset.toml", "interactions.jsonl", "queries.jsonl"]);
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn a_map_says_what_is_wrong_with_it() {
    for (map, expected) in [
        ("", "'' is not NAME=FIELD"),
        ("user", "'user' is not NAME=FIELD"),
        (
            "user=a,at=when, exactly",
            "'exactly' is not NAME=FIELD; a column whose name holds a comma goes by its number",
        ),
        ("who=x", "'who' is none of our fields"),
        ("user=", "'user' names no field"),
        ("user=a,user=b", "'user' is given twice"),
        ("user=a,at=b,query=c", "'response' is missing"),
    ] {
        let message = map.parse::<FieldMap>().unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("write user=FIELD"), "{message}");
    }
    assert_eq!(format!("{PLAIN},id=a.b").parse::<FieldMap>().unwrap().to_string(), format!("{PLAIN},id=a.b"));
}

#[test]
fn hostile_text_is_quoted_harmlessly_and_kept_faithfully() {
    let row = |user: &str, at: &str, y: &str| {
        json!({"user": user, "at": at, "query": "q\u{1b}[2J", "response": y}).to_string()
    };
    let bytes =
        [row("a\u{202e}", "1", "x\u{7}"), row("b", "2", "y"), row("c", "\u{1b}[31m\u{202e}soon", "x")].join("\n");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let report = imported(bytes.as_bytes(), &mut mapped(PLAIN), Some(&out)).unwrap();
    assert_eq!(report.rejected[&Reason::BadTime].first.text, "␛[31m�soon");
    let dataset = Dataset::open(&out).unwrap();
    assert_eq!(dataset.interactions[0].query, "q\u{1b}[2J");
    assert_eq!(dataset.interactions[0].user.as_str(), "a\u{202e}");
}

#[test]
fn a_time_that_no_dataset_can_hold_is_told_before_a_folder_is_made() {
    let row = |user: &str, at: i64| json!({"user": user, "at": at, "query": "q", "response": user}).to_string();
    let bytes = [row("a", 1_600_000_000), row("b", 1_600_000_500), row("a", 99_999_999_999)].join("\n");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let error = imported(bytes.as_bytes(), &mut mapped(PLAIN), Some(&out)).unwrap_err().to_string();
    assert!(error.contains("'r00000003'") && error.contains("5138-11-16") && error.contains("is wrong"), "{error}");
    assert_eq!(entries(dir.path()), [""; 0]);
}

#[test]
fn an_existing_folder_is_never_touched() {
    let bytes =
        [article("A", "T.", "CRIME", "2020-01-01", "x"), article("B", "T.", "ARTS", "2020-01-02", "y")].join("\n");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    imported(bytes.as_bytes(), &mut HuffPost::named("n"), Some(&out)).unwrap();
    let before = fs::read(out.join("interactions.jsonl")).unwrap();
    for taken in [out.clone(), out.join("dataset.toml")] {
        let error = imported(bytes.as_bytes(), &mut HuffPost::named("n"), Some(&taken)).unwrap_err();
        assert!(matches!(error, ImportError::Dataset(DatasetError::Taken { .. })), "{error}");
        assert!(error.to_string().contains("name a new folder with --out"), "{error}");
    }
    assert_eq!(fs::read(out.join("interactions.jsonl")).unwrap(), before);
    assert_eq!(entries(dir.path()), ["out"]);
    assert_eq!(Dataset::open(&out).unwrap().interactions.len(), 2);
}

#[test]
fn a_cancelled_import_leaves_nothing_behind() {
    let rows: Vec<String> = (0..10_000)
        .map(|n| json!({"user": "u", "at": n, "query": "q", "response": (n % 3).to_string()}).to_string())
        .collect();
    let bytes = rows.join("\n");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("deep").join("out");
    // At once, in the middle, and at the very end.
    for stop_at in [0, 4096, 10_000] {
        let cancel = AtomicBool::new(stop_at == 0);
        let sources = vec![source("rows.jsonl", bytes.as_str())];
        let mut progress = |progress: Progress| {
            if progress.rows == stop_at {
                assert_eq!(entries(dir.path()).len(), 1, "the draft is there while it is written");
                cancel.store(true, Ordering::Relaxed);
            }
        };
        let outcome =
            import(sources, &mut mapped(PLAIN), Some(&out), Watch { cancel: &cancel, progress: &mut progress });
        assert!(matches!(outcome, Err(ImportError::Interrupted)), "{stop_at}: {outcome:?}");
        assert_eq!(entries(dir.path()), [""; 0], "{stop_at}");
    }
}

#[test]
fn an_input_that_breaks_off_leaves_nothing_behind() {
    struct Torn(Cursor<Vec<u8>>);
    impl std::io::Read for Torn {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::Error::other("the disk is gone")),
                read => Ok(read),
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let row = article("A", "T.", "CRIME", "2020-01-01", "x").into_bytes();
    let torn = Source::new("torn.jsonl", std::io::BufReader::new(Torn(Cursor::new(row))));
    let out = dir.path().join("out");
    let error = unwatched(|watch| import(vec![torn], &mut HuffPost::named("n"), Some(&out), watch));
    let message = error.unwrap_err().to_string();
    assert!(message.contains("torn.jsonl") && message.contains("the disk is gone"), "{message}");
    assert_eq!(entries(dir.path()), [""; 0]);
}

/// A line of a file nobody should trust: good rows, damaged rows, noise.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        Just(json!("a")),
        Just(json!("b")),
        Just(json!("")),
        Just(json!(null)),
        Just(json!(3)),
        Just(json!(-7)),
        Just(json!("2020-03-01")),
        Just(json!("2020-03-01 10:00:00")),
        Just(json!("CRIME")),
        Just(json!({"id": 1})),
        any::<String>().prop_map(|text| json!(text)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
    ];
    let names = prop_oneof![
        Just("id"),
        Just("user"),
        Just("at"),
        Just("query"),
        Just("response"),
        Just("item"),
        Just("source_id"),
        Just("authors"),
        Just("date"),
        Just("short_description"),
        Just("category"),
        Just("headline"),
        Just("x"),
    ];
    let damaged = proptest::collection::vec((names, field), 0..10)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>());
    let good = (0..4u8, 0..50i64, "[a-c]").prop_map(|(user, at, response)| {
        json!({
            "user": user, "at": at, "query": "text", "response": response, "x": {"y": [1.5, null]},
            "authors": user.to_string(), "date": format!("2020-01-{:02}", 1 + at % 28), "short_description": "text",
            "category": "CRIME", "headline": response,
        })
    });
    prop_oneof![
        4 => good.prop_map(|value| value.to_string().into_bytes()),
        4 => damaged.prop_map(|value| value.to_string().into_bytes()),
        1 => Just(Vec::new()),
        1 => Just(b"\r".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_row_is_lost(lines in proptest::collection::vec(line(), 0..40), crlf in any::<bool>(), which in 0..4usize) {
        let bytes = lines.join(if crlf { &b"\r\n"[..] } else { b"\n" });
        let mut expected = bytes.split(|byte| *byte == b'\n').count() as u64;
        if bytes.is_empty() || bytes.ends_with(b"\n") {
            expected -= 1;
        }
        let mapping = || -> Box<dyn Mapping> {
            match which {
                0 => Box::new(HuffPost::named("n")),
                1 => Box::new(mapped(PLAIN)),
                2 => Box::new(mapped(&format!("{PLAIN},id=id,item=item"))),
                _ => Box::new(mapped("user=x,at=at,query=user,response=response,item=x.y")),
            }
        };
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let sum = |report: &Report| report.kept + counts(report).iter().map(|(_, count)| count).sum::<u64>();
        match imported(&bytes, mapping().as_mut(), Some(&out)) {
            Ok(report) => {
                prop_assert_eq!(report.read, expected);
                prop_assert_eq!(report.bytes, bytes.len() as u64);
                prop_assert_eq!(sum(&report), report.read);
                let dataset = Dataset::open(&out).unwrap();
                prop_assert_eq!(dataset.interactions.len() as u64, report.kept);
                prop_assert_eq!(report.span, Some((dataset.interactions[0].at, Timestamp(dataset.end().0 - 1))));
                let again = imported(&bytes, mapping().as_mut(), None).unwrap();
                prop_assert_eq!(again, report, "a dry run says the same");
            }
            Err(ImportError::NothingKept { read, .. }) => prop_assert_eq!(read, expected),
            Err(ImportError::NoRow) => prop_assert_eq!(expected, 0),
            Err(ImportError::UnknownField { .. } | ImportError::Labels { .. }) => prop_assert!(which > 0),
            Err(error) => prop_assert!(false, "{}", error),
        }
        prop_assert_eq!(entries(dir.path()).len(), usize::from(out.exists()));
    }
}

fn logoscope(args: &[&str], input: &str) -> Output {
    let mut child = crate::program()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that is refused does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn the_command_imports_and_the_result_answers() {
    let rows: Vec<String> = (0..60)
        .map(|n| json!({"by": format!("u{}", n % 6), "t": n * 86_400, "text": format!("word{} again", n % 5), "tag": (["x", "y"][n % 2])}))
        .map(|row| row.to_string())
        .collect();
    let input = format!("{}\nbroken\n", rows.join("\n"));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let out_text = out.to_str().unwrap();
    let map = "user=by,at=t,query=text,response=tag";

    let dry = logoscope(&["import", "jsonl", "-", "--map", map, "--dry-run"], &input);
    let told = String::from_utf8(dry.stdout).unwrap();
    assert!(dry.status.success() && told.starts_with("61 rows read, 60 kept, 1 rejected\n"), "{told}");
    assert!(told.contains("1  line is no JSON object; first standard input:61: broken"), "{told}");
    assert!(told.ends_with("dry run: nothing was written\n") && !out.exists(), "{told}");

    let args = ["import", "jsonl", "-", "--map", map, "--out", out_text, "--name", "tags", "--format", "json"];
    let output = logoscope(&args, &input);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "progress is for terminals: {}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        told["notes"][0].as_str().unwrap().contains("span 59.0 days") && told["notes"].as_array().unwrap().len() == 1
    );
    assert_eq!(told["schema"], "logoscope.import/1");
    assert_eq!((&told["format"], &told["name"]), (&json!("jsonl"), &json!("tags")));
    assert_eq!((&told["read"], &told["kept"], &told["users"]), (&json!(61), &json!(60), &json!(6)));
    assert_eq!(told["rejected"]["not-an-object"]["count"], 1);
    assert_eq!(told["labels"], json!({"x": 30, "y": 30}));

    let ask = logoscope(
        &["ask", "--data", out_text, "--user", "u1", "--query", "word1", "--model", "none", "--format", "json"],
        "",
    );
    assert!(ask.status.success(), "{}", String::from_utf8_lossy(&ask.stderr));
    let answer: Value = serde_json::from_slice(&ask.stdout).unwrap();
    assert_eq!((&answer["dataset"], &answer["local"]["visible"]), (&json!("tags"), &json!(10)));

    for (args, expected) in [
        (&["import", "jsonl", "-", "--map", map, "--out", out_text][..], "is not an empty folder"),
        (
            &["import", "jsonl", "-", "--map", "user=who,at=t,query=text,response=tag", "--dry-run"],
            "no record has the field 'who'; it has by, t, tag, text",
        ),
        (&["import", "jsonl", "-", "--map", "user=by", "--dry-run"], "'at' is missing"),
        (&["import", "jsonl", "-", "--dry-run"], "--map is missing"),
        (&["import", "huffpost", "-", "--map", map, "--dry-run"], "--map is for jsonl"),
        (&["import", "huffpost", "-"], "--out"),
        (&["import", "huffpost", "no-such-file", "--dry-run"], "no-such-file: cannot be read"),
        (&["import", "huffpost", dir.path().to_str().unwrap(), "--dry-run"], "cannot be read"),
        (&["import", "huffpost", "-", "--dry-run"], "none of 61 rows could be kept"),
        (&["import", "parquet", "-", "--dry-run"], "parquet"),
    ] {
        let output = logoscope(args, &input);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.contains(expected), "{args:?}: {message}");
        assert!(output.stdout.is_empty() && !message.contains('\u{1b}'), "{message}");
    }
    assert_eq!(entries(dir.path()), ["out"]);
}

/// `people` take turns, `gap` seconds apart.
fn turns(rows: usize, people: usize, gap: usize) -> Vec<u8> {
    let row =
        |n: usize| json!({"user": n % people, "at": n * gap, "query": "q", "response": (["a", "b"][n / people % 2])});
    (0..rows).map(|n| row(n).to_string() + "\n").collect::<String>().into_bytes()
}

/// No period of 90 days closes in four weeks of data, and nobody would hear of others.
#[test]
fn short_data_has_short_periods() {
    let dir = tempfile::tempdir().unwrap();
    let lengths = [
        // 28 days, 8 hours, and almost a year; a year; too few people to hear of others.
        (turns(113, 6, 21_600), Some(PeriodLength::Days(3.0)), "days = 3 stands"),
        (turns(97, 6, 300), Some(PeriodLength::Interactions(12)), "interactions = 12 stands"),
        (turns(359, 6, 86_400), Some(PeriodLength::Days(44.0)), "days = 44 stands"),
        (turns(361, 6, 86_400), None, ""),
        (turns(113, 5, 21_600), None, ""),
    ];
    for (place, (bytes, length, told)) in lengths.into_iter().enumerate() {
        let out = dir.path().join(place.to_string());
        let report = imported(&bytes, &mut mapped(PLAIN), Some(&out)).unwrap();
        let periods = Dataset::open(&out).unwrap().manifest.periods;
        assert_eq!(periods.length, length.unwrap_or(PeriodLength::Days(90.0)), "{report:?}");
        assert_eq!(report.notes.len(), usize::from(length.is_some()), "{report:?}");
        assert!(report.notes.iter().all(|note| note.contains(told)), "{report:?}");
    }
    let scores = Answers::Scores(Scale { low: 1.0, high: 5.0, step: 1.0 });
    let rows = String::from_utf8(turns(113, 6, 21_600)).unwrap().replace("\"a\"", "1").replace("\"b\"", "2");
    let out = dir.path().join("rated");
    let mut rated = mapped_as(Syntax::JsonLines, scores, PLAIN);
    imported(rows.as_bytes(), &mut rated, Some(&out)).unwrap();
    assert_eq!(Dataset::open(&out).unwrap().manifest.periods.length, PeriodLength::Days(90.0), "ratings need none");
}

/// Where no period closes that is said, with what to do; where one does, nothing is.
#[test]
fn a_period_that_never_closes_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("short");
    imported(&turns(113, 6, 21_600), &mut mapped(PLAIN), Some(&out)).unwrap();
    let data = out.to_str().unwrap();
    let doctor = || logoscope(&["doctor", "--data", data, "--model", "none"], "");
    let eval = || logoscope(&["eval", "--data", data, "--split", "0.8"], "");
    let remedy = "write a shorter one: [periods] days in dataset.toml";
    let (looked, measured) = (doctor(), eval());
    let told = String::from_utf8(looked.stdout).unwrap();
    assert!(told.contains("113 interactions, 10 periods\n"), "{told}");
    assert!(measured.status.success() && !String::from_utf8_lossy(&measured.stderr).contains(remedy));

    let manifest = fs::read_to_string(out.join("dataset.toml")).unwrap();
    fs::write(out.join("dataset.toml"), manifest.replace("days = 3.0", "days = 90.0")).unwrap();
    let (looked, measured) = (doctor(), eval());
    let told = String::from_utf8(looked.stdout).unwrap();
    assert!(looked.status.success() && told.contains("1 period; none closes") && told.contains(remedy), "{told}");
    let told = String::from_utf8(measured.stderr).unwrap();
    assert!(measured.status.success() && told.contains(remedy), "{told}");
}

/// `program` that imports into `out` and waits for more rows, with what it reads them from.
#[cfg(unix)]
fn importing(mut program: Command, out: &Path) -> (Child, ChildStdin) {
    let mut child = program
        .args(["import", "jsonl", "-", "--map", PLAIN, "--out", out.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for (at, response) in [(1, "a"), (2, "b")] {
        writeln!(input, "{}", json!({"user": "u", "at": at, "query": "q", "response": response})).unwrap();
    }
    // The draft is begun after the signals have their handlers.
    while entries(out.parent().unwrap()).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        std::thread::sleep(Duration::from_millis(5));
    }
    (child, input)
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_leaves_nothing_behind() {
    // Whoever runs the tests under nohup has the program ignore this one, too.
    let hangs_up = !logoscope::term::signals::may_be_ignored(1);
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        if name == "-HUP" && !hangs_up {
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        let (child, input) = importing(crate::program(), &dir.path().join("out"));
        signal(&child, name);
        drop(input);
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {message}");
        assert_eq!(message, "logoscope: the import was interrupted; nothing was written\n");
        assert_eq!(entries(dir.path()), [""; 0], "{name}");
    }
}

#[cfg(unix)]
#[test]
fn an_import_under_nohup_outlives_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut program = Command::new("nohup");
    program.arg(env!("CARGO_BIN_EXE_logoscope"));
    program.envs(crate::program().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let (child, input) = importing(program, &out);
    signal(&child, "-HUP");
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(Dataset::open(&out).unwrap().interactions.len(), 2);
}

#[test]
fn the_real_subset_keeps_6073_rows() {
    let Some(folder) = std::env::var_os("LOGOSCOPE_REAL_DATA") else {
        eprintln!("skipped: LOGOSCOPE_REAL_DATA does not name a data folder");
        return;
    };
    let file = Path::new(&folder).join("huffpost").join("news_category_v3_subset.jsonl");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("huffpost");
    let sources = vec![Source::file(&file).unwrap()];
    let report = unwatched(|watch| import(sources, &mut HuffPost::named("huffpost"), Some(&out), watch)).unwrap();
    assert_eq!((report.read, report.kept), (9_999, 6_073));
    assert_eq!(counts(&report), [(Reason::NoAuthors, 821), (Reason::OtherCategory, 3_105)]);
    assert_eq!((report.users, report.labels.len()), (844, 15));
    assert_eq!(Dataset::open(&out).unwrap().interactions.len(), 6_073);
}

/// Blanks around a label are none of it; labels that only their case tells apart stay two and are told; a blank time is none.
#[test]
fn labels_are_told_and_their_slips_with_them() {
    let row = |n: usize| {
        let label = ["bug", " bug ", "BUG", "praise"][n % 4];
        let at = if n == 7 { json!(" ") } else { json!(n * 86_400) };
        json!({"by": format!("u{}", n % 5), "t": at, "text": "again", "tag": label}).to_string()
    };
    let input = (0..40).map(|n| row(n) + "\n").collect::<String>();
    let map = "user=by,at=t,query=text,response=tag";
    let output = logoscope(&["import", "jsonl", "-", "--map", map, "--dry-run"], &input);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("1  no time; first standard input:8: "), "{told}");
    assert!(told.contains("labels  bug 20, BUG 10, praise 9\n"), "{told}");
    assert!(
        told.contains("note: labels of their own: 'BUG' (10), 'bug' (20); if they are one, spell them alike"),
        "{told}"
    );
}
