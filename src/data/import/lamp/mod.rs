//! LaMP, tasks 1 to 7 in both splits: profile items become interactions, questions become judged queries.
//!
//! * Files are told apart by their content: an object `{"task", "golds"}` holds outputs, an array holds questions, and
//!   questions may bring their outputs themselves. Objects are read first, so that questions meet their golds.
//! * Time split: a profile item's `date` is its time, of whatever length it is written, and the question is asked on the day
//!   after the newest of them. User split: there are no dates; the order in the files stands for time, one day a question,
//!   and a question without `user_id` is a person of its own.
//! * Every prompt's own labels are read from it; the dataset's are all of them in the order of their first mention.
//! * One question with its profile is held at a time, besides the golds.
//!
//! Order of checking, profile items: prompt (where no task is known yet), user, time, query, response, label or scale, id,
//! duplicate. Questions: prompt, user, time, gold, id.

mod stream;
mod task;

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use time::{Date, Month};

use self::stream::{begins_object, elements};
use self::task::{Answer, Prompt};
pub use self::task::{Task, Wanted};
use super::mapped::{MOST_LABELS, read_time};
use super::seen::Seen;
use super::{
    ImportError, Intake, NoText, Reason, Rejection, Report, Source, Watch, extra, labels_task, rating_task, text,
    text_task,
};
use crate::data::dataset::{Manifest, TaskKind, WeightDefaults};
use crate::data::interaction::{Extra, Interaction, JudgedQuery, Timestamp, UserId};
use crate::data::scale::Scale;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// What is asked of an import.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The dataset's name; without one it is the task's.
    pub name: Option<String>,
    /// The tasks that the questions may be of; without it the first prompt decides.
    pub wanted: Option<Wanted>,
}

/// Streams questions and outputs into the dataset folder `out`; without one the rows are only counted.
pub fn import_files(
    sources: Vec<Source>,
    request: Request,
    out: Option<&Path>,
    watch: Watch<'_>,
) -> Result<Report, ImportError> {
    let intake = Intake::begin(&sources, TaskKind::Text, out, watch)?;
    let mut files = Vec::new();
    for source in sources {
        let name = source.name().to_owned();
        let mut reader = source.open().map_err(ImportError::reading(&name))?;
        let object = begins_object(&mut reader).map_err(ImportError::reading(&name))?;
        files.push((!object, name, reader));
    }
    // Stable: files of a kind are read in the order in which they are given.
    files.sort_by_key(|(questions, ..)| *questions);
    let mut import = Import::new(intake, request);
    for (_, name, reader) in files {
        let mut number = 0;
        elements(&name, reader, &mut |element| {
            number += 1;
            import.element(element, (&name, number))
        })?;
    }
    import.finish()
}

/// How the questions are laid out in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Split {
    /// Profile items have dates.
    Time,
    /// They have none.
    User,
}

/// Where an element stands: its file and its number there.
type Place<'a> = (&'a Path, u64);

struct Import<'a> {
    intake: Intake<'a>,
    request: Request,
    task: Option<Task>,
    split: Option<Split>,
    /// In the order of first mention.
    labels: Vec<String>,
    scale: Option<Scale>,
    golds: HashMap<String, String>,
    questions: Questions,
}

/// What has been met of questions and profile items.
struct Questions {
    read: u64,
    without_gold: u64,
    ids: Seen,
    items: Seen,
    rows: Seen,
}

/// What a profile item needs to know of its question.
struct Asker {
    /// The question's id.
    question: Result<String, NoText>,
    user: Result<String, NoText>,
    /// Whether the person may have asked other questions, with the same items.
    shared: bool,
    /// The question's number, from 0.
    number: u64,
}

impl<'a> Import<'a> {
    fn new(intake: Intake<'a>, request: Request) -> Self {
        let questions = Questions { read: 0, without_gold: 0, ids: Seen::new(), items: Seen::new(), rows: Seen::new() };
        let (labels, golds) = (Vec::new(), HashMap::new());
        Self { intake, request, task: None, split: None, labels, scale: None, golds, questions }
    }

