//! Replay in the workbench: the playhead, the live weights beside the recording, and what the screen shows of both.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use logoscope::app::command::{Command, Context, TABLE};
use logoscope::app::effect::Effect;
use logoscope::app::journal;
use logoscope::app::keymap::Chord;
use logoscope::app::message::{Heard, Message};
use logoscope::app::overlay::Overlay;
use logoscope::app::recordings::Recording;
use logoscope::app::replay::{Opened, Replaying, SPEEDS, Standing};
use logoscope::app::shelf::{Shelf, Source};
use logoscope::app::state::{Data, ModelState, Phase, Start, State};
use logoscope::app::update::update;
use logoscope::app::worker::MemoryWorker;
use logoscope::data::dataset::PeriodLength;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::engine::engine::Engine;
use logoscope::engine::fit::Training;
use logoscope::engine::host::{HostEvent, Ticket};
use logoscope::engine::prompt::Arm;
use logoscope::mediator::{Course, Policy, Weight, mediate};
use logoscope::memory::Memory;
use logoscope::session::check::Verdict;
use logoscope::session::event::{Asked, DatasetId, Evidence, FORMAT};
use logoscope::session::record::turn;
use logoscope::session::replay::Tally;
use logoscope::session::{Event, Header, Replay, Session};
use logoscope::theme::Theme;
use logoscope::view::render;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use crate::screens::{answer, answered, blocks, caps, dataset, drawn, press, speak, started, styles_of, text_of};
use crate::session::{Echo, defaults};

/// A session on the small dataset: questions of growing histories, the weights changed before the last two.
pub fn session(with_model: bool) -> Session {
    let mut dataset = dataset();
    // Short enough for some to close before the questions.
    dataset.manifest.periods.length = PeriodLength::Days(20.0);
    let memory = Memory::build(&dataset);
    let mut setting = defaults(&dataset, Policy::Product);
    let header = Header {
        format: FORMAT,
        program: "0".to_owned(),
        title: "u017 by the sea".to_owned(),
        dataset: DatasetId { name: "films".to_owned(), hash: dataset.content_hash(), without: Vec::new() },
        model: with_model.then(Echo::id),
        device: with_model.then(|| "cpu".to_owned()),
        setting,
        embedder: memory.embedder(),
        seed: 0,
        labels: dataset.manifest.labels.clone(),
        picked: false,
        origin: None,
    };
    let engine = Echo::new();
    let mut events = Vec::new();
    let mut course = Course::default();
    for (number, (user, day, query, gold)) in [
        ("u017", 39, "A curfew in the drowned streets", Some("drama")),
        ("u017", 60, "A diver and the tide", Some("noir")),
        ("u017", 87, "A curfew in the flooded city", Some("dystopia")),
        ("u017", 95, "The tide rises over the last tower", Some("drama")),
        ("u003", 96, "A \u{1b}[31mcurfew \u{202e}in the city", Some("dystopia")),
        ("u017", 100, "A diver maps the drowned city under curfew", Some("dystopia")),
        ("u017", 101, "Two bakers", None),
    ]
    .into_iter()
    .enumerate()
    {
        if number == 5 {
            setting.weights = setting.weights.with(Weight::PriorStrength, 2.0);
            events.push(Event::WeightsChanged(setting));
        }
        let asked = Asked {
            user: UserId::new(user),
            at: Timestamp(1_700_000_000 + day * 86_400),
            query: query.to_owned(),
            gold: gold.map(str::to_owned),
            form: None,
            source: None,
            held: None,
        };
        let engine = with_model.then_some(&engine as &dyn Engine);
        events.extend(turn(&memory, engine, setting, &mut course, asked).unwrap());
    }
    Session::new(header, events)
}

pub fn open(state: &mut State, session: Session) {
    let opened = Opened::of("by-the-sea".to_owned(), session).unwrap();
    update(state, Message::SessionOpened(Box::new(opened)));
}

/// A replay at its first turn, over a workbench where everything is there.
pub fn replaying() -> State {
    let mut state = answered();
    open(&mut state, session(true));
    state
}

fn replay(state: &State) -> &Replaying {
    state.replay.as_ref().unwrap()
}

fn clock(state: &mut State, ms: u64) {
    update(state, Message::Clock(Duration::from_millis(ms)));
}

