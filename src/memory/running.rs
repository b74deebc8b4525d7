//! Running sums by label along postings in time order: what lies before a moment is the sum at the last mark and the
//! few postings behind it.
//!
//! Invariant: a sum depends on the postings before the moment only, and is bit for bit what adding them one by one from
//! 0 gives, so that marks made of later ones change nothing.

use super::community::CommunityIx;
use super::features::count_before;
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
    /// Of each community.
    communities: Vec<(Vec<Posting>, Marks)>,
}

impl Running {
    /// Marks `postings`, ascending by item, whose items belong to `communities` by `group`.
    pub fn of(
        population: &Population,
        postings: &[Posting],
        communities: usize,
        group: impl Fn(ItemIx) -> Option<CommunityIx>,
        mass: impl Fn(&Posting) -> f64,
    ) -> Self {
        let everyone = Marks::of(population, postings, &mass);
        let mut grouped: Vec<Vec<Posting>> = vec![Vec::new(); communities];
        for posting in postings {
            group(posting.0 as ItemIx).into_iter().for_each(|community| grouped[community].push(*posting));
        }
        let marked = |postings: Vec<Posting>| {
            let marks = Marks::of(population, &postings, &mass);
            (postings, marks)
        };
        Self { everyone, communities: grouped.into_iter().map(marked).collect() }
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
        let (postings, marks) = &self.communities[community];
        marks.read(population, &postings[..count_before(postings, before)], mass, sums);
    }
}
