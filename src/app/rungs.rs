//! The ladder and the dial, live: the shown question with less of the person's history, or with a skewed one.
//!
//! Memory is read on every rung by the worker, rung by rung; what is read is kept, so that moving costs a mediation. The
//! rungs are those of `logoscope scenario ladder` and `dial`: the same items, the same draws, the same decisions.
//!
//! Invariants: rungs belong to the memory, the question and the kind they were read for; what the arms decide on them is computed in
//! `update` whenever a rung or the setting changes, from memory alone. While no rung is set the screen shows the whole
//! history.

use std::sync::Arc;

use super::board::{Board, Page};
use super::command::Command;
use super::message::Heard;
use super::overlay::Overlay;
use super::state::{MemoryState, State};
use super::worker::evidence_of;
use crate::data::dataset::TaskKind;
use crate::engine::answer::{final_decision, memory_distribution};
use crate::engine::prompt::{Arm, Blocks, Question};
use crate::eval::numbers::Paired;
use crate::mediator::{Evidence, mediate};
use crate::memory::held::{Held, Skew, rungs};
use crate::memory::{Memory, MemoryRead};
use crate::session::event::{self, HeldItem, Setting};
use crate::session::record::told;
use crate::session::scenario::Options;
use crate::session::scenario::rungs::{alike, habit_before, shares, split_by};

/// Questions whose rungs are kept.
const KEPT: usize = 16;

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How much of the history is held.
    Ladder,
    /// How much of it has one label.
    Dial,
}

/// A rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The newest so many items.
    Newest(usize),
    /// All of so many: the greatest rung of a ladder.
    All(usize),
    /// So many percent of the label.
    Percent(usize),
}

impl Rung {
    /// Whether both stand for the same, whatever the length of a history.
    pub fn is_like(self, other: Rung) -> bool {
        self == other || matches!((self, other), (Rung::All(_), Rung::All(_)))
    }

    /// `4`, `all 37`, `40 %`.
    pub fn name(self) -> String {
        match self {
            Rung::Newest(m) => m.to_string(),
            Rung::All(n) => format!("all {n}"),
            Rung::Percent(percent) => format!("{percent} %"),
        }
    }
}

/// The rungs of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// From the lowest up.
    pub rungs: Vec<Rung>,
    /// The one that is, or is nearest to, the person's own history.
    pub own: usize,
    /// The person's items before the question.
    pub visible: usize,
    /// Of a dial: the label, how many items every history has, and the person's own share of the label.
    pub skew: Option<(usize, usize, f64)>,
}

/// What memory says on a rung.
#[derive(Clone, Debug, PartialEq)]
pub struct Climbed {
    /// Both memories.
    pub read: MemoryRead,
    /// What there is to put into prompts.
    pub blocks: Blocks,
    /// The same for a session file.
    pub heard: Heard,
    /// What of the person's own is held.
    pub held: Vec<HeldItem>,
    /// What the mediator weighs.
    pub evidence: Evidence,
}

/// News of a climb.
#[derive(Debug)]
pub enum News {
    /// These rungs will be read.
    Begun(Scale),
    /// The next one has been.
    Rung(Box<Climbed>),
    /// There are none, because.
    Nothing(String),
}

/// A question to be read on every rung.
#[derive(Clone, Debug, PartialEq)]
pub struct ClimbRequest {
    /// Names the answers.
    pub ticket: u64,
    /// What is varied.
    pub kind: Kind,
    /// Who asks what, when.
    pub question: Question,
}

/// What the arms make of a rung, from memory alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Each arm's decision with its probability, in the order of [`Arm::ALL`].
    pub arms: [(usize, f64); 4],
    /// Judged questions so far that have this rung, and how many of them each arm gets right on it.
    pub so_far: (usize, [usize; 4]),
    /// Local against global on those.
    pub local_over_global: Paired,
}

/// A judged question that was climbed.
#[derive(Clone, Debug)]
struct Visited {
    kind: Kind,
    turn: usize,
    gold: usize,
    own: usize,
    rungs: Vec<(Rung, Evidence)>,
}

/// Rungs of a question that were read.
type Kept = (Kind, Question, Scale, Arc<Vec<Climbed>>);

