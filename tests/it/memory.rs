//! Laws of memory: nothing from the future, terms add up, the guard holds, the asking person is left out.

use std::collections::BTreeSet;

use logoscope::data::dataset::{Dataset, Lexical, PeriodLength};
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::memory::community::Communities;
use logoscope::memory::embed::HashEmbedder;
use logoscope::memory::features::{Features, Sought};
use logoscope::memory::guard::CONTRIBUTOR_SHARE;
use logoscope::memory::neighbours::{self, Likenesses, Vicinity};
use logoscope::memory::period::Calendar;
use logoscope::memory::population::Population;
use logoscope::memory::terms::{Closing, Question, Terms};
use logoscope::memory::{Memory, MemoryRead};
use proptest::prelude::*;

use crate::population::{as_texts, datasets, interaction, length, manifest, query};

/// A read in terms of identities, since indexes differ between datasets.
fn told(memory: &Memory, read: &MemoryRead) -> String {
    let local: Vec<_> = read
        .local
        .hits
        .iter()
        .map(|hit| (&memory.population.id[hit.item], hit.terms, hit.cosine, hit.age_days, hit.recency_rank, hit.length))
        .collect();
    format!("{local:?} {:?} {:?} {:?}", read.local.profile, read.global, read.written)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_from_the_future_is_read(
        mut dataset in datasets(80), user in 0..13usize, words in proptest::collection::vec(0..12usize, 1..5),
        t in 0..6_000_000i64, cosine in any::<bool>(), texts in any::<bool>()
    ) {
        if texts {
            dataset = as_texts(dataset);
        }
        if cosine {
            dataset.manifest.retrieval.lexical = Lexical::Cosine;
        }
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
        // Subtracting what a person gave leaves rounding behind, and nothing else.
        for (before, after) in read.global.base.iter().zip(&after.global.base) {
            prop_assert!((before - after).abs() < 1e-9);
        }
    }
}

proptest! {
    /// Which period a read uses, and where each period up to it was cut, is a matter of the past alone.
    #[test]
    fn periods_are_cut_by_what_was(
        at in proptest::collection::vec(0..60i64, 1..80), length in length(), t in -2..70i64
    ) {
        let mut at: Vec<Timestamp> = at.into_iter().map(|hours| Timestamp(hours * 86_400)).collect();
        at.sort_unstable();
        let (past, t) = (at.partition_point(|at| at.0 < t * 86_400), Timestamp(t * 86_400));
        let newest = past.checked_sub(1).map_or(t, |last| at[last]);
        let whole = Calendar::new(&at.clone().into(), length);
        let known = Calendar::new(&at[..past].to_vec().into(), length);
        let closed = if past == 0 { None } else { whole.closed_at(t, newest) };
        prop_assert_eq!(closed, if past == 0 { None } else { known.closed_at(t, newest) });
        for period in 0..closed.map_or(0, |last| last + 1) {
            prop_assert_eq!(whole.end(period), known.end(period));
            prop_assert!(whole.end(period) <= t);
        }
        // Every moment of the data lies in the period that says so, and a second is never cut.
        for moment in &at {
            let period = whole.holding(*moment);
            prop_assert!(*moment < whole.end(period) && (period == 0 || whole.end(period - 1) <= *moment));
        }
        if let PeriodLength::Interactions(count) = length {
            let ends: Vec<usize> =
                (0..whole.count).map(|p| at.partition_point(|at| *at < whole.end(p))).collect();
            for (p, end) in ends.iter().enumerate() {
                let held = end - if p == 0 { 0 } else { ends[p - 1] };
                let open = p + 1 == whole.count && *end == at.len();
                prop_assert!(held >= count || open, "period {p} holds {held}");
            }
        }
    }
}

const END: Timestamp = Timestamp(2_500_000);
const UNTIL: Timestamp = Timestamp(5_000_000);

