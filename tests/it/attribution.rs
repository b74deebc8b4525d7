//! Attribution: what each memory and each line adds to an answer; its laws, its board, and a real model.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logoscope::app::attribution::{Found, Progress};
use logoscope::app::effect::Effect;
use logoscope::app::message::Message;
use logoscope::app::state::{ModelState, State};
use logoscope::app::update::update;
use logoscope::engine::attribution::{Attribution, Deciding, Plan, Target};
use logoscope::engine::engine::{Cancel, Caps, Engine, GenEvent, GenRequest, GenStats, Generation, LoadStage};
use logoscope::engine::error::EngineError;
use logoscope::engine::host::{EngineHost, HostEvent, Ticket};
use logoscope::engine::model::ModelSpec;
use logoscope::engine::prompt::{Arm, Blocks, Left};
use logoscope::engine::trace::{Continuation, Trace, TraceRequest, Traced};
use logoscope::mediator::{Evidence, Policy, Weight, Weights, mediate};
use logoscope::memory::why_not::Side;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use crate::replaying::replaying;
use crate::screens::{answer, answered, blocks, caps, dataset, drawn, memory_read, press, speak, started, text_of};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LABELS: [&str; 4] = ["noir", "dystopia", "comedy", "drama"];

/// A number in (0, 1) that depends on all of `text`.
fn drawn_of(text: &str) -> f64 {
    let hash = blake3::hash(text.as_bytes());
    let [a, b, ..] = *hash.as_bytes();
    (f64::from(a) * 256.0 + f64::from(b) + 1.0) / 65_538.0
}

/// What a model says that takes two letters for a token, and finds each as probable as the whole prompt makes it.
fn told(request: &TraceRequest) -> Trace {
    let ids: Vec<u32> = match &request.continuation {
        Continuation::Own { .. } => "a tale".chars().map(u32::from).collect(),
        Continuation::Text(text) => text.chars().map(u32::from).collect(),
        Continuation::Tokens(ids) => ids.clone(),
    };
    let token = |(place, id): (usize, &u32)| {
        let ln_p = drawn_of(&format!("{}{place}", request.prompt)).ln();
        Traced { id: *id, text: char::from_u32(*id).unwrap().to_string(), ln_p }
    };
    let score = |label: &String| drawn_of(&format!("{}={label}", request.prompt)).ln();
    Trace { tokens: ids.iter().enumerate().map(token).collect(), scores: request.labels.iter().map(score).collect() }
}

/// Everything that a plan asks, told by [`told`].
fn run(plan: Plan) -> Attribution {
    let mut attribution = Attribution::new(plan);
    while let Some(request) = attribution.request() {
        attribution.take(told(&request)).unwrap();
    }
    attribution
}

fn labels() -> Vec<String> {
    LABELS.map(str::to_owned).into()
}

fn words() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-c]{1,9}", 0..6)
}

/// The lines of a block, a dash before each but the heading.
fn block(words: &[String]) -> Vec<String> {
    words.iter().enumerate().map(|(n, word)| if n == 0 { word.clone() } else { format!("- {word} {n}") }).collect()
}

