//! Prose profiles: made of the past alone, written once, kept, changed by hand, recorded, redacted.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use logoscope::app::effect::Effect;
use logoscope::app::message::Message;
use logoscope::app::profile::PROFILE;
use logoscope::app::profiler::{Known, ProfileRequest, Profiler};
use logoscope::app::replay::Opened;
use logoscope::app::state::{Data, Phase, Start, State};
use logoscope::app::update::update;
use logoscope::data::dataset::Dataset;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::engine::engine::{Cancel, Caps, Engine, Form, GenEvent, GenRequest, GenStats, Generation};
use logoscope::engine::error::EngineError;
use logoscope::engine::fit::Training;
use logoscope::engine::host::{HostEvent, Ticket};
use logoscope::engine::profile::kept::Change;
use logoscope::engine::profile::{self, History, MAX_PROFILE_TOKENS, Profile, best};
use logoscope::engine::prompt::{Arm, Blocks};
use logoscope::engine::recorded::prompt_hash;
use logoscope::mediator::{Course, Policy, Weight, Weights};
use logoscope::memory::Memory;
use logoscope::session::check::{Verdict, check};
use logoscope::session::event::{Answered, Asked, DatasetId, FORMAT, Prose};
use logoscope::session::record::turn_knowing;
use logoscope::session::redact::Redaction;
use logoscope::session::rerun::Anew;
use logoscope::session::{Event, Header, Session};
use proptest::prelude::*;

use crate::population::{as_texts, datasets};
use crate::screens::{caps, dataset, drawn, press, speak, text_of};
use crate::session::{Echo, defaults};

/// What the scripted model says: with a thought, an escape, a newline and a control token, as a model may.
const SAID: &str = "<think>hm</think> They come back to the sea\u{1b}[31m\nand call it noir <|im_end|>";
/// The profile in it.
const PROSE: &str = "They come back to the sea\u{1b}[31m and call it noir <|im_end|>";

/// A model that writes a known profile when it is told to.
struct Biographer(Echo, Caps);

impl Biographer {
    fn new() -> Self {
        let echo = Echo::new();
        let caps = Caps { chat: true, ..echo.caps().clone() };
        Self(echo, caps)
    }
}

impl Engine for Biographer {
    fn caps(&self) -> &Caps {
        &self.1
    }

    fn generate(&self, req: GenRequest) -> Generation {
        if req.form == Form::Plain {
            return self.0.generate(req);
        }
        assert!(req.labels.is_empty() && req.max_tokens == MAX_PROFILE_TOKENS && req.prompt.ends_with("profile:"));
        let stats = GenStats { tokens: 11, ..GenStats::default() };
        Generation::new(Cancel::default(), [GenEvent::Token(SAID.to_owned()), GenEvent::Done(stats)].into_iter())
    }

    fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }
}

/// `dataset` as somebody sees it who only knows what lies before `t`.
fn before(dataset: &Dataset, t: Timestamp) -> Dataset {
    let interactions = dataset.interactions.iter().filter(|i| i.at < t).cloned().collect();
    Dataset { manifest: dataset.manifest.clone(), interactions, queries: Vec::new() }
}