#[test]
fn signs_are_of_the_setting_of_each_turn() {
    let session = session(true);
    let replay = Replay::new(session.clone());
    let settings = replay.settings();
    assert_eq!(settings.len(), 7);
    assert!(settings[..5].iter().all(|setting| *setting == session.header.setting));
    assert!(settings[5..].iter().all(|setting| setting.weights.prior_strength == 2.0));
}

#[test]
fn keys_move_the_playhead_and_stop_at_the_ends() {
    for (keys, turn) in [
        (&[][..], 0),
        (&["."], 1),
        (&["right", "right", ","], 1),
        (&["left"], 0),
        (&["end"], 6),
        (&["end", "."], 6),
        (&["end", "home"], 0),
        (&[">"], 6),
        (&["end", "<"], 0),
        (&["#", "4", "enter"], 3),
        (&["#", "9", "enter", "esc"], 0),
        (&["#", "enter", "backspace", "7", "enter"], 6),
    ] {
        let mut state = replaying();
        assert!(press(&mut state, keys).is_empty(), "{keys:?}: a replay asks nothing of anybody");
        assert_eq!(replay(&state).turn, turn, "{keys:?}");
        let mut fold = Replay::new(session(true));
        let ends = fold.turn_ends();
        assert_eq!(replay(&state).opened.replay.state(), fold.seek(ends[turn]), "{keys:?}");
    }
    let mut state = replaying();
    press(&mut state, &["#", "8", "enter"]);
    let Some(Overlay::Edit(edit)) = &state.overlay else { panic!("the line stays open") };
    assert_eq!(edit.complaint.as_deref(), Some("give a number from 1 to 7"));
}

#[test]
fn the_recording_is_shown_as_it_was() {
    let mut state = replaying();
    for number in 0..7 {
        press(&mut state, &["home"]);
        (0..number).for_each(|_| drop(press(&mut state, &["."])));
        let turn = replay(&state).opened.replay.state().turn.clone().unwrap();
        let reading = state.reading.as_ref().unwrap();
        let recorded = turn.resolution().unwrap();
        let data = state.data.as_ref().unwrap();
        assert_eq!(data.label(reading.resolution.decision), recorded.decision);
        assert_eq!(reading.resolution.distribution, recorded.distribution.0.iter().map(|p| p.1).collect::<Vec<_>>());
        assert_eq!(reading.read.local.visible(), turn.evidence().unwrap().local.votes.len());
        for (hit, vote) in reading.read.local.hits.iter().zip(&turn.evidence().unwrap().local.votes) {
            assert_eq!(data.dataset.interactions[hit.item].query, vote.text);
        }
        for arm in Arm::ALL {
            let (shown, said) = (&state.answers.arms[arm as usize], turn.answered(arm).unwrap());
            assert_eq!((data.label(shown.decision), &shown.text), (said.answer.as_str(), &said.text));
            assert!(matches!(&shown.phase, Phase::Done(stats) if stats.tokens == said.tokens));
        }
        assert_eq!(state.gold(), turn.asked().unwrap().gold.as_deref());
        assert_eq!(state.setting.weights.prior_strength, if number < 5 { 0.25 } else { 2.0 }, "the setting follows");
    }
}

#[test]
fn playing_is_driven_by_the_clock_alone() {
    let mut state = replaying();
    clock(&mut state, 1000);
    assert_eq!((state.standing(), state.due()), (Standing::Paused, None));
    press(&mut state, &[" "]);
    assert_eq!(state.standing(), Standing::Playing { due: Duration::from_millis(3000) });
    assert_eq!(state.due(), Some(Duration::from_millis(3000)));
    state.dirty = false;
    clock(&mut state, 2999);
    assert!(!state.dirty && replay(&state).turn == 0, "no frame before its time");
    clock(&mut state, 3000);
    assert!(state.dirty && replay(&state).turn == 1);
    // A clock that jumps skips no turn.
    clock(&mut state, 90_000);
    assert_eq!((replay(&state).turn, state.due()), (2, Some(Duration::from_millis(92_000))));
    press(&mut state, &["]", "]"]);
    assert_eq!(state.due(), Some(Duration::from_millis(90_500)));
    press(&mut state, &[" "]);
    state.dirty = false;
    clock(&mut state, 200_000);
    assert!(!state.dirty && state.due().is_none(), "a paused replay rests");
    press(&mut state, &[" "]);
    for step in 1..=4 {
        clock(&mut state, 200_000 + 500 * step);
    }
    assert_eq!((replay(&state).turn, state.standing(), state.due()), (6, Standing::AtEnd, None));
    assert!(text_of(&drawn(&state, 120, 40)).contains("REPLAY by-the-sea 7/7 ×4 ■ at end"));
    press(&mut state, &[" "]);
    assert_eq!((replay(&state).turn, state.due()), (0, Some(Duration::from_millis(203_000 - 500))));
    for (key, speed) in [("]", SPEEDS.len() - 1), ("[", 0)] {
        (0..9).for_each(|_| drop(press(&mut state, &[key])));
        assert_eq!(replay(&state).speed, speed);
        assert!(state.notice.is_some(), "the end of the scale is told");
    }
}

