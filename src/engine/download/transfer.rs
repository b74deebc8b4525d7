//! How the bytes of one file come, go on where they were cut, and are judged.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Checksum, Record, Refusal, Summer, flat, unwritten};
use crate::engine::error::EngineError;
use crate::engine::model::is_name;
use crate::engine::room::Bytes;

/// Bytes between two words about progress, where they come fast.
const STRIDE: u64 = 1 << 20;
/// The time between two where they come slowly: whoever hears of progress may want it to end.
const PAUSE: Duration = Duration::from_millis(200);

/// A file to be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its path in the repository.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// What it must come to.
    pub checksum: Checksum,
}

/// What a server answers to a request for the bytes of a file.
pub struct Body {
    /// Where in the file the bytes begin: what was asked for, or 0 where the server cannot do that.
    pub offset: u64,
    /// The bytes.
    pub bytes: Box<dyn Read>,
}

/// Why the bytes of a file cannot be had.
#[derive(Debug)]
pub enum Unheard {
    /// The connection failed; another attempt may do better.
    Cut(String),
    /// The part that was asked for is not there: the file is to be asked for from its beginning.
    Range,
    /// The server refuses: the reason and the remedy.
    Refused(String, String),
}

/// What ends the download of a file before its end.
#[derive(Debug)]
pub enum Stopped {
    /// It failed: the reason and the remedy.
    Failed(String, String),
    /// Whoever was told of its progress ended it.
    Told(EngineError),
}

impl From<Refusal> for Stopped {
    fn from((reason, remedy): Refusal) -> Self {
        Self::Failed(reason, remedy)
    }
}

pub(super) const NEXT_TIME: &str = "what has been downloaded is kept; try again, and it goes on from there";

impl Wanted {
    /// Downloads the file into `home`, going on where an earlier attempt ended. `get` asks for its bytes from an offset
    /// on; `progress` hears how many bytes are there.
    ///
    /// A connection that is cut is opened again as long as it brings something.
    pub fn download(
        &self,
        home: &Path,
        progress: &dyn Fn(u64) -> Result<(), EngineError>,
        get: &mut dyn FnMut(u64) -> Result<Body, Unheard>,
    ) -> Result<(), Stopped> {
        let name = flat(&self.path);
        let target = home.join(name);
        if !is_name(name) {
            return Err(Stopped::Failed(format!("the hub has a file called {name:?}"), "choose another model".into()));
        }
        if fs::metadata(&target).is_ok_and(|found| found.len() == self.size) && self.is_known(home) {
            progress(self.size).map_err(Stopped::Told)?;
            return Ok(());
        }
        let part = home.join(self.part());
        let mut file = File::options().read(true).append(true).create(true).open(&part);
        let file = file.as_mut().map_err(|error| unwritten(&part, error))?;
        let mut summer = Summer::new(&self.checksum, self.size);
        let mut done = self.resume(file, &part, &mut summer, progress)?;
        progress(done).map_err(Stopped::Told)?;
        while done < self.size {
            let before = done;
            let cut = match get(done) {
                Ok(body) => {
                    if body.offset != done {
                        // It sends everything, whatever was asked for.
                        file.set_len(0).map_err(|error| unwritten(&part, &error))?;
                        (done, summer) = (0, Summer::new(&self.checksum, self.size));
                    }
                    self.take(body.bytes, file, &part, (&mut done, &mut summer), progress)?
                }
                Err(Unheard::Range) if done > 0 => {
                    file.set_len(0).map_err(|error| unwritten(&part, &error))?;
                    (done, summer) = (0, Summer::new(&self.checksum, self.size));
                    continue;
                }
                Err(Unheard::Range) => Some("the server does not send it".to_owned()),
                Err(Unheard::Cut(reason)) => Some(reason),
                Err(Unheard::Refused(reason, remedy)) => return Err(Stopped::Failed(reason, remedy)),
            };
            if done <= before && done < self.size {
                let reason = cut.unwrap_or_else(|| "the server sent nothing more".to_owned());
                let told =
                    format!("the connection was cut at {} of {} of {name}: {reason}", Bytes(done), Bytes(self.size));
                return Err(Stopped::Failed(told, NEXT_TIME.to_owned()));
            }
        }
        let sum = summer.finish();
        if sum != self.checksum.text() {
            let _ = fs::remove_file(&part);
            let told = format!("{name} has the checksum {sum}, and the hub states {}", self.checksum.text());
            return Err(Stopped::Failed(told, "it was removed; try again, or tell whoever published it".to_owned()));
        }
        let finish = || -> io::Result<()> {
            file.sync_all()?;
            fs::rename(&part, &target)
        };
        finish().map_err(|error| unwritten(&target, &error))?;
        progress(self.size).map_err(Stopped::Told)
    }

