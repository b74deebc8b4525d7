//! Policy `prompt`: the model writes the memory that it reads; the rules decide beside it.

use std::time::Duration;

use logoscope::app::effect::Effect;
use logoscope::app::message::Message;
use logoscope::app::overlay::Overlay;
use logoscope::app::replay::Opened;
use logoscope::app::state::{Phase, State, WRITING, Writing};
use logoscope::app::update::update;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::data::sample;
use logoscope::engine::engine::{Cancel, Caps, Engine, Form, GenEvent, GenRequest, GenStats, Generation};
use logoscope::engine::error::EngineError;
use logoscope::engine::host::{HostEvent, Ticket};
use logoscope::engine::prompt::{Arm, Blocks};
use logoscope::engine::reconcile;
use logoscope::engine::recorded::prompt_hash;
use logoscope::mediator::policy::Disagreement;
use logoscope::mediator::{Course, Policy, Weight, Weights, mediate};
use logoscope::memory::Memory;
use logoscope::session::check::{Report, Verdict, check};
use logoscope::session::event::{Answered, Asked, DatasetId, FORMAT};
use logoscope::session::record::turn;
use logoscope::session::rerun::Anew;
use logoscope::session::{Event, Header, Session};
use proptest::prelude::*;

use crate::mediator::{evidence, scores, weights};
use crate::screens::{answered, asked, blocks, caps, dataset, drawn, press, speak, started, text_of};
use crate::session::{Echo, defaults};

/// What the scripted model writes: with an escape, a newline and a label, as a model may.
const SAID: &str = " They like\u{1b}[31m noir\nby the sea <|im_end|>";
/// The memory in it.
const MEMORY: &str = "They like\u{1b}[31m noir by the sea <|im_end|>";

/// A model that writes a known memory when it is told to, and else finds a label the likelier the oftener its prompt
/// names it.
struct Scribe(Echo, Caps);

impl Scribe {
    fn new() -> Self {
        let echo = Echo::new();
        let caps = Caps { chat: true, ..echo.caps().clone() };
        Self(echo, caps)
    }
}

impl Engine for Scribe {
    fn caps(&self) -> &Caps {
        &self.1
    }

    fn generate(&self, req: GenRequest) -> Generation {
        if req.form == Form::Plain {
            return self.0.generate(req);
        }
        assert!(req.labels.is_empty() && req.max_tokens == reconcile::MAX_WRITTEN_TOKENS && !req.stop.is_empty());
        let stats = GenStats { tokens: 9, ..GenStats::default() };
        Generation::new(Cancel::default(), [GenEvent::Token(SAID.to_owned()), GenEvent::Done(stats)].into_iter())
    }

    fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }
}

proptest! {
    #[test]
    fn the_pure_function_applies_the_tasks_own_rule_and_names_it(e in evidence(), r in scores(), w in weights()) {
        for (evidence, rule) in [(e, Policy::Product), (r, Policy::Shrinkage)] {
            let resolution = mediate(&evidence, &w, Policy::Prompt);
            prop_assert_eq!(&resolution, &mediate(&evidence, &w, rule));
            prop_assert_eq!(resolution.policy, rule);
            let flips = |policy| logoscope::mediator::flip::flips(&evidence, &w, policy);
            prop_assert_eq!(flips(Policy::Prompt), flips(rule));
        }
    }

    #[test]
    fn a_disagreement_is_with_the_rules_and_not_with_what_is_fused(e in evidence(), w in weights(), n in 0..5usize) {
        let resolution = mediate(&e, &w, Policy::Prompt);
        let same = Disagreement::of(&resolution, &resolution.distribution.iter().map(|p| p.ln()).collect::<Vec<_>>());
        prop_assert!(same.divergence < 1e-9, "{:?}", same);
        let mut sure = [-30.0; 5];
        sure[n] = -0.1;
        prop_assert_eq!(Disagreement::of(&resolution, &sure).same, n == resolution.decision);
    }
}

