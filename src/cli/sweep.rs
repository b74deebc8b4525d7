//! `logoscope sweep`: one or two weights over a grid, with intervals, on past queries.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::ask::parse_weight;
use super::import::interrupted;
use super::output::legible;
use super::target::Target;
use super::{CliError, Common};
use crate::data::dataset::{Dataset, TaskKind};
use crate::data::sanitize::visible;
use crate::eval::experiment::gathered;
use crate::eval::fit::tuning;
use crate::eval::metrics::TaskMeasures;
use crate::eval::split::{Asked, Question, Range, Split};
use crate::eval::stats::Plan;
use crate::eval::sweep::{By, Case, Grid, MOST_OF_TWO, Point, Sweep, sweep};
use crate::eval::{EvalError, counted};
use crate::mediator::{Policy, Weight, Weights};
use crate::memory::Memory;
use crate::session::event::Setting;

mod svg;

/// Version of the JSON object.
const SCHEMA: &str = "logoscope.sweep/1";
/// Columns from the least end of an interval to the greatest.
const AXIS: usize = 40;
/// Shades of a heat map, worst first.
const SHADES: [&str; 5] = [" ", "░", "▒", "▓", "█"];

/// Options of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// What to sweep: half-life, local-trust=0..4:21, prior-strength=.5,1,2; twice for a heat map of two weights
    #[arg(long = "weight", value_name = "NAME[=LOW..HIGH[:N]]", required = true, num_args = 1)]
    grids: Vec<Grid>,
    /// Set another weight, `prior-strength=4`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_weight)]
    weights: Vec<(Weight, f64)>,
    /// The mediator's rule [default: product for labels, shrinkage for ratings]
    #[arg(long)]
    policy: Option<Policy>,
    /// Tune on the first FRACTION of the interactions by (at, id) [default: what lies before every judged query]
    #[arg(long, value_name = "FRACTION")]
    split: Option<f64>,
    /// What to judge by: accuracy, log-loss, macro-f1; ratings: mae, rmse [default: accuracy, mae]
    #[arg(long, value_name = "NAME")]
    metric: Option<By>,
    /// Sweep over the queries that are held out, instead of the tuning part: a look at them that cannot be taken back
    #[arg(long)]
    hold_out: bool,
    /// Seed of bootstrap and permutations
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Form,
    #[command(flatten)]
    target: Target,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For reading
    Text,
    /// One row a point
    Csv,
    /// A picture
    Svg,
    /// One object
    Json,
}

/// What was swept over.
struct Told<'a> {
    dataset: &'a str,
    policy: Policy,
    held_out: bool,
    range: Range,
}

impl Told<'_> {
    fn part(&self) -> &'static str {
        if self.held_out { "hold-out" } else { "tuning part" }
    }
}

/// Runs the command.
pub fn run(common: &Common, args: &SweepArgs) -> Result<ExitCode, CliError> {
    args.target.check()?;
    let dataset = common.dataset()?;
    let report = match report(&dataset, args, &interrupted()) {
        Err(CliError::Eval(EvalError::Interrupted)) => return Ok(super::given_up("sweep")),
        report => report?,
    };
    args.target.put(&report)?;
    Ok(ExitCode::SUCCESS)
}

fn report(dataset: &Dataset, args: &SweepArgs, cancel: &AtomicBool) -> Result<String, CliError> {
    let measures = TaskMeasures::of(&dataset.manifest)?;
    let by = args.metric.unwrap_or(By(measures.headline()));
    let known = By::all(&measures);
    if !known.contains(&by) {
        let known = known.into_iter().map(By::name).collect::<Vec<_>>().join(", ");
        return Err(CliError::Usage(format!("--metric {by} is not for this task; use one of {known}")));
    }
    let policy = args.policy.unwrap_or(Policy::of(dataset.manifest.task));
    super::by_rules(policy)?;
    swept(&args.grids, policy, dataset.manifest.task)?;
    let split = args.split.map_or(Split::Judged, |share| Split::Share { share });
    let asked = Asked::of(dataset, split)?;
    let questions: Vec<Question> =
        if args.hold_out { asked.questions.clone() } else { tuning(&dataset.manifest, asked.history) };
    let Some(range) = Range::of_moments(questions.iter().map(|question| question.at)) else {
        // There are queries, or the split would have been refused.
        return Err(EvalError::NoHistory { at: asked.query_range.from }.into());
    };
    let told = std::io::stderr().is_terminal();
    let show = |line: String| {
        if told {
            tell_part!("\r{line:<60}");
        }
    };
    let memory = Memory::build(dataset);
    let n = questions.len();
    let evidence = gathered(&memory, &questions, cancel, &mut |done| show(format!("reading memory, {done} of {n} …")))?;
    let pairs = questions.iter().zip(evidence);
    let cases: Vec<Case> = pairs
        .map(|(question, evidence)| Case {
            user: question.user,
            evidence: Cow::Owned(evidence),
            gold: question.gold,
            scores: None,
        })
        .collect();
    let defaults = Weights::defaults(policy, &dataset.manifest);
    let weights = args.weights.iter().fold(defaults, |weights, (weight, value)| weights.with(*weight, *value));
    let mut progress = |what: &str, done: usize, of: usize| show(format!("{what} {done} of {of} …"));
    let setting = Setting { weights, policy };
    let plan = Plan::seeded(args.seed);
    let found = sweep(&cases, args.grids.clone(), setting, (&measures, by), plan, cancel, &mut progress)?;
    show(String::new());
    show("\r".to_owned());
    let name = visible(&dataset.manifest.name);
    let told = Told { dataset: &name, policy, held_out: args.hold_out, range };
    Ok(match args.format {
        Form::Text => legible(&text(&told, &found)).into_owned(),
        Form::Csv => csv(&found)?,
        Form::Svg => svg::of(&title(&told, &found), &found),
        Form::Json => format!("{}\n", object(&told, &found)),
    })
}

