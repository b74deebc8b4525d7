//! Any JSON Lines or CSV file as a task of any kind, by a map from our fields to its own.
//!
//! Order of checking: user, time (missing, then unreadable), query, response (missing, then off the scale), id (missing,
//! then duplicate). The label set is what occurs, the most frequent first. Fields that the map does not name stay as extra
//! fields.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::seen::Seen;
use super::{
    Delimiter, ImportError, Mapping, NoText, Reason, Rejection, Report, Syntax, extra, labels_task, rating_task,
    row_id, text, text_task,
};
use crate::data::dataset::{Manifest, TaskKind};
use crate::data::interaction::{Extra, Interaction, Timestamp, UserId};
use crate::data::sanitize::visible;
use crate::data::scale::Scale;

/// Distinct responses that still make a label set.
pub const MOST_LABELS: usize = 200;
/// Records whose fields are remembered for messages, and names that a message lists.
const REMEMBERED: usize = 100;
const LISTED: usize = 30;
/// What parts the columns of tables that are not parted by commas, and how it is typed.
const DELIMITERS: [(char, &str); 4] = [(';', "';'"), ('\t', "tab"), ('|', "'|'"), (',', "','")];

/// What a field of the input becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who.
    User,
    /// When.
    At,
    /// What was asked or shown.
    Query,
    /// The label, the score or the text.
    Response,
    /// The row's identity; without it rows are numbered.
    Id,
    /// The thing asked about.
    Item,
}

impl Role {
    const ALL: [Role; 6] = [Role::User, Role::At, Role::Query, Role::Response, Role::Id, Role::Item];

    fn name(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::At => "at",
            Role::Query => "query",
            Role::Response => "response",
            Role::Id => "id",
            Role::Item => "item",
        }
    }

    fn required(self) -> bool {
        !matches!(self, Role::Id | Role::Item)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A map that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write user=FIELD,at=FIELD,query=FIELD,response=FIELD and optionally id=FIELD,item=FIELD")]
pub struct BadMap(String);

/// Which field of the input plays which role; fields inside objects are reached by dots, columns also by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMap([Option<String>; 6]);

impl FieldMap {
    /// The field of a role.
    fn field(&self, role: Role) -> Option<&str> {
        self.0[role as usize].as_deref()
    }

    fn pairs(&self) -> impl Iterator<Item = (Role, &str)> {
        Role::ALL.into_iter().filter_map(|role| Some((role, self.field(role)?)))
    }
}

impl FromStr for FieldMap {
    type Err = BadMap;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut map = Self(Default::default());
        for (place, pair) in text.split(',').enumerate() {
            let (name, field) = pair.split_once('=').ok_or_else(|| {
                let comma = if place > 0 { "; a column whose name holds a comma goes by its number" } else { "" };
                BadMap(format!("'{}' is not NAME=FIELD{comma}", pair.trim()))
            })?;
            let (name, field) = (name.trim(), field.trim());
            let role = Role::ALL.into_iter().find(|role| role.name() == name);
            let role = role.ok_or_else(|| BadMap(format!("'{name}' is none of our fields")))?;
            if field.is_empty() {
                return Err(BadMap(format!("'{name}' names no field")));
            }
            if map.0[role as usize].replace(field.to_owned()).is_some() {
                return Err(BadMap(format!("'{name}' is given twice")));
            }
        }
        match Role::ALL.into_iter().find(|role| role.required() && map.field(*role).is_none()) {
            Some(missing) => Err(BadMap(format!("'{missing}' is missing"))),
            None => Ok(map),
        }
    }
}

impl fmt::Display for FieldMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.pairs().map(|(role, field)| format!("{role}={field}")).collect();
        f.pad(&pairs.join(","))
    }
}

/// What the responses are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answers {
    /// Labels: those that occur.
    Labels,
    /// Scores on a scale.
    Scores(Scale),
    /// Texts.
    Texts,
}

/// The mapping, with what it has seen.
pub struct Mapped {
    name: String,
    source: String,
    syntax: Syntax,
    answers: Answers,
    /// As it was given.
    given: FieldMap,
    /// With the names of the present input in the place of numbers.
    map: FieldMap,
    /// By role: whether any record had the field.
    found: [bool; 6],
    /// Paths of the fields of the first records.
    known: BTreeSet<String>,
    records: usize,
    ids: Seen,
    /// Rows whose user stood between blanks.
    trimmed: u64,
}

