//! How a model stands to a dataset: whether it can answer with the dataset's labels, and whether its share in the
//! decision, ω, has been fitted.
//!
//! A model's folder states what it was trained for in `logoscope.json`: either its labels, `{"labels": ["comedy", …]}`, or
//! the questions it can be asked, `{"tasks": [{"query": "film", "response": "tag", "labels": ["comedy", …]}]}`, worded as in
//! a dataset's `[prompt]`; a task without labels is one of texts. Such a model can answer with these labels and no others. A
//! folder without that file holds a general model, which fits every dataset.
//!
//! Invariant: this is the one place that decides ω's default. A dataset's `model-trust` is fitted for the shipped model;
//! any other model has yet to earn its share and begins at 0. A GGUF file states the same in a file beside it,
//! `NAME.logoscope.json`.

use std::path::Path;

use serde::Deserialize;

use super::error::EngineError;
use crate::data::dataset::{Manifest, TaskKind, Wording};
use crate::data::sanitize::visible;
use crate::mediator::{Policy, Weight, Weights};

/// The file in a model's folder.
const FILE: &str = "logoscope.json";
/// Characters of a label told in a message.
const TOLD: usize = 24;

/// What a model was made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Training {
    /// What it can be asked; `None` for a general model.
    pub tasks: Option<Vec<Trained>>,
    /// Whether it is the shipped model, for which datasets state ω.
    pub shipped: bool,
}

