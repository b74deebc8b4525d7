//! Whoever reads what a command prints may stop reading: no command takes that for a failure, or dies of it.

use std::process::Stdio;

use logoscope::data::sample;

#[test]
fn a_closed_pipe_ends_no_command_with_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (dataset, _) = logoscope::data::synth::population(&logoscope::data::synth::Parameters {
        seed: 9001,
        users: 20,
        ..Default::default()
    });
    dataset.write(&data).unwrap();
    let (name, bytes) = sample::sessions().into_iter().next().unwrap();
    let session = dir.path().join(name);
    std::fs::write(&session, bytes).unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (data, session, stores) = (path("data"), session.to_str().unwrap().to_owned(), path("stores"));
    let of_store = |action: &str| vec!["store".into(), action.into(), "--data".into(), data.clone()];
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let with =
        |text: &str, more: &[&String]| words(text).into_iter().chain(more.iter().map(|s| (*s).clone())).collect();
    let commands: Vec<Vec<String>> = vec![
        of_store("path"),
        of_store("build"),
        of_store("verify"),
        of_store("log"),
        of_store("compact"),
        of_store("remove"),
        with("synth --seed 9002 --out", &[&path("made")]),
        with("scenario gallery --model none --out", &[&path("gallery.jsonl")]),
        with("replay --redact --out", &[&path("redacted.jsonl"), &session]),
        with("replay", &[&session]),
        with("export --html", &[&path("page.html"), &session]),
        with("export --cast", &[&path("page.cast"), &session]),
        words("doctor --model none"),
        words("config print"),
        words("generate man"),
        words("ask --model none --user u001 --query dragons"),
    ];
    for arguments in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = crate::program();
        command.args(&arguments).arg("--store").arg(&stores).stdin(Stdio::null()).stdout(writer);
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code().is_some_and(|code| code == 0) && !told.contains("panicked"),
            "{arguments:?} {told}"
        );
    }
}
