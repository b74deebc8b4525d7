//! `logoscope eval` over rolling origins, by lot, as a page and as the gain alone; `logoscope compare`.

use std::fs;
use std::path::Path;
use std::process::Output;

use logoscope::data::dataset::Dataset;
use logoscope::data::draw::Draw;
use logoscope::data::sample;
use logoscope::eval::EvalError;
use logoscope::eval::split::{Asked, Split};
use serde_json::Value;

use crate::population::{interaction, manifest};
use crate::ratings;

fn logoscope(args: &[&str]) -> Output {
    crate::program().args(args).output().unwrap()
}

fn told(args: &[&str]) -> String {
    let output = logoscope(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    // Of a few days no period closes, which is said.
    let harmless = ["logoscope: written to ", "logoscope: no period closes before any query, "];
    let quiet = errors.lines().all(|line| harmless.iter().any(|begin| line.starts_with(begin)));
    assert!(output.status.success() && quiet, "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn object(args: &[&str]) -> Value {
    serde_json::from_str(&told(&[&["eval", "--format", "json"], args].concat())).unwrap()
}

fn refused(args: &[&str], expected: &str) {
    let output = logoscope(args);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
    assert!(told.contains(expected), "{args:?}: {told}");
    assert!(output.stdout.is_empty());
}

/// Twenty people with habits of their own, and words that say something.
fn habits(n: usize) -> Dataset {
    let mut draw = Draw::seeded(11);
    let one = |id: usize| {
        let user = draw.below(20);
        let label = if draw.chance(0.6) { user % 3 } else { draw.below(3) };
        let words = [label * 4 + draw.below(4), draw.below(12)];
        interaction(id, user, 3_600 * id as i64, &words, label)
    };
    Dataset { manifest: manifest(3, 2), interactions: (0..n).map(one).collect(), queries: Vec::new() }
}

/// `dataset` in a folder of `dir`.
fn written(dir: &Path, name: &str, dataset: &Dataset) -> String {
    let folder = dir.join(name);
    fs::create_dir(&folder).unwrap();
    dataset.write(&folder).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn windows_cut_the_queries_of_a_share_with_all_before_as_history() {
    let dataset = sample::dataset().unwrap();
    let whole = Asked::of(&dataset, Split::Share { share: 0.7 }).unwrap();
    let ids = |asked: &Asked| asked.questions.iter().map(|q| q.id.to_owned()).collect::<Vec<_>>();
    for origins in [1, 5, 7] {
        let windows = Asked::windows(&dataset, Split::Rolling { share: 0.7, origins }).unwrap();
        assert_eq!(windows.len(), origins);
        assert_eq!(windows.iter().flat_map(ids).collect::<Vec<_>>(), ids(&whole));
        let sizes: Vec<usize> = windows.iter().map(|asked| asked.questions.len()).collect();
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        let mut history = whole.history.len();
        for window in &windows {
            assert_eq!(window.history.len(), history);
            assert!(window.history_range.unwrap().to < window.query_range.from);
            history += window.questions.len();
        }
    }
    for origins in [0, whole.questions.len() + 1] {
        let outcome = Asked::windows(&dataset, Split::Rolling { share: 0.7, origins });
        assert!(matches!(outcome, Err(EvalError::Origins { .. })));
    }
}

/// The first of two windows, with weights and peers fitted on its history, is what it would be if the second one's
/// interactions did not exist; the whole is what a split says of arms that nothing was fitted for.
#[test]
fn a_window_knows_nothing_of_later_ones() {
    let dir = tempfile::tempdir().unwrap();
    let whole = habits(420);
    let mut past = whole.clone();
    past.interactions.truncate(315);
    let (whole, past) = (written(dir.path(), "whole", &whole), written(dir.path(), "past", &past));
    let two = object(&["--data", &whole, "--split", "0.5", "--origins", "2", "--fit", "--peers"]);
    let one = object(&["--data", &past, "--split", "0.66667", "--origins", "1", "--fit", "--peers"]);
    let windows = two["origins"].as_array().unwrap();
    assert_eq!(windows.len(), 2);
    for field in ["history", "queries", "fitted_on", "weights", "n", "users", "arms", "peers"] {
        assert_eq!(windows[0][field], one["origins"][0][field], "{field}");
    }
    assert_eq!((&windows[0]["n"], &windows[1]["history"]["n"]), (&105.into(), &315.into()));
    assert_ne!(windows[0]["fitted_on"], windows[1]["fitted_on"]);
    assert!(two.get("weights").is_none() && one["split"]["kind"] == "rolling");
    assert_eq!(two["n"], 210);

    let rolling = object(&["--data", &whole, "--split", "0.5", "--origins", "3"]);
    let split = object(&["--data", &whole, "--split", "0.5"]);
    for field in ["n", "users", "arms", "paired", "gain", "pooled", "weights"] {
        assert_eq!(rolling[field], split[field], "{field}");
    }
    // The whole of a window's accuracies is that of the windows, by their sizes.
    let of = |value: &Value| value["arms"]["mediated"]["accuracy"].as_f64().unwrap();
    let windows = rolling["origins"].as_array().unwrap();
    let mean = windows.iter().map(|w| of(w) * w["n"].as_f64().unwrap()).sum::<f64>() / 210.0;
    assert!((mean - of(&rolling)).abs() < 1e-12);
}

#[test]
fn a_rolling_report_tells_every_window_of_every_rival() {
    let dir = tempfile::tempdir().unwrap();
    let data = written(dir.path(), "habits", &habits(420));
    let text = told(&["eval", "--data", &data, "--split", "0.5", "--origins", "3", "--peers"]);
    let start = text.find("Accuracy by window").unwrap();
    let end = text.find("Is mediated at most").unwrap();
    insta::assert_snapshot!("eval_origins", &text[start..end]);
}

#[test]
fn a_lot_is_drawn_from_the_seed_and_said() {
    let dataset = sample::dataset().unwrap();
    let drawn = |n: usize, seed: u64| {
        let mut asked = Asked::of(&dataset, Split::Judged).unwrap();
        let all = asked.questions.len();
        asked.sample(n, seed);
        assert!(asked.questions.windows(2).all(|pair| (pair[0].at, pair[0].id) < (pair[1].at, pair[1].id)));
        assert_eq!(asked.sampled.map(|sampled| (sampled.of, sampled.seed)), (n < all).then_some((all, seed)));
        asked.questions.iter().map(|q| q.id.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(drawn(20, 3).len(), 20);
    assert_eq!(drawn(20, 3), drawn(20, 3));
    assert_ne!(drawn(20, 3), drawn(20, 4));
    assert_eq!(drawn(10_000, 3).len(), 423);
    let text = told(&["eval", "--limit", "20", "--seed", "3"]);
    assert!(text.contains("20 queries of") && text.contains("drawn by lot from 423 queries, seed 3"), "{text}");
}

#[test]
fn the_gain_stands_alone_with_both_figures_and_the_ceiling() {
    let whole = object(&[]);
    let alone = object(&["--gain"]);
    assert_eq!(alone["schema"], "logoscope.gain/1");
    assert_eq!((&alone["metric"], &alone["claim"]), (&"accuracy".into(), &0.1805.into()));
    assert_eq!(alone["gain"], whole["gain"]);
    for gain in alone["gain"].as_array().unwrap() {
        let of = |field: &str| gain[field].as_f64().unwrap();
        assert!((of("relative") - (of("mediated") / of("local") - 1.0)).abs() < 1e-12);
        assert!((of("most") - (of("ceiling") / of("local") - 1.0)).abs() < 1e-12);
        assert!((of("needed") - 1.1805 * of("local")).abs() < 1e-12);
        let ci: Vec<f64> = gain["ci"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert!(ci[0] <= of("relative") && of("relative") <= ci[1]);
    }
    insta::assert_snapshot!("eval_gain", told(&["eval", "--gain"]));
    assert!(told(&["eval", "--gain", "--format", "md"]).starts_with("# Gain over local of film-tags"));
    refused(&["eval", "--gain", "--arms", "local,mediated"], "name all three in --arms");
    refused(&["eval", "--gain", "--format", "csv"], "--gain has no rows");
}

/// The names of open elements; panics where tags do not nest or a character stands raw.
fn well_formed(page: &str) -> usize {
    let mut open: Vec<&str> = Vec::new();
    let mut elements = 0;
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(!text.contains('>') || open.contains(&"style"), "a raw > in {text:?}");
        assert!(text.split('&').skip(1).all(|after| after[..8.min(after.len())].contains(';')), "a raw & in {text:?}");
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        match (tag.strip_prefix('/'), tag.ends_with('/')) {
            (Some(name), _) => assert_eq!(open.pop(), Some(name)),
            (None, true) => elements += 1,
            (None, false) => {
                elements += 1;
                open.push(tag.split_whitespace().next().unwrap());
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?}");
    elements
}

fn numbers(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| numbers(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| numbers(value, found)),
        _ => {}
    }
}

#[test]
fn a_page_is_whole_loads_nothing_and_holds_every_figure() {
    let dir = tempfile::tempdir().unwrap();
    let mut hostile = habits(420);
    hostile.manifest.name = "</title><script>alert('x')</script> & \"y\"".to_owned();
    let data = written(dir.path(), "hostile", &hostile);
    let args = ["--data", &data, "--split", "0.5", "--origins", "2", "--peers"];
    let out = dir.path().join("report.html");
    let to = ["eval", "--format", "html", "--out", out.to_str().unwrap()];
    assert_eq!(told(&[&to[..], &args].concat()), "");
    let page = fs::read_to_string(&out).unwrap();
    assert!(well_formed(&page) > 500);
    assert!(page.contains("&lt;/title&gt;&lt;script&gt;alert(&#39;x&#39;)"));
    for outside in ["<script", "http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("<svg ") && page.contains("prefers-color-scheme:dark") && page.contains("@media print"));
    let mut figures = Vec::new();
    numbers(&object(&args), &mut figures);
    assert!(figures.len() > 500);
    figures.iter().for_each(|figure| assert!(page.contains(&format!("<td>{figure}</td>")), "{figure}"));
    // Nothing is left beside the page.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    for other in ["--ablate", "--gain"] {
        well_formed(&told(&["eval", "--limit", "30", other, "--format", "html"]));
    }
}

/// Two arms of one result, read back from its rows, are what the report itself says of them.
#[test]
fn a_comparison_agrees_with_the_report_it_is_made_of() {
    let dir = tempfile::tempdir().unwrap();
    let rating = ratings_of_many();
    let rating = written(dir.path(), "stars", &rating);
    let labels = written(dir.path(), "habits", &habits(300));
    for (data, headline, others) in
        [(&labels, "accuracy", &["macro_f1", "log_loss"][..]), (&rating, "mae", &["rmse"][..])]
    {
        let file = dir.path().join(format!("{headline}.json"));
        let file = file.to_str().unwrap();
        told(&["eval", "--data", data, "--split", "0.5", "--peers", "--format", "json", "--rows", "--out", file]);
        let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(report["rows"].as_array().unwrap().len() as u64, report["n"].as_u64().unwrap());
        // A head names the weights that act on such a task, and no others.
        let head = told(&["eval", "--data", data, "--split", "0.5"]);
        assert!(head.contains("prior-strength ") && head.contains("community-focus ") == (headline == "accuracy"));
        for paired in report["paired"].as_array().unwrap() {
            let against = paired["against"].as_str().unwrap();
            let found: Value =
                serde_json::from_str(&told(&["compare", file, file, "--against", against, "--format", "json"]))
                    .unwrap();
            assert_eq!((&found["schema"], &found["headline"]), (&"logoscope.compare/1".into(), &headline.into()));
            for field in ["wins", "losses", "p", "p_mcnemar"] {
                assert_eq!(found[field], paired[field], "{against} {field}");
            }
            let near = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9;
            let metrics = found["metrics"].as_array().unwrap();
            for told in paired["difference"].as_array().unwrap() {
                let Some(both) = metrics.iter().find(|both| both["metric"] == told["metric"]) else { continue };
                assert!(near(&both["value"], &told["value"]), "{against}: {both} is not {told}");
                assert!(near(&both["ci"][0], &told["ci"][0]) && near(&both["ci"][1], &told["ci"][1]), "{both} {told}");
            }
            assert_eq!(metrics[0]["metric"], headline);
            assert!(near(&metrics[0]["a"], &report["arms"]["mediated"][headline]));
            let named = metrics.iter().filter(|both| others.iter().any(|other| both["metric"] == **other)).count();
            assert!(named >= 1, "{against}");
        }
    }
}

fn ratings_of_many() -> Dataset {
    let mut draw = Draw::seeded(5);
    let users = ["u", "v", "w", "x", "y"];
    let things = ["a", "b", "c", "d", "e", "f", "g"];
    let rows: Vec<ratings::Row> = (0..120)
        .map(|at| (users[draw.below(5)], at * 3_600, things[draw.below(7)], draw.between(1, 5) as u8 as _))
        .collect();
    ratings::dataset(&rows, 1)
}

#[test]
fn results_that_cannot_be_compared_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let data = written(dir.path(), "habits", &habits(300));
    let result = |name: &str, more: &[&str]| {
        let out = path(name);
        told(&[&["eval", "--data", &data, "--format", "json", "--out", &out], more].concat());
        out
    };
    let whole = result("whole.json", &["--split", "0.8", "--rows"]);
    let less = result("less.json", &["--split", "0.9", "--rows"]);
    let figures = result("figures.json", &["--split", "0.8"]);
    let other = path("other.json");
    let mut turned: Value = serde_json::from_str(&fs::read_to_string(&whole).unwrap()).unwrap();
    let gold = turned["rows"][7]["gold"].as_str().unwrap().to_owned();
    turned["rows"][7]["gold"] = if gold == "y0" { "y1" } else { "y0" }.into();
    fs::write(&other, turned.to_string()).unwrap();
    let changed = |name: &str, field: &str, value: &str| {
        let mut result: Value = serde_json::from_str(&fs::read_to_string(&less).unwrap()).unwrap();
        result[field] = value.into();
        fs::write(path(name), result.to_string()).unwrap();
        path(name)
    };
    let elsewhere = changed("elsewhere.json", "dataset", "product-ratings");
    let later = changed("later.json", "records_hash", "0123456789abcdef");
    let text = path("text.json");
    fs::write(&text, "no result").unwrap();
    for (a, b, expected) in [
        (&whole, &less, "30 are only in"),
        (&less, &whole, "make both with the same --data, --split and --limit"),
        (&whole, &other, "has another gold in each"),
        (&whole, &elsewhere, "elsewhere.json of product-ratings; make both with the same --data\n"),
        (&whole, &later, "in one and 01234567 in the other; make both with the same --data\n"),
        (&whole, &figures, "figures.json: holds no rows, only figures; give a file that"),
        (&text, &whole, "text.json: is no result"),
        (&path("nowhere.json"), &whole, "nowhere.json: "),
    ] {
        refused(&["compare", a, b], expected);
    }
    refused(&["compare", &whole, &whole, "--arm", "majority"], "has no predictor 'majority'; it has global, local");
    refused(&["compare", &whole, &whole, "--format", "csv"], "use --format text, md, html or json");
    refused(&["eval", "--rows"], "use --format json");
    refused(&["eval", "--origins", "3"], "--split");
    refused(&["eval", "--split", "0.9", "--origins", "0"], "cannot be cut into 0 windows");
    let linear = result("linear.json", &["--split", "0.8", "--rows", "--policy", "linear"]);
    let found = told(&["compare", &whole, &linear]);
    assert!(found.contains("60 queries of") && found.contains("policy: A product, B linear"), "{found}");
    let trusting =
        result("trusting.json", &["--split", "0.8", "--rows", "--weight", "local-trust=0.25", "--guard", "3"]);
    let found: Value = serde_json::from_str(&told(&["compare", &trusting, &whole, "--format", "json"])).unwrap();
    let differing = found["differing"].as_array().unwrap();
    let of = |setting: &str| differing.iter().find(|differing| differing["setting"] == setting).unwrap();
    assert_eq!((&of("weights.local-trust")["a"], &of("guard")["a"]), (&0.25.into(), &3.into()));
    let found = told(&["compare", &trusting, &whole]);
    assert!(found.contains("guard: A 3, B 2") && !found.contains("the datasets differ"), "{found}");
    let same = told(&["compare", &whole, &whole]);
    assert!(same.contains("A and B: the difference is not decisive") && same.contains("0/0"), "{same}");
    assert!(!same.contains(": A "), "{same}");
}
