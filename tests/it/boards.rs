//! Boards: the prompt room and the numbers of a session, with the weights turned beneath them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use logoscope::app::board::{Board, Page};
use logoscope::app::effect::Effect;
use logoscope::app::fitter::{FitNews, Fitted};
use logoscope::app::keeper::Change;
use logoscope::app::message::Message;
use logoscope::app::overlay::Overlay;
use logoscope::app::replay::Opened;
use logoscope::app::state::{Setting, State};
use logoscope::app::surveyor::{Found, Survey, SurveyRequest};
use logoscope::app::update::update;
use logoscope::data::interaction::Timestamp;
use logoscope::engine::prompt::{Arm, Blocks};
use logoscope::eval::distances::Distances;
use logoscope::eval::fit::weights::{Judged, Score};
use logoscope::eval::numbers::Paired;
use logoscope::eval::split::Range;
use logoscope::eval::stats::Plan;
use logoscope::eval::sweep::{Case, Gain, Grid, sweep};
use logoscope::mediator::{Weight, Weights};
use logoscope::session::Event;
use logoscope::session::event::Asked;
use logoscope::session::redact::Redaction;
use logoscope::session::replay::Tally;

use crate::replaying::{open, replaying, session};
use crate::screens::{answer, answered, asked, drawn, press, speak, text_of};

fn board(state: &State) -> &Board {
    match &state.overlay {
        Some(Overlay::Board(board)) => board,
        other => panic!("no board but {other:?}"),
    }
}

fn shown(state: &State) -> String {
    text_of(&drawn(state, 120, 40))
}

/// Two judged questions asked and answered, the second one last.
fn two_asked() -> State {
    let mut state = answered();
    press(&mut state, &["n"]);
    speak(&mut state);
    answer(&mut state);
    state
}

/// It told of all questions asked, and left out those that were typed.
#[test]
fn the_numbers_are_of_judged_questions_and_say_so() {
    let mut state = two_asked();
    press(&mut state, &["i", "t", "i", "d", "e", "enter"]);
    speak(&mut state);
    answer(&mut state);
    press(&mut state, &["N"]);
    let shown = shown(&state);
    assert!(shown.contains(" 2 judged questions asked so far, each as asked last · 2 people "), "{shown}");
}

#[test]
fn a_value_is_typed_over_a_board_that_stays_and_follows() {
    let mut state = two_asked();
    press(&mut state, &["N"]);
    let before = shown(&state);
    state.weight = Weight::PriorStrength;
    press(&mut state, &["=", "5", "0"]);
    let typing = shown(&state);
    assert!(typing.contains("numbers of the session") && typing.contains(" 50"), "{typing}");
    press(&mut state, &["x", "enter"]);
    assert!(shown(&state).contains("give a number from"), "what is no value is refused in the line");
    press(&mut state, &["backspace", "enter"]);
    assert_eq!((board(&state).page.clone(), state.setting.weights.prior_strength), (Page::Numbers, 50.0));
    assert_ne!(shown(&state), before);
    press(&mut state, &["=", "1", "esc"]);
    assert_eq!((board(&state).page.clone(), state.setting.weights.prior_strength), (Page::Numbers, 50.0));
    press(&mut state, &["s", "enter"]);
    assert_eq!(board(&state).page, Page::Numbers, "a try is named over it");
    for (width, height) in [(40, 12), (80, 24)] {
        press(&mut state, &["="]);
        let small = text_of(&drawn(&state, width, height));
        assert!(small.contains("numbers of the session"), "{small}");
        press(&mut state, &["esc"]);
    }
    press(&mut state, &["esc"]);
    assert!(state.overlay.is_none());
}

#[test]
fn a_key_that_is_not_read_here_says_where_it_is() {
    let mut state = two_asked();
    let told = |state: &State| state.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default();
    press(&mut state, &["x"]);
    assert_eq!(told(&state), "x: leave-replay works in a replay only");
    press(&mut state, &["N", "i"]);
    assert_eq!(told(&state), "i: no edit-query on a board; esc leaves it");
    assert_eq!(board(&state).page, Page::Numbers, "and nothing else happens");
    press(&mut state, &["?", "w"]);
    assert_eq!(told(&state), "w: no pick-user in the help; esc leaves it");
    let mut state = replaying();
    for (key, name) in [("i", "edit-query"), ("n", "next-query"), ("R", "remember"), ("B", "dial")] {
        press(&mut state, &[key]);
        assert_eq!(told(&state), format!("{key}: no {name} in a replay; x leaves it"));
    }
    press(&mut state, &["i", "."]);
    assert_eq!(told(&state), "", "until the next key");
}

