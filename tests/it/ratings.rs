//! Rating tasks: the crowd as of a moment, translated votes, the guard, and an evaluation computed by hand.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use logoscope::app::effect::Effect;
use logoscope::app::message::Message;
use logoscope::app::state::{Data, MemoryState, Start, State};
use logoscope::app::update::update;
use logoscope::app::worker::{MemoryWorker, Source};
use logoscope::data::dataset::{Dataset, Manifest, Periods, TaskKind};
use logoscope::data::import::Watch;
use logoscope::data::import::movielens::import_folder;
use logoscope::data::interaction::{Extra, Interaction, JudgedQuery, Timestamp, UserId};
use logoscope::data::scale::Scale;
use logoscope::engine::prompt::Blocks;
use logoscope::mediator::{Course, Evidence, Facet, Policy, Weight, Weights, mediate};
use logoscope::memory::{Apart, Memory, MemoryRead};
use logoscope::session::record::turn;
use logoscope::session::{State as Folded, event};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::screens::{drawn, press, text_of};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A rating: who, when, of what, how many.
pub type Row = (&'static str, i64, &'static str, usize);

/// a and b rated x and y before u rated y; c rates x at the moment of asking and after it.
pub const ROWS: [Row; 7] = [
    ("a", 1, "x", 5),
    ("a", 2, "y", 3),
    ("b", 3, "x", 4),
    ("b", 4, "y", 2),
    ("u", 5, "y", 4),
    ("c", 10, "x", 1),
    ("c", 11, "y", 1),
];

fn manifest(guard: usize) -> Manifest {
    let labels = crate::population::manifest(2, guard);
    Manifest {
        name: "stars".into(),
        task: TaskKind::Rating,
        labels: Vec::new(),
        scale: Some(Scale { low: 1.0, high: 5.0, step: 1.0 }),
        metric: "mae".into(),
        periods: Periods { base_half_life: f64::INFINITY, ..labels.periods.clone() },
        ..labels
    }
}

fn rating(id: usize, user: &str, at: i64, thing: &str, score: usize) -> Interaction {
    let genres = if thing == "x" { json!(["Drama"]) } else { json!(["Drama", "War"]) };
    Interaction {
        id: format!("r{id:03}"),
        user: UserId::new(user),
        at: Timestamp(at),
        query: format!("film {thing}"),
        response: score.to_string(),
        item: Some(thing.to_owned()),
        extra: Extra::from_iter([("attributes".to_owned(), json!({ "genres": genres }))]),
    }
}

/// A dataset of these ratings.
pub fn dataset(rows: &[Row], guard: usize) -> Dataset {
    let rows = rows.iter().enumerate();
    let interactions = rows.map(|(id, (user, at, thing, score))| rating(id, user, *at, thing, *score)).collect();
    Dataset { manifest: manifest(guard), interactions, queries: Vec::new() }
}

fn evidence(memory: &Memory, read: &MemoryRead) -> Evidence {
    Evidence::of(read, memory.manifest.retrieval.guard, memory.manifest.calibration.local)
}

fn close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

fn all_close(values: &[f64], expected: &[f64]) {
    assert_eq!(values.len(), expected.len());
    values.iter().zip(expected).for_each(|(value, expected)| close(*value, *expected));
}

/// The others' scores before u asks at 10, with ½ a step: .5, 1.5, 1.5, 1.5, 1.5 of 6.5.
const BASE: [f64; 5] = [0.5 / 6.5, 1.5 / 6.5, 1.5 / 6.5, 1.5 / 6.5, 1.5 / 6.5];
/// Its mean.
const MU: f64 = 21.5 / 6.5;

