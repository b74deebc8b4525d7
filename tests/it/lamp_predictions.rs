//! `logoscope ask --format lamp`: what LaMP's evaluation would read, over imported fixtures.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use logoscope::data::lamp_output::Outputs;
use serde_json::{Value, json};

fn logoscope(args: &[&str]) -> Output {
    crate::program().args(args).output().unwrap()
}

fn told(args: &[&str]) -> String {
    let output = logoscope(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Three people, one question each; the last one's gold is not known, as in the benchmark's test part.
fn fixture(task: &str) -> (Value, Value) {
    let film = "Which tag does this movie relate to among the following tags? Just answer with the tag name without \
                further explanation. tags: [comedy, sci-fi] description: ";
    let score = "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4, or 5 \
                 without further explanation. review: ";
    let question = |number: usize, user: &str, habit: [&str; 2]| {
        let (input, response) = if task == "LaMP_3" { (score, habit[1]) } else { (film, habit[0]) };
        let item = |n: usize| match task {
            "LaMP_3" => {
                json!({"id": format!("{number}{n}"), "date": format!("2020-01-0{n}"), "text": "A kettle.", "score": response})
            }
            _ => {
                json!({"id": format!("{number}{n}"), "date": format!("2020-01-0{n}"), "description": "A ship.", "tag": response})
            }
        };
        json!({"id": format!("{number}"), "user_id": user, "input": format!("{input}A robot."), "profile": [item(1), item(2), item(3)]})
    };
    let questions = json!([
        question(310, "a", ["comedy", "5"]),
        question(311, "b", ["sci-fi", "1"]),
        question(312, "c", ["comedy", "4"])
    ]);
    let golds = match task {
        "LaMP_3" => json!([{"id": "310", "output": "5"}, {"id": "311", "output": "2"}]),
        _ => json!([{"id": "310", "output": "comedy"}, {"id": "311", "output": "comedy"}]),
    };
    (questions, json!({"task": task, "golds": golds}))
}

/// Imports the fixture into `dir` and gives the folder.
fn imported(dir: &Path, questions: &Value, outputs: &Value, out: &str) -> String {
    let write = |name: &str, value: &Value| {
        let path = dir.join(format!("{out}-{name}"));
        fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (questions, outputs) = (write("questions.json", questions), write("outputs.json", outputs));
    let folder = dir.join(out).to_str().unwrap().to_owned();
    told(&["import", "lamp", &questions, &outputs, "--out", &folder]);
    folder
}

#[test]
fn predictions_have_the_ids_of_the_questions_and_can_be_read_as_outputs() {
    for (task, own) in [("LaMP_2M", ["comedy", "sci-fi", "comedy"]), ("LaMP_3", ["5", "1", "4"])] {
        let dir = tempfile::tempdir().unwrap();
        let (questions, outputs) = fixture(task);
        let data = imported(dir.path(), &questions, &outputs, "data");
        let queries = format!("{data}/queries.jsonl");
        let args = ["ask", "--data", &data, "--model", "none", "--queries", &queries, "--format", "lamp"];
        let told_local = told(&[&args[..], &["--arms", "local"]].concat());
        let local: Outputs = serde_json::from_str(&told_local).unwrap();
        assert_eq!(local.task, task);
        let ids: BTreeSet<&str> = local.golds.iter().map(|gold| gold.id.as_str()).collect();
        assert_eq!(ids, BTreeSet::from(["310", "311", "312"]), "those without a gold too");
        // Everybody's own habit.
        let said: Vec<&str> = local.golds.iter().map(|gold| gold.output.as_str()).collect();
        assert_eq!(said, own, "{task}");

        // The mediated arm is the default, and says what ask says of each question.
        let mediated: Outputs = serde_json::from_str(&told(&args)).unwrap();
        let answers = told(&["ask", "--data", &data, "--model", "none", "--queries", &queries, "--format", "json"]);
        for (gold, line) in mediated.golds.iter().zip(answers.lines()) {
            let answer: Value = serde_json::from_str(line).unwrap();
            assert_eq!(answer["arms"]["mediated"]["answer"], gold.output.as_str());
        }

        // Read back as the outputs of the same questions, they are the golds of a dataset.
        let again = imported(dir.path(), &questions, &serde_json::to_value(&local).unwrap(), "again");
        let lines = fs::read_to_string(format!("{again}/queries.jsonl")).unwrap();
        let golds: Vec<String> = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["gold"].as_str().unwrap().into())
            .collect();
        assert_eq!(golds, own);
    }
}

#[test]
fn what_the_evaluation_would_not_take_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (questions, outputs) = fixture("LaMP_2M");
    let data = imported(dir.path(), &questions, &outputs, "data");
    let queries = format!("{data}/queries.jsonl");
    let lines = fs::read_to_string(&queries).unwrap();
    let (twice, nameless) = (dir.path().join("twice.jsonl"), dir.path().join("nameless.jsonl"));
    fs::write(&twice, format!("{lines}{}\n", lines.lines().next().unwrap())).unwrap();
    fs::write(&nameless, "{\"user\": \"a\", \"query\": \"A robot.\"}\n").unwrap();
    let (twice, nameless) = (twice.to_str().unwrap(), nameless.to_str().unwrap());
    let other = dir.path().join("other").to_str().unwrap().to_owned();
    let files = ["questions.json", "outputs.json"].map(|name| format!("{}/data-{name}", dir.path().display()));
    told(&["import", "lamp", &files[0], &files[1], "--name", "mine", "--out", &other]);
    for (args, expected) in [
        (vec!["--data", &data, "--queries", &queries, "--arms", "local,global"], "holds the answers of one arm"),
        (vec!["--data", &data, "--user", "a", "--query", "A robot."], "give --queries the dataset's queries.jsonl"),
        (vec!["--data", &data, "--queries", twice], "the \"id\" '310' of a question of 'a' comes twice"),
        (vec!["--data", &data, "--queries", nameless], "is missing; give each its own"),
        (vec!["--data", &data, "--queries", &queries, "--explain"], "leave out --explain"),
        (vec!["--data", &other, "--queries", &queries], "'mine' is no task of LaMP"),
    ] {
        let output = logoscope(&[&["ask", "--model", "none", "--format", "lamp"], args.as_slice()].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(expected) && output.stdout.is_empty(), "{args:?}: {told}");
    }
}
