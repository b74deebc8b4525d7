//! Bad input through the real binary: every way to be wrong beside its good twin, one judge for all of them.
//!
//! A case is a command that works, in a folder of files that are good, and one fault: a file changed, or other
//! arguments. The judge wants the contract of `docs/architecture.md` from the faulty one, and success from the twin.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use logoscope::data::dataset::Dataset;
use logoscope::data::interaction::{Extra, JudgedQuery, Timestamp, UserId};
use logoscope::mediator::{Policy, Weight, Weights, mediate};
use tempfile::TempDir;

use crate::session::small;

/// What is wrong.
enum Fault {
    /// Other arguments.
    Arguments(Vec<String>),
    /// A file changed; `None` takes it away.
    File(&'static str, Change),
    /// A folder where a file is meant.
    Folder(&'static str),
}

/// What becomes of a file's content.
type Change = Box<dyn Fn(Vec<u8>) -> Option<Vec<u8>>>;

/// A command that works, what is wrong with it, and what has to be told.
struct Case {
    good: Vec<String>,
    fault: Fault,
    told: Vec<String>,
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn owned(told: &[&str]) -> Vec<String> {
    told.iter().map(|part| (*part).to_owned()).collect()
}

/// Other arguments to a command.
fn said(good: &str, bad: &str, told: &[&str]) -> Case {
    Case { good: words(good), fault: Fault::Arguments(words(bad)), told: owned(told) }
}

/// Other arguments that white space cannot part.
fn exactly(good: &str, bad: &[&str], told: &[&str]) -> Case {
    Case { good: words(good), fault: Fault::Arguments(owned(bad)), told: owned(told) }
}

/// The first `from` in a file becomes `to`.
fn edited(good: &str, file: &'static str, from: &str, to: &str, told: &[&str]) -> Case {
    let (from, to) = (from.to_owned(), to.to_owned());
    let change = move |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(&from), "{file} has no {from}");
        Some(text.replacen(&from, &to, 1).into_bytes())
    };
    Case { good: words(good), fault: Fault::File(file, Box::new(change)), told: owned(told) }
}

/// A file holds something else.
fn holding(good: &str, file: &'static str, bytes: &[u8], told: &[&str]) -> Case {
    let bytes = bytes.to_owned();
    let change = move |_| Some(bytes.clone());
    Case { good: words(good), fault: Fault::File(file, Box::new(change)), told: owned(told) }
}

/// A file has something more at its end.
fn longer(good: &str, file: &'static str, more: &[u8], told: &[&str]) -> Case {
    let more = more.to_owned();
    let change = move |bytes: Vec<u8>| Some([bytes, more.clone()].concat());
    Case { good: words(good), fault: Fault::File(file, Box::new(change)), told: owned(told) }
}

fn missing(good: &str, file: &'static str, told: &[&str]) -> Case {
    Case { good: words(good), fault: Fault::File(file, Box::new(|_| None)), told: owned(told) }
}

fn folder(good: &str, file: &'static str, told: &[&str]) -> Case {
    Case { good: words(good), fault: Fault::Folder(file), told: owned(told) }
}

/// A folder of good files: a dataset, a session recorded on it, questions, rows to import.
fn good_files() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (mut dataset, session) = small();
    dataset.write(&at("data")).unwrap();
    let hash = dataset.content_hash();
    let mut session = session;
    session.header.dataset.hash.clone_from(&hash);
    session.write(&at("session.jsonl")).unwrap();
    let judged = |id: usize| JudgedQuery {
        id: format!("q{id}"),
        user: UserId::new("u1"),
        at: Timestamp(2_000_000 + id as i64),
        query: "tide".to_owned(),
        gold: Some("y1".to_owned()),
        item: None,
        extra: Extra::new(),
    };
    dataset.queries = (0..4).map(judged).collect();
    dataset.write(&at("judged")).unwrap();
    let question = "{\"user\":\"u1\",\"query\":\"tide\"}\n";
    fs::write(at("questions.jsonl"), question.repeat(3)).unwrap();
    let row = |n: usize, label: &str| {
        format!("{{\"who\":\"u{n}\",\"at\":{n},\"text\":\"q\",\"tag\":\"{label}\",\"pair\":{{\"n\":{n}}}}}\n")
    };
    fs::write(at("rows.jsonl"), (0..6).map(|n| row(n, ["a", "b"][n % 2])).collect::<String>()).unwrap();
    fs::write(at("rows.csv"), "who,at,text,tag\nu1,1,q,a\nu2,2,q,b\n").unwrap();
    let article = |category: &str| {
        format!(
            "{{\"authors\":\"A\",\"short_description\":\"T.\",\"category\":\"{category}\",\"date\":\"2020-01-01\",\
             \"headline\":\"{category}\",\"link\":\"\"}}\n"
        )
    };
    fs::write(at("news.jsonl"), article("CRIME") + &article("ARTS")).unwrap();
    fs::create_dir(at("full")).unwrap();
    fs::write(at("full/thing"), "mine").unwrap();
    fs::write(at("file"), "a file\n").unwrap();
    dir
}

/// Runs the program in `dir`, its home, without a terminal.
fn run(dir: &Path, arguments: &[String]) -> Output {
    let mut command = crate::program();
    command.args(arguments).current_dir(dir).stdin(Stdio::null()).env_remove("NO_COLOR");
    command.env("RUST_BACKTRACE", "1").env("HOME", dir.join("home"));
    for name in ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

/// The contract of an error: exit 2, nothing on standard output, and one to three harmless lines that begin with the
/// program's name and hold what has to be told. Says where it is broken.
fn faults(output: &Output, told: &[String]) -> Vec<&'static str> {
    const FORBIDDEN: [&str; 8] =
        ["panicked", "RUST_BACKTRACE", "stack backtrace", "unwrap", "Error {", "Err(", "Some(", "Os {"];
    let error = String::from_utf8_lossy(&output.stderr);
    let rules = [
        (output.status.code() == Some(2), "the exit code is not 2"),
        (output.stdout.is_empty(), "something stands on standard output"),
        (error.starts_with("logoscope: "), "it does not begin with the program's name"),
        ((1..=3).contains(&error.lines().count()), "it is not one to three lines"),
        (error.chars().count() < 1500, "it is too long"),
        (!FORBIDDEN.iter().any(|forbidden| error.contains(forbidden)), "it speaks of the program's insides"),
        (is_harmless(&error), "it holds a control character"),
        (told.iter().all(|part| error.contains(part.as_str())), "what has to be told is missing"),
    ];
    rules.into_iter().filter(|(kept, _)| !kept).map(|(_, broken)| broken).collect()
}

/// Whether `text` holds nothing that could move a cursor, colour a screen or turn text around.
fn is_harmless(text: &str) -> bool {
    let overrides = "\u{202a}\u{202b}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}";
    !text.contains(|c: char| (c.is_control() && c != '\n') || overrides.contains(c))
}

