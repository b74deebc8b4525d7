//! A replay as a stage: jumps to marked turns, charts that grow with the playhead, a moment asked live, and what the
//! analyst says of live answers.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use logoscope::app::effect::Effect;
use logoscope::app::journal::{Journal, Recording};
use logoscope::app::message::Message;
use logoscope::app::overlay::Overlay;
use logoscope::app::replay::{Mark, Opened, Replaying, Standing};
use logoscope::app::scribe::{Ending, Scribe};
use logoscope::app::shelf::Shelf;
use logoscope::app::state::{Data, Exit, ModelState, Start, State};
use logoscope::app::update::update;
use logoscope::app::visit::World;
use logoscope::app::worker::{MemoryWorker, Source};
use logoscope::data::dataset::{Dataset, PeriodLength};
use logoscope::data::interaction::{Interaction, Timestamp, UserId};
use logoscope::engine::engine::Caps;
use logoscope::engine::fit::Training;
use logoscope::engine::host::{HostEvent, Ticket};
use logoscope::engine::model::{Located, Origin};
use logoscope::engine::prompt::Arm;
use logoscope::engine::room::Need;
use logoscope::eval::pulse::{Beat, Measure, Pulse};
use logoscope::mediator::{Course, Policy};
use logoscope::memory::Memory;
use logoscope::session::check::{remember, without};
use logoscope::session::event::{Asked, DatasetId, Evidence, FORMAT, Judgement};
use logoscope::session::fork::course;
use logoscope::session::record::turn;
use logoscope::session::redact::Redaction;
use logoscope::session::{Event, Header, Replay, Session, State as Folded};

use crate::replaying::{hear, recording, replaying, session, written};
use crate::screens::{answer, answered, caps, dataset, drawn, press, speak, styles_of, text_of};
use crate::session::defaults;

fn replay(state: &State) -> &Replaying {
    state.replay.as_ref().unwrap()
}

/// Turns with a mark, as the recording has them.
fn marked(state: &State, mark: Mark) -> Vec<usize> {
    (0..replay(state).turns()).filter(|turn| replay(state).bears(*turn, mark)).collect()
}

#[test]
fn jumps_visit_every_marked_turn_and_say_when_there_is_no_further() {
    let mut state = replaying();
    press(&mut state, &["m", "m", "m", "home"]);
    let mut seen = 0;
    for (mark, next, previous, name) in [
        (Mark::Conflict, "c", "C", "no conflict after turn"),
        (Mark::Override, "v", "V", "no override after turn"),
        (Mark::Flip, "d", "D", "no flip after turn"),
        (Mark::Wrong, "w", "W", "no wrong answer after turn"),
        (Mark::Said, "y", "Y", "no answer judged by the analyst after turn"),
    ] {
        let turns = marked(&state, mark);
        seen += usize::from(!turns.is_empty());
        press(&mut state, &["home"]);
        for turn in turns.iter().filter(|turn| **turn > 0) {
            press(&mut state, &[next]);
            assert_eq!((replay(&state).turn, &state.notice), (*turn, &None), "{mark:?}");
        }
        press(&mut state, &[next]);
        assert!(state.notice.as_ref().unwrap().text.starts_with(name), "{:?}", state.notice);
        press(&mut state, &["end"]);
        for turn in turns.iter().rev().filter(|turn| **turn < 6) {
            press(&mut state, &[previous]);
            assert_eq!(replay(&state).turn, *turn, "{mark:?} back");
        }
        press(&mut state, &[previous]);
        assert!(state.notice.as_ref().unwrap().text.contains("before turn"), "{:?}", state.notice);
    }
    assert!(seen >= 4, "the session shows all but the analyst's word");
    press(&mut state, &["u", "u", "u", "d"]);
    assert!(state.notice.as_ref().unwrap().text.contains("no weight has been turned"));
}

#[test]
fn every_conflict_that_the_pane_tells_is_marked() {
    let mut state = replaying();
    let told = |state: &State| state.reading.as_ref().is_some_and(|reading| !reading.ledger.is_empty());
    let mut turns = Vec::new();
    for turn in 0..7 {
        if told(&state) {
            turns.push(turn);
        }
        press(&mut state, &["."]);
    }
    assert!(!turns.is_empty());
    assert_eq!(marked(&state, Mark::Conflict), turns);
}

#[test]
fn typing_a_turn_holds_what_plays_and_lets_it_go_on() {
    let mut state = replaying();
    assert_eq!(answered().standing(), Standing::Live);
    press(&mut state, &["#"]);
    assert_eq!(state.standing(), Standing::Seeking { plays: false });
    assert!(text_of(&drawn(&state, 120, 40)).contains("» seeking"));
    press(&mut state, &["esc"]);
    assert_eq!(state.standing(), Standing::Paused);
    press(&mut state, &[" ", "#", "3"]);
    assert_eq!((state.standing(), state.due()), (Standing::Seeking { plays: true }, None), "the clock waits");
    update(&mut state, Message::Clock(Duration::from_secs(60)));
    assert_eq!(replay(&state).turn, 0);
    press(&mut state, &["enter"]);
    assert_eq!((replay(&state).turn, state.due()), (2, Some(Duration::from_secs(62))));
    press(&mut state, &["end"]);
    assert_eq!(state.standing(), Standing::AtEnd);
    press(&mut state, &["c", "C"]);
    assert_eq!(state.standing(), Standing::Paused);
}

