//! The ladder and the dial in the workbench: what they show is what a session records, and the whole history comes back.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use logoscope::app::effect::Effect;
use logoscope::app::message::{Heard, Message};
use logoscope::app::replay::Opened;
use logoscope::app::rungs::{self, Kind, News, Rung};
use logoscope::app::state::{Data, Start, State};
use logoscope::app::update::update;
use logoscope::data::dataset::Dataset;
use logoscope::data::sample;
use logoscope::engine::prompt::{Arm, Blocks};
use logoscope::memory::Memory;
use logoscope::session::Session;
use logoscope::session::event::{Asked, Event, Evidence};
use logoscope::session::scenario::{Options, Plan, Scenario};

use crate::screens::{drawn, press, text_of};

/// Does what `effects` ask of memory, until nothing more is asked.
fn serve(state: &mut State, memory: &Memory, effects: Vec<Effect>) {
    let mut waiting = effects;
    while !waiting.is_empty() {
        let mut next = Vec::new();
        for effect in std::mem::take(&mut waiting) {
            match effect {
                Effect::Read(request) => {
                    let question = &request.question;
                    let read = memory.read(&question.user, &question.query, question.at).unwrap();
                    let blocks = Box::new(Blocks::of(memory, &question.query, &read));
                    let heard = Heard { evidence: Evidence::of(memory, &read), embedder: memory.embedder() };
                    let heard = Some(Box::new(heard));
                    let ticket = request.ticket;
                    next.extend(update(state, Message::MemoryRead { ticket, read: Box::new(read), blocks, heard }));
                }
                Effect::Climb(request) => {
                    let news = RefCell::new(Vec::new());
                    rungs::climb(memory, &request, &|| true, &|told| news.borrow_mut().push(told));
                    for news in news.into_inner() {
                        let news = Box::new(news);
                        next.extend(update(state, Message::Climbed { ticket: request.ticket, news }));
                    }
                }
                _ => {}
            }
        }
        waiting = next;
    }
}

/// The workbench on the sample at a judged query of this person, answered from memory alone.
fn at(dataset: &Dataset, memory: &Memory, user: &str) -> State {
    let start = Start { dataset_name: "film-tags".into(), record: true, ..Start::default() };
    let mut state = State::new(start);
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset.clone()))));
    let opening = dataset.queries.iter().position(|query| query.user.as_str() == user);
    let effects = update(&mut state, Message::MemoryBuilt { periods: memory.periods(), opening });
    serve(&mut state, memory, effects);
    assert!(state.reading.is_some());
    state
}

fn keys(state: &mut State, memory: &Memory, keys: &[&str]) {
    for key in keys {
        let effects = press(state, &[key]);
        serve(state, memory, effects);
    }
}

/// The turns of a session, each with what it asked and what memory said.
fn turns(dataset: &Dataset, scenario: Scenario, options: &Options, state: &State) -> Vec<(Asked, Evidence, String)> {
    let user = &state.question.as_ref().unwrap().user;
    let plan = Plan::with(options, scenario, dataset, Some(user), &state.setting, None).unwrap();
    let session = plan.record(dataset, state.setting, None).unwrap();
    let mut turns: Vec<(Asked, Evidence, String)> = Vec::new();
    let mut asked = None;
    for event in &session.events {
        match event.as_ref() {
            Event::Asked(question) => asked = Some(question.clone()),
            Event::Evidence(evidence) => turns.push((asked.take().unwrap(), evidence.clone(), String::new())),
            Event::Mediated { resolution } => turns.last_mut().unwrap().2.clone_from(&resolution.decision),
            _ => {}
        }
    }
    turns
}

/// Live, a rung says what the session of the same scenario records there: evidence, held items and decision.
#[test]
fn a_live_rung_is_the_rung_of_a_session() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    for (key, scenario) in [("C", Scenario::Ladder), ("B", Scenario::Dial)] {
        let mut state = at(&dataset, &memory, "u216");
        let options = Options { most: 16, ..Options::default() };
        let recorded = turns(&dataset, scenario, &options, &state);
        // The newest questions of a session are the last judged ones.
        let last = recorded.last().unwrap().0.clone();
        let ix = dataset.queries.iter().position(|query| Some(&query.id) == last.source.as_ref()).unwrap();
        while state.judged != Some(ix) {
            keys(&mut state, &memory, &["n"]);
        }
        keys(&mut state, &memory, &[key, "home"]);
        let mut compared = 0;
        for _ in 0..state.rungs.scale.as_ref().unwrap().rungs.len() {
            let held = state.rungs.found[state.rungs.at].held.clone();
            let same =
                recorded.iter().find(|(asked, ..)| asked.source == last.source && asked.held.as_ref() == Some(&held));
            if let Some((_, evidence, decision)) = same {
                assert_eq!(&state.rungs.found[state.rungs.at].heard.evidence, evidence);
                let reading = state.reading.as_ref().unwrap();
                let labels = dataset.manifest.responses();
                assert_eq!(&labels[reading.resolution.decision], decision);
                assert_eq!(reading.read.local.visible(), held.len());
                compared += 1;
            }
            keys(&mut state, &memory, &["right"]);
        }
        assert!(compared >= 5, "{key}: {compared} rungs in common");
    }
}