/// Refuses what cannot be swept.
fn swept(grids: &[Grid], policy: Policy, task: TaskKind) -> Result<(), CliError> {
    let usage = |told: String| Err(CliError::Usage(told));
    match grids {
        [_, _, _, ..] => return usage("--weight can be given once or twice: a curve, or a heat map".to_owned()),
        [a, b] if a.weight == b.weight => {
            return usage(format!("--weight {} is given twice; sweep another weight beside it", a.weight));
        }
        [a, b] if a.values.len() * b.values.len() > MOST_OF_TWO => {
            let (down, across) = (a.values.len(), b.values.len());
            return usage(format!(
                "{down} values of {} by {across} of {} are {} points; a heat map has {MOST_OF_TWO} at most, 51 by 51",
                a.weight,
                b.weight,
                down * across
            ));
        }
        _ => {}
    }
    match grids.iter().find_map(|Grid { weight, .. }| Some((weight, idle(*weight, policy, task, false)?))) {
        Some((weight, reason)) => usage(format!("--weight {weight} changes nothing here: {reason}")),
        None => Ok(()),
    }
}

/// Why `weight` changes no answer to a query of such a `task` by itself under `policy`; `asked` says whether a model is asked.
pub(super) fn idle(weight: Weight, policy: Policy, task: TaskKind, asked: bool) -> Option<&'static str> {
    use crate::mediator::weights::Scope::{Display, Mediate, Model, Prompt, Session};
    match weight.scope() {
        Mediate => policy.ignores(weight, task),
        Display => Some("it shows conflicts or hides them; no decision depends on it"),
        Session => Some("it acts from question to question of a session, not on a query by itself"),
        Prompt | Model => (!asked).then_some("it acts through a model, and none is asked"),
    }
}

fn title(told: &Told, found: &Sweep) -> String {
    let names = found.grids.iter().map(|grid| grid.weight.name()).collect::<Vec<_>>().join(" × ");
    format!("{} · {} of mediated by {names} · policy {}", told.dataset, found.by, told.policy)
}

fn text(told: &Told, found: &Sweep) -> String {
    let mut out = format!("{}\n", title(told, found));
    let (from, to) = (told.range.from.date(), told.range.to.date());
    let less = if found.by.0.is_error() { "; less is better" } else { "" };
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "  {}: {} of {}, {from} to {to}; intervals of 95 % by resampling {}{less}",
        told.part(),
        counted(found.n, "query", "queries"),
        counted(found.people, "person", "people"),
        found.unit().resampled()
    );
    out.push('\n');
    match &found.grids[..] {
        [_, across] => heat_map(&mut out, found, across),
        _ => curve(&mut out, found),
    }
    let _ = writeln!(out, "\n{}", found.verdict());
    if told.held_out {
        let _ = writeln!(out, "A setting chosen by this look has no held-out queries left to be judged on.");
    }
    out
}

/// The least and the greatest value.
fn extent(points: &[Point]) -> (f64, f64) {
    let values = points.iter().filter_map(|point| point.value);
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// The same of the intervals around them.
fn spread(points: &[Point]) -> (f64, f64) {
    let spans = points.iter().filter_map(|point| point.interval);
    spans.fold(extent(points), |(low, high), span| (low.min(span.low), high.max(span.high)))
}

/// 0 for the least, 1 for the greatest; ½ where all are equal.
fn share(value: f64, (low, high): (f64, f64)) -> f64 {
    if high > low { (value - low) / (high - low) } else { 0.5 }
}

/// What is to be said of the point in this place.
fn mark(found: &Sweep, place: usize) -> &'static str {
    match (place == found.present, place == found.best) {
        (true, true) => "present, best",
        (true, false) => "present",
        (false, true) => "best",
        (false, false) => "",
    }
}

