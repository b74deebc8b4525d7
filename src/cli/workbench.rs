//! The workbench: takes the terminal over, starts the workers and runs the application until it is over.
//!
//! Order matters here: descriptors 1 and 2 are captured before the model library can write to them, the terminal is
//! taken over after that, and both are given back in reverse on every way out.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};

use super::Color;
use crate::app;
use crate::app::datasets::Place;
use crate::app::effect::Runner;
use crate::app::fitter::Fitter;
use crate::app::keeper::Keeper;
use crate::app::keymap::Keymap;
use crate::app::memories::{Memories, Opener};
use crate::app::message::Message;
use crate::app::profiler::Profiler;
use crate::app::scribe::{Ending, Scribe};
use crate::app::shelf::Shelf;
use crate::app::state::{Exit, Start, State};
use crate::app::surveyor::Surveyor;
use crate::engine::error::EngineError;
use crate::engine::fit::Training;
use crate::engine::host::EngineHost;
use crate::engine::model::{LoadOptions, ModelSpec, short};
use crate::engine::stdio::StdioCapture;
use crate::term::clipboard::Clipboard;
use crate::term::guard::{self, TerminalGuard};
use crate::term::writer::Screen;
use crate::term::{input, signals};
use crate::theme::Theme;
use crate::view;

/// Makes a thread panic, by name ("ui" or "memory"): how a test sees the terminal given back.
const PANIC_VARIABLE: &str = "LOGOSCOPE_TEST_PANIC";

/// What a start of the workbench is told.
#[derive(Clone, Debug, Default)]
pub struct WorkbenchOptions {
    /// Dataset folder; `None` for the embedded sample.
    pub dataset: Option<PathBuf>,
    /// Where stores of large datasets are.
    pub stores: PathBuf,
    /// The model; `None` for memory alone.
    pub model: Option<ModelSpec>,
    /// How models are to run that are chosen later.
    pub load: LoadOptions,
    /// What the model was made for.
    pub training: Training,
    /// Session to replay; `None` for live work.
    pub session: Option<PathBuf>,
    /// Folder of recorded sessions.
    pub sessions: PathBuf,
    /// Whether live use is recorded there.
    pub record: bool,
    /// Folder for tries.
    pub tries: PathBuf,
    /// Folder for prose profiles.
    pub profiles: PathBuf,
    /// ASCII instead of Unicode glyphs.
    pub ascii: bool,
    /// When to use colours.
    pub color: Color,
    /// The theme to begin with; `None` for the default one.
    pub theme: Option<&'static str>,
    /// Which keys run what.
    pub keys: Keymap,
}

/// Why there is no workbench.
#[derive(Debug, thiserror::Error)]
pub enum WorkbenchError {
    /// Standard input or output is no terminal.
    #[error("the workbench needs a terminal; for pipes and scripts use `logoscope ask`, or see `logoscope --help`")]
    NoTerminal,
    /// The terminal failed.
    #[error("the terminal cannot be used ({0}); try another one, or use `logoscope ask`")]
    Terminal(#[from] io::Error),
    /// The engine's host could not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is nothing to work on.
    #[error("{0}")]
    Ended(String),
}

/// Runs the workbench. The exit code is 0, or 128 + n after signal n.
pub fn run(options: WorkbenchOptions) -> Result<ExitCode, WorkbenchError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(WorkbenchError::NoTerminal);
    }
    match present(options)? {
        Exit::Done => Ok(ExitCode::SUCCESS),
        Exit::Signal(signal) => Ok(ExitCode::from(128u8.saturating_add(u8::try_from(signal).unwrap_or(0)))),
        Exit::Failed(reason) => Err(WorkbenchError::Ended(reason)),
    }
}

