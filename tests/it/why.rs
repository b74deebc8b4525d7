//! Explanations add up, every reason of *why not?* is met by a case made for it, and a reason given is the right one.

use std::collections::HashSet;

use logoscope::data::dataset::{Dataset, PeriodLength, Retrieval};
use logoscope::data::interaction::{Interaction, Timestamp, UserId};
use logoscope::data::sample;
use logoscope::data::synth::{Parameters, products};
use logoscope::engine::prompt::Question;
use logoscope::engine::why;
use logoscope::mediator::Weights;
use logoscope::memory::Memory;
use logoscope::memory::explain::Node;
use logoscope::memory::held::Held;
use logoscope::memory::why_not::{CandidateKind, Closing, Rank, Reason, Side};
use proptest::prelude::*;
use serde_json::Value;

use crate::local::{retrieval, set, told, with};
use crate::population::{datasets, interaction, manifest, query};

const END: Timestamp = Timestamp(6_000_000);

/// Programs read reasons by their names.
#[test]
fn every_reason_stands_in_the_docs_by_its_name() {
    let page = include_str!("../../docs/data-formats.md");
    let table = page.split("| `reason` | fields |").nth(1).unwrap().split("\n\n").next().unwrap();
    let named: Vec<&str> = table.lines().filter_map(|line| line.split('|').nth(1)).collect();
    let (side, place, rank) = (Side::Local, 1, Rank { rank: 2, of: 3, shown: 1, score: 0.5, gap: None });
    let (id, period, of) = ("i".to_owned(), 1, 3);
    for reason in [
        Reason::Unknown,
        Reason::NotYet { at: END, days: 1.0 },
        Reason::Another { entry: None, fate: Box::new(Reason::AnotherThing) },
        Reason::OpenPeriod { closes: Closing::Never },
        Reason::Ungrouped { guard: 5 },
        Reason::Shown { side, place },
        Reason::Cut { side, place, needs: 2.0, room: 1.0 },
        Reason::Outranked(rank),
        Reason::Alike { by: id.clone(), likeness: 0.9 },
        Reason::Capped { by: id, cap: 2 },
        Reason::NotClosed { period, closes: Closing::At(END) },
        Reason::Superseded { period, read: 2 },
        Reason::Suppressed { contributors: 3, guard: 5 },
        Reason::AnotherThing,
        Reason::Faded,
        Reason::Unrelated { of },
        Reason::Unlike { of },
        Reason::Foreign { community: 1, membership: 0.1, rank },
        Reason::EntryOutranked(rank),
    ] {
        let name = serde_json::to_value(&reason).unwrap()["reason"].as_str().unwrap().to_owned();
        assert!(named.iter().any(|named| named.contains(&format!("`{name}`"))), "{name}");
    }
}

fn adds_up(node: &Node) -> Result<(), TestCaseError> {
    if !node.children.is_empty() {
        let sum: f64 = node.children.iter().map(|child| child.value).sum();
        prop_assert!((sum - node.value).abs() < 1e-9, "{sum} is not {}: {node:#?}", node.value);
    }
    node.children.iter().try_for_each(adds_up)
}

/// What is shown of a tree adds up to the last digit.
fn shown_adds_up(node: &Node) -> Result<(), TestCaseError> {
    let shown: Vec<(usize, i64)> =
        node.rounded().iter().map(|(depth, value, _)| (*depth, (value * 1000.0).round() as i64)).collect();
    for (place, (depth, value)) in shown.iter().enumerate() {
        let below = shown[place + 1..].iter().take_while(|(deeper, _)| deeper > depth);
        let children: Vec<i64> = below.filter(|(deeper, _)| *deeper == depth + 1).map(|(_, value)| *value).collect();
        prop_assert!(children.is_empty() || children.iter().sum::<i64>() == *value, "{shown:?}");
    }
    Ok(())
}

