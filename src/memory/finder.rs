//! How collective entries near a query are found.
//!
//! A snapshot of moderate size is scanned as a whole: every entry's cosine in fixed point, and its matched words from
//! postings. A larger one has candidates from two indexes: tantivy for the rarest words of the query, and usearch over
//! cells of similar entries, the nearest of which are scanned.
//!
//! Invariant: what is found is a function of the query and the entries alone, and only a candidate: its exact likeness is
//! computed by whoever reads it.

mod text;
mod vector;

use std::collections::HashMap;

use self::text::TextIndex;
use self::vector::VectorIndex;
use super::column::{Sink, Slab, Source};
use super::community::k_means;
use super::embed::Forbidden;
use super::entry::{Entries, Entry, EntryQuery};
use super::fixed::{self, Rows};
use super::lexical::TermId;
use super::local::Probe;
use super::population::{Population, UserIx};

/// Entries scanned in the cells nearest to a query.
const SCANNED: usize = 1024;
/// Cells that may be needed for them.
const CELLS: usize = 32;
/// Entries taken from the scan of cells.
const BY_VECTOR: usize = 256;
/// Words of a query that the text index is asked for: frequent ones cost most and tell least.
const RAREST: usize = 8;
/// Seed of the cells.
const SEED: u64 = 0xce11;

/// Why the indexes over entries failed. What they are made of was verified, so this is a defect or memory exhaustion.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The text index.
    #[error("the text index over collective entries failed: {0}; reopen the dataset, and report this if it repeats")]
    Text(#[from] tantivy::TantivyError),
    /// Vectors that may not answer this.
    #[error(transparent)]
    Vectors(#[from] Forbidden),
    /// The vector index.
    #[error("the vector index over collective entries failed: {0}; reopen the dataset, and report this if it repeats")]
    Vector(String),
}

/// An entry that was looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Which.
    pub number: u32,
    /// Approximate cosine, see [`fixed::cosine`]; −1 for a query that has no vector.
    pub cosine: f32,
    /// idf sum of the query's words that may be matched in it.
    pub mass: f64,
}

/// A question as entries are looked for with it.
#[derive(Clone, Copy)]
pub struct Looking<'a> {
    /// The text.
    pub probe: &'a Probe,
    /// Its words.
    pub query: &'a EntryQuery,
    /// Who asks.
    pub asking: Option<UserIx>,
    /// The entries that hold something of theirs, ascending: words may be matched there with fewer users.
    pub own: &'a [usize],
    /// Fewest people behind a word.
    pub guard: usize,
}

/// Finds entries.
pub struct Finder(Kind);

enum Kind {
    Whole { rows: Rows, holders: HashMap<TermId, Vec<u32>> },
    Indexed(Box<Indexed>),
}

impl Default for Finder {
    /// Finds none.
    fn default() -> Self {
        Self(Kind::Whole { rows: Rows::default(), holders: HashMap::new() })
    }
}

/// Many entries.
struct Indexed {
    text: TextIndex,
    /// Over the cells' centroids.
    nearest: VectorIndex,
    cells: Cells,
}

/// Entries by cell of similar ones, and how many hold each word.
struct Cells {
    /// Entries that hold each word.
    frequencies: Slab<u32>,
    /// Of the cells.
    centroids: Slab<f32>,
    /// Ends of the cells in `order`.
    ends: Slab<u32>,
    /// Entries by cell.
    order: Slab<u32>,
    /// Where each entry stands in that order.
    places: Slab<u32>,
    /// Their vectors, in that order.
    rows: fixed::Rows<Slab<i16>>,
}

impl Finder {
    /// Makes `entries` findable; up to `scanned` of them by comparing all.
    pub fn over(population: &Population, entries: &Entries, scanned: usize) -> Result<Self, IndexError> {
        if entries.len() > scanned {
            let cells = Cells::of(population, entries);
            let nearest = VectorIndex::build(&cells.centroids, population.dimensions())?;
            return Ok(Self::indexed(TextIndex::build(population, entries)?, nearest, cells));
        }
        let mut holders: HashMap<TermId, Vec<u32>> = HashMap::new();
        for (number, entry) in entries.iter().enumerate() {
            entry.words().iter().for_each(|word| holders.entry(*word).or_default().push(number as u32));
        }
        let rows = Rows::of(population.dimensions(), entries.iter().map(Entry::centroid));
        Ok(Self(Kind::Whole { rows, holders }))
    }

    fn indexed(text: TextIndex, nearest: VectorIndex, cells: Cells) -> Self {
        Self(Kind::Indexed(Box::new(Indexed { text, nearest, cells })))
    }

