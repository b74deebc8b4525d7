//! Drift: somebody whose taste changed, asked around the change.
//!
//! *Observed*: the strongest natural change-point of a person. For every place in their history with at least [`EACH_SIDE`]
//! interactions on either side, the log Bayes factor of two habits, one before and one after, against one habit
//! throughout: ln P(before) + ln P(after) − ln P(all), each the marginal likelihood of response counts under Pólya's urn
//! whose prior is [`PRIOR`] pseudo-examples of the dataset's response shares. The change-point is where it is greatest.
//! It was looked for, so that some of what is seen around it is what made it stand out.
//!
//! *Made*: the past of one person spliced to the future of another, of a different community. Such a person never lived, and
//! every text that speaks of them says *made*.

use std::collections::BTreeMap;

use super::plan::{Plan, Planned, asked_of};
use super::{Options, Scenario};
use crate::data::dataset::Dataset;
use crate::data::draw::Draw;
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::mediator::urn::marginal;
use crate::memory::Memory;
use crate::memory::population::LabelIx;
use crate::session::SessionError;

/// Least interactions on either side of a change.
pub const EACH_SIDE: usize = 8;
/// Pseudo-examples behind a habit, as for the strength of a conflict.
pub const PRIOR: f64 = 2.0;
/// Questions before the change and after it, in a session.
pub const ASKED: (usize, usize) = (8, 24);
/// ln Bayes factor from which on evidence of a change is called strong (20 to 1).
pub const STRONG: f64 = 3.0;
/// People of whom a made population splices one in so many.
pub const ONE_IN: usize = 5;

/// A change of somebody's taste.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Whose.
    pub user: UserId,
    /// The place among their interactions, in time order, of the first one after it.
    pub index: usize,
    /// The log Bayes factor; `None` of a change that was made.
    pub evidence: Option<f64>,
}

/// The strongest change-point of `responses` and its log Bayes factor; the earliest among equals. `None` where there are
/// too few.
pub fn strongest(responses: &[LabelIx], prior: &[f64]) -> Option<(usize, f64)> {
    let count = |part: &[LabelIx]| {
        let mut counts = vec![0.0; prior.len()];
        part.iter().for_each(|label| counts[*label] += 1.0);
        marginal(&counts, prior)
    };
    let together = count(responses);
    let places = EACH_SIDE..=responses.len().checked_sub(EACH_SIDE)?;
    let factors = places.map(|c| (c, count(&responses[..c]) + count(&responses[c..]) - together));
    factors.fold(None, |best: Option<(usize, f64)>, next| match best {
        Some(best) if best.1 >= next.1 => Some(best),
        _ => Some(next),
    })
}

/// Everyone's strongest change-point, the strongest first.
pub fn observed(dataset: &Dataset) -> Vec<Change> {
    let labels = dataset.manifest.responses();
    let label = |interaction: &Interaction| labels.iter().position(|label| *label == interaction.response);
    let mut shares = vec![0.0; labels.len()];
    let mut of: BTreeMap<&UserId, Vec<LabelIx>> = BTreeMap::new();
    for interaction in &dataset.interactions {
        let Some(label) = label(interaction) else { continue };
        shares[label] += 1.0;
        of.entry(&interaction.user).or_default().push(label);
    }
    // A label that nobody gave is in no history; half a response keeps its logarithm finite.
    let total: f64 = shares.iter().map(|n| n + 0.5).sum();
    let prior: Vec<f64> = shares.iter().map(|n| PRIOR * (n + 0.5) / total).collect();
    let mut found: Vec<Change> = of
        .into_iter()
        .filter_map(|(user, responses)| {
            let (index, evidence) = strongest(&responses, &prior)?;
            Some(Change { user: user.clone(), index, evidence: Some(evidence) })
        })
        .collect();
    found.sort_by(|a, b| b.evidence.unwrap_or(0.0).total_cmp(&a.evidence.unwrap_or(0.0)));
    found
}

/// The moment at which half of all interactions are past.
pub fn middle(dataset: &Dataset) -> Timestamp {
    dataset.interactions.get(dataset.interactions.len() / 2).map_or(Timestamp(0), |interaction| interaction.at)
}