#[test]
fn charts_grow_with_the_playhead_and_are_those_of_a_session_cut_there() {
    let mut state = replaying();
    let whole = session(true);
    let ends = Replay::new(whole.clone()).turn_ends();
    for turn in [6, 2, 4, 0] {
        press(&mut state, &["#", &(turn + 1).to_string(), "enter"]);
        let mut pulse = Pulse::new(whole.header.labels.len());
        let mut folded = Folded::start(&whole.header);
        let mut feel = |folded: &Folded| Beat::of(folded, &whole.header.labels).into_iter().for_each(|b| pulse.push(b));
        for event in &whole.events[..ends[turn]] {
            if event.tag() == "asked" {
                feel(&folded);
            }
            folded.apply(event);
        }
        feel(&folded);
        assert_eq!(replay(&state).moments(), pulse.moments(), "turn {turn}");
        let tally = folded.tally();
        for arm in Arm::ALL {
            assert_eq!(replay(&state).moments()[turn].accuracy[arm as usize], tally.accuracy(arm));
        }
    }
    // Under a turned weight the numbers are those of the same turns mediated again.
    press(&mut state, &["end", "m", "m"]);
    let now = replay(&state).sums.moment.unwrap();
    assert_eq!(now.accuracy[3], replay(&state).sums.now.unwrap().accuracy(Arm::Mediated));
    assert_eq!(now.mass, replay(&state).shown_now().map(|now| now.mass));
    for expected in ["diversity", "drift", "follows", "examples", "accuracy"] {
        press(&mut state, &["e"]);
        assert_eq!(replay(&state).measure.name(), expected);
        assert!(text_of(&drawn(&state, 120, 40)).contains(expected));
    }
    assert_eq!(Measure::ALL.len(), 5);
}

#[test]
fn tall_charts_at_three_sizes() {
    let mut state = replaying();
    press(&mut state, &["#", "6", "enter", "E"]);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let buffer = drawn(&state, width, height);
        insta::assert_snapshot!(format!("charts-{width}x{height}"), text_of(&buffer));
        insta::assert_snapshot!(format!("charts-{width}x{height}-styles"), styles_of(&buffer));
    }
    state.ascii = true;
    let text = text_of(&drawn(&state, 120, 40));
    insta::assert_snapshot!("charts-ascii-120x40", text);
    for width in (1..=200).step_by(13) {
        for height in (1..=70).step_by(7) {
            drawn(&state, width, height);
        }
    }
    press(&mut state, &["E"]);
    assert!(!text_of(&drawn(&state, 120, 40)).contains("accuracy  o"));
}

#[test]
fn a_seek_folds_no_more_than_it_must_and_nothing_else_than_a_fold() {
    let short = session(true);
    // Long enough for several checkpoints.
    let events: Vec<Event> = (0..6).flat_map(|_| short.events.iter().map(|event| event.as_ref().clone())).collect();
    let long = Session::new(short.header.clone(), events);
    let mut replay = Replay::new(long.clone());
    let n = long.events.len();
    let mut places: Vec<usize> = (0..=n).step_by(7).collect();
    places.extend((0..=n).rev().step_by(11));
    places.extend([0, n, 63, 64, 65, 1, 128, 127]);
    for place in places {
        let mut folded = Folded::start(&long.header);
        long.events[..place].iter().for_each(|event| folded.apply(event));
        assert_eq!(replay.seek(place), &folded, "{place}");
    }
}

/// The dataset with short periods, so that some close before the questions.
fn films() -> Dataset {
    let mut dataset = dataset();
    dataset.manifest.periods.length = PeriodLength::Days(20.0);
    dataset
}

/// u017 from nothing: each thing they did is asked before it is remembered.
fn cold() -> Session {
    let whole = films();
    let person = UserId::new("u017");
    let mut known = without(&whole, std::slice::from_ref(&person));
    let setting = defaults(&whole, Policy::Product);
    let header = Header {
        format: FORMAT,
        program: "0".to_owned(),
        title: "u017 from nothing".to_owned(),
        dataset: DatasetId { name: "films".to_owned(), hash: whole.content_hash(), without: vec![person.clone()] },
        model: None,
        device: None,
        setting,
        embedder: Memory::build(&known).embedder(),
        seed: 0,
        labels: whole.manifest.labels.clone(),
        picked: false,
        origin: None,
    };
    let mut events = Vec::new();
    let mut course = Course::default();
    for own in whole.interactions.iter().filter(|own| own.user == person) {
        let memory = Memory::build(&known);
        let gold = Some(own.response.clone());
        let asked = Asked {
            user: person.clone(),
            at: own.at,
            query: own.query.clone(),
            gold,
            form: None,
            source: None,
            held: None,
        };
        events.extend(turn(&memory, None, setting, &mut course, asked).unwrap());
        let interaction = Interaction { id: format!("r-{}", own.id), ..own.clone() };
        remember(&mut known, [interaction.clone()]);
        events.push(Event::Remembered { interaction });
    }
    Session::new(header, events)
}

