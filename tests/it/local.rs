//! Local memory's choices: BM25 as LaMP's code has it, every fusion's terms, diversity and the cap among the shown.

use std::collections::HashSet;

use logoscope::data::dataset::{Bm25, Dataset, Fusion, Retrieval};
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::memory::okapi::{Okapi, Spoken, tokens};
use logoscope::memory::portrait::Portrait;
use logoscope::memory::{Memory, MemoryRead};
use proptest::prelude::*;

use crate::population::{datasets, interaction, manifest, query};

const END: Timestamp = Timestamp(6_000_000);

/// BM25Okapi by its published description, with arrays as numpy holds them: an implementation of its own.
fn okapi_scores(texts: &[Vec<String>], query: &[String]) -> Vec<f64> {
    let (k1, b, epsilon) = (1.5, 0.75, 0.25);
    let n = texts.len() as f64;
    let mut seen = HashSet::new();
    let vocabulary: Vec<&String> = texts.iter().flatten().filter(|word| seen.insert(*word)).collect();
    let holding = |word: &String| texts.iter().filter(|text| text.contains(word)).count() as f64;
    let raw: Vec<f64> = vocabulary.iter().map(|w| (n - holding(w) + 0.5).ln() - (holding(w) + 0.5).ln()).collect();
    let mean = raw.iter().sum::<f64>() / raw.len() as f64;
    let idf = |word: &String| {
        let place = vocabulary.iter().position(|known| *known == word);
        place.map_or(0.0, |place| if raw[place] < 0.0 { epsilon * mean } else { raw[place] })
    };
    let mean_length = texts.iter().map(Vec::len).sum::<usize>() as f64 / n;
    let mut scores = vec![0.0; texts.len()];
    for word in query {
        for (score, text) in scores.iter_mut().zip(texts) {
            let f = text.iter().filter(|other| *other == word).count() as f64;
            *score += idf(word) * (f * (k1 + 1.0) / (f + k1 * (1.0 - b + b * text.len() as f64 / mean_length)));
        }
    }
    scores
}

fn text() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof!["[a-d]", "[A-D]", "(the|a|of)", "tide[,.]?"];
    proptest::collection::vec(word, 1..9)
}

proptest! {
    #[test]
    fn lamp_mode_scores_as_rank_bm25_does(
        texts in proptest::collection::vec(text(), 1..25), later in proptest::collection::vec(text(), 0..9), query in text(),
    ) {
        let joined: Vec<String> = texts.iter().chain(&later).map(|text| text.join(" ")).collect();
        // What is said later has numbers, too, and counts for nothing.
        let spoken = Spoken::new(joined.iter().map(String::as_str));
        let okapi = Okapi::of(&spoken, texts.len());
        let asked: Vec<Option<u32>> = query.iter().map(|word| spoken.number(word)).collect();
        let (low, high) = okapi.bounds(&asked);
        let scores = okapi.scores(&asked);
        for (place, expected) in okapi_scores(&texts, &query).into_iter().enumerate() {
            let score = scores[place];
            let sum: f64 = asked.iter().map(|word| okapi.contribution(*word, place)).sum();
            prop_assert_eq!(sum, score, "its parts add up to it");
            prop_assert!((score - expected).abs() < 1e-9, "text {place}: {score} and {expected}");
            prop_assert!((low..=high).contains(&score), "{score} in {low}..{high}");
        }
    }
}

