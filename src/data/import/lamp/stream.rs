//! The elements of a LaMP file, one at a time: files of gigabytes are one JSON value.

use std::fmt;
use std::io::{BufRead, BufReader, Result};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::super::ImportError;
use crate::data::sanitize::visible;

/// The field of an object that holds the elements.
const GOLDS: &str = "golds";

/// Skips white space and a byte order mark; whether an object begins there.
pub fn begins_object(reader: &mut dyn BufRead) -> Result<bool> {
    loop {
        let chunk = reader.fill_buf()?;
        let skipped = |byte: &u8| byte.is_ascii_whitespace() || b"\xEF\xBB\xBF".contains(byte);
        let blank = chunk.iter().take_while(|byte| skipped(byte)).count();
        if blank < chunk.len() || chunk.is_empty() {
            let object = chunk.get(blank) == Some(&b'{');
            reader.consume(blank);
            return Ok(object);
        }
        reader.consume(blank);
    }
}

/// Calls `each` with the elements of an array, or of the array `golds` of an object.
pub fn elements(
    path: &Path,
    reader: Box<dyn BufRead>,
    each: &mut dyn FnMut(Value) -> std::result::Result<(), ImportError>,
) -> std::result::Result<(), ImportError> {
    let mut stopped = None;
    // The parser asks for single bytes: a buffer of a known type makes them cheap.
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, reader));
    let elements = Elements { each, stopped: &mut stopped, outermost: true };
    let outcome = json.deserialize_any(elements).and_then(|()| json.end());
    match (stopped, outcome) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.is_io() => {
            Err(ImportError::Read { path: path.to_owned(), source: std::io::Error::from(error) })
        }
        (None, Err(error)) => {
            // It may quote what stands in the file.
            let reason = visible(&error.to_string()).into_owned();
            Err(ImportError::Json { path: path.to_owned(), reason })
        }
    }
}

struct Elements<'a> {
    each: &'a mut dyn FnMut(Value) -> std::result::Result<(), ImportError>,
    stopped: &'a mut Option<ImportError>,
    outermost: bool,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        while let Some(element) = seq.next_element()? {
            if let Err(error) = (self.each)(element) {
                *self.stopped = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        if !self.outermost {
            return Err(A::Error::custom(format!("'{GOLDS}' is no array")));
        }
        let Elements { each, stopped, .. } = self;
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == GOLDS {
                found = true;
                map.next_value_seed(Elements { each: &mut *each, stopped: &mut *stopped, outermost: false })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::custom(format!("the object has no '{GOLDS}'"))) }
    }
}
