//! Global memory: what everyone else says about a query, by community and period.
//!
//! Invariants of a read at `t`: it uses the last snapshot closed at or before `t` and a base rate of interactions
//! strictly before `t`; the asking user's own interactions are subtracted from counts, votes and support *before* the
//! guard; centroids and assignments are not refitted.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::base::BaseRates;
use super::collective::{CommunityPart, Parts};
use super::community::{Communities, CommunityIx, member_counts, membership};
use super::entry::{Entries, Entry, EntryQuery, IndexError, others};
use super::features::{Features, Sought};
use super::fusion::{EntryTerms, Similarity, membership_factor};
use super::guard::{self, Contribution, Guarded};
use super::local::Probe;
use super::neighbours::{self, Vicinity};
use super::population::{ItemIx, LabelIx, Population, UserIx};
use super::terms::{self, TermRead, Terms};
use crate::data::dataset::{Calibration, Periods, Retrieval};
use crate::data::interaction::Timestamp;

/// A community with less membership than this adds nothing visible to a read.
const LEAST_MEMBERSHIP: f64 = 0.02;
/// Pseudo-counts of the base rate in a community's response habits.
const HABIT_MASS: f64 = 5.0;
/// Words shown per entry.
const SHOWN_WORDS: usize = 4;

/// Global memory at a period's end.
pub struct Snapshot {
    /// Which period.
    pub period: usize,
    /// The first moment after it.
    pub end: Timestamp,
    /// Items before the end: `0..items`.
    pub items: usize,
    /// Who belongs where.
    pub communities: Communities,
    /// Decayed responses of each community's members.
    responses: Vec<Vec<f64>>,
    /// Members of each community.
    members: Vec<usize>,
    /// Collective entries with their indexes.
    pub entries: Entries,
}

impl Snapshot {
    /// Closes period `period`, whose items are `0..items`.
    pub fn close(
        population: &Population,
        periods: &Periods,
        guard: usize,
        communities: &Communities,
        period: usize,
        end: Timestamp,
        seed: u64,
    ) -> Result<Self, IndexError> {
        let items = population.before(end);
        let weighted = (0..items).map(|item| (item, decay(population, item, end, periods.half_life)));
        let responses = member_counts(population, communities, weighted);
        let mut members = vec![0; communities.count];
        communities.of.iter().flatten().for_each(|community| members[*community] += 1);
        let entries = Entries::form(population, communities, items, period, guard, seed)?;
        Ok(Self { period, end, items, communities: communities.clone(), responses, members, entries })
    }

    /// Response probabilities per community and each one's share of users, both without `asking`. A community with
    /// fewer than `guard` members besides them has share 0: nothing about it is read.
    fn habits(
        &self,
        population: &Population,
        periods: &Periods,
        guard: usize,
        asking: Option<UserIx>,
        base: &[f64],
    ) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut responses = self.responses.clone();
        let mut members = self.members.clone();
        if let Some((user, community)) = asking.and_then(|user| Some((user, self.communities.of[user]?))) {
            members[community] -= 1;
            for item in population.items_of[user].iter().take_while(|item| **item < self.items) {
                responses[community][population.label[*item]] -= decay(population, *item, self.end, periods.half_life);
            }
        }
        let probabilities = responses.iter().map(|counts| {
            // Subtraction leaves rounding dust where the asking user was alone.
            let counts: Vec<f64> = counts.iter().map(|count| count.max(0.0)).collect();
            let total: f64 = counts.iter().sum();
            counts.iter().zip(base).map(|(count, b)| (count + HABIT_MASS * b) / (total + HABIT_MASS)).collect()
        });
        let counted = |m: &usize| if *m >= guard { *m as f64 } else { 0.0 };
        let people: f64 = members.iter().map(counted).sum();
        let prior = members.iter().map(|m| if people > 0.0 { counted(m) / people } else { 0.0 });
        (probabilities.collect(), prior.collect())
    }
}

fn decay(population: &Population, item: ItemIx, end: Timestamp, half_life: f64) -> f64 {
    (-end.days_since(population.at[item]) / half_life).exp2()
}

/// A collective entry with its likeness to the query, as the asking user may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalHit {
    /// Identity of the entry.
    pub id: String,
    /// Whose; `None` for the whole population.
    pub community: Option<CommunityIx>,
    /// The score's parts.
    pub terms: EntryTerms,
    /// Response probabilities.
    pub distribution: Vec<f64>,
    /// Decayed, capped mass behind the distribution.
    pub mass: f64,
    /// Distinct contributors.
    pub users: usize,
    /// Words used by enough contributors, most users first.
    pub top_terms: Vec<String>,
    /// Newest member.
    pub last_seen: Timestamp,
}

