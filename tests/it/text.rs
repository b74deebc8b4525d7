//! Text tasks: form in the place of labels, length and words beside it, from memory to the screen.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use logoscope::app::effect::Effect;
use logoscope::app::message::{Heard, Message};
use logoscope::app::state::{Data, Start, State};
use logoscope::app::update::update;
use logoscope::data::dataset::Dataset;
use logoscope::data::form::{Form, log_words};
use logoscope::data::interaction::{Timestamp, UserId};
use logoscope::data::synth::{Parameters, headlines};
use logoscope::engine::engine::{Cancel, Caps, Engine, GenEvent, GenRequest, GenStats, Generation, ScoreKind};
use logoscope::engine::error::EngineError;
use logoscope::engine::host::{HostEvent, Ticket};
use logoscope::engine::prompt::{Arm, Blocks};
use logoscope::eval::contest::Contest;
use logoscope::eval::experiment::{Setting as Asking, run, run_with_model};
use logoscope::eval::metrics::{Measures, Metric, TaskMeasures, add};
use logoscope::eval::split::{Asked, Split};
use logoscope::eval::stats::Unit;
use logoscope::forget::{Request, forget};
use logoscope::mediator::evidence::Vote;
use logoscope::mediator::{Evidence, Facet, Policy, Weight, Weights, mediate};
use logoscope::memory::trace::Way;
use logoscope::memory::writing::{Crowd, Term, Written};
use logoscope::memory::{Apart, Memory};
use logoscope::session::check::{Verdict, check};
use logoscope::session::event::{self, Event, ModelId, Setting};
use logoscope::session::redact::Redaction;
use logoscope::session::scenario::{Plan, Scenario, Voice};
use logoscope::session::{Replay, Session};
use proptest::prelude::*;
use serde_json::Value;

use crate::population::{as_texts, datasets, query};
use crate::screens::{drawn, press, text_of};

fn small() -> Dataset {
    headlines(&Parameters { users: 40, mean_history: 20, seed: 9001, ..Parameters::of_headlines() }).0
}

fn defaults(dataset: &Dataset) -> Setting {
    let policy = Policy::of(dataset.manifest.task);
    Setting { weights: Weights::defaults(policy, &dataset.manifest), policy }
}

/// Writes the same text to everything, and scores nothing.
struct Parrot(Caps);

const SAID: &str = "What the harbour knows";

impl Parrot {
    fn new() -> Self {
        let (name, device, dtype) = ("parrot".to_owned(), "cpu".to_owned(), "f32".to_owned());
        Self(Caps { name, device, dtype, parameters: 1, max_context: 4096, score: ScoreKind::Exact, chat: false })
    }
}

impl Engine for Parrot {
    fn caps(&self) -> &Caps {
        &self.0
    }

    fn generate(&self, req: GenRequest) -> Generation {
        assert!(req.labels.is_empty(), "labels of a text task are not scored");
        assert!(req.max_tokens > 24, "a text needs more room than a label");
        let stats = GenStats { tokens: 4, ..GenStats::default() };
        let said = [GenEvent::Token(SAID.to_owned()), GenEvent::Done(stats)];
        Generation::new(Cancel::default(), said.into_iter())
    }

    fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(Vec::new())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn others_tell_no_more_than_the_guard_allows(
        dataset in datasets(100), user in 0..13usize, words in proptest::collection::vec(0..12usize, 1..5)
    ) {
        let (dataset, guard) = (as_texts(dataset.clone()), dataset.manifest.retrieval.guard);
        let (asking, t) = (UserId::new(format!("u{user}")), Timestamp(6_000_000));
        let ask = |dataset: &Dataset| Memory::build(dataset).read(&asking, &query(&words), t).unwrap();
        let read = ask(&dataset);
        let written = read.written.unwrap();
        let others: BTreeSet<&UserId> = dataset.interactions.iter().map(|i| &i.user).filter(|u| **u != asking).collect();
        prop_assert_eq!(written.crowd.is_some(), others.len() >= guard && !others.is_empty());
        prop_assert!(written.crowd.is_none_or(|crowd| crowd.support == 0 || crowd.support >= guard));
        for term in &written.terms {
            let users: BTreeSet<&UserId> = dataset
                .interactions
                .iter()
                .filter(|i| i.user != asking && i.response.split(|c: char| !c.is_alphanumeric()).any(|w| w == term.word))
                .map(|i| &i.user)
                .collect();
            prop_assert!(users.len() >= guard, "'{}' was written by {} others", term.word, users.len());
        }
        // What the asking person wrote counts for nobody else: neither its length nor its words.
        let mut changed = dataset.clone();
        for i in changed.interactions.iter_mut().filter(|i| i.user == asking) {
            i.response = "one quite different and much longer text about hidden things and more of them".to_owned();
        }
        let after = ask(&changed).written.unwrap();
        prop_assert_eq!(&after.terms, &written.terms);
        for (before, after) in written.crowd.iter().zip(&after.crowd) {
            for (a, b) in [(before.mean, after.mean), (before.near, after.near), (before.deviation, after.deviation)] {
                prop_assert!((a - b).abs() < 1e-6, "{before:?} {after:?}");
            }
        }
    }
}

