//! Diff: two sessions side by side. Turns are aligned by who asked what and when; of each kind of thing that happens in a
//! turn the first difference is named, as a check names it.
//!
//! Turns that agree in person, question and moment are paired first, the k-th of them in one session with the k-th in the
//! other, in the longest run that keeps both orders; between those, turns that agree in person and question alone. What
//! remains stands in one session only. Numbers within [`TOLERANCE`](super::check::TOLERANCE) are equal.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::check::difference;
use super::event::{Answered, Asked, Changed, Event, Resolution};
use super::log::Session;
use super::replay::{Outcome, State};
use crate::data::interaction::{Timestamp, UserId};
use crate::engine::prompt::Arm;

/// What happens in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The question.
    Asked,
    /// What both memories said.
    Evidence,
    /// What the mediator decided.
    Mediation,
    /// What the arms answered.
    Answers,
}

impl Kind {
    /// All, in the order in which they happen.
    pub const ALL: [Kind; 4] = [Kind::Asked, Kind::Evidence, Kind::Mediation, Kind::Answers];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Asked => "asked",
            Kind::Evidence => "evidence",
            Kind::Mediation => "mediation",
            Kind::Answers => "answers",
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Where two turns differ first in one kind of thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// In what.
    pub kind: Kind,
    /// The turn in A and in B, from 1.
    pub turn: [usize; 2],
    /// The line in A and in B; `None` where nothing of this happens in a turn.
    pub line: [Option<usize>; 2],
    /// Where in the event.
    pub field: String,
    /// What stands in A.
    pub a: String,
    /// What stands in B.
    pub b: String,
}

/// A turn of either session, or of both.
#[derive(Clone, Debug, PartialEq)]
pub enum Pair {
    /// In both.
    Both {
        /// Its place in A, from 0.
        a: usize,
        /// Its place in B.
        b: usize,
        /// The first difference of each kind, in order of [`Kind::ALL`].
        changes: Box<[Option<Change>; 4]>,
    },
    /// In A alone.
    OnlyA(usize),
    /// In B alone.
    OnlyB(usize),
}

/// A turn with what it came to.
#[derive(Clone, Debug)]
pub struct Told {
    asked: Arc<Event>,
    at: Places,
    /// How it came out.
    pub outcome: Outcome,
    /// What the mediated arm answered, or the mediator decided where that arm was not asked.
    pub decision: Option<String>,
    /// What the rules decided, before a model had its say.
    pub ruled: Option<String>,
}

/// The index of each event of a turn, where it happens.
#[derive(Clone, Copy, Debug)]
struct Places {
    asked: usize,
    evidence: Option<usize>,
    mediated: Option<usize>,
    answered: [Option<usize>; 4],
}

impl Told {
    /// The question; `None` of no turn that a session has.
    pub fn asked(&self) -> Option<&Asked> {
        match self.asked.as_ref() {
            Event::Asked(asked) => Some(asked),
            _ => None,
        }
    }
}

/// Two sessions, A and B.
#[derive(Clone, Debug)]
pub struct Diff {
    /// What B is recorded with otherwise.
    pub header: Vec<Changed>,
    /// Whether the questions of one of them were picked for what they show, and so those that both have.
    pub picked: bool,
    /// Turns in an order that keeps that of both sessions; of a change those of A come first.
    pub pairs: Vec<Pair>,
    /// The turns of A.
    pub a: Vec<Told>,
    /// The turns of B.
    pub b: Vec<Told>,
}

impl Diff {
    /// Compares `a` and `b`.
    pub fn of(a: &Session, b: &Session) -> Self {
        let header = b.header.changed_from(&a.header);
        let (turns_a, turns_b) = (turns(a), turns(b));
        let placed = align(&turns_a, &turns_b);
        let pair = |place| match place {
            Place::Both(x, y) => {
                let changes = Kind::ALL.map(|kind| change(kind, [a, b], [x, y], [&turns_a[x], &turns_b[y]]));
                Pair::Both { a: x, b: y, changes: Box::new(changes) }
            }
            Place::A(x) => Pair::OnlyA(x),
            Place::B(y) => Pair::OnlyB(y),
        };
        let pairs = placed.into_iter().map(pair).collect();
        let picked = !(a.is_testable() && b.is_testable());
        Self { header, picked, pairs, a: turns_a, b: turns_b }
    }