proptest! {
    #[test]
    fn what_is_not_there_adds_nothing_and_parts_add_up(
        own in words(), others in words(), room in (0.0..2.0f64, 0.0..2.0f64), size in 0.0..40.0f64, arm in 0..4usize,
    ) {
        let (own, others) = (block(&own), block(&others));
        let [a, b]: [Vec<&str>; 2] = [&own, &others].map(|words| words.iter().map(String::as_str).collect());
        let blocks = Blocks::new("film: x", &a, &b, "tag:", size);
        let arm = Arm::ALL[arm];
        let weights = Weights { local_room: room.0, global_room: room.1, ..Weights::default() };
        let prompt = blocks.prompt(arm, &weights);
        let laid = blocks.laid(arm, &weights);
        prop_assert_eq!(&laid.prompt(Left::Nothing), &prompt, "laid out it is what the arm reads");
        let sides = [(Side::Local, "own: nothing\n"), (Side::Global, "others: nothing\n")];
        for (side, nothing) in sides {
            let without = laid.prompt(Left::Memory(side));
            prop_assert!(without.contains(nothing));
            prop_assert_eq!(laid.holds(side), !prompt.contains(nothing));
            for (place, line) in laid.lines(side).enumerate() {
                let shorter = laid.prompt(Left::Line(side, place));
                prop_assert_eq!(shorter.len() + line.len() + 1, prompt.len(), "one line goes, nothing comes");
                prop_assert_eq!(shorter.matches(line).count() + 1, prompt.matches(line).count());
            }
        }
        let plan = Plan::of(&laid, arm, &labels(), Target::Label("noir".into()));
        let lines = sides.map(|(side, _)| laid.lines(side).count());
        prop_assert!(plan.passes() <= lines[0] + lines[1] + 4);
        prop_assert_eq!(plan.lines(), lines[0] + lines[1]);
        let attribution = run(plan);
        prop_assert_eq!(attribution.done(), attribution.plan.passes());
        prop_assert_eq!(attribution.plan.prompt(), &prompt);
        for (side, _) in sides.into_iter().filter(|(side, _)| !laid.holds(*side)) {
            prop_assert_eq!(attribution.delta(Left::Memory(side)), Some(0.0), "an empty block adds exactly nothing");
            prop_assert_eq!(attribution.deltas(Left::Line(side, 0)), None, "no line, no number");
        }
        for (left, side) in [(Left::Memory(Side::Local), Side::Global), (Left::Memory(Side::Global), Side::Local)] {
            if !laid.holds(side) {
                prop_assert_eq!(attribution.deltas(left), attribution.deltas(Left::Both), "alone it is both");
            }
        }
        let answer = attribution.answer().unwrap();
        for left in [Left::Memory(Side::Local), Left::Memory(Side::Global), Left::Both] {
            let deltas = attribution.deltas(left).unwrap();
            prop_assert_eq!(deltas.len(), answer.tokens.len());
            let difference = answer.ln_p() - attribution.without(left).unwrap().ln_p();
            prop_assert!((attribution.delta(left).unwrap() - difference).abs() < 1e-9);
        }
        let resolution = mediate(&evidence(), &weights, Policy::Product);
        let deciding = Deciding { resolution: &resolution, memory: &resolution.distribution, model_trust: 1.0 };
        let effects = attribution.lines(deciding);
        prop_assert_eq!(effects.len(), attribution.plan.lines());
        prop_assert!(effects.is_sorted_by(|a, b| a.delta.abs() >= b.delta.abs()));
        for effect in &effects {
            let left = Left::Line(effect.side, effect.place);
            prop_assert_eq!(laid.lines(effect.side).nth(effect.place), Some(effect.text.as_str()));
            prop_assert_eq!(Some(effect.delta), attribution.delta(left));
            let (with, without) = (attribution.shares(Left::Nothing).unwrap(), attribution.shares(left).unwrap());
            let (now, then) = (resolution.decide(&with), resolution.decide(&without));
            let model = effect.model.unwrap();
            prop_assert_eq!((model.decision, model.changes), (then, then != now));
            prop_assert_eq!(effect.answer, effect.model, "trusted alone, the model is the answer");
        }
    }
}

fn evidence() -> Evidence {
    logoscope::app::worker::evidence_of(&memory_read(), &dataset().manifest)
}

#[test]
fn an_answer_that_is_not_repeated_is_not_attributed() {
    let blocks = blocks();
    let plan = |written: &str| {
        let laid = blocks.laid(Arm::Mediated, &Weights::default());
        Plan::of(&laid, Arm::Mediated, &[], Target::Written(written.to_owned()))
    };
    let attribution = run(plan("a tale"));
    assert_eq!(attribution.answer().unwrap().text(), "a tale");
    assert_eq!(attribution.shares(Left::Nothing), None, "no labels, no shares");
    let mut other = Attribution::new(plan("another tale"));
    let refused = other.take(told(&other.request().unwrap())).unwrap_err().to_string();
    assert!(refused.contains("wrote something else"), "{refused}");
    // Other tokens than were asked for are no trace of the answer.
    let mut attribution = Attribution::new(plan("a tale"));
    attribution.take(told(&attribution.request().unwrap())).unwrap();
    let mut trace = told(&attribution.request().unwrap());
    trace.tokens.pop();
    assert!(attribution.take(trace).is_err());
    let mut silent = Attribution::new(plan(""));
    silent.take(Trace::default()).unwrap();
    assert_eq!(silent.request(), None, "of nothing nothing is asked");
}

/// The request among `effects`, if there is one.
fn asked(effects: &[Effect]) -> Option<(u64, TraceRequest)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Trace { epoch, request } => Some((*epoch, (**request).clone())),
        _ => None,
    })
}

fn traced(state: &mut State, epoch: u64, traced: Result<Trace, EngineError>) -> Vec<Effect> {
    update(state, Message::Host(HostEvent::Traced { ticket: Ticket { epoch, id: 0 }, traced }))
}

/// Answers every request until there is none; how many there were.
fn answer_all(state: &mut State, effects: &[Effect]) -> usize {
    let (mut next, mut count) = (asked(effects), 0);
    while let Some((epoch, request)) = next {
        count += 1;
        next = asked(&traced(state, epoch, Ok(told(&request))));
    }
    count
}

