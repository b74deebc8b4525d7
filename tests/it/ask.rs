//! The contract of `logoscope ask`, over every shipped query, through the real binary and the shipped model.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Output, Stdio};

use logoscope::data::sample;
use serde_json::Value;

fn logoscope(args: &[&str]) -> Output {
    crate::program().args(args).env_remove("NO_COLOR").output().unwrap()
}

/// The probabilities of a distribution, which must cover exactly the labels and sum to 1.
fn checked<'a>(value: &'a Value, labels: &[String]) -> Vec<(&'a str, f64)> {
    let object = value.as_object().unwrap();
    let named: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(named, labels.iter().map(String::as_str).collect());
    let p: Vec<(&str, f64)> = object.iter().map(|(label, p)| (label.as_str(), p.as_f64().unwrap())).collect();
    assert!((p.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-9, "{value}");
    p
}

fn sum_of_terms(hit: &Value) -> f64 {
    hit["terms"].as_object().unwrap().values().map(|term| term.as_f64().unwrap()).sum()
}

fn argmax<'a>(p: &[(&'a str, f64)]) -> &'a str {
    p.iter().fold(p[0], |best, next| if next.1 > best.1 { *next } else { best }).0
}

#[test]
fn the_contract_holds_for_every_shipped_query() {
    let dataset = sample::dataset().unwrap();
    let labels = &dataset.manifest.labels;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("queries.jsonl");
    let lines: Vec<String> = dataset.queries.iter().map(|q| serde_json::to_string(q).unwrap()).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();

    let output = logoscope(&["ask", "--queries", file.to_str().unwrap(), "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "the library prints nothing: {}", String::from_utf8_lossy(&output.stderr));
    let results: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(results.len(), dataset.queries.len());

    let mut conflicts = 0;
    for (result, query) in results.iter().zip(&dataset.queries) {
        assert_eq!(result["schema"], "logoscope.ask/1");
        assert_eq!(result["dataset"], "film-tags");
        assert_eq!(result["user"], query.user.as_str());
        assert_eq!(result["at"], query.at.to_string());
        assert_eq!(result["policy"], "product");

        let visible = dataset.interactions.iter().filter(|i| i.user == query.user && i.at < query.at).count();
        assert_eq!(result["local"]["visible"], visible);
        for hit in result["local"]["hits"].as_array().unwrap() {
            assert!((sum_of_terms(hit) - hit["score"].as_f64().unwrap()).abs() < 1e-9);
            let source = dataset.interactions.iter().find(|i| i.id == hit["id"].as_str().unwrap()).unwrap();
            assert!(source.user == query.user && source.at < query.at, "a hit is the person's own past");
            assert_eq!(hit["text"], source.query);
            assert_eq!(hit["response"], source.response);
        }
        for hit in result["global"]["hits"].as_array().unwrap() {
            assert!((sum_of_terms(hit) - hit["score"].as_f64().unwrap()).abs() < 1e-9);
            assert!(hit["users"].as_u64().unwrap() >= dataset.manifest.retrieval.guard as u64);
            checked(&hit["response_distribution"], labels);
        }
        let mediation = &result["mediation"];
        let mediated = checked(&mediation["distribution"], labels);
        assert_eq!(mediation["decision"], argmax(&mediated));
        conflicts += mediation["conflicts"].as_array().unwrap().iter().filter(|c| c["type"] == "value").count();
        for flip in mediation["flips"].as_array().unwrap() {
            assert_ne!(flip["becomes"], mediation["decision"]);
        }
        let arms = result["arms"].as_object().unwrap();
        assert_eq!(arms.keys().collect::<Vec<_>>(), ["none", "local", "global", "mediated"]);
        for arm in arms.values() {
            assert_eq!(arm["answer"], argmax(&checked(&arm["distribution"], labels)));
            assert!(arm["tokens"].as_u64().unwrap() >= 1);
            assert!(labels.iter().any(|label| arm["text"].as_str().unwrap().trim() == label), "{}", arm["text"]);
        }
    }
    assert!(conflicts > 20, "the sample shows conflicts: {conflicts}");
}

#[test]
fn unknown_users_bad_times_and_bad_lines_are_named_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.jsonl");
    std::fs::write(&file, "{\"user\": \"u001\", \"query\": \"x\"}\n{\"user\": 3}\n").unwrap();
    let bad = file.to_str().unwrap();
    for (args, expected) in [
        (vec!["--user", "nobody", "--query", "x"], "user 'nobody' is not in the dataset"),
        (vec!["--user", "u001", "--query", "x", "--at", "soon"], "'soon' is not a time"),
        (vec!["--user", "u001", "--query", "x", "--weight", "prior-strength=1000"], "its range is 0.01 to 100"),
        (vec!["--user", "u001", "--query", "x", "--weight", "trust=1"], "'trust' is no weight"),
        (vec!["--queries", bad], "bad.jsonl:2:"),
        (vec!["--user", "u001", "--query", "x", "--data", "/no/such/folder"], "/no/such/folder/dataset.toml"),
        (vec!["--user", "u001", "--query", "x", "--model", "/no/such/model"], "/no/such/model"),
    ] {
        let output = logoscope(&[&["ask"], args.as_slice()].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(expected), "{args:?}: {told}");
        assert!(told.lines().count() <= 6 && !told.contains('\u{1b}') && !told.contains("panicked"), "{told}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_new_user_is_answered_from_the_collective_side_alone() {
    let query = "A retired diver maps the drowned streets while the tide keeps rising";
    let output = logoscope(&[
        "ask",
        "--user",
        "newcomer",
        "--new-user",
        "--query",
        query,
        "--model",
        "none",
        "--format",
        "json",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["local"]["visible"], 0);
    let of = |arm: &str| result["arms"][arm]["distribution"].as_object().unwrap().clone();
    let (global, mediated) = (of("global"), of("mediated"));
    assert!(global.iter().all(|(label, p)| (p.as_f64().unwrap() - mediated[label].as_f64().unwrap()).abs() < 1e-12));
    assert_eq!(result["arms"]["mediated"]["tokens"], 0, "no model was asked");
}

#[test]
fn questions_come_through_a_pipe_too() {
    let mut ask = crate::program();
    ask.args(["ask", "--queries", "-", "--model", "none", "--format", "json"]);
    let mut child = ask.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"user\":\"u017\",\"query\":\"sea\"}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["user"], &told["query"]), (&"u017".into(), &"sea".into()));
}

#[test]
fn a_text_of_any_length_is_shown_in_brief_and_told_whole_in_json() {
    let query = format!("drowned {} streets", "sea ".repeat(2000));
    let ask = |more: &[&str]| {
        let output = logoscope(&[&["ask", "--model", "none", "--user", "u017", "--query", &query], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = ask(&[]);
    let first = told.lines().next().unwrap();
    assert!(first.contains("drowned sea") && first.contains('…') && first.ends_with(" streets"), "{first}");
    assert!(told.lines().all(|line| line.chars().count() < 600), "{told}");
    let object: Value = serde_json::from_str(&ask(&["--format", "json"])).unwrap();
    assert_eq!(object["query"], query.as_str());

    let id = "x".repeat(5000);
    let output = logoscope(&["why-not", "--model", "none", "--user", "u017", "--query", "sea", &id]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("xxx…xxx") && told.contains("no interaction and no entry has this id") && told.len() < 600,
        "{told}"
    );
}

#[test]
fn doctor_finds_everything_the_default_run_needs() {
    let output = logoscope(&["doctor"]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(["dataset", "cache", "model"].iter().all(|name| told.contains(&format!("ok       {name}"))), "{told}");
    let broken = logoscope(&["doctor", "--model", "/no/such/model"]);
    assert_eq!(broken.status.code(), Some(1));
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut unwritable = crate::program();
    let unwritable =
        unwritable.args(["doctor", "--model", "none"]).env("XDG_STATE_HOME", file.path()).output().unwrap();
    let told = String::from_utf8(unwritable.stdout).unwrap();
    if cfg!(target_os = "linux") {
        assert!(unwritable.status.code() == Some(1) && told.contains("missing  sessions  "), "{told}");
        assert!(told.contains("or set XDG_STATE_HOME to another folder"), "{told}");
    }
}

/// A dataset of its own labels was told to be answered by a model that knows others.
#[cfg(feature = "local")]
#[test]
fn doctor_tells_a_model_that_memory_has_to_answer_without() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dataset, _) = crate::session::small();
    dataset.interactions.truncate(1);
    dataset.write(dir.path()).unwrap();
    let output = logoscope(&["doctor", "--data", dir.path().to_str().unwrap()]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("small: 1 user, 1 interaction, 1 period\n"), "{told}");
    assert!(told.contains("unfit    model     nano was trained for other") && told.contains("--model DIR"), "{told}");
}

#[test]
fn synth_repeats_the_shipped_sample() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("again");
    let output = logoscope(&["synth", "--out", out.to_str().unwrap()]);
    assert!(output.status.success());
    let again = logoscope::data::dataset::Dataset::open(&out).unwrap();
    let shipped = sample::dataset().unwrap();
    assert_eq!(again.interactions, shipped.interactions);
    assert_eq!(again.queries, shipped.queries);
    assert!(out.join("truth.json").exists());
}

/// Work for other programs, too: what is best, by which score, and that every query was timed.
#[test]
fn bench_ranks_given_work() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work.jsonl");
    let ranked = |lines: &str, more: &[&str]| {
        std::fs::write(&path, lines).unwrap();
        logoscope(&[&["bench", "--model", "none", "--work", path.to_str().unwrap()][..], more].concat())
    };
    let lines = r#"{"id":"a","texts":[["oven","tide"],["tide","tide","vault"],["robot"],["memo","ring","oven"]],"query":["tide","dragon"],"vectors":[[1.0,0.0],[0.6,0.8],[0.0,1.0],[-1.0,0.0]],"vector":[0.8,0.6]}

{"id":"b","texts":[["oven"],["oven","ring"],["oven","memo"]],"query":["oven"]}
"#;
    let output = ranked(lines, &["--format", "json", "--top", "2", "--rounds", "3"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["schema"], &report["top"], &report["rounds"]),
        (&"logoscope.work/1".into(), &2.into(), &3.into())
    );
    let top = |query: usize, way: &str| -> Vec<(u64, f64)> {
        let top = report["answers"][query][way]["top"].as_array().unwrap();
        top.iter().map(|hit| (hit[0].as_u64().unwrap(), hit[1].as_f64().unwrap())).collect()
    };
    let near = |found: Vec<(u64, f64)>, expected: [(u64, f64); 2]| {
        let alike = |((a, x), (b, y)): (&(u64, f64), &(u64, f64))| a == b && (x - y).abs() < 1e-6;
        assert!(found.len() == 2 && found.iter().zip(&expected).all(alike), "{found:?} and {expected:?}");
    };
    // 'tide' stands in two of four texts of 9 words: its raw idf is 0, and one that is not below 0 stays.
    near(top(0, "okapi"), [(0, 0.0), (1, 0.0)]);
    // ln 2 of the bound ln 2 + ln 10, with tf 2 and 3 of 2.25 words, tf 1 and 2.
    let bound = (2.0f64.ln() + 10.0f64.ln()) * 2.2;
    let share = |tf: f64, words: f64| 2.0f64.ln() * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * words / 2.25)) / bound;
    near(top(0, "bm25"), [(1, share(2.0, 3.0)), (0, share(1.0, 2.0))]);
    near(top(0, "dense"), [(1, 0.96), (0, 0.8)]);
    // In all of three texts: idf ln .5 − ln 3.5 is below 0, so it becomes a quarter of the mean of three.
    let mean = ((0.5f64 / 3.5).ln() + 2.0 * (2.5f64 / 1.5).ln()) / 3.0;
    let score = |words: f64| 0.25 * mean * 2.5 / (1.0 + 1.5 * (0.25 + 0.75 * words * 0.6));
    near(top(1, "okapi"), [(1, score(2.0)), (2, score(2.0))]);
    assert!(report["answers"][1].get("dense").is_none());
    let figures: Vec<(&str, u64)> = report["figures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|figure| (figure["name"].as_str().unwrap(), figure["n"].as_u64().unwrap()))
        .collect();
    let names = [
        "work.okapi.number",
        "work.okapi.build",
        "work.okapi.rank",
        "work.bm25.build",
        "work.bm25.rank",
        "work.dense.rank",
    ];
    assert_eq!(figures, names.into_iter().zip([2, 2, 2, 2, 2, 1]).collect::<Vec<_>>());
    let text = String::from_utf8(ranked(lines, &[]).stdout).unwrap();
    assert!(text.contains("2 queries, the best 10 texts of each") && text.contains("work.dense.rank"), "{text}");

    for (lines, told) in [
        ("", "holds no work"),
        ("{\"id\":\"a\"}", "work.jsonl:1: missing field `texts`"),
        ("\n{\"id\":\"a\",\"texts\":[[]],\"query\":[\"x\"]}", "work.jsonl:2: a text or the query has no word"),
        (
            "{\"id\":\"a\",\"texts\":[[\"The\"]],\"query\":[\"x\"]}",
            "work.jsonl:1: 'The' would not be read as it stands",
        ),
        ("{\"id\":\"a\",\"texts\":[[\"x\"]],\"query\":[\"x\"],\"vector\":[1.0]}", "belong together"),
        (
            "{\"id\":\"a\",\"texts\":[[\"x\"]],\"query\":[\"x\"],\"vector\":[1.0],\"vectors\":[[1.0,2.0]]}",
            "'vectors' needs a row for each text",
        ),
    ] {
        let output = ranked(lines, &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(told) && output.stdout.is_empty(), "{error}");
    }
}

/// Names and units are a contract; the values are the machine's.
#[test]
fn bench_measures_without_a_terminal() {
    let output = logoscope(&["bench", "--interactions", "1000", "--model", "none", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "logoscope.bench/1");
    assert!(report["machine"]["threads"].as_u64().unwrap() >= 1);
    assert!((800..1300).contains(&report["interactions"].as_u64().unwrap()), "{}", report["interactions"]);
    let figures = report["figures"].as_array().unwrap();
    for (name, unit) in [
        ("start.first-frame", "ms"),
        ("ingest", "interactions/s"),
        ("local.retrieve", "us"),
        ("memory.read", "us"),
        ("mediate.query", "us"),
        ("mediate.flips", "us"),
        ("mediate.ledger", "us"),
        ("mediate.session-10k", "ms"),
        ("key.frame", "ms"),
    ] {
        let figure = figures.iter().find(|figure| figure["name"] == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(figure["unit"], unit, "{name}");
        let [p50, p95, p99] = ["p50", "p95", "p99"].map(|key| figure[key].as_f64().unwrap());
        let rising = if unit == "interactions/s" { p50 >= p95 && p95 >= p99 } else { p50 <= p95 && p95 <= p99 };
        assert!(p50 > 0.0 && rising && figure["n"].as_u64().unwrap() >= 1, "{figure}");
    }
}
