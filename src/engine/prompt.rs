//! The prompt: one skeleton for four arms, memory that an arm does not see printed as empty.
//!
//! The same code renders what the demonstration model is trained on and what any model is asked, so that the two can
//! never drift apart. Invariants: a block is one line an item, so a newline in data cannot forge one; no line states
//! the mediator's decision or any distribution over the query itself, only memories with how near and how old they are,
//! and entries of a community with how likely it is the person's.

mod wording;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

pub(super) use wording::{age_word, quoted};
use wording::{global_block, habits, local_block};

use crate::data::interaction::Timestamp;
use crate::mediator::context::{self, Room};
use crate::mediator::{Evidence, Policy, Weights};
use crate::memory::global::GlobalRead;
use crate::memory::local::LocalRead;
use crate::memory::why_not::Side;
use crate::memory::writing::Written;
use crate::memory::{Memory, MemoryRead};

/// Tokens an answer may take.
pub const MAX_ANSWER_TOKENS: usize = 24;
/// Tokens an answer of a text task may take: a headline, a title or a tweet.
pub const MAX_TEXT_TOKENS: usize = 64;
/// What ends an answer.
pub const STOP: &str = "\n";
/// The word for a memory that a model wrote.
const WRITTEN: &str = "memory";
/// The word for a person's prose profile.
const PROFILE: &str = "profile";

/// Which memory a prompt holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Neither.
    None,
    /// The person's own.
    Local,
    /// Everyone else's.
    Global,
    /// Both.
    Mediated,
}

impl Arm {
    /// All, in display order.
    pub const ALL: [Arm; 4] = [Arm::None, Arm::Local, Arm::Global, Arm::Mediated];

    /// Name in UI, CLI, files and docs.
    pub fn name(self) -> &'static str {
        match self {
            Arm::None => "none",
            Arm::Local => "local",
            Arm::Global => "global",
            Arm::Mediated => "mediated",
        }
    }

    /// Whether its prompt holds local memory.
    pub fn sees_local(self) -> bool {
        matches!(self, Arm::Local | Arm::Mediated)
    }

    /// Whether its prompt holds global memory.
    pub fn sees_global(self) -> bool {
        matches!(self, Arm::Global | Arm::Mediated)
    }
}

impl std::str::FromStr for Arm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|arm| arm.name() == name)
            .ok_or_else(|| format!("'{name}' is no arm; use some of {}", known()))
    }
}

/// A prompt in its parts: what an arm reads depends on which memories it may see and on how much room they get.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocks {
    query: String,
    own: Option<Block>,
    others: Option<Block>,
    response: String,
    /// Tokens that both blocks may fill together.
    size: f64,
    /// λ, see [`crate::mediator::context`].
    local_share: f64,
}

/// One memory's part of a prompt.
#[derive(Clone, Debug, PartialEq)]
struct Block {
    heading: String,
    /// The person's prose profile, a line of its own under the heading.
    profile: Option<String>,
    /// Best first; there may be more of them than are shown by default.
    lines: Vec<String>,
    shown: usize,
}

impl Blocks {
    /// Given words: a question's line, each memory's heading with its lines, and what asks for the answer. A memory
    /// without words is empty.
    pub fn new(query: &str, own: &[&str], others: &[&str], response: &str, size: f64) -> Self {
        let line = |text: &str| format!("{text}\n");
        let block = |words: &[&str]| {
            let (heading, lines) = words.split_first()?;
            let lines: Vec<String> = lines.iter().map(|text| line(text)).collect();
            Some(Block { heading: line(heading), profile: None, shown: lines.len(), lines })
        };
        let (own, others) = (block(own), block(others));
        Self { query: line(query), own, others, response: response.to_owned(), size, local_share: 0.5 }
    }

    /// Words for everything that `read` says to `query`.
    pub fn of(memory: &Memory, query: &str, read: &MemoryRead) -> Self {
        let manifest = &memory.manifest;
        let evidence = Evidence::of(read, manifest.retrieval.guard, manifest.calibration.local);
        let weights = Weights::defaults(Policy::of(manifest.task), manifest);
        let local_share = context::local_share(&evidence, &weights);
        let mut blocks = Self { local_share, ..Self::with(memory, query, Some(&read.local), Some(&read.global)) };
        if let Some(written) = &read.written {
            blocks.style(written, &read.local);
        }
        blocks
    }

