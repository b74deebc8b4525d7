//! The workbench without a terminal: what messages do to the state, and documents made from the program itself.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use logoscope::app;
use logoscope::app::command;
use logoscope::app::effect::{Effect, Runner};
use logoscope::app::input::Input;
use logoscope::app::inquiry::{Inquiry, InquiryRequest, Told};
use logoscope::app::message::{Limits, Message};
use logoscope::app::overlay::{Choice, List, ListKind, Overlay, Row};
use logoscope::app::shelf::Shelf;
use logoscope::app::state::{Data, Exit, Incoming, MemoryState, ModelState, Pane, Phase, Setting, Start, State};
use logoscope::app::update::update;
use logoscope::app::worker::{MemoryWorker, ReadRequest, Source, evidence_of};
use logoscope::data::dataset::PeriodLength;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::engine::engine::{Cancel, Caps, Engine, GenEvent, GenRequest, GenStats, Generation, Outage};
use logoscope::engine::error::EngineError;
use logoscope::engine::host::{EngineHost, HostEvent, Loader, Ticket};
use logoscope::engine::prompt::{Arm, Question};
use logoscope::mediator::conflict::Side;
use logoscope::mediator::fusion::fuse;
use logoscope::mediator::hysteresis::side;
use logoscope::mediator::{Policy, Weight, Weights, mediate};
use logoscope::memory::why_not::{Candidate, CandidateKind, Reason};

use crate::screens::{
    answer, answered, asked, blocks, caps, dataset, drawn, memory_read, press, speak, started, text_of,
};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn read_request(effects: &[Effect]) -> Option<&ReadRequest> {
    effects.iter().find_map(|effect| match effect {
        Effect::Read(request) => Some(request),
        _ => None,
    })
}