    /// Writes what takes long to find or to make.
    pub(super) fn write<S: Sink<Error: From<IndexError>>>(&self, sink: &mut S) -> Result<(), S::Error> {
        match &self.0 {
            Kind::Whole { .. } => Ok(()),
            Kind::Indexed(indexed) => {
                indexed.cells.write(sink)?;
                indexed.text.write(sink)?;
                indexed.nearest.write(sink)
            }
        }
    }

    /// Makes `entries` findable with what was written when up to as many were `scanned`.
    pub(super) fn read_from<S: Source<Error: From<IndexError>>>(
        source: &S,
        population: &Population,
        entries: &Entries,
        scanned: usize,
    ) -> Result<Self, S::Error> {
        if entries.len() <= scanned {
            return Ok(Self::over(population, entries, scanned)?);
        }
        let cells = Cells::read(source, population.dimensions())?;
        let nearest = VectorIndex::read(source, cells.ends.len(), population.dimensions())?;
        Ok(Self::indexed(TextIndex::read(source)?, nearest, cells))
    }

    /// Entries worth comparing with a question, ascending.
    pub fn look(&self, population: &Population, entries: &Entries, looking: Looking) -> Result<Vec<Found>, IndexError> {
        let Looking { probe, query, asking, own, guard } = looking;
        match &self.0 {
            Kind::Whole { rows, holders } => {
                let mut found: Vec<Found> = match has_vector(probe) {
                    true => {
                        let mut cosines = Vec::with_capacity(entries.len());
                        rows.cosines(&fixed::fixed(&probe.vector), &mut cosines);
                        cosines.into_iter().enumerate().map(found).collect()
                    }
                    false => (0..entries.len()).map(|number| found((number, -1.0))).collect(),
                };
                for (term, idf) in &query.words {
                    let held = holders.get(term).map_or(&[][..], Vec::as_slice);
                    held.iter().for_each(|number| found[*number as usize].mass += idf);
                }
                own.iter().for_each(|number| found[*number].mass = query.mass(entries.get(*number), asking, guard));
                Ok(found)
            }
            Kind::Indexed(indexed) => {
                let mut found = indexed.near(population, probe, query)?;
                for found in &mut found {
                    let number = found.number as usize;
                    found.mass = match own.binary_search(&number) {
                        Ok(_) => query.mass(entries.get(number), asking, guard),
                        Err(_) => query.mass_of(entries.get(number).terms()),
                    };
                }
                Ok(found)
            }
        }
    }
}

fn found((number, cosine): (usize, f32)) -> Found {
    Found { number: number as u32, cosine, mass: 0.0 }
}

fn has_vector(probe: &Probe) -> bool {
    probe.vector.iter().any(|x| *x != 0.0)
}

impl Cells {
    fn of(population: &Population, entries: &Entries) -> Self {
        let mut frequencies = vec![0; population.lexicon.len()];
        entries.iter().flat_map(Entry::terms).for_each(|term| frequencies[*term as usize] += 1);
        let points: Vec<&[f32]> = entries.iter().map(Entry::centroid).collect();
        let clusters = k_means(&points, Vec::new(), points.len().isqrt().max(1), SEED);
        let mut order: Vec<u32> = (0..entries.len() as u32).collect();
        order.sort_by_key(|number| clusters.of[*number as usize]);
        let end = |cell| order.partition_point(|number| clusters.of[*number as usize] <= cell) as u32;
        let ends: Vec<u32> = (0..clusters.centroids.len()).map(end).collect();
        let mut places = vec![0; order.len()];
        (0..).zip(&order).for_each(|(place, number)| places[*number as usize] = place);
        let rows = Rows::of(population.dimensions(), order.iter().map(|number| points[*number as usize]));
        Self {
            frequencies: frequencies.into(),
            centroids: clusters.centroids.concat().into(),
            ends: ends.into(),
            order: order.into(),
            places: places.into(),
            rows: Rows::over(population.dimensions(), rows.into_cells().into()),
        }
    }

    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.column("frequencies", &self.frequencies)?;
        sink.column("cell-centroids", &self.centroids)?;
        sink.column("cell-ends", &self.ends)?;
        sink.column("cell-order", &self.order)?;
        sink.column("cell-places", &self.places)?;
        sink.column("cell-rows", self.rows.cells())
    }

    fn read<S: Source>(source: &S, dimensions: usize) -> Result<Self, S::Error> {
        Ok(Self {
            frequencies: source.column("frequencies")?,
            centroids: source.column("cell-centroids")?,
            ends: source.column("cell-ends")?,
            order: source.column("cell-order")?,
            places: source.column("cell-places")?,
            rows: Rows::over(dimensions, source.column("cell-rows")?),
        })
    }

    /// How many entries hold a word; `None` where none does.
    fn frequency(&self, term: TermId) -> Option<u32> {
        self.frequencies.get(term as usize).copied().filter(|count| *count > 0)
    }
}

