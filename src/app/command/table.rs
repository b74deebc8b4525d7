//! The command table: the single source of dispatch, hints, `?`, `:` and docs/keys.md.
//!
//! Invariants: every command stands here once, with a line of documentation; no key is bound twice in one context.

use super::{Command, Context};

/// One row of the table.
#[derive(Debug)]
pub struct Entry {
    /// What it does.
    pub command: Command,
    /// Its name in the palette and in docs.
    pub name: &'static str,
    /// The keys that run it.
    pub keys: &'static [&'static str],
    /// Where they are read.
    pub context: Context,
    /// Heading under which it is documented.
    pub group: &'static str,
    /// Its word in the status bar; empty if it is not hinted at. Earlier rows are hinted at first.
    pub hint: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
}

macro_rules! table {
    ($($context:ident / $group:literal {
        $($(#[$there:meta])? $command:ident $name:literal [$($key:literal),*] $hint:literal $doc:literal;)*
    })*) => {
        /// All commands.
        pub static TABLE: &[Entry] = &[$($($(#[$there])? Entry {
            command: Command::$command,
            name: $name,
            keys: &[$($key),*],
            context: Context::$context,
            group: $group,
            hint: $hint,
            doc: $doc,
        },)*)*];
    };
}

table! {
    Main / "Question" {
        EditQuery "edit-query" ["i", "/"] "ask" "Type a query; Enter asks it on all four arms";
        PickUser "pick-user" ["w"] "who" "Choose who asks";
        PickQuery "pick-query" ["o"] "judged" "Choose a judged query, whose true answer is known";
        NextQuery "next-query" ["n"] "next" "Next judged query";
        PreviousQuery "previous-query" ["p"] "" "Previous judged query";
        PickDate "pick-date" ["d"] "when" "Type the moment of asking; memory is read strictly before it";
        DayBack "day-back" ["["] "" "Ask a day earlier";
        DayOn "day-on" ["]"] "" "Ask a day later";
        PeriodBack "period-back" ["{"] "" "Ask a period earlier";
        PeriodOn "period-on" ["}"] "" "Ask a period later";
        AskAgain "ask-again" ["r"] "" "Ask the model again";
        PickModel "pick-model" ["ctrl-o"] "" "Choose the model that answers: the shipped one, none, one of a folder or a hub; the present one answers until it is ready";
        OpenData "open-data" ["ctrl-f"] "" "Choose the dataset: a shipped one, one opened lately, or a folder; everything begins anew with it, and the model stays";
        Remember "remember" ["R"] "" "Let memory know what this person answers, and ask again a second later; of texts, what a judged query knows";
        BackToReplay "back-to-replay" ["a"] "replay" "Go back to the replay, at the moment where it was left";
        WhyNot "why-not" ["W"] "" "Ask why an interaction or a collective entry is not shown";
        Ladder "ladder" ["C"] "" "Ask the question with only the newest 0, 1, 2, 4, 8 … of the person's memories";
        Dial "dial" ["B"] "" "Ask the question with a history of constant length and 0 to 100 % of the person's commonest label";
        ShowCommunity "show-community" ["c"] "" "Show the person's community: its size and its commonest answers, period by period";
        Profile "profile" ["U"] "" "Show the person's prose profile; have the model write it, change it, or leave it out of prompts";
    }
    Replay / "Replay" {
        PlayPause "play-pause" [" "] "play" "Play, or pause; at the end, play from the beginning";
        StepOn "step-on" [".", "right"] "step" "Go one turn on";
        StepBack "step-back" [",", "left"] "" "Go one turn back";
        StepOnFar "step-on-far" [">"] "" "Go ten turns on";
        StepBackFar "step-back-far" ["<"] "" "Go ten turns back";
        ReplayStart "replay-start" ["home"] "" "Go to the first turn";
        ReplayEnd "replay-end" ["end"] "" "Go to the last turn";
        GoToTurn "go-to-turn" ["#"] "turn" "Type the number of a turn and go there";
        Faster "faster" ["]"] "speed" "Play at twice the speed, ×16 at most";
        Slower "slower" ["["] "" "Play at half the speed, ×1/2 at least";
        LeaveReplay "leave-replay" ["x"] "leave" "Leave the replay and go on with live work; where the session was made and is in no file, when asked twice";
        NextChart "next-chart" ["e"] "chart" "Show the next measure: accuracy, diversity, drift, whom the mediator follows, examples";
        TallCharts "tall-charts" ["E"] "" "Draw all measures as lines, or take their room back";
        LiveHere "live-here" ["a"] "live" "Ask this question live, of memory as it was at this moment";
        ForkHere "fork-here" ["b"] "fork" "Fork the session at this turn: a file of its own shares what was before, and goes on live under the present weights";
        KeepSession "keep-session" ["ctrl-s"] "" "Keep a session that was made now, in a file of its own among the recordings";
        NextConflict "next-conflict" ["c"] "conflict" "Go to the next turn with a conflict, of whatever type";
        PreviousConflict "previous-conflict" ["C"] "" "Go to the one before";
        NextOverride "next-override" ["v"] "override" "Go to the next turn on which the mediator chose against local";
        PreviousOverride "previous-override" ["V"] "" "Go to the one before";
        NextFlip "next-flip" ["d"] "flip" "Go to the next turn whose decision the present weights change";
        PreviousFlip "previous-flip" ["D"] "" "Go to the one before";
        NextWrong "next-wrong" ["w"] "wrong" "Go to the next turn on which the mediated answer was wrong";
        PreviousWrong "previous-wrong" ["W"] "" "Go to the one before";
        NextSaid "next-judged" ["y"] "judged" "Go to the next turn with an answer that the analyst called right or wrong";
        PreviousSaid "previous-judged" ["Y"] "" "Go to the one before";
    }
    Screen / "Weights" {
        WeightUp "weight-up" ["l", "right"] "weight" "Raise the selected weight by a hundredth of its slider";
        WeightDown "weight-down" ["h", "left"] "" "Lower the selected weight by a hundredth of its slider";
        WeightUpFar "weight-up-far" ["L"] "" "Raise the selected weight by a tenth of its slider";
        WeightDownFar "weight-down-far" ["H"] "" "Lower the selected weight by a tenth of its slider";
        WeightNext "weight-next" ["J"] "" "Select the next weight";
        WeightPrevious "weight-previous" ["K"] "" "Select the previous weight";
        WeightReset "weight-reset" ["0"] "" "Set the selected weight back to its default";
        ResetAll "weights-reset" ["ctrl-x"] "" "Set all weights back to their defaults";
        TypeValue "type-value" ["="] "" "Type the selected weight's value: a number, inf where there is no end, or default";
        SwitchPolicy "switch-policy" ["m"] "policy" "Switch the mediator's policy";
        Policies "policies" ["M"] "" "List the mediator's policies with their formulas, and why one cannot be chosen";
        Undo "undo" ["u"] "undo" "Undo the last turn of a weight or switch of policy";
        Redo "redo" ["ctrl-r"] "" "Redo what was undone";
        SaveTry "save-try" ["s"] "" "Save the present setting under a name, as a try";
        Tries "tries" ["T"] "" "Choose a saved try, or the dataset's default, and set it";
    }
    Screen / "Screen" {
        Help "help" ["?", "f1"] "help" "Show all keys";
        Palette "palette" [":", "ctrl-p"] "commands" "Find a command by name and run it";
        FocusNext "focus-next" ["tab"] "pane" "Move to the next pane";
        FocusPrevious "focus-previous" ["shift-tab"] "" "Move to the previous pane";
        FocusLocal "focus-local" ["1"] "" "Move to local memory";
        FocusMediator "focus-mediator" ["2"] "" "Move to the mediator";
        FocusGlobal "focus-global" ["3"] "" "Move to global memory";
        FocusAnswers "focus-answers" ["4"] "" "Move to the answers";
        FocusWeights "focus-weights" ["5"] "" "Move to the weights";
        ScrollDown "scroll-down" ["j", "down"] "" "Scroll the pane down; among the weights, select the next one";
        ScrollUp "scroll-up" ["k", "up"] "" "Scroll the pane up; among the weights, select the previous one";
        PageDown "page-down" ["pagedown", "ctrl-d"] "" "Scroll ten lines down";
        PageUp "page-up" ["pageup", "ctrl-u"] "" "Scroll ten lines up";
        Top "top" ["g", "home"] "" "Scroll to the top";
        Bottom "bottom" ["G", "end"] "" "Scroll to the bottom";
        OpenSession "open-session" ["O"] "sessions" "Choose a recorded session and replay it, or have one made of the dataset";
        OpenHere "open-here" ["enter"] "" "In a memory's pane, list what it found, to see how a score adds up; in the mediator's, open the ledger of conflicts and of memories left out; in the answers', open the attribution; among the weights, type the value";
        Zoom "zoom" ["z"] "zoom" "Give the pane the whole screen, or take it back";
        SwitchTheme "switch-theme" ["t"] "" "Switch the theme";
        Back "back" ["esc"] "" "Stop the model from writing a memory or a profile, or from trying a lost connection again; else leave the zoom; else stop making a session, opening a dataset or loading a model; else stop the answers";
        Quit "quit" ["q"] "quit" "Quit at once; where a try or a session that was made is not on disk, when asked twice";
    }
    Screen / "Your word" {
        CallRight "call-right" ["+"] "" "Call an arm's answer right; done again, take that back";
        CallWrong "call-wrong" ["-"] "" "Call an arm's answer wrong; done again, take that back";
        GiveGold "give-gold" ["!"] "" "Give the true answer to a question that has none";
        TakeNote "note" ["\""] "" "Note something beside the question";
    }
    Screen / "Boards" {
        PromptRoom "prompt-room" ["P"] "prompts" "Show the exact prompt of every arm, what each memory got of it, and what was cut";
        Numbers "numbers" ["N"] "numbers" "Show the session's numbers: accuracy with intervals, diversity, overrides, and what is chance";
        FlipDistances "flip-distances" ["F"] "" "Show how far the session's decisions stand from flipping, weight by weight";
        Sweep "sweep" ["S"] "" "Show what every value of the selected weight makes of the session";
        Fit "fit" ["f"] "" "Fit the weights on the dataset's tuning part, as a try";
        Attribution "attribution" ["A"] "attribution" "Show what each memory, and each line of it, adds to an answer, token by token; the model is asked without them";
    }
    Edit / "Line" {
        Accept "accept" ["enter"] "take" "Take what was typed";
        Leave "leave" ["esc"] "leave" "Leave without it; a question is kept and gone on with";
        RecallQuery "recall-query" ["up"] "" "Recall the question that was typed last";
        CursorLeft "cursor-left" ["left"] "" "Move left";
        CursorRight "cursor-right" ["right"] "" "Move right";
        CursorStart "cursor-start" ["home", "ctrl-a"] "" "Move to the start";
        CursorEnd "cursor-end" ["end", "ctrl-e"] "" "Move to the end";
        DeleteBack "delete-back" ["backspace"] "" "Delete to the left";
        DeleteOn "delete-on" ["delete"] "" "Delete to the right";
        DeleteWord "delete-word" ["ctrl-w"] "" "Delete the word to the left";
        DeleteAll "delete-all" ["ctrl-u"] "clear" "Delete everything";
    }
    List / "List" {
        Choose "choose" ["enter"] "choose" "Take the selected row";
        CloseList "close-list" ["esc"] "close" "Close the list";
        SelectNext "select-next" ["down", "tab", "ctrl-n"] "next" "Select the next row";
        SelectPrevious "select-previous" ["up", "shift-tab", "ctrl-p"] "previous" "Select the previous row";
        SelectPageNext "select-page-next" ["pagedown"] "" "Ten rows down";
        SelectPagePrevious "select-page-previous" ["pageup"] "" "Ten rows up";
        FilterDeleteBack "filter-delete-back" ["backspace"] "" "Delete the last letter of the filter";
        FilterDeleteAll "filter-delete-all" ["ctrl-u"] "" "Delete the filter";
        DeleteTry "delete-try" ["delete"] "this try" "Delete the selected try, when asked twice";
        NoteTry "note-try" ["ctrl-t"] "note" "Type a note on the selected try";
        CompareTry "compare-try" ["ctrl-d"] "compare" "Compare two tries: on the one, then on the other; twice on one compares it with the present setting";
        ExportTries "export-tries" ["ctrl-e"] "" "Write all tries on the dataset to a file";
        ImportTries "import-tries" ["ctrl-o"] "" "Read tries from a file; those whose name is taken are left out";
    }
    Help / "Help" {
        HelpClose "help-close" ["esc", "q", "?", "f1", "enter"] "close" "Close the help";
        HelpFilter "help-filter" ["/"] "filter" "Type to filter the help";
        HelpDown "help-down" ["j", "down"] "on" "Scroll down";
        HelpUp "help-up" ["k", "up"] "back" "Scroll up";
        HelpPageDown "help-page-down" ["pagedown", "ctrl-d", " "] "" "Ten lines down";
        HelpPageUp "help-page-up" ["pageup", "ctrl-u"] "" "Ten lines up";
    }
    Sheet / "Explanation" {
        SheetClose "sheet-close" ["esc", "q", "enter"] "close" "Close the explanation; back to the list that it was chosen from";
        SheetDown "sheet-down" ["j", "down"] "on" "Scroll down";
        SheetUp "sheet-up" ["k", "up"] "back" "Scroll up";
        SheetPageDown "sheet-page-down" ["pagedown", "ctrl-d", " "] "" "Ten lines down";
        SheetPageUp "sheet-page-up" ["pageup", "ctrl-u"] "" "Ten lines up";
        SheetTop "sheet-top" ["g", "home"] "" "Scroll to the top";
        SheetBottom "sheet-bottom" ["G", "end"] "" "Scroll to the bottom";
    }
    Board / "Board" {
        BoardClose "board-close" ["esc", "q", "enter"] "close" "Close the board";
        BoardNext "board-next" ["tab"] "next" "The next arm's prompt or attribution, or the next metric of a sweep";
        BoardPrevious "board-previous" ["shift-tab"] "" "The previous one";
        DiffAgainst "diff-against" ["d"] "compare" "Compare the prompt with another arm's, line by line; then with the next one";
        StartFit "start-fit" ["f"] "fit" "Start a fit, on its board";
        StopFit "stop-fit" ["x"] "stop" "Stop the fit";
        LookAtHoldOut "look-at-hold-out" ["v"] "look" "Show what the fit does on the queries held out; every look is counted";
        CopyText "copy" ["y"] "copy" "Copy the prompt, through the terminal (OSC 52)";
        BoardDown "board-down" ["j", "down"] "" "Scroll down";
        BoardUp "board-up" ["k", "up"] "" "Scroll up";
        BoardPageDown "board-page-down" ["pagedown", "ctrl-d", " "] "" "Ten lines down";
        BoardPageUp "board-page-up" ["pageup", "ctrl-u"] "" "Ten lines up";
        BoardTop "board-top" ["g", "home"] "" "Scroll to the top";
        BoardBottom "board-bottom" ["G", "end"] "" "Scroll to the bottom";
    }
    Rungs / "Rungs" {
        RungOn "rung-on" ["right"] "rung" "The next rung: more of the history, or more of the label";
        RungBack "rung-back" ["left"] "" "The rung before";
        RungFirst "rung-first" ["home"] "" "The lowest rung";
        RungLast "rung-last" ["end"] "" "The highest rung";
        RungNextQuery "rung-next-query" ["n"] "next" "The next judged query, on the same rung";
        RungPreviousQuery "rung-previous-query" ["p"] "" "The judged query before, on the same rung";
    }
    Attribution / "Attribution" {
        TokenOn "token-on" ["right"] "token" "The next token of the answer";
        TokenBack "token-back" ["left"] "" "The token before";
        TokenFirst "token-first" ["home"] "" "The first token";
        TokenLast "token-last" ["end"] "" "The last token";
    }
    Profile / "Profile" {
        WriteProfile "write-profile" ["w"] "write" "Have the model write the profile from everything that the person did before the question";
        StopProfile "stop-profile" ["c"] "stop" "Stop the model";
        EditProfile "edit-profile" ["e"] "edit" "Change the profile, or type one";
        ResetProfile "reset-profile" ["x"] "reset" "Take the change back; a profile without one is thrown away";
        ToggleProfile "toggle-profile" ["o"] "on/off" "Leave the profile out of prompts, or put it back";
    }
    Always / "Always" {
        Interrupt "interrupt" ["ctrl-c"] "" "Once: close what is open or stop the model; twice: quit";
        #[cfg(unix)]
        Suspend "suspend" ["ctrl-z"] "" "Give the terminal back to the shell until it lets the program go on (fg)";
    }
}

/// docs/keys.md.
pub fn keys_document() -> String {
    let mut out = String::from(
        "# Keys\n\nGenerated from the command table (src/app/command/table.rs); a test compares. The same table feeds the hints \
         in the\nstatus bar, the help (`?`) and the palette (`:`). Other keys are chosen in a [configuration \
         file](config.md#keys).\n",
    );
    for context in Context::ALL {
        out.push_str(&format!("\n## {}\n", context.title()));
        let mut group = "";
        for entry in TABLE.iter().filter(|entry| entry.context == context) {
            if entry.group != group {
                group = entry.group;
                if matches!(context, Context::Main | Context::Screen) {
                    out.push_str(&format!("\n### {group}\n"));
                }
                out.push_str("\n| key | command | what it does |\n|---|---|---|\n");
            }
            let keys: Vec<String> =
                entry.keys.iter().map(|key| format!("`{}`", if *key == " " { "space" } else { key })).collect();
            out.push_str(&format!("| {} | {} | {} |\n", keys.join(" "), entry.name, entry.doc));
        }
    }
    out.push_str(
        "\nWhile typing and in a list every other key types its letter. In a replay its own keys come before those it \
         shares\nwith the workbench: the arrows step, `h` and `l` turn the weight, `g` and `G` scroll. On a board the keys \
         of the\nweights, and whatever else it does not use itself, go on working.\n",
    );
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        for context in Context::ALL {
            let mut seen = HashSet::new();
            let read_there = TABLE.iter().filter(|e| e.context == context || e.context == Context::Always);
            for key in read_there.flat_map(|entry| entry.keys) {
                assert!(seen.insert(*key), "{key} is bound twice in {context:?}");
            }
        }
    }

    #[test]
    fn what_a_replay_shares_keeps_a_key_of_its_own() {
        let taken: HashSet<_> = TABLE.iter().filter(|e| e.context == Context::Replay).flat_map(|e| e.keys).collect();
        for entry in TABLE.iter().filter(|entry| entry.context == Context::Screen) {
            assert!(entry.keys.iter().any(|key| !taken.contains(key)), "{} cannot be reached", entry.name);
        }
        let asked: HashSet<_> = TABLE.iter().filter(|e| e.context == Context::Main).flat_map(|e| e.keys).collect();
        for entry in TABLE.iter().filter(|entry| entry.context == Context::Screen) {
            assert!(entry.keys.iter().all(|key| !asked.contains(key)), "{} clashes with a question's", entry.name);
        }
    }

    #[test]
    fn names_are_unique_and_everything_is_documented() {
        let names: HashSet<_> = TABLE.iter().map(|entry| entry.name).collect();
        let commands: HashSet<_> = TABLE.iter().map(|entry| entry.command).collect();
        assert_eq!((names.len(), commands.len()), (TABLE.len(), TABLE.len()));
        assert!(TABLE.iter().all(|entry| !entry.doc.is_empty() && !entry.keys.is_empty()));
    }
}