    /// Adds to each memory's heading how its texts are written.
    fn style(&mut self, written: &Written, local: &LocalRead) {
        if let Some(own) = &mut self.own {
            let lengths = local.hits.iter().filter_map(|hit| hit.length);
            let mean = lengths.sum::<f64>() / local.visible().max(1) as f64;
            own.say(&habits(Some(mean), &written.own_terms));
        }
        if let Some(others) = &mut self.others {
            others.say(&habits(written.crowd.map(|crowd| crowd.near), &written.terms));
        }
    }

    /// Words for the given memories; an experiment may pass another person's.
    pub fn with(memory: &Memory, query: &str, local: Option<&LocalRead>, global: Option<&GlobalRead>) -> Self {
        let wording = &memory.manifest.prompt;
        let size = memory.manifest.retrieval.prompt_room as f64;
        Self {
            query: format!("{}: {}\n", wording.query, quoted(query)),
            own: local.filter(|read| read.visible() > 0).map(|read| local_block(memory, read, size)),
            others: global.filter(|read| !read.hits.is_empty()).map(|read| global_block(memory, read, local)),
            response: format!("{}:", wording.response),
            size,
            local_share: 0.5,
        }
    }

    /// Puts a person's [prose profile](super::profile) under the heading of their own memory, or takes it away. It has its
    /// part of the room like any other line, before the memories; a person without memories has no profile.
    pub fn set_profile(&mut self, prose: Option<&str>) {
        let profile = prose.map(|prose| format!("{PROFILE}: {}\n", quoted(prose)));
        self.own.iter_mut().for_each(|own| own.profile.clone_from(&profile));
    }

    /// The same with that profile.
    #[must_use]
    pub fn with_profile(mut self, prose: Option<&str>) -> Self {
        self.set_profile(prose);
        self
    }

    /// Why the line in this place, from 0, of one memory's shown lines is not in the mediated prompt; `None` if it is.
    pub fn cut(&self, side: Side, place: usize, weights: &Weights) -> Option<Cut> {
        let room = self.room(Arm::Mediated, weights);
        let (block, room) = match side {
            Side::Local => (self.own.as_ref()?, room.local),
            Side::Global => (self.others.as_ref()?, room.global),
        };
        let lines = block.lines.iter().take(place + 1);
        let needs = block.opening(room) + lines.map(|line| tokens(line)).sum::<f64>();
        (!fits(needs, room)).then_some(Cut { needs, room })
    }

    /// Tokens that each memory may fill in the prompt of `arm`.
    fn room(&self, arm: Arm, weights: &Weights) -> Room {
        let need = |block: &Option<Block>| block.as_ref().map_or(0.0, Block::need);
        let need = Room { local: need(&self.own), global: need(&self.others) };
        match arm {
            Arm::None => Room::default(),
            Arm::Local => Room { local: need.local.min(self.size), global: 0.0 },
            Arm::Global => Room { local: 0.0, global: need.global.min(self.size) },
            Arm::Mediated => context::allot(need, self.size, self.local_share, weights),
        }
    }

    /// What each part of the prompt of `arm` takes, and which of its memory's shown lines had no room.
    pub fn account(&self, arm: Arm, weights: &Weights) -> Account {
        self.account_of(&self.prompt(arm, weights), arm, weights)
    }

    /// The same of what a model is told that is to [write](super::reconcile) a memory.
    pub fn account_of_instruction(&self, weights: &Weights) -> Account {
        self.account_of(&self.instruction(weights), Arm::Mediated, weights)
    }

    fn account_of(&self, prompt: &str, arm: Arm, weights: &Weights) -> Account {
        let room = self.room(arm, weights);
        let local = Share::of(self.own.as_ref().filter(|_| arm.sees_local()), room.local);
        let global = Share::of(self.others.as_ref().filter(|_| arm.sees_global()), room.global);
        let frame = tokens(prompt) - local.used - global.used;
        Account { frame, size: self.size, local, global }
    }

