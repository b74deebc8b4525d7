//! Why a command cannot run now: what it needs is not there yet, or a replay, a visit or what lies over the screen stands
//! against it.

use super::Command;
use crate::app::board::{Board, Page};
use crate::app::overlay::{Choice, Edit, EditKind, List, ListKind, Overlay};
use crate::app::replay::SPEEDS;
use crate::app::rungs;
use crate::app::state::{MemoryState, Pane, State};
use crate::app::study::FitState;

impl Command {
    /// Why it cannot run now; `None` if it can.
    pub fn unavailable(self, state: &State) -> Option<&'static str> {
        let no_data = state.data.is_none().then_some("the dataset is still being read");
        let no_queries = || {
            let none = state.data.as_ref().is_some_and(|data| data.queries.is_empty());
            none.then_some("the dataset holds nothing to ask")
        };
        match self {
            Command::PickUser
            | Command::PickDate
            | Command::DayBack
            | Command::DayOn
            | Command::PeriodBack
            | Command::PeriodOn
            | Command::WeightUp
            | Command::WeightDown
            | Command::WeightUpFar
            | Command::WeightDownFar
            | Command::WeightReset
            | Command::TypeValue
            | Command::SaveTry
            | Command::Tries
            | Command::ResetAll
            | Command::Policies
            | Command::SwitchPolicy => no_data,
            Command::PickQuery
            | Command::NextQuery
            | Command::PreviousQuery
            | Command::RungNextQuery
            | Command::RungPreviousQuery => no_data.or_else(no_queries),
            Command::RecallQuery => of_recalling(state),
            Command::Ladder | Command::Dial => rungs::unavailable(self, state),
            Command::AskAgain if matches!(state.memory, MemoryState::Failed(_)) => Some("memory could not be built"),
            Command::AskAgain if state.reading.is_none() => Some("memory has not been read yet"),
            Command::AskAgain => state.model.unable(),
            Command::Remember if state.reading.is_none() || state.answers.stale => Some("memory has not been read yet"),
            Command::Remember if state.question.as_ref().is_none_or(|question| question.query.is_empty()) => {
                Some("nothing has been asked yet")
            }
            Command::Remember if state.writes() && state.truth().is_none() => {
                Some("what the person writes to this is not known; ask a judged query")
            }
            Command::OpenHere if state.focus == Pane::Weights => no_data,
            Command::OpenHere if state.focus == Pane::Answers => of_attribution(state),
            Command::Attribution => of_attribution(state),
            Command::OpenHere if state.focus == Pane::Mediator => {
                state.reading.is_none().then_some("memory has not been read yet")
            }
            Command::OpenHere | Command::WhyNot | Command::ShowCommunity if state.replay.is_some() => {
                Some("a replay shows what was recorded; leave it to ask memory")
            }
            Command::WhyNot if state.holds().is_some() => {
                Some("this moment holds another history than the person's own, and why-not looks into their own")
            }
            Command::OpenHere | Command::WhyNot | Command::ShowCommunity
                if state.reading.is_none() || state.answers.stale =>
            {
                Some("memory has not been read yet")
            }
            Command::Undo => (!state.undo.can_undo()).then_some("nothing has been turned yet"),
            Command::Redo => (!state.undo.can_redo()).then_some("nothing has been undone"),
            Command::SwitchTheme => state.mono_only.then_some("colours are off"),
            Command::Slower if state.replay.as_ref().is_some_and(|replay| replay.speed == 0) => {
                Some("it plays at half the speed already")
            }
            Command::Faster if state.replay.as_ref().is_some_and(|replay| replay.speed + 1 == SPEEDS.len()) => {
                Some("it plays at sixteen times the speed already")
            }
            Command::NextFlip | Command::PreviousFlip if !state.undo.can_undo() => {
                Some("no weight has been turned; a flip is a decision that the present weights change")
            }
            Command::CallRight | Command::CallWrong | Command::GiveGold | Command::TakeNote => of_words(self, state),
            Command::Fit if state.visit.is_some() => Some("a fit reads the whole dataset; go back to the replay first"),
            Command::PickModel if state.visit.is_some() => {
                Some("another model begins another session; go back to the replay first")
            }
            Command::OpenData if state.visit.is_some() => {
                Some("everything begins anew with another dataset; go back to the replay first")
            }
            Command::KeepSession => of_keeping(state),
            Command::BackToReplay => state.visit.is_none().then_some("no replay waits"),
            Command::Back => state.back().is_none().then_some("no pane is zoomed"),
            Command::Profile
            | Command::WriteProfile
            | Command::StopProfile
            | Command::EditProfile
            | Command::ResetProfile
            | Command::ToggleProfile => of_profile(self, state),
            _ => of_boards(self, state).or_else(|| of_tries(self, state)),
        }
    }
}

