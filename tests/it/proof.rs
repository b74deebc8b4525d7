//! The evaluation export: what could have been known, and controls that change one thing each.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

fn exported(path: &Path) -> (Vec<String>, Vec<Value>) {
    written("synth --seed 9001 --users 40 --communities 2 --rows 3 --evaluation --export-prompts", path)
}

fn written(line: &str, path: &Path) -> (Vec<String>, Vec<Value>) {
    let output = crate::program().args(line.split(' ')).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(path).unwrap();
    let mut values = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let labels = serde_json::from_value(values.next().unwrap()["labels"].clone()).unwrap();
    (labels, values.collect())
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

fn shares(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// A label as it stands in a prompt before a share or a bar.
fn renamed(line: &str, labels: &[String], permutation: &[usize]) -> String {
    let tag = |word: &str, end: &str| {
        let place = labels.iter().position(|label| label == word);
        place.map_or_else(|| format!("{word}{end}"), |place| format!("{}{end}", labels[permutation[place]]))
    };
    let heading = line.strip_prefix("others: ").and_then(|heading| heading.split_once(": "));
    let said = match heading {
        Some((_, said)) => said,
        None => match line.strip_prefix("- ").or_else(|| line.strip_prefix("own: ")) {
            Some(said) => said,
            None => return line.to_owned(),
        },
    };
    let before = &line[..line.len() - said.len()];
    let (said, rest) =
        said.split_once(" | ").map_or((said, String::new()), |(said, rest)| (said, format!(" | {rest}")));
    let part = |part: &str| match part.rsplit_once(' ') {
        Some((label, share)) if share.parse::<u32>().is_ok() => tag(label, &format!(" {share}")),
        _ => tag(part, ""),
    };
    format!("{before}{}{rest}", said.split(", ").map(part).collect::<Vec<_>>().join(", "))
}

#[test]
fn every_control_changes_one_thing_and_every_reference_is_a_distribution() {
    let dir = tempfile::tempdir().unwrap();
    let (labels, rows) = exported(&dir.path().join("e.jsonl"));
    let of = |row: &Value| (row["asked"].as_u64(), text(row, "arm").to_owned());
    let bases: HashMap<_, &Value> =
        rows.iter().filter(|row| row["control"].is_null()).map(|row| (of(row), row)).collect();
    assert_eq!(rows.iter().filter(|row| row["control"].is_null()).count(), bases.len(), "no question twice");

    let mut met: HashMap<&str, usize> = HashMap::new();
    let (mut moved, mut aged) = (0, 0);
    for row in &rows {
        let (control, base) = (text(row, "control"), bases[&of(row)]);
        *met.entry(control).or_default() += 1;
        let known = ["printed", "whole"].iter().filter_map(|kind| row["bayes"].get(kind)).chain(row.get("memory"));
        for p in known.map(shares) {
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{p:?}");
            assert!(p[labels.iter().position(|label| label == text(base, "answer")).unwrap()] > 0.0);
        }
        let (now, then): (Vec<&str>, Vec<&str>) =
            (text(row, "prompt").lines().collect(), text(base, "prompt").lines().collect());
        let changed: Vec<usize> = (0..now.len().min(then.len())).filter(|line| now[*line] != then[*line]).collect();
        match control {
            "" => {
                assert!(row["bayes"].is_object() && changed.is_empty());
                assert_eq!(row["memory"].is_array(), ["global", "mediated"].contains(&text(row, "arm")));
            }
            "flip" => {
                let own: Vec<&usize> = changed.iter().filter(|line| now[**line].starts_with("- ")).collect();
                assert_eq!(own.len(), 1, "{now:?}\n{then:?}");
                let rest = |line: &str| line.split_once(" | ").unwrap().1.to_owned();
                assert_eq!(rest(now[*own[0]]), rest(then[*own[0]]), "text, age and nearness stay");
                moved += usize::from(row["bayes"]["printed"] != base["bayes"]["printed"]);
            }
            "age" => {
                assert_eq!(changed.len(), 1, "{now:?}\n{then:?}");
                let parts = |line: &str| line.split(" | ").map(str::to_owned).collect::<Vec<_>>();
                let (now, then) = (parts(now[changed[0]]), parts(then[changed[0]]));
                assert!(now[2] != then[2] && now[..2] == then[..2] && now[3..] == then[3..], "{now:?}");
                // Age says on which side of a move a memory lies, and somebody who was hardly here has not moved.
                let p = [row, base].map(|row| shares(&row["bayes"]["printed"]));
                let apart = p[0].iter().zip(&p[1]).map(|(now, then)| (now - then).abs()).fold(0.0, f64::max);
                let error = [row, base].map(|row| row["bayes"]["error"].as_f64().unwrap()).iter().sum::<f64>();
                if text(row, "kind") == "cold-start" {
                    assert!(apart < 6.0 * error + 0.01, "{apart} with errors of {error}: {now:?}");
                } else {
                    aged += usize::from(apart > error);
                }
            }
            "order" => {
                let sorted = |lines: &[&str]| {
                    let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
                    lines.sort();
                    lines
                };
                assert!(changed.len() > 1 && sorted(&now) == sorted(&then));
            }
            "text" => assert_eq!(changed, [0], "{now:?}\n{then:?}"),
            "permute" | "permute-theme" => {
                let permutation: Vec<usize> = serde_json::from_value(row["permutation"].clone()).unwrap();
                let expected: Vec<String> = then.iter().map(|line| renamed(line, &labels, &permutation)).collect();
                assert_eq!(now, expected);
                let answer = labels.iter().position(|label| label == text(base, "answer")).unwrap();
                assert_eq!(text(row, "answer"), labels[permutation[answer]]);
            }
            "swap-local" => assert!(row["bayes"].is_null()),
            "swap-global" => assert!(row["bayes"].is_object()),
            other => panic!("{other}"),
        }
    }
    let known = ["", "flip", "age", "order", "text", "permute", "permute-theme", "swap-local", "swap-global"];
    assert!(known.iter().all(|control| met.contains_key(control)), "{met:?}");
    assert!(moved * 2 > met["flip"], "{moved} of {} flips move the reference", met["flip"]);
    assert!(aged > 0, "no age moves the reference");
    let none = rows.iter().filter(|row| text(row, "arm") == "none").map(|row| shares(&row["bayes"]["printed"]));
    assert!(none.map(|p| p.into_iter().filter(|p| *p > 0.0).collect::<Vec<_>>()).all(|p| p.iter().all(|q| *q == p[0])));
}

#[test]
fn an_export_is_a_function_of_its_seed() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(exported(&dir.path().join("a")), exported(&dir.path().join("b")));
}

/// A row to learn from says what Bayes' rule expects, and that is as often right, and as surprising, as it promises.
#[test]
fn what_is_learned_from_is_what_can_be_expected() {
    let dir = tempfile::tempdir().unwrap();
    let (labels, rows) = written("synth --seed 9001 --rows 400 --export-prompts", &dir.path().join("t"));
    assert_eq!(rows.len(), 400);
    let (mut n, mut off, mut judged, mut swapped) = (0.0, 0.0, 0, 0);
    for row in &rows {
        let (fits, p): (Vec<usize>, Vec<f64>) =
            (serde_json::from_value(row["fits"].clone()).unwrap(), shares(&row["chances"]));
        assert!(fits.len() == p.len() && (p.iter().sum::<f64>() - 1.0).abs() < 1e-3, "{p:?}");
        let answered = fits.iter().position(|tag| labels[*tag] == text(row, "answer")).unwrap();
        assert!(p[answered] > 0.0);
        if text(row, "arm") == "none" {
            assert!(p.iter().all(|q| (q - p[0]).abs() < 1e-9), "{p:?}: a prompt without memory tells of no habit");
        } else {
            n += 1.0;
            off += p[answered] - p.iter().map(|q| q * q).sum::<f64>();
        }
        judged += usize::from(text(row, "query").starts_with('q'));
        swapped += usize::from(text(row, "swap") == "global");
    }
    // Three standard errors of a share at most.
    assert!((off / n).abs() < 1.5 / f64::sqrt(n), "{off} of {n}");
    assert!((80..160).contains(&judged), "{judged} judged queries: three in ten");
    assert!(swapped > 10, "{swapped}");
}
