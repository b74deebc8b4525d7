//! Inputs: files and standard input, unpacked where they are gzip, their progress measured in bytes as they lie.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::ImportError;

/// Bytes read at once.
const BUFFER: usize = 1 << 16;
/// How a gzip stream begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// One input with the name that reports give it.
pub struct Source {
    name: PathBuf,
    reader: Box<dyn Read>,
    meter: Meter,
}

/// How far an input is read.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    taken: Rc<Cell<u64>>,
    unpacked: Rc<Cell<u64>>,
    size: Option<u64>,
}

impl Meter {
    /// Bytes taken so far, as the input lies: packed ones where it is packed.
    pub fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// Bytes read so far, unpacked.
    pub fn unpacked(&self) -> u64 {
        self.unpacked.get()
    }

    /// Bytes in all as the input lies, where that is known before the end.
    pub fn size(&self) -> Option<u64> {
        self.size
    }
}

impl Source {
    /// An input from anywhere.
    pub fn new(name: impl Into<PathBuf>, reader: impl Read + 'static) -> Self {
        let meter = Meter::default();
        let reader = Box::new(Metered { reader, bytes: Rc::clone(&meter.taken) });
        Self { name: name.into(), reader, meter }
    }

    /// The file at `path`.
    pub fn file(path: &Path) -> std::result::Result<Self, ImportError> {
        let wrap = |source| ImportError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(wrap)?;
        let metadata = file.metadata().map_err(wrap)?;
        // Opening a folder succeeds on some systems; the name is better refused before anything is written.
        if metadata.is_dir() {
            return Err(wrap(ErrorKind::IsADirectory.into()));
        }
        let mut source = Self::new(path, file);
        // A pipe has a name too, but no length.
        source.meter.size = metadata.is_file().then_some(metadata.len());
        Ok(source)
    }

    /// Standard input.
    pub fn stdin() -> Self {
        Self::new("standard input", std::io::stdin())
    }

    /// The name in reports.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// How far it is read.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Its content, unpacked if it begins as gzip does: the name says nothing.
    pub fn open(self) -> Result<Box<dyn BufRead>> {
        let mut reader = BufReader::with_capacity(BUFFER, self.reader);
        let mut begin = Vec::with_capacity(GZIP.len());
        reader.by_ref().take(GZIP.len() as u64).read_to_end(&mut begin)?;
        let packed = begin == GZIP;
        let whole = Cursor::new(begin).chain(reader);
        let bytes = self.meter.unpacked;
        Ok(if packed {
            let reader = BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole));
            Box::new(Metered { reader, bytes })
        } else {
            Box::new(Metered { reader: whole, bytes })
        })
    }
}

/// A reader whose bytes are counted as they are consumed.
struct Metered<R> {
    reader: R,
    bytes: Rc<Cell<u64>>,
}

impl<R> Metered<R> {
    fn count(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.count(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one byte at a time, as a slow pipe may.
    struct Drip(Cursor<Vec<u8>>);

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let room = buffer.len().min(1);
            self.0.read(&mut buffer[..room])
        }
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut packer = flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast());
        let mut bytes = Vec::new();
        packer.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn text(bytes: &[u8]) -> Result<String> {
        let source = Source::new("x", Drip(Cursor::new(bytes.to_vec())));
        let meter = source.meter();
        let mut text = String::new();
        source.open()?.read_to_string(&mut text)?;
        assert_eq!((meter.taken(), meter.unpacked()), (bytes.len() as u64, text.len() as u64));
        Ok(text)
    }

    #[test]
    fn gzip_is_known_by_its_first_bytes() {
        for plain in ["", "a", "\u{1f}", "\u{1f}x", "one\ntwo"] {
            assert_eq!(text(plain.as_bytes()).unwrap(), plain);
            assert_eq!(text(&packed(plain)).unwrap(), plain);
        }
        let members = [packed("one\n"), packed("two\n")].concat();
        assert_eq!(text(&members).unwrap(), "one\ntwo\n", "files put one after another");
    }

    #[test]
    fn a_damaged_gzip_is_an_error() {
        let whole = packed(&"text ".repeat(100));
        let mut bent = whole.clone();
        let last = bent.len() - 5;
        bent[last] ^= 1;
        for bytes in [&whole[..whole.len() - 3], &bent] {
            assert!(
                Source::new("x", Cursor::new(bytes.to_vec())).open().unwrap().read_to_end(&mut Vec::new()).is_err()
            );
        }
    }
}