#[test]
fn the_prompt_room_shows_what_the_model_reads_to_the_letter() {
    let mut state = answered();
    press(&mut state, &["P"]);
    for (arm, keys) in
        [(Arm::Mediated, &[][..]), (Arm::None, &["tab"]), (Arm::Local, &["tab"]), (Arm::None, &["shift-tab"])]
    {
        press(&mut state, keys);
        assert_eq!(board(&state).page, Page::Prompts { arm, against: None });
        let prompt = state.reading.as_ref().unwrap().requests[arm as usize].prompt.clone();
        let screen = shown(&state);
        assert!(prompt.lines().all(|line| screen.contains(line)), "{prompt}\n{screen}");
        assert_eq!(press(&mut state, &["y"]), [Effect::Copy(prompt)]);
    }
    update(&mut state, Message::Copied(Ok(63)));
    assert!(state.notice.as_ref().unwrap().text.starts_with("63 bytes sent to the terminal's clipboard"));
    update(&mut state, Message::Copied(Err("75000 bytes are more than terminals take".into())));
    assert!(state.notice.as_ref().unwrap().failure);
    press(&mut state, &["esc"]);
    assert!(state.overlay.is_none());
    assert!(press(&mut state, &["y"]).is_empty(), "no board, nothing copied");
}

#[test]
fn prompts_are_compared_arm_by_arm_and_with_what_was_asked() {
    let mut state = answered();
    press(&mut state, &["P", "d", "d"]);
    let screen = shown(&state);
    assert!(screen.contains("against local: + 2 lines only here · - 1 line only there"), "{screen}");
    assert!(screen.contains("+ - dystopia 7, noir 2 | near 4 | 19 users | flooded, city"), "{screen}");
    assert!(screen.contains("- others: nothing") && screen.contains("  own: noir 6"), "{screen}");
    press(&mut state, &["d", "d"]);
    assert_eq!(board(&state).page, Page::Prompts { arm: Arm::Mediated, against: None }, "around");
    // A turned room makes the prompt differ from the one that was answered.
    state.weight = Weight::GlobalRoom;
    press(&mut state, &["H", "H", "H", "d", "d", "d", "d"]);
    let screen = shown(&state);
    assert!(screen.contains("against what the model was asked before"), "{screen}");
}

#[test]
fn a_turned_room_cuts_a_line_and_the_room_says_which() {
    let own = ["own: noir 6", "- noir | near 5 | days | a retired diver", "- comedy | near 3 | months | two bakers"];
    let others = ["others: everyone", "- dystopia 7, noir 2 | near 4 | 19 users | flooded, city"];
    let blocks = Blocks::new("film: a diver", &own, &others, "tag:", 1024.0);
    for (local, global) in [(1.0, 1.0), (0.25, 1.0), (0.0, 1.0), (4.0, 1.0)] {
        let weights = Weights { local_room: local, global_room: global, ..Weights::default() };
        for arm in Arm::ALL {
            let (prompt, account) = (blocks.prompt(arm, &weights), blocks.account(arm, &weights));
            let counted = prompt.chars().count() as f64 / 4.0;
            assert!((account.total() - counted).abs() < 1e-9, "{arm:?} {local}: parts add up to the prompt");
            for (share, lines, sees) in
                [(&account.local, &own[1..], arm.sees_local()), (&account.global, &others[1..], arm.sees_global())]
            {
                let standing = lines.iter().filter(|line| prompt.contains(**line)).count();
                assert_eq!(
                    (share.lines, share.shown),
                    (standing, if sees { lines.len() } else { 0 }),
                    "{arm:?} {local}"
                );
                assert!(share.cut.iter().all(|(line, _)| !prompt.contains(line.as_str())), "what is cut is not there");
                assert_eq!(share.lines + share.cut.len(), share.shown);
                assert!(share.used <= share.room + 1e-6);
            }
        }
    }
    let mut state = answered();
    state.weight = Weight::LocalRoom;
    press(&mut state, &["P", "H", "H"]);
    let screen = shown(&state);
    assert!(screen.contains("cut from local: 2 lines for want of room"), "{screen}");
    assert!(screen.contains("- comedy | near 3 | months | two bakers"), "named: {screen}");
}