#[test]
fn a_turned_weight_mediates_the_whole_session_beside_the_recording() {
    let mut state = replaying();
    press(&mut state, &["end", ","]);
    let recorded = replay(&state).sums.clone();
    assert_eq!(recorded.now, None);
    press(&mut state, &["m", "m", "m", "l"]);
    assert_eq!(state.setting.policy, Policy::Product.next().next().next());
    let expected = Replay::new(session(true)).remediate(&state.setting);
    let shown = replay(&state);
    assert_eq!(shown.now, expected);
    assert_eq!(shown.sums.recorded, recorded.recorded, "the recording stays");
    assert_eq!(shown.sums.now, Some(Tally::of(expected[..6].iter().map(|now| &now.outcome))), "up to the playhead");
    let labels = &shown.opened.replay.session().header.labels;
    let decided = |now: &logoscope::session::replay::Remediated| labels[now.arms[3].unwrap()].clone();
    let changed = expected.iter().filter(|now| shown.opened.answers[now.turn] != Some(decided(now))).count();
    assert_eq!(shown.sums.changed, changed);
    // What the rules decide is another matter than what a model makes of it.
    let ruled = |session: &Session| -> Vec<String> {
        let decision = |event: &Arc<Event>| match event.as_ref() {
            Event::Mediated { resolution } => Some(resolution.decision.clone()),
            _ => None,
        };
        session.events.iter().filter_map(decision).collect()
    };
    let recorded_rules = ruled(shown.opened.replay.session());
    let other = expected.iter().filter(|now| recorded_rules[now.turn] != labels[now.mediated]).count();
    assert_eq!(shown.sums.ruled, other);
    let told = format!("now {changed} of 7 final answers changed · rules {other}");
    assert!(text_of(&drawn(&state, 160, 42)).contains(&told), "{told}");
    let steps = Arc::clone(shown.opened.replay.steps());
    let again = |turn: usize, state: &State| {
        let step = steps.iter().nth(turn).unwrap();
        mediate(&step.evidence, &state.setting.weights, state.setting.policy)
    };
    assert_eq!(state.reading.as_ref().unwrap().resolution, again(5, &state), "the shown turn as well");
    for arm in Arm::ALL {
        assert_eq!(Some(state.answers.arms[arm as usize].decision), expected[5].arms[arm as usize]);
    }
    // The setting stays while the playhead moves …
    let turned = state.setting;
    press(&mut state, &["home", ".", "."]);
    assert_eq!((state.setting, &state.reading.as_ref().unwrap().resolution), (turned, &again(2, &state)));
    // … and follows the recording again once everything is undone.
    press(&mut state, &["u", "u", "u", "u"]);
    assert!(replay(&state).now.is_empty() && replay(&state).sums.now.is_none());
    assert_eq!(state.setting, replay(&state).setting());
    press(&mut state, &["ctrl-r", "ctrl-r", "ctrl-r", "ctrl-r"]);
    assert_eq!((state.setting, &replay(&state).now), (turned, &expected));
}

#[test]
fn live_work_goes_on_beneath_and_comes_back() {
    let mut state = started();
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    open(&mut state, session(true));
    press(&mut state, &["l", "t"]);
    let effects = update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(1) });
    let [Effect::Read(request)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(request.question.user.as_str(), "u003");
    assert_eq!(state.question.as_ref().unwrap().user.as_str(), "u017", "the replay is still shown");
    press(&mut state, &["x"]);
    assert!(state.replay.is_none());
    assert_eq!((state.question.as_ref().unwrap(), state.theme), (&request.question, "night"));
    assert!(!state.undo.can_undo(), "what was turned in the replay stays there");
    speak(&mut state);
    assert!(state.reading.is_some());
}

