//! What is asked: the question of the command line, or a file of them.

use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

use super::AskArgs;
use crate::cli::{CliError, file_error, moment};
use crate::data::interaction::{Timestamp, UserId};
use crate::data::text;
use crate::engine::prompt::Question;
use crate::memory::Memory;

/// A line of a file of questions.
#[derive(Deserialize)]
struct QuestionLine {
    id: Option<String>,
    user: UserId,
    query: String,
    at: Option<Timestamp>,
}

/// A question with its name, where a file gives it one.
pub(super) struct Named {
    pub(super) id: Option<String>,
    pub(super) question: Question,
}

/// The questions of the command line or of the file, each of somebody and about something.
pub(super) fn questions(args: &AskArgs, memory: &Memory) -> Result<Vec<Named>, CliError> {
    let default_at = moment(args.at.as_deref(), memory)?;
    let stranger = |user: &UserId| !args.new_user && memory.population.user_ix(user).is_none();
    if let (Some(user), Some(query)) = (&args.user, &args.query) {
        let user = UserId::new(user.as_str());
        if stranger(&user) {
            return Err(CliError::UnknownUser(user));
        }
        if query.trim().is_empty() {
            return Err(CliError::Usage(format!("--query '{query}' asks nothing; give it some words")));
        }
        return Ok(vec![Named { id: None, question: Question { user, query: query.clone(), at: default_at } }]);
    }
    let (path, bytes) = match args.queries.as_deref().unwrap_or(Path::new("")) {
        dash if dash == Path::new("-") => {
            let mut bytes = Vec::new();
            (Path::new("standard input"), std::io::stdin().read_to_end(&mut bytes).map(|_| bytes))
        }
        path => (path, std::fs::read(path)),
    };
    let bytes = bytes.map_err(|source| file_error(path, source))?;
    let fault = |line: usize, reason: String| CliError::Line { path: path.to_owned(), line, reason };
    let text = text::decode(&bytes).map_err(|error| fault(error.line, error.to_string()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let question = |(index, line): (usize, &str)| {
        let fault = |reason: String| fault(index + 1, reason);
        let line: QuestionLine = serde_json::from_str(line).map_err(|error| {
            let told = text::json_fault(&error);
            fault(format!("{told}; a question is {{\"user\", \"query\"}} with an optional \"at\""))
        })?;
        if stranger(&line.user) {
            return Err(fault(CliError::UnknownUser(line.user).to_string()));
        }
        if line.query.trim().is_empty() {
            return Err(fault(format!(
                "\"query\" '{}' asks nothing; give it some words, or remove the line",
                line.query
            )));
        }
        let question = Question { user: line.user, query: line.query, at: line.at.unwrap_or(default_at) };
        Ok(Named { id: line.id, question })
    };
    let questions: Vec<Named> = lines.map(question).collect::<Result<_, _>>()?;
    if questions.is_empty() {
        let told = "holds no question; write one object {\"user\", \"query\"} a line";
        return Err(CliError::Usage(format!("{}: {told}", path.display())));
    }
    Ok(questions)
}
