//! What became of a community from one period's end to the next: whether it split, took in another, or dissolved.
//!
//! Compared are *stayers*: people who belong somewhere at both ends. A *flow* is those of them who were in one community
//! and are now in one together; it is substantial with at least a third of the stayers of the community that it is told
//! of, and at least `guard` people. A community *splits* when two substantial flows or more lead out of it, the one that
//! stays among them, and *merges* when two or more lead into it. One alone that leads elsewhere is told as such.
//!
//! Invariants: the asking person is left out before anything is counted. No flow below the guard is told, and the number
//! of a flow's people only where nobody or at least `guard` are left on either side of it: sizes of communities are told,
//! so a rest could be subtracted. A function of two assignments, it is the same over a store as in RAM.

use std::collections::BTreeMap;
use std::fmt;

use super::community::CommunityIx;
use super::population::UserIx;

/// At least so much of a community's stayers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// A third.
    Third,
    /// Half.
    Half,
    /// Two thirds.
    TwoThirds,
}

impl Share {
    /// The greatest that `people` of `all` reach; `None` below a third.
    fn of(people: usize, all: usize) -> Option<Self> {
        match () {
            () if 3 * people >= 2 * all => Some(Share::TwoThirds),
            () if 2 * people >= all => Some(Share::Half),
            () if 3 * people >= all => Some(Share::Third),
            () => None,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Share::Third => "at least a third",
            Share::Half => "at least half",
            Share::TwoThirds => "at least two thirds",
        })
    }
}

/// People who were together before and are together now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where they went, or where they came from.
    pub other: CommunityIx,
    /// At least this much of the stayers of the community that is told of.
    pub share: Share,
    /// How many they are, where that gives away no smaller group.
    pub people: Option<usize>,
}

/// What became of a community. Flows are those of this community, the largest share first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Fewer than the guard belonged to it before, and enough do now.
    Formed {
        /// Fewest people of whom anything is told.
        guard: usize,
    },
    /// Enough belonged to it before, and fewer than the guard do now.
    Dissolved {
        /// Fewest people of whom anything is told.
        guard: usize,
    },
    /// It went apart: two flows or more, one of which may have stayed.
    Split(Vec<Flow>),
    /// A substantial part went elsewhere, and no other part is substantial.
    Went(Flow),
    /// It grew together: two flows or more, one of which may have been here.
    Merged(Vec<Flow>),
    /// A substantial part came from elsewhere, and no other part is substantial.
    Came(Flow),
}

impl Change {
    /// The change in words, told of `community`.
    pub fn told(&self, community: CommunityIx) -> String {
        let flow = |flow: &Flow, stayed: &str, moved: &str| {
            let how = if flow.other == community { stayed.to_owned() } else { format!("{moved} {}", flow.other) };
            let people = flow.people.map_or_else(String::new, |people| format!(" ({people} people)"));
            format!("{} {how}{people}", flow.share)
        };
        let out = |one: &Flow| flow(one, "stayed", "went to community");
        let into = |one: &Flow| flow(one, "were here before", "came from community");
        match self {
            Change::Formed { guard } => format!("formed: before, fewer than {guard} others belonged to it"),
            Change::Dissolved { guard } => format!("dissolved: fewer than {guard} others are left"),
            Change::Split(flows) => format!("split: {}", flows.iter().map(out).collect::<Vec<_>>().join(", ")),
            Change::Went(flow) => out(flow),
            Change::Merged(flows) => format!("merged: {}", flows.iter().map(into).collect::<Vec<_>>().join(", ")),
            Change::Came(flow) => into(flow),
        }
    }
}

/// How many stayers went from one community to another, themselves included.
#[derive(Default)]
struct Overlap {
    cells: BTreeMap<(CommunityIx, CommunityIx), usize>,
    from: BTreeMap<CommunityIx, usize>,
    to: BTreeMap<CommunityIx, usize>,
}