/// Runs every case and, once, every twin.
fn judge_all(cases: Vec<Case>) {
    let (mut twins, mut broken) = (HashSet::new(), Vec::new());
    for Case { good, fault, told } in cases {
        if twins.insert(good.clone()) {
            let dir = good_files();
            let output = run(dir.path(), &good);
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "the good twin {good:?}: {error}");
            assert!(!output.stdout.is_empty(), "the good twin {good:?} says something");
        }
        assert!(!told.is_empty());
        let dir = good_files();
        let (name, arguments) = match fault {
            Fault::Arguments(arguments) => (format!("{arguments:?}"), arguments),
            Fault::File(file, change) => {
                let path = dir.path().join(file);
                match change(fs::read(&path).unwrap()) {
                    Some(bytes) => fs::write(&path, bytes).unwrap(),
                    None => fs::remove_file(&path).unwrap(),
                }
                (format!("{file} in {good:?}, {told:?}"), good)
            }
            Fault::Folder(file) => {
                let path = dir.path().join(file);
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
                (format!("the folder {file} in {good:?}"), good)
            }
        };
        let output = run(dir.path(), &arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        broken.extend(faults(&output, &told).iter().map(|fault| format!("{name}: {fault}: {error}wanted {told:?}")));
        let left: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".part") || name.starts_with(".logoscope") || name == "new")
            .collect();
        broken.extend(left.iter().map(|file| format!("{name}: {file} is left behind")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A question that is answered.
const ASK: &str = "ask --data data --user u1 --query tide --model none";
const QUESTIONS: &str = "ask --data data --queries questions.jsonl --model none";

#[test]
fn bad_datasets_are_refused_with_file_line_value_and_remedy() {
    const MANIFEST: &str = "data/dataset.toml";
    const ROWS: &str = "data/interactions.jsonl";
    let mut cases = vec![
        said(
            ASK,
            "ask --data nowhere --user u1 --query tide --model none",
            &["nowhere/dataset.toml", "a dataset folder holds"],
        ),
        said(
            ASK,
            "ask --data file --user u1 --query tide --model none",
            &["file/dataset.toml", "a dataset folder holds"],
        ),
        exactly(
            ASK,
            &["ask", "--data", "no\u{1b}[31m\u{202e}where", "--user", "u1", "--query", "tide", "--model", "none"],
            &["no␛[31m�where/dataset.toml", "a dataset folder holds"],
        ),
        missing(ASK, MANIFEST, &["data/dataset.toml: cannot be read", "a dataset folder holds"]),
        missing(ASK, ROWS, &["data/interactions.jsonl: cannot be read", "a dataset folder holds"]),
        // Whoever runs the tests may read everything, so a folder stands in for a file without permission.
        folder(ASK, MANIFEST, &["data/dataset.toml: cannot be read", "a dataset folder holds"]),
        folder(ASK, ROWS, &["data/interactions.jsonl: cannot be read", "a dataset folder holds"]),
        holding(ASK, MANIFEST, b"format = = 1\n", &["data/dataset.toml: line 1: ", "docs/data-formats.md"]),
        holding(ASK, MANIFEST, b"", &["data/dataset.toml: ", "missing field `format`", "docs/data-formats.md"]),
        holding(
            ASK,
            MANIFEST,
            b"format = 1\nname = \"\xff\"\n",
            &["data/dataset.toml:2: byte 9", "save the file as UTF-8"],
        ),
        edited(
            ASK,
            MANIFEST,
            "name = ",
            "nome = ",
            &["data/dataset.toml: line 2: unknown field `nome`", "docs/data-formats.md"],
        ),
        edited(
            ASK,
            MANIFEST,
            "format = 1",
            "format = 2",
            &["format 2 is newer than this program's 1", "update logoscope"],
        ),
        edited(ASK, MANIFEST, "format = 1", "format = -1", &["data/dataset.toml: line 1", "docs/data-formats.md"]),
        edited(
            ASK,
            MANIFEST,
            "format = 1",
            "format = 99999999999999999999",
            &["data/dataset.toml: line 1", "docs/data-formats.md"],
        ),
        edited(
            ASK,
            MANIFEST,
            "\"labels\"",
            "\"riddles\"",
            &["line 3: unknown variant `riddles`", "docs/data-formats.md"],
        ),
        edited(
            ASK,
            MANIFEST,
            "[\"y0\", \"y1\", \"y2\", \"y3\"]",
            "[\"y0\"]",
            &["'labels' has 1 entries", "at least two"],
        ),
        edited(ASK, MANIFEST, "\"y3\"", "\"y0\"", &["'labels' names 'y0' twice", "remove one"]),
        edited(ASK, MANIFEST, "\"y3\"", "\" \"", &["an empty label", "give it a name or remove it"]),
        edited(
            ASK,
            MANIFEST,
            "\"small\"",
            "\"sm\\u001b[2Jall\"",
            &["'sm␛[2Jall' holds a control character", "remove it"],
        ),
        edited(
            ASK,
            MANIFEST,
            "[retrieval]",
            "[retrieval]\nmood = 1",
            &["unknown field `mood`", "docs/data-formats.md"],
        ),
        edited(ASK, MANIFEST, "[retrieval]", "[retrieval]\nguard = 3", &["duplicate key", "docs/data-formats.md"]),
        holding(ASK, ROWS, b"", &["data/interactions.jsonl: holds no interaction", "at least one line"]),
        holding(ASK, ROWS, b"\n \r\n", &["data/interactions.jsonl: holds no interaction", "at least one line"]),
        longer(ASK, ROWS, b"oops\n", &["data/interactions.jsonl:31: ", "(column 1)", "correct or remove the line"]),
        longer(ASK, ROWS, b"[1]\n", &["data/interactions.jsonl:31: ", "correct or remove the line"]),
        longer(
            ASK,
            ROWS,
            b"{\"id\":\"x\xff\"}\n",
            &["data/interactions.jsonl:31: byte 9 of the line is not UTF-8", "save the file as UTF-8"],
        ),
        longer(
            ASK,
            "data/queries.jsonl",
            b"{\"id\":\"q\"}\n",
            &["data/queries.jsonl:1: missing field `user`", "correct or remove the line"],
        ),
        edited(
            ASK,
            ROWS,
            "\"query\":",
            "\"quest\":",
            &["data/interactions.jsonl:1: missing field `query`", "correct or remove the line"],
        ),
        edited(ASK, ROWS, "\"i0001\"", "\"i0000\"", &["data/interactions.jsonl:2: id 'i0000' stands twice", "unique"]),
        edited(
            ASK,
            ROWS,
            "\"i0001\"",
            "17",
            &["data/interactions.jsonl:2: invalid type: integer `17`", "correct or remove the line"],
        ),
        edited(
            ASK,
            ROWS,
            "\"y2\"",
            "\"y\u{202e}9\"",
            &["data/interactions.jsonl:3: response 'y�9' is not a label", "correct the line"],
        ),
    ];
    for (written, told) in [
        (
            "interactions = 0",
            &["data/dataset.toml: 'periods.interactions' is 0; give 1 or more", "docs/data-formats.md"],
        ),
        ("interactions = -3", &["data/dataset.toml: line ", "invalid value: integer `-3`"]),
        ("days = 10.0\ninteractions = 5", &["has both 'days' and 'interactions'", "keep one of them"]),
    ] {
        cases.push(edited(ASK, MANIFEST, "days = 10.0", written, told));
    }
    let at = "\"1970-01-01T00:00:00Z\"";
    let time = "correct or remove the line";
    for (written, told) in [
        ("\"soon\"", "'soon' is not a time: give a date"),
        ("\"2024-13-01\"", "'2024-13-01' is not a time: give a date"),
        ("9223372036854775807", "'9223372036854775807' is not a time: give a date"),
        ("-9223372036854775808", "'-9223372036854775808' is not a time: give a date"),
        ("18446744073709551615", "expected a time: whole seconds since 1970, or RFC 3339"),
        ("1e300", "expected a time: whole seconds since 1970, or RFC 3339"),
        ("1.5", "expected a time: whole seconds since 1970, or RFC 3339"),
        ("null", "expected a time: whole seconds since 1970, or RFC 3339"),
        ("\"+292277026596-12-04T15:30:07Z\"", "'+292277026596-12-04T15:30:07Z' is not a time"),
        ("\"\\u001b[2J\"", "'␛[2J' is not a time"),
    ] {
        cases.push(edited(ASK, ROWS, at, written, &["data/interactions.jsonl:1: ", told, time]));
    }
    for (table, key, values) in [
        ("retrieval", "lexical-share", "nan inf -0.1 1.1"),
        ("retrieval", "idf-prior", "nan inf -1.0"),
        ("retrieval", "recency-half-life", "nan 0.0 -inf"),
        ("retrieval", "recency-floor", "nan 2.0"),
        ("retrieval", "local-hits", "1001 1000000000"),
        ("retrieval", "global-hits", "1000000000"),
        ("retrieval", "entry-votes", "9223372036854775807"),
        ("retrieval", "prompt-room", "9223372036854775807"),
        ("retrieval", "community-share", "nan -1.0"),
        ("retrieval", "guard", "0"),
        ("periods", "days", "nan 0.0 -90.0"),
        ("periods", "half-life", "nan -1.0"),
        ("periods", "base-half-life", "0.0"),
        ("calibration", "local", "nan inf -1.0 1e300"),
        ("calibration", "entries", "nan -1.0 1e300"),
        ("calibration", "model-trust", "nan 2.0"),
        ("weights", "prior-strength-product", "-5.0 0.0 nan 1e300"),
        ("weights", "prior-strength-shrinkage", "-5.0"),
        ("weights", "similarity-sharpness", "21.0"),
        ("weights", "half-life", "0.5 nan"),
        ("weights", "community-focus", "-1.0"),
    ] {
        for value in values.split(' ') {
            let change =
                move |bytes: Vec<u8>| Some(with_value(&String::from_utf8(bytes).unwrap(), table, key, value).into());
            let name = format!("'{table}.{key}' is ");
            let told = vec!["data/dataset.toml: ".to_owned(), name, "docs/data-formats.md".to_owned()];
            cases.push(Case { good: words(ASK), fault: Fault::File(MANIFEST, Box::new(change)), told });
        }
    }
    judge_all(cases);
}

/// The manifest `toml` with one value of a table set.
fn with_value(toml: &str, table: &str, key: &str, value: &str) -> String {
    let mut manifest: toml::Table = toml.parse().unwrap();
    let whole: toml::Table = format!("value = {value}").parse().unwrap();
    let part = manifest.entry(table).or_insert_with(|| toml::Table::new().into());
    part.as_table_mut().unwrap().insert(key.to_owned(), whole["value"].clone());
    manifest.to_string()
}

/// Odd, but good: read, answered, and never a control character on the way out.
#[test]
fn odd_datasets_and_questions_are_answered() {
    const MANIFEST: &str = "data/dataset.toml";
    const ROWS: &str = "data/interactions.jsonl";
    let marked = |bytes: Vec<u8>| Some([b"\xEF\xBB\xBF".to_vec(), bytes].concat());
    let dos = |bytes: Vec<u8>| Some(String::from_utf8(bytes).unwrap().replace('\n', "\r\n").into_bytes());
    let long = |_| Some(format!("{{\"user\":\"u1\",\"query\":\"{}\"}}\n", "tide ".repeat(200_000)).into_bytes());
    let hostile = |bytes: Vec<u8>| {
        let text =
            String::from_utf8(bytes).unwrap().replace("i0001", "i\\u001b[2J1").replace("tide", "t\\u009bi\\u202ede");
        Some(text.into_bytes())
    };
    let label = |bytes: Vec<u8>| Some(String::from_utf8(bytes).unwrap().replace("y1", "y\\u001b1").into_bytes());
    let counted = |bytes: Vec<u8>| {
        Some(String::from_utf8(bytes).unwrap().replace("days = 10.0", "interactions = 9223372036854775807").into())
    };
    let value = |table: &'static str, key: &'static str, value: &'static str| -> Change {
        Box::new(move |bytes| Some(with_value(&String::from_utf8(bytes).unwrap(), table, key, value).into()))
    };
    let cases: Vec<(&str, Vec<(&str, Change)>)> = vec![
        (ASK, vec![(MANIFEST, Box::new(marked)), (ROWS, Box::new(marked))]),
        (ASK, vec![(MANIFEST, Box::new(dos)), (ROWS, Box::new(dos))]),
        (ASK, vec![(ROWS, Box::new(hostile))]),
        (ASK, vec![(MANIFEST, Box::new(label)), (ROWS, Box::new(label))]),
        (QUESTIONS, vec![("questions.jsonl", Box::new(marked))]),
        (QUESTIONS, vec![("questions.jsonl", Box::new(dos))]),
        (QUESTIONS, vec![("questions.jsonl", Box::new(long))]),
        ("replay session.jsonl", vec![("session.jsonl", Box::new(marked))]),
        ("replay session.jsonl", vec![("session.jsonl", Box::new(dos))]),
        (ASK, vec![(MANIFEST, value("retrieval", "local-hits", "0"))]),
        (ASK, vec![(MANIFEST, value("retrieval", "guard", "1000000000"))]),
        (ASK, vec![(MANIFEST, value("retrieval", "recency-half-life", "inf"))]),
        (ASK, vec![(MANIFEST, value("periods", "days", "inf"))]),
        (ASK, vec![(MANIFEST, value("periods", "half-life", "1e-300"))]),
        (ASK, vec![(MANIFEST, Box::new(counted))]),
        ("ask --data data --user u1 --query tide --model none --at -377705116800", vec![]),
        ("ask --data data --user u1 --query tide --model none --at 9999-12-31", vec![]),
        ("ask --data data --user stranger --new-user --query ☃ --model none", vec![]),
    ];
    for (line, changes) in cases {
        let dir = good_files();
        let name = format!("{line} {:?}", changes.iter().map(|(file, _)| file).collect::<Vec<_>>());
        for (file, change) in changes {
            let path = dir.path().join(file);
            let bytes = change(fs::read(&path).unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let output = run(dir.path(), &words(line));
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(is_harmless(&told), "{:?}", &told);
        assert!(
            !told.contains("NaN") && told.contains(if line.starts_with("ask") { "answers:" } else { "accuracy" }),
            "{told}"
        );
    }
}

#[test]
fn a_dataset_without_a_file_of_queries_is_asked_stored_and_healthy() {
    let dir = good_files();
    fs::remove_file(dir.path().join("data/queries.jsonl")).unwrap();
    for line in [ASK, "doctor --data data --model none", "store build --data data --store stores"] {
        let output = run(dir.path(), &words(line));
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(output.status.code(), Some(0), "{line}: {told:?}");
    }
}

#[test]
fn bad_questions_are_refused() {
    const LINES: &str = "questions.jsonl";
    let with = |more: &str| format!("{ASK} {more}");
    let mut cases = vec![
        said(
            "ask --data data --user u9 --new-user --query tide --model none",
            "ask --data data --user u9 --query tide --model none",
            &["user 'u9' is not in the dataset", "--new-user"],
        ),
        exactly(
            ASK,
            &["ask", "--data", "data", "--user", "u\u{1b}]0;x\u{7}", "--query", "tide", "--model", "none"],
            &["user 'u␛]0;x␇' is not in", "--new-user"],
        ),
        exactly(
            ASK,
            &["ask", "--data", "data", "--user", &"u".repeat(100_000), "--query", "tide", "--model", "none"],
            &["user 'uuu", "--new-user"],
        ),
        exactly(
            ASK,
            &["ask", "--data", "data", "--user", "u1", "--query", "", "--model", "none"],
            &["--query", "give it some words"],
        ),
        exactly(
            ASK,
            &["ask", "--data", "data", "--user", "u1", "--query", " \n", "--model", "none"],
            &["--query", "give it some words"],
        ),
        said(ASK, "ask --data data --user u1 --model none", &["--query <Q>", "see `logoscope --help`"]),
        said(ASK, &with("--queries questions.jsonl"), &["cannot be used with", "see `logoscope --help`"]),
        said(QUESTIONS, "ask --data data --queries nowhere.jsonl --model none", &["nowhere.jsonl: ", "check the path"]),
        said(
            QUESTIONS,
            "ask --data data --queries - --model none",
            &["standard input: holds no question", "write one"],
        ),
        folder(QUESTIONS, LINES, &["questions.jsonl: ", "check the path"]),
        holding(QUESTIONS, LINES, b"", &["questions.jsonl: holds no question", "write one object"]),
        longer(QUESTIONS, LINES, b"{\"user\":\"u1\"\n", &["questions.jsonl:4: EOF", "a question is"]),
        longer(
            QUESTIONS,
            LINES,
            b"{\"user\":\"u1\"}\n",
            &["questions.jsonl:4: missing field `query`", "a question is"],
        ),
        longer(
            QUESTIONS,
            LINES,
            b"{\"user\":\"u9\",\"query\":\"x\"}\n",
            &["questions.jsonl:4: user 'u9' is not in the dataset", "--new-user"],
        ),
        longer(
            QUESTIONS,
            LINES,
            b"{\"user\":\"u1\",\"query\":\" \"}\n",
            &["questions.jsonl:4: \"query\" ' ' asks nothing", "remove the line"],
        ),
        longer(
            QUESTIONS,
            LINES,
            b"{\"user\":\"u1\",\"query\":\"x\",\"at\":1e99}\n",
            &["questions.jsonl:4: ", "expected a time: whole seconds", "a question is"],
        ),
        longer(QUESTIONS, LINES, b"\xff\n", &["questions.jsonl:4: byte 1 of the line is not UTF-8", "save the file"]),
        holding(QUESTIONS, LINES, b"\x1b[31m\n", &["questions.jsonl:1: ", "a question is"]),
    ];
    for (option, good, bad, told) in [
        ("--at", "2024-03-01", "soon", &["--at: 'soon' is not a time", "give a date"][..]),
        ("--at", "2022-01-01", "2022", &["--at: '2022' is not a time", "it looks like a year: write 2022-01-01"]),
        ("--at", "0", "9223372036854775807", &["--at: '9223372036854775807' is not a time", "give a date"]),
        ("--at", "0", "-9223372036854775808", &["--at: '-9223372036854775808' is not a time", "give a date"]),
        ("--at", "0", "292277026596-01-01", &["--at: '292277026596-01-01' is not a time", "give a date"]),
        ("--arms", "none,local", "none,left", &["'left' is no arm", "none, local, global, mediated"]),
        ("--arms", "none", ",", &["'' is no arm", "none, local, global, mediated"]),
        ("--policy", "linear", "prompt", &["policy prompt has a model write, and there is none", "another policy"]),
        ("--policy", "linear", "anarchy", &["'anarchy' is no policy", "use one of product"]),
        ("--weight", "local-trust=2", "local-trust", &["'local-trust' is not NAME=VALUE", "see `logoscope"]),
        ("--weight", "local-trust=2", "trust=2", &["'trust' is no weight", "use one of local-trust"]),
        ("--weight", "local-trust=2", "local-trust=much", &["'much' is no number", "see `logoscope"]),
        ("--weight", "local-trust=2", "local-trust=nan", &["local-trust is NaN", "its range is 0 to 4"]),
        ("--weight", "half-life=inf", "half-life=0", &["half-life is 0", "its range is 1 to inf"]),
        ("--weight", "prior-strength=1", "prior-strength=1e300", &["prior-strength is 1", "its range is 0.01 to 100"]),
        ("--format", "json", "yaml", &["'yaml'", "[possible values: text, json"]),
        ("--color", "never", "pink", &["'pink'", "[possible values: auto, always, never]"]),
        ("--log", "log", "nowhere/log", &["nowhere/log: ", "check the path"]),
        ("--log", "log", "full", &["full: ", "check the path"]),
        ("--log", "log", "data/interactions.jsonl", &["data/interactions.jsonl: holds something", "name a new file"]),
    ] {
        cases.push(said(&with(&format!("{option} {good}")), &with(&format!("{option} {bad}")), told));
    }
    judge_all(cases);
}

/// A log goes on where the run before ended, and what is no log stays as it was.
#[test]
fn a_log_grows_and_takes_no_file_of_another_kind() {
    let dir = good_files();
    let line = "2026-03-01T12:30:00.000001Z  INFO logoscope::engine: the run before\n";
    fs::write(dir.path().join("log"), line).unwrap();
    let logged = run(dir.path(), &words(&format!("{ASK} --log log")));
    assert!(logged.status.success(), "{}", String::from_utf8_lossy(&logged.stderr));
    assert!(fs::read_to_string(dir.path().join("log")).unwrap().starts_with(line));
    for name in ["data/interactions.jsonl", "data/dataset.toml", "full/thing"] {
        let path = dir.path().join(name);
        let before = fs::read(&path).unwrap();
        let refused = run(dir.path(), &words(&format!("{ASK} --log {name}")));
        assert_eq!(faults(&refused, &owned(&[name, "no log of this program", "name a new file"])), [""; 0], "{name}");
        assert!(fs::read(&path).unwrap() == before, "{name} is as it was");
    }
}

#[test]
fn bad_sessions_are_refused() {
    const REPLAY: &str = "replay session.jsonl";
    const CHECK: &str = "replay session.jsonl --check --data data";
    const FILE: &str = "session.jsonl";
    let (copy, weight) = ("restore the line from a copy", "restore the line from a copy, or remove it");
    let mut cases = vec![
        said(REPLAY, "replay nowhere.jsonl", &["nowhere.jsonl: cannot be read", "check the path"]),
        said(REPLAY, "replay full", &["full: cannot be read", "check the path"]),
        said(REPLAY, "replay", &["<SESSION>", "see `logoscope --help`"]),
        exactly(REPLAY, &["replay", "\u{1b}[31m"], &["␛[31m: cannot be read", "check the path"]),
        holding(REPLAY, FILE, b"", &["session.jsonl: is not a session: it begins with nothing", "logoscope scenario"]),
        holding(REPLAY, FILE, b"{\"event\":\"sess", &["it ends within its first line", "logoscope scenario"]),
        holding(REPLAY, FILE, b"{\"id\":\"i\",\"user\":\"u\"}\n", &["session.jsonl: is not a session", "logoscope scenario"]),
        holding(REPLAY, FILE, b"{\"event\":\"no\\u001b[2J\"}\n", &["its first event is 'no␛[2J'", "logoscope scenario"]),
        holding(REPLAY, FILE, b"\x7fELF\x1b[31m\xff\n\0\0", &["session.jsonl: is not a session", "logoscope scenario"]),
        edited(REPLAY, FILE, "\"format\":1", "\"format\":7", &["session format 7 is newer than this program's 1", "update logoscope"]),
        edited(REPLAY, FILE, "\"format\":1", "\"format\":-7", &["session.jsonl:1: invalid value: integer `-7`", "restore the line"]),
        edited(REPLAY, FILE, "\"labels\":", "\"lables\":", &["session.jsonl:1: missing field `labels`", "restore the line"]),
        edited(REPLAY, FILE, "{\"event\":\"evidence\"", "\u{1b}[2J{\"event\":\"evidence\"", &["session.jsonl:3: expected value", "restore the line"]),
        edited(REPLAY, FILE, "\"arm\":\"local\"", "\"arm\":\"left\"", &["session.jsonl:6: unknown variant `left`", "restore the line"]),
        edited(REPLAY, FILE, "\"tokens\":2", "\"tokens\":-2", &["session.jsonl:5: invalid value: integer `-2`", "restore the line"]),
        edited(REPLAY, FILE, "\"tokens\":2", "\"tokens\":1e999", &["session.jsonl:5: number out of range", "restore the line"]),
        edited(REPLAY, FILE, "\"policy\":\"product\"", "\"policy\":\"anarchy\"", &["session.jsonl:1: unknown variant `anarchy`", "restore the line"]),
        edited(CHECK, FILE, "{\"event\":\"note\"", "garbage {\"event\":\"note\"", &["session.jsonl:17: ", "restore the line"]),
        said(CHECK, "replay session.jsonl --check --data nowhere", &["nowhere/dataset.toml", "a dataset folder holds"]),
        edited(CHECK, "data/dataset.toml", "format = 1", "format = one", &["data/dataset.toml: line 1", "docs/data-formats.md"]),
        longer(CHECK, FILE, b"{\"event\":\"remembered\",\"interaction\":{\"id\":\"x\",\"user\":\"u\",\"at\":9223372036854775807,\"query\":\"\",\"response\":\"y1\"}}\n",
            &["session.jsonl:18: '9223372036854775807' is not a time", "restore the line"]),
    ];
    // The header's and the changed weights: each range is kept, at its line.
    for name in Weight::ALL {
        let (low, high) = name.range();
        let below = low - 5.0;
        let told = format!("{name} is {below}; its range is {low} to {high}");
        for (line, event, weight) in [(1, "session", copy), (9, "weights-changed", weight)] {
            let change = move |bytes: Vec<u8>| {
                let text = String::from_utf8(bytes).unwrap();
                let lines = text.lines().map(|line| {
                    let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
                    if value["event"] == event {
                        value["weights"][name.name()] = below.into();
                    }
                    format!("{value}\n")
                });
                Some(lines.collect::<String>().into_bytes())
            };
            let told = vec![format!("session.jsonl:{line}: {told}"), weight.to_owned()];
            cases.push(Case { good: words(REPLAY), fault: Fault::File(FILE, Box::new(change)), told });
        }
    }
    cases.push(edited(
        REPLAY,
        FILE,
        "\"prior-strength\":",
        "\"prior-strength\":1e300,\"x\":",
        &["session.jsonl:1: prior-strength is 1", "its range is 0.01 to 100", copy],
    ));
    cases.push(edited(
        REPLAY,
        FILE,
        "\"half-life\":",
        "\"half-life\":\"long\",\"x\":",
        &["session.jsonl:1: 'long' is no number of days; use a number or \"inf\"", copy],
    ));
    cases.push(edited(
        REPLAY,
        FILE,
        "\"half-life\":",
        "\"half-life\":[1],\"x\":",
        &["session.jsonl:1: half-life is neither a number of days nor \"inf\"", copy],
    ));
    judge_all(cases);
}

/// A difference is no error: it is printed, and the exit code is 1.
#[test]
fn a_check_that_differs_exits_with_1() {
    let dir = good_files();
    let check = words("replay session.jsonl --check --data data");
    assert_eq!(run(dir.path(), &check).status.code(), Some(0));
    let rows = dir.path().join("data/interactions.jsonl");
    let text = fs::read_to_string(&rows).unwrap();
    fs::write(&rows, text.replacen("tide", "t\\u001b[2Jide", 1)).unwrap();
    let output = run(dir.path(), &check);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("dataset.hash") && told.contains("not checked") && output.stderr.is_empty(), "{told}");
    assert!(is_harmless(&told), "{:?}", &told);

    let doctor = run(dir.path(), &words("doctor --data nowhere --model none"));
    let told = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(1), "{told}");
    assert!(told.contains("missing  dataset   nowhere/dataset.toml: cannot be read"), "{told}");
    let hostile = run(dir.path(), &owned(&["doctor", "--data", "\u{1b}[31m", "--model", "none"]));
    assert!(
        is_harmless(std::str::from_utf8(&hostile.stdout).unwrap()),
        "{:?}",
        std::str::from_utf8(&hostile.stdout).unwrap()
    );
    assert_eq!(run(dir.path(), &words("doctor --data data --model none")).status.code(), Some(0));
}

#[test]
fn bad_imports_are_refused() {
    const MAP: &str = "--map user=who,at=at,query=text,response=tag";
    let jsonl = format!("import jsonl rows.jsonl {MAP} --out out");
    let csv = format!("import csv rows.csv {MAP} --out out");
    let news = "import huffpost news.jsonl --out out";
    let mut cases = vec![
        said(
            news,
            "import huffpost nowhere.jsonl --out new",
            &["nowhere.jsonl: cannot be read", "name a readable file"],
        ),
        said(news, "import huffpost full --out new", &["full: cannot be read", "name a readable file"]),
        said(news, "import huffpost - --out new", &["the input holds no row", "at least one"]),
        said(
            news,
            "import huffpost rows.jsonl --out new",
            &["none of 6 rows could be kept", "rows.jsonl:1", "check that the file is in this format"],
        ),
        said(
            news,
            "import huffpost data/dataset.toml --out new",
            &["line is no JSON object", "check that the file is in this format"],
        ),
        said(news, "import huffpost news.jsonl --out full", &["full: exists and is not an empty folder", "--out"]),
        said(news, "import huffpost news.jsonl --out file", &["file: exists and is not an empty folder", "--out"]),
        said(
            news,
            "import huffpost news.jsonl --out file/new",
            &["file/new: cannot be written", "choose another folder"],
        ),
        said(news, "import huffpost news.jsonl", &["--out <DIR>", "see `logoscope --help`"]),
        said(news, "import huffpost --out new", &["<PATH>...", "see `logoscope --help`"]),
        said(news, "import parchment news.jsonl --out new", &["'parchment'", "[possible values: lamp"]),
        said(news, &format!("import huffpost news.jsonl {MAP} --out new"), &["--map is for jsonl", "leave it out"]),
        exactly(
            news,
            &["import", "huffpost", "news.jsonl", "--name", "n\u{1b}[2J", "--out", "new"],
            &["'n␛[2J' as the dataset's name", "--name"],
        ),
        holding(
            news,
            "news.jsonl",
            b"\xff\n\n",
            &["none of 2 rows could be kept", "check that the file is in this format"],
        ),
        said(
            "import movielens --help",
            "import movielens rows.csv --out new",
            &["rows.csv: not one folder", "ratings.csv and movies.csv"],
        ),
        said(
            "import movielens --help",
            "import movielens full --out new",
            &["full/movies.csv: cannot be read", "name a readable file"],
        ),
        said("import lamp --help", "import lamp full --out new", &["full: holds no", "name the files"]),
        said("import lamp --help", "import lamp rows.jsonl --out new", &["rows.jsonl", "LaMP"]),
        said(&csv, "import csv rows.csv --out new", &["--map is missing", "name the file's fields"]),
        said(
            &csv,
            &format!("import csv rows.csv {MAP} --delimiter ,, --out new"),
            &["',,' is no delimiter", "give one character"],
        ),
        said(
            &csv,
            &format!("import csv rows.csv {MAP} --scale 1:5:1 --out new"),
            &["--scale is for --task rating", "leave it out"],
        ),
        said(
            &csv,
            &format!("import csv rows.csv {MAP} --task rating --out new"),
            &["--task rating needs the scale", "--scale 1:5:1"],
        ),
        said(
            &csv,
            &format!("import csv rows.csv {MAP} --task rating --scale 5:1:1 --out new"),
            &["5 to 1", "the lower one first"],
        ),
        said(
            &csv,
            &format!("import csv rows.csv {MAP} --task rating --scale 1:nan:1 --out new"),
            &["1 to NaN", "give numbers"],
        ),
        said(
            &csv,
            &format!("import csv rows.csv {MAP} --task rating --scale 1 --out new"),
            &["write LOW:HIGH:STEP", "see `logoscope"],
        ),
        said(
            &csv,
            &format!("import csv rows.csv {MAP} --task riddle --out new"),
            &["--task: 'riddle'", "labels, rating and text"],
        ),
    ];
    for (map, told) in [
        ("user=who", &["'at' is missing", "write user=FIELD"][..]),
        ("user", &["'user' is not NAME=FIELD", "write user=FIELD"]),
        ("user=who,user=at", &["'user' is given twice", "write user=FIELD"]),
        (
            "user=who,at=at,query=text,response=mood",
            &["no record has the field 'mood'", "it has at, pair.n, tag, text, who"],
        ),
        ("user=who,at=at,query=text,response=text", &["1 distinct response;", "map a field with few values"]),
        ("user=who,at=tag,query=text,response=tag", &["unreadable time", "check that the file is in this format"]),
        ("user=\u{1b}[2J,at=at,query=text,response=tag", &["no record has the field '␛[2J'", "it has at"]),
    ] {
        cases.push(said(&jsonl, &format!("import jsonl rows.jsonl --map {map} --out new"), told));
    }
    judge_all(cases);
}

#[test]
fn bad_requests_to_make_something_are_refused() {
    const SYNTH: &str = "synth --users 20 --out out";
    const PROMPTS: &str = "synth --users 20 --export-prompts /dev/stdout --rows 1";
    const SCENARIO: &str = "scenario cold-start --user u1 --data data --model none --out out";
    const EVAL: &str = "eval --data judged";
    let mut cases = vec![
        missing(EVAL, "judged/queries.jsonl", &["'small' has no judged query", "split the interactions"]),
        said(SYNTH, "synth", &["--out <DIR>", "see `logoscope --help`"]),
        said(SYNTH, "synth --users 20 --out full", &["full: exists and is not an empty folder", "--out"]),
        said(SYNTH, "synth --users 20 --out file", &["file: exists and is not an empty folder", "--out"]),
        said(SYNTH, "synth --users 20 --out file/new", &["file/new: cannot be written", "choose another folder"]),
        said(SYNTH, "synth --users 0 --out new", &["'0' for '--users", "give a whole number from 1 to 1000000"]),
        said(SYNTH, "synth --users 1e3 --out new", &["'1e3' for '--users", "see `logoscope"]),
        said(SYNTH, "synth --users 20 --seed -1 --out new", &["'-1'", "see `logoscope"]),
        said(
            SYNTH,
            "synth --users 20 --seed 18446744073709551616 --out new",
            &["18446744073709551616", "see `logoscope"],
        ),
        said(
            SYNTH,
            "synth --users 20 --communities 65 --out new",
            &["'65' for '--communities", "give a whole number from 1 to 64"],
        ),
        said(
            SYNTH,
            "synth --users 20 --periods 1 --out new",
            &["'1' for '--periods", "give a whole number from 2 to 80"],
        ),
        said(PROMPTS, "synth --users 20 --export-prompts nowhere/new", &["nowhere: there is no", "check the path"]),
        said(PROMPTS, "synth --users 20 --export-prompts file", &["file exists already", "--force replaces it"]),
        said(SYNTH, "synth --users 20 --out new --force", &["cannot be used with", "see `logoscope --help`"]),
        said(PROMPTS, "synth --users 20 --export-prompts full", &["full: ", "check the path"]),
        said(PROMPTS, "synth --users 20 --export-prompts new --out out", &["cannot be used with", "see `logoscope"]),
        said(
            SCENARIO,
            "scenario cold-start --user u9 --data data --model none --out new",
            &["user 'u9' has no interaction in 'small'", "leave out --user"],
        ),
        said(
            SCENARIO,
            "scenario biased --user u1 --data data --model none --out new",
            &["user 'u1' has 5 interactions", "leave out --user"],
        ),
        said(
            SCENARIO,
            "scenario biased --data data --model none --out new",
            &["nobody in 'small' fits", "name somebody with --user"],
        ),
        // Nobody was tried, which was told as if nobody had shown it.
        said(
            SCENARIO,
            "scenario cold-start --data data --model none --out new",
            &["it takes 24 interactions to be picked, and nobody has more than 5 ('u0')", "name somebody with --user"],
        ),
        said(
            SCENARIO,
            "scenario warm-start --data data --model none --out new",
            &["'warm-start' is no scenario", "use one of cold-start, biased, ladder"],
        ),
        said(SCENARIO, "scenario cold-start --user u1 --data data --model none", &["--out <FILE>", "see `logoscope"]),
        said(
            SCENARIO,
            "scenario cold-start --user u1 --data data --model none --out nowhere/new",
            &["nowhere/new: cannot be written", "choose another place with --out"],
        ),
        said(
            SCENARIO,
            "scenario cold-start --user u1 --data data --model none --out full",
            &["full: cannot be written", "choose another place with --out"],
        ),
        said(
            SCENARIO,
            "scenario cold-start --user u1 --data nowhere --model none --out new",
            &["nowhere/dataset.toml", "a dataset folder holds"],
        ),
        said(EVAL, "eval --data data", &["'small' has no judged query", "--split 0.8"]),
        said(EVAL, "eval --data judged --out nowhere/new", &["nowhere: ", "check the path"]),
        said(EVAL, "eval --data judged --out full", &["full: ", "check the path"]),
        said(EVAL, "eval --data judged --arms left", &["'left' is no arm", "use some of none"]),
        said(EVAL, "eval --data judged --weight half-life=-1", &["half-life is -1", "its range is 1 to inf"]),
        said(EVAL, "eval --data judged --peers", &["--split <FRACTION>", "see `logoscope"]),
        said(EVAL, "eval --data judged --predictor oracle", &["'oracle'", "[possible values: memory"]),
    ];
    for share in ["0", "1", "-0.5", "nan", "inf", "1e300"] {
        let bad = format!("eval --data judged --split={share}");
        cases.push(said("eval --data judged --split 0.5", &bad, &["the split ", "give a share between 0 and 1"]));
    }
    judge_all(cases);
}

#[test]
fn a_misspelt_command_line_is_told_in_three_lines() {
    const GOOD: &str = "--version";
    judge_all(vec![
        said(GOOD, "divine", &["unrecognized subcommand 'divine'", "see `logoscope --help`"]),
        said("ask --help", "aks", &["unrecognized subcommand 'aks'", "see `logoscope --help`"]),
        said(
            "ask --help",
            "ask --user u1 --query x --wieght a=1",
            &["'--wieght'", "'--weight'", "see `logoscope --help`"],
        ),
        said(GOOD, "--modle none", &["'--modle'", "'--model'", "see `logoscope --help`"]),
        exactly(GOOD, &["--\u{1b}[2J\u{202e}"], &["'--�'", "see `logoscope --help`"]),
        exactly(GOOD, &["a\n\nUsage: b\nFor more information c"], &["see `logoscope --help`"]),
        exactly(GOOD, &[&"x".repeat(100_000)], &["xxx", "see `logoscope --help`"]),
        said(GOOD, "--data", &["'--data <DIR>'", "see `logoscope --help`"]),
        exactly(
            GOOD,
            &["ask", "--user", "u1", "--query", "x", "--model", ""],
            &["'--model <NAME|DIR|FILE|ID|URL>'", "see `logoscope --help`"],
        ),
        exactly(GOOD, &["--data", "", "doctor"], &["'--data <DIR>'", "see `logoscope --help`"]),
        said(
            "replay session.jsonl",
            "--session session.jsonl replay session.jsonl",
            &["--session session.jsonl", "logoscope replay FILE"],
        ),
        // The workbench, which tests on a pseudo-terminal start with success.
        said(GOOD, "--model none", &["the workbench needs a terminal", "logoscope ask"]),
        said(
            GOOD,
            "--model none --data nowhere --session nowhere",
            &["the workbench needs a terminal", "logoscope ask"],
        ),
    ]);
}

/// A build without the model library says so; one with it looks at the folder.
#[cfg(not(feature = "local"))]
#[test]
fn a_build_without_models_says_so() {
    let told = &["this build has no model engine", "--model none"];
    judge_all(vec![
        said(ASK, "ask --data data --user u1 --query tide --model full", told),
        said(
            "scenario cold-start --user u1 --data data --model none --out out",
            "scenario cold-start --user u1 --data data --model full --out new",
            told,
        ),
    ]);
}

#[cfg(feature = "local")]
mod models {
    use super::*;
    use crate::engine::tiny_llama;

    /// A command that asks the tiny model, in a folder that holds it as `model`.
    fn ask(dir: &Path, model: &str) -> Output {
        run(dir, &words(&format!("ask --data data --user u1 --query tide --arms none --model {model}")))
    }

    fn with_model() -> TempDir {
        let dir = good_files();
        fs::create_dir(dir.path().join("model")).unwrap();
        tiny_llama::write(&dir.path().join("model"));
        dir
    }

    fn judged(output: &Output, told: &[&str]) {
        let faults = faults(output, &owned(told));
        assert!(faults.is_empty(), "{faults:?}, wanted {told:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The folder, `spoil`ed.
    fn refused(spoil: impl FnOnce(&Path), told: &[&str]) {
        let dir = with_model();
        spoil(&dir.path().join("model"));
        judged(&ask(dir.path(), "model"), told);
    }

    /// The configuration with one value set.
    fn config(dir: &Path, key: &str, value: serde_json::Value) {
        let mut config = tiny_llama::config();
        config[key] = value;
        fs::write(dir.join("config.json"), config.to_string()).unwrap();
    }

    #[test]
    fn bad_models_are_refused() {
        let dir = with_model();
        let good = ask(dir.path(), "model");
        assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
        assert!(!good.stdout.is_empty() && good.stderr.is_empty(), "{}", String::from_utf8_lossy(&good.stderr));

        judged(&ask(dir.path(), "nowhere"), &["nowhere", "there is no such folder", "check the path"]);
        judged(&ask(dir.path(), "file"), &["file: it is no GGUF file", "give the folder that holds config.json"]);
        judged(&ask(dir.path(), "\u{1b}[31m\u{202e}"), &["␛[31m�", "check the path"]);
        judged(&ask(dir.path(), "full"), &["config.json is missing", "copy or download"]);

        let weights = |dir: &Path| dir.join("model.safetensors");
        let copy = "copy or download the model's folder again";
        for name in ["config.json", "tokenizer.json"] {
            refused(|dir| fs::remove_file(dir.join(name)).unwrap(), &[name, "is missing", copy]);
            refused(|dir| fs::write(dir.join(name), "{").unwrap(), &[name, "is not JSON", copy]);
            refused(|dir| fs::write(dir.join(name), b"\xff\x1b[2J\0").unwrap(), &[name, "is not JSON", copy]);
            refused(|dir| fs::write(dir.join(name), "[]").unwrap(), &[name, "is not a JSON object", copy]);
        }
        refused(|dir| fs::remove_file(weights(dir)).unwrap(), &["no weight file", copy]);
        refused(|dir| fs::write(weights(dir), []).unwrap(), &["model.safetensors is damaged", copy]);
        let cut = |keep: fn(usize) -> usize| {
            move |dir: &Path| {
                let whole = fs::read(weights(dir)).unwrap();
                fs::write(weights(dir), &whole[..keep(whole.len())]).unwrap();
            }
        };
        refused(cut(|length| length - 1), &["model.safetensors is damaged: its header promises", copy]);
        refused(cut(|length| length / 2), &["model.safetensors is damaged", copy]);
        refused(cut(|_| 100), &["model.safetensors is damaged", copy]);
        refused(cut(|_| 7), &["model.safetensors is damaged", copy]);
        let noise: Vec<u8> = (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        refused(|dir| fs::write(weights(dir), noise).unwrap(), &["model.safetensors is damaged", copy]);
        let hostile = serde_json::json!(["Oracle\u{1b}[2J\u{202e}ForCausalLM"]);
        refused(|dir| config(dir, "architectures", hostile), &["Oracle", "ForCausalLM", "use a model of the Llama"]);
        refused(|dir| config(dir, "architectures", serde_json::json!([])), &["\"architectures\", it names 0", copy]);
        refused(
            |dir| config(dir, "vocab_size", serde_json::json!(-1)),
            &["\"vocab_size\"", "positive whole number", copy],
        );
        refused(
            |dir| config(dir, "max_position_embeddings", serde_json::json!(600)),
            &["600, not a multiple", "set it to 512"],
        );
        refused(
            |dir| fs::write(dir.join("logoscope.json"), "{").unwrap(),
            &["logoscope.json cannot be used", "or remove it"],
        );
    }
}

/// The ranges that `dataset.toml` is held to are those of the weights.
#[test]
fn weight_defaults_have_the_ranges_of_the_weights() {
    let manifest = toml::to_string(&small().0.manifest).unwrap();
    for (key, weight) in [
        ("prior-strength-product", Weight::PriorStrength),
        ("prior-strength-shrinkage", Weight::PriorStrength),
        ("similarity-sharpness", Weight::SimilaritySharpness),
        ("half-life", Weight::HalfLife),
        ("community-focus", Weight::CommunityFocus),
    ] {
        let (low, high) = weight.range();
        let opens = |value: f64| parsed(&with_value(&manifest, "weights", key, &format!("{value:?}")), "").is_ok();
        assert!(opens(low) && opens(high), "{key}");
        assert!(!opens(low - 1e-6), "{key}");
        assert!(high.is_infinite() || !opens(high + 1e-6), "{key}");
    }
}

/// Opens a small dataset with this manifest and these rows; without rows the usual ones.
fn parsed(manifest: &str, rows: &str) -> Result<Dataset, String> {
    let usual = || small().0.interactions.iter().map(|i| serde_json::to_string(i).unwrap() + "\n").collect();
    let rows = if rows.is_empty() { usual() } else { rows.to_owned() };
    let names = ["dataset.toml", "interactions.jsonl", "queries.jsonl"].map(Path::new);
    Dataset::parse(names, [manifest, &rows, ""]).map_err(|error| error.to_string())
}

/// What `dataset` makes of a question; it has to be a distribution.
fn answered(dataset: &Dataset) {
    let memory = logoscope::memory::Memory::build(dataset);
    let read = memory.read(&UserId::new("u1"), "tide robot", dataset.end()).unwrap();
    let manifest = &dataset.manifest;
    let evidence = logoscope::mediator::Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
    for policy in [Policy::Product, Policy::Shrinkage, Policy::Linear] {
        let weights = Weights::defaults(policy, manifest);
        let p = mediate(&evidence, &weights, policy).distribution;
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{p:?} of {manifest:?}");
        let _ = logoscope::mediator::flip::flips(&evidence, &weights, policy);
    }
    assert!(read.global.hits.iter().all(|hit| hit.distribution.iter().all(|p| p.is_finite())), "{manifest:?}");
}

#[test]
fn any_number_in_a_manifest_is_refused_or_computed_with() {
    let manifest = toml::to_string(&small().0.manifest).unwrap();
    let table: toml::Table = manifest.parse().unwrap();
    let (mut refused, mut computed) = (0, 0);
    for (part, values) in &table {
        let Some(values) = values.as_table() else { continue };
        for (key, value) in values.iter().filter(|(_, value)| value.is_float() || value.is_integer()) {
            for absurd in ["nan", "inf", "-inf", "-1", "-1.0", "0", "0.0", "1", "1e300", "1e-300", "1000000000"] {
                let whole = !absurd.contains(['.', 'e', 'n']);
                if value.is_integer() && !whole {
                    continue;
                }
                match parsed(&with_value(&manifest, part, key, absurd), "") {
                    Ok(dataset) => {
                        computed += 1;
                        answered(&dataset);
                    }
                    Err(told) => {
                        refused += 1;
                        assert!(told.contains("dataset.toml: ") && told.contains(';'), "{told}");
                    }
                }
            }
        }
    }
    assert!(refused > 50 && computed > 30, "{refused} refused, {computed} computed with");
}