/// Of ratings the crowd speaks of the very thing that is asked about, through one entry.
#[test]
fn what_others_gave_a_thing_speaks_through_its_entry() {
    let dataset = products(&Parameters::of_products()).0;
    let memory = Memory::build(&dataset);
    let heard = dataset.queries.iter().find_map(|asked| {
        let read = memory.read(&asked.user, &asked.query, asked.at).unwrap();
        (!read.global.hits.is_empty()).then_some((asked, read))
    });
    let (asked, read) = heard.unwrap();
    let why = |id: &str| memory.why_not(&asked.user, &asked.query, asked.at, &read, id).unwrap();
    let shown = Reason::Shown { side: Side::Global, place: 1 };
    let entry = read.global.hits[0].id.clone();
    assert_eq!(why(&entry), shown);
    let others = || dataset.interactions.iter().filter(|i| i.at < asked.at && i.user != asked.user);
    let this = others().find(|i| i.item == asked.item).unwrap();
    assert_eq!(why(&this.id), Reason::Another { entry: Some(entry.clone()), fate: Box::new(shown) });
    let item = |i: &Interaction| i.item.clone().unwrap();
    let raters =
        |of: &String| others().filter(|i| i.item.as_ref() == Some(of)).map(|i| &i.user).collect::<HashSet<_>>().len();
    let guard = dataset.manifest.retrieval.guard;
    let other = others().find(|i| i.item != asked.item && raters(&item(i)) >= guard).unwrap();
    let Reason::Another { entry: Some(of), fate } = why(&other.id) else { panic!("{:?}", why(&other.id)) };
    assert_eq!((of, *fate), (format!("item-{}", other.item.as_ref().unwrap()), Reason::AnotherThing));
    // What few rated would tell what this one of them did.
    let rare = others().find(|i| i.item != asked.item && raters(&item(i)) < guard).unwrap();
    assert_eq!(why(&rare.id), Reason::Another { entry: None, fate: Box::new(Reason::AnotherThing) });
    assert_eq!((why("item-nothing"), why("p1-c0-0")), (Reason::Unknown, Reason::Unknown));
    // Counted anew, as many as the entry says.
    let people = memory.contributors(&entry, asked.at).unwrap().unwrap();
    let own = memory.population.user_ix(&asked.user).is_some_and(|user| people.contains(&user));
    assert_eq!(people.len() - usize::from(own), read.global.hits[0].users);
}