prop_compose! {
    fn evidence()(
        own in proptest::collection::vec((0..4usize, 0.0..1.0f64, 0.0..400.0f64, 0.0..3.5f64), 0..12),
        base in proptest::collection::vec(0.05..1.0f64, 4), global in proptest::collection::vec(0.05..1.0f64, 4),
        mean in 0.5..3.0f64, near in 0.5..3.0f64, deviation in 0.0..1.0f64, terms in (0..7usize, 0..7usize),
    ) -> Evidence {
        let normal = |p: &[f64]| p.iter().map(|x| x / p.iter().sum::<f64>()).collect::<Vec<_>>();
        let vote = |(item, (label, near, age, length)): (usize, (usize, f64, f64, f64))| {
            Vote { length, ..Vote::plain(label, near, age).of_item(item) }
        };
        let words = |n: usize| (0..n).map(|n| Term { word: format!("w{n}"), z: 2.0, texts: 2, of: 9 }).collect();
        Evidence {
            facet: Facet::Form,
            base: normal(&base),
            votes: own.into_iter().enumerate().map(vote).collect(),
            population: normal(&global),
            community: normal(&global),
            support: 9,
            suppressed: 0,
            guard: 5,
            local_calibration: 0.9,
            novelty: 0.0,
            written: Some(Written {
                crowd: Some(Crowd { mean, near, deviation, support: 9 }),
                own_terms: words(terms.0),
                terms: words(terms.1),
            }),
        }
    }
}

