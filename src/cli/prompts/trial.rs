//! A generated population that is asked: questions with true answers, what memory held before them, what a prompt prints
//! of it, and what could have been known from that.
//!
//! Invariant: the reference sees no more of a person than what it is given; the renderer is given what it is asked to print.

use std::collections::HashMap;

use crate::data::dataset::Dataset;
use crate::data::draw::Draw;
use crate::data::interaction::{Timestamp, UserId};
use crate::data::synth::bayes::{self, History, Learned, Prediction, Presence, Seen, World};
use crate::data::synth::{THEMES, Truth, UserTruth};
use crate::engine::prompt::{Arm, Blocks};
use crate::mediator::{Policy, Weights};
use crate::memory::local::LocalHit;
use crate::memory::profile::Profile;
use crate::memory::{Memory, MemoryRead};

/// Ages, in days, that a memory gets instead of its own: the other of the two.
const AGES: (f64, f64) = (3.0, 500.0);

/// Somebody's question whose true answer is known.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) id: &'a str,
    pub(super) user: &'a UserId,
    pub(super) at: Timestamp,
    pub(super) text: &'a str,
    /// As an index into the labels.
    pub(super) answer: usize,
    pub(super) theme: usize,
    pub(super) judged: bool,
    pub(super) truth: &'a UserTruth,
}

/// All that could be asked of a population, whose theme the truth knows; of generated data that is everything.
pub(super) struct Questions<'a> {
    /// Every judged query.
    pub(super) judged: Vec<Asked<'a>>,
    /// Every interaction, oldest first.
    pub(super) lived: Vec<Asked<'a>>,
}

impl<'a> Questions<'a> {
    pub(super) fn of(dataset: &'a Dataset, truth: &'a Truth) -> Self {
        let people: HashMap<&UserId, &UserTruth> = truth.users.iter().map(|person| (&person.user, person)).collect();
        let label = |response: &str| dataset.manifest.labels.iter().position(|label| label == response);
        let judged = dataset.queries.iter().filter_map(|q| {
            let (theme, answer) = (theme(truth, q.item.as_deref())?, label(q.gold.as_deref()?)?);
            let truth = people.get(&q.user)?;
            Some(Asked { id: &q.id, user: &q.user, at: q.at, text: &q.query, answer, theme, judged: true, truth })
        });
        let lived = dataset.interactions.iter().filter_map(|i| {
            let (theme, answer, truth) = (theme(truth, i.item.as_deref())?, label(&i.response)?, people.get(&i.user)?);
            Some(Asked { id: &i.id, user: &i.user, at: i.at, text: &i.query, answer, theme, judged: false, truth })
        });
        Self { judged: judged.collect(), lived: lived.collect() }
    }
}

/// What all questions of a population have in common.
pub(super) struct Trial<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) truth: &'a Truth,
    pub(super) memory: &'a mut Memory,
    pub(super) world: World,
    pub(super) weights: Weights,
}

impl<'a> Trial<'a> {
    pub(super) fn new(dataset: &'a Dataset, truth: &'a Truth, memory: &'a mut Memory) -> Self {
        let weights = Weights::defaults(Policy::of(dataset.manifest.task), &dataset.manifest);
        Self { dataset, truth, memory, world: World::of(truth), weights }
    }

    /// The prompt of an arm, and the memories that it prints.
    pub(super) fn prompt(&self, asked: &Asked, text: &str, read: &MemoryRead, arm: Arm) -> (String, Vec<Seen>) {
        let blocks = Blocks::of(self.memory, text, read);
        let lines = blocks.account(arm, &self.weights).local.lines;
        (blocks.prompt(arm, &self.weights), self.seen(asked, &read.local.hits[..lines]))
    }

    /// How many memories the prompt of an arm prints.
    pub(super) fn lines(&self, text: &str, read: &MemoryRead, arm: Arm) -> usize {
        Blocks::of(self.memory, text, read).account(arm, &self.weights).local.lines
    }

