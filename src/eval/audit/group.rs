//! Who is in which group, told from what lay strictly before each query.
//!
//! Invariant: a grouping puts every query into exactly one of its groups. Some of those are there to be left out, with the
//! reason: people of whom too little was known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::{Inquiry, LEAST_ITEMS};
use crate::data::dataset::Dataset;
use crate::data::interaction::{Timestamp, UserId};
use crate::data::sanitize::visible;
use crate::data::text::brief;
use crate::eval::bucket::ACTIVITY;
use crate::eval::split::Question;
use crate::mediator::distribution::{decision, exceeds, jensen_shannon, normalise};
use crate::memory::Memory;

/// A share of the likeliest response from which on somebody leans, and from which on they are one-sided.
pub const SKEW: [f64; 2] = [0.5, 0.8];
/// Characters of an attribute's value in a table.
const NAME: usize = 20;

/// Why people cannot be grouped.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Nobody says it.
    #[error(
        "--by attribute:{wanted}: no interaction carries '{wanted}'; attributes of people in this dataset: {known}"
    )]
    NoAttribute {
        /// The name asked for.
        wanted: String,
        /// Those there are.
        known: String,
    },
    /// It is said of what is asked about, not of who asks.
    #[error(
        "--by attribute:{wanted}: '{wanted}' is no attribute of people: of user '{user}' it is '{one}' and '{other}'; \
         attributes of people in this dataset: {known}"
    )]
    NotOfPeople {
        /// The name asked for.
        wanted: String,
        /// A person of whom two values are told.
        user: UserId,
        /// One.
        one: String,
        /// The other.
        other: String,
        /// Those there are.
        known: String,
    },
    /// Ratings are heard from everyone at once.
    #[error("--by community: a rating task has no communities; group by activity, taste or skew instead")]
    NoCommunities,
}

/// What people are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// How many own items are visible.
    Activity,
    /// How far their responses are from everyone's.
    Taste,
    /// How one-sided their responses are.
    Skew,
    /// Their community when the last period closed.
    Community,
    /// What their interactions say of them.
    Attribute(String),
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("attribute:")) {
            ("activity", _) => Ok(By::Activity),
            ("taste", _) => Ok(By::Taste),
            ("skew", _) => Ok(By::Skew),
            ("community", _) => Ok(By::Community),
            (_, Some(name)) if !name.is_empty() => Ok(By::Attribute(name.to_owned())),
            _ => Err(format!("'{text}' is no group; use some of activity, taste, skew, community, attribute:NAME")),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            By::Activity => f.write_str("activity"),
            By::Taste => f.write_str("taste"),
            By::Skew => f.write_str("skew"),
            By::Community => f.write_str("community"),
            By::Attribute(name) => write!(f, "attribute:{name}"),
        }
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Short enough for a table.
    pub name: String,
    /// Who is in it.
    pub told: String,
    /// Why nothing can be said of it, whoever is in it.
    pub unfit: Option<String>,
}

impl Group {
    fn new(name: impl Into<String>, told: impl Into<String>) -> Self {
        Self { name: name.into(), told: told.into(), unfit: None }
    }

    fn little_known(name: &str, told: String, why: &str) -> Self {
        Self { name: name.to_owned(), told, unfit: Some(why.to_owned()) }
    }
}

/// Every query in one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// By what.
    pub by: By,
    /// The groups, in order of display.
    pub groups: Vec<Group>,
    /// Index of each query's.
    pub of: Vec<usize>,
}

/// What was known of a person before a query: their responses, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// By response.
    pub counts: Vec<f64>,
}

impl Past {
    /// How many.
    pub fn items(&self) -> usize {
        self.counts.iter().sum::<f64>() as usize
    }

    /// The share of the likeliest response; `None` without any.
    pub fn top_share(&self) -> Option<f64> {
        let most = self.counts.iter().copied().fold(0.0, f64::max);
        (most > 0.0).then(|| most / self.counts.iter().sum::<f64>())
    }

    /// How far the responses are from others', Jensen–Shannon in bits, 0 to 1.
    pub fn departure(&self, others: &[f64]) -> f64 {
        jensen_shannon(&normalise(self.counts.clone()), others)
    }

    /// Whether others prefer another response to the likeliest one; among equals that is the one that others prefer.
    pub fn departs(&self, others: &[f64]) -> bool {
        self.top_share().is_some() && exceeds(others[decision(others, others)], others[decision(&self.counts, others)])
    }
}

/// What was known of whoever asks, strictly before each of the questions.
pub fn pasts(dataset: &Dataset, questions: &[Question]) -> Vec<Past> {
    let (places, labels) = (dataset.manifest.places(), dataset.manifest.responses().len());
    let mut items: HashMap<&UserId, Vec<(Timestamp, usize)>> = HashMap::new();
    for i in &dataset.interactions {
        if let Some(label) = places.of(&i.response) {
            // Interactions are in order of time, so each person's are.
            items.entry(&i.user).or_default().push((i.at, label));
        }
    }
    let past = |question: &Question| {
        let own = items.get(question.user).map_or(&[][..], Vec::as_slice);
        let mut counts = vec![0.0; labels];
        own[..own.partition_point(|(at, _)| *at < question.at)].iter().for_each(|(_, label)| counts[*label] += 1.0);
        Past { counts }
    };
    questions.iter().map(past).collect()
}