#[test]
fn weights_turn_beneath_a_board() {
    let mut state = two_asked();
    let before = state.setting;
    press(&mut state, &["N", "L", "L"]);
    assert_eq!(board(&state).page, Page::Numbers);
    assert_ne!(state.setting, before);
    press(&mut state, &["u", "J"]);
    assert_eq!((state.setting, state.weight), (before, Weight::SimilaritySharpness));
    press(&mut state, &["P"]);
    assert!(matches!(board(&state).page, Page::Prompts { .. }), "one board takes the place of another");
    press(&mut state, &["?"]);
    assert!(matches!(state.overlay, Some(Overlay::Help(_))));
}

#[test]
fn live_numbers_are_those_of_the_judged_questions_asked() {
    let (mut state, _) = asked();
    assert_eq!(state.study.steps.len(), 1, "the opening question is judged");
    let numbers = state.study.now.clone().unwrap();
    assert_eq!((numbers.tally.judged, numbers.accuracy), (1, [None; 4]), "the model has not answered yet");
    answer(&mut state);
    let right = |state: &State| {
        let numbers = state.study.now.clone().unwrap();
        numbers.accuracy.map(|share| share.map(|share| (share.right, share.n)))
    };
    let gold = state.gold().unwrap().to_owned();
    let data = state.data.clone().unwrap();
    let expected = [0, 1, 2, 3].map(|arm| {
        let decision = state.answers.arms[arm].decision;
        Some((usize::from(data.label(decision) == gold), 1))
    });
    assert_eq!(right(&state), expected, "what stands on the screen is what is counted");
    // At another moment it is not the judged one: memory may know its answer there.
    let (counted, numbers) = (right(&state), state.study.now.clone());
    press(&mut state, &["]"]);
    speak(&mut state);
    answer(&mut state);
    assert_eq!((right(&state), &state.study.now), (counted, &numbers));
    let notice = |state: &State| state.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default();
    press(&mut state, &["["]);
    speak(&mut state);
    press(&mut state, &["R", "enter"]);
    assert!(notice(&state).starts_with("memory is given that "), "{}", notice(&state));
    speak(&mut state);
    answer(&mut state);
    assert_eq!((state.study.steps.len(), &state.study.now), (1, &numbers), "its own answer is in memory");
    // A question without a true answer is none of them.
    press(&mut state, &["i", "x", "enter"]);
    speak(&mut state);
    assert_eq!(state.study.steps.len(), 1);
    let state = two_asked();
    assert_eq!((state.study.steps.len(), state.study.telling()), (2, true));
    assert!(shown(&state).contains("▲ .50 1/2 [.09–.91]"), "{}", shown(&state));
}

#[test]
fn numbers_move_with_the_weights_and_stay_beside_the_default() {
    let mut state = two_asked();
    let before = state.study.before.clone();
    assert_eq!(before, state.study.now, "nothing is turned");
    press(&mut state, &["5", "ctrl-x"]);
    state.weight = Weight::ModelTrust;
    press(&mut state, &["L", "L", "L", "L", "L", "L", "L", "L", "L"]);
    assert_eq!(state.study.before, before);
    assert_ne!(state.study.now, before, "the model alone decides otherwise");
    let under = state.numbers_under(&state.setting);
    assert_eq!(state.study.now, under);
    press(&mut state, &["ctrl-x"]);
    assert_eq!(state.study.now, before);
}

#[test]
fn a_replay_counts_the_whole_session_recorded_and_now() {
    let mut state = replaying();
    let recorded = Tally::of(state.replay.as_ref().unwrap().opened.outcomes());
    assert_eq!(state.study.before.as_ref().map(|numbers| numbers.tally), Some(recorded));
    assert_eq!(state.study.now, None, "it follows the recording");
    press(&mut state, &["N"]);
    assert!(shown(&state).contains("7 questions the whole session"), "{}", shown(&state));
    state.weight = Weight::LocalTrust;
    press(&mut state, &["L", "L", "L"]);
    let replay = state.replay.as_ref().unwrap();
    let outcomes: Vec<_> = replay.now.iter().map(|now| now.outcome).collect();
    assert_eq!(state.study.now.as_ref().map(|numbers| numbers.tally), Some(Tally::of(&outcomes)));
    let screen = shown(&state);
    assert!(
        screen.contains("recorded") && screen.contains("now") && screen.contains("recorded: mediated − local"),
        "{screen}"
    );
    press(&mut state, &["u"]);
    assert_eq!(state.study.now, None);
    press(&mut state, &["P", "tab", "tab"]);
    assert!(shown(&state).contains("A session keeps the hash of a prompt"), "{}", shown(&state));
    assert!(press(&mut state, &["y"]).is_empty());
    press(&mut state, &["esc", "x"]);
    assert_eq!(state.study.steps.len(), 1, "live work goes on with its own");
}