fn curve(out: &mut String, found: &Sweep) {
    let name = found.grids.first().map_or("", |grid| grid.weight.name());
    let (low, high) = spread(&found.points);
    let cell = |value: f64| (share(value, (low, high)) * (AXIS - 1) as f64).round() as usize;
    let ends = match low.total_cmp(&high) {
        Ordering::Less => format!("{low:<width$.3}{high:.3}", width = AXIS - 5),
        // All of one value stands in the middle.
        Ordering::Equal => format!("{low:^AXIS$.3}"),
        Ordering::Greater => String::new(),
    };
    let _ = writeln!(out, "{name:>20}  {:>9}  {:<15} {}", found.by, "interval", ends.trim_end());
    for (place, point) in found.points.iter().enumerate() {
        let at = point.at.first().copied().unwrap_or_default();
        let Some(value) = point.value else {
            let _ = writeln!(out, "{at:>20}  {:>9}", "-");
            continue;
        };
        let span = point.interval.map_or(String::new(), |span| format!("[{:.3}, {:.3}]", span.low, span.high));
        let mut axis = [' '; AXIS];
        point.interval.into_iter().for_each(|span| axis[cell(span.low)..=cell(span.high)].fill('─'));
        axis[cell(value)] = '●';
        let line = format!("{at:>20}  {value:>9.4}  {span:<15} {} {}", String::from_iter(axis), mark(found, place));
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn heat_map(out: &mut String, found: &Sweep, across: &Grid) {
    let (down, columns) = (&found.grids[0], across.values.len());
    let _ = writeln!(out, "{} down, {} across; > present, * best; darker is higher", down.weight, across.weight);
    let heads: Vec<String> = across.values.iter().map(|value| format!("{value:>8}")).collect();
    let _ = writeln!(out, "{:>10}{}", "", heads.concat());
    let extent = extent(&found.points);
    for (row, value) in down.values.iter().enumerate() {
        let _ = write!(out, "{value:>10}");
        for column in 0..columns {
            let place = row * columns + column;
            let Some(value) = found.points[place].value else {
                let _ = write!(out, "{:>8}", "-");
                continue;
            };
            let shade = SHADES[(share(value, extent) * (SHADES.len() - 1) as f64).round() as usize];
            let mark = match (place == found.best, place == found.present) {
                (true, _) => "*",
                (false, true) => ">",
                _ => " ",
            };
            let _ = write!(out, " {shade}{mark}{value:.3}");
        }
        out.push('\n');
    }
}

fn csv(found: &Sweep) -> Result<String, CliError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = found.grids.iter().map(|grid| grid.weight.name().to_owned());
    let heads = [found.by.0.name(), "low", "high", "present", "best"].map(str::to_owned);
    writer.write_record(names.chain(heads)).map_err(std::io::Error::from)?;
    for (place, point) in found.points.iter().enumerate() {
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let at = point.at.iter().map(f64::to_string);
        let spans =
            [point.value, point.interval.map(|span| span.low), point.interval.map(|span| span.high)].map(number);
        let marks = [place == found.present, place == found.best].map(|mark| mark.to_string());
        writer.write_record(at.chain(spans).chain(marks)).map_err(std::io::Error::from)?;
    }
    let bytes = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| std::io::Error::other(error).into())
}

/// JSON has no infinity.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!("inf") }
}

fn object(told: &Told, found: &Sweep) -> Value {
    let point = |(place, point): (usize, &Point)| {
        let at: serde_json::Map<String, Value> =
            found.grids.iter().zip(&point.at).map(|(grid, at)| (grid.weight.name().to_owned(), number(*at))).collect();
        json!({
            "at": at,
            "value": point.value,
            "ci": point.interval,
            "present": place == found.present,
            "best": place == found.best,
        })
    };
    let gain = found.gain.map(|gain| {
        json!({
            "difference": gain.difference,
            "ci": gain.interval,
            "p_corrected": gain.p,
            "noise": gain.is_noise(),
        })
    });
    json!({
        "schema": SCHEMA,
        "dataset": told.dataset,
        "part": if told.held_out { "hold-out" } else { "tuning" },
        "queries": told.range,
        "people": found.people,
        "resampled": found.unit(),
        "policy": told.policy,
        "metric": found.by,
        "weights": found.grids.iter().map(|grid| grid.weight.name()).collect::<Vec<_>>(),
        "points": found.points.iter().enumerate().map(point).collect::<Vec<_>>(),
        "best_over_present": gain,
        "verdict": found.verdict(),
    })
}
