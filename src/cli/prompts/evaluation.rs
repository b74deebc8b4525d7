//! Prompts that prove what the demonstration model reads: every question on all arms, what could have been known of its
//! answer, and controls in which one thing of a prompt is changed.
//!
//! Controls change what the renderer is given and never its words. A control's base is the row of the same `asked` and
//! `arm` without one. Invariant: rows are a function of the population and of how many interactions are asked again.

use std::collections::HashMap;
use std::thread;

use serde::Serialize;

use super::trial::{Asked, Company, Given, Questions, Subject, Trial, aged, expected, theme};
use super::{CliError, stranger};
use crate::data::dataset::Dataset;
use crate::data::draw::Draw;
use crate::data::interaction::UserId;
use crate::data::synth::bayes::{History, Learned, Prediction, Seen, Stretch, World};
use crate::data::synth::{Kind, Truth, UserTruth};
use crate::engine::prompt::{Arm, Blocks};
use crate::mediator::{Evidence, Policy, mediate};
use crate::memory::{Memory, MemoryRead};

/// One question in so many has every control; the others have the swaps alone.
const CONTROLLED: usize = 3;
/// The crowd's habits are learned anew so many times between the first question and the last one.
const LEARNED: usize = 12;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Control {
    /// The local block is a stranger's.
    SwapLocal,
    /// The collective block is a stranger's.
    SwapGlobal,
    /// A printed memory of the question's theme has another fitting tag.
    Flip,
    /// The same memory is young instead of old, or old instead of young.
    Age,
    /// All tags have each other's names, in the whole prompt and in the answer.
    Permute,
    /// The same of the tags that fit the question's theme.
    PermuteTheme,
    /// The person's memories stand in reversed order.
    Order,
    /// Another question, of another theme, under the same memories.
    Text,
}

/// A prompt with what is known about it.
#[derive(Serialize)]
pub(super) struct Row {
    prompt: String,
    answer: String,
    arm: &'static str,
    population: u64,
    swap: Option<&'static str>,
    query: String,
    /// Number of the question in its population.
    asked: usize,
    user: UserId,
    kind: Kind,
    visible: usize,
    /// What the person mostly answers, of late.
    habit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<Control>,
    /// Label `i` is called what label `permutation[i]` is called otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    permutation: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bayes: Option<Bayes>,
    /// What memory says without a model, by label: the rules' distribution of the arm over the tags that fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Vec<f64>>,
}

/// What could have been known, by label.
#[derive(Serialize)]
struct Bayes {
    /// From the memories that the prompt prints.
    printed: Vec<f64>,
    /// From all that memory holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<Vec<f64>>,
    /// Monte Carlo standard error, the larger of both.
    error: f64,
}

/// Who asks, and whose blocks stand in for theirs.
struct Subjects {
    own: Subject,
    stranger: Subject,
}

/// Every judged query and `again` late interactions, each with its controls and with what could have been known.
pub(super) fn rows(dataset: &Dataset, truth: &Truth, memory: &mut Memory, again: usize) -> Result<Vec<Row>, CliError> {
    let mut draw = Draw::seeded(truth.seed ^ 0x5_0A9);
    let questions = questions(dataset, truth, &mut draw, again);
    let mut trial = Trial::new(dataset, truth, memory);
    let mut all = Vec::with_capacity(questions.len());
    for number in 0..questions.len() {
        all.push(trial.question(&questions, number, &mut draw)?);
    }
    let world = World::of(truth);
    let at = |place: usize| all.get(place).map(|(subjects, _): &Asking| subjects.own.asked.at);
    let (first, last) = (0..all.len()).filter_map(at).fold((1.0, 0.0), |(a, b), at| (f64::min(a, at), f64::max(b, at)));
    let moment = |place: usize| first + (last - first) * place as f64 / LEARNED as f64;
    let moments: Vec<f64> = (0..LEARNED).map(moment).collect();
    let learned = Learned::of(&world, &stretches(dataset, truth, &world), &moments, &mut draw);
    let seed = |number: usize| (truth.seed << 24) ^ number as u64 ^ 0xBA_7E5;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = all.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        for (part, some) in all.chunks_mut(share).enumerate() {
            let (world, learned) = (&world, &learned);
            scope.spawn(move || {
                for (place, (subjects, rows)) in some.iter_mut().enumerate() {
                    predict(world, learned, subjects, rows, &mut Draw::seeded(seed(part * share + place)));
                }
            });
        }
    });
    Ok(all.into_iter().flat_map(|(_, rows)| rows).map(|(row, _)| row).collect())
}