impl GlobalHit {
    /// `(label, share)` by falling share, shares of at least `least`.
    pub fn ranked(&self, least: f64) -> Vec<(LabelIx, f64)> {
        let mut shares: Vec<(LabelIx, f64)> =
            self.distribution.iter().copied().enumerate().filter(|(_, p)| *p >= least).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shares
    }
}

/// The closed period that a read used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodView {
    /// 1-based, for display.
    pub number: usize,
    /// The first moment after it.
    pub end: Timestamp,
}

/// What global memory says about a query.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalRead {
    /// Base rate of responses, smoothed: sums to 1.
    pub base: Vec<f64>,
    /// The snapshot used; `None` before the first period closes.
    pub period: Option<PeriodView>,
    /// Probability of each community for the asking person: sums to 1, or to 0 where every community is below the
    /// guard.
    pub membership: Vec<f64>,
    /// Members of each community, the asking person aside.
    pub members: Vec<usize>,
    /// Displayed entries, best first.
    pub hits: Vec<GlobalHit>,
    /// p(y | x) of the whole population. Sums to 1.
    pub population: Vec<f64>,
    /// p(y | x) of the person's communities, by membership. Sums to 1.
    pub community: Vec<f64>,
    /// What both are made of.
    pub parts: Parts,
    /// Distinct contributors behind the votes.
    pub support: usize,
    /// Collective statements kept back because fewer than k people remain without the asking one.
    pub suppressed: usize,
}

impl GlobalRead {
    /// The likeliest community of a person with history, and its probability.
    pub fn leading(&self) -> Option<(CommunityIx, f64)> {
        let top = self.membership.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        (top.1 >= 0.5).then_some(top)
    }
}

/// A candidate entry that passes the guard. What its contributors say is summed once it is asked for: most candidates
/// are too far away to vote or to be shown.
struct Candidate<'a> {
    entry: &'a Entry,
    similarity: Similarity,
    guarded: OnceCell<Guarded>,
}

/// A question with what its words weigh as of its moment.
pub struct Question<'a> {
    /// Who asks; their own items are left out.
    pub asking: Option<UserIx>,
    /// The text.
    pub probe: &'a Probe,
    /// Its words and word pairs, weighed.
    pub sought: &'a Sought,
    /// The sums that answer it.
    pub terms: &'a Terms,
    /// The moment.
    pub t: Timestamp,
}

/// What neighbours said.
enum Near {
    /// Too many items to look at each.
    Unread,
    /// Too few people are near.
    Suppressed,
    /// Their votes.
    Heard(Guarded),
}

/// Everything a read needs besides the question.
pub struct Reader<'a> {
    /// The interactions.
    pub population: &'a Population,
    /// Their words and word pairs.
    pub features: &'a Features,
    /// Base rates.
    pub base: &'a BaseRates,
    /// Each person's first item, ascending.
    pub arrivals: &'a [ItemIx],
    /// Retrieval settings.
    pub retrieval: &'a Retrieval,
    /// Period settings.
    pub periods: &'a Periods,
    /// Calibration constants.
    pub calibration: &'a Calibration,
}