proptest! {
    #[test]
    fn a_profile_is_made_only_from_what_lay_before(
        dataset in datasets(60), user in 0..12usize, t in 0..5_000_000i64, texts in any::<bool>()
    ) {
        let dataset = if texts { as_texts(dataset) } else { dataset };
        let (user, t) = (UserId::new(format!("u{user}")), Timestamp(t));
        let history = History::of_dataset(&dataset, &user, t);
        let own = dataset.interactions.iter().filter(|i| i.user == user && i.at < t).count();
        prop_assert_eq!(history.len(), own);
        // With the future deleted nothing changes: what is asked, and what it is kept under.
        let past = before(&dataset, t);
        prop_assert_eq!(&History::of_dataset(&past, &user, Timestamp(i64::MAX)), &history);
        prop_assert_eq!(&History::of_memory(&Memory::build(&dataset), &user, t), &history);
        let lines = history.request().prompt.lines().filter(|line| line.starts_with("- ")).count();
        prop_assert_eq!(lines, own.min(48));
    }

    #[test]
    fn no_profile_stands_where_it_would_know_the_future(
        dataset in datasets(60), user in 0..12usize, written in 0..5_000_000i64, asked in 0..5_000_000i64
    ) {
        let user = UserId::new(format!("u{user}"));
        let history = |t| History::of_dataset(&dataset, &user, Timestamp(t));
        let (then, now) = (history(written), history(asked));
        let profile = Profile::written(&then, "m".into(), "words", 1).unwrap();
        let known = !then.is_empty() && then.len() <= now.len();
        for profile in [profile.clone(), profile.edit("by hand").unwrap()] {
            prop_assert_eq!(best(std::slice::from_ref(&profile), &now, "m").is_some(), known);
        }
        // Another past is another person, as far as a profile goes.
        if let Some(first) = dataset.interactions.iter().position(|i| i.user == user) {
            let mut other = dataset.clone();
            other.interactions[first].query.push('!');
            let other = History::of_dataset(&other, &user, Timestamp(i64::MAX));
            prop_assert!(best(&[profile], &other, "m").is_none());
        }
    }

    #[test]
    fn a_profile_has_its_own_line_and_its_part_of_the_room(words in "[a-z ]{1,60}", size in 4.0..80.0f64, at in 0.0..4.0f64) {
        let own = ["own: noir 6", "- noir | near 5 | days | a retired diver", "- comedy | near 3 | months | two bakers"];
        let others = ["others: everyone", "- dystopia 7 | near 4 | 19 users | flooded"];
        let bare = Blocks::new("film: a diver", &own, &others, "tag:", size);
        let known = bare.clone().with_profile(Some(&words));
        let weights = Weights::default().with(Weight::LocalRoom, at);
        for arm in Arm::ALL {
            let (prompt, account) = (known.prompt(arm, &weights), known.account(arm, &weights));
            prop_assert!((account.total() - prompt.chars().count() as f64 / 4.0).abs() < 1e-9, "{prompt}");
            let line = prompt.lines().filter(|line| line.starts_with("profile: ")).count();
            let left_out = account.local.cut.iter().any(|(line, _)| line.starts_with("profile:"));
            prop_assert!(line == usize::from(arm.sees_local() && !left_out), "{arm:?} {prompt} {account:?}");
            prop_assert!(account.local.used <= account.local.room + 1e-6 || account.local.lines == 0);
            if !arm.sees_local() {
                prop_assert_eq!(prompt, bare.prompt(arm, &weights));
            }
        }
        prop_assert_eq!(known.with_profile(None), bare);
    }
}

#[test]
fn a_model_writes_it_and_one_that_cannot_says_so() {
    let history = History::of_dataset(&dataset(), &UserId::new("u017"), Timestamp(i64::MAX));
    let model = Biographer::new();
    let written = profile::write(&model, &history).unwrap();
    assert_eq!((written.text(), written.tokens, written.from), (PROSE, 11, 3));
    assert_eq!(written.model, profile::identity(model.caps()));
    let silent = Echo::new();
    for (model, part) in [(None, "there is none"), (Some(silent.caps()), "echo has no chat template")] {
        let told = profile::check(model).unwrap_err().to_string();
        assert!(told.contains(part) && told.contains("type the profile") && !told.contains('\n'), "{told}");
    }
    assert!(profile::write(&silent, &history).is_err());
}

/// The workbench with a model that can be told to write and memory read; the model has answered.
fn bench() -> State {
    let training = Training { tasks: None, shipped: true };
    let mut state = State::new(Start {
        dataset_name: "films".into(),
        model_name: Some("scribe".into()),
        training,
        record: true,
        profiles: true,
        ..Start::default()
    });
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    update(&mut state, Message::Host(HostEvent::Ready(Caps { name: "scribe".into(), chat: true, ..caps() })));
    let effects = update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(0) });
    let asked = effects.iter().find_map(profiles);
    assert_eq!(asked, Some(&ProfileRequest { dataset: "films".into(), user: UserId::new("u017"), change: None }));
    speak(&mut state);
    answer(&mut state);
    state
}