    fn element(&mut self, element: Value, place: Place<'_>) -> Result<(), ImportError> {
        let element = match element {
            Value::Object(question) if question.contains_key("input") => return self.question(question, place),
            element => element,
        };
        match text(element.get("id")).and_then(|id| Ok((id, text(element.get("output"))?))) {
            Ok((id, gold)) => {
                self.golds.insert(id, gold);
            }
            Err(why) => {
                self.intake.row()?;
                self.intake.reject(why.rejected(Reason::NoQuestion), place, || element.to_string());
            }
        }
        Ok(())
    }

    /// Takes in a question with its profile.
    fn question(&mut self, mut question: Extra, place: Place<'_>) -> Result<(), ImportError> {
        self.intake.row()?;
        let items = match question.shift_remove("profile") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        let input = text(question.get("input")).unwrap_or_default();
        self.settle(&input, &question, &items, place)?;
        let prompt = self.prompt(&input);

        let id = text(question.get("id"));
        let named = text(question.get("user_id"));
        // A name that cannot be read is still somebody's: the question is no person of its own.
        let shared = named != Err(NoText::Missing);
        let user = if shared { named } else { id.clone() };
        let asker = Asker { question: id, user, shared, number: self.questions.read };
        self.questions.read += 1;
        let mut newest = None;
        for (position, mut item) in items.into_iter().enumerate() {
            self.intake.row()?;
            match self.item(&asker, position, &mut item, &mut newest) {
                Ok(interaction) => self.intake.keep(&interaction)?,
                Err(rejection) => self.intake.reject(rejection, place, || item.to_string()),
            }
        }
        match self.query(&asker, &question, prompt, newest) {
            Ok(query) => self.intake.ask(&query)?,
            Err(rejection) => self.intake.reject(rejection, place, || input),
        }
        Ok(())
    }

    /// Lets the first question that can decide the task and the split.
    fn settle(
        &mut self,
        input: &str,
        question: &Extra,
        items: &[Value],
        (path, number): Place<'_>,
    ) -> Result<(), ImportError> {
        if self.split.is_none() {
            let dated = items.iter().any(|item| item.get("date").is_some());
            let timed = dated || items.is_empty() && question.contains_key("user_id");
            self.split = Some(if timed { Split::Time } else { Split::User });
        }
        if self.task.is_some() {
            return Ok(());
        }
        let Some(task) = Task::of(input) else { return Ok(()) };
        if let Some(wanted) = self.request.wanted.as_ref().filter(|wanted| !wanted.allows(task)) {
            let path = path.display();
            return Err(ImportError::Task(format!(
                "{path}: question {number} is worded as {task}'s are, not as those of --task {wanted}; leave --task out"
            )));
        }
        self.task = Some(task);
        self.intake.report.task = task.kind();
        Ok(())
    }

    /// Takes a question's prompt apart and learns the labels or the scale it names.
    fn prompt(&mut self, input: &str) -> Result<Prompt, Rejection> {
        let bad = || Rejection::from(Reason::BadPrompt);
        let prompt = self.task.and_then(|task| task.prompt(input)).ok_or_else(bad)?;
        match &prompt.answer {
            Answer::Labels(labels) => {
                let new: Vec<String> = labels.iter().filter(|label| !self.labels.contains(label)).cloned().collect();
                if self.labels.len() + new.len() > MOST_LABELS {
                    return Err(bad());
                }
                self.labels.extend(new);
            }
            // A dataset has one scale: the first.
            Answer::Score(scale) if *self.scale.get_or_insert(*scale) != *scale => return Err(bad()),
            _ => {}
        }
        Ok(prompt)
    }

