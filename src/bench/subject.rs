//! What is measured: the steps behind a key press, from opening data to drawing a frame.

use std::ffi::OsStr;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::figure::{Figure, Machine, Report, resident, timed};
use super::wrapper::wrapper;
use crate::app::keymap::Chord;
use crate::app::message::Message;
use crate::app::replay::Opened;
use crate::app::state::{Data, Setting, Start, State};
use crate::app::study::Study;
use crate::app::update::update;
use crate::data::dataset::{Dataset, DatasetError};
use crate::data::draw::Draw;
use crate::data::interaction::{Extra, Interaction};
use crate::data::synth::{Parameters, population};
use crate::engine::engine::{Engine, GenEvent};
use crate::engine::error::EngineError;
use crate::engine::prompt::{Arm, Blocks};
use crate::mediator::counterfactual::counterfactuals;
use crate::mediator::flip::flips;
use crate::mediator::ledger::ledger;
use crate::mediator::{Course, Evidence, Policy, Resolution, Weight, Weights, mediate};
use crate::memory::entry::IndexError;
use crate::memory::store::{Store, StoreError};
use crate::memory::{Memory, MemoryRead};
use crate::session::event::{Asked, DatasetId, FORMAT, Header};
use crate::session::record::turn;
use crate::session::steps::{Step, Steps};
use crate::session::{Session, SessionError};
use crate::theme::Theme;
use crate::view;

/// Reads whose times are taken.
const READS: usize = 400;
/// Steps of the long session.
const STEPS: usize = 10_000;
/// Times that the long session is mediated.
const SESSIONS: usize = 20;
/// Events of the long recording.
const EVENTS: usize = 10_000;
/// Turns of it that are gone to.
const SEEKS: usize = 200;
/// Keys pressed.
const KEYS: usize = 300;
/// Starts of the program.
const STARTS: usize = 15;
/// Answers of the model.
const ANSWERS: usize = 40;
/// The screen that is drawn.
const SCREEN: Rect = Rect { x: 0, y: 0, width: 200, height: 60 };
/// From this many interactions on, memory is read from a store.
const STORED: usize = 200_000;
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
    /// The store could not be built or opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A session could not be made.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The generated dataset could not be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The engine and the library behind it do not do the same work.
    #[error(
        "the engine computed {engine} tokens of an answer and the model library alone {library}; they cannot be \
         compared: report it with the model's name, or pass --model none"
    )]
    Unlike {
        /// Tokens of the engine.
        engine: usize,
        /// Tokens of the library.
        library: usize,
    },
    /// The program could not be started again.
    #[error("this program cannot start itself to be timed: {0}; run it from a path that exists")]
    Start(#[from] std::io::Error),
}

/// Whose memory is measured.
#[derive(Clone, Copy, Debug)]
pub enum Measured<'a> {
    /// A generated population of about so many interactions.
    Generated(usize),
    /// A dataset folder, read from its store.
    Folder {
        /// Where stores are.
        stores: &'a Path,
        /// The dataset folder.
        data: &'a Path,
    },
}

/// What is measured: memory, and where its interactions are.
struct Subject {
    memory: Memory,
    data: Interactions,
}

enum Interactions {
    InMemory(Box<Dataset>),
    /// In a folder that goes with the figures.
    Generated(Scratch),
    Folder(PathBuf),
}

impl Interactions {
    fn open(&self) -> Result<Dataset, DatasetError> {
        match self {
            Self::InMemory(dataset) => Ok(dataset.as_ref().clone()),
            Self::Generated(place) => Dataset::open(&place.data()),
            Self::Folder(folder) => Dataset::open(folder),
        }
    }
}