fn profiles(effect: &Effect) -> Option<&ProfileRequest> {
    match effect {
        Effect::Profiles(request) => Some(request),
        _ => None,
    }
}

/// The model answers on all arms that wait.
fn answer(state: &mut State) {
    for arm in Arm::ALL {
        if state.answers.arms[arm as usize].phase.is_open() {
            let ticket = Ticket { epoch: state.answers.epoch, id: arm as u64 };
            let scores = vec![-0.9, -0.8, -3.0, -2.5];
            host(state, HostEvent::Scores { ticket, scores });
            host(state, HostEvent::Done { ticket, stats: GenStats { tokens: 1, ..GenStats::default() } });
        }
    }
}

fn host(state: &mut State, event: HostEvent) -> Vec<Effect> {
    update(state, Message::Host(event))
}

/// A minute passes.
fn rest(state: &mut State) -> Vec<Effect> {
    let now = state.now + Duration::from_secs(60);
    update(state, Message::Clock(now))
}

/// The model writes the profile that it was asked for.
fn write(state: &mut State, text: &str) -> Vec<Effect> {
    let ticket = Ticket { epoch: state.answers.epoch, id: PROFILE };
    host(state, HostEvent::Token { ticket, text: text.to_owned() });
    let stats = GenStats { tokens: 11, elapsed: Duration::from_secs(2), ..GenStats::default() };
    host(state, HostEvent::Done { ticket, stats })
}

/// The workbench with a profile written and read.
fn profiled() -> State {
    let mut state = bench();
    press(&mut state, &["U", "w"]);
    write(&mut state, SAID);
    rest(&mut state);
    answer(&mut state);
    state
}

fn prompt(state: &State, arm: Arm) -> &str {
    &state.reading.as_ref().unwrap().requests[arm as usize].prompt
}

fn notice(state: &State) -> &str {
    state.notice.as_ref().map_or("", |notice| &notice.text)
}