#[test]
fn the_whole_history_comes_back_and_the_study_never_sees_a_rung() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let mut state = at(&dataset, &memory, "u216");
    let (before, studied) = (state.reading.clone().unwrap(), state.study.steps.clone());
    keys(&mut state, &memory, &["C"]);
    assert_eq!(state.rungs.set, None, "nothing is hidden until a rung is chosen");
    assert_eq!(state.reading.as_ref().unwrap().read, before.read);
    keys(&mut state, &memory, &["left", "left"]);
    let rung = state.rungs.rung().unwrap();
    let Rung::Newest(m) = rung else { panic!("{rung:?}") };
    assert_eq!(state.reading.as_ref().unwrap().read.local.visible(), m);
    assert_eq!(state.study.steps, studied);
    let screen = text_of(&drawn(&state, 140, 48));
    assert!(screen.contains(&format!("{m} of {} items held", before.read.local.visible())), "{screen}");
    assert!(screen.contains("hand-over not reached over 1 judged question"), "{screen}");
    keys(&mut state, &memory, &["n"]);
    assert_eq!(state.rungs.rung().map(|again| again.is_like(rung)), Some(true), "the rung stays");
    assert_eq!(state.rungs.verdicts[0].so_far.0, 2);
    keys(&mut state, &memory, &["p", "esc"]);
    assert_eq!(state.reading.as_ref().unwrap().read, before.read);
    assert_eq!((state.rungs.set, state.rungs.wanted.clone()), (None, None));
}

/// What the rung held stood at home for the whole history from then on.
#[test]
fn a_visit_that_began_on_a_rung_comes_back_to_the_whole_history() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let mut state = at(&dataset, &memory, "u216");
    let whole = state.reading.clone().unwrap().read;
    keys(&mut state, &memory, &["C", "left", "left"]);
    assert_ne!(state.reading.as_ref().unwrap().read, whole);
    let (name, bytes) = sample::sessions()[0];
    let session = Session::parse(Path::new(name), bytes).unwrap();
    update(&mut state, Message::SessionOpened(Box::new(Opened::of(name.to_owned(), session).unwrap())));
    keys(&mut state, &memory, &["esc", "a"]);
    assert!(state.visit.is_some() && state.reading.is_some() && state.rungs.set.is_none());
    keys(&mut state, &memory, &["a", "x"]);
    assert_eq!(state.reading.as_ref().unwrap().read, whole);
    assert_eq!((state.rungs.set, state.rungs.wanted.clone()), (None, None));
}

/// The list closed the ladder: the whole history's answer was called right in the place of the rung's.
#[test]
fn what_is_called_right_on_a_rung_is_its_answer() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let mut state = at(&dataset, &memory, "u216");
    let answer = |state: &State| state.data.as_ref().unwrap().label(state.answers.arms[3].decision).to_owned();
    let whole = answer(&state);
    keys(&mut state, &memory, &["C", "home"]);
    let rung = state.rungs.set;
    assert!(rung == Some(0) && answer(&state) != whole, "{whole}");
    let expected = answer(&state);
    keys(&mut state, &memory, &["+"]);
    assert_eq!((state.rungs.set, answer(&state)), (rung, expected.clone()));
    keys(&mut state, &memory, &["enter"]);
    assert_eq!((state.rungs.set, answer(&state)), (rung, expected.clone()), "the rung stays");
    let words = &state.said.last().unwrap().words;
    assert_eq!(words.iter().map(|word| &word.answer).collect::<Vec<_>>(), [&expected]);
    // A note beside it keeps it, too.
    keys(&mut state, &memory, &["\"", "h", "m", "enter"]);
    assert_eq!((state.rungs.set, answer(&state)), (rung, expected));
}

