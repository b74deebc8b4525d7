//! Why not? The first reason that keeps an interaction or a collective entry from being shown for a question.
//!
//! Reasons are told in the order in which memory itself decides: what is not there yet, what is not the person's, what
//! the guard keeps back, what others are nearer than. Invariant: nothing of a group below the guard is told but its size.

mod rated;

use std::fmt;

use serde::Serialize;

use super::choice::{PassedOver, passed_over};
use super::community::CommunityIx;
use super::entry::{Entry, IndexError};
use super::explain::EntryView;
use super::finder::Looking;
use super::global::Snapshot;
use super::local::Probe;
use super::population::{ItemIx, UserIx};
use super::{Memory, MemoryRead};
use crate::data::interaction::{DAY, Timestamp, UserId};

/// Which memory something stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The person's own.
    Local,
    /// Everyone else's.
    Global,
}

/// Where something stands by its score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rank {
    /// From 1.
    pub rank: usize,
    /// Of how many.
    pub of: usize,
    /// How many are shown.
    pub shown: usize,
    /// Its score.
    pub score: f64,
    /// What it lacks to the last one shown; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<f64>,
}

/// Why something is not shown, or that it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// No interaction and no entry has this id.
    Unknown,
    /// An interaction that is not before the question.
    NotYet {
        /// When it happens.
        at: Timestamp,
        /// Days from the question to it.
        days: f64,
    },
    /// An interaction of another person.
    Another {
        /// The entry that holds it.
        #[serde(skip_serializing_if = "Option::is_none")]
        entry: Option<String>,
        /// What becomes of the entry, or why there is none.
        fate: Box<Reason>,
    },
    /// An interaction of a period that is still open.
    OpenPeriod {
        /// When the period closes.
        closes: Closing,
    },
    /// An interaction in a group too small to form an entry.
    Ungrouped {
        /// Fewest people of an entry.
        guard: usize,
    },
    /// It is shown.
    Shown {
        /// Where.
        side: Side,
        /// Its place, from 1.
        place: usize,
    },
    /// It is shown, but there is no room for it in the mediated prompt. Memory itself never says so; see
    /// [`crate::engine::why`].
    Cut {
        /// Where it is shown.
        side: Side,
        /// Its place, from 1.
        place: usize,
        /// Tokens of its memory's part of the prompt up to and with it.
        needs: f64,
        /// Tokens that the part has.
        room: f64,
    },
    /// An own item that enough nearer ones precede. It votes.
    Outranked(Rank),
    /// An own item that is much like one that is shown, for which a worse one is shown. It votes.
    Alike {
        /// The shown item.
        by: String,
        /// How like they are, 0–1.
        likeness: f64,
    },
    /// An own item whose response enough shown ones have. It votes.
    Capped {
        /// The last of these.
        by: String,
        /// How many may have one response.
        cap: usize,
    },
    /// An entry of a period that has not closed at the question's moment.
    NotClosed {
        /// The period, from 1.
        period: usize,
        /// When it closes.
        closes: Closing,
    },
    /// An entry of an earlier period than the one that is read.
    Superseded {
        /// Its period, from 1.
        period: usize,
        /// The one that is read.
        read: usize,
    },
    /// An entry with too few people besides the asking one.
    Suppressed {
        /// How many there are.
        contributors: usize,
        /// How many there have to be.
        guard: usize,
    },
    /// Of ratings: what others gave another thing than the one asked about.
    AnotherThing,
    /// An entry so old that nothing is left of it, or nothing of enough people.
    Faded,
    /// An entry that shares no word with the query and is not among the nearest by vector.
    Unrelated {
        /// How many entries were looked at.
        of: usize,
    },
    /// An entry that was compared with the query and has nothing in common with it.
    Unlike {
        /// How many entries have.
        of: usize,
    },
    /// An entry that only its community keeps from being shown.
    Foreign {
        /// Whose it is.
        community: CommunityIx,
        /// The person's membership there, 0–1.
        membership: f64,
        /// Where it stands.
        #[serde(flatten)]
        rank: Rank,
    },
    /// An entry that enough nearer ones precede.
    EntryOutranked(Rank),
}