    /// The prompt of `arm`. Room is divided where both memories stand in it, and only there do weights act.
    pub fn prompt(&self, arm: Arm, weights: &Weights) -> String {
        self.memories(arm, weights) + &self.response
    }

    /// What a model is told that is to write one memory of both, which stand there as in the mediated prompt.
    pub fn instruction(&self, weights: &Weights) -> String {
        format!("{}\n\n{}{WRITTEN}:", super::reconcile::INSTRUCTION, self.memories(Arm::Mediated, weights))
    }

    /// The mediated prompt with a written memory in the place of both.
    pub fn reconciled(&self, memory: &str) -> String {
        format!("{}{WRITTEN}: {}\n{}", self.query, quoted(memory), self.response)
    }

    /// The question, and the memories that `arm` sees.
    fn memories(&self, arm: Arm, weights: &Weights) -> String {
        self.laid(arm, weights).memories(Left::Nothing)
    }

    /// The prompt of `arm` in the parts that can be left out of it.
    pub fn laid(&self, arm: Arm, weights: &Weights) -> Laid<'_> {
        let room = self.room(arm, weights);
        Laid {
            query: &self.query,
            own: self.own.as_ref().and_then(|own| own.standing(room.local)),
            others: self.others.as_ref().and_then(|others| others.standing(room.global)),
            response: &self.response,
        }
    }
}

/// What is left out of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// One memory, which is printed as empty.
    Memory(Side),
    /// Both memories.
    Both,
    /// One line of a memory, by its place from 0: as many hits, or entries, stand above it.
    Line(Side, usize),
}

/// A prompt in the parts that can be left out of it. What is left keeps its place: the room of what goes is filled by
/// nothing, and the heading above a line stays as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Laid<'a> {
    query: &'a str,
    own: Option<Part<'a>>,
    others: Option<Part<'a>>,
    response: &'a str,
}

/// One memory in a prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part<'a> {
    heading: &'a str,
    profile: Option<&'a str>,
    lines: &'a [String],
}

impl<'a> Laid<'a> {
    /// Whether a memory stands in it.
    pub fn holds(&self, side: Side) -> bool {
        self.part(side).is_some()
    }

    /// The lines of a memory that stand in it, best first, without its heading.
    pub fn lines(&self, side: Side) -> impl Iterator<Item = &'a str> + use<'a> {
        self.part(side).into_iter().flat_map(|part| part.lines).map(|line| line.trim_end_matches('\n'))
    }

    fn part(&self, side: Side) -> Option<Part<'a>> {
        match side {
            Side::Local => self.own,
            Side::Global => self.others,
        }
    }

    /// The prompt without what is `left` out.
    pub fn prompt(&self, left: Left) -> String {
        self.memories(left) + self.response
    }

    fn memories(&self, left: Left) -> String {
        let mut out = self.query.to_owned();
        for (name, side) in [("own", Side::Local), ("others", Side::Global)] {
            let gone = left == Left::Both || left == Left::Memory(side);
            let Some(part) = self.part(side).filter(|_| !gone) else {
                let _ = writeln!(out, "{name}: nothing");
                continue;
            };
            out.push_str(part.heading);
            out.push_str(part.profile.unwrap_or_default());
            let kept = part.lines.iter().enumerate().filter(|(place, _)| left != Left::Line(side, *place));
            kept.for_each(|(_, line)| out.push_str(line));
        }
        out
    }
}

impl Block {
    /// Adds words to the heading.
    fn say(&mut self, words: &str) {
        self.heading = format!("{}{words}\n", self.heading.trim_end_matches('\n'));
    }

    /// Tokens of what is shown by default.
    fn need(&self) -> f64 {
        self.opening(f64::INFINITY) + self.lines.iter().take(self.shown).map(|line| tokens(line)).sum::<f64>()
    }

    /// The profile, where it fits into `room` behind the heading. A long one leaves the memories theirs.
    fn profile_in(&self, room: f64) -> Option<&str> {
        let left = room - tokens(&self.heading);
        self.profile.as_deref().filter(|profile| fits(tokens(profile), left))
    }