#[test]
fn the_first_question_is_read_then_asked_on_four_arms() {
    let (state, effects) = asked();
    assert_eq!(state.judged, Some(0));
    let [Effect::Ask { epoch, requests }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((*epoch, requests.len()), (state.answers.epoch, 4));
    assert!(requests.iter().all(|(_, request)| request.labels == ["noir", "dystopia", "comedy", "drama"]));
    let (first, request) = &requests[0];
    assert_eq!(*first, Arm::Mediated, "what the screen turns on");
    assert!(request.prompt.contains("diver") && request.prompt.contains("19 users"));
    assert!(state.answers.arms.iter().all(|arm| arm.phase == Phase::Waiting && !arm.distribution.is_empty()));
}

#[test]
fn a_weight_is_felt_at_once_and_asks_nothing() {
    let mut state = answered();
    let before = state.setting;
    let effects = press(&mut state, &["l"]);
    assert!(effects.is_empty());
    let Setting { weights, policy } = state.setting;
    assert!(weights.prior_strength > before.weights.prior_strength);
    let evidence = evidence_of(&memory_read(), &dataset().manifest);
    assert_eq!(state.reading.as_ref().unwrap().resolution, mediate(&evidence, &weights, policy));
    assert_eq!(state.answers.arms[3].memory, state.reading.as_ref().unwrap().resolution.distribution);
    assert!(matches!(state.answers.arms[3].phase, Phase::Done(_)), "what the model said stays");
}

#[test]
fn the_decision_changes_at_the_flip_shown_and_not_before() {
    let mut state = answered();
    let flip = state.reading.as_ref().unwrap().flips[0];
    let now = state.reading.as_ref().unwrap().resolution.decision;
    let evidence = evidence_of(&memory_read(), &dataset().manifest);
    let decide =
        |value| mediate(&evidence, &state.setting.weights.with(flip.weight, value), state.setting.policy).decision;
    assert_eq!(decide(flip.at), flip.becomes);
    let nearly = flip.now + (flip.at - flip.now) * 0.99;
    assert_eq!(decide(nearly), now);
    // The same through keys: step over the flip and see it on the screen.
    state.weight = flip.weight;
    let key = if flip.at > flip.now { "l" } else { "h" };
    for _ in 0..101 {
        let at = state.setting.weights.get(flip.weight);
        if (at - flip.now).abs() >= (flip.at - flip.now).abs() {
            break;
        }
        assert_eq!(state.reading.as_ref().unwrap().resolution.decision, now, "not before {}", flip.at);
        press(&mut state, &[key]);
    }
    assert_eq!(state.reading.as_ref().unwrap().resolution.decision, flip.becomes);
}

#[test]
fn bands_agree_with_the_mediator() {
    let state = answered();
    let reading = state.reading.as_ref().unwrap();
    for (weight, bands) in Weight::ALL.into_iter().zip(&reading.bands) {
        if weight == Weight::ModelTrust || bands.is_empty() {
            continue;
        }
        for band in bands {
            let weights = state.setting.weights.with(weight, weight.at(band.from as f64));
            assert_eq!(mediate(&reading.evidence, &weights, state.setting.policy).decision, band.label, "{weight}");
        }
    }
}

fn inquiry(effects: &[Effect]) -> &InquiryRequest {
    let [Effect::Inquire(request)] = effects else { panic!("{effects:?}") };
    request
}

#[test]
fn memory_is_asked_about_what_stands_in_a_pane() {
    let mut state = answered();
    for (keys, expected) in [
        (&["1", "enter", "enter"][..], Inquiry::Item("i1".into())),
        (&["1", "enter", "down", "enter"], Inquiry::Item("i3".into())),
        (&["3", "enter", "down", "enter"], Inquiry::Entry("p5-c4-2".into())),
        (&["W"], Inquiry::Candidates),
        (&["c"], Inquiry::Community),
    ] {
        let effects = press(&mut state, keys);
        let request = inquiry(&effects);
        assert_eq!((&request.inquiry, request.ticket), (&expected, state.inquiry));
        assert_eq!(Some(&request.question), state.question.as_ref());
        let from_a_list = keys.contains(&"enter");
        press(&mut state, &["esc"]);
        assert_eq!(matches!(&state.overlay, Some(Overlay::List(_))), from_a_list, "back to where it was chosen");
        press(&mut state, &["esc"]);
        assert_eq!(state.overlay, None);
    }
    press(&mut state, &["2", "enter"]);
    assert!(matches!(&state.overlay, Some(Overlay::Sheet(sheet)) if sheet.told == Some(Ok(Told::Ledger))));
    press(&mut state, &["esc", "4", "enter"]);
    assert_eq!(state.attributed(), Some((Arm::Mediated, 0)));
    press(&mut state, &["esc", "n", "1", "enter"]);
    assert_eq!(state.notice.as_ref().unwrap().text, "memory has not been read yet", "what stands there is stale");
}

#[test]
fn an_explanation_has_a_top_and_a_bottom() {
    let mut state = answered();
    press(&mut state, &["2", "enter"]);
    let scroll = |state: &State| match &state.overlay {
        Some(Overlay::Sheet(sheet)) => sheet.scroll,
        other => panic!("{other:?}"),
    };
    update(&mut state, Message::Drawn(Limits { help: 7, ..Limits::default() }));
    for (key, expected) in [("G", 7), ("g", 0), ("end", 7), ("home", 0)] {
        press(&mut state, &[key]);
        assert_eq!(scroll(&state), expected, "{key}");
    }
}

#[test]
fn only_the_sheet_that_waits_is_told() {
    let mut state = answered();
    press(&mut state, &["W"]);
    let first = state.inquiry;
    let own = Candidate { id: "i3".into(), kind: CandidateKind::Item(18) };
    let candidates = || Box::new(Ok(Told::Candidates(vec![own.clone()])));
    update(&mut state, Message::Told { ticket: first, told: candidates() });
    let effects = press(&mut state, &["enter"]);
    assert_eq!(inquiry(&effects).inquiry, Inquiry::WhyNot("i3".into()));
    let waiting = state.overlay.clone();
    update(&mut state, Message::Told { ticket: first, told: candidates() });
    assert_eq!(state.overlay, waiting, "an earlier inquiry's answer comes too late");
    press(&mut state, &["esc", "esc"]);
    let ticket = state.inquiry;
    update(&mut state, Message::Told { ticket, told: Box::new(Ok(Told::Reason(Reason::Unknown))) });
    assert_eq!(state.overlay, None, "a closed sheet stays closed");
    // Any id may be typed.
    press(&mut state, &["W"]);
    let ticket = state.inquiry;
    update(&mut state, Message::Told { ticket, told: candidates() });
    press(&mut state, &["up", "enter"]);
    let effects = press(&mut state, &["p", "5", "enter"]);
    assert_eq!(inquiry(&effects).inquiry, Inquiry::WhyNot("p5".into()));
}

#[test]
fn the_memory_worker_answers_inquiries() {
    let (out, inbox) = mpsc::channel();
    let worker = MemoryWorker::start(Source::Given(Box::new(dataset())), || {}, out).unwrap();
    let question = Question { user: UserId::new("u017"), query: "A diver".into(), at: dataset().end() };
    let inquiries = [
        Inquiry::Item("i1".into()),
        Inquiry::Item("a1".into()),
        Inquiry::WhyNot("a1".into()),
        Inquiry::Entry("p1-c0-0\u{1b}".into()),
        Inquiry::Candidates,
        Inquiry::Community,
    ];
    for (ticket, inquiry) in inquiries.into_iter().enumerate() {
        let weights = Weights::default();
        worker.inquire(InquiryRequest {
            ticket: ticket as u64,
            question: question.clone(),
            read: None,
            weights,
            prose: None,
            inquiry,
        });
    }
    let mut told = Vec::new();
    while told.len() < 6 {
        if let Message::Told { ticket, told: answer } = inbox.recv_timeout(PATIENCE).unwrap() {
            assert_eq!(ticket, told.len() as u64);
            told.push(*answer);
        }
    }
    assert!(matches!(&told[0], Ok(Told::Score(node)) if node.name == "i1" && node.value > 0.0));
    assert!(told[1].as_ref().unwrap_err().contains("a1 is no item of this person"));
    assert!(matches!(&told[2], Ok(Told::Reason(Reason::Another { .. }))));
    assert!(told[3].is_err());
    assert!(matches!(&told[4], Ok(Told::Candidates(all)) if all[0].id == "i3"));
    assert!(matches!(&told[5], Ok(Told::Community(_))));
}

#[test]
fn model_trust_fuses_again_without_the_model() {
    let mut state = answered();
    state.weight = Weight::ModelTrust;
    assert!(press(&mut state, &["L", "L", "l"]).is_empty());
    let trust = state.setting.weights.model_trust;
    assert!(trust > 0.4);
    for arm in &state.answers.arms {
        assert_eq!(arm.distribution, fuse(arm.scores.as_ref().unwrap(), &arm.memory, trust));
    }
    let place = Weight::ALL.iter().position(|weight| *weight == Weight::ModelTrust).unwrap();
    assert!(!state.reading.as_ref().unwrap().bands[place].is_empty(), "its slider shows who wins where");
}

#[test]
fn a_gesture_is_one_step_and_redo_restores_it() {
    let mut state = answered();
    let start = state.setting;
    press(&mut state, &["l", "l", "l", "J", "h", "m"]);
    let end = state.setting;
    let resolution = state.reading.as_ref().unwrap().resolution.clone();
    press(&mut state, &["u"]);
    assert_eq!(state.setting.policy, start.policy);
    press(&mut state, &["u", "u"]);
    assert_eq!(state.setting, start);
    press(&mut state, &["u"]);
    assert_eq!(state.notice.as_ref().unwrap().text, "nothing has been turned yet");
    press(&mut state, &["ctrl-r", "ctrl-r", "ctrl-r"]);
    assert_eq!(state.setting, end);
    assert_eq!(state.reading.as_ref().unwrap().resolution, resolution);
}

#[test]
fn reset_goes_back_to_the_default_of_the_policy() {
    let mut state = answered();
    press(&mut state, &["L", "0"]);
    assert_eq!(state.setting.weights, state.defaults());
    press(&mut state, &["m"]);
    assert_eq!(state.setting.policy, Policy::Shrinkage);
    assert_eq!(state.setting.weights, state.defaults(), "an unturned weight follows the policy");
    state.weight = Weight::LocalTrust;
    press(&mut state, &["l"]);
    assert!(state.notice.as_ref().unwrap().text.contains("shrinkage balances"), "an ignored weight says why");
}

#[test]
fn another_question_marks_answers_stale_and_late_events_are_dropped() {
    let mut state = answered();
    let (old_ticket, old_epoch) = (state.ticket, state.answers.epoch);
    let effects = press(&mut state, &["i", "t", "i", "d", "e", "enter"]);
    let request = read_request(&effects).unwrap();
    assert_eq!((request.question.query.as_str(), request.ticket), ("tide", state.ticket));
    assert_eq!((state.judged, state.gold()), (None, None), "a typed query has no gold");
    assert!(state.answers.stale);
    assert!(text_of(&drawn(&state, 120, 40)).contains("stale"));

    let late = Message::MemoryRead { ticket: old_ticket, read: Box::new(memory_read()), blocks: blocks(), heard: None };
    assert!(update(&mut state, late).is_empty());
    assert!(state.answers.stale, "a late read is no answer");

    speak(&mut state);
    assert!(!state.answers.stale);
    let before = state.answers.clone();
    let ticket = Ticket { epoch: old_epoch, id: 0 };
    update(&mut state, Message::Host(HostEvent::Scores { ticket, scores: vec![0.0, -9.0, -9.0, -9.0] }));
    update(&mut state, Message::Host(HostEvent::Token { ticket, text: "late".into() }));
    update(&mut state, Message::Host(HostEvent::Done { ticket, stats: GenStats::default() }));
    assert_eq!(state.answers, before);
    answer(&mut state);
    assert!(!state.answers.open());
}

/// Two panes must not name two decisions without a word.
#[test]
fn the_mediator_says_what_the_model_makes_of_its_decision() {
    let mut state = answered();
    let ticket = Ticket { epoch: state.answers.epoch, id: Arm::Mediated as u64 };
    let rules = state.reading.as_ref().unwrap().resolution.decision;
    for label in 0..4 {
        let mut scores = vec![-99.0; 4];
        scores[label] = 0.0;
        update(&mut state, Message::Host(HostEvent::Scores { ticket, scores }));
        let said = state.answers.arms[Arm::Mediated as usize].decision;
        assert_eq!(said, label);
        let shown = text_of(&drawn(&state, 200, 60));
        let told = shown.contains("  with the model ");
        assert_eq!(told, label != rules, "label {label}, rules {rules}");
        assert_eq!(shown.contains("→ rules: "), told);
        // Where a model has a say, what flips is the rules' part of it, whether or not it agrees now.
        assert!(shown.contains("rules flip to "));
        // Whether local is overridden is a matter of what is answered, like everywhere else.
        let local = state.answers.arms[Arm::Local as usize].decision;
        assert_eq!(shown.contains("overrides local"), label != local, "label {label}, local {local}");
        assert_eq!(shown.contains("as local answers"), told && label == local);
    }
}

/// Without judged queries the newest interactions are asked again, each before it was answered, and judged by that.
#[test]
fn without_judged_queries_the_newest_interactions_are_asked_again() {
    let mut films = dataset();
    films.queries.clear();
    let whole = Data::of(films.clone()).asked_again();
    assert!(whole.is_asked_again() && !Data::of(dataset()).asked_again().is_asked_again());
    let newest = &films.interactions[films.interactions.len() - 4..];
    let asked: Vec<_> = whole.queries.iter().map(|query| (&query.id, query.at, query.gold.as_deref())).collect();
    let did: Vec<_> = newest.iter().map(|i| (&i.id, i.at, Some(i.response.as_str()))).collect();
    assert_eq!(asked, did, "a fifth of 19");
    let (mut state, _) = asked_of(whole);
    assert_eq!((state.judged, state.truth()), (Some(3), Some(newest[3].response.as_str())));
    assert!(text_of(&drawn(&state, 120, 40)).contains("query 4 of 4, asked again"));
    press(&mut state, &["p"]);
    assert_eq!(state.question.as_ref().unwrap().at, newest[2].at);
    // What is remembered meanwhile is not asked again.
    let data = state.data.clone().unwrap();
    let (with, _) = data.with(newest[3].clone()).unwrap();
    assert!(with.is_asked_again() && with.queries == data.queries && with.interactions() == 20);
}

fn asked_of(data: Data) -> (State, Vec<Effect>) {
    let mut state = State::new(Start { dataset_name: "films".into(), ..Start::default() });
    let mut effects = update(&mut state, Message::DataRead(Arc::new(data)));
    effects.extend(update(&mut state, Message::MemoryBuilt { periods: 8, opening: None }));
    (state, effects)
}

#[test]
fn asking_while_the_model_speaks_stops_it_first() {
    let (mut state, _) = asked();
    let epoch = state.answers.epoch;
    let effects = press(&mut state, &["n"]);
    assert_eq!(effects[0], Effect::Cancel);
    assert_eq!(state.answers.epoch, epoch + 1, "as the host counts");
    assert_eq!(read_request(&effects).unwrap().question.user.as_str(), "u003");
    assert_eq!(state.gold(), Some("drama"));
}

#[test]
fn ctrl_c_stops_then_quits_and_q_quits_at_once() {
    let (mut state, _) = asked();
    assert_eq!(press(&mut state, &["ctrl-c"]), [Effect::Cancel]);
    assert!(state.answers.arms.iter().all(|arm| arm.phase == Phase::Stopped) && state.exit.is_none());
    press(&mut state, &["ctrl-c"]);
    assert_eq!(state.exit, Some(Exit::Done));

    let mut state = answered();
    press(&mut state, &["?", "ctrl-c"]);
    assert!(state.overlay.is_none() && state.exit.is_none());
    press(&mut state, &["j", "ctrl-c"]);
    assert!(state.exit.is_none(), "another key in between begins anew");
    press(&mut state, &["q"]);
    assert_eq!(state.exit, Some(Exit::Done));
}

/// The header offered to stop a server that is asked again, and nothing but Ctrl-C did.
#[test]
fn escape_stops_the_answers_and_does_what_the_header_says() {
    let (mut state, _) = asked();
    press(&mut state, &["4", "z"]);
    assert_eq!(press(&mut state, &["esc"]), []);
    assert!(!state.zoom && state.answers.open(), "answers that merely take their time wait until the pane is back");
    assert_eq!(press(&mut state, &["esc"]), [Effect::Cancel]);
    assert!(state.answers.arms.iter().all(|arm| arm.phase == Phase::Stopped));
    assert_eq!(state.notice.as_ref().unwrap().text, "stopped; r asks again");
    assert_eq!((press(&mut state, &["esc"]), &state.notice), (vec![], &None), "nothing is left to stop");

    press(&mut state, &["r", "z"]);
    let ticket = Ticket { epoch: state.answers.epoch, id: 0 };
    let (server, reason) = ("localhost:1234".into(), "connection lost".into());
    let outage = Outage { server, reason, wait: Duration::from_secs(2), attempt: 3, of: 5 };
    update(&mut state, Message::Host(HostEvent::Again { ticket, outage }));
    let screen = text_of(&drawn(&state, 200, 40));
    assert!(screen.lines().next().unwrap().contains("trying again in 2.0 s, 3 of 5 · esc stops"), "{screen}");
    assert_eq!(press(&mut state, &["esc"]), [Effect::Cancel]);
    assert!(state.zoom && !state.answers.open());

    // A prompt that rests when they are stopped is not asked by itself.
    press(&mut state, &["z", "r"]);
    state.weight = Weight::LocalRoom;
    press(&mut state, &["H", "H", "H"]);
    assert!(state.due().is_some());
    press(&mut state, &["esc"]);
    assert_eq!((state.due(), update(&mut state, Message::Clock(Duration::from_secs(60)))), (None, vec![]));
}

#[test]
fn time_moves_by_days_and_periods_within_the_data() {
    let mut state = answered();
    let at = state.question.clone().unwrap().at;
    press(&mut state, &["["]);
    assert_eq!(at.days_since(state.question.as_ref().unwrap().at), 1.0);
    assert_eq!(state.gold(), Some("noir"), "the true answer stays what it is");
    press(&mut state, &["{", "{", "{", "{"]);
    assert_eq!(state.question.as_ref().unwrap().at, dataset().interactions[0].at);
    press(&mut state, &["d", "ctrl-u", "2", "0", "2", "4", "-", "0", "1", "-", "0", "5", "enter"]);
    assert_eq!(state.question.as_ref().unwrap().at.date(), "2024-01-05");
}

#[test]
fn counted_periods_move_the_question_by_what_happened() {
    let mut films = dataset();
    films.manifest.periods.length = PeriodLength::Interactions(3);
    // Two in one second: the question cannot stand between them, and leaves it all the same.
    films.interactions[9].at = films.interactions[10].at;
    let at: Vec<Timestamp> = films.interactions.iter().map(|i| i.at).collect();
    assert_eq!(at.len(), 19);
    let mut state = answered();
    state.data = Some(Arc::new(Data::of(films)));
    let mut moved = |keys: &[&str]| {
        press(&mut state, keys);
        let now = state.question.as_ref().unwrap().at;
        at.partition_point(|at| *at < now)
    };
    assert_eq!(moved(&["}"]), 19, "all of it is past");
    assert_eq!(moved(&["{"]), 16);
    assert_eq!(moved(&["{", "{"]), 9, "not 10: that is in the middle of a second");
    assert_eq!(moved(&["}"]), 12);
    assert_eq!(moved(&["{", "{", "{", "{", "{"]), 0);
    assert_eq!(moved(&["}"]), 3);
}

#[test]
fn letters_typed_are_letters() {
    let mut state = answered();
    press(&mut state, &["i", "q", "u", "i", "t", "?"]);
    let Some(Overlay::Edit(edit)) = &state.overlay else { panic!("typing goes on") };
    assert_eq!((edit.input.text(), &state.exit), ("quit?", &None));
    press(&mut state, &["esc"]);
    update(&mut state, Message::Paste("q\nuit \u{1b}[2J".into()));
    let Some(Overlay::Edit(edit)) = &state.overlay else { panic!("a paste is a query, not keys") };
    assert_eq!((edit.input.text(), &state.exit), ("q uit [2J", &None));
}

#[test]
fn a_question_left_half_typed_is_gone_on_with_and_the_last_one_recalled() {
    let mut state = answered();
    let line = |state: &State| match &state.overlay {
        Some(Overlay::Edit(edit)) => edit.input.text().to_owned(),
        other => panic!("nothing is typed but {other:?}"),
    };
    press(&mut state, &["i", "up"]);
    assert_eq!(state.notice.as_ref().unwrap().text, "no question has been typed yet");
    press(&mut state, &["s", "e", "esc", "i"]);
    assert_eq!(line(&state), "se");
    press(&mut state, &["ctrl-c", "i", "a", "enter"]);
    assert_eq!((state.question.as_ref().unwrap().query.as_str(), state.draft.as_str()), ("sea", ""));
    press(&mut state, &["i"]);
    assert_eq!(line(&state), "", "it has been asked");
    press(&mut state, &["o", "up"]);
    assert_eq!(line(&state), "sea");
    press(&mut state, &["esc", "d", "up"]);
    assert_ne!(line(&state), "sea", "a date is no question");
}

/// Read as seconds, it would ask in the first hours of 1970, where nobody remembers anything.
#[test]
fn a_year_alone_is_no_moment() {
    let mut state = answered();
    let before = state.question.as_ref().unwrap().at;
    press(&mut state, &["d", "ctrl-u", "2", "0", "2", "2", "enter"]);
    let Some(Overlay::Edit(edit)) = &state.overlay else { panic!("the line stays") };
    assert!(edit.complaint.as_ref().unwrap().ends_with("it looks like a year: write 2022-01-01"), "{edit:?}");
    assert_eq!(state.question.as_ref().unwrap().at, before);
    press(&mut state, &["-", "0", "1", "-", "0", "1", "enter"]);
    assert_eq!(state.question.as_ref().unwrap().at, "2022-01-01".parse().unwrap());
}

#[test]
fn lists_choose_and_the_palette_says_why_not() {
    let mut state = answered();
    let effects = press(&mut state, &["w", "0", "0", "5", "enter"]);
    assert_eq!(read_request(&effects).unwrap().question.user.as_str(), "u005");
    press(&mut state, &[":", "r", "e", "d", "o"]);
    let Some(Overlay::List(list)) = &state.overlay else { panic!("the palette is open") };
    assert_eq!(list.current().unwrap().disabled, Some("nothing has been undone"));
    press(&mut state, &["ctrl-u", "z", "o", "o", "m", "enter"]);
    assert!(state.zoom && state.overlay.is_none());
}

/// A long text has nearly any letters in some order: a word that stands in a column is what was meant.
#[test]
fn a_word_in_any_column_beats_scattered_letters() {
    let row = |name: &str, note: &str, text: &str| Row {
        choice: Choice::Query(0),
        name: name.into(),
        note: note.into(),
        text: text.into(),
        disabled: None,
    };
    let rows = vec![
        row("car-in-me", "2024-03-01 comedy", "Bakers"),
        row("u1", "2024-03-01 sports", "Coach returns in time for the final game"),
        row("u2", "2024-03-01 politics", "What crime costs a city"),
        row("u3", "2024-03-01 crime", "Two held after a robbery"),
    ];
    let mut list = List::new(ListKind::Queries, rows, 0);
    for (filter, expected) in [("crime", &[3, 2, 0][..]), ("crime u3", &[3]), ("crmgm", &[]), ("", &[0, 1, 2, 3])] {
        list.filter = Input::of(filter);
        list.refilter();
        assert_eq!(list.shown, expected, "{filter}");
    }
}

#[test]
fn a_typed_question_keeps_the_place_among_the_judged_ones() {
    let mut state = answered();
    press(&mut state, &["n", "n"]);
    let place = state.judged.unwrap();
    press(&mut state, &["i", "s", "e", "a", "enter"]);
    assert_eq!(state.judged, None);
    press(&mut state, &["p"]);
    assert_eq!(state.judged, Some(place), "back to where it was typed");
    press(&mut state, &["i", "s", "e", "a", "enter", "n"]);
    assert_eq!(state.judged, Some(place + 1));
}

#[test]
fn a_judged_question_that_is_moved_in_time_is_said_not_to_count() {
    let mut state = answered();
    press(&mut state, &["n"]);
    assert!(!state.is_moved() && text_of(&drawn(&state, 120, 40)).contains("judged"));
    press(&mut state, &["["]);
    let shown = text_of(&drawn(&state, 120, 40));
    assert!(state.is_moved() && shown.contains("moved and not counted"), "{shown}");
}

#[test]
fn hints_name_keys_that_do_what_they_say() {
    let mut state = answered();
    for keys in [&["S"][..], &["esc", "N"], &["esc", "P"], &["esc", "E"]] {
        press(&mut state, keys);
        let context = state.context();
        let hinted = context.entries().filter(|entry| !entry.hint.is_empty() && state.keys.reads(context, entry));
        let mut keys: Vec<&str> = hinted.map(|entry| state.keys.first(entry.command)).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "each key once on {context:?}");
        let shown = text_of(&drawn(&state, 120, 40));
        assert!(!shown.contains("q quit") || state.overlay.is_none(), "{shown}");
    }
}