fn found(state: &State) -> &Found {
    state.attribution.found.as_ref().unwrap()
}

fn shown(state: &State) -> String {
    text_of(&drawn(state, 120, 40))
}

/// The state with the attribution of the mediated answer done.
fn attributed() -> State {
    let mut state = answered();
    let effects = press(&mut state, &["A"]);
    answer_all(&mut state, &effects);
    state
}

#[test]
fn the_board_asks_one_prompt_after_another_and_shows_what_comes() {
    let mut state = answered();
    let effects = press(&mut state, &["A"]);
    let (epoch, request) = asked(&effects).unwrap();
    let decided = state.data.as_ref().unwrap().label(state.answers.arms[3].decision).to_owned();
    assert_eq!(request.continuation, Continuation::Text(decided.clone()), "the arm's own answer");
    assert_eq!(request.prompt, state.answers.arms[3].prompt);
    assert!(state.busy() && shown(&state).contains("1 of 7 prompts"), "{}", shown(&state));
    let effects = traced(&mut state, epoch, Ok(told(&request)));
    let (second, next) = asked(&effects).unwrap();
    assert!(second > epoch && next.prompt.contains("own: nothing"), "{}", next.prompt);
    assert_eq!(next.continuation, told(&request).continuation(), "the same tokens");
    let screen = shown(&state);
    assert!(screen.contains("2 of 7 prompts") && screen.contains("3 to come"), "{screen}");
    assert_eq!(answer_all(&mut state, &effects), 6);
    assert_eq!((found(&state).progress.clone(), state.busy()), (Progress::Done, false));
    let screen = shown(&state);
    let effects = state.line_effects(found(&state));
    assert_eq!(effects.len(), 3);
    for effect in &effects {
        assert!(screen.contains(&effect.id) && screen.contains(&format!("{:+.2}", effect.line.delta)), "{screen}");
        let of_an_item = effect.line.side == Side::Local;
        assert_eq!(effect.rules.is_some(), of_an_item, "the rules leave out items, not entries");
    }
    let ids: Vec<&str> = effects.iter().map(|effect| effect.id.as_str()).collect();
    assert!(
        ["i1", "i3", "p5-c4-1"].iter().all(|id| ids.contains(id)),
        "lines are those of hits in their order: {ids:?}"
    );
    let total = found(&state).attribution.delta(Left::Memory(Side::Local)).unwrap();
    assert!(screen.contains(&format!("{total:+.2}")), "{total}: {screen}");
}

#[test]
fn arrows_choose_a_token_and_tab_an_arm() {
    let mut state = attributed();
    let token = |state: &State, place: usize| {
        let token = &found(state).attribution.answer().unwrap().tokens[place];
        format!("“{}” {} of {}", token.text, place + 1, found(state).attribution.answer().unwrap().tokens.len())
    };
    assert!(shown(&state).contains(&token(&state, 0)));
    let setting = state.setting;
    press(&mut state, &["right", "right"]);
    assert!(shown(&state).contains(&token(&state, 2)), "{}", shown(&state));
    press(&mut state, &["end", "left"]);
    let last = found(&state).attribution.answer().unwrap().tokens.len() - 1;
    assert!(shown(&state).contains(&token(&state, last - 1)));
    press(&mut state, &["home", "left"]);
    assert!(shown(&state).contains(&token(&state, 0)));
    assert_eq!(state.setting, setting, "the arrows turn nothing here");
    // Around: from the mediated arm to the one without memory, which reads one prompt.
    let effects = press(&mut state, &["tab"]);
    assert_eq!(answer_all(&mut state, &effects), 1);
    let screen = shown(&state);
    assert!(screen.contains("1 of 1 prompt") && !screen.contains("without me"), "{screen}");
    let effects = press(&mut state, &["tab"]);
    assert_eq!(answer_all(&mut state, &effects), 4, "itself, without local, without each line");
    assert!(shown(&state).contains("without me"));
    // Enter in the answers' pane opens it, too.
    press(&mut state, &["esc", "4", "enter"]);
    assert_eq!(state.attributed(), Some((Arm::Mediated, 0)));
}

