//! Prompts for training and testing the demonstration model, made by the program's own memory and renderer.
//!
//! Training rows come from populations that are never shipped, each with fresh communities: what a model can learn
//! from them is to read its memories, not to remember one world. The target is the drawn response or, of tags, what
//! Bayes' rule expects from what is printed, never the mediator's opinion.

mod evaluation;
mod training;
mod trial;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::import::ended;
use super::synth::Task;
use super::target::Unfinished;
use super::{CliError, file_error};
use crate::data::dataset::{Dataset, TaskKind};
use crate::data::draw::Draw;
use crate::data::interaction::{Interaction, JudgedQuery, Timestamp, UserId};
use crate::data::synth::{Parameters, population};
use crate::engine::prompt::{Arm, render, render_blocks};
use crate::mediator::{Policy, Weights};
use crate::memory::rating::About;
use crate::memory::{Apart, Memory, MemoryRead};

/// Share of training rows of ratings whose local, and whose collective, block is another person's, so that a model learns
/// how far to trust it.
const SWAPPED_SHARE: f64 = 0.04;
/// Share of judged queries among what is asked: newcomers, and what biased people do not usually answer, are among them.
const JUDGED_SHARE: f64 = 0.3;
/// Interactions asked again for training are drawn from the last part of a population's time, when memories have something to say.
const WARM_UP: f64 = 0.25;

#[derive(Serialize)]
struct Header<'a> {
    task: TaskKind,
    /// What can be answered; of texts their forms.
    labels: &'a [String],
}

#[derive(Serialize)]
struct Row<'a> {
    prompt: String,
    answer: &'a str,
    arm: &'static str,
    population: u64,
    swap: Option<&'static str>,
    query: &'a str,
    visible: usize,
    /// The labels that fit what is asked about, where the generator knows of such; no prompt says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fits: Option<&'static [usize]>,
    /// How likely each of those is, given what the prompt prints: what a model learns faster from than from draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    chances: Option<Vec<f64>>,
}

/// What to export.
pub struct Export<'a> {
    /// The file written.
    pub path: &'a Path,
    /// Whether it may replace another.
    pub force: bool,
    /// What is asked.
    pub task: Task,
    /// Populations, from `parameters.seed` on.
    pub populations: u64,
    /// Interactions per population that are asked again, with memory strictly before them.
    pub rows: usize,
    /// Whether to write those and every judged query on all arms, with controls, instead of training rows.
    pub evaluation: bool,
}

/// Writes the header and all rows, or nothing.
pub fn run(export: &Export, parameters: &Parameters) -> Result<(), CliError> {
    if export.evaluation && export.task != Task::Labels {
        let told = "--evaluation is of tags: what could have been known of other answers is not reckoned; judge them with \
                    eval --predictor model";
        return Err(CliError::Usage(told.to_owned()));
    }
    let wrap = |source| file_error(export.path, source);
    let mut out = Unfinished::begin(export.path, export.force)?;
    let cancel = ended();
    for number in 0..export.populations {
        let seed = parameters.seed.wrapping_add(number);
        let parameters = Parameters { seed, ..parameters.clone() };
        let head = |out: &mut Unfinished<'_>, dataset: &Dataset| {
            let (task, labels) = (dataset.manifest.task, &dataset.manifest.responses());
            if number == 0 { write_line(out, &Header { task, labels }) } else { Ok(()) }
        };
        let written = if export.task == Task::Labels {
            let (dataset, truth) = population(&parameters);
            head(&mut out, &dataset).map_err(wrap)?;
            let mut memory = Memory::build(&dataset);
            if export.evaluation {
                write_lines(&mut out, &evaluation::rows(&dataset, &truth, &mut memory, export.rows)?)
            } else {
                write_lines(&mut out, &training::rows(&dataset, &truth, &mut memory, export.rows, &cancel)?)
            }
        } else {
            let dataset = export.task.dataset(&parameters);
            head(&mut out, &dataset).map_err(wrap)?;
            let memory = Memory::build(&dataset);
            write_lines(&mut out, &drawn_rows(&dataset, &memory, (seed, export.rows), &cancel)?)
        };
        unless_stopped(&cancel)?;
        tell_line!("population {seed}: {} rows", written.map_err(wrap)?);
    }
    out.finish()
}

fn unless_stopped(cancel: &AtomicBool) -> Result<(), CliError> {
    if cancel.load(Ordering::Relaxed) { Err(CliError::Unwritten) } else { Ok(()) }
}

/// Says how many there were.
fn write_lines(out: &mut impl Write, rows: &[impl Serialize]) -> std::io::Result<usize> {
    rows.iter().try_for_each(|row| write_line(out, row))?;
    Ok(rows.len())
}