/// Pairs of people from different communities, each with enough interactions on its side of `moment` and the second with
/// enough after it: whose past is spliced to whose future. Drawn by lot from `seed`, nobody twice.
pub fn pairs(memory: &Memory, moment: Timestamp, seed: u64) -> Vec<(UserId, UserId)> {
    let population = &memory.population;
    let Some(communities) = memory.communities(memory.end()) else { return Vec::new() };
    let fits = |user: &usize| {
        let before = population.visible(Some(*user), moment).len();
        let after = population.items_of[*user].len() - before;
        communities.of[*user].is_some() && before >= EACH_SIDE && after >= EACH_SIDE
    };
    let mut people: Vec<usize> = (0..population.users.len()).filter(fits).collect();
    Draw::seeded(seed).shuffle(&mut people);
    let mut pairs = Vec::new();
    while let Some(first) = people.pop() {
        let other = people.iter().rposition(|other| communities.of[*other] != communities.of[first]);
        let Some(other) = other else { continue };
        let second = people.remove(other);
        pairs.push((population.users[first].clone(), population.users[second].clone()));
    }
    pairs
}

/// The dataset in which a fifth of the people who can go on as somebody of another community from `moment` on: each pair
/// swaps futures. Nobody's words or answers change, only whose they are; everything about it is made.
pub fn spliced(dataset: &Dataset, memory: &Memory, seed: u64) -> (Dataset, Vec<Change>) {
    let moment = middle(dataset);
    let mut pairs = pairs(memory, moment, seed);
    pairs.truncate(pairs.len().div_ceil(ONE_IN));
    let mut partner: BTreeMap<UserId, UserId> = BTreeMap::new();
    for (a, b) in pairs {
        partner.insert(a.clone(), b.clone());
        partner.insert(b, a);
    }
    let mut made = dataset.clone();
    for interaction in made.interactions.iter_mut().filter(|interaction| interaction.at >= moment) {
        if let Some(other) = partner.get(&interaction.user) {
            interaction.user = other.clone();
        }
    }
    let index = |user: &UserId| memory.population.visible(memory.population.user_ix(user), moment).len();
    let changes =
        partner.keys().map(|user| Change { user: user.clone(), index: index(user), evidence: None }).collect();
    (made, changes)
}

pub(super) fn plan(options: &Options, dataset: &Dataset, user: Option<&UserId>) -> Result<Plan, SessionError> {
    let nobody = |reason: String| SessionError::Nobody {
        dataset: dataset.manifest.name.clone(),
        scenario: Scenario::Drift.name(),
        reason,
    };
    if options.made { made(options, dataset, user, nobody) } else { natural(dataset, user, nobody) }
}

fn natural(
    dataset: &Dataset,
    user: Option<&UserId>,
    nobody: impl Fn(String) -> SessionError,
) -> Result<Plan, SessionError> {
    let found = observed(dataset);
    let change = match user {
        Some(user) => found.iter().find(|change| change.user == *user).ok_or_else(|| SessionError::Unfit {
            user: user.clone(),
            reason: format!("has fewer than {} interactions; a change needs {EACH_SIDE} on either side", 2 * EACH_SIDE),
        })?,
        None => found.first().ok_or_else(|| nobody(format!("nobody has {} interactions", 2 * EACH_SIDE)))?,
    };
    let own: Vec<&Interaction> = dataset.interactions.iter().filter(|i| i.user == change.user).collect();
    let why = format!(
        "{}: observed change-point after {} of {} interactions, log Bayes factor {:.1}; it was looked for, so part of what \
         is seen is what made it stand out",
        if user.is_some() { "named by whoever recorded this" } else { "the strongest of all" },
        change.index,
        own.len(),
        change.evidence.unwrap_or_default(),
    );
    let turns = around(dataset, &own, change.index, "observed");
    Ok(Plan {
        scenario: Scenario::Drift,
        about: change.user.to_string(),
        why,
        removed: Vec::new(),
        first: Vec::new(),
        turns: turns.into_iter().map(|turn| Planned { then: Vec::new(), ..turn }).collect(),
        seed: 0,
    })
}

/// The questions around the change, each remembered afterwards.
fn around(dataset: &Dataset, own: &[&Interaction], change: usize, kind: &str) -> Vec<Planned> {
    let (before, after) = ASKED;
    let planned = |place: usize| {
        let told = match place.checked_sub(change) {
            None => format!("drift: {} before the {kind} change", change - place),
            Some(0) => format!("drift: the {kind} change; the first interaction after it"),
            Some(n) => format!("drift: {} after the {kind} change", n + 1),
        };
        Planned { note: Some(told), asked: asked_of(dataset, own[place]), then: vec![own[place].clone()] }
    };
    (change.saturating_sub(before)..own.len().min(change + after)).map(planned).collect()
}

