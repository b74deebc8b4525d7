//! `logoscope fit`: constants of memory and mediator from past queries.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::eval::writable;
use super::import::interrupted;
use super::{CliError, Common, Format};
use crate::data::dataset::{Manifest, write_whole};
use crate::eval::fit::{Fitted, fit};
use crate::eval::split::{Asked, Split};
use crate::eval::{EvalError, metrics};
use crate::memory::Memory;

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
    /// How to print the report
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn run(common: &Common, args: &FitArgs) -> Result<ExitCode, CliError> {
    if let Some(out) = &args.out {
        writable(out)?;
    }
    if args.write && common.data.is_none() {
        return Err(CliError::Usage("--write needs --data: the embedded sample cannot be changed".to_owned()));
    }
    let dataset = common.dataset()?;
    metrics::labels_of(dataset.manifest.task, dataset.manifest.labels.len())?;
    let split = args.split.map_or(Split::Judged, |share| Split::Share { share });
    let asked = Asked::of(&dataset, split)?;
    let mut memory = Memory::build(&dataset);
    let told = std::io::stderr().is_terminal();
    let mut progress = |step: &str| {
        if told {
            eprint!("\r{step:<60}");
        }
    };
    let fitted = match fit(&mut memory, asked.history, &interrupted(), &mut progress) {
        Err(error @ EvalError::Interrupted) => {
            eprintln!("logoscope: {error}");
            return Ok(ExitCode::from(130));
        }
        fitted => fitted?,
    };
    progress("");
    progress("\r");
    let fragment = fragment(&fitted.manifest);
    let report = match args.format {
        Format::Text => text(&dataset.manifest, &fitted),
        Format::Json => format!("{}\n", object(&dataset.manifest, &fitted)),
    };
    match (&args.out, &common.data) {
        (Some(out), _) => write_whole(out, fragment.as_bytes())?,
        (None, Some(folder)) if args.write => {
            let manifest = toml::to_string(&fitted.manifest).map_err(std::io::Error::other)?;
            write_whole(&folder.join("dataset.toml"), manifest.as_bytes())?;
        }
        _ => {}
    }
    std::io::stdout().lock().write_all(report.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Everything a fit may change, as `(table, key, value)`.
fn constants(manifest: &Manifest) -> Vec<(&'static str, &'static str, f64)> {
    let (periods, calibration, weights) = (&manifest.periods, &manifest.calibration, &manifest.weights);
    let some = |table, key, value: Option<f64>| value.map(|value| (table, key, value));
    let all = [
        Some(("retrieval", "neighbours", manifest.retrieval.neighbours as f64)),
        Some(("periods", "base-half-life", periods.base_half_life)),
        Some(("periods", "neighbour-half-life", periods.neighbour_half_life)),
        Some(("calibration", "local", calibration.local)),
        Some(("calibration", "terms", calibration.terms)),
        Some(("calibration", "neighbours", calibration.neighbours)),
        some("calibration", "entries", calibration.entries),
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
fn fragment(manifest: &Manifest) -> String {
    let mut told = String::new();
    let mut last = "";
    for (table, key, value) in constants(manifest) {
        if table != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            let _ = writeln!(told, "{gap}[{table}]");
            last = table;
        }
        let _ = match key {
            "neighbours" if table == "retrieval" => writeln!(told, "{key} = {value}"),
            _ => writeln!(told, "{key} = {value:?}"),
        };
    }
    told
}

fn text(before: &Manifest, fitted: &Fitted) -> String {
    let mut told = String::new();
    let (warm_up, tuning) = (fitted.warm_up, fitted.tuning);
    let _ = writeln!(told, "{} · fit of policy product", crate::data::sanitize::visible(&before.name));
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
    told + &fragment(&fitted.manifest)
}

fn object(before: &Manifest, fitted: &Fitted) -> serde_json::Value {
    let values = |manifest: &Manifest| -> serde_json::Value {
        let mut object = serde_json::Map::new();
        for (table, key, value) in constants(manifest) {
            // JSON has no infinity.
            let value = if value.is_finite() { json!(value) } else { json!("inf") };
            object.insert(format!("{table}.{key}"), value);
        }
        object.into()
    };
    json!({
        "schema": SCHEMA,
        "dataset": before.name,
        "warm_up": fitted.warm_up,
        "tuning": fitted.tuning,
        "before": {"standing": fitted.before, "constants": values(before)},
        "after": {"standing": fitted.after, "constants": values(&fitted.manifest)},
        "ridge": fitted.ridge,
    })
}