#[test]
fn words_of_a_filter_may_stand_in_several_columns() {
    let mut state = answered();
    press(&mut state, &["o"]);
    let Some(Overlay::List(list)) = &state.overlay else { panic!("a list") };
    let row = &list.rows[list.rows.len() - 1];
    let date = row.note.split(' ').next().unwrap();
    let typed: Vec<String> = format!("{} {date}", row.name).chars().map(String::from).collect();
    let (name, note) = (row.name.clone(), row.note.clone());
    press(&mut state, &typed.iter().map(String::as_str).collect::<Vec<_>>());
    let Some(Overlay::List(list)) = &state.overlay else { panic!("a list") };
    assert!(list.shown.iter().any(|ix| (&list.rows[*ix].name, &list.rows[*ix].note) == (&name, &note)), "{typed:?}");
}

#[test]
fn what_is_typed_before_the_data_is_there_is_asked_later() {
    let mut state = started();
    assert!(press(&mut state, &["i", "s", "e", "a", "enter"]).is_empty());
    press(&mut state, &["w"]);
    assert_eq!(state.notice.as_ref().unwrap().text, "the dataset is still being read");
    let effects = update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    assert!(read_request(&effects).is_none(), "memory is not there yet");
    let effects = update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(1) });
    assert_eq!(read_request(&effects).unwrap().question.query, "sea");
}