    /// The turns that both have.
    pub fn both(&self) -> impl Iterator<Item = (&Told, &Told)> {
        self.pairs.iter().filter_map(|pair| match pair {
            Pair::Both { a, b, .. } => Some((&self.a[*a], &self.b[*b])),
            _ => None,
        })
    }

    /// Turns in both sessions, in A alone, in B alone.
    pub fn counts(&self) -> [usize; 3] {
        let count = |wanted: fn(&Pair) -> bool| self.pairs.iter().filter(|pair| wanted(pair)).count();
        [
            count(|pair| matches!(pair, Pair::Both { .. })),
            count(|pair| matches!(pair, Pair::OnlyA(_))),
            count(|pair| matches!(pair, Pair::OnlyB(_))),
        ]
    }

    /// The first difference of a kind, and how many turns differ in it.
    pub fn first(&self, kind: Kind) -> Option<(&Change, usize)> {
        let changes = self.pairs.iter().filter_map(|pair| match pair {
            Pair::Both { changes, .. } => changes[kind as usize].as_ref(),
            _ => None,
        });
        let count = changes.clone().count();
        changes.into_iter().next().map(|first| (first, count))
    }

    /// Whether anything happens in one session that does not in the other.
    pub fn differs(&self) -> bool {
        self.counts()[1..] != [0, 0] || Kind::ALL.into_iter().any(|kind| self.first(kind).is_some())
    }
}

/// The turns of a session.
fn turns(session: &Session) -> Vec<Told> {
    let mut state = State::start(&session.header);
    let mut turns: Vec<Told> = Vec::new();
    for (index, event) in session.events.iter().enumerate() {
        state.apply(event);
        if let Event::Asked(_) = event.as_ref() {
            let at = Places { asked: index, evidence: None, mediated: None, answered: [None; 4] };
            let (asked, outcome) = (Arc::clone(event), Outcome::default());
            turns.push(Told { asked, at, outcome, decision: None, ruled: None });
        }
        let (Some(told), Some(turn), Some(outcome)) = (turns.last_mut(), &state.turn, state.outcomes.last()) else {
            continue;
        };
        match event.as_ref() {
            Event::Evidence(_) => told.at.evidence = Some(index),
            Event::Mediated { .. } => told.at.mediated = Some(index),
            Event::Answered(answered) => told.at.answered[answered.arm as usize] = Some(index),
            _ => {}
        }
        told.outcome = *outcome;
        let answered = turn.answered(Arm::Mediated).map(|answered| &answered.answer);
        told.ruled = turn.resolution().map(|resolution| &resolution.decision).cloned();
        told.decision = answered.cloned().or_else(|| told.ruled.clone());
    }
    turns
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Both(usize, usize),
    A(usize),
    B(usize),
}

/// Pairs turns, see the module.
fn align(a: &[Told], b: &[Told]) -> Vec<Place> {
    fn exact(told: &Told) -> Option<(&UserId, &str, Timestamp)> {
        told.asked().map(|asked| (&asked.user, asked.query.as_str(), asked.at))
    }
    fn loose(told: &Told) -> Option<(&UserId, &str)> {
        told.asked().map(|asked| (&asked.user, asked.query.as_str()))
    }
    let mut placed = Vec::with_capacity(a.len().max(b.len()));
    let mut between = |a_gap: Range<usize>, b_gap: Range<usize>| {
        let (mut x, mut y) = (a_gap.start, b_gap.start);
        let ends = (a_gap.end, b_gap.end);
        let pairs = paired(&a[a_gap], &b[b_gap], loose);
        for (next_x, next_y) in pairs.into_iter().map(|(i, j)| (x + i, y + j)).collect::<Vec<_>>() {
            placed.extend((x..next_x).map(Place::A).chain((y..next_y).map(Place::B)));
            placed.push(Place::Both(next_x, next_y));
            (x, y) = (next_x + 1, next_y + 1);
        }
        placed.extend((x..ends.0).map(Place::A).chain((y..ends.1).map(Place::B)));
    };
    let (mut x, mut y) = (0, 0);
    // An anchor is a gap of one turn on either side.
    for (next_x, next_y) in paired(a, b, exact) {
        between(x..next_x, y..next_y);
        between(next_x..next_x + 1, next_y..next_y + 1);
        (x, y) = (next_x + 1, next_y + 1);
    }
    between(x..a.len(), y..b.len());
    placed
}