#[test]
fn picked_questions_are_counted_and_not_tested() {
    let mut picked = session(true);
    picked.header.picked = true;
    // A file from before the field says it in its title alone, which a redaction takes away.
    let mut titled = session(true);
    titled.header.title = "gallery of conflicts".to_owned();
    let redacted = Redaction::keyed("k").of(&titled).unwrap();
    for session in [picked, titled, redacted] {
        let mut state = answered();
        open(&mut state, session);
        let screen = text_of(&drawn(&state, 200, 60));
        assert!(screen.contains("no test: picked or repeated") && !screen.contains("chance (p"), "{screen}");
        press(&mut state, &["N"]);
        let screen = shown(&state);
        assert!(screen.contains("lost); no test: picked or repeated") && !screen.contains("(p "), "{screen}");
        let effects = press(&mut state, &["S"]);
        survey(&mut state, surveyed(&effects).unwrap());
        let Some(Found::Sweep(found)) = &mut state.study.survey.found else { panic!("a curve is wanted") };
        found.gain = Some(Gain { difference: 0.25, interval: None, p: Some(0.001) });
        let screen = shown(&state);
        assert!(screen.contains("the present; no test: picked or repeated") && !screen.contains("(p "), "{screen}");
        press(&mut state, &["esc", "T", "ctrl-d", "ctrl-d"]);
        let screen = shown(&state);
        assert!(screen.contains("two settings") && screen.contains("lost); no test: picked or repeated"), "{screen}");
    }
}

/// Answers to one question under several histories hang together: as many as there are rungs say no more than one.
#[test]
fn the_same_question_with_other_histories_is_counted_and_not_tested() {
    let mut rungs = session(true);
    let mut first: Option<Asked> = None;
    for event in &mut rungs.events {
        if let Event::Asked(asked) = Arc::make_mut(event) {
            let of = first.get_or_insert_with(|| asked.clone());
            (asked.source, asked.query, asked.user) = (of.source.clone(), of.query.clone(), of.user.clone());
            asked.held = Some(Vec::new());
        }
    }
    assert!(!rungs.is_testable() && session(true).is_testable());
    let mut state = answered();
    open(&mut state, rungs);
    press(&mut state, &["N"]);
    let screen = shown(&state);
    assert!(screen.contains("no test: picked or repeated") && !screen.contains("(p "), "{screen}");
    // Nor have they an interval; without the rungs they have one.
    assert!(screen.contains(".83 5/6 ") && !screen.contains("/6 ["), "{screen}");
    assert!(screen.contains("no interval is told") && !screen.contains("Wilson"), "{screen}");
    let mut state = answered();
    open(&mut state, session(true));
    press(&mut state, &["N"]);
    let screen = shown(&state);
    assert!(screen.contains("5/6 [.44–.97]") && screen.contains("Wilson"), "{screen}");
}

/// A board leaves the last row free; what is told needs more of them.
#[test]
fn a_complaint_over_a_board_is_told_whole() {
    let mut state = answered();
    press(&mut state, &["N", "=", "ctrl-u"]);
    update(&mut state, Message::Paste("abcdefghijk lmnop".to_owned()));
    press(&mut state, &["enter"]);
    let screen = text_of(&drawn(&state, 80, 24));
    assert!(screen.contains("give a number from 0.01 to 100"), "{screen}");
}

/// The request among `effects`, if there is one.
fn surveyed(effects: &[Effect]) -> Option<&SurveyRequest> {
    effects.iter().find_map(|effect| match effect {
        Effect::Survey(request) => Some(&**request),
        _ => None,
    })
}