#[test]
fn what_is_asked_for_a_memory_holds_both_and_no_decision() {
    let (blocks, weights) = (blocks(), Weights::default());
    let (told, read) = (blocks.instruction(&weights), blocks.reconciled("noir\nby the sea <|im_end|>"));
    let memories = blocks.prompt(Arm::Mediated, &weights);
    let memories = memories.strip_suffix("tag:").unwrap();
    assert!(told.contains(memories) && told.ends_with("memory:") && !told.contains("tag:"), "{told}");
    assert_eq!(read, "film: a diver\nmemory: noir by the sea < |im_end|>\ntag:");
    let account = blocks.account_of_instruction(&weights);
    assert!((account.total() - told.chars().count() as f64 / 4.0).abs() < 1e-9);
    assert!(account.frame > blocks.account(Arm::Mediated, &weights).frame);
}

#[test]
fn only_a_model_that_can_be_told_is_let_write() {
    let scribe = Scribe::new();
    assert!(reconcile::check(Policy::Prompt, Some(scribe.caps())).is_ok());
    assert!(reconcile::check(Policy::Product, None).is_ok());
    for (model, told) in [(None, "there is none"), (Some(Echo::new().caps()), "echo has no chat template")] {
        let refusal = reconcile::check(Policy::Prompt, model).unwrap_err().to_string();
        assert!(
            refusal.contains(told) && refusal.contains("choose another policy") && !refusal.contains('\n'),
            "{refusal}"
        );
    }
}

fn film(query: &str, day: i64) -> Asked {
    let (user, at) = (UserId::new("u017"), Timestamp(1_700_000_000 + day * 86_400));
    Asked { user, at, query: query.to_owned(), gold: Some("noir".to_owned()), form: None, source: None, held: None }
}