/// The ladder or the dial of the question at hand.
#[derive(Clone, Debug, Default)]
pub struct Climbing {
    /// The number of the last climb, or of what stopped it.
    pub ticket: u64,
    /// What is read, of which question; `None` while neither board is open.
    pub wanted: Option<(Kind, Question)>,
    /// Its rungs.
    pub scale: Option<Scale>,
    /// What was read, from the lowest rung up.
    pub found: Arc<Vec<Climbed>>,
    /// Why there are none.
    pub failed: Option<String>,
    /// The rung that is looked at.
    pub at: usize,
    /// Whether the analyst has chosen it.
    pub moved: bool,
    /// The rung whose history the screen shows; `None`: the whole one.
    pub set: Option<usize>,
    /// What the arms make of every rung that was read.
    pub verdicts: Vec<Verdict>,
    /// Over the judged questions so far, per arm: the highest rung on which it is right on no more than one question in
    /// fifty less than on each one's own rung.
    pub tolerance: [Option<Rung>; 4],
    kept: Vec<Kept>,
    visited: Vec<Visited>,
}

/// Why neither board can be opened; `None` if it can, or the command is another one.
pub fn unavailable(command: Command, state: &State) -> Option<&'static str> {
    let labels = state.manifest().is_some_and(|manifest| manifest.task == TaskKind::Labels);
    match command {
        Command::Ladder | Command::Dial if state.replay.is_some() => {
            Some("a replay shows what was recorded; leave it to ask memory")
        }
        Command::Ladder | Command::Dial if state.memory != MemoryState::Ready || state.reading.is_none() => {
            Some("memory has not been read yet")
        }
        Command::Dial if !labels => Some("the dial skews a history toward one label; this task has none"),
        _ => None,
    }
}

impl State {
    /// What the open board varies, if it is one of these.
    pub fn climbs(&self) -> Option<Kind> {
        match self.overlay.as_ref().and_then(Overlay::board) {
            Some(Board { page: Page::Rungs(kind), .. }) => Some(*kind),
            _ => None,
        }
    }
}

impl Climbing {
    /// Whether more rungs are to come.
    pub fn under_way(&self) -> bool {
        let total = self.scale.as_ref().map_or(1, |scale| scale.rungs.len());
        self.wanted.is_some() && self.failed.is_none() && self.found.len() < total
    }

    /// The rung that is looked at.
    pub fn rung(&self) -> Option<Rung> {
        self.scale.as_ref()?.rungs.get(self.at).copied()
    }

    /// Memory has learned something: what was read is no longer what it says.
    pub fn forget(&mut self) {
        self.kept.clear();
        self.visited.clear();
        self.wanted = None;
    }

    /// Of another memory from here on, of which no rung was read; gives what was of the one before.
    pub fn turn_away(&mut self) -> Self {
        let fresh = Self { ticket: self.ticket, ..Self::default() };
        std::mem::replace(self, fresh)
    }

    /// Of the memory again that `before` is of. Numbers go on.
    pub fn turn_back(&mut self, before: Self) {
        *self = Self { ticket: self.ticket, wanted: None, scale: None, moved: false, set: None, ..before };
    }

    /// Turns to another question, whose rungs may have been read before. The rung looked at stays the same one where the
    /// analyst has chosen it.
    pub fn turn_to(&mut self, kind: Kind, question: Question) {
        let same_kind = self.wanted.as_ref().is_some_and(|(before, _)| *before == kind);
        self.moved &= same_kind;
        let kept = self.kept.iter().find(|(of, asked, ..)| *of == kind && *asked == question);
        let kept = kept.map(|(.., scale, found)| (scale.clone(), Arc::clone(found)));
        self.wanted = Some((kind, question));
        (self.set, self.failed) = (None, None);
        self.verdicts.clear();
        let rung = self.rung();
        match kept {
            Some((scale, found)) => {
                self.begin(scale, rung);
                self.found = found;
            }
            None => {
                // Kept until the new rungs are known: the rung looked at is found again among them.
                self.found = Arc::default();
            }
        }
    }

    /// Rungs are known.
    pub fn begin(&mut self, scale: Scale, before: Option<Rung>) {
        let again = before.filter(|_| self.moved);
        let place = again.and_then(|rung| scale.rungs.iter().position(|other| rung.is_like(*other)));
        // A history without that rung ends below it.
        self.at = place.unwrap_or(if again.is_some() { scale.rungs.len() - 1 } else { scale.own });
        self.scale = Some(scale);
    }