#[test]
fn a_translated_vote_equals_the_one_computed_by_hand() {
    let memory = Memory::build(&dataset(&ROWS, 1));
    let read = memory.read(&UserId::new("u"), "film x", Timestamp(10)).unwrap();
    all_close(&read.global.base, &BASE);
    // x has 5 and 4, y has 3 and 2 of others.
    let (crowd_x, crowd_y) = (MU + (9.0 - 2.0 * MU) / 7.0, MU + (5.0 - 2.0 * MU) / 7.0);
    let scored = read.scored.as_ref().unwrap();
    close(scored.crowd, crowd_x);
    let hit = &read.local.hits[0];
    close(hit.crowd.unwrap(), crowd_y);
    close(hit.residual(&scored.steps).unwrap(), 4.0 - crowd_y);
    // One shared genre of one and two.
    close(hit.terms.similarity(), 0.5f64.sqrt());
    let p_x: Vec<f64> = BASE.iter().zip([0.0, 0.0, 0.0, 1.0, 1.0]).map(|(b, n)| (n + 5.0 * b) / 7.0).collect();
    all_close(&read.global.population, &p_x);
    assert_eq!((read.global.support, read.global.suppressed), (2, 0));
    assert_eq!((read.global.hits[0].users, read.global.hits[0].last_seen), (2, Timestamp(3)));

    // 4 − m_G(y) beyond m_G(x) is 4 + 4/7: three sevenths of a vote for 4, four for 5.
    let evidence = evidence(&memory, &read);
    let votes: Vec<_> = evidence.votes.iter().map(|vote| (vote.label, vote.own)).collect();
    assert_eq!(votes, [(3, 3), (4, 3)]);
    all_close(&evidence.votes.iter().map(|vote| vote.share).collect::<Vec<_>>(), &[3.0 / 7.0, 4.0 / 7.0]);
    let weights = Weights::defaults(Policy::Shrinkage, &memory.manifest);
    assert_eq!((weights.prior_strength, weights.similarity_sharpness, weights.half_life), (1.0, 2.0, 15.0));
    let resolution = mediate(&evidence, &weights, Policy::of(TaskKind::Rating));
    let mediated: Vec<f64> =
        p_x.iter().zip([0.0, 0.0, 0.0, 3.0 / 7.0, 4.0 / 7.0]).map(|(p, vote)| (vote + p) / 2.0).collect();
    all_close(&resolution.distribution, &mediated);
    close(resolution.facet.mean(&resolution.distribution).unwrap(), (4.0 + 4.0 / 7.0 + crowd_x) / 2.0);
    // The own rating as it was, over one example of b.
    let local: Vec<f64> = BASE.iter().zip([0.0, 0.0, 0.0, 1.0, 0.0]).map(|(b, own)| (own + b) / 2.0).collect();
    all_close(&resolution.local, &local);
    all_close(&resolution.global, &p_x);
    assert_eq!((resolution.decision, resolution.runner_up), (3, Some(4)));
    let below: f64 = mediated[..3].iter().sum();
    close(resolution.margin, below + mediated[3] - 0.5);
}

#[test]
fn own_ratings_stay_out_of_the_crowd_and_a_new_rating_replaces_the_old_one() {
    let crowd = |rows: &[Row]| {
        let read = Memory::build(&dataset(rows, 1)).read(&UserId::new("u"), "film x", Timestamp(10)).unwrap();
        (read.global.support, read.global.population, read.scored.unwrap().crowd)
    };
    let plain = crowd(&ROWS);
    let mut own = ROWS.to_vec();
    own.insert(4, ("u", 4, "x", 1));
    assert_eq!(crowd(&own), plain, "as if they had never rated it");

    let mut again = ROWS.to_vec();
    again.insert(4, ("b", 4, "x", 1));
    let (raters, population, _) = crowd(&again);
    assert_eq!(raters, 2, "b is one person");
    // All five of the others' scores are in b, but of x only a's 5 and b's last 1.
    let base = [1.5, 1.5, 1.5, 1.5, 1.5].map(|n| n / 7.5);
    let counts = [1.0, 0.0, 0.0, 0.0, 1.0];
    all_close(&population, &base.iter().zip(counts).map(|(b, n)| (n + 5.0 * b) / 7.0).collect::<Vec<_>>());
}