#[test]
fn closing_stops_and_opening_goes_on() {
    let mut state = answered();
    let effects = press(&mut state, &["A"]);
    let (epoch, request) = asked(&effects).unwrap();
    let (late, second) = asked(&traced(&mut state, epoch, Ok(told(&request)))).unwrap();
    let effects = press(&mut state, &["esc"]);
    assert_eq!(effects, [Effect::CancelTrace(late + 1)]);
    assert!(state.overlay.is_none() && !state.busy());
    assert!(traced(&mut state, late, Ok(told(&second))).is_empty(), "what comes late is not heard");
    assert_eq!(found(&state).attribution.done(), 1);
    let effects = press(&mut state, &["A"]);
    let (_, again) = asked(&effects).unwrap();
    assert_eq!(again, second, "it goes on where it was stopped");
    assert_eq!(answer_all(&mut state, &effects), 6);
    assert!(press(&mut state, &["esc", "A"]).is_empty(), "all is known");
    let effects = press(&mut state, &["ctrl-c"]);
    assert!(state.overlay.is_none() && effects.is_empty());
}

#[test]
fn nothing_stale_is_shown() {
    let mut state = answered();
    let effects = press(&mut state, &["A"]);
    let (epoch, request) = asked(&effects).unwrap();
    // Another question: what is asked is superseded, and nothing of it is shown.
    let effects = press(&mut state, &["esc", "n"]);
    assert!(effects.contains(&Effect::CancelTrace(epoch + 1)), "{effects:?}");
    press(&mut state, &["A"]);
    assert!(state.attribution.found.is_none() && shown(&state).contains("memory is being read"), "{}", shown(&state));
    assert!(traced(&mut state, epoch, Ok(told(&request))).is_empty());
    assert!(state.attribution.found.is_none());
    speak(&mut state);
    assert!(shown(&state).contains("has not answered yet"), "{}", shown(&state));
    answer(&mut state);
    assert_eq!(found(&state).progress, Progress::Asking, "asked as soon as there is an answer");

    // A weight that changes the answer begins anew, with the other label; one that does not asks nothing.
    let mut state = attributed();
    let before = found(&state).attribution.plan.target.clone();
    state.weight = Weight::ModelTrust;
    let mut effects = Vec::new();
    while found(&state).attribution.plan.target == before {
        assert!(asked(&effects).is_none() && state.setting.weights.model_trust < 1.0, "{effects:?}");
        effects = press(&mut state, &["l"]);
    }
    let (epoch, request) = asked(&effects).unwrap();
    assert_eq!(found(&state).attribution.done(), 0);
    let decided = state.data.as_ref().unwrap().label(state.answers.arms[3].decision).to_owned();
    assert_eq!(request.continuation, Continuation::Text(decided));
    let effects = press(&mut state, &["u"]);
    assert_eq!(effects[0], Effect::CancelTrace(epoch + 1));
    assert_eq!(found(&state).attribution.plan.target, before);

    // A turned room changes the prompt, so that the answer is none to it.
    let mut state = attributed();
    state.weight = Weight::LocalRoom;
    press(&mut state, &["H", "H", "H"]);
    assert!(state.attribution.found.is_none());
    assert!(shown(&state).contains("the prompt has changed"), "{}", shown(&state));
    press(&mut state, &["u"]);
    assert_eq!(found(&state).attribution.done(), 0, "taken back it is asked anew");

    // Another model's answers are others.
    let mut state = attributed();
    update(&mut state, Message::Host(HostEvent::Ready(Caps { name: "other".into(), ..caps() })));
    assert!(state.attribution.found.is_none() && shown(&state).contains("has not answered yet"), "{}", shown(&state));
}

#[test]
fn what_cannot_be_attributed_says_why() {
    let mut state = answered();
    let effects = press(&mut state, &["A"]);
    let (epoch, request) = asked(&effects).unwrap();
    let deaf = Deaf(caps());
    let refused = deaf.trace(&request, &Cancel::default());
    assert!(traced(&mut state, epoch, refused).is_empty());
    let screen = shown(&state);
    assert!(screen.contains("nano cannot score a given answer token by token"), "{screen}");
    assert!(asked(&press(&mut state, &["esc", "A"])).is_some(), "opened again it is tried again");

    let mut state = replaying();
    assert!(press(&mut state, &["A"]).is_empty() && state.overlay.is_none());
    assert!(state.notice.as_ref().unwrap().text.contains("a asks this moment live"));
    let mut state = answered();
    state.model = ModelState::Absent("no model was asked for");
    assert!(press(&mut state, &["A"]).is_empty() && state.overlay.is_none());
    assert!(press(&mut started(), &["A"]).is_empty(), "before memory is there");
}

#[test]
fn a_model_that_wrote_nothing_has_nothing_to_attribute() {
    let mut state = answered();
    let (epoch, _) = asked(&press(&mut state, &["A"])).unwrap();
    assert!(traced(&mut state, epoch, Ok(Trace::default())).is_empty());
    assert!(shown(&state).contains("The model wrote nothing"), "{}", shown(&state));
}

