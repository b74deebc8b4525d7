//! Rows to learn the reading of tags from: a question on one arm, and what Bayes' rule under the generator expects of its
//! answer from the memories that the prompt prints.
//!
//! That is what draws come to when there are many of them, without the noise of drawing, and it is known, too, of prompts
//! in which something was changed and nobody answered: another community's block, another tag or another age of a memory.
//! What it is told and no prompt says (themes, the crowd's habits) differs from population to population, so that no model
//! can learn it. Never is it the mediator's opinion.
//!
//! Invariant: rows are a function of the population and of how many there are.

use std::sync::atomic::AtomicBool;

use super::trial::{Asked, Company, Given, Questions, Trial, aged, expected};
use super::{CliError, JUDGED_SHARE, Row, WARM_UP, stranger, unless_stopped};
use crate::data::dataset::Dataset;
use crate::data::draw::Draw;
use crate::data::synth::bayes::{History, Learned, World};
use crate::data::synth::{THEMES, Truth};
use crate::engine::prompt::{Arm, Blocks};
use crate::memory::{Memory, MemoryRead};

/// Of the rows that see a local block, those in which a memory of the question's theme has another tag.
const FLIPPED_SHARE: f64 = 0.12;
/// And those in which it is young instead of old, or old instead of young.
const AGED_SHARE: f64 = 0.06;
/// Of the rows that see a collective block, those in which it is somebody's of another community.
const SWAPPED_SHARE: f64 = 0.16;

/// What a prompt prints, and the same for the reference.
struct Asking {
    prompt: String,
    given: Given,
    swap: Option<&'static str>,
    /// Whether nobody was ever asked like this.
    changed: bool,
}

/// Questions drawn at random, each on one random arm, with memory strictly before them.
pub(super) fn rows<'a>(
    dataset: &'a Dataset,
    truth: &'a Truth,
    memory: &'a mut Memory,
    rows: usize,
    cancel: &AtomicBool,
) -> Result<Vec<Row<'a>>, CliError> {
    let mut draw = Draw::seeded(truth.seed ^ 0x007E_AC11);
    let questions = Questions::of(dataset, truth);
    let trial = Trial::new(dataset, truth, memory);
    let (world, learned) = (trial.world.clone().briefly(), Learned::told(&trial.world));
    let late = &questions.lived[(questions.lived.len() as f64 * WARM_UP) as usize..];
    let mut all = Vec::with_capacity(rows);
    // The reference knows of nobody who would ask a question in some thousands.
    for _ in 0..rows.saturating_mul(2) {
        unless_stopped(cancel)?;
        let asked = match draw.chance(JUDGED_SHARE) {
            _ if all.len() == rows => break,
            true if !questions.judged.is_empty() => draw.one_of(&questions.judged),
            _ if !late.is_empty() => draw.one_of(late),
            _ => break,
        };
        all.extend(row(&trial, dataset, truth.seed, (&world, &learned), asked, &mut draw)?);
    }
    Ok(all)
}

/// A row; `None` where the reference knows of no such person.
fn row<'a>(
    trial: &Trial<'a>,
    dataset: &'a Dataset,
    population: u64,
    (world, learned): (&World, &Learned),
    asked: Asked<'a>,
    draw: &mut Draw,
) -> Result<Option<Row<'a>>, CliError> {
    let read = trial.memory.read(asked.user, asked.text, asked.at)?;
    let arm = draw.one_of(&Arm::ALL);
    let (_, there) = stranger(dataset, trial.memory, draw, asked.user, asked.text, asked.at, &read)?;
    let Asking { prompt, given, swap, changed } = asking(trial, &asked, arm, &read, &there, draw);

    let subject = trial.subject(&asked, &read);
    let mut membership_draw = draw.clone();
    let membership = |company| {
        let subject = match company {
            Company::Own => &subject,
            Company::Stranger => &trial.subject(&asked, &there),
        };
        let history = History { seen: &subject.whole, whole: true };
        learned.from_both(&subject.asked, history, &mut membership_draw).membership
    };
    let Some(found) = expected(world, learned, &subject.asked, &given, membership, draw) else { return Ok(None) };
    let fits = THEMES[asked.theme].tags;
    let chances: Vec<f64> = fits.iter().map(|tag| (found.p[*tag] * 1e4).round() / 1e4).collect();
    if !chances.iter().all(|p| p.is_finite()) {
        return Ok(None);
    }
    let answer = if changed { fits[draw.index(&chances)] } else { asked.answer };
    Ok(Some(Row {
        prompt,
        answer: &dataset.manifest.labels[answer],
        arm: arm.name(),
        population,
        swap,
        query: asked.id,
        visible: read.local.visible(),
        fits: Some(fits),
        chances: Some(chances),
    }))
}

/// A prompt of an arm, in which something may have been changed.
fn asking(trial: &Trial, asked: &Asked, arm: Arm, read: &MemoryRead, there: &MemoryRead, draw: &mut Draw) -> Asking {
    let told = |read: &MemoryRead, changed| {
        let (prompt, printed) = trial.prompt(asked, asked.text, read, arm);
        Asking { prompt, given: Given::of(arm, printed, Company::Own), swap: None, changed }
    };
    let place = trial.place_of_theme(asked, read).filter(|_| arm.sees_local());
    match (draw.unit(), place) {
        (x, Some(place)) if x < FLIPPED_SHARE => told(&trial.flipped(asked, read, place, draw), true),
        (x, Some(place)) if x < FLIPPED_SHARE + AGED_SHARE => told(&aged(read, place), true),
        (x, _) if arm.sees_global() && x > 1.0 - SWAPPED_SHARE => {
            let own = arm.sees_local().then_some(&read.local);
            let blocks = Blocks::with(trial.memory, asked.text, own, Some(&there.global));
            let lines = blocks.account(Arm::Mediated, &trial.weights).local.lines;
            let printed = own.map(|local| trial.seen(asked, &local.hits[..lines])).unwrap_or_default();
            let prompt = blocks.prompt(Arm::Mediated, &trial.weights);
            Asking { prompt, given: Given::of(arm, printed, Company::Stranger), swap: Some("global"), changed: true }
        }
        _ => told(read, false),
    }
}
