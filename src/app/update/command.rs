//! What each command does to the state.

use super::super::back::Back;
use super::super::board::Page;
use super::super::command::Command;
use super::super::input::Input;
use super::super::inquiry::Inquiry;
use super::super::overlay::{EditKind, Help, List, Overlay, Sheet};
use super::super::replay::Mark;
use super::super::rungs::Kind;
use super::super::state::{Exit, Pane, Setting, State};
use super::arms::{self, stop};
use super::line::{self, edit, put_aside};
use super::{
    Effect, attribution, board, dataset, feedback, fit, inquiry, list, model, moment, profile, question, record,
    replay, rungs, setting, tell, tries, visit,
};
use crate::engine::prompt::Arm;
use crate::theme::Theme;

/// Steps of a slider for a far turn.
const FAR: f64 = 10.0;
/// Lines of a page.
const PAGE: i32 = 10;
/// Turns of a far step through a session.
const FAR_TURNS: isize = 10;

/// Runs `command`, or says why it cannot run.
pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    if command == Command::Interrupt {
        return interrupt(state);
    }
    if command == Command::Suspend {
        // Whoever comes back finds everything as it was.
        return vec![Effect::Suspend];
    }
    state.interrupted = false;
    let leaving = std::mem::take(&mut state.leaving);
    state.notice = None;
    if let Some(reason) = command.unavailable(state) {
        // Esc on the bare screen is no question and needs no answer.
        if command != Command::Back {
            tell(state, reason.to_owned(), false);
        }
        return Vec::new();
    }
    if let Some(lost) = lost_by(state, command).filter(|_| leaving != Some(command)) {
        state.leaving = Some(command);
        tell(state, lost, true);
        return Vec::new();
    }
    if !turns(command) {
        state.undo.close();
        record::settle(state);
    }
    state.journal.touched |= command != Command::Quit;
    match command {
        Command::EditQuery => {
            let draft = std::mem::take(&mut state.draft);
            edit(state, EditKind::Query, &draft);
        }
        Command::PickDate => {
            let now = state.question.as_ref().map(|question| question.at.to_string()).unwrap_or_default();
            edit(state, EditKind::Date, &now)
        }
        Command::PickUser => open(state, List::users(state).map(Overlay::List)),
        Command::PickQuery => open(state, List::queries(state).map(Overlay::List)),
        Command::Palette => open(state, Some(Overlay::List(List::commands(state)))),
        Command::Help => open(state, Some(Overlay::Help(Help::over(state.screen())))),
        Command::NextQuery => return question::neighbour(state, 1),
        Command::PreviousQuery => return question::neighbour(state, -1),
        Command::DayBack => return moment::by_days(state, -1.0),
        Command::DayOn => return moment::by_days(state, 1.0),
        Command::PeriodBack => return moment::by_period(state, false),
        Command::PeriodOn => return moment::by_period(state, true),
        Command::AskAgain => {
            let mut effects = stop(state);
            state.answers.written = Default::default();
            state.word();
            effects.extend(arms::ask(state));
            return effects;
        }
        // Of texts only a true one can be remembered: a form is no text.
        Command::Remember if state.writes() => {
            let Some(truth) = state.truth().map(str::to_owned) else { return Vec::new() };
            return question::remember(state, truth);
        }
        Command::Remember => open(state, List::labels(state).map(Overlay::List)),
        Command::PlayPause => replay::play_or_pause(state),
        Command::StepOn => replay::step(state, 1),
        Command::StepBack => replay::step(state, -1),
        Command::StepOnFar => replay::step(state, FAR_TURNS),
        Command::StepBackFar => replay::step(state, -FAR_TURNS),
        Command::ReplayStart => replay::step(state, isize::MIN),
        Command::ReplayEnd => replay::step(state, isize::MAX),
        Command::GoToTurn => {
            edit(state, EditKind::Turn, "");
            replay::seek(state);
        }
        Command::NextConflict => replay::jump(state, Mark::Conflict, true),
        Command::PreviousConflict => replay::jump(state, Mark::Conflict, false),
        Command::NextOverride => replay::jump(state, Mark::Override, true),
        Command::PreviousOverride => replay::jump(state, Mark::Override, false),
        Command::NextFlip => replay::jump(state, Mark::Flip, true),
        Command::PreviousFlip => replay::jump(state, Mark::Flip, false),
        Command::NextWrong => replay::jump(state, Mark::Wrong, true),
        Command::PreviousWrong => replay::jump(state, Mark::Wrong, false),
        Command::NextSaid => replay::jump(state, Mark::Said, true),
        Command::PreviousSaid => replay::jump(state, Mark::Said, false),
        Command::CallRight => feedback::ask(state, true),
        Command::CallWrong => feedback::ask(state, false),
        Command::GiveGold => open(state, List::gold(state).map(Overlay::List)),
        Command::TakeNote => edit(state, EditKind::Note, ""),
        Command::NextChart => replay::next_chart(state),
        Command::TallCharts => replay::tall_charts(state),
        Command::LiveHere => return visit::begin(state, None),
        Command::ForkHere => return visit::fork_here(state),
        Command::KeepSession => return replay::keep(state),
        Command::BackToReplay => return visit::end(state),
        Command::Faster => replay::change_speed(state, 1),
        Command::Slower => replay::change_speed(state, -1),
        Command::LeaveReplay => replay::leave(state),
        Command::OpenSession => return replay::list(state),
        Command::PickModel => return model::list(state),
        Command::OpenData => return dataset::list(state),
        Command::WeightUp => setting::turn(state, 1.0),
        Command::WeightDown => setting::turn(state, -1.0),
        Command::WeightUpFar => setting::turn(state, FAR),
        Command::WeightDownFar => setting::turn(state, -FAR),
        Command::WeightNext => setting::select_weight(state, 1),
        Command::WeightPrevious => setting::select_weight(state, -1),
        Command::WeightReset => {
            let value = state.defaults().get(state.weight);
            let weights = state.setting.weights.with(state.weight, value);
            setting::step(state, Setting { weights, ..state.setting });
        }
        Command::ResetAll => {
            let weights = state.defaults();
            setting::step(state, Setting { weights, ..state.setting });
            // What is in force now is no try.
            state.at_try = 0;
        }
        Command::TypeValue => tries::type_value(state),
        Command::OpenHere => match state.focus {
            Pane::Local => open(state, List::hits(state).map(Overlay::List)),
            Pane::Global => open(state, List::entries(state).map(Overlay::List)),
            Pane::Mediator => open(state, Some(Overlay::Sheet(Sheet::ledger()))),
            Pane::Answers => attribution::open(state, Arm::Mediated),
            _ => tries::type_value(state),
        },
        Command::WhyNot => return inquiry::ask(state, Inquiry::Candidates, None),
        Command::ShowCommunity => return inquiry::ask(state, Inquiry::Community, None),
        Command::Profile
        | Command::WriteProfile
        | Command::StopProfile
        | Command::EditProfile
        | Command::ResetProfile
        | Command::ToggleProfile => return profile::run(state, command),
        Command::SwitchPolicy => setting::switch_policy(state),
        Command::Policies => open(state, Some(Overlay::List(List::policies(state)))),
        Command::Undo => setting::travel(state, |state| state.undo.undo(state.held())),
        Command::Redo => setting::travel(state, |state| state.undo.redo(state.held())),
        Command::SaveTry => tries::type_name(state),
        Command::Tries => open(state, Some(Overlay::List(List::tries(state)))),
        Command::DeleteTry => return tries::delete(state),
        Command::NoteTry => tries::type_note(state),
        Command::CompareTry => tries::compare(state),
        Command::ExportTries => {
            let name = format!("{}-tries.toml", super::super::scribe::plain(&state.dataset_name));
            edit(state, EditKind::ExportPath, &name);
        }
        Command::ImportTries => edit(state, EditKind::ImportPath, ""),
        Command::FocusNext => focus(state, state.focus.index() + 1),
        Command::FocusPrevious => focus(state, state.focus.index() + Pane::ALL.len() - 1),
        Command::FocusLocal => focus(state, Pane::Local.index()),
        Command::FocusMediator => focus(state, Pane::Mediator.index()),
        Command::FocusGlobal => focus(state, Pane::Global.index()),
        Command::FocusAnswers => focus(state, Pane::Answers.index()),
        Command::FocusWeights => focus(state, Pane::Weights.index()),
        Command::ScrollDown if state.focus == Pane::Weights => setting::select_weight(state, 1),
        Command::ScrollUp if state.focus == Pane::Weights => setting::select_weight(state, -1),
        Command::ScrollDown => scroll(state, 1),
        Command::ScrollUp => scroll(state, -1),
        Command::PageDown => scroll(state, PAGE),
        Command::PageUp => scroll(state, -PAGE),
        Command::Top => scroll(state, i32::MIN),
        Command::Bottom => scroll(state, i32::MAX),
        Command::Zoom => state.zoom = !state.zoom,
        Command::Back => return back(state),
        Command::SwitchTheme => {
            let names = Theme::names();
            let at = names.iter().position(|name| *name == state.theme).unwrap_or_default();
            state.theme = names[(at + 1) % names.len()];
            tell(state, format!("theme {}", state.theme), false);
        }
        Command::Quit => state.exit = Some(Exit::Done),
        Command::Interrupt | Command::Suspend => {}
        Command::PromptRoom => board::open(state, Page::Prompts { arm: Arm::Mediated, against: None }),
        Command::Numbers => board::open(state, Page::Numbers),
        Command::FlipDistances => board::open(state, Page::Flips),
        Command::Sweep => board::open(state, Page::Sweep { by: 0 }),
        Command::Fit => fit::open(state),
        Command::StartFit => return fit::start(state),
        Command::StopFit => return fit::stop(state),
        Command::LookAtHoldOut => return fit::reveal(state),
        Command::Ladder => board::open(state, Page::Rungs(Kind::Ladder)),
        Command::Dial => board::open(state, Page::Rungs(Kind::Dial)),
        Command::RungOn => rungs::step(state, 1),
        Command::RungBack => rungs::step(state, -1),
        Command::RungFirst => rungs::step(state, isize::MIN),
        Command::RungLast => rungs::step(state, isize::MAX),
        Command::RungNextQuery => return question::neighbour(state, 1),
        Command::RungPreviousQuery => return question::neighbour(state, -1),
        Command::Attribution => attribution::open(state, Arm::Mediated),
        Command::TokenOn => attribution::step(state, 1),
        Command::TokenBack => attribution::step(state, -1),
        Command::TokenFirst => attribution::step(state, isize::MIN),
        Command::TokenLast => attribution::step(state, isize::MAX),
        Command::BoardNext => board::turn(state, 1),
        Command::BoardPrevious => board::turn(state, -1),
        Command::DiffAgainst => board::compare(state),
        Command::CopyText => return board::copy(state),
        Command::Leave | Command::CloseList | Command::HelpClose | Command::SheetClose | Command::BoardClose => {
            leave(state);
        }
        Command::Accept => return line::accept(state),
        Command::RecallQuery => {
            let typed = state.typed.clone().unwrap_or_default();
            line::change(state, |input| *input = Input::of(&typed));
        }
        Command::Choose => return list::choose(state),
        Command::CursorLeft => line::change(state, Input::left),
        Command::CursorRight => line::change(state, Input::right),
        Command::CursorStart => line::change(state, Input::start),
        Command::CursorEnd => line::change(state, Input::end),
        Command::DeleteBack | Command::FilterDeleteBack => line::change(state, Input::delete_back),
        Command::DeleteOn => line::change(state, Input::delete_on),
        Command::DeleteWord => line::change(state, Input::delete_word),
        Command::DeleteAll | Command::FilterDeleteAll => line::change(state, Input::clear),
        Command::SelectNext => select(state, 1),
        Command::SelectPrevious => select(state, -1),
        Command::SelectPageNext => select(state, PAGE),
        Command::SelectPagePrevious => select(state, -PAGE),
        Command::HelpFilter => {
            if let Some(Overlay::Help(help)) = &mut state.overlay {
                help.filtering = true;
            }
        }
        Command::HelpDown | Command::SheetDown | Command::BoardDown => select(state, 1),
        Command::HelpUp | Command::SheetUp | Command::BoardUp => select(state, -1),
        Command::HelpPageDown | Command::SheetPageDown | Command::BoardPageDown => select(state, PAGE),
        Command::HelpPageUp | Command::SheetPageUp | Command::BoardPageUp => select(state, -PAGE),
        Command::SheetTop | Command::BoardTop => select(state, i32::MIN),
        Command::SheetBottom | Command::BoardBottom => select(state, i32::MAX),
    }
    Vec::new()
}