#[test]
fn the_board_at_three_sizes_and_without_colour() {
    let mut state = attributed();
    press(&mut state, &["right"]);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("attribution-{width}x{height}"), text_of(&drawn(&state, width, height)));
    }
    // The sign reads without colour: much is bold, against is underlined, and blanks are neither.
    for (theme, coloured) in [("ansi", true), ("mono", false)] {
        state.theme = theme;
        let buffer = drawn(&state, 120, 40);
        assert!(coloured || buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        for (number, much, against) in
            [("+1.96", true, false), ("+0.24", false, false), ("-0.78", false, true), ("-4.09", true, true)]
        {
            let (row, column) = place_of(&buffer, number);
            let cell = |column: u16| &buffer[(column, row)];
            let (first, behind) = (cell(column).modifier, cell(column + number.len() as u16).modifier);
            assert_eq!(
                (first.contains(Modifier::BOLD), first.contains(Modifier::UNDERLINED)),
                (much, against),
                "{number}"
            );
            assert!(!behind.contains(Modifier::UNDERLINED), "{number}");
            assert_eq!(cell(column).fg != Color::Reset, coloured, "{number}");
        }
    }
    state.ascii = true;
    assert!(text_of(&drawn(&state, 80, 24)).is_ascii());
    for (width, height) in [(40, 12), (41, 13), (60, 14), (220, 70)] {
        drawn(&state, width, height);
    }
}

/// Row and column of the first place where `text` stands.
fn place_of(buffer: &Buffer, text: &str) -> (u16, u16) {
    let wanted: Vec<String> = text.chars().map(String::from).collect();
    for row in 0..buffer.area.height {
        let cells: Vec<&str> = (0..buffer.area.width).map(|column| buffer[(column, row)].symbol()).collect();
        if let Some(column) = cells.windows(wanted.len()).position(|cells| cells == wanted) {
            return (row, column as u16);
        }
    }
    panic!("{text} is nowhere");
}

/// An engine that cannot trace.
struct Deaf(Caps);

impl Engine for Deaf {
    fn caps(&self) -> &Caps {
        &self.0
    }

    fn generate(&self, _: GenRequest) -> Generation {
        Generation::new(Cancel::default(), std::iter::once(GenEvent::Done(GenStats::default())))
    }

    fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }
}

/// An engine that traces when it is let, and tells what it was asked.
struct Gated {
    caps: Caps,
    asked: Sender<String>,
    gate: Mutex<Receiver<()>>,
}

impl Engine for Gated {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn generate(&self, req: GenRequest) -> Generation {
        self.asked.send(format!("answer {}", req.prompt)).unwrap();
        Generation::new(Cancel::default(), std::iter::once(GenEvent::Done(GenStats::default())))
    }

    fn trace(&self, req: &TraceRequest, cancel: &Cancel) -> Result<Trace, EngineError> {
        self.asked.send(format!("trace {}", req.prompt)).unwrap();
        assert_ne!(req.prompt, "panic", "the engine was told to");
        let gate = self.gate.lock().unwrap();
        while gate.recv_timeout(Duration::from_millis(1)).is_err() {
            if cancel.is_cancelled() {
                self.asked.send("cancelled".to_owned()).unwrap();
                return Err(EngineError::Cancelled);
            }
        }
        Ok(Trace::default())
    }

    fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }
}

#[test]
fn the_host_traces_behind_answers_and_drops_what_is_superseded() {
    let (open, gate) = mpsc::channel();
    let (tell, said) = mpsc::channel();
    let engine: Arc<dyn Engine> = Arc::new(Gated { caps: caps(), asked: tell, gate: Mutex::new(gate) });
    let (events, heard) = mpsc::channel();
    let loader = move |_: &ModelSpec, _: &dyn Fn(LoadStage) -> Result<(), EngineError>| Ok(Arc::clone(&engine));
    let host = EngineHost::with_loader(Arc::new(loader), Box::new(move |event| drop(events.send(event)))).unwrap();
    let next = || loop {
        let event = heard.recv_timeout(PATIENCE).unwrap();
        if matches!(event, HostEvent::Traced { .. } | HostEvent::Done { .. }) {
            return event;
        }
    };
    let said = || said.recv_timeout(PATIENCE).unwrap();
    let ticket = |epoch| Ticket { epoch, id: 0 };
    let request = |prompt: &str| TraceRequest {
        prompt: prompt.into(),
        continuation: Continuation::Tokens(Vec::new()),
        labels: Vec::new(),
        words: false,
    };
    let ask = |prompt: &str| GenRequest { prompt: prompt.into(), ..GenRequest::default() };
    host.load(ModelSpec::named("gated"));
    host.trace(ticket(1), request("one"));
    assert_eq!(said(), "trace one");
    // Asked while it runs: the answer comes before the next trace, though that was asked first.
    host.trace(ticket(1), request("two"));
    host.generate(ticket(7), ask("a"));
    open.send(()).unwrap();
    assert_eq!(next(), HostEvent::Traced { ticket: ticket(1), traced: Ok(Trace::default()) });
    assert_eq!(said(), "answer a");
    assert!(matches!(next(), HostEvent::Done { ticket: Ticket { epoch: 7, .. }, .. }));
    assert_eq!(said(), "trace two");
    // Stopping answers does not stop it; another trace does.
    host.cancel();
    host.trace(ticket(2), request("three"));
    assert_eq!((said(), said()), ("cancelled".to_owned(), "trace three".to_owned()));
    open.send(()).unwrap();
    assert_eq!(next(), HostEvent::Traced { ticket: ticket(2), traced: Ok(Trace::default()) }, "nothing of two");
    host.trace(ticket(3), request("panic"));
    assert_eq!(next(), HostEvent::Traced { ticket: ticket(3), traced: Err(EngineError::Gone) });
    host.unload();
    host.trace(ticket(4), request("four"));
    assert_eq!(next(), HostEvent::Traced { ticket: ticket(4), traced: Err(EngineError::NotLoaded) });
}

