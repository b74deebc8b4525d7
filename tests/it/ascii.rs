//! With `--ascii` whatever a command tells people is ASCII, and what programs read stays as it is.

use std::process::Output;

const WORDS: &str = "A retired diver maps the drowned streets";
const RECORDED: &str = "sample-data/sessions/cold-start.jsonl";

fn logoscope(arguments: &[&str]) -> Output {
    crate::program().args(arguments).output().unwrap()
}

#[test]
fn what_people_read_is_ascii_when_they_ask_for_it() {
    for arguments in [
        &["eval", "--limit", "20"][..],
        &["audit", "--limit", "20"],
        &["sweep", "--weight", "prior-strength=1,100", "--weight", "global-trust=0,2"],
        &["ask", "--model", "none", "--user", "u017", "--query", WORDS],
        &["why-not", "--model", "none", "--user", "u017", "--query", WORDS, "p5-c2-3"],
        &["replay", RECORDED],
        &["diff", RECORDED, RECORDED],
        &["scenario", "ladder", "--queries", "20", "--model", "none"],
        &["doctor", "--data", "Zürich·", "--model", "none"],
    ] {
        let (usual, plain) = (logoscope(arguments), logoscope(&[arguments, &["--ascii"]].concat()));
        let told = String::from_utf8(plain.stdout).unwrap();
        let errors = String::from_utf8(plain.stderr).unwrap();
        assert!(told.is_ascii() && errors.is_ascii() && told.len() > 40, "{arguments:?}: {told}{errors}");
        // A sign for a sign: what stood in columns stands in columns.
        let lines = |text: &str| text.lines().map(|line| line.chars().count()).collect::<Vec<_>>();
        assert_eq!(lines(&told), lines(&String::from_utf8(usual.stdout).unwrap()), "{arguments:?}");
    }
}

#[test]
fn messages_are_ascii_too() {
    let refused = logoscope(&["eval", "--data", "Zürich", "--ascii"]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && told.is_ascii() && told.contains("Z?rich"), "{told}");
}

#[test]
fn what_programs_read_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    for form in ["md", "json", "csv", "html"] {
        let out = dir.path().join(form);
        let to_file = ["--out", out.to_str().unwrap()];
        let usual = logoscope(&["eval", "--limit", "20", "--format", form]);
        let plain = logoscope(&[&["eval", "--limit", "20", "--format", form, "--ascii"][..], &to_file].concat());
        assert!(usual.status.success() && plain.status.success(), "{form}");
        assert_eq!(std::fs::read(&out).unwrap(), usual.stdout, "{form}");
    }
    let out = dir.path().join("text");
    assert!(logoscope(&["eval", "--limit", "20", "--ascii", "--out", out.to_str().unwrap()]).status.success());
    assert!(std::fs::read(&out).unwrap().is_ascii(), "a text is for people, in a file too");
}
