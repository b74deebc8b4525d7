//! What communities answer, topic by topic, and how they lean from what everyone answers to the same.
//!
//! A habit of one topic is told only where enough people besides the asking one made it: what one or two of a community
//! answered is theirs, not the community's.
//!
//! Counts are decayed responses of a community's members; without topics there is one, and a habit is a distribution of
//! responses. Invariant: what [`Heard`] tells is judged without the asking person, whose items are subtracted first.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::community::{Communities, CommunityIx};
use super::leaning::{leaning, leant};
use super::population::{ItemIx, Population};
use super::topics::{TopicIx, Topics};

/// Pseudo-counts of everyone's answers to a topic in a community's.
const HABIT_MASS: f64 = 5.0;
/// Pseudo-counts of the base rate in everyone's answers to a topic.
const COMMON_MASS: f64 = 3.0;
/// Pseudo-counts of what everyone asks about in what a community does.
const ASKED_MASS: f64 = 20.0;
/// Sweeps in which a leaning is found from nothing, and from that of nearly the same people.
const SWEEPS: (usize, usize) = (16, 4);

/// A topic and a response to it: topic · number of responses + response.
pub type CellIx = usize;

/// Responses of one community's members.
#[derive(Clone, Debug, PartialEq)]
struct Counts {
    /// By cell.
    cells: Vec<f64>,
    /// Their sums, by topic.
    topics: Vec<f64>,
}

impl Counts {
    fn new(cells: Vec<f64>, labels: usize) -> Self {
        let topics = cells.chunks_exact(labels.max(1)).map(|topic| topic.iter().sum()).collect();
        Self { cells, topics }
    }
}

/// Decayed responses of each community's members.
#[derive(Clone, Debug, PartialEq)]
pub struct Habits {
    labels: usize,
    /// By community.
    of: Vec<Counts>,
    /// Of all communities together, by cell.
    all: Vec<f64>,
    /// How many people answered to each topic, community after community.
    answerers: Vec<u32>,
}

impl Habits {
    /// Of `items` with their weights, each of a person who is in a community or is passed over.
    pub fn of(
        population: &Population,
        communities: &Communities,
        topics: Option<&Topics>,
        items: impl Iterator<Item = (ItemIx, f64)>,
    ) -> Self {
        let labels = population.labels.len();
        let cells = topics.map_or(1, Topics::count) * labels;
        let mut counts = vec![vec![0.0; cells]; communities.count];
        let told_apart = cells / labels.max(1);
        let mut answerers = vec![0; communities.count * told_apart];
        // A bit for each topic that a person answered to: this is done for every item, several times a period.
        let words = told_apart.div_ceil(64);
        let mut known = vec![0u64; communities.of.len() * words];
        for (item, weight) in items {
            let user = population.user[item];
            if let Some(community) = communities.of[user] {
                let cell = cell(population, topics, item);
                counts[community][cell] += weight;
                let topic = cell / labels;
                let (word, bit) = (&mut known[user * words + topic / 64], 1u64 << (topic % 64));
                answerers[community * told_apart + topic] += u32::from(*word & bit == 0);
                *word |= bit;
            }
        }
        Self::from_parts(counts.concat(), answerers, communities.count, labels)
    }

    /// As they were written: see [`Self::counts`] and [`Self::answerers`].
    pub fn from_parts(counts: Vec<f64>, answerers: Vec<u32>, communities: usize, labels: usize) -> Self {
        let cells = counts.len() / communities.max(1);
        let mut all = vec![0.0; cells];
        for of in counts.chunks_exact(cells.max(1)) {
            all.iter_mut().zip(of).for_each(|(sum, count)| *sum += count);
        }
        let of = counts.chunks_exact(cells.max(1)).map(|of| Counts::new(of.to_vec(), labels)).collect();
        Self { labels, of, all, answerers }
    }

    /// Counts by cell, community after community.
    pub fn counts(&self) -> Vec<f64> {
        self.of.iter().flat_map(|counts| &counts.cells).copied().collect()
    }

    /// How many people answered to each topic, community after community.
    pub fn answerers(&self) -> &[u32] {
        &self.answerers
    }

    /// The share of each response among all, half a response being added to each.
    pub fn base(&self) -> Vec<f64> {
        let mut sums = vec![0.5; self.labels];
        for topic in self.all.chunks_exact(self.labels.max(1)) {
            sums.iter_mut().zip(topic).for_each(|(sum, count)| *sum += count);
        }
        let total: f64 = sums.iter().sum();
        sums.iter().map(|sum| sum / total).collect()
    }