    /// What the file is called until it is whole.
    pub(super) fn part(&self) -> String {
        format!("{}.{}.part", flat(&self.path), &self.checksum.text()[..16])
    }

    /// Whether the folder's record says that this very file is there.
    fn is_known(&self, home: &Path) -> bool {
        Record::read(home).is_some_and(|record| {
            record.files.get(flat(&self.path)).is_some_and(|known| known.checksum == self.checksum)
        })
    }

    /// Sums what an earlier attempt has left, and says how much that is.
    fn resume(
        &self,
        file: &mut File,
        part: &Path,
        summer: &mut Summer,
        progress: &dyn Fn(u64) -> Result<(), EngineError>,
    ) -> Result<u64, Stopped> {
        let failed = |error: io::Error| unwritten(part, &error);
        let length = file.metadata().map_err(failed)?.len();
        if length > self.size {
            file.set_len(0).map_err(failed)?;
            return Ok(0);
        }
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut buffer = vec![0; 1 << 16];
        let mut done = 0;
        let mut pulse = Pulse::at(done, Instant::now());
        while done < length {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                n => {
                    summer.update(&buffer[..n]);
                    done += n as u64;
                    if pulse.is_due(done, Instant::now()) {
                        progress(done).map_err(Stopped::Told)?;
                    }
                }
            }
        }
        Ok(done)
    }

    /// Takes bytes until there are no more or the file is whole. What went wrong with the connection, if anything.
    fn take(
        &self,
        bytes: Box<dyn Read>,
        file: &mut File,
        part: &Path,
        (done, summer): (&mut u64, &mut Summer),
        progress: &dyn Fn(u64) -> Result<(), EngineError>,
    ) -> Result<Option<String>, Stopped> {
        let mut bytes = bytes.take(self.size - *done);
        let mut buffer = vec![0; 1 << 16];
        let mut pulse = Pulse::at(*done, Instant::now());
        loop {
            let n = match bytes.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Some(error.to_string())),
            };
            file.write_all(&buffer[..n]).map_err(|error| unwritten(part, &error))?;
            summer.update(&buffer[..n]);
            *done += n as u64;
            if pulse.is_due(*done, Instant::now()) || *done == self.size {
                progress(*done).map_err(Stopped::Told)?;
            }
        }
    }
}

/// When progress was told last.
struct Pulse {
    done: u64,
    at: Instant,
}

impl Pulse {
    fn at(done: u64, at: Instant) -> Self {
        Self { done, at }
    }

    /// Whether it is time to tell it again.
    fn is_due(&mut self, done: u64, now: Instant) -> bool {
        let due = done - self.done >= STRIDE || now.duration_since(self.at) >= PAUSE;
        if due {
            *self = Self { done, at: now };
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_after_much_or_after_a_while() {
        let begin = Instant::now();
        let mut pulse = Pulse::at(0, begin);
        let mut is_due = |done, milliseconds| pulse.is_due(done, begin + Duration::from_millis(milliseconds));
        assert!(!is_due(STRIDE - 1, 1));
        assert!(is_due(STRIDE, 2));
        assert!(!is_due(STRIDE + 10, 201));
        assert!(is_due(STRIDE + 11, 202), "few bytes, and a while");
        assert!(!is_due(STRIDE + 12, 203));
    }
}