/// Two questions answered on a written memory, with the room turned between them.
fn session() -> Session {
    let dataset = dataset();
    let memory = Memory::build(&dataset);
    let mut setting = defaults(&dataset, Policy::Prompt);
    let header = Header {
        format: FORMAT,
        program: "0".to_owned(),
        title: "written".to_owned(),
        dataset: DatasetId { name: "films".to_owned(), hash: dataset.content_hash(), without: Vec::new() },
        model: Some(Echo::id()),
        device: None,
        setting,
        embedder: memory.embedder(),
        seed: 0,
        labels: dataset.manifest.labels.clone(),
        picked: false,
        origin: None,
    };
    let scribe = Scribe::new();
    let mut course = Course::default();
    let mut ask = |setting, asked| turn(&memory, Some(&scribe), setting, &mut course, asked).unwrap();
    let mut events = ask(setting, film("A diver and the tide", 95));
    setting.weights = setting.weights.with(Weight::LocalRoom, 0.1);
    events.push(Event::WeightsChanged(setting));
    events.extend(ask(setting, film("Two bakers under curfew", 96)));
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
fn a_session_keeps_the_memory_its_prompt_the_rules_and_the_disagreement() {
    let (session, dataset) = (session(), dataset());
    for answered in answers(&session) {
        assert_eq!(answered.written.is_some(), answered.arm == Arm::Mediated);
        let Some(written) = &answered.written else { continue };
        assert_eq!((written.text.as_str(), written.tokens), (MEMORY, 9));
    }
    let memory = Memory::build(&dataset);
    let first = film("A diver and the tide", 95);
    let read = memory.read(&first.user, &first.query, first.at).unwrap();
    let blocks = Blocks::of(&memory, &first.query, &read);
    let mediated = answers(&session)[3].clone();
    let written = mediated.written.clone().unwrap();
    assert_eq!(written.prompt, prompt_hash(&blocks.instruction(&session.header.setting.weights)));
    assert_eq!(mediated.prompt, prompt_hash(&blocks.reconciled(MEMORY)));
    // The rules' resolution stands in the same turn, under the name of the rule.
    let Event::Mediated { resolution } = session.events[2].as_ref() else { panic!("{:?}", session.events[2]) };
    assert_eq!((resolution.policy, session.header.setting.policy), (Policy::Product, Policy::Prompt));
    assert!(written.disagreement.divergence > 0.0 && written.disagreement.divergence < 1.0);

    let back = Session::parse(std::path::Path::new("a.jsonl"), &session.to_bytes().unwrap()).unwrap();
    assert_eq!(back, session);
    assert!(!check(&back, &dataset).unwrap().differs(), "{:?}", check(&back, &dataset).unwrap());

    // The recording itself writes and answers the same again.
    let engine = back.engine().unwrap();
    let wrote = reconcile::write(&engine, &blocks, &session.header.setting.weights).unwrap();
    assert_eq!(wrote.text, MEMORY);
    let id = back.header.model.clone().unwrap();
    let anew = Anew { dataset: &dataset, voice: Some((&engine, id)), weights: Vec::new(), policy: None };
    assert_eq!(answers(&anew.rerun(&back).unwrap()), answers(&back), "computed again by what it holds");
}

fn differing(report: &Report) -> Vec<(&'static str, String)> {
    let fields = report.grades().into_iter().filter_map(|(name, _, verdict)| match verdict {
        Verdict::Differs { difference } => Some((name, difference.field.clone())),
        _ => None,
    });
    fields.collect()
}

/// A change of a recorded answer, the grade that notices and the field it names.
type Change = (fn(&mut Answered), &'static str, &'static str);

#[test]
fn every_changed_part_of_a_written_memory_is_named() {
    let (session, dataset) = (session(), dataset());
    let changes: [Change; 4] = [
        (|a| a.written.as_mut().unwrap().prompt = prompt_hash("another"), "prompts", "written.prompt"),
        (|a| a.written.as_mut().unwrap().text.push('!'), "prompts", "prompt"),
        (|a| a.written.as_mut().unwrap().tokens += 1, "answers", "written.seal"),
        (
            |a| a.written.as_mut().unwrap().disagreement.divergence += 0.01,
            "mediation",
            "written.disagreement.divergence",
        ),
    ];
    for (change, grade, field) in changes {
        let mut events: Vec<Event> = session.events.iter().map(|event| event.as_ref().clone()).collect();
        let Event::Answered(answered) = &mut events[6] else { panic!("{:?}", events[6]) };
        change(answered);
        let found = differing(&check(&Session::new(session.header.clone(), events), &dataset).unwrap());
        assert!(found.contains(&(grade, field.to_owned())), "{grade} {field}: {found:?}");
    }
}

#[test]
fn without_a_model_that_can_nothing_is_recorded() {
    let dataset = dataset();
    let memory = Memory::build(&dataset);
    let setting = defaults(&dataset, Policy::Prompt);
    let echo = Echo::new();
    for engine in [None, Some(&echo as &dyn Engine)] {
        let told = turn(&memory, engine, setting, &mut Course::default(), film("A diver", 95)).unwrap_err().to_string();
        assert!(told.contains("policy prompt has a model write"), "{told}");
    }
}

/// The workbench with a model that can be told to write, under policy `prompt`, nothing answered; the last effects beside it.
fn prompted() -> (State, Vec<Effect>) {
    let mut state = started();
    update(&mut state, Message::DataRead(std::sync::Arc::new(logoscope::app::state::Data::of(dataset()))));
    update(&mut state, Message::Host(HostEvent::Ready(Caps { name: "scribe".into(), chat: true, ..caps() })));
    update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(0) });
    press(&mut state, &["m", "m", "m", "m", "m"]);
    assert_eq!(state.setting.policy, Policy::Prompt);
    let effects = speak(&mut state);
    (state, effects)
}

fn host(state: &mut State, event: HostEvent) -> Vec<Effect> {
    update(state, Message::Host(event))
}

/// The model says `text` to what it was asked under this number, and is done.
fn say(state: &mut State, id: u64, text: &str) -> Vec<Effect> {
    let ticket = Ticket { epoch: state.answers.epoch, id };
    let stats = GenStats { prompt_tokens: 90, tokens: 7, elapsed: Duration::from_millis(800), ..GenStats::default() };
    let scores = vec![-0.9, -0.8, -3.0, -2.5];
    if id < WRITING {
        host(state, HostEvent::Scores { ticket, scores });
    }
    host(state, HostEvent::Token { ticket, text: text.to_owned() });
    host(state, HostEvent::Done { ticket, stats })
}

fn written(state: &State) -> &Writing {
    &state.answers.written
}