/// Whether a command turns the selected weight, and so may continue a gesture.
fn turns(command: Command) -> bool {
    matches!(command, Command::WeightUp | Command::WeightDown | Command::WeightUpFar | Command::WeightDownFar)
}

/// Esc on the bare screen: stops or leaves one thing.
fn back(state: &mut State) -> Vec<Effect> {
    match state.back() {
        Some(Back::Answers) => {
            // A changed prompt that still rests would have them asked again at once.
            state.ask_at = None;
            let effects = stop(state);
            tell(state, "stopped; r asks again".to_owned(), false);
            return effects;
        }
        Some(Back::Profile) => {
            let effects = stop(state);
            tell(state, "the profile is not written; U and w begin anew".to_owned(), false);
            return effects;
        }
        Some(Back::Zoom) => state.zoom = false,
        Some(Back::Order) => {
            if let Some((scenario, _)) = state.orders.under_way.take() {
                tell(state, format!("no {scenario} session is made"), false);
                return vec![Effect::MakeNone];
            }
        }
        Some(Back::Dataset) => return dataset::cancel(state),
        Some(Back::Load) => return model::cancel(state),
        None => {}
    }
    Vec::new()
}

/// What `command` would lose that is in no file, with how to have it do so.
fn lost_by(state: &State, command: Command) -> Option<String> {
    let (lost, does) = match command {
        Command::Quit => (tries::unsaved(state), "quits"),
        Command::LeaveReplay => (replay::unkept(state), "leaves it"),
        Command::OpenSession => (replay::unkept(state), "opens another session in its place"),
        _ => return None,
    };
    lost.map(|lost| format!("{} again {does}; {lost}", state.keys.first(command)))
}