proptest! {
    #[test]
    fn form_and_length_follow_both_sides(e in evidence(), policy in 0..3usize, reverse in any::<bool>()) {
        let policy = [Policy::Product, Policy::Shrinkage, Policy::Linear][policy];
        let weights = Weights::default();
        let r = mediate(&e, &weights, policy);
        let style = r.style.unwrap();
        let length = style.length;
        prop_assert!((r.distribution.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        prop_assert!(length.spread.unwrap() >= 0.0 && style.own_terms + style.terms <= 6);
        // Without own texts the others decide, exactly.
        let nobody = mediate(&Evidence { votes: Vec::new(), ..e.clone() }, &weights, policy);
        let alone = nobody.style.unwrap().length;
        prop_assert_eq!(alone.mediated, alone.global);
        prop_assert_eq!(alone.local, alone.base);
        for (p, q) in nobody.distribution.iter().zip(&nobody.global) {
            prop_assert!((p - q).abs() < 1e-9);
        }
        if !e.votes.is_empty() {
            // Between both sides' means, nearer to the others' the heavier the prior.
            let at = |kappa: f64| {
                let weights = weights.with(Weight::PriorStrength, kappa);
                mediate(&e, &weights, policy).style.unwrap().length.mediated.unwrap()
            };
            let near = e.written.as_ref().unwrap().crowd.unwrap().near;
            let gaps: Vec<f64> = [0.01, 0.1, 1.0, 10.0, 100.0].map(|kappa| (at(kappa) - near).abs()).to_vec();
            prop_assert!(gaps.is_sorted_by(|a, b| *a >= *b - 1e-12), "{gaps:?}");
            let own = |f: fn(f64, f64) -> f64, from: f64| e.votes.iter().map(|vote| vote.length).fold(from, f);
            let (low, high) = (own(f64::min, near), own(f64::max, near));
            prop_assert!((low - 1e-9..=high + 1e-9).contains(&length.mediated.unwrap()));
        }
        // The order of votes does not matter.
        let mut votes = e.votes.clone();
        if reverse { votes.reverse() } else { votes.rotate_left(e.votes.len() / 2) }
        let again = mediate(&Evidence { votes, ..e.clone() }, &weights, policy).style.unwrap();
        prop_assert!((again.length.mediated.unwrap() - length.mediated.unwrap()).abs() < 1e-9);
        prop_assert_eq!((again.own_terms, again.terms), (style.own_terms, style.terms));
    }
}

/// The example in docs/mediator.md, word by word.
#[test]
fn the_worked_lengths_are_computed() {
    let vote = |item, words: f64| Vote { length: words.ln(), ..Vote::plain(0, 0.5, 0.0).of_item(item) };
    let term = |n: usize| Term { word: format!("w{n}"), z: 2.0, texts: 2, of: 9 };
    let (own, others): ([f64; 2], f64) = ([4.0, 9.0], 12.0);
    let evidence = Evidence {
        facet: Facet::Form,
        base: vec![0.5, 0.5],
        votes: vec![vote(0, own[0]), vote(1, own[1])],
        population: vec![0.5, 0.5],
        community: vec![0.5, 0.5],
        support: 9,
        suppressed: 0,
        guard: 5,
        local_calibration: 1.0,
        novelty: 0.0,
        written: Some(Written {
            crowd: Some(Crowd { mean: 10f64.ln(), near: others.ln(), deviation: 0.4, support: 9 }),
            own_terms: (0..6).map(term).collect(),
            terms: (0..6).map(term).collect(),
        }),
    };
    let weights = Weights::default().with(Weight::PriorStrength, 1.0);
    let style = mediate(&evidence, &weights, Policy::Product).style.unwrap();
    let words = |length: Option<f64>| length.unwrap().exp();
    let (length, apart) = (style.length, style.length.conflict.unwrap());
    let told = format!(
        "Two equally near texts of {} and {} words, κ = 1; others write {others} words to this and 10 on average, \
         standard deviation .4: local {:.1} words, global {:.1}, mediated {:.1}, λ = {:.2}; ō is {:.1} words, {:.2} \
         standard errors from the others' {others}: a conflict. Of six words {} are the person's.",
        own[0],
        own[1],
        words(length.local),
        words(length.global),
        words(length.mediated),
        style.local_share,
        apart.own.exp(),
        apart.errors,
        style.own_terms
    );
    let page = include_str!("../../docs/mediator.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(&told), "{told}");
}

/// Both memories are worth something in the generated world, and together more, in form and in length.
/// Whatever was written can be remembered: a text task has no list of answers.
#[test]
fn a_session_that_remembers_texts_is_computed_again() {
    use logoscope::session::rerun::Anew;
    use logoscope::session::scenario::{Plan, Scenario};

    let (dataset, setting) = (small(), defaults(&small()));
    let did = |user: &UserId| dataset.interactions.iter().filter(|interaction| interaction.user == *user).count();
    let busiest = dataset.users().into_iter().max_by_key(did).unwrap();
    let plan = Plan::of(Scenario::ColdStart, &dataset, Some(&busiest), &setting, None).unwrap();
    let session = plan.record(&dataset, setting, None).unwrap();
    assert!(session.events.iter().any(|event| matches!(event.as_ref(), Event::Remembered { .. })));
    let anew = Anew { dataset: &dataset, voice: None, weights: Vec::new(), policy: None };
    let again = anew.rerun(&session).unwrap();
    assert_eq!(again.events.len(), session.events.len());
    assert!(!check(&again, &dataset).unwrap().differs());
}

#[test]
fn mediation_is_better_than_either_side_on_headlines() {
    let mut sums = vec![vec![0.0; 0]; 4];
    for seed in [9001, 9002] {
        let dataset = headlines(&Parameters { seed, ..Parameters::of_headlines() }).0;
        let measures = TaskMeasures::of(&dataset.manifest).unwrap();
        let memory = Memory::build(&dataset);
        let asked = Asked::of(&dataset, Split::Share { share: 0.8 }).unwrap();
        let Setting { policy, weights } = defaults(&dataset);
        let setting = Asking { policy, weights, apart: Apart::default() };
        let answered = run(&memory, &asked.questions, setting, &AtomicBool::new(false), &mut |_| ()).unwrap();
        for (question, answered) in asked.questions.iter().zip(&answered) {
            for (sums, answer) in sums.iter_mut().zip(&answered.arms) {
                sums.resize(measures.width(), 0.0);
                add(sums, &measures.row(question.gold, answer));
            }
        }
        let of = |arm: Arm, metric| measures.value(metric, &sums[arm as usize]).unwrap();
        for metric in [Metric::LogLoss, Metric::LengthError] {
            let [none, local, global, mediated] = Arm::ALL.map(|arm| of(arm, metric));
            assert!(mediated < local.min(global), "{} {local} {global} {mediated}", metric.name());
            assert!(local.max(global) < none + 0.02, "{} {none} {local} {global}", metric.name());
        }
        assert!(of(Arm::Mediated, Metric::Accuracy) > of(Arm::Local, Metric::Accuracy) + 0.03);
    }
}

#[test]
fn what_a_model_writes_is_judged_by_form_length_and_words() {
    let mut dataset = small();
    dataset.queries.truncate(2);
    dataset.queries[0].gold = Some("what the harbour master knows".to_owned());
    dataset.queries[1].gold = Some("Nothing!".to_owned());
    let (memory, measures) = (Memory::build(&dataset), TaskMeasures::of(&dataset.manifest).unwrap());
    let asked = Asked::of(&dataset, Split::Judged).unwrap();
    let Setting { policy, weights } = defaults(&dataset);
    let setting = Asking { policy, weights, apart: Apart::default() };
    let (cancel, wanted) = (AtomicBool::new(false), [Arm::None, Arm::Mediated]);
    let answered =
        run_with_model(&memory, &Parrot::new(), &asked.questions, setting, &wanted, &cancel, &mut |_| ()).unwrap();
    let mut sums = vec![0.0; measures.width()];
    for (question, answered) in asked.questions.iter().zip(&answered) {
        assert!(answered.spoken[Arm::Local as usize].is_none(), "was not wanted");
        let spoken = answered.spoken[Arm::Mediated as usize].as_ref().unwrap();
        add(&mut sums, &measures.row(question.gold, &spoken.fused));
    }
    let value = |metric| measures.value(metric, &sums).unwrap();
    // One of two is an explainer; four of five words and no word are shared; 4 words against 5 and 1.
    assert_eq!(value(Metric::Accuracy), 0.5);
    assert!((value(Metric::Rouge1) - (8.0 / 9.0) / 2.0).abs() < 1e-12);
    assert!((value(Metric::RougeL) - (8.0 / 9.0) / 2.0).abs() < 1e-12);
    assert!((value(Metric::LengthError) - ((5.0f64 / 4.0).ln() + 4.0f64.ln()) / 2.0).abs() < 1e-12);
    assert_eq!(measures.value(Metric::LogLoss, &sums), None);
    let contest = Contest::of(&wanted, &answered, Vec::new());
    assert_eq!(contest.material(&asked.questions, Unit::People, measures).contestants().count(), 6);
}

/// A recorded session is read back, checked, and mediated again to the same decisions, with a model and without.
#[test]
fn a_recorded_text_session_is_what_live_use_was() {
    let dataset = small();
    let user = dataset.interactions.last().unwrap().user.clone();
    let setting = defaults(&dataset);
    let parrot = Parrot::new();
    for with_model in [false, true] {
        let voice = Voice {
            engine: &parrot,
            model: ModelId { name: "parrot".into(), hash: "0".repeat(64), scores: ScoreKind::Exact },
        };
        let voice = with_model.then_some(&voice);
        let plan = Plan::of(Scenario::ColdStart, &dataset, Some(&user), &setting, voice).unwrap();
        let session = plan.record(&dataset, setting, voice).unwrap();
        let session = Session::parse(Path::new("a.jsonl"), &session.to_bytes().unwrap()).unwrap();
        let report = check(&session, &dataset).unwrap();
        assert!(!report.differs(), "{report:?}");
        let replay = Replay::new(session.clone());
        let mut turns = 0;
        for now in replay.remediate(&setting) {
            let mut at = replay.clone();
            let state = at.seek(replay.turn_ends()[now.turn]).clone();
            let turn = state.turn.unwrap();
            assert_eq!(turn.resolution().unwrap().decision, session.header.labels[now.mediated]);
            assert_eq!(turn.outcome(), now.outcome);
            let answered = turn.answered(Arm::Mediated).unwrap();
            assert_eq!(answered.text, if with_model { SAID } else { "" });
            assert_eq!(
                turn.asked().unwrap().right(),
                Some(Form::of(turn.asked().unwrap().gold.as_ref().unwrap()).name())
            );
            turns += 1;
        }
        assert!(turns >= 10, "{turns}");
        if let Some(engine) = session.engine() {
            let Event::Answered(answered) = session.events.last().map(Arc::as_ref).unwrap() else {
                // The last event of a cold start is what is remembered. Prompts that are alike are one call.
                assert!(engine.len() > turns && engine.len() <= 4 * turns);
                continue;
            };
            panic!("{answered:?}");
        }
        // With pseudonyms it is the same session, and not a word of anybody's.
        let redacted = Redaction::keyed("k").of(&session).unwrap();
        let out = String::from_utf8(redacted.to_bytes().unwrap()).unwrap();
        for written in dataset.interactions.iter().filter(|interaction| interaction.user == user) {
            assert!(!out.contains(&written.response) && !out.contains(&written.query), "{}", written.response);
        }
        assert!(!with_model || !out.contains(SAID));
        let redacted = Session::parse(Path::new("r.jsonl"), out.as_bytes()).unwrap();
        assert!(matches!(check(&redacted, &dataset).unwrap().mediation, Verdict::Equal { compared: 10.. }));
        // A form changed by hand is a difference.
        let told = String::from_utf8(session.to_bytes().unwrap()).unwrap();
        let asked = told.lines().position(|line| line.starts_with("{\"event\":\"asked\"")).unwrap();
        let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
        let form = Form::ALL.iter().find(|form| lines[asked].contains(&format!("\"form\":\"{form}\""))).unwrap();
        lines[asked] = lines[asked].replace(&format!("\"form\":\"{form}\""), "\"form\":\"reply\"");
        let changed = Session::parse(Path::new("a.jsonl"), lines.join("\n").as_bytes()).unwrap();
        assert!(check(&changed, &dataset).unwrap().differs());
    }
}

#[test]
fn prompts_hold_own_texts_and_of_others_only_how_they_write() {
    let dataset = small();
    let memory = Memory::build(&dataset);
    let weights = defaults(&dataset).weights;
    let mut told = 0;
    for asked in &dataset.queries {
        let read = memory.read(&asked.user, &asked.query, asked.at).unwrap();
        let blocks = Blocks::of(&memory, &asked.query, &read);
        let [none, local, global, mediated] = Arm::ALL.map(|arm| blocks.prompt(arm, &weights));
        assert_eq!(none, format!("article: {}\nown: nothing\nothers: nothing\nheadline:", asked.query));
        for hit in read.local.shown() {
            let own = format!("- {} | near ", memory.response(hit.item));
            assert!(local.contains(&own) && mediated.contains(&own), "{own}\n{local}");
        }
        assert_eq!(local.contains("own: nothing"), read.local.visible() == 0);
        told += usize::from(global.contains(" | about ") && global.contains(" words"));
        let others = global.split_once("\nothers:").unwrap().1;
        for other in dataset.interactions.iter().filter(|i| i.user != asked.user) {
            assert!(!others.contains(&other.response), "{}\n{global}", other.response);
        }
    }
    assert!(told > dataset.queries.len() / 2, "{told}");
}

#[test]
fn a_forgotten_writer_leaves_no_text_behind() {
    let dir = tempfile::tempdir().unwrap();
    let [data, stores, recordings, profiles, vectors] =
        ["data", "stores", "recordings", "profiles", "vectors"].map(|name| dir.path().join(name));
    let dataset = small();
    dataset.write(&data).unwrap();
    let user = &dataset.interactions[0].user;
    let request =
        Request { data: &data, user, stores: &stores, recordings: &recordings, profiles: &profiles, vectors: &vectors };
    let receipt = forget(request, &mut |_, _, _| Ok(()), &mut || ()).unwrap();
    let written = |findings: &logoscope::forget::Findings| {
        let traces = findings.memory.as_ref().unwrap();
        traces.iter().find(|trace| trace.way == Way::Written).unwrap().found
    };
    assert!(written(&receipt.before) > 0.0);
    let after = receipt.after.as_ref().unwrap();
    assert_eq!((written(after), after.left()), (0.0, 0));
}

fn logoscope(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::program();
    command.args(arguments).env("HOME", home.path());
    for name in ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn told(arguments: &[&str]) -> String {
    let output = logoscope(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn commands_answer_a_text_task() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("headlines");
    let data = data.to_str().unwrap();
    told(&["synth", "--task", "text", "--users", "40", "--seed", "9001", "--out", data]);
    let dataset = Dataset::open(Path::new(data)).unwrap();
    let asked = dataset.queries.last().unwrap();
    let user = asked.user.as_str();
    let ask = ["ask", "--data", data, "--model", "none", "--user", user, "--query", &asked.query];
    let object: Value = serde_json::from_str(&told(&[&ask[..], &["--format", "json"]].concat())).unwrap();
    let hit = &object["local"]["hits"][0];
    let own = dataset.interactions.iter().find(|i| hit["id"] == i.id.as_str()).unwrap();
    assert_eq!(hit["response"], own.response.as_str());
    assert_eq!(hit["form"], Form::of(&own.response).name());
    assert_eq!(object["mediation"]["distribution"].as_object().unwrap().len(), Form::ALL.len());
    let length = object["arms"]["mediated"]["length"].as_f64().unwrap();
    assert_eq!(object["mediation"]["length"]["mediated"].as_f64(), Some(length));
    assert!((1.0..20.0).contains(&length) && object["arms"]["mediated"]["text"] == "");
    let text = told(&ask);
    assert!(text.contains("memory only, about ") && text.contains(&format!("wrote: {}", own.response)), "{text}");
    told(&["why-not", "--data", data, "--user", user, "--query", &asked.query, &dataset.interactions[0].id]);

    let object: Value =
        serde_json::from_str(&told(&["eval", "--data", data, "--model", "none", "--format", "json"])).unwrap();
    let arm = &object["arms"]["mediated"];
    assert!(arm["length_error"].as_f64().unwrap() < object["arms"]["none"]["length_error"].as_f64().unwrap());
    assert!(arm["rougeL"].is_null() && arm["accuracy"].is_number() && arm["ci"]["length_error"].is_array());
    let session = dir.path().join("cold.jsonl");
    let session = session.to_str().unwrap();
    told(&["scenario", "cold-start", "--data", data, "--model", "none", "--user", user, "--out", session]);
    told(&["replay", session, "--check", "--data", data]);
    let stores = dir.path().join("stores");
    let stores = stores.to_str().unwrap();
    told(&["store", "build", "--data", data, "--store", stores]);
    assert_eq!(told(&[&ask[..], &["--store", stores]].concat()), told(&ask), "its store tells the same");
}

#[test]
fn what_was_always_made_is_still_made() {
    let dir = tempfile::tempdir().unwrap();
    // A population is called what its folder is called.
    let (plain, named) = (dir.path().join("a/film-tags"), dir.path().join("b/film-tags"));
    for (out, more) in [(&plain, &[][..]), (&named, &["--task", "labels"][..])] {
        told(&[&["synth", "--users", "12", "--out", out.to_str().unwrap()], more].concat());
    }
    let hash = |dir: &Path| Dataset::open(dir).unwrap().content_hash();
    assert_eq!(hash(&plain), hash(&named));
    let other = dir.path().join("others");
    told(&["synth", "--users", "12", "--out", other.to_str().unwrap()]);
    assert_eq!(Dataset::open(&other).unwrap().manifest.name, "others");
    let parameters = Parameters { users: 12, ..Parameters::default() };
    assert_eq!(hash(&plain), logoscope::data::synth::population(&parameters).0.content_hash());
}

#[test]
fn the_query_screen_of_texts() {
    let dataset = small();
    let memory = Memory::build(&dataset);
    let judged = dataset.queries.len() - 3;
    let asked = dataset.queries[judged].clone();
    let mut state = State::new(Start { dataset_name: "headlines".into(), ..Start::default() });
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset))));
    update(&mut state, Message::MemoryBuilt { periods: memory.periods(), opening: Some(judged) });
    let speak = |state: &mut State, at: Timestamp| {
        let read = memory.read(&asked.user, &asked.query, at).unwrap();
        let blocks = Box::new(Blocks::of(&memory, &asked.query, &read));
        let ticket = state.ticket;
        update(state, Message::MemoryRead { ticket, read: Box::new(read), blocks, heard: None });
    };
    speak(&mut state, asked.at);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("text-{width}x{height}"), text_of(&drawn(&state, width, height)));
    }
    // The heavier the prior, the nearer the length to the others'.
    let length = |state: &State| state.reading.as_ref().unwrap().resolution.style.unwrap().length;
    let before = length(&state);
    assert_eq!(state.weight, Weight::PriorStrength);
    press(&mut state, &["l", "l", "l", "l"]);
    let gap = |length: logoscope::mediator::style::Length| (length.mediated.unwrap() - length.global.unwrap()).abs();
    assert!(gap(length(&state)) < gap(before));
    assert!(state.ignored(Weight::ModelTrust).is_some());
    // A true text can be remembered as it stands; then it is own memory.
    let effects = press(&mut state, &["R"]);
    let remembered = effects.iter().find_map(|effect| match effect {
        Effect::Remember(interaction) => Some(interaction.response.clone()),
        _ => None,
    });
    assert_eq!(remembered, asked.gold);
    assert!(log_words(&remembered.unwrap()) > 0.0);
}

