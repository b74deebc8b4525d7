//! A new community: people whom memory has never seen arrive together.
//!
//! One community of the last closed period is taken out of the data before a moment, the middle of the periods that the
//! data spans, and let in from there on: each of its members' interactions is asked before it is remembered. Communities
//! are those that memory finds; without `--community` it is the one whose members' answers are least like everyone
//! else's (Jensen–Shannon divergence of response shares), which is decided without looking at any answer of an arm.

use super::plan::{Plan, Planned, asked_of};
use super::{Options, Scenario};
use crate::data::dataset::Dataset;
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::mediator::distribution::jensen_shannon;
use crate::memory::Memory;
use crate::memory::community::CommunityIx;
use crate::session::SessionError;

/// Questions of a session from each period.
const A_PERIOD: usize = 6;

/// Who arrives, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Which community, as memory numbers them.
    pub community: CommunityIx,
    /// Its members, in order of identity.
    pub members: Vec<UserId>,
    /// The first moment at which anything of theirs is seen.
    pub from: Timestamp,
    /// Ends of the periods from then on: the first moments after each.
    pub ends: Vec<Timestamp>,
    /// How unlike everyone else's their answers are, in bits.
    pub unlike: f64,
}

impl Arrival {
    /// The community named, or the one least like everyone else.
    ///
    /// # Errors
    ///
    /// Why nobody can arrive.
    pub fn of(memory: &Memory, community: Option<CommunityIx>) -> Result<Self, String> {
        let population = &memory.population;
        let found =
            memory.communities(memory.end()).ok_or("no period has closed, so that there is no community yet")?;
        let guard = memory.manifest.retrieval.guard;
        let members = |c: CommunityIx| -> Vec<usize> {
            (0..population.users.len()).filter(|user| found.of[*user] == Some(c)).collect()
        };
        let unlike = |c: CommunityIx| {
            let (mut own, mut others) = (vec![1.0; population.labels.len()], vec![1.0; population.labels.len()]);
            for item in 0..population.len() {
                let counts = if found.of[population.user[item]] == Some(c) { &mut own } else { &mut others };
                counts[population.label[item]] += 1.0;
            }
            let shares = |counts: Vec<f64>| -> Vec<f64> {
                let total: f64 = counts.iter().sum();
                counts.into_iter().map(|count| count / total).collect()
            };
            jensen_shannon(&shares(own), &shares(others))
        };
        let large: Vec<CommunityIx> = (0..found.count).filter(|c| members(*c).len() > guard).collect();
        let chosen = match community {
            Some(c) if large.contains(&c) => c,
            Some(c) => {
                let known = large.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "community {c} has no more than {guard} members or does not exist; use one of {known}"
                ));
            }
            // Among equals the first.
            None => large
                .iter()
                .copied()
                .reduce(|best, next| if unlike(next) > unlike(best) { next } else { best })
                .ok_or_else(|| format!("no community has more than {guard} members"))?,
        };
        let periods = memory.periods();
        let from = memory.period_end((periods / 2).saturating_sub(1));
        let ends: Vec<Timestamp> = (periods / 2..periods).map(|period| memory.period_end(period)).collect();
        if periods < 2 {
            return Err("the data spans a single period; shorten the periods in dataset.toml".to_owned());
        }
        let members = members(chosen).into_iter().map(|user| population.users[user].clone()).collect();
        Ok(Self { community: chosen, members, from, ends, unlike: unlike(chosen) })
    }

    /// The data without what the members did before they arrive.
    pub fn hidden(&self, dataset: &Dataset) -> Dataset {
        let kept = dataset.interactions.iter().filter(|i| i.at >= self.from || !self.is_member(&i.user));
        Dataset {
            manifest: dataset.manifest.clone(),
            interactions: kept.cloned().collect(),
            queries: dataset.queries.clone(),
        }
    }

    /// Whether this person arrives.
    pub fn is_member(&self, user: &UserId) -> bool {
        self.members.binary_search(user).is_ok()
    }

    /// In which period since the arrival a moment lies, 0-based.
    pub fn period(&self, at: Timestamp) -> usize {
        self.ends.partition_point(|end| *end <= at).min(self.ends.len().saturating_sub(1))
    }
}

pub(super) fn plan(options: &Options, dataset: &Dataset) -> Result<Plan, SessionError> {
    let nobody = |reason: String| SessionError::Nobody {
        dataset: dataset.manifest.name.clone(),
        scenario: Scenario::NewCommunity.name(),
        reason,
    };
    let arrival = Arrival::of(&Memory::build(dataset), options.community).map_err(nobody)?;
    let arriving: Vec<&Interaction> =
        dataset.interactions.iter().filter(|i| i.at >= arrival.from && arrival.is_member(&i.user)).collect();
    // Spread over the period: every so-many-th is asked, the others are remembered as they happen.
    let mut turns: Vec<Planned> = Vec::new();
    let mut first = Vec::new();
    for period in 0..arrival.ends.len() {
        let here: Vec<&Interaction> =
            arriving.iter().copied().filter(|interaction| arrival.period(interaction.at) == period).collect();
        let every = here.len().div_ceil(A_PERIOD).max(1);
        for (place, interaction) in here.into_iter().enumerate() {
            if place % every == 0 {
                let note = format!("new community: period {} since it arrived", period + 1);
                turns.push(Planned {
                    note: Some(note),
                    asked: asked_of(dataset, interaction),
                    then: vec![interaction.clone()],
                });
            } else {
                turns.last_mut().map_or(&mut first, |turn| &mut turn.then).push(interaction.clone());
            }
        }
    }
    if turns.is_empty() {
        return Err(nobody(format!("nobody of community {} acts after {}", arrival.community, arrival.from.date())));
    }
    let why = format!(
        "community {} of {} people, hidden before {}; {}",
        arrival.community,
        arrival.members.len(),
        arrival.from.date(),
        match options.community {
            Some(_) => "named by whoever recorded this".to_owned(),
            None => format!("its answers are least like everyone else's ({:.3} bits)", arrival.unlike),
        }
    );
    Ok(Plan {
        scenario: Scenario::NewCommunity,
        about: format!("community {}", arrival.community),
        why,
        removed: arrival.members,
        first,
        turns,
        seed: 0,
    })
}
