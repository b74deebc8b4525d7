//! How a model stands to a dataset: whether it can answer with the dataset's labels, and whether its share in the
//! decision, ω, has been fitted.
//!
//! A model's folder states what it was trained for in `logoscope.json`, `{"labels": ["comedy", …]}`: such a model can
//! name these labels and no others. A folder without that file holds a general model, which fits every dataset.
//!
//! Invariant: this is the one place that decides ω's default. A dataset's `model-trust` is fitted for the shipped model;
//! any other model has yet to earn its share and begins at 0. A GGUF file states the same in a file beside it,
//! `NAME.logoscope.json`.

use std::path::Path;

use serde::Deserialize;

use super::error::EngineError;
use crate::data::dataset::Manifest;
use crate::data::sanitize::visible;
use crate::mediator::{Policy, Weight, Weights};

/// The file in a model's folder.
const FILE: &str = "logoscope.json";
/// Characters of a label told in a message.
const TOLD: usize = 24;

/// What a model was made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Training {
    /// The labels it can name; `None` for a general model.
    pub labels: Option<Vec<String>>,
    /// Whether it is the shipped model, for which datasets state ω.
    pub shipped: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    labels: Vec<String>,
}

impl Training {
    /// Reads what is stated of the model at `path`: its folder, or its GGUF file.
    pub fn read(path: &Path, shipped: bool) -> Result<Self, EngineError> {
        let file = if path.is_file() { path.with_extension(FILE) } else { path.join(FILE) };
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let refused = |reason: String| EngineError::Load {
            path: path.to_owned(),
            reason: format!("{name} {reason}"),
            remedy: "write it as {\"labels\": [\"…\"]}, or remove it if the model is a general one".to_owned(),
        };
        if !file.exists() {
            return Ok(Self { labels: None, shipped });
        }
        let text = std::fs::read(&file).map_err(|error| refused(format!("cannot be read: {error}")))?;
        let stated: Stated =
            serde_json::from_slice(&text).map_err(|error| refused(format!("cannot be used: {error}")))?;
        Ok(Self { labels: Some(stated.labels), shipped })
    }

    /// How the model stands to a dataset with these labels.
    pub fn fit(&self, labels: &[String]) -> Fit {
        let known = |label: &&String| self.labels.as_ref().is_none_or(|trained| trained.contains(label));
        match labels.iter().find(|label| !known(label)) {
            Some(stranger) => Fit::Other { label: visible(stranger).chars().take(TOLD).collect() },
            None if self.shipped => Fit::Fitted,
            None => Fit::Unfitted,
        }
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
    /// It was trained for other labels and cannot answer.
    Other {
        /// The first label that it does not know.
        label: String,
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
        let Fit::Other { label } = self else { return None };
        Some(format!(
            "{} was trained for other labels ('{label}' is not among them); every arm shows what memory decides",
            visible(name)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sample;

    #[test]
    fn the_shipped_model_fits_the_sample_and_its_parts_alone() {
        let cache = tempfile::tempdir().unwrap();
        let training = Training::read(&sample::unpack_model(cache.path()).unwrap(), true).unwrap();
        let manifest = sample::dataset().unwrap().manifest;
        assert_eq!(training.fit(&manifest.labels), Fit::Fitted);
        assert_eq!(training.fit(&manifest.labels[3..7]), Fit::Fitted);
        let fit = training.fit(&["comedy".to_owned(), "politics".to_owned()]);
        assert_eq!(fit, Fit::Other { label: "politics".to_owned() });
        assert!(fit.unable("nano").unwrap().starts_with("nano was trained for other labels ('politics'"));
        assert_eq!(fit.defaults(Policy::Product, &manifest).model_trust, 0.0);
        assert_eq!(Fit::Fitted.defaults(Policy::Product, &manifest).model_trust, manifest.calibration.model_trust);
        assert!(manifest.calibration.model_trust > 0.0);
    }

    #[test]
    fn a_general_model_fits_everything_and_earns_its_share() {
        let folder = tempfile::tempdir().unwrap();
        let training = Training::read(folder.path(), false).unwrap();
        let fit = training.fit(&["politics".to_owned()]);
        assert_eq!(fit, Fit::Unfitted);
        let manifest = sample::dataset().unwrap().manifest;
        assert_eq!(fit.defaults(Policy::Product, &manifest).model_trust, 0.0);
    }

    #[test]
    fn a_damaged_statement_is_told_and_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["{\"labels\": 3}", "{\"tasks\": []}", "{"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let told = Training::read(folder.path(), false).unwrap_err().to_string();
            assert!(told.contains("logoscope.json cannot be used") && told.contains("remove it"), "{told}");
        }
    }
}
