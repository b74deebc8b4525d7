//! Choosing a dataset in the workbench: the list, the one on its way, and what each outcome leaves.

use std::path::Path;
use std::sync::Arc;

use logoscope::app::datasets::Place;
use logoscope::app::effect::Effect;
use logoscope::app::message::Message;
use logoscope::app::replay::Opened;
use logoscope::app::state::{Data, ModelState, State};
use logoscope::app::stock::Offer;
use logoscope::app::update::update;
use logoscope::data::dataset::Dataset;
use logoscope::data::sample;
use logoscope::engine::fit::{Trained, Training};

use crate::replaying::{hear, recording, session, written};
use crate::screens::{answered, caps, dataset, drawn, press, started, text_of};

/// The worker of this number tells something.
fn told(state: &mut State, worker: u64, news: Message) -> Vec<Effect> {
    update(state, Message::OfWorker { worker, news: Box::new(news) })
}

/// The worker of this number has built memory of `data`.
fn built(state: &mut State, worker: u64, data: &Dataset) -> Vec<Effect> {
    let mut effects = told(state, worker, Message::DataRead(Arc::new(Data::of(data.clone()))));
    effects.extend(told(state, worker, Message::MemoryBuilt { periods: 6, opening: Some(0) }));
    effects
}

fn headlines() -> Dataset {
    sample::named("headlines").unwrap()
}

/// Chooses the shipped headlines.
fn choose(state: &mut State) -> Vec<Effect> {
    press(state, &["ctrl-f", "down", "down", "enter"])
}

fn notice(state: &State) -> &str {
    state.notice.as_ref().map_or("", |notice| notice.text.as_str())
}

fn turns(effects: &[Effect]) -> bool {
    effects.contains(&Effect::TurnToData)
}

#[test]
fn every_shipped_dataset_is_listed_and_opens() {
    let mut state = answered();
    let asked = press(&mut state, &["ctrl-f"]);
    assert!(matches!(&asked[..], [Effect::FindDatasets(_)]), "{asked:?}");
    let lately = Offer { name: "/data/books".into(), note: "opened lately".into(), place: String::new() };
    update(&mut state, Message::DatasetsFound(vec![lately]));
    let text = text_of(&drawn(&state, 100, 30));
    for (name, about) in sample::DATASETS {
        assert_eq!(sample::named(name).unwrap().manifest.name, name);
        assert!(text.contains(name) && text.contains(about), "{text}");
    }
    assert!(text.contains("another folder") && text.contains("opened lately  /data/books"), "{text}");
    let before = (state.dataset_name.clone(), state.question.clone());
    assert!(press(&mut state, &["esc"]).is_empty() && state.overlay.is_none());
    assert_eq!((state.dataset_name.clone(), state.question.clone()), before);
    let folder = |path: &str| Place::Folder(path.into());
    let effects = press(&mut state, &["ctrl-f", "b", "o", "o", "k", "enter"]);
    assert_eq!(effects[1..], [Effect::OpenData { worker: 1, place: folder("/data/books") }]);
    // What no row is called is taken as it is typed, and an empty line for nothing.
    press(&mut state, &["ctrl-f"]);
    "/data/plays".chars().for_each(|letter| drop(press(&mut state, &[&letter.to_string()])));
    assert_eq!(press(&mut state, &["enter"]), [Effect::OpenData { worker: 2, place: folder("/data/plays") }]);
    press(&mut state, &["ctrl-f", "a", "n", "o", "t", "h", "e", "r", "enter"]);
    assert!(text_of(&drawn(&state, 100, 30)).contains("dataset.toml"));
    assert!(press(&mut state, &["enter"]).is_empty() && state.overlay.is_none());
}