    /// The interaction of a profile item, whose fields it takes if there is one; `newest` learns its time.
    fn item(
        &mut self,
        asker: &Asker,
        position: usize,
        item: &mut Value,
        newest: &mut Option<Timestamp>,
    ) -> Result<Interaction, Rejection> {
        let Value::Object(item) = item else { return Err(Reason::NoQuestion.into()) };
        let task = self.task.ok_or(Reason::BadPrompt)?;
        let user = asker.user.as_deref().map_err(|why| why.rejected(Reason::NoUser))?;
        let at = match self.split {
            Some(Split::Time) => date(item.get("date"))?,
            _ => Timestamp(asker.number as i64 * DAY + (position as i64).min(DAY - 2)),
        };
        *newest = (*newest).max(Some(at));
        let fields = task.fields();
        let query = text(item.get(fields.query)).map_err(|why| why.rejected(Reason::NoQuery))?;
        let response = text(item.get(fields.response)).map_err(|why| why.rejected(Reason::NoResponse))?;
        let response = self.fitting(response, &self.labels)?;
        let question = asker.question.as_deref().map_err(|why| why.rejected(Reason::NoId))?;
        let own = text(item.get("id")).map_err(|why| why.rejected(Reason::NoId))?;
        let id = format!("{question}/{own}");
        if !self.questions.items.insert(&[&id]) {
            return Err(Rejection::of(Reason::DuplicateId, id));
        }
        if asker.shared {
            let day = if self.split == Some(Split::Time) { at.to_string() } else { String::new() };
            if !self.questions.rows.insert(&[user, &day, &query, &response]) {
                return Err(Reason::DuplicateRow.into());
            }
        }
        for used in ["id", "date", fields.query, fields.response] {
            item.shift_remove(used);
        }
        Ok(Interaction {
            id,
            user: UserId::new(user),
            at,
            query,
            response,
            item: None,
            extra: extra(std::mem::take(item)),
        })
    }

    /// The judged query of a question whose newest profile item is of `newest`.
    fn query(
        &mut self,
        asker: &Asker,
        question: &Extra,
        prompt: Result<Prompt, Rejection>,
        newest: Option<Timestamp>,
    ) -> Result<JudgedQuery, Rejection> {
        let Prompt { query, answer } = prompt?;
        let user = asker.user.as_deref().map_err(|why| why.rejected(Reason::NoUser))?;
        let at = match self.split {
            Some(Split::Time) => Timestamp(newest.ok_or(Reason::NoTime)?.0.saturating_add(DAY)),
            _ => Timestamp((asker.number as i64 + 1) * DAY - 1),
        };
        let given = asker.question.as_ref().ok().and_then(|id| self.golds.remove(id));
        let given = given.or_else(|| text(question.get("output")).ok());
        let mut extra = Extra::new();
        let gold = match (given, &answer) {
            (Some(gold), Answer::Labels(labels)) => Some(self.fitting(gold, labels)?),
            (Some(gold), Answer::Reference(_)) if gold != "[1]" && gold != "[2]" => {
                return Err(Rejection::of(Reason::OtherLabel, gold));
            }
            (Some(gold), _) => Some(self.fitting(gold, &[])?),
            (None, _) => None,
        };
        let id = asker.question.clone().map_err(|why| why.rejected(Reason::NoId))?;
        if !self.questions.ids.insert(&[&id]) {
            return Err(Rejection::of(Reason::DuplicateId, id));
        }
        match answer {
            Answer::Labels(labels) => {
                extra.insert("labels".to_owned(), json!(labels));
            }
            Answer::Reference([first, second]) => {
                extra.insert("choices".to_owned(), json!({ "[1]": first, "[2]": second }));
            }
            Answer::Score(_) | Answer::Text => {}
        }
        self.questions.without_gold += u64::from(gold.is_none());
        Ok(JudgedQuery { id, user: UserId::new(user), at, query, gold, item: None, extra })
    }

    /// The response as the task writes it, if it is one of `labels`, a score, or any text, by the task.
    fn fitting(&self, response: String, labels: &[String]) -> Result<String, Rejection> {
        let response = response.trim().to_owned();
        match self.intake.report.task {
            TaskKind::Labels if labels.contains(&response) => Ok(response),
            TaskKind::Labels => Err(Rejection::of(Reason::OtherLabel, response)),
            TaskKind::Rating => match self.scale.and_then(|scale| scale.score(&response)) {
                Some(score) => Ok(score),
                None => Err(Rejection::of(Reason::OffScale, response)),
            },
            TaskKind::Text => Ok(response),
        }
    }

