//! Choosing a model in the workbench: the list, the load on its way, and what each outcome leaves.

use std::path::Path;
use std::time::Duration;

use logoscope::app::effect::Effect;
use logoscope::app::message::Message;
use logoscope::app::shelf::Source;
use logoscope::app::state::{ModelState, State};
use logoscope::app::stock::Offer;
use logoscope::app::update::update;
use logoscope::engine::engine::{Caps, LoadStage};
use logoscope::engine::error::EngineError;
use logoscope::engine::fit::{Trained, Training};
use logoscope::engine::host::{HostEvent, Ticket};
use logoscope::engine::model::{Located, Origin};
use logoscope::engine::room::Need;

use crate::screens::{answered, caps, drawn, press, speak, started, text_of};

fn host(state: &mut State, event: HostEvent) -> Vec<Effect> {
    update(state, Message::Host(event))
}

fn offers() -> Vec<Offer> {
    let offer =
        |name: &str, note: &str, place: &str| Offer { name: name.into(), note: note.into(), place: place.into() };
    vec![
        offer("acme/tiny:tiny-q4.gguf", "used lately", ""),
        offer("/home/ann/models/qwen3-0.6b", "safetensors 1.2 GB", "models folder"),
    ]
}

/// The state with another model chosen, of which the host knows; the effects of choosing it beside it.
fn chosen() -> (State, Vec<Effect>) {
    let mut state = answered();
    let asked = press(&mut state, &["ctrl-o"]);
    assert!(matches!(&asked[..], [Effect::FindModels(_)]), "{asked:?}");
    update(&mut state, Message::ModelsFound(offers()));
    press(&mut state, &["q", "w", "e", "n"]);
    let effects = press(&mut state, &["enter"]);
    host(&mut state, HostEvent::Heeded(1));
    (state, effects)
}

fn other() -> Caps {
    Caps { name: "qwen3-0.6b".into(), parameters: 600_000_000, ..caps() }
}

fn origin() -> Origin {
    let need = Need { weights: 2_400_000_000, positions: 0, cache: 469_762_048, context: 4096 };
    Origin { place: Located::Files("/home/ann/models/qwen3-0.6b".into()), training: Training::default(), need }
}

#[test]
fn the_list_offers_what_there_is() {
    let mut state = answered();
    press(&mut state, &["ctrl-o"]);
    update(&mut state, Message::ModelsFound(offers()));
    insta::assert_snapshot!("over-models-100x30", text_of(&drawn(&state, 100, 30)));
    // What is found later leaves filter and selection as they are.
    press(&mut state, &["t", "i", "n", "y"]);
    update(&mut state, Message::ModelsFound(offers()));
    let text = text_of(&drawn(&state, 100, 30));
    assert!(text.contains("tiny-q4.gguf") && !text.contains("1.2 GB"), "{text}");
}

#[test]
fn the_present_model_answers_until_the_next_is_ready() {
    let (mut state, effects) = chosen();
    assert!(matches!(&effects[..], [Effect::Load(spec)] if spec.name == "/home/ann/models/qwen3-0.6b"), "{effects:?}");
    assert_eq!(state.model, ModelState::Ready(caps()), "the old one serves");
    let stage = LoadStage::Downloading { done: 1_200_000_000, total: 4_900_000_000 };
    host(&mut state, HostEvent::Loading { stage, elapsed: Duration::ZERO });
    host(&mut state, HostEvent::Resident(3_100_000_000));
    let text = text_of(&drawn(&state, 200, 40));
    let header = text.lines().next().unwrap();
    assert!(header.contains("nano 3.1M cpu f32"), "{header}");
    assert!(header.contains("qwen3-0.6b") && header.contains("downloading 1.2 GB of 4.9 GB"), "{header}");
    assert!(header.contains("3.1 GB") && header.contains("esc stops"), "{header}");
    assert!(state.busy());
    let epoch = state.answers.epoch;
    host(&mut state, HostEvent::Origin(origin()));
    let effects = host(&mut state, HostEvent::Ready(other()));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Read(_))), "asked anew: {effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::NoteModel { .. })), "{effects:?}");
    assert_eq!((state.model.clone(), state.incoming.clone()), (ModelState::Ready(other()), None));
    assert_eq!(state.setting.weights.model_trust, 0.0, "another model has yet to earn its share");
    assert!(matches!(&speak(&mut state)[..], [Effect::Ask { .. }]));
    assert!(state.answers.epoch > epoch, "nothing of the model before is taken in");
    let text = text_of(&drawn(&state, 200, 40));
    assert!(text.lines().next().unwrap().contains("qwen3-0.6b 600M cpu f32 kv 470 MB"), "{text}");
}