    /// Memory where the hit at `place` has another tag that fits.
    pub(super) fn flipped(&self, asked: &Asked, read: &MemoryRead, place: usize, draw: &mut Draw) -> MemoryRead {
        let fits = self.world.fitting(asked.theme);
        let now = read.local.hits[place].label;
        let others: Vec<usize> = fits.iter().copied().filter(|tag| *tag != now).collect();
        let mut flipped = read.clone();
        flipped.local.hits[place].label = draw.one_of(&others);
        let said = flipped.local.hits.iter().map(|hit| (hit.label, hit.age_days));
        flipped.local.profile = Profile::of(self.dataset.manifest.labels.len(), said);
        flipped
    }

    /// The nearest printed memory of the question's theme.
    pub(super) fn place_of_theme(&self, asked: &Asked, read: &MemoryRead) -> Option<usize> {
        let lines = self.lines(asked.text, read, Arm::Mediated);
        let fits = |hit: &LocalHit| self.theme_of(hit) == Some(asked.theme);
        read.local.hits[..lines].iter().position(fits)
    }

    fn theme_of(&self, hit: &LocalHit) -> Option<usize> {
        theme(self.truth, self.dataset.interactions[hit.item].item.as_deref())
    }

    /// Memories as the reference sees them.
    pub(super) fn seen(&self, asked: &Asked, hits: &[LocalHit]) -> Vec<Seen> {
        let at = |hit: &LocalHit| self.world.moment(asked.at.plus_days(-hit.age_days));
        hits.iter().filter_map(|hit| Some(Seen { theme: self.theme_of(hit)?, tag: hit.label, at: at(hit) })).collect()
    }

    pub(super) fn subject(&self, asked: &Asked, read: &MemoryRead) -> Subject {
        let whole = self.seen(asked, &read.local.hits);
        let (at, judged) = (self.world.moment(asked.at), asked.judged);
        let first = whole.iter().map(|seen| seen.at).reduce(f64::min);
        let kinds = self.world.kinds(&Presence { at, judged, visible: whole.len(), first });
        Subject { asked: bayes::Asked { theme: asked.theme, judged, at, kinds }, whole }
    }
}

/// Memory where the hit at `place` is young instead of old, or old instead of young.
pub(super) fn aged(read: &MemoryRead, place: usize) -> MemoryRead {
    let mut aged = read.clone();
    let age = &mut aged.local.hits[place].age_days;
    *age = if *age < (AGES.0 * AGES.1).sqrt() { AGES.1 } else { AGES.0 };
    aged
}

/// A question with everything that a person did before it.
pub(super) struct Subject {
    pub(super) asked: bayes::Asked,
    pub(super) whole: Vec<Seen>,
}

/// What the reference is given for a row.
pub(super) enum Given {
    /// It is not asked.
    Unasked,
    Nothing,
    Own(Vec<Seen>),
    Crowd(Company),
    Both(Vec<Seen>, Company),
}

/// Whose community the collective block is of. It is nobody's secret and nobody's knowledge: the reference infers it from all
/// that this person did, as memory does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Own,
    Stranger,
}

impl Given {
    pub(super) fn of(arm: Arm, printed: Vec<Seen>, company: Company) -> Self {
        match arm {
            Arm::None => Given::Nothing,
            Arm::Local => Given::Own(printed),
            Arm::Global => Given::Crowd(company),
            Arm::Mediated => Given::Both(printed, company),
        }
    }
}

/// What a generated film is about.
pub(super) fn theme(truth: &Truth, item: Option<&str>) -> Option<usize> {
    let name = truth.film_themes.get(item?.strip_prefix('f')?.parse::<usize>().ok()?)?;
    THEMES.iter().position(|theme| theme.name == *name)
}

/// What could have been known of an answer from what a prompt prints; `None` where the reference is not asked.
pub(super) fn expected(
    world: &World,
    learned: &Learned,
    asked: &bayes::Asked,
    given: &Given,
    membership: impl FnOnce(Company) -> Vec<f64>,
    draw: &mut Draw,
) -> Option<Prediction> {
    Some(match given {
        Given::Unasked => return None,
        Given::Nothing => world.from_nothing(asked),
        Given::Own(seen) => world.from_own(asked, printed(seen), draw),
        Given::Crowd(company) => learned.from_crowd(asked, &membership(*company)),
        Given::Both(seen, company) => learned.from_member(asked, printed(seen), &membership(*company), draw),
    })
}

/// Printed memories were found by the query: their themes tell of it, and not of the person.
fn printed(seen: &[Seen]) -> History<'_> {
    History { seen, whole: false }
}
