//! Prompts for training and testing the demonstration model, made by the program's own memory and renderer.
//!
//! Training rows come from populations that are never shipped, each with fresh communities: what a model can learn
//! from them is to read its memories, not to remember one world. The target is the drawn response, never the
//! mediator's opinion.

mod evaluation;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::{CliError, file_error};
use crate::data::dataset::Dataset;
use crate::data::draw::Draw;
use crate::data::interaction::{Timestamp, UserId};
use crate::data::synth::{Parameters, population};
use crate::engine::prompt::{Arm, render, render_blocks};
use crate::mediator::{Policy, Weights};
use crate::memory::{Memory, MemoryRead};

/// Share of training rows whose collective block is another person's, so that a model learns how far to trust it.
const SWAPPED_SHARE: f64 = 0.04;
/// Training rows are drawn from the last part of a population's time, when memories have something to say.
const WARM_UP: f64 = 0.25;

#[derive(Serialize)]
struct Header<'a> {
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
}

/// What to export.
pub struct Export<'a> {
    /// The file written.
    pub path: &'a Path,
    /// Populations, from `parameters.seed` on.
    pub populations: u64,
    /// Interactions per population that are asked again, with memory strictly before them.
    pub rows: usize,
    /// Whether to write those and every judged query on all arms, with controls, instead of training rows.
    pub evaluation: bool,
}

/// Writes the header and all rows.
pub fn run(export: &Export, parameters: &Parameters) -> Result<(), CliError> {
    let wrap = |source| file_error(export.path, source);
    let mut out = BufWriter::new(File::create(export.path).map_err(wrap)?);
    for number in 0..export.populations {
        let seed = parameters.seed.wrapping_add(number);
        let (dataset, truth) = population(&Parameters { seed, ..parameters.clone() });
        let mut memory = Memory::build(&dataset);
        if number == 0 {
            write_line(&mut out, &Header { labels: &dataset.manifest.responses() }).map_err(wrap)?;
        }
        let written = if export.evaluation {
            let rows = evaluation::rows(&dataset, &truth, &mut memory, export.rows)?;
            write_lines(&mut out, &rows)
        } else {
            write_lines(&mut out, &training_rows(&dataset, &memory, seed, export.rows)?)
        };
        eprintln!("population {seed}: {} rows", written.map_err(wrap)?);
    }
    out.flush().map_err(wrap)
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

/// Interactions drawn at random, each on one random arm, with memory strictly before them.
fn training_rows<'a>(dataset: &'a Dataset, memory: &Memory, seed: u64, rows: usize) -> Result<Vec<Row<'a>>, CliError> {
    let mut draw = Draw::seeded(seed ^ 0x007E_AC11);
    let weights = Weights::defaults(Policy::of(dataset.manifest.task), &dataset.manifest);
    let all = &dataset.interactions;
    let first = (all.len() as f64 * WARM_UP) as usize;
    let row = |_| {
        let asked = &all[draw.between(first, all.len() - 1)];
        let read = memory.read(&asked.user, &asked.query, asked.at)?;
        let arm = draw.one_of(&Arm::ALL);
        let swapped = arm.sees_global() && draw.chance(SWAPPED_SHARE);
        let prompt = if swapped {
            let (_, other) = stranger(dataset, memory, &mut draw, &asked.user, &asked.query, asked.at, &read)?;
            render_blocks(memory, &asked.query, arm.sees_local().then_some(&read.local), Some(&other.global))
        } else {
            render(memory, &asked.query, &read, arm, &weights)
        };
        Ok(Row {
            prompt,
            answer: &asked.response,
            arm: arm.name(),
            population: seed,
            swap: swapped.then_some("global"),
            query: &asked.id,
            visible: read.local.visible(),
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
        let other = &dataset.interactions[draw.below(dataset.interactions.len())].user;
        if other == user {
            continue;
        }
        let there = memory.read(other, query, at)?;
        let elsewhere = there.global.leading().is_some_and(|(community, _)| Some(community) != own);
        if there.local.visible() >= 5 && elsewhere {
            return Ok((other, there));
        }
        last = Some((other, there));
    }
    Ok(last.unwrap_or_else(|| (user, read.clone())))
}
