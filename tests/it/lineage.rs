//! Splits and merges of communities as a person's sheet tells them, on a population made to split and merge.

use logoscope::data::dataset::Dataset;
use logoscope::data::interaction::{Interaction, Timestamp, UserId};
use logoscope::memory::Memory;
use logoscope::memory::history::CommunityHistory;
use logoscope::memory::lineage::{Change, Flow, Share};

use crate::population::{interaction, manifest};

/// People of a group.
const PEOPLE: usize = 9;
/// Those of group 0 who leave it in the second period.
const LEAVING: usize = 5;
const DAY: i64 = 86_400;
const END: Timestamp = Timestamp(30 * DAY);

/// Four groups of nine, each with its own words and answers, over three periods of ten days. In the second, five people
/// of group 0 take up the words and answers of group 3, for good; everybody else stays who they were.
fn migrating(guard: usize) -> Dataset {
    let mut interactions: Vec<Interaction> = Vec::new();
    let mut say = |user: usize, at: i64, group: usize, nth: usize| {
        let words = [3 * group + nth % 3, 3 * group + (nth + 1) % 3];
        interactions.push(interaction(interactions.len(), user, at, &words, group));
    };
    for user in 0..4 * PEOPLE {
        let group = user / PEOPLE;
        for nth in 0..6 {
            say(user, nth as i64 * DAY + user as i64, group, nth);
            say(user, (20 + nth as i64) * DAY + user as i64, if user < LEAVING { 3 } else { group }, nth);
        }
        for nth in 0..if user < LEAVING { 60 } else { 2 } {
            say(user, 11 * DAY + nth as i64 * 600 + user as i64, if user < LEAVING { 3 } else { group }, nth);
        }
    }
    interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Dataset { manifest: manifest(4, guard), interactions, queries: Vec::new() }
}

/// The sheet of `u<user>`, newest period first.
fn history(memory: &Memory, user: usize) -> CommunityHistory {
    memory.community_history(&UserId::new(format!("u{user}")), END).unwrap().unwrap()
}

/// The person's community and what became of it in each of the three periods.
fn course(memory: &Memory, user: usize) -> (usize, [Vec<Change>; 3]) {
    let history = history(memory, user);
    let changes: Vec<Vec<Change>> = history.epochs.into_iter().rev().map(|epoch| epoch.changes).collect();
    (history.community, changes.try_into().unwrap())
}

#[test]
fn a_community_that_splits_and_one_that_grows_say_so_once() {
    let memory = Memory::build(&migrating(3));
    let (old, split) = course(&memory, LEAVING);
    let (new, merged) = course(&memory, 4 * PEOPLE - 1);
    let (same, nothing) = course(&memory, PEOPLE);
    assert!(old != new && new != same && same != old);
    // Of the eight others five went; of the thirteen others who are there now, they are five.
    let went = Flow { other: new, share: Share::Half, people: Some(5) };
    let stayed = Flow { other: old, share: Share::Third, people: Some(3) };
    assert_eq!(split, [vec![], vec![Change::Split(vec![went, stayed])], vec![]]);
    let here = Flow { other: new, share: Share::Half, people: Some(8) };
    let came = Flow { other: old, share: Share::Third, people: Some(5) };
    assert_eq!(merged, [vec![], vec![Change::Merged(vec![here, came])], vec![]]);
    assert_eq!(nothing, [vec![], vec![], vec![]], "the others stay who they are");
    // One of the five asks: they belong to the new community, and there they are four.
    let (theirs, joined) = course(&memory, 0);
    assert_eq!(theirs, new);
    assert!(joined[1].is_empty(), "four of thirteen are no third: {joined:?}");
}

#[test]
fn the_guard_keeps_small_flows_back() {
    // The old community is below the guard, so its people are shown the new one. Three who stayed behind could be
    // subtracted from the number of those who came.
    let (new, merged) = course(&Memory::build(&migrating(5)), LEAVING);
    let here = Flow { other: new, share: Share::Half, people: Some(9) };
    let [Change::Merged(flows)] = &merged[1][..] else { panic!("{merged:?}") };
    assert_eq!((flows[0], flows[1].share, flows[1].people), (here, Share::Third, None));
    // And of five nothing is told where six are needed.
    let (_, merged) = course(&Memory::build(&migrating(6)), 4 * PEOPLE - 1);
    assert!(merged.iter().all(Vec::is_empty), "{merged:?}");
}

#[test]
fn what_is_remembered_step_by_step_has_the_same_past() {
    let dataset = migrating(3);
    let whole = Memory::build(&dataset);
    let mut grown = dataset.clone();
    let later = grown.interactions.split_off(grown.interactions.partition_point(|i| i.at.0 < 12 * DAY));
    let mut memory = Memory::build(&grown);
    // Groups the first period.
    history(&memory, 20);
    for some in later.chunks(150) {
        memory.remember(&some.iter().collect::<Vec<_>>()).unwrap();
    }
    for user in [0, LEAVING, PEOPLE, 4 * PEOPLE - 1] {
        assert_eq!(history(&memory, user), history(&whole, user), "u{user}");
    }
}
