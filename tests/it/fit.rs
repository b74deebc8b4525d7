//! `logoscope fit`: constants from the history alone, and nothing else.
use std::sync::atomic::AtomicBool;

use logoscope::data::dataset::{AgeUnit, Dataset};
use logoscope::data::interaction::Timestamp;
use logoscope::data::sample;
use logoscope::eval::EvalError;
use logoscope::eval::ablate::{Variant, ablate};
use logoscope::eval::fit::{Fitted, fit, tuning};
use logoscope::eval::metrics::LabelMeasures;
use logoscope::eval::stats::Plan;
use logoscope::memory::{Apart, Memory};
use serde_json::Value;

use crate::population::{interaction, manifest};

/// 480 answers of 12 people: a word decides for half of them, the person's own label for the others.
fn history() -> Dataset {
    let mut interactions: Vec<_> = (0..480usize)
        .map(|ix| {
            let (user, word, other) = (ix % 12, ix * 7 % 11, ix * 5 % 7);
            let label = if (ix * 13 + user) % 5 < 3 { word % 4 } else { user % 4 };
            interaction(ix, user, ix as i64 * 10_000, &[word, other], label)
        })
        .collect();
    interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Dataset { manifest: manifest(4, 3), interactions, queries: Vec::new() }
}

fn fitted(dataset: &Dataset, history: usize) -> (Memory, Result<Fitted, EvalError>) {
    fitted_apart(dataset, history, Apart::default())
}

fn fitted_apart(dataset: &Dataset, history: usize, apart: Apart) -> (Memory, Result<Fitted, EvalError>) {
    let mut memory = Memory::build(dataset);
    let found = fit(&mut memory, &dataset.interactions[..history], apart, &AtomicBool::new(false), &mut |_| ());
    (memory, found)
}

#[test]
fn a_gap_hides_what_people_did_last_from_a_fit_and_from_ablations() {
    let dataset = history();
    // Everybody answers every 1.4 days.
    let gap = Apart { gap_days: 3.0, ..Apart::default() };
    let before = |apart| fitted_apart(&dataset, 400, apart).1.unwrap().before;
    assert_ne!(before(gap), before(Apart::default()));
    let questions = tuning(&dataset.manifest, &dataset.interactions);
    let measures = LabelMeasures { labels: 4 };
    let whole = |apart| {
        let mut memory = Memory::build(&dataset);
        let cancel = AtomicBool::new(false);
        let plan = Plan::seeded(1);
        let found = ablate(&mut memory, &questions, &[], apart, measures, plan, &cancel).unwrap();
        found[0].log_loss
    };
    assert_ne!(whole(gap), whole(Apart::default()));
}

/// Communities and what they say stand on the base rate, too: leaving out its decay is a dataset without any.
#[test]
fn a_row_without_decay_of_the_base_rate_is_what_memory_without_any_says() {
    let mut dataset = sample::dataset().unwrap();
    let questions = tuning(&dataset.manifest, &dataset.interactions);
    let rows = |dataset: &Dataset| {
        let (cancel, plan) = (AtomicBool::new(false), Plan { resamples: 0, permutations: 10, seed: 1 });
        let measures = LabelMeasures { labels: dataset.manifest.labels.len() };
        let last = &questions[questions.len() - 60..];
        let apart = Apart::default();
        ablate(&mut Memory::build(dataset), last, &[], apart, measures, plan, &cancel).unwrap()
    };
    dataset.manifest.periods.base_half_life = 3.0;
    let fading = rows(&dataset);
    let without = fading.iter().find(|row| row.variant == Variant::WithoutBaseDecay).unwrap();
    dataset.manifest.periods.base_half_life = f64::INFINITY;
    let lasting = rows(&dataset);
    assert!(lasting.iter().all(|row| row.variant != Variant::WithoutBaseDecay), "it would change nothing");
    assert_eq!((without.log_loss, without.macro_f1), (lasting[0].log_loss, lasting[0].macro_f1));
    assert_ne!(without.log_loss, fading[0].log_loss);
}