/// Groups all queries by `by`.
///
/// # Errors
///
/// [`AuditError`]: the dataset has no such groups.
pub fn grouping(by: &By, inquiry: &Inquiry, dataset: &Dataset, memory: &Memory) -> Result<Grouping, AuditError> {
    let (groups, of) = match by {
        By::Activity => activity(inquiry),
        By::Taste => taste(inquiry),
        By::Skew => skew(inquiry),
        By::Community => community(inquiry, memory)?,
        By::Attribute(name) => attribute(inquiry, dataset, name)?,
    };
    Ok(Grouping { by: by.clone(), groups, of })
}

fn rows(inquiry: &Inquiry) -> std::ops::Range<usize> {
    0..inquiry.questions.len()
}

fn little_known() -> Group {
    let why = format!("fewer than {LEAST_ITEMS} remembered items, of which a share says little");
    Group::little_known("little known", format!("fewer than {LEAST_ITEMS} remembered items"), &why)
}

pub(super) fn activity(inquiry: &Inquiry) -> (Vec<Group>, Vec<usize>) {
    let names = ["cold start", "few", "many"];
    let told = |(name, bucket): (&str, &crate::eval::bucket::Bucket)| {
        Group::new(name, format!("{} own items remembered at the query", bucket.name()))
    };
    let groups = names.into_iter().zip(&ACTIVITY).map(told).collect();
    let of = |row: usize| ACTIVITY.iter().take_while(|bucket| !bucket.holds(inquiry.answered[row].visible)).count();
    (groups, rows(inquiry).map(of).collect())
}

/// Terciles of the departures of those who are known well enough.
pub(super) fn taste(inquiry: &Inquiry) -> (Vec<Group>, Vec<usize>) {
    let known = |row: &usize| inquiry.pasts[*row].items() >= LEAST_ITEMS;
    let departure = |row: usize| inquiry.pasts[row].departure(inquiry.popularity(row));
    let mut all: Vec<f64> = rows(inquiry).filter(known).map(departure).collect();
    all.sort_by(f64::total_cmp);
    // Equal departures stand in one group, so a third may be larger than another.
    let edge = |third: usize| all.get(all.len() * third / 3).copied().unwrap_or_default();
    let edges = [edge(1), edge(2)];
    let of = |row: usize| match known(&row) {
        true => edges.iter().filter(|edge| departure(row) >= **edge).count(),
        false => 3,
    };
    let [low, high] = edges;
    let groups = vec![
        Group::new("mainstream", format!("own responses under {low:.2} bits from everyone's")),
        Group::new("between", format!("{low:.2} to {high:.2} bits")),
        Group::new("niche", format!("{high:.2} bits or more")),
        little_known(),
    ];
    (groups, rows(inquiry).map(of).collect())
}

pub(super) fn skew(inquiry: &Inquiry) -> (Vec<Group>, Vec<usize>) {
    let of = |row: usize| match (&inquiry.pasts[row], inquiry.pasts[row].top_share()) {
        (past, Some(share)) if past.items() >= LEAST_ITEMS => SKEW.iter().filter(|edge| share >= **edge).count(),
        _ => 3,
    };
    let [leaning, one_sided] = SKEW;
    let groups = vec![
        Group::new("even", format!("the likeliest response has a share below {leaning}")),
        Group::new("leaning", format!("a share from {leaning} to below {one_sided}")),
        Group::new("one-sided", format!("a share of {one_sided} or more")),
        little_known(),
    ];
    (groups, rows(inquiry).map(of).collect())
}

fn community(inquiry: &Inquiry, memory: &Memory) -> Result<(Vec<Group>, Vec<usize>), AuditError> {
    if memory.manifest.scale.is_some() {
        return Err(AuditError::NoCommunities);
    }
    let found: Vec<Option<usize>> = inquiry
        .questions
        .iter()
        .map(|question| memory.communities(question.at)?.of.get(memory.population.user_ix(question.user)?).copied()?)
        .collect();
    let places: BTreeMap<usize, usize> = {
        let numbers: BTreeSet<usize> = found.iter().flatten().copied().collect();
        numbers.into_iter().enumerate().map(|(place, number)| (number, place)).collect()
    };
    let named = |number: &usize| Group::new(format!("community {number}"), "as of the last closed period");
    let mut groups: Vec<Group> = places.keys().map(named).collect();
    let why = "no item before the last closed period, so no community yet";
    groups.push(Group::little_known("in none", why.to_owned(), why));
    let of = |found: &Option<usize>| found.and_then(|number| places.get(&number).copied()).unwrap_or(places.len());
    Ok((groups, found.iter().map(of).collect()))
}

