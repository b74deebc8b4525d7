//! What communities answer, topic by topic, and how they lean from what everyone answers to the same.
//!
//! Counts are decayed responses of a community's members; without topics there is one, and a habit is a distribution of
//! responses. Invariant: what [`Heard`] tells is judged without the asking person, whose items are subtracted first.

use super::community::{Communities, CommunityIx};
use super::population::{ItemIx, LabelIx, Population};
use super::topics::{TopicIx, Topics};

/// Pseudo-counts of everyone's answers to a topic in a community's.
const HABIT_MASS: f64 = 5.0;
/// Pseudo-counts of the base rate in everyone's answers to a topic.
const COMMON_MASS: f64 = 3.0;
/// Pseudo-counts on either side of a leaning.
const LEANING_MASS: f64 = 5.0;

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
        for (item, weight) in items {
            if let Some(community) = communities.of[population.user[item]] {
                counts[community][cell(population, topics, item)] += weight;
            }
        }
        Self::from_counts(counts.concat(), communities.count, labels)
    }

    /// As they were written: see [`Self::counts`].
    pub fn from_counts(counts: Vec<f64>, communities: usize, labels: usize) -> Self {
        let cells = counts.len() / communities.max(1);
        let mut all = vec![0.0; cells];
        for of in counts.chunks_exact(cells.max(1)) {
            all.iter_mut().zip(of).for_each(|(sum, count)| *sum += count);
        }
        let of = counts.chunks_exact(cells.max(1)).map(|of| Counts::new(of.to_vec(), labels)).collect();
        Self { labels, of, all }
    }

    /// Counts by cell, community after community.
    pub fn counts(&self) -> Vec<f64> {
        self.of.iter().flat_map(|counts| &counts.cells).copied().collect()
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
    pub fn besides(
        &self,
        base: &[f64],
        home: Option<CommunityIx>,
        own: impl Iterator<Item = (CellIx, f64)>,
    ) -> Heard<'_> {
        let mut all = self.all.clone();
        let home = home.map(|community| {
            let mut counts = self.of[community].cells.clone();
            for (cell, weight) in own {
                counts[cell] -= weight;
                all[cell] -= weight;
            }
            // Subtraction leaves rounding dust where the person was alone.
            counts.iter_mut().chain(&mut all).for_each(|count| *count = count.max(0.0));
            (community, Counts::new(counts, self.labels))
        });
        Heard { habits: self, home, common: common(&all, base) }
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

/// Habits without somebody.
pub struct Heard<'a> {
    habits: &'a Habits,
    home: Option<(CommunityIx, Counts)>,
    /// p(y|z) by cell.
    common: Vec<f64>,
}

impl Heard<'_> {
    fn counts(&self, community: CommunityIx) -> &Counts {
        match &self.home {
            Some((home, counts)) if *home == community => counts,
            _ => &self.habits.of[community],
        }
    }

    /// p_c(y|z) = (n_c(z,y) + m p(y|z)) / (n_c(z) + m), > 0.
    pub fn answer(&self, community: CommunityIx, cell: CellIx) -> f64 {
        let counts = self.counts(community);
        let topic: TopicIx = cell / self.habits.labels;
        (counts.cells[cell] + HABIT_MASS * self.common[cell]) / (counts.topics[topic] + HABIT_MASS)
    }

    /// E_S(y) = ln [(Σ_z n_c(z,y) + m) / (Σ_z n_c(z) p(y|z) + m)]: how much more often the community answers y than
    /// everyone does to the same topics. In nats; 0 of a community without responses.
    pub fn leaning(&self, community: CommunityIx) -> Vec<f64> {
        let labels = self.habits.labels;
        let mut given = vec![0.0; labels];
        let mut expected = vec![0.0; labels];
        let Counts { cells, topics } = self.counts(community);
        let answered = cells.chunks_exact(labels.max(1)).zip(topics);
        for ((counts, total), common) in answered.zip(self.common.chunks_exact(labels.max(1))) {
            given.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            expected.iter_mut().zip(common).for_each(|(sum, p)| *sum += total * p);
        }
        let leaning = |y: LabelIx| ((given[y] + LEANING_MASS) / (expected[y] + LEANING_MASS)).ln();
        (0..labels).map(leaning).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two communities, two topics, two responses; the first community answers the first topic with 0 and the second
    /// with 1, the second one the other way round.
    fn crossed() -> Habits {
        Habits::from_counts([[8.0, 0.0, 0.0, 8.0], [0.0, 8.0, 8.0, 0.0]].concat(), 2, 2)
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
        let habits = Habits::from_counts([[24.0, 8.0, 0.0, 4.0], [30.0, 2.0, 0.0, 32.0]].concat(), 2, 2);
        let heard = habits.besides(&[0.54, 0.46], None, std::iter::empty());
        let leaning = heard.leaning(0);
        assert!(leaning[1] > 0.1 && leaning[0] < 0.0, "{leaning:?}, though 0 is most of its answers");
        let (total, of) = (64.0 + COMMON_MASS, |count: f64, b: f64| count + COMMON_MASS * b);
        let expected = 32.0 * of(10.0, 0.46) / total + 4.0 * of(36.0, 0.46) / (36.0 + COMMON_MASS);
        assert!((leaning[1] - ((12.0 + 5.0) / (expected + 5.0)).ln()).abs() < 1e-12);
    }

    #[test]
    fn who_asks_is_subtracted_everywhere() {
        let with = Habits::from_counts([[9.0, 0.0, 1.0, 8.0], [0.0, 8.0, 8.0, 0.0]].concat(), 2, 2);
        let own = [(0, 1.0), (2, 1.0)];
        let (without, base) = (crossed(), [0.4, 0.6]);
        let (one, two) =
            (with.besides(&base, Some(0), own.into_iter()), without.besides(&base, None, std::iter::empty()));
        for community in 0..2 {
            assert!((0..4).all(|cell| (one.answer(community, cell) - two.answer(community, cell)).abs() < 1e-12));
            assert!(one.leaning(community).iter().zip(two.leaning(community)).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn of_one_topic_a_habit_is_shrunk_to_the_base_rate() {
        let habits = Habits::from_counts(vec![3.0, 1.0, 0.0, 0.0], 2, 2);
        let heard = habits.besides(&[0.3, 0.7], None, std::iter::empty());
        assert!((heard.answer(0, 0) - (3.0 + 5.0 * 0.3) / 9.0).abs() < 1e-12);
        assert_eq!(heard.answer(1, 1), 0.7);
        assert_eq!(heard.leaning(1), [0.0, 0.0]);
    }
}
