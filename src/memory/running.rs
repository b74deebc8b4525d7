//! Running sums by label along postings in time order: what lies before a moment is the sum at the last mark and the
//! few postings behind it.
//!
//! Invariant: a sum depends on the postings before the moment only, and is bit for bit what adding them one by one from
//! 0 gives, so that marks made of later ones change nothing.

use super::community::CommunityIx;
use super::population::{ItemIx, Population};

/// An item that holds a feature, with its tf.
pub type Posting = (u32, f32);

/// Postings between two marks.
pub const STRIDE: usize = 64;

/// Adds the masses of `postings` to `sums` by label.
pub fn add<'p>(
    population: &Population,
    postings: impl Iterator<Item = &'p Posting>,
    mass: impl Fn(&Posting) -> f64,
    sums: &mut [f64],
) {
    postings.for_each(|posting| sums[population.label[posting.0 as ItemIx]] += mass(posting));
}

/// The marks of one list of postings: its sums after every [`STRIDE`] of them.
pub struct Marks(Vec<f64>);

impl Marks {
    fn of(population: &Population, postings: &[Posting], mass: impl Fn(&Posting) -> f64) -> Self {
        let mut sums = vec![0.0; population.labels.len()];
        let mut marks = Vec::with_capacity(postings.len() / STRIDE * sums.len());
        for some in postings.chunks_exact(STRIDE) {
            add(population, some.iter(), &mass, &mut sums);
            marks.extend_from_slice(&sums);
        }
        Self(marks)
    }

    /// Sums `postings`, the first ones of those that were marked.
    pub fn read(
        &self,
        population: &Population,
        postings: &[Posting],
        mass: impl Fn(&Posting) -> f64,
        sums: &mut [f64],
    ) {
        let marked = postings.len() / STRIDE;
        match marked {
            0 => sums.fill(0.0),
            _ => sums.copy_from_slice(&self.0[(marked - 1) * sums.len()..marked * sums.len()]),
        }
        add(population, postings[marked * STRIDE..].iter(), mass, sums);
    }
}

/// A list of postings with marks, for everyone and for each community apart.
pub struct Running {
    /// Of everyone.
    pub everyone: Marks,
    /// Ascending.
    communities: Vec<(CommunityIx, Vec<Posting>, Marks)>,
}

impl Running {
    /// Marks `postings`, ascending by item, whose items belong to communities by `group`.
    pub fn of(
        population: &Population,
        postings: &[Posting],
        group: impl Fn(ItemIx) -> Option<CommunityIx>,
        mass: impl Fn(&Posting) -> f64,
    ) -> Self {
        let everyone = Marks::of(population, postings, &mass);
        let mut grouped: Vec<(CommunityIx, Posting)> =
            postings.iter().filter_map(|posting| Some((group(posting.0 as ItemIx)?, *posting))).collect();
        // Stable: postings stay in time order.
        grouped.sort_by_key(|(community, _)| *community);
        let communities = grouped.chunk_by(|a, b| a.0 == b.0).map(|some| {
            let postings: Vec<Posting> = some.iter().map(|(_, posting)| *posting).collect();
            let marks = Marks::of(population, &postings, &mass);
            (some[0].0, postings, marks)
        });
        Self { everyone, communities: communities.collect() }
    }

    /// Sums a community's postings of items before `before`.
    pub fn read(
        &self,
        population: &Population,
        community: CommunityIx,
        before: ItemIx,
        mass: impl Fn(&Posting) -> f64,
        sums: &mut [f64],
    ) {
        match self.communities.binary_search_by_key(&community, |(community, ..)| *community) {
            Ok(at) => {
                let (_, postings, marks) = &self.communities[at];
                let count = postings.partition_point(|(item, _)| (*item as ItemIx) < before);
                marks.read(population, &postings[..count], mass, sums);
            }
            Err(_) => sums.fill(0.0),
        }
    }
}
