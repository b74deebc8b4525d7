//! `logoscope eval --predictor model`: every arm asked, what is fused and what each part says by itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use logoscope::data::dataset::Dataset;
use logoscope::data::interaction::Timestamp;
use logoscope::data::sample;
use logoscope::engine::answer::{self, by_model};
use logoscope::engine::engine::{Answer, Caps, Engine, GenRequest, GenStats, Generation};
use logoscope::engine::error::EngineError;
use logoscope::engine::prompt::{Arm, Blocks};
use logoscope::engine::recorded::{RecordedEngine, prompt_hash};
use logoscope::eval::EvalError;
use logoscope::eval::assessment::{Provenance, SCHEMA, SplitReport};
use logoscope::eval::contest::Contest;
use logoscope::eval::experiment::{Setting, run, run_with_model};
use logoscope::eval::metrics::TaskMeasures;
use logoscope::eval::split::{Asked, Range, Split};
use logoscope::eval::stats::{Plan, Unit};
use logoscope::mediator::{Evidence, Policy, Resolution, Weight, Weights, mediate};
use logoscope::memory::{Apart, Memory, MemoryRead};
#[cfg(feature = "local")]
use serde_json::Value;

const OMEGA: f64 = 0.4;

fn setting(dataset: &Dataset) -> Setting {
    let weights = Weights::defaults(Policy::Product, &dataset.manifest).with(Weight::ModelTrust, OMEGA);
    Setting { policy: Policy::Product, weights, apart: Apart::default() }
}

fn asked(dataset: &Dataset) -> Asked<'_> {
    let mut asked = Asked::of(dataset, Split::Judged).unwrap();
    asked.sample(40, 1);
    asked
}

fn read(memory: &Memory, asked: &Asked, ix: usize, setting: Setting) -> (MemoryRead, Resolution) {
    let question = &asked.questions[ix];
    let read = memory.read(question.user, question.text, question.at).unwrap();
    let evidence = Evidence::of(&read, memory.manifest.retrieval.guard, memory.manifest.calibration.local);
    let resolution = mediate(&evidence, &setting.weights, setting.policy);
    (read, resolution)
}

/// An engine that knows exactly the prompts that `ask` would send on these arms, and finds a label of its own choice
/// likely on each: anything else asked of it is an error.
fn recording(memory: &Memory, asked: &Asked, setting: Setting, arms: &[Arm]) -> RecordedEngine {
    let labels = memory.population.labels.clone();
    let mut calls = HashMap::new();
    for ix in 0..asked.questions.len() {
        let (read, _) = read(memory, asked, ix, setting);
        let blocks = Blocks::of(memory, asked.questions[ix].text, &read);
        for (place, arm) in arms.iter().enumerate() {
            let request = answer::request(&blocks, &labels, *arm, &setting.weights);
            let likely = (ix + place) % labels.len();
            let scores = (0..labels.len()).map(|y| if y == likely { -0.5 } else { -3.0 - y as f64 * 0.1 }).collect();
            let stats = GenStats { tokens: 1, ..GenStats::default() };
            calls.insert(prompt_hash(&request.prompt), Answer { scores, text: String::new(), stats });
        }
    }
    RecordedEngine::new("scripted", "paper", labels, calls)
}

