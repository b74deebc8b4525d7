//! `logoscope eval`: figures computed by hand on a tiny dataset, and what must hold on the sample and on real data.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use logoscope::data::dataset::Dataset;
use logoscope::data::import::huffpost::HuffPost;
use logoscope::data::import::{Source, Watch, import};
use logoscope::data::interaction::Timestamp;
use logoscope::data::sample;
use logoscope::eval::EvalError;
use logoscope::eval::experiment::{Answered, Setting, run};
use logoscope::eval::split::{Asked, Split};
use logoscope::mediator::{Policy, Weights};
use logoscope::memory::{Apart, Memory};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::population::datasets;

fn logoscope(args: &[&str]) -> Output {
    crate::program().args(args).output().unwrap()
}

/// Standard output of a run that succeeds and has nothing to complain about.
fn told(args: &[&str]) -> String {
    let output = logoscope(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    // Of a few days no period closes, which is said.
    let harmless = ["logoscope: written to ", "logoscope: no period closes before any query, "];
    let quiet = errors.lines().all(|line| harmless.iter().any(|begin| line.starts_with(begin)));
    assert!(output.status.success() && quiet, "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn close(value: &Value, expected: f64) {
    assert!((value.as_f64().unwrap() - expected).abs() < 1e-9, "{value} is not {expected}");
}

/// No decay, no nearness, one pseudo-example of the base rate: every vote counts 1.
const MANIFEST: &str = "format = 1\nname = \"tiny\"\ntask = \"labels\"\nlabels = [\"a\", \"b\"]\n\
    [periods]\nbase-half-life = inf\n[calibration]\nlocal = 1.0\n\
    [weights]\nprior-strength-product = 1.0\nsimilarity-sharpness = 0.0\nhalf-life = inf\n";

/// u answers a, a, b and v answers b, b, b, b, one a day; no query shares a word with them, so that others' texts say
/// nothing beyond the base rate.
fn tiny(dir: &Path) -> String {
    let line = |id: &str, user: &str, day: i64, query: &str, field: &str, label: &str| {
        let at = day * 86_400;
        format!("{{\"id\":\"{id}\",\"user\":\"{user}\",\"at\":{at},\"query\":\"{query}\",\"{field}\":\"{label}\"}}\n")
    };
    let mut interactions = String::new();
    for (user, labels) in [("u", "aab"), ("v", "bbbb")] {
        for (day, label) in (1..).zip(labels.chars()) {
            interactions += &line(&format!("{user}{day}"), user, day, "red fox", "response", &label.to_string());
        }
    }
    let mut queries = String::new();
    for (id, user, day, gold) in
        [("q1", "u", 2, "a"), ("q2", "w, x", 5, "b"), ("q3", "v", 5, "a"), ("q4", "u", 10, "b")]
    {
        queries += &line(id, user, day, "quiet harbour", "gold", gold);
    }
    queries += "{\"id\":\"q5\",\"user\":\"u\",\"at\":0,\"query\":\"nobody knows\"}\n";
    for (name, text) in [("dataset.toml", MANIFEST), ("interactions.jsonl", &interactions), ("queries.jsonl", &queries)]
    {
        fs::write(dir.join(name), text).unwrap();
    }
    dir.to_str().unwrap().to_owned()
}

/// p(a) by hand. Base rates of others, with ½ a label: q1 sees v's first b (.25), q2 everyone's aab bbbb (2.5/8), q3
/// u's aab (2.5/4), q4 v's bbbb (.1). Local adds that one example to the own ones: a; none; bbbb; aab.
const NONE: [f64; 4] = [0.25, 0.3125, 0.625, 0.1];
const LOCAL: [f64; 4] = [1.25 / 2.0, 0.3125, 0.625 / 5.0, 2.1 / 4.0];

#[test]
fn a_tiny_dataset_gives_the_figures_computed_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let data = tiny(dir.path());
    let report: Value = serde_json::from_str(&told(&["eval", "--data", &data, "--format", "json"])).unwrap();
    assert_eq!(report["schema"], "logoscope.eval/1");
    assert_eq!((&report["dataset"], &report["predictor"]), (&"tiny".into(), &"memory".into()));
    assert_eq!((&report["n"], &report["users"]), (&4.into(), &3.into()));
    let split = &report["split"];
    assert_eq!((&split["kind"], &split["without_gold"]), (&"judged".into(), &1.into()));
    assert_eq!(
        split["history"],
        serde_json::json!({"n": 2, "from": "1970-01-02T00:00:00Z", "to": "1970-01-02T00:00:00Z"})
    );
    assert_eq!(split["queries"]["to"], "1970-01-11T00:00:00Z");

    let gold_a = [true, false, true, false];
    for (arm, p, accuracy, macro_f1, balanced) in [
        // b, b, a, b: label a has 1 right of 2 gold and 1 answered, b has 2 of 2 and 3.
        ("none", NONE, 0.75, (2.0 / 3.0 + 0.8) / 2.0, (0.5 + 1.0) / 2.0),
        // a, b, b, a: one right of each.
        ("local", LOCAL, 0.5, 0.5, 0.5),
    ] {
        let arm = &report["arms"][arm];
        close(&arm["accuracy"], accuracy);
        close(&arm["macro_f1"], macro_f1);
        close(&arm["balanced_accuracy"], balanced);
        let of_gold = |(p, gold_a): (&f64, bool)| if gold_a { *p } else { 1.0 - p };
        let of_gold: Vec<f64> = p.iter().zip(gold_a).map(of_gold).collect();
        close(&arm["log_loss"], of_gold.iter().map(|p| -p.ln()).sum::<f64>() / 4.0);
        close(&arm["brier"], of_gold.iter().map(|p| 2.0 * (1.0 - p).powi(2)).sum::<f64>() / 4.0);
        let ci = &arm["ci"]["accuracy"];
        assert!(ci[0].as_f64().unwrap() <= accuracy && accuracy <= ci[1].as_f64().unwrap());
    }
    // Own confidences .625, .6875, .875 and .525 are right, right, wrong, wrong: bins .6–.7, .8–.9 and .5–.6.
    close(&report["arms"]["local"]["calibration_error"], ((2.0f64 - 1.3125) + 0.875 + 0.525) / 4.0);
    let reliability = &report["arms"]["local"]["reliability"];
    for (bin, (from, n, confidence, accuracy)) in
        [(0.5, 1, 0.525, 0.0), (0.6, 2, 0.65625, 1.0), (0.8, 1, 0.875, 0.0)].into_iter().enumerate()
    {
        let bin = &reliability["bins"][bin];
        close(&bin["from"], from);
        close(&bin["to"], from + 0.1);
        assert_eq!(bin["n"], n);
        close(&bin["confidence"], confidence);
        close(&bin["accuracy"], accuracy);
    }
    let noise = |variance: f64| (2.0 / std::f64::consts::PI * variance).sqrt();
    let within = [0.525 * 0.475, 0.625 * 0.375 + 0.6875 * 0.3125, 0.875 * 0.125];
    close(&reliability["by_chance"], within.map(noise).iter().sum::<f64>() / 4.0);
    let ci = &report["arms"]["local"]["ci"]["calibration_error"];
    assert!(ci[0].as_f64().unwrap() >= 0.0 && ci[0].as_f64() <= ci[1].as_f64() && ci[1].as_f64().unwrap() <= 1.0);
    let entropy = |arm: &str| report["arms"][arm]["entropy"].clone();
    close(&entropy("local"), 1.0);
    close(&entropy("none"), -(0.25 * 0.25f64.log2() + 0.75 * 0.75f64.log2()));
    close(&report["gold_entropy"], 1.0);

    let buckets = report["arms"]["local"]["buckets"].as_array().unwrap();
    let told: Vec<(u64, u64)> =
        buckets.iter().map(|b| (b["from"].as_u64().unwrap(), b["n"].as_u64().unwrap())).collect();
    assert_eq!(told, [(0, 1), (1, 1), (3, 2), (6, 0), (11, 0), (21, 0), (51, 0), (101, 0)]);
    let accuracies: Vec<Option<f64>> = buckets.iter().map(|b| b["accuracy"].as_f64()).collect();
    assert_eq!(accuracies, [Some(1.0), Some(1.0), Some(0.0), None, None, None, None, None]);

    // Without anything collective mediated is local, and global is the base rate.
    assert_eq!(report["arms"]["mediated"], report["arms"]["local"]);
    assert_eq!(report["arms"]["global"], report["arms"]["none"]);
    let overrides = &report["overrides"];
    assert_eq!(
        (&overrides["local_right_mediated_right"], &overrides["local_wrong_mediated_wrong"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        (&overrides["rescued"], &overrides["suppressed"], &overrides["overridden"]),
        (&0.into(), &0.into(), &0.into())
    );
    assert_eq!(report["disagreement"]["n"], 3);
    close(&report["disagreement"]["right"]["local"], 1.0 / 3.0);
    close(&report["disagreement"]["right"]["global"], 2.0 / 3.0);
    // Of q1, q3 and q4 local has q1 alone; global has q3 and q4.
    let gain = &report["gain"][1];
    let told = ["from", "to", "n", "users"].map(|field| gain[field].as_u64().unwrap());
    assert_eq!(told, [1, 5, 3, 2]);
    for (field, expected) in [
        ("local", 1.0 / 3.0),
        ("mediated", 1.0 / 3.0),
        ("relative", 0.0),
        ("p", 1.0),
        ("ceiling", 1.0),
        ("most", 2.0),
        ("needed", 1.1805 / 3.0),
    ] {
        close(&gain[field], expected);
    }
    // Against none: won q1, lost q3 and q4, so u is even and v alone differs.
    let none = &report["paired"][0];
    assert_eq!((&none["against"], &none["wins"], &none["losses"]), (&"none".into(), &1.into(), &2.into()));
    assert_eq!((&none["p"], &none["p_mcnemar"]), (&1.0.into(), &1.0.into()));
}

#[test]
fn rows_name_every_answer_with_the_probability_of_gold() {
    let dir = tempfile::tempdir().unwrap();
    let data = tiny(dir.path());
    let csv = told(&["eval", "--data", &data, "--format", "csv", "--arms", "local,none"]);
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "id,user,at,visible,gold,none,none_p_gold,local,local_p_gold,embedder");
    assert_eq!(lines[1], "q1,u,1970-01-03T00:00:00Z,1,a,b,0.25,a,0.625,hash-v1-256");
    assert!(lines[2].starts_with("q2,\"w, x\",1970-01-06T00:00:00Z,0,b,b,0.6875,b,0.68"), "{}", lines[2]);
    assert!(lines[3].starts_with("q3,v,1970-01-06T00:00:00Z,4,a,a,0.625,b,0.12"), "{}", lines[3]);
    assert_eq!(lines.len(), 6, "header, four queries, end of the last line");
}

#[test]
fn reports_for_reading_are_what_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let data = tiny(dir.path());
    insta::assert_snapshot!("eval_text", told(&["eval", "--data", &data]));
    insta::assert_snapshot!("eval_md", told(&["eval", "--data", &data, "--format", "md", "--arms", "local,mediated"]));
}

#[test]
fn a_weight_that_changes_nothing_is_told_and_evaluated_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let data = tiny(dir.path());
    let output = logoscope(&["eval", "--data", &data, "--policy", "shrinkage", "--weight", "local-trust=2"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.lines().count() == 1, "{told}");
    assert!(told.starts_with("logoscope: --weight local-trust changes nothing here: "), "{told}");
}

#[test]
fn a_model_that_is_not_asked_is_told_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let data = tiny(dir.path());
    let nobody = "logoscope: --model nowhere is not asked here: memory answers; add --predictor model to ask it\n";
    let idle = "logoscope: --weight model-trust changes nothing here: it acts through a model, and none is asked\n";
    for command in ["eval", "audit"] {
        let errors = |more: &[&str]| {
            let output = logoscope(&[&[command, "--data", &data], more].concat());
            assert!(output.status.success(), "{command} {more:?}");
            String::from_utf8(output.stderr).unwrap()
        };
        assert_eq!(errors(&["--model", "nowhere"]), nobody, "{command}");
        assert_eq!(errors(&["--model", "none"]), "", "{command}");
        assert_eq!(errors(&["--weight", "model-trust=0.5"]), idle, "{command}");
        // What a configuration names is for every command.
        let file = dir.path().join("config.toml");
        fs::write(&file, "model = \"nowhere\"\n").unwrap();
        assert_eq!(errors(&["--config", file.to_str().unwrap()]), "", "{command}");
    }
}