#[test]
fn the_present_dataset_stays_until_the_next_is_ready_and_everything_begins_anew() {
    let mut state = recording();
    press(&mut state, &["t"]);
    let (theme, question, other) = (state.theme, state.question.clone(), headlines());
    let asked = Effect::OpenData { worker: 1, place: Place::Shipped("headlines") };
    assert_eq!(choose(&mut state).last(), Some(&asked));
    told(&mut state, 1, Message::Stage("building memory"));
    let header = text_of(&drawn(&state, 160, 40)).lines().next().unwrap().to_owned();
    assert!(header.contains("headlines: building memory") && header.contains("esc stops"), "{header}");
    assert!(state.busy());
    // A gesture on a slider is not written before it ends.
    press(&mut state, &["l"]);
    assert_eq!((state.dataset_name.as_str(), &state.question), ("films", &question));

    let effects = built(&mut state, 1, &other);
    let (header, events) = written(effects.clone());
    assert!(header.is_none() && events[0].tag() == "weights-changed", "the session before ends whole: {events:?}");
    let place = |wanted: fn(&Effect) -> bool| effects.iter().position(wanted).unwrap();
    let turned = place(|effect| *effect == Effect::TurnToData);
    assert!(place(|effect| matches!(effect, Effect::Record(_))) < turned);
    assert!(turned < place(|effect| matches!(effect, Effect::Read(_))), "memory of the new one is asked");
    assert!(turned < place(|effect| matches!(effect, Effect::Tries { dataset, .. } if dataset == "headlines")));
    assert_eq!(state.dataset_name, "headlines");
    assert_eq!(state.question.as_ref().unwrap().query, other.queries[0].query);
    assert!(state.reading.is_none() && state.study.steps.is_empty() && state.tries.is_empty());
    assert!(!state.undo.can_undo() && state.setting.weights == state.defaults());
    assert_eq!((&state.model, state.theme), (&ModelState::Ready(caps()), theme), "what is no part of it stays");

    // Recorded from the first key on, as after a start.
    let (header, _) = written(hear(&mut state));
    assert!(header.is_none());
    let (header, events) = written(press(&mut state, &["m"]));
    let header = header.unwrap();
    assert_eq!((header.dataset.name.as_str(), header.model.unwrap().name.as_str()), ("headlines", "nano"));
    assert_eq!(events[0].tag(), "asked");

    // The worker before may have had something to say.
    let data = state.data.clone().unwrap();
    let late = Message::Remembered { data: Arc::new(Data::of(dataset())), place: 0, periods: 1 };
    assert!(told(&mut state, 0, late).is_empty());
    assert!(Arc::ptr_eq(&data, state.data.as_ref().unwrap()) && state.periods == 6);
    assert!(told(&mut state, 1, Message::Stored("heard".into())).is_empty());
    assert_eq!(notice(&state), "heard");
}

#[test]
fn failure_and_escape_leave_the_dataset_as_it_was() {
    let mut state = answered();
    let before = (state.dataset_name.clone(), state.question.clone(), format!("{:?}", state.answers));
    choose(&mut state);
    let reason = "/data/dataset.toml: cannot be read (no such file)".to_owned();
    assert_eq!(told(&mut state, 1, Message::DataFailed(reason)), [Effect::CloseData]);
    assert!(
        notice(&state).starts_with("headlines is not opened, films stays: /data/dataset.toml"),
        "{}",
        notice(&state)
    );
    assert!(state.exit.is_none() && !state.busy());
    choose(&mut state);
    assert_eq!(press(&mut state, &["esc"]), [Effect::CloseData]);
    assert_eq!(notice(&state), "headlines is not opened");
    // Of one that is not wanted any more, or not any longer, nothing is heard.
    choose(&mut state);
    for worker in [1, 2] {
        assert!(!turns(&built(&mut state, worker, &headlines())));
    }
    let now = (state.dataset_name.clone(), state.question.clone(), format!("{:?}", state.answers));
    assert_eq!(now, before);
    assert!(turns(&built(&mut state, 3, &headlines())));
}