/// A replay of `session` over a workbench with the films, memory alone.
fn over_films(session: Session) -> State {
    let mut state = State::new(Start { dataset_name: "films".into(), record: true, ..Start::default() });
    update(&mut state, Message::DataRead(Arc::new(Data::of(films()))));
    update(&mut state, Message::MemoryBuilt { periods: 3, opening: Some(0) });
    let opened = Opened::of("cold".to_owned(), session).unwrap();
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    state
}

/// Runs effects on a worker and takes in what it tells, until memory has answered; the evidence it heard.
fn answered_by(
    worker: &MemoryWorker,
    inbox: &mpsc::Receiver<Message>,
    state: &mut State,
    effects: Vec<Effect>,
) -> Option<Evidence> {
    for effect in effects {
        match effect {
            Effect::Visit(world) => worker.visit(world),
            Effect::Read(request) => worker.read(request),
            _ => {}
        }
    }
    loop {
        let message = inbox.recv_timeout(Duration::from_secs(60)).expect("memory answers in time");
        let heard = match &message {
            Message::MemoryRead { heard, .. } => heard.as_ref().map(|heard| heard.evidence.clone()),
            Message::ReadFailed { .. } => None,
            Message::Visited { .. } | Message::Portrayed { .. } => {
                update(state, message);
                continue;
            }
            // Of its own start, which the workbench has behind it.
            _ => continue,
        };
        update(state, message);
        return heard;
    }
}

#[test]
fn a_moment_is_asked_live_of_memory_as_it_was_and_left_with_one_key() {
    let (out, inbox) = mpsc::channel();
    let worker = MemoryWorker::start(Source::Given(Box::new(films())), || {}, out).unwrap();
    let mut state = over_films(cold());
    for turn in 0..3 {
        press(&mut state, &["home"]);
        (0..turn).for_each(|_| drop(press(&mut state, &["."])));
        let recorded = replay(&state).opened.replay.state().turn.clone().unwrap();
        let home = replay(&state).live.as_ref().unwrap().question.clone();
        let effects = press(&mut state, &["a"]);
        assert!(state.replay.is_none() && state.standing() == Standing::Live);
        let evidence = answered_by(&worker, &inbox, &mut state, effects);
        assert_eq!(evidence.as_ref(), recorded.evidence(), "turn {turn}: memory is as it was");
        let (asked, data) = (recorded.asked().unwrap(), state.data.as_ref().unwrap());
        let question = state.question.as_ref().unwrap();
        assert_eq!((&question.user, &question.query, question.at), (&asked.user, &asked.query, asked.at));
        assert_eq!(state.gold(), asked.gold.as_deref());
        let decision = state.reading.as_ref().unwrap().resolution.decision;
        assert_eq!(data.label(decision), recorded.resolution().unwrap().decision);
        assert_eq!(data.dataset.interactions.iter().filter(|i| i.user.as_str() == "u017").count(), turn);
        assert!(text_of(&drawn(&state, 120, 40)).contains(&format!("LIVE at cold {}/3 · a goes back", turn + 1)));
        assert!(state.journal.waiting.is_empty(), "another memory's answers are no part of the session being written");
        // What is given to memory here is known here alone.
        if turn == 1 {
            let effects = press(&mut state, &["R", "d", "r", "a", "m", "a", "enter"]);
            let told = &state.notice.as_ref().unwrap().text;
            assert!(told.contains("answered 'drama', until you go back to the replay; the question"), "{told}");
            let Some(Effect::Visit(Some(world))) = effects.first() else { panic!("{effects:?}") };
            let World { remembered, .. } = world.as_ref();
            assert_eq!(remembered.len(), 2);
            let evidence = answered_by(&worker, &inbox, &mut state, effects).unwrap();
            assert_eq!(evidence.local.votes.len(), 2);
        }
        // A try saved here is one on the same data there.
        press(&mut state, &["s", "enter"]);
        let effects = press(&mut state, &["l", "a"]);
        assert!(effects.contains(&Effect::Visit(None)), "{effects:?}");
        assert_eq!(state.tries.len(), turn + 1);
        assert_eq!((replay(&state).turn, state.standing() == Standing::AtEnd), (turn, turn == 2));
        assert!(!state.undo.can_undo(), "the recording is shown as it was");
        let live = replay(&state).live.as_ref().unwrap();
        assert_eq!((&live.question, &live.visit.is_none(), live.journal.away), (&home, &true, false));
        assert_eq!(live.data.as_ref().unwrap().dataset, films());
        effects.into_iter().for_each(|effect| {
            if let Effect::Visit(world) = effect {
                worker.visit(world);
            }
        });
    }
    press(&mut state, &["x"]);
    assert!(state.replay.is_none() && state.visit.is_none() && state.question.is_some());
    press(&mut state, &["a"]);
    assert_eq!(state.notice.as_ref().unwrap().text, "no replay waits");
}