/// The real engine.
#[cfg(feature = "local")]
mod local {
    use std::path::Path;

    use logoscope::data::sample;
    use logoscope::data::synth::TAGS;
    use logoscope::engine::answer;
    use logoscope::engine::answer::by_model;
    use logoscope::engine::local::LocalEngine;
    use logoscope::memory::Memory;

    use super::*;
    use crate::engine::tiny_llama;

    fn nano() -> LocalEngine {
        LocalEngine::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/models/nano")).unwrap()
    }

    fn tiny() -> LocalEngine {
        let dir = tempfile::tempdir().unwrap();
        tiny_llama::write(dir.path());
        LocalEngine::load(dir.path()).unwrap()
    }

    fn trace(engine: &LocalEngine, prompt: &str, continuation: Continuation, labels: &[String]) -> Trace {
        let request = TraceRequest { prompt: prompt.to_owned(), continuation, labels: labels.to_vec(), words: false };
        engine.trace(&request, &Cancel::default()).unwrap()
    }

    fn own(max_tokens: usize, stop: &str) -> Continuation {
        Continuation::Own { max_tokens, stop: vec![stop.to_owned()] }
    }

    /// Each token scored by itself, behind a prompt that ends in those before it: another way through the model.
    fn one_by_one(engine: &LocalEngine, prompt: &str, trace: &Trace) -> f64 {
        let mut before = engine.encode(prompt);
        let mut sum = 0.0;
        for token in &trace.tokens {
            sum += engine.score_ids(&before, &[vec![token.id]]).unwrap()[0];
            before.push(token.id);
        }
        sum
    }

    #[test]
    fn forced_tokens_are_as_probable_as_generated_ones() {
        let tiny = tiny();
        let nano = nano();
        let film = "film: A diver maps the drowned city\nown: nothing\nothers: nothing\ntag:";
        for (engine, prompt, max_tokens, stop) in
            [(&tiny, "The fog", 24, "never"), (&tiny, "Once", 30, "\n"), (&nano, film, 24, "\n")]
        {
            let generated =
                GenRequest { prompt: prompt.into(), max_tokens, stop: vec![stop.to_owned()], ..GenRequest::default() };
            let text = engine.generate(generated).finish().unwrap().text;
            let traced = trace(engine, prompt, own(max_tokens, stop), &[]);
            assert_eq!(traced.text(), text, "the answer itself");
            let forced = trace(engine, prompt, traced.continuation(), &[]);
            assert_eq!(forced, traced, "forced as generated, to the bit");
            assert_eq!(forced, trace(engine, prompt, traced.continuation(), &[]), "and every time");
            assert!(!forced.tokens.is_empty() && forced.tokens.iter().all(|token| token.ln_p <= 0.0));
            let difference = forced.ln_p() - one_by_one(engine, prompt, &forced);
            assert!(difference.abs() < 1e-4, "{difference}");
        }
    }

    #[test]
    fn a_stop_text_ends_the_traced_answer_where_it_ends_the_generated_one() {
        let engine = tiny();
        let request = |stop: &str| GenRequest {
            prompt: "Once".into(),
            max_tokens: 30,
            stop: vec![stop.to_owned()],
            ..GenRequest::default()
        };
        let whole = engine.generate(request("")).finish().unwrap().text;
        for stop in [&whole[10..12], &whole[0..1], &whole[29..30]] {
            let text = engine.generate(request(stop)).finish().unwrap().text;
            let traced = trace(&engine, "Once", own(30, stop), &[]);
            assert_eq!(traced.text(), text, "{stop:?}");
            assert_eq!(traced.tokens.len(), text.len(), "a letter a token");
        }
    }