impl Indexed {
    fn near(&self, population: &Population, probe: &Probe, query: &EntryQuery) -> Result<Vec<Found>, IndexError> {
        let mut near = if has_vector(probe) { self.scan(probe)? } else { Vec::new() };
        let mut rare: Vec<(u32, TermId)> =
            query.words.iter().filter_map(|(term, _)| Some((self.cells.frequency(*term)?, *term))).collect();
        rare.sort_unstable();
        rare.truncate(RAREST);
        let vector = has_vector(probe).then(|| fixed::fixed(&probe.vector));
        let cosine = |number: usize| {
            vector.as_ref().map_or(-1.0, |vector| {
                let place = self.cells.places[number] as usize;
                fixed::cosine(vector, self.cells.rows.row(place))
            })
        };
        let by_words = self.text.search(population, rare.into_iter().map(|(_, term)| term))?;
        near.extend(by_words.into_iter().map(|number| found((number, cosine(number)))));
        near.sort_by_key(|found| found.number);
        near.dedup_by_key(|found| found.number);
        Ok(near)
    }

    /// The nearest entries of the nearest cells.
    fn scan(&self, probe: &Probe) -> Result<Vec<Found>, IndexError> {
        let Cells { ends, order, rows, .. } = &self.cells;
        let nearest = self.nearest.nearest(&probe.vector, CELLS.min(ends.len()))?;
        let vector = fixed::fixed(&probe.vector);
        let (mut scanned, mut cosines): (Vec<u32>, _) =
            (Vec::with_capacity(2 * SCANNED), Vec::with_capacity(2 * SCANNED));
        for cell in nearest {
            let cell = cell as usize;
            let start = if cell == 0 { 0 } else { ends[cell - 1] };
            let places = start as usize..ends[cell] as usize;
            rows.cosines_at(&vector, places.clone(), &mut cosines);
            scanned.extend(&order[places]);
            if scanned.len() >= SCANNED {
                break;
            }
        }
        let mut ordered = cosines.clone();
        let least = match ordered.len() {
            ..=BY_VECTOR => f32::NEG_INFINITY,
            _ => *ordered.select_nth_unstable_by(BY_VECTOR - 1, |a, b| b.total_cmp(a)).1,
        };
        let near = scanned.into_iter().zip(cosines).filter(|(_, cosine)| *cosine >= least);
        Ok(near.map(|(number, cosine)| found((number as usize, cosine))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::text::BY_WORDS;
    use super::*;
    use crate::data::synth::{Parameters, population};
    use crate::memory::Memory;

    /// Through the indexes, the nearest entries by vector and by rare words are found as a scan of all finds them.
    #[test]
    fn both_ways_find_the_nearest() {
        let (dataset, _) = population(&Parameters { seed: 9001, users: 100, ..Parameters::default() });
        let memory = Memory::build(&dataset);
        let snapshot = memory.snapshot_at(dataset.end()).unwrap().unwrap();
        let (population, entries) = (&memory.population, &snapshot.entries);
        let whole = Finder::over(population, entries, usize::MAX).unwrap();
        let indexed = Finder::over(population, entries, 0).unwrap();
        assert!(matches!(whole.0, Kind::Whole { .. }) && matches!(indexed.0, Kind::Indexed(_)));
        for asked in dataset.interactions.iter().rev().step_by(40).take(30) {
            let mut probe = memory.probe(&asked.query);
            let asking = population.user_ix(&asked.user);
            let own = snapshot.entries.of_user(population, asking);
            let query = EntryQuery::new(entries, &probe);
            let look = |finder: &Finder, probe: &Probe| {
                let looking = Looking { probe, query: &query, asking, own: &own, guard: 5 };
                finder.look(population, entries, looking).unwrap()
            };
            let (all, some) = (look(&whole, &probe), look(&indexed, &probe));
            assert_eq!(all.len(), entries.len());
            assert!(some.is_sorted_by(|a, b| a.number < b.number));
            assert_eq!(some, look(&indexed, &probe), "the same question finds the same");
            for found in &some {
                let exact = &all[found.number as usize];
                assert_eq!(found.mass, exact.mass);
                assert_eq!(found.cosine, exact.cosine);
            }
            let mut nearest = all.clone();
            nearest.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
            let has = |number: u32| some.binary_search_by_key(&number, |found| found.number).is_ok();
            assert!(nearest[..20].iter().all(|found| has(found.number)));

            probe.vector.fill(0.0);
            let by_words = look(&indexed, &probe);
            assert!(!by_words.is_empty() && by_words.len() <= BY_WORDS);
            assert!(look(&whole, &probe).iter().all(|found| found.cosine == -1.0));
        }
    }
}