impl Reader<'_> {
    /// Reads global memory at the moment `question.t`. `own` are the person's visible response counts.
    pub fn read(
        &self,
        snapshot: Option<(&Snapshot, PeriodView)>,
        question: &Question,
        own: &[f64],
    ) -> Result<GlobalRead, IndexError> {
        let Question { asking, probe, t, .. } = *question;
        let population = self.population;
        let base = self.base.read(population, asking, t);
        let Some((snapshot, period)) = snapshot else {
            return Ok(GlobalRead {
                population: base.clone(),
                community: base.clone(),
                parts: Parts::silent(base.len()),
                base,
                period: None,
                membership: Vec::new(),
                members: Vec::new(),
                hits: Vec::new(),
                support: 0,
                suppressed: 0,
            });
        };
        let (habits, prior) = snapshot.habits(population, self.periods, self.retrieval.guard, asking, &base);
        let membership = membership(&prior, &habits, own);
        let (mut candidates, mut suppressed) = self.candidates(snapshot, asking, probe)?;
        candidates
            .sort_by(|a, b| b.similarity.total().total_cmp(&a.similarity.total()).then(a.entry.id.cmp(&b.entry.id)));

        let counted: Vec<CommunityIx> = (0..membership.len()).filter(|c| membership[*c] >= LEAST_MEMBERSHIP).collect();
        let own_entries = |c: CommunityIx| candidates.iter().filter(move |found| found.entry.community == Some(c));
        let terms = self.terms(snapshot, question, &counted);
        let neighbours = self.neighbours(question);
        let mut voters: BTreeSet<UserIx> = BTreeSet::new();
        let mut parts = Parts {
            terms: terms.population,
            neighbours: None,
            entries: self.vote(candidates.iter(), snapshot, asking),
            communities: Vec::new(),
        };
        for (c, terms) in counted.iter().zip(terms.communities) {
            let entries = self.vote(own_entries(*c), snapshot, asking);
            parts.communities.push(CommunityPart { community: *c, share: membership[*c], terms, entries });
        }
        let mut support = 0;
        match neighbours {
            Near::Unread => {}
            Near::Suppressed => {
                suppressed += 1;
                parts.neighbours = Some(vec![0.0; base.len()]);
            }
            Near::Heard(guarded) => {
                support = guarded.contributors;
                parts.neighbours = Some(guarded.counts);
            }
        }
        if parts.entries_exponent(self.calibration) > 0.0 {
            self.collect_voters(candidates.iter(), asking, &mut voters);
            counted.iter().for_each(|c| self.collect_voters(own_entries(*c), asking, &mut voters));
            support = support.max(voters.len());
        }
        let (everyone, community) = parts.distributions(&base, self.calibration);

        let share = self.retrieval.community_share;
        let factor = |entry: &Entry| membership_factor(entry.community, &membership, share);
        let mut ranked: Vec<(EntryTerms, &Candidate)> =
            candidates.iter().map(|c| (EntryTerms::new(c.similarity, factor(c.entry)), c)).collect();
        ranked.sort_by(|a, b| b.0.score().total_cmp(&a.0.score()).then(a.1.entry.id.cmp(&b.1.entry.id)));
        // What is so old that nothing of it is left has no distribution to show.
        let alive = |c: &Candidate| self.guarded(c, snapshot, asking).counts.iter().sum::<f64>() > 0.0;
        let hits = ranked
            .iter()
            .filter(|(_, c)| alive(c))
            .take(self.retrieval.global_hits)
            .map(|(terms, c)| self.hit(*terms, c, snapshot, asking))
            .collect();
        let mut members = snapshot.members.clone();
        if let Some(community) = asking.and_then(|user| snapshot.communities.of[user]) {
            members[community] -= 1;
        }
        Ok(GlobalRead {
            base,
            period: Some(period),
            membership,
            members,
            hits,
            population: everyone,
            community,
            parts,
            support,
            suppressed,
        })
    }

    /// What terms say; nothing with fewer others than the guard.
    fn terms(&self, snapshot: &Snapshot, question: &Question, communities: &[CommunityIx]) -> TermRead {
        let Question { asking, t, .. } = *question;
        let others = self.others(asking, t);
        if others < self.retrieval.guard {
            let silent = vec![0.0; self.population.labels.len()];
            return TermRead { communities: vec![silent.clone(); communities.len()], population: silent };
        }
        let smoothing = self.calibration.smoothing;
        let asked = terms::Question { sought: question.sought, asking, t, communities, smoothing };
        question.terms.read(self.population, self.features, &snapshot.communities, asked)
    }

    /// People besides the asking one with an item before `t`.
    fn others(&self, asking: Option<UserIx>, t: Timestamp) -> usize {
        let before = self.population.before(t);
        let everyone = self.arrivals.partition_point(|first| *first < before);
        everyone - usize::from(!self.population.visible(asking, t).is_empty())
    }

    fn neighbours(&self, question: &Question) -> Near {
        let Question { asking, t, sought, terms, .. } = *question;
        let before = self.population.before(t);
        if before > neighbours::MOST_ITEMS {
            return Near::Unread;
        }
        let Retrieval { guard, neighbours: count, .. } = *self.retrieval;
        let weighting = &terms.weighting;
        let found = neighbours::nearest(self.population, self.features, weighting, sought, asking, before, count);
        let vicinity = Vicinity { half_life: self.periods.neighbour_half_life, guard };
        neighbours::vote(self.population, &found, vicinity, t).map_or(Near::Suppressed, Near::Heard)
    }

    /// Candidates that pass the guard without the asking user, and how many do not.
    fn candidates<'s>(
        &self,
        snapshot: &'s Snapshot,
        asking: Option<UserIx>,
        probe: &Probe,
    ) -> Result<(Vec<Candidate<'s>>, usize), IndexError> {
        let population = self.population;
        let query = EntryQuery::new(population, probe, snapshot.items);
        let mut passed = Vec::new();
        let mut suppressed = 0;
        for number in snapshot.entries.candidates(population, probe)? {
            let entry = &snapshot.entries.all[number];
            let own = asking.is_some_and(|user| entry.users.binary_search(&user).is_ok());
            if entry.users.len() - usize::from(own) < self.retrieval.guard {
                suppressed += 1;
                continue;
            }
            // So old that nothing of it is left: it has no distribution.
            let newest = entry.items.iter().rev().find(|item| Some(population.user[**item]) != asking);
            if newest.is_none_or(|item| decay(population, *item, snapshot.end, self.periods.half_life) <= 0.0) {
                continue;
            }
            let similarity = query.similarity(probe, entry, asking, self.retrieval);
            passed.push(Candidate { entry, similarity, guarded: OnceCell::new() });
        }
        Ok((passed, suppressed))
    }

    /// What everybody but the asking person contributed to a candidate that passed the guard.
    fn guarded<'c>(&self, candidate: &'c Candidate, snapshot: &Snapshot, asking: Option<UserIx>) -> &'c Guarded {
        let population = self.population;
        let contribution = |item: &ItemIx| Contribution {
            user: population.user[*item],
            label: population.label[*item],
            weight: decay(population, *item, snapshot.end, self.periods.half_life),
        };
        candidate.guarded.get_or_init(|| {
            let contributions = candidate.entry.items.iter().map(contribution);
            let labels = population.labels.len();
            let nothing = || Guarded { counts: vec![0.0; labels], contributors: 0 };
            guard::sum(contributions, labels, asking, self.retrieval.guard, 1.0).unwrap_or_else(nothing)
        })
    }

    fn enough_others(&self, users: &BTreeSet<UserIx>, asking: Option<UserIx>) -> bool {
        others(users, asking) >= self.retrieval.guard
    }

    /// V(y) = Σ over the nearest entries of s² n(y) / √n.
    fn vote<'c, 'e: 'c>(
        &self,
        nearest_first: impl Iterator<Item = &'c Candidate<'e>>,
        snapshot: &Snapshot,
        asking: Option<UserIx>,
    ) -> Vec<f64> {
        let mut votes = vec![0.0; self.population.labels.len()];
        for candidate in nearest_first.take(self.retrieval.entry_votes) {
            let guarded = self.guarded(candidate, snapshot, asking);
            let n: f64 = guarded.counts.iter().sum();
            if n > 0.0 {
                let weight = candidate.similarity.total().powi(2) / n.sqrt();
                votes.iter_mut().zip(&guarded.counts).for_each(|(vote, count)| *vote += weight * count);
            }
        }
        votes
    }

    fn collect_voters<'c, 'e: 'c>(
        &self,
        nearest_first: impl Iterator<Item = &'c Candidate<'e>>,
        asking: Option<UserIx>,
        voters: &mut BTreeSet<UserIx>,
    ) {
        for candidate in nearest_first.take(self.retrieval.entry_votes) {
            let users = candidate.entry.items.iter().map(|item| self.population.user[*item]);
            voters.extend(users.filter(|user| Some(*user) != asking));
        }
    }

    fn hit(&self, terms: EntryTerms, candidate: &Candidate, snapshot: &Snapshot, asking: Option<UserIx>) -> GlobalHit {
        let entry = candidate.entry;
        let guarded = self.guarded(candidate, snapshot, asking);
        let mass: f64 = guarded.counts.iter().sum();
        let shown = entry.words.iter().filter(|(_, users)| self.enough_others(users, asking));
        let last_seen = entry.items.iter().filter(|item| Some(self.population.user[**item]) != asking);
        GlobalHit {
            id: entry.id.clone(),
            community: entry.community,
            terms,
            distribution: guarded.counts.iter().map(|count| count / mass).collect(),
            mass,
            users: guarded.contributors,
            top_terms: shown
                .take(SHOWN_WORDS)
                .map(|(term, _)| self.population.lexicon.word(*term).to_owned())
                .collect(),
            last_seen: last_seen.map(|item| self.population.at[*item]).max().unwrap_or(entry.last_seen),
        }
    }
}