impl Mapped {
    /// The mapping by `map` of a dataset that will be called `name` and comes from `source`.
    pub fn new(name: &str, source: &str, syntax: Syntax, answers: Answers, map: FieldMap) -> Self {
        Self {
            name: name.to_owned(),
            source: format!("imported from {source} with {map}"),
            syntax,
            answers,
            given: map.clone(),
            map,
            found: [false; 6],
            known: BTreeSet::new(),
            records: 0,
            ids: Seen::new(),
            trimmed: 0,
        }
    }

    /// Remembers which mapped fields exist, so that a misspelt one is told from one that is sometimes absent.
    fn note(&mut self, record: &Extra) {
        for (role, field) in self.map.pairs() {
            let found = &mut self.found[role as usize];
            *found = *found || lookup(record, field).is_some();
        }
        if self.records < REMEMBERED {
            list_paths(record, "", &mut self.known);
        }
        self.records += 1;
    }

    /// What a role's field calls somebody or something by: blanks around it are slips of whoever wrote the table, and would
    /// make two of one.
    fn name(&self, record: &Extra, role: Role) -> Result<String, NoText> {
        self.text(record, role).map(|text| text.trim().to_owned())
    }

    /// What a role's field says.
    fn text(&self, record: &Extra, role: Role) -> Result<String, NoText> {
        text(self.map.field(role).and_then(|field| lookup(record, field)))
    }

    fn time(&self, record: &Extra) -> Result<Timestamp, Rejection> {
        let field = self.map.field(Role::At).and_then(|field| lookup(record, field));
        let text = match field {
            None | Some(Value::Null) => return Err(Reason::NoTime.into()),
            Some(Value::String(text)) if text.trim().is_empty() => return Err(Reason::NoTime.into()),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        read_time(&text).ok_or_else(|| Rejection::of(Reason::BadTime, text))
    }
}

impl Mapping for Mapped {
    fn syntax(&self) -> Syntax {
        self.syntax
    }

    fn task(&self) -> TaskKind {
        match self.answers {
            Answers::Labels => TaskKind::Labels,
            Answers::Scores(_) => TaskKind::Rating,
            Answers::Texts => TaskKind::Text,
        }
    }

    fn header(&mut self, names: &[String], repeated: &[String]) -> Result<(), ImportError> {
        if let Some((role, field)) = self.given.pairs().find(|(_, field)| repeated.iter().any(|name| name == field)) {
            return Err(ImportError::TwoColumns { role, field: field.to_owned() });
        }
        self.map = self.given.clone();
        for field in self.map.0.iter_mut().flatten() {
            // A name comes before a number: a column may be called 2.
            let column = field.parse::<usize>().ok().filter(|_| !names.contains(field));
            if let Some(name) = column.and_then(|column| names.get(column.checked_sub(1)?)) {
                field.clone_from(name);
            }
        }
        if let ([column], Syntax::Csv { delimiter, .. }) = (names, self.syntax)
            && let Some((role, field)) = self.map.pairs().find(|(_, field)| field != column)
            && let Some(delimiter) = parting(column, delimiter)
        {
            return Err(ImportError::OneColumn { role, field: field.to_owned(), delimiter });
        }
        Ok(())
    }

    fn interaction(&mut self, row: u64, mut record: Extra) -> Result<Interaction, Rejection> {
        self.note(&record);
        let user = self.text(&record, Role::User).map_err(|why| why.rejected(Reason::NoUser))?;
        let at = self.time(&record)?;
        let query = self.text(&record, Role::Query).map_err(|why| why.rejected(Reason::NoQuery))?;
        let response = self.text(&record, Role::Response).map_err(|why| why.rejected(Reason::NoResponse))?;
        let response = match self.answers {
            Answers::Scores(scale) => {
                scale.score(&response).ok_or_else(|| Rejection::of(Reason::OffScale, response))?
            }
            // Blanks around a label are slips of whoever wrote the table.
            Answers::Labels => response.trim().to_owned(),
            Answers::Texts => response,
        };
        let item = self.name(&record, Role::Item).ok();
        let id = match self.map.field(Role::Id) {
            None => row_id(row),
            Some(_) => {
                let id = self.name(&record, Role::Id).map_err(|why| why.rejected(Reason::NoId))?;
                if !self.ids.insert(&[&id]) {
                    return Err(Rejection::of(Reason::DuplicateId, id));
                }
                id
            }
        };
        self.trimmed += u64::from(user.trim() != user);
        for (role, field) in self.map.pairs() {
            // An item that is no text has not been taken over: it stays where it was.
            if role != Role::Item || item.is_some() {
                remove(&mut record, field);
            }
        }
        Ok(Interaction { id, user: UserId::new(user.trim()), at, query, response, item, extra: extra(record) })
    }