/// One person alone: nobody else says anything, so arms without local memory answer the first label throughout.
#[test]
fn rounding_answers_nothing_where_nobody_else_has() {
    let dir = tempfile::tempdir().unwrap();
    let day = |day: usize| json!({"id": day.to_string(), "user": "u", "at": 86_400 * day, "query": "red fox", "response": if day * day % 7 < 3 { "a" } else { "b" }});
    let lines: String = (1..60).map(|n| day(n).to_string() + "\n").collect();
    fs::write(dir.path().join("dataset.toml"), MANIFEST.replace("base-half-life = inf", "base-half-life = 30.0"))
        .unwrap();
    fs::write(dir.path().join("interactions.jsonl"), lines).unwrap();
    let data = dir.path().to_str().unwrap();
    let arguments = ["eval", "--data", data, "--split", "0.5", "--format", "json", "--rows"];
    let report: Value = serde_json::from_str(&told(&arguments)).unwrap();
    assert_eq!(report["resampled"], "questions");
    for row in report["rows"].as_array().unwrap() {
        for arm in ["none", "global"] {
            let (answer, gold) = (&row["answers"][arm], row["gold"].as_str().unwrap());
            assert_eq!((&answer["answer"], &answer["p_gold"]), (&"a".into(), &0.5.into()), "{gold} by {arm}");
        }
    }
}