/// What the interactions and queries of each person say under `name`.
enum Said {
    /// Nothing of anybody.
    Nothing,
    /// One value of each.
    OfPeople(BTreeMap<UserId, String>),
    /// Two of one.
    Else(UserId, String, String),
}

fn said(dataset: &Dataset, name: &str) -> Said {
    let of_interactions = dataset.interactions.iter().map(|i| (&i.user, &i.extra));
    let of_queries = dataset.queries.iter().map(|q| (&q.user, &q.extra));
    let mut values: BTreeMap<UserId, String> = BTreeMap::new();
    for (user, extra) in of_interactions.chain(of_queries) {
        let value = match extra.get(name) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        match values.get(user) {
            Some(known) if *known != value => return Said::Else(user.clone(), known.clone(), value),
            Some(_) => {}
            None => {
                values.insert(user.clone(), value);
            }
        }
    }
    if values.is_empty() { Said::Nothing } else { Said::OfPeople(values) }
}

/// The fields that say one thing of each person.
fn attributes(dataset: &Dataset) -> String {
    let all: BTreeSet<&String> = dataset.interactions.iter().flat_map(|i| i.extra.keys()).collect();
    let of_people = |name: &&&String| matches!(said(dataset, name), Said::OfPeople(_));
    let known: Vec<&str> = all.iter().filter(of_people).map(|name| name.as_str()).collect();
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

fn attribute(inquiry: &Inquiry, dataset: &Dataset, name: &str) -> Result<(Vec<Group>, Vec<usize>), AuditError> {
    let wanted = name.to_owned();
    let values = match said(dataset, name) {
        Said::OfPeople(values) => values,
        Said::Nothing => return Err(AuditError::NoAttribute { wanted, known: attributes(dataset) }),
        Said::Else(user, one, other) => {
            return Err(AuditError::NotOfPeople { wanted, user, one, other, known: attributes(dataset) });
        }
    };
    let asking = inquiry.questions.iter().filter_map(|question| values.get(question.user));
    let different: BTreeSet<&String> = asking.collect();
    let places: BTreeMap<&String, usize> = different.into_iter().enumerate().map(|(ix, value)| (value, ix)).collect();
    let named = |value: &&String| Group::new(brief(&visible(value), NAME), format!("{name} is {}", visible(value)));
    let mut groups: Vec<Group> = places.keys().map(named).collect();
    let why = "their interactions do not say";
    groups.push(Group::little_known("not said", why.to_owned(), why));
    let place = |question: &Question| values.get(question.user).and_then(|value| places.get(value).copied());
    Ok((groups, inquiry.questions.iter().map(|question| place(question).unwrap_or(places.len())).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sample;

    #[test]
    fn names_of_groups_are_read_as_they_are_written() {
        for text in ["activity", "taste", "skew", "community", "attribute:age group"] {
            assert_eq!(text.parse::<By>().unwrap().to_string(), text);
        }
        for text in ["", "colour", "attribute", "attribute:", "Taste"] {
            assert!(text.parse::<By>().unwrap_err().contains("activity, taste, skew, community"), "{text}");
        }
    }

    #[test]
    fn a_past_is_told_by_shares_and_by_its_distance_from_others() {
        let past = Past { counts: vec![3.0, 1.0, 0.0] };
        assert_eq!((past.items(), past.top_share()), (4, Some(0.75)));
        assert_eq!(past.departure(&[0.75, 0.25, 0.0]), 0.0);
        assert_eq!(past.departure(&[0.0, 0.0, 1.0]), 1.0);
        assert!(past.departs(&[0.3, 0.4, 0.3]) && !past.departs(&[0.5, 0.3, 0.2]));
        // Of two equally likely ones the others' counts: nothing is made of a draw.
        assert!(!Past { counts: vec![1.0, 1.0] }.departs(&[0.2, 0.8]));
        let newcomer = Past { counts: vec![0.0, 0.0] };
        assert_eq!(newcomer.top_share(), None);
        assert!(!newcomer.departs(&[0.2, 0.8]), "who has said nothing differs from nobody");
        assert!(
            !Past { counts: vec![0.0, 4.0] }.departs(&[0.5, 0.5]),
            "nor does anybody from others who prefer nothing"
        );
    }

    #[test]
    fn an_attribute_is_of_people_or_of_things() {
        let mut dataset = sample::dataset().unwrap();
        assert!(matches!(said(&dataset, "region"), Said::Nothing));
        for (ix, i) in dataset.interactions.iter_mut().enumerate() {
            let region = if i.user.as_str() < "u100" { "north" } else { "south" };
            i.extra.insert("region".into(), region.into());
            i.extra.insert("length".into(), (ix % 90).into());
        }
        let Said::OfPeople(values) = said(&dataset, "region") else { panic!("everybody lives in one region") };
        assert_eq!((values[&UserId::new("u001")].as_str(), values[&UserId::new("u200")].as_str()), ("north", "south"));
        assert!(matches!(said(&dataset, "length"), Said::Else(..)));
        assert_eq!(attributes(&dataset), "region");
    }
}