#[test]
fn a_moment_stands_by_hysteresis_on_the_turn_before_it() {
    let mut state = over_films(session(true));
    let mut sided = 0;
    for turn in 0..replay(&state).turns() {
        press(&mut state, &["home"]);
        (0..turn).for_each(|_| drop(press(&mut state, &["."])));
        let before = course(replay(&state).opened.replay.session(), replay(&state).start());
        press(&mut state, &["a"]);
        assert_eq!(state.course, before, "turn {turn}");
        sided += usize::from(state.course != Course::default());
        press(&mut state, &["a"]);
    }
    assert!(sided > 0, "some turn was decided for one side");
}

#[test]
fn a_moment_of_other_data_is_not_asked() {
    let mut foreign = cold();
    foreign.header.dataset.name = "news".to_owned();
    let mut state = over_films(foreign);
    assert!(press(&mut state, &["a"]).is_empty());
    assert!(state.notice.as_ref().unwrap().text.contains("recorded on 'news'"), "{:?}", state.notice);
    let mut redacted = over_films(Redaction::keyed("k").of(&cold()).unwrap());
    for key in ["a", "b"] {
        assert!(press(&mut redacted, &[key]).is_empty());
        assert!(redacted.notice.as_ref().unwrap().text.contains("pseudonyms"), "{:?}", redacted.notice);
    }
    let mut changed = cold();
    changed.header.dataset.hash = "0".to_owned();
    let (out, inbox) = mpsc::channel();
    let worker = MemoryWorker::start(Source::Given(Box::new(films())), || {}, out).unwrap();
    let mut state = over_films(changed);
    let effects = press(&mut state, &["a"]);
    assert_eq!(answered_by(&worker, &inbox, &mut state, effects), None);
    // Nobody is left on an empty screen: the replay stays and says why.
    let stayed = |state: &State| {
        let told = state.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default();
        state.replay.is_some() && state.visit.is_none() && told.contains("is not as it was when this was recorded")
    };
    assert!(stayed(&state), "{:?}", state.notice);
    // A fork whose memory does not come has no file, and nothing is written into that of live work.
    let writes = |effects: &[Effect]| {
        effects.iter().any(|effect| matches!(effect, Effect::Fork(_) | Effect::Record(_) | Effect::EndFork))
    };
    let effects = press(&mut state, &["b"]);
    assert!(!writes(&effects), "{effects:?}");
    assert_eq!(answered_by(&worker, &inbox, &mut state, effects), None);
    assert!(stayed(&state), "{:?}", state.notice);
    assert_eq!(replay(&state).live.as_ref().unwrap().journal.recording, Recording::Waiting);
}

#[test]
fn a_session_opened_during_a_visit_ends_it() {
    let mut state = over_films(cold());
    press(&mut state, &["a"]);
    let opened = Opened::of("sea".to_owned(), session(true)).unwrap();
    let effects = update(&mut state, Message::SessionOpened(Box::new(opened)));
    assert!(effects.contains(&Effect::Visit(None)));
    press(&mut state, &["x"]);
    assert!(state.replay.is_none() && state.visit.is_none());
    assert_eq!(state.data.as_ref().unwrap().dataset, films());
}

/// Memory tells it when it is done, which may be after a moment has been asked; the moment then held what home was given.
#[test]
fn what_home_was_given_is_known_there_also_when_it_is_told_during_a_visit() {
    let mut state = recording();
    let opened = Opened::of("cold".to_owned(), cold()).unwrap();
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    press(&mut state, &["a"]);
    let before = state.data.clone().unwrap();
    let items = |state: &State| -> Vec<usize> {
        let reading = state.visit.as_ref().unwrap().home.reading.as_ref().unwrap();
        reading.read.local.hits.iter().map(|hit| hit.item).collect()
    };
    let (places, periods) = (items(&state), state.periods);
    assert!(!places.is_empty());
    let first = Interaction { id: "first".into(), at: Timestamp(0), ..before.dataset.interactions[0].clone() };
    let (data, place) = before.with(first).unwrap();
    let data = Arc::new(data);
    update(&mut state, Message::Remembered { data: Arc::clone(&data), place, periods: periods + 1 });
    assert!(Arc::ptr_eq(state.data.as_ref().unwrap(), &before) && state.periods == periods, "the moment's stay");
    assert_eq!(items(&state), places.iter().map(|place| place + 1).collect::<Vec<_>>());
    press(&mut state, &["a", "x"]);
    assert!(Arc::ptr_eq(state.data.as_ref().unwrap(), &data) && state.periods == periods + 1);
}

