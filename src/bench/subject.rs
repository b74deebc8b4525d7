//! What is measured: the steps behind a key press, from opening data to drawing a frame.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::figure::{Figure, Machine, Report, resident, timed};
use crate::app::keymap::Chord;
use crate::app::message::Message;
use crate::app::state::{Data, Start, State};
use crate::app::update::update;
use crate::data::dataset::Dataset;
use crate::data::interaction::Interaction;
use crate::data::synth::{Parameters, population};
use crate::engine::engine::{Engine, GenEvent};
use crate::engine::error::EngineError;
use crate::engine::prompt::{Arm, Blocks};
use crate::mediator::counterfactual::counterfactuals;
use crate::mediator::flip::flips;
use crate::mediator::ledger::ledger;
use crate::mediator::{Evidence, Policy, Resolution, Weight, Weights, mediate};
use crate::memory::entry::IndexError;
use crate::memory::{Memory, MemoryRead};
use crate::theme::Theme;
use crate::view;

/// Reads whose times are taken.
const READS: usize = 400;
/// Steps of the long session.
const STEPS: usize = 10_000;
/// Times that the long session is mediated.
const SESSIONS: usize = 20;
/// Keys pressed.
const KEYS: usize = 300;
/// Starts of the program.
const STARTS: usize = 15;
/// Answers of the model.
const ANSWERS: usize = 40;
/// The screen that is drawn.
const SCREEN: Rect = Rect { x: 0, y: 0, width: 200, height: 60 };
/// Interactions of a person in a generated population, on average.
const HISTORY: usize = 38;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Memory could not be read.
    #[error(transparent)]
    Memory(#[from] IndexError),
    /// The model could not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The program could not be started again.
    #[error("this program cannot start itself to be timed: {0}; run it from a path that exists")]
    Start(#[from] std::io::Error),
}

/// Measures a population of about `interactions`, telling `progress` what comes next. With an engine, its answers, too.
pub fn run(
    interactions: usize,
    engine: Option<&dyn Engine>,
    progress: &mut dyn FnMut(&'static str),
) -> Result<Report, BenchError> {
    progress("generating a population");
    let users = (interactions / HISTORY).max(8);
    let (dataset, _) = population(&Parameters { users, ..Parameters::default() });
    let mut figures = vec![started(progress)?];

    progress("building memory");
    let start = Instant::now();
    let memory = Memory::build(&dataset);
    let rate = dataset.interactions.len() as f64 / start.elapsed().as_secs_f64();
    figures.push(Figure::of_rates("ingest", "interactions/s", vec![rate]));

    progress("reading memory");
    let asked = late(&dataset);
    let reads = asked.iter().map(|i| memory.read(&i.user, &i.query, i.at)).collect::<Result<Vec<_>, _>>()?;
    figures.push(retrieval(&memory, &asked));
    let both = |ix: usize| {
        let asked = asked[ix % asked.len()];
        let _ = black_box(memory.read(&asked.user, &asked.query, asked.at));
    };
    figures.push(Figure::of("memory.read", "us", timed(READS, both)));

    progress("mediating");
    figures.extend(mediation(&memory, &reads));

    progress("pressing keys");
    figures.push(keys(&dataset, &memory, asked[0])?);
    figures.extend(resident().map(|size| Figure::of_values("rss", "MB", vec![size])));

    if let Some(engine) = engine {
        progress("asking the model");
        figures.extend(answers(engine, &memory, &asked, &reads)?);
    }
    let users = memory.population.users.len();
    let interactions = dataset.interactions.len();
    Ok(Report { schema: "logoscope.bench/1", machine: Machine::here(), interactions, users, figures })
}

/// The newest interactions, to be asked as they were.
fn late(dataset: &Dataset) -> Vec<&Interaction> {
    dataset.interactions.iter().rev().take(READS).collect()
}

/// From the start of a process of this program to its end behind the first frame, drawn off the screen.
fn started(progress: &mut dyn FnMut(&'static str)) -> Result<Figure, BenchError> {
    progress("starting the program");
    let program = std::env::current_exe()?;
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let status = std::process::Command::new(&program).args(["bench", "--first-frame"]).status()?;
        taken.push(start.elapsed());
        if !status.success() {
            return Err(std::io::Error::other(format!("it ended with {status}")).into());
        }
    }
    Ok(Figure::of("start.first-frame", "ms", taken))
}

/// Draws the first frame off the screen: what a process of its own is timed for.
pub fn first_frame() {
    let state = State::new(Start { dataset_name: "film-tags".into(), ..Start::default() });
    let mut buffer = Buffer::empty(SCREEN);
    let theme = Theme::named(state.theme);
    black_box(view::render(&state, &theme, SCREEN, &mut buffer));
}

fn retrieval(memory: &Memory, asked: &[&Interaction]) -> Figure {
    let one = |ix: usize| {
        let asked = asked[ix % asked.len()];
        black_box(memory.read_local(&asked.user, &asked.query, asked.at));
    };
    Figure::of("local.retrieve", "us", timed(READS, one))
}

fn mediation(memory: &Memory, reads: &[MemoryRead]) -> [Figure; 4] {
    let manifest = &memory.manifest;
    let of = |read| Evidence::of(read, manifest.retrieval.guard, manifest.calibration.local);
    let evidence: Vec<Evidence> = reads.iter().map(of).collect();
    let policy = Policy::of(manifest.task);
    let weights = Weights::defaults(policy, manifest);
    let at = |ix: usize| &evidence[ix % evidence.len()];
    let query = timed(10 * READS, |ix| drop(black_box(mediate(at(ix), &weights, policy))));
    let flip = timed(READS, |ix| drop(black_box(flips(at(ix), &weights, policy))));
    let decided: Vec<Resolution> = evidence.iter().map(|evidence| mediate(evidence, &weights, policy)).collect();
    let kept = timed(READS, |ix| {
        let voices = reads[ix % reads.len()].global.parts.voices(&at(ix).base, &manifest.calibration);
        black_box(ledger(at(ix), &weights, &decided[ix % decided.len()]));
        black_box(counterfactuals(at(ix), &weights, policy, &voices));
    });
    let session = timed(SESSIONS, |ix| {
        let turned = weights.with(Weight::PriorStrength, 0.5 + ix as f64);
        (0..STEPS).for_each(|step| drop(black_box(mediate(at(step), &turned, policy))));
    });
    [
        Figure::of("mediate.query", "us", query),
        Figure::of("mediate.flips", "us", flip),
        Figure::of("mediate.ledger", "us", kept),
        Figure::of("mediate.session-10k", "ms", session),
    ]
}

/// From a key on a slider to the finished frame, without the terminal.
fn keys(dataset: &Dataset, memory: &Memory, asked: &Interaction) -> Result<Figure, BenchError> {
    let mut state = State::new(Start { dataset_name: "population".into(), ..Start::default() });
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset.clone()))));
    update(&mut state, Message::MemoryBuilt { periods: memory.periods(), opening: Some(0) });
    let read = Box::new(memory.read(&asked.user, &asked.query, asked.at)?);
    let blocks = Box::new(Blocks::of(memory, &asked.query, &read));
    let ticket = state.ticket;
    update(&mut state, Message::MemoryRead { ticket, read, blocks, heard: None });
    let theme = Theme::named(state.theme);
    let mut buffer = Buffer::empty(SCREEN);
    let taken = timed(KEYS, |ix| {
        let chord = if ix / 20 % 2 == 0 { "l" } else { "h" };
        if let Ok(chord) = chord.parse::<Chord>() {
            update(&mut state, Message::Key(chord));
        }
        buffer.reset();
        black_box(view::render(&state, &theme, SCREEN, &mut buffer));
    });
    Ok(Figure::of("key.frame", "ms", taken))
}

fn answers(
    engine: &dyn Engine,
    memory: &Memory,
    asked: &[&Interaction],
    reads: &[MemoryRead],
) -> Result<[Figure; 2], BenchError> {
    let weights = Weights::defaults(Policy::of(memory.manifest.task), &memory.manifest);
    let (mut rates, mut first) = (Vec::new(), Vec::new());
    for (ix, (asked, read)) in asked.iter().zip(reads).take(ANSWERS).enumerate() {
        let blocks = Blocks::of(memory, &asked.query, read);
        let mut request =
            crate::engine::answer::request(&blocks, &memory.population.labels, Arm::ALL[ix % 4], &weights);
        // Without a stop text an answer runs to its limit.
        request.stop.clear();
        for event in engine.generate(request) {
            match event {
                GenEvent::Done(stats) => {
                    rates.push(stats.tokens as f64 / stats.elapsed.as_secs_f64());
                    first.push(stats.ttft);
                }
                GenEvent::Failed(error) => return Err(error.into()),
                GenEvent::Scores(_) | GenEvent::Token(_) => {}
            }
        }
    }
    Ok([Figure::of_rates("engine.tokens-per-second", "tokens/s", rates), Figure::of("engine.first-token", "ms", first)])
}
