//! The header of a GGUF file, read before any library sees the file: a library trusts the lengths in it, and dies of
//! those that are not true.
//!
//! Invariants: nothing is allocated that the file is not long enough to hold, and of small values no more than [`MOST_VALUES`];
//! a header that is read tells of tensors that lie within the file. The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// The longest header that is believed: vocabularies of a quarter of a million tokens take a twentieth of it.
const LARGEST_HEADER: u64 = 256 << 20;
/// Keys and tensors that a file may have.
const MOST_KEYS: u64 = 65_536;
const MOST_TENSORS: u64 = 1 << 20;
/// Values in all arrays together: in memory each takes many times the byte that it may take in the file. Tokens, merges,
/// scores and kinds of a quarter of a million tokens are a sixth of it.
const MOST_VALUES: u64 = 1 << 23;
/// Arrays within arrays.
const DEEPEST: usize = 3;
/// Where tensors begin, unless the file says otherwise.
const ALIGNMENT: u64 = 32;

/// A value of the header.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number of any width, not negative.
    Unsigned(u64),
    /// A negative whole number.
    Negative(i64),
    /// A number of either width.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Text; what is no UTF-8 in it is replaced.
    Text(String),
    /// Several values.
    Array(Vec<Value>),
}

/// A format of numbers in a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Its name: `q4k`.
    pub name: &'static str,
    /// Weights in a block.
    pub block: u64,
    /// Bytes of a block.
    pub bytes: u64,
}

/// The formats that the model library computes with, by their numbers.
const FORMATS: [(u32, Format); 15] = {
    const fn format(name: &'static str, block: u64, bytes: u64) -> Format {
        Format { name, block, bytes }
    }
    [
        (0, format("f32", 1, 4)),
        (1, format("f16", 1, 2)),
        (2, format("q4_0", 32, 18)),
        (3, format("q4_1", 32, 20)),
        (6, format("q5_0", 32, 22)),
        (7, format("q5_1", 32, 24)),
        (8, format("q8_0", 32, 34)),
        (9, format("q8_1", 32, 36)),
        (10, format("q2k", 256, 84)),
        (11, format("q3k", 256, 110)),
        (12, format("q4k", 256, 144)),
        (13, format("q5k", 256, 176)),
        (14, format("q6k", 256, 210)),
        (15, format("q8k", 256, 292)),
        (30, format("bf16", 1, 2)),
    ]
};

/// Formats that exist and cannot be computed with, for a message that names them.
const FOREIGN: [(u32, &str); 13] = [
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
];

/// A tensor as the header tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Sides, the fastest first: a table of embeddings is width × vocabulary.
    pub sides: Vec<u64>,
    /// How its numbers are written.
    pub format: Format,
    /// Number of weights.
    pub weights: u64,
    /// Bytes in the file.
    pub bytes: u64,
}

/// A header, of one file or of all parts of a split one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// What is said about the model.
    pub values: HashMap<String, Value>,
    /// Its tensors, by name.
    pub tensors: HashMap<String, Tensor>,
}

impl Header {
    /// Reads the header of the file at `path`. The error is a reason in words, without the path.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
        let length = file.metadata().map_err(|error| format!("it cannot be read: {error}"))?.len();
        Self::parse(BufReader::new(file), length)
    }

    /// Reads a header from the beginning of a file of `length` bytes.
    pub fn parse(source: impl Read, length: u64) -> Result<Self, String> {
        let mut reader = Reader { source, left: length.min(LARGEST_HEADER), read: 0, values: MOST_VALUES, wide: true };
        let header = reader.header(length);
        header.map_err(|fault| match fault {
            Fault::Said(reason) => reason,
            Fault::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => "it ends within its header".to_owned(),
            Fault::Io(error) => format!("it cannot be read: {error}"),
        })
    }

    /// Adds the header of a further part.
    pub fn extend(&mut self, part: Header) {
        self.tensors.extend(part.tensors);
        for (key, value) in part.values {
            self.values.entry(key).or_insert(value);
        }
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that counts something.
    pub fn count(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            Value::Unsigned(number) => Some(*number),
            _ => None,
        }
    }

    /// An array.
    pub fn array(&self, key: &str) -> Option<&[Value]> {
        match self.values.get(key)? {
            Value::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The format that most weights are written in.
    pub fn format(&self) -> &'static str {
        let mut shares: HashMap<&'static str, u64> = HashMap::new();
        for tensor in self.tensors.values() {
            *shares.entry(tensor.format.name).or_default() += tensor.weights;
        }
        shares.into_iter().max_by_key(|(name, weights)| (*weights, *name)).map_or("f32", |(name, _)| name)
    }
}