#[test]
fn a_replay_over_a_replay_leaves_to_live_work() {
    let mut state = replaying();
    open(&mut state, session(false));
    assert!(text_of(&drawn(&state, 120, 40)).contains("films · memory only"));
    assert!(state.answers.arms.iter().all(|arm| arm.phase == Phase::Unasked && !arm.distribution.is_empty()));
    press(&mut state, &["x"]);
    assert!(state.replay.is_none() && state.model_name == "nano");
}

#[test]
fn the_palette_and_the_sessions_are_offered() {
    let mut state = answered();
    assert_eq!(state.screen(), Context::Main);
    press(&mut state, &["O"]);
    assert!(text_of(&drawn(&state, 100, 30)).contains("recorded sessions"));
    press(&mut state, &["a", "n", "o", "t", "h", "enter"]);
    let effects = press(&mut state, &["a", "/", "b", "enter"]);
    assert_eq!(effects, [Effect::Open(Source::File(PathBuf::from("a/b")))]);
    let mut state = replaying();
    press(&mut state, &[":"]);
    let Some(Overlay::List(list)) = &state.overlay else { panic!("the palette is open") };
    let offered: Vec<&str> = list.rows.iter().map(|row| row.name.as_str()).collect();
    assert!(offered.contains(&"go-to-turn") && offered.contains(&"undo") && !offered.contains(&"ask-again"));
}

/// Counted of the rules while accuracies are of the answers, five rescues and two suppressions stood beside three won and
/// two lost.
#[test]
fn overrides_are_those_of_the_answers() {
    for (name, bytes) in logoscope::data::sample::sessions() {
        let replay = Replay::new(Session::parse(Path::new(name), bytes).unwrap());
        let count = |of: [bool; 2]| {
            let so =
                |arms: &[Option<bool>; 4]| [arms[Arm::Mediated as usize], arms[Arm::Local as usize]] == of.map(Some);
            replay.outcomes().iter().filter(|outcome| so(&outcome.arms)).count()
        };
        let rescued = replay.outcomes().iter().filter(|outcome| outcome.rescued).count();
        let suppressed = replay.outcomes().iter().filter(|outcome| outcome.suppressed).count();
        assert_eq!((rescued, suppressed), (count([true, false]), count([false, true])), "{name}");
        assert!(rescued > 0, "{name}");
    }
}

#[test]
fn ones_own_recordings_are_offered() {
    let mut state = answered();
    assert_eq!(press(&mut state, &["O"]), [Effect::FindRecordings]);
    let recording = |name: &str, at| Recording {
        path: PathBuf::from(format!("sessions/{name}.jsonl")),
        about: "live use · films · nano".to_owned(),
        at: Timestamp(at),
    };
    let found = vec![recording("films-002", 1_708_000_000), recording("films-001", 1_707_000_000)];
    press(&mut state, &["f", "i", "l", "m"]);
    update(&mut state, Message::RecordingsFound(found));
    let shown = text_of(&drawn(&state, 120, 40));
    assert!(shown.contains("films-002") && shown.contains("2024-02-15 12:26") && shown.contains("live use"), "{shown}");
    assert!(shown.find("films-002") < shown.find("films-001"), "what was typed stays, the newest comes first");
    let effects = press(&mut state, &["down", "enter"]);
    assert_eq!(effects, [Effect::Open(Source::File(PathBuf::from("sessions/films-001.jsonl")))]);
}

/// The newest recording came in above, and another one was opened than the one that was selected.
#[test]
fn what_is_found_meanwhile_leaves_the_selected_row_selected() {
    let mut state = answered();
    let recording = |name: &str, at| Recording {
        path: PathBuf::from(format!("{name}.jsonl")),
        about: format!("live use {at}"),
        at: Timestamp(at),
    };
    let (old, new) = (recording("films-001", 1_707_000_000), recording("films-002", 1_708_000_000));
    press(&mut state, &["O"]);
    update(&mut state, Message::RecordingsFound(vec![old.clone()]));
    press(&mut state, &["esc", "O", "up"]);
    update(&mut state, Message::RecordingsFound(vec![new, old]));
    let effects = press(&mut state, &["enter"]);
    assert_eq!(effects, [Effect::Open(Source::File(PathBuf::from("films-001.jsonl")))]);
}

