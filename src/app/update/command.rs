//! What each command does to the state.

use super::super::back::Back;
use super::super::board::Page;
use super::super::command::Command;
use super::super::datasets::Place;
use super::super::input::Input;
use super::super::inquiry::Inquiry;
use super::super::order::Order;
use super::super::overlay::{Choice, Edit, EditKind, Help, List, Overlay, Sheet};
use super::super::replay::Mark;
use super::super::rungs::Kind;
use super::super::shelf::Source;
use super::super::state::{Exit, Gesture, Held, Pane, Setting, State};
use super::{
    Effect, arms, ask, attribution, board, dataset, edited, feedback, fit, inquiry, model, moment, open_judged,
    profile, record, remember, replay, rungs, set, stop, tell, tries, visit, weigh,
};
use crate::data::interaction::Timestamp;
use crate::engine::prompt::Arm;
use crate::mediator::{Policy, Weight};
use crate::session::scenario::Scenario;
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
        Command::NextQuery => return neighbour(state, 1),
        Command::PreviousQuery => return neighbour(state, -1),
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
            return remember(state, truth);
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
        Command::WeightUp => turn(state, 1.0),
        Command::WeightDown => turn(state, -1.0),
        Command::WeightUpFar => turn(state, FAR),
        Command::WeightDownFar => turn(state, -FAR),
        Command::WeightNext => select_weight(state, 1),
        Command::WeightPrevious => select_weight(state, -1),
        Command::WeightReset => {
            let value = state.defaults().get(state.weight);
            let weights = state.setting.weights.with(state.weight, value);
            step(state, Setting { weights, ..state.setting });
        }
        Command::ResetAll => {
            let weights = state.defaults();
            step(state, Setting { weights, ..state.setting });
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
        Command::SwitchPolicy => switch_policy(state),
        Command::Policies => open(state, Some(Overlay::List(List::policies(state)))),
        Command::Undo => travel(state, |state| state.undo.undo(state.held())),
        Command::Redo => travel(state, |state| state.undo.redo(state.held())),
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
        Command::ScrollDown if state.focus == Pane::Weights => select_weight(state, 1),
        Command::ScrollUp if state.focus == Pane::Weights => select_weight(state, -1),
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
        Command::RungNextQuery => return neighbour(state, 1),
        Command::RungPreviousQuery => return neighbour(state, -1),
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
        Command::Accept => return accept(state),
        Command::RecallQuery => {
            let typed = state.typed.clone().unwrap_or_default();
            line(state, |input| *input = Input::of(&typed));
        }
        Command::Choose => return choose(state),
        Command::CursorLeft => line(state, Input::left),
        Command::CursorRight => line(state, Input::right),
        Command::CursorStart => line(state, Input::start),
        Command::CursorEnd => line(state, Input::end),
        Command::DeleteBack | Command::FilterDeleteBack => line(state, Input::delete_back),
        Command::DeleteOn => line(state, Input::delete_on),
        Command::DeleteWord => line(state, Input::delete_word),
        Command::DeleteAll | Command::FilterDeleteAll => line(state, Input::clear),
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
        Command::BoardTop => select(state, i32::MIN),
        Command::BoardBottom => select(state, i32::MAX),
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
    if state.overlay.take().is_some() {
        return Vec::new();
    }
    let effects = stop(state);
    let done = if effects.is_empty() { "" } else { "stopped; " };
    tell(state, format!("{done}Ctrl-C again quits"), false);
    effects
}

fn open(state: &mut State, overlay: Option<Overlay>) {
    state.overlay = overlay;
}

/// Opens a line; a board that it is typed over stays.
pub(super) fn edit(state: &mut State, kind: EditKind, text: &str) {
    let before = state.overlay.take();
    state.overlay = Some(Overlay::Edit(Edit::over(kind, text, before)));
}

/// Keeps a question that is left half typed, for whoever goes on with it.
pub(super) fn put_aside(state: &mut State) {
    if let Some(Overlay::Edit(Edit { kind: EditKind::Query, input, .. })) = &state.overlay {
        state.draft = input.text().to_owned();
    }
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
}

fn line(state: &mut State, change: impl FnOnce(&mut Input)) {
    if let Some(input) = state.input_mut() {
        change(input);
        edited(state);
    }
}

fn select(state: &mut State, steps: i32) {
    let limit = i32::from(state.limits.help);
    match &mut state.overlay {
        Some(Overlay::List(list)) => list.step(steps as isize),
        Some(Overlay::Help(help)) => help.scroll = (i32::from(help.scroll) + steps).clamp(0, limit) as u16,
        Some(Overlay::Sheet(sheet)) => sheet.scroll = (i32::from(sheet.scroll) + steps).clamp(0, limit) as u16,
        Some(Overlay::Board(board)) => {
            board.scroll = i32::from(board.scroll).saturating_add(steps).clamp(0, limit) as u16;
        }
        _ => {}
    }
}