/// What ends the reading of a header.
enum Fault {
    Said(String),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn said<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Said(reason.into()))
}

struct Reader<R> {
    source: R,
    /// Bytes that may still be read.
    left: u64,
    read: u64,
    /// Values of arrays that may still be read.
    values: u64,
    /// Whether lengths take eight bytes; four in the first version of the format.
    wide: bool,
}

impl<R: Read> Reader<R> {
    fn header(&mut self, length: u64) -> Result<Header, Fault> {
        if &self.bytes::<4>()? != b"GGUF" {
            return said("it is no GGUF file: it does not begin with \"GGUF\"");
        }
        let version = self.u32()?;
        if !(1..=3).contains(&version) {
            return said(format!("it is written in version {version} of GGUF, and versions 1 to 3 are known"));
        }
        self.wide = version > 1;
        let (tensors, keys) = (self.length()?, self.length()?);
        if tensors > MOST_TENSORS || keys > MOST_KEYS {
            return said(format!("its header promises {tensors} tensors and {keys} keys"));
        }
        let mut header = Header::default();
        for _ in 0..keys {
            let key = self.text()?;
            let kind = self.u32()?;
            let value = self.value(kind, 0)?;
            header.values.insert(key, value);
        }
        let mut end = 0;
        for _ in 0..tensors {
            let (name, tensor, offset) = self.tensor()?;
            let Some(stop) = offset.checked_add(tensor.bytes) else {
                return said(format!("the place of its tensor {name:?} is no place in a file"));
            };
            end = end.max(stop);
            header.tensors.insert(name, tensor);
        }
        let alignment = header.count("general.alignment").unwrap_or(ALIGNMENT);
        if alignment == 0 || alignment > 1 << 20 {
            return said(format!("its tensors would be aligned to {alignment} bytes"));
        }
        let promised = self.read.next_multiple_of(alignment).saturating_add(end);
        if promised > length {
            return said(format!("its header promises {promised} bytes, the file has {length}"));
        }
        Ok(header)
    }