    /// Keeps what was read, and counts the question among those so far if its answer is known.
    pub fn complete(&mut self, judged: Option<(usize, usize)>) {
        let (Some((kind, question)), Some(scale)) = (self.wanted.clone(), self.scale.clone()) else { return };
        if self.found.len() != scale.rungs.len() {
            return;
        }
        if !self.kept.iter().any(|(of, asked, ..)| *of == kind && *asked == question) {
            if self.kept.len() == KEPT {
                self.kept.remove(0);
            }
            self.kept.push((kind, question, scale.clone(), Arc::clone(&self.found)));
        }
        let Some((turn, gold)) = judged else { return };
        if self.visited.iter().all(|visited| (visited.kind, visited.turn) != (kind, turn)) {
            let evidence = self.found.iter().map(|climbed| climbed.evidence.clone());
            let rungs = scale.rungs.iter().copied().zip(evidence).collect();
            self.visited.push(Visited { kind, turn, gold, own: scale.own, rungs });
        }
    }

    /// Mediates every rung of this question and of those so far under `setting`.
    pub fn weigh(&mut self, setting: &Setting) {
        self.verdicts.clear();
        let (Some((kind, _)), Some(scale)) = (&self.wanted, &self.scale) else { return };
        let decide = |evidence: &Evidence| {
            let resolution = mediate(evidence, &setting.weights, setting.policy);
            Arm::ALL.map(|arm| {
                let memory = memory_distribution(&resolution, arm);
                let decision = final_decision(&resolution, arm, memory, false);
                (decision, memory[decision])
            })
        };
        let verdicts = self.found.iter().zip(&scale.rungs).map(|(climbed, rung)| {
            let (mut n, mut right, mut paired) = (0, [0; 4], Paired::default());
            for visited in self.visited.iter().filter(|visited| visited.kind == *kind) {
                let Some((_, evidence)) = visited.rungs.iter().find(|(other, _)| rung.is_like(*other)) else {
                    continue;
                };
                let hits = decide(evidence).map(|(decision, _)| decision == visited.gold);
                n += 1;
                right.iter_mut().zip(hits).for_each(|(right, hit)| *right += usize::from(hit));
                let [_, local, global, _] = hits;
                paired.n += 1;
                paired.won += usize::from(local && !global);
                paired.lost += usize::from(global && !local);
            }
            Verdict { arms: decide(&climbed.evidence), so_far: (n, right), local_over_global: paired }
        });
        self.verdicts = verdicts.collect();
        self.tolerance = Arm::ALL.map(|arm| self.tolerated(arm, setting));
    }

    /// The lowest rung from which on the arm decides for `label` on every rung; `None` where it does not on the highest.
    pub fn from_on(&self, arm: Arm, label: usize) -> Option<Rung> {
        let scale = self.scale.as_ref()?;
        let complete = self.verdicts.len() == scale.rungs.len();
        let wrong = self.verdicts.iter().rposition(|verdict| verdict.arms[arm as usize].0 != label);
        let first = wrong.map_or(0, |wrong| wrong + 1);
        if complete { scale.rungs.get(first).copied() } else { None }
    }

    /// The highest rung on which the arm decides as on the person's own; `None` until all are read.
    pub fn holds_to(&self, arm: Arm) -> Option<Rung> {
        let scale = self.scale.as_ref()?;
        let decision = |verdict: &Verdict| verdict.arms[arm as usize].0;
        let own = decision(self.verdicts.get(scale.own)?);
        let last = self.verdicts.iter().rposition(|verdict| decision(verdict) == own)?;
        if self.verdicts.len() == scale.rungs.len() { scale.rungs.get(last).copied() } else { None }
    }

    /// Over the judged questions so far: the lowest rung on which local beats global by more than chance.
    pub fn hand_over(&self) -> Option<Rung> {
        let scale = self.scale.as_ref()?;
        let sure =
            |verdict: &Verdict| verdict.local_over_global.difference() > 0 && !verdict.local_over_global.is_noise();
        self.verdicts.iter().position(sure).and_then(|place| scale.rungs.get(place).copied())
    }