/// A session of its own began in a visit, in no file of which a visit should stand, where a model came meanwhile.
#[test]
fn a_model_that_comes_during_a_visit_ends_the_session_at_home_and_begins_none_there() {
    let mut state = recording();
    let (header, _) = written(press(&mut state, &["m", "u", "ctrl-o"]));
    assert_eq!(header.unwrap().model.unwrap().name, "nano");
    "/no/such/model".chars().for_each(|letter| drop(press(&mut state, &[&letter.to_string()])));
    let effects = press(&mut state, &["enter"]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Load(_))), "{effects:?}");
    let opened = Opened::of("cold".to_owned(), cold()).unwrap();
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    assert!(press(&mut state, &["b"]).is_empty(), "one session is answered by one model");
    assert!(state.notice.as_ref().unwrap().text.contains("fork when it is ready"), "{:?}", state.notice);
    press(&mut state, &["a"]);
    assert!(press(&mut state, &["ctrl-o"]).is_empty() && state.overlay.is_none());
    assert!(state.notice.as_ref().unwrap().text.contains("another model begins another session"), "{:?}", state.notice);
    assert!(press(&mut state, &["ctrl-f"]).is_empty() && state.overlay.is_none());
    assert!(state.notice.as_ref().unwrap().text.contains("anew with another dataset"), "{:?}", state.notice);

    let writes = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Begin(_) | Effect::Record(_)));
    let need = Need { weights: 1, positions: 0, cache: 1, context: 512 };
    let origin = Origin { place: Located::Files("/other".into()), training: Training::default(), need };
    update(&mut state, Message::Host(HostEvent::Heeded(1)));
    let mut effects = update(&mut state, Message::Host(HostEvent::Origin(origin)));
    let other = Caps { name: "other".into(), ..caps() };
    effects.extend(update(&mut state, Message::Host(HostEvent::Ready(other))));
    effects.extend(hear(&mut state));
    effects.extend(press(&mut state, &["m"]));
    assert!(!writes(&effects) && state.journal.away, "what is asked at a moment stands in no file: {effects:?}");
    let home = state.visit.as_ref().unwrap().home.setting.unwrap();
    assert_eq!(home.weights.model_trust, 0.0, "at home, too, another model has yet to earn its share");
    let effects = press(&mut state, &["a", "x"]);
    assert!(!writes(&effects), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Read(_))), "asked anew of the other model");
    assert_eq!(state.journal.recording, Recording::Waiting);
    let (header, events) = written(hear(&mut state));
    let header = header.expect("another model's session");
    assert_eq!(header.model.unwrap().name, "other");
    assert_eq!(events[0].tag(), "asked");
}

/// The line said of two labels that each was right, and the header that nobody knew which.
#[test]
fn one_label_is_right_by_the_analysts_word() {
    let mut state = answered();
    press(&mut state, &["i", "t", "i", "d", "e", "enter"]);
    speak(&mut state);
    answer(&mut state);
    press(&mut state, &["+", "enter", "-", "g", "l", "o", "b", "enter"]);
    let screen = text_of(&drawn(&state, 200, 60));
    assert!(screen.contains("✎ noir right · dystopia wrong"), "{screen}");
    assert!(screen.contains("gold noir · your word"), "{screen}");
    press(&mut state, &["!", "d", "r", "a", "m", "a", "enter"]);
    let screen = text_of(&drawn(&state, 200, 60));
    assert!(screen.contains("✎ dystopia wrong · drama right") && !screen.contains("noir right"), "{screen}");
    assert!(screen.contains("gold drama · your word") && !screen.contains("not judged"), "{screen}");
    // Called right after all.
    press(&mut state, &["+", "enter"]);
    assert!(text_of(&drawn(&state, 200, 60)).contains("✎ dystopia wrong · noir right"));
}

#[test]
fn the_analysts_word_is_recorded_counted_apart_and_replayed() {
    let mut state = recording();
    let mut effects = press(&mut state, &["+", "enter"]);
    assert!(state.notice.as_ref().unwrap().text.contains("is called right"), "{:?}", state.notice);
    let mediated = state.data.as_ref().unwrap().label(state.answers.arms[3].decision).to_owned();
    effects.extend(press(&mut state, &["-"]));
    assert!(matches!(&state.overlay, Some(Overlay::List(list)) if list.rows.len() == 4));
    effects.extend(press(&mut state, &["n", "o", "n", "e", "enter"]));
    effects.extend(press(&mut state, &["\"", "o", "d", "d", "enter"]));
    assert!(press(&mut state, &["!"]).is_empty() && state.overlay.is_none(), "the data knows this one");
    assert!(text_of(&drawn(&state, 200, 60)).contains("“odd”"));
    let called = state.all_called();
    assert_eq!((called.questions, called.arms[3]), (1, (1, 1)));
    press(&mut state, &["N"]);
    assert!(text_of(&drawn(&state, 120, 40)).contains("called right by your word on 1 question"));
    press(&mut state, &["esc"]);
    // Said again, it is taken back.
    effects.extend(press(&mut state, &["+", "enter"]));
    assert!(state.notice.as_ref().unwrap().text.contains("taken back"));
    effects.extend(press(&mut state, &["+", "enter"]));
    // A question of one's own has no true answer until one is given.
    effects.extend(press(&mut state, &["i", "t", "i", "d", "e", "enter"]));
    assert!(press(&mut state, &["+"]).is_empty() && state.overlay.is_none(), "not before memory has answered");
    effects.extend(crate::replaying::hear(&mut state));
    for id in 0..4 {
        let ticket = Ticket { epoch: state.answers.epoch, id };
        let scores = vec![-0.5, -2.0, -1.5, -3.0];
        for event in [HostEvent::Scores { ticket, scores }, HostEvent::Done { ticket, stats: Default::default() }] {
            effects.extend(update(&mut state, Message::Host(event)));
        }
    }
    effects.extend(press(&mut state, &["!", "d", "r", "a", "m", "a", "enter"]));
    assert_eq!(state.gold(), None, "what the data knows stays what it is");
    assert_eq!(state.verdicts().gold(), Some("drama"));
    assert!(text_of(&drawn(&state, 200, 60)).contains("✎ drama"));
    assert_eq!(state.all_called().questions, 2);
    effects.extend(press(&mut state, &["q"]));
    let (header, events) = written(effects);
    let said: Vec<(&str, Judgement)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Feedback(feedback) => Some((feedback.answer.as_str(), feedback.judgement)),
            _ => None,
        })
        .collect();
    assert_eq!((said.len(), said[0]), (5, (mediated.as_str(), Judgement::Right)));
    assert_eq!(said[4], ("drama", Judgement::Right));
    assert!(events.contains(&Event::Note { text: "odd".to_owned() }));
    let live = state.all_called();
    let mut shown = answered();
    let opened = Opened::of("said".to_owned(), Session::new(header.unwrap(), events)).unwrap();
    update(&mut shown, Message::SessionOpened(Box::new(opened)));
    assert_eq!(shown.all_called(), live, "live and replay count the same");
    let text = text_of(&drawn(&shown, 200, 60));
    assert!(text.contains("“odd”") && text.contains(&format!("{mediated} right")), "{text}");
    assert!(replay(&shown).bears(0, Mark::Said) && text.contains("✎ called right"));
    press(&mut shown, &["+"]);
    assert!(shown.overlay.is_none() && shown.notice.as_ref().unwrap().text.contains("a recording is not rewritten"));
    press(&mut shown, &["y"]);
    assert_eq!(replay(&shown).turn, 1);
    assert!(text_of(&drawn(&shown, 200, 60)).contains("✎ drama"));
    assert_eq!(replay(&shown).opened.outcomes()[1].arms, [None; 4], "no gold of the data");
}