/// The four cells of the override table in a report for reading.
fn override_cells(report: &str) -> Vec<u64> {
    let plain: String = report.replace("</td>", " ").replace('|', " ");
    let cells = |line: &str| -> Vec<u64> {
        let (_, cells) = line.rsplit_once("right").or(line.rsplit_once("wrong")).unwrap();
        let text = cells.replace("<td>", " ").replace("</tr>", " ");
        text.split_whitespace().map(|cell| cell.parse().unwrap()).collect()
    };
    let row = |line: &&str| {
        let name = line.trim().trim_start_matches("<tr>").trim_start_matches("<td>");
        name.starts_with("local right ") || name.starts_with("local wrong ")
    };
    plain.lines().filter(row).flat_map(cells).collect()
}

/// The override table counts every query once, in every form of the report.
fn assert_overrides_add_up(arguments: &[&str], n: u64) {
    let report = |form: &str| told(&[&["eval", "--model", "none", "--format", form], arguments].concat());
    let json: Value = serde_json::from_str(&report("json")).unwrap();
    let count = |name: &str| json["overrides"][name].as_u64().unwrap();
    let cells = [
        count("local_right_mediated_right"),
        count("local_right_mediated_wrong"),
        count("local_wrong_mediated_right"),
        count("local_wrong_mediated_wrong"),
    ];
    assert_eq!((cells.iter().sum::<u64>(), &json["n"]), (n, &n.into()), "{}", json["overrides"]);
    assert_eq!((count("suppressed"), count("rescued")), (cells[1], cells[2]));
    assert!(count("overridden") >= cells[1] + cells[2] && count("overridden") <= n - cells[0]);
    for form in ["text", "md", "html"] {
        assert_eq!(override_cells(&report(form)), cells, "{form}");
    }
    // CSV holds the queries themselves.
    let csv = report("csv");
    let mut lines = csv.trim_end().split("\r\n").map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let [gold, local, mediated] = ["gold", "local", "mediated"].map(column);
    let mut counted = [0; 4];
    let mut overridden = 0;
    for line in lines {
        counted[2 * usize::from(line[local] != line[gold]) + usize::from(line[mediated] != line[gold])] += 1;
        overridden += u64::from(line[mediated] != line[local]);
    }
    assert_eq!((counted, overridden), (cells, count("overridden")));
}

