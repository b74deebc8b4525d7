//! Global memory: what everyone else says about a query, by community and period.
//!
//! Invariants of a read at `t`: it uses the last snapshot closed at or before `t` and a base rate of interactions
//! strictly before `t`; the asking user's own interactions are subtracted from counts, votes and support *before* the
//! guard; centroids and assignments are not refitted.

use std::sync::Arc;

use super::base::BaseRates;
use super::candidates::{self, Asked, Candidate};
use super::collective::{CommunityPart, Parts};
use super::column::{Sink, Slab, Source};
use super::community::{Communities, CommunityIx, Telling, membership};
use super::entry::{Entries, Forming};
use super::features::{Features, Sought};
use super::finder::IndexError;
use super::fusion::{EntryTerms, membership_factor};
use super::grouping::Grouping;
use super::guard::Guarded;
use super::habits::{self, Habits, Heard};
use super::local::Probe;
use super::neighbours::{self, Likenesses, Vicinity};
use super::population::{ItemIx, LabelIx, Population, UserIx};
use super::terms::{self, TermRead, Terms};
use super::topics::Topics;
use crate::data::dataset::{Calibration, Periods, Retrieval};
use crate::data::interaction::Timestamp;

/// A community with less membership than this adds nothing visible to a read.
const LEAST_MEMBERSHIP: f64 = 0.02;
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
    /// What they answer.
    habits: Habits,
    /// Members of each community.
    members: Vec<usize>,
    /// Collective entries with their indexes.
    pub entries: Entries,
}

impl Snapshot {
    /// Closes a period whose items are grouped.
    pub fn close(
        population: &Population,
        communities: &Communities,
        topics: Option<&Topics>,
        forming: Forming,
        grouping: Grouping,
    ) -> Result<Self, IndexError> {
        let Forming { before: items, fading, .. } = forming;
        let weighted = (0..items).map(|item| (item, fading.weight(population, item)));
        let habits = Habits::of(population, communities, topics, weighted);
        Ok(Self::with(communities, habits, Entries::over(population, grouping, forming)?, forming))
    }

    fn with(communities: &Communities, habits: Habits, entries: Entries, forming: Forming) -> Self {
        let Forming { before: items, period, fading, .. } = forming;
        let mut members = vec![0; communities.count];
        communities.of.iter().flatten().for_each(|community| members[*community] += 1);
        let communities = communities.clone();
        Self { period, end: fading.end, items, communities, habits, members, entries }
    }

    /// Writes what follows from the interactions and takes long to find.
    pub(super) fn write<S: Sink<Error: From<IndexError>>>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.column("responses", &self.habits.counts())?;
        sink.column("answerers", self.habits.answerers())?;
        self.entries.write(sink)
    }

    /// A snapshot as it was written. `moved` are new numbers of the people who are numbered there, ascending.
    pub(super) fn read_from<S: Source<Error: From<IndexError>>>(
        source: &S,
        population: &Population,
        communities: &Communities,
        forming: Forming,
        moved: Option<Arc<Vec<UserIx>>>,
    ) -> Result<Self, S::Error> {
        let responses: Slab<f64> = source.column("responses")?;
        let answerers: Slab<u32> = source.column("answerers")?;
        let labels = population.labels.len();
        let habits = Habits::from_parts(responses.to_vec(), answerers.to_vec(), communities.count, labels);
        let entries = Entries::read_from(source, population, forming, moved)?;
        Ok(Self::with(communities, habits, entries, forming))
    }

    /// What communities answer, and each one's members; both judged without the asking person.
    fn company(
        &self,
        population: &Population,
        topics: Option<&Topics>,
        asking: Option<UserIx>,
        base: &[f64],
    ) -> (Heard<'_>, Vec<usize>) {
        let mut members = self.members.clone();
        let home = asking.and_then(|user| self.communities.of[user]);
        home.into_iter().for_each(|community| members[community] -= 1);
        let own = asking.map_or(&[][..], |user| &population.items_of[user]);
        let own = own.iter().take_while(|item| **item < self.items);
        let own =
            own.map(|item| (habits::cell(population, topics, *item), self.entries.fading.weight(population, *item)));
        (self.habits.besides(base, home, own), members)
    }
}

/// A person's visible responses, as their community is judged by them.
pub struct Responses {
    /// Decayed counts, by cell.
    pub cells: Vec<f64>,
    /// How many they are.
    pub visible: usize,
}

