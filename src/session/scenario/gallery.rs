//! The gallery of conflicts: the strongest examples of every type, each with why it was chosen.
//!
//! Candidates are the judged queries, or without any the last fifth of the interactions, at most [`LOOKED_AT`], the newest.
//! Within a type they are ordered by how far the rule's bound is passed (the ledger's margin), then by the divergence of
//! both claims, then by time. A person fills at most one place of a type and [`OF_ONE`] in all; a question stands once.

use std::collections::{BTreeMap, BTreeSet};

use super::Scenario;
use super::plan::{Plan, Planned, asked_of, asked_of_query};
use crate::data::dataset::Dataset;
use crate::data::interaction::UserId;
use crate::mediator::conflict::{Conflict, ConflictKind};
use crate::mediator::ledger::ledger;
use crate::mediator::{Evidence, mediate};
use crate::memory::Memory;
use crate::session::SessionError;
use crate::session::event::{Asked, Setting};

/// Examples of each type.
pub const EXAMPLES: usize = 3;
/// Places of one person at most.
pub const OF_ONE: usize = 2;
/// Questions looked at, at most.
pub const LOOKED_AT: usize = 2_000;

/// A conflict that was met.
struct Met {
    asked: usize,
    conflict: Conflict,
}

pub(super) fn plan(dataset: &Dataset, user: Option<&UserId>, setting: &Setting) -> Result<Plan, SessionError> {
    let memory = Memory::build(dataset);
    let labels = &memory.population.labels;
    let mut asked: Vec<Asked> = dataset.queries.iter().map(|query| asked_of_query(dataset, query)).collect();
    if asked.is_empty() {
        let late = &dataset.interactions[dataset.interactions.len() * 4 / 5..];
        asked = late.iter().map(|interaction| asked_of(dataset, interaction)).collect();
    }
    asked.retain(|asked| user.is_none_or(|user| asked.user == *user));
    asked.sort_by(|a, b| (a.at, &a.source).cmp(&(b.at, &b.source)));
    let surplus = asked.len().saturating_sub(LOOKED_AT);
    asked.drain(..surplus);
    let mut met: BTreeMap<ConflictKind, Vec<Met>> = BTreeMap::new();
    for (ix, question) in asked.iter().enumerate() {
        let read = memory.read(&question.user, &question.query, question.at)?;
        let guard = memory.manifest.retrieval.guard;
        let evidence = Evidence::of(&read, guard, memory.manifest.calibration.local);
        let resolution = mediate(&evidence, &setting.weights, setting.policy);
        for conflict in ledger(&evidence, &setting.weights, &resolution) {
            met.entry(conflict.kind).or_default().push(Met { asked: ix, conflict });
        }
    }
    let (mut of_person, mut shown): (BTreeMap<&UserId, usize>, BTreeSet<usize>) = Default::default();
    let mut turns = Vec::new();
    let mut counts = Vec::new();
    for kind in ConflictKind::ALL {
        let Some(found) = met.get_mut(&kind) else { continue };
        counts.push(format!("{kind} {}", found.len(), kind = kind.name()));
        let key = |met: &Met| (met.conflict.margin, met.conflict.divergence);
        found.sort_by(|a, b| {
            let ((margin, bits), (other_margin, other_bits)) = (key(a), key(b));
            other_margin.total_cmp(&margin).then(other_bits.total_cmp(&bits)).then(a.asked.cmp(&b.asked))
        });
        let (of, mut here) = (found.len(), BTreeSet::new());
        let mut rank = 0;
        for met in found.iter() {
            let question = &asked[met.asked];
            let places = of_person.entry(&question.user).or_default();
            // Named, one person is all there is.
            let full = user.is_none() && (*places >= OF_ONE || here.contains(&question.user));
            if full || shown.contains(&met.asked) {
                continue;
            }
            *places += 1;
            here.insert(&question.user);
            shown.insert(met.asked);
            rank += 1;
            let [first, second] = &met.conflict.claims;
            let note = format!(
                "gallery: {} conflict, {rank} of {EXAMPLES} shown, {of} met; {} says {}, {} says {}; {:.2} beyond the \
                 bound, divergence {:.2} bits",
                kind.name(),
                first.party.name(),
                labels[first.label],
                second.party.name(),
                labels[second.label],
                met.conflict.margin,
                met.conflict.divergence,
            );
            turns.push(Planned { note: Some(note), ..Planned::plain(question.clone()) });
            if rank == EXAMPLES {
                break;
            }
        }
    }
    if turns.is_empty() {
        return Err(SessionError::Nobody {
            dataset: dataset.manifest.name.clone(),
            scenario: Scenario::Gallery.name(),
            reason: format!("no conflict in {} questions", asked.len()),
        });
    }
    let why = format!(
        "the strongest of each type among {} questions ({}); chosen because they are extreme, and no measure of how often",
        asked.len(),
        counts.join(", ")
    );
    let about = user.map_or_else(|| "of conflicts".to_owned(), |user| format!("of {user}"));
    Ok(Plan { scenario: Scenario::Gallery, about, why, removed: Vec::new(), first: Vec::new(), turns, seed: 0 })
}