/// Takes the terminal over for as long as this runs.
fn present(options: WorkbenchOptions) -> Result<Exit, WorkbenchError> {
    // What NO_COLOR says has come in with the other settings.
    let mono = options.color == Color::Never;
    // Under NO_COLOR crossterm 0.29 writes `ESC[;m` for "no colour", which resets reverse and bold with it and hides the
    // selection. Forced output writes the default colours instead, and theme mono has no others.
    crossterm::style::force_color_output(true);
    let panics = std::env::var(PANIC_VARIABLE).unwrap_or_default();

    let capture = StdioCapture::begin(&nowhere()?)?;
    let terminal = capture.terminal()?;
    let guard = TerminalGuard::enter(&terminal)?;
    let (out, inbox) = mpsc::channel();
    let clipboard = Clipboard::new(terminal.try_clone()?);
    let screen = Rc::new(RefCell::new(Screen::new(terminal)?));
    signals::start(out.clone())?;
    let workers = start_workers(&options, panics == "memory", clipboard, &out)?;
    let runner = Runner { suspend: Some(suspension(Rc::clone(&screen), out.clone())), ..workers };
    input::start(out)?;

    let mut state = State::new(Start {
        dataset_name: place(&options).name(),
        folder: options.dataset.clone(),
        model_name: options.model.as_ref().map(|spec| short(&spec.name)),
        training: options.training.clone(),
        load: options.load.clone(),
        theme: options.theme,
        keys: options.keys.clone(),
        mono,
        ascii: options.ascii,
        record: options.record,
        profiles: true,
    });
    let mut theme = Theme::named(state.theme);
    let ended = app::run(&mut state, &runner, &inbox, |state| {
        if theme.name != state.theme {
            theme = Theme::named(state.theme);
        }
        let limits = screen.borrow_mut().draw(|frame| view::render(state, &theme, frame.area(), frame.buffer_mut()))?;
        assert!(panics != "ui", "asked to panic by {PANIC_VARIABLE}");
        Ok(limits)
    });
    // Also where the terminal failed, what was recorded reaches its file.
    drop(guard);
    drop(capture);
    for unkept in runner.profiler.map(Profiler::finish).unwrap_or_default() {
        super::complain(&format!("a profile is not on disk: {unkept}"));
    }
    for unkept in runner.keeper.map(Keeper::finish).unwrap_or_default() {
        super::complain(&unkept.to_string());
    }
    match runner.scribe.map_or(Ending::Nothing, Scribe::finish) {
        Ending::Nothing => {}
        Ending::Written(files) => files.iter().for_each(|path| {
            let told = match path.exists() {
                true => format!("this session is recorded in {}", path.display()),
                // Somebody was forgotten, or made room, in another window.
                false => format!("{} was removed while it was written; this session is in no file", path.display()),
            };
            super::complain(&told);
        }),
        Ending::Unwritten { events, reason } => {
            super::complain(&format!("the last {events} events of live use are in no file: {reason}"));
        }
    }
    Ok(ended?)
}

/// What stops the program until it is told to go on: the screen may have any size then, and is drawn whole.
fn suspension(screen: Rc<RefCell<Screen>>, out: Sender<Message>) -> Box<dyn Fn()> {
    Box::new(move || {
        let back = guard::suspend().and_then(|()| screen.borrow_mut().forget());
        let told = back.map_or_else(|error| Message::InputLost(error.to_string()), |()| Message::Resized);
        let _ = out.send(told);
    })
}

/// Starts the memory worker and, if a model was asked for, the engine's host.
fn start_workers(
    options: &WorkbenchOptions,
    memory_panics: bool,
    clipboard: Clipboard,
    out: &Sender<Message>,
) -> Result<Runner, WorkbenchError> {
    let opener = Opener { stores: options.stores.clone(), load: options.load.clone(), out: out.clone() };
    let before_build = move || assert!(!memory_panics, "asked to panic by {PANIC_VARIABLE}");
    let memory = Memories::start(opener, place(options), before_build)?;
    // The loop has not begun: what is named here is the first thing it takes in.
    if let Some(session) = options.session.clone() {
        let _ = out.send(Message::SessionNamed(session));
    }
    let shelf = Shelf::new(out.clone()).showing(options.sessions.clone());
    let scribe = options.record.then(|| Scribe::start(options.sessions.clone(), out.clone())).transpose()?;
    let keeper = Some(Keeper::start(options.tries.clone(), out.clone())?);
    let profiler = Some(Profiler::start(options.profiles.clone(), out.clone())?);
    let told = out.clone();
    let copy: Box<dyn Fn(String)> = Box::new(move |text| {
        let copied = clipboard.copy(&text).map(|()| text.len()).map_err(|error| error.to_string());
        let _ = told.send(Message::Copied(copied));
    });
    let surveyor = Some(Surveyor::start(out.clone())?);
    let fitter = Some(Fitter::new(out.clone()));
    let (copy, suspend) = (Some(copy), None);
    let runner = Runner { memory, host: None, shelf, scribe, keeper, profiler, fitter, surveyor, copy, suspend };
    let events = out.clone();
    let host = EngineHost::start(Box::new(move |event| drop(events.send(Message::Host(event)))))?;
    if let Some(spec) = &options.model {
        let _ = out.send(Message::ModelNamed(spec.name.clone()));
    }
    Ok(Runner { host: Some(host), ..runner })
}

/// Where what others write to standard output goes while the screen is ours.
fn nowhere() -> io::Result<File> {
    File::options().write(true).open(if cfg!(windows) { "NUL" } else { "/dev/null" })
}

/// Where the dataset is that the workbench begins with.
fn place(options: &WorkbenchOptions) -> Place {
    options.dataset.clone().map_or_else(Place::default, Place::Folder)
}
