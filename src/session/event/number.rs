//! Numbers of a session file, by label: each reads back as the very number written.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// A number for each label, by name, in display order: `{"noir": 0.5, …}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ByLabel(pub Vec<(String, f64)>);

impl ByLabel {
    /// Names `values`, which stand in the order of `labels`.
    pub fn of(labels: &[String], values: &[f64]) -> Self {
        Self(labels.iter().cloned().zip(values.iter().copied()).collect())
    }

    /// The number of `label`.
    pub fn get(&self, label: &str) -> Option<f64> {
        self.0.iter().find(|(name, _)| name == label).map(|(_, value)| *value)
    }

    /// `(label, number)` by falling number.
    pub fn ranked(&self) -> Vec<(&str, f64)> {
        let mut ranked: Vec<(&str, f64)> = self.0.iter().map(|(label, value)| (label.as_str(), *value)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}

impl Serialize for ByLabel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (label, value) in &self.0 {
            map.serialize_entry(label, &Number(*value))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ByLabel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = ByLabel;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object {label: number}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ByLabel, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some((label, Number(value))) = map.next_entry()? {
                    pairs.push((label, value));
                }
                Ok(ByLabel(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A number that may be infinite: a model can find a label impossible, and JSON has no word for that.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { serializer.serialize_f64(self.0) } else { serializer.collect_str(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number, \"inf\" or \"-inf\"")]
        enum Written {
            Finite(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Finite(value) => Ok(Number(value)),
            Written::Text(text) => match text.as_str() {
                "inf" => Ok(Number(f64::INFINITY)),
                "-inf" => Ok(Number(f64::NEG_INFINITY)),
                "NaN" => Ok(Number(f64::NAN)),
                _ => Err(serde::de::Error::custom(format!("'{text}' is no number"))),
            },
        }
    }
}