    fn tensor(&mut self) -> Result<(String, Tensor, u64), Fault> {
        let name = self.text()?;
        let sides = self.u32()?;
        if !(1..=4).contains(&sides) {
            return said(format!("its tensor {name:?} has {sides} sides"));
        }
        let sides = (0..sides).map(|_| self.length()).collect::<Result<Vec<_>, _>>()?;
        let number = self.u32()?;
        let offset = self.u64()?;
        let Some((_, format)) = FORMATS.into_iter().find(|(known, _)| *known == number) else {
            let foreign = FOREIGN.into_iter().find(|(known, _)| *known == number);
            let foreign = foreign.map_or_else(|| format!("of number {number}"), |(_, name)| name.to_owned());
            let known = FORMATS.map(|(_, format)| format.name).join(", ");
            return said(format!(
                "its tensor {name:?} is in the format {foreign}; those that can be computed with are {known}"
            ));
        };
        let weights = sides.iter().try_fold(1u64, |count, side| count.checked_mul(*side));
        let whole = weights.filter(|weights| weights % format.block == 0);
        let Some((weights, bytes)) = whole.and_then(|n| Some((n, (n / format.block).checked_mul(format.bytes)?)))
        else {
            return said(format!("the sides {sides:?} of its tensor {name:?} do not go with {}", format.name));
        };
        Ok((name, Tensor { sides, format, weights, bytes }, offset))
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, Fault> {
        let signed = |number: i64| u64::try_from(number).map_or(Value::Negative(number), Value::Unsigned);
        Ok(match kind {
            0 => Value::Unsigned(u64::from(self.bytes::<1>()?[0])),
            1 => signed(i64::from(i8::from_le_bytes(self.bytes()?))),
            2 => Value::Unsigned(u64::from(u16::from_le_bytes(self.bytes()?))),
            3 => signed(i64::from(i16::from_le_bytes(self.bytes()?))),
            4 => Value::Unsigned(u64::from(self.u32()?)),
            5 => signed(i64::from(i32::from_le_bytes(self.bytes()?))),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.bytes()?))),
            7 => match self.bytes::<1>()?[0] {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => return said(format!("its header holds {other} where yes or no belongs")),
            },
            8 => Value::Text(self.text()?),
            9 if depth < DEEPEST => {
                let kind = self.u32()?;
                let count = self.length()?;
                // Nothing takes less than a byte.
                if count > self.left {
                    return said(format!("its header promises {count} values where {} bytes are left", self.left));
                }
                let Some(values) = self.values.checked_sub(count) else {
                    return said(format!("the arrays of its header hold more than {MOST_VALUES} values"));
                };
                self.values = values;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(kind, depth + 1)?);
                }
                Value::Array(values)
            }
            10 => Value::Unsigned(self.u64()?),
            11 => signed(i64::from_le_bytes(self.bytes()?)),
            12 => Value::Float(f64::from_le_bytes(self.bytes()?)),
            other => return said(format!("its header holds a value of kind {other}, which nobody knows")),
        })
    }

    fn text(&mut self) -> Result<String, Fault> {
        let length = self.length()?;
        if length > self.left {
            return said(format!("its header promises a text of {length} bytes where {} are left", self.left));
        }
        let mut bytes = Vec::new();
        (&mut self.source).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.took(length)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
    }

    fn length(&mut self) -> Result<u64, Fault> {
        if self.wide { self.u64() } else { self.u32().map(u64::from) }
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        self.took(N as u64)?;
        Ok(bytes)
    }

    fn took(&mut self, bytes: u64) -> Result<(), Fault> {
        self.read += bytes;
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    /// A file with one key of each kind and one tensor of 32 numbers in `format`.
    fn file(format: u32, bytes: usize) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend(1u64.to_le_bytes());
        out.extend(4u64.to_le_bytes());
        text(&mut out, "general.architecture");
        out.extend(8u32.to_le_bytes());
        text(&mut out, "llama");
        text(&mut out, "llama.block_count");
        out.extend(4u32.to_le_bytes());
        out.extend(2u32.to_le_bytes());
        text(&mut out, "tokens");
        out.extend(9u32.to_le_bytes());
        out.extend(8u32.to_le_bytes());
        out.extend(2u64.to_le_bytes());
        text(&mut out, "a");
        text(&mut out, "b");
        text(&mut out, "offset");
        out.extend(5u32.to_le_bytes());
        out.extend((-7i32).to_le_bytes());
        text(&mut out, "token_embd.weight");
        out.extend(2u32.to_le_bytes());
        out.extend(8u64.to_le_bytes());
        out.extend(4u64.to_le_bytes());
        out.extend(format.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.resize(out.len().next_multiple_of(32) + bytes, 0);
        out
    }

    fn parse(bytes: &[u8]) -> Result<Header, String> {
        Header::parse(bytes, bytes.len() as u64)
    }

    #[test]
    fn a_header_tells_what_the_file_says() {
        let header = parse(&file(8, 34)).unwrap();
        assert_eq!(header.text("general.architecture"), Some("llama"));
        assert_eq!((header.count("llama.block_count"), header.count("offset")), (Some(2), None));
        assert_eq!(header.array("tokens").unwrap().len(), 2);
        assert_eq!(header.values["offset"], Value::Negative(-7));
        let table = &header.tensors["token_embd.weight"];
        assert_eq!((table.sides.as_slice(), table.weights, table.bytes), (&[8, 4][..], 32, 34));
        assert_eq!(header.format(), "q8_0");
    }

    #[test]
    fn what_cannot_be_used_is_told_in_words() {
        assert!(parse(b"PK\x03\x04........").unwrap_err().contains("no GGUF file"));
        assert!(parse(&file(23, 99)).unwrap_err().contains("IQ4_XS"));
        assert!(parse(&file(12, 144)).unwrap_err().contains("do not go with q4k"), "32 weights are no block of 256");
        let whole = file(0, 128);
        let told = parse(&whole[..whole.len() - 1]).unwrap_err();
        assert!(told.contains(&format!("promises {} bytes, the file has {}", whole.len(), whole.len() - 1)), "{told}");
        let mut version = whole.clone();
        version[4] = 9;
        assert!(parse(&version).unwrap_err().contains("version 9"));
    }

    #[test]
    fn a_length_that_is_not_true_is_not_believed() {
        let mut lying = file(0, 128);
        // The length of the first key.
        lying[24..32].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
        assert!(parse(&lying).unwrap_err().contains("promises a text of"));
    }

    #[test]
    fn small_values_by_the_million_are_not_read() {
        // Two arrays of bytes, each of which is short enough.
        let half = MOST_VALUES / 2 + 1;
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend(2u64.to_le_bytes());
        for key in ["one", "two"] {
            text(&mut bytes, key);
            bytes.extend(9u32.to_le_bytes());
            bytes.extend(0u32.to_le_bytes());
            bytes.extend(half.to_le_bytes());
            bytes.resize(bytes.len() + half as usize, 7);
        }
        assert!(parse(&bytes).unwrap_err().contains("more than 8388608 values"));
    }

    proptest! {
        #[test]
        fn any_cut_and_any_changed_byte_is_an_answer(cut in 0usize..260, place in 0usize..260, value: u8) {
            let mut bytes = file(0, 128);
            let place = place % bytes.len();
            bytes[place] = value;
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = parse(&bytes);
        }
    }
}
