//! `logoscope export`: a session to be shown elsewhere, as a page or as a terminal recording. Needs neither the model nor
//! the dataset it was recorded with.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::target::require_free;
use super::{CliError, Common};
use crate::app::command::Command;
use crate::app::keymap::Chord;
use crate::app::message::Message;
use crate::app::replay::{Opened, SPEEDS};
use crate::app::state::{Start, State};
use crate::app::update::update;
use crate::data::dataset::write_whole;
use crate::data::sanitize::visible;
use crate::eval::report::session_page;
use crate::session::Session;
use crate::theme::Theme;
use crate::view;
use crate::view::cast::Cast;
use crate::view::layout::LEAST;
use crate::view::text::plural;

/// How long the last screen stays.
const LAST: Duration = Duration::from_secs(3);
/// The largest screen that is recorded.
const MOST: (u16, u16) = (400, 200);

/// Options of `export`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target").required(true).multiple(true))]
pub struct ExportArgs {
    /// Session file
    session: PathBuf,
    /// Write a page that stands alone: every turn, charts, stepping with the arrow keys
    #[arg(long, value_name = "FILE", group = "target")]
    html: Option<PathBuf>,
    /// Write a terminal recording (asciicast v2) of the replay, turn by turn
    #[arg(long, value_name = "FILE", group = "target")]
    cast: Option<PathBuf>,
    /// Columns and rows of the recording
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "120x40", requires = "cast", value_parser = size)]
    size: (u16, u16),
    /// How fast the recording plays: 1/2, 1, 2, 4, 8 or 16; at 1 a turn stays two seconds
    #[arg(long, default_value = "1", requires = "cast", value_parser = speed)]
    speed: usize,
    /// Theme of the recording: ansi, night, day or mono
    #[arg(long, default_value = "night", requires = "cast", value_parser = theme)]
    theme: &'static str,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let ((least_columns, least_rows), (columns, rows)) = (LEAST, MOST);
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse::<u16>().ok()?, h.parse::<u16>().ok()?)));
    let fits = |(w, h): &(u16, u16)| (least_columns..=columns).contains(w) && (least_rows..=rows).contains(h);
    let told = format!("give columns and rows such as 120x40, {least_columns}x{least_rows} to {columns}x{rows}");
    parsed.filter(fits).ok_or(told)
}

fn speed(text: &str) -> Result<usize, String> {
    let names = SPEEDS.map(|(name, _)| name);
    names.iter().position(|name| *name == text).ok_or_else(|| format!("give one of {}", names.join(", ")))
}

/// The built-in theme of a name.
pub(super) fn theme(text: &str) -> Result<&'static str, String> {
    let names = Theme::names();
    names.into_iter().find(|name| *name == text).ok_or_else(|| format!("give one of {}", names.join(", ")))
}

/// Runs the command.
pub fn run(common: &Common, args: &ExportArgs) -> Result<ExitCode, CliError> {
    let session = Session::open(&args.session)?;
    for warning in session.warnings() {
        super::complain(&format!("{}: {warning}", args.session.display()));
    }
    let name = args.session.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let turns = session.events.iter().filter(|event| event.tag() == "asked").count();
    if turns == 0 {
        let told = "holds no question; there is nothing to show";
        return Err(CliError::Usage(format!("{}: {told}", args.session.display())));
    }
    for path in [&args.html, &args.cast].into_iter().flatten() {
        require_free(path, Some(&args.session), args.force)?;
    }
    if let Some(path) = &args.html {
        let page = session_page(&name, session.clone());
        write_whole(path, page.as_bytes())?;
        print_line!(
            "{}: {}, a page of {} bytes",
            visible(&path.to_string_lossy()),
            plural(turns, "turn", "turns"),
            page.len()
        )?;
    }
    if let Some(path) = &args.cast {
        let shot = Shot { size: args.size, speed: args.speed, theme: args.theme, ascii: common.ascii };
        let recording = cast(name, session, &shot);
        write_whole(path, recording.as_bytes())?;
        let (columns, rows) = args.size;
        print_line!("{}: {} at {columns}×{rows}", visible(&path.to_string_lossy()), plural(turns, "turn", "turns"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a recording looks like.
struct Shot {
    size: (u16, u16),
    /// Index into [`SPEEDS`].
    speed: usize,
    theme: &'static str,
    ascii: bool,
}

/// Plays the session off the screen, in the workbench's own view, and records every frame.
fn cast(name: String, session: Session, shot: &Shot) -> String {
    let (width, height) = shot.size;
    let mut cast = Cast::new(width, height, &visible(&format!("{name} · {}", session.header.title)));
    let mut state = State::new(Start { ascii: shot.ascii, ..Start::default() });
    let Some(opened) = Opened::of(name, session) else { return cast.end(LAST) };
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    state.theme = shot.theme;
    let theme = Theme::named(shot.theme);
    if let Some(replaying) = &mut state.replay {
        replaying.speed = shot.speed;
    }
    press(&mut state, Command::PlayPause);
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let mut frame = |state: &State, at: Duration| {
        buffer.reset();
        view::render(state, &theme, buffer.area, &mut buffer);
        cast.frame(at, &buffer);
        let turn = state.replay.as_ref().map_or(0, |replaying| replaying.turn + 1);
        cast.marker(at, &format!("turn {turn}"));
    };
    let mut at = Duration::ZERO;
    frame(&state, at);
    // A replay that plays moves on by its own clock, and stops at its end.
    while let Some(due) = state.due() {
        at = due;
        update(&mut state, Message::Clock(at));
        frame(&state, at);
    }
    cast.end(at + LAST)
}

/// Presses the key of a command.
fn press(state: &mut State, command: Command) {
    let key = state.keys.first(command).parse::<Chord>();
    key.into_iter().for_each(|chord| drop(update(state, Message::Key(chord))));
}