/// The questions whose theme the truth knows; of generated data that is all of them.
fn questions<'a>(dataset: &'a Dataset, truth: &'a Truth, draw: &mut Draw, again: usize) -> Vec<Asked<'a>> {
    let Questions { mut judged, lived } = Questions::of(dataset, truth);
    if !lived.is_empty() {
        judged.extend((0..again).map(|_| lived[draw.between(lived.len() * 3 / 4, lived.len() - 1)]));
    }
    judged
}

/// What everybody answered, by the habits behind it.
fn stretches(dataset: &Dataset, truth: &Truth, world: &World) -> Vec<Stretch> {
    let number: HashMap<&UserId, usize> =
        truth.users.iter().enumerate().map(|(place, person)| (&person.user, 2 * place)).collect();
    let empty = |person: &UserTruth| {
        let of = |community| Stretch { community, fixation: person.fixation, seen: Vec::new() };
        [of(person.community), of(person.community_after.unwrap_or(person.community))]
    };
    let mut stretches: Vec<Stretch> = truth.users.iter().flat_map(empty).collect();
    for i in &dataset.interactions {
        let Some((theme, place)) = theme(truth, i.item.as_deref()).zip(number.get(&i.user)) else { continue };
        let Some(tag) = dataset.manifest.labels.iter().position(|label| *label == i.response) else { continue };
        let moved = truth.users[place / 2].drift_at.is_some_and(|moment| i.at >= moment);
        stretches[place + usize::from(moved)].seen.push(Seen { theme, tag, at: world.moment(i.at) });
    }
    stretches.retain(|stretch| !stretch.seen.is_empty());
    stretches
}

type Asking = (Subjects, Vec<(Row, Given)>);