#[test]
fn below_the_guard_the_crowd_has_no_opinion() {
    let memory = Memory::build(&dataset(&ROWS, 3));
    let read = memory.read(&UserId::new("u"), "film x", Timestamp(10)).unwrap();
    assert_eq!((read.global.support, read.global.suppressed), (0, 1));
    assert!(read.global.hits.is_empty());
    assert_eq!(read.global.population, read.global.base);
    close(read.local.hits[0].crowd.unwrap(), MU);
    let stranger = memory.read(&UserId::new("u"), "film never seen", Timestamp(10)).unwrap();
    assert_eq!((stranger.global.support, stranger.global.suppressed), (0, 0), "there is nothing to hold back");
    // The third rater passes it.
    let later = memory.read(&UserId::new("u"), "film x", Timestamp(11)).unwrap();
    assert_eq!((later.global.support, later.global.suppressed), (3, 0));
}

#[test]
fn a_gap_hides_own_recent_ratings_from_local_memory_alone() {
    let day = 86_400;
    let rows = [("a", 0, "x", 5), ("u", 10, "y", 4), ("u", 2 * day, "x", 2)];
    let memory = Memory::build(&dataset(&rows, 1));
    let apart = Apart { gap_days: 1.0, ..Apart::default() };
    let read = memory.read_apart(&UserId::new("u"), "film x", None, Timestamp(2 * day + 1), apart).unwrap();
    assert_eq!(read.local.hits.iter().map(|hit| hit.item).collect::<Vec<_>>(), [1]);
    assert_eq!(read.global.support, 1, "the hidden rating is still the person's own");
}

#[test]
fn a_session_gives_back_what_was_weighed() {
    let memory = Memory::build(&dataset(&ROWS, 1));
    let read = memory.read(&UserId::new("u"), "film x", Timestamp(10)).unwrap();
    let written = serde_json::to_string(&event::Evidence::of(&memory, &read)).unwrap();
    let back: event::Evidence = serde_json::from_str(&written).unwrap();
    let labels = &memory.population.labels;
    assert_eq!(back.weighed(labels).unwrap(), evidence(&memory, &read));
    assert!(matches!(back.facet(labels), Ok(Facet::Score(_))));
    assert_eq!(back.facet(&["good".to_owned()]).unwrap_err().field, "labels");
}