#[test]
fn it_is_written_once_kept_and_read_by_the_arms_that_see_local_memory() {
    let mut state = bench();
    let effects = press(&mut state, &["U", "w"]);
    let [Effect::WriteProfile { epoch, request }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((*epoch, request.form), (state.answers.epoch, Form::Chat));
    assert!(request.prompt.contains("- noir | today | A detective drinks alone while the tide rises"), "{request:?}");
    assert!(state.busy());
    let ticket = Ticket { epoch: *epoch, id: PROFILE };
    host(&mut state, HostEvent::Token { ticket, text: "They come".into() });
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("being written, 1 token") && screen.contains("They come"), "{screen}");

    host(&mut state, HostEvent::Token { ticket, text: " back\u{1b}[2J.".into() });
    let effects = host(&mut state, HostEvent::Done { ticket, stats: GenStats::default() });
    let [Effect::Profiles(request)] = &effects[..] else { panic!("{effects:?}") };
    let Some(Change::Keep(kept)) = &request.change else { panic!("{request:?}") };
    assert_eq!((kept.text(), kept.from), ("They come back\u{1b}[2J.", 3));
    assert_eq!(state.profile.fitting.as_ref(), Some(kept));
    for arm in Arm::ALL {
        let line = prompt(&state, arm).lines().find(|line| line.starts_with("profile: "));
        assert_eq!(line.is_some(), arm.sees_local(), "{arm:?}");
        assert_eq!(state.outdated(arm), arm.sees_local(), "{arm:?}");
        assert!(!prompt(&state, arm).contains('\u{1b}'));
    }
    let effects = rest(&mut state);
    let [Effect::Ask { requests, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(requests.iter().map(|(arm, _)| *arm).collect::<Vec<_>>(), [Arm::Mediated, Arm::Local]);

    // What is there is not written again.
    assert_eq!(press(&mut state, &["w"]), []);
    assert!(notice(&state).contains("made from everything there is"), "{}", notice(&state));
    let request = ProfileRequest { dataset: "films".into(), user: UserId::new("u017"), change: None };
    let known = Known { profiles: Some(vec![kept.clone()]), failed: None };
    update(&mut state, Message::Profiles { request, known });
    assert_eq!(press(&mut state, &["w"]), [], "nor after it came from the disk");
}

#[test]
fn a_new_interaction_makes_it_stale_and_an_earlier_question_does_not_know_it() {
    let mut state = profiled();
    press(&mut state, &["esc"]);
    let mut later = dataset();
    let mut new = later.interactions.iter().find(|i| i.id == "i3").unwrap().clone();
    (new.id, new.at) = ("i4".into(), Timestamp(new.at.0 + 86_400));
    later.interactions.push(new);
    later.interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    state.data = Some(Arc::new(Data::of(later)));
    press(&mut state, &["]"]);
    speak(&mut state);
    assert_eq!(state.profile.told().unwrap(), "written from 3 of 4 interactions");
    assert!(state.profile.stale() && prompt(&state, Arm::Local).contains("profile: They come back"));
    press(&mut state, &["U"]);
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("written from 3 of 4 interactions · stale"), "{screen}");
    answer(&mut state);
    let effects = press(&mut state, &["w"]);
    assert!(matches!(&effects[..], [Effect::WriteProfile { .. }]), "{effects:?}");
    write(&mut state, "They changed.");
    assert_eq!(state.profile.told().unwrap(), "written from all 4 interactions");

    // On day 84 the person had done two things less.
    press(&mut state, &["esc", "d", "ctrl-u"]);
    "1707257600".chars().for_each(|c| drop(press(&mut state, &[&c.to_string()])));
    press(&mut state, &["enter"]);
    speak(&mut state);
    assert_eq!((state.profile.visible(), state.profile.fitting.as_ref()), (2, None));
    assert!(!prompt(&state, Arm::Local).contains("profile: "));
    press(&mut state, &["U"]);
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("no profile that this question may know"), "{screen}");
}

#[test]
fn it_can_be_changed_reset_and_turned_off() {
    let mut state = profiled();
    press(&mut state, &["e", "ctrl-u"]);
    assert_eq!(press(&mut state, &["enter"]), []);
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("type some words"), "{screen}");
    press(&mut state, &["N", "o", "i", "r", "."]);
    let effects = press(&mut state, &["enter"]);
    let change = effects.iter().find_map(profiles).unwrap().change.clone();
    assert!(matches!(&change, Some(Change::Keep(kept)) if kept.text() == "Noir." && kept.written == PROSE));
    assert!(prompt(&state, Arm::Mediated).contains("\nprofile: Noir.\n"));
    assert_eq!(state.profile.told().unwrap(), "edited; from all 3 interactions");

    press(&mut state, &["o"]);
    assert!(!prompt(&state, Arm::Mediated).contains("profile: "));
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("left out of prompts") && screen.contains("the model had written"), "{screen}");
    press(&mut state, &["o"]);

    let effects = press(&mut state, &["x"]);
    assert!(matches!(&effects[..], [Effect::Profiles(_)]), "{effects:?}");
    assert_eq!(state.profile.fitting.as_ref().unwrap().text(), PROSE);
    let effects = press(&mut state, &["x"]);
    let change = effects.iter().find_map(profiles).unwrap().change.clone();
    assert!(matches!(change, Some(Change::Drop(_))) && state.profile.fitting.is_none());
    press(&mut state, &["x"]);
    assert_eq!(notice(&state), "there is no profile");
    // One may be typed where no model has written any.
    press(&mut state, &["e", "H", "i", "enter"]);
    assert!(prompt(&state, Arm::Local).contains("\nprofile: Hi\n"));
}