/// When a period closes, as far as that can be known at the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Closing {
    /// At this moment.
    At(Timestamp),
    /// When enough has happened.
    After {
        /// How many more interactions of the population it takes at least. ≥ 1.
        interactions: usize,
    },
    /// Never: it is the last one that there may be, or endless.
    Never,
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closing::At(end) => write!(f, "{end}"),
            Closing::After { interactions: 1 } => write!(f, "at least 1 more interaction has happened"),
            Closing::After { interactions } => write!(f, "at least {interactions} more interactions have happened"),
            Closing::Never => write!(f, "dataset.toml makes periods of another length, for this one never closes"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unknown => write!(f, "no interaction and no entry has this id; check its spelling"),
            Reason::NotYet { at, days } => {
                write!(f, "not visible yet: it happens at {at}, {} after the question", wait(*days))
            }
            Reason::Another { entry: Some(entry), fate } => write!(
                f,
                "another person's: it is never shown itself, it can only speak through entry {entry}, which is: {fate}"
            ),
            Reason::Another { entry: None, fate } => {
                write!(f, "another person's: it is never shown itself, it can only speak through an entry, and: {fate}")
            }
            Reason::OpenPeriod { closes } => {
                write!(f, "no entry holds it before its period closes: its period is open until {closes}")
            }
            Reason::Ungrouped { guard } => write!(f, "no entry holds it: too few people for one (fewer than {guard})"),
            Reason::Shown { side: Side::Local, place } => write!(f, "shown as number {place} of local memory"),
            Reason::Shown { side: Side::Global, place } => write!(f, "shown as number {place} of global memory"),
            Reason::Cut { place, needs, room, .. } => write!(
                f,
                "shown as number {place}, but cut from the mediated prompt: up to it {needs:.0} tokens are needed, the \
                 room is {room:.0}"
            ),
            Reason::Outranked(rank) => write!(f, "it votes, but is not shown: {rank}"),
            Reason::Alike { by, likeness } => write!(
                f,
                "it votes, but is not shown: it is much like {by}, which is shown (cosine {likeness:.2}), so one that \
                 differs more took its place"
            ),
            Reason::Capped { by, cap } => write!(
                f,
                "it votes, but is not shown: at most {cap} shown items may have one response; {by} is the last of them"
            ),
            Reason::NotClosed { period, closes } => {
                write!(f, "an entry of period {period}, which is open at the question: until {closes}")
            }
            Reason::Superseded { period, read } => {
                write!(f, "an entry of period {period}; the question reads period {read}")
            }
            Reason::Suppressed { contributors, guard } => {
                write!(f, "suppressed: {contributors} of {guard} contributors, the asking person aside")
            }
            Reason::AnotherThing => {
                write!(f, "of another thing: only what others gave the very thing that is asked about speaks")
            }
            Reason::Faded => write!(f, "so old that nothing is left of it, or nothing of enough people"),
            Reason::Unrelated { of } => write!(
                f,
                "not looked at: it shares no word with the query that enough people used, and is not among the nearest \
                 by vector ({of} entries were looked at)"
            ),
            Reason::Unlike { of } => {
                write!(
                    f,
                    "unlike the query: a similarity of 0, as against the {of} entries that have something in common with it"
                )
            }
            Reason::Foreign { community, membership, rank } => write!(
                f,
                "an entry of community {community}, of which the person has a membership of {membership:.2}; without \
                 that it would be shown: {rank}"
            ),
            Reason::EntryOutranked(rank) => write!(f, "others are nearer: {rank}"),
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rank { rank, of, shown, score, gap } = self;
        write!(f, "rank {rank} of {of} with {score:.3}")?;
        match gap {
            Some(gap) => write!(f, ", {gap:.3} short of the last of {shown} shown"),
            None => write!(f, "; none are shown"),
        }
    }
}

/// A time to wait, in its best unit.
fn wait(days: f64) -> String {
    let seconds = days * DAY;
    match seconds {
        s if s < 1.0 => "not a second".to_owned(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 2.0 * DAY => format!("{:.0} h", s / 3_600.0),
        _ => format!("{days:.0} d"),
    }
}

/// Something that can be asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: CandidateKind,
}

/// What can be asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CandidateKind {
    /// An own interaction.
    Item(ItemIx),
    /// An entry of the period that is read; with its community.
    Entry(Option<CommunityIx>),
}