/// Ctrl-C: closes what is open, else stops the model; twice in a row it quits.
fn interrupt(state: &mut State) -> Vec<Effect> {
    if state.interrupted {
        state.exit = Some(Exit::Done);
        return Vec::new();
    }
    state.interrupted = true;
    put_aside(state);
    let closed = state.overlay.take().is_some();
    let effects = if closed { Vec::new() } else { stop(state) };
    let done = match (closed, effects.is_empty()) {
        (true, _) => "closed; ",
        (false, true) => "",
        (false, false) => "stopped; ",
    };
    let lost = tries::unsaved(state).map_or(String::new(), |lost| format!("; {lost}"));
    tell(state, format!("{done}Ctrl-C again quits{lost}"), false);
    effects
}

fn open(state: &mut State, overlay: Option<Overlay>) {
    state.overlay = overlay;
}

fn leave(state: &mut State) {
    put_aside(state);
    match &mut state.overlay {
        // In layers: first the filter goes, then the help.
        Some(Overlay::Help(help)) if help.filtering || !help.filter.text().is_empty() => {
            *help = Help::over(help.screen)
        }
        _ => close(state),
    }
}

/// Closes what lies over the screen; what it lay over is seen again.
pub(super) fn close(state: &mut State) {
    state.overlay = state.overlay.take().and_then(Overlay::closed);
    // What was noted on a try stands in its row.
    tries::relist(state);
}

fn select(state: &mut State, steps: i32) {
    let limit = i32::from(state.limits.help);
    match &mut state.overlay {
        Some(Overlay::List(list)) => list.step(steps as isize),
        Some(Overlay::Help(help)) => help.scroll = (i32::from(help.scroll) + steps).clamp(0, limit) as u16,
        Some(Overlay::Sheet(sheet)) => {
            sheet.scroll = i32::from(sheet.scroll).saturating_add(steps).clamp(0, limit) as u16;
        }
        Some(Overlay::Board(board)) => {
            board.scroll = i32::from(board.scroll).saturating_add(steps).clamp(0, limit) as u16;
        }
        _ => {}
    }
}

fn focus(state: &mut State, ix: usize) {
    state.focus = Pane::ALL[ix % Pane::ALL.len()];
}

fn scroll(state: &mut State, lines: i32) {
    let pane = state.focus.index();
    let to = i32::from(state.scroll[pane]).saturating_add(lines);
    state.scroll[pane] = to.clamp(0, i32::from(state.limits.panes[pane])) as u16;
}