/// Columns, features and term sums of the period that ends at [`END`].
fn closed(dataset: &Dataset) -> (Population, Features, Communities, Terms) {
    let population = Population::new(dataset, &HashEmbedder::default());
    let features = Features::of(population.text.iter());
    let communities = Communities::next(&population, population.before(END), &Communities::default(), None, 7);
    let closing = Closing { end: END, items: population.before(END), half_life: 730.0 };
    let terms = Terms::close(&population, &features, &communities, closing, population.before(UNTIL));
    (population, features, communities, terms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Sums by subtraction, blocks and tails equal those of everybody else's items one by one, idf and assignments being
    /// what they are: the same as if the asking person had never been.
    #[test]
    fn terms_are_what_others_wrote(
        dataset in datasets(100), user in 0..12usize, words in proptest::collection::vec(0..12usize, 1..5),
        t in 2_500_000..5_000_000i64
    ) {
        let (population, features, communities, terms) = closed(&dataset);
        let (t, asking) = (Timestamp(t), population.user_ix(&UserId::new(format!("u{user}"))));
        let (items, before, labels) = (population.before(END), population.before(t), population.labels.len());
        prop_assume!(items > 0);
        let weighting = &terms.weighting;
        let sought = Sought::new(&features, weighting, &features.find(&query(&words)), before);
        let every: Vec<usize> = (0..communities.count).collect();
        let asked = Question { sought: &sought, asking, t, communities: &every, smoothing: 70.0 };
        let read = terms.read(&population, &features, &communities, asked);

        let others = || (0..before).filter(|item| Some(population.user[*item]) != asking);
        let decayed = |item: usize| (-t.days_since(population.at[item]) / 730.0).exp2();
        let weight = |item: usize, feature: u32| {
            let held = features.of_item(item).find(|(held, _)| *held == feature);
            held.map_or(0.0, |(_, tf)| weighting.weight(feature, tf, item)) * decayed(item)
        };
        let mass = |item: usize| weighting.mass(&features, item) * decayed(item);
        let text = (0..items).map(|item| weighting.mass(&features, item)).sum::<f64>() / items as f64;
        let sum = |of: &dyn Fn(usize) -> f64, keep: &dyn Fn(usize) -> bool| others().filter(|i| keep(*i)).map(of).sum::<f64>();
        for y in 0..labels {
            let mut expected = vec![0.0; 1 + every.len()];
            for (feature, v) in &sought.vector {
                let of = |item: usize| weight(item, *feature);
                let labelled = |item: usize| population.label[item] == y;
                let used = sum(&of, &|_| true);
                if used < 1e-9 * text {
                    continue;
                }
                let background = used / sum(&mass, &|_| true);
                let p = (sum(&of, &labelled) + 70.0 * text * background) / (sum(&mass, &labelled) + 70.0 * text);
                expected[0] += v * (p / background).ln();
                for c in &every {
                    let within = |item: usize| labelled(item) && communities.of[population.user[item]] == Some(*c);
                    let own = (sum(&of, &within) + 25.0 * text * p) / (sum(&mass, &within) + 25.0 * text);
                    expected[1 + c] += v * (own / background).ln();
                }
            }
            let found = std::iter::once(&read.population).chain(&read.communities);
            for (found, expected) in found.zip(&expected) {
                prop_assert!((found[y] - expected).abs() < 1e-9, "{} is not {expected}", found[y]);
            }
        }
    }

    #[test]
    fn neighbours_are_the_nearest_others_behind_guard_and_cap(
        dataset in datasets(100), user in 0..12usize, words in proptest::collection::vec(0..12usize, 1..5),
        t in 2_500_000..5_000_000i64, count in 1..30usize, guard in 1..7usize
    ) {
        let (population, features, communities, terms) = closed(&dataset);
        let (t, asking) = (Timestamp(t), population.user_ix(&UserId::new(format!("u{user}"))));
        let before = population.before(t);
        let sought = Sought::new(&features, &terms.weighting, &features.find(&query(&words)), before);
        let likenesses = Likenesses::of(&population, &features, &terms.weighting, &sought, asking, before);
        let found = likenesses.nearest(count);
        let nearest = |found: &[(usize, f64)], count: usize, counted: &dyn Fn(usize) -> bool| {
            let mut all: Vec<f64> = (0..before)
                .filter(|item| Some(population.user[*item]) != asking && counted(*item))
                .map(|item| sought.cosine(&features, &terms.weighting, item))
                .filter(|cosine| *cosine > 0.0)
                .collect();
            all.sort_by(|a, b| b.total_cmp(a));
            all.truncate(count);
            prop_assert_eq!(found.len(), all.len());
            for ((item, cosine), expected) in found.iter().zip(&all) {
                prop_assert!((cosine - expected).abs() < 1e-9);
                prop_assert!(*item < before && Some(population.user[*item]) != asking && counted(*item));
            }
            Ok(())
        };
        nearest(&found, count, &|_| true)?;
        // Each community's by itself, in whatever order they are asked for.
        let asked: Vec<usize> = (0..communities.count).rev().collect();
        for (community, found) in asked.iter().zip(likenesses.nearest_of(&asked, &communities)) {
            nearest(&found, 30, &|item| communities.of[population.user[item]] == Some(*community))?;
        }

        let vicinity = Vicinity { half_life: 365.0, guard };
        let people: BTreeSet<usize> = found.iter().map(|(item, _)| population.user[*item]).collect();
        match neighbours::vote(&population, &found, vicinity, t) {
            None => prop_assert!(!people.is_empty() && people.len() < guard),
            Some(guarded) => {
                prop_assert!(people.is_empty() || people.len() >= guard);
                prop_assert_eq!(guarded.contributors, people.len());
                let decayed = |(item, cosine): &(usize, f64)| cosine * (-t.days_since(population.at[*item]) / 365.0).exp2();
                let raw: f64 = found.iter().map(decayed).sum();
                let most = (CONTRIBUTOR_SHARE * raw * people.len() as f64).min(raw);
                prop_assert!(guarded.counts.iter().sum::<f64>() <= most + 1e-9);
            }
        }
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
    // The entry, and the neighbours.
    assert_eq!((member.global.hits.len(), member.global.suppressed), (0, 2));
    assert_eq!(member.global.support, 0);
    assert_eq!(member.global.population, member.global.base, "nothing collective remains but the base rate");
}

/// Six people long ago, u7 of late: what u7 gave is left out for her before it is asked whether the others still count.
#[test]
fn a_fresh_item_of_the_asking_person_silences_no_entry() {
    let mut interactions: Vec<_> = (0..6).map(|user| interaction(user, user, user as i64 * 1000, &[0, 1], 1)).collect();
    interactions.push(interaction(7, 7, 28 * 86_400, &[0, 1], 1));
    let mut manifest = manifest(4, 5);
    manifest.periods.length = PeriodLength::Days(30.0);
    // Fourteen half-lives: beside hers, what the six gave is nothing.
    manifest.periods.half_life = 2.0;
    manifest.calibration.entries = Some(1.0);
    let memory = Memory::build(&Dataset { manifest, interactions, queries: Vec::new() });
    let ask = |user: &str| {
        let read = memory.read(&UserId::new(user), &query(&[0, 1]), Timestamp(31 * 86_400)).unwrap();
        (read.global.hits.iter().map(|hit| hit.users).collect::<Vec<_>>(), read.global.suppressed)
    };
    assert_eq!(ask("u7"), (vec![6], 0));
    assert_eq!(ask("nobody"), (vec![], 0), "to everyone else it is what u7 gave");
    assert_eq!(ask("u3"), (vec![], 1), "to one of the six as well, and five others who count for nothing are too few");
}

/// Two companies of twenty answer the same text differently: somebody of one hears it from that one.
#[test]
fn a_community_speaks_through_its_own_nearest_texts() {
    let company = |user: usize| usize::from(user >= 20);
    let told = (0..40).flat_map(|user| {
        let id = move |n: usize| 10 * user + n;
        (0..6).map(move |n| interaction(id(n), user, id(n) as i64 * 1000, &[n, n + 1], 2 + company(user)))
    });
    // What is asked about: those of the first company say 0, of the second 1.
    let about = (0..40).map(|user| interaction(500 + user, user, 500_000, &[8, 9], company(user)));
    let mut interactions: Vec<_> = told.chain(about).collect();
    interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    let mut dataset = Dataset { manifest: manifest(4, 4), interactions, queries: Vec::new() };
    let mut read = |exponent: f64| {
        dataset.manifest.calibration.community_neighbours = exponent;
        let memory = Memory::build(&dataset);
        memory.read(&UserId::new("u3"), &query(&[8, 9]), Timestamp(2_000_000)).unwrap().global
    };
    let (silent, heard) = (read(0.0), read(0.5));
    assert!(silent.parts.communities.iter().all(|part| part.neighbours.iter().all(|vote| *vote == 0.0)));
    assert_eq!(heard.population, silent.population, "everyone says what everyone said");
    let own = heard.parts.communities.iter().max_by(|a, b| a.share.total_cmp(&b.share)).unwrap();
    assert!(own.neighbours[0] > 0.0 && own.neighbours[1] == 0.0, "only its own people: {:?}", own.neighbours);
    assert!(heard.community[0] > silent.community[0], "{} and {}", heard.community[0], silent.community[0]);
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