/// The first question stood there for half a second and gave way to another one.
#[test]
fn no_question_is_shown_before_it_is_chosen() {
    let begun = || {
        let mut state = started();
        update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
        update(&mut state, Message::Stage("building memory"));
        state
    };
    let mut state = begun();
    let shown = text_of(&drawn(&state, 120, 40));
    assert!(shown.contains("choosing a question") && !shown.contains("u017") && !shown.contains("diver"), "{shown}");
    update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(1) });
    let shown = text_of(&drawn(&state, 120, 40));
    assert!(shown.contains("judged query 2 of 2") && !shown.contains("choosing"), "{shown}");
    // Whoever does not wait begins with the first one.
    let mut state = begun();
    press(&mut state, &["n"]);
    let shown = text_of(&drawn(&state, 120, 40));
    assert!(state.judged == Some(0) && shown.contains("“A diver maps the drowned city"), "{shown}");
    update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(1) });
    assert_eq!(state.judged, Some(0));
}

#[test]
fn without_a_model_memory_answers_alone() {
    let mut state = started();
    state.model = ModelState::Absent("no model was asked for");
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    update(&mut state, Message::MemoryBuilt { periods: 8, opening: None });
    assert!(speak(&mut state).is_empty());
    let resolution = &state.reading.as_ref().unwrap().resolution;
    let [none, local, global, mediated] = &state.answers.arms;
    assert_eq!(
        [&none.distribution, &local.distribution, &global.distribution, &mediated.distribution],
        [&resolution.base, &resolution.local, &resolution.global, &resolution.distribution]
    );
    assert!(text_of(&drawn(&state, 80, 24)).contains("memory only"));
}

