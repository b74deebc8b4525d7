//! Tries: settings of the mediator that an analyst has saved under a number and a name, as a file holds them.
//!
//! Invariants: numbers are unique and at least 1, for 0 is the dataset's default; a value stands inside its weight's
//! range; what is written reads back equal. A try keeps the weights it states; the others follow the dataset's defaults.

use std::fmt::Write as _;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::event::Setting;
use crate::data::sanitize::visible;
use crate::mediator::{Policy, Weight, Weights};

/// The newest format of a file of tries that this program reads.
pub const FORMAT: u32 = 1;
/// Characters of a name at most.
pub const LONGEST_NAME: usize = 60;
/// Characters of a note at most.
pub const LONGEST_NOTE: usize = 200;
/// Characters of a foreign value told in a message.
const TOLD: usize = 40;

/// A setting saved under a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Try {
    /// At least 1; 0 is the dataset's default, which is never saved.
    pub number: u32,
    /// What the analyst calls it.
    pub name: String,
    /// What the analyst notes about it; empty without a note.
    pub note: String,
    /// The rule.
    pub policy: Policy,
    /// The weights it states.
    pub stated: Vec<(Weight, f64)>,
}

impl Try {
    /// The try that holds all of `setting`.
    pub fn of(number: u32, name: String, setting: &Setting) -> Self {
        let stated = Weight::ALL.map(|weight| (weight, setting.weights.get(weight))).into();
        Self { number, name, note: String::new(), policy: setting.policy, stated }
    }

    /// The setting it stands for, where `defaults` are those of the dataset under its policy.
    pub fn setting(&self, defaults: &Weights) -> Setting {
        let weights = self.stated.iter().fold(*defaults, |weights, (weight, value)| weights.with(*weight, *value));
        Setting { weights, policy: self.policy }
    }

    /// `try 3 · cautious`; a name that says no more than the number is left out.
    pub fn title(&self) -> String {
        let number = format!("try {}", self.number);
        if self.name == number { number } else { format!("{number} · {}", self.name) }
    }
}

/// What a file of tries holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    /// The tries, by number.
    pub tries: Vec<Try>,
    /// How often held-out queries have been looked at.
    pub looks: u32,
}

impl From<Vec<Try>> for Book {
    fn from(tries: Vec<Try>) -> Self {
        Self { tries, looks: 0 }
    }
}

/// The first number above all of `tries`.
pub fn next_number(tries: &[Try]) -> u32 {
    tries.iter().map(|saved| saved.number).max().unwrap_or_default().saturating_add(1)
}

/// The weights that differ from `defaults`, in display order.
pub fn differences(weights: &Weights, defaults: &Weights) -> Vec<(Weight, f64)> {
    let valued = Weight::ALL.map(|weight| (weight, weights.get(weight)));
    valued.into_iter().filter(|(weight, value)| *value != defaults.get(*weight)).collect()
}

/// What makes a file of tries unreadable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadTries {
    /// 1-based.
    pub line: usize,
    /// What is wrong with which value.
    pub reason: String,
}

