//! CSV, MovieLens, packed inputs, tasks by map, and imports larger than the memory they may take.

use std::fs;
use std::io::{Cursor, Read, Write as _};
use std::path::Path;
use std::process::Output;
use std::sync::atomic::AtomicBool;

use logoscope::data::dataset::{Dataset, TaskKind};
use logoscope::data::import::mapped::{Answers, FieldMap, Mapped};
use logoscope::data::import::{Delimiter, ImportError, Reason, Report, Source, Syntax, Watch, import, movielens};
use logoscope::data::scale::Scale;
use proptest::prelude::*;
use serde_json::{Value, json};

const COMMA: Syntax = Syntax::Csv { delimiter: Delimiter::COMMA, header: true };

fn imported(
    syntax: Syntax,
    answers: Answers,
    map: &str,
    bytes: &[u8],
    out: Option<&Path>,
) -> Result<Report, ImportError> {
    let mut mapping = Mapped::new("small", "rows", syntax, answers, map.parse::<FieldMap>().unwrap());
    let sources = vec![Source::new("rows", Cursor::new(bytes.to_vec()))];
    import(sources, &mut mapping, out, Watch { cancel: &AtomicBool::new(false), progress: &mut |_| () })
}

fn counts(report: &Report) -> Vec<(Reason, u64)> {
    report.rejected.iter().map(|(reason, rejected)| (*reason, rejected.count)).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
    packed
}

#[test]
fn every_row_of_a_table_has_a_fate() {
    let text = "who,when,,text,tag,mood\r\n\
                ann,2024-03-01,x,\"one, and\r\nmore\",a,calm\r\n\
                bo,1709251200,x,two,b,\r\n\
                \r\n\
                ,1,x,q,a,m\r\n\
                ann,soon,x,q,a,m\r\n\
                ann,1,x,,a,m\r\n\
                ann,1,x,q\r\n\
                ann,1,x,q,a,m,more\r\n\
                ann,1,x,q,,m\r\n";
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend(b"ann,1,x,\xff,a,m\r\n");
    let dir = tempfile::tempdir().unwrap();
    for (number, map) in [
        "user=who,at=when,query=text,response=tag",
        "user=1,at=2,query=4,response=5",
        "user=1,at=when,query=text,response=5",
    ]
    .into_iter()
    .enumerate()
    {
        let out = dir.path().join(number.to_string());
        let report = imported(COMMA, Answers::Labels, map, &bytes, Some(&out)).unwrap();
        assert_eq!((report.read, report.kept, report.bytes), (9, 2, bytes.len() as u64), "{map}");
        assert_eq!(
            counts(&report),
            [
                (Reason::NotUtf8, 1),
                (Reason::FieldCount, 2),
                (Reason::NoUser, 1),
                (Reason::BadTime, 1),
                (Reason::NoQuery, 1),
                (Reason::NoResponse, 1),
            ]
        );
        let first = &report.rejected[&Reason::FieldCount].first;
        assert_eq!((first.line, first.text.as_str()), (9, "ann,1,x,q"));
        let dataset = Dataset::open(&out).unwrap();
        let first = &dataset.interactions[0];
        assert_eq!(
            (first.user.as_str(), first.query.as_str(), first.response.as_str()),
            ("ann", "one, and\r\nmore", "a")
        );
        assert_eq!(json!(first.extra), json!({"3": "x", "mood": "calm"}));
    }
}