    fn notes(&self) -> Vec<String> {
        let told =
            |rows| format!("blanks around the user of {rows} rows are left out: without them it is the same person");
        (self.trimmed > 0).then(|| told(self.trimmed)).into_iter().collect()
    }

    fn manifest(&self, report: &Report) -> Result<Manifest, ImportError> {
        if self.records > 0
            && let Some((role, field)) = self.map.pairs().find(|(role, _)| !self.found[*role as usize])
        {
            return Err(ImportError::UnknownField { role, field: field.to_owned(), known: self.known_fields() });
        }
        let manifest = match self.answers {
            Answers::Labels => labels_task(&self.name, self.labels(report)?),
            Answers::Scores(scale) => rating_task(&self.name, scale),
            Answers::Texts => text_task(&self.name),
        };
        Ok(Manifest { source: self.source.clone(), ..manifest })
    }
}

impl Mapped {
    /// The label set of the kept rows.
    fn labels(&self, report: &Report) -> Result<Vec<String>, ImportError> {
        let mut labels: Vec<(&String, &u64)> = report.labels.iter().collect();
        if report.kept > 0 && !(2..=MOST_LABELS).contains(&labels.len()) {
            let field = self.map.field(Role::Response).unwrap_or_default().to_owned();
            let more = if labels.len() > MOST_LABELS { " or more" } else { "" };
            return Err(ImportError::Labels { field, found: format!("{}{more}", labels.len()) });
        }
        // Stable: equally frequent labels stay in the order of their names.
        labels.sort_by(|a, b| b.1.cmp(a.1));
        Ok(labels.into_iter().map(|(label, _)| label.clone()).collect())
    }

    fn known_fields(&self) -> String {
        if self.known.is_empty() {
            return "its records have no field at all".to_owned();
        }
        let mut names: Vec<String> = self.known.iter().take(LISTED).map(|name| visible(name).into_owned()).collect();
        if self.known.len() > LISTED {
            names.push(format!("… and {} more", self.known.len() - LISTED));
        }
        format!("it has {}", names.join(", "))
    }
}

/// What most likely parts columns that were read as one by `delimiter`, as it is typed; `None` where nothing in their names
/// may.
fn parting(names: &str, delimiter: Delimiter) -> Option<&'static str> {
    let count = |other: char| names.chars().filter(|c| *c == other).count();
    let others = DELIMITERS.iter().filter(|(other, _)| other.to_string() != delimiter.to_string());
    let held = others.filter(|(other, _)| count(*other) > 0);
    held.max_by_key(|(other, _)| count(*other)).map(|(_, typed)| *typed)
}

/// A moment as [`Timestamp`] reads it, or as databases print it: `2024-03-01 12:30:00`, taken as UTC.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let at: Timestamp = text.parse().ok()?;
    // An offset can carry the last day of year 9999 over the end of the calendar: written, it could not be read again.
    at.to_string().parse().ok().filter(|back| *back == at)
}

/// The value at `path`: the field of that very name, or step by step along its dots.
fn lookup<'a>(record: &'a Extra, path: &str) -> Option<&'a Value> {
    record.get(path).or_else(|| {
        let (head, rest) = path.split_once('.')?;
        lookup(record.get(head)?.as_object()?, rest)
    })
}

/// Takes out what [`lookup`] finds; an object that it leaves empty goes too.
fn remove(record: &mut Extra, path: &str) {
    if record.shift_remove(path).is_some() {
        return;
    }
    let Some((head, rest)) = path.split_once('.') else { return };
    let Some(inner) = record.get_mut(head).and_then(Value::as_object_mut) else { return };
    remove(inner, rest);
    if inner.is_empty() {
        record.shift_remove(head);
    }
}

/// Adds the paths of all fields of `record` that hold no object.
fn list_paths(record: &Extra, prefix: &str, paths: &mut BTreeSet<String>) {
    for (name, value) in record {
        match value.as_object() {
            Some(inner) => list_paths(inner, &format!("{prefix}{name}."), paths),
            None => {
                paths.insert(format!("{prefix}{name}"));
            }
        }
    }
}
