//! Running sums by label along postings in time order: what lies before a moment is the sum at the last mark and the
//! few postings behind it.
//!
//! Invariant: a sum depends on the postings before the moment only, and is bit for bit what adding them one by one from
//! 0 gives, so that marks made of later ones change nothing, nor does whether a posting was there from the start.

use std::collections::HashMap;

use super::column::{Lists, Plain, Sink, Slab, Source};
use super::community::CommunityIx;
use super::population::ItemIx;

/// What an item adds to the sum of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Posting {
    /// How much.
    pub mass: f64,
    /// Which.
    pub item: u32,
    /// Community · K + label; the number of communities stands for an item of no community.
    pub cell: u32,
}

/// Postings between two marks.
pub const STRIDE: usize = 64;
/// In place of the communities' lists where a list is too short for marks.
const SHORT: u32 = u32::MAX;

/// How many of `postings`, ascending by item, are of items before `before`. Most questions are asked near the end of
/// what is known, so the search goes back from there, in growing steps.
pub fn count_before(postings: &[Posting], before: ItemIx) -> usize {
    let is_before = |posting: &Posting| (posting.item as ItemIx) < before;
    let (mut start, mut end, mut step) = (postings.len(), postings.len(), 1);
    while start > 0 && !is_before(&postings[start - 1]) {
        end = start - 1;
        start = start.saturating_sub(step);
        step *= 2;
    }
    start + postings[start..end].partition_point(is_before)
}

/// For whom sums are wanted: for everyone, and for some communities apart.
pub struct Lanes<'a> {
    labels: usize,
    communities: &'a [CommunityIx],
    /// Where a posting of each cell is added: to everyone's sum and to its community's, or to what nobody reads.
    places: Vec<(u32, u32)>,
}

impl<'a> Lanes<'a> {
    /// Lanes of `labels` sums each: everyone's and those of the communities `wanted` out of `all`.
    pub fn new(labels: usize, all: usize, wanted: &'a [CommunityIx]) -> Self {
        let nowhere = ((1 + wanted.len()) * labels) as u32;
        let mut places: Vec<(u32, u32)> =
            (0..(all + 1) * labels).map(|cell| ((cell % labels) as u32, nowhere)).collect();
        for (lane, community) in wanted.iter().enumerate() {
            let own = &mut places[community * labels..(community + 1) * labels];
            own.iter_mut().enumerate().for_each(|(y, place)| place.1 = ((1 + lane) * labels + y) as u32);
        }
        Self { labels, communities: wanted, places }
    }

    /// Numbers in all lanes.
    pub fn width(&self) -> usize {
        (1 + self.communities.len()) * self.labels
    }

    /// Sums for [`Running::read`], and a place behind them for what belongs to none.
    pub fn sums(&self) -> Vec<f64> {
        vec![0.0; self.width() + 1]
    }

    /// Adds a posting to every sum that it belongs to, see [`Self::sums`].
    #[inline]
    pub fn add(&self, posting: &Posting, sums: &mut [f64]) {
        let (everyone, own) = self.places[posting.cell as usize];
        sums[everyone as usize] += posting.mass;
        sums[own as usize] += posting.mass;
    }
}

/// Lists of postings with marks: for everyone, and where they are long for each community apart.
#[derive(Default)]
pub struct Running {
    labels: usize,
    communities: usize,
    lists: Lists<Posting>,
    /// Of each list its number among the long ones, or [`SHORT`].
    long: Slab<u32>,
    /// The postings of each community of each long list.
    apart: Lists<Posting>,
    /// Sums by label after every [`STRIDE`] postings: of each long list everyone's, then each community's.
    marks: Lists<f64>,
    /// Postings that were added since, by list.
    added: HashMap<usize, Vec<Posting>>,
}

/// Lists as they grow.
#[derive(Default)]
struct Growing<T: Plain> {
    ends: Vec<usize>,
    values: Vec<T>,
}

impl<T: Plain> Growing<T> {
    fn end(&mut self) {
        self.ends.push(self.values.len());
    }

    fn whole(self) -> Lists<T> {
        Lists::new(self.ends.into(), self.values.into())
    }
}

impl Running {
    /// Marks the `count` lists of the postings that `each` goes through, `(list, posting)` ascending by item.
    pub fn of(count: usize, labels: usize, communities: usize, each: impl Fn(&mut dyn FnMut(usize, Posting))) -> Self {
        let mut ends = vec![0usize; count];
        each(&mut |list, _| ends[list] += 1);
        let mut end = 0;
        for place in &mut ends {
            let start = end;
            end += *place;
            *place = start;
        }
        let mut postings = vec![Posting::default(); end];
        each(&mut |list, posting| {
            postings[ends[list]] = posting;
            ends[list] += 1;
        });
        let lists = Lists::new(ends.into(), postings.into());
        let mut long = Vec::with_capacity(count);
        let (mut apart, mut marks) = (Growing::<Posting>::default(), Growing::<f64>::default());
        let mut grouped: Vec<Vec<Posting>> = vec![Vec::new(); communities];
        let mut next = 0;
        for list in lists.iter() {
            if list.len() <= STRIDE {
                long.push(SHORT);
                continue;
            }
            long.push(next);
            next += 1;
            mark(labels, list, &mut marks);
            for posting in list {
                let group = grouped.get_mut(posting.cell as usize / labels);
                group.into_iter().for_each(|group| group.push(*posting));
            }
            for group in &mut grouped {
                mark(labels, group, &mut marks);
                apart.values.append(group);
                apart.end();
            }
        }
        let (apart, marks) = (apart.whole(), marks.whole());
        Self { labels, communities, lists, long: long.into(), apart, marks, added: HashMap::new() }
    }