/// Reads a file's text.
pub fn parse(text: &str) -> Result<Book, BadTries> {
    let reader = Reader { text };
    let file = DeTable::parse(text).map_err(|error| BadTries {
        line: reader.line(error.span().map_or(text.len(), |span| span.start)),
        reason: visible(error.message()).into_owned(),
    })?;
    reader.file(file.get_ref())
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Knows where in the text a value stands.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    fn fault<T>(&self, at: Range<usize>, reason: String) -> Result<T, BadTries> {
        Err(BadTries { line: self.line(at.start), reason })
    }

    /// What stands at `at`, short enough for a message.
    fn told(&self, at: Range<usize>) -> String {
        let raw: String = self.text.get(at).unwrap_or_default().chars().take(TOLD).collect();
        visible(&raw).into_owned()
    }

    fn file(&self, file: &DeTable) -> Result<Book, BadTries> {
        let Book { mut tries, mut looks } = Book::default();
        for (key, value) in file {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("format", _) => {
                    let format = self.whole(key, value)?;
                    if format > FORMAT {
                        let told = format!("format {format} is newer than this program's {FORMAT}; update logoscope");
                        return self.fault(value.span(), told);
                    }
                }
                ("looks", _) => looks = self.whole(key, value)?,
                ("try", DeValue::Array(entries)) => {
                    for entry in entries.iter() {
                        let read = self.entry(entry, next_number(&tries))?;
                        if tries.iter().any(|other| other.number == read.number) {
                            let told = format!("number {} stands twice; give each try its own", read.number);
                            return self.fault(entry.span(), told);
                        }
                        tries.push(read);
                    }
                }
                ("try", _) => return self.fault(key.span(), "a try begins with [[try]]".to_owned()),
                (name, _) => {
                    let told = format!(
                        "'{}' is not known here; a file of tries holds format, looks and [[try]]",
                        visible(name)
                    );
                    return self.fault(key.span(), told);
                }
            }
        }
        tries.sort_by_key(|saved| saved.number);
        Ok(Book { tries, looks })
    }

    fn entry(&self, entry: &Value, free: u32) -> Result<Try, BadTries> {
        let Some(fields) = entry.get_ref().as_table() else {
            return self.fault(entry.span(), "a try begins with [[try]]".to_owned());
        };
        let (mut number, mut name, mut note) = (free, None, String::new());
        let (mut policy, mut stated) = (Policy::default(), Vec::new());
        for (key, value) in fields {
            match key.get_ref().as_ref() {
                "number" => {
                    number = self.whole(key, value)?;
                    if number == 0 {
                        let told = "number 0 is the dataset's default; number tries from 1 on".to_owned();
                        return self.fault(value.span(), told);
                    }
                }
                "name" => name = Some(self.text_of(key, value)?.to_owned()),
                "note" => note = self.text_of(key, value)?.to_owned(),
                "policy" => match self.text_of(key, value)?.parse() {
                    Ok(read) => policy = read,
                    Err(told) => return self.fault(value.span(), visible(&told).into_owned()),
                },
                weight => match weight.parse::<Weight>() {
                    Ok(weight) => stated.push((weight, self.value_of(weight, value)?)),
                    Err(told) => {
                        return self.fault(key.span(), format!("{}; also number, name, note, policy", visible(&told)));
                    }
                },
            }
        }
        stated.sort_by_key(|(weight, _)| Weight::ALL.iter().position(|other| other == weight));
        match name {
            Some(name) if !name.trim().is_empty() => Ok(Try { number, name, note, policy, stated }),
            _ => self.fault(entry.span(), format!("try {number} has no name; give it one, name = \"…\"")),
        }
    }

    fn whole(&self, key: &Key, value: &Value) -> Result<u32, BadTries> {
        let read = value.get_ref().as_integer().and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
        match read {
            Some(number) => Ok(number),
            None => {
                let told = format!("{} is {}; give a whole number", key.get_ref(), self.told(value.span()));
                self.fault(value.span(), told)
            }
        }
    }

    fn text_of<'a>(&self, key: &Key, value: &'a Value) -> Result<&'a str, BadTries> {
        match value.get_ref().as_str() {
            Some(text) => Ok(text),
            None => {
                let told = format!("{} is {}; give it in quotes", key.get_ref(), self.told(value.span()));
                self.fault(value.span(), told)
            }
        }
    }

    fn value_of(&self, weight: Weight, value: &Value) -> Result<f64, BadTries> {
        let read = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n as f64),
            _ => None,
        };
        let (low, high) = weight.range();
        match read {
            Some(number) if (low..=high).contains(&number) => Ok(number),
            _ => {
                let told = format!("{weight} is {}; give a number from {low} to {high}", self.told(value.span()));
                self.fault(value.span(), told)
            }
        }
    }
}