/// It stood for answers that a visit had put aside, and was not shown afterwards, so that saying it again did not take it
/// back.
#[test]
fn a_word_on_the_question_at_home_outlives_a_visit() {
    let mut state = recording();
    press(&mut state, &["+", "enter"]);
    let (called, words) = (state.all_called(), state.said().unwrap().words.clone());
    assert_eq!((called.questions, called.arms[3]), (1, (1, 1)));
    update(&mut state, Message::SessionOpened(Box::new(Opened::of("cold".to_owned(), cold()).unwrap())));
    for key in ["a", "b"] {
        press(&mut state, &[key]);
        hear(&mut state);
        assert!(state.visit.is_some() && state.all_called().questions == 0, "nothing is said of this moment");
        press(&mut state, &["a"]);
    }
    press(&mut state, &["x"]);
    assert_eq!((state.all_called(), &state.said().unwrap().words), (called, &words));
    press(&mut state, &["+", "enter"]);
    assert!(state.notice.as_ref().unwrap().text.contains("taken back"), "{:?}", state.notice);
    press(&mut state, &["+", "enter", "n"]);
    hear(&mut state);
    assert_eq!(state.all_called(), called, "the next question comes, and it stands");
}

/// It was put beside the answer at home, which another memory gave.
#[test]
fn a_word_on_a_judged_question_in_a_fork_is_the_forks() {
    let mut state = recording();
    let home = Arc::clone(&state.study.steps);
    assert_eq!(home.len(), 1);
    update(&mut state, Message::SessionOpened(Box::new(Opened::of("cold".to_owned(), cold()).unwrap())));
    press(&mut state, &["b"]);
    let (world, data) = (Arc::clone(&state.visit.as_ref().unwrap().world), state.data.clone().unwrap());
    update(&mut state, Message::Visited { world, data, periods: 3 });
    hear(&mut state);
    press(&mut state, &["n", "p"]);
    hear(&mut state);
    answer(&mut state);
    assert_eq!(state.judged, Some(0), "the question that is studied at home");
    press(&mut state, &["+", "enter"]);
    assert!(state.notice.as_ref().unwrap().text.contains("is called right"), "{:?}", state.notice);
    let fork = state.visit.as_ref().unwrap().fork.as_ref().unwrap();
    assert_eq!(fork.own().last().unwrap().said[Arm::Mediated as usize], Some(true));
    press(&mut state, &["a", "x"]);
    assert_eq!(state.study.steps, home);
}