/// What was found went to live work beneath, and the list over a replay never had it.
#[test]
fn ones_own_recordings_are_offered_over_a_replay() {
    let mut state = replaying();
    assert_eq!(press(&mut state, &["O"]), [Effect::FindRecordings]);
    let path = PathBuf::from("sessions/films-001.jsonl");
    let found = Recording { path: path.clone(), about: "live use".to_owned(), at: Timestamp(1_707_000_000) };
    update(&mut state, Message::RecordingsFound(vec![found]));
    press(&mut state, &["f", "i", "l", "m", "s"]);
    assert_eq!(press(&mut state, &["enter"]), [Effect::Open(Source::File(path))]);
}

#[test]
fn the_shelf_opens_what_is_whole_and_tells_of_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sea.jsonl");
    let whole = session(true).to_bytes().unwrap();
    let (out, inbox) = mpsc::channel();
    let shelf = Shelf::new(out);
    let answer = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        shelf.open(Source::File(path.clone()));
        inbox.recv_timeout(Duration::from_secs(60)).unwrap()
    };
    let Message::SessionOpened(opened) = answer(&whole) else { panic!("it opens") };
    assert_eq!((opened.name.as_str(), opened.answers.len()), ("sea", 7));
    let Message::SessionOpened(cut) = answer(&whole[..whole.len() - 9]) else { panic!("a cut file opens as well") };
    let mut state = answered();
    update(&mut state, Message::SessionOpened(cut));
    assert!(state.notice.as_ref().unwrap().text.contains("in the middle of an event"));
    let half = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut damaged = whole.clone();
    damaged[half] = b'!';
    for (content, expected) in
        [(&b"no session\n"[..], "is not a session"), (&damaged, "sea.jsonl:2:"), (&whole[..half], "holds no question")]
    {
        let message = answer(content);
        assert!(matches!(message, Message::SessionFailed(_)), "{expected}");
        update(&mut state, message);
        assert!(state.notice.as_ref().unwrap().text.contains(expected), "{:?}", state.notice);
        assert!(state.replay.is_some() && state.notice.as_ref().unwrap().failure, "work goes on");
    }
    let missing = Source::File(Path::new("nowhere.jsonl").to_owned());
    shelf.open(missing);
    assert!(matches!(inbox.recv_timeout(Duration::from_secs(60)), Ok(Message::SessionFailed(_))));
}

#[test]
fn evidence_that_cannot_be_read_is_told_in_its_turn() {
    let mut session = session(true);
    for event in &mut session.events {
        let Event::Evidence(evidence) = event.as_ref() else { continue };
        if let Some(vote) = evidence.local.votes.first() {
            let mut changed = evidence.clone();
            changed.local.votes[0].response = format!("{}!", vote.response);
            *event = Arc::new(Event::Evidence(changed));
            break;
        }
    }
    let mut state = answered();
    open(&mut state, session);
    let mut told = false;
    for _ in 0..7 {
        let text = text_of(&drawn(&state, 200, 60));
        told |= text.contains("the recorded evidence cannot be read") && state.reading.is_none();
        press(&mut state, &["m", "."]);
    }
    assert!(told);
}

#[test]
fn the_replay_screen_at_three_sizes() {
    let mut state = replaying();
    press(&mut state, &["#", "6", "enter"]);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let buffer = drawn(&state, width, height);
        insta::assert_snapshot!(format!("replay-{width}x{height}"), text_of(&buffer));
        insta::assert_snapshot!(format!("replay-{width}x{height}-styles"), styles_of(&buffer));
    }
    press(&mut state, &["m", " "]);
    for (width, height) in [(80, 24), (160, 42)] {
        insta::assert_snapshot!(format!("replay-turned-{width}x{height}"), text_of(&drawn(&state, width, height)));
    }
}

#[test]
fn a_replay_needs_no_colour_and_no_unicode() {
    let mut state = replaying();
    state.ascii = true;
    state.theme = "mono";
    for keys in [&[" "][..], &["m", "end"], &[".", ","]] {
        press(&mut state, keys);
        for (width, height) in [(40, 12), (80, 24), (120, 40), (200, 60)] {
            let buffer = drawn(&state, width, height);
            assert!(text_of(&buffer).is_ascii(), "{}", text_of(&buffer));
            assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        }
    }
}

