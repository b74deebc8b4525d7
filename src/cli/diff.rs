//! `logoscope diff`: two sessions side by side, and what a re-run or a fork prints of itself beside its recording.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{CliError, Format, output};
use crate::data::sanitize::visible;
use crate::data::text::brief;
use crate::engine::prompt::Arm;
use crate::eval::numbers::{Paired, Share};
use crate::eval::stats::Interval;
use crate::eval::timelines::Timelines;
use crate::session::Session;
use crate::session::diff::{Diff, Kind, Pair, Told};
use crate::session::event::{ModelId, Origin};
use crate::view::text::plural;

/// Version of the JSON object.
const SCHEMA: &str = "logoscope.diff/1";
/// Seed of resamples of people.
const SEED: u64 = 1;
/// Characters of a question that are told.
const QUESTION: usize = 60;
/// Characters of a hash that are told.
const HASH: usize = 8;

/// Options of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A session file
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Another one, with some of the same questions
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Exit 1 if anything differs
    #[arg(long)]
    exit_code: bool,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn run(args: &DiffArgs) -> Result<ExitCode, CliError> {
    let open = |path: &PathBuf| -> Result<Session, CliError> {
        let session = Session::open(path)?;
        super::replay::warn(path, &session);
        Ok(session)
    };
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    let differs = print(&a, &b, ["A", "B"], args.format)?;
    Ok(if differs && args.exit_code { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Prints how `b` stands to `a`, and says whether anything differs.
pub(super) fn print(a: &Session, b: &Session, names: [&str; 2], format: Format) -> Result<bool, CliError> {
    let diff = Diff::of(a, b);
    let lines = Timelines::of(&diff, SEED);
    match format {
        Format::Text => write!(output::out(), "{}", text([a, b], &diff, &lines, names))?,
        Format::Json => writeln!(std::io::stdout(), "{}", json([a, b], &diff, &lines)?)?,
    }
    Ok(diff.differs())
}

/// What a session is, in a line.
fn title(session: &Session) -> String {
    let header = &session.header;
    let model = header.model.as_ref().map_or("memory alone".to_owned(), ModelId::told);
    let short = |hash: &str| hash.chars().take(HASH).collect::<String>();
    let origin = match &header.origin {
        Some(Origin::Fork { of, turn, .. }) => format!(" · fork of {} after turn {turn}", short(of)),
        Some(Origin::ReRun { of, .. }) => format!(" · re-run of {}", short(of)),
        Some(Origin::Redaction) => " · redacted".to_owned(),
        Some(Origin::Unknown) | None => String::new(),
    };
    visible(&format!("{} · {} · {model}{origin}", header.title, header.dataset.name)).into_owned()
}

/// A turn in a line, from 1.
fn turn(place: usize, told: &Told) -> String {
    let Some(asked) = told.asked() else { return format!("turn {}", place + 1) };
    let question = visible(&asked.query).into_owned();
    format!("{}. {} · {} · {}", place + 1, visible(asked.user.as_str()), asked.at, brief(&question, QUESTION))
}

/// What was decided, and whether that is right.
fn decided(told: &Told) -> String {
    let mark = match told.outcome.arms[Arm::Mediated as usize] {
        Some(true) => " ✓",
        Some(false) => " ✗",
        None => "",
    };
    told.decision.as_ref().map_or("-".to_owned(), |decision| format!("{}{mark}", visible(decision)))
}

/// A share with its interval, which questions that were picked or repeat have none of.
fn share(share: Option<Share>, testable: bool) -> String {
    share.map_or("-".to_owned(), |share| {
        let Interval { low, high } = share.interval;
        let interval = if testable { format!(" {low:.2} to {high:.2}") } else { String::new() };
        format!("{:.2} ({}/{}){interval}", share.value(), share.right, share.n)
    })
}

fn text(sessions: [&Session; 2], diff: &Diff, lines: &Timelines, names: [&str; 2]) -> String {
    let mut text = String::new();
    let width = names.iter().map(|name| name.len()).max().unwrap_or_default();
    // Writing to a String cannot fail.
    for (name, session) in names.iter().zip(sessions) {
        let _ = writeln!(text, "{name:<width$}  {}", title(session));
    }
    // A fork begins as its parent did; what it does otherwise comes later.
    let forked = match &sessions[1].header.origin {
        Some(Origin::Fork { changed, .. }) => changed.as_slice(),
        _ => &[],
    };
    let forked = forked.iter().filter(|changed| !diff.header.contains(changed));
    for changed in diff.header.iter().chain(forked) {
        let _ = writeln!(text, "{:<width$}  {}", "", visible(&changed.to_string()));
    }
    let [both, only_a, only_b] = diff.counts();
    let [a, b] = names;
    let both_have = plural(both, "turn", "turns");
    let _ = writeln!(text, "\n{both_have} in both, {only_a} in {a} alone, {only_b} in {b} alone");
    for kind in Kind::ALL.into_iter().filter(|_| both > 0) {
        let _ = match diff.first(kind) {
            None => writeln!(text, "{:<10} equal", kind.name()),
            Some((first, count)) => {
                let line = |side: usize| first.line[side].map_or("-".to_owned(), |line| line.to_string());
                let place = format!("turns {} and {} (lines {}, {})", first.turn[0], first.turn[1], line(0), line(1));
                let (field, in_a, in_b) = (visible(&first.field), visible(&first.a), visible(&first.b));
                writeln!(
                    text,
                    "{:<10} {}, first {place}, {field}: {in_a} in {a}, {in_b} in {b}",
                    kind.name(),
                    plural(count, "turn differs", "turns differ")
                )
            }
        };
    }
    let moved = |pair: &&Pair| match pair {
        Pair::Both { a, b, .. } => diff.a[*a].decision != diff.b[*b].decision,
        _ => true,
    };
    if diff.pairs.iter().any(|pair| moved(&pair)) {
        text.push('\n');
    }
    for pair in diff.pairs.iter().filter(moved) {
        let _ = match pair {
            Pair::Both { a, b, .. } => {
                let (before, after) = (&diff.a[*a], &diff.b[*b]);
                writeln!(text, "  {}: {} → {}", turn(*b, after), decided(before), decided(after))
            }
            Pair::OnlyA(a) => writeln!(text, "- {}: {}", turn(*a, &diff.a[*a]), decided(&diff.a[*a])),
            Pair::OnlyB(b) => writeln!(text, "+ {}: {}", turn(*b, &diff.b[*b]), decided(&diff.b[*b])),
        };
    }
    let testable = sessions.map(Session::is_testable);
    let _ = writeln!(text, "\n{:<10}{a:>27}{b:>27}{:>28}", "accuracy", format!("{b} − {a}"));
    for beside in &lines.arms {
        let Paired { n, won, lost } = beside.paired;
        let value = beside.paired.difference() as f64 / n.max(1) as f64;
        let difference = match beside.interval {
            _ if n == 0 => "-".to_owned(),
            Some(Interval { low, high }) => format!("{value:+.2} {low:+.2} to {high:+.2}"),
            None if won + lost == 0 => "0".to_owned(),
            None => format!("{value:+.2}"),
        };
        let [in_a, in_b] = [(beside.a, 0), (beside.b, 1)].map(|(of, side)| share(of, testable[side]));
        let _ = writeln!(text, "{:<10}{in_a:>27}{in_b:>27}{difference:>28}", beside.arm.name());
    }
    for (name, tally) in names.iter().zip(&lines.tallies) {
        let _ = writeln!(
            text,
            "{name:<width$}  {}, {} of local: {}, {}",
            plural(tally.turns, "turn", "turns"),
            plural(tally.overrides, "override", "overrides"),
            plural(tally.rescues, "rescue", "rescues"),
            plural(tally.suppressions, "suppression", "suppressions")
        );
    }
    let (decided, ruled) = (lines.decided_otherwise, plural(lines.ruled_otherwise, "decision", "decisions"));
    let _ = writeln!(text, "{decided} of {} final answers are other ones, {ruled} of the rules", lines.turns);
    for arm in Arm::ALL {
        let _ = writeln!(text, "{}", lines.told(arm, names));
    }
    text
}

fn json(sessions: [&Session; 2], diff: &Diff, lines: &Timelines) -> Result<Value, CliError> {
    let value = |told: &Told| json!({"asked": told.asked(), "decision": told.decision, "right": told.outcome.arms});
    let turns: Vec<Value> = diff
        .pairs
        .iter()
        .map(|pair| match pair {
            Pair::Both { a, b, changes } => {
                let changes: Vec<_> = changes.iter().flatten().collect();
                let turns = [value(&diff.a[*a]), value(&diff.b[*b])];
                json!({"a": a + 1, "b": b + 1, "turns": turns, "changes": changes})
            }
            Pair::OnlyA(a) => json!({"a": a + 1, "b": null, "turns": [value(&diff.a[*a]), null]}),
            Pair::OnlyB(b) => json!({"a": null, "b": b + 1, "turns": [null, value(&diff.b[*b])]}),
        })
        .collect();
    let first: Map<String, Value> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let first = diff.first(kind).map(|(change, turns)| json!({"turns": turns, "change": change}));
            (kind.name().to_owned(), json!(first))
        })
        .collect();
    let testable = sessions.map(Session::is_testable);
    let accuracy = |share: Option<Share>, side: usize| {
        let interval = share.filter(|_| testable[side]).map(|share| share.interval);
        share.map(|share| json!({"n": share.n, "right": share.right, "accuracy": share.value(), "ci": interval}))
    };
    let arms: Map<String, Value> = lines
        .arms
        .iter()
        .map(|beside| {
            let difference = beside.paired.difference() as f64 / beside.paired.n.max(1) as f64;
            let value = json!({
                "a": accuracy(beside.a, 0), "b": accuracy(beside.b, 1), "n": beside.paired.n, "won": beside.paired.won,
                "lost": beside.paired.lost, "difference": difference, "ci": beside.interval, "p": beside.p,
                "noise": beside.p.map(|_| beside.is_noise()), "told": lines.told(beside.arm, ["a", "b"]),
            });
            (beside.arm.name().to_owned(), value)
        })
        .collect();
    let [both, only_a, only_b] = diff.counts();
    let tally = |side: usize| {
        let tally = &lines.tallies[side];
        json!({
            "turns": tally.turns, "judged": tally.judged, "overrides": tally.overrides, "rescues": tally.rescues,
            "suppressions": tally.suppressions,
        })
    };
    let headers = sessions.iter().map(|session| serde_json::to_value(&session.header)).collect::<Result<Vec<_>, _>>();
    Ok(json!({
        "schema": SCHEMA,
        "same": !diff.differs(),
        "headers": headers.map_err(std::io::Error::from)?,
        "changed": diff.header,
        "both": both,
        "only_a": only_a,
        "only_b": only_b,
        "first": first,
        "turns": turns,
        "by": lines.by,
        "people": lines.people,
        "picked": diff.picked,
        "decided_otherwise": lines.decided_otherwise,
        "ruled_otherwise": lines.ruled_otherwise,
        "arms": arms,
        "a": tally(0),
        "b": tally(1),
    }))
}