#[test]
fn whoever_types_is_not_interrupted() {
    let mut state = answered();
    choose(&mut state);
    press(&mut state, &["i", "s", "e", "a"]);
    assert!(!turns(&built(&mut state, 1, &headlines())) && state.dataset_name == "films");
    let header = text_of(&drawn(&state, 160, 40)).lines().next().unwrap().to_owned();
    assert!(header.contains("headlines is ready, and opens when this is closed"), "{header}");
    assert!(!state.busy());
    assert!(turns(&press(&mut state, &["esc"])) && state.dataset_name == "headlines");
}

#[test]
fn a_replay_goes_on_above_and_another_dataset_is_none_of_its_business() {
    let mut state = recording();
    choose(&mut state);
    update(&mut state, Message::SessionOpened(Box::new(Opened::of("sea".to_owned(), session(true)).unwrap())));
    press(&mut state, &["ctrl-f"]);
    assert_eq!(notice(&state), "ctrl-f: no open-data in a replay; x leaves it");
    let effects = built(&mut state, 1, &headlines());
    assert!(turns(&effects) && state.replay.is_some() && state.dataset_name != "headlines");
    press(&mut state, &["x"]);
    assert!(state.replay.is_none() && state.dataset_name == "headlines");
}

#[test]
fn a_folder_that_was_opened_is_kept_in_mind() {
    let mut state = answered();
    press(&mut state, &["ctrl-f"]);
    "/data/plays".chars().for_each(|letter| drop(press(&mut state, &[&letter.to_string()])));
    press(&mut state, &["enter"]);
    let noted = |effects: &[Effect]| {
        effects.iter().any(|e| matches!(e, Effect::NoteDataset { folder, .. } if folder == Path::new("/data/plays")))
    };
    assert!(noted(&built(&mut state, 1, &headlines())));
    choose(&mut state);
    let effects = built(&mut state, 2, &headlines());
    assert!(turns(&effects) && !noted(&effects), "a shipped one is always listed");
}

#[test]
fn a_model_that_does_not_fit_says_so_and_is_loaded_again_where_it_fits() {
    let labels = ["noir", "comedy"];
    let mut fitting = dataset();
    fitting.manifest.labels.retain(|label| labels.contains(&label.as_str()));
    fitting.interactions.retain(|interaction| labels.contains(&interaction.response.as_str()));
    fitting.queries.truncate(1);
    let mut state = started();
    let trained = Trained { wording: None, labels: Some(labels.map(str::to_owned).to_vec()) };
    state.training = Training { tasks: Some(vec![trained]), shipped: true };
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    assert!(update(&mut state, Message::ModelNamed("nano".into())).is_empty());
    assert!(matches!(state.model, ModelState::Unfit(_)));

    choose(&mut state);
    let effects = built(&mut state, 1, &fitting);
    let loaded = |effects: &[Effect]| {
        let unloaded = effects.iter().position(|effect| *effect == Effect::Unload)?;
        let load = |effect: &Effect| matches!(effect, Effect::Load(spec) if spec.name == "nano");
        effects.iter().position(load).filter(|at| unloaded < *at)
    };
    assert!(loaded(&effects).is_some() && state.model == ModelState::Loading(None), "{effects:?}");
    choose(&mut state);
    let effects = built(&mut state, 2, &dataset());
    assert!(loaded(&effects).is_none());
    assert!(matches!(&state.model, ModelState::Unfit(reason) if reason.contains("'dystopia'")), "{:?}", state.model);
}

#[test]
fn the_list_the_line_and_the_way_are_drawn_at_any_size() {
    for keys in [&["ctrl-f"][..], &["ctrl-f", "down", "down", "enter"], &["ctrl-f", "up", "enter"]] {
        let mut state = answered();
        press(&mut state, keys);
        for width in (1..=200).step_by(7) {
            for height in (1..=60).step_by(5) {
                drawn(&state, width, height);
            }
        }
    }
}