/// Beside the share of scores that are just right: how far they are off, in text, in JSON, and as the numbers count them.
#[test]
fn a_session_of_ratings_tells_how_far_scores_are_off() {
    use logoscope::engine::prompt::Arm;
    use logoscope::session::steps::Steps;
    use logoscope::session::{Replay, Session};
    let dir = tempfile::tempdir().unwrap();
    let session = dir.path().join("ratings.jsonl");
    let path = session.to_str().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/product-ratings");
    let run = |arguments: &[&str]| {
        let output = crate::program().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["scenario", "cold-start", "--data", data.to_str().unwrap(), "--model", "none", "--out", path]);
    let told: Value = serde_json::from_str(&run(&["replay", path, "--format", "json"])).unwrap();
    let text = run(&["replay", path]);
    let line = text.lines().find(|line| line.starts_with("MAE ")).unwrap();
    let score = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let recorded = Session::open(&session).unwrap();
    let setting = recorded.header.setting;
    let again = Steps::of(&recorded).remediate(&setting);
    let outcomes = Replay::new(recorded).seek(usize::MAX).outcomes.clone();
    for arm in Arm::ALL {
        let errors: Vec<f64> = told["turns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|turn| (score(&turn["arms"][arm.name()]["answer"]) - score(&turn["asked"]["gold"])).abs())
            .collect();
        let mae = errors.iter().sum::<f64>() / errors.len() as f64;
        assert!((told["arms"][arm.name()]["mae"].as_f64().unwrap() - mae).abs() < 1e-12, "{}", arm.name());
        assert!(line.contains(&format!("{mae:.3}")), "{line}");
        // The recording, and the same setting mediated again.
        let of = |errors: [Option<f64>; 4]| errors[arm as usize].unwrap();
        let recorded: Vec<f64> = outcomes.iter().map(|outcome| of(outcome.errors)).collect();
        assert_eq!(recorded, errors);
        assert_eq!(again.iter().map(|row| of(row.outcome.errors)).collect::<Vec<_>>(), errors);
    }
    let labels = dir.path().join("labels.jsonl");
    fs::write(&labels, logoscope::data::sample::sessions()[0].1).unwrap();
    assert!(!run(&["replay", labels.to_str().unwrap()]).contains("MAE"), "of ratings alone");
}

#[test]
fn a_later_title_hides_no_thing_of_that_name() {
    let mut rows = dataset(&ROWS, 1);
    let now = Memory::build(&rows).read(&UserId::new("u"), "x", Timestamp(10)).unwrap();
    assert_eq!(now.global.support, 2, "x is known by its identity");
    rows.interactions.push(Interaction { query: "x".to_owned(), ..rating(7, "c", 12, "z", 2) });
    let later = Memory::build(&rows);
    assert_eq!(later.read(&UserId::new("u"), "x", Timestamp(10)).unwrap().global, now.global);
    assert_eq!(later.nearest_things("x", Timestamp(10)), None);
    let empty: &[&str] = &[];
    assert_eq!(later.nearest_things("z", Timestamp(10)).as_deref(), Some(empty), "z is not there yet");
}

fn random() -> impl Strategy<Value = Dataset> {
    let one = (0..6usize, 0..40i64, 0..5usize, 1..6usize);
    (proptest::collection::vec(one, 1..60), 1..4usize).prop_map(|(rows, guard)| {
        let row = |(id, (user, at, thing, score)): (usize, (usize, i64, usize, usize))| {
            rating(id, &format!("u{user}"), at, &format!("t{thing}"), score)
        };
        let mut interactions: Vec<Interaction> = rows.into_iter().enumerate().map(row).collect();
        interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Dataset { manifest: manifest(guard), interactions, queries: Vec::new() }
    })
}

/// A read in terms of identities, since indexes differ between datasets.
fn told(memory: &Memory, read: &MemoryRead) -> String {
    let hit = |hit: &logoscope::memory::local::LocalHit| {
        (memory.population.id[hit.item].to_owned(), hit.terms, hit.crowd, hit.recency_rank)
    };
    format!("{:?} {:?} {:?}", read.local.hits.iter().map(hit).collect::<Vec<_>>(), read.global, read.scored)
}

proptest! {
    #[test]
    fn nothing_from_the_future_is_read(dataset in random(), user in 0..7usize, thing in 0..6usize, t in 0..45i64) {
        let (user, text) = (UserId::new(format!("u{user}")), format!("film t{thing}"));
        let mut past = dataset.clone();
        past.interactions.retain(|i| i.at < Timestamp(t));
        let (whole, past) = (Memory::build(&dataset), Memory::build(&past));
        let (a, b) = (whole.read(&user, &text, Timestamp(t)).unwrap(), past.read(&user, &text, Timestamp(t)).unwrap());
        prop_assert_eq!(told(&whole, &a), told(&past, &b));
    }

    /// Of a turn without answers: a session that was cut there, or memory alone before the arms have spoken.
    #[test]
    fn an_override_goes_by_the_median(
        dataset in random(), user in 0..6usize, thing in 0..5usize, kappa in 0.1..10.0f64
    ) {
        let memory = Memory::build(&dataset);
        let policy = Policy::Shrinkage;
        let weights = Weights::defaults(policy, &dataset.manifest).with(Weight::PriorStrength, kappa);
        let setting = event::Setting { weights, policy };
        let asked = event::Asked {
            user: UserId::new(format!("u{user}")),
            at: Timestamp(45),
            query: format!("film t{thing}"),
            gold: None,
            form: None,
            source: None,
            held: None,
        };
        let mut folded = Folded::new(setting);
        for event in turn(&memory, None, setting, &mut Course::default(), asked).unwrap() {
            if event.tag() != "answered" {
                folded.apply(&Arc::new(event));
            }
        }
        let turn = folded.turn.as_ref().unwrap();
        prop_assert_eq!(turn.outcome().overridden, turn.resolution().unwrap().overrides_local);
    }

    /// A thing is asked for by its identity, in words that somebody uses of another thing, before or after.
    #[test]
    fn what_a_question_is_about_is_not_told_by_the_future(
        dataset in random(), user in 0..7usize, thing in 0..6usize, other in 0..5usize, since in 0..45i64, t in 0..45i64
    ) {
        let (user, text) = (UserId::new(format!("u{user}")), format!("t{thing}"));
        let mut called = dataset;
        let same = called.interactions.iter_mut().filter(|i| i.at >= Timestamp(since));
        let same = same.filter(|i| i.item.as_deref() == Some(&*format!("t{other}")));
        same.for_each(|i| i.query.clone_from(&text));
        let mut past = called.clone();
        past.interactions.retain(|i| i.at < Timestamp(t));
        let (whole, past) = (Memory::build(&called), Memory::build(&past));
        let (a, b) = (whole.read(&user, &text, Timestamp(t)).unwrap(), past.read(&user, &text, Timestamp(t)).unwrap());
        prop_assert_eq!(told(&whole, &a), told(&past, &b));
        prop_assert_eq!(whole.nearest_things(&text, Timestamp(t)), past.nearest_things(&text, Timestamp(t)));
    }

    #[test]
    fn the_crowd_is_what_it_would_be_without_the_asking_person(
        dataset in random(), user in 0..6usize, thing in 0..5usize, t in 0..45i64
    ) {
        let (user, text) = (UserId::new(format!("u{user}")), format!("film t{thing}"));
        let mut others = dataset.clone();
        others.interactions.retain(|i| i.user != user);
        let with = Memory::build(&dataset).read(&user, &text, Timestamp(t)).unwrap();
        let without = Memory::build(&others).read(&user, &text, Timestamp(t)).unwrap();
        prop_assert_eq!(with.global.support, without.global.support);
        prop_assert_eq!(with.global.suppressed, without.global.suppressed);
        for (a, b) in with.global.population.iter().zip(&without.global.population) {
            prop_assert!((a - b).abs() < 1e-9);
        }
        prop_assert!((with.scored.unwrap().crowd - without.scored.unwrap().crowd).abs() < 1e-9);
    }

    #[test]
    fn the_mean_is_the_crowds_and_the_persons_damped_departure(
        dataset in random(), user in 0..6usize, thing in 0..5usize, kappa in 0.1..10.0f64
    ) {
        let memory = Memory::build(&dataset);
        let read = memory.read(&UserId::new(format!("u{user}")), &format!("film t{thing}"), Timestamp(45)).unwrap();
        let evidence = evidence(&memory, &read);
        let weights = Weights { prior_strength: kappa, ..Weights::defaults(Policy::Shrinkage, &memory.manifest) };
        let resolution = mediate(&evidence, &weights, Policy::Shrinkage);
        let scored = read.scored.unwrap();
        // Σ w y′ and Σ w with the kernel written out.
        let nearest = read.local.hits.iter().map(|hit| hit.terms.similarity()).fold(0.0, f64::max);
        let (mut sum, mut mass) = (0.0, 0.0);
        for hit in &read.local.hits {
            let near = (weights.similarity_sharpness * (hit.terms.similarity() - nearest)).exp();
            let w = near * 0.5f64.powf(hit.recency_rank as f64 / weights.half_life);
            sum += w * (scored.crowd + hit.residual(&scored.steps).unwrap()).clamp(1.0, 5.0);
            mass += w;
        }
        let expected = (sum + kappa * scored.crowd) / (mass + kappa);
        let mean = resolution.facet.mean(&resolution.distribution).unwrap();
        prop_assert!((mean - expected).abs() < 1e-9, "{mean} {expected}");
        prop_assert!((resolution.mass - mass).abs() < 1e-9);
    }
}

fn logoscope(args: &[&str]) -> String {
    let output = crate::program().args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Writes the dataset of [`ROWS`] with two judged queries: u asks about x, v, who is new, about y.
fn folder(dir: &Path) -> String {
    let dataset = dataset(&ROWS, 1);
    let lines = |values: Vec<Value>| values.iter().map(|value| format!("{value}\n")).collect::<String>();
    let interactions = dataset.interactions.iter().map(|i| serde_json::to_value(i).unwrap()).collect();
    let query = |id: &str, user: &str, thing: &str, gold: &str| json!({"id": id, "user": user, "at": 10, "query": format!("film {thing}"), "item": thing, "gold": gold});
    let queries = vec![query("q1", "u", "x", "5"), query("q2", "v", "y", "2")];
    fs::write(dir.join("dataset.toml"), toml::to_string(&dataset.manifest).unwrap()).unwrap();
    fs::write(dir.join("interactions.jsonl"), lines(interactions)).unwrap();
    fs::write(dir.join("queries.jsonl"), lines(queries)).unwrap();
    dir.to_str().unwrap().to_owned()
}

#[test]
fn a_question_about_no_thing_says_so_and_names_titles_that_are_like_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = folder(dir.path());
    let ask = |query: &str, form: &str| {
        logoscope(&["ask", "--data", &data, "--model", "none", "--user", "u", "--query", query, "--format", form])
    };
    let told = ask("FILM", "text");
    assert!(told.contains("no thing of the dataset is called 'FILM'; nearest: 'film x', 'film y'; what"), "{told}");
    assert!(ask("opera", "text").contains("is called 'opera'; what others give to everything"), "nothing is like it");
    let crowd = |query: &str| serde_json::from_str::<Value>(&ask(query, "json")).unwrap()["global"]["crowd"].clone();
    assert_eq!((&crowd("opera")["named"], &crowd("opera")["nearest"]), (&false.into(), &json!([])));
    assert!(crowd("film x").get("named").is_none());
}

#[test]
fn a_tiny_evaluation_gives_the_figures_computed_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let data = folder(dir.path());
    let report: Value = serde_json::from_str(&logoscope(&["eval", "--data", &data, "--format", "json"])).unwrap();
    assert_eq!((&report["policy"], &report["guard"], &report["n"]), (&"shrinkage".into(), &1.into(), &2.into()));
    assert!(report.get("gap_days").is_none());
    // v hears u's 4 as well: .5, 1.5, 1.5, 2.5, 1.5 of 7.5, mean 3.4; y has 3, 2 and 4.
    let (crowd_x, crowd_y) = ((9.0 + 5.0 * MU) / 7.0, (9.0 + 17.0) / 8.0);
    let means = |q1: f64, q2: f64| (((q1 - 5.0f64).powi(2) + (q2 - 2.0f64).powi(2)) / 2.0).sqrt();
    for (arm, mae, rmse) in [
        // Medians 3 and 4.
        ("none", (2.0 + 2.0) / 2.0, means(MU, 3.4)),
        // 4 and, without history, the base rate's 4.
        ("local", (1.0 + 2.0) / 2.0, means((4.0 + MU) / 2.0, 3.4)),
        // 4 and 3.
        ("global", (1.0 + 1.0) / 2.0, means(crowd_x, crowd_y)),
        ("mediated", (1.0 + 1.0) / 2.0, means((4.0 + 4.0 / 7.0 + crowd_x) / 2.0, crowd_y)),
    ] {
        let arm = &report["arms"][arm];
        close(arm["mae"].as_f64().unwrap(), mae);
        close(arm["rmse"].as_f64().unwrap(), rmse);
        assert!(arm.get("accuracy").is_none());
        let pooled = arm["pooled"].as_array().unwrap();
        assert_eq!(pooled.iter().map(|b| b["n"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 1, 0, 0, 0]);
    }
    assert_eq!(report["overrides"], json!({"overridden": 1, "rescued": 1, "suppressed": 0, "even": 0}));
    assert_eq!(report["disagreement"]["n"], 1);
    close(report["disagreement"]["mae"]["local"].as_f64().unwrap(), 2.0);
    let against = |name: &str| {
        let paired = report["paired"].as_array().unwrap();
        paired.iter().find(|paired| paired["against"] == name).unwrap().clone()
    };
    let none = against("none");
    close(none["mae"].as_f64().unwrap(), -1.0);
    assert_eq!((&none["wins"], &none["losses"], &none["p"]), (&2.into(), &0.into(), &0.5.into()));
    assert_eq!((&against("global")["wins"], &against("global")["p"]), (&0.into(), &1.0.into()));
    close(report["gain"][0]["relative"].as_f64().unwrap(), -0.5);
    let text = logoscope(&["eval", "--data", &data]);
    assert!(text.contains("MAE by visible items of the person (queries)"), "{text}");
}

#[test]
fn asking_tells_means_and_medians() {
    let dir = tempfile::tempdir().unwrap();
    let data = folder(dir.path());
    let ask = ["ask", "--data", &data, "--model", "none", "--user", "u", "--query", "film x", "--at", "10"];
    let text = logoscope(&ask);
    assert!(text.contains("mediated mean 4.1 · median 4"), "{text}");
    assert!(text.contains("crowd 3.1, residual +0.9"), "{text}");
    assert!(text.contains("2 others rated this; crowd mean 3.6"), "{text}");
    let object: Value = serde_json::from_str(&logoscope(&[&ask[..], &["--format", "json"]].concat())).unwrap();
    let mediation = &object["mediation"];
    assert_eq!((&mediation["decision"], &mediation["median"]), (&"4".into(), &4.0.into()));
    close(mediation["mean"].as_f64().unwrap(), (4.0 + 4.0 / 7.0 + (9.0 + 5.0 * MU) / 7.0) / 2.0);
    assert_eq!(object["arms"]["none"]["median"], 3.0);
    assert_eq!(object["global"]["crowd"]["raters"], 2);
    let hit = &object["local"]["hits"][0];
    close(hit["residual"].as_f64().unwrap() + hit["crowd"].as_f64().unwrap(), 4.0);
}

#[test]
fn movielens_small_stays_within_its_bounds() {
    let Some(folder) = std::env::var_os("LOGOSCOPE_REAL_DATA") else {
        eprintln!("skipped: LOGOSCOPE_REAL_DATA does not name a data folder");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("movielens");
    let watch = Watch { cancel: &AtomicBool::new(false), progress: &mut |_| () };
    import_folder(&Path::new(&folder).join("movielens-small"), "movielens", Some(&data), watch).unwrap();
    let args = ["eval", "--data", data.to_str().unwrap(), "--split", "0.8", "--fit", "--peers", "--format", "json"];
    let report: Value = serde_json::from_str(&logoscope(&args)).unwrap();
    assert_eq!((&report["n"], &report["users"]), (&20_168.into(), &116.into()));
    let rounded = |value: &Value| (value.as_f64().unwrap() * 1000.0).round() as i64;
    let figures = |peer: &str| ["mae", "rmse"].map(|metric| rounded(&report["peers"][peer][metric]));
    assert_eq!(figures("global-mean"), [854, 1079]);
    assert_eq!(figures("user-bias"), [703, 919]);
    assert_eq!(figures("item-bias"), [794, 1020]);
    assert_eq!(figures("user-and-item"), [667, 891]);
    let mediated = &report["arms"]["mediated"];
    assert!(mediated["mae"].as_f64().unwrap() <= 0.61 && mediated["rmse"].as_f64().unwrap() <= 0.81, "{mediated}");
    for peer in ["user-and-item", "item-then-user"] {
        let paired = report["paired"].as_array().unwrap();
        let paired = paired.iter().find(|paired| paired["against"] == peer).unwrap();
        assert!(paired["mae"].as_f64().unwrap() < 0.0 && paired["p_holm"].as_f64().unwrap() < 0.05, "{paired}");
    }
}

#[test]
fn the_query_screen_of_ratings() {
    let more = [("d", 6, "z", 2), ("e", 7, "x", 5), ("u", 8, "z", 1)];
    let mut rows = ROWS[..5].to_vec();
    rows.extend(more);
    let mut dataset = dataset(&rows, 2);
    dataset.queries.push(JudgedQuery {
        id: "q1".into(),
        user: UserId::new("u"),
        at: Timestamp(10),
        query: "film x".into(),
        gold: Some("5".into()),
        item: Some("x".into()),
        extra: dataset.interactions[0].extra.clone(),
    });
    let memory = Memory::build(&dataset);
    let read = memory.read(&UserId::new("u"), "film x", Timestamp(10)).unwrap();
    let mut state = State::new(Start { dataset_name: "stars".into(), ..Start::default() });
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset))));
    update(&mut state, Message::MemoryBuilt { periods: 1, opening: Some(0) });
    let blocks = Box::new(Blocks::of(&memory, "film x", &read));
    let ticket = state.ticket;
    update(&mut state, Message::MemoryRead { ticket, read: Box::new(read), blocks, heard: None });
    assert_eq!(state.setting.policy, Policy::Shrinkage);
    insta::assert_snapshot!("ratings-120x40", text_of(&drawn(&state, 120, 40)));
    // A slider acts: the heavier the prior, the nearer the mean to the crowd's.
    let mean = |state: &State| {
        let resolution = &state.reading.as_ref().unwrap().resolution;
        resolution.facet.mean(&resolution.distribution).unwrap()
    };
    let before = mean(&state);
    assert_eq!(state.weight, Weight::PriorStrength);
    press(&mut state, &["l", "l", "l", "l"]);
    let crowd = state.reading.as_ref().unwrap().read.scored.as_ref().unwrap().crowd;
    assert!((mean(&state) - crowd).abs() < (before - crowd).abs());
    assert!(state.ignored(Weight::CommunityFocus).is_some());
}

