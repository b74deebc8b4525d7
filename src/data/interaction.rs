//! What a user did, and what an analyst asks: the only source of truth.
//!
//! Invariant: a [`Timestamp`] is whole seconds since the Unix epoch, UTC; everything that answers a query at `t` may
//! read interactions with `at < t` only.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime};

/// Seconds in a day; ages and half-lives are told in days.
pub const DAY: f64 = 86_400.0;

/// The identity of a person in a dataset, exactly as the data writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Wraps an identity.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(UserId::new)
    }
}

/// A moment: whole seconds since 1970-01-01T00:00:00Z. Read from an integer whose digits are no date, or an RFC 3339 string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// That many seconds, within the range that a calendar can print: beyond it arithmetic on ages would overflow. Digits
    /// that are a date are no seconds: a table of dates would otherwise be one of three weeks of August 1970.
    fn of_seconds(seconds: i64) -> Result<Self, BadTimestamp> {
        let printable = OffsetDateTime::from_unix_timestamp(seconds).is_ok() && date_in(seconds).is_none();
        if printable { Ok(Self(seconds)) } else { Err(BadTimestamp(seconds.to_string())) }
    }

    /// A moment as somebody types it. Four digits are a year then, and no second of the first hours of 1970; in files, where
    /// a program counted, they may be either.
    pub fn typed(text: &str) -> Result<Self, BadTimestamp> {
        let text = text.trim();
        match text.parse::<i64>() {
            Ok(number) if is_year(number) => Err(BadTimestamp(text.to_owned())),
            _ => text.parse(),
        }
    }

    /// Days from `earlier` to `self`; negative when `earlier` is later.
    pub fn days_since(self, earlier: Timestamp) -> f64 {
        (self.0 - earlier.0) as f64 / DAY
    }

    /// The moment `days` later (or earlier, if negative), in whole seconds.
    pub fn plus_days(self, days: f64) -> Timestamp {
        Timestamp(self.0.saturating_add((days * DAY) as i64))
    }

    /// Calendar date, `2024-03-01`, for narrow places.
    pub fn date(self) -> String {
        self.to_string().split('T').next().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.0).ok().and_then(|t| t.format(&Rfc3339).ok());
        f.pad(&text.unwrap_or_else(|| self.0.to_string()))
    }
}

/// A moment that could not be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{0}' is not a time: give a date such as 2024-03-01, a moment such as 2024-03-01T12:30:00Z, or whole seconds since \
     1970{hint}",
    hint = hint(.0)
)]
pub struct BadTimestamp(String);

/// The date that the digits of a number are, `20240301`.
fn date_in(number: i64) -> Option<Date> {
    let part = |number: i64| u8::try_from(number % 100).ok();
    let year = i32::try_from(number / 10_000).ok().filter(|year| (1900..2100).contains(year))?;
    Date::from_calendar_date(year, Month::try_from(part(number / 100)?).ok()?, part(number)?).ok()
}

/// Whether a number has the digits of a year.
fn is_year(number: i64) -> bool {
    (1000..10_000).contains(&number)
}

/// Of a number that is no time, what it may be meant as: a date, or a time once it is divided.
fn hint(text: &str) -> String {
    let Ok(number) = text.parse::<i64>() else { return String::new() };
    if let Some(date) = date_in(number) {
        return format!("; it looks like a date: write {date}");
    }
    if is_year(number) {
        return format!("; it looks like a year: write {number}-01-01");
    }
    let large = number.unsigned_abs() > 100_000_000_000;
    if large && OffsetDateTime::from_unix_timestamp(number / 1000).is_ok() {
        "; it looks like milliseconds: divide it by 1000".to_owned()
    } else {
        String::new()
    }
}

impl std::str::FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(seconds) = text.parse::<i64>() {
            return Timestamp::of_seconds(seconds);
        }
        // A date alone is its midnight, a blank stands for the T, and a clock without seconds or a zone is a full minute
        // and UTC.
        let read = |text: &str| OffsetDateTime::parse(text, &Rfc3339);
        let joined = || text.replacen(' ', "T", 1);
        read(text)
            .or_else(|_| read(&format!("{text}T00:00:00Z")))
            .or_else(|_| read(&format!("{}Z", joined())))
            .or_else(|_| read(&format!("{}:00Z", joined())))
            .map(|t| Timestamp(t.unix_timestamp()))
            .map_err(|_| BadTimestamp(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time: whole seconds since 1970, or RFC 3339 such as 2024-03-01T00:00:00Z")
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Timestamp, E> {
                Timestamp::of_seconds(seconds).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
                let seconds =
                    i64::try_from(seconds).map_err(|_| E::invalid_value(Unexpected::Unsigned(seconds), &self))?;
                self.visit_i64(seconds)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Written)
    }
}