#[test]
fn every_size_can_show_a_replay() {
    let mut turned = replaying();
    press(&mut turned, &["m", "L", "end"]);
    let mut zoomed = replaying();
    press(&mut zoomed, &["z", " ", "#"]);
    for state in [replaying(), turned, zoomed] {
        for width in (1..=200).step_by(9).chain([39, 40, 41, 99, 100, 149, 150]) {
            for height in (1..=60).step_by(5).chain([12, 17, 18, 32, 33, 34]) {
                drawn(&state, width, height);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_keys_in_a_replay_can_be_drawn(
        keys in proptest::collection::vec(0..TABLE.len(), 0..25), width in 1..220u16, height in 1..70u16
    ) {
        let mut state = replaying();
        for (number, key) in keys.into_iter().enumerate() {
            let entry = &TABLE[key];
            if !matches!(entry.command, Command::Quit | Command::LeaveReplay) {
                update(&mut state, Message::Key(entry.keys[0].parse::<Chord>().unwrap()));
            }
            clock(&mut state, number as u64 * 900);
        }
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let limits = render(&state, &Theme::named("ansi"), buffer.area, &mut buffer);
        update(&mut state, Message::Drawn(limits));
        for cell in &drawn(&state, width, height).content {
            let hostile = cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}');
            prop_assert!(!hostile);
        }
    }
}

/// A workbench that records, with everything there and nothing written yet.
pub fn recording() -> State {
    let mut state = State::new(Start {
        dataset_name: "films".into(),
        model_name: Some("nano".into()),
        training: Training { tasks: None, shipped: true },
        record: true,
        ..Start::default()
    });
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    update(&mut state, Message::Host(HostEvent::Ready(caps())));
    update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(0) });
    hear(&mut state);
    answer(&mut state);
    state
}

/// Memory answers the question asked last, as the worker tells it.
pub fn hear(state: &mut State) -> Vec<Effect> {
    let memory = Memory::build(&state.data.as_ref().unwrap().dataset);
    let question = state.question.clone().unwrap();
    let read = memory.read(&question.user, &question.query, question.at).unwrap();
    let heard = Heard { evidence: Evidence::of(&memory, &read), embedder: memory.embedder() };
    let (ticket, heard) = (state.ticket, Some(Box::new(heard)));
    update(state, Message::MemoryRead { ticket, read: Box::new(read), blocks: blocks(), heard })
}

/// What effects write: the header and all events.
pub fn written(effects: Vec<Effect>) -> (Option<Header>, Vec<Event>) {
    let (mut header, mut events) = (None, Vec::new());
    for effect in effects {
        match effect {
            Effect::Begin(beginning) => header = Some(beginning.header),
            Effect::Record(more) => events.extend(more),
            _ => {}
        }
    }
    (header, events)
}

/// Minutes may pass while a large model loads.
#[test]
fn what_was_asked_while_the_first_model_loaded_is_written_when_that_is_given_up() {
    let mut state = recording();
    state.model = ModelState::Loading(None);
    let (header, events) = written(press(&mut state, &["n"]));
    assert!(header.is_none() && events.is_empty(), "it is not settled yet whether a model answers");
    hear(&mut state);
    let waiting = state.journal.waiting.len();
    assert!(waiting >= 6, "two questions: {waiting}");
    let (header, events) = written(press(&mut state, &["esc"]));
    assert_eq!((header.unwrap().model, events.len()), (None, waiting));
    assert_eq!(state.journal.recording, journal::Recording::Waiting, "the next question begins another session");
    let (header, _) = written(hear(&mut state));
    assert!(header.is_some());
}