#[test]
fn a_model_that_comes_late_is_asked_when_it_comes() {
    let mut state = started();
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    update(&mut state, Message::MemoryBuilt { periods: 8, opening: None });
    // The host queues what is asked while the first model loads.
    assert!(matches!(&speak(&mut state)[..], [Effect::Ask { .. }]));
    assert!(update(&mut state, Message::Host(HostEvent::Ready(caps()))).is_empty());
    let error = EngineError::NotLoaded;
    update(&mut state, Message::Host(HostEvent::LoadFailed(error.clone())));
    assert_eq!(state.model, ModelState::Failed(error.to_string()));
    assert!(!state.answers.open() && state.notice.as_ref().unwrap().failure);
}

#[test]
fn nothing_moves_when_nothing_happens() {
    let mut state = answered();
    state.dirty = false;
    update(&mut state, Message::Clock(Duration::from_secs(9)));
    press(&mut state, &["~"]);
    assert!(!state.dirty, "neither time nor an unbound key asks for a frame");
    press(&mut state, &["tab"]);
    assert!(state.dirty);
    assert_eq!(state.focus, Pane::Global);
}

/// Waits for a message that `wanted` takes.
fn await_message<T>(inbox: &mpsc::Receiver<Message>, mut wanted: impl FnMut(Message) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let message = inbox.recv_timeout(left).expect("the message comes in time");
        if let Some(found) = wanted(message) {
            return found;
        }
    }
}

