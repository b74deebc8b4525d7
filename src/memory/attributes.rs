//! Attributes of the things that people respond to: what makes one film like another when titles say little.
//!
//! A record's `attributes` is an object. A text, a truth value or a list of them is a set of traits; a number is a place on
//! a line. Likeness is the mean over the set, if either side has one, and over each number of the query:
//! |A ∩ B|/√(|A|·|B|) for sets, 2^(−|a − b|/width) for numbers, 0 where the item has no such number.
//!
//! What is remembered are columns: a base that never changes, in memory or mapped, and what was added since.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::column::{Column, Lists, Names, Sink, Source};
use super::population::ItemIx;
use crate::data::interaction::Extra;

/// The field of a record that holds them.
const FIELD: &str = "attributes";
/// A trait that no remembered thing has.
const UNKNOWN: u32 = u32::MAX;

/// The attributes of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traits {
    /// Ascending.
    set: Vec<u32>,
    /// Number and what it measures, ascending by the latter.
    numbers: Vec<(u32, f64)>,
}

/// What a likeness is the mean of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    /// All traits: how many the query and the item have in common, the query has, and the item has.
    Traits { shared: usize, asked: usize, own: usize },
    /// A number of the query, and the item's if it has one.
    Number { measure: u32, asked: f64, own: Option<f64> },
}

/// The attributes of every item.
#[derive(Default)]
pub struct Attributes {
    names: Names,
    /// Of each thing its set. Many items are about one thing.
    sets: Lists<u32>,
    /// Of each thing what its numbers measure, ascending.
    measures: Lists<u32>,
    /// The numbers, as `measures` lie.
    numbers: Column<f64>,
    /// The thing of each item.
    of: Column<u32>,
}

impl Attributes {
    /// Reads the records of all items in time order.
    pub fn of<'a>(records: impl Iterator<Item = &'a Extra>) -> Self {
        let mut attributes = Self::default();
        attributes.extend(records);
        attributes.names.settle();
        attributes.sets.settle();
        attributes.measures.settle();
        attributes.numbers.settle();
        attributes.of.settle();
        attributes
    }

    /// Takes in the records of items that follow all others.
    pub(super) fn extend<'a>(&mut self, records: impl Iterator<Item = &'a Extra>) {
        let mut known: HashMap<String, u32> = HashMap::new();
        for record in records {
            let written = record.get(FIELD).map(Value::to_string).unwrap_or_default();
            let place = match known.get(&written) {
                Some(place) => *place,
                None => {
                    let next = self.sets.len() as u32;
                    let traits = traits(record, |name| self.names.number(&name));
                    self.sets.push(&traits.set);
                    self.measures.push(&traits.numbers.iter().map(|(name, _)| *name).collect::<Vec<u32>>());
                    traits.numbers.iter().for_each(|(_, number)| self.numbers.push(*number));
                    known.insert(written, next);
                    next
                }
            };
            self.of.push(place);
        }
    }

    /// Writes the columns.
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        self.names.write(sink, "trait-names")?;
        sink.lists("trait-sets", self.sets.base())?;
        sink.lists("trait-measures", self.measures.base())?;
        sink.column("trait-numbers", self.numbers.base())?;
        sink.column("trait-of", self.of.base())
    }

    /// Attributes as they were written.
    pub(super) fn read<S: Source>(source: &S) -> Result<Self, S::Error> {
        Ok(Self {
            names: Names::read(source, "trait-names")?,
            sets: source.lists("trait-sets")?,
            measures: source.lists("trait-measures")?,
            numbers: source.column::<f64>("trait-numbers")?.into(),
            of: source.column::<u32>("trait-of")?.into(),
        })
    }

    /// The set of an item, what its numbers measure, and these.
    fn parts(&self, item: ItemIx) -> (&[u32], &[u32], &[f64]) {
        let thing = self.of[item] as usize;
        (&self.sets[thing], &self.measures[thing], self.numbers.within(self.measures.range(thing)))
    }

    /// The attributes of a remembered item.
    pub fn of_item(&self, item: ItemIx) -> Traits {
        let (set, measures, numbers) = self.parts(item);
        Traits { set: set.to_vec(), numbers: measures.iter().copied().zip(numbers.iter().copied()).collect() }
    }

    /// The attributes of a record that may not be remembered.
    pub fn find(&self, record: &Extra) -> Traits {
        traits(record, |name| self.names.find(&name).unwrap_or(UNKNOWN))
    }

    /// How many distinct traits and numbers of `records` are known here although none of `items` has them, and how many
    /// there are in all.
    pub(super) fn known_alone<'a>(
        &self,
        records: impl Iterator<Item = &'a Extra>,
        items: impl Iterator<Item = ItemIx>,
    ) -> (usize, usize) {
        let mut names = HashSet::new();
        for record in records {
            traits(record, |name| {
                names.insert(name);
                UNKNOWN
            });
        }
        let mut held = HashSet::new();
        let things: HashSet<u32> = items.map(|item| self.of[item]).collect();
        for thing in things {
            held.extend(self.sets[thing as usize].iter().chain(&self.measures[thing as usize]).copied());
        }
        let known = names.iter().filter_map(|name| self.names.find(name));
        (known.filter(|name| !held.contains(name)).count(), names.len())
    }

    /// Likeness of a query and an item in [0, 1]; see the module for the formula.
    pub fn likeness(&self, query: &Traits, item: ItemIx, width: f64) -> f64 {
        let (mut sum, mut parts) = (0.0, 0usize);
        self.compare(query, item, width, |_, likeness| {
            sum += likeness;
            parts += 1;
        });
        if parts == 0 { 0.0 } else { sum / parts as f64 }
    }

    /// Calls `each` with every part of a likeness and how alike they are in it, in [0, 1].
    pub(super) fn compare(&self, query: &Traits, item: ItemIx, width: f64, mut each: impl FnMut(Part, f64)) {
        let (set, measures, numbers) = self.parts(item);
        if !(query.set.is_empty() && set.is_empty()) {
            let (shared, asked, own) = (common(query, set).count(), query.set.len(), set.len());
            let likeness = if shared > 0 { shared as f64 / ((asked * own) as f64).sqrt() } else { 0.0 };
            each(Part::Traits { shared, asked, own }, likeness);
        }
        for (measure, asked) in &query.numbers {
            let own = measures.binary_search(measure).ok().map(|place| numbers[place]);
            let likeness = own.map_or(0.0, |own| (-(asked - own).abs() / width).exp2());
            each(Part::Number { measure: *measure, asked: *asked, own }, likeness);
        }
    }

    /// The traits that a query and an item have in common, `genres Drama`.
    pub(super) fn in_common<'a>(&'a self, query: &'a Traits, item: ItemIx) -> impl Iterator<Item = String> + 'a {
        let told = move |name: &u32| match self.names.text(*name).split_once('=') {
            Some((field, value)) => format!("{field} {}", value.trim_matches('"')),
            None => self.names.text(*name).to_owned(),
        };
        common(query, self.parts(item).0).map(told)
    }

    /// What a number is called; `None` where no remembered thing has one like it.
    pub(super) fn measured(&self, measure: u32) -> Option<&str> {
        (measure != UNKNOWN).then(|| self.names.text(measure).trim_end_matches('='))
    }
}