#[test]
fn escape_and_failure_leave_the_model_as_it_was() {
    let (mut state, _) = chosen();
    let before = state.answers.clone();
    let effects = press(&mut state, &["esc"]);
    assert_eq!(effects, [Effect::CancelLoad]);
    assert_eq!((state.model.clone(), state.incoming.clone()), (ModelState::Ready(caps()), None));
    // With answers under way the header offers to stop one thing at a time.
    let (mut state, _) = chosen();
    press(&mut state, &["r"]);
    assert_eq!(text_of(&drawn(&state, 200, 40)).lines().next().unwrap().matches("esc stops").count(), 1);
    assert_eq!(press(&mut state, &["esc"]), [Effect::CancelLoad]);
    assert!(state.answers.open());
    assert_eq!(press(&mut state, &["esc"]), [Effect::Cancel]);
    let (mut state, _) = chosen();
    host(&mut state, HostEvent::Origin(origin()));
    let error = EngineError::Load { path: "/x".into(), reason: "it is damaged".into(), remedy: "copy it again".into() };
    assert!(host(&mut state, HostEvent::LoadFailed(error)).is_empty());
    assert_eq!((state.model.clone(), state.incoming.clone()), (ModelState::Ready(caps()), None));
    assert_eq!(format!("{:?}", state.answers), format!("{before:?}"));
    assert!(state.notice.as_ref().is_some_and(|notice| notice.failure && notice.text.contains("damaged")));
    assert!(!state.busy() && state.need.is_none());
}

/// What was said of one load was taken for the next one's or for nobody's, and another model answered unseen, in the file of
/// the one before.
#[test]
fn what_crosses_a_cancel_or_another_choice_is_not_taken_for_something_else() {
    let reads = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Read(_)));
    let error = || EngineError::Load { path: "/x".into(), reason: "it is damaged".into(), remedy: "copy it".into() };
    // Cancelled when it was ready: it is what answers.
    let (mut state, _) = chosen();
    assert_eq!(press(&mut state, &["esc"]), [Effect::CancelLoad]);
    assert!(reads(&host(&mut state, HostEvent::Ready(other()))));
    assert_eq!(state.model, ModelState::Ready(other()));
    assert!(state.notice.as_ref().unwrap().text.contains("qwen3-0.6b was ready before"), "{:?}", state.notice);
    // Another one chosen meanwhile is on its way still, whatever has come of the first.
    for came in [true, false] {
        let (mut state, _) = chosen();
        press(&mut state, &["ctrl-o", "/", "z", "z", "enter"]);
        let first = if came { HostEvent::Ready(other()) } else { HostEvent::LoadFailed(error()) };
        let effects = host(&mut state, first);
        assert_eq!((reads(&effects), state.model == ModelState::Ready(other())), (came, came));
        assert_eq!(state.incoming.as_ref().map(|incoming| incoming.name.as_str()), Some("/zz"));
        assert!(state.notice.is_none(), "{:?}", state.notice);
        host(&mut state, HostEvent::Heeded(2));
        assert!(reads(&host(&mut state, HostEvent::Ready(Caps { name: "zz".into(), ..caps() }))));
        assert_eq!((state.model_name.as_str(), &state.incoming), ("zz", &None));
    }
    // What was let go does not come back.
    let (mut state, _) = chosen();
    assert!(press(&mut state, &["ctrl-o", "down", "enter"]).contains(&Effect::Unload));
    for event in [HostEvent::Origin(origin()), HostEvent::Ready(other()), HostEvent::LoadFailed(error())] {
        assert_eq!(host(&mut state, event), []);
        assert!(matches!(state.model, ModelState::Absent(_)));
    }
}

#[test]
fn none_is_memory_alone_and_a_typed_name_is_loaded() {
    let mut state = answered();
    press(&mut state, &["ctrl-o", "down"]);
    let effects = press(&mut state, &["enter"]);
    assert!(effects.contains(&Effect::Unload), "{effects:?}");
    assert!(matches!(state.model, ModelState::Absent(_)));
    assert_eq!(state.setting.weights.model_trust, 0.0);
    speak(&mut state);
    assert!(text_of(&drawn(&state, 120, 40)).contains("memory only"));
    press(&mut state, &["ctrl-o", "down", "down", "enter"]);
    assert!(text_of(&drawn(&state, 120, 40)).contains("owner/name"));
    press(&mut state, &["n", "a", "n", "o"]);
    let effects = press(&mut state, &["enter"]);
    assert!(matches!(&effects[..], [Effect::Load(spec)] if spec.name == "nano"), "{effects:?}");
    host(&mut state, HostEvent::Heeded(2));
    let shipped = Training { tasks: None, shipped: true };
    host(&mut state, HostEvent::Origin(Origin { training: shipped, ..origin() }));
    host(&mut state, HostEvent::Ready(caps()));
    assert_eq!(state.setting.weights.model_trust, 0.25, "the dataset's, for the model that it was fitted for");
}