impl Memory {
    /// What a person might ask *why not?* about at `t`: their own interactions, newest first, then entries.
    pub fn candidates(&self, user: &UserId, t: Timestamp) -> Result<Vec<Candidate>, IndexError> {
        let population = &self.population;
        let own = population.user_ix(user).map_or(&[][..], |user| &population.items_of[user]);
        let item = |item: &ItemIx| Candidate { id: population.id[*item].to_owned(), kind: CandidateKind::Item(*item) };
        let mut all: Vec<Candidate> = own.iter().rev().map(item).collect();
        // Of ratings an entry is of one thing, and there is one of each.
        let entries = if self.ratings.is_some() { None } else { self.snapshot_at(t)? };
        if let Some(snapshot) = entries {
            let kind = |entry: Entry| CandidateKind::Entry(entry.community());
            all.extend(snapshot.entries.iter().map(|entry| Candidate { id: entry.id(), kind: kind(entry) }));
        }
        Ok(all)
    }

    /// The first reason that keeps `id` from being shown when `user` asks `query` at `t`, whose read is `read`.
    pub fn why_not(
        &self,
        user: &UserId,
        query: &str,
        t: Timestamp,
        read: &MemoryRead,
        id: &str,
    ) -> Result<Reason, IndexError> {
        let probe = self.probe(query);
        let asked = Asked { memory: self, asking: self.population.user_ix(user), probe, t, read };
        match self.population.item_ix(id) {
            Some(item) => asked.about_item(item),
            None => match &self.ratings {
                Some(ratings) => Ok(asked.about_thing(ratings, id)),
                None => asked.about_entry(id),
            },
        }
    }
}

/// A question with what memory said to it.
struct Asked<'a> {
    memory: &'a Memory,
    asking: Option<UserIx>,
    probe: Probe,
    t: Timestamp,
    read: &'a MemoryRead,
}