/// It was kept for the way back, which nobody takes who quits.
#[test]
fn what_waits_at_home_is_written_by_quitting_wherever_one_is() {
    let open = |state: &mut State| {
        update(state, Message::SessionOpened(Box::new(Opened::of("cold".to_owned(), cold()).unwrap())));
    };
    for keys in [&["q"][..], &["a", "q"], &["b", "q"]] {
        // A gesture under way when the session opened.
        let mut state = recording();
        press(&mut state, &["l"]);
        open(&mut state);
        let (_, events) = written(press(&mut state, keys));
        assert_eq!(state.exit, Some(Exit::Done));
        let tags: Vec<&str> = events.iter().map(Event::tag).collect();
        assert_eq!(tags[..2], ["weights-changed", "mediated"], "{keys:?}");
        assert!(written(update(&mut state, Message::Resized)).1.is_empty(), "once");
    }
    for (replays, keys) in [(false, &["q"][..]), (true, &["q"]), (true, &["a", "q"])] {
        // Asked while the first model loads, which nobody waits for any more.
        let mut state = recording();
        state.model = ModelState::Loading(None);
        let (header, _) = written(press(&mut state, &["n"]));
        hear(&mut state);
        assert!(header.is_none() && !state.journal.waiting.is_empty());
        let waiting = state.journal.waiting.len();
        if replays {
            open(&mut state);
        }
        let (header, events) = written(press(&mut state, keys));
        assert_eq!((header.map(|header| header.model), events.len()), (Some(None), waiting), "{keys:?}");
    }
    // Memory comes to know what it was given at home while a fork is asked.
    let mut state = recording();
    let effects = press(&mut state, &["R", "d", "r", "a", "m", "a", "enter"]);
    assert!(state.notice.as_ref().unwrap().text.contains("until this program ends"));
    let given = effects.into_iter().find_map(|effect| match effect {
        Effect::Remember(interaction) => Some(*interaction),
        _ => None,
    });
    open(&mut state);
    press(&mut state, &["b"]);
    let (world, data) = (Arc::clone(&state.visit.as_ref().unwrap().world), state.data.clone().unwrap());
    update(&mut state, Message::Visited { world, data: Arc::clone(&data), periods: 3 });
    let (known, place) = data.with(given.clone().unwrap()).unwrap();
    let remembered = Message::Remembered { data: Arc::new(known), place, periods: 8 };
    assert!(written(update(&mut state, remembered)).1.is_empty(), "the fork's file is open");
    let effects = press(&mut state, &["q"]);
    let home = effects.iter().position(|effect| *effect == Effect::EndFork).expect("the file at home is gone on with");
    let known = Event::Remembered { interaction: given.unwrap() };
    assert_eq!(effects[home + 1..], [Effect::Record(vec![known])]);
    // Nobody has touched a key: a question that the start asked is no session.
    let mut state = recording();
    open(&mut state);
    assert!(written(press(&mut state, &["a", "q"])).0.is_none());
}

/// It bore the name and the hash of the model that had answered the recording, whoever answered.
#[test]
fn a_fork_names_the_model_that_answers_and_has_one() {
    let mut state = recording();
    let place = Located::Files("/nano".into());
    let need = Need { weights: 1, positions: 0, cache: 1, context: 512 };
    let origin = Origin { place: place.clone(), training: Training::default(), need };
    update(&mut state, Message::Host(HostEvent::Origin(origin)));
    update(&mut state, Message::Host(HostEvent::Ready(caps())));
    let forks = |state: &mut State, digit: &str| {
        assert_eq!(press(state, &["b"]), [Effect::Identify(place.clone())]);
        update(state, Message::Identified { place: place.clone(), hash: Ok(digit.repeat(64)) });
    };
    let named = |state: &State| {
        let begins = state.visit.as_ref()?.fork.as_ref()?.begins.as_ref()?;
        begins.header.model.as_ref().map(|model| (model.name.clone(), model.hash.clone()))
    };
    let nano = |digit: &str| Some(("nano".to_owned(), digit.repeat(64)));
    // Memory alone had answered.
    update(&mut state, Message::SessionOpened(Box::new(Opened::of("cold".to_owned(), cold()).unwrap())));
    press(&mut state, &["."]);
    forks(&mut state, "1");
    assert_eq!(named(&state), nano("1"));
    press(&mut state, &["a"]);

    // A model had, but nothing of it is shared; then something is.
    let parent = session(true);
    let echo = parent.header.model.clone().map(|model| (model.name, model.hash));
    update(&mut state, Message::SessionOpened(Box::new(Opened::of("sea".to_owned(), parent).unwrap())));
    forks(&mut state, "1");
    assert_eq!(named(&state), nano("1"));
    press(&mut state, &["a", "."]);
    forks(&mut state, "1");
    assert!(state.visit.is_none());
    let told = &state.notice.as_ref().unwrap().text;
    assert!(told.contains("answered by echo (00000000), and nano (11111111) answers here"), "{told}");
    forks(&mut state, "0");
    assert_eq!(named(&state), echo, "told by its files, whatever they are called");
    press(&mut state, &["a"]);

    // The turn that was to be forked is not shown any more, or there is nothing to tell the model by.
    press(&mut state, &["b", "."]);
    update(&mut state, Message::Identified { place: place.clone(), hash: Ok("0".repeat(64)) });
    assert!(state.visit.is_none());
    press(&mut state, &["b"]);
    update(&mut state, Message::Identified { place: place.clone(), hash: Err("it is gone".to_owned()) });
    assert!(state.visit.is_none() && state.notice.as_ref().unwrap().text.contains("cannot be read (it is gone)"));
}