    #[test]
    fn labels_are_scored_as_everywhere_and_a_label_is_its_tokens() {
        let tiny = tiny();
        let labels: Vec<String> = ["<noir>", "true story", "<comedy>", "ab"].map(str::to_owned).into();
        for prompt in ["film: x\ntag:", "The fog"] {
            let scores = tiny.score(prompt, &labels).unwrap();
            for (label, score) in labels.iter().zip(&scores) {
                let traced = trace(&tiny, prompt, Continuation::Text(label.clone()), &labels);
                assert_eq!(traced.scores, scores);
                assert_eq!((traced.ln_p(), traced.text()), (*score, label.clone()));
            }
            assert_eq!(trace(&tiny, prompt, Continuation::Tokens(Vec::new()), &labels).scores, scores);
            assert_eq!(trace(&tiny, prompt, own(3, "never"), &labels).scores, scores);
        }
        let nano = nano();
        let labels = TAGS.map(str::to_owned).to_vec();
        let film = "film: A diver maps the drowned city\nown: nothing\nothers: nothing\ntag:";
        let scores = nano.score(film, &labels).unwrap();
        assert_eq!(trace(&nano, film, own(24, "\n"), &labels).scores, scores);
    }

    #[test]
    fn no_first_token_is_more_probable_than_the_greedy_one() {
        let engine = tiny();
        for prompt in ["The fog", "Once", "film: x\ntag:"] {
            let first = trace(&engine, prompt, own(1, "never"), &[]).tokens[0].clone();
            let all: Vec<Vec<u32>> = (0..tiny_llama::VOCABULARY as u32).map(|token| vec![token]).collect();
            let scores = engine.score_ids(&engine.encode(prompt), &all).unwrap();
            assert!(scores.iter().all(|score| *score <= first.ln_p));
            let total: f64 = scores.iter().map(|score| score.exp()).sum();
            assert!((total - 1.0).abs() < 1e-6, "{total}");
            let other = (first.id + 1) % 200;
            let forced = trace(&engine, prompt, Continuation::Tokens(vec![other]), &[]);
            assert!(forced.ln_p() <= first.ln_p && forced.ln_p() == scores[other as usize]);
        }
    }

