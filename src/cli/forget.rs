//! `logoscope forget`: takes a person out of everything that the program keeps, looks for them with their own words, and
//! prints a receipt.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::store::{Progress, clear, tell};
use super::{CliError, Common, Format, cache_folder, output, profiles_folder, sessions_folder};
use crate::data::forget::Place;
use crate::data::interaction::UserId;
use crate::data::sanitize::visible;
use crate::engine::embedding;
use crate::forget::{Findings, ForgetError, Receipt, Request, forget, look_for};
use crate::memory::embed::OfTexts;
use crate::memory::store::{Holding, StoreError};
use crate::memory::trace::{Trace, Way};

/// Version of the JSON object that `forget` prints.
const SCHEMA: &str = "logoscope.forget/1";

/// Ends the process before the n-th change of the disk: how a test sees what an interrupted run leaves.
const ABORT_VARIABLE: &str = "LOGOSCOPE_TEST_ABORT";

/// What this command cannot take anybody out of.
const BEYOND: [&str; 6] = [
    "models trained on the data, and constants fitted with it in dataset.toml: train and fit anew",
    "what commands printed or wrote elsewhere (--out, --html, --cast), sessions among it, and exported prompts",
    "copies of the folder, backups, and what it was imported from: importing again brings them back",
    "stores under another --store folder, and recordings that were moved from where they were made",
    "programs that have the data open: end them, they remember what they have read",
    "what the disk keeps of a removed file until it is written over",
];

/// Options of `forget`.
#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// Whom to forget
    #[arg(long, value_name = "U")]
    user: String,
    /// Change nothing; say what would be removed, and where they are found
    #[arg(long)]
    dry_run: bool,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command: exit 1 if anything of the person was found afterwards.
