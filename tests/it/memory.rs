//! Laws of memory: nothing from the future, terms add up, the guard holds, the asking person is left out.

use std::collections::BTreeSet;

use logoscope::data::dataset::Dataset;
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::memory::{Memory, MemoryRead};
use proptest::prelude::*;

use crate::population::{datasets, interaction, manifest, query};

/// A read in terms of identities, since indexes differ between datasets.
fn told(memory: &Memory, read: &MemoryRead) -> String {
    let local: Vec<_> = read
        .local
        .hits
        .iter()
        .map(|hit| (&memory.population.id[hit.item], hit.terms, hit.cosine, hit.age_days, hit.recency_rank))
        .collect();
    format!("{local:?} {:?} {:?}", read.local.profile, read.global)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_from_the_future_is_read(
        dataset in datasets(80), user in 0..13usize, words in proptest::collection::vec(0..12usize, 1..5), t in 0..6_000_000i64
    ) {
        let (user, text, t) = (UserId::new(format!("u{user}")), query(&words), Timestamp(t));
        let past = Dataset {
            interactions: dataset.interactions.iter().filter(|i| i.at < t).cloned().collect(),
            ..dataset.clone()
        };
        let (whole, past) = (Memory::build(&dataset), Memory::build(&past));
        let (a, b) = (whole.read(&user, &text, t).unwrap(), past.read(&user, &text, t).unwrap());
        // Bit for bit: document frequencies, base rate, snapshots, communities and all.
        prop_assert_eq!(told(&whole, &a), told(&past, &b));
        prop_assert!(a.local.hits.iter().all(|hit| whole.population.at[hit.item] < t));
        prop_assert!(a.global.hits.iter().all(|hit| hit.last_seen < t));
        if let Some(period) = a.global.period {
            prop_assert!(period.end <= t);
        }
    }

    #[test]
    fn terms_add_up_and_distributions_sum_to_one(
        dataset in datasets(80), user in 0..13usize, words in proptest::collection::vec(0..12usize, 0..5), t in 0..6_000_000i64
    ) {
        let memory = Memory::build(&dataset);
        let read = memory.read(&UserId::new(format!("u{user}")), &query(&words), Timestamp(t)).unwrap();
        for hit in &read.local.hits {
            let terms = hit.terms;
            prop_assert!((terms.lexical + terms.dense + terms.recency - terms.score()).abs() < 1e-12);
            prop_assert!((0.0..=1.0 + 1e-6).contains(&terms.similarity()), "{terms:?}");
        }
        prop_assert!(read.local.hits.is_sorted_by(|a, b| a.terms.score() >= b.terms.score()));
        for hit in &read.global.hits {
            let terms = hit.terms;
            prop_assert!((terms.lexical + terms.dense + terms.community - terms.score()).abs() < 1e-12);
            prop_assert!((hit.distribution.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        for p in [&read.global.base, &read.global.population, &read.global.community] {
            prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(p.iter().all(|p| *p > 0.0));
        }
        let membership: f64 = read.global.membership.iter().sum();
        prop_assert!(membership == 0.0 || (membership - 1.0).abs() < 1e-9, "{membership}");
    }

    #[test]
    fn the_guard_holds_for_entries_and_for_every_shown_word(
        dataset in datasets(120), user in 0..13usize, words in proptest::collection::vec(0..12usize, 1..5)
    ) {
        let memory = Memory::build(&dataset);
        let user = UserId::new(format!("u{user}"));
        let t = Timestamp(6_000_000);
        let read = memory.read(&user, &query(&words), t).unwrap();
        let guard = dataset.manifest.retrieval.guard;
        for (community, p) in read.global.membership.iter().enumerate() {
            prop_assert!(*p == 0.0 || read.global.members[community] >= guard, "a community below the guard is not read");
        }
        for hit in &read.global.hits {
            prop_assert!(hit.users >= guard, "{} of {guard}", hit.users);
            for word in &hit.top_terms {
                let others: BTreeSet<&UserId> = dataset
                    .interactions
                    .iter()
                    .filter(|i| i.at < t && i.user != user && i.query.split(' ').any(|w| w == word))
                    .map(|i| &i.user)
                    .collect();
                prop_assert!(others.len() >= guard, "'{word}' was used by {} others", others.len());
            }
        }
    }

    #[test]
    fn the_base_rate_never_counts_the_asking_person(
        dataset in datasets(80), words in proptest::collection::vec(0..12usize, 1..5), label in 0..4usize
    ) {
        // Entries are held to the same by the laws of `memory::guard`; communities may move with what u0 answered.
        let memory = Memory::build(&dataset);
        let asking = UserId::new("u0");
        let read = memory.read(&asking, &query(&words), Timestamp(6_000_000)).unwrap();
        let mut changed = dataset.clone();
        changed.interactions.iter_mut().filter(|i| i.user == asking).for_each(|i| i.response = format!("y{label}"));
        let after = Memory::build(&changed).read(&asking, &query(&words), Timestamp(6_000_000)).unwrap();
        prop_assert_eq!(&read.global.base, &after.global.base);
    }
}

/// Six people who agree, one of them asking: with a guard of six their entry is suppressed for her, not for a stranger.
#[test]
fn an_entry_that_stands_only_with_the_asking_person_is_suppressed_for_her() {
    let interactions = (0..6).map(|user| interaction(user, user, user as i64 * 1000, &[0, 1], 1)).collect();
    let dataset = Dataset { manifest: manifest(4, 6), interactions, queries: Vec::new() };
    let memory = Memory::build(&dataset);
    let t = Timestamp(2_000_000);
    let stranger = memory.read(&UserId::new("nobody"), &query(&[0, 1]), t).unwrap();
    assert_eq!((stranger.global.hits.len(), stranger.global.suppressed), (1, 0));
    assert_eq!(stranger.global.support, 6);
    assert!(stranger.global.population[1] > stranger.global.base[1]);

    let member = memory.read(&UserId::new("u3"), &query(&[0, 1]), t).unwrap();
    assert_eq!((member.global.hits.len(), member.global.suppressed), (0, 1));
    assert_eq!(member.global.support, 0);
    assert_eq!(member.global.population, member.global.base, "nothing collective remains but the base rate");
}

/// Items of the same second are not "before": a person tagging two films at once sees neither.
#[test]
fn the_moment_itself_is_not_past() {
    let interactions = vec![interaction(0, 0, 100, &[0], 1), interaction(1, 0, 200, &[0], 2)];
    let dataset = Dataset { manifest: manifest(4, 1), interactions, queries: Vec::new() };
    let memory = Memory::build(&dataset);
    let visible = |t: i64| memory.read(&UserId::new("u0"), "tide", Timestamp(t)).unwrap().local.visible();
    assert_eq!([visible(100), visible(101), visible(200), visible(201)], [0, 1, 1, 2]);
}