#[test]
fn writing_can_be_stopped_fails_in_words_and_goes_on_behind_the_arms() {
    let mut state = bench();
    press(&mut state, &["U", "w"]);
    let ticket = Ticket { epoch: state.answers.epoch, id: PROFILE };
    // A turned weight has the arms asked anew, and what the host drops is asked for again behind them.
    press(&mut state, &["esc"]);
    state.weight = Weight::LocalRoom;
    press(&mut state, &["H", "H", "H", "H", "H", "H", "H", "H", "H", "H"]);
    let effects = rest(&mut state);
    let [Effect::Ask { epoch, .. }, Effect::WriteProfile { epoch: same, .. }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert!(epoch == same && *epoch > ticket.epoch);
    host(&mut state, HostEvent::Token { ticket, text: "late".into() });
    assert_eq!((state.profile.draft.text.as_str(), state.profile.draft.phase.clone()), ("", Phase::Waiting));

    assert_eq!(press(&mut state, &["esc"]), [Effect::Cancel]);
    assert!(notice(&state).contains("the profile is not written") && !state.busy());
    press(&mut state, &["r", "U", "w"]);
    answer(&mut state);
    write(&mut state, "<think>endless");
    assert!(matches!(&state.profile.draft.phase, Phase::Failed(reason) if reason.contains("wrote no profile")));
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("wrote no profile"), "{screen}");
    press(&mut state, &["w"]);
    assert_eq!(press(&mut state, &["c"]), [Effect::Cancel]);
    assert!(text_of(&drawn(&state, 120, 40)).contains("stopped; w writes it"));
    // Another person's question supersedes it.
    press(&mut state, &["w", "esc"]);
    let effects = press(&mut state, &["n"]);
    assert!(effects.contains(&Effect::Cancel) && !state.profile.draft.phase.is_open(), "{effects:?}");
    let user = effects.iter().find_map(profiles).map(|request| request.user.clone());
    assert_eq!(user, Some(UserId::new("u003")), "whose profiles are read");
}

#[test]
fn a_model_that_cannot_write_is_told_in_words() {
    let mut state = bench();
    update(&mut state, Message::Host(HostEvent::Ready(caps())));
    assert_eq!(press(&mut state, &["U", "w"]), []);
    assert!(notice(&state).contains("no chat template"), "{}", notice(&state));
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("e types one; the model has no chat template"), "{screen}");
}

#[test]
fn what_is_kept_survives_a_restart_and_another_model_finds_only_what_is_typed() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("profiles");
    let history = History::of_dataset(&dataset(), &UserId::new("u017"), Timestamp(i64::MAX));
    let written = profile::write(&Biographer::new(), &history).unwrap();
    let ask = |change: Option<Change>| {
        let (out, inbox) = mpsc::channel();
        let profiler = Profiler::start(folder.clone(), out).unwrap();
        profiler.ask(ProfileRequest { dataset: "films".into(), user: UserId::new("u017"), change });
        profiler.finish();
        match inbox.recv().unwrap() {
            Message::Profiles { known: Known { profiles: Some(profiles), failed: None }, .. } => profiles,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(Some(Change::Keep(written.clone()))), std::slice::from_ref(&written));
    assert_eq!(ask(None), std::slice::from_ref(&written));
    assert_eq!(best(&ask(None), &history, &written.model), Some(&written));
    assert_eq!(best(&ask(None), &history, "another"), None);
    let edited = written.edit("Noir, they say.").unwrap();
    ask(Some(Change::Keep(edited.clone())));
    assert_eq!(best(&ask(None), &history, "another").unwrap(), &edited);
    assert_eq!(ask(Some(Change::Drop(edited))), []);
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"], "a file of nothing goes");
}