/// What a model writes is shown and recorded as it stands; the decided form stays memory's.
#[test]
fn a_model_s_text_is_shown_and_recorded() {
    let dataset = small();
    let memory = Memory::build(&dataset);
    let judged = dataset.queries.len() - 3;
    let asked = dataset.queries[judged].clone();
    let start =
        Start { dataset_name: "headlines".into(), model_name: Some("parrot".into()), record: true, ..Start::default() };
    let mut state = State::new(start);
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset))));
    update(&mut state, Message::Host(HostEvent::Ready(Parrot::new().0)));
    update(&mut state, Message::MemoryBuilt { periods: memory.periods(), opening: Some(judged) });
    let read = memory.read(&asked.user, &asked.query, asked.at).unwrap();
    let heard = Heard { evidence: event::Evidence::of(&memory, &read), embedder: memory.embedder() };
    let blocks = Box::new(Blocks::of(&memory, &asked.query, &read));
    let (ticket, heard) = (state.ticket, Some(Box::new(heard)));
    let effects = update(&mut state, Message::MemoryRead { ticket, read: Box::new(read), blocks, heard });
    // Whatever the model will write has no scores: the form that memory decides is what is counted.
    let numbers = state.study.now.as_ref().unwrap();
    assert!(numbers.tally.judged == 1 && numbers.accuracy.iter().all(Option::is_some), "{:?}", numbers.accuracy);
    let requests = effects.iter().find_map(|effect| match effect {
        Effect::Ask { requests, .. } => Some(requests),
        _ => None,
    });
    assert!(requests.unwrap().iter().all(|(_, request)| request.labels.is_empty() && request.max_tokens > 24));
    let epoch = state.answers.epoch;
    for id in 0..4 {
        let ticket = Ticket { epoch, id };
        let stats = GenStats { tokens: 4, ..GenStats::default() };
        update(&mut state, Message::Host(HostEvent::Token { ticket, text: SAID.to_owned() }));
        update(&mut state, Message::Host(HostEvent::Done { ticket, stats }));
    }
    let screen = text_of(&drawn(&state, 200, 60));
    assert_eq!(screen.matches(&format!("“{SAID}”")).count(), 4, "{screen}");
    let written: Vec<&event::Answered> = state
        .journal
        .waiting
        .iter()
        .filter_map(|event| match event {
            Event::Answered(answered) => Some(answered),
            _ => None,
        })
        .collect();
    assert_eq!(written.len(), 4);
    for answered in written {
        assert!(answered.text == SAID && answered.tokens == 4 && answered.seal.is_some());
        assert_eq!(answered.log_probabilities.as_ref().map(|p| p.0.len()), Some(0), "nothing was scored");
        assert!(Form::ALL.iter().any(|form| form.name() == answered.answer));
    }
}