#[test]
fn a_fit_betters_its_tuning_set_and_sees_nothing_later() {
    let dataset = history();
    let (memory, found) = fitted(&dataset, 400);
    let found = found.unwrap();
    assert!(found.after.log_loss < found.before.log_loss - 0.01, "{:?} {:?}", found.before, found.after);
    assert_eq!((found.warm_up.n, found.tuning.n), (200, 200));
    assert_eq!(found.tuning.to, Timestamp(399 * 10_000));
    let best = found.ridge.iter().map(|point| point.log_loss).fold(f64::INFINITY, f64::min);
    // Exponents that were fitted to little avail are the stated ones; those of the ridge are fitted.
    assert!(
        best < found.after.log_loss + 1e-3,
        "the ridge passes through the fit or below it: {best} {:?}",
        found.after
    );

    // The later fifth says the opposite of what came before: a fit that read it would differ.
    let mut turned = dataset.clone();
    turned.interactions[400..].iter_mut().for_each(|i| i.response = "y0".to_owned());
    assert_eq!(fitted(&turned, 400).1.unwrap().manifest, found.manifest);

    // What the fit tried on the way leaves no trace in memory.
    let fresh = Memory::build(&Dataset { manifest: found.manifest.clone(), ..dataset.clone() });
    for i in &dataset.interactions[390..] {
        assert_eq!(memory.read(&i.user, &i.query, i.at).unwrap(), fresh.read(&i.user, &i.query, i.at).unwrap());
    }
}

/// Tastes that last for eight answers, on a dataset whose half-lives count answers: no half-life in days is as short.
#[test]
fn a_half_life_is_sought_in_the_unit_of_the_dataset() {
    let of = |ix: usize| {
        let (user, nth) = (ix % 12, ix / 12);
        interaction(ix, user, ix as i64 * 10_000, &[ix * 7 % 11, ix * 5 % 7], (nth / 8 + user) % 4)
    };
    let mut manifest = manifest(4, 3);
    manifest.weights.half_life_unit = Some(AgeUnit::Items);
    let dataset = Dataset { manifest, interactions: (0..480).map(of).collect(), queries: Vec::new() };
    let found = fitted(&dataset, 480).1.unwrap();
    assert!(found.manifest.weights.half_life.is_some_and(|items| items <= 20.0), "{:?}", found.manifest.weights);
}

#[test]
fn too_short_a_history_is_refused() {
    let error = fitted(&history(), 120).1.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("at least 100 queries") && told.contains("a larger --split"), "{told}");
    // `fit` and the workbench have no --fit to leave out.
    assert!(!told.contains("--fit"), "{told}");
}

#[test]
fn the_command_writes_what_it_says_and_ablations_leave_things_out() {
    let dir = tempfile::tempdir().unwrap();
    history().write(dir.path()).unwrap();
    let data = dir.path().to_str().unwrap();
    let run = |args: &[&str]| {
        let output = crate::program().args(["--data", data]).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let ablated: Value =
        serde_json::from_str(&run(&["eval", "--split", "0.8", "--fit", "--ablate", "--format", "json"])).unwrap();
    let variants = ablated["variants"].as_array().unwrap();
    assert_eq!(variants[0]["variant"], "whole");
    assert_eq!(ablated["fitted_on"]["n"], 192);
    let whole: Value = serde_json::from_str(&run(&["eval", "--split", "0.8", "--fit", "--format", "json"])).unwrap();
    // Summed in another order.
    let loss = |value: &Value| value["log_loss"].as_f64().unwrap();
    assert!((loss(&variants[0]) - loss(&whole["arms"]["mediated"])).abs() < 1e-9);
    assert_eq!(whole["split"]["fitted_on"]["n"], 192);
    let differs = |v: &&Value| (loss(v) - loss(&variants[0])).abs() > 1e-6;
    assert!(variants.len() > 3 && variants.iter().filter(differs).count() > variants.len() / 2, "{ablated}");

    let fit = ["--data", data, "fit", "--split", "0.8", "--write", "--format", "json"];
    let fit = crate::program().args(fit).output().unwrap();
    let written = format!("logoscope: written to {}\n", dir.path().join("dataset.toml").display());
    assert_eq!((fit.status.code(), String::from_utf8(fit.stderr).unwrap()), (Some(0), written));
    let told: Value = serde_json::from_slice(&fit.stdout).unwrap();
    let manifest = Dataset::open(dir.path()).unwrap().manifest;
    assert_eq!(told["after"]["constants"]["calibration.local"], manifest.calibration.local);
    let now: Value = serde_json::from_str(&run(&["eval", "--split", "0.8", "--format", "json"])).unwrap();
    assert_eq!(now["arms"], whole["arms"], "written constants evaluate as fitted ones did");
}