/// The next change that went well stood for it, and the one before was lost without a word.
#[test]
fn a_profile_that_could_not_be_kept_is_kept_with_the_next_one() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("profiles");
    fs::write(&folder, "in the way").unwrap();
    let ann = UserId::new("u017");
    let history = History::of_dataset(&dataset(), &ann, Timestamp(i64::MAX));
    let written = profile::write(&Biographer::new(), &history).unwrap();
    let earlier = Profile { from: written.from - 1, history: "earlier".to_owned(), ..written.clone() };
    let edited = earlier.edit("Noir, they say.").unwrap();
    let (out, inbox) = mpsc::channel();
    let profiler = Profiler::start(folder.clone(), out).unwrap();
    let ask = |change| {
        profiler.ask(ProfileRequest { dataset: "films".into(), user: ann.clone(), change });
        match inbox.recv_timeout(Duration::from_secs(60)).unwrap() {
            Message::Profiles { known, .. } => known,
            other => panic!("{other:?}"),
        }
    };
    assert!(ask(Some(Change::Keep(edited.clone()))).failed.is_some());
    assert!(ask(None).failed.is_some(), "it is in no file still");
    fs::remove_file(&folder).unwrap();
    let both = Known { profiles: Some(vec![edited.clone(), written.clone()]), failed: None };
    assert_eq!(ask(Some(Change::Keep(written))), both);
    assert_eq!(ask(None), both);
    // What fails to the end is told at the end.
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    assert!(ask(Some(Change::Keep(edited))).failed.is_some());
    let told = profiler.finish();
    assert!(matches!(&told[..], [told] if told.contains("profiles")), "{told:?}");
}

#[test]
fn a_profile_that_cannot_be_kept_is_told_and_still_used() {
    let mut state = profiled();
    let request = ProfileRequest { dataset: "films".into(), user: UserId::new("u017"), change: None };
    let failed = Some("/nowhere/x.json: cannot be read (denied); check its permissions".to_owned());
    let known = Known { profiles: None, failed };
    update(&mut state, Message::Profiles { request, known });
    assert!(notice(&state).contains("check its permissions"));
    assert!(prompt(&state, Arm::Local).contains("profile: They come back"));
    assert!(text_of(&drawn(&state, 120, 40)).contains("not kept on disk: /nowhere/x.json"));
    press(&mut state, &["esc", "q"]);
    assert!(notice(&state).contains("/nowhere/x.json"), "what is in no file is not thrown away by one key");
    assert_eq!(state.exit, None);
    press(&mut state, &["q"]);
    assert!(state.exit.is_some());
}

#[test]
fn the_profile_on_the_screen() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut state = profiled();
        let screen = text_of(&drawn(&state, width, height));
        assert!(!screen.contains('\u{1b}'), "{screen}");
        insta::assert_snapshot!(format!("profile-board-{width}x{height}"), screen);
        press(&mut state, &["esc", "1", "z"]);
        insta::assert_snapshot!(format!("profile-pane-{width}x{height}"), text_of(&drawn(&state, width, height)));
    }
}

fn film(query: &str, day: i64) -> Asked {
    let (user, at) = (UserId::new("u017"), Timestamp(1_700_000_000 + day * 86_400));
    Asked { user, at, query: query.to_owned(), gold: Some("noir".to_owned()), form: None, source: None, held: None }
}

/// Two questions, the first answered with a stale profile that somebody changed, the second without any.
fn session() -> Session {
    let dataset = dataset();
    let memory = Memory::build(&dataset);
    let setting = defaults(&dataset, Policy::Product);
    let header = Header {
        format: FORMAT,
        program: "0".to_owned(),
        title: "profiles".to_owned(),
        dataset: DatasetId { name: "films".to_owned(), hash: dataset.content_hash(), without: Vec::new() },
        model: Some(Echo::id()),
        device: Some("cpu".to_owned()),
        setting,
        embedder: memory.embedder(),
        seed: 0,
        labels: dataset.manifest.labels.clone(),
        picked: false,
        origin: None,
    };
    let model = Biographer::new();
    let mut course = Course::default();
    let prose = Prose { prose: "noir".to_owned(), from: 2, of: 3, edited: true };
    let mut ask = |asked, prose| turn_knowing(&memory, Some(&model), setting, &mut course, asked, prose).unwrap();
    let mut events = ask(film("A diver and the tide", 95), Some(prose));
    events.extend(ask(film("Two bakers under curfew", 96), None));
    Session::new(header, events)
}

fn answers(session: &Session) -> Vec<&Answered> {
    let answered = session.events.iter().filter_map(|event| match event.as_ref() {
        Event::Answered(answered) => Some(answered),
        _ => None,
    });
    answered.collect()
}