/// One kind of question that a model was made for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "StatedTask")]
pub struct Trained {
    /// How it is worded; `None` where any wording will do.
    pub wording: Option<Wording>,
    /// The labels it can name; `None` where it writes texts.
    pub labels: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedTask {
    query: String,
    response: String,
    labels: Option<Vec<String>>,
}

impl From<StatedTask> for Trained {
    fn from(StatedTask { query, response, labels }: StatedTask) -> Self {
        Self { wording: Some(Wording { query, response }), labels }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stated {
    Labels(StatedLabels),
    Tasks(StatedTasks),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedLabels {
    labels: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedTasks {
    tasks: Vec<Trained>,
}

impl Stated {
    fn tasks(self) -> Vec<Trained> {
        match self {
            Stated::Labels(StatedLabels { labels }) => vec![Trained { wording: None, labels: Some(labels) }],
            Stated::Tasks(StatedTasks { tasks }) => tasks,
        }
    }
}

impl Training {
    /// Reads what is stated of the model at `path`: its folder, or its GGUF file.
    pub fn read(path: &Path, shipped: bool) -> Result<Self, EngineError> {
        let file = if path.is_file() { path.with_extension(FILE) } else { path.join(FILE) };
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let refused = |reason: String| EngineError::Load {
            path: path.to_owned(),
            reason: format!("{name} {reason}"),
            remedy: "write it as {\"labels\": [\"…\"]} or {\"tasks\": [{\"query\": \"…\", \"response\": \"…\", \
                     \"labels\": [\"…\"]}]}, or remove it if the model is a general one"
                .to_owned(),
        };
        if !file.exists() {
            return Ok(Self { tasks: None, shipped });
        }
        let text = std::fs::read(&file).map_err(|error| refused(format!("cannot be read: {error}")))?;
        let stated: Stated =
            serde_json::from_slice(&text).map_err(|error| refused(format!("cannot be used: {error}")))?;
        Ok(Self { tasks: Some(stated.tasks()), shipped })
    }

    /// How the model stands to a dataset.
    pub fn fit(&self, manifest: &Manifest) -> Fit {
        let told = |text: &str| visible(text).chars().take(TOLD).collect::<String>();
        let fitting = if self.shipped { Fit::Fitted } else { Fit::Unfitted };
        let Some(tasks) = &self.tasks else { return fitting };
        let asked = &manifest.prompt;
        let Some(task) = tasks.iter().find(|task| task.wording.as_ref().is_none_or(|wording| wording == asked)) else {
            return Fit::Other {
                what: "questions",
                stranger: format!("{} → {}", told(&asked.query), told(&asked.response)),
            };
        };
        let stranger = match (&task.labels, manifest.task) {
            (None, TaskKind::Text) => None,
            (None, TaskKind::Labels | TaskKind::Rating) => manifest.responses().into_iter().next(),
            (Some(labels), _) => manifest.responses().into_iter().find(|label| !labels.contains(label)),
        };
        stranger.map_or(fitting, |label| Fit::Other { what: "labels", stranger: told(&label) })
    }
}

/// How a model stands to a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// There is no model.
    Absent,
    /// It answers, and the dataset states the ω fitted for it.
    Fitted,
    /// It answers; nobody has fitted ω for it.
    Unfitted,
    /// It was trained for something else and cannot answer.
    Other {
        /// What was other: labels or questions.
        what: &'static str,
        /// The first of them that it does not know.
        stranger: String,
    },
}

impl Fit {
    /// The default of every weight of `policy` on a dataset: ω is the dataset's for the model it was fitted for, else 0.
    pub fn defaults(&self, policy: Policy, manifest: &Manifest) -> Weights {
        let weights = Weights::defaults(policy, manifest);
        match self {
            Fit::Fitted => weights,
            Fit::Absent | Fit::Unfitted | Fit::Other { .. } => weights.with(Weight::ModelTrust, 0.0),
        }
    }

    /// Why the model called `name` is not asked, in a sentence; `None` if it can be, or if there is none.
    pub fn unable(&self, name: &str) -> Option<String> {
        let Fit::Other { what, stranger } = self else { return None };
        Some(format!(
            "{} was trained for other {what} ('{stranger}' is not among them); every arm shows what memory decides; \
             a general model answers any: --model DIR, FILE, hub name or URL, in the workbench ctrl-o",
            visible(name)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sample;
    use crate::data::scale::Scale;
    use crate::data::synth::{Parameters, headlines, products};

    #[test]
    fn the_shipped_model_fits_the_samples_and_their_parts_alone() {
        let cache = tempfile::tempdir().unwrap();
        let training = Training::read(&sample::unpack_model(cache.path()).unwrap(), true).unwrap();
        let manifest = sample::dataset().unwrap().manifest;
        assert_eq!(training.fit(&manifest), Fit::Fitted);
        let labels = |labels: &[&str]| Manifest {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..manifest.clone()
        };
        assert_eq!(training.fit(&labels(&["comedy", "action"])), Fit::Fitted);
        let fit = training.fit(&labels(&["comedy", "politics"]));
        assert_eq!(fit, Fit::Other { what: "labels", stranger: "politics".to_owned() });
        assert!(fit.unable("nano").unwrap().starts_with("nano was trained for other labels ('politics'"));
        assert_eq!(fit.defaults(Policy::Product, &manifest).model_trust, 0.0);
        assert_eq!(Fit::Fitted.defaults(Policy::Product, &manifest).model_trust, manifest.calibration.model_trust);
        assert!(manifest.calibration.model_trust > 0.0);
        let small = |parameters: Parameters| Parameters { users: 4, ..parameters };
        let ratings = products(&small(Parameters::of_products())).0.manifest;
        let texts = headlines(&small(Parameters::of_headlines())).0.manifest;
        assert_eq!([&ratings, &texts].map(|manifest| training.fit(manifest)), [Fit::Fitted, Fit::Fitted]);
        let finer = Manifest { scale: Some(Scale { low: 1.0, high: 5.0, step: 0.5 }), ..ratings };
        assert_eq!(training.fit(&finer), Fit::Other { what: "labels", stranger: "1.5".to_owned() });
        let wording = Wording { query: "review".into(), response: "title".into() };
        let fit = training.fit(&Manifest { prompt: wording, ..texts });
        assert!(fit.unable("nano").unwrap().contains("other questions ('review → title' is not among them)"));
    }

    #[test]
    fn a_general_model_fits_everything_and_earns_its_share() {
        let folder = tempfile::tempdir().unwrap();
        let training = Training::read(folder.path(), false).unwrap();
        let manifest = sample::dataset().unwrap().manifest;
        let fit = training.fit(&Manifest { labels: vec!["politics".to_owned()], ..manifest.clone() });
        assert_eq!(fit, Fit::Unfitted);
        assert_eq!(fit.defaults(Policy::Product, &manifest).model_trust, 0.0);
    }

    #[test]
    fn labels_alone_say_nothing_of_the_wording() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{\"labels\": [\"comedy\", \"action\"]}").unwrap();
        let training = Training::read(folder.path(), false).unwrap();
        let mut manifest = sample::dataset().unwrap().manifest;
        manifest.prompt = Wording { query: "anything".into(), response: "at all".into() };
        assert!(matches!(training.fit(&manifest), Fit::Other { what: "labels", .. }));
        manifest.labels = vec!["action".to_owned()];
        assert_eq!(training.fit(&manifest), Fit::Unfitted);
    }

    #[test]
    fn a_damaged_statement_is_told_and_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["{\"labels\": 3}", "{\"tasks\": {}}", "{\"tasks\": [{\"query\": \"film\"}]}", "{}", "{"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let told = Training::read(folder.path(), false).unwrap_err().to_string();
            assert!(told.contains("logoscope.json cannot be used") && told.contains("remove it"), "{told}");
        }
    }
}