/// The likeness of two things is told by what they have in common and by how far their numbers are apart.
#[test]
fn a_score_of_ratings_is_a_tree_down_to_the_attributes() {
    let dataset = products(&Parameters::of_products()).0;
    let memory = Memory::build(&dataset);
    let (mut shared, mut told) = (0, 0);
    for asked in dataset.queries.iter().step_by(10) {
        let read = memory.read(&asked.user, &asked.query, asked.at).unwrap();
        for hit in &read.local.hits {
            let id = &memory.population.id[hit.item];
            let tree = memory.explain_item(&asked.query, asked.at, &read, id).unwrap();
            adds_up(&tree).unwrap();
            shown_adds_up(&tree).unwrap();
            let attributes = &tree.children[0];
            assert_eq!((attributes.name.as_str(), attributes.value), ("attributes", hit.terms.attributes));
            assert_eq!(attributes.children[0].name, "traits", "{tree:#?}");
            shared += attributes.children[0].children.len();
            told += 1;
        }
    }
    assert!(told > 20 && shared > 20, "{told} hits, {shared} traits in common");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_score_is_a_tree_that_adds_up(
        dataset in datasets(80), user in 0..13usize, words in proptest::collection::vec(0..12usize, 0..5), chosen in retrieval()
    ) {
        let memory = Memory::build(&with(&dataset, |settings| set(settings, chosen)));
        let (user, query) = (UserId::new(format!("u{user}")), query(&words));
        // With the whole history, and with less of it: an item's words weigh by how often the others in it have them.
        let held = Held::newest(&memory.population, memory.population.user_ix(&user), END, 2);
        let reads = [memory.read(&user, &query, END), memory.read_held(&user, &query, None, END, &held)];
        for read in reads.map(Result::unwrap) {
            for hit in &read.local.hits {
                let tree = memory.explain_item(&query, END, &read, &memory.population.id[hit.item]).unwrap();
                prop_assert_eq!(tree.value, hit.terms.score());
                let parts: Vec<f64> = tree.children.iter().map(|part| part.value).collect();
                prop_assert_eq!(parts, vec![hit.terms.lexical, hit.terms.dense, hit.terms.recency]);
                // The slider's half-life is the mediator's.
                prop_assert!(tree.children[2].note.contains(", recency half-life "));
                adds_up(&tree)?;
                shown_adds_up(&tree)?;
            }
            for hit in &read.global.hits {
                let tree = memory.explain_entry(&user, &query, END, &read, &hit.id).unwrap().unwrap();
                prop_assert_eq!(tree.value, hit.terms.score());
                adds_up(&tree)?;
                shown_adds_up(&tree)?;
            }
        }
    }

    #[test]
    fn more_shown_hits_show_what_was_outranked_and_no_fewer(
        dataset in datasets(80), user in 0..12usize, words in proptest::collection::vec(0..12usize, 1..5)
    ) {
        let (user, query) = (UserId::new(format!("u{user}")), query(&words));
        let dataset = with(&dataset, |settings| (settings.local_hits, settings.global_hits) = (1, 1));
        let memory = Memory::build(&dataset);
        let ask = |memory: &Memory, id: &str| {
            let read = memory.read(&user, &query, END).unwrap();
            memory.why_not(&user, &query, END, &read, id).unwrap()
        };
        let place = |change: &dyn Fn(&mut Retrieval), id: &str| match ask(&Memory::build(&with(&dataset, change)), id) {
            Reason::Shown { place, .. } => Some(place),
            _ => None,
        };
        for candidate in memory.candidates(&user, END).unwrap().into_iter().take(12) {
            match ask(&memory, &candidate.id) {
                Reason::Shown { place, .. } => prop_assert_eq!(place, 1),
                Reason::Outranked(rank) => {
                    prop_assert!(rank.gap.unwrap() >= 0.0);
                    prop_assert_eq!(place(&|s| s.local_hits = rank.rank, &candidate.id), Some(rank.rank));
                    prop_assert_eq!(place(&|s| s.local_hits = rank.rank - 1, &candidate.id), None);
                }
                Reason::EntryOutranked(rank) | Reason::Foreign { rank, .. } => {
                    prop_assert!(rank.gap.unwrap() >= 0.0);
                    prop_assert_eq!(place(&|s| s.global_hits = rank.rank, &candidate.id), Some(rank.rank));
                    prop_assert_eq!(place(&|s| s.global_hits = rank.rank - 1, &candidate.id), None);
                }
                Reason::Suppressed { contributors, guard } => prop_assert!(contributors < guard),
                other => prop_assert!(matches!(candidate.kind, CandidateKind::Entry(_)), "{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_passed_over_names_what_is_shown_in_its_place(
        dataset in datasets(80), user in 0..12usize, words in proptest::collection::vec(0..12usize, 1..5), chosen in retrieval()
    ) {
        let memory = Memory::build(&with(&dataset, |settings| set(settings, chosen)));
        let (user, query) = (UserId::new(format!("u{user}")), query(&words));
        let read = memory.read(&user, &query, END).unwrap();
        let id = |item: usize| &memory.population.id[item];
        let shown = read.local.shown();
        for hit in &read.local.hits[read.local.shown..] {
            match memory.why_not(&user, &query, END, &read, id(hit.item)).unwrap() {
                Reason::Capped { by, cap } => {
                    prop_assert_eq!(shown.iter().filter(|other| other.label == hit.label).count(), cap);
                    prop_assert!(shown.iter().any(|other| id(other.item) == by && other.label == hit.label));
                }
                Reason::Alike { by, likeness } => {
                    prop_assert!(chosen.2 < 1.0 || chosen.3.is_some(), "scores alone pass nothing over");
                    prop_assert!((0.0..=1.0).contains(&likeness));
                    prop_assert!(shown.iter().any(|other| id(other.item) == by));
                }
                Reason::Outranked(rank) => {
                    let better = read.local.hits.iter().filter(|other| other.terms.score() > hit.terms.score());
                    prop_assert!(rank.rank > better.count() && rank.rank > shown.len());
                    prop_assert!(rank.gap.is_none_or(|gap| gap >= 0.0) && rank.gap.is_some() != shown.is_empty());
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn a_community_is_opened_only_as_far_as_the_guard_lets_it(dataset in datasets(120), user in 0..13usize) {
        let memory = Memory::build(&dataset);
        let user = UserId::new(format!("u{user}"));
        let read = memory.read(&user, "", END).unwrap().global;
        let Some(history) = memory.community_history(&user, END).unwrap() else {
            prop_assert!(read.membership.iter().all(|share| *share == 0.0));
            return Ok(());
        };
        prop_assert_eq!(history.epochs[0].period, read.period.unwrap().number);
        prop_assert_eq!(history.epochs[0].group.as_ref().unwrap().members, read.members[history.community]);
        for epoch in &history.epochs {
            prop_assert!(epoch.end <= END);
            let Some(group) = &epoch.group else { continue };
            prop_assert!(group.members >= history.guard);
            for (label, share) in &group.responses {
                let response = format!("y{label}");
                let givers: std::collections::BTreeSet<_> = dataset
                    .interactions
                    .iter()
                    .filter(|i| i.at < epoch.end && i.user != user && i.response == response)
                    .map(|i| &i.user)
                    .collect();
                prop_assert!(givers.len() >= history.guard && *share > 0.0 && *share <= 1.0 + 1e-9);
            }
        }
    }
}

/// Six people who agree (u1 to u6), u0 with a few items of their own, u7 who comes in the second period.
fn small(change: impl FnOnce(&mut Retrieval)) -> Dataset {
    let mut interactions: Vec<_> = (1..7).map(|user| interaction(user, user, user as i64 * 1000, &[0, 1], 1)).collect();
    interactions.push(interaction(10, 0, 7_000, &[0, 1, 2], 0));
    interactions.push(interaction(11, 0, 8_000, &[3], 2));
    interactions.push(interaction(12, 0, 9_000, &[0, 4], 0));
    interactions.push(interaction(20, 7, 900_000, &[0], 3));
    interactions.push(interaction(13, 0, 2_000_000, &[0], 0));
    with(&Dataset { manifest: manifest(4, 3), interactions, queries: Vec::new() }, change)
}

/// The reason told when `u<user>` asks `words` at `t` on `dataset`.
fn reason(dataset: &Dataset, user: usize, words: &[usize], t: i64, id: &str) -> Reason {
    let memory = Memory::build(dataset);
    let question = Question { user: UserId::new(format!("u{user}")), query: query(words), at: Timestamp(t) };
    let read = memory.read(&question.user, &question.query, question.at).unwrap();
    let weights = Weights::default();
    let reason = why::why_not(&memory, &question, &read, &weights, None, id).unwrap();
    let words = reason.to_string();
    assert!(!words.is_empty() && !words.contains("NaN"), "{words}");
    reason
}

/// The only entry of the first period that holds the six.
fn entry(dataset: &Dataset) -> String {
    let candidates = Memory::build(dataset).candidates(&UserId::new("nobody"), Timestamp(1_000_000)).unwrap();
    assert_eq!(candidates.len(), 1, "{candidates:?}");
    candidates[0].id.clone()
}

const T: i64 = 1_000_000;

#[test]
fn each_reason_has_its_case() {
    let data = small(|_| ());
    let e = entry(&data);
    for id in ["nobody's", "p9-c1-0", "p1-c0-99", "p0-c1-1", "p", "", "π-1"] {
        assert_eq!(reason(&data, 0, &[0, 1], T, id), Reason::Unknown, "{id}");
    }
    let not_yet = Reason::NotYet { at: Timestamp(2_000_000), days: 1_000_000.0 / 86_400.0 };
    assert_eq!(reason(&data, 0, &[0, 1], T, "i0013"), not_yet);
    assert!(not_yet.to_string().contains("12 d after"), "{not_yet}");
    assert_eq!(reason(&data, 0, &[0, 1], 2_000_000, "i0013"), Reason::NotYet { at: Timestamp(2_000_000), days: 0.0 });

    let shown = Reason::Shown { side: Side::Global, place: 1 };
    let through = Reason::Another { entry: Some(e.clone()), fate: Box::new(shown.clone()) };
    assert_eq!(reason(&data, 0, &[0, 1], T, "i0001"), through);
    assert_eq!(reason(&data, 0, &[0, 1], T, &e), shown);
    let open = Reason::OpenPeriod { closes: Closing::At(Timestamp(1_729_000)) };
    assert_eq!(reason(&data, 0, &[0, 1], T, "i0020"), Reason::Another { entry: None, fate: Box::new(open) });
    let ungrouped = Reason::Another { entry: None, fate: Box::new(Reason::Ungrouped { guard: 3 }) };
    assert_eq!(reason(&data, 1, &[0, 1], T, "i0010"), ungrouped);

    assert_eq!(
        reason(&data, 0, &[0, 1], 500_000, &e),
        Reason::NotClosed { period: 1, closes: Closing::At(Timestamp(865_000)) }
    );
    assert_eq!(reason(&data, 0, &[0, 1], 2_500_000, &e), Reason::Superseded { period: 1, read: 2 });
    assert_eq!(reason(&data, 0, &[], T, &e), Reason::Unlike { of: 0 });
    let strict = small(|settings| settings.guard = 6);
    assert_eq!(reason(&strict, 1, &[0, 1], T, &entry(&strict)), Reason::Suppressed { contributors: 5, guard: 6 });

    let mut brief = small(|_| ());
    brief.manifest.periods.half_life = 1e-6;
    assert_eq!(reason(&brief, 0, &[0, 1], T, &e), Reason::Faded);
    // Ten half-lives from each of the six to the next: only the last ones are left of it.
    brief.manifest.periods.length = PeriodLength::Days(8_500.0 / 86_400.0);
    brief.manifest.periods.half_life = 100.0 / 86_400.0;
    assert_eq!(reason(&brief, 0, &[0, 1], 10_000, &e), Reason::Faded);

    let one = small(|settings| settings.local_hits = 1);
    assert_eq!(reason(&one, 0, &[0, 1], T, "i0010"), Reason::Shown { side: Side::Local, place: 1 });
    let Reason::Outranked(rank) = reason(&one, 0, &[0, 1], T, "i0012") else { panic!("i0012 is second") };
    assert_eq!((rank.rank, rank.of, rank.shown), (2, 3, 1));
    assert!(rank.gap.unwrap() > 0.0);
    let none = small(|settings| (settings.local_hits, settings.global_hits) = (0, 0));
    let Reason::Outranked(rank) = reason(&none, 0, &[0, 1], T, "i0010") else { panic!("nothing is shown") };
    assert_eq!((rank.rank, rank.gap), (1, None));
    assert!(matches!(reason(&none, 0, &[0, 1], T, &e), Reason::EntryOutranked(rank) if rank.gap.is_none()));
}

/// Of periods that interactions close, nobody can know when: only how many more it takes.
#[test]
fn a_counted_period_is_open_until_enough_has_happened() {
    let mut data = small(|_| ());
    data.manifest.periods.length = PeriodLength::Interactions(9);
    // Nine at the start make the first period, which ends behind the ninth; the tenth is alone in the second.
    let e = entry(&data);
    let open = |interactions| Closing::After { interactions };
    let held = Reason::Another { entry: None, fate: Box::new(Reason::OpenPeriod { closes: open(8) }) };
    assert_eq!(reason(&data, 0, &[0, 1], T, "i0020"), held);
    assert!(held.to_string().contains("its period is open until at least 8 more interactions have happened"), "{held}");
    assert_eq!(serde_json::to_value(&held).unwrap()["fate"]["closes"], serde_json::json!({"interactions": 8}));
    assert_eq!(reason(&data, 0, &[0, 1], 8_000, &e), Reason::NotClosed { period: 1, closes: open(2) });
    assert_eq!(reason(&data, 0, &[0, 1], 9_000, &e), Reason::NotClosed { period: 1, closes: open(1) });
    assert_eq!(reason(&data, 0, &[0, 1], 9_001, &e), Reason::Shown { side: Side::Global, place: 1 });
    assert_eq!(reason(&data, 0, &[0, 1], 2_500_000, &e), Reason::Shown { side: Side::Global, place: 1 });
}

/// However many interactions lie in it, the last period that there may be is open, and nothing of it speaks.
#[test]
fn the_thousandth_period_never_closes() {
    let mut data = small(|_| ());
    data.interactions = (0..1_010).map(|id| interaction(id, id % 7, id as i64, &[0, 1], 1)).collect();
    data.manifest.periods.length = PeriodLength::Interactions(1);
    let held = Reason::Another { entry: None, fate: Box::new(Reason::OpenPeriod { closes: Closing::Never }) };
    assert_eq!(reason(&data, 0, &[0, 1], 5_000, "i1007"), held);
    assert!(held.to_string().contains("never closes"), "{held}");
    assert_eq!(serde_json::to_value(&held).unwrap()["fate"]["closes"], Value::Null);
}

#[test]
fn what_took_the_place_is_named() {
    let rows: [(&[usize], usize); 3] = [(&[0, 1, 2], 0), (&[0, 1, 2], 0), (&[0, 6, 7], 1)];
    let ask = |change: &dyn Fn(&mut Retrieval), id: &str| {
        let dataset = told(&rows, |settings| {
            settings.local_hits = 2;
            change(settings);
        });
        reason(&dataset, 0, &[0, 1, 2], T, id)
    };
    let Reason::Alike { by, likeness } = ask(&|settings| settings.diversity = 0.5, "i0000") else { panic!() };
    assert!(by == "i0001" && likeness > 0.99, "{by} {likeness}");
    assert_eq!(ask(&|settings| settings.label_cap = Some(1), "i0000"), Reason::Capped { by: "i0001".into(), cap: 1 });
    assert!(matches!(ask(&|_| (), "i0002"), Reason::Outranked(rank) if rank.rank == 3));
    assert!(
        matches!(ask(&|settings| settings.label_cap = Some(2), "i0002"), Reason::Outranked(rank) if rank.rank == 3),
        "a cap that is not reached keeps nothing out"
    );
}

#[test]
fn what_has_no_room_in_the_prompt_says_how_much_it_needs() {
    let at_room = |room: usize, id: &str| reason(&small(|settings| settings.prompt_room = room), 0, &[0, 1], T, id);
    let Reason::Cut { side: Side::Local, place, needs, room } = at_room(24, "i0012") else { panic!("no room") };
    assert!(place == 2 && needs > room && room <= 24.0, "{place} {needs} {room}");
    // Twice of what is missing is enough for both sides.
    let enough = 24 + 4 * (needs - room).ceil() as usize + 100;
    assert_eq!(at_room(enough, "i0012"), Reason::Shown { side: Side::Local, place: 2 });
}

/// On real-sized data every entry has a reason, and an entry that only its community keeps out would do without.
#[test]
fn foreign_entries_are_those_that_their_community_keeps_out() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let (mut foreign, mut outranked) = (0, 0);
    for asked in dataset.queries.iter().take(4) {
        let read = memory.read(&asked.user, &asked.query, asked.at).unwrap();
        let last = read.global.hits.last().unwrap().terms.score();
        for candidate in memory.candidates(&asked.user, asked.at).unwrap() {
            if !matches!(candidate.kind, CandidateKind::Entry(_)) {
                continue;
            }
            let reason = memory.why_not(&asked.user, &asked.query, asked.at, &read, &candidate.id).unwrap();
            let tree =
                || memory.explain_entry(&asked.user, &asked.query, asked.at, &read, &candidate.id).unwrap().unwrap();
            match reason {
                Reason::Foreign { rank, .. } => {
                    foreign += 1;
                    let community = tree().children[2].value;
                    assert!(rank.score - community > last && rank.score <= last, "{rank}");
                }
                Reason::EntryOutranked(rank) => {
                    outranked += 1;
                    assert!(rank.rank > rank.shown && (tree().value - rank.score).abs() < 1e-12);
                }
                Reason::Shown { .. } | Reason::Suppressed { .. } => {}
                Reason::Unlike { .. } | Reason::Unrelated { .. } => {}
                other => panic!("{}: {other:?}", candidate.id),
            }
        }
    }
    assert!(foreign > 0 && outranked > 0, "{foreign} {outranked}");
}

fn logoscope(args: &[&str]) -> (String, String, i32) {
    let output = crate::program().args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn the_command_line_tells_reasons_and_trees() {
    let query = sample::dataset().unwrap().queries[0].clone();
    let at = query.at.to_string();
    let question = ["--user", query.user.as_str(), "--query", &query.query, "--at", &at];
    let asked = [&["ask", "--model", "none", "--explain", "--format", "json"][..], &question].concat();
    let (out, err, code) = logoscope(&asked);
    assert_eq!((err.as_str(), code), ("", 0));
    let asked: Value = serde_json::from_str(&out).unwrap();
    let hits = asked["local"]["hits"].as_array().unwrap();
    let trees = asked["explain"]["local"].as_array().unwrap();
    assert!(hits.len() == trees.len() && !hits.is_empty());
    for (hit, tree) in hits.iter().zip(trees) {
        assert_eq!((&hit["id"], &hit["score"]), (&tree["name"], &tree["value"]));
    }
    assert!(asked["explain"]["portrait"]["style"]["words"].as_f64().unwrap() > 0.0);
    let (text, _, _) = logoscope(&[&["ask", "--model", "none", "--explain"][..], &question].concat());
    assert!(text.contains("how scores add up:") && text.contains("style: "), "{text}");

    let shown = hits[0]["id"].as_str().unwrap();
    let ids = [shown, "nothing\u{1b}[31m"];
    let (text, err, code) = logoscope(&[&["why-not"][..], &question, &ids].concat());
    assert_eq!((err.as_str(), code), ("", 2), "somebody misspelt an id");
    let (_, _, code) = logoscope(&[&["why-not"][..], &question, &ids[..1]].concat());
    assert_eq!(code, 0);
    assert!(text.starts_with(&format!("{shown}: shown as number 1 of local memory\n")), "{text}");
    assert!(text.contains("no interaction and no entry has this id") && !text.contains('\u{1b}'), "{text:?}");
    let (out, _, _) = logoscope(&[&["why-not", "--format", "json"][..], &question, &ids].concat());
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["schema"], "logoscope.why-not/1");
    assert_eq!(told["answers"][0]["reason"], "shown");
    assert_eq!(told["answers"][0]["side"], "local");
    assert_eq!(told["answers"][1]["reason"], "unknown");
    let (_, err, code) = logoscope(&["why-not", "--user", "nobody", "--query", "x", "i1"]);
    assert!(code == 2 && err.contains("'nobody' is not in the dataset"), "{err}");
    let (_, err, code) = logoscope(&["why-not", "--user", query.user.as_str(), "--query", " ", "i1"]);
    assert!(code == 2 && err.contains("asks nothing"), "{err}");
}