#[test]
fn the_override_table_of_the_sample_adds_up_in_every_form() {
    assert_overrides_add_up(&[], 423);
}

proptest! {
    // Each case runs the program five times.
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn the_override_table_of_any_labels_adds_up_in_every_form(dataset in datasets(60), share in 0.2..0.8f64) {
        let dir = tempfile::tempdir().unwrap();
        dataset.write(dir.path()).unwrap();
        let history = (dataset.interactions.len() as f64 * share) as usize;
        prop_assume!(history > 0 && history < dataset.interactions.len());
        let share = share.to_string();
        let n = (dataset.interactions.len() - history) as u64;
        assert_overrides_add_up(&["--data", dir.path().to_str().unwrap(), "--split", &share], n);
    }
}

#[test]
fn every_report_names_the_embedder() {
    let embedder = Memory::build(&sample::dataset().unwrap()).embedder();
    for form in ["text", "md", "html", "json", "csv"] {
        let report = told(&["eval", "--model", "none", "--limit", "20", "--format", form]);
        assert!(report.contains(&embedder), "{form}: {report}");
    }
    for more in [["--gain", "--format=json"], ["--gain", "--format=text"], ["--ablate", "--format=text"]] {
        let report = told(&[&["eval", "--model", "none", "--limit", "20"][..], &more].concat());
        assert!(report.contains(&embedder), "{more:?}: {report}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.json");
    let file = file.to_str().unwrap();
    told(&["eval", "--model", "none", "--format", "json", "--rows", "--out", file]);
    let compared = told(&["compare", file, file, "--against", "local"]);
    assert_eq!(compared.matches(&embedder).count(), 2, "{compared}");
}

/// Every judged query of the sample, by two routes: the report, and the rows behind it.
#[test]
fn the_sample_report_agrees_with_its_rows_and_its_population() {
    let report: Value = serde_json::from_str(&told(&["eval", "--format", "json"])).unwrap();
    let csv = told(&["eval", "--format", "csv"]);
    let dataset = sample::dataset().unwrap();
    assert_eq!(report["n"], 423);
    let rows: Vec<Vec<&str>> = csv.trim_end().split("\r\n").skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 423);
    for (column, arm) in [(5, "none"), (7, "local"), (9, "global"), (11, "mediated")] {
        let arm = &report["arms"][arm];
        let right = rows.iter().filter(|row| row[column] == row[4]).count();
        close(&arm["accuracy"], right as f64 / 423.0);
        let loss: f64 = rows.iter().map(|row| -row[column + 1].parse::<f64>().unwrap().ln()).sum();
        close(&arm["log_loss"], loss / 423.0);
        let buckets = arm["buckets"].as_array().unwrap();
        assert_eq!(buckets.iter().map(|b| b["n"].as_u64().unwrap()).sum::<u64>(), 423);
        for metric in ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier"] {
            let (value, ci) = (arm[metric].as_f64().unwrap(), &arm["ci"][metric]);
            assert!(ci[0].as_f64().unwrap() <= value && value <= ci[1].as_f64().unwrap(), "{metric}: {value} {ci}");
        }
    }
    for row in rows.iter().step_by(17) {
        let query = dataset.queries.iter().find(|query| query.id == row[0]).unwrap();
        let visible = dataset.interactions.iter().filter(|i| i.user == query.user && i.at < query.at).count();
        assert_eq!((row[3], row[4]), (visible.to_string().as_str(), query.gold.as_deref().unwrap()));
    }
    // The generator gave communities tastes of their own, so that the collective side helps whoever has little history.
    let paired: BTreeMap<&str, &Value> =
        report["paired"].as_array().unwrap().iter().map(|p| (p["against"].as_str().unwrap(), p)).collect();
    for against in ["none", "local"] {
        assert!(
            paired[against]["accuracy"].as_f64().unwrap() > 0.1 && paired[against]["p_holm"].as_f64().unwrap() < 0.01
        );
    }
    assert_eq!(
        report["arms"]["mediated"]["buckets"][0]["accuracy"],
        report["arms"]["global"]["buckets"][0]["accuracy"]
    );
    let again: Value = serde_json::from_str(&told(&["eval", "--format", "json"])).unwrap();
    assert_eq!(report, again, "threads do not show");
}

