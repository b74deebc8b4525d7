//! The shipped model really reads its memories: measured on populations it has never seen.
//!
//! `LOGOSCOPE_NANO_QUERIES` sets how many queries are asked (default 4000); the table is printed with
//! `cargo test --release nano_reads -- --nocapture`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use logoscope::data::dataset::Dataset;
use logoscope::data::draw::Draw;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::data::synth::{Parameters, headlines, population, products};
use logoscope::engine::engine::Engine;
use logoscope::engine::local::LocalEngine;
use logoscope::engine::prompt::{Arm, render, render_blocks};
use logoscope::eval::experiment::{Answered, Setting, run_with_model};
use logoscope::eval::metrics::{Measures, Metric, TaskMeasures, add};
use logoscope::eval::split::{Asked as EvalAsked, Question, Split};
use logoscope::mediator::{Policy, Weights};
use logoscope::memory::{Apart, Memory, MemoryRead};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/models/nano")
}

/// One prompt of the comparison: an arm, with its own blocks or with a stranger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Arm(Arm),
    StrangersLocal,
    StrangersGlobal,
}

const ALL: [Shown; 6] = [
    Shown::Arm(Arm::None),
    Shown::Arm(Arm::Local),
    Shown::Arm(Arm::Global),
    Shown::Arm(Arm::Mediated),
    Shown::StrangersLocal,
    Shown::StrangersGlobal,
];

struct Asked {
    user: UserId,
    at: Timestamp,
    text: String,
    gold: String,
}

/// Judged queries and late interactions of a population, each with memory strictly before it.
fn asked(dataset: &Dataset, draw: &mut Draw, count: usize) -> Vec<Asked> {
    let judged = dataset
        .queries
        .iter()
        .filter_map(|q| Some(Asked { user: q.user.clone(), at: q.at, text: q.query.clone(), gold: q.gold.clone()? }));
    let late = dataset.interactions.len() * 3 / 4;
    let again = (0..count).map(|_| {
        let i = &dataset.interactions[draw.between(late, dataset.interactions.len() - 1)];
        Asked { user: i.user.clone(), at: i.at, text: i.query.clone(), gold: i.response.clone() }
    });
    judged.chain(again).take(count).collect()
}

/// Memory as somebody with history in another community would be told.
fn stranger(dataset: &Dataset, memory: &Memory, draw: &mut Draw, asked: &Asked, read: &MemoryRead) -> MemoryRead {
    let own = read.global.leading().map(|(community, _)| community);
    for _ in 0..40 {
        let other = &dataset.interactions[draw.below(dataset.interactions.len())].user;
        let there = memory.read(other, &asked.text, asked.at).unwrap();
        let elsewhere = there.global.leading().is_some_and(|(community, _)| Some(community) != own);
        if *other != asked.user && there.local.visible() >= 5 && elsewhere {
            return there;
        }
    }
    read.clone()
}

/// Hits of every kind of prompt on one population.
fn measure(seed: u64, count: usize) -> Vec<BTreeMap<Shown, bool>> {
    let (dataset, _) = population(&Parameters { seed, ..Parameters::default() });
    let memory = Memory::build(&dataset);
    let engine = LocalEngine::load(&folder()).unwrap();
    let labels = &dataset.manifest.labels;
    let mut draw = Draw::seeded(seed);
    let weights = Weights::defaults(Policy::default(), &memory.manifest);
    let mut results = Vec::new();
    for asked in asked(&dataset, &mut draw, count) {
        let read = memory.read(&asked.user, &asked.text, asked.at).unwrap();
        let other = stranger(&dataset, &memory, &mut draw, &asked, &read);
        let gold = labels.iter().position(|label| *label == asked.gold).unwrap();
        let right = |shown: &Shown| {
            let prompt = match shown {
                Shown::Arm(arm) => render(&memory, &asked.text, &read, *arm, &weights),
                Shown::StrangersLocal => render_blocks(&memory, &asked.text, Some(&other.local), Some(&read.global)),
                Shown::StrangersGlobal => render_blocks(&memory, &asked.text, Some(&read.local), Some(&other.global)),
            };
            let scores = engine.score(&prompt, labels).unwrap();
            (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])) == Some(gold)
        };
        results.push(ALL.iter().map(|shown| (*shown, right(shown))).collect());
    }
    results
}

