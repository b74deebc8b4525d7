//! `logoscope replay`: a recorded session, turn by turn, checked against its data and its model, or redacted. Only a check
//! of answers needs the model.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::target::require_free;
use super::{CliError, Common, Format, model, output, voice};
use crate::data::sanitize::visible;
use crate::engine::profile::told;
use crate::engine::prompt::Arm;
use crate::eval::metrics::Metric;
use crate::mediator::signature::Signature;
use crate::mediator::words;
use crate::session::check::{Model, Report, Verdict, check_with};
use crate::session::event::{ByLabel, Event, Prose};
use crate::session::redact::Redaction;
use crate::session::replay::{Outcome, Tally, Turn};
use crate::session::{Replay, Session};
use crate::view::text::plural;

/// Version of the JSON object that `replay` prints.
const REPLAY_SCHEMA: &str = "logoscope.replay/1";
/// Version of the JSON object that `replay --check` prints.
const CHECK_SCHEMA: &str = "logoscope.check/1";

/// Options of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Session file
    session: PathBuf,
    /// Read memory and mediate again, on the dataset it was recorded on (--data), and ask the model it was recorded with;
    /// exit 1 at a difference
    #[arg(long)]
    check: bool,
    /// With --check: leave the model out
    #[arg(long, requires = "check")]
    no_model: bool,
    /// Write it with pseudonyms for texts and identities instead: it still replays and is mediated again
    #[arg(long, requires = "out", conflicts_with = "check")]
    redact: bool,
    /// With --redact: the session file to write
    #[arg(long, value_name = "FILE", requires = "redact")]
    out: Option<PathBuf>,
    /// With --redact: replace a file that exists
    #[arg(long, requires = "redact")]
    force: bool,
    /// With --redact: words that give the same pseudonyms again [default: drawn, and not kept]
    #[arg(long, value_name = "WORDS", requires = "redact")]
    key: Option<String>,
    /// With --redact: make every moment so many days later, or earlier
    #[arg(long, value_name = "DAYS", requires = "redact", default_value_t = 0)]
    shift_days: i32,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn run(common: &Common, args: &ReplayArgs) -> Result<ExitCode, CliError> {
    let session = Session::open(&args.session)?;
    warn(&args.session, &session);
    if let Some(out) = args.out.as_ref().filter(|_| args.redact) {
        return redact(&session, args, out);
    }
    let mut out = std::io::stdout();
    if args.check {
        let report = checked(common, &session, args.no_model)?;
        match args.format {
            Format::Text => write!(output::out(), "{}", check_text(&report))?,
            Format::Json => writeln!(out, "{}", check_json(&report)?)?,
        }
        return Ok(if report.differs() { ExitCode::from(1) } else { ExitCode::SUCCESS });
    }
    let mut replay = Replay::new(session);
    let settings = replay.settings();
    let signs = replay.signatures(usize::MAX, |turn| settings[turn]);
    match args.format {
        Format::Text => write!(output::out(), "{}", replay_text(&mut replay, &signs))?,
        Format::Json => writeln!(out, "{}", replay_json(&mut replay, &signs)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells what is missing from a session's file.
pub(super) fn warn(path: &Path, session: &Session) {
    for warning in session.warnings() {
        super::complain(&format!("{}: {warning}", path.display()));
    }
}

fn redact(session: &Session, args: &ReplayArgs, out: &Path) -> Result<ExitCode, CliError> {
    require_free(out, Some(&args.session), args.force)?;
    let redaction = args.key.as_deref().map_or_else(Redaction::random, Redaction::keyed);
    let redacted = redaction.shifted(args.shift_days).of(session)?;
    redacted.write(out)?;
    let path = out.to_string_lossy();
    print_line!("{}: {} events with pseudonyms for texts and identities", visible(&path), redacted.events.len())?;
    Ok(ExitCode::SUCCESS)
}

/// Checks `session` against its data, and its model where that is at hand.
fn checked(common: &Common, session: &Session, no_model: bool) -> Result<Report, CliError> {
    let dataset = common.dataset()?;
    let absent = |reason: &str| Ok(check_with(session, &dataset, Model::Absent(reason))?);
    let Some(recorded) = session.header.model.as_ref().filter(|_| !session.header.is_redacted()) else {
        return absent("");
    };
    if no_model {
        return absent("--no-model");
    }
    match voice::at_hand(common, recorded)? {
        Ok(place) => {
            let engine = model::load(&place, &common.load_options())?;
            Ok(check_with(session, &dataset, Model::AtHand(engine.as_ref()))?)
        }
        Err(reason) => absent(&reason),
    }
}

/// One line a grade.
fn check_text(report: &Report) -> String {
    let mut text = String::new();
    for (grade, what, verdict) in report.grades() {
        // Writing to a String cannot fail.
        let _ = match verdict {
            Verdict::Equal { compared } => writeln!(text, "{grade}: {compared} {what} equal"),
            Verdict::NearTies { compared, ties, first } => {
                let first = first.to_string();
                writeln!(
                    text,
                    "{grade}: {compared} {what} equal, {ties} of them near ties, first at {}",
                    visible(&first)
                )
            }
            Verdict::Differs { difference } => {
                writeln!(text, "{grade}: differs at {}", visible(&difference.to_string()))
            }
            Verdict::Unchecked { reason } => writeln!(text, "{grade}: not checked ({})", visible(reason)),
        };
    }
    text
}

fn check_json(report: &Report) -> Result<Value, CliError> {
    Ok(json!({
        "schema": CHECK_SCHEMA,
        "same": !report.differs(),
        "grades": serde_json::to_value(report).map_err(std::io::Error::from)?,
    }))
}

/// Visits the state after each turn.
fn each_turn(replay: &mut Replay, mut visit: impl FnMut(usize, &Turn, &Outcome)) {
    for end in replay.turn_ends() {
        let state = replay.seek(end);
        if let (Some(turn), Some(outcome)) = (&state.turn, state.outcomes.last()) {
            visit(state.outcomes.len(), turn, outcome);
        }
    }
}

/// What was noted: before the first question, and then in each turn. The first is said of the whole session, as that it was
/// picked for what it shows.
fn notes(session: &Session) -> Vec<Vec<String>> {
    let mut notes: Vec<Vec<String>> = vec![Vec::new()];
    for event in &session.events {
        match (event.as_ref(), notes.last_mut()) {
            (Event::Asked(_), _) => notes.push(Vec::new()),
            (Event::Note { text }, Some(last)) => last.push(text.clone()),
            _ => {}
        }
    }
    notes
}

/// The three largest shares.
fn top(p: &ByLabel) -> String {
    let named = p.ranked().into_iter().take(3).filter(|(_, p)| *p >= 0.005);
    named.map(|(label, p)| format!("{} {p:.2}", visible(label))).collect::<Vec<_>>().join(", ")
}

fn replay_text(replay: &mut Replay, signs: &[Signature]) -> String {
    let header = &replay.session().header;
    let model = header.model.as_ref().map_or("memory alone".to_owned(), |model| visible(&model.told()).into_owned());
    let mut text = format!("{} · {} · {model}\n", visible(&header.title), visible(&header.dataset.name));
    let notes = notes(replay.session());
    let note = |text: &mut String, lead: &str, turn: usize| {
        for said in notes.get(turn).into_iter().flatten() {
            let _ = writeln!(text, "{lead}note: {}", output::shown(said));
        }
    };
    note(&mut text, "", 0);
    each_turn(replay, |number, turn, outcome| {
        text.push('\n');
        turn_text(&mut text, number, turn, outcome);
        note(&mut text, "   ", number);
    });
    text.push('\n');
    text += &summary(&replay.state().outcomes);
    for sign in signs {
        // Of a session, which speaks of no single label or item.
        let _ = writeln!(text, "{}", words::signature(*sign, &|_| String::new(), &|_| String::new()));
    }
    text
}

fn turn_text(text: &mut String, number: usize, turn: &Turn, outcome: &Outcome) {
    let Some(asked) = turn.asked() else { return };
    let _ =
        writeln!(text, "{number}. {} · {} · {}", visible(asked.user.as_str()), asked.at, output::shown(&asked.query));
    if let (Some(evidence), Some(resolution)) = (turn.evidence(), turn.resolution()) {
        let (local, global) = (&evidence.local, &evidence.global);
        let (visible_items, mass) = (local.votes.len(), resolution.mass);
        let _ = writeln!(text, "   local     {}   ({visible_items} visible, worth {mass:.1})", top(&resolution.local));
        let (support, suppressed) = (global.support, global.suppressed);
        let _ = writeln!(
            text,
            "   global    {}   ({support} contributors, {suppressed} suppressed)",
            top(&resolution.global)
        );
        let _ = write!(text, "   decision  {}   margin {:.2}", top(&resolution.distribution), resolution.margin);
        for conflict in &resolution.conflicts {
            let _ = write!(text, " · {} conflict {:.2}", conflict.r#type.name(), conflict.divergence);
        }
        if outcome.overridden {
            let _ = write!(text, " · overrides local");
        }
        text.push('\n');
    }
    let arms = Arm::ALL.into_iter().filter_map(|arm| {
        let answered = turn.answered(arm)?;
        let mark = match outcome.arms[arm as usize] {
            Some(true) => " ✓",
            Some(false) => " ✗",
            None => "",
        };
        let said = match outcome.said[arm as usize] {
            Some(true) => ", called right",
            Some(false) => ", called wrong",
            None => "",
        };
        let p = answered.distribution.get(&answered.answer).unwrap_or_default();
        Some(format!("{} {} {p:.2}{mark}{said}", arm.name(), visible(&answered.answer)))
    });
    let gold = asked.gold.as_ref().map(|gold| format!("really {}", visible(gold)));
    let parts: Vec<String> = arms.chain(gold).collect();
    let _ = writeln!(text, "   {}", parts.join(" · "));
    if let Some(Prose { prose, from, of, edited }) = turn.profile() {
        let _ = writeln!(text, "   profile, {}: {}", told(*from, *of, *edited), visible(prose));
    }
}

/// The table of a session: accuracy of the arms, on- and off-habit where both occur, how far scores are off, and what the
/// mediator changed.
pub(super) fn summary(outcomes: &[Outcome]) -> String {
    let all = Tally::of(outcomes);
    let mut text = format!("{:<10}", "accuracy");
    for arm in Arm::ALL {
        let _ = write!(text, "{:>16}", arm.name());
    }
    text.push('\n');
    row(&mut text, "all", all.arms);
    let [on, off] = [true, false].map(|on| Tally::of(outcomes.iter().filter(|outcome| outcome.on_habit == Some(on))));
    if on.turns > 0 && off.turns > 0 {
        row(&mut text, "on-habit", on.arms);
        row(&mut text, "off-habit", off.arms);
    }
    if all.said > 0 {
        row(&mut text, "analyst", all.by_analyst);
    }
    if Arm::ALL.iter().any(|arm| all.mean_error(*arm).is_some()) {
        let _ = write!(text, "{:<10}", "MAE");
        for arm in Arm::ALL {
            let cell = all.mean_error(arm).map_or("-".to_owned(), |error| format!("{error:.3}"));
            let _ = write!(text, "{cell:>16}");
        }
        text.push('\n');
    }
    let Tally { turns, judged, said, overrides, rescues, suppressions, conflicts, .. } = all;
    let _ = write!(text, "{}, {judged} judged", plural(turns, "turn", "turns"));
    if said > 0 {
        let _ = write!(text, ", {said} by the analyst");
    }
    // A person's first answers are neither: there is no habit yet.
    let neither = judged.saturating_sub(on.turns + off.turns);
    if on.turns > 0 && off.turns > 0 && neither > 0 {
        let _ = write!(text, ", {neither} without a habit to go by");
    }
    let _ = writeln!(text, ", {}", plural(conflicts, "value conflict", "value conflicts"));
    let overrides = plural(overrides, "override of local", "overrides of local");
    let (rescues, suppressions) =
        (plural(rescues, "rescue", "rescues"), plural(suppressions, "suppression", "suppressions"));
    let _ = writeln!(text, "{overrides}: {rescues}, {suppressions}");
    text
}

/// One row of the table: per arm, judged answers and the right ones among them.
fn row(text: &mut String, name: &str, arms: [(usize, usize); 4]) {
    let _ = write!(text, "{name:<10}");
    for (answers, right) in arms {
        let share = |answers: usize| format!("{:.2} ({right}/{answers})", right as f64 / answers as f64);
        let cell = if answers > 0 { share(answers) } else { "-".to_owned() };
        let _ = write!(text, "{cell:>16}");
    }
    text.push('\n');
}

fn replay_json(replay: &mut Replay, signs: &[Signature]) -> Result<Value, CliError> {
    let mut turns = Vec::new();
    let mut failed = None;
    let notes = notes(replay.session());
    each_turn(replay, |number, turn, outcome| match turn_json(number, turn, outcome) {
        Ok(mut turn) => {
            turn["notes"] = json!(notes.get(number));
            turns.push(turn);
        }
        Err(error) => failed = Some(error),
    });
    if let Some(error) = failed {
        return Err(std::io::Error::from(error).into());
    }
    let session = replay.session();
    let tally = replay.state().tally();
    let arms: Map<String, Value> = Arm::ALL
        .into_iter()
        .map(|arm| {
            let (n, right) = tally.arms[arm as usize];
            let (judged, called_right) = tally.by_analyst[arm as usize];
            let feedback = json!({"n": judged, "right": called_right});
            let accuracy = tally.accuracy(arm);
            let mut told = json!({"n": n, "right": right, "accuracy": accuracy, "feedback": feedback});
            if let Some(error) = tally.mean_error(arm) {
                told[Metric::MeanAbsoluteError.name()] = json!(error);
            }
            (arm.name().to_owned(), told)
        })
        .collect();
    let header = serde_json::to_value(&session.header).map_err(std::io::Error::from)?;
    Ok(json!({
        "schema": REPLAY_SCHEMA,
        "header": header,
        "notes": notes.first(),
        "turns": turns,
        "arms": arms,
        "feedback": tally.said,
        "overrides": tally.overrides,
        "rescues": tally.rescues,
        "suppressions": tally.suppressions,
        "conflicts": tally.conflicts,
        "signatures": signs.iter().map(|sign| sign.name()).collect::<Vec<_>>(),
        "unknown_events": session.unknown,
        "cut_at_line": session.cut.map(|cut| cut.line),
    }))
}

fn turn_json(number: usize, turn: &Turn, outcome: &Outcome) -> serde_json::Result<Value> {
    let mut arms = Map::new();
    for arm in Arm::ALL {
        if let Some(answered) = turn.answered(arm) {
            let right = outcome.arms[arm as usize];
            let (answer, distribution) = (&answered.answer, &answered.distribution);
            let said = outcome.said[arm as usize];
            let value = json!({
                "answer": answer, "distribution": distribution, "text": answered.text, "right": right, "feedback": said,
            });
            arms.insert(arm.name().to_owned(), value);
        }
    }
    Ok(json!({
        "turn": number,
        "asked": serde_json::to_value(turn.asked())?,
        "visible": turn.evidence().map(|evidence| evidence.local.votes.len()),
        "support": turn.evidence().map(|evidence| evidence.global.support),
        "resolution": serde_json::to_value(turn.resolution())?,
        "arms": arms,
        "profile": turn.profile(),
        "on_habit": outcome.on_habit,
        "override": outcome.overridden,
        "rescue": outcome.rescued,
        "suppression": outcome.suppressed,
    }))
}
