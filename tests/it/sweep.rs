//! `logoscope sweep`: what it prints in each form, that evidence is of the tuning part alone, and what it refuses.

use std::process::Output;

use serde_json::Value;

fn sweep(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::program();
    command.arg("sweep").args(arguments).env_clear().env("HOME", home.path());
    command.output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = sweep(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A short sweep, which the other forms repeat.
const SHORT: [&str; 2] = ["--weight", "prior-strength=1,100"];

#[test]
fn a_curve_is_printed_with_intervals_and_a_verdict() {
    let text = printed(&SHORT);
    assert!(text.starts_with("film-tags · accuracy of mediated by prior-strength · policy product\n"), "{text}");
    assert!(text.contains("tuning part: ") && text.contains("by resampling people"), "{text}");
    assert!(text.contains("present") && text.contains("─●─"), "{text}");
    assert!(text.contains("the present"), "a verdict: {text}");
    assert!(!text.lines().any(|line| line.ends_with(' ')), "{text}");
    let again = printed(&SHORT);
    assert_eq!(text, again, "the same bytes whatever the threads do");
    let ascii = printed(&[&SHORT[..], &["--ascii"]].concat());
    assert!(ascii.is_ascii() && ascii.contains("-o-"), "{ascii}");
}

#[test]
fn every_form_tells_the_same() {
    let object: Value = serde_json::from_str(&printed(&[&SHORT[..], &["--format", "json"]].concat())).unwrap();
    assert_eq!((&object["schema"], &object["part"]), (&"logoscope.sweep/1".into(), &"tuning".into()));
    let points = object["points"].as_array().unwrap();
    // The present value joins the two.
    assert_eq!(points.len(), 3);
    let csv = printed(&[&SHORT[..], &["--format", "csv"]].concat());
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(rows.headers().unwrap().iter().next(), Some("prior-strength"));
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    for (row, point) in rows.iter().zip(points) {
        assert_eq!(row[0].parse::<f64>().unwrap(), point["at"]["prior-strength"].as_f64().unwrap());
        let close = |text: &str, value: &Value| (text.parse::<f64>().unwrap() - value.as_f64().unwrap()).abs() < 1e-12;
        assert!(close(&row[1], &point["value"]) && close(&row[2], &point["ci"][0]) && close(&row[3], &point["ci"][1]));
        assert_eq!(row[4].parse::<bool>().unwrap(), point["present"]);
    }
    let svg = printed(&[&SHORT[..], &["--format", "svg"]].concat());
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && svg.contains("prior-strength"));
    let both = [&SHORT[..], &["--weight", "global-trust=0,2", "--format"]].concat();
    let heat = printed(&[&both[..], &["svg"]].concat());
    assert_eq!(heat.matches("<title>").count(), 9, "three by three cells");
    let text = printed(&[&both[..], &["text"]].concat());
    assert!(text.contains("prior-strength down, global-trust across") && text.contains('*'), "{text}");
}

#[test]
fn the_hold_out_is_swept_only_when_it_is_asked_for() {
    let part = |more: &[&str]| -> (Value, Value) {
        let object: Value =
            serde_json::from_str(&printed(&[&SHORT[..], &["--format", "json"], more].concat())).unwrap();
        (object["part"].clone(), object["queries"].clone())
    };
    let (tuning, held_out) = (part(&[]), part(&["--hold-out"]));
    assert_eq!((&tuning.0, &held_out.0), (&"tuning".into(), &"hold-out".into()));
    assert!(
        tuning.1["to"].as_str().unwrap() < held_out.1["from"].as_str().unwrap(),
        "one ends before the other begins"
    );
    let text = printed(&[&SHORT[..], &["--hold-out"]].concat());
    assert!(text.contains("no held-out queries left to be judged on"), "{text}");
}

#[test]
fn what_cannot_be_swept_is_refused_with_a_reason() {
    for (arguments, told) in [
        (&["--weight", "model-trust"][..], "it acts through a model"),
        (&["--weight", "hysteresis"], "from question to question"),
        (&["--weight", "conflict-threshold"], "no decision depends on it"),
        (&["--weight", "local-trust", "--policy", "shrinkage"], "--weight local-trust changes nothing here"),
        (&["--weight", "local-trust", "--weight", "local-trust=1,2"], "is given twice"),
        (&["--weight", "local-trust=0..4:51", "--weight", "global-trust=0..4:52"], "51 by 51"),
        (
            &["--weight", "local-trust=0..4:201", "--weight", "global-trust=0..4:201"],
            "201 values of local-trust by 201 of global-trust are 40401 points",
        ),
        (&["--weight", "half-life", "--metric", "rmse"], "use one of accuracy, log-loss, macro-f1"),
        (&["--weight", "half-life", "--metric", "beauty"], "'beauty' is no metric of a sweep"),
        (&["--weight", "omega"], "'omega' is no weight"),
        (&["--weight", "local-trust=0..9"], "its range is 0 to 4"),
        (&["--weight", "local-trust=0..4:1"], "is no number of points"),
        (&["--weight", "half-life", "--split", "2"], "give a share between 0 and 1"),
        (&[], "--weight"),
    ] {
        let output = sweep(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told) && output.stdout.is_empty(), "{arguments:?}: {error}");
        assert!(error.lines().count() <= 3, "{error}");
    }
}

/// Ratings are read by thing: neither communities nor how unlike a history a question is have a part in them.
#[test]
fn what_a_rating_does_not_hang_on_is_not_swept() {
    let ratings = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-data/product-ratings");
    for weight in ["community-focus=0..1:3", "skew-damping=0,1"] {
        let output = sweep(&["--data", ratings, "--policy", "product", "--weight", weight]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{weight}: {error}");
        assert!(error.contains("changes nothing here: ") && output.stdout.is_empty(), "{weight}: {error}");
    }
}