/// What was read of the memory at home was shown of the moment's, which may hold other things.
#[test]
fn a_visit_reads_rungs_of_its_own_and_home_keeps_its() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let mut state = at(&dataset, &memory, "u216");
    let asked = state.question.clone();
    keys(&mut state, &memory, &["C", "esc"]);
    let (name, bytes) = sample::sessions()[0];
    let session = Session::parse(Path::new(name), bytes).unwrap();
    update(&mut state, Message::SessionOpened(Box::new(Opened::of(name.to_owned(), session).unwrap())));
    keys(&mut state, &memory, &["a", "p"]);
    assert!(state.visit.is_some() && state.question == asked);
    let climbs = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Climb(_)));
    let effects = press(&mut state, &["C"]);
    assert!(climbs(&effects), "{effects:?}");
    serve(&mut state, &memory, effects);
    keys(&mut state, &memory, &["n", "p", "esc", "a", "x"]);
    assert!(state.visit.is_none() && state.replay.is_none() && state.question == asked);
    assert!(!climbs(&press(&mut state, &["C"])), "home has its own still");
    assert_eq!(state.rungs.verdicts[0].so_far.0, 1, "what was asked away does not count here");
}

/// At another moment memory may hold the very answer: such a question was counted among those so far.
#[test]
fn a_question_asked_at_another_moment_is_read_and_not_counted() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let mut state = at(&dataset, &memory, "u216");
    keys(&mut state, &memory, &["[", "C"]);
    assert!(state.is_moved() && state.judged.is_some() && !state.rungs.verdicts.is_empty());
    assert_eq!(state.rungs.verdicts[0].so_far.0, 0);
    keys(&mut state, &memory, &["esc", "]", "C"]);
    assert!(!state.is_moved());
    assert_eq!(state.rungs.verdicts[0].so_far.0, 1, "asked as it is judged it counts");
}

#[test]
fn weights_are_felt_on_every_rung() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let mut state = at(&dataset, &memory, "u216");
    keys(&mut state, &memory, &["C"]);
    keys(&mut state, &memory, &["m"]);
    while state.setting.policy.to_string() != "local" {
        keys(&mut state, &memory, &["m"]);
    }
    assert!(state.rungs.verdicts.iter().all(|v| v.arms[Arm::Mediated as usize].0 == v.arms[Arm::Local as usize].0));
    let [none, local, ..] = state.rungs.verdicts[0].arms;
    assert_eq!(none.0, local.0, "without items local answers with the base rate");
    // Where only the person's own memory is hidden, others say the same about whoever has no community.
    assert!(state.rungs.verdicts.iter().all(|v| v.arms[Arm::None as usize] == none));
}

#[test]
fn a_climb_that_is_not_wanted_stops_within_a_rung() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let mut state = at(&dataset, &memory, "u216");
    let effects = press(&mut state, &["C"]);
    let request = effects.into_iter().find_map(|effect| match effect {
        Effect::Climb(request) => Some(request),
        _ => None,
    });
    let request = request.unwrap();
    let told = RefCell::new(0);
    let wanted = || *told.borrow() < 3;
    rungs::climb(&memory, &request, &wanted, &|_| *told.borrow_mut() += 1);
    assert_eq!(told.into_inner(), 3, "the rungs' names and two of them");
    // What it would have told comes too late for another board.
    keys(&mut state, &memory, &["esc"]);
    let late = News::Nothing("late".into());
    update(&mut state, Message::Climbed { ticket: request.ticket, news: Box::new(late) });
    assert_eq!(state.rungs.failed, None);
}

#[test]
fn somebody_without_history_has_one_rung_and_nothing_to_skew() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let newcomer = dataset
        .queries
        .iter()
        .find(|query| dataset.interactions.iter().all(|i| i.user != query.user || i.at >= query.at));
    let mut state = at(&dataset, &memory, newcomer.unwrap().user.as_str());
    keys(&mut state, &memory, &["C"]);
    assert_eq!(state.rungs.scale.as_ref().unwrap().rungs, [Rung::All(0)]);
    keys(&mut state, &memory, &["esc", "B"]);
    assert!(
        state.climbs() == Some(Kind::Dial) && state.rungs.failed.as_ref().unwrap().contains("nothing is remembered")
    );
    let screen = text_of(&drawn(&state, 100, 30));
    assert!(screen.contains("nothing is remembered yet"), "{screen}");
}