#[test]
fn tables_without_a_header_and_with_other_delimiters_are_read() {
    let headless = Syntax::Csv { delimiter: "tab".parse().unwrap(), header: false };
    let report =
        imported(headless, Answers::Labels, "user=1,at=2,query=3,response=4", b"u\t1\tq\ta\nu\t2\tq\tb\n", None)
            .unwrap();
    assert_eq!((report.read, report.kept), (2, 2));
    let semicolon = Syntax::Csv { delimiter: ";".parse().unwrap(), header: true };
    // A column that is called by a number is meant before the column of that number.
    let report =
        imported(semicolon, Answers::Labels, "user=2,at=t,query=q,response=y", b"t;q;y;2\n1;q;a;x\n2;q;b;x\n", None)
            .unwrap();
    assert_eq!((report.kept, report.users), (2, 1));
    for (map, expected) in [
        ("user=who,at=t,query=q,response=y", "--map user=who: no record has the field 'who'; it has 2, q, t, y"),
        ("user=9,at=t,query=q,response=y", "--map user=9: no record has the field '9'"),
        ("user=0,at=t,query=q,response=y", "--map user=0: no record has the field '0'"),
    ] {
        let message = imported(semicolon, Answers::Labels, map, b"t;q;y;2\n1;q;a;x\n", None).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    // Read by another delimiter than its own it has one column, whatever its rows hold.
    for (syntax, part, expected) in [
        (COMMA, ";", "--map user=who: the first row is only one column: is --delimiter ';' meant?"),
        (COMMA, "\t", "is --delimiter tab meant?"),
        (COMMA, "|", "is --delimiter '|' meant?"),
        (semicolon, ",", "is --delimiter ',' meant?"),
    ] {
        for said in ["one", "one, two"] {
            let text = ["who", "t", "q", "y\nann", "1", said, "a\n"].join(part);
            let message = imported(syntax, Answers::Labels, "user=who,at=t,query=q,response=y", text.as_bytes(), None);
            let message = message.unwrap_err().to_string();
            assert!(message.contains(expected) && !message.contains("ann"), "{message}");
        }
    }
    let message = imported(COMMA, Answers::Labels, "user=who,at=t,query=q,response=y", b"odd\n1\n", None).unwrap_err();
    assert!(message.to_string().contains("no record has the field 'who'; it has odd"), "{message}");
    let message =
        imported(COMMA, Answers::Labels, "user=a;b,at=a;b,query=a;b,response=a;b", b"a;b\n1\n", None).unwrap_err();
    assert!(matches!(message, ImportError::Labels { .. }), "what is mapped is there: {message}");
    for text in ["", "a,b\n", "\n\n"] {
        let error =
            imported(COMMA, Answers::Labels, "user=a,at=a,query=a,response=a", text.as_bytes(), None).unwrap_err();
        assert!(matches!(error, ImportError::NoRow), "{text:?}: {error}");
    }
}

#[test]
fn scores_and_texts_are_mapped_too() {
    let rows: Vec<String> = ["4", "4.0", "0.5", "4.2", "six", "5.5"]
        .iter()
        .map(|y| json!({"user": "u", "at": 1, "query": "q", "response": y}).to_string())
        .collect();
    let map = "user=user,at=at,query=query,response=response";
    let dir = tempfile::tempdir().unwrap();
    let stars = Scale { low: 0.5, high: 5.0, step: 0.5 };
    let out = dir.path().join("stars");
    let report =
        imported(Syntax::JsonLines, Answers::Scores(stars), map, rows.join("\n").as_bytes(), Some(&out)).unwrap();
    assert_eq!((report.task, report.kept, counts(&report)), (TaskKind::Rating, 3, vec![(Reason::OffScale, 3)]));
    assert_eq!(json!(report.labels), json!({"0.5": 1, "4": 2}));
    assert_eq!(report.rejected[&Reason::OffScale].first.text, "4.2");
    assert!(report.notes.concat().starts_with("no row has an object 'attributes', so no thing is like another one"));
    let row = json!({"user": "u", "at": 1, "query": "q", "response": 4, "attributes": {"year": 1995}}).to_string();
    let report = imported(Syntax::JsonLines, Answers::Scores(stars), map, row.as_bytes(), None).unwrap();
    assert_eq!(report.notes, [""; 0]);
    let dataset = Dataset::open(&out).unwrap();
    assert_eq!((dataset.manifest.scale, dataset.manifest.responses().len()), (Some(stars), 10));

    // More texts than any label set: they are not counted one by one.
    let rows: Vec<String> = (0..300)
        .map(|n| json!({"user": "u", "at": n, "query": "q", "response": format!("text {n}")}).to_string())
        .collect();
    let out = dir.path().join("texts");
    let report = imported(Syntax::JsonLines, Answers::Texts, map, rows.join("\n").as_bytes(), Some(&out)).unwrap();
    assert_eq!((report.task, report.kept, report.labels.len()), (TaskKind::Text, 300, 0));
    assert_eq!(Dataset::open(&out).unwrap().manifest.task, TaskKind::Text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_table_row_is_lost(
        rows in proptest::collection::vec(proptest::collection::vec(prop_oneof![
            Just("a".to_owned()), Just("b".to_owned()), Just("7".to_owned()), Just("\"x,\n\"\"y\"".to_owned()),
            Just(String::new()), Just("\"".to_owned()), "[ -~]{0,6}",
        ], 1..6), 0..30),
        noise in proptest::collection::vec(any::<u8>(), 0..30),
    ) {
        let mut bytes = b"user,at,query,response\nu,1,q,a\nu,2,q,b\n".to_vec();
        for row in &rows {
            bytes.extend(row.join(",").into_bytes());
            bytes.push(b'\n');
        }
        bytes.extend(noise);
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let map = "user=user,at=at,query=query,response=response";
        let report = imported(COMMA, Answers::Labels, map, &bytes, Some(&out)).unwrap();
        let rejected: u64 = counts(&report).iter().map(|(_, count)| count).sum();
        prop_assert_eq!(report.read, report.kept + rejected);
        prop_assert_eq!(report.bytes, bytes.len() as u64);
        prop_assert_eq!(Dataset::open(&out).unwrap().interactions.len() as u64, report.kept);
    }
}

/// A MovieLens folder; its files may be packed.
fn movielens_folder(dir: &Path, pack: bool) {
    let movies = "movieId,title,genres\n\
                  1,Toy Story (1995),Adventure|Comedy\n\
                  2,\"American President, The (1995)\",Drama\n\
                  3,Untitled,(no genres listed)\n\
                  4,,Drama\n";
    let ratings = "userId,movieId,rating,timestamp\n\
                   1,1,4.0,964982703\n\
                   1,2,0.5,964981247\n\
                   2,3,5.0,964982224\n\
                   2,9,5.0,964982224\n\
                   2,1,5.5,964982224\n\
                   2,1,3.0,soon\n\
                   ,1,3.0,964982224\n";
    let tags = "userId,movieId,tag,timestamp\n2,1,\"funny, very\",1445714994\n";
    for (name, text) in [("movies.csv", movies), ("ratings.csv", ratings), ("tags.csv", tags)] {
        if pack {
            fs::write(dir.join(format!("{name}.gz")), packed(text.as_bytes())).unwrap();
        } else {
            fs::write(dir.join(name), text).unwrap();
        }
    }
}

#[test]
fn every_movielens_rating_has_a_fate() {
    for pack in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        movielens_folder(dir.path(), pack);
        let out = dir.path().join("out");
        let watch = Watch { cancel: &AtomicBool::new(false), progress: &mut |_| () };
        let report = movielens::import_folder(dir.path(), "stars", Some(&out), watch).unwrap();
        assert_eq!((report.read, report.kept, report.users, report.task), (7, 3, 2, TaskKind::Rating));
        assert_eq!(
            counts(&report),
            [(Reason::NoUser, 1), (Reason::BadTime, 1), (Reason::UnknownFilm, 1), (Reason::OffScale, 1)]
        );
        let suffix = if pack { ".gz" } else { "" };
        assert_eq!(
            report.notes,
            [
                format!("movies.csv{suffix}: 1 rows without id or title, the first in line 5"),
                format!("tags.csv{suffix}: 1 rows left aside; tags are no ratings"),
            ]
        );
        let dataset = Dataset::open(&out).unwrap();
        let told: Vec<Value> = dataset
            .interactions
            .iter()
            .map(|i| json!([i.user.as_str(), i.query, i.response, i.item, i.extra["attributes"]]))
            .collect();
        assert_eq!(
            told,
            [
                json!(["1", "American President, The (1995): Drama", "0.5", "2", {"genres": ["Drama"], "year": 1995}]),
                json!(["2", "Untitled", "5", "3", {"genres": []}]),
                json!(["1", "Toy Story (1995): Adventure, Comedy", "4", "1", {"genres": ["Adventure", "Comedy"], "year": 1995}]),
            ]
        );
    }
}

/// The first of two columns of one name was taken, whichever was meant.
#[test]
fn a_name_of_two_columns_is_no_map() {
    let text = b"who,when,text,tag,who,note,note\nann,1,hello,a,x,,\nann,2,there,b,y,,\n";
    let users = |user: &str| {
        let map = format!("user={user},at=when,query=text,response=tag");
        imported(COMMA, Answers::Labels, &map, text, None).map(|report| report.users)
    };
    let told = users("who").unwrap_err().to_string();
    assert_eq!(told, "--map user=who: more than one column is called 'who'; name the one that is meant by its number");
    assert_eq!((users("1").unwrap(), users("5").unwrap()), (1, 2), "a number says which");
}

/// With a blank before it a name was another person's, an item another thing and an id another one.
#[test]
fn blanks_around_a_name_are_none_of_it() {
    let text = b"who,when,text,tag,thing,no\nZed,1,q,a,x,1\n  Zed  ,2, q ,b, x ,2\n\"Zed\t\",3,q,a,\" x\",3\n Zed,4,q,b,x, 3 \n";
    let map = "user=who,at=when,query=text,response=tag,item=thing,id=no";
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let report = imported(COMMA, Answers::Labels, map, text, Some(&out)).unwrap();
    assert_eq!((report.kept, report.users, counts(&report)), (3, 1, vec![(Reason::DuplicateId, 1)]));
    assert_eq!(report.notes, ["blanks around the user of 2 rows are left out: without them it is the same person"]);
    let dataset = Dataset::open(&out).unwrap();
    assert!(dataset.interactions.iter().all(|i| i.user.as_str() == "Zed" && i.item.as_deref() == Some("x")));
    assert_eq!(dataset.interactions[1].query, " q ", "what was asked stays as it is");

    let rows = [json!("Zed"), json!(" Zed"), json!(7)]
        .map(|user| json!({"who": user, "when": 1, "text": "q", "tag": user, "thing": "x", "no": user}).to_string());
    let report = imported(Syntax::JsonLines, Answers::Texts, map, rows.join("\n").as_bytes(), None).unwrap();
    assert_eq!((report.kept, report.users, counts(&report)), (2, 2, vec![(Reason::DuplicateId, 1)]));
    assert!(report.notes.is_empty(), "the row with blanks is not kept: {report:?}");
}

/// Numbers are those of each file's own columns.
#[test]
fn columns_by_number_are_counted_in_every_file() {
    let map = "user=1,at=2,query=3,response=4".parse::<FieldMap>().unwrap();
    let mut mapping = Mapped::new("small", "rows", COMMA, Answers::Labels, map);
    let files = [b"who,when,text,tag\nann,1,hello,a\n".to_vec(), b"person,at,title,who\nbo,2,there,b\n".to_vec()];
    let sources = files.map(|bytes| Source::new("rows", Cursor::new(bytes))).into();
    let watch = Watch { cancel: &AtomicBool::new(false), progress: &mut |_| () };
    let report = import(sources, &mut mapping, None, watch).unwrap();
    assert_eq!((report.kept, report.labels.keys().map(String::as_str).collect::<Vec<_>>()), (2, vec!["a", "b"]));
}

/// Spreadsheets put a byte order mark before each of their files, and none of it belongs to a name.
#[test]
fn a_byte_order_mark_is_part_of_no_column() {
    let marked = |text: &str| format!("\u{FEFF}{text}").into_bytes();
    let cancel = AtomicBool::new(false);
    let map = "user=who,at=when,query=text,response=tag";
    for (delimiter, header) in [(",", "who,when,text,tag"), ("tab", "who\twhen\ttext\ttag")] {
        let part = if delimiter == "," { "," } else { "\t" };
        let row = |at: &str, tag: &str| ["ann", at, "hello", tag].join(part);
        let first = marked(&format!("{header}\n{}\n", row("1", "a")));
        let second = marked(&format!("{header}\r\n{}\r\n", row("2", "b")));
        let syntax = Syntax::Csv { delimiter: delimiter.parse().unwrap(), header: true };
        for pack in [false, true] {
            let bytes = |plain: &[u8]| Cursor::new(if pack { packed(plain) } else { plain.to_vec() });
            let sources = vec![Source::new("one", bytes(&first)), Source::new("two", bytes(&second))];
            let mut mapping = Mapped::new("small", "rows", syntax, Answers::Labels, map.parse::<FieldMap>().unwrap());
            let report = import(sources, &mut mapping, None, Watch { cancel: &cancel, progress: &mut |_| () }).unwrap();
            assert_eq!((report.read, report.kept, report.users), (2, 2, 1), "{delimiter}, packed: {pack}");
            assert_eq!(report.bytes, (first.len() + second.len()) as u64, "every byte is counted");
        }
    }
    // Quotes around the first name begin behind the mark.
    let quoted = marked("\"who\",when,text,tag\nann,1,hello,a\nbo,2,there,b\n");
    assert_eq!(imported(COMMA, Answers::Labels, map, &quoted, None).unwrap().kept, 2);

    let dir = tempfile::tempdir().unwrap();
    movielens_folder(dir.path(), false);
    for name in ["movies.csv", "ratings.csv", "tags.csv"] {
        let path = dir.path().join(name);
        fs::write(&path, marked(&fs::read_to_string(&path).unwrap())).unwrap();
    }
    let watch = Watch { cancel: &cancel, progress: &mut |_| () };
    let report = movielens::import_folder(dir.path(), "stars", None, watch).unwrap();
    assert_eq!((report.read, report.kept, report.users), (7, 3, 2));
}

#[test]
fn the_real_ratings_are_all_kept() {
    let Some(folder) = std::env::var_os("LOGOSCOPE_REAL_DATA") else {
        eprintln!("skipped: LOGOSCOPE_REAL_DATA does not name a data folder");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let watch = Watch { cancel: &AtomicBool::new(false), progress: &mut |_| () };
    let report =
        movielens::import_folder(&Path::new(&folder).join("movielens-small"), "stars", Some(&out), watch).unwrap();
    assert_eq!((report.read, report.kept, report.users, report.labels.len()), (100_836, 100_836, 610, 10));
    assert_eq!(Dataset::open(&out).unwrap().interactions.len(), 100_836);
}

fn logoscope(args: &[&str]) -> Output {
    crate::program().args(args).output().unwrap()
}

#[test]
fn the_command_reads_tables_and_packed_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("rows.csv"), packed(b"who|t|q|y\nu|1|hello|3\nu|2|there|5.0\nu|3|you|9\n")).unwrap();
    let map = "user=who,at=2,query=q,response=y";
    let args = ["import", "csv", &path("rows.csv"), "--map", map, "--delimiter", "|", "--task", "rating"];
    let output = logoscope(&[&args[..], &["--scale", "1:5:1", "--out", &path("out"), "--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json!([told["format"], told["name"], told["task"]]), json!(["csv", "rows", "rating"]));
    assert_eq!(json!([told["read"], told["kept"], told["queries"]]), json!([3, 2, 0]));
    assert_eq!(told["rejected"]["off-scale"]["first"]["line"], 4);
    assert_eq!(Dataset::open(&dir.path().join("out")).unwrap().interactions[1].response, "5");

    fs::create_dir(path("ml")).unwrap();
    movielens_folder(Path::new(&path("ml")), false);
    let output = logoscope(&["import", "movielens", &path("ml"), "--dry-run"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("movielens: 2 users, 3 scores, 2000-07-30 to 2000-07-30\nnote: movies.csv: 1 rows"),
        "{text}"
    );

    let (csv, ml, torn) = (path("rows.csv"), path("ml"), path("torn.gz"));
    fs::write(&torn, &packed(b"who|t|q|y\n")[..12]).unwrap();
    for (args, expected) in [
        (&["import", "csv", &csv, "--dry-run"][..], "--map is missing"),
        (&["import", "csv", &csv, "--map", map, "--dry-run", "--delimiter", "::"], "'::' is no delimiter"),
        (&["import", "csv", &csv, "--map", map, "--dry-run", "--task", "rating"], "--scale 1:5:1"),
        (&["import", "csv", &csv, "--map", map, "--dry-run", "--scale", "1:5:1"], "--scale is for --task rating"),
        (&["import", "csv", &csv, "--map", map, "--dry-run", "--task", "7"], "'7' is none of labels, rating and text"),
        (&["import", "csv", &torn, "--map", map, "--dry-run"], "torn.gz: cannot be read"),
        (&["import", "movielens", &csv, "--dry-run"], "not one folder; name the folder that holds ratings.csv"),
        (&["import", "movielens", dir.path().to_str().unwrap(), "--dry-run"], "movies.csv: cannot be read"),
        (&["import", "movielens", &ml, "--dry-run", "--map", map], "--map is for jsonl and csv"),
        (&["import", "jsonl", &csv, "--map", map, "--dry-run", "--no-header"], "--no-header is for csv"),
    ] {
        let output = logoscope(args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.contains(expected), "{args:?}: {message}");
    }
}

/// Peak resident memory of a running process in bytes.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Feeds a long input with an id in every row. `LOGOSCOPE_IMPORT_MB` makes it as long as one likes.
#[cfg(target_os = "linux")]
#[test]
fn an_import_takes_less_memory_than_its_input() {
    let megabytes = std::env::var("LOGOSCOPE_IMPORT_MB").map_or(96, |text| text.parse::<u64>().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let map = "user=user,at=at,query=query,response=response,id=id";
    let mut child = crate::program()
        .args(["import", "jsonl", "-", "--map", map, "--out", out.to_str().unwrap()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = std::io::BufWriter::new(child.stdin.take().unwrap());
    let text = "some words of a query that is as long as queries are ".repeat(4);
    let (mut rows, mut bytes) = (0_u64, 0);
    while bytes < megabytes * 1_000_000 {
        let (user, response) = (rows % 5_000, rows % 7);
        let row = format!(
            "{{\"id\":\"row number {rows}\",\"user\":\"user {user}\",\"at\":{rows},\"query\":\"{text}\",\"response\":\"{response}\"}}\n"
        );
        input.write_all(row.as_bytes()).unwrap();
        (rows, bytes) = (rows + 1, bytes + row.len() as u64);
    }
    input.flush().unwrap();
    // All but what a pipe holds is read by now.
    let peak = peak(child.id());
    drop(input);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with(&format!("{rows} rows read, {rows} kept, 0 rejected")), "{told}");
    // The program itself, its buffers, and what is remembered of a row.
    let most = 40_000_000 + rows * 16;
    assert!(peak < most, "{peak} bytes for {rows} rows of {bytes} bytes; at most {most}");
}
