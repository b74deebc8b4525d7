//! Global memory: what everyone else says about a query, by community and period.
//!
//! Invariants of a read at `t`: it uses the last snapshot closed at or before `t` and a base rate of interactions
//! strictly before `t`; the asking user's own interactions are subtracted from counts, votes and support *before* the
//! guard; centroids and assignments are not refitted.

use std::collections::BTreeSet;

use super::community::{Communities, CommunityIx, member_counts, membership};
use super::entry::{Entries, Entry, EntryQuery, IndexError, others};
use super::fusion::{EntryTerms, Similarity, membership_factor};
use super::guard::{self, Contribution, Guarded};
use super::local::Probe;
use super::population::{ItemIx, LabelIx, Population, UserIx};
use crate::data::dataset::{Calibration, Periods, Retrieval};
use crate::data::interaction::Timestamp;

/// A community with less membership than this adds nothing visible to a read.
const LEAST_MEMBERSHIP: f64 = 0.02;
/// Pseudo-mass of the population's distribution in a community's.
const PARENT_MASS: f64 = 1.0;
/// Pseudo-counts of the base rate in a community's response habits.
const HABIT_MASS: f64 = 5.0;
/// Words shown per entry.
const SHOWN_WORDS: usize = 4;
/// Weights older than this many half-lives no longer change a sum in double precision.
const NEGLIGIBLE_HALF_LIVES: f64 = 60.0;

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
    /// Distinct contributors behind the votes.
    pub support: usize,
    /// Candidate entries kept back because fewer than k people remain without the asking one.
    pub suppressed: usize,
}

impl GlobalRead {
    /// The likeliest community of a person with history, and its probability.
    pub fn leading(&self) -> Option<(CommunityIx, f64)> {
        let top = self.membership.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        (top.1 >= 0.5).then_some(top)
    }
}

/// A guarded candidate entry.
struct Candidate<'a> {
    entry: &'a Entry,
    similarity: Similarity,
    guarded: Guarded,
}

/// Everything a read needs besides the question.
pub struct Reader<'a> {
    /// The interactions.
    pub population: &'a Population,
    /// Retrieval settings.
    pub retrieval: &'a Retrieval,
    /// Period settings.
    pub periods: &'a Periods,
    /// Calibration constants.
    pub calibration: &'a Calibration,
}