/// The longest run of pairs with equal keys that keeps both orders. The k-th turn with a key is paired with the k-th, so
/// that each has one partner at most; the run is then the longest increasing one.
fn paired<'a, K: Hash + Eq>(a: &'a [Told], b: &'a [Told], key: impl Fn(&'a Told) -> K) -> Vec<(usize, usize)> {
    let numbered = |turns: &'a [Told]| {
        let mut seen: HashMap<K, usize> = HashMap::new();
        let mut keys = Vec::with_capacity(turns.len());
        for told in turns {
            let count = seen.entry(key(told)).or_default();
            *count += 1;
            keys.push((key(told), *count));
        }
        keys
    };
    let partner: HashMap<(K, usize), usize> =
        numbered(b).into_iter().enumerate().map(|(place, key)| (key, place)).collect();
    let pairs: Vec<(usize, usize)> =
        numbered(a).iter().enumerate().filter_map(|(x, key)| Some((x, *partner.get(key)?))).collect();
    // Patience: of all runs of a length the one that ends lowest, each pair knowing the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (number, (_, y)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *y);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() { ends.push(number) } else { ends[length] = number }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(number) = at {
        run.push(pairs[number]);
        at = before[number];
    }
    run.reverse();
    run
}

/// The first difference of one kind in a turn of both sessions.
fn change(kind: Kind, sessions: [&Session; 2], turn: [usize; 2], told: [&Told; 2]) -> Option<Change> {
    let places: Vec<[Option<usize>; 2]> = match kind {
        Kind::Asked => vec![told.map(|told| Some(told.at.asked))],
        Kind::Evidence => vec![told.map(|told| told.at.evidence)],
        Kind::Mediation => vec![told.map(|told| told.at.mediated)],
        Kind::Answers => Arm::ALL.map(|arm| told.map(|told| told.at.answered[arm as usize])).into(),
    };
    places.into_iter().find_map(|[x, y]| {
        let event = |side: usize, place: Option<usize>| place.and_then(|place| sessions[side].events.get(place));
        let line = |side: usize, place: Option<usize>| place.and_then(|place| sessions[side].lines.get(place).copied());
        let (field, a, b) = match (event(0, x), event(1, y)) {
            (Some(a), Some(b)) => changed(a, b)?,
            (None, None) => return None,
            (a, b) => {
                let tag = |event: Option<&Arc<Event>>| event.map_or("nothing", |event| event.tag()).to_owned();
                ("event".to_owned(), tag(a), tag(b))
            }
        };
        Some(Change { kind, turn: turn.map(|turn| turn + 1), line: [line(0, x), line(1, y)], field, a, b })
    })
}

/// The first difference of two events: the field, and what stands there.
fn changed(a: &Arc<Event>, b: &Arc<Event>) -> Option<(String, String, String)> {
    if Arc::ptr_eq(a, b) || a == b {
        return None;
    }
    // What is decided first, before the numbers behind it and before what merely follows from others.
    let head = |event: &Event| match event {
        Event::Mediated { resolution: Resolution { decision, .. } } => Some(("resolution.decision", decision.clone())),
        Event::Answered(Answered { arm, answer, .. }) => Some((arm.name(), answer.clone())),
        _ => None,
    };
    if let (Some((field, a)), Some((_, b))) = (head(a), head(b))
        && a != b
    {
        return Some((field.to_owned(), format!("'{a}'"), format!("'{b}'")));
    }
    let value = |event: &Event| serde_json::to_value(event).ok().map(|value| plain(event, value));
    let prefix = match a.as_ref() {
        Event::Answered(answered) => answered.arm.name(),
        _ => "",
    };
    difference(prefix, &value(a)?, &value(b)?)
}

/// An event without what only repeats the rest of it: a hash of the prompt, a seal.
fn plain(event: &Event, mut value: Value) -> Value {
    if let (Event::Answered(_), Some(fields)) = (event, value.as_object_mut()) {
        fields.shift_remove("prompt");
        fields.shift_remove("seal");
    }
    value
}