/// The traits of `query` that are among those of `set`.
fn common<'a>(query: &'a Traits, set: &'a [u32]) -> impl Iterator<Item = &'a u32> {
    query.set.iter().filter(move |name| set.binary_search(name).is_ok())
}

fn traits(record: &Extra, mut number_of: impl FnMut(String) -> u32) -> Traits {
    let mut found = Traits::default();
    let fields = record.get(FIELD).and_then(Value::as_object).into_iter().flatten();
    for (key, value) in fields {
        if let Some(number) = value.as_f64() {
            found.numbers.push((number_of(format!("{key}=")), number));
            continue;
        }
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        // Lists and objects within lists are no traits.
        let scalars = values.iter().filter(|value| value.is_string() || value.is_boolean() || value.is_number());
        found.set.extend(scalars.map(|value| number_of(format!("{key}={value}"))));
    }
    found.set.sort_unstable();
    // Only known traits can be the same one twice.
    found.set.dedup_by(|a, b| a == b && *a != UNKNOWN);
    found.numbers.sort_by_key(|(name, _)| *name);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(attributes: Value) -> Extra {
        Extra::from_iter([(FIELD.to_owned(), attributes)])
    }

    #[test]
    fn likeness_equals_hand_computed_values() {
        use serde_json::json;
        let records = [
            record(json!({"genres": ["Drama", "War"], "year": 1990})),
            record(json!({"genres": ["Drama"], "year": 2000})),
            record(json!({"genres": []})),
            record(json!({"genres": ["Drama", "War"], "year": 1990})),
            Extra::default(),
        ];
        let attributes = Attributes::of(records.iter());
        assert_eq!(attributes.sets.len(), 4, "one thing is kept once");
        let query = attributes.find(&record(json!({"genres": ["Drama", "Noir"], "year": 1995})));
        let at = |item| attributes.likeness(&query, item, 10.0);
        let near = 0.5f64.sqrt();
        for (item, expected) in [(0, (0.5 + near) / 2.0), (1, (1.0 / 2f64.sqrt() + near) / 2.0), (2, 0.0), (4, 0.0)] {
            assert!((at(item) - expected).abs() < 1e-12, "{item}: {}", at(item));
        }
        assert_eq!(at(0), at(3));
        let mut parts = Vec::new();
        attributes.compare(&query, 0, 10.0, |part, likeness| parts.push((part, likeness)));
        let [(Part::Traits { shared: 1, asked: 2, own: 2 }, set), (Part::Number { measure, asked, own }, year)] =
            parts[..]
        else {
            panic!("{parts:?}")
        };
        assert!((set - 0.5).abs() < 1e-12 && (year - near).abs() < 1e-12);
        assert_eq!((attributes.measured(measure), asked, own), (Some("year"), 1995.0, Some(1990.0)));
        assert_eq!(attributes.in_common(&query, 0).collect::<Vec<_>>(), ["genres Drama"]);
        let yearless = attributes.find(&record(json!({"genres": ["War", "War", "Drama"]})));
        assert!((attributes.likeness(&yearless, 0, 10.0) - 1.0).abs() < 1e-12);
        assert_eq!(attributes.likeness(&attributes.find(&Extra::default()), 4, 10.0), 0.0);
        let strangers = attributes.find(&record(json!({"genres": ["A", "B", "C"], "odd": [["nested"]]})));
        assert_eq!(strangers.set.len(), 3, "unknown traits are not one trait");
    }
}