fn accept(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Edit(edit)) = &mut state.overlay else { return Vec::new() };
    let text = edit.input.text().trim().to_owned();
    match edit.kind {
        EditKind::Query if text.is_empty() => {
            close(state);
            state.draft.clear();
            tell(state, "nothing was typed; the question stays".to_owned(), false);
            Vec::new()
        }
        EditKind::Query => {
            close(state);
            state.draft.clear();
            state.typed = Some(text.clone());
            if state.data.is_none() {
                state.wanted = Some(text);
                state.chosen = true;
                tell(state, "asked as soon as the dataset is read".to_owned(), false);
                return Vec::new();
            }
            ask(state, |question| question.query = text)
        }
        EditKind::Date => match text.parse::<Timestamp>() {
            Ok(at) => {
                close(state);
                ask(state, |question| question.at = at)
            }
            Err(error) => {
                edit.complaint = Some(error.to_string());
                Vec::new()
            }
        },
        EditKind::Turn => {
            let turns = state.replay.as_ref().map_or(0, |replay| replay.turns());
            match text.parse::<usize>() {
                Ok(number) if (1..=turns).contains(&number) => {
                    close(state);
                    replay::go_to(state, number - 1);
                }
                _ => edit.complaint = Some(format!("give a number from 1 to {turns}")),
            }
            Vec::new()
        }
        EditKind::Note => {
            state.overlay = None;
            feedback::note(state, text);
            Vec::new()
        }
        EditKind::Profile => {
            let taken = profile::typed(state, &text);
            taken_or_told(state, taken)
        }
        EditKind::Value(weight) => {
            let taken = tries::take_value(state, weight, &text);
            taken_or_told(state, taken.map(|()| Vec::new()))
        }
        EditKind::TryName => {
            let taken = tries::save(state, &text);
            taken_or_told(state, taken)
        }
        EditKind::TryNote(number) => {
            let taken = tries::note(state, number, &text);
            taken_or_told(state, taken)
        }
        EditKind::ExportPath | EditKind::ImportPath | EditKind::Path | EditKind::Folder if text.is_empty() => {
            close(state);
            Vec::new()
        }
        // The line stays until it is known whether its path leads anywhere.
        EditKind::ExportPath => {
            let book = Box::new(state.tries.clone().into());
            vec![Effect::Export { path: text.into(), dataset: state.dataset_name.clone(), book }]
        }
        EditKind::ImportPath => vec![Effect::Import(text.into())],
        EditKind::Path => vec![Effect::Open(Source::File(text.into()))],
        EditKind::Id => {
            close(state);
            if text.is_empty() { Vec::new() } else { inquiry::ask(state, Inquiry::WhyNot(text), None) }
        }
        EditKind::Folder => {
            close(state);
            dataset::choose(state, Place::Folder(text.into()))
        }
        EditKind::Model => {
            close(state);
            model::choose(state, text)
        }
    }
}

/// Closes the line, or says in it why it was not taken.
fn taken_or_told(state: &mut State, taken: Result<Vec<Effect>, String>) -> Vec<Effect> {
    match (taken, &mut state.overlay) {
        (Ok(effects), _) => {
            close(state);
            return effects;
        }
        (Err(reason), Some(Overlay::Edit(edit))) => edit.complaint = Some(reason),
        (Err(_), _) => {}
    }
    Vec::new()
}

/// Orders a session of the dataset; the newest order wins.
fn make(state: &mut State, scenario: Scenario) -> Vec<Effect> {
    let Some(data) = state.data.clone().filter(|_| state.cannot_make().is_none()) else { return Vec::new() };
    state.orders.newest += 1;
    state.orders.under_way = Some((scenario, state.now));
    vec![Effect::Make(Box::new(Order { ticket: state.orders.newest, scenario, data, setting: state.setting }))]
}