fn write_line(out: &mut impl Write, row: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}

/// Somebody's question whose answer is known.
#[derive(Clone, Copy)]
struct Question<'a> {
    id: &'a str,
    user: &'a UserId,
    at: Timestamp,
    text: &'a str,
    about: About<'a>,
    answer: &'a str,
}

impl<'a> Question<'a> {
    fn judged(query: &'a JudgedQuery) -> Option<Self> {
        let JudgedQuery { id, user, at, query, gold, item, extra } = query;
        let (about, answer) = (About { item: item.as_deref(), extra }, gold.as_deref()?);
        Some(Self { id, user, at: *at, text: query, about, answer })
    }

    fn lived(interaction: &'a Interaction) -> Self {
        let Interaction { id, user, at, query, response, item, extra } = interaction;
        Self { id, user, at: *at, text: query, about: About { item: item.as_deref(), extra }, answer: response }
    }
}

/// Questions drawn at random, each on one random arm, with memory strictly before them.
fn drawn_rows<'a>(
    dataset: &'a Dataset,
    memory: &Memory,
    (seed, rows): (u64, usize),
    cancel: &AtomicBool,
) -> Result<Vec<Row<'a>>, CliError> {
    let mut draw = Draw::seeded(seed ^ 0x007E_AC11);
    let weights = Weights::defaults(Policy::of(dataset.manifest.task), &dataset.manifest);
    let (all, judged) = (&dataset.interactions, dataset.queries.iter().filter_map(Question::judged));
    let judged: Vec<Question> = judged.collect();
    let first = (all.len() as f64 * WARM_UP) as usize;
    // How texts are written stands in both blocks of a prompt, so that neither can be somebody else's alone.
    let swappable = dataset.manifest.task != TaskKind::Text;
    let row = |_| {
        unless_stopped(cancel)?;
        let asked = if !judged.is_empty() && draw.chance(JUDGED_SHARE) {
            draw.one_of(&judged)
        } else {
            Question::lived(&all[draw.between(first, all.len() - 1)])
        };
        let read = memory.read_apart(asked.user, asked.text, Some(asked.about), asked.at, Apart::default())?;
        let arm = draw.one_of(&Arm::ALL);
        let side = draw.unit();
        let swap = match () {
            _ if !swappable => None,
            _ if arm.sees_local() && side < SWAPPED_SHARE => Some("local"),
            _ if arm.sees_global() && side > 1.0 - SWAPPED_SHARE => Some("global"),
            _ => None,
        };
        let prompt = match swap {
            None => render(memory, asked.text, &read, arm, &weights),
            Some(swap) => {
                let (_, other) = stranger(dataset, memory, &mut draw, asked.user, asked.text, asked.at, &read)?;
                let (local, global) = match swap {
                    "local" => (&other.local, &read.global),
                    _ => (&read.local, &other.global),
                };
                let (local, global) = (arm.sees_local().then_some(local), arm.sees_global().then_some(global));
                render_blocks(memory, asked.text, local, global)
            }
        };
        Ok(Row {
            prompt,
            answer: asked.answer,
            arm: arm.name(),
            population: seed,
            swap,
            query: asked.id,
            visible: read.local.visible(),
            fits: None,
            chances: None,
        })
    };
    (0..rows).map(row).collect()
}

/// What memory says for somebody with history of their own who most likely belongs to another community.
fn stranger<'a>(
    dataset: &'a Dataset,
    memory: &Memory,
    draw: &mut Draw,
    user: &'a UserId,
    query: &str,
    at: Timestamp,
    read: &MemoryRead,
) -> Result<(&'a UserId, MemoryRead), CliError> {
    let own = read.global.leading().map(|(community, _)| community);
    let mut last = None;
    // Rarely does nobody fit (the first days of a population); the last one tried then has to do.
    for _ in 0..40 {
        let theirs = &dataset.interactions[draw.below(dataset.interactions.len())];
        // Ratings know no communities, and everybody hears the same of one thing: so somebody else asks about another.
        let rated = dataset.manifest.task == TaskKind::Rating;
        let (other, query) = (&theirs.user, if rated { &theirs.query } else { query });
        if other == user {
            continue;
        }
        let there = memory.read(other, query, at)?;
        let elsewhere = there.global.leading().is_some_and(|(community, _)| Some(community) != own);
        if there.local.visible() >= 5 && (elsewhere || rated) {
            return Ok((other, there));
        }
        last = Some((other, there));
    }
    Ok(last.unwrap_or_else(|| (user, read.clone())))
}