fn made(
    options: &Options,
    dataset: &Dataset,
    user: Option<&UserId>,
    nobody: impl Fn(String) -> SessionError,
) -> Result<Plan, SessionError> {
    let memory = Memory::build(dataset);
    let moment = middle(dataset);
    let pairs = pairs(&memory, moment, options.seed);
    let pair = match user {
        Some(user) => pairs.iter().find(|(first, _)| first == user).or_else(|| pairs.iter().find(|(_, b)| b == user)),
        None => pairs.first(),
    };
    let (past, future) = match (pair, user) {
        (Some((a, b)), Some(user)) if user == b => (b, a),
        (Some((a, b)), _) => (a, b),
        (None, Some(user)) => {
            let reason =
                format!("cannot be spliced: that needs {EACH_SIDE} interactions on either side of {}", moment.date());
            return Err(SessionError::Unfit { user: user.clone(), reason });
        }
        (None, None) => return Err(nobody("no two people of different communities act before and after".to_owned())),
    };
    let name = UserId::new(format!("{past}+{future}"));
    let of = |user: &UserId, after: bool| {
        let part = dataset.interactions.iter().filter(move |i| (i.at >= moment) == after);
        part.filter(|i| i.user == *user).map(|i| Interaction { user: name.clone(), ..i.clone() }).collect::<Vec<_>>()
    };
    let (before, after) = (of(past, false), of(future, true));
    let change = before.len();
    let own: Vec<&Interaction> = before.iter().chain(&after).collect();
    let turns = around(dataset, &own, change, "made");
    let why = format!(
        "made, not observed: the past of {past} with the future of {future}, of another community; the change is at {}, \
         after {change} interactions",
        moment.date()
    );
    let first = before[..change.saturating_sub(ASKED.0)].to_vec();
    Ok(Plan {
        scenario: Scenario::Drift,
        about: format!("{name} (made)"),
        why,
        removed: vec![past.clone(), future.clone()],
        first,
        turns,
        seed: options.seed,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::sample;

    proptest! {
        /// A clean switch is found where it is, and one habit throughout is no change.
        #[test]
        fn a_switch_is_found_where_it_is(before in 10usize..40, after in 10usize..40) {
            let prior = [0.5; 4];
            let switched: Vec<usize> = (0..before).map(|i| i % 2).chain((0..after).map(|i| 2 + i % 2)).collect();
            let (place, evidence) = strongest(&switched, &prior).unwrap();
            prop_assert_eq!(place, before);
            prop_assert!(evidence > STRONG);
            let steady: Vec<usize> = (0..before + after).map(|i| i % 2).collect();
            prop_assert!(strongest(&steady, &prior).unwrap().1 < 1.0);
        }
    }

    #[test]
    fn too_little_is_no_history() {
        assert_eq!(strongest(&[0; 2 * EACH_SIDE - 1], &[1.0, 1.0]), None);
        assert!(strongest(&[0; 2 * EACH_SIDE], &[1.0, 1.0]).is_some());
        assert_eq!(strongest(&[], &[1.0]), None);
    }

    #[test]
    fn splicing_swaps_futures_and_nothing_else() {
        let dataset = sample::dataset().unwrap();
        let memory = Memory::build(&dataset);
        let (made, changes) = spliced(&dataset, &memory, 1);
        assert!(changes.len() >= 4 && changes.len() % 2 == 0);
        let moment = middle(&dataset);
        let changed: Vec<&UserId> = changes.iter().map(|change| &change.user).collect();
        for (was, is) in dataset.interactions.iter().zip(&made.interactions) {
            assert_eq!(Interaction { user: was.user.clone(), ..is.clone() }, *was, "only whose it is may change");
            if was.user != is.user {
                assert!(was.at >= moment && changed.contains(&&was.user) && changed.contains(&&is.user));
            }
        }
        for change in &changes {
            let own: Vec<_> = made.interactions.iter().filter(|i| i.user == change.user).collect();
            assert!(own[change.index - 1].at < moment && own[change.index].at >= moment);
        }
        assert_eq!(spliced(&dataset, &memory, 1).1, changes);
    }
}