#[test]
fn every_arm_is_what_ask_answers_and_its_parts_are_the_ends_of_omega() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let (asked, setting) = (asked(&dataset), setting(&dataset));
    let engine = recording(&memory, &asked, setting, &Arm::ALL);
    let cancel = AtomicBool::new(false);
    let mut heard = Vec::new();
    let found = run_with_model(&memory, &engine, &asked.questions, setting, &Arm::ALL, &cancel, &mut |done| {
        heard.push(done);
    })
    .unwrap();
    assert_eq!(heard, (1..=40).collect::<Vec<_>>());
    let by_memory = run(&memory, &asked.questions, setting, &cancel, &mut |_| ()).unwrap();
    let mut changed = 0;
    for (ix, (answered, plain)) in found.iter().zip(&by_memory).enumerate() {
        assert_eq!(
            (answered.visible, &answered.arms),
            (plain.visible, &plain.arms),
            "memory by itself is memory's run"
        );
        let (read, resolution) = read(&memory, &asked, ix, setting);
        for (place, arm) in Arm::ALL.into_iter().enumerate() {
            let spoken = answered.spoken[place].as_ref().unwrap();
            let ask = |weights: &Weights| {
                by_model(&engine, &memory, asked.questions[ix].text, &read, &resolution, arm, weights).unwrap()
            };
            let expected = ask(&setting.weights);
            assert_eq!(spoken.fused.distribution.as_ref(), Some(&expected.distribution));
            assert_eq!(spoken.fused.decision, expected.decision);
            let alone = spoken.alone.distribution.as_ref().unwrap();
            assert!((alone.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert_eq!(spoken.alone.decision, ask(&setting.weights.with(Weight::ModelTrust, 1.0)).decision);
            changed += usize::from(spoken.fused.decision != answered.arms[place].decision);
        }
    }
    assert!(changed > 0, "a model with a say that never changes anything has none");
}

#[test]
fn fused_answers_are_judged_against_both_parts() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let (asked, setting) = (asked(&dataset), setting(&dataset));
    let wanted = [Arm::Local, Arm::Mediated];
    let engine = recording(&memory, &asked, setting, &wanted);
    let answered =
        run_with_model(&memory, &engine, &asked.questions, setting, &wanted, &AtomicBool::new(false), &mut |_| ())
            .unwrap();
    let contest = Contest::of(&wanted, &answered, Vec::new());
    let measures = TaskMeasures::of(&dataset.manifest).unwrap();
    let assessment = contest.material(&asked.questions, Unit::People, measures).assess(Provenance {
        schema: SCHEMA,
        dataset: "t".into(),
        task: logoscope::data::dataset::TaskKind::Labels,
        records_hash: String::new(),
        settings: None,
        dataset_hash: String::new(),
        predictor: "model",
        model: None,
        split: SplitReport {
            split: Split::Judged,
            history: None,
            queries: Range { n: 40, from: Timestamp(0), to: Timestamp(1) },
            without_gold: 0,
            sampled: asked.sampled,
            fitted_on: None,
        },
        policy: setting.policy,
        weights: Some(setting.weights),
        gap_days: 0.0,
        guard: 1,
        embedder: memory.embedder(),
        plan: Plan { resamples: 50, permutations: 50, seed: 1 },
    });
    let json = serde_json::to_value(&assessment).unwrap();
    let names = |group: &str| json[group].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(names("arms"), "local mediated");
    assert_eq!(names("parts"), "local/model local/memory mediated/model mediated/memory");
    let accuracy = |group: &str, name: &str| json[group][name]["accuracy"].as_f64().unwrap();
    let fused = json["fused"].as_array().unwrap();
    assert_eq!(fused.len(), 4);
    for pair in fused {
        let part = pair["against"].as_str().unwrap();
        let arm = part.split('/').next().unwrap();
        let difference = accuracy("arms", arm) - accuracy("parts", part);
        assert!((pair["accuracy"].as_f64().unwrap() - difference).abs() < 1e-12, "{pair}");
        let (won, lost) = (pair["wins"].as_f64().unwrap(), pair["losses"].as_f64().unwrap());
        assert!((difference - (won - lost) / 40.0).abs() < 1e-12, "{pair}");
    }
    // Memory's part is the arm of an evaluation of memory alone.
    let right = answered.iter().zip(&asked.questions).filter(|(a, q)| a.arms[3].decision == q.gold).count();
    assert_eq!(accuracy("parts", "mediated/memory"), right as f64 / 40.0);
    let text = logoscope::eval::report::text_of(&logoscope::eval::report::sections(&assessment));
    let start = text.find("Fused minus its part").unwrap();
    let section = &text[start..start + text[start..].find("\n\n").unwrap()];
    assert!(section.contains("mediated/model") && section.contains("ω = 1"), "{section}");
}