#[test]
fn which_model_lies_somewhere_is_told_by_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let found = || {
        let (out, inbox) = mpsc::channel();
        Shelf::new(out).identify(Located::Files(folder.path().to_owned()));
        let Message::Identified { place, hash } = inbox.recv_timeout(Duration::from_secs(60)).unwrap() else {
            panic!()
        };
        assert_eq!(place, Located::Files(folder.path().to_owned()));
        hash
    };
    std::fs::write(folder.path().join("weights"), "one").unwrap();
    let one = found().unwrap();
    std::fs::write(folder.path().join("weights"), "two").unwrap();
    assert!(one.len() == 64 && found().unwrap() != one);
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert!(found().is_err());
}

#[test]
fn a_fork_goes_on_live_in_a_file_of_its_own_and_the_recording_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (out, inbox) = mpsc::channel();
    let worker = MemoryWorker::start(Source::Given(Box::new(films())), || {}, out.clone()).unwrap();
    let scribe = Scribe::start(folder.path().to_owned(), out).unwrap();
    let parent = cold();
    let mut state = over_films(parent.clone());
    press(&mut state, &[".", ".", "l"]);
    let setting = state.setting;
    let write = |effects: &[Effect]| {
        for effect in effects {
            match effect {
                Effect::Fork(session) => scribe.fork((**session).clone()),
                Effect::EndFork => scribe.end_fork(),
                Effect::Record(events) => scribe.write(events.clone()),
                _ => {}
            }
        }
    };
    let run = |state: &mut State, effects: Vec<Effect>| {
        write(&effects);
        if effects.iter().any(|effect| matches!(effect, Effect::Read(_))) {
            for effect in effects {
                match effect {
                    Effect::Visit(world) => worker.visit(world),
                    Effect::Read(request) => worker.read(request),
                    _ => {}
                }
            }
            loop {
                let message = inbox.recv_timeout(Duration::from_secs(60)).expect("memory answers in time");
                let last = matches!(message, Message::MemoryRead { .. });
                if matches!(
                    message,
                    Message::MemoryRead { .. }
                        | Message::Visited { .. }
                        | Message::Portrayed { .. }
                        | Message::Recording(_)
                ) {
                    write(&update(state, message));
                }
                if last {
                    return;
                }
            }
        }
    };
    let effects = press(&mut state, &["b"]);
    run(&mut state, effects);
    assert_eq!(state.setting, setting, "under the weights on the screen");
    let fork = state.visit.as_ref().unwrap().fork.as_ref().unwrap();
    assert_eq!((fork.shared, fork.own().len(), fork.folded.remembered), (2, 1, 2));
    let effects = press(&mut state, &["R", "n", "o", "i", "r", "enter"]);
    let told = &state.notice.as_ref().unwrap().text;
    assert!(told.contains("until you go back to the replay, and in the fork's file; the question"), "{told}");
    run(&mut state, effects);
    let effects = press(&mut state, &["+", "enter"]);
    run(&mut state, effects);
    assert_eq!(state.visit.as_ref().unwrap().fork.as_ref().unwrap().own().len(), 2);
    for (width, height) in [(80, 24), (120, 40)] {
        insta::assert_snapshot!(format!("fork-{width}x{height}"), text_of(&drawn(&state, width, height)));
    }
    let effects = press(&mut state, &["a"]);
    run(&mut state, effects);
    assert_eq!((replay(&state).turn, replay(&state).opened.replay.session()), (2, &parent), "never rewritten");
    let Ending::Nothing = scribe.finish() else { panic!("live work has written nothing itself") };
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let forked = Session::open(&files[0]).unwrap();
    let start = Replay::new(parent.clone()).turn_ends()[1];
    assert_eq!((files.len(), &forked.events[..start]), (1, &parent.events[..start]));
    assert_eq!(*forked.events[start], Event::WeightsChanged(setting));
    let tags: Vec<&str> = forked.events[start + 1..].iter().map(|event| event.tag()).collect();
    let turn = ["asked", "evidence", "mediated", "answered", "answered", "answered", "answered"];
    assert_eq!(tags, [&turn[..], &["remembered"], &turn, &["feedback"]].concat());
    // What memory and the mediator said there is what this program computes from the file.
    let report = logoscope::session::check::check(&forked, &films()).unwrap();
    assert!(!report.differs(), "{report:?}");
    let mut silent = over_films(cold());
    silent.replay.as_mut().unwrap().live.as_mut().unwrap().journal = Journal::new(false);
    assert!(press(&mut silent, &["b"]).is_empty() && silent.replay.is_some());
    assert!(silent.notice.as_ref().unwrap().text.contains("--no-record"));
}

/// A date before the data stays where it is when one goes further back, and does not come forward by years.
#[test]
fn before_the_data_there_is_no_way_back() {
    let mut state = answered();
    press(&mut state, &["d", "ctrl-u"]);
    update(&mut state, Message::Paste("1999-01-05".to_owned()));
    press(&mut state, &["enter"]);
    let at = state.question.as_ref().unwrap().at;
    assert_eq!(at.date(), "1999-01-05");
    for back in ["[", "{"] {
        press(&mut state, &[back]);
        assert_eq!(state.question.as_ref().unwrap().at, at);
        assert!(state.notice.as_ref().unwrap().text.contains("the data begins here"), "{:?}", state.notice);
    }
}