pub fn run(common: &Common, args: &ForgetArgs) -> Result<ExitCode, CliError> {
    let Some(data) = &common.data else {
        let told = "the embedded sample is a part of the program and would be back at the next start; write its population \
                    to a folder of your own with `logoscope synth --out DIR`, and name that with --data DIR";
        return Err(CliError::Usage(told.to_owned()));
    };
    let (user, stores, recordings) = (UserId::new(args.user.as_str()), common.stores(), sessions_folder());
    let (profiles, vectors) = (profiles_folder(), embedding::folder(&cache_folder()));
    let request =
        Request { data, user: &user, stores: &stores, recordings: &recordings, profiles: &profiles, vectors: &vectors };
    let outcome = if args.dry_run {
        look_for(request)
    } else {
        let mut progress = Progress::begin()?;
        let mut report = |stage: &'static str, done: usize, total: usize| progress.tell(stage, done, total);
        let mut left = std::env::var(ABORT_VARIABLE).ok().and_then(|text| text.parse::<usize>().ok());
        let mut step = || {
            if let Some(left) = &mut left {
                if *left == 0 {
                    std::process::abort();
                }
                *left -= 1;
            }
        };
        forget(request, &mut report, &mut step)
    };
    clear();
    let receipt = match outcome {
        Ok(receipt) => receipt,
        Err(ForgetError::Store(StoreError::Cancelled)) => {
            tell_line!("logoscope: stopped; the person is removed, but memory was not opened anew and asked for them");
            return Ok(ExitCode::from(130));
        }
        Err(error) => return Err(error.into()),
    };
    tell(&receipt.notices);
    match args.format {
        Format::Text => write!(output::out(), "{}", text(&receipt))?,
        Format::Json => writeln!(std::io::stdout(), "{}", json(&receipt))?,
    }
    let left = receipt.after.as_ref().map_or(0, Findings::left);
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// `1 line`, `2 lines`.
fn counted(n: usize, what: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{n} {what}{ending}")
}

fn shown(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}

/// What is in a store, in words.
fn held(holding: &Holding) -> String {
    let mut parts = Vec::new();
    let mut part = |n: usize, what: &str| {
        if n > 0 {
            parts.push(counted(n, what));
        }
    };
    part(holding.bases.len(), "base");
    part(holding.recorded.len(), "recorded interaction");
    part(holding.aside, "damaged log");
    if holding.others > 0 {
        parts.push(match holding {
            Holding { current: true, others, .. } => format!("while {others} of others stay in the new store"),
            Holding { tied: true, others, .. } => format!("while {others} of others stay here"),
            Holding { others, .. } => format!("while all {others} in its log stay: nothing ties it to this dataset"),
        });
    }
    if let Some(damage) = &holding.damage {
        parts.push(format!("and what stands behind the damage in its log ({damage})"));
    }
    visible(&parts.join(", ")).into_owned()
}

/// The receipt for reading.
fn text(receipt: &Receipt) -> String {
    let Receipt { before, after, .. } = receipt;
    let (user, dataset) = (visible(receipt.user.as_str()), visible(&receipt.dataset));
    let how = if after.is_some() { "forgotten" } else { "to be forgotten; nothing is changed (--dry-run)" };
    let mut text = format!("{user} in {dataset}: {how}\n\n");
    text += if after.is_some() { "Removed\n" } else { "Would be removed\n" };
    // Writing to a String cannot fail.
    for share in before.shares.iter().filter(|share| share.theirs > 0) {
        let what = if share.file.ends_with(".jsonl") { "line" } else { "record" };
        let theirs = counted(share.theirs, what);
        let _ = writeln!(text, "  {:<20} {theirs}; {} of others stay as they are", share.file, share.others);
    }
    for holding in &before.stores.holdings {
        let whose = match holding {
            Holding { current: true, .. } => "store",
            Holding { tied: true, .. } => "store of like data",
            Holding { .. } => "unreadable base",
        };
        let _ = writeln!(text, "  {whose:<20} {}: {}", shown(&holding.folder), held(holding));
    }
    for recording in &before.recordings {
        let (path, theirs) = (shown(&recording.path), recording.theirs);
        let _ = writeln!(text, "  {:<20} {path}: {theirs} of {} theirs", "session", counted(recording.turns, "turn"));
    }
    for profile in &before.profiles {
        let _ = writeln!(text, "  {:<20} {}", "prose profile", shown(profile));
    }
    let OfTexts { vectors, unreadable } = before.vectors;
    if vectors > 0 {
        let _ = writeln!(
            text,
            "  {:<20} {} that embedding models made of their texts",
            "cache",
            counted(vectors, "vector")
        );
    }
    if unreadable > 0 {
        let _ = writeln!(text, "  {:<20} {} of vectors that cannot be read", "cache", counted(unreadable, "file"));
    }
    for leftover in &before.leftovers {
        let _ = writeln!(text, "  {:<20} {}", "unfinished file", shown(leftover));
    }
    text += &asked(receipt);
    let notes = notes(after.as_ref().unwrap_or(before));
    text += &notes;
    text += "\nBeyond reach\n";
    for line in BEYOND {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(after) = after {
        text += &match after.left() {
            0 if notes.is_empty() => {
                format!(
                    "\nNothing of {user} is left in the dataset, its stores, its sessions, its profiles and its memory.\n"
                )
            }
            0 => format!(
                "\nNothing under the name of {user} is left in the dataset, its stores, its sessions, its profiles and its memory.\n"
            ),
            left => format!("\nSomething of {user} is left in {}, marked above.\n", counted(left, "place")),
        };
    }
    text
}

/// What memory was asked, and what it knew before and after.
fn asked(receipt: &Receipt) -> String {
    let Receipt { before, after, probes, texts, .. } = receipt;
    let Some(traces) = &before.memory else {
        return "\nMemory was not asked: this version has none of such a dataset.\n".to_owned();
    };
    let mut text = format!("\nMemory, asked with {probes} of their {texts} texts\n");
    let _ = writeln!(text, "  {:<14} {:<24} {:<12}", "way", "before", if after.is_some() { "after" } else { "" });
    let later = after.as_ref().map(|after| after.memory.as_deref().unwrap_or_default());
    for trace in traces {
        let then = later.map(|later| {
            let found = later.iter().find(|other| other.way == trace.way);
            found.map_or(("none".to_owned(), true), |found| (finding(found), found.is_none()))
        });
        let (then, gone) = then.unwrap_or_default();
        let mark = if after.is_some() && !gone { "  LEFT" } else { "" };
        let line = format!("  {:<14} {:<24} {then:<12}{mark}", trace.way.name(), finding(trace));
        let _ = writeln!(text, "{:<54} {}", line.trim_end(), trace.way.counts());
    }
    if after.as_ref().is_some_and(|after| after.memory.is_none()) {
        text += "  Nobody is left in this dataset: it holds no interaction and cannot be opened any more.\n";
    }
    text
}

fn finding(trace: &Trace) -> String {
    if trace.is_none() {
        return "none".to_owned();
    }
    let place = trace.rank.map(|rank| format!(", best rank {rank}")).unwrap_or_default();
    match trace.way {
        Way::Terms | Way::Base => format!("{:.2} of {:.2}", trace.found, trace.of),
        _ => format!("{} of {}{place}", trace.found, trace.of),
    }
}

/// What somebody has to look at.
fn notes(findings: &Findings) -> String {
    let mut text = String::new();
    let place = |place: &Place| format!("{}:{}: {}", shown(&place.path), place.line, counted(place.lines, "line"));
    for found in &findings.elsewhere {
        let _ =
            writeln!(text, "  {}; a file that this command leaves as it is: remove what is theirs, LEFT", place(found));
    }
    for found in &findings.named {
        let _ = writeln!(text, "  {} of other people with this name; kept: see if it is this person", place(found));
    }
    for path in &findings.packed {
        let _ = writeln!(text, "  {}: packed, and was not looked into", shown(path));
    }
    for (path, records) in &findings.stores.unrelated {
        let records = counted(*records, "record");
        let _ =
            writeln!(text, "  {}: {records} of somebody of this name; nothing ties it to this dataset", shown(path));
    }
    for path in &findings.unrelated {
        let _ = writeln!(
            text,
            "  {}: of somebody of this name, or with a text of theirs, on other data; kept",
            shown(path)
        );
    }
    if text.is_empty() { text } else { format!("\nLook at\n{text}") }
}

/// The receipt for programs.
fn json(receipt: &Receipt) -> Value {
    let after = receipt.after.as_ref();
    json!({
        "schema": SCHEMA,
        "dataset": receipt.dataset,
        "user": receipt.user,
        "dry_run": after.is_none(),
        "probes": receipt.probes,
        "texts": receipt.texts,
        "before": findings(&receipt.before),
        "after": after.map(findings),
        "left": after.map(Findings::left),
        "beyond_reach": BEYOND,
    })
}

/// A path as JSON has it. A path that is not UTF-8 is no failure: the receipt comes after everything was done.
fn written(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn findings(found: &Findings) -> Value {
    let paths = |paths: &[PathBuf]| -> Vec<String> { paths.iter().map(|path| written(path)).collect() };
    let places = |places: &[Place]| -> Vec<Value> {
        places
            .iter()
            .map(|place| json!({"file": written(&place.path), "line": place.line, "lines": place.lines}))
            .collect()
    };
    let files = found.shares.iter().map(|s| json!({"file": s.file, "theirs": s.theirs, "others": s.others}));
    let stores = found.stores.holdings.iter().map(|holding| {
        json!({
            "folder": written(&holding.folder),
            "current": holding.current,
            "bases": holding.bases.len(),
            "damaged_logs": holding.aside,
            "recorded": holding.recorded.len(),
            "recorded_by_others": holding.others,
            "damage": holding.damage,
        })
    });
    let sessions =
        found.recordings.iter().map(|r| json!({"file": written(&r.path), "turns": r.turns, "theirs": r.theirs}));
    let unrelated =
        found.stores.unrelated.iter().map(|(path, records)| json!({"file": written(path), "records": records}));
    let trace = |trace: &Trace| {
        json!({
            "way": trace.way.name(),
            "counts": trace.way.counts(),
            "found": if trace.is_none() { 0.0 } else { trace.found },
            "of": trace.of,
            "best_rank": trace.rank,
        })
    };
    json!({
        "files": files.collect::<Vec<_>>(),
        "stores": stores.collect::<Vec<_>>(),
        "sessions": sessions.collect::<Vec<_>>(),
        "profiles": paths(&found.profiles),
        "vectors": found.vectors.vectors,
        "unreadable_vector_files": found.vectors.unreadable,
        "unfinished": paths(&found.leftovers),
        "memory": found.memory.as_ref().map(|traces| traces.iter().map(trace).collect::<Vec<_>>()),
        "other_files": places(&found.elsewhere),
        "named_by_others": places(&found.named),
        "packed": paths(&found.packed),
        "unrelated_logs": unrelated.collect::<Vec<_>>(),
        "unrelated": paths(&found.unrelated),
    })
}
