//! `logoscope fit`: constants of memory and mediator from past queries.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::import::interrupted;
use super::output::legible;
use super::target::{require_writable, write};
use super::{CliError, Common, Format};
use crate::data::dataset::Manifest;
use crate::eval::EvalError;
use crate::eval::fit::rating::{self, Point, RatingFit};
use crate::eval::fit::{Fitted, fit};
use crate::eval::metrics::TaskMeasures;
use crate::eval::split::{Asked, Range, Split};
use crate::mediator::weights::unit_name;
use crate::mediator::{Policy, Weights};
use crate::memory::{Apart, Memory};

/// Version of the JSON object that `fit` prints.
const SCHEMA: &str = "logoscope.fit/1";

/// Options of `fit`.
#[derive(Debug, Args)]
pub struct FitArgs {
    /// Fit on the first FRACTION of the interactions by (at, id) [default: what lies before every judged query]
    #[arg(long, value_name = "FRACTION")]
    split: Option<f64>,
    /// Write the fitted constants into the dataset's own dataset.toml, which is rewritten without its comments
    #[arg(long, conflicts_with = "out")]
    write: bool,
    /// File for the fitted constants, as a part of dataset.toml
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// With --out: replace a file that exists
    #[arg(long, requires = "out")]
    force: bool,
    /// How to print the report
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn run(common: &Common, args: &FitArgs) -> Result<ExitCode, CliError> {
    if let Some(out) = &args.out {
        require_writable(out, args.force)?;
        if out.file_name().is_some_and(|name| name == "dataset.toml") {
            let told = "would hold constants alone; --write puts them into the dataset's own";
            return Err(CliError::Usage(format!("{} {told}", out.display())));
        }
    }
    if args.write && common.data.is_none() {
        return Err(CliError::Usage("--write needs --data: the embedded sample cannot be changed".to_owned()));
    }
    let dataset = common.dataset()?;
    let measures = TaskMeasures::of(&dataset.manifest)?;
    let split = args.split.map_or(Split::Judged, |share| Split::Share { share });
    let asked = Asked::of(&dataset, split)?;
    let mut memory = Memory::build(&dataset);
    let told = std::io::stderr().is_terminal();
    let mut progress = |step: &str| {
        if told {
            tell_part!("\r{step:<60}");
        }
    };
    if let TaskMeasures::Rating(_) = measures {
        let fitted = match rating::fit(&mut memory, asked.history, Apart::default(), &interrupted(), &mut progress) {
            Err(EvalError::Interrupted) => return Ok(super::given_up("fit")),
            fitted => fitted?,
        };
        progress("");
        progress("\r");
        let report = match args.format {
            Format::Text => legible(&rating_text(&fitted)).into_owned(),
            Format::Json => format!("{}\n", rating_object(&fitted)),
        };
        return finish(common, args, &fitted.manifest, &rating_constants(&fitted.manifest), &report);
    }
    let fitted = match fit(&mut memory, asked.history, Apart::default(), &interrupted(), &mut progress) {
        Err(EvalError::Interrupted) => return Ok(super::given_up("fit")),
        fitted => fitted?,
    };
    progress("");
    progress("\r");
    let report = match args.format {
        Format::Text => legible(&text(&dataset.manifest, &fitted)).into_owned(),
        Format::Json => format!("{}\n", object(&dataset.manifest, &fitted)),
    };
    finish(common, args, &fitted.manifest, &constants(&fitted.manifest), &report)
}

/// Prints the report and writes the constants where they are wanted.
fn finish(
    common: &Common,
    args: &FitArgs,
    fitted: &Manifest,
    constants: &[Constant],
    report: &str,
) -> Result<ExitCode, CliError> {
    match (&args.out, &common.data) {
        (Some(out), _) => write(out, &fragment(constants))?,
        (None, Some(folder)) if args.write => {
            let manifest = toml::to_string(fitted).map_err(std::io::Error::other)?;
            write(&folder.join("dataset.toml"), &manifest)?;
        }
        _ => {}
    }
    std::io::stdout().lock().write_all(report.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Table, key and value in dataset.toml.
type Constant = (&'static str, &'static str, f64);

/// Everything a fit of ratings may change.
fn rating_constants(manifest: &Manifest) -> Vec<Constant> {
    let weights = Weights::defaults(Policy::Shrinkage, manifest);
    vec![
        ("weights", "prior-strength-shrinkage", weights.prior_strength),
        ("weights", "similarity-sharpness", weights.similarity_sharpness),
        ("weights", "half-life", weights.half_life),
    ]
}

fn rating_text(fitted: &RatingFit) -> String {
    let mut told = String::new();
    let (name, unit) = (crate::data::sanitize::visible(&fitted.manifest.name), fitted.manifest.age_unit());
    let _ = writeln!(told, "{name} · fit of policy shrinkage");
    ranges(&mut told, fitted.warm_up, fitted.tuning);
    let _ = writeln!(told, "\n  RMSE as it stands {:.4}, fitted {:.4}", fitted.before, fitted.after);
    let _ = writeln!(told, "\nEach half-life ({}) with what suits it best", unit_name(unit));
    let _ = writeln!(told, "  half-life  similarity-sharpness  prior-strength    RMSE");
    for point in &fitted.ridge {
        let Point { half_life, similarity_sharpness, prior_strength, rmse } = point;
        let _ = writeln!(told, "  {half_life:>9}  {similarity_sharpness:>20}  {prior_strength:>14}  {rmse:.4}");
    }
    let _ = writeln!(told, "\nFor dataset.toml\n");
    told + &fragment(&rating_constants(&fitted.manifest))
}

fn rating_object(fitted: &RatingFit) -> serde_json::Value {
    json!({
        "schema": SCHEMA,
        "dataset": fitted.manifest.name,
        "warm_up": fitted.warm_up,
        "tuning": fitted.tuning,
        "before": {"rmse": fitted.before},
        "after": {"rmse": fitted.after, "constants": values(&rating_constants(&fitted.manifest))},
        "ridge": fitted.ridge,
    })
}

/// Everything a fit of labels may change.
fn constants(manifest: &Manifest) -> Vec<Constant> {
    let (periods, calibration, weights) = (&manifest.periods, &manifest.calibration, &manifest.weights);
    // Where they are looked for: a fit leaves them out otherwise.
    let looked_for = |exponent: f64| (exponent > 0.0).then_some(exponent);
    let some = |table, key, value: Option<f64>| value.map(|value| (table, key, value));
    let all = [
        Some(("retrieval", "neighbours", manifest.retrieval.neighbours as f64)),
        Some(("periods", "base-half-life", periods.base_half_life)),
        Some(("periods", "neighbour-half-life", periods.neighbour_half_life)),
        Some(("calibration", "local", calibration.local)),
        Some(("calibration", "terms", calibration.terms)),
        Some(("calibration", "neighbours", calibration.neighbours)),
        some("calibration", "entries", calibration.entries),
        some("calibration", "community-leaning", looked_for(calibration.community_leaning)),
        some("calibration", "community-habit", looked_for(calibration.community_habit)),
        some("calibration", "community-neighbours", looked_for(calibration.community_neighbours)),
        Some(("calibration", "smoothing", calibration.smoothing)),
        some("weights", "prior-strength-product", weights.prior_strength_product),
        some("weights", "prior-strength-shrinkage", weights.prior_strength_shrinkage),
        some("weights", "similarity-sharpness", weights.similarity_sharpness),
        some("weights", "half-life", weights.half_life),
        some("weights", "community-focus", weights.community_focus),
    ];
    all.into_iter().flatten().collect()
}

/// The fitted constants as a part of dataset.toml.
fn fragment(constants: &[Constant]) -> String {
    let mut told = String::new();
    let mut last = "";
    for (table, key, value) in constants {
        if *table != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            let _ = writeln!(told, "{gap}[{table}]");
            last = table;
        }
        let _ = match key {
            &"neighbours" if *table == "retrieval" => writeln!(told, "{key} = {value}"),
            _ => writeln!(told, "{key} = {value:?}"),
        };
    }
    told
}

/// What was used for what.
fn ranges(told: &mut String, warm_up: Range, tuning: Range) {
    let _ = writeln!(
        told,
        "  memory warmed up on {} interactions, {} to {}\n  fitted on {} queries, {} to {}; nothing later was read",
        warm_up.n,
        warm_up.from.date(),
        warm_up.to.date(),
        tuning.n,
        tuning.from.date(),
        tuning.to.date()
    );
}

fn text(before: &Manifest, fitted: &Fitted) -> String {
    let mut told = String::new();
    let _ = writeln!(told, "{} · fit of policy product", crate::data::sanitize::visible(&before.name));
    ranges(&mut told, fitted.warm_up, fitted.tuning);
    let _ = writeln!(told, "\n               log-loss  accuracy");
    for (name, standing) in [("as it stands", fitted.before), ("fitted", fitted.after)] {
        let _ = writeln!(told, "  {name:<12}  {:>8.4}  {:>8.3}", standing.log_loss, standing.accuracy);
    }
    let _ = writeln!(told, "\nRidge: κ against the exponent A_L that suits it best");
    let _ = writeln!(told, "  prior-strength    A_L  log-loss");
    for point in &fitted.ridge {
        let _ = writeln!(told, "  {:>14}  {:>5.3}  {:>8.4}", point.prior_strength, point.local, point.log_loss);
    }
    let _ = writeln!(told, "\nFor dataset.toml\n");
    told + &fragment(&constants(&fitted.manifest))
}

/// Constants by their place in dataset.toml.
fn values(constants: &[Constant]) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (table, key, value) in constants {
        // JSON has no infinity.
        let value = if value.is_finite() { json!(value) } else { json!("inf") };
        object.insert(format!("{table}.{key}"), value);
    }
    object.into()
}

fn object(before: &Manifest, fitted: &Fitted) -> serde_json::Value {
    json!({
        "schema": SCHEMA,
        "dataset": before.name,
        "warm_up": fitted.warm_up,
        "tuning": fitted.tuning,
        "before": {"standing": fitted.before, "constants": values(&constants(before))},
        "after": {"standing": fitted.after, "constants": values(&constants(&fitted.manifest))},
        "ridge": fitted.ridge,
    })
}