    fn finish(self) -> Result<Report, ImportError> {
        let Self { mut intake, request, task, split, labels, scale, golds, questions } = self;
        let notes = &mut intake.report.notes;
        if split == Some(Split::User) {
            notes
                .push("profile items have no dates: the order in the files stands for time, one day a question".into());
        }
        if questions.without_gold > 0 {
            notes.push(format!("{} questions have no gold", questions.without_gold));
        }
        if !golds.is_empty() {
            notes.push(format!("{} golds belong to no question that was kept", golds.len()));
        }
        intake.finish(|report| {
            let Some(task) = task else { return Err(report.nothing_kept()) };
            let name = request.name.as_deref().unwrap_or(task.name());
            let manifest = match (task.kind(), scale) {
                (TaskKind::Labels, _) => labels_task(name, labels),
                (TaskKind::Rating, Some(scale)) => rating_task(name, scale),
                _ => text_task(name),
            };
            let split = split.unwrap_or(Split::User);
            Ok(laid_out(
                split,
                Manifest {
                    licence: "LaMP: CC BY-NC-SA 4.0; the texts are under their sources' own licences".to_owned(),
                    source: match split {
                        Split::Time => format!("LaMP benchmark (Salemi et al., 2023), {task}, time-based split"),
                        Split::User => format!("LaMP benchmark (Salemi et al., 2023), {task}, user-based split"),
                    },
                    prompt: task.wording(),
                    ..manifest
                },
            ))
        })
    }
}

/// Settings for the split: where time is only an order, nothing may grow old by it.
fn laid_out(split: Split, mut manifest: Manifest) -> Manifest {
    if split == Split::User {
        manifest.retrieval.recency_half_life = f64::INFINITY;
        manifest.periods.half_life = f64::INFINITY;
        manifest.periods.base_half_life = f64::INFINITY;
        manifest.weights = WeightDefaults { half_life: Some(f64::INFINITY), ..WeightDefaults::default() };
    }
    manifest
}

/// A date as LaMP writes it, `2011-07-09`, `2011-07` or `2011`: its first moment. A time of day is read where there is one.
fn date(value: Option<&Value>) -> Result<Timestamp, Rejection> {
    let text = match value {
        None | Some(Value::Null) => return Err(Reason::NoTime.into()),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(other) => other.to_string(),
    };
    let clock = || text.contains(':').then(|| read_time(&text)).flatten();
    calendar_date(&text).or_else(clock).ok_or_else(|| Rejection::of(Reason::BadTime, text.clone()))
}

fn calendar_date(text: &str) -> Option<Timestamp> {
    let mut parts = text.split('-').map(|part| part.parse::<u16>().ok());
    let year = parts.next()??;
    let mut next = || parts.next().unwrap_or(Some(1)).and_then(|part| u8::try_from(part).ok());
    let (month, day) = (next()?, next()?);
    if parts.next().is_some() {
        return None;
    }
    let date = Date::from_calendar_date(i32::from(year), Month::try_from(month).ok()?, day).ok()?;
    Some(Timestamp(date.midnight().assume_utc().unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_any_length_are_read() {
        for (value, expected) in [
            (json!("2011-07-09"), Some("2011-07-09T00:00:00Z")),
            (json!("2011-7-9"), Some("2011-07-09T00:00:00Z")),
            (json!("2011-07"), Some("2011-07-01T00:00:00Z")),
            (json!("2011"), Some("2011-01-01T00:00:00Z")),
            (json!(2011), Some("2011-01-01T00:00:00Z")),
            (json!("2011-07-09 10:20:30"), Some("2011-07-09T10:20:30Z")),
            (json!("2011-13-01"), None),
            (json!("2011-02-30"), None),
            (json!("2011-02-03-04"), None),
            (json!("2011-"), None),
            (json!("-5"), None),
            (json!("1310169600"), None),
            (json!("July 2011"), None),
        ] {
            assert_eq!(date(Some(&value)).ok().map(|at| at.to_string()).as_deref(), expected, "{value}");
        }
    }
}