impl Overlap {
    fn of(pairs: impl Iterator<Item = (CommunityIx, CommunityIx)>) -> Self {
        let mut overlap = Self::default();
        for (from, to) in pairs {
            *overlap.cells.entry((from, to)).or_default() += 1;
            *overlap.from.entry(from).or_default() += 1;
            *overlap.to.entry(to).or_default() += 1;
        }
        overlap
    }

    /// Substantial flows out of `community`.
    fn leaving(&self, community: CommunityIx, guard: usize) -> Vec<Flow> {
        let cells = self.cells.iter().filter(|((from, _), _)| *from == community);
        let flows = cells.map(|((_, to), people)| (*to, *people, self.to[to]));
        substantial(flows, self.from.get(&community).copied().unwrap_or_default(), guard)
    }

    /// Substantial flows into `community`.
    fn joining(&self, community: CommunityIx, guard: usize) -> Vec<Flow> {
        let cells = self.cells.iter().filter(|((_, to), _)| *to == community);
        let flows = cells.map(|((from, _), people)| (*from, *people, self.from[from]));
        substantial(flows, self.to.get(&community).copied().unwrap_or_default(), guard)
    }
}

/// The substantial ones of `(other community, people, stayers of the other community)` among `all` stayers of one.
fn substantial(flows: impl Iterator<Item = (CommunityIx, usize, usize)>, all: usize, guard: usize) -> Vec<Flow> {
    let large: Vec<_> = flows
        .filter(|(_, people, _)| *people >= guard)
        .filter_map(|(other, people, theirs)| Some((Share::of(people, all)?, other, people, theirs)))
        .collect();
    let tellable = |rest: usize| rest == 0 || rest >= guard;
    let rest = all - large.iter().map(|(_, _, people, _)| people).sum::<usize>();
    let flow = |(share, other, people, theirs): &(Share, CommunityIx, usize, usize)| Flow {
        other: *other,
        share: *share,
        people: (tellable(rest) && tellable(theirs - people)).then_some(*people),
    };
    let mut told: Vec<Flow> = large.iter().map(flow).collect();
    told.sort_by(|a, b| b.share.cmp(&a.share).then(a.other.cmp(&b.other)));
    told
}