fn answers(dataset: &Dataset, asked: &Asked) -> Vec<Answered> {
    let setting = Setting {
        policy: Policy::Product,
        weights: Weights::defaults(Policy::Product, &dataset.manifest),
        apart: Apart::default(),
    };
    let memory = Memory::build(dataset);
    run(&memory, &asked.questions, setting, &AtomicBool::new(false), &mut |_| ()).unwrap()
}

#[test]
fn answers_do_not_depend_on_what_came_later() {
    let dataset = sample::dataset().unwrap();
    let mut asked = Asked::of(&dataset, Split::Share { share: 0.9 }).unwrap();
    let cut = asked.questions[asked.questions.len() / 4].at;
    asked.questions.retain(|question| question.at <= cut);
    assert!(asked.questions.iter().any(|question| question.at == cut));
    let mut past = dataset.clone();
    past.interactions.retain(|i| i.at < cut);
    assert_eq!(answers(&past, &asked), answers(&dataset, &asked));
}

#[test]
fn a_split_asks_the_last_interactions_and_an_interrupt_ends_the_run() {
    let dataset = sample::dataset().unwrap();
    let asked = Asked::of(&dataset, Split::Share { share: 0.99 }).unwrap();
    let n = dataset.interactions.len();
    assert_eq!(asked.history.len(), n * 99 / 100);
    assert_eq!(asked.questions.len(), n - asked.history.len());
    assert!(asked.questions.windows(2).all(|pair| (pair[0].at, pair[0].id) < (pair[1].at, pair[1].id)));
    assert!(asked.history_range.unwrap().to < asked.query_range.from);

    let memory = Memory::build(&dataset);
    let setting = Setting {
        policy: Policy::Product,
        weights: Weights::defaults(Policy::Product, &dataset.manifest),
        apart: Apart::default(),
    };
    let cancel = AtomicBool::new(false);
    // Half of the sample: nobody answers thousands of questions before the first one is heard of.
    let asked = Asked::of(&dataset, Split::Share { share: 0.5 }).unwrap();
    let mut heard = 0;
    let outcome = run(&memory, &asked.questions, setting, &cancel, &mut |done| {
        heard = done;
        cancel.store(true, Ordering::Relaxed);
    });
    assert!(matches!(outcome, Err(EvalError::Interrupted)));
    assert!(heard < asked.questions.len(), "{heard}");
}