/// It said that nobody had rated this, whether there was such a thing or not.
#[test]
fn a_typed_question_about_no_thing_says_so_in_its_pane() {
    let (out, inbox) = mpsc::channel();
    let source = Source::Given(Box::new(dataset(&ROWS, 1)));
    let worker = MemoryWorker::start(source, || {}, out).unwrap();
    let mut state = State::new(Start { dataset_name: "stars".into(), ..Start::default() });
    let told = |keys: &[&str], text: &str, state: &mut State| {
        press(state, keys);
        update(state, Message::Paste(text.to_owned()));
        for effect in press(state, &["enter"]) {
            if let Effect::Read(request) = effect {
                worker.read(request);
            }
        }
        while state.heard != state.ticket {
            update(state, inbox.recv_timeout(PATIENCE).unwrap());
        }
        let screen = text_of(&drawn(state, 200, 60));
        // The pane alone, its lines joined.
        let pane = screen.lines().skip(4).filter_map(|line| line.rsplit('│').nth(1)).take(4);
        pane.map(str::trim).collect::<Vec<_>>().join(" ")
    };
    while state.memory != MemoryState::Ready {
        update(&mut state, inbox.recv_timeout(PATIENCE).unwrap());
    }
    let pane = told(&["i"], "FILM", &mut state);
    assert!(pane.contains("no thing of the dataset is called 'FILM'; nearest: 'film x', 'film y'; what"), "{pane}");
    let pane = told(&["i"], "film y", &mut state);
    assert!(pane.contains("besides this person rated this") && !pane.contains("no thing"), "{pane}");
    // Nobody has rated it by then, and somebody will.
    told(&["i"], "film x", &mut state);
    let pane = told(&["d", "ctrl-u"], "1970-01-01", &mut state);
    assert!(pane.contains("nobody else has rated this yet"), "{pane}");
}
