//! `logoscope audit`: what it prints in each form, that a case opens as it is told, gates and their exit codes, and what it
//! refuses.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

fn logoscope(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::program();
    command.args(arguments).env_clear().env("HOME", home.path());
    command.output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = logoscope(&[&["audit"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn object(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(&[arguments, &["--format", "json"]].concat())).unwrap()
}

#[test]
fn the_sample_is_audited_in_lines_that_a_narrow_terminal_holds() {
    let text = printed(&["--cases", "3"]);
    assert!(text.starts_with("film-tags · predictor memory · policy product · 423 queries of 240 people\n"), "{text}");
    for told in [
        "In short, of the mediated arm",
        "gate guard 5: held; 0 of ",
        "Groups by activity",
        "By taste: accuracy",
        "By skew: popularity lift",
        "  of everybody who remembers something: 10 of 137 right local answers",
        "  of people who differ: 9 of 108 right local answers",
        "Right local answers given up, wrong ones rescued",
        "everybody: who remembers something at the query, as at 350 of 423;",
        "What local memory changes",
        "Guard of 5 contributors",
        "Overruled though right: 3 of ",
        "  dataset film-tags\n    ",
        "--by attribute:NAME",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    let opens = text.lines().filter(|line| line.contains("logoscope ask --model none --user ")).count();
    assert_eq!(opens, 3, "{text}");
    let wide = text.lines().filter(|line| line.chars().count() > 80 && !line.contains("logoscope ask "));
    assert_eq!(wide.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(!text.lines().any(|line| line.ends_with(' ')) && !text.contains('\u{1b}'));
    assert_eq!(text, printed(&["--cases", "3"]), "the same bytes whatever the threads do");
}

#[test]
fn figures_agree_with_each_other_and_with_an_evaluation() {
    let audit = object(&["--by", "activity,community,taste"]);
    assert_eq!((&audit["schema"], &audit["n"]), (&"logoscope.audit/1".into(), &423.into()));
    let dimensions = audit["dimensions"].as_array().unwrap();
    assert_eq!(dimensions.len(), 3);
    for dimension in dimensions {
        let of = |field: &str| dimension.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        let n = |group: &Value| group["n"].as_u64().unwrap();
        let told: u64 = of("groups").iter().map(n).sum();
        assert_eq!(told + of("left_out").iter().map(n).sum::<u64>(), 423, "{dimension}");
        for group in of("groups") {
            assert!(group["users"].as_u64().unwrap() >= 5 && n(&group) >= 10, "{group}");
        }
        for left in of("left_out") {
            assert!(!left["reason"].as_str().unwrap().is_empty());
        }
    }
    let output = logoscope(&["eval", "--format", "json", "--rows"]);
    let eval: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Activity leaves nobody out here, so right answers add up to those of the evaluation.
    for arm in ["none", "local", "global", "mediated"] {
        let groups = dimensions[0]["groups"].as_array().unwrap();
        let scores = dimensions[0]["arms"][arm].as_array().unwrap();
        let right = groups.iter().zip(scores).map(|(group, of)| {
            let (n, score) = (group["n"].as_f64().unwrap(), &of["score"]);
            let (value, ci) = (score["value"].as_f64().unwrap(), &score["ci"]);
            assert!(ci[0].as_f64().unwrap() <= value && value <= ci[1].as_f64().unwrap(), "{score}");
            n * value
        });
        let accuracy = right.sum::<f64>() / 423.0;
        assert!((accuracy - eval["arms"][arm]["accuracy"].as_f64().unwrap()).abs() < 1e-9, "{arm}");
    }
    // Who remembers nothing has nothing that could be given up.
    let rows = eval["rows"].as_array().unwrap().iter().filter(|row| row["visible"].as_u64().unwrap() > 0);
    let is_right = |row: &Value, arm: &str| row["answers"][arm]["answer"] == row["gold"];
    let of = |local: bool, mediated: bool| {
        rows.clone().filter(|row| (is_right(row, "local"), is_right(row, "mediated")) == (local, mediated)).count()
    };
    let all = &audit["overruled"][0];
    assert_eq!(all["suppressed"]["n"], of(true, false));
    assert_eq!(all["rescued"]["n"], of(false, true));
    assert_eq!(all["suppressed"]["of"], of(true, false) + of(true, true));
    assert_eq!(audit["overridden_right"], of(true, false));
    assert!(all["n"].as_u64().unwrap() < 423, "somebody remembers nothing");
    let guarded = &audit["guarded"];
    assert_eq!((&guarded["guard"], &guarded["below"]), (&5.into(), &0.into()));
    assert!(guarded["least"].as_u64().unwrap() >= 5 && guarded["entries"] == guarded["recounted"], "{guarded}");
}

#[test]
fn a_case_opens_as_it_is_told() {
    let audit = object(&["--cases", "2", "--by", "activity"]);
    let cases = audit["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    assert!(cases[0]["harm"].as_f64().unwrap() >= cases[1]["harm"].as_f64().unwrap());
    let case = &cases[0];
    let text = |field: &str| case[field].as_str().unwrap();
    let arguments = [
        "ask",
        "--model",
        "none",
        "--user",
        text("user"),
        "--at",
        text("at"),
        "--query",
        text("query"),
        "--format",
        "json",
    ];
    let words = format!("logoscope ask --model none --user {} --at {} --query ", text("user"), text("at"));
    assert!(text("open").starts_with(&words), "{case}");
    let asked: Value = serde_json::from_slice(&logoscope(&arguments).stdout).unwrap();
    for (arm, answer, p) in [("local", "right", "p_local"), ("mediated", "mediated", "p_mediated")] {
        assert_eq!(asked["arms"][arm]["answer"], case[answer], "{case}");
        let told = asked["arms"][arm]["distribution"][text("right")].as_f64().unwrap();
        assert!((told - case[p].as_f64().unwrap()).abs() < 1e-9, "{case}");
    }
}

#[test]
fn gates_decide_the_exit_code_and_name_themselves() {
    let run = |arguments: &[&str]| {
        let output = logoscope(&[&["audit", "--by", "activity"], arguments].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, errors, text) = run(&["--max-gap", "1", "--max-suppression", "1"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{text}");
    assert!(text.contains("gate --max-gap 1: held") && text.contains("gate --max-suppression 1: held"), "{text}");
    let (code, errors, _) = run(&["--limit", "1", "--max-gap", "0.1"]);
    assert_eq!((code, errors.lines().count()), (Some(0), 1), "{errors}");
    assert!(
        errors.starts_with("logoscope: gate --max-gap 0.1 was not judged, and so did not fail: no group"),
        "{errors}"
    );
    // The guard, which nobody has to ask for, does not answer for what could not be judged.
    let (code, errors, told) = run(&["--limit", "5", "--max-gap", ".1", "--max-suppression", ".1", "--format", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, errors.lines().count(), &told["passed"]), (Some(0), 2, &Value::Null), "{errors}");
    assert_eq!(told["gates"][0]["verdict"], "held");
    // Somebody who was right is overruled in any case.
    let (code, errors, text) = run(&["--max-suppression", "0"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        errors.starts_with("logoscope: gate --max-suppression 0 failed: ") && errors.lines().count() == 1,
        "{errors}"
    );
    assert!(text.contains("gate --max-suppression 0: FAILED"), "a failed gate is reported in full: {text}");
}

#[test]
fn every_form_tells_the_same() {
    let object = object(&[]);
    let csv = printed(&["--format", "csv"]);
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let first = &object["dimensions"][0]["arms"]["mediated"][0];
    let row = |figure: &str| {
        let mediated = |row: &&csv::StringRecord| &row[0] == "activity" && &row[2] == "mediated" && &row[3] == figure;
        rows.iter().find(mediated).unwrap().clone()
    };
    assert_eq!(row("accuracy")[6].parse::<f64>().unwrap(), first["score"]["value"].as_f64().unwrap());
    assert_eq!(row("lift")[7].parse::<f64>().unwrap(), first["lift"]["ci"][0].as_f64().unwrap());
    // Entropy is told as it is, variety as what is left of it; the docs name every field.
    let of = |figure: &str| row(figure)[6].parse::<f64>().unwrap();
    assert!((of("variety") - (of("entropy") - of("gold_entropy"))).abs() < 1e-9);
    assert!((first["variety"]["value"].as_f64().unwrap() - of("variety")).abs() < 1e-9);
    let docs = include_str!("../../docs/evaluation.md");
    let figures = docs.split("| figure | JSON and CSV | definition |").nth(1).unwrap().split("\n\n").next().unwrap();
    let fields = first.as_object().unwrap().keys().map(String::as_str).filter(|field| *field != "group");
    for field in fields.chain(["gold_entropy", "miscalibration", "gap"]) {
        assert!(figures.contains(&format!("`{field}`")), "{field}");
    }
    let markdown = printed(&["--format", "md"]);
    assert!(markdown.starts_with("# Audit of film-tags\n") && markdown.contains("## By taste: accuracy"), "{markdown}");
    assert!(markdown.contains("of everybody who remembers something: ") && markdown.contains("as at 350 of 423; "));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("audit.html");
    let told = printed(&["--format", "html", "--out", out.to_str().unwrap()]);
    let page = fs::read_to_string(out).unwrap();
    assert!(
        told.is_empty()
            && page.contains("<title>Audit of film-tags</title>")
            && page.contains("overruled[0].suppressed.n")
    );
}

#[test]
fn other_tasks_are_audited_by_their_own_measure() {
    let sample = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data").join(name);
    let ratings = object(&["--data", sample("product-ratings").to_str().unwrap(), "--max-gap", "2"]);
    let guarded = &ratings["guarded"];
    assert!(guarded["entries"].as_u64().unwrap() > 0 && guarded["entries"] == guarded["recounted"], "{guarded}");
    assert_eq!((&ratings["headline"], &ratings["passed"]), (&"mae".into(), &true.into()));
    let headlines = sample("headlines");
    let text = object(&["--data", headlines.to_str().unwrap()]);
    assert_eq!((&text["headline"], &text["right_is"]), (&"accuracy".into(), &"form".into()));
    assert_eq!((&ratings["right_is"], &object(&["--cases", "1"])["right_is"]), (&"score".into(), &"label".into()));
    let text = printed(&["--data", headlines.to_str().unwrap()]);
    assert!(text.contains("accuracy .8: eight of ten answers have the right form"), "{text}");
    assert!(text.contains("of texts right is the form, such as a question or a list, whatever the words"), "{text}");
}

#[test]
fn people_are_grouped_by_what_their_interactions_say_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/film-tags");
    for file in ["dataset.toml", "interactions.jsonl", "queries.jsonl"] {
        let text = fs::read_to_string(sample.join(file)).unwrap();
        let with = |line: &str| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            let north = record["user"].as_str().unwrap() < "u120";
            record["region"] = if north { "north" } else { "\u{1b}[31msouth" }.into();
            record.to_string() + "\n"
        };
        let text = if file == "dataset.toml" { text } else { text.lines().map(with).collect() };
        fs::write(dir.path().join(file), text).unwrap();
    }
    let data = dir.path().to_str().unwrap();
    let audit = object(&["--data", data, "--by", "attribute:region"]);
    let names: Vec<&str> =
        audit["dimensions"][0]["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["␛[31msouth", "north"]);
    let output = logoscope(&["audit", "--data", data, "--by", "attribute:item"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2) && error.contains("attributes of people in this dataset: region"),
        "{error}"
    );
    let output =
        logoscope(&["audit", "--data", data, "--by", "attribute:region", "--max-gap", "0", "--format", "text"]);
    assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
}

#[test]
fn what_cannot_be_audited_is_refused_with_a_reason() {
    let ratings = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/product-ratings");
    let ratings = ratings.to_str().unwrap();
    for (arguments, told) in [
        (&["--by", "colour"][..], "'colour' is no group; use some of activity, taste, skew, community, attribute:NAME"),
        (&["--by", "attribute:region"], "no interaction carries 'region'; attributes of people in this dataset: none"),
        (&["--by", "attribute:"], "'attribute:' is no group"),
        (&["--data", ratings, "--by", "community"], "a rating task has no communities"),
        (&["--data", ratings, "--by", "attribute:attributes"], "is no attribute of people"),
        (&["--max-gap", "1.5"], "--max-gap 1.5 is more than accuracy can differ"),
        (
            &["--data", ratings, "--max-gap", "9"],
            "an error can differ on a scale from 1 to 5; give a number from 0 to 4",
        ),
        (&["--max-gap", "much"], "'much' is no gap"),
        (&["--max-gap", "nan"], "'nan' is no gap"),
        (&["--max-suppression", "1.2"], "'1.2' is no share; give a number from 0 to 1"),
        (&["--split", "2"], "give a share between 0 and 1"),
        (&["--predictor", "model", "--model", "none"], "use --predictor memory"),
        (&["--policy", "prompt"], "only rules are weighed here"),
    ] {
        let output = logoscope(&[&["audit"], arguments].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told) && output.stdout.is_empty(), "{arguments:?}: {error}");
        assert!(error.lines().count() <= 3, "{error}");
    }
}