/// The workbench with everything written and answered.
fn read() -> State {
    let (mut state, _) = prompted();
    (0..3).for_each(|id| drop(say(&mut state, id, "noir")));
    say(&mut state, WRITING, SAID);
    say(&mut state, 3, "dystopia");
    state
}

#[test]
fn the_memory_is_asked_for_before_the_arm_that_reads_it() {
    let (mut state, effects) = prompted();
    let [Effect::Ask { epoch, requests }, Effect::Write { epoch: same, request }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(epoch, same);
    assert_eq!(requests.iter().map(|(arm, _)| *arm).collect::<Vec<_>>(), [Arm::None, Arm::Local, Arm::Global]);
    assert_eq!((request.form, written(&state).phase.clone()), (Form::Chat, Phase::Waiting));
    assert!(state.answers.arms[3].phase.is_open() && !state.outdated(Arm::Mediated));
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("the model's memory") && screen.contains("esc stops it"), "{screen}");

    let effects = say(&mut state, WRITING, SAID);
    let [Effect::Ask { epoch: later, requests }] = &effects[..] else { panic!("{effects:?}") };
    let [(Arm::Mediated, request)] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(*later, state.answers.epoch, "the same batch");
    assert_eq!(request.prompt, blocks().reconciled(MEMORY));
    say(&mut state, 3, "noir");
    assert!(written(&state).disagreement.is_some());
    assert!(!state.outdated(Arm::Mediated) && !state.memory_outdated());
}

#[test]
fn what_the_model_wrote_is_on_the_screen_and_harmless() {
    let mut state = read();
    for (name, keys) in [("mediator", &["z"][..]), ("prompts", &["z", "P"]), ("policies", &["esc", "M"])] {
        press(&mut state, keys);
        let screen = text_of(&drawn(&state, 120, 44));
        assert!(!screen.contains('\u{1b}'), "{screen}");
        insta::assert_snapshot!(format!("writing-{name}-120x44"), screen);
    }
}

#[test]
fn a_policy_that_cannot_be_chosen_is_passed_over_with_the_reason() {
    let mut state = answered();
    press(&mut state, &["m", "m", "m", "m"]);
    assert_eq!(state.setting.policy, Policy::Global);
    press(&mut state, &["m"]);
    assert_eq!(state.setting.policy, Policy::Product);
    let told = &state.notice.as_ref().unwrap().text;
    assert!(told.contains("policy prompt is passed over") && told.contains("no chat template"), "{told}");
    press(&mut state, &["M", "p", "r", "o", "m", "p", "t"]);
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("not now: the model has no chat template"), "{screen}");
    press(&mut state, &["enter"]);
    assert_eq!(state.setting.policy, Policy::Product, "greyed, and enter does not choose it");
    press(&mut state, &["M", "l", "i", "n", "enter"]);
    assert_eq!(state.setting.policy, Policy::Linear);
}