impl Trial<'_> {
    /// All rows of one question.
    fn question(&mut self, questions: &[Asked], number: usize, draw: &mut Draw) -> Result<Asking, CliError> {
        let asked = &questions[number];
        let read = self.memory.read(asked.user, asked.text, asked.at)?;
        let (_, there) = stranger(self.dataset, self.memory, draw, asked.user, asked.text, asked.at, &read)?;
        let habit = read.local.profile.ranked().first().map(|(label, _)| self.dataset.manifest.labels[*label].clone());
        let visible = read.local.visible();
        let mut rows = Rows { asked, number, population: self.truth.seed, visible, habit, all: Vec::new() };
        for arm in Arm::ALL {
            let (prompt, printed) = self.prompt(asked, asked.text, &read, arm);
            rows.push(arm, None, prompt, Given::of(arm, printed, Company::Own));
        }
        self.remember(asked, &read, None, &mut rows);
        // As `render_blocks` has it.
        let mut swapped = |arm: Arm, control, own: Option<&MemoryRead>, others: Option<&MemoryRead>| {
            let blocks =
                Blocks::with(self.memory, asked.text, own.map(|read| &read.local), others.map(|read| &read.global));
            let lines = blocks.account(Arm::Mediated, &self.weights).local.lines;
            let given = match control {
                Control::SwapGlobal => {
                    let printed = own.map(|read| self.seen(asked, &read.local.hits[..lines])).unwrap_or_default();
                    Given::of(arm, printed, Company::Stranger)
                }
                _ => Given::Unasked,
            };
            rows.push(arm, Some(control), blocks.prompt(Arm::Mediated, &self.weights), given);
        };
        swapped(Arm::Local, Control::SwapLocal, Some(&there), None);
        swapped(Arm::Global, Control::SwapGlobal, None, Some(&there));
        swapped(Arm::Mediated, Control::SwapLocal, Some(&there), Some(&read));
        swapped(Arm::Mediated, Control::SwapGlobal, Some(&read), Some(&there));
        let swapped = MemoryRead { global: there.global.clone(), ..read.clone() };
        self.remember(asked, &swapped, Some(Control::SwapGlobal), &mut rows);
        // A stream of their own, so that how many there are changes no stranger.
        if number.is_multiple_of(CONTROLLED) {
            let mut draw = Draw::seeded(self.truth.seed ^ ((number as u64) << 20) ^ 0xC0_77);
            self.controls(questions, &read, &mut rows, &mut draw);
        }
        let subjects = Subjects { own: self.subject(asked, &read), stranger: self.subject(asked, &there) };
        Ok((subjects, rows.all))
    }

    /// What the rules make of the memories that the prompts of rows under a control were made from.
    fn remember(&self, asked: &Asked, read: &MemoryRead, control: Option<Control>, rows: &mut Rows) {
        let manifest = &self.dataset.manifest;
        let evidence = Evidence::of(read, manifest.retrieval.guard, manifest.calibration.local);
        let resolution = mediate(&evidence, &self.weights, Policy::of(manifest.task));
        let fits = self.world.fitting(asked.theme);
        for (row, _) in rows.all.iter_mut().filter(|(row, _)| row.control == control) {
            let said = match row.arm {
                arm if arm == Arm::Global.name() => &resolution.global,
                arm if arm == Arm::Mediated.name() => &resolution.distribution,
                _ => continue,
            };
            let sum: f64 = fits.iter().map(|tag| said[*tag]).sum();
            let share = |tag: usize| if fits.contains(&tag) { rounded(said[tag] / sum) } else { 0.0 };
            row.memory = Some((0..said.len()).map(share).collect());
        }
    }

    /// Rows in which one thing is changed.
    fn controls(&mut self, questions: &[Asked], read: &MemoryRead, rows: &mut Rows, draw: &mut Draw) {
        let asked = rows.asked;
        if let Some(place) = self.place_of_theme(asked, read) {
            let flipped = self.flipped(asked, read, place, draw);
            self.control(rows, Control::Flip, asked.text, &flipped, &[Arm::Local, Arm::Mediated]);
            self.control(rows, Control::Age, asked.text, &aged(read, place), &[Arm::Local, Arm::Mediated]);
        }
        let mut reversed = read.clone();
        let printed = self.lines(asked.text, read, Arm::Local);
        if printed > 1 {
            reversed.local.hits[..printed].reverse();
            self.control(rows, Control::Order, asked.text, &reversed, &[Arm::Local, Arm::Mediated]);
        }
        let elsewhere: Vec<&Asked> = questions.iter().filter(|other| other.theme != asked.theme).collect();
        if !elsewhere.is_empty() {
            let text = draw.one_of(&elsewhere).text;
            self.control(rows, Control::Text, text, read, &[Arm::Local, Arm::Global, Arm::Mediated]);
        }
        let labels = self.dataset.manifest.labels.len();
        let mut everywhere: Vec<usize> = (0..labels).collect();
        draw.shuffle(&mut everywhere);
        let mut fitting = self.world.fitting(asked.theme).to_vec();
        // One step round: no name stays.
        fitting.rotate_left(1);
        let mut within: Vec<usize> = (0..labels).collect();
        self.world.fitting(asked.theme).iter().zip(fitting).for_each(|(tag, name)| within[*tag] = name);
        for (control, permutation) in [(Control::Permute, everywhere), (Control::PermuteTheme, within)] {
            self.renamed(rows, control, read, &permutation);
        }
    }

    /// One control on some arms; where one thing cannot be seen to change, it is no control.
    fn control(&self, rows: &mut Rows, control: Control, text: &str, read: &MemoryRead, arms: &[Arm]) {
        let asked = rows.asked;
        for arm in arms {
            let (prompt, printed) = self.prompt(asked, text, read, *arm);
            let same = rows.all.iter().any(|(row, _)| row.control.is_none() && row.prompt == prompt);
            let given = match control {
                Control::Flip | Control::Age => Given::of(*arm, printed, Company::Own),
                _ => Given::Unasked,
            };
            if !same {
                rows.push(*arm, Some(control), prompt, given);
            }
        }
    }

    /// Prompts in which labels have other names.
    fn renamed(&mut self, rows: &mut Rows, control: Control, read: &MemoryRead, permutation: &[usize]) {
        let (asked, usual) = (rows.asked, self.dataset.manifest.labels.as_slice());
        let names = permutation.iter().map(|label| usual[*label].clone()).collect();
        let kept = std::mem::replace(&mut self.memory.population.labels, names);
        for arm in [Arm::Local, Arm::Global, Arm::Mediated] {
            let (prompt, _) = self.prompt(asked, asked.text, read, arm);
            rows.push(arm, Some(control), prompt, Given::Unasked);
            if let Some((row, _)) = rows.all.last_mut() {
                row.answer = usual[permutation[asked.answer]].clone();
                row.permutation = Some(permutation.to_vec());
            }
        }
        self.memory.population.labels = kept;
    }
}

