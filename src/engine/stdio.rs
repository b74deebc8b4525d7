//! Keeps the model library off the screen, and sets its environment before it starts. The one place of the engine that
//! needs `unsafe`.
//!
//! Invariants:
//! * While a [`StdioCapture`] lives, file descriptors 1 and 2 lead to the log, whoever writes to them: this program, a
//!   dependency, C code. Dropping it, or [`release_stdio`] from a panic hook, gives them back, once.
//! * The environment is changed only by [`prepare_environment`], and only variables that the user has not set.
//!
//! The `unsafe` here is two calls: `set_var`, sound as long as no second thread runs yet, and `dup2` on descriptors that
//! are known to be open.
#![allow(unsafe_code)]

use std::env;
use std::fs::File;
use std::io;
use std::num::NonZero;
use std::panic;
use std::sync::Once;
use std::thread;

/// Every thread that this program starts for a model has a name that begins like this.
pub const ENGINE_THREAD_PREFIX: &str = "engine-";

/// More threads than this only get in each other's way in a model of a few million weights.
const MOST_THREADS: usize = 4;

/// Bounds the number of threads that the model library starts, so that one core stays free to draw. The user's own
/// settings of the same variables win.
///
/// Must be called at the top of `main`, before any other thread exists: the environment is not safe to change later,
/// and the library reads it once.
pub fn prepare_environment() {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let workers = (cores - 1).clamp(1, MOST_THREADS);
    for (name, value) in [("RAYON_NUM_THREADS", workers), ("TOKIO_WORKER_THREADS", 1)] {
        if env::var_os(name).is_none() {
            // SAFETY: called before a second thread exists (see above), so nobody reads the environment meanwhile.
            unsafe { env::set_var(name, value.to_string()) };
        }
    }
}

/// Whether the current thread belongs to a model. A panic there is caught and becomes an error, so a panic hook must
/// neither print it nor touch the terminal.
///
/// The library leaves its own threads unnamed; therefore every other thread of this program should have a name.
pub fn is_engine_thread() -> bool {
    let current = thread::current();
    current.name().is_none_or(|name| name.starts_with(ENGINE_THREAD_PREFIX) || name.starts_with("tokio-r"))
}

/// Puts a hook before the present panic hook that sends panics of engine threads to the log and all others on. Later
/// calls do nothing.
pub fn quiet_engine_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if is_engine_thread() {
                tracing::error!(target: "logoscope::engine", "{info}");
            } else {
                next(info);
            }
        }));
    });
}

pub use capture::{StdioCapture, release_stdio};

#[cfg(unix)]
mod capture {
    use std::io::Write;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::{File, io};

    /// Where descriptors 1 and 2 led before the capture; here rather than in the guard so that a panic hook reaches it.
    static SAVED: Mutex<Option<[OwnedFd; 2]>> = Mutex::new(None);

    fn saved() -> MutexGuard<'static, Option<[OwnedFd; 2]>> {
        SAVED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Standard output and error lead to a log file as long as this lives.
    #[derive(Debug)]
    pub struct StdioCapture(());

    impl StdioCapture {
        /// Sends everything written to descriptors 1 and 2 to `log`. Fails if a capture is running already.
        pub fn begin(log: &File) -> io::Result<Self> {
            let mut saved = saved();
            if saved.is_some() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "standard output is captured already"));
            }
            flush();
            // Keeping these first means that a failure below still knows the way back.
            *saved = Some([io::stdout().as_fd().try_clone_to_owned()?, io::stderr().as_fd().try_clone_to_owned()?]);
            drop(saved);
            let capture = Self(());
            redirect(log.as_fd(), libc::STDOUT_FILENO)?;
            redirect(log.as_fd(), libc::STDERR_FILENO)?;
            Ok(capture)
        }

        /// The terminal (or whatever standard output was) to draw on; it stays usable after the capture has ended.
        pub fn terminal(&self) -> io::Result<File> {
            match &*saved() {
                Some([out, _]) => Ok(File::from(out.try_clone()?)),
                None => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            }
        }
    }

    impl Drop for StdioCapture {
        fn drop(&mut self) {
            release_stdio();
        }
    }

    /// Gives descriptors 1 and 2 back. Does nothing where they are not captured, so that a panic hook and a guard may
    /// both call it.
    pub fn release_stdio() {
        // Taken out first: whoever comes second finds nothing to do.
        let Some([out, err]) = saved().take() else { return };
        flush();
        // Nothing can be done about a failure here: the descriptors are open, so the system has no reason for one.
        let _ = redirect(out.as_fd(), libc::STDOUT_FILENO);
        let _ = redirect(err.as_fd(), libc::STDERR_FILENO);
    }

    /// Text that still sits in the buffer belongs to where the descriptor leads now.
    fn flush() {
        let _ = io::stdout().flush();
        let _ = io::stderr().flush();
    }

    fn redirect(to: BorrowedFd<'_>, number: i32) -> io::Result<()> {
        loop {
            // SAFETY: `to` is open as long as it is borrowed; 1 and 2 belong to the process, nothing owns them in Rust.
            if unsafe { libc::dup2(to.as_raw_fd(), number) } >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

#[cfg(not(unix))]
mod capture {
    use super::{File, io};

    /// Stands in where descriptors cannot be redirected: nothing is captured.
    #[derive(Debug)]
    pub struct StdioCapture(());

    impl StdioCapture {
        /// Captures nothing.
        pub fn begin(_log: &File) -> io::Result<Self> {
            Ok(Self(()))
        }

        /// The console to draw on.
        pub fn terminal(&self) -> io::Result<File> {
            File::options().read(true).write(true).open("CONOUT$")
        }
    }

    /// Nothing to give back.
    pub fn release_stdio() {}
}