/// Counts what it is asked and says that somebody wants to stop.
struct Stopping<'a> {
    engine: RecordedEngine,
    asked: AtomicUsize,
    cancel: &'a AtomicBool,
}

impl Engine for Stopping<'_> {
    fn caps(&self) -> &Caps {
        self.engine.caps()
    }

    fn generate(&self, req: GenRequest) -> Generation {
        self.cancel.store(self.asked.fetch_add(1, Ordering::Relaxed) == 4, Ordering::Relaxed);
        self.engine.generate(req)
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.engine.embed(texts)
    }
}

#[test]
fn an_interrupt_is_heard_between_two_calls_and_a_failure_ends_the_run() {
    let dataset = sample::dataset().unwrap();
    let memory = Memory::build(&dataset);
    let (asked, setting) = (asked(&dataset), setting(&dataset));
    let cancel = AtomicBool::new(false);
    let engine = recording(&memory, &asked, setting, &Arm::ALL);
    let stopping = Stopping { engine, asked: AtomicUsize::new(0), cancel: &cancel };
    let outcome = run_with_model(&memory, &stopping, &asked.questions, setting, &Arm::ALL, &cancel, &mut |_| ());
    assert!(matches!(outcome, Err(EvalError::Interrupted)));
    assert_eq!(stopping.asked.load(Ordering::Relaxed), 5);

    let empty = RecordedEngine::new("scripted", "paper", memory.population.labels.clone(), []);
    let cancel = AtomicBool::new(false);
    let outcome = run_with_model(&memory, &empty, &asked.questions, setting, &[Arm::Local], &cancel, &mut |_| ());
    assert!(matches!(outcome, Err(EvalError::Engine(EngineError::Unsupported { .. }))));
}

#[test]
fn a_model_that_cannot_answer_is_refused_before_anything_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("logoscope.json"), "{\"labels\": [\"politics\"]}").unwrap();
    let mut cases = vec![
        (vec!["--model", "none"], "name one, or use --predictor memory"),
        (vec!["--model", other.to_str().unwrap()], "was trained for other labels"),
        (vec!["--ablate"], "use it with --predictor memory"),
    ];
    if cfg!(not(feature = "local")) {
        cases.push((vec![], "this build has no model engine"));
    }
    for (args, expected) in cases {
        let all = [&["eval", "--predictor", "model", "--limit", "3"], args.as_slice()].concat();
        let output = crate::program().args(&all).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(expected) && output.stdout.is_empty(), "{args:?}: {told}");
    }
}

/// The shipped model through the command: its arms are what `ask` answers to the same questions.
#[cfg(feature = "local")]
#[test]
fn nano_judged_by_eval_is_nano_asked_by_ask() {
    let told = |args: &[&str]| {
        let output = crate::program().args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let report = told(&["eval", "--predictor", "model", "--limit", "6", "--format", "json", "--rows"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["predictor"], &report["model"]["name"]), (&"model".into(), &"nano".into()));
    assert!(report["weights"]["model-trust"].as_f64().unwrap() > 0.0, "the sample states ω for nano");
    let dataset = sample::dataset().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("queries.jsonl");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    let line = |row: &Value| {
        let query = dataset.queries.iter().find(|query| query.id == row["id"]).unwrap();
        serde_json::to_string(query).unwrap() + "\n"
    };
    std::fs::write(&file, rows.iter().map(line).collect::<String>()).unwrap();
    let asked = told(&["ask", "--queries", file.to_str().unwrap(), "--format", "json"]);
    for (row, line) in rows.iter().zip(asked.lines()) {
        let asked: Value = serde_json::from_str(line).unwrap();
        for arm in Arm::ALL.map(Arm::name) {
            let (judged, answered) = (&row["answers"][arm], &asked["arms"][arm]);
            assert_eq!(judged["answer"], answered["answer"]);
            let p = answered["distribution"][row["gold"].as_str().unwrap()].as_f64().unwrap();
            assert!((judged["p_gold"].as_f64().unwrap() - p).abs() < 1e-5, "{arm}: {judged} is not {p}");
        }
    }
}