#[test]
fn live_use_is_written_from_the_first_key_on() {
    let mut state = recording();
    assert!(!state.journal.waiting.is_empty(), "kept until somebody is there");
    let mut effects = press(&mut state, &["l", "l"]);
    assert!(matches!(effects[..], [Effect::Begin(_), Effect::Record(_)]), "a gesture under way is not written");
    effects.extend(press(&mut state, &["m", "n"]));
    effects.extend(press(&mut state, &["L"]));
    effects.extend(hear(&mut state));
    let (epoch, stats) = (state.answers.epoch, Default::default());
    let say = |state: &mut State, id: u64, scores: [f64; 4]| {
        let ticket = Ticket { epoch, id };
        let mut effects = update(state, Message::Host(HostEvent::Scores { ticket, scores: scores.to_vec() }));
        effects.extend(update(state, Message::Host(HostEvent::Done { ticket, stats })));
        effects
    };
    effects.extend(say(&mut state, 0, [-2.0, -1.0, -0.9, -2.0]));
    effects.extend(press(&mut state, &["h"]));
    effects.extend(say(&mut state, 1, [-0.5, -2.0, -1.5, -3.0]));
    effects.extend(press(&mut state, &["u", "q"]));
    let (header, events) = written(effects);
    let tags: Vec<&str> = events.iter().map(Event::tag).collect();
    let (asked, changed) = (["asked", "evidence", "mediated"], ["weights-changed", "mediated"]);
    let (one, four) = (["answered"], ["answered"; 4]);
    let expected: Vec<&[&str]> = vec![
        // The first question, answered before any key; two strokes are one gesture; the policy.
        &asked, &four, &changed, &four, &changed, &four,
        // Turned while the next question was being read: that belongs to the one before.
        &changed, &four, &asked, &one, // Turned between two answers: the one that stands is fused again.
        &changed, &one, &one, &changed, &one, &one,
    ];
    assert_eq!(tags, expected.concat());
    let session = Session::new(header.unwrap(), events);
    let report = logoscope::session::check::check(&session, &dataset()).unwrap();
    assert!(matches!(report.mediation, Verdict::Equal { .. }), "{:?}", report.mediation);
}

#[test]
fn a_write_that_fails_is_told_and_everything_is_handed_on_for_another_attempt() {
    let mut state = recording();
    let mut effects = press(&mut state, &["l"]);
    update(&mut state, Message::RecordFailed("the disk is full".to_owned()));
    assert!(state.notice.as_ref().unwrap().text.contains("kept in memory, it cannot be recorded: the disk is full"));
    effects.extend(press(&mut state, &["m", "u", "J"]));
    for (width, height) in [(120, 40), (80, 24), (60, 16)] {
        assert!(text_of(&drawn(&state, width, height)).contains("not recorded"), "at {width}x{height}");
    }
    let (header, events) = written(effects);
    assert!(header.is_some() && state.journal.waiting.is_empty());
    assert_eq!(events.iter().filter(|event| event.tag() == "weights-changed").count(), 3, "nothing is dropped");
    update(&mut state, Message::Recording("films-001.jsonl".into()));
    assert!(state.notice.as_ref().unwrap().text.contains("recorded again, with all that was missing"));
    assert!(!text_of(&drawn(&state, 120, 40)).contains("not recorded"));
}

/// The header of a session begun behind something remembered named a dataset that is nowhere.
#[test]
fn a_session_of_another_model_begins_with_what_was_remembered_before() {
    let mut state = recording();
    press(&mut state, &["l"]);
    for (answer, number) in [(["d", "r", "a", "m", "a"], 1), (["c", "o", "m", "e", "d"], 2)] {
        press(&mut state, &["R"]);
        press(&mut state, &answer);
        let effects = press(&mut state, &["enter"]);
        let given = effects.into_iter().find_map(|effect| match effect {
            Effect::Remember(interaction) => Some(*interaction),
            _ => None,
        });
        let given = given.unwrap();
        assert_eq!(given.id, format!("remembered-{number}"));
        let (data, place) = state.data.as_ref().unwrap().with(given).unwrap();
        update(&mut state, Message::Remembered { data: Arc::new(data), place, periods: 8 });
        hear(&mut state);
    }
    let mut effects = press(&mut state, &["ctrl-o", "down", "enter"]);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Begin(_))), "nothing has been asked yet");
    effects = hear(&mut state);
    let begun = effects.iter().find_map(|effect| match effect {
        Effect::Begin(beginning) => Some(beginning.clone()),
        _ => None,
    });
    let hash = begun.expect("another session").data.content_hash().unwrap();
    assert_eq!(hash, dataset().content_hash(), "the dataset as everybody has it");
    let (header, events) = written(effects);
    let tags: Vec<&str> = events.iter().map(Event::tag).collect();
    assert_eq!(tags[..3], ["remembered", "remembered", "asked"]);
    let mut header = header.unwrap();
    header.dataset.hash = hash;
    let report = logoscope::session::check::check(&Session::new(header, events), &dataset()).unwrap();
    assert!(matches!(report.retrieval, Verdict::Equal { .. }), "{:?}", report.retrieval);
}