    /// What is heard of them besides a person of the community `home`, whose part in the counts is `own`, cell by cell.
    /// `base` is the base rate of responses.
    pub fn besides<'a>(
        &'a self,
        base: &[f64],
        home: Option<CommunityIx>,
        own: impl Iterator<Item = (CellIx, f64)>,
    ) -> Heard<'a> {
        let mut all = self.all.clone();
        let home = home.map(|community| {
            let mut counts = self.of[community].cells.clone();
            let mut asked = vec![false; counts.len() / self.labels.max(1)];
            for (cell, weight) in own {
                counts[cell] -= weight;
                all[cell] -= weight;
                asked[cell / self.labels] = true;
            }
            // Subtraction leaves rounding dust where the person was alone.
            counts.iter_mut().chain(&mut all).for_each(|count| *count = count.max(0.0));
            (Home { community, asked }, Counts::new(counts, self.labels))
        });
        let common = common(&all, base);
        let asked = asked(&all, self.labels);
        let (home, mut besides) = home.unzip();
        let of = |(community, counts): (CommunityIx, &'a Counts)| {
            let at_home = home.as_ref().is_some_and(|home: &Home| home.community == community);
            let counts = besides.take_if(|_| at_home).map_or(Cow::Borrowed(counts), Cow::Owned);
            Custom::new(counts, &common, &vec![0.0; self.labels], SWEEPS.0)
        };
        let customs = self.of.iter().enumerate().map(of).collect();
        Heard { habits: self, home, customs, common, asked }
    }
}

/// The cell of an item.
pub fn cell(population: &Population, topics: Option<&Topics>, item: ItemIx) -> CellIx {
    topics.map_or(0, |topics| topics.of(item)) * population.labels.len() + population.label[item]
}

/// p(y|z), what everyone answers to each topic. Of one topic that is the base rate, which knows newer responses.
fn common(all: &[f64], base: &[f64]) -> Vec<f64> {
    if all.len() == base.len() {
        return base.to_vec();
    }
    let shares = |counts: &[f64]| {
        let total: f64 = counts.iter().sum();
        let share = |(count, b): (&f64, &f64)| (count + COMMON_MASS * b) / (total + COMMON_MASS);
        counts.iter().zip(base).map(share).collect::<Vec<f64>>()
    };
    all.chunks_exact(base.len().max(1)).flat_map(shares).collect()
}

/// p(z), what everyone asks about: a response is added to each topic.
fn asked(all: &[f64], labels: usize) -> Vec<f64> {
    let topics: Vec<f64> = all.chunks_exact(labels.max(1)).map(|topic| topic.iter().sum::<f64>() + 1.0).collect();
    let total: f64 = topics.iter().sum();
    topics.iter().map(|topic| topic / total).collect()
}

/// What a community answers.
struct Custom<'a> {
    counts: Cow<'a, Counts>,
    /// θ, by response. It is found when it is asked for: of one topic nothing else depends on it.
    leaning: OnceCell<Vec<f64>>,
    /// What is expected of them where they have said little, by cell; of one topic it is what everyone answers: θ would
    /// make it their shares again, less the smoothing.
    expected: Option<Vec<f64>>,
}

impl<'a> Custom<'a> {
    fn new(counts: Cow<'a, Counts>, common: &[f64], start: &[f64], sweeps: usize) -> Self {
        if common.len() == start.len() {
            return Self { counts, leaning: OnceCell::new(), expected: None };
        }
        let leaning = leaning(&counts.cells, common, start, sweeps);
        let expected = Some(leant(common, &leaning));
        Self { counts, leaning: leaning.into(), expected }
    }

    fn leaning(&self, common: &[f64], labels: usize) -> &[f64] {
        self.leaning.get_or_init(|| leaning(&self.counts.cells, common, &vec![0.0; labels], SWEEPS.0))
    }

    /// p_c(y|z) = (n_c(z,y) + m p̃_c(y|z)) / (n_c(z) + m), > 0.
    fn answer(&self, common: &[f64], cell: CellIx) -> f64 {
        let expected = self.expected.as_deref().unwrap_or(common);
        let topic: TopicIx = cell / (common.len() / self.counts.topics.len());
        (self.counts.cells[cell] + HABIT_MASS * expected[cell]) / (self.counts.topics[topic] + HABIT_MASS)
    }
}

/// Where the asking person belongs.
struct Home {
    community: CommunityIx,
    /// The topics that they answered to.
    asked: Vec<bool>,
}

