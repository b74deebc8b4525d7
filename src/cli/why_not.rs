//! `logoscope why-not`: the first reason that keeps interactions or collective entries from being shown for a question.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::ask::parse_weight;
use super::store::tell;
use super::{CliError, Common, Format, moment, output};
use crate::data::interaction::UserId;
use crate::data::sanitize::visible;
use crate::engine::prompt::Question;
use crate::engine::why::why_not;
use crate::mediator::{Policy, Weight, Weights};
use crate::memory::why_not::Reason;

/// Version of the JSON object that `why-not` prints.
const SCHEMA: &str = "logoscope.why-not/1";

/// Options of `why-not`.
#[derive(Debug, Args)]
pub struct WhyNotArgs {
    /// Ids of interactions, anybody's, or of collective entries, `p5-c2-3`
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Who asks
    #[arg(long, value_name = "U")]
    user: String,
    /// Accept a user without history
    #[arg(long)]
    new_user: bool,
    /// What is asked
    #[arg(long, value_name = "Q")]
    query: String,
    /// When: a date, RFC 3339 or whole seconds; memory is read strictly before [default: just after the last interaction]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    at: Option<String>,
    /// Set a weight that divides the prompt's room, `local-room=0.5`; may be repeated
    #[arg(long = "weight", value_name = "NAME=VALUE", value_parser = parse_weight)]
    weights: Vec<(Weight, f64)>,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Runs the command: exit 0 whatever the reasons are, and 2 where nobody knows an id.
pub fn run(common: &Common, args: &WhyNotArgs) -> Result<ExitCode, CliError> {
    let memory = common.memory()?;
    let user = UserId::new(args.user.as_str());
    if !args.new_user && memory.population.user_ix(&user).is_none() {
        return Err(CliError::UnknownUser(user));
    }
    if args.query.trim().is_empty() {
        return Err(CliError::Usage(format!("--query '{}' asks nothing; give it some words", args.query)));
    }
    let question = Question { user, query: args.query.clone(), at: moment(args.at.as_deref(), &memory)? };
    let read = memory.read(&question.user, &question.query, question.at)?;
    tell(&memory.notices());
    let mut weights = Weights::defaults(Policy::default(), &memory.manifest);
    for (weight, value) in &args.weights {
        weights = weights.with(*weight, *value);
    }
    let mut answers: Vec<(&str, Reason)> = Vec::new();
    for id in &args.ids {
        answers.push((id, why_not(&memory, &question, &read, &weights, None, id)?));
    }
    let unknown = answers.iter().any(|(_, reason)| matches!(reason, Reason::Unknown));
    match args.format {
        Format::Text => {
            let mut out = output::out();
            for (id, reason) in &answers {
                writeln!(out, "{}: {}", output::shown(id), visible(&reason.to_string()))?;
            }
        }
        Format::Json => {
            let answer = |(id, reason): &(&str, Reason)| -> Result<Value, serde_json::Error> {
                let mut answer = json!({ "id": id, "told": reason.to_string() });
                if let (Value::Object(answer), Value::Object(fields)) = (&mut answer, serde_json::to_value(reason)?) {
                    answer.extend(fields);
                }
                Ok(answer)
            };
            let answers: Vec<Value> =
                answers.iter().map(answer).collect::<Result<_, _>>().map_err(std::io::Error::from)?;
            let printed = json!({
                "schema": SCHEMA,
                "dataset": memory.manifest.name,
                "user": question.user,
                "at": question.at,
                "query": question.query,
                "answers": answers,
            });
            writeln!(std::io::stdout(), "{printed}")?;
        }
    }
    Ok(ExitCode::from(if unknown { 2 } else { 0 }))
}
