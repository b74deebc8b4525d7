//! How long mediation takes, from one question to a session of ten thousand: `cargo bench --bench mediation`.
//!
//! Behind criterion's figures stand ratios, each of two things that took turns in this run: they say more than times on a
//! machine that has other things to do.

mod long;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use logoscope::app::study::Study;
use logoscope::data::sample;
use logoscope::mediator::counterfactual::counterfactuals;
use logoscope::mediator::flip::flips;
use logoscope::mediator::ledger::ledger;
use logoscope::mediator::{Evidence, Policy, Weight, mediate};
use logoscope::memory::Memory;
use logoscope::session::Setting;
use logoscope::session::steps::Steps;

/// Turns of the short session and of the long one.
const TURNS: [usize; 2] = [1_000, 10_000];
/// Times that the two sides of a ratio take turns.
const ROUNDS: usize = 21;
/// What every asking person may have: all they have.
const ALL: usize = usize::MAX;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let dataset = sample::dataset().expect("the sample is part of the program");
    let memory = Memory::build(&dataset);
    memory.prepare().expect("the sample can be read");
    let asked = &dataset.queries;
    let recorded = long::session(TURNS[1], ALL);
    let (labels, setting) = (recorded.header.labels.len(), recorded.header.setting);
    let steps = Steps::of(&recorded);
    drop(recorded);
    let evidence: Vec<Evidence> = steps.iter().take(TURNS[0]).map(|step| step.evidence.clone()).collect();
    let at = |ix: usize| &evidence[ix % evidence.len()];

    let read = |ix: usize| {
        let query = &asked[ix % asked.len()];
        drop(black_box(memory.read(&query.user, &query.query, query.at)));
    };
    let mediated = |ix: usize, policy: Policy| drop(black_box(mediate(at(ix), &setting.weights, policy)));
    let flipped = |ix: usize| drop(black_box(flips(at(ix), &setting.weights, setting.policy)));
    let kept = |ix: usize| {
        let resolution = mediate(at(ix), &setting.weights, setting.policy);
        black_box(ledger(at(ix), &setting.weights, &resolution));
        black_box(counterfactuals(at(ix), &setting.weights, setting.policy, &[]));
    };
    let studies = TURNS.map(|turns| {
        let steps = Arc::new(Steps::new(steps.iter().take(turns).cloned().collect()));
        Study { steps, ..Study::default() }
    });
    // Every time another value, as a slider gives them.
    let turned = |ix: usize| {
        let weights = setting.weights.with(Weight::PriorStrength, Weight::PriorStrength.at((ix % 100) as f64));
        Setting { weights, ..setting }
    };
    let session = |study: &Study, ix: usize| {
        black_box(study.count(labels, &study.steps.remediate(&turned(ix))));
    };

    let mut counter = 0;
    let mut next = || {
        counter += 1;
        counter
    };
    let mut query = criterion.benchmark_group("query");
    query.bench_function("read", |bench| bench.iter_batched(&mut next, read, BatchSize::SmallInput));
    for policy in Policy::ALL {
        let one = |ix| mediated(ix, policy);
        query.bench_function(BenchmarkId::new("mediate", policy), |bench| {
            bench.iter_batched(&mut next, one, BatchSize::SmallInput);
        });
    }
    query.bench_function("flips", |bench| bench.iter_batched(&mut next, flipped, BatchSize::SmallInput));
    query.bench_function("ledger", |bench| bench.iter_batched(&mut next, kept, BatchSize::SmallInput));
    query.finish();
    let mut sessions = criterion.benchmark_group("session");
    sessions.sample_size(20);
    for study in &studies {
        sessions.throughput(Throughput::Elements(study.steps.len() as u64));
        sessions.bench_function(BenchmarkId::from_parameter(study.steps.len()), |bench| {
            bench.iter_batched(&mut next, |ix| session(study, ix), BatchSize::PerIteration);
        });
    }
    sessions.finish();
    criterion.final_summary();

    let policy = setting.policy;
    let many = |n: usize, one: &dyn Fn(usize)| (0..n).for_each(one);
    println!("{:<58}{:>9}{:>22}", "ratio of what takes turns", "median", "middle 80 %");
    ratio("reading memory, of mediating", &|ix| many(100, &|n| read(ix + n)), &|ix| {
        many(100, &|n| mediated(ix + n, policy))
    });
    ratio("flips of all weights, of mediating", &|ix| many(20, &|n| flipped(ix + n)), &|ix| {
        many(20, &|n| mediated(ix + n, policy))
    });
    ratio("the ledger and what without, of mediating", &|ix| many(100, &|n| kept(ix + n)), &|ix| {
        many(100, &|n| mediated(ix + n, policy))
    });
    ratio("a session of 10,000, of one of 1,000", &|ix| session(&studies[1], ix), &|ix| session(&studies[0], ix));
    ratio("a session of 1,000, of 1,000 mediations", &|ix| session(&studies[0], ix), &|ix| {
        many(TURNS[0], &|n| mediated(ix + n, policy))
    });
}

/// Prints how many times as long `one` takes as `other`.
fn ratio(what: &str, one: &dyn Fn(usize), other: &dyn Fn(usize)) {
    let timed = |step: &dyn Fn(usize), round: usize| {
        let start = Instant::now();
        step(round);
        start.elapsed().as_secs_f64()
    };
    // Once before, for what is only done once.
    one(0);
    other(0);
    let mut ratios: Vec<f64> = (0..ROUNDS).map(|round| timed(one, round) / timed(other, round)).collect();
    ratios.sort_by(f64::total_cmp);
    let [low, median, high] = [ROUNDS / 10, ROUNDS / 2, ROUNDS - 1 - ROUNDS / 10].map(|place| ratios[place]);
    println!("{what:<58}{median:>9.1}{:>22}", format!("{low:.1} to {high:.1}"));
}
