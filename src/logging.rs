//! Logging goes to a file or nowhere: never to the screen that the workbench draws on.
//!
//! Invariant: nothing that a file held is lost. A log grows from run to run, and a file that is no log is left alone.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// How a line of a log begins, digits as zeros: its moment as [`tracing_subscriber`] writes it.
const MOMENT: &[u8] = b"0000-00-00T00:00:00.000000Z ";
/// What stands behind the moment.
const LEVELS: [&[u8]; 5] = [b"TRACE", b"DEBUG", b" INFO", b" WARN", b"ERROR"];

/// Why there can be no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be read or written.
    #[error("{}: {source}; check the path and its permissions", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error(
        "{}: holds something that is no log of this program, and lines would be added to it; name a new file with \
         --log, or under 'log' in config.toml", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// Logs to the end of `path`, which is created where there is none. `LOGOSCOPE_LOG` sets what is logged (default `info`).
pub fn to_file(path: &Path) -> Result<(), LogError> {
    let wrap = |source| LogError::File { path: path.to_owned(), source };
    if holds_something_else(path).map_err(wrap)? {
        return Err(LogError::Foreign { path: path.to_owned() });
    }
    let file = File::options().append(true).create(true).open(path).map_err(wrap)?;
    let mut filter = EnvFilter::try_from_env("LOGOSCOPE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // The client of servers logs whatever they send, as it is.
    if let Ok(off) = "async_openai=off".parse() {
        filter = filter.add_directive(off);
    }
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_env_filter(filter).with_writer(Mutex::new(file));
    // A second call in one process keeps the first log.
    let _ = subscriber.try_init();
    Ok(())
}

/// Whether a file is there, is not empty and does not begin as a log does. Devices and pipes hold nothing to lose, and
/// to read from one may take for ever.
fn holds_something_else(path: &Path) -> std::io::Result<bool> {
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(false);
    }
    let mut begin = Vec::new();
    File::open(path)?.take((MOMENT.len() + LEVELS[0].len()) as u64).read_to_end(&mut begin)?;
    Ok(!begin.is_empty() && !begins_a_line(&begin))
}

fn begins_a_line(begin: &[u8]) -> bool {
    let Some((moment, level)) = begin.split_at_checked(MOMENT.len()) else { return false };
    let fits = |(byte, model): (&u8, &u8)| if *model == b'0' { byte.is_ascii_digit() } else { byte == model };
    moment.iter().zip(MOMENT).all(fits) && LEVELS.contains(&level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_known_by_how_its_first_line_begins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert!(!holds_something_else(&path).unwrap() && !holds_something_else(dir.path()).unwrap());
        for (text, foreign) in [
            ("", false),
            ("2026-03-01T12:30:00.000001Z  INFO logoscope::engine: ready\n", false),
            ("2026-03-01T12:30:00.000001Z ERROR logoscope::engine: gone\n{}\n", false),
            ("{\"id\":\"i1\",\"user\":\"u1\"}\n", true),
            ("2026-03-01T12:30:00Z a diary\n", true),
            ("2026-03-01", true),
            ("2026-03-01T12:30:00.000001Z a diary\n", true),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(holds_something_else(&path).unwrap(), foreign, "{text}");
        }
    }

    /// What is taken for a line is what the library writes.
    #[test]
    fn a_line_that_is_logged_begins_as_a_log_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let file = Mutex::new(File::create(&path).unwrap());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(file).finish();
        tracing::subscriber::with_default(subscriber, || tracing::warn!("something"));
        assert!(!fs::read(&path).unwrap().is_empty() && !holds_something_else(&path).unwrap());
    }
}
