//! A long session to play: thousands of questions to the sample population, of 15 labels, recorded as the program records
//! them. A test plays it, the benches time it.

use logoscope::data::dataset::Dataset;
use logoscope::data::sample;
use logoscope::mediator::{Course, Policy, Weights};
use logoscope::memory::Memory;
use logoscope::session::event::{Asked, DatasetId, FORMAT};
use logoscope::session::record::turn;
use logoscope::session::{Event, Header, Session, Setting};

/// Different questions; a longer session asks them again and again. What a turn costs does not depend on that.
const QUESTIONS: usize = 100;

/// A session of so many turns, memory alone answering. `most` bounds how many items the asking people have, and so the
/// size of the file.
pub fn session(turns: usize, most: usize) -> Session {
    let dataset = sample::dataset().expect("the sample is part of the program");
    let memory = Memory::build(&dataset);
    let policy = Policy::of(dataset.manifest.task);
    let setting = Setting { weights: Weights::defaults(policy, &dataset.manifest), policy };
    let header = Header {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        title: "a long one".to_owned(),
        dataset: DatasetId { name: dataset.manifest.name.clone(), hash: dataset.content_hash(), without: Vec::new() },
        model: None,
        device: None,
        setting,
        embedder: memory.embedder(),
        seed: 0,
        labels: dataset.manifest.labels.clone(),
        picked: false,
        origin: None,
    };
    let mut course = Course::default();
    let recorded: Vec<Vec<Event>> = questions(&dataset, most)
        .take(QUESTIONS)
        .map(|asked| turn(&memory, None, setting, &mut course, asked).expect("the sample can be read"))
        .collect();
    assert!(!recorded.is_empty(), "somebody has few items");
    let events = (0..turns).flat_map(|turn| recorded[turn % recorded.len()].clone()).collect();
    Session::new(header, events)
}

/// The judged questions of people who had `most` items at most, as they were asked.
fn questions(dataset: &Dataset, most: usize) -> impl Iterator<Item = Asked> {
    let visible = move |asked: &Asked| {
        dataset.interactions.iter().filter(|item| item.user == asked.user && item.at < asked.at).count()
    };
    let asked = dataset.queries.iter().map(|query| Asked {
        user: query.user.clone(),
        at: query.at,
        query: query.query.clone(),
        gold: query.gold.clone(),
        form: None,
        source: Some(query.id.clone()),
        held: None,
    });
    asked.filter(move |asked| visible(asked) <= most)
}