/// What became of `community` between the assignments `before` and `after`, which name the same people in the same order.
pub fn changes(
    before: &[Option<CommunityIx>],
    after: &[Option<CommunityIx>],
    community: CommunityIx,
    asking: Option<UserIx>,
    guard: usize,
) -> Vec<Change> {
    let others = || before.iter().zip(after).enumerate().filter(|(user, _)| Some(*user) != asking).map(|(_, of)| of);
    let overlap = Overlap::of(others().filter_map(|(before, after)| Some(((*before)?, (*after)?))));
    let enough = |belongs: &dyn Fn(&Option<CommunityIx>, &Option<CommunityIx>) -> bool| {
        others().filter(|(before, after)| belongs(before, after)).count() >= guard
    };
    let mut changes = Vec::new();
    match (enough(&|before, _| *before == Some(community)), enough(&|_, after| *after == Some(community))) {
        (false, true) => changes.push(Change::Formed { guard }),
        (true, false) => changes.push(Change::Dissolved { guard }),
        _ => {}
    }
    let told = |flows: Vec<Flow>, one: fn(Flow) -> Change, several: fn(Vec<Flow>) -> Change| match flows.as_slice() {
        [] => None,
        [flow] => (flow.other != community).then(|| one(*flow)),
        _ => Some(several(flows)),
    };
    changes.extend(told(overlap.leaving(community, guard), Change::Went, Change::Split));
    changes.extend(told(overlap.joining(community, guard), Change::Came, Change::Merged));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Assignments before and after of `(before, after, people)` groups.
    fn groups(groups: &[(Option<usize>, Option<usize>, usize)]) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
        groups.iter().flat_map(|(before, after, people)| std::iter::repeat_n((*before, *after), *people)).unzip()
    }

    fn told(of: &[(Option<usize>, Option<usize>, usize)], community: usize, guard: usize) -> Vec<String> {
        let (before, after) = groups(of);
        changes(&before, &after, community, None, guard).iter().map(|change| change.told(community)).collect()
    }

    #[test]
    fn what_becomes_of_a_community_is_told() {
        let some = |from: usize, to: usize, people: usize| (Some(from), Some(to), people);
        let split = [some(1, 1, 15), some(1, 7, 12), some(7, 7, 40), (None, Some(1), 9)];
        assert_eq!(
            told(&split, 1, 5),
            ["split: at least half stayed (15 people), at least a third went to community 7 (12 people)"]
        );
        assert!(told(&split, 7, 5).is_empty(), "twelve of 52 are no third");
        let merge = [some(1, 7, 20), some(7, 7, 30), some(1, 1, 50)];
        assert_eq!(
            told(&merge, 7, 5),
            ["merged: at least half were here before (30 people), at least a third came from community 1 (20 people)"]
        );
        assert!(told(&merge, 1, 5).is_empty(), "twenty of seventy are no third");
        let moved = [some(2, 3, 20), some(3, 3, 100)];
        assert_eq!(
            told(&moved, 2, 5),
            ["dissolved: fewer than 5 others are left", "at least two thirds went to community 3 (20 people)"]
        );
        let renamed = [some(2, 9, 6)];
        assert_eq!(
            told(&renamed, 9, 5),
            [
                "formed: before, fewer than 5 others belonged to it",
                "at least two thirds came from community 2 (6 people)"
            ]
        );
        assert_eq!(told(&[(None, Some(4), 5)], 4, 5), ["formed: before, fewer than 5 others belonged to it"]);
        assert!(told(&[some(4, 4, 30), (None, Some(4), 60)], 4, 5).is_empty(), "newcomers are no stayers");
        // Scattered: nobody went together.
        let scattered: Vec<_> = (0..10).map(|to| some(0, to, 5)).collect();
        assert!(told(&scattered, 0, 5).is_empty());
    }

    #[test]
    fn a_third_is_a_third_of_the_stayers() {
        for (people, all, expected) in
            [(9, 30, None), (10, 30, Some(Share::Third)), (15, 30, Some(Share::Half)), (20, 30, Some(Share::TwoThirds))]
        {
            assert_eq!(Share::of(people, all), expected, "{people} of {all}");
        }
    }

    #[test]
    fn nothing_is_told_of_fewer_than_the_guard_nor_of_what_they_could_be_subtracted_from() {
        let some = |from: usize, to: usize, people: usize| (Some(from), Some(to), people);
        // Four who went together are too few, and so are the four who stayed.
        let halves = [some(1, 1, 4), some(1, 2, 4), some(2, 2, 90)];
        assert_eq!(told(&halves, 1, 5), ["dissolved: fewer than 5 others are left"]);
        // Three who stayed: the number of those who went would give them away.
        let nearly = [some(1, 1, 3), some(1, 2, 12), some(2, 2, 90)];
        assert_eq!(
            told(&nearly, 1, 5),
            ["dissolved: fewer than 5 others are left", "at least two thirds went to community 2"],
            "fifteen were there, as the sheet says"
        );
        // Two of the other side: they were not in community 1, whose size is told.
        assert_eq!(
            told(&[some(1, 1, 8), some(1, 2, 12), some(3, 2, 2)], 1, 5),
            ["split: at least half went to community 2, at least a third stayed (8 people)"]
        );
        // Two flows that leave three between them.
        assert_eq!(
            told(&[some(1, 1, 15), some(1, 2, 12), some(1, 3, 3), some(2, 2, 90), some(3, 3, 90)], 1, 5),
            ["split: at least half stayed, at least a third went to community 2"]
        );
    }

    #[test]
    fn the_asking_person_is_nobody() {
        let (before, after) = groups(&[(Some(1), Some(1), 10), (Some(1), Some(2), 5), (Some(2), Some(2), 9)]);
        let told = |asking| changes(&before, &after, 1, asking, 5);
        assert!(matches!(&told(None)[..], [Change::Split(flows)] if flows[1].people == Some(5)));
        assert_eq!(told(Some(12)), [], "one of the five: four others are not told");
        assert!(matches!(&told(Some(0))[..], [Change::Split(flows)] if flows[0].people == Some(9)));
    }
}