#[test]
fn turned_room_makes_the_memory_stale_and_rested_it_is_written_anew() {
    let mut state = read();
    // What the decision alone hangs on leaves the memory be, and the rules are weighed anew at once.
    let before = (state.reading.as_ref().unwrap().resolution.clone(), written(&state).disagreement);
    state.weight = Weight::PriorStrength;
    assert!(press(&mut state, &["L"]).is_empty());
    assert!(!state.memory_outdated() && state.ask_at.is_none());
    assert_ne!((state.reading.as_ref().unwrap().resolution.clone(), written(&state).disagreement), before);

    state.weight = Weight::LocalRoom;
    press(&mut state, &["H", "H", "H", "H", "H", "H", "H", "H", "H", "H"]);
    assert!(state.memory_outdated() && state.outdated(Arm::Mediated));
    let screen = text_of(&drawn(&state, 120, 40));
    assert!(screen.contains("stale, to be written anew"), "{screen}");
    let epoch = state.answers.epoch;
    let effects = update(&mut state, Message::Clock(Duration::from_secs(60)));
    let [Effect::Write { epoch: anew, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert!(*anew > epoch && !state.memory_outdated());

    // A word of the generation before never appears.
    host(&mut state, HostEvent::Token { ticket: Ticket { epoch, id: WRITING }, text: "late".into() });
    assert_eq!(written(&state).text, "");
    assert!(
        host(&mut state, HostEvent::Done { ticket: Ticket { epoch, id: WRITING }, stats: GenStats::default() })
            .is_empty()
    );
    assert_eq!(written(&state).phase, Phase::Waiting);
    // Back to where it was, a memory that stands is not written again.
    say(&mut state, WRITING, SAID);
    say(&mut state, 3, "noir");
    press(&mut state, &["m"]);
    assert_eq!(state.setting.policy, Policy::Product);
    assert!(state.outdated(Arm::Mediated), "it read the written memory, and is to read both");
    press(&mut state, &["u"]);
    assert!(!state.memory_outdated() && !state.outdated(Arm::Mediated));
}

#[test]
fn writing_can_be_stopped_and_fails_in_words() {
    let (mut state, _) = prompted();
    let ticket = Ticket { epoch: state.answers.epoch, id: WRITING };
    host(&mut state, HostEvent::Token { ticket, text: "They".into() });
    assert_eq!(press(&mut state, &["esc"]), [Effect::Cancel]);
    assert_eq!(written(&state).phase, Phase::Stopped);
    host(&mut state, HostEvent::Token { ticket, text: " late".into() });
    assert_eq!(written(&state).text, "They");
    let effects = press(&mut state, &["r"]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Write { .. })), "{effects:?}");

    assert!(say(&mut state, WRITING, "<think>endless").is_empty());
    assert!(matches!(&written(&state).phase, Phase::Failed(reason) if reason.contains("wrote no memory")));
    assert!(matches!(&state.answers.arms[3].phase, Phase::Failed(reason) if reason.contains("no memory to read")));
    // A policy that has nothing written ends the writing, and the arm reads both memories.
    press(&mut state, &["r", "m"]);
    assert!(state.memory_outdated() && state.setting.policy == Policy::Product);
    let effects = update(&mut state, Message::Clock(Duration::from_secs(60)));
    let [Effect::Ask { requests, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(requests[0].1.prompt, blocks().prompt(Arm::Mediated, &state.setting.weights));
    assert!(!written(&state).phase.is_open() && !state.memory_outdated());
    press(&mut state, &["u"]);
    // Another question supersedes whatever is written.
    press(&mut state, &["r"]);
    let effects = press(&mut state, &["n"]);
    assert!(effects.contains(&Effect::Cancel) && !written(&state).phase.is_open());
    assert!(asked().0.answers.written.prompt.is_empty(), "other policies have nothing written");
}

#[test]
fn live_use_records_what_a_replay_shows() {
    let mut state = answered();
    let opened = Opened::of("written".to_owned(), session()).unwrap();
    update(&mut state, Message::SessionOpened(Box::new(opened)));
    assert_eq!((state.setting.policy, written(&state).text.as_str()), (Policy::Prompt, MEMORY));
    let recorded = written(&state).disagreement.unwrap();
    let screen = text_of(&drawn(&state, 160, 50));
    assert!(screen.contains("written, 9 tokens") && screen.contains("the model on it"), "{screen}");
    assert!(!screen.contains('\u{1b}'));
    press(&mut state, &["P"]);
    let screen = text_of(&drawn(&state, 160, 50));
    assert!(matches!(state.overlay, Some(Overlay::Board(_))) && screen.contains("noir by the sea"), "{screen}");
    // Mediated again, the recorded words stand against other rules.
    press(&mut state, &["esc"]);
    state.weight = Weight::PriorStrength;
    press(&mut state, &["L", "L"]);
    assert_ne!(written(&state).disagreement.unwrap().divergence, recorded.divergence);
    // A session without a written memory offers none.
    press(&mut state, &["x"]);
    update(
        &mut state,
        Message::SessionOpened(Box::new(Opened::of("bare".into(), crate::replaying::session(true)).unwrap())),
    );
    assert!(state.barred(Policy::Prompt).is_some());
}

#[test]
fn the_weights_begin_where_the_rule_beside_begins() {
    let manifest = sample::dataset().unwrap().manifest;
    assert_eq!(Weights::defaults(Policy::Prompt, &manifest), Weights::defaults(Policy::Product, &manifest));
}