#[test]
fn the_memory_worker_reads_builds_and_answers() {
    let (out, inbox) = mpsc::channel();
    let source = Source::Given(Box::new(dataset()));
    let worker = MemoryWorker::start(source, || {}, out).unwrap();
    let periods = await_message(&inbox, |message| match message {
        Message::MemoryBuilt { periods, .. } => Some(periods),
        _ => None,
    });
    assert!(periods >= 1);
    let question = logoscope::app::state::question_of(&dataset().queries[0]);
    worker.read(ReadRequest { ticket: 7, question, held: None });
    let (read, blocks) = await_message(&inbox, |message| match message {
        Message::MemoryRead { ticket: 7, read, blocks, .. } => Some((read, blocks)),
        _ => None,
    });
    assert_eq!(read.local.visible(), 3);
    let weights = Weights::defaults(Policy::default(), &dataset().manifest);
    let prompt = |arm| blocks.prompt(arm, &weights);
    assert!(prompt(Arm::Mediated).contains("diver") && prompt(Arm::None) != prompt(Arm::Mediated));
}

#[test]
fn a_panic_of_the_memory_worker_is_told() {
    let (out, inbox) = mpsc::channel();
    let source = Source::Given(Box::new(dataset()));
    let _worker = MemoryWorker::start(source, || panic!("on purpose"), out).unwrap();
    let message = await_message(&inbox, |message| matches!(message, Message::WorkerFailed { .. }).then_some(message));
    let mut state = started();
    update(&mut state, message);
    assert_eq!(state.memory, MemoryState::Failed("on purpose".into()));
    assert!(text_of(&drawn(&state, 80, 24)).contains("memory could not be built: on purpose"));
}

/// An engine that likes the first label best and says so at once.
struct Parrot(Caps);

impl Engine for Parrot {
    fn caps(&self) -> &Caps {
        &self.0
    }