/// Paired difference of two kinds of prompt in points, with its standard error.
fn paired(results: &[BTreeMap<Shown, bool>], a: Shown, b: Shown) -> (f64, f64) {
    let n = results.len() as f64;
    let differences: Vec<f64> =
        results.iter().map(|r| f64::from(u8::from(r[&a])) - f64::from(u8::from(r[&b]))).collect();
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (100.0 * mean, 100.0 * (variance / n).sqrt())
}

#[test]
fn nano_reads_both_memories_of_people_it_has_never_seen() {
    let wanted: usize = std::env::var("LOGOSCOPE_NANO_QUERIES").ok().and_then(|n| n.parse().ok()).unwrap_or(4000);
    let seeds = [9001, 9002];
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = seeds.iter().map(|seed| scope.spawn(|| measure(*seed, wanted / seeds.len()))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let n = results.len();
    println!("{n} queries of populations {seeds:?}");
    for shown in ALL {
        let share = results.iter().filter(|r| r[&shown]).count() as f64 / n as f64;
        println!(
            "  {:26} {:5.1} % ± {:.1}",
            format!("{shown:?}"),
            100.0 * share,
            196.0 * (share * (1.0 - share) / n as f64).sqrt()
        );
    }
    let arm = Shown::Arm;
    for (a, b) in [
        (arm(Arm::Mediated), arm(Arm::Local)),
        (arm(Arm::Mediated), arm(Arm::Global)),
        (arm(Arm::Local), arm(Arm::None)),
        (arm(Arm::Global), arm(Arm::None)),
        (arm(Arm::Mediated), Shown::StrangersLocal),
        (arm(Arm::Mediated), Shown::StrangersGlobal),
    ] {
        let (difference, error) = paired(&results, a, b);
        println!("  {a:?} − {b:?}: {difference:+.1} points ± {:.1}", 1.96 * error);
        assert!(difference > 1.96 * error, "{a:?} beats {b:?} by {difference:.1} ± {:.1} points", 1.96 * error);
    }
    // With a stranger's block the side's gain is gone: what is left is no better than the other side alone.
    for (swapped, alone) in [(Shown::StrangersLocal, Arm::Global), (Shown::StrangersGlobal, Arm::Local)] {
        let (difference, error) = paired(&results, swapped, arm(alone));
        println!("  {swapped:?} − {alone:?}: {difference:+.1} points ± {:.1}", 1.96 * error);
        assert!(difference < 1.96 * error, "{swapped:?} keeps a gain of {difference:.1} over {alone:?}");
    }
}

/// Prompts are tokenised here exactly as they were in training. The fixture is written by `train.py tokens` from the rows
/// of judged queries that `synth --export-prompts FILE --seed 9001 --evaluation` gives, and anew whenever memory says
/// something else of them.
#[test]
fn training_and_inference_see_the_same_tokens() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nano-tokens.json")).unwrap();
    let fixture: serde_json::Value = serde_json::from_str(&text).unwrap();
    let read = |row: &serde_json::Value| {
        let ids: Vec<u32> = serde_json::from_value(row["ids"].clone()).unwrap();
        (row["prompt"].as_str().unwrap().to_owned(), ids)
    };
    let rows: Vec<(String, Vec<u32>)> = fixture["rows"].as_array().unwrap().iter().map(read).collect();
    assert!(rows.len() >= 20);
    let engine = LocalEngine::load(&folder()).unwrap();
    for (prompt, ids) in &rows {
        assert_eq!(&engine.encode(prompt), ids, "{prompt}");
    }
    // And the renderer still writes the very prompts that were trained on.
    let (dataset, _) = population(&Parameters { seed: 9001, ..Parameters::default() });
    let memory = Memory::build(&dataset);
    let rendered: Vec<String> = dataset
        .queries
        .iter()
        .flat_map(|q| {
            let read = memory.read(&q.user, &q.query, q.at).unwrap();
            let weights = Weights::defaults(Policy::default(), &memory.manifest);
            Arm::ALL.map(|arm| render(&memory, &q.query, &read, arm, &weights))
        })
        .collect();
    assert!(
        rows.iter().all(|(prompt, _)| rendered.contains(prompt)),
        "the prompt format has drifted from the trained one"
    );
}