/// A file's text, to be read and edited by hand. `dataset` is named in its first line.
pub fn write(dataset: &str, book: &Book) -> String {
    let mut out = format!(
        "# Tries on {}: settings of the mediator, saved by logoscope. Edit them while no workbench saves one;\n\
         # comments are not kept. A weight that a try leaves out takes the dataset's default.\n\
         format = {FORMAT}\n",
        visible(dataset)
    );
    if book.looks > 0 {
        let _ = writeln!(out, "# How often held-out queries have been looked at.\nlooks = {}", book.looks);
    }
    for saved in &book.tries {
        let (number, policy) = (saved.number, saved.policy);
        let [name, note] = [&saved.name, &saved.note].map(|text| toml::Value::String(text.clone()));
        let _ = write!(out, "\n[[try]]\nnumber = {number}\nname = {name}\n");
        if !saved.note.is_empty() {
            let _ = writeln!(out, "note = {note}");
        }
        let _ = writeln!(out, "policy = \"{policy}\"");
        for (weight, value) in &saved.stated {
            // The shortest digits that read back as this very number; `inf` is a number in TOML.
            let _ = writeln!(out, "{weight} = {value:?}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::sample;

    fn defaults() -> Weights {
        Weights::defaults(Policy::Product, &sample::dataset().unwrap().manifest)
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            name in "[^\\s]\\PC{0,20}", note in "\\PC{0,20}", looks in 0..9u32, dataset in "\\PC{0,12}|a\nb", policy in 0..Policy::ALL.len(),
            stops in proptest::collection::vec(0.0..=100.0f64, Weight::ALL.len())
        ) {
            let mut weights = defaults();
            for (weight, stop) in Weight::ALL.into_iter().zip(&stops) {
                weights = weights.with(weight, weight.at(*stop));
            }
            let setting = Setting { weights, policy: Policy::ALL[policy] };
            let noted = Try { note, ..Try::of(1, name.clone(), &setting) };
            let book = Book { tries: vec![noted, Try::of(7, format!("{name}\"\\\n"), &setting)], looks };
            let back = parse(&write(&dataset, &book)).unwrap();
            prop_assert_eq!(&back, &book);
            prop_assert_eq!(back.tries[1].setting(&defaults()), setting);
        }
    }

    #[test]
    fn what_is_left_out_follows_the_defaults() {
        let text = "[[try]]\nname = \"old\"\nnumber = 4\n\n[[try]]\nname = \"endless\"\npolicy = \"shrinkage\"\nhalf-life = inf\nprior-strength = 3\n";
        let tries = parse(text).unwrap().tries;
        assert_eq!(tries.iter().map(|saved| saved.number).collect::<Vec<_>>(), [4, 5], "a free number is given");
        assert_eq!(tries[0].setting(&defaults()), Setting { weights: defaults(), policy: Policy::Product });
        let endless = tries[1].setting(&defaults());
        assert_eq!((endless.policy, endless.weights.half_life), (Policy::Shrinkage, f64::INFINITY));
        let differ = differences(&endless.weights, &defaults());
        assert_eq!(differ, [(Weight::PriorStrength, 3.0), (Weight::HalfLife, f64::INFINITY)]);
        assert_eq!(next_number(&tries), 6);
    }

    #[test]
    fn a_bad_file_is_told_with_line_value_and_remedy() {
        for (text, line, expected) in [
            ("[[try]]\nname = \"a\"\nlocal-trust = 5\n", 3, "local-trust is 5; give a number from 0 to 4"),
            ("[[try]]\nname = \"a\"\nhalf-life = nan\n", 3, "half-life is nan; give a number from 1 to inf"),
            ("[[try]]\nname = \"a\"\nomega = 5\n", 3, "'omega' is no weight"),
            ("[[try]]\nname = \"a\"\npolicy = \"vote\"\n", 3, "'vote' is no policy"),
            ("[[try]]\nname = \"a\"\n[[try]]\nnumber = 1\nname = \"b\"\n", 3, "number 1 stands twice"),
            ("\n[[try]]\nnumber = 0\nname = \"b\"\n", 3, "number 0 is the dataset's default"),
            ("[[try]]\nnumber = \"one\"\n", 2, "number is \"one\"; give a whole number"),
            ("[[try]]\n[[try]]\nname = \"b\"\n", 1, "try 1 has no name"),
            ("format = 9\n", 1, "format 9 is newer"),
            ("looks = -1\n", 1, "looks is -1; give a whole number"),
            ("[[try]]\nname = \"a\"\nnote = 3\n", 3, "note is 3; give it in quotes"),
            ("try = 3\n", 1, "a try begins with [[try]]"),
            ("colour = 3\n", 1, "'colour' is not known here"),
            ("[[try]]\nname = \"a\n", 2, ""),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_title_names_number_and_name() {
        let setting = Setting { weights: defaults(), policy: Policy::Product };
        assert_eq!(Try::of(3, "cautious".into(), &setting).title(), "try 3 · cautious");
        assert_eq!(Try::of(3, "try 3".into(), &setting).title(), "try 3");
    }
}