/// Fields of a record that the program does not know; kept so that nothing of the user's data is lost.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// One thing a user did: at a time, to a query, this response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// Unique in its dataset.
    pub id: String,
    /// Who.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
    /// What was asked or shown.
    pub query: String,
    /// What the user answered: a label, a score or a text, by the task.
    pub response: String,
    /// The thing asked about, where the data has one (a film, an article).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Everything else the record holds.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Interaction {
    /// What keeps it out of a dataset, and what to do: nobody, nothing asked, or nothing to call it by. Blank ones of
    /// several people would be taken for one.
    pub fn fault(&self) -> Option<String> {
        blank(&self.id, self.user.as_str(), &self.query)
    }
}

impl JudgedQuery {
    /// The same of a judged query.
    pub fn fault(&self) -> Option<String> {
        blank(&self.id, self.user.as_str(), &self.query)
    }
}

fn blank(id: &str, user: &str, query: &str) -> Option<String> {
    let (name, _) =
        [("id", id), ("user", user), ("query", query)].into_iter().find(|(_, text)| text.trim().is_empty())?;
    Some(format!("\"{name}\" is blank; give it a text or remove the line"))
}

/// A query with the answer that its user gave, kept out of every memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgedQuery {
    /// Unique among the dataset's queries.
    pub id: String,
    /// Who asks.
    pub user: UserId,
    /// When; memory is read strictly before.
    pub at: Timestamp,
    /// The text asked.
    pub query: String,
    /// The user's own answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold: Option<String>,
    /// The thing asked about, where the data has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Everything else the record holds.
    #[serde(flatten)]
    pub extra: Extra,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_seconds_dates_and_rfc3339() {
        for (text, seconds) in [
            ("0", 0),
            ("1709251200", 1_709_251_200),
            ("2024-03-01T00:00:00Z", 1_709_251_200),
            ("2024-03-01", 1_709_251_200),
            ("2024-03-01 00:00:30", 1_709_251_230),
            ("2024-03-01T00:00:30", 1_709_251_230),
            ("2024-03-01 00:01", 1_709_251_260),
            ("2024-03-01T00:01", 1_709_251_260),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap(), Timestamp(seconds), "{text}");
        }
        for text in ["", "soon", "2024-13-01T00:00:00Z", "99999999999999"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        let told = |text: &str| text.parse::<Timestamp>().unwrap_err().to_string();
        assert!(told("1709251200000").ends_with("since 1970; it looks like milliseconds: divide it by 1000"));
        // Seconds that are no date, and dates that are none.
        assert_eq!("20241301".parse::<Timestamp>().unwrap(), Timestamp(20_241_301));
        assert!(told("20240301").ends_with("since 1970; it looks like a date: write 2024-03-01"));
        assert!(serde_json::from_str::<Timestamp>("20240229").is_err());
        // A year is typed as one; in a file it is as many seconds.
        let typed = |text: &str| Timestamp::typed(text).map_err(|error| error.to_string());
        assert!(typed(" 2022 ").unwrap_err().ends_with("since 1970; it looks like a year: write 2022-01-01"));
        assert_eq!(serde_json::from_str::<Timestamp>("2022").unwrap(), Timestamp(2022));
        assert_eq!([typed("999"), typed("10000"), typed("-2022")], [999, 10_000, -2022].map(|s| Ok(Timestamp(s))));
        assert_eq!(typed("2022-01-01"), Ok(Timestamp(1_640_995_200)));
        assert!(["soon", "9223372036854775807"].iter().all(|text| told(text).ends_with("since 1970")));
    }

    #[test]
    fn somebody_asks_something_under_a_name() {
        let good = serde_json::json!({"id": "i", "user": "u", "at": 1, "query": "q", "response": ""});
        let fault = |record: &serde_json::Value| {
            let done: Interaction = serde_json::from_value(record.clone()).unwrap();
            let asked: JudgedQuery = serde_json::from_value(record.clone()).unwrap();
            assert_eq!(done.fault(), asked.fault());
            done.fault()
        };
        assert_eq!(fault(&good), None, "whether a response may be blank is the task's to say");
        for (name, blank) in [("id", ""), ("user", " "), ("query", "\t\n")] {
            let mut record = good.clone();
            record[name] = blank.into();
            assert_eq!(fault(&record), Some(format!("\"{name}\" is blank; give it a text or remove the line")));
        }
    }

    #[test]
    fn unknown_fields_survive_a_round_trip() {
        let line = r#"{"id":"i1","user":"u","at":"2024-03-01T00:00:00Z","query":"q","response":"r","mood":"calm"}"#;
        let read: Interaction = serde_json::from_str(line).unwrap();
        assert_eq!(read.extra["mood"], "calm");
        assert_eq!(serde_json::to_string(&read).unwrap(), line);
    }
}