    fn generate(&self, req: GenRequest) -> Generation {
        let scores = (0..req.labels.len()).map(|ix| -(ix as f64)).collect();
        let stats = GenStats { prompt_tokens: 9, tokens: 1, elapsed: Duration::from_millis(2), ..GenStats::default() };
        let events = [GenEvent::Scores(scores), GenEvent::Token(req.labels[0].clone()), GenEvent::Done(stats)];
        Generation::new(Cancel::default(), events.into_iter())
    }

    fn embed(&self, _texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Err(EngineError::NotLoaded)
    }
}

#[test]
fn the_loop_answers_a_typed_query_and_then_rests() {
    let (out, inbox) = mpsc::channel();
    let memory = MemoryWorker::start(Source::Given(Box::new(dataset())), || {}, out.clone()).unwrap();
    let events = out.clone();
    let loader: Arc<Loader> = Arc::new(|_, _| Ok(Arc::new(Parrot(caps()))));
    let shelf = Shelf::new(out.clone());
    let host = EngineHost::with_loader(loader, Box::new(move |event| drop(events.send(Message::Host(event))))).unwrap();
    let runner = Runner {
        memory: memory.into(),
        host: Some(host),
        shelf,
        scribe: None,
        keeper: None,
        profiler: None,
        fitter: None,
        surveyor: None,
        copy: None,
        suspend: None,
    };
    out.send(Message::ModelNamed("nano".into())).unwrap();
    let keys = |keys: &[&str]| {
        for key in keys {
            out.send(Message::Key(key.parse().unwrap())).unwrap();
        }
    };
    // Typed before anything is there.
    keys(&["i", "s", "e", "a", "enter"]);
    let mut state = started();
    let mut asked_to_quit = false;
    let mut frames_after = 0;
    let exit = app::run(&mut state, &runner, &inbox, |state| {
        let screen = text_of(&drawn(state, 200, 60));
        frames_after += usize::from(asked_to_quit);
        let answered = state.answers.arms.iter().all(|arm| matches!(arm.phase, Phase::Done(_)));
        if answered && !state.answers.stale && !asked_to_quit {
            assert!(screen.contains("“sea”") && screen.matches("“noir”").count() == 4, "{screen}");
            asked_to_quit = true;
            keys(&["q"]);
        }
        Ok(Limits::default())
    });
    assert_eq!(exit.unwrap(), Exit::Done);
    assert!(frames_after <= 1, "{frames_after} frames after everything was said");
}

/// Compares a document in docs/ with what the program makes of it, or writes it with LOGOSCOPE_UPDATE=1.
pub fn assert_document(path: &str, made: &str, same: impl Fn(&str, &str) -> bool) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("LOGOSCOPE_UPDATE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(same(&written, made), "{} is not what the program makes; run with LOGOSCOPE_UPDATE=1", path.display());
}

#[test]
fn the_keys_document_is_the_command_table() {
    assert_document("docs/keys.md", &command::keys_document(), |written, made| written == made);
}

