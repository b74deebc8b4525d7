//! `logoscope parity`: asks a model the judged queries of a dataset on two devices and says where the answers part.
//! Exit 1 on a difference that is more than numbers rounded differently.

use std::io::Write;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::eval::at_least_one;
use super::{CliError, Common, Format, model};
use crate::data::sanitize::visible;
use crate::engine::answer::request;
use crate::engine::error::EngineError;
use crate::engine::fit::Fit;
use crate::engine::model::{DeviceChoice, LoadOptions, Located, ModelSpec};
use crate::engine::parity::{Difference, Kind, Parity};
use crate::engine::prompt::{Arm, Blocks};
use crate::mediator::Policy;
use crate::memory::Memory;

/// Version of the JSON object that `parity` prints.
const SCHEMA: &str = "logoscope.parity/1";
/// Differences that are told one by one.
const TOLD: usize = 12;

/// Options of `parity`.
#[derive(Debug, Args)]
pub struct ParityArgs {
    /// The device that is taken as right; --device names the one to be compared with it
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Cpu)]
    against: DeviceChoice,
    /// Another model to be taken as right, instead of the same one
    #[arg(long, value_name = "NAME|DIR|FILE|ID|URL")]
    other: Option<String>,
    /// How far the reference may prefer its own choice before a difference is real, in nats
    #[arg(long, value_name = "NATS", default_value_t = 0.05, value_parser = tolerance, allow_hyphen_values = true)]
    tolerance: f64,
    /// How many of the judged queries [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    queries: Option<NonZeroUsize>,
    /// Tokens of text to compare on every arm
    #[arg(long, value_name = "N", default_value_t = 24)]
    tokens: usize,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// A bound that some difference is beyond: nothing is more than what is no number, or than infinity.
fn tolerance(text: &str) -> Result<f64, String> {
    let nats = text.parse().ok().filter(|nats: &f64| *nats >= 0.0 && nats.is_finite());
    nats.ok_or_else(|| format!("'{text}' is no tolerance; give a number of nats from 0 up such as 0.05"))
}

/// Runs the command.
pub fn run(common: &Common, args: &ParityArgs) -> Result<ExitCode, CliError> {
    let dataset = common.dataset()?;
    // Who compared nothing has found no difference, which would pass for agreement.
    if dataset.queries.is_empty() {
        return Err(CliError::NoQuestion { dataset: dataset.manifest.name });
    }
    let Some(path) = common.model_place()? else {
        return Err(CliError::Usage("parity compares a model's answers and --model is none; name one".to_owned()));
    };
    let right = match &args.other {
        Some(name) => model::located(&ModelSpec { name: name.clone(), options: common.load_options() })?,
        None => path.clone(),
    };
    let against = match &right {
        Located::Files(_) => LoadOptions { device: args.against, ..common.load_options() },
        Located::Server(_) => common.load_options(),
    };
    let reference = model::engine(&against, Some(&right))?.ok_or(EngineError::NotLoaded)?;
    let other = model::engine(&common.load_options(), Some(&path))?.ok_or(EngineError::NotLoaded)?;
    let memory = Memory::build(&dataset);
    let policy = Policy::of(dataset.manifest.task);
    let weights = Fit::Unfitted.defaults(policy, &dataset.manifest);
    let mut parity = Parity::of(&*reference, &*other);
    let mut found: Vec<(String, Arm, Difference)> = Vec::new();
    let mut asked = 0;
    for query in dataset.queries.iter().take(args.queries.map_or(usize::MAX, NonZeroUsize::get)) {
        let read = memory.read(&query.user, &query.query, query.at)?;
        let blocks = Blocks::of(&memory, &query.query, &read);
        for arm in Arm::ALL {
            let mut request = request(&blocks, memory.scored_labels(), arm, &weights);
            request.max_tokens = args.tokens;
            // Texts of any length are compared: what the model would say after the end of its answer, too.
            request.stop.clear();
            asked += 1;
            found.extend(parity.ask(&request)?.into_iter().map(|difference| (query.id.clone(), arm, difference)));
        }
    }
    let real = found.iter().filter(|(.., difference)| difference.is_real(args.tolerance)).count();
    let [left, other_pace] = parity.pace;
    let names = [&*reference, &*other].map(model::described);
    match args.format {
        Format::Json => {
            let differences: Vec<_> = found
                .iter()
                .map(|(query, arm, difference)| {
                    let real = difference.is_real(args.tolerance);
                    json!({"query": query, "arm": arm, "real": real, "difference": difference})
                })
                .collect();
            let told = json!({
                "schema": SCHEMA, "reference": names[0], "other": names[1], "answers": asked, "tolerance": args.tolerance,
                "tokens_per_second": {"reference": left.speed(), "other": other_pace.speed()},
                "differences": differences, "real": real,
            });
            writeln!(std::io::stdout(), "{told}")?;
        }
        Format::Text => {
            for (name, pace) in names.iter().zip([left, other_pace]) {
                print_line!("{:.0} tokens/s  {}", pace.speed(), visible(name))?;
            }
            let labels = found.iter().filter(|(.., difference)| difference.kind == Kind::Label).count();
            print_line!("{asked} answers: {labels} labels and {} texts differ, {real} really", found.len() - labels)?;
            for (query, arm, difference) in found.iter().take(TOLD) {
                print_line!("{}", line(query, *arm, difference, args.tolerance))?;
            }
            if found.len() > TOLD {
                print_line!("and {} more", found.len() - TOLD)?;
            }
        }
    }
    Ok(if real == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn line(query: &str, arm: Arm, difference: &Difference, tolerance: f64) -> String {
    let at = match difference.kind {
        Kind::Label => "label".to_owned(),
        Kind::Token(number) => format!("token {}", number + 1),
        Kind::End(number) => format!("one ends before token {}", number + 1),
    };
    let margin = difference.margin.map_or("margin unknown".to_owned(), |margin| format!("margin {margin:.4}"));
    let real = if difference.is_real(tolerance) { "" } else { " (rounding)" };
    format!(
        "{} {} {at}: {:?} and {:?}, {margin}{real}",
        visible(query),
        arm.name(),
        difference.expected,
        difference.found
    )
}