/// What the scribe told of the session before was taken for news of the next one, which then never began.
#[test]
fn news_of_a_session_that_is_over_does_not_keep_the_next_one_from_beginning() {
    for news in [Message::Recording("films-001.jsonl".into()), Message::RecordFailed("the disk is full".to_owned())] {
        let mut state = recording();
        press(&mut state, &["m", "ctrl-o", "down", "enter"]);
        update(&mut state, news);
        let (header, events) = written(hear(&mut state));
        assert!(header.is_some() && events[0].tag() == "asked", "{events:?}");
    }
}

#[test]
fn what_is_remembered_is_known_a_second_later() {
    let mut state = recording();
    let before = state.question.clone().unwrap();
    press(&mut state, &["R", "d", "r", "a", "m", "a"]);
    assert!(text_of(&drawn(&state, 80, 24)).contains("what they answer"));
    let effects = press(&mut state, &["enter"]);
    let Some(Effect::Remember(interaction)) = effects.iter().find(|effect| matches!(effect, Effect::Remember(_)))
    else {
        panic!("{effects:?}")
    };
    assert_eq!((&interaction.user, interaction.at, interaction.response.as_str()), (&before.user, before.at, "drama"));
    assert_eq!(state.question.as_ref().unwrap().at, Timestamp(before.at.0 + 1));
    assert_eq!(press(&mut state, &["R"]), [], "not before memory has answered");
    assert!(state.overlay.is_none());

    let (out, inbox) = mpsc::channel();
    let source = logoscope::app::worker::Source::Given(Box::new(dataset()));
    let worker = MemoryWorker::start(source, || {}, out).unwrap();
    worker.remember((**interaction).clone());
    let request = effects.iter().find_map(|effect| match effect {
        Effect::Read(request) => Some(request.clone()),
        _ => None,
    });
    worker.read(request.unwrap());
    let shown = |state: &State| {
        let hits = &state.reading.as_ref().unwrap().read.local.hits;
        let items = &state.data.as_ref().unwrap().dataset.interactions;
        hits.iter().map(|hit| items[hit.item].query.clone()).collect::<Vec<_>>()
    };
    let texts = shown(&state);
    let says_so = |effects: &[Effect]| {
        let known = |event: &Event| matches!(event, Event::Remembered { .. });
        effects.iter().any(|effect| matches!(effect, Effect::Record(events) if events.iter().any(known)))
    };
    assert!(!says_so(&effects), "not before memory knows it");
    loop {
        let message = inbox.recv_timeout(Duration::from_secs(60)).expect("memory answers in time");
        match message {
            Message::Remembered { .. } => {
                assert!(says_so(&update(&mut state, message)));
                assert_eq!(shown(&state), texts, "what is shown still means the same items");
            }
            Message::MemoryRead { .. } => {
                update(&mut state, message);
                break;
            }
            _ => {}
        }
    }
    let reading = state.reading.as_ref().unwrap();
    assert_eq!(reading.read.local.visible(), texts.len() + 1);
    assert_eq!(state.data.as_ref().unwrap().label(reading.read.local.hits[0].label), "drama");
}

/// The session said so before memory knew, and went on saying it where that came to nothing.
#[test]
fn what_memory_cannot_take_is_not_recorded_as_remembered() {
    let mut state = recording();
    let give = |state: &mut State| {
        let effects = press(state, &["R", "d", "r", "a", "m", "a", "enter"]);
        let given = effects.iter().find_map(|effect| match effect {
            Effect::Remember(interaction) => Some((**interaction).clone()),
            _ => None,
        });
        assert!(!written(effects).1.iter().any(|event| event.tag() == "remembered"));
        given.unwrap()
    };
    let lost = give(&mut state);
    let effects = update(&mut state, Message::NotRemembered("its file is gone".to_owned()));
    assert!(written(effects).1.is_empty());
    assert_eq!(state.notice.as_ref().unwrap().text, "not remembered: its file is gone");
    hear(&mut state);
    let given = give(&mut state);
    assert_eq!((lost.id.as_str(), given.id.as_str()), ("remembered-1", "remembered-1"), "nobody knows the first");
    let (data, place) = state.data.as_ref().unwrap().with(given.clone()).unwrap();
    let effects = update(&mut state, Message::Remembered { data: Arc::new(data), place, periods: 8 });
    assert_eq!(written(effects).1, [Event::Remembered { interaction: given.clone() }]);
    assert_eq!(state.journal.remembered, [given], "a session that begins later begins with it");
}