    fn tolerated(&self, arm: Arm, setting: &Setting) -> Option<Rung> {
        let (Some((kind, _)), Some(scale)) = (&self.wanted, &self.scale) else { return None };
        let visited: Vec<&Visited> = self.visited.iter().filter(|visited| visited.kind == *kind).collect();
        let own = visited.iter().filter(|visited| {
            let evidence = &visited.rungs[visited.own].1;
            let resolution = mediate(evidence, &setting.weights, setting.policy);
            let memory = memory_distribution(&resolution, arm);
            final_decision(&resolution, arm, memory, false) == visited.gold
        });
        let own = own.count() as f64;
        let n = visited.len() as f64;
        let within = |verdict: &Verdict| verdict.so_far.1[arm as usize] as f64 >= own - 0.02 * n - 1e-9;
        let last = self.verdicts.iter().rposition(within)?;
        (n > 0.0).then(|| scale.rungs.get(last).copied()).flatten()
    }
}

/// Reads memory on every rung while that is `wanted`.
pub fn climb(memory: &Memory, request: &ClimbRequest, wanted: &dyn Fn() -> bool, tell: &dyn Fn(News)) {
    if !wanted() {
        return;
    }
    let scale = match scale(memory, request.kind, &request.question) {
        Ok(scale) => scale,
        Err(reason) => return tell(News::Nothing(reason)),
    };
    let rungs = scale.rungs.clone();
    let skew = scale.skew;
    tell(News::Begun(scale));
    for rung in rungs {
        if !wanted() {
            return;
        }
        match read(memory, &request.question, rung, skew) {
            Ok(climbed) => tell(News::Rung(Box::new(climbed))),
            Err(reason) => return tell(News::Nothing(reason)),
        }
    }
}

/// The rungs of a question, or why there are none.
pub fn scale(memory: &Memory, kind: Kind, question: &Question) -> Result<Scale, String> {
    let population = &memory.population;
    let user = population.user_ix(&question.user);
    let visible = population.visible(user, question.at).len();
    if kind == Kind::Ladder {
        let mut rungs: Vec<Rung> = rungs(visible).into_iter().map(Rung::Newest).collect();
        if let Some(last) = rungs.last_mut() {
            *last = Rung::All(visible);
        }
        return Ok(Scale { own: rungs.len() - 1, rungs, visible, skew: None });
    }
    let label = habit_before(population, user, question.at);
    let label = label.ok_or_else(|| "nothing is remembered yet, so that nothing can be skewed".to_owned())?;
    let (of_label, others) = split_by(population, user, question.at, label);
    let Options { length, step, .. } = Options::default();
    let length = length.min(of_label).min(others);
    if length < 2 {
        let name = &population.labels[label];
        return Err(format!(
            "{of_label} memories are '{name}' and {others} are not; the dial needs 2 of each at least"
        ));
    }
    let own = of_label as f64 / visible as f64;
    let shares = shares(step, length);
    let nearest = |place: &usize| (shares[*place] as f64 - 100.0 * own).abs();
    let place = (0..shares.len()).min_by(|a, b| nearest(a).total_cmp(&nearest(b))).unwrap_or_default();
    let rungs = shares.iter().copied().map(Rung::Percent).collect();
    Ok(Scale { rungs, own: place, visible, skew: Some((label, length, own)) })
}

/// What memory says on a rung.
pub fn read(
    memory: &Memory,
    question: &Question,
    rung: Rung,
    skew: Option<(usize, usize, f64)>,
) -> Result<Climbed, String> {
    let population = &memory.population;
    let user = population.user_ix(&question.user);
    let held = match (rung, skew) {
        (Rung::Newest(m) | Rung::All(m), _) => Some(Held::newest(population, user, question.at, m)),
        (Rung::Percent(percent), Some((label, length, _))) => {
            let alike = alike(length, percent as f64);
            let seed = Options::default().seed;
            Held::skewed(population, user, question.at, Skew { label, length, alike, seed })
        }
        (Rung::Percent(_), None) => None,
    };
    let held = held.ok_or_else(|| "there is too little history to skew".to_owned())?;
    let read = memory.read_held(&question.user, &question.query, None, question.at, &held);
    let read = read.map_err(|error| error.to_string())?;
    Ok(Climbed {
        blocks: Blocks::of(memory, &question.query, &read),
        heard: Heard { evidence: event::Evidence::of(memory, &read), embedder: memory.embedder() },
        held: told(memory, &held),
        evidence: evidence_of(&read, &memory.manifest),
        read,
    })
}