fn choose(state: &mut State) -> Vec<Effect> {
    if let Some(Overlay::Help(help)) = &mut state.overlay {
        help.filtering = false;
        return Vec::new();
    }
    let Some(Overlay::List(list)) = &state.overlay else { return Vec::new() };
    let list = list.clone();
    let Some(row) = list.current().cloned() else {
        // What nothing in the list is called may be the name of something else.
        let Some(kind) = list.kind.typed() else { return Vec::new() };
        edit(state, kind, list.filter.text().trim());
        return accept(state);
    };
    state.overlay = None;
    match row.choice {
        Choice::User(ix) => {
            let user = state.data.as_ref().and_then(|data| data.users.get(ix).cloned());
            user.map_or_else(Vec::new, |user| ask(state, |question| question.user = user))
        }
        Choice::Query(ix) => {
            state.chosen = true;
            open_judged(state, ix)
        }
        Choice::Run(command) => run(state, command),
        Choice::Made(scenario) => make(state, scenario),
        Choice::Recorded(at) => {
            let path = state.recordings.get(at).map(|found| found.path.clone());
            path.map(|path| Effect::Open(Source::File(path))).into_iter().collect()
        }
        Choice::Shipped(name) => vec![Effect::Open(Source::Shipped(name))],
        Choice::Label(label) => {
            let response = state.data.as_ref().and_then(|data| data.labels.get(label).cloned());
            response.map_or_else(Vec::new, |response| remember(state, response))
        }
        Choice::Called(arm, right) => {
            feedback::call(state, arm, right);
            Vec::new()
        }
        Choice::Gold(label) => {
            feedback::give_gold(state, label);
            Vec::new()
        }
        Choice::Try(number) => {
            tries::apply(state, number);
            Vec::new()
        }
        Choice::Policy(policy) => {
            set_policy(state, policy);
            Vec::new()
        }
        Choice::Item => inquiry::ask(state, Inquiry::Item(row.name), Some(list)),
        Choice::Entry => inquiry::ask(state, Inquiry::Entry(row.name), Some(list)),
        Choice::WhyNot => inquiry::ask(state, Inquiry::WhyNot(row.name), Some(list)),
        Choice::TypeId => {
            edit(state, EditKind::Id, "");
            Vec::new()
        }
        Choice::TypePath => {
            edit(state, EditKind::Path, "");
            Vec::new()
        }
        Choice::Model => model::choose(state, row.name),
        Choice::Offer(at) => {
            let name = state.offers.get(at).map(|offer| offer.name.clone());
            model::choose(state, name.unwrap_or_default())
        }
        Choice::ShippedData(name) => dataset::choose(state, Place::Shipped(name)),
        Choice::OfferedData(at) => {
            let folder = state.datasets.offers.get(at).map(|offer| Place::Folder(offer.name.clone().into()));
            folder.map_or_else(Vec::new, |place| dataset::choose(state, place))
        }
        Choice::TypeFolder => {
            edit(state, EditKind::Folder, "");
            Vec::new()
        }
        Choice::TypeModel => {
            edit(state, EditKind::Model, "");
            Vec::new()
        }
    }
}

/// The judged query `steps` further, around.
fn neighbour(state: &mut State, steps: isize) -> Vec<Effect> {
    let n = state.data.as_ref().map_or(0, |data| data.queries.len()) as isize;
    if n == 0 {
        return Vec::new();
    }
    let from = match (state.judged, state.opened) {
        (Some(ix), _) => ix as isize,
        // A typed query stands behind the one that was opened last,
        (None, Some(ix)) => ix as isize + isize::from(steps < 0),
        // or before all of them.
        (None, None) => -isize::from(steps > 0),
    };
    state.chosen = true;
    open_judged(state, (from + steps).rem_euclid(n) as usize)
}

fn turn(state: &mut State, steps: f64) {
    let weight = state.weight;
    if let Some(reason) = state.ignored(weight) {
        return tell(state, format!("{weight} does nothing now: {reason}"), false);
    }
    let value = weight.nudged(state.setting.weights.get(weight), steps);
    let weights = state.setting.weights.with(weight, value);
    set(state, Gesture::Turn(weight), Setting { weights, ..state.setting });
}

/// Changes the setting as a step of its own.
pub(super) fn step(state: &mut State, setting: Setting) {
    state.steps += 1;
    set(state, Gesture::Step(state.steps), setting);
}

/// Switches to the next policy that can be chosen, and says why one is passed over.
fn switch_policy(state: &mut State) {
    let mut policy = state.setting.policy.next();
    while let Some(reason) = state.barred(policy) {
        tell(state, format!("policy {policy} is passed over: {reason}"), false);
        policy = policy.next();
    }
    set_policy(state, policy);
}

/// Chooses a policy. A weight that stands at the old policy's default moves to the new one's: `prior-strength` counts
/// different things under each.
fn set_policy(state: &mut State, policy: Policy) {
    if let Some(reason) = state.barred(policy) {
        return tell(state, format!("policy {policy} cannot be chosen: {reason}"), false);
    }
    let (old, new) = (state.defaults(), state.defaults_of(policy));
    let mut weights = state.setting.weights;
    for weight in Weight::ALL {
        if weights.get(weight) == old.get(weight) {
            weights = weights.with(weight, new.get(weight));
        }
    }
    step(state, Setting { weights, policy });
}

fn travel(state: &mut State, to: impl FnOnce(&mut State) -> Option<Held>) {
    if let Some(Held { setting, at_try }) = to(state) {
        (state.setting, state.at_try) = (setting, at_try);
        weigh(state);
    }
}

fn focus(state: &mut State, ix: usize) {
    state.focus = Pane::ALL[ix % Pane::ALL.len()];
}

fn select_weight(state: &mut State, steps: isize) {
    let n = Weight::ALL.len() as isize;
    let at = Weight::ALL.iter().position(|weight| *weight == state.weight).unwrap_or_default() as isize;
    state.weight = Weight::ALL[(at + steps).rem_euclid(n) as usize];
    state.undo.close();
}

fn scroll(state: &mut State, lines: i32) {
    let pane = state.focus.index();
    let to = i32::from(state.scroll[pane]).saturating_add(lines);
    state.scroll[pane] = to.clamp(0, i32::from(state.limits.panes[pane])) as u16;
}