#[test]
fn a_model_for_other_labels_is_loaded_and_not_asked() {
    let (mut state, _) = chosen();
    let training = Training {
        tasks: Some(vec![Trained { wording: None, labels: Some(vec!["politics".into()]) }]),
        shipped: false,
    };
    host(&mut state, HostEvent::Origin(Origin { training, ..origin() }));
    host(&mut state, HostEvent::Ready(other()));
    assert!(matches!(&state.model, ModelState::Unfit(reason) if reason.contains("qwen3-0.6b")), "{:?}", state.model);
    assert!(speak(&mut state).is_empty());
    // And the next one that fits is asked again.
    press(&mut state, &["ctrl-o", "enter"]);
    host(&mut state, HostEvent::Heeded(2));
    host(&mut state, HostEvent::Origin(origin()));
    host(&mut state, HostEvent::Ready(caps()));
    assert_eq!(state.model, ModelState::Ready(caps()));
    assert!(matches!(&speak(&mut state)[..], [Effect::Ask { .. }]));
}

#[test]
fn a_model_that_died_comes_back_without_being_asked_what_it_died_of() {
    let mut state = answered();
    assert!(matches!(&press(&mut state, &["r"])[..], [Effect::Ask { .. }]));
    let epoch = state.answers.epoch;
    for id in 0..4 {
        host(&mut state, HostEvent::Failed { ticket: Ticket { epoch, id }, error: EngineError::Gone });
    }
    let stage = LoadStage::Weights;
    assert!(host(&mut state, HostEvent::Loading { stage, elapsed: Duration::ZERO }).is_empty());
    let text = text_of(&drawn(&state, 200, 40));
    assert!(state.busy() && text.lines().next().unwrap().contains("stopped, loaded again"), "{text}");
    host(&mut state, HostEvent::Origin(origin()));
    assert!(host(&mut state, HostEvent::Ready(caps())).is_empty(), "it would die of it again");
    let text = text_of(&drawn(&state, 200, 40));
    assert!(!state.busy() && !text.contains("loaded again"), "{text}");
    assert!(text.contains("stopped without finishing its answer; ask again"), "{text}");
    assert!(matches!(&press(&mut state, &["r"])[..], [Effect::Ask { .. }]), "unless somebody wants it");
}

/// What `--model` names is used, too.
#[test]
fn a_model_that_is_named_at_the_start_is_kept_in_mind() {
    let notes = |effect: &Effect| match effect {
        Effect::NoteModel { name, .. } => Some(name.clone()),
        _ => None,
    };
    for (name, kept) in [("/models/mine", Some("/models/mine")), ("nano", None)] {
        let mut state = started();
        update(&mut state, Message::ModelNamed(name.to_owned()));
        host(&mut state, HostEvent::Heeded(1));
        let effects = host(&mut state, HostEvent::Ready(caps()));
        assert_eq!(effects.iter().find_map(notes).as_deref(), kept, "{effects:?}");
        assert!(!host(&mut state, HostEvent::Ready(caps())).iter().any(|effect| notes(effect).is_some()), "once");
    }
}

/// What no row is called is taken as it is typed: no way around over "another model".
#[test]
fn a_name_that_is_not_in_the_list_is_taken_as_typed() {
    let mut state = answered();
    press(&mut state, &["ctrl-o"]);
    "/no/such/model".chars().for_each(|letter| drop(press(&mut state, &[&letter.to_string()])));
    assert!(text_of(&drawn(&state, 120, 40)).contains("enter takes it as it is typed"));
    let effects = press(&mut state, &["enter"]);
    let named = |effect: &Effect| matches!(effect, Effect::Load(spec) if spec.name == "/no/such/model");
    assert!(effects.iter().any(named), "{effects:?}");
    let mut state = answered();
    press(&mut state, &["O"]);
    "/no/such.jsonl".chars().for_each(|letter| drop(press(&mut state, &[&letter.to_string()])));
    let effects = press(&mut state, &["enter"]);
    let opened =
        |effect: &Effect| matches!(effect, Effect::Open(Source::File(path)) if path == Path::new("/no/such.jsonl"));
    assert!(effects.iter().any(opened), "{effects:?}");
    // Somebody who is not there is nobody.
    press(&mut state, &["esc", "w", "q", "q", "q"]);
    assert_eq!(press(&mut state, &["enter"]), []);
}