/// The picture of the README: the sample data, real memory, the shipped model.
#[cfg(feature = "local")]
#[test]
fn the_screenshot_is_what_the_program_draws() {
    use logoscope::app::state::Start;
    use logoscope::engine::fit::Training;

    let cache = tempfile::tempdir().unwrap();
    let (out, inbox) = mpsc::channel();
    let memory = MemoryWorker::start(Source::Shipped(logoscope::data::sample::DATASET), || {}, out.clone()).unwrap();
    let shelf = Shelf::new(out.clone());
    let host = EngineHost::start(Box::new(move |event| drop(out.send(Message::Host(event))))).unwrap();
    let runner = Runner {
        memory: memory.into(),
        host: Some(host),
        shelf,
        scribe: None,
        keeper: None,
        profiler: None,
        fitter: None,
        surveyor: None,
        copy: None,
        suspend: None,
    };
    let mut state = logoscope::app::state::State::new(Start {
        dataset_name: "film-tags".into(),
        model_name: Some("nano".into()),
        training: Training { tasks: None, shipped: true },
        ..Start::default()
    });
    let mut spec = logoscope::engine::model::ModelSpec::named("nano");
    spec.options.hub.cache = cache.path().to_owned();
    runner.run(Effect::Load(Box::new(spec)));
    let deadline = Instant::now() + PATIENCE;
    while state.busy() {
        let left = deadline.saturating_duration_since(Instant::now());
        let message = inbox.recv_timeout(left).expect("memory and model are ready in time");
        for effect in update(&mut state, message) {
            runner.run(effect);
        }
    }
    assert!(state.answers.arms.iter().all(|arm| matches!(arm.phase, Phase::Done(_))), "{:?}", state.answers);
    let svg = logoscope::view::svg::of(&drawn(&state, 160, 42));
    // Times differ from machine to machine: the header and the costs are left out of the comparison.
    let lasting = |svg: &str| {
        let timed = |line: &&str| line.contains(" ms") || line.contains("tok/s") || line.contains("y=\"25.5\"");
        svg.lines().filter(|line| !timed(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_document("docs/screenshot.svg", &svg, |written, made| lasting(written) == lasting(made));
}

/// The prompts of the arms in an effect that asks the model.
fn asked_again(effects: &[Effect]) -> Vec<(Arm, String)> {
    let [Effect::Ask { requests, .. }] = effects else { panic!("{effects:?}") };
    requests.iter().map(|(arm, request)| (*arm, request.prompt.clone())).collect()
}

#[test]
fn a_prompt_with_other_room_is_read_again_once_it_rests() {
    let mut state = answered();
    state.weight = Weight::LocalRoom;
    let outdated = |state: &logoscope::app::state::State| Arm::ALL.map(|arm| state.outdated(arm));
    assert!(press(&mut state, &["H", "H", "H"]).is_empty(), "not while it is turned");
    assert_eq!(state.setting.weights.local_room, 0.0);
    assert_eq!(outdated(&state), [false, false, false, true], "single arms have their prompt for themselves");
    assert!(text_of(&drawn(&state, 160, 50)).contains("stale: read with other room"));
    let due = state.due().expect("it is asked again without a key");
    assert!(update(&mut state, Message::Clock(due - Duration::from_millis(1))).is_empty());
    let effects = update(&mut state, Message::Clock(due));
    let [(Arm::Mediated, prompt)] = &asked_again(&effects)[..] else { panic!("{effects:?}") };
    assert!(prompt.contains("own: nothing") && prompt.contains("19 users"), "{prompt}");
    assert_eq!(state.answers.arms[3].phase, Phase::Waiting);
    assert!(matches!(state.answers.arms[0].phase, Phase::Done(_)), "the others stand");
    assert_eq!((state.due(), outdated(&state)), (None, [false; 4]));
    // Turned while it speaks: what it says to the old prompt is not taken for the new one, and the arm is asked again.
    press(&mut state, &["0"]);
    assert_eq!(outdated(&state), [false, false, false, true]);
    let due = state.due().unwrap();
    let effects = update(&mut state, Message::Clock(due));
    assert!(asked_again(&effects)[0].1.contains("a retired diver"));
}

#[test]
fn the_arm_that_is_looked_at_is_asked_first() {
    let mut state = answered();
    let arms = |effects: &[Effect]| asked_again(effects).into_iter().map(|(arm, _)| arm).collect::<Vec<_>>();
    press(&mut state, &["n"]);
    assert_eq!(arms(&speak(&mut state)), [Arm::Mediated, Arm::None, Arm::Local, Arm::Global]);
    answer(&mut state);
    press(&mut state, &["p", "P", "tab", "tab"]);
    assert_eq!(arms(&speak(&mut state)), [Arm::Local, Arm::None, Arm::Global, Arm::Mediated]);
}

#[test]
fn turned_back_in_time_nothing_is_asked() {
    let mut state = answered();
    state.weight = Weight::GlobalRoom;
    press(&mut state, &["L"]);
    assert!(state.due().is_some() || !state.outdated(Arm::Mediated));
    press(&mut state, &["u"]);
    assert_eq!((state.due(), state.outdated(Arm::Mediated)), (None, false));
    // Without a model no prompt is read, and the slider says so.
    let mut alone = answered();
    update(&mut alone, Message::Host(HostEvent::LoadFailed(EngineError::Gone)));
    alone.weight = Weight::GlobalRoom;
    press(&mut alone, &["L"]);
    assert_eq!(alone.setting.weights.global_room, 1.0);
    assert!(alone.notice.as_ref().unwrap().text.contains("could not be loaded"));
}

#[test]
fn hysteresis_holds_a_side_from_one_question_to_the_next() {
    let mut state = answered();
    let setting = state.setting;
    let turn = |state: &mut logoscope::app::state::State, weights: Weights| {
        state.setting.weights = weights;
        state.mediate();
        state.reading.as_ref().unwrap().resolution.clone()
    };
    let local = turn(&mut state, Weights { global_trust: 0.0, ..setting.weights });
    assert_eq!(side(&local), Some(Side::Local));
    press(&mut state, &["r"]);
    press(&mut state, &["]"]);
    speak(&mut state);
    let global = turn(&mut state, Weights { local_trust: 0.0, ..setting.weights });
    assert_eq!((global.held, global.decision), (None, 1));
    let held = turn(&mut state, Weights { local_trust: 0.0, hysteresis: 1.0, ..setting.weights });
    assert_eq!((held.held, held.decision), (Some(Side::Local), local.decision));
    assert!(text_of(&drawn(&state, 200, 60)).contains("held by local (hysteresis)"));
    // The next question stands on what this one came to, and for someone else on nothing.
    press(&mut state, &["]"]);
    speak(&mut state);
    assert_eq!(state.reading.as_ref().unwrap().resolution.held, Some(Side::Local));
    state.question.as_mut().unwrap().user = logoscope::data::interaction::UserId::new("u003");
    press(&mut state, &["["]);
    speak(&mut state);
    assert_eq!(state.reading.as_ref().unwrap().resolution.held, None);
}

/// The file of a session has every rung as a turn, and none of the model before: a check of it found another side there.
#[test]
fn hysteresis_stands_on_the_turns_of_the_file() {
    let mut state = answered();
    let weights = state.setting.weights;
    let turn = |state: &mut State, weights: Weights| {
        state.setting.weights = weights;
        state.mediate();
        state.reading.as_ref().unwrap().resolution.clone()
    };
    turn(&mut state, Weights { global_trust: 0.0, ..weights });
    press(&mut state, &["r", "]"]);
    speak(&mut state);
    let global = turn(&mut state, Weights { local_trust: 0.0, ..weights });
    assert_eq!((side(&global), global.held), (Some(Side::Global), None));
    // A rung with nearly the same evidence stands on the question itself, not on the one before it.
    state.retake_reading(memory_read(), *blocks());
    let rung = turn(&mut state, Weights { global_trust: 0.0, hysteresis: 1.0, ..weights });
    assert_eq!((rung.held, rung.decision), (Some(Side::Global), global.decision));

    // The file of another model begins with nothing before it.
    state.incoming = Some(Incoming { name: "other".into(), stage: None, since: Duration::ZERO });
    update(&mut state, Message::Host(HostEvent::Ready(Caps { name: "other".into(), ..caps() })));
    speak(&mut state);
    let first = state.reading.as_ref().unwrap().resolution.clone();
    assert_eq!((first.held, side(&first)), (None, Some(Side::Local)));
}