    /// The library computes a token more than it is asked for, at times before its last word is heard.
    #[test]
    fn traces_in_a_crowd_are_all_the_same() {
        let engine = tiny();
        let expected = trace(&engine, "Once", Continuation::Text("<noir>".into()), &[]);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        assert_eq!(trace(&engine, "Once", Continuation::Text("<noir>".into()), &[]), expected);
                    }
                });
            }
        });
    }

    #[test]
    fn a_cancelled_trace_leaves_the_engine_in_order() {
        let engine = tiny();
        let expected = trace(&engine, "Once", own(20, "never"), &[]);
        let cancel = Cancel::default();
        cancel.cancel();
        for continuation in [own(400, "never"), Continuation::Tokens(vec![40; 300])] {
            let request =
                TraceRequest { prompt: "a long story".into(), continuation, labels: Vec::new(), words: false };
            assert_eq!(engine.trace(&request, &cancel), Err(EngineError::Cancelled));
        }
        assert_eq!(trace(&engine, "Once", own(20, "never"), &[]), expected);
        let long = TraceRequest {
            prompt: "a".repeat(tiny_llama::CONTEXT),
            continuation: Continuation::Tokens(vec![40]),
            labels: Vec::new(),
            words: false,
        };
        let refused = engine.trace(&long, &Cancel::default()).unwrap_err();
        assert!(matches!(refused, EngineError::PromptTooLong { .. }), "{refused}");
    }

    /// What is left out of the prompt is missed: a memory of the answer's own tag speaks for it.
    #[test]
    fn a_memory_of_the_same_tag_speaks_for_the_answer() {
        let dataset = sample::dataset().unwrap();
        let memory = Memory::build(&dataset);
        let engine = nano();
        let labels = &dataset.manifest.labels;
        let weights = Weights::defaults(Policy::default(), &memory.manifest);
        let mut deltas: Vec<f64> = Vec::new();
        for query in dataset.queries.iter().take(30) {
            let read = memory.read(&query.user, &query.query, query.at).unwrap();
            let blocks = Blocks::of(&memory, &query.query, &read);
            let laid = blocks.laid(Arm::Mediated, &weights);
            let scores = |left| engine.score(&laid.prompt(left), labels).unwrap();
            let with = scores(Left::Nothing);
            let said = (0..with.len()).max_by(|a, b| with[*a].total_cmp(&with[*b])).unwrap();
            let hits = read.local.shown().iter().take(laid.lines(Side::Local).count()).enumerate();
            for (place, _) in hits.filter(|(_, hit)| hit.label == said) {
                deltas.push(with[said] - scores(Left::Line(Side::Local, place))[said]);
            }
        }
        let (n, speak) = (deltas.len(), deltas.iter().filter(|delta| **delta > 0.0).count());
        println!("{speak} of {n} speak for the answer, {:+.2} nats each", deltas.iter().sum::<f64>() / n as f64);
        assert!(n >= 10 && speak * 4 >= n * 3, "{speak} of {n}");
    }

    /// What is attributed is what `ask` answers: the same prompts, numbers that add up, the label scores of the answer.
    #[test]
    fn an_attribution_is_of_the_very_answer() {
        let dataset = sample::dataset().unwrap();
        let memory = Memory::build(&dataset);
        let engine = nano();
        let weights = Weights::defaults(Policy::default(), &memory.manifest);
        for query in dataset.queries.iter().take(2) {
            let read = memory.read(&query.user, &query.query, query.at).unwrap();
            let resolution = mediate(
                &Evidence::of(&read, memory.manifest.retrieval.guard, memory.manifest.calibration.local),
                &weights,
                Policy::default(),
            );
            let blocks = Blocks::of(&memory, &query.query, &read);
            let labels = memory.scored_labels();
            for arm in Arm::ALL {
                let answered = by_model(&engine, &memory, &query.query, &read, &resolution, arm, &weights).unwrap();
                let target = Target::of(labels, answered.decision, &answered.text);
                let plan = Plan::of(&blocks.laid(arm, &weights), arm, labels, target);
                assert_eq!(plan.prompt(), answer::request(&blocks, labels, arm, &weights).prompt);
                let attribution = Attribution::run(plan, &engine).unwrap();
                let said = answered.log_probabilities.unwrap();
                let trace = attribution.answer().unwrap();
                assert_eq!((&trace.scores, trace.ln_p()), (&said, said[answered.decision]));
                // What it wrote, traced in its own tokens.
                let target = Target::of(&[], 0, &answered.text);
                let plan = Plan::of(&blocks.laid(arm, &weights), arm, &[], target);
                let written = Attribution::run(plan, &engine).unwrap();
                assert_eq!(written.answer().unwrap().text(), answered.text);
            }
        }
    }

    fn logoscope(args: &[&str]) -> std::process::Output {
        crate::program().args(args).env_remove("NO_COLOR").output().unwrap()
    }

    #[test]
    fn ask_prints_an_attribution() {
        let ask = ["ask", "--user", "u017", "--query", "A diver maps the drowned city under curfew"];
        let run = |more: &[&str]| {
            let output = logoscope(&[&ask[..], more].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let plain: serde_json::Value = serde_json::from_str(&run(&["--format", "json"])).unwrap();
        assert!(plain.get("attribution").is_none());
        let told: serde_json::Value = serde_json::from_str(&run(&["--attribution", "--format", "json"])).unwrap();
        let of = &told["attribution"];
        assert_eq!((&of["arm"], &of["of"]), (&"mediated".into(), &"label".into()));
        assert_eq!(of["answer"], told["arms"]["mediated"]["answer"]);
        let hits = |side: &str| told[side]["hits"].as_array().unwrap().len();
        let lines = of["lines"].as_array().unwrap();
        assert_eq!(lines.len(), hits("local") + hits("global"));
        assert_eq!(of["prompts"].as_u64().unwrap() as usize, lines.len() + 4);
        let tokens = of["tokens"].as_array().unwrap();
        for left in ["local", "global", "both"] {
            let sum: f64 = tokens.iter().map(|token| token["delta"][left].as_f64().unwrap()).sum();
            assert!((sum - of["delta"][left].as_f64().unwrap()).abs() < 1e-9, "{of}");
        }
        let p: f64 = of["labels"].as_object().unwrap().values().map(|label| label["p"].as_f64().unwrap()).sum();
        assert!((p - 1.0).abs() < 1e-9);
        let local = run(&["--attribution=local"]);
        assert!(local.contains("attribution of local, in nats") && local.contains("without one line"), "{local}");
        for (more, expected) in [
            (&["--attribution", "--model", "none"][..], "only a model's answer can be traced"),
            (&["--attribution", "--arms", "none,local"], "arm mediated is not asked"),
            (&["--attribution=nobody"], "is no arm"),
        ] {
            let output = logoscope(&[&ask[..], more].concat());
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.code() == Some(2) && told.contains(expected), "{told}");
        }
    }
}