/// Why a command about boards cannot run now; `None` if it can, or is of another kind.
fn of_boards(command: Command, state: &State) -> Option<&'static str> {
    let page = match &state.overlay {
        Some(Overlay::Board(Board { page, .. })) => Some(page),
        _ => None,
    };
    let replayed = state.replay.is_some();
    match (command, page) {
        (Command::PromptRoom, _) if !replayed && state.reading.is_none() => Some("memory has not been read yet"),
        (Command::Numbers | Command::FlipDistances | Command::Sweep, _) if state.study.present().is_none() => {
            Some("no judged question has been asked yet; n asks one")
        }
        (Command::Fit, _) if replayed => Some("a fit reads the dataset; leave the replay first"),
        (Command::Fit, _) if state.data.is_none() => Some("the dataset is still being read"),
        (
            Command::BoardNext | Command::BoardPrevious,
            Some(Page::Prompts { .. } | Page::Sweep { .. } | Page::Attribution { .. }),
        ) => None,
        (Command::DiffAgainst | Command::CopyText, Some(Page::Prompts { .. })) => {
            replayed.then_some("a session keeps the hash of a prompt, not the prompt")
        }
        (Command::BoardNext | Command::BoardPrevious | Command::DiffAgainst | Command::CopyText, _) => {
            Some("this is for the prompt room; esc, then P opens it")
        }
        (Command::StartFit | Command::StopFit | Command::LookAtHoldOut, Some(Page::Fit)) => of_fit(command, state),
        (Command::StartFit | Command::StopFit | Command::LookAtHoldOut, _) => {
            Some("this is for a fit; esc, then f opens its board")
        }
        _ => None,
    }
}

fn of_fit(command: Command, state: &State) -> Option<&'static str> {
    let fitting = &state.study.fitting;
    match (command, &fitting.state) {
        (Command::StartFit, FitState::Running(_)) => Some("a fit is under way; x stops it"),
        (Command::StartFit, _) | (Command::StopFit, FitState::Running(_)) => None,
        (Command::LookAtHoldOut, FitState::Done { .. }) => fitting.revealed.then_some("it is shown already"),
        (Command::StopFit, _) => Some("no fit is under way"),
        _ => Some("no fit is done"),
    }
}

/// Why no answer can be attributed at all; `None` if one can, now or soon.
fn of_attribution(state: &State) -> Option<&'static str> {
    if state.replay.is_some() {
        return Some("a session keeps the hash of a prompt, not the prompt; a asks this moment live");
    }
    state.model.unable().or_else(|| state.reading.is_none().then_some("memory has not been read yet"))
}

/// Why what is done with a person's profile cannot be done now; `None` if it can.
fn of_profile(command: Command, state: &State) -> Option<&'static str> {
    let profile = &state.profile;
    let being_written = profile.draft.phase.is_open();
    if command == Command::StopProfile {
        return (!being_written).then_some("no profile is being written");
    }
    if state.reading.is_none() || state.answers.stale {
        return Some("memory has not been read yet");
    }
    match (command, &profile.fitting) {
        (Command::WriteProfile | Command::EditProfile, _) if profile.visible() == 0 => {
            Some("nothing is remembered about this person before this moment: there is nothing to write from")
        }
        (Command::WriteProfile | Command::EditProfile, _) if being_written => {
            Some("a profile is being written; c stops it")
        }
        (Command::WriteProfile, Some(_)) if !profile.stale() => {
            Some("it is made from everything there is; x takes it away, and then w writes it anew")
        }
        (Command::WriteProfile, _) => state.cannot_profile(),
        (Command::ResetProfile, None) => Some("there is no profile"),
        _ => None,
    }
}

/// Why nothing can be said of the answers on the screen now; `None` if something can.
fn of_words(command: Command, state: &State) -> Option<&'static str> {
    if state.replay.is_some() {
        return Some("a recording is not rewritten; b forks it here, and what you say then goes into the fork");
    }
    if state.visit.as_ref().is_some_and(|visit| visit.fork.is_none()) {
        return Some("what is asked at this moment stands in no file, so nothing can be said of it");
    }
    if state.reading.is_none() || state.answers.stale {
        return Some("memory has not been read yet");
    }
    let known = command == Command::GiveGold && state.gold().is_some();
    known.then_some("the data knows the true answer; + and - call an answer right or wrong")
}

/// Why a command about tries cannot run now; `None` if it can, or is of another kind.
fn of_tries(command: Command, state: &State) -> Option<&'static str> {
    let list = match &state.overlay {
        Some(Overlay::List(list)) if list.kind == ListKind::Tries => Some(list),
        _ => None,
    };
    let chosen = list.and_then(List::current).map(|row| row.choice);
    match (command, chosen) {
        (Command::DeleteTry, Some(Choice::Try(0))) => Some("the dataset's default cannot be deleted"),
        (Command::NoteTry, Some(Choice::Try(0))) => Some("the dataset's default needs no note"),
        (Command::DeleteTry | Command::NoteTry | Command::CompareTry, Some(Choice::Try(_))) => None,
        (Command::DeleteTry, _) => Some("there is nothing here to delete"),
        (Command::NoteTry | Command::CompareTry, _) => Some("this is for tries; T lists them"),
        (Command::ExportTries | Command::ImportTries, _) if list.is_none() => Some("this is for tries; T lists them"),
        _ => None,
    }
}

/// Why no question can be recalled into the line being typed; `None` if one can.
fn of_recalling(state: &State) -> Option<&'static str> {
    match &state.overlay {
        Some(Overlay::Edit(Edit { kind: EditKind::Query, .. })) => {
            state.typed.is_none().then_some("no question has been typed yet")
        }
        _ => Some("this is for a question; i types one"),
    }
}

/// Why the session on the screen is not to be kept; `None` where it can be.
fn of_keeping(state: &State) -> Option<&'static str> {
    let Some(replaying) = &state.replay else { return Some("no session is on the screen") };
    if !replaying.opened.made {
        return Some("it is in a file already");
    }
    if replaying.opened.keeping.is_some() {
        return Some("it is being written");
    }
    let records = replaying.live.as_ref().is_some_and(|live| live.journal.keeps());
    (!records).then_some("recording is turned off; `logoscope scenario` with --out writes one")
}