/// Habits without somebody.
pub struct Heard<'a> {
    habits: &'a Habits,
    home: Option<Home>,
    /// By community, the asking person left out.
    customs: Vec<Custom<'a>>,
    /// p(y|z) by cell.
    common: Vec<f64>,
    /// p(z) by topic.
    asked: Vec<f64>,
}

impl Heard<'_> {
    /// p_c(y|z), > 0.
    pub fn answer(&self, community: CommunityIx, cell: CellIx) -> f64 {
        self.customs[community].answer(&self.common, cell)
    }

    /// p_c(z) = (n_c(z) + m p(z)) / (n_c + m), > 0, of the topic of a cell: 1 of one topic.
    pub fn asks(&self, community: CommunityIx, cell: CellIx) -> f64 {
        let topics = &self.customs[community].counts.topics;
        let topic: TopicIx = cell / self.habits.labels;
        let total: f64 = topics.iter().sum();
        (topics[topic] + ASKED_MASS * self.asked[topic]) / (total + ASKED_MASS)
    }

    /// ln p_c(y|z) summed over what somebody answered, whose answers are left out of the community's.
    pub fn without(&self, community: CommunityIx, own: &[CellIx]) -> f64 {
        let custom = &self.customs[community];
        let mut counts = custom.counts.cells.clone();
        own.iter().for_each(|cell| counts[*cell] = (counts[*cell] - 1.0).max(0.0));
        let others = Cow::Owned(Counts::new(counts, self.habits.labels));
        let start = custom.leaning.get().cloned().unwrap_or_else(|| vec![0.0; self.habits.labels]);
        let others = Custom::new(others, &self.common, &start, SWEEPS.1);
        own.iter().map(|cell| others.answer(&self.common, *cell).ln()).sum()
    }

    /// n_c(z,y)/m: what the community answers to a topic, as votes against one of a parent's. How many people besides the
    /// asking one answered to it, where those are fewer than `guard`.
    pub fn votes(&self, community: CommunityIx, topic: TopicIx, guard: usize) -> Result<Vec<f64>, usize> {
        let labels = self.habits.labels;
        let topics = self.common.len() / labels.max(1);
        let own = self.home.as_ref().is_some_and(|home| home.community == community && home.asked[topic]);
        let people = self.habits.answerers[community * topics + topic] as usize - usize::from(own);
        if people < guard.max(1) {
            return Err(people);
        }
        let cells = &self.customs[community].counts.cells[topic * labels..(topic + 1) * labels];
        Ok(cells.iter().map(|count| count / HABIT_MASS).collect())
    }

    /// E_S(y) = θ_c(y): how much more readily the community answers y than everyone does to the same topics. In nats; 0 of a
    /// community without responses.
    pub fn leaning(&self, community: CommunityIx) -> &[f64] {
        self.customs[community].leaning(&self.common, self.habits.labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of two communities and two responses; six people answered to each topic.
    fn habits(counts: Vec<f64>) -> Habits {
        let answerers = vec![6; counts.len() / 2];
        Habits::from_parts(counts, answerers, 2, 2)
    }

    /// Two communities, two topics, two responses; the first community answers the first topic with 0 and the second
    /// with 1, the second one the other way round.
    fn crossed() -> Habits {
        habits([[8.0, 0.0, 0.0, 8.0], [0.0, 8.0, 8.0, 0.0]].concat())
    }

    #[test]
    fn topics_tell_apart_who_answers_the_same_on_the_whole() {
        let habits = crossed();
        let heard = habits.besides(&[0.5, 0.5], None, std::iter::empty());
        // (8 + 5/2) / (8 + 5)
        assert!((heard.answer(0, 0) - 10.5 / 13.0).abs() < 1e-12 && (heard.answer(1, 0) - 2.5 / 13.0).abs() < 1e-12);
        assert!((0..2).all(|community| heard.leaning(community).iter().all(|e| e.abs() < 1e-12)), "nobody leans");
    }

    #[test]
    fn a_leaning_is_against_what_the_same_topics_are_answered_with() {
        // Everyone answers the first topic with 0 and the second with 1; the first community asks of the first one mostly,
        // and answers it with 1 more often than others.
        let habits = habits([[24.0, 8.0, 0.0, 4.0], [30.0, 2.0, 0.0, 32.0]].concat());
        let heard = habits.besides(&[0.54, 0.46], None, std::iter::empty());
        let leaning = heard.leaning(0);
        assert!(leaning[1] > 0.1 && leaning[0] < 0.0, "{leaning:?}, though 0 is most of its answers");
        // A leaning changes no share if it is added to all responses alike.
        assert!((leaning[0] + leaning[1]).abs() < 1e-12);
    }

    #[test]
    fn what_a_community_asks_about_is_shrunk_to_what_everyone_does() {
        // 12 of 16 responses to the first topic here, 2 of 16 there; 14 + 1 of 34 of all.
        let habits = habits([[8.0, 4.0, 0.0, 4.0], [1.0, 1.0, 6.0, 8.0]].concat());
        let heard = habits.besides(&[0.5, 0.5], None, std::iter::empty());
        let common = 15.0 / 34.0;
        for (community, first) in [(0, 12.0), (1, 2.0)] {
            let shares = [0, 2].map(|cell| heard.asks(community, cell));
            assert!((shares[0] - (first + ASKED_MASS * common) / (16.0 + ASKED_MASS)).abs() < 1e-12);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn who_asks_is_subtracted_everywhere() {
        let with = habits([[9.0, 0.0, 1.0, 8.0], [0.0, 8.0, 8.0, 0.0]].concat());
        let own = [(0, 1.0), (2, 1.0)];
        let (without, base) = (crossed(), [0.4, 0.6]);
        let (one, two) =
            (with.besides(&base, Some(0), own.into_iter()), without.besides(&base, None, std::iter::empty()));
        for community in 0..2 {
            assert!((0..4).all(|cell| (one.answer(community, cell) - two.answer(community, cell)).abs() < 1e-12));
            assert!((0..4).all(|cell| (one.asks(community, cell) - two.asks(community, cell)).abs() < 1e-12));
            assert!(one.leaning(community).iter().zip(two.leaning(community)).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn a_habit_is_told_of_enough_people_besides_who_asks() {
        let habits = crossed();
        let heard = habits.besides(&[0.5, 0.5], Some(0), [(3, 1.0)].into_iter());
        assert_eq!(heard.votes(0, 0, 6).unwrap(), [8.0 / HABIT_MASS, 0.0], "they answered nothing to the first topic");
        assert_eq!(heard.votes(0, 1, 6), Err(5));
        assert_eq!(heard.votes(0, 1, 5).unwrap(), [0.0, 7.0 / HABIT_MASS]);
        assert_eq!(heard.votes(1, 1, 6).unwrap(), [8.0 / HABIT_MASS, 0.0]);
        assert_eq!(heard.votes(1, 1, 7), Err(6));
    }

    #[test]
    fn who_answered_to_a_topic_counts_once() {
        use crate::data::synth::{Parameters, population};
        let (dataset, _) = population(&Parameters { users: 40, ..Parameters::default() });
        let all = crate::memory::Memory::build(&dataset).population;
        // More topics than a word has bits.
        let topics = Topics::told_apart(&all, all.len(), 70, 5);
        let communities = Communities::next(&all, all.len(), &Communities::default(), None, 7);
        let habits = Habits::of(&all, &communities, Some(&topics), (0..all.len()).map(|item| (item, 1.0)));
        let answered = |community: CommunityIx, topic: TopicIx| {
            let to_it = (0..all.len()).filter(|item| topics.of(*item) == topic).map(|item| all.user[item]);
            let people: std::collections::HashSet<_> =
                to_it.filter(|u| communities.of[*u] == Some(community)).collect();
            people.len() as u32
        };
        let expected: Vec<u32> = (0..communities.count)
            .flat_map(|c| (0..topics.count()).map(move |z| (c, z)))
            .map(|(c, z)| answered(c, z))
            .collect();
        assert_eq!(habits.answerers(), expected);
        assert!(topics.count() > 64 && expected.iter().any(|people| *people > 1));
    }

    #[test]
    fn of_one_topic_a_habit_is_shrunk_to_the_base_rate() {
        let habits = habits(vec![3.0, 1.0, 0.0, 0.0]);
        let heard = habits.besides(&[0.3, 0.7], None, std::iter::empty());
        assert!((heard.answer(0, 0) - (3.0 + 5.0 * 0.3) / 9.0).abs() < 1e-12);
        assert_eq!(heard.answer(1, 1), 0.7);
        assert_eq!([heard.asks(0, 1), heard.asks(1, 0)], [1.0, 1.0], "there is nothing else to ask about");
        assert_eq!(heard.leaning(1), [0.0, 0.0]);
    }
}