#[test]
fn options_that_make_no_sense_are_refused_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let data = tiny(dir.path());
    fs::write(dir.path().join("queries.jsonl"), "").unwrap();
    let folder = dir.path().to_str().unwrap();
    let nowhere = dir.path().join("no/such/report.md");
    for (args, expected) in [
        (vec!["--split", "0"], "give a share between 0 and 1"),
        (vec!["--split", "1.5"], "interactions; give a share between 0 and 1 such as 0.8"),
        (vec!["--split", "80"], "interactions; give a share between 0 and 1 such as 0.8"),
        (vec!["--split", "NaN"], "give a share between 0 and 1"),
        (vec!["--data", &data], "'tiny' has no judged query"),
        (vec!["--peers"], "--split <FRACTION>"),
        (vec!["--gap", "-1"], "'-1' is no number of days; give one from 0 up"),
        (vec!["--splt", "0.8"], "unexpected argument '--splt' found; a similar argument exists: '--split'\n"),
        (vec!["--grid"], "unexpected argument '--grid' found\n"),
        (vec!["--seed", "x"], "invalid value 'x' for '--seed <N>': give a whole number\n"),
        (vec!["--seed", "-1"], "invalid value '-1' for '--seed <N>': "),
        (vec!["--split", "most"], "invalid value 'most' for '--split <FRACTION>': give a number\n"),
        (vec!["--out", folder], "is a directory"),
        (vec!["--out", nowhere.to_str().unwrap()], "no/such: "),
    ] {
        let output = logoscope(&[&["eval"], args.as_slice()].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(expected), "{args:?}: {told}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_report_is_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let data = tiny(dir.path());
    let out = dir.path().join("report.json");
    let args = ["eval", "--data", &data, "--format", "json", "--seed", "5"];
    assert_eq!(told(&[&args[..], &["--out", out.to_str().unwrap()]].concat()), "");
    assert_eq!(fs::read_to_string(&out).unwrap(), told(&args));
}

#[test]
fn where_a_report_went_is_told_once_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (rows, more) = (path("rows.json"), ["--model", "none"]);
    for (out, arguments) in [
        (&rows, &["eval", "--limit", "20", "--format", "json", "--rows"][..]),
        (&path("compared"), &["compare", &rows, &rows, "--against", "local"]),
        (&path("audit"), &["audit", "--limit", "20"]),
        (&path("sweep"), &["sweep", "--weight", "prior-strength=1,100"]),
    ] {
        let output = logoscope(&[arguments, &more, &["--out", out]].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && fs::metadata(out).unwrap().len() > 0, "{arguments:?}: {errors}");
        assert_eq!(errors, format!("logoscope: written to {out}\n"), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_evaluation_exits_with_130_and_writes_nothing() {
    interrupted("eval", "evaluation");
    interrupted("audit", "audit");
}

/// Interrupts `command`, which is to call itself `name`.
#[cfg(unix)]
fn interrupted(command: &str, name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let data = tiny(dir.path());
    let manifest = dir.path().join("dataset.toml");
    fs::remove_file(&manifest).unwrap();
    // A pipe in place of a file: when it opens here, the command is reading it and has its handler set.
    assert!(Command::new("mkfifo").arg(&manifest).status().unwrap().success());
    let out = dir.path().join("report.txt");
    // It stops as soon as the data is read: what would be said of the weight after that is not said any more.
    let child = crate::program()
        .args([command, "--data", &data, "--out", out.to_str().unwrap(), "--weight", "model-trust=0.5"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = fs::OpenOptions::new().write(true).open(&manifest).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    pipe.write_all(MANIFEST.as_bytes()).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert_eq!(told, format!("logoscope: the {name} was interrupted; nothing was written\n"));
    assert!(!out.exists());
}

#[test]
fn the_real_subset_gives_the_published_peers() {
    let Some(folder) = std::env::var_os("LOGOSCOPE_REAL_DATA") else {
        eprintln!("skipped: LOGOSCOPE_REAL_DATA does not name a data folder");
        return;
    };
    let file = Path::new(&folder).join("huffpost").join("news_category_v3_subset.jsonl");
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("huffpost");
    let sources = vec![Source::file(&file).unwrap()];
    let watch = Watch { cancel: &AtomicBool::new(false), progress: &mut |_| () };
    import(sources, &mut HuffPost::named("huffpost"), Some(&data), watch).unwrap();
    let data = data.to_str().unwrap();
    let report: Value =
        serde_json::from_str(&told(&["eval", "--data", data, "--split", "0.8", "--peers", "--format", "json"]))
            .unwrap();
    assert_eq!(
        (&report["n"], &report["users"], &report["split"]["history"]["n"]),
        // One of the articles before them is of the first one's day.
        (&1215.into(), &307.into(), &4857.into())
    );
    let rounded = |value: &Value| (value.as_f64().unwrap() * 1000.0).round() as i64;
    let figures = |peer: &str| ["accuracy", "macro_f1"].map(|metric| rounded(&report["peers"][peer][metric]));
    assert_eq!(figures("majority"), [464, 42]);
    assert_eq!(figures("own-mode"), [679, 317]);
    assert_eq!(figures("text"), [699, 253]);
    assert_eq!(figures("text-and-user"), [785, 488]);
    assert_eq!(rounded(&report["peers"]["text-and-user"]["log_loss"]), 780);
    assert_eq!(rounded(&report["arms"]["none"]["accuracy"]), 464);
    let accuracy = |arm: &str| report["arms"][arm]["accuracy"].as_f64().unwrap();
    // With the constants that the import states, none fitted.
    let mediated = &report["arms"]["mediated"];
    assert!(accuracy("mediated") >= 0.805 && mediated["macro_f1"].as_f64().unwrap() >= 0.50, "{mediated}");
    assert!(mediated["log_loss"].as_f64().unwrap() <= 0.69, "{mediated}");
    let paired = report["paired"].as_array().unwrap().iter().find(|p| p["against"] == "text-and-user").unwrap();
    assert!(paired["p"].as_f64().unwrap() < 0.05, "{paired}");
    assert!(accuracy("mediated") > accuracy("local") && accuracy("mediated") > accuracy("global"));
    let moment = |path: &str| report["split"]["queries"][path].as_str().unwrap().parse::<Timestamp>().unwrap().date();
    assert_eq!((moment("from"), moment("to")), ("2021-09-21".to_owned(), "2022-09-23".to_owned()));
}