#[test]
fn a_session_holds_the_profile_and_checks_with_it() {
    let (session, dataset) = (session(), dataset());
    for (ix, answered) in answers(&session).into_iter().enumerate() {
        assert_eq!(answered.profile.is_some(), ix < 4 && answered.arm.sees_local(), "{ix}");
    }
    let memory = Memory::build(&dataset);
    let first = film("A diver and the tide", 95);
    let read = memory.read(&first.user, &first.query, first.at).unwrap();
    let blocks = Blocks::of(&memory, &first.query, &read).with_profile(Some("noir"));
    let weights = session.header.setting.weights;
    assert_eq!(answers(&session)[3].prompt, prompt_hash(&blocks.prompt(Arm::Mediated, &weights)));
    let back = Session::parse(std::path::Path::new("a.jsonl"), &session.to_bytes().unwrap()).unwrap();
    assert_eq!(back, session);
    assert!(!check(&back, &dataset).unwrap().differs(), "{:?}", check(&back, &dataset).unwrap());

    type Change = (fn(&mut Prose), &'static str);
    let changes: [Change; 4] = [
        (|prose| prose.prose.push('!'), "prompt"),
        (|prose| prose.of = 4, "profile.of"),
        (|prose| prose.from = 9, "profile.from"),
        (|prose| prose.from = 0, "profile.from"),
    ];
    for (change, field) in changes {
        let mut events: Vec<Event> = session.events.iter().map(|event| event.as_ref().clone()).collect();
        let Event::Answered(answered) = &mut events[6] else { panic!("{:?}", events[6]) };
        change(answered.profile.as_mut().unwrap());
        let report = check(&Session::new(session.header.clone(), events), &dataset).unwrap();
        assert!(
            matches!(&report.prompts, Verdict::Differs { difference } if difference.field == field),
            "{field}: {report:?}"
        );
    }
    let mut events: Vec<Event> = session.events.iter().map(|event| event.as_ref().clone()).collect();
    let Event::Answered(answered) = &mut events[3] else { panic!("{:?}", events[3]) };
    answered.profile = Some(Prose { prose: "noir".to_owned(), from: 2, of: 3, edited: true });
    let report = check(&Session::new(session.header.clone(), events), &dataset).unwrap();
    assert!(report.differs(), "an arm that sees no local memory knows no profile");
}

#[test]
fn a_rerun_asks_with_the_recorded_profile_and_says_the_same() {
    let (session, dataset) = (session(), dataset());
    let model = Biographer::new();
    let anew = Anew { dataset: &dataset, voice: Some((&model, Echo::id())), weights: Vec::new(), policy: None };
    assert_eq!(answers(&anew.rerun(&session).unwrap()), answers(&session));
    // The recording answers it as well, prompt for prompt.
    let engine = session.engine().unwrap();
    let anew = Anew { dataset: &dataset, voice: Some((&engine, Echo::id())), weights: Vec::new(), policy: None };
    assert_eq!(answers(&anew.rerun(&session).unwrap()), answers(&session));
}

#[test]
fn replay_prints_it_in_text_and_json() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.jsonl");
    std::fs::write(&file, session().to_bytes().unwrap()).unwrap();
    let printed = |format: &str| {
        let mut command = crate::program();
        command.args(["replay", "--format", format]).arg(&file).env("HOME", home.path());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let text = printed("text");
    assert_eq!(text.matches("profile, edited; from 2 of 3 interactions: noir").count(), 1, "{text}");
    let json: serde_json::Value = serde_json::from_str(&printed("json")).unwrap();
    let told = serde_json::json!({"prose": "noir", "from": 2, "of": 3, "edited": true});
    assert_eq!((&json["turns"][0]["profile"], &json["turns"][1]["profile"]), (&told, &serde_json::Value::Null));
}

#[test]
fn ask_takes_a_profile_from_the_command_line_and_refuses_in_words() {
    let home = tempfile::tempdir().unwrap();
    let dataset = logoscope::data::sample::dataset().unwrap();
    let query = dataset.queries.last().unwrap();
    let ask = |profile: &str| {
        let mut command = crate::program();
        command.args(["ask", "--model", "none", "--format", "json", "--user", query.user.as_str()]);
        command.args(["--query", &query.query, "--profile", profile]).env("HOME", home.path());
        for name in ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"] {
            command.env_remove(name);
        }
        command.output().unwrap()
    };
    let told = |profile| serde_json::from_slice::<serde_json::Value>(&ask(profile).stdout).unwrap();
    let given = told("Likes the\nsea.");
    let prose = &given["local"]["prose"];
    assert_eq!((&prose["text"], &prose["edited"]), (&"Likes the sea.".into(), &true.into()));
    assert_eq!((&prose["from"], &prose["of"]), (&given["local"]["visible"], &given["local"]["visible"]));
    assert!(told("off")["local"].get("prose").is_none());
    let refused = ask("on");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert!(error.contains("a model writes a profile, and there is none") && error.lines().count() == 1, "{error}");
}