impl Reader<'_> {
    /// Reads global memory for `asking` at `t`. `own` are the person's visible response counts.
    pub fn read(
        &self,
        snapshot: Option<(&Snapshot, PeriodView)>,
        asking: Option<UserIx>,
        own: &[f64],
        probe: &Probe,
        t: Timestamp,
    ) -> Result<GlobalRead, IndexError> {
        let base = self.base_rate(asking, t);
        let Some((snapshot, period)) = snapshot else {
            return Ok(GlobalRead {
                population: base.clone(),
                community: base.clone(),
                base,
                period: None,
                membership: Vec::new(),
                members: Vec::new(),
                hits: Vec::new(),
                support: 0,
                suppressed: 0,
            });
        };
        let (habits, prior) = snapshot.habits(self.population, self.periods, self.retrieval.guard, asking, &base);
        let membership = membership(&prior, &habits, own);
        let (mut candidates, suppressed) = self.candidates(snapshot, asking, probe)?;
        candidates
            .sort_by(|a, b| b.similarity.total().total_cmp(&a.similarity.total()).then(a.entry.id.cmp(&b.entry.id)));

        let everyone = self.vote(candidates.iter());
        let population = self.blend_votes(&everyone, &base, 1.0);
        let mut community = vec![0.0; base.len()];
        let mut voters: BTreeSet<UserIx> = BTreeSet::new();
        self.collect_voters(candidates.iter(), asking, &mut voters);
        let counted: Vec<CommunityIx> = (0..membership.len()).filter(|c| membership[*c] >= LEAST_MEMBERSHIP).collect();
        let mass: f64 = counted.iter().map(|c| membership[*c]).sum();
        for c in &counted {
            let own_entries = || candidates.iter().filter(|candidate| candidate.entry.community == Some(*c));
            self.collect_voters(own_entries(), asking, &mut voters);
            let p = self.blend_votes(&self.vote(own_entries()), &population, PARENT_MASS);
            community.iter_mut().zip(p).for_each(|(sum, p)| *sum += membership[*c] / mass * p);
        }
        if counted.is_empty() {
            community.clone_from(&population);
        }

        let share = self.retrieval.community_share;
        let factor = |entry: &Entry| membership_factor(entry.community, &membership, share);
        let mut ranked: Vec<(EntryTerms, &Candidate)> =
            candidates.iter().map(|c| (EntryTerms::new(c.similarity, factor(c.entry)), c)).collect();
        ranked.sort_by(|a, b| b.0.score().total_cmp(&a.0.score()).then(a.1.entry.id.cmp(&b.1.entry.id)));
        let hits =
            ranked.iter().take(self.retrieval.global_hits).map(|(terms, c)| self.hit(*terms, c, asking)).collect();
        let mut members = snapshot.members.clone();
        if let Some(community) = asking.and_then(|user| snapshot.communities.of[user]) {
            members[community] -= 1;
        }
        let (period, support) = (Some(period), voters.len());
        Ok(GlobalRead { base, period, membership, members, hits, population, community, support, suppressed })
    }

    /// b(y) = (N(y) + ½) / (ΣN + ½K), N the decayed counts of others strictly before `t`.
    fn base_rate(&self, asking: Option<UserIx>, t: Timestamp) -> Vec<f64> {
        let population = self.population;
        let half_life = self.periods.base_half_life;
        let oldest = t.plus_days(-NEGLIGIBLE_HALF_LIVES * half_life.min(1e6));
        let mut counts = vec![0.5; population.labels.len()];
        for item in population.before(oldest)..population.before(t) {
            if Some(population.user[item]) != asking {
                counts[population.label[item]] += decay(population, item, t, half_life);
            }
        }
        let sum: f64 = counts.iter().sum();
        counts.iter_mut().for_each(|count| *count /= sum);
        counts
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
            let contributions = entry.items.iter().map(|item| Contribution {
                user: population.user[*item],
                label: population.label[*item],
                weight: decay(population, *item, snapshot.end, self.periods.half_life),
            });
            let Some(guarded) = guard::sum(contributions, population.labels.len(), asking, self.retrieval.guard) else {
                suppressed += 1;
                continue;
            };
            // So old that nothing of it is left: it has no distribution.
            if guarded.counts.iter().sum::<f64>() <= 0.0 {
                continue;
            }
            let similarity = query.similarity(probe, entry, asking, self.retrieval);
            passed.push(Candidate { entry, similarity, guarded });
        }
        Ok((passed, suppressed))
    }

    fn enough_others(&self, users: &BTreeSet<UserIx>, asking: Option<UserIx>) -> bool {
        others(users, asking) >= self.retrieval.guard
    }

    /// V(y) = Σ over the nearest entries of s² n(y) / √n.
    fn vote<'c, 'e: 'c>(&self, nearest_first: impl Iterator<Item = &'c Candidate<'e>>) -> Vec<f64> {
        let mut votes = vec![0.0; self.population.labels.len()];
        for candidate in nearest_first.take(self.retrieval.entry_votes) {
            let n: f64 = candidate.guarded.counts.iter().sum();
            if n > 0.0 {
                let weight = candidate.similarity.total().powi(2) / n.sqrt();
                votes.iter_mut().zip(&candidate.guarded.counts).for_each(|(vote, count)| *vote += weight * count);
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

    /// p ∝ parent · exp(A_N · E_N) with E_N = ln[(V + m·parent) / ((ΣV + m) · parent)].
    fn blend_votes(&self, votes: &[f64], parent: &[f64], mass: f64) -> Vec<f64> {
        let total: f64 = votes.iter().sum();
        let evidence = |(vote, p): (&f64, &f64)| {
            let e = ((vote + mass * p) / ((total + mass) * p)).ln();
            p * (self.calibration.entries * e).exp()
        };
        let weights: Vec<f64> = votes.iter().zip(parent).map(evidence).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    fn hit(&self, terms: EntryTerms, candidate: &Candidate, asking: Option<UserIx>) -> GlobalHit {
        let entry = candidate.entry;
        let mass: f64 = candidate.guarded.counts.iter().sum();
        let shown = entry.words.iter().filter(|(_, users)| self.enough_others(users, asking));
        let last_seen = entry.items.iter().filter(|item| Some(self.population.user[**item]) != asking);
        GlobalHit {
            id: entry.id.clone(),
            community: entry.community,
            terms,
            distribution: candidate.guarded.counts.iter().map(|count| count / mass).collect(),
            mass,
            users: candidate.guarded.contributors,
            top_terms: shown
                .take(SHOWN_WORDS)
                .map(|(term, _)| self.population.lexicon.word(*term).to_owned())
                .collect(),
            last_seen: last_seen.map(|item| self.population.at[*item]).max().unwrap_or(entry.last_seen),
        }
    }
}