    /// Adds a posting that follows all others.
    pub fn push(&mut self, list: usize, posting: Posting) {
        self.added.entry(list).or_default().push(posting);
    }

    /// Writes what was there from the start.
    pub fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.lists("late", self.lists.base())?;
        sink.column("late-long", &self.long)?;
        sink.lists("late-apart", self.apart.base())?;
        sink.lists("late-marks", self.marks.base())
    }

    /// Lists as they were written.
    pub fn read_from<S: Source>(source: &S, labels: usize, communities: usize) -> Result<Self, S::Error> {
        Ok(Self {
            labels,
            communities,
            lists: source.lists("late")?,
            long: source.column("late-long")?,
            apart: source.lists("late-apart")?,
            marks: source.lists("late-marks")?,
            added: HashMap::new(),
        })
    }

    /// Sums the postings of `list` of items before `before` into `sums`, see [`Lanes::sums`].
    pub fn read(&self, list: usize, before: ItemIx, lanes: &Lanes, sums: &mut [f64]) {
        sums.fill(0.0);
        let labels = self.labels;
        if list < self.lists.len() {
            let postings = &self.lists[list];
            match self.long[list] {
                SHORT => postings[..count_before(postings, before)].iter().for_each(|p| lanes.add(p, sums)),
                long => {
                    let (own, marks) = (long as usize * self.communities, long as usize * (self.communities + 1));
                    let everyone = &mut sums[..labels];
                    self.marked(marks, &postings[..count_before(postings, before)], everyone);
                    for (lane, community) in lanes.communities.iter().enumerate() {
                        let theirs = &self.apart[own + community];
                        let lane = &mut sums[(1 + lane) * labels..(2 + lane) * labels];
                        self.marked(marks + 1 + community, &theirs[..count_before(theirs, before)], lane);
                    }
                }
            }
        }
        let added = self.added.get(&list).map_or(&[][..], Vec::as_slice);
        added[..count_before(added, before)].iter().for_each(|posting| lanes.add(posting, sums));
    }

    /// Sums `postings`, the first ones of those that have the marks `marks`.
    fn marked(&self, marks: usize, postings: &[Posting], sums: &mut [f64]) {
        let (marks, labels, marked) = (&self.marks[marks], self.labels, postings.len() / STRIDE);
        if let Some(last) = marked.checked_sub(1) {
            sums.copy_from_slice(&marks[last * labels..marked * labels]);
        }
        postings[marked * STRIDE..].iter().for_each(|posting| sums[posting.cell as usize % labels] += posting.mass);
    }
}

fn mark(labels: usize, postings: &[Posting], marks: &mut Growing<f64>) {
    let mut sums = vec![0.0; labels];
    for some in postings.chunks_exact(STRIDE) {
        some.iter().for_each(|posting| sums[posting.cell as usize % labels] += posting.mass);
        marks.values.extend_from_slice(&sums);
    }
    marks.end();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn postings(items: impl Iterator<Item = u32>) -> Vec<Posting> {
        items.map(|item| Posting { mass: f64::from(item).sin(), item, cell: item * 7 % 12 }).collect()
    }

    #[test]
    fn counting_from_the_end_counts() {
        let all = postings((0..100).map(|place| 3 * place));
        for length in [0, 1, 2, 37, 100] {
            for before in 0..310 {
                let expected = all[..length].iter().filter(|posting| (posting.item as usize) < before).count();
                assert_eq!(count_before(&all[..length], before), expected, "{length} {before}");
            }
        }
    }

    proptest! {
        /// Bit for bit what adding one by one gives, wherever postings came to be added.
        #[test]
        fn sums_are_sums(sizes in proptest::collection::vec(0..300u32, 1..4), from in 0..300u32, before in 0..320usize) {
            let (labels, communities, wanted) = (3, 3, [2, 0]);
            let all: Vec<Vec<Posting>> = sizes.iter().map(|size| postings(0..*size)).collect();
            let mut running = Running::of(all.len(), labels, communities, |take| {
                for item in 0..from {
                    for (list, postings) in all.iter().enumerate() {
                        postings.get(item as usize).into_iter().for_each(|posting| take(list, *posting));
                    }
                }
            });
            for (list, postings) in all.iter().enumerate() {
                postings.iter().filter(|p| p.item >= from).for_each(|posting| running.push(list, *posting));
            }
            let lanes = Lanes::new(labels, communities, &wanted);
            let mut sums = lanes.sums();
            for (list, postings) in all.iter().enumerate() {
                running.read(list, before, &lanes, &mut sums);
                let mut expected = vec![0.0; lanes.width()];
                for posting in postings.iter().filter(|p| (p.item as usize) < before) {
                    let (community, y) = (posting.cell as usize / labels, posting.cell as usize % labels);
                    expected[y] += posting.mass;
                    if let Some(lane) = wanted.iter().position(|wanted| *wanted == community) {
                        expected[(1 + lane) * labels + y] += posting.mass;
                    }
                }
                prop_assert_eq!(&sums[..lanes.width()], &expected[..]);
            }
        }
    }
}