#[test]
fn every_label_is_one_token() {
    let engine = LocalEngine::load(&folder()).unwrap();
    for label in logoscope::data::synth::TAGS {
        assert_eq!(engine.encode(label).len(), 1, "{label}");
    }
}

/// What the model alone makes of a population's questions, of the first `count` of them: each one's value of `metric`, by
/// arm.
fn alone(dataset: &Dataset, split: Split, count: usize, metric: Metric) -> Vec<[f64; 4]> {
    let memory = Memory::build(dataset);
    let engine = LocalEngine::load(&folder()).unwrap();
    let measures = TaskMeasures::of(&dataset.manifest).unwrap();
    let mut asked = EvalAsked::of(dataset, split).unwrap();
    asked.questions.truncate(count);
    let policy = Policy::of(dataset.manifest.task);
    let setting = Setting { policy, weights: Weights::defaults(policy, &dataset.manifest), apart: Apart::default() };
    let cancel = AtomicBool::new(false);
    let answered =
        run_with_model(&memory, &engine, &asked.questions, setting, &Arm::ALL, &cancel, &mut |_| ()).unwrap();
    let value = |(question, answered): (&Question, &Answered)| {
        Arm::ALL.map(|arm| {
            let spoken = answered.spoken[arm as usize].as_ref().unwrap();
            let mut sums = vec![0.0; measures.width()];
            add(&mut sums, &measures.row(question.gold, &spoken.alone));
            measures.value(metric, &sums).unwrap()
        })
    };
    asked.questions.iter().zip(&answered).map(value).collect()
}

/// Mean of each arm, and of mediated − the others with twice its standard error.
fn told(values: &[[f64; 4]]) -> ([f64; 4], [(f64, f64); 3]) {
    let n = values.len() as f64;
    let mean = |f: &dyn Fn(&[f64; 4]) -> f64| values.iter().map(f).sum::<f64>() / n;
    let means = [0, 1, 2, 3].map(|arm| mean(&|row| row[arm]));
    let differences = [0, 1, 2].map(|arm| {
        let difference = mean(&|row| row[3] - row[arm]);
        let variance = mean(&|row| (row[3] - row[arm] - difference).powi(2));
        (difference, 1.96 * (variance / n).sqrt())
    });
    (means, differences)
}

#[test]
fn nano_rates_products_better_with_both_memories() {
    let dataset = products(&Parameters { seed: 9001, ..Parameters::of_products() }).0;
    let (means, differences) = told(&alone(&dataset, Split::Share { share: 0.85 }, 500, Metric::MeanAbsoluteError));
    println!("mean absolute error by arm {means:.3?}, mediated less the others {differences:.3?}");
    for (difference, reach) in differences {
        assert!(difference < -reach, "mediated is nearer: {difference:.3} ± {reach:.3}");
    }
}

#[test]
fn nano_writes_headlines_nearer_to_theirs_with_both_memories() {
    let seeds = [9001, 9002];
    let of = |seed: u64| {
        let dataset = headlines(&Parameters { seed, ..Parameters::of_headlines() }).0;
        alone(&dataset, Split::Judged, usize::MAX, Metric::RougeL)
    };
    let each: Vec<_> = std::thread::scope(|scope| {
        let workers = seeds.map(|seed| scope.spawn(move || of(seed)));
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    for (seed, values) in seeds.iter().zip(&each) {
        let (means, differences) = told(values);
        println!(
            "{seed}: {} queries, ROUGE-L by arm {means:.3?}, mediated less the others {differences:.3?}",
            values.len()
        );
    }
    let (means, differences) = told(&each.concat());
    println!("all: ROUGE-L by arm {means:.3?}, mediated less the others {differences:.3?}");
    for (difference, reach) in differences {
        assert!(difference > reach, "mediated is nearer: {difference:.3} ± {reach:.3}");
    }
}