/// Answers a request as the surveyor does, all at once.
fn survey(state: &mut State, request: &SurveyRequest) {
    let found = match &request.survey {
        Survey::Flips => {
            let mut found = Distances::under(&request.setting, request.steps.task());
            request.steps.iter().for_each(|step| found.add(&step.evidence, &request.setting));
            Found::Flips(found)
        }
        Survey::Sweep { weight, measures, by } => {
            let cases: Vec<Case> = request.steps.iter().filter_map(Case::of).collect();
            let plan = Plan { resamples: 50, permutations: 50, seed: 1 };
            let grid = vec![Grid::whole(*weight, 41)];
            let cancel = AtomicBool::new(false);
            Found::Sweep(
                sweep(&cases, grid, request.setting, (measures, *by), plan, &cancel, &mut |_, _, _| ()).unwrap(),
            )
        }
    };
    update(state, Message::Surveyed { ticket: request.ticket, done: (1, 1), found: Some(Box::new(found)) });
}

/// A replay counted from 0 again: what was found out about live work was shown of it where the numbers met.
#[test]
fn a_replay_stops_the_survey_of_live_work_and_hears_nothing_of_it() {
    let mut state = two_asked();
    let effects = press(&mut state, &["F"]);
    let live = surveyed(&effects).unwrap().ticket;
    let opened = Opened::of("by-the-sea".to_owned(), session(true)).unwrap();
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    let effects = press(&mut state, &["esc"]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Cease(ticket) if *ticket > live)), "{effects:?}");
    assert!(state.replay.is_some());
    let effects = press(&mut state, &["F"]);
    let over = surveyed(&effects).unwrap().ticket;
    assert!(over > live + 1, "{over}");
    press(&mut state, &["esc", "x"]);
    let effects = press(&mut state, &["F"]);
    assert!(surveyed(&effects).unwrap().ticket > over);
}

#[test]
fn a_survey_is_asked_for_once_and_anew_when_something_turns() {
    let mut state = replaying();
    let effects = press(&mut state, &["F"]);
    let request = surveyed(&effects).unwrap().clone();
    assert_eq!((request.steps.len(), &request.survey), (7, &Survey::Flips));
    assert!(shown(&state).contains("surveying"), "{}", shown(&state));
    assert!(press(&mut state, &["j"]).is_empty(), "nothing has changed");
    survey(&mut state, &request);
    assert!(
        shown(&state).contains("of 7 decisions of the rules would flip within 10 of some slider"),
        "{}",
        shown(&state)
    );

    let effects = press(&mut state, &["l"]);
    let next = surveyed(&effects).unwrap();
    assert!(next.ticket > request.ticket && next.setting == state.setting);
    let (ticket, done) = (request.ticket, (7, 7));
    update(&mut state, Message::Surveyed { ticket, done, found: Some(Box::new(Found::Nothing("old".into()))) });
    assert!(!shown(&state).contains("old"), "an older survey says nothing any more");
    let effects = press(&mut state, &["esc"]);
    assert_eq!(effects, [Effect::Cease(next.ticket + 1)], "nobody looks any more");
    assert!(press(&mut state, &["l"]).is_empty());
}

#[test]
fn a_sweep_follows_the_selected_weight_and_its_metric() {
    let mut state = replaying();
    let effects = press(&mut state, &["S"]);
    let request = surveyed(&effects).unwrap();
    let Survey::Sweep { weight, by, .. } = &request.survey else { panic!("{request:?}") };
    assert_eq!((*weight, by.name().as_str()), (Weight::PriorStrength, "accuracy"));
    survey(&mut state, request);
    let screen = shown(&state);
    assert!(screen.contains("accuracy of mediated by prior-strength · 6 judged questions of 2 people"), "{screen}");
    let effects = press(&mut state, &["K"]);
    let Survey::Sweep { weight, .. } = &surveyed(&effects).unwrap().survey else { panic!("{effects:?}") };
    assert_eq!(*weight, Weight::GlobalTrust);
    for name in ["log-loss", "macro-f1", "accuracy"] {
        let effects = press(&mut state, &["tab"]);
        let Survey::Sweep { by, .. } = &surveyed(&effects).unwrap().survey else { panic!("{effects:?}") };
        assert_eq!(by.name(), name);
    }
    let effects = press(&mut state, &["F"]);
    assert_eq!(surveyed(&effects).map(|request| &request.survey), Some(&Survey::Flips));
}

#[test]
fn surveys_at_three_sizes() {
    for (name, key) in [("flips", "F"), ("sweep", "S")] {
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let mut state = replaying();
            let effects = press(&mut state, &["l", key]);
            survey(&mut state, surveyed(&effects).unwrap());
            insta::assert_snapshot!(format!("board-{name}-{width}x{height}"), text_of(&drawn(&state, width, height)));
        }
    }
}