/// Scores that the package itself gave, with short profiles whose every idf is negative among them.
#[test]
fn lamp_mode_agrees_with_scores_of_the_package_itself() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../fixtures/rank-bm25.json")).unwrap();
    let (mut compared, mut negative) = (0, 0);
    for case in golden["cases"].as_array().unwrap() {
        let spoken = Spoken::new(case["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()));
        let okapi = Okapi::of(&spoken, spoken.texts());
        let query: Vec<Option<u32>> = tokens(case["query"].as_str().unwrap()).map(|word| spoken.number(word)).collect();
        let scores = okapi.scores(&query);
        for (place, expected) in case["scores"].as_array().unwrap().iter().enumerate() {
            let (score, expected) = (scores[place], expected.as_f64().unwrap());
            assert!((score - expected).abs() < 1e-9, "{case} at {place}: {score}");
            (compared, negative) = (compared + 1, negative + usize::from(score < 0.0));
        }
    }
    assert!(compared > 200 && negative > 5, "{compared} scores, {negative} negative");
}

/// A read of one person who has something, as they may ask.
fn read(dataset: &Dataset, user: usize, words: &[usize]) -> (Memory, MemoryRead) {
    let memory = Memory::build(dataset);
    let read = memory.read(&UserId::new(format!("u{user}")), &query(words), END).unwrap();
    (memory, read)
}

pub fn with(dataset: &Dataset, change: impl FnOnce(&mut Retrieval)) -> Dataset {
    let mut dataset = dataset.clone();
    change(&mut dataset.manifest.retrieval);
    dataset
}

fn fusion() -> impl Strategy<Value = Fusion> {
    use Fusion::{Convex, Dense, Lexical, Recency, Rrf};
    prop_oneof![Just(Convex), Just(Rrf), Just(Lexical), Just(Dense), Just(Recency)]
}

/// Settings that reach every branch.
pub fn retrieval() -> impl Strategy<Value = (Fusion, Bm25, f64, Option<usize>, usize)> {
    let bm25 = prop_oneof![Just(Bm25::Shrunk), Just(Bm25::Lamp)];
    let lambda = prop_oneof![Just(1.0), Just(0.0), 0.0..1.0f64];
    (fusion(), bm25, lambda, proptest::option::of(1..4usize), 0..7usize)
}

pub fn set(
    settings: &mut Retrieval,
    (fusion, bm25, diversity, label_cap, local_hits): (Fusion, Bm25, f64, Option<usize>, usize),
) {
    *settings = Retrieval { fusion, bm25, diversity, label_cap, local_hits, ..settings.clone() };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn terms_add_up_under_every_setting(
        dataset in datasets(60), user in 0..13usize, words in proptest::collection::vec(0..12usize, 0..5), chosen in retrieval()
    ) {
        let (_, read) = read(&with(&dataset, |settings| set(settings, chosen)), user, &words);
        for hit in &read.local.hits {
            let terms = hit.terms;
            prop_assert!((terms.lexical + terms.dense + terms.recency - terms.score()).abs() < 1e-12);
            prop_assert!((0.0..=1.0 + 1e-6).contains(&terms.similarity()), "{terms:?}");
            prop_assert!((0.0..=1.0 + 1e-6).contains(&terms.score()), "{terms:?}");
        }
        let (shown, rest) = read.local.hits.split_at(read.local.shown);
        prop_assert!(rest.is_sorted_by(|a, b| a.is_before(b)), "what is not shown stands best first");
        let (_, _, lambda, cap, most) = chosen;
        prop_assert!(shown.len() <= most);
        if lambda == 1.0 {
            prop_assert!(shown.is_sorted_by(|a, b| a.is_before(b)));
        }
        match cap {
            None => prop_assert_eq!(shown.len(), most.min(read.local.visible())),
            Some(cap) => {
                for label in 0..4 {
                    prop_assert!(shown.iter().filter(|hit| hit.label == label).count() <= cap);
                }
            }
        }
    }

    #[test]
    fn what_is_shown_never_changes_what_votes(
        dataset in datasets(60), user in 0..12usize, words in proptest::collection::vec(0..12usize, 1..5), chosen in retrieval()
    ) {
        let plain = with(&dataset, |settings| set(settings, (chosen.0, chosen.1, 1.0, None, chosen.4)));
        let (_, before) = read(&plain, user, &words);
        let (_, after) = read(&with(&dataset, |settings| set(settings, chosen)), user, &words);
        let votes = |read: &MemoryRead| {
            let mut votes: Vec<_> = read.local.hits.iter().map(|hit| (hit.item, format!("{:?}", hit.terms))).collect();
            votes.sort();
            votes
        };
        prop_assert_eq!(votes(&before), votes(&after));
        prop_assert_eq!(before.global, after.global);
        prop_assert_eq!((before.local.profile, before.local.novelty), (after.local.profile, after.local.novelty));
    }

    #[test]
    fn a_portrait_knows_nothing_of_the_future(dataset in datasets(80), user in 0..12usize, t in 0..6_000_000i64) {
        let past = Dataset {
            interactions: dataset.interactions.iter().filter(|i| i.at < Timestamp(t)).cloned().collect(),
            ..dataset.clone()
        };
        let portrait = |dataset: &Dataset| -> Portrait {
            Memory::build(dataset).portrait(&UserId::new(format!("u{user}")), Timestamp(t))
        };
        prop_assert_eq!(portrait(&dataset), portrait(&past));
    }
}

/// u0 has told `rows` of (words, label), an hour apart; u1 something else.
pub fn told(rows: &[(&[usize], usize)], change: impl FnOnce(&mut Retrieval)) -> Dataset {
    let mut interactions = vec![interaction(900, 1, 10, &[11], 0)];
    let own = rows.iter().enumerate();
    interactions.extend(own.map(|(id, (words, label))| interaction(id, 0, 3_600 * (id as i64 + 1), words, *label)));
    with(&Dataset { manifest: manifest(4, 1), interactions, queries: Vec::new() }, change)
}

fn ids(memory: &Memory, read: &MemoryRead) -> Vec<String> {
    read.local.hits.iter().map(|hit| memory.population.id[hit.item].to_owned()).collect()
}

#[test]
fn each_fusion_orders_by_what_it_says() {
    // Exact words; a word among others; nothing, but the newest.
    let rows: [(&[usize], usize); 3] = [(&[0, 1], 0), (&[0, 2, 3, 4], 1), (&[5], 2)];
    for (fusion, first, last) in [
        (Fusion::Convex, "i0000", "i0002"),
        (Fusion::Lexical, "i0000", "i0002"),
        (Fusion::Dense, "i0000", "i0002"),
        (Fusion::Rrf, "i0000", "i0002"),
        (Fusion::Recency, "i0002", "i0000"),
    ] {
        let (memory, read) = read(&told(&rows, |settings| settings.fusion = fusion), 0, &[0, 1]);
        let order = ids(&memory, &read);
        assert_eq!((order[0].as_str(), order[2].as_str()), (first, last), "{fusion:?}");
        let best = read.local.hits[0].terms;
        match fusion {
            Fusion::Rrf => assert_eq!((best.lexical, best.dense), (0.5, 0.5), "1/(1 + 1) for the first by each"),
            Fusion::Recency => assert_eq!(best.similarity(), 0.0),
            Fusion::Lexical => assert_eq!(best.dense, 0.0),
            Fusion::Dense => assert_eq!(best.lexical, 0.0),
            Fusion::Convex => assert!(best.lexical > 0.0 && best.dense > 0.0),
        }
    }
}

/// With words alone and no age, hits stand in the order of `rank_bm25`, in a profile whose scores are negative too.
#[test]
fn a_lamp_profile_is_ranked_as_lamp_ranks_it() {
    let rows: [(&[usize], usize); 5] = [(&[0], 0), (&[0, 1], 1), (&[0, 0, 2], 2), (&[0, 3, 4], 3), (&[5, 6], 0)];
    let settings = |settings: &mut Retrieval| {
        let recency_half_life = f64::INFINITY;
        *settings = Retrieval { fusion: Fusion::Lexical, bm25: Bm25::Lamp, recency_half_life, ..settings.clone() };
    };
    for words in [&[0, 1][..], &[0], &[0, 0, 5], &[2, 7]] {
        let (memory, read) = read(&told(&rows, settings), 0, words);
        let split = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let texts: Vec<Vec<String>> = rows.iter().map(|(words, _)| split(&query(words))).collect();
        let scores = okapi_scores(&texts, &split(&query(words)));
        let of = |id: &String| scores[id[1..].parse::<usize>().unwrap()];
        let order = ids(&memory, &read);
        assert!(order.is_sorted_by(|a, b| of(a) >= of(b)), "{words:?}: {order:?} {scores:?}");
        assert!(scores.iter().any(|score| *score != 0.0));
    }
}

#[test]
fn likeness_to_what_is_shown_costs_a_place_and_the_cap_counts_responses() {
    // Two much alike, one different that matches less.
    let rows: [(&[usize], usize); 3] = [(&[0, 1, 2], 0), (&[0, 1, 2], 0), (&[0, 6, 7], 1)];
    let shown = |change: &dyn Fn(&mut Retrieval)| {
        let dataset = told(&rows, |settings| {
            settings.local_hits = 2;
            change(settings);
        });
        let (memory, read) = read(&dataset, 0, &[0, 1, 2]);
        ids(&memory, &read)[..read.local.shown].to_vec()
    };
    assert_eq!(shown(&|_| ()), ["i0001", "i0000"]);
    assert_eq!(shown(&|settings| settings.diversity = 0.5), ["i0001", "i0002"]);
    assert_eq!(shown(&|settings| settings.label_cap = Some(1)), ["i0001", "i0002"]);
    assert_eq!(shown(&|settings| settings.label_cap = Some(2)), ["i0001", "i0000"]);
}

#[test]
fn a_portrait_names_the_words_that_stand_out() {
    let mut interactions: Vec<_> =
        (0..40).map(|id| interaction(id, 1 + id % 5, id as i64, &[0, 1 + id % 4], 0)).collect();
    interactions.extend((40..46).map(|id| interaction(id, 0, id as i64, &[0, 9], 1)));
    let dataset = Dataset { manifest: manifest(4, 1), interactions, queries: Vec::new() };
    let portrait = Memory::build(&dataset).portrait(&UserId::new("u0"), END);
    let words: Vec<&str> = portrait.words.iter().map(|word| word.word.as_str()).collect();
    assert_eq!(words, ["memo"], "everybody says 'tide'");
    assert_eq!(
        (portrait.words[0].own.with_term, portrait.words[0].others),
        (6, None),
        "nobody else said it, which is not told"
    );
    assert_eq!(portrait.style.unwrap().words, 2.0);
    assert_eq!(Memory::build(&dataset).portrait(&UserId::new("nobody"), END), Portrait::default());
}
