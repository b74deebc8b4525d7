//! The datasets under sample-data: made by the generator, read by the shipped model, and worlds in which neither memory
//! suffices.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use logoscope::data::dataset::Dataset;
use logoscope::data::synth::{Parameters, headlines, population, products};
use logoscope::engine::fit::{Fit, Training};
use logoscope::engine::prompt::Arm;
use logoscope::eval::experiment::{Setting, run};
use logoscope::eval::metrics::{Measures, Metric, TaskMeasures, add};
use logoscope::eval::split::{Asked, Split};
use logoscope::mediator::{Policy, Weights};
use logoscope::memory::{Apart, Memory};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data").join(name)
}

/// Name, the generator's population of seed 1, and the metric of its task.
fn samples() -> [(&'static str, Dataset, Metric); 3] {
    [
        ("film-tags", population(&Parameters::default()).0, Metric::LogLoss),
        ("product-ratings", products(&Parameters::of_products()).0, Metric::MeanAbsoluteError),
        ("headlines", headlines(&Parameters::of_headlines()).0, Metric::LogLoss),
    ]
}

#[test]
fn each_sample_is_the_population_of_seed_1() {
    for (name, made, _) in samples() {
        let shipped = Dataset::open(&folder(name)).unwrap();
        let again = tempfile::tempdir().unwrap();
        made.write(&again.path().join("made")).unwrap();
        assert_eq!(shipped, Dataset::open(&again.path().join("made")).unwrap(), "{name}: made by `synth --seed 1`");
    }
}

#[test]
fn the_shipped_model_fits_each_sample() {
    let training = Training::read(&folder("models/nano"), true).unwrap();
    for (name, made, _) in samples() {
        assert_eq!(training.fit(&made.manifest), Fit::Fitted, "{name}");
    }
}

#[test]
fn in_each_sample_memory_mediated_is_better_than_either_side() {
    for (name, made, metric) in samples() {
        let memory = Memory::build(&made);
        let measures = TaskMeasures::of(&made.manifest).unwrap();
        let asked = Asked::of(&made, Split::Share { share: 0.8 }).unwrap();
        let policy = Policy::of(made.manifest.task);
        let setting = Setting { policy, weights: Weights::defaults(policy, &made.manifest), apart: Apart::default() };
        let answered = run(&memory, &asked.questions, setting, &AtomicBool::new(false), &mut |_| ()).unwrap();
        let value = |arm: Arm| {
            let mut sums = vec![0.0; measures.width()];
            for (question, answered) in asked.questions.iter().zip(&answered) {
                add(&mut sums, &measures.row(question.gold, &answered.arms[arm as usize]));
            }
            measures.value(metric, &sums).unwrap()
        };
        let [none, local, global, mediated] = Arm::ALL.map(value);
        assert!(
            mediated < local.min(global) && local.max(global) < none,
            "{name}, {}: none {none:.3}, local {local:.3}, global {global:.3}, mediated {mediated:.3}",
            metric.name()
        );
    }
}

#[test]
fn everything_shipped_together_stays_small() {
    fn size(path: &Path) -> u64 {
        match path.is_dir() {
            true => path.read_dir().unwrap().map(|entry| size(&entry.unwrap().path())).sum(),
            false => path.metadata().unwrap().len(),
        }
    }
    let bytes = size(&folder(""));
    assert!(bytes <= 10_000_000, "sample-data has {bytes} bytes; it is part of every binary");
}
