//! Logging goes to a file or nowhere: never to the screen that the workbench draws on.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// Logs to `path`, which is created or emptied. `LOGOSCOPE_LOG` sets what is logged (default `info`).
pub fn to_file(path: &Path) -> std::io::Result<()> {
    let file = File::create(path)?;
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