/// The membership in each community of somebody whose responses are `own`. A community with fewer than
/// `guard` members besides them has membership 0: nothing about it is read.
fn belonging(heard: &Heard, members: &[usize], guard: usize, own: &Responses) -> Vec<f64> {
    let counted = |m: &usize| if *m >= guard { *m as f64 } else { 0.0 };
    let people: f64 = members.iter().map(counted).sum();
    let prior: Vec<f64> = members.iter().map(|m| if people > 0.0 { counted(m) / people } else { 0.0 }).collect();
    let telling = Telling {
        answers: |community, cell| heard.answer(community, cell),
        asks: |community, cell| heard.asks(community, cell),
    };
    membership(&prior, telling, &own.cells, own.visible)
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
    /// Collective statements kept back because fewer than k people who count remain without the asking one.
    pub suppressed: usize,
}

impl GlobalRead {
    /// The likeliest community of a person with history, and its probability.
    pub fn leading(&self) -> Option<(CommunityIx, f64)> {
        let top = self.membership.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        (top.1 >= 0.5).then_some(top)
    }
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
    /// What items are about, where the snapshot knows.
    pub topics: Option<&'a Topics>,
}

impl Reader<'_> {
    /// Reads global memory at the moment `question.t`.
    pub fn read(
        &self,
        snapshot: Option<(&Snapshot, PeriodView)>,
        question: &Question,
        own: &Responses,
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
        let guard = self.retrieval.guard;
        let (heard, members) = snapshot.company(population, self.topics, asking, &base);
        let membership = belonging(&heard, &members, guard, own);
        let counted: Vec<CommunityIx> = (0..membership.len()).filter(|c| membership[*c] >= LEAST_MEMBERSHIP).collect();
        let asked = Asked { probe, asking, membership: &membership, counted: &counted };
        let candidates::Near { candidates, mut suppressed } =
            candidates::near(population, self.retrieval, snapshot, asked)?;
        let own_entries = |c: CommunityIx| candidates.iter().filter(move |found| found.community == Some(c));
        let terms = self.terms(snapshot, question, &counted);
        let (neighbours, close) = self.neighbours(question, &snapshot.communities, &counted);
        let mut parts = Parts {
            terms: terms.population,
            neighbours: None,
            entries: self.vote(candidates.iter(), asking),
            communities: Vec::new(),
        };
        let topic = match self.calibration.community_habit {
            0.0 => 0,
            _ => self.topics.map_or(0, |topics| topics.about(&probe.vector)),
        };
        let mut support = 0;
        for ((c, terms), near) in counted.iter().zip(terms.communities).zip(close) {
            let entries = self.vote(own_entries(*c), asking);
            let neighbours = match near {
                Near::Heard(guarded) => {
                    support = support.max(guarded.contributors);
                    guarded.counts
                }
                kept_back => {
                    suppressed += usize::from(matches!(kept_back, Near::Suppressed));
                    vec![0.0; base.len()]
                }
            };
            let leaning = match self.calibration.community_leaning {
                0.0 => vec![0.0; base.len()],
                _ => heard.leaning(*c).to_vec(),
            };
            let habit = match self.calibration.community_habit {
                0.0 => vec![0.0; base.len()],
                _ => heard.votes(*c, topic, guard).unwrap_or_else(|_| {
                    suppressed += 1;
                    vec![0.0; base.len()]
                }),
            };
            let share = membership[*c];
            parts.communities.push(CommunityPart { community: *c, share, leaning, habit, terms, entries, neighbours });
        }
        match neighbours {
            Near::Unread => {}
            Near::Suppressed => {
                suppressed += 1;
                parts.neighbours = Some(vec![0.0; base.len()]);
            }
            Near::Heard(guarded) => {
                support = support.max(guarded.contributors);
                parts.neighbours = Some(guarded.counts);
            }
        }
        if parts.entries_exponent(self.calibration) > 0.0 {
            let mut voters = Voters::default();
            voters.take(candidates.iter().take(self.retrieval.entry_votes));
            counted.iter().for_each(|c| voters.take(own_entries(*c).take(self.retrieval.entry_votes)));
            support = support.max(voters.count(snapshot.entries.known_as(asking)));
        }
        let (everyone, community) = parts.distributions(&base, self.calibration);

        let share = self.retrieval.community_share;
        let factor = |candidate: &Candidate| membership_factor(candidate.community, &membership, share);
        let mut ranked: Vec<(EntryTerms, &Candidate)> =
            candidates.iter().map(|c| (EntryTerms::new(c.similarity, factor(c)), c)).collect();
        ranked.sort_by(|a, b| b.0.score().total_cmp(&a.0.score()).then_with(|| a.1.entry.by_id(b.1.entry)));
        let hits =
            ranked.iter().take(self.retrieval.global_hits).map(|(terms, c)| self.hit(*terms, c, asking)).collect();
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

    /// What the nearest texts of everyone say, and those of each of `communities`.
    fn neighbours(
        &self,
        question: &Question,
        belonging: &Communities,
        communities: &[CommunityIx],
    ) -> (Near, Vec<Near>) {
        let Question { asking, t, sought, terms, .. } = *question;
        let before = self.population.before(t);
        let unread = || communities.iter().map(|_| Near::Unread).collect();
        if before > neighbours::MOST_ITEMS {
            return (Near::Unread, unread());
        }
        let Retrieval { guard, neighbours: count, .. } = *self.retrieval;
        let vicinity = Vicinity { half_life: self.periods.neighbour_half_life, guard };
        let hear = |found: &[(ItemIx, f64)]| {
            neighbours::vote(self.population, found, vicinity, t).map_or(Near::Suppressed, Near::Heard)
        };
        let likenesses = Likenesses::of(self.population, self.features, &terms.weighting, sought, asking, before);
        let everyone = hear(&likenesses.nearest(count));
        if self.calibration.community_neighbours == 0.0 {
            return (everyone, unread());
        }
        let own = likenesses.nearest_of(communities, belonging);
        (everyone, own.iter().map(|found| hear(found)).collect())
    }

    /// V(y) = Σ over the nearest entries of s² n(y) / √n.
    fn vote<'c, 'e: 'c>(
        &self,
        nearest_first: impl Iterator<Item = &'c Candidate<'e>>,
        asking: Option<UserIx>,
    ) -> Vec<f64> {
        let mut votes = vec![0.0; self.population.labels.len()];
        for candidate in nearest_first.take(self.retrieval.entry_votes) {
            let (counts, _) = candidate.given(self.population, asking, self.retrieval.guard);
            let n: f64 = counts.iter().sum();
            if n > 0.0 {
                let weight = candidate.similarity.total().powi(2) / n.sqrt();
                votes.iter_mut().zip(counts).for_each(|(vote, count)| *vote += weight * count);
            }
        }
        votes
    }

    fn hit(&self, terms: EntryTerms, candidate: &Candidate, asking: Option<UserIx>) -> GlobalHit {
        let entry = candidate.entry;
        let (counts, users) = candidate.given(self.population, asking, self.retrieval.guard);
        let mass: f64 = counts.iter().sum();
        let words = entry.words().iter().enumerate();
        let shown = words.filter(|(at, _)| entry.users_besides(*at, asking) >= self.retrieval.guard);
        let last_seen = entry.items().filter(|item| Some(self.population.user[*item]) != asking);
        GlobalHit {
            id: entry.id(),
            community: entry.community(),
            terms,
            distribution: counts.iter().map(|count| count / mass).collect(),
            mass,
            users,
            top_terms: shown
                .take(SHOWN_WORDS)
                .map(|(_, word)| self.population.lexicon.word(*word).to_owned())
                .collect(),
            last_seen: last_seen.map(|item| self.population.at[item]).max().unwrap_or_else(|| entry.last_seen()),
        }
    }
}

/// Distinct contributors of several entries.
#[derive(Default)]
struct Voters(Vec<u64>);

impl Voters {
    fn take<'c, 'e: 'c>(&mut self, candidates: impl Iterator<Item = &'c Candidate<'e>>) {
        for user in candidates.flat_map(|candidate| candidate.entry.users()) {
            let (word, bit) = (*user as usize / 64, user % 64);
            if word >= self.0.len() {
                self.0.resize(word + 1, 0);
            }
            self.0[word] |= 1 << bit;
        }
    }

    /// How many there are besides the asking one.
    fn count(mut self, asking: Option<u32>) -> usize {
        let own = asking.and_then(|user| Some((self.0.get_mut(user as usize / 64)?, user % 64)));
        own.into_iter().for_each(|(word, bit)| *word &= !(1 << bit));
        self.0.iter().map(|some| some.count_ones() as usize).sum()
    }
}