impl Asked<'_> {
    fn about_item(&self, item: ItemIx) -> Result<Reason, IndexError> {
        let population = &self.memory.population;
        let at = population.at[item];
        if at >= self.t {
            return Ok(Reason::NotYet { at, days: at.days_since(self.t) });
        }
        match &self.memory.ratings {
            _ if Some(population.user[item]) == self.asking => Ok(self.about_own(item)),
            Some(ratings) => Ok(self.about_anothers_rating(ratings, item)),
            None => self.about_another(item),
        }
    }

    /// An own, visible item.
    fn about_own(&self, item: ItemIx) -> Reason {
        let (population, settings) = (&self.memory.population, &self.memory.manifest.retrieval);
        let local = &self.read.local;
        let Some(place) = local.hits.iter().position(|hit| hit.item == item) else { return Reason::Unknown };
        if place < local.shown {
            return Reason::Shown { side: Side::Local, place: place + 1 };
        }
        let hit = &local.hits[place];
        let id = |item: ItemIx| population.id[item].to_owned();
        match passed_over(population, settings, local, hit) {
            Some(PassedOver::Alike { by, likeness }) => Reason::Alike { by: id(by), likeness },
            Some(PassedOver::Capped { by }) => {
                Reason::Capped { by: id(by), cap: settings.label_cap.unwrap_or_default() }
            }
            None => {
                let score = hit.terms.score();
                let last = local.shown().iter().map(|shown| shown.terms.score()).min_by(f64::total_cmp);
                Reason::Outranked(Rank {
                    rank: 1 + local.hits.iter().filter(|other| other.is_before(hit)).count(),
                    of: local.hits.len(),
                    shown: local.shown,
                    score,
                    gap: last.map(|last| last - score),
                })
            }
        }
    }

    /// A visible item of somebody else.
    fn about_another(&self, item: ItemIx) -> Result<Reason, IndexError> {
        let unheld = |fate| Reason::Another { entry: None, fate: Box::new(fate) };
        let snapshot = self.memory.snapshot_at(self.t)?;
        let Some(snapshot) = snapshot.filter(|snapshot| item < snapshot.items) else {
            let period = self.memory.calendar.holding(self.memory.population.at[item]);
            return Ok(unheld(Reason::OpenPeriod { closes: self.closing(period) }));
        };
        match snapshot.entries.of_item(item) {
            Some(number) => {
                let fate = Box::new(self.fate(&snapshot, number)?);
                Ok(Reason::Another { entry: Some(snapshot.entries.get(number).id()), fate })
            }
            None => Ok(unheld(Reason::Ungrouped { guard: self.memory.manifest.retrieval.guard })),
        }
    }

    /// When period `period`, from 0, which is open at the question, will close.
    fn closing(&self, period: usize) -> Closing {
        let (population, calendar) = (&self.memory.population, &self.memory.calendar);
        if calendar.is_endless(period) {
            return Closing::Never;
        }
        let Some(every) = calendar.counts() else { return Closing::At(calendar.end(period)) };
        let closed = self.memory.period_at(self.t).map_or(0, |last| last + 1);
        let counted = closed.checked_sub(1).map_or(0, |last| population.before(calendar.end(last)));
        // In the open period lie fewer than would close it, or it would be closed.
        let open = population.before(self.t) - counted;
        Closing::After { interactions: (period + 1 - closed).saturating_mul(every) - open }
    }

    /// An id that no interaction has.
    fn about_entry(&self, id: &str) -> Result<Reason, IndexError> {
        let calendar = &self.memory.calendar;
        let number = id.strip_prefix('p').and_then(|rest| rest.split('-').next()).and_then(|n| n.parse::<usize>().ok());
        let Some(period) = number.filter(|period| (1..=calendar.count).contains(period)) else {
            return Ok(Reason::Unknown);
        };
        let closes = calendar.end(period - 1);
        // What a period that nothing happened in would hold is the one before it.
        let Some(holds) = self.memory.snapshot_at(closes)?.filter(|snapshot| snapshot.period + 1 == period) else {
            return Ok(Reason::Unknown);
        };
        let Some(number) = holds.entries.named(id).map(Entry::number) else {
            return Ok(Reason::Unknown);
        };
        match self.memory.snapshot_at(self.t)? {
            Some(snapshot) if snapshot.period + 1 == period => self.fate(&snapshot, number),
            Some(snapshot) if snapshot.period + 1 > period => {
                Ok(Reason::Superseded { period, read: snapshot.period + 1 })
            }
            _ => Ok(Reason::NotClosed { period, closes: self.closing(period - 1) }),
        }
    }

    /// What becomes of an entry of the snapshot that is read.
    fn fate(&self, snapshot: &Snapshot, number: usize) -> Result<Reason, IndexError> {
        let (population, settings) = (&self.memory.population, &self.memory.manifest.retrieval);
        let global = &self.read.global;
        let entry = snapshot.entries.get(number);
        let contributors = entry.contributors(self.asking);
        if contributors < settings.guard {
            return Ok(Reason::Suppressed { contributors, guard: settings.guard });
        }
        let alive = |number: usize| snapshot.entries.outlives(population, number, self.asking, settings.guard);
        if !alive(number) {
            return Ok(Reason::Faded);
        }
        if let Some(place) = global.hits.iter().position(|hit| hit.id == entry.id()) {
            return Ok(Reason::Shown { side: Side::Global, place: place + 1 });
        }
        let view = EntryView::new(self.memory, snapshot, &self.probe, self.asking, &global.membership);
        let own = snapshot.entries.of_user(population, self.asking);
        let looking =
            Looking { probe: &self.probe, query: &view.query, asking: self.asking, own: &own, guard: settings.guard };
        let looked_at = snapshot.entries.finder.look(population, &snapshot.entries, looking)?;
        let mut found: Vec<usize> = looked_at.into_iter().map(|found| found.number as usize).collect();
        let compared = found.binary_search(&number).is_ok();
        found.retain(|other| {
            let entry = snapshot.entries.get(*other);
            entry.contributors(self.asking) >= settings.guard && alive(*other) && view.terms(entry).similarity() > 0.0
        });
        if found.binary_search(&number).is_err() {
            let of = found.len();
            return Ok(if compared { Reason::Unlike { of } } else { Reason::Unrelated { of } });
        }
        let terms = view.terms(entry);
        let score = terms.score();
        let is_before = |other: &usize| {
            let other = snapshot.entries.get(*other);
            let theirs = view.terms(other).score();
            theirs > score || (theirs == score && other.by_id(entry).is_lt())
        };
        let last = global.hits.last().map(|hit| hit.terms.score());
        let rank = Rank {
            rank: 1 + found.iter().filter(|other| is_before(other)).count(),
            of: found.len(),
            shown: global.hits.len(),
            score,
            gap: last.map(|last| last - score),
        };
        match entry.community() {
            Some(community) if last.is_some_and(|last| terms.similarity() > last) => {
                Ok(Reason::Foreign { community, membership: global.membership[community], rank })
            }
            _ => Ok(Reason::EntryOutranked(rank)),
        }
    }
}