impl Subject {
    fn in_ram(users: usize, figures: &mut Vec<Figure>, progress: &mut dyn FnMut(&'static str)) -> Self {
        progress("generating a population");
        let (dataset, _) = population(&Parameters { users, ..Parameters::default() });
        progress("building memory");
        let start = Instant::now();
        let memory = Memory::build(&dataset);
        let rate = dataset.interactions.len() as f64 / start.elapsed().as_secs_f64();
        figures.push(Figure::of_rates("ingest", "interactions/s", vec![rate]));
        Self { memory, data: Interactions::InMemory(Box::new(dataset)) }
    }

    /// Other processes generate and build, so that nothing of that is left in the memory of this one.
    fn in_store(
        users: usize,
        figures: &mut Vec<Figure>,
        progress: &mut dyn FnMut(&'static str),
    ) -> Result<Self, BenchError> {
        let place = Scratch::new()?;
        let (data, stores) = (place.data(), place.stores());
        progress("generating a population");
        let count = users.to_string();
        again(&["synth".as_ref(), "--users".as_ref(), count.as_ref(), "--out".as_ref(), data.as_os_str()])?;
        progress("building a store");
        let first: [&OsStr; 6] = [
            "bench".as_ref(),
            "--first-frame".as_ref(),
            "--data".as_ref(),
            data.as_ref(),
            "--store".as_ref(),
            stores.as_ref(),
        ];
        let built = again(&first)?;
        progress("opening it");
        let started = (0..STARTS).map(|_| again(&first)).collect::<Result<Vec<_>, _>>()?;
        let open = || Store::of(&stores, &data)?.open(None, &mut |_, _, _| Ok(()));
        let mut opened = Vec::new();
        for _ in 0..STARTS {
            let start = Instant::now();
            let memory = open()?;
            opened.push(start.elapsed());
            drop(memory);
        }
        progress("forming collective entries");
        let action: [&OsStr; 6] =
            ["store".as_ref(), "build".as_ref(), "--data".as_ref(), data.as_ref(), "--store".as_ref(), stores.as_ref()];
        let formed = again(&action)?;
        // This process finds the grouping where that one left it.
        let memory = open()?.memory;
        let start = Instant::now();
        memory.prepare()?;
        let prepared = start.elapsed();
        let rate = memory.population.len() as f64 / built.as_secs_f64();
        figures.push(Figure::of_rates("store.build", "interactions/s", vec![rate]));
        figures.push(Figure::of("store.open", "ms", opened));
        figures.push(Figure::of("start.store", "ms", started));
        figures.push(Figure::of("store.form", "s", vec![formed]));
        figures.push(Figure::of("store.prepare", "s", vec![prepared]));
        Ok(Self { memory, data: Interactions::Generated(place) })
    }

    /// What reading a dataset folder from its store takes; the store is built first if there is none that serves.
    fn in_folder(stores: &Path, data: &Path, figures: &mut Vec<Figure>) -> Result<Self, BenchError> {
        let memory = Store::of(stores, data)?.open(None, &mut |_, _, _| Ok(()))?.memory;
        let start = Instant::now();
        memory.prepare()?;
        figures.push(Figure::of("store.prepare", "s", vec![start.elapsed()]));
        Ok(Self { memory, data: Interactions::Folder(data.to_owned()) })
    }
}

/// A folder that goes when its owner does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("logoscope-bench-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    fn stores(&self) -> PathBuf {
        self.0.join("stores")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Measures memory, telling `progress` what comes next. With an engine, its answers, too. A large population is read from a
/// store, as the workbench reads it.
pub fn run(
    measured: Measured,
    engine: Option<&dyn Engine>,
    progress: &mut dyn FnMut(&'static str),
) -> Result<Report, BenchError> {
    progress("starting the program");
    let first: [&OsStr; 2] = ["bench".as_ref(), "--first-frame".as_ref()];
    let started = (0..STARTS).map(|_| again(&first)).collect::<Result<Vec<_>, _>>()?;
    let mut figures = vec![Figure::of("start.first-frame", "ms", started)];
    let users = |interactions: usize| (interactions / HISTORY).max(8);
    let subject = match measured {
        Measured::Generated(interactions @ STORED..) => Subject::in_store(users(interactions), &mut figures, progress)?,
        Measured::Generated(interactions) => Subject::in_ram(users(interactions), &mut figures, progress),
        Measured::Folder { stores, data } => Subject::in_folder(stores, data, &mut figures)?,
    };
    let memory = &subject.memory;

    progress("reading memory");
    let asked = late(memory);
    let reads = asked.iter().map(|i| memory.read(&i.user, &i.query, i.at)).collect::<Result<Vec<_>, _>>()?;
    figures.push(retrieval(memory, &asked));
    let both = |ix: usize| {
        let asked = &asked[ix % asked.len()];
        let _ = black_box(memory.read(&asked.user, &asked.query, asked.at));
    };
    let collective = |ix: usize| {
        let asked = &asked[ix % asked.len()];
        let _ = black_box(memory.read_global(&asked.user, &asked.query, asked.at));
    };
    figures.push(Figure::of("global.read", "us", timed(READS, collective)));
    figures.push(Figure::of("memory.read", "us", timed(READS, both)));

    progress("mediating");
    figures.extend(mediation(memory, &asked, &reads));
    figures.extend(resident());

    progress("seeking in a session");
    figures.push(seeking(memory, &asked)?);

    progress("pressing keys");
    let dataset = subject.data.open()?;
    let interactions = dataset.interactions.len();
    figures.push(keys(dataset, memory, &asked[0])?);

    if let Some(engine) = engine {
        progress("asking the model");
        figures.extend(answers(engine, memory, &asked, &reads)?);
        progress("asking the library behind it");
        figures.extend(wrapper(engine)?);
    }
    let users = memory.population.users.len();
    Ok(Report { schema: "logoscope.bench/1", machine: Machine::here(), interactions, users, figures })
}

/// The newest interactions, to be asked as they were.
fn late(memory: &Memory) -> Vec<Interaction> {
    let population = &memory.population;
    let newest = (0..population.len()).rev().take(READS);
    let asked = newest.map(|item| Interaction {
        id: population.id[item].to_owned(),
        user: population.users[population.user[item]].clone(),
        query: population.text[item].to_owned(),
        at: population.at[item],
        response: population.labels[population.label[item]].clone(),
        item: None,
        extra: Extra::default(),
    });
    asked.collect()
}

/// Runs this program again: from the start of its process to its end.
fn again(arguments: &[&OsStr]) -> Result<Duration, BenchError> {
    let program = std::env::current_exe()?;
    let start = Instant::now();
    let status = Command::new(&program).args(arguments).stdout(Stdio::null()).status()?;
    let taken = start.elapsed();
    if !status.success() {
        return Err(std::io::Error::other(format!("it ended with {status}")).into());
    }
    Ok(taken)
}

/// Draws the first frame off the screen, with memory opened from the store of a dataset if there is one: what a process of
/// its own is timed for. The store is `(where stores are, dataset folder)`.
pub fn first_frame(store: Option<(&Path, &Path)>) -> Result<(), BenchError> {
    let opened = store.map(|(stores, data)| Store::of(stores, data)?.open(None, &mut |_, _, _| Ok(())));
    let mut state = State::new(Start { dataset_name: "film-tags".into(), ..Start::default() });
    if let Some(opened) = opened.transpose()? {
        update(&mut state, Message::MemoryBuilt { periods: opened.memory.periods(), opening: None });
    }
    let mut buffer = Buffer::empty(SCREEN);
    let theme = Theme::named(state.theme);
    black_box(view::render(&state, &theme, SCREEN, &mut buffer));
    Ok(())
}

fn retrieval(memory: &Memory, asked: &[Interaction]) -> Figure {
    let one = |ix: usize| {
        let asked = &asked[ix % asked.len()];
        // `reads` above were allowed at these moments.
        drop(black_box(memory.read_local(&asked.user, &asked.query, asked.at)));
    };
    Figure::of("local.retrieve", "us", timed(READS, one))
}

fn mediation(memory: &Memory, asked: &[Interaction], reads: &[MemoryRead]) -> [Figure; 4] {
    let manifest = &memory.manifest;
    let of = |read| Evidence::of(read, manifest.retrieval.guard, manifest.calibration.local);
    let evidence: Vec<Evidence> = reads.iter().map(of).collect();
    let policy = Policy::of(manifest.task);
    let weights = Weights::defaults(policy, manifest);
    let at = |ix: usize| &evidence[ix % evidence.len()];
    let query = timed(10 * READS, |ix| drop(black_box(mediate(at(ix), &weights, policy))));
    let flip = timed(READS, |ix| drop(black_box(flips(at(ix), &weights, policy))));
    let step = |turn: usize| {
        let asked = &asked[turn % asked.len()];
        let gold = memory.population.labels.iter().position(|label| *label == asked.response);
        let arms = [const { Some(None) }; 4];
        let (user, evidence, said) = (asked.user.clone(), at(turn).clone(), Vec::new());
        Step { turn, user, evidence, gold, on_habit: None, judged: true, arms, said }
    };
    let study = Study { steps: Arc::new(Steps::new((0..STEPS).map(step).collect())), ..Study::default() };
    let decided: Vec<Resolution> = evidence.iter().map(|evidence| mediate(evidence, &weights, policy)).collect();
    let kept = timed(READS, |ix| {
        let voices = reads[ix % reads.len()].global.parts.voices(&at(ix).base, &manifest.calibration);
        black_box(ledger(at(ix), &weights, &decided[ix % decided.len()]));
        black_box(counterfactuals(at(ix), &weights, policy, &voices));
    });
    let session = timed(SESSIONS, |ix| {
        let turned = weights.with(Weight::PriorStrength, 0.5 + ix as f64);
        let now = study.steps.remediate(&Setting { weights: turned, policy });
        black_box(study.count(memory.population.labels.len(), &now));
    });
    [
        Figure::of("mediate.query", "us", query),
        Figure::of("mediate.flips", "us", flip),
        Figure::of("mediate.ledger", "us", kept),
        Figure::of("mediate.session-10k", "ms", session),
    ]
}

/// From the key that goes to a turn of a long recording, near or far, to the finished frame, without the terminal.
fn seeking(memory: &Memory, asked: &[Interaction]) -> Result<Figure, BenchError> {
    let policy = Policy::of(memory.manifest.task);
    let setting = Setting { weights: Weights::defaults(policy, &memory.manifest), policy };
    let header = Header {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        title: "a long session".to_owned(),
        dataset: DatasetId { name: memory.manifest.name.clone(), hash: String::new(), without: Vec::new() },
        model: None,
        device: None,
        setting,
        embedder: memory.embedder(),
        seed: 0,
        labels: memory.population.labels.clone(),
        picked: false,
        origin: None,
    };
    let (mut events, mut course) = (Vec::new(), Course::default());
    for number in 0.. {
        if events.len() >= EVENTS {
            break;
        }
        let Interaction { user, at, query, response, .. } = asked[number % asked.len()].clone();
        let form = memory.manifest.form_of(&response);
        let asked = Asked { user, at, query, gold: Some(response), form, source: None, held: None };
        events.extend(turn(memory, None, setting, &mut course, asked)?);
    }
    let mut state = State::new(Start::default());
    let opened = Opened::of("long".to_owned(), Session::new(header, events));
    let turns = opened.as_ref().map_or(0, |opened| opened.answers.len());
    opened.into_iter().for_each(|opened| drop(update(&mut state, Message::SessionOpened(Box::new(opened)))));
    let theme = Theme::named(state.theme);
    let mut buffer = Buffer::empty(SCREEN);
    let press = |state: &mut State, key: &str| {
        key.parse::<Chord>().into_iter().for_each(|chord| drop(update(state, Message::Key(chord))));
    };
    let mut draw = Draw::seeded(1);
    let taken = timed(SEEKS, |_| {
        let number = (1 + draw.below(turns)).to_string();
        press(&mut state, "#");
        number.chars().for_each(|digit| press(&mut state, digit.encode_utf8(&mut [0; 4])));
        press(&mut state, "enter");
        buffer.reset();
        black_box(view::render(&state, &theme, SCREEN, &mut buffer));
    });
    Ok(Figure::of("session.seek", "ms", taken))
}

/// From a key on a slider to the finished frame, without the terminal.
fn keys(dataset: Dataset, memory: &Memory, asked: &Interaction) -> Result<Figure, BenchError> {
    let mut state = State::new(Start { dataset_name: "population".into(), ..Start::default() });
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset))));
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
    asked: &[Interaction],
    reads: &[MemoryRead],
) -> Result<[Figure; 2], BenchError> {
    let weights = Weights::defaults(Policy::of(memory.manifest.task), &memory.manifest);
    let (mut rates, mut first) = (Vec::new(), Vec::new());
    for (ix, (asked, read)) in asked.iter().zip(reads).take(ANSWERS).enumerate() {
        let blocks = Blocks::of(memory, &asked.query, read);
        let mut request = crate::engine::answer::request(&blocks, memory.scored_labels(), Arm::ALL[ix % 4], &weights);
        // Without a stop text an answer runs to its limit.
        request.stop.clear();
        for event in engine.generate(request) {
            match event {
                GenEvent::Done(stats) => {
                    rates.push(stats.tokens as f64 / stats.elapsed.as_secs_f64());
                    first.push(stats.ttft);
                }
                GenEvent::Failed(error) => return Err(error.into()),
                GenEvent::Scores(_) | GenEvent::Token(_) | GenEvent::Again(_) => {}
            }
        }
    }
    Ok([Figure::of_rates("engine.tokens-per-second", "tokens/s", rates), Figure::of("engine.first-token", "ms", first)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synth::headlines;
    use crate::engine::engine::{Cancel, Caps, GenRequest, GenStats, Generation, ScoreKind};

    /// Writes, and scores nothing.
    struct Writer(Caps);

    impl Engine for Writer {
        fn caps(&self) -> &Caps {
            &self.0
        }

        fn generate(&self, req: GenRequest) -> Generation {
            assert_eq!(req.labels, [""; 0], "forms of texts are no answers");
            Generation::new(Cancel::default(), [GenEvent::Done(GenStats::default())].into_iter())
        }

        fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn a_model_is_timed_at_what_arms_ask_of_it() {
        let dataset = headlines(&Parameters { users: 20, mean_history: 10, ..Parameters::of_headlines() }).0;
        let memory = Memory::build(&dataset);
        let asked = &dataset.interactions[dataset.interactions.len() - 4..];
        let reads: Vec<MemoryRead> =
            asked.iter().map(|asked| memory.read(&asked.user, &asked.query, asked.at).unwrap()).collect();
        let engine = Writer(Caps {
            name: "writer".into(),
            device: "cpu".into(),
            dtype: "f32".into(),
            parameters: 1,
            max_context: 4096,
            score: ScoreKind::None,
            chat: false,
        });
        assert!(answers(&engine, &memory, asked, &reads).is_ok());
    }
}