/// What a fit of the small dataset might have found.
fn fitted(state: &State) -> Box<Fitted> {
    let before = state.setting;
    let after = Setting { weights: before.weights.with(Weight::PriorStrength, 3.98), ..before };
    let score = |loss, headline| Score { loss, headline };
    let judged = |n, after, paired| Judged { n, before: score(1.31, 0.55), after, paired };
    let at = |day: i64| Timestamp(1_700_000_000 + day * 86_400);
    Box::new(Fitted {
        before,
        after,
        range: Range { n: 1204, from: at(10), to: at(60) },
        tuning: judged(1204, score(1.225, 0.5801), Paired { n: 1204, won: 80, lost: 44 }),
        held_out: judged(61, score(1.402, 0.5246), Paired { n: 61, won: 3, lost: 5 }),
        ratings: false,
    })
}

#[test]
fn a_fit_is_started_stopped_saved_and_its_hold_out_looked_at_by_count() {
    let mut state = answered();
    assert!(press(&mut state, &["f"]).is_empty(), "the board says what it is about first");
    let screen = shown(&state);
    assert!(screen.contains("f starts from the present setting"), "{screen}");
    // What is held out is read once the fit is done, whoever looks at it.
    assert!(
        screen.contains("What is held out is judged after the fit") && !screen.contains("nothing held out"),
        "{screen}"
    );
    let effects = press(&mut state, &["f"]);
    let [Effect::Fit(request)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((request.ticket, request.setting), (1, state.setting));
    let stage = |text: &str| FitNews::Stage(text.to_owned());
    update(&mut state, Message::Fitting { ticket: 1, news: stage("prior-strength, round 1 of 2") });
    assert!(shown(&state).contains("prior-strength, round 1 of 2") && state.busy());
    assert!(press(&mut state, &["f"]).is_empty(), "one at a time");
    assert_eq!(press(&mut state, &["x"]), [Effect::StopFit(2)]);
    let found = fitted(&state);
    assert!(update(&mut state, Message::Fitting { ticket: 1, news: FitNews::Done(found.clone()) }).is_empty());
    assert!(state.tries.is_empty() && !state.busy(), "what was stopped says nothing any more");

    press(&mut state, &["f", "esc"]);
    assert!(state.overlay.is_none(), "work goes on while it runs");
    let effects = update(&mut state, Message::Fitting { ticket: 3, news: FitNews::Done(found.clone()) });
    let [Effect::Tries { change: Some(Change::Save(saved)), .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((saved.name.as_str(), saved.number), ("fitted", 1));
    assert_eq!(state.setting, found.before, "a try is saved, not set");
    press(&mut state, &["f"]);
    let screen = shown(&state);
    assert!(screen.contains("saved as try 1 · fitted") && screen.contains("1.2250"), "{screen}");
    assert!(!screen.contains(".5246") && screen.contains("not shown"), "hidden until asked for: {screen}");
    let effects = press(&mut state, &["v"]);
    let [Effect::Tries { change: Some(Change::Look), .. }] = &effects[..] else { panic!("{effects:?}") };
    let screen = shown(&state);
    assert!(screen.contains("0.5246") && screen.contains("1 look at it so far"), "{screen}");
    assert!(screen.contains("fitted − before -2 of 61, could be chance"), "{screen}");
    assert!(press(&mut state, &["v"]).is_empty(), "one look a fit");
    assert_eq!(state.looks, 1);
    insta::assert_snapshot!("board-fit-120x40", screen);
    insta::assert_snapshot!("board-fit-80x24", text_of(&drawn(&state, 80, 24)));

    let nothing = Box::new(Fitted { after: found.before, ..*found });
    press(&mut state, &["f"]);
    assert!(update(&mut state, Message::Fitting { ticket: 4, news: FitNews::Done(nothing) }).is_empty());
    assert!(shown(&state).contains("no try is saved"));
    let mut state = replaying();
    press(&mut state, &["f"]);
    assert!(state.overlay.is_none() && state.notice.as_ref().unwrap().text.contains("leave the replay first"));
}

#[test]
fn boards_at_three_sizes() {
    for (name, keys) in [("prompts", &["P"][..]), ("compared", &["P", "d", "d"]), ("numbers", &["N", "L"])] {
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let mut state = two_asked();
            press(&mut state, keys);
            insta::assert_snapshot!(format!("board-{name}-{width}x{height}"), text_of(&drawn(&state, width, height)));
        }
    }
}
