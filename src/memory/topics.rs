//! What texts are about, coarsely: a text's topic is the nearest of some centroids of text vectors.
//!
//! What somebody answers tells who they are like only beside what they were asked: of a story of the sea most people say
//! *sea*. So communities are told apart, and told from answers, topic by topic.
//!
//! Centroids are found once, by seeded spherical k-means, at the end of the first period before which there is enough to
//! tell topics apart by, and stay. Until then everything is one topic. Invariant: an item's topic depends on its text and
//! on what lay before that end, never on anything later.

use super::column::{Column, Sink, Source};
use super::community::{k_means, nearest};
use super::entry::on_all_cores;
use super::fixed::{self, Rows};
use super::population::{ItemIx, Population};

/// Items that are wanted for each topic before topics are told apart.
const WORTH: usize = 16;
/// Items that centroids are found from at most, evenly over time.
const SAMPLE: usize = 4096;
/// Items whose topics a core finds at a time.
const SHARE: usize = 4096;

/// The column of every item's topic, which only those have that tell topics apart.
pub(super) const COLUMN: &str = "topics";

/// Number of a topic.
pub type TopicIx = usize;

/// The topic of every item, from a moment on.
pub struct Topics {
    /// How many items lay before that moment.
    since: ItemIx,
    centroids: Vec<Vec<f32>>,
    of: Column<u8>,
}

impl Topics {
    /// How many items must lie before a period's end for `count` topics.
    pub fn enough(count: usize) -> usize {
        WORTH * count
    }

    /// At most `count` topics, 256 at most, told apart by what the first `since` items are about.
    pub fn told_apart(population: &Population, since: ItemIx, count: usize, seed: u64) -> Self {
        let every = since.div_ceil(SAMPLE).max(1);
        let items: Vec<ItemIx> = (0..since).step_by(every).collect();
        let vectors = population.vectors_of(&items);
        let points: Vec<&[f32]> = vectors.chunks_exact(population.dimensions()).collect();
        let centroids = k_means(&points, Vec::new(), count.min(points.len()), seed).centroids;
        let mut topics = Self { since, centroids, of: Column::default() };
        topics.extend(population);
        topics.of.settle();
        topics
    }

    /// Finds the topics of items that have come since.
    pub fn extend(&mut self, population: &Population) {
        let (known, all) = (self.of.len(), population.len());
        let coarse = Rows::of(population.dimensions(), self.centroids.iter().map(Vec::as_slice));
        let share = |number: usize| {
            let start = known + number * SHARE;
            let items: Vec<ItemIx> = (start..(start + SHARE).min(all)).collect();
            let vectors = population.vectors_of(&items);
            vectors.chunks_exact(population.dimensions()).map(|vector| self.nearest(&coarse, vector)).collect()
        };
        let found: Vec<Vec<u8>> = on_all_cores((all - known).div_ceil(SHARE), share);
        found.into_iter().flatten().for_each(|topic| self.of.push(topic));
    }

    fn nearest(&self, coarse: &Rows, vector: &[f32]) -> u8 {
        let mut about = Vec::with_capacity(self.centroids.len());
        coarse.cosines(&fixed::fixed(vector), &mut about);
        let top = about.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        nearest(vector, &self.centroids, &about, top - 2.0 * fixed::error(vector.len())) as u8
    }

    /// These as a period knows them before whose end `before` items lie: not where they are found from more.
    pub fn known_by(&self, before: ItemIx) -> Option<&Self> {
        (self.since <= before).then_some(self)
    }

    /// How many items the centroids were found from, or passed over.
    pub fn since(&self) -> ItemIx {
        self.since
    }

    /// How many topics there are.
    pub fn count(&self) -> usize {
        self.centroids.len()
    }

    /// What an item is about.
    pub fn of(&self, item: ItemIx) -> TopicIx {
        usize::from(self.of[item])
    }

    /// What a text of this vector is about.
    pub fn about(&self, vector: &[f32]) -> TopicIx {
        // None is ruled out beforehand.
        nearest(vector, &self.centroids, &vec![0.0; self.centroids.len()], -1.0)
    }

    /// Writes them as they are.
    pub(super) fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.column("topics-since", &[self.since])?;
        sink.column("topics-centroids", &self.centroids.concat())?;
        sink.column(COLUMN, self.of.base())
    }

    /// Topics as they were written, of vectors this wide.
    pub(super) fn read_from<S: Source>(source: &S, width: usize) -> Result<Self, S::Error> {
        let since = source.column::<usize>("topics-since")?;
        let centroids = source.column::<f32>("topics-centroids")?.chunks_exact(width).map(<[f32]>::to_vec).collect();
        Ok(Self { since: since.first().copied().unwrap_or(0), centroids, of: source.column(COLUMN)?.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Dataset;
    use crate::data::synth::{Parameters, population};
    use crate::memory::Memory;

    #[test]
    fn films_of_one_theme_are_mostly_of_one_topic() {
        let (dataset, truth) = population(&Parameters { users: 60, ..Parameters::default() });
        let memory = Memory::build(&dataset);
        let topics = Topics::told_apart(&memory.population, dataset.interactions.len() / 2, 32, 5);
        let mut shared = std::collections::HashMap::<(usize, &str), usize>::new();
        for (item, interaction) in dataset.interactions.iter().enumerate() {
            let film: usize = interaction.item.as_deref().unwrap()[1..].parse().unwrap();
            *shared.entry((topics.of(item), truth.film_themes[film])).or_default() += 1;
        }
        let most = |topic: usize| shared.iter().filter(|((of, _), _)| *of == topic).map(|(_, n)| *n).max().unwrap_or(0);
        let right: usize = (0..topics.count()).map(most).sum();
        assert!(right * 10 > dataset.interactions.len() * 8, "{right} of {}", dataset.interactions.len());
    }

    #[test]
    fn a_topic_knows_nothing_later() {
        let (dataset, _) = population(&Parameters { users: 30, ..Parameters::default() });
        let (since, all) = (300, dataset.interactions.len());
        let past = Dataset { interactions: dataset.interactions[..since].to_vec(), ..dataset.clone() };
        let (whole, past) = (Memory::build(&dataset).population, Memory::build(&past).population);
        let mut early = Topics::told_apart(&past, since, 8, 1);
        let late = Topics::told_apart(&whole, since, 8, 1);
        early.extend(&whole);
        assert_eq!(early.of.len(), all);
        assert!((0..all).all(|item| early.of(item) == late.of(item)));
        assert!(late.known_by(since - 1).is_none() && late.known_by(since).is_some());
    }
}