#[test]
fn a_redacted_session_keeps_no_word_of_a_profile_even_where_it_is_a_label() {
    let redacted = Redaction::keyed("k").of(&session()).unwrap();
    for (own, shown) in answers(&session()).iter().zip(answers(&redacted)) {
        let (Some(own), Some(shown)) = (&own.profile, &shown.profile) else { continue };
        assert!(shown.prose != own.prose && shown.prose.starts_with("t-"), "{shown:?}");
        assert_eq!((shown.from, shown.of, shown.edited), (own.from, own.of, own.edited));
    }
    assert!(answers(&redacted).iter().any(|answered| answered.profile.is_some()));
}

#[test]
fn live_use_records_the_profile_and_a_replay_shows_it() {
    let mut state = profiled();
    press(&mut state, &["esc"]);
    // A question whose evidence is recorded, asked and answered with the profile.
    let memory = Memory::build(&dataset());
    let question = state.question.clone().unwrap();
    press(&mut state, &["]"]);
    let read = memory.read(&question.user, &question.query, state.question.clone().unwrap().at).unwrap();
    let heard = logoscope::app::message::Heard {
        evidence: logoscope::session::event::Evidence::of(&memory, &read),
        embedder: memory.embedder(),
    };
    let made = Blocks::of(&memory, &question.query, &read);
    let (read, blocks) = (Box::new(read), Box::new(made.clone()));
    let ticket = state.ticket;
    let mut effects = update(&mut state, Message::MemoryRead { ticket, read, blocks, heard: Some(Box::new(heard)) });
    for arm in Arm::ALL {
        let ticket = Ticket { epoch: state.answers.epoch, id: arm as u64 };
        effects.extend(host(&mut state, HostEvent::Scores { ticket, scores: vec![-0.9, -0.8, -3.0, -2.5] }));
        effects.extend(host(&mut state, HostEvent::Done { ticket, stats: GenStats::default() }));
    }
    let written = effects.iter().filter_map(|effect| match effect {
        Effect::Record(events) => Some(events),
        _ => None,
    });
    let recorded: Vec<&Answered> = written
        .flatten()
        .filter_map(|event| match event {
            Event::Answered(answered) => Some(answered),
            _ => None,
        })
        .collect();
    assert_eq!(recorded.len(), 4);
    for answered in recorded {
        let prose = answered.profile.as_ref().map(|profile| profile.prose.as_str());
        assert_eq!(prose, answered.arm.sees_local().then_some(PROSE));
        let known = made.clone().with_profile(prose);
        assert_eq!(answered.prompt, prompt_hash(&known.prompt(answered.arm, &state.setting.weights)));
    }

    let mut state = bench();
    update(&mut state, Message::SessionOpened(Box::new(Opened::of("profiles".to_owned(), session()).unwrap())));
    press(&mut state, &["P"]);
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("profile: noir") && screen.contains("edited; from 2 of 3 interactions"), "{screen}");
}