/// Rows of one question.
struct Rows<'a> {
    asked: &'a Asked<'a>,
    number: usize,
    population: u64,
    visible: usize,
    habit: Option<String>,
    all: Vec<(Row, Given)>,
}

impl Rows<'_> {
    fn push(&mut self, arm: Arm, control: Option<Control>, prompt: String, given: Given) {
        let asked = self.asked;
        let swap = match control {
            Some(Control::SwapLocal) => Some("local"),
            Some(Control::SwapGlobal) => Some("global"),
            _ => None,
        };
        let row = Row {
            prompt,
            answer: crate::data::synth::TAGS[asked.answer].to_owned(),
            arm: arm.name(),
            population: self.population,
            swap,
            query: asked.id.to_owned(),
            asked: self.number,
            user: asked.user.clone(),
            kind: asked.truth.kind,
            visible: self.visible,
            habit: self.habit.clone(),
            control,
            permutation: None,
            bayes: None,
            memory: None,
        };
        self.all.push((row, given));
    }
}

/// Fills in what could have been known.
fn predict(world: &World, learned: &Learned, subjects: &Subjects, rows: &mut [(Row, Given)], draw: &mut Draw) {
    let Subject { asked, whole } = &subjects.own;
    let history = History { seen: whole, whole: true };
    let own = world.from_own(asked, history, draw);
    let both = learned.from_both(asked, history, draw);
    let Subject { asked: stranger, whole } = &subjects.stranger;
    let elsewhere = learned.from_both(stranger, History { seen: whole, whole: true }, draw).membership;
    // The same draws for all rows: a control that changes nothing changes nothing.
    let start = draw.clone();
    for (row, given) in rows {
        let membership = |company| match company {
            Company::Own => both.membership.clone(),
            Company::Stranger => elsewhere.clone(),
        };
        let draw = &mut start.clone();
        // A control asks what changes with what is printed.
        let usual = row.control.is_none();
        let whole = match given {
            Given::Own(_) => Some(&own),
            Given::Both(..) => Some(&both),
            Given::Unasked | Given::Nothing | Given::Crowd(_) => None,
        };
        let Some(printed) = expected(world, learned, asked, given, membership, draw) else { continue };
        let whole = whole.filter(|_| usual);
        let error = whole.map_or(printed.error, |whole| whole.error.max(printed.error));
        let told = |found: &Prediction| found.p.iter().map(|p| rounded(*p)).collect();
        row.bayes = Some(Bayes { printed: told(&printed), whole: whole.map(told), error: rounded(error) });
    }
}

/// To five decimals: more is chance.
fn rounded(p: f64) -> f64 {
    (p * 1e5).round() / 1e5
}