    /// Tokens of the heading, and of the profile where it fits.
    fn opening(&self, room: f64) -> f64 {
        tokens(&self.heading) + self.profile_in(room).map_or(0.0, tokens)
    }

    /// The heading and as many lines as fit, in their order; `None` where the heading does not.
    fn standing(&self, room: f64) -> Option<Part<'_>> {
        let mut left = room - self.opening(room);
        if !fits(tokens(&self.heading), room) {
            return None;
        }
        let fitting = self.lines.iter().take_while(|line| {
            let stands = fits(tokens(line), left);
            left -= tokens(line);
            stands
        });
        let count = fitting.count();
        Some(Part { heading: &self.heading, profile: self.profile_in(room), lines: &self.lines[..count] })
    }
}

/// A prompt in tokens, as [room](crate::mediator::context) counts them: four characters are one.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The question, what asks for the answer, and the word for a memory that is empty.
    pub frame: f64,
    /// Tokens that both memories may fill together.
    pub size: f64,
    /// The person's memories.
    pub local: Share,
    /// The others'.
    pub global: Share,
}

impl Account {
    /// Tokens of the whole prompt.
    pub fn total(&self) -> f64 {
        self.frame + self.local.used + self.global.used
    }
}

/// What one memory has of a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Share {
    /// Tokens that it may fill.
    pub room: f64,
    /// Tokens that it fills.
    pub used: f64,
    /// Lines that stand in the prompt, its heading and the profile left out.
    pub lines: usize,
    /// Lines that would by default.
    pub shown: usize,
    /// Those of them that do not, the profile before them if it does not, with what each takes.
    pub cut: Vec<(String, f64)>,
}

impl Share {
    fn of(block: Option<&Block>, room: f64) -> Self {
        let Some(block) = block else { return Self { room, ..Self::default() } };
        let told = |line: &String| (line.trim_end().to_owned(), tokens(line));
        let cut = |stands: bool, lines: &[String]| {
            let profile = block.profile.iter().filter(|_| !stands);
            profile.map(told).chain(lines.iter().map(told)).collect()
        };
        let Some(part) = block.standing(room) else {
            return Self { room, shown: block.shown, cut: cut(false, &block.lines[..block.shown]), ..Self::default() };
        };
        let (lines, stands) = (part.lines.len(), part.profile.is_some());
        let used = part.lines.iter().fold(block.opening(room), |used, line| used + tokens(line));
        let left_out = block.lines.get(lines..block.shown).unwrap_or_default();
        Self { room, used, lines, shown: block.shown, cut: cut(stands, left_out) }
    }
}

/// What a line of a prompt lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Tokens of its memory's part up to and with it.
    pub needs: f64,
    /// Tokens that the part has.
    pub room: f64,
}

fn fits(tokens: f64, room: f64) -> bool {
    // Room comes out of divisions: a rounding error must not cost a line.
    tokens <= room + 1e-6
}

/// Characters that count as a token where no tokenizer is asked.
pub const CHARACTERS_A_TOKEN: f64 = 4.0;

fn tokens(text: &str) -> f64 {
    text.chars().count() as f64 / CHARACTERS_A_TOKEN
}

/// The prompt of `arm` for `query`, with room divided as `weights` say.
pub fn render(memory: &Memory, query: &str, read: &MemoryRead, arm: Arm, weights: &Weights) -> String {
    Blocks::of(memory, query, read).prompt(arm, weights)
}

/// The prompt with the given blocks; an experiment may pass another person's.
pub fn render_blocks(memory: &Memory, query: &str, local: Option<&LocalRead>, global: Option<&GlobalRead>) -> String {
    let weights = Weights::defaults(Policy::of(memory.manifest.task), &memory.manifest);
    Blocks::with(memory, query, local, global).prompt(Arm::Mediated, &weights)
}

/// The moment a question is asked, with the words it is asked in: what a prompt is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Who asks.
    pub user: crate::data::interaction::UserId,
    /// What.
    pub query: String,
    /// When; memory is read strictly before.
    pub at: Timestamp,
}
