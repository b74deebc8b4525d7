//! Small random populations for laws about memory.

use logoscope::data::dataset::{
    Calibration, Dataset, FORMAT, Manifest, PeriodLength, Periods, Retrieval, TaskKind, WeightDefaults, Wording,
};
use logoscope::data::interaction::{Extra, Interaction, Timestamp, UserId};
use proptest::prelude::*;

/// Words that texts are made from: few, so that texts meet.
const WORDS: [&str; 12] =
    ["tide", "robot", "vault", "trench", "oven", "verdict", "dragon", "ward", "letters", "memo", "ring", "alibi"];

/// The manifest of a small labels task.
pub fn manifest(labels: usize, guard: usize) -> Manifest {
    Manifest {
        format: FORMAT,
        name: "small".into(),
        task: TaskKind::Labels,
        labels: (0..labels).map(|y| format!("y{y}")).collect(),
        scale: None,
        metric: "accuracy".into(),
        licence: String::new(),
        source: String::new(),
        prompt: Wording::default(),
        retrieval: Retrieval { guard, ..Retrieval::default() },
        periods: Periods { length: PeriodLength::Days(10.0), ..Periods::default() },
        calibration: Calibration::default(),
        weights: WeightDefaults::default(),
    }
}

/// An interaction; `id` has to be unique.
pub fn interaction(id: usize, user: usize, at: i64, words: &[usize], label: usize) -> Interaction {
    Interaction {
        id: format!("i{id:04}"),
        user: UserId::new(format!("u{user}")),
        at: Timestamp(at),
        query: words.iter().map(|word| WORDS[word % WORDS.len()]).collect::<Vec<_>>().join(" "),
        response: format!("y{label}"),
        item: None,
        extra: Extra::new(),
    }
}

/// A query over the same words.
pub fn query(words: &[usize]) -> String {
    interaction(0, 0, 0, words, 0).query
}

/// Datasets of up to `most` interactions of 12 users with 4 labels over about 60 days.
pub fn datasets(most: usize) -> impl Strategy<Value = Dataset> {
    let words = proptest::collection::vec(0..WORDS.len(), 1..5);
    let one = (0..12usize, 0..5_000_000i64, words, 0..4usize);
    // Moments as coarse as a day or so put many into one second.
    let grain = prop_oneof![2 => Just(1i64), 1 => Just(250_000)];
    let company = prop_oneof![Just(0.0), Just(0.5)];
    // Topics, how communities lean and what they answer; few of them, as they want sixteen items each.
    let topics = prop_oneof![
        Just((0, 0.0, 0.0)),
        Just((0, 0.5, 0.5)),
        Just((2, 0.5, 0.0)),
        Just((3, 0.0, 0.5)),
        Just((2, 0.5, 0.5))
    ];
    let all = (proptest::collection::vec(one, 1..most), 1..5usize, length(), grain, company, topics);
    all.prop_map(|(rows, guard, length, grain, company, (topics, leaning, habit))| {
        let mut interactions: Vec<Interaction> = rows
            .into_iter()
            .enumerate()
            .map(|(id, (user, at, words, label))| interaction(id, user, at / grain * grain, &words, label))
            .collect();
        interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let mut manifest = manifest(4, guard);
        manifest.periods.length = length;
        manifest.calibration.community_neighbours = company;
        manifest.periods.topics = topics;
        manifest.calibration.community_leaning = leaning;
        manifest.calibration.community_habit = habit;
        Dataset { manifest, interactions, queries: Vec::new() }
    })
}

/// The same as a text task: each response is written in one of four forms, and as long as its question.
pub fn as_texts(mut dataset: Dataset) -> Dataset {
    (dataset.manifest.task, dataset.manifest.labels) = (TaskKind::Text, Vec::new());
    for i in &mut dataset.interactions {
        let words = &i.query;
        i.response = match i.response.as_str() {
            "y0" => words.clone(),
            "y1" => format!("{words}?"),
            "y2" => format!("3 {words}"),
            _ => format!("{words}!"),
        };
    }
    dataset
}

/// Periods by days and by count.
pub fn length() -> impl Strategy<Value = PeriodLength> {
    prop_oneof![Just(PeriodLength::Days(10.0)), (1..40usize).prop_map(PeriodLength::Interactions)]
}
